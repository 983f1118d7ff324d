"""What a terminal has: where cards come in, and what holds its keys."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from juying.card.psam import PsamKeys, psam_factors
from juying.card.transport import Transport
from juying.crypto.block import Cipher
from juying.crypto.keys import CardKey, Keys, RawKeys
from juying.errors import CardError, CardRemoved, KeyUseError, ReaderUnavailable
from juying.terminal.codes import KEY_NOT_FOUND, NO_PURCHASE, CallError, Code, refused
from juying.text import Text

READ_KEY, PURCHASE_KEY = "SSSE/RKSSSE", "DF04/DPK"

Slot = Callable[[], Transport]
"""Opens the card that is in one place."""


class Interface(IntEnum):
    """iType: which way to the card."""

    CONTACT = 1
    CONTACTLESS = 2
    CONTACT_FIRST = 3
    CONTACTLESS_FIRST = 4


@dataclass(frozen=True, slots=True)
class Slots:
    """The places where a card may be; a terminal need not have both."""

    contact: Slot | None = field(default=None, repr=False)
    contactless: Slot | None = field(default=None, repr=False)

    def open(self, kind: int) -> Transport:
        """The card that iType names. Raises `CallError` -14, -13 where there is no such place, and `TransportError`."""
        try:
            interface = Interface(kind)
        except ValueError:
            raise CallError(Code.PARAMETER, Text("iType 应为 1 至 4", "iType is 1 to 4")) from None
        both = [self.contact, self.contactless]
        if interface in (Interface.CONTACTLESS, Interface.CONTACTLESS_FIRST):
            both.reverse()
        wanted = both[:1] if interface in (Interface.CONTACT, Interface.CONTACTLESS) else both
        slots = [slot for slot in wanted if slot is not None]
        if not slots:
            raise CallError(Code.UNSUPPORTED, Text("没有设置此类读卡器", "no reader of this kind is set up"))
        for slot in slots[:-1]:
            try:
                return slot()
            except (CardRemoved, ReaderUnavailable):
                continue
        return slots[-1]()


class Module(Protocol):
    """What holds a terminal's keys."""

    def keys(self) -> Keys:
        """The keys, ready for use. Raises `CallError` -2201 when they cannot be had."""

    def close(self) -> None:
        """Let go of them."""


@dataclass(frozen=True, slots=True)
class Store:
    """Keys that are there already: a key store, a token."""

    held: Keys

    def keys(self) -> Keys:
        """See `Module.keys`."""
        return self.held

    def close(self) -> None:
        """Whoever opened them closes them."""


class PsamSlot:
    """A PSAM in a slot of its own; it may be put in later, or taken out and put in again."""

    def __init__(self, slot: Slot) -> None:
        """Take what opens the PSAM."""
        self._slot = slot
        self._psam: PsamKeys | None = None

    def keys(self) -> PsamKeys:
        """See `Module.keys`."""
        if self._psam is not None:
            try:
                self._psam.knows(Cipher.TDES)
            except CardError:
                self.close()
        if self._psam is None:
            self._psam = self._open()
        return self._psam

    def _open(self) -> PsamKeys:
        try:
            transport = self._slot()
            try:
                return PsamKeys.open(transport)
            except CardError:
                transport.close()
                raise
        except CardError as error:
            raise CallError(Code.NO_PSAM, error.text) from None

    def close(self) -> None:
        """Let go of the PSAM."""
        if self._psam is not None:
            self._psam.close()
        self._psam = None


class NoKeys(RawKeys):
    """A `juying.crypto.keys.Keys` without any: a virtual card too is to see a terminal that has none."""

    @property
    def title(self) -> Text:
        """What holds the keys, for people."""
        return Text("本终端", "this terminal")

    def _city_key(self, key: CardKey) -> bytearray | None:
        return None


def lacking(keys: Keys, key: CardKey) -> CallError:
    """The end of a call for which ``keys`` did not do with ``key`` what they should, told as terminals tell it."""
    if isinstance(keys, NoKeys):
        return CallError(Code.NO_PSAM)
    if isinstance(keys, PsamKeys) and not keys.knows(key.cipher):
        return CallError(Code.NO_ALGORITHM)
    try:
        psam_factors(key)
    except KeyUseError as error:
        return CallError(Code.PSAM_LEVEL, error.text)
    if key.name == READ_KEY:
        return CallError(Code.NO_READ_KEY)
    if key.name == PURCHASE_KEY:
        return refused(NO_PURCHASE, Text("PSAM 卡不支持消费", "the PSAM does not support purchases"))
    return refused(KEY_NOT_FOUND, Text(f"{keys.title.zh}中没有密钥 {key.name}", f"{keys.title.en} lacks {key.name}"))
