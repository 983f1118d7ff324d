"""A lot that is made by stations while they are killed again and again, and what must hold at the end.

``python -m tests.kill.scenario --orders 500 --kills 200`` does it at full size, on SQLite with one station of four
readers, and on PostgreSQL with two stations of two readers that are killed in turn.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import sqlalchemy as sa

from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.issuance.compare import Agreement, compare_card
from juying.ledger import schema
from juying.ledger.audit import audit_records
from juying.ledger.ledger import Ledger
from juying.ledger.states import BlankState, CardState, OrderState
from juying.ledger.verify import verify_chain
from tests.harness import PrivatePcscd, PrivatePostgres, Slot
from tests.issuing import add_lot, blank
from tests.kill.processes import DEADLINE, Desk, kill, run_feeder, run_station, start

LIVES = (0.3, 1.2)  # seconds that a station lives at most: killed before its first card, or after some


def make_lot_while_killing(
    desk: Desk, folder: Path, slots: Sequence[Slot], *, orders: int, kills: int, stations: int, seed: int
) -> None:
    """Make a lot through pcscd while stations are killed ``kills`` times, at random moments and in turn; then check.

    ``slots`` are shared out among the stations. Each killed station is started again at once.
    """
    box = folder / "box"
    box.mkdir()
    for number in range(orders):
        save_card(blank(), box / f"{number:04}.vcard")
    with desk.open() as ledger:
        add_lot(ledger, orders)
    chance = random.Random(seed)
    readers = [[slot.name for slot in slots[number::stations]] for number in range(stations)]
    feeder = start(run_feeder, box, [slot.port for slot in slots])
    running = [start(run_station, desk, f"desk {number}", readers[number]) for number in range(stations)]
    done = 0
    while done < kills:
        victim = done % stations
        running[victim].join(chance.uniform(0.02, chance.choice(LIVES)))
        if not running[victim].is_alive() and not _left(desk):
            break
        kill(running[victim])
        running[victim] = start(run_station, desk, f"desk {victim}", readers[victim])
        done += 1
    for station in running:
        station.join(DEADLINE + orders)
        assert station.exitcode == 0, f"the station that nobody kills does not finish: {_stand(desk, box, feeder)}"
    feeder.join(DEADLINE)
    if feeder.is_alive():  # a card that was done when its station was killed may be offered once more
        kill(feeder)
    assert done == kills, f"the lot was made after {done} kills"
    with desk.open() as ledger:
        check(ledger, sorted(box.rglob("*.vcard")), orders)


def _stand(desk: Desk, box: Path, feeder: BaseProcess) -> str:
    """How far everybody is, for the message of a failure."""
    with desk.open() as ledger, ledger.reading() as db:
        table = schema.orders
        states = dict(db.execute(sa.select(table.c.state, sa.func.count()).group_by(table.c.state)).all())
        notes = db.execute(sa.select(table.c.note).where(table.c.note != "").distinct()).scalars().all()
        stations = db.execute(sa.select(schema.stations.c.status)).scalars().all()
    waiting = len(list(box.glob("*.vcard")))
    return f"{states}, {notes}, {stations}; feeder alive: {feeder.is_alive()}, cards waiting: {waiting}"


def _left(desk: Desk) -> int:
    with desk.open() as ledger, ledger.reading() as db:
        table = schema.orders
        return db.execute(sa.select(sa.func.count()).where(table.c.state != OrderState.SEALED.value)).scalar_one()


def check(ledger: Ledger, images: Sequence[Path], orders: int) -> None:
    """Each order has one sealed card, whose chip equals it; no blank was used twice; the chain is whole."""
    found: dict[int, Path] = {}
    for image in images:
        with LocalTransport(load_card(image)) as transport:
            compared = compare_card(ledger, transport)
        assert compared.agreement is Agreement.AGREES, f"{image.name}: {compared.text.en} {compared.differences}"
        assert compared.order is not None
        assert compared.order not in found, f"{image.name}: its order has two cards"
        found[compared.order] = image
    with ledger.reading() as db:
        states = {
            table.name: dict(db.execute(sa.select(table.c.state, sa.func.count()).group_by(table.c.state)).all())
            for table in (schema.orders, schema.cards, schema.blanks)
        }
        assert states == {
            "orders": {OrderState.SEALED.value: orders},
            "cards": {CardState.LIVE.value: orders},
            "blanks": {BlankState.USED.value: orders},
        }
        assert verify_chain(db).whole
        assert audit_records(db, ledger.vault) == []
    assert len(found) == orders


def main() -> None:
    """Both databases, at the size that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with PrivatePcscd(readers=4) as pcscd, PrivatePostgres() as postgres:
        for stations in (1, 2):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                desk = Desk(str(folder / "ledger.db") if stations == 1 else postgres.new_database(), folder)
                make_lot_while_killing(
                    desk, folder, pcscd.slots, orders=wanted.orders, kills=wanted.kills, stations=stations,
                    seed=wanted.seed,
                )  # fmt: skip
            database = "SQLite, one station" if stations == 1 else "PostgreSQL, two stations in turn"
            sys.stdout.write(f"{database}: {wanted.orders} cards, killed {wanted.kills} times: all as it should be\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
