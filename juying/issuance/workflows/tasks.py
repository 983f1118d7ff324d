"""What a job consists of: a plan of parts, and the steps that each part goes through."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import islice
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa

from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Action
from juying.ledger.states import PermitState, Role, Word

ZONE = "Asia/Shanghai"
"""In which days begin, whatever the machine thinks."""
_CHINA = timezone(timedelta(hours=8))

Part = Sequence[Any]
"""A piece of a job, in values that JSON has: usually the first and the last id of some records."""
Step = Callable[["Case", Part, Any], Any]
"""Does one thing for a part, and gives what the next step or the report needs, again in values that JSON has."""

Item = TypeVar("Item")


class Kind(Word):
    """The kinds of jobs. Each has a queue of its own, so a worker takes those that it is equipped for."""

    SIGN = "sign", "签发凭证", "sign credentials"
    ENROL = "enrol", "登记到服务", "enrol at a service"
    PUBLISH = "publish", "发布状态列表", "publish status lists"
    REMIND = "remind", "到期提醒", "remind before expiry"
    EXPIRE = "expire", "许可到期处理", "end expired permits"


ACTIONS: Mapping[Kind, Action] = {
    Kind.SIGN: Action.KEY_USE,
    Kind.ENROL: Action.JOBS,
    Kind.PUBLISH: Action.PUBLISH,
    Kind.REMIND: Action.JOBS,
    Kind.EXPIRE: Action.JOBS,
}
"""What the operator who starts a job has to be allowed."""
ROLES: Mapping[Kind, tuple[Role, ...]] = {Kind.EXPIRE: (Role.INTAKE, Role.SUPERVISOR)}
"""Of which the operator needs one besides."""


class Ended(BaseException):
    """The worker ends: what was begun stays open, and another worker goes on with it."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a step works on: the ``job`` (its id) with its ``scope``, for the operator who started it.

    ``today`` is the day for which the job was started or scheduled, ``going_on`` raises `Ended` when the worker ends.
    """

    job: str
    scope: Mapping[str, Any]
    today: date
    ledger: Ledger
    actor: Actor
    going_on: Callable[[], None] = lambda: None

    @property
    def now(self) -> datetime:
        """The present time."""
        return self.ledger.clock()


class Task(ABC):
    """How a worker does the jobs of one kind."""

    kind: ClassVar[Kind]
    at_once: ClassVar[int] = 1
    """Parts that one worker does at the same time."""

    @abstractmethod
    def plan(self, case: Case) -> list[Part]:
        """The parts of a job. Raises `InputError` for a scope that is none."""

    @property
    @abstractmethod
    def steps(self) -> tuple[Step, ...]:
        """The steps of a part. Each is given the result of the one before, the first None; the last one's are counts
        by name, and under ``problems`` lists of a place and a sentence.
        """


def local_day(instant: datetime) -> date:
    """The day in `ZONE`."""
    return instant.astimezone(_CHINA).date()


def ranges(ids: Iterable[int], size: int) -> list[Part]:
    """The first and the last of every ``size`` ids, which come in order."""
    return [[part[0], part[-1]] for part in batches(ids, size)]


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """``size`` items at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def between(column: sa.ColumnElement[int], part: Part) -> sa.ColumnElement[bool]:
    """The ids of a part."""
    first, last = part
    return column.between(first, last)


def valid_permits(case: Case) -> sa.ColumnElement[bool]:
    """The valid permits that have not run out on the day of the job, of the lot if the scope names one."""
    table = schema.permits
    condition = sa.and_(table.c.state == PermitState.VALID.value, table.c.valid_until >= case.today)
    lot = case.scope.get("lot")
    if lot is None:
        return condition
    applications = schema.applications
    return sa.and_(condition, table.c.id.in_(sa.select(applications.c.permit_id).where(applications.c.lot_id == lot)))
