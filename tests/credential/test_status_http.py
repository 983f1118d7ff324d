"""Lists over HTTP: headers of the server on real sockets, and a client that no server can fool."""

import asyncio
import gzip
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from juying.credential.claims import StatusReference
from juying.credential.status import Status, StatusLists
from juying.credential.status_client import Outcome, Refresh, StatusClient
from juying.credential.status_list import MAX_TOKEN, MEDIA_TYPE
from juying.credential.status_server import StatusServer
from juying.errors import InputError
from tests.credential.samples import NOW, OTHER_SIGNER, TRUST
from tests.credential.statuses import NUMBER, at, token

HOUR = timedelta(hours=1)
REVOKED = StatusReference(NUMBER, 0)
STATUSES = bytes([Status.INVALID, 0, 0, 0])


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "3.cwt").write_bytes(at(NOW - HOUR / 2, STATUSES))
    return tmp_path


@pytest.fixture
def server(folder: Path, clock: Clock) -> Iterator[StatusServer]:
    with StatusServer(folder, clock=clock) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


class Line:
    """One connection to the server, kept open."""

    def __init__(self, server: StatusServer) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)

    def ask(self, path: str = "/3", method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, headers=names)
        answer = self.connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


@pytest.fixture
def line(server: StatusServer) -> Iterator[Line]:
    opened = Line(server)
    yield opened
    opened.connection.close()


# The server


