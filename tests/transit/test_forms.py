"""The forms in which cards answer SELECT, and files with fields that make no sense."""

import contextlib
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec.tunion import layout, names
from juying.codec.tunion.fci import Control, Entry, parse_control, parse_environment
from juying.codec.tunion.files import HolderData, Management, PublicData, Transaction
from juying.codec.tunion.psam import PsamData
from juying.codec.tunion.trips import BUS, IN, OUT, RAIL, Ride, Stop, Tap
from juying.errors import DecodeError, InputError
from juying.text import Text
from tests.transit.cards import first

NAME = "8408A000000632010105"
PUBLIC = "01011000FFFFFFFF020103105170000000000001201907182040123100 00".replace(" ", "")
ISSUER = f"9F0C1E{PUBLIC}"


def nested(*objects: str) -> bytes:
    """A template 6F around the objects, given in hex."""
    body = bytes.fromhex("".join(objects))
    return b"\x6f" + bytes((len(body),)) + body


def proprietary(*objects: str) -> str:
    body = "".join(objects)
    return f"A5{len(body) // 2:02X}{body}"


@pytest.mark.parametrize(
    ("raw", "version", "label"),
    [
        pytest.param(nested(NAME, proprietary("9F080102", ISSUER)), "02", "", id="common"),
        pytest.param(nested(NAME, proprietary("9F08020030", ISSUER)), "0030", "", id="version of two bytes"),
        pytest.param(nested(NAME, proprietary("9F080102", ISSUER), "0000000000"), "02", "", id="padding"),
        pytest.param(
            nested(NAME, proprietary("50084D4F545F545F4550", "870101", "9F080102", ISSUER)),
            "02",
            "MOT_T_EP",
            id="label first",
        ),
        pytest.param(nested(NAME, proprietary("9F1203414243", ISSUER)), "", "ABC", id="name only, no version"),
        pytest.param(nested(NAME, proprietary(ISSUER, "00", "FF")), "", "", id="padding inside"),
        pytest.param(b"\x6f\x81\x31" + nested(NAME, proprietary("9F080102", ISSUER))[2:], "02", "", id="long length"),
        pytest.param(nested(NAME, proprietary("9F080102", f"9F0C20{PUBLIC}1234")), "02", "", id="more than file 15"),
    ],
)
def test_forms_of_control_information(raw: bytes, version: str, label: str) -> None:
    control = parse_control(raw)
    assert control == Control(bytes.fromhex("A000000632010105"), label, version, bytes.fromhex(PUBLIC))
    assert PUBLIC[22:40] not in repr(control)


def test_control_information_without_file_15() -> None:
    assert parse_control(nested(NAME, proprietary("9F080102"))).public == b""
    assert parse_control(nested(NAME, proprietary("9F0C0401011000"))).public == b""
    assert parse_control(b"") == Control(b"", "", "", b"")


def test_list_of_applications_with_odd_entries() -> None:
    raw = nested(
        "840E325041592E5359532E4444463031",
        proprietary("BF0C22", "6107500542414E4B31", "610A4F08A000000632010105", "610B4F06A00000033301870102"),
    )
    assert parse_environment(raw) == (
        Entry(bytes.fromhex("A000000632010105"), "", 0),
        Entry(bytes.fromhex("A00000033301"), "", 2),
    )


@pytest.mark.parametrize(
    "raw",
    [
        "6F",
        "6F05",
        "6F058408A000",
        "6F849F",
        "6F0400A59F",
        "9F",
        "6F03A50281",
        "6F82" + f"{2 * 257:04X}" + "5000" * 257,
    ],
)
def test_malformed_answers(raw: str) -> None:
    for parse in (parse_control, parse_environment):
        with pytest.raises(DecodeError):
            parse(bytes.fromhex(raw))


@given(st.binary(max_size=300))
def test_any_answer_is_parsed_or_refused(raw: bytes) -> None:
    for parse in (parse_control, parse_environment):
        with contextlib.suppress(DecodeError):
            parse(raw)


def test_fields_that_make_no_sense_cost_only_themselves() -> None:
    raw = bytearray.fromhex(PUBLIC)
    raw[20:24] = bytes.fromhex("20261399")
    card = PublicData.decode(bytes(raw))
    assert (card.valid_from, card.valid_until) == (None, date(2040, 12, 31))
    assert card.card_number == "3105170000000000001"
    assert [trouble.where for trouble in card.troubles] == ["TUNION/0015 应用启用日期"]
    assert "20261399" not in str(card.troubles)


def test_dates_never_written_are_no_trouble() -> None:
    raw = bytearray.fromhex(PUBLIC)
    raw[20:24], raw[24:28] = bytes(4), b"\xff" * 4
    card = PublicData.decode(bytes(raw))
    assert (card.valid_from, card.valid_until, card.troubles) == (None, None, ())


def test_times_that_make_no_sense() -> None:
    raw, _ = first("records-1e")
    tap = Tap.decode(raw[:25] + bytes.fromhex("20249929141740") + raw[32:])
    assert tap.at is None
    assert tap.amount_fen == 500
    assert len(tap.troubles) == 1
    record, _ = first("records-18")
    log = Transaction.decode(record[:16] + bytes.fromhex("20240230") + record[20:])
    assert (log.date, log.at, log.troubles) == ("20240230", None, ())


