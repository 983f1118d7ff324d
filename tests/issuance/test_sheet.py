"""Files as a whole: every encoding, separator and format is read, every broken one is an InputError."""

import csv
import io
import json
import re
import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from juying.errors import InputError
from juying.issuance.sheet import Limits, Table, read_table

LIMITS = Limits()
LINES = [["姓名", "nationality"], ["ERIKSSON", "乌托邦"], ["MUSTERFRAU", "德国𠮷"]]


def save(tmp_path: Path, data: bytes, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def written(lines: list[list[str]], delimiter: str = ",") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(lines)
    return file.getvalue()


def refused(path: Path, limits: Limits = LIMITS) -> str:
    with pytest.raises(InputError) as caught:
        read_table(path, limits)
    assert caught.value.where.startswith(str(path))
    assert caught.value.text.zh
    assert caught.value.text.zh != caught.value.text.en
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_csv_in_every_encoding_and_separator(tmp_path: Path, encoding: str, delimiter: str) -> None:
    table = read_table(save(tmp_path, written(LINES, delimiter).encode(encoding)), LIMITS)
    assert table.headings == ("姓名", "nationality")
    assert table.rows == ((2, ("ERIKSSON", "乌托邦")), (3, ("MUSTERFRAU", "德国𠮷")))


def test_csv_in_big_endian_utf_16(tmp_path: Path) -> None:
    data = "\ufeff".encode("utf-16-be") + written(LINES, "\t").encode("utf-16-be")
    assert read_table(save(tmp_path, data), LIMITS).headings == ("姓名", "nationality")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_numbered_as_the_spreadsheet_shows_them(tmp_path: Path, end: str) -> None:
    """A line break inside quotes makes no new row; empty rows count but are left out."""
    text = end.join(["name,sex", f'"ERIK{end}SSON",2', ",", "", "  ,", "MUSTER,1"]) + end
    table = read_table(save(tmp_path, text.encode()), LIMITS)
    assert table.rows == ((2, (f"ERIK{end}SSON", "2")), (6, ("MUSTER", "1")))


def test_empty_rows_above_the_headings_are_passed_over(tmp_path: Path) -> None:
    table = read_table(save(tmp_path, b",,\n\nname,sex\nA,1\n"), LIMITS)
    assert table.headings == ("name", "sex")
    assert table.rows == ((4, ("A", "1")),)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n\r\n", "empty"),
        (b"\xef\xbb\xbf\n,,\n", "no applications"),
        (b"name,sex\n", "no applications"),
        (b"name\n\0\n", "not a text file"),
        (b"\xff\xfea", "encoding is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "password"),
        (b"PK\x03\x04 but no archive", "workbook is broken"),
        (b"name\n\xff\xff\n", "not recognised"),
        ("name\n德国，法国，".encode() + b"\xe5\n", "encoding is damaged"),
    ],
)
def test_what_is_no_sheet_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    assert says in refused(save(tmp_path, data))


def test_a_quote_that_never_ends_names_its_row(tmp_path: Path) -> None:
    message = refused(save(tmp_path, b'name\nA\n"B\nC\n'))
    assert "a.csv:3" in message
    assert "quotes" in message


def test_a_workbook_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    """Some systems export HTML or CSV under the name of a workbook."""
    assert "not a workbook" in refused(save(tmp_path, b"<html><table>", "a.xlsx"))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.csv")
    assert "folder" in refused(tmp_path)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened" in refused(tmp_path / ("x" * 300))


def test_limits_of_size_and_rows(tmp_path: Path) -> None:
    path = save(tmp_path, b"name\nA\nB\n")
    assert len(read_table(path, Limits(rows=2, size=9)).rows) == 2
    assert "larger than 8 bytes" in refused(path, Limits(size=8))
    assert "more than 1 rows" in refused(path, Limits(rows=1))


def workbook(tmp_path: Path, fill: Callable[[openpyxl.Workbook], object]) -> Path:
    book = openpyxl.Workbook()
    fill(book)
    path = tmp_path / "a.xlsx"
    book.save(path)
    book.close()
    return path


