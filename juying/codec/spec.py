"""What a card is: applications, files, records, access rules and vectors.

These objects are immutable and shared; what is going on with one card lives in the sessions of `juying.card`.
They are read from TOML files by `juying.codec.profile`.
"""

import difflib
import functools
import itertools
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, field_validator, model_validator

from juying.codec.fields import Decoder, Encoder, FieldType, Value
from juying.codec.record import Content, HexBytes, HexNumber, Record, Rule, Source, Spec, Stored, Vector, Words, broken
from juying.codec.security import Key, KeyKind, Security
from juying.errors import DecodeError, InputError, ProfileError

__all__ = [
    "Application",
    "Content",
    "File",
    "FileKind",
    "Item",
    "Key",
    "KeyKind",
    "Profile",
    "Record",
    "Rule",
    "Security",
    "Source",
    "Spec",
    "Stored",
    "Vector",
    "nearest",
    "plain",
]


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
        _check_unique("标签", "tag", "tag", (f"{record.tag:02X}" for record in self.records))

    @property
    def sfi(self) -> int:
        """Short file identifier: the low five bits of the file identifier (our choice)."""
        return self.fid & 0x1F

    @property
    def address(self) -> str:
        """Application and file, as in ``SSSE/EF05``."""
        return f"{self.application}/{self.fid:04X}"

    @functools.cached_property
    def slots(self) -> tuple[Record, ...]:
        """Linear file: the record expected at number 1, 2, …, repeated ones as often as they may stand there."""
        return tuple(record for record in self.records for _ in range(record.repeat))

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


class Application(Spec):
    """A directory on the card. ``aid`` is None where no source tells it; such a one is selected by ``fid``."""

    name: str
    aid: HexBytes | None = None
    fid: HexNumber | None = None
    title: Words
    source: Source
    note: Words | None = None
    keys: tuple[Key, ...] = ()
    files: tuple[File, ...] = Field(alias="file")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_unique("密钥", "key", "name", (key.name for key in self.keys))
        _check_unique("密钥标识", "key id", "id", (f"{key.id:02X}" for key in self.keys))
        single = (key.kind for key in self.keys if key.kind is not KeyKind.EXTERNAL)
        _check_unique("密钥类型", "key of kind", "kind", single)
        _check_unique("文件", "file", "fid", (f"{file.fid:04X}" for file in self.files))
        for file in self.files:
            if file.application != self.name:
                raise broken(
                    "文件的 application 由所在应用决定",
                    "the application of a file is the one it stands in",
                    find=rf'application *= *"{re.escape(file.application)}"',
                )
            stored: tuple[Stored, ...] = (file, *file.records)
            for grant, name in re.findall(r"(key|mac):(\w+)", " ".join(f"{spec.read} {spec.write}" for spec in stored)):
                self._check_grant(file, grant, name)
            columns = () if file.kind is FileKind.LINEAR else file.records
            if any((column.read, column.write) != (file.read, file.write) for column in columns):
                raise broken(
                    f"{file.address} 的字段须沿用文件的读写规则",
                    f"the fields of {file.address} must have the rules of their file",
                    find=rf'fid *= *"{file.fid:04X}"',
                )
        return self

    def _check_grant(self, file: File, grant: str, name: str) -> None:
        kind = KeyKind.EXTERNAL if grant == "key" else KeyKind.MAINTENANCE
        known = {key.name for key in self.keys if key.kind is kind}
        if name not in known:
            near = nearest(name, known)
            raise broken(
                f"文件 {file.address} 的读写规则用了未声明的密钥 {grant}:{name}{near}",
                f"a rule of {file.address} names a key that is not declared: {grant}:{name}{near}",
                find=rf"{grant}:{name}\b",
            )

    def key(self, name: str) -> Key | None:
        """The key called ``name``."""
        return next((key for key in self.keys if key.name == name), None)

    def key_of(self, kind: KeyKind) -> Key | None:
        """The key of a kind of which there is only one."""
        return next((key for key in self.keys if key.kind is kind), None)


