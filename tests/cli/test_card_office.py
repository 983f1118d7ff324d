"""``juying card``: what the office does to a card; and an office with keys of its own, from making them to reading."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from juying.card.pin_pad import PinPad
from juying.card.virtual.card import Lifecycle
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.memory import Lock
from juying.card.virtual.vpcd import VirtualReader
from juying.cli import card_office, passwords
from juying.crypto.key_file import Cost, KeyFile
from juying.crypto.key_set import KeyKind, KeyState
from tests.cli.conftest import Juying
from tests.cli.desk import Done, applicant, sheet
from tests.cli.test_read import pin_file
from tests.crypto.softhsm import PIN as TOKEN_PIN
from tests.crypto.softhsm import softhsm
from tests.harness import PrivatePcscd, Slot

PHRASE = "ein langer Satz 聚英"
STORE = "office.keys"
CARD = Path("my.vcard")
INITIAL, PIN, WRONG = "123456", "271828", "314159"
NUMBER = "JY0000010"
Office = Callable[..., Done]


@pytest.fixture(autouse=True)
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass phrase in the environment, and cheap pass phrases."""
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE", PHRASE)
    monkeypatch.setitem(KeyFile.create.__kwdefaults__, "cost", Cost(n=2, r=1))


@pytest.fixture
def office(juying: Juying) -> Office:
    """``juying card``."""
    return functools.partial(juying, "card")


@pytest.fixture
def card(juying: Juying) -> Path:
    """A blank virtual card with the demonstration keys."""
    assert juying("virtual", "new", CARD).status == 0
    return CARD


@pytest.fixture
def store(juying: Juying) -> str:
    """An office's own keys, which virtual cards take."""
    done(juying("keys", "init", "--keys", STORE, "--city", "331000", "--transport", "demo", "--ledger", "--json"))
    return STORE


def done(result: Done) -> Any:
    assert result.status == 0, result.err + result.out
    return result.document


def refused(result: Done, status: int = 4) -> str:
    assert result.status == status, result.err + result.out
    message: str = json.loads(result.out)["error"]["en"]
    return message


def on_virtual(*more: object) -> tuple[object, ...]:
    return ("--virtual", CARD, *more, "--json")


# PIN


