"""The files of the profile ``tunion``, and their fields by name.

The names are those of the profile without the leading ``transit.``.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from juying.codec.fields import Value
from juying.codec.profile import load_profile
from juying.codec.record import Record, cut
from juying.codec.spec import Content, File, Profile
from juying.errors import DecodeError, InputError
from juying.text import Text

EP_AID = bytes.fromhex("A000000632010105")
"""Name of the purse with international algorithms (several sources)."""
PPSE_AID = b"2PAY.SYS.DDF01"
APPLICATION = "TUNION"
PURSE, PUBLIC, HOLDER, MANAGEMENT, TRANSACTIONS, TRIPS, RIDES = (
    f"{APPLICATION}/{fid}" for fid in ("0002", "0015", "0016", "0017", "0018", "001E", "001A")
)
"""Addresses of the files in the profile."""
_PREFIX = "transit."


class Trouble(NamedTuple):
    """Something in a file that makes no sense: which field, and why."""

    where: str
    text: Text


class Row(NamedTuple):
    """The fields of a row that could be read, by name, and the troubles with the others."""

    values: Mapping[str, Value]
    troubles: tuple[Trouble, ...] = ()

    def __repr__(self) -> str:
        """Which fields there are; the values may be personal."""
        return f"Row({', '.join(self.values)}; {len(self.troubles)} troubles)"

    def text(self, name: str) -> str:
        """Digits or text, bytes as upper-case hex digits; "" for none."""
        value = self.values.get(name)
        if isinstance(value, bytes):
            return value.hex().upper()
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """A number or an amount in fen."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def day(self, name: str) -> date | None:
        """A calendar day."""
        value = self.values.get(name)
        return value if isinstance(value, date) else None

    def time(self, name: str) -> datetime | None:
        """A local time, naive."""
        value = self.values.get(name)
        return value if isinstance(value, datetime) else None


@functools.cache
def profile() -> Profile:
    """The profile ``tunion``."""
    return load_profile("tunion")


@functools.cache
def file(address: str) -> File:
    """A file of the profile."""
    return profile().file(address)


def has_transit(addresses: Iterable[str]) -> bool:
    """Whether files with these addresses hold the application."""
    return any(address == PURSE for address in addresses)


def with_transit(card: Profile) -> Profile:
    """The profile of a chip that carries the application beside those of ``card``."""
    if any(application.name == APPLICATION for application in card.applications):
        return card
    fields = {name: getattr(card, name) for name in Profile.model_fields}
    return Profile.model_construct(**fields | {"applications": (*card.applications, *profile().applications)})


def read_row(address: str, raw: bytes) -> Row:
    """The fields of a row of a file; those that are cut off are missing."""
    return _row(address, file(address).records, raw)


def read_record(address: str, raw: bytes) -> tuple[Record, Row]:
    """The fields of a record that begins with its identifier. Raises `DecodeError` for one that is not known."""
    record = file(address).identify(raw)
    if record is None or len(raw) < 3:
        raise DecodeError("未知的记录标识", "the identifier of the record is not known", where=address)
    return record, _row(f"{address} {record.tag:04X}", record.parts, raw[3:])


def _row(address: str, fields: Sequence[Record], raw: bytes) -> Row:
    values: dict[str, Value] = {}
    troubles = []
    for field, value in cut(raw, fields):
        if len(value) < field.length:
            break
        try:
            content: Content = field.decode_value(value)
        except DecodeError as error:
            troubles.append(Trouble(f"{address} {field.title.zh}", error.text))
            continue
        if not isinstance(content, tuple):
            values[field.field.removeprefix(_PREFIX)] = content
    return Row(values, tuple(troubles))


def build_row(address: str, values: Mapping[str, Value]) -> bytes:
    """A row from fields by name; those not named are zeros. Raises `InputError`, also for a name that is not there."""
    return _build(address, file(address).records, values)


def build_record(address: str, tag: int, values: Mapping[str, Value]) -> bytes:
    """A whole record with identifier and length, as `build_row` makes rows. Raises `InputError`."""
    record = file(address).record(tag)
    if record is None:
        raise InputError("规格中没有此记录", "the profile has no such record", where=f"{address} {tag:04X}")
    return tag.to_bytes(2) + bytes((record.length,)) + _build(f"{address} {tag:04X}", record.parts, values)


def _build(address: str, fields: Sequence[Record], values: Mapping[str, Value]) -> bytes:
    left = dict(values)
    raw = b""
    for field in fields:
        value = left.pop(field.field.removeprefix(_PREFIX), None)
        try:
            raw += bytes(field.length) if value is None else field.encode_value(value)
        except InputError as error:
            raise InputError(*error.text, where=f"{address} {field.title.zh}") from None
    if left:
        raise InputError(f"没有这个字段：{min(left)}", f"there is no such field: {min(left)}", where=address)
    return raw


def octets(digits: str) -> bytes | None:
    """The bytes behind hex digits, None for none. Raises `InputError` for anything else."""
    try:
        return bytes.fromhex(digits) or None
    except ValueError:
        raise InputError("代码应为十六进制数", "codes are given in hex digits") from None


def is_empty(raw: bytes) -> bool:
    """Whether a record was never written: all 00 or all FF (both are seen)."""
    return not raw.strip(b"\x00") or not raw.strip(b"\xff")
