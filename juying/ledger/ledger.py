"""The ledger itself: opening it, and transactions that leave events in a chain.

::

    with Ledger.open("office.db", keys) as ledger:
        with ledger.transaction(ledger.local) as tx:
            tx.db.execute(...)
            tx.note("order-suspended", {"reason": "photo"}, order=17)

Whatever a transaction changes, it notes; the events are appended when it ends, in the same commit. Each event holds
the hash of the one before, so none can be changed, taken out or put in later without breaking the chain; `verify`
looks.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from juying.crypto.block import Cipher
from juying.crypto.keys import DemonstrationKeys, Keys
from juying.errors import InputError
from juying.ledger import engine as databases
from juying.ledger import schema
from juying.ledger.states import Role
from juying.ledger.vault import Vault, ledger_cipher

LOCAL = "local"
"""The operator of a ledger in which no other is registered: whoever can open the database."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes the ledger: the operator, and the station where that happens (None for an office desk).

    ``session`` is the hash of the session's token, empty for who acts without one; see `juying.ledger.operators`.
    """

    operator: int
    name: str = field(repr=False)
    roles: frozenset[Role]
    station: int | None = None
    session: bytes = field(default=b"", repr=False)

    def require(self, *roles: Role) -> None:
        """Raise `InputError` unless the operator has one of ``roles``."""
        if not self.roles & set(roles):
            zh, en = ("/".join(words) for words in zip(*(role.text for role in roles), strict=True))
            raise InputError(
                f"操作员没有所需角色（{zh}），未作任何改动；请由有此角色的人操作",
                f"the operator lacks the role ({en}); nothing was changed: somebody with it has to do this",
                where=self.name,
            )


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it stands in the chain. ``subjects`` maps the words of `schema.SUBJECTS` to ids."""

    number: int
    at: datetime
    kind: str
    operator: int
    station: int | None
    subjects: Mapping[str, int]
    details: str
    previous: bytes = field(repr=False)
    hash: bytes = field(repr=False)

    def proper_hash(self) -> bytes:
        """The hash that an event with this content has: SHA-256 over the one before and the content."""
        subjects = [self.subjects.get(subject) for subject in schema.SUBJECTS]
        at = schema.microseconds(self.at)
        content = [self.number, at, self.kind, self.operator, self.station, subjects, self.details]
        return hashlib.sha256(self.previous + canonical(content).encode()).digest()


