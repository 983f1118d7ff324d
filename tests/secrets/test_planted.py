"""The search can fail: a leak planted in each channel, and in each form, is found."""

import base64
import itertools
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from juying.codec import base45
from juying.crypto.block import BlockKey, Cipher
from juying.crypto.keys import CardKey
from juying.crypto.mac import des_mac
from juying.errors import InputError, JuyingError
from juying.files import create, write_atomically
from juying.text import Text
from tests.secrets.marks import Kind, Maker, Mark, found, found_in_bytes
from tests.secrets.stage import Leak, Stage, perform

Plant = Callable[[Stage, str], object]


def raises(make: Callable[[str], Exception]) -> Plant:
    """An error that somebody catches."""

    def plant(stage: Stage, secret: str) -> None:
        with pytest.raises(JuyingError):
            raise make(secret)

    return plant


def with_note(secret: str) -> Exception:
    error = InputError("", "")
    error.add_note(secret)
    return error


def with_cause(secret: str) -> Exception:
    error = InputError("", "")
    error.__cause__ = KeyError(secret)
    return error


def in_a_thread(stage: Stage, secret: str) -> None:
    thread = threading.Thread(target=lambda: raises(lambda text: InputError(text, text))(stage, secret))
    thread.start()
    thread.join()


def command(stage: Stage, secret: str, stream: str) -> None:
    stage.watch.command(lambda: getattr(stage.watch, stream).write(secret), ["read", "--json"][stream == "err" :])


def draft_that_is_gone(stage: Stage, secret: str) -> None:
    create(Path("draft"), secret.encode(), private=True)
    Path("draft").unlink()


def draft_that_was_renamed(stage: Stage, secret: str) -> None:
    Path("draft").write_text(secret)
    Path("draft").replace("final")
    Path("final").write_text("")


def a_process(stage: Stage, secret: str) -> None:
    subprocess.run([sys.executable, "-c", "", secret], check=True)


def logged(stage: Stage, secret: str) -> None:
    logger = logging.getLogger("httpcore.planted")
    logger.debug("something", extra={"detail": secret})


