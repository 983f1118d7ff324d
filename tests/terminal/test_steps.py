"""The HSM steps end to end: our side makes the texts, a back end with the same keys answers them."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.crypto.block import Cipher, decrypt_ecb
from juying.crypto.keys import DemonstrationKeys
from juying.errors import CardRemoved, DecodeError, InputError, KeyUseError
from juying.terminal.conversation import TIME_LIMIT
from juying.terminal.hsm import CardReference, answer_step
from juying.terminal.slots import NoKeys, Slots
from tests.path import samples
from tests.terminal.cards import (
    DEVICE,
    HISTORICAL,
    IDENTIFIER,
    INFO,
    NAME,
    OTHER,
    OWN_NUMBER,
    PIN,
    PROFILES,
    Desk,
    basic,
    demonstration,
    new_pin,
    personal,
    psam_slot,
)

ALGORITHM = {"ssc-v1": "01", "ssc-v2": "01", "ssc-v3": "03"}
NUMBERS = {"terminal_number": OWN_NUMBER, "device_number": DEVICE}
GENERATIONS = pytest.mark.parametrize("name", PROFILES)


def block(name: str) -> int:
    """Hex digits of a challenge."""
    return 32 if ALGORITHM[name] == "03" else 16


# iReadCardBas -----------------------------------------------------------------------------------------


@GENERATIONS
def test_basic_data_in_two_steps(name: str) -> None:
    desk = Desk(personal(name), options=NUMBERS)
    text = desk.ok("iReadCardBas_HSM_Step1", 1)
    external = rf"[0-9A-F]{{{block(name)}}}\|" * 2 if name == "ssc-v3" else r"\|\|"
    head = rf"331000\|{HISTORICAL[name]}\|{ALGORITHM[name]}\|{IDENTIFIER}\|"
    assert re.fullmatch(rf"{head}[0-9A-F]{{16}}\|[0-9A-F]{{16}}\|{external}{OWN_NUMBER}\|", text)
    key = desk.pkey(text)
    assert re.fullmatch(r"[0-9A-F]{32}\|([0-9A-F]{32})?\|", key)
    assert desk.ok("iReadCardBas_HSM_Step2", key) == basic(name, terminal=OWN_NUMBER, device=DEVICE)


def test_without_a_terminal_number_the_text_is_shorter() -> None:
    desk = Desk(personal("ssc-v2"))
    text = desk.ok("iReadCardBas_HSM_Step1", 1)
    assert text.count("|") == 8
    assert desk.ok("iReadCardBas_HSM_Step2", desk.pkey(text)) == basic("ssc-v2")


def test_the_number_of_a_psam_that_lacks_keys() -> None:
    desk = Desk(personal("ssc-v2"), psam_slot())
    assert desk.ok("iReadCardBas_HSM_Step1", 1).endswith("|331000000001|")
    desk.module._slot = lambda: (_ for _ in ()).throw(CardRemoved("无", "none"))
    desk.module.close()
    assert desk.ok("iReadCardBas_HSM_Step1", 1).count("|") == 8


def test_a_back_end_may_leave_the_trailing_bar_to_the_caller() -> None:
    desk = Desk(personal("ssc-v3"))
    key = desk.pkey(desk.ok("iReadCardBas_HSM_Step1", 1))
    assert desk.ok("iReadCardBas_HSM_Step2", key.removesuffix("|")) == basic("ssc-v3")


@pytest.mark.parametrize("name", ["ssc-v2", "ssc-v3"])
def test_eight_bytes_of_proof_do_for_3des(name: str) -> None:
    desk = Desk(personal(name))
    proof, opening, _ = desk.pkey(desk.ok("iReadCardBas_HSM_Step1", 1)).split("|")
    code, text = desk("iReadCardBas_HSM_Step2", f"{proof[:16]}|{opening}|")
    assert (code, text) == ((0, basic(name)) if name == "ssc-v2" else (-14, "参数错误：pKey 格式错误"))


def test_without_external_authentication_three_fields_are_empty() -> None:
    desk = Desk(personal("ssc-v3"))
    proof = desk.pkey(desk.ok("iReadCardBas_HSM_Step1", 1)).partition("|")[0]
    assert desk.ok("iReadCardBas_HSM_Step2", f"{proof}||") == basic("ssc-v3", holder=("", "", ""))


@GENERATIONS
def test_a_chip_that_the_back_end_does_not_know(name: str) -> None:
    desk = Desk(personal(name))
    key = desk.pkey(desk.ok("iReadCardBas_HSM_Step1", 1))
    assert desk.code("iReadCardBas_HSM_Step2", "00" * 16 + key[32:]) == -21


def test_a_wrong_opening_is_a_status_word() -> None:
    desk = Desk(personal("ssc-v3"))
    key = desk.pkey(desk.ok("iReadCardBas_HSM_Step1", 1))
    assert desk("iReadCardBas_HSM_Step2", key[:33] + "00" * 16 + "|") == (-0x63CE, "外部认证失败")


# iReadCard and iWriteCard -----------------------------------------------------------------------------

READ = "DF01EF06|23|24|$DF01EF0A|37|$"


@pytest.mark.parametrize("name", ["ssc-v2", "ssc-v3"])
def test_files_in_two_steps(name: str) -> None:
    desk = Desk(personal(name))
    text = desk.ok("iReadCard_HSM_Step1", 1, INFO, READ)
    assert re.fullmatch(rf"{ALGORITHM[name]}\|004F2E\|[0-9A-F]{{{block(name)}}}\|[0-9A-F]{{{block(name)}}}\|", text)
    key = desk.pkey(text)
    assert re.fullmatch(r"[0-9A-F]{32}\|", key)
    answer = "DF01EF06|台州市虚构路1号|331002|$DF01EF0A|UTO|$"
    assert desk.ok("iReadCard_HSM_Step2", key) == answer


@pytest.mark.parametrize(
    ("address", "where"), [("SSSEEF08|$", "004C0A"), ("DF03EF05|61|$", "01962C"), ("DF07EF06|F5|$", "00803F")]
)
def test_addresses_of_keys(address: str, where: str) -> None:
    desk = Desk(personal("ssc-v2"))
    text = desk.ok("iReadCard_HSM_Step1", 1, "", address)
    assert text.split("|")[1] == where
    assert desk.code("iReadCard_HSM_Step2", desk.pkey(text)) == 0


def test_a_file_that_wants_the_pin_too() -> None:
    desk = Desk(personal("ssc-v2"))
    text = desk.ok("iReadCard_HSM_Step1", 1, "", "DF04EF06|90|$")
    assert desk.ok("iReadCard_HSM_Step2", desk.pkey(text)) == "DF04EF06||$"
    desk.pin = OTHER
    assert desk.code("iReadCard_HSM_Step1", 1, "", "DF04EF06|90|$") == -51


@GENERATIONS
def test_writing_in_two_steps(name: str) -> None:
    desk = Desk(personal(name), demonstration())
    address = "SSSEEF05|06|$SSSEEF06|09|$"
    text = desk.ok("iWriteCard_HSM_Step1", 1, INFO, address)
    assert text.startswith(f"{ALGORITHM[name]}|009412|")
    data = "SSSEEF05|20370101|$SSSEEF06|MUSTER|$"
    assert desk("iWriteCard_HSM_Step2", desk.pkey(text), data) == (0, "")
    assert desk.ok("iReadCard", 1, 2, "", address) == data


@pytest.mark.parametrize(
    ("data", "code"), [("SSSEEF06|19840231|$", -23), ("SSSEEF06|1|2|$", -14), ("SSSEEF06|x|$", -41)]
)
def test_bad_values_end_the_conversation_with_the_card_untouched(data: str, code: int) -> None:
    desk = Desk(personal("ssc-v2"))
    before = samples.memory_of(desk.card)
    key = desk.pkey(desk.ok("iWriteCard_HSM_Step1", 1, "", "SSSEEF06|0D|$"))
    assert desk.code("iWriteCard_HSM_Step2", key, data) == code
    assert desk.code("iWriteCard_HSM_Step2", key, "SSSEEF06|19840101|$") == -12
    assert samples.memory_of(desk.card) == before


@pytest.mark.parametrize("key", ["", "|", "xx|", "00" * 15 + "|", "00" * 17, "0" * 31, "００" * 16])
def test_a_malformed_key(key: str) -> None:
    desk = Desk(personal("ssc-v2"))
    desk.ok("iReadCard_HSM_Step1", 1, "", READ)
    assert desk("iReadCard_HSM_Step2", key) == (-14, "参数错误：pKey 格式错误")


def test_a_wrong_key_of_the_back_end() -> None:
    desk = Desk(personal("ssc-v2"))
    desk.ok("iWriteCard_HSM_Step1", 1, "", "SSSEEF06|09|$")
    assert desk.code("iWriteCard_HSM_Step2", "00" * 16, "SSSEEF06|MUSTER|$") == -0x63CE


@pytest.mark.parametrize(
    ("function", "address", "code"),
    [
        ("iReadCard_HSM_Step1", "SSSEEF05|01|07|$", -2204),
        ("iReadCard_HSM_Step1", "DF01EF06|23|$DF02EF06|4C|$", -14),
        ("iReadCard_HSM_Step1", "DF07EF05|F0|$DF07EF06|F5|$", -14),
        ("iReadCard_HSM_Step1", "DF04EF08|$", -13),
        ("iWriteCard_HSM_Step1", "DF01EF0A|37|$", -13),
        ("iWriteCard_HSM_Step1", "DF04EF08|$", -13),
        ("iReadCard_HSM_Step1", "SSSEEF05|77|$", -0x6A83),
        ("iReadCard_HSM_Step1", "nothing", -14),
    ],
)
def test_what_no_single_key_does(function: str, address: str, code: int) -> None:
    assert Desk(personal("ssc-v2")).code(function, 1, "", address) == code


def test_a_free_file_may_be_read_along() -> None:
    """On a card of the third generation, in the application that the key opens."""
    desk = Desk(personal("ssc-v3"))
    text = desk.ok("iReadCard_HSM_Step1", 1, "", "SSSEEF05|03|07|$SSSEEF06|09|$")
    assert desk.ok("iReadCard_HSM_Step2", desk.pkey(text)) == f"SSSEEF05|3.00|JYX000010|$SSSEEF06|{NAME}|$"


# iReloadPIN and iUnblockPIN ---------------------------------------------------------------------------


@GENERATIONS
def test_a_pin_is_reloaded_in_three_steps(name: str) -> None:
    desk = Desk(personal(name))
    first = desk.ok("iReloadPIN_HSM_Step1", 1, INFO)
    assert first.startswith(f"{ALGORITHM[name]}|009412|")
    second = desk.ok("iReloadPIN_HSM_Step2", desk.pkey(first))
    challenge = 32 if name == "ssc-v3" else 8
    assert re.fullmatch(rf"{ALGORITHM[name]}\|009010\|[0-9A-F]{{{challenge}}}\|84D4\|{PIN}\|", second)
    command = bytes.fromhex(desk.pkey(second).removesuffix("|"))
    assert len(command) == (25 if name == "ssc-v3" else 17)
    assert desk.ok("iReloadPIN_HSM_Step3", command.hex()) == ""
    desk.pin = PIN
    assert desk.code("iVerifyPIN", 1) == 0


def test_the_pin_block_is_that_of_the_sheet() -> None:
    """Length, PIN in BCD, 80, 00 … : 0312345680000000."""
    desk = Desk(personal("ssc-v2"), new="123456")
    second = desk.ok("iReloadPIN_HSM_Step2", desk.pkey(desk.ok("iReloadPIN_HSM_Step1", 1, "")))
    command = bytes.fromhex(desk.pkey(second).removesuffix("|"))
    key = bytes(desk.card.memory.keys["SSSE/RPK"].value)
    assert decrypt_ecb(Cipher.TDES, key, command[5:13]).hex() == "0312345680000000"


@GENERATIONS
def test_a_pin_is_unblocked_in_three_steps(name: str) -> None:
    desk = Desk(personal(name))
    desk.card.memory.pin.tries = 0
    second = desk.ok("iUnblockPIN_HSM_Step2", desk.pkey(desk.ok("iUnblockPIN_HSM_Step1", 1, "")))
    assert re.fullmatch(rf"{ALGORITHM[name]}\|009010\|[0-9A-F]+\|8424\|", second)
    command = desk.pkey(second).removesuffix("|")
    assert re.fullmatch("84240001 04 [0-9A-F]{8}".replace(" ", ""), command)
    assert desk.ok("iUnblockPIN_HSM_Step3", command) == ""
    assert desk.code("iVerifyPIN", 1) == 0


@pytest.mark.parametrize(
    ("key", "code"),
    [("84240001040000000", -14), ("8424000104" + "00" * 4, -0x6988), ("8416000004" + "00" * 4, -14), ("", -14)],
)
def test_only_the_command_that_was_asked_for_reaches_the_card(key: str, code: int) -> None:
    """A back end cannot have the card blocked instead of unblocked."""
    desk = Desk(personal("ssc-v2"))
    desk.ok("iUnblockPIN_HSM_Step2", desk.pkey(desk.ok("iUnblockPIN_HSM_Step1", 1, "")))
    assert desk.code("iUnblockPIN_HSM_Step3", key) == code
    assert not desk.card.memory.blocked


def test_a_new_pin_that_is_none() -> None:
    desk = Desk(personal("ssc-v2"), new="1")
    assert desk.code("iReloadPIN_HSM_Step2", desk.pkey(desk.ok("iReloadPIN_HSM_Step1", 1, ""))) == -33


# iDoDebit ---------------------------------------------------------------------------------------------

PAY = "0.1|212.5|20261201093000|"


@GENERATIONS
def test_a_debit_in_two_steps(name: str) -> None:
    desk = Desk(personal(name), options=NUMBERS)
    new_pin(desk)
    text = desk.ok("iDoDebit_HSM_Step1", 1, INFO, PAY)
    fields = rf"{ALGORITHM[name]}\|0188C2\|[0-9A-F]{{8}}\|0001\|0000000A00005302\|36\|{OWN_NUMBER}\|20261201093000\|"
    assert re.fullmatch(fields, text)
    key = desk.pkey(text)
    assert re.fullmatch(r"00000001\|20261201093000\|[0-9A-F]{8}\|", key)
    answer = desk.ok("iDoDebit_HSM_Step2", key)
    assert answer.startswith(f"1|6|{OWN_NUMBER}|20261201093000|0.10|212.50|0.00|")


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("00000001|20261201093000|00000000|", -37634),
        ("00000002|20261201093000|00000000|", -14),
        ("00000001|20261201093001|00000000|", -14),
        ("00000001|20261201093000|000000|", -14),
        ("00000001", -14),
    ],
)
def test_a_debit_that_the_back_end_spoils(key: str, code: int) -> None:
    desk = Desk(personal("ssc-v2"), options=NUMBERS)
    new_pin(desk)
    desk.ok("iDoDebit_HSM_Step1", 1, "", PAY)
    assert desk.code("iDoDebit_HSM_Step2", key) == code
    assert desk.card.memory.files["DF04/EF08"] == []


# Between the steps ------------------------------------------------------------------------------------


def test_steps_come_in_their_order_or_not_at_all() -> None:
    desk = Desk(personal("ssc-v2"))
    assert desk("iReadCard_HSM_Step2", "00" * 16) == (-12, "没有上一步骤，或会话已结束")
    key = desk.pkey(desk.ok("iReloadPIN_HSM_Step1", 1, ""))
    assert desk.code("iReloadPIN_HSM_Step3", key) == -12
    assert desk.code("iReloadPIN_HSM_Step2", key) == -12
    desk.ok("iReadCard_HSM_Step1", 1, "", READ)
    assert desk.code("iReloadPIN_HSM_Step2", key) == -12
    text = desk.ok("iReadCard_HSM_Step1", 1, "", READ)
    desk.ok("iReadCard_HSM_Step2", desk.pkey(text))
    assert desk.code("iReadCard_HSM_Step2", desk.pkey(text)) == -12


def test_a_card_does_not_wait_for_ever() -> None:
    desk = Desk(personal("ssc-v2"))
    key = desk.pkey(desk.ok("iReadCard_HSM_Step1", 1, "", READ))
    desk.now += TIME_LIMIT + 1
    assert desk.code("iReadCard_HSM_Step2", key) == -12
    key = desk.pkey(desk.ok("iReadCard_HSM_Step1", 1, "", READ))
    desk.now += TIME_LIMIT - 1
    assert desk.code("iReadCard_HSM_Step2", key) == 0


@pytest.mark.parametrize("other", [("iReadCardBas_HSM_Step1", 1), ("iReadCardBas", 1), ("iVerifyPIN", 1)])
def test_another_call_ends_the_conversation(other: tuple[Any, ...]) -> None:
    desk = Desk(personal("ssc-v2"))
    key = desk.pkey(desk.ok("iReadCard_HSM_Step1", 1, "", READ))
    desk.ok(*other)
    assert desk.code("iReadCard_HSM_Step2", key) == -12


def test_a_card_that_is_pulled_ends_the_conversation() -> None:
    desk = Desk(personal("ssc-v2"))
    key = desk.pkey(desk.ok("iReadCard_HSM_Step1", 1, "", READ))
    desk.card.power_off()
    assert desk.code("iReadCard_HSM_Step2", key) == -2
    assert desk.code("iReadCard_HSM_Step2", key) == -12


class Stuck(LocalTransport):
    """A reader that cannot even let go of its card."""

    def close(self) -> None:
        super().close()
        raise CardRemoved("无", "gone")


def test_letting_go_of_a_card_that_is_gone() -> None:
    card = personal("ssc-v2")
    desk = Desk(card, options={"slots": Slots(lambda: Stuck(card))})
    desk.ok("iReadCard_HSM_Step1", 1, "", READ)
    desk.terminal.close()
    assert desk.code("iReadCard_HSM_Step2", "00" * 16) == -12


def test_the_wrong_card_is_refused_at_once() -> None:
    desk = Desk(personal("ssc-v2"))
    for function, *rest in (("iReadCard", READ), ("iWriteCard", READ), ("iReloadPIN",), ("iUnblockPIN",)):
        assert desk.code(f"{function}_HSM_Step1", 1, "|JYX000029|", *rest) == -22
    assert desk.code("iDoDebit_HSM_Step1", 1, "|JYX000029|", PAY) == -22


# The back end -----------------------------------------------------------------------------------------


def test_a_back_end_learns_the_card_from_its_basic_data() -> None:
    text = basic("ssc-v3")
    assert CardReference.of_basic(text) == CardReference("331000", bytes.fromhex(HISTORICAL["ssc-v3"]))
    for wrong in ("", "331000|", text.replace("331000|", "x|", 1), text.replace(HISTORICAL["ssc-v3"], "0")):
        with pytest.raises(DecodeError):
            CardReference.of_basic(wrong)


def test_a_back_end_without_card_or_key() -> None:
    step = "01|004C0A|0011223344556677|0011223344556677|"
    with pytest.raises(InputError, match="which card"):
        answer_step(DemonstrationKeys(), step)
    reference = CardReference.of_basic(basic("ssc-v2"))
    with pytest.raises(KeyUseError):
        answer_step(NoKeys(), step, reference)
    with pytest.raises(InputError, match="address"):
        answer_step(DemonstrationKeys(), step.replace("004C0A", "004C0B"), reference)
    with pytest.raises(DecodeError):
        answer_step(DemonstrationKeys(), step.replace("01|", "02|", 1), reference)
    with pytest.raises(DecodeError):
        answer_step(DemonstrationKeys(), "1|2|3|", reference)
    assert str(NoKeys().title) == "本终端 / this terminal"
    assert load_profile("ssc-v2").security.cipher == "3des"


@settings(max_examples=300)
@given(
    text=st.one_of(st.text(max_size=60), st.lists(st.text("0123456789ABCDEF", max_size=34), max_size=10).map("|".join))
)
def test_no_text_makes_a_back_end_fail_otherwise(text: str) -> None:
    reference = CardReference.of_basic(basic("ssc-v2"))
    for candidate in (text, f"01|004C0A|{text}", f"331000|{HISTORICAL['ssc-v2']}|01|{text}", "1" * 2000):
        try:
            answer_step(DemonstrationKeys(), candidate, reference)
        except (InputError, KeyUseError):
            continue
