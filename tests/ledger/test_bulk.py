"""Many rows at once: the same as one at a time, on both databases."""

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.bulk import insert_many
from juying.ledger.ledger import Ledger
from tests import people


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


def test_values_of_every_kind_arrive(ledger: Ledger) -> None:
    """Days, instants, bytes, texts, numbers and nothing; columns that are left out get their defaults."""
    person = {"id": 7, "sealed": b"\x00\xff", "document_key": b"d" * 16, "made_at": people.NOW}
    permits = [
        {"id": number, "person_id": 7, "state": state, "category": "A", "valid_from": date(2026, 1, 31),
         "valid_until": date(2030, 2, 28), "before_id": before, "made_at": people.NOW}
        for number, state, before in ((1, "expired", None), (2, "valid", 1))
    ]  # fmt: skip
    with ledger.transaction(ledger.local) as tx:
        insert_many(tx.db, sa.insert(schema.persons), [person])
        insert_many(tx.db, sa.insert(schema.permits), permits)
        insert_many(tx.db, sa.insert(schema.permits), [])
    with ledger.reading() as db:
        stored = db.execute(sa.select(schema.persons)).one()
        assert (bytes(stored.sealed), stored.photo, stored.made_at) == (b"\x00\xff", None, people.NOW)
        rows = db.execute(sa.select(schema.permits).order_by(schema.permits.c.id)).all()
        assert [(row.state, row.before_id) for row in rows] == [("expired", None), ("valid", 1)]
        assert (rows[0].valid_from, rows[0].valid_until, rows[0].made_at) == (
            date(2026, 1, 31), date(2030, 2, 28), people.NOW,
        )  # fmt: skip


def test_what_a_constraint_forbids_is_an_input_error_and_undoes_all(ledger: Ledger) -> None:
    terms = [{"term": bytes([number]) * 16, "person_id": 1} for number in range(3)]
    with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
        insert_many(tx.db, sa.insert(schema.terms), terms)
    with ledger.reading() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(schema.terms)).scalar() == 0
