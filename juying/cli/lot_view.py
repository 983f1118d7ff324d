"""What the commands of ``juying lot`` show: previews, lots, orders, and what an audit found."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from juying.cli.output import Exit, print_json, print_text
from juying.cli.plain import Cell, print_line, print_rows
from juying.text import Text

if TYPE_CHECKING:
    from juying.issuance.lot_audit import AuditLine, Seen
    from juying.issuance.lot_listing import Listed, Lot
    from juying.issuance.lots import Finding, Preview


def print_preview(found: "Preview", lot: str | None, *, as_json: bool) -> int:
    """The rows by what they are; ``lot`` is the name of the one they were imported into, None for a preview."""
    from juying.issuance.lots import Status

    if as_json:
        counts = {status.value: count for status, count in found.counts.items()}
        named = {} if lot is None else {"lot": lot or None}
        print_json({**named, "counts": counts, "rows": [_finding(one) for one in found.findings]})
    else:
        for one in found.findings:
            if one.status is not Status.NEW or one.notes:
                _show_finding(one)
        print_line("，".join(f"{status.text} {count}" for status, count in found.counts.items()), "bold")
        if lot:
            print_text(str(Text(f"已导入批次：{lot}", f"imported into the lot: {lot}")))
        elif lot is not None:
            print_text(str(Text("没有新内容，台账未改动", "nothing is new, the ledger was not changed")))
    return Exit.NO if found.counts[Status.WRONG] else Exit.DONE


def _show_finding(one: "Finding") -> None:
    from juying.issuance.columns import BY_KEY

    kind = "" if one.kind is None else f" {one.kind.text}"
    print_line(f"行 / row {one.row}: {one.status.text}{kind} {one.card_number}".rstrip())
    if one.changed:
        titles = [BY_KEY[key].heading for key in one.changed]
        print_line(f"    {Text('、'.join(each.zh for each in titles), ', '.join(each.en for each in titles))}")
    for problem in one.problems:
        print_line(f"    {problem}", "red")
    for note in one.notes:
        print_line(f"    {note}", "dim")


def _finding(one: "Finding") -> dict[str, Any]:
    return {
        "row": one.row,
        "status": one.status.value,
        "kind": one.kind.value if one.kind is not None else None,
        "order": one.order,
        "card_number": one.card_number,
        "changed": list(one.changed),
        "problems": [{"where": problem.where, **problem.text._asdict()} for problem in one.problems],
        "notes": [note._asdict() for note in one.notes],
    }


def lot_document(lot: "Lot") -> dict[str, Any]:
    """A lot as JSON values."""
    return {
        "lot": lot.name,
        "state": lot.state.value,
        "source": lot.source,
        "profile": lot.profile,
        "box_size": lot.box_size,
        "imported_at": lot.made_at.isoformat(),
        "closed_at": lot.closed_at.isoformat() if lot.closed_at else None,
        "orders": lot.orders,
        "counts": {state.value: count for state, count in lot.counts.items()},
    }


LOT_HEADINGS = (
    "批次 lot", "状态 state", "订单 orders", "完成 ended", "卡规格 profile", "来源 source", "导入 imported",
)  # fmt: skip


def lot_cells(lot: "Lot") -> list[str]:
    """A lot as a line of `LOT_HEADINGS`."""
    numbers = (str(lot.orders), str(lot.ended))
    return [lot.name, str(lot.state.text), *numbers, lot.profile, lot.source, local_time(lot.made_at)]


def order_document(order: "Listed") -> dict[str, Any]:
    """An order as JSON values."""
    return {
        "order": order.id,
        "lot": order.lot,
        "position": order.position,
        "row": order.row,
        "kind": order.kind.value,
        "state": order.state.value,
        "card_number": order.card_number,
        "box": order.box,
        "failures": order.failures,
        "note": order.note,
        "begun_at": order.begun_at.isoformat() if order.begun_at else None,
        "sealed_at": order.sealed_at.isoformat() if order.sealed_at else None,
    }


def show_orders(found: "Sequence[Listed]") -> None:
    """A table of orders."""
    headings = ("订单 order", "位置 position", "行 row", "卡号 card", "类别 kind", "状态 state", "盒 box", "说明 note")
    table(
        headings,
        [
            [
                str(one.id), str(one.position), str(one.row or ""), one.card_number, str(one.kind.text),
                str(one.state.text), str(one.box or ""), one.note,
            ]
            for one in found
        ],
    )  # fmt: skip


def audit_document(line: "AuditLine") -> dict[str, Any]:
    """What was found of a card, as JSON values."""
    return {
        "result": line.seen.value,
        "order": line.order,
        "position": line.position,
        "box": line.box,
        "card_number": line.card_number,
        "where": line.where,
        "differences": [difference._asdict() for difference in line.differences],
    }


def show_audited(lines: "Sequence[AuditLine]") -> None:
    """What was found of cards, a line for each and one for each difference."""
    for line in lines:
        place = f"{line.position or '-'}  {line.card_number or line.where}"
        print_line(f"{place}  {line.seen.text}", "" if line.seen.value == "matched" else "red")
        for difference in line.differences:
            print_line(f"    {difference}")


def show_counts(counts: "Mapping[Seen, int]") -> None:
    """How many cards there are of each kind."""
    print_line("，".join(f"{seen.text} {count}" for seen, count in counts.items() if count), "bold")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table without a frame."""
    print_rows([[Cell(heading, "bold") for heading in headings], *([Cell(text) for text in row] for row in rows)])


def local_time(at: datetime) -> str:
    """Day and time of this machine."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
