"""The short form of `make fuzz` against the virtual card."""

import random

import pytest

from juying.codec.profile import load_profile
from tests.fuzz.commands import PROFILES, Round, fuzz


def test_60_000_mutated_commands_are_answered_and_open_nothing() -> None:
    tally = fuzz(60_000, seed=20261201)
    assert tally.total() == 60_000
    assert min(tally["9000"], tally["61xx"]) > 500, "the mutations no longer get past the first checks"


@pytest.mark.parametrize("name", PROFILES)
def test_a_rule_that_does_not_hold_would_be_noticed(name: str) -> None:
    attack = Round(load_profile(name), random.Random(1))
    guarded = next(iter(attack.marks))
    attack.card.transmit = lambda command: b"..." + guarded + b"\x90\x00"
    with pytest.raises(AssertionError, match="guarded record"):
        attack.send(b"")
    attack.card.memory.pin.value[0] ^= 0xFF
    with pytest.raises(AssertionError):
        attack.end()
