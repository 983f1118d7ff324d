"""The card in the reader: whatever stops its making, the same card goes on from there, and nothing is done twice."""

import contextlib
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from juying.card.access import Access
from juying.card.contents import CARD_NUMBER, OWNER
from juying.card.ssc import SscCard
from juying.card.virtual.card import Lifecycle, VirtualCard
from juying.card.virtual.faults import Fault, Garbage, Mute, TearAfterCommand, WrongStatus
from juying.card.virtual.transport import LocalTransport
from juying.card.wiping import has_permit, wipe_permit
from juying.codec.permit_slots import encode_slot, slot_files
from juying.credential.status_list import Status
from juying.errors import CardError, CardRemoved, InputError, KeyUseError, LedgerUnavailable
from juying.issuance.office import issue_card, sign_permit
from juying.issuance.production import Outcome, Produced, Production
from juying.ledger import credentials, orders, schema
from juying.ledger import people as stored
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.register import statuses_of
from juying.ledger.states import BlankState, CardState, CredentialState, OrderKind, OrderState, PermitState, Role
from tests import issuing, people
from tests.harness import PrivatePostgres
from tests.issuing import add_lot, add_order, blank, identifier, memory, rows


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


@pytest.fixture
def desk(ledger: Ledger) -> Callable[..., Production]:
    """Stations one after the other, of one office."""
    office = issuing.office()

    def make(**options: object) -> Production:
        return Production(options.pop("ledger", ledger), office, ledger.local, **options)

    return make


Desk = Callable[..., Production]


class Killed(BaseException):
    """The process ends here."""


def killer(point: str) -> Callable[[str], None]:
    """What kills a process at one point."""

    def observe(name: str) -> None:
        if name == point:
            raise Killed(name)

    return observe


def work(production: Production, card: VirtualCard | Fault, **options: object) -> Produced:
    with LocalTransport(card) as transport:
        return production.work(transport, **options)


def points_of(desk: Desk, card: VirtualCard, **options: object) -> list[str]:
    """All points between the steps of making a card."""
    seen: list[str] = []
    assert work(desk(observe=seen.append), card, **options).outcome is Outcome.SEALED
    return seen


def check_made(ledger: Ledger, card: VirtualCard, order: int) -> None:
    """Chip, order, card, blank, credentials and status list say the same."""
    [row] = rows(ledger, schema.orders, schema.orders.c.id == order)
    [made] = rows(ledger, schema.cards, schema.cards.c.id == row.card_id)
    [plastic] = rows(ledger, schema.blanks, schema.blanks.c.id == made.blank_id)
    assert (row.state, made.state, plastic.state) == (OrderState.SEALED, CardState.LIVE, BlankState.USED)
    assert plastic.identifier == identifier(card)
    assert made.person_id == row.person_id
    assert issuing.card_number_on(card) == made.number == row.card_number
    live = rows(
        ledger, schema.credentials, schema.credentials.c.permit_id == row.permit_id,
        schema.credentials.c.state == CredentialState.LIVE.value,
    )  # fmt: skip
    assert {entry.tier for entry in live} == {"full", "minimal"}
    assert made.permit_id == row.permit_id
    with ledger.reading() as db:
        full = credentials.get(db, ledger.vault, made.credential_id)
        statuses = statuses_of(db, [credentials.get(db, ledger.vault, entry.id).reference for entry in live])
        holder = stored.load_holder(db, ledger.vault, row.person_id)
        permit = stored.load_permit(db, ledger.vault, row.permit_id)
    assert full.id in {entry.id for entry in live}
    assert set(statuses.values()) == {Status.VALID}
    session = SscCard.open(LocalTransport(card))
    assert session.value(OWNER) == holder.social_security_number
    if card.profile.name != "ssc-v1":  # which has no place for it
        assert issuing.permit_number_on(card) == permit.number


