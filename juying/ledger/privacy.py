"""How long the ledger keeps what is personal, and how it is erased.

A person is due when all permits ended long enough ago, no card of the person is live or was so lately, and no order
waits. How long that is stands in the ledger; `RETENTION` is where a new ledger begins (our choice: the law says no
longer than necessary, and the rule of the office counts).

Erasing takes away every value that leads to the person, also the hashes by which one is found. The rows stay, empty,
and so do the events, which hold nothing personal: how many permits and cards there were, and that the chain is whole,
can still be proven. A card number stays taken by its keyed hash.
"""

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from juying.crypto.block import Cipher
from juying.crypto.keys import CardKey, Keys
from juying.errors import InputError
from juying.ledger import engine as databases
from juying.ledger import schema
from juying.ledger.approvals import second_person, use
from juying.ledger.ledger import Actor, Ledger, Transaction, canonical
from juying.ledger.operators import Action, allow
from juying.ledger.people import CARD, chunks
from juying.ledger.states import LIVE_CARDS, WAITING_ORDERS, OrderKind, OrderState, PermitState
from juying.ledger.vault import ledger_key, rewrap, under_current_key
from juying.text import Text

RETENTION = timedelta(days=1826)
"""Five years: how long a new ledger keeps persons after their last permit."""
LEAST_RETENTION, MOST_RETENTION = timedelta(days=30), timedelta(days=36525)

_persons, _permits, _cards, _orders = schema.persons, schema.permits, schema.cards, schema.orders
_credentials, _entries = schema.credentials, schema.status_entries

_MOST_LISTED = 20

_HELD = Text("仍持有有效的卡", "a card of the person is live")
_VALID = Text("仍有有效许可", "a permit of the person is valid")
_WAITING = Text("还有未完成的订单", "an order of the person is not finished")


@dataclass(frozen=True, slots=True)
class Erased:
    """How many persons were erased, and whether their values are gone from the files of the database too."""

    count: int
    purged: bool


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a person cannot be erased now."""

    person: int
    reason: Text


# The rule


def retention(db: sa.Connection) -> timedelta:
    """How long persons are kept after their last permit."""
    return timedelta(days=db.execute(sa.select(schema.ledger.c.retention_days)).scalar_one())


def set_retention(tx: Transaction, keep: timedelta) -> None:
    """Keep persons so many days. Raises `InputError` when that is shorter or longer than the limits here."""
    allow(tx.actor, Action.ERASE)
    if not LEAST_RETENTION <= keep <= MOST_RETENTION:
        raise InputError(
            f"保存期限须为 {LEAST_RETENTION.days} 至 {MOST_RETENTION.days} 天",
            f"persons are kept {LEAST_RETENTION.days} to {MOST_RETENTION.days} days",
        )
    tx.db.execute(sa.update(schema.ledger).values(retention_days=keep.days))
    tx.note("retention-set", {"days": keep.days})


def due(db: sa.Connection, now: datetime) -> list[int]:
    """The ids of those whom the rule no longer lets us keep."""
    end = now - retention(db)
    ended = sa.and_(_permits.c.state != PermitState.VALID.value, _permits.c.ended_at <= end)
    query = (
        sa.select(_persons.c.id)
        .where(
            _persons.c.erased_at.is_(None),
            _persons.c.made_at <= end,
            ~sa.exists().where(_permits.c.person_id == _persons.c.id, sa.not_(sa.func.coalesce(ended, sa.false()))),
            ~sa.exists().where(_cards.c.person_id == _persons.c.id, _live_after(end.date())),
            ~sa.exists().where(_cards.c.person_id == _persons.c.id, _cards.c.ended_at > end),
            ~sa.exists().where(_orders.c.person_id == _persons.c.id, _unfinished()),
        )
        .order_by(_persons.c.id)
    )
    return list(db.execute(query).scalars())


def obstacles(db: sa.Connection, persons: Sequence[int], today: date) -> list[Obstacle]:
    """Why some of ``persons`` cannot be erased, whatever the rule says."""
    found = []
    for table, forbidden, reason in (
        (_permits, _permits.c.state == PermitState.VALID.value, _VALID),
        (_cards, _live_after(today), _HELD),
        (_orders, _unfinished(), _WAITING),
    ):
        for part in chunks(persons):
            query = sa.select(table.c.person_id).where(table.c.person_id.in_(part), forbidden).distinct()
            found += [Obstacle(person, reason) for person in db.execute(query).scalars()]
    return sorted(found, key=lambda obstacle: obstacle.person)


def _live_after(day: date) -> sa.ColumnElement[bool]:
    """A card in somebody's hands that was not worn out by this day."""
    return sa.and_(_cards.c.state.in_([state.value for state in LIVE_CARDS]), _cards.c.expires_on > day)


