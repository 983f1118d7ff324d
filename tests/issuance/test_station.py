"""Stations with readers of the real pcscd: cards are made as they come, and nothing that goes wrong loses one."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import pytest

from juying.card.access import Access
from juying.card.virtual.card import Lifecycle, VirtualCard
from juying.card.virtual.faults import Mute, TearAfterCommand
from juying.card.virtual.feeder import Box, Feeder, FedReader
from juying.card.virtual.image import load_card, save_card
from juying.crypto.keys import DemonstrationKeys
from juying.errors import KeyUseError, ReaderUnavailable
from juying.issuance.production import Outcome
from juying.issuance.station import Station
from juying.issuance.station_state import Doing, Happening, Kind, Totals
from juying.ledger import orders, schema
from juying.ledger.ledger import Ledger
from juying.ledger.operators import at_station
from juying.ledger.states import OrderState
from tests import issuing, people
from tests.harness import PrivatePcscd, PrivatePostgres, Slot
from tests.issuing import add_lot, blank, rows

PATIENCE = 60.0  # seconds; only a broken machine needs that long


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


@dataclass
class Running:
    """A station at work on a thread of its own."""

    station: Station
    heard: "SimpleQueue[Happening]"
    thread: threading.Thread
    totals: list[Totals] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def wait_for(self, kind: Kind) -> Happening:
        while True:
            happening = self.heard.get(timeout=PATIENCE)
            if happening.kind is kind:
                return happening

    def ends(self) -> Totals:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        if self.errors:
            raise self.errors[0]
        return self.totals[0]


Start = Callable[..., Running]


@pytest.fixture
def start(ledger: Ledger) -> Iterator[Start]:
    """Starts stations, and ends them with the test."""
    office, begun = issuing.office(), []

    def begin(*readers: Slot, name: str = "desk one", **options: object) -> Running:
        heard: SimpleQueue[Happening] = SimpleQueue()
        actor = at_station(ledger, ledger.local, name)
        station = Station(ledger, office, actor, readers=[slot.name for slot in readers], tell=heard.put, **options)

        def run() -> None:
            try:
                running.totals.append(station.run())
            except BaseException as error:
                running.errors.append(error)

        running = Running(station, heard, threading.Thread(target=run, daemon=True))
        running.thread.start()
        begun.append(running)
        return running

    yield begin
    for running in begun:
        running.station.halt()
        running.thread.join(PATIENCE)


def fill(folder: Path, count: int, **options: object) -> Path:
    folder.mkdir()
    for number in range(count):
        save_card(blank(**options), folder / f"{number:03}.vcard")
    return folder


def check_all_made(ledger: Ledger, folder: Path) -> None:
    """Every order has one card, and every card says what its order says."""
    by_plastic = {issuing.identifier(card): card for card in map(load_card, sorted((folder / "done").iterdir()))}
    with ledger.reading() as db:
        found = {identifier: orders.known(db, identifier) for identifier in by_plastic}
    made = {row.id: row for row in rows(ledger, schema.cards)}
    wanted = rows(ledger, schema.orders)
    assert {row.state for row in wanted} == {OrderState.SEALED}
    assert len({row.card_id for row in wanted}) == len(wanted) == len(made)
    for identifier, card in by_plastic.items():
        row = made.pop(found[identifier].card)
        assert issuing.card_number_on(card) == row.number
        assert issuing.permit_number_on(card) is not None
    assert made == {}


def test_two_readers_make_a_lot_that_a_feeder_feeds(
    ledger: Ledger, start: Start, pcsc_reader: Slot, second_pcsc_reader: Slot, tmp_path: Path
) -> None:
    lot, _ = add_lot(ledger, 6)
    folder = fill(tmp_path / "box", 6)
    running = start(pcsc_reader, second_pcsc_reader, lot=lot, until_done=True)
    Feeder(Box(folder), [pcsc_reader.port, second_pcsc_reader.port]).run(threading.Event())
    totals = running.ends()
    assert (totals.made, totals.failures, totals.left) == (6, 0, 0)
    check_all_made(ledger, folder)
    assert list(folder.glob("*.vcard")) == []
    assert {view.made for view in running.station.views} != {0}
    assert sum(view.made for view in running.station.views) == 6
    assert running.station.rate is not None
    [station] = rows(ledger, schema.stations)
    assert '"made": 6' in station.status
    assert {row.station_id for row in rows(ledger, schema.orders)} == {station.id}
