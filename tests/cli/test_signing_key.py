"""Credentials signed with a key of a key file or of a token, which never leaves it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from juying.cli.app import run
from tests.crypto.softhsm import PIN, softhsm

SHEET = Path(__file__).parents[2] / "examples" / "applications.csv"
PASS_PHRASE = "correct horse battery"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("JUYING_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def issue_with(store: str, *options: str) -> None:
    """The entry of the key goes into a trust list, and the example sheet is issued against it."""
    office = ["--zh", "样本签发机关", "--en", "sample issuer"]
    key = ["--keys", store, "--signing-key", "issuer"]
    assert run(["trust", "keygen", "city", *office, "--region", "331000", "--quarter", quarter(), *key]) == 0
    assert not Path("city").exists()
    assert run(["trust", "add", "trust.json", "city.json"]) == 0
    assert run(["issue", str(SHEET), "--out", "out", *key, "--trust", "trust.json", *options]) == 0
    assert run(["verify", "out/JYX000010/credential.txt", "--trust", "trust.json", "--lists", "out/lists"]) == 0


def quarter() -> str:
    now = datetime.now(UTC)
    return f"{now.year}Q{(now.month + 2) // 3}"


def test_a_key_file_signs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE", PASS_PHRASE)
    assert (
        run(
            ["keys", "init", "--keys", "k", "--city", "331000", "--signing", "ES256", "--transport", "demo", "--ledger"]
        )
        == 0
    )
    issue_with("k")


def test_a_token_signs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = ["--keys", "pkcs11:token=office"]
    with softhsm(home, "office") as library:
        monkeypatch.setenv("JUYING_PKCS11_MODULE", str(library))
        monkeypatch.setenv("JUYING_TOKEN_PIN", PIN)
        made = [
            *token,
            "--city",
            "331000",
            "--profile",
            "ssc-v2",
            "--transport",
            "demo",
            "--signing",
            "ES256",
            "--ledger",
        ]
        assert run(["keys", "init", *made]) == 0
        issue_with(token[1], "--profile", "ssc-v2")


def test_two_keys_are_one_too_many(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--key", "a.pem", "--signing-key", "issuer", "--keys", "k", "--trust", "t.json"]
    assert run(["issue", str(SHEET), *options]) == 2
    assert "exclude each other" in capsys.readouterr().err
