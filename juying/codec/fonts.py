"""Text in fonts of the system: each character in the first font that has it, and never as the box of a missing glyph.

Fonts are found by file name in the folders of the system (Pillow knows them); font files named in the environment
variable `VARIABLE`, separated as in PATH, come before them. Latin letters have Pillow's own font, which needs nothing
installed.
"""

import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageFont
from PIL.ImageDraw import ImageDraw
from PIL.ImageFont import FreeTypeFont, Layout

from juying.errors import InputError

VARIABLE = "JUYING_FONTS"

# The number is the face with Simplified Chinese shapes in a collection.
CHINESE_FONTS = (
    ("NotoSansCJK-Regular.ttc", 2),
    ("NotoSansSC-Regular.otf", 0),
    ("SourceHanSansSC-Regular.otf", 0),
    ("wqy-microhei.ttc", 0),
    ("wqy-zenhei.ttc", 0),
    ("PingFang.ttc", 0),
    ("Hiragino Sans GB.ttc", 0),
    ("STHeiti Medium.ttc", 0),
    ("msyh.ttc", 0),
    ("simhei.ttf", 0),
    ("DroidSansFallbackFull.ttf", 0),
)
# Asked for what the first Chinese font and Pillow's own lack: rare characters, letters with accents.
OTHER_FONTS = (
    ("DejaVuSans.ttf", 0),
    ("arial.ttf", 0),
    ("PlangothicP1-Regular.ttf", 0),
    ("PlangothicP2-Regular.ttf", 0),
    ("BabelStoneHan.ttf", 0),
    ("simsunb.ttf", 0),
    ("SimsunExtG.ttf", 0),
    ("HanaMinA.ttf", 0),
    ("HanaMinB.ttf", 0),
    ("Songti.ttc", 0),
    ("Arial Unicode.ttf", 0),
)

_LEADING = 1.25  # of the size, from baseline to baseline
_BASELINE = 0.78  # of the leading, from the top of a line down to its baseline
# A word with the space behind it, or a Chinese character with the mark behind it that must not begin a line.
_WORD = re.compile("[\u2e80-\U0010ffff][，。、；：）》]?\\s*|[^\\s\u2e80-\U0010ffff]+\\s*|\\s+")
_PROBE = 20  # pixels; at this size it is tried what a font has
_FIRST_CHINESE = "\u2e80"  # radicals; the scripts of East Asia stand behind, all other letters before it
_NO_CHARACTER = "\uffff"  # by definition of Unicode, so its glyph is that of everything missing


