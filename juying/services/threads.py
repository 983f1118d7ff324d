"""Work in threads that nobody has to wait for when it hangs.

A pool would be waited for when the program ends, and the event loop's own has only a few threads.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def started(work: Callable[[], Result]) -> "Future[Result]":
    """What ``work`` will have returned or raised."""
    future: Future[Result] = Future()
    future.set_running_or_notify_cancel()  # from here on it cannot be cancelled, only left alone

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # whatever it is, it belongs to the one who waits
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


async def in_thread(work: Callable[[], Result]) -> Result:
    """What ``work`` returns or raises, for an event loop."""
    return await asyncio.wrap_future(started(work))
