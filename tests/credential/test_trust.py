"""The trust list: a strict file, and keys found by a kid that need not be unique."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from juying.credential.trust import MAX_FILE, MAX_SAME_KID, TrustedKey, TrustList
from juying.crypto.signing import SoftwareSigner
from juying.errors import InputError
from tests.credential.samples import NOW, OTHER_SIGNER, SIGNER, trusted


def test_a_list_survives_its_file(tmp_path: Path) -> None:
    keys = [trusted(), trusted(OTHER_SIGNER, demonstration=True, region="")]
    TrustList(keys).save(tmp_path / "trust.json")
    loaded = TrustList.load(str(tmp_path / "trust.json"))
    assert list(loaded) == keys
    assert len(loaded) == 2
    assert loaded.keys(SIGNER.kid) == (keys[0],)
    assert loaded.keys(b"none") == ()
    assert "测试签发机关" in (tmp_path / "trust.json").read_text("utf-8")


def document() -> dict[str, Any]:
    return {"version": 1, "keys": [trusted().to_dict()]}


def load(tmp_path: Path, content: object) -> TrustList:
    path = tmp_path / "trust.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return TrustList.load(path)


def test_an_unknown_member_is_named_with_file_place_and_nearest(tmp_path: Path) -> None:
    wrong = document()
    wrong["keys"][0]["publick_key"] = wrong["keys"][0].pop("public_key")
    with pytest.raises(InputError, match="unknown member, the nearest is public_key") as caught:
        load(tmp_path, wrong)
    assert caught.value.where == str(tmp_path / "trust.json")
    assert "keys[0].publick_key" in caught.value.text.zh


def change(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry.update({name: value})


WRONG_KEYS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "missing member": (lambda entry: entry.pop("region"), "region is missing"),
    "unknown member of the issuer": (lambda entry: entry["issuer"].update(fr="x"), "issuer.fr"),
    "missing language": (lambda entry: entry["issuer"].pop("zh"), "issuer.zh is missing"),
    "issuer is text": (change("issuer", "city"), "has to be an object"),
    "issuer in numbers": (change("issuer", {"zh": 1, "en": 2}), "issuer.zh has to be a string"),
    "kid a number": (change("kid", 7), "kid has to be a hexadecimal number"),
    "kid no hexadecimal": (change("kid", "xyz"), "hexadecimal"),
    "kid of three bytes": (change("kid", "010203"), "4 bytes"),
    "unknown algorithm": (change("algorithm", "ES512"), "one of ES256"),
    "point not on the curve": (change("public_key", "02" + "ff" * 32), "P-256"),
    "time without zone": (change("not_after", "2030-01-01T00:00:00"), "time zones"),
    "time of another form": (change("not_before", "yesterday"), "ISO 8601"),
    "end before start": (change("not_after", "2000-01-01T00:00:00+08:00"), "end before it begins"),
    "demonstration a number": (change("demonstration", 0), "true or false"),
}


@pytest.mark.parametrize(("spoil", "message"), WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_a_wrong_key_is_refused(tmp_path: Path, spoil: Callable[[dict[str, Any]], Any], message: str) -> None:
    wrong = document()
    spoil(wrong["keys"][0])
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, wrong)
    assert caught.value.where.endswith("trust.json")
    assert "keys[0]" in caught.value.text.en


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"version": 1, "version": 1, "keys": []}', "stands twice"),
        ('{"version": 1}', "keys is missing"),
        ('{"version": 2, "keys": []}', "version has to be 1"),
        ('{"version": 1, "keys": {}}', "keys has to be an array"),
        ('{"version": 1, "keys": [7]}', r"keys\[0\] has to be an object"),
        ("[]", "the file has to be an object"),
        ('{"version": 1, "kyes": []}', "the nearest is keys"),
        (" " * (MAX_FILE + 1), "larger than 4 MiB"),
    ],
)
def test_a_wrong_document_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, content)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "trust.json").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(InputError):
        TrustList.load(tmp_path / "trust.json")


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        TrustList.load(tmp_path / "none.json")


def same_kid(count: int) -> list[TrustedKey]:
    return [replace(trusted(SoftwareSigner.generate()), kid=b"same") for _ in range(count)]


def test_up_to_four_keys_may_share_a_kid() -> None:
    assert len(TrustList(same_kid(MAX_SAME_KID)).keys(b"same")) == MAX_SAME_KID
    with pytest.raises(InputError, match="more than 4"):
        TrustList(same_kid(MAX_SAME_KID + 1))


def test_a_key_stands_only_once() -> None:
    with pytest.raises(InputError, match="twice"):
        TrustList([trusted(), trusted(region="")])


def test_the_signing_period_includes_both_ends() -> None:
    key = trusted(not_before=NOW, not_after=NOW + timedelta(days=1))
    second = timedelta(seconds=1)
    moments = [NOW - second, NOW, NOW + timedelta(days=1), NOW + timedelta(days=1) + second]
    assert [key.signs_at(moment) for moment in moments] == [False, True, True, False]


def test_a_period_needs_a_time_zone() -> None:
    with pytest.raises(InputError):
        trusted(not_before=datetime(2026, 1, 1))
