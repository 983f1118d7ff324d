"""Writing a card and reading it back, in process and through the real PC/SC service with the same tests."""

from datetime import date

import pytest

from juying.card.contents import CardContents
from juying.card.ssc import SscCard
from juying.card.virtual.card import Lifecycle, VirtualCard
from juying.card.virtual.faults import Fault, WrongStatus
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import plan, write_card
from juying.codec.permit_slots import slot_files
from juying.codec.profile import load_profile
from juying.codec.spec import File
from juying.errors import CardRefused, InputError, ReadBackError, StatusError
from juying.model import CardIdentity, Holder
from tests import people
from tests.path.conftest import Insert
from tests.path.samples import (
    FORMS,
    PHOTO,
    PROFILES,
    RECORD,
    RENEWED,
    blank,
    contents,
    layout,
    memory_of,
    permit_on,
    pristine,
    seal_of,
    with_file,
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_written_is_read(profile: str, form: str, insert: Insert) -> None:
    card, wanted = blank(profile), contents(photo=PHOTO)
    with insert(card) as transport:
        done = write_card(SscCard.open(transport, layout(profile, form)), wanted)
        session = SscCard.open(transport)
        data = session.read(photo=True)
        record = session.open_permit(data.permit) if data.permit is not None else None
    assert done.writes
    assert data.profile == profile
    assert not data.problems
    stored = {name: value for name, value in wanted.values.items() if load_profile(profile).by_field(name)}
    assert {name: data.values[name] for name in stored} == stored
    if slot_files(load_profile(profile)):
        assert data.permit is not None
        assert data.permit.form.name == form.upper()
        assert record == RECORD
        assert (data.permit.record == RECORD) is (form == "open")
        assert data.values["holder.photo"] == PHOTO
    assert card.state is Lifecycle.PERSONALISED


@pytest.mark.parametrize("profile", PROFILES)
def test_writing_twice_writes_nothing_the_second_time(profile: str, insert: Insert) -> None:
    card, wanted = blank(profile), contents(photo=PHOTO)
    with insert(card) as transport:
        write_card(SscCard.open(transport), wanted)
        before = memory_of(card)
        again = write_card(SscCard.open(transport), wanted)
    assert again.writes == ()
    assert again.equal > 10
    assert memory_of(card) == before


def test_only_what_differs_is_written(insert: Insert) -> None:
    card = blank("ssc-v3")
    with insert(card) as transport:
        write_card(SscCard.open(transport), contents())
        changed = write_card(SscCard.open(transport), contents(phone="10000000099"))
    assert [write.title.en for write in changed.writes] == ["telephone"]


@pytest.mark.parametrize(
    ("change", "file"),
    [({"document_number": "X000FAKE1"}, "SSSE/EF06"), ({"number": "JYX00002"[:8] + "9"}, "SSSE/EF05")],
)
def test_a_card_of_somebody_else_is_refused_and_not_touched(change: dict[str, str], file: str, insert: Insert) -> None:
    card = blank("ssc-v3")
    with insert(card) as transport:
        write_card(SscCard.open(transport), contents())
        before = memory_of(card)
        number = change.get("number", "JYX000010")
        other = {name: value for name, value in change.items() if name != "number"}
        wanted = contents(**other)
        wanted = CardContents({**wanted.values, "card.number": number}, None, RECORD)
        with pytest.raises(CardRefused) as refused:
            write_card(SscCard.open(transport), wanted)
    assert refused.value.where == file
    assert memory_of(card) == before


@pytest.mark.parametrize("form", FORMS)
def test_a_renewal_goes_to_the_other_slot_and_leaves_the_first(form: str, insert: Insert) -> None:
    card, profile = blank("ssc-v3"), layout("ssc-v3", form)
    with insert(card) as transport:
        session = SscCard.open(transport, profile)
        write_card(session, contents())
        write_card(session, contents(RENEWED))
        records = [session.open_permit(slot) for slot in session.read_slots() if slot is not None]
        live = session.read().permit
        write_card(session, contents())
        third = session.read().permit
        last = permit_on(session)
    assert records == [RECORD, RENEWED]
    assert live is not None
    assert (live.index, live.sequence) == (1, 2)
    assert third is not None
    assert (third.index, third.sequence, last) == (0, 3, RECORD)


def test_a_name_too_long_for_its_record_goes_on_in_the_extension(insert: Insert) -> None:
    name = "VON BEISPIELHAUSEN-MUSTERSTEIN 𠮷"
    card = blank("ssc-v3")
    with insert(card) as transport:
        done = write_card(SscCard.open(transport), contents(card_name=name))
        data = SscCard.open(transport).read()
    assert data.values["holder.registered_name"] == name
    assert done.notes == ()


def test_a_name_too_long_for_both_is_cut_and_the_clerk_is_told(insert: Insert) -> None:
    card = blank("ssc-v2")
    with insert(card) as transport:
        done = write_card(SscCard.open(transport), contents(name=people.LONG_NAME))
        data = SscCard.open(transport).read()
    kept = data.values["holder.registered_name"]
    assert isinstance(kept, str)
    assert people.LONG_NAME.startswith(kept)
    assert 48 <= len(kept) <= 50
    assert any("beginning only" in note.en for note in done.notes)


def test_a_shorter_name_clears_the_extension(insert: Insert) -> None:
    card = blank("ssc-v3")
    with insert(card) as transport:
        write_card(SscCard.open(transport), contents(card_name="VON BEISPIELHAUSEN-MUSTERSTEIN MAX"))
        write_card(SscCard.open(transport), contents(card_name="MUSTER MAX"))
        assert SscCard.open(transport).read().values["holder.registered_name"] == "MUSTER MAX"


def test_a_number_too_long_for_its_place_is_left_out_not_cut() -> None:
    done = plan(load_profile("ssc-v3"), contents(None, phone="+86 10 0000 0000 0000"))
    assert "telephone" not in [write.title.en for write in done.writes]
    assert any("left out" in note.en for note in done.notes)


def test_a_generation_without_room_for_the_permit_says_so() -> None:
    done = plan(load_profile("ssc-v1"), contents())
    assert any("no place for the work permit" in note.en for note in done.notes)
    assert all(not write.file.content for write in done.writes)


def test_records_are_found_by_tag_where_a_card_numbers_them_otherwise(insert: Insert) -> None:
    file = pristine().file("SSSE/EF06")
    numbers = range(1, len(file.records) + 1)
    turned = [record.model_copy(update={"number": n}) for n, record in zip(numbers, file.records[::-1], strict=True)]
    card = blank(with_file(file.model_copy(update={"records": tuple(turned)})))
    with insert(card) as transport:
        write_card(SscCard.open(transport), contents())
        data = SscCard.open(transport).read()
    assert data.values["holder.sex"] == "2"
    assert [entry[0] for entry in card.memory.files["SSSE/EF06"]] == [0x0D, 0x0C, 0x0B, 0x0A, 0x4E, 0x09, 0x08]


def test_a_record_with_an_unknown_tag_survives_and_is_shown(insert: Insert) -> None:
    file = pristine().file("DF01/EF06")
    unknown = bytes.fromhex("E503414243")
    local = file.records[-1].model_copy(update={"number": 6, "tag": 0xE5, "length": 3, "field": ""})
    card = blank(with_file(file.model_copy(update={"records": (*file.records, local)})))
    card.memory.files["DF01/EF06"][-1][:] = unknown
    with insert(card) as transport:
        write_card(SscCard.open(transport), contents())
        data = SscCard.open(transport).read()
    assert bytes(card.memory.files["DF01/EF06"][-1]) == unknown
    assert [item.raw for item in data.items["DF01/EF06"] if item.record is None] == [unknown]


def test_the_holders_number_comes_first_and_the_card_number_last() -> None:
    writes = plan(load_profile("ssc-v3"), contents(photo=PHOTO), seal=seal_of("ssc-v3")).writes
    assert writes[0].title.en == "social security number"
    assert writes[-1].title.en == "card number"


@pytest.mark.usefixtures("same_nonce")
@pytest.mark.parametrize("form", FORMS)
def test_the_plan_of_a_blank_card_is_a_pure_function(form: str) -> None:
    """With the same seal; a real one is different every time."""
    wanted, seal = contents(photo=PHOTO), seal_of("ssc-v2")
    first, second = (plan(layout("ssc-v2", form), wanted, seal=seal) for _ in range(2))
    assert [write.command.encode() for write in first.writes] == [write.command.encode() for write in second.writes]


class _Forgets(Fault):
    """A card that confirms writes to records and does not do them."""

    def answer(self, number: int, command: bytes) -> bytes:
        return b"\x90\x00" if command[1] == 0xDC else self.card.transmit(command)


def test_a_card_that_forgets_is_found_out_by_reading_back() -> None:
    with LocalTransport(_Forgets(blank("ssc-v3"))) as transport, pytest.raises(ReadBackError) as error:
        write_card(SscCard.open(transport), contents())
    assert error.value.where == "SSSE/EF06 #1"


def test_a_refused_write_names_the_step_and_no_personal_data() -> None:
    numbers = range(20, 80)
    messages = []
    for number in numbers:
        with LocalTransport(WrongStatus(blank("ssc-v3"), number, 0x6982)) as transport:
            try:
                write_card(SscCard.open(transport), contents())
            except StatusError as error:
                messages.append(str(error))
    assert any("UPDATE SSSE/EF06 #2 姓名" in message for message in messages)
    assert not any("ERIKSSON" in message or "L898902C3" in message for message in messages)


def test_a_value_that_cannot_be_stored_is_an_input_error_before_anything_is_written() -> None:
    card = blank("ssc-v3")
    before = memory_of(card)
    wanted = contents()
    wanted = CardContents({**wanted.values, "holder.address_region": "not digits"}, None, RECORD)
    with LocalTransport(card) as transport, pytest.raises(InputError):
        write_card(SscCard.open(transport), wanted)
    assert memory_of(card) == before


def test_progress_counts_every_write() -> None:
    calls: list[tuple[int, int]] = []
    with LocalTransport(blank("ssc-v3")) as transport:
        done = write_card(SscCard.open(transport), contents(), progress=lambda *call: calls.append(call))
    assert calls == [(number, len(done.writes)) for number in range(1, len(done.writes) + 1)]


def test_contents_leave_out_what_the_holder_has_not() -> None:
    bare = Holder(
        name="MUSTER MAX",
        nationality="DEU",
        birth_date=people.holder().birth_date,
        sex=people.holder().sex,
        document_number="C01X00T47",
    )
    identity = CardIdentity(number="JYX000010", issued_on=date(2026, 12, 1), expires_on=date(2036, 12, 1))
    wanted = CardContents.of(bare, people.permit(), identity)
    assert "holder.phone" not in wanted.values
    assert "card.institution" not in wanted.values
    assert wanted.values["holder.social_security_number"] == "DEU000000C01X00T47"


def test_a_card_without_a_record_gets_the_rest_and_the_clerk_is_told(insert: Insert) -> None:
    file = pristine().file("DF01/EF06")
    fewer = blank(with_file(file.model_copy(update={"records": file.records[:2]})))
    with insert(fewer) as transport:
        done = write_card(SscCard.open(transport), contents())
        assert write_card(SscCard.open(transport), contents()).writes == ()
    assert [note.en for note in done.notes] == ["the card has no record for: telephone"]


def test_a_card_without_a_file_gets_the_rest_and_the_clerk_is_told(insert: Insert) -> None:
    card = blank("ssc-v3")
    del card.memory.files["DF01/EF09"]
    with insert(VirtualCard(card.profile, card.memory)) as transport:
        done = write_card(SscCard.open(transport), contents())
    assert {note.en for note in done.notes} == {
        "the card has no record for: employer",
        "the card has no record for: organisation code",
    }


def test_a_card_without_a_record_for_the_card_number_is_refused_untouched(insert: Insert) -> None:
    file = pristine().file("SSSE/EF05")
    renamed = file.records[-1].model_copy(update={"tag": 0xE7})
    card = blank(with_file(file.model_copy(update={"records": (*file.records[:-1], renamed)})))
    before = memory_of(card)
    with insert(card) as transport, pytest.raises(CardRefused) as refused:
        write_card(SscCard.open(transport), contents())
    assert refused.value.where == "SSSE/EF05"
    assert memory_of(card) == before


def test_text_that_stands_in_two_places_is_whole_in_both(insert: Insert) -> None:
    """A city may keep a copy of a field in a file of its own; only a continuation takes the rest of a text."""
    profile = with_file(_with_copy_of_the_name())
    name = "VON BEISPIELHAUSEN-MUSTERSTEIN MAX"
    card = blank(profile)
    with insert(card) as transport:
        done = write_card(SscCard.open(transport, profile), contents(card_name=name))
        assert write_card(SscCard.open(transport, profile), contents(card_name=name)).writes == ()
    assert card.memory.files["DF01/EF0A"][-1][2:].rstrip(b"\0").decode() == name
    assert card.memory.files["SSSE/EF06"][1][2:].rstrip(b"\0").decode() == name[:30]
    assert done.notes == ()


def _with_copy_of_the_name() -> File:
    profile = pristine()
    file, name = profile.file("DF01/EF0A"), profile.file("SSSE/EF06").record(0x09)
    assert name is not None
    copy = name.model_copy(
        update={"tag": 0xE6, "number": len(file.records) + 1, "length": 40, "read": file.read, "write": file.write}
    )
    return file.model_copy(update={"records": (*file.records, copy)})


@pytest.mark.parametrize("name", ["holder.social_security_number", "card.number"])
def test_a_number_by_which_a_card_is_recognised_is_neither_cut_nor_left_out(name: str, insert: Insert) -> None:
    card = blank("ssc-v3")
    wanted = contents()
    wanted = CardContents({**wanted.values, name: "X" * 19})
    with insert(card) as transport, pytest.raises(InputError, match="longer than the field"):
        write_card(SscCard.open(transport), wanted)
    assert card.memory.changes == 0


@pytest.mark.parametrize(
    ("size", "form"), [(1, "open"), (280, "open"), (281, "open"), (576, "open"), (1, "sealed"), (399, "sealed")]
)
def test_a_permit_of_any_size_fits_up_to_both_files_of_a_slot(size: int, form: str, insert: Insert) -> None:
    """Two files of 296 bytes less a header of 16; sealed less than 400, whatever its length."""
    permit = bytes(range(256)) * 3
    with insert(blank("ssc-v3")) as transport:
        session = SscCard.open(transport, layout("ssc-v3", form))
        for sequence in (1, 2):
            write_card(session, contents(permit[sequence : size + sequence]))
            live = session.read().permit
            assert live is not None
            assert (live.sequence, session.open_permit(live)) == (sequence, permit[sequence : size + sequence])


@pytest.mark.parametrize(
    ("photo", "permit", "form", "problem"),
    [
        (bytes(5000), None, "sealed", "larger than its place"),
        (None, bytes(577), "open", "larger than its place"),
        (None, bytes(400), "sealed", "more than 399 bytes"),
    ],
)
def test_a_photo_or_permit_larger_than_its_place_is_an_input_error(
    photo: bytes | None, permit: bytes | None, form: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        plan(layout("ssc-v3", form), CardContents({}, photo, permit), seal=seal_of("ssc-v3"))


def test_contents_do_not_show_in_a_repr() -> None:
    wanted = contents(photo=PHOTO)
    profile, seal = load_profile("ssc-v3"), seal_of("ssc-v3")
    shown = repr([wanted, wanted.encode(profile), plan(profile, wanted, seal=seal), seal])
    for value in ("ERIKSSON", "L898902C3", repr(RECORD[:8])[2:-1], "JFIF", repr(PHOTO[:8])[2:-1]):
        assert value not in shown


def test_what_was_read_can_be_written_to_another_card() -> None:
    """But for the photo, which is no record and is given apart."""
    first, second = blank("ssc-v3"), blank("ssc-v3")
    with LocalTransport(first) as transport:
        write_card(SscCard.open(transport), contents(None))
        values = SscCard.open(transport).read(photo=True).values
    with LocalTransport(second) as transport:
        write_card(SscCard.open(transport), CardContents({**values, "holder.photo": PHOTO}))
    assert memory_of(second) == memory_of(first)
