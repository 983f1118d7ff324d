"""A sheet becomes a lot of orders: everything in it that is good, in one transaction, or nothing.

Orders of one employer lie together, so that their cards come into the same boxes. Importing the same sheet again finds
duplicates and changes nothing; when its errors are corrected, the rest joins the lot.
"""

import gc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from juying.errors import InputError
from juying.issuance.card_numbers import PREFIX, CardNumbers, free_numbers
from juying.issuance.changes import apply_application
from juying.issuance.chip_orders import NewCard
from juying.issuance.intake import Application, Row
from juying.issuance.lots import Check, Finding, Preview, Status, compare
from juying.issuance.permit_kinds import TRANSITIONS
from juying.issuance.photo import card_photo
from juying.ledger import schema
from juying.ledger.bulk import insert_many, refresh_statistics
from juying.ledger.ledger import Actor, Ledger, Transaction
from juying.ledger.orders import NewOrder, plan_orders
from juying.ledger.people import add_permits, add_persons, chunks
from juying.ledger.places import hold
from juying.ledger.states import LotState, Role, require

BOX_SIZE = 100
"""Cards in a box, unless a lot says otherwise."""

_LONGEST_NAME, _LONGEST_SOURCE = 100, 200
_MANY = 100  # orders after which the database has to count again
_AT_ONCE = 2000  # persons added together: more would only fill the memory

