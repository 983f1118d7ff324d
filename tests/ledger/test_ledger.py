"""The ledger itself, on both databases: what a transaction changes and notes comes together or not at all, the events
form one chain whoever appends them, the database forbids what must never happen, and no error tells a value."""

import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.errors import InputError, KeyUseError, LedgerUnavailable
from juying.ledger import engine as databases
from juying.ledger import schema
from juying.ledger.ledger import Actor, Event, Ledger, canonical
from juying.ledger.states import Role
from juying.ledger.verify import events_of, verify_chain
from juying.text import Text
from tests import people
from tests.harness import PrivatePostgres
from tests.issuing import add_lot, rows

REGION = "331000"
UNCHANGED = ("events", "status_changes")
KEPT = (*UNCHANGED, "status_entries", "operators", "persons", "permits", "orders", "blanks", "cards", "credentials")


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region=REGION, clock=lambda: people.NOW) as opened:
        yield opened


def events(ledger: Ledger) -> list[Event]:
    with ledger.reading() as db:
        return list(events_of(db))


# Opening


def test_a_new_ledger_has_a_name_an_operator_and_no_events(ledger: Ledger, database: str) -> None:
    assert re.fullmatch("[0-9a-f]{32}", ledger.name)
    assert ledger.region == REGION
    [operator] = rows(ledger, schema.operators)
    assert (operator.id, operator.name, operator.active, operator.password_hash) == (1, "local", True, None)
    assert ledger.local == Actor(1, "local", frozenset(Role))
    assert events(ledger) == []
    with Ledger.open(database) as again:
        assert again.name == ledger.name, "opening it again makes nothing new"


