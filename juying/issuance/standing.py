"""How one person stands in the ledger now: the permit in force, the card in hand, and the orders that wait."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from juying.ledger import schema
from juying.ledger.people import load_holder, load_permit
from juying.ledger.states import (
    LIVE_CARDS,
    OPEN_ORDERS,
    WAITING_ORDERS,
    CardState,
    OrderKind,
    OrderState,
    PermitState,
)
from juying.ledger.vault import Vault
from juying.model import Holder, WorkPermit


class CardInHand(NamedTuple):
    """A card that the person got and that nothing took the place of: live, suspended or lost. Numbers are ids."""

    id: int
    state: CardState
    permit: int | None

    @property
    def is_live(self) -> bool:
        """Whether the person may use it, now or after it is resumed."""
        return self.state in LIVE_CARDS


class WaitingOrder(NamedTuple):
    """An order that still wants a card. Numbers are ids."""

    id: int
    kind: OrderKind
    state: OrderState
    card: int | None
    permit: int | None
    note: str

    @property
    def is_open(self) -> bool:
        """Whether its card may be half written."""
        return self.state in OPEN_ORDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One person. ``permit_id`` is the permit in force, None without one, and ``last_permit`` the last one ever.

    ``card`` is the one in hand, a lost one when there is no other. ``application`` is the last one, 0 without one, and
    ``digest`` its digest.
    """

    person: int
    holder: Holder = field(repr=False)
    permit_id: int | None
    permit: WorkPermit | None
    last_permit: int | None
    card: CardInHand | None
    orders: tuple[WaitingOrder, ...]
    suspended: bool
    application: int
    digest: bytes | None = field(repr=False)

    @property
    def live_card(self) -> CardInHand | None:
        """The card in hand, unless it is lost."""
        return self.card if self.card is not None and self.card.is_live else None

    @property
    def new_order(self) -> WaitingOrder | None:
        """The order for a new card."""
        return next((order for order in self.orders if order.kind is OrderKind.NEW), None)

    @property
    def bound_order(self) -> WaitingOrder | None:
        """The order that changes the card in hand."""
        return next((order for order in self.orders if order.kind is not OrderKind.NEW), None)


def load_standing(db: sa.Connection, vault: Vault, person: int, *, lock: bool = False) -> Standing:
    """How a person stands. Raises `InputError` when there is none, or when the person was erased.

    With ``lock`` nobody else can change the person, the waiting orders and the cards until the transaction ends. Orders
    come before cards, as in `juying.ledger.orders`.
    """
    if lock:
        # Not so strong that rows which only refer to the person would have to wait.
        table = schema.persons
        db.execute(sa.select(table.c.id).where(table.c.id == person).with_for_update(key_share=True))
    holder = load_holder(db, vault, person)
    orders = tuple(_orders(db, person, lock))
    card = _card(db, person, lock)
    permits = schema.permits
    mine = permits.c.person_id == person
    query = sa.select(permits.c.id, permits.c.suspended_at).where(mine, permits.c.state == PermitState.VALID.value)
    row = db.execute(query).one_or_none()
    valid: int | None = None if row is None else row.id
    last: int | None = db.execute(sa.select(sa.func.max(permits.c.id)).where(mine)).scalar()
    application = _last_application(db, person)
    return Standing(
        person=person,
        holder=holder,
        permit_id=valid,
        permit=None if valid is None else load_permit(db, vault, valid),
        last_permit=last,
        card=card,
        orders=orders,
        suspended=row is not None and row.suspended_at is not None,
        application=0 if application is None else application.id,
        digest=None if application is None else application.digest,
    )


def person_of_card(db: sa.Connection, number: str) -> int | None:
    """Whose card has this number; None when no card in the ledger has it, spoiled ones aside."""
    table = schema.cards
    query = sa.select(table.c.person_id).where(table.c.number == number, table.c.state != CardState.SPOILED.value)
    found: int | None = db.execute(query).scalar()
    return found


def _orders(db: sa.Connection, person: int, lock: bool) -> list[WaitingOrder]:
    table = schema.orders
    states = [state.value for state in WAITING_ORDERS]
    query = sa.select(table).where(table.c.person_id == person, table.c.state.in_(states)).order_by(table.c.id)
    rows = db.execute(query.with_for_update() if lock else query)
    return [
        WaitingOrder(row.id, OrderKind(row.kind), OrderState(row.state), row.card_id, row.permit_id, row.note)
        for row in rows
    ]


def _card(db: sa.Connection, person: int, lock: bool) -> CardInHand | None:
    table = schema.cards
    states = [state.value for state in (*LIVE_CARDS, CardState.LOST)]
    query = sa.select(table).where(table.c.person_id == person, table.c.state.in_(states)).order_by(table.c.id)
    rows = db.execute(query.with_for_update() if lock else query)
    cards = [CardInHand(row.id, CardState(row.state), row.permit_id) for row in rows]
    return max(cards, key=lambda card: (card.is_live, card.id), default=None)


def _last_application(db: sa.Connection, person: int) -> sa.Row[Any, Any] | None:
    table = schema.applications
    query = sa.select(table.c.id, table.c.digest).where(table.c.person_id == person)
    return db.execute(query.order_by(table.c.id.desc()).limit(1)).one_or_none()
