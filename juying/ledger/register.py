"""The register of `juying.credential.register` in the ledger: places in status lists, and their statuses.

The functions work inside a transaction of the ledger, so that orders, cards, credentials and statuses change together
or not at all; `LedgerRegister` is the same for those who have no transaction. An entry knows its permit only by the
keyed hash of the number, so it can be compared with a number but tells none.

On PostgreSQL whoever changes the register holds it until the transaction ends, and the others wait. The primary key of
the entries would refuse a place that is given twice all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Self

import sqlalchemy as sa

from juying.credential.claims import StatusReference
from juying.credential.register import Event, Reason, Snapshot
from juying.credential.status_list import Status
from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Actor, Ledger, Transaction
from juying.ledger.people import chunks, permit_key
from juying.ledger.places import DRAWING, Drawing, draw, hold, insert, open_list, put, stir, storable
from juying.ledger.states import CredentialState
from juying.ledger.vault import Vault

_lists, _entries, _changes = schema.status_lists, schema.status_entries, schema.status_changes
_credentials = schema.credentials

_ALLOT = (
    sa.update(_lists)
    .where(_lists.c.number == sa.bindparam("list"))
    .values(allotted=_lists.c.allotted + sa.bindparam("count"))
)
_AT_PLACES = sa.and_(
    _entries.c.list == sa.bindparam("list"),
    _entries.c.place.in_(sa.bindparam("places", expanding=True)),
    sa.not_(_entries.c.decoy),
)


def allot_in(
    tx: Transaction,
    subjects: Sequence[str],
    *,
    replaces: Sequence[StatusReference | None] | None = None,
    drawing: Drawing = DRAWING,
) -> tuple[StatusReference, ...]:
    """A place that no credential ever had for each of ``subjects``, permit numbers or empty.

    ``replaces`` names, for each, the credential that the new one is to take the place of, or None; it stays valid
    until `confirm_in`.
    """
    if not subjects:
        return ()
    hold(tx)
    olds = replaces or [None] * len(subjects)
    references: list[StatusReference] = []
    counts: dict[str, int] = {}
    while len(references) < len(subjects):
        number, capacity, room = open_list(tx, drawing)
        part = slice(len(references), min(len(subjects), len(references) + room))
        places = draw(tx, number, capacity, part.stop - part.start, drawing.below)
        keys = [permit_key(tx.vault, subject) if subject else None for subject in subjects[part]]
        insert(tx, number, places, Status.VALID, keys=keys, replaces=olds[part])
        _insert_changes(tx, number, places, Status.VALID, Reason.ISSUED)
        tx.db.execute(_ALLOT, {"list": number, "count": len(places)})
        references += [StatusReference(number, place) for place in places]
        counts[str(number)] = len(places)
    tx.note("places-allotted", {"lists": counts})
    return tuple(references)


def confirm_in(tx: Transaction, references: Iterable[StatusReference], *, drawing: Drawing = DRAWING) -> int:
    """The credentials with these references are safely stored: revoke what they replace; how many were revoked.

    Others that were to replace the same ones, and never did, are revoked with them. Harmless twice. Raises
    `InputError` for an unknown place.
    """
    stored = set(references)
    known = _rows(tx.db, stored, _entries.c.replaces_list, _entries.c.replaces_place)
    if missing := stored - known.keys():
        raise _unknown(missing.pop())
    replaced = {StatusReference(*row) for row in known.values() if row[0] is not None}
    if not replaced:
        return 0
    hold(tx)
    ended = replaced | _replacing(tx.db, replaced)
    return _change(tx, _with_status(tx.db, ended - stored, Status.INVALID), Status.INVALID, Reason.SUPERSEDED, drawing)


def set_in(
    tx: Transaction,
    references: Iterable[StatusReference],
    status: Status,
    reason: Reason = Reason.UNSPECIFIED,
    *,
    drawing: Drawing = DRAWING,
) -> int:
    """Change the statuses of all these places; how many had another one.

    Stored credentials that are revoked by this end in the same transaction. Raises `InputError` for an unknown place,
    and for one that is revoked and is to be anything else.
    """
    wanted = dict.fromkeys(references)
    if not wanted:
        return 0
    hold(tx)
    before = statuses_of(tx.db, wanted)
    for reference in wanted:
        if reference not in before:
            raise _unknown(reference)
        if before[reference] is Status.INVALID and status is not Status.INVALID:
            raise InputError(
                "已吊销的凭证不能恢复或暂停，请另发新凭证",
                "a revoked credential cannot be resumed or suspended: issue a new one",
                where=_title(reference),
            )
    changed = [reference for reference in wanted if before[reference] is not status]
    return _change(tx, changed, status, reason, drawing)


def statuses_of(db: sa.Connection, references: Iterable[StatusReference]) -> dict[StatusReference, Status]:
    """The statuses of places, without those that were never given to a credential."""
    return {reference: Status(row[0]) for reference, row in _rows(db, references, _entries.c.status).items()}


def subjects_of(db: sa.Connection, references: Iterable[StatusReference]) -> dict[StatusReference, bytes | None]:
    """The keyed hashes of the permit numbers that places were allotted for, without places that nobody has."""
    return {reference: row[0] for reference, row in _rows(db, references, _entries.c.subject_key).items()}


def find(db: sa.Connection, vault: Vault, subject: str) -> tuple[StatusReference, ...]:
    """The places of all credentials of a permit, in the order of their issue."""
    return places_of_keys(db, [permit_key(vault, subject)]) if subject else ()


def places_of_keys(db: sa.Connection, keys: Iterable[bytes]) -> tuple[StatusReference, ...]:
    """As `find`, for the keyed hashes of permit numbers."""
    found: list[tuple[int, StatusReference]] = []
    here = (_changes.c.list == _entries.c.list) & (_changes.c.place == _entries.c.place)
    for part in chunks(list(dict.fromkeys(keys))):
        query = (
            sa.select(sa.func.min(_changes.c.id), _entries.c.list, _entries.c.place)
            .join_from(_entries, _changes, here)
            .where(_entries.c.subject_key.in_(part))
            .group_by(_entries.c.list, _entries.c.place)
        )
        found += [(first, StatusReference(number, place)) for first, number, place in db.execute(query)]
    return tuple(reference for _, reference in sorted(found, key=itemgetter(0)))


def history(db: sa.Connection, reference: StatusReference) -> tuple[Event, ...]:
    """Every change of a status, the first one first; empty when the place was never given to a credential."""
    query = (
        sa.select(_changes.c.at, _changes.c.status, _changes.c.reason)
        .where(_changes.c.list == reference.list_number, _changes.c.place == reference.index)
        .order_by(_changes.c.id)
    )
    return tuple(Event(at, Status(status), Reason(reason)) for at, status, reason in db.execute(query))


def list_statuses(db: sa.Connection, number: int) -> bytes:
    """The status of every entry of a list, decoys and all, one byte each. Raises `InputError` for no such list."""
    capacity = db.execute(sa.select(_lists.c.capacity).where(_lists.c.number == number)).scalar()
    if capacity is None:
        raise InputError("登记簿中没有这个状态列表", "the register has no such status list", where=str(number))
    statuses = bytearray(capacity)
    # The words of the partial index, so that only what changed is looked at.
    changed = sa.and_(_entries.c.list == number, sa.text("status <> 0"))
    for place, status in db.execute(sa.select(_entries.c.place, _entries.c.status).where(changed)):
        statuses[place] = status
    return bytes(statuses)


class LedgerRegister:
    """A `juying.credential.register.Register` on a ledger; threads and processes may use it at once.

    Every change is durable when the call returns, or, `within` a transaction, when that ends. All methods raise
    `LedgerUnavailable` when the database is gone.
    """

    def __init__(self, ledger: Ledger, actor: Actor, *, drawing: Drawing = DRAWING) -> None:
        """Use the register of ``ledger``; ``actor`` stands in the events of all changes."""
        self._ledger, self._actor, self._drawing = ledger, actor, drawing
        self._tx: Transaction | None = None

    @classmethod
    def within(cls, tx: Transaction, *, drawing: Drawing = DRAWING) -> Self:
        """The register inside of a transaction: what it changes is undone with it."""
        register = cls(tx.ledger, tx.actor, drawing=drawing)
        register._tx = tx
        return register

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        if self._tx is not None:
            yield self._tx
        else:
            with self._ledger.transaction(self._actor) as tx:
                yield tx

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        if self._tx is not None:
            yield self._tx.db
        else:
            with self._ledger.reading() as db:
                yield db

    def allot(self, subject: str = "", *, replaces: StatusReference | None = None) -> StatusReference:
        """As `Register.allot`."""
        return self.allot_many([subject], replaces=[replaces])[0]

    def allot_many(
        self, subjects: Sequence[str], *, replaces: Sequence[StatusReference | None] | None = None
    ) -> tuple[StatusReference, ...]:
        """As `allot_in`; much faster than one by one."""
        with self._writing() as tx:
            return allot_in(tx, subjects, replaces=replaces, drawing=self._drawing)

    def confirm(self, reference: StatusReference) -> None:
        """As `Register.confirm`."""
        with self._writing() as tx:
            confirm_in(tx, [reference], drawing=self._drawing)

    def set(self, reference: StatusReference, status: Status, reason: Reason = Reason.UNSPECIFIED) -> bool:
        """As `Register.set`."""
        return bool(self.set_all([reference], status, reason))

    def set_all(
        self, references: Iterable[StatusReference], status: Status, reason: Reason = Reason.UNSPECIFIED
    ) -> int:
        """Change several, all or none; how many had another status."""
        with self._writing() as tx:
            return set_in(tx, references, status, reason, drawing=self._drawing)

    def status(self, reference: StatusReference) -> Status | None:
        """As `Register.status`."""
        with self._reading() as db:
            return statuses_of(db, [reference]).get(reference)

    def belongs(self, reference: StatusReference, subject: str) -> bool | None:
        """Whether the place was allotted for this permit number; None when it was for none, or to no credential."""
        with self._reading() as db:
            key = subjects_of(db, [reference]).get(reference)
        return None if key is None else bool(key == permit_key(self._ledger.vault, subject))

    def find(self, subject: str) -> tuple[StatusReference, ...]:
        """As `Register.find`."""
        with self._reading() as db:
            return find(db, self._ledger.vault, subject)

    def history(self, reference: StatusReference) -> tuple[Event, ...]:
        """Every change of a status, the first one first; empty when the place was never given to a credential."""
        with self._reading() as db:
            return history(db, reference)

    def list_numbers(self) -> tuple[int, ...]:
        """As `Register.list_numbers`."""
        with self._reading() as db:
            return tuple(db.execute(sa.select(_lists.c.number).order_by(_lists.c.number)).scalars())

    def statuses(self, list_number: int) -> bytes:
        """As `Register.statuses`."""
        with self._reading() as db:
            return list_statuses(db, list_number)

    @contextmanager
    def publication(self, list_number: int, *, after: datetime | None = None) -> Iterator[Snapshot]:
        """As `Register.publication`. The list itself is not held meanwhile, except by SQLite."""
        with self._writing() as tx:
            hold(tx, "publication")
            statuses = list_statuses(tx.db, list_number)
            here = _lists.c.number == list_number
            last = tx.db.execute(sa.select(_lists.c.published).where(here)).scalar_one()
            issued = max(int(tx.now.timestamp()), last + 1, int(after.timestamp()) + 1 if after else 0)
            yield Snapshot(list_number, statuses, datetime.fromtimestamp(issued, UTC))
            tx.db.execute(sa.update(_lists).where(here).values(published=issued))
            tx.note("status-list-published", {"list": list_number, "issued_at": issued})


def _insert_changes(tx: Transaction, number: int, places: Iterable[int], status: Status, reason: Reason) -> None:
    same = {"list": number, "at": tx.now, "status": int(status), "reason": reason.value}
    put(tx, _changes, [{**same, "place": place} for place in places])


def _change(
    tx: Transaction, references: Sequence[StatusReference], status: Status, reason: Reason, drawing: Drawing
) -> int:
    """Change places that have another status."""
    for number, places in _by_list(references).items():
        for part in chunks(places):
            here = sa.and_(_entries.c.list == number, _entries.c.place.in_(part))
            tx.db.execute(sa.update(_entries).where(here).values(status=int(status)))
        _insert_changes(tx, number, places, status, reason)
        _tell(tx, number, places, status, reason)
        stir(tx, number, status, len(places), drawing.below)
    return len(references)


def _tell(tx: Transaction, number: int, places: Sequence[int], status: Status, reason: Reason) -> None:
    """Note the changes, and end the stored credentials that were revoked."""
    ended = CredentialState.SUPERSEDED if reason is Reason.SUPERSEDED else CredentialState.REVOKED
    columns = _credentials.c.place, _credentials.c.id, _credentials.c.permit_id, _credentials.c.person_id
    for part in chunks(places):
        here = sa.and_(_credentials.c.list == number, _credentials.c.place.in_(part))
        known = {row.place: row for row in tx.db.execute(sa.select(*columns).where(here))}
        for place in part:
            subjects = known[place]._mapping if place in known else {}
            details = {"list": number, "place": place, "status": status.name.lower(), "reason": reason.value}
            tx.note(
                "status-changed",
                details,
                credential=subjects.get("id"),
                permit=subjects.get("permit_id"),
                person=subjects.get("person_id"),
            )
        if status is Status.INVALID and known:
            open_ = _credentials.c.state.in_([CredentialState.SIGNED.value, CredentialState.LIVE.value])
            tx.db.execute(sa.update(_credentials).where(here, open_).values(state=ended.value, ended_at=tx.now))


def _rows(
    db: sa.Connection, references: Iterable[StatusReference], *columns: sa.ColumnElement[Any]
) -> dict[StatusReference, tuple[Any, ...]]:
    """``columns`` of the entries at these places, without those that were never given to a credential."""
    found = {}
    for number, places in _by_list(references).items():
        for part in chunks(places):
            query = sa.select(_entries.c.place, *columns).where(_AT_PLACES)
            for place, *values in db.execute(query, {"list": number, "places": part}):
                found[StatusReference(number, place)] = tuple(values)
    return found


def _replacing(db: sa.Connection, references: Iterable[StatusReference]) -> set[StatusReference]:
    """The places that were to replace one of these."""
    found = set()
    for number, places in _by_list(references).items():
        for part in chunks(places):
            here = sa.and_(_entries.c.replaces_list == number, _entries.c.replaces_place.in_(part))
            found |= {
                StatusReference(*row) for row in db.execute(sa.select(_entries.c.list, _entries.c.place).where(here))
            }
    return found


def _with_status(db: sa.Connection, references: Iterable[StatusReference], other: Status) -> list[StatusReference]:
    """Those of these places that are known and have any status but ``other``."""
    return [reference for reference, status in statuses_of(db, references).items() if status is not other]


def _by_list(references: Iterable[StatusReference]) -> Mapping[int, list[int]]:
    """The places by the number of their list."""
    found = defaultdict(list)
    for reference in references:
        if storable(reference):
            found[reference.list_number].append(reference.index)
    return found


def _title(reference: StatusReference) -> str:
    return f"{reference.list_number}:{reference.index}"


def _unknown(reference: StatusReference) -> InputError:
    return InputError(
        "登记簿中没有这个状态编号：不是本机构签发的凭证",
        "the register has no such status entry: this office did not issue the credential",
        where=_title(reference),
    )
