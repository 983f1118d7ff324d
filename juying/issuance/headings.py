"""Which column of an application sheet stands where."""

from collections.abc import Collection
from pathlib import Path

from juying.errors import InputError
from juying.issuance.columns import COLUMNS, Column, column_of, nearest
from juying.issuance.sheet import Table
from juying.text import Text


def match_columns(table: Table, path: Path) -> dict[int, Column]:
    """Which column stands at which place; InputError with all that is wrong with the headings."""
    columns: dict[int, Column] = {}
    problems: list[Text] = []
    for index, heading in enumerate(table.headings):
        column = column_of(heading)
        if column is None and heading.strip():
            problems.append(_unknown(table, index, nearest(heading)))
        elif column is not None and column in columns.values():
            zh, en = place_of(table, index)
            problems.append(Text(f"{zh}重复了“{column.heading.zh}”", f"{en} repeats “{column.heading.en}”"))
        elif column is not None:
            columns[index] = column
    if not columns:
        # Without its headings the first row is a person's: say nothing about what is in it.
        problems = [Text("第一行不是标题行；请在第一行写上列标题", "the first row has no headings; put them there")]
    else:
        present = {column.key for column in columns.values()}
        missing = [column for column in COLUMNS if needed(column, present)]
        if missing:
            problems.append(
                Text(
                    "缺少列：" + "、".join(column.heading.zh for column in missing),
                    "columns are missing: " + ", ".join(column.heading.en for column in missing),
                )
            )
    if problems:
        raise InputError(
            "；".join(problem.zh for problem in problems),
            "; ".join(problem.en for problem in problems),
            where=str(path),
        )
    return columns


def _unknown(table: Table, index: int, near: Column | None) -> Text:
    zh, en = place_of(table, index)
    if near is None:
        return Text(f"{zh}的标题不认识", f"the heading of {en} is not known")
    return Text(
        f"{zh}的标题不认识，最接近的是“{near.heading.zh}”",
        f"the heading of {en} is not known, the nearest is “{near.heading.en}”",
    )


def place_of(table: Table, index: int) -> Text:
    """Name a column by its letter, or the key of a JSON object by its place."""
    if table.keyed:
        return Text(f"第 {index + 1} 个键", f"key {index + 1}")
    letters, rest = "", index + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return Text(f" {letters} 列", f"column {letters}")


def needed(column: Column, present: Collection[str]) -> bool:
    """Whether a required column is absent and none that can stand in for it is present."""
    return column.required and not {column.key, *column.instead} & set(present)
