"""``report.csv``: what became of each row of the application sheet."""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from juying.errors import InputError
from juying.text import Text

COLUMNS = ("row", "outcome", "card_number", "error")


class Outcome(StrEnum):
    """What became of a row."""

    ISSUED = "issued"
    UNCHANGED = "unchanged"
    """Card and credential of an earlier run are as they should be."""
    INVALID = "invalid"
    """The row is wrong; no card was touched."""
    FAILED = "failed"
    """Reader or card failed; the row may be issued again."""

    @property
    def good(self) -> bool:
        """Whether the applicant has a card."""
        return self in (Outcome.ISSUED, Outcome.UNCHANGED)

    @property
    def text(self) -> Text:
        """The outcome in words."""
        return _TEXTS[self]


_TEXTS = {
    Outcome.ISSUED: Text("已发卡", "issued"),
    Outcome.UNCHANGED: Text("无变化", "unchanged"),
    Outcome.INVALID: Text("申请有误", "invalid"),
    Outcome.FAILED: Text("失败", "failed"),
}


@dataclass(frozen=True, slots=True)
class RowResult:
    """The outcome of one row; ``row`` as the spreadsheet counts, ``error`` for people, which may name a card number."""

    row: int
    outcome: Outcome
    card_number: str = field(default="", repr=False)
    error: str = field(default="", repr=False)
    notes: tuple[Text, ...] = ()


class Report:
    """Writes ``report.csv`` a line at a time, so that what happened survives a killed process."""

    def __init__(self, file: TextIO) -> None:
        """Begin with the headings."""
        self._file = file
        self._writer = csv.writer(file, lineterminator="\r\n")
        self._line(COLUMNS)

    def add(self, result: RowResult) -> None:
        """Add one row; it is on the disk when this returns."""
        self._line((result.row, result.outcome.value, result.card_number, result.error))

    def _line(self, cells: tuple[object, ...]) -> None:
        try:
            self._writer.writerow(cells)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(error, self._file.name) from None


@contextmanager
def report_file(path: Path) -> Iterator[Report]:
    """Open a report, UTF-8 without byte order mark. Raises `InputError`."""
    try:
        file = open(path, "w", encoding="utf-8", newline="", opener=_private)  # noqa: SIM115
    except OSError as error:
        raise _unwritable(error, path) from None
    try:
        yield Report(file)
    finally:
        with suppress(OSError):  # every line is on the disk already
            file.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _unwritable(error: OSError, path: str | Path) -> InputError:
    return InputError(
        f"不能写入报告（{error.strerror}）；如在 Excel 中打开，请先关闭",
        f"the report cannot be written ({error.strerror}); close it if it is open in Excel",
        where=str(path),
    )