def _unfinished() -> sa.ColumnElement[bool]:
    """An order that forbids to erase. To take the permit off a card that never comes back does not."""
    return sa.and_(_orders.c.state.in_([state.value for state in WAITING_ORDERS]), sa.not_(_never_done()))


def _never_done() -> sa.ColumnElement[bool]:
    waits = _orders.c.state.in_([OrderState.PLANNED.value, OrderState.SUSPENDED.value])
    return sa.and_(_orders.c.kind == OrderKind.WIPE.value, waits)


# Erasing


def erase(ledger: Ledger, actor: Actor, persons: Sequence[int], *, rule: str) -> Erased:
    """Erase persons for good, with a second person; ``rule`` says why, for the event of each: one word.

    May be called again at any time. Raises `InputError` for an unknown person, for one with a valid permit, a live card
    or an unfinished order, and until a second person approved (see `juying.ledger.approvals`).
    """
    allow(actor, Action.ERASE)
    with ledger.reading() as db:
        left = _left(db, persons)
        _refuse_obstacles(db, left, ledger.clock().date())
    if left:
        subject = erasure(left)
        number = second_person(ledger, actor, Action.ERASE, subject)
        with ledger.transaction(actor) as tx:
            use(tx, number, Action.ERASE, subject)
            for part in chunks(left):
                tx.db.execute(sa.select(_persons.c.id).where(_persons.c.id.in_(part)).with_for_update())
                _refuse_obstacles(tx.db, part, tx.now.date())
                _erase(tx, part)
            for person in left:
                tx.note("person-erased", {"rule": rule}, person=person)
    return Erased(len(left), purge(ledger))


def erasure(persons: Sequence[int]) -> Mapping[str, Any]:
    """What the second person approves: the ids, or of many their count and the SHA-256 over the ids."""
    if len(persons) <= _MOST_LISTED:
        return {"persons": list(persons)}
    return {"count": len(persons), "sha256": hashlib.sha256(canonical(list(persons)).encode()).hexdigest()}


def _left(db: sa.Connection, persons: Sequence[int]) -> list[int]:
    """Those that are not erased yet."""
    wanted = sorted(set(persons))
    erased_at: dict[int, datetime | None] = {}
    for part in chunks(wanted):
        query = sa.select(_persons.c.id, _persons.c.erased_at).where(_persons.c.id.in_(part))
        erased_at |= {row.id: row.erased_at for row in db.execute(query)}
    if missing := set(wanted) - erased_at.keys():
        raise InputError("台账中没有此人", "there is no such person in the ledger", where=f"persons/{min(missing)}")
    return [person for person in wanted if erased_at[person] is None]


def _refuse_obstacles(db: sa.Connection, persons: Sequence[int], today: date) -> None:
    for found in obstacles(db, persons, today):
        raise InputError(
            f"{found.reason.zh}，不能删除，未作任何改动",
            f"{found.reason.en}, who cannot be erased; nothing was changed",
            where=f"persons/{found.person}",
        )


def _erase(tx: Transaction, persons: Sequence[int]) -> None:
    theirs = sa.select(_permits.c.number_key).where(_permits.c.person_id.in_(persons))
    permits = sa.select(_permits.c.id).where(_permits.c.person_id.in_(persons))
    nothing: dict[str, Any] = {"sealed": None, "number_key": None}
    _cancel_orders(tx, persons)
    _number_keys(tx, persons)
    changes: tuple[tuple[sa.Table, sa.ColumnElement[bool], dict[str, Any]], ...] = (
        (_entries, _entries.c.subject_key.in_(theirs), {"subject_key": None}),
        (_orders, _orders.c.person_id.in_(persons), {"card_number": None, "note": ""}),
        (_cards, _cards.c.person_id.in_(persons), {"number": None}),
        (_credentials, _credentials.c.person_id.in_(persons), {"sealed": None}),
        (schema.applications, schema.applications.c.person_id.in_(persons), {"digest": None}),
        (_permits, _permits.c.person_id.in_(persons), {**nothing, "employer_key": None}),
        (_persons, _persons.c.id.in_(persons), {**nothing, "photo": None, "document_key": None, "erased_at": tx.now}),
    )
    for table, rows, values in changes:
        tx.db.execute(sa.update(table).where(rows).values(values))
    tx.db.execute(sa.delete(schema.terms).where(schema.terms.c.person_id.in_(persons)))
    tx.db.execute(sa.delete(schema.enrolments).where(schema.enrolments.c.person_id.in_(persons)))
    tx.db.execute(sa.delete(schema.reminders).where(schema.reminders.c.permit_id.in_(permits)))


