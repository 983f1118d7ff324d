"""Orders in the ledger: the next one is claimed once, by one card, whoever asks at the same time."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import orders, schema
from juying.ledger.ledger import Ledger
from juying.ledger.orders import Claim, NewOrder
from juying.ledger.states import BlankState, CardState, LotState, OrderKind, OrderState
from tests import issuing, people
from tests.issuing import add_lot, rows

PROFILE = issuing.PROFILE


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


def plastic(number: int) -> str:
    """The identifier of a card."""
    return f"331000d156000005{number:08x}"


def claim(ledger: Ledger, number: int, **options: object) -> Claim | None:
    with ledger.transaction(ledger.local) as tx:
        return orders.claim(tx, plastic(number), options.pop("profile", PROFILE), **options)


def step(ledger: Ledger, claimed: Claim, *states: OrderState) -> None:
    for state in states:
        with ledger.transaction(ledger.local) as tx:
            orders.step(tx, claimed, state)


def finish(ledger: Ledger, claimed: Claim) -> None:
    step(ledger, claimed, OrderState.WRITTEN, OrderState.VERIFIED)
    with ledger.transaction(ledger.local) as tx:
        orders.seal(tx, claimed)


def spoil(ledger: Ledger, claimed: Claim, **options: object) -> None:
    with ledger.transaction(ledger.local) as tx:
        orders.spoil(tx, claimed, "it failed", **options)


def test_orders_are_claimed_in_their_order_and_go_into_boxes(ledger: Ledger) -> None:
    first, early = add_lot(ledger, 4, name="one", first=1)
    second, late = add_lot(ledger, 2, name="two", first=100)
    claimed = [claim(ledger, number) for number in range(6)]
    assert [entry.order for entry in claimed] == [*early, *late]
    assert [entry.box for entry in claimed] == [1, 1, 1, 2, 1, 1]
    assert [entry.lot for entry in claimed] == [first] * 4 + [second] * 2
    assert claim(ledger, 7) is None
    assert [row.state for row in rows(ledger, schema.blanks)] == [BlankState.IN_USE] * 6
    assert [row.number for row in rows(ledger, schema.cards)] == [entry.card_number for entry in claimed]
    assert rows(ledger, schema.cards)[0].expires_on == date(2036, 12, 1)
    assert "JY" not in repr(claimed[0])


def test_a_card_claims_the_same_order_again(ledger: Ledger) -> None:
    _, [first, _] = add_lot(ledger, 2)
    assert claim(ledger, 1) == claim(ledger, 1)
    finish(ledger, claim(ledger, 1))
    assert rows(ledger, schema.orders)[0].state == OrderState.SEALED
    seen = issuing.kinds(ledger, order=first)
    assert seen == ["order-claimed", *["order-resumed"] * 2, "order-written", "order-verified", "order-sealed"]


def test_a_lot_an_order_and_a_kind_of_card_can_be_asked_for(ledger: Ledger) -> None:
    add_lot(ledger, 1, name="one", first=1)
    second, [*_, last] = add_lot(ledger, 3, name="two", first=100)
    other, [v2] = add_lot(ledger, 1, name="three", first=200, profile="ssc-v2")
    assert claim(ledger, 1, lot=second).lot == second
    assert claim(ledger, 2, order=last).order == last
    assert claim(ledger, 3, order=last) is None
    assert claim(ledger, 4, lot=other) is None, "the lot is for another kind of card"
    assert claim(ledger, 5, profile="ssc-v2").order == v2
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.lots).values(state=LotState.CLOSED.value))
    assert claim(ledger, 6) is None


def test_an_order_of_no_lot_comes_first(ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.orders).values(lot_id=None))
    add_lot(ledger, 1, name="two", first=100)
    first = claim(ledger, 1)
    assert (first.order, first.box, first.lot) == (order, 0, None)


def test_an_order_without_a_number_is_suspended(ledger: Ledger) -> None:
    _, [_, good] = add_lot(ledger, 2)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.orders).where(schema.orders.c.id < good).values(card_number=None))
    assert claim(ledger, 1).order == good
    assert "no card number" in rows(ledger, schema.orders)[0].note


@pytest.mark.parametrize(
    ("state", "words"),
    [(BlankState.SCRAPPED, "destroyed"), (BlankState.SPOILED, "spoiled"), (BlankState.USED, "issued")],
)
def test_plastic_that_is_used_up_gets_no_order(ledger: Ledger, state: BlankState, words: str) -> None:
    add_lot(ledger, 1)
    with ledger.transaction(ledger.local) as tx:
        orders.add_blank(tx, plastic(1), PROFILE)
        tx.db.execute(sa.update(schema.blanks).values(state=state.value))
    with pytest.raises(InputError, match=words):
        claim(ledger, 1)


def test_a_spoiled_card_gives_its_order_and_its_number_to_the_next(ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    first = claim(ledger, 1)
    with ledger.transaction(ledger.local) as tx:
        assert orders.fail(tx, first, "x" * 1000) == 1
    with ledger.transaction(ledger.local) as tx:
        assert orders.fail(tx, first, "again, because nobody knows") == 1
    spoil(ledger, first)
    second = claim(ledger, 2)
    spoil(ledger, first)  # its commit was not heard of
    assert (second.order, second.card_number, second.failures) == (order, first.card_number, 0)
    with pytest.raises(InputError, match="taken over"):
        step(ledger, first, OrderState.WRITTEN)
    finish(ledger, second)
    with ledger.transaction(ledger.local) as tx:
        orders.seal(tx, second)
    assert issuing.kinds(ledger, order=order).count("order-sealed") == 1
    assert [row.state for row in rows(ledger, schema.cards)] == [CardState.SPOILED, CardState.LIVE]
    assert [row.state for row in rows(ledger, schema.blanks)] == [BlankState.SPOILED, BlankState.USED]


def test_what_is_sealed_is_not_spoiled(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    claimed = claim(ledger, 1)
    finish(ledger, claimed)
    spoil(ledger, claimed)
    assert rows(ledger, schema.orders)[0].state == OrderState.SEALED


def test_no_step_is_left_out(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    claimed = claim(ledger, 1)
    with pytest.raises(InputError, match="cannot become"):
        step(ledger, claimed, OrderState.VERIFIED)
    with pytest.raises(InputError, match="cannot become"), ledger.transaction(ledger.local) as tx:
        orders.seal(tx, claimed)


def test_an_order_begun_elsewhere_is_resumed_and_said_so(ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    claimed = claim(ledger, 1, reader="left")
    step(ledger, claimed, OrderState.WRITTEN)
    again = claim(ledger, 1, reader="right")
    assert (again.order, again.state, again.reader) == (order, OrderState.WRITING, "right")
    assert issuing.kinds(ledger, order=order) == ["order-claimed", "order-written", "order-resumed"]


def test_what_is_open_is_listed_and_found(ledger: Ledger) -> None:
    lot, [first, second, _] = add_lot(ledger, 3)
    one, two = claim(ledger, 1), claim(ledger, 2)
    with ledger.reading() as db:
        assert [entry.order for entry in orders.open_orders(db)] == [first, second]
        assert orders.open_orders(db, lot=lot + 1) == []
        assert orders.find_open(db, first) == one
        assert orders.open_with_serial(db, "3310", "00000002") == two
        assert orders.open_with_serial(db, "3310", "00000009") is None
        assert orders.left(db, lot) == 3
        with pytest.raises(InputError, match="no such order"):
            orders.find_open(db, 999)


def test_the_ledger_knows_what_a_card_is(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    with ledger.transaction(ledger.local) as tx:
        orders.add_blank(tx, plastic(9), PROFILE)
    claimed = claim(ledger, 1)
    with ledger.reading() as db:
        assert orders.known(db, plastic(8)) is None
        blank, begun = orders.known(db, plastic(9)), orders.known(db, plastic(1))
    assert (blank.state, blank.card, blank.wants_work) == (BlankState.STOCK, None, False)
    assert (begun.state, begun.card_state, begun.claim, begun.box) == (BlankState.IN_USE, CardState.BEGUN, claimed, 1)
    assert begun.wants_work


def test_a_suspended_or_early_order_leaves_its_card_alone(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    claimed = claim(ledger, 1)
    finish(ledger, claimed)
    tomorrow = people.NOW.date() + timedelta(days=2)
    order = issuing.add_order(ledger, OrderKind.WIPE, claimed.card, claimed.person, None, due_on=tomorrow)
    assert claim(ledger, 1) is None
    with ledger.transaction(ledger.local) as tx:
        here = sa.update(schema.orders).where(schema.orders.c.id == order)
        tx.db.execute(here.values(state=OrderState.SUSPENDED.value, due_on=None))
    assert claim(ledger, 1) is None
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(here.values(state=OrderState.PLANNED.value))
    wipe = claim(ledger, 1)
    assert (wipe.kind, wipe.order, wipe.state) == (OrderKind.WIPE, order, OrderState.WRITING)


def test_no_orders_are_planned(ledger: Ledger) -> None:
    with ledger.transaction(ledger.local) as tx:
        assert list(orders.plan_orders(tx, [])) == []


def test_a_card_that_changed_meanwhile_is_not_made(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    claimed = claim(ledger, 1)
    step(ledger, claimed, OrderState.WRITTEN, OrderState.VERIFIED)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.cards).values(state=CardState.SPOILED.value))
    with pytest.raises(InputError, match="insert the card again"), ledger.transaction(ledger.local) as tx:
        orders.seal(tx, claimed)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.blanks).values(state=BlankState.SPOILED.value))
    with pytest.raises(InputError, match="insert the card again"), ledger.transaction(ledger.local) as tx:
        orders.seal(tx, claimed)
    assert rows(ledger, schema.orders)[0].state == OrderState.VERIFIED


def test_the_database_refuses_a_second_order_for_a_card(ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    claimed = claim(ledger, 1)
    with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
        orders.plan_orders(
            tx,
            [NewOrder(kind=OrderKind.WIPE, card=claimed.card, person=claimed.person, permit=None, application=order)],
        )


def test_many_stations_claim_at_the_same_time_and_none_twice(database: str) -> None:
    stations, each = 6, 20
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as ledger:
        lot, wanted = add_lot(ledger, stations * each)
    begin = threading.Barrier(stations)

    def station(number: int) -> list[Claim]:
        with Ledger.open(database, clock=lambda: people.NOW) as mine:
            begin.wait()
            return [claim(mine, number * 1000 + blank, lot=lot) for blank in range(each)]

    with ThreadPoolExecutor(stations) as pool:
        claims = [entry for taken in pool.map(station, range(stations)) for entry in taken]
    assert sorted(entry.order for entry in claims) == wanted
    assert len({entry.blank for entry in claims}) == len({entry.card for entry in claims}) == len(wanted)
    with Ledger.open(database) as ledger:
        assert rows(ledger, schema.chain)[0].number == len(rows(ledger, schema.events))
