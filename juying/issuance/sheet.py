"""Files of applications (CSV, XLSX, JSON) as a heading line and rows of raw cells.

Nothing here knows what a cell means. Whatever is wrong with a file as a whole is an InputError that names
it; no error of a CSV, ZIP, XML or JSON parser gets out.
"""

import csv
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from juying.errors import InputError
from juying.issuance.cells import EPOCH_1900
from juying.issuance.columns import column_of

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.workbook import Workbook

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_DELIMITERS = ",;\t"
_LAST_ROW = 1_048_576  # of any spreadsheet program
_LAST_COLUMN = 64  # more than twice what we know

Rows = tuple[tuple[int, tuple[object, ...]], ...]
"""Rows that are not empty: number in the file, raw cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a file is read at most: its bytes, the bytes a workbook unpacks to, its rows."""

    size: int = 64 * 1024 * 1024
    unpacked: int = 512 * 1024 * 1024
    rows: int = 100_000


@dataclass(frozen=True, slots=True)
class Table:
    """A heading line and the rows under it that are not empty, each with its number in the file.

    ``epoch`` is day 0 of serial numbers of days in it; ``keyed`` tells that the headings are the keys of
    JSON objects.
    """

    headings: tuple[str, ...] = field(repr=False)  # a person, in a sheet without headings
    rows: Rows = field(repr=False)
    epoch: date = EPOCH_1900
    keyed: bool = False


def read_table(path: Path, limits: Limits) -> Table:
    """Read a CSV, XLSX or JSON file; which it is, is seen from its content and, for JSON, its name.

    Rows are numbered as a spreadsheet shows them (the heading is row 1); objects of a JSON list count
    from 1. CSV may be UTF-8, GB18030 or UTF-16 with its mark, separated by comma, semicolon or tab.
    Raises InputError.
    """
    data = _content(path, limits)
    keyed = False
    if data.startswith(_ZIP):
        headings, rows, epoch = _xlsx(data, path, limits)
    elif data.startswith(_OLE):
        _refuse(
            path,
            "是旧式 .xls 或加了密码的工作簿；请另存为不带密码的 .xlsx",
            "this is an old .xls or a workbook with a password; save it as .xlsx without a password",
        )
    elif path.suffix.lower() in (".xlsx", ".xlsm"):
        _refuse(path, "不是工作簿；请用表格软件另存为 .xlsx", "this is not a workbook; save it again as .xlsx")
    else:
        text, epoch, keyed = _decoded(data, path), EPOCH_1900, path.suffix.lower() == ".json"
        headings, rows = (_json if keyed else _csv)(text, path, limits)
    if not rows:
        _refuse(path, "没有申请数据", "there are no applications in it")
    return Table(headings, rows, epoch, keyed)


def _refuse(path: Path, zh: str, en: str, row: int | None = None) -> NoReturn:
    """Raise the InputError for a file, or for a row of it, that cannot be read."""
    raise InputError(zh, en, where=str(path) if row is None else f"{path}:{row}") from None


def _content(path: Path, limits: Limits) -> bytes:
    try:
        if path.is_dir():
            _refuse(path, "是文件夹，不是表格文件", "this is a folder, not a spreadsheet")
        with path.open("rb") as file:
            data = file.read(limits.size + 1)
    except FileNotFoundError:
        _refuse(path, "找不到文件", "there is no such file")
    except (OSError, ValueError):
        _refuse(
            path,
            "文件无法打开；请检查权限，并确认没有被其他程序占用",
            "the file cannot be opened; check its permissions and whether another program holds it",
        )
    if len(data) > limits.size:
        _refuse(
            path,
            f"文件超过 {limits.size} 字节；请分成几个文件",
            f"the file is larger than {limits.size} bytes; split it",
        )
    if not data.strip():
        _refuse(path, "文件是空的", "the file is empty")
    return data


def _decoded(data: bytes, path: Path) -> str:
    """The text of a file: the encoding of its mark, else UTF-8, else GB18030."""
    encoding, body = next(((name, data[len(bom) :]) for bom, name in _BOMS if data.startswith(bom)), ("", data))
    try:
        text = body.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding or _looks_like_utf8(data):
            _refuse(
                path,
                "文字编码有损坏；请重新保存为 CSV UTF-8",
                "the text encoding is damaged; save the file again as CSV UTF-8",
            )
        text = _gb18030(body, path)
    if "\0" in text:
        _refuse(
            path,
            "不是文本文件；请保存为 CSV UTF-8 或 .xlsx",
            "this is not a text file; save it as CSV UTF-8 or .xlsx",
        )
    return text


def _looks_like_utf8(data: bytes) -> bool:
    """Whether most characters outside ASCII are well-formed UTF-8, which GB18030 text never shows."""
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    return sum(not c.isascii() for c in text) > 2 * damaged


def _gb18030(data: bytes, path: Path) -> str:
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError:
        _refuse(
            path,
            "无法识别文字编码；请保存为 CSV UTF-8",
            "the text encoding is not recognised; save the file as CSV UTF-8",
        )


def _gather(lines: Iterable[tuple[object, ...]], path: Path, limits: Limits) -> tuple[tuple[str, ...], Rows]:
    """Number the lines of a sheet, take the first that is not empty as its headings, drop empty ones."""
    headings: tuple[str, ...] = ()
    rows: list[tuple[int, tuple[object, ...]]] = []
    for number, cells in enumerate(lines, 1):
        if number > _LAST_ROW:
            _refuse(path, "行号超出表格的上限", "a row number is beyond the last row of a spreadsheet")
        if all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells):
            continue
        if not headings:
            headings = tuple("" if cell is None else str(cell) for cell in cells)
            continue
        rows.append((number, cells))
        _limit_rows(len(rows), path, limits)
    return headings, tuple(rows)


