"""Operators: who may do what, passwords that are kept and guessed as they should be, sessions that end."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import PERMITS, Action, Operators, allow, alone, at_station, on_behalf
from juying.ledger.passwords import MOST_WRONG, PAUSE, Passwords
from juying.ledger.sessions import IDLE, LONGEST, Session, Sessions
from juying.ledger.states import Role
from tests import people
from tests.issuing import kinds, rows

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
CHEAPER = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
FANG, LEI, MEI = "王芳", "李雷", "韩梅梅"
SECRET = "correct horse battery"


class Clock:
    """The time in the office."""

    def __init__(self) -> None:
        self.now = people.NOW

    def __call__(self):
        return self.now

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database: str, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=clock) as opened:
        yield opened


@pytest.fixture
def operators(ledger: Ledger) -> Operators:
    return Operators(ledger, CHEAP)


@pytest.fixture
def sessions(ledger: Ledger) -> Sessions:
    return Sessions(ledger, hasher=CHEAP)


@pytest.fixture
def fang(ledger: Ledger, operators: Operators) -> Actor:
    """A supervisor, the first operator."""
    return operators.add(ledger.local, FANG, [Role.SUPERVISOR], SECRET).actor()


def is_alone(ledger: Ledger) -> bool:
    with ledger.reading() as db:
        return alone(db)


# Roles


def test_every_action_has_roles_that_may_do_it() -> None:
    assert set(PERMITS) == set(Action)
    assert all(PERMITS.values())
    assert all(action.text.zh and action.text.en for action in Action)


def test_an_auditor_changes_nothing() -> None:
    allowed = {action for action, roles in PERMITS.items() if Role.AUDITOR in roles}
    assert allowed == {Action.READ, Action.AUDIT, Action.BACKUP}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", Role)
def test_the_table_decides(role: Role, action: Action) -> None:
    actor = Actor(5, "somebody", frozenset({role}))
    if role in PERMITS[action]:
        allow(actor, action)
    else:
        with pytest.raises(InputError, match="lacks the role"):
            allow(actor, action)


# Registering


def test_the_first_operator_ends_the_time_of_local(ledger: Ledger, operators: Operators) -> None:
    assert is_alone(ledger)
    added = operators.add(ledger.local, FANG, [Role.AUDITOR, Role.SUPERVISOR], SECRET)
    assert (added.name, added.roles, added.active) == (FANG, {Role.SUPERVISOR, Role.AUDITOR}, True)
    assert not is_alone(ledger)
    assert [(entry.name, entry.active) for entry in operators.listing()] == [("local", False), (FANG, True)]
    with pytest.raises(InputError, match="log in first"):
        operators.add(ledger.local, LEI, [Role.SUPERVISOR], SECRET)
    [event] = rows(ledger, schema.events)
    assert (event.kind, event.operator_id) == ("operator-added", 1)
    assert event.details == '{"operator":2,"roles":"supervisor,auditor"}'
    assert FANG not in event.details


def test_the_first_operator_has_to_be_a_supervisor(ledger: Ledger, operators: Operators) -> None:
    with pytest.raises(InputError, match="has to be a supervisor"):
        operators.add(ledger.local, FANG, [Role.ISSUING], SECRET)
    assert is_alone(ledger)
    assert [entry.name for entry in operators.listing()] == ["local"]


@pytest.mark.parametrize("name", ["", " x", "x ", "a\nb", "x" * 65])
def test_what_is_no_name(ledger: Ledger, operators: Operators, name: str) -> None:
    with pytest.raises(InputError, match="a name has 1 to 64"):
        operators.add(ledger.local, name, [Role.SUPERVISOR], SECRET)


@pytest.mark.parametrize("name", [FANG, "local"])
def test_a_name_is_taken_once(operators: Operators, fang: Actor, name: str) -> None:
    with pytest.raises(InputError, match="take another one"):
        operators.add(fang, name, [Role.INTAKE], SECRET)


def test_an_operator_has_a_role(operators: Operators, fang: Actor) -> None:
    with pytest.raises(InputError, match="one role at least"):
        operators.add(fang, LEI, [], SECRET)


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("short", "10 to 256"),
        ("x" * 257, "10 to 256"),
        ("aaaaaaaaaaaa", "too easy"),
        ("ababcdabcd", "too easy"),
        (f"I am {FANG}, let me in", "too easy"),
    ],
)
def test_bad_passwords(ledger: Ledger, operators: Operators, password: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        operators.add(ledger.local, FANG, [Role.SUPERVISOR], password)
    assert password not in str(error.value)


def test_only_supervisors_manage_operators(ledger: Ledger, operators: Operators, fang: Actor) -> None:
    clerk = operators.add(fang, LEI, [Role.INTAKE, Role.ISSUING, Role.AUDITOR], SECRET).actor()
    for forbidden in (
        lambda: operators.add(clerk, MEI, [Role.SUPERVISOR], SECRET),
        lambda: operators.set_roles(clerk, LEI, [Role.SUPERVISOR]),
        lambda: operators.set_active(clerk, FANG, False),
        lambda: operators.set_password(clerk, FANG, SECRET),
    ):
        with pytest.raises(InputError, match="lacks the role"):
            forbidden()


def test_a_supervisor_always_remains(operators: Operators, fang: Actor) -> None:
    lei = operators.add(fang, LEI, [Role.SUPERVISOR], SECRET).actor()
    operators.set_active(fang, LEI, False)
    with pytest.raises(InputError, match="at least one"):
        operators.set_active(fang, FANG, False)
    with pytest.raises(InputError, match="at least one"):
        operators.set_roles(fang, FANG, [Role.INTAKE])
    with pytest.raises(InputError, match="log in first"):
        operators.set_active(lei, FANG, False)
    operators.set_active(fang, LEI, True)
    operators.set_active(fang, FANG, False)
    assert [entry.name for entry in operators.listing() if entry.active] == [LEI]


def test_two_supervisors_who_disable_each_other_at_once(ledger: Ledger, operators: Operators, fang: Actor) -> None:
    lei = operators.add(fang, LEI, [Role.SUPERVISOR], SECRET).actor()
    start = threading.Barrier(2)

    def disable(who: Actor, whom: str) -> bool:
        start.wait()
        try:
            operators.set_active(who, whom, False)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(disable, (fang, lei), (LEI, FANG)))
    assert sorted(done) == [False, True], "whoever was second was disabled by then"


@pytest.mark.parametrize("name", ["nobody", "local"])
def test_who_cannot_be_changed(operators: Operators, fang: Actor, name: str) -> None:
    with pytest.raises(InputError, match="no such operator"):
        operators.set_active(fang, name, True)


# Logging in


def test_passwords_are_kept_as_argon2id_hashes(ledger: Ledger) -> None:
    Operators(ledger).add(ledger.local, FANG, [Role.SUPERVISOR], SECRET)
    hashed = rows(ledger, schema.operators, schema.operators.c.name == FANG)[0].password_hash
    assert hashed.startswith("$argon2id$")
    assert PasswordHasher().verify(hashed, SECRET)
    assert not PasswordHasher().check_needs_rehash(hashed), "with the present defaults of the library"


def test_a_hash_with_other_parameters_is_replaced_at_login(ledger: Ledger, fang: Actor) -> None:
    before = rows(ledger, schema.operators)[1].password_hash
    Sessions(ledger, hasher=CHEAPER).login(FANG, SECRET)
    after = rows(ledger, schema.operators)[1].password_hash
    assert before != after
    assert not CHEAPER.check_needs_rehash(after)
    Sessions(ledger, hasher=CHEAPER).login(FANG, SECRET)
    assert rows(ledger, schema.operators)[1].password_hash == after


def test_a_session_acts_for_its_operator(ledger: Ledger, sessions: Sessions, fang: Actor, clock: Clock) -> None:
    session = sessions.login(FANG, SECRET)
    assert session.expires_at == clock.now + LONGEST
    actor = sessions.actor(session.token)
    assert (actor.operator, actor.name, actor.roles, actor.station) == (2, FANG, {Role.SUPERVISOR}, None)
    with ledger.transaction(actor) as tx:
        tx.note("worked")
    assert [(row.kind, row.operator_id) for row in rows(ledger, schema.events)[1:]] == [("logged-in", 2), ("worked", 2)]


def test_the_token_stands_nowhere(ledger: Ledger, sessions: Sessions, fang: Actor) -> None:
    session = sessions.login(FANG, SECRET)
    [row] = rows(ledger, schema.sessions)
    assert row.token_hash == hashlib.sha256(session.token.encode()).digest()
    assert len(session.token) == 43, "32 random bytes"
    assert session.token not in repr(session) + repr(sessions.actor(session.token))
    assert sessions.login(FANG, SECRET).token != session.token


def test_full_width_letters_are_the_same_password(sessions: Sessions, fang: Actor) -> None:
    assert sessions.login(FANG, "ｃorrect　horse battery").operator.name == FANG


@pytest.mark.parametrize(("name", "password"), [(FANG, "wrong horse battery"), ("nobody", SECRET), ("local", SECRET)])
def test_a_wrong_name_and_a_wrong_password_are_answered_alike(
    ledger: Ledger, sessions: Sessions, fang: Actor, name: str, password: str
) -> None:
    with pytest.raises(InputError) as error:
        sessions.login(name, password)
    assert error.value.text.en == "the operator's name or the password is wrong"
    assert rows(ledger, schema.sessions) == []


def test_a_name_that_nobody_has_costs_as_much_work_as_a_wrong_password(ledger: Ledger, fang: Actor) -> None:
    class Counting(PasswordHasher):
        work = 0

        def hash(self, *arguments, **options) -> str:
            self.work += 1
            return super().hash(*arguments, **options)

        def verify(self, *arguments) -> bool:
            self.work += 1
            return super().verify(*arguments)

    for name in ("nobody", FANG):
        hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
        with pytest.raises(InputError):
            Sessions(ledger, hasher=hasher).login(name, "wrong horse battery")
        assert hasher.work == 1


def test_a_disabled_operator_cannot_log_in(operators: Operators, sessions: Sessions, fang: Actor) -> None:
    operators.add(fang, LEI, [Role.ISSUING], SECRET)
    operators.set_active(fang, LEI, False)
    with pytest.raises(InputError, match="is wrong"):
        sessions.login(LEI, SECRET)
    operators.set_active(fang, LEI, True)
    assert sessions.login(LEI, SECRET)


# Guessing


def guess(sessions: Sessions, times: int = 1) -> list[str]:
    answers = []
    for _ in range(times):
        with pytest.raises(InputError) as error:
            sessions.login(FANG, "a wrong password")
        answers.append(error.value.text.en)
    return answers


def test_five_wrong_passwords_make_a_pause(ledger: Ledger, sessions: Sessions, fang: Actor, clock: Clock) -> None:
    answers = guess(sessions, MOST_WRONG + 2)
    assert ["is wrong" in answer for answer in answers] == [True] * MOST_WRONG + [False] * 2
    with pytest.raises(InputError, match="no other try for 15 minutes"):
        sessions.login(FANG, SECRET)
    failed = [row for row in rows(ledger, schema.events) if row.kind == "login-failed"]
    assert [(row.operator_id, row.details) for row in failed] == [
        (2, f'{{"failures":{number}}}') for number in range(1, MOST_WRONG + 1)
    ], "a pause fills no chain"


def test_after_the_pause_there_is_one_try_at_a_time(sessions: Sessions, fang: Actor, clock: Clock) -> None:
    guess(sessions, MOST_WRONG)
    clock.wait(seconds=PAUSE.total_seconds())
    assert ["is wrong" in answer for answer in guess(sessions, 2)] == [True, False]
    clock.wait(seconds=PAUSE.total_seconds())
    assert sessions.login(FANG, SECRET)
    assert ["is wrong" in answer for answer in guess(sessions, MOST_WRONG)] == [True] * MOST_WRONG, "counted from new"


def test_a_supervisor_ends_the_pause_with_a_new_password(operators: Operators, sessions: Sessions, fang: Actor) -> None:
    lei = operators.add(fang, LEI, [Role.SUPERVISOR], SECRET).actor()
    guess(sessions, MOST_WRONG)
    operators.set_password(lei, FANG, "another horse battery")
    assert sessions.login(FANG, "another horse battery")


def test_many_guesses_at_once_are_not_more(ledger: Ledger, fang: Actor) -> None:
    """All of them wait inside the hashing until every one is counted."""
    tries = MOST_WRONG + 3
    start = threading.Barrier(tries)
    looked: list[str] = []

    class Slow(PasswordHasher):
        def verify(self, hashed, password) -> bool:
            looked.append(password)
            return super().verify(hashed, password)

    sessions = Sessions(ledger, hasher=Slow(time_cost=1, memory_cost=8, parallelism=1))

    def attempt(number: int) -> None:
        start.wait()
        with pytest.raises(InputError):
            sessions.login(FANG, f"wrong password {number}")

    with ThreadPoolExecutor(tries) as pool:
        list(pool.map(attempt, range(tries)))
    assert len(looked) == MOST_WRONG


# Sessions end


def ended(sessions: Sessions, session: Session) -> bool:
    try:
        sessions.actor(session.token)
    except InputError as error:
        return "log in again" in error.text.en
    return False


def test_a_session_that_is_not_used_ends(sessions: Sessions, fang: Actor, clock: Clock) -> None:
    session = sessions.login(FANG, SECRET)
    clock.wait(seconds=IDLE.total_seconds() - 1)
    assert not ended(sessions, session)
    clock.wait(seconds=IDLE.total_seconds() - 1)
    assert not ended(sessions, session), "it was used meanwhile"
    clock.wait(seconds=IDLE.total_seconds())
    assert ended(sessions, session)


def test_every_session_ends_after_a_day_of_work(sessions: Sessions, fang: Actor, clock: Clock) -> None:
    session = sessions.login(FANG, SECRET)
    for _ in range(47):
        clock.wait(minutes=15)
        assert not ended(sessions, session)
    clock.wait(minutes=15)
    assert ended(sessions, session)


def test_the_limits_can_be_chosen(ledger: Ledger, fang: Actor, clock: Clock) -> None:
    strict = Sessions(ledger, idle=timedelta(minutes=5), longest=timedelta(hours=1), hasher=CHEAP)
    session = strict.login(FANG, SECRET)
    assert session.expires_at == clock.now + timedelta(hours=1)
    clock.wait(minutes=5)
    assert ended(strict, session)


def test_use_is_written_once_a_minute(ledger: Ledger, sessions: Sessions, fang: Actor, clock: Clock) -> None:
    begun = clock.now
    session = sessions.login(FANG, SECRET)
    used = []
    for _ in range(4):
        sessions.actor(session.token)
        used.append((rows(ledger, schema.sessions)[0].used_at - begun).total_seconds())
        clock.wait(seconds=25)
    assert used == [0, 0, 0, 75]


def test_logging_out_ends_one_session(ledger: Ledger, sessions: Sessions, fang: Actor) -> None:
    first, second = sessions.login(FANG, SECRET), sessions.login(FANG, SECRET)
    sessions.logout(first.token)
    sessions.logout(first.token)
    assert ended(sessions, first)
    assert not ended(sessions, second)
    assert [row.kind for row in rows(ledger, schema.events)].count("logged-out") == 1


def test_a_token_that_nobody_has(sessions: Sessions, fang: Actor) -> None:
    with pytest.raises(InputError, match="log in again"):
        sessions.actor("x" * 43)
    sessions.logout("x" * 43)


@pytest.mark.parametrize("change", ["roles", "password", "own password", "disabled"])
def test_changes_of_an_operator_end_all_sessions(
    operators: Operators, sessions: Sessions, fang: Actor, change: str
) -> None:
    operators.add(fang, LEI, [Role.ISSUING], SECRET)
    open_sessions = [sessions.login(LEI, SECRET) for _ in range(2)]
    other = sessions.login(FANG, SECRET)
    lei = sessions.actor(open_sessions[0].token)
    if change == "roles":
        assert operators.set_roles(fang, LEI, [Role.INTAKE]).roles == {Role.INTAKE}
    elif change == "password":
        operators.set_password(fang, LEI, "another horse battery")
    elif change == "own password":
        operators.set_password(lei, LEI, "another horse battery", SECRET)
    else:
        operators.set_active(fang, LEI, False)
    assert all(ended(sessions, session) for session in open_sessions)
    assert not ended(sessions, other)


@pytest.mark.parametrize("old", [None, "", "wrong horse battery"])
def test_ones_own_password_needs_the_old_one(operators: Operators, sessions: Sessions, fang: Actor, old: str) -> None:
    """An unattended terminal is not enough, not even a supervisor's."""
    with pytest.raises(InputError, match="is wrong"):
        operators.set_password(fang, FANG, "another horse battery", old)
    assert sessions.login(FANG, SECRET)


