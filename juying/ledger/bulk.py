"""Many rows at once, as fast as the driver takes them.

On its way through SQLAlchemy each row of an ``executemany`` costs more than in the database. Here the statement is
compiled once and the driver gets plain tuples.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa


def insert_many(db: sa.Connection, statement: sa.Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``, which all have the same columns, two at least. Raises what ``db.execute`` does."""
    if not rows:
        return
    make: Any = type(db.dialect)
    positional: sa.Dialect = make(paramstyle="qmark" if db.dialect.name == "sqlite" else "format")
    compiled = statement.compile(dialect=positional, column_keys=list(rows[0]))
    names = compiled.positiontup or []
    values = list(map(itemgetter(*names), rows))
    table = statement.table
    converters = [(place, _converter(table.c[name], positional)) for place, name in enumerate(names)]
    for place, convert in converters:
        if convert is not None:
            values = [(*row[:place], convert(row[place]), *row[place + 1 :]) for row in values]
    db.exec_driver_sql(str(compiled), values)


def refresh_statistics(db: sa.Connection) -> None:
    """Let PostgreSQL count what an import or a restored back-up brought; nothing to do on SQLite.

    Until the server gets round to it by itself, it would sort all that is waiting for every claim.
    """
    if db.dialect.name == "postgresql":
        db.exec_driver_sql("ANALYZE applications, lots, orders, permits")


def _converter(column: sa.ColumnElement[Any], dialect: sa.Dialect) -> Any:
    """What turns a value of Python into one for the driver; None where they are the same."""
    return column.type.dialect_impl(dialect).bind_processor(dialect)
