"""Framing and status words: what the card answers to commands that are wrong, and how each protocol frames answers."""

from collections.abc import Callable

import pytest
from smartcard.ATR import ATR

from juying.card.virtual.card import VirtualCard
from juying.codec.profile import load_profile

SSSE = "7378312E73682EC9E7BBE1B1A3D5CF"
EF05, EF08 = "00A4020C02EF05", "00A4020C02EF08"
IDENTIFIER = "0110331000d15600000599110145ffffffff"


def run(card: VirtualCard, *commands: str) -> str:
    """Send commands raw; the last answer, as hex."""
    card.power_on()
    card.transmit(bytes.fromhex("00A4040C0F" + SSSE))
    answer = b""
    for command in commands:
        answer = card.transmit(bytes.fromhex(command))
    return answer.hex()


BOTH = [
    # what is wrong, commands before, command, status word
    ("nothing at all", [], "", "6700"),
    ("header cut", [], "00B201", "6700"),
    ("Lc larger than the data", [], "00A4020C03EF05", "6700"),
    ("unknown instruction", [], "00FE0000", "6D00"),
    ("unknown proprietary class", [], "80B20104", "6E00"),
    ("invalid class", [], "FFB20104", "6E00"),
    ("further interindustry class", [], "40B20104", "6E00"),
    ("logical channel 1", [], "01B2010400", "6881"),
    ("secure messaging where there is none", [EF05], "04B2010400", "6882"),
    ("proprietary secure messaging where there is none", [EF05], "84B2010400", "6882"),
    ("a command that only another class has", [], "00D4000024", "6E00"),
    ("CHANGE PIN under secure messaging", [], "845E010007", "6882"),
    ("chained secure messaging", [], "14DC010403010101", "6882"),
    ("update with a MAC, cut", [EF05], "04DC010403010101", "6987"),
    ("key number not found", [], "008200EE10" + "00" * 16, "6A88"),
    ("key that is not for authentication", [], "0082000010" + "00" * 16, "6A88"),
    ("no challenge", [], "0082000410" + "00" * 16, "6984"),
    ("authentication with P1", [], "0082010410" + "00" * 16, "6A86"),
    ("authentication too short", [], "008200040F" + "00" * 15, "6700"),
    ("challenge of an odd length", [], "0084000005", "6700"),
    ("challenge with P2", [], "0084000108", "6A86"),
    ("internal authentication too short", [], "008800000F" + "00" * 15, "6700"),
    ("internal authentication with P1", [], "0088010010" + "00" * 16, "6A86"),
    ("PIN in P2", [], "0020000103123456", "6A86"),
    ("PIN too long", [], "002000000412345678", "6700"),
    ("PIN that is no BCD", [], "002000000312345F", "6A80"),
    ("new PIN too short", [], "805E010006123456FF1234", "6700"),
    ("no FF between the PINs", [], "805E010007123456002718FF", "6A80"),
    ("new PIN that is no BCD", [], "805E010007123456FF27182A", "6A80"),
    ("CHANGE PIN with P1 00", [], "805E000007123456FF271828", "6A86"),
    ("initial PIN as the new one", [], "805E010007123456FF888888", "6985"),
    ("WRITE KEY without a MAC", [], "84D4000403010101", "6987"),
    ("WRITE KEY with P1 02", [], "84D4020404" + "00" * 4, "6A86"),
    ("WRITE KEY of an unknown key", [], "84D400EE04" + "00" * 4, "6A88"),
    ("WRITE KEY of the main key without P1", [], "84D4000004" + "00" * 4, "6A88"),
    ("WRITE KEY with P1 of another than the main key", [], "84D4010404" + "00" * 4, "6A88"),
    ("UNBLOCK PIN with P2 00", [], "8424000004" + "00" * 4, "6A86"),
    ("UNBLOCK PIN without a challenge", [], "8424000104" + "00" * 4, "6984"),
    ("APPLICATION BLOCK with P2 02", [], "841E000204" + "00" * 4, "6A86"),
    ("APPLICATION BLOCK of the environment", [], "841E000004" + "00" * 4, "6A88"),
    ("APPLICATION UNBLOCK of one that is not blocked", [], "8418000004" + "00" * 4, "6985"),
    ("APPLICATION UNBLOCK with P2", [], "8418000104" + "00" * 4, "6A86"),
    ("CARD BLOCK with P2", [], "8416000104" + "00" * 4, "6A86"),
    ("CARD BLOCK without a MAC", [], "84160000", "6987"),
    ("SELECT with an unknown P1", [], "00A4090C02EF05", "6A86"),
    ("SELECT asks for file management data", [], "00A4020802EF05", "6A86"),
    ("SELECT with P2 out of range", [], "00A4021002EF05", "6A86"),
    ("SELECT last occurrence", [], "00A4040105D156000005", "6A86"),
    ("SELECT next file by identifier", [], "00A4020202EF05", "6A86"),
    ("identifier of three bytes", [], "00A4020C03EF0501", "6700"),
    ("name of 17 bytes", [], "00A4040C11" + "D1" * 17, "6700"),
    ("file not found", [], "00A4020C02EF55", "6A82"),
    ("no current file, records", [], "00B2010400", "6986"),
    ("no current file, binary", [], "00B0000001", "6986"),
    ("no current file, update", [], "00DC010403010101", "6986"),
    ("no current file, append", [], "00E2000001FF", "6986"),
    ("SFI not found", [], "00B201FC00", "6A82"),
    ("record not found", [EF05], "00B2FF0400", "6A83"),
    ("tag not found", [EF05], "00B2EE0000", "6A83"),
    ("read all records", [EF05], "00B2010500", "6A86"),
    ("read records with data", [EF05], "00B2010401FF", "6700"),
    ("update a record that is not there", [EF05], "00DCFF0403010101", "6A83"),
    ("append with P1", [EF05], "00E2010001FF", "6A86"),
    ("append with a mode", [EF05], "00E2000401FF", "6A86"),
    ("records of a transparent file", [EF08], "00B2010400", "6981"),
    ("update a record of a transparent file", [EF08], "00DC010401FF", "6981"),
    ("append to a transparent file", [EF08], "00E2000001FF", "6981"),
    ("binary of a record file", [EF05], "00B0000001", "6981"),
    ("write binary to a record file", [EF05], "00D6000001FF", "6981"),
    ("binary with a bad SFI form", [EF08], "00B0E80001", "6A86"),
    ("write binary with a bad SFI form", [EF08], "00D6A80001FF", "6A86"),
    ("binary SFI not found", [EF08], "00B09F0001", "6A82"),
    ("write binary without data", [EF08], "00D6000000", "6700"),
    ("offset behind the end", [EF08], "00B0100001", "6B00"),
    ("write across the end", [EF08], "00D60FFF02FFFF", "6A84"),
    ("nothing to get", [], "00C0000000", "6985"),
]


