"""The till beside other tills, late answers, gateways that are away, and what `finish` leaves for later."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from juying.errors import InputError, PlatformUnavailable
from juying.services.medical.channel import Message
from juying.services.medical.client import NhsaClient
from juying.services.medical.journal import Journal, State
from juying.services.medical.outcome import Result
from juying.services.medical.till import MARGIN, Till
from tests.medical.gateway import Gateway, order
from tests.medical.test_client import nobody_listens
from tests.medical.test_habits_and_money import Clock
from tests.peers.nhsa import AREA

LATER = 1000.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db", clock=lambda: datetime.fromtimestamp(clock(), UTC)) as journal:
        yield journal


def till(gateway: Gateway, journal: Journal, clock: Clock, **changes: Any) -> Till:
    return Till(NhsaClient(gateway.site(**changes)), journal, clock=clock)


class Interrupted(NhsaClient):
    """Lets something happen just before, or just after, a message goes out."""

    def __init__(self, gateway: Gateway, number: str, *, before: Callable[[], object] = lambda: None) -> None:
        super().__init__(gateway.site())
        self._number, self._before, self.after = number, before, lambda: None

    def send(self, message: Message[Any, Any], *arguments: Any, **more: Any) -> Result[Any]:
        if message.transaction.number != self._number:
            return super().send(message, *arguments, **more)
        self._before()
        result = super().send(message, *arguments, **more)
        self.after()
        return result


def test_a_bill_that_is_paid_is_not_paid_again(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    first = till(gateway, journal, clock).pay(order(), insured_in=AREA)
    assert first.paid
    assert first.settled is not None
    assert list(first.settled.setlinfo.contradictions()) == []
    again = till(gateway, journal, clock).pay(order(), insured_in=AREA)
    assert again.paid
    assert again.settled is None
    assert again.entry == first.entry
    assert gateway.messages == ["2207"]


def test_a_bill_that_was_refused_undone_or_reversed_may_be_paid_anew(
    gateway: Gateway, journal: Journal, clock: Clock
) -> None:
    cashier = till(gateway, journal, clock)
    gateway.plays("refuses", "2207", 1)
    assert cashier.pay(order(), insured_in=AREA).entry.state is State.REFUSED
    gateway.plays("books-and-hangs-up", "2207", 1)
    assert cashier.pay(order(), insured_in=AREA).entry.state is State.REVERSED
    paid = cashier.pay(order(), insured_in=AREA)
    assert cashier.undo(paid.entry.number).entry.state is State.UNDONE
    assert cashier.pay(order(), insured_in=AREA).paid
    assert len(gateway.stands) == 1


def test_tills_that_are_given_the_same_bill_at_once_pay_it_once(gateway: Gateway, tmp_path: Path) -> None:
    payments = []

    def work() -> None:
        with Journal(tmp_path / "shared.db") as journal:
            payments.append(Till(NhsaClient(gateway.site()), journal).pay(order(), insured_in=AREA))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(gateway.stands) == 1
    assert gateway.messages == ["2207"]
    assert {payment.entry.number for payment in payments} == {1}
    assert {payment.entry.state for payment in payments} <= {State.PAID, State.PENDING}


def test_what_another_till_has_on_its_way_is_left_alone(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    other = till(gateway, journal, clock)
    seen = []

    def look() -> None:
        seen.append(other.pay(order(), insured_in=AREA).entry.state)
        seen.extend(entry.state for entry in other.finish())

    client = Interrupted(gateway, "2207", before=look)
    assert Till(client, journal, clock=clock).pay(order(), insured_in=AREA).paid
    assert seen == [State.PENDING, State.PENDING]
    assert gateway.messages == ["2207"]


def test_a_message_whose_time_is_over_does_not_leave(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    """The machine slept between journal and network: meanwhile another till may have taken over."""

    def sleep() -> None:
        clock.now += LATER

    client = Interrupted(gateway, "2207", before=sleep)
    payment = Till(client, journal, clock=clock).pay(order(), insured_in=AREA)
    assert (payment.entry.state, payment.entry.code) == (State.REFUSED, "unreachable")
    assert gateway.messages == []


def test_an_answer_that_comes_after_another_till_took_over_is_reversed(
    gateway: Gateway, journal: Journal, clock: Clock
) -> None:
    """The other till found nothing to reverse yet; then the settlement was booked after all."""
    other = till(gateway, journal, clock)

    def take_over() -> None:
        clock.now += LATER
        other.finish()
        assert journal.entry(1).state is State.REVERSED
        clock.now -= LATER

    client = Interrupted(gateway, "2207", before=take_over)
    payment = Till(client, journal, clock=clock).pay(order(), insured_in=AREA)
    assert payment.entry.state is State.REVERSED
    assert payment.settled is None
    assert gateway.messages == ["2601", "2207", "2601"]
    assert gateway.stands == []


def test_a_refusal_that_comes_after_another_till_took_over_changes_nothing(
    gateway: Gateway, journal: Journal, clock: Clock
) -> None:
    other = till(gateway, journal, clock)

    def take_over() -> None:
        clock.now += LATER
        other.finish()
        clock.now -= LATER

    gateway.plays("refuses", "2207")
    client = Interrupted(gateway, "2207", before=take_over)
    payment = Till(client, journal, clock=clock).pay(order(), insured_in=AREA)
    assert payment.entry.state is State.REVERSED
    assert gateway.messages == ["2601", "2207"]


def test_an_undoing_that_another_till_took_back_and_that_was_booked_after_all(
    gateway: Gateway, journal: Journal, clock: Clock
) -> None:
    """The journal says PAID again, so the late undoing is reversed, and then done properly."""
    paid = till(gateway, journal, clock).pay(order(), insured_in=AREA).entry

    def take_over() -> None:
        undoing = journal.entry(paid.number)
        doubtful = journal.move(undoing, State.UNDO_UNKNOWN)
        assert doubtful is not None
        assert journal.move(doubtful, State.PAID) is not None

    client = Interrupted(gateway, "2208", before=take_over)
    undone = Till(client, journal, clock=clock).undo(paid.number).entry
    assert undone.state is State.PAID
    assert undone.undo_wanted
    assert gateway.stands == [paid.setl_id]
    assert till(gateway, journal, clock).finish() == []
    assert journal.entry(paid.number).state is State.UNDONE
    assert gateway.stands == []


def test_an_undoing_that_another_till_has_finished(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    paid = till(gateway, journal, clock).pay(order(), insured_in=AREA).entry
    client = Interrupted(gateway, "2208")
    client.after = lambda: journal.move(journal.entry(paid.number), State.UNDONE)
    assert Till(client, journal, clock=clock).undo(paid.number).entry.state is State.UNDONE
    assert gateway.messages == ["2207", "2208"]


class Overtaken(Journal):
    """Another till is always a step ahead with one kind of move."""

    ahead: State | None = None

    def move(self, entry: Any, state: State, code: str = "", **facts: object) -> Any:
        if state is self.ahead:
            self.ahead = None
            super().move(entry, state, "by the other one", busy_until=1e12)
        return super().move(entry, state, code, **facts)


@pytest.mark.parametrize("ahead", [State.UNKNOWN, State.UNDOING])
def test_two_tills_that_finish_the_same_entry(gateway: Gateway, tmp_path: Path, clock: Clock, ahead: State) -> None:
    with Overtaken(tmp_path / "journal.db") as journal:
        cashier = till(gateway, journal, clock)
        if ahead is State.UNKNOWN:
            gateway.plays("silent", "2207", 1)
            gateway.plays("hangs-up", "2601", 1)
            impatient = till(gateway, journal, clock, settle_timeout=0.1)
            number = impatient.pay(order(), insured_in=AREA).entry.number
        else:
            number = cashier.pay(order(), insured_in=AREA).entry.number
        before = len(gateway.messages)
        journal.ahead = ahead
        left = cashier.undo(number).entry
        assert left.state is ahead
        assert left.code == "by the other one"
        assert len(gateway.messages) == before  # the other one does it


def test_what_was_interrupted_is_taken_back_and_done_again(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    """As after a crash: a settlement and an undoing that nobody knows the end of."""
    cashier = till(gateway, journal, clock)
    paid = cashier.pay(order(chrg_bchno="B1"), insured_in=AREA).entry
    journal.move(paid, State.UNDOING, undo_message_id="U" * 30, undo_wanted=1, busy_until=clock() + 60)
    site = gateway.site()
    journal.begin(site.name, order(), insured_in=AREA, message_id="M" * 30, sent_at=clock(), busy_until=clock() + 60)
    assert [entry.state for entry in cashier.finish()] == [State.UNDOING, State.PENDING]
    clock.now += LATER
    assert cashier.finish() == []
    assert [entry.state for entry in journal.entries()] == [State.UNDONE, State.REVERSED]
    assert gateway.messages == ["2207", "2601", "2208", "2601"]


def test_nothing_is_booked_when_the_gateway_cannot_be_reached(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    away = till(gateway, journal, clock, url=f"http://127.0.0.1:{nobody_listens()}")
    payment = away.pay(order(), insured_in=AREA)
    assert (payment.entry.state, payment.entry.code) == (State.REFUSED, "unreachable")
    paid = till(gateway, journal, clock).pay(order(), insured_in=AREA).entry
    wanted = away.undo(paid.number).entry
    assert wanted.state is State.PAID
    assert wanted.undo_wanted
    assert [entry.number for entry in away.finish()] == [paid.number]
    assert till(gateway, journal, clock).finish() == []
    assert journal.entry(paid.number).state is State.UNDONE


def test_finishing_stops_at_a_gateway_that_is_away(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    cashier = till(gateway, journal, clock)
    gateway.plays("hangs-up", "2207")
    gateway.plays("hangs-up", "2601")
    for batch in ("B1", "B2"):
        assert cashier.pay(order(chrg_bchno=batch), insured_in=AREA).entry.state is State.UNKNOWN
    events = [len(journal.history(number)) for number in (1, 2)]
    away = till(gateway, journal, clock, url=f"http://127.0.0.1:{nobody_listens()}")
    assert len(away.finish()) == 2
    assert len(journal.history(1)) == events[0] + 2
    assert len(journal.history(2)) == events[1]  # not even tried


def test_a_bill_in_doubt_is_resolved_before_it_is_sent_again(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    gateway.plays("books-and-hangs-up", "2207", 1)
    gateway.plays("refuses", "2601", 2)
    cashier = till(gateway, journal, clock)
    assert cashier.pay(order(), insured_in=AREA).entry.state is State.UNKNOWN
    assert cashier.pay(order(), insured_in=AREA).entry.state is State.UNKNOWN
    assert gateway.messages == ["2207", "2601", "2601"]  # not sent again
    assert cashier.pay(order(), insured_in=AREA).paid
    assert gateway.messages == ["2207", "2601", "2601", "2601", "2207"]
    assert len(gateway.stands) == 1


def test_without_signing_in_nothing_is_done(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    gateway.plays("refuses", "9001")
    signing = {"sign_in": True, "mac": "00-00-5E-00-53-01", "ip": "192.0.2.1"}
    with pytest.raises(PlatformUnavailable):
        till(gateway, journal, clock, **signing).pay(order(), insured_in=AREA)
    assert journal.entries() == []
    assert till(gateway, journal, clock, **signing).finish() == []


def test_what_cannot_be_sent_is_not_in_the_journal(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    with pytest.raises(InputError, match="invono"):
        till(gateway, journal, clock).pay(order(invono="9" * 21), insured_in=AREA)
    assert journal.entries() == []


def test_undoing_what_is_not_paid_changes_nothing(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    gateway.plays("refuses", "2207")
    cashier = till(gateway, journal, clock)
    refused = cashier.pay(order(), insured_in=AREA).entry
    assert cashier.undo(refused.number).entry == refused


def test_the_margin_gives_time_to_put_down_what_came(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    busy = []
    client = Interrupted(gateway, "2207", before=lambda: busy.append(journal.entry(1).busy_until))
    Till(client, journal, clock=clock).pay(order(), insured_in=AREA)
    assert busy == [clock() + gateway.site().settle_timeout + MARGIN]
