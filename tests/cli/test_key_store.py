"""``juying keys``: what an office does with its keys, from the first file to a ceremony, and what it never shows."""

import json
import os
import re
import shlex
import shutil
import stat
import sys
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from juying.card.psam import PsamKeys
from juying.card.virtual.psam import VirtualPsam
from juying.card.virtual.vpcd import VirtualReader
from juying.cli import key_ceremony, passwords
from juying.cli.key_options import open_keys, signer_from
from juying.codec.profile import load_profile
from juying.crypto.block import Cipher
from juying.crypto.diversify import city_factor
from juying.crypto.key_file import Cost, KeyFile
from juying.crypto.key_set import KeyKind, KeyState, check_value
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.crypto.signing import Algorithm, SoftwareSigner, VerifyKey
from juying.errors import InputError
from tests.cli.conftest import Juying
from tests.cli.desk import ROOT, Done
from tests.crypto.softhsm import PIN, softhsm
from tests.harness import PrivatePcscd, Slot

PHRASE = "ein langer Satz 聚英"
STORE = "office.keys"
CITY = "331000"
CLEAR = "\x1b[2J\x1b[3J\x1b[H"


@pytest.fixture(autouse=True)
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass phrase in the environment, a store named by it, and cheap pass phrases."""
    for name in ("JUYING_PKCS11_MODULE", "JUYING_TOKEN_PIN", "JUYING_KEYS_PASSPHRASE_FILE", "JUYING_TOKEN_PIN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE", PHRASE)
    monkeypatch.setenv("JUYING_KEYS", STORE)
    monkeypatch.setitem(KeyFile.create.__kwdefaults__, "cost", Cost(n=2, r=1))


def key(name: str = "DF01/UK7", cipher: Cipher = Cipher.TDES, city: str = CITY) -> CardKey:
    factor = city_factor("city-sx", city)
    return CardKey(name=name, cipher=cipher, city=city, city_factor=factor, card_factor=bytes(range(8)))


def done(result: Done) -> Any:
    assert result.status == 0, result.err + result.out
    return result.document


def made(juying: Juying, *options: object) -> list[dict[str, Any]]:
    """A store with keys of the second generation."""
    rows: list[dict[str, Any]] = done(
        juying("keys", "init", "--city", CITY, "--profile", "ssc-v2", *options, "--json")
    )["keys"]
    return rows


def held(store: str = STORE) -> dict[tuple[str, str, str, str], bytes]:
    """Everything in a store."""
    with KeyFile.open(store, PHRASE) as file:
        return {(one.name, one.kind, one.city, one.state): bytes(one.material) for one in file.keys}


def material(name: str, state: KeyState = KeyState.CURRENT, store: str = STORE) -> bytes:
    (found,) = (value for (its, _, _, state_), value in held(store).items() if (its, state_) == (name, state))
    return found


# init and list.


def test_a_new_store_has_every_key_of_all_three_generations_and_one_that_signs(juying: Juying) -> None:
    document = done(juying("keys", "init", "--city", CITY, "--signing", "ed25519", "--json"))
    expected = {
        (f"{application.name}/{one.name}", profile.security.cipher, CITY)
        for profile in map(load_profile, ("ssc-v1", "ssc-v2", "ssc-v3"))
        for application in profile.applications
        for one in application.keys
    }
    rows = document["keys"]
    assert {(row["name"], row["kind"], row["city"]) for row in rows[:-1]} == expected
    assert (rows[-1]["name"], rows[-1]["kind"], rows[-1]["city"]) == ("issuer", "ED25519", None)
    assert document["store"] == STORE
    assert len(set(held().values())) == len(rows) > 100
    assert stat.S_IMODE(Path(STORE).stat().st_mode) == 0o600
    assert done(juying("keys", "list", "--json"))["keys"] == sorted(rows, key=lambda row: (row["name"], row["kind"]))


def test_check_values_are_those_that_cards_tell(juying: Juying) -> None:
    rows = {row["name"]: row for row in made(juying)}
    with open_keys(None) as keys:
        assert keys is not None
        assert keys.check_value(key()).hex().upper() == rows["DF01/UK7"]["check_value"]


def test_the_table_names_the_keys(juying: Juying) -> None:
    made(juying, "--signing", "es256")
    listed = juying("keys", "list")
    assert listed.status == 0
    for part in ("DF01/UK7", "3des", CITY, "check value", "issuer", "ES256", "现用 / current"):
        assert part in listed.out


def test_a_store_is_never_overwritten(juying: Juying) -> None:
    made(juying)
    before = Path(STORE).read_bytes()
    again = juying("keys", "init", "--city", CITY)
    assert again.status == 2
    assert "never overwritten" in again.err
    assert Path(STORE).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--city", "3310"], "six digits"),
        (["--city", CITY, "--profile", "ssc-v9"], "ssc-v9"),
        (["--signing", "3des"], "no algorithm for signing"),
        (["--signing", "rsa"], "the kinds of keys are"),
    ],
)
def test_what_init_refuses_makes_no_file(juying: Juying, arguments: list[str], message: str) -> None:
    refused = juying("keys", "init", *arguments)
    assert refused.status == 2
    assert message in refused.err
    assert not Path(STORE).exists()


# Pass phrases.


def test_the_pass_phrase_of_a_new_store_is_asked_for_twice(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def prompt(_: str, **settings: Any) -> str:
        asked.append(settings)
        return PHRASE

    monkeypatch.delenv("JUYING_KEYS_PASSPHRASE")
    monkeypatch.setattr(passwords, "at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.prompt", prompt)
    assert juying("keys", "init").status == juying("keys", "list").status == 0
    hidden = {"hide_input": True, "err": True}
    assert asked == [{**hidden, "confirmation_prompt": True}, {**hidden, "confirmation_prompt": False}]


def test_the_pass_phrase_comes_from_a_file(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    made(juying)
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE", "something else")
    Path("phrase").write_text(PHRASE + "\r\n", "utf-8", newline="")
    assert juying("keys", "list", "--passphrase-file", "phrase").status == 0
    monkeypatch.delenv("JUYING_KEYS_PASSPHRASE")
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE_FILE", "phrase")
    assert juying("keys", "list").status == 0


@pytest.mark.parametrize("contents", [None, b"", b"\n", b"one\ntwo\n", b"\xff\n", b"x" * 2000])
def test_a_pass_phrase_file_has_one_line(juying: Juying, contents: bytes | None) -> None:
    made(juying)
    if contents is not None:
        Path("phrase").write_bytes(contents)
    refused = juying("keys", "list", "--passphrase-file", "phrase")
    assert refused.status == 2
    assert "one line" in refused.err


def test_without_a_pass_phrase_it_says_where_to_put_it(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    made(juying)
    monkeypatch.delenv("JUYING_KEYS_PASSPHRASE")
    refused = juying("keys", "list")
    assert refused.status == 2
    assert "JUYING_KEYS_PASSPHRASE" in refused.err


def test_a_wrong_pass_phrase_is_not_repeated(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    made(juying)
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE", "quite another one")
    refused = juying("keys", "list", "--json")
    assert refused.status == 2
    assert refused.document["error"]["en"] == "wrong pass phrase or damaged key store"
    assert "quite another" not in refused.out + refused.err


def test_no_store_is_named(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUYING_KEYS")
    assert "--keys" in juying("keys", "list").err
    for other in ("demo", "psam:reader", f"previous:{STORE}"):
        assert "key file or pkcs11" in juying("keys", "list", "--keys", other).err


# rotate.


def test_rotation_keeps_the_old_key_for_cards_that_carry_it_until_it_is_dropped(juying: Juying) -> None:
    made(juying)
    before = material("DF01/UK7")
    versions = done(juying("keys", "rotate", "DF01/UK7", "--json"))["keys"]
    assert [(row["version"], row["state"]) for row in versions] == [(2, "current"), (1, "previous")]
    assert material("DF01/UK7", KeyState.PREVIOUS) == before != material("DF01/UK7")
    with open_keys(STORE) as new, open_keys(f"previous:{STORE}") as old:
        assert new is not None
        assert old is not None
        assert [keys.check_value(key()).hex().upper() for keys in (new, old)] == [
            row["check_value"] for row in versions
        ]
        assert new.check_value(key("DF01/UK8")) == old.check_value(key("DF01/UK8"))
    again = juying("keys", "rotate", "DF01/UK7")
    assert again.status == 2
    assert "--drop-previous" in again.err
    assert len(done(juying("keys", "rotate", "DF01/UK7", "--drop-previous", "--json"))["keys"]) == 1
    assert juying("keys", "rotate", "DF01/UK7", "--drop-previous").status == 1


def test_a_key_to_rotate_has_to_be_one(juying: Juying) -> None:
    done(juying("keys", "init", "--city", CITY, "--json"))
    assert "several keys" in juying("keys", "rotate", "DF01/UK7").err
    assert juying("keys", "rotate", "DF01/UK7", "--kind", "sm4", "--city", CITY).status == 0
    assert "no such key" in juying("keys", "rotate", "DF01/UK99").err


# import and export.


def test_a_signing_key_comes_from_a_pem_file_and_signs_as_before(
    juying: Juying, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = SoftwareSigner.generate(Algorithm.SM2)
    signer.save("city.pem", "another phrase")
    monkeypatch.setenv("JUYING_KEY_PASSWORD", "another phrase")
    made(juying)
    (row,) = done(juying("keys", "import", "issuer", "--pem", "city.pem", "--json"))["keys"]
    assert (row["kind"], row["check_value"]) == ("SM2", signer.kid.hex().upper())
    with signer_from(STORE, "issuer") as stored:
        assert stored.kid == signer.kid
        assert VerifyKey(signer.public_key, Algorithm.SM2).verify(stored.sign(b"m"), b"m")
    assert "make a new version" in juying("keys", "import", "issuer", "--pem", "city.pem").err
    SoftwareSigner.generate(Algorithm.SM2).save("next.pem", "another phrase")
    (row,) = done(juying("keys", "import", "issuer", "--pem", "next.pem", "--new-version", "--json"))["keys"]
    assert row["version"] == 2


def test_a_file_that_is_no_signing_key(juying: Juying) -> None:
    made(juying)
    Path("none.pem").write_text("hello")
    assert "no PKCS#8" in juying("keys", "import", "issuer", "--pem", "none.pem").err
    assert "cannot be read" in juying("keys", "import", "issuer", "--pem", "missing.pem").err
    assert "name the key" in juying("keys", "import", "--pem", "none.pem").err
    assert "use one of" in juying("keys", "import", "issuer").err


@pytest.fixture
def two_offices(juying: Juying) -> str:
    """Two stores that share a transport key; the second one's name."""
    made(juying)
    done(juying("keys", "ceremony", "hangzhou", "--kind", "aes-256", "--split", "2", "--out", "sheets", "--json"))
    assert juying("keys", "init", "--keys", "province.keys").status == 0
    sheets = ("--component", "sheets/component-2-of-2.json", "--component", "sheets/component-1-of-2.json")
    done(juying("keys", "import", "--keys", "province.keys", *sheets, "--json"))
    assert material("hangzhou") == material("hangzhou", store="province.keys")
    return "province.keys"


