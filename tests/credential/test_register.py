"""The register: places at random and never twice, a history that stays, two processes, killed ones."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from juying.credential.claims import StatusReference
from juying.credential.register import Event, Reason, Register, check_standing
from juying.credential.sqlite_register import LEAST_CAPACITY, SqliteRegister
from juying.credential.status import Status
from juying.errors import InputError
from tests.credential.samples import NOW

ROOT = Path(__file__).parents[2]
PERMIT = "331002202600001"
VALID, INVALID, SUSPENDED = Status.VALID, Status.INVALID, Status.SUSPENDED
NOBODY = StatusReference(9, 9)


def counting() -> Callable[[int], int]:
    """Draws 0, 1, 2 … for places, and nothing for everything else."""
    state = -1

    def below(limit: int) -> int:
        nonlocal state
        if limit < LEAST_CAPACITY:
            return 0
        state += 1
        return state % limit

    return below


def plain(path: Path, **settings: object) -> SqliteRegister:
    """A register without decoys whose places come in order."""
    return SqliteRegister(
        path / "register.db",
        **{"capacity": LEAST_CAPACITY, "clock": lambda: NOW, "below": counting(), **settings},
    )


@pytest.fixture
def register(tmp_path: Path) -> Iterator[SqliteRegister]:
    with plain(tmp_path) as opened:
        yield opened


def test_the_first_place(register: SqliteRegister) -> None:
    ledger: Register = register  # all that issuance needs of it
    reference = ledger.allot(PERMIT)
    assert reference == StatusReference(1, 0)
    assert ledger.status(reference) is VALID
    assert ledger.list_numbers() == (1,)


def test_places_are_drawn_at_random(tmp_path: Path) -> None:
    with SqliteRegister(tmp_path / "register.db") as register:
        places = [reference.index for reference in register.allot_many([""] * 200)]
    assert len(set(places)) == 200
    assert places != sorted(places)
    assert max(places) > 50_000
    assert min(places) < 50_000


def test_every_place_of_a_list_is_given_once_and_then_the_next_list_begins(tmp_path: Path) -> None:
    """One place in 16 stays free for decoys, so the draws do not take for ever."""
    with SqliteRegister(tmp_path / "register.db", capacity=LEAST_CAPACITY, first_list=7) as register:
        given_out = register.allot_many([PERMIT] * 150)
        assert register.list_numbers() == (7, 8, 9)
    assert len(set(given_out)) == 150
    assert [sum(one.list_number == number for one in given_out) for number in (7, 8, 9)] == [60, 60, 30]


@settings(max_examples=25, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(Status)), max_size=40))
def test_the_list_says_what_the_register_says(
    changes: list[tuple[int, Status]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is done in whatever order: revoked is for good, and decoys touch no real place."""
    with SqliteRegister(tmp_path_factory.mktemp("register") / "register.db", capacity=LEAST_CAPACITY) as register:
        references = register.allot_many([""] * 10)
        expected = dict.fromkeys(references, VALID)
        for which, status in changes:
            reference = references[which]
            if expected[reference] is INVALID and status is not INVALID:
                with pytest.raises(InputError, match="cannot be resumed"):
                    register.set(reference, status)
            else:
                assert register.set(reference, status) is (expected[reference] is not status)
                expected[reference] = status
        statuses = register.statuses(1)
        assert len(statuses) == LEAST_CAPACITY
        assert {reference: statuses[reference.index] for reference in references} == expected
        assert [register.status(reference) for reference in references] == list(expected.values())


