"""Operators: who may do what.

A new ledger knows one operator, `local`: whoever can open its database, with all roles. The first operator that is
registered has to be a supervisor, and from then on `local` is out of work: everybody logs in with a password and acts
in a session (`juying.ledger.sessions`). `PERMITS` says which role an action needs; `allow` asks. Some actions need a
second person as well, see `juying.ledger.approvals`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import LOCAL, Actor, Ledger, Transaction
from juying.ledger.passwords import Passwords
from juying.ledger.states import Role, Word

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LONGEST_NAME = 64

_table, _stations = schema.operators, schema.stations


class Action(Word):
    """What operators do."""

    READ = "read", "查询", "look things up"
    AUDIT = "audit", "核查台账", "audit the ledger"
    IMPORT = "import", "导入申请", "import applications"
    ORDERS = "orders", "安排订单", "plan, suspend and cancel orders"
    DELIVER = "deliver", "发放卡片", "hand cards over"
    STATION = "station", "制卡", "make cards at a station"
    STOCK = "stock", "登记卡坯", "take blanks into stock"
    SCRAP = "scrap", "销毁卡片", "scrap cards and blanks"
    PERMIT = "permit", "办理许可变动", "change permits"
    OVERRIDE = "override", "超期办理", "set a deadline aside"
    REVOKE = "revoke", "吊销凭证", "revoke credentials"
    BULK_REVOKE = "bulk-revoke", "批量吊销", "revoke in bulk"
    KEY_USE = "key-use", "使用签发密钥", "use an issuing key"
    JOBS = "jobs", "后台任务", "start jobs"
    PUBLISH = "publish", "发布状态列表", "publish status lists"
    OPERATORS = "operators", "管理操作员", "manage operators"
    APPROVE = "approve", "复核", "approve as the second person"
    ERASE = "erase", "删除个人信息", "erase persons"
    EXPORT_PERSON = "export-person", "导出个人信息", "export what is stored on a person"
    BACKUP = "backup", "备份", "back the ledger up"
    REKEY = "rekey", "重新封装台账密钥", "seal the ledger's key anew"


_CLERKS = frozenset({Role.INTAKE, Role.SUPERVISOR})
_MAKERS = frozenset({Role.ISSUING, Role.SUPERVISOR})
_SUPERVISORS = frozenset({Role.SUPERVISOR})

PERMITS: Mapping[Action, frozenset[Role]] = {
    Action.READ: frozenset(Role),
    Action.AUDIT: frozenset({Role.SUPERVISOR, Role.AUDITOR}),
    Action.IMPORT: frozenset({Role.INTAKE}),
    Action.ORDERS: _CLERKS,
    Action.DELIVER: frozenset({Role.INTAKE, Role.ISSUING}),
    Action.STATION: frozenset({Role.ISSUING}),
    Action.STOCK: _MAKERS,
    Action.SCRAP: _MAKERS,
    Action.PERMIT: frozenset({Role.INTAKE}),
    Action.OVERRIDE: _SUPERVISORS,
    Action.REVOKE: _SUPERVISORS,
    Action.BULK_REVOKE: _SUPERVISORS,
    Action.KEY_USE: _CLERKS | _MAKERS,  # lots, and lists that are handed over, are signed
    Action.JOBS: _MAKERS,
    Action.PUBLISH: _MAKERS,
    Action.OPERATORS: _SUPERVISORS,
    Action.APPROVE: _SUPERVISORS,
    Action.ERASE: _SUPERVISORS,
    Action.EXPORT_PERSON: _SUPERVISORS,
    Action.BACKUP: frozenset({Role.SUPERVISOR, Role.AUDITOR}),  # an auditor's account does for the nightly one
    Action.REKEY: _SUPERVISORS,
}
"""The roles of which an operator needs one."""


def allow(actor: Actor, action: Action) -> None:
    """Raise `InputError` unless the operator may do this."""
    actor.require(*(role for role in Role if role in PERMITS[action]))


@dataclass(frozen=True, slots=True)
class Operator:
    """A registered operator."""

    id: int
    name: str = field(repr=False)
    roles: frozenset[Role]
    active: bool
    made_at: datetime

    def actor(self, station: int | None = None, session: bytes = b"") -> Actor:
        """The same operator at work."""
        return Actor(self.id, self.name, self.roles, station, session)


class Operators:
    """The operators of a ledger."""

    def __init__(self, ledger: Ledger, hasher: "PasswordHasher | None" = None) -> None:
        """``hasher`` is argon2's; its present defaults unless given."""
        self._ledger = ledger
        self._passwords = Passwords(ledger, hasher)

    def listing(self) -> list[Operator]:
        """All operators, `local` too."""
        with self._ledger.reading() as db:
            return [operator_of(row) for row in db.execute(sa.select(_table).order_by(_table.c.id))]

    def add(self, actor: Actor, name: str, roles: Iterable[Role], password: str) -> Operator:
        """Register an operator. The first has to be a supervisor, and ends the time of `local`.

        Raises `InputError` when the name is taken or no name, and when the password is no good.
        """
        allow(actor, Action.OPERATORS)
        name, joined = _checked(name), _joined(roles)
        hashed = self._passwords.hash(password, name)
        with self._ledger.transaction(actor) as tx:
            rows = _locked(tx)
            if name in {row.name for row in rows}:
                raise InputError("已有同名操作员，请另取名称", "there is an operator of this name: take another one")
            row = tx.db.execute(
                sa.insert(_table)
                .values(name=name, roles=joined, password_hash=hashed, active=True, made_at=tx.now)
                .returning(_table)
            ).one()
            tx.db.execute(sa.update(_table).where(_table.c.name == LOCAL).values(active=False))
            _require_supervisor(tx)
            tx.note("operator-added", {"operator": row.id, "roles": joined})
            return operator_of(row)

    def set_roles(self, actor: Actor, name: str, roles: Iterable[Role]) -> Operator:
        """Give an operator other roles; ends the operator's sessions. A supervisor always remains."""
        allow(actor, Action.OPERATORS)
        joined = _joined(roles)
        with self._ledger.transaction(actor) as tx:
            return _change(tx, name, "operator-roles", {"roles": joined}, roles=joined)

    def set_active(self, actor: Actor, name: str, active: bool) -> Operator:
        """Let an operator work, or not any more: that ends the operator's sessions. A supervisor always remains."""
        allow(actor, Action.OPERATORS)
        with self._ledger.transaction(actor) as tx:
            return _change(tx, name, "operator-enabled" if active else "operator-disabled", {}, active=active)

    def set_password(self, actor: Actor, name: str, password: str, old: str | None = None) -> Operator:
        """Give an operator a new password; ends the operator's sessions, and a pause after wrong passwords.

        Operators need their ``old`` one, supervisors may do it for others.
        """
        if name != actor.name:
            allow(actor, Action.OPERATORS)
        else:
            self._passwords.check(name, old or "")
        hashed = self._passwords.hash(password, name)
        with self._ledger.transaction(actor) as tx:
            return _change(tx, name, "password-set", {}, password_hash=hashed, failures=0, failed_at=None)


