"""The electronic card through its whole life on the command line: issued with a place in a status list, bound to the
holder's key, shown at a gate, revoked."""

import json
import shutil
from pathlib import Path

import pytest

from juying.credential.issue import from_text, unverified_claims
from juying.issuance.demo_keys import FOLDER, LISTS
from tests.cli.conftest import Juying
from tests.cli.desk import applicant, sheet

FULL = "out/JYX000010/credential.txt"


@pytest.fixture
def ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUYING_LEDGER", str(home / "ledger.db"))
    monkeypatch.setenv("JUYING_WALLET", str(home / "wallet"))
    monkeypatch.setenv("JUYING_WALLET_PASSWORD", "invented pass phrase")
    return home / "ledger.db"


@pytest.fixture
def issue(ledger: Path, juying: Juying) -> None:
    assert juying("issue", sheet(applicant(0, card_number="JYX000010")), "--out", "out").status == 0


def publish(juying: Juying) -> None:
    assert juying("credential", "publish", "lists").status == 0


def verdict(juying: Juying, *arguments: object) -> tuple[int, str]:
    done = juying("verify", *arguments, "--lists", "lists", "--json")
    return done.status, json.loads(done.out)["verdict"]


def text_of(path: str) -> str:
    return Path(path).read_text("ascii").rstrip("\n")


def place_of(path: str) -> object:
    return unverified_claims(from_text(text_of(path))).status


@pytest.mark.usefixtures("issue")
def test_a_credential_with_a_status_entry_is_undetermined_until_a_list_is_at_hand(juying: Juying) -> None:
    done = juying("verify", FULL, "--json")
    assert (done.status, json.loads(done.out)["verdict"]) == (0, "valid"), (
        "demonstration lists are found as the keys are"
    )
    shutil.rmtree(FOLDER / LISTS)
    done = juying("verify", FULL, "--json")
    assert (done.status, json.loads(done.out)["verdict"]) == (3, "valid_stale_status")
    publish(juying)
    assert verdict(juying, FULL) == (0, "valid")
    assert verdict(juying, "out/JYX000010/minimal.txt") == (0, "valid")


@pytest.mark.usefixtures("issue")
def test_what_is_revoked_is_refused_by_whoever_has_the_new_list(juying: Juying) -> None:
    publish(juying)
    assert juying("credential", "revoke", FULL, "--reason", "lost").status == 0
    assert verdict(juying, FULL) == (0, "valid"), "a terminal knows of it only with the next list"
    publish(juying)
    assert verdict(juying, FULL) == (1, "revoked")
    assert verdict(juying, "out/JYX000010/minimal.txt") == (0, "valid")


@pytest.mark.usefixtures("issue")
def test_running_the_sheet_again_gives_no_new_place_and_does_not_undo_a_revocation(juying: Juying) -> None:
    before = place_of(FULL)
    again = juying("issue", "sheet.json", "--out", "out", "--json")
    assert json.loads(again.out)["rows"][0]["outcome"] == "unchanged"
    assert place_of(FULL) == before
    juying("credential", "revoke", FULL)
    juying("issue", "sheet.json", "--out", "out", "--json")
    assert place_of(FULL) == before
    publish(juying)
    assert verdict(juying, FULL) == (1, "revoked")


@pytest.mark.usefixtures("issue")
def test_a_changed_permit_gets_a_new_place_and_the_old_credential_is_revoked(juying: Juying, home: Path) -> None:
    old = text_of(FULL)
    changed = sheet(applicant(0, card_number="JYX000010", position="院长"))
    assert juying("issue", changed, "--out", "out").status == 0
    publish(juying)
    assert verdict(juying, old) == (1, "revoked")
    assert verdict(juying, FULL) == (0, "valid")


@pytest.mark.usefixtures("issue")
def test_with_another_ledger_the_card_is_somebody_elses(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_LEDGER", "another.db")
    before = text_of(FULL)
    changed = sheet(applicant(0, card_number="JYX000010", position="院长"))
    assert juying("issue", changed, "--out", "out").status == 1
    assert text_of(FULL) == before


@pytest.mark.usefixtures("issue")
def test_a_holder_binds_a_key_shows_a_fresh_code_and_is_refused_once_it_is_old_or_shown_twice(
    juying: Juying, home: Path
) -> None:
    assert juying("wallet", "init").status == 0
    nonce = juying("credential", "challenge").out.strip()
    proof = juying("wallet", "prove", nonce).out.strip()
    bound = juying("credential", "renew", FULL, "--out", FULL, "--proof", proof, "--nonce", nonce)
    assert bound.status == 0
    publish(juying)
    assert juying("wallet", "add", FULL).status == 0
    (home / "policy.json").write_text('{"assurance": "challenged"}')
    gate = ("--policy", "policy.json", "--audience", "gate 1", "--nonce", "00112233445566778899AABBCCDDEEFF")
    memory = ("--replay-cache", "shown.db")
    code = juying("wallet", "show", "--once", "--text", *gate[2:]).out.strip("\n")
    assert verdict(juying, code, *gate, *memory) == (0, "valid")
    assert verdict(juying, code, *gate, *memory) == (1, "replayed")
    assert verdict(juying, FULL, *gate) == (1, "no_holder_binding")
    other = ("--policy", "policy.json", "--audience", "gate 2", "--nonce", "00112233445566778899AABBCCDDEEFF")
    assert verdict(juying, code, *other) == (1, "bad_holder_sig")


@pytest.mark.usefixtures("issue")
@pytest.mark.parametrize(
    "options",
    [("--proof", "00"), ("--nonce", "00"), ("--proof", "xy", "--nonce", "00"), ("--proof", "00", "--nonce", "")],
)
def test_a_proof_that_is_none_changes_nothing(options: tuple[str, ...], juying: Juying) -> None:
    before = text_of(FULL)
    assert juying("credential", "renew", FULL, "--out", FULL, *options).status == 2
    assert text_of(FULL) == before


@pytest.mark.usefixtures("issue")
def test_a_nonce_for_a_terminal_has_to_be_hex(juying: Juying) -> None:
    assert juying("verify", FULL, "--nonce", "xyz").status == 2
