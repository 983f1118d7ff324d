"""The caption below a QR code: laid out once for all kinds of pictures, and drawn for those made of pixels.

Lengths are in units of an eighth of a module, which are the pixels of our PNG pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from PIL import Image, ImageDraw

from juying.codec.fonts import fit, has_glyphs, typeset
from juying.text import Text

SMALLEST = 14
"""Units; no letter becomes smaller than that, the picture rather wider."""

MARGIN = 2
"""Units around a line, for letters that reach out of their place."""

WHITE = 0xFF
INK, PALE_INK = 0x00, 0x55
"""Greys of the first and the second language; both are among sixteen greys."""

_FIRST, _REST = 30, 22  # size of the first line and of the others
_SIXTEEN = [round(value / 17) for value in range(256)]
_DESCENT = 0.25  # of the size, what hangs below the baseline


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the caption: ``size`` of its letters, ``width`` as it runs, ``height`` down to the next line."""

    text: str
    size: int
    ink: int
    width: float
    height: int

    @property
    def baseline(self) -> int:
        """From the top of the line down to the baseline."""
        return round(self.size * (1.2 - _DESCENT))


def lay_out(caption: Sequence[Text], width: int) -> list[Line]:
    """The caption as lines to draw in the fonts of this machine, each as large as ``width`` allows.

    Chinese stands above its English when there are fonts for it, else the English alone.
    """
    lines = []
    for number, text in enumerate(caption):
        size = _FIRST if number == 0 else _REST
        if text.zh != text.en and has_glyphs(text.zh):
            lines += [_line(text.zh, size, INK, width, 0.1), _line(text.en, size * 3 // 4, PALE_INK, width, 0.7)]
        else:
            lines.append(_line(text.en, size, INK, width, 0.5))
    return lines


def lay_out_anywhere(caption: Sequence[Text], width: int) -> list[Line]:
    """The caption as lines of text that somebody else's fonts will draw: widths are estimates on the safe side."""
    lines = []
    for number, text in enumerate(caption):
        size = _FIRST if number == 0 else _REST
        if text.zh != text.en:
            lines.append(_estimated(text.zh, size, INK, width, 0.1))
            lines.append(_estimated(text.en, size * 3 // 4, PALE_INK, width, 0.7))
        else:
            lines.append(_estimated(text.en, size, INK, width, 0.5))
    return lines


def strip(line: Line, scale: int = 1) -> Image.Image:
    """The line as a grey picture with ``scale`` pixels to a unit: `MARGIN` units wider on both sides than it runs."""
    words = [_word(word, line.size * scale, line.baseline * scale) for word in line.text.split(" ")]
    space = typeset(" ", line.size * scale).width
    width = sum(advance for _, advance in words) + space * (len(words) - 1)
    picture = Image.new("L", (2 * ceil(width / 2 + MARGIN * scale), line.height * scale), WHITE)
    left = (picture.width - width) / 2
    for letters, advance in words:
        picture.paste(line.ink, (round(left) - MARGIN, 0), letters)
        left += advance + space
    return picture


@lru_cache(maxsize=256)  # most lines stand below many codes
def packed_strip(line: Line) -> Image.Image:
    """The line in sixteen greys, two pixels packed into each byte of the picture, which is not to be changed."""
    picture = strip(line)
    greys = picture.point(_SIXTEEN).tobytes()
    packed = int.from_bytes(greys[0::2]) << 4 | int.from_bytes(greys[1::2])
    return Image.frombytes("L", (picture.width // 2, picture.height), packed.to_bytes(len(greys) // 2))


@lru_cache(maxsize=1024)  # of two captions most words are the same
def _word(text: str, size: int, baseline: int) -> tuple[Image.Image, float]:
    """The mask of a word, `MARGIN` pixels wider on both sides than it runs, and how far it runs."""
    letters = typeset(text, size)
    mask = Image.new("L", (ceil(letters.width) + 2 * MARGIN, round(baseline + size * _DESCENT) + 1))
    letters.draw(ImageDraw.Draw(mask), MARGIN, baseline, 0xFF)
    return mask, letters.width


@lru_cache(maxsize=256)
def _line(text: str, size: int, ink: int, width: int, space: float) -> Line:
    letters = fit(text, size, width, smallest=SMALLEST)
    return Line(text, letters.size, ink, letters.width, round(letters.size * (1.2 + space)))


def _estimated(text: str, size: int, ink: int, width: int, space: float) -> Line:
    ems = sum(1.0 if char >= "\u2e80" else 0.6 for char in text)
    size = max(SMALLEST, min(size, int(width / ems)))
    return Line(text, size, ink, ems * size, round(size * (1.2 + space)))
