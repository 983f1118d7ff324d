"""What a station tells, and what its display shows."""

from dataclasses import dataclass, field
from enum import StrEnum

from juying.issuance.production import Produced
from juying.text import Text

_NOTHING = Text("", "")


class Kind(StrEnum):
    """What a station tells."""

    INSERTED = "inserted"
    MADE = "made"
    """The card is done or refused: see its outcome."""
    FAILED = "failed"
    READER_STOPPED = "reader-stopped"
    RESUMED = "resumed"
    LEDGER_LOST = "ledger-lost"
    LEDGER_BACK = "ledger-back"
    READERS = "readers"
    """A reader or the card service came or went."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened; ``reader`` is empty for what concerns all. ``text`` holds nothing personal."""

    kind: Kind
    text: Text
    reader: str = ""
    made: Produced | None = None


class Doing(StrEnum):
    """What a reader is doing."""

    WAITING = "waiting"
    WORKING = "working"
    TAKE_OUT = "take-out"
    STOPPED = "stopped"
    GONE = "gone"


@dataclass(slots=True)
class ReaderView:
    """A reader as the display has it.

    ``step`` is the last point that its card passed, ``writes`` of ``total`` are done. ``note`` says what became of the
    last card, ``name`` and ``box`` whose it is and where it goes. ``in_a_row`` counts failures since the last success.
    """

    reader: str
    doing: Doing = Doing.WAITING
    step: str = ""
    writes: int = 0
    total: int = 0
    note: Text = _NOTHING
    name: str = field(default="", repr=False)
    box: int = 0
    made: int = 0
    failures: int = 0
    in_a_row: int = 0


@dataclass(slots=True)
class Totals:
    """What a station has done: cards ``made``, ``spoiled`` and ``refused``, failures, and orders ``left``."""

    made: int = 0
    spoiled: int = 0
    refused: int = 0
    failures: int = 0
    left: int = 0
