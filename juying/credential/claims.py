"""What a credential says, and how it is said in CBOR.

The payload is a CWT claims set (RFC 8392). Registered claims: 2 permit number, 4 end, 5 start, 6 time of issue,
8 holder key (RFC 8747). One claim of private use, -65537, holds the rest by position (our choice, because names
would cost more than the values)::

    minimal  [1, status list, status index, category, region, initials]
    full     [2, status list, status index, category, region, name, Chinese name, nationality,
              birth date, sex, employer code, position]

Status list, index and region are null when there is none. The region is the six-digit code as a number, the
birth date the number of days since 1970-01-01 (as RFC 8943 counts), the sex the code of GB/T 2261.1. The employer
code is packed into 12 bytes: each three of its characters are a number of base 36, two bytes long.
Which of these arrays it may be is the version of the format, the digit in ``JY1:``.
"""

import re
import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self
from unicodedata import category as unicode_category

from juying.codec import cbor
from juying.errors import DecodeError, FieldError, InputError
from juying.model.category import PermitCategory
from juying.model.checks import raise_all
from juying.model.sex import Sex
from juying.text import Text

if TYPE_CHECKING:
    from juying.model import Holder, WorkPermit

CHINA = timezone(timedelta(hours=8))

_SUBJECT, _EXPIRES, _NOT_BEFORE, _ISSUED, _CONFIRMATION, _PERMIT = 2, 4, 5, 6, 8, -65537
_COSE_KEY = 1  # the member of the confirmation claim
_KTY, _CRV, _X, _Y = 1, -1, -2, -3
_EC2, _P256 = 2, 1

# Times between these; far enough, and every calculation with dates stays inside Python's range.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2242, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_EMPLOYER_CODE = re.compile("[0-9A-HJ-NPQRTUWXY]{18}", re.ASCII)
_COUNTRY = re.compile("[A-Z]{3}", re.ASCII)
_REGION = re.compile("[0-9]{6}", re.ASCII)

_PROBLEM = Text("不符合规则", "breaks the rule")
_LINE = Text("1 至 100 个可显示的字符", "1 to 100 printable characters")
_OPTIONAL_LINE = Text("空，或最多 100 个可显示的字符", "empty, or at most 100 printable characters")
_PERIOD_RULE = Text("须早于有效期终点，且都在 1970 至 2241 年", "before the end, both in the years 1970 to 2241")
_ISSUED_RULE = Text(
    "签发时间须早于有效期终点：不签发已过期的许可",
    "the time of issue is before the end: no credential for a permit that has expired",
)
_ZONE_RULE = Text("时间须带时区", "times have a time zone")
_REGION_RULE = Text("空，或 6 位行政区划代码", "empty, or a region code of six digits")
_STATUS_RULE = Text("状态列表号与序号为 0 至 4294967295", "list and index of the status are 0 to 4294967295")
_HOLDER_KEY_RULE = Text("P-256 压缩点（33 字节）", "a compressed P-256 point (33 bytes)")
_COUNTRY_RULE = Text("三位字母国家代码", "a country code of three letters")
_BIRTH_RULE = Text("1900 至 2199 年间的日期", "a date in the years 1900 to 2199")
_SEX_RULE = Text("须填写性别", "the sex is required")
_EMPLOYER_RULE = Text("18 位统一社会信用代码", "a unified social credit code of 18 characters")
_MINIMAL_RULE = Text("最小凭证不含这一项", "a minimal credential does not hold this")


class Tier(IntEnum):
    """How much of the permit a credential shows; the number stands in the credential."""

    MINIMAL = 1
    FULL = 2

    @property
    def text(self) -> Text:
        """The words for people."""
        return _TIER_TEXT[self]


_TIER_TEXT = {
    Tier.MINIMAL: Text("最小凭证", "Minimal credential"),
    Tier.FULL: Text("完整凭证", "Full credential"),
}


