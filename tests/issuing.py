"""A ledger with orders in it, and blanks for them: what tests of stations and of orders begin with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import save_card as save_card
from juying.card.virtual.transport import LocalTransport
from juying.codec.permit_slots import live_slot, slot_files
from juying.codec.profile import load_profile
from juying.credential.issue import unverified_claims
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.issuance.office import Office
from juying.ledger import people as stored
from juying.ledger import schema
from juying.ledger.bulk import refresh_statistics
from juying.ledger.ledger import Ledger
from juying.ledger.orders import NewOrder, plan_orders
from juying.ledger.states import LotState, OrderKind
from juying.model import Holder, WorkPermit
from juying.model.numbers import card_number
from tests import people

PROFILE = "ssc-v3"
NAMES = ("MUSTER MAX", "BEISPIEL BERTA", "EXEMPLE CHLOE", "ESEMPIO GIULIA", "VOORBEELD JAN", "EKSEMPEL KARI")


class WrongKeys(DemonstrationKeys):
    """Keys of another office."""

    def _city_key(self, key: CardKey) -> bytearray | None:
        city_key = super()._city_key(key)
        if city_key is not None:
            city_key[0] ^= 0x5A
        return city_key


def holder(number: int) -> Holder:
    return people.holder(name=f"{NAMES[number % len(NAMES)]} {'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number // len(NAMES) % 26]}",
                         nationality="UTO", document_number=f"X{number:07}", chinese_name="")  # fmt: skip


def permit(number: int, **changes: object) -> WorkPermit:
    return people.permit(number=f"ZJ2026{number:06}", **changes)


def number_of(order: int) -> str:
    """The card number of the order at this place of a lot."""
    return card_number(f"JY{order:06}")


def add_lot(ledger: Ledger, count: int, *, name: str = "day one", first: int = 1, profile: str = PROFILE,
            photo: bytes | None = None, **changes: object) -> tuple[int, list[int]]:  # fmt: skip
    """A lot of new orders for invented persons; its id, and theirs."""
    numbers = range(first, first + count)
    with ledger.transaction(ledger.local) as tx:
        lot = tx.db.execute(
            sa.insert(schema.lots)
            .values(name=name, state=LotState.OPEN.value, source="sheet.csv", profile=profile, box_size=3,
                    made_at=tx.now)
            .returning(schema.lots.c.id)
        ).scalar_one()  # fmt: skip
        persons = stored.add_persons(tx, [(holder(number), photo) for number in numbers])
        permits = stored.add_permits(
            tx, [(person, permit(number, **changes), None) for number, person in zip(numbers, persons, strict=True)]
        )
        orders = []
        for position, (number, person, permit_id) in enumerate(zip(numbers, persons, permits, strict=True), 1):
            application = add_application(tx, person, permit_id, lot=lot)
            orders.append(NewOrder(lot=lot, position=position, application=application, person=person,
                                   permit=permit_id, card_number=number_of(number)))  # fmt: skip
        ids = list(plan_orders(tx, orders))
        if count >= 100:
            refresh_statistics(tx.db)
        return lot, ids


def add_application(tx, person: int, permit_id: int, *, lot: int | None = None, kind: str = "first") -> int:
    values = {"kind": kind, "person_id": person, "permit_id": permit_id, "lot_id": lot, "made_at": tx.now}
    return tx.db.execute(sa.insert(schema.applications).values(values).returning(schema.applications.c.id)).scalar_one()


def add_order(ledger: Ledger, kind: OrderKind, card: int, person: int, permit_id: int | None, **more: object) -> int:
    """An order for a card that somebody has."""
    with ledger.transaction(ledger.local) as tx:
        applied = (
            permit_id
            or tx.db.execute(sa.select(schema.permits.c.id).where(schema.permits.c.person_id == person))
            .scalars()
            .first()
        )
        application = add_application(tx, person, applied)
        [order] = plan_orders(tx, [NewOrder(kind=kind, card=card, person=person, permit=permit_id,
                                            application=application, **more)])  # fmt: skip
    return order


def blank(profile: str = PROFILE, **options: object) -> VirtualCard:
    return VirtualCard.blank(load_profile(profile), **options)


def identifier(card: VirtualCard) -> str:
    """The identifier of a card as the ledger has it."""
    return bytes(card.memory.files["SSSE/EF05"][0])[2:14].hex()


def memory(card: VirtualCard) -> tuple:
    """All that a card holds, to compare."""
    files = {address: [bytes(record) for record in records] for address, records in card.memory.files.items()}
    keys = {name: (bytes(key.value), key.tries) for name, key in card.memory.keys.items()}
    return files, keys, bytes(card.memory.pin.value), card.memory.pin.tries, dict(card.memory.locks)


def rows(ledger: Ledger, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[sa.Row]:
    with ledger.reading() as db:
        return list(db.execute(sa.select(table).where(*where).order_by(*table.primary_key)))


def kinds(ledger: Ledger, **subject: int) -> list[str]:
    """The kinds of the events about something, in their order."""
    where = [schema.events.c[f"{name}_id"] == number for name, number in subject.items()]
    return [row.kind for row in rows(ledger, schema.events, *where)]


def permit_number_on(card: VirtualCard) -> str | None:
    """The number of the permit that a terminal finds on the chip, None for none."""
    session = SscCard.open(LocalTransport(card))
    live = live_slot(session.read_slots()) if slot_files(session.profile) else None
    return unverified_claims(session.open_permit(live)).permit_number if live is not None else None


def card_number_on(card: VirtualCard) -> object:
    return SscCard.open(LocalTransport(card)).value("card.number")


def office(clock: Callable[[], datetime] = lambda: people.NOW) -> Office:
    return replace(people.office(), clock=clock)
