"""``juying station``: makes the cards that are put into readers, and looks after those that stopped half way."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore, SigningKey
from juying.cli.ledger_options import STATION, Ledger, acting, open_ledger
from juying.cli.office_options import Institution, open_office
from juying.cli.options import Json, Reader, Root, Trust, Virtual, open_access, open_transport
from juying.cli.output import Exit, console, print_fields, print_json, print_json_line, print_text, tell
from juying.cli.renewing import Key
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.issuance.station import Station
    from juying.issuance.station_state import Happening, Totals
    from juying.ledger.ledger import Actor
    from juying.ledger.ledger import Ledger as OpenLedger
    from juying.ledger.orders import Claim

app = Commands("制卡工位 / stations: cards are put into readers and made")

Order = Annotated[int, typer.Argument(metavar="ORDER", help="订单编号 / number of the order")]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="工位名称，默认 JUYING_STATION 或主机名 / name; default: JUYING_STATION, else the host's",
    ),
]


@app.callback(invoke_without_command=True)
def station(
    context: typer.Context,
    name: Name = None,
    reader: Annotated[
        list[str] | None,
        typer.Option("--reader", metavar="NAME", help="只用此读卡器，可重复；默认全部 / this reader only, repeatable"),
    ] = None,
    lot: Annotated[
        str | None, typer.Option("--lot", metavar="NAME", help="只做此批次，默认所有进行中的 / this lot only")
    ] = None,
    ledger: Ledger = None,
    key: Key = None,
    keys: KeyStore = None,
    signing_key: SigningKey = None,
    trust: Trust = None,
    root: Root = None,
    institution: Institution = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="凭证文本另存于此目录 / keep the texts of credentials here as well"),
    ] = None,
    failures: Annotated[
        int,
        typer.Option("--failures", metavar="N", min=1, help="连续失败几次停用读卡器 / so many in a row stop a reader"),
    ] = 3,
    listed: Annotated[
        bool, typer.Option("--listed-blanks", help="只用已入库的卡坯 / take blanks only that are in stock")
    ] = False,
    eject: Annotated[
        bool, typer.Option("--eject", help="由读卡器退卡 / move finished cards out of the reader")
    ] = False,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="没有待制订单就结束 / end when no order is left")
    ] = False,
    json: Json = False,
) -> int:
    """把放入读卡器的卡制成；Ctrl-C 写完手中的卡后结束，再按立即停下 / make the cards that are put into the readers."""
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from juying.card.pcsc import find_reader
    from juying.issuance.station import Station
    from juying.issuance.stray import lot_named
    from juying.ledger.approvals import allow_key

    with (
        open_ledger(ledger, keys) as opened,
        open_office(opened, key, keys, signing_key, trust, root, institution) as office,
    ):
        actor = acting(opened, name or os.environ.get(STATION) or platform.node())
        number = None if lot is None else lot_named(opened, lot)
        office.check_key()
        allow_key(opened, actor, office.signer.kid, {"lot": number} if number else {"station": actor.station})
        readers = [find_reader(one) for one in reader or ()]
        attended = not json and not until_done and sys.stdin.isatty()
        keep = _keeper(out)
        with open_access(keys, None, False) as access:
            heard: list[Callable[[Happening], None]] = []

            def hear(happening: "Happening") -> None:
                keep(happening)
                for listener in heard:
                    listener(happening)

            working = Station(
                opened, office, actor, lot=number, readers=readers, access=access, listed_only=listed,
                most_failures=failures, until_done=until_done, eject=eject, attended=attended, tell=hear,
            )  # fmt: skip
            _show_open(opened, number, as_json=json)
            with _shown(working, as_json=json, attended=attended) as listener:
                heard.append(listener)
                totals = working.run()
    _tell_totals(totals, as_json=json)
    return Exit.DONE if not until_done or not totals.left else Exit.NO


@app.command("open")
def list_open(ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """列出未完成的卡 / list the cards that were begun and are not done."""
    from juying.cli.station_view import open_document, open_table
    from juying.issuance.stray import open_cards

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        cards = open_cards(opened)
    if json:
        print_json([open_document(card) for card in cards])
    elif cards:
        console().print(open_table(cards))
    else:
        print_text(str(Text("没有未完成的卡", "no card is under way")))
    return Exit.DONE


@app.command()
def identify(
    reader: Reader = None, virtual: Virtual = None, ledger: Ledger = None, keys: KeyStore = None, json: Json = False
) -> int:
    """这是哪张卡，该怎么办；只读卡，不出示密钥 / what this card is and what to do with it; it is shown no key."""
    from juying.issuance.identify import identify as identify_card
    from juying.issuance.stray import find

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        with open_transport(reader, virtual, None) as transport:
            found = identify_card(transport)
        stray = find(opened, found.identifier)
    known = stray.known
    claim = known.claim if known is not None else None
    ending = found.identifier[-8:].upper()
    if json:
        print_json(
            {
                "known": known is not None,
                "profile": found.card.profile.name,
                "identifier_end": ending,
                "blank": known.blank if known else None,
                "card": known.card if known else None,
                "person": known.person if known else None,
                "state": (known.card_state or known.state).value if known else None,
                "box": known.box if known else None,
                "order": claim.order if claim else None,
                "text": stray.text._asdict(),
            }
        )
    else:
        fields = [(Text("识别码末位", "identifier"), ending), (Text("规格", "profile"), found.card.profile.name)]
        if stray.name:
            fields.append((Text("姓名", "name"), stray.name))
        if known is not None and known.box:
            fields.append((Text("盒", "box"), str(known.box)))
        print_fields(stray.text, fields)
    return Exit.DONE if known is not None else Exit.NO


@app.command()
def release(order: Order, name: Name = None, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """卡已丢失：订单改用另一张卡 / the card is lost: the order waits for another one."""
    from juying.issuance.stray import release as release_order

    return _end(release_order, order, name, ledger, keys, as_json=json)


@app.command()
def spoil(order: Order, name: Name = None, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """卡已损坏且在手中：作废，改用另一张卡 / the card is dead and lies here: it is set aside."""
    from juying.issuance.stray import set_aside

    return _end(set_aside, order, name, ledger, keys, as_json=json)


def _end(
    how: "Callable[[OpenLedger, Actor, int], Claim]",
    order: int,
    name: str | None,
    ledger: str | None,
    keys: str | None,
    *,
    as_json: bool,
) -> int:
    with open_ledger(ledger, keys) as opened:
        claim = how(opened, acting(opened, name), order)
    if as_json:
        print_json({"order": claim.order, "blank": claim.blank, "card": claim.card})
    else:
        blank = f"卡坯 {claim.blank} 作废，订单 {claim.order} 等待另一张卡"
        print_text(str(Text(blank, f"blank {claim.blank} is spoiled, order {claim.order} waits for another one")))
    return Exit.DONE


def _show_open(ledger: "OpenLedger", lot: int | None, *, as_json: bool) -> None:
    """At the start: what stopped half way."""
    from juying.cli.station_view import open_document, open_table
    from juying.issuance.stray import open_cards

    cards = open_cards(ledger, lot=lot)
    if as_json:
        print_json_line({"event": "open", "cards": [open_document(card) for card in cards]})
    elif cards and sys.stderr.isatty():
        console(stderr=True).print(open_table(cards))
    elif cards:
        tell(
            Text(
                f"有 {len(cards)} 张卡未完成：juying station open",
                f"{len(cards)} cards are not done: juying station open",
            )
        )


@contextmanager
def _shown(station: "Station", *, as_json: bool, attended: bool) -> "Iterator[Callable[[Happening], None]]":
    from juying.cli.station_view import json_line, live, plain_line, resume_on_enter

    if as_json:
        yield lambda happening: json_line(happening, station)
    elif not sys.stderr.isatty():
        yield plain_line
    else:
        if attended:
            resume_on_enter(station)
        with live(station) as listener:
            yield listener


def _keeper(out: Path | None) -> "Callable[[Happening], None]":
    """What puts the texts of credentials into a folder for each card number."""

    def keep(happening: "Happening") -> None:
        made = happening.made
        if out is None or made is None or made.claim is None or made.credentials is None:
            return
        from juying.credential.issue import to_text
        from juying.files import write_atomically

        folder = out / made.claim.card_number
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"目录不能使用（{error.strerror}）", f"the folder cannot be used ({error.strerror})", where=str(out)
            ) from None
        for name, record in (("credential", made.credentials.full), ("minimal", made.credentials.minimal)):
            write_atomically(folder / f"{name}.txt", to_text(record).encode("ascii") + b"\n", private=True)

    return keep


def _tell_totals(totals: "Totals", *, as_json: bool) -> None:
    if as_json:
        print_json_line(
            {
                "event": "ended",
                "made": totals.made,
                "spoiled": totals.spoiled,
                "refused": totals.refused,
                "failures": totals.failures,
                "left": totals.left,
            }
        )
        return
    zh = f"制成 {totals.made}，作废 {totals.spoiled}，拒绝 {totals.refused}，失败 {totals.failures}，剩余 {totals.left}"
    en = (
        f"made {totals.made}, spoiled {totals.spoiled}, refused {totals.refused}, failures {totals.failures}, "
        f"left {totals.left}"
    )
    print_text(str(Text(zh, en)))
