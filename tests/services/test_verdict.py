"""The answer of a service: what follows from which checks, and what it looks like as JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from juying.services.verdict import Check, Decision, Outcome, Verdict
from juying.text import Text

NOW = datetime(2026, 12, 1, 12, tzinfo=timezone(timedelta(hours=8)))


def made(*outcomes: Outcome) -> Verdict:
    checks = [Check(f"step {n}", outcome, "code", Text("理由", "reason")) for n, outcome in enumerate(outcomes)]
    return Verdict.of("library.taizhou", checks, evidence={"loans": 2}, now=NOW)


@pytest.mark.parametrize(
    ("outcomes", "decision"),
    [
        ("pass pass", Decision.ELIGIBLE),
        ("pass skipped", Decision.ELIGIBLE),
        ("pass fail", Decision.INELIGIBLE),
        ("unknown fail", Decision.INELIGIBLE),
        ("pass unknown", Decision.UNDETERMINED),
        ("skipped", Decision.UNDETERMINED),
        ("", Decision.UNDETERMINED),
    ],
)
def test_the_decision_follows_from_the_checks(outcomes: str, decision: Decision) -> None:
    verdict = made(*map(Outcome, outcomes.split()))
    assert verdict.decision is decision
    assert verdict.eligible is (decision is Decision.ELIGIBLE)


@pytest.mark.parametrize(
    ("outcomes", "number"), [("pass unknown fail", 2), ("pass unknown pass", 1), ("pass pass skipped", 1), ("fail", 0)]
)
def test_the_check_that_decides(outcomes: str, number: int) -> None:
    verdict = made(*map(Outcome, outcomes.split()))
    assert verdict.deciding is verdict.checks[number]


def test_without_a_check_that_was_made_none_decides() -> None:
    assert made(Outcome.SKIPPED).deciding is None


def test_what_cannot_be_asked_is_undetermined() -> None:
    verdict = Verdict.unknown("medical", "deadline", Text("太慢", "too slow"), now=NOW)
    assert verdict.decision is Decision.UNDETERMINED
    assert verdict.checks == (Check("service", Outcome.UNKNOWN, "deadline", Text("太慢", "too slow")),)


def test_as_json() -> None:
    verdict = replace(made(Outcome.PASS), age=timedelta(minutes=5, milliseconds=900))
    assert json.loads(json.dumps(verdict.to_dict())) == {
        "service": "library.taizhou",
        "verdict": "eligible",
        "checks": [
            {"name": "step 0", "outcome": "pass", "code": "code", "reason": {"zh": "理由", "en": "reason"}},
        ],
        "evidence": {"loans": 2},
        "as_of": "2026-12-01T04:00:00+00:00",
        "age_seconds": 300,
    }
    assert datetime.fromisoformat(str(verdict.to_dict()["as_of"])).tzinfo == UTC


def test_evidence_does_not_show_in_logs() -> None:
    assert "loans" not in repr(made(Outcome.PASS))


def test_every_decision_has_words_for_people() -> None:
    assert all(decision.text.zh and decision.text.en for decision in Decision)
