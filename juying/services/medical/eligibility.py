"""May this person settle a medical bill here today? The rule over 1101 and 2001, apart from the network.

The work permit has no part in it: no field of the platform links the two. Insurance ends when the employer stops it.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

from juying.credential.claims import CHINA
from juying.errors import InputError
from juying.services.medical.channel import contains
from juying.services.medical.fields import Record
from juying.services.medical.outcome import Ending, Result
from juying.services.medical.person import (
    Benefit,
    BenefitQuery,
    Credential,
    Insurance,
    InsuranceState,
    Person,
    PersonQuery,
)
from juying.services.medical.site import Site
from juying.services.medical.transactions import BENEFITS, PERSON, Transaction
from juying.services.presentation import Presentation
from juying.services.verdict import Check, Outcome, Verdict
from juying.text import Text

ACCOUNT_FUND = "310200"
"""基金支付类型 of the personal account; all others are pooled."""
FUND_CHECK = "01"
"""待遇检查类型: of a fund."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question that has to be put before the examination goes on."""

    transaction: Transaction[Any, Any]
    question: Record
    insured_in: str = ""


Examination: TypeAlias = Generator[Ask, Result[Any], Verdict]
"""Gives questions, takes their results, and ends with the verdict."""


def person_query(presentation: Presentation) -> PersonQuery | None:
    """How the platform is asked about the one who shows this, None when it knows none of the numbers.

    A token of the medical e-voucher goes before the card, which is asked for by card number and 卡识别码.
    """
    if presentation.voucher_token:
        return PersonQuery(mdtrt_cert_type=Credential.VOUCHER, mdtrt_cert_no=presentation.voucher_token)
    if presentation.card_number and presentation.card_identifier:
        return PersonQuery(
            mdtrt_cert_type=Credential.SOCIAL_SECURITY_CARD,
            mdtrt_cert_no=presentation.card_number,
            card_sn=presentation.card_identifier,
        )
    return None


def shown(site: Site, presentation: Presentation) -> tuple[PersonQuery | None, Check]:
    """The question about what was shown; none when that is not enough to ask with, or not as certain as wanted."""
    query = person_query(presentation)
    try:
        usable = query is not None and bool(query.write())
    except InputError:
        usable = False
    if query is None or not usable:
        return None, Check(
            "credential",
            Outcome.UNKNOWN,
            "no_number",
            Text(
                "没有可供查询的号码：需要芯片中的卡号和卡识别码，或医保电子凭证",
                "there is no number to ask with: card number and identifier of the chip are needed, or an e-voucher",
            ),
        )
    missing = [name for name in site.require if not getattr(presentation, name)]
    if missing:
        return None, Check(
            "credential",
            Outcome.UNKNOWN,
            missing[0],
            Text(f"本机构要求 {missing[0]}，尚未证明", f"this site requires {missing[0]}, which was not proven"),
        )
    kind = "e_voucher" if presentation.voucher_token else "card"
    return query, Check("credential", Outcome.PASS, kind, Text("凭证可用于查询", "it can be asked about"))


def examine(site: Site, query: PersonQuery, credential: Check, *, now: datetime) -> Examination:
    """Examine somebody, with question and check of `shown`.

    Raises `PlatformUnavailable` into the one who drives it when a result is UNKNOWN: then nothing can be said.
    """
    checks, day = [credential], now.astimezone(CHINA).date()
    evidence: dict[str, object] = {}

    def verdict(check: Check) -> Verdict:
        return Verdict.of(site.name, [*checks, check], evidence=evidence, now=now)

    result = yield Ask(transaction=PERSON, question=query)
    if result.ending is Ending.FAIL:
        return verdict(_refused("person", site, result, evidence))
    person: Person = result.known()
    checks.append(Check("person", Outcome.PASS, "found", Text("医保平台有此人", "the platform knows the person")))
    if "person_number" in site.evidence:
        evidence["psn_no"] = person.baseinfo.psn_no

    insurance, check = insured(site, person, day)
    if insurance is None:
        return verdict(check)
    checks.append(check)
    evidence |= _evidence(site, insurance)

    remote = area(site, insurance)
    checks.append(remote)
    evidence["remote"] = remote.code == "remote"

    result = yield Ask(
        transaction=BENEFITS,
        question=BenefitQuery(
            psn_no=person.baseinfo.psn_no,
            insutype=insurance.insutype,
            fixmedins_code=site.fixmedins_code,
            med_type=site.med_type,
            begntime=now,
        ),
        insured_in=insurance.insuplc_admdvs,
    )
    if result.ending is Ending.FAIL:
        return verdict(_refused("benefits", site, result, evidence))
    rows = result.known().trtinfo
    if "explanation" in site.evidence:
        evidence["explanation"] = [row.trt_chk_rslt for row in rows if row.trt_chk_rslt]
    return verdict(entitled(rows, insurance, day))


