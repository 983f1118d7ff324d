"""The driver of purchases, loads and locks, as a gate calls it."""

from collections.abc import Mapping

import pytest

from juying.card.channel import Channel
from juying.card.pcsc import PcscTransport
from juying.card.tunion import read_transit
from juying.card.tunion_psam import TransitPsam
from juying.card.tunion_purchase import Debit, load, lock, purchase
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.card.virtual.vpcd import VirtualReader
from juying.crypto.purse import PurseKeys, demonstration_keys
from juying.errors import CardRefused, KeyUseError, ProtocolError, StatusError
from tests.card.scripted import FunctionCard
from tests.harness import PrivatePcscd, Slot
from tests.transit.cards import NOON, TERMINAL, blank, channel, contents, psam, public, ride, tap

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3", "tunion")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_purchase_on_every_chip(profile: str) -> None:
    card = blank(profile, balance_fen=2000)
    line = channel(card)
    read_transit(line)
    kept: list[Debit] = []
    receipt = purchase(line, psam(), 200, public=public(card), at=NOON, before_debit=kept.append)
    assert [receipt.debit] == kept
    assert (receipt.verified, receipt.recovered, len(receipt.tac), len(receipt.mac2)) == (True, False, 4, 4)
    debit = receipt.debit
    assert (debit.type, debit.amount_fen, debit.terminal, debit.at) == (6, 200, TERMINAL, NOON)
    assert (debit.sequence, debit.terminal_sequence, debit.balance_fen) == (0, 1, 2000)
    assert public(card).serial not in repr(receipt)
    assert read_transit(line).balance_fen == 1800


@pytest.mark.parametrize("profile", PROFILES)
def test_a_ride_with_two_taps(profile: str) -> None:
    card = blank(profile, balance_fen=2000)
    line, terminal, data = channel(card), psam(), public(card)
    read_transit(line)
    purchase(line, terminal, 0, public=data, at=NOON, tap=tap("03"), rides=[ride()])
    left = NOON.replace(hour=13)
    receipt = purchase(line, terminal, 300, public=data, at=left, tap=tap("04", 300, left), rides=[ride(2, at=left)])
    assert (receipt.debit.type, receipt.debit.terminal_sequence) == (9, 2)
    card_now = read_transit(line, trips=True)
    assert (card_now.balance_fen, card_now.open_trip, card_now.sequence) == (1700, None, 2)
    assert [(trip.type, trip.amount_fen) for trip in card_now.trips] == [("04", 300), ("03", 0)]


def test_without_enough_money_nothing_happens() -> None:
    card = blank(balance_fen=100)
    line = channel(card)
    read_transit(line)
    before = contents(card)
    with pytest.raises(StatusError) as error:
        purchase(line, psam(), 200, public=public(card), at=NOON)
    assert error.value.sw == 0x9401
    assert "资金不足" in error.value.text.zh
    assert contents(card) == before


def test_what_cannot_be_stored_is_not_bought() -> None:
    card = blank(balance_fen=2000)
    line = channel(card)
    read_transit(line)
    before = contents(card)

    def full(debit: Debit) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        purchase(line, psam(), 200, public=public(card), at=NOON, tap=tap(), before_debit=full)
    assert contents(card) == before


def test_a_psam_with_other_keys_debits_nothing() -> None:
    card = blank(balance_fen=2000)
    line = channel(card)
    read_transit(line)
    other = VirtualTransitPsam(PurseKeys({"DPK": bytes(16), "DAMK": bytes(16)}), terminal=TERMINAL)
    with pytest.raises(StatusError) as error:
        purchase(line, psam(other), 200, public=public(card), at=NOON)
    assert error.value.sw == 0x9302
    with pytest.raises(StatusError) as error:
        lock(line, psam(other), public=public(card))
    assert error.value.sw == 0x6988
    assert read_transit(line).balance_fen == 2000


