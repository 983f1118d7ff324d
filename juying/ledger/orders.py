"""Orders at the reader: a card in the reader claims the next order, and each step of making it is recorded.

A new order has no card until a blank claims it; the claim is the intent, recorded before anything is written. What
updates or wipes a card that somebody has is bound to that card from the beginning. Every function may be called again
with the same arguments when nobody knows whether its commit arrived: it changes nothing twice.

Rows are locked in one order everywhere, so that nobody waits in a circle: order, blank, card, and the chain last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Transaction
from juying.ledger.states import (
    LIVE_CARDS,
    OPEN_ORDERS,
    WAITING_ORDERS,
    BlankState,
    CardState,
    LotState,
    OrderKind,
    OrderState,
    require,
)
from juying.model.card import years_later

LONGEST_NOTE, LONGEST_REASON, LONGEST_READER = 500, 100, 100

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
class Claim:
    """An order and the card that it has; the numbers are ids.

    ``box`` is where the finished card goes, counted from 1 in its lot; 0 for orders of no lot. ``issued_on`` and
    ``expires_on`` are those of the card. ``station``, ``reader`` and ``begun_at`` say where it was worked on last.
    """

    order: int
    kind: OrderKind
    state: OrderState
    lot: int | None
    position: int
    box: int
    person: int
    permit: int | None
    card: int
    card_state: CardState
    card_number: str = field(repr=False)
    blank: int
    identifier: str = field(repr=False)
    profile: str
    issued_on: date
    expires_on: date
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


def plan_orders(tx: Transaction, planned: Sequence[NewOrder]) -> Sequence[int]:
    """Add orders to be carried out; their ids. One event for all of them is the caller's to note."""
    ids = tx.new_ids(_orders, len(planned))
    rows = [
        {
            "id": number,
            "kind": entry.kind.value,
            "state": OrderState.PLANNED.value,
            "lot_id": entry.lot,
            "position": entry.position,
            "application_id": entry.application,
            "person_id": entry.person,
            "permit_id": entry.permit,
            "card_id": entry.card,
            "card_number": entry.card_number,
            "issued_on": entry.issued_on,
            "due_on": entry.due_on,
            "made_at": tx.now,
        }
        for number, entry in zip(ids, planned, strict=True)
    ]
    if rows:
        tx.db.execute(sa.insert(_orders), rows)
    return ids


def known(db: sa.Connection, identifier: str) -> Known | None:
    """What the ledger knows of the card with this identifier (24 hexadecimal digits), None when nothing."""
    newest = sa.select(sa.func.max(_orders.c.box)).where(_orders.c.card_id == _cards.c.id).scalar_subquery()
    query = (
        sa.select(
            _blanks.c.id, _blanks.c.state, _blanks.c.profile, _blanks.c.reason,
            _cards.c.id.label("card_id"), _cards.c.state.label("card_state"), _cards.c.person_id, newest.label("box"),
        )
        .select_from(_blanks.outerjoin(_cards, _cards.c.blank_id == _blanks.c.id))
        .where(_blanks.c.identifier == identifier)
    )  # fmt: skip
    row = db.execute(query).one_or_none()
    if row is None:
        return None
    blank = Known(row.id, BlankState(row.state), row.profile, row.reason)
    if row.card_id is None:
        return blank
    return Known(
        blank.blank, blank.state, blank.profile, blank.reason,
        row.card_id, CardState(row.card_state), row.person_id, row.box, _waiting(db, row.card_id),
    )  # fmt: skip


