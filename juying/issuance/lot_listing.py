"""Lots and their orders: looking at them a page at a time, and setting orders aside.

Pages go on where the last one ended and find their place in an index, so the thousandth costs as much as the first.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.issuance.chip_orders import SUSPENDED_NOTE
from juying.ledger import people, schema
from juying.ledger.ledger import Actor, Ledger, Transaction
from juying.ledger.states import LotState, OrderKind, OrderState, Role, require

PAGE = 50
"""Orders on a page, unless asked otherwise."""

LONGEST_REASON = 100

_lots, _orders, _cards, _applications = schema.lots, schema.orders, schema.cards, schema.applications
_ENDED = (OrderState.SEALED, OrderState.DELIVERED, OrderState.REPLACED, OrderState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot; ``id`` is what orders refer to, ``counts`` has how many orders are in each state."""

    id: int
    name: str
    state: LotState
    source: str
    profile: str
    box_size: int
    made_at: datetime
    closed_at: datetime | None
    counts: Mapping[OrderState, int]

    @property
    def orders(self) -> int:
        """How many orders it has."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many of them are sealed, delivered, replaced or cancelled."""
        return sum(self.counts.get(state, 0) for state in _ENDED)


@dataclass(frozen=True, slots=True)
class Listed:
    """One order in a list; ``row`` is that of the sheet, ``box`` None before there is a card."""

    id: int
    lot: int | None
    position: int
    row: int | None
    kind: OrderKind
    state: OrderState
    card_number: str = field(repr=False)
    box: int | None
    failures: int
    note: str
    begun_at: datetime | None
    sealed_at: datetime | None


def lots(db: sa.Connection, *, state: LotState | None = None) -> list[Lot]:
    """The lots, the newest first."""
    query = sa.select(_lots).order_by(_lots.c.id.desc())
    rows = db.execute(query if state is None else query.where(_lots.c.state == state.value)).all()
    return [_lot(db, row) for row in rows]


def find_lot(db: sa.Connection, name: str) -> Lot:
    """The lot with this name. Raises `InputError` when there is none."""
    row = db.execute(sa.select(_lots).where(_lots.c.name == name)).one_or_none()
    if row is None:
        raise InputError(
            "没有这个批次，请核对名称（juying lot list）",
            "there is no such lot: check its name (juying lot list)",
            where=name,
        )
    return _lot(db, row)


def page(
    db: sa.Connection, lot: int, *, state: OrderState | None = None, after: int = 0, size: int = PAGE
) -> list[Listed]:
    """The orders of a lot in their positions, ``size`` at most, those behind the position ``after``."""
    here = [_orders.c.lot_id == lot, _orders.c.position > after]
    if state is not None:
        here.append(_orders.c.state == state.value)
    return _listed(db, sa.and_(*here), _orders.c.position, size)


def search(ledger: Ledger, text: str, *, most: int = PAGE) -> list[Listed]:
    """The orders of those whom a name or a number fits, the newest first; see `juying.ledger.people.search`."""
    with ledger.reading() as db:
        persons = people.search(db, ledger.vault, text, most=most)
        return _listed(db, _orders.c.person_id.in_(persons), _orders.c.id.desc(), most)


def set_aside(
    ledger: Ledger, actor: Actor, lot: int, after: OrderState, *, orders: Collection[int] = (), reason: str = ""
) -> int:
    """Suspend (`OrderState.SUSPENDED`), resume (`PLANNED`) or cancel (`CANCELLED`) orders of a lot; how many.

    ``orders`` (ids) names some of them; otherwise all are meant for which it is possible. ``reason`` names nobody.
    Cards that are under way are not touched. Raises `InputError`, with nothing changed, for an order that is named and
    cannot be changed so, and for operators without the role.
    """
    others = () if after is OrderState.CANCELLED else (Role.ISSUING,)
    actor.require(Role.INTAKE, Role.SUPERVISOR, *others)
    if len(reason) > LONGEST_REASON:
        raise InputError(f"原因最多 {LONGEST_REASON} 字", f"a reason has {LONGEST_REASON} characters at most")
    with ledger.transaction(actor) as tx:
        query = sa.select(_orders.c.id, _orders.c.state, _orders.c.note, _orders.c.person_id)
        query = query.where(_orders.c.lot_id == lot, *([_orders.c.id.in_(orders)] if orders else []))
        rows = tx.db.execute(query.order_by(_orders.c.id).with_for_update()).all()
        if orders:
            _check(rows, orders, after)
        changed = [row for row in rows if _possible(row, after)]
        for part in people.chunks([row.id for row in changed]):
            change = sa.update(_orders).where(_orders.c.id.in_(part))
            tx.db.execute(change.values(state=after.value, note=reason))
        details = {"reason": reason} if reason else {}
        for row in changed:
            tx.note(f"order-{after.value}", details, order=row.id, lot=lot, person=row.person_id)
        if after is OrderState.CANCELLED:
            close_if_done(tx, lot)
    return len(changed)


