"""The value types: what goes in comes out, nothing else goes in, and nothing else comes out."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec.fields import FIXED_LENGTHS, FieldType, decoder, encoder, split_text, text_bytes
from juying.errors import DecodeError, InputError
from tests.codec.samples import CHARACTERS, contents

PLAIN_TYPES = [kind for kind in FieldType if kind is not FieldType.LIST]


@pytest.mark.parametrize("kind", PLAIN_TYPES)
@given(data=st.data())
def test_round_trip(kind: FieldType, data: st.DataObject) -> None:
    """Every value of every type, at every length, comes back from exactly that many bytes."""
    length = FIXED_LENGTHS.get(kind) or data.draw(st.integers(1, 40))
    value = data.draw(contents(kind, length))
    raw = encoder(kind, length)(value)
    assert len(raw) == length
    assert decoder(kind)(raw) == value


@pytest.mark.parametrize("kind", PLAIN_TYPES)
@given(data=st.data())
def test_any_bytes_decode_or_are_refused(kind: FieldType, data: st.DataObject) -> None:
    """Whatever a card holds, there is a value or a DecodeError, and a value survives being written again."""
    length = FIXED_LENGTHS.get(kind) or data.draw(st.integers(1, 12))
    try:
        value = decoder(kind)(data.draw(st.binary(min_size=length, max_size=length)))
    except DecodeError:
        return
    assert decoder(kind)(encoder(kind, length)(value)) == value


@pytest.mark.parametrize("kind", PLAIN_TYPES)
@given(
    value=st.one_of(st.text(max_size=8), st.binary(max_size=4), st.integers(), st.booleans(), st.dates())
    | st.one_of(st.datetimes(timezones=st.none() | st.timezones()), st.floats(), st.tuples(), st.just([]))
)
def test_any_value_is_encoded_or_refused(kind: FieldType, value: object) -> None:
    """Whatever is given, the bytes mean the same value, or InputError is raised; nothing else."""
    length = FIXED_LENGTHS.get(kind, 4)
    try:
        raw = encoder(kind, length)(value)
    except InputError:
        return
    assert len(raw) == length
    expected = value.rstrip(" ") or None if kind is FieldType.TEXT else value
    assert decoder(kind)(raw) == expected


@pytest.mark.parametrize("kind", PLAIN_TYPES)
def test_never_written_is_none(kind: FieldType) -> None:
    length = FIXED_LENGTHS.get(kind, 4)
    assert encoder(kind, length)(None) == b"\xff" * length
    assert decoder(kind)(b"\xff" * length) is None


@pytest.mark.parametrize("kind", [FieldType.TEXT, FieldType.DATE, FieldType.MONTH, FieldType.DATETIME])
def test_zeros_are_none_where_zero_is_no_value(kind: FieldType) -> None:
    assert decoder(kind)(bytes(FIXED_LENGTHS.get(kind, 6))) is None


@pytest.mark.parametrize(
    ("kind", "value"), [(FieldType.DIGITS, "00000000"), (FieldType.AMOUNT, 0), (FieldType.BYTES, bytes(4))]
)
def test_zeros_are_a_value_elsewhere(kind: FieldType, value: object) -> None:
    assert decoder(kind)(bytes(4)) == value


@pytest.mark.parametrize(
    ("kind", "length", "value", "raw"),
    [
        (FieldType.TEXT, 4, "AB", "41420000"),
        (FieldType.TEXT, 4, "中国", "D6D0B9FA"),
        (FieldType.TEXT, 4, "𠮷", "9534B235"),
        (FieldType.DIGITS, 2, "1234", "1234"),
        (FieldType.DIGITS, 2, "123", "123F"),
        (FieldType.DIGITS, 3, "1", "1FFFFF"),
        (FieldType.DATE, 4, dt.date(2026, 12, 1), "20261201"),
        (FieldType.DATE, 4, dt.date(3, 4, 5), "00030405"),
        (FieldType.MONTH, 3, "2026-12", "202612"),
        (FieldType.DATETIME, 7, dt.datetime(2026, 12, 1, 9, 5, 7), "20261201090507"),
        (FieldType.AMOUNT, 4, 12345, "00003039"),
        (FieldType.AMOUNT, 4, 0xFFFFFFFE, "FFFFFFFE"),
        (FieldType.UNSIGNED, 3, 258, "000102"),
        (FieldType.BYTES, 2, b"\xff\x00", "FF00"),
    ],
)
def test_bytes_on_the_card(kind: FieldType, length: int, value: Any, raw: str) -> None:
    assert encoder(kind, length)(value).hex().upper() == raw
    assert decoder(kind)(bytes.fromhex(raw)) == value


@pytest.mark.parametrize(
    ("kind", "length", "value"),
    [
        (FieldType.TEXT, 3, "中国"),
        (FieldType.TEXT, 3, "𠮷"),
        (FieldType.TEXT, 9, "A\nB"),
        (FieldType.TEXT, 9, "A\x7f"),
        (FieldType.TEXT, 9, "A\x9b1m"),
        (FieldType.TEXT, 9, "A\ud800"),
        (FieldType.TEXT, 9, b"A"),
        (FieldType.DIGITS, 2, "12345"),
        (FieldType.DIGITS, 2, "12a"),
        (FieldType.DIGITS, 2, "１２"),
        (FieldType.DIGITS, 2, ""),
        (FieldType.DIGITS, 2, 12),
        (FieldType.DATE, 4, "2026-12-01"),
        (FieldType.DATE, 4, dt.datetime(2026, 12, 1)),
        (FieldType.MONTH, 3, "2026-13"),
        (FieldType.MONTH, 3, "2026-1"),
        (FieldType.MONTH, 3, dt.date(2026, 12, 1)),
        (FieldType.DATETIME, 7, dt.date(2026, 12, 1)),
        (FieldType.DATETIME, 7, dt.datetime(2026, 12, 1, tzinfo=dt.UTC)),
        (FieldType.DATETIME, 7, dt.datetime(2026, 12, 1, microsecond=1)),
        (FieldType.AMOUNT, 4, -1),
        (FieldType.AMOUNT, 4, 2**32),
        (FieldType.AMOUNT, 4, True),
        (FieldType.AMOUNT, 4, "1"),
        (FieldType.AMOUNT, 4, 0xFFFFFFFF),
        (FieldType.BYTES, 2, b"\x01"),
        (FieldType.BYTES, 2, b"\xff\xff"),
        (FieldType.BYTES, 2, "ab"),
    ],
)
def test_value_that_does_not_fit_is_refused_without_being_shown(kind: FieldType, length: int, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        encoder(kind, length)(value)
    assert len(str(value)) < 4 or str(value) not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (FieldType.DATE, "20261301"),
        (FieldType.DATE, "20260229"),
        (FieldType.DATE, "20261200"),
        (FieldType.DATE, "2026120A"),
        (FieldType.DATE, "FFFFFF01"),
        (FieldType.MONTH, "202600"),
        (FieldType.MONTH, "20261F"),
        (FieldType.DATETIME, "20261201246000"),
        (FieldType.DATETIME, "20261201FFFFFF"),
        (FieldType.DIGITS, "1F23"),
        (FieldType.DIGITS, "A123"),
        (FieldType.TEXT, "D6"),
        (FieldType.TEXT, "41FF"),
        (FieldType.TEXT, "410A42"),
        (FieldType.TEXT, "411B5B31"),
        (FieldType.TEXT, "41004200"),
    ],
)
def test_bytes_that_are_no_value_are_a_decode_error(kind: FieldType, raw: str) -> None:
    with pytest.raises(DecodeError, match=f"{kind} value"):
        decoder(kind)(bytes.fromhex(raw))


def test_every_character_survives() -> None:
    """GB18030 holds all of Unicode, and no character ends in a byte that a reader would trim."""
    for start in range(0, 0x110000, 0x100):
        codes = (code for code in range(start, start + 0x100) if code >= 0x20 and not 0x7F <= code <= 0x9F)
        block = "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)
        assert text_bytes(block).decode("gb18030") == block
        assert all(text_bytes(character)[-1] not in b"\x00 " for character in block if character != " ")


@given(st.text(CHARACTERS, max_size=60).map(str.rstrip), st.lists(st.integers(0, 40), max_size=4))
def test_split_text(text: str, lengths: list[int]) -> None:
    """Nothing is lost or cut in two, each piece fits and survives the card, and each is as long as can be."""
    *pieces, rest = split_text(text, *lengths)
    assert "".join(pieces) + rest == text
    assert len(pieces) == len(lengths)
    left = text
    for piece, length in zip(pieces, lengths, strict=True):
        assert len(text_bytes(piece)) <= length
        if length:
            assert decoder(FieldType.TEXT)(encoder(FieldType.TEXT, length)(piece)) == (piece or None)
        left = left[len(piece) :]
        blanks = len(left) - len(left.lstrip(" "))
        if left:
            assert len(text_bytes(piece + left[: blanks + 1])) > length


def test_split_text_examples() -> None:
    assert split_text("ABC中", 4, 2) == ("ABC", "中", "")
    assert split_text("中国", 4) == ("中国", "")
    assert split_text("中𠮷国", 4, 6) == ("中", "𠮷国", "")
    assert split_text("AB CD", 3, 3) == ("AB", " CD", "")
    assert split_text("   A", 2, 9) == ("", "   A", "")
    assert split_text("ABC", 2) == ("AB", "C")
    assert split_text("ABC") == ("ABC",)
    with pytest.raises(InputError):
        split_text("A\x00B", 9)
