"""The fields of a message: how each is written, how tolerantly it is read, and the record that holds them.

A record is a frozen dataclass whose members have the names of the standard and an annotation that says what they are::

    psn_no: Annotated[str, Chars(30, "人员编号")]
    balc: Annotated[Decimal | None, Amount(16, 2, "账户余额")] = None

A member without a default has to be there; of answers that is demanded only for what decisions and money rest on.
What we write keeps to the lengths of the table. What we read may differ as sites differ (all observed): numbers as
text and text as numbers, null or an empty string for nothing, one object where a list belongs, days with a time,
members that the table does not have. Those are kept in ``extra`` and written again.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, Self, get_type_hints

from juying.credential.claims import CHINA
from juying.errors import DecodeError, InputError

MAX_TEXT = 40_000
"""Characters of one value that is read: the limit of the whole output."""
MAX_ROWS = 5_000
"""Rows of one list that is read."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{0,12})?", re.ASCII)
_DAY = re.compile(
    r"(?P<y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})"
    r"(?:[ T](?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.\d{1,9})?)?(?P<zone>Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_COMPACT = re.compile(
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})(?:\d{3})?)?(?P<zone>)", re.ASCII
)
_MILLISECONDS = re.compile(r"-?\d{9,13}", re.ASCII)
"""Since 1970, as Java has it; 8 and 14 digits are a date."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).astimezone(CHINA)


class Kind(Protocol):
    """What a member is. ``where`` names it in errors, which never repeat the value."""

    title: str

    def read(self, value: object, where: str) -> Any:
        """The value of an answer; None for nothing. Raises `DecodeError`."""

    def write(self, value: Any, where: str) -> object:
        """The value for a request as JSON. Raises `InputError`."""


@dataclass(frozen=True, slots=True)
class Chars:
    """Text of at most ``length`` characters; a code of digits that came without its zeros gets ``digits`` of them."""

    length: int
    title: str
    digits: int = 0

    def read(self, value: object, where: str) -> str | None:
        """As `Kind.read`; space around the text is dropped."""
        if value is None:
            return None
        if isinstance(value, bool):
            text = str(int(value))
        elif isinstance(value, Decimal):
            text = _plain(value, where)
        elif isinstance(value, str):
            text = value.strip()
        else:
            raise _unreadable(where, "文本", "text")
        if len(text) > MAX_TEXT:
            raise _unreadable(where, "文本", "text")
        return (text.zfill(self.digits) if text.isdecimal() else text) or None

    def write(self, value: str, where: str) -> str:
        """As `Kind.write`."""
        if len(value) > self.length:
            raise InputError(f"至多 {self.length} 个字符", f"it has {self.length} characters at most", where=where)
        return value


@dataclass(frozen=True, slots=True)
class Amount:
    """A decimal number with ``digits`` digits in all, of which ``places`` stand behind the point."""

    digits: int
    places: int
    title: str

    def read(self, value: object, where: str) -> Decimal | None:
        """As `Kind.read`; more places than the table has are kept, unless they are zeros."""
        if isinstance(value, str):
            text = value.strip()
            if not text:
                return None
            if not _NUMBER.fullmatch(text):
                raise _unreadable(where, "数", "a number")
            value = Decimal(text)
        if value is None:
            return None
        if not isinstance(value, Decimal) or not self._fits(value):
            raise _unreadable(where, "数", "a number")
        return self._tidy(value)

    def write(self, value: Decimal, where: str) -> Decimal:
        """As `Kind.write`; nothing is rounded."""
        tidy = self._tidy(value) if value.is_finite() and self._fits(value) else None
        if tidy is None or tidy != value or -_exponent(tidy) > self.places:
            raise InputError(
                f"应为至多 {self.digits} 位、其中小数至多 {self.places} 位的数",
                f"it has to be a number of at most {self.digits} digits, {self.places} of them behind the point",
                where=where,
            )
        return tidy

    def _fits(self, value: Decimal) -> bool:
        return _exponent(value) >= -30 and (not value or value.adjusted() < self.digits - self.places)

    def _tidy(self, value: Decimal) -> Decimal:
        exact = value.quantize(Decimal(1).scaleb(-self.places))
        return exact if exact == value else value


@dataclass(frozen=True, slots=True)
class Day:
    """A day."""

    title: str

    def read(self, value: object, where: str) -> date | None:
        """As `Kind.read`; a time of day is dropped."""
        moment = _moment(value, where)
        return moment.date() if moment else None

    def write(self, value: date, _: str) -> str:
        """As `Kind.write`."""
        return value.strftime("%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, in China's time unless the text has a zone."""

    title: str

    def read(self, value: object, where: str) -> datetime | None:
        """As `Kind.read`; parts of a second are dropped."""
        return _moment(value, where)

    def write(self, value: datetime, where: str) -> str:
        """As `Kind.write`."""
        if value.tzinfo is None:
            raise InputError("时间须带时区", "a time has to have a time zone", where=where)
        return value.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Raw:
    """A JSON value that is not looked at here."""

    title: str

    def read(self, value: object, _: str) -> object:
        """As it is."""
        return value

    def write(self, value: object, _: str) -> object:
        """As it is."""
        return value


