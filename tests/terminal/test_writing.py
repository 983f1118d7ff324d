"""iWriteCard: parallel values, several files per call, everything checked before the first byte is written."""

import pytest

from juying.terminal.slots import Store
from tests.path import samples
from tests.terminal.cards import INFO, PROFILES, Desk, demonstration, personal, psam, psam_slot
from tests.terminal.test_reading import OtherKeys


@pytest.mark.parametrize("name", PROFILES)
def test_several_files_in_one_call(name: str) -> None:
    """As front ends of issuers write them; what was written is read back through the interface."""
    desk = Desk(personal(name), psam_slot())
    address = "SSSEEF05|05|06|$MFEF06|09|0A|0B|0C|0D|$"
    data = "20270101|20370101|$MFEF06|MUSTER ANNA|1|97|331002|19840101|$"
    assert desk.ok("iWriteCard", 1, INFO, address, f"SSSEEF05|{data}") == ""
    assert desk.ok("iReadCard", 1, 2, INFO, address) == f"SSSEEF05|{data}"


def test_a_photo_and_files_of_two_applications() -> None:
    desk = Desk(personal("ssc-v3"), demonstration())
    photo = (b"\xff\xd8" + bytes(range(256)) * 3 + b"\xff\xd9").hex()
    address = "SSSEEF08|$DF01EF06|23|28|$DF01EF0A|37|$DF01EF1A|$"
    desk.ok("iWriteCard", 1, "", address, f"SSSEEF08|{photo}|$DF01EF06|椒江|0576|$DF01EF0A|UTO|$DF01EF1A|0a0B|$")
    answer = desk.ok("iReadCard", 1, 2, "", address)
    assert answer == f"SSSEEF08|{photo.upper()}|$DF01EF06|椒江|0576|$DF01EF0A|UTO|$DF01EF1A|0A0B{'FF' * 294}|$"
    desk.ok("iWriteCard", 1, "", "SSSEEF08|$", "SSSEEF08||$")  # nothing is to be written


def test_an_empty_value_empties_the_record() -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    desk.ok("iWriteCard", 1, "", "SSSEEF06|09|0B|0D|$DF01EF15|40|$", "SSSEEF06||||$DF01EF15||$")
    assert desk.ok("iReadCard", 1, 2, "", "SSSEEF06|09|0B|0D|$DF01EF15|40|$") == "SSSEEF06||||$DF01EF15||$"


ADDRESS = "SSSEEF06|09|0A|0D|$DF04EF06|92|$DF02EF07|$SSSEEF05|01|$"
GOOD = ["MUSTER", "1", "19840101", "0.10", "2020100,20230301,,样本,", "331000D156000005991101450A0B0C0D"]


def data(*values: str) -> str:
    return "SSSEEF06|{}|{}|{}|$DF04EF06|{}|$DF02EF07|{}|$SSSEEF05|{}|$".format(*values)


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (0, "X" * 31, -42),
        (0, "安" * 16, -42),
        (0, "A\x01B", -41),
        (0, "A\ud800", -41),
        (2, "1984-1-1", -41),
        (2, "1984010", -42),
        (2, "19840231", -23),
        (3, "12,5", -41),
        (3, "-1", -41),
        (3, "298.196", -23),
        (3, "42949672.95", -42),
        (4, "2020100,20230301", -23),
        (4, "12345678,20230301,,x", -42),
        (5, "33100", -42),
        (5, "331000D1560000059911014", -42),
        (5, "331000D15600000599110145", -42),
        (5, "xx", -41),
    ],
)
def test_bad_values_are_refused_before_anything_is_written(place: int, value: str, code: int) -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    before = samples.memory_of(desk.card)
    values = [*GOOD[:place], value, *GOOD[place + 1 :]]
    got, text = desk("iWriteCard", 1, "", ADDRESS, data(*values))
    assert got == code
    assert value not in text
    assert samples.memory_of(desk.card) == before
    assert desk.code("iWriteCard", 1, "", ADDRESS, data(*GOOD)) == 0


