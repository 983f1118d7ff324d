"""``juying lot report``, ``hand-over`` and ``delivered``."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore, SigningKey
from juying.cli.labels import NONE
from juying.cli.ledger_options import Ledger, acting, ledger_address, open_ledger
from juying.cli.options import Json, Root, Trust, load_trust
from juying.cli.output import DEMONSTRATION, Exit, fail, print_fields, print_json, tell
from juying.cli.plain import Cell, print_line, print_rows
from juying.cli.renewing import Key, open_signer
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.issuance.handover import Delivered, Made
    from juying.issuance.lot_figures import LotReport, OrderLine

FOLDER = Path("build", "hand-over")
"""Where lists go by default."""


def report(
    lot: Annotated[str, typer.Argument(metavar="LOT", help="批次名称 / name of the lot")],
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="写入 .csv、.xlsx 或 .html 文件，可重复 / write a .csv, .xlsx or .html file; may be repeated",
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="含持卡人姓名，并记入台账 / with names of holders, which the ledger notes")
    ] = False,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """批次报告：数量、失败及原因、速度、未完成的卡 / what became of a lot: counts, failures, rate, what is open."""
    from juying.issuance.lot_report import read_lot_report
    from juying.issuance.lot_report_files import check_format, save_report

    for file in out or ():
        check_format(file)
    with open_ledger(ledger, keys) as opened:
        found = read_lot_report(opened, acting(opened), lot, names=names)
    for file in out or ():
        save_report(found, file)
    if json:
        print_json({**_report(found), "files": [str(file) for file in out or ()]})
    else:
        _show_report(found, out or ())
    return Exit.DONE


def hand_over(
    lot: Annotated[
        str | None, typer.Argument(metavar="[LOT]", show_default=False, help="批次名称 / name of the lot")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="清单目录 / folder for the lists")] = FOLDER,
    employer: Annotated[
        str | None,
        typer.Option("--employer", metavar="CODE", help="只做此单位（统一社会信用代码） / of this employer alone"),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            "--verify",
            metavar="FILE",
            help="核对一份清单的签名（旁边的 .sig），有台账时也核对台账 / check the signature of a list; with a "
            "ledger, also whether it is the ledger's",
        ),
    ] = None,
    ledger: Ledger = None,
    key: Key = None,
    keys: KeyStore = None,
    signing_key: SigningKey = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """为每个单位做已签名的移交清单（PDF） / make a signed hand-over list (PDF) for each employer of a lot."""
    from juying.issuance.handover import make_lists

    if lot is None and verify is not None:
        return _verify(verify, ledger, keys, trust, root, as_json=json)
    if lot is None or verify is not None:
        raise InputError("请给出批次，或用 --verify 给出清单", "name a lot, or a list with --verify")
    with open_signer(key, keys, signing_key, trust, root) as (signer, trusted), open_ledger(ledger, keys) as opened:
        made = make_lists(opened, acting(opened), lot, out, signer=signer, trust=trusted, employer=employer)
        demonstration = any(key.demonstration for key in trusted.keys(signer.kid))
    if json:
        print_json({"lists": [_made(each) for each in made], "demonstration": demonstration})
    else:
        _show_lists(made, demonstration=demonstration)
    return Exit.DONE


def delivered(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="清单编号 / number of the list")],
    missing: Annotated[
        list[str] | None,
        typer.Option(
            "--missing", metavar="CARD", help="未领取的卡的卡号，可重复 / number of a card not taken; may be repeated"
        ),
    ] = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """单位签收后，记录清单上的卡已发放 / record, after the signature on paper, that the cards were handed over."""
    from juying.issuance.handover import deliver

    with open_ledger(ledger, keys) as opened:
        found = deliver(opened, acting(opened), number, missing or ())
    if json:
        print_json(
            {
                "number": found.number,
                "delivered": found.delivered,
                "missing": found.missing,
                "left_out": found.left_out,
                "before": found.before,
            }
        )
    else:
        _show_delivered(found)
    return Exit.DONE


def add_to(group: Commands) -> None:
    """Put the commands into ``juying lot``."""
    group.command("report")(report)
    group.command("hand-over")(hand_over)
    group.command("delivered")(delivered)


def _verify(
    file: Path, ledger: str | None, keys: str | None, trust: Path | None, root: Path | None, *, as_json: bool
) -> int:
    """Check a list and its signature; with a ledger, also that it is that ledger's present one."""
    from datetime import UTC, datetime

    from juying.issuance.handover import is_current
    from juying.issuance.handover_signature import SUFFIX, verify_list

    trusted = load_trust(trust, root)
    pdf, signature = _bytes(file), _bytes(file.with_name(file.name + SUFFIX))
    try:
        signed = verify_list(pdf, signature, trusted, now=datetime.now(UTC))
        current: bool | None = None
        if _has_ledger(ledger):
            with open_ledger(ledger, keys) as opened:
                acting(opened)
                current = is_current(opened, signed)
    except InputError as error:
        fail(type(error).__name__, error.where or str(file), error.text, as_json=as_json)
        return Exit.NO
    at = signed.signed_at.astimezone().isoformat(timespec="seconds")
    if as_json:
        print_json(
            {
                "number": signed.number, "edition": signed.edition, "ledger": signed.ledger, "signed_at": at,
                "issuer": signed.key.issuer._asdict(), "kid": signed.key.kid.hex(),
                "demonstration": signed.key.demonstration, "current": current,
            }
        )  # fmt: skip
    else:
        words = {
            None: Text("未核对", "not asked"),
            True: Text("是台账中的现行版本", "the present edition in the ledger"),
            False: Text("已有更新的版本", "there is a later edition"),
        }
        print_fields(
            Text("签名有效", "the signature is valid"),
            [
                (Text("清单编号", "list"), str(signed.number)),
                (Text("版本", "edition"), str(signed.edition)),
                (Text("签名机关", "signed by"), signed.key.issuer),
                (Text("签名时间", "signed at"), at),
                (Text("台账", "ledger"), words[current]),
            ],
        )
        if signed.key.demonstration:
            tell(DEMONSTRATION)
    return Exit.NO if current is False else Exit.DONE


