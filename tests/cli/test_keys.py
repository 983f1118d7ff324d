"""Signing with an office's own key: encrypted, out of its period, not trusted; and the demonstration keys."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from juying.cli import passwords
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from tests import people
from tests.cli.conftest import Juying
from tests.cli.desk import applicant, files_below, sheet

PASS_PHRASE = "ein langer Satz 聚英"
DAY = timedelta(days=1)


def own_key(*, since: timedelta = -DAY, until: timedelta = DAY, password: str | None = None) -> SoftwareSigner:
    """``key.pem`` and ``trust.json`` in the working directory, for a period around now."""
    signer, now = SoftwareSigner.generate(), datetime.now(UTC)
    signer.save("key.pem", password)
    TrustList([people.trusted(signer, not_before=now + since, not_after=now + until)]).save("trust.json")
    return signer


OWN = ("--key", "key.pem", "--trust", "trust.json")


def test_an_own_key_signs_and_is_verified_by_its_trust_list(juying: Juying) -> None:
    signer = own_key()
    done = juying("issue", sheet(applicant()), "--out", "out", *OWN)
    assert done.status == 0
    assert "demonstration" not in done.out
    assert not Path("build").exists()
    credential = ("out/JY0000010/credential.txt", "--trust", "trust.json", "--lists", "out/lists")
    verified = juying("verify", *credential, "--json").document
    assert (verified["verdict"], verified["issuer"]["kid"]) == ("valid", signer.kid.hex())
    assert verified["issuer"]["demonstration"] is False


def test_an_encrypted_key_opens_with_the_pass_phrase_of_the_environment(
    juying: Juying, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_key(password=PASS_PHRASE)
    monkeypatch.setenv("JUYING_KEY_PASSWORD", PASS_PHRASE)
    done = juying("issue", sheet(applicant()), "--out", "out", *OWN)
    assert done.status == 0
    assert PASS_PHRASE not in done.out + done.err


def test_an_encrypted_key_opens_with_the_pass_phrase_typed_in(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    own_key(password=PASS_PHRASE)
    monkeypatch.setattr(passwords, "at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, hide_input, err: PASS_PHRASE if hide_input and err else "")
    assert juying("issue", sheet(applicant()), "--out", "out", *OWN).status == 0


@pytest.mark.parametrize("given", [None, "wrong"])
def test_a_missing_or_wrong_pass_phrase_is_an_error_without_the_phrase(
    given: str | None, juying: Juying, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_key(password=PASS_PHRASE)
    if given:
        monkeypatch.setenv("JUYING_KEY_PASSWORD", given)
    done = juying("issue", sheet(applicant()), "--out", "out", *OWN, "--json")
    assert done.status == 2
    assert "pass phrase" in done.document["error"]["en"]
    assert ("JUYING_KEY_PASSWORD" in done.document["error"]["en"]) is (given is None)
    assert "wrong" not in done.document["error"]["zh"]
    assert not Path("out").exists()


@pytest.mark.parametrize(("since", "until"), [(-3 * DAY, -DAY), (DAY, 3 * DAY)])
def test_a_key_outside_its_signing_period_is_refused_before_anything_is_touched(
    since: timedelta, until: timedelta, juying: Juying, home: Path
) -> None:
    own_key(since=since, until=until)
    path = sheet(applicant())
    before = files_below(home)
    for more in ((), ("--dry-run",)):
        done = juying("issue", path, "--out", "out", *OWN, "--json", *more)
        assert done.status == 2
        assert done.document["error"]["kind"] == "KeyUseError"
        assert "outside the signing period" in done.document["error"]["en"]
        assert files_below(home) == before
        assert not Path("out").exists()


def test_a_key_that_is_not_in_the_trust_list_is_refused(juying: Juying) -> None:
    own_key()
    TrustList([people.trusted(SoftwareSigner.generate())]).save("trust.json")
    done = juying("issue", sheet(applicant()), "--out", "out", *OWN, "--json")
    assert done.status == 2
    assert "not in the trust list" in done.document["error"]["en"]
    assert not Path("out").exists()


@pytest.mark.parametrize("option", [("--key", "key.pem"), ("--trust", "trust.json")])
def test_key_and_trust_go_together(option: tuple[str, str], juying: Juying) -> None:
    own_key()
    done = juying("issue", sheet(applicant()), "--out", "out", *option)
    assert done.status == 2
    assert "go together" in done.err


def test_a_key_file_that_is_not_there(juying: Juying) -> None:
    own_key()
    Path("key.pem").unlink()
    done = juying("issue", sheet(applicant()), "--out", "out", *OWN, "--json")
    assert done.status == 2
    assert done.document["error"]["where"] == "key.pem"


def test_demonstration_keys_are_made_on_the_spot_and_marked(juying: Juying) -> None:
    juying("issue", sheet(applicant()), "--out", "out")
    trust = json.loads(Path("build/demo-keys/trust.json").read_text("utf-8"))
    assert [key["demonstration"] for key in trust["keys"]] == [True]
    done = juying("verify", "out/JY0000010/credential.txt")
    assert done.status == 0
    assert "for trials only" in done.err
    assert "of no effect" in done.out


def test_a_dry_run_makes_no_keys_and_needs_none(juying: Juying, home: Path) -> None:
    path = sheet(applicant())
    assert juying("issue", path, "--dry-run").status == 0
    assert list(home.iterdir()) == [home / path]


def test_a_permit_of_another_region_costs_its_row_only(juying: Juying) -> None:
    own_key()
    done = juying("issue", sheet(applicant(0, region="440300"), applicant(1)), "--out", "out", *OWN, "--json")
    assert done.status == 1
    assert [row["outcome"] for row in done.document["rows"]] == ["invalid", "issued"]
    assert "region" in done.document["rows"][0]["error"]
    assert len(list(Path("out").glob("JY*"))) == 1