def _limit_rows(count: int, path: Path, limits: Limits) -> None:
    if count > limits.rows:
        _refuse(
            path,
            f"超过 {limits.rows} 行；请分成几个文件",
            f"there are more than {limits.rows} rows; split the file",
        )


def _csv(text: str, path: Path, limits: Limits) -> tuple[tuple[str, ...], Rows]:
    number = 0

    def lines() -> Iterator[tuple[object, ...]]:
        nonlocal number
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True):
            number += 1
            yield tuple(cells)

    try:
        return _gather(lines(), path, limits)
    except csv.Error:
        _refuse(
            path,
            "CSV 的引号不成对，或单元格过长",
            "the quotes of the CSV do not match, or a cell is too long",
            number + 1,
        )


def _delimiter(text: str) -> str:
    """The separator that makes most known headings of the first line that is not empty."""
    first = next((line for line in text.splitlines() if line.strip(_DELIMITERS + " ")), "")

    def known(delimiter: str) -> int:
        return sum(column_of(heading) is not None for heading in first.split(delimiter))

    return max(_DELIMITERS, key=known)


def _xlsx(data: bytes, path: Path, limits: Limits) -> tuple[tuple[str, ...], Rows, date]:
    # Imported here: a CSV needs no spreadsheet package, and it is an extra.
    try:
        import openpyxl
    except ImportError:
        _refuse(
            path,
            "读取 .xlsx 需要 openpyxl：pip install 'juying[office]'，或保存为 CSV",
            "reading .xlsx needs openpyxl: pip install 'juying[office]', or save the file as CSV",
        )
    try:
        formulas = _has_formulas(data, limits)
        # openpyxl warns about styles and extensions that it will not keep; we keep nothing.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sources = openpyxl.load_workbook(io.BytesIO(data), read_only=True) if formulas else None
            headings, rows = _gather(_xlsx_lines(book, sources), path, limits)
            return headings, rows, book.epoch.date()
    except InputError:
        raise
    except Exception:
        # A broken or hostile workbook makes openpyxl raise almost anything (KeyError, TypeError, …).
        _refuse(
            path,
            "工作簿已损坏或过大；请在表格软件中打开并另存为 .xlsx",
            "the workbook is broken or too large; open it in a spreadsheet and save it as .xlsx again",
        )


def _has_formulas(data: bytes, limits: Limits) -> bool:
    """Look into the sheets of a workbook for formulas; a workbook that unpacks to too much is refused."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > limits.unpacked:
            raise zipfile.BadZipFile
        return any(
            re.search(rb"<(\w+:)?f[ >/]", archive.read(part))
            for part in parts
            if part.filename.startswith("xl/worksheets/")
        )


def _xlsx_lines(book: "Workbook", sources: "Workbook | None") -> Iterator[tuple[object, ...]]:
    """The lines of the first visible sheet."""
    index = next(i for i, sheet in enumerate(book.worksheets) if sheet.sheet_state == "visible")
    lines = _cells(book, index)
    before: tuple[Any, ...] = ()
    for cells, formulas in zip(lines, _cells(sources, index) if sources else repeat(()), strict=False):
        # openpyxl fills a gap of a million rows with one and the same tuple of empty cells.
        values = () if cells is before else tuple(map(_value, cells))
        before = cells
        for column, source in enumerate(formulas):
            if source.data_type == "f" and values[column] is None:
                values = (*values[:column], "#VALUE!", *values[column + 1 :])
        yield values


def _cells(book: "Workbook", index: int) -> Iterator[tuple[Any, ...]]:
    sheet = book.worksheets[index]
    sheet.reset_dimensions()  # what the file says about its extent is not always true
    return sheet.iter_rows(max_col=_LAST_COLUMN)


def _value(cell: "Cell") -> object:
    """A cell's value; a whole number under a format of zeros ("000000") as the text that it shows."""
    value: object = cell.value
    if isinstance(value, int) and not isinstance(value, bool) and re.fullmatch("00+", cell.number_format):
        return str(value).zfill(len(cell.number_format))
    return value


def _json(text: str, path: Path, limits: Limits) -> tuple[tuple[str, ...], Rows]:
    """Take the objects of a list, or of the list under "applications", as rows under all their keys."""
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse(path, "不是正确的 JSON", "this is not well-formed JSON", error.lineno)
    except (ValueError, RecursionError):
        _refuse(
            path,
            "JSON 中有重复的键、非数值或过深的嵌套",
            "the JSON repeats a key, holds what is not a number, or nests too deeply",
        )
    if isinstance(document, Mapping):
        document = document.get("applications")
    if not isinstance(document, list) or not all(isinstance(item, Mapping) for item in document):
        _refuse(
            path,
            'JSON 应为对象的列表，或 {"applications": [对象…]}',
            'the JSON should be a list of objects, or {"applications": [objects…]}',
        )
    _limit_rows(len(document), path, limits)
    keys = tuple(dict.fromkeys(key for item in document for key in item))
    if len(keys) > _LAST_COLUMN:
        _refuse(path, "JSON 中的键过多", "the objects of the JSON have too many different keys")
    rows = ((number, tuple(item.get(key) for key in keys)) for number, item in enumerate(document, 1))
    return keys, tuple((number, cells) for number, cells in rows if any(cell not in (None, "") for cell in cells))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