@pytest.mark.parametrize("name", ["ssc-v2", "ssc-v3"])
@pytest.mark.parametrize(("before", "command", "sw"), [row[1:] for row in BOTH], ids=[row[0] for row in BOTH])
def test_status_words(make: Callable[..., VirtualCard], name: str, before: list[str], command: str, sw: str) -> None:
    """The same refusals with both protocols, and nothing changed in the memory."""
    card = make(name)
    assert run(card, *before, command) == sw.lower()
    assert card.memory.changes == 0


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        ([EF05, "00B20104"], "6c12"),
        ([EF05, "00B2010400"], "6c12"),
        ([EF05, "00B2010410"], "6c12"),
        ([EF05, "00B2010412"], IDENTIFIER + "9000"),
        (["00A4020002EF05"], "6114"),
        (["00A4020002EF0500"], "6114"),
        (["00A4020002EF05", "00C0000013"], "*13:6101"),
        (["00A4020002EF05", "00C0000013", "00C0000001"], "*1:9000"),
        (["00A4020002EF05", "00C0000015"], "6c14"),
        (["00A4020002EF05", "00C0000015", "00C0000014"], "*14:9000"),
        (["00A4020002EF05", "00C0010014"], "6a86"),
        (["00A4020002EF05", "00C0000001FF"], "6700"),
        (["00A4020002EF05", "00B20104", "00C0000014"], "6985"),
        ([EF08, "00B0000000"], "*100:9000"),
        ([EF08, "00B00FFE00"], "6c02"),
        ([EF08, "00B00FFE03"], "6c02"),
        ([EF08, "00B00FFE02"], "ffff9000"),
        ([EF08, "00D600000000010041"], "6700"),
        ([EF08, "10D6000001FF"], "6884"),
        ([EF08, "00D6000003414243", "00B0000004"], "414243ff9000"),
    ],
)
def test_t0_framing(make: Callable[..., VirtualCard], commands: list[str], answer: str) -> None:
    """61xx after data, 6Cxx for a wrong Le, GET RESPONSE in pieces, no chaining, no extended length."""
    check(run(make("ssc-v2"), *commands), answer)


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        ([EF05, "00B20104"], "6700"),
        ([EF05, "00B2010400"], IDENTIFIER + "9000"),
        ([EF05, "00B2010410"], "6c12"),
        ([EF05, "00B2010420"], IDENTIFIER + "9000"),
        ([EF05, "00B20104000000"], IDENTIFIER + "9000"),
        ([EF05, "00B20104000012"], IDENTIFIER + "9000"),
        ([EF05, "00B20104000005"], "6c12"),
        ([EF05, "00B201040000"], "6700"),
        (["00A4020002EF05"], "9000"),
        (["00A4020002EF0500"], "*14:9000"),
        (["00A4020002EF0513"], "6c14"),
        (["00A4020002EF050000"], "6700"),
        (["00A40200000002EF05"], "9000"),
        (["00A40200000002EF050000"], "*14:9000"),
        (["00A40200000002EF050014"], "*14:9000"),
        (["00A40200000002EF0500"], "6700"),
        (["00A40200000000EF05"], "6700"),
        (["00A402000000000000"], "6700"),
        ([EF08, "00B0000000"], "*100:9000"),
        ([EF08, "00B00000000000"], "*1000:9000"),
        ([EF08, "00B00FFE00"], "ffff9000"),
        ([EF08, "00B00FFE03"], "ffff6282"),
        ([EF08, "00B00FFE000003"], "ffff6282"),
        ([EF08, "00B00FFE02"], "ffff9000"),
        ([EF08, "00D60000000100" + "41" * 256, "00B0010001"], "ff9000"),
        ([EF08, "00D600000000"], "6700"),
    ],
)
def test_t1_framing(make: Callable[..., VirtualCard], commands: list[str], answer: str) -> None:
    """All four cases, short and extended; Le 00 returns all, too small a Le is corrected, an end of file is 6282."""
    check(run(make("ssc-v3"), *commands), answer)


