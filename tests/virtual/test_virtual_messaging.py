"""Protected commands: the MAC is verified whenever it is there, and opens what asks for it, for that command alone."""

import pytest

from juying.card.virtual.card import VirtualCard
from juying.codec.profile import load_profile
from juying.codec.spec import Profile
from juying.crypto.block import encrypt_ecb
from tests.virtual.conftest import free_profile
from tests.virtual.key_holder import SERIAL, KeyHolder, contents

PERMIT = "DF01/EF16"
WRITE = "D69600"
BODY = b"signed permit record"


def with_rule(name: str, rule: str) -> Profile:
    """A profile whose file EF16 is written under ``rule``."""
    tables = load_profile(name).model_dump(by_alias=True, exclude_defaults=True)
    for application in tables["application"]:
        for file in application["file"]:
            if (application["name"], file["fid"]) == ("DF01", "EF16"):
                file["write"] = rule
    return Profile.model_validate(tables)


@pytest.fixture(params=["mac:STK", "key:UK7 and mac:STK"])
def rule(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["ssc-v2", "ssc-v3"])
def strict(request: pytest.FixtureRequest, rule: str) -> KeyHolder:
    """At a card whose permit file asks for a MAC; in DF01, with the update key shown."""
    holder = KeyHolder(VirtualCard.blank(with_rule(request.param, rule), serial=SERIAL))
    holder.enter("DF01")
    holder.show({"key:UK7"})
    return holder


def stored(holder: KeyHolder) -> bytes:
    return bytes(holder.card.memory.files[PERMIT][0][: len(BODY)])


@pytest.mark.parametrize("encipher", [False, True])
def test_a_right_mac_opens_for_that_command(strict: KeyHolder, encipher: bool) -> None:
    """Plain with class 04, enciphered with 84; the command after it is refused again."""
    header = f"{'84' if encipher else '04'}{WRITE}00"[:8]
    assert strict.protected(header, BODY, key="DF01/STK", encipher=encipher) == "9000"
    assert stored(strict) == BODY
    before = contents(strict.card)
    assert strict.terminal.sw(f"00{WRITE}", b"later") == "6982"
    assert contents(strict.card) == before


def test_the_other_half_of_the_rule_is_needed_too(strict: KeyHolder, rule: str) -> None:
    """With a MAC but without the update key a rule that asks for both is not fulfilled."""
    strict.enter("DF01")
    expected = "6982" if "and" in rule else "9000"
    assert strict.protected(f"04{WRITE}", BODY, key="DF01/STK") == expected


@pytest.mark.parametrize("key", ["SSSE/STK", "DF02/STK", "DF01/UK7", "DF01/LK", "SSSE/MK"])
def test_a_mac_under_another_key_is_wrong(strict: KeyHolder, key: str) -> None:
    before = contents(strict.card)["files"]
    assert strict.protected(f"04{WRITE}", BODY, key=key) == "6988"
    assert contents(strict.card)["files"] == before


def test_every_bit_of_the_command_is_in_the_mac(strict: KeyHolder) -> None:
    """One bit turned anywhere behind the instruction: 6988, or it is no such command any more; nothing is written."""
    before = contents(strict.card)["files"]
    length = len(strict.protect(f"04{WRITE}", BODY, "DF01/STK"))
    for place in (0, 2, 3, *range(5, length)):
        for bit in (0x01, 0x80):
            command = bytearray(strict.protect(f"04{WRITE}", BODY, "DF01/STK"))
            command[place] ^= bit
            assert strict.send(bytes(command)) != "9000"
            strict.card.memory.keys["DF01/STK"].tries = 15
    assert contents(strict.card)["files"] == before


def test_a_mac_that_nobody_asked_for_is_verified_all_the_same(each_cipher: KeyHolder) -> None:
    """The rule asks for the update key only."""
    each_cipher.enter("DF01")
    each_cipher.show({"key:UK7"})
    assert each_cipher.protected(f"04{WRITE}", BODY, key="DF01/STK") == "9000"
    before = contents(each_cipher.card)["files"]
    assert each_cipher.protected(f"04{WRITE}", b"x" * 20, key="DF01/UK7") == "6988"
    assert each_cipher.terminal.sw(f"04{WRITE}", BODY + b"0000") == "6984"
    assert each_cipher.terminal.sw(f"04{WRITE}", b"ABC") == "6987"
    assert contents(each_cipher.card)["files"] == before


def test_a_mac_does_not_replace_a_key(each_cipher: KeyHolder) -> None:
    """It is no authentication."""
    each_cipher.enter("DF01")
    assert each_cipher.protected(f"04{WRITE}", BODY, key="DF01/STK") == "6982"


def test_a_command_cannot_be_sent_twice(strict: KeyHolder) -> None:
    command = strict.protect(f"04{WRITE}", BODY, "DF01/STK")
    assert strict.send(command) == "9000"
    assert strict.send(command) == "6984"
    strict.challenge(4 if strict.cipher.block == 8 else 16)
    assert strict.send(command) == "6988"


