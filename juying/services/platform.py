"""Codes that only a server understands, behind the same verdict as those that prove themselves.

The QR codes of the electronic social security card (电子社保卡) and of the medical e-voucher (医保电子凭证) are
opaque, live about a minute, and are resolved by a platform, once. What the platform says becomes a `Verification` with
the same verdicts and checks as an offline credential; what it says about the person stands beside it.

The request to the voucher's resolver is the one that public clients send (ec.query); the meaning of its error codes
is not public, so a site configures which of them mean what. A code without configured meaning, a time-out and an answer
that cannot be understood are `PlatformUnavailable`: never a "no" because a server was slow. How the electronic social
security card is asked is no public matter at all: a site brings an `EsscGateway`.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from juying.credential.policy import DEFAULT, Assurance, Policy
from juying.credential.trust import TrustList
from juying.credential.verdict import CHECKS, Check, Outcome, Step, Verdict, Verification
from juying.credential.verify import verify
from juying.errors import InputError, PlatformUnavailable
from juying.text import Text

if TYPE_CHECKING:
    import httpx

MAX_TOKEN = 512
"""Characters of the longest code that is sent to a platform (our choice)."""
MAX_ANSWER = 64 << 10
"""Bytes of the longest answer (our choice)."""


@dataclass(frozen=True, slots=True)
class Person:
    """What a platform said about the one who showed the code; empty where it said nothing."""

    name: str = field(default="", repr=False)
    document_number: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    """What takes the place of the code in further questions to the same platform (ecToken)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform said of one code."""

    verdict: Verdict
    person: Person = Person()


@dataclass(frozen=True, slots=True)
class Shown:
    """A code of any kind, verified: ``person`` is there when a platform resolved it."""

    verification: Verification
    person: Person | None = None


class Platform(Protocol):
    """A server that resolves codes of one kind."""

    @property
    def name(self) -> Text:
        """The platform, for people."""

    def recognises(self, code: str) -> bool:
        """Whether the code looks like one of this platform."""

    def resolve(self, code: str) -> Answer:
        """Ask the server, once. Raises `PlatformUnavailable` when nothing can be said."""


def verify_any(
    code: str,
    trust: TrustList,
    platforms: Sequence[Platform] = (),
    *,
    now: datetime,
    policy: Policy = DEFAULT,
    **options: Any,
) -> Shown:
    """Verify a code of whatever kind: our own offline, one of a platform by its server.

    ``options`` are those of `juying.credential.verify.verify`. Raises `PlatformUnavailable` when the platform cannot
    be asked: nothing is known of the code then.
    """
    if not code.startswith("JY") and len(code) <= MAX_TOKEN:
        for platform in platforms:
            if platform.recognises(code):
                answer = platform.resolve(code)
                return Shown(_verification(platform, answer.verdict, policy), answer.person)
    return Shown(verify(code, trust, now=now, policy=policy, **options))


# The check that fails for each verdict that a platform can give.
_FAILS = {
    Verdict.MALFORMED: Step.FORMAT,
    Verdict.EXPIRED: Step.VALIDITY,
    Verdict.NOT_YET: Step.VALIDITY,
    Verdict.NO_HOLDER_BINDING: Step.HOLDER_BINDING,
    Verdict.STALE_OR_FUTURE: Step.FRESHNESS,
    Verdict.REVOKED: Step.STATUS,
    Verdict.SUSPENDED: Step.STATUS,
    Verdict.REPLAYED: Step.REPLAY,
}
RESOLVED = frozenset({Verdict.VALID, *_FAILS})
"""The verdicts that a platform can give; the others are about signatures."""


def _verification(platform: Platform, verdict: Verdict, policy: Policy) -> Verification:
    """The platform's word in the form of an offline verification.

    The holder opened the app of the platform a moment ago, which is as good as a holder's signature; no terminal's
    challenge is answered.
    """
    said = Text(f"由{platform.name.zh}核验", f"as the {platform.name.en} says")
    if verdict is Verdict.VALID and policy.assurance > Assurance.HOLDER:
        verdict = Verdict.NO_HOLDER_BINDING
    failing = _FAILS.get(verdict)
    checks = []
    for step in CHECKS:
        if failing is not None and step is failing:
            checks.append(Check(step, Outcome.FAIL, verdict.text))
            break
        offline = step in (Step.KEY, Step.ALGORITHM, Step.SIGNATURE, Step.SIGNING_PERIOD, Step.ENTITLEMENT)
        checks.append(Check(step, Outcome.SKIPPED if offline else Outcome.PASS, said))
    not_made = Text("前面的检查未通过，未进行", "not made, because an earlier check failed")
    checks += [Check(step, Outcome.SKIPPED, not_made) for step in CHECKS[len(checks) :]]
    assurance = Assurance.HOLDER if verdict is Verdict.VALID else Assurance.BEARER
    return Verification(verdict, tuple(checks), assurance=assurance)


_ESSC = Text("电子社保卡平台", "electronic social security card platform")
_VOUCHER = Text("医保电子凭证平台", "medical e-voucher platform")


class EsscGateway(Protocol):
    """A site's way to the platform of the electronic social security card."""

    def check(self, code: str, business: str) -> Answer:
        """Ask about ``code``. Raises `PlatformUnavailable` when nothing can be said."""


