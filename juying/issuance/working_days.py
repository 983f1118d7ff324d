"""Working days (工作日) in China: Monday to Friday, without holidays, with the make-up days (调休) of weekends.

The State Council announces the holidays of a year late in the year before, and no rule tells them. So the office keeps
them in a TOML file, one table a year::

    [2027]
    holidays = [2027-01-01, 2027-02-05]
    workdays = [2027-02-14]

Of a year that the file does not have weekends alone are known, and whoever counts through it is told.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from juying.errors import InputError
from juying.text import Text

_DAY = timedelta(days=1)
_SATURDAY = 5
_MOST = 100_000
_KEYS = ("holidays", "workdays")


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """A calendar: ``holidays``, ``workdays`` on weekends, and the ``years`` for which they are known."""

    holidays: frozenset[date] = field(default=frozenset())
    workdays: frozenset[date] = field(default=frozenset())
    years: frozenset[int] = field(default=frozenset())

    @classmethod
    def load(cls, path: str | Path) -> "WorkingDays":
        """Read the office's file. Raises `InputError`, naming the place, when something in it is no such day."""
        try:
            with Path(path).open("rb") as file:
                document = tomllib.loads(file.read(_MOST).decode())
        except OSError as error:
            raise InputError(
                f"节假日文件无法读取（{error.strerror}）",
                f"the file of holidays cannot be read ({error.strerror})",
                where=str(path),
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            raise InputError("节假日文件不是 TOML", "the file of holidays is not TOML", where=str(path)) from None
        days: dict[str, set[date]] = {key: set() for key in _KEYS}
        for year, table in document.items():
            for key, day in _days_of(year, table, where=f"{path} [{year}]"):
                days[key].add(day)
        return cls(frozenset(days["holidays"]), frozenset(days["workdays"]), frozenset(map(int, document)))

    def is_working(self, day: date) -> bool:
        """Whether offices are open on this day."""
        if day.weekday() >= _SATURDAY:
            return day in self.workdays
        return day not in self.holidays

    def after(self, day: date, count: int) -> date:
        """The last day of a term of ``count`` working days that begins on the day after ``day``."""
        while count:
            day += _DAY
            count -= self.is_working(day)
        return day

    def notes(self, first: date, last: date) -> tuple[Text, ...]:
        """What to keep in mind after counting from one day to another: the years whose holidays are not known."""
        unknown = [str(year) for year in range(first.year, last.year + 1) if year not in self.years]
        if not unknown:
            return ()
        years = "、".join(unknown)
        return (
            Text(
                f"没有 {years} 年的法定节假日和调休数据，只按周末计算工作日",
                f"the holidays of {', '.join(unknown)} are not known: working days are counted by weekends alone",
            ),
        )


WEEKENDS = WorkingDays()
"""No holidays known."""


def _days_of(year: str, table: Any, *, where: str) -> Iterator[tuple[str, date]]:
    if not (year.isdecimal() and isinstance(table, Mapping) and table.keys() <= set(_KEYS)):
        raise InputError(
            "节假日文件每年一个表，其中只有 holidays 和 workdays",
            "the file of holidays has a table for each year, with holidays and workdays in it",
            where=where,
        )
    for key, days in table.items():
        for day in days if isinstance(days, list) else [days]:
            if not isinstance(day, date) or isinstance(day, datetime) or day.year != int(year):
                raise InputError(
                    f"{key} 中有的内容不是该年的日期", f"something in {key} is no day of that year", where=where
                )
            if key == "workdays" and day.weekday() < _SATURDAY:
                raise InputError(
                    f"workdays 中的 {day} 不是周末：这里只列调休上班日",
                    f"{day} in workdays is not on a weekend: only make-up days stand there",
                    where=where,
                )
            yield key, day
