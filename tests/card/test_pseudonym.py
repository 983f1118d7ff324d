"""Pseudonyms: another value of the same kind, the same for the same value, unknown without the key."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.card.pseudonym import Pseudonyms
from juying.codec.fields import FieldType
from juying.model.numbers import check_card_number

NAMES = Pseudonyms(bytes(32))
FIXED = {FieldType.DATE: 4, FieldType.MONTH: 3, FieldType.DATETIME: 7, FieldType.AMOUNT: 4}
KINDS = [kind for kind in FieldType if kind is not FieldType.LIST]


@given(value=st.binary(max_size=80), kind=st.sampled_from(KINDS))
def test_length_blanks_and_consistency(value: bytes, kind: FieldType) -> None:
    """Any bytes under any type: same length, same answer twice, blanks untouched, never made blank."""
    masked = NAMES.of(kind, "", value)
    assert len(masked) == len(value)
    assert masked == NAMES.of(kind, "", value)
    blank = value in (bytes(len(value)), b"\xff" * len(value))
    assert (masked == value) if blank else masked.strip(b"\0") or value.strip(b"\0 ") in (b"", b"\xff" * len(value))


@given(value=st.binary(max_size=80))
def test_guess_takes_any_bytes(value: bytes) -> None:
    assert len(NAMES.guess(value)) == len(value)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("ERIKSSON ANNA MARIA", "AAAAAAAA AAAA AAAAA"),
        ("anna.maria-7@example.org", "aaaa.aaaaa-9@aaaaaaa.aaa"),
        ("+8657600000000", "+9999999999999"),
        ("埃里克松·安娜 1", "AAAAAAAAAAAAAA 9"),
        ("𠮷安", "AAAAAA"),  # four bytes in GB18030, two of them digits
    ],
)
def test_text_keeps_its_shape(name: str, shape: str) -> None:
    """Capitals, small letters and digits stay such, Chinese characters become capitals, punctuation stays."""
    value = name.encode("gb18030").ljust(50, b"\0")
    masked = NAMES.text(value).decode("ascii").rstrip("\0")
    assert "".join("9" if c.isdigit() else "A" if c.isupper() else "a" if c.islower() else c for c in masked) == shape
    assert masked != name


def test_the_same_name_in_another_field() -> None:
    """Padding does not make another person."""
    assert NAMES.text(b"ERIKSSON".ljust(70, b"\0")).rstrip(b"\0") == NAMES.text(b"ERIKSSON" + b"  ").rstrip(b" ")


def test_another_trace_has_other_pseudonyms() -> None:
    assert Pseudonyms().text(b"ERIKSSON ANNA MARIA") != Pseudonyms().text(b"ERIKSSON ANNA MARIA")
    assert repr(Pseudonyms(b"k" * 32)) == "Pseudonyms()"


@given(st.text("0123456789", min_size=1, max_size=24))
def test_digits_stay_bcd(digits: str) -> None:
    """Left-aligned digits stay as many digits, filled with F."""
    value = bytes.fromhex(digits.ljust(24, "f"))
    masked = NAMES.digits(value)
    assert masked.hex().rstrip("f").isdigit()
    assert len(masked.hex().rstrip("f")) == len(digits)


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2049, 12, 31)))
def test_valid_dates_stay_valid_dates(moment: dt.datetime) -> None:
    """Of the same span of years, so that a birth stays in the past."""
    for value in (f"{moment:%Y%m%d}", f"{moment:%Y%m}", f"{moment:%Y%m%d%H%M%S}"):
        masked = NAMES.time(bytes.fromhex(value)).hex()
        assert masked != value
        full = dt.date.fromisoformat((masked + "01")[:8])
        assert (full.year < 2000) == (moment.year < 2000)
        if len(masked) == 14:
            assert dt.datetime.fromisoformat(f"{masked[:8]}T{masked[8:]}")


def test_dates_out_of_the_spans() -> None:
    assert 2020 <= int(NAMES.time(bytes.fromhex("20991231")).hex()[:4]) <= 2049
    assert NAMES.time(bytes.fromhex("00000000")) == bytes(4)
    assert NAMES.time(b"\xff" * 4) == b"\xff" * 4
    assert NAMES.time(bytes.fromhex("18991231")).hex().isdigit()


@pytest.mark.parametrize("raw", ["00000001", "0001E240", "FFFFFFFE"])
def test_numbers_keep_their_size(raw: str) -> None:
    value = bytes.fromhex(raw)
    masked = NAMES.number(value)
    assert masked != value
    assert len(masked.lstrip(b"\0")) == len(value.lstrip(b"\0"))


def test_card_identifier_keeps_its_shape() -> None:
    """Region and RID stay; the serial gets the pseudonym that it has in the ATR; an unset MAC stays unset."""
    serial = bytes.fromhex("2A5C0F11")
    value = bytes.fromhex("331000D156000005") + serial + b"\xff" * 4
    masked = NAMES.of("b", "card.identifier", value)
    assert masked == value[:8] + NAMES.opaque(serial) + b"\xff" * 4
    assert serial not in masked


@pytest.mark.parametrize(
    ("field", "value", "masked"),
    [
        ("holder.sex", b"2", b"9"),
        ("holder.sex", b"\0", b"\0"),
        ("holder.nationality", b"DEU", b"UTO"),
        ("holder.nationality", b"\xff\xff\xff", b"\xff\xff\xff"),
    ],
)
def test_codes_with_few_values_become_a_neutral_one(field: str, value: bytes, masked: bytes) -> None:
    assert NAMES.of("an", field, value) == masked


def test_numeric_nationality_stays_numeric() -> None:
    assert NAMES.of("an", "holder.nationality", b"156").isdigit()


def test_card_number_keeps_a_valid_check_character() -> None:
    masked = NAMES.of("an", "card.number", b"X00000019")
    assert masked != b"X00000019"
    check_card_number(masked.decode())
    assert len(NAMES.of("an", "card.number", b"X0000")) == 5


def test_guess_by_the_looks() -> None:
    """Dates, text, digits and plain bytes are told apart; text needs not to be ASCII."""
    assert dt.date.fromisoformat(NAMES.guess(bytes.fromhex("19740812")).hex())
    assert NAMES.guess(b"ERIKSSON\0\0")[8:] == b"\0\0"
    assert NAMES.guess("安娜".encode("gb18030")).isalpha()
    assert NAMES.guess(bytes.fromhex("331002000199FFFF")).hex().rstrip("f").isdigit()
    assert NAMES.guess(b"\x01\x02\xfe\x80") != b"\x01\x02\xfe\x80"


@given(data=st.binary(min_size=2, max_size=120), cut=st.integers(1, 119))
def test_placed_does_not_depend_on_the_pieces(data: bytes, cut: int) -> None:
    """A file read in two pieces is masked as in one, but for runs of padding where a piece ends."""
    cut = min(cut, len(data) - 1)
    whole = NAMES.placed("SSSE/EF08", 7, data)
    pieces = NAMES.placed("SSSE/EF08", 7, data[:cut]) + NAMES.placed("SSSE/EF08", 7 + cut, data[cut:])
    assert len(whole) == len(pieces) == len(data)
    for index, (one, other) in enumerate(zip(whole, pieces, strict=True)):
        assert one == other or data[index] in (0x00, 0xFF)


def test_placed_keeps_padding() -> None:
    assert NAMES.placed("f", 0, b"\xff" * 9) == b"\xff" * 9
    assert NAMES.placed("f", 0, b"ab" + bytes(5))[2:] == bytes(5)
    assert NAMES.placed("f", 0, b"\xff") == b"\xff"