@dataclass(frozen=True, slots=True)
class One:
    """A record; a list that has only one is taken for it."""

    record: "type[Record]"
    title: str

    def read(self, value: object, where: str) -> "Record | None":
        """As `Kind.read`."""
        rows = _rows(value, where)
        if len(rows) > 1:
            raise _unreadable(where, "一条记录", "one record")
        return self.record.read(rows[0], where) if rows else None

    def write(self, value: "Record", where: str) -> object:
        """As `Kind.write`."""
        return value.write(where)


@dataclass(frozen=True, slots=True)
class Rows:
    """Records; a single object is taken for a list of one."""

    record: "type[Record]"
    title: str

    def read(self, value: object, where: str) -> "tuple[Record, ...]":
        """As `Kind.read`; nothing is an empty list."""
        return tuple(self.record.read(row, f"{where}[{number}]") for number, row in enumerate(_rows(value, where)))

    def write(self, value: "tuple[Record, ...]", where: str) -> object:
        """As `Kind.write`."""
        return [row.write(f"{where}[{number}]") for number, row in enumerate(value)]


class Member(NamedTuple):
    """A member of a record: what it is, and whether it has to be there."""

    kind: Kind
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Record:
    """What all records can do. Members that the table does not know are in ``extra``."""

    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def read(cls, value: object, where: str = "") -> Self:
        """The record out of a JSON object. Raises `DecodeError`, which names the member."""
        if not isinstance(value, Mapping):
            raise _unreadable(where or cls.__name__, "对象", "an object")
        table, at = members_of(cls), f"{where}." if where else ""
        found: dict[str, Any] = {}
        for name, member in table.items():
            content = member.kind.read(value.get(name), at + name)
            if content is not None:
                found[name] = content
            elif member.required:
                raise DecodeError(f"应答缺少 {at}{name}", f"the answer has no {at}{name}", where=at + name)
        return cls(**found, extra={name: content for name, content in value.items() if name not in table})

    def write(self, where: str = "") -> dict[str, object]:
        """The JSON object, without what is empty. Raises `InputError`, which names the member."""
        at = f"{where}." if where else ""
        document: dict[str, object] = {}
        for name, member in members_of(type(self)).items():
            value = getattr(self, name)
            if value is not None and value != "":
                document[name] = member.kind.write(value, at + name)
            elif member.required:
                raise InputError("不能为空", "it must not be empty", where=at + name)
        return {**document, **self.extra}

    def __repr__(self) -> str:
        """Which members it has, without their contents."""
        held = [name for name in members_of(type(self)) if getattr(self, name) not in (None, "", ())]
        return f"{type(self).__name__}({', '.join([*held, *self.extra])})"


def members_of(record: type[Record]) -> Mapping[str, Member]:
    """The table of a record's members, by name."""
    table = _TABLES.get(record)
    if table is None:
        table = _TABLES[record] = _table(record)
    return table


_TABLES: dict[Any, Mapping[str, Member]] = {}


def _table(record: type[Record]) -> Mapping[str, Member]:
    hints = get_type_hints(record, include_extras=True)
    return {
        member.name: Member(
            hints[member.name].__metadata__[0], member.default is MISSING and member.default_factory is MISSING
        )
        for member in fields(record)
        if member.name != "extra"
    }


def _rows(value: object, where: str) -> list[object]:
    if value is None or value == "":
        return []
    rows = value if isinstance(value, list) else [value]
    if len(rows) > MAX_ROWS:
        raise _unreadable(where, f"至多 {MAX_ROWS} 条", f"at most {MAX_ROWS} rows")
    return [row for row in rows if row is not None]


def _moment(value: object, where: str) -> datetime | None:
    if value is None:
        return None
    text = _plain(value, where) if isinstance(value, Decimal) else value
    if not isinstance(text, str):
        raise _unreadable(where, "日期", "a date")
    text = text.strip()
    if not text:
        return None
    if _MILLISECONDS.fullmatch(text):
        return _EPOCH + timedelta(seconds=int(text) // 1000)
    match = _DAY.fullmatch(text) or _COMPACT.fullmatch(text)
    if match is None:
        raise _unreadable(where, "日期", "a date")
    try:
        year, month, day, hour, minute, second = (int(match[name] or 0) for name in "ymdHMS")
        return datetime(year, month, day, hour, minute, second, tzinfo=_zone(match["zone"])).astimezone(CHINA)
    except (ValueError, OverflowError):
        raise _unreadable(where, "日期", "a date") from None


def _zone(text: str | None) -> timezone:
    if not text:
        return CHINA
    if text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _plain(value: Decimal, where: str) -> str:
    """A number as digits; one with an absurd exponent would fill the memory."""
    if _exponent(value) < -30 or (value and value.adjusted() > 40):
        raise _unreadable(where, "文本", "text")
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else -1000  # no number has this: infinity and such


def _unreadable(where: str, zh: str, en: str) -> DecodeError:
    return DecodeError(f"应答中的 {where} 应为{zh}", f"{where} in the answer has to be {en}", where=where)
