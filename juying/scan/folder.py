"""A folder into which something else puts frames: those that are there, and those that come."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from juying.errors import InputError

INTERVAL = 0.2
"""Seconds between two looks into the folder."""


def files_in(folder: Path, *, wait: Callable[[float], object] | None = None) -> Iterator[Path]:
    """The files of a folder by name, except those whose name begins with a dot.

    With ``wait`` it does not end: the folder is looked at again after ``wait(INTERVAL)``, and a file comes once it is
    the same in two looks, so that nobody reads one that is still being written; one that changes later comes
    again. Raises InputError when the folder cannot be read.
    """
    if wait is None:
        yield from _look(folder)
        return
    done: dict[Path, tuple[int, int]] = {}
    before: dict[Path, tuple[int, int]] = {}
    while True:
        now = _look(folder)
        settled = [file for file, state in now.items() if before.get(file) == state != done.get(file)]
        done = {file: state for file, state in done.items() if file in now} | {file: now[file] for file in settled}
        before = now
        yield from settled
        wait(INTERVAL)


def _look(folder: Path) -> dict[Path, tuple[int, int]]:
    """The files with size and time of change."""
    found = {}
    try:
        for file in sorted(folder.iterdir()):
            state = _state(file)
            if state is not None and not file.name.startswith("."):
                found[file] = state
    except OSError as error:
        raise InputError(
            f"目录读不出来（{error.strerror}）", f"the folder cannot be read ({error.strerror})", where=str(folder)
        ) from None
    return found


def _state(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:  # gone since it was listed
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