def filled(tmp_path: Path, *rows: list[object]) -> Table:
    def fill(book: openpyxl.Workbook) -> None:
        for row in rows:
            book.active.append(row)

    return read_table(workbook(tmp_path, fill), LIMITS)


def test_a_workbook_gives_its_values_as_they_are(tmp_path: Path) -> None:
    table = filled(
        tmp_path, ["name", "valid_from", "phone"], ["A", datetime(2026, 12, 1), 13800000000], [], ["B", None, True]
    )
    assert table.headings[:3] == ("name", "valid_from", "phone")
    assert [number for number, _ in table.rows] == [2, 4]
    assert [cells[:3] for _, cells in table.rows] == [("A", datetime(2026, 12, 1), 13800000000), ("B", None, True)]
    assert table.epoch == date(1899, 12, 30)


def test_a_workbook_of_the_1904_date_system(tmp_path: Path) -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
        book.active.append(["valid_from"])
        book.active.append([datetime(2026, 12, 1)])

    table = read_table(workbook(tmp_path, fill), LIMITS)
    assert table.epoch == date(1904, 1, 1)
    assert table.rows[0][1][0] == datetime(2026, 12, 1)


def test_leading_zeros_that_a_number_format_shows_are_kept(tmp_path: Path) -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.active.append(["region", "card_number", "phone"])
        book.active.append([1002, 7, 12])
        book.active["A2"].number_format = "000000"
        book.active["B2"].number_format = "0"

    ((_, cells),) = read_table(workbook(tmp_path, fill), LIMITS).rows
    assert cells[:3] == ("001002", 7, 12)


def test_the_first_visible_sheet_counts(tmp_path: Path) -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.active.append(["lists"])
        book.active.sheet_state = "hidden"
        sheet = book.create_sheet()
        sheet.append(["name"])
        sheet.append(["A"])

    assert read_table(workbook(tmp_path, fill), LIMITS).headings[0] == "name"


