"""What is personal is kept as long as the rule says; then it is gone, from rows and files, and the chain is whole.

A person's whole life is played: imported, card made, credential signed, permit cancelled, card ended.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.credential.claims import Claims, Tier
from juying.credential.issue import issue
from juying.crypto.key_set import KeyKind, KeySet, KeyState, StoredKey
from juying.crypto.signing import SoftwareSigner
from juying.crypto.software_keys import SoftwareKeys
from juying.errors import InputError, KeyUseError, LedgerUnavailable
from juying.ledger import credentials, orders, privacy, schema
from juying.ledger import people as stored
from juying.ledger.approvals import give
from juying.ledger.audit import audit_records
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Operators
from juying.ledger.order_records import NewOrder
from juying.ledger.person_export import export_person
from juying.ledger.register import allot_in, find
from juying.ledger.states import (
    CardState,
    OrderKind,
    OrderState,
    PermitState,
    Role,
)
from juying.ledger.verify import verify_chain
from juying.text import Text
from tests import people
from tests.harness import PrivatePostgres

DAY = timedelta(days=1)
YEARS = privacy.RETENTION + DAY


@dataclass
class Clock:
    now: datetime = people.NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Office:
    """A ledger whose time can go on, and what stands in it of each person."""

    ledger: Ledger
    clock: Clock
    sealed: list[bytes] = field(default_factory=list)

    def person(self, number: int = 1) -> int:
        """Somebody with a live card and live credentials; the id."""
        ledger, identifier = self.ledger, f"{number:024X}"
        holder = people.holder(document_number=f"P{number:07}")
        permit = people.permit(number=f"ZJ2026{number:04}")
        with ledger.transaction(ledger.local) as tx:
            (person,) = stored.add_persons(tx, [(holder, os.urandom(4000))])
            (held,) = stored.add_permits(tx, [(person, permit, None)])
            (application,) = tx.new_ids(schema.applications, 1)
            tx.db.execute(
                sa.insert(schema.applications).values(
                    id=application, kind="first", person_id=person, permit_id=held, row=2, digest=bytes(16),
                    made_at=tx.now,
                )
            )  # fmt: skip
            stored.add_terms(tx, [(person, stored.number_term(tx.vault, self.card_number(number)))])
            new = NewOrder(application=application, person=person, permit=held, card_number=self.card_number(number))
            (order,) = orders.plan_orders(tx, [new])
            tx.note("order-planned", order=order, person=person)
        with ledger.transaction(ledger.local) as tx:
            (place,) = allot_in(tx, [permit.number])
            claims = Claims.of(holder, permit, tier=Tier.FULL, issued_at=tx.now, status=place)
            record = issue(claims, SoftwareSigner.generate())
            credential = credentials.store(
                tx, person=person, permit=held, tier=Tier.FULL, record=record, reference=place
            )
            claim = orders.claim(tx, identifier, "ssc-v3", order=order)
            assert claim is not None
            for state in (OrderState.WRITTEN, OrderState.VERIFIED):
                orders.step(tx, claim, state)
            orders.seal(tx, claim, credential)
            credentials.make_live(tx, credential)
            tx.db.execute(sa.insert(schema.reminders).values(permit_id=held, kind="90-days", made_at=tx.now))
            tx.db.execute(
                sa.insert(schema.enrolments).values(
                    person_id=person, service="library", state="done", changed_at=tx.now
                )
            )
            tx.db.execute(sa.update(schema.orders).values(note="waits for her photo"))
        return person

    @staticmethod
    def card_number(number: int) -> str:
        return f"JYX{number:06}"

    def end(self, person: int, *, permit: bool = True, card: bool = True) -> None:
        """The permit is cancelled, the card taken back."""
        with self.ledger.transaction(self.ledger.local) as tx:
            if permit:
                values = {"state": PermitState.CANCELLED.value, "ended_at": tx.now, "ended_by": "cancellation"}
                tx.db.execute(sa.update(schema.permits).where(schema.permits.c.person_id == person).values(**values))
                credentials.revoke(tx, person)
            if card:
                values = {"state": CardState.CANCELLED.value, "ended_at": tx.now}
                tx.db.execute(sa.update(schema.cards).where(schema.cards.c.person_id == person).values(**values))

    def due(self) -> list[int]:
        with self.ledger.reading() as db:
            return privacy.due(db, self.clock.now)

    def erase(self, *persons: int) -> privacy.Erased:
        return privacy.erase(self.ledger, self.ledger.local, persons, rule="due")

    def rows(self, table: sa.Table, **where: int) -> list[sa.Row[tuple[object, ...]]]:
        query = sa.select(table).filter_by(**where).order_by(*table.primary_key)
        with self.ledger.reading() as db:
            return list(db.execute(query))

    def personal(self, person: int) -> list[bytes]:
        """A piece of every value that leads to a person, as it stands in the files of the database."""
        row = self.rows(schema.persons, id=person)[0]
        (permit,) = self.rows(schema.permits, person_id=person)
        (credential,) = self.rows(schema.credentials, person_id=person)
        (card,) = self.rows(schema.cards, person_id=person)
        terms = [term.term for term in self.rows(schema.terms, person_id=person)]
        sealed = [row.sealed, row.photo, permit.sealed, credential.sealed]
        keys = [row.document_key, row.number_key, permit.number_key, *terms]
        assert len(keys) == 11
        return [*(value[20:60] for value in sealed), *keys, card.number.encode(), b"waits for her photo"]


@pytest.fixture
def office(database: str) -> Iterator[Office]:
    clock = Clock()
    with Ledger.open(database, region="331000", clock=clock) as ledger:
        yield Office(ledger, clock)


# The rule.


def test_nobody_is_due_who_has_a_permit_or_a_card_or_an_order(office: Office) -> None:
    first, second, third, fourth = (office.person(number) for number in range(1, 5))
    office.end(first)
    office.end(second, permit=False)
    office.end(third)
    office.end(fourth)
    with office.ledger.transaction(office.ledger.local) as tx:
        (card,) = tx.db.execute(sa.select(schema.cards.c.id).where(schema.cards.c.person_id == third)).scalars()
        orders.plan_orders(
            tx, [NewOrder(kind=OrderKind.UPDATE, application=third, person=third, permit=third, card=card)]
        )
    office.clock.now += privacy.RETENTION - timedelta(seconds=1)
    assert office.due() == []
    office.clock.now += timedelta(seconds=1)
    assert office.due() == [first, fourth]


def test_the_time_counts_from_the_end_of_the_last_permit(office: Office) -> None:
    person = office.person()
    office.end(person)
    office.clock.now += 10 * DAY
    with office.ledger.transaction(office.ledger.local) as tx:
        later = people.permit(number="ZJ20269999")
        stored.add_permits(tx, [(person, later, person)])
        ended = {"state": PermitState.EXPIRED.value, "ended_at": tx.now, "ended_by": "expiry"}
        tx.db.execute(sa.update(schema.permits).where(schema.permits.c.before_id == person).values(**ended))
    office.clock.now += YEARS - 10 * DAY
    assert office.due() == []
    office.clock.now += 10 * DAY
    assert office.due() == [person]


def test_a_card_that_was_never_taken_back_counts_as_held_until_it_is_worn_out(office: Office) -> None:
    person = office.person()
    office.end(person, card=False)
    (card,) = office.rows(schema.cards)
    worn_out = datetime.combine(card.expires_on, people.NOW.timetz())
    office.clock.now = worn_out + privacy.RETENTION - DAY
    assert office.due() == []
    office.clock.now += DAY
    assert office.due() == [person]


def test_an_end_of_a_card_counts_like_that_of_a_permit(office: Office) -> None:
    person = office.person()
    office.end(person, card=False)
    office.clock.now += YEARS
    office.end(person, permit=False)
    assert office.due() == []
    office.clock.now += YEARS
    assert office.due() == [person]


def test_to_clear_a_card_that_never_came_back_keeps_nobody(office: Office) -> None:
    person = office.person()
    office.end(person)
    with office.ledger.transaction(office.ledger.local) as tx:
        (card,) = tx.db.execute(sa.select(schema.cards.c.id)).scalars()
        wipe = NewOrder(kind=OrderKind.WIPE, application=person, person=person, permit=None, card=card)
        (order,) = orders.plan_orders(tx, [wipe])
    office.clock.now += YEARS
    assert office.due() == [person]
    assert office.erase(person).count == 1
    assert [row.state for row in office.rows(schema.orders, id=order)] == [OrderState.CANCELLED.value]
    assert [event.order_id for event in office.rows(schema.events, kind="order-cancelled")] == [order]


def test_the_office_sets_how_long_persons_are_kept(office: Office) -> None:
    person = office.person()
    office.end(person)
    ledger = office.ledger
    with ledger.transaction(ledger.local) as tx:
        assert privacy.retention(tx.db) == privacy.RETENTION
        privacy.set_retention(tx, 60 * DAY)
        assert privacy.retention(tx.db) == 60 * DAY
    office.clock.now += 60 * DAY
    assert office.due() == [person]
    assert json.loads(office.rows(schema.events, kind="retention-set")[0].details) == {"days": 60}
    for wrong in (timedelta(), 29 * DAY, 36526 * DAY):
        with pytest.raises(InputError, match="30 to 36525"), ledger.transaction(ledger.local) as tx:
            privacy.set_retention(tx, wrong)


# Erasing.


def test_an_erased_person_has_left_no_value_behind(office: Office) -> None:
    person, other = office.person(1), office.person(2)
    office.end(person)
    office.end(other)
    kept = office.rows(schema.persons, id=other)
    office.clock.now += YEARS
    assert office.erase(person) == privacy.Erased(1, True)
    (row,) = office.rows(schema.persons, id=person)
    assert (row.sealed, row.photo, row.document_key, row.number_key) == (None, None, None, None)
    assert row.erased_at == office.clock.now
    (permit,) = office.rows(schema.permits, person_id=person)
    assert (permit.sealed, permit.number_key, permit.employer_key) == (None, None, None)
    assert [one.sealed for one in office.rows(schema.credentials, person_id=person)] == [None]
    assert [one.digest for one in office.rows(schema.applications, person_id=person)] == [None]
    assert [(one.card_number, one.note) for one in office.rows(schema.orders, person_id=person)] == [(None, "")]
    assert [one.number for one in office.rows(schema.cards, person_id=person)] == [None]
    assert office.rows(schema.terms, person_id=person) == []
    assert office.rows(schema.enrolments, person_id=person) == []
    assert office.rows(schema.reminders, permit_id=permit.id) == []
    ledger = office.ledger
    with ledger.reading() as db:
        assert find(db, ledger.vault, "ZJ20260001") == ()
        assert find(db, ledger.vault, "ZJ20260002") != ()
        assert stored.search(db, ledger.vault, "P0000001") == []
        assert stored.search(db, ledger.vault, Office.card_number(1)) == []
        assert stored.search(db, ledger.vault, "eriksson") == [other]
        with pytest.raises(InputError, match="erased by rule"):
            stored.load_holder(db, ledger.vault, person)
    assert office.rows(schema.persons, id=other) == kept


def test_the_chain_is_whole_and_the_records_agree_with_it(office: Office) -> None:
    person = office.person()
    office.end(person)
    office.clock.now += YEARS
    before = office.rows(schema.events)
    office.erase(person)
    after = office.rows(schema.events)
    assert after[: len(before)] == before, "no event was touched"
    assert [event.kind for event in after[len(before) :]] == ["acted-alone", "person-erased"]
    assert (after[-1].person_id, json.loads(after[-1].details)) == (person, {"rule": "due"})
    with office.ledger.reading() as db:
        assert verify_chain(db).whole
        assert [finding for finding in audit_records(db, office.ledger.vault) if "persons" in finding.where] == []


def test_events_hold_nothing_personal(office: Office) -> None:
    person = office.person()
    office.end(person)
    told = " ".join(f"{event.kind} {event.details}" for event in office.rows(schema.events))
    for word in ("ERIKSSON", "ANNA", "P0000001", "ZJ2026", "JYX", "椒江", "首席", "1974"):
        assert word not in told


def test_a_card_number_is_not_given_again(office: Office) -> None:
    """The number is gone, its keyed hash forbids it to others; also of cards from before there was one."""
    first, second, third = (office.person(number) for number in (1, 2, 3))
    for person in (first, second, third):
        office.end(person)
    with office.ledger.transaction(office.ledger.local) as tx:
        tx.db.execute(sa.update(schema.cards).where(schema.cards.c.person_id == second).values(number_key=None))
    office.clock.now += YEARS
    office.erase(first, second)
    assert {len(card.number_key) for card in office.rows(schema.cards)} == {16}
    for number in (1, 2):
        again = NewOrder(application=third, person=third, permit=third, card_number=Office.card_number(number))
        with office.ledger.transaction(office.ledger.local) as tx:
            valid = {"state": PermitState.VALID.value}
            tx.db.execute(sa.update(schema.permits).where(schema.permits.c.id == third).values(**valid))
            (order,) = orders.plan_orders(tx, [again])
        with pytest.raises(InputError, match="constraint"), office.ledger.transaction(office.ledger.local) as tx:
            orders.claim(tx, "AA" * 12, "ssc-v3", order=order)
        with office.ledger.transaction(office.ledger.local) as tx:
            cancelled = {"state": OrderState.CANCELLED.value}
            tx.db.execute(sa.update(schema.orders).where(schema.orders.c.id == order).values(**cancelled))


def test_erasing_again_changes_nothing(office: Office) -> None:
    person = office.person()
    office.end(person)
    office.clock.now += YEARS
    office.erase(person)
    before = office.rows(schema.events)
    office.clock.now += DAY
    assert office.due() == []
    assert office.erase(person, person) == privacy.Erased(0, True)
    assert office.rows(schema.events) == before
    assert office.erase() == privacy.Erased(0, True)


def test_nobody_is_erased_who_needs_the_ledger(office: Office) -> None:
    person = office.person()
    with pytest.raises(InputError, match="valid"):
        office.erase(person)
    office.end(person, card=False)
    with pytest.raises(InputError, match="a card of the person is live"):
        office.erase(person)
    office.end(person, permit=False)
    with office.ledger.transaction(office.ledger.local) as tx:
        renewed = NewOrder(application=person, person=person, permit=person, card_number="JYX000009")
        orders.plan_orders(tx, [renewed])
    with pytest.raises(InputError, match="not finished") as error:
        office.erase(person)
    assert error.value.where == f"persons/{person}"
    with pytest.raises(InputError, match="no such person"):
        office.erase(person, 77)
    assert office.rows(schema.persons)[0].sealed is not None


def test_erasing_takes_two(office: Office) -> None:
    person = office.person()
    office.end(person)
    operators = Operators(office.ledger)
    ma = operators.add(office.ledger.local, "ma", [Role.SUPERVISOR], "a long password").actor()
    li = operators.add(ma, "li", [Role.SUPERVISOR], "a long password").actor()
    wu = operators.add(ma, "wu", [Role.INTAKE], "a long password").actor()
    with pytest.raises(InputError, match="role"):
        privacy.erase(office.ledger, wu, [person], rule="asked")
    with pytest.raises(InputError, match="second person"):
        privacy.erase(office.ledger, ma, [person], rule="asked")
    with office.ledger.transaction(li) as tx:
        give(tx, 1)
    assert privacy.erase(office.ledger, ma, [person], rule="asked").count == 1
    erased = office.rows(schema.events, kind="person-erased")[0]
    assert (erased.operator_id, json.loads(erased.details)) == (ma.operator, {"rule": "asked"})


def test_an_approval_of_many_names_them_by_a_hash() -> None:
    assert privacy.erasure([3, 5]) == {"persons": [3, 5]}
    many = privacy.erasure(range(1, 22))
    assert many["count"] == 21
    assert many["sha256"] != privacy.erasure(range(2, 23))["sha256"]


# The files.


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_erased_values_are_gone_from_the_file(tmp_path: Path) -> None:
    clock = Clock()
    with Ledger.open(tmp_path / "ledger.db", region="331000", clock=clock) as ledger:
        office = Office(ledger, clock)
        person = office.person()
        office.end(person)
        values = office.personal(person)
        held = bytes_of(tmp_path)
        assert all(value in held for value in values)
        clock.now += YEARS
        assert office.erase(person).purged
        held = bytes_of(tmp_path)
        assert [value for value in values if value in held] == []


def test_somebody_who_reads_keeps_erased_values_in_the_file(tmp_path: Path) -> None:
    """Then we say so, and the next time does it."""
    clock = Clock()
    with Ledger.open(tmp_path / "ledger.db", region="331000", clock=clock) as ledger:
        office = Office(ledger, clock)
        person = office.person()
        office.end(person)
        clock.now += YEARS
        with Ledger.open(tmp_path / "ledger.db") as other, other.reading() as db:
            assert db.execute(sa.select(schema.persons)).all()
            with ledger.engine.connect() as db:
                raw = db.connection.dbapi_connection
                raw.execute("PRAGMA busy_timeout = 1")
            assert office.erase(person) == privacy.Erased(1, False)
        assert privacy.purge(ledger)


def test_somebody_who_writes_prevents_it(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db", region="331000") as ledger, Ledger.open(tmp_path / "ledger.db") as other:
        with ledger.engine.connect() as db:
            raw = db.connection.dbapi_connection
            raw.execute("PRAGMA busy_timeout = 1")
        with other.transaction(other.local) as tx:
            tx.note("started")
            assert not privacy.purge(ledger)
        assert privacy.purge(ledger)


def test_erased_values_are_gone_from_the_tables(private_postgres: PrivatePostgres) -> None:
    clock = Clock()
    with Ledger.open(private_postgres.new_database(), region="331000", clock=clock) as ledger:
        office = Office(ledger, clock)
        person = office.person()
        office.end(person)
        values = office.personal(person)
        folder = Path(
            private_postgres._data,
            "base",
            str(scalar(ledger, "SELECT oid FROM pg_database WHERE datname = current_database()")),
        )
        scalar(ledger, "CHECKPOINT")
        held = bytes_of(folder)
        assert all(value in held for value in values)
        clock.now += YEARS
        assert office.erase(person).purged
        scalar(ledger, "CHECKPOINT")
        held = bytes_of(folder)
        assert [value for value in values if value in held] == []


def scalar(ledger: Ledger, statement: str) -> object:
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        result = db.exec_driver_sql(statement)
        return result.scalar() if result.returns_rows else None


def test_tables_of_another_role_are_not_purged(private_postgres: PrivatePostgres) -> None:
    """PostgreSQL only warns when a role may not rewrite a table."""
    where = private_postgres.new_database()
    with Ledger.open(where, region="331000") as ledger:
        scalar(ledger, "DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        scalar(ledger, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk")
    with Ledger.open(where.replace("juying@", "clerk@")) as ledger:
        assert not privacy.purge(ledger)


def test_a_table_that_somebody_holds_is_not_waited_for_without_end(
    private_postgres: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy.databases, "PATIENCE", 1)
    where = private_postgres.new_database()
    with Ledger.open(where, region="331000") as ledger, Ledger.open(where) as other:
        with other.transaction(other.local) as tx:
            stored.add_persons(tx, [(people.holder(), None)])
            assert not privacy.purge(ledger)
        assert privacy.purge(ledger)


@pytest.mark.parametrize("before", [0, 1])
def test_a_database_that_is_gone_is_told(
    before: int, private_postgres: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, or while it is at work."""

    def tables() -> Iterator[str]:
        yield "persons"
        private_postgres.stop(kill=True)
        yield "terms"

    monkeypatch.setattr(privacy, "_REWRITTEN", tables())
    with Ledger.open(private_postgres.new_database(), region="331000") as ledger:
        if before == 0:
            private_postgres.stop(kill=True)
        try:
            with pytest.raises(LedgerUnavailable):
                privacy.purge(ledger)
        finally:
            private_postgres.start()


