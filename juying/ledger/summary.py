"""What a ledger holds, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from juying.ledger import schema
from juying.ledger.backup import last_back_up
from juying.ledger.privacy import due, retention
from juying.ledger.verify import Head, head_of

_IN_STATES = ("lots", "orders", "blanks", "cards", "permits", "credentials")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A ledger at one moment.

    ``counts`` has for each table how many records are in which state; ``due`` persons are to be erased by rule after
    ``retention``. ``operators`` counts those who may work now.
    """

    revision: str
    made_at: datetime
    head: Head
    last_backup: datetime | None
    retention: timedelta
    due: int
    operators: int
    counts: Mapping[str, Mapping[str, int]]


def summary(db: sa.Connection, now: datetime) -> Summary:
    """The summary of the ledger that ``db`` is a view of."""
    active = sa.select(sa.func.count()).where(schema.operators.c.active)
    return Summary(
        revision=schema.REVISION,
        made_at=db.execute(sa.select(schema.ledger.c.made_at)).scalar_one(),
        head=head_of(db),
        last_backup=last_back_up(db),
        retention=retention(db),
        due=len(due(db, now)),
        operators=db.execute(active).scalar_one(),
        counts={"persons": _persons(db), **{name: _states(db, name) for name in _IN_STATES}},
    )


def _persons(db: sa.Connection) -> dict[str, int]:
    erased = schema.persons.c.erased_at.is_not(None).label("erased")
    query = sa.select(erased, sa.func.count()).group_by(erased)
    found = {bool(row[0]): row[1] for row in db.execute(query)}
    return {"kept": found.get(False, 0), "erased": found.get(True, 0)}


def _states(db: sa.Connection, name: str) -> dict[str, int]:
    state = schema.metadata.tables[name].c.state
    return {row[0]: row[1] for row in db.execute(sa.select(state, sa.func.count()).group_by(state).order_by(state))}
