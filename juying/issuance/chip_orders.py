"""What an application does to orders: the one that brings it to a chip is planned, and others make way.

The rows are locked by `juying.issuance.standing.load_standing`.
"""

from dataclasses import dataclass, field, replace
from datetime import date

import sqlalchemy as sa

from juying.card.contents import CARD_NUMBER
from juying.errors import InputError
from juying.issuance.card_numbers import PREFIX, free_numbers
from juying.issuance.standing import Standing, WaitingOrder
from juying.ledger import schema
from juying.ledger.ledger import Transaction
from juying.ledger.orders import NewOrder, find_open, plan_orders, spoil
from juying.ledger.states import OrderKind, OrderState, require
from juying.model.numbers import check_card_number

SUSPENDED_NOTE = "permit suspended"
"""The note of an order that waits because the permit is suspended, and for no other reason."""

_orders = schema.orders


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCard:
    """How a new card is ordered: its ``number``, allotted behind ``prefix`` unless given, and its day.

    With a ``position`` (from 1) it is one of the cards of a lot.
    """

    number: str | None = field(default=None, repr=False)
    issued_on: date | None = None
    prefix: str = PREFIX
    position: int = 0


def with_number(tx: Transaction, wanted: NewCard) -> NewCard:
    """The same with the number that the card gets.

    Raises `FieldError` for a number that no card can have, `InputError` when the prefix is used up.
    """
    if wanted.number is not None:
        return replace(wanted, number=check_card_number(wanted.number, CARD_NUMBER))
    for number in free_numbers(tx, 1, wanted.prefix):
        return replace(wanted, number=number)
    raise InputError("此前缀的卡号已用完，请换一个前缀", "the card numbers of this prefix are used up: choose another")


def order_card(
    tx: Transaction, now: Standing, application: int, permit: int, wanted: NewCard, *, lot: int | None
) -> int:
    """Order a new card, which has its number, with ``permit``; the id of the order. Others make way."""
    _replace(tx, now.bound_order)
    order = NewOrder(
        lot=lot if wanted.position else None,
        position=wanted.position,
        application=application,
        person=now.person,
        permit=permit,
        card_number=wanted.number,
        issued_on=wanted.issued_on,
    )
    return plan_orders(tx, [order])[0]


def redirect(tx: Transaction, now: Standing, order: WaitingOrder, application: int, permit: int) -> int:
    """Have a card that is ordered already made with ``permit``, and not with the one before."""
    _replace(tx, now.bound_order)
    change = sa.update(_orders).where(_orders.c.id == order.id)
    tx.db.execute(change.values(permit_id=permit, application_id=application))
    tx.note("order-changed", order=order.id, application=application, permit=permit, person=now.person)
    return order.id


def order_update(
    tx: Transaction, now: Standing, card: int, application: int, permit: int, *, due_on: date | None = None
) -> int:
    """Have the card in hand brought to ``permit``, not before ``due_on``; the id of the order."""
    _replace(tx, now.bound_order)
    return _bound(tx, now, OrderKind.UPDATE, application, permit, card, due_on)


def order_wipe(tx: Transaction, now: Standing, application: int) -> int | None:
    """Have the permit taken off the card in hand, if it is or may be on it, and make no new card with it."""
    card, order = now.live_card, now.bound_order
    on_chip = card is not None and (card.permit is not None or (order is not None and order.is_open))
    if now.new_order is not None:
        withdraw(tx, now.new_order, OrderState.CANCELLED)
    if order is not None:
        withdraw(tx, order, OrderState.REPLACED if on_chip else OrderState.CANCELLED)
    return _bound(tx, now, OrderKind.WIPE, application, None, card.id) if card is not None and on_chip else None


def withdraw(tx: Transaction, order: WaitingOrder, after: OrderState, *, note: str = "") -> None:
    """Take an order back, also from a station that is at work on it; a blank half written for it goes aside."""
    before = order.state
    if order.is_open:
        if order.kind is OrderKind.NEW:
            spoil(tx, find_open(tx.db, order.id), "the order was withdrawn")
        else:
            require(before, OrderState.PLANNED, where=f"orders/{order.id}")
        before = OrderState.PLANNED
    require(before, after, where=f"orders/{order.id}")
    tx.db.execute(sa.update(_orders).where(_orders.c.id == order.id).values(state=after.value, note=note))
    tx.note(f"order-{after.value}", order=order.id, card=order.card)


def suspend_orders(tx: Transaction, now: Standing) -> None:
    """Set aside what waits, until `resume_orders`."""
    for order in now.orders:
        if order.state is not OrderState.SUSPENDED:
            withdraw(tx, order, OrderState.SUSPENDED, note=SUSPENDED_NOTE)


def resume_orders(tx: Transaction, now: Standing) -> None:
    """Let what `suspend_orders` set aside wait again."""
    for order in now.orders:
        if order.state is OrderState.SUSPENDED and order.note == SUSPENDED_NOTE:
            withdraw(tx, order, OrderState.PLANNED)


def _replace(tx: Transaction, order: WaitingOrder | None) -> None:
    if order is not None:
        withdraw(tx, order, OrderState.REPLACED)


def _bound(
    tx: Transaction, now: Standing, kind: OrderKind, application: int, permit: int | None, card: int,
    due_on: date | None = None,
) -> int:  # fmt: skip
    order = NewOrder(kind=kind, application=application, person=now.person, permit=permit, card=card, due_on=due_on)
    return plan_orders(tx, [order])[0]