def test_the_holder_chooses_a_pin_and_the_office_helps_who_forgot_it(
    office: Office, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert done(office("pin", "tries", *on_virtual())) == {"done": "pin tries", "tries": 6}
    monkeypatch.setenv("JUYING_PIN", INITIAL)
    monkeypatch.setenv("JUYING_NEW_PIN", PIN)
    assert done(office("pin", "change", *on_virtual())) == {"done": "pin change"}
    assert load_card(card).memory.pin.value.hex() == PIN
    for left in (5, 4, 3, 2, 1, 0):
        told = refused(office("pin", "change", *on_virtual()))
        assert f"{left} tr" in told or "the PIN is locked" in told
        assert done(office("pin", "tries", *on_virtual()))["tries"] == left
    assert done(office("pin", "unblock", *on_virtual())) == {"done": "pin unblock"}
    assert done(office("pin", "tries", *on_virtual()))["tries"] == 6
    monkeypatch.setenv("JUYING_NEW_PIN", "123456")
    assert done(office("pin", "reload", *on_virtual())) == {"done": "pin reload"}
    assert load_card(card).memory.pin.value.hex() == INITIAL


def test_the_holder_may_not_choose_an_initial_pin(office: Office, card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_PIN", INITIAL)
    monkeypatch.setenv("JUYING_NEW_PIN", "888888")
    assert office("pin", "change", *on_virtual()).status == 4
    assert load_card(card).memory.pin.value.hex() == INITIAL


def test_pins_from_files(office: Office, card: Path) -> None:
    Path("new.txt").write_text(PIN + "\n")
    files = ("--pin-file", pin_file(INITIAL), "--new-pin-file", "new.txt")
    result = office("pin", "change", *on_virtual(*files))
    assert done(result) == {"done": "pin change"}
    assert PIN not in result.out + result.err
    assert load_card(card).memory.pin.value.hex() == PIN


def test_pins_typed_in_the_new_one_twice(office: Office, card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def prompt(title: str, *, hide_input: bool, err: bool, confirmation_prompt: bool = False) -> str:
        assert hide_input
        assert err
        asked.append(confirmation_prompt)
        return PIN if confirmation_prompt else INITIAL

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("juying.cli.options.at_a_terminal", lambda: True)
    monkeypatch.setattr(passwords, "at_a_terminal", lambda: True)
    assert office("pin", "change", "--virtual", CARD).out == "密码已更改 / the PIN was changed\n"
    assert asked == [False, True]
    assert load_card(card).memory.pin.value.hex() == PIN


def test_on_a_keypad_both_are_typed_there(office: Office, card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pad:
        def change(self, new: object) -> int:
            return 0x6402

    monkeypatch.setattr(PinPad, "of", classmethod(lambda *_: Pad()))
    assert "was not entered the same way twice" in refused(office("pin", "change", *on_virtual()))


@pytest.mark.parametrize("command", ["change", "reload"])
def test_nobody_to_ask_for_a_new_pin(command: str, office: Office, card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_PIN", INITIAL)
    assert "JUYING_NEW_PIN" in refused(office("pin", command, *on_virtual()), 2)
    monkeypatch.setenv("JUYING_NEW_PIN", "12345x")
    result = office("pin", command, *on_virtual())
    assert "6 digits" in refused(result, 2)
    assert "12345x" not in result.out + result.err


def test_the_tries_of_a_pin_for_people(office: Office, card: Path) -> None:
    assert office("pin", "tries", "--virtual", CARD).out == "还可试 6 次 / tries left: 6\n"
    image = load_card(card)
    image.memory.pin.tries = 0
    save_card(image, card)
    assert office("pin", "tries", "--virtual", CARD).out == "密码已锁定 / the PIN is locked\n"


# Blocking


def test_an_application_is_blocked_and_unblocked(office: Office, card: Path) -> None:
    result = done(office("block-application", "DF01", *on_virtual()))
    assert result == {"done": "block-application", "application": "DF01", "for_ever": False}
    assert load_card(card).locks == {"DF01": Lock.BLOCKED}
    assert done(office("unblock-application", "DF01", *on_virtual())) == {
        "done": "unblock-application",
        "application": "DF01",
    }
    assert load_card(card).locks == {}
    assert office("unblock-application", "DF01", *on_virtual()).status == 4, "it was not blocked"
    assert office("block-application", "DF01", "--virtual", CARD).out == "应用 DF01 已锁定 / DF01 is blocked\n"
    assert office("unblock-application", "DF01", "--virtual", CARD).out == "应用 DF01 已解锁 / DF01 works again\n"


def test_an_unknown_application_is_bad_use(office: Office, card: Path) -> None:
    assert "(DF0" in refused(office("block-application", "DF99", *on_virtual()), 2)


@pytest.mark.parametrize("act", [("block-application", "DF01", "--for-ever"), ("block",)])
@pytest.mark.parametrize("answer", [None, False, True])
def test_what_cannot_be_undone_is_asked_about(
    act: tuple[str, ...], answer: bool | None, office: Office, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if answer is None:
        assert "--yes" in refused(office(*act, *on_virtual()), 2)
    else:
        monkeypatch.setattr(card_office, "at_a_terminal", lambda: True)
        monkeypatch.setattr("typer.confirm", lambda question, err: answer)
        result = office(*act, *on_virtual())
        assert result.status == (0 if answer else 2)
    image = load_card(card)
    assert (image.state is Lifecycle.BLOCKED or Lock.FOR_EVER in image.locks.values()) is bool(answer)


def test_blocked_for_good(office: Office, card: Path) -> None:
    told = office("block-application", "DF01", "--for-ever", "--yes", "--virtual", CARD).out
    assert told == "应用 DF01 已永久锁定 / DF01 is blocked for ever\n"
    assert load_card(card).locks == {"DF01": Lock.FOR_EVER}
    assert office("unblock-application", "DF01", *on_virtual()).status == 4
    assert office("block", "--yes", "--virtual", CARD).out == "卡片已锁定 / the card is blocked\n"
    assert load_card(card).state is Lifecycle.BLOCKED


def test_an_act_that_is_refused_costs_a_try_of_the_key_and_nothing_else(office: Office, card: Path, store: str) -> None:
    before = load_card(card)
    told = refused(office("block", "--yes", *on_virtual("--keys", store)))
    assert "CARD BLOCK needs a MAC made with BK" in told
    after = load_card(card)
    assert after.state is before.state
    assert after.memory.keys["SSSE/BK"].tries == before.memory.keys["SSSE/BK"].tries - 1, "the image was saved"


# Keys of the office


def test_a_store_for_virtual_cards_holds_their_main_key_as_previous_version(juying: Juying, store: str) -> None:
    with KeyFile.open(store, PHRASE) as file:
        main = [(key.kind, key.state, key.version) for key in file.keys if key.name == "SSSE/MK"]
        others = {key.state for key in file.keys if key.name != "SSSE/MK"}
    assert sorted(main) == sorted(
        (kind, state, version)
        for kind in (KeyKind.TDES, KeyKind.SM4)
        for state, version in ((KeyState.PREVIOUS, 1), (KeyState.CURRENT, 2))
    )
    assert others == {KeyState.CURRENT}


@pytest.mark.parametrize(
    ("options", "problem"),
    [(("--city", "331000", "--transport", "ministry"), "takes demo only"), (("--transport", "demo"), "--city")],
)
def test_a_transport_key_is_the_demonstration_one_of_a_city(
    options: tuple[str, ...], problem: str, juying: Juying
) -> None:
    assert problem in refused(juying("keys", "init", "--keys", STORE, *options, "--json"), 2)
    assert not Path(STORE).exists()


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_keys_are_loaded_and_then_the_card_takes_no_others(
    profile: str, juying: Juying, office: Office, store: str
) -> None:
    assert juying("virtual", "new", CARD, "--profile", profile).status == 0
    written = done(office("load-keys", *on_virtual("--keys", store)))["keys"]
    assert written > 20
    again = office("load-keys", "--virtual", CARD, "--keys", store)
    assert again.out == f"已装入 {written} 个密钥 / keys written: {written}\n", "as after a card was torn out"
    done(office("pin", "unblock", *on_virtual("--keys", store)))
    assert office("pin", "unblock", *on_virtual("--keys", "demo")).status == 4
    assert "keys of its own" in refused(office("pin", "unblock", *on_virtual()))


def test_the_keys_after_the_next_rotation(juying: Juying, office: Office, card: Path, store: str) -> None:
    """The main key that the card has is then the previous one, and --from names where the others are."""
    done(office("load-keys", *on_virtual("--keys", store)))
    done(juying("keys", "rotate", "SSSE/MK", "--kind", "sm4", "--keys", store, "--drop-previous", "--json"))
    done(juying("keys", "rotate", "SSSE/MK", "--kind", "sm4", "--keys", store, "--json"))
    done(office("load-keys", *on_virtual("--keys", store, "--from", f"previous:{store}")))
    done(office("pin", "unblock", *on_virtual("--keys", store)))


def test_a_store_without_the_main_key_of_the_card_is_told_what_it_lacks(
    juying: Juying, office: Office, card: Path
) -> None:
    done(juying("keys", "init", "--keys", STORE, "--city", "331000", "--ledger", "--json"))
    before = load_card(card).memory.keys["SSSE/MK"].tries
    told = refused(office("load-keys", *on_virtual("--keys", STORE)), 2)
    assert "the previous version of SSSE/MK in the key store office.keys has to be the main key" in told
    assert "--transport demo" in told
    assert load_card(card).memory.keys["SSSE/MK"].tries == before
    result = juying("issue", sheet(applicant()), "--out", "out", "--keys", STORE, "--json")
    assert "--transport demo" in refused(result, 2)
    assert not Path("out", NUMBER, "card.vcard").exists()


def test_without_new_keys_there_is_nothing_to_load(office: Office, card: Path) -> None:
    assert "--keys STORE" in refused(office("load-keys", *on_virtual()), 2)


def test_a_card_that_is_no_virtual_one_needs_its_old_keys_named(office: Office, card: Path, store: str) -> None:
    image = load_card(card)
    image.memory.historical = bytes.fromhex("00814E43") + image.memory.historical[4:]
    save_card(image, card)
    told = refused(office("load-keys", *on_virtual("--keys", store)))
    assert "needs a MAC made with MK; no key store was given" in told
    assert done(office("load-keys", *on_virtual("--keys", store, "--from", "demo")))["keys"] > 20


def test_loading_shows_how_far_it_is(office: Office, card: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert done(office("load-keys", *on_virtual("--keys", store)))["keys"] > 20


def test_from_making_keys_to_reading_a_card_with_them(juying: Juying, office: Office, card: Path, store: str) -> None:
    """The card is put where `juying issue` looks for one that it began earlier."""
    done(office("load-keys", *on_virtual("--keys", store)))
    Path("out", NUMBER).mkdir(parents=True)
    card.rename(Path("out", NUMBER, "card.vcard"))
    done(juying("issue", sheet(applicant(card_number=NUMBER)), "--out", "out", "--keys", store, "--json"))
    check_what_is_read(juying, store)


def test_issuing_with_a_store_makes_cards_with_its_keys(juying: Juying, store: str) -> None:
    done(juying("issue", sheet(applicant()), "--out", "out", "--keys", store, "--json"))
    again = done(juying("issue", sheet(applicant()), "--out", "out", "--keys", store, "--json"))
    assert [row["outcome"] for row in again["rows"]] == ["unchanged"]
    check_what_is_read(juying, store)


def check_what_is_read(juying: Juying, store: str) -> None:
    """With the store everything; without it what is free, and that there is a sealed permit; no more with demo keys."""
    path = Path("out", NUMBER, "card.vcard")
    mine = done(juying("read", "--virtual", path, "--keys", store, "--json"))
    assert mine["problems"] == []
    assert mine["card"]["genuine"] is True
    assert (mine["permit"]["signature"], mine["permit"]["verdict"]) == ("valid", "valid")
    assert (mine["permit"]["number"], mine["holder"]["name"]) == ("ZJ20260000", "MUSTER MAX")

    for _ in range(20):
        free = done(juying("read", "--virtual", path, "--json"))
    assert free["permit"] == {"signature": "sealed", "employer": None}
    assert "name" not in free["holder"]
    assert free["card"]["card_number"] is None
    assert free["problems"][-1]["en"] == (
        "a sealed permit needs RKPERMIT; this virtual card has keys of its own; no key store was given"
    )
    assert {secret.tries for secret in load_card(path).memory.keys.values()} == {15}, "reading locks nothing"

    others = done(juying("read", "--virtual", path, "--keys", "demo", "--json"))
    assert others["permit"] == {"signature": "sealed", "employer": None}
    assert others["card"]["genuine"] is False
    assert "its key is not DF01/RKPERMIT of the public demonstration keys" in others["problems"][-1]["en"]
    assert load_card(path).memory.keys["SSSE/RKSSSE"].tries == 14


def test_issuing_with_the_demonstration_keys_by_name_is_as_without(juying: Juying) -> None:
    done(juying("issue", sheet(applicant()), "--out", "out", "--keys", "demo", "--json"))
    document = done(juying("read", "--virtual", Path("out", NUMBER, "card.vcard"), "--json"))
    assert (document["permit"]["signature"], document["problems"]) == ("valid", [])


def test_keys_in_a_token_go_onto_a_card_and_seal_its_permit(
    juying: Juying, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with softhsm(home, "office") as library:
        monkeypatch.setenv("JUYING_PKCS11_MODULE", str(library))
        monkeypatch.setenv("JUYING_TOKEN_PIN", TOKEN_PIN)
        token = "pkcs11:token=office"
        init = (
            "keys",
            "init",
            "--keys",
            token,
            "--city",
            "331000",
            "--profile",
            "ssc-v2",
            "--transport",
            "demo",
            "--ledger",
        )
        made = done(juying(*init, "--json"))["keys"]
        assert {key["version"] for key in made if key["name"] == "SSSE/MK"} == {2}
        assert done(juying(*init, "--json"))["keys"] == [], "nothing is made twice"
        issue = ("issue", sheet(applicant()), "--out", "out", "--profile", "ssc-v2", "--keys", token)
        done(juying(*issue, "--json"))
        path = Path("out", NUMBER, "card.vcard")
        document = done(juying("read", "--virtual", path, "--keys", token, "--json"))
        assert (document["permit"]["signature"], document["problems"]) == ("valid", [])
        assert done(juying("read", "--virtual", path, "--json"))["permit"]["signature"] == "sealed"


def test_a_card_in_a_reader(office: Office, card: Path, private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> None:
    image = load_card(card)
    with VirtualReader(port=pcsc_reader.port) as reader:
        reader.insert(image)
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        done(office("block-application", "DF02", "--reader", pcsc_reader.name, "--json"))
        done(office("pin", "tries", "--reader", pcsc_reader.name, "--profile", "ssc-v3", "--json"))
    assert image.locks == {"DF02": Lock.BLOCKED}
