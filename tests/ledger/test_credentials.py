"""Credentials in the ledger: state, status list and chain change together, or not at all."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.credential.claims import StatusReference, Tier
from juying.credential.register import Reason
from juying.credential.status_list import Status
from juying.errors import InputError
from juying.ledger import credentials as stored
from juying.ledger import people as persons
from juying.ledger import schema
from juying.ledger.ledger import Ledger
from juying.ledger.register import LedgerRegister, allot_in
from juying.ledger.states import CredentialState
from tests import people

NUMBER = people.permit().number
SIGNED, LIVE = CredentialState.SIGNED, CredentialState.LIVE
SUPERSEDED, REVOKED = CredentialState.SUPERSEDED, CredentialState.REVOKED


@dataclass
class Desk:
    """A ledger with one person and one permit."""

    ledger: Ledger
    person: int
    permit: int

    def sign(
        self, *, tier: Tier = Tier.FULL, before: int | None = None, place: bool = True, record: bytes = b""
    ) -> int:
        """Store a credential that nobody signed really."""
        with self.ledger.transaction(self.ledger.local) as tx:
            reference = allot_in(tx, [NUMBER])[0] if place else None
            return stored.store(
                tx, person=self.person, permit=self.permit, tier=tier, record=record, reference=reference, before=before
            )

    def live(self, *ids: int) -> int:
        with self.ledger.transaction(self.ledger.local) as tx:
            return stored.make_live(tx, *ids)

    def get(self, number: int) -> stored.Stored:
        with self.ledger.reading() as db:
            return stored.get(db, self.ledger.vault, number)

    def states(self, *ids: int) -> list[CredentialState]:
        return [self.get(number).state for number in ids]

    def status(self, number: int) -> Status | None:
        reference = self.get(number).reference
        assert reference is not None
        return LedgerRegister(self.ledger, self.ledger.local).status(reference)

    def events(self, kind: str) -> list[dict[str, object]]:
        events = schema.events
        with self.ledger.reading() as db:
            rows = db.execute(sa.select(events).where(events.c.kind == kind).order_by(events.c.number))
            return [
                {"credential": row.credential_id, "person": row.person_id, **json.loads(row.details)} for row in rows
            ]


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as ledger:
        with ledger.transaction(ledger.local) as tx:
            (person,) = persons.add_persons(tx, [(people.holder(), None)])
            (permit,) = persons.add_permits(tx, [(person, people.permit(), None)])
        yield Desk(ledger, person, permit)


def test_what_is_stored_comes_back(desk: Desk) -> None:
    full, minimal = desk.sign(record=b"full"), desk.sign(tier=Tier.MINIMAL, record=b"minimal", place=False)
    found = desk.get(full)
    assert (found.record, found.tier, found.state, found.before) == (b"full", Tier.FULL, SIGNED, None)
    assert (found.permit, found.person) == (desk.permit, desk.person)
    assert desk.get(minimal).reference is None
    ledger = desk.ledger
    with ledger.reading() as db:
        both = stored.load(db, ledger.vault, desk.permit)
        assert both is not None
        assert (both.full, both.minimal) == (b"full", b"minimal")
        assert {tier: one.id for tier, one in stored.current(db, ledger.vault, desk.permit).items()} == {
            Tier.FULL: full,
            Tier.MINIMAL: minimal,
        }
        assert found.reference is not None
        assert stored.at_place(db, ledger.vault, found.reference) == found
        assert stored.permit_numbers(db, ledger.vault, [found.reference]) == {found.reference: NUMBER}
    place = found.reference
    assert desk.events("credential-signed") == [
        {"credential": full, "person": desk.person, "tier": "full", "list": 1, "place": place.index},
        {"credential": minimal, "person": desk.person, "tier": "minimal"},
    ]


def test_what_is_not_there_is_an_error_or_nothing(desk: Desk) -> None:
    nowhere = StatusReference(2**32 - 1, 2**32 - 1)
    ledger = desk.ledger
    with ledger.reading() as db:
        assert stored.load(db, ledger.vault, desk.permit) is None
        assert stored.at_place(db, ledger.vault, nowhere) is None
        assert stored.permit_numbers(db, ledger.vault, [nowhere]) == {}
        with pytest.raises(InputError, match="no such credential") as error:
            stored.get(db, ledger.vault, 7)
    assert error.value.where == "credentials/7"
    with pytest.raises(InputError, match="no such credential"):
        desk.live(desk.sign(), 7)
    with ledger.transaction(ledger.local) as tx:
        assert list(stored.store_many(tx, [])) == []
        assert stored.revoke(tx, 7) == stored.suspend(tx, 7) == stored.resume(tx, 7) == 0


def test_one_credential_of_two_tiers_is_not_both(desk: Desk) -> None:
    desk.sign()
    with desk.ledger.reading() as db:
        assert stored.load(db, desk.ledger.vault, desk.permit) is None


def test_no_place_is_given_to_two_credentials(desk: Desk) -> None:
    taken = desk.get(desk.sign()).reference
    for reference in (taken, StatusReference(9, 9)):
        with pytest.raises(InputError, match="constraint"), desk.ledger.transaction(desk.ledger.local) as tx:
            stored.store(tx, person=desk.person, permit=desk.permit, tier=Tier.MINIMAL, record=b"", reference=reference)


def test_records_are_sealed(desk: Desk, database: str) -> None:
    number = desk.sign(record=b"ERIKSSON as CBOR")
    with desk.ledger.reading() as db:
        sealed = db.execute(sa.select(schema.credentials.c.sealed)).scalar_one()
    assert b"ERIKSSON" not in sealed
    assert "ERIKSSON" not in repr(desk.get(number))
    if "://" not in database:
        assert not any(b"ERIKSSON" in path.read_bytes() for path in Path(database).parent.iterdir())


def test_the_old_one_is_good_until_the_new_one_is_live(desk: Desk) -> None:
    old = desk.sign()
    assert desk.live(old) == 1
    new = desk.sign(before=old)
    assert desk.states(old, new) == [LIVE, SIGNED]
    assert desk.status(old) is Status.VALID
    for count in (1, 0):  # harmless twice
        assert desk.live(new) == count
        assert desk.states(old, new) == [SUPERSEDED, LIVE]
        assert (desk.status(old), desk.status(new)) == (Status.INVALID, Status.VALID)
    assert [event["credential"] for event in desk.events("credential-live")] == [old, new]
    (change,) = desk.events("status-changed")
    assert (change["credential"], change["person"], change["reason"]) == (old, desk.person, "superseded")


def test_whatever_an_interrupted_signing_left_ends_with_the_old_one(desk: Desk) -> None:
    old = desk.sign()
    desk.live(old)
    rival, other_tier = desk.sign(before=old), desk.sign(tier=Tier.MINIMAL)
    new = desk.sign(before=old)
    desk.live(new)
    assert desk.states(old, rival, new, other_tier) == [SUPERSEDED, SUPERSEDED, LIVE, SIGNED]
    assert desk.status(rival) is Status.INVALID


def test_a_credential_that_was_never_live_is_passed_over(desk: Desk) -> None:
    """Signed, and signed anew before the card was made: the third one ends both."""
    first = desk.sign()
    desk.live(first)
    second = desk.sign(before=first)
    third = desk.sign(before=second)
    desk.live(third)
    assert desk.states(first, second, third) == [SUPERSEDED, SUPERSEDED, LIVE]
    with pytest.raises(InputError, match="superseded"):
        desk.live(second)


def test_a_later_one_that_waits_for_its_card_stays(desk: Desk) -> None:
    first = desk.sign()
    later = desk.sign(before=first)
    desk.live(first)
    assert desk.states(first, later) == [LIVE, SIGNED]
    desk.live(later)
    assert desk.states(first, later) == [SUPERSEDED, LIVE]


def test_the_live_one_of_the_same_tier_ends_even_when_it_was_not_named(desk: Desk) -> None:
    old, minimal = desk.sign(), desk.sign(tier=Tier.MINIMAL)
    desk.live(old, minimal)
    new = desk.sign()
    desk.live(new)
    assert desk.states(old, minimal, new) == [SUPERSEDED, LIVE, LIVE]


def test_a_credential_of_the_permit_before_is_replaced(desk: Desk) -> None:
    """An extended permit is another record; its credential takes the place of the old one's."""
    old = desk.sign()
    desk.live(old)
    permits = schema.permits
    with desk.ledger.transaction(desk.ledger.local) as tx:
        tx.db.execute(sa.update(permits).values(state="superseded"))
        (permit,) = persons.add_permits(tx, [(desk.person, people.permit(number="ZJ20260002"), desk.permit)])
    new = Desk(desk.ledger, desk.person, permit).sign(before=old)
    desk.live(new)
    assert desk.states(old, new) == [SUPERSEDED, LIVE]


