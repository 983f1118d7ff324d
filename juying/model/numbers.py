"""Numbers of persons, employers and cards: how they are built and how they check themselves.

Each ``check_…`` function takes a number as people type it (spaces around it, small letters), returns it
tidy, and raises FieldError when it breaks its rule. No message holds the number.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from juying.errors import FieldError
from juying.model.checks import code_text, matching
from juying.model.countries import check_nationality, find
from juying.text import Text

_DIGITS = "0123456789"
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # the place in this row is the value
_CREDIT_CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100 leaves out I, O, S, V and Z

_GB_11643 = Text(
    "GB 11643：6 位地区、8 位出生日期、3 位顺序码、1 位校验码",
    "GB 11643: 6 digits of area, 8 of birth date, 3 of sequence, 1 check character",
)
_GB_11714 = Text(
    "GB 11714：8 位数字或大写字母加 1 位校验码", "GB 11714: 8 digits or capital letters, 1 check character"
)
_GB_32100 = Text(
    "GB 32100：统一社会信用代码 18 位，含 9 位组织机构代码，末位校验",
    "GB 32100: a unified social credit code has 18 characters with 9 of organisation code and a check character",
)
_CARD_NUMBER = Text(
    "社会保障卡卡号：8 位数字或大写字母加 1 位校验码",
    "social security card number: 8 digits or capital letters, 1 check character",
)
_RESIDENCE_CARD = Text(
    "永久居留身份证号码：15 位（国籍字母开头）或 18 位（9 开头），末位校验",
    "permanent-residence card number: 15 characters beginning with the nationality or 18 beginning with 9,"
    " last one a check",
)
_FOREIGNER_NUMBER = Text(
    "外国人社会保障号码：3 位国籍、1 位预留、14 位证件号码",
    "foreigner's social security number: 3 letters of nationality, 1 reserved digit, 14 of document number",
)


class NumberNotSettled(FieldError):
    """The published rule does not say how a social security number is built from this document.

    The way out is always the same: give the number as the social-insurance agency issued it.
    """

    def __init__(self, problem: Text) -> None:
        """Take what it is about the document that the rule leaves open."""
        super().__init__(
            "document_number",
            Text(
                f"{problem.zh}，编制规则未作规定，请填写社保机构已签发的社会保障号码",
                f"{problem.en}; the rule does not settle this: give the social security number as issued",
            ),
            _FOREIGNER_NUMBER,
        )


def _weighted_sum(body: str, weights: Sequence[int], alphabet: str) -> int:
    """Sum of weight times value; FieldError when the body has another length or alphabet."""
    if len(body) != len(weights) or not set(body) <= set(alphabet):
        raise FieldError(
            "body",
            Text("长度或字符不对", "wrong length or characters"),
            Text(f"{len(weights)} 位：{alphabet}", f"{len(weights)} characters of {alphabet}"),
        )
    return sum(weight * alphabet.index(char) for weight, char in zip(weights, body, strict=True))


def citizen_check_character(body: str) -> str:
    """Check character (0-9 or X) for 17 digits: ISO 7064 MOD 11-2 as GB 11643 uses it."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[_weighted_sum(body, weights, _DIGITS) % 11]


