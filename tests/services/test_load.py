"""Many questions at once to systems that are slow, hang up, hang or babble: all answered in time, none wrongly."""

import asyncio
import socket
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic

import pytest

from juying.errors import PlatformUnavailable
from juying.services.asking import aask, ask
from juying.services.guard import Guard
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline, Resilience
from juying.services.verdict import Check, Decision, Outcome, Verdict
from juying.text import Text
from tests import people
from tests.peers.running import Peer, running

TOTAL = 5.0
"""Seconds for each question."""
LATE = 10.0
"""Seconds more that a busy machine may take to notice that they are over."""
POLICY = Resilience(connect=TOTAL, timeout=2.0, total=TOTAL, attempts=3, backoff=0.05, breaker_failures=1000)
MANNERS = ("fast", "slow", "flaky", "failing", "hanging", "babbling", "dripping")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running("tests.peers.yes_no") as peer:
        yield peer


class YesNo:
    """The adapter of the peer that answers numbers with yes or no."""

    def __init__(self, manner: str, port: int, policy: Resilience = POLICY) -> None:
        self.name = f"yes_no.{manner}"
        self.title = Text("是否", "yes or no")
        self.port, self.guard = port, Guard(self.name, policy)

    def check(self, presentation: Presentation, *, now: object, deadline: Deadline | None = None) -> Verdict:
        number = presentation.card_number

        def attempt(until: Deadline) -> Verdict:
            with socket.create_connection(("127.0.0.1", self.port), until.left()) as connection:
                connection.sendall(number.encode() + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    if until.expired:
                        raise TimeoutError
                    connection.settimeout(until.left())
                    received = connection.recv(64)
                    if not received:
                        raise ConnectionResetError
                    answer += received
            return self.verdict(answer)

        return self.guard.ask(number, attempt, now=people.NOW, deadline=deadline)

    async def acheck(self, presentation: Presentation, *, now: object, deadline: Deadline | None = None) -> Verdict:
        number = presentation.card_number

        async def attempt(until: Deadline) -> Verdict:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(number.encode() + b"\n")
                answer = await reader.readline()
                if not answer:
                    raise ConnectionResetError
                return self.verdict(answer)
            finally:
                writer.close()

        return await self.guard.aask(number, attempt, now=people.NOW, deadline=deadline)

    def verdict(self, answer: bytes) -> Verdict:
        outcome = {b"yes\n": Outcome.PASS, b"no\n": Outcome.FAIL}.get(answer)
        if outcome is None:
            raise PlatformUnavailable("应答无法理解", "the answer cannot be understood")
        return Verdict.of(self.name, [Check("asked", outcome, "ok", Text("问", "asked"))], now=people.NOW)


def shown(number: int) -> Presentation:
    return Presentation(carrier="chip", card_number=str(number))


def right(number: int, verdict: Verdict) -> bool:
    truth = Decision.INELIGIBLE if number % 2 else Decision.ELIGIBLE
    return verdict.decision in (truth, Decision.UNDETERMINED)


def judge(answers: list[tuple[int, Verdict]]) -> None:
    """Nothing wrong, and everything known where the system answers at all."""
    assert all(right(number, verdict) for number, verdict in answers)
    known = Counter(verdict.service for _, verdict in answers if verdict.decision is not Decision.UNDETERMINED)
    asked = Counter(verdict.service for _, verdict in answers)
    for manner in ("fast", "slow"):
        assert known[f"yes_no.{manner}"] == asked[f"yes_no.{manner}"]
    assert known["yes_no.flaky"] > 0
    for manner in ("failing", "hanging", "babbling", "dripping"):
        assert known[f"yes_no.{manner}"] == 0


def test_500_questions_at_once_in_an_event_loop(peer: Peer) -> None:
    adapters = [YesNo(manner, peer.told["ports"][manner]) for manner in MANNERS]
    taken: list[float] = []

    async def question(number: int) -> tuple[int, Verdict]:
        begin = monotonic()
        adapter = adapters[number % len(adapters)]
        (verdict,) = await aask([adapter], shown(number), now=people.NOW, deadline=Deadline.after(TOTAL))
        taken.append(monotonic() - begin)
        return number, verdict

    async def main() -> list[tuple[int, Verdict]]:
        return await asyncio.gather(*(question(number) for number in range(500)))

    answers = asyncio.run(main())
    assert len(answers) == 500
    assert max(taken) < TOTAL + LATE
    judge(answers)


def test_84_questions_at_once_in_threads(peer: Peer) -> None:
    asked = [_About(YesNo(manner, peer.told["ports"][manner]), number) for number in range(12) for manner in MANNERS]
    begin = monotonic()
    verdicts = ask(asked, shown(0), now=people.NOW, deadline=Deadline.after(TOTAL))
    assert monotonic() - begin < TOTAL + LATE
    judge([(adapter.number, verdict) for adapter, verdict in zip(asked, verdicts, strict=True)])


class _About:
    """An adapter that is asked about a certain card, whatever is shown."""

    def __init__(self, adapter: YesNo, number: int) -> None:
        self.adapter, self.number, self.name = adapter, number, adapter.name

    def check(self, presentation: Presentation, *, now: object, deadline: Deadline | None = None) -> Verdict:
        return self.adapter.check(shown(self.number), now=now, deadline=deadline)


def test_memory_is_flat_over_10000_questions(peer: Peer) -> None:
    policy = replace(POLICY, cache_for=3600.0, timeout=TOTAL)
    adapter = YesNo("fast", peer.port, policy)
    people_asked = 97  # the memory for answers is as large as the number of people

    async def questions(first: int, last: int) -> None:
        for start in range(first, last, 50):
            numbers = range(start, start + 50)
            verdicts = await asyncio.gather(
                *(
                    aask([adapter], shown(number % people_asked), now=people.NOW, deadline=Deadline.after(60))
                    for number in numbers
                )
            )
            assert [verdict.eligible for (verdict,) in verdicts] == [n % people_asked % 2 == 0 for n in numbers]

    async def main() -> int:
        await questions(0, 500)
        tracemalloc.start()
        try:
            await questions(500, 1000)
            before = tracemalloc.get_traced_memory()[0]
            await questions(1000, 10_500)
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()

    assert asyncio.run(main()) < 200_000
