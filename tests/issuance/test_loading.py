"""A permit onto a social security card that another office made: recognised, compared, entered, written."""

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa

from juying.card.contents import CardContents
from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import TearAfterCommand
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.errors import CardRefused, CardRemoved, InputError
from juying.issuance.changes import Applied
from juying.issuance.identify import identify
from juying.issuance.loading import OwnCard, adopt, load_onto, read_own_card
from juying.issuance.permit_kinds import Kind
from juying.issuance.production import Outcome
from juying.ledger import schema
from juying.ledger.people import search
from juying.ledger.states import CardState, OrderKind, OrderState
from juying.model import CardIdentity, Holder, WorkPermit
from juying.model.numbers import card_number
from tests import people
from tests.issuance.permit_desk import TODAY, Desk, agree, on_chip, permit

NUMBER = card_number("K0000042")
ISSUED = CardIdentity(number=NUMBER, issued_on=date(2020, 5, 4), expires_on=date(2030, 5, 4))


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    desk = Desk(database)
    yield desk
    desk.close()


def card_of(desk: Desk, holder: Holder, identity: CardIdentity = ISSUED) -> VirtualCard:
    """A card as an agency issues it: holder and number, nothing of a permit."""
    card = desk.blank()
    contents = CardContents.of(holder, people.permit(), identity)
    values = {name: value for name, value in contents.values.items() if not name.startswith("employer.")}
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), CardContents(values))
    return card


def read(card: VirtualCard, holder: Holder, today: date = TODAY) -> OwnCard:
    with LocalTransport(card) as transport:
        return read_own_card(identify(transport), holder, today=today)


def load(desk: Desk, person: int, card: VirtualCard, permit: WorkPermit | None = None, **holder: object) -> Applied:
    own = read(card, people.holder(**holder))
    with desk.ledger.transaction(desk.ledger.local) as tx:
        return load_onto(tx, person, own, permit=permit)


def test_a_first_permit_is_loaded_onto_the_card_of_an_agency(desk: Desk) -> None:
    anna = desk.person()
    card = card_of(desk, people.holder())
    applied = load(desk, anna, card, permit())
    assert applied.kind is Kind.FIRST_ABROAD
    assert [(order.kind, order.state) for order in desk.dossier(anna).standing.orders] == [
        (OrderKind.UPDATE, OrderState.PLANNED)
    ]
    assert desk.insert(card).outcome is Outcome.SEALED
    assert desk.works(card)
    agree(desk, anna)
    (entry,) = desk.dossier(anna).cards
    assert (entry.number, entry.issued_on, entry.expires_on) == (NUMBER, ISSUED.issued_on, ISSUED.expires_on)
    with desk.ledger.reading() as db:
        assert search(db, desk.ledger.vault, NUMBER) == [anna]
        assert "card-adopted" in desk.kinds()
        assert NUMBER not in "".join(db.execute(sa.select(schema.events.c.details)).scalars())


def test_the_permit_that_somebody_has_is_loaded_instead_of_a_new_card(desk: Desk) -> None:
    anna = desk.person()
    desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    card = card_of(desk, people.holder())
    applied = load(desk, anna, card)
    assert applied.kind is Kind.LOADING
    assert not applied.again
    assert load(desk, anna, card).again
    with desk.ledger.reading() as db:
        states = list(db.execute(sa.select(schema.orders.c.state).order_by(schema.orders.c.id)).scalars())
    assert states == [OrderState.REPLACED, OrderState.PLANNED]
    assert desk.insert(desk.blank()).outcome is Outcome.IDLE, "no new card is made"
    assert desk.insert(card).outcome is Outcome.SEALED
    agree(desk, anna)
    assert load(desk, anna, card).again