_lots, _orders = schema.lots, schema.orders
PhotoMaker = Callable[[Path], bytes]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows, with the orders that they have now, and the id of the lot, None if nothing was new."""

    lot: int | None
    preview: Preview


def import_rows(
    ledger: Ledger,
    actor: Actor,
    rows: Sequence[Row],
    name: str,
    *,
    profile: str = "ssc-v3",
    source: str = "",
    box_size: int = BOX_SIZE,
    prefix: str = PREFIX,
    taken: Collection[str] = (),
    check: Check | None = None,
) -> Imported:
    """Bring the good rows of a sheet into the ledger, as orders of the lot called ``name``; wrong ones stay out.

    A lot of that name that came from the same ``source`` (a file name) gets what is new. ``profile`` is that of the
    cards to be made, ``prefix`` begins the card numbers of those who ask for none, and none of ``taken`` is given to
    anybody; ``check`` is asked about every new and changed application.

    Raises `InputError`, with nothing changed, for a wrong name, prefix or box size, a lot that is another one, and an
    operator without the role.
    """
    actor.require(Role.INTAKE, Role.SUPERVISOR)
    CardNumbers((), prefix)
    _check_lot(name, source, box_size)
    photo: PhotoMaker = cache(card_photo)
    check = None if check is None else _once(check)
    today = ledger.clock().astimezone().date()
    if check is not None or any(row.application is not None and row.application.photo is not None for row in rows):
        # Making pictures and looking into applications take long, so it is done before anybody has to wait.
        with ledger.reading() as db:
            first = compare(db, ledger.vault, rows, today=today, check=check, photo=photo)
        _make_photos(first, photo)
    with _no_collection(), ledger.transaction(actor) as tx:
        hold(tx, "import")
        found = compare(tx.db, tx.vault, rows, today=today, check=check, photo=photo)
        if not any(found.of(Status.NEW, Status.CHANGED)):
            return Imported(None, found)
        lot, position = _open_lot(tx, name, source, profile, box_size)
        done = _Import(tx, lot, prefix, taken, photo).carry_out(found, position)
        if done.counts[Status.NEW] >= _MANY:
            refresh_statistics(tx.db)
        counts = {status.value: count for status, count in done.counts.items()}
        tx.note("lot-imported", counts, lot=lot)
        return Imported(lot, done)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection meanwhile: it would go through all rows again and again, and take half of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _check_lot(name: str, source: str, box_size: int) -> None:
    if not (0 < len(name.strip()) <= _LONGEST_NAME and len(source) <= _LONGEST_SOURCE and name.isprintable()):
        raise InputError(
            f"批次名称为 1 至 {_LONGEST_NAME} 个可显示的字符",
            f"the name of a lot has 1 to {_LONGEST_NAME} printable characters",
        )
    if not 1 <= box_size <= 100_000:
        raise InputError("每盒卡数不合理", "so many cards do not make a box")


def _once(check: Check) -> Check:
    """``check``, which is not asked about the same application again."""
    found: dict[int, InputError | None] = {}

    def checked(application: Application) -> None:
        if id(application) not in found:  # they are all held by the caller meanwhile
            found[id(application)] = _problem(check, application)
        if problem := found[id(application)]:
            raise problem

    return checked


def _problem(check: Check, application: Application) -> InputError | None:
    try:
        check(application)
    except InputError as error:
        return error
    return None


def _make_photos(found: Preview, photo: PhotoMaker) -> None:
    paths = {one.application.photo for one in found.of(Status.NEW) if one.application and one.application.photo}

    def make(path: Path) -> None:
        with suppress(InputError):  # it is raised again when the row is looked at
            photo(path)

    with ThreadPoolExecutor() as pool:
        list(pool.map(make, sorted(paths)))


def _open_lot(tx: Transaction, name: str, source: str, profile: str, box_size: int) -> tuple[int, int]:
    """The lot with this name, made or opened again, and the last position in it."""
    row = tx.db.execute(sa.select(_lots).where(_lots.c.name == name)).one_or_none()
    if row is None:
        values = {"name": name, "state": LotState.OPEN.value, "source": source, "profile": profile,
                  "box_size": box_size, "made_at": tx.now}  # fmt: skip
        lot: int = tx.db.execute(sa.insert(_lots).values(values).returning(_lots.c.id)).scalar_one()
        return lot, 0
    if (row.source, row.profile) != (source, profile):
        raise InputError(
            f"已有同名批次（{row.source or '-'}，{row.profile}），未作任何改动；请另取名称",
            f"there is another lot of this name ({row.source or '-'}, {row.profile}), nothing was changed: choose "
            "another name",
            where=name,
        )
    if row.state != LotState.OPEN:
        require(LotState(row.state), LotState.OPEN, where=name)
        tx.db.execute(sa.update(_lots).where(_lots.c.id == row.id).values(state=LotState.OPEN.value, closed_at=None))
        tx.note("lot-reopened", lot=row.id)
    last = sa.select(sa.func.max(_orders.c.position)).where(_orders.c.lot_id == row.id)
    return row.id, tx.db.execute(last).scalar() or 0


@dataclass(frozen=True, slots=True)
class _Import:
    """One import on its way into the ledger."""

    tx: Transaction
    lot: int
    prefix: str
    taken: Collection[str] = field(repr=False)
    photo: PhotoMaker = field(repr=False)

    def carry_out(self, found: Preview, position: int) -> Preview:
        """Add and change, in the order in which the cards are to lie; the findings with their orders."""
        todo = _by_employer([self._with_photo(one) for one in found.of(Status.NEW, Status.CHANGED)])
        numbers = self._numbers(todo)
        done = {one.row: one.wrong(_used_up()) for one in todo if one.status is Status.NEW and one.row not in numbers}
        done |= {one.row: one for one in todo if one.status is Status.WRONG}
        good = [one for one in todo if one.row not in done]
        places = {one.row: place for place, one in enumerate(good, position + 1)}
        for new in chunks([one for one in good if one.status is Status.NEW], _AT_ONCE):
            done |= {one.row: one for one in self._add(new, places, numbers)}
        for one in good:
            if one.status is Status.CHANGED:
                done[one.row] = self._change(one, places[one.row])
        return Preview(tuple(done.get(one.row, one) for one in found.findings))

    def _with_photo(self, found: Finding) -> Finding:
        try:
            self._photo_of(found.application)
        except InputError as error:
            return found.wrong(error)
        return found

    def _photo_of(self, application: Application | None) -> bytes | None:
        return None if application is None or application.photo is None else self.photo(application.photo)

    def _numbers(self, findings: Sequence[Finding]) -> dict[int, str]:
        """The card numbers of the new ones by their rows; when they run out, the last ones have none."""
        numbers = {one.row: one.card_number for one in findings if one.status is Status.NEW}
        missing = [row for row, number in numbers.items() if not number]
        asked = [one.application.card_number for one in findings if one.application and one.application.card_number]
        allotted = free_numbers(self.tx, len(missing), self.prefix, asked=[*self.taken, *asked])
        numbers |= dict(zip(missing, allotted, strict=False))
        return {row: number for row, number in numbers.items() if number}

    def _add(self, findings: Sequence[Finding], places: Mapping[int, int], numbers: Mapping[int, str]) -> list[Finding]:
        """Persons whom the ledger does not know, all together."""
        tx = self.tx
        applications = [one.application for one in findings if one.application is not None]
        persons = add_persons(tx, [(entry.holder, self._photo_of(entry)) for entry in applications])
        permits = add_permits(
            tx, [(person, entry.permit, None) for person, entry in zip(persons, applications, strict=True)]
        )
        ids = tx.new_ids(schema.applications, len(findings))
        rows = [
            {"id": number, "kind": one.kind, "person_id": person, "permit_id": permit, "lot_id": self.lot,
             "row": one.row, "digest": one.digest, "made_at": tx.now}
            for number, one, person, permit in zip(ids, findings, persons, permits, strict=True)
        ]  # fmt: skip
        insert_many(tx.db, sa.insert(schema.applications), rows)
        planned = [
            NewOrder(lot=self.lot, position=places[one.row], application=number, person=person, permit=permit,
                     card_number=numbers[one.row], issued_on=entry.issued_on)
            for number, one, entry, person, permit in zip(ids, findings, applications, persons, permits, strict=True)
        ]  # fmt: skip
        orders = plan_orders(tx, planned)
        details = {"applied_on": tx.now.astimezone().date().isoformat()}
        done = []
        for one, entry, order in zip(findings, planned, orders, strict=True):
            tx.note(f"permit-{one.kind}", details, application=entry.application, person=entry.person,
                    permit=entry.permit, order=order, lot=self.lot)  # fmt: skip
            done.append(replace(one, person=entry.person, order=order, card_number=numbers[one.row]))
        return done

    def _change(self, found: Finding, place: int) -> Finding:
        """Somebody whom the ledger knows, as at the counter; what the ledger refuses is wrong with the row."""
        tx, application, kind, person = self.tx, found.application, found.kind, found.person
        if application is None or kind is None or person is None:
            return found
        brings = TRANSITIONS[kind].brings
        card = NewCard(
            number=application.card_number if application.card_number != found.card_number else None,
            issued_on=application.issued_on,
            prefix=self.prefix,
            position=place,
        )
        try:
            applied = apply_application(
                tx, kind, person, application.holder if brings else None, application.permit if brings else None,
                photo=self._photo_of(application), lot=self.lot, row=found.row, digest=found.digest, card=card,
            )  # fmt: skip
        except InputError as error:
            return found.wrong(error)
        if applied.order is None:
            return replace(found, notes=applied.notes)
        # What is to be done with a card that somebody has belongs to this lot as well.
        mine = sa.update(_orders).where(_orders.c.id == applied.order, _orders.c.lot_id.is_(None))
        tx.db.execute(mine.values(lot_id=self.lot, position=place))
        number = tx.db.execute(sa.select(_orders.c.card_number).where(_orders.c.id == applied.order)).scalar()
        return replace(found, order=applied.order, card_number=number or found.card_number, notes=applied.notes)


def _by_employer(findings: Sequence[Finding]) -> list[Finding]:
    """Those of one employer together, in the order of the sheet otherwise."""
    groups: dict[str, list[Finding]] = {}
    for one in findings:
        if one.application is not None:
            groups.setdefault(one.application.permit.employer.code, []).append(one)
    return [one for group in groups.values() for one in group]


def _used_up() -> InputError:
    return InputError("此前缀的卡号已用完，请换一个前缀", "the card numbers of this prefix are used up: choose another")
