"""Signing and drawing the credentials of permits that have none.

A part goes through three steps. Places in the status lists are allotted, and noted with the step, so that a worker that
goes on with the part uses the same ones. Then the credentials are signed, which takes the time, and stored together.
Then they are drawn. While an order for a card of the permit waits, its credentials wait for that card too; others count
at once.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import to_text
from juying.credential.picture import save_picture
from juying.credential.verify import verify
from juying.errors import InputError
from juying.issuance.intake import Application
from juying.issuance.office import Office, check_signable, draft, sign
from juying.issuance.workflows.folders import make_folder
from juying.issuance.workflows.tasks import Case, Kind, Part, Step, Task, between, ranges, valid_permits
from juying.ledger import credentials, schema
from juying.ledger.approvals import allow_key
from juying.ledger.credentials import Signed, Stored
from juying.ledger.ledger import Transaction
from juying.ledger.people import holder_of, permit_of
from juying.ledger.register import allot_in
from juying.ledger.states import WAITING_ORDERS, CredentialState

PERMITS = 250
"""Permits of a part; each has two credentials."""

_OPEN = [CredentialState.SIGNED.value, CredentialState.LIVE.value]
_permits, _persons, _credentials, _orders = schema.permits, schema.persons, schema.credentials, schema.orders


@dataclass(frozen=True, slots=True)
class Wanted:
    """A credential that is missing; ``before`` is the one of the permit before, whose place it takes."""

    permit: int
    person: int
    tier: Tier
    claims: Claims = field(repr=False)
    before: Stored | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signing(Task):
    """Signs with the key of ``office``, and draws into the folder ``pictures`` unless that is None."""

    kind = Kind.SIGN
    at_once = 2  # one computes while the other waits for the disk

    office: Office
    pictures: Path | None = None
    size: int = PERMITS

    def plan(self, case: Case) -> list[Part]:
        """Permits without credentials; with ``redraw`` in the scope all, so that no picture is missing here.

        Raises `InputError` as long as the second person has not let the key be used.
        """
        self._allow_key(case)
        query = sa.select(_permits.c.id).where(valid_permits(case)).order_by(_permits.c.id)
        if not case.scope.get("redraw"):
            query = query.where(_lacking())
        with case.ledger.reading() as db:
            return ranges(db.execute(query).scalars(), self.size)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Drawing only where there is a folder."""
        return (self.allot, self.sign, self.draw) if self.pictures is not None else (self.allot, self.sign)

    def allot(self, case: Case, part: Part, _: Any) -> list[list[int]]:
        """A place for every credential that is missing: permit, tier, list and place of each."""
        with case.ledger.reading() as db:
            wanted, _problems = self._wanted(db, case, part)
        replaced = [one.before.reference if one.before else None for one in wanted]
        with case.ledger.transaction(case.actor) as tx:  # briefly: nobody else allots or, on SQLite, writes meanwhile
            places = allot_in(tx, [one.claims.permit_number for one in wanted], replaces=replaced)
        pairs = zip(wanted, places, strict=True)
        return [[one.permit, one.tier.value, place.list_number, place.index] for one, place in pairs]

    def sign(self, case: Case, part: Part, allotted: list[list[int]]) -> dict[str, Any]:
        """Sign and store what is missing."""
        self._allow_key(case)
        self.office.check_key()
        places = {(permit, Tier(tier)): StatusReference(*place) for permit, tier, *place in allotted}
        with case.ledger.reading() as db:
            wanted, problems = self._wanted(db, case, part)
        signed = []
        for one in wanted:
            place = places.get((one.permit, one.tier))
            if place is not None:  # else the permit came between the steps, and is the next job's
                signed.append(self._signed(one, place))
        with case.ledger.transaction(case.actor) as tx:
            stored = _store(tx, case, part, signed)
        return {"signed": stored, "problems": problems}

    def draw(self, case: Case, part: Part, before: dict[str, Any]) -> dict[str, Any]:
        """Draw the credentials of the part that are not in the folder yet."""
        assert self.pictures is not None  # noqa: S101
        drawn, problems = 0, list(before["problems"])
        with case.ledger.reading() as db:
            records = list(_records(db, case, part))
        now = self.office.clock()
        for permit, record in records:
            path = picture_path(self.pictures, record)
            if path.exists():
                continue
            case.going_on()
            verified = verify(record, self.office.trust, now=now)
            if verified.claims is None:
                problems.append([f"permits/{permit}", str(verified.verdict.text)])
                continue
            make_folder(path.parent)
            save_picture(to_text(record), verified, path)
            drawn += 1
        return {**before, "drawn": drawn, "problems": problems}

    def _allow_key(self, case: Case) -> None:
        lot = case.scope.get("lot")
        work = {"job": case.job} if lot is None else {"lot": lot}
        allow_key(case.ledger, case.actor, self.office.signer.kid, work)

    def _signed(self, wanted: Wanted, place: StatusReference) -> Signed:
        return Signed(
            person=wanted.person, permit=wanted.permit, tier=wanted.tier, reference=place,
            record=sign(self.office, replace(wanted.claims, status=place)),
            before=wanted.before.id if wanted.before else None,
        )  # fmt: skip

    def _wanted(self, db: sa.Connection, case: Case, part: Part) -> tuple[list[Wanted], list[list[str]]]:
        """The credentials that are missing, and the permits that cannot be signed, with the reason."""
        wanted: list[Wanted] = []
        problems = []
        present = _present(db, part)
        for row in db.execute(_permits_of(case, part)):
            missing = [tier for tier in Tier if (row.id, tier.name.lower()) not in present]
            try:
                wanted += self._claims(db, case, row, missing)
            except InputError as error:
                problems.append([f"permits/{row.id}", str(error.text)])
        return wanted, problems

    def _claims(self, db: sa.Connection, case: Case, row: Any, missing: list[Tier]) -> list[Wanted]:
        vault = case.ledger.vault
        application = Application(
            holder=holder_of(vault.open_record(row.holder, f"persons/{row.person_id}")),
            permit=permit_of(vault.open_record(row.sealed, f"permits/{row.id}")),
        )
        before = {} if row.before_id is None else credentials.current(db, vault, row.before_id)
        found = []
        for tier in missing:
            old = before.get(tier)
            claims = draft(self.office, application, tier, old.record if old else None).claims
            check_signable(self.office, claims)
            found.append(Wanted(row.id, row.person_id, tier, claims, old))
        return found


