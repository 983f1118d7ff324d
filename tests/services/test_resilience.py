"""Time-outs, retries, breaking and memory, by a clock that only moves when it is told to."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.errors import InputError, PlatformUnavailable
from juying.services.guard import Guard
from juying.services.resilience import Breaker, Deadline, Resilience, VerdictCache, delays
from juying.services.shared_cache import SharedVerdictCache
from juying.services.verdict import Check, Decision, Outcome, Verdict
from juying.text import Text
from tests import people

NOW = people.NOW
SUBJECT = "UTO000000L898902C3"


@dataclass
class Clock:
    """Seconds that pass only by sleeping; ``slept`` holds each pause."""

    seconds: float = 100.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


def answered(decision: Decision = Decision.ELIGIBLE) -> Verdict:
    outcome = {Decision.ELIGIBLE: Outcome.PASS, Decision.INELIGIBLE: Outcome.FAIL}.get(decision, Outcome.UNKNOWN)
    checks = [Check("reader", outcome, "ok", Text("读者证", "a reader"))]
    return Verdict.of("library", checks, evidence={"loans": 3}, now=NOW)


class Site:
    """Answers as it is told: a verdict, an error to raise, or a function to call; the last one for ever."""

    def __init__(self, *answers: Verdict | Exception | Callable[[Deadline], None]) -> None:
        self.answers, self.deadlines = list(answers), []

    def __call__(self, deadline: Deadline) -> Verdict:
        self.deadlines.append(deadline)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Verdict):
            return answer
        if isinstance(answer, Exception):
            raise answer
        answer(deadline)
        raise TimeoutError

    async def asked(self, deadline: Deadline) -> Verdict:
        return self(deadline)

    @property
    def asked_times(self) -> int:
        return len(self.deadlines)


def guard(clock: Clock, **policy: object) -> Guard:
    return Guard(
        "library", Resilience(**policy), clock=clock, sleep=clock.sleep, asleep=clock.asleep, random=lambda: 0.5
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Verdict]:
    """Asks a guard in one of its two forms."""

    def ask_sync(guard: Guard, site: Site, **options: object) -> Verdict:
        return guard.ask(SUBJECT, site, now=NOW, **options)

    def ask_async(guard: Guard, site: Site, **options: object) -> Verdict:
        return asyncio.run(guard.aask(SUBJECT, site.asked, now=NOW, **options))

    return ask_sync if request.param == "sync" else ask_async


# The deadline


def test_a_deadline_is_what_is_left_of_it(clock: Clock) -> None:
    deadline = Deadline.after(10, clock)
    assert (deadline.left(), deadline.expired) == (10, False)
    clock.seconds += 4
    assert (deadline.within(3).left(), deadline.within(30).left()) == (3, 6)
    clock.seconds += 7
    assert (deadline.left(), deadline.expired) == (0, True)


# The policy


def test_a_policy_is_read_from_a_table() -> None:
    policy = Resilience.from_dict({"timeout": 2, "attempts": 1, "cache_for": 3600}, "library.taizhou.resilience")
    assert policy == Resilience(timeout=2, attempts=1, cache_for=3600)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"timout": 2}, "library.timout: unknown member, the nearest is timeout"),
        ({"timeout": "2"}, "library.timeout: .* timeout has to be a number"),
        ({"timeout": True}, "library.timeout: .* has to be a number"),
        ({"attempts": 1.5}, "library.attempts: .* has to be a number"),
        ({"attempts": 0}, "library.attempts: .* has to be 1 to 10"),
        ({"timeout": float("nan")}, "library.timeout: .* has to be 0.01 to 300"),
        ({"cache_file": 3}, "library.cache_file: .* has to be the path of a file"),
        ([], "library has to be an object"),
    ],
)
def test_a_policy_takes_nothing_that_it_does_not_know(table: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Resilience.from_dict(table, "library")


# Pauses


@given(st.integers(1, 10), st.floats(0, 60), st.floats(0, 60), st.lists(st.floats(0, 1), min_size=9, max_size=9))
def test_pauses_are_drawn_from_nothing_to_a_bound_that_doubles(
    attempts: int, backoff: float, most: float, drawn: list[float]
) -> None:
    policy = Resilience(attempts=attempts, backoff=backoff, backoff_max=most)
    pauses = list(delays(policy, Deadline.after(1000, Clock()), iter(drawn).__next__))
    assert len(pauses) == attempts - 1
    assert all(0 <= pause <= min(most, backoff * 2**number) for number, pause in enumerate(pauses))


def test_a_pause_never_goes_past_the_deadline(clock: Clock) -> None:
    policy = Resilience(attempts=10, backoff=2, backoff_max=60)
    deadline = Deadline.after(7, clock)
    for pause in delays(policy, deadline, lambda: 1.0):
        clock.sleep(pause)
    assert clock.slept == [2, 4]
    assert deadline.left() == 1


# The breaker


def test_a_breaker_opens_after_failures_in_a_row(clock: Clock) -> None:
    breaker = Breaker(Resilience(breaker_failures=3), clock)
    for ok in (False, False, True, False, False):
        assert breaker.allow()
        (breaker.success if ok else breaker.failure)()
    assert breaker.allow()
    breaker.failure()
    assert not breaker.allow()


def test_after_its_pause_a_breaker_lets_one_through(clock: Clock) -> None:
    breaker = Breaker(Resilience(breaker_failures=1, breaker_pause=30), clock)
    breaker.failure()
    clock.seconds += 30
    assert breaker.allow()
    assert not breaker.allow()
    breaker.failure()
    clock.seconds += 29
    assert not breaker.allow()
    clock.seconds += 1
    assert breaker.allow()
    breaker.success()
    assert breaker.allow()
    assert breaker.allow()


# Asking


def test_an_answer_is_handed_on_as_it_is(ask: Callable[..., Verdict], clock: Clock) -> None:
    site, verdict = Site(answered(Decision.INELIGIBLE)), answered(Decision.INELIGIBLE)
    assert ask(guard(clock), site) == verdict
    assert (site.asked_times, clock.slept) == (1, [])


@pytest.mark.parametrize(
    "trouble", [ConnectionRefusedError(), TimeoutError(), OSError(), PlatformUnavailable("不通", "away")]
)
def test_a_question_is_repeated_after_a_pause(ask: Callable[..., Verdict], clock: Clock, trouble: Exception) -> None:
    site = Site(trouble, trouble, answered())
    assert ask(guard(clock, backoff=0.4), site).eligible
    assert (site.asked_times, clock.slept) == (3, [0.2, 0.4])


@pytest.mark.parametrize(
    ("trouble", "code", "reason"),
    [
        (ConnectionRefusedError("10.0.0.1 secret"), "unreachable", "it cannot be reached (ConnectionRefusedError)"),
        (TimeoutError(), "deadline", "there was no answer in time"),
        (PlatformUnavailable("不通", "it is away"), "unavailable", "it is away"),
    ],
)
def test_a_site_that_cannot_be_asked_is_undetermined(
    ask: Callable[..., Verdict], clock: Clock, trouble: Exception, code: str, reason: str
) -> None:
    verdict = ask(guard(clock), Site(trouble))
    assert verdict.decision is Decision.UNDETERMINED
    assert [(check.code, check.reason.en) for check in verdict.checks] == [(code, reason)]
    assert (verdict.service, verdict.as_of) == ("library", NOW)


def test_every_attempt_has_its_time_and_all_together_theirs(ask: Callable[..., Verdict], clock: Clock) -> None:
    def wait_in_vain(deadline: Deadline) -> None:
        clock.seconds += deadline.left()

    begin, site = clock.seconds, Site(wait_in_vain)
    verdict = ask(guard(clock, timeout=4, total=10, attempts=10, backoff=1), site)
    assert verdict.deciding is not None
    assert verdict.deciding.code == "deadline"
    assert [deadline.at - begin for deadline in site.deadlines] == [4, 8.5, 10]
    assert clock.seconds - begin <= 10


def test_a_sooner_deadline_of_the_caller_counts(ask: Callable[..., Verdict], clock: Clock) -> None:
    site = Site(answered())
    assert ask(guard(clock), site, deadline=Deadline.after(2, clock)).eligible
    assert site.deadlines[0].left() == 2


def test_nothing_is_asked_when_the_time_is_up(ask: Callable[..., Verdict], clock: Clock) -> None:
    site = Site(answered())
    verdict = ask(guard(clock), site, deadline=Deadline.after(0, clock))
    assert (verdict.decision, site.asked_times) == (Decision.UNDETERMINED, 0)


def test_a_site_that_failed_often_is_left_alone_then_tried_again(ask: Callable[..., Verdict], clock: Clock) -> None:
    sitting = guard(clock, attempts=2, breaker_failures=3, breaker_pause=30)
    site = Site(OSError())
    reasons = [ask(sitting, site).checks[-1].code for _ in range(3)]
    assert (reasons, site.asked_times) == (["unreachable", "unreachable", "resting"], 3)
    clock.seconds += 30
    assert ask(sitting, Site(answered())).eligible


def test_an_error_of_another_kind_is_passed_on(ask: Callable[..., Verdict], clock: Clock) -> None:
    with pytest.raises(KeyError):
        ask(guard(clock), Site(KeyError("our own mistake")))


# Asking twice at once


def test_a_slow_question_is_asked_a_second_time_and_the_first_answer_counts() -> None:
    may_end, numbers = threading.Event(), count()

    def attempt(deadline: Deadline) -> Verdict:
        if next(numbers) == 0:
            may_end.wait()  # the first never comes back
        return answered()

    try:
        assert Guard("library", Resilience(hedge_after=0.01)).ask(SUBJECT, attempt, now=NOW).eligible
    finally:
        may_end.set()
    assert next(numbers) == 2


def test_of_two_the_one_that_succeeds_counts() -> None:
    second_failed, numbers = threading.Event(), count()

    def attempt(deadline: Deadline) -> Verdict:
        if next(numbers) == 1:
            second_failed.set()
            raise ConnectionResetError
        second_failed.wait()
        return answered()

    policy = Resilience(hedge_after=0.01, attempts=1)
    assert Guard("library", policy).ask(SUBJECT, attempt, now=NOW).eligible


def test_the_first_is_waited_for_when_the_second_fails() -> None:
    async def question() -> Verdict:
        second_failed, numbers = asyncio.Event(), count()

        async def attempt(deadline: Deadline) -> Verdict:
            if next(numbers):
                second_failed.set()
                raise ConnectionResetError
            await second_failed.wait()
            for _ in range(10):  # turns for the others, who see the failure
                await asyncio.sleep(0)
            return answered()

        return await Guard("library", Resilience(hedge_after=0.001, attempts=1)).aask(SUBJECT, attempt, now=NOW)

    assert asyncio.run(question()).eligible


def test_of_two_that_end_together_the_one_that_succeeds_counts() -> None:
    policy = Resilience(hedge_after=0.001, attempts=1)

    async def question() -> Verdict:
        both, numbers = asyncio.Barrier(2), count()

        async def attempt(deadline: Deadline) -> Verdict:
            number = next(numbers)
            await both.wait()
            if number:
                raise ConnectionResetError
            return answered()

        return await Guard("library", policy).aask(SUBJECT, attempt, now=NOW)

    for _ in range(20):  # in whichever order they are looked at
        assert asyncio.run(question()).eligible


def test_two_that_hang_are_given_up_in_time() -> None:
    may_end = threading.Event()

    def attempt(deadline: Deadline) -> Verdict:
        may_end.wait()
        return answered()

    try:
        verdict = Guard("library", Resilience(hedge_after=0.01, timeout=0.05, attempts=1)).ask(
            SUBJECT, attempt, now=NOW
        )
    finally:
        may_end.set()
    assert verdict.checks[0].code == "deadline"


def test_asked_twice_at_once_in_an_event_loop() -> None:
    cancelled = []

    async def attempt(deadline: Deadline) -> Verdict:
        if not cancelled:
            cancelled.append(False)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled[0] = True
                raise
        return answered()

    async def main() -> Verdict:
        verdict = await Guard("library", Resilience(hedge_after=0.01)).aask(SUBJECT, attempt, now=NOW)
        await asyncio.sleep(0)  # a turn for the one that lost
        return verdict

    assert asyncio.run(main()).eligible
    assert cancelled == [True]


def test_a_quick_failure_is_not_asked_twice_at_once(ask: Callable[..., Verdict], clock: Clock) -> None:
    site = Site(OSError())
    assert not ask(guard(clock, hedge_after=1, attempts=1), site).eligible
    assert site.asked_times == 1


def test_both_fail_and_the_question_is_repeated_later() -> None:
    times: list[Deadline] = []
    second = asyncio.Event()

    async def attempt(deadline: Deadline) -> Verdict:
        times.append(deadline)
        if len(times) == 1:
            await second.wait()
        second.set()
        if len(times) < 3:
            raise ConnectionResetError
        return answered()

    policy = Resilience(hedge_after=0.01, attempts=2, backoff=0)
    assert asyncio.run(Guard("library", policy).aask(SUBJECT, attempt, now=NOW)).eligible
    assert len(times) == 3


def test_an_attempt_that_hangs_in_an_event_loop_is_cancelled() -> None:
    async def attempt(deadline: Deadline) -> Verdict:
        return await asyncio.Event().wait() and answered()

    verdict = asyncio.run(Guard("library", Resilience(timeout=0.01, attempts=2)).aask(SUBJECT, attempt, now=NOW))
    assert verdict.checks[0].code == "deadline"


# Memory


@pytest.fixture(params=["memory", "file"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> VerdictCache | SharedVerdictCache:
    return VerdictCache(3600) if request.param == "memory" else SharedVerdictCache(tmp_path / "kept.db", 3600)


def test_a_verdict_is_kept_with_its_age_and_without_evidence(cache: VerdictCache) -> None:
    cache.put("library", SUBJECT, answered())
    kept = cache.get("library", SUBJECT, now=NOW + timedelta(minutes=5))
    assert kept is not None
    assert (kept.decision, kept.checks, kept.as_of) == (Decision.ELIGIBLE, answered().checks, NOW)
    assert (kept.age, kept.evidence) == (timedelta(minutes=5), {})


@pytest.mark.parametrize(
    ("site", "subject", "seconds"),
    [("library", SUBJECT, 3601), ("library", SUBJECT, -1), ("library", "other", 0), ("medical", SUBJECT, 0)],
)
def test_what_is_too_old_from_the_future_or_of_others_is_not_given_out(
    cache: VerdictCache, site: str, subject: str, seconds: int
) -> None:
    cache.put("library", SUBJECT, answered())
    assert cache.get(site, subject, now=NOW + timedelta(seconds=seconds)) is None


def test_the_last_verdict_counts(cache: VerdictCache) -> None:
    cache.put("library", SUBJECT, answered())
    cache.put("library", SUBJECT, answered(Decision.INELIGIBLE))
    kept = cache.get("library", SUBJECT, now=NOW)
    assert kept is not None
    assert kept.decision is Decision.INELIGIBLE


def test_what_says_nothing_is_not_kept(cache: VerdictCache) -> None:
    cache.put("library", SUBJECT, answered())
    cache.put("library", SUBJECT, answered(Decision.UNDETERMINED))
    kept = cache.get("library", SUBJECT, now=NOW + timedelta(minutes=1))
    assert kept is not None
    cache.put("library", "other", kept)  # it is no answer of today
    assert cache.get("library", "other", now=NOW) is None


def test_memory_forgets_the_oldest_of_too_many() -> None:
    cache = VerdictCache(3600, limit=2)
    for subject in ("1", "2", "1", "3"):
        cache.put("library", subject, answered())
    assert [cache.get("library", subject, now=NOW) is not None for subject in "123"] == [True, False, True]


def test_a_file_forgets_what_is_too_old(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    cache = SharedVerdictCache(path, 60)
    for day in range(3):
        verdict = Verdict.of("library", answered().checks, now=NOW + timedelta(days=day))
        cache.put("library", f"{day}", verdict)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM kept").fetchone() == (1,)
    db.close()


def test_a_file_serves_all_who_open_it_and_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    SharedVerdictCache(path, 60).put("library", SUBJECT, answered())
    assert SharedVerdictCache(path, 60).get("library", SUBJECT, now=NOW) is not None
    raw = path.read_bytes()
    assert SUBJECT.encode() not in raw
    assert b"loans" not in raw
    assert path.stat().st_mode & 0o077 == 0


def test_two_files_hide_the_same_person_differently(tmp_path: Path) -> None:
    places = []
    for name in ("one", "two"):
        SharedVerdictCache(tmp_path / name, 60).put("library", SUBJECT, answered())
        with sqlite3.connect(tmp_path / name) as db:
            places += db.execute("SELECT place FROM kept").fetchall()
        db.close()
    assert len(set(places)) == 2


@pytest.mark.parametrize("content", [b"no database, and long enough to be seen as none", None])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "kept.db"
    if content is None:
        path = tmp_path / "missing" / "kept.db"
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="the cache file cannot be used"):
        Guard("library", Resilience(cache_for=60, cache_file=str(path)))


@pytest.mark.parametrize("damage", ["DROP TABLE kept", "UPDATE kept SET checks = '?'"])
def test_trouble_with_the_file_costs_the_memory_not_the_answer(tmp_path: Path, clock: Clock, damage: str) -> None:
    path = tmp_path / "kept.db"
    asked = guard(clock, cache_for=60, cache_file=str(path), attempts=1)
    assert asked.ask(SUBJECT, Site(answered()), now=NOW).eligible
    with sqlite3.connect(path) as db:
        db.execute(damage)
    db.close()
    assert asked.ask(SUBJECT, Site(OSError()), now=NOW).decision is Decision.UNDETERMINED
    assert asked.ask(SUBJECT, Site(answered()), now=NOW).eligible


def test_a_kept_answer_takes_the_place_of_none_and_says_so(ask: Callable[..., Verdict], clock: Clock) -> None:
    asked = guard(clock, cache_for=3600, attempts=1)
    asked.cache.put("library", SUBJECT, Verdict.of("library", answered().checks, now=NOW - timedelta(minutes=5)))
    verdict = ask(asked, Site(ConnectionRefusedError()))
    assert (verdict.decision, verdict.age) == (Decision.ELIGIBLE, timedelta(minutes=5))
    assert verdict.checks[-1][:3] == ("freshness", Outcome.SKIPPED, "kept")
    assert "cannot be reached (ConnectionRefusedError); this is the answer from before" in verdict.checks[-1].reason.en
    assert ask(asked, Site(answered(Decision.INELIGIBLE))).decision is Decision.INELIGIBLE
    assert ask(asked, Site(OSError())).decision is Decision.INELIGIBLE


def test_nothing_is_kept_unless_the_policy_says_so(ask: Callable[..., Verdict], clock: Clock) -> None:
    asked = guard(clock, attempts=1)
    assert ask(asked, Site(answered())).eligible
    assert ask(asked, Site(OSError())).decision is Decision.UNDETERMINED
