"""What happens at the readers: plugged in and out, cards inserted and removed, the service lost and back.

The service is asked in two ways: one call waits until something changed, and then a snapshot says what. The events
are the difference between two snapshots, so nothing depends on catching the right moment, and the same difference
tells after a restart of the service what happened in the gap.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from juying.card.pcsc import PNP, PRESENT, ReaderState, Service
from juying.errors import ReaderUnavailable, TransportError
from juying.text import Text

SLICE = 500  # milliseconds of one wait; ``stop`` ends it at once, this only bounds Ctrl-C and missed wake-ups
MOST_READERS = 16  # pcsc-lite refuses to wait for more at once; a slice later the others are looked at too
PAUSE = 0.25  # seconds between attempts to reach a service that is gone


class EventKind(StrEnum):
    """What happened."""

    READER_ADDED = "reader-added"
    READER_REMOVED = "reader-removed"
    CARD_INSERTED = "card-inserted"
    CARD_REMOVED = "card-removed"
    SERVICE_LOST = "service-lost"
    SERVICE_BACK = "service-back"

    @property
    def text(self) -> Text:
        """For people."""
        return _TEXTS[self]


_TEXTS = {
    EventKind.READER_ADDED: Text("读卡器已接入", "reader plugged in"),
    EventKind.READER_REMOVED: Text("读卡器已拔下", "reader unplugged"),
    EventKind.CARD_INSERTED: Text("已插卡", "card inserted"),
    EventKind.CARD_REMOVED: Text("已取卡", "card removed"),
    EventKind.SERVICE_LOST: Text("智能卡服务已中断", "smart card service lost"),
    EventKind.SERVICE_BACK: Text("智能卡服务已恢复", "smart card service back"),
}


@dataclass(frozen=True, slots=True)
class ReaderEvent:
    """One thing that happened.

    ``reader`` is empty for the events of the service. ``atr`` is that of the card that came or went; empty for a
    card that does not answer, and for one that was gone before anybody could look. ``gap`` is, for SERVICE_BACK,
    for how many seconds nothing could be seen.
    """

    kind: EventKind
    reader: str = ""
    atr: bytes = b""
    gap: float = 0.0

    @property
    def text(self) -> Text:
        """One line for people."""
        zh, en = self.kind.text
        if self.kind is EventKind.SERVICE_BACK:
            return Text(f"{zh}（中断 {self.gap:.1f} 秒）", f"{en} (gone for {self.gap:.1f} s)")
        return Text(f"{self.reader}：{zh}", f"{self.reader}: {en}") if self.reader else Text(zh, en)


class Seen(NamedTuple):
    """What was last seen of a reader; ``counter`` counts insertions and removals, None where nobody counts."""

    present: bool
    atr: bytes
    counter: int | None

    @classmethod
    def of(cls, state: ReaderState) -> "Seen":
        """The part of a reader's state that matters here."""
        return cls(bool(state.flags & PRESENT), state.atr, state.flags >> 16)


def changes(before: Mapping[str, Seen], after: Mapping[str, Seen]) -> Iterator[ReaderEvent]:
    """The events that lead from one view of all readers to another, removals of readers first."""
    for name, old in before.items():
        if name not in after:
            yield from _at_one_reader(name, old, _EMPTY)
            yield ReaderEvent(EventKind.READER_REMOVED, name)
    for name, new in after.items():
        if name in before:
            yield from _at_one_reader(name, before[name], new)
        else:
            yield ReaderEvent(EventKind.READER_ADDED, name)
            yield from _at_one_reader(name, _EMPTY, new)


_EMPTY = Seen(present=False, atr=b"", counter=None)


def _at_one_reader(name: str, old: Seen, new: Seen) -> Iterator[ReaderEvent]:
    """The cards that came and went: one change where the view differs, two more where the counter says so."""
    differs = old.present != new.present
    if old.counter is None or new.counter is None or old.counter == new.counter == 0:
        exchanged = old.present and new.present and old.atr != new.atr
    else:
        exchanged = ((new.counter - old.counter) & 0xFFFF) - differs >= 2
    if old.present and (differs or exchanged):
        yield ReaderEvent(EventKind.CARD_REMOVED, name, old.atr)
    if exchanged and not (old.present and new.present):  # in and out again before anybody looked
        yield ReaderEvent(EventKind.CARD_INSERTED, name)
        yield ReaderEvent(EventKind.CARD_REMOVED, name)
    if new.present and (differs or exchanged):
        yield ReaderEvent(EventKind.CARD_INSERTED, name, new.atr)