def _has_ledger(where: str | None) -> bool:
    try:
        ledger_address(where)
    except InputError:
        return where is not None  # an address that may not be given is refused when it is opened
    return True


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"文件读不出来（{error.strerror}）", f"the file cannot be read ({error.strerror})", where=str(file)
        ) from None


def _report(found: "LotReport") -> dict[str, Any]:
    durations = found.durations()
    return {
        "lot": found.lot,
        "state": found.state.value,
        "source": found.source,
        "at": found.at.isoformat(),
        "orders": len(found.orders),
        "done": found.done,
        "outcomes": {outcome.value: count for outcome, count in found.outcomes().items()},
        "counts": [
            {"kind": kind.value, "state": state.value, "orders": count}
            for (kind, state), count in found.counts().items()
        ],
        "cards_per_hour": round(found.rate().per_hour, 1),
        "median_seconds": _seconds(durations.median if durations else None),
        "p95_seconds": _seconds(durations.p95 if durations else None),
        "failures": len(found.failures),
        "causes": [
            {"reason": cause.reason, "failures": cause.failures, "orders": cause.orders, "spoiled": cause.spoiled}
            for cause in found.causes()
        ],
        "stations": [
            {
                "station": place.station, "reader": place.reader, "operator": place.operator, "done": place.done,
                "failures": place.failures, "median_seconds": _seconds(place.median),
            }
            for place in found.workplaces()
        ],
        "boxes": [
            {"box": box.number, "cards": box.done, "delivered": box.delivered, "missing": box.missing}
            for box in found.boxes()
        ],
        "open": [_line(line) for line in found.unfinished()],
        "ledger": found.ledger,
        "head": str(found.head),
    }  # fmt: skip


def _line(line: "OrderLine") -> dict[str, Any]:
    return {
        "position": line.position,
        "box": line.box,
        "state": line.state.value,
        "outcome": line.outcome.value,
        "card_number": line.card_number,
        "station": line.station,
        "reader": line.reader,
        "error": line.error,
        **({"name": line.name} if line.name else {}),
    }


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else round(time.total_seconds(), 3)


def _show_report(found: "LotReport", files: Sequence[Path]) -> None:
    durations = found.durations()
    median: Text | str = f"{durations.median.total_seconds():.1f} s" if durations else NONE
    outcomes = found.outcomes()
    print_fields(
        Text(f"批次 {found.lot}：{found.state.text.zh}", f"lot {found.lot}: {found.state.text.en}"),
        [
            (Text("订单", "orders"), str(len(found.orders))),
            *((outcome.text, str(count)) for outcome, count in outcomes.items()),
            (Text("每小时张数", "cards per hour"), f"{found.rate().per_hour:.0f}"),
            (Text("每张用时", "a card takes"), median),
            (Text("失败次数", "failures"), str(len(found.failures))),
            (Text("台账最后事件", "last event of the ledger"), str(found.head)),
        ],
    )
    if causes := found.causes():
        print_line(str(Text("失败原因", "causes of failures")), "bold")
        print_rows([[Cell(str(cause.failures), "bold red"), Cell(cause.reason)] for cause in causes])
        print_line("")
    for file in files:
        tell(Text(f"已写入 {file}", f"{file} is written"))


def _made(made: "Made") -> dict[str, Any]:
    return {
        "number": made.number,
        "edition": made.edition,
        "made": made.making.value,
        "employer": {"name": made.employer.name, "code": made.employer.code},
        "cards": made.count,
        "left_out": made.left_out,
        "file": str(made.file),
        "signature": str(made.signature),
    }


def _show_lists(made: "Sequence[Made]", *, demonstration: bool) -> None:
    from juying.issuance.handover import Making

    words = {
        Making.NEW: Text("新", "new"),
        Making.AGAIN: Text("同前", "as before"),
        Making.CHANGED: Text("有变动，新版本", "changed: a new edition"),
    }
    heads = (
        Text("编号", "list"),
        Text("张数", "cards"),
        Text("单位", "employer"),
        Text("制作", "made"),
        Text("文件", "file"),
    )
    rows = [
        [str(each.number), str(each.count), each.employer.name, str(words[each.making]), str(each.file)]
        for each in made
    ]
    print_rows([[Cell(str(head), "bold") for head in heads], *([Cell(text) for text in row] for row in rows)])
    for each in made:
        if each.left_out:
            tell(
                Text(
                    f"清单 {each.number}：{each.left_out} 张已挂失、暂停或注销，未列入",
                    f"list {each.number}: {each.left_out} lost, suspended or cancelled cards are not on it",
                )
            )
    tell(Text("清单含姓名，请按个人信息保管", "the lists hold names: keep them as personal data"))
    if demonstration:
        tell(DEMONSTRATION)


def _show_delivered(found: "Delivered") -> None:
    if found.before:
        tell(Text("此前已记录，未作改动", "this was recorded before; nothing was changed"))
    print_fields(
        Text(f"移交清单 {found.number}", f"hand-over list {found.number}"),
        [
            (Text("已发放", "delivered"), str(found.delivered)),
            (Text("未领取", "not taken"), str(found.missing)),
            (Text("已挂失、暂停或注销", "lost, suspended or cancelled"), str(found.left_out)),
        ],
    )
    if found.missing:
        tell(Text("未领取的卡可列入下一份清单", "cards that were not taken can be on the next list"))