def test_it_listens_on_loopback(server: StatusServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_a_list_comes_with_all_that_a_cache_needs(line: Line, folder: Path) -> None:
    status, headers, body = line.ask()
    assert (status, body) == (200, (folder / "3.cwt").read_bytes())
    assert headers["Content-Type"] == MEDIA_TYPE
    assert headers["Content-Length"] == str(len(body))
    assert headers["Cache-Control"] == "public, max-age=3600"
    assert headers["Last-Modified"] == "Tue, 01 Dec 2026 03:30:00 GMT"
    assert headers["ETag"].startswith('"')
    assert headers["ETag"].endswith('"')
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Python" not in headers["Server"]


def test_nobody_keeps_a_list_longer_than_it_is_good(line: Line, clock: Clock) -> None:
    for age, fresh in ((22, 3600), (23.75, 900), (24, 0), (48, 0)):
        clock.now = NOW - HOUR / 2 + age * HOUR
        assert line.ask()[1]["Cache-Control"] == f"public, max-age={fresh}"


def test_head_has_the_same_headers_and_no_body(line: Line) -> None:
    _, expected, _ = line.ask()
    status, headers, body = line.ask(method="HEAD")
    assert (status, body) == (200, b"")
    del expected["Date"], headers["Date"]
    assert headers == expected


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_the_list_is_told_so(method: str, line: Line) -> None:
    _, first, _ = line.ask()
    tag, modified = first["ETag"], first["Last-Modified"]
    for conditions in (
        {"If_None_Match": tag},
        {"If_None_Match": f'"other", W/{tag}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": modified},
        {"If_Modified_Since": format_datetime(NOW, usegmt=True)},
        {"If_None_Match": tag, "If_Modified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ):
        status, headers, body = line.ask(method=method, **conditions)
        assert (status, body) == (304, b"")
        assert {name: headers[name] for name in ("ETag", "Last-Modified", "Cache-Control")} == {
            name: first[name] for name in ("ETag", "Last-Modified", "Cache-Control")
        }
        assert "Content-Type" not in headers


def test_who_has_an_older_list_gets_the_new_one(line: Line) -> None:
    modified = line.ask()[1]["Last-Modified"]
    for conditions in (
        {"If_None_Match": '"other"'},
        {"If_None_Match": "nonsense,,"},
        {"If_Modified_Since": "Tue, 01 Dec 2026 03:29:59 GMT"},
        {"If_Modified_Since": "yesterday"},
        {"If_Modified_Since": "Tue, 01 Dec 99999999999999999999 03:29:59 GMT"},
        {"If_Modified_Since": "Tue, 01 Dec 2026 03:30:00 -0000"},
        {"If_None_Match": '"other"', "If_Modified_Since": modified},
    ):
        assert line.ask(**conditions)[0] == 200


def test_a_new_publication_has_a_new_tag(line: Line, folder: Path) -> None:
    tag = line.ask()[1]["ETag"]
    (folder / "3.cwt").write_bytes(at(NOW, STATUSES))
    status, headers, _ = line.ask(If_None_Match=tag)
    assert (status, headers["Last-Modified"]) == (200, "Tue, 01 Dec 2026 04:00:00 GMT")
    assert headers["ETag"] != tag


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/4",
        "/03",
        "/3/",
        "/3.cwt",
        "/x",
        "/../3",
        "/..%2f3",
        "/%33",
        "/99999999999",
        "/5",
        "/6",
        "*",
    ],
)
def test_there_is_nothing_else(path: str, line: Line, folder: Path) -> None:
    (folder / "5.cwt").write_bytes(b"no list")
    (folder / "6.cwt").write_bytes(token())  # named after another list
    status, headers, body = line.ask(path)
    assert (status, body, headers["Connection"]) == (404, b"", "close")


def test_lists_of_earlier_times_are_not_kept(line: Line) -> None:
    assert line.ask("/3?time=1686925000")[0] == 501
    assert line.ask("/3?other=1")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_only_reading_is_allowed(method: str, line: Line) -> None:
    status, headers, body = line.ask(method=method)
    assert (status, headers["Allow"], body) == (405, "GET, HEAD", b"")


def test_other_words_are_no_request(server: StatusServer, capfd: pytest.CaptureFixture[str]) -> None:
    flood = b"GET /3 HTTP/1.1\r\n" + 120 * b"X: y\r\n" + b"\r\n"
    for words, code in ((b"BREW /3 HTTP/1.1\r\n\r\n", b" 501 "), (flood, b" 431 ")):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as raw:
            raw.sendall(words)
            with raw.makefile("rb") as answer:
                assert code in answer.readline()
    assert capfd.readouterr() == ("", "")


def test_a_client_that_hangs_up_is_nothing_to_talk_about(
    server: StatusServer, line: Line, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        raise ConnectionResetError
    except ConnectionResetError:
        server.handle_error(None, None)
    assert line.ask()[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken(server: StatusServer, folder: Path) -> None:
    with pytest.raises(InputError, match="cannot listen"):
        StatusServer(folder, port=server.server_port)
    with pytest.raises(InputError, match="cannot listen"):
        StatusServer(folder, port=70_000)


# The client


@pytest.fixture
def lists() -> StatusLists:
    return StatusLists()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def client_of(base: str, lists: StatusLists, clock: Clock, **settings: Any) -> StatusClient:
    return StatusClient(base, lists, TRUST, clock=clock, **settings)


def test_a_list_is_fetched_once_and_then_only_asked_about(
    server: StatusServer, folder: Path, lists: StatusLists, clock: Clock, line: Line
) -> None:
    client = client_of(server.url, lists, clock)
    for outcome in (Outcome.UPDATED, Outcome.UNCHANGED, Outcome.UNCHANGED):
        (refresh,) = client.refresh([NUMBER])
        assert (refresh.outcome, refresh.reason) == (outcome, None)
        assert refresh.held is lists.held(NUMBER)
    (folder / "3.cwt").write_bytes(at(NOW, bytes(4)))
    assert client.refresh([NUMBER])[0].outcome is Outcome.UPDATED
    answer = lists.lookup(REVOKED, now=NOW)
    assert answer is not None
    assert answer.status is Status.VALID


def test_a_list_from_a_file_is_asked_about_by_its_time(server: StatusServer, folder: Path, clock: Clock) -> None:
    """A terminal that was restarted does not know the tag any more."""
    lists = StatusLists.load(folder, TRUST, now=NOW)
    assert client_of(server.url, lists, clock).refresh([NUMBER])[0].outcome is Outcome.UNCHANGED


def test_a_list_is_due_when_its_time_is_over(server: StatusServer, lists: StatusLists, clock: Clock) -> None:
    client = client_of(server.url, lists, clock)
    assert client.due(NUMBER)
    client.refresh([NUMBER, 4])
    assert (client.due(NUMBER), client.due(4)) == (False, False)
    clock.now += timedelta(minutes=1)
    assert (client.due(NUMBER), client.due(4)) == (False, True)
    clock.now = NOW + HOUR
    assert client.due(NUMBER)


Answer = Callable[[httpx.Request], httpx.Response]


def ok(content: bytes, status: int = 200, **headers: str) -> httpx.Response:
    """An answer whose body comes over the line."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=names, stream=httpx.ByteStream(content))


def ask(answer: Answer, *, held: bytes | None = None, numbers: tuple[int, ...] = (NUMBER,)) -> list[Refresh]:
    """What a client makes of a server that answers so."""
    lists = StatusLists()
    if held is not None:
        lists.add(held, TRUST, now=NOW)
    client = StatusClient(
        "https://status.example/", lists, TRUST, clock=lambda: NOW, transport=httpx.MockTransport(answer)
    )
    return list(client.refresh(numbers))


def fail(error: Exception) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


HELD = at(NOW - HOUR, STATUSES)
WRONG: dict[str, Answer] = {
    "not found": lambda _: httpx.Response(404),
    "broken": lambda _: ok(HELD, 500),
    "no content": lambda _: httpx.Response(204),
    "page of a hotel": lambda _: ok(b"<html>Welcome! Please log in</html>", Content_Type="text/html"),
    "noise": lambda _: ok(b"\xd2noise"),
    "nothing": lambda _: ok(b""),
    "older list": lambda _: ok(at(NOW - 2 * HOUR, bytes(4))),
    "list of the future": lambda _: ok(at(NOW + HOUR, bytes(4))),
    "other key": lambda _: ok(at(NOW, bytes(4), signer=OTHER_SIGNER)),
    "other list": lambda _: ok(at(NOW, bytes(4), number=4)),
    "endless": lambda _: ok(bytes(MAX_TOKEN + 1)),
    "for ever elsewhere": lambda _: httpx.Response(302, headers={"Location": "https://status.example/3"}),
    "elsewhere unreadable": lambda _: httpx.Response(302, headers={"Location": "https://[/"}),
    "another protocol": lambda _: httpx.Response(302, headers={"Location": "ftp://status.example/3"}),
    "refused": fail(httpx.ConnectError("refused")),
    "torn": fail(httpx.RemoteProtocolError("torn")),
    "timeout": fail(httpx.ReadTimeout("slow")),
    "system": fail(OSError("no route")),
    "encoding": fail(UnicodeError("label too long")),
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
def test_whatever_the_server_does_the_list_at_hand_stays(answer: Answer) -> None:
    (refresh,) = ask(answer, held=HELD)
    assert refresh.outcome is Outcome.KEPT
    assert refresh.reason is not None
    assert refresh.reason.zh
    assert refresh.held is not None
    assert refresh.held.token == HELD


@pytest.mark.parametrize("answer", [*WRONG.values(), lambda _: httpx.Response(304)], ids=[*WRONG, "unchanged"])
def test_without_a_list_at_hand_there_is_none(answer: Answer) -> None:
    """An older list than the one that nobody has is as good as any; everything else is nothing."""
    (refresh,) = ask(answer)
    if refresh.outcome is Outcome.UPDATED:
        assert refresh.held is not None
        assert refresh.held.content.issued_at == NOW - 2 * HOUR
    else:
        assert (refresh.outcome, refresh.held) == (Outcome.KEPT, None)


def test_a_moved_list_is_found() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/3":
            return httpx.Response(307, headers={"Location": "/moved/3"})
        return ok(HELD)

    assert ask(answer)[0].outcome is Outcome.UPDATED


def test_the_same_list_without_a_condition_is_unchanged() -> None:
    assert ask(lambda _: ok(HELD), held=HELD)[0].outcome is Outcome.UNCHANGED


def test_what_is_sent() -> None:
    """The type that is wanted, no compression, and no condition without a list at hand."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return ok(HELD)

    ask(answer)
    ask(answer, held=HELD)
    assert [str(request.url) for request in seen] == ["https://status.example/3"] * 2
    assert {request.headers["Accept"] for request in seen} == {MEDIA_TYPE}
    assert {request.headers["Accept-Encoding"] for request in seen} == {"identity"}
    assert "If-Modified-Since" not in seen[0].headers
    assert seen[1].headers["If-Modified-Since"] == "Tue, 01 Dec 2026 03:00:00 GMT"


def test_a_tag_belongs_to_the_list_that_it_came_with(lists: StatusLists) -> None:
    """After a newer list came by USB the tag of the older one must not be asked about."""
    conditions: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        conditions.append(request.headers.get("If-None-Match"))
        return ok(HELD, ETag='"one"')

    client = StatusClient("https://a/", lists, TRUST, clock=lambda: NOW, transport=httpx.MockTransport(answer))
    client.refresh([NUMBER])
    client.refresh([NUMBER])
    lists.add(at(NOW, STATUSES), TRUST, now=NOW)
    client.refresh([NUMBER])
    assert conditions == [None, '"one"', None]


def test_a_compressed_answer_is_not_unpacked() -> None:
    """A list is compressed already; a second layer would be a bomb that nobody has signed."""
    (refresh,) = ask(lambda _: ok(gzip.compress(at(NOW, STATUSES)), Content_Encoding="gzip"), held=HELD)
    assert refresh.outcome is Outcome.KEPT


def test_several_lists_at_once() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.path[1:])
        return ok(token(number=number)) if number < 6 else httpx.Response(404)

    refreshes = ask(answer, numbers=(3, 4, 6, 5, 3))
    assert [(refresh.number, refresh.outcome is Outcome.UPDATED) for refresh in refreshes] == [
        (3, True),
        (4, True),
        (6, False),
        (5, True),
    ]


def test_a_server_that_drips_is_left_when_the_time_is_over(lists: StatusLists, clock: Clock) -> None:
    """Each byte comes soon enough for any time-out between two; only the time for the whole list ends it."""
    lists.add(HELD, TRUST, now=NOW)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hung_up = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not hung_up.wait(0.005):
                    try:
                        connection.sendall(b"X: y\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            base = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            (refresh,) = client_of(base, lists, clock, timeout=0.2).refresh([NUMBER])
        finally:
            hung_up.set()
            thread.join()
    assert (refresh.outcome, refresh.reason and refresh.reason.en) == (Outcome.KEPT, "the server is too slow")
    assert refresh.held is not None
    assert refresh.held.token == HELD


def test_a_server_that_is_not_there(lists: StatusLists, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    (refresh,) = client_of(f"http://127.0.0.1:{port}/", lists, clock).refresh([NUMBER])
    assert (refresh.outcome, refresh.held) == (Outcome.KEPT, None)


def test_in_an_event_loop(server: StatusServer, lists: StatusLists, clock: Clock) -> None:
    client = client_of(server.url, lists, clock)
    (refresh,) = asyncio.run(client.refresh_async([NUMBER]))
    assert refresh.outcome is Outcome.UPDATED


@pytest.mark.parametrize(
    "base", ["", "status.example/", "https://status.example", "ftp://a/", "file:///etc/", "https:///", "http://[::1/"]
)
def test_addresses_that_are_none(base: str, lists: StatusLists) -> None:
    with pytest.raises(InputError, match="begins with http"):
        StatusClient(base, lists, TRUST)


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    from juying.credential import status_client

    source = Path(status_client.__file__).read_text("utf-8")
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(InputError, match=r"juying\[services\]"):
        exec(compile(source, status_client.__file__, "exec"), {"__name__": "without"})
    assert importlib.util.find_spec("juying.credential.status_client")
