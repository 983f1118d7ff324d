"""A register in one SQLite file."""

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from juying.credential.claims import StatusReference
from juying.credential.register import Event, Reason, Snapshot
from juying.credential.status_list import MAX_ENTRIES, Status
from juying.database import Database
from juying.errors import InputError
from juying.text import Text

CAPACITY = 100_000
"""Entries of a list; at 1 % revoked it is smaller than 2 kB."""
LEAST_CAPACITY = 64

_RESERVE = 16  # one of so many places is never given to a credential, one of twice as many may become a decoy
_FIRST_DECOYS = 1000  # one of so many places at most is a revoked decoy when a list begins
_APPLICATION_ID = 0x4A595231  # "JYR1" in the header of the file

_SCHEMA = (
    """CREATE TABLE list (
        number INTEGER PRIMARY KEY, capacity INTEGER NOT NULL, allotted INTEGER NOT NULL DEFAULT 0,
        decoys INTEGER NOT NULL DEFAULT 0, published INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE entry (
        list INTEGER NOT NULL REFERENCES list, place INTEGER NOT NULL, status INTEGER NOT NULL,
        decoy INTEGER NOT NULL, subject TEXT NOT NULL, replaces_list INTEGER, replaces_place INTEGER,
        PRIMARY KEY (list, place)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX entry_by_subject ON entry (subject) WHERE subject <> ''",
    "CREATE INDEX entry_by_replaced ON entry (replaces_list, replaces_place) WHERE replaces_list IS NOT NULL",
    """CREATE TABLE event (
        id INTEGER PRIMARY KEY, list INTEGER NOT NULL, place INTEGER NOT NULL, at TEXT NOT NULL,
        status INTEGER NOT NULL, reason TEXT NOT NULL, FOREIGN KEY (list, place) REFERENCES entry
    ) STRICT""",
    "CREATE INDEX event_by_entry ON event (list, place)",
    # What must never happen, not even by a mistake of ours.
    "CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN SELECT raise(ABORT, 'events stay'); END",
    "CREATE TRIGGER event_is_kept BEFORE DELETE ON event BEGIN SELECT raise(ABORT, 'events stay'); END",
    "CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT raise(ABORT, 'entries stay'); END",
    """CREATE TRIGGER revoked_is_for_good BEFORE UPDATE ON entry WHEN OLD.status = 1 AND NEW.status <> 1
        BEGIN SELECT raise(ABORT, 'revoked is for good'); END""",
    f"PRAGMA application_id = {_APPLICATION_ID}",
)


class SqliteRegister(Database):
    """A register in one SQLite file on a local disk; threads and processes may use it at once.

    Every change is on the disk when the call returns, and a process that is killed leaves it as it was before or
    after the change. All methods raise InputError when the file cannot be read or written.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        make: bool = True,
        first_list: int = 1,
        capacity: int = CAPACITY,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        below: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        """Open the register, or ``make`` one, readable by its owner only.

        ``first_list`` and ``capacity`` are for new lists. After the loss of a register begin the next one with a
        list number that was never used, otherwise places are given twice. ``below(n)`` draws from 0 to n - 1.
        """
        if not LEAST_CAPACITY <= capacity <= MAX_ENTRIES:
            raise InputError("状态列表容量超出范围", "the capacity of a status list is out of range")
        if not StatusReference(first_list, 0).in_range:
            raise InputError("状态列表号超出范围", "the number of the first status list is out of range")
        self._first, self._capacity = first_list, capacity
        self._clock, self._below = clock, below
        title = Text("状态登记簿", "status register")
        super().__init__(path, title=title, application_id=_APPLICATION_ID, schema=_SCHEMA, make=make)

    def allot(self, subject: str = "", *, replaces: StatusReference | None = None) -> StatusReference:
        """As `Register.allot`."""
        return self.allot_many([subject], replaces=replaces)[0]

    def allot_many(
        self, subjects: Sequence[str], *, replaces: StatusReference | None = None
    ) -> tuple[StatusReference, ...]:
        """A place for each subject, all or none; much faster than one by one."""
        old = (replaces.list_number, replaces.index) if replaces else (None, None)
        with self._transaction() as db:
            references = []
            for subject in subjects:
                number, capacity = self._open_list(db)
                place = self._take_place(db, number, capacity, Status.VALID, subject, *old)
                db.execute("UPDATE list SET allotted = allotted + 1 WHERE number = ?", (number,))
                references.append(StatusReference(number, place))
                self._note(db, references[-1], Status.VALID, Reason.ISSUED)
        return tuple(references)

    def _open_list(self, db: sqlite3.Connection) -> tuple[int, int]:
        """Number and capacity of the list with room; a new one when there is none."""
        last = db.execute("SELECT number, capacity, allotted FROM list ORDER BY number DESC LIMIT 1").fetchone()
        if last and last[2] < last[1] - last[1] // _RESERVE:
            return last[0], last[1]
        number = last[0] + 1 if last else self._first
        db.execute("INSERT INTO list (number, capacity) VALUES (?, ?)", (number, self._capacity))
        for _ in range(self._below(self._capacity // _FIRST_DECOYS + 1)):
            self._add_decoy(db, number, Status.INVALID)
        return number, self._capacity

    def _take_place(
        self,
        db: sqlite3.Connection,
        number: int,
        capacity: int,
        status: Status,
        subject: str,
        replaces_list: int | None = None,
        replaces_place: int | None = None,
        *,
        decoy: bool = False,
    ) -> int:
        """A free place, each as likely as the other. At least one in 32 is always free, so few draws are in vain."""
        while True:
            place = self._below(capacity)
            row = (number, place, status, decoy, subject, replaces_list, replaces_place)
            if db.execute("INSERT OR IGNORE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount:
                return place

    def confirm(self, reference: StatusReference) -> None:
        """As `Register.confirm`; others that were to replace the same one, and never did, are revoked with it."""
        with self._transaction() as db:
            old = db.execute(
                "SELECT replaces_list, replaces_place FROM entry WHERE list = ? AND place = ? AND decoy = 0",
                (reference.list_number, reference.index),
            ).fetchone()
            if old is None:
                raise self._unknown(reference)
            if old[0] is None:
                return
            rivals = db.execute("SELECT list, place FROM entry WHERE replaces_list = ? AND replaces_place = ?", old)
            for row in [old, *rivals.fetchall()]:
                other = StatusReference(*row)
                if other != reference and self._status(db, other) not in (None, Status.INVALID):
                    self._change(db, other, Status.INVALID, Reason.SUPERSEDED)

    def set(self, reference: StatusReference, status: Status, reason: Reason = Reason.UNSPECIFIED) -> bool:
        """As `Register.set`."""
        return bool(self.set_all([reference], status, reason))

    def set_all(
        self, references: Sequence[StatusReference], status: Status, reason: Reason = Reason.UNSPECIFIED
    ) -> int:
        """Change several, all or none; how many had another status."""
        changed = 0
        with self._transaction() as db:
            for reference in references:
                now = self._status(db, reference)
                if now is None:
                    raise self._unknown(reference)
                if now is Status.INVALID and status is not Status.INVALID:
                    raise InputError(
                        "已吊销的凭证不能恢复或暂停，请另发新凭证",
                        "a revoked credential cannot be resumed or suspended: issue a new one",
                        where=_place(reference),
                    )
                if now is not status:
                    self._change(db, reference, status, reason)
                    changed += 1
        return changed

    def _change(self, db: sqlite3.Connection, reference: StatusReference, status: Status, reason: Reason) -> None:
        db.execute(
            "UPDATE entry SET status = ? WHERE list = ? AND place = ?", (status, reference.list_number, reference.index)
        )
        self._note(db, reference, status, reason)
        if self._below(2):
            self._stir(db, reference.list_number, status)

    def _stir(self, db: sqlite3.Connection, number: int, status: Status) -> None:
        """Let a decoy change in the same way, as long as there are places for decoys."""
        if status is not Status.VALID:
            self._add_decoy(db, number, status)
            return
        suspended = db.execute(
            "SELECT place FROM entry WHERE list = ? AND decoy = 1 AND status = ?", (number, Status.SUSPENDED)
        ).fetchall()
        if suspended:
            (place,) = suspended[self._below(len(suspended))]
            db.execute("UPDATE entry SET status = ? WHERE list = ? AND place = ?", (status, number, place))

    def _add_decoy(self, db: sqlite3.Connection, number: int, status: Status) -> None:
        capacity, decoys = db.execute("SELECT capacity, decoys FROM list WHERE number = ?", (number,)).fetchone()
        if decoys < capacity // (2 * _RESERVE):
            self._take_place(db, number, capacity, status, "", decoy=True)
            db.execute("UPDATE list SET decoys = decoys + 1 WHERE number = ?", (number,))

    def _note(self, db: sqlite3.Connection, reference: StatusReference, status: Status, reason: Reason) -> None:
        db.execute(
            "INSERT INTO event (list, place, at, status, reason) VALUES (?, ?, ?, ?, ?)",
            (reference.list_number, reference.index, self._clock().astimezone(UTC).isoformat(), status, reason),
        )

    def status(self, reference: StatusReference) -> Status | None:
        """As `Register.status`."""
        with self._reading() as db:
            return self._status(db, reference)

    @staticmethod
    def _status(db: sqlite3.Connection, reference: StatusReference) -> Status | None:
        row = db.execute(
            "SELECT status FROM entry WHERE list = ? AND place = ? AND decoy = 0",
            (reference.list_number, reference.index),
        ).fetchone()
        return Status(row[0]) if row else None

    def subject(self, reference: StatusReference) -> str | None:
        """The permit number that the place was allotted for, None when it was never given to a credential."""
        with self._reading() as db:
            row = db.execute(
                "SELECT subject FROM entry WHERE list = ? AND place = ? AND decoy = 0",
                (reference.list_number, reference.index),
            ).fetchone()
        return row[0] if row else None

    def find(self, subject: str) -> tuple[StatusReference, ...]:
        """As `Register.find`."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT list, place FROM entry JOIN event USING (list, place) WHERE subject = ? AND subject <> '' "
                "GROUP BY list, place ORDER BY min(id)",
                (subject,),
            ).fetchall()
        return tuple(StatusReference(*row) for row in rows)

    def history(self, reference: StatusReference) -> tuple[Event, ...]:
        """Every change of a status, the first one first; empty when the place was never given to a credential."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT at, status, reason FROM event WHERE list = ? AND place = ? ORDER BY id",
                (reference.list_number, reference.index),
            ).fetchall()
        return tuple(Event(datetime.fromisoformat(at), Status(status), Reason(reason)) for at, status, reason in rows)

    def list_numbers(self) -> tuple[int, ...]:
        """As `Register.list_numbers`."""
        with self._reading() as db:
            return tuple(number for (number,) in db.execute("SELECT number FROM list ORDER BY number"))

    def statuses(self, list_number: int) -> bytes:
        """As `Register.statuses`."""
        with self._reading() as db:
            return self._statuses(db, list_number)

    def _statuses(self, db: sqlite3.Connection, list_number: int) -> bytes:
        row = db.execute("SELECT capacity FROM list WHERE number = ?", (list_number,)).fetchone()
        if row is None:
            raise InputError("登记簿中没有这个状态列表", "the register has no such status list", where=str(list_number))
        statuses = bytearray(row[0])
        for place, status in db.execute("SELECT place, status FROM entry WHERE list = ? AND status", (list_number,)):
            statuses[place] = status
        return bytes(statuses)

    @contextmanager
    def publication(self, list_number: int, *, after: datetime | None = None) -> Iterator[Snapshot]:
        """As `Register.publication`."""
        with self._transaction() as db:
            statuses = self._statuses(db, list_number)
            (last,) = db.execute("SELECT published FROM list WHERE number = ?", (list_number,)).fetchone()
            issued = max(int(self._clock().timestamp()), last + 1, int(after.timestamp()) + 1 if after else 0)
            db.execute("UPDATE list SET published = ? WHERE number = ?", (issued, list_number))
            yield Snapshot(list_number, statuses, datetime.fromtimestamp(issued, UTC))

    def _unknown(self, reference: StatusReference) -> InputError:
        return InputError(
            "登记簿中没有这个状态编号：不是本机构签发的凭证",
            "the register has no such status entry: this office did not issue the credential",
            where=_place(reference),
        )


def _place(reference: StatusReference) -> str:
    return f"{reference.list_number}:{reference.index}"
