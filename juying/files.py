"""Writing a file so that nobody ever sees half of it, and keeping others from writing at the same time."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    import sqlite3


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write ``data`` to ``path``, replacing what was there only when everything is on the disk.

    A ``private`` file can be read by its owner only (where the system knows modes). Raises `InputError` when the file
    cannot be written; ``path`` is then as it was.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        create(draft, data, private=private)
        draft.replace(path)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise InputError(
            f"文件写不进去（{error.strerror}），请检查目录和权限",
            f"the file cannot be written ({error.strerror}); check the folder and its permissions",
            where=str(path),
        ) from error


def create(path: Path, data: bytes, *, private: bool = False) -> None:
    """Create ``path`` with ``data`` on the disk; `FileExistsError` when it exists, `OSError` when it cannot be."""
    binary = getattr(os, "O_BINARY", 0)  # Windows would turn line ends otherwise
    mode = 0o600 if private else 0o666
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def locked(lock: Path, *, busy: Text, where: str, wait: float = 0.0) -> Iterator[None]:
    """Have the file ``lock`` for this run alone, after waiting ``wait`` seconds for another run at most.

    The lock is a SQLite transaction: it works the same on every system, and the system lets go of it when the process
    ends, however it ends. The file stays, and is empty. Raises `InputError` with the message ``busy`` when another run
    has it, or when it cannot be made; ``where`` is the place that the error names.
    """
    with closing(_take(lock, busy, where, wait)):
        yield


def _take(path: Path, busy: Text, where: str, wait: float) -> "sqlite3.Connection":
    import sqlite3  # not everybody who knows of locks takes one

    try:
        # A generator that nobody ended may be closed by another thread.
        lock = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")  # nothing is ever written: no second file
            lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            lock.close()
            raise
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise InputError(*busy, where=where) from None
        raise InputError(
            "目录无法加锁，请检查权限和磁盘",
            "the folder cannot be locked: check permissions and disk",
            where=where,
        ) from None
    return lock
