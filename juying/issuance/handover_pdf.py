"""The list with which an employer takes over its cards, as a PDF for signatures on paper.

The same list gives the same file, byte for byte, on a machine with the same fonts. Each character is set in the first
font of the system that has it (`juying.codec.fonts`), and what is used of the fonts is in the file.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from fpdf import FPDF
from fpdf.enums import TextMode
from PIL.ImageFont import FreeTypeFont

from juying.codec.fonts import typeset
from juying.codec.qr import QUIET_ZONE, Medium, encode_qr
from juying.credential.claims import CHINA
from juying.ledger.verify import Head
from juying.model import Employer
from juying.text import Text

ENDING = 4
"""Characters of a permit number that the list shows: enough to tell two people with one name apart."""

# Millimetres on A4.
_LEFT, _RIGHT, _WIDTH = 15.0, 195.0, 180.0
_TABLE_FIRST, _TABLE_LATER, _TABLE_END = 78.0, 27.0, 276.0
_HEAD_HEIGHT, _ROW_HEIGHT, _LINE = 9.5, 10.5, 4.1
_SIGNATURES = 62.0  # height of what stands below the last row
_QR = 27.0

_INK, _SOFT, _RULE, _BAND, _RED = (20, 28, 33), (96, 108, 116), (176, 184, 189), (232, 239, 241), (193, 66, 43)
_LIKE = "中"  # so that every text begins with the Chinese font: one face for the whole page
_PROBE = 20
_NAME_SIZE, _SMALLEST = 9.0, 6.0  # points

_COLUMNS = (
    (Text("序号", "No."), 11.0),
    (Text("盒", "Box"), 12.0),
    (Text("批内", "Pos."), 15.0),
    (Text("卡号", "Card number"), 27.0),
    (Text("姓名", "Name"), 61.0),
    (Text("许可尾号", "Permit ends"), 20.0),
    (Text("签收", "Signature"), 34.0),
)
_NAME = 4  # of the columns


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCard:
    """One card on a list: where it lies, its number, whose it is, and the last characters of the permit's number."""

    order: int
    card: int
    box: int | None
    position: int
    card_number: str = field(repr=False)
    name: str = field(repr=False)
    chinese_name: str = field(repr=False)
    permit_ending: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverList:
    """All that stands on a list.

    ``edition`` counts from 1; ``left_out`` are the ids of orders whose cards are done but not on it, because they are
    lost, suspended or cancelled.
    ``head`` is the last event of the ledger (called ``ledger``) before the list. ``demonstration`` marks a list that
    counts nowhere.
    """

    number: int
    edition: int
    lot: str
    employer: Employer = field(repr=False)
    office: Text
    made_at: datetime
    ledger: str
    head: Head
    cards: tuple[ListedCard, ...] = field(repr=False)
    left_out: tuple[int, ...] = ()
    demonstration: bool = False

    @property
    def code(self) -> str:
        """What the QR code says: number, edition, count, and the last event before it, as an anchor of the ledger."""
        anchor = f"{self.head.number} {self.head.hash.hex()}"
        words = f"JUYING HANDOVER {self.number}/{self.edition} CARDS {len(self.cards)} LEDGER {self.ledger}"
        return f"{words} EVENT {anchor}".upper()


def draw_list(content: HandoverList) -> bytes:
    """The PDF. Raises `InputError` when a character of a name is in no font of this machine."""
    with TemporaryDirectory() as folder:
        pen = _Pen(Path(folder), content)
        pages = list(_pages(pen, content))
        for number, rows in enumerate(pages, 1):
            pen.pdf.add_page()
            _page(pen, content, rows, number, len(pages))
        return bytes(pen.pdf.output())


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    card: ListedCard
    lines: tuple[str, ...] = field(repr=False)
    """The names, as they are broken into lines."""

    @property
    def height(self) -> float:
        return max(_ROW_HEIGHT, len(self.lines) * _LINE + 2.6)


