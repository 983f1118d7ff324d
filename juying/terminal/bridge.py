"""A bridge for programs in C, .NET and others: the terminal interface as a server on this machine only.

A small shared library (``native/juying_terminal.c``) has the functions of the standard and hands each call to this
server, so no Python has to live inside the caller's process. The server listens on the loopback address, on any free
port; where it listens and a secret word stand in the *endpoint file*, which only its owner can read. Whoever cannot
read that file cannot use the card.

One request is one line, one answer is one line, both in GBK, the encoding of the standard::

    secret US function US argument US argument … LF
    return code US text LF

US is the byte 1F. A caller may send any number of requests over one connection. All callers share the readers, so
one call is carried out at a time.
"""

import hmac
import logging
import os
import secrets
import socketserver
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from juying.errors import InputError
from juying.files import write_atomically

Call = Callable[[str, Sequence[str]], tuple[int, str]]
"""What carries out a call: name of the function and its arguments in, return code and text out."""

LOOPBACK = "127.0.0.1"
ENCODING = "gb18030"
"""GBK, and what goes beyond it: a name must not be lost because it has a rare character."""
SEPARATOR, END = b"\x1f", b"\n"
MAX_REQUEST = 64 << 10
"""Bytes of the longest request: a photo as hex digits has some 8 000."""
ENDPOINT = "JUYING_TERMINAL"
"""Environment variable that names the endpoint file; without it, ``.juying/terminal`` in the user's home."""
BAD_PARAMETER, NOT_CONNECTED = -14, -12

_log = logging.getLogger(__name__)


def endpoint_file() -> Path:
    """Where server and library look for each other."""
    named = os.environ.get(ENDPOINT)
    return Path(named) if named else Path.home() / ".juying" / "terminal"


class Bridge(socketserver.ThreadingTCPServer):
    """Answers calls from other programs of the same user until it is closed; use it as a context manager.

    The endpoint file is written when the server listens, and removed when it is closed.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, call: Call, endpoint: Path | None = None) -> None:
        """Listen on a free port. Raises `InputError` when the endpoint file cannot be written."""
        self._call = call
        self._turn = threading.Lock()
        self._secret = secrets.token_hex(16).encode("ascii")
        self.endpoint = endpoint or endpoint_file()
        super().__init__((LOOPBACK, 0), _Conversation)
        try:
            self.endpoint.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            port = str(self.server_address[1]).encode("ascii")
            write_atomically(self.endpoint, port + b" " + self._secret + b"\n", private=True)
        except OSError as error:
            self.server_close()
            raise InputError(
                f"目录不能创建（{error.strerror}）",
                f"the folder cannot be made ({error.strerror})",
                where=str(self.endpoint.parent),
            ) from None
        except InputError:
            self.server_close()
            raise

    def __enter__(self) -> Self:
        """The server itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; the next server of this user writes its own endpoint file."""
        self.server_close()
        self.endpoint.unlink(missing_ok=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that ends in the middle of a call is nothing to tell anybody about."""

    def answer(self, line: bytes) -> bytes | None:
        """The answer to one request line without its end, None for one who does not know the secret."""
        secret, _, rest = line.partition(SEPARATOR)
        if not hmac.compare_digest(secret, self._secret):
            return None
        try:
            name, *arguments = (part.decode(ENCODING) for part in rest.split(SEPARATOR))
        except UnicodeDecodeError:
            return _line(BAD_PARAMETER, "参数不是 GBK 编码")
        with self._turn:
            try:
                code, text = self._call(name, arguments)
            except Exception as error:  # the caller waits for an answer, whatever happens here
                _log.error("terminal call failed: %s", type(error).__name__)
                return _line(NOT_CONNECTED, "终端服务内部错误")
        return _line(code, text)


def _line(code: int, text: str) -> bytes:
    clean = text.translate({0x1F: " ", 0x0A: " ", 0x0D: " "})
    return str(code).encode("ascii") + SEPARATOR + clean.encode(ENCODING) + END


class _Conversation(socketserver.StreamRequestHandler):
    server: Bridge

    def handle(self) -> None:
        """Answer line after line until the caller is done, or says something that no caller of ours would."""
        while True:
            line = self.rfile.readline(MAX_REQUEST)
            if not line.endswith(END):
                return
            answer = self.server.answer(line[:-1])
            if answer is None:
                return
            self.wfile.write(answer)
