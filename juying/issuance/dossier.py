"""What the ledger has on a person's permits, for the clerk: permits, cards, credentials, and what still waits."""

from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from juying.credential.claims import StatusReference, Tier
from juying.credential.status_list import Status
from juying.issuance.standing import Standing, load_standing
from juying.ledger import schema
from juying.ledger.people import load_permit
from juying.ledger.register import statuses_of
from juying.ledger.states import WAITING_ORDERS, CardState, CredentialState, OrderKind, OrderState, PermitState
from juying.ledger.vault import Vault
from juying.model import WorkPermit

_permits, _cards, _credentials, _orders = schema.permits, schema.cards, schema.credentials, schema.orders


@dataclass(frozen=True, slots=True)
class PermitEntry:
    """One permit; ``ended_by`` is the kind of application that ended it, empty while it is valid."""

    id: int
    state: PermitState
    permit: WorkPermit = field(repr=False)
    ended_by: str


@dataclass(frozen=True, slots=True)
class CardEntry:
    """One card; ``permit`` is the id of the permit that is on its chip, as far as the ledger knows."""

    id: int
    state: CardState
    number: str = field(repr=False)
    issued_on: date
    expires_on: date
    permit: int | None


@dataclass(frozen=True, slots=True)
class CredentialEntry:
    """One credential, and its status in the list; None when it has no place in one."""

    id: int
    permit: int
    tier: Tier
    state: CredentialState
    status: Status | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """All of one person, the oldest first."""

    standing: Standing
    permits: tuple[PermitEntry, ...]
    cards: tuple[CardEntry, ...]
    credentials: tuple[CredentialEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A change that a card still lacks; it is done when the card is inserted, not before ``due_on``."""

    order: int
    kind: OrderKind
    state: OrderState
    person: int
    card: int
    card_number: str = field(repr=False)
    since: datetime
    due_on: date | None
    note: str


def load_dossier(db: sa.Connection, vault: Vault, person: int) -> Dossier:
    """Raises `InputError` when there is no such person, or when the person was erased."""
    standing = load_standing(db, vault, person)
    return Dossier(
        standing,
        tuple(
            PermitEntry(row.id, PermitState(row.state), load_permit(db, vault, row.id), row.ended_by or "")
            for row in db.execute(_of(_permits, person))
        ),
        tuple(
            CardEntry(row.id, CardState(row.state), row.number, row.issued_on, row.expires_on, row.permit_id)
            for row in db.execute(_of(_cards, person))
        ),
        _credentials_of(db, person),
    )


def pending(db: sa.Connection) -> list[Pending]:
    """Every change that some card still lacks, the oldest first."""
    query = (
        sa.select(_orders, _cards.c.number)
        .join_from(_orders, _cards, _cards.c.id == _orders.c.card_id)
        .where(
            _orders.c.kind != OrderKind.NEW.value,
            _orders.c.state.in_([state.value for state in WAITING_ORDERS]),
        )
        .order_by(_orders.c.id)
    )
    return [
        Pending(
            order=row.id,
            kind=OrderKind(row.kind),
            state=OrderState(row.state),
            person=row.person_id,
            card=row.card_id,
            card_number=row.number,
            since=row.made_at,
            due_on=row.due_on,
            note=row.note,
        )
        for row in db.execute(query)
    ]


def _of(table: sa.Table, person: int) -> sa.Select[tuple[object, ...]]:
    return sa.select(table).where(table.c.person_id == person).order_by(table.c.id)


def _credentials_of(db: sa.Connection, person: int) -> tuple[CredentialEntry, ...]:
    rows = db.execute(_of(_credentials, person)).all()
    places = {row.id: StatusReference(row.list, row.place) for row in rows if row.list is not None}
    statuses = statuses_of(db, places.values())
    return tuple(
        CredentialEntry(
            row.id,
            row.permit_id,
            Tier[row.tier.upper()],
            CredentialState(row.state),
            statuses.get(places[row.id]) if row.id in places else None,
        )
        for row in rows
    )
