"""What an adapter gets for free: an asynchronous form, in threads that nobody has to wait for."""

import asyncio
import subprocess
import sys
import threading
from datetime import datetime

import pytest

from juying.services.adapter import Blocking
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.threads import in_thread, started
from juying.services.verdict import Check, Outcome, Verdict
from juying.text import Text
from tests import people

SHOWN = Presentation(carrier="chip", card_number="JYX000010")


class Echo(Blocking):
    """Says where it was asked, and what it was given."""

    def check(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        good = presentation is SHOWN and deadline is not None and threading.current_thread().daemon
        check = Check("echo", Outcome.PASS if good else Outcome.FAIL, "ok", Text("好", "good"))
        return Verdict.of("echo", [check], now=now)


def test_a_blocking_adapter_is_asked_in_a_thread_of_its_own() -> None:
    verdict = asyncio.run(Echo().acheck(SHOWN, now=people.NOW, deadline=Deadline.after(60)))
    assert verdict.eligible


def test_what_the_work_raises_comes_to_the_one_who_waits() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        started(fail).result()
    with pytest.raises(KeyError):
        asyncio.run(in_thread(fail))


def test_work_that_is_given_up_may_still_end() -> None:
    may_end, ended = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait()
        ended.set()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await in_thread(work)

    asyncio.run(give_up())
    may_end.set()
    assert ended.wait(60)


HANGING = """
import asyncio, threading
from juying.services.threads import in_thread

async def main():
    task = asyncio.ensure_future(in_thread(threading.Event().wait))
    await asyncio.wait([task], timeout=0.01)

asyncio.run(main())
print("done")
"""


def test_a_program_ends_though_a_thread_hangs() -> None:
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