@pytest.mark.parametrize(
    ("address", "value", "code"),
    [
        ("SSSEEF06|0B|$", "SSSEEF06|123|$", -42),
        ("SSSEEF06|0B|$", "SSSEEF06|x|$", -41),
        ("DF01EF15|40|$", "DF01EF15|1,201301,a,b|$", -23),
        ("DF01EF15|40|$", "DF01EF15|1,201313,a|$", -23),
        ("DF01EF1A|$", f"DF01EF1A|{'00' * 0x129}|$", -42),
        ("DF01EF1A|$", "DF01EF1A|123|$", -42),
        ("SSSEEF08|$", f"SSSEEF08|{'00' * 0x1000}|$", -42),
        ("DF04EF08|$", "DF04EF08|70000,1,1,20260101000000,1,1,1|$", -42),
        ("DF04EF08|$", "DF04EF08|x,1,1,20260101000000,1,1,1|$", -41),
        ("DF04EF08|$", "DF04EF08|1,1,1,20260101240000,1,1,1|$", -23),
        ("SSSEEF05|01|$", f"SSSEEF05|{'FF' * 16}|$", -23),
        ("DF04EF15|$", "DF04EF15|FFFF,1|$", -23),
        ("DF04EF05|8C|$", "DF04EF05|1|$", 0),
        ("SSSEEF06|0C|$", "SSSEEF06||$", 0),
        ("SSSEEF06|09|$", "SSSEEF06|a|b|$", -14),
        ("SSSEEF06|09|$", "SSSEEF05|a|$", -14),
        ("SSSEEF06|09|$", "SSSEEF06|a|$SSSEEF05|b|$", -14),
        ("SSSEEF06|09|$SSSEEF05|07|$", "SSSEEF06|a|$", -14),
        ("SSSEEF06|09|$", "", -14),
        ("SSSEEF06|09|$", "SSSEEF06|a|", -14),
        ("SSSEEF06|09|", "SSSEEF06|a|$", -14),
    ],
)
def test_forms_and_types(address: str, value: str, code: int) -> None:
    assert Desk(personal("ssc-v2"), demonstration()).code("iWriteCard", 1, "", address, value) == code


def test_what_only_the_purse_may_change() -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    row = "1,1,331000000001,20260101000000,1,2,3"
    assert desk.code("iWriteCard", 1, "", "DF04EF08|$", f"DF04EF08|{row}|$") == -0x6982


def test_a_missing_key_is_told_before_the_first_byte() -> None:
    """The first file could be written; the second could not, and so neither is."""
    card = personal("ssc-v2")
    before = samples.memory_of(card)
    address, values = "SSSEEF06|09|$DF01EF06|23|$", "SSSEEF06|MUSTER|$DF01EF06|x|$"
    without = psam_slot(psam(without={"DF01/UK4"}))
    assert Desk(card, without)("iWriteCard", 1, "", address, values) == (
        -0x6A88,
        "PSAM 卡 331000000001中没有密钥 DF01/UK4",
    )
    assert Desk(card).code("iWriteCard", 1, "", address, values) == -2201
    old = psam_slot(psam(profiles=("ssc-v1", "ssc-v2")))
    assert Desk(personal("ssc-v3"), old).code("iWriteCard", 1, "", address, values) == -2202
    assert samples.memory_of(card) == before


def test_a_wrong_key_is_a_status_word_and_changes_nothing() -> None:
    card = personal("ssc-v3")
    before = samples.memory_of(card)
    desk = Desk(card, Store(OtherKeys("SSSE/UKSSSE")))
    assert desk.code("iWriteCard", 1, "", "SSSEEF06|09|$", "SSSEEF06|MUSTER|$") == -0x63CE
    assert samples.memory_of(card) == before


def test_writing_needs_no_read_key() -> None:
    """A terminal that may write but not read puts the record where the profile has it."""
    without = psam_slot(psam(without={"SSSE/RKSSSE", "DF01/RKDF01"}))
    desk = Desk(personal("ssc-v3"), without, options={"pin": None})
    desk.ok("iWriteCard", 1, "", "SSSEEF06|09|$DF01EF06|23|$", "SSSEEF06|MUSTER|$DF01EF06|x|$")
    reading = Desk(desk.card, demonstration())
    assert reading.ok("iReadCard", 1, 2, "", "SSSEEF06|09|$DF01EF06|23|$") == "SSSEEF06|MUSTER|$DF01EF06|x|$"


def test_the_wrong_card_is_not_written() -> None:
    card = personal("ssc-v2")
    before = samples.memory_of(card)
    desk = Desk(card, demonstration())
    assert desk.code("iWriteCard", 1, "|JYX000029|", "SSSEEF06|09|$", "SSSEEF06|MUSTER|$") == -22
    assert samples.memory_of(card) == before


def test_names_beyond_gbk_survive() -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    desk.ok("iWriteCard", 1, "", "SSSEEF06|09|$", "SSSEEF06|𠮷安娜|$")
    assert desk.ok("iReadCard", 1, 2, "", "SSSEEF06|09|$") == "SSSEEF06|𠮷安娜|$"
