"""A program that is not ours (OpenSC) meets our card in a PC/SC reader."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from juying.card.ssc import SSSE_AID, SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import VirtualReader
from juying.card.writer import write_card
from tests.harness import PrivatePcscd, Slot
from tests.path.samples import blank, contents

Tool = Callable[..., str]


@pytest.fixture
def opensc_tool(private_pcscd: PrivatePcscd, tmp_path: Path) -> Tool:
    """``opensc-tool`` with these arguments, and no configuration of this machine; gives what it prints.

    It is a child of this process, and so finds the private pcscd.
    """
    program = shutil.which("opensc-tool")
    assert program, "opensc-tool is not installed: apt install opensc"
    configuration = tmp_path / "opensc.conf"
    configuration.write_text("app default { reader_driver pcsc { } framework pkcs15 { use_file_caching = no; } }\n")
    environment = {**os.environ, "OPENSC_CONF": str(configuration), "HOME": str(tmp_path), "LC_ALL": "C"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, errors="replace", timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(params=["ssc-v2", "ssc-v3"])
def card(request: pytest.FixtureRequest, private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> Iterator[VirtualCard]:
    """A written card in ``pcsc_reader``: ssc-v2 speaks T=0, ssc-v3 T=1."""
    card = blank(request.param)
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), contents())
    with VirtualReader(port=pcsc_reader.port) as reader:
        reader.insert(card)
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        yield card


def test_it_lists_the_reader_and_sees_the_card(opensc_tool: Tool, card: VirtualCard, pcsc_reader: Slot) -> None:
    [line] = [line for line in opensc_tool("--list-readers").splitlines() if line.endswith(pcsc_reader.name)]
    assert re.match(r"\d+ +Yes ", line), "the column that says whether a card is present"


def test_it_reads_the_atr(opensc_tool: Tool, card: VirtualCard, pcsc_reader: Slot) -> None:
    assert bytes.fromhex(opensc_tool("--reader", pcsc_reader.name, "--atr").strip().replace(":", "")) == card.atr


def test_it_selects_the_application_and_reads_the_records(
    opensc_tool: Tool, card: VirtualCard, pcsc_reader: Slot
) -> None:
    """Select the environment by name and EF05 by identifier, then read its records by number."""
    records = card.memory.files["SSSE/EF05"]
    apdus = [f"00A40400{len(SSSE_AID):02X}{SSSE_AID.hex()}00", "00A4000002EF0500"]
    apdus += [f"00B2{number:02X}04{len(record):02X}" for number, record in enumerate(records, 1)]
    arguments = [argument for apdu in apdus for argument in ("--send-apdu", apdu)]
    answers = _answers(opensc_tool("--reader", pcsc_reader.name, *arguments))
    assert [sw for sw, _ in answers[:2]] == [0x9000] * 2
    assert SSSE_AID in answers[0][1], "the file control information names the application"
    rules = [record.read for record in card.profile.file("SSSE/EF05").slots]
    expected = [
        (0x9000, bytes(record)) if rule == "free" else (0x6982, b"")
        for rule, record in zip(rules, records, strict=True)
    ]
    assert answers[2:] == expected, "it has no key, and sees what is free"
    assert answers[2][1].endswith(b"\xff\xff\xff\xff")
    assert (b"\x07\x09JYX000010" in answers[8][1]) == (card.profile.name == "ssc-v2")


def _answers(printed: str) -> list[tuple[int, bytes]]:
    """Status word and data of each answer; opensc-tool prints SW1, SW2 and lines of hexadecimal and plain text."""
    answers = []
    for part in printed.split("Received ")[1:]:
        first, *lines = part.partition("Sending")[0].splitlines()
        sw = "".join(re.findall(r"SW\d=0x(\w\w)", first))
        columns = [re.match("(?:[0-9A-F]{2} )+", line) for line in lines]
        answers.append((int(sw, 16), bytes.fromhex("".join(column[0] for column in columns if column))))
    return answers
