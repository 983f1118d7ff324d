"""``juying read`` and ``juying issue`` with and without what a card wants: keys and the holder's PIN."""

from pathlib import Path

import pytest

from juying.card.pin_pad import PLEASE, PinPad
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from tests.cli.conftest import Juying
from tests.cli.test_read import CARD, pin_file, virtual

PIN, WRONG = "123456", "654321"


@pytest.fixture
def real(issued: Path) -> Path:
    """The issued card as one that is not known to be virtual: nobody knows its keys by themselves."""
    card = load_card(CARD)
    card.memory.historical = bytes.fromhex("00814E43") + card.memory.historical[4:]
    return virtual(VirtualCard(card.profile, card.memory))


def told(done: object) -> list[str]:
    return [problem["en"] for problem in done.document["problems"]]


def test_without_keys_the_free_part_is_shown_and_what_is_missing_is_said_once(real: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", real, "--json")
    assert done.status == 0
    document = done.document
    assert document["card"]["issued_on"] is not None
    assert document["card"]["card_number"] is None
    assert document["card"]["genuine"] is None
    assert "name" not in document["holder"]
    places = [problem["where"] for problem in document["problems"]]
    assert places == ["SSSE/EF05 #7", "SSSE/EF06 #1", "DF01/EF06 #1", "DF01/EF09 #1", "DF01/EF0A #1", "permit"]
    assert document["permit"] == {"signature": "sealed", "employer": None}
    assert told(done)[-1] == "a sealed permit needs RKPERMIT; no key store was given"
    assert told(done)[0] == ("the card answered 6982: read of SSSE/EF05 needs RKSSSE; no key store was given")
    assert told(done)[2] == (
        "the card answered 6982: read of DF01/EF06 needs the PIN or RKDF01; no PIN was given; no key store was given"
    )


def test_the_demonstration_keys_can_be_named_for_a_card_that_has_them(real: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", real, "--keys", "demo", "--json")
    assert told(done) == []
    assert done.document["card"]["card_number"] == "JYX000010"
    assert done.document["card"]["genuine"] is True
    assert "has proved that it is genuine" in juying("read", "--virtual", real, "--keys", "demo").out


def test_a_chip_without_the_right_key_is_called_a_copy(real: Path, juying: Juying) -> None:
    card = load_card(real)
    secret = next(secret for name, secret in card.memory.keys.items() if name.endswith("IRK"))
    secret.value[:] = bytes(16)
    save_card(card, real)
    assert juying("read", "--virtual", real, "--keys", "demo", "--json").document["card"]["genuine"] is False
    assert "perhaps a copy" in juying("read", "--virtual", real, "--keys", "demo").out


@pytest.mark.parametrize("way", ["file", "environment", "prompt"])
def test_the_pin_opens_what_the_holder_may_read(
    way: str, real: Path, juying: Juying, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: tuple[object, ...] = ()
    if way == "file":
        options = ("--pin-file", pin_file(PIN))
    elif way == "environment":
        monkeypatch.setenv("JUYING_PIN", PIN)
    else:
        options = ("--ask-pin",)
        monkeypatch.setattr("juying.cli.options.at_a_terminal", lambda: True)
        monkeypatch.setattr("typer.prompt", lambda *_, **__: PIN)
    done = juying("read", "--virtual", real, "--json", *options)
    assert [problem["where"] for problem in done.document["problems"]] == ["SSSE/EF05 #7", "SSSE/EF06 #1", "permit"]
    assert done.document["holder"]["nationality"] == "DEU"


def test_a_wrong_pin_is_tried_once_and_never_shown(real: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", real, "--json", "--pin-file", pin_file(WRONG))
    assert done.status == 0
    assert all("the PIN was wrong, 5 tries left" in text for text in told(done)[2:-1])
    assert load_card(real).memory.pin.tries == 5
    assert WRONG not in done.out + done.err


def test_a_locked_pin_is_told_apart(real: Path, juying: Juying) -> None:
    card = load_card(real)
    card.memory.pin.tries = 0
    save_card(card, real)
    assert "the PIN is locked" in told(juying("read", "--virtual", real, "--json", "--pin-file", pin_file(PIN)))[2]


def test_with_a_keypad_the_holder_is_asked_there(real: Path, juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pad:
        def __init__(self, tell: object) -> None:
            self.tell = tell

        def verify(self) -> int:
            self.tell(PLEASE)
            return 0x6401

    monkeypatch.setattr(PinPad, "of", classmethod(lambda _cls, _transport, tell: Pad(tell)))
    done = juying("read", "--virtual", real, "--json", "--ask-pin")
    assert PLEASE.en in done.err
    assert "the entry of the PIN was cancelled" in told(done)[2]


def test_nobody_to_ask_and_nonsense_are_bad_use(real: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", real, "--ask-pin")
    assert (done.status, "--pin-file" in done.err) == (2, True)
    done = juying("read", "--virtual", real, "--pin-file", pin_file("12345"))
    assert (done.status, "6 digits" in done.err) == (2, True)
    done = juying("read", "--virtual", real, "--pin-file", pin_file(PIN), "--ask-pin")
    assert (done.status, "exclude each other" in done.err) == (2, True)
