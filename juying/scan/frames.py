"""QR codes in one camera frame or picture, through zxing-cpp, and which of them is meant.

Found at once are codes that are turned, seen from an angle, light on dark (as a phone in dark mode shows them), and
several in one frame. Only when there is none do the more thorough looks follow; they cost about as much time again.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from juying.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

_OURS = re.compile(r"JY[0-9]:")


def read_frame(frame: "Image.Image") -> tuple[str, ...]:
    """The texts of the QR codes in a frame, each once, in no special order; empty when there is none.

    The picture has to be of a mode that Pillow turns into grey by itself; transparency counts as black. Raises
    InputError when the extra ``scan`` is not installed.
    """
    for look in _looks(frame.convert("L")):
        if texts := read_grey(look):
            return texts
    return ()


def read_grey(pixels: Any) -> tuple[str, ...]:
    """What one look finds in a grey picture: Pillow's, or a `memoryview` of two dimensions with a byte a pixel."""
    zxingcpp = reader()
    found = zxingcpp.read_barcodes(
        pixels,
        formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode),
        text_mode=zxingcpp.TextMode.Plain,
    )
    return tuple(dict.fromkeys(code.text for code in found if code.valid))


def reader() -> Any:
    """The library that reads; raises InputError when the extra ``scan`` is not installed."""
    try:
        import zxingcpp
    except ImportError:
        raise InputError(
            "识读二维码需要 zxing-cpp，请安装：pip install 'juying[scan]'",
            "reading a QR code needs zxing-cpp; install it: pip install 'juying[scan]'",
        ) from None
    return zxingcpp


def _looks(grey: "Image.Image") -> "Iterator[Image.Image]":
    """The frame as it is, then ways to see more in it, each of which found codes that the others missed."""
    yield grey
    from PIL import ImageOps

    brighter = ImageOps.autocontrast(grey, cutoff=1)
    yield brighter  # in the dark, where black and white are a few steps of grey apart
    if min(grey.size) > 2:
        yield brighter.reduce(2)  # out of the noise of a sensor, and in pictures that are needlessly large


def is_ours(text: str) -> bool:
    """True for a text that begins like a credential or presentation of ours, of whatever version."""
    return _OURS.match(text) is not None


def choose(texts: Iterable[str], recognises: Callable[[str], bool] = is_ours) -> str:
    """The code that is meant: the only one that is recognised, or the only one at all, whatever it is.

    Raises InputError when there is none, or several and not exactly one that is recognised.
    """
    found = set(texts)
    if not found:
        raise InputError(
            "没有可识读的二维码：请靠近、对正，避开反光和暗处",
            "no QR code can be read: come closer, hold it straight, out of glare and dark",
        )
    ours = {text for text in found if recognises(text)}
    if len(ours) > 1:
        raise InputError(
            "同时看到几个聚英卡二维码，请一次出示一个", "several codes of the 聚英卡 in view: show one at a time"
        )
    if not ours and len(found) > 1:
        raise InputError(
            "看到几个二维码，但都不是聚英卡的", "there are several QR codes, and none is one of the 聚英卡"
        )
    return (ours or found).pop()
