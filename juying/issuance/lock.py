"""One run at a time in a folder.

The lock is a SQLite transaction on the file ``.lock``: it works the same on every system, and the system lets go of it
when the process ends, however it ends. So a killed run leaves nothing that somebody would have to clean up.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from juying.errors import InputError

if TYPE_CHECKING:
    import sqlite3

LOCK_FILE = ".lock"


@contextmanager
def locked(folder: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Have ``folder`` for this run alone, after waiting ``wait`` seconds for another run at most.

    Raises `InputError` when another run has it, or when no file can be made there.
    """
    with closing(_take(folder, wait)):
        yield


def _take(folder: Path, wait: float) -> "sqlite3.Connection":
    import sqlite3  # not everybody who knows of locks takes one

    try:
        # A generator that nobody ended may be closed by another thread.
        lock = sqlite3.connect(folder / LOCK_FILE, timeout=wait, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")  # nothing is ever written: no second file
            lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            lock.close()
            raise
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise InputError(
                "另一个任务正在使用此目录，请等它结束",
                "another run is at work in this folder: wait until it ends",
                where=str(folder),
            ) from None
        raise InputError(
            "目录无法加锁，请检查权限和磁盘",
            "the folder cannot be locked: check permissions and disk",
            where=str(folder),
        ) from None
    return lock
