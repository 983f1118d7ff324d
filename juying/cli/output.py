"""What the commands print: one JSON document or text on standard output, everything else on standard error."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from juying.cli.plain import Cell, print_line, print_rows
from juying.errors import CardError, JuyingError, PlatformUnavailable
from juying.text import Text

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 160
"""Columns of a table that goes to a file or a pipe, unless COLUMNS says otherwise."""

DEMONSTRATION = Text("演示密钥签发，无效力", "signed with a demonstration key, of no effect")


INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Exit(IntEnum):
    """The exit statuses of every command."""

    DONE = 0
    """Done, valid, eligible."""
    NO = 1
    """Invalid, ineligible, or some rows failed."""
    BAD_USE = 2
    """Bad use or bad input."""
    UNDETERMINED = 3
    """It cannot be said."""
    CARD_FAULT = 4
    """Reader or card."""


_STATUS = {CardError: Exit.CARD_FAULT, PlatformUnavailable: Exit.UNDETERMINED}
"""The exit status of each kind of error; every other is bad use or bad input."""


def print_json(document: Any) -> None:
    """The one JSON document of a command."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_json_line(document: Any) -> None:
    """One of the documents of a long run, each on a line of its own and seen at once."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")


def console(*, stderr: bool = False) -> "Console":
    """A rich console; tables are not squeezed when the output is no terminal."""
    from rich.console import Console

    plain = Console(stderr=stderr)
    return plain if plain.is_terminal or "COLUMNS" in os.environ else Console(stderr=stderr, width=WIDE)


def print_fields(title: Text, fields: Iterable[tuple[Text, Text | str]]) -> None:
    """A table of names and values; a name has a column for each language."""
    print_line(str(title), "bold")
    print_rows([[Cell(name.zh, "bold"), Cell(name.en, "dim"), Cell(str(value))] for name, value in fields])
    print_line("")


def tell(text: Text | str) -> None:
    """A remark for the person at the terminal."""
    sys.stderr.write(f"{text}\n")


def fail(kind: str, where: str, text: Text, *, as_json: bool) -> None:
    """Say what went wrong."""
    if as_json:
        print_json({"error": {"kind": kind, "where": where, **text._asdict()}})
    else:
        tell(f"{where}: {text}" if where else text)


def exit_status(run: Callable[[], int | None], *, as_json: bool) -> int:
    """Run a command; the exit status as `Exit` lists them, with what went wrong told."""
    try:
        return int(run() or Exit.DONE)
    except JuyingError as error:
        fail(type(error).__name__, error.where, error.text, as_json=as_json)
        return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), Exit.BAD_USE)
    except KeyboardInterrupt:
        return INTERRUPTED
