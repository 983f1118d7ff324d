"""From a cell of a spreadsheet to clean text or a day, undoing what spreadsheets do to values.

What can be undone for certain is undone. What a spreadsheet has destroyed (leading zeros, the digits after
the fifteenth) is reported with the remedy and never guessed. Errors never contain the value.
"""

import math
import re
import unicodedata
from datetime import date, datetime, time, timedelta

from juying.errors import FieldError
from juying.issuance.columns import Column, Kind
from juying.text import Text

MAX_CELL = 500
"""Longest cell that is looked at, in characters."""

EPOCH_1900 = date(1899, 12, 30)
"""Day 0 of the serial numbers by which spreadsheets count days (for all days after 1900-02-28)."""

_AS_TEXT = Text(
    "将该列设为“文本”格式，再重新输入原值",
    "format the column as text, then type the original value again",
)
_ONE_VALUE = Text("一个单元格只写一个文本值", "a cell holds one text value")
_CORRECT_CELL = Text("在表格中改正该单元格后重新保存", "correct the cell in the spreadsheet and save it again")
_DAY = Text(
    "日期写作 2026-12-01、2026/12/1、2026.12.1、20261201 或 2026年12月1日",
    "a date is written 2026-12-01, 2026/12/1, 2026.12.1, 20261201 or 2026年12月1日",
)

_DATE_TEXT = re.compile(
    r"(?P<y>[0-9]{4})(?:(?P<sep>[-/.])(?P<m>[0-9]{1,2})(?P=sep)(?P<d>[0-9]{1,2})"
    r"|(?P<m2>[0-9]{2})(?P<d2>[0-9]{2})"
    r"|\s?年\s?(?P<m3>[0-9]{1,2})\s?月\s?(?P<d3>[0-9]{1,2})\s?日?)"
    r"(?P<clock>[T ].*)?"
)
_MIDNIGHT = re.compile(r"[T ]0?0:00(:00(\.0+)?)?Z?")
_SERIAL = re.compile(r"([0-9]{5})(\.0+)?")
# Five digits up to 2099-12-31; from 1927-05-18, so that a bare year is never taken for a serial number.
_SERIALS = range(10_000, 73_051)

_PROTECTED = re.compile(r'="(.*)"', re.DOTALL)
_SHEET_ERROR = re.compile(r"#+|#(N/A|REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!)")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+([.,][0-9]+E[+-]?|E\+)[0-9]+", re.IGNORECASE)
_WHOLE_DECIMAL = re.compile(r"([0-9]+)\.0+")
_WIDE = {wide: wide - 0xFEE0 for first, last in ("０９", "ＡＺ", "ａｚ") for wide in range(ord(first), ord(last) + 1)}
# A spreadsheet keeps fifteen significant digits of a number and turns the rest into zeros.
_EXACT = 10**15


def text_of(cell: object, column: Column, field: str) -> str:
    """The text that the clerk meant, "" for an empty cell.

    ``cell`` is what a reader found: text, a number, a date, a truth value, or None. ``field`` is what errors
    call the column. Raises FieldError.
    """
    if cell is None or cell == "":
        return ""
    if isinstance(cell, str):
        return _tidy(cell, column, field)
    if isinstance(cell, datetime | date | time | timedelta):
        raise FieldError(
            field,
            Text("表格把该值变成了日期或时间", "the spreadsheet has turned the value into a date or time"),
            _AS_TEXT,
        )
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise FieldError(field, Text("不是文本", "this is not text"), _ONE_VALUE)
    return _digits(cell, column, field)


def day_of(cell: object, column: Column, field: str, *, epoch: date = EPOCH_1900) -> date | None:
    """The day that a cell names, None for an empty cell.

    ``epoch`` is day 0 of the workbook's serial numbers. Raises FieldError; also for a date without a
    certain meaning, such as 3/4/26.
    """
    if isinstance(cell, datetime):
        if cell.time() != time():
            raise _not_a_day(field, Text("日期后带有钟点", "a time of day follows the date"))
        return cell.date()
    if isinstance(cell, date):
        return cell
    if isinstance(cell, time | timedelta):
        raise _not_a_day(field, Text("是钟点而不是日期", "this is a time, not a date"))
    text = text_of(cell, column, field)
    if not text:
        return None
    if serial := _SERIAL.fullmatch(text):
        if int(serial[1]) not in _SERIALS:
            raise _not_a_day(field, Text("序列号超出合理的日期范围", "the serial number is no plausible date"))
        return epoch + timedelta(days=int(serial[1]))
    return _written_day(text, field)


