"""Status lists over HTTP, from the folder into which they are published.

``GET /3`` answers with the list 3. A client may keep it for the time that the list itself states, and asks with
``If-None-Match`` or ``If-Modified-Since`` whether there is a newer one. For the public internet put a web server in
front; this one takes no measures against floods.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import NamedTuple, Self
from urllib.parse import parse_qs

from juying.credential.status import read_token
from juying.credential.status_list import MEDIA_TYPE, SUFFIX, read_status_list
from juying.errors import InputError

LOOPBACK = "127.0.0.1"
PATIENCE = 10.0  # seconds that a client may be silent

_PATH = re.compile("/(0|[1-9][0-9]{0,9})", re.ASCII)


class StatusServer(ThreadingHTTPServer):
    """Serves a folder of status lists until it is closed; listens as soon as it is made."""

    daemon_threads = True

    def __init__(
        self,
        folder: Path,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Listen on ``host`` and ``port`` (0: any that is free). Raises InputError when that is not possible."""
        self.folder = folder
        self.clock = clock
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(
                f"不能监听此地址（{reason}）", f"cannot listen there ({reason})", where=f"{host}:{port}"
            ) from None

    def server_bind(self) -> None:
        """Bind, without asking the name service who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is nothing to tell anybody about."""

    @property
    def url(self) -> str:
        """Where the lists are, with a slash at the end."""
        return f"http://{self.server_name}:{self.server_port}/"


class _Answer(NamedTuple):
    """A list and the headers that go with it, those of an answer without a body included."""

    token: bytes
    issued_at: datetime
    headers: dict[str, str]

    @classmethod
    def of(cls, folder: Path, number: int, now: datetime) -> Self:
        token = read_token(folder / f"{number}{SUFFIX}")
        content = read_status_list(token)
        if content.number != number:
            raise InputError("文件名与列表号不符", "the file is named after another list")
        fresh = min(content.ttl, content.expires_at - now).total_seconds()
        return cls(
            token,
            content.issued_at,
            {
                "ETag": f'"{sha256(token).hexdigest()[:32]}"',
                "Last-Modified": format_datetime(content.issued_at, usegmt=True),
                "Cache-Control": f"public, max-age={max(0, int(fresh))}",
                "Access-Control-Allow-Origin": "*",
                "X-Content-Type-Options": "nosniff",
            },
        )

    def is_known_to(self, if_none_match: str | None, if_modified_since: str | None) -> bool:
        """Whether the client has this list already (RFC 9110, 13.2.2: the tag decides, the time only without one)."""
        if if_none_match is not None:
            tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
            return self.headers["ETag"] in tags or tags == ["*"]
        try:
            since = parsedate_to_datetime(if_modified_since or "")
        except (ValueError, OverflowError):
            return False
        return since.tzinfo is not None and self.issued_at <= since


class _Handler(BaseHTTPRequestHandler):
    server: StatusServer
    protocol_version = "HTTP/1.1"
    server_version = "juying"
    sys_version = ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        self._serve(with_body=True)

    def do_HEAD(self) -> None:
        self._serve(with_body=False)

    def _not_allowed(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _not_allowed  # noqa: N815

    def _serve(self, *, with_body: bool) -> None:
        path, _, query = self.path.partition("?")
        if "time" in parse_qs(query, keep_blank_values=True):  # the list of an earlier time: only the last is here
            return self._refuse(HTTPStatus.NOT_IMPLEMENTED)
        match = _PATH.fullmatch(path)
        if match is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        try:
            answer = _Answer.of(self.server.folder, int(match[1]), self.server.clock())
        except InputError:
            return self._refuse(HTTPStatus.NOT_FOUND)
        tags = self.headers.get_all("If-None-Match")
        if answer.is_known_to(",".join(tags) if tags else None, self.headers["If-Modified-Since"]):
            return self._send(HTTPStatus.NOT_MODIFIED, answer.headers)
        headers = {**answer.headers, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(answer.token))}
        return self._send(HTTPStatus.OK, headers, answer.token if with_body else b"")

    def _refuse(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> None:
        """Say no, and hang up: what follows on the line may be the body of a request that nobody reads."""
        self._send(status, {**(headers or {}), "Content-Length": "0", "Connection": "close"})

    def _send(self, status: HTTPStatus, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses is refused in the same way, without a page of HTML."""
        self._refuse(HTTPStatus(code))

    def log_message(self, format: str, *args: object) -> None:
        """Who asks is written down nowhere."""
