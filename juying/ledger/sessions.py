"""Sessions: operators log in, act, and are logged out by the clock.

A session ends when it is not used for half an hour, twelve hours after it began, when the operator logs out, is given
other roles or another password, or is disabled. The ledger holds the SHA-256 of a token, never the token.
"""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import engine as databases
from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Operator, on_behalf, operator_of
from juying.ledger.passwords import Passwords, refused

if TYPE_CHECKING:
    from argon2 import PasswordHasher

IDLE = timedelta(minutes=30)
"""A session that is not used for so long has ended."""
LONGEST = timedelta(hours=12)
"""So long after logging in every session has ended."""

_REFRESH = timedelta(minutes=1)
_table, _operators = schema.sessions, schema.operators


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has just begun; nobody but its operator ever has the token."""

    token: str = field(repr=False)
    operator: Operator
    expires_at: datetime


class Sessions:
    """The sessions of the operators of a ledger."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        idle: timedelta = IDLE,
        longest: timedelta = LONGEST,
        hasher: "PasswordHasher | None" = None,
    ) -> None:
        """``idle`` and ``longest`` end sessions; ``hasher`` is argon2's, with its present defaults unless given."""
        self._ledger = ledger
        self._idle = idle
        self._longest = longest
        self._passwords = Passwords(ledger, hasher)

    def login(self, name: str, password: str) -> Session:
        """Begin a session. Raises `InputError` for a wrong name or password, and after too many wrong ones."""
        row = self._passwords.check(name, password)
        values = {
            "failures": 0,
            "failed_at": None,
            "password_hash": self._passwords.rehash(row.password_hash, password),
        }
        token = secrets.token_urlsafe(32)
        operator = operator_of(row)
        with self._ledger.transaction(operator.actor()) as tx:
            expires_at = tx.now + self._longest
            session = {"made_at": tx.now, "used_at": tx.now, "expires_at": expires_at, "operator_id": operator.id}
            as_before = sa.and_(
                _operators.c.id == operator.id,
                _operators.c.active,
                _operators.c.roles == row.roles,
                _operators.c.password_hash == row.password_hash,
            )
            if not tx.db.execute(sa.update(_operators).where(as_before).values(values)).rowcount:
                raise refused()  # changed since the password was looked at
            tx.db.execute(sa.delete(_table).where(~self._going_on(tx.now)))
            tx.db.execute(sa.insert(_table).values(token_hash=_hashed(token), **session))
            tx.note("logged-in")
        return Session(token, operator, expires_at)

    def actor(self, token: str) -> Actor:
        """Who acts in a session. Raises `InputError` when it has ended."""
        return self._actor(_hashed(token))

    def renew(self, actor: Actor) -> Actor:
        """The same operator at the same station, with the roles of now.

        For programs that run for long: they ask before they begin something new, so what was begun is finished. Raises
        `InputError` when the session has ended, or the operator is not to work any more.
        """
        if actor.session:
            return replace(self._actor(actor.session), station=actor.station)
        with self._ledger.reading() as db:
            return on_behalf(db, actor.operator, actor.station)

    def logout(self, token: str) -> None:
        """End a session; harmless when it has ended."""
        hashed = _hashed(token)
        with self._ledger.reading() as db:
            row = _in_session(db, hashed)
        if row is not None:
            with self._ledger.transaction(operator_of(row).actor()) as tx:
                tx.db.execute(sa.delete(_table).where(_table.c.token_hash == hashed))
                tx.note("logged-out")

    def _actor(self, hashed: bytes) -> Actor:
        now = self._ledger.clock()
        with self._ledger.reading() as db:
            row = _in_session(db, hashed, self._going_on(now), _operators.c.active)
        if row is None:
            raise InputError(
                "登录已过期或已失效，请重新登录：juying login",
                "the session has ended: log in again, with juying login",
            )
        if now - row.used_at >= _REFRESH:
            with databases.writing(self._ledger.engine, self._ledger.where) as db:
                db.execute(sa.update(_table).where(_table.c.token_hash == hashed).values(used_at=now))
        return operator_of(row).actor(session=hashed)

    def _going_on(self, now: datetime) -> sa.ColumnElement[bool]:
        return sa.and_(_table.c.expires_at > now, _table.c.used_at > now - self._idle)


def _in_session(db: sa.Connection, hashed: bytes, *more: sa.ColumnElement[bool]) -> Any:
    """The operator of a session, and when it was used; None when there is no such session."""
    joined = _table.join(_operators, _operators.c.id == _table.c.operator_id)
    query = sa.select(_operators, _table.c.used_at).select_from(joined)
    return db.execute(query.where(_table.c.token_hash == hashed, *more)).one_or_none()


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