def test_records_too(each_cipher: KeyHolder) -> None:
    """UPDATE RECORD, and APPEND RECORD of a cyclic file, plain and enciphered."""
    each_cipher.enter("DF02")
    each_cipher.show({"key:UK3", "key:UK4"})
    certificate = b"\x97\x03\x33\x10\x02"
    assert each_cipher.protected("04DC044C", certificate, key="DF02/STK") == "9000"
    assert each_cipher.card.memory.files["DF02/EF09"][3] == certificate
    assert each_cipher.protected("84DC044C", certificate[:-1] + b"\x99", key="DF02/STK", encipher=True) == "9000"
    assert each_cipher.card.memory.files["DF02/EF09"][3][-1:] == b"\x99"
    row = b"J" * 0x55
    assert each_cipher.protected("84E20038", row, key="DF02/STK", encipher=True) == "9000"
    assert each_cipher.card.memory.files["DF02/EF07"] == [row]


def test_what_the_command_itself_refuses_is_refused(each_cipher: KeyHolder) -> None:
    """A right MAC does not make a wrong length right; the challenge is used up all the same."""
    each_cipher.enter("DF02")
    each_cipher.show({"key:UK4"})
    assert each_cipher.protected("04DC044C", b"\x97\x02\x33\x10", key="DF02/STK") == "6700"
    assert each_cipher.terminal.sw("04DC044C", b"\x97\x03\x33\x10\x02" + bytes(4)) == "6984"


@pytest.mark.parametrize("padding", [b"", b"\x80", b"\x80\x00"])
def test_a_padding_that_fills_the_last_block(each_cipher: KeyHolder, padding: bytes) -> None:
    """As long as it is needed, down to none at all, as PBOC does; it must be one."""
    each_cipher.enter("DF01")
    each_cipher.show({"key:UK7"})
    size = 31 - len(padding)
    plain = bytes((size,)) + b"P" * size
    key = each_cipher.key("DF01/STK")
    right = encrypt_ecb(each_cipher.cipher, key, plain + padding)
    assert each_cipher.protected(f"84{WRITE}", right, key="DF01/STK") == "9000"
    assert each_cipher.card.memory.files[PERMIT][0][:32] == b"P" * size + b"\xff" * (32 - size)
    if padding:
        wrong = encrypt_ecb(each_cipher.cipher, key, plain + padding[:-1] + b"\x01")
        assert each_cipher.protected(f"84{WRITE}", wrong, key="DF01/STK") == "6A80"


NO_DATA = [b"\xff" + b"x" * 15, b"\x01" + bytes(15), b"\x0ex\x80" + bytes(13), b"\x03abc" + bytes(12)]


@pytest.mark.parametrize("plain", NO_DATA)
def test_what_is_no_enciphered_data_is_refused(each_cipher: KeyHolder, plain: bytes) -> None:
    """A length beyond the end, a padding that is none, nothing at all: 6A80 behind a right MAC."""
    each_cipher.enter("DF01")
    each_cipher.show({"key:UK7"})
    before = contents(each_cipher.card)
    body = encrypt_ecb(each_cipher.cipher, each_cipher.key("DF01/STK"), plain)
    for wrong in (body, body[:-1], b""):
        assert each_cipher.protected(f"84{WRITE}", wrong, key="DF01/STK") == "6A80"
    assert contents(each_cipher.card) == before


def test_a_command_of_extended_length_has_no_mac() -> None:
    """The header that the MAC covers has five bytes."""
    holder = KeyHolder(VirtualCard.blank(free_profile("ssc-v3"), serial=SERIAL))
    holder.enter("DF01")
    holder.challenge(16)
    assert holder.send(bytes.fromhex(f"04{WRITE}000100") + bytes(256)) == "6700"


def test_the_counter_of_the_key_counts_wrong_macs(each_cipher: KeyHolder) -> None:
    """Fifteen, then 6983; a right one in between gives all tries back."""
    each_cipher.enter("DF01")
    each_cipher.show({"key:UK7"})
    assert each_cipher.protected(f"04{WRITE}", BODY, key="DF01/LK") == "6988"
    assert each_cipher.card.memory.keys["DF01/STK"].tries == 14
    assert each_cipher.protected(f"04{WRITE}", BODY, key="DF01/STK") == "9000"
    answers = [each_cipher.protected(f"04{WRITE}", BODY, key="DF01/LK") for _ in range(16)]
    assert answers == ["6988"] * 15 + ["6983"]
    assert each_cipher.protected(f"04{WRITE}", BODY, key="DF01/STK") == "6983"
    assert each_cipher.terminal.sw(f"00{WRITE}", BODY) == "9000"  # the rule does not ask for a MAC
