"""A C program reaches the terminal interface through the library and the bridge, and nobody else does."""

import contextlib
import re
import socket
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from juying.errors import InputError
from juying.terminal.bridge import BAD_PARAMETER, MAX_REQUEST, NOT_CONNECTED, Bridge, endpoint_file
from tests.terminal.conftest import ROOT, FromC


class Echo:
    """Answers a call with what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    def __call__(self, name: str, arguments: Sequence[str]) -> tuple[int, str]:
        self.calls.append((name, tuple(arguments)))
        if name == "iVerifyPIN":
            raise RuntimeError("pin 123456")
        return (0, "|".join(arguments) + "|")


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def bridge(echo: Echo, tmp_path: Path) -> Iterator[Bridge]:
    with Bridge(echo, tmp_path / "endpoint") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(bridge: Bridge, request: bytes) -> bytes:
    """The whole answer to raw bytes."""
    with socket.create_connection(bridge.server_address[:2], timeout=30) as connection:
        connection.sendall(request)
        with contextlib.suppress(OSError):  # the server may have hung up already
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def secret(bridge: Bridge) -> bytes:
    return bridge.endpoint.read_bytes().split()[1]


def test_every_function_of_the_header_reaches_the_interface(bridge: Bridge, echo: Echo, from_c: FromC) -> None:
    header = (ROOT / "native" / "juying_terminal.h").read_text("ascii")
    declared = re.findall(r"JUYING_CALL (\w+)\((.*)\);", header)
    assert len(declared) == 23
    for name, parameters in declared:
        arguments = tuple(
            str(position) if parameter.split()[0] == "int" else f"{parameter.split()[-1]}{position}"
            for position, parameter in enumerate(parameters.split(", ")[:-1], 1)
        )
        code, text = from_c(name, *arguments)
        assert echo.calls[-1] == (name, arguments)
        expected = (NOT_CONNECTED, "终端服务内部错误") if name == "iVerifyPIN" else (0, "|".join(arguments) + "|")
        assert (code, text) == expected


def test_names_travel_in_gbk_and_beyond(bridge: Bridge, echo: Echo, from_c: FromC) -> None:
    for name in ("埃里克松·安娜", "𠮷安娜", "ERIKSSON"):
        assert from_c("iReadCard", "1", "2", "", name.encode("gb18030")) == (0, f"1|2||{name}|")


def test_without_a_server_the_caller_hears_so(from_c: FromC) -> None:
    code, text = from_c("iReadCardBas", "1")
    assert (code, text) == (-11, "终端服务未启动 / juying terminal serve is not running")


def test_an_endpoint_file_of_a_server_that_died_is_no_hang(echo: Echo, tmp_path: Path, from_c: FromC) -> None:
    with Bridge(echo, tmp_path / "endpoint") as server:
        left_behind = server.endpoint.read_bytes()
    (tmp_path / "endpoint").write_bytes(left_behind)
    assert from_c("iReadCardBas", "1")[0] == -11
    (tmp_path / "endpoint").write_bytes(b"no port\n")
    assert from_c("iReadCardBas", "1")[0] == -11


def test_an_argument_that_breaks_the_line_or_the_limit_is_refused_in_c(bridge: Bridge, from_c: FromC) -> None:
    assert from_c("iReadCard", "1", "2", "", "a\nb") == (-14, "参数过长 / an argument is too long")
    assert from_c("iReadCard", "1", "2", "", "a" * MAX_REQUEST)[0] == -14


def test_only_who_reads_the_endpoint_file_is_answered(bridge: Bridge, echo: Echo) -> None:
    assert stat.S_IMODE(bridge.endpoint.stat().st_mode) == 0o600
    assert ask(bridge, b"\x1fiReadCardBas\x1f1\n") == b""
    assert ask(bridge, b"0" * 32 + b"\x1fiReadCardBas\x1f1\n") == b""
    assert echo.calls == []


def test_one_connection_carries_any_number_of_calls(bridge: Bridge) -> None:
    line = secret(bridge) + b"\x1fiReadCardBas\x1f%d\n"
    assert ask(bridge, line % 1 + line % 2) == b"0\x1f1|\n0\x1f2|\n"


def test_half_a_line_and_an_endless_one_are_no_calls(bridge: Bridge, echo: Echo) -> None:
    assert ask(bridge, secret(bridge) + b"\x1fiReadCardBas\x1f1") == b""
    with contextlib.suppress(ConnectionError):  # the server hangs up in the middle
        assert ask(bridge, b"a" * (2 * MAX_REQUEST) + b"\n") == b""
    assert echo.calls == []


def test_arguments_that_are_no_gbk_are_refused(bridge: Bridge) -> None:
    assert bridge.answer(
        secret(bridge) + b"\x1fiReadCard\x1f\xff"
    ) == b"%d\x1f" % BAD_PARAMETER + "参数不是 GBK 编码\n".encode("gbk")


def test_an_answer_is_one_line_whatever_is_on_the_card(tmp_path: Path) -> None:
    with Bridge(lambda *_: (0, "a\nb\x1fc\r"), tmp_path / "endpoint") as server:
        assert server.answer(secret(server) + b"\x1fx") == b"0\x1fa b c \n"


def test_the_message_of_an_unexpected_error_is_not_told(
    bridge: Bridge, from_c: FromC, caplog: pytest.LogCaptureFixture
) -> None:
    assert from_c("iVerifyPIN", "1") == (NOT_CONNECTED, "终端服务内部错误")
    assert "RuntimeError" in caplog.text
    assert "123456" not in caplog.text


def test_calls_are_carried_out_one_at_a_time(tmp_path: Path) -> None:
    others_wait = threading.Event()
    order: list[str] = []

    def held(name: str, arguments: Sequence[str]) -> tuple[int, str]:
        order.append("in")
        others_wait.wait(30)
        order.append("out")
        return 0, ""

    with Bridge(held, tmp_path / "endpoint") as server:
        line = secret(server) + b"\x1fx"
        threads = [threading.Thread(target=server.answer, args=(line,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        others_wait.set()
        for thread in threads:
            thread.join()
    assert order == ["in", "out"] * 8


def test_the_endpoint_file_goes_with_the_server(echo: Echo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Bridge(echo, tmp_path / "new" / "endpoint") as server:
        assert server.endpoint.exists()
    assert not server.endpoint.exists()
    monkeypatch.setenv("JUYING_TERMINAL", str(tmp_path / "elsewhere"))
    assert endpoint_file() == tmp_path / "elsewhere"
    monkeypatch.delenv("JUYING_TERMINAL")
    assert endpoint_file() == Path.home() / ".juying" / "terminal"


def test_a_place_that_cannot_be_written_is_a_clear_error(echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder cannot be made"):
        Bridge(echo, tmp_path / "file" / "endpoint")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "endpoint").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        Bridge(echo, tmp_path / "folder" / "endpoint")
