"""Debit: the virtual card's commands byte by byte, and iDoDebit and iReadDebitRecord over them."""

from collections.abc import Callable

import pytest

from juying.card.debit import parse_offer, parse_proof
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.crypto.block import Cipher, encrypt_ecb
from juying.crypto.mac import des_mac, mac4
from juying.errors import CardRemoved, ProtocolError
from juying.terminal.slots import Slots, Store
from tests.terminal.cards import (
    INFO,
    OWN_NUMBER,
    PIN,
    PROFILES,
    PSAM_NUMBER,
    Desk,
    demonstration,
    new_pin,
    personal,
    psam,
    psam_slot,
)
from tests.terminal.test_reading import OtherKeys
from tests.virtual.key_holder import KeyHolder, contents

PAY = "0.1|212.5|20261201093000|"
AMOUNTS = "0000000A00005302"
TERMINAL, MOMENT = OWN_NUMBER, "20261201093000"


@pytest.mark.parametrize("name", PROFILES)
def test_a_debit_is_noted_and_proved(name: str) -> None:
    desk = Desk(personal(name), psam_slot())
    new_pin(desk)
    code, text = desk("iDoDebit", 1, INFO, PAY)
    assert (code, text[:-9]) == (0, f"1|6|{PSAM_NUMBER}|{MOMENT}|0.10|212.50|0.00|")
    assert len(bytes.fromhex(text[-9:-1])) == 4
    desk.ok("iDoDebit", 1, "", "0|3|20261201093001|")
    assert desk.ok("iReadDebitRecord", 1) == (
        f"2|6|{PSAM_NUMBER}|20261201093001|0.00|3.00|0.00|$1|6|{PSAM_NUMBER}|{MOMENT}|0.10|212.50|0.00|$"
    )


def test_an_empty_book() -> None:
    assert Desk(personal("ssc-v2"))("iReadDebitRecord", 1) == (0, "")


def test_a_record_that_makes_no_sense() -> None:
    desk = Desk(personal("ssc-v2"))
    desk.card.memory.files["DF04/EF08"].append(bytearray(b"\x99" * 28))
    assert desk("iReadDebitRecord", 1) == (-23, "数据无效：交易明细无法解读")


@pytest.mark.parametrize("name", PROFILES)
def test_an_initial_pin_does_not_trade(name: str) -> None:
    desk = Desk(personal(name), psam_slot())
    assert desk("iDoDebit", 1, "", PAY) == (-35, "初始密码不能用于交易，请先修改密码")
    assert desk.card.memory.files["DF04/EF08"] == []


@pytest.mark.parametrize(
    ("pay", "code"),
    [
        ("", -14),
        ("1|2|20261201093000", -14),
        ("1|2|20261201093000|x", -14),
        ("1|x|20261201093000|", -41),
        ("1|-2|20261201093000|", -41),
        ("1||20261201093000|", -41),
        ("1|298.196|20261201093000|", -23),
        ("1|99999999.99|20261201093000|", -42),
        ("1|2|2026120109300|", -42),
        ("1|2|20261301093000|", -23),
        ("1|2|2026-12-01T093|", -41),
    ],
)
def test_what_cannot_be_paid(pay: str, code: int) -> None:
    desk = Desk(personal("ssc-v2"), demonstration(), options={"terminal_number": OWN_NUMBER})
    assert desk.code("iDoDebit", 1, "", pay) == code
    assert desk.code("iDoDebit_HSM_Step1", 1, "", pay) == code


def test_amounts_are_exact() -> None:
    desk = Desk(personal("ssc-v2"), demonstration(), options={"terminal_number": OWN_NUMBER})
    new_pin(desk)
    for yuan in ("0.29", "0.57", "1.1", "1.10", "1.100", "4935.85", "42949672.94"):
        assert f"|{float(yuan):.2f}|" in desk.ok("iDoDebit", 1, "", f"{yuan}|0|{MOMENT}|")


def test_what_a_debit_needs() -> None:
    """Keys, the number of the terminal, the right PIN, the right card."""
    card = personal("ssc-v2")
    number = {"terminal_number": OWN_NUMBER}
    assert Desk(card, options=number).code("iDoDebit", 1, "", PAY) == -2201
    assert Desk(card, demonstration())("iDoDebit", 1, "", PAY) == (-14, "参数错误：没有设置终端机编号")
    without = psam_slot(psam(without={"DF04/DPK"}))
    assert Desk(card, without)("iDoDebit", 1, "", PAY) == (-37891, "PSAM 卡不支持消费")
    assert Desk(card, demonstration(), pin="999999", options=number).code("iDoDebit", 1, "", PAY) == -51
    assert Desk(card, demonstration(), options=number).code("iDoDebit", 1, "|JYX000029|", PAY) == -22
    wrong = Desk(card, Store(OtherKeys("DF04/DPK")), options=number)
    new_pin(wrong)
    assert wrong.code("iDoDebit", 1, "", PAY) == -37634
    assert card.memory.keys["DF04/DPK"].tries == 14
    card.memory.keys["DF04/DPK"].tries = 0
    assert wrong.code("iDoDebit", 1, "", PAY) == -0x6983


