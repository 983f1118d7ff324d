"""A station: one worker for each reader, all on one ledger.

::

    station = Station(ledger, office, actor, lot=lot, tell=print)
    totals = station.run()

A card that is put in is made (`juying.issuance.production`), and then waits to be taken out. Readers that fail several
times in a row are stopped until somebody resumes them; a refused key stops them all. A lost ledger or service is
waited for. `Station.stop` lets cards that are being written be finished, `Station.halt` ends at the next step; either
way every card goes on where it stopped when it is put in again, here or elsewhere.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress

import sqlalchemy as sa

from juying.card.access import Access
from juying.card.monitor import EventKind, ReaderEvent, ReaderMonitor
from juying.card.pcsc import PcscTransport
from juying.card.pcsc_codes import service_unavailable
from juying.errors import CardError, InputError, LedgerUnavailable, ReaderUnavailable
from juying.issuance.office import Office
from juying.issuance.production import Outcome, Produced, Production
from juying.issuance.station_state import Doing, Happening, Kind, ReaderView, Totals
from juying.issuance.station_worker import Halted, Worker
from juying.ledger import orders, schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.sessions import Sessions
from juying.text import Text

MOST_FAILURES = 3
"""So many in a row stop a reader."""
_TICK = 0.2
_PATIENCE = 1.0
"""Seconds between two attempts to reach a lost ledger, between two reports to it, and between two counts of what is
left; those counts also take a fiftieth of the time at most."""
_BEFORE_WRITING = frozenset({"identified", "before claim", "after claim", "before sign", "after sign", "before write"})


class Station:
    """Runs the readers of a station. Its methods may be called from any thread.

    ``readers`` are exact names; without any all readers are used, as they come. ``until_done`` ends when no order is
    left. ``eject`` moves finished cards out of readers that can do that. An ``attended`` station waits for somebody to
    resume stopped readers, another one ends when all are stopped.
    """

    def __init__(
        self,
        ledger: Ledger,
        office: Office,
        actor: Actor,
        *,
        lot: int | None = None,
        readers: Collection[str] = (),
        access: Access | None = None,
        listed_only: bool = False,
        most_failures: int = MOST_FAILURES,
        until_done: bool = False,
        eject: bool = False,
        attended: bool = False,
        tell: Callable[[Happening], object] = lambda happening: None,
    ) -> None:
        """Nothing is opened before `run`. Raises `InputError` when the actor may not make cards."""
        self.ledger, self.actor, self.lot = ledger, actor, lot
        self.totals = Totals()
        self._sessions = Sessions(ledger)
        self._office, self._readers, self._access = office, tuple(readers), access
        self._listed_only, self._most_failures = listed_only, most_failures
        self._until_done, self._eject, self._attended, self._tell = until_done, eject, attended, tell
        self._lock = threading.RLock()
        self._workers: dict[str, Worker] = {}
        self._made_at: deque[float] = deque(maxlen=50)
        self._ending, self._halted = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._ledger_lost = False
        self._next_count = self._next_report = 0.0
        self._reported = ""
        self._production(lambda point: None)  # raises when the actor may not

    @property
    def views(self) -> list[ReaderView]:
        """What every reader is doing."""
        with self._lock:
            return [worker.view for worker in self._workers.values()]

    @property
    def rate(self) -> float | None:
        """Cards an hour, over the last fifty; None before the second."""
        with self._lock:
            if len(self._made_at) < 2:
                return None
            return 3600 * (len(self._made_at) - 1) / max(1e-6, self._made_at[-1] - self._made_at[0])

    def run(self) -> Totals:
        """Work until all is done, `stop`, `halt` or Ctrl-C (once: as `stop`; twice: as `halt`); the totals.

        Raises `KeyUseError` when a key is missing, refused, or out of its period; `InputError` when the operator's
        session has ended; `CardError` when all readers of a station that nobody attends are stopped.
        """
        self._count_left()
        with ReaderMonitor() as monitor:
            watching = threading.Thread(target=self._watch, args=(monitor,), name="readers", daemon=True)
            watching.start()
            while self._goes_on():
                try:
                    self._keep_house()
                except KeyboardInterrupt:
                    self.halt() if self._ending.is_set() else self.stop()
            monitor.stop()
            watching.join()
        self._report(last=True)
        if self._error is not None:
            raise self._error
        return self.totals

    def stop(self) -> None:
        """End; cards that are being written are finished first."""
        self._ending.set()
        self._wake()

    def halt(self) -> None:
        """End at the next step of every reader."""
        self._halted.set()
        self.stop()

    def resume(self, reader: str | None = None) -> None:
        """Let a stopped reader work again, or all of them."""
        with self._lock:
            for name, worker in self._workers.items():
                if reader in (None, name) and worker.view.doing is Doing.STOPPED:
                    worker.resume()
                    self.tell(Kind.RESUMED, Text("继续", "resumed"), name)

    def tell(self, kind: Kind, text: Text, reader: str = "", made: Produced | None = None) -> None:
        """Tell whoever listens, one thing after the other."""
        with self._lock:
            self._tell(Happening(kind, text, reader, made))

    # What the workers need

    def work(self, transport: PcscTransport, view: ReaderView) -> Produced:
        """Make the card in a reader."""

        def observe(point: str) -> None:
            if self._halted.is_set() or (self._ending.is_set() and point in _BEFORE_WRITING):
                raise Halted
            view.step = point
            if self._ledger_lost and point.startswith("after "):
                self._ledger_lost = False
                self.tell(Kind.LEDGER_BACK, Text("台账已恢复", "the ledger is back"))

        def progress(done: int, total: int) -> None:
            view.writes, view.total = done, total

        self._renew_session()
        made = self._production(observe).work(transport, access=self._access, progress=progress)
        transport.finish(eject=self._eject)
        return made

    def _renew_session(self) -> None:
        """See whether the operator may go on, before a card is begun; the cards of other readers are finished."""
        while True:
            try:
                self.actor = self._sessions.renew(self.actor)
                return
            except LedgerUnavailable as error:
                if not self._patient(error):
                    raise
            except InputError as error:
                with self._lock:
                    self._error = self._error or error
                self.stop()
                raise Halted from None

    def count(self, view: ReaderView, made: Produced) -> None:
        """A card was made, or refused, or set aside."""
        with self._lock:
            match made.outcome:
                case Outcome.SEALED:
                    view.made += 1
                    view.in_a_row = 0
                    self.totals.made += 1
                    self.totals.left -= 1
                    if self.totals.left <= 0:
                        self._next_count = 0.0
                    self._made_at.append(time.monotonic())
                case Outcome.SPOILED:
                    self.totals.spoiled += 1
                    self._count_failure(view)
                case Outcome.REFUSED:
                    self.totals.refused += 1
            view.note, view.name, view.box = made.text, made.name, made.box
            self.tell(Kind.MADE, made.text, view.reader, made)

    def count_failure(self, view: ReaderView, error: CardError | InputError, *, counts: bool) -> None:
        """A card or reader failed; ``counts`` says whether the stop rule is to know."""
        with self._lock:
            view.note = error.text
            if counts:
                self._count_failure(view)
            self.tell(Kind.FAILED, Text(*error.text), view.reader)

    def _count_failure(self, view: ReaderView) -> None:
        view.failures += 1
        view.in_a_row += 1
        self.totals.failures += 1

    def stops(self, view: ReaderView) -> bool:
        """Whether the stop rule stops a reader now."""
        if view.in_a_row < self._most_failures:
            return False
        text = Text(
            f"连续失败 {view.in_a_row} 次，已停用此读卡器；检查后恢复",
            f"failed {view.in_a_row} times in a row and is stopped: look at it, then resume it",
        )
        self.tell(Kind.READER_STOPPED, text, view.reader)
        return True

    def give_up(self, error: BaseException) -> None:
        """End everything now: with this error no other card would do better."""
        with self._lock:
            self._error = self._error or error
        self.halt()

    # Keeping house

    def _production(self, observe: Callable[[str], None]) -> Production:
        return Production(
            self.ledger, self._office, self.actor, lot=self.lot, listed_only=self._listed_only, observe=observe,
            patience=self._patient,
        )  # fmt: skip

    def _patient(self, error: LedgerUnavailable) -> bool:
        """Wait for the ledger a while; whether to try again."""
        with self._lock:
            if not self._ledger_lost:
                self._ledger_lost = True
                self.tell(Kind.LEDGER_LOST, error.text)
        return not self._ending.wait(_PATIENCE)

    def _watch(self, monitor: ReaderMonitor) -> None:
        try:
            for event in monitor.watch():
                self._seen(event)
        except BaseException as error:  # handed over to run()
            self.give_up(error)

    def _seen(self, event: ReaderEvent) -> None:
        with self._lock:
            if event.reader and self._readers and event.reader not in self._readers:
                return
            worker = self._workers.get(event.reader)
            match event.kind:
                case EventKind.CARD_INSERTED if worker is not None:
                    worker.insert()
                case EventKind.CARD_REMOVED if worker is not None:
                    worker.remove()
                case EventKind.READER_REMOVED if worker is not None:
                    worker.lose()
                case EventKind.READER_ADDED:
                    if worker is None:
                        worker = self._workers[event.reader] = Worker(self, event.reader)
                    worker.find()
                case EventKind.SERVICE_BACK:
                    for each in self._workers.values():
                        each.retry()
            if event.kind is EventKind.CARD_INSERTED:
                self.tell(Kind.INSERTED, event.text, event.reader)
            elif event.kind is EventKind.SERVICE_LOST:
                self.tell(Kind.READERS, service_unavailable(event.text).text)
            elif event.kind is not EventKind.CARD_REMOVED:
                self.tell(Kind.READERS, event.text, event.reader)

    def _goes_on(self) -> bool:
        with self._lock:
            return not self._ending.is_set() or any(worker.alive for worker in self._workers.values())

    def _keep_house(self) -> None:
        """Count what is left, report to the ledger, and rest."""
        self._ending.wait(_TICK) if not self._ending.is_set() else time.sleep(_TICK)
        self._count_left()
        self._report()
        views = self.views
        if not self._attended and views and all(view.doing is Doing.STOPPED for view in views):
            with self._lock:
                self._error = self._error or ReaderUnavailable(
                    "所有读卡器都因连续失败而停用", "all readers are stopped after failing several times in a row"
                )
            self.stop()

    def _count_left(self) -> None:
        """Ask the ledger how many orders are left, not too often; with `until_done` none ends the station."""
        begun = time.monotonic()
        if begun < self._next_count:
            return
        with suppress(LedgerUnavailable), self.ledger.reading() as db:
            left = orders.left(db, self.lot)
            with self._lock:
                self.totals.left = left
            if self._until_done and not left:
                self.stop()
        took = time.monotonic() - begun
        self._next_count = begun + max(_PATIENCE, 50 * took)

    def _report(self, *, last: bool = False) -> None:
        """Tell the ledger how the station does, for displays elsewhere."""
        now = time.monotonic()
        if self.actor.station is None or (now < self._next_report and not last):
            return
        with self._lock:
            rate = self.rate
            status = {
                "lot": self.lot,
                "ended": last,
                "made": self.totals.made,
                "failures": self.totals.failures,
                "left": self.totals.left,
                "rate": rate if rate is None else round(rate),
                "readers": {
                    view.reader: {"doing": view.doing.value, "made": view.made, "failures": view.failures}
                    for view in self.views
                },
            }
        self._next_report = now + _PATIENCE
        text = json.dumps(status, ensure_ascii=False)
        if text == self._reported and not last:
            return
        table = schema.stations
        with suppress(LedgerUnavailable), self.ledger.transaction(self.actor) as tx:
            here = sa.update(table).where(table.c.id == self.actor.station)
            tx.db.execute(here.values(status=text, seen_at=tx.now))
            self._reported = text

    def _wake(self) -> None:
        with self._lock:
            for worker in self._workers.values():
                worker.wake()

    @property
    def ending(self) -> bool:
        """Whether no further card is to be begun."""
        return self._ending.is_set()