def claim(
    tx: Transaction,
    identifier: str,
    profile: str,
    *,
    lot: int | None = None,
    order: int | None = None,
    reader: str = "",
    listed_only: bool = False,
) -> Claim | None:
    """Give the card with this identifier the order it is to be used for; None when none is waiting.

    A card that has an order keeps it, whatever else is asked. A blank takes the next new order: of ``lot``, else of
    any open lot with cards of this profile, the lowest first, and orders of no lot before all; ``order`` asks for that
    one alone. A blank that is not in stock is added to it, unless ``listed_only``.

    Raises `InputError` when the card can have no order: it is used, spoiled or scrapped, or not in stock.
    """
    found = known(tx.db, identifier)
    if found is not None and found.claim is not None:
        return _take_up(tx, found.claim, reader)
    if found is not None and found.state is not BlankState.STOCK:
        raise _unusable(found.state)
    if found is None and listed_only:
        raise InputError(
            "此空白卡不在库存清单中，未作任何改动；请先登记入库",
            "this blank is not in stock, nothing was changed: enter it first",
        )
    taken = _next(tx, profile, lot, order)
    if taken is None:
        return None
    if taken.card_number is None:
        raise InputError(
            "订单没有卡号，未作任何改动；请先配号",
            "the order has no card number, nothing was changed: allot one first",
            where=f"orders/{taken.id}",
        )
    blank = found.blank if found is not None else add_blank(tx, identifier, profile)
    _change_blank(tx, blank, BlankState.STOCK, BlankState.IN_USE)
    issued_on = taken.issued_on or tx.now.astimezone().date()
    card = tx.db.execute(
        sa.insert(_cards)
        .values(
            blank_id=blank,
            person_id=taken.person_id,
            state=CardState.BEGUN.value,
            number=taken.card_number,
            issued_on=issued_on,
            expires_on=years_later(issued_on),
            made_at=tx.now,
        )
        .returning(_cards.c.id)
    ).scalar_one()
    box = 0 if taken.box_size is None else 1 + (taken.position - 1) // taken.box_size
    _update(tx, taken.id, OrderState.WRITING, card_id=card, box=box, failures=0, note="", **_here(tx, reader))
    tx.note("order-claimed", {"box": box, "reader": reader}, order=taken.id, card=card, blank=blank, lot=taken.lot_id,
            person=taken.person_id, permit=taken.permit_id)  # fmt: skip
    return _waiting(tx.db, card)


def add_blank(tx: Transaction, identifier: str, profile: str) -> int:
    """Add a blank to the stock; its id."""
    number: int = tx.db.execute(
        sa.insert(_blanks)
        .values(identifier=identifier, state=BlankState.STOCK.value, profile=profile, made_at=tx.now)
        .returning(_blanks.c.id)
    ).scalar_one()
    tx.note("blank-registered", {"profile": profile}, blank=number)
    return number


def step(tx: Transaction, claim: Claim, state: OrderState) -> None:
    """Record how far the card is: `OrderState.WRITTEN` or `OrderState.VERIFIED`."""
    before = _lock(tx, claim)
    if before is not state:
        require(before, state, where=f"orders/{claim.order}")
        _update(tx, claim.order, state)
        _note(tx, f"order-{state.value}", claim)


def seal(tx: Transaction, claim: Claim, credential: int | None = None) -> None:
    """The card is done: it is the person's card from now on, and holds ``credential`` of the permit of the order.

    Another card that the person had is replaced, and with it the orders that waited for that card.
    """
    before = _lock(tx, claim)
    if before is OrderState.SEALED:
        return
    require(before, OrderState.SEALED, where=f"orders/{claim.order}")
    _update(tx, claim.order, OrderState.SEALED, sealed_at=tx.now)
    if claim.kind is OrderKind.NEW:
        _change_blank(tx, claim.blank, BlankState.IN_USE, BlankState.USED)
        _replace_others(tx, claim)
        _change_card(tx, claim.card, claim.card_state, CardState.LIVE)
    tx.db.execute(
        sa.update(_cards)
        .where(_cards.c.id == claim.card)
        .values(permit_id=claim.permit, credential_id=None if claim.permit is None else credential)
    )
    _note(tx, "order-sealed", claim, credential=credential)


def fail(tx: Transaction, claim: Claim, reason: str) -> int:
    """The card failed while it was worked on; how often it has by now. ``reason`` holds no personal data."""
    _lock(tx, claim)
    count = claim.failures + 1  # not one more than what stands there: the commit before this one may have arrived
    _update(tx, claim.order, failures=count, note=reason[:LONGEST_NOTE])
    _note(tx, "card-failed", claim, {"failures": count, "reason": reason[:LONGEST_NOTE]})
    return count


