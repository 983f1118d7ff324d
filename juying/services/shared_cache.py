"""The last verdicts in a file, for processes that live only as long as one question."""

import json
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from juying.errors import InputError
from juying.files import create
from juying.services.resilience import aged, place_of
from juying.services.verdict import Check, Decision, Outcome, Verdict
from juying.text import Text

PATIENCE = 1.0
"""Seconds to wait for other processes: an answer is worth more than its copy."""

Result = TypeVar("Result")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS key (only INTEGER PRIMARY KEY CHECK (only = 1), bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS kept (
    place BLOB PRIMARY KEY, as_of REAL NOT NULL, decision TEXT NOT NULL, service TEXT NOT NULL, checks TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kept_as_of ON kept (as_of);
"""


class SharedVerdictCache:
    """As `juying.services.resilience.VerdictCache`, in an SQLite file that can be read by its owner only.

    A person is in it as a keyed hash; the key is random and stands in the file, so that the hashes of two files do not
    match. The file has to be on a disk of this machine. `InputError` when it cannot be made or is something else;
    later trouble with it costs the memory, not the answer.
    """

    __slots__ = ("_key", "_path", "cache_for")

    def __init__(self, path: str | Path, cache_for: float) -> None:
        """Make the file, or take the one that is there."""
        self._path, self.cache_for = Path(path), timedelta(seconds=cache_for)
        try:
            with suppress(FileExistsError):
                create(self._path, b"", private=True)
            self._key = self._with_file(_prepare)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise InputError(
                f"缓存文件不可用（{reason}）", f"the cache file cannot be used ({reason})", where=str(path)
            ) from None

    def put(self, site: str, subject: str, verdict: Verdict) -> None:
        """As `VerdictCache.put`; what is too old for any use is forgotten."""
        if not self.cache_for or verdict.age or verdict.decision is Decision.UNDETERMINED:
            return
        checks = [[check.name, check.outcome, check.code, *check.reason] for check in verdict.checks]
        row = (
            place_of(self._key, site, subject),
            verdict.as_of.timestamp(),
            verdict.decision,
            verdict.service,
            json.dumps(checks, ensure_ascii=False),
        )

        def write(db: sqlite3.Connection) -> None:
            with db:
                db.execute("DELETE FROM kept WHERE as_of < ?", ((verdict.as_of - self.cache_for).timestamp(),))
                db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?)", row)

        with suppress(sqlite3.Error):
            self._with_file(write)

    def get(self, site: str, subject: str, *, now: datetime) -> Verdict | None:
        """As `VerdictCache.get`."""
        place = (place_of(self._key, site, subject),)

        def read(db: sqlite3.Connection) -> Verdict | None:
            row = db.execute("SELECT as_of, decision, service, checks FROM kept WHERE place = ?", place).fetchone()
            return _verdict(*row) if row else None

        with suppress(sqlite3.Error, ValueError):
            return aged(self._with_file(read), now, self.cache_for)
        return None

    def _with_file(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """A connection for each use: threads and forks need nothing else, and a question is slower by far."""
        with closing(sqlite3.connect(self._path, timeout=PATIENCE)) as db:
            return work(db)


def _prepare(db: sqlite3.Connection) -> bytes:
    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    with db:
        db.execute("INSERT OR IGNORE INTO key VALUES (1, ?)", (secrets.token_bytes(32),))
    key: bytes = db.execute("SELECT bytes FROM key").fetchone()[0]
    return key


def _verdict(as_of: float, decision: str, service: str, checks: str) -> Verdict:
    return Verdict(
        service,
        Decision(decision),
        tuple(Check(name, Outcome(outcome), code, Text(zh, en)) for name, outcome, code, zh, en in json.loads(checks)),
        {},
        datetime.fromtimestamp(as_of, UTC),
    )
