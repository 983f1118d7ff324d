"""What goes on at one reader of a station."""

import threading
from typing import Protocol

from juying.card.pcsc import PcscTransport
from juying.errors import CardError, CardRemoved, InputError, LedgerUnavailable, ReaderUnavailable, ServiceUnavailable
from juying.issuance.production import Produced
from juying.issuance.station_state import Doing, ReaderView
from juying.text import Text


class Halted(Exception):
    """The station ends between two steps."""


class Desk(Protocol):
    """What a worker needs of its station."""

    @property
    def ending(self) -> bool:
        """Whether no further card is to be begun."""

    def work(self, transport: PcscTransport, view: ReaderView) -> Produced:
        """Make the card in a reader. Raises `Halted` besides what `Production.work` raises."""

    def count(self, view: ReaderView, made: Produced) -> None:
        """A card was made, or refused, or set aside."""

    def count_failure(self, view: ReaderView, error: CardError | InputError, *, counts: bool) -> None:
        """A card or reader failed; ``counts`` says whether the stop rule is to know."""

    def stops(self, view: ReaderView) -> bool:
        """Whether the stop rule stops a reader now."""

    def give_up(self, error: BaseException) -> None:
        """End everything now: with this error no other card would do better."""


class Worker:
    """Waits for cards in one reader, on a thread of its own, and has them made."""

    def __init__(self, station: Desk, reader: str) -> None:
        """Begin at once."""
        self.view = ReaderView(reader)
        self._station = station
        self._changed = threading.Condition()
        self._insertions = self._handled = 0
        self._present = self._retry = False
        self._thread = threading.Thread(target=self._run, name=f"station:{reader}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def insert(self) -> None:
        """A card was put in."""
        with self._changed:
            self._insertions += 1
            self._present = True
            self._changed.notify_all()

    def remove(self) -> None:
        """The card was taken out."""
        with self._changed:
            self._present = self._retry = False
            if self.view.doing is Doing.TAKE_OUT:
                self.view.doing = Doing.WAITING

    def lose(self) -> None:
        """The reader was unplugged."""
        self.remove()
        self.view.doing = Doing.GONE

    def find(self) -> None:
        """The reader was plugged in."""
        with self._changed:
            if self.view.doing is Doing.GONE:
                self.view.doing = Doing.WAITING

    def retry(self) -> None:
        """The card service is back: what failed for want of it is tried again, in case nobody touched the card."""
        with self._changed:
            if self._retry:
                self._retry, self._handled = False, -1
                self._changed.notify_all()

    def resume(self) -> None:
        """Work again after the stop rule."""
        with self._changed:
            self.view.in_a_row = 0
            self.view.doing = Doing.TAKE_OUT if self._present else Doing.WAITING
            self._changed.notify_all()

    def wake(self) -> None:
        """Look whether the station ends."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._next_card():
                self._work()
        except BaseException as error:  # handed over to the station
            self._station.give_up(error)

    def _next_card(self) -> bool:
        """Wait for a card that was not seen before; false when the station ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._station.ending or self._is_new())
            self._handled = self._insertions
            return not self._station.ending

    def _is_new(self) -> bool:
        return self._present and self._handled != self._insertions and self.view.doing is not Doing.STOPPED

    def _work(self) -> None:
        view, station = self.view, self._station
        view.doing, view.step, view.writes, view.total = Doing.WORKING, "", 0, 0
        view.note, view.name, view.box = Text("", ""), "", 0
        try:
            with PcscTransport.open(view.reader) as transport:
                made = station.work(transport, view)
        except Halted:
            pass
        except LedgerUnavailable as error:
            view.note = error.text  # the station ends, or it would wait
        except (CardRemoved, ReaderUnavailable, ServiceUnavailable) as error:
            self._retry = isinstance(error, ServiceUnavailable)
            station.count_failure(view, error, counts=False)
        except (CardError, InputError) as error:
            station.count_failure(view, error, counts=True)
        else:
            station.count(view, made)
        stopped = station.stops(view)  # the station's lock comes before ours
        with self._changed:
            if view.doing is not Doing.GONE:
                view.doing = Doing.TAKE_OUT if self._present else Doing.WAITING
            if stopped:
                view.doing = Doing.STOPPED
