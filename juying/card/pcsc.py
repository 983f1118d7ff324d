"""Real readers through PC/SC: which there are, what is in them, and a connection to one card.

pyscard stays behind this module; nothing else in juying imports it. Only its thin ``smartcard.scard`` layer is used,
and three habits end here: it cuts numbers to eight bits without a word, it hands out unset memory as the "answer"
of a call that failed, and it waits for ever for a card that does not answer.
"""

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import NamedTuple, Self

from juying.card.pcsc_codes import (
    CANCELLED,
    COMM_ERROR,
    NO_READERS_AVAILABLE,
    NOT_TRANSACTED,
    REMOVED_CARD,
    SUCCESS,
    TIMEOUT,
    check,
    dead,
    error_of,
    no_answer,
    service_unavailable,
    unsigned,
)
from juying.card.pcsc_timeout import Step, guarded
from juying.card.transport import CardProtocol, Closing
from juying.errors import (
    CardError,
    CardRemoved,
    InputError,
    ProtocolError,
    ReaderUnavailable,
    TransportError,
)
from juying.text import Text

PNP = "\\\\?PnP?\\Notification"
"""The name under which PC/SC tells that a reader was plugged in or out."""

# Flags of a reader's state, the same on every system (winscard.h, pcsclite.h). The upper 16 bits of a state count
# insertions and removals, where the system counts them (Windows, pcsc-lite).
UNAWARE = 0x0000
PRESENT = 0x0020
EXCLUSIVE = 0x0080
MUTE = 0x0200

SHORTEST, LONGEST = 4, 65544  # bytes of a command: a header alone; extended header, 65535 bytes and Le
_BYTES = (bytes, bytearray, memoryview)
ENTRY_TIME = 120.0  # seconds more that a control command may take: PINs are typed three times to change one
REMOVAL_SEEN = 600  # milliseconds until pcscd has surely noticed that a card is gone (it looks every 200 or 400)


class ReaderState(NamedTuple):
    """What the service says about one reader: its name, the flags above with the counter, and the ATR."""

    name: str
    flags: int = UNAWARE
    atr: bytes = b""


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """One reader and what is in it.

    ``atr`` is empty without a card, and with a card that does not answer (``mute``). ``held`` says that a program
    has the card for itself alone.
    """

    name: str
    card_present: bool
    atr: bytes = b""
    mute: bool = False
    held: bool = False


def reader_names() -> list[str]:
    """The names of all readers, in the order of the service; ServiceUnavailable when there is none to ask."""
    with Service() as service:
        return service.reader_names()


def readers() -> list[ReaderStatus]:
    """All readers and what is in them; ServiceUnavailable when there is no service to ask."""
    with Service() as service:
        states = service.states([ReaderState(name) for name in service.reader_names()])
    return [
        ReaderStatus(
            state.name,
            card_present=bool(state.flags & PRESENT),
            atr=state.atr,
            mute=bool(state.flags & MUTE),
            held=bool(state.flags & EXCLUSIVE),
        )
        for state in states
    ]


def open_card(reader: str | None = None, *, timeout: float = 10.0, exclusive: bool = True) -> "PcscTransport":
    """Connect to a card: by the exact name of its reader, by a part that only one name has, or to the only card.

    ``timeout`` and ``exclusive`` are those of ``PcscTransport.open``, and so are the errors; besides: InputError
    with the names to choose from when several fit, ReaderUnavailable when none fits or there is no reader,
    CardRemoved when no card is given by name and no reader has one.
    """
    name = _the_only_card(readers()) if reader is None else find_reader(reader)
    return PcscTransport.open(name, timeout=timeout, exclusive=exclusive)


