"""Statuses and status lists for people: tables on standard output."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from juying.cli.labels import NO, YES
from juying.cli.output import console
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.claims import StatusReference
    from juying.credential.status import HeldList, StatusAnswer

_COLUMNS = {
    "list": Text("列表", "list"),
    "index": Text("序号", "index"),
    "region": Text("行政区划", "region"),
    "demonstration": Text("演示", "demonstration"),
    "permit_number": Text("许可证编号", "permit number"),
    "status": Text("状态", "status"),
    "changed": Text("变更", "changed"),
    "history": Text("经过", "history"),
    "as_of": Text("列表时间", "as of"),
    "age_seconds": Text("列表已过秒数", "age in seconds"),
    "expires_at": Text("有效至", "good until"),
    "expired": Text("列表过期", "list expired"),
    "entries": Text("条目", "entries"),
    "bytes": Text("字节", "bytes"),
    "file": Text("文件", "file"),
    "text_file": Text("二维码文本", "text for a QR code"),
}


def show_rows(rows: Sequence[dict[str, Any]]) -> None:
    """A table of rows that all have the same members, with those columns that we have a name for."""
    from rich.markup import escape
    from rich.table import Table

    names = [name for name in _COLUMNS if any(name in row for row in rows)]
    table = Table()
    for name in names:
        table.add_column(f"{_COLUMNS[name].zh}\n{_COLUMNS[name].en}", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(name, row[name])) for name in names))
    console().print(table)


def _cell(name: str, value: Any) -> str:
    from juying.credential.register import Reason
    from juying.credential.status import Status

    if name == "history":
        return "\n".join(
            f"{event['at']} {Status[event['status'].upper()].text} ({Reason(event['reason']).text})" for event in value
        )
    if name == "status":
        return str(Status[value.upper()].text if value else Text("未知", "unknown"))
    if isinstance(value, bool):
        return str(YES if value else NO)
    return "-" if value is None else str(value)


def place(reference: "StatusReference") -> dict[str, int]:
    """A place as JSON values."""
    return {"list": reference.list_number, "index": reference.index}


def answer_row(answer: "StatusAnswer | None") -> dict[str, Any]:
    """What a list says, as JSON values; nothing but None when it says nothing."""
    if answer is None:
        return {"status": None, "as_of": None, "age_seconds": None, "expired": None}
    return {
        "status": answer.status.name.lower(),
        "as_of": answer.as_of.isoformat(),
        "age_seconds": int(answer.age.total_seconds()),
        "expired": answer.expired,
    }


def list_row(held: "HeldList", now: datetime) -> dict[str, Any]:
    """A list at hand and how old it is, as JSON values."""
    content, authority = held.content, held.authority
    return {
        "list": content.number,
        "region": authority.region,
        "demonstration": authority.demonstration,
        "as_of": content.issued_at.isoformat(),
        "age_seconds": max(0, int((now - content.issued_at).total_seconds())),
        "expires_at": content.expires_at.isoformat(),
        "expired": now >= content.expires_at,
        "entries": len(content),
        "bytes": len(held.token),
    }
