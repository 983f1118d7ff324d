"""The second person: an approval is another's, for exactly what was asked, once, for the one who asked, and not for
long."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import approvals, schema
from juying.ledger.approvals import SECOND_PERSON, TIME_LIMIT, allow_key, ask, give, listing, second_person, use, used
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Action, Operators
from juying.ledger.states import Role
from tests.issuing import rows
from tests.ledger.test_operators import CHEAP, FANG, LEI, MEI, SECRET, Clock

SUBJECT = {"blanks": [17, 18]}
WORK = {"lot": 7}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database: str, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=clock) as opened:
        yield opened


@pytest.fixture
def fang(ledger: Ledger) -> Actor:
    return Operators(ledger, CHEAP).add(ledger.local, FANG, [Role.SUPERVISOR], SECRET).actor()


@pytest.fixture
def lei(ledger: Ledger, fang: Actor) -> Actor:
    return Operators(ledger, CHEAP).add(fang, LEI, [Role.SUPERVISOR], SECRET).actor()


@pytest.fixture
def mei(ledger: Ledger, fang: Actor) -> Actor:
    return Operators(ledger, CHEAP).add(fang, MEI, [Role.ISSUING], SECRET).actor()


def asked(ledger: Ledger, actor: Actor, action: Action = Action.SCRAP, subject: approvals.Subject = SUBJECT) -> int:
    with ledger.transaction(actor) as tx:
        return ask(tx, action, subject)


def given(ledger: Ledger, actor: Actor, number: int) -> None:
    with ledger.transaction(actor) as tx:
        give(tx, number)


def take(ledger: Ledger, actor: Actor, number: int | None, action: Action = Action.SCRAP,
         subject: approvals.Subject = SUBJECT) -> None:  # fmt: skip
    with ledger.transaction(actor) as tx:
        use(tx, number, action, subject)


def test_asked_approved_used(ledger: Ledger, mei: Actor, lei: Actor) -> None:
    number = asked(ledger, mei)
    given(ledger, lei, number)
    take(ledger, mei, number)
    told = [(row.kind, row.operator_id) for row in rows(ledger, schema.events) if row.kind.startswith("approval")]
    assert told == [
        ("approval-asked", mei.operator), ("approval-given", lei.operator), ("approval-used", mei.operator),
    ]  # fmt: skip
    with ledger.reading() as db:
        [approval] = listing(db)
        assert (approval.asked_by, approval.given_by) == (mei.operator, lei.operator)
        assert approval.used_at is not None
        assert used(db, Action.SCRAP, SUBJECT)
        assert not used(db, Action.SCRAP, {"blanks": [17]})


def test_nobody_approves_his_own_request(ledger: Ledger, fang: Actor, lei: Actor) -> None:
    number = asked(ledger, fang)
    with pytest.raises(InputError, match="asked for himself"):
        given(ledger, fang, number)
    with pytest.raises(InputError, match="constraint"), ledger.transaction(fang) as tx:
        tx.db.execute(sa.update(schema.approvals).values(given_by=fang.operator))


def test_only_a_supervisor_approves(ledger: Ledger, fang: Actor, mei: Actor) -> None:
    with pytest.raises(InputError, match="lacks the role"):
        given(ledger, mei, asked(ledger, fang))


def test_only_who_may_do_it_asks_for_it(ledger: Ledger, mei: Actor) -> None:
    with pytest.raises(InputError, match="lacks the role"):
        asked(ledger, mei, Action.ERASE, {"persons": [1]})
    with pytest.raises(InputError, match="needs no second person"):
        asked(ledger, mei, Action.STATION)


def test_approving_twice_is_harmless_for_the_same_person_only(
    ledger: Ledger, mei: Actor, fang: Actor, lei: Actor
) -> None:
    number = asked(ledger, mei)
    given(ledger, lei, number)
    given(ledger, lei, number)
    with pytest.raises(InputError, match="no good"):
        given(ledger, fang, number)
    assert [row.kind for row in rows(ledger, schema.events)].count("approval-given") == 1


def test_it_is_used_once(ledger: Ledger, mei: Actor, lei: Actor) -> None:
    number = asked(ledger, mei)
    given(ledger, lei, number)
    take(ledger, mei, number)
    with pytest.raises(InputError, match="no good"):
        take(ledger, mei, number)


def test_it_is_used_once_by_many_at_once(ledger: Ledger, mei: Actor, lei: Actor) -> None:
    number = asked(ledger, mei)
    given(ledger, lei, number)
    start = threading.Barrier(4)

    def attempt(_: int) -> bool:
        start.wait()
        try:
            take(ledger, mei, number)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]


def test_what_fails_afterwards_did_not_use_it_up(ledger: Ledger, mei: Actor, lei: Actor) -> None:
    number = asked(ledger, mei)
    given(ledger, lei, number)

    def fail() -> None:
        with ledger.transaction(mei) as tx:
            use(tx, number, Action.SCRAP, SUBJECT)
            raise RuntimeError("the shredder is stuck")

    with pytest.raises(RuntimeError, match="shredder"):
        fail()
    take(ledger, mei, number)


@pytest.mark.parametrize(
    ("action", "subject"),
    [
        (Action.KEY_USE, SUBJECT),
        (Action.SCRAP, {"blanks": [17, 18, 19]}),
        (Action.SCRAP, {"blanks": [18, 17]}),
        (Action.SCRAP, {}),
    ],
)
def test_it_is_for_exactly_what_was_asked(
    ledger: Ledger, mei: Actor, lei: Actor, action: Action, subject: approvals.Subject
) -> None:
    number = asked(ledger, mei)
    given(ledger, lei, number)
    with pytest.raises(InputError, match="no good"):
        take(ledger, mei, number, action, subject)


def test_it_is_for_the_one_who_asked(ledger: Ledger, fang: Actor, mei: Actor, lei: Actor) -> None:
    number = asked(ledger, mei)
    given(ledger, lei, number)
    for other in (fang, lei):
        with pytest.raises(InputError, match="no good"):
            take(ledger, other, number)


def test_it_is_not_for_long(ledger: Ledger, mei: Actor, lei: Actor, clock: Clock) -> None:
    first, second = asked(ledger, mei), asked(ledger, mei)
    given(ledger, lei, first)
    clock.now += TIME_LIMIT
    with pytest.raises(InputError, match="no good"):
        take(ledger, mei, first)
    with pytest.raises(InputError, match="no good"):
        given(ledger, lei, second)
    with ledger.reading() as db:
        assert listing(db, now=clock.now) == []
        assert len(listing(db)) == 2


def test_not_given_is_no_good(ledger: Ledger, mei: Actor) -> None:
    with pytest.raises(InputError, match="no good"):
        take(ledger, mei, asked(ledger, mei))


@pytest.mark.parametrize("change", ["disabled", "no supervisor any more"])
def test_the_second_person_has_to_work_there_still(
    ledger: Ledger, fang: Actor, mei: Actor, lei: Actor, change: str
) -> None:
    number = asked(ledger, mei)
    given(ledger, lei, number)
    operators = Operators(ledger, CHEAP)
    if change == "disabled":
        operators.set_active(fang, LEI, False)
    else:
        operators.set_roles(fang, LEI, [Role.INTAKE])
    with pytest.raises(InputError, match=r"does not work here any more|lacks the role"):
        take(ledger, mei, number)


def test_a_number_that_nobody_has(ledger: Ledger, mei: Actor, lei: Actor) -> None:
    for call in (lambda: given(ledger, lei, 99), lambda: take(ledger, mei, 99)):
        with pytest.raises(InputError, match="no such approval"):
            call()


class TestTheSameCommandTwice:
    """The first time asks, the second time has it."""

    def test_it(self, ledger: Ledger, mei: Actor, lei: Actor) -> None:
        for _ in range(2):
            with pytest.raises(InputError, match="juying approval give 1"):
                second_person(ledger, mei, Action.SCRAP, SUBJECT)
        given(ledger, lei, 1)
        assert second_person(ledger, mei, Action.SCRAP, SUBJECT) == 1
        take(ledger, mei, 1)
        with pytest.raises(InputError, match="juying approval give 2"):
            second_person(ledger, mei, Action.SCRAP, SUBJECT)

    def test_what_is_given_comes_first(self, ledger: Ledger, mei: Actor, lei: Actor) -> None:
        first, second = asked(ledger, mei), asked(ledger, mei)
        given(ledger, lei, second)
        assert second_person(ledger, mei, Action.SCRAP, SUBJECT) == second != first

    def test_somebody_elses_does_not_help(self, ledger: Ledger, fang: Actor, mei: Actor, lei: Actor) -> None:
        given(ledger, lei, asked(ledger, mei))
        with pytest.raises(InputError, match="juying approval give 2"):
            second_person(ledger, fang, Action.SCRAP, SUBJECT)

    def test_who_may_not_does_not_ask(self, ledger: Ledger, mei: Actor) -> None:
        with pytest.raises(InputError, match="lacks the role"):
            second_person(ledger, mei, Action.ERASE, {"persons": [1]})
        assert rows(ledger, schema.approvals) == []


class TestAlone:
    """Where nobody is registered, nobody can be second."""

    def test_local_acts_alone_and_the_event_says_so(self, ledger: Ledger) -> None:
        number = second_person(ledger, ledger.local, Action.SCRAP, SUBJECT)
        assert number is None
        take(ledger, ledger.local, number)
        [event] = rows(ledger, schema.events)
        assert event.kind == "acted-alone"
        assert event.details == '{"action":"scrap","subject":{"blanks":[17,18]}}'
        with ledger.reading() as db:
            assert used(db, Action.SCRAP, SUBJECT)

    def test_as_soon_as_there_are_others_nobody_does(self, ledger: Ledger, mei: Actor) -> None:
        with pytest.raises(InputError, match="needs a second person"):
            take(ledger, mei, None)
        with pytest.raises(InputError, match="needs a second person"):
            take(ledger, ledger.local, None)


class TestKeys:
    """An issuing key is used for a piece of work that another allowed, once for all of it."""

    def test_work_that_was_allowed_may_be_gone_on_with(
        self, ledger: Ledger, mei: Actor, lei: Actor, fang: Actor
    ) -> None:
        with pytest.raises(InputError, match="juying approval give 1"):
            allow_key(ledger, mei, b"\xab", WORK)
        given(ledger, lei, 1)
        allow_key(ledger, mei, b"\xab", WORK)
        allow_key(ledger, mei, b"\xab", WORK)
        allow_key(ledger, fang, b"\xab", WORK)
        assert [row.kind for row in rows(ledger, schema.events)].count("approval-used") == 1
        for key, work in ((b"\xab", {"lot": 8}), (b"\xac", WORK)):
            with pytest.raises(InputError, match="juying approval give"):
                allow_key(ledger, mei, key, work)

    def test_not_by_everybody(self, ledger: Ledger, fang: Actor, mei: Actor, lei: Actor) -> None:
        clerk = Operators(ledger, CHEAP).add(fang, "陈晨", [Role.AUDITOR], SECRET).actor()
        asked(ledger, mei, Action.KEY_USE, {"key": "ab", **WORK})
        given(ledger, lei, 1)
        allow_key(ledger, mei, b"\xab", WORK)
        with pytest.raises(InputError, match="lacks the role"):
            allow_key(ledger, clerk, b"\xab", WORK)

    def test_alone(self, ledger: Ledger) -> None:
        allow_key(ledger, ledger.local, b"\xab", WORK)
        allow_key(ledger, ledger.local, b"\xab", WORK)
        assert [row.kind for row in rows(ledger, schema.events)] == ["acted-alone"]


def test_the_actions_that_need_one() -> None:
    assert {Action.SCRAP, Action.KEY_USE, Action.BULK_REVOKE, Action.ERASE} <= set(SECOND_PERSON)
