"""The purse on the virtual card: amounts, transactions, order of commands, status words."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from juying.codec.tunion.files import Transaction
from juying.codec.tunion.trips import IN, RAIL, Ride
from juying.crypto import purse as crypto
from juying.crypto.block import Cipher
from juying.crypto.mac import mac4
from juying.crypto.purse import Deal, demonstration_keys
from tests.transit.cards import MOMENT, TERMINAL, Raw, blank, contents, public, ride, tap

INITIAL = "805001020B01"
COMPOUND = "805003020B01"


def key_of(card: VirtualCard, name: str) -> bytes:
    head = card.memory.files["TUNION/0015"][0]
    return demonstration_keys().card_key(name, bytes(head[:8]), bytes(head[10:20]))


def initialise(raw: Raw, amount: int, head: str = INITIAL) -> tuple[bytes, int]:
    """Random and sequence number of a purchase that is begun."""
    answer = raw.ok(f"{head}{amount:08X}{TERMINAL}0F")
    assert (answer[9], answer[10]) == (1, 0)
    return answer[11:], int.from_bytes(answer[4:6])


def debit(
    raw: Raw, amount: int, random: bytes, sequence: int, *, kind: int = 6, p1: str = "01", serial: int = 7
) -> str:
    """The command that ends it."""
    deal = Deal(amount, kind, bytes.fromhex(TERMINAL), bytes.fromhex(MOMENT))
    session = crypto.purchase_key(key_of(raw.card, "DPK"), random, sequence, serial.to_bytes(4))
    mac1 = crypto.purchase_mac1(session, deal)
    return f"8054{p1}000F{serial:08X}{MOMENT}{mac1.hex()}08"


def purchase(raw: Raw, amount: int) -> bytes:
    return raw.ok(debit(raw, amount, *initialise(raw, amount)))


def protected(raw: Raw, header: str, data: bytes = b"", *, challenge: str = "0084000004") -> str:
    """A command with a MAC under the maintenance key."""
    given = raw.ok(challenge)
    head = bytes.fromhex(header) + bytes((len(data) + 4,))
    mac = mac4(Cipher.TDES, key_of(raw.card, "DAMK"), head + data, given[:4])
    return (head + data + mac).hex()


def test_amounts_of_a_card_with_money() -> None:
    raw = Raw(blank(balance_fen=2000, overdraft_limit_fen=800, limit_fen=100_000))
    assert [raw.amount(which) for which in range(5)] == [2800, 800, 0, 2000, 100_000]
    assert raw.ok("805C050210").hex() == f"{2000:08x}{100000:08x}{800:08x}{0:08x}"


def test_amounts_of_an_overdrawn_card() -> None:
    raw = Raw(blank(balance_fen=-300, overdraft_limit_fen=800))
    assert [raw.amount(which) for which in range(4)] == [500, 800, 300, 0]


def test_an_empty_card_with_overdraft_answers_as_the_one_from_shanghai() -> None:
    raw = Raw(blank(balance_fen=0, overdraft_limit_fen=800))
    assert (raw.amount(0), raw.amount(1)) == (800, 800)


def test_purchase_lowers_the_balance_and_is_logged() -> None:
    card = blank(balance_fen=2000)
    raw = Raw(card)
    answer = purchase(raw, 200)
    assert len(answer) == 8
    assert raw.amount(3) == 1800
    record = Transaction.decode(raw.ok("00B201C417"))
    assert (record.sequence, record.amount_fen, record.type) == (1, 200, "06")
    assert (record.terminal, record.date + record.time) == (TERMINAL, MOMENT)
    assert initialise(raw, 1)[1] == 1


def test_purchase_can_use_the_overdraft_up_to_its_limit() -> None:
    raw = Raw(blank(balance_fen=100, overdraft_limit_fen=800))
    purchase(raw, 600)
    assert [raw.amount(which) for which in range(4)] == [300, 800, 500, 0]
    assert raw.sw(f"{INITIAL}{301:08X}{TERMINAL}0F") == "9401"
    purchase(raw, 300)
    assert raw.amount(0) == 0


def test_mac2_and_tac_are_those_of_the_formulas() -> None:
    card = blank(balance_fen=2000)
    raw = Raw(card)
    random, sequence = initialise(raw, 200)
    answer = raw.ok(debit(raw, 200, random, sequence))
    deal = Deal(200, 6, bytes.fromhex(TERMINAL), bytes.fromhex(MOMENT))
    session = crypto.purchase_key(key_of(card, "DPK"), random, sequence, (7).to_bytes(4))
    tac = crypto.purchase_tac(crypto.tac_key(key_of(card, "DTK")), deal, (7).to_bytes(4))
    assert answer == tac + crypto.purchase_mac2(session, deal)


@pytest.mark.parametrize("p1", ["01", "02"])
def test_both_parameters_of_debit_are_taken(p1: str) -> None:
    raw = Raw(blank(balance_fen=2000))
    raw.ok(debit(raw, 200, *initialise(raw, 200), p1=p1))
    assert raw.amount(3) == 1800


@pytest.mark.parametrize("p2", ["00", "02"])
def test_both_parameters_of_credit_are_taken(p2: str) -> None:
    card = blank(balance_fen=500)
    raw = Raw(card)
    answer = raw.ok(f"805000020B01{1000:08X}{TERMINAL}10")
    deal = Deal(1000, 2, bytes.fromhex(TERMINAL), bytes.fromhex(MOMENT))
    session = crypto.load_key(key_of(card, "DLK"), answer[8:12], 0)
    assert answer[12:] == crypto.load_mac1(session, deal, 500)
    tac = raw.ok(f"805200{p2}0B{MOMENT}{crypto.load_mac2(session, deal).hex()}04")
    assert tac == crypto.load_tac(crypto.tac_key(key_of(card, "DTK")), deal, 1500, 0)
    assert raw.amount(3) == 1500
    assert Transaction.decode(raw.ok("00B201C417")).type == "02"
    assert raw.ok("805A00020200010 8")[4:] == tac


def test_a_load_pays_the_overdraft_back_first() -> None:
    card = blank(balance_fen=-300, overdraft_limit_fen=800)
    raw = Raw(card)
    answer = raw.ok(f"805000020B01{1000:08X}{TERMINAL}10")
    deal = Deal(1000, 2, bytes.fromhex(TERMINAL), bytes.fromhex(MOMENT))
    session = crypto.load_key(key_of(card, "DLK"), answer[8:12], 0)
    raw.ok(f"805200000B{MOMENT}{crypto.load_mac2(session, deal).hex()}04")
    assert (raw.amount(3), raw.amount(2)) == (700, 0)


@pytest.mark.parametrize("p1", ["00", "01"], ids=["record named by its data", "record named in P1"])
def test_compound_purchase_writes_all_at_once(p1: str) -> None:
    card = blank(balance_fen=2000)
    raw = Raw(card)
    random, sequence = initialise(raw, 0, COMPOUND)
    before = contents(card)
    raw.ok(f"80DC{p1}D080{ride(IN).encode().hex()}")
    raw.ok(f"80DC00F030{tap().encode().hex()}")
    assert contents(card) == before
    raw.ok(debit(raw, 0, random, sequence, kind=9))
    assert raw.ok("00B201D400")[:15] == ride(IN).encode()[:15]
    assert raw.ok("00B201F400") == tap().encode()
    record = Transaction.decode(raw.ok("00B201C417"))
    assert (record.type, record.amount_fen, record.sequence) == ("09", 0, 1)


def test_flat_fare_needs_the_trip_record_only() -> None:
    card = blank(balance_fen=2000)
    raw = Raw(card)
    random, sequence = initialise(raw, 200, COMPOUND)
    raw.ok(f"80DC00F030{tap('06', 200).encode().hex()}")
    raw.ok(debit(raw, 200, random, sequence, kind=9))
    assert raw.amount(3) == 1800
    assert Ride.decode(raw.ok("00B201D400")).state == 0


def test_logs_keep_the_newest() -> None:
    card = blank(balance_fen=2000)
    raw = Raw(card)
    for _ in range(12):
        purchase(raw, 1)
    records = [Transaction.decode(raw.ok(f"00B2{number:02X}C417")) for number in range(1, 11)]
    assert [record.sequence for record in records] == list(range(12, 2, -1))
    assert raw.sw("00B20BC417") == "6A83"


# The order of commands ---------------------------------------------------------------------------------

STEPS = {
    "1A": f"80DC01D080{ride(IN).encode().hex()}",
    "1E": f"80DC00F030{tap().encode().hex()}",
    "read": "00B097003C",
    "balance": "805C000204",
}


def compound(raw: Raw, *steps: str) -> str:
    """Status word of the first step of a compound purchase that fails, or of DEBIT at its end."""
    random, sequence = initialise(raw, 0, COMPOUND)
    for step in steps:
        sw = raw.sw(STEPS[step])
        if sw != "9000":
            return sw
    return raw.sw(debit(raw, 0, random, sequence, kind=9))


def test_only_the_right_orders_lead_to_a_debit() -> None:
    """Every sequence of up to three steps between INITIALIZE and DEBIT."""
    for length in range(4):
        for steps in itertools.product(STEPS, repeat=length):
            good = steps in (("1E",), ("1A", "1E"), ("1A", "1A", "1E"))
            assert (compound(Raw(blank(balance_fen=100)), *steps) == "9000") == good, steps


def test_nothing_is_debited_twice_with_one_initialisation() -> None:
    raw = Raw(blank(balance_fen=2000))
    command = debit(raw, 200, *initialise(raw, 200))
    raw.ok(command)
    assert raw.sw(command) == "6985"
    assert raw.amount(3) == 1800


@pytest.mark.parametrize("between", ["select", "reset", "select another"])
def test_selection_and_reset_end_what_was_begun(between: str) -> None:
    card = blank("ssc-v3", balance_fen=2000)
    raw = Raw(card)
    command = debit(raw, 200, *initialise(raw, 200))
    if between == "reset":
        card.reset()
    if between == "select another":
        raw.sw("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
    raw.sw("00A4040008A00000063201010500")
    assert raw.sw(command) == "6985"
    assert raw.amount(3) == 2000


def test_a_wrong_mac_ends_the_transaction_without_debit() -> None:
    raw = Raw(blank(balance_fen=2000))
    command = debit(raw, 200, *initialise(raw, 200))
    assert raw.sw(command[:-10] + "0000000008") == "9302"
    assert raw.sw(command) == "6985"
    assert raw.amount(3) == 2000


def test_a_wrong_mac_loads_nothing() -> None:
    raw = Raw(blank())
    raw.ok(f"805000020B01{1000:08X}{TERMINAL}10")
    assert raw.sw(f"805200000B{MOMENT}0000000004") == "9302"
    assert raw.amount(3) == 0


# Status words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        pytest.param(f"805001020B02{1:08X}{TERMINAL}0F", "9403", id="no such key index"),
        pytest.param(f"{INITIAL}{2001:08X}{TERMINAL}0F", "9401", id="not enough money"),
        pytest.param(f"805000020B01{500000:08X}{TERMINAL}10", "6A80", id="more than the card may hold"),
        pytest.param(f"805002020B01{1:08X}{TERMINAL}0F", "6A86", id="no such transaction"),
        pytest.param(f"805001010B01{1:08X}{TERMINAL}0F", "6A86", id="ED, not EP"),
        pytest.param("8050010205010000000100", "6700", id="too short"),
        pytest.param("805C060204", "6A86", id="no such amount"),
        pytest.param("805C000104", "6A86", id="amounts of an ED"),
        pytest.param("805400000F" + "00" * 15 + "08", "6A86", id="debit with P1 00"),
        pytest.param("805401000F" + "00" * 15 + "08", "6985", id="debit out of the blue"),
        pytest.param("8054010003000000", "6700", id="debit too short"),
        pytest.param("805200000B" + "00" * 11 + "04", "6985", id="credit out of the blue"),
        pytest.param("805201000B" + "00" * 11 + "04", "6A86", id="credit with P1 01"),
        pytest.param("8052000003000000", "6700", id="credit too short"),
        pytest.param("805A0006020001 08", "9406", id="no purchase yet"),
        pytest.param("805A0000020000 08", "9406", id="no type"),
        pytest.param("805A0106020001 08", "6A86", id="proof with P1 01"),
        pytest.param("805A00060101 08", "6700", id="proof too short"),
        pytest.param("80DC01D00100", "6985", id="cache out of the blue"),
        pytest.param("00DC01D4800102", "6700", id="broken length"),
        pytest.param("00DC01D4020102", "6982", id="update record"),
        pytest.param("04DC01D4020102", "6982", id="update record with a MAC"),
        pytest.param("00E200C0020102", "6982", id="append record"),
        pytest.param("00D69500020102", "6982", id="update binary without a MAC"),
        pytest.param("005C000204", "6E00", id="wrong class"),
        pytest.param("80B0950004", "6E00", id="wrong class for reading"),
        pytest.param("8058000001 00", "6E00", id="a command that this card lacks"),
        pytest.param("00B082001E", "6A82", id="the purse is inside"),
        pytest.param("00B2010C00", "6A82", id="no such file"),
    ],
)
def test_refusals(command: str, sw: str) -> None:
    raw = Raw(blank(balance_fen=2000))
    assert raw.sw(command) == sw
    assert raw.amount(3) == 2000


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        pytest.param(f"80DC02D080{ride(IN).encode().hex()}", "6A83", id="another number in P1"),
        pytest.param(f"80DC00D080{'2799' + '00' * 126}", "6A83", id="no such record"),
        pytest.param(f"80DC00D081{ride(IN).encode().hex()}00", "6A84", id="record too long"),
        pytest.param(f"80DC00D07F{ride(IN).encode()[:-1].hex()}", "6700", id="record too short"),
        pytest.param(f"80DC00D080{'27017C' + '00' * 125}", "6A80", id="another length byte"),
        pytest.param(f"80DC00F031{tap().encode().hex()}00", "6A84", id="trip too long"),
        pytest.param(f"80DC00F02F{tap().encode()[:-1].hex()}", "6700", id="trip too short"),
        pytest.param(f"80DC05F030{tap().encode().hex()}", "6A86", id="trip with P1 05"),
        pytest.param(f"80DC00C030{tap().encode().hex()}", "6A86", id="another file"),
    ],
)
def test_records_that_the_cache_refuses_end_the_purchase(command: str, sw: str) -> None:
    raw = Raw(blank(balance_fen=2000))
    random, sequence = initialise(raw, 0, COMPOUND)
    assert raw.sw(command) == sw
    assert raw.sw(STEPS["1E"]) == "6985"
    assert raw.sw(debit(raw, 0, random, sequence, kind=9)) == "6985"


def test_a_simple_purchase_has_no_cache() -> None:
    raw = Raw(blank(balance_fen=2000))
    initialise(raw, 0)
    assert raw.sw(STEPS["1E"]) == "6985"


def test_a_locked_record_is_not_overwritten() -> None:
    card = blank(balance_fen=2000)
    card.memory.files["TUNION/001A"][0][5] = 1
    raw = Raw(card)
    initialise(raw, 0, COMPOUND)
    assert raw.sw(STEPS["1A"]) == "9407"


def test_a_time_that_is_no_time_is_refused() -> None:
    raw = Raw(blank(balance_fen=2000))
    random, sequence = initialise(raw, 1)
    deal = Deal(1, 6, bytes.fromhex(TERMINAL), bytes.fromhex("2026120A120000"))
    session = crypto.purchase_key(key_of(raw.card, "DPK"), random, sequence, bytes(4))
    mac1 = crypto.purchase_mac1(session, deal).hex()
    assert raw.sw(f"805401000F000000002026120A120000{mac1}08") == "6A80"
    assert raw.amount(3) == 2000


def test_a_sequence_number_at_its_end() -> None:
    card = blank(balance_fen=2000)
    state = card.memory.files["TUNION/0002"][0]
    state[15:19] = bytes.fromhex("FFFEFFFE")
    raw = Raw(card)
    assert raw.sw(f"{INITIAL}{1:08X}{TERMINAL}0F") == "9402"
    assert raw.sw(f"805000020B01{1:08X}{TERMINAL}10") == "9402"


def test_the_proof_of_the_last_purchase() -> None:
    raw = Raw(blank(balance_fen=2000))
    answer = purchase(raw, 200)
    assert raw.ok("805A00060200 0108") == answer[4:] + answer[:4]
    assert raw.sw("805A0006020000 08") == "9406"
    assert raw.sw("805A0009020001 08") == "9406"
    purchase(raw, 100)
    assert raw.sw("805A0006020001 08") == "9406"


# Blocking and protected updates ------------------------------------------------------------------------


def test_blocking_and_unblocking() -> None:
    card = blank(balance_fen=2000)
    raw = Raw(card)
    raw.ok(protected(raw, "841E0000"))
    assert raw.sw(f"{INITIAL}{1:08X}{TERMINAL}0F") == "6985"
    data, sw = raw("00A4040008A00000063201010500")
    assert (sw, data[:1].hex()) == ("6283", "6f")
    raw.ok(protected(raw, "84180000"))
    assert raw.sw("00A4040008A00000063201010500") == "9000"
    purchase(raw, 200)


def test_unblocking_what_is_not_blocked() -> None:
    raw = Raw(blank())
    assert raw.sw(protected(raw, "84180000")) == "6985"


def test_blocking_for_ever() -> None:
    raw = Raw(blank())
    raw.ok(protected(raw, "841E0001"))
    assert raw.sw("00A4040008A00000063201010500") == "9303"
    assert raw.sw("00A404000E325041592E5359532E444446303100") == "9000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        pytest.param("841E000004AAAAAAAA", "6984", id="no challenge"),
        pytest.param("841E0000", "6987", id="no MAC"),
        pytest.param("841E010004AAAAAAAA", "6A81", id="SM4"),
        pytest.param("841E000204AAAAAAAA", "6A86", id="no such lock"),
        pytest.param("8418010004AAAAAAAA", "6A81", id="unblock with SM4"),
        pytest.param("8418000104AAAAAAAA", "6A86", id="unblock with P2 01"),
        pytest.param("801E000004AAAAAAAA", "6E00", id="wrong class"),
        pytest.param("04D6980004AAAAAAAA", "6A82", id="the log is no such file"),
        pytest.param("04D6000004AAAAAAAA", "6A82", id="no short identifier"),
    ],
)
def test_protected_commands_without_proof(command: str, sw: str) -> None:
    assert Raw(blank()).sw(command) == sw


def test_a_wrong_mac_uses_the_challenge_up() -> None:
    raw = Raw(blank())
    command = protected(raw, "841E0000")
    assert raw.sw(command[:-8] + "00000000") == "6988"
    assert raw.sw(command) == "6984"


def test_an_eight_byte_challenge_is_not_for_macs() -> None:
    raw = Raw(blank())
    assert raw.sw(protected(raw, "841E0000", challenge="0084000008")) == "6984"


def test_protected_update_of_the_public_data() -> None:
    card = blank(enabled=False)
    raw = Raw(card)
    raw.ok(protected(raw, "04D69509", b"\x01"))
    assert public(card).enabled_flag == 1
    data, _ = raw("00A4040008A00000063201010500")
    assert data[21 + 9] == 1, "9F0C is file 15"


def test_protected_updates_must_end_inside_the_file() -> None:
    raw = Raw(blank())
    assert raw.sw(protected(raw, "04D6951D", b"\x01\x02")) == "6A84"
    assert raw.sw(protected(raw, "04D69500")) == "6700"


# The chip ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["A000000632010105", "A00000063201", "A0", "A000000632"])
def test_selection_by_part_of_the_name(name: str) -> None:
    raw = Raw(blank())
    data = raw.ok(f"00A40400{len(name) // 2:02X}{name}00")
    assert data.hex().upper().startswith("6F318408A000000632010105A5259F0801029F0C1E02113450FFFFFFFF0201")


def test_list_of_applications() -> None:
    raw = Raw(blank())
    assert raw.ok("00A404000E325041592E5359532E444446303100").hex().upper() == (
        "6F2E840E325041592E5359532E4444463031A51CBF0C1961174F08A00000063201010550084D4F545F545F4550870101"
    )


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3", "tunion"])
def test_a_chip_with_the_purse_survives_a_file(profile: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cards") / "card.vcard"
    card = blank(profile, balance_fen=2000)
    if profile in ("ssc-v3", "tunion"):
        raw = Raw(card)
        purchase(raw, 200)
        raw.ok(protected(raw, "841E0000"))
    save_card(card, path)
    again = load_card(path)
    assert contents(again) == contents(card)
    assert again.locks == card.locks
    assert again.profile.name == profile
    assert str(again.state) == ("personalised" if profile == "tunion" else "blank")


def test_the_random_numbers_come_from_the_card() -> None:
    raw = Raw(blank(random=lambda count: bytes(range(count)), balance_fen=100))
    assert initialise(raw, 1)[0] == bytes(range(4))


def test_record_1a_starts_empty_with_its_identifier() -> None:
    raw = Raw(blank())
    for number in range(1, 15):
        record = raw.ok(f"00B2{number:02X}D400")
        assert record[:2] == (0x2700 + number).to_bytes(2)
        assert record[2] == len(record) - 3
        assert not record[3:].strip(b"\0")
    assert Ride.decode(raw.ok("00B201D400")).record_id == RAIL


@settings(max_examples=200)
@given(commands=st.lists(st.binary(min_size=1, max_size=20), max_size=6), cla=st.sampled_from([0x00, 0x04, 0x80, 0x84]))
def test_any_commands_are_answered(commands: list[bytes], cla: int) -> None:
    """Random commands, most of them with an instruction that the purse knows, on chips of both protocols."""
    for card in HOSTILE:
        raw = Raw(card)
        for command in commands:
            known = KNOWN[command[0] % len(KNOWN)]
            for line in (command, bytes((cla, known)) + command):
                assert len(raw.card.transmit(line)) >= 2


KNOWN = (0x18, 0x1E, 0x50, 0x52, 0x54, 0x5A, 0x5C, 0x84, 0xB0, 0xB2, 0xD6, 0xDC, 0xE2)
HOSTILE = (blank("ssc-v2", balance_fen=2000), blank(balance_fen=2000))
