"""What a scanner types that poses as a keyboard ("wedge"), with the quirks of scanner, keyboard and computer.

What can only mean one thing is put right. Everything else is refused with the reason and the remedy, because the text
that a person sees on the screen then does not help them: there is no way to guess a code that is half lost. Characters
that were lost or doubled without any other trace are left to the signature.

Case: base45 has no lower case. With Caps Lock on, every letter arrives as a small one and nothing else changes, so a
text that has small letters only is put right. Small and capital letters in one text mean that the Shift key was lost on
the way here and there, and then a ``4`` may have been a ``$``.

Spaces: base45 has them, but never at the end, where the most significant digit of a group stands: that of two bytes is
at most ``W``, that of one at most ``5``. So spaces around a code are never part of it.
"""

import re
from string import ascii_lowercase, ascii_uppercase

from juying.codec import base45
from juying.credential.issue import MAX_TEXT, PREFIX
from juying.errors import DecodeError
from juying.scan.layouts import LAYOUTS, LOST
from juying.text import Text

MAX_TYPED = 2 * MAX_TEXT
"""Characters that are looked at; two codes without a line end between them are still told from garbage."""

_CONTROLS = "".join(map(chr, range(0x20))) + "\x7f\ufeff"
"""Line ends, the tab that some scanners add, STX and ETX around it, and the mark of an encoding."""
_FULL_WIDTH = {0xFEE0 + code: code for code in range(0x21, 0x7F)} | {
    ord(typed): meant for typed, meant in {"　": " ", "￥": "$", "¥": "$", "。": ".", "、": "/"}.items()
}
"""What a Chinese input method makes of ASCII; of 。 and 、 base45 has only one that can be meant."""
_CAPITAL = str.maketrans(ascii_lowercase, ascii_uppercase)
_AIM = re.compile(r"\](.)(.)", re.DOTALL)
_BEGINNING = re.compile(rf"(?:\]Q[0-6])?{PREFIX}")
_IDEOGRAPH = re.compile("[\u3400-\u9fff]")
_MAX_BEFORE = 20  # characters of a prefix that somebody may have set


def wedge_text(raw: str | bytes) -> str:
    """The text of the code out of one line that a scanner typed.

    Dropped are line ends, other control characters and spaces around it, and the AIM identifier of a QR code (``]Q1``).
    Put right are full-width characters, Caps Lock, and the layouts of `LAYOUTS` where nothing went to
    a dead key. Raises DecodeError, which says why and what to do.
    """
    text = _decoded(raw).translate(_FULL_WIDTH).strip(_CONTROLS + " ")
    text = _capital(_without_identifier(text))
    if not text.startswith(PREFIX):
        text = _without_identifier(_on_us_keyboard(text))
    if not text.startswith(PREFIX):
        raise _refused(_why_not_ours(text))
    _check_rest(text)
    return text


def _decoded(raw: str | bytes) -> str:
    if len(raw) > (MAX_TYPED if isinstance(raw, str) else 4 * MAX_TYPED):
        raise _refused(_TOO_LONG)
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _refused(_NO_TEXT) from None


def _capital(text: str) -> str:
    """The text as it is without Caps Lock."""
    if not any(letter in ascii_lowercase for letter in text) or _has_something_before(text):
        return text
    if any(letter in ascii_uppercase for letter in text) or text.startswith("jy1;"):
        raise _refused(_SHIFT_LOST)
    return text.translate(_CAPITAL)


def _on_us_keyboard(text: str) -> str:
    """The text as it would be on a US keyboard; as it is when that is no code of ours either."""
    for layout in LAYOUTS:
        restored = layout.restore(text)
        if _BEGINNING.match(restored):
            if LOST in restored:
                zh, en = layout.name
                raise _refused(
                    Text(
                        f"电脑键盘布局是{zh}，有字符不能还原；请把电脑键盘布局改为美式，或在扫码枪上设置同样的布局",
                        f"the computer's keyboard layout is {en}, and characters are lost beyond repair: set it to US, "
                        "or set the scanner to the same layout",
                    )
                )
            return restored
    return text


