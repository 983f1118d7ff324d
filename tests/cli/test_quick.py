"""The quick way to ``juying verify``: the same as the long way, or none at all."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from juying.cli import app, main, quick
from juying.cli.plain import Cell, print_line, print_rows
from juying.cli.verifying import verify_source
from tests.cli.conftest import Juying

PICTURE = "out/JYX000010/credential.png"
SLOW = ("typer", "rich", "pydantic", "PIL", "qrcode", "sqlite3")


def test_it_knows_the_options_of_the_long_way() -> None:
    command = get_command(app.app).commands["verify"]
    found = {name: parameter for parameter in command.params for name in parameter.opts if name.startswith("--")}
    flags = {name for name, parameter in found.items() if parameter.is_flag}
    assert flags == {quick.JSON}
    assert found.keys() - flags == quick.OPTIONS.keys()
    types = get_type_hints(verify_source)
    assert all(kind in get_args(types[found[name].name]) for name, kind in quick.OPTIONS.items())


@pytest.mark.parametrize(
    "arguments",
    [
        [PICTURE],
        [PICTURE, "--json"],
        ["--json", "out/JYX000010/minimal.txt", "--trust", "build/demo-keys/trust.json"],
        [PICTURE, "--trust=missing.json"],
        [PICTURE, "--trust=missing.json", "--json"],
        ["JY1:nonsense", "--audience", "gate 1", "--nonce", "00" * 8],
        ["JY1:", "--nonce", "xyz", "--json"],
        [PICTURE, "--policy", "policy.json", "--replay-cache", "seen.db"],
        ["hello"],
        ["photos/eriksson.jpg"],
    ],
    ids=" ".join,
)
def test_the_quick_way_and_the_long_way_lead_to_the_same(
    arguments: list[str], issued: Path, juying: Juying, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("policy.json").write_text('{"tiers": ["minimal"]}')
    long = juying("verify", *arguments)
    assert quick.run(["verify", *arguments]) == long.status
    assert (long.out, long.err) == tuple(capsys.readouterr())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["read", "x"],
        ["verify"],
        ["verify", "--help"],
        ["verify", "a", "b"],
        ["verify", "a", "--jsn"],
        ["verify", "a", "-x"],
        ["verify", "a", "--"],
        ["verify", ""],
        ["verify", "a", "--trust"],
        ["verify", "a", "--trust="],
        ["verify", "a", "--trust", "--json"],
        ["verify", "a", "--json=1"],
        ["verify", "a", "--trust", "b", "--trust", "c"],
    ],
    ids=" ".join,
)
def test_anything_else_goes_the_long_way(arguments: list[str]) -> None:
    assert quick.run(arguments) is None


def test_a_picture_is_verified_without_anything_slow_to_load(issued: Path) -> None:
    code = (
        "import sys; from juying.cli import main\n"
        f"try: main()\nfinally: sys.stderr.write(' '.join(m for m in {SLOW} if m in sys.modules))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code, "verify", PICTURE, "--trust", "build/demo-keys/trust.json"],
        capture_output=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().endswith("有效 / valid\n")


@pytest.mark.parametrize(("command", "status"), [(["verify", PICTURE], 0), (["verify"], 2), (["--version"], 0)])
def test_the_program_takes_either_way(
    command: list[str], status: int, issued: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["juying", *command])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == status


def test_an_interruption_is_told_by_the_exit_status(issued: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted()))
    assert quick.run(["verify", "-"]) == 130


@given(st.lists(st.sampled_from(["verify", "a", "-", "--json", "--trust", "--trust=b", "--nonce", "--", "-x", ""])))
def test_what_it_understands_is_one_source_and_known_options(arguments: list[str]) -> None:
    parsed = quick._parsed(arguments)
    if parsed is not None:
        assert arguments[0] == "verify"
        assert parsed.keys() == verify_source.__annotations__.keys() - {"return"}
        assert parsed["source"] in arguments


ROWS = [[Cell("姓名", "bold"), Cell("name"), Cell("安娜 ERIKSSON")], [Cell("a"), Cell("b", "red"), Cell("")]]


def test_columns_are_aligned_by_what_the_terminal_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_rows(ROWS)
    print_rows([])
    assert capsys.readouterr().out == "姓名  name  安娜 ERIKSSON\na     b\n"


@pytest.mark.parametrize("columns", ["28", "9"])
def test_the_last_column_is_folded_on_a_narrow_terminal(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    print_rows([[Cell("姓名"), Cell("name"), Cell("安娜" * 10)]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("姓名  name  安娜")
    assert "".join(line[10:] if number == 0 else line.strip() for number, line in enumerate(lines)) == "安娜" * 10
    assert len(lines) > 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    print_line("有效", "bold green")
    print_rows([[Cell("a", "red"), Cell("b")]])
    expected = "\x1b[1;32m有效\x1b[0m\n\x1b[31ma\x1b[0m  b\n" if coloured else "有效\na  b\n"
    assert terminal.getvalue() == expected
