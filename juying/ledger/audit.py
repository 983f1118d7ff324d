"""Do the records of the ledger say the same as its events, and the same as each other?

The chain (`juying.ledger.verify`) proves that no event was changed; here the tables, which anybody with the database's
password can change, are held against the events and against one another. What a constraint of the database forbids is
asked again, because constraints can be dropped.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from juying.credential.status_list import Status
from juying.errors import DecodeError
from juying.ledger import schema
from juying.ledger.states import (
    LIVE_CARDS,
    BlankState,
    CardState,
    CredentialState,
    OrderKind,
    OrderState,
    PermitState,
    Word,
)
from juying.ledger.vault import Vault
from juying.ledger.verify import MOST_FINDINGS, Finding
from juying.text import Text

_events, _orders, _blanks, _cards = schema.events, schema.orders, schema.blanks, schema.cards
_persons, _permits, _credentials = schema.persons, schema.permits, schema.credentials
_entries, _applications = schema.status_entries, schema.applications

_PAGE = 1000


class _Check(NamedTuple):
    """A query for the ids of records of one table that contradict something, and what that is."""

    table: str
    text: Text
    query: sa.Select[Any]


def audit_records(db: sa.Connection, vault: Vault | None = None) -> list[Finding]:
    """What contradicts the events or another record, `MOST_FINDINGS` at most.

    With ``vault`` every sealed value is opened too: one that was changed, or copied from another record, does not.
    """
    found: list[Finding] = []
    for finding in _all(db, vault):
        found.append(finding)
        if len(found) == MOST_FINDINGS:
            break
    return found


def _all(db: sa.Connection, vault: Vault | None) -> Iterator[Finding]:
    for check in (*_checks(), *_missing_subjects()):
        for row in db.execute(check.query).fetchmany(MOST_FINDINGS):  # PostgreSQL plans a LIMIT for the case of many
            yield Finding(f"{check.table}/{row[0]}", check.text)
    if db.dialect.name == "sqlite":
        for table, row_id, *_ in db.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST_FINDINGS):
            yield Finding(f"{table}/{row_id}", Text("所指的记录不存在", "refers to a record that is not there"))
    if vault is not None:
        yield from _sealed(db, vault)


# The events that say in which state an order is, and the state.
_ORDER_EVENTS = {f"order-{state.value}": state for state in OrderState} | {
    "order-claimed": OrderState.WRITING,
    "order-resumed": OrderState.WRITING,
}
_SPOILED = "card-spoiled"  # the order is planned again, or suspended
_MADE = ("order-sealed", "card-adopted")
"""The events by which a card becomes somebody's."""


def _checks() -> Iterator[_Check]:
    yield from _order_checks()
    yield from _card_checks()
    yield from _person_checks()
    yield _Check(
        "credentials",
        Text("启用，但没有启用的事件", "is live, but no event says so"),
        sa.select(_credentials.c.id).where(
            _in(_credentials, CredentialState.LIVE), ~_event("credential", _credentials, "credential-live")
        ),
    )
    joined = _credentials.join(
        _entries, sa.and_(_entries.c.list == _credentials.c.list, _entries.c.place == _credentials.c.place)
    )
    ended = _in(_credentials, CredentialState.SUPERSEDED, CredentialState.REVOKED)
    yield _Check(
        "credentials",
        Text("状态与状态列表中的不一致", "its state is not as in the status list"),
        sa.select(_credentials.c.id).select_from(joined).where((_entries.c.status == Status.INVALID.value) != ended),
    )


def _order_checks() -> Iterator[_Check]:
    kinds = [*_ORDER_EVENTS, _SPOILED]
    last = (
        sa.select(_events.c.order_id, sa.func.max(_events.c.number).label("number"))
        .where(_events.c.order_id.is_not(None), _events.c.kind.in_(kinds))
        .group_by(_events.c.order_id)
        .subquery()
    )
    told = last.join(_events, _events.c.number == last.c.number)
    state = sa.case(*((_events.c.kind == kind, after.value) for kind, after in _ORDER_EVENTS.items()))
    as_told = sa.or_(
        _orders.c.state == sa.func.coalesce(state, OrderState.PLANNED.value),
        sa.and_(_events.c.kind == _SPOILED, _in(_orders, OrderState.SUSPENDED)),
        # An order for a card that was replaced meanwhile goes with the card.
        sa.and_(_in(_orders, OrderState.REPLACED), _exists(_cards, _orders.c.card_id, CardState.REPLACED)),
    )
    yield _Check(
        "orders",
        Text("状态与其事件不一致", "its state is not what its events say"),
        sa.select(_orders.c.id).select_from(_orders.outerjoin(told, last.c.order_id == _orders.c.id)).where(~as_told),
    )
    yield _Check(
        "orders",
        Text("卡片与制成时记下的不同", "its card is not the one that was sealed for it"),
        sa.select(_orders.c.id)
        .join(_events, sa.and_(_events.c.order_id == _orders.c.id, _events.c.kind == "order-sealed"))
        .where(_events.c.card_id.is_distinct_from(_orders.c.card_id)),
    )
    sealed = sa.and_(_orders.c.kind == OrderKind.NEW.value, _in(_orders, OrderState.SEALED, OrderState.DELIVERED))
    yield _Check(
        "orders",
        Text("已制成，但其卡未制成", "is sealed, but its card was never made"),
        sa.select(_orders.c.id)
        .join(_cards, _cards.c.id == _orders.c.card_id)
        .where(sealed, _in(_cards, CardState.BEGUN, CardState.SPOILED)),
    )
    twice = sa.select(_orders.c.card_id).where(sealed).group_by(_orders.c.card_id).having(sa.func.count() > 1)
    yield _Check("cards", Text("由两个订单制成", "was made for two orders"), twice)
    for table, title in ((_applications, Text("申请", "application")), (_permits, Text("许可", "permit"))):
        mine = _orders.c.application_id if table is _applications else _orders.c.permit_id
        yield _Check(
            "orders",
            Text(f"其{title.zh}属于另一人", f"its {title.en} is another person's"),
            sa.select(_orders.c.id).join(table, table.c.id == mine).where(table.c.person_id != _orders.c.person_id),
        )


