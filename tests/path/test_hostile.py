"""Cards that hold nonsense, break the rules, or are reset behind our back."""

import zlib
from collections.abc import Callable, Iterator

import pytest
from smartcard import scard

from juying.card.channel import Channel
from juying.card.pcsc import PcscTransport
from juying.card.session import CHUNK, MAX_RECORDS
from juying.card.ssc import CardData, SscCard
from juying.card.transport import CardProtocol
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import VirtualReader
from juying.card.writer import write_card
from juying.codec.permit_slots import Form, encode_slot
from juying.codec.profile import load_profile
from juying.codec.spec import FileKind
from juying.errors import CardRefused, DecodeError, ProtocolError, StatusError, TransportError
from tests.card.scripted import FunctionCard
from tests.harness import PrivatePcscd, Slot
from tests.path.conftest import Insert
from tests.path.samples import EVERYTHING, PHOTO, PROFILES, RECORD, blank, contents, layout

SLOT_B = "DF01/EF18"
SIZE = load_profile("ssc-v3").file("SSSE/EF08").size


def written(profile: str = "ssc-v3") -> VirtualCard:
    card = blank(profile)
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), contents(photo=PHOTO))
    return card


def with_open_permit() -> VirtualCard:
    """A written card whose profile leaves the permit open."""
    card = blank("ssc-v3")
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport, layout("ssc-v3", "open")), contents(photo=PHOTO))
    return card


def spoiled(field: str, value: str, profile: str = "ssc-v3") -> tuple[VirtualCard, str, int]:
    """A good card but for one record, which holds ``value`` behind its tag; with file and index of the record."""
    card = written(profile)
    file, record = load_profile(profile).by_field(field)[0]
    assert record is not None
    index = file.slots.index(record)
    card.memory.files[file.address][index][:] = bytes([record.tag or 0]) + bytes.fromhex(value)
    return card, file.address, index


def read(card: VirtualCard, insert: Insert) -> CardData:
    with insert(card) as transport:
        return SscCard.open(transport, access=EVERYTHING).read(photo=True, everything=True)


# Nonsense in the memory of an honest card


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("holder.birth_date", "0419740832", id="no such day"),
        pytest.param("holder.birth_date", "04ABCDEFAB", id="no digits"),
        pytest.param("holder.birth_date", "041974FFFF", id="torn while it was written"),
        pytest.param("holder.sex", "01FE", id="no text"),
        pytest.param("holder.sex", "0107", id="control character"),
        pytest.param("holder.sex", "00", id="too short"),
        pytest.param("holder.sex", "023131", id="too long"),
        pytest.param("holder.sex", "FF31", id="length beyond the end"),
        pytest.param("holder.sex", "0131323334", id="length before the end"),
        pytest.param("holder.sex", "", id="no length"),
    ],
)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_record_that_makes_no_sense_is_a_problem_and_the_rest_is_read(
    profile: str, field: str, value: str, insert: Insert
) -> None:
    card, address, index = spoiled(field, value, profile)
    with insert(card) as transport:
        data = SscCard.open(transport, access=EVERYTHING).read(photo=True, everything=True)
        assert SscCard.open(transport).value(field) is None
    assert field not in data.values
    assert [problem.where.partition(" ")[0] for problem in data.problems] == [address]
    assert data.values["card.number"] == "JYX000010"
    assert data.items[address][index].raw[1:].hex().upper() == value, "what stands there is not lost"


@pytest.mark.parametrize("raw", ["", "00", "00030A0132", "FF", "E7" * 100])
def test_a_record_of_no_known_tag_is_kept_and_nothing_is_made_of_it(raw: str, insert: Insert) -> None:
    card, address, index = spoiled("holder.sex", "0132")
    card.memory.files[address][index][:] = bytes.fromhex(raw)
    data = read(card, insert)
    assert "holder.sex" not in data.values
    item = data.items[address][index]
    assert (item.raw, item.record, item.content) == (bytes.fromhex(raw), None, None)
    assert data.problems == ()


def test_a_row_that_makes_no_sense_is_a_problem_and_the_other_rows_are_read(insert: Insert) -> None:
    card = written()
    file = next(file for file in card.profile.files if file.kind is FileKind.CYCLIC)
    good = file.vectors[0].hex
    for row in (good, good[:7] + b"\x19\x74\x08\x32" + good[11:], good):
        card.memory.append(file.address, row, file.count)
    data = read(card, insert)
    assert data.rows[file.address] == (file.decode_row(good),) * 2
    [problem] = data.problems
    assert problem.where.startswith(f"{file.address} ")