@dataclass(frozen=True, slots=True)
class EsscPlatform:
    """The electronic social security card.

    ``business`` is what the terminal wants the code for: 01 query, 02 payment, 03 other, 04 remote medical (observed
    in one terminal interface). ``pattern`` is what its codes look like at this site.
    """

    gateway: EsscGateway
    business: str = "01"
    pattern: str = r"[0-9A-Za-z]{16,128}"
    name: Text = _ESSC

    def recognises(self, code: str) -> bool:
        """Whether the code fits the pattern."""
        return re.fullmatch(self.pattern, code) is not None

    def resolve(self, code: str) -> Answer:
        """Ask the gateway."""
        return self.gateway.check(code, self.business)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherPlatform:
    """The medical e-voucher, resolved by the service for local decoding (ec.query).

    ``organisation`` is the 定点医药机构编号 (at most 40 characters), ``business`` one of the five-digit codes (01301
    settlement, 01101 registration, …), ``errors`` says which answer codes mean which verdict; code 0 is valid.
    ``timeout`` bounds the whole question, in seconds. Raises `InputError` for what cannot be asked.
    """

    url: str
    organisation: str
    operator: str
    operator_name: str
    office: str = ""
    office_name: str = ""
    business: str = "01301"
    errors: Mapping[str, Verdict] = field(default_factory=dict)
    pattern: str = r"[0-9]{16,64}"
    timeout: float = 3.0
    transport: "httpx.BaseTransport | None" = field(default=None, repr=False)
    name: Text = _VOUCHER

    def __post_init__(self) -> None:
        """Check the settings."""
        if not re.fullmatch("[0-9]{5}", self.business):
            raise InputError("业务类型应为 5 位数字", "the business type has five digits", where="business")
        if not set(self.errors.values()) <= RESOLVED - {Verdict.VALID}:
            raise InputError(
                "错误码对应的结论无效", "an error code has a verdict that no platform gives", where="errors"
            )

    def recognises(self, code: str) -> bool:
        """Whether the code fits the pattern."""
        return re.fullmatch(self.pattern, code) is not None

    def resolve(self, code: str) -> Answer:
        """Ask the service, once: the code is used up by it."""
        answer = self._ask(
            {
                "data": {
                    "orgId": self.organisation,
                    "businessType": self.business,
                    "operatorId": self.operator,
                    "operatorName": self.operator_name,
                    "officeId": self.office,
                    "officeName": self.office_name,
                    "ecQrCode": code,
                },
                "orgId": self.organisation,
                "transType": "ec.query",
            }
        )
        said = str(answer.get("code", ""))
        if said != "0":
            if said not in self.errors:
                self._unavailable(f"未知的应答码 {said[:16]}", f"unknown answer code {said[:16]}")
            return Answer(self.errors[said])
        data = answer.get("data")
        if not isinstance(data, dict) or not data.get("ecToken"):
            self._unavailable("应答缺少 ecToken", "the answer has no ecToken")
        return Answer(
            Verdict.VALID,
            Person(
                name=str(data.get("userName", "")),
                document_number=str(data.get("idNo", "")),
                token=str(data["ecToken"]),
            ),
        )

    def _ask(self, question: object) -> Mapping[str, Any]:
        try:
            import httpx
        except ImportError:
            raise InputError(
                "联网核验需要 httpx，请安装：pip install 'juying[services]'",
                "asking a platform needs httpx; install it: pip install 'juying[services]'",
            ) from None
        deadline = time.monotonic() + self.timeout
        try:
            with (
                httpx.Client(timeout=self.timeout, transport=self.transport, trust_env=False) as client,
                client.stream("POST", self.url, json=question) as response,
            ):
                response.raise_for_status()
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER or time.monotonic() > deadline:
                        self._unavailable("应答过长或过慢", "the answer is too long or too slow")
            answer = json.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
            # The library's own words are left out: they may hold the question.
            kind = type(error).__name__
            self._unavailable(f"无法连接或应答无效（{kind}）", f"no valid answer ({kind})")
        if not isinstance(answer, dict):
            self._unavailable("应答不是 JSON 对象", "the answer is no JSON object")
        return answer

    def _unavailable(self, zh: str, en: str) -> NoReturn:
        raise PlatformUnavailable(
            f"{self.name.zh}：{zh}；结论未知，请稍后重试或用其他方式核验",
            f"{self.name.en}: {en}; nothing is known, try again or verify in another way",
        ) from None
