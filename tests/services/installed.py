"""Services for the tests, as if packages had brought them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from juying.card.tunion import TransitCard
from juying.errors import InputError
from juying.services import sites
from juying.services.adapter import GROUP, Adapter, Blocking
from juying.services.guard import Guard
from juying.services.presentation import NUMBERS, Presentation
from juying.services.resilience import Deadline, Resilience
from juying.services.verdict import Check, Outcome, Verdict
from juying.text import Text

STOPPED = threading.Event()
"""Set by nobody: what waits for it hangs."""
CLOSED: list[str] = []
"""The names of adapters that were closed."""


@dataclass
class Pool(Blocking):
    """A swimming pool that does as its table says."""

    does: str
    name: str
    title: Text = Text("游泳馆", "swimming pool")  # noqa: RUF009 - a tuple

    def check(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        if self.does == "hang":
            STOPPED.wait()
        if self.does == "break":
            raise KeyError(presentation.card_number)
        if self.does == "misuse":
            raise InputError("没有卡号", "there is no card number")
        checks = [
            Check("member", Outcome.PASS, "ok", Text("会员", "a member")),
            Check("swims", Outcome(self.does), self.does, Text("会游泳", "can swim")),
        ]
        holds = [field for field in (*NUMBERS, "transit") if getattr(presentation, field)]
        return Verdict.of(self.name, checks, evidence={"lane": 3, "holds": holds}, now=now)

    def close(self) -> None:
        CLOSED.append(self.name)


def pools(table: Mapping[str, Any]) -> list[Adapter]:
    """An adapter for each pool: ``[pool.north] does = "pass"``."""
    return [Pool(site["does"], f"pool.{name}") for name, site in table.items()]


def bath(table: Mapping[str, Any]) -> Adapter:
    """A service with a flat table; one that needs none unless it says ``strict``."""
    if table.get("does") == "secret":
        raise RuntimeError("a secret of the table")
    return Pool(table.get("does", "pass"), "bath")


def hall(table: Mapping[str, Any]) -> Adapter:
    """A service that needs a table."""
    if "does" not in table:
        raise InputError("缺少 does", "does is missing", where="hall")
    return Pool(table["does"], "hall")


class Bus(Blocking):
    """Takes those who have money on their card."""

    name, title = "transit", Text("公交", "bus")

    def check(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        card = presentation.transit
        if not isinstance(card, TransitCard):
            return Verdict.unknown("transit", "no_card", Text("没有交通卡", "no transit card"), now=now)
        good = card.balance_fen is not None and card.balance_fen > 0
        money = Check("balance", Outcome.PASS if good else Outcome.FAIL, "ok", Text("余额", "balance"))
        return Verdict.of("transit", [money], evidence={"balance_fen": card.balance_fen}, now=now)


def bus(table: Mapping[str, Any]) -> Adapter:
    return Bus()


class Lake(Pool):
    """Cannot be reached, and said yes two hours ago."""

    def check(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        guard = Guard(self.name, Resilience(cache_for=86400, attempts=1))
        guard.cache.put(self.name, "7", super().check(presentation, now=now - timedelta(hours=2)))

        def away(deadline: Deadline) -> Verdict:
            raise ConnectionRefusedError

        return guard.ask("7", away, now=now, deadline=deadline)


def lake(table: Mapping[str, Any]) -> Adapter:
    return Lake("pass", "lake")


def install(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Let these services be installed, and no others: a function of this module, or a whole reference."""
    found = [
        EntryPoint(name, value if ":" in value else f"{__name__}:{value}", GROUP) for name, value in values.items()
    ]
    monkeypatch.setattr(sites, "entry_points", lambda group: found if group == GROUP else [])