def test_the_points_between_the_steps(desk: Desk, ledger: Ledger) -> None:
    add_lot(ledger, 1)
    seen = points_of(desk, blank())
    steps = [point for point in seen if not point.startswith("write ")]
    assert steps == [
        "identified", "before claim", "after claim", "before sign", "after sign", "before write", "before written",
        "after written", "before seal", "after seal",
    ]  # fmt: skip
    assert len(seen) > len(steps) + 10


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_killed_at_every_point_once_and_finished_by_another_station(desk: Desk, ledger: Ledger, profile: str) -> None:
    """Every point kills one card's making; afterwards every card is made, once, and says what its order says."""
    add_lot(ledger, 1, name="to count", first=900, profile=profile)
    points = points_of(desk, blank(profile))
    if profile != "ssc-v3":
        points = [point for point in points if not point.startswith("write ")]
    lot, wanted = add_lot(ledger, len(points), profile=profile)
    cards = []
    for point in points:
        card = blank(profile)
        cards.append(card)
        with pytest.raises(Killed, match=point):
            work(desk(observe=killer(point), lot=lot), card)
        again = work(desk(lot=lot), card)
        assert again.outcome is (Outcome.ALREADY if point == "after seal" else Outcome.SEALED), point
        assert again.box == 1 + (len(cards) - 1) // 3
    for card, order in zip(cards, wanted, strict=True):
        check_made(ledger, card, order)
    assert len(rows(ledger, schema.cards)) == len(points) + 1
    assert len({row.place for row in rows(ledger, schema.credentials)}) == 2 * (len(points) + 1)
    with ledger.reading() as db:
        assert orders.left(db) == orders.left(db, lot) == 0
        assert orders.open_orders(db) == []


def test_a_commit_that_was_not_heard_of_is_asked_for_again(desk: Desk, ledger: Ledger) -> None:
    """At every transaction the connection is lost after the commit; nothing is done twice."""
    add_lot(ledger, 1, name="to count", first=900)
    steps = [point for point in points_of(desk, blank()) if point.startswith("before ") and point != "before write"]
    _, wanted = add_lot(ledger, len(steps))
    for step, order in zip(steps, wanted, strict=True):
        card, deaf = blank(), Deaf(ledger, step)
        made = work(desk(ledger=deaf, observe=deaf.observe, patience=lambda error: True), card)
        assert made.outcome is Outcome.SEALED
        assert deaf.lost == 1
        check_made(ledger, card, order)
        assert issuing.kinds(ledger, order=order).count("order-sealed") == 1


class Deaf:
    """A ledger whose connection is lost right after the commit of one step."""

    def __init__(self, ledger: Ledger, step: str) -> None:
        self._ledger, self._step, self._now, self.lost = ledger, step, False, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    def observe(self, point: str) -> None:
        self._now = point == self._step

    def transaction(self, actor: Actor) -> object:
        return self._lose(actor) if self._now else self._ledger.transaction(actor)

    def _lose(self, actor: Actor) -> object:
        @contextlib.contextmanager
        def losing() -> Iterator[object]:
            with self._ledger.transaction(actor) as tx:
                yield tx
            self._now, self.lost = False, self.lost + 1
            raise LedgerUnavailable("断开", "lost")

        return losing()


def test_a_lost_server_is_waited_for_with_the_card_in_hand(private_postgres: PrivatePostgres) -> None:
    with Ledger.open(private_postgres.new_database(), region="331000", clock=lambda: people.NOW) as ledger:
        _, wanted = add_lot(ledger, 4)
        for point, order in zip(("claim", "sign", "written", "seal"), wanted, strict=True):
            stopped: list[str] = []
            asked: list[LedgerUnavailable] = []

            def observe(name: str, point: str = point, stopped: list[str] = stopped) -> None:
                if name == f"before {point}" and not stopped:
                    stopped.append(name)
                    private_postgres.stop(kill=True)

            def patience(error: LedgerUnavailable, asked: list[LedgerUnavailable] = asked) -> bool:
                asked.append(error)
                private_postgres.start()
                return True

            card = blank()
            production = Production(ledger, issuing.office(), ledger.local, observe=observe, patience=patience)
            assert work(production, card).outcome is Outcome.SEALED
            assert asked, point
            check_made(ledger, card, order)


