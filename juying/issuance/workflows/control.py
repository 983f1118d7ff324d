"""Starting, watching and ending jobs, from any machine that reaches the ledger."""

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, WorkflowStatus
from dbos import error as dbos_errors

from juying.errors import InputError
from juying.issuance.workflows.durable import JOB, client
from juying.issuance.workflows.tasks import ACTIONS, ROLES, ZONE, Kind
from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Action, allow
from juying.ledger.states import Word

_ACTIVE = ("PENDING", "ENQUEUED", "DELAYED")
_BROKEN = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class State(Word):
    """How far a job is."""

    WAITING = "waiting", "等待", "waiting"
    RUNNING = "running", "进行中", "running"
    DONE = "done", "完成", "done"
    FAILED = "failed", "有失败", "failed"
    """Some of it could not be done, and nothing is under way any more; see `retry`."""
    CANCELLED = "cancelled", "已取消", "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """A job, and what came of it so far: ``counts`` by name, ``problems`` as place and sentence.

    ``parts`` is None while the job is not planned; ``done`` and ``failed`` count parts.
    """

    id: str
    kind: Kind
    state: State
    scope: Mapping[str, Any]
    operator: int
    started_at: datetime
    ended_at: datetime | None
    parts: int | None
    done: int
    failed: int
    counts: Mapping[str, int]
    problems: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When jobs of a kind are started by themselves: ``cron`` counts in `ZONE`."""

    kind: Kind
    cron: str
    scope: Mapping[str, Any]
    operator: int


@dataclass(frozen=True, slots=True)
class Running:
    """A worker that runs, or did not say that it ended."""

    executor: str
    station: str
    kinds: tuple[Kind, ...]
    began_at: datetime
    seen_at: datetime


def start(ledger: Ledger, actor: Actor, kind: Kind, scope: Mapping[str, Any] | None = None) -> str:
    """Start a job; its id. While one with the same scope is under way, that is the one.

    ``scope`` holds names of services and ids only, see the modules of the kinds. Raises `InputError` when the operator
    may not.
    """
    _require(actor, kind)
    wanted = dict(scope or {})
    with client(ledger) as dbos:
        for job in _jobs(dbos, dbos.list_workflows(name=JOB, queue_name=kind.value, sort_desc=True, limit=20)):
            if job.scope == wanted and job.state in (State.WAITING, State.RUNNING):
                return job.id
        now = ledger.clock()
        number = f"{kind.value}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        with ledger.transaction(actor) as tx:
            dbos.enqueue_in_transaction(
                tx.db, {"workflow_name": JOB, "queue_name": kind.value, "workflow_id": number}, now.isoformat(),
                _context(kind, wanted, actor),
            )  # fmt: skip
            tx.note("job-started", {"job": number, "kind": kind.value, "scope": wanted})
    return number


def jobs(ledger: Ledger, *, limit: int = 20) -> list[Job]:
    """The last jobs, the newest first."""
    with client(ledger) as dbos:
        return _jobs(dbos, dbos.list_workflows(name=JOB, sort_desc=True, limit=limit))


def get(ledger: Ledger, number: str) -> Job:
    """One job. Raises `InputError` when there is none with this id."""
    with client(ledger) as dbos:
        return _get(dbos, number)


def cancel(ledger: Ledger, actor: Actor, number: str) -> Job:
    """End a job: what was begun is finished, the rest is left. Harmless twice."""
    with client(ledger) as dbos:
        job = _get(dbos, number)
        _require(actor, job.kind)
        with ledger.transaction(actor) as tx:
            tx.note("job-cancelled", {"job": number})
        # The job first, so that it plans no more parts.
        dbos.cancel_workflow(number)
        dbos.cancel_workflows([part.workflow_id for part in _parts(dbos, [number]) if part.status in _ACTIVE])
        return _get(dbos, number)


def retry(ledger: Ledger, actor: Actor, number: str) -> Job:
    """Try again what failed or was cancelled. Harmless twice."""
    with client(ledger) as dbos:
        job = _get(dbos, number)
        _require(actor, job.kind)
        with ledger.transaction(actor) as tx:
            tx.note("job-retried", {"job": number})
        flow = dbos.list_workflows(workflow_ids=[number], load_input=False)
        for each in (*flow, *_parts(dbos, [number])):
            if each.status == "CANCELLED":  # goes on where it stopped
                dbos.resume_workflow(each.workflow_id, queue_name=job.kind.value)
            elif each.status in _BROKEN:  # begins anew
                dbos.rewind_workflow(each.workflow_id, queue_name=job.kind.value)
        return _get(dbos, number)


