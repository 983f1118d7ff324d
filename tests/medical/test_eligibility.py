"""The rule of eligibility over 1101 and 2001, and what is shown of a person."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from juying.services.medical.eligibility import area, entitled, insured, person_query, shown
from juying.services.medical.person import BasicInformation, Benefit, Insurance, Person
from juying.services.medical.site import Site
from juying.services.presentation import Presentation
from juying.services.verdict import Outcome
from tests.medical.gateway import card
from tests.medical.test_site import GOOD

DAY = date(2026, 12, 1)
SITE = Site.from_dict(GOOD, "medical.hospital")


def insurance(**changes: Any) -> Insurance:
    return Insurance(**{"insutype": "310", "psn_insu_stas": "1", "insuplc_admdvs": "331002", **changes})


def person(*insurances: Insurance) -> Person:
    return Person(baseinfo=BasicInformation(psn_no="1"), insuinfo=insurances)


@pytest.mark.parametrize(
    ("rows", "outcome", "code"),
    [
        ([insurance()], Outcome.PASS, "310"),
        ([insurance(insutype="390")], Outcome.PASS, "390"),
        ([insurance(insutype="390"), insurance()], Outcome.PASS, "310"),
        ([insurance(psn_insu_stas="")], Outcome.PASS, "310"),
        ([insurance(psn_insu_date=DAY)], Outcome.PASS, "310"),
        ([insurance(paus_insu_date=date(2026, 12, 2))], Outcome.PASS, "310"),
        ([insurance(psn_insu_stas="2"), insurance(insutype="390")], Outcome.PASS, "390"),
        ([insurance(psn_insu_stas="7"), insurance(insutype="390")], Outcome.PASS, "390"),
        ([], Outcome.FAIL, "none"),
        ([insurance(insutype="510")], Outcome.FAIL, "none"),
        ([insurance(psn_insu_stas="0")], Outcome.FAIL, "not_insured"),
        ([insurance(psn_insu_stas="2")], Outcome.FAIL, "paused"),
        ([insurance(psn_insu_stas="3")], Outcome.FAIL, "invalid"),
        ([insurance(psn_insu_stas="4")], Outcome.FAIL, "terminated"),
        ([insurance(psn_insu_date=date(2026, 12, 2))], Outcome.FAIL, "not_begun"),
        ([insurance(paus_insu_date=DAY)], Outcome.FAIL, "ended"),
        ([insurance(psn_insu_stas="", paus_insu_date=DAY)], Outcome.FAIL, "ended"),
        (
            [insurance(psn_insu_stas="2"), insurance(insutype="390", psn_insu_stas="7")],
            Outcome.UNKNOWN,
            "unknown_state",
        ),
    ],
)
def test_which_insurance_counts(rows: list[Insurance], outcome: Outcome, code: str) -> None:
    chosen, check = insured(SITE, person(*rows), DAY)
    assert (check.name, check.outcome, check.code) == ("insurance", outcome, code)
    assert (chosen is not None) is (outcome is Outcome.PASS)


def test_a_site_says_which_insurances_it_takes() -> None:
    site = Site.from_dict({**GOOD, "insurances": ["390"]})
    assert insured(site, person(insurance()), DAY)[1].code == "none"


@pytest.mark.parametrize(
    ("there", "outcome", "code"),
    [
        ("331082", Outcome.PASS, "local"),
        ("330106", Outcome.SKIPPED, "remote"),
        ("339900", Outcome.SKIPPED, "remote"),
        ("", Outcome.SKIPPED, "no_area"),
    ],
)
def test_somebody_insured_elsewhere_is_marked(there: str, outcome: Outcome, code: str) -> None:
    check = area(SITE, insurance(insuplc_admdvs=there))
    assert (check.outcome, check.code) == (outcome, code)


def benefit(**changes: Any) -> Benefit:
    return Benefit(**{"trt_enjymnt_flag": "1", "trt_chk_type": "01", "fund_pay_type": "310100", **changes})


@pytest.mark.parametrize(
    ("rows", "balance", "outcome", "code"),
    [
        ([benefit()], "0", Outcome.PASS, "pooled"),
        ([benefit(trt_chk_type="")], "0", Outcome.PASS, "pooled"),
        ([benefit(begndate=DAY, enddate=DAY)], "0", Outcome.PASS, "pooled"),
        ([benefit(trt_enjymnt_flag="0"), benefit(fund_pay_type="310200")], "0", Outcome.PASS, "account_only"),
        ([benefit(trt_enjymnt_flag="0")], "0.01", Outcome.PASS, "account_only"),
        ([benefit(trt_enjymnt_flag="0")], "0", Outcome.FAIL, "not_entitled"),
        ([benefit(enddate=date(2026, 11, 30))], "0", Outcome.FAIL, "not_entitled"),
        ([benefit(begndate=date(2026, 12, 2))], "0", Outcome.FAIL, "not_entitled"),
        ([benefit(trt_chk_type="99")], "0", Outcome.UNKNOWN, "no_rows"),
        ([], "100", Outcome.UNKNOWN, "no_rows"),
    ],
)
def test_which_benefits_count(rows: list[Benefit], balance: str, outcome: Outcome, code: str) -> None:
    check = entitled(tuple(rows), insurance(balc=Decimal(balance)), DAY)
    assert (check.name, check.outcome, check.code) == ("benefits", outcome, code)


def test_a_card_is_asked_for_by_its_own_number_and_its_identifier() -> None:
    query = person_query(card())
    assert query is not None
    assert query.write() == {
        "mdtrt_cert_type": "03",
        "mdtrt_cert_no": "A10000001",
        "card_sn": card().card_identifier,
    }


def test_an_e_voucher_is_asked_for_by_its_token_before_any_card() -> None:
    query = person_query(card(voucher_token="TOKEN"))
    assert query is not None
    assert query.write() == {"mdtrt_cert_type": "01", "mdtrt_cert_no": "TOKEN"}


@pytest.mark.parametrize(
    "presentation",
    [
        Presentation(carrier="qr", permit_number="ZJ20260001", social_security_number="UTO000000L898902C3"),
        card(card_identifier=""),
        card(card_number=""),
        card(card_number="9" * 51),
    ],
)
def test_without_a_number_that_the_platform_knows_nothing_is_said(presentation: Presentation) -> None:
    query, check = shown(SITE, presentation)
    assert query is None
    assert (check.outcome, check.code) == (Outcome.UNKNOWN, "no_number")


def test_a_site_may_want_more_certainty() -> None:
    site = Site.from_dict({**GOOD, "require": ["chip_read", "chip_authenticated"]})
    assert shown(site, card())[1].outcome is Outcome.PASS
    query, check = shown(site, card(chip_authenticated=False))
    assert query is None
    assert (check.outcome, check.code) == (Outcome.UNKNOWN, "chip_authenticated")
