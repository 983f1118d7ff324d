"""An issuer's public key, and for what, when and where its signatures count."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from juying.credential.claims import CHINA
from juying.crypto.signing import KID_LENGTH, Signer, VerifyKey
from juying.errors import InputError
from juying.model.category import PermitCategory
from juying.model.checks import check_fields, optional
from juying.model.checks import region as region_code
from juying.model.checks import text as text_line
from juying.text import Text

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2242, 1, 1, tzinfo=UTC)
"""Times in a trust list lie between these, as those in credentials do."""


class KeyUse(StrEnum):
    """What a key may sign."""

    CREDENTIAL = "credential"
    STATUS = "status"

    @property
    def text(self) -> Text:
        """The words for people."""
        return _USE_TEXT[self]


_USE_TEXT = {
    KeyUse.CREDENTIAL: Text("凭证", "credentials"),
    KeyUse.STATUS: Text("状态列表", "status lists"),
}


class KeyState(StrEnum):
    """Where in its life a key is."""

    FUTURE = "future"
    SIGNING = "signing"
    VERIFYING = "verifying"
    ENDED = "ended"

    @property
    def text(self) -> Text:
        """The words for people."""
        return _STATE_TEXT[self]


_STATE_TEXT = {
    KeyState.FUTURE: Text("未启用", "not yet in use"),
    KeyState.SIGNING: Text("可签发", "may sign"),
    KeyState.VERIFYING: Text("仅验证", "verified only"),
    KeyState.ENDED: Text("已失效", "ended"),
}


def quarter(name: str) -> tuple[datetime, datetime]:
    """The first and the last second of a quarter such as ``2026Q4`` in China; raises InputError for another text."""
    found = re.fullmatch("(20[0-9]{2})Q([1-4])", name, re.ASCII)
    if not found:
        raise InputError("季度应写作 2026Q4", "a quarter is written like 2026Q4")
    year, month = int(found[1]), 3 * int(found[2])
    start = datetime(year, month - 2, 1, tzinfo=CHINA)
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=CHINA)
    return start, after - timedelta(seconds=1)


def issuer_names(value: Any, field: str) -> Text:
    """Rule: a name in both languages, each a line of 1 to 100 printable characters."""
    line = text_line(100)
    return Text(line(value.zh, f"{field}.zh"), line(value.en, f"{field}.en"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """An issuer's public key and what is known about it.

    A signature counts when it was made from ``not_before`` to ``not_after``, both included and with a time zone, and
    is verified no later than ``verify_until``. ``region`` (GB/T 2260, six digits, or empty for everywhere) is where
    the issuer sits, ``categories`` are the classes of permit that it may sign, ``use`` the kinds of thing.
    ``demonstration`` marks a key whose signatures mean nothing outside a trial.
    """

    kid: bytes
    key: VerifyKey
    issuer: Text
    region: str
    not_before: datetime
    not_after: datetime
    verify_until: datetime = LAST
    categories: frozenset[PermitCategory] = frozenset(PermitCategory)
    use: frozenset[KeyUse] = frozenset(KeyUse)
    demonstration: bool = False

    def __post_init__(self) -> None:
        """Raises InputError (or FieldError, RecordError) when a value breaks its rule."""
        check_fields(self, issuer=issuer_names, region=optional(region_code))
        if len(self.kid) != KID_LENGTH:
            raise InputError(f"kid 须为 {KID_LENGTH} 字节", f"a kid has {KID_LENGTH} bytes")
        check_times(self.not_before, self.not_after, self.verify_until)
        if not self.categories or not self.use:
            raise InputError("类别和用途不能为空", "categories and use must not be empty")

    @classmethod
    def of(
        cls,
        signer: Signer,
        *,
        issuer: Text,
        region: str,
        not_before: datetime,
        not_after: datetime,
        verify_until: datetime = LAST,
        categories: Iterable[PermitCategory] = PermitCategory,
        use: Iterable[KeyUse] = KeyUse,
        demonstration: bool = False,
    ) -> Self:
        """The entry for a signer's own key."""
        return cls(
            kid=signer.kid,
            key=VerifyKey(signer.public_key, signer.algorithm),
            issuer=issuer,
            region=region,
            not_before=not_before,
            not_after=not_after,
            verify_until=verify_until,
            categories=frozenset(categories),
            use=frozenset(use),
            demonstration=demonstration,
        )

    def signs_at(self, moment: datetime) -> bool:
        """True when ``moment`` lies in the signing period."""
        return self.not_before <= moment <= self.not_after

    def verifies_at(self, moment: datetime) -> bool:
        """True when signatures of this key still count at ``moment``."""
        return moment <= self.verify_until

    def covers(self, region: str) -> bool:
        """True when ``region`` (six digits) lies in the issuer's: a province holds its cities, a city its districts.

        A code ends in ``00`` for each level that it does not name (GB/T 2260). An issuer without a region is good for
        all, and a permit without a region can be from anywhere.
        """
        own = self.region
        while own.endswith("00"):
            own = own[:-2]
        return region.startswith(own) or not region

    def state(self, moment: datetime) -> KeyState:
        """What the key is good for at ``moment``."""
        if moment > self.verify_until:
            return KeyState.ENDED
        if self.signs_at(moment):
            return KeyState.SIGNING
        return KeyState.FUTURE if moment < self.not_before else KeyState.VERIFYING

    @property
    def fingerprint(self) -> str:
        """What people compare: the SHA-256 thumbprint of the key (RFC 9679), 64 hexadecimal digits."""
        return self.key.thumbprint.hex()

    def to_dict(self) -> dict[str, Any]:
        """The entry as it stands in a JSON file; what holds for every key by default is left out."""
        entry: dict[str, Any] = {
            "kid": self.kid.hex(),
            "algorithm": self.key.algorithm.name,
            "public_key": self.key.public_key.hex(),
            "issuer": self.issuer._asdict(),
            "region": self.region,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
        }
        if self.verify_until != LAST:
            entry["verify_until"] = self.verify_until.isoformat()
        if self.categories != frozenset(PermitCategory):
            entry["categories"] = sorted(map(str, self.categories))
        if self.use != frozenset(KeyUse):
            entry["use"] = sorted(map(str, self.use))
        return {**entry, "demonstration": self.demonstration}


def check_times(*times: datetime) -> None:
    """Raise InputError unless the times have a zone, are in order, and lie between `FIRST` and `LAST`."""
    if any(moment.tzinfo is None for moment in times):
        raise InputError("时间须带时区", "the times need time zones")
    if list(times) != sorted(times):
        raise InputError("时间须依次不早于前一个：期限不能先止后起", "no period must end before it begins")
    if times[0] < FIRST or times[-1] > LAST:
        raise InputError("时间须在 1970 至 2241 年", "the times have to be in the years 1970 to 2241")
