"""A worker that signs, draws and enrols, and dies or holds where it is told to.

    python -m tests.issuance.worker_process LEDGER FOLDER [--die POINT] [--hold POINT] [--until-idle] [--gym PORT]

It says on standard output what happens, as lines of JSON, and every point that it reaches: ``before sign``,
``after sign`` (the step is done, and nobody knows it yet), ``picture 3``, ``before asking``, ``after asking``. At one
point it kills itself, at another it waits for a line on standard input. SIGTERM ends it in order, and so does an empty
queue if it is asked to.
"""

import argparse
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any

from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.errors import PlatformUnavailable
from juying.issuance.office import Office
from juying.issuance.workflows.control import waiting
from juying.issuance.workflows.enrolling import Enrollee, Enrolling, Known
from juying.issuance.workflows.signing import Signing
from juying.issuance.workflows.tasks import Case, Part, Step, Task
from juying.issuance.workflows.worker import Worker
from juying.ledger.ledger import Ledger
from juying.ledger.operators import at_station
from juying.services.resilience import Deadline
from tests import people
from tests.issuance.working import KEY, TRUST


def say(event: Mapping[str, Any]) -> None:
    os.write(1, json.dumps(event).encode() + b"\n")  # whole lines, from several threads


@dataclass
class Points:
    """Where the worker is to die or to hold."""

    die: str = ""
    hold: str = ""

    def reach(self, point: str) -> None:
        say({"point": point})
        if point == self.die:
            os.kill(os.getpid(), signal.SIGKILL)
        if point == self.hold:
            sys.stdin.readline()


@dataclass(frozen=True, slots=True)
class Told(Signing):
    """Signs as told."""

    points: Points = field(default_factory=Points)
    seen: list[str] = field(default_factory=list)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(map(self._told, super(Told, self).steps))

    def _told(self, step: Step) -> Step:
        @wraps(step)
        def told(case: Case, part: Part, before: Any) -> Any:
            name = step.__name__
            self.points.reach(f"before {name}")
            result = step(replace(case, going_on=lambda: self._picture(case)), part, before)
            self.points.reach(f"after {name}")
            return result

        return told

    def _picture(self, case: Case) -> None:
        self.seen.append("")
        self.points.reach(f"picture {len(self.seen)}")
        case.going_on()


@dataclass(frozen=True, slots=True)
class GymService:
    """The gym of `tests.peers.gym`."""

    port: int
    points: Points = field(default_factory=Points)
    name: str = "gym"

    def known(self, person: Enrollee, *, deadline: Deadline) -> Known:
        return Known(self._ask({"known": person.id})["known"])

    def enrol(self, person: Enrollee, *, deadline: Deadline) -> bool:
        self.points.reach("before asking")
        done: bool = self._ask({"enrol": person.id})["enrolled"]
        self.points.reach("after asking")
        return done

    def _ask(self, question: dict[str, str]) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self.port)) as line, line.makefile("rw", encoding="utf-8") as text:
            text.write(json.dumps(question) + "\n")
            text.flush()
            answer = text.readline()
        if not answer:
            raise PlatformUnavailable("体育馆没有应答", "the gym does not answer")
        told: dict[str, Any] = json.loads(answer)
        return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ledger")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--die", default="")
    parser.add_argument("--hold", default="")
    parser.add_argument("--until-idle", action="store_true")
    parser.add_argument("--gym", type=int, default=0)
    given = parser.parse_args()
    signer, trust = SoftwareSigner.load(given.folder / KEY), TrustList.load(given.folder / TRUST)
    office = Office(signer=signer, trust=trust, clock=lambda: people.NOW)
    points = Points(given.die, given.hold)
    tasks: list[Task] = [Told(office, given.folder / "pictures", size=5, points=points)]
    if given.gym:
        tasks.append(Enrolling({"gym": GymService(given.gym, points)}, size=5))
    kinds = [task.kind for task in tasks]
    with Ledger.open(given.ledger, make=False) as ledger:
        worker = Worker(ledger, at_station(ledger, ledger.local, "process"), tasks, told=say, patience=0.6)
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        worker.run(over=lambda: given.until_idle and not waiting(ledger, kinds))


if __name__ == "__main__":
    main()
