"""The journal of everything that moves money: what is about to be sent is on the disk before it is sent.

One entry is one settlement of one batch of charges of one visit. Its states, with the message that leads on:

============= ============================================ ===========================================================
state         what it means                                next
============= ============================================ ===========================================================
PENDING       2207 is about to be sent, or was             PAID, REFUSED, or UNKNOWN without an answer or after a crash
UNKNOWN       it may be booked; to be reversed by 2601     REVERSED
PAID          booked, with its number                      UNDOING when somebody asks for it
UNDOING       2208 is about to be sent, or was             UNDONE, PAID when refused, or UNDO_UNKNOWN
UNDO_UNKNOWN  the 2208 may be booked; 2601 takes it back   PAID, and then UNDOING again
REFUSED       nothing was booked                           none
REVERSED      nothing is booked any more                   none
UNDONE        nothing is booked any more                   none
============= ============================================ ===========================================================

PENDING and UNDOING mean that a message may be on its way; after a crash nobody knows, so they become UNKNOWN and
UNDO_UNKNOWN when their time is over. What was in doubt once is always reversed, and never becomes PAID by hearsay.
REFUSED, REVERSED and UNDONE are final: nothing is booked; one move leads back, should an answer turn up after all.

Personal data: while an entry can still move money it holds the person number that the platform needs for that, and it
forgets it when the entry is final. No names, certificates or card numbers are kept.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from juying.database import Database
from juying.errors import InputError
from juying.services.medical.message_id import QUESTIONS, SEQUENCES, message_id
from juying.services.medical.settlement import Order, SettlementInformation
from juying.text import Text

_APPLICATION_ID = 0x4A594D31  # "JYM1" in the header of the file


class State(StrEnum):
    """Where a settlement stands."""

    PENDING = "pending"
    UNKNOWN = "unknown"
    PAID = "paid"
    REFUSED = "refused"
    """By the platform, or it never left."""
    REVERSED = "reversed"
    UNDOING = "undoing"
    UNDO_UNKNOWN = "undo_unknown"
    UNDONE = "undone"

    @property
    def open(self) -> bool:
        """Whether the platform has still to be asked about it."""
        return self in OPEN

    @property
    def text(self) -> Text:
        """The state for people."""
        return _TEXT[self]


OPEN = (State.PENDING, State.UNKNOWN, State.UNDOING, State.UNDO_UNKNOWN)
FINAL = (State.REFUSED, State.REVERSED, State.UNDONE)

MOVES = {
    State.PENDING: (State.PAID, State.REFUSED, State.UNKNOWN),
    State.UNKNOWN: (State.UNKNOWN, State.REVERSED),
    State.PAID: (State.UNDOING, State.UNDO_UNKNOWN),
    State.UNDOING: (State.UNDONE, State.PAID, State.UNDO_UNKNOWN),
    State.UNDO_UNKNOWN: (State.UNDO_UNKNOWN, State.PAID, State.UNDONE),
    State.REVERSED: (State.UNKNOWN,),
}
"""Every move that there is; the database refuses all others. From PAID to UNDO_UNKNOWN and from REVERSED to UNKNOWN it
goes only when an answer arrives after its entry was given up, from UNDO_UNKNOWN to UNDONE only by hand."""

_TEXT = {
    State.PENDING: Text("结算已发出，等待应答", "sent, the answer is awaited"),
    State.UNKNOWN: Text("结果不明，待冲正", "outcome not known, to be reversed"),
    State.PAID: Text("已结算", "settled"),
    State.REFUSED: Text("未结算", "not settled"),
    State.REVERSED: Text("已冲正", "reversed"),
    State.UNDOING: Text("撤销已发出，等待应答", "undoing sent, the answer is awaited"),
    State.UNDO_UNKNOWN: Text("撤销结果不明，待冲正", "outcome of undoing not known, to be reversed"),
    State.UNDONE: Text("已撤销", "undone"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One settlement as the journal has it.

    Amounts are in yuan; those of fund, account and cash are what a receipt shows and are there once it was PAID.
    ``code`` is why it is where it is. Until ``busy_until`` (seconds since 1970) somebody works on it. ``version``
    counts the moves. ``undo_wanted``: somebody asked for it to be undone and has no answer yet.
    """

    number: int
    site: str
    state: State
    version: int
    psn_no: str = field(repr=False)
    insured_in: str
    mdtrt_id: str
    chrg_bchno: str
    amount: Decimal
    message_id: str
    sent_at: float
    busy_until: float
    setl_id: str
    fund: Decimal | None
    account: Decimal | None
    cash: Decimal | None
    undo_message_id: str
    undo_sent_at: float
    undo_wanted: bool
    code: str
    changed: str

    def to_dict(self) -> dict[str, object]:
        """What may be shown of it, as plain JSON values; the person is left out."""
        hidden = ("psn_no", "insured_in", "version", "sent_at", "undo_sent_at", "busy_until", "amount")
        shown: dict[str, object] = {"number": self.number, "state": str(self.state), "amount": str(self.amount)}
        for name in ("fund", "account", "cash"):
            amount = getattr(self, name)
            shown[name] = None if amount is None else str(amount)
        return shown | {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name not in (*shown, *hidden)
        }


