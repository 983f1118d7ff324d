"""Drawing places in status lists at random, and the decoys among them."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from juying.credential.claims import StatusReference
from juying.credential.status_list import MAX_ENTRIES, Status
from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.bulk import insert_many
from juying.ledger.ledger import Transaction
from juying.ledger.people import chunks

CAPACITY = 100_000
"""Entries of a list; at 1 % revoked it is smaller than 2 kB."""
LEAST_CAPACITY = 64

_TOO_LARGE = 1 << 31  # for a column
_RESERVE = 16  # one of so many places is never given to a credential, one of twice as many may become a decoy
_MANY = 100  # more places than this are drawn and stored in other ways, which cost more to begin with
_FIRST_DECOYS = 1000  # one of so many places at most is a revoked decoy when a list begins

_lists, _entries = schema.status_lists, schema.status_entries

_LAST_LIST = sa.select(_lists.c.number, _lists.c.capacity, _lists.c.allotted).order_by(_lists.c.number.desc()).limit(1)
_PLACES = sa.select(_entries.c.place).where(_entries.c.list == sa.bindparam("number"))
_TAKEN = _PLACES.where(_entries.c.place.in_(sa.bindparam("places", expanding=True)))


@dataclass(frozen=True, slots=True)
class Drawing:
    """How new lists begin, and chance: ``below(n)`` draws from 0 to n - 1.

    After the loss of a ledger begin the next one with a ``first`` list number that was never used, otherwise places
    are given twice. Raises `InputError` for settings out of range.
    """

    first: int = 1
    capacity: int = CAPACITY
    below: Callable[[int], int] = secrets.randbelow

    def __post_init__(self) -> None:
        """Check what would otherwise fail when a list begins."""
        if not LEAST_CAPACITY <= self.capacity <= MAX_ENTRIES:
            raise InputError("状态列表容量超出范围", "the capacity of a status list is out of range")
        if not 0 <= self.first < _TOO_LARGE:
            raise InputError("状态列表号超出范围", "the number of the first status list is out of range")


DRAWING = Drawing()


def storable(reference: StatusReference) -> bool:
    """False for a place that no column of ours holds; the credentials of others may name such."""
    return max(reference.list_number, reference.index) < _TOO_LARGE


def hold(tx: Transaction, what: str = "register") -> None:
    """Wait until nobody else holds this, and hold it until the transaction ends. In SQLite one alone writes anyway."""
    if tx.db.dialect.name == "postgresql":
        tx.db.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"juying {what}"))))


def open_list(tx: Transaction, drawing: Drawing) -> tuple[int, int, int]:
    """Number, capacity and room of the list with room; a new one when there is none."""
    last = tx.db.execute(_LAST_LIST).one_or_none()
    if last and (room := last.capacity - last.capacity // _RESERVE - last.allotted) > 0:
        return last.number, last.capacity, room
    number, capacity = last.number + 1 if last else drawing.first, drawing.capacity
    tx.db.execute(sa.insert(_lists).values(number=number, capacity=capacity, allotted=0, decoys=0, published=0))
    tx.note("status-list-begun", {"list": number, "capacity": capacity})
    _add_decoys(tx, number, Status.INVALID, drawing.below(capacity // _FIRST_DECOYS + 1), drawing.below)
    return number, capacity, capacity - capacity // _RESERVE


def draw(tx: Transaction, number: int, capacity: int, count: int, below: Callable[[int], int]) -> list[int]:
    """Free places of a list, each as likely as the other. One in 32 is always free, so few draws are in vain."""
    many = count > _MANY
    drawn = set(tx.db.execute(_PLACES, {"number": number}).scalars()) if many else set()
    found: list[int] = []
    while len(found) < count:
        fresh: list[int] = []
        while len(found) + len(fresh) < count:
            place = below(capacity)
            if place not in drawn:
                drawn.add(place)
                fresh.append(place)
        taken = set() if many else set(tx.db.execute(_TAKEN, {"number": number, "places": fresh}).scalars())
        found += [place for place in fresh if place not in taken]
    return found


def insert(
    tx: Transaction,
    number: int,
    places: Sequence[int],
    status: Status,
    *,
    keys: Sequence[bytes | None],
    replaces: Sequence[StatusReference | None],
    decoy: bool = False,
) -> None:
    """Take places, each for the permit whose number has this keyed hash, in place of an older credential or None."""
    rows = []
    for place, key, old in zip(places, keys, replaces, strict=True):
        replaced = (old.list_number, old.index) if old and storable(old) else (None, None)
        row = {"list": number, "place": place, "status": int(status), "decoy": decoy, "subject_key": key}
        rows.append({**row, "replaces_list": replaced[0], "replaces_place": replaced[1]})
    put(tx, _entries, rows)


def put(tx: Transaction, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, many of them in the fastest way."""
    if len(rows) > _MANY:
        insert_many(tx.db, sa.insert(table), rows)
    else:
        tx.db.execute(sa.insert(table), rows)


def stir(tx: Transaction, number: int, status: Status, count: int, below: Callable[[int], int]) -> None:
    """Let decoys change in the same way, one for about two of ``count``, as long as there are places for decoys."""
    count = sum(below(2) for _ in range(count))
    if status is not Status.VALID:
        _add_decoys(tx, number, status, count, below)
        return
    suspended = sa.and_(_entries.c.list == number, _entries.c.decoy, _entries.c.status == Status.SUSPENDED)
    places = list(tx.db.execute(sa.select(_entries.c.place).where(suspended)).scalars())
    chosen = [places.pop(below(len(places))) for _ in range(min(count, len(places)))]
    for part in chunks(chosen):
        here = sa.and_(_entries.c.list == number, _entries.c.place.in_(part))
        tx.db.execute(sa.update(_entries).where(here).values(status=int(status)))


def _add_decoys(tx: Transaction, number: int, status: Status, count: int, below: Callable[[int], int]) -> None:
    here = _lists.c.number == number
    capacity, decoys = tx.db.execute(sa.select(_lists.c.capacity, _lists.c.decoys).where(here)).one()
    count = min(count, capacity // (2 * _RESERVE) - decoys)
    if count > 0:
        places, nobody = draw(tx, number, capacity, count, below), [None] * count
        insert(tx, number, places, status, keys=nobody, replaces=nobody, decoy=True)
        tx.db.execute(sa.update(_lists).where(here).values(decoys=decoys + count))
