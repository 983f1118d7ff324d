"""Control commands to a reader: through the real pcscd, whose virtual reader has no keypad, and a scripted service."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from juying.card import pcsc_timeout
from juying.card.pcsc import ENTRY_TIME, PcscTransport, open_card
from juying.card.pcsc_timeout import Step, Threaded
from juying.card.pin_pad import FEATURE_VERIFY_PIN_DIRECT, TIMEOUT, PinPad, get_feature_request
from juying.errors import TransportError
from tests.harness import FakeCard, PrivatePcscd, Slot
from tests.pcsc.scripted import ScriptedScard

UNSUPPORTED = 0x8010001F
COMMAND = bytes.fromhex("00A4040002FFFF")


def test_a_reader_without_a_keypad_says_so_and_the_connection_stays_good(
    private_pcscd: PrivatePcscd, pcsc_reader: Slot
) -> None:
    with FakeCard(pcsc_reader.port) as card:
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        with open_card(pcsc_reader.name) as transport:
            assert PinPad.of(transport) is None
            with pytest.raises(TransportError):
                transport.control(0x42000001, b"\x01\x02")
            assert transport.transmit(COMMAND) == COMMAND + b"\x90\x00"
        assert card.commands == [COMMAND]


@pytest.fixture
def keypad(scripted: ScriptedScard, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Sequence[int]]]:
    """A reader with a keypad, on a system where calls run on a thread of their own; what it is asked."""
    monkeypatch.setattr(pcsc_timeout, "OPEN_FILES", Path("/nowhere"))
    asked: list[tuple[int, Sequence[int]]] = []

    def control(_card: int, code: int, data: Sequence[int]) -> tuple[int, Sequence[int]]:
        asked.append((code, data))
        features = bytes((FEATURE_VERIFY_PIN_DIRECT, 4)) + (0x42330006).to_bytes(4)
        return scripted.codes.get("SCardControl", 0), list(features if code == get_feature_request() else b"\x90\x00")

    monkeypatch.setattr(scripted, "SCardControl", control, raising=False)
    return asked


def test_bytes_go_to_the_reader_and_come_back(keypad: list[tuple[int, Sequence[int]]]) -> None:
    with PcscTransport.open("Reader A") as transport:
        pad = PinPad.of(transport)
        assert pad is not None
        assert pad.verify() == 0x9000
    assert [code for code, _ in keypad] == [get_feature_request(), 0x42330006]
    assert bytes(keypad[1][1])[-8:] == bytes.fromhex("0020000003FFFFFF")


def test_a_refused_control_command_is_an_error_but_not_the_end(
    keypad: list[tuple[int, Sequence[int]]], scripted: ScriptedScard
) -> None:
    with PcscTransport.open("Reader A") as transport:
        scripted.fails("SCardControl", UNSUPPORTED)
        with pytest.raises(TransportError, match="8010001F"):
            transport.control(1, b"")
        scripted.fails("SCardControl", 0)
        assert transport.control(1, b"") == b"\x90\x00"
        assert transport.transmit(COMMAND) == b"\x90\x00"


def test_typing_may_take_longer_than_a_card(
    keypad: list[tuple[int, Sequence[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    call = Threaded.call

    def watched(self: Threaded, step: Step, command: Sequence[int], extra: float = 0.0) -> bytes:
        waited.append(extra)
        return call(self, step, command, extra)

    monkeypatch.setattr(Threaded, "call", watched)
    with PcscTransport.open("Reader A") as transport:
        transport.control(1, b"")
        transport.transmit(COMMAND)
    assert waited == [0.0, ENTRY_TIME, 0.0]
    assert ENTRY_TIME >= 3 * TIMEOUT, "three entries to change a PIN"