def schedule(ledger: Ledger, actor: Actor, kind: Kind, cron: str, scope: Mapping[str, Any] | None = None) -> Schedule:
    """Start a job of this kind whenever ``cron`` (five fields) says, on behalf of this operator; one for each kind.

    Raises `InputError` for times that nobody understands.
    """
    _require(actor, kind)
    wanted = dict(scope or {})
    with client(ledger) as dbos:
        try:
            dbos.apply_schedules([
                {
                    "schedule_name": kind.value, "workflow_name": JOB, "schedule": cron, "cron_timezone": ZONE,
                    "queue_name": kind.value, "context": _context(kind, wanted, actor),
                }
            ])  # fmt: skip
        except dbos_errors.DBOSException:
            raise InputError(
                "时间写法不对，应为 cron 的五栏，如 30 2 * * *",
                "these are no times: five fields of cron are wanted, such as 30 2 * * *",
                where=cron,
            ) from None
        with ledger.transaction(actor) as tx:
            tx.note("job-scheduled", {"kind": kind.value, "cron": cron, "scope": wanted})
    return Schedule(kind, cron, wanted, actor.operator)


def unschedule(ledger: Ledger, actor: Actor, kind: Kind) -> None:
    """Start no more jobs of this kind by themselves; harmless when none were."""
    _require(actor, kind)
    with client(ledger) as dbos:
        dbos.delete_schedule(kind.value)
        with ledger.transaction(actor) as tx:
            tx.note("job-unscheduled", {"kind": kind.value})


def schedules(ledger: Ledger) -> list[Schedule]:
    """What is scheduled."""
    with client(ledger) as dbos:
        return [
            Schedule(Kind(row["schedule_name"]), row["schedule"], row["context"]["scope"], row["context"]["operator"])
            for row in dbos.list_schedules()
        ]


def workers(ledger: Ledger) -> list[Running]:
    """The workers, the oldest first."""
    table, stations = schema.workers, schema.stations
    query = sa.select(table, stations.c.name).join(stations, stations.c.id == table.c.station_id)
    with ledger.reading() as db:
        return [
            Running(row.executor, row.name, tuple(map(Kind, row.kinds.split(","))), row.began_at, row.seen_at)
            for row in db.execute(query.order_by(table.c.began_at))
        ]


def waiting(ledger: Ledger, kinds: Iterable[Kind]) -> bool:
    """Whether anything of these kinds waits or is under way."""
    with client(ledger) as dbos:
        queues = [kind.value for kind in kinds]
        found = dbos.list_workflows(
            queue_name=queues, status=list(_ACTIVE), limit=1, load_input=False, load_output=False
        )
        return bool(found)


def _require(actor: Actor, kind: Kind) -> None:
    allow(actor, Action.JOBS)
    allow(actor, ACTIONS[kind])
    if kind in ROLES:
        actor.require(*ROLES[kind])


def _context(kind: Kind, scope: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
    return {"kind": kind.value, "scope": scope, "operator": actor.operator}


def _get(dbos: DBOSClient, number: str) -> Job:
    flows = dbos.list_workflows(workflow_ids=[number], name=JOB)
    if not flows:
        raise InputError("没有这个任务，请核对编号", "there is no such job: check its id", where=number)
    return _jobs(dbos, flows)[0]


def _parts(dbos: DBOSClient, numbers: Sequence[str]) -> list[WorkflowStatus]:
    return dbos.list_workflows(workflow_id_prefix=[f"{number}/" for number in numbers], load_input=False)


def _jobs(dbos: DBOSClient, flows: Sequence[WorkflowStatus]) -> list[Job]:
    """Jobs with all that is known of their parts."""
    if not flows:
        return []
    parts: dict[str, list[WorkflowStatus]] = {flow.workflow_id: [] for flow in flows}
    for part in _parts(dbos, list(parts)):
        parts[part.workflow_id.rpartition("/")[0]].append(part)
    return [_job(flow, parts[flow.workflow_id]) for flow in flows]


def _job(flow: WorkflowStatus, parts: Sequence[WorkflowStatus]) -> Job:
    _, context = flow.input["args"] if flow.input else (None, {})
    everything = [flow, *parts]
    states = {each.status for each in everything}
    counts: Counter[str] = Counter()
    problems = [(each.workflow_id, str(each.error)) for each in everything if each.status in _BROKEN]
    for part in parts:
        result = part.output or {}
        counts.update({name: value for name, value in result.items() if name != "problems"})
        problems += [(place, sentence) for place, sentence in result.get("problems", ())]
    ended = [each.completed_at for each in everything if each.completed_at is not None]
    state = _state(flow, states)
    over = state not in (State.WAITING, State.RUNNING)
    return Job(
        id=flow.workflow_id,
        kind=Kind(context["kind"]),
        state=state,
        scope=context["scope"],
        operator=context["operator"],
        started_at=_instant(flow.created_at or 0),
        ended_at=_instant(max(ended)) if over and ended else None,
        parts=flow.output if flow.status == "SUCCESS" else None,
        done=sum(part.status == "SUCCESS" for part in parts),
        failed=sum(part.status in _BROKEN for part in parts),
        counts=dict(counts),
        problems=problems,
    )


def _state(flow: WorkflowStatus, states: Set[str]) -> State:
    if flow.status in ("ENQUEUED", "DELAYED"):
        return State.WAITING
    if not states.isdisjoint(_ACTIVE):
        return State.RUNNING
    if not states.isdisjoint(_BROKEN):
        return State.FAILED
    return State.CANCELLED if "CANCELLED" in states else State.DONE


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