def test_many_processes_make_the_same_ledger_at_once(database: str) -> None:
    """They all open one and the same, whoever was first."""
    program = (
        "import sys\nfrom juying.ledger.ledger import Ledger\nprint(Ledger.open(sys.argv[1], region='331000').name)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, database], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    names = {process.communicate()[0].strip() for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert len(names) == 1


@pytest.mark.parametrize("region", ["", "33", "33100a", "３３１０００", "3310000"])
def test_a_new_ledger_needs_its_city(database: str, region: str) -> None:
    with pytest.raises(InputError, match="6 digits"):
        Ledger.open(database, region=region)
    with pytest.raises(InputError, match=r"no such ledger|this is no ledger"):
        Ledger.open(database, make=False)


def test_keys_without_a_ledger_key_make_no_ledger_and_no_file(tmp_path: Path) -> None:
    class Keyless:
        title = Text("密钥库", "the key store")

        def has(self, key: object) -> bool:
            return False

    with pytest.raises(KeyUseError, match="no ledger key for city 331000"):
        Ledger.open(tmp_path / "ledger.db", Keyless(), region=REGION)
    assert list(tmp_path.iterdir()) == []


class TestPlaces:
    """Where a ledger may be, and what is said of places where there is none."""

    def test_an_sqlite_file_is_its_owners_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "ledger.db"
        with Ledger.open(path, region=REGION) as ledger:
            with ledger.transaction(ledger.local) as tx:
                tx.note("started")
            modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
        assert modes.pop("ledger.db") == 0o600
        assert set(modes.values()) <= {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_an_sqlite_file_may_be_named_by_its_address(self, tmp_path: Path) -> None:
        with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", region=REGION) as ledger:
            assert ledger.where == f"{tmp_path}/ledger.db"
        Ledger.open(tmp_path / "ledger.db", make=False).close()

    @pytest.mark.parametrize(
        ("where", "message"),
        [
            ("mysql://user:SECRET@host/x", "an SQLite file or a postgresql"),
            ("postgresql+asyncpg://user:SECRET@host/x", "an SQLite file or a postgresql"),
            ("sqlite://", "an SQLite file or a postgresql"),
            ("sqlite:///:memory:", "an SQLite file or a postgresql"),
            ("", "malformed"),
            (":memory:", "malformed"),
            ("postgresql://user:SECRET@host:port/x", "malformed"),
        ],
    )
    def test_other_addresses_are_refused(self, where: str, message: str) -> None:
        with pytest.raises(InputError, match=message) as error:
            Ledger.open(where, region=REGION)
        assert "SECRET" not in str(error.value)

    def test_a_file_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such ledger"):
            Ledger.open(tmp_path / "missing.db", make=False)
        with pytest.raises(InputError, match="cannot be made here"):
            Ledger.open(tmp_path, region=REGION)
        (tmp_path / "letter.txt").write_text("Dear office, " * 100)
        with pytest.raises(InputError, match="this is no ledger"):
            Ledger.open(tmp_path / "letter.txt", region=REGION)
        with pytest.raises(InputError, match="cannot be made"):
            Ledger.open(tmp_path / "letter.txt" / "ledger.db", region=REGION)

    def test_a_database_of_something_else_stays_as_it_is(self, database: str) -> None:
        engine = databases.make_engine(databases.database_url(database), make=True)
        with engine.begin() as db:
            db.execute(sa.text("CREATE TABLE shop (id INTEGER)"))
        with pytest.raises(InputError, match="other tables"):
            Ledger.open(database, region=REGION)
        with engine.connect() as db:
            assert sa.inspect(db).get_table_names() == ["shop"]
        engine.dispose()

    def test_a_server_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(LedgerUnavailable) as error:
            Ledger.open(f"postgresql://clerk:SECRET@/office?host={tmp_path}", region=REGION)
        assert error.value.where == "localhost/office"
        assert "SECRET" not in str(error.value)
        assert "clerk" not in str(error.value)

    def test_settings_in_the_address_come_first(self) -> None:
        url = databases.database_url("postgresql://host/x?connect_timeout=3&options=-c%20lock_timeout%3D1s")
        assert {"connect_timeout", "options"}.isdisjoint(databases._settings(url))
        assert "lock_timeout=30s" in databases._settings(databases.database_url("postgresql://host/x"))["options"]


# Transactions and events


def test_what_is_changed_and_noted_comes_together(ledger: Ledger) -> None:
    lot, orders = add_lot(ledger, 2)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.orders).values(note="aside"))
        tx.note("lot-noted", {"count": 2, "名": "样"}, lot=lot)
        tx.note("order-noted", order=orders[0], person=None)
    first, second = events(ledger)
    assert (first.number, first.kind, first.details, first.subjects) == (
        1,
        "lot-noted",
        '{"count":2,"名":"样"}',
        {"lot": lot},
    )
    assert (second.number, second.kind, second.details, second.subjects) == (
        2,
        "order-noted",
        "{}",
        {"order": orders[0]},
    )
    assert (first.at, first.operator, first.station) == (people.NOW, 1, None)
    assert second.previous == first.hash
    assert {row.note for row in rows(ledger, schema.orders)} == {"aside"}


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    add_lot(ledger, 1)

    def fail() -> None:
        with ledger.transaction(ledger.local) as tx:
            tx.db.execute(sa.update(schema.orders).values(note="aside"))
            tx.note("order-noted")
            raise RuntimeError("no paper")

    with pytest.raises(RuntimeError, match="no paper"):
        fail()
    assert events(ledger) == []
    assert [row.note for row in rows(ledger, schema.orders)] == [""]


def test_a_transaction_without_a_note_adds_no_event(ledger: Ledger) -> None:
    with ledger.transaction(ledger.local):
        pass
    assert events(ledger) == []


def test_events_name_operator_and_station(ledger: Ledger) -> None:
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.insert(schema.stations).values(id=7, name="A1", made_at=tx.now))
    with ledger.transaction(Actor(1, "local", frozenset(), station=7)) as tx:
        tx.note("started")
    assert [(event.operator, event.station) for event in events(ledger)] == [(1, 7)]