@pytest.mark.parametrize(
    ("prefix", "problem"),
    [
        ("0000", False),
        ("FFFF", False),
        ("FFFE", True),
        ("8000", True),
        (f"{SIZE - 1:04X}", True),
        (f"{SIZE:04X}", True),
    ],
)
def test_the_length_in_the_photo_file_is_not_believed(prefix: str, problem: bool, insert: Insert) -> None:
    """Two bytes less than the file has at most; 0000 and FFFF mean that there is none."""
    card = written()
    card.memory.files["SSSE/EF08"][0][:2] = bytes.fromhex(prefix)
    data = read(card, insert)
    assert "holder.photo" not in data.values
    assert [entry.where for entry in data.problems] == ["SSSE/EF08"] * problem


@pytest.mark.parametrize(
    "slot",
    [
        pytest.param(b"JY\x01\x00" + bytes(12), id="no checksum"),
        pytest.param(b"JY\x01\x00\x00\x00\x00\x09\xff\xff" + bytes(100), id="longer than the slot"),
        pytest.param(encode_slot(RECORD, 9)[:-1] + b"\x00", id="one byte changed"),
        pytest.param(encode_slot(RECORD, 9)[:100] + b"\xff" * 160, id="torn"),
        pytest.param(b"\xff" * 16, id="never written"),
        pytest.param(b"XY" + encode_slot(RECORD, 9)[2:], id="something else"),
    ],
)
def test_a_slot_that_does_not_check_out_does_not_count(slot: bytes, insert: Insert) -> None:
    card = with_open_permit()
    card.memory.files[SLOT_B][0][: len(slot)] = slot
    data = read(card, insert)
    assert data.problems == ()
    assert data.permit is not None
    assert (data.permit.index, data.permit.record) == (0, RECORD)


def test_a_slot_of_a_later_program_is_a_problem_and_not_passed_over(insert: Insert) -> None:
    """The other slot may hold a permit that is over; neither is it overwritten."""
    card = written()
    later = _with_checksum(b"JY\x02\x00" + encode_slot(RECORD, 9)[4:])
    card.memory.files[SLOT_B][0][: len(later)] = later
    data = read(card, insert)
    assert data.permit is None
    assert [problem.where for problem in data.problems] == ["permit"]
    with insert(card) as transport, pytest.raises(DecodeError, match="update the software"):
        write_card(SscCard.open(transport), contents())


def test_a_sealed_slot_is_read_as_it_is(insert: Insert) -> None:
    card = written()
    slot = encode_slot(RECORD, 9, Form.SEALED, key_reference=0x4F)
    card.memory.files[SLOT_B][0][: len(slot)] = slot
    permit = read(card, insert).permit
    assert permit is not None
    assert (permit.form, permit.key_reference, permit.sequence) == (Form.SEALED, 0x4F, 9)


def _with_checksum(slot: bytes) -> bytes:
    return slot[:12] + zlib.crc32(slot[16:], zlib.crc32(slot[:12])).to_bytes(4) + slot[16:]


# Cards that break the rules


def hostile(answer: Callable[[bytes], bytes], protocol: CardProtocol = "T=1") -> tuple[SscCard, FunctionCard]:
    """A session with a card that selects everything and answers the rest with ``answer``."""
    card = FunctionCard(lambda c: b"\x90\x00" if c[1] == 0xA4 else answer(c), protocol=protocol)
    return SscCard(Channel(card), load_profile("ssc-v3")), card


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
@pytest.mark.parametrize("address", ["SSSE/EF06", "DF02/EF07"])
def test_records_without_end_are_read_to_the_highest_number(address: str, protocol: CardProtocol) -> None:
    session, card = hostile(lambda _: b"\x0a\x01\x31\x90\x00", protocol)
    assert len(session.read_records(session.profile.file(address))) == MAX_RECORDS
    assert sum(command[1] == 0xB2 for command in card.commands) == MAX_RECORDS


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_reading_everything_from_a_card_without_end_comes_to_an_end(protocol: CardProtocol) -> None:
    """Records of each file up to the highest number, a photo as long as its file, and no more."""
    session, card = hostile(lambda command: b"\x0b" * (command[4] or 256) + b"\x90\x00", protocol)
    data = session.read(photo=True, everything=True)
    files = [file for file in session.profile.files if file.kind is not FileKind.TRANSPARENT]
    assert len(card.commands) < len(files) * (MAX_RECORDS + 2) + SIZE // CHUNK + 20
    assert data.problems


