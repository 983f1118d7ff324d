"""Which card is this? Asked before anything is written to it, and without showing it any key."""

from dataclasses import dataclass, field

from juying.card.access import Access
from juying.card.atr import historical_bytes
from juying.card.channel import Channel
from juying.card.contents import CARD_NUMBER, OWNER
from juying.card.permit_seal import BOUND_IDENTIFIER
from juying.card.session import select_command
from juying.card.ssc import SSSE_AID, SscCard
from juying.card.transport import Transport
from juying.errors import CardRefused
from juying.ledger.orders import Known
from juying.ledger.states import BlankState, CardState, OrderState
from juying.text import Text

_BLOCKED = 0x6A81


@dataclass(frozen=True, slots=True)
class Identified:
    """A social security card in a reader, and its identifier as the ledger has it (24 hexadecimal digits)."""

    card: SscCard = field(repr=False)
    identifier: str = field(repr=False)

    @property
    def city(self) -> str:
        """The city that issued the card, 6 digits."""
        return self.identifier[:6]


def identify(transport: Transport, access: Access | None = None) -> Identified:
    """The card behind ``transport``; ``access`` is for what is done with it later.

    Raises `CardRefused` when it is no social security card of a known profile, or tells no identifier, and
    `TransportError` when it does not answer.
    """
    card = SscCard.open(transport, access=access)
    identifier = card.value("card.identifier")
    if not isinstance(identifier, bytes) or not identifier[:3].hex().isdigit():
        raise CardRefused(
            "卡上没有卡识别码，未作任何改动；请取出",
            "the card has no identifier; nothing was changed: take it out",
            where=transport.name,
        )
    return Identified(card, identifier[:BOUND_IDENTIFIER].hex())


def carries_somebody(card: SscCard) -> bool:
    """Whether the card has a card number or a holder. Some cards want to be shown the read key for that.

    Raises `AccessRefused` when we do not have that key.
    """
    return any(card.value(field) is not None for field in (CARD_NUMBER, OWNER))


def is_blocked(transport: Transport) -> bool:
    """Whether the card behind ``transport`` answers that it is blocked for good."""
    return Channel(transport).transmit(select_command(transport.protocol, 0x04, SSSE_AID)).sw == _BLOCKED


def serial_in(atr: bytes) -> tuple[str, str] | None:
    """City (4 digits) and serial (8 hexadecimal digits) at the end of the historical bytes of an ATR, if there.

    They stand in the card identifier too (observed), so they tell which card a dead chip may be.
    """
    historical = historical_bytes(atr)
    return (historical[7:9].hex(), historical[9:].hex()) if len(historical) == 13 else None


def describe(known: Known | None) -> Text:
    """What the ledger says about a card, and what to do with it; whose it is has to be said beside it."""
    if known is None:
        return Text("台账中没有这张卡", "the ledger does not know this card")
    claim = known.claim
    if known.card_state is CardState.BEGUN and claim is not None:
        number = f"{claim.order}"
        return Text(
            f"制作中的卡（订单 {number}，{claim.state.text.zh}）；放入读卡器即可继续",
            f"it is being made (order {number}, {claim.state.text.en}): put it into a reader of a station to go on",
        )
    if known.card_state is CardState.LIVE and claim is not None and claim.state is not OrderState.SUSPENDED:
        what = claim.kind.text
        return Text(
            f"已发出的卡，待办：{what.zh}（订单 {claim.order}）；放入工位读卡器即可办理",
            f"issued, and waiting for: {what.en} (order {claim.order}); put it into a reader of a station",
        )
    return _CARDS[known.card_state] if known.card_state in _CARDS else _BLANKS[known.state]


_CARDS = {
    CardState.LIVE: Text("此卡已发出，请取出", "this card is issued already: take it out"),
    CardState.SUSPENDED: Text("此卡已暂停，请取出并交主管", "this card is suspended: take it out and ask a supervisor"),
    CardState.REPLACED: Text("此卡已换发新卡，请收回待销毁", "this card was replaced: keep it, to be destroyed"),
    CardState.CANCELLED: Text("此卡已注销，请收回待销毁", "this card is cancelled: keep it, to be destroyed"),
    CardState.LOST: Text("此卡已挂失，请收回并交主管", "this card was reported lost: keep it and ask a supervisor"),
}
_BLANKS = {
    BlankState.STOCK: Text("库存空白卡", "a blank in stock"),
    BlankState.IN_USE: Text("此卡的制作已中止，请收回待销毁", "its making was given up: keep it, to be destroyed"),
    BlankState.USED: Text("此卡已制成", "this blank is used"),
    BlankState.SPOILED: Text("废卡，请放入废卡盒待销毁", "spoiled: put it with the spoiled cards, to be destroyed"),
    BlankState.SCRAPPED: Text("台账记载此卡已销毁，请交主管", "destroyed, says the ledger: ask a supervisor"),
}
