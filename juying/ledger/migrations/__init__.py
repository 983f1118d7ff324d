"""Changes of the tables over time, applied by Alembic."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from juying.errors import InputError
from juying.files import create
from juying.ledger import engine as databases


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What `upgrade_database` did: the revisions before and after, and the copy of an SQLite file as it was."""

    before: str
    after: str
    copy: Path | None = None


def configuration() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def upgrade(db: sa.Connection, revision: str = "head") -> None:
    """Bring the tables to ``revision`` in the transaction of ``db``."""
    config = configuration()
    config.attributes["connection"] = db
    command.upgrade(config, revision)


def known(revision: str) -> bool:
    """Whether this program knows the revision; a newer program may have made others."""
    return revision in {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}


def revision_of(where: str | Path) -> str | None:
    """The revision of the ledger in ``where``, None when there is none. Raises `LedgerUnavailable`."""
    url = databases.database_url(where)
    if databases.is_missing(url):
        return None
    engine = databases.make_engine(url, make=False)
    try:
        with databases.reading(engine, databases.title(url)) as db:
            found: str | None = MigrationContext.configure(db).get_current_revision()
            return found
    finally:
        engine.dispose()


def upgrade_database(where: str | Path) -> Upgraded:
    """Bring the ledger in ``where`` to the newest revision, all or nothing, while nobody else changes it.

    An SQLite file is copied first, next to where it is. Raises `InputError` when there is no ledger, or one of a newer
    program, and `LedgerUnavailable`.
    """
    url = databases.database_url(where)
    title = databases.title(url)
    engine = databases.make_engine(url, make=False)
    newest = str(ScriptDirectory.from_config(configuration()).get_current_head())
    try:
        with databases.database_errors(title), _alone(engine, title) as db:
            found = MigrationContext.configure(db).get_current_revision()
            if found is None:
                raise InputError("这不是台账", "this is no ledger", where=title)
            if not known(found):
                raise InputError(
                    f"台账的版本是 {found}，比本程序新，请更新程序",
                    f"the ledger has revision {found}, which is newer than this program: update the program",
                    where=title,
                )
            if found == newest:
                return Upgraded(found, found)
            copy = _copy(Path(title), found) if engine.dialect.name == "sqlite" else None
            upgrade(db)
            return Upgraded(found, newest, copy)
    finally:
        engine.dispose()


@contextmanager
def _alone(engine: sa.Engine, where: str) -> Iterator[sa.Connection]:
    """A transaction during which no other one changes tables, and in SQLite none changes anything."""
    with engine.connect() as db:
        if engine.dialect.name == "postgresql":
            with db.begin():
                db.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('juying ledger'))")
                yield db
            return
        # Rebuilding a table, which is how SQLite changes one, would trip over those that refer to it.
        raw: Any = db.connection.dbapi_connection
        raw.execute("PRAGMA foreign_keys = OFF")
        with db.begin():
            yield db
            if db.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise InputError(
                    "升级后记录之间的引用不完整，未作任何改动",
                    "after the upgrade records would refer to others that are not there; nothing was changed",
                    where=where,
                )


def _copy(path: Path, revision: str) -> Path:
    """A copy of the file as it is, for its owner only."""
    copy = path.with_name(f"{path.name}.{revision}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    try:
        create(copy, b"", private=True)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except (OSError, sqlite3.Error) as error:
        copy.unlink(missing_ok=True)
        raise InputError(
            f"升级前不能复制台账（{error}），未作任何改动；请检查磁盘空间和权限",
            f"the ledger cannot be copied before the upgrade ({error}); nothing was changed: check the room on the "
            "disk and the permissions",
            where=str(path),
        ) from None
    return copy