@pytest.mark.parametrize("sw", ["6282", "6b00", "9000"])
def test_a_binary_file_that_ends_early_is_read_to_its_end(sw: str) -> None:
    """Whether the card says so, or just has nothing more."""
    memory = bytes(range(200))

    def answer(command: bytes) -> bytes:
        offset = command[2] << 8 | command[3]
        piece = memory[offset : offset + command[4]]
        return piece + bytes.fromhex("9000" if len(piece) == command[4] else sw)

    session, card = hostile(answer)
    photo = session.profile.file("SSSE/EF08")
    assert session.read_binary(photo, 0, 1000) == memory
    assert session.read_binary(photo, 200, 10) == b""
    assert len(card.commands) == 2 + 2 + 1 + (sw == "9000")


def test_a_photo_that_the_card_cuts_short_is_no_photo() -> None:
    memory = b"\x03\xe8" + bytes(500)

    def answer(command: bytes) -> bytes:
        offset = command[2] << 8 | command[3]
        piece = memory[offset : offset + command[4]]
        return piece + (b"\x90\x00" if len(piece) == command[4] else b"\x62\x82")

    session, _ = hostile(answer)
    with pytest.raises(DecodeError, match="cut short"):
        session.read_photo(session.profile.file("SSSE/EF08"))


def test_a_refused_binary_file_is_an_error_that_says_where() -> None:
    session, _ = hostile(lambda command: bytes.fromhex("6982") if command[3] else bytes(CHUNK) + b"\x90\x00")
    with pytest.raises(StatusError) as error:
        session.read_binary(session.profile.file("SSSE/EF08"), 0, 1000)
    assert (error.value.sw, error.value.where) == (0x6982, f"SSSE/EF08 @{CHUNK}")


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
@pytest.mark.parametrize("answer", [b"", b"\x90", bytes(300) + b"\x90\x00"])
def test_an_answer_that_breaks_iso_7816_ends_the_reading(answer: bytes, protocol: CardProtocol) -> None:
    """That is no card with a gap, but a broken line: an error instead of a hundred problems."""
    session, _ = hostile(lambda _: answer, protocol)
    with pytest.raises(ProtocolError):
        session.read()


class _Silent(Fault):
    """Answers every read with success and no data."""

    def answer(self, number: int, command: bytes) -> bytes:
        answer = self.card.transmit(command)
        return b"\x90\x00" if number > 3 and command[1] in (0xB0, 0xB2) else answer


def test_a_card_that_says_nothing_is_not_written() -> None:
    """It has no place for the holder's number as far as we can see."""
    card = blank("ssc-v3")
    with LocalTransport(_Silent(card)) as transport, pytest.raises(CardRefused, match="no record"):
        write_card(SscCard.open(transport), contents(None, photo=PHOTO))
    assert card.memory.changes == 0


# Reset by another program


@pytest.fixture
def shared(private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> Iterator[Callable[[], None]]:
    """A written card in ``pcsc_reader``; the result resets it as another program would."""
    reader = VirtualReader(port=pcsc_reader.port)
    reader.insert(written())
    private_pcscd.wait_for_card(pcsc_reader.name, present=True)

    def reset() -> None:
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        code, card, _ = scard.SCardConnect(context, pcsc_reader.name, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1)
        assert code == scard.SCARD_S_SUCCESS
        scard.SCardDisconnect(card, scard.SCARD_RESET_CARD)
        scard.SCardReleaseContext(context)

    yield reset
    reader.remove()


def test_a_reset_by_another_program_is_a_clear_error_and_opening_again_helps(
    shared: Callable[[], None], pcsc_reader: Slot
) -> None:
    """What was selected is lost with it: to go on reading would read the wrong file."""
    with PcscTransport.open(pcsc_reader.name, exclusive=False) as transport:
        card = SscCard.open(transport)
        assert card.value("card.number") == "JYX000010"
        shared()
        with pytest.raises(TransportError, match="another program reset the card"):
            card.value("card.expires_on")
        with pytest.raises(TransportError, match="open the card again"):
            card.read()
    with PcscTransport.open(pcsc_reader.name, exclusive=False) as transport:
        assert SscCard.open(transport).read().problems == ()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_reset_that_nobody_reports_is_a_refused_command(profile: str) -> None:
    """The session believes its file to be selected; the card knows of none and says so."""
    card = written(profile)
    with LocalTransport(card) as transport:
        session = SscCard.open(transport)
        file = session.profile.file("SSSE/EF06")
        assert session.read_record(file, 1)
        card.reset()
        with pytest.raises(StatusError, match="no file is selected") as error:
            session.read_record(file, 2)
    assert error.value.where == "SSSE/EF06 #2"
