"""Somebody who reads what the program says, and does what it asks for at a reader."""

import io
import queue
import threading
from typing import Self

from juying.card.virtual.card import Card
from juying.card.virtual.vpcd import VirtualReader
from tests.harness import PrivatePcscd, Slot


class Clerk(io.StringIO):
    """Standard error, followed on a thread; ``said`` is what stood there. `hear` is for those who do more.

    A card is taken out when the program asks for that.
    """

    def __init__(self, pcscd: PrivatePcscd, slot: Slot, cards: list[Card]) -> None:
        super().__init__()
        self.said: list[str] = []
        self._pcscd, self._slot, self.cards = pcscd, slot, cards
        self.reader = VirtualReader(port=slot.port)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work)

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self._lines.put(line)
        return len(text)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.put(None)
        self._thread.join()
        self.reader.remove()

    def hear(self, line: str) -> None:
        """One line of what the program says."""
        if "take the card out" in line:
            self.reader.remove()
            self._pcscd.wait_for_card(self._slot.name, present=False)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            self.said.append(line)
            self.hear(line)
