"""Libraries as services: from what is shown to a verdict, whatever the system does."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from juying.errors import PlatformUnavailable
from juying.services import asking
from juying.services.library.adapter import LibraryAdapter, library_adapter
from juying.services.library.messages import SystemStatus, TerminalStatus
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.verdict import Decision, Verdict
from tests.library.conftest import IMPATIENT, QUICK, LibrarySystem
from tests.peers.sip2 import PIN

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
Make = Callable[..., LibraryAdapter]


def shown(number: str = "R0001", **fields: Any) -> Presentation:
    return Presentation(carrier="chip", card_number=number, **fields)


@pytest.fixture
def adapter(table: dict[str, Any]) -> Iterator[Make]:
    made: list[LibraryAdapter] = []

    def make(*, ask_pin: Callable[[Presentation], str | None] | None = None, **changes: Any) -> LibraryAdapter:
        (one,) = library_adapter({"sample": {**table, **changes}})
        if ask_pin is not None:
            one = LibraryAdapter(one.site, ask_pin=ask_pin)
        made.append(one)
        return one

    yield make
    for each in made:
        each.close()


def code(verdict: Verdict) -> str:
    assert verdict.service == "library.sample"
    assert verdict.deciding is not None
    return verdict.deciding.code


@pytest.mark.parametrize(
    ("number", "decision", "reason"),
    [
        ("R0001", Decision.ELIGIBLE, "fee-within-limit"),
        ("R0002", Decision.INELIGIBLE, "borrowing-denied"),
        ("R0003", Decision.INELIGIBLE, "card-lost"),
        ("R0004", Decision.INELIGIBLE, "charged-limit"),
        ("R0005", Decision.INELIGIBLE, "fee-limit"),
        ("R0006", Decision.ELIGIBLE, "fee-within-limit"),
        ("R0008", Decision.INELIGIBLE, "overdue-limit"),
        ("R9999", Decision.INELIGIBLE, "unknown-card"),
    ],
)
def test_verdicts(adapter: Make, number: str, decision: Decision, reason: str) -> None:
    one = adapter()
    verdict = one.check(shown(number), now=NOW)
    assert (verdict.decision, code(verdict)) == (decision, reason)
    assert asyncio.run(one.acheck(shown(number), now=NOW)) == verdict
    for secret in (number, "样本"):
        assert secret not in str(verdict.to_dict())


def test_the_number_is_the_one_that_the_site_wants(adapter: Make, system: LibrarySystem) -> None:
    both = shown("R0002", social_security_number="0001")
    assert adapter().check(both, now=NOW).decision is Decision.INELIGIBLE
    mapped = adapter(reader_number="social_security_number", reader_prefix="R")
    assert mapped.check(both, now=NOW).decision is Decision.ELIGIBLE
    assert mapped.check(both, now=NOW).evidence["asked_by"] == "social_security_number"


def test_without_the_number_nobody_is_asked(adapter: Make, system: LibrarySystem) -> None:
    verdict = adapter(reader_number="card_identifier").check(shown(), now=NOW)
    assert (verdict.decision, code(verdict)) == (Decision.UNDETERMINED, "reader-number-missing")
    verdict = adapter().check(shown("张三"), now=NOW)
    assert (verdict.decision, code(verdict)) == (Decision.UNDETERMINED, "reader-number-unusable")
    assert system.sent == []


def test_a_pin_that_is_asked_for(adapter: Make) -> None:
    for pin, reason in ((PIN, "fee-within-limit"), ("000000", "pin-wrong"), (None, "pin-needed")):
        one = adapter(ask_pin=lambda _, pin=pin: pin, policy={"pin": "required"})
        assert code(one.check(shown(), now=NOW)) == reason


def test_what_the_protocol_cannot_carry_is_not_sent(adapter: Make, system: LibrarySystem) -> None:
    verdict = adapter(ask_pin=lambda _: "1|2").check(shown(), now=NOW)
    assert (verdict.decision, code(verdict)) == (Decision.UNDETERMINED, "cannot-be-sent")
    assert "1|2" not in str(verdict.to_dict())
    assert "63" not in system.sent


@pytest.mark.parametrize("habit", ["silent", "cut", "96-always", "none", "endless", "refuse-login", "off-line"])
def test_a_system_without_an_answer_is_no_no(adapter: Make, system: LibrarySystem, habit: str) -> None:
    system.begin(habit)
    verdict = adapter(resilience=IMPATIENT).check(shown("R0002"), now=NOW)
    assert (verdict.decision, code(verdict)) == (Decision.UNDETERMINED, "unavailable")
    assert "Sample Library" in str(verdict.to_dict())


def test_nobody_listens(adapter: Make, unused_port: int) -> None:
    verdict = adapter(port=unused_port).check(shown(), now=NOW)
    assert (verdict.decision, code(verdict)) == (Decision.UNDETERMINED, "unavailable")
    assert "ConnectionRefusedError" in str(verdict.to_dict())


def test_a_lost_answer_is_asked_for_again(adapter: Make, system: LibrarySystem) -> None:
    system.begin("silent-once")
    one = adapter(resilience={**IMPATIENT, "attempts": 2})
    assert one.check(shown(), now=NOW).decision is Decision.ELIGIBLE


def test_a_deadline_holds(adapter: Make, system: LibrarySystem) -> None:
    system.begin("silent")
    verdict = adapter().check(shown(), now=NOW, deadline=Deadline.after(0.1))
    assert verdict.decision is Decision.UNDETERMINED


def test_an_answer_from_before(adapter: Make, system: LibrarySystem) -> None:
    """Kept for the same reader and the same PIN, without what the system said of the person."""
    pins = iter([PIN, PIN, "000000"])
    one = adapter(resilience={**QUICK, "cache_for": 60.0}, ask_pin=lambda _: next(pins))
    assert one.check(shown(), now=NOW).decision is Decision.ELIGIBLE
    system.change("cut")
    kept = one.check(shown(), now=NOW)
    assert (kept.decision, kept.evidence) == (Decision.ELIGIBLE, {})
    assert kept.checks[-1].code == "kept"
    assert one.check(shown(), now=NOW).decision is Decision.UNDETERMINED


def test_what_is_not_by_the_book_is_told(adapter: Make, system: LibrarySystem) -> None:
    system.begin("wrong-checksum")
    told = adapter().check(shown(), now=NOW).evidence["problems"]
    assert told == [{"zh": "校验和不对", "en": "the checksum is wrong"}]


def test_an_answer_about_something_else(adapter: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = adapter()
    status = one.client.status()
    assert isinstance(status.message, SystemStatus)
    monkeypatch.setattr(one.client, "reader", lambda *_, **__: status)
    assert code(one.check(shown(), now=NOW)) == "unavailable"


def test_several_libraries_at_once(table: dict[str, Any], system: LibrarySystem, unused_port: int) -> None:
    """Each answers for itself; branches are asked as libraries."""
    adapters = library_adapter(
        {
            "town": {**table, "branches": {"quay": {"reader_prefix": "x"}}},
            "village": {**table, "port": unused_port},
            "hamlet": {**table, "policy": {"max_fee": "0", "denying": []}},
        }
    )
    verdicts = asking.ask(adapters, shown("R0002"), now=NOW, deadline=Deadline.after(10))
    assert {verdict.service: verdict.decision.value for verdict in verdicts} == {
        "library.town": "ineligible",
        "library.town.quay": "ineligible",
        "library.village": "undetermined",
        "library.hamlet": "eligible",
    }
    for each in adapters:
        each.close()


def test_many_questions_at_once_are_answered_right(adapter: Make) -> None:
    one = adapter(connections=4)

    async def ask_all() -> list[Verdict]:
        asked = (one.acheck(shown(f"P{number:05d}"), now=NOW) for number in range(60))
        return await asyncio.gather(*asked)

    decisions = [verdict.decision for verdict in asyncio.run(ask_all())]
    assert decisions == [Decision.ELIGIBLE, Decision.INELIGIBLE] * 30


def test_an_adapter_that_is_forgotten_closes_its_connections(table: dict[str, Any]) -> None:
    """Warnings are errors here, also the one about an open socket."""
    (one,) = library_adapter({"sample": table})
    assert one.check(shown(), now=NOW).eligible
    del one
    gc.collect()


def test_a_closed_client_can_still_ask(adapter: Make) -> None:
    one = adapter()
    one.close()
    assert one.check(shown(), now=NOW).eligible
    one.close()


def test_requests_of_ones_own(adapter: Make) -> None:
    """Whatever else a terminal wants to send, the pool carries it."""
    from juying.services.library.session import question

    answer = adapter().client.run(question(TerminalStatus(status=1)))
    assert answer.message.id == "98"
    with pytest.raises(PlatformUnavailable):
        adapter(port=1).client.run(question(TerminalStatus()))
