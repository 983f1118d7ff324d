"""Who was shown when: the memory that makes a copied code worthless at the second gate.

A presentation is known by permit number and time of showing, never by its signature, which anybody can turn into a
second one that is as good (ECDSA). What is forgotten must not come back: each cache has a horizon, the time before
which it forgot, and whatever was shown before it counts as seen. So neither a clock that is set back nor gates that
hold for different times open a gap; they refuse more.

A new cache knows nothing of the time before it began.
"""

import os
import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Protocol, Self

from juying.errors import InputError
from juying.files import create

PATIENCE = 5.0  # seconds that a process waits for the others before it gives up

_SCHEMA = """
CREATE TABLE IF NOT EXISTS shown (
    moment INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (moment, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS horizon (only INTEGER PRIMARY KEY CHECK (only = 1), moment INTEGER NOT NULL);
INSERT OR IGNORE INTO horizon VALUES (1, 0);
"""


class ReplayCache(Protocol):
    """Remembers what was shown."""

    def seen(self, permit_number: str, presented_at: datetime, *, now: datetime, hold: timedelta) -> bool:
        """True when this was shown before; otherwise it is remembered from now on, in one indivisible step.

        ``presented_at`` counts in whole seconds. What was shown longer than ``hold`` before ``now`` is forgotten.
        """


class MemoryReplayCache:
    """A replay cache that the threads of one process share."""

    __slots__ = ("_horizon", "_lock", "_shown")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._shown: dict[int, set[str]] = {}
        self._horizon = 0
        self._lock = Lock()

    def seen(self, permit_number: str, presented_at: datetime, *, now: datetime, hold: timedelta) -> bool:
        """As `ReplayCache.seen`."""
        moment, horizon = _second(presented_at), _second(now - hold)
        with self._lock:
            if horizon > self._horizon:
                self._horizon = horizon
                for old in [known for known in self._shown if known < horizon]:
                    del self._shown[old]
            if moment < self._horizon:
                return True
            permits = self._shown.setdefault(moment, set())
            if permit_number in permits:
                return True
            permits.add(permit_number)
            return False

    def __len__(self) -> int:
        """How many presentations are remembered."""
        with self._lock:
            return sum(map(len, self._shown.values()))


class SharedReplayCache:
    """A replay cache in a file, for the threads and processes of one machine that serve several gates.

    The file is SQLite's, can be read by its owner only, and holds a digest in the place of the permit number. It
    has to be on a disk of this machine. Every process opens the cache for itself: an open one does not survive
    a fork. `InputError` when the file cannot be used, and then nobody may be let in.
    """

    __slots__ = ("_connection", "_lock", "_path", "_process")

    def __init__(self, path: str | Path) -> None:
        """Open the cache, or make it."""
        self._path = Path(path)
        self._lock = Lock()
        self._process = os.getpid()
        try:
            with suppress(FileExistsError):
                create(self._path, b"", private=True)
            self._connection = sqlite3.connect(
                self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._unusable(error) from None

    def _prepare(self) -> None:
        self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        # Only for speed, so it does not matter when another process is in the way just now. After a loss of power
        # the last moments may be missing, as after any start.
        with suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def seen(self, permit_number: str, presented_at: datetime, *, now: datetime, hold: timedelta) -> bool:
        """As `ReplayCache.seen`; raises InputError when the file cannot be used."""
        moment, horizon = _second(presented_at), _second(now - hold)
        digest = sha256(f"{moment} {permit_number}".encode()).digest()[:16]
        if self._process != os.getpid():
            raise InputError("防重放缓存须由每个进程自行打开", "every process has to open the replay cache for itself")
        with self._lock:
            try:
                return self._seen(moment, digest, horizon)
            except sqlite3.Error as error:
                raise self._unusable(error) from None

    def _seen(self, moment: int, digest: bytes, horizon: int) -> bool:
        self._connection.execute("BEGIN IMMEDIATE")  # from here on no other process decides
        with self._connection:
            ((known,),) = self._connection.execute("SELECT moment FROM horizon")
            if horizon > known:
                self._connection.execute("UPDATE horizon SET moment = ?", (horizon,))
                self._connection.execute("DELETE FROM shown WHERE moment < ?", (horizon,))
            if moment < max(known, horizon):
                return True
            found = self._connection.execute("INSERT OR IGNORE INTO shown VALUES (?, ?)", (moment, digest))
            return found.rowcount == 0

    def _unusable(self, error: Exception) -> InputError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return InputError(
            f"防重放缓存不可用（{reason}）", f"the replay cache cannot be used ({reason})", where=str(self._path)
        )

    def close(self) -> None:
        """Close the file; what it holds stays for the others."""
        self._connection.close()

    def __enter__(self) -> Self:
        """For ``with``."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def _second(moment: datetime) -> int:
    return int(moment.timestamp())
