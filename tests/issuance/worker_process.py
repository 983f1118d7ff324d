"""A worker that signs and draws, and dies or holds where it is told to.

    python -m tests.issuance.worker_process LEDGER FOLDER [--die POINT] [--hold POINT] [--until-idle]

It says on standard output what happens, as lines of JSON, and every point that it reaches: ``before sign``,
``after sign`` (the step is done, and nobody knows it yet), ``picture 3``. At one point it kills itself, at another it
waits for a line on standard input. SIGTERM ends it in order, and so does an empty queue if it is asked to.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any

from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.issuance.office import Office
from juying.issuance.workflows.control import waiting
from juying.issuance.workflows.signing import Signing
from juying.issuance.workflows.tasks import Case, Kind, Part, Step
from juying.issuance.workflows.worker import Worker
from juying.ledger.ledger import Ledger
from juying.ledger.operators import at_station
from tests import people
from tests.issuance.working import KEY, TRUST


def say(event: Mapping[str, Any]) -> None:
    os.write(1, json.dumps(event).encode() + b"\n")  # whole lines, from several threads


@dataclass(frozen=True, slots=True)
class Told(Signing):
    """Signs as told."""

    die: str = ""
    hold: str = ""
    seen: list[str] = field(default_factory=list)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(map(self._told, super(Told, self).steps))

    def _told(self, step: Step) -> Step:
        @wraps(step)
        def told(case: Case, part: Part, before: Any) -> Any:
            name = step.__name__
            self._reach(f"before {name}")
            result = step(replace(case, going_on=lambda: self._picture(case)), part, before)
            self._reach(f"after {name}")
            return result

        return told

    def _picture(self, case: Case) -> None:
        self.seen.append("")
        self._reach(f"picture {len(self.seen)}")
        case.going_on()

    def _reach(self, point: str) -> None:
        say({"point": point})
        if point == self.die:
            os.kill(os.getpid(), signal.SIGKILL)
        if point == self.hold:
            sys.stdin.readline()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ledger")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--die", default="")
    parser.add_argument("--hold", default="")
    parser.add_argument("--until-idle", action="store_true")
    given = parser.parse_args()
    signer, trust = SoftwareSigner.load(given.folder / KEY), TrustList.load(given.folder / TRUST)
    office = Office(signer=signer, trust=trust, clock=lambda: people.NOW)
    task = Told(office, given.folder / "pictures", size=5, die=given.die, hold=given.hold)
    with Ledger.open(given.ledger, make=False) as ledger:
        worker = Worker(ledger, at_station(ledger, ledger.local, "process"), [task], told=say, patience=0.6)
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        worker.run(over=lambda: given.until_idle and not waiting(ledger, [Kind.SIGN]))


if __name__ == "__main__":
    main()
