"""The rule of a library, held against what its system says."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from juying.services.library.eligibility import checks, evidence
from juying.services.library.messages import PatronInformationAnswer, PatronStatusAnswer
from juying.services.library.patron import FLAGS, Flag
from juying.services.library.policy import DENYING, BorrowingPolicy, Debts, Pin
from juying.services.verdict import Decision, Outcome, Verdict

NOW = datetime(2026, 12, 1, 12)
RULE = BorrowingPolicy()


def answer(**changes: Any) -> PatronInformationAnswer:
    counts = dict.fromkeys(("holds", "overdue", "charged", "fines", "recalls", "unavailable"), 0)
    fields = {
        "status": frozenset(),
        "language": "019",
        "date": NOW,
        "institution": "T",
        "reader": "R0001",
        "name": "样本·安娜",
        "valid": True,
    }
    return PatronInformationAnswer(**{**fields, **counts, **changes})


def decided(
    told: PatronInformationAnswer | PatronStatusAnswer, rule: BorrowingPolicy = RULE, **options: Any
) -> tuple[str, str]:
    """The decision and the reason code of the check that made it."""
    verdict = Verdict.of("library.x", checks(told, rule, **options), now=NOW)
    assert verdict.deciding is not None
    assert all(check.reason.zh and check.reason.en for check in verdict.checks)
    return verdict.decision.value, verdict.deciding.code


def test_a_good_reader_may_borrow() -> None:
    told = answer(
        charged=2, charged_limit=10, overdue_limit=5, fee=Decimal("1.50"), fee_limit=Decimal(50), currency="CNY"
    )
    made = checks(told, RULE)
    assert [(check.name, check.outcome.value, check.code) for check in made] == [
        ("card", "pass", "known-card"),
        ("pin", "skipped", "no-pin"),
        ("status", "pass", "no-block"),
        ("charged", "pass", "charged-within-limit"),
        ("overdue", "pass", "overdue-within-limit"),
        ("fee", "pass", "fee-within-limit"),
    ]


@pytest.mark.parametrize("flag", FLAGS)
def test_each_flag_denies_or_does_not(flag: Flag) -> None:
    told = answer(status=frozenset({flag}))
    denied = (Decision.INELIGIBLE, flag.value)
    assert (decided(told) == denied) == (flag in DENYING)
    assert decided(told, BorrowingPolicy(denying=frozenset({flag}))) == denied
    assert decided(told, BorrowingPolicy(denying=frozenset()))[0] == Decision.ELIGIBLE
    assert flag.value in [check.code for check in checks(told, RULE)]


def test_several_flags_are_all_told() -> None:
    told = answer(status=frozenset({Flag.FEES, Flag.CARD_LOST, Flag.HOLD_DENIED}))
    found = [(check.code, check.outcome) for check in checks(told, RULE) if check.name == "status"]
    expected = [("hold-denied", Outcome.PASS), ("card-lost", Outcome.FAIL), ("fees-too-high", Outcome.FAIL)]
    assert found == expected


def test_an_unknown_card_is_no_whatever_the_rest_says() -> None:
    assert decided(answer(valid=False, pin_valid=True), pin_sent=True) == (Decision.INELIGIBLE, "unknown-card")
    assert len(checks(answer(valid=False), RULE)) == 1


def test_without_confirmation_it_cannot_be_said() -> None:
    assert decided(answer(valid=None)) == (Decision.UNDETERMINED, "card-not-confirmed")
    lenient = BorrowingPolicy(valid=False)
    assert decided(answer(valid=None), lenient)[0] == Decision.ELIGIBLE
    assert decided(answer(valid=None, name=" "), lenient) == (Decision.UNDETERMINED, "card-not-confirmed")


@pytest.mark.parametrize(
    ("pin_valid", "sent", "rule", "expected"),
    [
        (False, False, Pin.IF_SENT, (Decision.ELIGIBLE, "overdue-limit")),  # dp2 says so when none was sent
        (False, True, Pin.IF_SENT, (Decision.INELIGIBLE, "pin-wrong")),
        (True, True, Pin.IF_SENT, (Decision.ELIGIBLE, "")),
        (None, True, Pin.IF_SENT, (Decision.UNDETERMINED, "pin-not-confirmed")),  # silence is no yes
        (None, False, Pin.REQUIRED, (Decision.UNDETERMINED, "pin-needed")),
        (True, True, Pin.REQUIRED, (Decision.ELIGIBLE, "")),
        (False, True, Pin.IGNORED, (Decision.ELIGIBLE, "")),
    ],
)
def test_the_pin(pin_valid: bool | None, sent: bool, rule: Pin, expected: tuple[str, str]) -> None:
    decision, code = decided(answer(pin_valid=pin_valid), BorrowingPolicy(pin=rule), pin_sent=sent)
    assert decision == expected[0]
    assert decision == Decision.ELIGIBLE or code == expected[1]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"charged": 9, "charged_limit": 10}, ""),
        ({"charged": 10, "charged_limit": 10}, "charged-limit"),
        ({"charged": 0, "charged_limit": 0}, "charged-limit"),
        ({"overdue": 5, "overdue_limit": 5}, ""),
        ({"overdue": 6, "overdue_limit": 5}, "overdue-limit"),
        ({"charged": None, "charged_limit": 0}, ""),
    ],
)
def test_the_limits(changes: dict[str, Any], code: str) -> None:
    assert (decided(answer(**changes))[0] == Decision.INELIGIBLE) == bool(code)
    assert not code or decided(answer(**changes))[1] == code
    assert decided(answer(**changes), BorrowingPolicy(limits=False))[0] == Decision.ELIGIBLE


@pytest.mark.parametrize(
    ("changes", "rule", "expected"),
    [
        ({"fee": Decimal(50), "fee_limit": Decimal(50)}, RULE, "fee-within-limit"),
        ({"fee": Decimal("50.01"), "fee_limit": Decimal(50)}, RULE, "fee-limit"),
        ({"fee": Decimal(20)}, RULE, "no-fee-limit"),
        ({"fee": Decimal(20)}, BorrowingPolicy(max_fee=Decimal(10)), "fee-limit"),
        ({"fee": Decimal(20), "fee_limit": Decimal(10)}, BorrowingPolicy(max_fee=Decimal(30)), "fee-within-limit"),
        ({"fee": Decimal(-75), "fee_limit": Decimal(50)}, RULE, "fee-within-limit"),
        ({"fee": Decimal(-75), "fee_limit": Decimal(50)}, BorrowingPolicy(debts=Debts.NEGATIVE), "fee-limit"),
        ({"fee": Decimal(5), "fee_limit": Decimal(50), "currency": "USD"}, RULE, "other-currency"),
        ({"fee": Decimal(5), "fee_limit": Decimal(50), "currency": "   "}, RULE, "fee-within-limit"),
    ],
)
def test_what_is_owed(changes: dict[str, Any], rule: BorrowingPolicy, expected: str) -> None:
    assert checks(answer(**changes), rule)[-1].code == expected


def test_the_short_answer_knows_less() -> None:
    told = PatronStatusAnswer(
        status=frozenset(), language="019", date=NOW, institution="T", reader="R1", name="x", valid=True, fee=Decimal(9)
    )
    assert [check.name for check in checks(told, RULE)] == ["card", "pin", "status", "fee"]
    assert decided(told) == (Decision.ELIGIBLE, "no-block")
    assert decided(told, BorrowingPolicy(max_fee=Decimal(5))) == (Decision.INELIGIBLE, "fee-limit")
    assert "charged" not in evidence(told, "R1")


def test_evidence_names_nobody() -> None:
    told = answer(
        screen=("样本·安娜，证号 R0001，电话 13800001234，借书 2 册", ""),
        address="台州市虚构路1号",
        fee=Decimal(5),
        status=frozenset({Flag.FEES}),
    )
    found = evidence(told, "R0001")
    assert found["screen"] == ["＊，证号 ＊，电话 ＊，借书 2 册", ""]
    assert found["flags"] == ["fees-too-high"]
    for secret in ("安娜", "R0001", "虚构路"):
        assert secret not in str(found)
