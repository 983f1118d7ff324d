"""Keyboard layouts of computers, as they garble what a scanner types for a US keyboard.

A scanner that poses as a keyboard sends keys, not characters: where the layout is French the key of a US ``1`` types
``&``. The tables list what becomes of the characters of our codes, and of the ``]`` of an AIM identifier, where
that is another one. They agree with the layouts of the X keyboard database; characters that go to a dead key are
missing, for what comes of them depends on the system and on the next character.
"""

from dataclasses import dataclass

from juying.codec.base45 import ALPHABET
from juying.text import Text

_SENT = ALPHABET + "]"
LOST = "\N{REPLACEMENT CHARACTER}"
"""What stands for a character that the layout cannot have typed."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout: its name, and for each character that it types the one that was sent."""

    name: Text
    sent: dict[str, str]

    def restore(self, typed: str) -> str:
        """The characters that were sent, `LOST` where none gives this one."""
        return "".join([self.sent.get(character, LOST) for character in typed])


def _layout(zh: str, en: str, others: dict[str, str], dead: str = "") -> Layout:
    """``others`` says what it types for those characters that become others, ``dead`` which go to a dead key."""
    return Layout(Text(zh, en), {others.get(sent, sent): sent for sent in _SENT if sent not in dead})


_FRENCH_DIGITS = dict(zip("0123456789", "à&é\"'(-è_ç", strict=True))
_RUSSIAN_LETTERS = dict(zip("QWERTYUIOPASDFGHJKLZXCVBNM", "ЙЦУКЕНГШЩЗФЫВАПРОЛДЯЧСМИТЬ", strict=True))

LAYOUTS = (
    _layout("德语", "German", {"Y": "Z", "Z": "Y", "*": "(", "-": "ß", "/": "-", ":": "Ö", "]": "+"}, dead="+"),
    _layout(
        "法语",
        "French",
        {
            **_FRENCH_DIGITS,
            **{"A": "Q", "Q": "A", "W": "Z", "Z": "W", "M": "?", ":": "M", "$": "4", "%": "5", "*": "8"},
            **{"-": ")", ".": ":", "/": "!", "]": "$"},
        },
    ),
    _layout("西班牙语", "Spanish", {"*": "(", "+": "¿", "-": "'", "/": "-", ":": "Ñ", "]": "+"}),
    _layout("意大利语", "Italian", {"*": "(", "+": "^", "-": "'", "/": "-", ":": "ç", "]": "+"}),
    _layout("瑞典语/芬兰语", "Swedish/Finnish", {"$": "¤", "*": "(", "-": "+", "/": "-", ":": "Ö"}, dead="+]"),
    _layout("俄语", "Russian", {**_RUSSIAN_LETTERS, "$": ";", ".": "ю", "/": ".", ":": "Ж", "]": "ъ"}),
    _layout("日语", "Japanese", {"*": "(", "+": "~", ":": "+", "]": "["}),
)