# The key.


def store(*states: KeyState) -> KeySet:
    """A LEDGER key, and the versions after it."""
    keys = KeySet([StoredKey.generate("LEDGER", KeyKind.SM4, city="331000")])
    for _ in states:
        keys.rotate(keys.find("LEDGER"))
    return keys


def held(keys: KeySet) -> SoftwareKeys:
    return SoftwareKeys(keys, Text("测试密钥", "keys of the tests"))


def test_after_a_rotation_the_data_key_is_sealed_anew(database: str) -> None:
    keys = store()
    with Ledger.open(database, held(keys), region="331000") as ledger:
        with ledger.transaction(ledger.local) as tx:
            stored.add_persons(tx, [(people.holder(), None)])
        assert not privacy.rekey(ledger, ledger.local, held(keys))
    keys.rotate(keys.find("LEDGER"))
    with Ledger.open(database, held(keys)) as ledger:  # stations go on meanwhile
        assert not privacy.is_under_current_key(ledger, held(keys))
        assert privacy.rekey(ledger, ledger.local, held(keys))
        assert privacy.is_under_current_key(ledger, held(keys))
    keys.drop_previous(keys.find("LEDGER"))
    with Ledger.open(database, held(keys)) as ledger, ledger.reading() as db:
        assert stored.load_holder(db, ledger.vault, 1) == people.holder()
        kinds = list(db.execute(sa.select(schema.events.c.kind).order_by(schema.events.c.number)).scalars())
        assert kinds == ["acted-alone", "rekeyed"]
        assert keys.find("LEDGER").check_value.hex() in str(db.execute(sa.select(schema.events)).all()[-1].details)


