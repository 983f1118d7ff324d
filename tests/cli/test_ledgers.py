"""``juying ledger``: what an office does with its ledger as a whole, from making it to erasing whom it may not keep."""

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.cli import passwords
from juying.cli.key_options import open_keys
from juying.cli.person_view import as_html
from juying.credential.register import Reason
from juying.credential.status_list import Status
from juying.crypto.key_file import Cost, KeyFile
from juying.crypto.token import Token
from juying.errors import JuyingError
from juying.ledger import migrations, privacy, schema
from juying.ledger import people as stored
from juying.ledger.ledger import Ledger
from juying.ledger.operators import Operators
from juying.ledger.states import PermitState, Role
from juying.ledger.verify import verify_chain
from tests import people
from tests.cli.conftest import Juying
from tests.cli.desk import applicant, sheet
from tests.crypto.softhsm import PIN, softhsm
from tests.harness import PrivatePostgres
from tests.ledger.test_migrations import later, revision

CITY, LEDGER = "331000", "office.db"
PHRASE = "ein langer Satz 聚英"
UNPROTECTED = "whoever has the file can read"


@pytest.fixture(autouse=True)
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_LEDGER", LEDGER)
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE", PHRASE)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setitem(KeyFile.create.__kwdefaults__, "cost", Cost(n=2, r=1))