def _cancel_orders(tx: Transaction, persons: Sequence[int]) -> None:
    """Nobody waits any more for cards that did not come back."""
    waiting = sa.and_(_orders.c.person_id.in_(persons), _never_done())
    rows = tx.db.execute(sa.select(_orders.c.id, _orders.c.card_id, _orders.c.person_id).where(waiting)).all()
    tx.db.execute(sa.update(_orders).where(waiting).values(state=OrderState.CANCELLED.value))
    for row in rows:
        tx.note("order-cancelled", order=row.id, card=row.card_id, person=row.person_id)


def _number_keys(tx: Transaction, persons: Sequence[int]) -> None:
    """Make sure that a card number is not given again when it is gone."""
    query = sa.select(_cards.c.id, _cards.c.number).where(
        _cards.c.person_id.in_(persons), _cards.c.number.is_not(None), _cards.c.number_key.is_(None)
    )
    keys = [{"its_id": row.id, "key": tx.vault.key(CARD, row.number)} for row in tx.db.execute(query)]
    if keys:
        update = sa.update(_cards).where(_cards.c.id == sa.bindparam("its_id"))
        tx.db.execute(update.values(number_key=sa.bindparam("key")), keys)


_REWRITTEN = ("persons", "terms", "permits", "credentials", "cards", "orders", "applications", "status_entries")
_LOCKED = "55P03"  # PostgreSQL waited for others as long as we let it


def purge(ledger: Ledger) -> bool:
    """Rewrite what holds erased values, so that they are gone from the files of the database too.

    False when others at work, missing rights or a full disk prevented that: then it has to be done again. Needs the
    ledger for itself for some seconds; SQLite also needs as much room on the disk as the file takes.
    """
    with databases.database_errors(ledger.where), ledger.engine.connect() as connection:
        db = connection.execution_options(isolation_level="AUTOCOMMIT")
        raw: Any = db.connection.dbapi_connection
        return _purge_file(raw) if ledger.engine.dialect.name == "sqlite" else _purge_tables(db, raw)


def _purge_file(raw: sqlite3.Connection) -> bool:
    try:
        raw.execute("VACUUM")
        busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:
        return False
    return not busy


def _purge_tables(db: sa.Connection, raw: Any) -> bool:
    warned: list[Any] = []  # of a table that belongs to another role, PostgreSQL only says that it left it alone
    raw.add_notice_handler(warned.append)
    try:
        for table in _REWRITTEN:
            db.exec_driver_sql(f"VACUUM FULL {table}")
        return not warned
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCKED:
            return False
        raise
    finally:
        raw.remove_notice_handler(warned.append)


# The key


def rekey(ledger: Ledger, actor: Actor, keys: Keys) -> bool:
    """Seal the data key anew, under the current version of the ledger key; False when it is so already.

    The data key itself stays, and with it everything that it sealed. Raises `InputError` until a second person
    approved, and `KeyUseError` when ``keys`` have neither the version that it is sealed under nor a newer one.
    """
    allow(actor, Action.REKEY)
    if is_under_current_key(ledger, keys):
        return False
    with ledger.reading() as db:
        subject = {"check_value": keys.check_value(used_key(db)).hex()}
    number = second_person(ledger, actor, Action.REKEY, subject)
    with ledger.transaction(actor) as tx:
        use(tx, number, Action.REKEY, subject)
        row = tx.db.execute(sa.select(schema.ledger).with_for_update()).one()
        wrapped = rewrap(keys, row.region, row.name, Cipher(row.cipher), row.wrapped_key)
        tx.db.execute(sa.update(schema.ledger).values(wrapped_key=wrapped))
        tx.note("rekeyed", subject)
    return True


def used_key(db: sa.Connection) -> CardKey:
    """The key that the data key is sealed under, whatever its version."""
    row = db.execute(sa.select(schema.ledger)).one()
    return ledger_key(row.region, Cipher(row.cipher))


def is_under_current_key(ledger: Ledger, keys: Keys) -> bool:
    """Whether the data key is sealed under the current version of the ledger key."""
    with ledger.reading() as db:
        row = db.execute(sa.select(schema.ledger)).one()
    return under_current_key(keys, row.region, row.name, Cipher(row.cipher), row.wrapped_key)
