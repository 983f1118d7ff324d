"""What identifies a card, apart from the person who holds it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from juying.errors import FieldError
from juying.model.checks import check_fields, matching, optional, plain_date
from juying.model.numbers import check_card_number
from juying.text import Text

CARD_YEARS = 10
"""A card is good for ten years from its issue (observed on all samples)."""


def years_later(day: date) -> date:
    """The day on which a card issued on ``day`` expires."""
    try:
        return day.replace(year=day.year + CARD_YEARS)
    except ValueError:  # 29 February
        return day.replace(year=day.year + CARD_YEARS, day=28)


institution_code = matching(
    "[0-9]{24}",
    Text("不是 24 位数字", "not 24 digits"),
    Text("初始化机构编号为 24 位数字", "the initialising institution has 24 digits"),
)
"""Rule: 24 digits; their inner structure is not public."""

_CARD_CLASS = matching(
    "[!-~]", Text("不是一个字符", "not one character"), Text("卡的类别为一个字符", "the card class is one character")
)


def _identifier(value: Any, field: str) -> bytes | None:
    if value is not None and (not isinstance(value, bytes) or len(value) != 16):
        raise FieldError(
            field, Text("不是 16 字节", "not 16 bytes"), Text("卡识别码为 16 字节", "a card identifier has 16 bytes")
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardIdentity:
    """The card's own data, as file EF05 of a social security card holds it.

    ``number`` is the 卡号 (9 characters, last one a check), ``institution`` the 初始化机构编号 (24 digits or
    empty), ``identifier`` the 卡识别码 (16 bytes or None), ``card_class`` the 卡的类别 (one character or empty).

    Raises FieldError or RecordError.
    """

    number: str
    issued_on: date
    expires_on: date
    institution: str = ""
    identifier: bytes | None = None
    card_class: str = ""

    def __post_init__(self) -> None:
        """Check and tidy every field."""
        check_fields(
            self,
            number=check_card_number,
            issued_on=plain_date,
            expires_on=plain_date,
            institution=optional(institution_code),
            identifier=_identifier,
            card_class=optional(_CARD_CLASS),
        )
        if self.expires_on < self.issued_on:
            raise FieldError(
                "expires_on",
                Text("早于发卡日期", "before the day of issue"),
                Text("卡有效期不早于发卡日期", "a card expires on or after the day it is issued"),
            )

    def __repr__(self) -> str:
        """Dates only; the numbers lead to the person."""
        return f"CardIdentity(issued_on={self.issued_on.isoformat()!r}, expires_on={self.expires_on.isoformat()!r}, …)"
