"""The second person: what nobody does alone.

Destroying cards, using an issuing key for a piece of work, revoking in bulk, erasing persons and sealing the ledger's
key anew are asked for by one operator and approved by another, a supervisor. An approval is good for exactly what was
asked, once, for the one who asked, and for `TIME_LIMIT` from asking. The usual way is to do the same thing twice::

    number = second_person(ledger, actor, Action.SCRAP, {"blanks": [17]})   # asks, and raises until it is approved
    with ledger.transaction(actor) as tx:
        use(tx, number, Action.SCRAP, {"blanks": [17]})
        ...

Where no operator is registered nobody could be second: `local` acts alone, and the event says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger, Transaction, canonical
from juying.ledger.operators import Action, allow, alone, on_behalf

SECOND_PERSON = (Action.SCRAP, Action.KEY_USE, Action.BULK_REVOKE, Action.ERASE, Action.REKEY)
"""The actions that need one."""
TIME_LIMIT = timedelta(hours=24)
"""An approval is good for so long from asking."""
BULK = 10
"""Revoking more permits than this at once is revoking in bulk."""

Subject = Mapping[str, Any]
"""What is to be done, in values that JSON has and without personal data, such as ``{"blanks": [17]}``."""

_table = schema.approvals


@dataclass(frozen=True, slots=True)
class Approval:
    """What somebody asked for, and how far it is; the operators are ids."""

    number: int
    action: Action
    subject: str
    asked_by: int
    asked_at: datetime
    given_by: int | None
    given_at: datetime | None
    used_at: datetime | None

    @property
    def ends_at(self) -> datetime:
        """From then on it is no good."""
        return self.asked_at + TIME_LIMIT


def second_person(ledger: Ledger, actor: Actor, action: Action, subject: Subject) -> int | None:
    """The number of an approval to `use`, None where nobody could be second.

    Raises `InputError` while there is none, with the number to approve; asks for one if nobody did.
    """
    allow(actor, action)
    with ledger.transaction(actor) as tx:
        if alone(tx.db):
            return None
        query = _open(tx).where(_is(action, subject), _table.c.asked_by == actor.operator)
        found = tx.db.execute(query.order_by(_table.c.given_at.is_(None), _table.c.id)).first()
        if found is not None and found.given_at is not None:
            return _approval(found).number
        number = found.id if found is not None else ask(tx, action, subject)
    raise InputError(
        f"须有第二人复核：请另一位主管运行 juying approval give {number}，之后重新运行同一命令",
        f"this needs a second person: another supervisor has to run juying approval give {number}; then run the same "
        "command again",
    )


def ask(tx: Transaction, action: Action, subject: Subject) -> int:
    """Ask for an approval; its number."""
    if action not in SECOND_PERSON:
        raise InputError("此操作不需要第二人复核", "this needs no second person", where=action.value)
    allow(tx.actor, action)
    values = {"action": action.value, "subject": canonical(subject), "asked_by": tx.actor.operator, "asked_at": tx.now}
    number: int = tx.db.execute(sa.insert(_table).values(values).returning(_table.c.id)).scalar_one()
    tx.note("approval-asked", {"approval": number, "action": action.value, "subject": subject})
    return number


def give(tx: Transaction, number: int) -> Approval:
    """Approve what another operator asked for; harmless twice. Raises `InputError`."""
    allow(tx.actor, Action.APPROVE)
    found = _get(tx, number)
    if found.asked_by == tx.actor.operator:
        raise InputError(
            "不能复核自己的请求，请另一位主管复核",
            "nobody approves what he asked for himself: another supervisor has to",
            where=_where(number),
        )
    if found.given_by == tx.actor.operator:
        return found
    if found.given_by is not None or found.ends_at <= tx.now:
        raise _no_good(number)
    given = {"given_by": tx.actor.operator, "given_at": tx.now}
    row = tx.db.execute(sa.update(_table).where(_table.c.id == number).values(given).returning(_table)).one()
    tx.note("approval-given", {"approval": number, "action": found.action.value})
    return _approval(row)


def use(tx: Transaction, number: int | None, action: Action, subject: Subject) -> None:
    """Use an approval up in the transaction that does what it is for. Raises `InputError` when it is no good.

    ``number`` is None where nobody could be second; anywhere else that is refused.
    """
    allow(tx.actor, action)
    if number is None:
        _act_alone(tx, action, subject)
        return
    found = _get(tx, number)
    asked = found.action is action and found.subject == canonical(subject) and found.asked_by == tx.actor.operator
    if not asked or found.given_by is None or found.used_at is not None or found.ends_at <= tx.now:
        raise _no_good(number)
    allow(on_behalf(tx.db, found.given_by), Action.APPROVE)  # whoever was disabled since then approves nothing
    tx.db.execute(sa.update(_table).where(_table.c.id == number).values(used_at=tx.now))
    tx.note("approval-used", {"approval": number, "action": action.value, "subject": subject})


def used(db: sa.Connection, action: Action, subject: Subject) -> bool:
    """Whether this was approved (or done alone, where that was right) and begun: it may be gone on with."""
    return (
        db.execute(sa.select(_table.c.id).where(_is(action, subject), _table.c.used_at.is_not(None))).first()
        is not None
    )


def allow_key(ledger: Ledger, actor: Actor, key: bytes, work: Subject) -> None:
    """Let an issuing key (its ``kid``) be used for a piece of work, such as ``{"lot": 7}``.

    Work that was allowed once may be gone on with, by whoever may use keys. Raises `InputError` as `second_person`.
    """
    subject = {"key": key.hex(), **work}
    with ledger.reading() as db:
        if used(db, Action.KEY_USE, subject):
            allow(actor, Action.KEY_USE)
            return
    number = second_person(ledger, actor, Action.KEY_USE, subject)
    with ledger.transaction(actor) as tx:
        use(tx, number, Action.KEY_USE, subject)


def listing(db: sa.Connection, *, now: datetime | None = None) -> list[Approval]:
    """All approvals; with ``now`` those that can still be given or used."""
    query = sa.select(_table) if now is None else _still_good(now)
    return [_approval(row) for row in db.execute(query.order_by(_table.c.id))]


def _act_alone(tx: Transaction, action: Action, subject: Subject) -> None:
    if not alone(tx.db):
        raise InputError("须有第二人复核，未作任何改动", "this needs a second person; nothing was changed")
    values = {"action": action.value, "subject": canonical(subject), "asked_by": tx.actor.operator}
    tx.db.execute(sa.insert(_table).values(**values, asked_at=tx.now, used_at=tx.now))
    tx.note("acted-alone", {"action": action.value, "subject": subject})


def _still_good(now: datetime) -> sa.Select[Any]:
    return sa.select(_table).where(_table.c.used_at.is_(None), _table.c.asked_at > now - TIME_LIMIT)


def _open(tx: Transaction) -> sa.Select[Any]:
    return _still_good(tx.now).with_for_update()


def _is(action: Action, subject: Subject) -> sa.ColumnElement[bool]:
    return sa.and_(_table.c.action == action.value, _table.c.subject == canonical(subject))


def _get(tx: Transaction, number: int) -> Approval:
    """The approval with this number, locked."""
    row = tx.db.execute(sa.select(_table).where(_table.c.id == number).with_for_update()).one_or_none()
    if row is None:
        raise InputError(
            "没有这个复核请求，请核对编号", "there is no such approval: check its number", where=_where(number)
        )
    return _approval(row)


def _approval(row: Any) -> Approval:
    return Approval(
        row.id, Action(row.action), row.subject, row.asked_by, row.asked_at, row.given_by, row.given_at, row.used_at
    )


def _no_good(number: int) -> InputError:
    return InputError(
        "此复核不能用：尚未复核、已用过、已过期，或不是为这件事、这位操作员给的；未作任何改动",
        "this approval is no good: it is not given, used up, too old, or for something or somebody else; nothing was "
        "changed",
        where=_where(number),
    )


def _where(number: int) -> str:
    return f"approvals/{number}"
