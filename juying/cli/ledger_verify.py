"""``juying ledger verify``: the chain of events, the records, and cards held against them."""

import sys
from collections.abc import Iterator, Sequence, Sized
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.key_options import KeyStore, open_keys
from juying.cli.ledger_options import Ledger, acting, open_ledger
from juying.cli.options import Json, Reader, Virtual, open_transport
from juying.cli.output import Exit, print_json, print_text, tell
from juying.errors import CardError, InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.card.access import Access
    from juying.card.transport import Transport
    from juying.issuance.compare import Comparison
    from juying.ledger.ledger import Ledger as OpenLedger
    from juying.ledger.verify import Finding, Report

IMAGES = "*.vcard"

Head = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NUMBER:HASH",
        help="此前备份或报告上的链头，须仍在链中 / head noted from a back-up or report; it has to be in the chain",
    ),
]
Lot = Annotated[
    str | None,
    typer.Option(
        "--lot",
        metavar="NAME",
        help="核对整批的卡：--images 中的，或逐张放入读卡器的，Ctrl-C 结束 / all cards of a lot: "
        "those of --images, or put into the reader one by one, until Ctrl-C",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images", metavar="DIR", help="此目录下的虚拟卡文件 / the images of virtual cards below this folder"
    ),
]


def verify(
    head: Head = None,
    reader: Reader = None,
    virtual: Virtual = None,
    lot: Lot = None,
    images: Images = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """核验事件链和记录，并核对卡片；有不符则退出状态 1 / prove chain and records, compare cards; status 1 if wrong."""
    from juying.ledger.audit import audit_records
    from juying.ledger.operators import Action, allow
    from juying.ledger.verify import Head as KnownHead
    from juying.ledger.verify import verify_chain

    if sum(option is not None for option in (reader, virtual, images)) > 1:
        raise InputError(
            "--reader、--virtual、--images 只能用一个", "--reader, --virtual and --images exclude each other"
        )
    noted = None if head is None else KnownHead.parse(head)
    with open_keys(keys) as held, open_ledger(ledger, held) as opened:
        allow(acting(opened), Action.AUDIT)
        left = _cards_of(opened, lot)
        with opened.reading() as db:
            report = verify_chain(db, head=noted)
            findings = [*report.findings, *audit_records(db, opened.vault)]
        if not json:
            _show_chain(report, findings)
        access = _access(held)
        cards = []
        with suppress(KeyboardInterrupt):
            for where, transport in cards_to_see(reader, virtual, images, left, lot=lot is not None):
                card = _compare(opened, where, transport, access, alone=lot is None and images is None)
                cards.append(card)
                left.pop(card["card"] or 0, None)
                if not json:
                    _show_card(card)
    missing = sorted(left.values())
    if json:
        print_json({**_report_dict(report, findings), "cards": cards, "missing": missing})
    elif lot is not None:
        _show_missing(missing)
    agreed = all(card["agreement"] in _GOOD for card in cards)
    return Exit.DONE if agreed and not findings and not missing else Exit.NO


_GOOD = ("agrees", "waits")
_UNREADABLE = "unreadable"
_TITLES = {
    "agrees": Text("一致", "agrees"),
    "waits": Text("未完", "not finished"),
    "differs": Text("不一致", "differs"),
    "unknown": Text("台账中没有", "not in the ledger"),
    _UNREADABLE: Text("读不出", "cannot be read"),
}


def _access(keys: Any) -> "Access | None":
    if keys is None:
        return None
    from juying.card.access import Access

    return Access(keys=keys)


def _cards_of(ledger: "OpenLedger", lot: str | None) -> dict[int, int]:
    """The cards that are to be seen, each with its order."""
    if lot is None:
        return {}
    from juying.issuance.compare import cards_of_lot
    from juying.issuance.lot_report import find_lot

    with ledger.reading() as db:
        return cards_of_lot(db, find_lot(db, lot).id)


def cards_to_see(
    reader: str | None, virtual: Path | None, images: Path | None, left: Sized, *, lot: bool
) -> "Iterator[tuple[str, AbstractContextManager[Transport]]]":
    """The cards that the options name, one after the other; those of a lot until none is ``left``."""
    if images is not None:
        if not images.is_dir():
            raise InputError("没有这个目录", "there is no such folder", where=str(images))
        for path in sorted(images.rglob(IMAGES)):
            yield str(path.relative_to(images)), open_transport(None, path, None)
    elif virtual is not None:
        yield str(virtual), open_transport(None, virtual, None)
    elif lot:
        yield from _inserted(reader, left)
    elif reader is not None:
        yield reader, open_transport(reader, None, None)


def _inserted(reader: str | None, left: Sized) -> "Iterator[tuple[str, AbstractContextManager[Transport]]]":
    """Each card that is put into the reader (any reader, when none is named), until none is left."""
    from juying.card.monitor import EventKind, ReaderMonitor
    from juying.card.pcsc import find_reader

    name = None if reader is None else find_reader(reader)
    with ReaderMonitor() as monitor:
        tell(Text(f"请逐张放入卡片，还有 {len(left)} 张", f"put the cards in one by one: {len(left)} to go"))
        for event in monitor.watch():
            if event.kind is EventKind.CARD_INSERTED and name in (None, event.reader):
                yield event.reader, open_transport(event.reader, None, None)
                tell(Text(f"请取出卡片，还有 {len(left)} 张", f"take the card out: {len(left)} to go"))
            if not left:
                return


def _compare(
    ledger: "OpenLedger",
    where: str,
    transport: "AbstractContextManager[Transport]",
    access: "Access | None",
    *,
    alone: bool,
) -> dict[str, Any]:
    """One card held against the ledger, as a document; of several, one that cannot be read does not stop the others."""
    from juying.issuance.compare import compare_card

    try:
        with transport as opened:
            return _card_dict(where, compare_card(ledger, opened, access))
    except (CardError, InputError) as error:
        if alone:
            raise
        text = error.text._asdict()
        return {"where": where, "agreement": _UNREADABLE, "card": None, "order": None, "differences": [], "text": text}


def _card_dict(where: str, card: "Comparison") -> dict[str, Any]:
    return {
        "where": where,
        "agreement": card.agreement.value,
        "card": card.card,
        "order": card.order,
        "differences": [difference._asdict() for difference in card.differences],
        "text": card.text._asdict(),
    }


def _report_dict(report: "Report", findings: "Sequence[Finding]") -> dict[str, Any]:
    return {
        "whole": report.whole,
        "events": report.events,
        "head": str(report.head),
        "findings": [{"where": finding.where, **finding.text._asdict()} for finding in findings],
    }


def _show_chain(report: "Report", findings: "Sequence[Finding]") -> None:
    whole = Text("完整", "whole") if report.whole else Text("不完整", "not whole")
    print_text(
        f"事件链{whole.zh}：{report.events} 个事件，链头 {report.head}"
        f" / the chain is {whole.en}: {report.events} events, head {report.head}"
    )
    for finding in findings:
        print_text(f"{finding.where}: {finding.text}")
    if not findings:
        print_text("记录与事件相符 / the records agree with the events")


def _show_card(card: dict[str, Any]) -> None:
    agreement = _TITLES[card["agreement"]]
    order = "" if card["order"] is None else f"orders/{card['order']} "
    print_text(f"{card['where']}: {order}{agreement}")
    for difference in card["differences"]:
        print_text(f"    {Text(**difference)}")
    if card["agreement"] != "agrees":
        print_text(f"    {Text(**card['text'])}")
    sys.stdout.flush()


def _show_missing(missing: "Sequence[int]") -> None:
    if missing:
        orders = ", ".join(map(str, missing))
        print_text(f"未见到的卡，订单 {orders} / cards that were not seen, of orders {orders}")
    else:
        print_text("整批的卡都已核对 / all cards of the lot were seen")
