"""Text in fonts of the system: each character in the first font that has it, and never as the box of a missing glyph.

Fonts are found by file name in the folders of the system (Pillow knows them); font files named in the environment
variable `VARIABLE`, separated as in PATH, come before them. Latin letters have Pillow's own font, which needs nothing
installed.
"""

import os
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


def typeset(text: str, size: int) -> Typeset:
    """Set ``text`` in ``size`` pixels.

    A text with Chinese characters begins with the Chinese font and takes others only for what that one lacks; other
    texts begin with Pillow's own font, and are set in one font wherever one has all of it. Raises InputError that
    says what to install when a character is in no font; the character itself is not named.
    """
    pieces = _pieces(text)
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


def has_glyphs(text: str) -> bool:
    """True when `typeset` can set ``text``."""
    return _pieces(text) is not None


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


def _pieces(text: str) -> list[tuple[FreeTypeFont, str]] | None:
    """The text cut up by fonts; None when a character is in none."""
    chinese = _is_chinese(text)
    if not chinese:
        for font in _chain(chinese):
            if all(_has(font, char) for char in text):
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
