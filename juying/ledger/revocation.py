"""Revoking, suspending and resuming credentials by operators: who may, and when a second person has to agree."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from juying.credential.claims import StatusReference
from juying.credential.register import Reason
from juying.credential.status_list import Status
from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.approvals import BULK, second_person, use
from juying.ledger.ledger import Actor, Ledger, canonical
from juying.ledger.operators import Action, allow
from juying.ledger.people import employer_key
from juying.ledger.register import set_in, subjects_of
from juying.ledger.vault import Vault

_credentials, _permits, _orders, _lots = schema.credentials, schema.permits, schema.orders, schema.lots


def change_statuses(
    ledger: Ledger,
    actor: Actor,
    references: Collection[StatusReference],
    status: Status,
    reason: Reason = Reason.UNSPECIFIED,
    *,
    about: Mapping[str, Any] | None = None,
) -> int:
    """Change the statuses of credentials, all or none; how many had another one.

    Revoking those of more than `BULK` permits needs a second person where there is one: the first call asks and raises
    `InputError` with the number to approve, the same call afterwards revokes. ``about`` tells the second person what
    it is about, such as ``{"lot": 7}``, without personal data. Raises `InputError` when the operator may not, and as
    `set_in` does.
    """
    allow(actor, Action.REVOKE)
    subject = _bulk(ledger, references, reason, about or {}) if status is Status.INVALID else None
    if subject is None:
        with ledger.transaction(actor) as tx:
            return set_in(tx, references, status, reason)
    number = second_person(ledger, actor, Action.BULK_REVOKE, subject)
    with ledger.transaction(actor) as tx:
        use(tx, number, Action.BULK_REVOKE, subject)
        return set_in(tx, references, status, reason)


def of_employer(db: sa.Connection, vault: Vault, code: str) -> Sequence[StatusReference]:
    """The places of the credentials of all permits with one employer, given by its credit code."""
    mine = sa.select(_permits.c.id).where(_permits.c.employer_key == employer_key(vault, code.strip().upper()))
    return _places(db, mine)


def of_lot(db: sa.Connection, lot: int) -> Sequence[StatusReference]:
    """The places of the credentials of all permits that a lot brought onto cards."""
    return _places(db, sa.select(_orders.c.permit_id).where(_orders.c.lot_id == lot))


def lot_called(db: sa.Connection, name: str) -> int:
    """The id of the lot with this name. Raises `InputError` when there is none."""
    found: int | None = db.execute(sa.select(_lots.c.id).where(_lots.c.name == name)).scalar()
    if found is None:
        raise InputError("没有这个批次，请核对名称", "there is no lot of this name: check it", where="--lot")
    return found


def _places(db: sa.Connection, permits: sa.Select[Any]) -> Sequence[StatusReference]:
    columns = _credentials.c.list, _credentials.c.place
    here = sa.and_(_credentials.c.permit_id.in_(permits), _credentials.c.list.is_not(None))
    return [StatusReference(*row) for row in db.execute(sa.select(*columns).where(here).order_by(_credentials.c.id))]


def _bulk(
    ledger: Ledger, references: Collection[StatusReference], reason: Reason, about: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What a second person has to approve, exactly; None when these are few."""
    with ledger.reading() as db:
        keys = subjects_of(db, references)
    permits = len(set(keys.values()) - {None}) + sum(key is None for key in keys.values())
    if permits <= BULK:
        return None
    places = sorted([reference.list_number, reference.index] for reference in set(references))
    digest = hashlib.sha256(canonical(places).encode()).hexdigest()
    return {**about, "permits": permits, "credentials": len(places), "reason": reason.value, "digest": digest}
