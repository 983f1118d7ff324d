"""Commands and responses: the four cases, both forms, every malformed length, and the builders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.card import apdu
from juying.card.apdu import Command, Response
from juying.errors import DecodeError, InputError

DATA = bytes(range(3))

CASES = [
    (Command(0, 0xA4, 0, 0), 1, "00A40000", "00A40000"),
    (Command(0, 0xB0, 0, 0, b"", 5), 2, "00B0000005", "00B00000000005"),
    (Command(0, 0xB0, 0, 0, b"", 256), 2, "00B0000000", "00B00000000100"),
    (Command(0, 0xDC, 1, 4, DATA), 3, "00DC010403000102", "00DC0104000003000102"),
    (Command(0, 0xA4, 4, 0, DATA, 16), 4, "00A404000300010210", "00A404000000030001020010"),
    (Command(0, 0xA4, 4, 0, DATA, 256), 4, "00A404000300010200", "00A404000000030001020100"),
]


@pytest.mark.parametrize(("command", "case", "short", "extended"), CASES)
def test_four_cases_in_both_forms(command: Command, case: int, short: str, extended: str) -> None:
    """Each case encodes as ISO 7816-3 lays it out, and reads back as the same command."""
    assert command.case == case
    assert command.encode().hex().upper() == short
    assert command.encode(extended=True).hex().upper() == extended
    assert Command.parse(bytes.fromhex(short)) == Command.parse(bytes.fromhex(extended)) == command


def test_extended_maximum() -> None:
    """Le 65536 is 0000, and 65535 bytes of data fit."""
    assert Command(0, 0xB0, 0, 0, b"", 65536).encode(extended=True) == bytes.fromhex("00B00000000000")
    longest = Command(0, 0xD6, 0, 0, bytes(65535), 65536)
    raw = longest.encode(extended=True)
    assert len(raw) == 4 + 3 + 65535 + 2
    assert Command.parse(raw) == longest


@given(
    header=st.tuples(*[st.integers(0, 255)] * 4),
    data=st.binary(max_size=600),
    le=st.none() | st.integers(1, 65536),
    extended=st.booleans(),
)
def test_parse_is_the_inverse_of_encode(
    header: tuple[int, int, int, int], data: bytes, le: int | None, extended: bool
) -> None:
    """What is encoded, in the form that carries it, parses to the same command."""
    command = Command(*header, data, le)
    assert command.short == (len(data) <= 255 and (le or 0) <= 256)
    assert Command.parse(command.encode(extended or not command.short)) == command


@given(st.binary(max_size=40))
def test_parse_accepts_or_refuses_with_one_error(raw: bytes) -> None:
    """No bytes bring anything but a command or a DecodeError; an accepted one encodes back to the same bytes."""
    try:
        command = Command.parse(raw)
    except DecodeError:
        return
    assert raw in (command.encode(extended=True), command.encode() if command.short else b"")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "00",
        "00A404",
        "00A404000A0102",  # less data than Lc says
        "00A4040002010200FF",  # something behind Le
        "00A404000000",  # neither Le of two bytes nor data
        "00B000000000FFFF",  # extended Lc with too little data
        "00D6000000000001",  # extended Lc of zero
        "00D600000000020102000001",  # three bytes behind the data
        "00D6000000000201020A",  # an extended Le of one byte
    ],
)
def test_malformed_lengths(raw: str) -> None:
    """Every length that fits no case is refused."""
    with pytest.raises(DecodeError, match="four cases"):
        Command.parse(bytes.fromhex(raw))


def test_short_form_refuses_what_it_cannot_carry() -> None:
    for command in (Command(0, 0xD6, 0, 0, bytes(256)), Command(0, 0xB0, 0, 0, b"", 257)):
        with pytest.raises(InputError, match="extended length or command chaining"):
            command.encode()


@pytest.mark.parametrize(
    "values",
    [
        (256, 0, 0, 0),
        (0, -1, 0, 0),
        (0, 0, 300, 0),
        (0, 0, 0, 1000),
        (0, 0xD6, 0, 0, bytes(65536)),
        (0, 0xB0, 0, 0, b"", 0),
        (0, 0xB0, 0, 0, b"", 65537),
    ],
)
def test_impossible_commands_cannot_be_made(values: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError):
        Command(*values)


def test_builders() -> None:
    """The bytes of each builder, as the cards of the field take them."""
    aid = bytes.fromhex("D15600000500")
    expected = {
        "00A4040006D1560000050000": apdu.select_aid(aid),
        "00A4040206D1560000050000": apdu.select_aid(aid, first=False),
        "00A4040C06D15600000500": apdu.select_aid(aid, fci=False),
        "00A4000002EF0500": apdu.select_fid(0xEF05),
        "00A4020C02EF05": apdu.select_fid(0xEF05, p1=0x02, fci=False),
        "00B2030406": apdu.read_record(3, 6),
        "00B2032C00": apdu.read_record(3, sfi=5),
        "00B2070000": apdu.read_record_by_tag(7),
        "00B2072813": apdu.read_record_by_tag(7, 0x13, sfi=5),
        "00DC010403020131": apdu.update_record(1, b"\x02\x01\x31"),
        "00DC012C03020131": apdu.update_record(1, b"\x02\x01\x31", sfi=5),
        "00E200000131": apdu.append_record(b"1"),
        "00E200400131": apdu.append_record(b"1", sfi=8),
        "00B0012880": apdu.read_binary(0x128, 0x80),
        "00B088FF00": apdu.read_binary(0xFF, sfi=8),
        "00D6012802AABB": apdu.update_binary(0x128, b"\xaa\xbb"),
        "00D6960002AABB": apdu.update_binary(0, b"\xaa\xbb", sfi=0x16),
        "00C0000000": apdu.get_response(),
        "01C0000010": apdu.get_response(16, cla=1),
    }
    assert {command.encode().hex().upper() for command in expected.values()} == expected.keys()
    for raw, command in expected.items():
        assert command.encode() == bytes.fromhex(raw)


@pytest.mark.parametrize(
    "build",
    [
        lambda: apdu.select_aid(b""),
        lambda: apdu.select_aid(bytes(17)),
        lambda: apdu.select_fid(0x10000),
        lambda: apdu.read_record(0),
        lambda: apdu.read_record(255),
        lambda: apdu.read_record_by_tag(256),
        lambda: apdu.read_record(1, sfi=31),
        lambda: apdu.update_record(-1, b"x"),
        lambda: apdu.read_binary(0x8000),
        lambda: apdu.read_binary(0x100, sfi=1),
        lambda: apdu.update_binary(-1, b"x"),
    ],
)
def test_builders_refuse_what_the_card_cannot_mean(build: object) -> None:
    with pytest.raises(InputError):
        build()


def test_response_round_trip() -> None:
    response = Response.parse(bytes.fromhex("0304332E30309000"))
    assert (response.data, response.sw) == (bytes.fromhex("0304332E3030"), 0x9000)
    assert Response.parse(response.encode()) == response


@pytest.mark.parametrize("raw", [b"", b"\x90"])
def test_response_without_status_word(raw: bytes) -> None:
    with pytest.raises(DecodeError, match="too few"):
        Response.parse(raw)


def test_reprs_hide_the_data() -> None:
    """A name in a command or a response does not come out in a log."""
    name = b"ERIKSSON ANNA MARIA"
    shown = repr(apdu.update_record(2, name)) + repr(Response(name, 0x9000))
    assert "ERIKSSON" not in shown
    assert name.hex() not in shown.lower()
    assert shown == "Command(00DC0204, 19 bytes, le=None)Response(19 bytes, 9000)"