def test_a_note_of_nothing_known_is_a_mistake_of_the_program(ledger: Ledger) -> None:
    with ledger.transaction(ledger.local) as tx:
        with pytest.raises(TypeError, match="no such subjects: shop"):
            tx.note("started", shop=1)
        with pytest.raises(ValueError, match="too long"):
            tx.note("x" * 33)


def test_the_same_moment_is_stored_whatever_its_time_zone(ledger: Ledger) -> None:
    moment = datetime(2026, 12, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    assert schema.microseconds(moment) == schema.microseconds(moment.astimezone(UTC))
    with ledger.transaction(ledger.local) as tx:
        tx.now = moment
        tx.note("started")
    [event] = events(ledger)
    assert event.at == moment
    assert event.proper_hash() == event.hash


def test_equal_values_have_one_form() -> None:
    assert canonical({"b": 1, "a": [1, "安"]}) == canonical({"a": [1, "安"], "b": 1}) == '{"a":[1,"安"],"b":1}'


def test_new_ids_are_new_and_fit_rows(ledger: Ledger) -> None:
    with ledger.transaction(ledger.local) as tx:
        ids = list(tx.new_ids(schema.stations, 3))
        tx.db.execute(
            sa.insert(schema.stations), [{"id": number, "name": f"A{number}", "made_at": tx.now} for number in ids]
        )
        assert list(tx.new_ids(schema.stations, 0)) == []
        more = list(tx.new_ids(schema.stations, 2))
    assert len({*ids, *more}) == 5
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.insert(schema.stations).values(name="B", made_at=tx.now))
    assert len(rows(ledger, schema.stations)) == 4


def test_a_reading_sees_one_moment(ledger: Ledger) -> None:
    with ledger.reading() as db:
        before = db.execute(sa.select(sa.func.count()).select_from(schema.stations)).scalar()
        with ledger.transaction(ledger.local) as tx:
            tx.db.execute(sa.insert(schema.stations).values(name="A1", made_at=tx.now))
        assert db.execute(sa.select(sa.func.count()).select_from(schema.stations)).scalar() == before == 0


# Many at once


def test_threads_append_to_one_chain(ledger: Ledger) -> None:
    threads, each = 6, 8
    start = threading.Barrier(threads)

    def work(name: int) -> None:
        start.wait()
        for turn in range(each):
            with ledger.transaction(ledger.local) as tx:
                for part in range(2):
                    tx.note("worked", {"thread": name, "turn": turn, "part": part})

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    found = events(ledger)
    assert [event.number for event in found] == list(range(1, 2 * threads * each + 1))
    assert len({event.details for event in found}) == len(found), "every note is there once"
    pairs = list(zip(found[::2], found[1::2], strict=True))
    assert all(one.details[:-3] == other.details[:-3] or one.at == other.at for one, other in pairs)
    with ledger.reading() as db:
        assert verify_chain(db).whole


