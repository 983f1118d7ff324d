"""Asking services about one card or code: all at once, and none of them can keep the others waiting."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from juying.errors import JuyingError
from juying.services.adapter import Adapter
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.verdict import Decision, Verdict
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.verdict import Verification

MARGIN = 0.25
"""Seconds, but no more than a twentieth, by which adapters have to be done before the deadline of the question.

An adapter that keeps its time says better why there is no answer than the one who waits for it in vain.
"""


_WORST_FIRST = (Decision.INELIGIBLE, Decision.UNDETERMINED, Decision.ELIGIBLE)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The state of the permit, and beside it what each service said: neither changes the other.

    ``proven`` names what was proven of card or code (`juying.services.presentation.ASSURANCES`). ``signature`` says
    what was found of a permit (`juying.services.reading.Signature`); ``permit`` is the verifier's answer, None when
    there is no permit or it cannot be read.
    """

    proven: tuple[str, ...]
    signature: str
    permit: "Verification | None"
    verdicts: tuple[Verdict, ...]

    @property
    def worst(self) -> Decision:
        """INELIGIBLE if any service says so, else UNDETERMINED if any does or none was asked, else ELIGIBLE."""
        decisions = {verdict.decision for verdict in self.verdicts} or {Decision.UNDETERMINED}
        return next(decision for decision in _WORST_FIRST if decision in decisions)

    def card_dict(self) -> dict[str, object]:
        """What is known of card or code and its permit as plain JSON values, without what it says of the person."""
        permit: dict[str, object] = {"signature": self.signature, "verdict": None}
        if self.permit is not None:
            permit |= {"verdict": str(self.permit.verdict), "reason": self.permit.verdict.text._asdict()}
        return {"proven": list(self.proven), "permit": permit}

    def to_dict(self) -> dict[str, object]:
        """Everything as plain JSON values."""
        return {**self.card_dict(), "services": [verdict.to_dict() for verdict in self.verdicts]}


def check(adapters: Sequence[Adapter], presentation: Presentation, *, now: datetime, deadline: Deadline) -> CheckResult:
    """Ask all services at once, with the state of the permit beside their answers. Never raises."""
    verdicts = ask(adapters, presentation, now=now, deadline=deadline)
    return CheckResult(presentation.proven, presentation.signature, presentation.permit, verdicts)


async def acheck(
    adapters: Sequence[Adapter], presentation: Presentation, *, now: datetime, deadline: Deadline
) -> CheckResult:
    """As `check`, for an event loop."""
    verdicts = await aask(adapters, presentation, now=now, deadline=deadline)
    return CheckResult(presentation.proven, presentation.signature, presentation.permit, verdicts)


def ask(
    adapters: Sequence[Adapter], presentation: Presentation, *, now: datetime, deadline: Deadline
) -> tuple[Verdict, ...]:
    """A verdict from each adapter, in their order, before the deadline; each is asked in a thread of its own.

    Never raises: an adapter that hangs or breaks is UNDETERMINED.
    """
    from concurrent.futures import wait

    from juying.services.threads import started

    inner = _inner(deadline)

    def ask_one(adapter: Adapter) -> Verdict:
        try:
            return adapter.check(presentation, now=now, deadline=inner)
        except Exception as error:  # of whatever kind: somebody else's code
            return _broken(adapter, error, now)

    asked = [started(partial(ask_one, adapter)) for adapter in adapters]
    done, _ = wait(asked, deadline.left())
    return tuple(
        answer.result() if answer in done else _late(adapter, now)
        for adapter, answer in zip(adapters, asked, strict=True)
    )


async def aask(
    adapters: Sequence[Adapter], presentation: Presentation, *, now: datetime, deadline: Deadline
) -> tuple[Verdict, ...]:
    """As `ask`, for an event loop: a task for each adapter. What blocks the loop cannot be kept from blocking it."""
    import asyncio

    inner = _inner(deadline)

    async def ask_one(adapter: Adapter) -> Verdict:
        try:
            return await adapter.acheck(presentation, now=now, deadline=inner)
        except Exception as error:  # of whatever kind: somebody else's code
            return _broken(adapter, error, now)

    asked = [asyncio.ensure_future(ask_one(adapter)) for adapter in adapters]
    try:
        done = (await asyncio.wait(asked, timeout=deadline.left()))[0] if asked else set()
    finally:
        for answer in asked:
            answer.cancel()  # those that are late, or all if nobody waits any more
    return tuple(
        answer.result() if answer in done and not answer.cancelled() else _late(adapter, now)
        for adapter, answer in zip(adapters, asked, strict=True)
    )


def _inner(deadline: Deadline) -> Deadline:
    left = deadline.left()
    return deadline.within(left - min(MARGIN, left / 20))


def _late(adapter: Adapter, now: datetime) -> Verdict:
    return Verdict.unknown(adapter.name, "deadline", Text("时限内没有答复", "there was no answer in time"), now=now)


def _broken(adapter: Adapter, error: Exception, now: datetime) -> Verdict:
    """Our own errors hold no personal data; of others only the kind is told."""
    if isinstance(error, JuyingError):
        zh, en = error.text
    else:
        zh = en = type(error).__name__
    text = Text(f"适配器 {adapter.name} 出错：{zh}", f"the adapter {adapter.name} failed: {en}")
    return Verdict.unknown(adapter.name, "adapter_failed", text, now=now)
