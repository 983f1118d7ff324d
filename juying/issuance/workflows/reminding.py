"""Reminding people before their permit ends.

There are three days to remind of: the extension can be applied for, the last day to do so, and the last day of the
permit. Each is told once; a reminder that comes late, because no worker ran, is left out when the next one is due. The
message says which permit by the last four characters of its number, and names nobody: mail is read by many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from email.message import EmailMessage
from typing import Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.issuance.permit_life import WINDOW_OPENS, NextStep, Step, next_steps
from juying.issuance.workflows.delivery import Delivers
from juying.issuance.workflows.tasks import Case, Kind, Part, Task, between, ranges, valid_permits
from juying.issuance.workflows.tasks import Step as TaskStep
from juying.ledger import schema
from juying.ledger.people import holder_of, permit_of
from juying.model import WorkPermit
from juying.text import Text

PERMITS = 100
AHEAD: Mapping[Step, int] = {Step.WINDOW_OPENS: 0, Step.WINDOW_CLOSES: 14, Step.ENDS: 7}
"""So many days before the day the reminder goes out."""

_permits, _persons, _reminders = schema.permits, schema.persons, schema.reminders


@dataclass(frozen=True, slots=True)
class Reminding(Task):
    """Writes to the holder's address, or to ``fallback`` (the office) where none is known; as ``sender``."""

    kind = Kind.REMIND

    delivery: Delivers
    sender: str
    fallback: str = ""
    size: int = PERMITS

    def plan(self, case: Case) -> list[Part]:
        """Permits that end soon."""
        query = sa.select(_permits.c.id).where(_ending(case)).order_by(_permits.c.id)
        with case.ledger.reading() as db:
            return ranges(db.execute(query).scalars(), self.size)

    @property
    def steps(self) -> tuple[TaskStep, ...]:
        """One step: what was told is not told again."""
        return (self.remind,)

    def remind(self, case: Case, part: Part, _: Any) -> dict[str, Any]:
        """Tell whom it concerns, one after the other."""
        told, problems = 0, []
        for row in self._rows(case, part):
            case.going_on()
            permit = permit_of(case.ledger.vault.open_record(row.sealed, f"permits/{row.id}"))
            step = due(permit, case.today)
            if step is None or self._is_told(case, row.id, step.step):
                continue
            holder = holder_of(case.ledger.vault.open_record(row.holder, f"persons/{row.person_id}"))
            to = holder.email or self.fallback
            if not to:
                problems.append([f"permits/{row.id}", str(_NO_ADDRESS)])
                continue
            try:
                self.delivery.deliver(self._message(case, row.id, permit, step, to))
            except InputError as error:
                problems.append([f"permits/{row.id}", str(error.text)])
                continue
            self._set_told(case, row, step.step)
            told += 1
        return {"reminded": told, "problems": problems}

    def _rows(self, case: Case, part: Part) -> Sequence[Any]:
        query = (
            sa.select(_permits.c.id, _permits.c.person_id, _permits.c.sealed, _persons.c.sealed.label("holder"))
            .select_from(_permits.join(_persons, _persons.c.id == _permits.c.person_id))
            .where(between(_permits.c.id, part), _ending(case), _persons.c.sealed.is_not(None))
            .order_by(_permits.c.id)
        )
        with case.ledger.reading() as db:
            return db.execute(query).all()

    def _is_told(self, case: Case, permit: int, step: Step) -> bool:
        here = sa.and_(_reminders.c.permit_id == permit, _reminders.c.kind == step.value)
        with case.ledger.reading() as db:
            return db.execute(sa.select(_reminders.c.permit_id).where(here)).first() is not None

    def _set_told(self, case: Case, row: Any, step: Step) -> None:
        with case.ledger.transaction(case.actor) as tx:
            tx.db.execute(sa.insert(_reminders).values(permit_id=row.id, kind=step.value, made_at=tx.now))
            tx.note("reminded", {"of": step.value}, permit=row.id, person=row.person_id)

    def _message(self, case: Case, number: int, permit: WorkPermit, step: NextStep, to: str) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self.sender, to
        message["Subject"] = str(_SUBJECT)
        # The same reminder always has the same one, so that a mail program shows it once.
        name = case.ledger.vault.key("reminder", str(number), step.step.value).hex()
        message["Message-ID"] = f"<{name}@{case.ledger.name}.juying>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body(permit, step))
        return message


def due(permit: WorkPermit, today: date) -> NextStep | None:
    """What to remind of on this day: the nearest of the days that is not past; None when there is nothing.

    Of the opening of the window that may be later too, until it closes.
    """
    opens, closes, ends = next_steps(permit, today)
    for one, until in ((ends, ends), (closes, closes), (opens, closes)):
        if one.days_left <= AHEAD[one.step] and until.days_left >= 0:
            return one
    return None


_SUBJECT = Text("外国人工作许可到期提醒", "Your work permit ends soon")
_NO_ADDRESS = Text("没有电子邮件地址", "there is no e-mail address")
_ADVICE = {
    Step.WINDOW_OPENS: Text("现在可以申请延期。", "An extension can be applied for now."),
    Step.WINDOW_CLOSES: Text("{on} 是申请延期的最后一天。", "{on} is the last day to apply for an extension."),
    Step.ENDS: Text(
        "此后不能再凭此许可工作；已申请延期的不必理会。",
        "After that day it gives no right to work. If you have applied for an extension, you need do nothing.",
    ),
}


def body(permit: WorkPermit, step: NextStep) -> str:
    """The message in both languages."""
    last, until, advice = permit.number[-4:], permit.valid_until.isoformat(), _ADVICE[step.step]
    on = step.on.isoformat()
    return (
        f"您的外国人工作许可（编号末四位 {last}）有效期至 {until}。{advice.zh.format(on=on)}\n"
        "请由用人单位在外国人来华工作管理服务系统中办理。\n\n"
        f"Your work permit (its number ends in {last}) is valid until {until}. {advice.en.format(on=on)}\n"
        "Your employer applies in the service system for foreigners working in China.\n"
    )


def _ending(case: Case) -> sa.ColumnElement[bool]:
    """The valid permits whose extension can be applied for."""
    return sa.and_(valid_permits(case), _permits.c.valid_until <= case.today + timedelta(days=WINDOW_OPENS))
