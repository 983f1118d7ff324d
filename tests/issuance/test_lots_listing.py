"""Lots and orders looked at a page at a time, found by name or number, suspended, resumed, cancelled and closed."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from juying.errors import InputError
from juying.issuance.changes import apply_application
from juying.issuance.intake import Application
from juying.issuance.lot_import import import_rows
from juying.issuance.lot_listing import close_if_done, find_lot, lots, page, search, set_aside
from juying.issuance.permit_kinds import Kind
from juying.ledger import schema
from juying.ledger.audit import audit_records
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.states import LotState, OrderKind, OrderState, Role
from tests import people
from tests.issuance.test_lots import FACTORY, applicant, make_card, rows

PLANNED, SUSPENDED, CANCELLED = OrderState.PLANNED, OrderState.SUSPENDED, OrderState.CANCELLED


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    """Five orders in one lot, those of rows 2, 4 and 5 first, and another lot with one."""
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        sheet = rows(applicant(0), applicant(1, FACTORY), applicant(2), applicant(3), applicant(4, FACTORY))
        import_rows(opened, opened.local, sheet, "morning", source="sheet.csv")
        import_rows(opened, opened.local, rows(applicant(5)), "evening", profile="ssc-v2")
        yield opened


def states(ledger: Ledger) -> list[str]:
    with ledger.reading() as db:
        return list(db.execute(sa.select(schema.orders.c.state).order_by(schema.orders.c.id)).scalars())


def change(ledger: Ledger, after: OrderState, *orders: int, reason: str = "") -> int:
    return set_aside(ledger, ledger.local, 1, after, orders=orders, reason=reason)


def agrees(ledger: Ledger) -> bool:
    """Whether the events tell the same as the records."""
    with ledger.reading() as db:
        return audit_records(db) == []


def test_pages_go_on_where_the_last_one_ended(ledger: Ledger) -> None:
    with ledger.reading() as db:
        first = page(db, 1, size=2)
        second = page(db, 1, size=2, after=first[-1].position)
        third = page(db, 1, size=2, after=second[-1].position)
    assert [one.position for one in (*first, *second, *third)] == [1, 2, 3, 4, 5]
    assert [one.row for one in (*first, *second, *third)] == [2, 4, 5, 3, 6]
    top = first[0]
    assert (top.kind, top.state, top.card_number, top.box) == (OrderKind.NEW, PLANNED, "JY0000010", None)
    assert "JY0000010" not in repr(top)


def test_a_page_of_one_state(ledger: Ledger) -> None:
    make_card(ledger, 2)
    with ledger.reading() as db:
        (sealed,) = page(db, 1, state=OrderState.SEALED)
        assert (sealed.id, sealed.box, sealed.sealed_at) == (2, 1, people.NOW)
        assert [one.position for one in page(db, 1, state=PLANNED, after=1)] == [3, 4, 5]


def test_lots_with_their_counts(ledger: Ledger) -> None:
    make_card(ledger, 2)
    with ledger.reading() as db:
        evening, morning = lots(db)
        assert (evening.name, morning.name) == ("evening", "morning")
        assert (morning.source, morning.profile, morning.box_size) == ("sheet.csv", "ssc-v3", 100)
        assert morning.counts == {PLANNED: 4, OrderState.SEALED: 1}
        assert (morning.orders, morning.ended) == (5, 1)
        assert lots(db, state=LotState.CLOSED) == []
        assert find_lot(db, "evening") == evening
        with pytest.raises(InputError, match="no such lot"):
            find_lot(db, "noon")


def test_orders_are_found_by_name_and_number(ledger: Ledger) -> None:
    make_card(ledger, 2)
    for text in ("muster max c", "C0FAKE002", "ZJ20260002", "JY0000029", "jy 000002 9"):
        assert [one.id for one in search(ledger, text)] == [2], text
    assert [one.id for one in search(ledger, "JY0000037")] == [3], "the number of a card that is only ordered"
    assert [one.id for one in search(ledger, "max muster", most=2)] == [2, 1]
    assert search(ledger, "nobody") == []


def test_a_page_of_a_large_ledger_is_looked_up_and_nothing_read_whole(database: str) -> None:
    """Fifty of two thousand: for each its application and its card by their ids, whatever seems cheaper."""
    asked: list[tuple[str, Any]] = []
    names = ("MUSTER MAX", *["ANDERS ANNA"] * 19)
    sheet = [
        Application(
            holder=people.holder(name=names[number % 20], nationality="DEU", document_number=f"C{number:08}"),
            permit=people.permit(number=f"ZJ{number:08}"),
        )
        for number in range(2000)
    ]
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as ledger:
        import_rows(ledger, ledger.local, rows(*sheet), "large")
        sa.event.listen(
            ledger.engine, "before_cursor_execute", lambda _, __, text, values, *___: asked.append((text, values))
        )
        assert len(search(ledger, "muster")) == 50
        statement, values = asked[-1]
        explain = "EXPLAIN QUERY PLAN " if ledger.engine.dialect.name == "sqlite" else "EXPLAIN "
        with ledger.reading() as db:
            plan = "\n".join(str(line) for line in db.exec_driver_sql(explain + statement, values))
    assert "applications" in plan
    for read_whole in ("SCAN applications", "SCAN orders", "Seq Scan on applications", "Seq Scan on orders"):
        assert read_whole not in plan


def test_orders_are_suspended_resumed_and_cancelled_and_the_events_say_so(ledger: Ledger) -> None:
    assert change(ledger, SUSPENDED, 1, 3, reason="photo") == 2
    assert change(ledger, SUSPENDED, 1, 3) == 0, "harmless twice"
    assert states(ledger)[:5] == ["suspended", "planned", "suspended", "planned", "planned"]
    assert change(ledger, CANCELLED, 3) == 1
    assert change(ledger, PLANNED) == 1, "all that can be"
    assert states(ledger)[:5] == ["planned", "planned", "cancelled", "planned", "planned"]
    with ledger.reading() as db:
        query = sa.select(schema.events.c.kind, schema.events.c.details).where(schema.events.c.order_id == 3)
        assert db.execute(query.order_by(schema.events.c.number)).all()[1:] == [
            ("order-suspended", '{"reason":"photo"}'), ("order-cancelled", "{}"),
        ]  # fmt: skip
    assert agrees(ledger)


def test_what_cannot_be_changed_so_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    make_card(ledger, 1)
    for after in (SUSPENDED, CANCELLED, PLANNED):
        with pytest.raises(InputError, match="the order is sealed"):
            change(ledger, after, 2, 1)
    with pytest.raises(InputError, match="no such order"):
        change(ledger, SUSPENDED, 6)
    with pytest.raises(InputError, match="at most"):
        change(ledger, SUSPENDED, 2, reason="x" * 101)
    assert states(ledger)[:2] == ["sealed", "planned"]
    assert change(ledger, SUSPENDED) == 4, "without a name only those are meant that can be"


def test_an_order_of_a_suspended_permit_waits_for_the_permit(ledger: Ledger) -> None:
    with ledger.transaction(ledger.local) as tx:
        apply_application(tx, Kind.SUSPENSION, 1)
    assert change(ledger, PLANNED) == 0
    with pytest.raises(InputError, match="resume a permit that is suspended"):
        change(ledger, PLANNED, 1)
    assert states(ledger)[0] == "suspended"


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.INTAKE, {SUSPENDED, PLANNED, CANCELLED}),
        (Role.SUPERVISOR, {SUSPENDED, PLANNED, CANCELLED}),
        (Role.ISSUING, {SUSPENDED, PLANNED}),
        (Role.AUDITOR, set()),
    ],
)
def test_who_may_do_what(role: Role, may: set[OrderState], ledger: Ledger) -> None:
    actor = Actor(1, "x", frozenset({role}))
    for after in (SUSPENDED, PLANNED, CANCELLED):
        if after in may:
            set_aside(ledger, actor, 1, after)
        else:
            with pytest.raises(InputError, match="lacks the role"):
                set_aside(ledger, actor, 1, after)


def test_a_lot_closes_when_nothing_in_it_waits(ledger: Ledger) -> None:
    def close() -> bool:
        with ledger.transaction(ledger.local) as tx:
            return close_if_done(tx, 2)

    assert close() is False
    make_card(ledger, 6)
    assert close() is True
    assert close() is True, "harmless twice"
    with ledger.reading() as db:
        closed = find_lot(db, "evening")
    assert (closed.state, closed.closed_at) == (LotState.CLOSED, people.NOW)
    change(ledger, CANCELLED)
    with ledger.reading() as db:
        assert find_lot(db, "morning").state is LotState.CLOSED, "cancelling the last closes as well"
