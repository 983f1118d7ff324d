"""What a job signs and draws, step by step, without workers."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from juying.card.virtual.transport import LocalTransport
from juying.credential.claims import StatusReference, Tier
from juying.credential.status_list import Status
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.errors import InputError, KeyUseError, PlatformUnavailable
from juying.issuance.changes import apply_application
from juying.issuance.permit_kinds import Kind as PermitKind
from juying.issuance.production import Outcome, Production
from juying.issuance.workflows.signing import Signing, Wanted, lot_named, picture_path
from juying.ledger import credentials, schema
from juying.ledger.credentials import Signed
from juying.ledger.operators import Operators, on_behalf
from juying.ledger.people import add_permits
from juying.ledger.register import statuses_of
from juying.ledger.states import CredentialState, PermitState, Role
from tests import people
from tests.issuance.working import Desk, desk
from tests.issuing import add_lot, blank


@pytest.fixture
def office(database: str, tmp_path: Path) -> Iterator[Desk]:
    with desk(database, tmp_path) as opened:
        yield opened


@pytest.fixture
def signing(office: Desk) -> Signing:
    return Signing(office.office, office.folder / "pictures", size=3)


def test_every_permit_gets_both_credentials_and_their_pictures(office: Desk, signing: Signing) -> None:
    office.add(7)
    assert office.do(signing) == {"signed": 14, "drawn": 14, "problems": []}
    office.all_there(pictures=signing.pictures)


def test_the_same_job_again_does_nothing(office: Desk, signing: Signing) -> None:
    office.add(3)
    office.do(signing)
    before = office.rows(schema.events)
    assert signing.plan(office.case()) == []
    part = [1, 1000]
    assert signing.allot(office.case(), part, None) == []
    assert signing.sign(office.case(), part, []) == {"signed": 0, "problems": []}
    assert office.rows(schema.events) == before


def test_every_step_twice_is_as_once(office: Desk, signing: Signing) -> None:
    """As when a worker dies after a step whose end nobody noted."""
    office.add(3)
    (part,) = signing.plan(office.case())
    case, result = office.case(), None
    for step in signing.steps:
        step(case, part, result)
        result = step(case, part, result)
    assert result == {"signed": 0, "drawn": 0, "problems": []}
    office.all_there(pictures=signing.pictures)


def test_what_comes_between_the_steps_is_left_for_the_next_job(office: Desk, signing: Signing) -> None:
    (first, _, third) = office.add(3)
    (part,) = signing.plan(office.case())
    places = signing.allot(office.case(), part, None)
    kept = [place for place in places if place[0] != first]  # as if it had come after the places were allotted
    with office.ledger.transaction(office.ledger.local) as tx:
        table = schema.permits
        ended = {"state": PermitState.CANCELLED.value, "ended_at": tx.now, "ended_by": "test"}
        tx.db.execute(sa.update(table).where(table.c.id == third).values(ended))
    assert signing.sign(office.case(), part, kept)["signed"] == 2
    assert {row.permit_id for row in office.rows(schema.credentials)}.isdisjoint({first, third})
    office.do(signing)
    office.all_there()


def test_a_permit_that_ends_while_its_credential_is_signed_gets_none(
    office: Desk, signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.add(1)
    (part,) = signing.plan(office.case())
    places = signing.allot(office.case(), part, None)
    sign = SoftwareSigner.sign

    def slowly(signer: SoftwareSigner, message: bytes) -> bytes:
        with office.ledger.transaction(office.ledger.local) as tx:
            tx.db.execute(sa.update(schema.permits).values(state=PermitState.REVOKED.value))
        return sign(signer, message)

    monkeypatch.setattr(SoftwareSigner, "sign", slowly)
    assert signing.sign(office.case(), part, places)["signed"] == 0
    assert office.rows(schema.credentials) == []


def test_credentials_wait_for_a_card_that_is_on_its_way(office: Desk, signing: Signing) -> None:
    lot, _ = add_lot(office.ledger, 1)
    office.do(signing)
    office.all_there(state=CredentialState.SIGNED, pictures=signing.pictures)
    with LocalTransport(blank()) as transport:
        made = Production(office.ledger, office.office, office.ledger.local, lot=lot).work(transport)
    assert made.outcome is Outcome.SEALED
    office.all_there(pictures=signing.pictures)


def test_a_lot_is_signed_alone(office: Desk, signing: Signing) -> None:
    office.add(1)
    add_lot(office.ledger, 1, name="May")
    with office.ledger.reading() as db:
        scope = lot_named(db, "May")
        with pytest.raises(InputError, match="no lot of this name"):
            lot_named(db, "June")
    assert office.do(signing, **scope)["signed"] == 2
    assert {row.permit_id for row in office.rows(schema.credentials)} == {2}


def test_the_credential_of_a_later_permit_takes_the_place_of_the_one_before(office: Desk, signing: Signing) -> None:
    (old,) = office.add(1)
    office.do(signing)
    with office.ledger.transaction(office.ledger.local) as tx:
        table = schema.permits
        person = tx.db.execute(sa.select(table.c.person_id)).scalar_one()
        tx.db.execute(
            sa.update(table).values(state=PermitState.SUPERSEDED.value, ended_at=tx.now, ended_by="extension")
        )
        later = people.permit(number="ZJ00000000", valid_until=people.permit().valid_until + timedelta(days=365))
        (new,) = add_permits(tx, [(person, later, old)])
    assert office.do(signing)["signed"] == 2
    with office.ledger.reading() as db:
        stored = [credentials.get(db, office.ledger.vault, row.id) for row in office.rows(schema.credentials)]
        states = statuses_of(db, [each.reference for each in stored if each.reference])
    by_permit = {each.permit: each.state for each in stored}
    assert by_permit == {old: CredentialState.SUPERSEDED, new: CredentialState.LIVE}
    assert all(each.before is not None for each in stored if each.permit == new)
    assert {
        status for place, status in states.items() if place in {e.reference for e in stored if e.permit == old}
    } == {Status.INVALID}


def test_a_permit_that_cannot_be_signed_is_named_and_the_others_are_done(office: Desk, signing: Signing) -> None:
    office.add(2)
    (wrong,) = office.add(1, first=9, region="110000", valid_until=people.permit().valid_until)
    done = office.do(signing)
    assert done["signed"] == 4
    ((where, problem),) = done["problems"]
    assert where == f"permits/{wrong}"
    assert "may not sign" in problem


def test_a_credential_of_an_unknown_key_is_not_drawn(office: Desk, signing: Signing) -> None:
    (permit,) = office.add(1)
    office.do(replace(signing, pictures=None))
    other = SoftwareSigner.generate()
    stranger = replace(signing, office=replace(office.office, signer=other, trust=TrustList([people.trusted(other)])))
    done = office.do(stranger, redraw=True)
    assert (done["signed"], done["drawn"]) == (0, 0)
    assert [where for where, _ in done["problems"]] == [f"permits/{permit}"] * 2
    assert office.do(signing, redraw=True) == {"signed": 0, "drawn": 2, "problems": []}
    office.all_there(pictures=signing.pictures)


def test_a_folder_that_cannot_be_used_now_is_tried_later(office: Desk, signing: Signing) -> None:
    office.add(1)
    (office.folder / "pictures").write_text("a file")
    with pytest.raises(PlatformUnavailable, match="folder cannot be made"):
        office.do(signing)
    (office.folder / "pictures").unlink()
    assert office.do(signing, redraw=True) == {"signed": 0, "drawn": 2, "problems": []}


def test_the_name_of_a_picture_tells_nothing(office: Desk, signing: Signing) -> None:
    office.add(1)
    office.do(signing)
    with office.ledger.reading() as db:
        found = credentials.current(db, office.ledger.vault, 1)
    for stored in found.values():
        path = picture_path(office.folder / "pictures", stored.record)
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(path.stem) == 32


def test_a_key_out_of_its_period_signs_nothing(office: Desk, signing: Signing) -> None:
    office.add(1)
    late = replace(office.office, clock=lambda: people.NOW + timedelta(days=9999))
    with pytest.raises(KeyUseError):
        office.do(replace(signing, office=late))
    assert office.rows(schema.credentials) == []


def test_the_key_is_used_only_with_a_second_person(office: Desk, signing: Signing, hasher: Any) -> None:
    office.add(1)
    operators = Operators(office.ledger, hasher)
    boss = operators.add(office.ledger.local, "boss", [Role.SUPERVISOR], "correct horse battery").id
    with office.ledger.reading() as db:
        actor = on_behalf(db, boss)
    with pytest.raises(InputError, match="second person"):
        signing.plan(replace(office.case(), actor=actor))
    assert office.rows(schema.credentials) == []


@pytest.fixture
def hasher() -> Any:
    """As argon2 is used, but quick."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def test_a_suspended_permit_gets_its_credentials_when_it_is_resumed(office: Desk, signing: Signing) -> None:
    office.add(2)
    with office.ledger.transaction(office.ledger.local) as tx:
        apply_application(tx, PermitKind.SUSPENSION, 1)
    assert office.do(signing)["signed"] == 2
    with office.ledger.transaction(office.ledger.local) as tx:
        apply_application(tx, PermitKind.RESUMPTION, 1)
    assert office.do(signing)["signed"] == 2


def test_two_workers_that_both_have_a_part_store_it_once(office: Desk, signing: Signing) -> None:
    """One had been taken for dead; both come to store at the same time."""
    office.add(3)
    (part,) = signing.plan(office.case())
    places = signing.allot(office.case(), part, None)
    both = threading.Barrier(2)

    @dataclass(frozen=True, slots=True)
    class Together(Signing):
        def _signed(self, wanted: Wanted, place: StatusReference) -> Signed:
            if wanted.permit == part[0] and wanted.tier is Tier.FULL:
                both.wait()
            return super(Together, self)._signed(wanted, place)

    task = Together(signing.office, signing.pictures, signing.size)
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda _: task.sign(office.case(), part, places)["signed"], range(2)))
    assert sorted(done) == [0, 6]
    office.all_there()