@pytest.fixture
def keys(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key store with the key of a ledger and nothing else."""
    monkeypatch.setenv("JUYING_KEYS", "office.keys")
    assert juying("keys", "init").status == 0
    assert juying("keys", "generate", "LEDGER", "--kind", "sm4", "--city", CITY).status == 0
    return "office.keys"


@pytest.fixture
def ledger(juying: Juying) -> None:
    """A ledger with two persons, under the keys that the environment names, else those of the demonstration."""
    assert juying("ledger", "init", "--region", CITY).status == 0
    with open_keys(None) as held, Ledger.open(LEDGER, held) as opened, opened.transaction(opened.local) as tx:
        persons = [people.holder(), people.holder(document_number="P1", name="MUSTER ANNA")]
        ids = stored.add_persons(tx, [(holder, b"\xff\xd8 a photo") for holder in persons])
        stored.add_permits(tx, [(person, people.permit(number=f"ZJ{person:08}"), None) for person in ids])


def end(days: int) -> None:
    """Every permit ended so many days ago."""
    with Ledger.open(LEDGER) as opened, opened.transaction(opened.local) as tx:
        ago = tx.now - timedelta(days=days)
        state = PermitState.CANCELLED.value
        tx.db.execute(sa.update(schema.permits).values(state=state, ended_at=ago, ended_by="cancellation"))
        tx.db.execute(sa.update(schema.persons).values(made_at=ago))


# The ledger itself.


def test_a_ledger_is_made_once(juying: Juying) -> None:
    made = juying("ledger", "init", "--region", CITY, "--json")
    assert made.document["made"] is True
    assert UNPROTECTED in made.err
    assert stat.S_IMODE(Path(LEDGER).stat().st_mode) == 0o600
    again = juying("ledger", "init", "--region", CITY, "--json")
    assert again.document == {**made.document, "made": False}
    assert "there already" in juying("ledger", "init", "--region", CITY).out
    other = juying("ledger", "init", "--region", "330100")
    assert (other.status, "a ledger of city 331000" in other.err) == (2, True)


@pytest.mark.parametrize("arguments", [[], ["--region", "3310"], ["--region", "Taizhou"]])
def test_a_ledger_needs_its_city(juying: Juying, arguments: list[str]) -> None:
    assert juying("ledger", "init", *arguments).status == 2
    assert not Path(LEDGER).exists()


def test_a_ledger_under_keys_of_the_office_is_not_warned_of(juying: Juying, keys: str) -> None:
    assert UNPROTECTED not in juying("ledger", "init", "--region", CITY).err
    document = juying("ledger", "info", "--json").document
    assert document["key"]["demonstration"] is False
    listed = juying("keys", "list", "--json").document["keys"]
    assert [(key["name"], key["check_value"]) for key in listed] == [("LEDGER", document["key"]["check_value"])]


def test_without_its_key_no_ledger_is_made(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    assert juying("keys", "init", "--keys", "empty.keys").status == 0
    refused = juying("ledger", "init", "--region", CITY, "--keys", "empty.keys")
    assert (refused.status, "there is no ledger key" in refused.err) == (2, True)
    assert not Path(LEDGER).exists()


def test_issuing_says_how_a_key_store_gets_a_ledger_key(juying: Juying) -> None:
    """The command that it names is the one that helps."""
    assert juying("keys", "init", "--keys", "empty.keys").status == 0
    refused = juying("issue", sheet(applicant(0)), "--out", "out", "--keys", "empty.keys")
    assert refused.status == 2
    assert not Path(LEDGER).exists()
    named = refused.err.strip().rpartition(": juying ")[2].split()
    assert named[:3] == ["keys", "generate", "LEDGER"]
    assert juying(*named, "--keys", "empty.keys").status == 0
    done = juying("issue", sheet(applicant(0)), "--out", "out", "--keys", "empty.keys")
    assert "ledger key" not in done.err
    assert Path(LEDGER).exists()


def test_info_tells_what_the_ledger_is(juying: Juying, ledger: None) -> None:
    document = juying("ledger", "info", "--json").document
    assert (document["region"], document["database"], document["revision"]) == (CITY, "sqlite", schema.REVISION)
    assert (document["counts"]["persons"], document["counts"]["permits"]) == ({"kept": 2, "erased": 0}, {"valid": 2})
    assert (document["last_backup"], document["retention_days"], document["due"]) == (None, 1826, 0)
    assert document["head"].startswith("0:")
    text = juying("ledger", "info").out
    for part in ("1826 天", "valid 2", "last back-up       无 / none", document["head"], "2, and 0 erased"):
        assert part in text
    for word in ("ERIKSSON", "ZJ0"):
        assert word not in text


def test_a_ledger_that_is_not_there_is_not_made(juying: Juying) -> None:
    for command in (["info"], ["upgrade"], ["backup", "a"], ["retention"], ["rekey"], ["erase", "--due"]):
        assert juying("ledger", *command).status == 2
    assert not Path(LEDGER).exists()


def test_upgrade(juying: Juying, ledger: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "newest" in juying("ledger", "upgrade").out
    before = schema.REVISION
    assert juying("ledger", "upgrade", "--json").document == {"before": before, "after": before, "copy": None}
    (tmp_path / "new").mkdir()
    later(tmp_path / "new", monkeypatch)
    refused = juying("ledger", "info")
    assert (refused.status, "juying ledger upgrade" in refused.err) == (2, True)
    done = juying("ledger", "upgrade")
    assert (done.status, f"{before} → 9999" in done.out) == (0, True)
    copy = next(path for path in Path.cwd().iterdir() if path.name.startswith(f"{LEDGER}.{before}-"))
    assert copy.name in done.err
    assert revision(str(copy)) == before
    assert juying("ledger", "info", "--json").document["revision"] == "9999"


def test_upgrade_of_postgresql_makes_no_copy(
    juying: Juying, private_postgres: PrivatePostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = private_postgres.new_database()
    assert juying("ledger", "init", "--region", CITY, "--ledger", where).status == 0
    (tmp_path / "new").mkdir()
    later(tmp_path / "new", monkeypatch)
    done = juying("ledger", "upgrade", "--ledger", where)
    assert (done.status, done.err) == (0, "")
    assert migrations.revision_of(where) == "9999"


# Back-ups.


def test_a_back_up_goes_from_sqlite_to_postgresql(
    juying: Juying, keys: str, ledger: None, private_postgres: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fixtures come in this order: the ledger is under the key of the office."""
    saved = juying("ledger", "backup", "today.backup", "--json")
    assert saved.status == 0
    assert stat.S_IMODE(Path("today.backup").stat().st_mode) == 0o600
    assert saved.document["tables"]["persons"]["count"] == 2
    where = private_postgres.new_database()
    done = juying("ledger", "restore", "today.backup", "--ledger", where)
    assert done.status == 0
    assert saved.document["head"] in done.out
    assert "new prefix" in done.err
    with pytest.raises(JuyingError), Ledger.open(where):
        pass  # not with demonstration keys
    info = juying("ledger", "info", "--ledger", where, "--json").document
    assert (info["database"], info["counts"]["persons"]["kept"]) == ("postgresql", 2)
    assert juying("ledger", "info", "--json").document["last_backup"] is not None


def test_restore_says_what_is_wrong(juying: Juying, ledger: None) -> None:
    assert juying("ledger", "backup", "today.backup").status == 0
    again = juying("ledger", "backup", "today.backup", "--json")
    assert (again.status, "not overwritten" in again.document["error"]["en"]) == (2, True)
    full = juying("ledger", "restore", "today.backup")
    assert (full.status, "empty place" in full.err) == (2, True)
    Path("torn.backup").write_bytes(Path("today.backup").read_bytes()[:-9])
    torn = juying("ledger", "restore", "torn.backup", "--ledger", "new.db")
    assert (torn.status, "incomplete" in torn.err) == (2, True)
    assert not Path("new.db").exists()
    assert (
        juying("ledger", "restore", "today.backup", "--ledger", "new.db", "--json").document["file"] == "today.backup"
    )


# The key.


def test_rekey_after_a_rotation(juying: Juying, keys: str, ledger: None) -> None:
    assert juying("ledger", "rekey", "--json").document == {"rekeyed": False}
    assert juying("keys", "rotate", "LEDGER").status == 0
    info = juying("ledger", "info", "--json").document
    assert (info["key"]["current"], info["key"]["check_value"]) == (False, None)
    assert "juying ledger rekey" in juying("ledger", "info").out
    assert "sealed anew" in juying("ledger", "rekey").out
    assert "nothing was changed" in juying("ledger", "rekey").out
    assert juying("keys", "rotate", "LEDGER", "--drop-previous").status == 0
    assert juying("ledger", "info", "--json").document["key"]["current"] is True


def test_dropping_the_previous_key_too_early_is_told(juying: Juying, keys: str, ledger: None) -> None:
    copy = Path(keys).read_bytes()
    assert juying("keys", "rotate", "LEDGER").status == 0
    assert juying("keys", "rotate", "LEDGER", "--drop-previous").status == 0
    lost = juying("ledger", "info")
    assert (lost.status, "this ledger does not open" in lost.err) == (2, True)
    Path(keys).write_bytes(copy)
    assert juying("ledger", "info").status == 0


def test_keys_init_makes_the_key_of_a_ledger_too(juying: Juying) -> None:
    made = juying("keys", "init", "--keys", "all.keys", "--city", CITY, "--profile", "ssc-v3", "--ledger", "--json")
    assert [(key["kind"], key["city"]) for key in made.document["keys"] if key["name"] == "LEDGER"] == [("sm4", CITY)]
    refused = juying("keys", "init", "--keys", "none.keys", "--ledger")
    assert (refused.status, "--city" in refused.err) == (2, True)
    again = juying("keys", "generate", "LEDGER", "--kind", "sm4", "--city", CITY, "--keys", "all.keys")
    assert (again.status, "in the store" in again.err) == (2, True)
    assert juying("keys", "generate", "issuer", "--kind", "es256", "--keys", "all.keys").status == 0


def test_the_key_of_a_ledger_may_be_in_a_token(juying: Juying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with softhsm(tmp_path, "office") as library:
        monkeypatch.setenv("JUYING_PKCS11_MODULE", str(library))
        monkeypatch.setenv("JUYING_TOKEN_PIN", PIN)
        monkeypatch.setenv("JUYING_KEYS", "pkcs11:token=office")
        assert juying("keys", "init", "--city", CITY, "--profile", "ssc-v2", "--ledger").status == 0
        assert juying("ledger", "init", "--region", CITY).status == 0
        assert juying("ledger", "info", "--json").document["key"]["kind"] == "3des"
        assert juying("keys", "rotate", "LEDGER").status == 0
        assert juying("ledger", "rekey", "--json").document == {"rekeyed": True}
        assert juying("ledger", "backup", "today.backup").status == 0
        assert juying("ledger", "restore", "today.backup", "--ledger", "again.db").status == 0
        assert juying("keys", "generate", "issuer", "--kind", "es256").status == 0
        with Token.open("office", PIN, module=library) as token:
            assert {"LEDGER", "issuer"} <= {key.name for key in token}


# Persons.


def test_everything_on_a_person_goes_into_a_file(juying: Juying, ledger: None) -> None:
    assert juying("ledger", "export-person", "1", "--out", "anna.json").status == 0
    assert stat.S_IMODE(Path("anna.json").stat().st_mode) == 0o600
    document = json.loads(Path("anna.json").read_text("utf-8"))
    assert document["holder"]["name"] == "ERIKSSON ANNA MARIA"
    assert juying("ledger", "export-person", "1", "--out", "anna.html").status == 0
    page = Path("anna.html").read_text("utf-8")
    for part in (
        "有关您的全部信息",
        "ERIKSSON ANNA MARIA",
        "data:image/jpeg;base64,",
        "首席科学家",
        "UTO",
        "女 / female",
    ):
        assert part in page
    assert "http" not in page
    shown = juying("ledger", "export-person", "2", "--out", "-")
    assert shown.document["holder"]["name"] == "MUSTER ANNA"


def test_what_is_personal_cannot_break_the_page(juying: Juying, ledger: None) -> None:
    with Ledger.open(LEDGER) as opened, opened.transaction(opened.local) as tx:
        stored.change_person(tx, 1, people.holder(address="<script>alert(1)</script>"), None)
    assert juying("ledger", "export-person", "1", "--out", "anna.html").status == 0
    page = Path("anna.html").read_text("utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_person_is_found_without_an_argument(juying: Juying, ledger: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("who").write_text("l898 902-c3\nsomething else\n", "utf-8")
    assert juying("ledger", "export-person", "--find", "who", "--out", "-").document["person"] == 1
    found = juying("ledger", "export-person", "--find", "-", "--out", "-", stdin=b"MUSTER\n")
    assert found.document["person"] == 2
    monkeypatch.setattr(passwords, "at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "ZJ00000002")
    assert juying("ledger", "export-person", "--ask", "--out", "-").document["person"] == 2


@pytest.mark.parametrize(
    ("text", "message"), [("ANNA", "several persons fit (numbers 1, 2)"), ("NOBODY", "nobody is found")]
)
def test_a_person_has_to_be_the_only_one(juying: Juying, ledger: None, text: str, message: str) -> None:
    refused = juying("ledger", "export-person", "--find", "-", "--out", "-", stdin=text.encode())
    assert (refused.status, message in refused.err) == (2, True)
    assert text not in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "-"], "by number"),
        (["1", "--ask", "--out", "-"], "by number"),
        (["--ask", "--out", "-"], "nobody to ask"),
        (["--find", "none", "--out", "-"], "cannot be read"),
        (["1", "--out", "anna.txt"], ".json or .html"),
        (["1", "--out", "there.json"], "not overwritten"),
        (["9", "--out", "-"], "no such person"),
    ],
)
def test_what_export_refuses(juying: Juying, ledger: None, arguments: list[str], message: str) -> None:
    Path("there.json").touch()
    refused = juying("ledger", "export-person", *arguments)
    assert (refused.status, message in refused.err) == (2, True)