def spoil(tx: Transaction, claim: Claim, reason: str, *, kind: str = "card-spoiled") -> None:
    """The card will never be finished: it is set aside, and its order waits for another one.

    An order for a card that a person has already waits, suspended, for a decision of the office: to replace the card.
    """
    if tx.db.execute(sa.select(_cards.c.state).where(_cards.c.id == claim.card)).scalar_one() == CardState.SPOILED:
        return
    before = _lock(tx, claim)
    if before not in OPEN_ORDERS:
        return
    require(before, OrderState.PLANNED, where=f"orders/{claim.order}")
    reason = reason[:LONGEST_REASON]
    if claim.kind is OrderKind.NEW:
        _update(tx, claim.order, OrderState.PLANNED, card_id=None, box=None, reader=None, station_id=None, note=reason)
        _change_blank(tx, claim.blank, BlankState.IN_USE, BlankState.SPOILED, reason=reason)
        _change_card(tx, claim.card, claim.card_state, CardState.SPOILED, ended_at=tx.now)
    else:
        _update(tx, claim.order, OrderState.SUSPENDED, note=reason)
    _note(tx, kind, claim, {"reason": reason})


def open_orders(db: sa.Connection, *, lot: int | None = None) -> list[Claim]:
    """The orders whose card may be half written, those of ``lot`` or all."""
    mine = sa.true() if lot is None else _orders.c.lot_id == lot
    rows = db.execute(_CLAIMS.where(_states(OPEN_ORDERS), mine).order_by(_orders.c.begun_at, _orders.c.id))
    return [_claim(row) for row in rows]


def find_open(db: sa.Connection, order: int) -> Claim:
    """The order with this id. Raises `InputError` unless it has a card that may be half written."""
    row = db.execute(_CLAIMS.where(_orders.c.id == order, _states(OPEN_ORDERS))).one_or_none()
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
    query = sa.select(sa.func.count()).where(_orders.c.kind == OrderKind.NEW.value, _states(waiting), mine)
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


def _claim(row: sa.Row[tuple[object, ...]]) -> Claim:
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
        card_number=row.number,
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


def _waiting(db: sa.Connection, card: int) -> Claim | None:
    """The order that has a card, or waits for it."""
    row = db.execute(_CLAIMS.where(_orders.c.card_id == card, _states(WAITING_ORDERS))).one_or_none()
    return None if row is None else _claim(row)


def _states(states: Iterable[OrderState]) -> sa.ColumnElement[bool]:
    """The order is in one of these states, in words that fit the partial indexes."""
    return sa.or_(*(_orders.c.state == _word(state) for state in states))


def _word(value: str) -> sa.BindParameter[str]:
    """A constant of ours that stands in the statement itself: only so a partial index is known to fit."""
    return sa.literal(value, literal_execute=True)


def _next(tx: Transaction, profile: str, lot: int | None, order: int | None) -> "sa.Row[tuple[object, ...]] | None":
    """The next new order, locked; what another station has locked is left to it."""
    to_claim = sa.and_(_orders.c.kind == _word(OrderKind.NEW.value), _orders.c.state == _word(OrderState.PLANNED.value))
    if order is not None:
        places: list[sa.ColumnElement[bool]] = [_orders.c.id == order]
    else:
        query = sa.select(_lots.c.id).where(_lots.c.state == LotState.OPEN.value, _lots.c.profile == profile)
        open_lots = tx.db.execute(query.order_by(_lots.c.id)).scalars()
        places = [_orders.c.lot_id == number for number in open_lots if lot in (None, number)]
        if lot is None:
            places.insert(0, _orders.c.lot_id.is_(None))
    for place in places:
        wanted = (
            sa.select(_orders, _lots.c.box_size)
            .select_from(_orders.outerjoin(_lots, _lots.c.id == _orders.c.lot_id))
            .where(to_claim, place)
            .order_by(_orders.c.position, _orders.c.id)
            .limit(1)
            .with_for_update(of=_orders, skip_locked=True)
        )
        row = tx.db.execute(wanted).one_or_none()
        if row is not None:
            return row
    return None


def _of_open_lots() -> sa.ColumnElement[bool]:
    query = sa.select(_lots.c.id).where(_lots.c.state == LotState.OPEN.value)
    return sa.or_(_orders.c.lot_id.is_(None), _orders.c.lot_id.in_(query))


