"""The pages of a PDF file as pictures, through pypdfium2: what is drawn is seen as well as what was scanned."""

from collections.abc import Iterator
from contextlib import closing
from math import sqrt
from threading import Lock
from typing import TYPE_CHECKING, Any

from juying.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

MAX_PAGES = 20
"""Pages of a file that is read (our choice)."""
MAX_PAGE_PIXELS = 25_000_000
"""Pixels of one page, more than A3 has at our resolution; a larger page is seen less sharply (our choice)."""
DPI = 300

_POINTS = 72.0  # to the inch, the unit of a PDF file
_one_at_a_time = Lock()  # PDFium is not made for threads


def pdf_pages(data: bytes) -> "Iterator[Image.Image]":
    """Each page in grey, at 300 dpi.

    Raises InputError when the extra ``scan`` is not installed, the file is no PDF file, is locked with a pass word or
    has more than `MAX_PAGES` pages. Nothing bounds the time that a hostile page takes to draw.
    """
    try:
        import pypdfium2
    except ImportError:
        raise InputError(
            "读取 PDF 需要 pypdfium2，请安装：pip install 'juying[scan]'",
            "reading a PDF file needs pypdfium2; install it: pip install 'juying[scan]'",
        ) from None
    try:
        with _one_at_a_time:
            document = pypdfium2.PdfDocument(data)
        try:
            pages = len(document)
            if pages > MAX_PAGES:
                raise InputError(
                    f"PDF 共 {pages} 页，最多 {MAX_PAGES} 页；请只留有二维码的页",
                    f"the PDF file has {pages} pages, at most {MAX_PAGES} are read: keep the page with the code",
                )
            for number in range(pages):
                with _one_at_a_time:
                    picture = _drawn(document, number)
                yield picture
        finally:
            with _one_at_a_time:
                document.close()
    except pypdfium2.PdfiumError:
        raise InputError(
            "不是可读的 PDF 文件，或有口令", "this is not a readable PDF file, or it needs a pass word"
        ) from None


def _drawn(document: Any, number: int) -> "Image.Image":
    with closing(document[number]) as page:
        width, height = page.get_size()
        scale = min(DPI / _POINTS, sqrt(MAX_PAGE_PIXELS / max(1.0, width * height)))
        with closing(page.render(scale=scale, grayscale=True, may_draw_forms=False)) as bitmap:
            picture: Image.Image = bitmap.to_pil().convert("L")
    return picture
