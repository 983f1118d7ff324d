"""Telling services of the people who are to be known there: a reader at the library, a member of the gym.

Few services have an interface for that. SIP2, which libraries speak, can enable a reader but not make one, so a library
gets a file to import and is then asked who it knows. A service whose adapter brings `Enrols` is asked directly.

Nobody is enrolled twice: who is asked for is noted before the service is. When a worker ends in between, the next one
first asks the service whether it knows the person, and leaves it to a human when the service cannot tell.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import sqlalchemy as sa

from juying.errors import InputError, PlatformUnavailable
from juying.issuance.workflows.folders import put
from juying.issuance.workflows.tasks import Case, Kind, Part, Step, Task, between, ranges, valid_permits
from juying.ledger import schema
from juying.ledger.people import holder_of, permit_of
from juying.ledger.states import LIVE_CARDS
from juying.services.library.adapter import LibraryAdapter
from juying.services.library.eligibility import checks
from juying.services.library.messages import PatronInformationAnswer, PatronStatusAnswer
from juying.services.presentation import NUMBERS, Presentation
from juying.services.resilience import Deadline
from juying.services.verdict import Outcome

PERSONS = 100
SECONDS = 20.0
"""What a service has for each person."""

_enrolments, _permits, _persons, _cards = schema.enrolments, schema.permits, schema.persons, schema.cards


class State(StrEnum):
    """What is known of a person at a service."""

    ASKED = "asked"
    """The service was, or was about to be, asked."""
    ENROLLED = "enrolled"
    REFUSED = "refused"


class Known(StrEnum):
    """Whether a service knows a person."""

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"
    """It cannot tell."""
    LATER = "later"
    """The person has not got yet what the service knows people by, such as a card."""


@dataclass(frozen=True, slots=True)
class Enrollee:
    """Who is to be enrolled: ``id`` is the same whenever the same person is asked for at the same service.

    ``presentation`` holds the numbers as a card would show them; nothing of it is proven by a chip.
    """

    id: str
    presentation: Presentation = field(repr=False)
    valid_until: date = field(repr=False)


@runtime_checkable
class Enrols(Protocol):
    """What a service brings that people can be enrolled at.

    Both raise `PlatformUnavailable` when the service cannot be asked now, and `InputError` for a person that it will
    never take.
    """

    @property
    def name(self) -> str:
        """The name of the service, such as ``library.taizhou``."""

    def known(self, person: Enrollee, *, deadline: Deadline) -> Known:
        """Whether the service knows the person."""

    def enrol(self, person: Enrollee, *, deadline: Deadline) -> bool:
        """Ask for the person to be enrolled; whether that is done, or only on its way."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A folder of JSON files, one for each person, that the service imports; readable by their owner only.

    The same person is the same file with the same ``id``, so a person who is dropped twice can be recognised.
    """

    name: str
    folder: Path

    def known(self, person: Enrollee, *, deadline: Deadline) -> Known:
        """Writing the same file again does no harm."""
        return Known.NO

    def enrol(self, person: Enrollee, *, deadline: Deadline) -> bool:
        """Write the file: all that can be done."""
        shown = person.presentation
        document = {
            "id": person.id,
            "name": shown.name,
            "nationality": shown.nationality,
            "valid_until": person.valid_until.isoformat(),
            "numbers": {number: shown.number(number) for number in NUMBERS if shown.number(number)},
        }
        data = json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"
        put(self.folder / self.name / f"{person.id}.json", data)
        return True


@dataclass(frozen=True, slots=True)
class Library:
    """A library: asked who it knows over SIP2; whom it does not know it gets as a file."""

    adapter: LibraryAdapter
    folder: Path

    @property
    def name(self) -> str:
        """That of the site."""
        return self.adapter.name

    def known(self, person: Enrollee, *, deadline: Deadline) -> Known:
        """Ask for the reader."""
        site = self.adapter.site
        number = person.presentation.number(site.reader_number)
        if not number:
            return Known.LATER
        answer = self.adapter.client.reader(site.reader_prefix + number, deadline=deadline).message
        if not isinstance(answer, PatronInformationAnswer | PatronStatusAnswer):
            raise PlatformUnavailable("应答不是读者信息", "the answer is not about a reader", where=self.name)
        return _KNOWN.get(checks(answer, site.policy)[0].outcome, Known.UNCLEAR)

    def enrol(self, person: Enrollee, *, deadline: Deadline) -> bool:
        """Write the file; the library is asked again until it knows the reader."""
        Drop(self.name, self.folder).enrol(person, deadline=deadline)
        return False


@dataclass(frozen=True, slots=True)
class Enrolling(Task):
    """Enrols at ``services``, by name."""

    kind = Kind.ENROL
    at_once = 4

    services: Mapping[str, Enrols] = field(repr=False)
    size: int = PERSONS
    seconds: float = SECONDS

    def plan(self, case: Case) -> list[Part]:
        """Those with a valid permit who are not enrolled. Raises `InputError` for a service that is not known here."""
        query = sa.select(_permits.c.person_id).where(valid_permits(case), _missing(self._service(case)))
        with case.ledger.reading() as db:
            return ranges(db.execute(query.order_by(_permits.c.person_id)).scalars(), self.size)

    @property
    def steps(self) -> tuple[Step, ...]:
        """One step: who is enrolled is not found again."""
        return (self.enrol,)

    def enrol(self, case: Case, part: Part, _: Any) -> dict[str, Any]:
        """Enrol one after the other; a service that cannot be asked ends it, and it is tried again later."""
        service = self._service(case)
        counts = dict.fromkeys((*State, Known.UNCLEAR, Known.LATER), 0)
        problems = []
        for row in self._rows(case, part, service):
            case.going_on()
            person = self._enrollee(case, row, service)
            try:
                became = self._enrol(case, row.person_id, person, service)
            except InputError as error:
                became = State.REFUSED
                problems.append([f"persons/{row.person_id}", str(error.text)])
            counts[became] += 1
            if became is State.ENROLLED or became is State.REFUSED:
                self._note(case, row.person_id, service.name, became)
            elif became is Known.UNCLEAR:
                problems.append([f"persons/{row.person_id}", _UNCLEAR])
        return {**counts, "problems": problems}

    def _enrol(self, case: Case, number: int, person: Enrollee, service: Enrols) -> State | Known:
        """What became of it."""
        deadline = Deadline.after(self.seconds)
        known = service.known(person, deadline=deadline)
        if known is Known.YES:
            return State.ENROLLED
        if known is Known.LATER:
            return known
        again = self._claim(case, number, service.name)
        if again and known is Known.UNCLEAR:
            return known
        return State.ENROLLED if service.enrol(person, deadline=deadline) else State.ASKED

    def _service(self, case: Case) -> Enrols:
        name = case.scope.get("service", "")
        if name not in self.services:
            raise InputError("此工位没有配置这个服务", "this service is not configured at this worker", where=str(name))
        return self.services[name]

    def _rows(self, case: Case, part: Part, service: Enrols) -> Sequence[Any]:
        live = sa.and_(_cards.c.person_id == _persons.c.id, _cards.c.state.in_([state.value for state in LIVE_CARDS]))
        query = (
            sa.select(
                _permits.c.id, _permits.c.person_id, _permits.c.sealed, _persons.c.sealed.label("holder"),
                _cards.c.number.label("card_number"),
            )
            .select_from(_permits.join(_persons, _persons.c.id == _permits.c.person_id).outerjoin(_cards, live))
            .where(between(_permits.c.person_id, part), valid_permits(case), _missing(service))
            .where(_persons.c.sealed.is_not(None))
            .order_by(_permits.c.person_id)
        )  # fmt: skip
        with case.ledger.reading() as db:
            return db.execute(query).all()

    def _enrollee(self, case: Case, row: Any, service: Enrols) -> Enrollee:
        vault = case.ledger.vault
        holder = holder_of(vault.open_record(row.holder, f"persons/{row.person_id}"))
        permit = permit_of(vault.open_record(row.sealed, f"permits/{row.id}"))
        shown = Presentation(
            carrier="chip",
            card_number=row.card_number or "",
            social_security_number=holder.social_security_number,
            permit_number=permit.number,
            document_number=holder.document_number,
            name=holder.registered_name,
            nationality=holder.nationality,
        )
        return Enrollee(vault.key("enrolment", service.name, str(row.person_id)).hex(), shown, permit.valid_until)

    def _claim(self, case: Case, person: int, service: str) -> bool:
        """Note that the service is about to be asked; whether that was noted before."""
        with case.ledger.transaction(case.actor) as tx:
            if tx.db.execute(sa.select(_enrolments.c.state).where(_here(person, service))).first() is not None:
                return True
            values = {"person_id": person, "service": service, "state": State.ASKED.value, "changed_at": tx.now}
            tx.db.execute(sa.insert(_enrolments).values(values))
            tx.note("enrolment-asked", {"service": service}, person=person)
        return False

    def _note(self, case: Case, person: int, service: str, state: State) -> None:
        values = {"state": state.value, "changed_at": case.now}
        with case.ledger.transaction(case.actor) as tx:
            if not tx.db.execute(sa.update(_enrolments).where(_here(person, service)).values(values)).rowcount:
                tx.db.execute(sa.insert(_enrolments).values(person_id=person, service=service, **values))
            tx.note(f"enrolment-{state.value}", {"service": service}, person=person)


_KNOWN = {Outcome.PASS: Known.YES, Outcome.FAIL: Known.NO}
_UNCLEAR = "不知道是否已登记，请询问该服务 / whether it was done is not known: ask the service"


def _here(person: int, service: str) -> sa.ColumnElement[bool]:
    return sa.and_(_enrolments.c.person_id == person, _enrolments.c.service == service)


def _missing(service: Enrols) -> sa.ColumnElement[bool]:
    """A person who is neither enrolled at the service nor refused."""
    done = _enrolments.c.state.in_([State.ENROLLED.value, State.REFUSED.value])
    mine = sa.and_(_enrolments.c.person_id == _permits.c.person_id, _enrolments.c.service == service.name)
    return sa.not_(sa.exists().where(mine, done))
