"""QR codes: drawing a picture with a caption, and reading one.

A text of the alphanumeric set (such as base45) becomes a single alphanumeric segment. Screens get error correction
level L: at one physical size fewer modules read better than more redundancy. Paper gets M, against dirt and glare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import qrcode
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont
from qrcode.constants import ERROR_CORRECT_L, ERROR_CORRECT_M
from qrcode.exceptions import DataOverflowError

from juying.errors import InputError
from juying.files import write_atomically
from juying.text import Text

QUIET_ZONE = 4  # modules around the symbol, as ISO/IEC 18004 asks
MODULE = 8  # pixels; at 300 dpi 0.68 mm, and half of it is still sharp
PAPER_DPI = 300
MAX_PIXELS = 50_000_000  # of a picture that is read

# Fonts with Chinese characters by file name, as Pillow finds them in the folders of the system; the number is the
# face with Simplified Chinese shapes in a collection.
CJK_FONTS = (
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

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # no format whose reader runs other programs
_SMALLEST = 14  # pixels, of a letter
_GREYS = 16
_INK, _PALE_INK, _WHITE = 0x00, 0x55, 0xFF  # all three are among the sixteen greys


class Medium(StrEnum):
    """Where the picture is going to be shown."""

    SCREEN = "screen"
    PAPER = "paper"


def draw_qr(text: str, *, medium: Medium = Medium.SCREEN, caption: Sequence[Text] = ()) -> Image.Image:
    """Draw ``text`` as a QR code with its quiet zone, and the caption centred below.

    The first line of the caption is the larger one. Each line shows its Chinese above its English when a font
    with the characters is found, and English alone otherwise. Returns a picture of two colours, or sixteen greys
    when it has a caption. Raises InputError when the text does not fit into a QR code.
    """
    symbol = _draw_symbol(text, ERROR_CORRECT_L if medium is Medium.SCREEN else ERROR_CORRECT_M)
    if not caption:
        return symbol
    lines = _lay_out(caption, symbol.width - 2 * MODULE)
    width = max(symbol.width, *(round(line.width) + 2 * MODULE for line in lines))
    height = symbol.height + sum(line.height for line in lines) + MODULE
    picture = Image.new("L", (width, height), _WHITE)
    picture.paste(symbol, ((width - symbol.width) // 2, 0))
    pen = ImageDraw.Draw(picture)
    top = symbol.height
    for line in lines:
        pen.text((width / 2, top), line.text, font=line.font, fill=line.ink, anchor="ma")
        top += line.height
    return _to_sixteen_greys(picture)


def save_qr(text: str, path: str | Path, *, medium: Medium = Medium.SCREEN, caption: Sequence[Text] = ()) -> None:
    """Draw ``text`` as `draw_qr` does and write it as a PNG file, atomically.

    The picture for paper carries its resolution, `PAPER_DPI`, so that it prints at 0.68 mm a module. Raises
    InputError when the text does not fit or the file cannot be written.
    """
    picture = draw_qr(text, medium=medium, caption=caption)
    dpi = {"dpi": (PAPER_DPI, PAPER_DPI)} if medium is Medium.PAPER else {}
    png = BytesIO()
    picture.save(png, "PNG", optimize=True, bits=1 if picture.mode == "1" else 4, **dpi)
    write_atomically(Path(path), png.getvalue())


def read_qr(source: str | Path | Image.Image) -> str:
    """Read the one QR code of a picture or picture file.

    Raises InputError when the extra ``scan`` is not installed, the file is no picture, the picture has more than
    `MAX_PIXELS` pixels, or does not hold exactly one text.
    """
    try:
        import zxingcpp
    except ImportError:
        raise InputError(
            "识读二维码需要 zxing-cpp，请安装：pip install 'juying[scan]'",
            "reading a QR code needs zxing-cpp; install it: pip install 'juying[scan]'",
        ) from None
    where = "" if isinstance(source, Image.Image) else str(source)
    picture = source if isinstance(source, Image.Image) else _open(Path(source))
    found = zxingcpp.read_barcodes(
        _on_white(picture),
        formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode),
        text_mode=zxingcpp.TextMode.Plain,
    )
    texts = {code.text for code in found if code.valid}
    if not texts:
        raise InputError("图片中没有可识读的二维码", "no QR code can be read in the picture", where=where)
    if len(texts) > 1:
        raise InputError(
            "图片中有多个二维码，请裁剪到一个", "the picture holds several QR codes; crop it to one", where=where
        )
    return texts.pop()


def _draw_symbol(text: str, level: int) -> Image.Image:
    code = qrcode.QRCode(error_correction=level, border=QUIET_ZONE)
    code.add_data(text, optimize=0)
    try:
        code.make()
    except (DataOverflowError, ValueError):  # beyond version 40 qrcode 8.2 raises either
        raise InputError("内容太长，放不进二维码", "the text is too long for a QR code") from None
    matrix = code.get_matrix()
    modules = Image.new("1", (len(matrix), len(matrix)))
    modules.putdata([not dark for row in matrix for dark in row])
    side = len(matrix) * MODULE
    return modules.resize((side, side), Image.Resampling.NEAREST)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the caption in its font; ``height`` is the way down to the next one, in pixels."""

    text: str
    font: FreeTypeFont
    ink: int
    height: int

    @property
    def width(self) -> float:
        return self.font.getlength(self.text)


