"""The register in the ledger: places at random and never twice, a history that stays, many processes, killed ones."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from juying.credential.claims import StatusReference
from juying.credential.register import Event, Reason, Register, check_standing
from juying.credential.status import Status
from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Ledger
from juying.ledger.places import LEAST_CAPACITY, Drawing
from juying.ledger.register import LedgerRegister, allot_in
from tests.harness import PrivatePostgres
from tests.people import NOW

ROOT = Path(__file__).parents[2]
PERMIT = "331002202600001"
VALID, INVALID, SUSPENDED = Status.VALID, Status.INVALID, Status.SUSPENDED
NOBODY = StatusReference(9, 9)
FAR_AWAY = StatusReference(2**32 - 1, 2**31)


class Clock:
    """Says what time it is, a minute later each time once it was started."""

    def __init__(self) -> None:
        self.now, self.step = NOW, timedelta(0)

    def __call__(self) -> datetime:
        now = self.now
        self.now += self.step
        return now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database: str, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=clock) as opened:
        yield opened


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


def always() -> Callable[[int], int]:
    """Draws places in order, and wins every draw for a decoy."""
    places = counting()
    return lambda limit: limit - 1 if limit < LEAST_CAPACITY else places(limit)


def random(ledger: Ledger, **drawing: object) -> LedgerRegister:
    """A register that draws as it does in life."""
    return LedgerRegister(ledger, ledger.local, drawing=Drawing(**drawing))


@pytest.fixture
def register(ledger: Ledger) -> LedgerRegister:
    """A register without decoys whose places come in order."""
    return random(ledger, capacity=LEAST_CAPACITY, below=counting())


def test_the_first_place(register: LedgerRegister) -> None:
    protocol: Register = register  # all that issuance needs of it
    reference = protocol.allot(PERMIT)
    assert reference == StatusReference(1, 0)
    assert protocol.status(reference) is VALID
    assert protocol.list_numbers() == (1,)


def test_no_place_is_asked_for(register: LedgerRegister) -> None:
    assert register.allot_many([]) == ()
    assert register.list_numbers() == ()


@pytest.mark.parametrize("count", [90, 200])
def test_places_are_drawn_at_random(ledger: Ledger, count: int) -> None:
    """Few are looked up one by one, many in the whole list."""
    register = random(ledger)
    places = [reference.index for _ in range(2) for reference in register.allot_many([""] * count)]
    assert len(set(places)) == 2 * count
    assert places != sorted(places)
    assert max(places) > 50_000
    assert min(places) < 50_000


def test_every_place_of_a_list_is_given_once_and_then_the_next_list_begins(ledger: Ledger) -> None:
    """One place in 16 stays free for decoys, so the draws do not take for ever."""
    register = random(ledger, capacity=LEAST_CAPACITY, first=7)
    given_out = [*register.allot_many([PERMIT] * 130), *(register.allot() for _ in range(20))]
    assert register.list_numbers() == (7, 8, 9)
    assert len(set(given_out)) == 150
    assert [sum(one.list_number == number for one in given_out) for number in (7, 8, 9)] == [60, 60, 30]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(Status)), max_size=30))
def test_the_list_says_what_the_register_says(changes: list[tuple[int, Status]], ledger: Ledger) -> None:
    """Whatever is done in whatever order: revoked is for good, and decoys touch no real place."""
    register = random(ledger, capacity=LEAST_CAPACITY)
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
    lists = {number: register.statuses(number) for number in register.list_numbers()}
    assert {reference: lists[reference.list_number][reference.index] for reference in references} == expected
    assert [register.status(reference) for reference in references] == list(expected.values())


def test_the_history_stays(register: LedgerRegister, clock: Clock) -> None:
    clock.step = timedelta(minutes=1)
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
    assert register.history(reference) == (
        Event(NOW, VALID, Reason.ISSUED),
        Event(NOW + timedelta(minutes=1), SUSPENDED, Reason.UNDER_REVIEW),
        Event(NOW + timedelta(minutes=3), VALID, Reason.REVIEW_ENDED),
        Event(NOW + timedelta(minutes=4), INVALID, Reason.PERMIT_ENDED),
    )


def test_every_change_leaves_an_event_in_the_chain(register: LedgerRegister, ledger: Ledger) -> None:
    first, second = register.allot_many(["", PERMIT])
    register.set_all([second, first], SUSPENDED, Reason.LOST)
    register.set(first, SUSPENDED)
    events = schema.events
    with ledger.reading() as db:
        found = db.execute(sa.select(events.c.kind, events.c.details).order_by(events.c.number)).all()
    assert [(kind, json.loads(details)) for kind, details in found] == [
        ("status-list-begun", {"list": 1, "capacity": LEAST_CAPACITY}),
        ("places-allotted", {"lists": {"1": 2}}),
        ("status-changed", {"list": 1, "place": 1, "status": "suspended", "reason": "lost"}),
        ("status-changed", {"list": 1, "place": 0, "status": "suspended", "reason": "lost"}),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM status_changes",
        "UPDATE status_changes SET reason = 'lost'",
        "DELETE FROM status_entries",
        "UPDATE status_entries SET status = 0",
        "INSERT INTO status_entries (list, place, status, decoy) VALUES (1, 0, 0, false)",
    ],
)
def test_not_even_a_mistake_of_ours_takes_anything_back(
    statement: str, register: LedgerRegister, ledger: Ledger
) -> None:
    register.set(register.allot(), INVALID)
    with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
        tx.db.exec_driver_sql(statement)


def test_all_or_none(register: LedgerRegister) -> None:
    first, second = register.allot_many(["", ""])
    register.set(second, INVALID)
    for others in ([first, NOBODY], [first, second], [first, FAR_AWAY]):
        with pytest.raises(InputError):
            register.set_all(others, SUSPENDED)
        assert register.status(first) is VALID
    assert register.set_all([first, second, first], INVALID) == 1
    assert register.set_all([], INVALID) == 0


@pytest.mark.parametrize("unknown", [NOBODY, StatusReference(1, 5), FAR_AWAY])
def test_a_place_that_nobody_has(unknown: StatusReference, register: LedgerRegister) -> None:
    register.allot()
    assert (register.status(unknown), register.belongs(unknown, PERMIT)) == (None, None)
    with pytest.raises(InputError, match="did not issue") as caught:
        register.set(unknown, INVALID)
    assert caught.value.where == f"{unknown.list_number}:{unknown.index}"
    with pytest.raises(InputError, match="did not issue"):
        register.confirm(unknown)


def test_a_list_that_is_not_there(register: LedgerRegister) -> None:
    with pytest.raises(InputError, match="no such status list"):
        register.statuses(9)
    with pytest.raises(InputError, match="no such status list"), register.publication(9):
        pass


def test_the_credentials_of_a_permit_are_found(register: LedgerRegister) -> None:
    mine = register.allot(PERMIT), register.allot("other"), register.allot(PERMIT), register.allot()
    register.set(mine[0], INVALID)
    assert register.find(PERMIT) == (mine[0], mine[2])
    assert register.find("nobody") == ()
    assert register.find("") == ()


def test_an_entry_compares_permit_numbers_and_tells_none(register: LedgerRegister, database: str) -> None:
    mine, nobodys = register.allot(PERMIT), register.allot()
    assert register.belongs(mine, f" {PERMIT} ") is True
    assert register.belongs(mine, "other") is False
    assert register.belongs(nobodys, PERMIT) is None
    if "://" not in database:
        folder = Path(database).parent
        assert not any(PERMIT.encode() in path.read_bytes() for path in folder.iterdir())


def test_within_a_transaction_everything_is_undone_with_it(register: LedgerRegister, ledger: Ledger) -> None:
    old = register.allot(PERMIT)
    with suppress(ZeroDivisionError), ledger.transaction(ledger.local) as tx:
        bound = LedgerRegister.within(tx, drawing=Drawing(below=counting()))
        new = bound.allot(PERMIT, replaces=old)
        bound.confirm(new)
        assert [bound.status(one) for one in (old, new)] == [INVALID, VALID]
        assert bound.find(PERMIT) == (old, new)
        _ = 1 / 0
    assert (register.status(old), register.status(new)) == (VALID, None)


# Replacing


def test_a_replaced_credential_is_good_until_the_new_one_is_confirmed(register: LedgerRegister) -> None:
    old = register.allot(PERMIT)
    new = register.allot(PERMIT, replaces=old)
    assert register.status(old) is VALID
    for _ in range(2):  # harmless twice
        register.confirm(new)
        assert (register.status(old), register.status(new)) == (INVALID, VALID)
    assert register.history(old)[-1].reason is Reason.SUPERSEDED
    assert len(register.history(old)) == 2


def test_a_first_credential_is_confirmed_without_consequences(register: LedgerRegister) -> None:
    old, new = register.allot(), register.allot()
    register.confirm(new)
    assert (register.status(old), register.status(new)) == (VALID, VALID)


def test_what_an_interrupted_renewal_left_is_revoked_with_the_old_one(register: LedgerRegister) -> None:
    old = register.allot(PERMIT)
    lost, stored = register.allot(PERMIT, replaces=old), register.allot(PERMIT, replaces=old)
    register.set(old, SUSPENDED)
    register.confirm(stored)
    assert [register.status(one) for one in (old, lost, stored)] == [INVALID, INVALID, VALID]


def test_a_revoked_permit_is_not_issued_again(register: LedgerRegister) -> None:
    reference = register.allot(PERMIT)
    check_standing(register, reference)
    for status, words in ((SUSPENDED, "suspended"), (INVALID, "revoked")):
        register.set(reference, status)
        with pytest.raises(InputError, match=f"is {words} and not issued again"):
            check_standing(register, reference)
    with pytest.raises(InputError, match="not issued from this register"):
        check_standing(register, NOBODY)


def test_a_credential_of_another_office_is_replaced_in_name_only(register: LedgerRegister) -> None:
    new = register.allot(PERMIT, replaces=FAR_AWAY)
    register.confirm(new)
    assert register.status(new) is VALID


# Decoys


def test_decoys_change_along(ledger: Ledger) -> None:
    """With every draw for a decoy won, each real change has one decoy; and a list begins with some."""
    register = random(ledger, capacity=2000, below=always())
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
    register.set_all(references[3:6], SUSPENDED)
    assert decoys() == [5, 3]
    register.set(references[3], VALID)
    assert decoys() == [5, 2]


def test_a_resumed_credential_without_a_suspended_decoy_has_no_company(ledger: Ledger) -> None:
    draws = iter([0, 0, 0, 1])  # no decoys at first, place 0, no decoy at the suspension, one at the resumption
    register = random(ledger, capacity=LEAST_CAPACITY, below=lambda _: next(draws))
    reference = register.allot()
    register.set(reference, SUSPENDED)
    register.set(reference, VALID)
    assert register.statuses(1) == bytes(LEAST_CAPACITY)


def test_decoys_leave_room(ledger: Ledger) -> None:
    """However much is revoked, no more than one place in 32 is a decoy."""
    register = random(ledger, capacity=LEAST_CAPACITY, below=always())
    register.set_all(register.allot_many([""] * 60), INVALID)
    assert register.statuses(1).count(INVALID) == 60 + 2


def test_a_decoy_is_nobodys(ledger: Ledger) -> None:
    draws = counting()
    register = random(ledger, capacity=1000, below=lambda limit: 1 if limit == 2 else draws(limit))
    register.allot()
    (decoy,) = [place for place, status in enumerate(register.statuses(1)) if status == INVALID]
    assert register.status(StatusReference(1, decoy)) is None
    with pytest.raises(InputError):
        register.set(StatusReference(1, decoy), INVALID)


# Publication


def test_each_publication_is_later_than_the_one_before(register: LedgerRegister) -> None:
    """Also in the same second, when the clock was set back, or when a later list is out there."""
    register.allot()
    seen = []
    for after in (None, None, NOW + timedelta(minutes=1), None):
        with register.publication(1, after=after) as snapshot:
            seen.append((snapshot.issued_at - NOW).total_seconds())
            assert snapshot.statuses == register.statuses(1)
    assert seen == [0, 1, 61, 62]


def test_a_publication_that_fails_leaves_no_trace(register: LedgerRegister) -> None:
    register.allot()
    with pytest.raises(ZeroDivisionError), register.publication(1):
        raise ZeroDivisionError
    with register.publication(1) as snapshot:
        assert snapshot.issued_at == NOW


def test_stations_go_on_while_a_list_is_published(private_postgres: PrivatePostgres) -> None:
    with Ledger.open(private_postgres.new_database(), region="331000") as ledger:
        register = random(ledger)
        reference = register.allot()
        with register.publication(1) as snapshot:
            register.set(reference, INVALID)
            register.allot()
        assert snapshot.statuses[reference.index] == VALID
        assert register.status(reference) is INVALID


# Settings


@pytest.mark.parametrize("wrong", [{"capacity": 63}, {"capacity": 2**25}, {"first": -1}, {"first": 2**31}])
def test_settings_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="out of range"):
        Drawing(**wrong)


def test_a_list_keeps_its_capacity(ledger: Ledger) -> None:
    random(ledger, capacity=LEAST_CAPACITY).allot()
    register = random(ledger, capacity=1000)
    assert register.allot().list_number == 1
    assert len(register.statuses(1)) == LEAST_CAPACITY


def test_the_default_clock_and_list(database: str) -> None:
    with Ledger.open(database, region="331000") as ledger:
        register = LedgerRegister(ledger, ledger.local)
        reference = register.allot()
        (event,) = register.history(reference)
    assert reference.list_number == 1
    assert abs(event.at - datetime.now(UTC)) < timedelta(minutes=5)


# Threads and processes


def test_threads_get_different_places(ledger: Ledger) -> None:
    register = random(ledger, capacity=512)
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(lambda number: register.allot(str(number)), range(200)))
    assert len(set(places)) == 200
    assert [register.belongs(place, str(number)) for number, place in enumerate(places)] == [True] * 200


def test_lists_that_end_while_others_draw(ledger: Ledger) -> None:
    """Eight threads at the end of a list: nobody begins the next one twice."""
    register = random(ledger, capacity=LEAST_CAPACITY)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: register.allot_many([""] * 25), range(16)))
    assert len({place for places in found for place in places}) == 400
    assert register.list_numbers() == tuple(range(1, 8))


ALLOT = """
import sys
from juying.ledger.ledger import Ledger
from juying.ledger.places import Drawing
from juying.ledger.register import LedgerRegister

