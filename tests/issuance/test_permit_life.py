"""The rules of a permit's life: what is refused, what is only remarked, and the days that count."""

from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from juying.errors import InputError
from juying.issuance.permit_kinds import ENDING, HOLDER_FIELDS, PERMIT_FIELDS, TRANSITIONS, Fate, Kind
from juying.issuance.permit_life import (
    Findings,
    Refusal,
    Step,
    check,
    decision_due,
    event_due,
    holder_changes,
    kind_of,
    next_steps,
    permit_changes,
)
from juying.issuance.working_days import WEEKENDS, WorkingDays
from juying.ledger.schema import applications, permits
from juying.ledger.states import OrderKind, PermitState
from juying.model import Employer, PermitCategory, WorkPermit
from juying.text import Text
from tests import people

TODAY = date(2026, 12, 1)  # a Tuesday
OTHER = Employer(name="另一样本单位", code="91331002MA00AAA100")
BEFORE = people.permit(valid_from=date(2026, 1, 1), valid_until=date(2027, 1, 15))
LONGER = replace(BEFORE, valid_until=date(2028, 1, 15))
MOVED = replace(BEFORE, position="院长")
ELSEWHERE = replace(BEFORE, employer=OTHER, number="ZJ20260099")
YEAR = people.permit(valid_from=date(2026, 12, 1), valid_until=date(2027, 11, 30))


def english(findings: Findings) -> str:
    return "; ".join(refusal.text.en for refusal in findings.refusals)


def remarks(findings: Findings) -> str:
    return "; ".join(note.en for note in findings.notes)


# The table


def test_every_kind_has_a_row_that_makes_sense() -> None:
    assert set(TRANSITIONS) == set(Kind)
    for kind, row in TRANSITIONS.items():
        assert kind.text.zh
        assert kind.text.en
        assert len(kind.value) <= min(applications.c.kind.type.length, permits.c.ended_by.type.length)
        assert len(f"permit-{kind.value}") <= 32, "it is the kind of an event too"
        assert row.brings or not row.may_differ
        assert (row.ends is PermitState.SUPERSEDED) == (row.brings and row.needs_permit)
        assert row.may_differ <= HOLDER_FIELDS | PERMIT_FIELDS
        assert (row.credentials is Fate.NONE) == kind.is_first
    assert {kind for kind in Kind if TRANSITIONS[kind].chip is OrderKind.WIPE} == set(ENDING)
    assert all(TRANSITIONS[kind].ends for kind in ENDING)


def test_the_fields_are_those_of_the_model() -> None:
    assert {entry.name for entry in fields(WorkPermit)} | {"employer_name"} == PERMIT_FIELDS


# What differs


def test_another_name_of_the_same_employer_is_no_other_employer() -> None:
    renamed = replace(BEFORE, employer=replace(BEFORE.employer, name="改名后的单位"))
    assert permit_changes(BEFORE, renamed) == {"employer_name"}
    assert permit_changes(BEFORE, ELSEWHERE) == {"employer", "number"}
    assert permit_changes(BEFORE, BEFORE) == set()


def test_what_differs_in_a_holder_is_named_and_not_told() -> None:
    assert holder_changes(people.holder(), people.holder(phone="10000000009", document_number="L11111111")) == {
        "phone",
        "document_number",
    }


@pytest.mark.parametrize(
    ("before", "after", "holder", "kind"),
    [
        (None, YEAR, set(), Kind.FIRST_ABROAD),
        (None, replace(YEAR, valid_until=date(2027, 2, 28)), set(), Kind.SHORT),
        (None, replace(YEAR, valid_until=date(2027, 3, 1)), set(), Kind.FIRST_ABROAD),
        (BEFORE, BEFORE, set(), None),
        (BEFORE, LONGER, set(), Kind.EXTENSION),
        (BEFORE, replace(LONGER, number="NEW1234", authority="另一机关"), {"phone", "photo"}, Kind.EXTENSION),
        (BEFORE, LONGER, {"document_number"}, Kind.CHANGE),
        (BEFORE, replace(LONGER, position="院长"), set(), Kind.CHANGE),
        (BEFORE, BEFORE, {"name"}, Kind.CHANGE),
        (BEFORE, MOVED, set(), Kind.CHANGE),
        (BEFORE, replace(BEFORE, valid_until=date(2027, 1, 1)), set(), Kind.CHANGE),
        (BEFORE, ELSEWHERE, set(), Kind.TRANSFER),
        (BEFORE, replace(LONGER, employer=OTHER), {"name"}, Kind.TRANSFER),
    ],
)
def test_the_kind_follows_from_what_differs(
    before: WorkPermit | None, after: WorkPermit, holder: set[str], kind: Kind | None
) -> None:
    assert kind_of(before, after, holder) is kind


