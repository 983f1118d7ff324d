"""The report on a lot as CSV and XLSX, for programs and for spreadsheets.

No cell is ever a formula: in a sheet all text is marked as text, and in CSV what a spreadsheet would take for a formula
gets an apostrophe before it, as a clerk would type it. Both hold card numbers.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, NamedStyle, PatternFill
from openpyxl.utils import get_column_letter

from juying.credential.claims import CHINA
from juying.errors import InputError
from juying.files import write_atomically
from juying.issuance.lot_figures import LotReport, Outcome
from juying.issuance.lot_report_html import html_report
from juying.text import Text

CSV_COLUMNS = ("row", "position", "box", "kind", "state", "card_number", "outcome", "error")
NAME_COLUMN = "name"

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # what a cell must not begin with
_BAND, _WHITE = "0F4A5B", "FFFFFF"
_INSTANT, _DURATION = "yyyy-mm-dd hh:mm:ss", "[h]:mm:ss"

Value = str | int | datetime | timedelta | None


def save_report(report: LotReport, path: Path) -> None:
    """Write the report, for its owner only, as its suffix says: ``.csv``, ``.xlsx`` or ``.html``.

    Raises `InputError` for another suffix, and when it cannot be written.
    """
    check_format(path)
    write_atomically(path, FORMATS[path.suffix.lower()](report), private=True)


def check_format(path: Path) -> None:
    """Raise `InputError` for a suffix that no report has."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            "报告可以是 .csv、.xlsx 或 .html 文件", "a report is a .csv, .xlsx or .html file", where=str(path)
        )