class ReaderMonitor:
    """Watches all readers; ``watch`` yields what happens until ``stop`` is called from any thread.

    ::

        with ReaderMonitor() as monitor:
            for event in monitor.watch():
                print(event.text)
    """

    def __init__(self) -> None:
        """Nothing is opened before ``watch``."""
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._service: Service | None = None

    def watch(self, *, timeout: float | None = None) -> Iterator[ReaderEvent]:
        """Yield events as they happen, for ``timeout`` seconds in all or until ``stop``. One ``watch`` at a time.

        First come the readers and cards that are there already, as READER_ADDED and CARD_INSERTED. Take your time
        between two events: a card that was exchanged meanwhile is reported as removed and inserted, where the
        system counts insertions (Windows and pcsc-lite do, macOS does not).

        A service that is not running, or stops, is no error: SERVICE_LOST comes once, then SERVICE_BACK with the
        gap, then what changed. A card that stays in its reader loses power in the gap, and as the new service may
        find it a moment later, it can be reported as removed and inserted.
        """
        end = None if timeout is None else time.monotonic() + timeout
        seen: dict[str, Seen] = {}
        lost_at: float | None = None
        while self._goes_on(end):
            try:
                with self._open() as service:
                    if lost_at is not None:
                        yield ReaderEvent(EventKind.SERVICE_BACK, gap=time.monotonic() - lost_at)
                        lost_at = None
                    yield from self._follow(service, seen, end)
                return
            except TransportError:
                seen = {name: state._replace(counter=None) for name, state in seen.items()}
            if lost_at is None:
                lost_at = time.monotonic()
                yield ReaderEvent(EventKind.SERVICE_LOST)
            self._pause(end)

    def stop(self) -> None:
        """End ``watch`` now and for good; from any thread."""
        self._stopped.set()
        with self._lock:
            if self._service is not None:
                self._service.cancel()

    def __enter__(self) -> Self:
        """The monitor itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self.stop()

    def _follow(self, service: Service, seen: dict[str, Seen], end: float | None) -> Iterator[ReaderEvent]:
        """Yield what differs from ``seen``, keep ``seen`` up to date, and wait for the next change."""
        known: Sequence[ReaderState] = []
        plug = ReaderState(PNP)
        woken = False
        while self._goes_on(end):
            try:
                states = service.states([ReaderState(name) for name in service.reader_names()])
                now = {state.name: Seen.of(state) for state in states}
                events = list(changes(seen, now))
                seen.clear()
                seen.update(now)
                if events:
                    yield from events
                    continue  # whoever took them may have been slow: look again before waiting
                if woken and states == known:
                    self._pause(end)  # a service that wakes us for nothing must not keep us busy
                known = states
                waited = [*states, plug][:MOST_READERS]
                changed = service.states(waited, milliseconds=self._slice(end))
                woken = changed is not waited
                plug = next((state for state in changed if state.name == PNP), plug)
            except ReaderUnavailable:  # unplugged between two calls
                self._pause(end)

    @contextmanager
    def _open(self) -> Iterator[Service]:
        """A context of the service that ``stop`` can cancel."""
        with Service() as service:
            self._hold(service)
            try:
                yield service
            finally:
                self._hold(None)

    def _hold(self, service: Service | None) -> None:
        with self._lock:
            self._service = service

    def _goes_on(self, end: float | None) -> bool:
        return not self._stopped.is_set() and (end is None or time.monotonic() < end)

    def _slice(self, end: float | None) -> int:
        """Milliseconds to wait at most, and at least one."""
        return SLICE if end is None else max(1, min(SLICE, int((end - time.monotonic()) * 1000)))

    def _pause(self, end: float | None) -> None:
        self._stopped.wait(PAUSE if end is None else max(0.0, min(PAUSE, end - time.monotonic())))
