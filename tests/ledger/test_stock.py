"""Blanks in stock are registered once, and destroyed by two, unless somebody's card is among them."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from juying.card.virtual.transport import LocalTransport
from juying.errors import InputError
from juying.issuance.production import Production
from juying.ledger import approvals, schema, stock
from juying.ledger.audit import audit_records
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Operators
from juying.ledger.states import BlankState, CardState, Role
from tests import issuing, people
from tests.issuing import add_lot, blank, identifier, kinds, rows
from tests.ledger.test_operators import CHEAP, FANG, LEI, SECRET

FIRST, SECOND = "33100000000111223344556a", "33100000000111223344556b"


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


def add(ledger: Ledger, *identifiers: str, profile: str = "ssc-v3") -> int:
    with ledger.transaction(ledger.local) as tx:
        return stock.add(tx, identifiers, profile)


def states(ledger: Ledger) -> list[str]:
    return [row.state for row in rows(ledger, schema.blanks)]


@pytest.mark.parametrize("text", [FIRST, FIRST.upper(), f" {FIRST[:6]} {FIRST[6:]} ", FIRST + "0a1B2c3d"])
def test_an_identifier_in_its_spellings(text: str) -> None:
    assert stock.identifier_of(text) == FIRST


@pytest.mark.parametrize("text", ["", FIRST[:-1], FIRST + "0", FIRST[:-1] + "g", FIRST + "0a1b2c3", "３" * 24])
def test_what_is_no_identifier(text: str) -> None:
    with pytest.raises(InputError, match="24 hexadecimal digits"):
        stock.identifier_of(text)


def test_blanks_are_registered_once(ledger: Ledger) -> None:
    assert add(ledger, FIRST, FIRST.upper(), SECOND) == 2
    assert add(ledger, SECOND) == 0
    assert add(ledger) == 0
    assert [row.identifier for row in rows(ledger, schema.blanks)] == [FIRST, SECOND]
    assert kinds(ledger) == ["blank-registered"] * 2


def test_more_than_fit_one_statement(ledger: Ledger) -> None:
    many = [f"331000{number:018x}" for number in range(1203)]
    assert add(ledger, *many) == 1203
    assert add(ledger, *many, FIRST) == 1
    with ledger.reading() as db:
        assert stock.counts(db) == {BlankState.STOCK: 1204}


def test_the_same_blank_of_another_kind_is_a_mistake(ledger: Ledger) -> None:
    add(ledger, FIRST)
    with pytest.raises(InputError, match="is registered as ssc-v3"):
        add(ledger, SECOND, FIRST, profile="ssc-v2")
    assert len(states(ledger)) == 1


def test_blanks_are_listed_and_found(ledger: Ledger) -> None:
    add(ledger, FIRST, SECOND)
    with ledger.reading() as db:
        assert [one.identifier for one in stock.listing(db)] == [FIRST, SECOND]
        assert stock.listing(db, BlankState.SPOILED) == []
        [first] = stock.find(db, ["1"])
        assert (first.identifier, first.state, first.card) == (FIRST, BlankState.STOCK, None)
        assert [one.id for one in stock.find(db, [SECOND.upper(), "1", FIRST])] == [2, 1]
        for name in ("3", "33100000000111223344556c"):
            with pytest.raises(InputError, match="no such blank"):
                stock.find(db, [name])
        with pytest.raises(InputError, match="24 hexadecimal"):
            stock.find(db, ["that one"])


def test_destroyed_by_two(ledger: Ledger) -> None:
    add(ledger, FIRST, SECOND)
    operators = Operators(ledger, CHEAP)
    fang = operators.add(ledger.local, FANG, [Role.SUPERVISOR], SECRET).actor()
    lei = operators.add(fang, LEI, [Role.SUPERVISOR], SECRET).actor()
    with pytest.raises(InputError, match="juying approval give 1"):
        stock.scrap(ledger, fang, [2, 1, 2])
    assert states(ledger) == ["stock", "stock"]
    with ledger.transaction(lei) as tx:
        approvals.give(tx, 1)
    assert stock.scrap(ledger, fang, [1, 2]) == 2
    assert states(ledger) == ["scrapped", "scrapped"]
    assert [row.details for row in rows(ledger, schema.events) if row.kind == "blank-scrapped"] == [
        '{"approval":1}'
    ] * 2
    assert stock.scrap(ledger, fang, [1, 2]) == 0, "asked for again it is done already, and nobody is asked"
    with ledger.reading() as db:
        assert audit_records(db, ledger.vault) == []


def test_who_may_not_destroy(ledger: Ledger) -> None:
    add(ledger, FIRST)
    with pytest.raises(InputError, match="lacks the role"):
        stock.scrap(ledger, Actor(1, "local", frozenset({Role.INTAKE})), [1])
    with (
        pytest.raises(InputError, match="lacks the role"),
        ledger.transaction(Actor(1, "local", frozenset({Role.AUDITOR}))) as tx,
    ):
        stock.add(tx, [SECOND], "ssc-v3")


def test_a_card_that_is_good_is_not_destroyed(ledger: Ledger) -> None:
    add_lot(ledger, 1)
    card = blank()
    with LocalTransport(card) as transport:
        Production(ledger, issuing.office(), ledger.local).work(transport)
    with ledger.reading() as db:
        [made] = stock.find(db, [identifier(card)])
    assert made.card is CardState.LIVE
    for state in ("live", "suspended"):
        set_card(ledger, state)
        with pytest.raises(InputError, match="this card is good"):
            stock.scrap(ledger, ledger.local, [made.id])
    set_card(ledger, "cancelled")
    assert stock.scrap(ledger, ledger.local, [made.id]) == 1
    assert states(ledger) == ["scrapped"]


def set_card(ledger: Ledger, state: str) -> None:
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.cards).values(state=state))


def test_a_blank_that_a_station_has_is_not_destroyed(ledger: Ledger) -> None:
    add(ledger, FIRST)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.blanks).values(state="in-use"))
    with pytest.raises(InputError, match="cannot become scrapped"):
        stock.scrap(ledger, ledger.local, [1])


def test_nothing_shows_an_identifier(ledger: Ledger) -> None:
    add(ledger, FIRST)
    with ledger.reading() as db:
        assert FIRST not in repr(stock.listing(db))
