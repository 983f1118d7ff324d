"""PDF files of rectangles, lines and grey pictures (ISO 32000-1), written directly: small, and without a date.

Lengths are in points, a 72nd of an inch, and count from the top left corner of the page.
"""

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from PIL import Image

MILLIMETRE = 72 / 25.4
A4 = (210 * MILLIMETRE, 297 * MILLIMETRE)

_HAIRLINE = 0.25
_CATALOG, _PAGES, _INFO, _FIRST_FREE = 1, 2, 3, 4  # numbers of objects


@dataclass(slots=True)
class Page:
    """One page; what is drawn later lies on top. Its repr does not show what is on it."""

    width: float
    height: float
    _operators: list[str] = field(default_factory=list, repr=False)
    _pictures: dict[str, Image.Image] = field(default_factory=dict, repr=False)

    def fill(self, rectangles: Iterable[tuple[int, int, int, int]], left: float, top: float, unit: float) -> None:
        """Fill rectangles black as one shape: (x, y, width, height) in units of ``unit`` from ``left`` and ``top``."""
        shape = [f"{x} {y} {width} {height} re" for x, y, width, height in rectangles]
        place = f"{unit:.4f} 0 0 {-unit:.4f} {left:.3f} {self.height - top:.3f} cm"
        self._operators += ["q", place, *shape, "f", "Q"]

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw a hairline."""
        points = [f"{x:.3f} {self.height - y:.3f}" for x, y in (start, end)]
        self._operators.append(f"{_HAIRLINE} w {points[0]} m {points[1]} l S")

    def place(self, picture: Image.Image, left: float, top: float, width: float, height: float) -> None:
        """Place a grey picture; the same one on many places is kept once in the file."""
        name = f"P{hashlib.sha256(picture.tobytes()).hexdigest()[:16]}"
        self._pictures[name] = picture
        bottom = self.height - top - height
        self._operators.append(f"q {width:.3f} 0 0 {height:.3f} {left:.3f} {bottom:.3f} cm /{name} Do Q")

    @property
    def pictures(self) -> dict[str, Image.Image]:
        """Every picture on the page by its name, which is made from its contents."""
        return self._pictures

    @property
    def contents(self) -> bytes:
        """What is drawn, as PDF operators."""
        return "\n".join(self._operators).encode()


def pdf_file(pages: Sequence[Page], *, title: str) -> bytes:
    """The file with these pages; ``title`` is what a viewer shows above it."""
    pictures = {name: picture for page in pages for name, picture in page.pictures.items()}
    picture_numbers = {name: _FIRST_FREE + index for index, name in enumerate(pictures)}
    first_page = _FIRST_FREE + len(pictures)
    kids = " ".join(f"{first_page + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        f"<</Type/Catalog/Pages {_PAGES} 0 R>>".encode(),
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode(),
        f"<</Title<FEFF{title.encode('utf-16-be').hex().upper()}>/Producer(juying)>>".encode(),
        *map(_picture, pictures.values()),
    ]
    for index, page in enumerate(pages):
        used = "".join(f"/{name} {picture_numbers[name]} 0 R" for name in page.pictures)
        objects.append(
            f"<</Type/Page/Parent {_PAGES} 0 R/MediaBox[0 0 {page.width:.3f} {page.height:.3f}]"
            f"/Resources<</XObject<<{used}>>>>/Contents {first_page + 2 * index + 1} 0 R>>".encode()
        )
        objects.append(_stream("", page.contents))
    return _assemble(objects)


def _picture(picture: Image.Image) -> bytes:
    size = f"/Width {picture.width}/Height {picture.height}"
    return _stream(f"/Type/XObject/Subtype/Image{size}/ColorSpace/DeviceGray/BitsPerComponent 8", picture.tobytes())


def _stream(entries: str, data: bytes) -> bytes:
    packed = zlib.compress(data)
    return f"<<{entries}/Filter/FlateDecode/Length {len(packed)}>>stream\n".encode() + packed + b"\nendstream"


def _assemble(objects: list[bytes]) -> bytes:
    """Objects numbered from 1 on, and the table of where they begin."""
    file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(file))
        file += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = len(file)
    file += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    file += b"".join(b"%010d 00000 n \n" % place for place in places)
    file += f"trailer\n<</Size {len(objects) + 1}/Root {_CATALOG} 0 R/Info {_INFO} 0 R>>\n".encode()
    file += f"startxref\n{table}\n%%EOF\n".encode()
    return bytes(file)
