"""``juying trust``: from the root's ceremony to the terminal, and everything that it refuses."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from juying.cli import passwords, trust
from juying.credential.trust import Edition, TrustList
from juying.credential.trust_root import Root
from juying.crypto.signing import SoftwareSigner
from tests import people
from tests.cli.conftest import Juying
from tests.cli.desk import applicant, sheet

PASS_PHRASE = "ein langer Satz 聚英"
DAY = timedelta(days=1)
NAMES = ("--zh", "台州市示范机关（样本）", "--en", "sample office of Taizhou")
ROOT_NAMES = ("--zh", "样本根", "--en", "sample root")


@pytest.fixture(autouse=True)
def pass_phrase(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_KEY_PASSWORD", PASS_PHRASE)
    monkeypatch.setenv("JUYING_LISTS", "out/lists")
    monkeypatch.delenv("JUYING_ROOT", raising=False)


def this_quarter() -> str:
    today = datetime.now(UTC) + timedelta(hours=8)
    return f"{today.year}Q{(today.month + 2) // 3}"


def keygen(juying: Juying, key: str = "city.pem", *options: str) -> Any:
    names = ("--region", "331000", "--quarter", this_quarter(), *NAMES)
    return juying("trust", "keygen", key, *names, *options, "--json").document


@pytest.fixture
def ceremony(juying: Juying) -> Any:
    """A root key, a city's key, and the first signed list of it; the answers of `trust root` and `trust create`."""
    made = juying("trust", "root", "root.pem", *ROOT_NAMES, "--json").document
    keygen(juying)
    assert juying("trust", "add", "source.json", "city.json").status == 0
    create = juying("trust", "create", "source.json", "--key", "root.pem", "--out", "list.cbor", "--json")
    assert create.status == 0
    return made, create.document


@pytest.fixture
def terminal(juying: Juying, ceremony: Any) -> Path:
    """The store of a terminal that has pinned the root and imported the list."""
    store = Path("store")
    assert (
        juying("trust", "pin", "root.json", "--store", store, "--fingerprint", ceremony[0]["fingerprint"]).status == 0
    )
    assert juying("trust", "import", "list.cbor", "--store", store).status == 0
    return store


def issue_with_the_city_key(juying: Juying) -> None:
    done = juying("issue", sheet(applicant()), "--out", "out", "--key", "city.pem", "--trust", "city.json")
    assert done.status == 0, done.err


CREDENTIAL = "out/JY0000010/credential.txt"


def test_a_root_key_is_made_encrypted_private_and_with_its_public_half(juying: Juying) -> None:
    done = juying("trust", "root", "root.pem", *ROOT_NAMES)
    assert done.status == 0
    assert b"ENCRYPTED" in Path("root.pem").read_bytes()
    assert stat.S_IMODE(Path("root.pem").stat().st_mode) == 0o600
    root = Root.load("root.json")
    assert root.key.public_key == SoftwareSigner.load("root.pem", PASS_PHRASE).public_key
    assert root.fingerprint in done.out.replace(" ", "")
    assert PASS_PHRASE not in done.out + done.err + Path("root.json").read_text("utf-8")


@pytest.mark.parametrize("algorithm", ["ES256", "ed25519", "SM2"])
def test_an_issuing_key_has_region_quarter_and_limits(juying: Juying, algorithm: str) -> None:
    answer = keygen(
        juying, "key.pem", "--algorithm", algorithm, "--categories", "ab", "--use", "status", "--verify-years", "2"
    )
    (key,) = TrustList.load("key.json")
    assert (answer["kid"], answer["fingerprint"]) == (key.kid.hex(), key.fingerprint)
    assert answer["algorithm"] == key.key.algorithm.name == algorithm.upper()
    assert (sorted(key.categories), list(key.use), key.region) == (["A", "B"], ["status"], "331000")
    assert key.signs_at(datetime.now(UTC))
    assert key.verify_until == key.not_after.replace(year=key.not_after.year + 2)
    assert SoftwareSigner.load("key.pem", PASS_PHRASE).public_key == key.key.public_key