# What is needed


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_wants_a_valid_permit_or_none(kind: Kind) -> None:
    row = TRANSITIONS[kind]
    after = YEAR if row.brings else None
    wrong = check(kind, None if row.needs_permit else BEFORE, after, applied_on=TODAY)
    assert ("no valid permit" if row.needs_permit else "there is a valid permit") in english(wrong)


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_brings_a_permit_or_not(kind: Kind) -> None:
    row = TRANSITIONS[kind]
    wrong = check(kind, BEFORE if row.needs_permit else None, None if row.brings else YEAR, applied_on=TODAY)
    assert ("the new permit is missing" if row.brings else "does not change what the permit says") in english(wrong)


# An extension


@pytest.mark.parametrize(
    ("days_left", "refused", "remarked"),
    [(91, False, True), (90, False, False), (30, False, False), (29, True, False), (0, True, False)],
)
def test_an_extension_is_applied_for_90_to_30_days_before_the_end(
    days_left: int, refused: bool, remarked: bool
) -> None:
    findings = check(Kind.EXTENSION, BEFORE, LONGER, applied_on=BEFORE.valid_until - timedelta(days=days_left))
    assert bool(findings.refusals) == refused
    assert ("more than 90 days before" in remarks(findings)) == remarked
    if refused:
        assert findings.refusals[0].deadline
        with pytest.raises(InputError, match="a supervisor can let it pass"):
            findings.require()
        findings.require("there was an epidemic")


def test_after_the_end_no_reason_helps() -> None:
    findings = check(Kind.EXTENSION, BEFORE, LONGER, applied_on=BEFORE.valid_until + timedelta(days=1))
    with pytest.raises(InputError, match="apply anew; nothing was changed"):
        findings.require("there was an epidemic")


@pytest.mark.parametrize(
    ("after", "holder", "why"),
    [
        (BEFORE, set(), "gets no longer"),
        (replace(LONGER, employer=OTHER), set(), "change of employer"),
        (replace(LONGER, position="院长"), set(), "apply for a change first"),
        (replace(LONGER, category=PermitCategory.C), set(), "apply for a change first"),
        (LONGER, {"document_number"}, "apply for a change first"),
    ],
)
def test_an_extension_is_for_the_same_post_and_person(after: WorkPermit, holder: set[str], why: str) -> None:
    findings = check(Kind.EXTENSION, BEFORE, after, holder=holder, applied_on=date(2026, 11, 20))
    assert why in english(findings)
    with pytest.raises(InputError):
        findings.require("no reason helps")


def test_a_gap_between_two_permits_is_remarked() -> None:
    late = replace(LONGER, valid_from=date(2027, 1, 17))
    assert "a gap" in remarks(check(Kind.EXTENSION, BEFORE, late, applied_on=TODAY))
    assert not check(Kind.EXTENSION, BEFORE, replace(LONGER, valid_from=date(2027, 1, 16)), applied_on=TODAY).notes


# A change, a change of employer


def test_a_change_has_ten_working_days_and_is_late_with_a_remark() -> None:
    happened = date(2026, 11, 16)  # a Monday
    assert event_due(Kind.CHANGE, happened) == date(2026, 11, 30)
    in_time = check(Kind.CHANGE, BEFORE, MOVED, applied_on=date(2026, 11, 30), event_on=happened)
    assert not in_time.refusals
    assert not in_time.notes
    late = check(Kind.CHANGE, BEFORE, MOVED, applied_on=date(2026, 12, 1), event_on=happened)
    assert not late.refusals
    assert "past the term of 10 working days after the event (2026-11-30)" in remarks(late)
    assert "the holidays of 2026 are not known" in remarks(late)