@dataclass(frozen=True)
class Typeset:
    """One line of text in its fonts.

    ``size`` is in pixels, as the fonts count it. Its repr does not show the text, which may be a name.
    """

    pieces: tuple[tuple[FreeTypeFont, str], ...]
    size: int

    @cached_property
    def width(self) -> float:
        """How far the line runs, in pixels."""
        return sum(font.getlength(text) for font, text in self.pieces)

    def draw(self, pen: ImageDraw, left: float, baseline: float, ink: int | str, *, bold: bool = False) -> None:
        """Write it from ``left`` on; ``bold`` thickens the strokes by a pixel on every side."""
        for font, text in self.pieces:
            pen.text((left, baseline), text, fill=ink, font=font, anchor="ls", stroke_width=int(bold))
            if len(self.pieces) > 1:
                left += font.getlength(text)

    def __repr__(self) -> str:
        """Shows no text."""
        return f"Typeset(size={self.size}, …)"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines of one size; ``leading`` is the way from one baseline to the next, in pixels."""

    lines: tuple[Typeset, ...]
    leading: int

    @property
    def size(self) -> int:
        """In pixels, as the fonts count it."""
        return self.lines[0].size

    @property
    def height(self) -> int:
        """From the top of the first line to the bottom of the last."""
        return self.leading * len(self.lines)

    def draw(self, pen: ImageDraw, left: float, top: float, ink: int | str, *, bold: bool = False) -> None:
        """Write the lines, flush left, the first one below ``top``."""
        for number, line in enumerate(self.lines):
            line.draw(pen, left, top + number * self.leading + self.leading * _BASELINE, ink, bold=bold)


def typeset(text: str, size: int, *, like: str = "") -> Typeset:
    """Set ``text`` in ``size`` pixels; ``like`` is the longer text of which it is a part, and decides on the fonts.

    A text with Chinese characters begins with the Chinese font and takes others only for what that one lacks; other
    texts begin with Pillow's own font, and are set in one font wherever one has all of it. Raises InputError that
    says what to install when a character is in no font; the character itself is not named.
    """
    pieces = _pieces(text, like or text)
    if pieces is None:
        place = next(number for number, char in enumerate(text, 1) if _font_of(char, _is_chinese(text)) is None)
        raise InputError(
            f"第 {place} 个字在已安装的字体中都没有。{_INSTALL_ZH}",
            f"no installed font has character number {place}. {_INSTALL_EN}",
        )
    return Typeset(tuple((_sized(font, size), piece) for font, piece in pieces), size)


def fit(text: str, size: int, width: float, *, smallest: int) -> Typeset:
    """Set ``text`` as `typeset` does, smaller than ``size`` when it is wider than ``width``, down to ``smallest``."""
    line = typeset(text, size)
    while size > smallest and line.width > width:
        # Nearly proportional to the size: go there at once, and on by single pixels.
        size = max(smallest, min(size - 1, int(size * width / line.width) + 1))
        line = typeset(text, size)
    return line


def set_paragraph(text: str, size: int, width: float, height: float, *, smallest: int) -> Paragraph:
    """Set ``text`` in lines no wider than ``width`` and together no higher than ``height``, at most ``size`` large.

    Lines break at spaces and between Chinese characters; within a word only when even the smallest letters leave it
    wider than a line. Raises InputError when it does not fit in ``smallest`` pixels, or as `typeset` does.
    """
    for break_words in (False, True):
        for smaller in range(size, smallest - 1, -1):
            paragraph = Paragraph(tuple(_broken(text, smaller, width)), round(smaller * _LEADING))
            whole = all(typeset(word, smaller, like=text).width <= width for word in text.split())
            if paragraph.height <= height and (whole or break_words):
                return paragraph
    raise InputError("文字太长，放不下", "the text is too long for its place")


def has_glyphs(text: str) -> bool:
    """True when `typeset` can set ``text``."""
    return _pieces(text, text) is not None


def forget_fonts() -> None:
    """Look for fonts again: after one was installed, or `VARIABLE` has changed."""
    for function in (_own_fonts, _first_chinese, _other_fonts, _font_of, _has, _sized):
        function.cache_clear()


_INSTALL_ZH = (
    "请安装含此字的字体：Debian 用 apt install fonts-wqy-microhei fonts-babelstone-han，"
    "Windows 在“可选功能”中添加“中文（简体）补充字体”，macOS 用“字体册”添加；"
    f"或用环境变量 {VARIABLE} 指定字体文件"
)
_INSTALL_EN = (
    "Install a font that has it: on Debian apt install fonts-wqy-microhei fonts-babelstone-han, on Windows the "
    "optional feature Chinese (Simplified) Supplemental Fonts, on macOS through Font Book; "
    f"or name a font file in the environment variable {VARIABLE}"
)


def _broken(text: str, size: int, width: float) -> list[Typeset]:
    """The text in as many lines as it needs."""
    lines, line = [], ""
    parts = _WORD.findall(text)
    while parts:
        part = parts.pop(0)
        if typeset((line + part).rstrip(), size, like=text).width <= width:
            line += part
        elif line:
            lines.append(line)
            line = ""
            parts.insert(0, part.lstrip())
        elif len(part) > 1:
            # A word wider than a line: as much of it as fits, which is one letter at least.
            word = part
            fits = 1 + bisect_right(range(2, len(word)), width, key=lambda n: typeset(word[:n], size, like=text).width)
            lines.append(part[:fits])
            parts.insert(0, part[fits:])
        else:
            lines.append(part)
    return [typeset(line.rstrip(), size, like=text) for line in [*lines, line] if line.strip()]


def _pieces(text: str, like: str) -> list[tuple[FreeTypeFont, str]] | None:
    """The text cut up by fonts, which are chosen for ``like``; None when a character is in none."""
    chinese = _is_chinese(like)
    if not chinese:
        for font in _chain(chinese):
            if all(_has(font, char) for char in like):
                return [(font, text)]
    pieces = []
    for found, group in groupby(text, key=lambda char: _font_of(char, chinese)):
        if found is None:
            return None
        pieces.append((found, "".join(group)))
    return pieces


def _is_chinese(text: str) -> bool:
    return any(char >= _FIRST_CHINESE for char in text)


@lru_cache(maxsize=8192)
def _font_of(char: str, chinese: bool) -> FreeTypeFont | None:
    return next((font for font in _chain(chinese) if _has(font, char)), None)


def _chain(chinese: bool) -> Iterator[FreeTypeFont]:
    """Fonts in order of preference, those behind looked for only when the ones before do not do."""
    latin, first = _latin_font(), _first_chinese()
    if not chinese:
        yield latin
    yield from _own_fonts()
    if first is not None:
        yield first
    if chinese:
        yield latin
    yield from _other_fonts()


@lru_cache(maxsize=1)
def _own_fonts() -> tuple[FreeTypeFont, ...]:
    """Those of the environment variable; raises InputError for one that is no font."""
    fonts = []
    for name in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        font = _open(name, dict(CHINESE_FONTS).get(Path(name).name, 0))
        if font is None:
            raise InputError(f"{VARIABLE} 中的字体打不开", f"a font named in {VARIABLE} cannot be opened", where=name)
        fonts.append(font)
    return tuple(fonts)


@lru_cache(maxsize=1)
def _first_chinese() -> FreeTypeFont | None:
    return next((font for name, face in CHINESE_FONTS if (font := _open(name, face))), None)


@lru_cache(maxsize=1)
def _other_fonts() -> tuple[FreeTypeFont, ...]:
    fonts = (_open(name, face) for name, face in (*CHINESE_FONTS, *OTHER_FONTS))
    return tuple(font for font in fonts if font is not None)


@lru_cache(maxsize=1)
def _latin_font() -> FreeTypeFont:
    """The font that comes inside Pillow."""
    font = ImageFont.load_default(_PROBE)
    if not isinstance(font, FreeTypeFont):
        raise InputError(
            "Pillow 缺少 FreeType，无法书写文字", "this Pillow has no FreeType and cannot write text in pictures"
        )
    return font.font_variant(layout_engine=Layout.BASIC)


def _open(name: str, face: int) -> FreeTypeFont | None:
    """A font by name; laid out the same way everywhere, whether or not the machine has a shaping library."""
    try:
        return ImageFont.truetype(name, _PROBE, index=face, layout_engine=Layout.BASIC)
    except OSError:
        return None


@lru_cache(maxsize=64)
def _sized(font: FreeTypeFont, size: int) -> FreeTypeFont:
    return font.font_variant(size=size)


@lru_cache(maxsize=8192)
def _has(font: FreeTypeFont, char: str) -> bool:
    return char.isspace() or bytes(font.getmask(char)) != bytes(font.getmask(_NO_CHARACTER))
