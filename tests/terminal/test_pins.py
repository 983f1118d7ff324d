"""The holder's PIN through the interface: verified, changed, reloaded, unblocked, and every way that goes wrong."""

import pytest

from juying.card.apdu import Command
from juying.card.channel import Channel
from juying.card.pin import PinEntry, typed_pin
from juying.card.pin_pad import pad_or
from juying.card.virtual.transport import LocalTransport
from juying.errors import CardError, InputError
from juying.terminal.codes import CallError, Code
from juying.terminal.slots import Slots, Store
from tests.terminal.cards import INFO, INITIAL, OTHER, PIN, PROFILES, Desk, demonstration, personal, psam, psam_slot
from tests.terminal.test_reading import OtherKeys


@pytest.mark.parametrize("name", PROFILES)
def test_a_right_pin_and_wrong_ones(name: str) -> None:
    desk = Desk(personal(name))
    assert desk("iVerifyPIN", 1) == (0, "")
    desk.pin = OTHER
    assert [desk.code("iVerifyPIN", 1) for _ in range(7)] == [-51] * 5 + [-52] * 2
    desk.pin = INITIAL
    assert desk("iVerifyPIN", 1) == (-52, "密码已锁定")
    assert desk("iChangePIN", 1) == (-52, "密码已锁定")


@pytest.mark.parametrize("name", PROFILES)
def test_the_holder_changes_the_pin(name: str) -> None:
    desk = Desk(personal(name))
    assert desk("iChangePIN", 1) == (0, "")
    assert desk.code("iVerifyPIN", 1) == -51
    desk.pin = PIN
    assert desk("iVerifyPIN", 1) == (0, "")
    for initial in (INITIAL, "888888"):
        desk.new = initial
        assert desk("iChangePIN", 1) == (-36, "不能改为初始密码")
    desk.new, desk.pin = OTHER, OTHER
    assert desk.code("iChangePIN", 1) == -51


@pytest.mark.parametrize("wrong", ["", "12345", "1234567", "12345x", "１２３４５６"])
def test_a_pin_of_another_length_never_reaches_the_card(wrong: str) -> None:
    desk = Desk(personal("ssc-v2"), demonstration(), new=wrong)
    assert desk("iChangePIN", 1) == (-33, "密码长度错误")
    assert desk("iReloadPIN", 1, "") == (-33, "密码长度错误")
    desk.pin = wrong
    assert desk("iVerifyPIN", 1) == (-33, "密码长度错误")
    assert desk("iChangePIN", 1) == (-33, "密码长度错误")
    assert desk.card.memory.pin.tries == 6


def ask(code: Code) -> str:
    raise CallError(code)


@pytest.mark.parametrize("code", [Code.CANCELLED, Code.TIMEOUT, Code.PINS_DIFFER])
def test_who_asks_for_a_pin_may_say_why_there_is_none(code: Code) -> None:
    card = personal("ssc-v2")
    options = {"new_pin": lambda: ask(code)}
    assert Desk(card, demonstration(), options=options).code("iChangePIN", 1) == code
    assert Desk(card, demonstration(), options=options).code("iReloadPIN", 1, "") == code
    assert Desk(card, options={"pin": typed_pin(lambda: ask(code))}).code("iVerifyPIN", 1) == code


def nobody() -> str:
    raise InputError("无法询问", "there is nobody to ask")


def test_nobody_to_ask() -> None:
    card = personal("ssc-v2")
    desk = Desk(card, demonstration(), options={"pin": None, "new_pin": None})
    said = (-13, "不支持此功能：没有设置密码键盘或密码来源")
    assert [desk(name, 1) for name in ("iVerifyPIN", "iChangePIN", "iReadDebitRecord")] == [said] * 3
    assert desk("iReloadPIN", 1, "") == said
    assert Desk(card, options={"new_pin": None})("iChangePIN", 1) == said
    desk = Desk(card, demonstration(), options={"pin": typed_pin(nobody), "new_pin": nobody})
    assert [desk(name, 1) for name in ("iVerifyPIN", "iChangePIN")] == [(-13, "不支持此功能：无法询问")] * 2
    assert desk.code("iReloadPIN", 1, "") == -13


