"""Orders as they stand in the ledger, with the cards that they have: the records, and questions about them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.states import (
    OPEN_ORDERS,
    WAITING_ORDERS,
    BlankState,
    CardState,
    LotState,
    OrderKind,
    OrderState,
    PermitState,
)

_orders, _cards, _blanks, _lots = schema.orders, schema.cards, schema.blanks, schema.lots


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order to be planned; ``position`` counts from 1 in its lot.

    ``card`` is the id of the card for an update or a wipe, ``due_on`` the day before which it stays as it is;
    ``card_number`` is the number that a new card gets.
    """

    kind: OrderKind = OrderKind.NEW
    lot: int | None = None
    position: int = 0
    application: int
    person: int
    permit: int | None
    card: int | None = None
    card_number: str | None = field(default=None, repr=False)
    issued_on: date | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an order asks for; the numbers are ids. The dates are those of the card."""

    order: int
    kind: OrderKind
    lot: int | None
    position: int
    person: int
    permit: int | None
    profile: str
    card_number: str = field(repr=False)
    issued_on: date
    expires_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Wanted):
    """An order and the card that it has.

    ``box`` is where the finished card goes, counted from 1 in its lot; 0 for orders of no lot. ``station``, ``reader``
    and ``begun_at`` say where it was worked on last.
    """

    state: OrderState
    box: int
    card: int
    card_state: CardState
    blank: int
    identifier: str = field(repr=False)
    failures: int
    note: str
    station: int | None
    reader: str
    begun_at: datetime | None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of one piece of plastic.

    ``blank`` is its id and ``state`` its state as stock. ``card``, ``card_state``, ``person`` and ``box`` are those of
    the card made of it, None before one is begun. ``claim`` is the order that waits for this card or is under way.
    """

    blank: int
    state: BlankState
    profile: str
    reason: str
    card: int | None = None
    card_state: CardState | None = None
    person: int | None = None
    box: int | None = None
    claim: Claim | None = None

    @property
    def wants_work(self) -> bool:
        """Whether an order may be carried out with it: it is begun, or it is somebody's, and nothing is against it."""
        if self.claim is None or self.claim.state is OrderState.SUSPENDED:
            return False
        return self.card_state in (CardState.BEGUN, CardState.LIVE) or self.claim.kind is OrderKind.WIPE


def word(value: str) -> sa.ColumnClause[str]:
    """A constant of ours that stands in the statement itself: only so a partial index is known to fit."""
    return sa.literal_column(f"'{value!s}'", sa.String)


def in_states(states: Iterable[OrderState]) -> sa.ColumnElement[bool]:
    """The order is in one of these states, in words that fit the partial indexes."""
    return sa.or_(*(_orders.c.state == word(state) for state in states))


def known(db: sa.Connection, identifier: str) -> Known | None:
    """What the ledger knows of the card with this identifier (24 hexadecimal digits), None when nothing."""
    row = db.execute(_KNOWN, {"plastic": identifier}).one_or_none()
    if row is None:
        return None
    blank = Known(row.id, BlankState(row.state), row.profile, row.reason)
    if row.card_id is None:
        return blank
    return Known(
        blank.blank, blank.state, blank.profile, blank.reason,
        row.card_id, CardState(row.card_state), row.person_id, row.box, waiting_for(db, row.card_id),
    )  # fmt: skip


def open_orders(db: sa.Connection, *, lot: int | None = None) -> list[Claim]:
    """The orders whose card may be half written, those of ``lot`` or all."""
    mine = sa.true() if lot is None else _orders.c.lot_id == lot
    rows = db.execute(_CLAIMS.where(in_states(OPEN_ORDERS), mine).order_by(_orders.c.begun_at, _orders.c.id))
    return [_claim(row) for row in rows]