class Changed(Fault):
    """Alters what a card answers to one instruction."""

    def __init__(self, card: VirtualCard, instruction: int, change: Callable[[bytes], bytes]) -> None:
        super().__init__(card)
        self._instruction, self._change = instruction, change

    def transmit(self, command: bytes) -> bytes:
        answer = super().transmit(command)
        return self._change(answer) if command[:2] == bytes((0x80, self._instruction)) else answer


@pytest.mark.parametrize(
    ("instruction", "change", "code"),
    [
        (0x54, lambda answer: bytes(8) + answer[8:], -37634),
        (0x54, lambda answer: answer[4:], -4),
        (0x50, lambda answer: answer[1:], -4),
        (0x50, lambda answer: answer[:3] + b"\x09" + answer[4:], -4),
        (0x50, lambda answer: b"\x94\x02", -0x9402),
    ],
)
def test_a_card_that_does_not_do_as_agreed(instruction: int, change: Callable[[bytes], bytes], code: int) -> None:
    card = personal("ssc-v3")
    slots = Slots(lambda: LocalTransport(Changed(card, instruction, change)))
    desk = Desk(card, psam_slot(), options={"slots": slots})
    new_pin(desk)
    assert desk.code("iDoDebit", 1, "", PAY) == code


def test_answers_of_other_lengths_are_refused() -> None:
    with pytest.raises(ProtocolError):
        parse_offer(bytes(7), Cipher.SM4)
    with pytest.raises(ProtocolError):
        parse_proof(bytes(9))


# The card's side, by hand -------------------------------------------------------------------------------


@pytest.fixture(params=["ssc-v2", "ssc-v3"])
def holder(request: pytest.FixtureRequest) -> KeyHolder:
    """Somebody at a card in whose medical application the PIN was verified."""
    card = personal(request.param)
    card.memory.pin.value[:] = bytes.fromhex(PIN)
    holder = KeyHolder(card)
    holder.enter("DF04")
    assert holder.verify(bytes.fromhex(PIN)) == "9000"
    return holder


INITIALIZE = bytes.fromhex("01" + AMOUNTS + TERMINAL)


def initialize(holder: KeyHolder) -> tuple[bytes, bytes]:
    """Number and random of the card."""
    offer = holder.terminal.ok("80500100", INITIALIZE, le=8)
    assert offer[2:4] == (b"\x01\x00" if holder.cipher is Cipher.TDES else b"\x01\x03")
    return offer[:2], offer[4:]


def mac(holder: KeyHolder, number: bytes, random: bytes, message: str) -> bytes:
    """As the module says, written down again."""
    key, factor = holder.key("DF04/DPK"), random + number * 2
    if holder.cipher is Cipher.SM4:
        return mac4(Cipher.SM4, key, bytes.fromhex(message), factor + bytes(8))
    return des_mac(encrypt_ecb(Cipher.TDES, key, factor), bytes.fromhex(message))[:4]


CLAIM = "00000000" + AMOUNTS + "36" + TERMINAL + MOMENT


def test_the_bytes_of_a_debit(holder: KeyHolder) -> None:
    number, random = initialize(holder)
    assert number == b"\x00\x01"
    data = bytes(2) + number + bytes.fromhex(MOMENT) + mac(holder, number, random, CLAIM)
    proof = holder.terminal.ok("80540100", data, le=8)
    assert proof[4:] == mac(holder, number, random, AMOUNTS)
    tac, receipt = holder.key("DF04/DTK"), bytes.fromhex(AMOUNTS + "36" + TERMINAL + "00000001" + MOMENT)
    if holder.cipher is Cipher.SM4:
        assert proof[:4] == mac4(Cipher.SM4, tac, receipt, bytes(16))
    else:
        halves = bytes(a ^ b for a, b in zip(tac[:8], tac[8:], strict=True))
        assert proof[:4] == des_mac(halves, receipt)[:4]
    row = holder.card.memory.files["DF04/EF08"][0]
    assert row.hex().upper() == "000136" + TERMINAL + MOMENT + AMOUNTS + "00000000"
    assert holder.terminal.sw("80540100", data, le=8) == "6985"


def spoiled(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 0x81,)) + data[at + 1 :]


