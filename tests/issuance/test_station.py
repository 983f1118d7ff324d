"""Stations with readers of the real pcscd: cards are made as they come, and nothing that goes wrong loses one."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import pytest
from argon2 import PasswordHasher

from juying.card.access import Access
from juying.card.monitor import EventKind, ReaderEvent
from juying.card.virtual.card import Card, Lifecycle
from juying.card.virtual.faults import TearAfterCommand, WrongStatus
from juying.card.virtual.feeder import Box, Feeder
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.vpcd import VirtualReader
from juying.errors import InputError, KeyUseError, LedgerUnavailable, ReaderUnavailable, ServiceUnavailable
from juying.issuance.production import Outcome
from juying.issuance.station import Station
from juying.issuance.station_state import Doing, Happening, Kind, ReaderView, Totals
from juying.issuance.station_worker import Worker
from juying.ledger import orders, schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Operators, at_station
from juying.ledger.sessions import Sessions
from juying.ledger.states import OrderState, Role
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
    """A station at work on a thread of its own; ``failed`` is set when it ends with an error."""

    station: Station
    heard: "SimpleQueue[Happening]"
    thread: threading.Thread
    totals: list[Totals] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    failed: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, kind: Kind) -> Happening:
        while True:
            happening = self.heard.get(timeout=PATIENCE)
            if happening.kind is kind:
                return happening

    def made(self) -> Happening:
        return self.wait_for(Kind.MADE)

    def ends(self) -> Totals:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        if self.errors:
            raise self.errors[0]
        return self.totals[0]


Start = Callable[..., Running]


@dataclass
class Hand:
    """Puts cards into one reader and takes them out; between two cards pcscd sees the reader empty."""

    slot: Slot
    pcscd: PrivatePcscd

    def __post_init__(self) -> None:
        self._reader = VirtualReader(port=self.slot.port)

    def put_in(self, card: Card) -> None:
        self._reader.insert(card)

    def take_out(self) -> None:
        self._reader.remove()
        self.pcscd.wait_for_card(self.slot.name, present=False)
        self.pcscd.wait_until_looked_at(self.slot)


@pytest.fixture
def hand(pcsc_reader: Slot, private_pcscd: PrivatePcscd) -> Iterator[Hand]:
    hand = Hand(pcsc_reader, private_pcscd)
    yield hand
    hand.take_out()


@pytest.fixture
def start(ledger: Ledger) -> Iterator[Start]:
    """Starts stations, and ends them with the test."""
    office, begun = issuing.office(), []

    def begin(*readers: Slot, name: str = "desk one", actor: Actor | None = None, **options: object) -> Running:
        heard: SimpleQueue[Happening] = SimpleQueue()
        actor = at_station(ledger, actor or ledger.local, name)
        station = Station(ledger, office, actor, readers=[slot.name for slot in readers], tell=heard.put, **options)

        def run() -> None:
            try:
                running.totals.append(station.run())
            except BaseException as error:
                running.errors.append(error)
                running.failed.set()

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
    Feeder(Box(folder), [pcsc_reader.port, second_pcsc_reader.port]).run(running.failed)
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


def test_two_stations_share_a_lot(
    ledger: Ledger, start: Start, pcsc_reader: Slot, second_pcsc_reader: Slot, tmp_path: Path
) -> None:
    lot, _ = add_lot(ledger, 6)
    folder = fill(tmp_path / "box", 6)
    stations = [
        start(slot, name=name, lot=lot, until_done=True)
        for slot, name in ((pcsc_reader, "left"), (second_pcsc_reader, "right"))
    ]
    Feeder(Box(folder), [pcsc_reader.port, second_pcsc_reader.port]).run(threading.Event())
    assert sum(station.ends().made for station in stations) == 6
    check_all_made(ledger, folder)


def test_a_card_that_is_pulled_out_is_finished_when_it_comes_back(ledger: Ledger, start: Start, hand: Hand) -> None:
    _, [order] = add_lot(ledger, 1)
    card, running = blank(), start(hand.slot)
    hand.put_in(TearAfterCommand(card, 60))
    failed = running.wait_for(Kind.FAILED)
    assert failed.reader == hand.slot.name
    hand.take_out()
    [view] = running.station.views
    assert (view.doing, view.failures) == (Doing.WAITING, 0)
    hand.put_in(card)
    made = running.made().made
    assert (made.outcome, made.claim.order) == (Outcome.SEALED, order)
    [view] = running.station.views
    assert (view.name, view.box, view.made) == (issuing.holder(1).registered_name, 1, 1)
    assert view.name not in repr(view) + repr(made)
    hand.take_out()
    hand.put_in(card)
    assert running.made().made.outcome is Outcome.ALREADY
    running.station.stop()
    assert running.ends() == Totals(made=1, left=0)


def test_a_reader_that_fails_again_and_again_is_stopped_until_somebody_resumes_it(
    ledger: Ledger, start: Start, hand: Hand
) -> None:
    add_lot(ledger, 2)
    card, running = blank(), start(hand.slot, most_failures=2, attended=True)
    for _ in range(2):
        hand.put_in(WrongStatus(card, 30))
        running.wait_for(Kind.FAILED)
        hand.take_out()
    running.wait_for(Kind.READER_STOPPED)
    hand.put_in(card)
    running.wait_for(Kind.INSERTED)
    [view] = running.station.views
    assert (view.doing, view.failures) == (Doing.STOPPED, 2)
    running.station.resume("another reader")
    assert view.doing is Doing.STOPPED
    running.station.resume()
    running.wait_for(Kind.RESUMED)
    assert running.made().made.outcome is Outcome.SEALED
    assert view.in_a_row == 0


def test_a_station_that_nobody_attends_ends_when_all_readers_are_stopped(
    ledger: Ledger, start: Start, hand: Hand
) -> None:
    add_lot(ledger, 1)
    running = start(hand.slot, most_failures=1)
    hand.put_in(WrongStatus(blank(), 30))
    with pytest.raises(ReaderUnavailable, match="all readers are stopped"):
        running.ends()
    assert running.station.totals.failures == 1


def test_a_spoiled_card_counts_as_a_failure(ledger: Ledger, start: Start, hand: Hand) -> None:
    add_lot(ledger, 1)
    card, running = blank(), start(hand.slot, most_failures=9)
    for failure in range(3):
        hand.put_in(WrongStatus(card, 30))
        if failure < 2:
            running.wait_for(Kind.FAILED)
            hand.take_out()
    assert running.made().made.outcome is Outcome.SPOILED
    assert running.station.totals == Totals(spoiled=1, failures=3, left=1)


def test_a_refused_key_stops_everything(ledger: Ledger, start: Start, hand: Hand) -> None:
    add_lot(ledger, 1)
    card = blank()
    running = start(hand.slot, access=Access(keys=issuing.WrongKeys()))
    hand.put_in(card)
    with pytest.raises(KeyUseError, match="issuing has stopped"):
        running.ends()
    assert card.state is Lifecycle.BLANK


def test_a_foreign_card_is_refused_and_costs_nothing(ledger: Ledger, start: Start, hand: Hand) -> None:
    add_lot(ledger, 1)
    running = start(hand.slot, most_failures=1)
    hand.put_in(blank(region="330100"))
    refused = running.made().made
    assert refused.outcome is Outcome.REFUSED
    assert running.station.totals == Totals(refused=1, left=1)


@pytest.mark.parametrize("point", ["before claim", "before sign", "before write"])
def test_a_station_that_is_to_end_begins_no_writing(
    ledger: Ledger, start: Start, hand: Hand, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """What was claimed goes on at the next station."""
    add_lot(ledger, 1)
    card = blank()
    running = stopped_at(start, hand, monkeypatch, point, Station.stop)
    hand.put_in(card)
    assert running.ends().made == 0
    assert card.state is Lifecycle.BLANK
    hand.take_out()
    again = start(hand.slot)
    hand.put_in(card)
    assert again.made().made.outcome is Outcome.SEALED


def test_a_card_that_is_being_written_is_finished_before_the_station_ends(
    ledger: Ledger, start: Start, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_lot(ledger, 1)
    running = stopped_at(start, hand, monkeypatch, "write 3", Station.stop)
    hand.put_in(blank())
    assert running.ends().made == 1


def test_a_station_that_is_halted_ends_at_the_next_step(
    ledger: Ledger, start: Start, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_lot(ledger, 1)
    card = blank()
    running = stopped_at(start, hand, monkeypatch, "after written", Station.halt)
    hand.put_in(card)
    assert running.ends().made == 0
    assert rows(ledger, schema.orders)[0].state == OrderState.WRITTEN
    hand.take_out()
    again = start(hand.slot, name="desk two")
    hand.put_in(card)
    assert again.made().made.outcome is Outcome.SEALED


def stopped_at(
    start: Start, hand: Hand, monkeypatch: pytest.MonkeyPatch, point: str, how: Callable[[Station], None]
) -> Running:
    """A station that is told to end when the card in it has passed a point."""
    original = Station._production

    def production(self: Station, observe: Callable[[str], None]) -> object:
        def heard(name: str) -> None:
            if name == point:
                how(self)
            observe(name)

        return original(self, heard)

    monkeypatch.setattr(Station, "_production", production)
    running = start(hand.slot)
    monkeypatch.undo()
    running.station._production = production.__get__(running.station)
    return running


def test_ctrl_c_once_and_twice(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, private_pcscd: PrivatePcscd) -> None:
    station = Station(ledger, issuing.office(), ledger.local)
    halted: list[bool] = []

    def interrupted(self: Station) -> None:
        halted.append(station._halted.is_set())
        raise KeyboardInterrupt

    monkeypatch.setattr(Station, "_keep_house", interrupted)
    monkeypatch.setattr(Station, "_goes_on", lambda self: len(halted) < 3)
    station.run()
    assert halted == [False, False, True]


def test_a_station_that_is_done_ends_though_another_did_the_rest(
    ledger: Ledger, start: Start, pcsc_reader: Slot
) -> None:
    lot, _ = add_lot(ledger, 1)
    running = start(pcsc_reader, lot=lot, until_done=True)
    running.wait_for(Kind.READERS)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(schema.orders.update().values(state=OrderState.SUSPENDED.value))
    assert running.ends().left == 0
    [station] = rows(ledger, schema.stations)
    status = json.loads(station.status)
    assert status["ended"]
    assert status["readers"] == {pcsc_reader.name: {"doing": "waiting", "made": 0, "failures": 0}}
    assert station.seen_at is not None


def test_a_lost_server_is_waited_for(
    private_postgres: PrivatePostgres, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card stays in the reader, and is made when the server is back."""
    with Ledger.open(private_postgres.new_database(), region="331000", clock=lambda: people.NOW) as ledger:
        add_lot(ledger, 1)
        heard: SimpleQueue[Happening] = SimpleQueue()
        station = Station(ledger, issuing.office(), ledger.local, readers=[hand.slot.name], tell=heard.put)
        original = Station._production

        def production(self: Station, observe: Callable[[str], None]) -> object:
            def passed(name: str) -> None:
                if name == "before written":
                    private_postgres.stop(kill=True)
                observe(name)

            return original(self, passed)

        monkeypatch.setattr(Station, "_production", production)
        thread = threading.Thread(target=station.run, daemon=True)
        thread.start()
        hand.put_in(blank())
        kinds: list[Kind] = []
        while Kind.MADE not in kinds:
            kinds.append(heard.get(timeout=PATIENCE).kind)
            if kinds[-1] is Kind.LEDGER_LOST:
                private_postgres.start()
        assert kinds[-3:] == [Kind.LEDGER_LOST, Kind.LEDGER_BACK, Kind.MADE]
        station.stop()
        thread.join(PATIENCE)
        assert station.totals.made == 1


