"""Applications on the ledger: what each does to permit, credentials, status list, orders, card and chip."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import TearAfterCommand
from juying.credential.status_list import Status
from juying.errors import CardRemoved, InputError
from juying.issuance import changes as changes_module
from juying.issuance import chip_orders
from juying.issuance.chip_orders import NewCard
from juying.issuance.permit_kinds import ENDING, TRANSITIONS, Kind
from juying.issuance.production import Outcome
from juying.ledger import schema
from juying.ledger.ledger import Actor
from juying.ledger.people import load_holder, load_permit, load_photo
from juying.ledger.states import CardState, CredentialState, OrderKind, OrderState, PermitState, Role
from juying.model import WorkPermit
from juying.model.numbers import card_number
from tests import people
from tests.issuance.permit_desk import OTHER_EMPLOYER, TODAY, Desk, agree, on_chip, permit

LONGER = permit(valid_until=date(2028, 1, 15))
MOVED = permit(position="院长")
ELSEWHERE = permit(employer=OTHER_EMPLOYER, number="ZJ20260099")
AGAIN = permit(number="ZJ20270001", valid_from=TODAY, valid_until=date(2027, 11, 30))
WANTED = {
    **dict.fromkeys((Kind.FIRST_ABROAD, Kind.FIRST_IN_CHINA), AGAIN),
    Kind.SHORT: replace(AGAIN, valid_until=TODAY + timedelta(days=60)),
    Kind.EXTENSION: LONGER,
    Kind.CHANGE: MOVED,
    Kind.TRANSFER: ELSEWHERE,
}


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    desk = Desk(database)
    yield desk
    desk.close()


@pytest.fixture
def anna(desk: Desk) -> int:
    return desk.person()


@pytest.fixture
def card(desk: Desk, anna: int) -> VirtualCard:
    return desk.issued(anna)


def states(desk: Desk, table: sa.Table, person: int) -> list[str]:
    with desk.ledger.reading() as db:
        mine = sa.select(table.c.state).where(table.c.person_id == person)
        return list(db.execute(mine.order_by(table.c.id)).scalars())


# First permits


def test_a_first_permit_becomes_a_card(desk: Desk, anna: int) -> None:
    applied = desk.apply(Kind.FIRST_ABROAD, anna, permit=permit(), card=NewCard(number=None, prefix="TZ"))
    assert not applied.again
    known = desk.dossier(anna)
    assert known.standing.permit == permit()
    assert [order.kind for order in known.standing.orders] == [OrderKind.NEW]
    card = desk.blank()
    assert desk.insert(card).outcome is Outcome.SEALED
    agree(desk, anna)
    assert desk.works(card)
    (entry,) = desk.dossier(anna).cards
    assert entry.number.startswith("TZ")


def test_after_the_end_a_new_permit_goes_onto_the_card_that_the_person_has(
    desk: Desk, anna: int, card: VirtualCard
) -> None:
    desk.apply(Kind.CANCEL_HOLDER, anna)
    desk.insert(card)
    desk.apply(Kind.FIRST_IN_CHINA, anna, permit=AGAIN)
    assert desk.dossier(anna).standing.bound_order is not None
    assert desk.insert(card).outcome is Outcome.SEALED
    agree(desk, anna)
    assert desk.works(card)
    assert len(desk.dossier(anna).cards) == 1


# Extension and change


@pytest.mark.parametrize(("kind", "wanted"), [(Kind.EXTENSION, LONGER), (Kind.CHANGE, MOVED)])
def test_until_the_card_is_updated_the_old_permit_on_it_is_good(
    desk: Desk, anna: int, card: VirtualCard, kind: Kind, wanted: WorkPermit
) -> None:
    before = on_chip(card)
    applied = desk.apply(kind, anna, permit=wanted, event_on=TODAY)
    assert states(desk, schema.permits, anna) == [PermitState.SUPERSEDED, PermitState.VALID]
    assert desk.works(card)
    assert on_chip(card) == before
    agree(desk, anna)
    produced = desk.insert(card)
    assert produced.outcome is Outcome.SEALED
    assert produced.claim is not None
    assert produced.claim.order == applied.order
    assert desk.works(card)
    assert on_chip(card) != before
    agree(desk, anna)
    credentials = desk.dossier(anna).credentials
    assert [entry.state for entry in credentials] == [CredentialState.SUPERSEDED] * 2 + [CredentialState.LIVE] * 2
    with desk.ledger.reading() as db:
        assert load_permit(db, desk.ledger.vault, applied.permit) == wanted


def test_of_two_changes_in_a_row_the_card_gets_the_last_and_both_before_are_over(
    desk: Desk, anna: int, card: VirtualCard
) -> None:
    first = desk.apply(Kind.EXTENSION, anna, permit=LONGER)
    last = desk.apply(Kind.CHANGE, anna, permit=replace(LONGER, position="院长"), event_on=TODAY)
    assert desk.works(card)
    desk.insert(card)
    agree(desk, anna)
    with desk.ledger.reading() as db:
        found = {row.id: row.state for row in db.execute(sa.select(schema.orders))}
    assert found[first.order] == OrderState.REPLACED
    assert found[last.order] == OrderState.SEALED
    assert [entry.status for entry in desk.dossier(anna).credentials] == [Status.INVALID] * 2 + [Status.VALID] * 2


def test_a_permit_that_begins_later_reaches_the_card_on_its_first_day(desk: Desk, anna: int, card: VirtualCard) -> None:
    begins = date(2027, 1, 16)
    applied = desk.apply(Kind.EXTENSION, anna, permit=replace(LONGER, valid_from=begins))
    assert "from 2027-01-16 on" in str(applied.notes[0])
    assert desk.insert(card).outcome is not Outcome.SEALED
    assert desk.works(card)
    # A further change leaves the running permit on the card alone, too.
    desk.apply(Kind.CHANGE, anna, permit=replace(LONGER, valid_from=begins, position="院长"), event_on=TODAY)
    assert desk.insert(card).outcome is not Outcome.SEALED
    assert desk.works(card)
    with pytest.raises(InputError, match="until then no card can be replaced"):
        desk.apply(Kind.REISSUE_DAMAGED, anna)
    desk.pass_until(begins)
    assert desk.insert(card).outcome is Outcome.SEALED
    assert desk.works(card)
    agree(desk, anna)


def test_before_its_card_is_made_a_permit_is_changed_and_the_card_has_the_new_one(desk: Desk, anna: int) -> None:
    first = desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    changed = desk.apply(Kind.CHANGE, anna, permit=MOVED, event_on=TODAY)
    assert changed.order == first.order
    with pytest.raises(InputError, match="until then no card can be replaced"):
        desk.apply(
            Kind.EXTENSION, anna, permit=replace(MOVED, valid_from=date(2027, 1, 16), valid_until=date(2028, 1, 1))
        )
    card = desk.blank()
    desk.insert(card)
    agree(desk, anna)
    with desk.ledger.reading() as db:
        (held,) = db.execute(sa.select(schema.cards.c.permit_id)).scalars()
    assert held == changed.permit


def test_while_its_card_is_made_a_permit_does_not_change(desk: Desk, anna: int) -> None:
    desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    card = desk.blank()
    with pytest.raises(CardRemoved):
        desk.insert(card, TearAfterCommand(card, 60))
    with pytest.raises(InputError, match="a card of this person is being made"):
        desk.apply(Kind.CHANGE, anna, permit=MOVED, event_on=TODAY)
    assert desk.insert(card).outcome is Outcome.SEALED
    desk.apply(Kind.CHANGE, anna, permit=MOVED, event_on=TODAY)


# Another passport


def test_with_a_new_passport_an_issued_number_stays_and_so_does_the_card(desk: Desk) -> None:
    number = people.holder().social_security_number
    anna = desk.person(issued_social_security_number=number)
    card = desk.issued(anna)
    desk.apply(Kind.CHANGE, anna, people.holder(document_number="L11111111"), permit(), event_on=TODAY)
    with desk.ledger.reading() as db:
        holder = load_holder(db, desk.ledger.vault, anna)
    assert holder.document_number == "L11111111"
    assert holder.social_security_number == number
    assert desk.insert(card).outcome is Outcome.SEALED
    agree(desk, anna)


def test_with_a_new_passport_a_number_made_from_it_changes_and_a_new_card_is_made(
    desk: Desk, anna: int, card: VirtualCard
) -> None:
    applied = desk.apply(Kind.CHANGE, anna, people.holder(document_number="L11111111"), permit(), event_on=TODAY)
    assert "a new card is ordered" in str(applied.notes)
    assert desk.works(card), "until the new one is there"
    new = desk.blank()
    assert desk.insert(new).outcome is Outcome.SEALED
    assert desk.works(new)
    assert not desk.works(card)
    agree(desk, anna)


def test_an_agency_may_keep_the_number_that_was_made_from_the_old_passport(
    desk: Desk, anna: int, card: VirtualCard
) -> None:
    kept = people.holder(
        document_number="L11111111", issued_social_security_number=people.holder().social_security_number
    )
    desk.apply(Kind.CHANGE, anna, kept, permit(), event_on=TODAY)
    assert desk.insert(card).outcome is Outcome.SEALED
    agree(desk, anna)


def test_nobody_gets_the_passport_or_the_permit_of_somebody_else(desk: Desk, anna: int, card: VirtualCard) -> None:
    other = desk.person(document_number="L22222222", name="MUSTER MAX")
    desk.apply(Kind.FIRST_ABROAD, other, permit=permit(number="ZJ20260002"))
    theirs = people.holder(name="MUSTER MAX")
    with pytest.raises(InputError, match="that of somebody else"):
        desk.apply(Kind.CHANGE, other, theirs, permit(number="ZJ20260002"), event_on=TODAY)
    with pytest.raises(InputError, match="another valid permit has this number"):
        desk.apply(Kind.CHANGE, other, permit=permit(), event_on=TODAY)


def test_a_new_photo_reaches_ledger_and_card(desk: Desk, anna: int, card: VirtualCard) -> None:
    applied = desk.apply(Kind.CHANGE, anna, permit=permit(), photo=b"\xff\xd8\xff\xe0 picture", event_on=TODAY)
    assert applied.order is not None
    assert not applied.again
    with desk.ledger.reading() as db:
        assert load_photo(db, desk.ledger.vault, anna) == b"\xff\xd8\xff\xe0 picture"
    assert desk.insert(card).outcome is Outcome.SEALED
    again = desk.apply(Kind.CHANGE, anna, permit=permit(), photo=b"\xff\xd8\xff\xe0 picture", event_on=TODAY)
    assert again.again


# Another employer, loss, replacement


def test_after_a_change_of_employer_the_old_permit_is_over_at_once(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.TRANSFER, anna, permit=ELSEWHERE, event_on=TODAY)
    assert not desk.works(card)
    agree(desk, anna)
    assert desk.insert(card).outcome is Outcome.SEALED
    assert desk.works(card)
    agree(desk, anna)


def test_a_lost_card_is_dead_and_stays_so(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.EXTENSION, anna, permit=LONGER)
    lost = desk.apply(Kind.LOSS, anna)
    assert lost.order is None
    assert not desk.works(card)
    assert states(desk, schema.orders, anna) == [OrderState.SEALED, OrderState.CANCELLED]
    agree(desk, anna)
    assert desk.insert(card).outcome is Outcome.REFUSED, "found again"
    assert desk.apply(Kind.LOSS, anna).again
    desk.apply(Kind.REISSUE_LOST, anna)
    assert desk.apply(Kind.REISSUE_LOST, anna).again
    new = desk.blank()
    assert desk.insert(new).outcome is Outcome.SEALED
    assert desk.works(new)
    assert not desk.works(card)
    assert desk.insert(card).outcome is Outcome.REFUSED
    assert states(desk, schema.cards, anna) == [CardState.REPLACED, CardState.LIVE]
    agree(desk, anna)


def test_a_lost_card_can_be_replaced_in_one_go(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.REISSUE_LOST, anna)
    assert not desk.works(card)
    assert states(desk, schema.cards, anna) == [CardState.LOST]
    new = desk.blank()
    desk.insert(new)
    agree(desk, anna)
    # And once more: it is another loss.
    assert not desk.apply(Kind.REISSUE_LOST, anna).again


def test_a_damaged_card_is_good_until_the_new_one_is_made(desk: Desk, anna: int, card: VirtualCard) -> None:
    applied = desk.apply(Kind.REISSUE_DAMAGED, anna, card=NewCard(number=card_number("JY000099"), issued_on=TODAY))
    assert desk.works(card)
    assert desk.apply(Kind.REISSUE_DAMAGED, anna).order == applied.order
    new = desk.blank()
    assert desk.insert(new).outcome is Outcome.SEALED
    assert not desk.works(card)
    assert desk.works(new)
    assert desk.insert(card).outcome is Outcome.REFUSED
    agree(desk, anna)


def test_no_card_has_a_number_with_a_wrong_check_character(desk: Desk, anna: int, card: VirtualCard) -> None:
    before = desk.events()
    with desk.ledger.transaction(desk.ledger.local) as tx, pytest.raises(InputError, match="check"):
        changes_module.apply_application(tx, Kind.REISSUE_LOST, anna, card=NewCard(number="JY0000995"))
    assert desk.events() == before
    assert desk.works(card), "nothing was done in the transaction that goes on"


def test_a_damaged_card_that_gets_lost_meanwhile(desk: Desk, anna: int, card: VirtualCard) -> None:
    ordered = desk.apply(Kind.REISSUE_DAMAGED, anna)
    assert desk.apply(Kind.REISSUE_LOST, anna).order == ordered.order
    assert not desk.works(card)
    agree(desk, anna)


def test_a_change_while_a_new_card_is_ordered_goes_into_that_one(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.EXTENSION, anna, permit=LONGER)
    ordered = desk.apply(Kind.REISSUE_DAMAGED, anna)
    changed = desk.apply(Kind.CHANGE, anna, permit=replace(LONGER, position="院长"), event_on=TODAY)
    assert changed.order == ordered.order
    assert desk.insert(card).outcome is not Outcome.SEALED, "nothing waits for the old card any more"
    assert desk.works(card)
    new = desk.blank()
    desk.insert(new)
    assert desk.works(new)
    agree(desk, anna)


# The end


@pytest.mark.parametrize("kind", [kind for kind in ENDING if kind is not Kind.EXPIRY])
def test_at_the_end_credentials_are_revoked_and_the_card_is_wiped_when_it_comes(
    desk: Desk, anna: int, card: VirtualCard, kind: Kind
) -> None:
    desk.apply(Kind.EXTENSION, anna, permit=LONGER)
    desk.apply(kind, anna, event_on=TODAY)
    assert states(desk, schema.permits, anna) == [PermitState.SUPERSEDED, TRANSITIONS[kind].ends]
    assert not desk.works(card)
    assert on_chip(card) is not None
    agree(desk, anna)
    assert desk.insert(card).outcome is Outcome.SEALED
    assert on_chip(card) is None
    agree(desk, anna)
    assert states(desk, schema.cards, anna) == [CardState.LIVE], "the card is still the holder's"
    assert desk.apply(kind, anna, event_on=TODAY).again


def test_a_permit_ends_by_itself(desk: Desk, anna: int, card: VirtualCard) -> None:
    assert desk.expire() == []
    desk.pass_until(date(2027, 1, 16))
    (ended,) = desk.expire()
    assert ended.person == anna
    assert desk.expire() == []
    assert desk.apply(Kind.EXPIRY, anna).again, "another process was faster"
    assert states(desk, schema.permits, anna) == [PermitState.EXPIRED]
    assert [entry.status for entry in desk.dossier(anna).credentials] == [Status.VALID] * 2, "nothing to publish"
    assert not desk.works(card)
    assert desk.insert(card).outcome is Outcome.SEALED
    assert on_chip(card) is None
    agree(desk, anna)


def test_a_suspended_permit_ends_by_itself(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.SUSPENSION, anna)
    desk.pass_until(date(2027, 1, 16))
    assert len(desk.expire()) == 1
    assert states(desk, schema.permits, anna) == [PermitState.EXPIRED]
    assert [entry.status for entry in desk.dossier(anna).credentials] == [Status.SUSPENDED] * 2, "nothing to publish"
    assert not desk.works(card)
    agree(desk, anna)


def test_of_many_permits_that_ended_some_are_taken_at_a_time(desk: Desk) -> None:
    for index in range(3):
        person = desk.person(document_number=f"L1234567{index}")
        desk.apply(Kind.FIRST_ABROAD, person, permit=permit(number=f"ZJ2026000{index}"))
    desk.pass_until(date(2027, 1, 16))
    with desk.ledger.transaction(desk.ledger.local) as tx:
        assert len(changes_module.expire(tx, desk.today, most=2)) == 2
    assert len(desk.expire()) == 1
    assert desk.expire() == []


def test_a_card_that_was_never_made_is_not_made_after_the_end(desk: Desk, anna: int) -> None:
    desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    desk.apply(Kind.CANCEL_HOLDER, anna)
    assert states(desk, schema.orders, anna) == [OrderState.CANCELLED]
    assert desk.insert(desk.blank()).outcome is Outcome.IDLE


def test_the_end_takes_a_half_written_card_from_the_station(desk: Desk, anna: int) -> None:
    desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    card = desk.blank()
    with pytest.raises(CardRemoved):
        desk.insert(card, TearAfterCommand(card, 90))
    desk.apply(Kind.CANCEL_AUTHORITY, anna)
    assert states(desk, schema.orders, anna) == [OrderState.CANCELLED]
    assert states(desk, schema.cards, anna) == [CardState.SPOILED]
    assert desk.insert(card).outcome is not Outcome.SEALED
    agree(desk, anna)


def test_the_end_comes_while_the_card_is_updated(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.EXTENSION, anna, permit=LONGER)
    with pytest.raises(CardRemoved):
        desk.insert(card, TearAfterCommand(card, 90))
    desk.apply(Kind.CANCEL_HOLDER, anna)
    assert states(desk, schema.orders, anna) == [OrderState.SEALED, OrderState.REPLACED, OrderState.PLANNED]
    assert desk.insert(card).outcome is Outcome.SEALED
    assert on_chip(card) is None
    agree(desk, anna)


def test_nothing_is_wiped_off_a_card_without_a_permit(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.CANCEL_HOLDER, anna)
    desk.insert(card)
    desk.apply(Kind.FIRST_IN_CHINA, anna, permit=AGAIN)
    assert desk.apply(Kind.CANCEL_HOLDER, anna).order is None
    assert states(desk, schema.orders, anna)[-1] == OrderState.CANCELLED
    agree(desk, anna)


# Two at once


POINTS = ("after claim", "before write", "write 2", "after written", "before seal", "after seal")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", [Kind.CHANGE, Kind.TRANSFER, Kind.LOSS, Kind.SUSPENSION, Kind.CANCEL_HOLDER])
def test_an_application_comes_while_a_station_updates_the_card(
    desk: Desk, anna: int, card: VirtualCard, kind: Kind, point: str
) -> None:
    desk.apply(Kind.EXTENSION, anna, permit=LONGER)
    after = {Kind.CHANGE: replace(LONGER, position="院长"), Kind.TRANSFER: replace(LONGER, employer=OTHER_EMPLOYER)}
    points: list[str] = []

    def observe(reached: str) -> None:
        points.append(reached)
        if reached == point and points.count(point) == 1:
            assert not desk.apply(kind, anna, permit=after.get(kind), event_on=TODAY).again

    with suppress(InputError):  # what the station is told when its order was taken away
        desk.insert(card, observe=observe)
    assert point in points
    agree(desk, anna)
    assert desk.works(card) == (kind is Kind.CHANGE) or kind is Kind.TRANSFER
    desk.insert(card)
    agree(desk, anna)
    assert desk.works(card) == (kind in after)


@pytest.mark.parametrize("point", POINTS[:-1])
@pytest.mark.parametrize("kind", [Kind.SUSPENSION, Kind.CANCEL_HOLDER])
def test_an_application_comes_while_a_station_makes_the_card(desk: Desk, anna: int, kind: Kind, point: str) -> None:
    desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    card = desk.blank()

    def observe(reached: str) -> None:
        if reached == point:
            assert not desk.apply(kind, anna).again

    with suppress(InputError):
        desk.insert(card, observe=observe)
    assert not desk.works(card)
    agree(desk, anna)
    assert desk.insert(card).outcome is not Outcome.SEALED
    assert states(desk, schema.cards, anna) == [CardState.SPOILED]


def test_of_two_clerks_at_once_one_is_told_that_it_is_done(desk: Desk, anna: int, card: VirtualCard) -> None:
    together = Barrier(2)

    def cancel() -> bool:
        together.wait()
        return desk.apply(Kind.CANCEL_HOLDER, anna).again

    with ThreadPoolExecutor(2) as clerks:
        told = [done.result() for done in [clerks.submit(cancel), clerks.submit(cancel)]]
    assert sorted(told) == [False, True]
    agree(desk, anna)


# Suspension


def test_a_suspended_permit_is_good_for_nothing_until_it_is_resumed(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.EXTENSION, anna, permit=LONGER)
    desk.apply(Kind.SUSPENSION, anna)
    assert desk.apply(Kind.SUSPENSION, anna).again
    assert not desk.works(card)
    assert desk.insert(card).outcome is not Outcome.SEALED
    agree(desk, anna)
    desk.apply(Kind.RESUMPTION, anna)
    assert desk.apply(Kind.RESUMPTION, anna).again
    assert desk.works(card)
    assert desk.insert(card).outcome is Outcome.SEALED
    agree(desk, anna)
    # And a second time it is no repetition.
    assert not desk.apply(Kind.SUSPENSION, anna).again


def test_an_order_that_waits_for_another_reason_waits_on(desk: Desk, anna: int) -> None:
    applied = desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    with desk.ledger.transaction(desk.ledger.local) as tx:
        tx.db.execute(sa.update(schema.orders).values(state=OrderState.SUSPENDED.value, note="photo"))
    desk.apply(Kind.SUSPENSION, anna)
    desk.apply(Kind.RESUMPTION, anna)
    order = desk.dossier(anna).standing.new_order
    assert order is not None
    assert (order.id, order.state, order.note) == (applied.order, OrderState.SUSPENDED, "photo")


def test_a_suspended_card_may_be_lost_and_its_permit_may_end(desk: Desk) -> None:
    for number, kind in enumerate((Kind.LOSS, Kind.CANCEL_HOLDER)):
        person = desk.person(document_number=f"L1234567{number}")
        card = desk.issued(person, number=f"ZJ2026000{number}")
        desk.apply(Kind.SUSPENSION, person)
        desk.apply(kind, person)
        assert not desk.works(card)
        agree(desk, person)


# Which kind goes when

STATES = ("never", "ordered", "making", "live", "updating", "suspended", "lost", "reordered", "ended", "expired")
DONE, AGAIN_, NO = "done", "again", "no"
_FIRSTS = {"ended": DONE, "expired": DONE}
_CHANGES = {"ordered": DONE, "live": DONE, "updating": DONE, "lost": DONE, "reordered": DONE}
_ENDS = dict.fromkeys(("ordered", "making", "live", "updating", "suspended", "lost", "reordered"), DONE)
EXPECTED: dict[Kind, dict[str, str]] = {
    Kind.FIRST_ABROAD: _FIRSTS | {"never": DONE},
    Kind.FIRST_IN_CHINA: _FIRSTS | {"never": DONE},
    Kind.SHORT: _FIRSTS | {"never": DONE},
    Kind.EXTENSION: _CHANGES | {"updating": AGAIN_},
    Kind.CHANGE: _CHANGES,
    Kind.TRANSFER: _CHANGES,
    Kind.REISSUE_LOST: {"live": DONE, "updating": DONE, "lost": DONE, "reordered": DONE},
    Kind.REISSUE_DAMAGED: {"live": DONE, "updating": DONE, "reordered": AGAIN_},
    Kind.CANCEL_EMPLOYER: _ENDS,
    Kind.CANCEL_HOLDER: _ENDS | {"ended": AGAIN_},
    Kind.CANCEL_AUTHORITY: _ENDS,
    Kind.REVOCATION: _ENDS,
    Kind.EXPIRY: {"ended": AGAIN_, "expired": AGAIN_},
    Kind.LOSS: {"live": DONE, "updating": DONE, "suspended": DONE, "lost": AGAIN_, "reordered": DONE},
    Kind.SUSPENSION: {**_ENDS, "suspended": AGAIN_},
    Kind.RESUMPTION: {"suspended": DONE},
    Kind.LOADING: dict.fromkeys(("live", "updating", "suspended", "reordered"), AGAIN_),
}


def brought_to(desk: Desk, person: int, state: str, number: str = "ZJ20260001") -> None:
    """Bring somebody into one of the states; the clock is left alone."""
    if state == "never":
        return
    order = desk.apply(Kind.FIRST_ABROAD, person, permit=permit(number=number)).order
    if state == "ordered":
        return
    card = desk.blank()
    if state == "making":
        with pytest.raises(CardRemoved):
            desk.insert(card, TearAfterCommand(card, 60), order=order)
        return
    desk.insert(card, order=order)
    match state:
        case "updating":
            desk.apply(Kind.EXTENSION, person, permit=replace(LONGER, number=number))
        case "suspended":
            desk.apply(Kind.SUSPENSION, person)
        case "lost":
            desk.apply(Kind.LOSS, person)
        case "reordered":
            desk.apply(Kind.REISSUE_DAMAGED, person)
        case "ended":
            desk.apply(Kind.CANCEL_HOLDER, person)


def wanted(desk: Desk, kind: Kind, state: str, number: str) -> WorkPermit | None:
    if kind not in WANTED:
        return None
    after = replace(WANTED[kind], number=number)
    if kind in (Kind.CHANGE, Kind.TRANSFER) and state == "updating":
        return replace(after, valid_until=LONGER.valid_until)
    if kind.is_first and state == "expired":
        return replace(after, valid_from=desk.today, valid_until=desk.today + timedelta(days=60))
    return after


@pytest.mark.parametrize("state", STATES)
def test_each_kind_goes_in_some_states_and_changes_nothing_in_others(desk: Desk, state: str) -> None:
    cases = {kind: (desk.person(document_number=f"L{serial:08}"), f"ZJ{serial:08}") for serial, kind in enumerate(Kind)}
    for person, number in cases.values():
        brought_to(desk, person, state, number)
    if state == "expired":
        desk.pass_until(date(2027, 1, 16))
        desk.expire()
    for kind, (person, number) in cases.items():
        before, expected, after = desk.events(), EXPECTED[kind].get(state, NO), wanted(desk, kind, state, number)
        if expected == NO:
            with pytest.raises(InputError, match=r"changed|no permit"):
                pytest.fail(f"{kind} in {state}: {desk.apply(kind, person, permit=after, event_on=desk.today)}")
        else:
            applied = desk.apply(kind, person, permit=after, event_on=desk.today)
            assert applied.again == (expected == AGAIN_), kind
        assert (desk.events() > before) == (expected == DONE), kind
        agree(desk, person)


# All or nothing


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.LOADING, Kind.EXPIRY)])
def test_what_fails_half_way_leaves_nothing(desk: Desk, anna: int, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    brought_to(desk, anna, "never" if kind.is_first else "suspended" if kind is Kind.RESUMPTION else "live")
    tables = [schema.permits, schema.orders, schema.cards, schema.credentials, schema.applications, schema.persons,
              schema.status_entries, schema.status_changes, schema.chain]  # fmt: skip

    def everything() -> list[list[tuple[object, ...]]]:
        with desk.ledger.reading() as db:
            return [
                [tuple(row) for row in db.execute(sa.select(table).order_by(*table.primary_key))] for table in tables
            ]

    before = everything()
    done = changes_module._Case._change_credentials

    def fails(case: changes_module._Case) -> None:
        done(case)
        raise InputError("停电", "the power went off")

    with monkeypatch.context() as patched:
        patched.setattr(changes_module._Case, "_change_credentials", fails)
        with pytest.raises(InputError, match="the power went off"):
            desk.apply(kind, anna, permit=WANTED.get(kind), event_on=TODAY)
    assert everything() == before
    assert not desk.apply(kind, anna, permit=WANTED.get(kind), event_on=TODAY).again
    agree(desk, anna)


# Who may


def clerk(*roles: Role) -> Actor:
    return Actor(1, "somebody", frozenset(roles))


@pytest.mark.parametrize(
    ("kind", "roles", "override", "may"),
    [
        (Kind.CANCEL_HOLDER, [Role.INTAKE], "", True),
        (Kind.CANCEL_HOLDER, [Role.ISSUING, Role.AUDITOR], "", False),
        (Kind.CANCEL_AUTHORITY, [Role.INTAKE], "", False),
        (Kind.CANCEL_AUTHORITY, [Role.SUPERVISOR], "", True),
        (Kind.REVOCATION, [Role.INTAKE], "", False),
        (Kind.CANCEL_HOLDER, [Role.INTAKE], "a reason", False),
        (Kind.CANCEL_HOLDER, [Role.SUPERVISOR], "a reason", True),
        (Kind.EXPIRY, [Role.AUDITOR], "", False),
    ],
)
def test_who_may_do_what(desk: Desk, anna: int, kind: Kind, roles: list[Role], override: str, may: bool) -> None:
    desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    with desk.ledger.transaction(clerk(*roles)) as tx:
        if may:
            assert not changes_module.apply_application(tx, kind, anna, override=override).again
        else:
            with pytest.raises(InputError, match="lacks the role"):
                changes_module.apply_application(tx, kind, anna, override=override)


def test_a_supervisor_lets_a_missed_deadline_pass_and_says_why(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.pass_until(date(2027, 1, 10))
    with pytest.raises(InputError, match="a supervisor can let it pass"):
        desk.apply(Kind.EXTENSION, anna, permit=LONGER)
    with pytest.raises(InputError, match="200 characters"):
        desk.apply(Kind.EXTENSION, anna, permit=LONGER, override="x" * 201)
    desk.apply(Kind.EXTENSION, anna, permit=LONGER, override="疫情")
    with desk.ledger.reading() as db:
        event = sa.select(schema.events.c.details).where(schema.events.c.kind == "permit-extension")
        assert db.execute(event).scalar_one() == '{"applied_on":"2027-01-10","override":"疫情"}'
    # It had been applied for in time: no reason is needed.
    other = desk.person(document_number="L12345678")
    desk.apply(Kind.FIRST_ABROAD, other, permit=permit(number="ZJ20260077"), applied_on=TODAY)
    late = replace(LONGER, number="ZJ20260077")
    assert not desk.apply(Kind.EXTENSION, other, permit=late, applied_on=TODAY).again


# Sheets


def test_an_application_remembers_the_sheet_and_row_that_it_came_from(desk: Desk, anna: int) -> None:
    with desk.ledger.transaction(desk.ledger.local) as tx:
        lot = tx.db.execute(
            sa.insert(schema.lots)
            .values(name="today", state="open", source="today.csv", profile="ssc-v3", box_size=50, made_at=tx.now)
            .returning(schema.lots.c.id)
        ).scalar_one()
    digest = bytes(range(16))
    applied = desk.apply(
        Kind.FIRST_ABROAD, anna, permit=permit(), lot=lot, row=7, digest=digest, card=NewCard(position=3)
    )
    with desk.ledger.reading() as db:
        row = db.execute(sa.select(schema.applications)).one()
        order = db.execute(sa.select(schema.orders)).one()
    assert (row.id, row.lot_id, row.row, row.digest) == (applied.application, lot, 7, digest)
    assert (order.lot_id, order.position) == (lot, 3)
    assert desk.apply(Kind.CHANGE, anna, permit=MOVED, digest=digest).again, "the sheet was imported twice"


def test_card_numbers_are_never_given_twice(desk: Desk) -> None:
    for index in range(3):
        person = desk.person(document_number=f"L1234567{index}")
        desk.apply(Kind.FIRST_ABROAD, person, permit=permit(number=f"ZJ2026000{index}"))
        desk.insert(desk.blank())
    with desk.ledger.reading() as db:
        numbers = list(db.execute(sa.select(schema.cards.c.number).order_by(schema.cards.c.id)).scalars())
    assert [number[:8] for number in numbers] == ["JY000001", "JY000002", "JY000003"]
    # The holder of the last one is erased: its number stays taken.
    with desk.ledger.transaction(desk.ledger.local) as tx:
        tx.db.execute(sa.update(schema.cards).where(schema.cards.c.id == 3).values(number=None))
        tx.db.execute(sa.update(schema.orders).where(schema.orders.c.card_id == 3).values(card_number=None))
    person = desk.person(document_number="L99999999")
    desk.apply(Kind.FIRST_ABROAD, person, permit=permit(number="ZJ20260009"))
    order = desk.dossier(person).standing.new_order
    assert order is not None
    with desk.ledger.reading() as db:
        asked = sa.select(schema.orders.c.card_number).where(schema.orders.c.id == order.id)
        assert db.execute(asked).scalar_one()[:8] == "JY000004"


def test_without_a_free_number_no_card_is_ordered(
    desk: Desk, anna: int, card: VirtualCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chip_orders, "free_numbers", lambda tx, count, prefix: [])
    with pytest.raises(InputError, match="used up"):
        desk.apply(Kind.REISSUE_DAMAGED, anna)


def test_nothing_personal_stands_in_events(desk: Desk, anna: int, card: VirtualCard) -> None:
    desk.apply(Kind.CHANGE, anna, people.holder(document_number="L11111111"), permit(), event_on=TODAY)
    with desk.ledger.reading() as db:
        details = "".join(db.execute(sa.select(schema.events.c.details)).scalars())
    for secret in ("ERIKSSON", "L11111111", "L898902C3", "ZJ20260001", "1974"):
        assert secret not in details
