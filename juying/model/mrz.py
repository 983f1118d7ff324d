"""The machine-readable zone of passports, cards and visas (ICAO 9303 parts 3 to 7).

`parse` takes what a scanner delivers, verifies every check digit and says which one fails; it never repairs
or guesses a character.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from juying.errors import DecodeError, FieldError
from juying.model.checks import raise_all
from juying.model.countries import by_alpha3
from juying.model.numbers import mrz_check_digit
from juying.model.sex import Sex
from juying.text import Text


class MrzFormat(StrEnum):
    """The five sizes of ICAO 9303."""

    TD1 = "TD1"
    TD2 = "TD2"
    TD3 = "TD3"
    MRV_A = "MRV-A"
    MRV_B = "MRV-B"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the fields stand, counted over the lines joined together.

    A check digit follows its field at once: number, birth and expiry have one; ``optional`` only where
    ``optional_check`` says so; the composite digit follows the last of the ``composite`` pieces.
    """

    name: slice
    number: slice
    birth: slice
    sex: int
    expiry: slice
    nationality: slice
    optional: tuple[slice, ...]
    composite: tuple[slice, ...] = ()
    optional_check: bool = False
    long_number: bool = False


_LAYOUTS = {
    MrzFormat.TD1: _Layout(
        name=slice(60, 90),
        number=slice(5, 14),
        birth=slice(30, 36),
        sex=37,
        expiry=slice(38, 44),
        nationality=slice(45, 48),
        optional=(slice(15, 30), slice(48, 59)),
        composite=(slice(5, 30), slice(30, 37), slice(38, 45), slice(48, 59)),
        long_number=True,
    ),
    MrzFormat.TD2: _Layout(
        name=slice(5, 36),
        number=slice(36, 45),
        nationality=slice(46, 49),
        birth=slice(49, 55),
        sex=56,
        expiry=slice(57, 63),
        optional=(slice(64, 71),),
        composite=(slice(36, 46), slice(49, 56), slice(57, 71)),
        long_number=True,
    ),
    MrzFormat.TD3: _Layout(
        name=slice(5, 44),
        number=slice(44, 53),
        nationality=slice(54, 57),
        birth=slice(57, 63),
        sex=64,
        expiry=slice(65, 71),
        optional=(slice(72, 86),),
        optional_check=True,
        composite=(slice(44, 54), slice(57, 64), slice(65, 87)),
    ),
    MrzFormat.MRV_A: _Layout(
        name=slice(5, 44),
        number=slice(44, 53),
        nationality=slice(54, 57),
        birth=slice(57, 63),
        sex=64,
        expiry=slice(65, 71),
        optional=(slice(72, 88),),
    ),
    MrzFormat.MRV_B: _Layout(
        name=slice(5, 36),
        number=slice(36, 45),
        nationality=slice(46, 49),
        birth=slice(49, 55),
        sex=56,
        expiry=slice(57, 63),
        optional=(slice(64, 72),),
    ),
}

PASSPORT_CODES = {
    "D": ("DEU", Text("德国", "Germany")),
    "GBD": ("GBR", Text("英国海外领土公民", "British Overseas Territories citizen")),
    "GBN": ("", Text("英国国民（海外）", "British National (Overseas)")),
    "GBO": ("GBR", Text("英国海外公民", "British Overseas citizen")),
    "GBP": ("GBR", Text("受英国保护者", "British protected person")),
    "GBS": ("GBR", Text("英国臣民", "British subject")),
    "EUE": ("", Text("欧洲联盟", "European Union")),
    "RKS": ("", Text("科索沃", "Kosovo")),
    "UNA": ("", Text("联合国专门机构", "specialised agency of the United Nations")),
    "UNK": ("", Text("联合国科索沃临时行政当局特派团居民", "resident of Kosovo, document of the UN mission")),
    "UNO": ("", Text("联合国", "United Nations")),
    "XOM": ("", Text("马耳他骑士团", "Sovereign Military Order of Malta")),
    "XXA": ("", Text("无国籍人", "stateless person")),
    "XXB": ("", Text("难民（1951 年公约）", "refugee (convention of 1951)")),
    "XXC": ("", Text("难民（其他）", "refugee (other)")),
    "XXX": ("", Text("国籍未说明", "unspecified nationality")),
}
"""Codes that only documents use (ICAO 9303-3 section 5): ISO 3166-1 alpha-3 or empty, and what they mean.

Where the three letters are empty nothing is assumed: a person has to say which nationality is registered.
China does not recognise the British National (Overseas) passport, so GBN is among them.
"""

