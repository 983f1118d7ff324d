"""Finding out how a system speaks; and ``juying library``."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from juying.cli.library import PASSWORD as PASSWORD_VARIABLE
from juying.cli.library import app
from juying.cli.output import exit_status
from juying.errors import PlatformUnavailable
from juying.services.library.client import LibraryClient
from juying.services.library.selftest import NOBODY, selftest
from juying.services.library.site import Site
from tests.library.conftest import LibrarySystem
from tests.peers.sip2 import INSTITUTION, LOGIN, PASSWORD

Make = Callable[..., Site]
BOOK = {
    "terminator": "CR",
    "charset": "utf-8",
    "send_checksum": "warn",
    "checksum": "bytes",
    "receive_checksum": "strict",
    "sequence": "strict",
    "institution": INSTITUTION,
    "question": "63",
    "resend": True,
}


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


@pytest.mark.parametrize(
    ("habits", "changes"),
    [
        ((), {}),
        (("login-first",), {}),
        (("split", "crlf"), {}),
        (("checks",), {"send_checksum": "strict"}),
        (("96-with-checksum",), {"send_checksum": "off", "receive_checksum": "off", "sequence": "off"}),
        (("no-trailer",), {"receive_checksum": "off", "sequence": "off"}),
        (("wrong-checksum",), {"receive_checksum": "off"}),
        (("digit-zero",), {"sequence": "off"}),
        (("gbk",), {"charset": "gb18030"}),
        (("no-63",), {"question": "23"}),
        (("no-97",), {"resend": False}),
        (("dp2-checksum", "no-23"), {"checksum": "dp2", "sequence": "off"}),
    ],
    ids=lambda each: "+".join(each) if isinstance(each, tuple) else "",
)
def test_the_settings_are_those_of_the_system(
    system: LibrarySystem, site: Make, habits: tuple[str, ...], changes: dict[str, Any]
) -> None:
    """And a site made of them understands the system, without any complaint."""
    system.begin(*habits)
    found = selftest(site(impatient=True))
    expected = {**BOOK, **changes}
    if expected["receive_checksum"] == "off":
        del expected["checksum"]
    assert {key: found.settings.get(key) for key in expected} == expected
    assert system.ledger == []
    table = tomllib.loads(found.toml(site()))["library"]["sample"]
    with LibraryClient(Site.from_dict({**table, "keep_alive": 0}, "found")) as client:
        received = client.reader("R0002")
    assert received.message.name == "样本·停借"
    assert received.problems == ()


def test_ascii_says_nothing_about_the_character_set(system: LibrarySystem, site: Make) -> None:
    system.begin("no-status", "no-63", "no-17")
    found = selftest(site(impatient=True))
    assert "charset" not in found.settings
    assert found.settings["status"] is False
    assert [finding.value for finding in found.findings if "63" in finding.name.en] == ["not answered"]


def test_neither_question_is_answered(system: LibrarySystem, site: Make) -> None:
    system.begin("no-63", "no-23")
    assert "question" not in selftest(site(impatient=True)).settings


def test_a_login_that_is_refused(system: LibrarySystem, site: Make) -> None:
    system.begin("refuse-login")
    found = selftest(site(impatient=True))
    assert [finding.good for finding in found.findings if finding.name.en == "login"] == [False]


def test_deviations_are_told(system: LibrarySystem, site: Make) -> None:
    system.begin("garbage")
    remarks = [str(finding.remark) for finding in selftest(site(impatient=True)).findings]
    assert sum("other bytes before the message" in remark for remark in remarks) >= 2


@pytest.mark.parametrize("habit", ["silent", "none", "endless"])
def test_a_system_that_says_nothing(system: LibrarySystem, site: Make, habit: str) -> None:
    system.begin(habit)
    with pytest.raises(PlatformUnavailable, match="check port, TLS and login"):
        selftest(site(impatient=True))


def test_it_asks_about_nobody_and_lends_nothing(system: LibrarySystem, site: Make) -> None:
    selftest(site(impatient=True))
    assert not {"11", "09", "29", "37"} & set(system.sent)
    assert NOBODY.isascii()


def test_quotes_in_a_login_do_not_break_the_table(system: LibrarySystem, site: Make) -> None:
    found = selftest(site(impatient=True))
    strange = site(login='a"b\\c', tls=True, ca_file="c:\\ca.pem")
    table = tomllib.loads(found.toml(strange))["library"]["sample"]
    assert (table["login"], table["ca_file"]) == ('a"b\\c', "c:\\ca.pem")


# the command line


@pytest.fixture
def library(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``juying library``: exit status, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        command = get_command(app)
        words = [str(argument) for argument in arguments]
        status = exit_status(
            lambda: command.main(args=words, prog_name="juying library", standalone_mode=False),
            as_json="--json" in words,
        )
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def configuration(table: dict[str, Any], tmp_path: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library that is there with a branch, and one that is not, whose password is not there either."""
    monkeypatch.delenv("JUYING_SITES", raising=False)
    lines = [
        "[library.town]",
        'title = {zh = "样本图书馆", en = "Sample Library"}',
        *(f"{key} = {json.dumps(table[key])}" for key in ("host", "port", "tls", "login", "password_env")),
        f'institution = "{INSTITUTION}"',
        "[library.town.branches.quay]",
        "[library.away]",
        f'host = "127.0.0.1"\nport = {unused_port}\ntls = false\n',
        "[library.locked]",
        'host = "sip2.example"\nport = 6001\nlogin = "x"\npassword_env = "JUYING_NO_SUCH"',
    ]
    path = tmp_path / "sites.toml"
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_status(library: Callable[..., tuple[int, str, str]], configuration: Path) -> None:
    status, out, _ = library("status", "town", "town.quay", "--sites", configuration)
    assert status == 0
    assert out.count("在线 / on line") == 2
    assert "样本图书馆" in out
    status, out, _ = library("status", "town", "away", "--sites", configuration, "--json")
    assert status == 3
    town, away = json.loads(out)["libraries"]
    assert (town["online"], town["institution"], town["problems"]) == (True, INSTITUTION, [])
    assert "63" in town["messages"]
    assert away["online"] is False
    assert "ConnectionRefusedError" in away["error"]["en"]
    assert "不可用" in library("status", "library.away", "--sites", configuration)[1]


