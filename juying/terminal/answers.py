"""Values as text: how the terminal interface shows what is on a card, and how it takes what is to be written.

========= ===================================================================
text      as it is; ``|`` and ``$`` in it become ``｜`` and ``＄``
digits    as they are
dates     YYYYMMDD, YYYYMM, YYYYMMDDhhmmss
amounts   yuan with two decimals; ``212.5`` is taken too, parts of a fen are not
bytes     hex digits, upper case
lists     parts, each ended by ``,`` (seen in one province)
========= ===================================================================

What was never written is empty. How amounts, bytes and lists look in the standard is not published.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypeVar

from juying.codec.fields import FieldType, Value, text_bytes
from juying.codec.spec import Content, Record
from juying.errors import InputError
from juying.terminal.codes import CallError, Code
from juying.text import Text

T = TypeVar("T")
_SEPARATORS = str.maketrans({"|": "｜", "$": "＄"})
_PART_SEPARATORS = str.maketrans({"|": "｜", "$": "＄", ",": "，"})
_AMOUNT = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?", re.ASCII)
MAX_AMOUNT: Final = 0xFFFFFFFE
"""Fen; one more would read as never written."""


def _moment(digits: str) -> datetime:
    return datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")


_DATES: dict[FieldType, tuple[int, Callable[[str], Value]]] = {
    FieldType.DATE: (8, date.fromisoformat),
    FieldType.MONTH: (6, lambda digits: date.fromisoformat(digits + "01").isoformat()[:7]),
    FieldType.DATETIME: (14, _moment),
}


def told(content: Content) -> str:
    """A single value, for pOutInfo."""
    return _told(content).translate(_SEPARATORS)


def told_parts(parts: Iterable[Content]) -> str:
    """The parts of a list or of a cyclic record, each ended by a comma."""
    return "".join(f"{_told(part).translate(_PART_SEPARATORS)}," for part in parts)


def yuan(fen: int) -> str:
    """An amount with two decimals."""
    return f"{fen // 100}.{fen % 100:02}"


def moment(when: datetime) -> str:
    """Date and time, 14 digits."""
    return f"{when:%Y%m%d%H%M%S}"


def _told(value: Content) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return f"{value:%Y%m%d}"
    return str(value)


def told_record(record: Record, content: Content) -> str:
    """``content`` of a ``record``, with what its type needs besides: amounts in yuan, months without a dash."""
    if record.parts and isinstance(content, tuple):
        return told_parts(_shown(part, value) for part, value in zip(record.parts, content, strict=True))
    return told(_shown(record, content))


def told_row(columns: Sequence[Record], row: Sequence[Value]) -> str:
    """A record of a cyclic file."""
    return told_parts(_shown(column, value) for column, value in zip(columns, row, strict=True))


def told_fields(columns: Sequence[Record], row: Sequence[Value]) -> str:
    """A record of a cyclic file, each field ended by ``|``."""
    return "".join(f"{told(_shown(column, value))}|" for column, value in zip(columns, row, strict=True))


def _shown(record: Record, value: Content) -> Content:
    if record.type is FieldType.AMOUNT and isinstance(value, int):
        return yuan(value)
    if record.type is FieldType.MONTH and isinstance(value, str):
        return value.replace("-", "")
    return value


def understood(record: Record, text: str) -> Content:
    """What ``text`` means for a ``record``. Raises `CallError` -41, -42 or -23; an empty text is no value."""
    if not record.parts:
        return _understood(record, text)
    return understood_row(record.parts, text) if text else None


def understood_row(columns: Sequence[Record], text: str) -> tuple[Value, ...]:
    """The parts of a list, or the fields of a cyclic record."""
    parts = text.removesuffix(",").split(",")
    if len(parts) != len(columns):
        raise _wrong(Code.DATA, columns[0], f"需要 {len(columns)} 个值", f"{len(columns)} values are needed")
    return tuple(_understood(column, part) for column, part in zip(columns, parts, strict=True))


def parse_hex(text: str, length: int) -> bytes:
    """Up to ``length`` bytes from hex digits. Raises `CallError` -41 or -42."""
    if not re.fullmatch("[0-9A-Fa-f]*", text):
        raise CallError(Code.CHARACTER, Text("应为十六进制数", "hex digits are needed"))
    if len(text) % 2 or len(text) > 2 * length:
        raise CallError(Code.LENGTH, Text(f"最多 {length} 字节", f"{length} bytes at most"))
    return bytes.fromhex(text)


def parse_yuan(text: str) -> int:
    """Fen from decimal text in yuan, exact. Raises `CallError` -41, -23 for parts of a fen, -42 for too much."""
    if not _AMOUNT.fullmatch(text):
        raise CallError(Code.CHARACTER, Text("金额应为十进制数，单位元", "an amount is a decimal number of yuan"))
    fen = Decimal(text) * 100
    if fen != int(fen):
        raise CallError(Code.DATA, Text("金额不足一分的部分不能写入", "an amount has no parts of a fen"))
    if fen > MAX_AMOUNT:
        raise CallError(Code.LENGTH, Text("金额过大", "the amount is too large"))
    return int(fen)


def parse_moment(text: str) -> datetime:
    """Date and time from 14 digits. Raises `CallError` -41, -42 or -23."""
    return _in_digits(text, 14, _moment)


def _understood(record: Record, text: str) -> Value:
    kind, length = record.type, record.length
    if kind is FieldType.TEXT:
        try:
            size = len(text_bytes(text))
        except InputError:
            raise _wrong(Code.CHARACTER, record, "不能以 GBK 存储", "GBK cannot hold it") from None
        if size > length:
            raise _wrong(Code.LENGTH, record, f"最多 {length} 字节", f"{length} bytes at most")
        return text
    if not text:
        return None
    try:
        if kind is FieldType.BYTES:
            data = parse_hex(text, length)
            if len(data) != length:
                raise CallError(Code.LENGTH, Text(f"应为 {length} 字节", f"{length} bytes are needed"))
            return data
        if kind is FieldType.AMOUNT:
            return parse_yuan(text)
        if kind in _DATES:
            return _in_digits(text, *_DATES[kind])
    except CallError as error:
        raise _wrong(Code(error.code), record, *(error.detail or error.text)) from None
    if not (text.isascii() and text.isdigit()):
        raise _wrong(Code.CHARACTER, record, "应为数字", "digits are needed")
    if kind is FieldType.DIGITS:
        if len(text) > 2 * length:
            raise _wrong(Code.LENGTH, record, f"最多 {2 * length} 位数字", f"{2 * length} digits at most")
        return text
    if len(text) > 3 * length or int(text) >= 256**length - 1:
        raise _wrong(Code.LENGTH, record, "数值过大", "the number is too large")
    return int(text)


def _in_digits(text: str, digits: int, parse: Callable[[str], T]) -> T:
    """What ``parse`` makes of so many digits."""
    if not (text.isascii() and text.isdigit()):
        raise CallError(Code.CHARACTER, Text("应为数字", "digits are needed"))
    if len(text) != digits:
        raise CallError(Code.LENGTH, Text(f"应为 {digits} 位数字", f"{digits} digits are needed"))
    try:
        return parse(text)
    except ValueError:
        raise CallError(Code.DATA, Text("没有这个日期", "there is no such day")) from None


def _wrong(code: Code, record: Record, zh: str, en: str) -> CallError:
    """Names the record and never the value."""
    return CallError(code, Text(f"{record.title.zh}：{zh}", f"{record.title.en}: {en}"))
