"""Access rules obeyed: what is shown to a card, how often, and what is said when something is missing.

The virtual card enforces the rules; the rules come from the profiles.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from juying.card.access import Access
from juying.card.apdu import Command
from juying.card.session import CardSession
from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault, WrongStatus
from juying.card.virtual.memory import Lock
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import plan, write_card
from juying.codec.profile import load_profile
from juying.codec.rules import access_rule
from juying.codec.spec import File, FileKind, Profile
from juying.errors import AccessRefused, CardRemoved, StatusError
from tests.path.conftest import Insert
from tests.path.keyring import AUTHENTICATE, CHALLENGE, INTERNAL, VERIFY, Asked, Ring, Unplugged, pin
from tests.path.samples import EVERYTHING, PHOTO, PROFILES, blank, contents, memory_of, pristine, seal_of, with_file


def written(profile: str = "ssc-v3") -> VirtualCard:
    card = blank(profile)
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), contents(photo=PHOTO))
    return card


def opened(card: VirtualCard | Fault, access: Access | None = None, profile: Profile | None = None) -> SscCard:
    """A session with a card in process."""
    return SscCard.open(LocalTransport(card), profile, access)


def as_real(card: VirtualCard) -> VirtualCard:
    """The same card with the ATR of one that is not virtual."""
    card.memory.historical = bytes.fromhex("00814E43") + card.memory.historical[4:]
    return VirtualCard(card.profile, card.memory)


# Every rule of every profile, both ways


class Place(NamedTuple):
    """A file, or the first record of it (else 0) that has the rule."""

    file: File
    number: int
    rule: str


def places(profile: str, operation: str) -> Iterator[Place]:
    """Every file of a profile with each of the rules in it."""
    for file in load_profile(profile).files:
        found = {getattr(record, operation): n for n, record in reversed(list(enumerate(file.slots, 1)))}
        for rule, number in (found or {getattr(file, operation): 0}).items():
            yield Place(file, number, rule)


def ways(operation: str) -> list[object]:
    """Every rule of every profile with each way to fulfil it."""
    return [
        pytest.param(profile, place, grants, id=f"{profile} {place.file.address} {place.number} {sorted(grants)}")
        for profile in PROFILES
        for place in places(profile, operation)
        for grants in access_rule(place.rule).alternatives
        if "debit" not in grants
    ]


def with_grants(file: File, grants: frozenset[str]) -> Access:
    """What fulfils these grants, and nothing else."""
    names = {f"{file.application}/{grant[4:]}" for grant in grants if grant.startswith("key:")}
    return Access(keys=Ring(names), pin=pin() if "pin" in grants else None)


def read_there(session: CardSession, place: Place) -> bytes | None:
    if place.file.kind is FileKind.TRANSPARENT:
        return session.read_binary(place.file, 0, 8)
    return session.read_record(place.file, place.number or 1)


def write_there(session: CardSession, place: Place) -> None:
    file, number = place.file, place.number
    if file.kind is FileKind.TRANSPARENT:
        command = Command(0x00, 0xD6, 0x00, 0x00, bytes(8))
    elif file.kind is FileKind.CYCLIC:
        command = Command(0x00, 0xE2, 0x00, 0x00, file.vectors[0].hex)
    else:
        command = Command(0x00, 0xDC, number, 0x04, file.slots[number - 1].vectors[-1].hex)
    session.write(file, place.rule, command, where="test")


def whole(profile: str) -> VirtualCard:
    """A card with every file that such a card may have."""
    return blank(profile, optional=[file.address for file in load_profile(profile).files if file.optional])


@pytest.mark.parametrize(("profile", "place", "grants"), ways("read"))
def test_what_fulfils_a_rule_lets_read_and_less_does_not(profile: str, place: Place, grants: frozenset[str]) -> None:
    read_there(opened(whole(profile), with_grants(place.file, grants)), place)
    for grant in grants:
        card = whole(profile)
        before = memory_of(card)
        with pytest.raises(AccessRefused) as refused:
            read_there(opened(card, with_grants(place.file, grants - {grant})), place)
        assert (refused.value.sw, refused.value.rule) == (0x6982, place.rule)
        assert grant in refused.value.missing
        assert f"read of {place.file.address} needs" in refused.value.text.en
        assert memory_of(card) == before


@pytest.mark.parametrize(("profile", "place", "grants"), ways("write"))
def test_what_fulfils_a_rule_lets_write_and_less_does_not(profile: str, place: Place, grants: frozenset[str]) -> None:
    card = whole(profile)
    before = memory_of(card)
    write_there(opened(card, with_grants(place.file, grants)), place)
    assert memory_of(card) != before
    for grant in grants:
        card = whole(profile)
        asked = Asked(card)
        with pytest.raises(AccessRefused) as refused:
            write_there(opened(asked, with_grants(place.file, grants - {grant})), place)
        assert (refused.value.rule, refused.value.missing) == (place.rule, (grant,))
        assert f"write of {place.file.address} needs" in refused.value.text.en
        assert memory_of(card) == before
        assert not asked.count(0xDC) + asked.count(0xD6) + asked.count(0xE2), "the card was not even asked"


@pytest.mark.parametrize(("profile", "place", "grants"), ways("write"))
def test_a_wrong_key_changes_nothing_but_its_counter(profile: str, place: Place, grants: frozenset[str]) -> None:
    for grant in grants:
        card, name = whole(profile), f"{place.file.application}/{grant[4:]}"
        before, tries = memory_of(card), card.memory.keys[name].tries
        session = opened(card, Access(keys=Ring(wrong={name})))
        for _ in range(3):
            with pytest.raises(AccessRefused, match=f"does not accept the one in the key store, {tries - 1} tries"):
                write_there(session, place)
        assert card.memory.keys[name].tries == tries - 1, "tried once"
        assert memory_of(card) == before


@pytest.mark.parametrize("rule", ["debit", "never"])
def test_what_no_key_allows_is_not_tried(rule: str) -> None:
    card = Asked(blank("ssc-v3"))
    session = opened(card, EVERYTHING)
    file = session.profile.file("DF04/EF08")
    with pytest.raises(AccessRefused) as refused:
        session.write(file, rule, Command(0x00, 0xE2, 0x00, 0x00, bytes(28)), where="test")
    assert not card.count(0xE2)
    assert ("purse" if rule == "debit" else "not allow") in refused.value.text.en


# How often


def test_a_card_is_read_with_each_read_key_once() -> None:
    card = Asked(written())
    session = opened(card)
    card.commands.clear()
    assert session.read(photo=True).problems == ()
    names = {key.id: key.name for application in session.profile.applications[:2] for key in application.keys}
    assert [names[number] for number in card.keys] == ["RKSSSE", "RKDF01"]
    assert card.count(CHALLENGE) == 2
    assert card.count(VERIFY) == 0
    assert [command[5:11] for command in card.commands if command[1:3] == b"\xa4\x04"] == [
        bytes.fromhex("D15600000500")
    ]


def test_a_card_is_written_with_each_key_once_for_each_selection_of_its_application() -> None:
    """Survey, write, and read back; the card number comes last, and so its key a second time."""
    card = Asked(blank("ssc-v3"))
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), contents(photo=PHOTO))
    profile = load_profile("ssc-v3")
    names = {key.id: key.name for application in profile.applications[:2] for key in application.keys}
    assert [names[number] for number in card.keys] == [
        "RKSSSE", "RKDF01",
        "UKSSSE", "UK5", "UK4", "UK2", "UK8", "UK7", "UKSSSE",
        "RKSSSE", "RKDF01",
    ]  # fmt: skip
    assert sum(command[1:3] == b"\xa4\x04" for command in card.commands) == 1 + 1 + 1 + 1 + 1 + 1


def test_writes_to_a_file_and_files_of_an_application_are_together() -> None:
    writes = plan(load_profile("ssc-v3"), contents(photo=PHOTO), seal=seal_of("ssc-v3")).writes
    files = [address for address, _ in itertools.groupby(write.file.address for write in writes)]
    assert len(files) == len(set(files)) + 1, "but for the card number"
    applications = [name for name, _ in itertools.groupby(write.file.application for write in writes)]
    assert applications == ["SSSE", "DF01", "SSSE"]
    slot = [write for write in writes if write.file.content == "permit-slot"]
    assert slot[-1].offset == 0
    assert slot[-1].data[:2] == b"JY", "the header is the last of its slot"


def test_where_the_city_stands_is_read_once() -> None:
    card = Asked(written())
    session = opened(card)
    for field in ("holder.phone", "holder.registered_name", "employer.name", "card.number"):
        assert session.value(field)
    assert card.commands.count(bytes.fromhex("00B2010412")) == 1


def test_another_application_and_the_same_again_ask_for_the_key_again() -> None:
    card = Asked(written())
    session = opened(card)
    for field in ("card.number", "holder.registered_name", "holder.phone", "card.number"):
        assert session.value(field)
    assert len(card.keys) == 3


def test_the_cheapest_way_is_taken() -> None:
    """A key before the PIN, which costs the holder's attention; what is held already before both."""
    card = Asked(written())
    file = load_profile("ssc-v3").file("DF01/EF06")
    assert opened(card, EVERYTHING).read_record(file, 1)
    assert (len(card.keys), card.count(VERIFY)) == (1, 0)
    card.commands.clear()
    session = opened(card, Access(keys=Ring(set()), pin=pin()))
    assert session.read_record(file, 1)
    assert session.read_record(session.profile.file("DF01/EF09"), 1)
    assert (len(card.keys), card.count(VERIFY)) == (0, 1)
    card.commands.clear()
    session = opened(card, EVERYTHING)
    session.select(file)
    session.verify_pin()
    assert session.read_record(file, 1)
    assert (len(card.keys), card.count(VERIFY)) == (0, 1)