def test_the_history_stays(tmp_path: Path) -> None:
    moments = iter([NOW + timedelta(minutes=minute) for minute in range(9)])
    with plain(tmp_path, clock=lambda: next(moments)) as register:
        reference = register.allot(PERMIT)
        for status, reason in (
            (SUSPENDED, Reason.UNDER_REVIEW),
            (SUSPENDED, Reason.LOST),
            (VALID, Reason.REVIEW_ENDED),
            (INVALID, Reason.PERMIT_ENDED),
            (INVALID, Reason.LOST),
        ):
            register.set(reference, status, reason)
        assert register.history(NOBODY) == ()
        history = register.history(reference)
    assert history == (
        Event(NOW, VALID, Reason.ISSUED),
        Event(NOW + timedelta(minutes=1), SUSPENDED, Reason.UNDER_REVIEW),
        Event(NOW + timedelta(minutes=2), VALID, Reason.REVIEW_ENDED),
        Event(NOW + timedelta(minutes=3), INVALID, Reason.PERMIT_ENDED),
    )


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM event",
        "UPDATE event SET reason = 'lost'",
        "DELETE FROM entry",
        "UPDATE entry SET status = 0",
        "INSERT INTO entry VALUES (1, 0, 0, 0, '', NULL, NULL)",
    ],
)
def test_not_even_a_mistake_of_ours_takes_anything_back(statement: str, tmp_path: Path) -> None:
    with plain(tmp_path) as register:
        register.set(register.allot(), INVALID)
    with sqlite3.connect(tmp_path / "register.db") as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(statement)
    db.close()


def test_all_or_none(register: SqliteRegister) -> None:
    first, second = register.allot_many(["", ""])
    register.set(second, INVALID)
    for others in ([first, NOBODY], [first, second]):
        with pytest.raises(InputError):
            register.set_all(others, SUSPENDED)
        assert register.status(first) is VALID
    assert register.set_all([first, second], INVALID) == 1


def test_a_place_that_nobody_has(register: SqliteRegister) -> None:
    register.allot()
    for unknown in (NOBODY, StatusReference(1, 5)):
        assert (register.status(unknown), register.subject(unknown)) == (None, None)
        with pytest.raises(InputError, match="did not issue") as caught:
            register.set(unknown, INVALID)
        assert caught.value.where == f"{unknown.list_number}:{unknown.index}"
        with pytest.raises(InputError, match="did not issue"):
            register.confirm(unknown)
    with pytest.raises(InputError, match="no such status list"):
        register.statuses(9)
    with pytest.raises(InputError, match="no such status list"), register.publication(9):
        pass


def test_the_credentials_of_a_permit_are_found(register: SqliteRegister) -> None:
    mine = register.allot(PERMIT), register.allot("other"), register.allot(PERMIT), register.allot()
    register.set(mine[0], INVALID)
    assert register.find(PERMIT) == (mine[0], mine[2])
    assert register.find("nobody") == ()
    assert register.find("") == ()
    assert (register.subject(mine[1]), register.subject(mine[3])) == ("other", "")


# Replacing


def test_a_replaced_credential_is_good_until_the_new_one_is_confirmed(register: SqliteRegister) -> None:
    old = register.allot(PERMIT)
    new = register.allot(PERMIT, replaces=old)
    assert register.status(old) is VALID
    for _ in range(2):  # harmless twice
        register.confirm(new)
        assert (register.status(old), register.status(new)) == (INVALID, VALID)
    assert register.history(old)[-1].reason is Reason.SUPERSEDED
    assert len(register.history(old)) == 2


def test_a_first_credential_is_confirmed_without_consequences(register: SqliteRegister) -> None:
    old, new = register.allot(), register.allot()
    register.confirm(new)
    assert (register.status(old), register.status(new)) == (VALID, VALID)


def test_what_an_interrupted_renewal_left_is_revoked_with_the_old_one(register: SqliteRegister) -> None:
    old = register.allot(PERMIT)
    lost, stored = register.allot(PERMIT, replaces=old), register.allot(PERMIT, replaces=old)
    register.set(old, SUSPENDED)
    register.confirm(stored)
    assert [register.status(one) for one in (old, lost, stored)] == [INVALID, INVALID, VALID]


def test_a_revoked_permit_is_not_issued_again(register: SqliteRegister) -> None:
    reference = register.allot(PERMIT)
    check_standing(register, reference)
    for status, words in ((SUSPENDED, "suspended"), (INVALID, "revoked")):
        register.set(reference, status)
        with pytest.raises(InputError, match=f"is {words} and not issued again"):
            check_standing(register, reference)
    with pytest.raises(InputError, match="not issued from this register"):
        check_standing(register, NOBODY)


# Decoys


