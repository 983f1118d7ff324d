"""The virtual PSAM of a transit terminal, and our side of it."""

from collections.abc import Callable

import pytest

from juying.card.channel import Channel
from juying.card.tunion_psam import TransitPsam
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.crypto import purse as crypto
from juying.crypto.block import Cipher
from juying.crypto.mac import mac4
from juying.crypto.purse import Deal, PurseKeys, demonstration_keys
from juying.errors import CardRefused, CardRemoved, InputError, ProtocolError, StatusError
from tests.card.scripted import FunctionCard
from tests.transit.cards import TERMINAL, blank, channel, psam, public

NAMED = "00A4040010A0000006324D4F542E435053414D3031"
ISSUER, SERIAL = bytes.fromhex("02113450FFFFFFFF"), bytes.fromhex("8049900000000001")
DEAL = Deal(200, crypto.PURCHASE, bytes.fromhex(TERMINAL), bytes.fromhex("20261201120000"))


class Sam:
    """A PSAM that is spoken to in hex."""

    def __init__(self, card: VirtualTransitPsam | None = None, *, select: bool = True) -> None:
        self.card = card or VirtualTransitPsam(terminal=TERMINAL)
        self.card.power_on()
        if select:
            assert self.sw(NAMED) == "9000"

    def __call__(self, command: str) -> tuple[bytes, str]:
        answer = self.card.transmit(bytes.fromhex(command))
        if answer[-2] == 0x61:
            answer = self.card.transmit(bytes((0x00, 0xC0, 0x00, 0x00, answer[-1])))
        return answer[:-2], answer[-2:].hex().upper()

    def sw(self, command: str) -> str:
        return self(command)[1]


def initialise(*, version: str = "01", algorithm: str = "00") -> str:
    deal = "00000001" + "0005" + DEAL.amount_bytes.hex() + "06" + DEAL.moment.hex()
    return f"8070000024{deal}{version}{algorithm}{SERIAL.hex()}{ISSUER.hex()}"


def test_files() -> None:
    sam = Sam(select=False)
    assert sam("00B0960006") == (bytes.fromhex(TERMINAL), "9000")
    data, sw = sam("00B095000E")
    assert (data[4:10].hex(), len(data), sw) == (TERMINAL, 14, "9000")
    assert sam.sw("00B0970019") == "6A82", "it is in the directory"
    assert sam.sw("00A40000028011") == "9000"
    data, _ = sam("00B0970019")
    assert (data[0], data[1:9], data[17:21].hex()) == (1, ISSUER, "20200101")
    assert sam("00B0971108") == (data[17:], "9000")


def test_mac1_for_a_card() -> None:
    sam = Sam()
    answer, sw = sam(initialise())
    key = demonstration_keys().card_key("DPK", ISSUER, SERIAL)
    session = crypto.purchase_key(key, bytes.fromhex("00000001"), 5, answer[:4])
    assert (answer[:4], sw) == ((1).to_bytes(4), "9000")
    assert answer[4:] == crypto.purchase_mac1(session, DEAL)
    assert sam.sw("8072000004" + "00" * 4) == "9302"
    assert sam.sw("8072000004" + crypto.purchase_mac2(session, DEAL).hex()) == "9000"
    assert sam.sw("8072000004" + crypto.purchase_mac2(session, DEAL).hex()) == "6985", "once"


def test_the_sequence_number_grows_and_stays() -> None:
    card = VirtualTransitPsam(terminal=TERMINAL, sequence=41)
    for expected in (41, 42):
        assert Sam(card)(initialise())[0][:4] == expected.to_bytes(4)
    assert card.sequence == 43


def test_the_end_of_the_sequence() -> None:
    sam = Sam(VirtualTransitPsam(sequence=0xFFFFFFFE))
    assert sam.sw(initialise()) == "9000"
    assert sam.sw(initialise()) == "9402"


def test_the_mac_of_a_lock_command() -> None:
    sam = Sam()
    assert sam.sw(f"801A450010{SERIAL.hex()}{ISSUER.hex()}") == "9000"
    mac, sw = sam("80FA050010" + "1122334400000000" + "841E000004800000")
    assert sw == "9000"
    key = demonstration_keys().card_key("DAMK", ISSUER, SERIAL)
    assert mac == mac4(Cipher.TDES, key, bytes.fromhex("841E000004"), bytes.fromhex("11223344"))


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        pytest.param(initialise(version="02"), "9403", id="no such key version"),
        pytest.param(initialise(algorithm="04"), "6A81", id="SM4"),
        pytest.param("8070010024" + "00" * 36, "6A86", id="P1 01"),
        pytest.param("8070000023" + "00" * 35, "6700", id="too short"),
        pytest.param("8072000004" + "00" * 4, "6985", id="nothing to check"),
        pytest.param("8072010004" + "00" * 4, "6A86", id="check with P1 01"),
        pytest.param("8072000003" + "00" * 3, "6700", id="MAC too short"),
        pytest.param("801A440010" + "00" * 16, "6A88", id="no such key"),
        pytest.param("801A450008" + "00" * 8, "6700", id="one factor"),
        pytest.param("80FA050010" + "00" * 16, "6985", id="no key ready"),
        pytest.param("80FA060010" + "00" * 16, "6A86", id="not an initial value"),
        pytest.param("00A40200028011", "6A86", id="select with P1 02"),
        pytest.param("00A400000180", "6700", id="identifier of one byte"),
        pytest.param("00A40000020001", "6A82", id="no such file"),
        pytest.param("00A4040002ABCD", "6A82", id="no such name"),
        pytest.param("00B0000006", "6A86", id="no short identifier"),
        pytest.param("00B0970219FF", "6700", id="broken length"),
        pytest.param("00B097001A", "6C19", id="longer than the file"),
        pytest.param("00B0971901", "6B00", id="behind the file"),
        pytest.param("00B0970001FF", "6700", id="data for reading"),
        pytest.param("00C0000004", "6985", id="nothing waits"),
        pytest.param("8058000001", "6D00", id="no such command"),
        pytest.param("BF58000001", "6E00", id="no such class"),
    ],
)
def test_refusals(command: str, sw: str) -> None:
    assert Sam().sw(command) == sw