def open_with_serial(db: sa.Connection, city: str, serial: str) -> Claim | None:
    """The only order under way whose card is of this city (4 digits) and has this serial (8 hexadecimal digits)."""
    here = _blanks.c.identifier.like(f"{city}%{serial}")
    rows = db.execute(_CLAIMS.where(in_states(OPEN_ORDERS), here)).all()
    return _claim(rows[0]) if len(rows) == 1 else None


def find_open(db: sa.Connection, order: int) -> Claim:
    """The order with this id. Raises `InputError` unless it has a card that may be half written."""
    row = db.execute(_CLAIMS.where(_orders.c.id == order, in_states(OPEN_ORDERS))).one_or_none()
    if row is None:
        raise InputError(
            "没有这个正在制作的订单，请核对编号（juying station open）",
            "no such order is under way: check its number (juying station open)",
            where=f"orders/{order}",
        )
    return _claim(row)


def left(db: sa.Connection, lot: int | None = None) -> int:
    """How many new orders still want a card: of ``lot``, or of all open lots."""
    mine = _of_open_lots() if lot is None else _orders.c.lot_id == lot
    waiting = (OrderState.PLANNED, *OPEN_ORDERS)
    query = sa.select(sa.func.count()).where(
        _orders.c.kind == OrderKind.NEW.value, in_states(waiting), mine, WITH_VALID_PERMIT
    )
    return db.execute(query).scalar_one()


_CLAIMS = sa.select(
    _orders,
    _cards.c.number,
    _cards.c.state.label("card_state"),
    _cards.c.issued_on.label("card_issued_on"),
    _cards.c.expires_on,
    _blanks.c.id.label("blank_id"),
    _blanks.c.identifier,
    _blanks.c.profile,
).select_from(_orders.join(_cards, _cards.c.id == _orders.c.card_id).join(_blanks, _blanks.c.id == _cards.c.blank_id))


_WAITING = _CLAIMS.where(_orders.c.card_id == sa.bindparam("card"), in_states(WAITING_ORDERS))
_KNOWN = (
    sa.select(
        _blanks.c.id, _blanks.c.state, _blanks.c.profile, _blanks.c.reason,
        _cards.c.id.label("card_id"), _cards.c.state.label("card_state"), _cards.c.person_id,
        sa.select(sa.func.max(_orders.c.box)).where(_orders.c.card_id == _cards.c.id).scalar_subquery().label("box"),
    )
    .select_from(_blanks.outerjoin(_cards, _cards.c.blank_id == _blanks.c.id))
    .where(_blanks.c.identifier == sa.bindparam("plastic"))
)  # fmt: skip


def _claim(row: Any) -> Claim:
    return Claim(
        order=row.id,
        kind=OrderKind(row.kind),
        state=OrderState(row.state),
        lot=row.lot_id,
        position=row.position,
        box=row.box or 0,
        person=row.person_id,
        permit=row.permit_id,
        card=row.card_id,
        card_state=CardState(row.card_state),
        card_number=row.number or "",
        blank=row.blank_id,
        identifier=row.identifier,
        profile=row.profile,
        issued_on=row.card_issued_on,
        expires_on=row.expires_on,
        failures=row.failures,
        note=row.note,
        station=row.station_id,
        reader=row.reader or "",
        begun_at=row.begun_at,
        due_on=row.due_on,
    )


def waiting_for(db: sa.Connection, card: int) -> Claim | None:
    """The order that has a card, or waits for it."""
    row = db.execute(_WAITING, {"card": card}).one_or_none()
    return None if row is None else _claim(row)


WITH_VALID_PERMIT = sa.exists().where(
    schema.permits.c.id == _orders.c.permit_id, schema.permits.c.state == PermitState.VALID.value
)
"""The permit of the order is valid."""


def _of_open_lots() -> sa.ColumnElement[bool]:
    query = sa.select(_lots.c.id).where(_lots.c.state == LotState.OPEN.value)
    return sa.or_(_orders.c.lot_id.is_(None), _orders.c.lot_id.in_(query))
