"""``juying terminal``: one call, and a server that a C program finds."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.vpcd import VirtualReader
from juying.cli import terminal
from juying.cli.output import exit_status
from juying.terminal.codes import CallError, Code
from tests.harness import PrivatePcscd, Slot
from tests.terminal.cards import DEVICE, INITIAL, OWN_NUMBER, PIN, PSAM_NUMBER, basic, personal, psam
from tests.terminal.conftest import FromC

Juying = Callable[..., tuple[int, str, str]]
"""Arguments in; exit status, standard output and standard error out."""


@pytest.fixture
def juying(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Juying:
    for name in ("JUYING_PIN", "JUYING_KEYS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        texts = [str(argument) for argument in arguments]
        command = get_command(terminal.app)
        status = exit_status(lambda: command.main(args=texts, standalone_mode=False), as_json="--json" in texts)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.vcard"
    save_card(personal("ssc-v3"), path)
    return path


def test_one_call(juying: Juying, image: Path) -> None:
    numbers = ("--terminal-number", OWN_NUMBER, "--device-number", DEVICE)
    answer = basic("ssc-v3", terminal=OWN_NUMBER, device=DEVICE)
    assert juying("call", "iReadCardBas", 1, "--virtual", image, "--keys", "demo", *numbers) == (0, answer + "\n", "")
    status, out, _ = juying("call", "iReadCardBas", 1, "--virtual", image, "--json")
    hidden = basic("ssc-v3", holder=("", "", ""))
    assert (status, json.loads(out)) == (0, {"function": "iReadCardBas", "code": 0, "text": hidden})
    values = juying("call", "iReadCard", 1, 2, "", "SSSEEF05|03|$", "--virtual", image, "--values-only")
    assert values == (0, "3.00|\n", "")


def test_what_was_written_stays(juying: Juying, image: Path) -> None:
    arguments = ("call", "iWriteCard", 1, "", "SSSEEF06|09|$", "SSSEEF06|MUSTER|$")
    assert juying(*arguments, "--virtual", image, "--keys", "demo") == (0, "\n", "")
    assert b"MUSTER" in load_card(image).memory.files["SSSE/EF06"][1]


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (("iReadCardBas", 1, "--back-end"), -2201, 1),
        (("iReadCard", 1, 2, "|JYX000029|", "SSSEEF05|01|$", "--keys", "demo"), -22, 1),
        (("iReadCard", 1, 2, "", "nothing"), -14, 2),
        (("iReadCard", 1, 2, "", "SSSEEF05|77|$"), -0x6A83, 4),
        (("iReadCardBas", 1, "--profile", "ssc-v2", "--keys", "demo"), -21, 1),
        (("iReadCardBas_HSM_Step2", "00|"), -12, 1),
    ],
)
def test_the_exit_status_tells_the_kind_of_failure(
    juying: Juying, image: Path, arguments: tuple[object, ...], code: int, status: int
) -> None:
    got, out, err = juying("call", *arguments, "--virtual", image)
    assert (got, out) == (status, "")
    assert err.startswith(f"{code} ")
    got, out, _ = juying("call", *arguments, "--virtual", image, "--json")
    assert (got, json.loads(out)["code"]) == (status, code)


def test_a_pin_from_a_file_and_a_new_one(juying: Juying, image: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text(INITIAL + "\n")
    new.write_text(PIN + "\n")
    options = ("--virtual", image, "--pin-file", old)
    assert juying("call", "iVerifyPIN", 1, *options)[0] == 0
    assert juying("call", "iChangePIN", 1, *options, "--new-pin-file", new)[0] == 0
    status, _, err = juying("call", "iVerifyPIN", 1, *options)
    assert (status, err[:4]) == (1, "-51 ")
    status, _, err = juying("call", "iChangePIN", 1, "--virtual", image, "--pin-file", new, "--new-pin-file", "none")
    assert (status, "新密码文件无法读取" in err) == (2, True)


@pytest.mark.parametrize(
    ("typed", "code"), [((PIN, PIN), 0), ((PIN, "271829"), Code.PINS_DIFFER), (("",), Code.CANCELLED)]
)
def test_a_new_pin_is_typed_twice(
    juying: Juying, image: Path, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...], code: int
) -> None:
    answers = iter(typed)
    monkeypatch.setattr("juying.cli.terminal.at_a_terminal", lambda: True)
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: next(answers))
    if code:
        with pytest.raises(CallError) as caught:
            terminal._prompt()
        assert caught.value.code == code
        answers = iter(typed)
    status, _, err = juying("call", "iReloadPIN", 1, "", "--virtual", image, "--keys", "demo", "--ask-pin")
    assert (status, err[:3]) == ((0, "") if not code else (1, f"{int(code)}"))


def test_nobody_to_type_a_new_pin(juying: Juying, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.cli.terminal.at_a_terminal", lambda: False)
    status, _, err = juying("call", "iReloadPIN", 1, "", "--virtual", image, "--keys", "demo", "--ask-pin")
    assert (status, "--new-pin-file" in err) == (2, True)


@pytest.mark.parametrize(
    "options",
    [("--virtual", "card.vcard", "--reader", "x"), ("--psam", "x", "--keys", "demo"), ("--device-number", "1")],
)
def test_options_that_do_not_go_together(juying: Juying, options: tuple[str, ...]) -> None:
    assert juying("call", "iReadCardBas", 1, *options)[0] == 2


def test_readers_and_a_psam_by_name(
    juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot, second_pcsc_reader: Slot
) -> None:
    with (
        VirtualReader(port=pcsc_reader.port) as here,
        VirtualReader(port=second_pcsc_reader.port) as there,
    ):
        here.insert(personal("ssc-v3"))
        there.insert(psam())
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        private_pcscd.wait_for_card(second_pcsc_reader.name, present=True)
        module = ("--psam", second_pcsc_reader.name)
        answer = basic("ssc-v3", terminal=PSAM_NUMBER)
        assert juying("call", "iReadCardBas", 1, "--reader", pcsc_reader.name, *module)[1] == answer + "\n"
        assert juying("call", "iReadCardBas", 2, "--contactless", pcsc_reader.name, *module)[1] == answer + "\n"
        status, _, err = juying("call", "iReadCardBas", 1, "--contactless", pcsc_reader.name, *module)
        assert (status, err[:4]) == (2, "-13 ")


PROGRAM = (
    "import sys; from typer.main import get_command; from juying.cli.output import exit_status; "
    "from juying.cli.terminal import app; "
    "sys.exit(exit_status(lambda: get_command(app).main(args=sys.argv[1:], standalone_mode=False), as_json=False))"
)


def test_a_server_until_it_is_interrupted(image: Path, tmp_path: Path, from_c: FromC) -> None:
    """The endpoint file that it names is there while it runs, and a C program finds it."""
    endpoint = tmp_path / "endpoint"
    arguments = ["serve", "--virtual", image, "--keys", "demo", "--endpoint", endpoint]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE, text=True, env=os.environ
    ) as server:
        assert server.stderr is not None
        assert str(endpoint) in server.stderr.readline()
        assert from_c("iReadCardBas", "1") == (0, basic("ssc-v3"))
        assert from_c("iVerifyPIN", "1")[0] == -13
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    assert not endpoint.exists()
    assert from_c("iReadCardBas", "1")[0] == -11
