"""The table of columns: consistent in itself, and found by every heading that it promises."""

import pytest

from juying.errors import FieldError
from juying.issuance.cells import day_of, text_of
from juying.issuance.columns import BY_KEY, COLUMNS, Kind, column_of, columns_markdown, nearest


def test_keys_and_headings_are_unambiguous() -> None:
    """No heading of one column is also understood as another column."""
    assert len(BY_KEY) == len(COLUMNS)
    for column in COLUMNS:
        for heading in (column.key, *column.heading, *column.also):
            assert column_of(heading) is column, heading


@pytest.mark.parametrize(
    "heading",
    [
        "birth_date",
        "Birth Date",
        "BIRTH-DATE",
        "\ufeffbirth_date",
        "ｂｉｒｔｈ＿ｄａｔｅ",
        "出生日期",
        " 出生\u3000日期\n",
        "*出生日期：",
        "date of birth",
    ],
)
def test_spelling_of_a_heading_does_not_matter(heading: str) -> None:
    assert column_of(heading) is BY_KEY["birth_date"]


def test_full_width_brackets_in_a_heading_do_not_matter() -> None:
    assert column_of("姓名(护照拉丁字母)") is column_of("姓名（护照拉丁字母）") is BY_KEY["name"]


@pytest.mark.parametrize(
    ("heading", "key"), [("许可编号", "permit_number"), ("emial", "email"), ("有效期起始", "valid_from")]
)
def test_the_nearest_column_of_an_unknown_heading(heading: str, key: str) -> None:
    assert column_of(heading) is None
    assert nearest(heading) is BY_KEY[key]


@pytest.mark.parametrize("heading", ["", "()", "QQQQQQ"])
def test_what_resembles_nothing_has_no_nearest(heading: str) -> None:
    assert column_of(heading) is None
    assert nearest(heading) is None


def test_stand_ins_are_columns() -> None:
    for column in COLUMNS:
        assert set(column.instead) <= set(BY_KEY)
        assert column.required or not column.instead


def test_the_examples_of_the_table_can_be_read() -> None:
    for column in COLUMNS:
        read = day_of if column.kind is Kind.DATE else text_of
        try:
            assert bool(read(column.example, column, column.key)) is bool(column.example)
        except FieldError as error:
            pytest.fail(str(error))


def test_the_documentation_shows_every_column_once() -> None:
    """Each row of the Markdown table has its five cells, whatever stands in them."""
    lines = columns_markdown().splitlines()
    assert len(lines) == len(COLUMNS) + 2
    for line, column in zip(lines[2:], COLUMNS, strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 5
        assert cells[0] == f"`{column.key}`"
        assert column.heading.zh in cells[1]
        assert column.heading.en in cells[1]
        assert column.note.en in cells[3]


def test_the_documentation_says_what_is_required() -> None:
    rows = {line.split("|")[1].strip(" `"): line for line in columns_markdown().splitlines()[2:]}
    assert "必填 / required |" in rows["permit_number"]
    assert "required unless given: `mrz`, `residence_card_number`" in rows["document_number"]
    assert "可空 / optional" in rows["chinese_name"]
