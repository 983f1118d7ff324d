"""PIN entry on the reader's own keypad (PC/SC part 10): the PIN never reaches this machine.

The reader is asked which features it has, and gets a structure that tells it where in a VERIFY or CHANGE PIN command
it has to put the digits. Numbers in the structures are little-endian, the list of features is BER-TLV with big-endian
control codes, as the standard has it.
"""

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

from juying.card.apdu import Response
from juying.card.channel import Channel
from juying.card.pin import CHANGE, PIN_DIGITS, SEPARATOR, VERIFY, Ask, PinEntry, PinSource
from juying.card.transport import Transport
from juying.errors import CardError, DecodeError
from juying.text import Text

Control = Callable[[int, bytes], bytes]
"""A control command to the reader: code and data in, data out. A transport may have it as ``control``."""

Tell = Callable[[Text], None]
"""Says something to the person at the reader."""

PLEASE = Text("请在读卡器键盘上输入个人密码", "enter the PIN on the keypad of the reader")

FEATURE_VERIFY_PIN_DIRECT = 0x06
FEATURE_MODIFY_PIN_DIRECT = 0x07

TIMEOUT = 30
"""Seconds in which the holder must begin to type (our choice)."""

NO_ENTRY, CANCELLED, NOT_SAME, WRONG_LENGTH = 0x6400, 0x6401, 0x6402, 0x6403
"""Status words of the reader itself: nobody typed, cancelled, the two new PINs differ, too few or too many digits."""

ANSWERS = {
    NO_ENTRY: Text("没有及时输入个人密码", "the PIN was not entered in time"),
    CANCELLED: Text("已取消输入个人密码", "the entry of the PIN was cancelled"),
    NOT_SAME: Text("两次输入的新密码不一致", "the new PIN was not entered the same way twice"),
    WRONG_LENGTH: Text(f"个人密码应为 {PIN_DIGITS} 位数字", f"a PIN has {PIN_DIGITS} digits"),
}
"""What these say."""

_FORMAT = 0x81
"""bmFormatString: units are bytes, PIN at byte 0 of the data, left justified, BCD."""
_BLOCK = PIN_DIGITS // 2
"""bmPINBlockString: three bytes, no length in front."""
_DIGITS = PIN_DIGITS << 8 | PIN_DIGITS
"""wPINMaxExtraDigit: fewest and most digits."""
_KEY_PRESSED = 0x02
"""bEntryValidationCondition: the holder presses the confirming key."""
_CONFIRM_AND_CURRENT = 0x03
"""bConfirmPIN: ask for the present PIN, and twice for the new one."""
_CHINESE = 0x0804
"""wLangId of the messages on the reader's display: simplified Chinese."""
_VERIFY = struct.Struct("<5BH2BHB3sL")
_MODIFY = struct.Struct("<7BH3BH3B3sL")
_EMPTY = b"\xff" * _BLOCK

_MAX_FEATURES = 256


def get_feature_request() -> int:
    """The control code CM_IOCTL_GET_FEATURE_REQUEST, SCARD_CTL_CODE(3400) of this system."""
    return 0x31 << 16 | 3400 << 2 if sys.platform == "win32" else 0x42000000 + 3400


@dataclass(frozen=True, slots=True)
class PinPad:
    """The keypad of the reader that holds a card; a `PinEntry`.

    ``features`` maps features to control codes; ``tell`` hears when the holder is to type.
    """

    control: Control
    features: dict[int, int]
    tell: Tell | None = None

    @classmethod
    def of(cls, transport: Transport, tell: Tell | None = None) -> "PinPad | None":
        """The keypad of this reader; None when it has none, or does not say so."""
        control: Control | None = getattr(transport, "control", None)
        if control is None:
            return None
        try:
            features = parse_features(control(get_feature_request(), b""))
        except (CardError, DecodeError):
            return None
        return cls(control, features, tell) if FEATURE_VERIFY_PIN_DIRECT in features else None

    def verify(self) -> int:
        """See `PinEntry.verify`; the status words of the reader are in `ANSWERS`."""
        return self._enter(FEATURE_VERIFY_PIN_DIRECT, verify_structure())

    def change(self, new: Ask) -> int:
        """See `PinEntry.change`; the reader asks for both PINs, ``new`` is not used.

        Raises `CardError` for a reader that can verify a PIN but not change it.
        """
        if FEATURE_MODIFY_PIN_DIRECT not in self.features:
            raise CardError("此读卡器的键盘不支持修改密码", "the keypad of this reader cannot change a PIN")
        return self._enter(FEATURE_MODIFY_PIN_DIRECT, modify_structure())

    def _enter(self, feature: int, structure: bytes) -> int:
        if self.tell is not None:
            self.tell(PLEASE)
        return Response.parse(self.control(self.features[feature], structure)).sw


def pad_or(otherwise: PinSource, tell: Tell | None = None) -> PinSource:
    """The reader's keypad where there is one, else ``otherwise``; ``tell`` hears when the holder is to type there."""

    def source(channel: Channel) -> PinEntry:
        return PinPad.of(channel.transport, tell) or otherwise(channel)

    return source


def parse_features(raw: bytes) -> dict[int, int]:
    """Features of a reader, each with its control code, from its answer: tag, length 4, code. Raises `DecodeError`."""
    if len(raw) % 6 or len(raw) > 6 * _MAX_FEATURES or any(length != 4 for length in raw[1::6]):
        raise DecodeError("读卡器功能列表格式不符", "the list of the reader's features is malformed")
    return {raw[at]: int.from_bytes(raw[at + 2 : at + 6]) for at in range(0, len(raw), 6)}


def verify_structure() -> bytes:
    """PIN_VERIFY_STRUCTURE around VERIFY with three bytes of PIN."""
    apdu = bytes((*VERIFY, _BLOCK)) + _EMPTY
    head = _VERIFY.pack(
        TIMEOUT, TIMEOUT, _FORMAT, _BLOCK, 0, _DIGITS, _KEY_PRESSED, 1, _CHINESE, 0, bytes(3), len(apdu)
    )
    return head + apdu


def modify_structure() -> bytes:
    """PIN_MODIFY_STRUCTURE around CHANGE PIN: the old PIN at byte 0 of the data, the new one behind the separator."""
    data = _EMPTY + SEPARATOR + _EMPTY
    apdu = bytes((*CHANGE, len(data))) + data
    head = _MODIFY.pack(
        TIMEOUT, TIMEOUT, _FORMAT, _BLOCK, 0,
        0, _BLOCK + len(SEPARATOR), _DIGITS,
        _CONFIRM_AND_CURRENT, _KEY_PRESSED, 3, _CHINESE, 0, 1, 2, bytes(3), len(apdu),
    )  # fmt: skip
    return head + apdu
