"""Stations killed with SIGKILL, at random and at every step; ``make kill`` does the first at full size."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.issuance.production import Production
from juying.ledger import schema
from juying.ledger.audit import audit_records
from juying.ledger.states import CardState, OrderState
from juying.ledger.verify import verify_chain
from tests.harness import PrivatePcscd, PrivatePostgres, Slot
from tests.issuing import add_lot, blank, rows
from tests.kill.processes import DEADLINE, Desk, claim_all, make_one_card, start
from tests.kill.scenario import check, make_lot_while_killing

SIGKILLED = -9


@pytest.fixture
def four_readers(private_pcscd: PrivatePcscd) -> Iterator[list[Slot]]:
    """Four empty readers."""
    with ExitStack() as stack:
        yield [stack.enter_context(private_pcscd.slot()) for _ in range(4)]


def test_one_station_with_four_readers_killed_at_random(four_readers: list[Slot], tmp_path: Path) -> None:
    desk = Desk(str(tmp_path / "ledger.db"), tmp_path)
    make_lot_while_killing(desk, tmp_path, four_readers, orders=40, kills=12, stations=1, seed=1)


def test_two_stations_on_postgresql_killed_in_turn(
    four_readers: list[Slot], private_postgres: PrivatePostgres, tmp_path: Path
) -> None:
    desk = Desk(private_postgres.new_database(), tmp_path)
    make_lot_while_killing(desk, tmp_path, four_readers, orders=40, kills=12, stations=2, seed=2)


def test_killed_once_at_every_step_boundary(database: str, tmp_path: Path) -> None:
    """The card of each order is begun by a process that is killed at one boundary, and finished by the next."""
    desk = Desk(database, tmp_path)
    points: list[str] = []
    with desk.open() as ledger:
        add_lot(ledger, 1, name="rehearsal")
        rehearsal = tmp_path / "rehearsal.vcard"
        save_card(blank(), rehearsal)
        with LocalTransport(load_card(rehearsal, autosave=True)) as transport:
            Production(ledger, desk.office(), ledger.local, observe=points.append).work(transport)
        assert len(points) == len(set(points)) > 20
        add_lot(ledger, len(points), name="killed", first=2)
    images = [rehearsal]
    for number, point in enumerate(points):
        image = tmp_path / f"{number:03}.vcard"
        save_card(blank(), image)
        images.append(image)
        process = start(make_one_card, desk, image, point)
        process.join(DEADLINE)
        assert process.exitcode == SIGKILLED, point
        process = start(make_one_card, desk, image)
        process.join(DEADLINE)
        assert process.exitcode == 0, f"finished after a kill at {point!r}"
    with desk.open() as ledger:
        check(ledger, images, len(images))


def test_eight_stations_claim_five_thousand_orders(private_postgres: PrivatePostgres, tmp_path: Path) -> None:
    """In eight processes, from one PostgreSQL: none twice, none left."""
    stations, count = 8, 5000
    desk = Desk(private_postgres.new_database(), tmp_path)
    with desk.open() as ledger:
        add_lot(ledger, count)
        processes = [start(claim_all, desk, station) for station in range(stations)]
        for process in processes:
            process.join(2 * DEADLINE)
        assert [process.exitcode for process in processes] == [0] * stations
        orders = rows(ledger, schema.orders)
        assert {order.state for order in orders} == {OrderState.WRITING}
        assert len({order.card_id for order in orders}) == count
        with ledger.reading() as db:
            cards, by_station = schema.cards, schema.orders.c.station_id
            assert db.execute(sa.select(sa.func.count()).select_from(cards)).scalar() == count
            assert set(db.execute(sa.select(cards.c.state).distinct()).scalars()) == {CardState.BEGUN}
            assert len(set(db.execute(sa.select(by_station).distinct()).scalars())) == stations, "they shared the work"
            assert verify_chain(db).whole
            assert audit_records(db, ledger.vault) == []
