"""A card torn at every byte and after every command of a purchase: it holds all of it or nothing, and says which."""

from collections.abc import Callable
from datetime import timedelta, timezone

import pytest

from juying.card.tunion import read_transit
from juying.card.tunion_purchase import Debit, Receipt, purchase, recover
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Garbage, Mute, TearAfterByte, TearAfterCommand, WrongStatus
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.codec.tunion.trips import IN
from juying.crypto import purse as crypto
from juying.crypto.purse import Deal
from juying.errors import CardError, CardRefused, CardRemoved, StatusError
from tests.transit.cards import NOON, TERMINAL, Raw, blank, channel, contents, psam, public, ride, tap
from tests.transit.test_purse import COMPOUND, debit, initialise

WRITTEN = 41 + 23 + 128 + 48 + 1
"""Bytes of a compound purchase: purse, log, both records, and the one that makes them valid."""


def tear(card: VirtualCard, count: int | None) -> tuple[str, bool]:
    """Buy with a card that loses power after ``count`` bytes; the debit command, and whether it was answered."""
    raw = Raw(card)
    random, sequence = initialise(raw, 200, COMPOUND)
    raw.ok(f"80DC01D080{ride(IN).encode().hex()}")
    raw.ok(f"80DC00F030{tap('04', 200).encode().hex()}")
    command = debit(raw, 200, random, sequence, kind=9)
    card.memory.budget = count
    try:
        raw.ok(command)
    except CardRemoved:
        return command, False
    return command, True


def test_torn_after_every_byte_a_card_holds_all_or_nothing() -> None:
    whole = blank(random=lambda count: bytes(count), balance_fen=2000)
    before = contents(whole)
    assert tear(whole, None)[1]
    after = contents(whole)
    assert before != after
    outcomes = []
    for count in range(WRITTEN + 2):
        card = blank(random=lambda length: bytes(length), balance_fen=2000)
        _, answered = tear(card, count)
        outcomes.append(answered)
        assert contents(card) == (after if answered else before), count
        card.memory.budget = None
        raw = Raw(card)
        proof, sw = raw("805A0009020001 08")
        assert sw == ("9000" if answered else "9406"), count
        assert len(proof) == (8 if answered else 0)
        assert raw.amount(3) == (1800 if answered else 2000)
        assert initialise(raw, 1)[1] == int(answered)
    assert outcomes == [False] * WRITTEN + [True] * 2, "the last byte makes it valid"


def test_a_torn_load_is_all_or_nothing() -> None:
    for count in range(41 + 23 + 2):
        card = blank(balance_fen=500)
        raw = Raw(card)
        answer = raw.ok(f"805000020B01{1000:08X}{TERMINAL}10")
        deal = Deal(1000, 2, bytes.fromhex(TERMINAL), bytes.fromhex("20261201120000"))
        key = bytes(card.memory.keys["TUNION/DLK"].value)
        mac2 = crypto.load_mac2(crypto.load_key(key, answer[8:12], 0), deal)
        card.memory.budget = count
        command = f"805200000B20261201120000{mac2.hex()}04"
        if count < 41 + 23 + 1:
            with pytest.raises(CardRemoved):
                raw.ok(command)
            assert Raw(card).amount(3) == 500
        else:
            raw.ok(command)
            assert raw.amount(3) == 1500


def test_torn_after_every_byte_the_terminal_finds_out_what_happened() -> None:
    """The driver, not the bare commands: buy, lose the card, put it back, ask, and buy anew if nothing was taken."""
    for count in (0, 1, 40, 41, 64, 192, WRITTEN - 1, WRITTEN):
        card, terminal = blank(balance_fen=2000), psam()
        kept: list[Debit] = []

        def arm(pending: Debit, budget: int = count, kept: list[Debit] = kept, card: VirtualCard = card) -> None:
            kept.append(pending)
            TearAfterByte(card, budget)

        line = channel(card)
        read_transit(line)
        try:
            receipt = purchase(
                line, terminal, 200, public=public(card), at=NOON, tap=tap("06", 200), rides=[ride()], before_debit=arm
            )
        except CardRemoved:
            card.memory.budget = None
            line = channel(card)
            read_transit(line)
            found = recover(line, terminal, kept[0], public=public(card))
            assert found is None
            receipt = purchase(line, terminal, 200, public=public(card), at=NOON, tap=tap("06", 200), rides=[ride()])
            assert receipt.debit.terminal_sequence == 2
        card.memory.budget = None
        assert receipt.verified
        assert Raw(card).amount(3) == 1800


def lost(fault: Callable[[VirtualCard], object]) -> tuple[VirtualCard, VirtualTransitPsam, Debit]:
    """A purchase whose last answer never arrives; the card goes on afterwards."""
    card, sam = blank(balance_fen=2000), VirtualTransitPsam(terminal=TERMINAL)
    kept: list[Debit] = []
    line = channel(fault(card))
    read_transit(line)
    with pytest.raises(CardError):
        purchase(line, psam(sam), 200, public=public(card), at=NOON, tap=tap("06", 200), before_debit=kept.append)
    return card, sam, kept[0]


