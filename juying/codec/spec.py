"""What a card is: applications, files, records, access rules and vectors.

These objects are immutable and shared; what is going on with one card lives in the sessions of `juying.card`.
They are read from TOML files by `juying.codec.profile`.
"""

import difflib
import functools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from juying.codec import tlv
from juying.codec.fields import FIXED_LENGTHS, Decoder, Encoder, FieldType, Value, decoder, encoder
from juying.errors import DecodeError, InputError, ProfileError
from juying.text import Text

Content = Value | tuple[Value, ...]
"""What one record holds: a value, or a tuple of values for a list record."""


def _hex_number(value: object) -> object:
    return int(value, 16) if isinstance(value, str) and re.fullmatch(r"(?:[0-9A-F]{2})+", value) else value


def _hex_bytes(value: object) -> object:
    return bytes.fromhex(value) if isinstance(value, str) and re.fullmatch(r"(?:[0-9A-F]{2})+", value) else value


HexNumber = Annotated[int, BeforeValidator(_hex_number), PlainSerializer(lambda number: f"{number:02X}")]
HexBytes = Annotated[bytes, BeforeValidator(_hex_bytes), PlainSerializer(lambda raw: raw.hex().upper())]
Source = Literal["standard", "observed", "ours"]
_GRANT = r"(pin|key:\w+)"
Rule = Annotated[str, Field(pattern=rf"^(free|never|debit|{_GRANT}( or {_GRANT})*|{_GRANT}( and {_GRANT})+)$")]
"""Access rule: ``free``, ``never``, ``debit`` (the purse command only), or ``pin`` and ``key:NAME`` joined by one
of ``or`` and ``and``."""


class FileKind(StrEnum):
    """Structure of an elementary file (ISO 7816-4)."""

    LINEAR = "linear"
    TRANSPARENT = "transparent"
    CYCLIC = "cyclic"


