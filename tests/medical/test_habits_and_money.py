"""Every bad habit of a gateway, when money moves: its ledger and our journal agree in the end, and nothing is twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from juying.services.medical.client import NhsaClient
from juying.services.medical.journal import Entry, Journal, State
from juying.services.medical.till import Till
from tests.medical.gateway import Gateway, order
from tests.peers.nhsa import AREA, HABITS, HANGING, NOT_DONE, UNDONE_AND_UNSAID

CLEAR = (
    "status-as-text",
    "status-as-number",
    "warning",
    "numbers-as-text",
    "codes-as-numbers",
    "empty-for-nothing",
    "single-object",
    "birthday-with-time",
    "compact-dates",
    "dates-in-milliseconds",
    "no-insurance-state",
    "strange-insurance-state",
    "short-certificate-type",
    "unknown-members",
    "output-as-text",
    "output-in-a-list",
    "pdn-cash-pay",
    "byte-order-mark",
    "slow",
)
SAYS_NO = ("refuses", "not-insured-text", "error-text-in-gbk")
LATER = 1000.0
"""Seconds after which a gateway is believed that has nothing to reverse."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as journal:
        yield journal


def till(gateway: Gateway, journal: Journal, clock: Clock, habit: str) -> Till:
    seconds = 0.3 if habit in HANGING else 30
    site = gateway.site(settle_timeout=seconds, resilience={"timeout": seconds})
    return Till(NhsaClient(site), journal, clock=clock)


def agree(gateway: Gateway, journal: Journal) -> None:
    """What stands in the platform's ledger is what is PAID in ours."""
    assert gateway.stands == [entry.setl_id for entry in journal.entries() if entry.state is State.PAID]


def finished(till: Till, journal: Journal, clock: Clock) -> Entry:
    clock.now += LATER
    assert till.finish() == []
    return journal.entry(1)


@pytest.mark.parametrize("habit", HABITS)
def test_habit_in_the_answer_to_a_settlement(gateway: Gateway, journal: Journal, clock: Clock, habit: str) -> None:
    gateway.plays(habit, "2207", 1)
    cashier = till(gateway, journal, clock, habit)
    payment = cashier.pay(order(), insured_in=AREA)
    assert gateway.messages.count("2207") == 1
    if habit in CLEAR or (habit == "answer-of-another-message" and payment.paid):
        assert payment.entry.state is State.PAID
        assert payment.settled is not None
        assert payment.entry.cash is not None
    elif habit in SAYS_NO:
        assert payment.entry.state is State.REFUSED
    elif habit in (*NOT_DONE, *UNDONE_AND_UNSAID):
        assert payment.entry.state is State.UNKNOWN  # the gateway knows nothing of it, but it may still be on its way
        gateway.books_what_it_put_aside()
        assert finished(cashier, journal, clock).state is State.REVERSED
    else:
        assert payment.entry.state is State.REVERSED
    agree(gateway, journal)


@pytest.mark.parametrize("habit", HABITS)
def test_habit_in_the_answer_to_a_reversal(gateway: Gateway, journal: Journal, clock: Clock, habit: str) -> None:
    gateway.plays("books-and-hangs-up", "2207", 1)
    gateway.plays(habit, "2601", 1)
    cashier = till(gateway, journal, clock, habit)
    payment = cashier.pay(order(), insured_in=AREA)
    assert payment.entry.state in (State.REVERSED, State.UNKNOWN)
    gateway.books_what_it_put_aside()
    assert finished(cashier, journal, clock).state is State.REVERSED
    assert gateway.messages.count("2207") == 1
    assert gateway.stands == []


@pytest.mark.parametrize("habit", HABITS)
def test_habit_in_the_answer_to_an_undoing(gateway: Gateway, journal: Journal, clock: Clock, habit: str) -> None:
    cashier = till(gateway, journal, clock, habit)
    number = cashier.pay(order(), insured_in=AREA).entry.number
    gateway.plays(habit, "2208", 1)
    undone = cashier.undo(number).entry
    if habit in SAYS_NO:
        assert undone.state is State.PAID
        assert not undone.undo_wanted
    else:
        gateway.books_what_it_put_aside()
        assert finished(cashier, journal, clock).state is State.UNDONE
        assert gateway.stands == []
    agree(gateway, journal)


def test_a_gateway_that_forgets_what_it_reversed(gateway: Gateway, journal: Journal, clock: Clock) -> None:
    gateway.plays("books-and-hangs-up", "2207", 1)
    gateway.plays("half-answer", "2601", 1)
    gateway.peer.ask({"reversed_is_gone": True})
    cashier = till(gateway, journal, clock, "")
    assert cashier.pay(order(), insured_in=AREA).entry.state is State.UNKNOWN
    assert len(cashier.finish()) == 1  # "there is no such transaction": it may not have arrived yet
    assert finished(cashier, journal, clock).state is State.REVERSED
    assert gateway.stands == []
