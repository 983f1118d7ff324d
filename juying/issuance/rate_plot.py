"""Cards per hour over time: put into bins, and drawn as SVG for a page that gives the colours."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from math import ceil, floor, log10

from juying.credential.claims import CHINA

MOST_BINS = 60

_NEVER, _MINUTE, _HOUR, _DAY = timedelta(), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_WIDTHS = (*(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)), *(n * _HOUR for n in (1, 2, 3, 6, 12)), _DAY)
_MIDNIGHT = datetime(1970, 1, 1, tzinfo=CHINA)

_SIZE = (960, 300)
_LEFT, _TOP, _RIGHT, _BOTTOM = 58, 26, 10, 42  # around the bars
_MOST_TICKS, _MOST_LABELS = 5, 12
_WIDEST_BAR = 46
_HALF_LABEL = 30
_BAR = 0.8  # of the width of a bin


@dataclass(frozen=True, slots=True)
class Bin:
    """What happened from ``start`` until the next bin starts."""

    start: datetime
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Bins of one ``width`` without a gap; they begin at whole minutes, hours or days in China."""

    width: timedelta
    bins: tuple[Bin, ...]

    @property
    def per_hour(self) -> float:
        """Cards per hour in the bins in which anything happened: breaks and nights do not count. 0.0 without any."""
        busy = [each for each in self.bins if each.done or each.failed]
        return self.hourly(sum(each.done for each in busy)) / len(busy) if busy else 0.0

    def hourly(self, count: int) -> float:
        """How many an hour it would be, with ``count`` in a bin."""
        return count * (_HOUR / self.width)


def rate_of(done: Iterable[datetime], failed: Iterable[datetime] = ()) -> Rate:
    """The rate of what was ``done`` and of what ``failed`` at these times, in `MOST_BINS` bins at most."""
    done, failed = list(done), list(failed)
    times = done + failed
    if not times:
        return Rate(_MINUTE, ())
    first, last = min(times), max(times)
    width = next(width for width in _widths() if _number(last, width) - _number(first, width) < MOST_BINS)
    counts, failures = (Counter(_number(at, width) for at in of) for of in (done, failed))
    numbers = range(_number(first, width), _number(last, width) + 1)
    return Rate(width, tuple(Bin(_MIDNIGHT + n * width, counts[n], failures[n]) for n in numbers))


def _widths() -> Iterator[timedelta]:
    yield from _WIDTHS
    days = 1
    while True:
        days *= 2
        yield days * _DAY


def _number(at: datetime, width: timedelta) -> int:
    return (at - _MIDNIGHT) // width


