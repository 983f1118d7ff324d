"""Cards through the real PC/SC service with everything that a station does, against bare commands.

Ours: identify, claim, sign, write with survey and read-back, seal, each step in a ledger on SQLite; one thread for each
reader, as a station has. The reference: the commands alone that put the same content on a card (SELECT, challenges,
authentications, UPDATEs), without ledger, signature, survey or read-back. Cards are processes of their own, and blank
again after each reset; putting them in and taking them out is on neither side.

    python benchmarks/bench_station.py [CARDS]
"""

import multiprocessing
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench_card import Forgetful, Listener, RawCard, forgetful_card
from common import ROOT, Row, private_pcscd, show
from smartcard import scard

from juying.card.pcsc import PcscTransport
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import serve
from juying.codec.profile import load_profile
from juying.issuance.production import Outcome, Production
from juying.ledger.ledger import Ledger

sys.path.insert(0, str(ROOT))
from tests import issuing, people

CARDS = int(sys.argv[1]) if len(sys.argv) > 1 else 40
READERS = 4
_READS = (0xB0, 0xB2, 0xC0, 0x88)


class FreshCard(Forgetful):
    """Another blank after every reset."""

    def __init__(self) -> None:
        super().__init__(VirtualCard.blank(load_profile(issuing.PROFILE)), secrets.SystemRandom())

    def _forget(self) -> None:
        super()._forget()
        self.memory.files["SSSE/EF05"][0][:] = VirtualCard.blank(load_profile(issuing.PROFILE)).memory.files[
            "SSSE/EF05"
        ][0]


def serve_fresh(port: int) -> None:
    """The process of a card that is always another one."""
    serve(FreshCard(), port=port)


def serve_same(port: int) -> None:
    """The process of a card that is always the same one."""
    serve(forgetful_card(), port=port)


def bare_commands(ledger: Ledger, production: Callable[..., Production]) -> list[list[int]]:
    """What is sent to a card until it is written, without what only reads."""
    with LocalTransport(forgetful_card()) as transport:
        listener, ends = Listener(transport), []

        def observe(point: str) -> None:
            if point == "before written":
                ends.append(len(listener.exchanges))

        assert production(observe=observe).work(listener).outcome is Outcome.SEALED
    return [list(command) for command, _ in listener.exchanges[: ends[0]] if command[1] not in _READS]


def at_once(work: Callable[[str], None], readers: Sequence[str]) -> float:
    """Seconds until each of the readers has done its cards."""
    threads = [threading.Thread(target=work, args=(reader,)) for reader in readers]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun


def main() -> None:
    rows = []
    context = multiprocessing.get_context("spawn")
    with (
        private_pcscd(readers=2 * READERS) as pcscd,
        tempfile.TemporaryDirectory() as folder,
        Ledger.open(Path(folder) / "ledger.db", region="331000", clock=lambda: people.NOW) as ledger,
    ):
        issuing.add_lot(ledger, 3 * READERS * CARDS)
        office = issuing.office()

        def production(**options: object) -> Production:
            return Production(ledger, office, ledger.local, **options)

        commands = bare_commands(ledger, production)
        served = [(serve_fresh, slot) for slot in pcscd.slots[:READERS]]
        served += [(serve_same, slot) for slot in pcscd.slots[READERS:]]
        cards = [context.Process(target=target, args=(slot.port,), daemon=True) for target, slot in served]
        for card in cards:
            card.start()
        for _, slot in served:
            pcscd.wait_for_card(slot.name, present=True)

        def ours(reader: str) -> None:
            for _ in range(CARDS):
                with PcscTransport.open(reader) as transport:
                    assert production().work(transport).outcome is Outcome.SEALED

        def bare(reader: str) -> None:
            for _ in range(CARDS):
                card = RawCard(reader, scard.SCARD_SHARE_EXCLUSIVE)
                assert all(answer[-2] in (0x90, 0x61) for answer in card.send(commands))
                card.close(scard.SCARD_RESET_CARD)

        names = [slot.name for slot in pcscd.slots]
        for count in (1, READERS):
            seconds = at_once(ours, names[:count]), at_once(bare, names[READERS : READERS + count])
            mine, floor = (1e3 * taken / (count * CARDS) for taken in seconds)
            rows.append(Row(f"a card, {count} readers", mine, floor, "bare commands", target=1 / 0.6))
        for card in cards:
            card.terminate()
            card.join()
    show(f"{CARDS} cards a reader, {len(commands)} bare commands", rows)


if __name__ == "__main__":
    main()
