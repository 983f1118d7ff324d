"""The proof of the ledger: its events form one unbroken chain.

Each event holds the hash of the one before it, so whoever changes, takes out, puts in or swaps events has to make every
later hash anew, and the head of the chain with them. Who can do all that leaves no trace within the ledger; it shows
against a head that somebody noted earlier, elsewhere: every back-up and report prints one (``number:hash``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Event, first_hash
from juying.text import Text

MOST_FINDINGS = 100
"""So many findings are listed; who needs more has lost the chain."""

_PAGE = 2000
_events, _chain = schema.events, schema.chain


class Head(NamedTuple):
    """The last event of a chain: its number and hash. ``str()`` gives what `parse` takes."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        """``17:0f3c…``."""
        return f"{self.number}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The head in ``number:hash``. Raises `InputError`."""
        number, _, digits = text.strip().partition(":")
        if not (number.isascii() and number.isdigit()):
            raise _no_head()
        try:
            hashed = bytes.fromhex(digits)
        except ValueError:
            raise _no_head() from None
        if len(hashed) != len(first_hash("")):
            raise _no_head()
        return cls(int(number), hashed)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not agree: where (``events/17``), and what."""

    where: str
    text: Text


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify_chain` found: the number of events, the head, and what is wrong with them."""

    events: int
    head: Head
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def head_of(db: sa.Connection) -> Head:
    """The head of the chain as the ledger has it."""
    row = db.execute(sa.select(_chain.c.number, _chain.c.hash)).one()
    return Head(row.number, row.hash)


def verify_chain(db: sa.Connection, *, head: Head | None = None) -> Report:
    """Walk over all events; ``head`` is one that was noted earlier, and has to be in the chain.

    Takes some 15 µs an event and no more memory for many than for few.
    """
    name = db.execute(sa.select(schema.ledger.c.name)).scalar_one()
    walk = _Walk(Head(0, first_hash(name)), head)
    for event in events_of(db):
        walk.step(event)
    return walk.report(head_of(db))


def events_of(db: sa.Connection, *, after: int = 0) -> Iterator[Event]:
    """All events in order, read page by page."""
    while True:
        page = db.execute(_EVENTS.where(_events.c.number > after).order_by(_events.c.number).limit(_PAGE)).all()
        for row in page:
            yield _event(row)
        if len(page) < _PAGE:
            return
        after = page[-1].number


class _Walk:
    """The walk over the events: the last one seen, and what was wrong on the way."""

    def __init__(self, start: Head, known: Head | None) -> None:
        self._last = start
        self._known = known
        self._met = known == start
        self._count = 0
        self._findings: list[Finding] = []

    def step(self, event: Event) -> None:
        """Look at the next event."""
        where = f"events/{event.number}"
        self._count += 1
        last = self._last
        if event.number != last.number + 1:
            missing = f"{last.number + 1}–{event.number - 1}"
            self._find(where, f"之前缺少事件 {missing}", f"events {missing} before it are missing")
        elif event.previous != last.hash:
            self._find(where, "与前一事件的哈希不相接", "does not follow the event before it: the hashes differ")
        if event.proper_hash() != event.hash:
            self._find(where, "内容与其哈希不符，已被改动", "was changed: its content does not fit its hash")
        self._last = Head(event.number, event.hash)
        self._met = self._met or self._last == self._known

    def report(self, head: Head) -> Report:
        """What was found, with the ``head`` that the ledger has."""
        if head != self._last:
            self._find(
                "chain",
                f"链头记为事件 {head.number}，与最后一个事件（{self._last.number}）不符",
                f"the head of the chain is event {head.number}, which is not the last event ({self._last.number}) "
                "with its hash",
            )
        if self._known is not None and not self._met:
            self._find(
                f"events/{self._known.number}",
                "与此前记下的链头不符：台账被截短、改写，或换成了旧副本或另一台账",
                "is not as the head noted earlier says: the ledger was cut back or rewritten, or it is an old copy or "
                "another ledger",
            )
        return Report(self._count, head, tuple(self._findings))

    def _find(self, where: str, zh: str, en: str) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(Finding(where, Text(zh, en)))


_EVENTS = sa.select(_events)


def _event(row: Any) -> Event:
    subjects = {
        subject: number
        for subject, number in zip(schema.SUBJECTS, row[5 : 5 + len(schema.SUBJECTS)], strict=True)
        if number is not None
    }
    return Event(
        row.number, row.at, row.kind, row.operator_id, row.station_id, subjects, row.details, row.previous, row.hash
    )


def _no_head() -> InputError:
    return InputError(
        "链头写作 编号:哈希（64 位十六进制），见备份或报告",
        "a head is written as number:hash with 64 hexadecimal digits; see a back-up or a report",
    )