def alone(db: sa.Connection) -> bool:
    """Whether nobody is registered, so that `local` acts and there is no second person."""
    return bool(db.execute(sa.select(_table.c.active).where(_table.c.name == LOCAL)).scalar())


def on_behalf(db: sa.Connection, operator: int, station: int | None = None) -> Actor:
    """The operator with this id, for work that goes on after the session in which it was started.

    Raises `InputError` when the operator is not to work any more.
    """
    row = db.execute(sa.select(_table).where(_table.c.id == operator, _table.c.active)).one_or_none()
    if row is None:
        raise InputError(
            "此操作员已停用，未作任何改动；请由在职操作员登录后继续",
            "this operator does not work here any more, nothing was changed: another one has to log in and go on",
        )
    return operator_of(row).actor(station)


def at_station(ledger: Ledger, actor: Actor, name: str) -> Actor:
    """The same operator at the station called ``name``; a new name is registered."""
    name = _checked(name)
    query = sa.select(_stations.c.id).where(_stations.c.name == name)
    with ledger.reading() as db:
        station = db.execute(query).scalar()
    if station is None:
        with ledger.transaction(actor) as tx:
            _lock_all(tx)
            station = tx.db.execute(query).scalar()
            if station is None:
                new = sa.insert(_stations).values(name=name, made_at=tx.now).returning(_stations.c.id)
                station = tx.db.execute(new).scalar_one()
                tx.note("station-added", {"station": station})
    return replace(actor, station=station)


def operator_of(row: Any) -> Operator:
    """The operator in a row of the table."""
    roles = frozenset(Role(role) for role in row.roles.split(","))
    return Operator(row.id, row.name, roles, row.active, row.made_at)


def _lock_all(tx: Transaction) -> Sequence[Any]:
    """All operators, locked so that changes come one after the other; events may refer to them meanwhile."""
    return tx.db.execute(sa.select(_table).order_by(_table.c.id).with_for_update(key_share=True)).all()


def _locked(tx: Transaction) -> Sequence[Any]:
    """All operators, locked. Raises `InputError` unless the one who changes them is active."""
    rows = _lock_all(tx)
    if not any(row.id == tx.actor.operator and row.active for row in rows):
        raise InputError(
            "已有登记的操作员，请登录后操作：juying login",
            "operators are registered here: log in first, with juying login",
        )
    return rows


def _change(tx: Transaction, name: str, kind: str, details: Mapping[str, Any], **values: Any) -> Operator:
    """Change an operator, and end the operator's sessions."""
    found = next((row for row in _locked(tx) if row.name == name != LOCAL), None)
    if found is None:
        raise InputError("没有这个操作员，请核对名称", "there is no such operator: check the name")
    row = tx.db.execute(sa.update(_table).where(_table.c.id == found.id).values(values).returning(_table)).one()
    _require_supervisor(tx)
    tx.db.execute(sa.delete(schema.sessions).where(schema.sessions.c.operator_id == found.id))
    tx.note(kind, {"operator": found.id, **details})
    return operator_of(row)


def _require_supervisor(tx: Transaction) -> None:
    active = map(operator_of, tx.db.execute(sa.select(_table).where(_table.c.active)))
    if not any(Role.SUPERVISOR in operator.roles for operator in active):
        raise InputError(
            "至少须有一位在职主管，否则无人能管理操作员，未作任何改动",
            "at least one active operator has to be a supervisor, or nobody could manage the others; nothing was "
            "changed",
        )


def _checked(name: str) -> str:
    if name != name.strip() or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise InputError(
            f"名称须有 1 至 {LONGEST_NAME} 个可见字符，首尾无空格",
            f"a name has 1 to {LONGEST_NAME} visible characters, without spaces around them",
        )
    return name


def _joined(roles: Iterable[Role]) -> str:
    """Roles as the database has them, in the order of `Role`."""
    given = set(roles)
    if not given:
        raise InputError("操作员至少须有一个角色", "an operator has one role at least")
    return ",".join(role for role in Role if role in given)