def _take_up(tx: Transaction, found: Claim, reader: str) -> Claim | None:
    """The order that the card has: begun here or elsewhere, or waiting for this card.

    None while it is suspended, or not due.
    """
    before = _lock(tx, found)
    early = found.due_on is not None and found.due_on > tx.now.astimezone().date()
    if before is OrderState.SUSPENDED or (before is OrderState.PLANNED and early):
        return None
    if before is OrderState.PLANNED:  # an update or a wipe
        _update(tx, found.order, OrderState.WRITING, failures=0, note="", **_here(tx, reader))
        _note(tx, "order-claimed", found, {"reader": reader})
    elif (before, found.station, found.reader) != (OrderState.WRITING, tx.actor.station, reader):
        # What was written and verified may have changed since then.
        _update(tx, found.order, OrderState.WRITING, **_here(tx, reader))
        _note(tx, "order-resumed", found, {"from": before.value, "reader": reader})
    return _waiting(tx.db, found.card)


def _here(tx: Transaction, reader: str) -> dict[str, object]:
    return {"station_id": tx.actor.station, "reader": reader[:LONGEST_READER], "begun_at": tx.now}


def _lock(tx: Transaction, claim: Claim) -> OrderState:
    """Lock the order of a claim; its present state. Raises `InputError` when it has another card by now."""
    query = sa.select(_orders.c.state, _orders.c.card_id).where(_orders.c.id == claim.order).with_for_update()
    state, card = tx.db.execute(query).one()
    if card not in (claim.card, None) or (card is None and state != OrderState.PLANNED.value):
        raise InputError(
            "此订单已由另一张卡接手；请取出这张卡",
            "another card has taken over this order: take this one out",
            where=f"orders/{claim.order}",
        )
    return OrderState(state)


def _update(tx: Transaction, order: int, state: OrderState | None = None, **values: object) -> None:
    if state is not None:
        values["state"] = state.value
    tx.db.execute(sa.update(_orders).where(_orders.c.id == order).values(values))


def _change_blank(tx: Transaction, blank: int, before: BlankState, after: BlankState, **values: object) -> None:
    require(before, after, where=f"blanks/{blank}")
    change = sa.update(_blanks).where(_blanks.c.id == blank, _blanks.c.state == before.value)
    if not tx.db.execute(change.values(state=after.value, **values)).rowcount:
        raise _meanwhile(f"blanks/{blank}")


def _change_card(tx: Transaction, card: int, before: CardState, after: CardState, **values: object) -> None:
    require(before, after, where=f"cards/{card}")
    change = sa.update(_cards).where(_cards.c.id == card, _cards.c.state == before.value)
    if not tx.db.execute(change.values(state=after.value, **values)).rowcount:
        raise _meanwhile(f"cards/{card}")


def _meanwhile(where: str) -> InputError:
    return InputError(
        "台账中的状态刚被改动，未作任何改动；请重新放卡",
        "its state in the ledger has just been changed elsewhere, nothing was changed: insert the card again",
        where=where,
    )


def _replace_others(tx: Transaction, claim: Claim) -> None:
    """Whatever card the person had is replaced by this one."""
    ended = (*LIVE_CARDS, CardState.LOST)
    query = sa.select(_cards.c.id, _cards.c.state).where(
        _cards.c.person_id == claim.person,
        _cards.c.id != claim.card,
        _cards.c.state.in_([state.value for state in ended]),
    )
    for card, state in tx.db.execute(query).all():
        waiting = sa.update(_orders).where(_orders.c.card_id == card, _states(WAITING_ORDERS))
        tx.db.execute(waiting.values(state=OrderState.REPLACED.value))
        _change_card(tx, card, CardState(state), CardState.REPLACED, ended_at=tx.now)
        tx.note("card-replaced", card=card, order=claim.order, person=claim.person)


def _note(
    tx: Transaction, kind: str, claim: Claim, details: dict[str, object] | None = None, **subjects: int | None
) -> None:
    tx.note(kind, details, order=claim.order, card=claim.card, blank=claim.blank, lot=claim.lot, person=claim.person,
            **subjects)  # fmt: skip


def _unusable(state: BlankState) -> InputError:
    zh, en = {
        BlankState.SPOILED: ("这张卡已作废待销毁", "this card is spoiled and waits for being destroyed"),
        BlankState.SCRAPPED: ("台账记载这张卡已销毁", "the ledger says that this card was destroyed"),
    }.get(state, ("这张卡已发出", "this card is issued already"))
    return InputError(f"{zh}，未作任何改动；请取出", f"{en}; nothing was changed: take it out")