class PcscTransport(Closing):
    """A connection to one card: ``atr``, ``protocol`` and ``transmit``, bytes in and bytes out.

    After any error of ``transmit``, and most of all after a time-out, the connection is dead: nobody knows what the
    card did, so no further command gets through and every attempt says why. Open the card again.
    """

    def __init__(self, connection: "_Connection") -> None:
        """Use ``PcscTransport.open`` or ``open_card``."""
        self.name: str = connection.reader
        self.atr: bytes = connection.atr
        self.protocol: CardProtocol = connection.protocol
        self._connection = connection
        weakref.finalize(self, connection.end).atexit = False  # for a transport that nobody closed

    @classmethod
    def open(cls, reader: str, *, timeout: float = 10.0, exclusive: bool = True) -> Self:
        """Connect to the card in the reader of exactly this name.

        ``timeout`` is the longest time, in seconds, that connecting or any later command may take. With
        ``exclusive`` no other program reaches the card meanwhile, and ``close`` resets it; otherwise the card is
        shared and left as it is, and ``transaction()`` keeps others away for a while.

        Raises ServiceUnavailable, ReaderUnavailable, CardRemoved (the reader is empty), CommandTimeout, or a plain
        TransportError: another program holds the card, or the card does not come to life.
        """
        connection = _Connection(reader, timeout=timeout, exclusive=exclusive)
        connection.call(connection.connect)
        return cls(connection)

    def transmit(self, command: bytes) -> bytes:
        """Send one command and return the answer, two bytes or more with the status word at the end.

        Raises InputError, before the card sees anything, unless ``command`` is 4 to 65544 bytes. CardRemoved when
        the card was pulled, CommandTimeout when it did not answer in time, ProtocolError for an answer without a
        status word, TransportError when another program reset the card or the connection is dead already.
        """
        # Nothing but bytes: pyscard would send 256 in a list as 00.
        if not isinstance(command, _BYTES) or not SHORTEST <= len(command) <= LONGEST:
            raise InputError(
                f"命令必须是 {SHORTEST} 至 {LONGEST} 字节的 bytes",
                f"a command must be bytes, {SHORTEST} to {LONGEST} of them",
                where=self.name,
            )
        connection = self._connection
        return connection.call(connection.exchange, list(bytes(command)))

    def control(self, code: int, data: bytes) -> bytes:
        """Send a control command to the reader, such as "take a PIN from the keypad" (see `juying.card.pin_pad`).

        ``code`` is a control code of this system. A reader that does not know it says so with a TransportError, and
        the connection stays usable. The command may take ENTRY_TIME seconds longer than others, because somebody may
        be typing; otherwise errors are as in ``transmit``.
        """
        connection = self._connection
        refused: list[TransportError] = []

        def step(request: Sequence[int]) -> bytes:
            try:
                return connection.control(code, request)
            except TransportError as error:
                refused.append(error)
                return b""

        answer = connection.call(step, list(data), ENTRY_TIME)
        if refused:
            raise refused[0]
        return answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other programs from the card inside the ``with`` block, on a connection that is not exclusive.

        Keep it short: Windows resets a card that lies idle in a transaction for five seconds. Errors as in
        ``transmit``; CommandTimeout also when another program does not let go.
        """
        connection = self._connection
        connection.call(connection.begin)
        try:
            yield
        finally:
            with suppress(TransportError):  # a dead connection took its transaction along
                connection.call(connection.commit)

    def finish(self, *, eject: bool = False) -> None:
        """Let go of the card and take its power, which tells whoever fed it that it is done; ``eject`` moves it out."""
        scard = self._connection.scard
        self._connection.leave = scard.SCARD_EJECT_CARD if eject else scard.SCARD_UNPOWER_CARD
        self._connection.end()

    def close(self) -> None:
        """Let go of the card; harmless when repeated, or on a dead connection."""
        self._connection.end()


class Service(Closing):
    """One context of the PC/SC service; it lists readers and waits for changes. For one thread.

    ServiceUnavailable when the service does not run, and from every method once it is lost.
    """

    def __init__(self) -> None:
        """Ask the service for a context."""
        self.scard = _scard()
        code, self.context = self.scard.SCardEstablishContext(self.scard.SCARD_SCOPE_USER)
        check(code)

    def reader_names(self) -> list[str]:
        """The names of all readers."""
        code, names = self.scard.SCardListReaders(self.context, [])
        if unsigned(code) == NO_READERS_AVAILABLE:
            return []
        check(code)
        return list(names)

    def states(self, known: Sequence[ReaderState], *, milliseconds: int = 0) -> Sequence[ReaderState]:
        """Wait until a reader is not as ``known`` says any more; the states of all these readers.

        ``known`` itself comes back when nothing happened in that time, and after ``cancel``. A state of UNAWARE fits
        nothing, which makes this a question answered at once. ReaderUnavailable when a reader is gone.
        """
        if not known:
            return known
        entries = [(state.name, state.flags, list(state.atr)) for state in known]
        code, answer = self.scard.SCardGetStatusChange(self.context, milliseconds, entries)
        if unsigned(code) in (TIMEOUT, CANCELLED):
            return known
        check(code)
        return [ReaderState(name, unsigned(flags), bytes(atr)) for name, flags, atr in answer]

    def cancel(self) -> None:
        """From another thread: end its wait in ``states`` now."""
        self.scard.SCardCancel(self.context)

    def close(self) -> None:
        """Give the context back; that the service is gone is no error any more."""
        self.scard.SCardReleaseContext(self.context)


class _Connection:
    """A card handle, its guard, and what became of it."""

    def __init__(self, reader: str, *, timeout: float, exclusive: bool) -> None:
        self.reader = reader
        self.atr = b""
        self.protocol: CardProtocol = "T=0"
        self._timeout = timeout
        self._exclusive = exclusive
        self._service, self._guard = guarded(Service, timeout)
        self.scard = self._service.scard
        self.leave = self.scard.SCARD_RESET_CARD if exclusive else self.scard.SCARD_LEAVE_CARD
        self._opened = ExitStack()
        self._opened.enter_context(self._service)
        self._turn = threading.Lock()  # answers must not be mixed up, even for callers who break the rule
        self._ended: BaseException | None = None

    def call(self, step: Step, command: Sequence[int] = (), extra: float = 0.0) -> bytes:
        """Run a step that may take ``extra`` seconds; any error, Ctrl-C included, ends the connection."""
        with self._turn:
            if self._ended is not None:
                raise dead(self._ended, self.reader) from self._ended
            try:
                return self._guard.call(step, command, extra)
            except TimeoutError:
                error = no_answer(self.reader, self._timeout)
                self.end(error)
                raise error from None
            except BaseException as error:
                self.end(error)
                raise

    def end(self, why: BaseException | None = None) -> None:
        """Let go of the card for good."""
        if self._ended is None:
            self._ended = why or TransportError("连接已关闭", "the connection is closed", where=self.reader)
            self._guard.end(self._opened.close)

    def connect(self, _: Sequence[int]) -> bytes:
        """Power the card and learn its ATR and protocol."""
        scard = self.scard
        share = scard.SCARD_SHARE_EXCLUSIVE if self._exclusive else scard.SCARD_SHARE_SHARED
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, card, protocol = scard.SCardConnect(self._service.context, self.reader, share, protocols)
        check(code, self.reader)
        self._card = card
        self._opened.callback(self._disconnect)
        code, _name, _state, _protocol, atr = scard.SCardStatus(card)
        check(code, self.reader)
        self.atr = bytes(atr)
        if protocol == scard.SCARD_PROTOCOL_T1:
            self.protocol, self._pci = "T=1", scard.SCARD_PCI_T1
        else:
            self.protocol, self._pci = "T=0", scard.SCARD_PCI_T0
        return b""

    def exchange(self, apdu: Sequence[int]) -> bytes:
        """Send one command."""
        code, answer = self.scard.SCardTransmit(self._card, self._pci, apdu)
        if code != SUCCESS or len(answer) < 2:
            raise self._failure(unsigned(code))
        return bytes(answer)

    def control(self, code: int, data: Sequence[int]) -> bytes:
        """Send a control command to the reader."""
        result, answer = self.scard.SCardControl(self._card, code, data)
        check(result, self.reader)
        return bytes(answer)

    def begin(self, _: Sequence[int]) -> bytes:
        """Begin a transaction."""
        check(self.scard.SCardBeginTransaction(self._card), self.reader)
        return b""

    def commit(self, _: Sequence[int]) -> bytes:
        """End a transaction and leave the card as it is."""
        check(self.scard.SCardEndTransaction(self._card, self.scard.SCARD_LEAVE_CARD), self.reader)
        return b""

    def _disconnect(self) -> None:
        """Let go of the card as wished, which is after a reset if nobody shares it, if it is still there."""
        # Asked to reset a card that is gone, pcscd goes on to call the reader occupied.
        there = self.scard.SCardStatus(self._card)[0] == SUCCESS
        self.scard.SCardDisconnect(self._card, self.leave if there else self.scard.SCARD_LEAVE_CARD)

    def _failure(self, code: int) -> CardError:
        """What a failed exchange means; a pulled card shows up as one of several vague codes, or as no answer."""
        if code not in (SUCCESS, COMM_ERROR, NOT_TRANSACTED):
            return error_of(code, self.reader)
        try:
            [now] = self._service.states([ReaderState(self.reader, PRESENT)], milliseconds=REMOVAL_SEEN)
        except TransportError as error:
            return error
        if not now.flags & PRESENT:
            return error_of(REMOVED_CARD, self.reader)
        if code == SUCCESS:
            return ProtocolError("卡片的应答没有状态字", "the card's answer has no status word", where=self.reader)
        return error_of(NOT_TRANSACTED, self.reader)


@cache
def _scard() -> ModuleType:
    """pyscard's thin layer, loaded on first use; on Linux it needs the library of pcscd."""
    try:
        from smartcard import scard
    except ImportError as error:
        raise service_unavailable(Text("无法加载 pyscard", "pyscard cannot be loaded")) from error
    module: ModuleType = scard
    return module


