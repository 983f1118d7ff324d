"""What goes on a hand-over list: the finished cards of an employer in a lot, with the names of their holders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from juying.credential.trusted_key import TrustedKey
from juying.errors import InputError
from juying.issuance.handover_pdf import ENDING, HandoverList, ListedCard
from juying.ledger import people, schema
from juying.ledger.ledger import Ledger
from juying.ledger.states import CardState, OrderKind, OrderState
from juying.ledger.verify import Head

_orders, _cards, _permits = schema.orders, schema.cards, schema.permits
_SEALED = _orders.join(_cards, _cards.c.id == _orders.c.card_id).join(_permits, _permits.c.id == _orders.c.permit_id)


def _waiting(lot: int) -> sa.ColumnElement[bool]:
    """New cards of a lot that are done and not handed over."""
    return sa.and_(
        _orders.c.lot_id == lot,
        _orders.c.kind == OrderKind.NEW.value,
        _orders.c.state == OrderState.SEALED.value,
    )


@dataclass(frozen=True, slots=True)
class Lists:
    """Where the lists of one lot come from, and who signs them."""

    ledger: Ledger
    lot: int
    lot_name: str
    key: TrustedKey

    def content(
        self, db: sa.Connection, employer: bytes, handover: int | None, *, number: int, edition: int,
        made_at: datetime, head: Head,
    ) -> HandoverList:  # fmt: skip
        """The list of the cards of ``employer`` that are on the list ``handover``, or on none."""
        vault = self.ledger.vault
        query = (
            sa.select(
                _orders.c.id, _orders.c.box, _orders.c.position, _orders.c.person_id, _orders.c.permit_id,
                _cards.c.id.label("card"), _cards.c.number, _cards.c.state.label("card_state"),
                schema.persons.c.sealed.label("person"), _permits.c.sealed.label("permit"),
            )
            .select_from(_SEALED.join(schema.persons, schema.persons.c.id == _orders.c.person_id))
            .where(_waiting(self.lot), _permits.c.employer_key == employer, _orders.c.handover_id == handover)
            .order_by(_orders.c.position)
        )  # fmt: skip
        cards, left_out, of = [], [], None
        for row in db.execute(query):
            if row.card_state != CardState.LIVE:
                left_out.append(row.id)
                continue
            holder = people.holder_of(vault.open_record(row.person, f"persons/{row.person_id}"))
            permit = people.permit_of(vault.open_record(row.permit, f"permits/{row.permit_id}"))
            of = of or permit.employer
            cards.append(
                ListedCard(
                    order=row.id,
                    card=row.card,
                    box=row.box or None,
                    position=row.position,
                    card_number=row.number,
                    name=holder.name,
                    chinese_name=holder.chinese_name,
                    permit_ending=permit.number[-ENDING:],
                )
            )
        if of is None:
            raise changed()
        return HandoverList(
            number=number,
            edition=edition,
            lot=self.lot_name,
            employer=of,
            office=self.key.issuer,
            made_at=made_at,
            ledger=self.ledger.name,
            head=head,
            cards=tuple(cards),
            left_out=tuple(left_out),
            demonstration=self.key.demonstration,
        )

    def ready(self, db: sa.Connection, employer: str | None) -> Sequence[tuple[bytes, int | None]]:
        """The keys of the employers with cards to hand over, and the lists that these are on; None for those on none.

        ``employer`` is the credit code of the only one that is wanted.
        """
        query = (
            sa.select(_permits.c.employer_key, _orders.c.handover_id)
            .select_from(_SEALED)
            .where(_waiting(self.lot), _cards.c.state == CardState.LIVE.value)
            .group_by(_permits.c.employer_key, _orders.c.handover_id)
            .order_by(sa.func.min(_orders.c.position))
        )
        if employer is not None:
            key = people.employer_key(self.ledger.vault, employer.strip().upper())
            query = query.where(_permits.c.employer_key == key)
        return [(of, number) for of, number in db.execute(query)]


def changed() -> InputError:
    """Somebody else changed what a list was made of."""
    return InputError(
        "台账同时有改动，清单未记入，请再试一次",
        "the ledger was changed at the same time, the list is not recorded: try again",
    )