def test_without_the_version_from_before_nothing_opens(database: str) -> None:
    keys = store()
    with Ledger.open(database, held(keys), region="331000") as ledger:
        keys.rotate(keys.find("LEDGER"))
        keys.drop_previous(keys.find("LEDGER"))
        with pytest.raises(KeyUseError, match="does not open"):
            privacy.rekey(ledger, ledger.local, held(keys))
    with pytest.raises(KeyUseError, match="does not open"):
        Ledger.open(database, held(keys))


def test_sealing_anew_takes_two(database: str) -> None:
    keys = store()
    with Ledger.open(database, held(keys), region="331000") as ledger:
        operators = Operators(ledger)
        ma = operators.add(ledger.local, "ma", [Role.SUPERVISOR], "a long password").actor()
        li = operators.add(ma, "li", [Role.SUPERVISOR], "another long one").actor()
        keys.rotate(keys.find("LEDGER"))
        with pytest.raises(InputError, match="second person"):
            privacy.rekey(ledger, ma, held(keys))
        with ledger.transaction(li) as tx:
            give(tx, 1)
        assert privacy.rekey(ledger, ma, held(keys))


# All on one person.


def test_everything_on_a_person_is_exported(office: Office) -> None:
    person = office.person(1)
    office.person(2)
    office.end(person)
    ledger = office.ledger
    with ledger.transaction(ledger.local) as tx:
        document = export_person(tx, person)
    assert json.loads(json.dumps(document)) == document
    assert document["holder"]["document_number"] == "P0000001"
    assert document["photo"]["type"] == "image/jpeg"
    assert document["search_terms"] == 8
    (permit,) = document["permits"]
    assert (permit["state"], permit["permit"]["number"]) == ("cancelled", "ZJ20260001")
    assert document["applications"][0]["kind"] == "first"
    assert document["orders"][0]["note"] == "waits for her photo"
    (card,) = document["cards"]
    assert (card["number"], card["identifier"], card["state"]) == (Office.card_number(1), f"{1:024X}", "cancelled")
    (credential,) = document["credentials"]
    assert (credential["claims"]["permit_number"], credential["claims"]["name"]) == (
        "ZJ20260001",
        "ERIKSSON ANNA MARIA",
    )
    assert [change["status"] for change in credential["statuses"]] == ["valid", "invalid"]
    assert [entry["service"] for entry in document["enrolments"]] == ["library"]
    assert [entry["kind"] for entry in document["reminders"]] == ["90-days"]
    kinds = [event["kind"] for event in document["events"]]
    assert {"order-planned", "order-claimed", "order-sealed", "credential-live"} <= set(kinds)
    assert "P0000002" not in json.dumps(document)
    assert [event.person_id for event in office.rows(schema.events, kind="person-exported")] == [person]


