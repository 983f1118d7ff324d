"""One gate or validator: which city it stands in, what it does, and the lists that its operator supplies.

It stands in the configuration file as ``[transit]``, or as ``[transit.NAME]`` where there are several. Files are named
relative to the working directory. A site that names no file does without it, and says so in its verdicts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from re import fullmatch
from typing import Any, Self

from juying.codec.tunion.trips import BUS, RAIL
from juying.credential.strict_json import members
from juying.errors import InputError
from juying.services.transit.cities import cities
from juying.services.transit.fares import FarePolicy
from juying.services.transit.lists import BlackList, WhiteList
from juying.text import Text

MAX_FARE, MAX_BALANCE = 9900, 500_000
"""Fen; beyond these a bus program takes fare or card for broken."""


class Mode(StrEnum):
    """What a tap means here."""

    BUS_FLAT = "bus-flat"
    """One tap, one fare (一票制)."""
    BUS_DISTANCE = "bus-distance"
    """A tap when boarding and one when alighting, on the same validator (多票制)."""
    RAIL_ENTRY = "rail-entry"
    RAIL_EXIT = "rail-exit"

    @property
    def record(self) -> int | None:
        """The record of file 1A that the ride is kept in; None where there is none."""
        return _RECORDS[self]

    @property
    def industry(self) -> str:
        """The industry in records of file 1E."""
        return "02" if self in (Mode.BUS_FLAT, Mode.BUS_DISTANCE) else "01"


_RECORDS = {Mode.BUS_FLAT: None, Mode.BUS_DISTANCE: BUS, Mode.RAIL_ENTRY: RAIL, Mode.RAIL_EXIT: RAIL}


class Overdraft(StrEnum):
    """When what the card may spend beyond its balance counts as money."""

    NEVER = "never"
    """Whoever has nothing left is refused, as one bus program does."""
    LEAVING = "leaving"
    """To get out, not to get in (our choice of default)."""
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A gate; all codes are hex digits as they stand on cards.

    ``issuers`` are the codes (8 digits) whose cards are local, the first of them the operator's own. ``terminal`` is
    the number of the PSAM (12 digits), empty when any will do. ``line``, ``station`` and ``operator`` go into file 1E,
    ``stop`` (16 digits for rail, 2 for a bus) and ``vehicle`` into file 1A. A ride is in time for ``max_minutes``; an
    interrupted tap is taken up again for ``resume_minutes``.

    ``interoperable_only`` wants the flag of local cards too, ``black_list_foreign`` holds foreign cards against the
    black list, ``lock_black_listed`` locks a card that is on it. ``crc32`` wants the checksum that Shanghai has in rail
    records. Amounts are in fen.
    """

    name: str = "transit"
    title: Text
    city: str
    issuers: tuple[str, ...]
    mode: Mode
    terminal: str = ""
    line: str = "0000"
    station: str = "0000"
    operator: str = "0000"
    stop: str = ""
    vehicle: str = ""
    max_minutes: int = 240
    resume_minutes: int = 5
    overdraft: Overdraft = Overdraft.LEAVING
    interoperable_only: bool = False
    black_list_foreign: bool = True
    lock_black_listed: bool = False
    crc32: bool = False
    max_fare: int = MAX_FARE
    max_balance: int = MAX_BALANCE
    white_list: WhiteList | None = None
    black_list: BlackList | None = None
    fares: FarePolicy | None = None

    @property
    def organisation(self) -> str:
        """The operator as the one who accepts: role digit 1 in place of 0, as field data has it."""
        return f"1{self.issuers[0][1:]}FFFFFFFF"

    @classmethod
    def from_dict(cls, table: object, name: str = "transit") -> Self:
        """A site out of its table. Raises `InputError` that names the place, and the nearest known key."""
        given = dict(members(table, _REQUIRED, name, optional=_OPTIONAL))
        site: dict[str, Any] = {key: _code(given[key], digits, f"{name}.{key}") for key, digits in _codes(given)}
        site |= {key: _whole(given[key], least, f"{name}.{key}") for key, least in _LEAST.items() if key in given}
        site |= {key: _switch(given[key], f"{name}.{key}") for key in _SWITCHES if key in given}
        site |= {key: _choice(kind, given[key], f"{name}.{key}") for key, kind in _CHOICES.items() if key in given}
        site |= {key: load(_path(given[key], f"{name}.{key}")) for key, load in _FILES.items() if key in given}
        if site["city"] not in cities():
            raise InputError(
                "没有这个城市代码，见 juying transit cities",
                "there is no city with this code; see `juying transit cities`",
                where=f"{name}.city",
            )
        if "vehicle" in given:
            site["vehicle"] = _vehicle(given["vehicle"], f"{name}.vehicle")
        mode = site["mode"]
        return cls(
            name=name,
            title=_title(given["title"], f"{name}.title") if "title" in given else _TITLES[mode],
            issuers=_issuers(given["issuers"], f"{name}.issuers"),
            **site | {"stop": _stop(mode, site, f"{name}.stop")},
        )


