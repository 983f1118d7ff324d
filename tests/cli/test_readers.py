"""``juying readers``, ``read --reader`` and ``virtual serve`` through the real PC/SC service."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Mute, TearAfterCommand
from juying.card.virtual.image import load_card
from juying.card.virtual.vpcd import VirtualReader
from juying.codec.profile import load_profile
from tests.cli.conftest import Juying
from tests.harness import PrivatePcscd, Slot

CARD = Path("out/JYX000010/card.vcard")


@pytest.fixture
def reader(private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> Iterator[VirtualReader]:
    """The card side of an empty reader."""
    with VirtualReader(port=pcsc_reader.port) as reader:
        yield reader


@pytest.fixture
def stopped(private_pcscd: PrivatePcscd) -> Iterator[None]:
    """No PC/SC service while the test runs."""
    private_pcscd.stop()
    yield
    private_pcscd.start()


def command(*arguments: str) -> subprocess.Popen[str]:
    """``juying`` as a process of its own, in the working directory."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "juying.cli", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip


def test_readers_and_cards_are_listed(
    juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot, reader: VirtualReader
) -> None:
    def entry() -> dict[str, object]:
        found = juying("readers", "--json").document["readers"]
        return next(entry for entry in found if entry["name"] == pcsc_reader.name)

    assert entry() == {"name": pcsc_reader.name, "card": False, "atr": "", "mute": False, "held": False}
    assert "无 / none" in juying("readers").out
    card = VirtualCard.blank(load_profile("ssc-v3"))
    reader.insert(card)
    private_pcscd.wait_for_card(pcsc_reader.name, present=True)
    assert entry() == {
        "name": pcsc_reader.name, "card": True, "atr": card.atr.hex().upper(), "mute": False, "held": False,
    }  # fmt: skip
    done = juying("readers")
    assert done.status == 0
    assert pcsc_reader.name in done.out
    assert "有 / yes" in done.out


