"""A stand-in for pyscard's ``smartcard.scard`` that answers what a test tells it."""

import threading
from collections.abc import Callable, Sequence
from typing import Any


class ScriptedScard:
    """Every call succeeds until told otherwise with ``fails`` or by replacing a method."""

    SCARD_SCOPE_USER = 0
    SCARD_SHARE_EXCLUSIVE = 1
    SCARD_SHARE_SHARED = 2
    SCARD_PROTOCOL_T0 = SCARD_PCI_T0 = 1
    SCARD_PROTOCOL_T1 = SCARD_PCI_T1 = 2
    SCARD_LEAVE_CARD = 0
    SCARD_RESET_CARD = 1

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.codes: dict[str, int] = {}
        self.readers: list[str] = ["Reader A"]
        self.flags: dict[str, int] = {}
        self.answer: Sequence[int] = [0x90, 0x00]
        self.stopped = threading.Event()
        self.on_wait: Callable[[], None] = lambda: None

    def fails(self, name: str, code: int) -> None:
        """Let the function of this name give this result code from now on; 0 heals it."""
        self.codes[name] = code

    def _code(self, name: str) -> int:
        self.calls.append(name)
        return self.codes.get(name, 0)

    def SCardEstablishContext(self, _scope: int) -> tuple[int, int]:  # noqa: N802
        return self._code("SCardEstablishContext"), 1

    def SCardReleaseContext(self, _context: int) -> int:  # noqa: N802
        return self._code("SCardReleaseContext")

    def SCardListReaders(self, _context: int, _groups: list[str]) -> tuple[int, list[str]]:  # noqa: N802
        return self._code("SCardListReaders"), self.readers

    def SCardConnect(self, *_: Any) -> tuple[int, int, int]:  # noqa: N802
        return self._code("SCardConnect"), 2, 2

    def SCardStatus(self, _card: int) -> tuple[int, str, int, int, list[int]]:  # noqa: N802
        return self._code("SCardStatus"), self.readers[0], 0, 2, [0x3B, 0x00]

    def SCardTransmit(self, *_: Any) -> tuple[int, Sequence[int]]:  # noqa: N802
        return self._code("SCardTransmit"), self.answer

    def SCardDisconnect(self, *_: Any) -> int:  # noqa: N802
        return self._code("SCardDisconnect")

    def SCardCancel(self, _context: int) -> int:  # noqa: N802
        return self._code("SCardCancel")

    def SCardGetStatusChange(  # noqa: N802
        self, _context: int, milliseconds: int, states: list[tuple[str, int, list[int]]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        if milliseconds:
            self.on_wait()
        code = self._code("wait" if milliseconds else "look")
        return code, [(name, self.flags.get(name, 0x10), atr) for name, _, atr in states]
