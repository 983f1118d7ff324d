"""Orders at the reader: a card in the reader claims the next order, and each step of making it is recorded.

A new order has no card until a blank claims it; the claim is the intent, recorded before anything is written. What
updates or wipes a card that somebody has is bound to that card from the beginning. Every function may be called again
with the same arguments when nobody knows whether its commit arrived: it changes nothing twice.

Rows are locked in one order everywhere, so that nobody waits in a circle: order, blank, card, and the chain last.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.bulk import insert_many
from juying.ledger.ledger import Transaction
from juying.ledger.order_records import (
    WITH_VALID_PERMIT,
    Claim,
    Known,
    NewOrder,
    Wanted,
    find_open,
    in_states,
    known,
    left,
    open_orders,
    open_with_serial,
    waiting_for,
    word,
)
from juying.ledger.people import CARD
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

__all__ = [
    "Claim",
    "Known",
    "NewOrder",
    "Wanted",
    "add_blank",
    "claim",
    "fail",
    "find_open",
    "hold",
    "known",
    "left",
    "open_orders",
    "open_with_serial",
    "plan_orders",
    "seal",
    "spoil",
    "step",
]

LONGEST_NOTE, LONGEST_REASON, LONGEST_READER = 500, 100, 100

_orders, _cards, _blanks, _lots = schema.orders, schema.cards, schema.blanks, schema.lots


def plan_orders(tx: Transaction, planned: Sequence[NewOrder]) -> Sequence[int]:
    """Add orders to be carried out; their ids. One event for all of them is the caller's to note.

    Whoever adds many of them in a transaction calls `juying.ledger.bulk.refresh_statistics` at its end.
    """
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
    insert_many(tx.db, sa.insert(_orders), rows)
    return ids


def claim(
    tx: Transaction,
    identifier: str,
    profile: str,
    *,
    lot: int | None = None,
    order: int | None = None,
    reader: str = "",
    listed_only: bool = False,
    fits: Callable[[Wanted], None] = lambda wanted: None,
) -> Claim | None:
    """Give the card with this identifier the order it is to be used for; None when none is waiting.

    A card that has an order keeps it, whatever else is asked. A blank takes the next new order with a valid permit: of
    ``lot``, else of any open lot with cards of this profile, the lowest first, and orders of no lot before all;
    ``order`` asks for that one alone. A blank that is not in stock is added to it, unless ``listed_only``. An order
    for which ``fits`` raises `InputError` is suspended with that reason, before a card is spent on it.

    Raises `InputError` when the card can have no order: it is used, spoiled or scrapped, or not in stock.
    """
    found = known(tx.db, identifier)
    if found is not None and found.claim is not None:
        return _take_up(tx, found.claim, reader, fits)
    if found is not None and found.state is not BlankState.STOCK:
        raise _unusable(found.state)
    if found is None and listed_only:
        raise InputError(
            "此空白卡不在库存清单中，未作任何改动；请先登记入库",
            "this blank is not in stock, nothing was changed: enter it first",
        )
    while (row := _next(tx, profile, lot, order)) is not None:
        wanted = _wanted(tx, row, profile)
        try:
            if not wanted.card_number:
                raise _no_number()
            fits(wanted)
        except InputError as error:
            _suspend(tx, wanted, str(error))
            continue
        if found is None:
            blank = add_blank(tx, identifier, profile, BlankState.IN_USE)
        else:
            blank = found.blank
            _change_blank(tx, blank, BlankState.STOCK, BlankState.IN_USE)
        return _begin(tx, wanted, blank, identifier, row.box_size, reader)
    return None


def _wanted(tx: Transaction, row: Any, profile: str) -> Wanted:
    issued_on = row.issued_on or tx.now.astimezone().date()
    return Wanted(
        order=row.id, kind=OrderKind(row.kind), lot=row.lot_id, position=row.position, person=row.person_id,
        permit=row.permit_id, profile=profile, card_number=row.card_number or "", issued_on=issued_on,
        expires_on=years_later(issued_on),
    )  # fmt: skip


def _begin(tx: Transaction, wanted: Wanted, blank: int, identifier: str, box_size: int | None, reader: str) -> Claim:
    """The intent: this blank becomes the card of this order."""
    values = {
        "blank_id": blank, "person_id": wanted.person, "state": CardState.BEGUN.value, "number": wanted.card_number,
        "number_key": tx.vault.key(CARD, wanted.card_number), "issued_on": wanted.issued_on,
        "expires_on": wanted.expires_on, "made_at": tx.now,
    }  # fmt: skip
    card = tx.db.execute(_ADD_CARD, values).scalar_one()
    box = 0 if box_size is None else 1 + (wanted.position - 1) // box_size
    here = _here(tx, reader)
    _update(tx, wanted.order, OrderState.WRITING, card_id=card, box=box, failures=0, note="", **here)
    begun = Claim(
        **{entry.name: getattr(wanted, entry.name) for entry in fields(wanted)},
        state=OrderState.WRITING, box=box, card=card, card_state=CardState.BEGUN, blank=blank, identifier=identifier,
        failures=0, note="", station=tx.actor.station, reader=reader, begun_at=tx.now,
    )  # fmt: skip
    _note(tx, "order-claimed", begun, {"box": box, "reader": reader}, permit=wanted.permit)
    return begun


def _suspend(tx: Transaction, wanted: Wanted, reason: str) -> None:
    """Set aside an order that no card has been spent on."""
    _update(tx, wanted.order, OrderState.SUSPENDED, note=reason[:LONGEST_NOTE])
    tx.note("order-suspended", {"reason": reason[:LONGEST_NOTE]}, order=wanted.order, lot=wanted.lot,
            person=wanted.person)  # fmt: skip


def add_blank(tx: Transaction, identifier: str, profile: str, state: BlankState = BlankState.STOCK) -> int:
    """Add a blank to the stock, or one that is taken into use at once; its id."""
    values = {"identifier": identifier, "state": state.value, "profile": profile, "made_at": tx.now}
    number: int = tx.db.execute(_ADD_BLANK, values).scalar_one()
    tx.note("blank-registered", {"profile": profile}, blank=number)
    return number


def hold(tx: Transaction, claim: Claim) -> None:
    """Hold an order until the transaction ends. Raises `InputError` when it was taken from its card meanwhile."""
    if _lock(tx, claim) not in OPEN_ORDERS:
        raise InputError(
            "订单刚被撤回，这张卡不再需要；请取出",
            "the order has just been withdrawn, this card is not wanted any more: take it out",
            where=f"orders/{claim.order}",
        )


def step(tx: Transaction, claim: Claim, state: OrderState) -> None:
    """Record how far the card is: `OrderState.WRITTEN` or `OrderState.VERIFIED`."""
    before = _lock(tx, claim)
    if before is not state:
        require(before, state, where=f"orders/{claim.order}")
        _update(tx, claim.order, state)
        _note(tx, f"order-{state.value}", claim)


def seal(tx: Transaction, claim: Claim, credential: int | None = None) -> None:
    """The card was read back and is done: it is the person's from now on, and holds ``credential`` of its permit.

    Another card that the person had is replaced, and with it the orders that waited for that card.
    """
    before = _lock(tx, claim)
    if before is OrderState.SEALED:
        return
    if before is OrderState.WRITTEN:
        _note(tx, "order-verified", claim)
        before = OrderState.VERIFIED
    require(before, OrderState.SEALED, where=f"orders/{claim.order}")
    _update(tx, claim.order, OrderState.SEALED, sealed_at=tx.now)
    on_chip = {"permit_id": claim.permit, "credential_id": None if claim.permit is None else credential}
    if claim.kind is OrderKind.NEW:
        _change_blank(tx, claim.blank, BlankState.IN_USE, BlankState.USED)
        _replace_others(tx, claim)
        _change_card(tx, claim.card, claim.card_state, CardState.LIVE, **on_chip)
    else:
        tx.db.execute(sa.update(_cards).where(_cards.c.id == claim.card).values(on_chip))
    _note(tx, "order-sealed", claim, credential=credential)


def fail(tx: Transaction, claim: Claim, reason: str) -> int:
    """The card failed while it was worked on; how often it has by now. ``reason`` holds no personal data."""
    _lock(tx, claim)
    count = claim.failures + 1  # not one more than what stands there: the commit before this one may have arrived
    _update(tx, claim.order, failures=count, note=reason[:LONGEST_NOTE])
    _note(tx, "card-failed", claim, {"failures": count, "reason": reason[:LONGEST_NOTE]})
    return count


def spoil(
    tx: Transaction,
    claim: Claim,
    reason: str,
    *,
    kind: str = "card-spoiled",
    suspend: bool = False,
    wiped: bool = False,
) -> None:
    """The card will never be finished: it is set aside, and its order waits for another one.

    With ``suspend``, and when a person has the card already, the order waits for a decision of the office instead.
    ``wiped`` says whether the card still let its contents be taken off.
    """
    if tx.db.execute(sa.select(_cards.c.state).where(_cards.c.id == claim.card)).scalar_one() == CardState.SPOILED:
        return
    before = _lock(tx, claim)
    if before not in OPEN_ORDERS:
        return
    require(before, OrderState.PLANNED, where=f"orders/{claim.order}")
    reason = reason[:LONGEST_REASON]
    if claim.kind is OrderKind.NEW:
        after = OrderState.SUSPENDED if suspend else OrderState.PLANNED
        _update(tx, claim.order, after, card_id=None, box=None, reader=None, station_id=None, note=reason)
        _change_blank(tx, claim.blank, BlankState.IN_USE, BlankState.SPOILED, reason=reason)
        _change_card(tx, claim.card, claim.card_state, CardState.SPOILED, ended_at=tx.now)
    else:
        _update(tx, claim.order, OrderState.SUSPENDED, note=reason)
    _note(tx, kind, claim, {"reason": reason, "wiped": wiped})


def _next(tx: Transaction, profile: str, lot: int | None, order: int | None) -> Any:
    """The next new order, locked; what another station has locked is left to it."""
    if order is not None:
        return tx.db.execute(_THIS_ORDER, {"order": order}).one_or_none()
    if lot is not None:
        return tx.db.execute(_OF_LOT, {"lot": lot, "profile": profile}).one_or_none()
    row = tx.db.execute(_OF_NO_LOT).one_or_none()
    lots = iter(tx.db.execute(_OPEN_LOTS, {"profile": profile}).scalars().all() if row is None else ())
    while row is None and (number := next(lots, None)) is not None:
        row = tx.db.execute(_OF_LOT, {"lot": number, "profile": profile}).one_or_none()
    return row


# Statements for every card are made once: to make one takes longer than SQLite takes to carry it out.
_NEXT = (
    sa.select(_orders, _lots.c.box_size)
    .select_from(_orders.outerjoin(_lots, _lots.c.id == _orders.c.lot_id))
    .where(_orders.c.kind == word(OrderKind.NEW), in_states([OrderState.PLANNED]), WITH_VALID_PERMIT)
    .order_by(_orders.c.position, _orders.c.id)
    .limit(1)
    .with_for_update(of=_orders, skip_locked=True)
)
_OPEN_LOT = sa.and_(_lots.c.state == word(LotState.OPEN), _lots.c.profile == sa.bindparam("profile"))
_THIS_ORDER = _NEXT.where(_orders.c.id == sa.bindparam("order"))
_OF_NO_LOT = _NEXT.where(_orders.c.lot_id.is_(None))
_OF_LOT = _NEXT.where(_orders.c.lot_id == sa.bindparam("lot"), _OPEN_LOT)
_OPEN_LOTS = sa.select(_lots.c.id).where(_OPEN_LOT).order_by(_lots.c.id)
_STATE = sa.select(_orders.c.state, _orders.c.card_id).where(_orders.c.id == sa.bindparam("order")).with_for_update()
_CHANGE_ORDER = sa.update(_orders).where(_orders.c.id == sa.bindparam("order"))
_CHANGE_BLANK = sa.update(_blanks).where(_blanks.c.id == sa.bindparam("blank"), _blanks.c.state == sa.bindparam("was"))
_CHANGE_CARD = sa.update(_cards).where(_cards.c.id == sa.bindparam("card"), _cards.c.state == sa.bindparam("was"))
_ADD_BLANK = sa.insert(_blanks).returning(_blanks.c.id)
_ADD_CARD = sa.insert(_cards).returning(_cards.c.id)
_OTHER_CARDS = sa.select(_cards.c.id, _cards.c.state).where(
    _cards.c.person_id == sa.bindparam("person"),
    _cards.c.id != sa.bindparam("card"),
    _cards.c.state.in_([word(state) for state in (*LIVE_CARDS, CardState.LOST)]),
)


def _take_up(tx: Transaction, found: Claim, reader: str, fits: Callable[[Wanted], None]) -> Claim | None:
    """The order that the card has: begun here or elsewhere, or waiting for this card.

    None while it is suspended, or not due.
    """
    before = _lock(tx, found)
    if before is OrderState.PLANNED:  # an update or a wipe
        if found.due_on is not None and found.due_on > tx.now.astimezone().date():
            return None
        try:
            fits(found)
        except InputError as error:
            _suspend(tx, found, str(error))
            return None
        _update(tx, found.order, OrderState.WRITING, failures=0, note="", **_here(tx, reader))
        _note(tx, "order-claimed", found, {"reader": reader})
    elif before in OPEN_ORDERS:  # what was written and verified may have changed since then
        _update(tx, found.order, OrderState.WRITING, **_here(tx, reader))
        _note(tx, "order-resumed", found, {"from": before.value, "reader": reader})
    else:
        return None
    return waiting_for(tx.db, found.card)


def _here(tx: Transaction, reader: str) -> dict[str, object]:
    return {"station_id": tx.actor.station, "reader": reader[:LONGEST_READER], "begun_at": tx.now}


def _lock(tx: Transaction, claim: Claim) -> OrderState:
    """Lock the order of a claim; its present state. Raises `InputError` when it has another card by now."""
    state, card = tx.db.execute(_STATE, {"order": claim.order}).one()
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
    tx.db.execute(_CHANGE_ORDER, {"order": order, **values})


def _change_blank(tx: Transaction, blank: int, before: BlankState, after: BlankState, **values: object) -> None:
    require(before, after, where=f"blanks/{blank}")
    change = {"blank": blank, "was": before.value, "state": after.value, **values}
    if not tx.db.execute(_CHANGE_BLANK, change).rowcount:
        raise _meanwhile(f"blanks/{blank}")


def _change_card(tx: Transaction, card: int, before: CardState, after: CardState, **values: object) -> None:
    require(before, after, where=f"cards/{card}")
    change = {"card": card, "was": before.value, "state": after.value, **values}
    if not tx.db.execute(_CHANGE_CARD, change).rowcount:
        raise _meanwhile(f"cards/{card}")


def _meanwhile(where: str) -> InputError:
    return InputError(
        "台账中的状态刚被改动，未作任何改动；请重新放卡",
        "its state in the ledger has just been changed elsewhere, nothing was changed: insert the card again",
        where=where,
    )


def _replace_others(tx: Transaction, claim: Claim) -> None:
    """Whatever card the person had is replaced by this one."""
    for card, state in tx.db.execute(_OTHER_CARDS, {"person": claim.person, "card": claim.card}).all():
        waiting = sa.update(_orders).where(_orders.c.card_id == card, in_states(WAITING_ORDERS))
        tx.db.execute(waiting.values(state=OrderState.REPLACED.value))
        _change_card(tx, card, CardState(state), CardState.REPLACED, ended_at=tx.now)
        tx.note("card-replaced", card=card, order=claim.order, person=claim.person)


def _note(
    tx: Transaction, kind: str, claim: Claim, details: dict[str, object] | None = None, **subjects: int | None
) -> None:
    tx.note(kind, details, order=claim.order, card=claim.card, blank=claim.blank, lot=claim.lot, person=claim.person,
            **subjects)  # fmt: skip


def _no_number() -> InputError:
    return InputError("订单没有卡号，请先配号", "the order has no card number: allot one first")


def _unusable(state: BlankState) -> InputError:
    zh, en = {
        BlankState.SPOILED: ("这张卡已作废待销毁", "this card is spoiled and waits for being destroyed"),
        BlankState.SCRAPPED: ("台账记载这张卡已销毁", "the ledger says that this card was destroyed"),
    }.get(state, ("这张卡已发出", "this card is issued already"))
    return InputError(f"{zh}，未作任何改动；请取出", f"{en}; nothing was changed: take it out")
