"""Whatever is applied for in whatever order, and wherever a card is torn out: in the end everything agrees."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import TearAfterCommand
from juying.errors import CardRemoved, InputError
from juying.issuance.permit_kinds import ENDING, Kind
from juying.issuance.production import Outcome
from juying.ledger.states import OrderKind
from juying.model import Employer, WorkPermit
from tests import people
from tests.issuance.permit_desk import OTHER_EMPLOYER, Desk, agree, permit

POSITIONS = ("工程师", "院长")
EMPLOYERS: tuple[Employer, ...] = (people.permit().employer, OTHER_EMPLOYER)
COMMANDS = 200  # more than there are on the way of a card
ENDS = sorted(kind for kind in ENDING if kind is not Kind.EXPIRY)


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    desk = Desk(database)
    yield desk
    desk.close()


def machine(desk: Desk) -> type[RuleBasedStateMachine]:
    """Lives at one desk, each of another person."""
    serials = count(1)

    class Life(RuleBasedStateMachine):
        """What happens to one person.

        ``good`` is the card in hand while a terminal has to say yes to it, ``held`` the permit on it, and ``torn`` are
        the cards that were pulled out and not finished: they may hold the new permit already, or not yet.
        """

        @initialize()
        def begin(self) -> None:
            desk.now = people.NOW
            serial = next(serials)
            self.number = f"ZJ{serial:08}"
            self.person = desk.person(document_number=f"L{serial:08}")
            self.cards: list[VirtualCard] = []
            self.torn: set[VirtualCard] = set()
            self.good: VirtualCard | None = None
            self.held: WorkPermit | None = None
            self.suspended = False

        def teardown(self) -> None:
            """Every card is put in once more, to the end; then nothing is left to do for anybody else."""
            for card in self.cards:
                self.put_in(card)
            self.everything_agrees()
            self.try_to(Kind.CANCEL_HOLDER)
            agree(desk, self.person)
            desk.cards.clear()

        def try_to(self, kind: Kind, after: WorkPermit | None = None, *, override: str = "") -> bool:
            """Whether it was done; if it was refused or done before, nothing changed."""
            before = desk.events()
            try:
                done = not desk.apply(kind, self.person, permit=after, event_on=desk.today, override=override).again
            except InputError:
                done = False
            assert done == (desk.events() > before)
            return done

        @property
        def present(self) -> WorkPermit | None:
            return desk.dossier(self.person).standing.permit

        @rule(kind=st.sampled_from([Kind.FIRST_ABROAD, Kind.FIRST_IN_CHINA]))
        def first(self, kind: Kind) -> None:
            begins, ends = desk.today - timedelta(days=300), desk.today + timedelta(days=60)
            self.try_to(kind, permit(number=self.number, valid_from=begins, valid_until=ends))

        @rule(later=st.booleans())
        def extend(self, later: bool) -> None:
            if before := self.present:
                begins = before.valid_until + timedelta(days=1) if later else before.valid_from
                after = replace(before, valid_from=begins, valid_until=before.valid_until + timedelta(days=365))
                self.try_to(Kind.EXTENSION, after, override="a test")

        @rule(position=st.sampled_from(POSITIONS))
        def change(self, position: str) -> None:
            if before := self.present:
                self.try_to(Kind.CHANGE, replace(before, position=position))

        @rule(employer=st.sampled_from(EMPLOYERS))
        def transfer(self, employer: Employer) -> None:
            if (before := self.present) and self.try_to(Kind.TRANSFER, replace(before, employer=employer)):
                self.good = None

        @rule(kind=st.sampled_from([Kind.LOSS, Kind.REISSUE_LOST, *ENDS]))
        def end(self, kind: Kind) -> None:
            if self.try_to(kind):
                self.good = None
                self.suspended = self.suspended and kind not in ENDING

        @rule()
        def replace_card(self) -> None:
            self.try_to(Kind.REISSUE_DAMAGED)

        @rule(kind=st.sampled_from([Kind.SUSPENSION, Kind.RESUMPTION]))
        def suspend(self, kind: Kind) -> None:
            if self.try_to(kind):
                self.suspended = kind is Kind.SUSPENSION

        @rule(days=st.integers(1, 120))
        def wait(self, days: int) -> None:
            """Time passes, and what ended is ended in the night."""
            desk.pass_until(desk.today + timedelta(days=days))
            if desk.expire():
                self.good, self.suspended = None, False

        @rule(which=st.integers(0, 4), tear=st.none() | st.integers(1, COMMANDS))
        def insert(self, which: int, tear: int | None) -> None:
            """A card of this person or a blank lies in the reader, perhaps not to the end."""
            if which >= len(self.cards):
                self.cards.append(desk.blank())
            self.put_in(self.cards[min(which, len(self.cards) - 1)], tear)

        def put_in(self, card: VirtualCard, tear: int | None = None) -> None:
            order = desk.dossier(self.person).standing.new_order
            fault = None if tear is None else TearAfterCommand(card, tear)
            worked = desk.works(card)
            try:
                made = desk.insert(card, fault, order=order.id if order else 0)
            except CardRemoved:
                self.torn.add(card)
                return
            if made.outcome is Outcome.SEALED and made.claim is not None:
                self.torn.discard(card)
                wiped = made.claim.kind is OrderKind.WIPE
                self.good, self.held = (None, None) if wiped else (card, self.present)
                assert wiped or not worked or desk.works(card), "a card that was good is good no more"

        @invariant()
        def everything_agrees(self) -> None:
            if not hasattr(self, "person"):  # it has not begun
                return
            agree(desk, self.person)
            running = self.held is not None and self.held.valid_from <= desk.today <= self.held.valid_until
            for card in self.cards:
                wanted = card is self.good and running and not self.suspended
                assert desk.works(card) == wanted or (card in self.torn and not wanted)

    return Life


def test_in_the_end_everything_agrees(desk: Desk) -> None:
    run_state_machine_as_test(
        machine(desk),
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.reuse, Phase.generate],  # making a failure shorter takes longer than a test may
        ),
    )
