"""Any picture becomes the JPEG that fits into the card's photo file.

The proportions 26 : 32 are those of Chinese identity photographs. The size of the photo file is observed
(0x1000 bytes, SSSE EF08); a length of two bytes comes first, as in the resident health card.
"""

import io
import warnings
from pathlib import Path
from typing import cast

from PIL import Image, ImageOps

from juying.errors import FieldError
from juying.text import Text

CAPACITY = 0x1000 - 2
"""Bytes of picture that the card's photo file holds after the length."""

MAX_FILE = 32 * 1024 * 1024
"""Largest picture file that is opened, in bytes."""

MAX_PIXELS = 80_000_000
"""Largest picture that is decoded, in pixels."""

# Formats that Pillow decodes by itself; EPS and its like would start other programs.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "TGA", "TIFF", "WEBP")
_WIDTH_STEP, _HEIGHT_STEP = 13, 16
_STEPS = range(27, 7, -1)  # 351 × 432 (26 × 32 mm at 343 dpi) down to 104 × 128
_QUALITIES = range(50, 91)  # rather a smaller picture than one below 50
_LAST_QUALITIES = range(10, 50)  # what the smallest size may sink to
_ABOVE = 0.25  # of the surplus height is cut above the head, the rest below

_RULE = Text(
    f"常见格式的图片，至少 {_WIDTH_STEP * _STEPS[-1]} × {_HEIGHT_STEP * _STEPS[-1]} 像素，"
    f"不超过 {MAX_FILE >> 20} MB 和 {MAX_PIXELS // 1_000_000} 百万像素",
    f"a picture in a usual format, at least {_WIDTH_STEP * _STEPS[-1]} x {_HEIGHT_STEP * _STEPS[-1]} pixels, "
    f"at most {MAX_FILE >> 20} MB and {MAX_PIXELS // 1_000_000} megapixels",
)


def card_photo(path: Path, *, capacity: int = CAPACITY) -> bytes:
    """Make the JPEG for the card from a picture file: at most ``capacity`` bytes, the same for the same file.

    The picture is turned upright as its EXIF data says, laid on white where it is transparent, and cropped to
    26 : 32 around the middle, a little more below than above. It is as large as fits at a JPEG quality of 50
    or more, between 104 x 128 and 351 x 432 pixels, and never enlarged. No metadata is kept. Of several
    frames or pages the first is taken.

    Raises FieldError ("photo") when the file is missing, is no picture, is too small or too large, or cannot
    be made to fit.
    """
    portrait = _cropped(_upright(path))
    most = min(portrait.width // _WIDTH_STEP, portrait.height // _HEIGHT_STEP)
    if most < _STEPS[-1]:
        raise FieldError("photo", Text("图片太小", "the picture is too small"), _RULE)
    for step in _STEPS:
        if step <= most and (jpeg := _best(_scaled(portrait, step), _QUALITIES, capacity)):
            return jpeg
    if jpeg := _best(_scaled(portrait, _STEPS[-1]), _LAST_QUALITIES, capacity):
        return jpeg
    raise FieldError(
        "photo",
        Text("图片无法压缩到卡片容量以内", "the picture cannot be compressed into the room on the card"),
        Text(f"至多 {capacity} 字节", f"at most {capacity} bytes"),
    )


def _upright(path: Path) -> Image.Image:
    """Decode the first frame as RGB, turned upright."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise _too_large()
        with warnings.catch_warnings():
            # Harmless oddities of a file are no concern of the office; its size is checked below.
            warnings.simplefilter("ignore")
            Image.init()  # a Pillow without some codec knows fewer formats
            with Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN]) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise _too_large()
                # A JPEG of many megapixels decodes several times as fast at a half, quarter or eighth.
                picture.draft("RGB", (_WIDTH_STEP * _STEPS[0] * 2, _HEIGHT_STEP * _STEPS[0] * 2))
                return _rgb(ImageOps.exif_transpose(picture))
    except FieldError:
        raise
    except Image.DecompressionBombError:
        raise _too_large() from None
    except FileNotFoundError:
        raise FieldError("photo", Text("找不到图片文件", "there is no such picture file"), _RULE) from None
    except Exception:
        # A broken picture makes the decoders raise almost anything (SyntaxError, struct.error, …).
        raise FieldError("photo", Text("图片无法读取", "the picture cannot be read"), _RULE) from None


def _too_large() -> FieldError:
    return FieldError("photo", Text("图片太大", "the picture is too large"), _RULE)


def _rgb(picture: Image.Image) -> Image.Image:
    """Colours of any mode as RGB with eight bits, what is transparent as white."""
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey values of 16 bits, 32 bits or floating point as eight bits; Pillow alone would cut them off."""
    grey = picture.convert("F")
    _, brightest = cast("tuple[float, float]", grey.getextrema())
    if picture.mode.startswith("I;16"):
        white: float = 0xFFFF
    else:
        white = next((bound for bound in (1, 0xFF, 0xFFFF) if brightest <= bound), brightest)
    return grey.point(lambda value: value * (255 / white) + 0).convert("L")


def _cropped(picture: Image.Image) -> Image.Image:
    """The largest part with the proportions 26 : 32."""
    width = min(picture.width, picture.height * _WIDTH_STEP // _HEIGHT_STEP)
    height = min(picture.height, picture.width * _HEIGHT_STEP // _WIDTH_STEP)
    left, top = (picture.width - width) // 2, int((picture.height - height) * _ABOVE)
    return picture.crop((left, top, left + width, top + height))


def _scaled(portrait: Image.Image, step: int) -> Image.Image:
    """The portrait at ``step`` times 13 x 16 pixels, without anything but its pixels."""
    size = (_WIDTH_STEP * step, _HEIGHT_STEP * step)
    bare = Image.new("RGB", size)
    bare.paste(portrait.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))
    return bare


def _best(picture: Image.Image, qualities: range, capacity: int) -> bytes:
    """The JPEG of the best of these qualities that fits into ``capacity`` bytes, b"" when none does."""
    best, low, high = b"", 0, len(qualities)
    while low < high:
        # The first probe is the lowest quality: it settles at once whether this size is hopeless.
        middle = (low + high) // 2 if best else 0
        jpeg = _jpeg(picture, qualities[middle])
        if len(jpeg) <= capacity:
            best, low = jpeg, middle + 1
        elif best:
            high = middle
        else:
            break
    return best


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    return buffer.getvalue()
