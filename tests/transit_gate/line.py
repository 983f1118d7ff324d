"""A line with its gates, a PSAM and a journal, at which cards are tapped."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from juying.card.channel import Channel
from juying.card.tunion_psam import TransitPsam
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.services.transit.journal import TapJournal
from juying.services.transit.site import Site
from juying.services.transit.tap import Passage, tap
from tests.transit_gate.gates import NOW

Fault = Callable[[Any], Any]


def plain(card: Any) -> Any:
    return card


class Line:
    """Gates that share a PSAM and a journal; every tap takes a minute of the day unless it says otherwise."""

    def __init__(self, journal: TapJournal | None = None) -> None:
        self.sam = VirtualTransitPsam()
        self.journal = journal or TapJournal()
        self.now = NOW
        self.commands = 0

    def tap(
        self, card: VirtualCard, site: Site, *, fault: Fault = plain, sam: Fault = plain, now: datetime | None = None
    ) -> Passage:
        """Tap a card; ``fault`` and ``sam`` are put around card and PSAM."""
        self.commands = 0
        transport = LocalTransport(fault(card))
        channel = Channel(_Counted(transport, self))
        psam = TransitPsam.open(Channel(LocalTransport(sam(self.sam))))
        return tap(channel, psam, site, self.journal, now=now or self.now)

    def later(self, minutes: int) -> None:
        """Let time go by."""
        self.now += timedelta(minutes=minutes)


class _Counted:
    """A transport that counts the commands to the card."""

    def __init__(self, transport: LocalTransport, line: Line) -> None:
        self.transport, self.line = transport, line
        self.name, self.protocol, self.atr = transport.name, transport.protocol, transport.atr

    def transmit(self, command: bytes) -> bytes:
        self.line.commands += 1
        return self.transport.transmit(command)

    def close(self) -> None:
        self.transport.close()


def money(card: VirtualCard) -> int:
    """What is on the card: real balance less what is overdrawn."""
    purse = card.memory.files["TUNION/0002"][0]
    return int.from_bytes(purse[0:4]) - int.from_bytes(purse[4:8])


def logs(card: VirtualCard) -> dict[str, list[bytes]]:
    """The records that tell of purchases and rides."""
    return {
        file: [bytes(record) for record in card.memory.files[f"TUNION/{file}"]] for file in ("0018", "001E", "001A")
    }