with Ledger.open(sys.argv[1]) as ledger:
    register = LedgerRegister(ledger, ledger.local, drawing=Drawing(capacity=512))
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


def test_processes_get_different_places(ledger: Ledger, database: str) -> None:
    processes = [start(ALLOT, database, 100, name) for name in ("one", "two", "three")]
    outputs = [process.communicate("go\n", timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    found = [places_in(output) for output in outputs]
    assert len({place for places in found for place in places}) == 300
    register = random(ledger)
    assert [register.find(name) for name in ("one", "two", "three")] == list(map(tuple, found))


def test_killed_process(ledger: Ledger, database: str) -> None:
    """What it was given is in the register, and nobody else gets it."""
    process = start(ALLOT, database, 10_000, PERMIT)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    told = "".join(process.stdout.readline() for _ in range(40))
    process.kill()
    told += process.communicate()[0]
    places = places_in(told)
    register = random(ledger, capacity=512)
    known = register.find(PERMIT)
    assert len(known) - len(places) in (0, 1)  # it may have died before it could tell
    assert known[: len(places)] == tuple(places)
    assert not set(register.allot_many([""] * 300)) & set(known)
    assert all(len(register.history(place)) == 1 for place in known)


def test_killed_while_publishing(ledger: Ledger, database: str) -> None:
    """The turn of a dead process is over."""
    random(ledger).allot()
    code = """
import sys
from juying.ledger.ledger import Ledger
from juying.ledger.register import LedgerRegister

with Ledger.open(sys.argv[1]) as ledger, LedgerRegister(ledger, ledger.local).publication(1):
    print("mine", flush=True)
    sys.stdin.readline()
"""
    process = start(code, database)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    process.kill()
    process.communicate()
    with random(ledger).publication(1) as snapshot:
        assert snapshot.issued_at == NOW


def test_transactions_of_several_steps_do_not_block_each_other_for_ever(ledger: Ledger) -> None:
    """Each replaces a credential of an older list in a newer one; none waits for what another one holds."""
    register = random(ledger, capacity=LEAST_CAPACITY)
    olds = register.allot_many([""] * 90)

    def replace(old: StatusReference) -> StatusReference:
        with ledger.transaction(ledger.local) as tx:
            (new,) = allot_in(tx, [""], replaces=[old], drawing=Drawing(capacity=LEAST_CAPACITY))
            LedgerRegister.within(tx).confirm(new)
        return new

    with ThreadPoolExecutor(8) as pool:
        news = list(pool.map(replace, olds))
    assert {register.status(old) for old in olds} == {INVALID}
    assert {register.status(new) for new in news} == {VALID}


def test_reasons_have_words_in_both_languages() -> None:
    assert all(reason.text.zh and reason.text.en for reason in Reason)