def insured(site: Site, person: Person, day: date) -> tuple[Insurance | None, Check]:
    """The insurance that counts on ``day``: the first kind of the site's list that is in force."""
    listed = [row for kind in site.insurances for row in person.insuinfo if row.insutype == kind]
    states = [_state(row, day) for row in listed]
    for row, state in zip(listed, states, strict=True):
        if state == "in_force":
            return row, Check("insurance", Outcome.PASS, row.insutype, Text("参保正常", "insured"))
    if "unknown_state" in states:
        return None, Check("insurance", Outcome.UNKNOWN, "unknown_state", _INSURANCE["unknown_state"])
    code = states[0] if states else "none"
    return None, Check("insurance", Outcome.FAIL, code, _INSURANCE[code])


_INSURANCE = {
    "none": Text("没有本机构认可的参保", "there is no insurance that counts here"),
    "not_insured": Text("未参保", "not insured"),
    "paused": Text("暂停参保", "the insurance is paused"),
    "invalid": Text("参保无效", "the insurance is invalid"),
    "terminated": Text("终止参保", "the insurance was terminated"),
    "not_begun": Text("参保尚未开始", "the insurance has not begun"),
    "ended": Text("参保已中断", "the insurance has ended"),
    "unknown_state": Text("参保状态不明", "the state of the insurance is not known"),
}
_STATES = {
    InsuranceState.NOT_INSURED: "not_insured",
    InsuranceState.PAUSED: "paused",
    InsuranceState.INVALID: "invalid",
    InsuranceState.TERMINATED: "terminated",
}


def _state(row: Insurance, day: date) -> str:
    """In force, or why not. Early versions of the interface say nothing: then the dates decide."""
    if row.psn_insu_stas not in ("", *InsuranceState):
        return "unknown_state"
    if row.psn_insu_stas not in ("", InsuranceState.NORMAL):
        return _STATES[InsuranceState(row.psn_insu_stas)]
    if row.psn_insu_date and day < row.psn_insu_date:
        return "not_begun"
    if row.paus_insu_date and day >= row.paus_insu_date:
        return "ended"
    return "in_force"


def area(site: Site, insurance: Insurance) -> Check:
    """Whether somebody is insured in this city; elsewhere he has to be registered (备案), which 2001 then shows."""
    there, here = insurance.insuplc_admdvs[:4], site.mdtrtarea_admvs[:4]
    if not there:
        return Check("area", Outcome.SKIPPED, "no_area", Text("平台未给出参保地", "the platform names no area"))
    if there != here:
        return Check(
            "area", Outcome.SKIPPED, "remote", Text("异地参保，需有备案", "insured elsewhere, registration is needed")
        )
    return Check("area", Outcome.PASS, "local", Text("本地参保", "insured here"))


def entitled(rows: tuple[Benefit, ...], insurance: Insurance, day: date) -> Check:
    """Whether a fund pays on ``day``; the personal account alone is enough to settle, and said so."""
    funds = [row for row in rows if row.trt_chk_type in ("", FUND_CHECK)]
    if not funds:
        return Check(
            "benefits", Outcome.UNKNOWN, "no_rows", Text("平台没有给出待遇结果", "nothing is said of benefits")
        )
    paying = [row for row in funds if row.trt_enjymnt_flag == "1" and _covers(row, day)]
    if any(row.fund_pay_type != ACCOUNT_FUND for row in paying):
        return Check("benefits", Outcome.PASS, "pooled", Text("统筹基金可支付", "the pooled fund pays"))
    if paying or (insurance.balc or 0) > 0:
        return Check("benefits", Outcome.PASS, "account_only", Text("仅个人账户可支付", "only the account pays"))
    return Check("benefits", Outcome.FAIL, "not_entitled", Text("目前不享受待遇", "no fund pays at present"))


def _covers(row: Benefit, day: date) -> bool:
    return (row.begndate is None or row.begndate <= day) and (row.enddate is None or day <= row.enddate)


def _refused(name: str, site: Site, result: Result[Any], evidence: dict[str, object]) -> Check:
    """What a refusal means: there are no codes, so only words that a site knows are a no.

    The platform's words are shown only where the site asks for them: they may name the person.
    """
    if "explanation" in site.evidence and result.message:
        evidence["explanation"] = [result.message]
    if contains(result.message, site.not_insured):
        return Check(name, Outcome.FAIL, "not_insured", _INSURANCE["not_insured"])
    return Check(name, Outcome.UNKNOWN, result.code, result.reason)


def _evidence(site: Site, insurance: Insurance) -> dict[str, object]:
    evidence: dict[str, object] = {"insutype": insurance.insutype, "insuplc_admdvs": insurance.insuplc_admdvs}
    wanted = {
        "balance": ("balc", None if insurance.balc is None else str(insurance.balc)),
        "person_type": ("psn_type", insurance.psn_type),
        "employer": ("emp_name", insurance.emp_name),
    }
    return evidence | {name: value for asked, (name, value) in wanted.items() if asked in site.evidence}