def test_a_pass_phrase_is_asked_for_twice(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def prompt(_: str, **settings: Any) -> str:
        asked.append(settings)
        return "typed in"

    monkeypatch.delenv("JUYING_KEY_PASSWORD")
    monkeypatch.setattr(passwords, "at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.prompt", prompt)
    keygen(juying)
    assert asked == [{"hide_input": True, "confirmation_prompt": True, "err": True}]
    assert SoftwareSigner.load("city.pem", "typed in")


@pytest.mark.parametrize("set_to", [None, ""])
def test_a_key_without_a_pass_phrase_has_to_be_asked_for(
    juying: Juying, monkeypatch: pytest.MonkeyPatch, set_to: str | None
) -> None:
    monkeypatch.delenv("JUYING_KEY_PASSWORD")
    if set_to is not None:
        monkeypatch.setenv("JUYING_KEY_PASSWORD", set_to)
    refused = juying("trust", "root", "root.pem", *ROOT_NAMES)
    assert (refused.status, list(Path().iterdir())) == (2, [])
    assert "--no-password" in refused.err
    assert juying("trust", "root", "root.pem", *ROOT_NAMES, "--no-password").status == 0
    assert SoftwareSigner.load("root.pem")
    assert stat.S_IMODE(Path("root.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("existing", ["root.pem", "root.json"])
def test_no_file_is_overwritten_by_a_new_key(juying: Juying, existing: str) -> None:
    Path(existing).write_text("precious", "utf-8")
    assert juying("trust", "root", "root.pem", *ROOT_NAMES).status == 2
    assert {path.name: path.read_text("utf-8") for path in Path().iterdir()} == {existing: "precious"}


def test_a_private_key_does_not_take_the_name_of_its_public_half(juying: Juying) -> None:
    done = juying("trust", "root", "root.json", *ROOT_NAMES)
    assert (done.status, list(Path().iterdir())) == (2, [])
    assert "public half" in done.err


WRONG_OPTIONS = {
    "algorithm": (("--algorithm", "RS256"), "ES256, ED25519, SM2"),
    "class": (("--categories", "AX"), "the classes are ABC"),
    "no class": (("--categories", ""), "must not be empty"),
    "use": (("--use", "all"), "credential, status"),
    "quarter": (("--quarter", "2026-10"), "2026Q4"),
    "region": (("--region", "Taizhou"), "six digits"),
    "name": (("--en", ""), "issuer.en"),
}


@pytest.mark.parametrize(("options", "why"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS.keys())
def test_a_wrong_limit_makes_no_key(juying: Juying, options: tuple[str, str], why: str) -> None:
    names = ("--region", "331000", "--quarter", "2026Q4", *NAMES)
    done = juying("trust", "keygen", "city.pem", *names, *options)
    assert done.status == 2
    assert why in done.err
    assert list(Path().iterdir()) == []


def test_a_created_list_is_signed_numbered_and_noted_in_the_source(juying: Juying, ceremony: Any) -> None:
    root, created = ceremony
    assert (created["edition"]["number"], created["signed_by"], created["out"]) == (1, root["fingerprint"], "list.cbor")
    listed = TrustList.load("list.cbor", [Root.load("root.json")])
    assert list(listed) == list(TrustList.load("source.json")) == list(TrustList.load("city.json"))
    assert listed.edition == TrustList.load("source.json").edition
    again = juying("trust", "create", "source.json", "--key", "root.pem", "--out", "next.cbor", "--days", "7")
    assert again.status == 0
    edition = TrustList.load("next.cbor", [Root.load("root.json")]).edition
    assert edition is not None
    assert (edition.number, edition.next_update - edition.issued_at) == (2, 7 * DAY)


def test_no_number_is_noted_when_the_root_key_does_not_open(
    juying: Juying, ceremony: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path("source.json").read_bytes()
    monkeypatch.setenv("JUYING_KEY_PASSWORD", "wrong")
    done = juying("trust", "create", "source.json", "--key", "root.pem", "--out", "next.cbor", "--json")
    assert (done.status, done.document["error"]["kind"]) == (2, "KeyUseError")
    assert Path("source.json").read_bytes() == before
    assert not Path("next.cbor").exists()


def test_a_number_is_used_up_even_when_the_list_cannot_be_written(juying: Juying, ceremony: Any) -> None:
    """So one number never stands for two lists."""
    assert juying("trust", "create", "source.json", "--key", "root.pem", "--out", "none/list.cbor").status == 2
    edition = TrustList.load("source.json").edition
    assert edition is not None
    assert edition.number == 2


def test_the_root_key_is_not_added_as_an_issuing_key(juying: Juying, ceremony: Any) -> None:
    root = SoftwareSigner.load("root.pem", PASS_PHRASE)
    TrustList([people.trusted(root)]).save("entry.json")
    assert juying("trust", "add", "source.json", "entry.json").status == 0
    done = juying("trust", "create", "source.json", "--key", "root.pem", "--out", "next.cbor")
    assert done.status == 2
    assert "signs nothing but lists" in done.err


def test_keys_are_added_with_their_fingerprints_and_only_once(juying: Juying, ceremony: Any) -> None:
    entry = keygen(juying, "other.pem")
    added = juying("trust", "add", "source.json", "other.json", "--json")
    assert [key["fingerprint"] for key in added.document["added"]] == [entry["fingerprint"]]
    assert added.document["keys"] == 2
    assert TrustList.load("source.json").edition is not None
    twice = juying("trust", "add", "source.json", "other.json")
    assert twice.status == 2
    assert "twice" in twice.err


def test_a_list_is_inspected_with_and_without_its_root(
    juying: Juying, ceremony: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchecked = juying("trust", "inspect", "list.cbor")
    assert unchecked.status == 3
    assert "not checked" in unchecked.out
    checked = juying("trust", "inspect", "list.cbor", "--root", "root.json", "--json")
    assert (checked.status, checked.document["verified"]) == (0, True)
    assert checked.document["signed_by"] == ceremony[0]["fingerprint"]
    assert checked.document["keys"][0]["state"] == "signing"
    monkeypatch.setenv("JUYING_ROOT", "root.json")
    assert juying("trust", "inspect", "list.cbor").status == 0


def test_what_can_be_inspected(juying: Juying, terminal: Path) -> None:
    def kind(path: object) -> tuple[str, bool | None, int, int]:
        done = juying("trust", "inspect", path, "--json")
        assert done.status == (3 if done.document["verified"] is False else 0)
        keys = len(done.document.get("keys", ()))
        return done.document["kind"], done.document["verified"], len(done.document["roots"]), keys

    Path("empty").mkdir()
    assert kind("list.cbor") == ("signed", False, 0, 1)
    assert kind("source.json") == ("source", None, 0, 1)
    assert kind("root.json") == ("root", None, 1, 0)
    assert kind(terminal) == ("store", True, 1, 1)
    assert kind("empty") == ("store", None, 0, 0)


def test_tables_show_fingerprints_periods_and_states(juying: Juying, terminal: Path) -> None:
    for path in (terminal, "root.json", "source.json"):
        done = juying("trust", "inspect", path)
        assert done.status == 0
        assert ("sample root" in done.out) is (path != "source.json")
        if path != "root.json":
            assert "可签发" in done.out
            (key,) = TrustList.load("city.json")
            assert f"{key.not_before:%Y-%m-%d}" in done.out


def test_a_demonstration_key_and_a_key_without_end_are_shown_as_such(juying: Juying) -> None:
    TrustList([people.trusted(SoftwareSigner.generate(), demonstration=True)]).save("list.json")
    done = juying("trust", "inspect", "list.json")
    assert "of no effect" in done.out
    assert "2242" not in done.out


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "no JSON"), (b"\xd2\x84", "CBOR"), (b'{"public_key": ""}', "is missing"), (b"7", "object")],
)
def test_what_is_none_of_these_is_refused(juying: Juying, content: bytes, why: str) -> None:
    Path("file").write_bytes(content)
    done = juying("trust", "inspect", "file")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("file: ")
    assert why in done.err


def test_a_root_is_pinned_only_under_the_right_fingerprint(juying: Juying, ceremony: Any) -> None:
    right = ceremony[0]["fingerprint"]
    for option, why in (
        ((), "--fingerprint"),
        (("--fingerprint", right[:-1]), "differs"),
        (("--fingerprint", ""), "differs"),
    ):
        done = juying("trust", "pin", "root.json", "--store", "store", *option)
        assert done.status == 2
        assert why in done.err
    assert not Path("store").exists()
    grouped = " ".join(right[at : at + 8].upper() for at in range(0, 64, 8))
    done = juying("trust", "pin", "root.json", "--store", "store", "--fingerprint", grouped, "--json")
    assert (done.status, done.document) == (0, {"fingerprint": right, "store": "store"})


@pytest.mark.parametrize(("answer", "status"), [(True, 0), (False, 1)])
def test_somebody_at_the_terminal_compares_the_fingerprint(
    juying: Juying, ceremony: Any, monkeypatch: pytest.MonkeyPatch, answer: bool, status: int
) -> None:
    monkeypatch.setattr(trust, "at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *_, err: answer if err else None)
    done = juying("trust", "pin", "root.json", "--store", "store")
    assert done.status == status
    assert ceremony[0]["fingerprint"] in done.err.replace(" ", "")
    assert Path("store").exists() is answer


def test_a_store_is_named_by_option_or_environment(
    juying: Juying, terminal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = juying("trust", "import", "list.cbor")
    assert done.status == 2
    assert "--store" in done.err
    monkeypatch.setenv("JUYING_TRUST", str(terminal))
    again = juying("trust", "import", "list.cbor", "--json")
    assert (again.status, again.document["store"], again.document["edition"]["number"]) == (0, "store", 1)


def test_attack_rolled_back_trust_list(juying: Juying, terminal: Path) -> None:
    assert juying("trust", "create", "source.json", "--key", "root.pem", "--out", "next.cbor").status == 0
    assert juying("trust", "import", "next.cbor", "--store", terminal).status == 0
    done = juying("trust", "import", "list.cbor", "--store", terminal)
    assert (done.status, done.out) == (2, "")
    assert "older than edition 2" in done.err
    assert done.err.startswith("list.cbor: ")


def test_attack_list_signed_by_another_root(juying: Juying, terminal: Path) -> None:
    before = {path: path.read_bytes() for path in terminal.rglob("*.*")}
    assert juying("trust", "root", "other.pem", *ROOT_NAMES).status == 0
    assert juying("trust", "create", "source.json", "--key", "other.pem", "--out", "next.cbor").status == 0
    done = juying("trust", "import", "next.cbor", "--store", terminal, "--json")
    assert (done.status, done.document["error"]["kind"]) == (2, "InputError")
    assert "another root key" in done.document["error"]["en"]
    assert {path: path.read_bytes() for path in terminal.rglob("*.*")} == before


def overdue(days: int) -> None:
    """``late.cbor``: a list of the root whose next edition is late by so many days."""
    now = datetime.now(UTC).replace(microsecond=0)
    edition = Edition(5, now - timedelta(days=100), now - timedelta(days=days, hours=-1))
    late = TrustList(TrustList.load("source.json"), edition=edition)
    Path("late.cbor").write_bytes(late.signed(SoftwareSigner.load("root.pem", PASS_PHRASE)))


def test_attack_expired_list(juying: Juying, terminal: Path) -> None:
    overdue(20)
    done = juying("trust", "import", "late.cbor", "--store", terminal)
    assert done.status == 2
    assert "overdue for 20 day(s)" in done.err
    taken = juying("trust", "import", "late.cbor", "--store", terminal, "--max-overdue", "30")
    assert taken.status == 0
    assert "overdue for 20 day(s)" in taken.err
    assert "19 day(s)" in taken.out


# What terminals verify with


@pytest.mark.parametrize(
    "arguments", [("--trust", "store"), ("--trust", "list.cbor", "--root", "root.json"), ("--trust", "source.json")]
)
def test_a_credential_verifies_against_store_signed_list_and_source(
    juying: Juying, terminal: Path, arguments: tuple[str, ...]
) -> None:
    issue_with_the_city_key(juying)
    done = juying("verify", CREDENTIAL, *arguments, "--json")
    assert (done.status, done.document["verdict"]) == (0, "valid")


def test_store_and_root_can_be_named_by_the_environment(
    juying: Juying, terminal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_with_the_city_key(juying)
    monkeypatch.setenv("JUYING_TRUST", "store")
    assert juying("verify", CREDENTIAL).status == 0
    monkeypatch.setenv("JUYING_TRUST", "list.cbor")
    assert juying("verify", CREDENTIAL).status == 2
    monkeypatch.setenv("JUYING_ROOT", "root.json")
    assert juying("verify", CREDENTIAL).status == 0


def test_a_lost_issuing_key_is_dropped_by_the_next_edition(juying: Juying, terminal: Path) -> None:
    issue_with_the_city_key(juying)
    source = json.loads(Path("source.json").read_text("utf-8"))
    Path("source.json").write_text(json.dumps({**source, "keys": []}), "utf-8")
    assert juying("trust", "create", "source.json", "--key", "root.pem", "--out", "next.cbor").status == 0
    assert juying("verify", CREDENTIAL, "--trust", terminal).status == 0
    assert juying("trust", "import", "next.cbor", "--store", terminal).status == 0
    done = juying("verify", CREDENTIAL, "--trust", terminal, "--json")
    assert (done.status, done.document["verdict"]) == (1, "unknown_kid")


def test_a_list_that_is_overdue_is_reported_and_then_refused(juying: Juying, ceremony: Any) -> None:
    issue_with_the_city_key(juying)
    arguments = ("verify", CREDENTIAL, "--trust", "late.cbor", "--root", "root.json")
    overdue(3)
    done = juying(*arguments)
    assert done.status == 0
    assert "overdue for 3 day(s)" in done.err
    overdue(8)
    done = juying(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "overdue for 8 day(s)" in done.err


def test_with_a_root_named_demonstration_keys_do_not_count(juying: Juying, ceremony: Any, issued: Path) -> None:
    def verify(*options: str) -> int:
        code = ("out/JYX000010/credential.txt", "--lists", "build/demo-keys/lists")
        return juying("verify", *code, *options).status

    assert verify() == 0
    assert verify("--root", "root.json") == 2


def test_a_key_outside_its_quarter_issues_nothing(juying: Juying, ceremony: Any) -> None:
    names = ("--region", "331000", "--quarter", "2020Q1", *NAMES)
    assert juying("trust", "keygen", "old.pem", *names).status == 0
    applications = sheet(applicant())
    before = sorted(Path().rglob("*"))
    done = juying("issue", applications, "--out", "out", "--key", "old.pem", "--trust", "old.json")
    assert done.status == 2
    assert "outside the signing period" in done.err
    assert sorted(Path().rglob("*")) == before


def test_an_office_issues_against_the_store(juying: Juying, terminal: Path) -> None:
    done = juying("issue", sheet(applicant()), "--out", "out", "--key", "city.pem", "--trust", terminal)
    assert done.status == 0, done.err
    assert juying("verify", CREDENTIAL, "--trust", terminal).status == 0


def test_a_key_that_only_the_next_edition_lists_issues_nothing(juying: Juying, terminal: Path) -> None:
    keygen(juying, "new.pem")
    done = juying("issue", sheet(applicant()), "--out", "out", "--key", "new.pem", "--trust", terminal)
    assert done.status == 2
    assert "not in the trust list; nothing was changed" in done.err
    assert not Path("out").exists()
