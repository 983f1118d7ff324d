"""Cells in which only certain values may stand: how they may be spelled, and what they mean."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from juying.errors import FieldError
from juying.issuance.columns import BY_KEY
from juying.issuance.permit_kinds import Kind as ApplicationKind
from juying.model import PermitCategory, Sex, countries, numbers
from juying.text import Text

_SEXES = {
    **{sex.value: sex for sex in Sex},
    **{"M": Sex.MALE, "F": Sex.FEMALE, "X": Sex.UNSPECIFIED},
    **{"男": Sex.MALE, "女": Sex.FEMALE, "未知": Sex.UNKNOWN, "未说明": Sex.UNSPECIFIED},
}
_CATEGORIES = {
    spelling: category
    for category in PermitCategory
    for spelling in (category.value, f"{category.value}类", category.text.zh, f"{category.text.zh}({category.value}类)")
}


def _bare(text: str) -> str:
    """The letters and digits of a text, so that its many spellings compare equal."""
    return re.sub(r"[\W_]", "", text).casefold()


_KINDS = {
    _bare(spelling): kind
    for kind, others in {
        ApplicationKind.FIRST_ABROAD: ("首次", "first"),
        ApplicationKind.FIRST_IN_CHINA: (),
        ApplicationKind.SHORT: (),
        ApplicationKind.EXTENSION: (),
        ApplicationKind.CHANGE: (),
        ApplicationKind.TRANSFER: (),
        ApplicationKind.REISSUE_LOST: ("补办",),
        ApplicationKind.REISSUE_DAMAGED: ("换发",),
        ApplicationKind.CANCEL_EMPLOYER: ("注销", "cancel"),
        ApplicationKind.CANCEL_HOLDER: (),
    }.items()
    for spelling in (kind.value, *kind.text, *others)
}


def _sex(text: str, heading: str) -> Sex:
    try:
        return _SEXES[text.upper()]
    except KeyError:
        raise FieldError(heading, Text("不是性别代码", "this is not a code for the sex"), BY_KEY["sex"].note) from None


def _category(text: str, heading: str) -> PermitCategory:
    try:
        return _CATEGORIES[text.upper()]
    except KeyError:
        raise FieldError(
            heading, Text("不是许可类别", "this is not a category of permits"), BY_KEY["category"].note
        ) from None


def _nationality(text: str, heading: str) -> str:
    # Names such as 刚果（金） stand in the table with full-width brackets, which tidying has narrowed.
    country = countries.find(text.replace("(", "（").replace(")", "）")) or countries.find(text)
    if country is None:
        raise FieldError(
            heading, Text("不认识的国家或地区", "this country or region is not known"), BY_KEY["nationality"].note
        )
    return country.alpha3


def _kind(text: str, heading: str) -> ApplicationKind:
    try:
        return _KINDS[_bare(text)]
    except KeyError:
        problem = Text("不是申请类别", "this is no kind of application")
        raise FieldError(heading, problem, BY_KEY["kind"].note) from None


def _card_number(text: str, heading: str) -> str:
    try:
        return numbers.card_number(text) if len(text) == 8 else numbers.check_card_number(text, heading)
    except FieldError as error:
        raise FieldError(heading, error.problem, error.rule) from None


MEANINGS: Mapping[str, Callable[[str, str], Any]] = {
    "sex": _sex,
    "category": _category,
    "nationality": _nationality,
    "card_number": _card_number,
    "kind": _kind,
}
"""By the key of a column, what turns its text into a value; the second argument is what errors call the column."""
