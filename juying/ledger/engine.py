"""Opening the database of a ledger, and its errors in our words."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from juying.errors import InputError, LedgerUnavailable
from juying.files import create

PATIENCE = 30.0
"""Seconds that a transaction waits for those of others."""
IDLE = 300.0
"""Seconds after which PostgreSQL ends a transaction in which nothing happens, such as that of a machine asleep."""
PAUSE = 0.01

_READING = "juying_reading"
_DISCREET: dict[str, Any] = {"hide_parameters": True, "logging_name": "juying"}

# What statements take is hidden; the rows that they give would be logged as well, card numbers and all.
logging.getLogger("sqlalchemy.engine.Engine.juying").addFilter(lambda record: record.levelno > logging.DEBUG)


def database_url(where: str | Path) -> sa.URL:
    """The URL of a ledger given as a file or as ``postgresql://…``. Raises `InputError` for any other URL."""
    text = str(where)
    if text and text != ":memory:" and "://" not in text:
        return sa.URL.create("sqlite", database=text)
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise InputError("台账地址写法不对", "the address of the ledger is malformed") from None
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise InputError(
        "台账可以是 SQLite 文件或 postgresql:// 地址",
        "a ledger is an SQLite file or a postgresql:// address",
        where=url.drivername,
    )


def title(url: sa.URL) -> str:
    """The database for people: a file, or host and name without user and password."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    return f"{url.host or 'localhost'}/{url.database or ''}"


def is_missing(url: sa.URL) -> bool:
    """Whether the SQLite file has to be made first."""
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()


def make_engine(url: sa.URL, *, make: bool) -> sa.Engine:
    """The engine for a database; a missing SQLite file is made, for its owner only, if ``make`` says so.

    Transactions begin at once with the right to write; those of `reading` have none. Raises `InputError`.
    """
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, connect_args=_settings(url), **_DISCREET)
    path = Path(url.database or "")
    if not path.is_file():
        if not make:
            raise InputError("没有这个台账，请核对路径", "there is no such ledger: check the path", where=str(path))
        _make_file(path)
    engine = sa.create_engine(url, connect_args={"timeout": PATIENCE}, **_DISCREET)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _settings(url: sa.URL) -> dict[str, Any]:
    """A PostgreSQL that does not answer any more is given up, and so is whoever keeps others waiting for too long."""
    settings = {
        "connect_timeout": int(PATIENCE),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": int(PATIENCE * 1000),
        "options": f"-c lock_timeout={PATIENCE:.0f}s -c idle_in_transaction_session_timeout={IDLE:.0f}s",
    }
    return {name: value for name, value in settings.items() if name not in url.query}


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            create(path, b"", private=True)  # SQLite itself would let everybody read it
    except OSError as error:
        raise InputError(
            f"不能新建台账（{error.strerror}）", f"the ledger cannot be made ({error.strerror})", where=str(path)
        ) from None
    if not path.is_file():
        raise InputError("这不是文件，台账不能建在这里", "no file: a ledger cannot be made here", where=str(path))


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    _write_ahead(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a write-ahead log from now on. For this alone SQLite does not wait for others who use the file."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # nothing happens when it is kept already
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(PAUSE)
        else:
            return


def _begin(connection: sa.Connection) -> None:
    # A transaction that began by reading could not go on to write when another one wrote in between.
    mode = "DEFERRED" if connection.get_execution_options().get(_READING) else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def reading(engine: sa.Engine, where: str) -> Iterator[sa.Connection]:
    """A view of the database at one moment. Raises `LedgerUnavailable`."""
    with database_errors(where), engine.connect() as connection:
        options: dict[str, Any] = {_READING: True}
        if engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with connection.execution_options(**options).begin():
            yield connection


@contextmanager
def writing(engine: sa.Engine, where: str) -> Iterator[sa.Connection]:
    """Everything in it or nothing. Raises `LedgerUnavailable`, and `InputError` for what the database forbids."""
    with database_errors(where), engine.begin() as connection:
        yield connection


@contextmanager
def database_errors(where: str) -> Iterator[None]:
    """Errors of the database as errors of ours, which hold no values of rows."""
    try:
        yield
    except sa.exc.IntegrityError as error:
        raise InputError(
            "数据库的约束不允许此改动，未作任何改动；可能另有人同时办理，请查看台账",
            "a constraint of the database forbids this change, nothing was changed: perhaps somebody else did it at "
            "the same time, look at the ledger",
            where=_constraint(error),
        ) from None
    except sa.exc.DataError:
        raise InputError(
            "有一个值太长或不是数据库能存的，未作任何改动",
            "a value is too long or of no kind that the database takes; nothing was changed",
            where=where,
        ) from None
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise InputError(
                "这不是台账，或文件已损坏，请恢复备份",
                "this is no ledger, or the file is damaged: restore a back-up",
                where=where,
            ) from None
        raise LedgerUnavailable(
            f"台账数据库不能使用（{_reason(error)}），此步未记入；恢复后会接着做",
            f"the ledger's database cannot be used ({_reason(error)}); this step is not recorded, and goes on when the "
            "database is back",
            where=where,
        ) from None


def _constraint(error: sa.exc.IntegrityError) -> str:
    """The name of what was violated: of a constraint in PostgreSQL, of columns in SQLite; never a value."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return str(diagnosis.constraint_name or diagnosis.table_name or "")
    return str(error.orig).rpartition(": ")[2]


def _reason(error: sa.exc.DBAPIError) -> str:
    """What the database says: its first line, without the statement and its values."""
    return str(error.orig).partition("\n")[0][:200]
