"""Cards held against the ledger: is this the card that the ledger says, and does its chip hold what it should?

A card that somebody has is read whole, and held against its order: the number and the dates of the card, the holder,
the photo, and the signed permit byte by byte. Nothing is written. What differs is named, its value never.
"""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

import sqlalchemy as sa

from juying.card.access import Access
from juying.card.contents import CARD_NUMBER, OWNER, CardContents
from juying.card.ssc import SscCard
from juying.card.transport import Transport
from juying.card.wiping import has_permit
from juying.card.writer import plan, survey
from juying.codec.permit_slots import live_slot, slot_files
from juying.errors import DecodeError, FieldError, InputError
from juying.issuance.identify import carries_somebody, describe, identify
from juying.ledger import credentials, order_records, schema
from juying.ledger.ledger import Ledger
from juying.ledger.order_records import Known
from juying.ledger.people import load_holder, load_permit, load_photo
from juying.ledger.states import LIVE_CARDS, BlankState, OrderKind, OrderState
from juying.ledger.vault import Vault
from juying.model import CardIdentity
from juying.model.numbers import check_card_number
from juying.text import Text

_cards, _orders = schema.cards, schema.orders


class Agreement(StrEnum):
    """How a card and the ledger agree."""

    AGREES = "agrees"
    """The chip holds what the ledger says."""
    WAITS = "waits"
    """Its making or a change is not finished, or it is to be destroyed: it need not agree."""
    DIFFERS = "differs"
    """It does not hold that, or it should not be with anybody."""
    UNKNOWN = "unknown"
    """The ledger has never seen it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One card held against the ledger; ``blank``, ``card`` and ``order`` are ids, None where there are none.

    ``order`` is the one that the card was made for, ``text`` says what the ledger has about it, ``differences`` name
    what differs, and ``name`` is the holder's, for the screen of the office.
    """

    agreement: Agreement
    text: Text
    blank: int | None = None
    card: int | None = None
    order: int | None = None
    differences: tuple[Text, ...] = ()
    name: str = field(default="", repr=False)


def compare_card(ledger: Ledger, transport: Transport, access: Access | None = None) -> Comparison:
    """Hold the card behind ``transport`` against the ledger.

    Raises `CardError` when the card cannot be read, `AccessRefused` for want of a key among them.
    """
    found = identify(transport, access)
    with ledger.reading() as db:
        known = order_records.known(db, found.identifier)
        if known is None:
            return Comparison(Agreement.UNKNOWN, describe(None))
        order = _order(db, known.card)
        expected = _expected(db, ledger.vault, known) if known.card_state in LIVE_CARDS else None
    told = Comparison(_agreement(found.card, known), describe(known), known.blank, known.card, order)
    if expected is None:
        return told
    differences = _differences(found.card, expected)
    if found.card.profile.name != known.profile:
        differences.insert(0, Text("卡规格", "profile of the card"))
    if differences and known.claim is None:
        told = replace(told, agreement=Agreement.DIFFERS)
    return replace(told, differences=tuple(differences), name=expected.name)


def _agreement(card: SscCard, known: Known) -> Agreement:
    """How a card and the ledger agree, as far as its state tells."""
    if known.state is BlankState.STOCK:
        return Agreement.DIFFERS if carries_somebody(card) else Agreement.AGREES
    if known.claim is not None or known.state is BlankState.SPOILED:
        return Agreement.WAITS
    return Agreement.AGREES if known.card_state in LIVE_CARDS else Agreement.DIFFERS


def cards_of_lot(db: sa.Connection, lot: int) -> dict[int, int]:
    """The finished cards of a lot that are still the ones of their holders: the order of each, by the card's id."""
    done = [OrderState.SEALED.value, OrderState.DELIVERED.value]
    query = (
        sa.select(_cards.c.id, _orders.c.id.label("order"))
        .join(_orders, _orders.c.card_id == _cards.c.id)
        .where(_orders.c.lot_id == lot, _orders.c.kind == OrderKind.NEW.value, _orders.c.state.in_(done))
        .where(_cards.c.state.in_([state.value for state in LIVE_CARDS]))
        .order_by(_orders.c.position)
    )
    return {row.id: row.order for row in db.execute(query)}


@dataclass(frozen=True, slots=True)
class _Expected:
    """What a chip should hold; ``permit`` is the signed record, None for a card without a permit.

    ``numbered`` is False when what the ledger has for a card number is none: no chip agrees with that.
    """

    contents: CardContents = field(repr=False)
    permit: bytes | None = field(repr=False)
    name: str = field(repr=False)
    numbered: bool


def _expected(db: sa.Connection, vault: Vault, known: Known) -> _Expected:
    row = db.execute(sa.select(_cards).where(_cards.c.id == known.card)).one()
    holder = load_holder(db, vault, row.person_id)
    numbered, record = _is_number(row.number), None
    if row.permit_id is not None:
        with suppress(InputError):  # erased, or never stored: then no permit may be there either
            record = credentials.get(db, vault, row.credential_id).record
    if row.permit_id is not None and numbered:
        identity = CardIdentity(number=row.number, issued_on=row.issued_on, expires_on=row.expires_on)
        permit, photo = load_permit(db, vault, row.permit_id), load_photo(db, vault, row.person_id)
        contents = CardContents.of(holder, permit, identity, photo=photo)
    else:  # of a card without a permit, only these are known to have been written by this office
        number = {CARD_NUMBER: row.number} if numbered else {}
        contents = CardContents({OWNER: holder.social_security_number, **number})
    return _Expected(contents, record, holder.registered_name, numbered)


def _is_number(number: str | None) -> bool:
    try:
        check_card_number(number)
    except FieldError:
        return False
    return True


def _differences(card: SscCard, expected: _Expected) -> list[Text]:
    """What the card should hold and does not, by its titles in the profile, each once."""
    state = survey(card, expected.contents.encode(card.profile))
    titles = [] if expected.numbered else [Text("卡号", "card number")]
    titles += [write.title for write in plan(card.profile, expected.contents, state).writes]
    if slot_files(card.profile) and _permit_on(card) != expected.permit:
        titles.append(Text("工作许可", "work permit"))
    return list(dict.fromkeys(titles))


def _permit_on(card: SscCard) -> bytes | None:
    """The signed permit on the chip; None when nothing is there, and empty when what is there is none."""
    try:
        live = live_slot(card.read_slots())
        if live is not None:
            return card.open_permit(live)
    except DecodeError:
        return b""
    return b"" if has_permit(card) else None


def _order(db: sa.Connection, card: int | None) -> int | None:
    query = sa.select(_orders.c.id).where(_orders.c.card_id == card, _orders.c.kind == OrderKind.NEW.value)
    return db.execute(query.order_by(_orders.c.id.desc()).limit(1)).scalar()
