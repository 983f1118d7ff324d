"""Many questions at once to systems that are slow, fail or hang: all are answered in time, and none wrongly."""

import asyncio
import gc
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest

from juying.services.adapter import Adapter, Closing
from juying.services.asking import aask
from juying.services.library.adapter import library_adapter
from juying.services.medical.adapter import medical_adapter
from juying.services.resilience import Deadline
from juying.services.verdict import Decision, Verdict
from tests import people
from tests.peers.running import running
from tests.peers.sip2 import PASSWORD
from tests.services.places import INSURED, PASSWORD_ENV, hospital, library, patient, reader

ROOT = Path(__file__).parent.parent.parent
TOTAL = 20.0
"""Seconds for each question."""
LATE = 10.0
"""Seconds more that a busy machine may take to notice that they are over."""
POLICY = {"connect": TOTAL, "timeout": 9.9, "total": TOTAL, "attempts": 2, "breaker_failures": 1000}
GOOD = ("fine", "slow")
LIBRARIES = {"fine": "", "slow": "slow", "failing": "cut", "hanging": "silent", "garbled": "wrong-checksum"}
HOSPITALS = {"fine": "", "slow": "slow", "failing": "hangs-up", "hanging": "silent", "garbled": "not-json"}


@contextmanager
def sites(libraries: dict[str, str], hospitals: dict[str, str]) -> Iterator[list[Adapter]]:
    """Libraries and hospitals with these habits, each a process of its own."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_ENV, PASSWORD)
        made: list[Adapter] = []
        for name, habit in libraries.items():
            peer = stack.enter_context(running("tests.peers.sip2", *(["--habit", habit] if habit else [])))
            table = library(peer, connections=8, receive_checksum="strict", resilience=POLICY)
            made += library_adapter({name: table})
        for name, habit in hospitals.items():
            peer = stack.enter_context(running("tests.peers.nhsa", *(["--habit", habit] if habit else [])))
            made += medical_adapter({name: hospital(peer, resilience=POLICY)})
        yield made
        for adapter in made:
            if isinstance(adapter, Closing):
                adapter.close()


def right(number: int, verdict: Verdict) -> bool:
    """Whether the verdict is the truth, or says that it does not know."""
    good = number % 2 == 0 if verdict.service.startswith("library") else number % 9 + 1 in INSURED
    return verdict.decision in (Decision.UNDETERMINED, Decision.ELIGIBLE if good else Decision.INELIGIBLE)


def test_500_questions_at_once() -> None:
    taken: list[float] = []

    async def question(number: int) -> tuple[int, Verdict]:
        begin, adapter = monotonic(), adapters[number % len(adapters)]
        shown = (reader if adapter.name.startswith("library") else patient)(number // len(adapters))
        (verdict,) = await aask([adapter], shown, now=people.NOW, deadline=Deadline.after(TOTAL))
        taken.append(monotonic() - begin)
        return number // len(adapters), verdict

    async def main() -> list[tuple[int, Verdict]]:
        return await asyncio.gather(*(question(number) for number in range(500)))

    with sites(LIBRARIES, HOSPITALS) as adapters:
        answers = asyncio.run(main())
    assert len(answers) == 500
    assert max(taken) < TOTAL + LATE
    assert all(right(number, verdict) for number, verdict in answers)
    known = Counter(verdict.service for _, verdict in answers if verdict.decision is not Decision.UNDETERMINED)
    assert known == {f"{service}.{name}": 50 for service in ("library", "medical") for name in GOOD}


def test_memory_is_flat_over_10000_questions() -> None:
    """In a process of its own: what measures the coverage of tests keeps something for every thread."""
    done = subprocess.run(
        [sys.executable, "-c", "from tests.services.test_load import growth; print(growth())"],
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200_000


def growth() -> int:
    """Bytes that are held after 10 000 questions more than after the first of them."""
    with sites({"fine": ""}, {"fine": ""}) as (library_of_all, hospital_of_all):

        def questions(first: int, last: int) -> None:
            for number in range(first, last):
                adapter, shown = (hospital_of_all, patient) if number % 20 == 0 else (library_of_all, reader)
                verdict = adapter.check(shown(number), now=people.NOW)
                assert verdict.decision is not Decision.UNDETERMINED
                assert right(number, verdict)

        questions(0, 500)
        tracemalloc.start()
        questions(500, 1000)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        questions(1000, 10_500)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
