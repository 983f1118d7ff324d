"""Finding out what card it is and reading it; with ``insert`` in process and through the real PC/SC service."""

import itertools
from collections.abc import Callable
from datetime import date

import pytest

from juying.card.pcsc import PcscTransport
from juying.card.ssc import SSSE_AID, CardData, SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault, WrongStatus
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from juying.codec.spec import FileKind, Profile
from juying.errors import CardRefused, StatusError
from tests.card.scripted import FunctionCard, ScriptedCard
from tests.path.conftest import Insert
from tests.path.samples import EVERYTHING, PHOTO, PROFILES, blank, contents, memory_of, pristine, with_file

VERSION = 2  # index of the record in SSSE/EF05


def written(profile: str, **options: object) -> VirtualCard:
    """A card of the sample person."""
    card = blank(profile, **options)
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), contents(photo=PHOTO, email="anna@example.org"))
    return card


@pytest.mark.parametrize(("profile", "protocol"), [("ssc-v1", "T=0"), ("ssc-v2", "T=0"), ("ssc-v3", "T=1")])
def test_the_two_ways_are_what_they_say(
    profile: str, protocol: str, insert: Insert, request: pytest.FixtureRequest
) -> None:
    card = blank(profile)
    with insert(card) as transport:
        assert isinstance(transport, PcscTransport) == ("pcscd" in request.node.name)
        assert (transport.atr, transport.protocol) == (card.atr, protocol)


# What card is it?


@pytest.mark.parametrize(
    ("profile", "states", "found"),
    [
        ("ssc-v1", b"1.00", "ssc-v1"),
        ("ssc-v2", b"2.00", "ssc-v2"),
        ("ssc-v2", b"2.01", "ssc-v2"),
        ("ssc-v3", b"3.00", "ssc-v3"),
        ("ssc-v3", b"3.1 ", "ssc-v3"),
    ],
)
def test_the_profile_follows_from_the_version_on_the_card(
    profile: str, states: bytes, found: str, insert: Insert
) -> None:
    """Regions state minor versions of their own (observed)."""
    card = blank(profile)
    card.memory.files["SSSE/EF05"][VERSION][2:] = states
    with insert(card) as transport:
        assert SscCard.open(transport).profile.name == found


@pytest.mark.parametrize("states", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"9.00", b"20.0", b"\xb0\xb2.0"])
def test_a_version_that_no_profile_suits_is_refused_unless_a_profile_is_named(states: bytes, insert: Insert) -> None:
    card = blank("ssc-v3")
    card.memory.files["SSSE/EF05"][VERSION][2:] = states
    with insert(card) as transport:
        with pytest.raises(CardRefused, match="--profile") as refused:
            SscCard.open(transport)
        assert refused.value.where == "SSSE/EF05 03"
        assert SscCard.open(transport, load_profile("ssc-v3")).read().values["card.identifier"]


def test_a_version_under_another_tag_is_no_version() -> None:
    card = ScriptedCard(
        ("00a404000f" + SSSE_AID.hex() + "00", "9000"),
        ("00a4000002ef0500", "9000"),
        ("00b2030406", "0204332e30309000"),
    )
    with pytest.raises(CardRefused):
        SscCard.open(card)


@pytest.mark.parametrize("sw", ["6a82", "6d00", "6985", "6e00"])
def test_what_knows_no_social_security_environment_is_not_such_a_card(sw: str) -> None:
    card = FunctionCard(lambda _: bytes.fromhex(sw))
    with pytest.raises(CardRefused, match=f"not a social security card.*{sw.upper()}") as refused:
        SscCard.open(card)
    assert refused.value.where == "function"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_blocked_card_is_refused(profile: str, insert: Insert) -> None:
    card = written(profile)
    card.block()
    with insert(card) as transport, pytest.raises(CardRefused, match="blocked"):
        SscCard.open(transport)


# Reading


@pytest.mark.parametrize("profile", PROFILES)
def test_a_blank_card_reads_as_never_written(profile: str, insert: Insert) -> None:
    with insert(blank(profile)) as transport:
        data = SscCard.open(transport, access=EVERYTHING).read(photo=True, everything=True)
    assert data.values.keys() == {"card.identifier", "card.version"}
    assert data.permit is None
    assert data.problems == ()
    assert set(map(len, data.rows.values())) <= {0}


