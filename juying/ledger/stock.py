"""Blanks in stock, and how cards and blanks end: registered by their identifiers, destroyed by two."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import approvals, schema
from juying.ledger.ledger import Actor, Ledger, Transaction
from juying.ledger.operators import Action, allow
from juying.ledger.people import chunks
from juying.ledger.states import LIVE_CARDS, BlankState, CardState, require

_blanks, _cards = schema.blanks, schema.cards

_IDENTIFIER = re.compile(r"([0-9a-f]{24})(?:[0-9a-f]{8})?")


@dataclass(frozen=True, slots=True)
class Blank:
    """A blank, or the card that was made of it; ``card`` is the card's state."""

    id: int
    identifier: str = field(repr=False)
    state: BlankState
    profile: str
    reason: str
    card: CardState | None = None


def identifier_of(text: str) -> str:
    """A 卡识别码 (24 hexadecimal digits, or 32 with its check code) as the ledger has it. Raises `InputError`."""
    match = _IDENTIFIER.fullmatch("".join(text.split()).lower())
    if match is None:
        raise InputError(
            "卡识别码为 24 位（或含校验码 32 位）十六进制数",
            "a card identifier has 24 hexadecimal digits, or 32 with its check code",
        )
    return match[1]


def add(tx: Transaction, identifiers: Sequence[str], profile: str) -> int:
    """Take blanks into stock; how many were not there yet. Raises `InputError` for one that has another profile."""
    allow(tx.actor, Action.STOCK)
    wanted = list(dict.fromkeys(map(identifier_of, identifiers)))
    known = {blank.identifier: blank for blank in _find(tx.db, _blanks.c.identifier, wanted)}
    for blank in known.values():
        if blank.profile != profile:
            raise InputError(
                f"已登记为 {blank.profile}，未作任何改动",
                f"is registered as {blank.profile}; nothing was changed",
                where=_where(blank.id),
            )
    new = [identifier for identifier in wanted if identifier not in known]
    ids = tx.new_ids(_blanks, len(new))
    state = BlankState.STOCK.value
    rows = [
        {"id": number, "identifier": identifier, "state": state, "profile": profile, "made_at": tx.now}
        for number, identifier in zip(ids, new, strict=True)
    ]
    for part in chunks(rows):
        tx.db.execute(sa.insert(_blanks), part)
    for number in ids:
        tx.note("blank-registered", {"profile": profile}, blank=number)
    return len(new)


def listing(db: sa.Connection, *states: BlankState) -> list[Blank]:
    """All blanks, or those in these states."""
    query = _query().order_by(_blanks.c.id)
    if states:
        query = query.where(_blanks.c.state.in_([state.value for state in states]))
    return [_blank(row) for row in db.execute(query)]


def counts(db: sa.Connection) -> Counter[BlankState]:
    """How many blanks there are in each state."""
    rows = db.execute(sa.select(_blanks.c.state, sa.func.count()).group_by(_blanks.c.state))
    return Counter({BlankState(state): count for state, count in rows})


def find(db: sa.Connection, named: Sequence[str]) -> list[Blank]:
    """The blanks with these ids or identifiers. Raises `InputError` when one is not there."""
    found = []
    for name in named:
        by_id = name.isascii() and name.isdigit() and len(name) < 20
        column, value = (_blanks.c.id, int(name)) if by_id else (_blanks.c.identifier, identifier_of(name))
        one = _find(db, column, [value])
        if not one:
            raise InputError("台账中没有这张卡坯，请核对", "the ledger has no such blank: check it", where=name[:40])
        found += one
    return list(dict.fromkeys(found))


def scrap(ledger: Ledger, actor: Actor, ids: Sequence[int]) -> int:
    """Record that two persons destroyed blanks or cards; how many were not recorded so before.

    The first time this asks for the second person, and raises `InputError` until somebody approved it
    (`juying.ledger.approvals`). A card that is good has to be ended first.
    """
    wanted = sorted(set(ids))
    subject = {"blanks": wanted}
    with ledger.reading() as db:
        left = _to_scrap(_find(db, _blanks.c.id, wanted))
    if not left:
        return 0
    number = approvals.second_person(ledger, actor, Action.SCRAP, subject)
    with ledger.transaction(actor) as tx:
        left = _to_scrap(_find(tx.db, _blanks.c.id, wanted, lock=True))
        approvals.use(tx, number, Action.SCRAP, subject)
        for blank in left:
            change = sa.update(_blanks).where(_blanks.c.id == blank.id)
            tx.db.execute(change.values(state=BlankState.SCRAPPED.value))
            tx.note("blank-scrapped", {"approval": number}, blank=blank.id)
    return len(left)


def _to_scrap(blanks: Sequence[Blank]) -> list[Blank]:
    """Those that are not destroyed yet. Raises `InputError` when one may not be."""
    left = [blank for blank in blanks if blank.state is not BlankState.SCRAPPED]
    for blank in left:
        if blank.card in LIVE_CARDS:
            raise InputError(
                "这张卡仍有效，未作任何改动；请先挂失、换发或注销",
                "this card is good, nothing was changed: have it lost, replaced or cancelled first",
                where=_where(blank.id),
            )
        require(blank.state, BlankState.SCRAPPED, where=_where(blank.id))
    return left


def _query() -> sa.Select[Any]:
    joined = _blanks.outerjoin(_cards, _cards.c.blank_id == _blanks.c.id)
    return sa.select(_blanks, _cards.c.state.label("card_state")).select_from(joined)


def _find(db: sa.Connection, column: sa.Column[Any], values: Sequence[Any], *, lock: bool = False) -> list[Blank]:
    found: list[Blank] = []
    for part in chunks(values):
        query = _query().where(column.in_(part)).order_by(_blanks.c.id)
        found += map(_blank, db.execute(query.with_for_update(of=_blanks) if lock else query))
    return found


def _blank(row: Any) -> Blank:
    card = None if row.card_state is None else CardState(row.card_state)
    return Blank(row.id, row.identifier, BlankState(row.state), row.profile, row.reason, card)


def _where(blank: int) -> str:
    return f"blanks/{blank}"
