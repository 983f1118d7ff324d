"""Replay caches: each presentation counts once, whoever asks, and what is forgotten never counts again."""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier as ProcessBarrier
from pathlib import Path
from stat import S_IMODE
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.credential.policy import DEFAULT, Policy
from juying.credential.replay import MemoryReplayCache, ReplayCache, SharedReplayCache
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import SoftwareSigner
from juying.errors import InputError
from tests.credential.samples import NOW, SIGNER, TRUST, trusted
from tests.credential.verifying import check, shown

HOLD = DEFAULT.hold
SECOND = timedelta(seconds=1)
CODES = [shown(now=NOW + number * SECOND) for number in range(20)]
THREADS, PROCESSES = 8, 4
CLOCK = NOW + 10 * SECOND  # within the window of all the codes


@pytest.fixture(params=["memory", "shared"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReplayCache]:
    if request.param == "memory":
        yield MemoryReplayCache()
    else:
        with SharedReplayCache(tmp_path / "seen.db") as shared:
            yield shared


def test_the_second_time_is_seen(cache: ReplayCache) -> None:
    assert not cache.seen("P1", NOW, now=NOW, hold=HOLD)
    assert cache.seen("P1", NOW, now=NOW, hold=HOLD)
    assert not cache.seen("P2", NOW, now=NOW, hold=HOLD)
    assert not cache.seen("P1", NOW + SECOND, now=NOW, hold=HOLD)


def test_a_part_of_a_second_makes_no_difference(cache: ReplayCache) -> None:
    assert not cache.seen("P1", NOW, now=NOW, hold=HOLD)
    assert cache.seen("P1", NOW + timedelta(microseconds=999_999), now=NOW, hold=HOLD)


def test_it_is_held_for_as_long_as_asked(cache: ReplayCache) -> None:
    assert not cache.seen("P1", NOW, now=NOW, hold=HOLD)
    assert cache.seen("P1", NOW, now=NOW + HOLD, hold=HOLD)


def test_what_is_older_than_the_memory_counts_as_seen(cache: ReplayCache) -> None:
    """It may be unknown, and may as well be forgotten."""
    assert not cache.seen("P1", NOW, now=NOW, hold=HOLD)
    later = NOW + HOLD + SECOND
    assert not cache.seen("P2", later, now=later, hold=HOLD)
    assert cache.seen("P1", NOW, now=later, hold=HOLD)
    assert cache.seen("P3", NOW, now=later, hold=HOLD)


def test_a_clock_that_is_set_back_opens_nothing(cache: ReplayCache) -> None:
    later = NOW + timedelta(days=1)
    assert not cache.seen("P1", NOW, now=NOW, hold=HOLD)
    assert not cache.seen("P2", later, now=later, hold=HOLD)
    assert cache.seen("P1", NOW, now=NOW, hold=HOLD)
    assert not cache.seen("P1", later - HOLD, now=NOW, hold=HOLD)


def test_a_gate_that_holds_for_less_opens_nothing_at_the_others(cache: ReplayCache) -> None:
    assert not cache.seen("P1", NOW, now=NOW, hold=HOLD)
    later = NOW + 31 * SECOND
    assert not cache.seen("P2", later, now=later, hold=30 * SECOND)
    assert cache.seen("P1", NOW, now=later, hold=HOLD)


@given(st.lists(st.tuples(st.sampled_from(["P1", "P2"]), st.integers(-30, 30), st.integers(0, 90))))
def test_nothing_fresh_passes_twice_and_nothing_new_is_refused(steps: list[tuple[str, int, int]]) -> None:
    """Any order of people, times shown within the window, and steps of the clock, which never goes back here."""
    cache, passed, now = MemoryReplayCache(), set(), NOW
    for permit, off, step in steps:
        now += step * SECOND
        moment = now + off * SECOND
        assert cache.seen(permit, moment, now=now, hold=HOLD) is ((permit, moment) in passed)
        passed.add((permit, moment))


def test_old_entries_leave_the_memory() -> None:
    cache = MemoryReplayCache()
    for number in range(1000):
        moment = NOW + number * SECOND
        assert not cache.seen("P1", moment, now=moment, hold=HOLD)
    assert len(cache) == HOLD // SECOND + 1


def test_old_entries_leave_the_file(tmp_path: Path) -> None:
    with SharedReplayCache(tmp_path / "seen.db") as cache:
        for number in range(0, 200, 10):
            moment = NOW + number * SECOND
            assert not cache.seen("P1", moment, now=moment, hold=HOLD)
    connection = sqlite3.connect(tmp_path / "seen.db")
    assert connection.execute("SELECT count(*) FROM shown").fetchone() == (HOLD // SECOND // 10 + 1,)
    connection.close()


def test_the_file_outlives_the_process_that_made_it(tmp_path: Path) -> None:
    for seen in (False, True):
        with SharedReplayCache(tmp_path / "seen.db") as cache:
            assert cache.seen("P1", NOW, now=NOW, hold=HOLD) is seen


def test_the_file_names_nobody(tmp_path: Path) -> None:
    with SharedReplayCache(tmp_path / "seen.db") as cache:
        cache.seen("331002202600001", NOW, now=NOW, hold=HOLD)
        files = list(tmp_path.iterdir())
        assert files
        assert all(b"331002202600001" not in file.read_bytes() for file in files)
        if sys.platform != "win32":
            assert {S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def race(taker: Callable[[], bool]) -> list[bool]:
    """What eight threads get that begin at the same moment."""
    barrier = Barrier(THREADS)

    def run() -> bool:
        barrier.wait(30)
        return taker()

    with ThreadPoolExecutor(THREADS) as threads:
        return [future.result() for future in [threads.submit(run) for _ in range(THREADS)]]


def test_eight_threads_race_and_exactly_one_wins(cache: ReplayCache) -> None:
    for code in CODES:
        verdicts = race(lambda code=code: verify(code, TRUST, now=CLOCK, replay=cache).verdict)
        assert sorted(verdicts) == [Verdict.REPLAYED] * (THREADS - 1) + [Verdict.VALID]


def gate(cache: Path, key: Path, barrier: ProcessBarrier, answers: "Queue[list[str]]") -> None:
    """A gate in a process of its own, which is shown all the codes."""
    trust = TrustList([trusted(SoftwareSigner.load(key))])
    barrier.wait(60)  # so that even the first to open the file has company
    with SharedReplayCache(cache) as replay:
        answers.put([str(verify(code, trust, now=CLOCK, replay=replay).verdict) for code in load(cache)])


def load(cache: Path) -> list[bytes]:
    return [bytes.fromhex(line) for line in cache.with_suffix(".codes").read_text().split()]


def test_four_processes_race_and_exactly_one_wins(tmp_path: Path) -> None:
    cache, key = tmp_path / "seen.db", tmp_path / "key.pem"
    SIGNER.save(key)
    cache.with_suffix(".codes").write_text("\n".join(code.hex() for code in CODES))
    context = get_context("spawn")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    gates = [context.Process(target=gate, args=(cache, key, barrier, answers)) for _ in range(PROCESSES)]
    for process in gates:
        process.start()
    found = [answers.get(timeout=120) for _ in gates]
    for process in gates:
        process.join()
        assert process.exitcode == 0
    for verdicts in zip(*found, strict=True):
        assert sorted(verdicts) == ["replayed"] * (PROCESSES - 1) + ["valid"]


def test_two_processes_one_after_the_other_share_the_memory(tmp_path: Path) -> None:
    with SharedReplayCache(tmp_path / "seen.db") as first, SharedReplayCache(tmp_path / "seen.db") as second:
        assert check(CODES[0], replay=first).verdict is Verdict.VALID
        assert check(CODES[0], replay=second).verdict is Verdict.REPLAYED


def test_what_was_refused_is_not_taken_down(cache: ReplayCache) -> None:
    short = Policy(window=15 * SECOND)
    assert check(CODES[19], policy=short, now=NOW, replay=cache).verdict is Verdict.STALE_OR_FUTURE
    assert check(CODES[19], policy=replace(short, window=20 * SECOND), now=NOW, replay=cache).verdict is Verdict.VALID


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    file = tmp_path / "seen.db"
    file.write_bytes(b"something else " * 100)
    with pytest.raises(InputError) as error:
        SharedReplayCache(file)
    assert error.value.where == str(file)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        SharedReplayCache(tmp_path / "missing" / "seen.db")
    assert error.value.where == str(tmp_path / "missing" / "seen.db")


def test_a_cache_that_breaks_lets_nobody_in(tmp_path: Path) -> None:
    cache = SharedReplayCache(tmp_path / "seen.db")
    cache.close()
    with pytest.raises(InputError):
        verify(CODES[0], TRUST, now=CLOCK, replay=cache)


def test_a_cache_that_another_process_holds_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.credential.replay.PATIENCE", 0.0)
    with SharedReplayCache(tmp_path / "seen.db") as cache:
        other = sqlite3.connect(tmp_path / "seen.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError):
            cache.seen("P1", NOW, now=NOW, hold=HOLD)
        other.execute("ROLLBACK")
        assert not cache.seen("P1", NOW, now=NOW, hold=HOLD)
        other.close()


def test_a_cache_does_not_survive_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SharedReplayCache(tmp_path / "seen.db") as cache:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(InputError):
            cache.seen("P1", NOW, now=NOW, hold=HOLD)