SELECTS_AND_READS = 10
"""Commands of `read_transit`; INITIALIZE, UPDATE and DEBIT follow."""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda card: TearAfterCommand(card, SELECTS_AND_READS + 3), id="torn after the debit"),
        pytest.param(lambda card: Garbage(card, SELECTS_AND_READS + 3), id="answer spoilt"),
    ],
)
def test_an_answer_that_got_lost_is_fetched_again(fault: Callable[[VirtualCard], object]) -> None:
    card, sam, kept = lost(fault)
    assert Raw(card).amount(3) == 1800, "the card was debited"
    line = channel(card)
    read_transit(line)
    receipt = recover(line, psam(sam), kept, public=public(card))
    assert receipt is not None
    assert (receipt.debit, receipt.recovered) == (kept, True)
    assert not receipt.verified, "the PSAM was opened anew and has forgotten the purchase"
    assert Raw(card).amount(3) == 1800
    deal = Deal(200, 9, bytes.fromhex(TERMINAL), bytes.fromhex("20261201120000"))
    key = crypto.tac_key(bytes(card.memory.keys["TUNION/DTK"].value))
    assert receipt.tac == crypto.purchase_tac(key, deal, kept.terminal_sequence.to_bytes(4))


def test_a_psam_that_still_knows_the_purchase_checks_the_proof() -> None:
    card, terminal = blank(balance_fen=2000), psam()
    kept: list[Debit] = []
    line = channel(TearAfterCommand(card, SELECTS_AND_READS + 2))
    read_transit(line)
    with pytest.raises(CardRemoved):
        purchase(line, terminal, 200, public=public(card), at=NOON, before_debit=kept.append)
    line = channel(card)
    read_transit(line)
    receipt = recover(line, terminal, kept[0], public=public(card))
    assert receipt is not None
    assert receipt.verified


def test_times_with_a_zone_are_recognised_too() -> None:
    card, terminal = blank(balance_fen=2000), psam()
    kept: list[Debit] = []
    line = channel(TearAfterCommand(card, SELECTS_AND_READS + 2))
    read_transit(line)
    here = NOON.replace(microsecond=5, tzinfo=timezone(timedelta(hours=8)))
    with pytest.raises(CardRemoved):
        purchase(line, terminal, 200, public=public(card), at=here, before_debit=kept.append)
    line = channel(card)
    read_transit(line)
    assert recover(line, terminal, kept[0], public=public(card)) is not None


def test_a_mute_card_was_not_debited() -> None:
    card, sam, kept = lost(lambda card: Mute(card, SELECTS_AND_READS + 3))
    line = channel(card)
    read_transit(line)
    assert recover(line, psam(sam), kept, public=public(card)) is None


def test_another_card_is_not_asked() -> None:
    _, sam, kept = lost(lambda card: TearAfterCommand(card, SELECTS_AND_READS + 3))
    other = blank(card_number="3104880499000000002")
    with pytest.raises(CardRefused):
        recover(channel(other), psam(sam), kept, public=public(other))


def test_a_purchase_since_then_hides_nothing_but_the_proof() -> None:
    """The newest record is another one: as far as the card can tell, the purchase did not happen."""
    card, sam, kept = lost(lambda card: Mute(card, SELECTS_AND_READS + 3))
    line = channel(card)
    read_transit(line)
    terminal = psam(sam)
    purchase(line, terminal, 50, public=public(card), at=NOON.replace(hour=13))
    assert recover(line, terminal, kept, public=public(card)) is None


def test_a_card_that_lost_its_proof_or_refuses_its_log() -> None:
    card, sam, kept = lost(lambda card: TearAfterCommand(card, SELECTS_AND_READS + 3))
    card.memory.files["TUNION/0002"][0][30:41] = bytes(11)
    line = channel(card)
    read_transit(line)
    with pytest.raises(StatusError) as error:
        recover(line, psam(sam), kept, public=public(card))
    assert error.value.sw == 0x9406
    with pytest.raises(StatusError):
        recover(channel(card), psam(sam), kept, public=public(card))  # nothing is selected


def test_a_card_that_knows_no_proofs_is_asked_once() -> None:
    card, sam, kept = lost(lambda card: TearAfterCommand(card, SELECTS_AND_READS + 3))
    line = channel(WrongStatus(card, SELECTS_AND_READS + 2, 0x6D00))
    read_transit(line)
    with pytest.raises(StatusError) as error:
        recover(line, psam(sam), kept, public=public(card))
    assert error.value.sw == 0x6D00


def test_a_card_that_counts_otherwise_gives_its_proof_too() -> None:
    card, sam, kept = lost(lambda card: TearAfterCommand(card, SELECTS_AND_READS + 3))
    card.memory.files["TUNION/0002"][0][31:33] = kept.sequence.to_bytes(2)
    line = channel(card)
    read_transit(line)
    receipt = recover(line, psam(sam), kept, public=public(card))
    assert isinstance(receipt, Receipt)
