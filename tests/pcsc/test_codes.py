"""What each result code of PC/SC becomes, and failures that the real service cannot be talked into."""

import sys
import threading

import pytest
from smartcard import scard

from juying.card import pcsc, pcsc_codes
from juying.card.pcsc import open_card, reader_names, readers
from juying.errors import (
    CardError,
    CardRemoved,
    CommandTimeout,
    InputError,
    ProtocolError,
    ReaderUnavailable,
    ServiceUnavailable,
    TransportError,
)
from tests.pcsc.scripted import ScriptedScard

COMMAND = bytes(4)
ERRORS = {
    "INVALID_HANDLE": ServiceUnavailable,
    "E_INVALID_HANDLE": ServiceUnavailable,
    "E_NO_SERVICE": ServiceUnavailable,
    "E_SERVICE_STOPPED": ServiceUnavailable,
    "E_SYSTEM_CANCELLED": ServiceUnavailable,
    "F_COMM_ERROR": ServiceUnavailable,
    "P_SHUTDOWN": ServiceUnavailable,
    "E_NO_READERS_AVAILABLE": ReaderUnavailable,
    "E_READER_UNAVAILABLE": ReaderUnavailable,
    "E_UNKNOWN_READER": ReaderUnavailable,
    "E_NO_SMARTCARD": CardRemoved,
    "W_REMOVED_CARD": CardRemoved,
}
"""Codes by their names in winscard.h; every other one is a plain TransportError."""
CODES = sorted(name for name in dir(scard) if name.startswith(("SCARD_E_", "SCARD_F_", "SCARD_P_", "SCARD_W_")))


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("signed", [False, True])
def test_every_code_becomes_one_exception_in_two_languages(name: str, signed: bool) -> None:
    """Windows gives negative numbers for the same codes."""
    code = getattr(scard, name)
    error = pcsc_codes.error_of(code - (1 << 32) if signed else code, "Reader A")
    assert type(error) is ERRORS.get(name.removeprefix("SCARD_"), TransportError)
    assert f"{code:08X}" in error.text.zh
    assert f"{code:08X}" in error.text.en
    assert error.text.zh != error.text.en
    assert str(error).startswith("Reader A: ")


def test_an_unknown_code_is_an_error_with_its_number() -> None:
    error = pcsc_codes.error_of(0x80100099)
    assert type(error) is TransportError
    assert "80100099" in str(error)