def test_what_waits_has_one_length() -> None:
    sam = Sam()
    assert sam.card.transmit(bytes.fromhex(initialise())).hex() == "6108"
    assert sam.card.transmit(bytes.fromhex("00C0000004")).hex() == "6c08"


@pytest.mark.parametrize("command", [initialise(), f"801A450010{'00' * 16}"])
def test_nothing_works_outside_the_directory(command: str) -> None:
    sam = Sam(select=False)
    assert sam.sw(command) == "6985"


def test_macs_are_made_over_whole_blocks() -> None:
    sam = Sam()
    sam.sw(f"801A450010{SERIAL.hex()}{ISSUER.hex()}")
    assert sam.sw("80FA050011" + "00" * 17) == "6700"


def test_power() -> None:
    card = VirtualTransitPsam(terminal=TERMINAL)
    card.reset()
    with pytest.raises(CardRemoved):
        card.transmit(bytes.fromhex("00B0960006"))
    sam = Sam(card)
    sam.sw(initialise())
    card.reset()
    assert sam.sw("00B0970019") == "6A82", "the master file is selected again"
    card.power_off()
    with pytest.raises(CardRemoved):
        card.transmit(bytes.fromhex("00B0960006"))


def test_a_psam_shows_its_terminal_only() -> None:
    card = VirtualTransitPsam(terminal=TERMINAL)
    assert repr(card) == f"VirtualTransitPsam({TERMINAL})"
    assert repr(psam(card)) == f"TransitPsam({TERMINAL})"
    assert card.atr.endswith(bytes.fromhex(TERMINAL)[-4:])


@pytest.mark.parametrize("terminal", ["4131", "x" * 12])
def test_numbers_that_cannot_be(terminal: str) -> None:
    with pytest.raises(InputError, match="12"):
        VirtualTransitPsam(terminal=terminal)
    with pytest.raises(InputError, match="12"):
        VirtualTransitPsam(sequence=0)


# Our side ----------------------------------------------------------------------------------------------


def test_opening() -> None:
    opened = psam()
    assert opened.terminal.hex() == TERMINAL
    assert (opened.data.key_index, opened.data.issuer_code) == (1, ISSUER)


def test_a_psam_that_has_no_name_is_selected_as_a_file() -> None:
    card = VirtualTransitPsam(terminal=TERMINAL)
    card.power_on()

    def answer(command: bytes) -> bytes:
        return b"\x6a\x82" if command[1:3] == b"\xa4\x04" else card.transmit(command)

    assert TransitPsam.open(Channel(FunctionCard(answer, protocol="T=0"))).terminal.hex() == TERMINAL


def test_other_cards_are_refused() -> None:
    with pytest.raises(CardRefused, match="PSAM"):
        TransitPsam.open(channel(blank("ssc-v3")))


def other(answers: Callable[[bytes], bytes | None]) -> TransitPsam:
    """A PSAM that answers some commands otherwise."""
    card = VirtualTransitPsam(terminal=TERMINAL)
    card.power_on()

    def answer(command: bytes) -> bytes:
        given = answers(command)
        return card.transmit(command) if given is None else given

    return TransitPsam.open(Channel(FunctionCard(answer, protocol="T=0")))


def test_answers_of_another_length() -> None:
    short = other(lambda command: b"\x90\x00" if command[1] == 0x70 else None)
    with pytest.raises(ProtocolError, match="8"):
        short.initialize(random=bytes(4), sequence=0, deal=DEAL, key_version=1, algorithm=0, public=public(blank()))


def test_a_psam_that_fails_is_no_wrong_mac() -> None:
    assert psam_check(b"\x93\x02") is False
    with pytest.raises(StatusError):
        psam_check(b"\x65\x81")


def psam_check(sw: bytes) -> bool:
    return other(lambda command: sw if command[1] == 0x72 else None).check(bytes(4))


def test_keys_of_ones_own() -> None:
    keys = PurseKeys({name: bytes([index]) * 16 for index, name in enumerate(crypto.KEY_NAMES)})
    sam = Sam(VirtualTransitPsam(keys, terminal=TERMINAL))
    answer, _ = sam(initialise())
    session = crypto.purchase_key(keys.card_key("DPK", ISSUER, SERIAL), bytes.fromhex("00000001"), 5, answer[:4])
    assert answer[4:] == crypto.purchase_mac1(session, DEAL)