def answering(card: VirtualCard, answers: Mapping[str, str]) -> Channel:
    """``card``, which answers commands with these beginnings otherwise."""
    card.power_on()

    def answer(command: bytes) -> bytes:
        own = card.transmit(command)
        return next((bytes.fromhex(answers[key]) for key in answers if command.hex().upper().startswith(key)), own)

    return Channel(FunctionCard(answer))


def test_a_card_that_wants_sm4_is_refused_by_name() -> None:
    card = blank(balance_fen=2000)
    line = answering(card, {"8050": f"{2000:08X}000000000001041122334490 00"})
    read_transit(line)
    with pytest.raises(KeyUseError, match="SM4"):
        purchase(line, psam(), 200, public=public(card), at=NOON)
    with pytest.raises(KeyUseError, match="SM4"):
        load(
            answering(card, {"8050": f"{2000:08X}0000010411223344556677889000"}),
            demonstration_keys(),
            1,
            public=public(card),
            terminal=bytes(6),
            at=NOON,
        )


@pytest.mark.parametrize("command", ["8050", "8054"])
def test_answers_of_another_length(command: str) -> None:
    card = blank(balance_fen=2000)
    line = answering(card, {command: "0102039000"})
    read_transit(line)
    with pytest.raises(ProtocolError, match="3"):
        purchase(line, psam(), 200, public=public(card), at=NOON)


@pytest.mark.parametrize("check", ["9302", "6581"])
def test_once_the_card_is_debited_the_tac_is_kept_whatever_the_psam_says(check: str) -> None:
    card, sam = blank(balance_fen=2000), VirtualTransitPsam(terminal=TERMINAL)
    sam.power_on()

    def answer(command: bytes) -> bytes:
        return bytes.fromhex(check) if command[1] == 0x72 else sam.transmit(command)

    terminal = TransitPsam.open(Channel(FunctionCard(answer, protocol="T=0")))
    line = channel(card)
    read_transit(line)
    receipt = purchase(line, terminal, 200, public=public(card), at=NOON)
    assert not receipt.verified
    assert len(receipt.tac) == 4


def test_loading() -> None:
    card = blank(balance_fen=500)
    line = channel(card)
    read_transit(line)
    tac = load(line, demonstration_keys(), 1000, public=public(card), terminal=bytes(6), at=NOON)
    assert len(tac) == 4
    assert read_transit(line).balance_fen == 1500


def test_a_card_that_cannot_prove_itself_is_not_loaded() -> None:
    card = blank(balance_fen=500)
    line = channel(card)
    read_transit(line)
    with pytest.raises(CardRefused, match="MAC1"):
        load(line, PurseKeys({"DLK": bytes(16)}), 1000, public=public(card), terminal=bytes(6), at=NOON)
    assert read_transit(line).balance_fen == 500


def test_through_the_real_pcscd(private_pcscd: PrivatePcscd, pcsc_reader: Slot, second_pcsc_reader: Slot) -> None:
    """Card and PSAM in two readers of the machine's PC/SC service."""
    card = blank("ssc-v3", balance_fen=2000)
    with VirtualReader(port=pcsc_reader.port) as slot, VirtualReader(port=second_pcsc_reader.port) as sam_slot:
        slot.insert(card)
        sam_slot.insert(VirtualTransitPsam(terminal=TERMINAL))
        for reader in (pcsc_reader, second_pcsc_reader):
            private_pcscd.wait_for_card(reader.name, present=True)
        with PcscTransport.open(pcsc_reader.name) as line, PcscTransport.open(second_pcsc_reader.name) as sam_line:
            purse, terminal = Channel(line), TransitPsam.open(Channel(sam_line))
            seen = read_transit(purse)
            assert seen.public is not None
            assert (seen.balance_fen, seen.problems) == (2000, ())
            receipt = purchase(purse, terminal, 0, public=seen.public, at=NOON, tap=tap("03"), rides=[ride()])
            assert receipt.verified
            seen = read_transit(purse, trips=True)
            assert seen.open_trip is not None
            assert [trip.type for trip in seen.trips] == ["03"]