def test_key_and_pin_where_both_are_asked_for() -> None:
    card = Asked(blank("ssc-v3"))
    session = opened(card, EVERYTHING)
    assert session.read_record(session.profile.file("DF04/EF06"), 1)
    assert (len(card.keys), card.count(VERIFY)) == (1, 1)
    for access, missing in ((Access(pin=None), "pin"), (Access(keys=Ring(set()), pin=pin()), "key:RK1")):
        card.commands.clear()
        with pytest.raises(AccessRefused) as refused:
            opened(card, access).read_record(session.profile.file("DF04/EF06"), 1)
        assert refused.value.missing == (missing,)
        assert (len(card.keys), card.count(VERIFY)) == (0, 0), "half of what is needed is not shown"


# When something is missing


def test_the_missing_key_is_named_before_anything_is_written(insert: Insert) -> None:
    have = {f"DF01/{name}" for name in ("RKDF01", "RKPERMIT", "UK2", "UK4", "UK5", "UK8")}
    have |= {"SSSE/RKSSSE", "SSSE/UKSSSE"}
    card = blank("ssc-v3")
    before = memory_of(card)
    with insert(card) as transport, pytest.raises(AccessRefused) as refused:
        write_card(SscCard.open(transport, access=Access(keys=Ring(have))), contents())
    assert refused.value.text == (
        "DF01/EF16 的写入需要密钥 UK7；密钥库中没有城市 331000 的这个密钥；未作任何改动",
        "write of DF01/EF16 needs UK7; the key store has none for city 331000; nothing was changed",
    )
    assert (refused.value.sw, refused.value.rule, refused.value.missing) == (0x6982, "key:UK7", ("key:UK7",))
    assert memory_of(card) == before


