"""A counter where permits are applied for and cards put into a reader; and whether everything agrees afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from juying.card.ssc import SscCard
from juying.card.virtual.card import Card, VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.card.wiping import has_permit
from juying.codec.permit_slots import live_slot
from juying.codec.profile import load_profile
from juying.credential.claims import StatusReference
from juying.credential.issue import unverified_claims
from juying.credential.status_list import Status
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import SoftwareSigner
from juying.issuance.changes import Applied, apply_application, expire
from juying.issuance.dossier import Dossier, load_dossier
from juying.issuance.identify import identify
from juying.issuance.office import Office
from juying.issuance.permit_kinds import Kind
from juying.issuance.production import Produced, Production
from juying.ledger import credentials, schema
from juying.ledger.audit import audit_records
from juying.ledger.ledger import Ledger
from juying.ledger.people import add_persons
from juying.ledger.register import statuses_of
from juying.ledger.states import LIVE_CARDS, CardState, CredentialState, OrderState
from juying.ledger.verify import verify_chain
from juying.model import Employer, WorkPermit
from tests import people

TODAY = people.NOW.date()
OTHER_EMPLOYER = Employer(name="玉环样本机械有限公司", code="91331002MA00AAA100")
_GOOD = (Verdict.VALID, Verdict.VALID_STALE_STATUS)


def permit(**changes: object) -> WorkPermit:
    """One whose extension can be applied for today."""
    return people.permit(**{"valid_from": date(2026, 1, 1), "valid_until": date(2027, 1, 15), **changes})


class Desk:
    """One office with a ledger and a clock; every card that was ever put in is remembered."""

    def __init__(self, where: str) -> None:
        self.now = people.NOW
        self.ledger = Ledger.open(where, region="331000", clock=lambda: self.now)
        signer = SoftwareSigner.generate()
        key = people.trusted(signer, not_after=people.NOW + timedelta(days=4000))
        self.office = Office(signer=signer, trust=TrustList([key]), clock=lambda: self.now)
        self.cards: list[VirtualCard] = []

    @property
    def today(self) -> date:
        return self.now.date()

    def pass_until(self, day: date) -> None:
        self.now = datetime.combine(day, people.NOW.timetz())

    def person(self, **changes: object) -> int:
        with self.ledger.transaction(self.ledger.local) as tx:
            return add_persons(tx, [(people.holder(**changes), None)])[0]

    def apply(self, kind: Kind, person: int, *wanted: object, **others: object) -> Applied:
        with self.ledger.transaction(self.ledger.local) as tx:
            return apply_application(tx, kind, person, *wanted, **others)

    def expire(self) -> list[Applied]:
        with self.ledger.transaction(self.ledger.local) as tx:
            return expire(tx, self.today)

    def blank(self) -> VirtualCard:
        return VirtualCard.blank(load_profile("ssc-v3"), region="331000")

    def insert(
        self,
        card: VirtualCard,
        fault: Card | None = None,
        *,
        order: int | None = None,
        observe: Callable[[str], None] = lambda point: None,
    ) -> Produced:
        """Put a card into a station; ``fault`` is the card as it behaves this time."""
        if card not in self.cards:
            self.cards.append(card)
        with LocalTransport(fault or card) as transport:
            return Production(self.ledger, self.office, self.ledger.local, observe=observe).work(transport, order=order)

    def issued(self, person: int, **changes: object) -> VirtualCard:
        """A first permit, and the card with it."""
        self.apply(Kind.FIRST_ABROAD, person, permit=permit(**changes))
        card = self.blank()
        self.insert(card)
        return card

    def dossier(self, person: int) -> Dossier:
        with self.ledger.reading() as db:
            return load_dossier(db, self.ledger.vault, person)

    def events(self) -> int:
        with self.ledger.reading() as db:
            return db.execute(sa.select(schema.chain.c.number)).scalar_one()

    def kinds(self) -> list[str]:
        with self.ledger.reading() as db:
            return list(db.execute(sa.select(schema.events.c.kind).order_by(schema.events.c.number)).scalars())

    def close(self) -> None:
        """The whole ledger agrees with its events at the end."""
        with self.ledger, self.ledger.reading() as db:
            assert verify_chain(db).whole
            assert audit_records(db, self.ledger.vault) == []

    def works(self, card: VirtualCard) -> bool:
        """Whether a terminal with the latest status list says yes to the card."""
        record = on_chip(card)
        if record is None or verify(record, self.office.trust, now=self.now).verdict not in _GOOD:
            return False
        place = unverified_claims(record).status
        assert place is not None
        return self.status(place) is Status.VALID

    def status(self, place: StatusReference) -> Status:
        with self.ledger.reading() as db:
            return statuses_of(db, [place])[place]


@contextmanager
def opened(card: Card) -> Iterator[SscCard]:
    with LocalTransport(card) as transport:
        yield identify(transport).card


def on_chip(card: VirtualCard) -> bytes | None:
    """The signed permit on a chip, None when there is none that opens."""
    with opened(card) as session:
        slot = live_slot(session.read_slots())
        return session.open_permit(slot) if slot is not None else None


def agree(desk: Desk, person: int) -> None:
    """Ledger, chips, credentials and status lists say the same about a person, as far as they have to by now."""
    known = desk.dossier(person)
    standing = known.standing
    with desk.ledger.reading() as db:
        plastic = {
            row.identifier: row
            for row in db.execute(
                sa.select(schema.cards, schema.blanks.c.identifier)
                .join_from(schema.cards, schema.blanks, schema.blanks.c.id == schema.cards.c.blank_id)
                .where(schema.cards.c.person_id == person)
            )
        }
        stored = {
            row.id: credentials.get(db, desk.ledger.vault, row.id)
            for row in db.execute(sa.select(schema.credentials.c.id).where(schema.credentials.c.person_id == person))
        }
    # Credentials and the status lists.
    usual = {Status.SUSPENDED if standing.suspended else Status.VALID}
    if standing.permit_id is None:  # what has expired stays as it was in the end
        usual = {Status.SUSPENDED, Status.VALID}
    for entry in known.credentials:
        counts = entry.state in (CredentialState.SIGNED, CredentialState.LIVE)
        assert entry.status in (usual if counts else {Status.INVALID}), entry
    records = {one.record: one for one in stored.values()}
    # Chips.
    for card in desk.cards:
        with LocalTransport(card) as transport:
            row = plastic.get(identify(transport).identifier)
        if row is None:
            continue
        record, state = on_chip(card), CardState(row.state)
        if state in LIVE_CARDS:
            _agrees_with_live_card(desk, known, card, row, record)
        elif state in (CardState.LOST, CardState.REPLACED):
            assert not desk.works(card), f"a {state} card is still good"
        assert record is None or record in records, "the ledger does not know what is on the chip"
        if record is not None and state in LIVE_CARDS and desk.works(card):
            assert standing.permit is not None, "a card is good without a permit"
    if standing.live_card is not None and standing.permit_id is not None and not standing.orders:
        counting = {entry.permit for entry in known.credentials if entry.status is not Status.INVALID}
        assert counting == {standing.permit_id}, "what the card held before counts still"
    if standing.permit is None and known.permits and known.permits[-1].ended_by != Kind.EXPIRY:
        assert all(entry.status is Status.INVALID for entry in known.credentials)


def _agrees_with_live_card(
    desk: Desk, known: Dossier, card: VirtualCard, row: sa.Row[tuple[object, ...]], record: bytes | None
) -> None:
    standing = known.standing
    order = standing.bound_order
    if order is not None and order.state not in (OrderState.PLANNED, OrderState.SUSPENDED):
        return  # it may be half written
    with desk.ledger.reading() as db:
        on_card = credentials.get(db, desk.ledger.vault, row.credential_id).record if row.credential_id else None
        steps = sa.select(schema.events.c.kind).where(
            schema.events.c.card_id == row.id, schema.events.c.kind.in_(["order-claimed", "order-sealed"])
        )
        last = db.execute(steps.order_by(schema.events.c.number.desc())).scalars().first()
    begun = last == "order-claimed"  # and taken back in the middle
    assert begun or record == on_card, "the chip holds something else than the ledger says"
    if order is None and standing.new_order is None:
        assert row.permit_id == standing.permit_id, "nothing waits, and the card has another permit"
        with opened(card) as session:
            assert has_permit(session) == (standing.permit_id is not None)