class _Pen:
    """A page of millimetres from the top left, and text in the fonts of the system."""

    def __init__(self, folder: Path, content: HandoverList) -> None:
        self.pdf = FPDF(unit="mm", format="A4")
        self.pdf.set_auto_page_break(False)
        self.pdf.set_title(str(_title(content)))
        self.pdf.set_producer("juying")
        self.pdf.set_lang("zh-CN")
        self.pdf.set_creation_date(content.made_at.astimezone(UTC))
        self._folder = folder
        self._fonts: dict[FreeTypeFont, str] = {}

    def text(self, x: float, y: float, text: str, size: float, *, ink: tuple[int, int, int] = _INK, align: str = "left",
             bold: bool = False, room: float | None = None) -> None:  # fmt: skip
        """Write one line with its left or right end at ``x``. To fit into ``room`` it gets smaller, and at last cut."""
        if room is not None:
            while size > _SMALLEST and self.width(text, size) > room:
                size -= 0.25
            while self.width(text, size) > room:
                text = f"{text[:-2]}…"
        if align == "right":
            x -= self.width(text, size)
        self.pdf.set_text_color(*ink)
        self.pdf.set_draw_color(*ink)
        self.pdf.set_line_width(size * 0.008)
        with self.pdf.local_context(text_mode=TextMode.FILL_STROKE if bold else TextMode.FILL):
            for family, piece in self._pieces(text):
                self.pdf.set_font(family, size=size)
                self.pdf.text(x, y, piece)
                x += self.pdf.get_string_width(piece)

    def both(self, x: float, y: float, text: Text, size: float, *, align: str = "left") -> None:
        """A label: Chinese, and English in grey behind it."""
        self.text(x, y, f"{text.zh} {text.en}", size, ink=_SOFT, align=align)

    def width(self, text: str, size: float) -> float:
        wide = 0.0
        for family, piece in self._pieces(text):
            self.pdf.set_font(family, size=size)
            wide += self.pdf.get_string_width(piece)
        return wide

    def line(self, x: float, y: float, to_x: float, to_y: float, *, width: float = 0.15) -> None:
        self.pdf.set_draw_color(*_RULE)
        self.pdf.set_line_width(width)
        self.pdf.line(x, y, to_x, to_y)

    def box(self, x: float, y: float, width: float, height: float, fill: tuple[int, int, int] | None = None) -> None:
        self.pdf.set_draw_color(*_RULE)
        self.pdf.set_line_width(0.15)
        if fill:
            self.pdf.set_fill_color(*fill)
        self.pdf.rect(x, y, width, height, style="F" if fill else "D")

    def code(self, text: str, x: float, y: float, side: float) -> None:
        """A QR code with its quiet zone."""
        symbol = encode_qr(text, medium=Medium.PAPER)
        module = side / (symbol.side + 2 * QUIET_ZONE)
        self.pdf.set_fill_color(0, 0, 0)
        for left, top, wide, high in symbol.dark_runs():
            place = x + (left + QUIET_ZONE) * module, y + (top + QUIET_ZONE) * module
            self.pdf.rect(*place, wide * module, high * module, style="F")

    def _pieces(self, text: str) -> Iterator[tuple[str, str]]:
        for font, piece in typeset(text, _PROBE, like=text + _LIKE).pieces:
            if font not in self._fonts:
                self._fonts[font] = f"font{len(self._fonts)}"
                path = _font_file(font, self._folder / f"{self._fonts[font]}.ttf")
                collection = font.index if path.suffix.lower() in (".ttc", ".otc") else 0
                self.pdf.add_font(self._fonts[font], fname=str(path), collection_font_number=collection)
            yield self._fonts[font], piece


def _font_file(font: FreeTypeFont, copy: Path) -> Path:
    """The file of a font; of the one inside Pillow a ``copy`` is made."""
    if isinstance(font.path, str | bytes | os.PathLike):
        return Path(os.fsdecode(font.path))
    font.path.seek(0)
    copy.write_bytes(font.path.read())
    return copy


def _title(content: HandoverList) -> Text:
    return Text(f"移交清单 {content.number}", f"hand-over list {content.number}")


def _pages(pen: _Pen, content: HandoverList) -> Iterator[list[_Row]]:
    """The rows of each page; the last page has room for the signatures."""
    room = _TABLE_END - _TABLE_FIRST - _HEAD_HEIGHT
    page: list[_Row] = []
    for number, card in enumerate(content.cards, 1):
        row = _Row(number, card, tuple(_name_lines(pen, card)))
        if row.height > room:
            yield page
            page, room = [], _TABLE_END - _TABLE_LATER - _HEAD_HEIGHT
        page.append(row)
        room -= row.height
    if room < _SIGNATURES:  # nobody signs a page without a card
        yield page[:-1]
        page = page[-1:]
    yield page


def _name_lines(pen: _Pen, card: ListedCard) -> Iterator[str]:
    """The Chinese name, and the passport name in as many lines as it needs."""
    room = _COLUMNS[_NAME][1] - 4
    if card.chinese_name:
        yield card.chinese_name
    line = ""
    for word in card.name.split():
        longer = f"{line} {word}".strip()
        if line and pen.width(longer, _NAME_SIZE) > room:
            yield line
            longer = word
        line = longer
    yield line


def _page(pen: _Pen, content: HandoverList, rows: list[_Row], number: int, pages: int) -> None:
    top = _first_head(pen, content) if number == 1 else _later_head(pen, content)
    bottom = _table(pen, rows, top)
    if number == pages:
        _signatures(pen, content, bottom + 5)
    pen.line(_LEFT, 283, _RIGHT, 283)
    pen.both(_LEFT, 287.5, Text("含个人信息，请妥善保管", "personal data: keep it locked away"), 7)
    page = Text(f"第 {number} 页，共 {pages} 页", f"page {number} of {pages}")
    pen.both(_RIGHT, 287.5, page, 7, align="right")