def test_operators_are_not_named_in_an_export(office: Office) -> None:
    person = office.person()
    ledger = office.ledger
    clerk = Actor(1, "local", frozenset(Role))
    ma = Operators(ledger).add(clerk, "ma", [Role.SUPERVISOR], "a long password").actor()
    with ledger.transaction(ma) as tx:
        tx.note("looked-at", person=person)
    with ledger.transaction(ma) as tx:
        document = export_person(tx, person)
    assert {event["operator"] for event in document["events"]} == {"operator 1", "operator 2"}
    assert '"ma"' not in json.dumps(document)


def test_of_an_erased_person_there_is_little_to_export(office: Office) -> None:
    person = office.person()
    office.end(person)
    office.erase(person)
    with office.ledger.transaction(office.ledger.local) as tx:
        document = export_person(tx, person)
    assert (document["holder"], document["photo"], document["search_terms"]) == (None, None, 0)
    assert document["erased_at"] == office.clock.now.isoformat()
    assert document["permits"][0]["permit"] is None
    assert document["credentials"][0]["claims"] is None
    assert document["cards"][0]["number"] is None
    text = json.dumps(document)
    for word in ("ERIKSSON", "P0000001", "ZJ2026", "JYX"):
        assert word not in text


def test_exports_are_for_those_who_may(office: Office) -> None:
    person = office.person()
    clerk = Actor(1, "local", frozenset({Role.ISSUING}))
    with pytest.raises(InputError, match="role"), office.ledger.transaction(clerk) as tx:
        export_person(tx, person)
    with pytest.raises(InputError, match="no such person"), office.ledger.transaction(office.ledger.local) as tx:
        export_person(tx, 77)
