"""Cards that misbehave on purpose.

A fault is put around a card, or around another fault, and has the same five methods. Commands are counted from 1,
from the moment the fault is put on. Every fault strikes once: after that (for `Mute`: after the next reset) the
card works again, as a real one does when it is put back into the reader.
"""

import itertools
import time
from collections.abc import Callable

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.memory import Memory
from juying.errors import CardRemoved, CommandTimeout


class Fault:
    """A card around a card; by itself it changes nothing."""

    def __init__(self, card: "VirtualCard | Fault") -> None:
        """Wrap ``card``."""
        self.card = card
        self._numbers = itertools.count(1)

    @property
    def atr(self) -> bytes:
        """Answer to reset of the wrapped card."""
        return self.card.atr

    @property
    def memory(self) -> Memory:
        """Memory of the innermost card."""
        return self.card.memory

    def power_on(self) -> None:
        """Give the wrapped card power."""
        self.card.power_on()

    def power_off(self) -> None:
        """Take the power from the wrapped card."""
        self.card.power_off()

    def reset(self) -> None:
        """Reset the wrapped card."""
        self.card.reset()

    def transmit(self, command: bytes) -> bytes:
        """Count the command and give it to `answer`."""
        return self.answer(next(self._numbers), command)

    def answer(self, number: int, command: bytes) -> bytes:
        """Answer command ``number``; this is what a fault changes."""
        return self.card.transmit(command)


class TearAfterCommand(Fault):
    """The card is pulled once command ``number`` has been carried out; its answer never arrives.

    With 0 it is pulled before the first command.
    """

    def __init__(self, card: VirtualCard | Fault, number: int) -> None:
        """Tear after command ``number``."""
        super().__init__(card)
        self._last = number

    def answer(self, number: int, command: bytes) -> bytes:
        """Raise `CardRemoved` when the time has come."""
        if number != max(self._last, 1):
            return self.card.transmit(command)
        if self._last:
            self.card.transmit(command)
        self.power_off()
        raise CardRemoved("卡片在通信中被拔出", "the card was pulled out during the exchange")


class TearAfterByte(Fault):
    """The card loses power once ``count`` more bytes were written to its memory and another is due."""

    def __init__(self, card: VirtualCard | Fault, count: int) -> None:
        """Let the memory take ``count`` bytes.

        The one byte that makes an appended record current counts too, as do drafts and the last byte of a change that
        takes effect as a whole (see `Memory.flip`): counters of tries, keys, the PIN, states.
        """
        super().__init__(card)
        self.memory.budget = count


class Mute(Fault):
    """From command ``number`` on the card does nothing and says nothing, until it is reset."""

    def __init__(self, card: VirtualCard | Fault, number: int) -> None:
        """Fall silent at command ``number``."""
        super().__init__(card)
        self._first: int | None = number
        self._silent = False

    def power_on(self) -> None:
        """End the silence."""
        self._recover()
        super().power_on()

    def reset(self) -> None:
        """End the silence."""
        self._recover()
        super().reset()

    def answer(self, number: int, command: bytes) -> bytes:
        """Raise `CommandTimeout` at once, as no answer will ever come."""
        if self._first is None or number < self._first:
            return self.card.transmit(command)
        self._silent = True
        raise CommandTimeout("卡片没有应答", "the card does not answer")

    def _recover(self) -> None:
        if self._silent:
            self._first = None


class Garbage(Fault):
    """Command ``number`` is carried out, but ``noise`` arrives in place of its answer."""

    def __init__(self, card: VirtualCard | Fault, number: int, noise: bytes = b"\x00") -> None:
        """Spoil the answer to command ``number``."""
        super().__init__(card)
        self._number, self._noise = number, noise

    def answer(self, number: int, command: bytes) -> bytes:
        """The noise when the time has come."""
        answer = self.card.transmit(command)
        return self._noise if number == self._number else answer


class WrongStatus(Fault):
    """Command ``number`` is not carried out; the card answers ``sw``."""

    def __init__(self, card: VirtualCard | Fault, number: int, sw: int = 0x6F00) -> None:
        """Refuse command ``number``."""
        super().__init__(card)
        self._number, self._sw = number, sw

    def answer(self, number: int, command: bytes) -> bytes:
        """The status word when the time has come."""
        return self._sw.to_bytes(2, "big") if number == self._number else self.card.transmit(command)


class Slow(Fault):
    """Every command takes ``seconds`` longer; ``sleep`` is what waits."""

    def __init__(
        self, card: VirtualCard | Fault, seconds: float, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        """Delay every answer."""
        super().__init__(card)
        self._seconds, self._sleep = seconds, sleep

    def answer(self, number: int, command: bytes) -> bytes:
        """Wait, then let the card answer."""
        self._sleep(self._seconds)
        return self.card.transmit(command)