def test_those_who_are_due_are_erased(juying: Juying, ledger: None) -> None:
    assert juying("ledger", "erase", "--due", "--json").document == {"persons": [], "erased": 0, "purged": True}
    end(400)
    assert juying("ledger", "erase", "--due", "--dry-run").out == ""
    assert juying("ledger", "retention", "--days", "365", "--json").document == {"days": 365}
    assert "365" in juying("ledger", "retention").out
    assert juying("ledger", "info", "--json").document["due"] == 2
    assert juying("ledger", "erase", "--due", "--dry-run").out.split() == ["persons/1", "persons/2"]
    planned = juying("ledger", "erase", "--due", "--dry-run", "--json").document
    assert planned == {"persons": [1, 2], "blocked": {}, "approval": {"persons": [1, 2]}}
    assert "2" in juying("ledger", "erase", "--due").out
    assert juying("ledger", "info", "--json").document["counts"]["persons"] == {"kept": 0, "erased": 2}
    with Ledger.open(LEDGER) as opened, opened.reading() as db:
        assert verify_chain(db).whole


def test_one_person_is_erased(juying: Juying, ledger: None) -> None:
    held = juying("ledger", "erase", "--person", "2")
    assert (held.status, "a permit of the person is valid" in held.err) == (2, True)
    planned = juying("ledger", "erase", "--person", "2", "--dry-run")
    assert (planned.status, "a permit of the person is valid" in planned.out) == (1, True)
    end(0)
    assert juying("ledger", "erase", "--person", "2", "--json").document["erased"] == 1
    gone = juying("ledger", "export-person", "2", "--out", "-").document
    assert (gone["holder"], gone["erased_at"] is not None) == (None, True)


