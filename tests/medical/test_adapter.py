"""The adapter: a verdict for everybody, in time, and never a no because a gateway was away."""

import asyncio
import socket
from datetime import timedelta
from typing import Any

import pytest

from juying.errors import InputError
from juying.services.medical.adapter import MedicalAdapter, medical_adapter
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.verdict import Decision, Verdict
from tests.medical.gateway import NOW, Gateway, card
from tests.peers.nhsa import AREA

PEOPLE = {
    "A10000001": (Decision.ELIGIBLE, "pooled"),
    "A10000002": (Decision.INELIGIBLE, "paused"),
    "A10000003": (Decision.INELIGIBLE, "none"),
    "A10000004": (Decision.ELIGIBLE, "pooled"),
    "A10000005": (Decision.ELIGIBLE, "account_only"),
    "A10000006": (Decision.ELIGIBLE, "pooled"),
    "A10000007": (Decision.INELIGIBLE, "terminated"),
    "A10000008": (Decision.INELIGIBLE, "not_entitled"),
    "A10000009": (Decision.INELIGIBLE, "not_begun"),
    "A19999999": (Decision.INELIGIBLE, "not_insured"),
}


def code(verdict: Verdict) -> str:
    assert verdict.deciding is not None
    return verdict.deciding.code


@pytest.mark.parametrize("number", PEOPLE)
def test_who_may_settle(gateway: Gateway, number: str) -> None:
    adapter = MedicalAdapter(gateway.site())
    for verdict in (adapter.check(card(number), now=NOW), asyncio.run(adapter.acheck(card(number), now=NOW))):
        assert (verdict.decision, code(verdict)) == PEOPLE[number]
        assert all(check.reason.zh and check.reason.en for check in verdict.checks)


def test_the_checks_in_their_order(gateway: Gateway) -> None:
    verdict = MedicalAdapter(gateway.site()).check(card(), now=NOW)
    assert [(check.name, check.code) for check in verdict.checks] == [
        ("credential", "card"),
        ("person", "found"),
        ("insurance", "310"),
        ("area", "local"),
        ("benefits", "pooled"),
    ]
    assert gateway.messages == ["1101", "2001"]


def test_an_e_voucher_is_as_good_as_a_card(gateway: Gateway) -> None:
    shown = Presentation(carrier="qr", voucher_token="TOKEN-ANNA")
    assert MedicalAdapter(gateway.site()).check(shown, now=NOW).eligible


def test_a_wrong_card_identifier_is_refused_and_that_is_no_answer_about_insurance(gateway: Gateway) -> None:
    verdict = MedicalAdapter(gateway.site()).check(card(card_identifier="0" * 32), now=NOW)
    assert (verdict.decision, code(verdict)) == (Decision.UNDETERMINED, "refused")
    assert "卡识别码" not in str(verdict.to_dict())  # the platform's own words are shown to those who ask for them


def test_what_cannot_be_asked_about_is_not_asked(gateway: Gateway) -> None:
    adapter, permit_only = MedicalAdapter(gateway.site()), Presentation(carrier="qr", permit_number="ZJ20260001")
    for verdict in (adapter.check(permit_only, now=NOW), asyncio.run(adapter.acheck(permit_only, now=NOW))):
        assert (verdict.decision, code(verdict)) == (Decision.UNDETERMINED, "no_number")
    assert gateway.messages == []


def test_evidence_is_little_unless_more_is_asked_for(gateway: Gateway) -> None:
    little = MedicalAdapter(gateway.site()).check(card("A10000004"), now=NOW).evidence
    assert little == {"insutype": "310", "insuplc_admdvs": "330106", "remote": True}
    wanted = ["balance", "person_type", "employer", "person_number", "explanation"]
    much = MedicalAdapter(gateway.site(evidence=wanted)).check(card("A10000005"), now=NOW).evidence
    assert much == {
        "psn_no": "33100000000000000000100005",
        "insutype": "310",
        "insuplc_admdvs": AREA,
        "balc": "1234.50",
        "psn_type": "1101",
        "emp_name": "椒江样本医药研究院",
        "remote": False,
        "explanation": ["待遇等待期内", "待遇等待期内"],
    }
    refused = MedicalAdapter(gateway.site(evidence=wanted)).check(card("A19999999"), now=NOW).evidence
    assert refused == {"explanation": ["人员信息不存在"]}


def test_a_refusal_of_2001_is_no_answer_either(gateway: Gateway) -> None:
    gateway.plays("refuses", "2001")
    verdict = MedicalAdapter(gateway.site()).check(card(), now=NOW)
    assert (verdict.decision, code(verdict)) == (Decision.UNDETERMINED, "refused")


def test_a_question_is_put_again_after_a_failure(gateway: Gateway) -> None:
    gateway.plays("hangs-up", "1101", 1)
    gateway.plays("half-answer", "2001", 1)
    policy = {"attempts": 3, "backoff": 0}
    assert MedicalAdapter(gateway.site(resilience=policy)).check(card(), now=NOW).eligible
    assert gateway.messages == ["1101", "1101", "2001", "1101", "2001"]


def test_a_gateway_that_is_away_is_no_answer_but_the_last_one_is_remembered(gateway: Gateway) -> None:
    gateway.plays("http-502", "1101")
    adapter = MedicalAdapter(gateway.site(resilience={"attempts": 1, "cache_for": 3600}))
    assert (adapter.check(card(), now=NOW)).decision is Decision.UNDETERMINED
    gateway.peer.ask({"reset": True})
    assert adapter.check(card(), now=NOW).eligible
    gateway.plays("http-502", "1101")
    later = adapter.check(card(), now=NOW + timedelta(minutes=10))
    assert later.eligible
    assert later.age == timedelta(minutes=10)
    assert later.evidence == {}
    assert adapter.check(card("A10000004"), now=NOW).decision is Decision.UNDETERMINED  # somebody else
    assert adapter.check(card(), now=NOW + timedelta(hours=2)).decision is Decision.UNDETERMINED


def test_nobody_is_waited_for_longer_than_the_deadline(gateway: Gateway) -> None:
    gateway.plays("drips-headers")
    adapter = MedicalAdapter(gateway.site(resilience={"timeout": 60, "total": 60}))
    deadline = Deadline.after(0.3)
    assert adapter.check(card(), now=NOW, deadline=deadline).decision is Decision.UNDETERMINED
    assert deadline.expired
    deadline = Deadline.after(0.3)
    assert asyncio.run(adapter.acheck(card(), now=NOW, deadline=deadline)).decision is Decision.UNDETERMINED
    assert deadline.expired


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    site = Gateway(type("Peer", (), {"port": port})()).site()
    assert MedicalAdapter(site).check(card(), now=NOW).decision is Decision.UNDETERMINED


def test_an_adapter_for_each_table(gateway: Gateway) -> None:
    north, south = medical_adapter({"north": gateway.table(), "south": gateway.table()})
    assert (north.name, south.name) == ("medical.north", "medical.south")
    assert "台州市样本医院" in north.title.zh
    assert north.check(card(), now=NOW).service == "medical.north"
    with pytest.raises(InputError):
        medical_adapter({})


def test_hundreds_of_questions_at_once(gateway: Gateway) -> None:
    adapter = MedicalAdapter(gateway.site(resilience={"timeout": 60, "total": 60}))

    async def ask() -> list[Any]:
        return await asyncio.gather(*(adapter.acheck(card(number), now=NOW) for number in [*PEOPLE] * 20))

    for verdict, number in zip(asyncio.run(ask()), [*PEOPLE] * 20, strict=True):
        assert (verdict.decision, code(verdict)) == PEOPLE[number]
