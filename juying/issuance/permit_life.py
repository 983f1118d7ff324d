"""The rules of a work permit's life: what an application must be like, its terms, and the days to be reminded of.

Nothing here reads or writes; `juying.issuance.permit_kinds` is the table of kinds, `juying.issuance.changes` carries
them out on the ledger.

What the authority's system itself refuses is a refusal here, which a supervisor can override with a reason. What
sources say in different ways, or what is only usual, is a note for the clerk.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from enum import StrEnum

from juying.errors import InputError
from juying.issuance.permit_kinds import TRANSITIONS, Transition
from juying.issuance.permit_kinds import Kind as Kind
from juying.issuance.working_days import WEEKENDS, WorkingDays
from juying.model import Holder, PermitCategory, WorkPermit
from juying.text import Text

WINDOW_OPENS, WINDOW_CLOSES = 90, 30
"""Days before the last day of a permit between which its extension is applied for."""
_SHORT_DAYS = 90
_MOST_YEARS = 5
_AGE = 60


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an application is refused; ``deadline`` for a missed one, which a supervisor can override."""

    text: Text
    deadline: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules say of an application: reasons against it, and remarks for the clerk."""

    refusals: tuple[Refusal, ...] = ()
    notes: tuple[Text, ...] = ()

    def require(self, override: str = "") -> None:
        """Raise `InputError` for a refusal, unless it is a missed deadline and a reason to ``override`` it is given."""
        left = [refusal for refusal in self.refusals if not (refusal.deadline and override)]
        if left:
            zh, en = "；".join(one.text.zh for one in left), "; ".join(one.text.en for one in left)
            if all(refusal.deadline for refusal in left):
                zh, en = f"{zh}；主管可说明理由后放行", f"{en}; a supervisor can let it pass and say why"
            raise InputError(f"{zh}。未作任何改动", f"{en}; nothing was changed")


def permit_changes(before: WorkPermit, after: WorkPermit) -> frozenset[str]:
    """Which of `PERMIT_FIELDS` differ."""
    names = {entry.name for entry in fields(WorkPermit) if getattr(before, entry.name) != getattr(after, entry.name)}
    if "employer" in names and before.employer.code == after.employer.code:
        names = names - {"employer"} | {"employer_name"}
    return frozenset(names)


def holder_changes(before: Holder, after: Holder) -> frozenset[str]:
    """Which fields of a holder differ."""
    return frozenset(
        entry.name for entry in fields(Holder) if getattr(before, entry.name) != getattr(after, entry.name)
    )


def with_issued_number(before: Holder, after: Holder) -> Holder:
    """A social security number that the agency issued stays, whatever becomes of the passport."""
    if after.issued_social_security_number is not None or before.issued_social_security_number is None:
        return after
    return replace(after, issued_social_security_number=before.issued_social_security_number)


def kind_of(before: WorkPermit | None, after: WorkPermit, holder: Set[str] = frozenset()) -> Kind | None:
    """The kind of an application that only says how things are to be; None when nothing would be other than it is.

    ``before`` is the live permit, ``holder`` names the fields of the holder that differ. No sheet tells whether a
    first permit is asked for abroad or in China: abroad is meant.
    """
    if before is None:
        return Kind.SHORT if _length(after) <= _SHORT_DAYS else Kind.FIRST_ABROAD
    changed = permit_changes(before, after) | holder
    if not changed:
        return None
    if "employer" in changed:
        return Kind.TRANSFER
    extended = after.valid_until > before.valid_until and changed <= TRANSITIONS[Kind.EXTENSION].may_differ
    return Kind.EXTENSION if extended else Kind.CHANGE


def check(
    kind: Kind,
    before: WorkPermit | None,
    after: WorkPermit | None,
    *,
    holder: Set[str] = frozenset(),
    born: date | None = None,
    applied_on: date,
    event_on: date | None = None,
    days: WorkingDays = WEEKENDS,
) -> Findings:
    """Compare an application with the rules.

    ``before`` is the live permit and ``after`` the one asked for, ``holder`` names the fields of the holder that
    differ, ``born`` is the holder's birthday. ``event_on`` is the day of what is applied for: the change, the end of
    the employment. ``days`` knows the holidays.
    """
    row = TRANSITIONS[kind]
    found: list[Refusal | Text] = list(_needs(row, before, after))
    if not found:
        if before is not None and after is not None:
            found += _follows(kind, before, after, holder, applied_on)
        if after is not None:
            found += _permit(kind, after, born, applied_on)
        if before is not None and kind is Kind.EXTENSION:
            found += _window(before, applied_on)
        if before is not None and kind is Kind.EXPIRY and applied_on <= before.valid_until:
            found.append(refusal("许可尚未到期", "the permit has not ended yet"))
        if row.event_days is not None:
            found += _event(row.event_days, applied_on, event_on, days)
    return Findings(
        tuple(one for one in found if isinstance(one, Refusal)), tuple(one for one in found if isinstance(one, Text))
    )


def event_due(kind: Kind, event_on: date, days: WorkingDays = WEEKENDS) -> date | None:
    """The last day to apply after what happened on ``event_on``; None when there is no such term."""
    count = TRANSITIONS[kind].event_days
    return None if count is None else days.after(event_on, count)


def decision_due(kind: Kind, applied_on: date, days: WorkingDays = WEEKENDS) -> date | None:
    """The day by which the authority decides; None when no source names a term."""
    count = TRANSITIONS[kind].decision_days
    return None if count is None else days.after(applied_on, count)


class Step(StrEnum):
    """A day in the life of a permit of which somebody is to be told."""

    WINDOW_OPENS = "window-opens"
    WINDOW_CLOSES = "window-closes"
    ENDS = "ends"

    @property
    def text(self) -> Text:
        """What it is, for people."""
        return _STEPS[self]


_STEPS = {
    Step.WINDOW_OPENS: Text("可以申请延期", "an extension can be applied for"),
    Step.WINDOW_CLOSES: Text("申请延期的最后一天", "the last day to apply for an extension"),
    Step.ENDS: Text("许可有效期最后一天", "the last day of the permit"),
}


@dataclass(frozen=True, slots=True)
class NextStep:
    """One of the days, and how many days there are until it (negative when it is past)."""

    step: Step
    on: date
    days_left: int


def next_steps(permit: WorkPermit, today: date) -> tuple[NextStep, ...]:
    """The days of a valid permit of which employer and holder are to be reminded, the first one first."""
    until = permit.valid_until
    dates = {
        Step.WINDOW_OPENS: until - timedelta(days=WINDOW_OPENS),
        Step.WINDOW_CLOSES: until - timedelta(days=WINDOW_CLOSES),
        Step.ENDS: until,
    }
    return tuple(NextStep(step, on, (on - today).days) for step, on in dates.items())


def refusal(zh: str, en: str) -> Refusal:
    """A refusal that nobody overrides."""
    return Refusal(Text(zh, en))


def _needs(row: Transition, before: WorkPermit | None, after: WorkPermit | None) -> Iterator[Refusal]:
    """Whether there is what the kind needs at all."""
    if row.needs_permit and before is None:
        yield refusal("没有有效的许可；已到期或注销的须重新申请", "there is no valid permit: apply for a new one")
    if not row.needs_permit and before is not None:
        yield refusal(
            "已有有效的许可；请办理延期、变更或转聘", "there is a valid permit: extend, change or transfer it"
        )
    if row.brings and after is None:
        yield refusal("没有写明新许可", "the new permit is missing")
    if after is not None and not row.brings:
        yield refusal("此类申请不改变许可内容", "this does not change what the permit says")


def _follows(
    kind: Kind, before: WorkPermit, after: WorkPermit, holder: Set[str], applied_on: date
) -> Iterator[Refusal | Text]:
    """How a permit follows the one before."""
    changed = permit_changes(before, after) | holder
    if applied_on > before.valid_until:
        yield refusal(
            "申请日许可已到期，自动注销；须重新申请", "the permit had ended by the day of application: apply anew"
        )
    if kind is Kind.EXTENSION and after.valid_until <= before.valid_until:
        yield refusal("有效期没有延长", "the validity gets no longer")
    if kind is Kind.TRANSFER and "employer" not in changed:
        yield refusal("用人单位未变，不是转聘", "the employer is the same: this is no change of employer")
    if kind is Kind.CHANGE and not changed:
        yield refusal("没有变更任何内容", "nothing is changed")
    if kind is Kind.CHANGE and after.valid_until > before.valid_until:
        yield Text(
            "变更同时延长了有效期；延期通常另行申请", "the validity gets longer too, which is usually an extension"
        )
    others = changed - TRANSITIONS[kind].may_differ
    if "employer" in others:
        yield refusal("用人单位不同，请办理转聘", "the employer is another one: this is a change of employer")
    elif others:
        yield refusal(
            "岗位、类别或持卡人信息不同，请先办理变更", "post, category or holder differ: apply for a change first"
        )
    if changed & {"birth_date", "sex", "nationality"}:
        yield Text(
            "出生日期、性别或国籍有变，请核对护照", "birth date, sex or nationality change: compare with the passport"
        )
    if after.valid_from > before.valid_until + timedelta(days=1):
        yield Text("新旧许可之间有间断，请核对", "there is a gap between the old permit and the new one: compare")


def _permit(kind: Kind, after: WorkPermit, born: date | None, applied_on: date) -> Iterator[Refusal | Text]:
    """The permit asked for by itself."""
    length = _length(after)
    if after.valid_until < applied_on:
        yield refusal("所申请的许可已过期", "the permit asked for has run out")
    if kind is Kind.SHORT and length > _SHORT_DAYS:
        yield refusal("有效期超过 90 日，请按首次办理", "it is for more than 90 days: apply for a first permit")
    if kind in (Kind.FIRST_ABROAD, Kind.FIRST_IN_CHINA) and length < _SHORT_DAYS:
        yield Text("有效期不足 90 日，通常按“90 日以下”办理", "for less than 90 days the short kind is usual")
    if _years_later(after.valid_from, _MOST_YEARS) <= after.valid_until:
        yield Text("有效期超过五年，请核对", "it is valid for more than five years: compare")
    if after.category is PermitCategory.B and born is not None and _years_later(born, _AGE) <= after.valid_until:
        yield Text("B 类原则上不超过 60 周岁，请核对", "people of category B are in principle under 60: compare")


def _window(before: WorkPermit, applied_on: date) -> Iterator[Refusal | Text]:
    left = (before.valid_until - applied_on).days
    if 0 <= left < WINDOW_CLOSES:
        yield Refusal(
            Text(
                f"延期须在到期前 {WINDOW_CLOSES} 日之前申请，已错过",
                f"an extension is applied for {WINDOW_CLOSES} days before the end at the latest: that is past",
            ),
            deadline=True,
        )
    if left > WINDOW_OPENS:
        yield Text(
            f"早于到期前 {WINDOW_OPENS} 日申请，请核对",
            f"it is applied for more than {WINDOW_OPENS} days before the end: compare",
        )


def _event(count: int, applied_on: date, event_on: date | None, days: WorkingDays) -> Iterator[Refusal | Text]:
    """The term after an event. Sources count working days or plain days, and no system refuses: remarks only."""
    if event_on is None:
        yield Text(
            f"未写明事由发生日期，无法核对 {count} 个工作日的期限",
            f"the day of the event is not given: the term of {count} working days cannot be compared",
        )
        return
    if event_on > applied_on:
        yield Text("事由发生日期在申请日之后", "the day of the event is after the day of application")
    due = days.after(event_on, count)
    if applied_on > due:
        yield Text(
            f"超过事由发生后 {count} 个工作日的期限（{due}）",
            f"it is past the term of {count} working days after the event ({due})",
        )
        yield from days.notes(event_on, due)


def _length(permit: WorkPermit) -> int:
    """Its days, first and last included."""
    return (permit.valid_until - permit.valid_from).days + 1


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return date(day.year + years, 3, 1)
