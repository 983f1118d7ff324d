"""A connection to a card through the real pcscd, with both kinds of time-out guard."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from smartcard import scard

from juying.card import pcsc_timeout
from juying.card.pcsc import PcscTransport, ReaderStatus, open_card, reader_names, readers
from juying.errors import (
    CardError,
    CardRemoved,
    CommandTimeout,
    InputError,
    ReaderUnavailable,
    ServiceUnavailable,
    TransportError,
)
from tests.harness import ATR_T0, ATR_T1, FakeCard, PrivatePcscd, Slot

COMMAND = bytes.fromhex("00A4040002FFFF")
PATIENT, HASTY = 20.0, 0.3  # seconds


@pytest.fixture(params=[pcsc_timeout.Watched, pcsc_timeout.Threaded], autouse=True)
def guard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[object]:
    """Every test runs with either guard; the second is what systems without pcsc-lite get."""
    if request.param is pcsc_timeout.Threaded:
        monkeypatch.setattr(pcsc_timeout, "OPEN_FILES", Path("/nowhere"))
    guard: type[object] = request.param
    return guard


@pytest.fixture
def card(private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> Iterator[FakeCard]:
    """A card that pcscd has seen in ``pcsc_reader``."""
    with FakeCard(pcsc_reader.port) as card:
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        yield card


def test_the_guard_is_the_one_under_test(card: FakeCard, pcsc_reader: Slot, guard: type[object]) -> None:
    with open_card(pcsc_reader.name) as transport:
        assert type(transport._connection._guard) is guard


@pytest.mark.parametrize(("atr", "protocol"), [(ATR_T0, "T=0"), (ATR_T1, "T=1")])
def test_connection_knows_atr_protocol_and_reader(
    private_pcscd: PrivatePcscd, pcsc_reader: Slot, atr: bytes, protocol: str
) -> None:
    with FakeCard(pcsc_reader.port, atr=atr):
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        with PcscTransport.open(pcsc_reader.name, timeout=PATIENT) as transport:
            assert (transport.atr, transport.protocol, transport.name) == (atr, protocol, pcsc_reader.name)
            assert transport.transmit(COMMAND) == COMMAND + b"\x90\x00"


@pytest.mark.parametrize("size", [4, 261, 60000])
def test_bytes_arrive_unchanged_in_both_directions(card: FakeCard, pcsc_reader: Slot, size: int) -> None:
    command = bytes(4) + bytes(index % 256 for index in range(size - 4))
    with open_card(pcsc_reader.name) as transport:
        assert transport.transmit(bytearray(command)) == command + b"\x90\x00"
    assert card.commands == [command]


@pytest.mark.parametrize(
    "command",
    [[0x00, 0xA4, 0x04, 256], [0, 0xA4, 4, -1], [0, 0xA4, 4, 0], "00A40400", b"\x00\xa4\x04", bytes(65545)],
)
def test_what_is_no_command_never_reaches_the_card(card: FakeCard, pcsc_reader: Slot, command: bytes) -> None:
    """pyscard alone would cut 256 to 00 and send it."""
    with open_card(pcsc_reader.name) as transport:
        with pytest.raises(InputError):
            transport.transmit(command)
        assert transport.transmit(COMMAND), "the connection is still good"
    assert card.commands == [COMMAND]


def test_readers_lists_names_cards_and_holders(private_pcscd: PrivatePcscd, card: FakeCard, pcsc_reader: Slot) -> None:
    assert sorted(reader_names()) == [slot.name for slot in private_pcscd.slots]
    assert ReaderStatus(pcsc_reader.name, card_present=True, atr=ATR_T1) in readers()
    assert sum(status.card_present for status in readers()) == 1
    with open_card(pcsc_reader.name):
        [held] = [status for status in readers() if status.held]
        assert held.name == pcsc_reader.name


def test_a_card_is_named_by_its_reader_by_a_part_of_it_or_not_at_all(card: FakeCard, pcsc_reader: Slot) -> None:
    for name in (pcsc_reader.name, pcsc_reader.name.removeprefix("Virtual ").upper(), None):
        with open_card(name) as transport:
            assert transport.name == pcsc_reader.name


def test_an_unclear_choice_lists_what_there_is(
    private_pcscd: PrivatePcscd, card: FakeCard, pcsc_reader: Slot, second_pcsc_reader: Slot
) -> None:
    with pytest.raises(InputError, match=pcsc_reader.name):
        open_card("virtual reader")
    with pytest.raises(ReaderUnavailable, match=pcsc_reader.name):
        open_card("no such reader")
    with FakeCard(second_pcsc_reader.port):
        private_pcscd.wait_for_card(second_pcsc_reader.name, present=True)
        with pytest.raises(InputError, match=second_pcsc_reader.name):
            open_card()


def test_an_empty_reader_is_not_an_unknown_one(private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> None:
    with pytest.raises(CardRemoved, match=pcsc_reader.name):
        open_card(pcsc_reader.name)
    with pytest.raises(CardRemoved, match=pcsc_reader.name):
        open_card()
    with pytest.raises(ReaderUnavailable):
        PcscTransport.open("no such reader")


def test_card_pulled_during_a_command(private_pcscd: PrivatePcscd, card: FakeCard, pcsc_reader: Slot) -> None:
    """The driver reports success and an empty answer; we must not."""

    def pull(_: bytes) -> None:
        card.eject()

    card.handler = pull
    with open_card(pcsc_reader.name, timeout=PATIENT) as transport:
        with pytest.raises(CardRemoved):
            transport.transmit(COMMAND)
        with pytest.raises(TransportError, match="open the card again") as later:
            transport.transmit(COMMAND)
        assert isinstance(later.value.__cause__, CardRemoved)
    private_pcscd.wait_for_card(pcsc_reader.name, present=False)
    with FakeCard(pcsc_reader.port):
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        with open_card(pcsc_reader.name) as transport:
            assert transport.transmit(COMMAND)


def test_card_pulled_between_commands(private_pcscd: PrivatePcscd, card: FakeCard, pcsc_reader: Slot) -> None:
    with open_card(pcsc_reader.name) as transport:
        card.eject()
        private_pcscd.wait_for_card(pcsc_reader.name, present=False)
        with pytest.raises(CardRemoved):
            transport.transmit(COMMAND)


def test_closing_after_the_card_was_pulled_leaves_the_reader_usable(
    private_pcscd: PrivatePcscd, card: FakeCard, pcsc_reader: Slot
) -> None:
    """pcscd mistakes the state of a reader for good when asked to reset a card that is gone."""
    with open_card(pcsc_reader.name):
        card.eject()
        private_pcscd.wait_for_card(pcsc_reader.name, present=False)
    with FakeCard(pcsc_reader.port):
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        with open_card(pcsc_reader.name) as transport:
            assert transport.transmit(COMMAND)


def test_silent_card_ends_its_connection_and_nothing_else(
    private_pcscd: PrivatePcscd, card: FakeCard, pcsc_reader: Slot, second_pcsc_reader: Slot
) -> None:
    with FakeCard(second_pcsc_reader.port):
        private_pcscd.wait_for_card(second_pcsc_reader.name, present=True)
        with open_card(second_pcsc_reader.name, timeout=PATIENT) as other:
            card.handler = lambda _: None
            silent = open_card(pcsc_reader.name, timeout=HASTY)
            with pytest.raises(CommandTimeout, match=pcsc_reader.name):
                silent.transmit(COMMAND)
            with pytest.raises(TransportError, match="dead"):
                silent.transmit(COMMAND)
            assert card.commands == [COMMAND], "nothing more was sent"
            assert other.transmit(COMMAND) == COMMAND + b"\x90\x00"
            silent.close()
    card.eject()
    private_pcscd.wait_until_looked_at(pcsc_reader)
    with FakeCard(pcsc_reader.port):
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        with open_card(pcsc_reader.name, timeout=PATIENT) as again:
            assert again.transmit(COMMAND) == COMMAND + b"\x90\x00"


def test_a_card_held_by_another_program(card: FakeCard, pcsc_reader: Slot) -> None:
    with open_card(pcsc_reader.name), pytest.raises(TransportError, match="another program holds the card"):
        open_card(pcsc_reader.name, exclusive=False)
    with open_card(pcsc_reader.name) as transport:
        assert transport.transmit(COMMAND), "free again"


def test_a_reset_by_another_program_is_not_hidden(card: FakeCard, pcsc_reader: Slot) -> None:
    """Our selection and rights on the card are gone; going on silently would act on the wrong file."""
    with open_card(pcsc_reader.name, exclusive=False) as transport:
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        _, other, _ = scard.SCardConnect(context, pcsc_reader.name, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY)
        scard.SCardReconnect(other, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY, scard.SCARD_RESET_CARD)
        scard.SCardReleaseContext(context)
        with pytest.raises(TransportError, match="another program reset the card"):
            transport.transmit(COMMAND)
        with pytest.raises(TransportError, match="dead"):
            transport.transmit(COMMAND)
    assert card.commands == []


def test_transaction_keeps_others_out_until_it_ends(card: FakeCard, pcsc_reader: Slot) -> None:
    with open_card(pcsc_reader.name, exclusive=False) as ours:
        theirs = open_card(pcsc_reader.name, exclusive=False, timeout=HASTY)
        with ours.transaction():
            assert ours.transmit(COMMAND)
            with pytest.raises(CommandTimeout):
                theirs.transmit(COMMAND)
        theirs.close()
        with open_card(pcsc_reader.name, exclusive=False, timeout=PATIENT) as theirs:
            assert theirs.transmit(COMMAND)


def test_transaction_on_a_card_that_is_pulled_reports_the_pull(
    private_pcscd: PrivatePcscd, card: FakeCard, pcsc_reader: Slot
) -> None:
    def pull_and_send(transport: PcscTransport) -> None:
        with transport.transaction():
            card.eject()
            private_pcscd.wait_for_card(pcsc_reader.name, present=False)
            transport.transmit(COMMAND)

    with open_card(pcsc_reader.name, exclusive=False) as transport, pytest.raises(CardRemoved):
        pull_and_send(transport)


@pytest.mark.parametrize("exclusive", [True, False])
def test_card_is_reset_at_the_end_only_when_nobody_shares_it(
    card: FakeCard, pcsc_reader: Slot, exclusive: bool
) -> None:
    with open_card(pcsc_reader.name, exclusive=exclusive) as transport:
        transport.transmit(COMMAND)
        before = card.resets
        transport.close()
        with pytest.raises(TransportError, match="closed"):
            transport.transmit(COMMAND)
    with open_card(pcsc_reader.name) as transport:
        transport.transmit(COMMAND)  # whatever happened to the card at the end has happened by now
        assert (card.resets > before) == exclusive


def test_a_forgotten_connection_lets_go_of_the_card(card: FakeCard, pcsc_reader: Slot) -> None:
    transport = open_card(pcsc_reader.name)
    del transport
    gc.collect()
    with open_card(pcsc_reader.name, timeout=PATIENT) as transport:
        assert transport.transmit(COMMAND)


def test_ctrl_c_ends_the_connection(card: FakeCard, pcsc_reader: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the answer to the interrupted command could be taken for the answer to the next one."""

    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    with open_card(pcsc_reader.name) as transport:
        monkeypatch.setattr(transport._connection._guard, "call", interrupt)
        with pytest.raises(KeyboardInterrupt):
            transport.transmit(COMMAND)
        with pytest.raises(TransportError, match="interrupted"):
            transport.transmit(COMMAND)


def test_service_stopped_under_a_connection(private_pcscd: PrivatePcscd, card: FakeCard, pcsc_reader: Slot) -> None:
    with open_card(pcsc_reader.name, timeout=PATIENT) as transport:
        private_pcscd.stop()
        try:
            with pytest.raises(ServiceUnavailable):
                transport.transmit(COMMAND)
            for ask in (reader_names, readers, open_card, lambda: PcscTransport.open(pcsc_reader.name)):
                with pytest.raises(ServiceUnavailable, match="pcscd"):
                    ask()
        finally:
            private_pcscd.start()
    with FakeCard(pcsc_reader.port):
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        with open_card(pcsc_reader.name) as transport:
            assert transport.transmit(COMMAND)


def test_every_error_here_is_a_card_error_in_two_languages(private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> None:
    with pytest.raises(CardError) as empty:
        open_card(pcsc_reader.name)
    assert empty.value.text.zh != empty.value.text.en
    assert empty.value.where == pcsc_reader.name
