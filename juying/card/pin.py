"""The holder's PIN: where it comes from, and how it gets to the card.

A `PinSource` is asked once for each card and gives a `PinEntry`, which verifies or changes the PIN on that card. The
PIN itself stays inside: it is in no message, and nothing above ever holds it. It has six digits, sent as three BCD
bytes (observed). `juying.card.pin_pad` lets the holder type it on the reader instead.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from juying.card.apdu import Command
from juying.card.channel import Channel
from juying.card.status import OK
from juying.errors import InputError

PIN_DIGITS = 6
"""Digits of a PIN (observed)."""

PIN_VARIABLE = "JUYING_PIN"
"""Environment variable from which `environment_pin` takes the PIN."""

VERIFY, CHANGE = (0x00, 0x20, 0x00, 0x00), (0x80, 0x5E, 0x01, 0x00)
"""CLA, INS, P1, P2 of VERIFY and CHANGE PIN (observed)."""

SEPARATOR = b"\xff"
"""Between the old and the new PIN in CHANGE PIN (observed)."""

_MAX_FILE = 64

Ask = Callable[[], str]
"""Gives the digits of a PIN when they are needed."""


class PinEntry(Protocol):
    """The PIN of one card."""

    def verify(self) -> int:
        """Show the PIN to the card in its selected application; the status word of card or reader."""

    def change(self, new: Ask) -> int:
        """Replace the PIN; the status word of card or reader. A PIN pad asks for the new one itself."""


PinSource = Callable[[Channel], PinEntry]
"""Where PINs come from: given a card, how its PIN is entered."""


class TypedPin:
    """A PIN that passes through this machine; it is asked for at its first use and kept for this card only."""

    def __init__(self, ask: Ask, channel: Channel) -> None:
        """Ask with ``ask``, verify through ``channel``."""
        self._ask = ask
        self._channel = channel
        self._block = bytearray()

    def __repr__(self) -> str:
        """Without the PIN."""
        return "TypedPin()"

    def verify(self) -> int:
        """See `PinEntry.verify`; `InputError` for a PIN that cannot be one."""
        self._block[:] = self._block or pin_block(self._ask())
        sw = self._channel.transmit(Command(*VERIFY, bytes(self._block))).sw
        if sw != OK:
            self._forget()
        return sw

    def change(self, new: Ask) -> int:
        """See `PinEntry.change`; `InputError` for a PIN that cannot be one."""
        old = bytes(self._block) or pin_block(self._ask())
        sw = self._channel.transmit(Command(*CHANGE, old + SEPARATOR + pin_block(new()))).sw
        self._forget()
        return sw

    def _forget(self) -> None:
        self._block[:] = bytes(len(self._block))
        self._block.clear()


def typed_pin(ask: Ask) -> PinSource:
    """A source that calls ``ask`` once for each card: a prompt, or digits that are known already."""
    return lambda channel: TypedPin(ask, channel)


def environment_pin() -> PinSource | None:
    """The PIN in the environment variable JUYING_PIN; None when it is not set."""
    digits = os.environ.get(PIN_VARIABLE)
    return typed_pin(lambda: digits) if digits else None


def file_pin(path: Path) -> PinSource:
    """The PIN in a file of one line, read when it is needed. `InputError` then for a file that cannot be read."""

    def ask() -> str:
        try:
            with path.open("rb") as file:
                return file.read(_MAX_FILE).decode("ascii", "replace").strip()
        except OSError as error:
            raise InputError("个人密码文件无法读取", "the PIN file cannot be read", where=str(path)) from error

    return typed_pin(ask)


def pin_block(digits: str) -> bytes:
    """A PIN as the card takes it, 3 bytes BCD. Raises `InputError` unless there are six digits."""
    if len(digits) != PIN_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise InputError(f"个人密码应为 {PIN_DIGITS} 位数字", f"a PIN has {PIN_DIGITS} digits")
    return bytes.fromhex(digits)
