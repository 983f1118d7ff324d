"""What docs/ledger.md shows is what comes, and the roles that it gives in PostgreSQL are enough, and no more."""

import re
import shlex
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.crypto.key_file import Cost, KeyFile
from juying.errors import JuyingError
from juying.ledger import orders, privacy, schema
from juying.ledger import people as stored
from juying.ledger.backup import back_up
from juying.ledger.ledger import Ledger
from juying.ledger.operators import Operators
from juying.ledger.order_records import NewOrder
from juying.ledger.register import allot_in
from juying.ledger.sessions import Sessions
from juying.ledger.states import OrderState, Role
from juying.ledger.verify import verify_chain
from tests import people
from tests.cli.conftest import Juying
from tests.cli.desk import ROOT
from tests.harness import PrivatePostgres

MANUAL = (ROOT / "docs" / "ledger.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", MANUAL, re.DOTALL)


def alike(text: str) -> str:
    """``text`` without what is different each time, and without white space."""
    for pattern in (r"\b[0-9a-f]{64}\b", r"\b[0-9a-f]{32}\b", r"\b[0-9A-F]{6}\b", r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?"):
        text = re.sub(pattern, "…", text)
    text = re.sub(r"\b\d+( events|:…| 个事件)", r"N\1", text)
    return "".join(text.split())


def test_what_the_manual_shows_is_what_comes(juying: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE", "ein langer Satz 聚英")
    monkeypatch.setitem(KeyFile.create.__kwdefaults__, "cost", Cost(n=2, r=1))
    count = 0
    for number, block in enumerate(blocks("console")):
        if number == 1:  # "below they are left out"
            monkeypatch.setenv("JUYING_LEDGER", "office.db")
            monkeypatch.setenv("JUYING_KEYS", "office.keys")
        printed = ""
        for line in block.splitlines():
            if line.startswith("$ juying "):
                ran = juying(*shlex.split(line)[2:])
                assert ran.status == 0, line
                printed = alike(ran.out + ran.err)
                count += 1
            elif not line.startswith("…"):
                assert alike(line) in printed, line
    assert count == 13


# The roles.


@pytest.fixture
def office(private_postgres: PrivatePostgres) -> str:
    """A ledger that juying_owner made, and the address of it for juying_office."""
    where = private_postgres.new_database()
    server, tables, _ = blocks("sql")
    owner = where.replace("juying@", "juying_owner@")
    with administrator(where) as db:
        for statement in statements(server):
            if statement.startswith("CREATE ROLE"):
                db.exec_driver_sql(f"DO $$ BEGIN {statement}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        name = re.search(r"/(\w+)\?", where)
        assert name is not None
        db.exec_driver_sql(f"ALTER DATABASE {name[1]} OWNER TO juying_owner")
    Ledger.open(owner, region="331000").close()
    with administrator(owner) as db:
        for statement in statements(tables):
            db.exec_driver_sql(statement)
    return where.replace("juying@", "juying_office@")


def statements(block: str) -> list[str]:
    return [statement.strip() for statement in block.split(";") if statement.strip()]


def administrator(where: str) -> sa.Connection:
    engine = sa.create_engine(where.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def test_the_role_of_the_office_does_the_work_of_the_office(office: str, tmp_path: Path) -> None:
    with Ledger.open(office, make=False) as ledger:
        operators = Operators(ledger)
        ma = operators.add(ledger.local, "ma", [Role.SUPERVISOR, Role.INTAKE, Role.ISSUING], "a long password").actor()
        ma = Sessions(ledger).actor(Sessions(ledger).login("ma", "a long password").token)
        with ledger.transaction(ma) as tx:
            (person,) = stored.add_persons(tx, [(people.holder(), None)])
            (permit,) = stored.add_permits(tx, [(person, people.permit(), None)])
            values = {"id": 1, "kind": "first", "person_id": person, "permit_id": permit, "made_at": tx.now}
            tx.db.execute(sa.insert(schema.applications).values(values))
            new = NewOrder(
                application=1, person=person, permit=permit, card_number="JYX000010", issued_on=date(2026, 12, 1)
            )
            orders.plan_orders(tx, [new])
            allot_in(tx, ["ZJ1"])
            tx.note("order-planned", order=1)
        with ledger.transaction(ma) as tx:
            claim = orders.claim(tx, "00" * 12, "ssc-v3")
            assert claim is not None
            for state in (OrderState.WRITTEN, OrderState.VERIFIED):
                orders.step(tx, claim, state)
            orders.seal(tx, claim)
        back_up(ledger, ma, tmp_path / "today.backup")
        with ledger.reading() as db:
            assert verify_chain(db).whole


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET kind = 'forged'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DROP TRIGGER events_stay ON events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DELETE FROM chain",
        "UPDATE ledger SET retention_days = 30",
        "DELETE FROM persons",
        "DELETE FROM terms",
        "DROP TABLE persons",
        "UPDATE alembic_version SET version_num = '0'",
        "CREATE TABLE mine (id integer)",
    ],
)
def test_the_role_of_the_office_does_no_more(office: str, statement: str) -> None:
    with Ledger.open(office, make=False) as ledger:
        with ledger.transaction(ledger.local) as tx:
            tx.note("started")
        with (
            pytest.raises(JuyingError, match=r"permission denied|must be owner"),
            ledger.transaction(ledger.local) as tx,
        ):
            tx.db.exec_driver_sql(statement)
        assert not privacy.purge(ledger)
        with ledger.reading() as db:
            assert verify_chain(db).events == 1


def test_the_role_of_the_office_sees_and_starts_jobs(office: str, juying: Juying) -> None:
    assert juying("jobs", "list", "--ledger", office.replace("juying_office@", "juying_owner@")).status == 0
    with administrator(office.replace("juying_office@", "juying_owner@")) as db:
        for statement in statements(blocks("sql")[2]):
            db.exec_driver_sql(statement)
    assert juying("jobs", "list", "--ledger", office).status == 0
