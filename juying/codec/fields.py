"""The value types of card fields, as bytes of a fixed length and back.

============ ========================== ==========================================================
type         Python value               bytes
============ ========================== ==========================================================
``b``        `bytes`                    as they are
``an``       `str`                      GB18030 (a superset of GBK), left aligned, filled with 00;
                                        spaces at the end are lost, as readers trim them
``cn``       `str` of digits            BCD, left aligned, filled with nibble F
``date``     `datetime.date`            4 bytes BCD YYYYMMDD
``month``    `str` ``"YYYY-MM"``        3 bytes BCD YYYYMM
``datetime`` `datetime.datetime`        7 bytes BCD YYYYMMDDhhmmss, local time of the terminal, naive
``dec``      `int`, fen                 4 bytes, big-endian (our choice: the standard's coding is not public)
``uint``     `int`                      big-endian
============ ========================== ==========================================================

A field of FF bytes was never written and decodes to `None`; so does one of 00 bytes where zero is not a
value (text and dates). Source of b, an, cn and the fillings: observed in public readers and personalisers.
"""

import codecs
import datetime as dt
import re
from collections.abc import Callable
from enum import StrEnum

from juying.errors import DecodeError, InputError

Value = bytes | str | int | dt.date | dt.datetime | None
"""What one field holds; a list record or a cyclic record holds a tuple of these."""

Encoder = Callable[[object], bytes]
Decoder = Callable[[bytes], Value]


class FieldType(StrEnum):
    """How the bytes of a field are to be read; see the table at the top of the module."""

    BYTES = "b"
    TEXT = "an"
    DIGITS = "cn"
    DATE = "date"
    MONTH = "month"
    DATETIME = "datetime"
    AMOUNT = "dec"
    UNSIGNED = "uint"
    LIST = "list"


FIXED_LENGTHS = {FieldType.DATE: 4, FieldType.MONTH: 3, FieldType.DATETIME: 7, FieldType.AMOUNT: 4}
"""Bytes of the types that have only one length."""


_BCD = tuple(tens << 4 | ones for tens in range(10) for ones in range(10))
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_to_gb18030 = codecs.getencoder("gb18030")
_from_gb18030 = codecs.getdecoder("gb18030")


def _is_clean(text: str) -> bool:
    """Whether ``text`` has no control character, which could fool a terminal that shows it."""
    return text.isprintable() or not _CONTROL.search(text)


def text_bytes(text: str) -> bytes:
    """``text`` in GB18030; `InputError` for what it cannot hold (unpaired surrogates, control characters)."""
    try:
        if _is_clean(text):
            return _to_gb18030(text)[0]
    except UnicodeEncodeError:
        pass
    raise InputError(
        "文字含有卡片不能存储的字符（控制字符或无效字符）",
        "the text has a character that a card cannot hold (control or invalid character)",
    )


def split_text(text: str, *lengths: int) -> tuple[str, ...]:
    """Cut ``text`` into one piece per length (bytes of GB18030), never inside a character.

    The last element of the result is what did not fit anywhere ("" when all did). A space at a cut stays at
    the beginning of the next piece, because trailing spaces are lost on a card.
    """
    pieces = []
    rest = text
    for length in lengths:
        used = count = 0
        for character in rest:
            used += len(text_bytes(character))
            if used > length:
                break
            count += 1
        while 0 < count < len(rest) and rest[count - 1] == " ":
            count -= 1
        pieces.append(rest[:count])
        rest = rest[count:]
    return (*pieces, rest)


def encoder(kind: FieldType, length: int) -> Encoder:
    """The function that turns a value of type ``kind`` into exactly ``length`` bytes.

    The function raises `InputError` when the value has the wrong type or does not fit; `None` becomes FF bytes.
    """
    blank = b"\xff" * length
    to_bytes = _ENCODERS[kind]

    def encode(value: object) -> bytes:
        if value is None:
            return blank
        try:
            encoded = to_bytes(value, length)
            if encoded != blank:  # it would read back as "never written"
                return encoded
        except (TypeError, ValueError, OverflowError):
            pass
        raise InputError(
            f"值的类型或内容不符合字段类型 {kind}（{length} 字节）",
            f"the value does not suit the field type {kind} ({length} bytes)",
        )

    return encode