def test_at_the_end_the_card_of_the_agency_is_wiped_of_the_permit_alone(desk: Desk) -> None:
    anna = desk.person()
    card = card_of(desk, people.holder())
    load(desk, anna, card, permit())
    desk.insert(card)
    desk.apply(Kind.CANCEL_HOLDER, anna)
    desk.insert(card)
    assert on_chip(card) is None
    assert read(card, people.holder()).number == NUMBER
    agree(desk, anna)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"document_number": "L11111111"}, "social security number"),
        ({"name": "MUSTER MAX"}, "name"),
        ({"birth_date": date(1974, 8, 13)}, "birth"),
    ],
)
def test_the_card_of_somebody_else_is_refused(desk: Desk, changes: dict[str, object], title: str) -> None:
    card = card_of(desk, people.holder())
    with pytest.raises(CardRefused, match=title) as caught:
        read(card, people.holder(**changes))
    assert "ERIKSSON" not in str(caught.value)


def test_a_name_that_was_cut_off_on_the_card_is_the_same_name(desk: Desk) -> None:
    holder = people.holder(name=people.LONG_NAME)
    assert read(card_of(desk, holder), holder).number == NUMBER


def test_a_blank_is_nobodys_card(desk: Desk) -> None:
    with pytest.raises(CardRefused, match="never issued"):
        read(desk.blank(), people.holder())


def test_a_card_that_has_run_out_is_refused(desk: Desk) -> None:
    card = card_of(desk, people.holder())
    assert read(card, people.holder(), today=ISSUED.expires_on).expires_on == ISSUED.expires_on
    with pytest.raises(CardRefused, match="run out"):
        read(card, people.holder(), today=date(2030, 5, 5))


def test_without_a_permit_nothing_is_loaded_and_nothing_entered(desk: Desk) -> None:
    anna = desk.person()
    card = card_of(desk, people.holder())
    with pytest.raises(InputError, match="no valid permit"):
        load(desk, anna, card)
    assert desk.dossier(anna).cards == ()


def test_a_permit_is_not_changed_by_the_way(desk: Desk) -> None:
    anna = desk.person()
    desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    with pytest.raises(InputError, match="change or extend it first"):
        load(desk, anna, card_of(desk, people.holder()), permit(position="院长"))
    assert desk.dossier(anna).cards == ()


def test_who_has_another_card_uses_that_one(desk: Desk) -> None:
    anna = desk.person()
    desk.issued(anna)
    with pytest.raises(InputError, match="the person has another card"):
        load(desk, anna, card_of(desk, people.holder()))


def test_a_lost_card_is_not_brought_back_and_another_may_take_its_place(desk: Desk) -> None:
    anna = desk.person()
    lost = desk.issued(anna)
    desk.apply(Kind.LOSS, anna)
    with pytest.raises(InputError, match="not one that the person uses"):
        load(desk, anna, lost)
    card = card_of(desk, people.holder())
    load(desk, anna, card)
    assert desk.insert(card).outcome is Outcome.SEALED
    assert desk.works(card)
    assert not desk.works(lost)
    assert [entry.state for entry in desk.dossier(anna).cards] == [CardState.LOST, CardState.LIVE]
    agree(desk, anna)


def test_while_a_new_card_is_made_no_other_is_loaded(desk: Desk) -> None:
    anna = desk.person()
    desk.apply(Kind.FIRST_ABROAD, anna, permit=permit())
    blank = desk.blank()
    with pytest.raises(CardRemoved):
        desk.insert(blank, TearAfterCommand(blank, 60))
    with pytest.raises(InputError, match="is being made"):
        load(desk, anna, card_of(desk, people.holder()))
    assert len(desk.dossier(anna).cards) == 1, "the one that is being made"


def test_a_card_that_tells_no_last_day_is_good_for_ten_years(desk: Desk) -> None:
    card = desk.blank()
    values = {
        "card.number": NUMBER,
        "card.issued_on": date(2020, 5, 4),
        "holder.social_security_number": people.holder().social_security_number,
    }
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), CardContents(values))
    assert read(card, people.holder()).expires_on == date(2030, 5, 4)


def test_entering_a_card_twice_changes_nothing(desk: Desk) -> None:
    anna = desk.person()
    own = read(card_of(desk, people.holder()), people.holder())
    with desk.ledger.transaction(desk.ledger.local) as tx:
        assert adopt(tx, anna, own) == adopt(tx, anna, own)