class Spec(BaseModel):
    """Base of all: immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Vector(Spec):
    """Bytes as they stand on a card, and what they mean; bytes are given as upper-case hex digits."""

    hex: HexBytes
    value: Any


class Key(Spec):
    """A key of the card: ``id`` is P2 of EXTERNAL AUTHENTICATE, the others say where a PSAM holds it."""

    name: str
    id: HexNumber | None = None
    psam_usage: HexNumber | None = None
    psam_id: HexNumber | None = None
    source: Source
    note: Text | None = None


class Stored(Spec):
    """What a file and a record have in common.

    ``read`` and ``write`` are access rules, ``field`` connects to the model, ``personal`` and ``secret`` say what
    must not leave the card in a trace.
    """

    title: Text
    source: Source
    read: Rule
    write: Rule
    field: str = ""
    personal: bool = False
    secret: bool = False
    note: Text | None = None
    vectors: tuple[Vector, ...] = ()


class Record(Stored):
    """One record of a linear file, one part of a list record, or one field of a cyclic record.

    ``length`` counts the bytes of the value, without tag and length byte. ``continues`` names the tag whose text
    overflows into this record. Records of a linear file have ``tag`` and ``number``, parts a ``tag``, fields of a
    cyclic record neither.
    """

    type: FieldType
    number: int = 0
    repeat: int = Field(default=1, ge=1)
    tag: HexNumber | None = None
    length: int = Field(default=0, ge=0, le=255)
    continues: HexNumber | None = None
    parts: "tuple[Record, ...]" = ()

    @model_validator(mode="before")
    @classmethod
    def _fill_length(cls, data: dict[str, Any]) -> dict[str, Any]:
        if "length" in data:
            return data
        length = FIXED_LENGTHS.get(data.get("type", ""), 0)
        if data.get("type") == FieldType.LIST and isinstance(data.get("parts"), list):
            fixed = (part.get("length", FIXED_LENGTHS.get(part.get("type"), 0)) for part in data["parts"])
            length = sum(2 + part for part in fixed)
        return {**data, "length": length}

    @model_validator(mode="after")
    def _check_type(self) -> Self:
        if (self.type is FieldType.LIST) != bool(self.parts):
            raise ValueError("type list needs parts, other types have none")
        if self.length < 1 or self.length != FIXED_LENGTHS.get(self.type, self.length):
            raise ValueError("length is missing or does not suit the type")
        return self

    @functools.cached_property
    def _codec(self) -> tuple[Encoder, Decoder]:
        return encoder(self.type, self.length), decoder(self.type)

    def encode_value(self, content: Content) -> bytes:
        """The value bytes, without tag and length. Raises `InputError` for what does not fit."""
        if not self.parts or content is None:
            return b"\xff" * self.length if content is None else self._codec[0](content)  # type: ignore[arg-type]
        if not isinstance(content, tuple) or len(content) != len(self.parts):
            raise InputError(f"需要 {len(self.parts)} 个值的列表", f"a list of {len(self.parts)} values is needed")
        return b"".join(part.encode(value) for part, value in zip(self.parts, content, strict=True))

    def decode_value(self, raw: bytes) -> Content:
        """The value in ``raw``, or `None` if it was never written. Raises `DecodeError`."""
        if not self.parts:
            return self._codec[1](raw)
        if raw.count(0xFF) == len(raw):
            return None
        found = tlv.parse(raw)
        if [(tag, len(value)) for tag, value in found] != [(part.tag, part.length) for part in self.parts]:
            raise DecodeError("列表记录的结构不符", "the list record has another structure")
        return tuple(part._codec[1](value) for part, (_, value) in zip(self.parts, found, strict=True))

    def encode(self, content: Content) -> bytes:
        """The whole record: tag, length and value."""
        try:
            return bytes((self.tag or 0, self.length)) + self.encode_value(content)
        except InputError as error:
            raise InputError(*error.text, where=self._place) from None

    def decode(self, record: bytes) -> Content:
        """The value of a whole record; `DecodeError` if it is another record or no such value."""
        if record[:2] != bytes((self.tag or 0, self.length)) or len(record) != 2 + self.length:
            raise DecodeError("标签或长度与规格不符", "tag or length differ from the profile", where=self._place)
        try:
            return self.decode_value(record[2:])
        except DecodeError as error:
            raise DecodeError(*error.text, where=self._place) from None

    @property
    def blank(self) -> bytes:
        """The whole record as it stands on a card to which it was never written."""
        return self.encode(None)

    @property
    def _place(self) -> str:
        return f"{self.tag:02X} {self.title.zh}" if self.tag else self.title.zh


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
    ``content`` says what a transparent file is for. ``optional`` files exist in some regions only.
    """

    application: str
    fid: HexNumber
    kind: FileKind
    optional: bool = False
    size: int = Field(default=0, ge=0, le=0xFFFF)
    content: Literal["", "photo", "fingerprint", "permit-slot", "reserved", "raw"] = ""
    count: int = Field(default=0, ge=0, le=254)
    records: tuple[Record, ...] = ()

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        linear, cyclic = self.kind is FileKind.LINEAR, self.kind is FileKind.CYCLIC
        if bool(self.size) != (self.kind is FileKind.TRANSPARENT) or bool(self.content) != bool(self.size):
            raise ValueError("a transparent file has size and content, others have neither")
        if bool(self.count) != cyclic or bool(self.records) != (linear or cyclic):
            raise ValueError("a linear file has records, a cyclic one records and count, a transparent one neither")
        if cyclic and not self.vectors:
            raise ValueError("a cyclic file needs at least one vector")
        number = 1
        for record in self.records:
            if linear and (record.tag is None or not record.vectors):
                raise ValueError(f"record {record.number}: needs a tag and at least one vector")
            if record.number != (number if linear else 0):
                raise ValueError(f"record {record.number}: number {number if linear else 0} expected")
            number += record.repeat
        tags = [record.tag for record in self.records]
        if linear and len(tags) != len(set(tags)):
            raise ValueError("a tag is declared twice; use repeat")
        return self

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

    @property
    def record_length(self) -> int:
        """Bytes of one record of a cyclic file."""
        return sum(record.length for record in self.records)

    def record(self, tag: int) -> Record | None:
        """The declared record with this tag."""
        return self._by_tag.get(tag)

    @functools.cached_property
    def _by_tag(self) -> dict[int, Record]:
        return {record.tag: record for record in self.records if record.tag is not None}

    @functools.cached_property
    def _columns(self) -> tuple[tuple[slice, Decoder, Encoder, Record], ...]:
        columns, start = [], 0
        for record in self.records:
            columns.append((slice(start, start + record.length), record._codec[1], record._codec[0], record))
            start += record.length
        return tuple(columns)

    def decode_row(self, raw: bytes) -> tuple[Value, ...]:
        """The fields of one record of a cyclic file. Raises `DecodeError`."""
        if len(raw) != self.record_length:
            raise DecodeError("记录长度与规格不符", "the record has another length", where=self.address)
        return tuple([decode(raw[place]) for place, decode, _, _ in self._columns])

    def encode_row(self, values: Sequence[Value]) -> bytes:
        """One record of a cyclic file from its fields. Raises `InputError`."""
        if len(values) != len(self._columns):
            raise InputError(
                f"需要 {len(self._columns)} 个值",
                f"{len(self._columns)} values are needed",
                where=self.address,
            )
        return b"".join([encode(value) for (_, _, encode, _), value in zip(self._columns, values, strict=True)])

    def decode_records(self, records: Sequence[bytes]) -> tuple[Item, ...]:
        """What the records of a linear file hold, by the tag that each returns and not by its number.

        Nothing is lost: a tag that the profile does not know, and a known one with unreadable content, keep
        their bytes in the item.
        """
        return tuple(self._item(raw) for raw in records)

    def _item(self, raw: bytes) -> Item:
        record = self._by_tag.get(raw[0]) if raw else None
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
    title: Text
    source: Source
    note: Text | None = None
    keys: tuple[Key, ...] = ()
    files: tuple[File, ...] = Field(alias="file")

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        known = {key.name for key in self.keys}
        for file in self.files:
            stored: tuple[Stored, ...] = (file, *file.records)
            for spec in stored:
                for name in re.findall(r"key:(\w+)", f"{spec.read} {spec.write}"):
                    if name not in known:
                        near = nearest(name, known)
                        raise PydanticCustomError(
                            "unknown_key",
                            "rule of {file} names a key that is not declared: {token}{near}",
                            {"file": file.address, "token": f"key:{name}", "near": near},
                        )
        return self


