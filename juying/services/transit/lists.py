"""White list and black list of a gate, as the operator of the clearing hands them out.

A white list names who may ride though the card is from elsewhere: pairs of an issuer's code (8 hex digits) and the 8
digits that its card numbers begin with. A black list names single cards; it can be long, so it is kept as one row of
digits and searched by halves: a million numbers take 19 MB.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from itertools import islice
from operator import eq
from pathlib import Path
from typing import Self

from juying.credential.strict_json import read_bytes
from juying.errors import InputError

MAX_WHITE = 4 << 20
MAX_BLACK = 512 << 20
"""Bytes of a file (our choice): 25 million cards."""
NUMBER = 19
"""Digits of a card number."""
_HEADER = ("issuer", "iin")
_HEX = frozenset("0123456789ABCDEF")


class Listed(StrEnum):
    """What a white list says of a card; the numbers are the errors that terminals of the laboratory show."""

    YES = "listed"
    NO_ISSUER = "2449"
    NO_IIN = "5469"


@dataclass(frozen=True, slots=True)
class WhiteList:
    """Issuers (8 hex digits) that are taken here, each with the IINs (8 digits) of its cards."""

    issuers: Mapping[str, Set[str]]

    def look_up(self, issuer: str, iin: str) -> Listed:
        """Whether cards of this issuer and IIN are taken."""
        iins = self.issuers.get(issuer)
        if iins is None:
            return Listed.NO_ISSUER
        return Listed.YES if iin in iins else Listed.NO_IIN

    def __len__(self) -> int:
        """How many pairs there are."""
        return sum(map(len, self.issuers.values()))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a CSV file with the columns ``issuer,iin``, UTF-8; lines that begin with # are remarks.

        Raises `InputError` that names file and line.
        """
        issuers: dict[str, set[str]] = {}
        for place, row in _rows(path):
            issuer, iin = row[0].upper(), row[1]
            if len(issuer) != 8 or not _HEX.issuperset(issuer):
                raise InputError("issuer 须为 8 位十六进制数", "issuer has to be 8 hex digits", where=place)
            if len(iin) != 8 or not _digits(iin):
                raise InputError("iin 须为 8 位数字", "iin has to be 8 digits", where=place)
            known = issuers.setdefault(issuer, set())
            if iin in known:
                raise InputError("此行重复", "this line stands twice", where=place)
            known.add(iin)
        return cls(issuers)


def _rows(path: str | Path) -> Iterator[tuple[str, list[str]]]:
    lines = _text(path).splitlines()
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    for number, line in numbered:
        place = f"{path}:{number}"
        cells = [cell.strip() for cell in line.split(",")]
        if number == numbered[0][0]:
            _header(cells, place)
        elif len(cells) != len(_HEADER):
            raise InputError(f"须有 {len(_HEADER)} 列", f"{len(_HEADER)} columns are needed", where=place)
        else:
            yield place, cells
    if not numbered:
        raise InputError(f"首行须为 {','.join(_HEADER)}", f"the first line is {','.join(_HEADER)}", where=str(path))


def _header(cells: list[str], place: str) -> None:
    for cell in cells:
        if cell not in _HEADER:
            nearest = get_close_matches(cell, _HEADER, n=1, cutoff=0.0)[0]
            raise InputError(
                f"未知的列 {cell}，最接近的是 {nearest}",
                f"unknown column {cell}, the nearest is {nearest}",
                where=place,
            )
    if tuple(cells) != _HEADER:
        raise InputError(f"首行须为 {','.join(_HEADER)}", f"the first line is {','.join(_HEADER)}", where=place)


def _text(path: str | Path) -> str:
    try:
        return _read(path, MAX_WHITE).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("文件须为 UTF-8", "the file has to be UTF-8", where=str(path)) from None


def _read(path: str | Path, limit: int) -> bytes:
    try:
        return read_bytes(Path(path), limit=limit)
    except InputError as error:
        raise InputError(*error.text, where=str(path)) from None


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


@dataclass(frozen=True, slots=True)
class BlackList:
    """Card numbers (19 digits) that are taken nowhere; use `of` or `load`."""

    _numbers: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, numbers: Iterable[str]) -> Self:
        """A list of these numbers. Raises `InputError` for one that is none."""
        wanted = list(numbers)
        if not all(len(number) == NUMBER and _digits(number) for number in wanted):
            raise InputError(f"卡号须为 {NUMBER} 位数字", f"a card number has {NUMBER} digits")
        return cls(b"".join(sorted({number.encode() for number in wanted})))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a text file with a card number on each line, in any order; lines that begin with # are remarks.

        Raises `InputError` that names file and line, and no number.
        """
        data = _read(path, MAX_BLACK)
        numbers = data.splitlines()
        if set(map(len, numbers)) != {NUMBER} or not b"".join(numbers).isdigit():
            numbers = list(_numbers(data, path))
        numbers.sort()  # takes next to no time where they are in order
        if any(map(eq, numbers, islice(numbers, 1, None))):
            numbers = sorted(set(numbers))
        return cls(b"".join(numbers))

    def __contains__(self, number: str) -> bool:
        """Whether the card with this number is on the list."""
        key = number.encode()
        at = bisect_left(range(len(self)), key, key=self._at)
        return at < len(self) and self._at(at) == key

    def __len__(self) -> int:
        """How many cards there are."""
        return len(self._numbers) // NUMBER

    def _at(self, index: int) -> bytes:
        return self._numbers[NUMBER * index : NUMBER * (index + 1)]


def _numbers(data: bytes, path: str | Path) -> Iterator[bytes]:
    """The slow way, which knows about remarks and where the mistake is."""
    for number, line in enumerate(data.splitlines(), 1):
        entry = line.strip()
        if not entry or entry.startswith(b"#"):
            continue
        if len(entry) != NUMBER or not entry.isdigit():
            raise InputError(
                f"须为 {NUMBER} 位卡号", f"this has to be a card number of {NUMBER} digits", where=f"{path}:{number}"
            )
        yield entry
