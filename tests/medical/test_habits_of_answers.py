"""Every bad habit of a gateway, when it is asked about a person: what can be understood is, the rest is no no."""

import asyncio

import pytest

from juying.services.medical.adapter import MedicalAdapter
from juying.services.verdict import Decision
from tests.medical.gateway import NOW, Gateway, card
from tests.peers.nhsa import HABITS, HANGING

ELIGIBLE = (
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
    "short-certificate-type",
    "unknown-members",
    "output-as-text",
    "output-in-a-list",
    "byte-order-mark",
    "slow",
    # these speak of settlements only
    "pdn-cash-pay",
    "answer-of-another",
    "answer-of-another-message",
)
INELIGIBLE = ("not-insured-text", "error-text-in-gbk")
REFUSED = ("refuses", "strange-insurance-state")
EXPECTED = {
    habit: Decision.ELIGIBLE
    if habit in ELIGIBLE
    else Decision.INELIGIBLE
    if habit in INELIGIBLE
    else Decision.UNDETERMINED
    for habit in HABITS
}


@pytest.mark.parametrize("habit", HABITS)
def test_habit_in_the_answer_about_a_person(gateway: Gateway, habit: str) -> None:
    gateway.plays(habit)
    adapter = MedicalAdapter(gateway.site(resilience=_policy(habit)))
    verdict = adapter.check(card(), now=NOW)
    assert verdict.decision is EXPECTED[habit]
    if habit not in (*ELIGIBLE, *INELIGIBLE, *REFUSED):
        assert verdict.deciding is not None
        assert verdict.deciding.name == "service"  # it is the service that failed, not the person


@pytest.mark.parametrize("habit", HABITS)
def test_habit_is_the_same_to_the_asynchronous_client(gateway: Gateway, habit: str) -> None:
    gateway.plays(habit)
    adapter = MedicalAdapter(gateway.site(resilience=_policy(habit)))
    assert asyncio.run(adapter.acheck(card(), now=NOW)).decision is EXPECTED[habit]


@pytest.mark.parametrize("habit", HABITS)
def test_habit_in_the_answer_about_benefits_alone(gateway: Gateway, habit: str) -> None:
    """An empty output is a valid answer here, which says nothing of benefits."""
    gateway.plays(habit, "2001")
    adapter = MedicalAdapter(gateway.site(resilience=_policy(habit)))
    verdict = adapter.check(card(), now=NOW)
    harmless = {"strange-insurance-state", "not-a-number", "absurd-exponent"}  # these speak of persons only
    assert verdict.decision is (Decision.ELIGIBLE if habit in harmless else EXPECTED[habit])


def _policy(habit: str) -> dict[str, float]:
    """Little patience where it is in vain, and more than enough where it is not."""
    return {"attempts": 1, "timeout": 0.3 if habit in HANGING else 30, "total": 60}