@pytest.mark.parametrize("profile", PROFILES)
def test_a_real_card_without_keys_shows_what_is_free_and_says_once_what_is_missing(
    profile: str, insert: Insert
) -> None:
    card = as_real(written(profile))
    with insert(card) as transport:
        data = SscCard.open(transport).read(photo=True, everything=True)
    free = {
        record.field
        for file in card.profile.files
        for record in file.records
        if record.read == "free" and record.field in contents().values
    }
    assert free - {"holder.registered_name"} <= data.values.keys()
    assert data.values["holder.birth_date"]
    assert "holder.address" not in data.values
    places = [problem.where for problem in data.problems]
    assert len(places) == len(set(places)) == len({place.partition(" ")[0] for place in places})
    assert all(
        "no key store was given" in problem.text.en for problem in data.problems if "DF04/EF08" not in problem.where
    )


def test_what_the_card_refused_once_is_not_asked_for_again() -> None:
    """One question for each rule in each application, however many records and files have it."""
    card = Asked(written())
    opened(card, Access(keys=Ring(set()))).read()
    assert card.answers.count(b"\x69\x82") == 2


def test_a_wrong_key_is_tried_once_and_the_pin_stands_in(insert: Insert) -> None:
    card = written()
    tries = card.memory.keys["DF01/RKDF01"].tries
    with insert(card) as transport:
        data = SscCard.open(transport, access=Access(keys=Ring(wrong={"DF01/RKDF01"}), pin=pin())).read()
    assert data.problems == ()
    assert card.memory.keys["DF01/RKDF01"].tries == tries - 1


