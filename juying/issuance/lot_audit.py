"""The audit of a lot: every card read back, in any order, into one table against the orders.

::

    audit = LotAudit(ledger, lot)
    audit.see(transport)    # for each card
    save_audit(audit.lines(), Path("audit.csv"))
"""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa

from juying.card.access import Access
from juying.card.transport import Transport
from juying.errors import CardError, InputError
from juying.files import write_atomically
from juying.issuance.compare import Agreement, compare_card
from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.states import LIVE_CARDS, OrderState, Role, Word
from juying.text import Text

_orders, _cards = schema.orders, schema.cards


class Seen(Word):
    """What the audit found of a card."""

    MATCHED = "matched", "一致", "matched"
    """It holds what the ledger says."""
    DIFFERS = "differs", "不一致", "differs"
    NOT_IN_LOT = "not-in-lot", "不属于本批", "not in the lot"
    UNREADABLE = "unreadable", "读不出", "cannot be read"
    MISSING = "missing", "未见到", "missing"
    """Nobody has put it into a reader."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One card: ``where`` it was seen, and its order, None when it has none in this lot.

    ``differences`` name what differs, never a value.
    """

    seen: Seen
    order: int | None = None
    position: int | None = None
    box: int | None = None
    card_number: str = field(default="", repr=False)
    where: str = ""
    differences: tuple[Text, ...] = ()


class LotAudit:
    """Holds cards against the orders of one lot."""

    def __init__(self, ledger: Ledger, actor: Actor, lot: int) -> None:
        """``lot`` is the id of the lot. Raises `InputError` for somebody without any role."""
        actor.require(*Role)
        self._ledger = ledger
        self._lines = _expected(ledger, lot)
        self._strangers: list[AuditLine] = []

    def __len__(self) -> int:
        """How many cards of the lot were not seen yet."""
        return self.counts()[Seen.MISSING]

    def see(self, transport: Transport, access: Access | None = None) -> AuditLine:
        """Hold the card behind ``transport`` against its order; a card that is seen twice counts as seen last."""
        try:
            found = compare_card(self._ledger, transport, access)
        except (CardError, InputError) as error:
            return self._stranger(AuditLine(Seen.UNREADABLE, where=transport.name, differences=(error.text,)))
        expected = None if found.card is None else self._lines.get(found.card)
        if found.card is None or expected is None:
            return self._stranger(AuditLine(Seen.NOT_IN_LOT, where=transport.name, differences=(found.text,)))
        good = found.agreement is Agreement.AGREES or (found.agreement is Agreement.WAITS and not found.differences)
        differences = found.differences if found.differences or good else (found.text,)
        line = replace(
            expected, seen=Seen.MATCHED if good else Seen.DIFFERS, where=transport.name, differences=differences
        )
        self._lines[found.card] = line
        return line

    def lines(self) -> list[AuditLine]:
        """The table: the cards of the lot in their positions, and what else was seen."""
        return [*self._lines.values(), *self._strangers]

    def counts(self) -> Mapping[Seen, int]:
        """How many cards there are of each kind."""
        found = Counter(line.seen for line in self.lines())
        return {seen: found[seen] for seen in Seen}

    def _stranger(self, line: AuditLine) -> AuditLine:
        self._strangers.append(line)
        return line


def save_audit(lines: Sequence[AuditLine], path: Path) -> None:
    """The table as CSV, UTF-8, for its owner only. Raises `InputError`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("result", "order", "position", "box", "card_number", "where", "differences"))
    for line in lines:
        differences = "; ".join(str(difference) for difference in line.differences)
        writer.writerow(
            (line.seen.value, line.order, line.position, line.box, line.card_number, line.where, differences)
        )
    write_atomically(path, text.getvalue().encode(), private=True)


def _expected(ledger: Ledger, lot: int) -> dict[int, AuditLine]:
    """The cards that the orders of a lot made or changed and that are still their holders', by id."""
    done = [OrderState.SEALED.value, OrderState.DELIVERED.value]
    query = (
        sa.select(_orders.c.id, _orders.c.position, _orders.c.box, _orders.c.card_id, _cards.c.number)
        .join(_cards, _cards.c.id == _orders.c.card_id)
        .where(_orders.c.lot_id == lot, _orders.c.state.in_(done))
        .where(_cards.c.state.in_([state.value for state in LIVE_CARDS]))
        .order_by(_orders.c.position)
    )
    with ledger.reading() as db:
        return {
            row.card_id: AuditLine(Seen.MISSING, row.id, row.position, row.box, row.number or "")
            for row in db.execute(query)
        }