def test_old_sessions_are_removed(ledger: Ledger, sessions: Sessions, fang: Actor, clock: Clock) -> None:
    sessions.login(FANG, SECRET)
    clock.wait(hours=1)
    new = sessions.login(FANG, SECRET)
    [row] = rows(ledger, schema.sessions)
    assert row.token_hash == hashlib.sha256(new.token.encode()).digest()


def test_what_is_changed_while_a_password_is_looked_at_counts(
    ledger: Ledger, operators: Operators, fang: Actor
) -> None:
    """Disabled between the hash and the session: there is no session."""
    operators.add(fang, LEI, [Role.ISSUING], SECRET)

    class Interrupted(PasswordHasher):
        def verify(self, hashed, password) -> bool:
            operators.set_active(fang, LEI, False)
            return super().verify(hashed, password)

    with pytest.raises(InputError, match="is wrong"):
        Sessions(ledger, hasher=Interrupted(time_cost=1, memory_cost=8, parallelism=1)).login(LEI, SECRET)
    assert rows(ledger, schema.sessions) == []


# Programs that run for long


def test_renewing_takes_the_roles_of_now_and_keeps_the_station(
    ledger: Ledger, operators: Operators, sessions: Sessions, fang: Actor, clock: Clock
) -> None:
    actor = at_station(ledger, sessions.actor(sessions.login(FANG, SECRET).token), "A1")
    clock.wait(minutes=20)
    assert sessions.renew(actor) == actor
    clock.wait(minutes=20)
    assert sessions.renew(actor) == actor, "renewing is using"
    operators.set_roles(fang, FANG, [Role.SUPERVISOR, Role.ISSUING])
    with pytest.raises(InputError, match="log in again"):
        sessions.renew(actor)