PLANTS: dict[str, tuple[str, Plant]] = {
    "standard output": ("print", lambda _, secret: sys.stdout.write(secret)),
    "standard error": ("print", lambda _, secret: sys.stderr.write(secret)),
    "what a command prints": ("stdout", lambda stage, secret: command(stage, secret, "out")),
    "what a command says": ("stderr", lambda stage, secret: command(stage, secret, "err")),
    "a log record": ("log", logged),
    "arguments of a log record": ("log", lambda _, secret: logging.getLogger("juying").info("%.0s", secret)),
    "a warning": ("warning", lambda _, secret: warnings.warn(secret, stacklevel=2)),
    "the text of an error": ("exception", raises(lambda secret: InputError("", secret))),
    "the place of an error": ("exception", raises(lambda secret: InputError("", "", where=secret))),
    "a note on an error": ("exception", raises(with_note)),
    "the cause of an error": ("exception", raises(with_cause)),
    "an error in a thread": ("exception", in_a_thread),
    "an object": ("repr", lambda _, secret: Text(secret, "")),
    "a file": ("file", lambda _, secret: write_atomically(Path("cache"), secret.encode(), private=True)),
    "a draft that is gone": ("file", draft_that_is_gone),
    "a draft that was renamed": ("file", draft_that_was_renamed),
    "a trace": ("file", lambda _, secret: Path("trace.jsonl").write_text(f'{{"command": "{secret.encode().hex()}"}}')),
    "the arguments of a process": ("process", a_process),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_leak_is_found(name: str, tmp_path: Path) -> None:
    channel, plant = PLANTS[name]

    def play(stage: Stage) -> None:
        plant(stage, stage.mark(Kind.TOKEN, "planted", stage.make.letters(12)))

    leaks = {leak.channel for leak in perform(play, tmp_path) if leak.title == "planted"}
    assert channel in leaks


def test_a_file_that_others_may_read_is_found(tmp_path: Path) -> None:
    def play(stage: Stage) -> None:
        create(Path("new.vcard"), stage.pin().encode())

    assert perform(play, tmp_path) == [Leak("file mode", "new.vcard 644", Kind.PERSON, "readable by others")]


def test_keys_that_were_made_on_the_way_are_looked_for(tmp_path: Path) -> None:
    def play(stage: Stage) -> None:
        session_key = stage.make.random.randbytes(8)
        des_mac(session_key, b"data")
        card_key = BlockKey(Cipher.SM4, stage.make.random.randbytes(16)).encrypt(bytes(range(16)))
        BlockKey(Cipher.TDES, card_key)
        sys.stdout.write(f"{session_key.hex(' ').upper()}\n")
        CardKey(name=base64.b64encode(card_key).decode(), cipher=Cipher.SM4, city="", city_factor=b"", card_factor=b"")

    leaks = perform(play, tmp_path)
    assert {(leak.channel, leak.kind) for leak in leaks} == {("print", Kind.KEY), ("repr", Kind.KEY)}


def test_what_is_allowed_is_no_leak_and_elsewhere_it_is(tmp_path: Path) -> None:
    def play(stage: Stage) -> None:
        person = stage.person()
        raw = b"\x09\x32" + str(person.row["name"]).encode().ljust(50, b"\x00")
        stage.juying("decode", "ssc-v3", "SSSE/EF06", raw.hex())
        with pytest.raises(InputError):
            raise InputError("", str(person.row["phone"]))

    leaks = {(leak.channel, leak.title) for leak in perform(play, tmp_path)}
    assert leaks == {("exception", "phone"), ("repr", "phone")}, "the error holds a `Text`, which shows it too"


def test_what_is_there_by_chance_is_no_leak(tmp_path: Path) -> None:
    runs = itertools.count()

    def play(stage: Stage) -> None:
        pin = stage.pin()
        sys.stdout.write(pin if next(runs) == 0 else "")

    assert perform(play, tmp_path) == []
    assert next(runs) == 2


MAKE = Maker(7)
NAME = Mark(Kind.PERSON, "name", text=MAKE.letters(9))
CHINESE = Mark(Kind.PERSON, "Chinese name", text=MAKE.han(4))
PHONE = Mark(Kind.PERSON, "phone", text="1" + MAKE.digits(10))
KEY = Mark(Kind.KEY, "key", raw=bytes(MAKE.random.randbytes(16)))
PIN = Mark(Kind.PIN, "PIN", text=MAKE.pin())


def forms(mark: Mark) -> dict[str, str]:
    """What somebody may write instead of the value."""
    raw = mark.raw or mark.text.encode()
    return {
        "hex": raw.hex(),
        "capital hex": raw.hex().upper(),
        "hex in groups": raw.hex(" ", 2),
        "hex in lines": "\n".join(raw.hex()[at : at + 5] for at in range(0, 64, 5)),
        "base64": base64.b64encode(raw).decode(),
        "base64 in the middle": base64.b64encode(b"{" + raw + b"}").decode(),
        "base64 for addresses": base64.urlsafe_b64encode(b"{}" + raw + b"?").decode(),
        "base45": base45.encode(raw),
        "base45 in the middle": base45.encode(b"{" + raw + b"}"),
        "bytes of Python": repr(b"\x00" + raw),
        "numbers": repr(list(raw)),
    }


@pytest.mark.parametrize("mark", [NAME, CHINESE, PHONE, KEY], ids=lambda mark: mark.title)
@pytest.mark.parametrize("form", forms(KEY))
def test_a_value_is_found_in_every_form(mark: Mark, form: str) -> None:
    assert found([mark], f"something: {forms(mark)[form]}.") == [mark]
    assert found_in_bytes([mark], b"\xff\xfe" + forms(mark)[form].encode() + b"\x80") == [mark]


def test_text_is_found_in_every_encoding() -> None:
    text = CHINESE.text
    for raw in (text.encode(), text.encode("gbk"), text.encode("utf-16-le")):
        assert found_in_bytes([CHINESE], b"\x00" + raw) == [CHINESE]
        assert found([CHINESE], raw.hex().upper()) == [CHINESE]
    for shown in (text.encode("unicode_escape").decode(), f"%{text.encode().hex('%').upper()}", " ".join(text)):
        assert found([CHINESE], shown) == [CHINESE]
    assert found([PHONE], f"E21B{PHONE.text}FF") == [PHONE]
    assert found([PHONE], f"+86 {PHONE.text[:3]}-{PHONE.text[3:7]}-{PHONE.text[7:]}") == [PHONE]
    assert found([NAME], NAME.text.lower()) == [NAME]


def test_a_pin_is_found_by_itself_and_in_a_command_but_not_in_a_number() -> None:
    for text in (f"PIN {PIN.text}!", f"'{PIN.text}'", f"0020000003{PIN.text}", f"00 20 00 00 03 {PIN.bcd.hex(' ')} "):
        assert found([PIN], text) == [PIN], text
    assert found([PIN], f"9{PIN.text}1 or A{PIN.text}") == []


def test_other_values_are_not_found() -> None:
    other = Maker(8)
    text = " ".join([other.letters(9), other.han(4), other.digits(11), other.random.randbytes(4000).hex(), os.devnull])
    assert found([NAME, CHINESE, PHONE, KEY, PIN], text) == []
