"""The proof of the chain, against somebody who has all rights in the database: whatever is done to events is found and
named. Records that say something else than the events, or than each other, are found as well."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from juying.card.virtual.transport import LocalTransport
from juying.errors import InputError
from juying.issuance.production import Outcome, Production
from juying.ledger import audit, order_records, orders, schema, verify
from juying.ledger.audit import audit_records
from juying.ledger.ledger import Event, Ledger, first_hash
from juying.ledger.verify import Head, Report, events_of, head_of, verify_chain
from tests import issuing, people
from tests.issuing import add_lot, blank, rows

EVENTS = 9
_events, _chain = schema.events, schema.chain


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """A ledger with a few events."""
    for number in range(EVENTS):
        with ledger.transaction(ledger.local) as tx:
            tx.note("worked", {"turn": number}, lot=number or None)
    return ledger


def tamper(ledger: Ledger, *statements: sa.Executable) -> None:
    """Change the database as somebody does who has all rights in it: without triggers and references."""
    with ledger.engine.connect() as db:
        if db.dialect.name == "sqlite":
            raw = db.connection.dbapi_connection
            raw.execute("PRAGMA foreign_keys = OFF")
            for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {name}")
        else:
            db.execute(sa.text("SET session_replication_role = replica"))
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.invalidate()  # nobody else gets this connection


def check(ledger: Ledger, head: Head | None = None) -> Report:
    with ledger.reading() as db:
        return verify_chain(db, head=head)


def findings(ledger: Ledger, head: Head | None = None) -> dict[str, str]:
    return {finding.where: finding.text.en for finding in check(ledger, head).findings}


def events(ledger: Ledger) -> list[Event]:
    with ledger.reading() as db:
        return list(events_of(db))


def number(value: int) -> sa.ColumnElement[bool]:
    return _events.c.number == value


def rewritten(ledger: Ledger, first: int, **changes: object) -> list[sa.Update]:
    """The statements of somebody who knows how: event ``first`` changed, and every hash from there on made anew."""
    statements = []
    found = [event for event in events(ledger) if event.number >= first]
    before = found[0].previous
    for event in found:
        forged = replace(event, previous=before, **(changes if event.number == first else {}))
        before = forged.proper_hash()
        values = {"details": forged.details, "previous": forged.previous, "hash": before}
        statements.append(sa.update(_events).where(number(event.number)).values(values))
    return [*statements, sa.update(_chain).values(hash=before)]


# The chain


def test_a_chain_that_nobody_touched_is_whole(told: Ledger) -> None:
    report = check(told)
    assert (report.whole, report.events, report.findings) == (True, EVENTS, ())
    assert report.head == Head(EVENTS, events(told)[-1].hash)
    with told.reading() as db:
        assert head_of(db) == report.head


def test_a_new_ledger_is_whole_and_begins_with_its_name(ledger: Ledger) -> None:
    report = check(ledger, Head(0, first_hash(ledger.name)))
    assert (report.whole, report.events, report.head) == (True, 0, Head(0, first_hash(ledger.name)))
    assert not check(ledger, Head(0, first_hash("another"))).whole


@pytest.mark.parametrize(
    "change",
    [
        {"details": '{"turn":99}'},
        {"kind": "rested"},
        {"at": people.NOW.replace(year=2020)},
        {"operator_id": 2},
        {"station_id": 5},
        {"lot_id": None},
        {"card_id": 4},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_event_is_named(told: Ledger, change: dict[str, object]) -> None:
    tamper(told, sa.update(_events).where(number(4)).values(change))
    assert list(findings(told)) == ["events/4"]
    assert "was changed" in findings(told)["events/4"]


def test_a_changed_event_with_a_hash_that_fits_breaks_the_next(told: Ledger) -> None:
    forged = replace(events(told)[3], details='{"turn":99}')
    values = {"details": forged.details, "hash": forged.proper_hash()}
    tamper(told, sa.update(_events).where(number(4)).values(values))
    assert list(findings(told)) == ["events/5"]
    assert "does not follow" in findings(told)["events/5"]


def test_the_first_event_follows_the_name_of_the_ledger(told: Ledger) -> None:
    tamper(told, sa.update(schema.ledger).values(name="0" * 32))
    assert list(findings(told)) == ["events/1"]


def test_missing_events_are_counted(told: Ledger) -> None:
    tamper(told, sa.delete(_events).where(_events.c.number.in_([3, 4, 7])))
    assert findings(told) == {
        "events/5": "events 3–4 before it are missing",
        "events/8": "events 7–7 before it are missing",
    }


def test_an_inserted_event_is_found(told: Ledger) -> None:
    """Between two others there is no number; behind the last one the head does not fit."""
    last = events(told)[-1]
    forged = replace(last, number=EVENTS + 1, previous=last.hash, subjects={})
    values = {
        "number": forged.number, "at": forged.at, "kind": forged.kind, "operator_id": 1, "details": forged.details,
        "previous": forged.previous, "hash": forged.proper_hash(),
    }  # fmt: skip
    tamper(told, sa.insert(_events).values(values))
    assert list(findings(told)) == ["chain"]


def test_swapped_events_are_found(told: Ledger) -> None:
    swap = [(3, -3), (4, 3), (-3, 4)]
    tamper(told, *(sa.update(_events).where(number(old)).values(number=new) for old, new in swap))
    assert set(findings(told)) == {"events/3", "events/4", "events/5"}


@pytest.mark.parametrize("values", [{"number": EVENTS - 1}, {"hash": b"x" * 32}])
def test_a_changed_head_is_found(told: Ledger, values: dict[str, object]) -> None:
    tamper(told, sa.update(_chain).values(values))
    assert list(findings(told)) == ["chain"]


def test_a_tail_that_was_cut_off_does_not_fit_the_head(told: Ledger) -> None:
    tamper(told, sa.delete(_events).where(_events.c.number > 6))
    assert list(findings(told)) == ["chain"]


class TestAgainstAHeadNotedEarlier:
    """Somebody who makes all hashes anew leaves nothing to see in the ledger itself."""

    def test_it_is_found_again_however_much_came_after(self, told: Ledger) -> None:
        for event in events(told):
            assert check(told, Head(event.number, event.hash)).whole

    def test_a_chain_made_anew(self, told: Ledger) -> None:
        noted = check(told).head
        tamper(told, *rewritten(told, 4, details='{"turn":99}'))
        assert check(told).whole, "nothing tells without the head"
        assert findings(told, noted)[f"events/{EVENTS}"].startswith("is not as the head noted earlier says")

    def test_a_head_from_before_the_change_does_not_tell(self, told: Ledger) -> None:
        [early] = [event for event in events(told) if event.number == 2]
        tamper(told, *rewritten(told, 4, details='{"turn":99}'))
        assert check(told, Head(early.number, early.hash)).whole

    def test_a_ledger_cut_back_with_its_head(self, told: Ledger) -> None:
        noted, [last] = check(told).head, [event for event in events(told) if event.number == 6]
        tamper(told, sa.delete(_events).where(_events.c.number > 6), sa.update(_chain).values(number=6, hash=last.hash))
        assert check(told).whole
        assert list(findings(told, noted)) == [f"events/{EVENTS}"]

    def test_an_old_copy_that_went_on(self, told: Ledger) -> None:
        """Restored from before and worked on: the numbers are there again, with other hashes."""
        noted = check(told).head
        [last] = [event for event in events(told) if event.number == 6]
        tamper(told, sa.delete(_events).where(_events.c.number > 6), sa.update(_chain).values(number=6, hash=last.hash))
        for turn in range(8):
            with told.transaction(told.local) as tx:
                tx.note("worked again", {"turn": turn})
        assert check(told).whole
        assert list(findings(told, noted)) == [f"events/{EVENTS}"]


def test_a_head_can_be_written_down(told: Ledger) -> None:
    head = check(told).head
    assert Head.parse(f" {head}\n") == head
    assert str(head) == f"{EVENTS}:{head.hash.hex()}"


@pytest.mark.parametrize(
    "text",
    ["", "7", "7:", "7:ab", ":" + "ab" * 32, "x:" + "ab" * 32, "7:" + "xy" * 32, "-1:" + "ab" * 32, "²:" + "ab" * 32],
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="number:hash"):
        Head.parse(text)


def test_events_are_read_page_by_page(told: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = events(told)
    for size in (1, 2, EVENTS - 1, EVENTS, EVENTS + 1):
        monkeypatch.setattr(verify, "_PAGE", size)
        assert events(told) == everything
    with told.reading() as db:
        assert [event.number for event in events_of(db, after=7)] == [8, 9]


def test_a_thousand_changes_are_not_all_listed(told: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MOST_FINDINGS", 3)
    tamper(told, sa.update(_events).values(kind="rested"))
    assert [finding.where for finding in check(told).findings] == ["events/1", "events/2", "events/3"]


# The records


@pytest.fixture
def office(ledger: Ledger) -> Ledger:
    """A ledger after a day: a card made, one begun, one spoiled, an order that waits, and one set aside."""
    add_lot(ledger, 4)
    bench = Production(ledger, issuing.office(), ledger.local)
    for number in range(3):
        card = blank()
        with LocalTransport(card) as transport:
            if number == 0:
                assert bench.work(transport).outcome is Outcome.SEALED
                continue
            stopped = Production(ledger, issuing.office(), ledger.local, observe=stop_at("before written"))
            with pytest.raises(Stopped):
                stopped.work(transport)
    with ledger.transaction(ledger.local) as tx:
        claim = order_records.open_orders(tx.db)[-1]
        orders.spoil(tx, claim, "torn")
    with ledger.transaction(ledger.local) as tx:
        last = tx.db.execute(sa.select(sa.func.max(schema.orders.c.id))).scalar()
        tx.db.execute(sa.update(schema.orders).where(schema.orders.c.id == last).values(state="suspended"))
        tx.note("order-suspended", order=last)
    return ledger


class Stopped(BaseException):
    """The process ends here."""


def stop_at(point: str) -> Callable[[str], None]:
    def observe(name: str) -> None:
        if name == point:
            raise Stopped

    return observe


def audited(ledger: Ledger) -> set[tuple[str, str]]:
    with ledger.reading() as db:
        return {(finding.where, finding.text.en) for finding in audit_records(db, ledger.vault)}


def id_of(ledger: Ledger, table: sa.Table, state: str) -> int:
    return rows(ledger, table, table.c.state == state)[0].id


def test_a_day_of_work_agrees(office: Ledger) -> None:
    assert {row.state for row in rows(office, schema.orders)} == {"sealed", "writing", "planned", "suspended"}
    assert {row.state for row in rows(office, schema.cards)} == {"live", "begun", "spoiled"}
    assert audited(office) == set()
    assert check(office).whole


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sealed", "planned"),
        ("sealed", "cancelled"),
        ("planned", "sealed"),
        ("planned", "cancelled"),
        ("writing", "verified"),
        ("suspended", "planned"),
    ],
)
def test_an_order_whose_events_say_otherwise(office: Ledger, before: str, after: str) -> None:
    order = id_of(office, schema.orders, before)
    tamper(office, sa.update(schema.orders).where(schema.orders.c.id == order).values(state=after))
    assert (f"orders/{order}", "its state is not what its events say") in audited(office)


def test_an_order_with_another_card_than_was_sealed(office: Ledger) -> None:
    order, card = id_of(office, schema.orders, "sealed"), id_of(office, schema.cards, "spoiled")
    tamper(office, sa.update(schema.orders).where(schema.orders.c.id == order).values(card_id=card))
    assert {text for where, text in audited(office) if where == f"orders/{order}"} == {
        "its card is not the one that was sealed for it",
        "is sealed, but its card was never made",
    }


def test_one_card_for_two_orders(office: Ledger) -> None:
    order, card = id_of(office, schema.orders, "planned"), id_of(office, schema.cards, "live")
    change = {"state": "sealed", "card_id": card}
    tamper(office, sa.update(schema.orders).where(schema.orders.c.id == order).values(change))
    assert (f"cards/{card}", "was made for two orders") in audited(office)


@pytest.mark.parametrize(("table", "title"), [("applications", "application"), ("permits", "permit")])
def test_an_order_that_mixes_persons_up(office: Ledger, table: str, title: str) -> None:
    order = rows(office, schema.orders)[0]
    column = schema.orders.c.application_id if table == "applications" else schema.orders.c.permit_id
    other = rows(office, schema.orders)[1]
    tamper(
        office, sa.update(schema.orders).where(schema.orders.c.id == order.id).values({column: other._mapping[column]})
    )
    assert (f"orders/{order.id}", f"its {title} is another person's") in audited(office)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("begun", "lost", "is issued, but no event says that it was made"),
        ("live", "spoiled", "an event says that it was made, its state does not"),
    ],
)
def test_a_card_whose_events_say_otherwise(office: Ledger, before: str, after: str, text: str) -> None:
    card = id_of(office, schema.cards, before)
    tamper(office, sa.update(schema.cards).where(schema.cards.c.id == card).values(state=after))
    assert (f"cards/{card}", text) in audited(office)


def test_a_card_moved_to_another_blank(office: Ledger) -> None:
    """The same plastic for two cards: named as what it is, twice."""
    first, second = rows(office, schema.cards)[:2]
    free = max(row.id for row in rows(office, schema.blanks)) + 1
    tamper(
        office,
        sa.update(schema.cards).where(schema.cards.c.id == first.id).values(blank_id=free),
        sa.update(schema.cards).where(schema.cards.c.id == second.id).values(blank_id=first.blank_id),
    )
    found = audited(office)
    for card in (first, second):
        assert (f"cards/{card.id}", "its blank is not the one in its events") in found


def test_a_blank_that_two_cards_claim_in_the_events(office: Ledger) -> None:
    card = rows(office, schema.cards)[0]
    with office.transaction(office.local) as tx:
        tx.note("order-claimed", order=rows(office, schema.orders)[1].id, card=card.id + 1, blank=card.blank_id)
    assert (f"blanks/{card.blank_id}", "was used for two cards") in audited(office)


@pytest.mark.parametrize("state", ["stock", "in-use", "spoiled"])
def test_a_blank_whose_card_is_issued(office: Ledger, state: str) -> None:
    blank_id = rows(office, schema.cards, schema.cards.c.state == "live")[0].blank_id
    tamper(office, sa.update(schema.blanks).where(schema.blanks.c.id == blank_id).values(state=state))
    assert (f"blanks/{blank_id}", "its card is issued, its own state says otherwise") in audited(office)


def test_a_blank_destroyed_without_an_event(office: Ledger) -> None:
    blank_id = id_of(office, schema.blanks, "spoiled")
    tamper(office, sa.update(schema.blanks).where(schema.blanks.c.id == blank_id).values(state="scrapped"))
    assert audited(office) == {(f"blanks/{blank_id}", "whether it was destroyed is not as its events say")}


def drop_index(name: str) -> sa.Executable:
    return sa.text(f"DROP INDEX {name}")


def test_two_live_cards_where_the_index_was_dropped(office: Ledger) -> None:
    person = rows(office, schema.cards, schema.cards.c.state == "live")[0].person_id
    begun = id_of(office, schema.cards, "begun")
    change = sa.update(schema.cards).where(schema.cards.c.id == begun).values(state="live", person_id=person)
    tamper(office, drop_index("uq_cards_live_person"), change)
    assert (f"persons/{person}", "has two live cards") in audited(office)


def test_two_valid_permits_where_the_index_was_dropped(office: Ledger) -> None:
    first, second = rows(office, schema.permits)[:2]
    change = sa.update(schema.permits).where(schema.permits.c.id == second.id).values(person_id=first.person_id)
    tamper(office, drop_index("uq_permits_live_person"), change)
    assert (f"persons/{first.person_id}", "has two valid permits") in audited(office)


def test_a_person_erased_without_an_event(office: Ledger) -> None:
    person = rows(office, schema.orders, schema.orders.c.state == "planned")[0].person_id
    tamper(office, sa.update(schema.persons).where(schema.persons.c.id == person).values(erased_at=people.NOW))
    assert (f"persons/{person}", "whether it was erased is not as its events say") in audited(office)


def test_credentials_and_the_status_list(office: Ledger) -> None:
    table = schema.credentials
    live = id_of(office, table, "live")
    tamper(office, sa.update(table).where(table.c.id == live).values(state="revoked"))
    assert audited(office) == {(f"credentials/{live}", "its state is not as in the status list")}


def test_a_credential_that_never_went_live(office: Ledger) -> None:
    table = schema.credentials
    signed = id_of(office, table, "signed")
    tamper(office, sa.update(table).where(table.c.id == signed).values(state="live"))
    assert audited(office) == {(f"credentials/{signed}", "is live, but no event says so")}


def test_a_deleted_record_leaves_its_events(office: Ledger) -> None:
    order = id_of(office, schema.orders, "suspended")
    tamper(office, sa.delete(schema.orders).where(schema.orders.c.id == order))
    assert audited(office) == {(f"orders/{order}", "events speak of it, but the record is gone")}


def test_a_reference_to_nothing_in_sqlite(office: Ledger) -> None:
    """PostgreSQL always keeps these."""
    order = id_of(office, schema.orders, "planned")
    tamper(office, sa.update(schema.orders).where(schema.orders.c.id == order).values(station_id=99))
    wanted = {(f"orders/{order}", "refers to a record that is not there")}
    assert audited(office) == (wanted if office.engine.dialect.name == "sqlite" else set())


@pytest.mark.parametrize("table", ["persons", "permits", "credentials"])
def test_a_sealed_value_copied_from_another_record(office: Ledger, table: str) -> None:
    stored = schema.metadata.tables[table]
    first, second = rows(office, stored)[:2]
    tamper(office, sa.update(stored).where(stored.c.id == first.id).values(sealed=second.sealed))
    [(where, text)] = audited(office)
    assert where == f"{table}/{first.id}"
    assert "was changed" in text
    with office.reading() as db:
        assert audit_records(db) == [], "without the vault nobody can tell"


def test_sealed_values_are_read_page_by_page(office: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PAGE", 1)
    monkeypatch.setattr(audit, "MOST_FINDINGS", 3)
    tamper(office, sa.update(schema.persons).values(sealed=b"x" * 40))
    found = audited(office)
    assert len(found) == 3, "no more are listed than are useful"
    assert all(where.startswith("persons/") for where, _ in found)
