"""Credentials in the ledger: the signed records of permits, sealed, and what became of them.

A new credential is `CredentialState.SIGNED` while its card is made, and what it is to replace is still good.
`make_live` turns the one on and the other off, entries in the status lists and all, in one transaction with the card.
What `juying.ledger.register` revokes is ended here too, so state and status never differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from juying.credential.claims import StatusReference, Tier
from juying.credential.issue import Credentials
from juying.credential.register import Reason
from juying.credential.status_list import Status
from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Transaction
from juying.ledger.people import chunks, load_permit
from juying.ledger.places import put, storable
from juying.ledger.register import confirm_in, set_in
from juying.ledger.states import CredentialState, require
from juying.ledger.vault import Vault

_table = schema.credentials
_OPEN = (CredentialState.SIGNED, CredentialState.LIVE)

_CURRENT = (
    sa.select(_table)
    .where(
        _table.c.permit_id == sa.bindparam("permit"),
        _table.c.state.in_([state.value for state in _OPEN]),
        _table.c.sealed.is_not(None),
    )
    .order_by(_table.c.id)
)
_ALL_BUT_RECORDS = sa.select(*(column for column in _table.c if column.name != "sealed")).order_by(_table.c.id)
_SET_STATE = sa.update(_table).where(_table.c.id.in_(sa.bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A credential to store: whose, its record (COSE_Sign1), its place, and the id of the one that it replaces."""

    person: int
    permit: int
    tier: Tier
    record: bytes = field(repr=False)
    reference: StatusReference | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A credential in the ledger."""

    id: int
    permit: int
    person: int
    tier: Tier
    state: CredentialState
    reference: StatusReference | None
    before: int | None
    record: bytes = field(repr=False)


def store(
    tx: Transaction,
    *,
    person: int,
    permit: int,
    tier: Tier,
    record: bytes,
    reference: StatusReference | None = None,
    before: int | None = None,
) -> int:
    """Store one signed credential; its id. See `Signed` for the values."""
    signed = Signed(person=person, permit=permit, tier=tier, record=record, reference=reference, before=before)
    return store_many(tx, [signed])[0]


def store_many(tx: Transaction, credentials: Sequence[Signed]) -> Sequence[int]:
    """Store signed credentials, all or none; their ids. A place that another credential has is refused."""
    ids = tx.new_ids(_table, len(credentials))
    rows = []
    for number, signed in zip(ids, credentials, strict=True):
        place = signed.reference
        rows.append(
            {
                "id": number,
                "person_id": signed.person,
                "permit_id": signed.permit,
                "tier": signed.tier.name.lower(),
                "state": CredentialState.SIGNED.value,
                "list": place.list_number if place else None,
                "place": place.index if place else None,
                "sealed": tx.vault.seal(signed.record, _context(number)),
                "before_id": signed.before,
                "made_at": tx.now,
            }
        )
        entry = {"list": place.list_number, "place": place.index} if place else {}
        details = {"tier": signed.tier.name.lower(), **entry}
        tx.note("credential-signed", details, credential=number, permit=signed.permit, person=signed.person)
    if rows:
        put(tx, _table, rows)
    return ids


def current(db: sa.Connection, vault: Vault, permit: int) -> dict[Tier, Stored]:
    """The newest credential of each tier of a permit that is signed or live."""
    found = (_stored(vault, row) for row in db.execute(_CURRENT, {"permit": permit}))
    return {stored.tier: stored for stored in found}


def load(db: sa.Connection, vault: Vault, permit: int) -> Credentials | None:
    """The records of `current`; None unless the permit has both."""
    found = current(db, vault, permit)
    if len(found) < len(Tier):
        return None
    return Credentials(full=found[Tier.FULL].record, minimal=found[Tier.MINIMAL].record)


def get(db: sa.Connection, vault: Vault, credential: int) -> Stored:
    """The credential with this id, whatever its state. Raises `InputError` when there is none or it was erased."""
    row = db.execute(sa.select(_table).where(_table.c.id == credential)).one_or_none()
    if row is None or row.sealed is None:
        raise _missing(credential)
    return _stored(vault, row)


def at_place(db: sa.Connection, vault: Vault, reference: StatusReference) -> Stored | None:
    """The credential that has this place in a status list; None when it is not stored here or was erased."""
    row = db.execute(sa.select(_table).where(_has(reference), _table.c.sealed.is_not(None))).one_or_none()
    return None if row is None else _stored(vault, row)


def permit_numbers(
    db: sa.Connection, vault: Vault, references: Iterable[StatusReference]
) -> dict[StatusReference, str]:
    """The numbers of the permits whose credentials have these places, as far as the ledger knows them."""
    permits: dict[StatusReference, int] = {}
    for part in chunks([(one.list_number, one.index) for one in references if storable(one)]):
        query = sa.select(_table.c.list, _table.c.place, schema.permits.c.id).join_from(_table, schema.permits)
        here = sa.and_(sa.tuple_(_table.c.list, _table.c.place).in_(part), schema.permits.c.sealed.is_not(None))
        permits |= {StatusReference(*place): permit for *place, permit in db.execute(query.where(here))}
    numbers = {permit: load_permit(db, vault, permit).number for permit in set(permits.values())}
    return {reference: numbers[permit] for reference, permit in permits.items()}


def make_live(tx: Transaction, *ids: int) -> int:
    """These credentials count from now on, and those that they replace no more; how many were not live before.

    Replaced are those named by ``before``, theirs and so on, all of the same person and tier that were signed before,
    and others that were to replace the same and never did. Their entries in the status lists are revoked in the same
    transaction. Harmless twice. Raises `InputError` for a credential that was replaced or revoked itself.
    """
    rows = _rows(tx.db, _table.c.id, ids)
    if missing := set(ids) - {row.id for row in rows}:
        raise _missing(missing.pop())
    signed = [row for row in rows if _turned_on(row)]
    if not signed:
        return 0
    ended = _replaced(tx.db, signed)
    _end(tx, ended, CredentialState.SUPERSEDED, Reason.SUPERSEDED)
    references = list(filter(None, map(_reference, signed)))
    if references:
        confirm_in(tx, references)  # places that an interrupted signing left without a credential
    _set_state(tx, [row.id for row in signed], CredentialState.LIVE)
    for row in signed:
        tx.note("credential-live", credential=row.id, permit=row.permit_id, person=row.person_id)
    return len(signed)


def revoke(tx: Transaction, *permits: int, reason: Reason = Reason.PERMIT_ENDED) -> int:
    """Revoke all credentials of permits, with their entries in the status lists; how many still counted."""
    rows = _open_of(tx.db, permits)
    _end(tx, rows, CredentialState.REVOKED, reason)
    return len(rows)


def suspend(tx: Transaction, *permits: int, reason: Reason = Reason.UNDER_REVIEW) -> int:
    """Suspend all credentials of permits in the status lists, until `resume`; how many were not suspended."""
    return set_in(tx, _references(_open_of(tx.db, permits)), Status.SUSPENDED, reason)


def resume(tx: Transaction, *permits: int, reason: Reason = Reason.REVIEW_ENDED) -> int:
    """Let suspended credentials of permits count again; how many were suspended."""
    return set_in(tx, _references(_open_of(tx.db, permits)), Status.VALID, reason)


def _turned_on(row: Any) -> bool:
    """Whether a credential goes live now; False when it is live already."""
    state = CredentialState(row.state)
    if state is not CredentialState.LIVE:
        require(state, CredentialState.LIVE, where=_context(row.id))
    return state is not CredentialState.LIVE


def _replaced(db: sa.Connection, signed: Sequence[Any]) -> list[Any]:
    """The credentials that still count and do so no more when ``signed`` go live."""
    found: dict[int, Any] = {}
    before = {row.before_id for row in signed} - {None}
    if before:
        found |= {row.id: row for row in _rows(db, _table.c.before_id, before)}  # rivals
    while before:
        rows = _rows(db, _table.c.id, before)
        found |= {row.id: row for row in rows}
        before = {row.before_id for row in rows if row.before_id not in found} - {None}
    # A person has one valid permit: those of permits before it end too, however many were skipped.
    tiers = {(row.person_id, row.tier): row.id for row in signed}
    for row in _rows(db, _table.c.person_id, {row.person_id for row in signed}):
        if row.id < tiers.get((row.person_id, row.tier), 0):
            found[row.id] = row
    stay = {row.id for row in signed}
    return [row for row in found.values() if row.id not in stay and CredentialState(row.state) in _OPEN]


def _end(tx: Transaction, rows: Sequence[Any], state: CredentialState, reason: Reason) -> None:
    """End credentials: in the status lists, which ends them here, or here alone when they have no place."""
    set_in(tx, _references(rows), Status.INVALID, reason)
    _set_state(tx, [row.id for row in rows], state)
    for row in rows:
        if row.list is None:
            details = {"state": state.value, "reason": reason.value}
            tx.note("credential-ended", details, credential=row.id, permit=row.permit_id, person=row.person_id)


def _set_state(tx: Transaction, ids: Sequence[int], state: CredentialState) -> None:
    ended = None if state is CredentialState.LIVE else tx.now
    for part in chunks(ids):
        tx.db.execute(_SET_STATE, {"ids": part, "state": state.value, "ended_at": ended})


def _has(reference: StatusReference) -> sa.ColumnElement[bool]:
    """The credential that has this place."""
    if not storable(reference):
        return sa.false()
    return sa.and_(_table.c.list == reference.list_number, _table.c.place == reference.index)


def _rows(db: sa.Connection, column: sa.ColumnElement[Any], values: Iterable[int]) -> list[Any]:
    """All about credentials except their records."""
    query = _ALL_BUT_RECORDS.where(column.in_(sa.bindparam("values", expanding=True)))
    return [row for part in chunks(sorted(set(values))) for row in db.execute(query, {"values": part})]


def _open_of(db: sa.Connection, permits: Iterable[int]) -> list[Any]:
    return [row for row in _rows(db, _table.c.permit_id, permits) if CredentialState(row.state) in _OPEN]


def _reference(row: Any) -> StatusReference | None:
    return None if row.list is None else StatusReference(row.list, row.place)


def _references(rows: Sequence[Any]) -> list[StatusReference]:
    return list(filter(None, map(_reference, rows)))


def _stored(vault: Vault, row: Any) -> Stored:
    return Stored(
        id=row.id,
        permit=row.permit_id,
        person=row.person_id,
        tier=Tier[row.tier.upper()],
        state=CredentialState(row.state),
        reference=_reference(row),
        before=row.before_id,
        record=vault.open_bytes(row.sealed, _context(row.id)),
    )


def _context(credential: int) -> str:
    return f"credentials/{credential}"


def _missing(credential: int) -> InputError:
    return InputError(
        "台账中没有此凭证，或已按规定删除",
        "there is no such credential in the ledger, or it was erased by rule",
        where=_context(credential),
    )
