"""What the ledger has on file of the people of a sheet, looked up for all of them together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from juying.issuance.intake import Application
from juying.ledger import schema
from juying.ledger.ledger import canonical
from juying.ledger.order_records import word
from juying.ledger.people import CARD, HolderKeys, chunks, holder_record, permit_key, permit_record
from juying.ledger.states import (
    LIVE_CARDS,
    WAITING_ORDERS,
    CardState,
    CredentialState,
    OrderKind,
    OrderState,
    PermitState,
)
from juying.ledger.vault import Vault

NOBODY = 0
"""Owner of the card numbers of persons who were erased."""

_AT_ONCE = 2000  # values in one question

_persons, _permits, _applications = schema.persons, schema.permits, schema.applications
_orders, _cards, _credentials = schema.orders, schema.cards, schema.credentials


@dataclass(frozen=True, slots=True)
class Keys:
    """The hashes by which a row is compared with the ledger: of person and permit number, and of all that it says."""

    document: bytes = field(repr=False)
    number: bytes = field(repr=False)
    permit: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, vault: Vault, application: Application, photo: str = "") -> "Keys":
        """The keys of an application whose picture file has the hash ``photo``.

        Raises `FieldError` when the social security number is not settled.
        """
        document, number = HolderKeys.of(vault, application.holder)
        content = [
            holder_record(application.holder),
            permit_record(application.permit),
            application.card_number,
            application.issued_on and application.issued_on.isoformat(),
            application.kind,
            photo,
        ]
        digest = vault.key("row", canonical(content))
        return cls(document, number, permit_key(vault, application.permit.number), digest)


@dataclass(slots=True)
class OnFile:
    """One person: the ids of the permit in force and of the last order, the number of the card, and applications.

    The card is the one in hand, or the one that is ordered. ``digests`` tell the applications from each other, in
    their order. ``revoked``: a credential of the permit was revoked, and there is no other in its place.
    """

    person: int
    permit: int | None = None
    card_number: str = field(default="", repr=False)
    order: int | None = None
    order_state: OrderState | None = None
    revoked: bool = False
    digests: list[bytes] = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True)
class Files:
    """Persons by their keys, and whose permit and card numbers are; numbers of persons are ids."""

    by_document: Mapping[bytes, int] = field(repr=False)
    by_number: Mapping[bytes, int] = field(repr=False)
    permit_owners: Mapping[bytes, int] = field(repr=False)
    card_owners: Mapping[str, int] = field(repr=False)
    people: Mapping[int, OnFile] = field(repr=False)


def look_up(db: sa.Connection, vault: Vault, keys: Sequence[Keys], card_numbers: Sequence[str]) -> Files:
    """What is on file of the persons whom ``keys`` belong to, and of the ``card_numbers`` that are asked for."""
    documents = sa.select(_persons.c.document_key, _persons.c.id).where(_persons.c.document_key.is_not(None))
    numbers = sa.select(_persons.c.number_key, _persons.c.id).where(_persons.c.number_key.is_not(None))
    # The valid permit comes last, because it says whose the number is.
    permits = sa.select(_permits.c.number_key, _permits.c.person_id).order_by(
        _permits.c.state == PermitState.VALID.value, _permits.c.id
    )
    by_document = dict(_rows(db, documents, _persons.c.document_key, (one.document for one in keys)))
    by_number = dict(_rows(db, numbers, _persons.c.number_key, (one.number for one in keys)))
    return Files(
        by_document,
        by_number,
        dict(_rows(db, permits, _permits.c.number_key, (one.permit for one in keys))),
        _card_owners(db, vault, card_numbers),
        _people(db, {*by_document.values(), *by_number.values()}),
    )


def _card_owners(db: sa.Connection, vault: Vault, numbers: Sequence[str]) -> dict[str, int]:
    """Who has, or is about to get, cards with these numbers."""
    given = _cards.c.state != word(CardState.SPOILED)
    cards = sa.select(_cards.c.number, _cards.c.person_id).where(given)
    erased = sa.select(_cards.c.number_key).where(given, _cards.c.number.is_(None))
    orders = sa.select(_orders.c.card_number, _orders.c.person_id).where(*_WAITING_NEW)
    by_key = {vault.key(CARD, number): number for number in numbers}
    owners = {by_key[key]: NOBODY for (key,) in _rows(db, erased, _cards.c.number_key, by_key)}
    owners |= dict(_rows(db, orders, _orders.c.card_number, numbers))
    return owners | dict(_rows(db, cards, _cards.c.number, numbers))


_WAITING_NEW = (
    _orders.c.kind == word(OrderKind.NEW),
    _orders.c.state.in_([word(state) for state in WAITING_ORDERS]),
)

_others = _credentials.alias()
_REVOKED = sa.select(_credentials.c.permit_id).where(
    _credentials.c.state == word(CredentialState.REVOKED),
    ~sa.exists().where(
        _others.c.permit_id == _credentials.c.permit_id,
        _others.c.tier == _credentials.c.tier,
        _others.c.state.in_([word(CredentialState.SIGNED), word(CredentialState.LIVE)]),
    ),
)


def _people(db: sa.Connection, persons: Iterable[int]) -> dict[int, OnFile]:
    people = {person: OnFile(person) for person in sorted(persons)}
    valid = sa.select(_permits.c.person_id, _permits.c.id).where(_permits.c.state == word(PermitState.VALID))
    for person, permit in _rows(db, valid, _permits.c.person_id, people):
        people[person].permit = permit
    by_permit = {on_file.permit: on_file for on_file in people.values() if on_file.permit is not None}
    for (permit,) in _rows(db, _REVOKED, _credentials.c.permit_id, by_permit):
        by_permit[permit].revoked = True
    orders = sa.select(_orders.c.person_id, _orders.c.id, _orders.c.kind, _orders.c.state, _orders.c.card_number)
    for person, order, kind, state, number in _rows(db, orders.order_by(_orders.c.id), _orders.c.person_id, people):
        on_file = people[person]
        on_file.order, on_file.order_state = order, OrderState(state)
        if kind == OrderKind.NEW and state in WAITING_ORDERS:
            on_file.card_number = number
    in_hand = _cards.c.state.in_([word(state) for state in LIVE_CARDS])
    live = sa.select(_cards.c.person_id, _cards.c.number).where(in_hand)
    for person, number in _rows(db, live, _cards.c.person_id, people):
        people[person].card_number = people[person].card_number or number
    applications = sa.select(_applications.c.person_id, _applications.c.digest).order_by(_applications.c.id)
    for person, digest in _rows(db, applications, _applications.c.person_id, people):
        people[person].digests.append(digest)
    return people


def _rows(
    db: sa.Connection, query: sa.Select[Any], column: sa.ColumnElement[Any], values: Iterable[Any]
) -> Iterator[Any]:
    """The rows of ``query`` with one of these values in a column, a few thousand at a time."""
    for part in chunks(list(values), _AT_ONCE):
        yield from db.execute(query.where(column.in_(part)))
