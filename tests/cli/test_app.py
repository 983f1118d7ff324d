"""The command line as a whole: help, version, bad use, and what it loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from juying import __version__
from juying.cli import app
from tests.cli.conftest import Juying

HEAVY = ("smartcard", "PIL", "qrcode", "cryptography", "cbor2", "openpyxl", "zxingcpp", "pydantic")
COMMANDS = (
    "issue",
    "read",
    "verify",
    "scan",
    "readers",
    "decode",
    "profile",
    "virtual",
    "credential",
    "trust",
    "wallet",
)
BELOW = {
    "profile": ("list", "show", "check", "docs"),
    "virtual": ("new", "show", "block", "serve"),
    "credential": (
        "draw",
        "card-face",
        "revoke",
        "suspend",
        "resume",
        "renew",
        "challenge",
        "status",
        "publish",
        "serve-status",
        "import-status",
    ),
    "trust": ("root", "keygen", "add", "create", "inspect", "pin", "import"),
    "wallet": ("init", "prove", "add", "list", "show"),
}


def process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """A Python process as a user starts one."""
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("code", ["import juying", "from juying.cli.app import run; assert run(['--help']) == 0"])
def test_importing_and_helping_load_nothing_heavy(code: str, home: Path) -> None:
    report = f"{code}; import sys; sys.stderr.write(' '.join(m for m in {HEAVY} if m in sys.modules))"
    done = process("-c", report, cwd=home)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_help_lists_every_command(juying: Juying) -> None:
    done = juying("--help")
    assert done.status == 0
    assert all(command in done.out for command in COMMANDS)


@pytest.mark.parametrize(
    "command", [*((name,) for name in COMMANDS), *((name, sub) for name, subs in BELOW.items() for sub in subs)]
)
def test_every_command_explains_itself_in_both_languages(command: tuple[str, ...], juying: Juying) -> None:
    done = juying(*command, "--help")
    assert done.status == 0
    assert "show this help" in done.out
    assert "bool" not in done.out
    for line in done.out.splitlines():
        if "--" in line and "juying" not in line:
            assert any(ord(char) > 0x2E80 for char in line), f"no Chinese: {line}"


def test_the_version(juying: Juying) -> None:
    done = juying("--version")
    assert (done.status, done.out, done.err) == (0, f"juying {__version__}\n", "")


@pytest.mark.parametrize("group", [(), ("profile",), ("virtual",), ("credential",)])
def test_a_group_without_a_command_is_bad_use_and_gets_its_help(group: tuple[str, ...], juying: Juying) -> None:
    done = juying(*group)
    assert (done.status, done.out) == (2, "")
    assert "Usage:" in done.err


@pytest.mark.parametrize(
    ("arguments", "where", "why"),
    [
        (["nonsense"], "juying", "No such command"),
        (["read", "--bogus"], "juying read", "--bogus"),
        (["issue"], "juying issue", "Missing argument"),
        (["virtual", "serve", "card.vcard", "--port", "x"], "juying virtual serve", "--port"),
        (["virtual", "serve", "card.vcard", "--port", "0"], "juying virtual serve", "--port"),
        (["profile", "docs", "ssc-v3", "more"], "juying profile docs", "unexpected extra argument"),
    ],
)
def test_bad_use_is_told_on_standard_error(arguments: list[str], where: str, why: str, juying: Juying) -> None:
    done = juying(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"{where}: 用法不对，请看 {where} --help / ")
    assert why.lower() in done.err.lower()


def test_bad_use_is_one_json_document_when_json_is_asked_for(juying: Juying) -> None:
    done = juying("read", "--bogus", "--json")
    assert (done.status, done.err) == (2, "")
    assert done.document == {
        "error": {
            "kind": "UsageError",
            "where": "juying read",
            "zh": "用法不对，请看 juying read --help",
            "en": "No such option: --bogus",
        }
    }


def test_an_error_is_one_json_document_when_json_is_asked_for(juying: Juying) -> None:
    done = juying("virtual", "show", "missing.vcard", "--json")
    assert (done.status, done.err) == (2, "")
    error = done.document["error"]
    assert error.keys() == {"kind", "where", "zh", "en"}
    assert (error["kind"], error["where"]) == ("InputError", "missing.vcard")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, typer.Abort])
def test_ctrl_c_ends_with_the_status_that_shells_know(
    kind: type[BaseException], juying: Juying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of work, or at a prompt."""

    def interrupted(*_: object, **__: object) -> None:
        raise kind

    monkeypatch.setattr("juying.codec.profile.load_profile", interrupted)
    assert juying("profile", "show", "ssc-v3").status == app.INTERRUPTED


def test_python_m_is_the_command_and_its_output_is_utf_8_whatever_the_locale(home: Path) -> None:
    code = "import sys; sys.argv[1:] = ['profile', 'list', '--json']; from juying.cli import main; main()"
    for arguments in (["-m", "juying.cli", "profile", "list", "--json"], ["-c", code]):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=home,
            env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin"},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        names = [profile["name"] for profile in json.loads(done.stdout.decode("utf-8"))["profiles"]]
        assert names == ["ssc-v1", "ssc-v2", "ssc-v3", "tunion"]


def test_the_console_script_leaves_with_the_exit_status(home: Path) -> None:
    script = Path(sys.executable).with_name("juying")
    done = subprocess.run([script, "decode", "ssc-v3", "SSSE/EF05", "xx"], cwd=home, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "十六进制".encode() in done.stderr
