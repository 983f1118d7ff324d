"""The transit application as part of what a card shows, whatever else is on the chip."""

from juying.card.channel import Channel
from juying.card.transport import Transport
from juying.card.tunion import TransitCard, read_selected, read_transit
from juying.errors import CardRefused


def transit_of(channel: Channel, *, incomplete: bool = False) -> TransitCard | None:
    """The transit application with all its trips, or None when the card has none, or none that still works.

    With ``incomplete``, for traces, it is also looked for without a SELECT. Another application is selected afterwards
    than before. Raises `TransportError`.
    """
    try:
        return read_transit(channel, trips=True)
    except CardRefused:
        return read_selected(channel) if incomplete else None


def transit_document(transport: Transport, card: TransitCard) -> dict[str, object]:
    """The JSON document of a card that has nothing but a transit application."""
    return {
        "card": {"profile": "tunion", "atr": transport.atr.hex().upper()},
        "holder": {},
        "permit": {"signature": "absent"},
        **with_transit_part({"problems": []}, card),
    }


def with_transit_part(document: dict[str, object], card: TransitCard | None) -> dict[str, object]:
    """``document`` of a card with what its transit application says, if it has one."""
    if card is None:
        return document
    problems = document["problems"]
    told = [{"where": problem.where, **problem.text._asdict()} for problem in card.problems]
    return {
        **document,
        "transit": card.to_dict(),
        "problems": [*problems, *told] if isinstance(problems, list) else told,
    }