def test_a_station_that_ends_does_not_wait_for_the_ledger(ledger: Ledger) -> None:
    station = Station(ledger, issuing.office(), ledger.local)
    station.stop()
    assert not station._patient(LedgerUnavailable("断开", "lost"))


def test_a_restarted_service_is_no_failure(
    ledger: Ledger, start: Start, hand: Hand, private_pcscd: PrivatePcscd
) -> None:
    add_lot(ledger, 1)
    running = start(hand.slot)
    running.wait_for(Kind.READERS)
    private_pcscd.restart()
    hand.put_in(blank())
    assert running.made().made.outcome is Outcome.SEALED


def test_who_may_not_issue_has_no_station(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="lacks the role"):
        Station(ledger, issuing.office(), Actor(1, "auditor", frozenset({Role.AUDITOR})))


def test_what_fails_in_the_display_ends_the_station(ledger: Ledger, start: Start, hand: Hand) -> None:
    """The card is done all the same, and the ledger knows."""
    add_lot(ledger, 1)
    running = start(hand.slot)

    def broken(happening: Happening) -> None:
        if happening.kind is Kind.MADE:
            raise InputError("磁盘已满", "the disk is full")

    running.station._tell = broken
    hand.put_in(blank())
    with pytest.raises(InputError, match="disk is full"):
        running.ends()
    assert rows(ledger, schema.orders)[0].state == OrderState.SEALED