def _without_identifier(text: str) -> str:
    identifier = _AIM.match(text)
    if identifier is None:
        return text
    if identifier[1] not in "Qq":
        raise _refused(_NO_QR)
    return text[identifier.end() :]


def _has_something_before(text: str) -> bool:
    return 0 < text.find(PREFIX) <= _MAX_BEFORE


def _why_not_ours(text: str) -> Text:
    """What must have happened to a text that does not begin as ours do."""
    if not text:
        return _NOTHING
    if _IDEOGRAPH.search(text):
        return _INPUT_METHOD
    if _has_something_before(text):
        return _SOMETHING_BEFORE
    if any(text.startswith(PREFIX[lost:]) for lost in range(1, len(PREFIX))):
        return _BEGINNING_LOST
    return _NOT_OURS if set(text) <= set(base45.ALPHABET) else _OTHER_LAYOUT


def _check_rest(text: str) -> None:
    if any(character in _CONTROLS for character in text):
        raise _refused(_CONTROL_INSIDE)
    if not set(text) <= set(base45.ALPHABET):
        raise _refused(_INPUT_METHOD if _IDEOGRAPH.search(text) else _OTHER_LAYOUT)
    if len(text) > MAX_TEXT:
        raise _refused(_TOO_LONG)
    try:
        base45.decode(text.removeprefix(PREFIX))
    except DecodeError:
        raise _refused(_LOST_OR_DOUBLED) from None


def _refused(reason: Text) -> DecodeError:
    return DecodeError(*reason)


_TOO_LONG = Text(
    "文本太长：可能两次扫码连在一起，请让扫码枪在每个码后加回车",
    "the text is too long, perhaps two codes in one: let the scanner end each with Enter",
)
_NO_TEXT = Text(
    "扫码枪发来的不是文本，请设为 UTF-8 或 ASCII 输出", "the scanner sent no text: set it to UTF-8 or ASCII"
)
_SHIFT_LOST = Text(
    "有字符丢了 Shift 键（大小写混杂），不能还原；请调慢扫码枪的字符间隔，或关闭其大小写转换",
    "the Shift key was lost on the way, beyond repair: set a longer delay between characters on the scanner, and switch"
    " its case conversion off",
)
_NO_QR = Text(
    "扫到的不是二维码（QR），请对准聚英卡二维码", "what was scanned is no QR code: aim at the code of the 聚英卡"
)
_NOTHING = Text("没有内容", "there is nothing")
_INPUT_METHOD = Text(
    "中文输入法截走了字符，请切换到英文输入（ENG）再扫",
    "an input method took characters: switch to English and scan again",
)
_SOMETHING_BEFORE = Text(
    "扫码枪在码前加了别的字符，请关闭其前缀（]Q1 除外）",
    "the scanner puts characters before the code: switch its prefix off (]Q1 may stay)",
)
_BEGINNING_LOST = Text(
    "开头的字符丢了，请再扫一次；若总是如此，请调慢扫码枪",
    "the beginning is lost: scan again, and if it happens always, set a longer delay on the scanner",
)
_NOT_OURS = Text("这不是聚英卡的二维码", "this is no code of the 聚英卡")
_OTHER_LAYOUT = Text(
    "有聚英卡二维码中没有的字符：不是聚英卡的码，或键盘布局不对；请把电脑键盘布局改为美式",
    "there are characters that no code of the 聚英卡 has: another code, or the wrong keyboard layout; set the "
    "computer's layout to US",
)
_CONTROL_INSIDE = Text(
    "文本中间有控制字符：可能两次扫码连在一起，请再扫一次",
    "there is a control character in the text, perhaps two codes in one: scan again",
)
_LOST_OR_DOUBLED = Text(
    "有字符丢失或重复，请再扫一次；若总是如此，请调慢扫码枪，并关闭其后缀（回车、Tab 除外）",
    "characters were lost or doubled: scan again, and if it happens always, set a longer delay on the scanner, and "
    "switch its suffix off (Enter and Tab may stay)",
)
