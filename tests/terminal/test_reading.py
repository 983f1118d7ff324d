"""iReadCardBas and iReadCard: exact strings on every generation, with every kind of module and without."""

import pytest

from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.crypto.keys import DemonstrationKeys
from juying.errors import InputError
from juying.terminal.interface import Terminal
from juying.terminal.slots import Slots, Store
from tests.path import samples
from tests.terminal.cards import (
    DEVICE,
    HOLDER,
    IDENTIFIER,
    INFO,
    NAME,
    NUMBER,
    OWN_NUMBER,
    PROFILES,
    PSAM_NUMBER,
    Desk,
    basic,
    demonstration,
    empty,
    personal,
    psam,
    psam_slot,
)

NUMBERS = {"terminal_number": OWN_NUMBER, "device_number": DEVICE}


@pytest.mark.parametrize("name", PROFILES)
def test_eleven_fields_with_a_psam(name: str) -> None:
    """The number of the terminal is that of the PSAM."""
    desk = Desk(personal(name), psam_slot(), options=NUMBERS)
    assert desk.ok("iReadCardBas", 1) == basic(name, terminal=PSAM_NUMBER, device=DEVICE)


@pytest.mark.parametrize("name", PROFILES)
def test_eleven_fields_with_keys_of_a_store(name: str) -> None:
    desk = Desk(personal(name), demonstration(), options=NUMBERS)
    assert desk.ok("iReadCardBas", 3) == basic(name, terminal=OWN_NUMBER, device=DEVICE)


@pytest.mark.parametrize("name", PROFILES)
def test_eleven_fields_without_any_key(name: str) -> None:
    """A card of the third generation keeps number, card number and name to itself: fields 2, 3 and 5 are empty."""
    hidden = ("", "", "") if name == "ssc-v3" else None
    text = Desk(personal(name)).ok("iReadCardBas", 1)
    assert text == basic(name, holder=hidden)
    assert text.count("|") == 11


@pytest.mark.parametrize(("name", "code"), [("ssc-v1", 0), ("ssc-v2", 0), ("ssc-v3", -2201)])
def test_a_slot_without_its_psam(name: str, code: int) -> None:
    """Whoever has a slot means it to be used; cards that need no key are read all the same."""
    desk = Desk(personal(name), psam_slot())
    desk.module._slot = empty
    assert desk.code("iReadCardBas", 1) == code


@pytest.mark.parametrize(("name", "code"), [("ssc-v2", 0), ("ssc-v3", -2201)])
def test_callers_with_an_hsm_are_told_to_use_it(name: str, code: int) -> None:
    assert Desk(personal(name), options={"back_end": True}).code("iReadCardBas", 1) == code


def test_an_old_psam_lacks_the_algorithm_or_the_read_key() -> None:
    card = personal("ssc-v3")
    old = psam(profiles=("ssc-v1", "ssc-v2"))
    assert Desk(card, psam_slot(old))("iReadCardBas", 1) == (-2202, "PSAM 卡不支持此卡的算法")
    without = psam(without={"SSSE/RKSSSE"})
    assert Desk(card, psam_slot(without))("iReadCardBas", 1) == (-2203, "PSAM 卡没有 RKSSSE 密钥")


def test_a_psam_may_come_later_and_be_exchanged() -> None:
    desk = Desk(personal("ssc-v3"), psam_slot())
    held, desk.module._slot = desk.module._slot, empty
    assert desk.code("iReadCardBas", 1) == -2201
    first, second = psam(), psam(terminal_number="331000000002")
    desk.module._slot = lambda: LocalTransport(first)
    assert PSAM_NUMBER in desk.ok("iReadCardBas", 1)
    first.power_off()
    desk.module._slot = lambda: LocalTransport(second)
    assert "331000000002" in desk.ok("iReadCardBas", 1)
    desk.terminal.close()
    desk.module._slot = lambda: LocalTransport(personal("ssc-v2"))
    assert desk.code("iReadCardBas", 1) == -2201
    assert held is not None


