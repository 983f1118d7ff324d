"""A card torn out after every command and after every byte of every write: it is readable when it comes back, and
doing the same again finishes it. In first writing, renewal, sealing what was open, PIN change, PIN reload and key load,
on every generation, under the rules of its profile; how many points there were is printed at the end of the run.

Two things are left out, because they are the same by construction: the photo, a transparent file that is written as a
permit slot is, and keys of all but the first application after every byte, for WRITE KEY takes each of them in the same
way (after every command there are all of them).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from juying.card.access import Access
from juying.card.administration import load_keys, reload_pin
from juying.card.pin import typed_pin
from juying.card.session import CardSession
from juying.card.ssc import SscCard
from juying.card.virtual.card import Lifecycle, VirtualCard
from juying.card.virtual.faults import Fault, TearAfterByte, TearAfterCommand
from juying.card.virtual.memory import Memory, Secret
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.codec.permit_slots import slot_files
from juying.codec.profile import load_profile
from juying.codec.spec import Profile
from juying.crypto.keys import CardKey, DemonstrationKeys, Keys
from juying.errors import AccessRefused, CardRemoved
from tests.path.samples import PIN, PROFILES, RECORD, RENEWED, blank, contents, layout, memory_of, permit_on

NEW_PIN, OTHER_PHONE = "271828", "10000000099"
TEARS: dict[str, Callable[[VirtualCard, int], Fault]] = {"command": TearAfterCommand, "byte": TearAfterByte}


class Replaced(DemonstrationKeys):
    """What an office has after a rotation: other keys, and the demonstration ones as their previous versions."""

    def _city_key(self, key: CardKey) -> bytearray | None:
        city_key = super()._city_key(key)
        if city_key is not None and not key.previous:
            city_key[0] ^= 0x5A
        return city_key


OLD, NEXT = DemonstrationKeys(), Replaced()


def session(card: VirtualCard | Fault, pin: str = PIN, keys: Keys = OLD, profile: Profile | None = None) -> SscCard:
    return SscCard.open(LocalTransport(card), profile, Access(keys, typed_pin(lambda: pin)))


def copy(card: VirtualCard) -> VirtualCard:
    """Another card of the same contents; making one anew takes its keys, which takes long."""
    memory = card.memory
    keys = {name: Secret(bytearray(key.value), key.tries, key.limit) for name, key in memory.keys.items()}
    pin = Secret(bytearray(memory.pin.value), memory.pin.tries, memory.pin.limit)
    files = {address: [bytearray(record) for record in records] for address, records in memory.files.items()}
    return VirtualCard(card.profile, Memory(files, memory.historical, keys=keys, pin=pin, locks=dict(memory.locks)))


@dataclass
class Work:
    """Something that is done to a card.

    ``do`` does it, and is what is done again. ``look`` is what has to hold when the card comes back, ``finished`` what
    has to hold in the end.
    """

    begin: VirtualCard
    do: Callable[[VirtualCard | Fault], object]
    look: Callable[[VirtualCard], object]
    finished: Callable[[VirtualCard], object]

    def tear(self, tear: Callable[[VirtualCard, int], Fault]) -> int:
        """Tear it at every point; how many there are."""
        point = 0
        while True:
            card = copy(self.begin)
            try:
                self.do(tear(card, point))
            except CardRemoved:
                self.look(card)
                self.do(card)
                self.finished(card)
                point += 1
                continue
            card.memory.budget = None
            self.finished(card)
            return point


def same(card: VirtualCard, expected: VirtualCard) -> None:
    assert memory_of(card) == memory_of(expected)


# What is done ---------------------------------------------------------------------------------------


def first_writing(profile: str) -> Work:
    """A blank card becomes somebody's; it is nobody's until its number, the last of all, is on it."""
    wanted = contents()

    def look(card: VirtualCard) -> None:
        session(card).read()
        if card.state is not Lifecycle.BLANK:
            others = [address for address in memory_of(card) if address != "SSSE/EF05"]
            assert [memory_of(card)[address] for address in others] == [memory_of(whole)[one] for one in others]

    whole = blank(profile)
    write_card(session(whole), wanted)
    return Work(blank(profile), lambda card: write_card(session(card), wanted), look, lambda card: same(card, whole))


def renewal(profile: str, form: str = "sealed") -> Work:
    """A new permit; there is the old one or the new one, and from some point on the new one."""
    known = layout(profile, form)
    has_permit = bool(slot_files(known))
    wanted = contents(RENEWED) if has_permit else contents(phone=OTHER_PHONE)
    begin = blank(profile)
    write_card(session(begin, profile=known), contents())
    seen: list[bytes] = []

    def look(card: VirtualCard) -> None:
        reader = session(card, profile=known)
        data = reader.read()
        if has_permit:
            assert data.permit is not None
            assert not data.problems
            seen.append(reader.open_permit(data.permit))
            assert seen in ([RECORD] * len(seen), sorted(seen, key=[RECORD, RENEWED].index))

    def finished(card: VirtualCard) -> None:
        if has_permit:
            assert permit_on(session(card, profile=known)) == RENEWED
        else:
            assert session(card).value("holder.phone") == OTHER_PHONE

    return Work(begin, lambda card: write_card(session(card, profile=known), wanted), look, finished)


def sealing(profile: str) -> Work:
    """Permits in the open, old and new, become sealed; nothing open is left in the end."""
    known, begin = layout(profile, "open"), blank(profile)
    for record in (RECORD, RENEWED):
        write_card(session(begin, profile=known), contents(record))

    def look(card: VirtualCard) -> None:
        assert permit_on(session(card)) == RENEWED

    def finished(card: VirtualCard) -> None:
        look(card)
        everything = b"".join(entry for entries in memory_of(card).values() for entry in entries)
        assert RECORD[8:24] not in everything
        assert RENEWED[8:24] not in everything

    return Work(begin, lambda card: write_card(session(card), contents(RENEWED)), look, finished)


def readable(card: VirtualCard) -> None:
    """With old keys or new ones everything can be read."""
    found = [session(card, keys=keys).read() for keys in (OLD, NEXT)]
    held = {name: value for data in found for name, value in data.values.items()}
    wanted = contents().values
    assert {name: held.get(name) for name in wanted if card.profile.by_field(name)} == {
        name: value for name, value in wanted.items() if card.profile.by_field(name)
    }


def personal(profile: Profile) -> VirtualCard:
    card = blank(profile)
    write_card(session(card), contents())
    return card


def has_pin(card: VirtualCard, pin: str) -> None:
    """This is the PIN, and none of its tries is lost."""
    session(card, pin).verify_pin()
    assert card.memory.pin.tries == card.memory.pin.limit


def pin_change(profile: str) -> Work:
    """The holder changes the PIN; who is told that the old one is wrong has the new one already."""

    def do(card: VirtualCard | Fault) -> None:
        try:
            session(card).change_pin(lambda: NEW_PIN)
        except AccessRefused:
            session(card, NEW_PIN).verify_pin()

    return Work(personal(load_profile(profile)), do, readable, lambda card: has_pin(card, NEW_PIN))


def pin_reload(profile: str) -> Work:
    """The office gives a card whose PIN is locked a new one."""
    begin = personal(load_profile(profile))
    begin.memory.pin.tries = 0
    return Work(begin, lambda card: reload_pin(session(card), NEW_PIN), readable, lambda card: has_pin(card, NEW_PIN))


def key_load(profile: str, *, whole: bool) -> Work:
    """New keys; the card takes the same ones again until the main key, the last of all, is there."""
    known = load_profile.__wrapped__(profile)  # a copy of one in use would remember the applications that it had
    if not whole:
        known = known.model_copy(update={"applications": known.applications[:1]})

    def do(card: VirtualCard | Fault) -> None:
        load_keys(session(card, profile=known), NEXT)

    def finished(card: VirtualCard) -> None:
        reader: CardSession = session(card, keys=NEXT, profile=known)
        assert reader.authenticate() is True
        assert session(card, keys=OLD, profile=known).authenticate() is False
        expected = card_keys
        assert {name: key.value for name, key in card.memory.keys.items()} == expected

    begin = personal(known) if whole else blank(known)
    reference = copy(begin)
    do(reference)
    card_keys = {name: bytearray(key.value) for name, key in reference.memory.keys.items()}
    return Work(begin, do, readable if whole else lambda card: session(card, profile=known).read(), finished)


WORKS: dict[tuple[str, str], Callable[[str], Work]] = {
    **{("first writing", kind): first_writing for kind in TEARS},
    **{("renewal", kind): renewal for kind in TEARS},
    **{("PIN change", kind): pin_change for kind in TEARS},
    **{("PIN reload", kind): pin_reload for kind in TEARS},
    ("key load", "command"): lambda profile: key_load(profile, whole=True),
    ("key load", "byte"): lambda profile: key_load(profile, whole=False),
}


@pytest.mark.usefixtures("same_nonce")
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("what", "kind"), WORKS)
def test_torn_anywhere_it_is_readable_and_is_finished_by_doing_it_again(
    what: str, kind: str, profile: str, torn_points: Counter[tuple[str, str]]
) -> None:
    points = WORKS[what, kind](profile).tear(TEARS[kind])
    torn_points[what, kind] += points
    assert points >= 5


@pytest.mark.parametrize("kind", TEARS)
def test_an_open_permit_is_renewed_in_the_same_way(kind: str, torn_points: Counter[tuple[str, str]]) -> None:
    torn_points["renewal of an open permit", kind] += renewal("ssc-v3", "open").tear(TEARS[kind])


@pytest.mark.parametrize("kind", TEARS)
def test_an_open_permit_becomes_sealed_at_one_of_the_runs(kind: str, torn_points: Counter[tuple[str, str]]) -> None:
    torn_points["sealing", kind] += sealing("ssc-v3").tear(TEARS[kind])


def test_the_search_can_fail() -> None:
    """Work that is not finished by doing it again is found out."""

    def do(card: VirtualCard | Fault) -> None:
        if card.memory.files["DF01/EF06"][3][0] != 0:
            session(card).change_pin(lambda: NEW_PIN)
            card.memory.files["DF01/EF06"][3][0] = 0

    work = Work(personal(load_profile("ssc-v3")), do, lambda card: None, lambda card: has_pin(card, NEW_PIN))
    with pytest.raises(AccessRefused):
        work.tear(TearAfterCommand)
