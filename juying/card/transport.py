"""The way to a card: one method, bytes in and bytes out.

Everything else (status words, long answers, recording, masking) is a small wrapper around it. A transport is used
by one thread at a time.
"""

from types import TracebackType
from typing import Literal, Protocol, Self

CardProtocol = Literal["T=0", "T=1"]
"""Transmission protocol of the line; contactless cards count as T=1, as PC/SC has it."""


class Transport(Protocol):
    """A card that is powered and listens.

    ``atr`` is its answer to reset, ``protocol`` the protocol of the line, ``name`` the reader or the source, for
    people. ``transmit`` takes one encoded command and gives the card's whole answer, status word included; it
    raises a TransportError when there is no answer. ``close`` may be called twice.
    """

    @property
    def atr(self) -> bytes:
        """Answer to reset."""

    @property
    def protocol(self) -> CardProtocol:
        """Protocol of the line."""

    @property
    def name(self) -> str:
        """Reader or source, for people."""

    def transmit(self, command: bytes) -> bytes:
        """Send one command, take its answer."""

    def close(self) -> None:
        """Let go of the card."""


class Closing:
    """For transports of ours: ``with`` closes them."""

    def close(self) -> None:
        """Let go of the card; a transport that holds something overrides this."""

    def __enter__(self) -> Self:
        """The transport itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
