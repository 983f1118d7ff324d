"""Key ceremonies: a key in components that several people hold, none of whom knows anything of the key.

The key is the exclusive-or of its components, as usual for keys of payment and bank cards. Each component has a check
value of its own, made as that of a key, so that a slip of the pen is found at once and with the person who made it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from juying.crypto import strict
from juying.crypto.key_set import KeyKind, StoredKey, check_value, wipe
from juying.errors import DecodeError, InputError, KeyUseError
from juying.files import create

FEWEST, MOST = 2, 9
_FORMAT, _VERSION = "juying-key-component", 1
_MAX_FILE = 4096
_MEMBERS = {
    "format": str,
    "version": int,
    "name": str,
    "kind": str,
    "city": str,
    "number": int,
    "of": int,
    "component": str,
    "check_value": str,
    "key_check_value": str,
}


def split(key: bytes | bytearray, count: int) -> list[bytearray]:
    """``count`` components (2 to 9): all but the last are random, the last makes their exclusive-or the key."""
    if not FEWEST <= count <= MOST:
        raise InputError(f"分量为 {FEWEST} 至 {MOST} 个", f"there are {FEWEST} to {MOST} components")
    components = [bytearray(secrets.token_bytes(len(key))) for _ in range(count - 1)]
    last = bytearray(key)
    for component in components:
        _add(last, component)
    return [*components, last]


class Joining:
    """Components on their way to a key: one after the other, each refused when it cannot be right.

    A context manager that wipes what it has at its end.
    """

    __slots__ = ("_components", "count", "kind")

    def __init__(self, kind: KeyKind, count: int) -> None:
        """For a key of ``kind`` in ``count`` components (2 to 9). Raises InputError."""
        if kind.signs:
            raise InputError(
                "签名密钥不分成分量", "signing keys do not come in components: import them from a PEM file"
            )
        if not FEWEST <= count <= MOST:
            raise InputError(f"分量为 {FEWEST} 至 {MOST} 个", f"there are {FEWEST} to {MOST} components")
        self.kind = kind
        self.count = count
        self._components: list[bytearray] = []

    @property
    def entered(self) -> int:
        """How many are there."""
        return len(self._components)

    def add(self, component: bytearray, expected: bytes) -> None:
        """Take the next component, which becomes ours; ``expected`` is the check value that its holder knows.

        InputError when the length or the check value is wrong, or when the component is there already: entered twice,
        it would cancel itself. What was entered before stays.
        """
        where = f"{self.entered + 1}/{self.count}"
        if len(component) != self.kind.length:
            raise InputError(
                f"分量须为 {self.kind.length * 2} 个十六进制数字",
                f"a component has {self.kind.length * 2} hexadecimal digits",
                where=where,
            )
        if not secrets.compare_digest(check_value(self.kind, component), expected):
            raise InputError(
                "校验值不符，请重新输入分量", "the check value differs: enter the component again", where=where
            )
        if not any(component) or any(secrets.compare_digest(component, held) for held in self._components):
            raise InputError(
                "该分量已输入过，或全为零", "this component was entered before, or is all zeros", where=where
            )
        self._components.append(component)

    def key(self) -> bytearray:
        """The key, a copy of its own; KeyUseError while components are missing."""
        if self.entered < self.count:
            raise KeyUseError("分量不全", "components are missing", where=f"{self.entered}/{self.count}")
        key = bytearray(self.kind.length)
        for component in self._components:
            _add(key, component)
        return key

    def close(self) -> None:
        """Wipe the components."""
        for component in self._components:
            wipe(component)
        self._components.clear()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe."""
        self.close()

    def __repr__(self) -> str:
        """How far it is."""
        return f"Joining({self.kind}, {self.entered} of {self.count})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentFile:
    """A component with what belongs to it, as it is kept on a sheet or a data carrier of its own."""

    name: str
    kind: KeyKind
    city: str
    number: int
    of: int
    component: bytearray
    key_check_value: bytes

    @classmethod
    def of_key(cls, key: StoredKey, count: int) -> "list[ComponentFile]":
        """A key in components. InputError when it is one that signs, or ``count`` is not 2 to 9."""
        Joining(key.kind, count).close()
        return [
            cls(
                name=key.name,
                kind=key.kind,
                city=key.city,
                number=number,
                of=count,
                component=component,
                key_check_value=key.check_value,
            )
            for number, component in enumerate(split(key.material, count), 1)
        ]

    @property
    def check_value(self) -> bytes:
        """Three bytes."""
        return check_value(self.kind, self.component)

    def save(self, path: Path) -> None:
        """Write to a new file that only its owner reads; InputError when it exists or cannot be written."""
        values = (
            _FORMAT,
            _VERSION,
            self.name,
            self.kind.value,
            self.city,
            self.number,
            self.of,
            self.component.hex().upper(),
            self.check_value.hex().upper(),
            self.key_check_value.hex().upper(),
        )
        try:
            create(path, strict.write(dict(zip(_MEMBERS, values, strict=True))) + b"\n", private=True)
        except OSError as error:
            raise InputError(
                f"不能新建分量文件（{error.strerror}）",
                f"the component's file cannot be created ({error.strerror})",
                where=str(path),
            ) from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read one back. InputError when it cannot be read; DecodeError when it is no component, or damaged."""
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_FILE + 1)
        except OSError as error:
            raise InputError(
                f"文件读不出来（{error.strerror}）", f"the file cannot be read ({error.strerror})", where=str(path)
            ) from None
        try:
            values = strict.members(strict.parse(data), _MEMBERS)
            found = cls(
                name=values["name"],
                kind=KeyKind(values["kind"]),
                city=values["city"],
                number=values["number"],
                of=values["of"],
                component=bytearray.fromhex(values["component"]),
                key_check_value=bytes.fromhex(values["key_check_value"]),
            )
            right = (values["format"], values["version"]) == (_FORMAT, _VERSION)
            if not right or len(found.component) != found.kind.length or not 0 < found.number <= found.of <= MOST:
                raise ValueError
            if found.check_value != bytes.fromhex(values["check_value"]):
                raise ValueError
        except ValueError:
            raise DecodeError(
                "不是密钥分量文件，或已损坏", "this is no component of a key, or it is damaged", where=str(path)
            ) from None
        return found

    def __repr__(self) -> str:
        """Everything but the component."""
        return f"ComponentFile({self.name}, {self.kind}, {self.number} of {self.of})"


def join(files: Sequence[ComponentFile]) -> StoredKey:
    """The key of all its component files, in any order. InputError when some are missing, or of another key."""
    first = files[0]
    same = all(_whose(file) == _whose(first) for file in files)
    if not same or sorted(file.number for file in files) != list(range(1, first.of + 1)):
        raise InputError(
            f"须有同一密钥的全部 {first.of} 个分量，各一个",
            f"all {first.of} components of one key are needed, each once",
            where=first.name,
        )
    with Joining(first.kind, first.of) as joining:
        for file in files:
            joining.add(file.component, file.check_value)
        key = StoredKey.symmetric(first.name, first.kind, joining.key(), city=first.city)
    if key.check_value != first.key_check_value:
        raise InputError("分量合成的密钥校验值不符", "the check value of the joined key differs", where=first.name)
    return key


def parse_component(text: str) -> bytearray:
    """Hexadecimal digits as people type them, in groups or not; InputError, which repeats nothing, for others."""
    try:
        return bytearray.fromhex(text.replace("-", " "))
    except ValueError:
        raise InputError("分量须为十六进制数字", "a component is made of hexadecimal digits") from None


def grouped(component: bytes | bytearray) -> str:
    """A component as people write it down: groups of four digits."""
    return component.hex(" ", 2).upper()


def _whose(file: ComponentFile) -> tuple[object, ...]:
    return file.name, file.kind, file.city, file.of, file.key_check_value


def _add(key: bytearray, component: bytearray) -> None:
    for index, byte in enumerate(component):
        key[index] ^= byte