def test_keys_travel_to_another_office_under_a_transport_key(juying: Juying, two_offices: str) -> None:
    exported = done(juying("keys", "export-wrapped", "out.json", "--under", "hangzhou", "--json"))
    assert stat.S_IMODE(Path("out.json").stat().st_mode) == 0o600
    assert exported["under"]["name"] == "hangzhou"
    arrived = done(juying("keys", "import", "--keys", two_offices, "--wrapped", "out.json", "--json"))["keys"]
    assert [row["check_value"] for row in arrived] == [row["check_value"] for row in exported["keys"]]
    assert held(two_offices) == held()
    text = Path("out.json").read_text().lower()
    assert not [secret for secret in held().values() if secret.hex() in text]


def test_single_keys_travel_too(juying: Juying, two_offices: str) -> None:
    names = ("DF01/UK7", "DF01/UK8")
    done(juying("keys", "export-wrapped", "out.json", *names, "--under", "hangzhou", "--json"))
    assert "no such key" in juying("keys", "import", "DF01/UK9", "--keys", two_offices, "--wrapped", "out.json").err
    (row,) = done(juying("keys", "import", "DF01/UK8", "--keys", two_offices, "--wrapped", "out.json", "--json"))[
        "keys"
    ]
    assert row["name"] == "DF01/UK8"
    wrong = juying(
        "keys", "import", "DF01/UK7", "--keys", two_offices, "--wrapped", "out.json", "--check-value", "000000"
    )
    assert "check value differs" in wrong.err
    assert len(held(two_offices)) == 2


