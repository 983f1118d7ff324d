"""What there is to say about a lot: its orders and failures, and all that can be counted from them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from juying.issuance.rate_plot import Rate, rate_of
from juying.ledger.states import OPEN_ORDERS, LotState, OrderKind, OrderState, Word
from juying.ledger.verify import Head


class Outcome(Word):
    """What became of an order, in a word."""

    ISSUED = "issued", "已制成", "issued"
    UNDER_WAY = "under-way", "制作中", "under way"
    """Its card may be half written."""
    FAILED = "failed", "失败待重做", "failed"
    """Its card was set aside, and it waits for another one."""
    WAITING = "waiting", "待制", "waiting"
    SUSPENDED = "suspended", "已暂停", "suspended"
    REPLACED = "replaced", "已被替代", "replaced"
    CANCELLED = "cancelled", "已取消", "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One order. ``row`` is that of the sheet, None without one; ``name`` is empty unless it was asked for."""

    order: int
    row: int | None
    position: int
    box: int | None
    kind: OrderKind
    state: OrderState
    card_number: str = field(repr=False)
    failures: int
    note: str
    station: str
    reader: str
    operator: str
    begun_at: datetime | None
    sealed_at: datetime | None
    delivered_at: datetime | None
    name: str = field(default="", repr=False)

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        if self.state is OrderState.PLANNED:
            return Outcome.FAILED if self.note else Outcome.WAITING
        if self.state in OPEN_ORDERS:
            return Outcome.UNDER_WAY
        if self.done:
            return Outcome.ISSUED
        return Outcome(self.state.value)

    @property
    def done(self) -> bool:
        """Whether its card is finished."""
        return self.state in (OrderState.SEALED, OrderState.DELIVERED)

    @property
    def error(self) -> str:
        """Why it is not done, where somebody has said so."""
        return "" if self.done else self.note


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A card that failed at a reader; ``spoiled`` when it was set aside, else it was tried again."""

    at: datetime
    order: int
    position: int
    spoiled: bool
    station: str
    reader: str
    operator: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Failures with the same words: how many, how many orders and spoiled cards among them, first and last."""

    reason: str
    failures: int
    orders: int
    spoiled: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Workplace:
    """What one operator did at one reader of a station; ``median`` is the usual time for a card, None without one."""

    station: str
    reader: str
    operator: str
    done: int
    failures: int
    median: timedelta | None


@dataclass(frozen=True, slots=True)
class Box:
    """How many cards of a box are done, delivered already, and to come."""

    number: int
    done: int
    delivered: int
    missing: int


@dataclass(frozen=True, slots=True)
class Durations:
    """How long cards took, from claim to seal: half of them at most ``median``, 95 of 100 at most ``p95``."""

    median: timedelta
    p95: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LotReport:
    """All there is to say about a lot ``at`` a moment; the names are those of the lot and of the ledger."""

    lot: str
    state: LotState
    source: str
    profile: str
    made_at: datetime
    closed_at: datetime | None
    at: datetime
    ledger: str
    head: Head
    orders: tuple[OrderLine, ...] = field(repr=False)
    failures: tuple[Failure, ...] = field(repr=False)
    with_names: bool = False

    def counts(self) -> Mapping[tuple[OrderKind, OrderState], int]:
        """How many orders of each kind are in each state; all of them together are the orders."""
        return Counter((line.kind, line.state) for line in self.orders)

    def outcomes(self) -> Mapping[Outcome, int]:
        """How many orders had each outcome."""
        return Counter(line.outcome for line in self.orders)

    @property
    def done(self) -> int:
        """How many orders are done."""
        return sum(line.done for line in self.orders)

    def rate(self) -> Rate:
        """Cards done and failures over time."""
        done = (line.sealed_at for line in self.orders if line.done and line.sealed_at)
        return rate_of(done, (failure.at for failure in self.failures))

    def durations(self) -> Durations | None:
        """How long a card takes, None before one is done."""
        times = _durations(self.orders)
        return Durations(_quantile(times, 0.5), _quantile(times, 0.95)) if times else None

    def causes(self) -> list[Cause]:
        """The failures by their words, the most frequent first."""
        same = defaultdict(list)
        for failure in self.failures:
            same[failure.reason].append(failure)
        found = [
            Cause(
                reason,
                len(each),
                len({failure.order for failure in each}),
                sum(failure.spoiled for failure in each),
                min(failure.at for failure in each),
                max(failure.at for failure in each),
            )
            for reason, each in same.items()
        ]
        return sorted(found, key=lambda cause: (-cause.failures, cause.first))

    def workplaces(self) -> list[Workplace]:
        """Who did how much where."""
        lines: dict[tuple[str, str, str], list[OrderLine]] = defaultdict(list)
        for line in self.orders:
            if line.done:
                lines[line.station, line.reader, line.operator].append(line)
        failures = Counter((each.station, each.reader, each.operator) for each in self.failures)
        found = []
        for place in sorted({*lines, *failures}):
            times = _durations(lines[place])
            usual = _quantile(times, 0.5) if times else None
            found.append(Workplace(*place, len(lines[place]), failures[place], usual))
        return found

    def boxes(self) -> list[Box]:
        """The boxes, by number."""
        numbers: dict[int, Counter[str]] = defaultdict(Counter)
        for line in self.orders:
            if line.box:
                delivered = line.state is OrderState.DELIVERED
                numbers[line.box]["delivered" if delivered else "done" if line.done else "missing"] += 1
        return [Box(number, found["done"], found["delivered"], found["missing"])
                for number, found in sorted(numbers.items())]  # fmt: skip

    def unfinished(self) -> list[OrderLine]:
        """The orders that somebody has to do something about: half written cards first, then failed and suspended."""
        wanted = (Outcome.UNDER_WAY, Outcome.FAILED, Outcome.SUSPENDED)
        lines = [line for line in self.orders if line.outcome in wanted]
        return sorted(lines, key=lambda line: (wanted.index(line.outcome), line.position))


def _durations(lines: Iterable[OrderLine]) -> list[timedelta]:
    """How long the cards took that are done, the fastest first."""
    return sorted(line.sealed_at - line.begun_at for line in lines if line.done and line.sealed_at and line.begun_at)


def _quantile(times: Sequence[timedelta], share: float) -> timedelta:
    """The time that ``share`` of the sorted ``times`` do not exceed."""
    return times[ceil(share * len(times)) - 1]
