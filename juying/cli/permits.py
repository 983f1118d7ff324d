"""``juying permit``: the life of a permit at the desk.

Whose permit it is, is told by the number of the card, or of the person in the ledger. Names, permit and passport
numbers are no arguments, because everybody on the machine can see those: they come from a file or are asked for. What
is to be other than it is stands in a sheet with one row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore
from juying.cli.ledger_options import Ledger, Station, acting, open_ledger
from juying.cli.options import Json, Reader, Virtual, open_access, open_transport
from juying.cli.output import Exit, print_json, print_text
from juying.cli.permit_options import (
    AppliedOn,
    Ask,
    Card,
    EventOn,
    Find,
    From,
    Holidays,
    Override,
    Person,
    Prefix,
    Sheet,
    Until,
    choice,
    day,
    person_of,
    today,
    working_days,
)
from juying.cli.permit_view import show_applied, show_dossier, show_pending
from juying.errors import InputError

if TYPE_CHECKING:
    from juying.issuance.changes import Applied
    from juying.issuance.intake import Application
    from juying.issuance.loading import OwnCard
    from juying.issuance.standing import Standing
    from juying.ledger.ledger import Transaction

app = Commands("许可的延期、变更、转聘、补办、注销 / the life of a permit: extend, change, replace, cancel")


@app.command()
def show(
    card: Card = None,
    person: Person = None,
    find: Find = None,
    ask: Ask = False,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """查看一人的许可、卡、凭证、待办和期限 / permits, cards, credentials and dates of one person."""
    from juying.issuance.dossier import load_dossier

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        number = person_of(opened, card, person, find, ask)
        with opened.reading() as db:
            dossier = load_dossier(db, opened.vault, number)
        show_dossier(dossier, today(opened), as_json=json)
    return Exit.DONE


@app.command()
def extend(
    card: Card = None,
    person: Person = None,
    find: Find = None,
    ask: Ask = False,
    sheet: Sheet = None,
    begins: From = None,
    until: Until = None,
    applied_on: AppliedOn = None,
    override: Override = "",
    ledger: Ledger = None,
    keys: KeyStore = None,
    station: Station = None,
    json: Json = False,
) -> int:
    """延期：同一单位、同一岗位，到期前 90 至 30 日申请 / extend: same employer and post, 90 to 30 days before."""
    days = {"valid_from": day(begins), "valid_until": day(until)}
    wanted = {key: value for key, value in days.items() if value is not None}
    form = _Form("extension", sheet, wanted, applied_on=day(applied_on), override=override)
    return _carry_out(form, (card, person, find, ask), ledger, keys, station, as_json=json)


@app.command()
def change(
    card: Card = None,
    person: Person = None,
    find: Find = None,
    ask: Ask = False,
    sheet: Sheet = None,
    applied_on: AppliedOn = None,
    event_on: EventOn = None,
    holidays: Holidays = None,
    prefix: Prefix = "JY",
    ledger: Ledger = None,
    keys: KeyStore = None,
    station: Station = None,
    json: Json = False,
) -> int:
    """变更：姓名、护照、岗位、类别，10 个工作日内申请 / change name, passport, post or category."""
    form = _Form("change", sheet, applied_on=day(applied_on), event_on=day(event_on), holidays=holidays, prefix=prefix)
    return _carry_out(form, (card, person, find, ask), ledger, keys, station, as_json=json)


@app.command()
def transfer(
    card: Card = None,
    person: Person = None,
    find: Find = None,
    ask: Ask = False,
    sheet: Sheet = None,
    applied_on: AppliedOn = None,
    event_on: EventOn = None,
    holidays: Holidays = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    station: Station = None,
    json: Json = False,
) -> int:
    """转聘：换用人单位，原许可的凭证立即失效 / change the employer: what was issued before is void at once."""
    form = _Form("transfer", sheet, applied_on=day(applied_on), event_on=day(event_on), holidays=holidays)
    return _carry_out(form, (card, person, find, ask), ledger, keys, station, as_json=json)


@app.command()
def reissue(
    reason: Annotated[
        str, typer.Option("--reason", metavar="lost|damaged", help="lost 遗失补办，damaged 损坏换发 / why")
    ],
    card: Card = None,
    person: Person = None,
    find: Find = None,
    ask: Ask = False,
    prefix: Prefix = "JY",
    ledger: Ledger = None,
    keys: KeyStore = None,
    station: Station = None,
    json: Json = False,
) -> int:
    """补办、换发：订制新卡 / order a new card for one that is lost or damaged."""
    kind = choice("--reason", reason, {"lost": "reissue-lost", "damaged": "reissue-damaged"})
    return _carry_out(_Form(kind, prefix=prefix), (card, person, find, ask), ledger, keys, station, as_json=json)


@app.command()
def cancel(
    by: Annotated[
        str,
        typer.Option(
            "--by", metavar="employer|holder|authority", help="申请人：单位、本人、主管部门 / who asks for it"
        ),
    ],
    card: Card = None,
    person: Person = None,
    find: Find = None,
    ask: Ask = False,
    event_on: EventOn = None,
    holidays: Holidays = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    station: Station = None,
    json: Json = False,
) -> int:
    """注销：用人单位应在终止后 10 个工作日内申请 / cancel a permit; an employer does within 10 working days."""
    kind = choice("--by", by, {who: f"cancel-{who}" for who in ("employer", "holder", "authority")})
    form = _Form(kind, event_on=day(event_on), holidays=holidays)
    return _carry_out(form, (card, person, find, ask), ledger, keys, station, as_json=json)


def _add(name: str, kind: str, summary: str) -> None:
    """A command that needs to know whose permit it is, and nothing else."""

    def command(
        card: Card = None,
        person: Person = None,
        find: Find = None,
        ask: Ask = False,
        ledger: Ledger = None,
        keys: KeyStore = None,
        station: Station = None,
        json: Json = False,
    ) -> int:
        return _carry_out(_Form(kind), (card, person, find, ask), ledger, keys, station, as_json=json)

    app.command(name, help=summary)(command)


_add("lost", "loss", "挂失：卡和凭证立即失效，找回也不再能用 / report a card lost: it is void at once, and for good")
_add("revoke", "revocation", "撤销许可，须主管 / revoke a permit, which takes a supervisor")
_add("suspend", "suspension", "暂停许可：凭证暂停，制卡等待 / suspend a permit and its credentials")
_add("resume", "resumption", "恢复暂停的许可 / resume a suspended permit")


@app.command()
def expire(ledger: Ledger = None, keys: KeyStore = None, station: Station = None, json: Json = False) -> int:
    """终止已到期的许可，卡待清除 / end permits whose last day is past; their cards wait to be wiped."""
    from juying.issuance import changes

    ended: list[int] = []
    with open_ledger(ledger, keys) as opened:
        actor, now = acting(opened, station), today(opened)
        while True:
            with opened.transaction(actor) as tx:
                done = changes.expire(tx, now)
            if not done:
                break
            ended += [applied.permit for applied in done]
    if json:
        print_json({"expired": len(ended), "permits": ended})
    else:
        print_text(f"到期终止 {len(ended)} 件许可 / permits ended: {len(ended)}")
    return Exit.DONE


@app.command()
def pending(ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """列出待更新的卡：下次在任一工位放入时完成 / what cards still lack: done at their next insertion anywhere."""
    from juying.issuance import dossier

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        with opened.reading() as db:
            waiting = dossier.pending(db)
    show_pending(waiting, as_json=json)
    return Exit.DONE


@app.command()
def load(
    sheet: Annotated[
        Path | None,
        typer.Argument(
            metavar="SHEET",
            show_default=False,
            help="一行的申请表，用于尚无许可的人；否则用下列选项 / application of somebody without a permit; for "
            "others the options",
        ),
    ] = None,
    person: Person = None,
    find: Find = None,
    ask: Ask = False,
    reader: Reader = None,
    virtual: Virtual = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    station: Station = None,
    json: Json = False,
) -> int:
    """加载到本人已有的社会保障卡，卡须在读卡器中 / load a permit onto a card that the person has, now in the reader."""
    from juying.issuance.amending import only_application
    from juying.issuance.identify import identify
    from juying.issuance.loading import read_own_card
    from juying.ledger.people import load_holder

    with open_ledger(ledger, keys) as opened:
        actor, now = acting(opened, station), today(opened)
        who: int | Application
        if sheet is None:
            who = person_of(opened, None, person, find, ask)
            with opened.reading() as db:
                holder = load_holder(db, opened.vault, who)
        else:
            who = only_application(sheet, today=now)
            holder = who.holder
        with open_access(keys, None, False) as access, open_transport(reader, virtual, None) as transport:
            own = read_own_card(identify(transport, access), holder, today=now)
        with opened.transaction(actor) as tx:
            applied = _load(tx, who, own)
        show_applied(opened, applied, as_json=json)
    return Exit.DONE


def _load(tx: "Transaction", who: "int | Application", own: "OwnCard") -> "Applied":
    """For somebody in the ledger, or somebody with an application, who is then entered."""
    from juying.issuance.loading import load_onto
    from juying.issuance.office import portrait
    from juying.ledger.people import add_persons, find_person

    if isinstance(who, int):
        return load_onto(tx, who, own)
    photo = portrait(who)
    person = find_person(tx.db, tx.vault, who.holder)
    if person is None:
        (person,) = add_persons(tx, [(who.holder, photo)])
    return load_onto(tx, person, own, who.holder, who.permit, photo=photo, kind=who.kind)


@dataclass(frozen=True, slots=True)
class _Form:
    """What is applied for: the kind, and what is to be other than it is, in a sheet or as cells."""

    kind: str
    sheet: Path | None = None
    cells: Mapping[str, Any] = field(default_factory=dict, repr=False)
    applied_on: date | None = None
    event_on: date | None = None
    holidays: Path | None = None
    override: str = ""
    prefix: str = "JY"


def _carry_out(
    form: _Form,
    who: tuple[str | None, int | None, Path | None, bool],
    ledger: str | None,
    keys: str | None,
    station: str | None,
    *,
    as_json: bool,
) -> int:
    """Look whose permit it is, carry the application out, and show what was done."""
    from juying.issuance.changes import apply_application
    from juying.issuance.chip_orders import NewCard
    from juying.issuance.permit_kinds import TRANSITIONS, Kind
    from juying.issuance.standing import load_standing

    kind, days = Kind(form.kind), working_days(form.holidays)
    with open_ledger(ledger, keys) as opened:
        actor = acting(opened, station)
        person = person_of(opened, *who)
        with opened.transaction(actor) as tx:
            wanted: dict[str, Any] = {}
            if TRANSITIONS[kind].brings:
                wanted = _wanted(form, load_standing(tx.db, tx.vault, person, lock=True), today(opened))
            applied = apply_application(
                tx, kind, person, **wanted, applied_on=form.applied_on, event_on=form.event_on,
                override=form.override, days=days, card=NewCard(prefix=form.prefix),
            )  # fmt: skip
        show_applied(opened, applied, as_json=as_json)
    return Exit.DONE


def _wanted(form: _Form, standing: "Standing", now: date) -> dict[str, Any]:
    """How holder, permit and photo are to be."""
    from juying.issuance.amending import amended
    from juying.issuance.office import portrait

    if form.sheet is None and not form.cells:
        raise InputError("请用 --sheet 说明要改什么", "say with --sheet what is to be other than it is")
    if standing.permit is None:
        return {}  # and it is refused
    application = amended(form.sheet, standing.holder, standing.permit, today=now, changes=form.cells)
    return {"holder": application.holder, "permit": application.permit, "photo": portrait(application)}