_ENTRY = tuple(Entry.__dataclass_fields__)
_STATES = {name: ",".join(f"'{state}'" for state in states) for name, states in (("open", OPEN), ("final", FINAL))}
_SCHEMA = (
    """CREATE TABLE entry (
        number INTEGER PRIMARY KEY, site TEXT NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL,
        psn_no TEXT NOT NULL, insured_in TEXT NOT NULL, mdtrt_id TEXT NOT NULL, chrg_bchno TEXT NOT NULL,
        amount TEXT NOT NULL, message_id TEXT NOT NULL UNIQUE, sent_at REAL NOT NULL, busy_until REAL NOT NULL,
        setl_id TEXT NOT NULL DEFAULT '', fund TEXT, account TEXT, cash TEXT,
        undo_message_id TEXT NOT NULL DEFAULT '', undo_sent_at REAL NOT NULL DEFAULT 0,
        undo_wanted INTEGER NOT NULL DEFAULT 0, code TEXT NOT NULL DEFAULT '', changed TEXT NOT NULL
    ) STRICT""",
    # What must never happen, not even by a mistake of ours: a batch that is being paid, or is paid, twice.
    f"""CREATE UNIQUE INDEX one_payment ON entry (site, mdtrt_id, chrg_bchno)
        WHERE state NOT IN ({_STATES["final"]}, 'unknown')""",
    f"CREATE INDEX entry_to_finish ON entry (number) WHERE state IN ({_STATES['open']}) OR undo_wanted",
    """CREATE TABLE event (
        id INTEGER PRIMARY KEY, number INTEGER NOT NULL REFERENCES entry, at TEXT NOT NULL,
        state TEXT NOT NULL, code TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX event_by_entry ON event (number)",
    "CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN SELECT raise(ABORT, 'events stay'); END",
    "CREATE TRIGGER event_is_kept BEFORE DELETE ON event BEGIN SELECT raise(ABORT, 'events stay'); END",
    "CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT raise(ABORT, 'entries stay'); END",
    "CREATE TRIGGER only_known_moves BEFORE UPDATE OF state ON entry WHEN OLD.state || '>' || NEW.state NOT IN ("
    + ",".join(f"'{old}>{new}'" for old, states in MOVES.items() for new in states)
    + ") BEGIN SELECT raise(ABORT, 'no such move'); END",
    "CREATE TABLE last_id (institution TEXT PRIMARY KEY, second INTEGER NOT NULL, sequence INTEGER NOT NULL) STRICT",
    f"PRAGMA application_id = {_APPLICATION_ID}",
)


class Journal(Database):
    """The journal in one SQLite file on a local disk, readable by its owner only; threads and processes may share it.

    Every change is on the disk when the call returns. All methods raise `InputError` when the file is no use.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        make: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the journal, or ``make`` one."""
        self._clock = clock
        title = Text("结算台账", "journal of settlements")
        super().__init__(path, title=title, application_id=_APPLICATION_ID, schema=_SCHEMA, make=make)

    def message_id(self, institution: str) -> str:
        """A message id that no process has got from this journal before, nor ever will."""
        now = int(self._clock().timestamp())
        with self._transaction() as db:
            row = db.execute("SELECT second, sequence FROM last_id WHERE institution = ?", (institution,)).fetchone()
            second, sequence = row or (0, 0)
            sequence += 1
            if now > second or sequence >= SEQUENCES:  # a clock that was set back does not bring old ids back
                second, sequence = max(now, second + 1), QUESTIONS
            db.execute("INSERT OR REPLACE INTO last_id VALUES (?, ?, ?)", (institution, second, sequence))
        return message_id(institution, second, sequence)

    def begin(
        self, site: str, order: Order, *, insured_in: str, message_id: str, sent_at: float, busy_until: float
    ) -> tuple[Entry, bool]:
        """Store a settlement as PENDING, before it is sent.

        When there is one for the same batch already, that may be booked, it is given instead. The flag says which.
        """
        with self._transaction() as db:
            there = self._rows(
                f"site = ? AND mdtrt_id = ? AND chrg_bchno = ? AND state NOT IN ({_STATES['final']})",
                site,
                order.mdtrt_id,
                order.chrg_bchno,
            )
            if there:
                return there[-1], False
            cursor = db.execute(
                "INSERT INTO entry (site, state, version, psn_no, insured_in, mdtrt_id, chrg_bchno, amount, message_id,"
                " sent_at, busy_until, changed) VALUES (?, 'pending', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    site,
                    order.psn_no,
                    insured_in,
                    order.mdtrt_id,
                    order.chrg_bchno,
                    str(order.medfee_sumamt),
                    message_id,
                    sent_at,
                    busy_until,
                    self._now(),
                ),
            )
            number = cursor.lastrowid
            self._note(db, number, State.PENDING, "")
            return self._rows("number = ?", number)[0], True

    def move(self, entry: Entry, state: State, code: str = "", **facts: object) -> Entry | None:
        """Move an entry on, and put down ``facts``; None when it has moved since it was read.

        A final entry forgets the person.
        """
        if state in FINAL:
            facts |= {"psn_no": "", "undo_wanted": 0}
        facts = {"busy_until": 0.0, **facts, "state": state, "code": code, "changed": self._now()}
        names = ", ".join(f"{name} = ?" for name in facts)
        with self._transaction() as db:
            changed = db.execute(
                f"UPDATE entry SET {names}, version = version + 1 WHERE number = ? AND version = ?",  # noqa: S608
                (*facts.values(), entry.number, entry.version),
            ).rowcount
            if not changed:
                return None
            self._note(db, entry.number, state, code)
            return self._rows("number = ?", entry.number)[0]

    def paid(self, entry: Entry, said: SettlementInformation) -> Entry | None:
        """As `move` to PAID, with number and amounts of the settlement."""
        amounts = {"fund": said.fund_pay_sumamt, "account": said.acct_pay, "cash": said.cash}
        texts: dict[str, object] = {name: None if amount is None else str(amount) for name, amount in amounts.items()}
        return self.move(entry, State.PAID, "", setl_id=said.setl_id, **texts)

    def close_by_hand(self, number: int, state: State) -> Entry:
        """Put down what became of an entry in doubt, as the platform's people say: nothing here can find it out.

        UNKNOWN becomes REVERSED, UNDO_UNKNOWN becomes PAID or UNDONE. Raises `InputError` for anything else, and while
        somebody works on it.
        """
        entry = self.entry(number)
        possible = {State.UNKNOWN: (State.REVERSED,), State.UNDO_UNKNOWN: (State.PAID, State.UNDONE)}
        if state not in possible.get(entry.state, ()) or entry.busy_until > self._clock().timestamp():
            raise InputError(
                f"这一笔{entry.state.text.zh}，不能改为{state.text.zh}",
                f"the entry is {entry.state} and cannot be made {state}",
                where=str(number),
            )
        closed = self.move(entry, state, "by_hand", undo_wanted=0)
        if closed is None:
            raise InputError("这一笔刚被改动，请重试", "the entry has just moved, try again", where=str(number))
        return closed

    def _note(self, db: sqlite3.Connection, number: int | None, state: State, code: str) -> None:
        db.execute(
            "INSERT INTO event (number, at, state, code) VALUES (?, ?, ?, ?)", (number, self._now(), state, code)
        )

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds")

    def entry(self, number: int) -> Entry:
        """The entry with this number; `InputError` when there is none."""
        found = self._read("number = ?", number)
        if not found:
            raise InputError("台账中没有这一笔", "the journal has no such entry", where=str(number))
        return found[0]

    def entries(self, site: str | None = None, *, unfinished: bool = False) -> Sequence[Entry]:
        """The entries in the order of their making, of one site or of all; perhaps only those to be finished."""
        which = f"(state IN ({_STATES['open']}) OR undo_wanted)" if unfinished else "1"
        return self._read(which + " AND site = ?", site) if site else self._read(which)

    def history(self, number: int) -> Sequence[tuple[str, State, str]]:
        """Every move of an entry: when (UTC, ISO 8601), to which state, and why."""
        with self._reading() as db:
            rows = db.execute("SELECT at, state, code FROM event WHERE number = ? ORDER BY id", (number,))
            return [(at, State(state), code) for at, state, code in rows]

    def _read(self, where: str, *values: object) -> Sequence[Entry]:
        with self._reading():
            return self._rows(where, *values)

    def _rows(self, where: str, *values: object) -> Sequence[Entry]:
        rows = self._db.execute(
            f"SELECT {', '.join(_ENTRY)} FROM entry WHERE {where} ORDER BY number",  # noqa: S608 - names of ours only
            values,
        )
        return [_entry(dict(zip(_ENTRY, row, strict=True))) for row in rows.fetchall()]


def _entry(row: dict[str, Any]) -> Entry:
    for name in ("amount", "fund", "account", "cash"):
        row[name] = None if row[name] is None else Decimal(row[name])
    return Entry(**{**row, "state": State(row["state"]), "undo_wanted": bool(row["undo_wanted"])})
