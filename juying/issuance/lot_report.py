"""The report on a lot, read from the ledger at one moment.

It names the last event of the ledger and its hash, so whoever keeps a copy can prove later that the ledger was not
changed up to that event.
"""

import json
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from juying.errors import InputError
from juying.issuance.lot_figures import Failure, LotReport, OrderLine
from juying.ledger import people, schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Action, allow
from juying.ledger.states import LotState, OrderKind, OrderState
from juying.ledger.verify import head_of

_CLAIMED, _RESUMED, _FAILED, _SPOILED, _SEALED = (
    "order-claimed", "order-resumed", "card-failed", "card-spoiled", "order-sealed",
)  # kinds of events  # fmt: skip

_orders, _events = schema.orders, schema.events


def find_lot(db: sa.Connection, name: str) -> sa.Row[tuple[object, ...]]:
    """The row of a lot, by its name. Raises `InputError` when there is none."""
    row = db.execute(sa.select(schema.lots).where(schema.lots.c.name == name)).one_or_none()
    if row is None:
        raise InputError("台账中没有这个批次，请核对名称", "the ledger has no such lot: check its name", where=name)
    return row


def read_lot_report(ledger: Ledger, actor: Actor, lot: str, *, names: bool = False) -> LotReport:
    """The report on the lot with this name; with ``names`` it has those of the holders, and the ledger notes that.

    Raises `InputError` when there is no such lot or the operator has no role.
    """
    allow(actor, Action.READ)
    if names:
        with ledger.transaction(actor) as tx:
            tx.note("names-reported", lot=find_lot(tx.db, lot).id)
    with ledger.reading() as db:
        row = find_lot(db, lot)
        failures, sealed_by = _history(db, row.id)
        return LotReport(
            lot=row.name,
            state=LotState(row.state),
            source=row.source,
            profile=row.profile,
            made_at=row.made_at,
            closed_at=row.closed_at,
            at=ledger.clock(),
            ledger=ledger.name,
            head=head_of(db),
            orders=tuple(_order_lines(ledger, db, row.id, sealed_by, names=names)),
            failures=tuple(failures),
            with_names=names,
        )


def _order_lines(
    ledger: Ledger, db: sa.Connection, lot: int, sealed_by: Mapping[int, str], *, names: bool
) -> Iterable[OrderLine]:
    cards, stations, persons = schema.cards, schema.stations, schema.persons
    query = (
        sa.select(
            _orders,
            schema.applications.c.row,
            sa.func.coalesce(cards.c.number, _orders.c.card_number, "").label("number"),
            stations.c.name.label("station"),
            *([persons.c.sealed] if names else []),
        )
        .select_from(
            _orders.join(schema.applications)
            .join(persons, persons.c.id == _orders.c.person_id)
            .outerjoin(cards, cards.c.id == _orders.c.card_id)
            .outerjoin(stations)
        )
        .where(_orders.c.lot_id == lot)
        .order_by(_orders.c.position)
    )
    for row in db.execute(query):
        sealed = row.sealed if names else None
        holder = people.holder_of(ledger.vault.open_record(sealed, f"persons/{row.person_id}")) if sealed else None
        yield OrderLine(
            order=row.id,
            row=row.row,
            position=row.position,
            box=row.box or None,
            kind=OrderKind(row.kind),
            state=OrderState(row.state),
            card_number=row.number,
            failures=row.failures,
            note=row.note,
            station=row.station or "",
            reader=row.reader or "",
            operator=sealed_by.get(row.id, ""),
            begun_at=row.begun_at,
            sealed_at=row.sealed_at,
            delivered_at=row.delivered_at,
            name=holder.name if holder else "",
        )


def _history(db: sa.Connection, lot: int) -> tuple[list[Failure], dict[int, str]]:
    """The failures of a lot, and who sealed each order."""
    query = (
        sa.select(
            _events.c.at, _events.c.kind, _events.c.details, _orders.c.id, _orders.c.position,
            schema.stations.c.name.label("station"), schema.operators.c.name.label("operator"),
        )
        .select_from(
            _events.join(_orders, _orders.c.id == _events.c.order_id)
            .join(schema.operators, schema.operators.c.id == _events.c.operator_id)
            .outerjoin(schema.stations, schema.stations.c.id == _events.c.station_id)
        )
        .where(_orders.c.lot_id == lot, _events.c.kind.in_((_CLAIMED, _RESUMED, _FAILED, _SPOILED, _SEALED)))
        .order_by(_events.c.number)
    )  # fmt: skip
    failures, sealed_by, readers = [], {}, {}
    for row in db.execute(query):
        if row.kind == _SEALED:
            sealed_by[row.id] = row.operator
            continue
        details = json.loads(row.details)
        if row.kind in (_CLAIMED, _RESUMED):
            readers[row.id] = details.get("reader", "")
            continue
        failures.append(
            Failure(
                at=row.at,
                order=row.id,
                position=row.position,
                spoiled=row.kind == _SPOILED,
                station=row.station or "",
                reader=readers.get(row.id, ""),
                operator=row.operator,
                reason=details.get("reason", ""),
            )
        )
    return failures, sealed_by