def test_a_wrong_key_is_one_problem_a_file_and_says_how_many_tries_are_left() -> None:
    card = written()
    data = opened(card, Access(keys=Ring(wrong={"DF01/RKDF01", "SSSE/RKSSSE"}))).read()
    assert {problem.where.partition(" ")[0] for problem in data.problems} == {
        "SSSE/EF05", "SSSE/EF06", "DF01/EF06", "DF01/EF09", "DF01/EF0A",
    }  # fmt: skip
    assert len(data.problems) == 5
    assert all("14 tries left, and it was not tried again" in problem.text.en for problem in data.problems)
    assert {name: secret.tries for name, secret in card.memory.keys.items() if secret.tries != 15} == {
        "DF01/RKDF01": 14, "SSSE/RKSSSE": 14,
    }  # fmt: skip


def test_a_key_and_a_pin_that_are_locked_are_told() -> None:
    card = written()
    card.memory.keys["DF01/RKDF01"].tries = card.memory.pin.tries = 0
    [*_, problem] = opened(card, EVERYTHING).read().problems
    assert "the card has locked this key" in problem.text.en
    assert "the PIN is locked; have it unblocked by the issuer" in problem.text.en
    assert "个人密码已锁定" in problem.text.zh


def test_a_wrong_pin_is_tried_once() -> None:
    card = written()
    data = opened(card, Access(keys=Ring({"SSSE/RKSSSE"}), pin=pin("654321"))).read()
    assert card.memory.pin.tries == 5
    assert len(data.problems) == 3
    assert all("the PIN was wrong, 5 tries left" in problem.text.en for problem in data.problems)
    assert "654321" not in repr(data.problems)


def test_the_last_try_is_told_in_the_singular_and_then_the_lock() -> None:
    for before, said in ((2, "1 try left"), (1, "the PIN is locked")):
        card = written()
        card.memory.pin.tries = before
        with pytest.raises(AccessRefused, match=said):
            opened(card, Access(pin=pin("654321"))).verify_pin()


def test_a_card_whose_identifier_names_no_city_gets_no_key() -> None:
    card = Asked(written())
    for identifier in (b"\xff" * 18, b"\x01\x10" + b"\xab" * 16, b"\x02" + bytes(17)):
        card.card.memory.files["SSSE/EF05"][0][:] = identifier
        with pytest.raises(AccessRefused, match="names no city"):
            write_card(opened(card), contents())
    assert card.keys == []


def test_a_token_that_is_pulled_out_is_a_reason_not_a_crash() -> None:
    card = written()
    data = opened(card, Access(keys=Unplugged())).read()
    assert data.values["holder.birth_date"]
    assert all("the token was pulled out" in problem.text.en for problem in data.problems)
    assert opened(card, Access(keys=Unplugged())).authenticate() is None
    assert all(secret.tries == 15 for secret in card.memory.keys.values())


