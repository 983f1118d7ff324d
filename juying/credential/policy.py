"""What a site accepts, as data: how fresh, how well proven, which permits, and how old a status list may be.

A policy is a JSON file that people can read and edit; members that are left out have their defaults, and no other
member is accepted. Times are whole seconds::

    {"window": 30, "clock_skew": 300, "holder_skew": 0, "assurance": "holder",
     "categories": ["A", "B"], "tiers": ["full"], "max_status_age": 86400, "stale_status": "refuse"}
"""

from dataclasses import dataclass, fields
from datetime import timedelta
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, Self

from juying.credential.claims import Tier
from juying.credential.strict_json import members, parse, read_bytes
from juying.errors import InputError
from juying.model.category import PermitCategory
from juying.text import Text

MAX_FILE = 1 << 20
_SECOND, _MINUTE, _HOUR, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Assurance(IntEnum):
    """How well it is proven that the one who shows a credential is the one it was issued to."""

    BEARER = 1
    """Not at all: paper, a static code, perhaps a copy. Compare the person."""
    HOLDER = 2
    """The holder's key signed the present time."""
    CHALLENGED = 3
    """The holder's key signed this terminal's nonce and, when the terminal has a name, that name."""

    @property
    def text(self) -> Text:
        """The words for people."""
        return _ASSURANCE_TEXT[self]


_ASSURANCE_TEXT = {
    Assurance.BEARER: Text("仅凭持码", "bearer only"),
    Assurance.HOLDER: Text("持有人已证明", "holder proven"),
    Assurance.CHALLENGED: Text("持有人已应答本终端", "holder proven to this terminal"),
}


class StaleStatus(StrEnum):
    """What to do with a credential whose revocation status is unknown or out of date."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one site accepts; the defaults are the strictest that every genuine credential can meet.

    ``window`` is how far the time in a presentation may be from ours (15 to 60 s), ``holder_skew`` is added for
    holders' clocks that are known to be wrong (at most 1 min), ``clock_skew`` is how far an issuer's clock may be
    ahead of ours (at most 1 h). ``assurance`` is the least that is needed. ``max_status_age`` (1 min to 366 days) is
    how old a status list may be before it counts as stale, whatever its own end says. Raises InputError when a value
    is out of its range or nothing at all would be accepted.
    """

    window: timedelta = 30 * _SECOND
    clock_skew: timedelta = 5 * _MINUTE
    holder_skew: timedelta = 0 * _SECOND
    assurance: Assurance = Assurance.BEARER
    categories: frozenset[PermitCategory] = frozenset(PermitCategory)
    tiers: frozenset[Tier] = frozenset(Tier)
    max_status_age: timedelta = _DAY
    stale_status: StaleStatus = StaleStatus.REFUSE

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                low, high = least // _SECOND, most // _SECOND
                raise InputError(f"{name} 须为 {low} 至 {high} 秒", f"{name} has to be {low} to {high} seconds")
        for name in ("categories", "tiers"):
            if not getattr(self, name):
                raise InputError(f"{name} 不能为空", f"{name} must not be empty")

    @property
    def tolerance(self) -> timedelta:
        """How far the time in a presentation may be from ours, either way."""
        return self.window + self.holder_skew

    @property
    def hold(self) -> timedelta:
        """How long a replay cache remembers a presentation: twice the time for which it could be shown."""
        return 2 * self.tolerance

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a policy file; raises InputError that names the file and what is wrong in it."""
        path = Path(path)
        try:
            return cls.from_dict(parse(read_bytes(path, limit=MAX_FILE)))
        except InputError as error:
            raise InputError(*error.text, where=str(path)) from None

    @classmethod
    def from_dict(cls, document: object) -> Self:
        """The policy out of plain JSON values; raises InputError."""
        given = members(document, (), optional=[field.name for field in fields(cls)])
        values: dict[str, Any] = {name: _value(name, value) for name, value in given.items()}
        return cls(**values)

    def to_dict(self) -> dict[str, object]:
        """Every member as plain JSON values."""
        return {
            **{name: getattr(self, name) // _SECOND for name in _RANGES},
            "assurance": self.assurance.name.lower(),
            "categories": sorted(map(str, self.categories)),
            "tiers": [tier.name.lower() for tier in sorted(self.tiers)],
            "stale_status": str(self.stale_status),
        }


_RANGES = {
    "window": (15 * _SECOND, 60 * _SECOND),
    "clock_skew": (0 * _SECOND, _HOUR),
    "holder_skew": (0 * _SECOND, _MINUTE),
    "max_status_age": (_MINUTE, 366 * _DAY),
}
_WORDS: dict[str, dict[str, Any]] = {
    "assurance": {level.name.lower(): level for level in Assurance},
    "categories": {str(category): category for category in PermitCategory},
    "tiers": {tier.name.lower(): tier for tier in Tier},
    "stale_status": {str(choice): choice for choice in StaleStatus},
}

DEFAULT = Policy()


def _value(name: str, value: object) -> object:
    """The value of a member as the policy holds it."""
    if name in _RANGES:
        if type(value) is not int:
            raise InputError(f"{name} 须为整数（秒）", f"{name} has to be a whole number of seconds")
        # Far out of any range, and still inside that of timedelta.
        return timedelta(seconds=max(-1, min(value, 10**9)))
    if name in ("categories", "tiers"):
        if not isinstance(value, list):
            raise InputError(f"{name} 须为数组", f"{name} has to be an array")
        return frozenset(_word(name, word) for word in value)
    return _word(name, value)


def _word(name: str, word: object) -> object:
    words = _WORDS[name]
    if not isinstance(word, str) or word not in words:
        known = ", ".join(words)
        raise InputError(f"{name} 只能用 {known}", f"{name} knows only {known}")
    return words[word]
