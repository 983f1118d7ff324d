"""The card that waits between two HSM steps."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from juying.errors import CardError
from juying.terminal.card import TerminalCard
from juying.terminal.codes import CallError, Code
from juying.terminal.steps import Talk

TIME_LIMIT = 120.0
"""Seconds that a card waits for its next step (our choice)."""


class Conversation:
    """At most one function in steps; ``clock`` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start with none."""
        self._clock = clock
        self._name = ""
        self._step = 0
        self._deadline = 0.0
        self._card: TerminalCard | None = None
        self._talk: Talk | None = None

    def begin(self, name: str, card: TerminalCard, talk: Talk) -> str:
        """Step 1 of the function ``name``; the card belongs to the conversation from now on."""
        self.end()
        self._name, self._step, self._card, self._talk = name, 1, card, talk
        return self._next(lambda: next(talk))

    def go_on(self, name: str, step: int, arguments: Sequence[str]) -> str:
        """A later step. Raises `CallError` -12 when it is not what comes next, or when it comes too late."""
        talk = self._talk
        if talk is None or (name, step) != (self._name, self._step + 1) or self._clock() > self._deadline:
            self.end()
            raise CallError(Code.NOT_CONNECTED)
        self._step = step
        return self._next(lambda: talk.send(tuple(arguments)))

    def _next(self, step: Callable[[], str]) -> str:
        """What the function says next; whatever ends it lets go of the card."""
        try:
            text = step()
        except StopIteration as done:
            self.end()
            return str(done.value)
        except BaseException:
            self.end()
            raise
        self._deadline = self._clock() + TIME_LIMIT
        return text

    def end(self) -> None:
        """Let go of the card, if there is one."""
        card, self._card, self._talk = self._card, None, None
        if card is not None:
            with suppress(CardError):
                card.channel.close()
