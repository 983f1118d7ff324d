"""The talents' gym card (人才健身卡): a service of one's own beside hospital, bus and library.

It is a package of its own; pyproject.toml names `gym_card` as an entry point of ``juying.services``. After
``pip install examples/gym_card`` and with this in the sites file, ``juying check gym`` asks it::

    [gym]
    categories = ["A", "B"]
    opens = 6
    closes = 22
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from juying.credential.claims import CHINA
from juying.credential.strict_json import members
from juying.errors import InputError
from juying.services.adapter import Blocking
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.verdict import Check, Outcome, Verdict
from juying.text import Text


class GymCard(Blocking):
    """Holders of a permit of certain classes train free during opening hours."""

    name = "gym"
    title = Text("人才健身卡", "talents' gym card")

    def __init__(self, categories: frozenset[str], opens: int, closes: int) -> None:
        """Take the classes, and the hours of the day in China."""
        self.categories, self.opens, self.closes = categories, opens, closes

    def check(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        """Nobody has to be asked, so there is no deadline to keep."""
        claims = presentation.permit.claims if presentation.permit else None
        if claims is None:
            signed = Check("permit", Outcome.UNKNOWN, "unsigned", Text("没有可信的工作许可", "no permit to be trusted"))
            return Verdict.of(self.name, [signed], now=now)
        open_now = self.opens <= now.astimezone(CHINA).hour < self.closes
        checks = [
            _check("class", claims.category in self.categories, Text("限人才类别", "for classes of talents")),
            _check("hours", open_now, Text("限开放时间", "during opening hours")),
        ]
        return Verdict.of(self.name, checks, evidence={"category": str(claims.category)}, now=now)


def _check(name: str, good: bool, rule: Text) -> Check:
    return Check(name, Outcome.PASS if good else Outcome.FAIL, "ok" if good else f"wrong_{name}", rule)


def gym_card(table: Mapping[str, Any]) -> GymCard:
    """What the entry point leads to: the adapter for the table [gym]."""
    given = members(dict(table), ("categories", "opens", "closes"), "gym")
    if not 0 <= given["opens"] < given["closes"] <= 24:
        raise InputError("开放时间无效", "these are no opening hours", where="gym.opens")
    return GymCard(frozenset(given["categories"]), given["opens"], given["closes"])
