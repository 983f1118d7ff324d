"""The migrations make the tables of the schema, and bring older ledgers to a newer revision or leave them alone."""

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from juying.errors import InputError, LedgerUnavailable
from juying.ledger import migrations, schema
from juying.ledger import people as stored
from juying.ledger.ledger import Ledger
from tests import people

LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "{head}"

def upgrade():
    op.add_column("stations", sa.Column("place", sa.String(40), server_default="desk"))
    {more}
"""


def made(database: str) -> None:
    opened = Ledger.open(database, region="331000", clock=lambda: people.NOW)
    with opened as ledger, ledger.transaction(ledger.local) as tx:
        stored.add_persons(tx, [(people.holder(), None)])
        tx.note("started")


def later(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> None:
    """The program with a revision more."""
    versions = folder / "later"
    versions.mkdir()
    (versions / "9999_later.py").write_text(LATER.format(head=schema.REVISION, more=more))
    shipped = migrations.configuration

    def configuration() -> Config:
        config = shipped()
        config.set_main_option("path_separator", "newline")
        own = Path(migrations.__file__).parent / "versions"
        config.set_main_option("version_locations", f"{own}\n{versions}")
        return config

    monkeypatch.setattr(migrations, "configuration", configuration)
    monkeypatch.setattr(schema, "REVISION", "9999")


def revision(database: str, to: str | None = None) -> str | None:
    """The revision that the ledger says it has; ``to`` makes it say another."""
    engine = sa.create_engine(database.replace("postgresql:", "postgresql+psycopg:") if "://" in database
                              else f"sqlite:///{database}")  # fmt: skip
    with engine.begin() as db:
        if to is not None:
            db.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{to}'")
        found = MigrationContext.configure(db).get_current_revision()
    engine.dispose()
    return found


def constraints(db: sa.Connection) -> set[tuple[str, str | None]]:
    """The checks and indexes of all tables, by name."""
    look = sa.inspect(db)
    return {
        (table, entry["name"])
        for table in schema.metadata.tables
        for entry in [*look.get_check_constraints(table), *look.get_indexes(table)]
        if not entry.get("duplicates_constraint")
    }


def test_the_migrations_make_exactly_the_tables_of_the_schema(database: str) -> None:
    made(database)
    with Ledger.open(database) as ledger, ledger.reading() as db:
        assert compare_metadata(MigrationContext.configure(db), schema.metadata) == []
        migrated = constraints(db)
    engine = sa.create_engine("sqlite://")
    with engine.begin() as db:
        schema.metadata.create_all(db)
        assert migrated == constraints(db)
    engine.dispose()


def test_the_newest_ledger_is_left_alone(database: str, tmp_path: Path) -> None:
    made(database)
    before = sorted(tmp_path.iterdir())
    assert migrations.upgrade_database(database) == migrations.Upgraded(schema.REVISION, schema.REVISION)
    assert sorted(tmp_path.iterdir()) == before


def test_an_older_ledger_is_refused_until_it_is_upgraded(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(database)
    older = schema.REVISION
    later(tmp_path, monkeypatch)
    with pytest.raises(InputError, match="juying ledger upgrade"):
        Ledger.open(database)
    done = migrations.upgrade_database(database)
    assert (done.before, done.after) == (older, "9999")
    with Ledger.open(database) as ledger, ledger.transaction(ledger.local) as tx:
        assert stored.load_holder(tx.db, tx.vault, 1) == people.holder()
        tx.db.execute(sa.insert(schema.stations).values(name="one", made_at=people.NOW))
        assert tx.db.execute(sa.text("SELECT place FROM stations")).scalar() == "desk"


def test_an_sqlite_file_is_copied_before_it_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "ledger.db"
    made(str(where))
    older = schema.REVISION
    with monkeypatch.context() as patch:
        later(tmp_path, patch)
        copy = migrations.upgrade_database(where).copy
    assert copy is not None
    assert copy.name.startswith(f"ledger.db.{older}-")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with Ledger.open(copy) as ledger, ledger.reading() as db:
        assert stored.load_holder(db, ledger.vault, 1) == people.holder()


@pytest.mark.parametrize("more", ["raise RuntimeError('half-way')"])
def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(
    database: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(database)
    older = schema.REVISION
    with monkeypatch.context() as patch:
        later(tmp_path, patch, more)
        with pytest.raises(RuntimeError, match="half-way"):
            migrations.upgrade_database(database)
    assert revision(database) == older
    with Ledger.open(database) as ledger, ledger.reading() as db:
        assert "place" not in {column["name"] for column in sa.inspect(db).get_columns("stations")}


def test_an_upgrade_that_cuts_references_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In SQLite references are not watched while tables are rebuilt, so they are checked in the end."""
    where = str(tmp_path / "ledger.db")
    made(where)
    older = schema.REVISION
    later(tmp_path, monkeypatch, more='op.execute("INSERT INTO terms (term, person_id) VALUES (zeroblob(16), 77)")')
    with pytest.raises(InputError, match="refer to others that are not there"):
        migrations.upgrade_database(where)
    assert revision(where) == older


def test_a_ledger_of_a_newer_program_is_left_alone(database: str) -> None:
    made(database)
    revision(database, to="7777")
    with pytest.raises(InputError, match="newer than this program"):
        migrations.upgrade_database(database)
    assert revision(database) == "7777"


def test_what_is_no_ledger_is_not_upgraded(database: str) -> None:
    if "://" not in database:
        with pytest.raises(InputError, match="no such ledger"):
            migrations.upgrade_database(database)
        Path(database).touch()
    with pytest.raises(InputError, match="no ledger"):
        migrations.upgrade_database(database)


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "ledger.db"
    made(str(where))
    older = schema.REVISION
    later(tmp_path, monkeypatch)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migrations, "create", full)
    with pytest.raises(InputError, match="No space left on device"):
        migrations.upgrade_database(where)
    assert revision(str(where)) == older


def test_a_database_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        migrations.upgrade_database("postgresql://nobody@/nothing?host=/nowhere")