def test_an_atr_that_gives_no_factor_is_a_reason_not_a_crash() -> None:
    card = written()
    card.memory.historical = b"\x00\x81"
    short = VirtualCard(card.profile, card.memory)
    data = opened(short, EVERYTHING).read()
    assert data.values["holder.birth_date"]
    assert "13" in data.problems[0].text.en


def test_a_key_that_the_profile_does_not_declare_is_a_reason() -> None:
    session = opened(blank("ssc-v3"))
    file = session.profile.file("DF01/EF16")
    with pytest.raises(AccessRefused, match="no key UK99 in DF01"):
        session.write(file, "key:UK99", Command(0x00, 0xD6, 0, 0, b"x"), where="test")


@pytest.mark.parametrize("number", [5, 6])
@pytest.mark.parametrize("sw", [0x6D00, 0x6985, 0x6A88])
def test_an_authentication_that_the_card_does_not_know_is_not_repeated(number: int, sw: int) -> None:
    """Number 5 is GET CHALLENGE, number 6 EXTERNAL AUTHENTICATE."""
    card = written()
    asked = Asked(WrongStatus(card, number, sw))
    session = opened(asked, Access(keys=Ring()))
    with pytest.raises(AccessRefused) as refused:
        session.read_record(session.profile.file("SSSE/EF05"), 7)
    assert asked.count(CHALLENGE) == 1
    assert asked.count(AUTHENTICATE) == number - 5
    assert f"{sw:04X}" in refused.value.text.en or "no such key" in refused.value.text.en


def test_a_virtual_card_with_keys_of_its_own_is_not_locked_by_those_who_name_none() -> None:
    """The demonstration keys that nobody asked for are not tried on it, however often it is read."""
    card = written()
    for secret in card.memory.keys.values():
        secret.value[0] ^= 0x5A
    for _ in range(20):
        problems = opened(Asked(card)).read().problems
    assert all("this virtual card has keys of its own; no key store was given" in one.text.en for one in problems)
    assert {secret.tries for secret in card.memory.keys.values()} == {15}
    asked = Asked(card)
    with pytest.raises(AccessRefused, match="keys of its own"):
        write_card(opened(asked), contents())
    assert asked.count(INTERNAL) == 1
    assert asked.count(AUTHENTICATE) == 0


@pytest.mark.parametrize("sw", [0x6D00, 0x6A88])
def test_a_card_that_cannot_prove_its_keys_gets_the_demonstration_keys_as_before(sw: int) -> None:
    card = Asked(WrongStatus(written(), 5, sw))
    assert opened(card).value("card.number") == "JYX000010"
    assert (card.commands[4][1], card.answers[4]) == (INTERNAL, sw.to_bytes(2))


def test_a_profile_without_an_internal_key_leaves_nothing_to_ask() -> None:
    whole = pristine()
    applications = tuple(
        entry.model_copy(update={"keys": tuple(key for key in entry.keys if key.name != "IRK")})
        for entry in whole.applications
    )
    card = Asked(written())
    assert opened(card, profile=whole.model_copy(update={"applications": applications})).value("card.number")
    assert card.count(INTERNAL) == 0


def test_a_card_that_is_pulled_out_meanwhile_is_gone_and_not_refused() -> None:
    class Pulled(Fault):
        def answer(self, number: int, command: bytes) -> bytes:
            if command[1] == AUTHENTICATE:
                raise CardRemoved("无卡", "gone")
            return self.card.transmit(command)

    with pytest.raises(CardRemoved):
        opened(Pulled(written())).read()


# Cards that differ from their profile


def test_a_card_that_is_less_strict_than_its_profile_is_read() -> None:
    file = pristine().file("DF01/EF06")
    free = file.model_copy(
        update={"read": "free", "records": tuple(r.model_copy(update={"read": "free"}) for r in file.records)}
    )
    card = blank(with_file(free))
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), contents())
    data = opened(card, Access(keys=Ring(set()))).read()
    assert data.values["holder.address"]