def draw_rate(rate: Rate, *, title: str, done: str, failed: str, mean: str, unit: str) -> str:
    """The rate as an ``<svg>`` element, empty when nothing happened.

    ``title`` is for those who cannot see it; ``done``, ``failed``, ``mean`` and ``unit`` (of the vertical axis) are the
    words in it. Its parts have the classes ``grid``, ``axis``, ``done``, ``failed``, ``mean`` and ``label``, which the
    page colours.
    """
    if not rate.bins:
        return ""
    width, height = _SIZE
    highest = max(rate.hourly(each.done + each.failed) for each in rate.bins)
    step = _tick_step(highest)
    top = ceil(highest / step) * step
    plot = _Plot(rate, top, (width - _LEFT - _RIGHT) / len(rate.bins))
    parts = [
        f'<svg class="rate" role="img" viewBox="0 0 {width} {height}" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        *_legend(unit, (("done", done), ("failed", failed), ("mean", f"{mean} {rate.per_hour:.0f}"))),
        *plot.ticks(step),
        *plot.bars(done, failed),
        *plot.mean(),
        *plot.times(),
        "</svg>",
    ]
    return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class _Plot:
    rate: Rate
    top: float
    """The rate at the upper edge."""
    slot: float
    """Width of a bin in the drawing."""

    def x(self, number: float) -> float:
        return _LEFT + number * self.slot

    def y(self, per_hour: float) -> float:
        return _SIZE[1] - _BOTTOM - per_hour / self.top * (_SIZE[1] - _TOP - _BOTTOM)

    def ticks(self, step: float) -> Iterator[str]:
        for number in range(round(self.top / step) + 1):
            y = self.y(number * step)
            kind = "grid" if number else "axis"
            yield f'<path class="{kind}" d="M{_LEFT} {y:.1f}H{_SIZE[0] - _RIGHT}"/>'
            yield f'<text class="label" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number * step:g}</text>'

    def bars(self, done: str, failed: str) -> Iterator[str]:
        wide = min(self.slot * _BAR, _WIDEST_BAR)
        for number, each in enumerate(self.rate.bins):
            left = self.x(number + 0.5) - wide / 2
            below = 0
            for kind, word, count in (("done", done, each.done), ("failed", failed, each.failed)):
                if count:
                    upper = self.y(self.rate.hourly(below + count))
                    high = self.y(self.rate.hourly(below)) - upper
                    tip = f"{_local(each.start):%m-%d %H:%M} · {word} {count}"
                    yield (
                        f'<rect class="{kind}" x="{left:.1f}" y="{upper:.1f}" width="{wide:.1f}" '
                        f'height="{high:.1f}"><title>{escape(tip)}</title></rect>'
                    )
                    below += count

    def mean(self) -> Iterator[str]:
        if self.rate.per_hour:
            yield f'<path class="mean" d="M{_LEFT} {self.y(self.rate.per_hour):.1f}H{_SIZE[0] - _RIGHT}"/>'

    def times(self) -> Iterator[str]:
        """Marks at round times; the day stands below the first mark of each day."""
        bottom, width, bins = _SIZE[1] - _BOTTOM, self.rate.width, self.rate.bins
        steps = (step for step in _widths() if step >= width and step % width == _NEVER)
        step = next(step for step in steps if len(bins) * width <= _MOST_LABELS * step)
        shown = None
        for number in range(len(bins) + 1):
            at = _local(bins[0].start + number * width)
            if (at - _MIDNIGHT) % step:
                continue
            x = self.x(number)
            yield f'<path class="axis" d="M{x:.1f} {bottom}v5"/>'
            lines, day = [f"{at:%m-%d}" if step >= _DAY else f"{at:%H:%M}"], at.date()
            if shown is None or at.year != shown.year:
                lines.append(f"{at:%Y}" if step >= _DAY else f"{at:%Y-%m-%d}")
            elif step < _DAY and day != shown:
                lines.append(f"{at:%m-%d}")
            shown = day
            left, right = x < _LEFT + _HALF_LABEL, x > _SIZE[0] - _RIGHT - _HALF_LABEL
            place, anchor = (_SIZE[0] - 2, "end") if right else (x - 16, "start") if left else (x, "middle")
            for line, text in enumerate(lines):
                below = bottom + 19 + 15 * line
                yield f'<text class="label" x="{place:.1f}" y="{below}" text-anchor="{anchor}">{text}</text>'


def _legend(unit: str, entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f'<text class="label" x="4" y="12">{escape(unit)}</text>'
    right = float(_SIZE[0] - _RIGHT)
    for kind, word in reversed(entries):
        right -= 12 * len(word.encode("gbk", "replace")) / 2 + 8
        yield f'<text class="label" x="{right:.0f}" y="12">{escape(word)}</text>'
        shape = "M{} 8h16" if kind == "mean" else "M{} 3h10v10h-10z"
        right -= 21 if kind == "mean" else 15
        yield f'<path class="{kind}" d="{shape.format(round(right))}"/>'
        right -= 14


def _tick_step(highest: float) -> float:
    """The distance of horizontal lines: 1, 2 or 5 with zeros, so that there are `_MOST_TICKS` at most."""
    power = 10.0 ** floor(log10(highest / _MOST_TICKS))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power * _MOST_TICKS >= highest)


def _local(at: datetime) -> datetime:
    return at.astimezone(UTC).astimezone(CHINA)
