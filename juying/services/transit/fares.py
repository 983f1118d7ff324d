"""What a ride costs: a fare policy as the operator writes it, in TOML.

::

    flat = 200                      # one fare for the whole line, in fen
    full = 600                      # the dearest ride: has to be there at boarding, and is marked for evasion
    minimum = 200                   # what has to be there when entering a station; without it, anything

    [kinds]                         # local cards by 卡种类型, or its two hex digits; others may not ride
    normal = "normal"
    student = { percent = 50 }
    senior = "free"
    test = "forbidden"

    [foreign]                       # cards of other cities pay the rule of this one; by default all kinds pay the full
    normal = "normal"               # fare

    [between.0101]                  # by distance: from a stop (its code in file 1A) to others, the same both ways
    0102 = 200
    0103 = 300

Local discounts are for local cards only. A discount is rounded down to a fen, in favour of the one who rides (our
choice).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from re import fullmatch
from typing import Any, Self

from juying.codec.tunion.names import KINDS
from juying.credential.strict_json import members, read_bytes
from juying.errors import InputError

MAX_FILE = 16 << 20
MAX_FEN = 1_000_000
"""The dearest fare that a policy may name (our choice): a comma in the wrong place is found early."""


class Rule(StrEnum):
    """What a kind of card pays."""

    NORMAL = "normal"
    FREE = "free"
    FORBIDDEN = "forbidden"


_PERCENT = {Rule.NORMAL: 100, Rule.FREE: 0, Rule.FORBIDDEN: None}
_NAMES = {text.en: number for number, text in KINDS.items()}
"""Kinds by the names that a policy calls them."""
_ALL_NORMAL: Mapping[int, int | None] = dict.fromkeys(KINDS, 100)


def part(fare_fen: int, percent: int) -> int:
    """A part of a fare, in fen."""
    return fare_fen * percent // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FarePolicy:
    """Fares in fen, None where the policy does not say; kinds (file 17) have the percentage that they pay."""

    flat: int | None = None
    full: int | None = None
    minimum: int | None = None
    kinds: Mapping[int, int | None] = field(default_factory=lambda: _ALL_NORMAL)
    foreign: Mapping[int, int | None] = field(default_factory=lambda: _ALL_NORMAL)
    between: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def percent(self, kind: int, *, local: bool) -> int | None:
        """What cards of this kind pay of a fare; None for one that may not ride, or that the policy does not name."""
        return (self.kinds if local else self.foreign).get(kind)

    def distance(self, start: str, end: str) -> int | None:
        """The fare between two stops (codes in hex digits); None when the policy does not know it."""
        return self.between.get((start, end), self.between.get((end, start)))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a policy. Raises `InputError` that names file and place, and the nearest known name."""
        try:
            return cls.from_dict(tomllib.loads(read_bytes(Path(path), limit=MAX_FILE).decode()))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"不是有效的 TOML：{error}", f"this is no TOML: {error}", where=str(path)) from None
        except InputError as error:
            raise InputError(*error.text, where=f"{path} {error.where}".rstrip()) from None

    @classmethod
    def from_dict(cls, table: object) -> Self:
        """A policy out of the document. Raises `InputError`."""
        given = members(table, (), optional=(*_AMOUNTS, *_KINDS, "between"))
        policy: dict[str, Any] = {name: _fen(given[name], name) for name in _AMOUNTS if name in given}
        policy |= {name: _shares(given[name], name) for name in _KINDS if name in given}
        return cls(**policy, between=_between(given.get("between", {})))


_AMOUNTS = ("flat", "full", "minimum")
_KINDS = ("kinds", "foreign")


def _fen(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_FEN:
        raise InputError(
            f"须为 0 至 {MAX_FEN} 的整数，单位分", f"has to be a whole number of fen, 0 to {MAX_FEN}", where=place
        )
    return value


def _shares(table: object, place: str) -> Mapping[int, int | None]:
    local = [name for name in _table(table, place) if fullmatch("[0-9A-F]{2}", name)]
    given = members(table, (), place, optional=(*_NAMES, *local))
    return {
        _NAMES[name] if name in _NAMES else int(name, 16): _percent(rule, f"{place}.{name}")
        for name, rule in given.items()
    }


def _percent(rule: object, place: str) -> int | None:
    if isinstance(rule, dict):
        percent = members(rule, ("percent",), place)["percent"]
        if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= 100:
            raise InputError("须为 0 至 100 的整数", "has to be a whole number, 0 to 100", where=f"{place}.percent")
        return percent
    if isinstance(rule, str) and rule in _PERCENT:
        return _PERCENT[Rule(rule)]
    known = ", ".join(Rule)
    raise InputError(f"须为 {known}，或 {{ percent = 50 }}", f"has to be {known}, or {{ percent = 50 }}", where=place)


def _between(table: object) -> dict[tuple[str, str], int]:
    fares: dict[tuple[str, str], int] = {}
    for start, row in _table(table, "between").items():
        for end, fare in _table(row, f"between.{start}").items():
            place = f"between.{start}.{end}"
            pair = _code(start, place), _code(end, place)
            if fares.get(pair[::-1], fare) != fare:
                raise InputError("两个方向的票价不同", "the fare of the other direction differs", where=place)
            fares[pair] = _fen(fare, place)
    return fares


def _table(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InputError("须为表", "has to be a table", where=place)
    return value


def _code(digits: str, place: str) -> str:
    try:
        code = bytes.fromhex(digits).hex().upper()
    except ValueError:
        code = ""
    if not code:
        raise InputError("站点代码须为十六进制数", "the code of a stop has to be hex digits", where=place)
    return code
