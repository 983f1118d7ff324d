"""Many questions at once to systems that are slow, fail or hang: all are answered in time, and none wrongly."""

import asyncio
import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from juying.services.adapter import Adapter, Closing
from juying.services.asking import aask
from juying.services.library.adapter import LibraryAdapter, library_adapter
from juying.services.medical.adapter import MedicalAdapter, medical_adapter
from juying.services.resilience import Deadline
from juying.services.verdict import Decision, Verdict
from tests import people
from tests.peers.running import running
from tests.peers.sip2 import PASSWORD
from tests.services.places import INSURED, PASSWORD_ENV, hospital, library, patient, reader

TOTAL = 8.0
"""Seconds for each question."""
LATE = 10.0
"""Seconds more that a busy machine may take to notice that they are over."""
POLICY = {"connect": TOTAL, "timeout": 3.9, "total": TOTAL, "attempts": 2, "breaker_failures": 1000}
GOOD = ("fine", "slow")
LIBRARIES = {"fine": "", "slow": "slow", "failing": "cut", "hanging": "silent", "garbled": "wrong-checksum"}
HOSPITALS = {"fine": "", "slow": "slow", "failing": "hangs-up", "hanging": "silent", "garbled": "not-json"}


@pytest.fixture(scope="module")
def adapters() -> Iterator[list[LibraryAdapter | MedicalAdapter]]:
    """Libraries and hospitals with good and bad manners, each a process of its own."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_ENV, PASSWORD)
        made: list[LibraryAdapter | MedicalAdapter] = []
        for name, habit in LIBRARIES.items():
            peer = stack.enter_context(running("tests.peers.sip2", *(["--habit", habit] if habit else [])))
            table = library(peer, connections=8, receive_checksum="strict", resilience=POLICY)
            made += library_adapter({name: table})
        for name, habit in HOSPITALS.items():
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


def test_500_questions_at_once(adapters: list[Adapter]) -> None:
    taken: list[float] = []

    async def question(number: int) -> tuple[int, Verdict]:
        begin, adapter = monotonic(), adapters[number % len(adapters)]
        shown = (reader if adapter.name.startswith("library") else patient)(number // len(adapters))
        (verdict,) = await aask([adapter], shown, now=people.NOW, deadline=Deadline.after(TOTAL))
        taken.append(monotonic() - begin)
        return number // len(adapters), verdict

    async def main() -> list[tuple[int, Verdict]]:
        return await asyncio.gather(*(question(number) for number in range(500)))

    answers = asyncio.run(main())
    assert len(answers) == 500
    assert max(taken) < TOTAL + LATE
    assert all(right(number, verdict) for number, verdict in answers)
    known = Counter(verdict.service for _, verdict in answers if verdict.decision is not Decision.UNDETERMINED)
    assert known == {f"{service}.{name}": 50 for service in ("library", "medical") for name in GOOD}


def test_memory_is_flat_over_10000_questions(adapters: list[Adapter]) -> None:
    fine = {adapter.name: adapter for adapter in adapters if adapter.name.endswith(".fine")}

    def questions(first: int, last: int) -> None:
        for number in range(first, last):
            name, shown = ("medical.fine", patient) if number % 20 == 0 else ("library.fine", reader)
            verdict = fine[name].check(shown(number), now=people.NOW)
            assert verdict.decision is not Decision.UNDETERMINED
            assert right(number, verdict)

    questions(0, 500)
    tracemalloc.start()
    try:
        questions(500, 1000)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        questions(1000, 10_500)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 200_000