def test_a_card_that_is_stricter_gets_shown_what_the_rest_of_the_file_asks_for() -> None:
    """Its records come in another order than the profile has them: where a free one is expected, the name stands."""
    file = pristine().file("SSSE/EF06")
    numbers = range(1, len(file.records) + 1)
    turned = [record.model_copy(update={"number": n}) for n, record in zip(numbers, file.records[::-1], strict=True)]
    card = blank(with_file(file.model_copy(update={"records": tuple(turned)})))
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), contents())
    asked = Asked(card)
    assert opened(asked).value("holder.birth_date")
    assert len(asked.keys) == 1


def test_a_card_that_wants_more_than_its_profile_says_so() -> None:
    class Strict(Fault):
        def answer(self, number: int, command: bytes) -> bytes:
            return b"\x69\x82" if command[:4].hex() == "00b20604" else self.card.transmit(command)

    session = opened(Strict(written()))
    with pytest.raises(AccessRefused) as refused:
        session.read_record(session.profile.file("SSSE/EF05"), 6)
    assert "needs neither key nor PIN" in refused.value.text.en
    assert "this card may ask for more" in refused.value.text.en
    assert refused.value.missing == ()


# Secure messaging


def maintained(encipher: bool) -> VirtualCard:
    """A blank card whose contact file is written under secure messaging."""
    file = pristine().file("DF01/EF06")
    records = tuple(record.model_copy(update={"write": "mac:STK", "personal": encipher}) for record in file.records)
    return blank(with_file(file.model_copy(update={"write": "mac:STK", "records": records, "personal": encipher})))


@pytest.mark.parametrize("encipher", [True, False])
def test_files_that_want_a_mac_are_written_under_secure_messaging(encipher: bool, insert: Insert) -> None:
    """Enciphered where the profile calls the data personal."""
    card = maintained(encipher)
    asked = Asked(card)
    with insert(asked) as transport:
        session = SscCard.open(transport, card.profile)
        done = write_card(session, contents())
        assert SscCard.open(transport, card.profile).value("holder.phone") == "10000000001"
    protected = [command for command in asked.commands if command[0] in (0x04, 0x84)]
    assert len(protected) == sum(write.rule == "mac:STK" for write in done.writes) == 3
    assert {command[:2].hex() for command in protected} == {"84dc" if encipher else "04dc"}
    assert any(b"10000000001" in command for command in protected) is not encipher


def test_a_wrong_maintenance_key_is_told_and_changes_nothing() -> None:
    card = maintained(True)
    before = memory_of(card)["DF01/EF06"]
    with pytest.raises(AccessRefused) as refused:
        write_card(opened(card, Access(keys=Ring(wrong={"DF01/STK"})), card.profile), contents())
    assert refused.value.sw == 0x6988
    assert "needs a MAC made with STK" in refused.value.text.en
    assert memory_of(card)["DF01/EF06"] == before
    assert card.memory.keys["DF01/STK"].tries == 14


def test_without_the_maintenance_key_nothing_is_written() -> None:
    card = maintained(True)
    before = memory_of(card)
    have = {f"{a.name}/{key.name}" for a in card.profile.applications for key in a.keys} - {"DF01/STK"}
    with pytest.raises(AccessRefused, match="needs a MAC made with STK; the key store has none for city 331000"):
        write_card(opened(card, Access(keys=Ring(have)), card.profile), contents())
    assert memory_of(card) == before


# Is the chip genuine?


@pytest.mark.parametrize("profile", PROFILES)
def test_a_chip_that_knows_its_key_is_genuine(profile: str, insert: Insert) -> None:
    card = written(profile)
    with insert(card) as transport:
        assert SscCard.open(transport, access=EVERYTHING).authenticate() is True
        assert SscCard.open(transport, load_profile(profile), EVERYTHING).authenticate() is True
        assert SscCard.open(transport, access=Access(keys=Ring(wrong={"SSSE/IRK"}))).authenticate() is False
        assert SscCard.open(transport, access=Access(keys=Ring(set()))).authenticate() is None
        assert SscCard.open(transport).authenticate() is None, "anybody has the demonstration keys"
        assert SscCard.open(transport, access=Access(pin=pin())).authenticate() is None


