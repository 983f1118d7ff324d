"""How messages are laid out: dataclasses whose fields say where their values stand.

Messages are frozen, and made in one go from a mapping: a question is one of thousands in a minute, and setting the
forty fields of an answer one by one would take as long as reading them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, TypeVar, dataclass_transform

from juying.errors import FieldError
from juying.services.library.kinds import TEXT, Kind
from juying.text import Text

MAX_VALUE = 255
"""Characters of the value of a named field (by the book)."""
CODE = re.compile("[0-9A-Za-z]{2}")
_UNSAFE = re.compile(r"[|\x00-\x1f\x7f]")


class Fixed(NamedTuple):
    """A field without a name, at ``place`` (in characters)."""

    name: str
    place: slice
    kind: Kind


class Named(NamedTuple):
    """A field with a code of two characters."""

    name: str
    code: str
    kind: Kind
    required: bool
    repeated: bool


class Layout(NamedTuple):
    """What a message looks like; ``end`` is where its fixed part ends."""

    type: "type[Message]"
    fixed: tuple[Fixed, ...]
    end: int
    named: tuple[Named, ...]
    required: tuple[tuple[str, str, Any], ...]
    """Name, code and what an absent one is, of the required fields."""
    fixed_names: tuple[str, ...]
    fixed_places: tuple[slice, ...]
    fixed_readers: tuple[Callable[[str], Any], ...]
    fixed_values: Callable[[Any], tuple[Any, ...]]
    """Takes the values of the fixed fields out of a message."""
    fixed_writers: tuple[Callable[[Any], str], ...]
    """Write these; ValueError for one that does not fit."""
    named_values: Callable[[Any], tuple[Any, ...]]
    """Takes those of the named fields."""
    named_writers: tuple[Callable[[Any], str], ...]
    """Write these, with codes and ends."""
    readers: Mapping[str, tuple[str, Callable[[str], Any], bool]]
    """Name, reader and whether it is repeated, by code."""

    def make(self, values: Mapping[str, Any]) -> "Message":
        """A message of values that are known to be complete."""
        made = object.__new__(self.type)
        made.__dict__.update(values)
        return made


@dataclass(frozen=True, kw_only=True)
class Message:
    """What all messages share."""

    id: ClassVar[str] = ""
    answer: ClassVar[str] = ""
    """The id of the answer, for a request."""
    repeatable: ClassVar[bool] = False
    """Whether a request may be sent again when nobody knows what became of it."""

    extra: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Fields that the table does not know: code and value."""


LAYOUTS: dict[str, Layout] = {}
"""Every message by its id."""

M = TypeVar("M", bound=Message)


def fixed(kind: Kind, width: int, default: Any = MISSING) -> Any:
    """A fixed field of ``width`` characters."""
    return field(default=default, metadata={"kind": kind, "width": width})


def named(code: str, kind: Kind = TEXT, *, required: bool = False, repeated: bool = False, open: bool = False) -> Any:
    """The field with the ``code``; only an ``open`` one is nobody's, and shown in ``repr``."""
    default: Any = () if repeated else MISSING if required else None
    return field(
        default=default,
        repr=open,
        metadata={"kind": kind, "code": code, "required": required, "repeated": repeated},
    )


@dataclass_transform(kw_only_default=True, frozen_default=True)
def message(id: str, *, answer: str = "", repeatable: bool = False) -> Callable[[type[M]], type[M]]:
    """Make a class the message with this ``id``."""

    def enter(kind: type[M]) -> type[M]:
        made = dataclass(frozen=True, kw_only=True)(kind)
        made.id, made.answer, made.repeatable = id, answer, repeatable
        made.__init__ = _initialiser(made)  # type: ignore[method-assign]
        LAYOUTS[id] = _layout(made)
        return made

    return enter


def _initialiser(kind: type[Message]) -> Callable[..., None]:
    """Takes what is given; the rest are the defaults that the class holds."""
    known = frozenset(member.name for member in fields(kind))
    needed = frozenset(member.name for member in fields(kind) if member.default is MISSING)

    def initialise(self: Message, **values: object) -> None:
        if not (known.issuperset(values) and values.keys() >= needed):
            wrong = (needed - values.keys()) | (values.keys() - known)
            raise TypeError(f"{kind.__name__}: missing or unknown: {', '.join(sorted(wrong))}")
        self.__dict__.update(values)

    return initialise


def _layout(kind: type[Message]) -> Layout:
    place = 2
    fixed_fields, named_fields = [], []
    for member in fields(kind):
        data = member.metadata
        if "width" in data:
            fixed_fields.append(Fixed(member.name, slice(place, place + data["width"]), data["kind"]))
            place += data["width"]
        elif "code" in data:
            named_fields.append(Named(member.name, data["code"], data["kind"], data["required"], data["repeated"]))
    return Layout(
        kind,
        tuple(fixed_fields),
        place,
        tuple(named_fields),
        tuple((each.name, each.code, each.kind.empty) for each in named_fields if each.required),
        tuple(each.name for each in fixed_fields),
        tuple(each.place for each in fixed_fields),
        tuple(each.kind.read for each in fixed_fields),
        _getter(each.name for each in fixed_fields),
        tuple(each.kind.write for each in fixed_fields),
        _getter(each.name for each in named_fields),
        tuple(map(_writer, named_fields)),
        {each.code: (each.name, each.kind.read, each.repeated) for each in named_fields},
    )


def _getter(names: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    """As `operator.attrgetter`, which gives no tuple for a single name and wants at least one."""
    names = tuple(names)
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


def _writer(named: Named) -> Callable[[Any], str]:
    """Writes the field with its code and end: nothing for None, or as many as there are values."""
    name, code, kind, _, repeated = named
    write = kind.write
    if repeated:
        return lambda value: "".join([written(name, code, write(each)) for each in value])
    if kind is not TEXT:
        return lambda value: "" if value is None else f"{code}{write(value)}|"
    return lambda value: "" if value is None else written(name, code, value)


def written(name: str, code: str, value: str) -> str:
    """A named field as it is sent. Nothing can be escaped, so what would end it early is refused with `FieldError`."""
    if "|" in value or len(value) > MAX_VALUE or (not value.isprintable() and _UNSAFE.search(value)):
        raise refused(
            name,
            "含有“|”或控制字符，或过长",
            "has a “|” or a control character, or is too long",
            f"最多 {MAX_VALUE} 个字符，没有转义",
            f"at most {MAX_VALUE} characters, nothing can be escaped",
        )
    return f"{code}{value}|"


def write_extra(extra: tuple[tuple[str, str], ...]) -> str:
    """Fields that no table knows, as they are sent; raises `FieldError`."""
    for code, _ in extra:
        if not CODE.fullmatch(code):
            raise refused("extra", "代码无效", "has an invalid code", "代码为两个字符", "codes have two characters")
    return "".join([written("extra", code, value) for code, value in extra])


def refused(field: str, zh: str, en: str, rule_zh: str, rule_en: str) -> FieldError:
    """The error about a field that cannot be sent; it does not hold the value."""
    return FieldError(field, Text(zh, en), Text(f"SIP2：{rule_zh}", f"SIP2: {rule_en}"))
