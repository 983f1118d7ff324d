"""What a card is: applications, files, records, access rules and vectors.

These objects are immutable and shared; what is going on with one card lives in the sessions of `juying.card`.
They are read from TOML files by `juying.codec.profile`.
"""

import difflib
import functools
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from juying.codec.file import File, FileKind, Item
from juying.codec.record import (
    Content,
    HexBytes,
    HexNumber,
    Record,
    Rule,
    Source,
    Spec,
    Stored,
    Vector,
    Words,
    broken,
    check_unique,
)
from juying.codec.security import Key, KeyKind, Security
from juying.errors import InputError, ProfileError

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
        check_unique("密钥", "key", "name", (key.name for key in self.keys))
        check_unique("密钥标识", "key id", "id", (f"{key.id:02X}" for key in self.keys))
        single = (key.kind for key in self.keys if key.kind is not KeyKind.EXTERNAL)
        check_unique("密钥类型", "key of kind", "kind", single)
        check_unique("文件", "file", "fid", (f"{file.fid:04X}" for file in self.files))
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
        check_unique("应用", "application", "name", (application.name for application in self.applications))
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

    def chains(self, field: str) -> "tuple[tuple[tuple[File, Record], ...], ...]":
        """The records of a model field, each together with those that continue it."""
        return self._chains.get(field, ())

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

    @functools.cached_property
    def _chains(self) -> "dict[str, tuple[tuple[tuple[File, Record], ...], ...]]":
        found: dict[str, dict[tuple[str, int | None], list[tuple[File, Record]]]] = {}
        for field, places in self._fields.items():
            chains = found.setdefault(field, {})
            for file, record in places:
                if record is not None:
                    chains.setdefault((file.address, record.continues or record.tag), []).append((file, record))
        return {field: tuple(map(tuple, chains.values())) for field, chains in found.items()}

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
