"""Is this credential genuine, and is it good now? One function, whatever carried it, and never a network."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from juying.codec import cose
from juying.credential.claims import Claims
from juying.credential.issue import MAX_BYTES, from_text
from juying.credential.trust import TrustedKey, TrustList
from juying.errors import DecodeError, InputError
from juying.text import Text

CLOCK_SKEW = timedelta(minutes=5)  # how far the issuer's clock may be ahead of ours (our choice)


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


@dataclass(frozen=True, slots=True)
class Check:
    """One step of the verification; ``reason`` says why it ended so, without personal data."""

    name: str
    outcome: Outcome
    reason: Text


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict with everything that led to it.

    ``checks`` always holds the same eight in the same order. ``claims`` are there only when the issuer's signature
    counts, but then also when the credential has expired; ``key`` is the key that verified it.
    """

    verdict: Verdict
    checks: tuple[Check, ...]
    claims: Claims | None = None
    key: TrustedKey | None = None

    @property
    def valid(self) -> bool:
        """True for the verdict VALID and for no other."""
        return self.verdict is Verdict.VALID

    def to_dict(self) -> dict[str, object]:
        """Verdict, claims, checks and issuer as plain JSON values; the claims are personal data."""
        issuer = None
        if self.key is not None:
            entry = self.key.to_dict()
            issuer = {
                **self.key.issuer._asdict(),
                **{name: entry[name] for name in ("kid", "algorithm", "region", "demonstration")},
            }
        return {
            "verdict": str(self.verdict),
            "claims": self.claims.to_dict() if self.claims else None,
            "checks": [
                {"name": check.name, "outcome": str(check.outcome), "reason": check.reason._asdict()}
                for check in self.checks
            ],
            "issuer": issuer,
        }


_FORMAT, _KEY, _ALGORITHM, _SIGNATURE, _PERIOD, _VALIDITY, _HOLDER, _STATUS = CHECKS = (
    "format",
    "key",
    "algorithm",
    "signature",
    "signing period",
    "validity",
    "holder binding",
    "status",
)

_PASSED = tuple(
    Check(name, Outcome.PASS, reason)
    for name, reason in (
        (_FORMAT, Text("格式规范", "well-formed")),
        (_KEY, Text("签发密钥在信任列表中", "the issuer's key is in the trust list")),
        (_ALGORITHM, Text("算法与密钥相符", "the algorithm is the key's")),
        (_SIGNATURE, Text("签名正确", "the signature is right")),
        (_PERIOD, Text("在密钥的签发期内签发", "issued within the signing period of the key")),
        (_VALIDITY, Text("在有效期内", "within its validity")),
    )
)
_NOT_REACHED = tuple(
    Check(name, Outcome.SKIPPED, Text("前面的检查未通过，未进行", "not made, because an earlier check failed"))
    for name in CHECKS
)
_BEARER = Check(
    _HOLDER,
    Outcome.SKIPPED,
    Text("凭证未绑定持有人密钥，请核对本人", "no holder key in the credential: compare the person"),
)
_STATIC = Check(
    _HOLDER,
    Outcome.SKIPPED,
    Text("静态出示，不能证明是本人手机，请核对本人", "shown as a static code, which can be a copy: compare the person"),
)
_NO_STATUS = Check(
    _STATUS, Outcome.SKIPPED, Text("凭证没有状态编号，不可吊销", "the credential names no status, it cannot be revoked")
)
_STATUS_UNKNOWN = Check(
    _STATUS, Outcome.UNKNOWN, Text("没有状态列表，是否已吊销未知", "no status list at hand: it may have been revoked")
)
# By (holder key in the credential, status in the credential).
_ALL_CHECKS = {
    (bound, revocable): (
        *_PASSED,
        _STATIC if bound else _BEARER,
        _STATUS_UNKNOWN if revocable else _NO_STATUS,
    )
    for bound in (False, True)
    for revocable in (False, True)
}


def verify(source: str | bytes, trust: TrustList, *, now: datetime) -> Verification:
    """Verify a credential: the text of a QR code, or the record from the chip.

    The checks run in a fixed order, and the first that fails decides: format (size, characters, base45, strict
    COSE and CBOR, contents), key, algorithm, signature, signing period, validity, holder binding, status. The
    algorithm is the one of the trusted key; the header only has to agree. A signature made outside the signing
    period of its key counts as no signature.

    No input makes it raise. ``now`` needs a time zone, else InputError.
    """
    if now.tzinfo is None:
        raise InputError("当前时间须带时区", "the present time needs a time zone")
    try:
        signed = cose.parse(from_text(source) if isinstance(source, str) else source, limit=MAX_BYTES)
        claims = Claims.decode(signed.payload)
    except DecodeError as error:
        return _failed(Verdict.MALFORMED, _FORMAT, error.text)

    keys = trust.keys(signed.kid)
    if not keys:
        return _failed(Verdict.UNKNOWN_KID, _KEY, Verdict.UNKNOWN_KID.text)
    supported = False
    for key in keys:
        if key.key.algorithm.covers(signed.algorithm):
            supported = True
            if key.key.verify(signed.signature, signed.to_be_signed):
                break
    else:
        if not supported:
            return _failed(Verdict.UNSUPPORTED_ALG, _ALGORITHM, Verdict.UNSUPPORTED_ALG.text)
        return _failed(Verdict.BAD_ISSUER_SIG, _SIGNATURE, _FORGED)
    if not key.signs_at(claims.issued_at):
        return _failed(Verdict.BAD_ISSUER_SIG, _PERIOD, _OUT_OF_PERIOD, key=key)

    if claims.issued_at > now + CLOCK_SKEW:
        return _failed(Verdict.STALE_OR_FUTURE, _VALIDITY, _FROM_THE_FUTURE, claims, key)
    if now < claims.not_before:
        return _failed(Verdict.NOT_YET, _VALIDITY, Verdict.NOT_YET.text, claims, key)
    if now >= claims.expires_at:
        return _failed(Verdict.EXPIRED, _VALIDITY, Verdict.EXPIRED.text, claims, key)

    bound, revocable = claims.holder_key is not None, claims.status is not None
    verdict = Verdict.VALID_STALE_STATUS if revocable else Verdict.VALID
    return Verification(verdict, _ALL_CHECKS[bound, revocable], claims, key)


_FORGED = Text("签名不对：内容被改动，或不是该密钥所签", "the signature is wrong: altered, or not made by this key")
_OUT_OF_PERIOD = Text("签发时间不在密钥的签发期内", "issued outside the signing period of the key")
_FROM_THE_FUTURE = Text("签发时间在将来，请核对时钟", "issued in the future: compare the clocks")


def _failed(
    verdict: Verdict, name: str, reason: Text, claims: Claims | None = None, key: TrustedKey | None = None
) -> Verification:
    at = CHECKS.index(name)
    checks = (*_PASSED[:at], Check(name, Outcome.FAIL, reason), *_NOT_REACHED[at + 1 :])
    return Verification(verdict, checks, claims, key)
