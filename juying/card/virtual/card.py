"""The virtual card: five methods make a card.

What the card *is* comes from the profile and from its `Memory`; what goes on with it lives in a `Session` that
every reset replaces.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Protocol

from juying.card.transport import CardProtocol
from juying.card.virtual import framing
from juying.card.virtual.administration import ADMINISTRATION
from juying.card.virtual.commands import COMMANDS, GET_RESPONSE, UPDATES
from juying.card.virtual.debit import equip_debit
from juying.card.virtual.memory import ISSUER_FILE, NUMBER_TAG, Lock, Memory, factory_memory, issuer_record
from juying.card.virtual.messaging import protected
from juying.card.virtual.security import SECURITY
from juying.card.virtual.session import AnswerError, Session
from juying.card.virtual.tree import Command, Tree
from juying.card.virtual.tunion import TransitIssue, add_transit, equip
from juying.codec.spec import Profile
from juying.codec.tunion.layout import has_transit, with_transit
from juying.crypto.keys import CardKey
from juying.errors import CardRemoved

_PLAIN: Mapping[int, Command] = {**COMMANDS, **SECURITY}
"""Commands of class 00 and 10, by instruction byte."""
_OTHER_CLASSES: Mapping[tuple[int, int], Command] = {
    **ADMINISTRATION,
    **{(cla, ins): protected(COMMANDS[ins]) for ins in UPDATES for cla in (framing.SECURE, framing.PROPRIETARY_SECURE)},
}
"""Commands by class and instruction byte."""
_ADMINISTRATIVE = frozenset(ins for _, ins in ADMINISTRATION)
_WHEN_LOCKED = frozenset({0x18, 0x84, 0xA4, 0xC0})
"""What a blocked application still does: APPLICATION UNBLOCK, GET CHALLENGE for it, SELECT, GET RESPONSE."""
_CHAINED = 0x10


class Card(Protocol):
    """Anything that behaves like a card: a `VirtualCard`, or one with a fault around it."""

    @property
    def atr(self) -> bytes:
        """Answer to reset."""

    def power_on(self) -> None:
        """Give the card power; it starts as after a reset."""

    def power_off(self) -> None:
        """Take the power away; the session is lost, the memory stays."""

    def reset(self) -> None:
        """Start a new session."""

    def transmit(self, command: bytes) -> bytes:
        """Carry out one command and return data and status word; `CardRemoved` without power."""


class Lifecycle(StrEnum):
    """Where a card stands; derived from its contents."""

    BLANK = "blank"
    PERSONALISED = "personalised"
    BLOCKED = "blocked"


class VirtualCard:
    """A social security card in software, with the real card's ISO 7816-4 behaviour.

    ``on_change`` is called after every command that changed the memory, before its answer is given; if it raises,
    the terminal gets no answer. Commands never raise anything but `CardRemoved` (no power, or a tear).

    >>> card = VirtualCard.blank(load_profile("ssc-v3"))    # doctest: +SKIP
    >>> card.power_on()                                     # doctest: +SKIP
    >>> card.transmit(bytes.fromhex("00A4000C023F00"))      # doctest: +SKIP
    b'\\x90\\x00'
    """

    def __init__(
        self, profile: Profile, memory: Memory, *, random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        """Put ``memory``, which must suit the profile, into a card without power; see `blank` for a new one.

        ``random`` gives as many random bytes as it is asked for; another one makes a session that can be repeated.
        """
        self.profile = profile
        self.memory = memory
        self._random = random
        self.on_change: Callable[[], None] | None = None
        self._seen = memory.changes
        self._tree = Tree(profile, memory)
        if has_transit(memory.files):
            equip(self._tree, memory)
        equip_debit(self._tree, memory)
        self._session: Session | None = None
        self._atr = answer_to_reset(profile.protocol, memory.historical)
        t0 = profile.protocol == "T=0"
        self._parse = framing.parse_t0 if t0 else framing.parse_t1
        self._reply = framing.reply_t0 if t0 else framing.reply_t1
        self._warn = framing.warning_t0 if t0 else framing.warning_t1
        self._chaining = not t0

    @classmethod
    def blank(
        cls,
        profile: Profile,
        *,
        region: str = "331000",
        serial: bytes | None = None,
        optional: Collection[str] = (),
        keys: Callable[[CardKey], bytes] | None = None,
        transit: TransitIssue | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> "VirtualCard":
        """A card as it leaves the factory: card identifier and profile version written, all else blank.

        ``region`` is the city (6 digits, GB/T 2260), ``serial`` 4 bytes (random if not given); both show in the
        identifier and at the end of the ATR, as observed on real cards. ``optional`` names the optional files
        (``"SSSE/EF0D"``) that this card has. ``keys`` makes the card's keys (16 bytes each), by default the public
        demonstration keys; the PIN is the initial one. With ``transit`` the chip carries the transport application
        too, as cards of profile ``tunion`` do in any case. Raises `InputError`.
        """
        serial = random(4) if serial is None else serial
        profile = profile if transit is None else with_transit(profile)
        memory = factory_memory(profile, region, serial, optional, keys)
        if has_transit(memory.files):
            add_transit(memory, transit or TransitIssue())
        return cls(profile, memory, random=random)

    def __repr__(self) -> str:
        """Profile and state; the contents may be personal."""
        return f"VirtualCard({self.profile.name!r}, {self.state})"

    @property
    def atr(self) -> bytes:
        """Answer to reset: 13 historical bytes with the city and the serial at their end."""
        return self._atr

    @property
    def state(self) -> Lifecycle:
        """Blocked if so marked, personalised once it has a card number (a transport card has one), else blank."""
        if self.memory.blocked:
            return Lifecycle.BLOCKED
        if ISSUER_FILE not in self.memory.files:
            return Lifecycle.PERSONALISED
        index, record = issuer_record(self.profile, NUMBER_TAG)
        blank = bytes(self.memory.files[ISSUER_FILE][index]) == record.blank
        return Lifecycle.BLANK if blank else Lifecycle.PERSONALISED

    @property
    def locks(self) -> Mapping[str, Lock]:
        """The applications that are blocked, by name."""
        return dict(self.memory.locks)

    @property
    def blocked_keys(self) -> tuple[str, ...]:
        """The keys without tries left, by application and name."""
        return tuple(name for name, key in self.memory.keys.items() if not key.tries)

    def block(self) -> None:
        """Block the card for good, as an act of the office: it answers 6A81 to every command from now on."""
        self.memory.blocked = True
        self.memory.changes += 1
        self._announce()

    def power_on(self) -> None:
        """Give the card power: the master file is selected, nothing else is known."""
        self._session = Session(self._tree, self.memory, self._random)

    def power_off(self) -> None:
        """Take the power away; what is selected or waits to be fetched is lost, the memory stays."""
        self._session = None

    def reset(self) -> None:
        """Start a new session, as `power_on` does; a card without power stays without."""
        if self._session is not None:
            self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Carry out one command APDU (with T=0: TPDU); the answer is data and two bytes of status word.

        Any bytes are answered. Raises `CardRemoved` when the card has no power or loses it (see `Memory.budget`).
        """
        session = self._session
        if session is None:
            raise CardRemoved(
                "卡片没有通电：请重新插入或复位", "the card has no power: insert it again or reset the reader"
            )
        selection = session.selection
        try:
            response = self._answer(session, command)
        except AnswerError as answer:
            if answer.sw >= 0x6300:
                session.restore(selection)
                session.drop_chain()
            response = answer.data + answer.sw.to_bytes(2)
        except CardRemoved:
            self.power_off()
            self._announce()
            raise
        if self.memory.changes != self._seen:
            self._announce()
        return response

    def _answer(self, session: Session, command: bytes) -> bytes:
        if self.memory.blocked:
            raise AnswerError(0x6A81)
        request = self._parse(command)
        cla, ins, directory = request.cla, request.ins, session.directory
        if ins != GET_RESPONSE:
            session.pending = b""
        run = directory.commands.get(ins)
        if cla & ~_CHAINED:
            session.drop_chain()
            run = run or _OTHER_CLASSES.get((cla, ins))
            if run is None:
                raise framing.wrong_class(cla)
        else:
            run = run or _PLAIN.get(ins)
            if run is None:
                raise AnswerError(0x6E00 if ins in _ADMINISTRATIVE else 0x6D00)
            if cla and not self._chaining:
                raise AnswerError(0x6884)
            if cla or session.chain_head:
                whole = framing.assemble(session, request)
                if whole is None:
                    return framing.OK
                request = whole
        if directory.name in self.memory.locks and ins not in _WHEN_LOCKED:
            raise AnswerError(0x6985)
        try:
            return self._reply(session, request, run(session, request))
        except AnswerError as answer:
            if answer.sw >> 8 != 0x62:
                raise
            return self._warn(session, request, answer)

    def _announce(self) -> None:
        if self.on_change is not None:
            self.on_change()
        self._seen = self.memory.changes


def answer_to_reset(protocol: CardProtocol, historical: bytes) -> bytes:
    """The ATR (ISO 7816-3) around 13 historical bytes.

    T=0 as observed: TB1 = TC1 = 00, no check byte. T=1 (our choice): the same, then TD1 81 and TD2 31 offer T=1
    only, TA3 FE sets blocks of 254 bytes, TB3 45 the waiting times, and TCK closes it.
    """
    if protocol == "T=0":
        return bytes((0x3B, 0x60 | len(historical), 0x00, 0x00)) + historical
    body = bytes((0xE0 | len(historical), 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45)) + historical
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes((check,))