_SEXES = {"M": Sex.MALE, "F": Sex.FEMALE, "<": Sex.UNSPECIFIED}
_ICAO = Text("ICAO 9303 机读区", "ICAO 9303 machine-readable zone")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Mrz:
    """What a machine-readable zone says. Texts are without fillers; missing ones are empty.

    ``nationality_code`` is as printed (``D``), ``nationality`` the ISO 3166-1 alpha-3 code for it, or empty
    when there is none. ``name_truncated`` tells that the name fills its field to the end, so that a part of
    it may be missing (ICAO 9303-3). ``optional`` holds the optional data, one text for each such field.
    """

    format: MrzFormat
    document_code: str
    issuer: str
    document_number: str
    nationality_code: str
    nationality: str
    surname: str
    given_names: str
    name_truncated: bool
    birth_date: date
    sex: Sex
    expiry_date: date
    optional: tuple[str, ...]

    @property
    def name(self) -> str:
        """Surname, then given names."""
        return f"{self.surname} {self.given_names}".strip()

    @property
    def is_visa(self) -> bool:
        """Whether this is a visa, whose number may be the one of the visa or of the passport."""
        return self.format in {MrzFormat.MRV_A, MrzFormat.MRV_B}

    def __repr__(self) -> str:
        """Format and nationality only; the rest is personal."""
        return f"Mrz(format={self.format.value!r}, nationality={self.nationality!r}, …)"


def parse(text: str, *, today: date) -> Mrz:
    """Parse a machine-readable zone of 90, 72 or 88 characters.

    Line breaks of any kind, none at all, spaces and small letters are accepted. ``today`` decides the
    century: nobody is born later than today, and a document expires less than 50 years before or at most
    50 years after it (our rule; the zone has two digits only).

    Raises DecodeError when this is no machine-readable zone, FieldError or RecordError when check digits fail
    or a field is impossible; the field is named as in `Mrz`, or ``mrz`` for the check digit over everything.
    """
    zone, format_ = _join(text)
    layout = _LAYOUTS[format_]
    number, number_digit, optional = _number_and_optional(zone, layout)
    _verify(zone, layout, number, number_digit)
    nationality_code = zone[layout.nationality].rstrip("<")
    surname, given_names = _names(zone[layout.name])
    return Mrz(
        format=format_,
        document_code=zone[:2].rstrip("<"),
        issuer=zone[2:5].rstrip("<"),
        document_number=number,
        nationality_code=nationality_code,
        nationality=_nationality(nationality_code),
        surname=surname,
        given_names=given_names,
        name_truncated=not zone[layout.name].endswith("<"),
        birth_date=_birth_date(zone[layout.birth], today),
        sex=_sex(zone[layout.sex]),
        expiry_date=_expiry_date(zone[layout.expiry], today),
        optional=optional,
    )


def _join(text: str) -> tuple[str, MrzFormat]:
    """Return the lines as one and the format, which follows from length and first letter."""
    zone = "".join(text.split())
    # Only ASCII is turned into capitals: a few foreign small letters would become ASCII letters.
    zone = zone.upper() if zone.isascii() else zone
    if not re.fullmatch("[A-Z][A-Z0-9<]*", zone):
        raise DecodeError(
            "机读区只含大写字母、数字和 <，且以字母开头，请重新扫描",
            "a machine-readable zone holds letters, digits and < and begins with a letter: scan again",
            where="MRZ",
        )
    visa = zone[0] == "V"
    formats = {
        90: MrzFormat.TD1,
        72: MrzFormat.MRV_B if visa else MrzFormat.TD2,
        88: MrzFormat.MRV_A if visa else MrzFormat.TD3,
    }
    if len(zone) not in formats:
        raise DecodeError(
            f"机读区有 {len(zone)} 个字符，应为 90、72 或 88 个，请重新扫描",
            f"the machine-readable zone has {len(zone)} characters instead of 90, 72 or 88: scan again",
            where="MRZ",
        )
    return zone, formats[len(zone)]


