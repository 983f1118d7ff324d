"""Asking one site: in time, again after a failure, not at all while it is down, and with a memory for such times.

A guard asks questions only. Whatever goes wrong it may ask again, or twice at once, so nothing that moves money or
books may go through it.
"""

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from juying.errors import PlatformUnavailable
from juying.services.resilience import DEFAULT, Breaker, Clock, Deadline, Resilience, VerdictCache, delays
from juying.services.threads import started
from juying.services.verdict import Check, Outcome, Verdict
from juying.text import Text

if TYPE_CHECKING:
    from juying.services.shared_cache import SharedVerdictCache

Attempt = Callable[[Deadline], Verdict]
"""Asks once, within its deadline. Raises `PlatformUnavailable` or `OSError` when nothing can be said."""
AsyncAttempt = Callable[[Deadline], Coroutine[Any, Any, Verdict]]
Answer = TypeVar("Answer", Future[Verdict], asyncio.Task[Verdict])

_FAILURES = (PlatformUnavailable, OSError)  # TimeoutError is an OSError
_Trouble = tuple[str, Text]

_LATE = ("deadline", Text("时限内没有答复", "there was no answer in time"))
_RESTING = (
    "resting",
    Text("该系统连续无法应答，暂不询问", "the system failed several times in a row and is left alone for a while"),
)


class Guard:
    """Stands before one site, whose ``name`` is that of its adapter (``library.taizhou``)."""

    def __init__(
        self,
        name: str,
        policy: Resilience = DEFAULT,
        *,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        """Take the policy; clock, sleep and random are for tests. `InputError` when the cache cannot be opened."""
        self.name, self.policy = name, policy
        self.breaker = Breaker(policy, clock)
        self.cache = _cache(policy)
        self._clock, self._sleep, self._asleep, self._random = clock, sleep, asleep, random

    def ask(self, subject: str, attempt: Attempt, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        """The verdict on ``subject``: the number by which the site knows the person, with all else that matters to it.

        When there is none to be had: the last one with its age, or UNDETERMINED. Other errors than those of `Attempt`
        are passed on.
        """
        whole, trouble = self._whole(deadline), None
        for pause in self._pauses(whole):
            if pause:
                self._sleep(pause)
            if not self.breaker.allow():
                trouble = trouble or _RESTING
                break
            try:
                verdict = self._attempt(attempt, whole.within(self.policy.timeout))
            except _FAILURES as error:
                self.breaker.failure()
                trouble = _told(error)
            else:
                return self._answered(subject, verdict)
        return self._without_answer(subject, trouble or _LATE, now)

    async def aask(
        self, subject: str, attempt: AsyncAttempt, *, now: datetime, deadline: Deadline | None = None
    ) -> Verdict:
        """As `ask`, for an event loop; an attempt that does not end in time is cancelled."""
        whole, trouble = self._whole(deadline), None
        for pause in self._pauses(whole):
            if pause:
                await self._asleep(pause)
            if not self.breaker.allow():
                trouble = trouble or _RESTING
                break
            try:
                verdict = await self._aattempt(attempt, whole.within(self.policy.timeout))
            except _FAILURES as error:
                self.breaker.failure()
                trouble = _told(error)
            else:
                return self._answered(subject, verdict)
        return self._without_answer(subject, trouble or _LATE, now)

    def _whole(self, deadline: Deadline | None) -> Deadline:
        return (deadline or Deadline.after(self.policy.total, self._clock)).within(self.policy.total)

    def _pauses(self, whole: Deadline) -> Iterator[float]:
        """One for each attempt: the first is made at once."""
        if not whole.expired:
            yield 0.0
            yield from delays(self.policy, whole, self._random)

    def _attempt(self, attempt: Attempt, deadline: Deadline) -> Verdict:
        if not 0 < self.policy.hedge_after < deadline.left():
            return attempt(deadline)
        running = {started(lambda: attempt(deadline))}
        if not wait(running, self.policy.hedge_after).done:
            running.add(started(lambda: attempt(deadline)))
        while True:
            done, running = wait(running, deadline.left(), FIRST_COMPLETED)
            if not done:
                raise TimeoutError
            answer = _best(done, running)
            if answer is not None:
                return answer.result()

    async def _aattempt(self, attempt: AsyncAttempt, deadline: Deadline) -> Verdict:
        async with asyncio.timeout(deadline.left()):
            if not 0 < self.policy.hedge_after < deadline.left():
                return await attempt(deadline)
            running = {asyncio.create_task(attempt(deadline))}
            try:
                if not (await asyncio.wait(running, timeout=self.policy.hedge_after))[0]:
                    running.add(asyncio.create_task(attempt(deadline)))
                while True:
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    answer = _best(done, running)
                    if answer is not None:
                        return answer.result()
            finally:
                for late in running:
                    late.cancel()

    def _answered(self, subject: str, verdict: Verdict) -> Verdict:
        self.breaker.success()
        self.cache.put(self.name, subject, verdict)
        return verdict

    def _without_answer(self, subject: str, trouble: _Trouble, now: datetime) -> Verdict:
        code, reason = trouble
        kept = self.cache.get(self.name, subject, now=now)
        if kept is None:
            return Verdict.unknown(self.name, code, reason, now=now)
        remark = Check(
            "freshness",
            Outcome.SKIPPED,
            "kept",
            Text(f"{reason.zh}；这是此前的答复", f"{reason.en}; this is the answer from before"),
        )
        return replace(kept, checks=(*kept.checks, remark))


def _best(done: Collection[Answer], running: Collection[Answer]) -> Answer | None:
    """One that succeeded; one that failed only when no other is on its way."""
    for answer in done:
        if answer.exception() is None:
            return answer
    return None if running else next(iter(done))


def _told(error: Exception) -> _Trouble:
    """Why there is no answer. The words of the system are left out: they may hold the question."""
    if isinstance(error, PlatformUnavailable):
        return "unavailable", error.text
    if isinstance(error, TimeoutError):
        return _LATE
    kind = type(error).__name__
    return "unreachable", Text(f"无法连接（{kind}）", f"it cannot be reached ({kind})")


def _cache(policy: Resilience) -> "VerdictCache | SharedVerdictCache":
    if not policy.cache_file:
        return VerdictCache(policy.cache_for)
    from juying.services.shared_cache import SharedVerdictCache

    return SharedVerdictCache(policy.cache_file, policy.cache_for)