@pytest.mark.parametrize(
    ("platform", "advice"),
    [("linux", "apt install pcscd"), ("win32", "SCardSvr"), ("darwin", "built in"), ("x", "pcscd")],
)
def test_a_missing_service_comes_with_what_to_do(monkeypatch: pytest.MonkeyPatch, platform: str, advice: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    error = pcsc_codes.error_of(pcsc_codes.COMM_ERROR)
    assert isinstance(error, ServiceUnavailable)
    assert advice in error.text.en


def test_pyscard_that_cannot_be_loaded_is_a_missing_service(monkeypatch: pytest.MonkeyPatch) -> None:
    pcsc._scard.cache_clear()
    monkeypatch.setitem(sys.modules, "smartcard", None)
    with pytest.raises(ServiceUnavailable, match="pyscard"):
        reader_names()


def test_no_reader_at_all(scripted: ScriptedScard) -> None:
    scripted.fails("SCardListReaders", scard.SCARD_E_NO_READERS_AVAILABLE)
    assert reader_names() == []
    assert readers() == []
    with pytest.raises(ReaderUnavailable):
        open_card()
    with pytest.raises(ReaderUnavailable):
        open_card("any")


@pytest.mark.parametrize("function", ["SCardEstablishContext", "SCardListReaders", "look"])
def test_a_service_that_fails_while_listing(scripted: ScriptedScard, function: str) -> None:
    scripted.fails(function, scard.SCARD_E_SERVICE_STOPPED)
    with pytest.raises(ServiceUnavailable):
        readers()


def test_a_reader_that_reports_a_mute_card(scripted: ScriptedScard) -> None:
    scripted.flags["Reader A"] = scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_MUTE
    [status] = readers()
    assert (status.card_present, status.mute, status.atr) == (True, True, b"")


@pytest.mark.parametrize("function", ["SCardConnect", "SCardStatus"])
def test_a_failed_connect_leaves_nothing_open(scripted: ScriptedScard, function: str) -> None:
    scripted.fails(function, scard.SCARD_W_UNRESPONSIVE_CARD)
    with pytest.raises(TransportError, match="which way round"):
        open_card("Reader A")
    assert scripted.calls[-1] == "SCardReleaseContext"
    assert ("SCardDisconnect" in scripted.calls) == (function == "SCardStatus")


@pytest.mark.parametrize("code", [0, scard.SCARD_F_COMM_ERROR, scard.SCARD_E_NOT_TRANSACTED])
@pytest.mark.parametrize(
    ("reader", "flags", "error"),
    [
        (0, scard.SCARD_STATE_EMPTY, CardRemoved),
        (scard.SCARD_E_UNKNOWN_READER, 0, ReaderUnavailable),
        (scard.SCARD_E_NO_SERVICE, 0, ServiceUnavailable),
        (scard.SCARD_E_TIMEOUT, 0, None),
    ],
)
def test_vague_failures_are_settled_by_a_look_at_the_reader(
    scripted: ScriptedScard, code: int, reader: int, flags: int, error: type[CardError] | None
) -> None:
    """A pulled card, reader or service gives the same few codes at first; a card that stays did not obey ISO 7816."""
    with open_card("Reader A") as transport:
        scripted.fails("SCardTransmit", code)
        scripted.answer = []
        scripted.fails("wait", reader)
        scripted.flags["Reader A"] = flags
        with pytest.raises(CardError) as raised:
            transport.transmit(COMMAND)
        expected = error or (TransportError if code else ProtocolError)
        assert type(raised.value) is expected


def test_what_a_failed_call_returns_is_never_taken_for_an_answer(scripted: ScriptedScard) -> None:
    """pyscard fills it with memory that nobody wrote."""
    with open_card("Reader A") as transport:
        scripted.fails("SCardTransmit", scard.SCARD_W_RESET_CARD)
        scripted.answer = [0x41] * 600 + [0x90, 0x00]
        with pytest.raises(TransportError, match="another program reset"):
            transport.transmit(COMMAND)


def test_a_connect_that_never_returns_is_given_up(scripted: ScriptedScard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver may hang while it powers a bad card; when it comes back, the card is let go."""
    connect = scripted.SCardConnect

    def hang(*arguments: object) -> tuple[int, int, int]:
        assert scripted.stopped.wait(20)
        return connect(*arguments)

    monkeypatch.setattr(scripted, "SCardConnect", hang)
    before = set(threading.enumerate())
    with pytest.raises(CommandTimeout):
        open_card("Reader A", timeout=0.05)
    [thread] = set(threading.enumerate()) - before
    scripted.stopped.set()
    thread.join(20)
    assert scripted.calls[-2:] == ["SCardDisconnect", "SCardReleaseContext"]


def test_anything_that_pyscard_raises_ends_the_connection(
    scripted: ScriptedScard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise SystemError("SWIG")

    with open_card("Reader A") as transport:
        monkeypatch.setattr(scripted, "SCardTransmit", stumble)
        with pytest.raises(SystemError):
            transport.transmit(COMMAND)
        with pytest.raises(TransportError, match="dead"):
            transport.transmit(COMMAND)


def test_a_refused_command_costs_no_connection(scripted: ScriptedScard) -> None:
    with open_card("Reader A") as transport:
        with pytest.raises(InputError):
            transport.transmit(b"")
        assert transport.transmit(COMMAND) == b"\x90\x00"