_TITLES = {
    Mode.BUS_FLAT: Text("公交（一票制）", "bus, flat fare"),
    Mode.BUS_DISTANCE: Text("公交（分段计价）", "bus, fare by distance"),
    Mode.RAIL_ENTRY: Text("轨道交通进站", "rail, entry"),
    Mode.RAIL_EXIT: Text("轨道交通出站", "rail, exit"),
}
_REQUIRED = ("city", "issuers", "mode")
_OPTIONAL = tuple(member.name for member in fields(Site) if member.name not in (*_REQUIRED, "name"))
_DIGITS = {"city": 4, "terminal": 12, "line": 4, "station": 4, "operator": 4}
_LEAST = {"max_minutes": 1, "resume_minutes": 0, "max_fare": 1, "max_balance": 1}
_SWITCHES = ("interoperable_only", "black_list_foreign", "lock_black_listed", "crc32")
_CHOICES: Mapping[str, type[StrEnum]] = {"mode": Mode, "overdraft": Overdraft}
_FILES = {"white_list": WhiteList.load, "black_list": BlackList.load, "fares": FarePolicy.load}
_STOP = {Mode.BUS_FLAT: 2, Mode.BUS_DISTANCE: 2, Mode.RAIL_ENTRY: 16, Mode.RAIL_EXIT: 16}
"""Digits of a stop in file 1A."""


def sites(table: Mapping[str, Any]) -> tuple[Site, ...]:
    """The sites of the table ``transit`` of a configuration: one, or one for each table below it.

    An empty table has none. Raises `InputError`.
    """
    known = (*_REQUIRED, *_OPTIONAL)
    if table and all(isinstance(value, dict) and key not in known for key, value in table.items()):
        return tuple(Site.from_dict(entry, f"transit.{name}") for name, entry in table.items())
    return (Site.from_dict(table),) if table else ()


def _codes(given: Mapping[str, object]) -> list[tuple[str, int]]:
    codes = [(key, digits) for key, digits in _DIGITS.items() if key in given]
    return codes + ([("stop", 0)] if "stop" in given else [])


def _code(value: object, digits: int, place: str) -> str:
    """Hex digits, so many or (0) any even number up to 16."""
    count = f"{{{digits}}}" if digits else "{2,16}"
    if not isinstance(value, str) or not fullmatch(f"[0-9A-Fa-f]{count}", value) or len(value) % 2:
        shown = digits or "2 – 16"
        raise InputError(f"须为 {shown} 位十六进制数", f"has to be {shown} hex digits", where=place)
    return value.upper()


def _issuers(value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise InputError(
            '须为发卡机构代码的列表，如 ["02113450"]', 'has to be a list of issuers such as ["02113450"]', where=place
        )
    return tuple(_code(issuer, 8, place) for issuer in value)


def _stop(mode: Mode, site: Mapping[str, str], place: str) -> str:
    """The stop as given, or out of line and station in a form of ours."""
    digits = _STOP[mode]
    stop = site.get("stop")
    if stop is None:
        line, station = site.get("line", "0000"), site.get("station", "0000")
        return f"{line}{station.rjust(12, '0')}" if digits == 16 else station[2:]
    return _code(stop, digits, place)


def _whole(value: object, least: int, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 1_000_000:
        raise InputError(
            f"须为 {least} 至 1000000 的整数", f"has to be a whole number, {least} to 1000000", where=place
        )
    return value


def _switch(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise InputError("须为 true 或 false", "has to be true or false", where=place)
    return value


def _choice(kind: type[StrEnum], value: object, place: str) -> StrEnum:
    if not isinstance(value, str) or value not in set(kind):
        known = ", ".join(kind)
        raise InputError(f"须为其中之一：{known}", f"has to be one of {known}", where=place)
    return kind(value)


def _path(value: object, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError("须为文件路径", "has to be the path of a file", where=place)
    return value


def _vehicle(value: object, place: str) -> str:
    if not isinstance(value, str) or not fullmatch("[A-Za-z0-9 ]{1,8}", value):
        raise InputError("须为至多 8 位字母或数字", "has to be at most 8 letters or digits", where=place)
    return value


def _title(value: object, place: str) -> Text:
    if isinstance(value, str):
        return Text(value, value)
    both = members(value, ("zh", "en"), place)
    if not all(isinstance(each, str) for each in both.values()):
        raise InputError("须为字符串", "has to be a string", where=place)
    return Text(both["zh"], both["en"])