def test_processes_append_to_one_chain(ledger: Ledger, database: str) -> None:
    program = """
import sys
from juying.ledger.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    for turn in range(20):
        with ledger.transaction(ledger.local) as tx:
            tx.note("worked", {"process": sys.argv[2], "turn": turn})
"""
    running = [subprocess.Popen([sys.executable, "-c", program, database, str(number)]) for number in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    found = events(ledger)
    assert len({event.details for event in found}) == len(found) == 80
    with ledger.reading() as db:
        assert verify_chain(db).whole


# What the database itself forbids


def statement(table: sa.Table, verb: str) -> sa.Executable:
    if verb == "delete":
        return sa.delete(table)
    column = next(column for column in table.c if not column.primary_key)
    return sa.update(table).values({column: column})


@pytest.mark.parametrize(
    ("name", "verb"), [(name, "delete") for name in KEPT] + [(name, "update") for name in UNCHANGED]
)
def test_what_stays_stays(ledger: Ledger, name: str, verb: str) -> None:
    """Triggers forbid it, whoever asks: not only our own code."""
    fill(ledger)
    table = schema.metadata.tables[name]
    before = rows(ledger, table)
    assert before, "there is something to lose"
    with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
        tx.db.execute(statement(table, verb))
    assert rows(ledger, table) == before


def fill(ledger: Ledger) -> None:
    """A row in every table that rows stay in, with a card for a person."""
    _, [order] = add_lot(ledger, 1)
    with ledger.transaction(ledger.local) as tx:
        blank = tx.db.execute(
            sa.insert(schema.blanks)
            .values(identifier="33100000000111223344556a", state="used", profile="ssc-v3", made_at=tx.now)
            .returning(schema.blanks.c.id)
        ).scalar_one()
        person = tx.db.execute(sa.select(schema.orders.c.person_id).where(schema.orders.c.id == order)).scalar_one()
        permit = tx.db.execute(sa.select(schema.permits.c.id)).scalar_one()
        day = tx.now.date()
        card = {"person_id": person, "state": "live", "number": "JYX000010", "issued_on": day, "expires_on": day}
        tx.db.execute(sa.insert(schema.cards).values(blank_id=blank, made_at=tx.now, **card))
        tx.db.execute(sa.insert(schema.status_lists).values(number=1, capacity=8))
        entries = [{"list": 1, "place": place, "status": place, "decoy": False} for place in (0, 1)]
        tx.db.execute(sa.insert(schema.status_entries), entries)
        tx.db.execute(sa.insert(schema.status_changes).values(list=1, place=1, status=1, reason="lost", at=tx.now))
        tx.db.execute(
            sa.insert(schema.credentials).values(
                person_id=person, permit_id=permit, tier="full", state="live", list=1, place=0, made_at=tx.now
            )
        )
        tx.note("filled")


def copy_of(ledger: Ledger, table: sa.Table, **changes: object) -> sa.Insert:
    """The statement that puts in a row like the first of a table."""
    values = {**rows(ledger, table)[0]._mapping, **changes}
    if "id" not in changes:
        values.pop("id", None)
    return sa.insert(table).values(values)


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("cards", {"number": "JYX000020"}),  # the same blank
        ("blanks", {}),  # the same identifier
        ("permits", {"number_key": b"other" * 3}),  # a second valid permit of the person
        ("credentials", {"tier": "minimal"}),  # the same place in the list
        ("credentials", {"list": None, "place": None}),  # a second live one of the tier
        ("credentials", {"list": 1, "place": 5}),  # a place that nobody allotted
        ("orders", {"position": 9, "card_number": "JYX000030"}),  # a second card on its way
        ("orders", {"kind": "update", "state": "planned", "card_id": None, "position": 9}),  # an update of no card
        ("orders", {"state": "lost", "position": 9}),  # no such state
        ("status_entries", {}),
        ("lots", {}),
        ("operators", {"name": "local"}),
        ("ledger", {"id": 2}),
        ("chain", {"id": 2}),
        ("events", {"number": 1}),
    ],
)
def test_what_must_never_be_twice(ledger: Ledger, table: str, changes: dict[str, object]) -> None:
    fill(ledger)
    with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
        tx.db.execute(copy_of(ledger, schema.metadata.tables[table], **changes))


