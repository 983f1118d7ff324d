"""Passwords of operators: what may be one, how they are kept, and how often somebody may guess.

They are hashed with Argon2id (argon2-cffi, its present defaults); a hash made with other parameters is replaced at the
next login. Wrong passwords in a row are counted before they are looked at, so that many tries at once are not more.
"""

import unicodedata
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import engine as databases
from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 10, 256
MOST_WRONG = 5
"""So many wrong passwords in a row may be tried at once; then there is one try in every `PAUSE`."""
PAUSE = timedelta(minutes=15)

_table = schema.operators


class Passwords:
    """The passwords of the operators of a ledger."""

    def __init__(self, ledger: Ledger, hasher: "PasswordHasher | None" = None) -> None:
        """``hasher`` is argon2's; its present defaults unless given."""
        self._ledger = ledger
        self._given = hasher

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher  # not everybody who knows of operators asks for passwords

        return self._given or PasswordHasher()

    def hash(self, password: str, name: str) -> str:
        """What is kept of a new password of the operator ``name``. Raises `InputError` when it is too easy a guess."""
        plain = _plain(password)
        if not SHORTEST <= len(plain) <= LONGEST:
            raise InputError(
                f"口令须有 {SHORTEST} 至 {LONGEST} 个字符", f"a password has {SHORTEST} to {LONGEST} characters"
            )
        if name.casefold() in plain.casefold() or len(set(plain)) < SHORTEST // 2:
            raise InputError(
                "口令太容易猜到：不能含操作员名，至少要有 5 个不同的字符",
                "the password is too easy a guess: it must not hold the operator's name, and needs 5 different "
                "characters at least",
            )
        return self._hasher.hash(plain)

    def rehash(self, hashed: str, password: str) -> str:
        """The hash to keep from now on of a password that was right."""
        return self._hasher.hash(_plain(password)) if self._hasher.check_needs_rehash(hashed) else hashed

    def check(self, name: str, password: str) -> Any:
        """The row of the active operator whose name and password these are. Raises `InputError`.

        A name that nobody has takes as long as a wrong password. After `MOST_WRONG` in a row there is a `PAUSE`.
        """
        from argon2.exceptions import VerifyMismatchError

        row = self._count(name)
        if row is None:
            self._hasher.hash(_plain(password))
            raise refused()
        try:
            self._hasher.verify(row.password_hash, _plain(password))
        except VerifyMismatchError:
            with self._ledger.transaction(Actor(row.id, row.name, frozenset())) as tx:
                tx.note("login-failed", {"failures": row.failures + 1})
            raise refused() from None
        return row

    def _count(self, name: str) -> Any:
        """The row of an operator who may try now, None when there is none; the try counts as a wrong one."""
        now = self._ledger.clock()
        known = sa.and_(_table.c.name == name, _table.c.active, _table.c.password_hash.is_not(None))
        with databases.writing(self._ledger.engine, self._ledger.where) as db:
            row = db.execute(sa.select(_table).where(known).with_for_update(key_share=True)).one_or_none()
            if row is None:
                return None
            if row.failures >= MOST_WRONG and now < row.failed_at + PAUSE:
                minutes = PAUSE // timedelta(minutes=1)
                raise InputError(
                    f"口令连续输错 {MOST_WRONG} 次，{minutes} 分钟内不能再试；主管可以重设口令",
                    f"{MOST_WRONG} wrong passwords in a row: no other try for {minutes} minutes, unless a supervisor "
                    "sets a new password",
                )
            values = {"failures": row.failures + 1, "failed_at": now}
            db.execute(sa.update(_table).where(_table.c.id == row.id).values(values))
            return row


def refused() -> InputError:
    """One answer for a wrong name and a wrong password."""
    return InputError("操作员名或口令不对", "the operator's name or the password is wrong")


def _plain(password: str) -> str:
    """One form of what may be typed in several ways, such as full-width letters."""
    return unicodedata.normalize("NFKC", password)
