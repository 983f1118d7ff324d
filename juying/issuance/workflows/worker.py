"""A worker: takes parts of jobs, and goes on with those of workers that died.

Each run of a worker has a name of its own, under which DBOS notes what it has begun, and keeps a row in the ledger that
changes every few seconds. A row that does not change for a while belongs to a worker that is gone; whoever sees that
puts back what it had begun. No clock is compared with another one: a worker counts by its own how long the row stayed
the same. A worker that was only asleep wakes up to find that its part is not its own any more; what both did is there
once, because each step looks first.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID

from juying.errors import InputError, JuyingError, LedgerUnavailable, PlatformUnavailable
from juying.issuance.workflows.durable import JOB, PART, client, config, silence
from juying.issuance.workflows.tasks import Case, Ended, Kind, Part, Task, local_day
from juying.ledger import engine as databases
from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import on_behalf

PATIENCE = 30.0
"""Seconds without a sign of life after which a worker is taken for dead."""
POLL = 0.5
"""Seconds between two looks for work."""
ATTEMPTS, PAUSE, LONGEST_PAUSE = 8, 1.0, 60.0
"""A step whose service is away is tried so often, with pauses that double; one without its ledger for ever."""
FAREWELL = 600
"""Seconds for the steps that are under way when the worker ends."""

Told = Callable[[Mapping[str, Any]], None]
_table = schema.workers
_SIGNS = 6
"""Signs of life in the time of `PATIENCE`."""
_LOOK = 1.0


class Worker:
    """Works on the jobs of a ledger until `stop`; one in a process.

    ``actor`` names the station; each job is done for the operator who started it. ``tasks`` are what the worker is
    equipped for. ``told`` hears what happens, from several threads, as records without personal data. ``patience`` is
    that with other workers, in seconds, and ``pause`` the first one before a step is tried again.
    """

    def __init__(
        self,
        ledger: Ledger,
        actor: Actor,
        tasks: Sequence[Task],
        *,
        told: Told = lambda event: None,
        patience: float = PATIENCE,
        pause: float = PAUSE,
    ) -> None:
        """Raises `InputError` when it is equipped for nothing, or stands at no station."""
        if not tasks:
            raise InputError("工作进程没有可做的任务", "the worker is equipped for no job")
        if actor.station is None:
            raise InputError("请用 --station 指明工位", "name the station with --station")
        self.executor = f"{actor.station}-{secrets.token_hex(8)}"
        self._ledger, self._actor, self._told, self._patience, self._pause = ledger, actor, told, patience, pause
        self._tasks = {task.kind: task for task in tasks}
        self._stop = threading.Event()
        self._seen: dict[str, tuple[datetime, float]] = {}
        self._busy: set[str] = set()
        self._idle: set[str] = set()

    def stop(self) -> None:
        """End after the steps that are under way."""
        self._stop.set()

    def run(self, *, over: Callable[[], bool] = lambda: False) -> None:
        """Work until `stop`, or until ``over`` says so, which is asked about every second."""
        self._enter()
        try:
            with databases.database_errors(self._ledger.where):
                self._launch()
            self._told({"event": "started", "worker": self.executor, "kinds": [kind.value for kind in self._tasks]})
            sign, due, away = self._patience / _SIGNS, 0.0, False
            while not self._stop.wait(min(sign, _LOOK)):
                try:
                    if time.monotonic() >= due:
                        self._live()
                        due = time.monotonic() + sign
                    if over():
                        break
                    away = False
                except LedgerUnavailable as error:
                    if not away:  # told once
                        self._told({"event": "unavailable", **error.text._asdict()})
                    away = True
        finally:
            self._stop.set()
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=FAREWELL)
            with suppress(LedgerUnavailable):  # then the others notice by themselves
                self._leave()
            self._told({"event": "ended", "worker": self.executor})

    # Its workflows

    def _launch(self) -> None:
        silence()
        DBOS(config=config(self._ledger, self.executor))

        @DBOS.workflow(name=PART)
        def part(at: str, context: Mapping[str, Any], content: Part) -> Any:
            with self._doing():
                return self._do_part(at, context, content)

        @DBOS.workflow(name=JOB)
        def job(at: str, context: Mapping[str, Any]) -> int:
            with self._doing():
                parts = self._plan(at, context)
                for number, content in enumerate(parts):
                    self._go_on()
                    with SetWorkflowID(f"{DBOS.workflow_id}/{number:05}"):
                        DBOS.enqueue_workflow(context["kind"], part, at, context, content)
                return len(parts)

        DBOS.listen_queues([kind.value for kind in self._tasks])
        DBOS.launch()
        for kind, task in self._tasks.items():
            DBOS.register_queue(kind.value, worker_concurrency=task.at_once, polling_interval_sec=POLL)

    @contextmanager
    def _doing(self) -> Iterator[None]:
        """A workflow is under way in this process."""
        number = str(DBOS.workflow_id)
        self._busy.add(number)
        try:
            yield
        finally:
            self._busy.discard(number)

    def _plan(self, at: str, context: Mapping[str, Any]) -> Sequence[Part]:
        """The parts of a job."""
        number, task = str(DBOS.workflow_id), self._tasks[Kind(context["kind"])]
        parts: Sequence[Part] = DBOS.run_step(
            {"name": "plan"}, self._steadily, lambda: task.plan(self._case(number, at, context))
        )
        self._told({"event": "planned", "job": number, "parts": len(parts)})
        return parts

    def _do_part(self, at: str, context: Mapping[str, Any], content: Part) -> Any:
        """The steps of a part, one after the other."""
        number, task = str(DBOS.workflow_id), self._tasks[Kind(context["kind"])]
        job = number.rpartition("/")[0]
        result: Any = None
        for step in task.steps:
            # The function is called before the next turn of the loop.
            do = lambda: step(self._case(job, at, context), content, result)  # noqa: B023, E731
            result = DBOS.run_step({"name": step.__name__}, self._steadily, do)
        counts = {name: value for name, value in result.items() if name != "problems"}
        self._told({"event": "part", "part": number, **counts, "problems": len(result.get("problems", ()))})
        return result

    def _case(self, job: str, at: str, context: Mapping[str, Any]) -> Case:
        """What a step works on; the operator is looked up each time, and may not work here any more."""
        with self._ledger.reading() as db:
            actor = on_behalf(db, context["operator"], self._actor.station)
        today = local_day(datetime.fromisoformat(at))
        return Case(job, context["scope"], today, self._ledger, actor, self._go_on)

    def _steadily(self, step: Callable[[], Any]) -> Any:
        """Do a step; when a server is away, try again after a while, and for the ledger as often as it takes."""
        attempt = 0
        while True:
            self._go_on()
            attempt += 1
            try:
                return step()
            except PlatformUnavailable as error:
                if attempt >= ATTEMPTS and not isinstance(error, LedgerUnavailable):
                    raise
                self._told({"event": "unavailable", **error.text._asdict()})
                self._stop.wait(min(self._pause * 2 ** min(attempt, ATTEMPTS), LONGEST_PAUSE))
            except JuyingError:
                raise
            except Exception as error:
                # Its words would be kept with the job, and may hold anything.
                name = type(error).__name__
                raise InputError(f"程序错误 {name}", f"a fault of the program: {name}") from None

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Ended

    # Its sign of life

    def _enter(self) -> None:
        kinds = ",".join(kind.value for kind in self._tasks)
        with databases.writing(self._ledger.engine, self._ledger.where) as db:
            now = self._ledger.clock()
            values = {"station_id": self._actor.station, "kinds": kinds, "began_at": now, "seen_at": now}
            db.execute(sa.insert(_table).values(executor=self.executor, **values))

    def _live(self) -> None:
        """Show a sign of life, and look for those of the others."""
        with databases.writing(self._ledger.engine, self._ledger.where) as db:
            sign = sa.update(_table).where(_table.c.executor == self.executor)
            alive = db.execute(sign.values(seen_at=self._ledger.clock())).rowcount
        if not alive:  # it slept, and was taken for dead
            self._enter()
        with self._ledger.reading() as db:
            rows = {row.executor: row.seen_at for row in db.execute(sa.select(_table))}
        now = time.monotonic()
        for name, at in rows.items():
            if self._seen.get(name, (None,))[0] != at:
                self._seen[name] = at, now
            elif name != self.executor and now - self._seen[name][1] >= self._patience:
                self._take_over(name)

        self._pick_up()

    def _pick_up(self) -> None:
        """Put back what is noted as begun here and is not, because the database was lost at that moment."""
        flows = DBOS.list_workflows(executor_id=self.executor, status="PENDING", load_input=False, load_output=False)
        idle = {flow.workflow_id: flow.queue_name for flow in flows if flow.workflow_id not in self._busy}
        for number in idle.keys() & self._idle:  # at two looks: it is not just about to begin or to end
            DBOS.resume_workflow(number, queue_name=idle[number])
        self._idle = set(idle)

    def _take_over(self, executor: str) -> None:
        """Put back what a dead worker had begun; several workers may do so at once."""
        found = DBOS._recover_pending_workflows([executor])
        with databases.writing(self._ledger.engine, self._ledger.where) as db:
            db.execute(sa.delete(_table).where(_table.c.executor == executor))
        del self._seen[executor]
        self._told({"event": "taken-over", "worker": executor, "workflows": len(found)})

    def _leave(self) -> None:
        """Put back what was begun and not finished, and go."""
        with client(self._ledger) as dbos:
            for kind in self._tasks:
                begun = dbos.list_workflows(executor_id=self.executor, status="PENDING", queue_name=kind.value)
                if begun:
                    dbos.resume_workflows([flow.workflow_id for flow in begun], queue_name=kind.value)
        with databases.writing(self._ledger.engine, self._ledger.where) as db:
            db.execute(sa.delete(_table).where(_table.c.executor == self.executor))
