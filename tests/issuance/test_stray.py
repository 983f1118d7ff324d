"""Cards that stopped half way or were found in a drawer: what they are is said, and how they end is recorded."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.errors import InputError
from juying.issuance import stray
from juying.issuance.production import Outcome, Production
from juying.ledger import orders, schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import at_station
from juying.ledger.states import BlankState, CardState, CredentialState, OrderKind, OrderState, Role
from tests import issuing, people
from tests.issuing import add_lot, add_order, blank, identifier, rows


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


class Killed(BaseException):
    """The process ends here."""


OFFICE = issuing.office()


def begin(ledger: Ledger, card: VirtualCard, until: str, **options: object) -> None:
    """Make a card until the process is killed."""

    def observe(point: str) -> None:
        if point == until:
            raise Killed

    actor = at_station(ledger, ledger.local, "desk one")
    with LocalTransport(card) as transport, pytest.raises(Killed):
        Production(ledger, OFFICE, actor, observe=observe, **options).work(transport)


def finish(ledger: Ledger, card: VirtualCard) -> Outcome:
    with LocalTransport(card) as transport:
        return Production(ledger, OFFICE, ledger.local).work(transport).outcome


def test_what_is_open_is_shown_with_what_finds_the_card(ledger: Ledger) -> None:
    lot, [first, second] = add_lot(ledger, 2)
    assert stray.open_cards(ledger) == []
    card = blank()
    begin(ledger, card, "write 4")
    begin(ledger, blank(), "after written")
    one, two = stray.open_cards(ledger, lot=lot)
    assert (one.claim.order, two.claim.order) == (first, second)
    assert one.name == issuing.holder(1).registered_name
    assert one.ending == identifier(card)[-8:].upper()
    assert (one.station, one.since, two.claim.state) == ("desk one", people.NOW, OrderState.WRITTEN)
    assert one.name not in repr(one)


def test_every_kind_of_card_is_told(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    card = blank()
    assert "does not know" in stray.find(ledger, identifier(card)).text.en
    with ledger.transaction(ledger.local) as tx:
        orders.add_blank(tx, identifier(card), "ssc-v3")
    assert stray.find(ledger, identifier(card)).text.en == "a blank in stock"
    begin(ledger, card, "write 4")
    begun = stray.find(ledger, identifier(card))
    assert "is being made (order 1, writing)" in begun.text.en
    assert begun.name == issuing.holder(1).registered_name
    assert finish(ledger, card) is Outcome.SEALED
    assert "issued already" in stray.find(ledger, identifier(card)).text.en
    [held] = rows(ledger, schema.cards)
    order = add_order(ledger, OrderKind.WIPE, held.id, held.person_id, None)
    assert f"waiting for: permit off the card (order {order})" in stray.find(ledger, identifier(card)).text.en
    for state, words in ((CardState.LOST, "reported lost"), (CardState.SUSPENDED, "ask a supervisor")):
        with ledger.transaction(ledger.local) as tx:
            tx.db.execute(sa.update(schema.cards).values(state=state.value))
        assert words in stray.find(ledger, identifier(card)).text.en


def test_an_erased_person_has_no_name(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    card = blank()
    begin(ledger, card, "write 4")
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.persons).values(sealed=None, erased_at=tx.now))
    assert stray.find(ledger, identifier(card)).name == ""


def test_a_lost_blank_is_released_and_its_order_made_with_another(ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    lost, other = blank(), blank()
    begin(ledger, lost, "after claim")
    issuing_only = Actor(1, "issuer", frozenset({Role.ISSUING}))
    assert stray.release(ledger, issuing_only, order).order == order
    with pytest.raises(InputError, match="no such order"):
        stray.release(ledger, issuing_only, order)
    assert issuing.kinds(ledger, order=order)[-1] == "order-released"
    assert rows(ledger, schema.blanks)[0].state == BlankState.SPOILED
    assert finish(ledger, other) is Outcome.SEALED
    assert finish(ledger, lost) is Outcome.REFUSED


def test_a_lost_card_that_may_carry_a_permit_takes_a_supervisor_and_its_credentials(ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    lost, other = blank(), blank()
    begin(ledger, lost, "before seal")
    with pytest.raises(InputError, match="lacks the role"):
        stray.release(ledger, Actor(1, "issuer", frozenset({Role.ISSUING})), order)
    stray.release(ledger, ledger.local, order)
    assert {row.state for row in rows(ledger, schema.credentials)} == {CredentialState.REVOKED}
    assert finish(ledger, other) is Outcome.SEALED
    assert [row.state for row in rows(ledger, schema.credentials)] == [
        *[CredentialState.REVOKED] * 2, *[CredentialState.LIVE] * 2,
    ]  # fmt: skip


def test_a_dead_card_is_set_aside_and_keeps_its_credentials(ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    begin(ledger, blank(), "before seal")
    stray.set_aside(ledger, ledger.local, order)
    assert {row.state for row in rows(ledger, schema.credentials)} == {CredentialState.SIGNED}
    assert finish(ledger, blank()) is Outcome.SEALED
    assert {row.state for row in rows(ledger, schema.credentials)} == {CredentialState.LIVE}


def test_a_persons_card_that_got_lost_half_way_waits_for_the_office(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    card = blank()
    assert finish(ledger, card) is Outcome.SEALED
    [held] = rows(ledger, schema.cards)
    order = add_order(ledger, OrderKind.WIPE, held.id, held.person_id, None)
    begin(ledger, card, "before written")
    stray.release(ledger, ledger.local, order)
    assert rows(ledger, schema.orders, schema.orders.c.id == order)[0].state == OrderState.SUSPENDED
    assert {row.state for row in rows(ledger, schema.credentials)} == {CredentialState.LIVE}


def test_a_lot_is_found_by_its_name(ledger: Ledger) -> None:
    lot, _ = add_lot(ledger, 1, name="monday")
    assert stray.lot_named(ledger, "monday") == lot
    with pytest.raises(InputError, match="no lot of this name"):
        stray.lot_named(ledger, "tuesday")