def decoder(kind: FieldType) -> Decoder:
    """The function that reads bytes of the field's length; it raises `DecodeError` for what is no such value."""
    from_bytes = _DECODERS[kind]

    def decode(raw: bytes) -> Value:
        try:
            return from_bytes(raw)
        except ValueError:
            if raw.count(0xFF) == len(raw):
                return None
            raise DecodeError(
                f"字段内容不是有效的 {kind} 值", f"the field does not hold a valid {kind} value"
            ) from None

    return decode


def _too_long(length: int) -> InputError:
    return InputError(f"值超过字段长度（{length} 字节）", f"the value is longer than the field ({length} bytes)")


def _encode_bytes(value: object, length: int) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError
    if len(value) != length:
        raise InputError(f"值必须正好是 {length} 字节", f"the value must be exactly {length} bytes")
    return value


def _encode_text(value: object, length: int) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    encoded = text_bytes(value)
    if len(encoded) > length:
        raise _too_long(length)
    return encoded.ljust(length, b"\x00")


def _encode_digits(value: object, length: int) -> bytes:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()):
        raise TypeError
    if len(value) > 2 * length:
        raise _too_long(length)
    return bytes.fromhex(value.ljust(2 * length, "f"))


def _encode_date(value: object, length: int) -> bytes:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise TypeError
    return bytes((_BCD[value.year // 100], _BCD[value.year % 100], _BCD[value.month], _BCD[value.day]))


def _encode_month(value: object, length: int) -> bytes:
    if not isinstance(value, str) or len(value) != 7:
        raise TypeError
    return _encode_date(dt.date.fromisoformat(f"{value}-01"), 4)[:3]


def _encode_datetime(value: object, length: int) -> bytes:
    if not isinstance(value, dt.datetime) or value.tzinfo or value.microsecond:
        raise TypeError
    return _encode_date(value.date(), 4) + bytes((_BCD[value.hour], _BCD[value.minute], _BCD[value.second]))


def _encode_unsigned(value: object, length: int) -> bytes:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value.to_bytes(length, "big")


def _decode_bytes(raw: bytes) -> Value:
    return None if raw.count(0xFF) == len(raw) else raw


def _decode_text(raw: bytes) -> Value:
    text = _from_gb18030(raw.rstrip(b"\x00 "))[0]
    if not _is_clean(text):
        raise ValueError
    return text or None


def _decode_digits(raw: bytes) -> Value:
    digits = raw.hex().rstrip("f")
    if not digits.isdigit():
        raise ValueError
    return digits


def _decode_date(raw: bytes) -> Value:
    try:
        return dt.date.fromisoformat(raw.hex())
    except ValueError:
        return _none_if_zero(raw)


def _decode_month(raw: bytes) -> Value:
    try:
        return dt.date.fromisoformat(raw.hex() + "01").isoformat()[:7]
    except ValueError:
        return _none_if_zero(raw)


def _decode_datetime(raw: bytes) -> Value:
    digits = raw.hex()
    try:
        return dt.datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")
    except ValueError:
        return _none_if_zero(raw)


def _none_if_zero(raw: bytes) -> Value:
    if any(raw):
        raise ValueError
    return None


def _decode_unsigned(raw: bytes) -> Value:
    if raw.count(0xFF) == len(raw):
        return None
    return int.from_bytes(raw, "big")


_ENCODERS: dict[FieldType, Callable[[object, int], bytes]] = {
    FieldType.BYTES: _encode_bytes,
    FieldType.TEXT: _encode_text,
    FieldType.DIGITS: _encode_digits,
    FieldType.DATE: _encode_date,
    FieldType.MONTH: _encode_month,
    FieldType.DATETIME: _encode_datetime,
    FieldType.AMOUNT: _encode_unsigned,
    FieldType.UNSIGNED: _encode_unsigned,
}

_DECODERS: dict[FieldType, Decoder] = {
    FieldType.BYTES: _decode_bytes,
    FieldType.TEXT: _decode_text,
    FieldType.DIGITS: _decode_digits,
    FieldType.DATE: _decode_date,
    FieldType.MONTH: _decode_month,
    FieldType.DATETIME: _decode_datetime,
    FieldType.AMOUNT: _decode_unsigned,
    FieldType.UNSIGNED: _decode_unsigned,
}
