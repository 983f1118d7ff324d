"""Aligned columns and colours without a library: loading one takes longer than verifying a credential."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width

_GAP = 2  # columns of the terminal between two of a table
_LEAST = 16  # of these that the last column of a table gets however narrow the terminal is
_COLOURS = {"red": "31", "green": "32", "yellow": "33"}
_STYLES = {"bold": "1", "dim": "2", **_COLOURS, **{f"bold {name}": f"1;{code}" for name, code in _COLOURS.items()}}


class Cell(NamedTuple):
    """A text and how it looks: a name of `_STYLES`, or nothing."""

    text: str
    style: str = ""

    def __repr__(self) -> str:
        """How it looks; what is shown to the one who asked may be personal."""
        return f"Cell({self.style!r}, {len(self.text)} characters)"


def print_rows(rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows of the same length with their columns aligned; on a terminal the last one is folded to fit."""
    width, colours = _terminal_width(), _has_colours()
    widths = [max(_width(cell.text) for cell in column) for column in zip(*rows, strict=True)]
    indent = sum(one + _GAP for one in widths[:-1])
    room = max(_LEAST, width - indent) if width else None
    for *cells, last in rows:
        line = "".join(
            _styled(cell, colours) + " " * (one + _GAP - _width(cell.text))
            for cell, one in zip(cells, widths, strict=False)
        )
        for part in _folded(last.text, room):
            sys.stdout.write((line + _styled(Cell(part, last.style), colours)).rstrip() + "\n")
            line = " " * indent


def print_line(text: str, style: str = "") -> None:
    """Print a line."""
    sys.stdout.write(_styled(Cell(text, style), _has_colours()) + "\n")


def _width(text: str) -> int:
    """Columns of the terminal that a text takes; Chinese characters take two."""
    return sum(1 + (east_asian_width(character) in "WF") for character in text)


def _folded(text: str, room: int | None) -> Iterator[str]:
    """The text in parts that are no wider than ``room``."""
    part, taken = "", 0
    for character in text:
        wide = _width(character)
        if room is not None and taken + wide > room:
            yield part
            part, taken = "", 0
        part, taken = part + character, taken + wide
    yield part


def _styled(cell: Cell, colours: bool) -> str:
    return f"\x1b[{_STYLES[cell.style]}m{cell.text}\x1b[0m" if colours and cell.style else cell.text


def _terminal_width() -> int:
    """Columns of the terminal, 0 when the output goes elsewhere."""
    if "COLUMNS" in os.environ and os.environ["COLUMNS"].isdecimal():
        return int(os.environ["COLUMNS"])
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 0


def _has_colours() -> bool:
    """Windows' old console shows colours as garbage, its new one says that it is there."""
    modern = os.name != "nt" or "WT_SESSION" in os.environ
    return sys.stdout.isatty() and modern and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