def test_places_without_a_credential_end_too(desk: Desk) -> None:
    """A place was allotted, and the process died before it could sign."""
    ledger, old = desk.ledger, desk.sign()
    desk.live(old)
    place = desk.get(old).reference
    with ledger.transaction(ledger.local) as tx:
        lost, kept = allot_in(tx, [NUMBER] * 2, replaces=[place] * 2)
        new = stored.store(
            tx, person=desk.person, permit=desk.permit, tier=Tier.FULL, record=b"", reference=kept, before=old
        )
    desk.live(new)
    assert LedgerRegister(ledger, ledger.local).status(lost) is Status.INVALID


def test_credentials_without_a_place_go_the_same_way(desk: Desk) -> None:
    old = desk.sign(place=False)
    new = desk.sign(place=False, before=old)
    desk.live(old)
    desk.live(new)
    assert desk.states(old, new) == [SUPERSEDED, LIVE]
    with desk.ledger.transaction(desk.ledger.local) as tx:
        assert stored.revoke(tx, desk.permit, reason=Reason.LOST) == 1
    assert desk.states(old, new) == [SUPERSEDED, REVOKED]
    assert desk.events("credential-ended") == [
        {"credential": old, "person": desk.person, "state": "superseded", "reason": "superseded"},
        {"credential": new, "person": desk.person, "state": "revoked", "reason": "lost"},
    ]