class Profile(Spec):
    """A card layout; ``version`` is what the card says of itself in SSSE/EF05 tag 03.

    ``historical`` are the 13 historical bytes of the virtual card's ATR, with zeros where the card serial goes.
    ``permit`` says whether a permit record is written encrypted under the card's seal key or for everyone to read.
    """

    name: str
    title: Words
    version: str
    protocol: Literal["T=0", "T=1"]
    historical: HexBytes
    note: Words | None = None
    permit: Literal["sealed", "open"] = "sealed"
    security: Security
    applications: tuple[Application, ...] = Field(alias="application")

    @field_validator("historical")
    @classmethod
    def _check_historical(cls, historical: bytes) -> bytes:
        if len(historical) != 13:
            raise broken("应为 13 字节", "13 bytes are needed")
        return historical

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        _check_unique("应用", "application", "name", (application.name for application in self.applications))
        for application in self.applications if self.permit == "sealed" else ():
            slots = any(file.content == "permit-slot" for file in application.files)
            if slots and application.key_of(KeyKind.SEAL) is None:
                raise broken(
                    f'{application.name} 有工作许可区，须有 kind = "seal" 的密钥，或声明 permit = "open"',
                    f'{application.name} has permit slots: it needs a key of kind "seal", or permit = "open"',
                    find=rf'name *= *"{re.escape(application.name)}"',
                )
        return self

    @functools.cached_property
    def files(self) -> tuple[File, ...]:
        """Every file of every application."""
        return tuple(file for application in self.applications for file in application.files)

    def application(self, name: str) -> Application:
        """The application called ``name``; `InputError` names the nearest if there is none."""
        for application in self.applications:
            if application.name == name:
                return application
        raise self._unknown("应用", "application", name, [entry.name for entry in self.applications])

    def application_by_aid(self, aid: bytes) -> Application | None:
        """The application with exactly this AID."""
        return next((application for application in self.applications if application.aid == aid), None)

    def file(self, address: str) -> File:
        """The file at ``SSSE/EF05`` or, as terminals write it, ``SSSEEF05``; `InputError` names the nearest."""
        file = self._addresses.get(address.upper().replace("/", ""))
        if file is None:
            raise self._unknown("文件", "file", address, [file.address for file in self.files])
        return file

    def by_field(self, field: str) -> "tuple[tuple[File, Record | None], ...]":
        """Where a model field is stored: ``(file, record)`` pairs, record None for a transparent file."""
        return self._fields.get(field, ())

    def fields(self) -> tuple[str, ...]:
        """The model fields that this profile stores."""
        return tuple(self._fields)

    @functools.cached_property
    def _addresses(self) -> dict[str, File]:
        return {file.address.replace("/", ""): file for file in self.files}

    @functools.cached_property
    def _fields(self) -> "dict[str, tuple[tuple[File, Record | None], ...]]":
        found: dict[str, tuple[tuple[File, Record | None], ...]] = {}
        for file in self.files:
            stored: tuple[Stored, ...] = (file, *file.records)
            for spec in stored:
                if spec.field:
                    place = (file, spec if isinstance(spec, Record) else None)
                    found[spec.field] = (*found.get(spec.field, ()), place)
        return found

    def _unknown(self, zh: str, en: str, name: str, known: Sequence[str]) -> InputError:
        near = nearest(name, known)
        return InputError(f"规格中没有{zh} {name}{near}", f"the profile has no {en} {name}{near}", where=self.name)

    def check_vectors(self) -> int:
        """Decode and encode every vector; their number. `ProfileError` names the first that does not hold."""
        count = 0
        for file in self.files:
            for vector in file.vectors:
                self._check(vector, file.address, file.decode_row, file.encode_row)
            for record in file.records:
                for vector in record.vectors:
                    self._check(vector, f"{file.address} {record.tag:02X}", record.decode, record.encode)
            count += len(file.vectors) + sum(len(record.vectors) for record in file.records)
        return count

    def _check(
        self, vector: Vector, place: str, decode: Callable[[bytes], Content], encode: Callable[[Any], bytes]
    ) -> None:
        where = f"{self.name} {place}"
        try:
            content = decode(vector.hex)
            back = encode(content)
        except InputError as error:
            raise ProfileError(
                f"测试向量无效：{error.text.zh}", f"the vector does not hold: {error.text.en}", where=where
            ) from None
        if plain(content) != plain(vector.value) or back != vector.hex:
            raise ProfileError("测试向量的值与字节不符", "value and bytes of the vector do not agree", where=where)


def plain(content: Any) -> Any:
    """``content`` in the types of a TOML or JSON file: bytes as upper-case hex, tuples as lists."""
    if isinstance(content, bytes):
        return content.hex().upper()
    if isinstance(content, tuple | list):
        return [plain(value) for value in content]
    return content


def nearest(name: str, known: Collection[str]) -> str:
    """The known name most like ``name``, ready to be appended to a message, or ""."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" ({near[0]}?)" if near else ""


def _check_unique(zh: str, en: str, key: str, names: Iterable[str]) -> None:
    """Raise when two of ``names``, all values of ``key``, are the same."""
    for name, times in Counter(names).items():
        if times > 1:
            raise broken(f"{zh} {name} 重复", f"the {en} {name} is declared twice", find=rf'{key} *= *"{name}"')
