"""What one record of a card is: tag, type, length, access rules, vectors, and its bytes.

The other half of `juying.codec.spec`, which holds what records are part of.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from juying.codec import tlv
from juying.codec.fields import FIXED_LENGTHS, Decoder, Encoder, FieldType, Value, decoder, encoder
from juying.errors import DecodeError, InputError
from juying.text import Text

Content = Value | tuple[Value, ...]
"""What one record holds: a value, or a tuple of values for a list record."""


def broken(zh: str, en: str, *, find: str = "") -> PydanticCustomError:
    """A rule of the format is broken; ``find`` is a regular expression that finds the place in the file."""
    return PydanticCustomError("profile", "{en}", {"zh": zh, "en": en, "find": find})


def check_unique(zh: str, en: str, key: str, names: Iterable[str]) -> None:
    """Raise when two of ``names``, all values of ``key``, are the same."""
    for name, times in Counter(names).items():
        if times > 1:
            raise broken(f"{zh} {name} 重复", f"the {en} {name} is declared twice", find=rf'{key} *= *"{name}"')


def _hex_bytes(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9A-F]{2})+", value):
        raise broken("应为引号内的大写十六进制数，每字节两位", "upper-case hex digits in quotes, two per byte")
    return bytes.fromhex(value)


def _hex_number(value: object) -> int:
    return int.from_bytes(_hex_bytes(value), "big")


def _hex_digits(number: int) -> str:
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big").hex().upper()


_HexText = Annotated[str, Field(pattern="^([0-9A-F]{2})+$")]
HexNumber = Annotated[
    int, BeforeValidator(_hex_number, json_schema_input_type=_HexText), PlainSerializer(_hex_digits, return_type=str)
]
HexBytes = Annotated[
    bytes,
    BeforeValidator(_hex_bytes, json_schema_input_type=_HexText),
    PlainSerializer(lambda raw: raw.hex().upper(), return_type=str),
]
Words = Annotated[
    Text,
    PlainSerializer(Text._asdict, return_type=dict[str, str]),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {"zh": {"type": "string"}, "en": {"type": "string"}},
            "required": ["zh", "en"],
            "additionalProperties": False,
        }
    ),
]
"""A text in Chinese and English, in a file ``{ zh = "…", en = "…" }``."""
Source = Literal["standard", "observed", "ours"]
_GRANT = r"(pin|key:\w+|mac:\w+)"
Rule = Annotated[str, Field(pattern=rf"^(free|never|debit|{_GRANT}( or {_GRANT})*|{_GRANT}( and {_GRANT})+)$")]
"""Access rule: ``free``, ``never``, ``debit`` (the purse command only), or ``pin``, ``key:NAME`` and ``mac:NAME``
joined by one of ``or`` and ``and``; see `juying.codec.rules`."""


class Spec(BaseModel):
    """Base of all: immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Vector(Spec):
    """Bytes as they stand on a card, and what they mean; bytes are given as upper-case hex digits."""

    hex: HexBytes
    value: Any


class Stored(Spec):
    """What a file and a record have in common.

    ``read`` and ``write`` are access rules, ``field`` connects to the model, ``personal`` and ``secret`` say what
    must not leave the card in a trace.
    """

    title: Words
    source: Source
    read: Rule
    write: Rule
    field: str = ""
    personal: StrictBool = False
    secret: StrictBool = False
    note: Words | None = None
    vectors: tuple[Vector, ...] = ()