def test_all_or_nothing(desk: Desk) -> None:
    old = desk.sign()
    desk.live(old)
    new = desk.sign(before=old)
    with suppress(ZeroDivisionError), desk.ledger.transaction(desk.ledger.local) as tx:
        stored.make_live(tx, new)
        _ = 1 / 0
    assert desk.states(old, new) == [LIVE, SIGNED]
    assert desk.status(old) is Status.VALID


def test_a_permit_is_revoked_with_all_its_credentials(desk: Desk) -> None:
    live, signed = desk.sign(), desk.sign(tier=Tier.MINIMAL)
    desk.live(live)
    for count in (2, 0):
        with desk.ledger.transaction(desk.ledger.local) as tx:
            assert stored.revoke(tx, desk.permit) == count
        assert desk.states(live, signed) == [REVOKED, REVOKED]
    assert [desk.status(live), desk.status(signed)] == [Status.INVALID] * 2
    assert {event["reason"] for event in desk.events("status-changed")} == {"permit-ended"}
    with pytest.raises(InputError, match="revoked"):
        desk.live(signed)
    with desk.ledger.reading() as db:
        assert stored.current(db, desk.ledger.vault, desk.permit) == {}
        table = schema.credentials
        assert set(db.execute(sa.select(table.c.ended_at)).scalars()) == {people.NOW}


def test_a_permit_is_suspended_and_resumed(desk: Desk) -> None:
    live = desk.sign()
    desk.live(live)
    for change, status in ((stored.suspend, Status.SUSPENDED), (stored.resume, Status.VALID)):
        for count in (1, 0):
            with desk.ledger.transaction(desk.ledger.local) as tx:
                assert change(tx, desk.permit) == count
        assert desk.status(live) is status
        assert desk.states(live) == [LIVE]


def test_what_the_register_revokes_ends_here_too(desk: Desk) -> None:
    """However a status is changed: no credential is live whose entry is revoked."""
    live = desk.sign()
    desk.live(live)
    reference = desk.get(live).reference
    assert reference is not None
    LedgerRegister(desk.ledger, desk.ledger.local).set(reference, Status.INVALID, Reason.KEY_COMPROMISED)
    assert desk.states(live) == [REVOKED]


def test_an_erased_credential_leaves_its_place_and_nothing_else(desk: Desk) -> None:
    number = desk.sign()
    place = desk.get(number).reference
    assert place is not None
    ledger = desk.ledger
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.credentials).values(sealed=None))
        tx.db.execute(sa.update(schema.permits).values(sealed=None))
        assert stored.current(tx.db, tx.vault, desk.permit) == {}
        assert stored.at_place(tx.db, tx.vault, place) is None
        assert stored.permit_numbers(tx.db, tx.vault, [place]) == {}
        with pytest.raises(InputError, match="erased"):
            stored.get(tx.db, tx.vault, number)
    assert LedgerRegister(ledger, ledger.local).status(place) is Status.VALID


def test_many_at_once(desk: Desk) -> None:
    """More than one statement holds, all of them replaced by as many."""
    ledger, count = desk.ledger, 600
    with ledger.transaction(ledger.local) as tx:
        holders = [(people.holder(document_number=f"P{n:07}"), None) for n in range(count)]
        owners = persons.add_persons(tx, holders)
        permits = persons.add_permits(
            tx, [(owner, people.permit(number=f"ZJ3{n:07}"), None) for n, owner in enumerate(owners)]
        )

    def sign(befores: list[int] | list[None]) -> list[int]:
        with ledger.transaction(ledger.local) as tx:
            places = allot_in(tx, [f"ZJ3{n:07}" for n in range(count)])
            rows = zip(owners, permits, places, befores, strict=True)
            return list(
                stored.store_many(
                    tx,
                    [
                        stored.Signed(
                            person=owner, permit=permit, tier=Tier.FULL, record=b"", reference=place, before=before
                        )
                        for owner, permit, place, before in rows
                    ],
                )
            )

    olds = sign([None] * count)
    assert desk.live(*olds) == count
    news = sign(olds)
    assert desk.live(*news) == count
    table = schema.credentials
    with ledger.reading() as db:
        found = dict(db.execute(sa.select(table.c.state, sa.func.count()).group_by(table.c.state)).all())
    assert found == {"live": count, "superseded": count}
