"""Time-outs for PC/SC calls, which have none and cannot be interrupted.

``guarded`` opens a context of PC/SC together with a guard, the better of two:

- ``Watched``, with pcsc-lite on Linux: calls run in the caller's own thread. Each context of libpcsclite talks to
  pcscd through a Unix socket of its own; when the time is over, a watchdog thread shuts that socket down, and the
  call returns with an error. This costs next to nothing.
- ``Threaded``, anywhere: calls run on a thread that is left behind in the call when the time is over. Handing over
  costs about 25 microseconds for each command: a third of an exchange with a virtual card (measured), and nothing
  beside the milliseconds of a real one.
"""

import math
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

OPEN_FILES = Path("/proc/self/fd")
PCSCD_SOCKET = "/pcscd.comm"  # the end of its path, wherever the distribution puts it

Context = TypeVar("Context")
Step = Callable[[Sequence[int]], bytes]
"""One PC/SC call or a few; takes the bytes of a command, gives those of the answer, and either may be empty."""


class Guard(Protocol):
    """Runs steps, one at a time. After TimeoutError only ``end`` may follow."""

    def call(self, step: Step, command: Sequence[int], extra: float = 0.0) -> bytes:
        """Run ``step``; TimeoutError when it takes too long. It may take ``extra`` seconds more than others."""

    def end(self, clean_up: Callable[[], None]) -> None:
        """Run ``clean_up`` as the last step, without waiting for it longer than for any other."""


class Watched:
    """Runs steps in the caller's thread, and cuts their line to pcscd when they take too long.

    The watchdog looks at the clock every tenth of the time-out instead of being told of each step. So a step pays
    for two assignments only, and a time-out comes up to a tenth late.
    """

    def __init__(self, line: socket.socket, timeout: float) -> None:
        """Take over ``line``, the socket that steps wait for; ``timeout`` (seconds) is for each step."""
        self._line = line
        self._timeout = timeout
        self._deadline = math.inf
        self._cut = False
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="pcsc watchdog", daemon=True).start()

    def call(self, step: Step, command: Sequence[int], extra: float = 0.0) -> bytes:
        """Run ``step``; TimeoutError when it takes too long, ``extra`` seconds more than the time-out."""
        self._deadline = time.monotonic() + self._timeout + extra
        try:
            answer = step(command)
        except Exception:
            if self._cut:
                raise TimeoutError from None
            raise
        finally:
            self._deadline = math.inf
        if self._cut:
            raise TimeoutError
        return answer

    def end(self, clean_up: Callable[[], None]) -> None:
        """Run ``clean_up`` as the last step."""
        self._deadline = time.monotonic() + self._timeout
        try:
            clean_up()
        finally:
            self._ended.set()

    def _watch(self) -> None:
        with self._line:
            while not self._ended.wait(self._timeout / 10):
                if time.monotonic() > self._deadline:
                    self._cut = True
                    self._line.shutdown(socket.SHUT_RDWR)
                    return


class Threaded:
    """Runs steps on a thread of its own, and leaves it behind when they take too long.

    Should a step return after all, the thread still cleans up and ends. Steps change hands through two locks, which
    takes half the time of a pair of queues.
    """

    def __init__(self, timeout: float) -> None:
        """``timeout`` (seconds) is for each step."""
        self._timeout = timeout
        self._work = threading.Lock()  # free when there is a step to run
        self._done = threading.Lock()  # free when it has run
        self._work.acquire()
        self._done.acquire()
        self._step: tuple[Step, Sequence[int]] | None = None
        self._outcome: bytes | Exception = b""
        self._clean_up: Callable[[], None] = lambda: None
        self._waiting = False
        self._thread = threading.Thread(target=self._run, name="pcsc calls", daemon=True)
        self._thread.start()

    def call(self, step: Step, command: Sequence[int], extra: float = 0.0) -> bytes:
        """Run ``step``; TimeoutError when it takes too long, ``extra`` seconds more than the time-out."""
        self._step = step, command
        self._waiting = True  # and still so after a time-out, or Ctrl-C
        self._work.release()
        if not self._done.acquire(timeout=self._timeout + extra):
            raise TimeoutError
        self._waiting = False
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def end(self, clean_up: Callable[[], None]) -> None:
        """Run ``clean_up`` as the last step, in the thread."""
        self._step = None
        self._clean_up = clean_up
        with suppress(RuntimeError):  # the thread did not come round to the last step yet, and now finds none
            self._work.release()
        if not self._waiting:
            self._thread.join(self._timeout)

    def _run(self) -> None:
        while self._work.acquire() and self._step is not None:
            step, command = self._step
            try:
                self._outcome = step(command)
            except Exception as error:  # for the caller to hear of
                self._outcome = error
            self._done.release()
        self._clean_up()


_opening = threading.Lock()


def guarded(establish: Callable[[], Context], timeout: float) -> tuple[Context, Guard]:
    """Run ``establish``, which opens a context of PC/SC, and return its result with a guard for its calls."""
    with _opening:
        before = _sockets()
        context = establish()
        new = [file for inode, file in _sockets().items() if inode not in before]
        lines = [line for file in new if (line := _line_to_pcscd(file))]
    if len(lines) == 1:
        return context, Watched(lines[0], timeout)
    for line in lines:  # somebody else opened a context at the same moment; which is ours cannot be told
        line.close()
    return context, Threaded(timeout)


def _sockets() -> dict[int, int]:
    """The sockets that this process has open, inode to file number; none where the system does not tell."""
    found = {}
    with suppress(OSError):
        for entry in OPEN_FILES.iterdir():
            with suppress(OSError):  # closed again meanwhile, as is the directory that was just listed
                file = int(entry.name)
                status = os.fstat(file)
                if stat.S_ISSOCK(status.st_mode):
                    found[status.st_ino] = file
    return found


def _line_to_pcscd(file: int) -> socket.socket | None:
    """A second handle on a socket, if that leads to pcscd."""
    try:
        line = socket.socket(fileno=os.dup(file))
    except OSError:  # closed again meanwhile
        return None
    with suppress(OSError):  # not connected to anybody
        if str(line.getpeername()).endswith(PCSCD_SOCKET):
            return line
    line.close()
    return None