def close_if_done(tx: Transaction, lot: int) -> bool:
    """Close a lot none of whose orders wants a card any more; whether it is closed."""
    state = LotState(tx.db.execute(sa.select(_lots.c.state).where(_lots.c.id == lot).with_for_update()).scalar_one())
    if state is LotState.CLOSED:
        return True
    ended = [state.value for state in _ENDED]
    waiting = sa.select(_orders.c.id).where(_orders.c.lot_id == lot, _orders.c.state.not_in(ended)).limit(1)
    if tx.db.execute(waiting).first() is not None:
        return False
    require(state, LotState.CLOSED, where=f"lots/{lot}")
    tx.db.execute(sa.update(_lots).where(_lots.c.id == lot).values(state=LotState.CLOSED.value, closed_at=tx.now))
    tx.note("lot-closed", lot=lot)
    return True


_BEFORE = {
    OrderState.SUSPENDED: (OrderState.PLANNED,),
    OrderState.PLANNED: (OrderState.SUSPENDED,),
    OrderState.CANCELLED: (OrderState.PLANNED, OrderState.SUSPENDED),
}


def _possible(row: Any, after: OrderState) -> bool:
    """Whether an order can be changed so by hand; one that waits because its permit is suspended waits on."""
    resumed = after is OrderState.PLANNED
    return row.state in _BEFORE[after] and not (resumed and row.note == SUSPENDED_NOTE)


def _check(rows: Sequence[Any], orders: Collection[int], after: OrderState) -> None:
    missing = set(orders) - {row.id for row in rows}
    if missing:
        raise InputError("此批次没有这个订单", "the lot has no such order", where=f"orders/{min(missing)}")
    for row in rows:
        if row.state != after and not _possible(row, after):
            state = OrderState(row.state).text
            raise InputError(
                f"订单{state.zh}（{row.note or '-'}），未作任何改动；制作中的卡请先制完或作废，许可暂停的请先恢复许可",
                f"the order is {state.en} ({row.note or '-'}), nothing was changed: finish or spoil a card that is "
                "being made, resume a permit that is suspended",
                where=f"orders/{row.id}",
            )


def _lot(db: sa.Connection, row: Any) -> Lot:
    counts = sa.select(_orders.c.state, sa.func.count()).where(_orders.c.lot_id == row.id).group_by(_orders.c.state)
    return Lot(
        row.id, row.name, LotState(row.state), row.source, row.profile, row.box_size, row.made_at, row.closed_at,
        {OrderState(state): count for state, count in db.execute(counts)},
    )  # fmt: skip


def _listed(db: sa.Connection, where: sa.ColumnElement[bool], by: sa.ColumnElement[Any], size: int) -> list[Listed]:
    # Looked up for each order of the page, and not joined: a planner may read whole tables to join fifty rows.
    row = sa.select(_applications.c.row).where(_applications.c.id == _orders.c.application_id).scalar_subquery()
    number = sa.select(_cards.c.number).where(_cards.c.id == _orders.c.card_id).scalar_subquery()
    query = sa.select(_orders, row.label("row"), sa.func.coalesce(number, _orders.c.card_number, "").label("number"))
    query = query.where(where).order_by(by).limit(size)
    return [
        Listed(
            one.id, one.lot_id, one.position, one.row, OrderKind(one.kind), OrderState(one.state), one.number, one.box,
            one.failures, one.note, one.begun_at, one.sealed_at,
        )
        for one in db.execute(query)
    ]  # fmt: skip