def picture_path(folder: Path, record: bytes) -> Path:
    """Where the picture of a credential stands: its name tells nothing, and a credential always has the same one."""
    name = hashlib.sha256(record).hexdigest()[:32]
    return folder / name[:2] / f"{name}.png"


def _lacking() -> sa.ColumnElement[bool]:
    """A permit lacks a credential of one tier or both, and may have them: not while it is suspended."""
    there = [
        sa.exists().where(
            _credentials.c.permit_id == _permits.c.id,
            _credentials.c.tier == tier.name.lower(),
            _credentials.c.state.in_(_OPEN),
        )
        for tier in Tier
    ]
    return sa.and_(_permits.c.suspended_at.is_(None), sa.not_(sa.and_(*there)))


def _permits_of(case: Case, part: Part) -> sa.Select[Any]:
    """The permits of a part that lack something, with their holders."""
    columns = _permits.c.id, _permits.c.person_id, _permits.c.before_id, _permits.c.sealed
    return (
        sa.select(*columns, _persons.c.sealed.label("holder"))
        .select_from(_permits.join(_persons, _persons.c.id == _permits.c.person_id))
        .where(between(_permits.c.id, part), valid_permits(case), _lacking(), _persons.c.sealed.is_not(None))
        .order_by(_permits.c.id)
    )


def _present(db: sa.Connection, part: Part) -> set[tuple[int, str]]:
    """Permit and tier of the credentials that count or wait for their card."""
    query = sa.select(_credentials.c.permit_id, _credentials.c.tier).where(
        between(_credentials.c.permit_id, part), _credentials.c.state.in_(_OPEN)
    )
    return {(row.permit_id, row.tier) for row in db.execute(query)}


def _store(tx: Transaction, case: Case, part: Part, signed: list[Signed]) -> int:
    """Store what is still missing, and let it count unless a card is on its way; how many.

    The permits are held: none of them ends while its credential comes, and of two workers that both have the part, as
    when one had been taken for dead, the second one finds what the first one stored.
    """
    query = sa.select(_permits.c.id).where(between(_permits.c.id, part), valid_permits(case), _lacking())
    lacking = set(tx.db.execute(query.order_by(_permits.c.id).with_for_update(key_share=True, of=_permits)).scalars())
    present = _present(tx.db, part)
    missing = [one for one in signed if one.permit in lacking and (one.permit, one.tier.name.lower()) not in present]
    ids = credentials.store_many(tx, missing)
    waiting = _with_waiting_order(tx.db, part)
    credentials.make_live(tx, *(number for number, one in zip(ids, missing, strict=True) if one.permit not in waiting))
    return len(missing)


def _with_waiting_order(db: sa.Connection, part: Part) -> set[int]:
    """The permits for which a card is still to be made or changed."""
    states = [state.value for state in WAITING_ORDERS]
    query = sa.select(_orders.c.permit_id).where(between(_orders.c.permit_id, part), _orders.c.state.in_(states))
    return set(db.execute(query).scalars())


def _records(db: sa.Connection, case: Case, part: Part) -> Iterator[tuple[int, bytes]]:
    """Permit and record of the credentials of a part."""
    query = (
        sa.select(_credentials.c.id, _credentials.c.permit_id, _credentials.c.sealed)
        .select_from(_credentials.join(_permits, _permits.c.id == _credentials.c.permit_id))
        .where(
            between(_credentials.c.permit_id, part), valid_permits(case), _credentials.c.state.in_(_OPEN),
            _credentials.c.sealed.is_not(None),
        )
        .order_by(_credentials.c.id)
    )  # fmt: skip
    for row in db.execute(query):
        yield row.permit_id, case.ledger.vault.open_bytes(row.sealed, f"credentials/{row.id}")


def lot_named(db: sa.Connection, name: str) -> Mapping[str, int]:
    """The scope of a job for one lot. Raises `InputError` when there is no such lot."""
    lot = db.execute(sa.select(schema.lots.c.id).where(schema.lots.c.name == name)).scalar()
    if lot is None:
        raise InputError("没有这个批次，请核对名称", "there is no lot of this name: check it", where=name)
    return {"lot": lot}