def rezipped(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """The workbook with its parts changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def with_formulas(tmp_path: Path) -> Path:
    def fill(book: openpyxl.Workbook) -> None:
        book.active.append(["name", "position", "email"])
        book.active.append(["A", '="B"&"C"', '="D"'])

    return workbook(tmp_path, fill)


def test_a_formula_gives_the_value_that_was_computed_for_it(tmp_path: Path) -> None:
    """openpyxl writes formulas without values, so the value is put in as a spreadsheet program would."""

    def compute(name: str, data: bytes) -> bytes:
        return re.sub(rb'<c r="B2".*?</f><v ?/?>(</v>)?', b'<c r="B2" t="str"><f>B</f><v>BC</v>', data)

    path = rezipped(with_formulas(tmp_path), compute)
    ((_, cells),) = read_table(path, LIMITS).rows
    assert cells[:2] == ("A", "BC")


def test_a_formula_that_was_never_computed_is_an_error_mark_and_not_an_empty_cell(tmp_path: Path) -> None:
    ((_, cells),) = read_table(with_formulas(tmp_path), LIMITS).rows
    assert cells[:3] == ("A", "#VALUE!", "#VALUE!")


def test_what_a_workbook_says_about_its_extent_is_not_believed(tmp_path: Path) -> None:
    path = workbook(tmp_path, lambda book: [book.active.append([text, "x"]) for text in ("name", "A", "B")])

    def shrink(name: str, data: bytes) -> bytes:
        return data.replace(b'ref="A1:B3"', b'ref="A1:A1"')

    assert len(read_table(rezipped(path, shrink), LIMITS).rows) == 2


def test_a_row_far_below_does_not_take_for_ever(tmp_path: Path) -> None:
    path = workbook(tmp_path, lambda book: [book.active.append([text]) for text in ("name", "A", "B")])

    def far(name: str, data: bytes) -> bytes:
        return data.replace(b'<row r="3"', b'<row r="3000000000"').replace(b'"A3"', b'"A3000000000"')

    assert "last row" in refused(rezipped(path, far))


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, lambda book: [book.active.append([text]) for text in ("name", "A")])
    assert "too large" in refused(path, Limits(unpacked=1000))
    assert "more than 0 rows" in refused(path, Limits(rows=0))


def test_a_workbook_without_a_visible_sheet_is_refused(tmp_path: Path) -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.create_sheet()

    def hide(name: str, data: bytes) -> bytes:
        return data.replace(b'state="visible"', b'state="hidden"')

    assert "broken" in refused(rezipped(workbook(tmp_path, fill), hide))


def test_without_openpyxl_a_workbook_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path, lambda book: book.active.append(["name"]))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "juying[office]" in refused(path)


@pytest.mark.parametrize("wrap", [list, lambda items: {"applications": items, "made_by": "us"}])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_json_as_a_list_or_under_applications(
    tmp_path: Path, encoding: str, wrap: Callable[[list[object]], object]
) -> None:
    items: list[object] = [{"姓名": "A", "sex": 1}, {}, {"sex": None, "name": ""}, {"sex": "2"}]
    data = json.dumps(wrap(items), ensure_ascii=False).encode(encoding)
    table = read_table(save(tmp_path, data, "a.json"), LIMITS)
    assert table.keyed
    assert table.headings == ("姓名", "sex", "name")
    assert table.rows == ((1, ("A", 1, None)), (4, (None, "2", None)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"name": "A",]', "not well-formed"),
        ('[{"name": "A", "name": "B"}]', "repeats a key"),
        ('[{"name": NaN}]', "repeats a key, holds what is not a number"),
        ("[" * 100_000, "nests too deeply"),
        ('[{"name": ' + "9" * 5000 + "}]", "not a number"),
        ("3", "list of objects"),
        ('{"rows": []}', "list of objects"),
        ('["A"]', "list of objects"),
        ("[]", "no applications"),
        ("[{}]", "no applications"),
        (json.dumps([{f"k{i}": 1} for i in range(100)]), "too many different keys"),
    ],
)
def test_json_of_another_shape_is_refused(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(save(tmp_path, text.encode(), "a.json"))


def test_json_has_a_limit_of_objects_too(tmp_path: Path) -> None:
    assert "more than 1 rows" in refused(save(tmp_path, b'[{"name": 1}, {"name": 2}]', "a.json"), Limits(rows=1))


def table_or_input_error(path: Path) -> None:
    try:
        table = read_table(path, LIMITS)
    except InputError:
        return
    assert table.rows


FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


@FUZZ
@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_as_csv(tmp_path: Path, data: bytes) -> None:
    table_or_input_error(save(tmp_path, data))


@FUZZ
@given(
    st.one_of(
        st.binary(),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text()),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_bytes_as_json(tmp_path: Path, data: bytes) -> None:
    table_or_input_error(save(tmp_path, data, "a.json"))


@cache
def sound_workbook() -> bytes:
    """Made once, because a workbook holds the time of its making."""
    book, file = openpyxl.Workbook(), io.BytesIO()
    for text in ("name", "A"):
        book.active.append([text, 1.5])
    book.save(file)
    return file.getvalue()


@FUZZ
@given(st.data())
def test_any_damage_to_a_workbook(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed in the archive, or inside one of its parts."""
    path = save(tmp_path, sound_workbook(), "a.xlsx")
    if data.draw(st.booleans()):
        raw = bytearray(path.read_bytes())
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(raw)
    else:
        with zipfile.ZipFile(path) as archive:
            target = data.draw(st.sampled_from(archive.namelist()))

        def spoil(name: str, part: bytes) -> bytes:
            if name != target:
                return part
            place = data.draw(st.integers(0, len(part)))
            return part[:place] + data.draw(st.binary(max_size=20)) + part[place + data.draw(st.integers(0, 20)) :]

        rezipped(path, spoil)
    table_or_input_error(path)
