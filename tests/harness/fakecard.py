"""The smallest card that the vpcd driver accepts: enough to test readers, connections and the monitor.

The protocol of the driver: the card is a TCP client; each message is a two-byte length and a body; a body of one
byte is a control (0 power off, 1 power on, 2 reset, 4 ask for the ATR), anything longer a command.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

ATR_T0 = bytes.fromhex("3B021450")
ATR_T1 = bytes.fromhex("3B810155D5")

Handler = Callable[[bytes], bytes | None]


def echo(command: bytes) -> bytes:
    """Answer with the command itself and 9000."""
    return command + b"\x90\x00"


class FakeCard:
    """A card in the reader at ``port`` from construction to ``eject()``.

    ``handler`` turns a command into an answer; ``None`` means silence for ever. ``commands`` collects what arrived,
    ``resets`` counts resets and power-ups.
    """

    def __init__(self, port: int, *, atr: bytes = ATR_T1, handler: Handler = echo) -> None:
        self.atr = atr
        self.handler = handler
        self.commands: list[bytes] = []
        self.resets = 0
        self.received = threading.Event()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._serve, name=f"fake card {port}", daemon=True)
        self._thread.start()

    def eject(self) -> None:
        """Pull the card out, also in the middle of a command."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.eject()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while message := self._receive():
                answer = self._answer(message)
                if answer is not None:
                    self._socket.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, message: bytes) -> bytes | None:
        if len(message) > 1:
            self.commands.append(message)
            self.received.set()
            return self.handler(message)
        if message == b"\x04":
            return self.atr
        self.resets += message in (b"\x01", b"\x02")
        return None

    def _receive(self) -> bytes:
        return self._read(int.from_bytes(self._read(2), "big"))

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            # The driver sends length and body apart and would wait for a delayed acknowledgement in between.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            piece = self._socket.recv(length - len(data))
            if not piece:
                return b""
            data += piece
        return data
