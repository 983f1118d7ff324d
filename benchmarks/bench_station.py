"""Cards through the real PC/SC service with everything that a station does, against bare commands.

Ours is a `Station`: identify, claim, sign, write with survey and read-back, seal, each step in a ledger on SQLite. The
reference sends the commands that put the same content on a card (SELECT, challenges, authentications, UPDATEs) one
after the other, without ledger, signature, survey, read-back or a look at the answers.

"fed" is what an office sees: a feeder takes each card out and puts the next one in, for both sides in the same way.
"in the reader" leaves that out: the card stays, and is a blank again after each reset. A virtual card answers at once,
where a real one takes some ten milliseconds for each command, so this is the ledger's share at its largest.

Cards are processes of their own. The last lines are the time spent in the ledger for one card.

    python benchmarks/bench_station.py [CARDS]
"""

import multiprocessing
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from bench_card import PHOTO, Forgetful, Listener, RawCard, forgetful_card
from common import ROOT, Row, clocked, private_pcscd, private_postgres, show
from smartcard import scard

from juying.card.pcsc import PcscTransport
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.feeder import FedReader
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import serve
from juying.codec.profile import load_profile
from juying.issuance.production import Outcome, Production
from juying.issuance.station import Station
from juying.ledger.ledger import Ledger

sys.path.insert(0, str(ROOT))
from tests import issuing, people

CARDS = int(sys.argv[1]) if len(sys.argv) > 1 else 40
READERS = 4
PROFILE = load_profile(issuing.PROFILE)
FIRST = iter(range(1, 10**6, 10**4))
"""The number of the first person of each lot."""
_READS = (0xB0, 0xB2, 0xC0, 0x88)


class FreshCard(Forgetful):
    """Another blank after every reset."""

    def __init__(self) -> None:
        super().__init__(VirtualCard.blank(PROFILE), secrets.SystemRandom())
        others = (VirtualCard.blank(PROFILE) for _ in range(10 * CARDS))
        self._identifiers = iter([other.memory.files["SSSE/EF05"][0] for other in others])

    def _forget(self) -> None:
        super()._forget()
        self.memory.files["SSSE/EF05"][0][:] = next(self._identifiers)


def serve_fresh(port: int) -> None:
    """The process of a card that is always another one."""
    serve(FreshCard(), port=port)


def serve_same(port: int) -> None:
    """The process of a card that is always the same one."""
    serve(forgetful_card(), port=port)


def feed(port: int, cards: int, same: bool, ready: Any, go: Event) -> None:
    """The process of a feeder with so many cards for one reader."""
    box = [forgetful_card() if same else VirtualCard.blank(PROFILE) for _ in range(cards)]
    reader, never = FedReader(port), threading.Event()
    ready.release()
    go.wait()
    for card in box:
        reader.offer(card, never)


def bare_commands(ledger: Ledger) -> list[list[int]]:
    """What is sent to a card until it is written, without what only reads."""
    with LocalTransport(forgetful_card()) as transport:
        listener, ends = Listener(transport), []

        def observe(point: str) -> None:
            if point == "before written":
                ends.append(len(listener.exchanges))

        assert producing(ledger, observe=observe).work(listener).outcome is Outcome.SEALED
    return [list(command) for command, _ in listener.exchanges[: ends[0]] if command[1] not in _READS]


def add_lot(ledger: Ledger, count: int) -> int:
    first = next(FIRST)
    return issuing.add_lot(ledger, count, name=f"from {first}", first=first, photo=PHOTO)[0]


def producing(ledger: Ledger, **options: Any) -> Production:
    return Production(ledger, issuing.office(), ledger.local, **options)


def send(reader: str, commands: list[list[int]], how: int) -> None:
    """One card of the reference."""
    card = RawCard(reader, scard.SCARD_SHARE_EXCLUSIVE)
    assert all(answer[-2] in (0x90, 0x61) for answer in card.send(commands))
    card.close(how)


def at_once(work: Callable[[str], None], readers: Sequence[str]) -> float:
    """Seconds until ``work`` is done with each of the readers."""
    threads = [threading.Thread(target=work, args=(reader,)) for reader in readers]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun


# Fed


