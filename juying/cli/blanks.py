"""``juying blank``: the stock of blanks, and what was destroyed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore
from juying.cli.ledger_options import Ledger, Station, acting, open_ledger
from juying.cli.options import Json
from juying.cli.output import Exit, print_json, print_text
from juying.cli.plain import Cell, print_rows
from juying.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from juying.ledger.states import BlankState
    from juying.ledger.stock import Blank

app = Commands("卡坯的库存与销毁 / blanks in stock, and what was destroyed")

COLUMNS = ("identifier", "卡识别码")

Which = Annotated[
    list[str],
    typer.Argument(metavar="BLANK...", help="卡坯编号或卡识别码 / number of the blank, or identifier of the card"),
]


@app.command()
def add(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV 或 XLSX，有“卡识别码”或 identifier 列 / CSV or XLSX with a column called identifier",
        ),
    ],
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="卡规格 / card profile")],
    ledger: Ledger = None,
    keys: KeyStore = None,
    station: Station = None,
    json: Json = False,
) -> int:
    """卡坯入库，已登记的不重复 / take blanks into stock; those that are there already stay as they are."""
    from juying.codec.profile import load_profile
    from juying.ledger import stock

    name = load_profile(profile).name
    identifiers = _identifiers(source)
    with open_ledger(ledger, keys) as opened, opened.transaction(acting(opened, station)) as tx:
        added = stock.add(tx, identifiers, name)
    known = len(set(identifiers)) - added
    if json:
        print_json({"added": added, "known": known})
    else:
        print_text(f"新登记 {added} 张，已有 {known} 张 / {added} blanks added, {known} were there")
    return Exit.DONE


@app.command("list")
def list_blanks(
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="只列此状态，可重复：stock、in-use、used、spoiled、scrapped / in this state only, may be repeated",
        ),
    ] = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """列出卡坯；不限状态时给出各状态数量 / list blanks in some states; without a state, how many there are."""
    from juying.ledger import stock

    states = _states(state or [])
    with open_ledger(ledger, keys) as opened:
        acting(opened)
        with opened.reading() as db:
            counts = stock.counts(db)
            blanks = stock.listing(db, *states) if states else []
    if json:
        print_json(
            {
                "counts": {state.value: count for state, count in counts.items()},
                "blanks": [_dict(blank) for blank in blanks],
            }
        )
    elif states:
        print_rows([_row(blank) for blank in blanks])
    else:
        print_rows([[Cell(str(state.text)), Cell(str(count))] for state, count in sorted(counts.items())])
    return Exit.DONE


@app.command()
def scrap(
    which: Which, ledger: Ledger = None, keys: KeyStore = None, station: Station = None, json: Json = False
) -> int:
    """记录两人在场销毁；先请求复核，复核后再运行 / record a destruction by two: asks first, then run it again."""
    from juying.ledger import stock

    with open_ledger(ledger, keys) as opened:
        actor = acting(opened, station)
        with opened.reading() as db:
            blanks = stock.find(db, which)
        count = stock.scrap(opened, actor, [blank.id for blank in blanks])
    if json:
        print_json({"scrapped": count, "before": len(blanks) - count})
    else:
        print_text(f"记为已销毁：{count} 张 / recorded as destroyed: {count}")
    return Exit.DONE


def _identifiers(source: Path) -> list[str]:
    """The identifiers in a sheet; where one is wrong, `InputError` with its row."""
    from juying.issuance.sheet import Limits, read_table
    from juying.ledger.stock import identifier_of

    table = read_table(source, Limits())
    place = next((place for place, heading in enumerate(table.headings) if heading.strip().lower() in COLUMNS), None)
    if place is None:
        raise InputError(f"没有“{COLUMNS[1]}”列", f"there is no column called {COLUMNS[0]}", where=str(source))
    found = []
    for number, cells in table.rows:
        try:
            found.append(identifier_of(str(cells[place]) if place < len(cells) else ""))
        except InputError as error:
            raise InputError(*error.text, where=f"{source}:{number}") from None
    return found


def _states(words: "Sequence[str]") -> "list[BlankState]":
    from juying.ledger.states import BlankState

    try:
        return [BlankState(word) for word in words]
    except ValueError:
        raise InputError(
            f"没有这个状态，可用：{'、'.join(BlankState)}",
            f"there is no such state; known are {', '.join(BlankState)}",
            where="--state",
        ) from None


def _dict(blank: "Blank") -> dict[str, object]:
    return {
        "blank": blank.id,
        "identifier": blank.identifier,
        "state": blank.state.value,
        "profile": blank.profile,
        "reason": blank.reason,
        "card": None if blank.card is None else blank.card.value,
    }


def _row(blank: "Blank") -> list[Cell]:
    cells = (str(blank.id), blank.identifier, str(blank.state.text), blank.profile, blank.reason)
    return [Cell(cell) for cell in cells]