def test_without_patience_a_lost_ledger_ends_the_work_and_the_card_goes_on_later(desk: Desk, ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    card, deaf = blank(), Deaf(ledger, "before written")
    with pytest.raises(LedgerUnavailable):
        work(desk(ledger=deaf, observe=deaf.observe), card)
    assert work(desk(), card).outcome is Outcome.SEALED
    check_made(ledger, card, order)


def test_pulled_out_at_many_commands(desk: Desk, ledger: Ledger) -> None:
    """No hand that pulls a card is the card's fault: it is finished however often that happens."""
    _, wanted = add_lot(ledger, 2)
    card, pulled = blank(), 0
    for number in range(0, 200, 7):
        try:
            made = work(desk(), TearAfterCommand(card, number))
        except CardRemoved:
            pulled += 1
            made = work(desk(), TearAfterCommand(card, 100_000)) if number > 120 else None
        if made is not None:
            break
    assert made is not None
    assert made.outcome is Outcome.SEALED
    assert pulled > 5
    check_made(ledger, card, wanted[0])
    assert rows(ledger, schema.orders, schema.orders.c.id == wanted[0])[0].failures == 0


@pytest.mark.parametrize("number", [25, 40])
@pytest.mark.parametrize("fault", [Mute, Garbage, WrongStatus], ids=lambda fault: fault.__name__)
def test_a_card_that_fails_three_times_is_wiped_and_set_aside(
    desk: Desk, ledger: Ledger, fault: Callable[..., Fault], number: int
) -> None:
    lot, [first, second] = add_lot(ledger, 2)
    card, production = blank(), desk()
    before = memory(card)
    for _ in range(2):
        with pytest.raises(CardError):
            work(production, fault(card, number))
    spoiled = work(production, fault(card, number))
    assert spoiled.outcome is Outcome.SPOILED
    assert spoiled.claim is not None
    [plastic] = rows(ledger, schema.blanks)
    [made] = rows(ledger, schema.cards)
    [order, _] = rows(ledger, schema.orders)
    assert (plastic.state, made.state, order.state) == (BlankState.SPOILED, CardState.SPOILED, OrderState.PLANNED)
    assert plastic.reason
    assert order.card_id is None
    assert issuing.kinds(ledger, order=first)[-1] == "card-spoiled"
    if fault is not Mute:  # it answered still
        assert_wiped(card, before)
    again = work(production, card)
    assert again.outcome is Outcome.REFUSED
    assert "spoiled" in again.text.en
    other = blank()
    assert work(production, other).outcome is Outcome.SEALED
    check_made(ledger, other, first)
    assert rows(ledger, schema.orders, schema.orders.c.id == second)[0].state == OrderState.PLANNED
    with ledger.reading() as db:
        assert orders.left(db, lot) == 1


def assert_wiped(card: VirtualCard, before: tuple) -> None:
    """Of everything that is written, only what the office says of itself is left."""
    files, blank_files = memory(card)[0], before[0]
    assert {name for name in files if files[name] != blank_files[name]} <= {"SSSE/EF05"}
    session = SscCard.open(LocalTransport(card))
    assert session.value(OWNER) is None
    assert session.value(CARD_NUMBER) is None


class Broken(Fault):
    """Nothing can be written to it any more."""

    def answer(self, number: int, command: bytes) -> bytes:
        return b"\x65\x81" if command[1] in (0xD6, 0xDC) else super().answer(number, command)


def test_a_card_that_can_neither_be_written_nor_wiped_is_set_aside_as_it_is(desk: Desk, ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    card = blank()
    with pytest.raises(Killed):
        work(desk(observe=killer("write 9")), card)
    for _ in range(2):
        with pytest.raises(CardError, match="6581"):
            work(desk(), Broken(card))
    assert work(desk(), Broken(card)).outcome is Outcome.SPOILED
    [event] = rows(ledger, schema.events, schema.events.c.kind == "card-spoiled")
    assert '"wiped":false' in event.details
    assert rows(ledger, schema.orders)[0].id == order


def test_a_card_that_was_blocked_half_way_is_found_by_its_answer_to_reset_and_set_aside(
    desk: Desk, ledger: Ledger
) -> None:
    _, [order] = add_lot(ledger, 1)
    card, other = blank(), blank()
    with pytest.raises(Killed):
        work(desk(observe=killer("write 5")), card)
    other.block()
    stranger = work(desk(), other)
    assert stranger.outcome is Outcome.REFUSED
    assert "blocked" in stranger.text.en
    card.block()
    assert work(desk(), card).outcome is Outcome.SPOILED
    assert rows(ledger, schema.orders)[0].state == OrderState.PLANNED
    good = blank()
    assert work(desk(), good).outcome is Outcome.SEALED
    check_made(ledger, good, order)


def test_a_card_that_fell_silent_is_counted_when_its_answer_to_reset_tells_which_it_is(
    desk: Desk, ledger: Ledger
) -> None:
    add_lot(ledger, 1)
    card = blank()
    with pytest.raises(CardError, match="does not answer"):  # it is nobody's yet
        work(desk(), Mute(card, 1))
    with pytest.raises(Killed):
        work(desk(observe=killer("write 5")), card)
    for failures in (1, 2):
        with pytest.raises(CardError, match="does not answer"):
            work(desk(), Mute(card, 1))
        assert rows(ledger, schema.orders)[0].failures == failures
    with pytest.raises(CardRemoved):
        work(desk(), TearAfterCommand(card, 0))


def refused_untouched(desk: Desk, card: VirtualCard, **options: object) -> Produced:
    before = memory(card)
    made = work(desk(**options), card)
    assert made.outcome is Outcome.REFUSED
    assert memory(card) == before
    return made


def test_foreign_cards_are_refused_untouched(desk: Desk, ledger: Ledger) -> None:
    lot, _ = add_lot(ledger, 3)
    foreign = blank()
    with LocalTransport(foreign) as transport:
        there = people.office()
        application = people.application()
        issue_card(there, application, "JYX000010", sign_permit(there, application), SscCard.open(transport))
    assert "holder" in refused_untouched(desk, foreign).text.en
    assert "another city" in refused_untouched(desk, blank(region="330100")).text.en
    assert "wants ssc-v3" in refused_untouched(desk, blank("ssc-v2"), lot=lot).text.en
    assert work(desk(), blank("ssc-v1")).outcome is Outcome.IDLE
    transit = blank("tunion")
    assert "not a social security card" in refused_untouched(desk, transit).text.en
    nameless = blank()
    nameless.memory.files["SSSE/EF05"][0][2:] = b"\xff" * 16
    assert "no identifier" in refused_untouched(desk, nameless).text.en
    assert rows(ledger, schema.blanks) == []


def test_a_blank_from_stock_that_carries_somebody_is_refused(desk: Desk, ledger: Ledger) -> None:
    add_lot(ledger, 1)
    card = blank()
    with ledger.transaction(ledger.local) as tx:
        orders.add_blank(tx, identifier(card), "ssc-v3")
    session = SscCard.open(LocalTransport(card))
    file, record = session.profile.by_field(OWNER)[0]
    card.memory.files[file.address][record.number - 1][:] = record.encode(people.holder().social_security_number)
    refused_untouched(desk, card)


def test_only_blanks_in_stock_are_taken_when_that_is_wanted(desk: Desk, ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    card = blank()
    with pytest.raises(InputError, match="not in stock"):
        work(desk(listed_only=True), card)
    assert card.state is Lifecycle.BLANK
    with ledger.transaction(ledger.local) as tx:
        orders.add_blank(tx, identifier(card), "ssc-v3")
    assert work(desk(listed_only=True), card).outcome is Outcome.SEALED
    check_made(ledger, card, order)


def test_wrong_keys_stop_everything_before_a_card_is_written(desk: Desk, ledger: Ledger) -> None:
    add_lot(ledger, 1)
    card = blank()
    with pytest.raises(KeyUseError, match="issuing has stopped"):
        work(desk(), card, access=Access(keys=issuing.WrongKeys()))
    assert card.state is Lifecycle.BLANK
    assert rows(ledger, schema.blanks) == []


def test_wrong_keys_half_way_do_not_count_against_the_card(desk: Desk, ledger: Ledger) -> None:
    add_lot(ledger, 1)
    card = blank()
    with pytest.raises(Killed):
        work(desk(observe=killer("before write")), card)
    with pytest.raises(KeyUseError, match="issuing has stopped"):
        work(desk(), card, access=Access(keys=issuing.WrongKeys()))
    assert rows(ledger, schema.orders)[0].failures == 0


def test_a_key_out_of_its_period_claims_nothing(desk: Desk, ledger: Ledger) -> None:
    add_lot(ledger, 1)
    late = issuing.office(lambda: people.NOW + timedelta(days=90))
    with pytest.raises(KeyUseError, match="signing period"):
        work(Production(ledger, late, ledger.local), blank())
    assert rows(ledger, schema.blanks) == []


def test_who_may_not_issue_makes_no_cards(ledger: Ledger) -> None:
    auditor = Actor(1, "auditor", frozenset({Role.AUDITOR}))
    with pytest.raises(InputError, match="lacks the role"):
        Production(ledger, issuing.office(), auditor)


def test_an_order_that_cannot_be_made_is_suspended_before_a_card_is_spent(desk: Desk, ledger: Ledger) -> None:
    """Another class than the key may sign, a region that is not its own, a text too long: the next order is made."""
    bad, _ = add_lot(ledger, 1, name="region", first=100, region="440300")
    add_lot(ledger, 1, name="long", first=200, position="顾" * 100)
    _, [good] = add_lot(ledger, 1, name="good", first=300)
    card = blank()
    made = work(desk(), card)
    assert made.claim is not None
    assert made.claim.order == good
    check_made(ledger, card, good)
    suspended = rows(ledger, schema.orders, schema.orders.c.state == OrderState.SUSPENDED.value)
    assert ["class or region" in row.note for row in suspended] == [True, False]
    assert work(desk(lot=bad), blank()).outcome is Outcome.IDLE
    assert len(rows(ledger, schema.blanks)) == 1


def end_permit(ledger: Ledger, permit: int) -> None:
    with ledger.transaction(ledger.local) as tx:
        ended = sa.update(schema.permits).where(schema.permits.c.id == permit)
        tx.db.execute(ended.values(state=PermitState.CANCELLED.value, ended_at=tx.now))
        credentials.revoke(tx, permit)


@pytest.mark.parametrize("point", ["after claim", "write 9", "before seal"])
def test_a_permit_that_ends_while_its_card_is_made(desk: Desk, ledger: Ledger, point: str) -> None:
    """The card never counts: it is wiped and set aside, and its order suspended."""
    _, [order] = add_lot(ledger, 1)
    card = blank()
    before = memory(card)
    [planned] = rows(ledger, schema.orders)

    def observe(name: str) -> None:
        if name == point:
            end_permit(ledger, planned.permit_id)
            if point != "before seal":
                raise Killed

    if point == "before seal":
        assert work(desk(observe=observe), card).outcome is Outcome.SPOILED
    else:
        with pytest.raises(Killed):
            work(desk(observe=observe), card)
        assert work(desk(), card).outcome is Outcome.SPOILED
    assert_wiped(card, before)
    [row] = rows(ledger, schema.orders)
    assert (row.id, row.state, row.card_id) == (order, OrderState.SUSPENDED, None)
    live = rows(ledger, schema.credentials, schema.credentials.c.state == CredentialState.LIVE.value)
    assert live == []
    assert work(desk(), blank()).outcome is Outcome.IDLE


def renewed(ledger: Ledger, person: int, before: int, number: int, **changes: object) -> int:
    """A permit in the place of another one of the same person."""
    with ledger.transaction(ledger.local) as tx:
        ended = sa.update(schema.permits).where(schema.permits.c.id == before)
        tx.db.execute(ended.values(state=PermitState.SUPERSEDED.value, ended_at=tx.now))
        [permit] = stored.add_permits(tx, [(person, issuing.permit(number, **changes), before)])
    return permit


@pytest.fixture
def made(desk: Desk, ledger: Ledger) -> tuple[VirtualCard, int]:
    """A card that somebody has, and its order."""
    _, [order] = add_lot(ledger, 1)
    card = blank()
    assert work(desk(), card).outcome is Outcome.SEALED
    return card, order


def test_a_finished_card_is_named_and_left_alone(desk: Desk, ledger: Ledger, made: tuple[VirtualCard, int]) -> None:
    card, _ = made
    before = memory(card)
    again = work(desk(), card)
    assert (again.outcome, again.box) == (Outcome.ALREADY, 1)
    assert again.name == issuing.holder(1).registered_name
    assert again.name not in repr(again)
    assert memory(card) == before


def test_a_renewal_waits_for_the_card_and_is_done_at_any_station(
    desk: Desk, ledger: Ledger, made: tuple[VirtualCard, int]
) -> None:
    card, order = made
    [person], [held] = rows(ledger, schema.persons), rows(ledger, schema.cards)
    old = held.permit_id
    new = renewed(ledger, person.id, old, 77, position="顾问")
    add_order(ledger, OrderKind.UPDATE, held.id, person.id, new)
    points = ["before claim", "after claim", "after sign", "write 3", "after written", "before seal"]
    for point in points:
        with pytest.raises(Killed):
            work(desk(observe=killer(point)), card)
        assert issuing.permit_number_on(card) in (issuing.permit(1).number, issuing.permit(77).number)
    done = work(desk(), card)
    assert done.outcome is Outcome.SEALED
    assert "give the card back" in done.text.en
    assert issuing.permit_number_on(card) == issuing.permit(77).number
    [held] = rows(ledger, schema.cards)
    assert (held.state, held.permit_id) == (CardState.LIVE, new)
    states = {(row.permit_id, row.state) for row in rows(ledger, schema.credentials)}
    assert states == {(old, CredentialState.SUPERSEDED), (new, CredentialState.LIVE)}
    with ledger.reading() as db:
        stored_now = [credentials.get(db, ledger.vault, row.id) for row in rows(ledger, schema.credentials)]
        statuses = statuses_of(db, [one.reference for one in stored_now])
    assert [statuses[one.reference] for one in stored_now if one.permit == old] == [Status.INVALID] * 2
    assert work(desk(), card).outcome is Outcome.ALREADY
    assert rows(ledger, schema.orders, schema.orders.c.id == order)[0].state == OrderState.SEALED


def test_a_permit_is_taken_off_a_card_at_the_next_insertion(
    desk: Desk, ledger: Ledger, made: tuple[VirtualCard, int]
) -> None:
    card, _ = made
    [held] = rows(ledger, schema.cards)
    end_permit(ledger, held.permit_id)
    add_order(ledger, OrderKind.WIPE, held.id, held.person_id, None)
    for point in ("before write", "before written", "after written"):
        with pytest.raises(Killed):
            work(desk(observe=killer(point)), card)
    done = work(desk(), card)
    assert done.outcome is Outcome.SEALED
    assert done.name == issuing.holder(1).registered_name
    assert issuing.permit_number_on(card) is None
    assert issuing.card_number_on(card) == held.number
    [held] = rows(ledger, schema.cards)
    assert (held.state, held.permit_id, held.credential_id) == (CardState.LIVE, None, None)


class Stubborn(Fault):
    """It says that it wrote, and did not."""

    def answer(self, number: int, command: bytes) -> bytes:
        return b"\x90\x00" if command[1] == 0xD6 else super().answer(number, command)


def test_a_card_that_fails_while_it_is_changed_stays_its_persons(
    desk: Desk, ledger: Ledger, made: tuple[VirtualCard, int]
) -> None:
    card, _ = made
    [held] = rows(ledger, schema.cards)
    end_permit(ledger, held.permit_id)
    wipe = add_order(ledger, OrderKind.WIPE, held.id, held.person_id, None)
    before = memory(card)
    for _ in range(2):
        with pytest.raises(CardError, match="still there"):
            work(desk(), Stubborn(card))
    done = work(desk(), Stubborn(card))
    assert done.outcome is Outcome.SPOILED
    assert "give the card back" in done.text.en
    assert memory(card) == before
    [order] = rows(ledger, schema.orders, schema.orders.c.id == wipe)
    assert (order.state, order.card_id) == (OrderState.SUSPENDED, held.id)
    assert rows(ledger, schema.cards)[0].state == CardState.LIVE
    assert work(desk(), card).outcome is Outcome.ALREADY


def test_a_renewal_that_cannot_be_signed_is_suspended(
    desk: Desk, ledger: Ledger, made: tuple[VirtualCard, int]
) -> None:
    card, _ = made
    before = memory(card)
    [held] = rows(ledger, schema.cards)
    new = renewed(ledger, held.person_id, held.permit_id, 77, region="440300")
    update = add_order(ledger, OrderKind.UPDATE, held.id, held.person_id, new)
    assert work(desk(), card).outcome is Outcome.ALREADY
    assert memory(card) == before
    assert rows(ledger, schema.orders, schema.orders.c.id == update)[0].state == OrderState.SUSPENDED


def test_a_new_card_replaces_the_one_that_was_lost(desk: Desk, ledger: Ledger, made: tuple[VirtualCard, int]) -> None:
    lost, _ = made
    [held] = rows(ledger, schema.cards)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.cards).values(state=CardState.LOST.value))
        pending = issuing.add_application(tx, held.person_id, held.permit_id, kind="reissue")
        waiting, _ = orders.plan_orders(
            tx,
            [
                orders.NewOrder(kind=OrderKind.UPDATE, card=held.id, person=held.person_id, permit=held.permit_id,
                                application=pending),
                orders.NewOrder(person=held.person_id, permit=held.permit_id, application=pending,
                                card_number=issuing.number_of(55)),
            ],
        )  # fmt: skip
    found = work(desk(), lost)
    assert found.outcome is Outcome.REFUSED
    assert "reported lost" in found.text.en
    card = blank()
    done = work(desk(), card)
    assert done.outcome is Outcome.SEALED
    assert done.box == 0
    assert issuing.card_number_on(card) == issuing.number_of(55)
    assert [row.state for row in rows(ledger, schema.cards)] == [CardState.REPLACED, CardState.LIVE]
    assert rows(ledger, schema.orders, schema.orders.c.id == waiting)[0].state == OrderState.REPLACED
    assert "replaced" in work(desk(), lost).text.en


def test_credentials_that_were_signed_before_are_kept(desk: Desk, ledger: Ledger) -> None:
    _, [order] = add_lot(ledger, 1)
    card = blank()
    with pytest.raises(Killed):
        work(desk(observe=killer("after sign")), card)
    before = [row.id for row in rows(ledger, schema.credentials)]
    seen: list[str] = []
    assert work(desk(observe=seen.append), card).outcome is Outcome.SEALED
    assert "before sign" not in seen
    assert [row.id for row in rows(ledger, schema.credentials)] == before
    check_made(ledger, card, order)


def test_a_suspended_credential_makes_no_card(desk: Desk, ledger: Ledger) -> None:
    add_lot(ledger, 1)
    card = blank()
    with pytest.raises(Killed):
        work(desk(observe=killer("after sign")), card)
    [order] = rows(ledger, schema.orders)
    with ledger.transaction(ledger.local) as tx:
        credentials.suspend(tx, order.permit_id)
    done = work(desk(), card)
    assert done.outcome is Outcome.SPOILED
    assert "suspended" in done.text.en


def test_the_writes_are_told(desk: Desk, ledger: Ledger) -> None:
    add_lot(ledger, 1, photo=b"\xff\xd8 not really a picture")
    told: list[tuple[int, int]] = []
    work(desk(), blank(), progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, told[0][1] + 1))