@pytest.mark.parametrize("answer", ["6D00", "6A88", "9000", "00" * 16 + "9000"])
def test_a_chip_that_cannot_answer_is_not(answer: str) -> None:
    class Copy(Fault):
        def answer(self, number: int, command: bytes) -> bytes:
            return bytes.fromhex(answer) if command[1] == 0x88 else self.card.transmit(command)

    assert opened(Copy(written()), EVERYTHING).authenticate() is False


def test_it_may_be_asked_at_any_time() -> None:
    session = opened(written(), EVERYTHING)
    assert session.value("holder.phone")
    assert session.authenticate() is True
    assert session.value("holder.phone")
    without = pristine()
    first = without.applications[0]
    keys = tuple(key for key in first.keys if key.name != "IRK")
    bare = without.model_copy(
        update={"applications": (first.model_copy(update={"keys": keys}), *without.applications[1:])}
    )
    assert opened(written(), EVERYTHING, bare).authenticate() is None, "a card without such a key"


# The PIN


def test_a_pin_is_verified_in_the_selected_application(insert: Insert) -> None:
    card = written()
    with insert(card) as transport:
        session = SscCard.open(transport, load_profile("ssc-v3"), Access(keys=Ring(set()), pin=pin()))
        session.verify_pin()
        assert session.read_record(session.profile.file("DF01/EF06"), 1)


def test_without_a_source_there_is_no_pin() -> None:
    with pytest.raises(AccessRefused, match="no PIN was given"):
        opened(written()).verify_pin()
    with pytest.raises(AccessRefused, match="no PIN was given"):
        opened(written()).change_pin(lambda: "135790")


def test_a_pin_is_changed(insert: Insert) -> None:
    card = written()
    with insert(card) as transport:
        SscCard.open(transport, load_profile("ssc-v3"), Access(pin=pin())).change_pin(lambda: "135790")
        SscCard.open(transport, access=Access(pin=pin("135790"))).verify_pin()
    assert bytes(card.memory.pin.value).hex() == "135790"


@pytest.mark.parametrize(
    ("old", "new", "sw", "said"),
    [
        ("654321", "135790", 0x63C5, "the PIN was wrong, 5 tries left"),
        ("123456", "888888", 0x6985, "conditions of use not satisfied"),
    ],
)
def test_a_pin_that_is_not_changed(old: str, new: str, sw: int, said: str) -> None:
    card = written()
    with pytest.raises(AccessRefused, match=said) as refused:
        opened(card, Access(pin=pin(old))).change_pin(lambda: new)
    assert (refused.value.sw, refused.value.where) == (sw, "CHANGE PIN")
    assert bytes(card.memory.pin.value).hex() == "123456"


# After a refusal the card is as it was


def test_refusals_of_other_kinds_stay_what_they_are() -> None:
    session = opened(WrongStatus(written(), 4, 0x6F00))
    with pytest.raises(StatusError) as error:
        session.read_record(session.profile.file("SSSE/EF05"), 1)
    assert not isinstance(error.value, AccessRefused)


def test_a_blocked_application_is_told_and_the_others_are_read() -> None:
    card = written()
    card.memory.locks["DF01"] = Lock.BLOCKED
    data = opened(card).read()
    assert data.values["card.number"]
    assert "holder.address" not in data.values
    assert {problem.where.partition("/")[0] for problem in data.problems} == {"DF01", "permit"}
    assert "blocked" in data.problems[0].text.en


def test_what_was_shown_is_in_the_repr_and_the_pin_is_not() -> None:
    session = opened(blank("ssc-v3"), EVERYTHING)
    assert session.read_record(session.profile.file("DF04/EF06"), 1)
    assert repr(session._grants) == "Grants(key:RK1, pin)"
