"""A renewed credential replaces the old one at once, or, when that is on a chip, when the card is updated."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.credential.claims import StatusReference, Tier
from juying.credential.issue import to_text
from juying.credential.register import Reason
from juying.credential.renew import Renewal, renew
from juying.credential.status_list import Status
from juying.crypto.signing import SoftwareSigner
from juying.errors import InputError
from juying.issuance.office import Office
from juying.issuance.production import Outcome, Production
from juying.ledger import credentials, orders, schema
from juying.ledger.ledger import Ledger
from juying.ledger.register import LedgerRegister
from juying.ledger.renewal import Renewed, keep_renewed
from juying.ledger.states import CredentialState, OrderKind
from tests import issuing, people

HOLDER_KEY = SoftwareSigner.generate().public_key
SIGNED, LIVE, SUPERSEDED = CredentialState.SIGNED, CredentialState.LIVE, CredentialState.SUPERSEDED


@dataclass
class Desk:
    """An office that made one card."""

    ledger: Ledger
    office: Office
    out: Path
    card: VirtualCard
    permit: int

    def insert(self) -> Outcome:
        with LocalTransport(self.card) as transport:
            return Production(self.ledger, self.office, self.ledger.local).work(transport).outcome

    def current(self) -> dict[Tier, credentials.Stored]:
        with self.ledger.reading() as db:
            return credentials.current(db, self.ledger.vault, self.permit)

    def renew(self, old: credentials.Stored) -> tuple[Renewal, Renewed]:
        """Bind a credential to a holder's key, as the command line does."""
        kept: list[Renewed] = []

        def keep(before: StatusReference | None, new: StatusReference, record: bytes) -> None:
            with self.ledger.transaction(self.ledger.local) as tx:
                kept.append(keep_renewed(tx, before, new, record))

        renewal = renew(
            to_text(old.record), self.out, LedgerRegister(self.ledger, self.ledger.local), self.office.signer,
            self.office.trust, now=people.NOW, holder_key=HOLDER_KEY, keep=keep,
        )  # fmt: skip
        return renewal, kept[0]

    def state(self, stored: credentials.Stored) -> tuple[CredentialState, Status | None]:
        with self.ledger.reading() as db:
            state = credentials.get(db, self.ledger.vault, stored.id).state
        assert stored.reference is not None
        return state, LedgerRegister(self.ledger, self.ledger.local).status(stored.reference)


@pytest.fixture
def desk(database: str, tmp_path: Path) -> Iterator[Desk]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as ledger:
        issuing.add_lot(ledger, 1)
        (permit,) = issuing.rows(ledger, schema.permits)
        made = Desk(ledger, issuing.office(), tmp_path / "new.txt", issuing.blank(), permit.id)
        assert made.insert() is Outcome.SEALED
        yield made


def test_what_is_on_no_chip_is_replaced_at_once(desk: Desk) -> None:
    old = desk.current()[Tier.MINIMAL]
    renewal, kept = desk.renew(old)
    assert renewal.done
    new = desk.current()[Tier.MINIMAL]
    assert (kept.id, kept.order) == (new.id, None)
    assert (new.before, to_text(new.record)) == (old.id, desk.out.read_text().strip())
    assert desk.state(old) == (SUPERSEDED, Status.INVALID)
    assert desk.state(new) == (LIVE, Status.VALID)


def test_what_is_on_a_chip_is_good_until_the_card_is_updated(desk: Desk) -> None:
    old = desk.current()[Tier.FULL]
    _, kept = desk.renew(old)
    new = desk.current()[Tier.FULL]
    assert desk.state(old) == (LIVE, Status.VALID)
    assert desk.state(new) == (SIGNED, Status.VALID)
    (order,) = issuing.rows(desk.ledger, schema.orders, schema.orders.c.kind == OrderKind.UPDATE.value)
    assert kept == Renewed(new.id, order.id)
    assert desk.insert() is Outcome.SEALED
    assert desk.state(old) == (SUPERSEDED, Status.INVALID)
    assert desk.state(new) == (LIVE, Status.VALID)
    (card,) = issuing.rows(desk.ledger, schema.cards)
    assert card.credential_id == new.id
    assert desk.insert() is Outcome.ALREADY


def test_a_card_waits_for_one_update_whatever_is_renewed(desk: Desk) -> None:
    old = desk.current()[Tier.FULL]
    _, first = desk.renew(old)
    between = desk.current()[Tier.FULL]
    _, second = desk.renew(old)
    assert first.order == second.order is not None
    new = desk.current()[Tier.FULL]
    desk.insert()
    assert [desk.state(one)[0] for one in (old, between, new)] == [SUPERSEDED, SUPERSEDED, LIVE]


def test_the_renewed_one_may_be_renewed_before_the_card_comes(desk: Desk) -> None:
    old = desk.current()[Tier.FULL]
    desk.renew(old)
    between = desk.current()[Tier.FULL]
    _, kept = desk.renew(between)
    assert kept.order is not None
    new = desk.current()[Tier.FULL]
    assert desk.state(old) == (LIVE, Status.VALID)
    desk.insert()
    assert [desk.state(one)[0] for one in (old, between, new)] == [SUPERSEDED, SUPERSEDED, LIVE]


def test_nothing_is_renewed_while_the_card_is_being_made(desk: Desk) -> None:
    old = desk.current()[Tier.MINIMAL]
    desk.renew(desk.current()[Tier.FULL])
    with desk.ledger.transaction(desk.ledger.local) as tx:
        assert orders.claim(tx, issuing.identifier(desk.card), desk.card.profile.name) is not None
    with pytest.raises(InputError, match="being made"):
        desk.renew(old)
    assert desk.current()[Tier.MINIMAL] == old
    assert desk.state(old) == (LIVE, Status.VALID)


def test_a_credential_that_is_in_no_ledger_is_confirmed(desk: Desk) -> None:
    """Its place is known, and nothing else: one that was issued without a permit in the ledger."""
    register = LedgerRegister(desk.ledger, desk.ledger.local)
    old = register.allot("ZJ1")
    new = register.allot("ZJ1", replaces=old)
    first = register.allot("ZJ2")
    with desk.ledger.transaction(desk.ledger.local) as tx:
        assert keep_renewed(tx, old, new, b"") == Renewed(None)
        assert keep_renewed(tx, None, first, b"") == Renewed(None)
    assert [register.status(one) for one in (old, new, first)] == [Status.INVALID, Status.VALID, Status.VALID]
    assert register.history(old)[-1].reason is Reason.SUPERSEDED
