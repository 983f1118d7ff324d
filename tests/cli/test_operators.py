"""Operators at the command line: the ledger by option and variable, logging in and out, approvals, blanks."""

import json
import stat
from pathlib import Path

import pytest

from juying.cli import ledger_options
from juying.ledger import schema
from juying.ledger.approvals import SECOND_PERSON
from juying.ledger.ledger import Ledger
from juying.ledger.passwords import Passwords
from tests.cli.conftest import Juying
from tests.cli.desk import Done
from tests.issuing import rows
from tests.ledger.test_operators import CHEAP

FANG, LEI = "王芳", "李雷"
PASSWORDS = {FANG: "correct horse battery", LEI: "another horse battery"}
BLANKS = ("33100000000111223344556a", "33100000000111223344556b")


@pytest.fixture
def ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new ledger, named by the variable; the user's own folder is the working directory."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("JUYING_LEDGER", "ledger.db")
    monkeypatch.setattr(Passwords, "_hasher", CHEAP)
    Ledger.open("ledger.db", region="331000").close()
    return home / "ledger.db"


@pytest.fixture
def desk(juying: Juying, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> Juying:
    """The command with 王芳 and 李雷 registered as supervisors, and nobody logged in."""
    register(juying, monkeypatch, FANG, "supervisor", "auditor")
    log_in(juying, monkeypatch, FANG)
    register(juying, monkeypatch, LEI, "supervisor")
    assert juying("logout").status == 0
    return juying


def register(juying: Juying, patch: pytest.MonkeyPatch, name: str, *roles: str) -> Done:
    patch.setenv("JUYING_NEW_PASSWORD", PASSWORDS[name])
    done = juying("operator", "add", name, *(part for role in roles for part in ("--role", role)), "--json")
    patch.delenv("JUYING_NEW_PASSWORD")
    assert done.status == 0, done.out
    return done


def log_in(juying: Juying, patch: pytest.MonkeyPatch, name: str, *options: str) -> Done:
    patch.setenv("JUYING_PASSWORD", PASSWORDS[name])
    done = juying("login", name, *options)
    patch.delenv("JUYING_PASSWORD")
    assert done.status == 0, done.err
    return done


# Which ledger


def test_nothing_is_done_without_a_ledger(juying: Juying, home: Path) -> None:
    done = juying("operator", "list")
    assert done.status == 2
    assert "JUYING_LEDGER" in done.err


def test_the_option_comes_before_the_variable(juying: Juying, ledger: Path) -> None:
    done = juying("whoami", "--ledger", "other.db", "--json")
    assert (done.status, done.document["error"]["where"]) == (2, "other.db")
    assert not Path("other.db").exists(), "nothing is made by the way"


@pytest.mark.parametrize(
    "address",
    ["postgresql://clerk:SECRET@localhost/office", "postgresql://localhost/office?user=clerk&password=SECRET"],
)
def test_a_database_password_is_no_argument(juying: Juying, home: Path, address: str) -> None:
    done = juying("whoami", "--ledger", address)
    assert done.status == 2
    assert "everybody can see arguments" in done.err
    assert "SECRET" not in done.err + done.out


def test_a_database_password_may_stand_in_the_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "postgresql://clerk:SECRET@localhost/office"
    monkeypatch.setenv("JUYING_LEDGER", address)
    assert ledger_options.ledger_address(None) == address
    monkeypatch.delenv("JUYING_LEDGER")
    assert ledger_options.ledger_address(None, Path("out") / "ledger.db") == str(Path("out") / "ledger.db")


def test_a_lost_database_is_undetermined(juying: Juying, home: Path) -> None:
    done = juying("whoami", "--ledger", f"postgresql:///office?host={home}", "--json")
    assert (done.status, done.document["error"]["kind"]) == (3, "LedgerUnavailable")


# Operators and sessions


def test_whoever_opens_a_new_ledger_is_local(juying: Juying, ledger: Path) -> None:
    done = juying("whoami", "--json")
    assert done.document == {
        "operator": "local", "roles": ["intake", "issuing", "supervisor", "auditor"], "station": None,
        "ledger": "ledger.db",
    }  # fmt: skip
    shown = juying("whoami", "--station", "A1").out
    assert "local" in shown
    assert "受理、制卡、主管、审计 / intake, issuing, supervisor, auditor" in shown
    assert "A1" in shown


def test_the_station_may_stand_in_a_variable(juying: Juying, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_STATION", "A1")
    assert juying("whoami", "--json").document["station"] == "A1"
    assert juying("whoami", "--station", "A2", "--json").document["station"] == "A2"
    assert juying("whoami", "--json").document["station"] == "A1"


def test_the_first_operator_is_a_supervisor(juying: Juying, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_NEW_PASSWORD", PASSWORDS[LEI])
    done = juying("operator", "add", LEI, "--role", "issuing")
    assert done.status == 2
    assert "has to be a supervisor" in done.err


def test_a_new_operator_as_a_document(juying: Juying, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = register(juying, monkeypatch, FANG, "auditor", "SUPERVISOR")
    assert done.document == {
        "operators": [{"operator": FANG, "roles": ["supervisor", "auditor"], "active": True}]
    }  # fmt: skip


def test_a_role_that_does_not_exist(juying: Juying, ledger: Path) -> None:
    done = juying("operator", "add", FANG, "--role", "boss")
    assert done.status == 2
    assert "intake, issuing, supervisor, auditor" in done.err


def test_without_a_password_nobody_is_registered(juying: Juying, ledger: Path) -> None:
    done = juying("operator", "add", FANG, "--role", "supervisor")
    assert done.status == 2
    assert "JUYING_NEW_PASSWORD" in done.err


def test_from_then_on_one_logs_in(desk: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (["whoami"], ["operator", "list"], ["blank", "list"], ["approval", "list"]):
        done = desk(*command)
        assert done.status == 2
        assert "juying login" in done.err
    done = log_in(desk, monkeypatch, FANG)
    assert FANG in done.err
    assert desk("whoami", "--json").document["operator"] == FANG
    listed = desk("operator", "list").out
    assert [line.split()[0] for line in listed.splitlines()] == ["local", FANG, LEI]
    assert "停用 / disabled" in listed.splitlines()[0]
    assert desk("logout").status == 0
    assert desk("logout").status == 0
    assert desk("whoami").status == 2


def test_the_session_is_a_file_of_its_owner(desk: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(desk, monkeypatch, FANG)
    [file] = (home / ".juying" / "sessions").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    token = file.read_text()
    assert len(token) == 43
    assert token.encode() not in (home / "ledger.db").read_bytes()
    assert desk("logout").status == 0
    assert not file.exists()
    file.write_text(token)
    assert "has ended" in desk("whoami").err, "it was ended in the ledger too"
    file.write_bytes(b"\xff\xfe")
    assert "log in first" in desk("whoami").err


def test_a_script_has_its_session_in_a_variable(desk: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = log_in(desk, monkeypatch, LEI, "--print", "--hours", "1")
    token = done.out.strip()
    assert not list((home / ".juying" / "sessions").iterdir())
    log_in(desk, monkeypatch, FANG)
    monkeypatch.setenv("JUYING_SESSION", token)
    assert desk("whoami", "--json").document["operator"] == LEI
    assert desk("logout").status == 0
    assert desk("whoami").status == 2
    monkeypatch.delenv("JUYING_SESSION")
    assert desk("whoami", "--json").document["operator"] == FANG, "the other session goes on"


def test_logging_in_as_a_document(desk: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    document = log_in(desk, monkeypatch, LEI, "--json").document
    assert set(document) == {"operator", "roles", "active", "expires_at"}
    document = log_in(desk, monkeypatch, LEI, "--json", "--print").document
    assert len(document["session"]) == 43


def test_a_wrong_password(desk: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_PASSWORD", "no horse battery at all")
    done = desk("login", FANG, "--json")
    assert done.status == 2
    assert "is wrong" in done.document["error"]["en"]
    assert "horse" not in done.out + done.err


def test_a_password_in_a_file(desk: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "password").write_text(PASSWORDS[FANG] + "\n")
    monkeypatch.setenv("JUYING_PASSWORD_FILE", str(home / "password"))
    assert desk("login", FANG).status == 0


def test_roles_are_changed(desk: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(desk, monkeypatch, FANG)
    done = desk("operator", "roles", LEI, "--role", "issuing", "--json")
    assert done.document["operators"][0]["roles"] == ["issuing"]
    log_in(desk, monkeypatch, LEI)
    done = desk("operator", "disable", FANG)
    assert done.status == 2
    assert "lacks the role (supervisor)" in done.err


def test_somebody_leaves_and_comes_back(desk: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(desk, monkeypatch, FANG)
    assert desk("operator", "disable", LEI, "--json").document["operators"][0]["active"] is False
    monkeypatch.setenv("JUYING_PASSWORD", PASSWORDS[LEI])
    assert desk("login", LEI).status == 2
    monkeypatch.delenv("JUYING_PASSWORD")
    assert "at least one" in desk("operator", "disable", FANG).err
    assert desk("operator", "enable", LEI).status == 0
    log_in(desk, monkeypatch, LEI)


def test_ones_own_password_and_anothers(desk: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(desk, monkeypatch, FANG)
    monkeypatch.setenv("JUYING_NEW_PASSWORD", "the third horse battery")
    assert "JUYING_PASSWORD" in desk("operator", "password").err, "one's own needs the old one"
    monkeypatch.setenv("JUYING_PASSWORD", PASSWORDS[FANG])
    done = desk("operator", "password")
    assert (done.status, done.out) == (0, "")
    assert "log in again" in done.err
    assert desk("whoami").status == 2
    monkeypatch.setenv("JUYING_PASSWORD", "the third horse battery")
    assert desk("login", FANG).status == 0
    monkeypatch.delenv("JUYING_PASSWORD")
    assert desk("operator", "password", LEI).status == 0, "a supervisor sets that of another"
    monkeypatch.setenv("JUYING_PASSWORD", "the third horse battery")
    assert desk("login", LEI).status == 0


def test_a_folder_that_cannot_be_made(desk: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("HOME", str(home / "file"))
    monkeypatch.setenv("USERPROFILE", str(home / "file"))
    monkeypatch.setenv("JUYING_PASSWORD", PASSWORDS[FANG])
    done = desk("login", FANG)
    assert done.status == 2
    assert "the folder cannot be made" in done.err


# Approvals and blanks


@pytest.fixture
def stock(desk: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> Juying:
    """王芳 at work, with two blanks in stock."""
    log_in(desk, monkeypatch, FANG)
    (home / "blanks.csv").write_text("卡识别码,箱\n" + "".join(f"{one.upper()},7\n" for one in BLANKS), "utf-8")
    assert desk("blank", "add", "blanks.csv", "--profile", "ssc-v3").status == 0
    return desk


def test_blanks_are_added_once(stock: Juying) -> None:
    done = stock("blank", "add", "blanks.csv", "--profile", "ssc-v3", "--station", "A1", "--json")
    assert done.document == {"added": 0, "known": 2}
    assert "in stock  2" in stock("blank", "list").out
    listed = stock("blank", "list", "--state", "stock").out.splitlines()
    assert [line.split()[:2] for line in listed] == [["1", BLANKS[0]], ["2", BLANKS[1]]]
    document = stock("blank", "list", "--state", "stock", "--state", "used", "--json").document
    assert document["counts"] == {"stock": 2}
    assert document["blanks"][0] == {
        "blank": 1, "identifier": BLANKS[0], "state": "stock", "profile": "ssc-v3", "reason": "", "card": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("box\n7\n", "no column called identifier"),
        ("identifier\n33100000000111223344556a\n\n12\n", "bad.csv:4"),
        ("identifier,box\n33100000000111223344556a,1\n,2\n", "bad.csv:3"),
    ],
)
def test_a_sheet_with_a_mistake_adds_nothing(stock: Juying, home: Path, content: str, message: str) -> None:
    (home / "bad.csv").write_text(content)
    done = stock("blank", "add", "bad.csv", "--profile", "ssc-v3")
    assert done.status == 2
    assert message in done.err
    assert stock("blank", "list", "--json").document["counts"] == {"stock": 2}


def test_other_mistakes_with_blanks(stock: Juying) -> None:
    assert "there is no profile" in stock("blank", "add", "blanks.csv", "--profile", "ssc-v9").err
    assert "known are stock, in-use" in stock("blank", "list", "--state", "gone").err
    assert "no such blank" in stock("blank", "scrap", "99").err


def test_destroyed_by_two(stock: Juying, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = stock("blank", "scrap", "1", BLANKS[1], "--json")
    assert done.status == 2
    assert "juying approval give 1" in done.document["error"]["en"]
    assert "asked for himself" in stock("approval", "give", "1").err
    log_in(stock, monkeypatch, LEI)
    [waiting] = stock("approval", "list", "--json").document["approvals"]
    assert waiting["asked_by"] == FANG
    assert (waiting["action"], waiting["subject"], waiting["given_by"]) == ("scrap", {"blanks": [1, 2]}, None)
    shown = stock("approval", "give", "1").out
    assert "销毁卡片" in shown
    assert LEI in shown
    assert "scrap" in stock("approval", "list").out
    log_in(stock, monkeypatch, FANG)
    assert stock("blank", "scrap", "2", "1", "--json").document == {"scrapped": 2, "before": 0}
    assert "recorded as destroyed: 0" in stock("blank", "scrap", "1").out
    assert stock("approval", "list", "--json").document == {"approvals": []}
    [done_with] = stock("approval", "list", "--all", "--json").document["approvals"]
    assert done_with["used_at"] is not None
    assert str(done_with["used_at"])[:10] in stock("approval", "list", "--all").out
    with Ledger.open(ledger) as opened:
        assert [row.state for row in rows(opened, schema.blanks)] == ["scrapped", "scrapped"]


def test_asking_beforehand(stock: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = json.dumps({"blanks": [2]})
    assert stock("approval", "ask", "scrap", subject).out == "1\n"
    assert stock("approval", "ask", "scrap", subject, "--json").document == {"approval": 2}
    log_in(stock, monkeypatch, LEI)
    assert stock("approval", "give", "2", "--json").document["approvals"][0]["given_by"] == LEI
    log_in(stock, monkeypatch, FANG)
    assert stock("blank", "scrap", "2").status == 0


def test_the_help_names_all_that_can_be_asked_for(stock: Juying) -> None:
    told = stock("approval", "ask", "--help").out
    assert [action.value for action in SECOND_PERSON if action.value not in told] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lunch", "{}"], "no such action; known are scrap, key-use"),
        (["station", "{}"], "needs no second person"),
        (["scrap", "[1]"], "is a JSON object"),
        (["scrap", "{blanks}"], "is a JSON object"),
    ],
)
def test_what_cannot_be_asked_for(stock: Juying, arguments: list[str], message: str) -> None:
    done = stock("approval", "ask", *arguments)
    assert done.status == 2
    assert message in done.err
