"""A till that lives as often as it is told, and dies where it is told.

``{"do": ["finish", "pay"], "die_at": 7, "clock": 1000, "journal": "…", "site": {…}}`` on standard input is one life: a
process of its own that opens the journal, does these things, and is killed at the seventh point. Points are the
beginning, the end and the moment after the end of every transaction of the journal, and every step of every message on
its way out and back. The answer says whether it died, how many points it passed, and how the journal's entries stand.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from juying.services.medical import client as client_module
from juying.services.medical.client import NhsaClient
from juying.services.medical.journal import Journal
from juying.services.medical.site import Site
from juying.services.medical.till import Till
from tests.medical.gateway import order
from tests.peers.nhsa import AREA


class Points:
    """Counts the points of a life, and ends it at one."""

    def __init__(self, die_at: int) -> None:
        self.passed, self._die_at = 0, die_at

    def __call__(self) -> None:
        self.passed += 1
        if self.passed == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def live(life: dict[str, Any]) -> dict[str, Any]:
    """One life; returns only from one that is not cut short."""
    point = Points(life["die_at"])

    class MortalJournal(Journal):
        @contextmanager
        def _transaction(self) -> Iterator[Connection]:
            point()
            with super()._transaction() as db:
                yield db
                point()
            point()

    class MortalDeparture(client_module._Departure):
        def watch(self, event: str, information: dict[str, Any]) -> None:
            point()
            super().watch(event, information)

    client_module._Departure = MortalDeparture
    now = time.time() + life["clock"]
    site = Site.from_dict(life["site"], "medical.test")
    with MortalJournal(Path(life["journal"]), clock=lambda: datetime.fromtimestamp(now, UTC)) as journal:
        till = Till(NhsaClient(site), journal, clock=lambda: now)
        for deed in life["do"]:
            if deed == "pay":
                till.pay(order(), insured_in=AREA)
            elif deed == "undo":
                till.undo(1)
            else:
                till.finish()
        entries = [entry.to_dict() for entry in journal.entries()]
    return {"died": False, "points": point.passed, "entries": entries}


def main() -> None:
    """A fork for each life: the program is loaded once."""
    _say({"port": 0})
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            with os.fdopen(writing, "w") as pipe:
                json.dump(live(json.loads(line)), pipe)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        _say(json.loads(told) if told else {"died": True})


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
