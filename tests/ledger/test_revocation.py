"""Revoking by operators: by permit, employer and lot; many at once only with a second person."""

import json
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from juying.credential.claims import StatusReference, Tier
from juying.credential.register import Reason
from juying.credential.status_list import Status
from juying.errors import InputError
from juying.ledger import credentials, revocation, schema
from juying.ledger.approvals import BULK, give
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Operators, on_behalf
from juying.ledger.register import LedgerRegister, allot_in
from juying.ledger.states import Role
from juying.model import Employer
from tests import issuing, people

OTHER = Employer(name="另一单位", code="91350100M000100Y43")


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


def add(ledger: Ledger, count: int, name: str, first: int, **changes: object) -> tuple[int, list[StatusReference]]:
    """A lot of permits with a credential each; its id, and their places."""
    lot, _ = issuing.add_lot(ledger, count, name=name, first=first, **changes)
    permits = [row for row in issuing.rows(ledger, schema.orders) if row.lot_id == lot]
    with ledger.transaction(ledger.local) as tx:
        numbers = [issuing.permit(number).number for number in range(first, first + count)]
        places = allot_in(tx, numbers)
        ids = credentials.store_many(
            tx,
            [
                credentials.Signed(
                    person=row.person_id, permit=row.permit_id, tier=Tier.FULL, record=b"", reference=place
                )
                for row, place in zip(permits, places, strict=True)
            ],
        )
        credentials.make_live(tx, *ids)
    return lot, list(places)


def supervisors(ledger: Ledger) -> tuple[Actor, Actor]:
    """Two of them."""
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    operators = Operators(ledger, hasher=weak)
    first = operators.add(ledger.local, "first", [Role.SUPERVISOR], "correct horse battery")
    with ledger.reading() as db:
        actor = on_behalf(db, first.id)
    second = operators.add(actor, "second", [Role.SUPERVISOR], "staple battery horse")
    with ledger.reading() as db:
        return actor, on_behalf(db, second.id)


def statuses(ledger: Ledger, places: list[StatusReference]) -> set[Status | None]:
    register = LedgerRegister(ledger, ledger.local)
    return {register.status(place) for place in places}


def test_the_credentials_of_an_employer_and_of_a_lot(ledger: Ledger) -> None:
    lot, mine = add(ledger, 2, "one", 1)
    _, others = add(ledger, 3, "two", 100, employer=OTHER)
    with ledger.reading() as db:
        assert revocation.lot_called(db, "one") == lot
        assert list(revocation.of_lot(db, lot)) == mine
        assert list(revocation.of_employer(db, ledger.vault, f" {OTHER.code.lower()} ")) == others
        assert list(revocation.of_employer(db, ledger.vault, "nobody")) == []
        with pytest.raises(InputError, match="no lot"):
            revocation.lot_called(db, "three")


def test_few_are_revoked_by_one_supervisor_alone(ledger: Ledger) -> None:
    _, places = add(ledger, BULK, "one", 1)
    actor, _ = supervisors(ledger)
    assert revocation.change_statuses(ledger, actor, places, Status.INVALID, Reason.LOST) == BULK
    assert statuses(ledger, places) == {Status.INVALID}
    assert not issuing.rows(ledger, schema.approvals)


def test_many_are_suspended_and_resumed_by_one_because_that_can_be_undone(ledger: Ledger) -> None:
    _, places = add(ledger, BULK + 1, "one", 1)
    actor, _ = supervisors(ledger)
    for status in (Status.SUSPENDED, Status.VALID):
        assert revocation.change_statuses(ledger, actor, places, status) == BULK + 1
        assert statuses(ledger, places) == {status}


def test_many_are_revoked_by_two(ledger: Ledger) -> None:
    lot, places = add(ledger, BULK + 1, "one", 1)
    first, second = supervisors(ledger)

    def revoke(chosen: list[StatusReference], about: dict[str, object]) -> int:
        return revocation.change_statuses(ledger, first, chosen, Status.INVALID, Reason.KEY_COMPROMISED, about=about)

    for _ in range(2):
        with pytest.raises(InputError, match="second person"):
            revoke(places, {"lot": lot})
    assert statuses(ledger, places) == {Status.VALID}
    (asked,) = issuing.rows(ledger, schema.approvals)
    subject = json.loads(asked.subject)
    assert subject.pop("digest")
    assert subject == {
        "lot": lot, "permits": BULK + 1, "credentials": BULK + 1, "reason": "key-compromised",
    }  # fmt: skip
    with ledger.transaction(second) as tx:
        give(tx, asked.id)
    _, more = add(ledger, 1, "two", 100)
    with pytest.raises(InputError, match="second person"):
        revoke([*places, *more], {"lot": lot})
    assert revoke(places[::-1], {"lot": lot}) == BULK + 1
    assert statuses(ledger, places) == {Status.INVALID}
    assert statuses(ledger, more) == {Status.VALID}


def test_one_permit_with_many_credentials_is_not_many(ledger: Ledger) -> None:
    actor, _ = supervisors(ledger)
    with ledger.transaction(actor) as tx:
        places = allot_in(tx, ["ZJ1"] * (BULK + 5))
        nobodys = allot_in(tx, [""] * (BULK + 1))
    assert revocation.change_statuses(ledger, actor, places, Status.INVALID) == BULK + 5
    with pytest.raises(InputError, match="second person"):
        revocation.change_statuses(ledger, actor, nobodys, Status.INVALID)


def test_without_registered_operators_one_acts_alone_and_the_chain_says_so(ledger: Ledger) -> None:
    _, places = add(ledger, BULK + 1, "one", 1)
    assert revocation.change_statuses(ledger, ledger.local, places, Status.INVALID) == BULK + 1
    kinds = [row.kind for row in issuing.rows(ledger, schema.events)]
    assert kinds.count("acted-alone") == 1


@pytest.mark.parametrize("role", [Role.INTAKE, Role.ISSUING, Role.AUDITOR])
def test_others_change_nothing(role: Role, ledger: Ledger) -> None:
    _, places = add(ledger, 1, "one", 1)
    actor = Actor(1, "somebody", frozenset({role}))
    for status in Status:
        with pytest.raises(InputError, match="role"):
            revocation.change_statuses(ledger, actor, places, status)
    assert statuses(ledger, places) == {Status.VALID}
