"""Jobs from start to end through workers of this process: progress, cancelling, trying again, schedules."""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from juying.credential.status import StatusLists
from juying.errors import InputError, LedgerUnavailable, PlatformUnavailable
from juying.issuance.workflows import control, worker
from juying.issuance.workflows.control import State
from juying.issuance.workflows.routine import Expiring, Publishing
from juying.issuance.workflows.signing import Signing
from juying.issuance.workflows.tasks import Case, Kind, Part, Step, Task, batches, local_day
from juying.issuance.workflows.worker import Worker
from juying.ledger import schema
from juying.ledger.approvals import give
from juying.ledger.operators import Operators, at_station
from juying.ledger.states import PermitState, Role
from tests import people
from tests.harness import PrivatePostgres
from tests.issuance.working import TODAY, Desk, desk


@pytest.fixture
def office(database: str, tmp_path: Path) -> Iterator[Desk]:
    with desk(database, tmp_path) as opened:
        yield opened


@pytest.fixture
def hasher() -> Any:
    """As argon2 is used, but quick."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Scripted(Task):
    """Does what a script says; the parts are numbers. ``done`` are those that went well."""

    kind = Kind.EXPIRE

    parts: int
    script: dict[int, Exception]
    done: list[int]

    def plan(self, case: Case) -> list[Part]:
        return [[number] for number in range(self.parts)]

    @property
    def steps(self) -> tuple[Step, ...]:
        return (self.work,)

    def work(self, case: Case, part: Part, _: Any) -> dict[str, Any]:
        (number,) = part
        if number in self.script:
            raise self.script.pop(number)
        self.done.append(number)
        return {"worked": 1, "problems": [[f"number/{number}", "odd"]] if number % 2 else []}


def test_a_job_goes_from_waiting_to_done_and_says_what_came_of_it(office: Desk) -> None:
    office.add(5)
    job = office.start(Kind.SIGN)
    assert control.get(office.ledger, job).state is State.WAITING
    assert office.start(Kind.SIGN) == job, "the same job is not started twice"
    assert office.start(Kind.SIGN, lot=1) != job
    told: list[Mapping[str, Any]] = []
    office.work(Signing(office.office, office.folder / "pictures", size=2), told=told.append)
    found = control.get(office.ledger, job)
    assert (found.state, found.parts, found.done, found.failed) == (State.DONE, 3, 3, 0)
    assert found.counts == {"signed": 10, "drawn": 10}
    assert found.ended_at is not None
    assert found.ended_at >= found.started_at
    assert [event["event"] for event in told if event["event"] != "part"] == ["started", "planned", "planned", "ended"]
    assert sum(event.get("signed", 0) for event in told) == 10
    assert {row.details for row in office.events("job-started")} >= {f'{{"job":"{job}","kind":"sign","scope":{{}}}}'}
    assert office.start(Kind.SIGN) != job, "the next one is another one"
    office.all_there(pictures=office.folder / "pictures")


def test_events_name_the_operator_of_the_job_and_the_station_of_the_worker(office: Desk, hasher: Any) -> None:
    operators = Operators(office.ledger, hasher)
    boss = operators.add(office.ledger.local, "boss", [Role.SUPERVISOR], "correct horse battery")
    other = operators.add(boss.actor(), "other", [Role.SUPERVISOR], "correct horse battery")
    clerk = operators.add(boss.actor(), "clerk", [Role.INTAKE], "correct horse battery")
    office.add(2)
    with pytest.raises(InputError, match="lacks the role"):
        control.start(office.ledger, clerk.actor(), Kind.SIGN)
    job = control.start(office.ledger, boss.actor(), Kind.SIGN)
    station = at_station(office.ledger, other.actor(), "worker")

    def work() -> None:
        Worker(office.ledger, station, [Signing(office.office)], patience=0.6).run(
            over=lambda: not control.waiting(office.ledger, [Kind.SIGN])
        )

    work()
    found = control.get(office.ledger, job)
    assert found.state is State.FAILED
    ((where, problem),) = found.problems
    assert (where, "juying approval give 1" in problem) == (job, True)
    with office.ledger.transaction(other.actor()) as tx:
        give(tx, 1)
    assert control.retry(office.ledger, boss.actor(), job).state is State.WAITING
    work()
    assert control.get(office.ledger, job).state is State.DONE
    signed = office.events("credential-signed")
    assert {(row.operator_id, row.station_id) for row in signed} == {(boss.id, station.station)}
    office.all_there()


def test_a_job_of_an_operator_who_left_is_not_done(office: Desk, hasher: Any) -> None:
    operators = Operators(office.ledger, hasher)
    boss = operators.add(office.ledger.local, "boss", [Role.SUPERVISOR], "correct horse battery").actor()
    clerk = operators.add(boss, "second", [Role.SUPERVISOR], "correct horse battery")
    job = control.start(office.ledger, clerk.actor(), Kind.EXPIRE)
    operators.set_active(boss, "second", False)
    office.ledger.local = boss
    office.work(Expiring())
    found = control.get(office.ledger, job)
    assert found.state is State.FAILED
    assert "does not work here any more" in found.problems[0][1]


def test_what_fails_is_tried_again_by_hand_and_nothing_else(office: Desk) -> None:
    faults = {1: InputError("不行", "no good"), 2: KeyError("MUSTER MAX")}
    task = Scripted(4, dict(faults), [])
    job = office.start(Kind.EXPIRE)
    office.work(task)
    found = control.get(office.ledger, job)
    assert (found.state, found.done, found.failed, found.counts) == (State.FAILED, 2, 2, {"worked": 2})
    problems = sorted(problem for _, problem in found.problems)
    assert problems == ["odd", "不行 / no good", "程序错误 KeyError / a fault of the program: KeyError"]
    control.retry(office.ledger, office.ledger.local, job)
    assert control.get(office.ledger, job).state is State.RUNNING
    office.work(task)
    found = control.get(office.ledger, job)
    assert (found.state, found.done, found.failed, found.counts) == (State.DONE, 4, 0, {"worked": 4})
    assert sorted(task.done) == [0, 1, 2, 3]


def test_a_server_that_is_away_is_asked_again(office: Desk) -> None:
    told: list[Mapping[str, Any]] = []
    task = Scripted(1, {0: PlatformUnavailable("不通", "away")}, [])
    job = office.start(Kind.EXPIRE)
    office.work(task, told=told.append)
    assert control.get(office.ledger, job).state is State.DONE
    assert {"event": "unavailable", "zh": "不通", "en": "away"} in told


def test_a_server_that_stays_away_is_given_up(office: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ATTEMPTS", 3)

    class Away(Scripted):
        def work(self, case: Case, part: Part, _: Any) -> dict[str, Any]:
            self.done.append(0)
            raise PlatformUnavailable("不通", "away")

    task = Away(1, {}, [])
    task.__class__.work.__name__ = "work"
    job = office.start(Kind.EXPIRE)
    office.work(task)
    assert control.get(office.ledger, job).problems == [(f"{job}/00000", "不通 / away")]
    assert task.done == [0, 0, 0]


def test_a_cancelled_job_goes_on_where_it_stopped(office: Desk) -> None:
    task = Scripted(3, {}, [])
    job = office.start(Kind.EXPIRE)
    worker = office.worker(task)

    def cancel(case: Case, part: Part, before: Any) -> dict[str, Any]:
        control.cancel(office.ledger, office.ledger.local, job)
        return Scripted.work(task, case, part, before)

    cancel.__name__ = "work"
    first = replace(task)
    object.__setattr__(first, "work", cancel)
    worker = office.worker(first)
    worker.run(over=lambda: control.get(office.ledger, job).state is State.CANCELLED)
    found = control.get(office.ledger, job)
    assert found.state is State.CANCELLED
    assert len(task.done) == 1
    assert control.cancel(office.ledger, office.ledger.local, job).state is State.CANCELLED
    control.retry(office.ledger, office.ledger.local, job)
    office.work(task)
    found = control.get(office.ledger, job)
    assert (found.state, found.done) == (State.DONE, 3)
    assert set(task.done) == {0, 1, 2}


def test_a_job_that_nobody_has_begun_can_be_cancelled(office: Desk) -> None:
    job = office.start(Kind.EXPIRE)
    assert control.cancel(office.ledger, office.ledger.local, job).state is State.CANCELLED
    assert not control.waiting(office.ledger, [Kind.EXPIRE])
    assert [found.id for found in control.jobs(office.ledger)] == [job]


def test_a_worker_takes_only_what_it_is_equipped_for(office: Desk) -> None:
    mine, others = office.start(Kind.EXPIRE), office.start(Kind.PUBLISH)
    office.work(Expiring())
    assert control.get(office.ledger, mine).state is State.DONE
    assert control.get(office.ledger, others).state is State.WAITING


def test_a_worker_needs_something_to_do_and_a_place(office: Desk) -> None:
    with pytest.raises(InputError, match="equipped for no job"):
        office.worker()
    with pytest.raises(InputError, match="--station"):
        Worker(office.ledger, office.ledger.local, [Expiring()])


def test_workers_are_seen_as_long_as_they_run(office: Desk) -> None:
    seen: list[control.Running] = []

    def over() -> bool:
        seen.extend(control.workers(office.ledger))
        return len(seen) > 1

    office.worker(Expiring()).run(over=over)
    assert {(each.station, each.kinds) for each in seen} == {("worker", (Kind.EXPIRE,))}
    assert control.workers(office.ledger) == []


def test_schedules_start_jobs_by_themselves(office: Desk) -> None:
    local = office.ledger.local
    with pytest.raises(InputError, match="five fields"):
        control.schedule(office.ledger, local, Kind.EXPIRE, "now and then")
    control.schedule(office.ledger, local, Kind.EXPIRE, "0 3 * * *")
    planned = control.schedule(office.ledger, local, Kind.EXPIRE, "* * * * * *")
    assert control.schedules(office.ledger) == [planned]
    office.worker(Expiring()).run(over=lambda: any(job.state is State.DONE for job in control.jobs(office.ledger)))
    done = [job for job in control.jobs(office.ledger) if job.state is State.DONE]
    assert (done[0].kind, done[0].operator, done[0].scope) == (Kind.EXPIRE, 1, {})
    control.unschedule(office.ledger, local, Kind.EXPIRE)
    control.unschedule(office.ledger, local, Kind.EXPIRE)
    assert control.schedules(office.ledger) == []


def test_status_lists_are_published(office: Desk) -> None:
    office.add(2)
    office.do(Signing(office.office))
    folder = office.folder / "lists"
    task = Publishing(office.office, folder)
    assert office.do(task) == {"published": 1, "problems": []}
    assert office.do(task) == {"published": 1, "problems": []}, "again, later"
    lists = StatusLists.load(folder, office.office.trust, now=people.NOW)
    assert [held.content.number for held in lists] == [1]


def test_permits_end_when_their_last_day_is_past(office: Desk) -> None:
    gone = office.add(3, valid_until=people.permit().valid_from.replace(month=11))
    (kept,) = office.add(1, first=5, valid_until=TODAY)
    assert office.do(Expiring()) == {"expired": 3, "problems": []}
    states = {row.id: row.state for row in office.rows(schema.permits)}
    assert states == {**dict.fromkeys(gone, PermitState.EXPIRED.value), kept: PermitState.VALID.value}
    assert office.do(Expiring()) == {"expired": 0, "problems": []}


def test_the_tables_of_dbos_hold_nobodys_name_number_or_credential(office: Desk) -> None:
    office.add(2)
    office.add(1, first=7, region="110000")  # cannot be signed
    office.start(Kind.SIGN)
    office.work(Signing(office.office, office.folder / "pictures", size=2))
    everything = json.dumps(_dbos_rows(office), default=str, ensure_ascii=False)
    assert "credential" not in everything.lower().replace("credentials", "")
    person = people.holder(document_number="X0000000")
    for value in (person.name, person.chinese_name, "ERIKSSON", "X000000", "ZJ000000", "10000000001", "虚构路"):
        assert value not in everything
    for row in office.rows(schema.credentials):
        record = office.ledger.vault.open_bytes(row.sealed, f"credentials/{row.id}")
        assert record.hex() not in everything.lower()


def _dbos_rows(office: Desk) -> dict[str, list[Any]]:
    """All tables of DBOS."""
    name = None if office.ledger.engine.dialect.name == "sqlite" else "juying_jobs"
    own = set(schema.metadata.tables)
    with office.ledger.reading() as db:
        tables = [table for table in sa.inspect(db).get_table_names(schema=name) if table not in own]
        rows = {
            table: [tuple(row) for row in db.execute(sa.select(sa.text("*")).select_from(sa.table(table, schema=name)))]
            for table in tables
        }
    assert {"workflow_status", "operation_outputs"} <= rows.keys()
    assert rows["operation_outputs"]
    return rows


def test_dbos_says_nothing(office: Desk, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    office.start(Kind.EXPIRE)
    with caplog.at_level(logging.DEBUG):
        office.work(Scripted(2, {0: InputError("不行", "no good")}, []))
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith("dbos")] == []


def test_a_lost_database_is_waited_for(private_postgres: PrivatePostgres, tmp_path: Path) -> None:
    """It is gone in the middle of a job; the worker says so, and goes on when it is back."""
    told: list[Mapping[str, Any]] = []
    begun, lost, back = threading.Event(), threading.Event(), threading.Event()

    class Lost(Scripted):
        def work(self, case: Case, part: Part, _: Any) -> dict[str, Any]:
            if not self.done:
                self.done.append(-1)
                begun.set()
                lost.wait()
                with case.ledger.transaction(case.actor):
                    raise AssertionError("the database is away")
            back.wait()
            return Scripted.work(self, case, part, None)

    # The server is stopped and started by the main thread: it ends with the thread that started it.
    def tell(event: Mapping[str, Any]) -> None:
        told.append(event)
        if event["event"] == "unavailable" and threading.current_thread() is threading.main_thread():
            private_postgres.start()
            back.set()

    with desk(private_postgres.new_database(), tmp_path) as office:
        job = office.start(Kind.EXPIRE)
        task = Lost(2, {}, [])

        def over() -> bool:
            if begun.is_set() and not lost.is_set():
                private_postgres.stop(kill=True)
                lost.set()
                return False
            return control.get(office.ledger, job).state is State.DONE

        office.worker(task, told=tell).run(over=over)
        assert sorted(task.done) == [-1, 0, 1]
        assert back.is_set()
        private_postgres.stop(kill=True)
        try:
            with pytest.raises(LedgerUnavailable):
                control.jobs(office.ledger)
        finally:
            private_postgres.start()


def test_what_was_noted_as_begun_and_never_began_is_put_back(office: Desk) -> None:
    """As when the answer to taking it from the queue is lost with the connection."""
    job = office.start(Kind.PUBLISH)  # nobody here takes it from the queue
    task = Scripted(1, {}, [])
    running = office.worker(task)
    name = None if office.ledger.engine.dialect.name == "sqlite" else "juying_jobs"
    columns = [sa.column(column) for column in ("status", "executor_id", "queue_name", "workflow_uuid")]
    flows = sa.table("workflow_status", *columns, schema=name)
    taken = False

    def over() -> bool:
        nonlocal taken
        with office.ledger.transaction(office.ledger.local) as tx:
            if not taken:
                taken = True
                tx.db.execute(sa.update(flows).values(status="PENDING", executor_id=running.executor))
            return tx.db.execute(sa.select(flows.c.status, flows.c.queue_name)).one() == ("ENQUEUED", "publish")

    running.run(over=over)
    assert control.get(office.ledger, job).state is State.WAITING


def test_unknown_jobs_are_told(office: Desk) -> None:
    with pytest.raises(InputError, match="no such job"):
        control.get(office.ledger, "sign-1")
    assert control.jobs(office.ledger) == []


def test_days_begin_in_china() -> None:
    assert local_day(datetime(2026, 11, 30, 16, 0, tzinfo=UTC)) == TODAY
    assert local_day(datetime(2026, 11, 30, 15, 59, tzinfo=UTC)) != TODAY


def test_batches() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
