"""May this person borrow? The answer of a library system, held against the rule of the library.

The checks are made in one order: is the card known, is the PIN right, does a flag deny borrowing, how many items are
lent and overdue, what is owed. Each names its reason; one that cannot be made is unknown, and never a no.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from juying.services.library.messages import PatronInformationAnswer, PatronStatusAnswer
from juying.services.library.patron import FLAGS
from juying.services.library.policy import BorrowingPolicy, Debts, Pin
from juying.services.verdict import Check, Outcome
from juying.text import Text

Answer = PatronInformationAnswer | PatronStatusAnswer


def checks(answer: Answer, policy: BorrowingPolicy, *, pin_sent: bool = False) -> tuple[Check, ...]:
    """The checks that a library's rule makes of an answer about a reader."""
    card = _card(answer, policy)
    if card.outcome is not Outcome.PASS:
        return (card,)  # what else is said of a card that nobody knows means nothing
    return (
        card,
        _pin(answer, policy, pin_sent),
        *_status(answer, policy),
        *_counts(answer, policy),
        _fee(answer, policy),
    )


def _card(answer: Answer, policy: BorrowingPolicy) -> Check:
    """BL. Where a system never sends it, a reader with a name is one that it knows."""
    if answer.valid is False:
        return Check(
            "card", Outcome.FAIL, "unknown-card", Text("图书馆没有这位读者", "the library does not know this card")
        )
    if answer.valid or (not policy.valid and answer.name.strip()):
        return Check("card", Outcome.PASS, "known-card", Text("是本馆读者", "the library knows this card"))
    return Check(
        "card",
        Outcome.UNKNOWN,
        "card-not-confirmed",
        Text("图书馆系统没有说明读者证是否有效", "the library system does not say whether the card is valid"),
    )


def _pin(answer: Answer, policy: BorrowingPolicy, sent: bool) -> Check:
    """CQ, which means something only when a PIN was sent; silence is no yes."""
    if policy.pin is Pin.IGNORED or (policy.pin is Pin.IF_SENT and not sent):
        return Check("pin", Outcome.SKIPPED, "no-pin", Text("没有输入密码", "no PIN was given"))
    if not sent:
        return Check("pin", Outcome.UNKNOWN, "pin-needed", Text("本馆要求输入密码", "this library wants the PIN"))
    if answer.pin_valid:
        return Check("pin", Outcome.PASS, "pin-right", Text("密码正确", "the PIN is right"))
    if answer.pin_valid is False:
        return Check("pin", Outcome.FAIL, "pin-wrong", Text("密码错误", "the PIN is wrong"))
    return Check(
        "pin",
        Outcome.UNKNOWN,
        "pin-not-confirmed",
        Text("图书馆系统没有说明密码是否正确", "the library system does not say whether the PIN is right"),
    )


def _status(answer: Answer, policy: BorrowingPolicy) -> Iterator[Check]:
    """One check for each flag that is set, or one for all when none denies borrowing."""
    denied = False
    for flag in FLAGS:
        if flag in answer.status:
            denies = flag in policy.denying
            denied = denied or denies
            yield Check("status", Outcome.FAIL if denies else Outcome.PASS, flag.value, flag.text)
    if not denied:
        yield Check("status", Outcome.PASS, "no-block", Text("没有限制借阅的标志", "no flag denies borrowing"))


def _counts(answer: Answer, policy: BorrowingPolicy) -> Iterator[Check]:
    """The counts against the limits, where the system names both."""
    if not isinstance(answer, PatronInformationAnswer) or not policy.limits:
        return
    counted = (
        # One more has to fit below the first limit, the second is what may be.
        ("charged", answer.charged, answer.charged_limit, 1, Text("在借", "items charged")),
        ("overdue", answer.overdue, answer.overdue_limit, 0, Text("超期", "items overdue")),
    )
    for name, count, limit, more, title in counted:
        if count is None or limit is None:
            yield Check(
                name, Outcome.SKIPPED, "no-limit", Text(f"{title.zh}：系统未给出上限", f"{title.en}: no limit is named")
            )
            continue
        full = count + more > limit
        yield Check(
            name,
            Outcome.FAIL if full else Outcome.PASS,
            f"{name}-limit" if full else f"{name}-within-limit",
            Text(f"{title.zh} {count}，上限 {limit}", f"{title.en}: {count}, limit {limit}"),
        )


def _fee(answer: Answer, policy: BorrowingPolicy) -> Check:
    """What is owed, against the limit of the library or else of the system."""
    limit = policy.max_fee
    if limit is None and isinstance(answer, PatronInformationAnswer):
        limit = answer.fee_limit
    if answer.fee is None or limit is None:
        return Check("fee", Outcome.SKIPPED, "no-fee-limit", Text("没有欠费或上限", "no fee, or no limit, is named"))
    if answer.currency and answer.currency.strip() not in ("", policy.currency):
        return Check(
            "fee",
            Outcome.UNKNOWN,
            "other-currency",
            Text("欠费以其他货币计", "what is owed is in another currency"),
        )
    owed = max(Decimal(0), answer.fee if policy.debts is Debts.POSITIVE else -answer.fee)
    if owed > limit:
        return Check(
            "fee",
            Outcome.FAIL,
            "fee-limit",
            Text(f"欠费超过上限 {limit} {policy.currency}", f"more than {limit} {policy.currency} is owed"),
        )
    return Check(
        "fee",
        Outcome.PASS,
        "fee-within-limit",
        Text(f"欠费不超过 {limit} {policy.currency}", f"no more than {limit} {policy.currency} is owed"),
    )


_LONG_NUMBER = re.compile(r"[0-9A-Za-z]*[0-9]{5,}[0-9A-Za-z]*")
MASKED = "＊"


def evidence(answer: Answer, reader: str) -> dict[str, object]:
    """What the decision rests on, without name, number or address: flags, counts, limits and the system's own words.

    In these the reader's name and everything that could be a number of somebody is blotted out.
    """
    found: dict[str, object] = {
        "message": answer.id,
        "institution": answer.institution,
        "flags": [flag.value for flag in FLAGS if flag in answer.status],
        "valid": answer.valid,
    }
    if isinstance(answer, PatronInformationAnswer):
        counts = ("charged", "charged_limit", "overdue", "overdue_limit", "holds")
        found |= {name: getattr(answer, name) for name in counts}
    words = [_blotted(text, answer.name.strip(), reader) for text in answer.screen]
    if words:
        found["screen"] = words
    return found


def _blotted(text: str, *secrets: str) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASKED)
    return _LONG_NUMBER.sub(MASKED, text)