def test_decoys_change_along(tmp_path: Path) -> None:
    """With every draw for a decoy won, each real change has one decoy; and a list begins with some."""
    draws = counting()

    def always(limit: int) -> int:
        return limit - 1 if limit < LEAST_CAPACITY else draws(limit)

    with SqliteRegister(tmp_path / "register.db", capacity=2000, below=always) as register:
        references = register.allot_many([""] * 10)

        def decoys() -> list[int]:
            statuses = bytearray(register.statuses(1))
            for reference in references:
                statuses[reference.index] = VALID
            return [statuses.count(status) for status in (INVALID, SUSPENDED)]

        assert decoys() == [2, 0]
        for reference in references[:3]:
            register.set(reference, INVALID)
        assert decoys() == [5, 0]
        for reference in references[3:6]:
            register.set(reference, SUSPENDED)
        assert decoys() == [5, 3]
        register.set(references[3], VALID)
        assert decoys() == [5, 2]


def test_a_resumed_credential_without_a_suspended_decoy_has_no_company(tmp_path: Path) -> None:
    draws = iter([0, 0, 0, 1])  # no decoys at first, place 0, no decoy at the suspension, one at the resumption
    with SqliteRegister(tmp_path / "register.db", capacity=LEAST_CAPACITY, below=lambda _: next(draws)) as register:
        reference = register.allot()
        register.set(reference, SUSPENDED)
        register.set(reference, VALID)
        assert register.statuses(1) == bytes(LEAST_CAPACITY)


def test_decoys_leave_room(tmp_path: Path) -> None:
    """However much is revoked, no more than one place in 32 is a decoy."""
    draws = counting()

    def always(limit: int) -> int:
        return limit - 1 if limit < LEAST_CAPACITY else draws(limit)

    with SqliteRegister(tmp_path / "register.db", capacity=LEAST_CAPACITY, below=always) as register:
        register.set_all(register.allot_many([""] * 60), INVALID)
        assert register.statuses(1).count(INVALID) == 60 + 2


def test_a_decoy_is_nobodys(tmp_path: Path) -> None:
    draws = counting()
    with SqliteRegister(
        tmp_path / "register.db", capacity=1000, below=lambda limit: 1 if limit == 2 else draws(limit)
    ) as register:
        register.allot()
        (decoy,) = [place for place, status in enumerate(register.statuses(1)) if status == INVALID]
        assert register.status(StatusReference(1, decoy)) is None
        with pytest.raises(InputError):
            register.set(StatusReference(1, decoy), INVALID)


# Publication


def test_each_publication_is_later_than_the_one_before(register: SqliteRegister) -> None:
    """Also in the same second, when the clock was set back, or when a later list is out there."""
    register.allot()
    seen = []
    for after in (None, None, NOW + timedelta(minutes=1), None):
        with register.publication(1, after=after) as snapshot:
            seen.append((snapshot.issued_at - NOW).total_seconds())
            assert snapshot.statuses == register.statuses(1)
    assert seen == [0, 1, 61, 62]


def test_a_publication_that_fails_leaves_no_trace(register: SqliteRegister) -> None:
    register.allot()
    with pytest.raises(ZeroDivisionError), register.publication(1):
        raise ZeroDivisionError
    with register.publication(1) as snapshot:
        assert snapshot.issued_at == NOW


# Opening


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    with plain(tmp_path) as register:
        register.allot(PERMIT)
        modes = [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()]
    assert len(modes) == 3  # the file, its log, and the index of the log
    assert set(modes) == {0o600}


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    with plain(tmp_path) as register:
        reference = register.allot(PERMIT)
        register.set(reference, SUSPENDED)
    with SqliteRegister(tmp_path / "register.db", make=False, capacity=1000) as register:
        assert register.status(reference) is SUSPENDED
        assert register.allot().list_number == 1
        assert len(register.statuses(1)) == LEAST_CAPACITY


