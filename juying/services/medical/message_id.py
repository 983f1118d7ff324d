"""发送方报文ID: institution (12), time (14) and a sequence of four digits, used once and never again.

What a platform does with one that it has seen is not documented, so ours must not meet: those of the journal count up
from 5000 in each second, durably and for all processes; those of mere questions are drawn from the numbers below.
"""

import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime

from juying.credential.claims import CHINA

QUESTIONS = 5_000
"""Sequence numbers of a second from 0 on that are for questions; the others are the journal's."""
SEQUENCES = 10_000


def message_id(institution: str, second: int, sequence: int) -> str:
    """The id: 30 characters. ``second`` counts from 1970."""
    return f"{institution}{datetime.fromtimestamp(second, CHINA):%Y%m%d%H%M%S}{sequence:04}"


class QuestionIds:
    """Ids for questions of one process, none twice; several processes begin at a random place in each second."""

    __slots__ = ("_below", "_clock", "_first", "_institution", "_lock", "_second", "_used")

    def __init__(
        self,
        institution: str,
        *,
        clock: Callable[[], float] = time.time,
        below: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        """``institution`` has 12 characters. Clock and ``below`` (draws from 0 to n - 1) are for tests."""
        self._institution, self._clock, self._below = institution, clock, below
        self._lock, self._second, self._first, self._used = threading.Lock(), 0, 0, 0

    def __call__(self) -> str:
        """The next one. A second that is used up, or seen before, is followed by the next."""
        with self._lock:
            now = int(self._clock())
            if now > self._second or self._used >= QUESTIONS:
                self._second = max(now, self._second + 1)
                self._first, self._used = self._below(QUESTIONS), 0
            sequence = (self._first + self._used) % QUESTIONS
            self._used += 1
            return message_id(self._institution, self._second, sequence)