class Record(Stored):
    """One record of a linear file, one part of a list record, or one field of a cyclic record.

    ``length`` counts the bytes of the value, without tag and length byte; it may be left out where it follows from
    the type. ``continues`` names the tag whose text overflows into this record. Records of a linear file have
    ``tag`` and ``number``, fields of a cyclic record neither. The parts of a list each have a ``tag``, or none has
    and they stand one after the other. A tag of two bytes is the identifier of a transport record.
    """

    type: FieldType
    number: StrictInt = 0
    repeat: StrictInt = Field(default=1, ge=1)
    tag: HexNumber | None = None
    continues: HexNumber | None = None
    parts: "tuple[Record, ...]" = ()
    length: StrictInt = Field(default=0, validate_default=True)

    @field_validator("tag", "continues")
    @classmethod
    def _check_tag(cls, tag: int | None) -> int | None:
        if tag is not None and not (0x01 <= tag <= 0xFE or 0x0100 <= tag <= 0xFEFF):
            raise broken(
                "标签应在 01 与 FE 之间，或为两字节标识",
                "a tag lies between 01 and FE, or is an identifier of two bytes",
            )
        return tag

    @field_validator("length")
    @classmethod
    def _settle_length(cls, length: int, info: ValidationInfo) -> int:
        if "type" not in info.data or "parts" not in info.data:
            return length  # they are wrong themselves
        natural = FIXED_LENGTHS.get(info.data["type"]) or sum(
            part.length + 2 * (part.tag is not None) for part in info.data["parts"]
        )
        settled = length or natural
        if natural not in (0, settled) or not 0 < settled <= 0xFF:
            raise broken("长度缺失或与类型不符", "the length is missing or does not suit the type")
        return settled

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if (self.type is FieldType.LIST) != bool(self.parts):
            raise broken("list 类型须有 parts，其他类型没有", "type list has parts, other types have none")
        tagged = {part.tag is not None for part in self.parts}
        if len(tagged) > 1 or any(
            (part.tag or 0) > 0xFF or part.parts or part.number or part.repeat > 1 for part in self.parts
        ):
            raise broken(
                "parts 各有一字节标签或都没有标签，没有 number、repeat 和自己的 parts",
                "each of the parts has a tag of one byte, or none has; none has number, repeat or parts of its own",
            )
        return self

    @functools.cached_property
    def _codec(self) -> tuple[Encoder, Decoder]:
        return encoder(self.type, self.length), decoder(self.type)

    @functools.cached_property
    def _head(self) -> bytes:
        tag = self.tag or 0
        return tag.to_bytes(1 + (tag > 0xFF)) + bytes((self.length,))

    @functools.cached_property
    def _packed(self) -> bool:
        """Whether this is a list whose parts have no tags."""
        return bool(self.parts) and self.parts[0].tag is None

    def encode_value(self, content: Content) -> bytes:
        """The value bytes, without tag and length. Raises `InputError` for what does not fit."""
        if not self.parts:
            return self._codec[0](content)
        if content is None:
            return b"\xff" * self.length
        if not isinstance(content, tuple) or len(content) != len(self.parts):
            raise InputError(f"需要 {len(self.parts)} 个值的列表", f"a list of {len(self.parts)} values is needed")
        pairs = zip(self.parts, content, strict=True)
        if self._packed:
            return b"".join(part.encode_value(value) for part, value in pairs)
        return b"".join(part.encode(value) for part, value in pairs)

    def decode_value(self, raw: bytes) -> Content:
        """The value in ``raw``, or `None` if it was never written. Raises `DecodeError`."""
        if not self.parts:
            return self._codec[1](raw)
        if not raw.strip(b"\xff"):
            return None
        if self._packed:
            return tuple(part._codec[1](value) for part, value in cut(raw, self.parts))
        if not raw.strip(b"\x00"):
            return None
        found = tlv.parse(raw)
        if [(tag, len(value)) for tag, value in found] != [(part.tag, part.length) for part in self.parts]:
            raise DecodeError("列表记录的结构不符", "the list record has another structure")
        return tuple(part._codec[1](value) for part, (_, value) in zip(self.parts, found, strict=True))

    def encode(self, content: Content) -> bytes:
        """The whole record: tag, length and value."""
        try:
            return self._head + self.encode_value(content)
        except InputError as error:
            raise InputError(*error.text, where=f"{self._place} {error.where}".rstrip()) from None

    def decode(self, record: bytes) -> Content:
        """The value of a whole record; `DecodeError` if it is another record or no such value."""
        start = len(self._head)
        if record[:start] != self._head or len(record) != start + self.length:
            raise DecodeError("标签或长度与规格不符", "tag or length differ from the profile", where=self._place)
        try:
            return self.decode_value(record[start:])
        except DecodeError as error:
            raise DecodeError(*error.text, where=f"{self._place} {error.where}".rstrip()) from None

    @property
    def blank(self) -> bytes:
        """The whole record as it stands on a card to which it was never written."""
        return self.encode(None)

    @property
    def _place(self) -> str:
        return f"{self.tag:02X} {self.title.zh}" if self.tag else self.title.zh


def cut(raw: bytes, fields: Sequence[Record]) -> Iterator[tuple[Record, bytes]]:
    """Each of ``fields``, which stand one after the other, with its bytes; shorter at the end of what is there."""
    start = 0
    for field in fields:
        yield field, raw[start : start + field.length]
        start += field.length
