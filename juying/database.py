"""One SQLite file of ours, for records that must not be lost: threads and processes may use it at once."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Self

from juying.errors import InputError
from juying.files import create
from juying.text import Text

PATIENCE = 30.0
"""Seconds that a process waits for the others before it gives up."""
PAUSE = 0.01


class Database:
    """An SQLite file on a local disk, readable by its owner only.

    Every change is on the disk when its transaction ends, and a process that is killed leaves the file as it was before
    or after the change. Transactions wait up to `PATIENCE` seconds for other processes. All methods raise `InputError`
    when the file is no use.
    """

    def __init__(
        self, path: str | Path, *, title: Text, application_id: int, schema: Sequence[str], make: bool
    ) -> None:
        """Open the file, or ``make`` it by the statements of ``schema``.

        ``title`` is what it is called in errors; ``application_id`` stands in its header and tells it from others.
        """
        self._path, self._title, self._application_id = Path(path), title, application_id
        self._lock = RLock()
        if not make and not self._path.is_file():
            raise InputError(
                f"没有这个{title.zh}，请核对路径", f"there is no such {title.en}: check the path", where=str(path)
            )
        try:
            with suppress(FileExistsError):
                create(self._path, b"", private=True)  # sqlite3 itself would let everybody read it
        except OSError as error:
            raise InputError(
                f"不能新建{title.zh}（{error.strerror}）",
                f"the {title.en} cannot be made ({error.strerror})",
                where=str(path),
            ) from None
        with self._errors():
            # Threads take turns under the lock.
            self._db = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(schema)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, schema: Sequence[str]) -> None:
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA synchronous = FULL")
        if not self._is_ours():
            with self._transaction() as db:
                if not self._is_ours():  # no other process was faster
                    if db.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
                        raise InputError(
                            f"这不是{self._title.zh}", f"this is no {self._title.en}", where=str(self._path)
                        )
                    for statement in schema:
                        db.execute(statement)
        self._write_ahead()

    def _is_ours(self) -> bool:
        mark: tuple[int] = self._db.execute("PRAGMA application_id").fetchone()
        return mark == (self._application_id,)

    def _write_ahead(self) -> None:
        """Keep a write-ahead log from now on. For this alone SQLite does not wait for others who use the file."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")  # nothing happens when it is kept already
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                    raise
                time.sleep(PAUSE)
            else:
                return

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors():
            yield self._db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in it or nothing, and nobody else writes meanwhile."""
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # a full disk ends it by itself
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(
                f"{self._title.zh}不能使用（{error}），请检查文件、权限和磁盘",
                f"the {self._title.en} cannot be used ({error}); check the file, its permissions and the disk",
                where=str(self._path),
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        """Itself; `close` follows."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()
