"""The person who holds the card."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from juying.errors import FieldError
from juying.model import mrz as machine_readable
from juying.model.checks import (
    check_fields,
    code_text,
    latin_name,
    matching,
    must_be,
    optional,
    plain_date,
    raise_all,
    region,
    text,
)
from juying.model.countries import SPECIMEN, check_nationality
from juying.model.numbers import (
    check_foreigner_number,
    check_residence_card,
    foreigner_number,
    is_residence_card,
)
from juying.model.sex import Sex
from juying.text import Text

_PHONE = matching(
    r"\+?[0-9][0-9 ()/-]{2,23}",
    Text("不是电话号码", "not a telephone number"),
    Text("可以 + 开头，4 至 25 个数字、空格、括号或连字符", "an optional +, then digits, spaces, brackets and hyphens"),
)


def _email(value: Any, field: str) -> str:
    address = text(254)(value, field)
    if not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", address):
        raise FieldError(
            field,
            Text("不是电子邮件地址", "not an e-mail address"),
            Text("形如 name@example.org", "like name@example.org"),
        )
    return address


def _document_number(value: Any, field: str) -> str:
    number = code_text(value, field)
    if not re.fullmatch("[0-9A-Z]([0-9A-Z ./-]{0,30}[0-9A-Z])?", number):
        raise FieldError(
            field,
            Text("长度或字符不对", "wrong length or characters"),
            Text(
                "1 至 32 位字母和数字，中间可有空格和 - / .", "1 to 32 letters and digits; space - / . may stand inside"
            ),
        )
    return check_residence_card(number, field) if is_residence_card(number) else number


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Holder:
    """A foreigner with a work permit or a permanent-residence card.

    ``name`` is in Latin letters as in the passport (surname first, at most 100 letters), ``nationality`` ISO
    3166-1 alpha-3 (GB/T 2659), ``document_number`` the number of the passport or permanent-residence card.
    ``card_name`` is the name as social insurance has registered it, where it differs from ``name``.
    ``address_region`` has six digits (GB/T 2260). Optional texts are empty when not given.

    Texts are tidied (spaces, capitals of codes). Raises FieldError or RecordError; no message holds a value.
    The limits of length are our choice; the rule of each number stands in `juying.model.numbers`.
    """

    name: str
    nationality: str
    birth_date: date
    sex: Sex
    document_number: str
    chinese_name: str = ""
    card_name: str = ""
    issued_social_security_number: str | None = None
    residence_card_number: str | None = None
    phone: str = ""
    email: str = ""
    address: str = ""
    address_region: str = ""

    def __post_init__(self) -> None:
        """Check and tidy every field."""
        check_fields(
            self,
            name=latin_name,
            nationality=check_nationality,
            birth_date=plain_date,
            sex=must_be(Sex, Text("性别代码（GB/T 2261.1）", "a sex code of GB/T 2261.1")),
            document_number=_document_number,
            chinese_name=optional(text(50)),
            card_name=optional(text(100)),
            issued_social_security_number=optional(check_foreigner_number, None),
            residence_card_number=optional(check_residence_card, None),
            phone=optional(_PHONE),
            email=optional(_email),
            address=optional(text(200)),
            address_region=optional(region),
        )

    @classmethod
    def from_mrz(cls, mrz: str | machine_readable.Mrz, *, today: date, **others: Any) -> Self:
        """Build a holder from a scanned machine-readable zone.

        ``today`` decides the century of two-digit years. ``others`` are further fields of Holder; they take
        precedence over what was scanned, and are the way out where the zone does not say enough: a name that
        may be cut off, a nationality that is no country, a visa (whose number may not be the passport's).

        Raises what `juying.model.mrz.parse` and the constructor raise, and FieldError in these three cases.
        """
        zone = mrz if isinstance(mrz, machine_readable.Mrz) else machine_readable.parse(mrz, today=today)
        doubts = {
            "name": (zone.name_truncated, Text("机读区中的姓名可能被截断", "the name may be cut off in the zone")),
            "nationality": (
                not zone.nationality,
                Text("机读区中的国籍代码不是国家", "the nationality code in the zone is no country"),
            ),
            "document_number": (
                zone.is_visa,
                Text("签证上的号码不一定是护照号码", "the number on a visa need not be the passport's"),
            ),
        }
        as_printed = Text("请按护照或登记信息另行填写", "give it separately, as in the passport or as registered")
        raise_all(
            [
                FieldError(field, problem, as_printed)
                for field, (doubtful, problem) in doubts.items()
                if doubtful and field not in others
            ]
        )
        scanned = {
            "name": zone.name,
            "nationality": zone.nationality,
            "birth_date": zone.birth_date,
            "sex": zone.sex,
            "document_number": zone.document_number,
        }
        return cls(**{**scanned, **others})

    @property
    def registered_name(self) -> str:
        """The name as social insurance has it, which is the one for the card."""
        return self.card_name or self.name

    @property
    def social_security_number(self) -> str:
        """The number as issued, otherwise built from nationality and document number.

        Raises NumberNotSettled (or FieldError) when it must be built and cannot be.
        """
        return self.issued_social_security_number or foreigner_number(self.nationality, self.document_number)

    @property
    def notes(self) -> tuple[Text, ...]:
        """What a clerk should look at; empty when nothing is unusual."""
        if self.nationality == SPECIMEN.alpha3:
            return (Text("国籍为样本国，仅用于样本", "the nationality is the specimen country: specimen only"),)
        if self.nationality in {"CHN", "HKG", "MAC", "TWN"}:
            return (
                Text(
                    "中国公民（含港澳台居民）不需要外国人工作许可",
                    "Chinese citizens, those of Hong Kong, Macao and Taiwan included, need no foreigner's work permit",
                ),
            )
        return ()

    def __repr__(self) -> str:
        """Nationality only; the rest is personal."""
        return f"Holder(nationality={self.nationality!r}, …)"