@dataclass(frozen=True, slots=True)
class StatusReference:
    """Where the credential's status is kept: the number of a status list and the place in it."""

    list_number: int
    index: int

    @property
    def in_range(self) -> bool:
        """True when both numbers fit into 32 bits."""
        return 0 <= self.list_number < 2**32 and 0 <= self.index < 2**32


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Claims:
    """The contents of a credential; raises FieldError or RecordError when a field breaks its rule.

    ``name`` is the name in Latin letters, in the minimal tier the initials. ``holder_key`` is the holder's public
    key, a compressed P-256 point. ``expires_at`` is the first moment at which the permit is no longer valid.
    The fields from ``chinese_name`` on belong to the full tier only.
    """

    permit_number: str
    tier: Tier
    issued_at: datetime
    not_before: datetime
    expires_at: datetime
    category: PermitCategory
    name: str
    region: str = ""
    status: StatusReference | None = None
    holder_key: bytes | None = None
    chinese_name: str = ""
    nationality: str = ""
    birth_date: date | None = None
    sex: Sex | None = None
    employer_code: str = ""
    position: str = ""

    def __post_init__(self) -> None:
        """Check every field and report all that are wrong."""
        if broken := self._broken_rules():
            raise_all([FieldError(field, _PROBLEM, rule) for field, rule in broken])

    def _broken_rules(self) -> list[tuple[str, Text]]:
        broken = []
        if not _is_line(self.permit_number):
            broken.append(("permit_number", _LINE))
        if not _is_line(self.name):
            broken.append(("name", _LINE))
        start, end, issued = self.not_before, self.expires_at, self.issued_at
        if start.tzinfo is None or end.tzinfo is None or issued.tzinfo is None:
            broken.append(("issued_at", _ZONE_RULE))
        elif not _FIRST <= start < end < _LAST:
            broken.append(("not_before", _PERIOD_RULE))
        elif not _FIRST <= issued < end:
            broken.append(("issued_at", _ISSUED_RULE))
        if self.region and not _REGION.fullmatch(self.region):
            broken.append(("region", _REGION_RULE))
        if self.status is not None and not self.status.in_range:
            broken.append(("status", _STATUS_RULE))
        if self.holder_key is not None and not (len(self.holder_key) == 33 and self.holder_key[0] in (2, 3)):
            broken.append(("holder_key", _HOLDER_KEY_RULE))
        if self.tier is not _FULL:
            fields = ("chinese_name", "nationality", "birth_date", "sex", "employer_code", "position")
            return broken + [(field, _MINIMAL_RULE) for field in fields if getattr(self, field)]
        if self.chinese_name and not _is_line(self.chinese_name):
            broken.append(("chinese_name", _OPTIONAL_LINE))
        if not _COUNTRY.fullmatch(self.nationality):
            broken.append(("nationality", _COUNTRY_RULE))
        if self.birth_date is None or not 1900 <= self.birth_date.year < 2200:
            broken.append(("birth_date", _BIRTH_RULE))
        if self.sex is None:
            broken.append(("sex", _SEX_RULE))
        if not _EMPLOYER_CODE.fullmatch(self.employer_code):
            broken.append(("employer_code", _EMPLOYER_RULE))
        if self.position and not _is_line(self.position):
            broken.append(("position", _OPTIONAL_LINE))
        return broken

    @classmethod
    def of(
        cls,
        holder: "Holder",
        permit: "WorkPermit",
        *,
        tier: Tier,
        issued_at: datetime,
        status: StatusReference | None = None,
        holder_key: bytes | None = None,
    ) -> Self:
        """Take the claims of a tier from a permit and its holder.

        The validity counts whole days in China (UTC+8), from the start of ``valid_from`` to the end of
        ``valid_until``. ``issued_at`` needs a time zone and is cut to the second. The passport number is in no
        tier. Raises FieldError or RecordError, also when the permit has already expired.
        """
        person: dict[str, Any] = {"name": _initials(holder.name)}
        if tier is Tier.FULL:
            person = {
                "name": holder.name,
                "chinese_name": holder.chinese_name,
                "nationality": holder.nationality,
                "birth_date": holder.birth_date,
                "sex": holder.sex,
                "employer_code": permit.employer.code,
                "position": permit.position,
            }
        return cls(
            permit_number=permit.number,
            tier=tier,
            issued_at=issued_at.replace(microsecond=0),
            not_before=datetime.combine(permit.valid_from, time(), CHINA),
            expires_at=datetime.combine(permit.valid_until, time(), CHINA) + timedelta(days=1),
            category=permit.category,
            region=permit.region,
            status=status,
            holder_key=holder_key,
            **person,
        )

    @property
    def valid_from(self) -> date:
        """The first day of the permit, as counted in China."""
        return self.not_before.astimezone(CHINA).date()

    @property
    def valid_until(self) -> date:
        """The last day of the permit, as counted in China."""
        return (self.expires_at - timedelta(seconds=1)).astimezone(CHINA).date()

    @property
    def initials(self) -> str:
        """The initials of the name, in either tier."""
        return self.name if self.tier is Tier.MINIMAL else _initials(self.name)

    def encode(self) -> bytes:
        """The CWT claims set in canonical CBOR."""
        permit: list[object] = [
            int(self.tier),
            self.status.list_number if self.status else None,
            self.status.index if self.status else None,
            str(self.category),
            int(self.region) if self.region else None,
            self.name,
        ]
        if self.birth_date is not None and self.sex is not None:  # the full tier has both
            permit += [
                self.chinese_name,
                self.nationality,
                self.birth_date.toordinal() - _EPOCH_DAY,
                int(self.sex),
                _pack_code(self.employer_code),
                self.position,
            ]
        claims: dict[int, object] = {
            _SUBJECT: self.permit_number,
            _EXPIRES: int(self.expires_at.timestamp()),
            _NOT_BEFORE: int(self.not_before.timestamp()),
            _ISSUED: int(self.issued_at.timestamp()),
            _PERMIT: permit,
        }
        if self.holder_key is not None:
            odd = self.holder_key[0] == 3
            claims[_CONFIRMATION] = {_COSE_KEY: {_KTY: _EC2, _CRV: _P256, _X: self.holder_key[1:], _Y: odd}}
        return cbor.encode(claims)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a claims set; raises DecodeError for everything that `encode` would not have written."""
        claims = cbor.decode(payload)
        try:
            return cls._from_map(claims)
        except (InputError, LookupError, TypeError, ValueError, ArithmeticError, OSError, struct.error):
            # What exactly is wrong stays unsaid: the values are personal.
            raise DecodeError("凭证内容不符合格式", "the contents of the credential break the format") from None

    @classmethod
    def _from_map(cls, claims: Any) -> Self:
        holder_key = _point(claims[_CONFIRMATION]) if _CONFIRMATION in claims else None
        if len(claims) != (5 if holder_key is None else 6):  # the other five are all looked up below
            raise ValueError
        number, list_number, index, category, region, name, *rest = claims[_PERMIT]
        tier = _TIERS[_integer(number)]
        status = None
        if list_number is not None or index is not None:
            status = StatusReference(_integer(list_number), _integer(index))
        chinese_name, nationality, birth_day, sex, employer_code, position = rest or _NO_PERSON
        return cls(
            permit_number=_text(claims[_SUBJECT]),
            tier=tier,
            issued_at=datetime.fromtimestamp(_integer(claims[_ISSUED]), UTC),
            not_before=_midnight(claims[_NOT_BEFORE]),
            expires_at=_midnight(claims[_EXPIRES]),
            category=_CATEGORIES[category],
            name=_text(name),
            region="" if region is None else f"{_integer(region):06d}",
            status=status,
            holder_key=holder_key,
            chinese_name=_text(chinese_name),
            nationality=_text(nationality),
            birth_date=date.fromordinal(_EPOCH_DAY + _integer(birth_day)) if rest else None,
            sex=_SEXES[_integer(sex)] if rest else None,
            employer_code=_unpack_code(employer_code),
            position=_text(position),
        )

    def to_dict(self) -> dict[str, object]:
        """All claims as plain JSON values, for the one who asked to see them."""
        claims: dict[str, object] = {
            "permit_number": self.permit_number,
            "tier": self.tier.name.lower(),
            "category": str(self.category),
            "region": self.region,
            "valid_from": self.valid_from.isoformat(),
            "valid_until": self.valid_until.isoformat(),
            "issued_at": self.issued_at.astimezone(CHINA).isoformat(),
            "name": self.name,
            "holder_bound": self.holder_key is not None,
            "status": {"list": self.status.list_number, "index": self.status.index} if self.status else None,
        }
        if self.birth_date is not None and self.sex is not None:
            claims |= {
                "chinese_name": self.chinese_name,
                "nationality": self.nationality,
                "birth_date": self.birth_date.isoformat(),
                "sex": str(self.sex),
                "employer_code": self.employer_code,
                "position": self.position,
            }
        return claims

    def __repr__(self) -> str:
        """Shows nothing personal."""
        return f"Claims(tier={self.tier.name}, category={self.category}, …)"


_FULL = Tier.FULL
_NO_PERSON = ("", "", None, None, b"", "")
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PAIRS = [high + low for high in _BASE36 for low in _BASE36]
_TIERS = {int(tier): tier for tier in Tier}
_SEXES = {int(sex): sex for sex in Sex}
_CATEGORIES = {str(category): category for category in PermitCategory}


def _initials(name: str) -> str:
    """``ERIKSSON ANNA MARIA`` becomes ``E.A.M.``"""
    words = ([char for char in word if char.isalpha()] for word in name.split())
    return "".join(f"{letters[0]}." for letters in words if letters)


def _is_line(value: str) -> bool:
    """A text of 1 to 100 characters, none of them invisible; rare and private-use characters pass."""
    return 0 < len(value) <= 100 and (
        value.isprintable() or not any(unicode_category(char) in _HIDDEN for char in value)
    )


def _pack_code(code: str) -> bytes:
    return b"".join(int(code[at : at + 3], 36).to_bytes(2) for at in range(0, 18, 3))


@lru_cache(maxsize=1024)  # many holders work for the same employer
def _unpack_code(packed: bytes) -> str:
    return (
        "".join([_PAIRS[number // 36] + _BASE36[number % 36] for number in struct.unpack(">6H", packed)])
        if packed
        else ""
    )


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError
    return value


def _integer(value: object) -> int:
    if type(value) is not int:  # a bool is no number here
        raise ValueError
    return value


@lru_cache(maxsize=4096, typed=True)  # validity counts days, so the same few moments come again and again
def _midnight(value: object) -> datetime:
    return datetime.fromtimestamp(_integer(value), UTC)


def _point(confirmation: Any) -> bytes:
    """The compressed point in the confirmation claim ``{1: {1: 2, -1: 1, -2: x, -3: sign of y}}``."""
    key = confirmation[_COSE_KEY]
    if len(confirmation) != 1 or len(key) != 4:
        raise ValueError
    kind, curve, x, odd = _integer(key[_KTY]), _integer(key[_CRV]), key[_X], key[_Y]
    if (kind, curve) != (_EC2, _P256) or type(x) is not bytes or type(odd) is not bool:
        raise ValueError
    return (b"\x03" if odd else b"\x02") + x
