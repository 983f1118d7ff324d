"""How the values of fields are written: flags, numbers, times, money, and the strings of letters.

``read`` is as forgiving as a value can be without guessing, and raises ValueError for what has no meaning; ``form`` is
what the book wants. The same few values come again and again, so most readers remember.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from juying.services.library.patron import FLAGS, SUMMARIES, SUPPORTED, Flag, Summary


class Kind(NamedTuple):
    """One way to write a value; ``empty`` is what an unreadable one becomes.

    ``write`` raises ValueError for a value that does not fit; of a named field also what `layout` says is refused.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    form: "re.Pattern[str]"
    empty: Any = None


def _read_flag(text: str) -> bool:
    return _FLAGS[text]


_FLAGS = {"Y": True, "N": False, "1": True, "0": False}


def _read_perhaps(text: str) -> bool | None:
    return None if text in ("U", " ") else _FLAGS[text]


def _write_perhaps(value: bool | None) -> str:
    return "U" if value is None else "NY"[value]


@lru_cache(maxsize=1024)
def _read_number(text: str) -> int | None:
    """Counts are padded with zeros or blanks, all blanks are no number."""
    stripped = text.strip()
    if not stripped:
        return None
    if not (stripped.isascii() and stripped.isdigit()):
        raise ValueError
    return int(stripped)


def number(width: int) -> Kind:
    """A count of so many digits; None is all blanks."""

    def write(value: int | None) -> str:
        text = " " * width if value is None else f"{value:0{width}d}"
        if len(text) != width:
            raise ValueError
        return text

    return Kind(_read_number, write, re.compile(rf"[0-9]{{{width}}}| {{{width}}}"))


def characters(width: int) -> Kind:
    """So many characters."""

    def write(value: str) -> str:
        if len(value) != width or "|" in value or not value.isprintable():
            raise ValueError
        return value

    return Kind(str, write, re.compile(rf"[^|]{{{width}}}"), "")


_BLANK = " " * 18
_ZONES = {"    ": None, "   Z": UTC}


@lru_cache(maxsize=64)
def _read_moment(text: str) -> datetime | None:
    """``YYYYMMDDZZZZHHMMSS``: without a time zone for local time of the library, blank for none.

    What other systems write in the place of the zone is no zone that anybody could name, and taken for local time.
    """
    if text.isspace() or not text:
        return None
    day, zone, time = text[:8], text[8:12], text[12:]
    if len(text) != 18 or not (day.isdigit() and time.isdigit() and text.isascii()):
        raise ValueError
    return datetime(
        int(day[:4]), int(day[4:6]), int(day[6:]), int(time[:2]), int(time[2:4]), int(time[4:]), tzinfo=_ZONES.get(zone)
    )


@lru_cache(maxsize=64)
def _write_moment(value: datetime | None) -> str:
    """Aware times are written in UTC, others as local ones."""
    if value is None:
        return _BLANK
    if value.tzinfo is None:
        zone = "    "
    else:
        value, zone = value.astimezone(UTC), "   Z"
    return f"{value.year:04d}{value.month:02d}{value.day:02d}{zone}{value.hour:02d}{value.minute:02d}{value.second:02d}"


@lru_cache(maxsize=256)
def _read_status(text: str) -> frozenset[Flag]:
    """Only Y counts: some systems write N, or a digit, where a blank belongs."""
    return frozenset(flag for flag, letter in zip(FLAGS, text, strict=True) if letter == "Y")


@lru_cache(maxsize=4)
def _second(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp)


def this_second() -> datetime:
    """Now, in local time and whole seconds, as messages have it."""
    return _second(int(time.time()))


def _write_status(value: frozenset[Flag]) -> str:
    return "".join("Y" if flag in value else " " for flag in FLAGS)


def _read_summary(text: str) -> Summary | None:
    place = text.find("Y")
    return SUMMARIES[place] if 0 <= place < len(SUMMARIES) else None


_SUMMARY: dict[Summary | None, str] = {None: " " * 10}
_SUMMARY |= {name: " " * place + "Y" + " " * (9 - place) for place, name in enumerate(SUMMARIES)}


@lru_cache(maxsize=64)
def _read_supported(text: str) -> frozenset[str]:
    return frozenset(request for request, letter in zip(SUPPORTED, text, strict=False) if letter == "Y")


def _write_supported(value: frozenset[str]) -> str:
    return "".join("NY"[request in value] for request in SUPPORTED)


_AMOUNT = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,4})?")


@lru_cache(maxsize=1024)
def _read_amount(text: str) -> Decimal | None:
    """An amount of money, exact; a debt may be written as a negative one. Empty is no amount."""
    stripped = text.strip()
    if not stripped:
        return None
    if not _AMOUNT.fullmatch(stripped):
        raise ValueError
    return Decimal(stripped)


TEXT = Kind(str, str, re.compile(r"[^|]{0,255}"), "")
YES_NO = Kind(_read_flag, lambda value: "NY"[value], re.compile("[YN]"))
OK = Kind(_read_flag, lambda value: "01"[value], re.compile("[01]"))
PERHAPS = Kind(_read_perhaps, _write_perhaps, re.compile("[YNU]"))
MOMENT = Kind(_read_moment, _write_moment, re.compile(r"[0-9]{8}(    |   [A-Z])[0-9]{6}| {18}"))
STATUS = Kind(_read_status, _write_status, re.compile("[Y ]{14}"), frozenset())
SUMMARY = Kind(_read_summary, _SUMMARY.__getitem__, re.compile("(?! *Y *Y)(Y| ){6} {4}"))
SUPPORTED_MESSAGES = Kind(_read_supported, _write_supported, re.compile("[YN]{16}"), frozenset())
LIMIT = number(4)
AMOUNT = Kind(_read_amount, str, re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,4})?"))