def organisation_check_character(body: str) -> str:
    """Check character (0-9 or X) for 8 digits or capital letters: GB 11714, and observed on card numbers."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    return "0X987654321"[_weighted_sum(body, weights, _ALPHANUMERIC) % 11]


def credit_code_check_character(body: str) -> str:
    """Check character for the first 17 characters of a unified social credit code (GB 32100)."""
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
    return _CREDIT_CODE[-_weighted_sum(body, weights, _CREDIT_CODE) % 31]


def mrz_check_digit(data: str) -> str:
    """Check digit for a field of a machine-readable zone: weights 7, 3, 1, filler ``<`` is 0 (ICAO 9303-3)."""
    return str(_weighted_sum(data.replace("<", "0"), ((7, 3, 1) * len(data))[: len(data)], _ALPHANUMERIC) % 10)


def _require(field: str, holds: bool, problem: Text, rule: Text) -> None:
    if not holds:
        raise FieldError(field, problem, rule)


def _require_check(field: str, expected: str, found: str, rule: Text) -> None:
    _require(field, expected == found, Text("校验码不符，请核对", "check character does not match: compare"), rule)


def _require_date(field: str, digits: str, rule: Text) -> None:
    """The eight digits are a date in the years 1800 to 2199 (the range is our choice)."""
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:])
    try:
        date(year, month, day)
    except ValueError:
        year = 0
    _require(
        field,
        1800 <= year <= 2199,
        Text("其中的出生日期不成立", "the birth date in it is impossible"),
        rule,
    )


def check_citizen_number(value: Any, field: str = "citizen_number") -> str:
    """Return a citizen number (公民身份号码) of 18 characters, residence permits 81, 82, 83 included.

    Form, birth date and check character are checked (GB 11643); regions are not, their list changes.
    """
    number = matching("[1-8][0-9]{16}[0-9X]", Text("不是 18 位号码", "not 17 digits and one more"), _GB_11643)(
        value, field
    )
    _require_date(field, number[6:14], _GB_11643)
    _require_check(field, citizen_check_character(number[:17]), number[17], _GB_11643)
    return number


def check_organisation_code(value: Any, field: str = "organisation_code") -> str:
    """Return an organisation code (组织机构代码) of 9 characters, GB 11714; a hyphen before the last may stand."""
    code = matching("[0-9A-Z]{8}-?[0-9X]", Text("不是 9 位代码", "not nine characters"), _GB_11714)(value, field)
    code = code.replace("-", "")
    _require_check(field, organisation_check_character(code[:8]), code[8], _GB_11714)
    return code


def check_credit_code(value: Any, field: str = "credit_code") -> str:
    """Return a unified social credit code (统一社会信用代码) of 18 characters, GB 32100.

    Letters are allowed in the first two places (authority and kind), the next six are digits, and the
    organisation code in it must pass GB 11714.
    """
    code = matching(
        f"[{_CREDIT_CODE}]{{2}}[0-9]{{6}}[{_CREDIT_CODE}]{{10}}",
        Text("不是 18 位代码，或含有不用的字母 I、O、S、V、Z", "not 18 characters, or with I, O, S, V or Z"),
        _GB_32100,
    )(value, field)
    _require_check(field, credit_code_check_character(code[:17]), code[17], _GB_32100)
    check_organisation_code(code[8:17], field)
    return code


def card_number(serial: int | str) -> str:
    """Build a card number (卡号, 9 characters) from 8 characters, or from a whole number of up to 8 digits.

    The check rule is the one of GB 11714, as observed on cards.
    """
    body = f"{serial:08d}" if isinstance(serial, int) else serial
    body = matching("[0-9A-Z]{8}", Text("不是 8 位", "not eight characters"), _CARD_NUMBER)(body, "serial")
    return body + organisation_check_character(body)


def check_card_number(value: Any, field: str = "card_number") -> str:
    """Return a card number (卡号) of 9 characters with a check character that matches."""
    number = matching("[0-9A-Z]{8}[0-9X]", Text("不是 9 位卡号", "not nine characters"), _CARD_NUMBER)(value, field)
    _require_check(field, organisation_check_character(number[:8]), number[8], _CARD_NUMBER)
    return number


_OLD_RESIDENCE_CARD = re.compile("[A-Z]{3}[0-9]{12}")
_NEW_RESIDENCE_CARD = re.compile("9[0-9]{16}[0-9X]")


def is_residence_card(number: str) -> bool:
    """Whether a tidy number has the form of a permanent-residence card, old (15) or new (18)."""
    return bool(_OLD_RESIDENCE_CARD.fullmatch(number) or _NEW_RESIDENCE_CARD.fullmatch(number))


def check_residence_card(value: Any, field: str = "residence_card_number") -> str:
    """Return the number of a permanent-residence card (外国人永久居留身份证), 15 or 18 characters.

    15 (cards of 2004 and 2017): nationality, place of application, birth date YYMMDD, sequence, check digit as
    in a passport (observed). 18 (cards from 2023-12): 9, province, numeric nationality (000 without), birth
    date YYYYMMDD, sequence, check character as in a citizen number.
    """
    number = code_text(value, field)
    _require(
        field,
        is_residence_card(number),
        Text("不是永久居留身份证号码的格式", "not the form of a permanent-residence card number"),
        _RESIDENCE_CARD,
    )
    if len(number) == 15:
        # 2000 was a leap year, so the century 20 accepts whatever day the century 19 would.
        _require_date(field, "20" + number[7:13], _RESIDENCE_CARD)
        _require_check(field, mrz_check_digit(number[:14]), number[14], _RESIDENCE_CARD)
        return number
    _require(
        field,
        number[3:6] == "000" or find(number[3:6]) is not None,
        Text("其中的国籍代码不存在", "the nationality in it does not exist"),
        _RESIDENCE_CARD,
    )
    _require_date(field, number[6:14], _RESIDENCE_CARD)
    _require_check(field, citizen_check_character(number[:17]), number[17], _RESIDENCE_CARD)
    return number


def check_foreigner_number(value: Any, field: str = "social_security_number") -> str:
    """Return a foreigner's social security number as issued: 18 digits or capital letters.

    Nothing else is checked: there is no check digit, and the issued number is right by definition, even when
    it differs from the one that `foreigner_number` builds.
    """
    rule = matching("[0-9A-Z]{18}", Text("不是 18 位数字或字母", "not 18 digits or letters"), _FOREIGNER_NUMBER)
    return rule(value, field)


def foreigner_number(nationality: str, document_number: str) -> str:
    """Build a foreigner's social security number (18 characters): nationality, 0, document number filled with 0.

    ``nationality`` is ISO 3166-1 alpha-3. Of a 15-character permanent-residence card the last 12 digits are
    used, because its first three letters are the nationality. Raises NumberNotSettled for a document number
    with symbols or spaces inside, with more than 14 characters, for the 18-character residence card, and for
    a residence card of another nationality; FieldError for anything that is wrong by itself.
    """
    country = check_nationality(nationality)
    number = code_text(document_number, "document_number")
    if is_residence_card(number):
        check_residence_card(number, "document_number")
        if len(number) == 18:
            raise NumberNotSettled(
                Text("18 位永久居留身份证号码放不进 14 位", "an 18-character residence card number does not fit")
            )
        if number[:3] != country:
            raise NumberNotSettled(
                Text("永久居留身份证上的国籍与国籍不一致", "the residence card names another nationality")
            )
        number = number[3:]
    if not re.fullmatch("[0-9A-Z]+", number):
        raise NumberNotSettled(Text("证件号码含有符号或空格", "the document number has symbols or spaces inside"))
    if len(number) > 14:
        raise NumberNotSettled(Text("证件号码超过 14 位", "the document number is longer than 14"))
    return f"{country}0{number:0>14}"
