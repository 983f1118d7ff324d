"""What the commands print: one JSON document or text on standard output, everything else on standard error."""

import json
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from juying.errors import JuyingError
from juying.text import Text

if TYPE_CHECKING:
    from rich.console import Console


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


def print_json(document: Any) -> None:
    """The one JSON document of a command."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_text(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")


def console(*, stderr: bool = False) -> "Console":
    """A rich console; tables are not squeezed when the output is no terminal."""
    from rich.console import Console

    plain = Console(stderr=stderr)
    return plain if plain.is_terminal else Console(stderr=stderr, width=160)


def tell(text: Text | str) -> None:
    """A remark for the person at the terminal."""
    sys.stderr.write(f"{text}\n")


def fail(error: JuyingError, *, as_json: bool) -> None:
    """Say what went wrong."""
    if as_json:
        print_json({"error": {"kind": type(error).__name__, "where": error.where, **error.text._asdict()}})
    else:
        tell(str(error))