@pytest.mark.parametrize(("at", "sw"), [(0, "6A80"), (3, "6A80"), (4, "9302"), (9, "6A80"), (11, "9302"), (14, "9302")])
def test_a_spoiled_debit_changes_no_file(holder: KeyHolder, at: int, sw: str) -> None:
    number, random = initialize(holder)
    data = bytes(2) + number + bytes.fromhex(MOMENT) + mac(holder, number, random, CLAIM)
    wrong = spoiled(data, at) if at != 4 else data[:4] + b"\x19" + data[5:]
    assert holder.terminal.sw("80540100", wrong, le=8) == sw
    assert holder.card.memory.files["DF04/EF08"] == []
    assert holder.terminal.sw("80540100", data, le=8) == "6985"


@pytest.mark.parametrize(
    ("header", "data", "sw"),
    [
        ("80500100", INITIALIZE[:-1], "6700"),
        ("80500200", INITIALIZE, "6A86"),
        ("80500101", INITIALIZE, "6A86"),
        ("00500100", INITIALIZE, "6E00"),
        ("84500100", INITIALIZE, "6882"),
        ("80500100", b"\x02" + INITIALIZE[1:], "9403"),
        ("80540100", bytes(15), "6985"),
        ("80540100", bytes(14), "6700"),
        ("80540000", bytes(15), "6A86"),
    ],
)
def test_what_is_no_debit(holder: KeyHolder, header: str, data: bytes, sw: str) -> None:
    before = contents(holder.card)
    assert holder.terminal.sw(header, data, le=8) == sw
    assert contents(holder.card) == before


def test_who_may_debit(holder: KeyHolder) -> None:
    """Only with the PIN, which is lost at reset and with the application; only in this application."""
    number, random = initialize(holder)
    data = bytes(2) + number + bytes.fromhex(MOMENT) + mac(holder, number, random, CLAIM)
    holder.enter("DF04")
    assert holder.terminal.sw("80540100", data, le=8) == "6985"
    assert holder.terminal.sw("80500100", INITIALIZE, le=8) == "6982"
    holder.verify(bytes.fromhex(PIN))
    initialize(holder)
    holder.verify(bytes.fromhex("999999"))
    assert holder.terminal.sw("80540100", data, le=8) == "6985"
    holder.verify(bytes.fromhex(PIN))
    initialize(holder)
    holder.card.reset()
    holder.enter("DF04")
    holder.verify(bytes.fromhex(PIN))
    assert holder.terminal.sw("80540100", data, le=8) == "6985"
    holder.enter("DF01")
    assert holder.terminal.sw("80500100", INITIALIZE, le=8) == "6E00"


def test_the_counter_ends(holder: KeyHolder) -> None:
    holder.card.memory.files["DF04/EF08"].insert(0, bytearray(b"\xff\xfe" + bytes(26)))
    assert holder.terminal.sw("80500100", INITIALIZE, le=8) == "9402"


def test_the_book_holds_so_many(holder: KeyHolder) -> None:
    for _ in range(32):
        number, random = initialize(holder)
        data = bytes(2) + number + bytes.fromhex(MOMENT) + mac(holder, number, random, CLAIM)
        holder.terminal.ok("80540100", data, le=8)
    rows = holder.card.memory.files["DF04/EF08"]
    assert [int.from_bytes(row[:2]) for row in rows] == list(range(32, 2, -1))


def test_a_torn_debit_is_whole_or_not_at_all(holder: KeyHolder) -> None:
    """Every byte of what the card writes; and it goes on afterwards."""
    rows = holder.card.memory.files["DF04/EF08"]
    for budget in range(30):  # one byte for each try of the key, 28 for the record, and one makes it valid
        holder.card.power_on()
        holder.enter("DF04")
        holder.verify(bytes.fromhex(PIN))
        number, random = initialize(holder)
        data = bytes(2) + number + bytes.fromhex(MOMENT) + mac(holder, number, random, CLAIM)
        holder.card.memory.budget = budget
        with pytest.raises(CardRemoved):
            holder.terminal.ok("80540100", data, le=8)
        assert rows == []
    holder.card.power_on()
    holder.enter("DF04")
    holder.verify(bytes.fromhex(PIN))
    number, random = initialize(holder)
    data = bytes(2) + number + bytes.fromhex(MOMENT) + mac(holder, number, random, CLAIM)
    holder.terminal.ok("80540100", data, le=8)
    assert len(rows) == 1


def test_a_card_without_the_medical_application_has_no_debit() -> None:
    card = VirtualCard.blank(load_profile("tunion"))
    card.power_on()
    assert card.transmit(bytes.fromhex("805001000F") + INITIALIZE)[-2:].hex() == "6e00"
