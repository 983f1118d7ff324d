"""How the records of the model check and tidy their fields.

A rule is a function ``rule(value, field)`` that returns the tidy value or raises FieldError. The check
functions of `juying.model.numbers` are rules too. No rule ever puts the value into its message.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from juying.errors import FieldError, RecordError
from juying.text import Text

Rule = Callable[[Any, str], Any]
TextRule = Callable[[Any, str], str]


def check_fields(record: object, **rules: Rule) -> None:
    """Run each rule on the field of that name and keep the tidy value (also in a frozen dataclass).

    Raises the FieldError when one field is wrong, a RecordError when several are.
    """
    errors = []
    for field, rule in rules.items():
        try:
            object.__setattr__(record, field, rule(getattr(record, field), field))
        except FieldError as error:
            errors.append(error)
    raise_all(errors)


def raise_all(errors: Sequence[FieldError]) -> None:
    """Raise nothing, the one error, or a RecordError of all."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise RecordError(errors)


def must_be(kind: type, what: Text) -> Rule:
    """Make a rule: the value is of this class, called ``what`` in the message."""

    def rule(value: Any, field: str) -> Any:
        if not isinstance(value, kind):
            raise FieldError(field, Text("类型不对", "wrong type"), what)
        return value

    return rule


def optional(rule: Rule, empty: str | None = "") -> Rule:
    """Make a rule that takes None and blank text for "not given" and returns ``empty`` then."""

    def checked(value: Any, field: str) -> Any:
        blank = value is None or (isinstance(value, str) and not value.strip())
        return empty if blank else rule(value, field)

    return checked


def text(limit: int) -> TextRule:
    """Make a rule: a line of 1 to ``limit`` characters that can be printed.

    Spaces at the ends go, runs of spaces (also no-break and ideographic ones) become one space. Control,
    formatting and lone surrogate characters are refused. Characters that this Python does not know yet
    pass: they are how rare names arrive.
    """

    def rule(value: Any, field: str) -> str:
        bound = Text(f"1 至 {limit} 个可显示的字符", f"1 to {limit} printable characters")
        if not isinstance(value, str):
            raise FieldError(field, Text("不是文字", "not text"), bound)
        line = " ".join(re.split(r"[ \u00a0\u3000]+", value.strip()))
        if not line:
            raise FieldError(field, Text("没有填写", "missing"), bound)
        if len(line) > limit:
            raise FieldError(field, Text("太长", "too long"), bound)
        if any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in line):
            raise FieldError(field, Text("含有控制字符或不可见字符", "contains control or invisible characters"), bound)
        return line

    return rule


def latin_name(value: Any, field: str) -> str:
    """Rule: a name of 1 to 100 Latin letters (accents allowed), spaces and ``' ’ ʼ - . ,``."""
    name = unicodedata.normalize("NFC", text(100)(value, field))
    letters = [char for char in name if char not in " '’ʼ-.,"]
    if not letters or not all(unicodedata.name(char, "").startswith("LATIN ") for char in letters):
        raise FieldError(
            field,
            Text("含有拉丁字母以外的字符", "contains characters other than Latin letters"),
            Text("与护照一致的拉丁字母姓名", "the name in Latin letters as in the passport"),
        )
    return name


def code_text(value: Any, field: str) -> str:
    """Rule for codes: text without spaces at its ends, ASCII letters as capitals.

    Capitals are made of ASCII text only, because elsewhere they can turn a foreign letter into an ASCII one.
    """
    if not isinstance(value, str) or not value.strip():
        raise FieldError(field, Text("没有填写", "missing"), Text("须填写号码", "a code is required"))
    code = value.strip()
    return code.upper() if code.isascii() else code


def matching(pattern: str, problem: Text, rule_text: Text) -> TextRule:
    """Make a rule: the code (see `code_text`) matches the whole pattern."""
    compiled = re.compile(pattern)

    def rule(value: Any, field: str) -> str:
        code = code_text(value, field)
        if not compiled.fullmatch(code):
            raise FieldError(field, problem, rule_text)
        return code

    return rule


region = matching(
    "[0-9]{6}",
    Text("不是 6 位数字", "not six digits"),
    Text("行政区划代码为 6 位数字（GB/T 2260）", "a region code has six digits (GB/T 2260)"),
)
"""Rule: six digits. The list of regions changes every year, so an unknown one is accepted."""


def plain_date(value: Any, field: str) -> date:
    """Rule: a date without time, of the years 1900 to 2199 (our choice; catches slips of the keyboard)."""
    rule = Text("1900 至 2199 年间的日期", "a date in the years 1900 to 2199")
    if not isinstance(value, date) or isinstance(value, datetime):
        raise FieldError(field, Text("不是日期", "not a date"), rule)
    if not 1900 <= value.year <= 2199:
        raise FieldError(field, Text("年份不合理", "implausible year"), rule)
    return value
