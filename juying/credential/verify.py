"""Is this credential genuine, is it its holder's, and is it good now? One function, and never a network.

What has no verdict of its own goes to the one that says it best: a presentation made for another terminal, or in
answer to another challenge, is a holder's signature that does not count here (BAD_HOLDER_SIG); too little assurance
for the policy is NO_HOLDER_BINDING; a key that may not sign this is as good as none (BAD_ISSUER_SIG); a reference that
leads to no credential leads to no key either (UNKNOWN_KID). A tier or a class of permit that the site does not take
leaves the credential VALID, but not `Verification.accepted`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from juying.codec import cose
from juying.credential.claims import Claims
from juying.credential.issue import MAX_BYTES, from_text, unverified_claims
from juying.credential.policy import DEFAULT, Assurance, Policy, StaleStatus
from juying.credential.trust import TrustList
from juying.credential.trusted_key import KeyUse, TrustedKey
from juying.credential.verdict import CHECKS, Check, Outcome, Step, Verdict, Verification
from juying.errors import DecodeError, InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.presentation import Presentation, References
    from juying.credential.replay import ReplayCache
    from juying.credential.status import StatusLists

__all__ = ["CHECKS", "Check", "Outcome", "Step", "Verdict", "Verification", "verify"]

_COSE_TAG = b"\xd2"  # of a credential as it was issued; a presentation is an array


def verify(
    source: str | bytes,
    trust: TrustList,
    *,
    now: datetime,
    policy: Policy = DEFAULT,
    status: "StatusLists | None" = None,
    replay: "ReplayCache | None" = None,
    audience: str | None = None,
    nonce: bytes | None = None,
    references: "References | None" = None,
) -> Verification:
    """Verify what was shown: the text of a QR code, or the same as bytes, such as the record from the chip.

    It may be a credential as it was issued, a presentation of one, or a presentation by reference to one among
    ``references``. ``status`` are the status lists at hand, ``replay`` remembers presentations, ``audience`` is the
    name of this terminal and ``nonce`` what it asked the holder to sign.

    The checks of `CHECKS` run in their order, and the first that fails decides. The algorithm is the one of the
    trusted key; the header only has to agree. A signature made outside the signing period of its key counts as no
    signature. Last of all, and only when everything else passed, the presentation is taken down as shown.

    No input makes it raise. InputError when ``now`` has no time zone or the replay cache cannot be used.
    """
    if now.tzinfo is None:
        raise InputError("当前时间须带时区", "the present time needs a time zone")
    return _Course(trust, now, policy, status, replay, audience, nonce, references).run(source)


class _Refused(Exception):
    """The check that is being made has failed."""

    def __init__(self, verdict: Verdict, reason: Text | None = None) -> None:
        self.verdict = verdict
        self.reason = reason or verdict.text


@dataclass(slots=True, eq=False, repr=False)
class _Course:
    """One verification on its way: what the terminal brings, and what has been found so far."""

    trust: TrustList
    now: datetime
    policy: Policy
    status: "StatusLists | None"
    replay: "ReplayCache | None"
    audience: str | None
    nonce: bytes | None
    references: "References | None"
    credential: bytes | None = None
    presentation: "Presentation | None" = None
    signed: cose.Sign1 = field(init=False)
    claims: Claims = field(init=False)
    keys: tuple[TrustedKey, ...] = ()
    key: TrustedKey | None = None
    genuine: bool = False
    verdict: Verdict = Verdict.VALID
    assurance: Assurance = Assurance.BEARER
    status_as_of: datetime | None = None

    def run(self, source: str | bytes) -> Verification:
        """Make the checks up to the first that fails."""
        checks = []
        try:
            checks.append(self._format(source))
            for step in _STEPS:
                checks.append(step(self))
        except _Refused as refused:
            self.verdict = refused.verdict
            checks.append(Check(CHECKS[len(checks)], Outcome.FAIL, refused.reason))
            checks += _NOT_REACHED[len(checks) :]
        return Verification(
            self.verdict,
            tuple(checks),
            self.claims if self.genuine else None,
            self.key,
            self.assurance,
            self.presentation.presented_at if self.presentation and self.assurance > Assurance.BEARER else None,
            self.status_as_of,
        )

    def _format(self, source: str | bytes) -> Check:
        """Size, characters, base45, strict CBOR and COSE, contents."""
        try:
            shown = from_text(source) if isinstance(source, str) else source
            if shown.startswith(_COSE_TAG):
                self.credential = shown
            else:
                self.presentation = _presentations().parse(shown)
                self.credential = self._credential_of(self.presentation)
            if self.credential is not None:
                self.signed = cose.parse(self.credential, limit=MAX_BYTES)
                self.claims = Claims.decode(self.signed.payload)
        except DecodeError as error:
            raise _Refused(Verdict.MALFORMED, error.text) from None
        return _WELL_FORMED

    def _credential_of(self, presentation: "Presentation") -> bytes | None:
        """The credential that is presented; None when its reference leads nowhere."""
        if not presentation.by_reference:
            return presentation.carried
        if self.references is None:
            return None
        from juying.credential.presentation import MAX_SAME_REFERENCE

        found = self.references.find(presentation.carried)[:MAX_SAME_REFERENCE]
        if len(found) > 1:  # the digest under the holder's signature tells which one is meant
            found = [one for one in found if _is_signed_by_its_holder(presentation, one)] or found
        return found[0] if found else None

    def _known_key(self) -> Check:
        if self.credential is None:
            raise _Refused(Verdict.UNKNOWN_KID, _UNKNOWN_REFERENCE)
        self.keys = tuple([key for key in self.trust.keys(self.signed.kid) if KeyUse.CREDENTIAL in key.use])
        if not self.keys:
            raise _Refused(Verdict.UNKNOWN_KID)
        return _KNOWN_KEY

    def _algorithm(self) -> Check:
        self.keys = tuple([key for key in self.keys if key.key.algorithm.covers(self.signed.algorithm)])
        if not self.keys:
            raise _Refused(Verdict.UNSUPPORTED_ALG)
        return _RIGHT_ALGORITHM

    def _signature(self) -> Check:
        for key in self.keys:
            if key.key.verify(self.signed.signature, self.signed.to_be_signed):
                self.key = key
                return _SIGNED
        raise _Refused(Verdict.BAD_ISSUER_SIG, _FORGED)

    def _signing_period(self) -> Check:
        if self.key is None or not self.key.signs_at(self.claims.issued_at):
            raise _Refused(Verdict.BAD_ISSUER_SIG, _OUT_OF_PERIOD)
        if not self.key.verifies_at(self.now):
            raise _Refused(Verdict.BAD_ISSUER_SIG, _NO_LONGER)
        return _IN_PERIOD

    def _entitlement(self) -> Check:
        if self.key is None or self.claims.category not in self.key.categories:
            raise _Refused(Verdict.BAD_ISSUER_SIG, _OTHER_CATEGORY)
        if not self.key.covers(self.claims.region):
            raise _Refused(Verdict.BAD_ISSUER_SIG, _OTHER_REGION)
        self.genuine = True
        return _ENTITLED

    def _validity(self) -> Check:
        if self.claims.issued_at > self.now + self.policy.clock_skew:
            raise _Refused(Verdict.STALE_OR_FUTURE, _FROM_THE_FUTURE)
        if self.now < self.claims.not_before:
            raise _Refused(Verdict.NOT_YET)
        if self.now >= self.claims.expires_at:
            raise _Refused(Verdict.EXPIRED)
        return _IN_FORCE

    def _holder_binding(self) -> Check:
        if self.presentation is None or self.credential is None:
            unproven = _BEARER if self.claims.holder_key is None else _STATIC
            if self.policy.assurance > Assurance.BEARER:
                raise _Refused(Verdict.NO_HOLDER_BINDING, unproven.reason)
            return unproven
        if self.claims.holder_key is None:
            raise _Refused(Verdict.NO_HOLDER_BINDING, _BEARER.reason)
        if not self.presentation.signed_by(self.claims.holder_key, self.credential):
            raise _Refused(Verdict.BAD_HOLDER_SIG)
        if self.presentation.audience not in (None, self.audience):
            raise _Refused(Verdict.BAD_HOLDER_SIG, _OTHER_AUDIENCE)
        if self.presentation.nonce not in (None, self.nonce):
            raise _Refused(Verdict.BAD_HOLDER_SIG, _OTHER_NONCE)
        # Without the terminal's name a nonce could have been fetched and shown to the holder by another terminal.
        answered = self.presentation.nonce is not None and self.presentation.audience == self.audience
        self.assurance = Assurance.CHALLENGED if answered else Assurance.HOLDER
        if self.assurance < self.policy.assurance:
            raise _Refused(Verdict.NO_HOLDER_BINDING, _NOT_CHALLENGED)
        return _CHALLENGED if answered else _BOUND

    def _freshness(self) -> Check:
        if self.presentation is None:
            return _NO_TIME
        if abs(self.now - self.presentation.presented_at) > self.policy.tolerance:
            raise _Refused(Verdict.STALE_OR_FUTURE)
        return _FRESH

    def _status(self) -> Check:
        if self.claims.status is None:
            return _NO_STATUS
        answer = None
        if self.status is not None:
            answer = self.status.lookup(self.claims.status, now=self.now, issuer=self.key)
        if answer is None:
            self.verdict = Verdict.VALID_STALE_STATUS
            return _STATUS_UNKNOWN
        self.status_as_of = answer.as_of
        if answer.status:  # VALID is 0
            from juying.credential.status_list import Status

            # What a list said once counts against a credential however old the list is.
            raise _Refused(Verdict.SUSPENDED if answer.status is Status.SUSPENDED else Verdict.REVOKED)
        age = self.now - answer.as_of
        if answer.expired or not -self.policy.clock_skew <= age <= self.policy.max_status_age:
            self.verdict = Verdict.VALID_STALE_STATUS
            return _STATUS_STALE
        return _NOT_REVOKED

    def _policy(self) -> Check:
        if self.verdict is Verdict.VALID_STALE_STATUS and self.policy.stale_status is StaleStatus.REFUSE:
            raise _Refused(self.verdict, _STALE_REFUSED)
        if self.claims.category not in self.policy.categories:
            raise _Refused(self.verdict, _CATEGORY_REFUSED)
        if self.claims.tier not in self.policy.tiers:
            raise _Refused(self.verdict, _TIER_REFUSED)
        return _ACCEPTED

    def _replay(self) -> Check:
        if self.presentation is None:
            return _NO_TIME_TO_REMEMBER
        if self.replay is None:
            return _NOT_REMEMBERED
        if self.replay.seen(
            self.claims.permit_number, self.presentation.presented_at, now=self.now, hold=self.policy.hold
        ):
            raise _Refused(Verdict.REPLAYED)
        return _FIRST_TIME


@cache
def _presentations() -> "type[Presentation]":
    """Loaded with the first of them: what is printed on paper is none."""
    from juying.credential.presentation import Presentation

    return Presentation


def _is_signed_by_its_holder(presentation: "Presentation", credential: bytes) -> bool:
    """For a look at a credential that is not verified yet."""
    try:
        holder_key = unverified_claims(credential).holder_key
    except DecodeError:
        return False
    return holder_key is not None and presentation.signed_by(holder_key, credential)


_STEPS = (
    _Course._known_key,
    _Course._algorithm,
    _Course._signature,
    _Course._signing_period,
    _Course._entitlement,
    _Course._validity,
    _Course._holder_binding,
    _Course._freshness,
    _Course._status,
    _Course._policy,
    _Course._replay,
)
_NOT_REACHED = tuple(
    Check(step, Outcome.SKIPPED, Text("前面的检查未通过，未进行", "not made, because an earlier check failed"))
    for step in Step
)


def _passed(step: Step, zh: str, en: str) -> Check:
    return Check(step, Outcome.PASS, Text(zh, en))


def _skipped(step: Step, zh: str, en: str) -> Check:
    return Check(step, Outcome.SKIPPED, Text(zh, en))


_WELL_FORMED = _passed(Step.FORMAT, "格式规范", "well-formed")
_KNOWN_KEY = _passed(Step.KEY, "签发密钥在信任列表中", "the issuer's key is in the trust list")
_UNKNOWN_REFERENCE = Text("本处没有登记所引用的凭证", "the credential referred to is not enrolled here")
_RIGHT_ALGORITHM = _passed(Step.ALGORITHM, "算法与密钥相符", "the algorithm is the key's")
_SIGNED = _passed(Step.SIGNATURE, "签名正确", "the signature is right")
_FORGED = Text("签名不对：内容被改动，或不是该密钥所签", "the signature is wrong: altered, or not made by this key")
_IN_PERIOD = _passed(Step.SIGNING_PERIOD, "在密钥的签发期内签发", "issued within the signing period of the key")
_OUT_OF_PERIOD = Text("签发时间不在密钥的签发期内", "issued outside the signing period of the key")
_NO_LONGER = Text("该密钥的签名已不再有效", "signatures of this key no longer count")
_ENTITLED = _passed(
    Step.ENTITLEMENT, "签发机关可签发该类别和地区的许可", "of a class and a region that the issuer may sign for"
)
_OTHER_CATEGORY = Text("该密钥不得签发这一类工作许可", "the key may not sign this class of permit")
_OTHER_REGION = Text("该密钥不得为这一地区签发", "the key may not sign for this region")
_IN_FORCE = _passed(Step.VALIDITY, "在有效期内", "within its validity")
_FROM_THE_FUTURE = Text("签发时间在将来，请核对时钟", "issued in the future: compare the clocks")

_BEARER = _skipped(
    Step.HOLDER_BINDING, "凭证未绑定持有人密钥，请核对本人", "no holder key in the credential: compare the person"
)
_STATIC = _skipped(
    Step.HOLDER_BINDING,
    "静态出示，不能证明是本人手机，请核对本人",
    "shown as a static code, which can be a copy: compare the person",
)
_BOUND = _passed(Step.HOLDER_BINDING, "持有人密钥签名正确", "the holder's key signed it")
_CHALLENGED = _passed(Step.HOLDER_BINDING, "持有人密钥已应答本终端", "the holder's key answered this terminal")
_OTHER_AUDIENCE = Text("是向其他地点或终端出示的", "made for another place or terminal")
_OTHER_NONCE = Text("不是对本终端随机数的应答", "answers another challenge than this terminal's")
_NOT_CHALLENGED = Text("须应答本终端的随机数", "an answer to this terminal's challenge is needed")

_NO_TIME = _skipped(Step.FRESHNESS, "静态出示，没有出示时间", "shown as a static code, which tells no time")
_FRESH = _passed(Step.FRESHNESS, "刚刚出示", "shown just now")

_NO_STATUS = _skipped(Step.STATUS, "凭证没有状态编号，不可吊销", "the credential names no status, it cannot be revoked")
_STATUS_UNKNOWN = Check(
    Step.STATUS,
    Outcome.UNKNOWN,
    Text("没有状态列表，是否已吊销未知", "no status list at hand: it may have been revoked"),
)
_STATUS_STALE = Check(
    Step.STATUS,
    Outcome.UNKNOWN,
    Text("状态列表已过时，此后是否吊销未知", "the status list is out of date: it may have been revoked since"),
)
_NOT_REVOKED = _passed(Step.STATUS, "未吊销、未暂停", "neither revoked nor suspended")

_ACCEPTED = _passed(Step.POLICY, "符合本处规定", "what this site accepts")
_STALE_REFUSED = Text("本处不接受吊销状态不明的凭证", "this site takes no credential of unknown status")
_CATEGORY_REFUSED = Text("本处不接受这一类工作许可", "this site does not take this class of permit")
_TIER_REFUSED = Text("本处不接受这一级凭证", "this site does not take this tier of credential")

_NO_TIME_TO_REMEMBER = _skipped(Step.REPLAY, "静态出示，可重复", "a static code can be shown again")
_NOT_REMEMBERED = _skipped(
    Step.REPLAY,
    "没有防重放缓存，短时间内的复制件无法识别",
    "no replay cache at hand: a quick copy would not be noticed",
)
_FIRST_TIME = _passed(Step.REPLAY, "首次出示", "shown for the first time")
