"""The two guards that give uninterruptible calls a time-out, and the choice between them."""

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from juying.card import pcsc_timeout
from juying.card.pcsc_timeout import Threaded, Watched, guarded

PATIENT, HASTY = 20.0, 0.05  # seconds


class Line(socket.socket):
    """A client's socket to something that looks like pcscd, and never answers."""

    def wait(self, _: Sequence[int]) -> bytes:
        return self.recv(1)


@pytest.fixture
def pcscd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a listening socket that is named like pcscd's."""
    monkeypatch.chdir(tmp_path)  # Unix socket paths must be short
    address = "./pcscd.comm"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        yield address


def connect(address: str) -> Line:
    line = Line(socket.AF_UNIX)
    line.connect(address)
    return line


def nothing() -> None:
    pass


def test_one_new_line_to_pcscd_is_watched(pcscd: str) -> None:
    line, guard = guarded(lambda: connect(pcscd), PATIENT)
    with line:
        assert isinstance(guard, Watched)
        assert guard.call(bytes, b"answer") == b"answer"
        guard.end(nothing)


def test_the_watchdog_cuts_a_silent_line(pcscd: str) -> None:
    line, guard = guarded(lambda: connect(pcscd), HASTY)
    with line:
        with pytest.raises(TimeoutError):
            guard.call(line.wait, b"")
        guard.end(nothing)


def test_a_call_that_fails_because_its_line_was_cut_is_a_time_out(pcscd: str) -> None:
    line, guard = guarded(lambda: connect(pcscd), HASTY)

    def fail(_: Sequence[int]) -> bytes:
        line.recv(1)
        raise OSError("no service")

    with line:
        with pytest.raises(TimeoutError):
            guard.call(fail, b"")
        guard.end(nothing)


def test_errors_in_time_come_through_either_guard(pcscd: str) -> None:
    def fail(_: Sequence[int]) -> bytes:
        raise OSError("refused")

    line, watched = guarded(lambda: connect(pcscd), PATIENT)
    with line:
        for guard in (watched, Threaded(PATIENT)):
            with pytest.raises(OSError, match="refused"):
                guard.call(fail, b"")
            guard.end(nothing)


@pytest.mark.parametrize("lines", [0, 2])
def test_without_exactly_one_line_a_thread_does_it(pcscd: str, lines: int) -> None:
    """None, where there is no pcsc-lite; two, when another thread connects at the same moment."""
    opened, guard = guarded(lambda: [connect(pcscd) for _ in range(lines)], PATIENT)
    assert isinstance(guard, Threaded)
    guard.end(nothing)
    for line in opened:
        line.sendall(b"still usable")
        line.close()


def test_other_sockets_are_left_alone(pcscd: str) -> None:
    sockets, guard = guarded(lambda: (*socket.socketpair(), socket.socket()), PATIENT)
    assert isinstance(guard, Threaded)
    guard.end(nothing)
    for other in sockets:
        other.close()


def test_a_socket_that_closes_while_we_look(pcscd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: int) -> int:
        raise OSError

    monkeypatch.setattr(os, "dup", gone)
    line, guard = guarded(lambda: connect(pcscd), PATIENT)
    with line:
        assert isinstance(guard, Threaded)
        guard.end(nothing)


def test_a_system_that_does_not_list_open_files(pcscd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc_timeout, "OPEN_FILES", Path("/nowhere"))
    line, guard = guarded(lambda: connect(pcscd), PATIENT)
    with line:
        assert isinstance(guard, Threaded)
        guard.end(nothing)


def test_a_thread_left_behind_cleans_up_when_its_call_returns() -> None:
    go, cleaned = threading.Event(), threading.Event()

    def hang(_: Sequence[int]) -> bytes:
        assert go.wait(PATIENT)
        return b""

    guard = Threaded(HASTY)
    with pytest.raises(TimeoutError):
        guard.call(hang, b"")
    guard.end(cleaned.set)
    assert not cleaned.is_set(), "the call still has the card"
    go.set()
    assert cleaned.wait(PATIENT)


def test_a_call_given_up_before_the_thread_came_round_to_it_is_never_made() -> None:
    go, cleaned, called = threading.Event(), threading.Event(), threading.Event()

    class Late(Threaded):
        def _run(self) -> None:
            assert go.wait(PATIENT)
            super()._run()

    def call(_: Sequence[int]) -> bytes:
        called.set()
        return b""

    guard = Late(HASTY)
    with pytest.raises(TimeoutError):
        guard.call(call, b"")
    guard.end(cleaned.set)
    go.set()
    assert cleaned.wait(PATIENT)
    assert not called.is_set()


def test_a_step_may_be_given_more_time_than_the_others(pcscd: str) -> None:
    line, watched = guarded(lambda: connect(pcscd), HASTY)
    with line:
        for guard in (watched, Threaded(0.0)):
            assert guard.call(bytes, b"answer", PATIENT) == b"answer"
            guard.end(nothing)
        deadlines: list[float] = []

        def look(_: Sequence[int]) -> bytes:
            deadlines.append(slow._deadline - time.monotonic())
            return b""

    line, slow = guarded(lambda: connect(pcscd), PATIENT)
    with line:
        assert isinstance(slow, Watched)
        slow.call(look, b"", 1000.0)
        slow.call(look, b"")
        slow.end(nothing)
    assert deadlines[0] > 1000.0 > PATIENT >= deadlines[1]