# The keypad of the reader ------------------------------------------------------------------------------


class Keypad:
    """A keypad on which the holder types, or does not."""

    def __init__(self, channel: Channel, says: int | None) -> None:
        self._channel = channel
        self._says = says

    def verify(self) -> int:
        if self._says is not None:
            return self._says
        return self._channel.transmit(Command(0x00, 0x20, 0x00, 0x00, bytes.fromhex(INITIAL))).sw

    def change(self, _: object) -> int:
        if self._says is not None:
            return self._says
        data = bytes.fromhex(INITIAL) + b"\xff" + bytes.fromhex(PIN)
        return self._channel.transmit(Command(0x80, 0x5E, 0x01, 0x00, data)).sw


@pytest.mark.parametrize(
    ("says", "code"),
    [(None, 0), (0x6400, -32), (0x6401, -31), (0x6402, -34), (0x6403, -33), (0x6F00, -0x6F00)],
)
def test_a_keypad_says_why_nothing_was_typed(says: int | None, code: int) -> None:
    def source(channel: Channel) -> PinEntry:
        return Keypad(channel, says)

    desk = Desk(personal("ssc-v2"), options={"pin": source, "new_pin": None})
    assert desk.code("iVerifyPIN", 1) == code
    assert desk.code("iChangePIN", 1) == code
    assert desk.card.memory.pin.value.hex() == (PIN if code == 0 else INITIAL)


class PadTransport(LocalTransport):
    """A reader with a keypad that verifies but does not change; the holder cancels."""

    def control(self, code: int, data: bytes) -> bytes:
        if data:
            return b"\x64\x01"
        return bytes.fromhex("060442000001")


def test_a_keypad_without_the_feature() -> None:
    card = personal("ssc-v2")
    pin = pad_or(typed_pin(nobody))
    desk = Desk(card, options={"slots": Slots(lambda: PadTransport(card)), "pin": pin})
    assert desk("iVerifyPIN", 1) == (-31, "已取消")
    assert desk("iChangePIN", 1) == (-13, "此读卡器的键盘不支持修改密码")


# The office -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROFILES)
def test_the_office_reloads_and_unblocks(name: str) -> None:
    desk = Desk(personal(name), psam_slot(), pin=OTHER)
    for _ in range(6):
        desk("iVerifyPIN", 1)
    assert desk.code("iVerifyPIN", 1) == -52
    assert desk("iUnblockPIN", 1, INFO) == (0, "")
    assert desk.code("iVerifyPIN", 1) == -51
    assert desk("iReloadPIN", 1, INFO) == (0, "")
    desk.pin = PIN
    assert desk("iVerifyPIN", 1) == (0, "")


@pytest.mark.parametrize(("function", "key"), [("iReloadPIN", "SSSE/RPK"), ("iUnblockPIN", "SSSE/PUK")])
def test_the_office_without_its_key(function: str, key: str) -> None:
    card = personal("ssc-v2")
    assert Desk(card).code(function, 1, "") == -2201
    assert Desk(card, psam_slot(psam(without={key}))).code(function, 1, "") == -0x6A88
    assert Desk(card, Store(OtherKeys(key))).code(function, 1, "") == -0x6988
    assert Desk(card, demonstration()).code(function, 1, "|JYX000029|") == -22
    assert card.memory.pin.value.hex() == INITIAL


def test_no_pin_is_in_any_answer() -> None:
    """Nor in what the terminal shows of itself."""
    desk = Desk(personal("ssc-v2"), demonstration(), pin=OTHER)
    texts = [desk(name, 1)[1] for name in ("iVerifyPIN", "iChangePIN")] + [desk("iReloadPIN", 1, "")[1]]
    assert not any(pin in "".join(texts) + repr(desk.terminal) for pin in (INITIAL, PIN, OTHER))


def test_errors_of_the_reader_are_unsupported() -> None:
    def broken() -> LocalTransport:
        raise CardError("坏", "broken")

    desk = Desk(personal("ssc-v2"), options={"slots": Slots(broken)})
    assert desk("iVerifyPIN", 1) == (-13, "坏")