def test_a_question_is_asked_again_when_the_ledger_is_back(desk: Desk, ledger: Ledger) -> None:
    add_lot(ledger, 1)
    asked: list[LedgerUnavailable] = []

    class Lost(Deaf):
        def reading(self) -> object:
            if not asked:
                raise LedgerUnavailable("断开", "lost")
            return ledger.reading()

    def patience(error: LedgerUnavailable) -> bool:
        asked.append(error)
        return True

    assert work(desk(ledger=Lost(ledger, ""), patience=patience), blank()).outcome is Outcome.SEALED
    assert len(asked) == 1
    asked.clear()
    with pytest.raises(LedgerUnavailable):
        work(desk(ledger=Lost(ledger, "")), blank())


def test_the_card_of_an_erased_person_has_no_name(desk: Desk, ledger: Ledger, made: tuple[VirtualCard, int]) -> None:
    card, _ = made
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.persons).values(sealed=None, erased_at=tx.now))
    assert work(desk(), card).name == ""


def test_a_permit_that_a_later_program_wrote_is_taken_off_as_well(desk: Desk, ledger: Ledger) -> None:
    card = blank()
    record = b"\xd2" + bytes(40)
    content = bytearray(encode_slot(record, 1))
    content[2] = 9  # a version that nobody knows yet
    content[12:16] = zlib.crc32(record, zlib.crc32(content[:12])).to_bytes(4, "big")
    [(first, _), _] = slot_files(card.profile)
    card.memory.files[first.address][0][: len(content)] = content
    session = SscCard.open(LocalTransport(card))
    assert has_permit(session)
    wipe_permit(session)
    assert not has_permit(session)


def test_the_file_of_a_virtual_card_is_no_reader(desk: Desk, ledger: Ledger) -> None:
    """It may be called after somebody; neither claim nor failure tell it."""
    add_lot(ledger, 1)
    name = "cards/ERIKSSON/card.vcard"
    for fault in (WrongStatus(blank(), 30, 0x6A81), blank()):
        with LocalTransport(fault, name=name) as transport:
            desk().work(transport)
    told = [row.details for row in rows(ledger, schema.events)]
    assert any(row.kind == "card-spoiled" for row in rows(ledger, schema.events))
    assert not any("ERIKSSON" in details for details in told)
    assert not any("ERIKSSON" in str(row) for row in rows(ledger, schema.orders))