def test_files_cut_short_keep_what_is_there() -> None:
    assert PublicData.decode(bytes.fromhex(PUBLIC)[:12]).issuer_code == "01011000FFFFFFFF"
    assert PublicData.decode(b"").card_number == ""
    data = Management.decode(bytes.fromhex("00000156330034500001"))
    assert (data.city_code, data.interoperable, data.kind) == ("3450", 1, None)


def test_a_card_number_is_not_in_a_repr() -> None:
    assert "5170000000000001" not in repr(PublicData.decode(bytes.fromhex(PUBLIC)))


def test_holder_data() -> None:
    holder = HolderData(name="埃里克松·安娜", document_number="L898902C3", document_type=5, card_type=0, staff=0)
    raw = holder.encode()
    assert len(raw) == 55
    assert HolderData.decode(raw) == holder
    assert "L898902C3" not in repr(holder)
    assert HolderData.decode(bytes(55)).name == ""


def bus_ride() -> Ride:
    stop = Stop(
        city_code="3450",
        organisation="12113450FFFFFFFF",
        operator="0001",
        line="0106",
        stop="03",
        vehicle="ZJJ12345",
        terminal="0000413100000003",
        at=datetime(2026, 12, 1, 9, 0),
    )
    return Ride(record_id=BUS, state=OUT, start=stop, end=stop, marked_fen=200, amount_fen=100, direction="AB")


def test_bus_records_go_there_and_back() -> None:
    ride = bus_ride()
    raw = ride.encode()
    assert (len(raw), raw[:3].hex(), raw[14]) == (128, "27027d", OUT)
    assert raw[30:38] == b"ZJJ12345"
    assert raw[46:53].hex() == "20261201090000"
    again = Ride.decode(raw)
    assert (again.start, again.end, again.direction) == (ride.start, ride.end, "AB")
    assert (again.marked_fen, again.amount_fen, again.mileage) == (200, 100, "0000")
    assert (again.length, again.raw, again.is_open) == (0x7D, raw, False)


def test_rail_records_have_entry_and_exit_side_by_side() -> None:
    start = Stop(city_code="3450", stop="0100000000000007", at=datetime(2026, 12, 1, 8, 0))
    raw = Ride(record_id=RAIL, state=IN, start=start, marked_fen=1000).encode()
    assert (raw[15:17].hex(), raw[17:19].hex()) == ("3450", "0000")
    assert raw[35:43].hex() == "0100000000000007"
    assert (raw[67:74].hex(), raw[74:81].hex()) == ("20261201080000", "00" * 7)
    assert raw[81:85] == (1000).to_bytes(4)
    assert Ride.decode(raw).is_open


def test_of_other_records_the_beginning_is_known() -> None:
    raw = bytes.fromhex("27067D010101") + bytes(122)
    ride = Ride.decode(raw)
    assert (ride.record_id, ride.valid, ride.mode, ride.locked) == (0x2706, 1, 1, 1)
    assert ride.marked_fen is None


@pytest.mark.parametrize("raw", ["", "27", "2701", "99017D01", "270F7D"])
def test_records_that_nobody_knows(raw: str) -> None:
    with pytest.raises(DecodeError, match="1A"):
        Ride.decode(bytes.fromhex(raw))


def test_records_cannot_hold_what_they_have_no_field_for() -> None:
    with pytest.raises(InputError, match="mileage"):
        Ride(record_id=RAIL, mileage="0001").encode()
    with pytest.raises(InputError, match="2799"):
        Ride(record_id=0x2799).encode()
    with pytest.raises(InputError, match="十六进制"):
        Ride(record_id=RAIL, serial="xyz").encode()
    with pytest.raises(InputError, match="线路"):
        Tap(type="03", line="010203").encode()


@given(st.binary(max_size=60))
def test_any_bytes_decode_to_something(raw: bytes) -> None:
    for decode in (PublicData.decode, HolderData.decode, Management.decode, Transaction.decode, Tap.decode):
        decode(raw)


@given(st.sampled_from([0x2701, 0x2702, 0x2707, 0x270D]), st.binary(max_size=130))
def test_any_record_decodes_to_something(record_id: int, raw: bytes) -> None:
    Ride.decode(record_id.to_bytes(2) + b"\x7d" + raw)


def test_psam_data() -> None:
    data = PsamData(
        key_index=1,
        issuer_code=bytes(8),
        receiver_code=bytes(range(8)),
        valid_from=date(2020, 1, 1),
        valid_until=None,
    )
    assert PsamData.decode(data.encode()) == data
    with pytest.raises(DecodeError, match="25"):
        PsamData.decode(bytes(24))


def test_words_for_codes() -> None:
    assert names.name(names.INDUSTRIES, "01") == Text("地铁", "metro")
    assert names.name(names.INDUSTRIES, "42") == Text("42", "42")


def test_empty_records() -> None:
    assert layout.is_empty(bytes(23))
    assert layout.is_empty(b"\xff" * 48)
    assert not layout.is_empty(bytes(22) + b"\x01")
