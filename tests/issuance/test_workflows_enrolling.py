"""Nobody is enrolled twice, whatever happens, and nobody is forgotten."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from juying.errors import InputError, PlatformUnavailable
from juying.issuance.workflows import control
from juying.issuance.workflows.enrolling import Drop, Enrollee, Enrolling, Enrols, Known, Library
from juying.issuance.workflows.tasks import Case, Ended, Kind
from juying.ledger import schema
from juying.ledger.states import PermitState
from juying.services.library.adapter import LibraryAdapter
from juying.services.library.site import sites
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from tests.issuance.worker_process import GymService
from tests.issuance.working import TODAY, Desk, Process, desk
from tests.peers.running import Peer, running
from tests.peers.sip2 import INSTITUTION


@pytest.fixture
def office(database: str, tmp_path: Path) -> Iterator[Desk]:
    with desk(database, tmp_path) as opened:
        yield opened


@pytest.fixture
def gym() -> Iterator[Peer]:
    with running("tests.peers.gym") as peer:
        yield peer


@pytest.fixture(scope="module")
def library() -> Iterator[Peer]:
    with running("tests.peers.sip2") as peer:
        yield peer


def members(gym: Peer, **change: Any) -> list[int]:
    """How often each member was enrolled."""
    return list(gym.ask(change)["members"].values())


def states(office: Desk) -> list[str]:
    return sorted(row.state for row in office.rows(schema.enrolments))


def test_everybody_is_enrolled_once(office: Desk, gym: Peer) -> None:
    office.add(7)
    task = Enrolling({"gym": GymService(gym.port)}, size=3)
    assert isinstance(task.services["gym"], Enrols)
    assert office.do(task, service="gym")["enrolled"] == 7
    assert office.do(task, service="gym") == {"problems": []}
    assert members(gym) == [1] * 7
    assert states(office) == ["enrolled"] * 7
    assert len(office.events("enrolment-enrolled")) == 7


@pytest.mark.parametrize("point", ["before asking", "after asking"])
def test_a_worker_that_dies_while_it_asks_enrols_nobody_twice(
    office: Desk, gym: Peer, database: str, point: str
) -> None:
    office.add(6)
    job = office.start(Kind.ENROL, service="gym")
    with Process(database, office.folder, "--gym", str(gym.port), "--die", point) as dying:
        assert dying.ended() == -signal.SIGKILL
    assert "asked" in states(office)
    with Process(database, office.folder, "--gym", str(gym.port), "--until-idle") as other:
        assert other.ended() == 0
    assert members(gym) == [1] * 6
    assert states(office) == ["enrolled"] * 6
    assert control.get(office.ledger, job).state is control.State.DONE


def test_where_a_service_cannot_tell_a_human_is_asked(office: Desk, gym: Peer) -> None:
    members(gym, mute=True)
    service = GymService(gym.port)
    office.add(2)
    claimed = Enrolling({"gym": service})
    claimed._claim(office.case(), 1, "gym")  # and then the worker died
    done = office.do(claimed, service="gym")
    assert (done["enrolled"], done["unclear"]) == (1, 1)
    assert done["problems"] == [
        ["persons/1", "不知道是否已登记，请询问该服务 / whether it was done is not known: ask the service"]
    ]
    assert members(gym, mute=False) == [1]
    assert office.do(claimed, service="gym")["enrolled"] == 1
    assert members(gym) == [1, 1]


def test_a_service_that_is_away_is_asked_again(office: Desk, gym: Peer) -> None:
    office.add(3)
    members(gym, away=2)
    job = office.start(Kind.ENROL, service="gym")
    office.work(Enrolling({"gym": GymService(gym.port)}))
    assert control.get(office.ledger, job).counts["enrolled"] == 3
    assert members(gym) == [1] * 3


def test_an_unknown_service_is_told(office: Desk) -> None:
    with pytest.raises(InputError, match="not configured"):
        office.do(Enrolling({}), service="gym")


def test_a_worker_that_ends_leaves_the_rest(office: Desk, gym: Peer) -> None:
    office.add(3)
    case = office.case(service="gym")
    turns = iter([None, Ended()])

    def going_on() -> None:
        if end := next(turns):
            raise end

    task = Enrolling({"gym": GymService(gym.port)})
    with pytest.raises(Ended):
        task.enrol(Case(case.job, case.scope, case.today, case.ledger, case.actor, going_on), [1, 3], None)
    assert members(gym) == [1]
    assert office.do(task, service="gym")["enrolled"] == 2
    assert members(gym) == [1] * 3


def test_those_without_a_valid_permit_are_left_out(office: Desk, gym: Peer) -> None:
    office.add(2)
    with office.ledger.transaction(office.ledger.local) as tx:
        table = schema.permits
        tx.db.execute(sa.update(table).where(table.c.id == 1).values(state=PermitState.CANCELLED.value))
    assert office.do(Enrolling({"gym": GymService(gym.port)}), service="gym")["enrolled"] == 1


def test_a_drop_holds_what_a_service_needs_and_is_private(office: Desk) -> None:
    office.add(1)
    service = Drop("bookbar", office.folder / "drop")
    assert office.do(Enrolling({"bookbar": service}), service="bookbar")["enrolled"] == 1
    (file,) = (office.folder / "drop" / "bookbar").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text("utf-8")) == {
        "id": file.stem,
        "name": "ERIKSSON ANNA MARIA",
        "nationality": "UTO",
        "valid_until": "2030-05-31",
        "numbers": {
            "social_security_number": json.loads(file.read_text("utf-8"))["numbers"]["social_security_number"],
            "permit_number": "ZJ00000000",
            "document_number": "X0000000",
        },
    }


def test_a_drop_that_is_full_refuses_nobody(office: Desk) -> None:
    office.add(1)
    (office.folder / "drop").write_text("a file")
    task = Enrolling({"gym": Drop("gym", office.folder / "drop")})
    with pytest.raises(PlatformUnavailable, match="folder cannot be made"):
        office.do(task, service="gym")
    assert states(office) == ["asked"]
    (office.folder / "drop").unlink()
    assert office.do(task, service="gym")["enrolled"] == 1


@pytest.fixture
def taizhou(library: Peer, office: Desk) -> Iterator[Library]:
    library.ask({"habits": []})
    table = {
        "host": "127.0.0.1", "port": library.port, "tls": False, "title": "T", "institution": INSTITUTION,
        "reader_number": "document_number",
    }  # fmt: skip
    adapter = LibraryAdapter(sites({"taizhou": table})[0])
    yield Library(adapter, office.folder / "drop")
    adapter.close()


def test_a_library_is_asked_whom_it_knows_and_gets_a_file_of_the_others(office: Desk, taizhou: Library) -> None:
    office.add(1, holder={"document_number": "L898902C3"})  # a reader of the library
    office.add(1, first=7)
    task = Enrolling({taizhou.name: taizhou})
    done = office.do(task, service="library.taizhou")
    assert (done["enrolled"], done["asked"]) == (1, 1)
    (file,) = (office.folder / "drop" / "library.taizhou").iterdir()
    assert json.loads(file.read_text("utf-8"))["numbers"]["document_number"] == "X0000007"
    assert states(office) == ["asked", "enrolled"]
    assert office.do(task, service="library.taizhou")["asked"] == 1, "it is asked again until it knows the reader"
    assert len(list((office.folder / "drop" / "library.taizhou").iterdir())) == 1


def test_a_library_that_wants_a_card_waits_for_the_card(office: Desk, taizhou: Library) -> None:
    office.add(1)
    object.__setattr__(taizhou.adapter.site, "reader_number", "card_number")
    done = office.do(Enrolling({taizhou.name: taizhou}), service="library.taizhou")
    assert done["later"] == 1
    assert office.rows(schema.enrolments) == []


def test_an_answer_about_nobody_is_no_answer(office: Desk, taizhou: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    office.add(1)
    monkeypatch.setattr(taizhou.adapter.client, "reader", lambda *_, **__: taizhou.adapter.client.status())
    with pytest.raises(PlatformUnavailable, match="not about a reader"):
        office.do(Enrolling({taizhou.name: taizhou}), service=taizhou.name)
    assert office.rows(schema.enrolments) == []


@dataclass(frozen=True)
class Strict:
    """Takes nobody."""

    name: str = "strict"
    asked: list[str] = field(default_factory=list)

    def known(self, person: Enrollee, *, deadline: Deadline) -> Known:
        return Known.UNCLEAR

    def enrol(self, person: Enrollee, *, deadline: Deadline) -> bool:
        self.asked.append(person.id)
        raise InputError("年龄不符", "too young")


def test_who_is_refused_is_not_asked_for_again(office: Desk) -> None:
    office.add(1)
    service = Strict()
    task = Enrolling({"strict": service})
    done = office.do(task, service="strict")
    assert (done["refused"], done["problems"]) == (1, [["persons/1", "年龄不符 / too young"]])
    assert office.do(task, service="strict") == {"problems": []}
    assert len(service.asked) == 1
    assert repr(Enrollee("1", Presentation(carrier="chip"), TODAY)) == "Enrollee(id='1')"
