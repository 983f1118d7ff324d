"""Everything that the ledger holds on one person, for that person.

Who worked on the records is not told: operators are numbered in the order in which they come up.
"""

import itertools
import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from juying.credential.issue import unverified_claims
from juying.credential.status_list import Status
from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Ledger, Transaction
from juying.ledger.operators import Action, allow
from juying.ledger.people import chunks

_OF_PERSON = ("permit", "application", "order", "card", "credential")
"""Records of a person that events may be about, next to the person."""


def export_person(tx: Transaction, person: int) -> dict[str, Any]:
    """Everything on one person as a JSON document; an event tells that it was taken out.

    Raises `InputError` when there is no such person.
    """
    allow(tx.actor, Action.EXPORT_PERSON)
    document = dossier(tx.db, tx.ledger, person, tx.now)
    tx.note("person-exported", person=person)
    return document


def dossier(db: sa.Connection, ledger: Ledger, person: int, now: datetime) -> dict[str, Any]:
    """What `export_person` gives."""
    vault = ledger.vault
    persons = schema.persons
    row = db.execute(sa.select(persons).where(persons.c.id == person)).one_or_none()
    if row is None:
        raise InputError("台账中没有此人", "there is no such person in the ledger", where=f"persons/{person}")
    records = {f"{name}s": _records(db, schema.metadata.tables[f"{name}s"], person) for name in _OF_PERSON}
    for permit in records["permits"]:
        sealed = permit.pop("sealed")
        permit["permit"] = None if sealed is None else vault.open_record(sealed, f"permits/{permit['id']}")
    for credential in records["credentials"]:
        credential |= _credential(db, ledger, credential)
    for card in records["cards"]:
        blanks = schema.blanks
        identifier = sa.select(blanks.c.identifier).where(blanks.c.id == card["blank_id"])
        card["identifier"] = db.execute(identifier).scalar()
    terms = sa.select(sa.func.count()).where(schema.terms.c.person_id == person)
    return {
        "ledger": ledger.name,
        "person": person,
        "exported_at": _plain(now),
        "made_at": _plain(row.made_at),
        "erased_at": _plain(row.erased_at),
        "holder": None if row.sealed is None else vault.open_record(row.sealed, f"persons/{person}"),
        "photo": None if row.photo is None else _photo(vault.open_bytes(row.photo, f"persons/{person}/photo")),
        "search_terms": db.execute(terms).scalar(),
        **{name: [_shown(record) for record in found] for name, found in records.items()},
        "enrolments": [_shown(record) for record in _records(db, schema.enrolments, person)],
        "reminders": _reminders(db, [permit["id"] for permit in records["permits"]]),
        "events": _events(db, person, {name: [entry["id"] for entry in records[f"{name}s"]] for name in _OF_PERSON}),
    }


def _records(db: sa.Connection, table: sa.Table, person: int) -> list[dict[str, Any]]:
    query = sa.select(table).where(table.c.person_id == person).order_by(*table.primary_key)
    return [dict(row._mapping) for row in db.execute(query)]


def _credential(db: sa.Connection, ledger: Ledger, credential: dict[str, Any]) -> dict[str, Any]:
    """What a credential says, and how its status changed."""
    sealed = credential.pop("sealed")
    claims = None
    if sealed is not None:
        claims = unverified_claims(ledger.vault.open_bytes(sealed, f"credentials/{credential['id']}")).to_dict()
    changes = schema.status_changes
    query = sa.select(changes.c.at, changes.c.status, changes.c.reason).where(
        changes.c.list == credential["list"], changes.c.place == credential["place"]
    )
    return {
        "claims": claims,
        "statuses": [
            {"at": _plain(row.at), "status": Status(row.status).name.lower(), "reason": row.reason}
            for row in db.execute(query.order_by(changes.c.id))
        ],
    }


def _reminders(db: sa.Connection, permits: Sequence[int]) -> list[dict[str, Any]]:
    table = schema.reminders
    query = sa.select(table).where(table.c.permit_id.in_(permits)).order_by(table.c.made_at)
    return [_shown(dict(row._mapping)) for row in db.execute(query)]


def _events(db: sa.Connection, person: int, ids: dict[str, list[int]]) -> list[dict[str, Any]]:
    events = schema.events
    rows: dict[int, Any] = {}
    for subject, numbers in {"person": [person], **ids}.items():
        for part in chunks(numbers):
            query = sa.select(events).where(events.c[f"{subject}_id"].in_(part))
            rows |= {row.number: row for row in db.execute(query)}
    number = itertools.count(1)
    masked: defaultdict[int, str] = defaultdict(lambda: f"operator {next(number)}")
    return [
        {
            "number": row.number,
            "at": _plain(row.at),
            "kind": row.kind,
            "operator": masked[row.operator_id],
            "details": json.loads(row.details),
        }
        for row in (rows[number] for number in sorted(rows))
    ]


def _photo(data: bytes) -> dict[str, str]:
    return {"type": "image/jpeg", "base64": b64encode(data).decode()}


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    """A record without the hashes, which tell nobody anything."""
    return {name: _plain(value) for name, value in record.items() if not isinstance(value, bytes)}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