def test_a_machine_without_readers(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.card.pcsc.readers", list)
    assert juying("readers").out == "没有读卡器 / there is no reader\n"
    assert juying("readers", "--json").document == {"readers": []}


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize(
    "arguments",
    [("readers",), ("read",), ("read", "--reader", "Virtual"), ("issue", "sheet.json", "--reader", "Virtual")],
)
def test_without_a_service_it_is_a_reader_fault(arguments: tuple[str, ...], juying: Juying) -> None:
    Path("sheet.json").write_text('[{"name": "MUSTER MAX"}]')
    if arguments[0] == "issue":
        from tests.cli.desk import applicant, sheet

        sheet(applicant())
    done = juying(*arguments, "--json")
    assert done.status == 4
    assert done.document["error"]["kind"] == "ServiceUnavailable"
    assert "pcscd" in done.document["error"]["en"]
    assert juying(*arguments).status == 4
    assert not Path("out").exists()


def test_a_card_is_read_in_its_reader(
    issued: Path, juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot, reader: VirtualReader
) -> None:
    reader.insert(load_card(CARD))
    private_pcscd.wait_for_card(pcsc_reader.name, present=True)
    in_process = juying("read", "--virtual", CARD, "--all", "--json").document
    for chosen in (("--reader", pcsc_reader.name), ("--reader", pcsc_reader.name.lower()), ()):
        assert juying("read", *chosen, "--all", "--json").document == in_process


def test_a_trace_recorded_at_a_reader_is_masked(
    issued: Path, juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot, reader: VirtualReader
) -> None:
    reader.insert(load_card(CARD))
    private_pcscd.wait_for_card(pcsc_reader.name, present=True)
    assert juying("read", "--reader", pcsc_reader.name, "--record", "card.trace").status == 0
    trace = Path("card.trace").read_text("ascii")
    assert b"MUSTER".hex().upper() not in trace
    assert juying("read", "--replay", "card.trace").status == 0


def test_a_card_that_is_pulled_is_a_card_fault(
    issued: Path, juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot, reader: VirtualReader
) -> None:
    reader.insert(TearAfterCommand(load_card(CARD), 9))
    private_pcscd.wait_for_card(pcsc_reader.name, present=True)
    done = juying("read", "--reader", pcsc_reader.name, "--json")
    assert done.status == 4
    assert done.document["error"]["kind"] == "CardRemoved"


def test_an_empty_and_an_unknown_reader_are_reader_faults(juying: Juying, pcsc_reader: Slot) -> None:
    for name, kind in ((pcsc_reader.name, "CardRemoved"), ("No Such Reader", "ReaderUnavailable")):
        done = juying("read", "--reader", name, "--json")
        assert (done.status, done.document["error"]["kind"]) == (4, kind)


def test_a_name_that_fits_several_readers_is_bad_use(juying: Juying, private_pcscd: PrivatePcscd) -> None:
    done = juying("read", "--reader", "virtual reader", "--json")
    assert done.status == 2
    assert private_pcscd.slots[0].name in done.document["error"]["en"]


def test_watching_shows_cards_as_they_come_and_go(
    home: Path, private_pcscd: PrivatePcscd, pcsc_reader: Slot, reader: VirtualReader
) -> None:
    """One JSON object a line, until Ctrl-C, which is the ordinary end."""
    card = VirtualCard.blank(load_profile("ssc-v3"))
    with command("readers", "--watch", "--json") as process:
        assert process.stdout is not None

        def events_until(kind: str) -> dict[str, object]:
            for line in process.stdout or ():
                event: dict[str, object] = json.loads(line)
                assert event.keys() == {"event", "reader", "atr", "gap"}
                if (event["event"], event["reader"]) == (kind, pcsc_reader.name):
                    return event
            raise AssertionError(kind)

        events_until("reader-added")
        reader.insert(card)
        assert events_until("card-inserted")["atr"] == card.atr.hex().upper()
        reader.remove()
        events_until("card-removed")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_watching_for_people_survives_a_restart_of_the_service(
    home: Path, private_pcscd: PrivatePcscd, pcsc_reader: Slot
) -> None:
    with command("readers", "--watch") as process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        assert any(line.startswith(f"{pcsc_reader.name}：读卡器已接入") for line in lines)
        private_pcscd.restart()
        assert any("智能卡服务已中断" in line for line in lines)
        back = next(line for line in lines if "智能卡服务已恢复" in line)
        assert "gone for" in back
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_virtual_card_is_served_to_the_service_until_ctrl_c(
    issued: Path, juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot
) -> None:
    with command("virtual", "serve", str(CARD), "--port", str(pcsc_reader.port)) as process:
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        document = juying("read", "--reader", pcsc_reader.name, "--json").document
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert str(pcsc_reader.port) in process.stderr.read()
    assert document["card"]["card_number"] == "JYX000010"
    private_pcscd.wait_for_card(pcsc_reader.name, present=False)


def test_serving_without_a_driver_is_a_reader_fault(issued: Path, juying: Juying, unused_port: int) -> None:
    done = juying("virtual", "serve", CARD, "--port", unused_port)
    assert done.status == 4
    assert "vpcd" in done.err


def test_a_mute_card_is_a_card_fault(
    juying: Juying,
    private_pcscd: PrivatePcscd,
    pcsc_reader: Slot,
    reader: VirtualReader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from juying.card import pcsc

    real = pcsc.open_card
    monkeypatch.setattr(pcsc, "open_card", lambda name: real(name, timeout=0.3))
    reader.insert(Mute(VirtualCard.blank(load_profile("ssc-v3")), 1))
    private_pcscd.wait_for_card(pcsc_reader.name, present=True)
    done = juying("read", "--reader", pcsc_reader.name, "--json")
    assert (done.status, done.document["error"]["kind"]) == (4, "CommandTimeout")