def test_what_remains_in_the_file_is_told(juying: Juying, ledger: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "purge", lambda ledger: False)
    left = juying("ledger", "erase", "--due")
    assert (left.status, "run this again" in left.err) == (3, True)


@pytest.mark.parametrize("arguments", [[], ["--due", "--person", "1"]])
def test_erase_needs_to_know_whom(juying: Juying, ledger: None, arguments: list[str]) -> None:
    refused = juying("ledger", "erase", *arguments)
    assert (refused.status, "one of" in refused.err) == (2, True)


def test_retention_has_limits(juying: Juying, ledger: None) -> None:
    assert juying("ledger", "retention", "--days", "7").status == 2
    assert juying("ledger", "retention", "--json").document == {"days": 1826}


# Who.


def test_operators_log_in_and_two_erase(juying: Juying, ledger: None, monkeypatch: pytest.MonkeyPatch) -> None:
    end(3000)
    with Ledger.open(LEDGER) as opened:
        operators = Operators(opened)
        ma = operators.add(opened.local, "ma", [Role.SUPERVISOR], "a long password").actor()
        operators.add(ma, "li", [Role.SUPERVISOR], "a long password")
        operators.add(ma, "wu", [Role.INTAKE], "a long password")
    for command in (["info"], ["backup", "b"], ["rekey"], ["erase", "--due"], ["export-person", "1", "--out", "-"]):
        refused = juying("ledger", *command)
        assert (refused.status, "log in first" in refused.err) == (2, True)
    monkeypatch.setenv("JUYING_PASSWORD", "a long password")

    def session(name: str) -> None:
        monkeypatch.delenv("JUYING_SESSION", raising=False)
        monkeypatch.setenv("JUYING_SESSION", juying("login", name, "--print").out.strip())

    session("wu")
    for command in (["backup", "b"], ["erase", "--due"], ["export-person", "1", "--out", "-"]):
        refused = juying("ledger", *command)
        assert (refused.status, "role" in refused.err) == (2, True)
    session("ma")
    asked = juying("ledger", "erase", "--due")
    assert (asked.status, "juying approval give 1" in asked.err) == (2, True)
    session("li")
    assert juying("approval", "give", "1").status == 0
    session("ma")
    assert juying("ledger", "erase", "--due", "--json").document["erased"] == 2


def test_a_page_has_words_for_everything() -> None:
    statuses = [
        {"status": "suspended", "reason": Reason.UNDER_REVIEW.value},
        {"status": "valid", "reason": "by telephone"},
    ]
    claims = {"holder_bound": True, "status": {"list": 1, "index": 2}}
    page = as_html({"credentials": [{"claims": claims, "statuses": statuses}], "photo": None, "holder": {}})
    for part in ("电子凭证 / credentials", "绑定持有人密钥 / bound to a key", "是 / yes", "无 / none"):
        assert part in page
    for part in (str(Status.SUSPENDED.text), str(Reason.UNDER_REVIEW.text), "by telephone", "index"):
        assert part in page
