"""``juying lot``: sheets become lots of orders, and lots are looked at, held up, and audited."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli import lot_reports
from juying.cli.commands import Commands
from juying.cli.issuing import DEFAULT_PROFILE, default_name
from juying.cli.key_options import KeyStore, open_keys
from juying.cli.ledger_options import Ledger, acting, open_ledger
from juying.cli.ledger_persons import searched_text
from juying.cli.ledger_verify import Images, cards_to_see
from juying.cli.lot_view import (
    audit_document,
    local_time,
    lot_cells,
    lot_document,
    order_document,
    print_preview,
    show_audited,
    show_counts,
    show_orders,
    table,
)
from juying.cli.options import Json, Reader
from juying.cli.output import Exit, print_fields, print_json, print_json_line, print_text, tell
from juying.cli.permit_options import Ask, Find
from juying.errors import FieldError, InputError
from juying.ledger.states import LotState, OrderState
from juying.text import Text

if TYPE_CHECKING:
    from juying.issuance.intake import Row
    from juying.issuance.lots import Check

app = Commands("批次 / lots: a sheet of applications as orders, worked on at stations")

Name = Annotated[str, typer.Argument(metavar="LOT", help="批次名称 / name of the lot")]
Sheet = Annotated[Path, typer.Argument(metavar="APPLICATIONS", help="申请表 CSV、XLSX 或 JSON / application sheet")]
Orders = Annotated[
    list[int] | None,
    typer.Option("--order", metavar="ID", help="只对此订单，可重复 / this order only; may be repeated"),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="原因，不写个人信息 / why; names nobody")]
ProfileName = Annotated[str, typer.Option("--profile", metavar="NAME", help="卡规格 / card profile")]


@app.command("preview")
def show_preview(
    applications: Sheet,
    profile: ProfileName = DEFAULT_PROFILE,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """导入前预览：新增、变更、重复、有误；退出状态 1 表示有误 / what an import would do; status 1 if rows are wrong."""
    from juying.issuance.lots import preview

    rows = _rows(applications)
    with open_ledger(ledger, keys) as opened:
        acting(opened)
        found = preview(opened, rows, check=_check(profile))
    return print_preview(found, None, as_json=json)


@app.command("import")
def import_sheet(
    applications: Sheet,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="批次名称，默认文件名加日期 / default: file and date")
    ] = None,
    profile: ProfileName = DEFAULT_PROFILE,
    box_size: Annotated[int, typer.Option("--box-size", metavar="N", min=1, help="每盒卡数 / cards in a box")] = 100,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TEXT", help="自编卡号的前缀 / prefix of card numbers allotted here")
    ] = "JY",
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """导入申请表；再次导入不会重复 / import a sheet as a lot of orders; the same sheet again changes nothing."""
    from juying.issuance.lot_import import import_rows

    rows = _rows(applications)
    named = name or default_name(applications, profile)
    with open_ledger(ledger, keys) as opened:
        done = import_rows(
            opened, acting(opened), rows, named, profile=profile, source=applications.name, box_size=box_size,
            prefix=prefix, check=_check(profile),
        )  # fmt: skip
    return print_preview(done.preview, named if done.lot is not None else "", as_json=json)


@app.command("list")
def list_lots(
    state: Annotated[LotState | None, typer.Option("--state", help="只列此状态 / in this state only")] = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """列出批次 / list the lots, the newest first."""
    from juying.issuance.lot_listing import lots

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        with opened.reading() as db:
            found = lots(db, state=state)
    if json:
        print_json([lot_document(lot) for lot in found])
    elif found:
        headings = (
            "批次 lot",
            "状态 state",
            "订单 orders",
            "完成 ended",
            "卡规格 profile",
            "来源 source",
            "导入 imported",
        )
        table(headings, [lot_cells(lot) for lot in found])
    else:
        print_text(str(Text("还没有批次", "there is no lot yet")))
    return Exit.DONE


@app.command()
def show(lot: Name, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """一个批次及各状态的订单数 / one lot, and how many orders are in each state."""
    from juying.issuance.lot_listing import find_lot

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        with opened.reading() as db:
            found = find_lot(db, lot)
    if json:
        print_json(lot_document(found))
        return Exit.DONE
    facts: list[tuple[Text, Text | str]] = [
        (Text("状态", "state"), found.state.text),
        (Text("来源", "source"), found.source or "-"),
        (Text("卡规格", "profile"), found.profile),
        (Text("每盒", "box of"), str(found.box_size)),
        (Text("导入", "imported"), local_time(found.made_at)),
        (Text("订单", "orders"), str(found.orders)),
    ]
    states = [(state.text, str(found.counts[state])) for state in OrderState if state in found.counts]
    print_fields(Text(found.name, found.name), [*facts, *states])
    return Exit.DONE


@app.command()
def orders(
    lot: Name,
    state: Annotated[OrderState | None, typer.Option("--state", help="只列此状态 / in this state only")] = None,
    after: Annotated[
        int, typer.Option("--after", metavar="POSITION", min=0, help="从此位置之后 / those behind this position")
    ] = 0,
    size: Annotated[int, typer.Option("--size", metavar="N", min=1, max=10_000, help="条数 / how many")] = 50,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """按位置列出一页订单 / a page of the orders of a lot, in their positions."""
    from juying.issuance.lot_listing import find_lot, page

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        with opened.reading() as db:
            found = page(db, find_lot(db, lot).id, state=state, after=after, size=size)
    more = found[-1].position if len(found) == size else None
    if json:
        print_json({"orders": [order_document(order) for order in found], "after": more})
    else:
        show_orders(found)
        if more is not None:
            tell(Text(f"下一页：--after {more}", f"the next page: --after {more}"))
    return Exit.DONE


@app.command()
def search(
    card: Annotated[
        str | None, typer.Argument(metavar="[CARD]", show_default=False, help="卡号 / number of the card")
    ] = None,
    find: Find = None,
    ask: Ask = False,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """按卡号、姓名或其他号码查订单；没有则状态 1 / find orders by card number, name or number; status 1 if none."""
    from juying.issuance.lot_listing import search as find_orders

    if sum((card is not None, find is not None, ask)) != 1:
        raise InputError("请给出卡号、--find 或 --ask 之一", "give a card number, --find or --ask: one of them")
    text = _card_number(card) if card is not None else searched_text(find)
    with open_ledger(ledger, keys) as opened:
        acting(opened)
        found = find_orders(opened, text)
    if json:
        print_json([order_document(order) for order in found])
    elif found:
        show_orders(found)
    else:
        print_text(str(Text("没有找到", "nothing was found")))
    return Exit.DONE if found else Exit.NO


def _card_number(text: str) -> str:
    """The card number on the command line; a name is nothing for it, because everybody on the machine can read it."""
    from juying.model.numbers import check_card_number

    try:
        return check_card_number(text, "CARD")
    except FieldError as error:
        raise InputError(
            f"{error.text.zh}；姓名和其他号码请用 --ask 或 --find",
            f"{error.text.en}; for names and other numbers use --ask or --find",
            where="CARD",
        ) from None


@app.command()
def suspend(
    lot: Name,
    order: Orders = None,
    reason: Reason = "",
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """暂停待制的订单 / set orders aside that no card is being made for."""
    return _set(lot, OrderState.SUSPENDED, order, reason, ledger, keys, as_json=json)


@app.command()
def resume(lot: Name, order: Orders = None, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """恢复已暂停的订单 / let suspended orders wait for cards again."""
    return _set(lot, OrderState.PLANNED, order, "", ledger, keys, as_json=json)


@app.command()
def cancel(
    lot: Name,
    order: Orders = None,
    reason: Reason = "",
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """取消待制或暂停的订单，不可恢复 / cancel orders that wait, for good."""
    return _set(lot, OrderState.CANCELLED, order, reason, ledger, keys, as_json=json)


@app.command()
def audit(
    lot: Name,
    reader: Reader = None,
    images: Images = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="另存为 CSV / the table as a CSV file too")
    ] = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """逐张读回核对；不符或缺卡则退出状态 1 / read every card back against its order; status 1 if any is wrong."""
    from juying.card.access import Access
    from juying.issuance.lot_audit import LotAudit, Seen, save_audit
    from juying.issuance.lot_listing import find_lot

    with open_keys(keys) as held, open_ledger(ledger, held) as opened:
        actor = acting(opened)
        with opened.reading() as db:
            number = find_lot(db, lot).id
        work = LotAudit(opened, actor, number)
        access = None if held is None else Access(keys=held)
        with suppress(KeyboardInterrupt):
            for _, card in cards_to_see(reader, None, images, work, lot=True):
                with card as transport:
                    line = work.see(transport, access)
                if json:
                    print_json_line(audit_document(line))
                else:
                    show_audited([line])
        lines, counts = work.lines(), work.counts()
    if out is not None:
        save_audit(lines, out)
    missing = [line for line in lines if line.seen is Seen.MISSING]
    if json:
        for line in missing:
            print_json_line(audit_document(line))
        print_json_line({"lot": lot, "counts": {seen.value: count for seen, count in counts.items()}})
    else:
        show_audited(missing)
        show_counts(counts)
    return Exit.DONE if counts[Seen.MATCHED] == len(lines) else Exit.NO


lot_reports.add_to(app)


def _rows(sheet: Path) -> "list[Row]":
    from juying.issuance.intake import read_applications

    return read_applications(sheet, today=datetime.now().astimezone().date())


def _check(profile: str) -> "Check":
    """What no card of this profile can hold is wrong before it is imported."""
    from functools import partial

    from juying.codec.profile import load_profile
    from juying.issuance.run import check_contents

    return partial(check_contents, load_profile(profile), day=datetime.now().astimezone().date())


def _set(
    lot: str,
    after: OrderState,
    orders: "Sequence[int] | None",
    reason: str,
    ledger: str | None,
    keys: str | None,
    *,
    as_json: bool,
) -> int:
    from juying.issuance.lot_listing import find_lot, set_aside

    with open_ledger(ledger, keys) as opened:
        actor = acting(opened)
        with opened.reading() as db:
            number = find_lot(db, lot).id
        count = set_aside(opened, actor, number, after, orders=orders or (), reason=reason)
    if as_json:
        print_json({"lot": lot, "state": after.value, "orders": count})
    else:
        print_text(str(Text(f"{count} 个订单：{after.text.zh}", f"{count} order(s): {after.text.en}")))
    return Exit.DONE
