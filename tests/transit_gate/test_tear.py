"""A card torn anywhere in a tap: shown again, the fare is paid exactly once and the records are as they should be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Garbage, Mute, TearAfterByte, TearAfterCommand
from juying.errors import CardError
from juying.services.transit.journal import State
from juying.services.transit.ride_checks import Action
from juying.services.transit.site import Site
from juying.services.transit.tap import Passage
from tests.transit.cards import blank
from tests.transit_gate.gates import gate
from tests.transit_gate.line import Fault, Line, logs, money, plain

PURSE, LOG, TRIP, RIDE, VALID = 41, 23, 48, 128, 1
"""Bytes that a purchase writes."""


@dataclass(frozen=True)
class Story:
    """A tap, with the taps before it."""

    before: tuple[tuple[Site, int], ...]
    """Gates, and how many minutes after each."""
    site: Site
    action: Action
    fare: int
    written: int

    def begin(self) -> tuple[Line, VirtualCard]:
        """The line and the card just before the tap."""
        line, card = Line(), blank(balance_fen=2000)
        for site, minutes in self.before:
            assert line.tap(card, site).opens
            line.later(minutes)
        return line, card


STORIES = {
    "flat": Story((), gate(), Action.FLAT, 200, PURSE + LOG + TRIP + VALID),
    "entry": Story((), gate("rail-entry"), Action.ENTRY, 0, PURSE + LOG + RIDE + TRIP + VALID),
    "exit": Story(((gate("rail-entry"), 30),), gate("rail-exit"), Action.EXIT, 300, PURSE + LOG + RIDE + TRIP + VALID),
    "penalty": Story(
        ((gate("rail-entry"), 300),), gate("rail-exit"), Action.PENALTY, 600, PURSE + LOG + RIDE + TRIP + VALID
    ),
    "bus": Story(
        ((gate("bus-distance", stop="01"), 30),),
        gate("bus-distance"),
        Action.EXIT,
        100,
        PURSE + LOG + RIDE + TRIP + VALID,
    ),
}

stories = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)


def whole(story: Story) -> tuple[VirtualCard, int]:
    """The card after a tap without any fault, and how many commands that took."""
    line, card = story.begin()
    passage = line.tap(card, story.site)
    assert (passage.action, passage.opens, money(card)) == (story.action, True, 2000 - story.fare)
    return card, line.commands


def until_open(line: Line, card: VirtualCard, story: Story, fault: Fault, sam: Fault = plain) -> tuple[Passage, bool]:
    """Tap with a fault, and if the gate stays shut once more; whether a second time was needed."""
    try:
        passage = line.tap(card, story.site, fault=fault, sam=sam)
        if passage.opens:
            return passage, False
    except CardError:
        card.memory.budget = None
    return line.tap(card, story.site), True


def check(line: Line, card: VirtualCard, story: Story, passage: Passage, expected: VirtualCard) -> None:
    """The gate is open, the card is as if nothing had happened, and the journal has one purchase for the tap."""
    assert (passage.action, passage.opens) == (story.action, True)
    assert (money(card), logs(card)) == (money(expected), logs(expected))
    entries = line.journal.entries()
    assert [entry.state for entry in entries] == [State.PAID] * (len(story.before) + 1)
    assert sum(entry.debit.amount_fen for entry in entries) == 2000 - money(card)
    assert all(entry.tac for entry in entries)


@stories
@pytest.mark.parametrize("fault", [TearAfterCommand, Mute, Garbage])
def test_a_fault_at_every_command(story: Story, fault: Callable[[Any, int], Any]) -> None:
    expected, commands = whole(story)
    again = []
    for number in range(fault is not TearAfterCommand, commands + 1):
        line, card = story.begin()
        passage, repeated = until_open(line, card, story, lambda card, number=number: fault(card, number))
        check(line, card, story, passage, expected)
        again.append(repeated)
    assert any(again)
    assert again[-1], "the answer to the last command counts"


@stories
def test_torn_at_every_byte_that_is_written(story: Story) -> None:
    expected, _ = whole(story)
    for count in range(story.written + 1):
        line, card = story.begin()
        passage, repeated = until_open(line, card, story, lambda card, count=count: TearAfterByte(card, count))
        card.memory.budget = None
        check(line, card, story, passage, expected)
        assert repeated == (count < story.written)
        assert not passage.resumed, "a card that was torn while it wrote was not debited"


@stories
def test_a_psam_pulled_at_every_command(story: Story) -> None:
    expected, _ = whole(story)
    for number in range(4, 7):  # the first three commands open it
        line, card = story.begin()
        passage, repeated = until_open(
            line, card, story, plain, lambda sam, number=number: TearAfterCommand(sam, number)
        )
        check(line, card, story, passage, expected)
        assert repeated


def test_torn_again_and_again() -> None:
    story = STORIES["exit"]
    expected, _ = whole(story)
    line, card = story.begin()
    for number in (11, 13, 12, 10, 14, 11, 12, 5, 12):  # the fifth debits the card
        with pytest.raises(CardError):
            line.tap(card, story.site, fault=lambda card, number=number: TearAfterCommand(card, number))
    check(line, card, story, line.tap(card, story.site), expected)