def find_reader(wanted: str) -> str:
    """The name of the reader that ``wanted`` names, wholly or in part.

    Raises InputError with the names to choose from when several fit, ReaderUnavailable when none does.
    """
    names = reader_names()
    if wanted in names:
        return wanted
    fitting = [name for name in names if wanted.casefold() in name.casefold()]
    if not fitting:
        there = "; ".join(names) or "-"
        raise ReaderUnavailable(
            f"没有名称含“{wanted}”的读卡器；现有：{there}",
            f"no reader is named like '{wanted}'; there is: {there}",
        )
    return _the_one(fitting)


def _the_only_card(states: Sequence[ReaderStatus]) -> str:
    """The only reader with a card."""
    if not states:
        raise ReaderUnavailable("没有连接读卡器", "no reader is connected; plug one in")
    with_card = [state.name for state in states if state.card_present]
    if not with_card:
        empty = "; ".join(state.name for state in states)
        raise CardRemoved(f"读卡器中没有卡，请插卡：{empty}", f"no reader has a card, insert one: {empty}")
    return _the_one(with_card)


def _the_one(names: Sequence[str]) -> str:
    if len(names) > 1:
        several = "; ".join(names)
        raise InputError(f"有多个读卡器可选，请给出名称：{several}", f"several readers fit, name one of: {several}")
    return names[0]
