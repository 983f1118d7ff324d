"""A C program at work: it reads, writes, asks for the PIN and takes the HSM steps, through library, bridge and card."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from juying.card.virtual.card import VirtualCard
from juying.terminal.bridge import Bridge
from tests.terminal.cards import (
    DEVICE,
    INFO,
    OTHER,
    OWN_NUMBER,
    PIN,
    PROFILES,
    PSAM_NUMBER,
    Desk,
    basic,
    new_pin,
    personal,
    psam_slot,
)
from tests.terminal.conftest import FromC

Serve = Callable[[Desk], AbstractContextManager[None]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """A server around a terminal, as ``juying terminal serve`` runs it."""

    @contextmanager
    def run(desk: Desk) -> Iterator[None]:
        with Bridge(desk.terminal.call, tmp_path / "endpoint") as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield
            server.shutdown()
            thread.join()

    return run


@pytest.mark.parametrize("name", PROFILES)
def test_a_hospital_program_reads_and_writes(name: str, serve: Serve, from_c: FromC) -> None:
    desk = Desk(personal(name), psam_slot(), options={"device_number": DEVICE})
    address = "SSSEEF06|09|0D|$"
    data = "SSSEEF06|埃里克松·安娜|19740812|$"
    with serve(desk):
        assert from_c("iReadCardBas", "1") == (0, basic(name, terminal=PSAM_NUMBER, device=DEVICE))
        assert from_c("iWriteCard", "1", INFO, address, data.encode("gbk")) == (0, "")
        assert from_c("iReadCard", "1", "2", INFO, address) == (0, data)
        assert from_c("iReadCard", "1", "2", "|JYX000029|", address) == (-22, "卡片与传入的卡信息不符")
        assert from_c("iReadCard", "1", "2", "", b"SSSEEF06|\xff|$")[0] == -14
        assert from_c("iReadCard", "2", "2", "", address)[0] == -13


def test_a_photo_fits_into_the_answer(serve: Serve, from_c: FromC) -> None:
    photo = b"\xff\xd8" + bytes(4090) + b"\xff\xd9"
    with serve(Desk(personal("ssc-v3", photo=photo), psam_slot())):
        code, text = from_c("iReadCard", "1", "2", "", "SSSEEF08|$")
    assert (code, text) == (0, f"SSSEEF08|{photo.hex().upper()}|$")


def test_pins_and_debit(serve: Serve, from_c: FromC) -> None:
    desk = Desk(personal("ssc-v2"), psam_slot())
    with serve(desk):
        assert from_c("iVerifyPIN", "1") == (0, "")
        assert from_c("iDoDebit", "1", INFO, "0.1|212.5|20261201093000|")[0] == -35
        assert from_c("iChangePIN", "1") == (0, "")
        assert from_c("iVerifyPIN", "1")[0] == -51
        desk.pin = PIN
        assert from_c("iDoDebit", "1", INFO, "0.1|212.5|20261201093000|")[0] == 0
        record = f"1|6|{PSAM_NUMBER}|20261201093000|0.10|212.50|0.00|$"
        assert from_c("iReadDebitRecord", "1") == (0, record)
        desk.new = OTHER
        assert from_c("iReloadPIN", "1", INFO) == (0, "")
        assert from_c("iUnblockPIN", "1", INFO) == (0, "")
        desk.pin = OTHER
        assert from_c("iVerifyPIN", "1") == (0, "")


def steps(desk: Desk, from_c: FromC, name: str, *arguments: str) -> tuple[int, str]:
    """Step 1, the back end's answer, step 2 and, where there is one, step 3; each in a process of its own."""
    code, text = from_c(f"{name}_HSM_Step1", *arguments)
    assert code == 0, text
    code, text = from_c(f"{name}_HSM_Step2", desk.pkey(text))
    if name in ("iReloadPIN", "iUnblockPIN"):
        assert code == 0, text
        return from_c(f"{name}_HSM_Step3", desk.pkey(text))
    return code, text


def card_with_pin(name: str) -> VirtualCard:
    desk = Desk(personal(name))
    new_pin(desk)
    return desk.card


@pytest.mark.parametrize("name", ["ssc-v2", "ssc-v3"])
def test_a_back_end_with_an_hsm(name: str, serve: Serve, from_c: FromC) -> None:
    """3DES and SM4; the card waits in the server while the caller's process comes and goes."""
    numbers = {"terminal_number": OWN_NUMBER, "device_number": DEVICE}
    desk = Desk(card_with_pin(name), pin=PIN, new=OTHER, options=numbers)
    with serve(desk):
        assert steps(desk, from_c, "iReadCardBas", "1") == (0, basic(name, terminal=OWN_NUMBER, device=DEVICE))
        answer = "DF01EF06|台州市虚构路1号|$"
        assert steps(desk, from_c, "iReadCard", "1", INFO, "DF01EF06|23|$") == (0, answer)
        code, text = from_c("iWriteCard_HSM_Step1", "1", INFO, "SSSEEF05|06|$")
        assert code == 0
        assert from_c("iWriteCard_HSM_Step2", desk.pkey(text), "SSSEEF05|20370101|$") == (0, "")
        code, text = steps(desk, from_c, "iDoDebit", "1", INFO, "0.1|212.5|20261201093000|")
        assert (code, text[:2]) == (0, "1|")
        assert steps(desk, from_c, "iUnblockPIN", "1", INFO) == (0, "")
        assert steps(desk, from_c, "iReloadPIN", "1", INFO) == (0, "")
        desk.pin = OTHER
        assert from_c("iVerifyPIN", "1") == (0, "")
        assert from_c("iReadCard_HSM_Step2", "00" * 16)[0] == -12
