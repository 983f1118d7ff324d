"""What one file of a card is: its structure, its records, its access rules.

The part of `juying.codec.spec` between a record and an application.
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from juying.codec.fields import Decoder, Encoder, FieldType, Value
from juying.codec.record import Content, HexNumber, Record, Stored, broken, check_unique
from juying.codec.rules import AccessRule, access_rule
from juying.errors import DecodeError, InputError

Rules = tuple[AccessRule | None, ...]
"""Access rules of the records of a file, see `File.read_rules`."""


class FileKind(StrEnum):
    """Structure of an elementary file (ISO 7816-4)."""

    LINEAR = "linear"
    TRANSPARENT = "transparent"
    CYCLIC = "cyclic"


@dataclass(frozen=True, slots=True)
class Item:
    """A record as found on a card: ``record`` is None for a tag that the profile does not know.

    ``raw`` is the whole record, so that unknown ones survive; ``problem`` says why a known one has no content.
    """

    raw: bytes
    record: Record | None
    content: Content
    problem: DecodeError | None = None

    def __repr__(self) -> str:
        """The tag only; the content may be personal."""
        return f"Item(tag={self.raw[:1].hex().upper()})"


class File(Stored):
    """An elementary file.

    ``size`` is the number of bytes of a transparent file, ``count`` the number of records of a cyclic one.
    ``content`` says what a transparent file is for; one of ``fields`` holds a single row of them. ``optional`` files
    exist in some regions only.
    """

    application: str
    fid: HexNumber
    kind: FileKind
    optional: StrictBool = False
    size: StrictInt = Field(default=0, ge=0, le=0xFFFF)
    content: Literal["", "photo", "fingerprint", "permit-slot", "reserved", "raw", "fields"] = ""
    count: StrictInt = Field(default=0, ge=0, le=254)
    records: tuple[Record, ...] = ()

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        transparent, cyclic = self.kind is FileKind.TRANSPARENT, self.kind is FileKind.CYCLIC
        if bool(self.size) != transparent or bool(self.content) != transparent:
            raise broken(
                "transparent 文件须有 size 和 content，其他文件没有",
                "a transparent file has size and content, others have neither",
            )
        rows = cyclic or self.content == "fields"
        if bool(self.records) != (rows or not transparent) or bool(self.count) != cyclic or bool(self.vectors) != rows:
            raise broken(
                "linear 文件须有 records；cyclic 文件须有 records、count 和 vectors；"
                '只有 content = "fields" 的 transparent 文件有 records 和 vectors',
                "a linear file has records, a cyclic one records, count and vectors, "
                'a transparent one with content = "fields" records and vectors, any other none of them',
            )
        if rows and any(column.parts or column.number or column.tag or column.repeat > 1 for column in self.records):
            raise broken(
                "cyclic 记录的字段没有 tag、number、repeat 和 parts",
                "fields of a cyclic record have neither tag, number, repeat nor parts",
            )
        if self.content == "fields" and self.size != self.record_length:
            raise broken("size 应为各字段长度之和", "size is the sum of the lengths of the fields")
        if self.kind is FileKind.LINEAR:
            self._check_records()
        return self

    def _check_records(self) -> None:
        number = 1
        before: dict[int, Record] = {}
        for record in self.records:
            if record.tag is None or not record.vectors:
                raise broken(
                    f"第 {record.number} 条记录须有标签和至少一个测试向量",
                    f"record {record.number} needs a tag and at least one vector",
                    find=rf"number *= *{record.number}\b",
                )
            tag = f"{record.tag:02X}"
            if record.number != number:
                raise broken(
                    f"标签 {tag} 的记录号应为 {number}",
                    f"the record with tag {tag} should have number {number}",
                    find=rf'tag *= *"{tag}"',
                )
            first = before.get(record.continues or 0)
            if record.continues and (first is None or (first.type, first.field) != (FieldType.TEXT, record.field)):
                raise broken(
                    f"标签 {tag} 的 continues 应指前面一条同字段的文字记录",
                    f"continues of tag {tag} should name a text record before it, with the same field",
                    find=rf'tag *= *"{tag}"',
                )
            number += record.repeat
            before[record.tag] = record
        check_unique("标签", "tag", "tag", (f"{record.tag:02X}" for record in self.records))

    @property
    def sfi(self) -> int:
        """Short file identifier: the low five bits of the file identifier (our choice)."""
        return self.fid & 0x1F

    @functools.cached_property
    def address(self) -> str:
        """Application and file, as in ``SSSE/EF05``."""
        return f"{self.application}/{self.fid:04X}"

    @functools.cached_property
    def slots(self) -> tuple[Record, ...]:
        """Linear file: the record expected at number 1, 2, …, repeated ones as often as they may stand there."""
        return tuple(record for record in self.records for _ in range(record.repeat))

    @functools.cached_property
    def read_rules(self) -> Rules:
        """The rule for reading each record: None for a free one, and no rules at all when every record is free.

        Only the records of a linear file have rules of their own; the records of any other have that of the file.
        """
        return _rules(record.read for record in self._ruled)

    @functools.cached_property
    def write_rules(self) -> Rules:
        """The rule for writing each record, as `read_rules`."""
        return _rules(record.write for record in self._ruled)

    @property
    def _ruled(self) -> "Sequence[Stored]":
        return self.slots if self.kind is FileKind.LINEAR else (self,) * max(1, self.count)

    @functools.cached_property
    def record_length(self) -> int:
        """Bytes of one record of a cyclic file, or of a file of fields."""
        return sum(record.length for record in self.records)

    def record(self, tag: int) -> Record | None:
        """The declared record with this tag."""
        return self._by_tag.get(tag)

    def identify(self, raw: bytes) -> Record | None:
        """The declared record whose tag, of one or two bytes, stands at the beginning of ``raw``."""
        return self._by_tag.get(raw[0], self._by_tag.get(int.from_bytes(raw[:2]))) if raw else None

    @functools.cached_property
    def _by_tag(self) -> dict[int, Record]:
        return {record.tag: record for record in self.records if record.tag is not None}

    @functools.cached_property
    def _decoders(self) -> tuple[tuple[slice, Decoder], ...]:
        ends = itertools.accumulate(record.length for record in self.records)
        return tuple(
            (slice(end - record.length, end), record._codec[1]) for end, record in zip(ends, self.records, strict=True)
        )

    @functools.cached_property
    def _encoders(self) -> tuple[Encoder, ...]:
        return tuple(record._codec[0] for record in self.records)

    @property
    def places(self) -> tuple[int, ...]:
        """Where each field of a row begins."""
        return tuple(place.start for place, _ in self._decoders)

    def decode_row(self, raw: bytes) -> tuple[Value, ...]:
        """The fields of one record of a cyclic file, or of a file of fields. Raises `DecodeError`."""
        if len(raw) != self.record_length:
            raise DecodeError("记录长度与规格不符", "the record has another length", where=self.address)
        row: list[Value] = []
        try:
            for place, decode in self._decoders:
                row.append(decode(raw[place]))
        except DecodeError as error:
            raise DecodeError(*error.text, where=self._column(len(row))) from None
        return tuple(row)

    def encode_row(self, values: Sequence[Value]) -> bytes:
        """One record of a cyclic file, or a file of fields, from its fields. Raises `InputError`."""
        if len(values) != len(self.records):
            raise InputError(
                f"需要 {len(self.records)} 个值", f"{len(self.records)} values are needed", where=self.address
            )
        row: list[bytes] = []
        try:
            for encode, value in zip(self._encoders, values, strict=True):
                row.append(encode(value))
        except InputError as error:
            raise InputError(*error.text, where=self._column(len(row))) from None
        return b"".join(row)

    def _column(self, index: int) -> str:
        return f"{self.address} {self.records[index].title.zh}"

    def decode_records(self, records: Sequence[bytes]) -> tuple[Item, ...]:
        """What the records of a linear file hold, by the tag that each returns and not by its number.

        Nothing is lost: a tag that the profile does not know, and a known one with unreadable content, keep
        their bytes in the item.
        """
        return tuple(self._item(raw) for raw in records)

    def _item(self, raw: bytes) -> Item:
        record = self.identify(raw)
        if record is None:
            return Item(raw, None, None)
        try:
            return Item(raw, record, record.decode(raw))
        except DecodeError as error:
            place = f"{self.address} {error.where}"
            return Item(raw, record, None, DecodeError(*error.text, where=place))

    @property
    def blank(self) -> tuple[bytes, ...]:
        """Contents of a file never written: the records of a linear file, none of a cyclic one, and for a
        transparent one a single element with all bytes FF."""
        if self.kind is FileKind.TRANSPARENT:
            return (b"\xff" * self.size,)
        return tuple(record.blank for record in self.slots) if self.kind is FileKind.LINEAR else ()


def _rules(texts: Iterable[str]) -> Rules:
    rules = tuple(None if text == "free" else access_rule(text) for text in texts)
    return rules if any(rules) else ()
