"""What a service is given that may be slow, away or confused, as policy: time-outs, retries, breaking, remembering.

`juying.services.guard.Guard` puts the parts together.
"""

import math
import random as random_module
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

from juying.credential.strict_json import members
from juying.errors import InputError

if TYPE_CHECKING:
    from juying.services.verdict import Verdict

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which an answer has to be there, in seconds of a clock that only goes forward."""

    at: float
    clock: Clock = field(default=time.monotonic, repr=False)

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> Self:
        """``seconds`` from now."""
        return cls(clock() + seconds, clock)

    def left(self) -> float:
        """Seconds that are left, never less than 0."""
        return max(0.0, self.at - self.clock())

    @property
    def expired(self) -> bool:
        """True when nothing is left."""
        return self.left() <= 0.0

    def within(self, seconds: float) -> "Deadline":
        """``seconds`` from now, or this one if it is sooner."""
        return Deadline(min(self.at, self.clock() + seconds), self.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resilience:
    """What a site is given, in seconds and counts; the defaults are our choice.

    ``connect`` for a connection, ``timeout`` for one attempt, ``total`` for the whole question; up to ``attempts``
    attempts, with a pause before each further one that is drawn between 0 and ``backoff``, doubled each time up to
    ``backoff_max``. After ``breaker_failures`` failures in a row the site is left alone for ``breaker_pause``. An
    answer is kept ``cache_for`` seconds, for the times when the site cannot be asked; 0 keeps none; ``cache_file`` is
    where, for processes that share it, else it is kept in memory. After ``hedge_after`` seconds without an answer the
    same question is asked a second time beside the first; 0 never.

    Raises `InputError` for a value out of range.
    """

    connect: float = 3.0
    timeout: float = 5.0
    total: float = 10.0
    attempts: int = 3
    backoff: float = 0.2
    backoff_max: float = 2.0
    breaker_failures: int = 5
    breaker_pause: float = 30.0
    cache_for: float = 0.0
    cache_file: str = ""
    hedge_after: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int if name in _COUNTS else int | float):
                raise InputError(f"{name} 须为数字", f"{name} has to be a number", where=name)
            if not least <= value <= most:
                raise InputError(f"{name} 须为 {least} 至 {most}", f"{name} has to be {least} to {most}", where=name)
        if not isinstance(self.cache_file, str):
            raise InputError("cache_file 须为文件路径", "cache_file has to be the path of a file", where="cache_file")

    @classmethod
    def from_dict(cls, table: object, where: str = "resilience") -> Self:
        """The policy out of a table of a configuration; `InputError` names the place and the nearest known name."""
        given: Mapping[str, Any] = members(table, (), where, optional=[member.name for member in fields(cls)])
        try:
            return cls(**given)
        except InputError as error:
            raise InputError(*error.text, where=f"{where}.{error.where}") from None


_COUNTS = frozenset({"attempts", "breaker_failures"})
_RANGES = {
    "connect": (0.01, 300),
    "timeout": (0.01, 300),
    "total": (0.01, 600),
    "attempts": (1, 10),
    "backoff": (0, 60),
    "backoff_max": (0, 60),
    "breaker_failures": (1, 1000),
    "breaker_pause": (0, 3600),
    "cache_for": (0, 7 * 86400),
    "hedge_after": (0, 300),
}

DEFAULT = Resilience()


def delays(
    policy: Resilience, deadline: Deadline, random: Callable[[], float] = random_module.random
) -> Iterator[float]:
    """Seconds to pause before each further attempt, with full jitter: between nothing and a bound that doubles.

    ``random`` gives numbers from 0 to 1. There are no more of them when a pause would go past the deadline.
    """
    for number in range(policy.attempts - 1):
        pause = random() * min(policy.backoff_max, policy.backoff * 2**number)
        if pause >= deadline.left():
            return
        yield pause


class Breaker:
    """Leaves a site alone that failed several times in a row; threads may share it.

    After the pause one attempt is let through: if it succeeds all is well again, if not the pause begins anew.
    """

    __slots__ = ("_clock", "_failures", "_lock", "_open_until", "_policy")

    def __init__(self, policy: Resilience = DEFAULT, clock: Clock = time.monotonic) -> None:
        """Begin closed, with every attempt allowed."""
        self._policy, self._clock, self._lock = policy, clock, threading.Lock()
        self._failures, self._open_until = 0, -math.inf

    def allow(self) -> bool:
        """Whether an attempt may be made now; the one who is told yes has to report how it went."""
        with self._lock:
            if self._failures < self._policy.breaker_failures:
                return True
            if self._clock() < self._open_until:
                return False
            self._open_until = self._clock() + self._policy.breaker_pause  # one probe; the others wait for its report
            return True

    def success(self) -> None:
        """The site answered, whatever it said."""
        with self._lock:
            self._failures = 0

    def failure(self) -> None:
        """The site did not answer, or not so that it could be understood."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._policy.breaker_failures:
                self._open_until = self._clock() + self._policy.breaker_pause


class VerdictCache:
    """The last verdict of each site on each person, in memory, for the times when a site cannot be asked.

    Kept are decision and checks, without evidence, and a keyed hash in the place of the person. What is older than
    ``cache_for`` seconds, or from the future, is not given out. Of more than ``limit`` the oldest are forgotten.
    """

    __slots__ = ("_kept", "_key", "_lock", "cache_for", "limit")

    def __init__(self, cache_for: float, *, limit: int = 10_000) -> None:
        """Begin with nothing and a key of its own."""
        self.cache_for, self.limit = timedelta(seconds=cache_for), limit
        self._key, self._lock = secrets.token_bytes(32), threading.Lock()
        self._kept: dict[bytes, Verdict] = {}

    def put(self, site: str, subject: str, verdict: "Verdict") -> None:
        """Keep ``verdict``; one that says nothing, or was kept itself, is not worth it."""
        if not self.cache_for or verdict.age or verdict.decision == "undetermined":
            return
        place = place_of(self._key, site, subject)
        with self._lock:
            self._kept.pop(place, None)  # to the end of the line
            self._kept[place] = replace(verdict, evidence={})
            if len(self._kept) > self.limit:
                del self._kept[next(iter(self._kept))]

    def get(self, site: str, subject: str, *, now: datetime) -> "Verdict | None":
        """The last verdict with its age, None when there is none that counts any more."""
        with self._lock:
            verdict = self._kept.get(place_of(self._key, site, subject))
        return aged(verdict, now, self.cache_for)


def place_of(key: bytes, site: str, subject: str) -> bytes:
    """Where a verdict is kept: nobody can tell the person from it without the ``key``."""
    return blake2b(f"{site}\0{subject}".encode(), key=key, digest_size=16).digest()


def aged(verdict: "Verdict | None", now: datetime, cache_for: timedelta) -> "Verdict | None":
    """The verdict with its age at ``now``; None for one that is too old, or from the future."""
    if verdict is None or not timedelta() <= now - verdict.as_of <= cache_for:
        return None
    return replace(verdict, age=now - verdict.as_of)