def _number_and_optional(zone: str, layout: _Layout) -> tuple[str, str, tuple[str, ...]]:
    """Return document number, its check digit, and the optional data.

    On cards a number of more than nine characters has a filler for its check digit and goes on in the
    optional data, up to the first filler; the last character there is the check digit (9303-5, 9303-6).
    """
    number, digit = zone[layout.number], zone[layout.number.stop]
    optional = [zone[piece] for piece in layout.optional]
    if layout.long_number and digit == "<":
        rest = optional[0].split("<", 1)[0]
        number, digit = number + rest[:-1], rest[-1:]
        optional[0] = optional[0][len(rest) :]
    return number.rstrip("<"), digit, tuple(data.strip("<") for data in optional)


def _verify(zone: str, layout: _Layout, number: str, number_digit: str) -> None:
    """Verify all check digits; the composite one is only named when no other fails."""
    wrong = [field for field, data, digit in _checked(zone, layout, number, number_digit) if not _agree(data, digit)]
    if layout.composite and not wrong:
        data = "".join(zone[piece] for piece in layout.composite)
        wrong = [] if mrz_check_digit(data) == zone[layout.composite[-1].stop] else ["mrz"]
    raise_all(
        [
            FieldError(
                field,
                Text("校验位不符，请重新扫描或核对", "check digit does not match: scan again or compare"),
                _ICAO,
            )
            for field in wrong
        ]
    )
    if not number:
        raise FieldError("document_number", Text("证件号码为空", "the document number is empty"), _ICAO)


def _checked(zone: str, layout: _Layout, number: str, number_digit: str) -> Iterator[tuple[str, str, str]]:
    """Yield field name, data and check digit of each field that has one of its own."""
    yield "document_number", number, number_digit
    yield "birth_date", zone[layout.birth], zone[layout.birth.stop]
    yield "expiry_date", zone[layout.expiry], zone[layout.expiry.stop]
    if layout.optional_check:
        yield "optional", zone[layout.optional[0]], zone[layout.optional[0].stop]


def _agree(data: str, digit: str) -> bool:
    """Whether the check digit fits; an empty field may have a filler instead (9303-4)."""
    return mrz_check_digit(data) == digit or (digit == "<" and not data.strip("<"))


def _nationality(code: str) -> str:
    """Return the three letters of the country, or nothing for a code that is no country."""
    if code in PASSPORT_CODES:
        return PASSPORT_CODES[code][0]
    if by_alpha3(code) is None:
        raise FieldError(
            "nationality",
            Text("国籍代码不存在，请重新扫描", "there is no such nationality code: scan again"),
            Text("ICAO 9303-3 第 5 节国籍代码", "codes of ICAO 9303-3 section 5"),
        )
    return code


def _names(field: str) -> tuple[str, str]:
    """Return surname and given names; two fillers part them, one filler is a space, an apostrophe is gone."""
    if not re.fullmatch("[A-Z<]*[A-Z][A-Z<]*", field):
        raise FieldError(
            "name",
            Text("姓名为空或含有数字", "the name is empty or holds digits"),
            Text("仅拉丁字母", "Latin letters only"),
        )
    surname, _, given_names = field.partition("<<")
    return " ".join(surname.replace("<", " ").split()), " ".join(given_names.replace("<", " ").split())


def _sex(letter: str) -> Sex:
    if letter not in _SEXES:
        raise FieldError("sex", Text("性别代码不存在", "no such code for the sex"), Text("M、F 或 <", "M, F or <"))
    return _SEXES[letter]


def _birth_date(digits: str, today: date) -> date:
    """Return the birth date: in this century unless that lies in the future."""
    year, month, day = _parts("birth_date", digits)
    year += today.year // 100 * 100
    if (year, month, day) > (today.year, today.month, today.day):
        year -= 100
    return _date("birth_date", year, month, day)


def _expiry_date(digits: str, today: date) -> date:
    """Return the expiry date: from 49 years before to 50 years after the year of today."""
    year, month, day = _parts("expiry_date", digits)
    first = today.year - 49
    return _date("expiry_date", first + (year - first) % 100, month, day)


def _parts(field: str, digits: str) -> tuple[int, int, int]:
    if not re.fullmatch("[0-9]{6}", digits):
        raise FieldError(
            field,
            Text("日期不完整，请手工填写持证人信息", "the date is not complete: enter the holder by hand"),
            Text("年月日各两位数字", "two digits each for year, month and day"),
        )
    return int(digits[:2]), int(digits[2:4]), int(digits[4:])


def _date(field: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        problem = Text("日期不存在", "there is no such day")
    raise FieldError(field, problem, Text("公历日期", "a day of the calendar"))
