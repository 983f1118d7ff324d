"""Card and PSAM belong to another process, and misbehave: the gate charges every ride once, through the real pcscd."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from juying.card.channel import Channel
from juying.card.pcsc import PcscTransport
from juying.card.tunion import read_transit
from juying.card.tunion_psam import TransitPsam
from juying.errors import CardError
from juying.services.transit.journal import TapJournal
from juying.services.transit.tap import Passage, tap
from tests.harness import PrivatePcscd, Slot
from tests.peers.running import Peer, running
from tests.transit_gate.gates import NOW, gate

FARE = 200


class Gate:
    """A bus with a flat fare, its PSAM and journal, and the passenger's card in another process."""

    def __init__(self, pcscd: PrivatePcscd, slot: Slot, sam_slot: Slot, peer: Peer, journal: TapJournal) -> None:
        self.pcscd, self.slot, self.sam_slot, self.peer, self.journal = pcscd, slot, sam_slot, peer, journal

    def insert(self, habit: str, number: int = 0) -> None:
        """The card comes back, with a habit."""
        self.peer.ask({"habit": None})
        self.pcscd.wait_for_card(self.slot.name, present=False)
        self.peer.ask({"habit": habit, "number": number})
        self.pcscd.wait_for_card(self.slot.name, present=True)

    def tap(self) -> Passage | None:
        """One tap; None when the card could not be talked to."""
        site = gate("bus-flat")
        try:
            with PcscTransport.open(self.slot.name) as line, PcscTransport.open(self.sam_slot.name) as sam_line:
                return tap(Channel(line), TransitPsam.open(Channel(sam_line)), site, self.journal, now=NOW)
        except CardError:
            return None

    def balance(self) -> int | None:
        """What is on the card."""
        with PcscTransport.open(self.slot.name) as line:
            return read_transit(Channel(line)).balance_fen


@pytest.fixture
def bus(private_pcscd: PrivatePcscd, pcsc_reader: Slot, second_pcsc_reader: Slot, tmp_path: Path) -> Iterator[Gate]:
    ports = ("--card-port", str(pcsc_reader.port), "--psam-port", str(second_pcsc_reader.port))
    with running("tests.peers.tunion", *ports) as peer, TapJournal(tmp_path / "taps.db") as journal:
        for slot in (pcsc_reader, second_pcsc_reader):
            private_pcscd.wait_for_card(slot.name, present=True)
        yield Gate(private_pcscd, pcsc_reader, second_pcsc_reader, peer, journal)


def test_a_ride_is_paid(bus: Gate) -> None:
    before = bus.balance()
    passage = bus.tap()
    assert passage is not None
    assert passage.opens
    assert before is not None
    assert bus.balance() == before - FARE


@pytest.mark.parametrize(("habit", "number"), [("torn", 12), ("torn while writing", 10), ("garbage", 9), ("slow", 0)])
def test_a_card_with_bad_habits_pays_once(bus: Gate, habit: str, number: int) -> None:
    before = bus.balance()
    bus.insert(habit, number)
    first = bus.tap()
    if first is None or not first.opens:
        bus.insert("")
        second = bus.tap()
        assert second is not None
        assert second.opens
    after = bus.balance()
    assert before is not None
    assert after is not None
    assert before - after == FARE
