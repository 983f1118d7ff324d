"""What a terminal must not forget: purchases about to happen (灰记录), and those that did, for the operator's clearing.

A purchase is written down before the card is debited. If the card is torn then, nobody knows whether it was; the entry
stays grey until the card comes back and says so. Terminals of one gate line may share the file.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Self

from juying.card.tunion_purchase import Debit, Receipt
from juying.errors import InputError
from juying.files import create
from juying.services.transit.ride_checks import Action
from juying.services.transit.site import Mode

PATIENCE = 5.0
"""Seconds to wait for another process that writes."""


class State(StrEnum):
    """What is known of a purchase."""

    GREY = "grey"
    """The card may have been debited."""
    PAID = "paid"
    """It was, and the transaction code (TAC) is here."""
    UNPROVEN = "unproven"
    """It was, as its log says, but the code is lost."""
    LOST = "lost"
    """Nobody will know from the card: it has forgotten. The clearing has to find out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A purchase in the journal; ``tac`` and ``mac2`` are hex digits, empty unless it is PAID."""

    number: int
    state: State
    action: Action
    mode: Mode
    debit: Debit
    tac: str = ""
    mac2: str = field(default="", repr=False)
    verified: bool = False

    def to_dict(self) -> dict[str, object]:
        """What the clearing wants, as plain JSON values; it names the card."""
        debit = self.debit
        return {
            "number": self.number,
            "state": str(self.state),
            "action": str(self.action),
            "mode": str(self.mode),
            "serial": debit.serial,
            "issuer_code": debit.issuer_code,
            "type": f"{debit.type:02X}",
            "amount_fen": debit.amount_fen,
            "terminal": debit.terminal,
            "at": debit.at.isoformat(),
            "sequence": debit.sequence,
            "terminal_sequence": debit.terminal_sequence,
            "balance_fen": debit.balance_fen,
            "tac": self.tac,
            "verified": self.verified,
        }


_SCHEMA = """
CREATE TABLE IF NOT EXISTS tap (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, action TEXT NOT NULL, mode TEXT NOT NULL,
    serial TEXT NOT NULL, issuer TEXT NOT NULL, type INTEGER NOT NULL, amount INTEGER NOT NULL,
    terminal TEXT NOT NULL, at TEXT NOT NULL,
    sequence INTEGER NOT NULL, terminal_sequence INTEGER NOT NULL, balance INTEGER NOT NULL,
    tac TEXT NOT NULL DEFAULT '', mac2 TEXT NOT NULL DEFAULT '', verified INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_open_purchase ON tap (serial, issuer) WHERE state = 'grey';
"""
_COLUMNS = (
    "number, state, action, mode, serial, issuer, type, amount, terminal, at, sequence, terminal_sequence, "
    "balance, tac, mac2, verified"
)

_NO_PROOF = ("", "", False)


class TapJournal:
    """The journal in an SQLite file that only its owner can read, or in memory; threads may share it.

    Every change is on the disk when the call returns. Raises `InputError` when the file is no use.
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        """Open the journal, or make one."""
        self._path, self._lock = str(path), threading.Lock()
        try:
            if self._path != ":memory:":
                with suppress(FileExistsError):
                    create(Path(path), b"", private=True)  # SQLite itself would let everybody read it
            self._db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None
        try:
            with self._change() as db:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
        except InputError:
            self._db.close()
            raise

    def grey(self, serial: str, issuer_code: str) -> Entry | None:
        """The purchase of this card whose outcome is open."""
        found = self._entries("state = 'grey' AND serial = ? AND issuer = ?", serial, issuer_code)
        return found[0] if found else None

    def entries(self, *states: State) -> tuple[Entry, ...]:
        """All entries, or those in these states, oldest first."""
        wanted = states or tuple(State)
        return self._entries(f"state IN ({', '.join('?' * len(wanted))})", *wanted)

    def begin(self, debit: Debit, action: Action, mode: Mode) -> None:
        """Write down a purchase that is about to happen. A card may have one of these at a time."""
        row = (
            *(State.GREY, action, mode, debit.serial, debit.issuer_code, debit.type, debit.amount_fen, debit.terminal),
            *(debit.at.isoformat(), debit.sequence, debit.terminal_sequence, debit.balance_fen),
        )
        with self._change() as db:
            db.execute(
                "INSERT INTO tap (state, action, mode, serial, issuer, type, amount, terminal, at, sequence, "
                "terminal_sequence, balance) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def settle(self, debit: Debit, state: State, receipt: Receipt | None = None) -> None:
        """Write down what became of a purchase; with ``receipt`` its transaction code, also while it stays GREY."""
        proof = (
            (receipt.tac.hex().upper(), receipt.mac2.hex().upper(), bool(receipt.verified)) if receipt else _NO_PROOF
        )
        with self._change() as db:
            db.execute(
                "UPDATE tap SET state = ?, tac = ?, mac2 = ?, verified = ? "
                "WHERE state = 'grey' AND serial = ? AND issuer = ?",
                (state, *proof, *_card(debit)),
            )

    def void(self, debit: Debit) -> None:
        """The purchase did not happen: forget it."""
        with self._change() as db:
            db.execute("DELETE FROM tap WHERE state = 'grey' AND serial = ? AND issuer = ?", _card(debit))

    def remove(self, number: int) -> None:
        """Forget an entry that the clearing has; one that is grey stays."""
        with self._change() as db:
            db.execute("DELETE FROM tap WHERE number = ? AND state != 'grey'", (number,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        """The journal itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _entries(self, where: str, *values: str) -> tuple[Entry, ...]:
        with self._change() as db:
            # The words of the condition are ours.
            rows = db.execute(f"SELECT {_COLUMNS} FROM tap WHERE {where} ORDER BY number", values)  # noqa: S608
            return tuple(map(_entry, rows))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                with self._db:
                    yield self._db
            except sqlite3.Error as error:
                raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> InputError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return InputError(
            f"刷卡台账不可用（{reason}）", f"the journal of taps cannot be used ({reason})", where=self._path
        )


def _card(debit: Debit) -> tuple[str, str]:
    return debit.serial, debit.issuer_code


def _entry(row: tuple[object, ...]) -> Entry:
    (number, state, action, mode, serial, issuer, kind, amount, terminal, at, sequence, own, balance, *proof) = row
    tac, mac2, verified = proof
    debit = Debit(
        serial=str(serial),
        issuer_code=str(issuer),
        type=_int(kind),
        amount_fen=_int(amount),
        terminal=str(terminal),
        at=datetime.fromisoformat(str(at)),
        sequence=_int(sequence),
        terminal_sequence=_int(own),
        balance_fen=_int(balance),
    )
    return Entry(
        number=_int(number),
        state=State(str(state)),
        action=Action(str(action)),
        mode=Mode(str(mode)),
        debit=debit,
        tac=str(tac),
        mac2=str(mac2),
        verified=bool(verified),
    )


def _int(value: object) -> int:
    return int(str(value))