def canonical(value: Any) -> str:
    """JSON that is the same for equal values."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


_CHAIN_HEAD = sa.select(schema.chain.c.number, schema.chain.c.hash).with_for_update()
_ADD_EVENTS = sa.insert(schema.events)
_MOVE_CHAIN_HEAD = sa.update(schema.chain).values(number=sa.bindparam("last"), hash=sa.bindparam("last_hash"))


class Transaction:
    """Changes that happen together; ``db`` is the connection, ``now`` the time of all its events."""

    def __init__(self, ledger: "Ledger", db: sa.Connection, actor: Actor) -> None:
        """Use `Ledger.transaction`."""
        self.ledger = ledger
        self.db = db
        self.actor = actor
        self.now = ledger.clock()
        self._events: list[tuple[str, dict[str, int], str]] = []

    @property
    def vault(self) -> Vault:
        """What seals and finds personal values."""
        return self.ledger.vault

    def note(self, kind: str, details: Mapping[str, Any] | None = None, /, **subjects: int | None) -> None:
        """Note an event: ``kind`` in lower case with hyphens, the ids of its subjects, and details.

        The details must not hold personal values: they stay for ever.
        """
        known = {subject: number for subject, number in subjects.items() if number is not None}
        if not known.keys() <= set(schema.SUBJECTS):
            raise TypeError(f"no such subjects: {', '.join(subjects)}")
        if len(kind) > schema.LONGEST_KIND:
            raise ValueError(f"too long for a kind of event: {kind}")
        self._events.append((kind, known, canonical(details or {})))

    def new_ids(self, table: sa.Table, count: int) -> Sequence[int]:
        """Ids for ``count`` new rows of ``table``, so that rows that refer to them can be inserted in bulk."""
        if self.db.dialect.name == "sqlite":  # nobody else writes meanwhile
            last = self.db.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
            return range(last + 1, last + 1 + count)
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        series = sa.func.generate_series(1, count).table_valued("n")
        return self.db.execute(sa.select(sa.func.nextval(sequence)).select_from(series)).scalars().all()

    def _append_events(self) -> None:
        """Append what was noted. The head of the chain is taken last of all, so that nobody waits for it for long."""
        if not self._events:
            return
        number, before = self.db.execute(_CHAIN_HEAD).one()
        rows = []
        for kind, subjects, details in self._events:
            number += 1
            event = Event(
                number, self.now, kind, self.actor.operator, self.actor.station, subjects, details, before, b""
            )
            before = event.proper_hash()
            row: dict[str, Any] = {f"{subject}_id": subjects.get(subject) for subject in schema.SUBJECTS}
            row |= {
                "number": number, "at": self.now, "kind": kind, "details": details,
                "operator_id": self.actor.operator, "station_id": self.actor.station,
                "previous": event.previous, "hash": before,
            }  # fmt: skip
            rows.append(row)
        self.db.execute(_ADD_EVENTS, rows)
        self.db.execute(_MOVE_CHAIN_HEAD, {"last": number, "last_hash": before})
        self._events.clear()


class Ledger:
    """An open ledger; threads may share it, and processes may open it at the same time.

    ``vault`` seals personal values, ``clock`` gives the present time, ``local`` is the operator of a ledger in which
    no other is registered.
    """

    def __init__(self, engine: sa.Engine, where: str, vault: Vault, *, name: str, region: str,
                 clock: Callable[[], datetime]) -> None:  # fmt: skip
        """Use `Ledger.open`."""
        self.engine = engine
        self.where = where
        self.vault = vault
        self.name = name
        self.region = region
        self.clock = clock
        self.local = Actor(1, LOCAL, frozenset(Role))

    @classmethod
    def open(
        cls,
        where: str | Path,
        keys: Keys | None = None,
        *,
        region: str = "",
        make: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Self:
        """Open the ledger in an SQLite file or at a ``postgresql://`` address, or ``make`` it.

        ``keys`` hold the ledger key (`juying.ledger.vault`) of the city ``region`` (6 digits), which a new ledger
        needs; None takes the public demonstration keys, which protect nothing. Raises `InputError` when there is no
        ledger or one of another version, `KeyUseError` when the keys do not open it, and `LedgerUnavailable`.
        """
        url = databases.database_url(where)
        title = databases.title(url)
        keys = keys or DemonstrationKeys()
        if make and databases.is_missing(url):
            _check_new(keys, region)  # before there is a file
        engine = databases.make_engine(url, make=make)
        try:
            with databases.database_errors(title):
                found = _revision(engine)
                if found is None:
                    if not make:
                        raise InputError("这不是台账", "this is no ledger", where=title)
                    _make(engine, keys, region, clock())
                elif found != schema.REVISION:
                    raise _other_revision(found, title)
            with databases.reading(engine, title) as db:
                row = db.execute(sa.select(schema.ledger)).one()
            vault = Vault.open(keys, row.region, row.name, Cipher(row.cipher), row.wrapped_key)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, title, vault, name=row.name, region=row.region, clock=clock)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """Itself; `close` follows."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def transaction(self, actor: Actor) -> Iterator[Transaction]:
        """Changes by ``actor``, all or none, and their events.

        Raises `LedgerUnavailable` when the database is gone: then nobody knows whether the last commit arrived, so
        every step is written in a way that it may be asked for again.
        """
        with databases.writing(self.engine, self.where) as db:
            tx = Transaction(self, db, actor)
            yield tx
            tx._append_events()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A view of the ledger at one moment."""
        with databases.reading(self.engine, self.where) as db:
            yield db


def _revision(engine: sa.Engine) -> str | None:
    """The revision of the tables, None when there are none."""
    with engine.connect() as db:
        if not sa.inspect(db).has_table("alembic_version"):
            return None
        found: str | None = db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return found


def _check_new(keys: Keys, region: str) -> None:
    """Raise `InputError` or `KeyUseError` unless a ledger can be made with this."""
    if not re.fullmatch(r"[0-9]{6}", region):
        raise InputError(
            "新台账须有所在城市的 6 位区划代码", "a new ledger needs the code of its city, 6 digits", where="region"
        )
    ledger_cipher(keys, region)


def _make(engine: sa.Engine, keys: Keys, region: str, now: datetime) -> None:
    """Make the tables and the first rows, unless another process is faster."""
    from juying.ledger.migrations import upgrade

    with engine.begin() as db:
        if db.dialect.name == "postgresql":
            db.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('juying ledger'))")
        if sa.inspect(db).has_table("alembic_version"):
            return
        if sa.inspect(db).get_table_names():
            raise InputError("这个数据库里有别的表，不是台账", "the database has other tables: this is no ledger")
        _check_new(keys, region)
        name = secrets.token_hex(16)
        _, cipher, wrapped = Vault.make(keys, region, name)
        upgrade(db)
        db.execute(
            sa.insert(schema.ledger).values(
                id=1, name=name, region=region, cipher=cipher.value, wrapped_key=wrapped, made_at=now
            )
        )
        db.execute(
            sa.insert(schema.operators).values(
                name=LOCAL, roles=",".join(Role), password_hash=None, active=True, made_at=now
            )
        )
        db.execute(sa.insert(schema.chain).values(id=1, number=0, hash=first_hash(name)))


def first_hash(name: str) -> bytes:
    """What stands before the first event of the ledger called ``name``."""
    return hashlib.sha256(f"juying ledger {name}".encode()).digest()


def _other_revision(found: str, where: str) -> InputError:
    return InputError(
        f"台账的版本是 {found}，本程序用 {schema.REVISION}；请运行 juying ledger upgrade，或更新程序",
        f"the ledger has revision {found}, this program uses {schema.REVISION}: run juying ledger upgrade, or update "
        "the program",
        where=where,
    )
