"""The answer of a service: eligible, not eligible, or it cannot be said, with every check that led there.

A verdict speaks of the service only: insured, in credit, a reader of the library. Whether the work permit is genuine
and in force is another question with another answer (`juying.credential.verdict`); both are shown side by side and
neither changes the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self

from juying.credential.verdict import Outcome
from juying.text import Text

__all__ = ["Check", "Decision", "Outcome", "Verdict"]


class Decision(StrEnum):
    """What a service says of a card or a code. A time-out is UNDETERMINED and never INELIGIBLE."""

    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    UNDETERMINED = "undetermined"

    @property
    def text(self) -> Text:
        """The answer for people."""
        return _DECISION_TEXT[self]


_DECISION_TEXT = {
    Decision.ELIGIBLE: Text("可以使用", "eligible"),
    Decision.INELIGIBLE: Text("不可使用", "not eligible"),
    Decision.UNDETERMINED: Text("无法判定", "undetermined"),
}


class Check(NamedTuple):
    """One step on the way to a verdict.

    ``name`` is the step (``insured``), ``code`` the reason for machines (``paused``, an error code of the service),
    ``reason`` the same for people, without personal data.
    """

    name: str
    outcome: Outcome
    code: str
    reason: Text


@dataclass(frozen=True, slots=True)
class Verdict:
    """What ``service`` said, and why.

    ``checks`` stand in the order in which they were made. ``evidence`` is what the decision rests on, as plain JSON
    values, with no more personal data than needed. ``as_of`` (with a time zone) is when the service said it and
    ``age`` how long ago that was: zero when it was asked just now, more when the answer was kept from before.
    """

    service: str
    decision: Decision
    checks: tuple[Check, ...]
    evidence: Mapping[str, object] = field(repr=False)
    as_of: datetime
    age: timedelta = timedelta()

    @classmethod
    def of(
        cls, service: str, checks: Sequence[Check], *, evidence: Mapping[str, object] | None = None, now: datetime
    ) -> Self:
        """The verdict that follows from the checks: one that failed makes it INELIGIBLE, one that could not be made
        UNDETERMINED, else it is ELIGIBLE. Without any check nothing is known, so UNDETERMINED.
        """
        outcomes = {check.outcome for check in checks}
        if Outcome.FAIL in outcomes:
            decision = Decision.INELIGIBLE
        elif Outcome.UNKNOWN in outcomes or not outcomes - {Outcome.SKIPPED}:
            decision = Decision.UNDETERMINED
        else:
            decision = Decision.ELIGIBLE
        return cls(service, decision, tuple(checks), dict(evidence or {}), now)

    @classmethod
    def unknown(cls, service: str, code: str, reason: Text, *, now: datetime, name: str = "service") -> Self:
        """UNDETERMINED by one check called ``name``: the service could not be asked, or what it said makes no sense."""
        return cls.of(service, [Check(name, Outcome.UNKNOWN, code, reason)], now=now)

    @property
    def eligible(self) -> bool:
        """True for ELIGIBLE and for no other."""
        return self.decision is Decision.ELIGIBLE

    @property
    def deciding(self) -> Check | None:
        """The check that decided: the first that failed, else the first that is unknown, else the last that passed."""
        for outcome in (Outcome.FAIL, Outcome.UNKNOWN):
            for check in self.checks:
                if check.outcome is outcome:
                    return check
        return next((check for check in reversed(self.checks) if check.outcome is Outcome.PASS), None)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain JSON values; times in UTC, the age in whole seconds."""
        return {
            "service": self.service,
            "verdict": str(self.decision),
            "checks": [
                {
                    "name": check.name,
                    "outcome": str(check.outcome),
                    "code": check.code,
                    "reason": check.reason._asdict(),
                }
                for check in self.checks
            ],
            "evidence": dict(self.evidence),
            "as_of": self.as_of.astimezone(UTC).isoformat(timespec="seconds"),
            "age_seconds": int(self.age.total_seconds()),
        }