def test_work_on_behalf_of_somebody_goes_on_without_a_session(
    ledger: Ledger, operators: Operators, sessions: Sessions, fang: Actor
) -> None:
    lei = operators.add(fang, LEI, [Role.ISSUING], SECRET)
    with ledger.reading() as db:
        actor = on_behalf(db, lei.id, 4)
    assert (actor.operator, actor.roles, actor.station, actor.session) == (lei.id, {Role.ISSUING}, 4, b"")
    operators.set_roles(fang, LEI, [Role.INTAKE])
    assert sessions.renew(actor).roles == {Role.INTAKE}
    operators.set_active(fang, LEI, False)
    with pytest.raises(InputError, match="does not work here any more"):
        sessions.renew(actor)


def test_local_works_until_somebody_is_registered(ledger: Ledger, operators: Operators, sessions: Sessions) -> None:
    assert sessions.renew(ledger.local) == ledger.local
    operators.add(ledger.local, FANG, [Role.SUPERVISOR], SECRET)
    with pytest.raises(InputError, match="does not work here any more"):
        sessions.renew(ledger.local)


# Stations


def test_a_station_is_registered_once(ledger: Ledger) -> None:
    first, second = at_station(ledger, ledger.local, "A1"), at_station(ledger, ledger.local, "A2")
    assert at_station(ledger, ledger.local, "A1") == first
    assert [row.name for row in rows(ledger, schema.stations)] == ["A1", "A2"]
    assert kinds(ledger) == ["station-added"] * 2
    assert first.station != second.station
    with pytest.raises(InputError, match="a name has"):
        at_station(ledger, ledger.local, "")


