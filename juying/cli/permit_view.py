"""What ``juying permit`` shows: what was done, what a person has, and what cards still lack."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from juying.cli.output import print_fields, print_json
from juying.cli.plain import Cell, print_line, print_rows
from juying.text import Text

if TYPE_CHECKING:
    from datetime import date

    from juying.issuance.changes import Applied
    from juying.issuance.dossier import Dossier, Pending
    from juying.ledger.ledger import Ledger


def applied_document(ledger: "Ledger", applied: "Applied") -> dict[str, Any]:
    """What was done, for programs."""
    order = _order(ledger, applied)
    return {
        "kind": applied.kind.value,
        "again": applied.again,
        "application": applied.application,
        "person": applied.person,
        "permit": applied.permit,
        "order": None if order is None else {"id": applied.order, **order},
        "notes": [note._asdict() for note in applied.notes],
    }


def show_applied(ledger: "Ledger", applied: "Applied", *, as_json: bool) -> None:
    """What was done, and what is to be done with a card now."""
    document = applied_document(ledger, applied)
    if as_json:
        print_json(document)
        return
    if not applied.again:
        done = Text(f"已办理：{applied.kind.text.zh}", f"done: {applied.kind.text.en}")
        print_line(str(done), "green")
    for note in applied.notes:
        print_line(str(note), "yellow")
    if document["order"] is not None:
        print_line(str(_to_do(applied, document["order"])))


def _order(ledger: "Ledger", applied: "Applied") -> dict[str, Any] | None:
    import sqlalchemy as sa

    from juying.ledger import schema

    if applied.order is None:
        return None
    table = schema.orders
    columns = table.c.kind, table.c.state, table.c.due_on, table.c.card_number, schema.cards.c.number
    query = (
        sa.select(*columns)
        .select_from(table.outerjoin(schema.cards, schema.cards.c.id == table.c.card_id))
        .where(table.c.id == applied.order)
    )
    with ledger.reading() as db:
        row = db.execute(query).one()
    return {
        "kind": row.kind,
        "state": row.state,
        "due_on": row.due_on.isoformat() if row.due_on else None,
        "card_number": row.number or row.card_number,
    }


def _to_do(applied: "Applied", order: dict[str, Any]) -> Text:
    number, card = applied.order, order["card_number"]
    if order["kind"] == "new":
        return Text(
            f"新卡 {card} 待制（订单 {number}）：在任一工位放入空白卡即可",
            f"card {card} is to be made (order {number}): insert a blank at any station",
        )
    zh, en = ("待清除许可", "is to be wiped") if order["kind"] == "wipe" else ("待更新", "is to be updated")
    return Text(
        f"卡 {card} {zh}（订单 {number}）：下次在任一工位放入该卡时完成",
        f"card {card} {en} (order {number}): done when it is inserted at any station",
    )


def dossier_document(dossier: "Dossier", today: "date") -> dict[str, Any]:
    """Everything on one person, for programs."""
    from juying.issuance.permit_life import next_steps
    from juying.ledger.people import holder_record, permit_record

    standing = dossier.standing
    return {
        "person": standing.person,
        "holder": holder_record(standing.holder) | {"social_security_number": standing.holder.social_security_number},
        "suspended": standing.suspended,
        "permits": [
            {"id": entry.id, "state": entry.state.value, "ended_by": entry.ended_by, **permit_record(entry.permit)}
            for entry in dossier.permits
        ],
        "cards": [
            {
                "id": entry.id,
                "number": entry.number,
                "state": entry.state.value,
                "issued_on": entry.issued_on.isoformat(),
                "expires_on": entry.expires_on.isoformat(),
                "permit": entry.permit,
            }
            for entry in dossier.cards
        ],
        "credentials": [
            {
                "id": entry.id,
                "permit": entry.permit,
                "tier": entry.tier.name.lower(),
                "state": entry.state.value,
                "status": entry.status.name.lower() if entry.status is not None else None,
            }
            for entry in dossier.credentials
        ],
        "orders": [
            {"id": order.id, "kind": order.kind.value, "state": order.state.value, "card": order.card,
             "permit": order.permit, "note": order.note}
            for order in standing.orders
        ],
        "next": [
            {"step": one.step.value, "on": one.on.isoformat(), "days_left": one.days_left}
            for one in (next_steps(standing.permit, today) if standing.permit else ())
        ],
    }  # fmt: skip


def show_dossier(dossier: "Dossier", today: "date", *, as_json: bool) -> None:
    """Everything on one person."""
    if as_json:
        print_json(dossier_document(dossier, today))
        return
    holder = dossier.standing.holder
    print_fields(
        Text("持卡人", "holder"),
        [
            (Text("编号", "number of the person"), str(dossier.standing.person)),
            (Text("姓名", "name"), holder.name),
            (Text("国籍", "nationality"), holder.nationality),
            (Text("证件号码", "document number"), holder.document_number),
            (Text("社会保障号码", "social security number"), holder.social_security_number),
        ],
    )
    _table(Text("许可", "permits"), _permit_rows(dossier))
    _table(Text("卡", "cards"), _card_rows(dossier))
    _table(Text("电子凭证", "credentials"), _credential_rows(dossier))
    _table(Text("待办", "waiting"), _order_rows(dossier))
    _table(Text("期限", "dates"), _step_rows(dossier, today))


def show_pending(waiting: "Sequence[Pending]", *, as_json: bool) -> None:
    """The changes that cards still lack."""
    if as_json:
        print_json(
            [
                {
                    "order": one.order,
                    "kind": one.kind.value,
                    "state": one.state.value,
                    "person": one.person,
                    "card": one.card,
                    "card_number": one.card_number,
                    "since": one.since.isoformat(),
                    "due_on": one.due_on.isoformat() if one.due_on else None,
                    "note": one.note,
                }
                for one in waiting
            ]
        )
        return
    rows = [
        (str(one.order), one.card_number, str(one.kind.text), str(one.state.text), _from(one.due_on), one.note)
        for one in waiting
    ]
    _table(Text("待更新的卡", "cards to be updated"), rows)
    if not rows:
        print_line(str(Text("没有待更新的卡", "no card is to be updated")))


def _permit_rows(dossier: "Dossier") -> Iterator[Sequence[str]]:
    from juying.issuance.permit_life import Kind

    for entry in dossier.permits:
        permit = entry.permit
        ended = Kind(entry.ended_by).text if entry.ended_by else ""
        days = f"{permit.valid_from} – {permit.valid_until}"
        state = entry.state.text
        if dossier.standing.suspended and entry.id == dossier.standing.permit_id:
            state = Kind.SUSPENSION.text
        yield permit.number, permit.category.value, days, permit.employer.name, permit.position, str(state), str(ended)


def _card_rows(dossier: "Dossier") -> Iterator[Sequence[str]]:
    numbers = {entry.id: entry.permit.number for entry in dossier.permits}
    for card in dossier.cards:
        held = numbers.get(card.permit or 0, "")
        yield card.number, str(card.state.text), f"{card.issued_on} – {card.expires_on}", held


def _credential_rows(dossier: "Dossier") -> Iterator[Sequence[str]]:
    for entry in dossier.credentials:
        status = entry.status.text if entry.status is not None else ""
        yield str(entry.id), str(entry.tier.text), str(entry.state.text), str(status)


def _order_rows(dossier: "Dossier") -> Iterator[Sequence[str]]:
    for order in dossier.standing.orders:
        yield str(order.id), str(order.kind.text), str(order.state.text), order.note


def _step_rows(dossier: "Dossier", today: "date") -> Iterator[Sequence[str]]:
    from juying.issuance.permit_life import next_steps

    if dossier.standing.permit is not None:
        for one in next_steps(dossier.standing.permit, today):
            left = Text(f"还有 {one.days_left} 天", f"in {one.days_left} days") if one.days_left > 0 else ""
            yield str(one.on), str(one.step.text), str(left)


def _from(due_on: "date | None") -> str:
    return str(Text(f"{due_on} 起", f"from {due_on} on")) if due_on else ""


def _table(title: Text, rows: "Iterator[Sequence[str]] | Sequence[Sequence[str]]") -> None:
    cells = [[Cell(text) for text in row] for row in rows]
    if cells:
        print_line(str(title), "bold")
        print_rows(cells)
        print_line("")
