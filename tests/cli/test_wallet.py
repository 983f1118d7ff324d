"""``juying wallet`` from the first key to a code that a terminal accepts."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

from juying.cli import wallet as wallet_cli
from juying.cli.app import run
from juying.credential.claims import Claims, Tier
from juying.credential.issue import issue, to_text
from juying.credential.presentation import check_proof
from juying.crypto.signing import SoftwareSigner
from tests import people

NONCE = "00112233445566778899AABBCCDDEEFF"


@pytest.fixture
def holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wallet made with a pass phrase from the environment."""
    folder = tmp_path / "wallet"
    monkeypatch.setenv("JUYING_WALLET", str(folder))
    monkeypatch.setenv("JUYING_WALLET_PASSWORD", "invented pass phrase")
    assert run(["wallet", "init"]) == 0
    return folder


@pytest.fixture
def credential(holder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Tier], str]:
    def make(tier: Tier) -> str:
        capsys.readouterr()
        assert run(["wallet", "prove", NONCE]) == 0
        proof = bytes.fromhex(capsys.readouterr().out.strip())
        key = check_proof(proof, bytes.fromhex(NONCE))
        claims = Claims.of(people.holder(), people.permit(), tier=tier, issued_at=people.NOW, holder_key=key)
        return to_text(issue(claims, SoftwareSigner.generate()))

    return make


def test_a_credential_is_added_listed_and_shown(
    credential: Callable[[Tier], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tier in Tier:
        assert run(["wallet", "add", credential(tier)]) == 0
    capsys.readouterr()
    assert run(["wallet", "list"]) == 0
    assert capsys.readouterr().out.count("ZJ20260001") == 2
    assert run(["wallet", "list", "--json"]) == 0
    assert capsys.readouterr().out.count('"permit_number"') == 2
    assert run(["wallet", "show", "--once", "--text"]) == 0
    assert capsys.readouterr().out.startswith("JY1:")
    assert run(["wallet", "show", "--once", "--minimal"]) == 0
    assert "█" in capsys.readouterr().out
    picture = tmp_path / "code.png"
    assert run(["wallet", "show", "--once", "--audience", "gate 1", "--nonce", NONCE, "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == ""


def test_the_code_is_drawn_anew_until_it_is_stopped(
    credential: Callable[[Tier], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["wallet", "add", credential(Tier.FULL)])

    class TwoRounds(threading.Event):
        rounds = 0

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout == wallet_cli.REDRAW
            self.rounds += 1
            return self.rounds == 2

    monkeypatch.setattr(wallet_cli, "_pause", TwoRounds())
    capsys.readouterr()
    assert run(["wallet", "show"]) == 0
    assert capsys.readouterr().out.count("\x1b[2J") == 2


def test_a_second_wallet_in_one_folder_is_refused(holder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["wallet", "init"]) == 2
    assert "not overwritten" in capsys.readouterr().err


def test_a_nonce_that_is_no_hex_is_bad_use(holder: Path) -> None:
    assert run(["wallet", "prove", "xyz"]) == 2


def test_the_pass_phrase_is_asked_for_without_one_in_the_environment(
    holder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.delenv("JUYING_WALLET_PASSWORD")
    monkeypatch.setattr(wallet_cli, "_from_keyring", lambda folder: None)
    monkeypatch.setattr("typer.prompt", lambda *texts, **options: asked.append(options) or "invented pass phrase")
    assert run(["wallet", "list"]) == 0
    assert [options["hide_input"] for options in asked] == [True]


class Memory(KeyringBackend):
    """A platform's key store, in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))


class Broken(Memory):
    """A key store that the platform does not give."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringError

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringError


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("JUYING_WALLET_PASSWORD", raising=False)
    monkeypatch.setenv("JUYING_WALLET", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_the_platforms_key_store_keeps_the_pass_phrase(bare: Path) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    try:
        assert run(["wallet", "init", "--keyring"]) == 0
        assert run(["wallet", "list"]) == 0
    finally:
        keyring.set_keyring(before)


def test_a_broken_key_store_is_told_and_leaves_no_wallet(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(Broken())
    try:
        assert run(["wallet", "init", "--keyring"]) == 2
        assert "key store" in capsys.readouterr().err
        assert wallet_cli._from_keyring(bare) is None
    finally:
        keyring.set_keyring(before)
    assert not bare.exists()


def test_a_missing_keyring_package_is_named(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert run(["wallet", "init", "--keyring"]) == 2
    assert "juying[wallet]" in capsys.readouterr().err
    assert wallet_cli._from_keyring(bare) is None