class Profile(Spec):
    """A card layout; ``version`` is what the card says of itself in SSSE/EF05 tag 03.

    ``historical`` are the 13 historical bytes of the virtual card's ATR, with zeros where the card serial goes.
    """

    name: str
    title: Text
    version: str
    protocol: Literal["T=0", "T=1"]
    historical: Annotated[HexBytes, Field(min_length=13, max_length=13)]
    note: Text | None = None
    applications: tuple[Application, ...] = Field(alias="application")

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
                self._check(file, vector, file.decode_row, file.encode_row)
                count += 1
            for record in file.records:
                for vector in record.vectors:
                    self._check(file, vector, record.decode, record.encode)
                    count += 1
        return count

    def _check(self, file: File, vector: Vector, decode: Any, encode: Any) -> None:
        place = f"{self.name} {file.address} {vector.hex[:1].hex().upper()}"
        try:
            content = decode(vector.hex)
            back = encode(content)
        except InputError as error:
            raise ProfileError(
                f"测试向量无效：{error.text.zh}", f"the vector does not hold: {error.text.en}", where=place
            ) from None
        if plain(content) != plain(vector.value) or back != vector.hex:
            raise ProfileError("测试向量的值与字节不符", "value and bytes of the vector do not agree", where=place)


def plain(content: Any) -> Any:
    """``content`` in the types of a TOML or JSON file: bytes as upper-case hex, tuples as lists."""
    if isinstance(content, bytes):
        return content.hex().upper()
    if isinstance(content, tuple | list):
        return [plain(value) for value in content]
    return content


def nearest(name: str, known: Collection[str]) -> str:
    """The known name most like ``name``, ready to be appended to a message, or ""."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" ({near[0]}?)" if near else ""