def _lay_out(caption: Sequence[Text], width: int) -> list[_Line]:
    """The caption as lines; each as large as its place allows, but never too small to read."""
    lines = []
    for number, text in enumerate(caption):
        size = 30 if number == 0 else 22
        chinese = _cjk_font(size)
        if chinese is not None and text.zh != text.en and _has_all(chinese, text.zh):
            font = _fit(text.zh, chinese, width)
            lines.append(_Line(text.zh, font, _INK, round(font.size * 1.3)))
            font = _fit(text.en, _latin_font(size * 3 // 4), width)
            lines.append(_Line(text.en, font, _PALE_INK, round(font.size * 1.2) + 14))
        else:
            font = _fit(text.en, _latin_font(size), width)
            lines.append(_Line(text.en, font, _INK, round(font.size * 1.2) + 12))
    return lines


def _fit(text: str, font: FreeTypeFont, width: int) -> FreeTypeFont:
    """The font, smaller when ``text`` is too wide in it."""
    while font.size > _SMALLEST and font.getlength(text) > width:
        font = font.font_variant(size=font.size - 1)
    return font


@lru_cache(maxsize=16)
def _cjk_font(size: int) -> FreeTypeFont | None:
    for name, face in CJK_FONTS:
        try:
            return ImageFont.truetype(name, size, index=face)
        except OSError:
            continue
    return None


@lru_cache(maxsize=16)
def _latin_font(size: int) -> FreeTypeFont:
    """The font that comes inside Pillow."""
    font = ImageFont.load_default(size)
    if not isinstance(font, FreeTypeFont):
        raise InputError(
            "Pillow 缺少 FreeType，无法书写说明文字", "this Pillow has no FreeType and cannot write a caption"
        )
    return font


def _has_all(font: FreeTypeFont, text: str) -> bool:
    """True when no character of ``text`` would come out as the box of a missing glyph."""
    missing = bytes(font.getmask("\uffff"))
    return all(char == " " or bytes(font.getmask(char)) != missing for char in text)


def _to_sixteen_greys(picture: Image.Image) -> Image.Image:
    step = _WHITE // (_GREYS - 1)
    greys = Image.frombytes("P", picture.size, picture.point([round(value / step) for value in range(256)]).tobytes())
    greys.putpalette([value * step for value in range(_GREYS) for _ in range(3)])
    return greys


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            if picture.width * picture.height <= MAX_PIXELS:
                picture.load()
                return picture
    except FileNotFoundError:
        raise InputError("找不到图片文件", "there is no such picture file", where=str(path)) from None
    except Exception:  # the file is hostile and Pillow's readers raise all sorts; the answer is one
        raise InputError("不是可读的图片文件", "this is not a readable picture file", where=str(path)) from None
    raise InputError("图片太大", f"the picture has more than {MAX_PIXELS} pixels", where=str(path))


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture in grey, with white where it is transparent."""
    if not picture.has_transparency_data:
        return picture.convert("L")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("L")