@pytest.mark.parametrize("profile", PROFILES)
def test_everything_is_read_on_request(profile: str, insert: Insert) -> None:
    optional = [file.address for file in load_profile(profile).files if file.optional]
    card = written(profile, optional=optional)
    rows = [file for file in card.profile.files if file.kind is FileKind.CYCLIC]
    for file in rows:
        for vector in file.vectors:
            card.memory.append(file.address, vector.hex, file.count)
    with insert(card) as transport:
        some = SscCard.open(transport).read()
        data = SscCard.open(transport, access=EVERYTHING).read(everything=True)
    assert data.problems == ()
    assert data.items.keys() == {file.address for file in card.profile.files if file.kind is FileKind.LINEAR}
    assert some.items.keys() < data.items.keys()
    assert (some.values, some.permit, some.rows) == (data.values, data.permit, {})
    for address, items in data.items.items():
        assert [item.raw for item in items] == memory_of(card)[address]
        assert all(item.record is not None for item in items)
    assert len(rows) == len(data.rows)
    for file in rows:
        newest_first = reversed(file.vectors)
        assert data.rows[file.address] == tuple(file.decode_row(vector.hex) for vector in newest_first)


@pytest.mark.parametrize("profile", ["ssc-v2", "ssc-v3"])
def test_the_photo_is_read_on_request(profile: str, insert: Insert) -> None:
    with insert(written(profile)) as transport:
        assert "holder.photo" not in SscCard.open(transport, access=EVERYTHING).read(everything=True).values
        assert SscCard.open(transport).read(photo=True).values["holder.photo"] == PHOTO


@pytest.mark.parametrize("profile", PROFILES)
def test_one_value_is_read_without_the_rest(profile: str, insert: Insert) -> None:
    with insert(written(profile)) as transport:
        card = SscCard.open(transport)
        assert card.value("holder.birth_date") == date(1974, 8, 12)
        assert card.value("holder.registered_name") == "ERIKSSON ANNA MARIA"
        assert card.value("card.number") == "JYX000010"
        assert card.value("holder.ethnicity") is None, "never written"
        assert card.value("no.such_field") is None
        assert card.value("holder.photo") is None, "no record"


def test_one_value_that_goes_on_in_another_record_is_whole(insert: Insert) -> None:
    name = "VON BEISPIELHAUSEN-MUSTERSTEIN MAX"
    card = blank("ssc-v3")
    with insert(card) as transport:
        write_card(SscCard.open(transport), contents(card_name=name))
        assert SscCard.open(transport).value("holder.registered_name") == name


def test_one_value_is_found_by_its_tag_and_missing_where_the_card_has_no_place_for_it(insert: Insert) -> None:
    """The cards number their records otherwise than the profile; the second lacks some, the third the whole file."""
    file = pristine().file("DF01/EF06")
    turned = tuple(
        entry.model_copy(update={"number": number}) for number, entry in enumerate(reversed(file.records), 1)
    )
    for records, found in ((turned, "10000000001"), (turned[:2], None)):
        card = blank(with_file(file.model_copy(update={"records": records})))
        with LocalTransport(card) as transport:
            write_card(SscCard.open(transport), contents(None))
        with insert(card) as transport:
            assert SscCard.open(transport).value("holder.phone") == found
    del card.memory.files["DF01/EF06"]
    with insert(VirtualCard(card.profile, card.memory)) as transport:
        assert SscCard.open(transport).value("holder.phone") is None


def test_a_refused_value_is_an_error() -> None:
    with LocalTransport(_Refusing(blank("ssc-v3"), 0x6982, lambda command: command[1] == 0xA4, 1)) as transport:
        card = SscCard.open(transport, load_profile("ssc-v3"))
        with pytest.raises(StatusError, match="6982") as error:
            card.value("holder.phone")
    assert error.value.where == "SELECT DF01"


def test_no_file_is_selected_twice_in_a_row() -> None:
    seen: list[bytes] = []
    card = _Listening(written("ssc-v3"), seen)
    with LocalTransport(card) as transport:
        session = SscCard.open(transport)
        del seen[:]
        session.read()
    selected = [command for command in seen if command[1] == 0xA4]
    assert all(before != after for before, after in itertools.pairwise(selected))
    assert len(selected) == 1 + 1 + 3 + 3, "DF01, the second file in SSSE, files in DF01, permit"


# A card that does not have or give everything


class _Refusing(Fault):
    """A card that answers ``sw`` to the commands of some kind, once it was ``opened`` with so many commands."""

    def __init__(self, card: VirtualCard, sw: int, which: Callable[[bytes], bool], opened: int = 3) -> None:
        super().__init__(card)
        self._sw, self._which, self._opened = sw, which, opened

    def answer(self, number: int, command: bytes) -> bytes:
        if number > self._opened and self._which(command):
            return self._sw.to_bytes(2)
        return self.card.transmit(command)


class _Listening(Fault):
    """Notes what it is asked."""

    def __init__(self, card: VirtualCard | Fault, seen: list[bytes]) -> None:
        super().__init__(card)
        self._seen = seen

    def answer(self, number: int, command: bytes) -> bytes:
        self._seen.append(command)
        return self.card.transmit(command)


