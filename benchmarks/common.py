"""What the benchmarks share: timing two things side by side, and the table.

Machines differ, and so do minutes on the same machine. So what is compared runs in the same process in turns, the
best time counts, and targets are ratios.
"""

import gc
import statistics
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Timing(NamedTuple):
    """Seconds of one run."""

    best: float
    median: float


def side_by_side(*runs: Callable[[], object], rounds: int) -> list[Timing]:
    """Time each of ``runs`` ``rounds`` times, taking turns after a first one that does not count."""
    return timings(*(lambda run=run: clocked(run) for run in runs), rounds=rounds)  # type: ignore[misc]


def microseconds(*functions: Callable[[], object], calls: int = 1000, rounds: int = 15) -> list[float]:
    """Microseconds of one call of each of ``functions``, for short ones: the best of batches that take turns."""

    def batch(function: Callable[[], object]) -> Callable[[], None]:
        def repeat() -> None:
            for _ in range(calls):
                function()

        return repeat

    return [timing.best / calls * 1e6 for timing in side_by_side(*map(batch, functions), rounds=rounds)]


def timings(*clocks: Callable[[], float], rounds: int) -> list[Timing]:
    """As `side_by_side`, for runs that measure themselves and return seconds."""
    found: list[list[float]] = [[] for _ in clocks]
    for clock in clocks:
        clock()
    gc.collect()
    gc.disable()  # it would strike one of them at random
    try:
        for _ in range(rounds):
            for clock, seconds in zip(clocks, found, strict=True):
                seconds.append(clock())
    finally:
        gc.enable()
    return [Timing(min(seconds), statistics.median(seconds)) for seconds in found]


def clocked(run: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: our number, what it is held against, and the target for their ratio.

    The ratio is ours / reference; with ``sense`` ">=" it is reference / ours, how many times faster we are. Without
    a target the line is for information.
    """

    what: str
    ours: float
    reference: float | None = None
    against: str = ""
    unit: str = "ms"
    target: float | None = None
    sense: Literal["<=", ">="] = "<="

    def cells(self) -> list[str]:
        """The line as text, one cell per column."""
        ours = f"{self.ours:,.2f} {self.unit}"
        if self.reference is None:
            return [self.what, ours, "", self.against, "", "", ""]
        ratio = self.ours / self.reference if self.sense == "<=" else self.reference / self.ours
        cells = [self.what, ours, f"{self.reference:,.2f} {self.unit}", self.against, f"{ratio:.2f}"]
        if self.target is None:
            return [*cells, "", ""]
        met = ratio <= self.target if self.sense == "<=" else ratio >= self.target
        return [*cells, f"{self.sense} {self.target:g}", "met" if met else "MISSED"]


HEADINGS = ["", "measured", "reference", "", "ratio", "target", ""]
_RIGHT = (1, 2, 4)


def show(title: str, rows: list[Row]) -> None:
    """Print the table."""
    table = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(_width(line[column]) for line in table) for column in range(len(HEADINGS))]
    print(title)
    for line in table:
        cells = [
            _pad(cell, width, column in _RIGHT) for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip())


def _pad(cell: str, width: int, right: bool) -> str:
    space = " " * (width - _width(cell))
    return space + cell if right else cell + space


def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def private_pcscd(readers: int = 1) -> Any:
    """The tests' private pcscd with virtual readers, for scripts that are started by their path."""
    sys.path.insert(0, str(ROOT))
    from tests.harness import PrivatePcscd

    return PrivatePcscd(readers=readers)


def private_postgres() -> Any:
    """The tests' private PostgreSQL, which flushes to the disk as one for real does."""
    sys.path.insert(0, str(ROOT))
    from tests.harness import PrivatePostgres

    return PrivatePostgres(durable=True)