def test_what_fails_while_readers_are_watched_ends_the_station(ledger: Ledger, start: Start, hand: Hand) -> None:
    running = start(hand.slot)
    running.wait_for(Kind.READERS)

    def broken(happening: Happening) -> None:
        raise InputError("磁盘已满", "the disk is full")

    running.station._tell = broken
    hand.put_in(blank())
    with pytest.raises(InputError, match="disk is full"):
        running.ends()


class FakeDesk:
    """A station whose work always meets the same fate."""

    def __init__(self, error: Exception) -> None:
        self.ending, self.error, self.failures = False, error, SimpleQueue[bool]()

    def work(self, transport: object, view: ReaderView) -> object:
        raise AssertionError

    count = work

    def count_failure(self, view: ReaderView, error: Exception, *, counts: bool) -> None:
        self.failures.put(counts)

    def stops(self, view: ReaderView) -> bool:
        return False

    def give_up(self, error: BaseException) -> None:
        raise error


def test_what_the_lost_service_broke_off_is_tried_again_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when nobody touched the card; a reader that was unplugged is back when it is plugged in."""
    desk = FakeDesk(ServiceUnavailable("没有服务", "no service"))

    def opened(reader: str) -> object:
        raise desk.error

    monkeypatch.setattr("juying.issuance.station_worker.PcscTransport.open", opened)
    worker = Worker(desk, "a reader")
    worker.retry()
    worker.insert()
    assert desk.failures.get(timeout=PATIENCE) is False
    worker.retry()
    assert desk.failures.get(timeout=PATIENCE) is False
    worker.lose()
    assert worker.view.doing is Doing.GONE
    worker.find()
    worker.find()
    assert worker.view.doing is Doing.WAITING
    desk.ending = True
    worker.wake()
    worker._thread.join(PATIENCE)
    assert not worker.alive


def test_a_lost_ledger_is_no_failure_of_the_card_and_a_reader_may_go_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = FakeDesk(LedgerUnavailable("断开", "lost"))
    opened: SimpleQueue[str] = SimpleQueue()

    def open_card(reader: str) -> object:
        worker.lose()
        opened.put(reader)
        desk.ending = True
        raise desk.error

    monkeypatch.setattr("juying.issuance.station_worker.PcscTransport.open", open_card)
    worker = Worker(desk, "a reader")
    worker.insert()
    assert opened.get(timeout=PATIENCE) == "a reader"
    worker._thread.join(PATIENCE)
    assert desk.failures.empty()
    assert (worker.view.doing, worker.view.note.en) == (Doing.GONE, "lost")


def test_readers_come_and_go(ledger: Ledger) -> None:
    """Only those that are named are used; a reader that is plugged in again is the same one."""
    heard: list[Happening] = []
    station = Station(ledger, issuing.office(), ledger.local, readers=["ours"], tell=heard.append)
    for kind, reader in (
        (EventKind.CARD_INSERTED, "ours"),
        (EventKind.READER_ADDED, "theirs"),
        (EventKind.READER_ADDED, "ours"),
        (EventKind.READER_REMOVED, "ours"),
        (EventKind.READER_ADDED, "ours"),
        (EventKind.SERVICE_LOST, ""),
        (EventKind.SERVICE_BACK, ""),
    ):
        station._seen(ReaderEvent(kind, reader))
    assert [view.reader for view in station.views] == ["ours"]
    assert [told.kind for told in heard] == [Kind.INSERTED, *[Kind.READERS] * 5]
    assert "systemctl start pcscd" in heard[-2].text.en, "and says what to do"
    assert station.rate is None
    station.halt()


# Operators


def test_a_station_stops_before_the_next_card_when_its_session_has_ended(
    ledger: Ledger, start: Start, hand: Hand
) -> None:
    """What was begun is finished; the next card stays as it is, and the station says why it ends."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    sessions, secret = Sessions(ledger, hasher=cheap), "correct horse battery"
    Operators(ledger, cheap).add(ledger.local, "王芳", [Role.SUPERVISOR, Role.ISSUING], secret)
    token = sessions.login("王芳", secret).token
    add_lot(ledger, 2)
    running = start(hand.slot, actor=sessions.actor(token))
    hand.put_in(blank())
    assert running.made().made.outcome is Outcome.SEALED
    sessions.logout(token)
    hand.take_out()
    card = blank()
    before = issuing.memory(card)
    hand.put_in(card)
    with pytest.raises(InputError, match="the session has ended"):
        running.ends()
    assert issuing.memory(card) == before
    assert [row.state for row in rows(ledger, schema.orders)] == [OrderState.SEALED, OrderState.PLANNED]
    sealed = [row for row in rows(ledger, schema.events) if row.kind == "order-sealed"]
    assert [row.operator_id for row in sealed] == [2]
