"""Codes in picture files and in the pages of PDF files. Files may be hostile: size, pixels and pages are bounded."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from juying.errors import DecodeError, InputError
from juying.scan.frames import choose, is_ours, read_frame, read_grey
from juying.scan.plain_png import SIGNATURE as PNG
from juying.scan.plain_png import read_plain_png

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE = 64 << 20
"""Bytes of a file that is read (our choice)."""
MAX_PIXELS = 50_000_000
"""Pixels of a picture that is read: those of the sharpest phone cameras (our choice)."""
MAX_LAYERS = 20
"""Pictures in one file, such as the pages of a fax, that are looked at (our choice)."""

_PDF = b"%PDF-"
_PDF_HEAD = 1024  # readers accept the mark that late
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # no format whose reader runs other programs


def read_picture(path: str | Path, recognises: Callable[[str], bool] = is_ours) -> str:
    """The code in a picture or PDF file, chosen among several as `choose` does.

    Raises InputError when the file cannot be read, is over a limit, or has no code or not just one that is meant, and
    when the extra ``scan`` is not installed.
    """
    path = Path(path)
    try:
        return choose(texts_in(read_file(path)), recognises)
    except InputError as error:
        raise InputError(*error.text, where=str(path)) from None


def texts_in(data: bytes) -> tuple[str, ...]:
    """The texts of all QR codes in the bytes of a picture or PDF file; raises InputError as `read_picture` does."""
    if data.startswith(PNG):
        try:
            pixels = read_plain_png(data, max_pixels=MAX_PIXELS)
        except DecodeError:
            pass  # a photo, most likely
        else:
            if texts := read_grey(pixels):
                return texts
    return tuple(dict.fromkeys(text for picture in pictures_in(data) for text in read_frame(picture)))


def pictures_in(data: bytes) -> "Iterator[Image.Image]":
    """The pictures in the bytes of a picture or PDF file, in grey; raises InputError as `read_picture` does."""
    if _PDF in data[:_PDF_HEAD]:
        from juying.scan.pdf import pdf_pages

        yield from pdf_pages(data)
        return
    from PIL import Image, ImageSequence

    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as opened:
            for number, layer in enumerate(ImageSequence.Iterator(opened)):
                if number == MAX_LAYERS:
                    return
                _check_size(layer)
                yield _grey(layer)
    except InputError:
        raise
    except Exception:  # the file is hostile and Pillow's readers raise all sorts; the answer is one
        raise InputError("不是可读的图片文件", "this is not a readable picture file") from None


def _check_size(picture: "Image.Image") -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise InputError("图片太大", f"the picture has more than {MAX_PIXELS} pixels")


def _grey(picture: "Image.Image") -> "Image.Image":
    """The picture in grey, with white where it is transparent."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if not picture.has_transparency_data:
        picture.draft("L", None)  # a JPEG file need not be decoded in colour first
        return picture.convert("L")
    from PIL import Image

    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("L")


def read_file(path: Path) -> bytes:
    """The bytes of a file; raises InputError when it cannot be read or is larger than `MAX_FILE`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise InputError("找不到文件", "there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"文件读不出来（{reason}）", f"the file cannot be read ({reason})") from None
    if len(data) > MAX_FILE:
        raise InputError(f"文件超过 {MAX_FILE >> 20} MiB", f"the file is larger than {MAX_FILE >> 20} MiB")
    return data