def test_status_of_all(
    library: Callable[..., tuple[int, str, str]], configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = library("status", "--sites", configuration)
    assert (status, "JUYING_NO_SUCH" in err) == (2, True)
    monkeypatch.setenv("JUYING_SITES", str(configuration))
    monkeypatch.setenv("JUYING_NO_SUCH", "x")
    monkeypatch.setattr("juying.services.library.client.socket.create_connection", _refused)
    status, out, _ = library("status")
    assert status == 3
    assert len(out.splitlines()) == 4


def _refused(*_: object, **__: object) -> None:
    raise ConnectionRefusedError


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("status",), "JUYING_SITES"),
        (("selftest", "towm", "--sites", "{}"), "the nearest is town"),
        (("selftest", "town.qay", "--sites", "{}"), "the nearest is town.quay"),
        (("selftest", "town", "--plain", "--sites", "{}"), "belong to HOST:PORT"),
    ],
)
def test_bad_use(
    library: Callable[..., tuple[int, str, str]], configuration: Path, arguments: tuple[str, ...], reason: str
) -> None:
    status, _, err = library(*(each.format(configuration) for each in arguments))
    assert (status, reason in err) == (2, True)


def test_an_empty_configuration_has_no_library(library: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("", "utf-8")
    status, _, err = library("selftest", "town", "--sites", path)
    assert (status, "there is no such library" in err) == (2, True)


def test_selftest_of_a_site(library: Callable[..., tuple[int, str, str]], configuration: Path) -> None:
    status, out, err = library("selftest", "town", "--sites", configuration, "--timeout", "0.2")
    assert status == 0
    assert "字符集" in out
    assert "character set" in out
    assert out.index("报文结束符") < out.index("[library.town]")
    assert "… 校验和与序号" in err


def test_selftest_of_an_address(library: Callable[..., tuple[int, str, str]], system: LibrarySystem) -> None:
    system.begin("wrong-checksum")
    address = f"127.0.0.1:{system.port}"
    status, out, err = library("selftest", address, "--plain", "--login", LOGIN, "--timeout", "0.2", "--json")
    assert (status, err) == (1, "")
    report = json.loads(out)
    assert report["settings"]["receive_checksum"] == "off"
    assert [finding["value"] for finding in report["findings"] if finding["name"]["en"] == "login"] == ["ok"]
    assert tomllib.loads(report["toml"])["library"]["example"]["login"] == LOGIN
    assert PASSWORD not in out


def test_selftest_does_not_speak_clear_text_unasked(
    library: Callable[..., tuple[int, str, str]], system: LibrarySystem, tmp_path: Path
) -> None:
    address = f"localhost:{system.port}"
    status, _, err = library("selftest", address, "--login", LOGIN, "--timeout", "0.2")
    assert status == 3
    assert "93" not in system.sent
    status, _, err = library("selftest", address, "--ca", tmp_path / "none.pem")
    assert (status, "FileNotFoundError" in err) == (2, True)


def test_a_password_can_be_typed(
    library: Callable[..., tuple[int, str, str]], system: LibrarySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE)
    arguments = ("selftest", f"127.0.0.1:{system.port}", "--plain", "--login", LOGIN, "--timeout", "0.2", "--json")
    status, out, _ = library(*arguments)
    assert (status, PASSWORD_VARIABLE in out) == (2, True)
    monkeypatch.setattr("juying.cli.library.at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: PASSWORD)
    assert library(*arguments)[0] == 0
