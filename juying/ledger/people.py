"""Holders and permits in the ledger: stored sealed, found by keyed hashes.

The hashes find what equals what is looked for: a whole number, or whole words of a name. Upper and lower case, accents
and white space make no difference.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.bulk import insert_many
from juying.ledger.ledger import Transaction
from juying.ledger.order_records import word
from juying.ledger.states import WAITING_ORDERS, CardState, OrderKind, PermitState
from juying.ledger.vault import Vault
from juying.model import Employer, Holder, PermitCategory, Sex, WorkPermit

DOCUMENT, SSN, PERMIT, CARD, EMPLOYER, WORD = "document", "social-security", "permit-number", "card", "employer", "word"
"""The kinds of keyed hashes."""

_MOST_FOUND = 1000
_OFTEN = 100  # a word that so many have is as good as any other to begin with


def holder_record(holder: Holder) -> dict[str, Any]:
    """A holder as plain JSON values, without what is empty."""
    record = {entry.name: getattr(holder, entry.name) for entry in fields(holder)}
    record |= {"birth_date": holder.birth_date.isoformat(), "sex": holder.sex.value}
    return {name: value for name, value in record.items() if value}


def holder_of(record: dict[str, Any]) -> Holder:
    """The holder of a record."""
    values = {**record, "birth_date": date.fromisoformat(record["birth_date"]), "sex": Sex(record["sex"])}
    return Holder(**values)


def permit_record(permit: WorkPermit) -> dict[str, Any]:
    """A permit as plain JSON values."""
    return {
        "number": permit.number,
        "category": permit.category.value,
        "employer": {"name": permit.employer.name, "code": permit.employer.code},
        "position": permit.position,
        "valid_from": permit.valid_from.isoformat(),
        "valid_until": permit.valid_until.isoformat(),
        "authority": permit.authority,
        "region": permit.region,
    }


def permit_of(record: dict[str, Any]) -> WorkPermit:
    """The permit of a record."""
    days = {name: date.fromisoformat(record[name]) for name in ("valid_from", "valid_until")}
    category, employer = PermitCategory(record["category"]), Employer(**record["employer"])
    return WorkPermit(**{**record, **days, "category": category, "employer": employer})


class HolderKeys(NamedTuple):
    """What one person is recognised by: the document, and the social security number."""

    document: bytes
    number: bytes

    @classmethod
    def of(cls, vault: Vault, holder: Holder) -> "HolderKeys":
        """The keys of a holder. Raises `FieldError` when the social security number is not settled."""
        return cls(
            vault.key(DOCUMENT, holder.nationality, holder.document_number),
            vault.key(SSN, holder.social_security_number),
        )


def permit_key(vault: Vault, number: str) -> bytes:
    """What a permit is found by."""
    return vault.key(PERMIT, number.strip().upper())


def employer_key(vault: Vault, code: str) -> bytes:
    """What the permits with one employer are found by."""
    return vault.key(EMPLOYER, code)


def _folded(text: str) -> list[str]:
    """The words of a text, without accents, in capitals; a Chinese name is one word."""
    plain = unicodedata.normalize("NFKD", text).upper()
    if not plain.isascii():
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.findall(r"\w+", plain)


def _number(text: str) -> str:
    return "".join(_folded(text))


def person_terms(vault: Vault, holder: Holder) -> set[bytes]:
    """What a person is found by when searched for: the words of the names, and the numbers."""
    words = {word for name in (holder.name, holder.chinese_name, holder.card_name) for word in _folded(name)}
    numbers = {holder.document_number, holder.social_security_number, holder.residence_card_number or ""}
    words |= {_number(number) for number in numbers if number}
    return {vault.key(WORD, word) for word in words}


def number_term(vault: Vault, number: str) -> bytes:
    """What a person is found by under a permit or card number."""
    return vault.key(WORD, _number(number))


def add_persons(tx: Transaction, persons: Sequence[tuple[Holder, bytes | None]]) -> Sequence[int]:
    """Add persons, each with a photo (a JPEG that fits the card) or None; their ids."""
    ids = tx.new_ids(schema.persons, len(persons))
    rows, terms = [], []
    for number, (holder, photo) in zip(ids, persons, strict=True):
        rows.append({"id": number, "made_at": tx.now, **_person_values(tx.vault, number, holder, photo)})
        terms += [{"term": term, "person_id": number} for term in person_terms(tx.vault, holder)]
    insert_many(tx.db, sa.insert(schema.persons), rows)
    insert_many(tx.db, sa.insert(schema.terms), terms)
    return ids


def change_person(tx: Transaction, person: int, holder: Holder, photo: bytes | None) -> None:
    """Replace what is stored of a person. Terms of before stay: an old passport number still finds its owner."""
    table = schema.persons
    tx.db.execute(sa.update(table).where(table.c.id == person).values(_person_values(tx.vault, person, holder, photo)))
    add_terms(tx, ((person, term) for term in person_terms(tx.vault, holder)))


def add_terms(tx: Transaction, terms: Iterable[tuple[int, bytes]]) -> None:
    """Add terms, each with its person, that are not there yet."""
    rows = [{"person_id": person, "term": term} for person, term in set(terms)]
    insert_many(tx.db, _insert_missing(tx.db.dialect.name), rows)


def _insert_missing(dialect: str) -> sa.Insert:
    """The statement that leaves out terms that are there."""
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(schema.terms).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql  # takes long to load

    return postgresql.insert(schema.terms).on_conflict_do_nothing()


def add_permits(tx: Transaction, permits: Sequence[tuple[int, WorkPermit, int | None]]) -> Sequence[int]:
    """Add valid permits, each of a person, and the id of the permit whose place it takes or None; their ids.

    What it takes the place of must have been ended before: a person has one valid permit at most.
    """
    ids = tx.new_ids(schema.permits, len(permits))
    rows, terms = [], []
    for number, (person, permit, before) in zip(ids, permits, strict=True):
        rows.append(
            {
                "id": number,
                "person_id": person,
                "state": PermitState.VALID.value,
                "sealed": tx.vault.seal(permit_record(permit), f"permits/{number}"),
                "number_key": permit_key(tx.vault, permit.number),
                "employer_key": employer_key(tx.vault, permit.employer.code),
                "category": permit.category.value,
                "valid_from": permit.valid_from,
                "valid_until": permit.valid_until,
                "before_id": before,
                "made_at": tx.now,
            }
        )
        terms.append((person, number_term(tx.vault, permit.number)))
    insert_many(tx.db, sa.insert(schema.permits), rows)
    add_terms(tx, terms)
    return ids


_HOLDER = sa.select(schema.persons.c.sealed).where(schema.persons.c.id == sa.bindparam("number"))
_PHOTO = sa.select(schema.persons.c.photo).where(schema.persons.c.id == sa.bindparam("number"))
_PERMIT = sa.select(schema.permits.c.sealed).where(schema.permits.c.id == sa.bindparam("number"))


def load_holder(db: sa.Connection, vault: Vault, person: int) -> Holder:
    """The holder with this id. Raises `InputError` when there is none, or when the person was erased."""
    where = f"persons/{person}"
    return holder_of(vault.open_record(_sealed(db, _HOLDER, person, where), where))


def load_permit(db: sa.Connection, vault: Vault, permit: int) -> WorkPermit:
    """The permit with this id. Raises `InputError` as `load_holder` does."""
    where = f"permits/{permit}"
    return permit_of(vault.open_record(_sealed(db, _PERMIT, permit, where), where))


def load_photo(db: sa.Connection, vault: Vault, person: int) -> bytes | None:
    """The photo of a person, None without one."""
    sealed = db.execute(_PHOTO, {"number": person}).scalar()
    return None if sealed is None else vault.open_bytes(sealed, f"persons/{person}/photo")


def find_person(db: sa.Connection, vault: Vault, holder: Holder) -> int | None:
    """The id of a person: with this social security number, else with this document; None when unknown."""
    keys, table = HolderKeys.of(vault, holder), schema.persons
    for column, key in ((table.c.number_key, keys.number), (table.c.document_key, keys.document)):
        found: int | None = db.execute(sa.select(table.c.id).where(column == key)).scalar()
        if found is not None:
            return found
    return None


def find_permit(db: sa.Connection, vault: Vault, number: str) -> int | None:
    """The id of the valid permit with this number, None when there is none."""
    table = schema.permits
    query = sa.select(table.c.id).where(
        table.c.number_key == permit_key(vault, number), table.c.state == PermitState.VALID.value
    )
    found: int | None = db.execute(query).scalar()
    return found


def search(db: sa.Connection, vault: Vault, text: str, *, most: int = _MOST_FOUND) -> list[int]:
    """The ids of the persons whom all words of ``text`` fit: words of a name, or numbers; at most ``most``.

    The numbers of cards are found too, also of those that are ordered.
    """
    words = {vault.key(WORD, word) for word in _folded(text)}
    number = _number(text)  # as it was typed, perhaps with spaces or hyphens
    cards, orders = schema.cards, schema.orders
    found = {*_with_terms(db, words, most), *_with_terms(db, {vault.key(WORD, number)}, most)}
    for query in (
        sa.select(cards.c.person_id).where(cards.c.number == number, cards.c.state != word(CardState.SPOILED)),
        sa.select(orders.c.person_id).where(
            orders.c.card_number == number,
            orders.c.kind == word(OrderKind.NEW),
            orders.c.state.in_([word(state) for state in WAITING_ORDERS]),
        ),
    ):
        found |= set(db.execute(query).scalars())
    return sorted(found)[:most]


def _with_terms(db: sa.Connection, terms: set[bytes], most: int) -> Sequence[int]:
    """The first persons who have all of these terms; the rarest of them is looked through."""
    table = schema.terms

    def frequency(term: bytes) -> int:
        few = sa.select(sa.literal(1)).where(table.c.term == term).limit(_OFTEN).subquery()
        return db.execute(sa.select(sa.func.count()).select_from(few)).scalar_one()

    rarest = min(terms, key=frequency if len(terms) > 1 else None, default=b"")
    query = sa.select(table.c.person_id).where(table.c.term == rarest)
    for term in terms - {rarest}:
        other = table.alias()
        query = query.where(sa.exists().where(other.c.term == term, other.c.person_id == table.c.person_id))
    return db.execute(query.order_by(table.c.person_id).limit(most)).scalars().all()


def chunks(values: Sequence[Any], size: int = 500) -> Iterator[Sequence[Any]]:
    """``values`` in pieces small enough for the parameters of one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _person_values(vault: Vault, person: int, holder: Holder, photo: bytes | None) -> dict[str, Any]:
    keys = HolderKeys.of(vault, holder)
    return {
        "sealed": vault.seal(holder_record(holder), f"persons/{person}"),
        "photo": None if photo is None else vault.seal(photo, f"persons/{person}/photo"),
        "document_key": keys.document,
        "number_key": keys.number,
    }


def _sealed(db: sa.Connection, query: sa.Select[Any], number: int, where: str) -> bytes:
    sealed: bytes | None = db.execute(query, {"number": number}).scalar()
    if sealed is None:
        raise InputError(
            "台账中没有此记录，或已按规定删除",
            "there is no such record in the ledger, or it was erased by rule",
            where=where,
        )
    return sealed
