"""The foreigner's work permit (外国人来华工作许可) and the employer in it."""

import re
from dataclasses import dataclass
from datetime import date

from juying.errors import FieldError
from juying.model.category import PermitCategory
from juying.model.checks import check_fields, matching, must_be, optional, plain_date, region, text
from juying.model.numbers import check_credit_code
from juying.text import Text

_PERMIT_NUMBER = matching(
    "[!-~]{1,32}",
    Text("长度或字符不对", "wrong length or characters"),
    Text(
        "1 至 32 位字母、数字或符号，不含空格（格式未公开）",
        "1 to 32 letters, digits or symbols without spaces (the format is not public)",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Employer:
    """Who employs the holder: ``name`` of at most 100 characters, ``code`` the 统一社会信用代码 (GB 32100).

    Raises FieldError or RecordError.
    """

    name: str
    code: str

    def __post_init__(self) -> None:
        """Check and tidy both fields."""
        check_fields(self, name=text(100), code=check_credit_code)

    @property
    def organisation_code(self) -> str:
        """The 9 characters of organisation code (组织机构代码, GB 11714) inside the code."""
        return self.code[8:17]

    def __repr__(self) -> str:
        """Nothing: where somebody works is personal."""
        return "Employer(…)"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WorkPermit:
    """One work permit.

    ``number`` is opaque, because its format is not public; spaces at the ends go and letters become capitals.
    ``position`` and ``authority`` (签发机关) have at most 100 characters, ``region`` is the six-digit code
    (GB/T 2260) of the issuing place or empty. Both days of validity are included.

    Raises FieldError or RecordError; no message holds a value.
    """

    number: str
    category: PermitCategory
    employer: Employer
    position: str
    valid_from: date
    valid_until: date
    authority: str
    region: str = ""

    def __post_init__(self) -> None:
        """Check and tidy every field."""
        check_fields(
            self,
            number=_PERMIT_NUMBER,
            category=must_be(PermitCategory, Text("类别 A、B 或 C", "category A, B or C")),
            employer=must_be(Employer, Text("用人单位", "an employer")),
            position=text(100),
            valid_from=plain_date,
            valid_until=plain_date,
            authority=text(100),
            region=optional(region),
        )
        if self.valid_until < self.valid_from:
            raise FieldError(
                "valid_until",
                Text("早于起始日期", "before the first day of validity"),
                Text("有效期止不早于有效期起", "validity ends on or after the day it begins"),
            )

    @property
    def notes(self) -> tuple[Text, ...]:
        """What a clerk should look at, though it is not wrong by a published rule; empty when all is usual."""
        notes = []
        if not re.fullmatch("[0-9A-Z]{6,20}", self.number):
            notes.append(
                Text(
                    "许可证编号通常为 6 至 20 位字母和数字，请核对",
                    "permit numbers usually have 6 to 20 letters and digits: compare",
                )
            )
        # Counted so that a permit from 29 February needs no special case.
        last, first = self.valid_until, self.valid_from
        if (last.year - 5, last.month, last.day) > (first.year, first.month, first.day):
            notes.append(
                Text("有效期超过五年，请核对", "valid for more than five years, which is unusual: compare"),
            )
        return tuple(notes)

    def __repr__(self) -> str:
        """Category and validity only; the number and the post lead to the person."""
        return (
            f"WorkPermit(category={self.category.value!r}, valid_from={self.valid_from.isoformat()!r}, "
            f"valid_until={self.valid_until.isoformat()!r}, …)"
        )
