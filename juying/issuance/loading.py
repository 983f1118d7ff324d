"""Loading a permit onto a social security card that the person has already, made by another office.

The card is recognised by its identifier and number, compared with the holder, and entered in the ledger as the
person's card. What is to be written waits as an order for it, as for cards of this ledger.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from juying.card.contents import OWNER, CardContents
from juying.card.ssc import SscCard
from juying.card.writer import survey
from juying.errors import CardRefused, InputError
from juying.issuance.changes import Applied, apply_application
from juying.issuance.identify import Identified
from juying.issuance.permit_life import Kind, kind_of
from juying.issuance.standing import load_standing
from juying.ledger import schema
from juying.ledger.ledger import Transaction
from juying.ledger.orders import known
from juying.ledger.people import CARD, add_terms, number_term
from juying.ledger.states import BlankState, CardState
from juying.model import Holder, WorkPermit
from juying.model.card import years_later
from juying.model.numbers import check_card_number
from juying.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCard:
    """A card that somebody brings along: its identifier (24 hexadecimal digits), number, profile and days."""

    identifier: str = field(repr=False)
    number: str = field(repr=False)
    profile: str
    issued_on: date
    expires_on: date


def read_own_card(found: Identified, holder: Holder, *, today: date) -> OwnCard:
    """The card in the reader, if it is one of ``holder`` on which a permit can be loaded.

    Raises `CardRefused` when it is somebody else's, nobody's, or has run out; `AccessRefused` when it wants to be shown
    a key to be read.
    """
    card = found.card
    fields = ("card.number", "card.issued_on", "card.expires_on")
    number, issued_on, expires_on = map(card.value, fields)
    if not isinstance(number, str) or not isinstance(issued_on, date):
        raise CardRefused(
            "卡上没有卡号或发卡日期，不是已发出的卡；未作任何改动",
            "the card has no number or day of issue, so it was never issued; nothing was changed",
        )
    others = list(_disagreements(card, holder))
    if others:
        raise CardRefused(
            f"卡上的{'、'.join(title.zh for title in others)}与申请人不一致，未作任何改动；请核对卡片和证件",
            f"on the card other than in the application: {', '.join(title.en for title in others)}; nothing was "
            "changed: compare card and passport",
        )
    last = expires_on if isinstance(expires_on, date) else years_later(issued_on)
    if last < today:
        raise CardRefused("这张卡已过有效期，请先换卡", "this card has run out: it has to be replaced first")
    return OwnCard(
        identifier=found.identifier,
        number=check_card_number(number, "card_number"),
        profile=card.profile.name,
        issued_on=issued_on,
        expires_on=last,
    )


def _disagreements(card: SscCard, holder: Holder) -> Iterator[Text]:
    """What the card says of its holder other than ``holder`` does. It need not say all, but whose it is."""
    values = {
        OWNER: holder.social_security_number,
        "holder.registered_name": holder.registered_name,
        "holder.sex": holder.sex.value,
        "holder.birth_date": holder.birth_date,
        "holder.nationality": holder.nationality,
    }
    wanted = CardContents(values).encode(card.profile)
    state = survey(card, wanted)
    for entry in wanted.records:
        there, here = state.content(entry), entry.file.decode_records([entry.data])[0].content
        if there != here and (there is not None or entry.name == OWNER):
            yield entry.record.title


def adopt(tx: Transaction, person: int, card: OwnCard) -> int:
    """Enter a card as that of a person; its id. Harmless twice.

    Raises `InputError` when it is somebody else's in the ledger, one of our blanks, lost or replaced, and when the
    person has another card.
    """
    now = load_standing(tx.db, tx.vault, person, lock=True)
    before = known(tx.db, card.identifier)
    if before is not None and now.live_card is not None and before.card == now.live_card.id:
        return now.live_card.id
    if before is not None:
        raise InputError(
            "台账中这张卡不是此人正在使用的卡，未作任何改动；请取出核对",
            "in the ledger this card is not one that the person uses; nothing was changed: take it out and compare",
        )
    if now.live_card is not None:
        raise InputError(
            "此人已有另一张卡，未作任何改动；请使用该卡，或先挂失",
            "the person has another card; nothing was changed: use that one, or report it lost first",
            where=f"cards/{now.live_card.id}",
        )
    blank = tx.db.execute(
        sa.insert(schema.blanks)
        .values(identifier=card.identifier, state=BlankState.USED.value, profile=card.profile, made_at=tx.now)
        .returning(schema.blanks.c.id)
    ).scalar_one()
    number: int = tx.db.execute(
        sa.insert(schema.cards)
        .values(
            blank_id=blank,
            person_id=person,
            state=CardState.LIVE.value,
            number=card.number,
            number_key=tx.vault.key(CARD, card.number),
            issued_on=card.issued_on,
            expires_on=card.expires_on,
            made_at=tx.now,
        )
        .returning(schema.cards.c.id)
    ).scalar_one()
    add_terms(tx, [(person, number_term(tx.vault, card.number))])
    tx.note("card-adopted", {"profile": card.profile}, card=number, blank=blank, person=person)
    return number


def load_onto(
    tx: Transaction,
    person: int,
    card: OwnCard,
    holder: Holder | None = None,
    permit: WorkPermit | None = None,
    *,
    photo: bytes | None = None,
    kind: Kind | None = None,
) -> Applied:
    """Have the permit of a person loaded onto the person's own card, when it is inserted at a station.

    ``permit`` is a first one, for somebody who has none yet; its kind follows from it unless given. Raises `InputError`
    as `adopt` and `apply_application` do, and when the person has a permit that says something else.
    """
    adopt(tx, person, card)
    present = load_standing(tx.db, tx.vault, person).permit
    if present is None and permit is not None:
        kind = kind or kind_of(None, permit) or Kind.FIRST_ABROAD
        return apply_application(tx, kind, person, holder, permit, photo=photo)
    if permit not in (None, present):
        raise InputError(
            "台账中此人的许可与申请不同，未作任何改动；请先办理变更或延期",
            "in the ledger the permit of this person is another; nothing was changed: change or extend it first",
        )
    return apply_application(tx, Kind.LOADING, person)