def fed(ledger: Ledger, pcscd: Any, commands: list[list[int]], readers: int) -> Row:
    """Milliseconds a card with all its changing."""
    names, total = [slot.name for slot in pcscd.slots[:readers]], readers * CARDS

    def bare(reader: str) -> None:
        for _ in range(CARDS):
            pcscd.wait_for_card(reader, present=True)
            send(reader, commands, scard.SCARD_UNPOWER_CARD)
            pcscd.wait_for_card(reader, present=False)

    with feeding(pcscd.slots[:readers], same=True) as go:
        go.set()
        floor = at_once(bare, names)

    lot = add_lot(ledger, total)
    station = Station(ledger, issuing.office(), ledger.local, lot=lot, readers=names, until_done=True)
    with feeding(pcscd.slots[:readers], same=False) as go:
        go.set()
        mine = clocked(station.run)
    assert (station.totals.made, station.totals.failures) == (total, 0)
    return Row(f"fed, {readers} readers", 1e3 * mine / total, 1e3 * floor / total, "bare commands, fed", target=1 / 0.6)


@contextmanager
def feeding(slots: Sequence[Any], *, same: bool) -> Iterator[Event]:
    """Feeders for these readers, which begin when the event is set."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    feeders = [context.Process(target=feed, args=(slot.port, CARDS, same, ready, go), daemon=True) for slot in slots]
    for feeder in feeders:
        feeder.start()
    for _ in feeders:
        ready.acquire()
    yield go
    for feeder in feeders:
        feeder.join()


# In the reader


def in_the_reader(ledger: Ledger, pcscd: Any, commands: list[list[int]]) -> list[Row]:
    """Milliseconds a card that is there already."""
    context = multiprocessing.get_context("spawn")
    served = [(serve_fresh, slot) for slot in pcscd.slots[:READERS]]
    served += [(serve_same, slot) for slot in pcscd.slots[READERS:]]
    cards = [context.Process(target=target, args=(slot.port,), daemon=True) for target, slot in served]
    for card in cards:
        card.start()
    for _, slot in served:
        pcscd.wait_for_card(slot.name, present=True)
    add_lot(ledger, (1 + READERS) * CARDS)

    def ours(reader: str) -> None:
        for _ in range(CARDS):
            with PcscTransport.open(reader) as transport:
                assert producing(ledger).work(transport).outcome is Outcome.SEALED

    def bare(reader: str) -> None:
        for _ in range(CARDS):
            send(reader, commands, scard.SCARD_RESET_CARD)

    rows, names = [], [slot.name for slot in pcscd.slots]
    for count in (1, READERS):
        seconds = at_once(ours, names[:count]), at_once(bare, names[READERS : READERS + count])
        mine, floor = (1e3 * taken / (count * CARDS) for taken in seconds)
        rows.append(Row(f"in the reader, {count} readers", mine, floor, "bare commands"))
    for card in cards:
        card.terminate()
        card.join()
    return rows


# The ledger's share


def in_the_ledger(ledger: Ledger) -> float:
    """Milliseconds of one card that are spent in transactions and questions to the ledger, signing left out."""
    add_lot(ledger, CARDS)
    spent = []
    production = producing(ledger)
    for name in ("_do", "_look"):
        setattr(production, name, _clock(getattr(production, name), spent))
    for _ in range(CARDS):
        with LocalTransport(VirtualCard.blank(PROFILE)) as transport:
            assert production.work(transport).outcome is Outcome.SEALED
    return 1e3 * sum(spent) / CARDS


def _clock(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            spent.append(time.perf_counter() - begun)

    return timed


def main() -> None:
    with private_pcscd(readers=2 * READERS) as pcscd, tempfile.TemporaryDirectory() as folder, private_postgres() as pg:
        rows = []
        with open_ledger(Path(folder) / "ledger.db") as ledger:
            add_lot(ledger, 1)
            commands = bare_commands(ledger)
            rows += [fed(ledger, pcscd, commands, readers) for readers in (1, READERS)]
            rows += in_the_reader(ledger, pcscd, commands)
            rows.append(Row("ledger work a card", in_the_ledger(ledger), 15, "milliseconds, SQLite", target=1))
        with open_ledger(pg.new_database()) as ledger:
            rows.append(Row("ledger work a card", in_the_ledger(ledger), unit="ms", against="PostgreSQL"))
    show(f"{CARDS} cards a reader, {len(commands)} bare commands", rows)


def open_ledger(where: str | Path) -> Ledger:
    return Ledger.open(where, region="331000", clock=lambda: people.NOW)


if __name__ == "__main__":
    main()