def _first_head(pen: _Pen, content: HandoverList) -> float:
    pen.text(_LEFT, 23, "社会保障卡移交清单", 20, bold=True)
    pen.text(_LEFT, 29.5, "Hand-over list of social security cards", 10, ink=_SOFT)
    if content.demonstration:
        pen.text(_LEFT + 72, 23, "样本 SPECIMEN", 12, ink=_RED, bold=True)
    pen.code(content.code, _RIGHT - _QR + 2, 10, _QR)
    edition = f"{content.number}" + (f"（第 {content.edition} 版）" if content.edition > 1 else "")
    fields = [
        (_LEFT, 39.0, Text("编号", "No."), edition, 30.0),
        (50.0, 39.0, Text("张数", "Cards"), str(len(content.cards)), 20.0),
        (78.0, 39.0, Text("日期", "Date"), f"{content.made_at.astimezone(CHINA):%Y-%m-%d}", 30.0),
        (110.0, 39.0, Text("批次", "Lot"), content.lot, 85.0),
        (_LEFT, 49.0, Text("用人单位", "Employer"), content.employer.name, 118.0),
        (140.0, 49.0, Text("统一社会信用代码", "Credit code"), content.employer.code, 55.0),
        (_LEFT, 59.0, Text("发证机关", "Issued by"), content.office.zh, _WIDTH),
    ]
    for x, y, label, value, room in fields:
        pen.both(x, y, label, 7)
        pen.text(x, y + 4.8, value, 11, room=room)
    pen.text(_LEFT, 67.6, content.office.en, 7.5, ink=_SOFT, room=_WIDTH)
    pen.text(_LEFT, 73.5, f"台账事件 ledger event {content.head}", 6.5, ink=_SOFT, room=_WIDTH)
    return _TABLE_FIRST


def _later_head(pen: _Pen, content: HandoverList) -> float:
    pen.text(_LEFT, 19, str(_title(content)), 10, bold=True)
    pen.text(_RIGHT, 19, content.employer.name, 9, ink=_SOFT, align="right", room=110)
    return _TABLE_LATER


def _table(pen: _Pen, rows: list[_Row], top: float) -> float:
    """The rows below their headings; where they end."""
    pen.box(_LEFT, top, _WIDTH, _HEAD_HEIGHT, _BAND)
    x = _LEFT
    for title, width in _COLUMNS:
        pen.text(x + 2, top + 4.2, title.zh, 8.5, bold=True)
        pen.text(x + 2, top + 7.8, title.en, 6.5, ink=_SOFT, room=width - 3)
        x += width
    y = top + _HEAD_HEIGHT
    for row in rows:
        _row(pen, row, y)
        y += row.height
        pen.line(_LEFT, y, _RIGHT, y)
    x = _LEFT
    for width in (0.0, *(width for _, width in _COLUMNS)):
        x += width
        pen.line(x, top, x, y)
    pen.line(_LEFT, top, _RIGHT, top)
    return y


def _row(pen: _Pen, row: _Row, top: float) -> None:
    card = row.card
    cells = (str(row.number), str(card.box or "–"), str(card.position), card.card_number, "", card.permit_ending)
    middle = top + row.height / 2 + 1.3
    x = _LEFT
    for place, (text, (_, width)) in enumerate(zip(cells, _COLUMNS, strict=False)):
        if place == _NAME:
            first = top + row.height / 2 - (len(row.lines) - 1) * _LINE / 2 + 1.2
            for number, line in enumerate(row.lines):
                pen.text(x + 2, first + number * _LINE, line, _NAME_SIZE, room=width - 4)
        else:
            pen.text(x + 2, middle, text, 10 if place else 9, room=width - 3)
        x += width


def _signatures(pen: _Pen, content: HandoverList, top: float) -> None:
    count = len(content.cards)
    pen.text(_LEFT, top + 1, f"共 {count} 张", 10, bold=True)
    pen.text(_LEFT + pen.width(f"共 {count} 张", 10) + 2, top + 1, f"{count} cards in all", 8, ink=_SOFT)
    remarks = [Text("未领取的卡请在签收栏写“未领”并交还", "a card not taken: write 未领 in its line, and return it")]
    if content.left_out:
        left = len(content.left_out)
        left_out = Text(f"另有 {left} 张已挂失、暂停或注销，未列入", f"{left} lost, suspended or cancelled: not listed")
        remarks.insert(0, left_out)
    for number, remark in enumerate(remarks):
        pen.both(_RIGHT, top + 1 + 4 * number, remark, 7, align="right")
    top += 8
    width, height = (_WIDTH - 6) / 2, 44.0
    sides = (
        (Text("移交方（发证机关）", "Handed over by"), content.office.zh),
        (Text("接收方（用人单位）", "Received by"), content.employer.name),
    )
    for number, (who, name) in enumerate(sides):
        x = _LEFT + number * (width + 6)
        pen.box(x, top, width, height)
        pen.both(x + 3, top + 5, who, 7.5)
        pen.text(x + 3, top + 10.5, name, 9.5, room=width - 6)
        labels = [Text("经办人签名", "Signature"), Text("日期", "Date")]
        if number:
            labels.insert(0, Text("实收张数", "Cards received"))
        for line, label in enumerate(reversed(labels)):
            y = top + height - 5 - 8.5 * line
            pen.both(x + 3, y, label, 7)
            pen.line(x + 37, y + 0.8, x + width - 5, y + 0.8, width=0.2)
        pen.both(x + width - 3, top + 5, Text("盖章", "stamp"), 7.5, align="right")