def test_a_register_that_somebody_else_makes_at_this_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not there before the turn came, and is there now."""
    with plain(tmp_path) as register:
        reference = register.allot()
    seen = iter([False, True])
    monkeypatch.setattr(SqliteRegister, "_is_ours", lambda _: next(seen))
    with plain(tmp_path) as register:
        assert register.status(reference) is VALID


@pytest.mark.parametrize("settings", [{"capacity": 63}, {"capacity": 2**25}, {"first_list": -1}, {"first_list": 2**32}])
def test_settings_out_of_range(settings: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="out of range"):
        SqliteRegister(tmp_path / "register.db", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_register_that_should_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such status register"):
        SqliteRegister(tmp_path / "register.db", make=False)
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be made"):
        SqliteRegister(tmp_path / "no folder" / "register.db")
    text = tmp_path / "text.db"
    text.write_text("not a database at all, and long enough to be looked at" * 20)
    with pytest.raises(InputError, match="cannot be used"):
        SqliteRegister(text)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    before = other.read_bytes()
    with pytest.raises(InputError, match="no status register"):
        SqliteRegister(other)
    assert other.read_bytes() == before


def test_a_register_that_another_process_holds_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.database.PATIENCE", 0.0)
    with plain(tmp_path) as register, plain(tmp_path) as other:
        reference = register.allot()
        with register.publication(1):
            with pytest.raises(InputError, match="locked"):
                other.allot()
            assert other.status(reference) is VALID  # reading needs no turn
        assert other.status(reference) is VALID


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with plain(tmp_path) as register:
        reference = register.allot()
        (pages,) = register._db.execute("PRAGMA page_count").fetchone()
        register._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(InputError, match="full"):
            register.allot_many(["x" * 10_000] * 50)
        assert register.find("x" * 10_000) == ()
        register._db.execute("PRAGMA max_page_count = 100000")
        assert register.allot() != reference


# Threads and processes


def test_threads_get_different_places(tmp_path: Path) -> None:
    with SqliteRegister(tmp_path / "register.db", capacity=512) as register, ThreadPoolExecutor(8) as pool:
        places = list(pool.map(lambda number: register.allot(str(number)), range(200)))
        assert len(set(places)) == 200
        assert [register.subject(place) for place in places] == list(map(str, range(200)))


ALLOT = """
import sys
from juying.credential.sqlite_register import SqliteRegister

with SqliteRegister(sys.argv[1], capacity=512) as register:
    sys.stdin.readline()
    for _ in range(int(sys.argv[2])):
        place = register.allot(sys.argv[3])
        print(f"[{place.list_number}, {place.index}]", flush=True)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def places_in(output: str) -> list[StatusReference]:
    return [StatusReference(*json.loads(line)) for line in output.splitlines() if line.endswith("]")]


def test_two_processes_get_different_places(tmp_path: Path) -> None:
    """They even make the register at once."""
    path = tmp_path / "register.db"
    processes = [start(ALLOT, path, 150, name) for name in ("one", "two", "three")]
    outputs = [process.communicate("go\n", timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    found = [places_in(output) for output in outputs]
    assert len({place for places in found for place in places}) == 450
    with SqliteRegister(path, make=False) as register:
        assert [register.find(name) for name in ("one", "two", "three")] == list(map(tuple, found))


def test_killed_process(tmp_path: Path) -> None:
    """What it was given is in the register, and nobody else gets it."""
    path = tmp_path / "register.db"
    process = start(ALLOT, path, 10_000, PERMIT)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    told = "".join(process.stdout.readline() for _ in range(40))
    process.kill()
    told += process.communicate()[0]
    places = places_in(told)
    with SqliteRegister(path, make=False, capacity=512) as register:
        known = register.find(PERMIT)
        assert len(known) - len(places) in (0, 1)  # it may have died before it could tell
        assert known[: len(places)] == tuple(places)
        others = register.allot_many([""] * 300)
        assert not set(others) & set(known)
        assert register._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert all(len(register.history(place)) == 1 for place in known)


def test_killed_while_publishing(tmp_path: Path) -> None:
    """The turn of a dead process is over."""
    path = tmp_path / "register.db"
    with plain(tmp_path) as register:
        register.allot()
    code = """
import sys
from juying.credential.sqlite_register import SqliteRegister

with SqliteRegister(sys.argv[1]) as register, register.publication(1):
    print("mine", flush=True)
    sys.stdin.readline()
"""
    process = start(code, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    process.kill()
    process.communicate()
    with plain(tmp_path) as register, register.publication(1) as snapshot:
        assert snapshot.issued_at == NOW


def test_the_default_clock_and_list(tmp_path: Path) -> None:
    with SqliteRegister(tmp_path / "register.db") as register:
        reference = register.allot()
        (event,) = register.history(reference)
    assert reference.list_number == 1
    assert abs(event.at - datetime.now(UTC)) < timedelta(minutes=5)


def test_reasons_have_words_in_both_languages() -> None:
    assert all(reason.text.zh and reason.text.en for reason in Reason)