def test_stations_of_one_name_that_start_at_once_are_one(ledger: Ledger) -> None:
    start = threading.Barrier(4)

    def begin(_: int) -> int | None:
        start.wait()
        return at_station(ledger, ledger.local, "A1").station

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(begin, range(4)))) == 1
    assert len(rows(ledger, schema.stations)) == 1


def test_nothing_shows_a_password_or_a_name(ledger: Ledger, fang: Actor) -> None:
    [_, row] = Operators(ledger).listing()
    assert FANG not in repr(row) + repr(fang) + repr(Passwords(ledger))


def test_events_of_operators_hold_no_names(
    ledger: Ledger, operators: Operators, sessions: Sessions, fang: Actor
) -> None:
    operators.add(fang, LEI, [Role.ISSUING], SECRET)
    sessions.login(LEI, SECRET)
    operators.set_roles(fang, LEI, [Role.AUDITOR])
    for row in rows(ledger, schema.events):
        assert LEI not in row.details
        assert FANG not in row.details


def test_an_operator_is_never_deleted(ledger: Ledger, fang: Actor) -> None:
    with pytest.raises(InputError, match="constraint"), ledger.transaction(fang) as tx:
        tx.db.execute(sa.delete(schema.operators).where(schema.operators.c.name == FANG))
