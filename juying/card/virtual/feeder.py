"""A feeder of virtual cards: what a machine does that takes cards from a box and puts them into readers.

Images (``*.vcard``) from a folder are put into the readers of the vpcd driver, each as soon as one is free. When the
station takes the power from a card that it has talked to, that card is done: it is taken out and laid into the folder
``done`` beside the others. A card that comes out otherwise (the station reset it or died, the driver ended, the card
was torn) is not, and goes to the back of the box. Every change of a card is in its file before the card answers.

::

    Feeder(Box(folder), ports).run(stop)
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from queue import Empty, SimpleQueue

from juying.card.virtual.card import Card
from juying.card.virtual.image import load_card
from juying.card.virtual.vpcd import HOST, Control, VirtualReader
from juying.errors import CardRemoved, InputError, ServiceUnavailable

DONE = "done"
"""The folder for cards that are done."""
_TICK = 0.2
"""Seconds between two looks at the stop event, and between two attempts to reach the driver."""
_LOOK = 3.0
"""Seconds in which a driver that somebody uses looks at an empty reader, many times over."""
_QUESTION = bytes((0, 1, Control.ATR))
_UNPOWERED_LOOKS = 3
"""So often the service may look at a new card before it gives it power; it takes two looks."""


class End(StrEnum):
    """How a card came out of a reader."""

    DONE = "done"
    """The station has finished with it."""
    AGAIN = "again"
    """It is to be offered once more."""


class WatchedCard:
    """A card around a card that comes out when the station lets go of it, once it was talked to.

    It goes at a look of the driver, which so has seen it go, and lives: one that ends takes the power away as well.
    When a program looked, and not the service by itself, the service may take the next card for this one, and never
    give it power; such a card comes out again.
    """

    def __init__(self, card: Card, tell: Callable[[End], object]) -> None:
        """Wrap ``card``; ``tell`` is called at most once, from the thread that serves the reader."""
        self.card = card
        self._tell = tell
        self._used = False
        self._end: End | None = None
        self._looks = 0
        self._powered = False
        self._unpowered = 0

    @property
    def atr(self) -> bytes:
        """Answer to reset of the wrapped card. Raises `CardRemoved` when it comes out."""
        self._unpowered += not self._powered
        if self._unpowered > _UNPOWERED_LOOKS:
            self._end = End.AGAIN
        if self._end is not None:
            if not self._looks:
                self._tell(self._end)
                raise CardRemoved("卡片已取出", "the card was taken out")
            self._looks -= 1
        return self.card.atr

    def power_on(self) -> None:
        """Give the wrapped card power."""
        self._powered = True
        self.card.power_on()

    def power_off(self) -> None:
        """Take the power from the wrapped card."""
        self.card.power_off()
        self._ended(End.DONE)

    def reset(self) -> None:
        """Reset the wrapped card."""
        self.card.reset()
        self._ended(End.AGAIN, looks=1)  # to reset a card is to look at it

    def transmit(self, command: bytes) -> bytes:
        """Give a command to the wrapped card."""
        self._used = True
        return self.card.transmit(command)

    def _ended(self, how: End, looks: int = 0) -> None:
        if self._used and self._end is None:
            self._end, self._looks = how, looks


class FedReader:
    """One reader of the driver into which cards are put one after the other."""

    def __init__(self, port: int, host: str = HOST) -> None:
        """Name the slot; nothing is connected yet."""
        self.port = port
        self._host = host
        self._reader = VirtualReader(host, port)

    def offer(self, card: Card, stop: threading.Event) -> End:
        """Put ``card`` in, wait until the station is done with it or it comes out otherwise, and take it out.

        Returns when the driver has seen that the reader is empty, so that the next card is not taken for this one.
        Raises what writing the image raised.
        """
        ends: SimpleQueue[End] = SimpleQueue()
        if not self._insert(WatchedCard(card, ends.put), stop):
            return End.AGAIN
        how = End.AGAIN
        try:
            while self._reader.inserted and not stop.is_set():
                with contextlib.suppress(Empty):
                    how = ends.get(timeout=_TICK)
                    break
        finally:
            self._reader.remove()
        if how is End.AGAIN:
            self._await_look(stop)
        return how

    def _insert(self, card: Card, stop: threading.Event) -> bool:
        while not stop.is_set():
            with contextlib.suppress(ServiceUnavailable):
                self._reader.insert(card)
                return True
            stop.wait(_TICK)
        return False

    def _await_look(self, stop: threading.Event) -> None:
        """Wait until the driver has looked at the empty reader twice, as what broke off may have asked as well.

        It asks for an answer to reset, and gets none.
        """
        looks = 0
        while looks < 2 and not stop.is_set():
            question = b""
            with (
                contextlib.suppress(OSError),
                socket.create_connection((self._host, self.port), timeout=_LOOK) as probe,
            ):
                while len(question) < len(_QUESTION) and (piece := probe.recv(len(_QUESTION) - len(question))):
                    question += piece
            if question == _QUESTION:
                looks += 1
            else:
                stop.wait(_TICK)


class Box:
    """The cards of a folder, in a row; threads share it."""

    def __init__(self, folder: Path) -> None:
        """Take the images of ``folder`` in the order of their names. Raises `InputError` when there is none."""
        self._folder = folder
        self._waiting = deque(sorted(folder.glob("*.vcard")))
        self._out = 0
        self._changed = threading.Condition()
        if not self._waiting:
            raise InputError(
                "目录中没有虚拟卡（*.vcard）；可用 juying virtual new --count 制作",
                "there are no virtual cards (*.vcard) in the folder: make some with juying virtual new --count",
                where=str(folder),
            )

    def __len__(self) -> int:
        """How many cards are not done."""
        with self._changed:
            return len(self._waiting) + self._out

    def take(self, stop: threading.Event) -> Path | None:
        """The next card; waits for one that may come back. None when all are done, or when ``stop`` is set."""
        with self._changed:
            while not self._waiting and self._out and not stop.is_set():
                self._changed.wait(_TICK)
            if not self._waiting or stop.is_set():
                return None
            self._out += 1
            return self._waiting.popleft()

    def give_back(self, image: Path, how: End) -> None:
        """A card came out: lay it aside, or at the back. Raises `InputError` when it cannot be laid aside."""
        with self._changed:
            self._out -= 1
            if how is End.AGAIN:
                self._waiting.append(image)
            else:
                _lay_aside(image, self._folder / DONE)
            self._changed.notify_all()


class Feeder:
    """Feeds the cards of a box into several readers at once.

    ``tell`` hears of every card that came out: its file, the port, and how.
    """

    def __init__(
        self,
        box: Box,
        ports: Sequence[int],
        *,
        host: str = HOST,
        tell: Callable[[Path, int, End], object] = lambda image, port, how: None,
    ) -> None:
        """Name the ports of the readers."""
        self._box, self._tell = box, tell
        self._readers = [FedReader(port, host) for port in ports]

    def run(self, stop: threading.Event) -> None:
        """Feed until every card is done or ``stop`` is set. Raises the first error of an image, which ends it too."""
        errors: list[Exception] = []
        threads = [
            threading.Thread(target=self._feed, args=(reader, stop, errors), name=f"feeder:{reader.port}", daemon=True)
            for reader in self._readers
        ]
        for thread in threads:
            thread.start()
        try:
            _join(threads)
        except BaseException:
            stop.set()
            _join(threads)
            raise
        if errors:
            raise errors[0]

    def _feed(self, reader: FedReader, stop: threading.Event, errors: list[Exception]) -> None:
        try:
            while (image := self._box.take(stop)) is not None:
                how = reader.offer(load_card(image, autosave=True), stop)
                self._box.give_back(image, how)
                self._tell(image, reader.port, how)
        except Exception as error:  # handed over to the caller of run()
            errors.append(error)
            stop.set()


def _join(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(_TICK)  # in slices, because some systems cannot interrupt a wait


def _lay_aside(image: Path, folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        image.replace(folder / image.name)
    except OSError as error:
        raise InputError(
            f"卡片文件不能移走（{error.strerror}）",
            f"the image cannot be moved ({error.strerror})",
            where=str(image),
        ) from None
