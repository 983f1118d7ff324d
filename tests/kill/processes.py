"""What is killed, and what goes on meanwhile: stations and feeders as processes of their own.

They are forked from a server that has everything imported, so that a killed station is back within milliseconds.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from juying.card.virtual.feeder import Box, Feeder
from juying.card.virtual.image import load_card
from juying.card.virtual.transport import LocalTransport
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.issuance.office import Office
from juying.issuance.production import Production
from juying.issuance.station import Station
from juying.ledger import orders
from juying.ledger.ledger import Ledger
from juying.ledger.operators import at_station
from tests import people

DEADLINE = 120.0  # seconds; only a broken machine needs that long


def start(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start ``target`` as a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.kill.processes"])
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """End a process as a power cut does."""
    process.kill()
    process.join(DEADLINE)


class Desk:
    """The files of an office: where its ledger is, and with which key it signs."""

    def __init__(self, ledger: str, folder: Path) -> None:
        """``folder`` gets the signing key and the trust list."""
        self.ledger, self.folder = ledger, folder
        signer = SoftwareSigner.generate()
        signer.save(folder / "issuer.pem")
        TrustList([people.trusted(signer)]).save(folder / "trust.json")

    def open(self) -> Ledger:
        """The ledger; the time is that of the tests."""
        return Ledger.open(self.ledger, region="331000", clock=lambda: people.NOW)

    def office(self) -> Office:
        """The office, in any process."""
        signer = SoftwareSigner.load(self.folder / "issuer.pem")
        return Office(signer=signer, trust=TrustList.load(self.folder / "trust.json"), clock=lambda: people.NOW)


def run_station(desk: Desk, name: str, readers: Sequence[str]) -> None:
    """A station until all orders are done; the stop rule is off, because being killed is no failure of a reader."""
    with desk.open() as ledger:
        actor = at_station(ledger, ledger.local, name)
        Station(ledger, desk.office(), actor, readers=readers, until_done=True, most_failures=1_000_000).run()


def run_feeder(folder: Path, ports: Sequence[int]) -> None:
    """The feeder with a box of cards, which lives through all of it."""
    Feeder(Box(folder), ports).run(threading.Event())


def make_one_card(desk: Desk, image: Path, point: str | None = None) -> None:
    """Make the card of an image; killed at ``point``."""

    def observe(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    with desk.open() as ledger, LocalTransport(load_card(image, autosave=True)) as transport:
        Production(ledger, desk.office(), ledger.local, observe=observe).work(transport)


def claim_all(desk: Desk, station: int) -> None:
    """Claim orders for ever new blanks, until none is left."""
    with desk.open() as ledger:
        actor = at_station(ledger, ledger.local, f"station {station}")
        number, claimed = 0, True
        while claimed:
            number += 1
            with ledger.transaction(actor) as tx:
                claimed = orders.claim(tx, f"{station:08x}{number:016x}", "ssc-v3") is not None