def check(answer: str, expected: str) -> None:
    """``*10:9000`` stands for 0x10 bytes of any data before the status word."""
    if expected.startswith("*"):
        size, sw = expected[1:].split(":")
        assert (len(answer) // 2 - 2, answer[-4:]) == (int(size, 16), sw)
    else:
        assert answer == expected


def test_too_small_le_does_not_advance_the_selection(make: Callable[..., VirtualCard]) -> None:
    """SELECT next that ends with 6Cxx, repeated with the right Le, selects the first application and not the second."""
    answer = run(make(), "00A4040205D15600000501", "00A4040205D15600000500")
    assert answer.startswith("6f088406d15600000500")


class TestChaining:
    """Command chaining (CLA bit 5), T=1."""

    def test_parts_are_joined(self, make: Callable[..., VirtualCard]) -> None:
        answer = run(make(), EF08, "10D600000141", "10D600000242" + "43", "00D600000144", "00B0000005")
        assert answer == "41424344ff9000"

    def test_a_record_in_parts(self, make: Callable[..., VirtualCard]) -> None:
        assert run(make(), EF05, "10DC02040202" + "01", "00DC02040141", "00B2020400") == "0201419000"

    def test_nothing_is_written_before_the_last_part(self, make: Callable[..., VirtualCard]) -> None:
        card = make()
        assert run(card, EF08, "10D600000141") == "9000"
        assert card.memory.changes == 0

    def test_another_command_breaks_the_chain(self, make: Callable[..., VirtualCard]) -> None:
        card = make()
        assert run(card, EF08, "10D600000141", "00B0000001") == "6883"
        assert run(card, EF08, "10D600000141", "00B0000001", "00D600000142", "00B0000002") == "42ff9000"

    @pytest.mark.parametrize("error", ["00", "00FE0000", "80D600000141"])
    def test_an_error_breaks_the_chain(self, make: Callable[..., VirtualCard], error: str) -> None:
        assert run(make(), EF08, "10D600000141", error, "00D600000142", "00B0000002") == "42ff9000"

    def test_a_reset_breaks_the_chain(self, make: Callable[..., VirtualCard]) -> None:
        card = make()
        run(card, EF08, "10D600000141")
        assert run(card, EF08, "00D600000142", "00B0000002") == "42ff9000"

    def test_the_buffer_is_bounded(self, make: Callable[..., VirtualCard]) -> None:
        part = "10D60000008000" + "41" * 0x8000
        card = make()
        assert run(card, EF08, part) == "9000"
        assert run(card, EF08, part, part) == "6700"
        assert run(card, EF08, part, part, "00B0000001") == "ff9000"


def test_atr_t0(make: Callable[..., VirtualCard]) -> None:
    """As observed: 3B 6D 00 00, 13 historical bytes, the city in bytes 7 and 8, the serial in the last four."""
    for name in ("ssc-v1", "ssc-v2"):
        atr = make(name, region="440300").atr
        assert atr[:4] == bytes.fromhex("3B6D0000")
        assert atr[4:11] == load_profile(name).historical[:7]
        assert atr[11:] == bytes.fromhex("440399110145")


def test_atr_t1_is_well_formed(make: Callable[..., VirtualCard]) -> None:
    """Walked by the rules of ISO 7816-3: TDi chain, only T=1, IFSC 254, 13 historical bytes, TCK makes the XOR zero."""
    atr = make("ssc-v3").atr
    interface: dict[str, int] = {}
    position, indicators, level = 2, atr[1] >> 4, 1
    while indicators:
        following = 0
        for bit, letter in enumerate("ABCD"):
            if indicators >> bit & 1:
                interface[f"T{letter}{level}"] = atr[position]
                following = atr[position] if letter == "D" else 0
                position += 1
        indicators, level = following >> 4, level + 1
    assert interface == {"TB1": 0, "TC1": 0, "TD1": 0x81, "TD2": 0x31, "TA3": 0xFE, "TB3": 0x45}
    historical, check = atr[position:-1], 0
    assert len(historical) == atr[1] & 0x0F == 13
    assert historical[-6:] == bytes.fromhex("331099110145")
    for byte in atr[1:]:
        check ^= byte
    assert check == 0


def test_pyscard_reads_the_atrs(make: Callable[..., VirtualCard]) -> None:
    """An independent parser agrees on protocol, historical bytes and checksum."""
    old, new = (ATR(list(make(name).atr)) for name in ("ssc-v2", "ssc-v3"))
    assert (old.isT0Supported(), old.isT1Supported()) == (True, False)
    assert (new.isT0Supported(), new.isT1Supported()) == (False, True)
    assert new.hasChecksum
    assert new.checksumOK
    assert bytes(new.getHistoricalBytes()) == make("ssc-v3").memory.historical
