"""A card is held against the ledger: what its chip should hold is named when it does not, never its value, and nothing
is written to it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.codec.permit_slots import slot_files
from juying.codec.spec import File
from juying.issuance.compare import Agreement, Comparison, cards_of_lot, compare_card
from juying.issuance.photo import card_photo
from juying.issuance.production import Outcome, Production
from juying.ledger import people as stored
from juying.ledger import schema, stock
from juying.ledger.ledger import Ledger
from juying.ledger.states import OrderKind
from tests import issuing, people
from tests.issuing import add_lot, add_order, blank, identifier, memory, number_of, rows

PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "eriksson.jpg"


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


@pytest.fixture
def make(ledger: Ledger) -> Callable[..., VirtualCard]:
    """Makes the card of the next order."""
    office = issuing.office()

    def made(card: VirtualCard | None = None, profile: str = "ssc-v3") -> VirtualCard:
        card = card or blank(profile)
        with LocalTransport(card) as transport:
            assert Production(ledger, office, ledger.local).work(transport).outcome is Outcome.SEALED
        return card

    return made


def compared(ledger: Ledger, card: VirtualCard) -> Comparison:
    before = memory(card)
    with LocalTransport(card) as transport:
        found = compare_card(ledger, transport)
    assert memory(card) == before, "nothing is written"
    return found


def change(ledger: Ledger, table: sa.Table, **values: object) -> None:
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(table).values(values))


def slots(card: VirtualCard) -> Iterator[File]:
    """The files of the permit container."""
    return (file for files in slot_files(card.profile) for file in files)


def put(card: VirtualCard, file: File, data: bytes) -> None:
    card.memory.files[file.address][0][:] = data


def different(found: Comparison) -> list[str]:
    return [text.en for text in found.differences]


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_a_card_as_it_was_made(ledger: Ledger, make: Callable[..., VirtualCard], profile: str) -> None:
    _, [order] = add_lot(ledger, 1, profile=profile, photo=card_photo(PHOTO))
    found = compared(ledger, make(profile=profile))
    assert (found.agreement, found.differences, found.order) == (Agreement.AGREES, (), order)
    assert (found.blank, found.card) == (1, 1)
    assert found.name == "BEISPIEL BERTA A"
    assert "BEISPIEL" not in repr(found) + str(found.text)


def test_a_holder_who_changed_in_the_ledger_alone(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    add_lot(ledger, 1)
    card = make()
    with ledger.transaction(ledger.local) as tx:
        holder = stored.load_holder(tx.db, tx.vault, 1)
        stored.change_person(tx, 1, replace(holder, phone="10000000009", address="台州市虚构路2号"), None)
    found = compared(ledger, card)
    assert found.agreement is Agreement.DIFFERS
    assert len(found.differences) == 2
    assert not any("10000000009" in str(text) or "虚构路" in str(text) for text in found.differences)


def test_a_change_that_waits_for_the_card(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    add_lot(ledger, 1)
    card = make()
    with ledger.transaction(ledger.local) as tx:
        holder = stored.load_holder(tx.db, tx.vault, 1)
        stored.change_person(tx, 1, replace(holder, phone="10000000009"), None)
    add_order(ledger, OrderKind.UPDATE, 1, 1, 1)
    found = compared(ledger, card)
    assert (found.agreement, len(found.differences)) == (Agreement.WAITS, 1)
    make(card)
    assert compared(ledger, card).agreement is Agreement.AGREES


def test_a_permit_that_was_changed_on_the_chip(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    add_lot(ledger, 2)
    first, second = make(), make()
    for file in slots(first):
        put(first, file, second.memory.files[file.address][0])
    found = compared(ledger, first)
    assert (found.agreement, different(found)) == (Agreement.DIFFERS, ["work permit"])


FORGED = (b"JY0000019", b"JY00001\xff\xff", b"\xff" * 9, bytes(9), "甲乙丙丁".encode("gbk") + b"1")


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_a_card_number_that_is_none_on_the_chip(ledger: Ledger, make: Callable[..., VirtualCard], profile: str) -> None:
    """A wrong check character, letters that no number has, nothing at all, and a length that cannot be."""
    add_lot(ledger, 1, profile=profile)
    card = make(profile=profile)
    [record] = [raw for blocks in card.memory.files.values() for raw in blocks if number_of(1).encode() in bytes(raw)]
    for data in FORGED:
        for length in (9, 0, 200):
            record[:] = bytes([record[0], length]) + data + bytes(len(record) - 2 - len(data))
            found = compared(ledger, card)
            assert (found.agreement, different(found)) == (Agreement.DIFFERS, ["card number"]), (data, length)


@pytest.mark.parametrize("number", ["JY0000019", "JY-000001", "JY", "甲乙丙丁", None])
@pytest.mark.parametrize("wiped", [False, True])
def test_a_card_number_that_is_none_in_the_ledger(
    ledger: Ledger, make: Callable[..., VirtualCard], wiped: bool, number: str | None
) -> None:
    """It was changed there by somebody else: the card is compared as far as it can be, and the number differs."""
    add_lot(ledger, 2)
    card, other = make(), make()
    if wiped:
        add_order(ledger, OrderKind.WIPE, 1, 1, None)
        make(card)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.cards).where(schema.cards.c.id == 1).values(number=number))
    assert (compared(ledger, card).agreement, different(compared(ledger, card))) == (
        Agreement.DIFFERS, ["card number"],
    )  # fmt: skip
    for file in slots(card):
        put(card, file, other.memory.files[file.address][0])
    assert different(compared(ledger, card)) == ["card number", "work permit"]


def test_a_permit_whose_slot_is_torn(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    """No terminal would see it, but something is there."""
    add_lot(ledger, 1)
    card = make()
    file = next(slots(card))
    written = card.memory.files[file.address][0]
    put(card, file, bytes([*written[:4], 0xEE, *written[5:]]))
    assert different(compared(ledger, card)) == ["work permit"]


def test_a_permit_that_was_taken_off_the_chip(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    add_lot(ledger, 1)
    card = make()
    for file in slots(card):
        put(card, file, file.blank[0])
    found = compared(ledger, card)
    assert (found.agreement, different(found)) == (Agreement.DIFFERS, ["work permit"])


def test_a_card_whose_permit_was_wiped_by_order(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    add_lot(ledger, 1)
    card = make()
    add_order(ledger, OrderKind.WIPE, 1, 1, None)
    assert compared(ledger, card).agreement is Agreement.WAITS
    before = {file.address: bytes(card.memory.files[file.address][0]) for file in slots(card)}
    make(card)
    assert compared(ledger, card).agreement is Agreement.AGREES
    for file in slots(card):
        put(card, file, before[file.address])
    assert different(compared(ledger, card)) == ["work permit"]


def test_a_permit_in_the_ledger_whose_credential_is_gone(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    """The chip must not hold what the ledger does not have any more."""
    add_lot(ledger, 1)
    card = make()
    change(ledger, schema.credentials, sealed=None)
    assert different(compared(ledger, card)) == ["work permit"]


def test_a_card_that_the_ledger_has_as_another_kind(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    add_lot(ledger, 1)
    card = make()
    change(ledger, schema.blanks, profile="ssc-v2")
    assert different(compared(ledger, card)) == ["profile of the card"]


@pytest.mark.parametrize("state", ["replaced", "cancelled", "lost"])
def test_a_card_that_nobody_should_have_any_more(ledger: Ledger, make: Callable[..., VirtualCard], state: str) -> None:
    add_lot(ledger, 1)
    card = make()
    change(ledger, schema.cards, state=state)
    found = compared(ledger, card)
    assert (found.agreement, found.differences, found.name) == (Agreement.DIFFERS, (), "")
    assert "keep it" in found.text.en


def test_blanks(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    card = blank()
    assert compared(ledger, card).agreement is Agreement.UNKNOWN
    with ledger.transaction(ledger.local) as tx:
        stock.add(tx, [identifier(card)], "ssc-v3")
    found = compared(ledger, card)
    assert (found.agreement, found.blank, found.card) == (Agreement.AGREES, 1, None)
    add_lot(ledger, 1)
    make(card)
    change(ledger, schema.cards, state="spoiled")
    change(ledger, schema.blanks, state="stock")
    assert compared(ledger, card).agreement is Agreement.DIFFERS, "it carries somebody"
    for state, agreement in (("spoiled", Agreement.WAITS), ("scrapped", Agreement.DIFFERS)):
        change(ledger, schema.blanks, state=state)
        assert compared(ledger, card).agreement is agreement


def test_a_card_half_written_waits(ledger: Ledger) -> None:
    add_lot(ledger, 1)

    class Stopped(BaseException):
        pass

    def observe(point: str) -> None:
        if point == "write 4":
            raise Stopped

    card = blank()
    production = Production(ledger, issuing.office(), ledger.local, observe=observe)
    with pytest.raises(Stopped), LocalTransport(card) as transport:
        production.work(transport)
    found = compared(ledger, card)
    assert (found.agreement, found.order) == (Agreement.WAITS, rows(ledger, schema.orders)[0].id)


def test_the_cards_of_a_lot(ledger: Ledger, make: Callable[..., VirtualCard]) -> None:
    lot, orders = add_lot(ledger, 3)
    other, _ = add_lot(ledger, 1, name="day two", first=10)
    make(), make()
    with ledger.reading() as db:
        assert cards_of_lot(db, lot) == {1: orders[0], 2: orders[1]}
        assert cards_of_lot(db, other) == {}
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.cards).where(schema.cards.c.id == 1).values(state="cancelled"))
    with ledger.reading() as db:
        assert cards_of_lot(db, lot) == {2: orders[1]}