def test_what_cannot_be_exported(juying: Juying, two_offices: str) -> None:
    export = ("keys", "export-wrapped", "out.json")
    assert "no such key" in juying(*export, "--under", "nobody").err
    assert "no such key" in juying(*export, "DF01/UK99", "--under", "hangzhou").err
    assert "ceremony" in juying(*export, "hangzhou", "--under", "hangzhou").err
    assert not Path("out.json").exists()
    Path("out.json").write_text("mine")
    assert "not overwritten" in juying(*export, "DF01/UK7", "--under", "hangzhou", "--kind", "3des").err


def test_a_wrapped_file_for_somebody_else(juying: Juying, two_offices: str) -> None:
    assert juying("keys", "export-wrapped", "out.json", "--under", "hangzhou").status == 0
    assert juying("keys", "rotate", "hangzhou", "--keys", two_offices).status == 0
    take = ("keys", "import", "--keys", two_offices, "--wrapped")
    assert "another check value" in juying(*take, "out.json").err
    Path("none.json").write_text("{}")
    assert "no file of wrapped keys" in juying(*take, "none.json").err


# Ceremonies.


class People:
    """Those who answer the prompts, one answer after the other, and what each prompt was like."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.hidden: list[bool] = []

    def prompt(self, _: str, *, hide_input: bool = False, **settings: Any) -> str:
        assert settings["err"]
        self.hidden.append(hide_input)
        return self.answers.pop(0)

    def confirm(self, _: str, *, err: bool) -> bool:
        assert err
        return self.answers.pop(0) == "y"


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Callable[..., People]:
    def come(*answers: str) -> People:
        came = People(*answers)
        monkeypatch.setattr("typer.prompt", came.prompt)
        monkeypatch.setattr("typer.confirm", came.confirm)
        monkeypatch.setattr(key_ceremony, "at_a_terminal", lambda: True)
        return came

    return come


FIRST, SECOND = "0123456789ABCDEF1032547698BADCFE", "5C3A9E1170D2B84621F7860C9ADE3B54"
KEY = bytes(a ^ b for a, b in zip(bytes.fromhex(FIRST), bytes.fromhex(SECOND), strict=True))


def value_of(digits: str) -> str:
    return check_value(KeyKind.TDES, bytes.fromhex(digits)).hex()


def test_people_join_a_root_key_and_a_slip_is_found_at_once(juying: Juying, people: Callable[..., People]) -> None:
    made(juying)
    slip = FIRST[:-2] + "EE"
    came = people(slip, value_of(FIRST), FIRST, value_of(FIRST), "no hex", "zz", SECOND, value_of(SECOND), "y")
    joined = juying("keys", "ceremony", "DF01/UK7", "--kind", "3des", "--join", "2", "--json")
    (row,) = done(joined)["keys"]
    assert (row["name"], row["kind"], row["city"]) == ("DF01/UK7", "3des", None)
    assert row["check_value"].lower() == value_of(KEY.hex())
    assert held()["DF01/UK7", "3des", "", "current"] == KEY
    assert came.hidden == [True, False] * 4
    assert "component 1/2 is right" in joined.err
    assert joined.err.count("enter the component again") == 1
    for typed in (slip, FIRST, SECOND, KEY.hex()):
        assert typed.lower() not in (joined.out + joined.err).lower()


def test_a_key_of_a_city_is_joined_by_import_too(juying: Juying, people: Callable[..., People]) -> None:
    made(juying)
    people(FIRST, value_of(FIRST), SECOND, value_of(SECOND))
    options = ("--kind", "3des", "--city", "310000", "--components", "2", "--check-value", value_of(KEY.hex()))
    done(juying("keys", "import", "DF01/UK7", *options, "--json"))
    assert held()["DF01/UK7", "3des", "310000", "current"] == KEY


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [("n", [], "do not agree"), ("", ["--check-value", "000000"], "check value differs")],
)
def test_nothing_is_stored_until_all_agree(
    juying: Juying, people: Callable[..., People], answer: str, options: list[str], message: str
) -> None:
    made(juying)
    before = Path(STORE).read_bytes()
    people(FIRST, value_of(FIRST), SECOND, value_of(SECOND), answer)
    refused = juying("keys", "ceremony", "DF01/UK7", "--kind", "3des", "--join", "2", *options)
    assert refused.status == 2
    assert message in refused.err
    assert Path(STORE).read_bytes() == before


def test_somebody_who_gives_up_leaves_nothing(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    made(juying)
    before = Path(STORE).read_bytes()

    def leave(*_: Any, **__: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(key_ceremony, "at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.prompt", leave)
    assert juying("keys", "ceremony", "DF01/UK7", "--kind", "3des", "--join", "2").status == 130
    assert Path(STORE).read_bytes() == before


def test_what_a_ceremony_refuses(juying: Juying) -> None:
    made(juying)
    run = ("keys", "ceremony", "DF01/UK7")
    assert "--split and --join" in juying(*run).err
    assert "--split and --join" in juying(*run, "--split", "2", "--join", "2").err
    assert "--kind" in juying(*run, "--join", "2").err
    assert "takes a terminal" in juying(*run, "--kind", "3des", "--join", "2").err
    assert "2 to 9" in juying(*run, "--split", "10", "--out", "sheets").err
    assert "on a terminal only" in juying(*run, "--split", "2").err
    assert "hexadecimal" in juying("keys", "import", "x", "--pem", key_file(), "--check-value", "zz").err
    Path("file").touch()
    assert "cannot be made" in juying(*run, "--split", "2", "--out", "file").err


def key_file() -> str:
    SoftwareSigner.generate().save("any.pem")
    return "any.pem"


def test_components_go_to_files_of_their_own_when_asked(juying: Juying) -> None:
    made(juying)
    split = juying("keys", "ceremony", "DF01/UK7", "--split", "3", "--out", "sheets", "--json")
    assert done(split)["out"] == "sheets"
    sheets = sorted(Path("sheets").iterdir())
    assert [sheet.name for sheet in sheets] == [f"component-{number}-of-3.json" for number in (1, 2, 3)]
    whole = 0
    for sheet in sheets:
        assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
        component = json.loads(sheet.read_text())["component"]
        assert component not in split.out + split.err
        whole ^= int(component, 16)
    assert whole.to_bytes(16) == material("DF01/UK7")
    again = juying("keys", "ceremony", "DF01/UK7", "--split", "3", "--out", "sheets")
    assert again.status == 2


def test_component_files_have_to_be_all_of_one_key(juying: Juying) -> None:
    made(juying)
    for name, folder in (("DF01/UK7", "a"), ("DF01/UK8", "b")):
        assert juying("keys", "ceremony", name, "--split", "2", "--out", folder).status == 0
    a, b = ("--component", "a/component-1-of-2.json"), ("--component", "b/component-2-of-2.json")
    assert juying("keys", "init", "--keys", "new.keys").status == 0
    take = ("keys", "import", "--keys", "new.keys")
    for wrong in ((*a, *b), a, (*a, *a)):
        assert "all 2 components of one key" in juying(*take, *wrong).err
    whole = (*a, "--component", "a/component-2-of-2.json")
    assert "these components are of DF01/UK7" in juying(*take, "DF01/UK9", *whole).err
    sheet = Path("a/component-2-of-2.json")
    for number in ("1", "2"):
        forged = json.loads(Path(f"a/component-{number}-of-2.json").read_text())
        Path(f"a/component-{number}-of-2.json").write_text(json.dumps({**forged, "key_check_value": "000000"}))
    assert "joined key differs" in juying(*take, *whole).err
    assert sheet.exists()
    assert held("new.keys") == {}


@contextmanager
def screen() -> Iterator[Callable[[str], str]]:
    """Standard error is a terminal; what comes out at its other end. (A fixture would be undone by pytest's own.)"""
    mine, theirs = os.openpty()
    tty.setraw(theirs)
    with pytest.MonkeyPatch.context() as patch, os.fdopen(theirs, "w") as terminal:
        patch.setattr(sys, "stderr", terminal)

        def seen(end: str) -> str:
            terminal.flush()
            text = b""
            while not text.endswith(end.encode()):
                text += os.read(mine, 4096)
            return text.decode()

        yield seen
    os.close(mine)


def test_components_are_shown_to_one_after_the_other_on_a_screen_that_is_cleared(
    juying: Juying, people: Callable[..., People]
) -> None:
    made(juying)
    came = people("", "", "", "")
    with screen() as seen:
        split = juying("keys", "ceremony", "root/KEY", "--kind", "sm4", "--split", "2", "--json")
        pages = seen(CLEAR).split(CLEAR)
    assert done(split)["keys"][0]["kind"] == "sm4"
    assert len(pages) == 3
    shown = [page.split("component 1/2: " if "1/2" in page else "component 2/2: ")[1][:39] for page in pages[:2]]
    whole = int(shown[0].replace(" ", ""), 16) ^ int(shown[1].replace(" ", ""), 16)
    assert whole.to_bytes(16) == material("root/KEY")
    assert not came.answers
    for component in shown:
        assert component not in split.out


def test_a_fresh_key_is_stored_only_when_every_component_was_given_out(
    juying: Juying, people: Callable[..., People]
) -> None:
    made(juying)
    before = Path(STORE).read_bytes()
    people("")  # the first comes forward, sees a component, and that is all
    with screen() as seen:
        with pytest.raises(IndexError):
            juying("keys", "ceremony", "root/KEY", "--kind", "sm4", "--split", "2")
        assert "component 1/2" in seen(CLEAR)
    assert Path(STORE).read_bytes() == before


# Where other commands get their keys from.


def test_no_keys_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUYING_KEYS")
    with open_keys(None) as keys:
        assert keys is None


def test_the_demonstration_keys_are_named_demo() -> None:
    with open_keys("demo") as keys:
        assert isinstance(keys, DemonstrationKeys)


def test_a_psam_is_named_by_its_reader(private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> None:
    with VirtualReader(port=pcsc_reader.port) as reader:
        reader.insert(VirtualPsam.demonstration([load_profile("ssc-v2")], cities=[CITY]))
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        with open_keys(f"psam:{pcsc_reader.name}") as keys:
            assert isinstance(keys, PsamKeys)
            assert keys.terminal_number == "331000000001"


@pytest.mark.parametrize("keys", [None, "demo", "psam:reader", f"previous:{STORE}"])
def test_only_files_and_tokens_have_signing_keys(keys: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUYING_KEYS")
    with pytest.raises(InputError, match="key file or a token"), signer_from(keys, "issuer"):
        pass


def test_a_token_has_to_be_written_rightly_and_its_library_be_named(juying: Juying) -> None:
    with pytest.raises(InputError, match="pkcs11:token=NAME"), open_keys("pkcs11:office"):
        pass
    assert "JUYING_PKCS11_MODULE" in juying("keys", "list", "--keys", "pkcs11:token=office").err


# Tokens.


@pytest.fixture
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with softhsm(tmp_path_factory.mktemp("hsm"), "office") as library:
        yield library


@pytest.fixture
def token(module: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("JUYING_PKCS11_MODULE", str(module))
    monkeypatch.setenv("JUYING_TOKEN_PIN", PIN)
    return "pkcs11:token=office"


def test_a_token_takes_the_place_of_a_file(juying: Juying, token: str, people: Callable[..., People]) -> None:
    init = ("keys", "init", "--keys", token, "--city", CITY, "--profile", "ssc-v2", "--signing", "es256", "--json")
    rows = done(juying(*init))["keys"]
    assert done(juying(*init))["keys"] == []  # what is there stays
    listed = done(juying("keys", "list", "--keys", token, "--json"))["keys"]
    assert sorted(rows, key=lambda row: row["name"]) == listed
    with open_keys(token) as keys:
        assert keys is not None
        assert keys.has(key())
    with signer_from(token, "issuer") as signer:
        assert VerifyKey(signer.public_key, signer.algorithm).verify(signer.sign(b"m"), b"m")

    versions = done(juying("keys", "rotate", "DF01/UK7", "--keys", token, "--json"))["keys"]
    assert [(row["version"], row["state"]) for row in versions] == [(2, "current"), (1, "previous")]
    with open_keys(f"previous:{token}") as keys:
        assert keys is not None
        assert keys.check_value(key()).hex().upper() == versions[1]["check_value"]
    assert juying("keys", "rotate", "DF01/UK7", "--keys", token, "--drop-previous").status == 0

    people(FIRST, value_of(FIRST), SECOND, value_of(SECOND), "y")
    (row,) = done(juying("keys", "ceremony", "DF01/UKC", "--kind", "3des", "--join", "2", "--keys", token, "--json"))[
        "keys"
    ]
    assert row["check_value"].lower() == value_of(KEY.hex())
    assert "-" in juying("keys", "list", "--keys", token).out


def test_what_a_token_cannot_do(juying: Juying, token: str) -> None:
    for arguments in (
        ("ceremony", "DF01/UK7", "--split", "2", "--out", "sheets"),
        ("export-wrapped", "out.json", "--under", "hangzhou"),
    ):
        assert "cannot be taken out" in juying("keys", *arguments, "--keys", token).err
    assert (
        "no standard mechanism for sm4"
        in juying("keys", "init", "--keys", token, "--city", CITY, "--profile", "ssc-v3").err
    )


def test_the_pin_of_a_token_is_asked_for_and_never_shown(
    juying: Juying, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUYING_TOKEN_PIN")
    assert "JUYING_TOKEN_PIN" in juying("keys", "list", "--keys", token).err
    monkeypatch.setattr(passwords, "at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "97531")
    refused = juying("keys", "list", "--keys", token)
    assert "wrong token PIN" in refused.err
    assert "97531" not in refused.out + refused.err
    monkeypatch.setattr("typer.prompt", lambda *_, **__: PIN)
    assert juying("keys", "list", "--keys", token).status == 0


# No secret anywhere.


def test_no_key_is_in_anything_that_the_commands_print(juying: Juying, two_offices: str) -> None:
    printed = ""
    for arguments in (
        ("list",),
        ("list", "--json"),
        ("rotate", "DF01/UK7"),
        ("rotate", "DF01/UK7", "--json"),
        ("export-wrapped", "w.json", "--under", "hangzhou"),
        ("import", "--keys", two_offices, "--wrapped", "w.json"),
        ("import", "--keys", two_offices, "--wrapped", "w.json", "--json"),
        ("ceremony", "DF01/UK8", "--split", "2", "--out", "sheets2"),
        ("ceremony", "DF01/UK8", "--split", "2"),
        ("import", "--component", "sheets2/component-1-of-2.json", "--component", "sheets2/component-2-of-2.json"),
    ):
        ran = juying("keys", *arguments)
        printed += ran.out + ran.err
    assert "DF01/UK8" in printed
    for secret in (*held().values(), *held(two_offices).values(), PHRASE.encode()):
        for form in (secret.hex(), secret.hex(" ", 2), repr(secret)):
            assert form.lower() not in printed.lower()
    assert PHRASE not in printed


# The manual.


def alike(text: str) -> str:
    """``text`` without what is different each time, and without the folds of a narrow screen."""
    same = re.sub(r"\b\d{4}-\d\d-\d\d\b", "DAY", re.sub(r"\b([0-9A-F]{8}|[0-9A-F]{6})  ", "VALUE  ", text))
    return "".join(same.split())


def test_what_the_manual_shows_is_what_comes(juying: Juying, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUYING_KEYS")
    shutil.copytree(ROOT / "examples", "examples")
    manual = (ROOT / "docs" / "keys.md").read_text("utf-8")
    count = 0
    for block in re.findall(r"```console\n(.*?)```", manual, re.DOTALL):
        if f"init --keys {STORE}" in block:
            Path(STORE).unlink(missing_ok=True)
        printed = ""
        for line in block.splitlines():
            if line.startswith("$ juying "):
                ran = juying(*shlex.split(line)[2:])
                printed = alike(ran.out + ran.err)
                count += 1
            elif not line.startswith(("$", "…")):
                assert alike(line) in printed, line
    assert count == 16
