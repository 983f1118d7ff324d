"""A virtual card in process, seen as a transport."""

from juying.card.transport import CardProtocol, Closing
from juying.card.virtual.card import Card


class LocalTransport(Closing):
    """A `juying.card.transport.Transport` to a card object; the card has power from creation to `close`."""

    def __init__(self, card: Card, *, name: str = "virtual") -> None:
        """Power the card on; ``name`` is what messages call the reader."""
        self._card = card
        self.name = name
        self.atr = card.atr
        self.protocol: CardProtocol = protocol_of(self.atr)
        card.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Give one command to the card. Raises what the card raises: `CardRemoved`, or `CommandTimeout`."""
        return self._card.transmit(command)

    def close(self) -> None:
        """Take the power away; a second time does nothing."""
        self._card.power_off()


def protocol_of(atr: bytes) -> CardProtocol:
    """The protocol that an ATR offers first (ISO 7816-3: the low four bits of TD1, T=0 without TD1)."""
    indicators = atr[1] >> 4
    if not indicators & 0x08:
        return "T=0"
    td1 = atr[2 + (indicators & 0x07).bit_count()]
    return "T=1" if td1 & 0x0F == 1 else "T=0"
