"""An office with permits that want credentials, workers in this process and in others, and a look at what they left."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from juying.codec.qr import read_qr
from juying.credential.claims import Tier
from juying.credential.issue import from_text, unverified_claims
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import SoftwareSigner
from juying.issuance.office import Office
from juying.issuance.workflows import control
from juying.issuance.workflows.tasks import Case, Kind, Task
from juying.issuance.workflows.worker import Worker
from juying.ledger import schema
from juying.ledger.audit import audit_records
from juying.ledger.ledger import Ledger
from juying.ledger.operators import at_station
from juying.ledger.people import add_permits, add_persons
from juying.ledger.states import CredentialState, PermitState
from juying.ledger.verify import verify_chain
from tests import people

ROOT = Path(__file__).parents[2]
KEY, TRUST = "issuer.pem", "trust.json"
TODAY = people.NOW.date()
_c, _p = schema.credentials, schema.permits


@dataclass
class Desk:
    """A ledger whose clock stands still unless it is moved, an office, and a folder."""

    ledger: Ledger
    office: Office
    folder: Path

    def add(self, count: int, *, first: int = 0, holder: Mapping[str, Any] | None = None, **permit: Any) -> list[int]:
        """Add permits of so many persons; their ids."""
        numbers = range(first, first + count)
        with self.ledger.transaction(self.ledger.local) as tx:
            persons = add_persons(
                tx,
                [(people.holder(**{"document_number": f"X{number:07}", **(holder or {})}), None) for number in numbers],
            )
            permits = [people.permit(**{"number": f"ZJ{number:08}", **permit}) for number in numbers]
            return list(add_permits(tx, [(person, each, None) for person, each in zip(persons, permits, strict=True)]))

    def case(self, today: date = TODAY, **scope: Any) -> Case:
        """A job as its steps see it."""
        return Case("job-1", scope, today, self.ledger, self.ledger.local)

    def do(self, task: Task, today: date = TODAY, **scope: Any) -> dict[str, Any]:
        """Do all of a job here and now; the counts and problems of all parts."""
        case = self.case(today, **scope)
        counts: Counter[str] = Counter()
        problems: list[list[str]] = []
        for part in task.plan(case):
            result: Any = None
            for step in task.steps:
                result = json.loads(json.dumps(step(case, part, result)))  # as it comes out of the database
            problems += result.pop("problems", [])
            counts.update(result)
        return {**counts, "problems": problems}

    def worker(self, *tasks: Task, told: Callable[[Mapping[str, Any]], None] = lambda event: None) -> Worker:
        """A worker of this process that soon loses patience with dead ones."""
        actor = at_station(self.ledger, self.ledger.local, "worker")
        return Worker(self.ledger, actor, tasks, told=told, patience=0.6, pause=0.01)

    def work(self, *tasks: Task, told: Callable[[Mapping[str, Any]], None] = lambda event: None) -> None:
        """Work until nothing is left to do."""
        kinds = [task.kind for task in tasks]
        self.worker(*tasks, told=told).run(over=lambda: not control.waiting(self.ledger, kinds))

    def rows(self, table: sa.Table) -> list[Any]:
        """A whole table."""
        with self.ledger.reading() as db:
            return list(db.execute(sa.select(table)))

    def events(self, kind: str) -> list[Any]:
        """The events of a kind."""
        return [row for row in self.rows(schema.events) if row.kind == kind]

    def start(self, kind: Kind, **scope: Any) -> str:
        """Start a job."""
        return control.start(self.ledger, self.ledger.local, kind, scope)

    def all_there(self, *, state: CredentialState = CredentialState.LIVE, pictures: Path | None = None) -> None:
        """Every valid permit has each credential exactly once, good, at a place of its own, and drawn once."""
        with self.ledger.reading() as db:
            permits = set(db.execute(sa.select(_p.c.id).where(_p.c.state == PermitState.VALID.value)).scalars())
            rows = db.execute(sa.select(_c).where(_c.c.permit_id.in_(permits))).all()
            assert verify_chain(db).whole
            assert audit_records(db, self.ledger.vault) == []
            allotted = db.execute(sa.select(sa.func.sum(schema.status_lists.c.allotted))).scalar()
            kinds = Counter(db.execute(sa.select(schema.events.c.kind)).scalars())
        assert Counter((row.permit_id, row.tier) for row in rows) == {
            (permit, tier.name.lower()): 1 for permit in permits for tier in Tier
        }
        assert {row.state for row in rows} == {state.value}
        assert len({(row.list, row.place) for row in rows}) == len(rows) <= allotted
        assert kinds["credential-signed"] == len(rows)
        records = {self.ledger.vault.open_bytes(row.sealed, f"credentials/{row.id}"): row for row in rows}
        for record, row in records.items():
            claims = unverified_claims(record)
            assert verify(record, self.office.trust, now=self.office.clock()).verdict in _GOOD
            assert claims.status is not None
            assert (claims.status.list_number, claims.status.index) == (row.list, row.place)
            assert claims.tier.name.lower() == row.tier
        if pictures is not None:
            files = list(pictures.rglob("*.png"))  # a draft may lie beside, where a worker died
            assert len(files) == len(records)
            assert {from_text(read_qr(path)) for path in files} == records.keys()


_GOOD = (Verdict.VALID, Verdict.VALID_STALE_STATUS)


@contextmanager
def desk(where: str, folder: Path) -> Iterator[Desk]:
    """A desk whose key other processes can load."""
    signer = SoftwareSigner.generate()
    trust = TrustList([people.trusted(signer, not_after=people.NOW + timedelta(days=4000))])
    signer.save(folder / KEY)
    trust.save(folder / TRUST)
    with Ledger.open(where, region="331000", clock=lambda: people.NOW) as ledger:
        yield Desk(ledger, Office(signer=signer, trust=trust, clock=lambda: people.NOW), folder)


class Process:
    """A worker in a process of its own; see `tests.issuance.worker_process` for the options."""

    def __init__(self, where: str, folder: Path, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.issuance.worker_process", where, str(folder), *options],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def hear(self) -> dict[str, Any] | None:
        """The next thing that it says, None at its end."""
        line = self._out.readline()
        return json.loads(line) if line else None

    def hear_until(self, **what: Any) -> None:
        """Wait until it says this."""
        while (heard := self.hear()) is not None:
            if what.items() <= heard.items():
                return
        raise AssertionError(f"the worker ended with {self._process.wait()}")

    def go_on(self) -> None:
        """Let it go on where it holds."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def sleep(self, ledger: Ledger) -> None:
        """Stop it as a machine that falls asleep does, but not while it keeps an SQLite ledger from everybody."""
        with ledger.transaction(ledger.local):
            self.send(signal.SIGSTOP)
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def ended(self) -> int:
        """Wait for its end; the exit status."""
        self._process.communicate()
        return self._process.returncode

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
