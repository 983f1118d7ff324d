"""``juying virtual``: new, show and block; `serve` is tested with the readers."""

from pathlib import Path

import pytest

from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.memory import Lock
from tests.cli.conftest import Juying


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_a_new_card_is_blank_and_of_its_region(profile: str, juying: Juying) -> None:
    done = juying("virtual", "new", "a.vcard", "--profile", profile, "--region", "440300", "--json")
    assert done.status == 0
    card = load_card("a.vcard")
    assert done.document == {
        "profile": profile,
        "state": "blank",
        "locks": {},
        "pin": {"tries": 6, "initial": True},
        "blocked_keys": [],
        "atr": card.atr.hex().upper(),
    }
    assert juying("virtual", "show", "a.vcard", "--json").document == done.document
    assert bytes(card.memory.files["SSSE/EF05"][0])[2:5].hex() == "440300"


def test_a_card_for_people(juying: Juying) -> None:
    done = juying("virtual", "new", "a.vcard")
    assert done.out == juying("virtual", "show", "a.vcard").out
    assert "空白 / blank" in done.out
    assert "3B" in done.out


def test_what_is_blocked_is_shown_and_no_secret(juying: Juying) -> None:
    juying("virtual", "new", "a.vcard")
    card = load_card("a.vcard")
    card.memory.pin.value[:] = bytes.fromhex("271828")
    card.memory.pin.tries = card.memory.keys["DF01/UK7"].tries = 0
    card.memory.locks |= {"DF02": Lock.BLOCKED, "DF03": Lock.FOR_EVER}
    save_card(card, "a.vcard")
    document = juying("virtual", "show", "a.vcard", "--json").document
    assert document["locks"] == {"DF02": "blocked", "DF03": "blocked-for-ever"}
    assert document["pin"] == {"tries": 0, "initial": False}
    assert document["blocked_keys"] == ["DF01/UK7"]
    shown = juying("virtual", "show", "a.vcard").out
    for part in ("application DF03", "blocked for ever", "key DF01/UK7", "0 tries left"):
        assert part in shown
    assert "271828" not in shown + str(document)
    assert card.memory.keys["DF01/UK7"].value.hex() not in (shown + str(document)).lower()


def test_no_card_is_overwritten(juying: Juying) -> None:
    Path("a.vcard").write_text("mine")
    done = juying("virtual", "new", "a.vcard", "--json")
    assert (done.status, done.document["error"]["where"]) == (2, "a.vcard")
    assert Path("a.vcard").read_text() == "mine"


def test_a_blocked_card_stays_blocked(juying: Juying) -> None:
    juying("virtual", "new", "a.vcard")
    assert juying("virtual", "block", "a.vcard", "--json").document["state"] == "blocked"
    assert "已锁定 / blocked" in juying("virtual", "show", "a.vcard").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("new", "a.vcard", "--profile", "ssc-v9"),
        ("new", "a.vcard", "--region", "x"),
        ("new", "missing/a.vcard"),
        ("show", "missing.vcard"),
        ("block", "missing.vcard"),
        ("serve", "missing.vcard"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], juying: Juying, home: Path) -> None:
    done = juying("virtual", *arguments)
    assert (done.status, done.out) == (2, "")
    assert not list(home.iterdir())
