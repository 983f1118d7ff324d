"""Every access rule of every profile, both ways: who has shown enough gets in, and nobody else; generated from the
profiles. What is refused changes nothing."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

import pytest

from juying.card.transport import Transport
from juying.card.virtual.card import VirtualCard
from juying.codec.profile import load_profile
from juying.codec.rules import access_rule
from juying.codec.spec import Application, File, FileKind, KeyKind, Profile
from tests.harness import PrivatePcscd
from tests.path.conftest import Readers
from tests.virtual.key_holder import SERIAL, KeyHolder, contents, guarded

SSC = ("ssc-v1", "ssc-v2", "ssc-v3")


class Place(NamedTuple):
    """A record of a linear file, or all of another file: how to reach it, and its rules."""

    file: File
    number: int
    read: str
    write: str

    @property
    def reading(self) -> str:
        if self.file.kind is FileKind.TRANSPARENT:
            return f"00B0{0x80 | self.file.sfi:02X}00"
        return f"00B2{self.number:02X}{self.file.sfi << 3 | 4:02X}"

    def writing(self) -> Iterator[tuple[str, bytes]]:
        """Each command that could write, with data that differs from what a new card holds."""
        sfi = self.file.sfi
        if self.file.kind is FileKind.TRANSPARENT:
            yield f"D6{0x80 | sfi:02X}00", b"\x5a\xa5"
        elif self.file.kind is FileKind.LINEAR:
            head, length = self.file.blank[self.number - 1][:2], self.file.slots[self.number - 1].length
            yield f"DC{self.number:02X}{sfi << 3 | 4:02X}", head + b"Z" * length
        else:
            length = self.file.record_length
            yield f"E200{sfi << 3:02X}", b"X" * length
            yield f"DC00{sfi << 3 | 3:02X}", b"Y" * length
            yield f"DC01{sfi << 3 | 4:02X}", b"Z" * length


def places(application: Application) -> Iterator[Place]:
    for file in application.files:
        if file.kind is FileKind.LINEAR:
            yield from (Place(file, n, record.read, record.write) for n, record in enumerate(file.slots, 1))
        else:
            yield Place(file, 1, file.read, file.write)


def shown(application: Application) -> list[frozenset[str]]:
    """What one may show: nothing, each grant alone, and every combination that a rule of the application asks for."""
    single = [frozenset({"pin"})]
    single += [frozenset({f"key:{key.name}"}) for key in application.keys if key.kind is KeyKind.EXTERNAL]
    rules = {access_rule(rule) for place in places(application) for rule in (place.read, place.write)}
    combined = {alternative for rule in rules for alternative in rule.alternatives if len(alternative) > 1}
    return [frozenset(), *single, *sorted(combined, key=sorted)]


CASES = [
    pytest.param(name, application.name, id=f"{name}-{application.name}")
    for name in SSC
    for application in load_profile(name).applications
]


class Remote:
    """A card behind a reader: commands go through PC/SC, the memory is looked at directly."""

    def __init__(self, card: VirtualCard, transport: Transport) -> None:
        self.profile, self.memory, self.atr, self.transmit = card.profile, card.memory, card.atr, transport.transmit

    def power_on(self) -> None:
        """The reader did that."""


@pytest.fixture(scope="module")
def readers(private_pcscd: PrivatePcscd) -> Iterator[Readers]:
    with ExitStack() as opened:
        yield Readers(private_pcscd, opened)


@pytest.fixture(params=["in process", "pcscd"])
def insert(request: pytest.FixtureRequest) -> Callable[[VirtualCard], AbstractContextManager[KeyHolder]]:
    """Somebody with all keys at a card, in process and through the PC/SC service."""

    @contextmanager
    def at_reader(card: VirtualCard) -> Iterator[KeyHolder]:
        if request.param == "in process":
            yield KeyHolder(card)
            return
        readers: Readers = request.getfixturevalue("readers")
        with readers.insert(card) as transport:
            yield KeyHolder(Remote(card, transport))

    return at_reader


@pytest.mark.parametrize(("name", "application"), CASES)
def test_every_rule_both_ways(
    insert: Callable[[VirtualCard], AbstractContextManager[KeyHolder]], name: str, application: str
) -> None:
    """For everything that can be shown: each record is read and written exactly when its rule allows it."""
    profile = load_profile(name)
    allowed = refused = 0
    for grants in shown(profile.application(application)):
        card = guarded(name)
        fill(card, profile)
        with insert(card) as holder:
            for may in check_all(holder, application, grants):
                allowed, refused = allowed + may, refused + (not may)
    assert refused > 0
    assert allowed > 0


def check_all(holder: KeyHolder, application: str, grants: frozenset[str]) -> Iterator[bool]:
    """Read and write everything in an application with ``grants`` shown; whether each write was to be allowed."""
    holder.enter(application)
    holder.show(grants)
    for place in places(holder.application):
        before = contents(holder.card)
        sw = holder.terminal.sw(place.reading, le=2 if place.file.size else 0)
        assert sw == ("9000" if access_rule(place.read).allows(grants) else "6982"), (place, grants)
        assert contents(holder.card) == before
        for command, data in place.writing():
            before = contents(holder.card)
            sw = holder.terminal.sw(f"00{command}", data)
            may = access_rule(place.write).allows(grants)
            assert sw == ("9000" if may else "6982"), (place, grants)
            assert (contents(holder.card) == before) == (not may), (place, grants)
            yield may


def fill(card: VirtualCard, profile: Profile) -> None:
    """Put one old record into each cyclic file, so that there is something to read and to overwrite."""
    for file in profile.files:
        if file.kind is FileKind.CYCLIC:
            card.memory.files[file.address].append(bytearray(file.record_length))


@pytest.mark.parametrize("name", SSC)
def test_what_anybody_may_read(name: str) -> None:
    """Before anything is shown: the basics on v1 and v2, without number and name on v3; the permit slots, sealed."""
    profile = load_profile(name)
    free = set()
    for application in profile.applications:
        holder = KeyHolder(guarded(name))
        holder.enter(application.name)
        for place in places(application):
            sw = holder.terminal.sw(place.reading, le=2 if place.file.size else 0)
            assert sw in ("9000", "6982")  # also where there is no record yet: that is nobody's business
            if sw == "9000":
                free.add(f"{place.file.address}#{place.number}")
    basics = {f"SSSE/EF05#{n}" for n in range(1, 8)} | {f"SSSE/EF06#{n}" for n in range(1, 8 - (name == "ssc-v1"))}
    later = {f"SSSE/EF0D#{n}" for n in range(1, 5)} | {f"DF01/EF{n}#1" for n in ("16", "17", "18", "19", "1A")}
    guarded_on_v3 = {"SSSE/EF05#7", "SSSE/EF06#1", "SSSE/EF06#2", "SSSE/EF06#3"}
    expected = {"ssc-v1": basics, "ssc-v2": basics | later, "ssc-v3": (basics | later) - guarded_on_v3}
    assert free == expected[name]


def test_the_right_key_of_another_application_does_not_count(holder: KeyHolder) -> None:
    """DF01 and DF02 both have a UK1: it opens only its own application, and grants end with it."""
    holder.enter("DF01")
    assert holder.authenticate("UK1", value=holder.key("DF02/UK1")).startswith("63C")
    assert holder.authenticate("UK1") == "9000"
    household = next(place for place in places(holder.application) if place.file.fid == 0xEF05)
    command, data = next(household.writing())
    assert holder.terminal.sw(f"00{command}", data) == "9000"
    holder.enter("DF02")
    before = contents(holder.card)
    for place in places(holder.application):
        for command, data in place.writing():
            assert holder.terminal.sw(f"00{command}", data) == "6982"
    assert contents(holder.card) == before


@pytest.mark.parametrize("away", ["same application", "other application", "partial name", "reset", "power"])
def test_grants_are_lost(holder: KeyHolder, away: str) -> None:
    """At reset and when any application is selected, the same one too; selecting a file loses nothing."""
    holder.enter("DF01")
    holder.show({"pin", "key:UK4"})
    holder.terminal.ok("00A4020C", b"\xef\x06")
    number = next(n for n, record in enumerate(holder.profile.file("DF01/EF06").slots, 1) if record.tag == 0x28)
    assert holder.terminal.sw(f"00B2{number:02X}04", le=0) == "9000"
    if away == "same application":
        holder.enter("DF01")
    elif away == "other application":
        holder.enter("SSSE")
        holder.enter("DF01")
    elif away == "partial name" and holder.application.aid:
        holder.terminal.ok("00A4040C", holder.application.aid[:5])
    else:
        holder.card.power_on() if away == "power" else holder.card.reset()
        holder.enter("DF01")
    holder.terminal.ok("00A4020C", b"\xef\x06")
    assert holder.terminal.sw(f"00B2{number:02X}04", le=0) == "6982"
    assert holder.terminal.sw("00200000") == "63C6"


def test_a_refusal_leaves_selection_and_grants(holder: KeyHolder) -> None:
    """After 6982 the current file is still the one before, and what was shown still holds."""
    holder.enter("SSSE")
    holder.terminal.ok("00A4020C", b"\xef\x05")
    holder.show({"key:RKSSSE"})
    assert holder.terminal.sw("00DC0134", bytes.fromhex("0812") + b"0" * 18) == "6982"
    assert holder.terminal.ok("00B20104", le=0)[0] == 0x01
    assert holder.terminal.sw("00B2072C", le=0) == "9000"


def test_a_failed_authentication_takes_the_grant_of_its_key_away(holder: KeyHolder) -> None:
    """And of no other; the same holds for the PIN."""
    holder.enter("SSSE")
    holder.show({"key:UKSSSE", "key:RKSSSE", "pin"})
    assert holder.authenticate("UKSSSE", value=bytes(16)) == "63CE"
    assert holder.terminal.sw("00DC022C", b"\x02\x01A") == "6982"
    assert holder.terminal.sw("00B08700", le=1) == "9000"  # RKSSSE still holds
    assert holder.terminal.sw("00200000") == "9000"
    assert holder.verify(bytes(3)) == "63C5"
    assert holder.terminal.sw("00200000") == "63C5"


def test_no_update_ever_has_the_grant_of_a_debit(holder: KeyHolder) -> None:
    """Not with every key of the application, the PIN and a MAC."""
    holder.enter("DF04")
    holder.show({"pin", *(f"key:{key.name}" for key in holder.application.keys if key.kind is KeyKind.EXTERNAL)})
    row = bytes(holder.profile.file("DF04/EF08").record_length)
    assert holder.terminal.sw("00E20040", row) == "6982"
    assert holder.protected("04E20040", row, key="DF04/STK") == "6982"


def test_a_card_with_other_keys_takes_no_demonstration_key() -> None:
    """The keys that the factory loads are the ones that count."""
    loaded = VirtualCard.blank(
        load_profile("ssc-v3"), serial=SERIAL, keys=lambda key: key.name.encode().ljust(16, b"\x00")[:16]
    )
    holder = KeyHolder(loaded)
    holder.enter("DF01")
    assert holder.authenticate("UK7") == "63CE"
    assert holder.authenticate("UK7", value=b"DF01/UK7".ljust(16, b"\x00")) == "9000"


def test_cards_of_other_cities_and_serials_have_other_keys() -> None:
    """A key opens one card: the city's key is not the next city's, and the card's not the next card's."""
    options: list[dict[str, Any]] = [{}, {"region": "440300"}, {"serial": b"else"}]
    cards = [VirtualCard.blank(load_profile("ssc-v3"), **({"serial": SERIAL} | more)) for more in options]
    for one, two in itertools.combinations(cards, 2):
        for name, key in one.memory.keys.items():
            assert key.value != two.memory.keys[name].value


def test_the_seal_key_is_not_on_the_card(holder: KeyHolder) -> None:
    """Whoever opens up a card finds no key that unseals its permit."""
    seals = {
        f"{application.name}/{key.name}"
        for application in holder.profile.applications
        for key in application.keys
        if key.kind is KeyKind.SEAL
    }
    assert bool(seals) == (holder.profile.name != "ssc-v1")
    assert seals.isdisjoint(holder.card.memory.keys)
    for name in seals:
        holder.enter(name.partition("/")[0])
        assert holder.authenticate(name.partition("/")[2]) == "6A88"