class OtherKeys(DemonstrationKeys):
    """Keys of another office, which are right in all but one."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong

    def _city_key(self, key: object) -> bytearray:
        return bytearray(16) if key.name == self.wrong else super()._city_key(key)


@pytest.mark.parametrize("name", PROFILES)
def test_a_copied_chip_is_found_out(name: str) -> None:
    assert Desk(personal(name), Store(OtherKeys("SSSE/IRK")))("iReadCardBas", 1) == (-21, "内部认证失败")


def test_a_wrong_read_key_is_a_status_word() -> None:
    """-(0x63C0 + 14): the card has counted, and is not asked again."""
    desk = Desk(personal("ssc-v3"), Store(OtherKeys("SSSE/RKSSSE")))
    assert desk.code("iReadCardBas", 1) == -0x63CE
    assert desk.card.memory.keys["SSSE/RKSSSE"].tries == 14


def test_a_long_name_is_given_whole() -> None:
    card = personal("ssc-v3", name="MAXIMILIANA WOLFESCHLEGELSTEINHAUSENBERGER")
    text = Desk(card, demonstration()).ok("iReadCardBas", 1)
    assert text.split("|")[4].startswith("MAXIMILIANA WOLFESCHLEGELSTEINHAUSENB")


def test_a_card_without_identifier() -> None:
    card = personal("ssc-v2")
    card.memory.files["SSSE/EF05"][0][:] = bytes.fromhex("0110") + b"\xff" * 16
    assert Desk(card)("iReadCardBas", 1) == (-20, "卡识别码格式错误：卡上没有卡识别码")


# iReadCard -------------------------------------------------------------------------------------------

TWO_FILES = "SSSEEF05|01|07|$SSSEEF06|08|09|$"
TWO_ANSWERS = f"SSSEEF05|{IDENTIFIER}|{NUMBER}|$SSSEEF06|{HOLDER}|{NAME}|$"


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("auth", [1, 2])
def test_values_in_the_shape_of_their_addresses(name: str, auth: int) -> None:
    desk = Desk(personal(name), psam_slot())
    assert desk.ok("iReadCard", 1, auth, INFO, TWO_FILES) == TWO_ANSWERS


@pytest.mark.parametrize("spelling", ["MFEF05", "3F00EF05", "DDF1EF05", "ssseef05", "SSSE/EF05"])
def test_other_spellings_come_back_as_they_came(spelling: str) -> None:
    desk = Desk(personal("ssc-v2"))
    assert desk.ok("iReadCard", 1, 2, "", f"{spelling}|03|05|$") == f"{spelling}|2.00|20261201|$"


def test_values_alone_as_in_jiangsu() -> None:
    desk = Desk(personal("ssc-v2"), options={"values_only": True})
    assert desk.ok("iReadCard", 1, 2, "", TWO_FILES) == f"{IDENTIFIER}|{NUMBER}|{HOLDER}|{NAME}|"


def test_a_file_opens_with_pin_or_key_as_the_caller_says() -> None:
    """With the PIN no key is shown, with the key nobody is asked for a PIN."""
    card = personal("ssc-v2")
    answer = "DF01EF06|台州市虚构路1号|331002|$DF01EF0A|UTO|$"
    address = "DF01EF06|23|24|$DF01EF0A|37|$"
    assert Desk(card).ok("iReadCard", 1, 1, "", address) == answer
    assert Desk(card, demonstration(), options={"pin": None}).ok("iReadCard", 1, 2, "", address) == answer
    assert Desk(card).code("iReadCard", 1, 2, "", address) == -2201
    assert Desk(card, options={"pin": None}).code("iReadCard", 1, 1, "", address) == -13
    desk = Desk(card, demonstration(), pin="999999")
    assert desk("iReadCard", 1, 1, "", address) == (-51, "密码验证失败：个人密码错误，还可以试 5 次")
    assert card.memory.pin.tries == 5


def test_a_file_that_wants_both() -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    desk.ok("iWriteCard", 1, "", "DF04EF06|90|92|93|$", "DF04EF06|1|500|03|$")
    for auth in (1, 2):
        assert desk.ok("iReadCard", 1, auth, "", "DF04EF06|90|92|93|$") == "DF04EF06|1|500.00|03|$"
    assert Desk(desk.card).code("iReadCard", 1, 1, "", "DF04EF06|90|$") == -2201


def test_transparent_files_are_hex_digits() -> None:
    photo = b"\xff\xd8 a picture \xff\xd9"
    desk = Desk(personal("ssc-v3", photo=photo), demonstration())
    for tail in ("$", "|$", "|00|$", "|01|$"):
        asked = f"SSSEEF08{tail}"
        assert desk.ok("iReadCard", 1, 2, "", asked) == f"SSSEEF08|{photo.hex().upper()}|$"
    assert desk.ok("iReadCard", 1, 2, "", "DF01EF1A|$") == f"DF01EF1A|{'FF' * 0x128}|$"


def test_a_photo_without_a_length_is_the_whole_file() -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    desk.card.memory.files["SSSE/EF08"][0][:2] = b"\xff\xd8"
    text = desk.ok("iReadCard", 1, 2, "", "SSSEEF08|$")
    assert len(text) == len("SSSEEF08||$") + 2 * 0x1000
    assert text.startswith("SSSEEF08|FFD8")


def test_list_records_and_cyclic_files() -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    desk.ok("iWriteCard", 1, "", "DF01EF15|2A|40:02|$", "DF01EF15|11|123,201307,南京大学,|$")
    assert desk.ok("iReadCard", 1, 2, "", "DF01EF15|40|40:02|$") == "DF01EF15||123,201307,南京大学,|$"
    jobs = ("焊工,20200106,20230228,样本一,", "清洁工,20230301,20261130,样本二,")
    for job in jobs:
        desk.ok("iWriteCard", 1, "", "DF02EF07|$", f"DF02EF07|{job}|$")
    assert desk.ok("iReadCard", 1, 2, "", "DF02EF07:01$") == f"DF02EF07:01|{jobs[1]}|$"
    assert desk.ok("iReadCard", 1, 2, "", "DF02EF07|02|$") == f"DF02EF07|{jobs[0]}|$"
    assert desk.ok("iReadCard", 1, 2, "", "DF02EF07|$") == f"DF02EF07|{jobs[1]}|{jobs[0]}|$"
    assert desk.code("iReadCard", 1, 2, "", "DF02EF07|03|$") == -0x6A83
    assert desk.code("iReadCard", 1, 2, "", "DF01EF15|40:04|$") == -0x6A83


def test_records_are_found_by_their_tag() -> None:
    """A card that keeps its records in another order is read all the same."""
    desk = Desk(personal("ssc-v2"))
    records = desk.card.memory.files["SSSE/EF05"]
    records[4:] = reversed(records[4:])
    text = desk.ok("iReadCard", 1, 2, "", "SSSEEF05|07|05|06|$")
    assert text == f"SSSEEF05|{NUMBER}|20261201|20361201|$"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("DF09EF05|01|$", -0x6A82),
        ("SSSEEF1F|01|$", -0x6A82),
        ("SSSEEF05|77|$", -0x6A83),
        ("SSSEEF05|$", -14),
        ("SSSEEF08|02|$", -14),
        ("SSSEEF08|00|01|$", -14),
        ("DF02EF07|05|$", -14),
        ("DF02EF07|00|$", -14),
        ("DF02EF07|0A|$", -14),
    ],
)
def test_what_cards_of_this_kind_do_not_have(address: str, code: int) -> None:
    assert Desk(personal("ssc-v2"), demonstration()).code("iReadCard", 1, 2, "", address) == code


def test_an_optional_file_that_this_card_lacks() -> None:
    card = samples.blank("ssc-v2")
    assert Desk(card).code("iReadCard", 1, 2, "", "SSSEEF0D|EA|$") == -0x6A82


def test_what_makes_no_sense_is_said_and_not_shown() -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    desk.card.memory.files["SSSE/EF05"][4][:] = bytes.fromhex("050420269999")
    code, text = desk("iReadCard", 1, 2, "", "SSSEEF05|05|$")
    assert (code, "2026" in text) == (-23, False)
    desk.card.memory.files["DF02/EF07"].append(bytearray(b"\x99" * 85))
    assert desk.code("iReadCard", 1, 2, "", "DF02EF07|01|$") == -23


def test_separators_on_the_card_do_not_break_the_answer() -> None:
    desk = Desk(personal("ssc-v2"))
    record = desk.card.memory.files["SSSE/EF06"][1]
    record[:] = b"\x09\x1e" + b"A|B$C".ljust(30, b"\x00")
    assert desk.ok("iReadCard", 1, 2, "", "SSSEEF06|09|$") == "SSSEEF06|A｜B＄C|$"
    assert desk.ok("iReadCardBas", 1).split("|")[4] == "A｜B＄C"


@pytest.mark.parametrize("auth", [0, 3, -1])
def test_an_unknown_way_to_authenticate(auth: int) -> None:
    assert Desk(personal("ssc-v2")).code("iReadCard", 1, auth, "", TWO_FILES) == -14


# Which card -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (INFO, 0),
        (f"{IDENTIFIER[:24]}||", 0),
        (f"{IDENTIFIER.lower()}|{NUMBER}|", 0),
        (f"|{NUMBER}|", 0),
        ("", 0),
        (f"331000D15600000599110146FFFFFFFF|{NUMBER}|", -22),
        (f"{IDENTIFIER}|JYX000029|", -22),
        ("|JYX000029|", -22),
        ("123|JYX000029|", -20),
        ("no card", -14),
        (f"{IDENTIFIER}|{NUMBER}", -14),
        (f"{IDENTIFIER}|{NUMBER}|x", -14),
        (f"{IDENTIFIER}|{'9' * 10}|", -14),
    ],
)
def test_the_card_is_the_one_that_the_caller_means(info: str, code: int) -> None:
    assert Desk(personal("ssc-v2")).code("iReadCard", 1, 2, info, "SSSEEF05|03|$") == code


def test_a_card_number_that_is_not_shown_is_not_compared() -> None:
    """A card of the third generation shows its number after authentication; its identifier it shows at once."""
    desk = Desk(personal("ssc-v3"))
    assert desk.code("iReadCard", 1, 2, f"{IDENTIFIER}|JYX000029|", "SSSEEF05|03|$") == 0
    assert desk.code("iReadCard", 1, 2, "|JYX000029|", "SSSEEF05|03|$") == -22


# iType ----------------------------------------------------------------------------------------------


def test_itype_says_which_reader_and_in_which_order() -> None:
    contact, contactless = personal("ssc-v2"), personal("ssc-v3")
    here, there = (lambda: LocalTransport(contact)), (lambda: LocalTransport(contactless))

    def versions(slots: Slots) -> list[object]:
        desk = Desk(contact, options={"slots": slots})
        answers = [desk("iReadCard", kind, 2, "", "SSSEEF05|03|$") for kind in (1, 2, 3, 4)]
        return [text.split("|")[1] if code == 0 else code for code, text in answers]

    assert versions(Slots(here, there)) == ["2.00", "3.00", "2.00", "3.00"]
    assert versions(Slots(empty, there)) == [-2, "3.00", "3.00", "3.00"]
    assert versions(Slots(here, empty)) == ["2.00", -2, "2.00", "2.00"]
    assert versions(Slots(empty, empty)) == [-2, -2, -2, -2]
    assert versions(Slots(here)) == ["2.00", -13, "2.00", "2.00"]
    assert versions(Slots(None, there)) == [-13, "3.00", "3.00", "3.00"]
    assert versions(Slots()) == [-13, -13, -13, -13]
    desk = Desk(contact)
    assert [desk.code("iReadCardBas", kind) for kind in (0, 5, -1)] == [-14, -14, -14]


def test_a_profile_can_be_named() -> None:
    """For cards that do not tell theirs."""
    card = personal("ssc-v2")
    card.memory.files["SSSE/EF05"][2][:] = bytes.fromhex("0304") + b"9.99"
    assert Desk(card).code("iReadCardBas", 1) == -1
    desk = Desk(card, demonstration(), options={"profile": load_profile("ssc-v2")})
    assert desk.ok("iReadCardBas", 1) == basic("ssc-v2").replace("2.00", "9.99")


def test_numbers_of_the_terminal_have_their_digits() -> None:
    for wrong in ({"terminal_number": "1"}, {"device_number": "x" * 20}):
        with pytest.raises(InputError, match="digits"):
            Terminal(Slots(), **wrong)


def test_a_terminal_lets_go_of_its_psam() -> None:
    module = psam()
    with Desk(personal("ssc-v3"), psam_slot(module)).terminal as terminal:
        assert terminal.call("iReadCardBas", ["1"])[0] == 0
        assert module._session is not None
    assert module._session is None
    with Desk(personal("ssc-v3"), demonstration()).terminal as terminal:
        assert terminal.call("iReadCardBas", ["1"])[0] == 0