def csv_report(report: LotReport) -> bytes:
    """One line for each order; UTF-8 without byte order mark, lines end in CR LF."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    names = [NAME_COLUMN] if report.with_names else []
    writer.writerow([*CSV_COLUMNS, *names])
    for line in report.orders:
        cells = [line.row, line.position, line.box, line.kind.value, line.state.value, line.card_number]
        cells += [line.outcome.value, line.error, *([line.name] if names else [])]
        writer.writerow([_no_formula(cell) for cell in cells])
    return file.getvalue().encode()


def xlsx_report(report: LotReport) -> bytes:
    """A workbook with the sheets summary, orders and failures; its times are those of China."""
    book = Workbook(write_only=True)
    for style in _styles():
        book.add_named_style(style)
    _summary(_Sheet(book, Text("汇总", "summary"), (34, 26, 14, 14, 14, 14)), report)
    _orders(
        _Sheet(book, Text("订单", "orders"), (7, 9, 7, 20, 20, 13, 24, 8, 40, 14, 22, 14, 20, 20, 20, 12, 28)), report
    )
    _failures(_Sheet(book, Text("失败", "failures"), (20, 9, 20, 14, 22, 14, 80)), report)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


FORMATS: dict[str, Callable[[LotReport], bytes]] = {".csv": csv_report, ".xlsx": xlsx_report, ".html": html_report}
"""What makes a report, by the suffix of its file."""


def _no_formula(cell: Value) -> Value:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _styles() -> list[NamedStyle]:
    top = Alignment(vertical="top")
    return [
        NamedStyle("juying text", alignment=Alignment(vertical="top", wrap_text=True), number_format="@"),
        NamedStyle("juying instant", alignment=top, number_format=_INSTANT),
        NamedStyle("juying duration", alignment=top, number_format=_DURATION),
        NamedStyle("juying title", font=Font(bold=True, size=14), number_format="@"),
        NamedStyle(
            "juying heading",
            font=Font(bold=True, color=_WHITE),
            fill=PatternFill("solid", fgColor=_BAND),
            alignment=Alignment(vertical="center", wrap_text=True),
            number_format="@",
        ),
    ]


class _Sheet:
    """A sheet in the making: rows of values, each in the style of its type."""

    def __init__(self, book: Workbook, title: Text, widths: Sequence[int]) -> None:
        self.sheet: Any = book.create_sheet(f"{title.zh} {title.en}")  # typed, but not as what it is
        for number, width in enumerate(widths, 1):
            self.sheet.column_dimensions[get_column_letter(number)].width = width

    def row(self, *values: Value, style: str = "") -> None:
        self.sheet.append([self._cell(value, style) for value in values])

    def head(self, *names: Text) -> None:
        self.row(*(f"{name.zh}\n{name.en}" for name in names), style="juying heading")

    def table(self, *names: Text, rows: Iterable[Sequence[Value]]) -> None:
        """A table with a line above it."""
        self.row()
        self.head(*names)
        for row in rows:
            self.row(*row)

    def _cell(self, value: Value, style: str) -> Any:
        if value is None or isinstance(value, int):
            return value
        if isinstance(value, datetime):
            value, kind = value.astimezone(CHINA).replace(tzinfo=None, microsecond=0), "instant"
        elif isinstance(value, timedelta):
            value, kind = timedelta(seconds=round(value.total_seconds())), "duration"
        else:
            value, kind = ILLEGAL_CHARACTERS_RE.sub("", value), "text"
        cell: Any = WriteOnlyCell(self.sheet)
        cell.value = value
        if kind == "text":
            cell.data_type = "s"  # and never a formula
        cell.style = style or f"juying {kind}"
        return cell


_ORDER_COLUMNS = (
    Text("行", "row"),
    Text("序号", "position"),
    Text("盒", "box"),
    Text("种类", "kind"),
    Text("状态", "state"),
    Text("卡号", "card number"),
    Text("结果", "outcome"),
    Text("失败", "failures"),
    Text("说明", "remark"),
    Text("工位", "station"),
    Text("读卡器", "reader"),
    Text("操作员", "operator"),
    Text("开始", "begun"),
    Text("制成", "sealed"),
    Text("发放", "delivered"),
    Text("用时", "duration"),
)


def _orders(sheet: _Sheet, report: LotReport) -> None:
    names = (Text("姓名", "name"),) if report.with_names else ()
    columns = (*_ORDER_COLUMNS, *names)
    sheet.sheet.freeze_panes = "A2"
    sheet.sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{len(report.orders) + 1}"
    sheet.head(*columns)
    for line in report.orders:
        took = line.sealed_at - line.begun_at if line.done and line.sealed_at and line.begun_at else None
        sheet.row(
            line.row, line.position, line.box, str(line.kind.text), str(line.state.text), line.card_number,
            str(line.outcome.text), line.failures, line.note, line.station, line.reader, line.operator,
            line.begun_at, line.sealed_at, line.delivered_at, took, *([line.name] if names else []),
        )  # fmt: skip


def _failures(sheet: _Sheet, report: LotReport) -> None:
    sheet.sheet.freeze_panes = "A2"
    sheet.head(
        Text("时间", "time"), Text("序号", "position"), Text("此卡", "the card"), Text("工位", "station"),
        Text("读卡器", "reader"), Text("操作员", "operator"), Text("原因", "reason"),
    )  # fmt: skip
    for each in report.failures:
        fate = Text("已作废", "spoiled") if each.spoiled else Text("重试", "tried again")
        sheet.row(each.at, each.position, str(fate), each.station, each.reader, each.operator, each.reason)


def _summary(sheet: _Sheet, report: LotReport) -> None:
    sheet.row(str(Text("批次报告", "report on a lot")), style="juying title")
    durations, rate = report.durations(), report.rate()
    facts: list[tuple[Text, Value]] = [
        (Text("批次", "lot"), report.lot),
        (Text("状态", "state"), str(report.state.text)),
        (Text("申请表", "sheet"), report.source),
        (Text("卡规格", "card profile"), report.profile),
        (Text("建立", "made"), report.made_at),
        (Text("关闭", "closed"), report.closed_at),
        (Text("报告时间", "time of the report"), report.at),
        (Text("台账", "ledger"), report.ledger),
        (Text("台账最后事件", "last event of the ledger"), str(report.head)),
        (Text("订单", "orders"), len(report.orders)),
        (Text("已制成", "done"), report.done),
        (Text("失败次数", "failures"), len(report.failures)),
        (Text("每小时张数", "cards per hour"), round(rate.per_hour)),
        (Text("每张用时（中位数）", "time for a card (median)"), durations.median if durations else None),
        (Text("每张用时（95%）", "time for a card (95 %)"), durations.p95 if durations else None),
    ]
    for name, value in facts:
        sheet.row(str(name), value)
    sheet.table(
        Text("结果", "outcome"), Text("订单", "orders"),
        rows=[(str(outcome.text), report.outcomes()[outcome]) for outcome in Outcome if report.outcomes()[outcome]],
    )  # fmt: skip
    sheet.table(
        Text("种类", "kind"), Text("状态", "state"), Text("订单", "orders"),
        rows=[(str(kind.text), str(state.text), count) for (kind, state), count in report.counts().items()],
    )  # fmt: skip
    sheet.table(
        Text("工位", "station"), Text("读卡器", "reader"), Text("操作员", "operator"), Text("制成", "done"),
        Text("失败", "failures"), Text("中位用时", "median"),
        rows=[(work.station, work.reader, work.operator, work.done, work.failures, work.median)
              for work in report.workplaces()],
    )  # fmt: skip
    sheet.table(
        Text("失败原因", "cause of failures"), Text("首次", "first"), Text("末次", "last"), Text("次数", "failures"),
        Text("订单", "orders"), Text("作废卡", "spoiled cards"),
        rows=[(cause.reason, cause.first, cause.last, cause.failures, cause.orders, cause.spoiled)
              for cause in report.causes()],
    )  # fmt: skip
    sheet.table(
        Text("盒", "box"), Text("盒内", "in it"), Text("已发放", "delivered"), Text("未制成", "not done"),
        rows=[(box.number, box.done, box.delivered, box.missing) for box in report.boxes()],
    )  # fmt: skip