def without(card: VirtualCard, application: str) -> VirtualCard:
    """The card without one of its applications."""
    kept = tuple(entry for entry in card.profile.applications if entry.name != application)
    for address in [address for address in card.memory.files if address.startswith(application)]:
        del card.memory.files[address]
    return VirtualCard(card.profile.model_copy(update={"applications": kept}), card.memory)


def fresh(profile: str) -> Profile:
    """A profile of one's own, that may be copied with changes."""
    return load_profile.__wrapped__(profile)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_missing_application_is_a_problem_for_its_files_only(profile: str, insert: Insert) -> None:
    whole = written(profile)
    card = without(VirtualCard(fresh(profile), whole.memory), "DF01")
    with insert(card) as transport:
        data = SscCard.open(transport, access=EVERYTHING).read(everything=True)
    assert data.values["holder.birth_date"] == date(1974, 8, 12)
    lost = {problem.where for problem in data.problems}
    files = {file.address for file in load_profile(profile).files if file.application == "DF01"}
    assert lost - {"permit"} == {address for address in files if address in _linear(profile)}
    assert all("6A82" in problem.text.en for problem in data.problems)


def _linear(profile: str) -> set[str]:
    return {file.address for file in load_profile(profile).files if file.kind is FileKind.LINEAR}


def test_an_application_without_a_name_is_a_problem_not_a_guess() -> None:
    """A profile may know the files of an application, but not how to select it."""
    profile = fresh("ssc-v3")
    unnamed = tuple(
        entry.model_copy(update={"aid": None, "fid": None}) if entry.name == "DF07" else entry
        for entry in profile.applications
    )
    with LocalTransport(blank("ssc-v3")) as transport:
        layout = profile.model_copy(update={"applications": unnamed})
        data = SscCard.open(transport, layout, EVERYTHING).read(everything=True)
    assert {problem.where for problem in data.problems} == {"DF07/EF05", "DF07/EF06", "DF07/EF07"}
    assert "neither AID nor FID" in data.problems[0].text.en


def test_an_optional_file_is_no_problem_when_it_is_not_there(insert: Insert) -> None:
    with insert(blank("ssc-v3")) as transport:
        data = SscCard.open(transport, access=EVERYTHING).read(everything=True)
    assert "SSSE/EF0D" not in data.items
    assert data.problems == ()


def test_a_record_that_the_card_refuses_costs_itself_only(insert: Insert) -> None:
    """Third generation: card number, social security number and name ask for a key, the rest of the files does not."""
    file = load_profile("ssc-v3").file("SSSE/EF06")
    refused = [f"00b2{record.number:02x}04" for record in file.records if record.read != "free"]
    card = _Refusing(written("ssc-v3"), 0x6982, lambda command: command[:4].hex() in refused)
    with insert(card) as transport:
        data = SscCard.open(transport).read()
    assert data.values["holder.birth_date"] == date(1974, 8, 12)
    assert "holder.social_security_number" not in data.values
    assert {(problem.where, problem.text.en[:24]) for problem in data.problems if "SSSE/EF06" in problem.where} == {
        ("SSSE/EF06 #1", "the card answered 6982: ")
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_whatever_command_is_refused_the_rest_is_read(profile: str) -> None:
    """One refusal costs one record, one file or the files of one application, and is told."""
    card = written(profile)
    whole = read_in_process(card)
    for number in itertools.count(4):
        sent: list[bytes] = []
        data = read_in_process(_Listening(WrongStatus(card, number, 0x6982), sent))
        if len(sent) < number:
            break
        less = {at for at, items in whole.items.items() if len(items) != len(data.items.get(at, ()))}
        if data == whole:  # it was the question whether there is one more record, or the PIN stood in for a key
            assert sent[number - 1][:2].hex().upper() in ("00B2", "0084", "0082")
            continue
        assert any("6982" in problem.text.en for problem in data.problems)
        told = {problem.where.partition(" ")[0] for problem in data.problems}
        assert less <= told
        assert len(told) <= 8
    assert number > 60


def read_in_process(card: VirtualCard | Fault) -> CardData:
    with LocalTransport(card) as transport:
        return SscCard.open(transport, access=EVERYTHING).read(photo=True, everything=True)


def test_nothing_personal_shows_in_the_repr_of_what_was_read() -> None:
    data = read_in_process(written("ssc-v3"))
    shown = repr(data) + repr(data.items["SSSE/EF06"])
    for value in ("ERIKSSON", "L898902C3", "1974", "10000000001", "example.org"):
        assert value not in shown
