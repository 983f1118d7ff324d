"""Virtual cards in the readers of the machine: the card side of vsmartcard's vpcd protocol.

The reader driver listens (TCP, one port per slot) and a card connects to it: a connection is an inserted card,
closing it is pulling the card. The driver sends two bytes of length, big-endian, and then either one control byte
(see `Control`) or a command; ATR and answers go back with the same two bytes in front.

The driver in Debian 12 sends length and body in two pieces; without a quick acknowledgement of the first, every
command costs 44 ms (measured). Where the system has TCP_QUICKACK it is set before every read.
"""

import contextlib
import socket
import threading
from enum import IntEnum
from types import TracebackType
from typing import Self

from juying.card.virtual.card import Card
from juying.errors import CardRemoved, CommandTimeout, ServiceUnavailable

HOST, PORT = "127.0.0.1", 0x8C7B
"""Where the packaged driver listens for its first slot; the second slot is one port higher."""
_TICK = 0.2
"""Seconds between two looks at the stop event."""
_RETRY = 1.0
"""Seconds between two attempts to reach the driver again."""
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def serve(
    card: Card, *, host: str = HOST, port: int = PORT, stop: threading.Event | None = None, reconnect: bool = False
) -> None:
    """Keep ``card`` in the reader until ``stop`` is set or the card is torn; blocks.

    When the driver goes away (pcscd ends when nobody uses it), the card waits for it with ``reconnect``, else
    `ServiceUnavailable` is raised, as it is when nothing listens in the first place.
    """
    stop = stop or threading.Event()
    connection: socket.socket | None = _connect(host, port)
    while connection is not None:
        if not _converse(card, connection, stop):
            return
        if not reconnect:
            raise ServiceUnavailable(
                "智能卡服务 pcscd 已退出或断开了虚拟读卡器",
                "the smart-card service pcscd ended or dropped the virtual reader",
                where=f"{host}:{port}",
            )
        connection = _await_driver(host, port, stop)


class Control(IntEnum):
    """The one-byte messages of the driver; only ATR is answered."""

    OFF = 0
    ON = 1
    RESET = 2
    ATR = 4


class VirtualReader:
    """One slot of the driver, into which cards are put and from which they are pulled.

    Nothing is left behind after `remove`: no thread, no connection, no power on the card.
    pcscd looks at such a reader every 200 ms; a card swapped faster than that keeps the ATR of the one before, so
    wait until the removal shows in PC/SC before the next is inserted.
    """

    def __init__(self, host: str = HOST, port: int = PORT) -> None:
        """Name the slot; nothing is connected yet."""
        self._address = host, port
        self._stop = threading.Event()
        self._service: tuple[socket.socket, threading.Thread] | None = None
        self._error: Exception | None = None

    @property
    def inserted(self) -> bool:
        """Whether a card is in the reader; a torn one is not."""
        return self._service is not None and self._service[1].is_alive()

    def insert(self, card: Card) -> None:
        """Put ``card`` in, after pulling the one that is there. Raises `ServiceUnavailable` without a driver."""
        self.remove()
        connection = _connect(*self._address)
        self._stop.clear()
        thread = threading.Thread(
            target=self._run, args=(card, connection), name=f"vpcd:{self._address[1]}", daemon=True
        )
        self._service = connection, thread
        thread.start()

    def remove(self) -> None:
        """Pull the card, if there is one. Raises what ended its service unexpectedly (an image not writable)."""
        if self._service is None:
            return
        connection, thread = self._service
        self._stop.set()
        with contextlib.suppress(OSError):  # a torn card has closed it already
            connection.shutdown(socket.SHUT_RDWR)
        thread.join()
        self._service = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def __enter__(self) -> Self:
        """The reader itself, empty."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pull the card."""
        self.remove()

    def _run(self, card: Card, connection: socket.socket) -> None:
        try:
            _converse(card, connection, self._stop)
        except Exception as error:  # handed over to the caller of remove()
            self._error = error


def _connect(host: str, port: int) -> socket.socket:
    try:
        connection = socket.create_connection((host, port), timeout=5)
    except OSError:
        raise ServiceUnavailable(
            "没有虚拟读卡器在监听：请安装 pcscd 和 vsmartcard-vpcd，并启动 pcscd（systemctl start pcscd）",
            "no virtual reader listens: install pcscd and vsmartcard-vpcd and start pcscd (systemctl start pcscd)",
            where=f"{host}:{port}",
        ) from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(_TICK)
    return connection


def _await_driver(host: str, port: int, stop: threading.Event) -> socket.socket | None:
    while not stop.wait(_RETRY):
        with contextlib.suppress(ServiceUnavailable):
            return _connect(host, port)
    return None


def _converse(card: Card, connection: socket.socket, stop: threading.Event) -> bool:
    """Answer the driver until one side ends it; true if that was the driver."""
    with connection:
        try:
            while message := _receive_message(connection, stop):
                answer = _answer(card, message)
                if answer:
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)
        except CardRemoved:
            return False
        except OSError:
            pass
        finally:
            card.power_off()
    return not stop.is_set()


def _answer(card: Card, message: bytes) -> bytes:
    """What goes back; nothing for power and reset, and nothing from a mute card."""
    if len(message) == 1:
        match message[0]:
            case Control.OFF:
                card.power_off()
            case Control.ON:
                card.power_on()
            case Control.RESET:
                card.reset()
            case Control.ATR:
                return card.atr
        return b""
    try:
        answer = card.transmit(message)
    except CommandTimeout:
        return b""
    return answer if len(answer) <= 0xFFFF else b"\x67\x00"


def _receive_message(connection: socket.socket, stop: threading.Event) -> bytes:
    """The next message, or nothing when there will be none."""
    size = _receive(connection, 2, stop)
    return _receive(connection, int.from_bytes(size, "big"), stop)


def _receive(connection: socket.socket, size: int, stop: threading.Event) -> bytes:
    """Exactly ``size`` bytes, or nothing if the connection ends or ``stop`` is set first."""
    received = b""
    while len(received) < size:
        if _QUICKACK is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        try:
            piece = connection.recv(size - len(received))
        except TimeoutError:
            if stop.is_set():
                return b""
            continue
        if not piece:
            return b""
        received += piece
    return received
