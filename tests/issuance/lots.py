"""A lot as it comes about at an office: applications, orders, and the cards that stations make of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from juying.ledger import orders, people, schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import at_station
from juying.ledger.order_records import Claim, NewOrder
from juying.ledger.states import CardState, OrderState
from juying.model import Employer, WorkPermit
from tests import people as invented

INSTITUTE = Employer(name="椒江样本医药研究院", code="123310020000DDD18Q")
FACTORY = Employer(name="台州虚构精密机械有限公司", code="91331002MA00TE5T2C")
LOT, PROFILE = "2026-12-01 上午", "ssc-v3"
BOX_SIZE = 3


@dataclass
class Clock:
    """The time at the office."""

    now: datetime = invented.NOW

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class Desk:
    """An office with a ledger, and one lot on it."""

    ledger: Ledger
    clock: Clock
    lot: int = 0
    orders: Sequence[int] = ()
    persons: Sequence[int] = ()
    blanks: int = field(default=0)

    @property
    def actor(self) -> Actor:
        return self.ledger.local

    def import_lot(
        self, count: int, employers: Sequence[Employer] = (INSTITUTE,), *, names: Sequence[tuple[str, str]] = (),
        name: str = LOT, box_size: int = BOX_SIZE, first: int = 0,
    ) -> None:  # fmt: skip
        """So many applications, of each employer in turn."""
        holders = []
        for number in range(first, first + count):
            latin, chinese = names[number % len(names)] if names else (f"MUSTER {_word(number)}", "")
            document = f"C{number:08}"
            holders.append(
                invented.holder(name=latin, chinese_name=chinese, nationality="DEU", document_number=document)
            )
        with self.ledger.transaction(self.actor) as tx:
            self.lot = tx.db.execute(
                sa.insert(schema.lots)
                .values(
                    name=name, state="open", source="十二月.xlsx", profile=PROFILE, box_size=box_size, made_at=tx.now
                )
                .returning(schema.lots.c.id)
            ).scalar_one()
            self.persons = people.add_persons(tx, [(holder, None) for holder in holders])
            permits = people.add_permits(
                tx,
                [
                    (
                        person,
                        invented.permit(number=permit_number(number), employer=employers[number % len(employers)]),
                        None,
                    )
                    for number, person in enumerate(self.persons, first)
                ],
            )
            applications = tx.new_ids(schema.applications, count)
            tx.db.execute(
                sa.insert(schema.applications),
                [
                    {"id": application, "kind": "first", "person_id": person, "permit_id": permit, "lot_id": self.lot,
                     "row": row, "made_at": tx.now}
                    for row, (application, person, permit) in enumerate(
                        zip(applications, self.persons, permits, strict=True), 2
                    )
                ],
            )  # fmt: skip
            self.orders = orders.plan_orders(
                tx,
                [
                    NewOrder(lot=self.lot, position=position, application=application, person=person, permit=permit,
                             card_number=card_number(first + position))
                    for position, (application, person, permit) in enumerate(
                        zip(applications, self.persons, permits, strict=True), 1
                    )
                ],
            )  # fmt: skip

    def actor_at(self, station: str) -> Actor:
        return at_station(self.ledger, self.actor, station) if station else self.actor

    def claim(self, station: str = "", reader: str = "") -> Claim:
        """The next order, for a fresh blank."""
        self.blanks += 1
        with self.ledger.transaction(self.actor_at(station)) as tx:
            claim = orders.claim(tx, f"{self.blanks:024X}", PROFILE, lot=self.lot, reader=reader)
        assert claim is not None
        return claim

    def finish(self, claim: Claim, station: str = "") -> None:
        with self.ledger.transaction(self.actor_at(station)) as tx:
            for state in (OrderState.WRITTEN, OrderState.VERIFIED):
                orders.step(tx, claim, state)
            orders.seal(tx, claim)

    def make(self, count: int = 1, station: str = "", reader: str = "", seconds: float = 20) -> None:
        """Make cards, each in so many seconds."""
        for _ in range(count):
            claim = self.claim(station, reader)
            self.clock.sleep(seconds=seconds)
            self.finish(claim, station)

    def card_becomes(self, position: int, state: CardState) -> None:
        card = (
            sa.select(schema.orders.c.card_id).where(schema.orders.c.id == self.orders[position - 1]).scalar_subquery()
        )
        with self.ledger.transaction(self.actor) as tx:
            tx.db.execute(sa.update(schema.cards).where(schema.cards.c.id == card).values(state=state.value))

    def order_becomes(self, position: int, state: OrderState, note: str = "") -> None:
        order = schema.orders.c.id == self.orders[position - 1]
        with self.ledger.transaction(self.actor) as tx:
            tx.db.execute(sa.update(schema.orders).where(order).values(state=state.value, note=note))

    def rename(self, position: int, name: str) -> None:
        """Somebody's name was entered wrongly."""
        person = self.persons[position - 1]
        with self.ledger.transaction(self.actor) as tx:
            holder = people.load_holder(tx.db, tx.vault, person)
            people.change_person(tx, person, replace(holder, name=name), None)

    def states(self) -> list[str]:
        """The state of each order, by position."""
        table = schema.orders
        with self.ledger.reading() as db:
            query = sa.select(table.c.state).where(table.c.lot_id == self.lot).order_by(table.c.position)
            return list(db.execute(query).scalars())

    def events(self, *kinds: str) -> list[str]:
        """The kinds of events in the order in which they happened, only these if any are named."""
        table = schema.events
        with self.ledger.reading() as db:
            found = db.execute(sa.select(table.c.kind).order_by(table.c.number)).scalars()
            return [kind for kind in found if not kinds or kind in kinds]


def card_number(position: int) -> str:
    """Of the order at this position; it begins with zeros."""
    return f"00{position:07}"


def permit_number(number: int) -> str:
    return f"ZJ2026{number:06}"


def _permit(number: int, employers: Sequence[Employer]) -> WorkPermit:
    return invented.permit(number=permit_number(number), employer=employers[number % len(employers)])


def _word(number: int) -> str:
    """A name out of a number."""
    letters = "ABCDEFGHIJ"
    return "MAX" + "".join(letters[int(digit)] for digit in str(number))
