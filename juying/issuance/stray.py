"""Cards that stopped half way, and cards found in a drawer: what they are, and how they end."""

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from juying.credential.register import Reason
from juying.errors import InputError
from juying.issuance.identify import describe
from juying.ledger import credentials, orders, schema
from juying.ledger.ledger import Actor, Ledger, Transaction
from juying.ledger.operators import Action, allow
from juying.ledger.orders import Claim, Known
from juying.ledger.people import load_holder
from juying.ledger.states import OrderKind, Role
from juying.text import Text


@dataclass(frozen=True, slots=True)
class OpenCard:
    """A card that is under way: its order, whose it is, and at which station it was seen last."""

    claim: Claim
    name: str = field(repr=False)
    station: str

    @property
    def ending(self) -> str:
        """The end of the card identifier, as far as it is printed on cards and boxes."""
        return self.claim.identifier[-8:].upper()

    @property
    def since(self) -> datetime | None:
        """When it was taken up."""
        return self.claim.begun_at


@dataclass(frozen=True, slots=True)
class Stray:
    """What the ledger knows of a card that somebody found."""

    known: Known | None
    text: Text
    name: str = field(default="", repr=False)


def open_cards(ledger: Ledger, *, lot: int | None = None) -> list[OpenCard]:
    """The cards that were begun and are not done."""
    with ledger.reading() as db:
        stations = {row.id: row.name for row in db.execute(sa.select(schema.stations.c.id, schema.stations.c.name))}
        return [
            OpenCard(claim, _name(ledger, db, claim.person), stations.get(claim.station, ""))
            for claim in orders.open_orders(db, lot=lot)
        ]


def find(ledger: Ledger, identifier: str) -> Stray:
    """What the ledger knows of the card with this identifier (24 hexadecimal digits)."""
    with ledger.reading() as db:
        known = orders.known(db, identifier)
        name = "" if known is None or known.person is None else _name(ledger, db, known.person)
    return Stray(known, describe(known), name)


def set_aside(ledger: Ledger, actor: Actor, order: int) -> Claim:
    """The card of an order lies here and is dead: it is spoiled, and the order waits for another one."""
    allow(actor, Action.STATION)
    with ledger.transaction(actor) as tx:
        claim = orders.find_open(tx.db, order)
        orders.spoil(tx, claim, "操作员作废 / set aside by the operator")
    return claim


def release(ledger: Ledger, actor: Actor, order: int) -> Claim:
    """The card of an order is nowhere to be found: the order waits for another one.

    A card on which a permit may stand takes a supervisor, and the credentials of that permit are revoked: its next card
    has others. Raises `InputError` otherwise.
    """
    allow(actor, Action.STATION)
    with ledger.transaction(actor) as tx:
        claim = orders.find_open(tx.db, order)
        at_large = claim.permit if claim.kind is OrderKind.NEW and _may_carry_permit(tx, claim) else None
        if at_large is not None:
            actor.require(Role.SUPERVISOR)
        orders.spoil(tx, claim, "卡片遗失 / the card is lost", kind="order-released")
        if at_large is not None:
            credentials.revoke(tx, at_large, reason=Reason.LOST)
    return claim


def _may_carry_permit(tx: Transaction, claim: Claim) -> bool:
    """Whether credentials were signed, which is before anything is written."""
    return claim.permit is not None and bool(credentials.current(tx.db, tx.vault, claim.permit))


def _name(ledger: Ledger, db: sa.Connection, person: int) -> str:
    """The name on the card of a person, empty for one who was erased."""
    try:
        return load_holder(db, ledger.vault, person).registered_name
    except InputError:
        return ""


def lot_named(ledger: Ledger, name: str) -> int:
    """The id of the lot with this name. Raises `InputError`."""
    table = schema.lots
    with ledger.reading() as db:
        found: int | None = db.execute(sa.select(table.c.id).where(table.c.name == name)).scalar()
    if found is None:
        raise InputError("台账中没有这个批次", "the ledger has no lot of this name", where=name)
    return found
