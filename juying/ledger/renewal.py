"""A credential that was signed anew, in place of the one in the ledger."""

from dataclasses import dataclass

import sqlalchemy as sa

from juying.credential.claims import StatusReference
from juying.errors import InputError
from juying.ledger import credentials, schema
from juying.ledger.credentials import Stored
from juying.ledger.ledger import Transaction
from juying.ledger.orders import NewOrder, plan_orders
from juying.ledger.register import confirm_in
from juying.ledger.states import LIVE_CARDS, OPEN_ORDERS, WAITING_ORDERS, CredentialState, OrderKind

_orders, _cards, _credentials = schema.orders, schema.cards, schema.credentials
_applications = schema.applications


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of a renewed credential: its id, None when the old one is not in the ledger.

    With an ``order`` the old one is on a chip and good until that order brings the new one there.
    """

    id: int | None
    order: int | None = None


def keep_renewed(tx: Transaction, old: StatusReference | None, new: StatusReference, record: bytes) -> Renewed:
    """Store ``record``, which has the place ``new`` and is to replace the credential with the place ``old``.

    The old one is revoked at once, unless it is on the chip of a card in use: then the card is to be updated first.
    Raises `InputError` while a card with it is being made.
    """
    before = None if old is None else credentials.at_place(tx.db, tx.vault, old)
    if before is None:
        confirm_in(tx, [new])
        return Renewed(None)
    waiting = _waiting_orders(tx, before.person)
    number = credentials.store(
        tx,
        person=before.person,
        permit=before.permit,
        tier=before.tier,
        record=record,
        reference=new,
        before=before.id,
    )
    card = _card_with(tx, before)
    if card is None:
        credentials.make_live(tx, number)
        return Renewed(number)
    order = waiting.get(card) or _order_update(tx, before, card)
    return Renewed(number, order)


def _waiting_orders(tx: Transaction, person: int) -> dict[int | None, int]:
    """The orders of a person that wait, by their cards; nobody begins one until the transaction ends."""
    query = sa.select(_orders.c.id, _orders.c.card_id, _orders.c.state).where(
        _orders.c.person_id == person, _orders.c.state.in_([state.value for state in WAITING_ORDERS])
    )
    rows = tx.db.execute(query.order_by(_orders.c.id).with_for_update()).all()
    if any(row.state in OPEN_ORDERS for row in rows):
        raise InputError(
            "此人的卡正在制作，凭证未换新；请制完后再换新",
            "a card of this person is being made, the credential was not renewed: renew it when that is done",
        )
    return {row.card_id: row.id for row in rows}


def _card_with(tx: Transaction, before: Stored) -> int | None:
    """The card in use on whose chip ``before`` is, or one that still counts and that ``before`` is to replace."""
    on_chip = _cards.join(_credentials, _credentials.c.id == _cards.c.credential_id)
    query = (
        sa.select(_cards.c.id)
        .select_from(on_chip)
        .where(
            _cards.c.person_id == before.person,
            _cards.c.state.in_([state.value for state in LIVE_CARDS]),
            _credentials.c.tier == before.tier.name.lower(),
            _credentials.c.state == CredentialState.LIVE.value,
        )
    )
    found: int | None = tx.db.execute(query).scalar()
    return found


def _order_update(tx: Transaction, before: Stored, card: int) -> int:
    """Have the card brought up to date when it is inserted next; the order."""
    mine = sa.select(sa.func.max(_applications.c.id)).where(_applications.c.permit_id == before.permit)
    application = tx.db.execute(mine).scalar_one()
    wanted = NewOrder(
        kind=OrderKind.UPDATE, application=application, person=before.person, permit=before.permit, card=card
    )
    (order,) = plan_orders(tx, [wanted])
    tx.note("credential-renewed", order=order, card=card, permit=before.permit, person=before.person)
    return order
