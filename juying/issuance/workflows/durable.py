"""DBOS on the database of a ledger: in the same SQLite file, or in a schema of its own in the same PostgreSQL.

So a job is started in the transaction that notes it, and there is no other server. Back-ups of the ledger leave these
tables out. Values are stored as JSON: what comes out of a database is never unpickled.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from juying.ledger import engine as databases
from juying.ledger.ledger import Ledger

APPLICATION = "juying"
SCHEMA = "juying_jobs"
VERSION = "1"
"""Of the workflows: what was begun by one version goes on in workers of the same alone. To be changed with their steps,
not with every release.
"""
JOB, PART = "job", "part"
"""The names of the two workflows."""

_CONNECTIONS = 5
_log = logging.getLogger("dbos")


def address(ledger: Ledger) -> str:
    """Where DBOS finds the database, with the password if there is one: not to be shown."""
    url = ledger.engine.url
    if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(int(databases.PATIENCE))})
    return url.render_as_string(hide_password=False)


def config(ledger: Ledger, executor: str) -> DBOSConfig:
    """The configuration of a worker that runs under the name ``executor``."""
    return {
        "name": APPLICATION,
        "system_database_url": address(ledger),
        "dbos_system_schema": SCHEMA,
        "sys_db_pool_size": _CONNECTIONS,
        "executor_id": executor,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "CRITICAL",
    }


def silence() -> None:
    """Let DBOS say nothing: what people are to know the worker tells, and a traceback might show personal values."""
    if not _log.handlers:
        _log.addHandler(logging.NullHandler())  # DBOS adds one of its own to a logger without any
    _log.propagate = False
    _log.setLevel(logging.CRITICAL + 1)


@contextmanager
def client(ledger: Ledger) -> Iterator[DBOSClient]:
    """Access to the workflows from outside of a worker. Raises `LedgerUnavailable`."""
    silence()
    with databases.database_errors(ledger.where):
        prepare(ledger)
        opened = DBOSClient(
            system_database_url=address(ledger),
            dbos_system_schema=SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            system_database_pool_size=_CONNECTIONS,
            retry_connection_errors=False,
        )
        try:
            yield opened
        finally:
            opened.destroy()


def prepare(ledger: Ledger) -> None:
    """Make the tables of DBOS if there are none."""
    with ledger.reading() as db:
        schema = None if db.dialect.name == "sqlite" else SCHEMA
        if sa.inspect(db).has_table("dbos_migrations", schema=schema):
            return
    DBOS.migrate(address(ledger), schema=SCHEMA)