@pytest.mark.parametrize(
    ("event_on", "remark"),
    [(None, "the day of the event is not given"), (TODAY + timedelta(days=1), "after the day of application")],
)
def test_the_day_of_the_event_is_looked_at(event_on: date | None, remark: str) -> None:
    assert remark in remarks(check(Kind.CHANGE, BEFORE, MOVED, applied_on=TODAY, event_on=event_on))


@pytest.mark.parametrize(
    ("kind", "after", "holder", "why"),
    [
        (Kind.CHANGE, BEFORE, set(), "nothing is changed"),
        (Kind.CHANGE, ELSEWHERE, set(), "change of employer"),
        (Kind.TRANSFER, LONGER, set(), "the employer is the same"),
        (Kind.TRANSFER, ELSEWHERE, {"name"}, "apply for a change first"),
    ],
)
def test_changes_are_told_from_each_other(kind: Kind, after: WorkPermit, holder: set[str], why: str) -> None:
    assert why in english(check(kind, BEFORE, after, holder=holder, applied_on=TODAY, event_on=TODAY))


def test_what_a_change_seldom_is_is_remarked() -> None:
    findings = check(Kind.CHANGE, BEFORE, LONGER, holder={"birth_date"}, applied_on=TODAY, event_on=TODAY)
    assert not findings.refusals
    assert "usually an extension" in remarks(findings)
    assert "compare with the passport" in remarks(findings)


# A permit by itself


@pytest.mark.parametrize(
    ("kind", "after", "why"),
    [
        (Kind.FIRST_ABROAD, replace(YEAR, valid_from=date(2026, 1, 1), valid_until=date(2026, 11, 30)), "run out"),
        (Kind.SHORT, YEAR, "for more than 90 days"),
    ],
)
def test_a_permit_that_cannot_be_asked_for(kind: Kind, after: WorkPermit, why: str) -> None:
    assert why in english(check(kind, None, after, applied_on=TODAY))


def test_a_short_permit_is_for_90_days() -> None:
    longest = replace(YEAR, valid_until=YEAR.valid_from + timedelta(days=89))
    assert not check(Kind.SHORT, None, longest, applied_on=TODAY).refusals
    longer = replace(YEAR, valid_until=YEAR.valid_from + timedelta(days=90))
    assert check(Kind.SHORT, None, longer, applied_on=TODAY).refusals
    assert "short kind" in remarks(
        check(Kind.FIRST_IN_CHINA, None, replace(longest, valid_until=date(2027, 1, 1)), applied_on=TODAY)
    )


def test_five_years_are_the_most_that_is_usual() -> None:
    five = replace(YEAR, valid_until=date(2031, 11, 30))
    assert not check(Kind.FIRST_ABROAD, None, five, applied_on=TODAY).notes
    more = replace(YEAR, valid_until=date(2031, 12, 1))
    assert "more than five years" in remarks(check(Kind.FIRST_ABROAD, None, more, applied_on=TODAY))
    leap = people.permit(valid_from=date(2028, 2, 29), valid_until=date(2033, 2, 28))
    assert not check(Kind.FIRST_ABROAD, None, leap, applied_on=TODAY).notes


def test_people_of_category_b_are_under_60() -> None:
    b = replace(YEAR, category=PermitCategory.B)
    assert "under 60" in remarks(check(Kind.FIRST_ABROAD, None, b, born=date(1967, 11, 30), applied_on=TODAY))
    assert not check(Kind.FIRST_ABROAD, None, b, born=date(1967, 12, 1), applied_on=TODAY).notes
    assert not check(Kind.FIRST_ABROAD, None, YEAR, born=date(1950, 1, 1), applied_on=TODAY).notes
    assert not check(Kind.FIRST_ABROAD, None, b, applied_on=TODAY).notes


# The end


def test_a_permit_ends_by_itself_on_the_day_after_its_last() -> None:
    assert "not ended yet" in english(check(Kind.EXPIRY, BEFORE, None, applied_on=BEFORE.valid_until))
    assert not check(Kind.EXPIRY, BEFORE, None, applied_on=BEFORE.valid_until + timedelta(days=1)).refusals


def test_an_employer_cancels_within_ten_working_days() -> None:
    assert event_due(Kind.CANCEL_EMPLOYER, date(2026, 11, 27)) == date(2026, 12, 11)
    assert event_due(Kind.CANCEL_HOLDER, date(2026, 11, 27)) is None
    assert not check(
        Kind.CANCEL_EMPLOYER, BEFORE, None, applied_on=date(2026, 12, 11), event_on=date(2026, 11, 27)
    ).notes