def _written_day(text: str, field: str) -> date:
    found = _DATE_TEXT.fullmatch(text)
    if not found:
        raise _not_a_day(field, Text("不是可识别的日期", "this is not a recognisable date"))
    if found["clock"] and not _MIDNIGHT.fullmatch(found["clock"]):
        raise _not_a_day(field, Text("日期后带有其他内容", "something follows the date"))
    month = found["m"] or found["m2"] or found["m3"]
    day = found["d"] or found["d2"] or found["d3"]
    try:
        return date(int(found["y"]), int(month), int(day))
    except ValueError:
        raise _not_a_day(field, Text("日历上没有这一天", "the calendar has no such day")) from None


def _not_a_day(field: str, problem: Text) -> FieldError:
    return FieldError(field, problem, _DAY)


def _tidy(cell: str, column: Column, field: str) -> str:
    """Undo protections, fold forms and white space as the kind of the column says, refuse damage."""
    if len(cell) > MAX_CELL:
        raise FieldError(
            field,
            Text("内容过长", "the content is too long"),
            Text(f"每格至多 {MAX_CELL} 个字符", f"at most {MAX_CELL} characters in a cell"),
        )
    text = cell.replace("_x000D_", "")  # how Excel stores a carriage return
    if not text.isprintable():
        # Format characters (BOM, zero-width space, direction marks) come along when text is copied.
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
        if any(unicodedata.category(char) in ("Cc", "Cs") and not char.isspace() for char in text):
            raise FieldError(field, Text("含有控制字符", "there are control characters in it"), _CORRECT_CELL)
    text = text.strip()
    if protected := _PROTECTED.fullmatch(text):
        text = protected[1].replace('""', '"')
    text = text.removeprefix("'").strip()
    if _SHEET_ERROR.fullmatch(text):
        raise FieldError(field, Text("是表格软件的出错标记", "this is an error mark of the spreadsheet"), _CORRECT_CELL)
    if column.kind is Kind.TEXT:
        text = text.translate(_WIDE)
    elif column.kind is not Kind.FILE:
        text = unicodedata.normalize("NFKC", text)
    text = " ".join(text.split())
    return text if column.kind in (Kind.TEXT, Kind.FILE) else _folded(text, column, field)


def _folded(text: str, column: Column, field: str) -> str:
    """The rest of :func:`_tidy` for columns in which form does not matter."""
    if _SCIENTIFIC.fullmatch(text):
        raise FieldError(
            field,
            Text(
                "表格把号码变成了科学计数法，后面的数字已丢失",
                "the spreadsheet has turned the number into scientific notation and lost digits",
            ),
            _AS_TEXT,
        )
    if whole := _WHOLE_DECIMAL.fullmatch(text):
        return _digits(int(whole[1]), column, field)
    if column.kind is Kind.CODE:
        text = "".join(text.split())
        text = text.upper() if text.isascii() else text  # "ı" must not become "I"
    if column.digits and text.isdecimal() and len(text) < min(column.digits):
        raise _zeros_lost(min(column.digits), field)
    return text


def _digits(number: float, column: Column, field: str) -> str:
    """The digits of a numeric cell, if a spreadsheet cannot have lost any of them."""
    if not math.isfinite(number) or number != int(number) or number < 0:
        raise FieldError(field, Text("是带小数或负号的数", "this is a number with a fraction or a sign"), _AS_TEXT)
    if number >= _EXACT:
        raise FieldError(
            field,
            Text(
                "号码超过 15 位却存为数值，后面的数字已丢失",
                "a number of more than 15 digits was stored as a numeric value and has lost digits",
            ),
            _AS_TEXT,
        )
    text = str(int(number))
    if column.digits and len(text) < max(column.digits):
        raise _zeros_lost(max(column.digits), field)
    return text


def _zeros_lost(digits: int, field: str) -> FieldError:
    return FieldError(
        field,
        Text(
            f"不足 {digits} 位数字，表格可能丢掉了开头的零",
            f"there are fewer than {digits} digits; the spreadsheet may have dropped leading zeros",
        ),
        _AS_TEXT,
    )