def _card_checks() -> Iterator[_Check]:
    issued = [state for state in CardState if state not in (CardState.BEGUN, CardState.SPOILED)]
    yield _Check(
        "cards",
        Text("已发出，但没有制成的事件", "is issued, but no event says that it was made"),
        sa.select(_cards.c.id).where(_in(_cards, *issued), ~_event("card", _cards, *_MADE)),
    )
    yield _Check(
        "cards",
        Text("有制成的事件，但状态不是", "an event says that it was made, its state does not"),
        sa.select(_cards.c.id).where(~_in(_cards, *issued), _event("card", _cards, *_MADE)),
    )
    yield _Check(
        "cards",
        Text("卡坯与事件中的不同", "its blank is not the one in its events"),
        sa.select(_cards.c.id)
        .join(_events, _events.c.card_id == _cards.c.id)
        .where(_events.c.blank_id.is_not(None), _events.c.blank_id != _cards.c.blank_id)
        .distinct(),
    )
    yield _Check(
        "persons",
        Text("有两张有效的卡", "has two live cards"),
        sa.select(_cards.c.person_id)
        .where(_in(_cards, *LIVE_CARDS))
        .group_by(_cards.c.person_id)
        .having(sa.func.count() > 1),
    )
    yield _Check(
        "blanks",
        Text("用于两张卡", "was used for two cards"),
        sa.select(_events.c.blank_id)
        .where(_events.c.blank_id.is_not(None), _events.c.card_id.is_not(None))
        .group_by(_events.c.blank_id)
        .having(sa.func.count(_events.c.card_id.distinct()) > 1),
    )
    used = sa.select(_cards.c.blank_id).where(_in(_cards, *issued))
    free = sa.or_(_in(_blanks, BlankState.STOCK, BlankState.IN_USE, BlankState.SPOILED))
    yield _Check(
        "blanks",
        Text("其卡已发出，卡坯的状态却不是", "its card is issued, its own state says otherwise"),
        sa.select(_blanks.c.id).where(free, _blanks.c.id.in_(used)),
    )
    scrapped = _in(_blanks, BlankState.SCRAPPED)
    yield _Check(
        "blanks",
        Text("是否已销毁，与事件不一致", "whether it was destroyed is not as its events say"),
        sa.select(_blanks.c.id).where(scrapped != _event("blank", _blanks, "blank-scrapped")),
    )


def _person_checks() -> Iterator[_Check]:
    yield _Check(
        "persons",
        Text("是否已删除，与事件不一致", "whether it was erased is not as its events say"),
        sa.select(_persons.c.id).where(
            _persons.c.erased_at.is_not(None) != _event("person", _persons, "person-erased")
        ),
    )
    yield _Check(
        "persons",
        Text("有两份有效许可", "has two valid permits"),
        sa.select(_permits.c.person_id)
        .where(_in(_permits, PermitState.VALID))
        .group_by(_permits.c.person_id)
        .having(sa.func.count() > 1),
    )


def _missing_subjects() -> Iterator[_Check]:
    """Records that events speak of and that are not there any more."""
    for subject in schema.SUBJECTS:
        table, column = schema.metadata.tables[f"{subject}s"], _events.c[f"{subject}_id"]
        gone = sa.select(column).where(column.is_not(None), ~sa.exists().where(table.c.id == column)).distinct()
        yield _Check(table.name, Text("事件提到它，记录却不在", "events speak of it, but the record is gone"), gone)


def _sealed(db: sa.Connection, vault: Vault) -> Iterator[Finding]:
    """Sealed values that do not open in their place."""
    for column, suffix in (
        (_persons.c.sealed, ""), (_persons.c.photo, "/photo"), (_permits.c.sealed, ""), (_credentials.c.sealed, ""),
    ):  # fmt: skip
        table = column.table
        query = sa.select(table.c.id, column).where(column.is_not(None)).order_by(table.c.id).limit(_PAGE)
        after = 0
        while page := db.execute(query.where(table.c.id > after)).all():
            for number, sealed in page:
                place = f"{table.name}/{number}{suffix}"
                try:
                    vault.open_bytes(sealed, place)
                except DecodeError as error:
                    yield Finding(place, error.text)
            after = page[-1][0]


def _in(table: sa.Table, *states: Word) -> sa.ColumnElement[bool]:
    return table.c.state.in_([state.value for state in states])


def _exists(table: sa.Table, number: sa.ColumnElement[Any], *states: Word) -> sa.ColumnElement[bool]:
    return sa.exists().where(table.c.id == number, _in(table, *states))


def _event(subject: str, table: sa.Table, *kinds: str) -> sa.ColumnElement[bool]:
    """There is an event of one of these kinds about the record."""
    column = _events.c[f"{subject}_id"]
    return table.c.id.in_(sa.select(column).where(column.is_not(None), _events.c.kind.in_(kinds)))