def test_a_person_has_one_live_card(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(copy_of(ledger, schema.blanks, identifier="33100000000111223344556b", id=90))
    for state in ("live", "suspended"):
        with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
            tx.db.execute(copy_of(ledger, schema.cards, blank_id=90, number="JYX000020", state=state))
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(copy_of(ledger, schema.cards, blank_id=90, number="JYX000020", state="begun"))


def test_a_card_number_is_given_once_unless_the_card_was_spoiled(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.transaction(ledger.local) as tx:
        for number in (90, 91):
            tx.db.execute(copy_of(ledger, schema.blanks, identifier=f"3310000000011122334455{number}", id=number))
        tx.db.execute(copy_of(ledger, schema.cards, blank_id=90, state="spoiled"))
    with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
        tx.db.execute(copy_of(ledger, schema.cards, blank_id=91, state="replaced"))


def test_revoked_is_for_good(ledger: Ledger) -> None:
    fill(ledger)
    entry = sa.and_(schema.status_entries.c.list == 1, schema.status_entries.c.place == 1)
    for status in (0, 2):
        with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
            tx.db.execute(sa.update(schema.status_entries).where(entry).values(status=status))


# Errors


def test_errors_name_what_was_violated_and_tell_no_value(ledger: Ledger) -> None:
    fill(ledger)
    with pytest.raises(InputError) as error, ledger.transaction(ledger.local) as tx:
        tx.db.execute(copy_of(ledger, schema.blanks))
    assert "identifier" in error.value.where
    assert "3310000000" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_a_value_that_is_too_long_is_bad_input(private_postgres: PrivatePostgres) -> None:
    with Ledger.open(private_postgres.new_database(), region=REGION) as ledger:
        with pytest.raises(InputError, match="too long") as error, ledger.transaction(ledger.local) as tx:
            tx.db.execute(sa.insert(schema.stations).values(name="MUSTER" * 20, made_at=tx.now))
        assert "MUSTER" not in str(error.value)


def test_a_lost_server_is_no_answer_and_comes_back(private_postgres: PrivatePostgres) -> None:
    """Killed in the middle of a transaction: what was not committed is gone, and the same ledger goes on."""
    with Ledger.open(private_postgres.new_database(), region=REGION) as ledger:
        with ledger.transaction(ledger.local) as tx:
            tx.note("started")

        def lose() -> None:
            with ledger.transaction(ledger.local) as tx:
                tx.note("lost")
                private_postgres.stop(kill=True)

        try:
            with pytest.raises(LedgerUnavailable, match="goes on when"):
                lose()
            with pytest.raises(LedgerUnavailable), ledger.reading() as db:
                db.execute(sa.select(schema.ledger))
        finally:
            private_postgres.start()
        with ledger.transaction(ledger.local) as tx:
            tx.note("back")
        assert [event.kind for event in events(ledger)] == ["started", "back"]


def test_a_file_that_another_program_holds_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PATIENCE", 0.0)
    with Ledger.open(tmp_path / "ledger.db", region=REGION) as ledger:
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailable, match="locked"), ledger.transaction(ledger.local) as tx:
            tx.note("never")
        other.execute("ROLLBACK")
        other.close()
        assert events(ledger) == []


def test_somebody_who_reads_while_the_file_is_begun_is_waited_for(tmp_path: Path) -> None:
    """SQLite refuses to begin a write-ahead log while somebody else is at work, and does not wait by itself."""
    path = tmp_path / "ledger.db"
    path.touch(0o600)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE juying_test (id INTEGER)")
    other.execute("BEGIN EXCLUSIVE")
    tried = threading.Event()

    def release() -> None:
        tried.wait()
        other.execute("DROP TABLE juying_test")
        other.execute("COMMIT")

    helper = threading.Thread(target=release)
    helper.start()

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            try:
                return super().execute(sql, *values)
            except sqlite3.OperationalError:
                tried.set()
                raise

    with Watched(path, timeout=0) as connection:
        databases._write_ahead(connection)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    helper.join()
    connection.close()
    other.close()


def test_it_is_not_waited_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PATIENCE", 0.0)
    path = tmp_path / "ledger.db"
    path.touch(0o600)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerUnavailable, match="locked"):
        Ledger.open(path, region=REGION)
    other.close()


def test_a_role_that_is_missing_is_named() -> None:
    clerk = Actor(3, "王芳", frozenset({Role.INTAKE}))
    clerk.require(Role.INTAKE, Role.SUPERVISOR)
    with pytest.raises(InputError, match="lacks the role \\(issuing/supervisor\\)") as error:
        clerk.require(Role.ISSUING, Role.SUPERVISOR)
    assert "制卡/主管" in str(error.value)
