"""QR codes with their captions as PDF: one to a page of its own size, or many on sheets of A4."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from juying.codec.caption import Line, lay_out, strip
from juying.codec.pdf import A4, MILLIMETRE, Page, pdf_file
from juying.codec.qr import MODULE, PAPER_DPI, QUIET_ZONE, Medium, Symbol, encode_qr
from juying.errors import InputError
from juying.text import Text

UNIT = 72 / PAPER_DPI
"""Points of one unit of a drawing, an eighth of a module: 0.68 mm a module."""

_SHARPNESS = 2  # pixels of the caption to a unit: 600 dpi
_FOUR_GREYS = [round(value / 85) * 85 for value in range(256)]  # enough at 600 dpi, and half the bytes
_EDGE = 10 * MILLIMETRE  # that many printers leave white
_CUT = 3 * MILLIMETRE  # half the length of a cut mark
_MOST = 10  # codes across or down a sheet; smaller ones are hard to read


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text that becomes a QR code, with the caption below it."""

    text: str = field(repr=False)
    caption: tuple[Text, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Grid:
    """How many codes stand across and down a sheet; raises InputError when it is not 1 to 10 each."""

    columns: int = 3
    rows: int = 4

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not (1 <= self.columns <= _MOST and 1 <= self.rows <= _MOST):
            raise InputError(
                f"每页的列数和行数须为 1 至 {_MOST}", f"columns and rows of a sheet have to be 1 to {_MOST}"
            )


def pdf_qr(text: str, *, medium: Medium = Medium.PAPER, caption: Sequence[Text] = ()) -> bytes:
    """Draw ``text`` as a QR code with its quiet zone and the caption centred below, as a PDF page of that size.

    The modules are vectors, the caption a picture of 600 dpi. Raises InputError when the text does not fit.
    """
    drawing = _Drawing.of(Labelled(text, tuple(caption)), medium)
    page = Page(drawing.width * UNIT, drawing.height * UNIT)
    drawing.draw(page, 0, 0, UNIT)
    return pdf_file([page], title=_title(caption))


def pdf_sheets(
    codes: Sequence[Labelled], *, medium: Medium = Medium.PAPER, grid: Grid | None = None, cut_marks: bool = True
) -> bytes:
    """Draw many codes, row by row, on as many A4 pages as they need.

    Each stands in the middle of its cell with its quiet zone and caption, at 0.68 mm a module or smaller if the cell
    is; ``cut_marks`` are small crosses at the corners of the cells. Raises InputError when there is no code, or one
    does not fit.
    """
    if not codes:
        raise InputError("没有要打印的凭证", "there is no credential to print")
    grid = grid or Grid()
    per_page = grid.columns * grid.rows
    pages = [
        _sheet(codes[start : start + per_page], medium, grid, cut_marks=cut_marks)
        for start in range(0, len(codes), per_page)
    ]
    return pdf_file(pages, title=_title(codes[0].caption))


def _sheet(codes: Sequence[Labelled], medium: Medium, grid: Grid, *, cut_marks: bool) -> Page:
    page = Page(*A4)
    width, height = (A4[0] - 2 * _EDGE) / grid.columns, (A4[1] - 2 * _EDGE) / grid.rows
    for index, code in enumerate(codes):
        row, column = divmod(index, grid.columns)
        drawing = _Drawing.of(code, medium)
        unit = min(UNIT, width / drawing.width, height / drawing.height)
        left = _EDGE + column * width + (width - drawing.width * unit) / 2
        top = _EDGE + row * height + (height - drawing.height * unit) / 2
        drawing.draw(page, left, top, unit)
    if cut_marks:
        for x in (_EDGE + column * width for column in range(grid.columns + 1)):
            for y in (_EDGE + row * height for row in range(grid.rows + 1)):
                page.line((x - _CUT, y), (x + _CUT, y))
                page.line((x, y - _CUT), (x, y + _CUT))
    return page


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A code and its caption; lengths in units, an eighth of a module."""

    symbol: Symbol
    lines: list[Line] = field(repr=False)

    @classmethod
    def of(cls, code: Labelled, medium: Medium) -> "_Drawing":
        symbol = encode_qr(code.text, medium=medium)
        return cls(symbol, lay_out(code.caption, (symbol.side + 2 * QUIET_ZONE - 2) * MODULE))

    @property
    def side(self) -> int:
        return (self.symbol.side + 2 * QUIET_ZONE) * MODULE

    @property
    def width(self) -> float:
        return max([self.side, *(line.width + 2 * MODULE for line in self.lines)])

    @property
    def height(self) -> int:
        return self.side + (sum(line.height for line in self.lines) + MODULE if self.lines else 0)

    def draw(self, page: Page, left: float, top: float, unit: float) -> None:
        quiet = QUIET_ZONE * MODULE
        corner = left + ((self.width - self.side) / 2 + quiet) * unit
        page.fill(self.symbol.dark_runs(), corner, top + quiet * unit, MODULE * unit)
        below = self.side
        for line in self.lines:
            letters = strip(line, _SHARPNESS).point(_FOUR_GREYS)
            width, height = (length / _SHARPNESS * unit for length in letters.size)
            page.place(letters, left + (self.width * unit - width) / 2, top + below * unit, width, height)
            below += line.height


def _title(caption: Sequence[Text]) -> str:
    return str(caption[0]) if caption else "QR"
