"""QR codes: the symbol of a text, its picture with a caption, and reading one.

A text of the alphanumeric set (such as base45) becomes a single alphanumeric segment. Screens get error correction
level L: at one physical size fewer modules read better than more redundancy. Paper gets M, against dirt and glare.

With the extra ``scan`` installed its library makes the symbols, many times as fast as ``qrcode`` does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from itertools import groupby
from math import ceil
from pathlib import Path

from PIL import Image

from juying.codec.png import grey_png
from juying.errors import InputError
from juying.files import write_atomically
from juying.text import Text

QUIET_ZONE = 4  # modules around the symbol, as ISO/IEC 18004 asks
MODULE = 8  # pixels; at 300 dpi 0.68 mm, and half of it is still sharp
PAPER_DPI = 300
MAX_PIXELS = 50_000_000  # of a picture that is read

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # no format whose reader runs other programs
_WHITE = 0xFF


class Medium(StrEnum):
    """Where the picture is going to be shown."""

    SCREEN = "screen"
    PAPER = "paper"

    @property
    def level(self) -> str:
        """The level of error correction, ``L`` or ``M``."""
        return "L" if self is Medium.SCREEN else "M"


@dataclass(frozen=True, slots=True)
class Symbol:
    """The modules of a QR code without quiet zone: ``side`` rows of ``side`` bytes, 0 dark and 255 light."""

    side: int
    modules: bytes = field(repr=False)

    @property
    def version(self) -> int:
        """1 to 40."""
        return (self.side - 17) // 4

    def rows(self, across: int = 1) -> list[bytes]:
        """The modules of each row, every module ``across`` bytes wide."""
        symbol = Image.frombytes("L", (self.side, self.side), self.modules)
        width = self.side * across
        wide = symbol.resize((width, self.side), Image.Resampling.NEAREST).tobytes()
        return [wide[start : start + width] for start in range(0, len(wide), width)]

    def dark_runs(self) -> Iterator[tuple[int, int, int, int]]:
        """The dark modules as rectangles one module high: x, y, width and height in modules."""
        for y, row in enumerate(self.rows()):
            x = 0
            for module, run in groupby(row):
                length = len(list(run))
                if module != _WHITE:
                    yield x, y, length, 1
                x += length


def encode_qr(text: str, *, medium: Medium = Medium.SCREEN) -> Symbol:
    """The QR symbol of ``text``. Raises InputError when it is empty or does not fit into one."""
    try:
        import zxingcpp
    except ImportError:
        return _encode_slowly(text, medium)
    try:
        code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level=medium.level)
    except ValueError:
        raise _does_not_fit() from None
    modules = Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False))
    return Symbol(modules.width, modules.tobytes())


def draw_qr(text: str, *, medium: Medium = Medium.SCREEN, caption: Sequence[Text] = ()) -> Image.Image:
    """Draw ``text`` as a QR code with its quiet zone, and the caption centred below: what `png_qr` writes."""
    with Image.open(BytesIO(png_qr(text, medium=medium, caption=caption))) as picture:
        picture.load()
        return picture


def png_qr(text: str, *, medium: Medium = Medium.SCREEN, caption: Sequence[Text] = ()) -> bytes:
    """Draw ``text`` as a QR code with its quiet zone and the caption centred below, as a PNG file.

    The first line of the caption is the larger one. Each line shows its Chinese above its English when fonts with the
    characters are found, and English alone otherwise. The picture has sixteen greys; for paper it carries its
    resolution, `PAPER_DPI`, so that it prints at 0.68 mm a module. Raises InputError when the text does not fit into a
    QR code.
    """
    from juying.codec.caption import lay_out, packed_strip

    symbol = encode_qr(text, medium=medium)
    side = (symbol.side + 2 * QUIET_ZONE) * MODULE
    lines = lay_out(caption, side - 2 * MODULE)
    width = max([side, *(2 * ceil(line.width / 2 + MODULE) for line in lines)])
    # Two pixels of four bits are a byte of the file, and drawn as one "pixel".
    across, half = MODULE // 2, width // 2
    white = bytes([_WHITE]) * half
    rows = [white] * (QUIET_ZONE * MODULE)
    for modules in symbol.rows(across):
        left = (half - len(modules)) // 2
        rows += [white[:left] + modules + white[left + len(modules) :]] * MODULE
    rows += [white] * (QUIET_ZONE * MODULE)
    for line in lines:
        below = Image.new("L", (half, line.height), _WHITE)
        strip = packed_strip(line)
        below.paste(strip, ((half - strip.width) // 2, 0))
        letters = below.tobytes()
        rows += [letters[start : start + half] for start in range(0, len(letters), half)]
    if lines:
        rows += [white] * MODULE
    return grey_png(rows, width, len(rows), bits=4, dpi=PAPER_DPI if medium is Medium.PAPER else None)


def save_qr(text: str, path: str | Path, *, medium: Medium = Medium.SCREEN, caption: Sequence[Text] = ()) -> None:
    """Draw ``text`` as `png_qr` does and write it, atomically.

    Raises InputError when the text does not fit or the file cannot be written.
    """
    write_atomically(Path(path), png_qr(text, medium=medium, caption=caption), private=True)


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


def _encode_slowly(text: str, medium: Medium) -> Symbol:
    import qrcode
    from qrcode.constants import ERROR_CORRECT_L, ERROR_CORRECT_M
    from qrcode.exceptions import DataOverflowError

    level = ERROR_CORRECT_L if medium is Medium.SCREEN else ERROR_CORRECT_M
    code = qrcode.QRCode(error_correction=level, border=0)
    code.add_data(text, optimize=0)
    try:
        code.make()
    except (DataOverflowError, ValueError):  # beyond version 40 qrcode 8.2 raises either
        raise _does_not_fit() from None
    matrix = code.get_matrix()
    return Symbol(len(matrix), bytes(0 if dark else _WHITE for row in matrix for dark in row))


def _does_not_fit() -> InputError:
    return InputError("内容是空的，或太长，放不进二维码", "the text is empty, or too long for a QR code")


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
