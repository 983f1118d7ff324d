"""Workers die at every point, at random, or only sleep: every credential is there exactly once all the same."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.issuance.workflows import control
from juying.issuance.workflows.signing import Signing
from juying.issuance.workflows.tasks import Kind
from juying.ledger import schema
from tests.issuance.working import Desk, Process, desk

POINTS = ("before allot", "after allot", "before sign", "after sign", "before draw", "picture 4", "after draw")


@pytest.fixture
def office(database: str, tmp_path: Path) -> Iterator[Desk]:
    with desk(database, tmp_path) as opened:
        yield opened


def signing(office: Desk) -> Signing:
    return Signing(office.office, office.folder / "pictures", size=5)


def test_a_worker_that_dies_at_any_point_costs_and_doubles_nothing(office: Desk, database: str) -> None:
    office.add(5 * (len(POINTS) + 1))
    job = office.start(Kind.SIGN)
    for point in POINTS:
        with Process(database, office.folder, "--die", point) as dying:
            assert dying.ended() == -signal.SIGKILL
    assert len(control.workers(office.ledger)) >= 1  # who died did not say so
    events: list[str] = []
    office.work(signing(office), told=lambda event: events.append(event["event"]))
    assert "taken-over" in events
    office.all_there(pictures=office.folder / "pictures")
    assert control.get(office.ledger, job).state is control.State.DONE
    assert control.workers(office.ledger) == []


def test_a_worker_that_goes_on_uses_the_places_that_were_allotted(office: Desk, database: str) -> None:
    office.add(5)
    office.start(Kind.SIGN)
    with Process(database, office.folder, "--die", "before sign") as dying:
        assert dying.ended() == -signal.SIGKILL
    assert allotted(office) == 10
    office.work(signing(office))
    assert allotted(office) == 10
    office.all_there()


def allotted(office: Desk) -> int:
    with office.ledger.reading() as db:
        return int(db.execute(sa.select(sa.func.sum(schema.status_lists.c.allotted))).scalar_one())


def test_two_workers_of_which_one_is_killed_now_and_then(office: Desk, database: str) -> None:
    chance = random.Random(20261201)
    office.add(120)
    job = office.start(Kind.SIGN)
    with Process(database, office.folder, "--until-idle") as steady:
        for _ in range(4):
            with Process(database, office.folder, "--until-idle") as other:
                for _ in range(chance.randrange(1, 60)):
                    other.hear()
                other.send(signal.SIGKILL)
        assert steady.ended() == 0
    office.all_there(pictures=office.folder / "pictures")
    assert control.get(office.ledger, job).state is control.State.DONE


@pytest.mark.parametrize("point", ["before sign", "after allot"])
def test_a_worker_that_only_slept_doubles_nothing_when_it_wakes_up(office: Desk, database: str, point: str) -> None:
    office.add(5)
    office.start(Kind.SIGN)
    with Process(database, office.folder, "--hold", point, "--until-idle") as sleeper:
        sleeper.hear_until(point=point)
        sleeper.sleep(office.ledger)
        office.work(signing(office))
        office.all_there(pictures=office.folder / "pictures")
        office.add(5, first=5)
        job = office.start(Kind.SIGN)
        sleeper.send(signal.SIGCONT)
        sleeper.go_on()
        sleeper.hear_until(point=f"after {point.split()[1]}")
        assert sleeper.ended() == 0  # when it has done the next job: it is of use again
    assert control.get(office.ledger, job).state is control.State.DONE
    assert control.workers(office.ledger) == []
    office.all_there(pictures=office.folder / "pictures")


def test_a_worker_that_is_asked_to_end_hands_its_part_on(office: Desk, database: str) -> None:
    office.add(5)
    job = office.start(Kind.SIGN)
    with Process(database, office.folder, "--hold", "after sign") as leaving:
        leaving.hear_until(point="after sign")
        leaving.send(signal.SIGTERM)
        leaving.go_on()
        assert leaving.ended() == 0
    assert control.workers(office.ledger) == []
    assert control.get(office.ledger, job).state is control.State.RUNNING
    assert not (office.folder / "pictures").exists()
    office.work(signing(office))
    office.all_there(pictures=office.folder / "pictures")
    with office.ledger.reading() as db:
        kinds = list(db.execute(sa.select(schema.events.c.kind)).scalars())
    assert kinds.count("places-allotted") == 1  # what was done was not done again
