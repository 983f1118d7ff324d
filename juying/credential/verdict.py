"""The answer of a verification: the verdict, every check with its reason, and what was learned on the way."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from juying.credential.claims import CHINA, Claims
from juying.credential.policy import Assurance
from juying.credential.trust import TrustedKey
from juying.text import Text


class Step(StrEnum):
    """The checks, in the order in which they are made; the first that fails decides."""

    FORMAT = "format"
    """Size, characters, base45, strict CBOR and COSE, contents."""
    KEY = "key"
    ALGORITHM = "algorithm"
    SIGNATURE = "signature"
    SIGNING_PERIOD = "signing period"
    ENTITLEMENT = "entitlement"
    """Of a class and region that the key may sign for."""
    VALIDITY = "validity"
    HOLDER_BINDING = "holder binding"
    FRESHNESS = "freshness"
    """Shown just now."""
    STATUS = "status"
    POLICY = "policy"
    """What this site takes."""
    REPLAY = "replay"


CHECKS = tuple(Step)


class Verdict(StrEnum):
    """The answer. Policy, not this library, turns it into open or closed; only VALID means yes by itself."""

    VALID = "valid"
    VALID_STALE_STATUS = "valid_stale_status"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    BAD_ISSUER_SIG = "bad_issuer_sig"
    BAD_HOLDER_SIG = "bad_holder_sig"
    STALE_OR_FUTURE = "stale_or_future"
    REPLAYED = "replayed"
    NO_HOLDER_BINDING = "no_holder_binding"
    UNKNOWN_KID = "unknown_kid"
    UNSUPPORTED_ALG = "unsupported_alg"
    MALFORMED = "malformed"

    @property
    def text(self) -> Text:
        """The answer for people."""
        return _VERDICT_TEXT[self]


_VERDICT_TEXT = {
    Verdict.VALID: Text("有效", "valid"),
    Verdict.VALID_STALE_STATUS: Text(
        "签名与期限有效，但吊销状态未知或已过时",
        "signature and dates are good, but its status is unknown or out of date",
    ),
    Verdict.EXPIRED: Text("已过期", "expired"),
    Verdict.NOT_YET: Text("尚未生效", "not yet valid"),
    Verdict.REVOKED: Text("已吊销", "revoked"),
    Verdict.SUSPENDED: Text("已暂停", "suspended"),
    Verdict.BAD_ISSUER_SIG: Text("签发签名无效", "the issuer's signature does not count"),
    Verdict.BAD_HOLDER_SIG: Text("持有人签名无效", "the holder's signature is wrong"),
    Verdict.STALE_OR_FUTURE: Text("出示时间过旧或在将来", "shown too long ago, or dated in the future"),
    Verdict.REPLAYED: Text("重复出示", "shown before"),
    Verdict.NO_HOLDER_BINDING: Text("没有持有人绑定", "not bound to its holder"),
    Verdict.UNKNOWN_KID: Text("签发密钥不在信任列表中", "the issuer's key is not in the trust list"),
    Verdict.UNSUPPORTED_ALG: Text("算法不受支持或与密钥不符", "the algorithm is not supported, or not the key's"),
    Verdict.MALFORMED: Text("不是有效格式的凭证", "this is not a well-formed credential"),
}


class Outcome(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - a word, no password
    FAIL = "fail"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class Check(NamedTuple):
    """One step of the verification; ``reason`` says why it ended so, without personal data."""

    name: str
    outcome: Outcome
    reason: Text


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict with everything that led to it.

    ``verdict`` says what was shown, `accepted` whether this site's policy takes it: a genuine minimal credential is
    VALID everywhere, and yet not enough where a full one is required.

    ``checks`` are always the same in the same order, one for each step. ``claims`` are there only when the issuer's
    signature counts, but then also when the credential has expired; ``key`` is the key that verified it.
    ``assurance`` is what was proven about the holder, ``presented_at`` the time that the holder signed, and
    ``status_as_of`` the time of the status list that was asked.
    """

    verdict: Verdict
    checks: tuple[Check, ...]
    claims: Claims | None = None
    key: TrustedKey | None = None
    assurance: Assurance = Assurance.BEARER
    presented_at: datetime | None = None
    status_as_of: datetime | None = None

    @property
    def valid(self) -> bool:
        """True for the verdict VALID and for no other."""
        return self.verdict is Verdict.VALID

    @property
    def accepted(self) -> bool:
        """True when the policy was asked and nothing speaks against opening the door."""
        return self.verdict in _GENUINE and any(
            check.name == Step.POLICY and check.outcome is Outcome.PASS for check in self.checks
        )

    def to_dict(self) -> dict[str, object]:
        """Everything as plain JSON values; the claims are personal data."""
        issuer = None
        if self.key is not None:
            entry = self.key.to_dict()
            issuer = {
                **self.key.issuer._asdict(),
                **{name: entry[name] for name in ("kid", "algorithm", "region", "demonstration")},
            }
        return {
            "verdict": str(self.verdict),
            "accepted": self.accepted,
            "assurance": self.assurance.name.lower(),
            "presented_at": _shown(self.presented_at),
            "status_as_of": _shown(self.status_as_of),
            "claims": self.claims.to_dict() if self.claims else None,
            "checks": [
                {"name": str(check.name), "outcome": str(check.outcome), "reason": check.reason._asdict()}
                for check in self.checks
            ],
            "issuer": issuer,
        }


_GENUINE = frozenset({Verdict.VALID, Verdict.VALID_STALE_STATUS})


def _shown(moment: datetime | None) -> str | None:
    return moment.astimezone(CHINA).isoformat() if moment else None