def test_several_refusals_are_told_together() -> None:
    two = Findings((Refusal(Text("一", "one"), deadline=True), Refusal(Text("二", "two"))))
    with pytest.raises(InputError) as caught:
        two.require("reason")
    assert str(caught.value) == "二。未作任何改动 / two; nothing was changed"
    with pytest.raises(InputError, match="one; two; nothing was changed"):
        two.require()


# Days


def test_the_authority_decides_within_its_terms() -> None:
    assert decision_due(Kind.SHORT, TODAY) == date(2026, 12, 8)
    assert decision_due(Kind.FIRST_ABROAD, TODAY) == date(2026, 12, 29)
    assert decision_due(Kind.EXTENSION, TODAY) is None, "no source names a term"


def test_the_days_to_be_reminded_of() -> None:
    steps = next_steps(BEFORE, TODAY)
    assert [(one.step, one.on, one.days_left) for one in steps] == [
        (Step.WINDOW_OPENS, date(2026, 10, 17), -45),
        (Step.WINDOW_CLOSES, date(2026, 12, 16), 15),
        (Step.ENDS, date(2027, 1, 15), 45),
    ]
    assert all(step.text.zh and step.text.en and len(step.value) <= 32 for step in Step)
    for one in steps[:2]:
        assert not check(Kind.EXTENSION, BEFORE, LONGER, applied_on=one.on).refusals


HOLIDAYS = """
[2027]
holidays = [2027-01-01, 2027-02-05, 2027-02-06]
workdays = [2027-02-14]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "holidays.toml"
    path.write_text(text, "utf-8")
    return path


def test_holidays_and_make_up_days_count(tmp_path: Path) -> None:
    days = WorkingDays.load(written(tmp_path, HOLIDAYS))
    assert not days.is_working(date(2027, 1, 1))
    assert not days.is_working(date(2027, 2, 5))
    assert days.is_working(date(2027, 2, 14))
    assert not days.is_working(date(2027, 2, 7))
    assert days.after(date(2026, 12, 31), 1) == date(2027, 1, 4)
    assert WEEKENDS.after(date(2026, 12, 31), 1) == date(2027, 1, 1)
    assert days.after(date(2027, 2, 12), 1) == date(2027, 2, 14)
    assert days.after(date(2027, 2, 12), 0) == date(2027, 2, 12)
    assert days.notes(date(2027, 1, 1), date(2027, 12, 31)) == ()
    (note,) = days.notes(date(2026, 12, 31), date(2028, 1, 1))
    assert "2026, 2028" in note.en
    assert "2026、2028" in note.zh


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2027 = 5", "a table for each year"),
        ("[soon]\nholidays = []", "a table for each year"),
        ("[2027]\nvacation = []", "a table for each year"),
        ("[2027]\nholidays = [2026-12-31]", "no day of that year"),
        ("[2027]\nholidays = ['2027-01-01']", "no day of that year"),
        ("[2027]\nholidays = [2027-01-01T08:00:00]", "no day of that year"),
        ("[2027]\nholidays = 2026-01-01", "no day of that year"),
        ("[2027]\nworkdays = [2027-02-15]", "not on a weekend"),
        ("[2027", "not TOML"),
    ],
)
def test_a_wrong_file_of_holidays_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        WorkingDays.load(written(tmp_path, text))


def test_no_file_of_holidays(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        WorkingDays.load(tmp_path / "none.toml")


def test_the_documented_table_is_the_one_that_is_carried_out() -> None:
    page = (Path(__file__).parents[2] / "docs" / "permits.md").read_text("utf-8")
    rows = [
        line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `") and "juying" not in line
    ]
    assert [row[0].strip("`") for row in rows] == [kind.value for kind in Kind]
    for kind, cells in zip(Kind, rows, strict=True):
        line = " | ".join(cells)
        assert cells[1] == kind.text.zh
        assert ("10 working days" in line) == (TRANSITIONS[kind].event_days == 10)
        term = TRANSITIONS[kind].decision_days
        assert term is None or f"{term} working days" in cells[-1].rstrip(" |")
        assert ("supervisor" in line) == TRANSITIONS[kind].supervisor
