"""Credentials signed, stored and drawn by one worker, and by two: processes of `juying worker`, as an office runs them.

Both find the same ledger, with as many permits, and draw into a folder. The time is from the start of the job, when the
workers are already waiting, to the end of its last part. On SQLite, and on a PostgreSQL that flushes to the disk.

    python benchmarks/bench_workers.py [CREDENTIALS]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from common import ROOT, Row, show

from juying.issuance.demo_keys import FOLDER, demonstration_keys
from juying.issuance.workflows import control
from juying.issuance.workflows.tasks import Kind
from juying.ledger.ledger import Ledger
from juying.ledger.people import add_permits, add_persons
from juying.model import Employer, Holder, PermitCategory, Sex, WorkPermit

CREDENTIALS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
REGION = "331000"
BATCH = 1000


def holder(number: int) -> Holder:
    """One of many invented people."""
    return Holder(
        name=f"MUSTER {chr(65 + number % 26)}", nationality="UTO", birth_date=date(1984, 1, 1), sex=Sex.MALE,
        document_number=f"C{number:08}",
    )  # fmt: skip


def permit(number: int) -> WorkPermit:
    """Everybody has one."""
    return WorkPermit(
        number=f"ZJ{number:08}", category=PermitCategory.B, position="工程师",
        employer=Employer(name="椒江样本医药研究院", code="123310020000DDD18Q"), valid_from=date(2026, 1, 1),
        valid_until=date(2035, 12, 31), authority="台州市示范签发机关（样本）", region="331002",
    )  # fmt: skip


def fill(ledger: Ledger, permits: int) -> None:
    """Put the permits in."""
    for first in range(0, permits, BATCH):
        numbers = range(first, min(permits, first + BATCH))
        with ledger.transaction(ledger.local) as tx:
            persons = add_persons(tx, [(holder(number), None) for number in numbers])
            add_permits(tx, [(person, permit(number), None) for person, number in zip(persons, numbers, strict=True)])


@contextmanager
def worker(where: str, folder: Path, told: "SimpleQueue[dict[str, Any]]") -> Iterator[None]:
    """A worker that tells what it does."""
    arguments = ["worker", "--station", "bench", "--only", "sign", "--pictures", str(folder / "pictures"), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "juying.cli", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
        env={**os.environ, "JUYING_LEDGER": where, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    reader = Thread(target=lambda lines: [told.put(json.loads(line)) for line in lines], args=(process.stdout,))
    reader.start()
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        reader.join()
        process.stdout.close()


def seconds(where: str, workers: int) -> float:
    """How long so many workers take for all credentials."""
    told: SimpleQueue[dict[str, Any]] = SimpleQueue()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        demonstration_keys(folder / FOLDER, region=REGION)
        ledger = stack.enter_context(Ledger.open(where.format(folder=folder), region=REGION))
        fill(ledger, CREDENTIALS // 2)
        for _ in range(workers):
            stack.enter_context(worker(where.format(folder=folder), folder, told))
            while told.get()["event"] != "started":
                pass
        start = time.perf_counter()
        control.start(ledger, ledger.local, Kind.SIGN)
        drawn = 0
        while drawn < CREDENTIALS // 2 * 2:
            drawn += told.get().get("drawn", 0)
        return time.perf_counter() - start


def main() -> None:
    """Both databases, one after the other."""
    sys.path.insert(0, str(ROOT))
    from tests.harness import PrivatePostgres

    rows = []
    with PrivatePostgres(durable=True) as postgres:
        for title in ("SQLite", "PostgreSQL"):

            def place(title: str = title) -> str:
                return "{folder}/ledger.db" if title == "SQLite" else postgres.new_database()

            two, one = seconds(place(), 2), seconds(place(), 1)
            each = 1000 / (CREDENTIALS // 2 * 2)
            rows.append(
                Row(f"a credential, {title}", two * each, one * each, "by one worker, by two", target=1.7, sense=">=")
            )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    show(f"{CREDENTIALS} credentials signed, stored and drawn (load of the machine: {load})", rows)


if __name__ == "__main__":
    main()
