"""What spreadsheets do to values: undone where that is certain, refused with the remedy where it is not."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.errors import FieldError
from juying.issuance.cells import MAX_CELL, day_of, text_of
from juying.issuance.columns import BY_KEY, COLUMNS, Kind


def text(cell: object, key: str = "document_number") -> str:
    return text_of(cell, BY_KEY[key], "HEADING")


def day(cell: object) -> date | None:
    return day_of(cell, BY_KEY["valid_from"], "HEADING")


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        (None, ""),
        ("", ""),
        (" \u00a0\u3000", ""),
        ("  L898902C3\u00a0", "L898902C3"),
        ("\ufeffL898902C3\u200b", "L898902C3"),
        ("l898902c3", "L898902C3"),
        ("L898 902 C3", "L898902C3"),
        ("Ｌ８９８９０２Ｃ３", "L898902C3"),
        ("'0012", "0012"),
        ('="0012"', "0012"),
        ('="a""b"', 'A"B'),
        ("12345678.0", "12345678"),
        (12345678, "12345678"),
        (12345678.0, "12345678"),
        ("L898902C3_x000D_\n", "L898902C3"),
        ("ı2", "ı2"),
    ],
)
def test_a_code_comes_out_as_the_clerk_meant_it(cell: object, meant: str) -> None:
    assert text(cell) == meant


@pytest.mark.parametrize(
    ("key", "cell", "meant"),
    [
        ("phone", 13800000000.0, "13800000000"),
        ("phone", "13800000000.0", "13800000000"),
        ("sex", 1.0, "1"),
        ("region", 331002, "331002"),
        ("nationality", 276, "276"),
        ("nationality", "  Ｄｅｕ ", "Deu"),
        ("name", "ERIKSSON\u3000ANNA\n MARIA", "ERIKSSON ANNA MARIA"),
        ("card_number", "A0000000", "A0000000"),
        ("card_number", 123456788, "123456788"),
        ("employer_name", "某某（ＡＢＣ１）公司", "某某（ABC1）公司"),
        ("address", "虚构路\r\n１号", "虚构路 1号"),
        ("chinese_name", "𠮷䶮", "𠮷䶮"),
        ("photo", "Ａ １.jpg", "Ａ １.jpg"),
    ],
)
def test_each_kind_of_column_is_tidied_its_own_way(key: str, cell: object, meant: str) -> None:
    """Free text keeps Chinese punctuation, file names keep everything, restored numbers keep their digits."""
    assert text(cell, key) == meant


@pytest.mark.parametrize(
    ("key", "cell", "problem"),
    [
        ("document_number", "3.31E+17", "scientific"),
        ("document_number", "3,31e+17", "scientific"),
        ("document_number", "1E+10", "scientific"),
        ("phone", "1.38E10", "scientific"),
        ("document_number", 331002199001011234, "15 digits"),
        ("document_number", 1e15, "15 digits"),
        ("document_number", 12.5, "fraction"),
        ("document_number", -12, "sign"),
        ("document_number", float("inf"), "fraction"),
        ("document_number", float("nan"), "fraction"),
        ("region", 1002, "leading zeros"),
        ("region", "1002", "leading zeros"),
        ("region", "1002.0", "leading zeros"),
        ("nationality", 4, "leading zeros"),
        ("card_number", 12345678, "leading zeros"),
        ("card_number", "1234567", "leading zeros"),
        ("document_number", True, "not text"),
        ("document_number", ["x"], "not text"),
        ("document_number", {"x": 1}, "not text"),
        ("position", datetime(2026, 3, 1), "date or time"),
        ("position", time(3), "date or time"),
        ("position", timedelta(3), "date or time"),
        ("position", "#N/A", "error mark"),
        ("valid_from", "########", "error mark"),
        ("position", "#REF!", "error mark"),
        ("position", "bell\a", "control"),
        ("position", "\ud800", "control"),
        ("position", "x" * (MAX_CELL + 1), "too long"),
    ],
)
def test_damage_is_refused_with_its_column_and_without_its_value(key: str, cell: object, problem: str) -> None:
    with pytest.raises(FieldError) as caught:
        text(cell, key)
    assert caught.value.field == "HEADING"
    assert problem in caught.value.problem.en
    assert caught.value.rule.zh
    assert str(cell) not in str(caught.value)


def test_an_eight_digit_numeric_card_number_is_never_guessed() -> None:
    """It may be the short form, or nine digits without their zero: only text tells."""
    assert text("12345678", "card_number") == "12345678"
    with pytest.raises(FieldError, match="format the column as text"):
        text(12345678, "card_number")


FIRST = date(2026, 12, 1)


@pytest.mark.parametrize(
    "cell",
    [
        FIRST,
        datetime(2026, 12, 1),
        "2026-12-01",
        "2026-12-1",
        "2026/12/1",
        "2026.12.1",
        "20261201",
        20261201,
        20261201.0,
        "2026年12月1日",
        "2026 年 12 月 1 日",
        "2026年12月01",
        "２０２６－１２－０１",
        "２０２６．１２．１",
        "'2026-12-01",
        '="2026-12-01"',
        "2026-12-01 00:00:00",
        "2026/12/1 0:00",
        "2026-12-01T00:00:00.000Z",
        "46357",
        "46357.0",
        46357,
        46357.0,
    ],
)
def test_a_day_is_understood_in_every_usual_spelling(cell: object) -> None:
    assert day(cell) == FIRST


def test_an_empty_cell_is_no_day() -> None:
    assert day(None) is None
    assert day(" ") is None


def test_serial_numbers_follow_the_workbook() -> None:
    """A workbook of the 1904 date system counts from another day."""
    assert day_of(44895, BY_KEY["valid_from"], "", epoch=date(1904, 1, 1)) == FIRST


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("2026-02-30", "no such day"),
        ("2026-13-01", "no such day"),
        ("0000-01-01", "no such day"),
        ("12/1/2026", "recognisable"),
        ("3/4/26", "recognisable"),
        ("1999-12", "recognisable"),
        ("2026-12/01", "recognisable"),
        ("1990", "recognisable"),
        ("٢٠٢٦-12-01", "recognisable"),
        ("next year", "recognisable"),
        ("99999", "plausible"),
        ("09999", "plausible"),
        ("2026-12-01 08:30", "follows"),
        (datetime(2026, 12, 1, 8, 30), "time of day"),
        (time(8, 30), "a time"),
        (timedelta(hours=3), "a time"),
        (46357.5, "fraction"),
        (True, "not text"),
    ],
)
def test_what_is_not_certainly_a_day_is_refused(cell: object, problem: str) -> None:
    with pytest.raises(FieldError) as caught:
        day(cell)
    assert problem in caught.value.problem.en
    assert str(cell) not in str(caught.value)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.dates(), st.datetimes(), st.none()))
def test_no_cell_raises_anything_but_a_field_error(cell: object) -> None:
    for column in COLUMNS:
        try:
            value = (day_of if column.kind is Kind.DATE else text_of)(cell, column, "HEADING")
        except FieldError:
            continue
        assert value is None or isinstance(value, str | date)


@given(st.dates(date(1927, 5, 18), date(2099, 12, 31)))
def test_every_spelling_of_every_day_comes_back(value: date) -> None:
    spellings = (
        value.isoformat(),
        f"{value:%Y%m%d}",
        f"{value.year}年{value.month}月{value.day}日",
        (value - date(1899, 12, 30)).days,
    )
    assert all(day(cell) == value for cell in spellings)
