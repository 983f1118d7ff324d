"""The trust list as JSON: a strict file, keys found by a kid that need not be unique, and what each is good for."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from juying.credential.trust import MAX_FILE, MAX_SAME_KID, KeyUse, TrustedKey, TrustList
from juying.credential.trusted_key import LAST, KeyState, quarter
from juying.crypto.signing import SoftwareSigner
from juying.errors import InputError
from juying.model import PermitCategory
from tests.credential.samples import NOW, OTHER_SIGNER, SIGNER, trusted
from tests.credential.trusting import DAY, SECOND


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
    "end of verification before that of signing": (
        change("verify_until", "2026-12-01T00:00:00Z"),
        "end before it begins",
    ),
    "end of verification a number": (change("verify_until", 7), "verify_until has to be a time"),
    "end of verification beyond all times": (change("verify_until", "2300-01-01T00:00:00Z"), "1970 to 2241"),
    "unknown class": (change("categories", ["A", "D"]), "knows only A, B, C, each once"),
    "unknown use": (change("use", "credential"), "use has to be an array"),
    "region of letters": (change("region", "city"), "region: .*six digits"),
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


@pytest.mark.parametrize(
    ("edition", "message"),
    [
        (7, "edition has to be an object"),
        ({"number": "7", "issued_at": "", "next_update": ""}, "edition.number has to be a whole number"),
        ({"number": 7, "issued_at": "today", "next_update": ""}, "edition.issued_at has to be a time"),
        ({"number": 7, "issued_at": "2026-01-01T00:00:00", "next_update": "2027-01-01T00:00:00"}, "time zones"),
    ],
)
def test_a_wrong_edition_is_refused(tmp_path: Path, edition: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, {**document(), "edition": edition})


def test_what_holds_for_every_key_need_not_be_written(tmp_path: Path) -> None:
    entry = document()["keys"][0]
    assert not {"verify_until", "categories", "use"} & entry.keys()
    (key,) = load(tmp_path, document())
    assert (key.categories, key.use) == (frozenset(PermitCategory), frozenset(KeyUse))
    assert key.verifies_at(LAST)


def test_a_member_of_a_large_file_is_not_looked_up_among_all_others(tmp_path: Path) -> None:
    """Half a million members are refused at the first that is unknown, without comparing each with each."""
    members = ", ".join(f'"x{number}": 0' for number in range(200_000))
    with pytest.raises(InputError, match="unknown member"):
        load(tmp_path, f"{{{members}}}")


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


def test_a_key_outlives_its_signing_period() -> None:
    key = trusted(not_before=NOW, not_after=NOW + DAY, verify_until=NOW + 9 * DAY)
    moments = [NOW - SECOND, NOW, NOW + DAY + SECOND, NOW + 9 * DAY, NOW + 9 * DAY + SECOND]
    assert [str(key.state(moment)) for moment in moments] == ["future", "signing", "verifying", "verifying", "ended"]
    assert [key.verifies_at(moment) for moment in moments] == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("own", "covered", "foreign"),
    [
        ("330000", ["330000", "331000", "331002", ""], ["320000", "340302"]),
        ("331000", ["331000", "331002", ""], ["330000", "330200", "331102"]),
        ("331002", ["331002", ""], ["331000", "331003"]),
        ("100000", ["100000", "100101"], ["110000"]),
        ("", ["331002", ""], []),
    ],
)
def test_a_region_covers_those_below_it(own: str, covered: list[str], foreign: list[str]) -> None:
    key = trusted(region=own)
    assert all(key.covers(region) for region in covered)
    assert not any(key.covers(region) for region in foreign)


def test_words_for_people_in_both_languages() -> None:
    for word in (*KeyUse, *KeyState):
        assert word.text.zh
        assert word.text.en


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2026Q1", "2026-01-01T00:00:00+08:00", "2026-03-31T23:59:59+08:00"),
        ("2026Q4", "2026-10-01T00:00:00+08:00", "2026-12-31T23:59:59+08:00"),
    ],
)
def test_a_quarter_is_counted_in_china(name: str, start: str, end: str) -> None:
    assert quarter(name) == (datetime.fromisoformat(start), datetime.fromisoformat(end))


@pytest.mark.parametrize("name", ["2026Q5", "2026Q0", "26Q1", "2026q1", "2026Q1 ", "", "2026Q１"])
def test_another_word_is_no_quarter(name: str) -> None:
    with pytest.raises(InputError, match="2026Q4"):
        quarter(name)


def test_the_kid_begins_the_fingerprint() -> None:
    assert trusted().fingerprint.startswith(SIGNER.kid.hex())
    assert len(trusted().fingerprint) == 64


def test_a_period_needs_a_time_zone() -> None:
    with pytest.raises(InputError):
        trusted(not_before=datetime(2026, 1, 1))
