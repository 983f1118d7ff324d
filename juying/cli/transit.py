"""``juying transit``: city codes, a tap at a gate, and what a terminal has in its journal."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.options import Json, Reader, Virtual, open_transport
from juying.cli.output import Exit, print_json, tell
from juying.cli.plain import Cell, print_line, print_rows
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from juying.card.transport import Transport
    from juying.services.transit.site import Site
    from juying.services.transit.tap import Passage

app = Commands("交通联合：城市代码、刷卡 / China T-Union transit: city codes, taps")

_DONE = {"eligible": Exit.DONE, "ineligible": Exit.NO, "undetermined": Exit.UNDETERMINED}

_TERMINAL = "413100000001"
"""Number of the virtual PSAM where the site names none."""

Journal = Annotated[
    Path, typer.Option("--journal", metavar="FILE", help="刷卡台账，没有则新建 / the journal of taps; made if missing")
]


@app.command()
def cities(
    words: Annotated[
        str | None,
        typer.Argument(
            metavar="[WORDS]", help="代码、名称或英文省名，默认全部 / code, name or province", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> int:
    """列出城市代码及其来源 / city codes, with the public lists that each is from."""
    from juying.services.transit.cities import cities as all_cities
    from juying.services.transit.cities import find_cities

    found = find_cities(words) if words is not None else tuple(all_cities().values())
    if json:
        print_json(
            {
                "cities": [
                    {
                        "code": city.code,
                        "name": city.name._asdict(),
                        "province": city.province,
                        "sources": [source.title._asdict() for source in city.sources],
                    }
                    for city in found
                ]
            }
        )
        return Exit.DONE
    print_rows(
        [
            [
                Cell(city.code, "bold"),
                Cell(city.name.zh),
                Cell(city.name.en),
                Cell(city.province, "dim"),
                Cell("; ".join(source.title.en.partition(" (")[0] for source in city.sources), "dim"),
            ]
            for city in found
        ]
    )
    return Exit.DONE


@app.command()
def tap(
    journal: Journal,
    sites: Annotated[
        Path | None,
        typer.Option(
            "--sites", metavar="FILE", help="服务配置 TOML 文件，默认 JUYING_SITES / TOML file; default: JUYING_SITES"
        ),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option("--site", metavar="NAME", help="终端，配置中 [transit.NAME] / gate, as in [transit.NAME]"),
    ] = None,
    reader: Reader = None,
    virtual: Virtual = None,
    psam: Annotated[
        str | None,
        typer.Option(
            "--psam",
            metavar="READER",
            help="PSAM 所在读卡器；不给则用虚拟 PSAM / reader of the PSAM; else a virtual one",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="北京时间，默认现在 / time in China; default: now, as 2026-12-01T08:30"
        ),
    ] = None,
    json: Json = False,
) -> int:
    """在终端刷卡一次：判定并扣款 / one tap at a gate: decide, and take the fare; a torn card may be shown again."""
    from juying.card.channel import Channel
    from juying.card.tunion_psam import TransitPsam
    from juying.services.transit.journal import TapJournal
    from juying.services.transit.tap import tap as carry_out

    gate = _site(sites, site)
    now = _time(at)
    with (
        TapJournal(journal) as opened,
        open_transport(reader, virtual, None) as transport,
        _psam(psam, gate) as slot,
    ):
        passage = carry_out(Channel(transport), TransitPsam.open(Channel(slot)), gate, opened, now=now)
    if json:
        print_json(passage.to_dict())
    else:
        _show(passage)
    return _DONE[passage.verdict.decision]


@app.command("journal")
def list_journal(journal: Journal, json: Json = False) -> int:
    """列出刷卡台账 / what a terminal has in its journal, for the clearing; exit status 3 when a fare is in doubt."""
    from juying.services.transit.journal import State, TapJournal

    if not journal.is_file():
        raise InputError("没有这个台账，请核对路径", "there is no such journal: check the path", where=str(journal))
    with TapJournal(journal) as opened:
        entries = opened.entries()
    if json:
        print_json({"taps": [entry.to_dict() for entry in entries]})
    else:
        print_rows(
            [
                [
                    Cell(str(entry.number)),
                    Cell(f"{entry.debit.at:%Y-%m-%d %H:%M:%S}"),
                    Cell(str(entry.action.text)),
                    Cell(f"{entry.debit.amount_fen / 100:.2f}"),
                    Cell(entry.tac or "-", "dim"),
                    Cell(str(entry.state), "green" if entry.state is State.PAID else "yellow"),
                ]
                for entry in entries
            ]
        )
        if not entries:
            tell(Text("台账为空", "the journal is empty"))
    return Exit.UNDETERMINED if any(entry.state is not State.PAID for entry in entries) else Exit.DONE


def _site(path: Path | None, name: str | None) -> "Site":
    """The gate that is configured, or the one of several that is named."""
    from juying.services.sites import load_sites
    from juying.services.transit.site import sites

    file = path or os.environ.get("JUYING_SITES")
    if not file:
        raise InputError("请用 --sites 指定配置文件", "name the configuration file with --sites", where="--sites")
    found = {gate.name.removeprefix("transit."): gate for gate in sites(load_sites(file).get("transit", {}))}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        known = ", ".join(found) or "-"
        raise InputError(f"请用 --site 指定一个终端：{known}", f"name one gate with --site: {known}", where=str(file))
    return found[name]


def _time(text: str | None) -> datetime:
    from juying.credential.claims import CHINA

    if text is None:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(text).replace(tzinfo=CHINA)
    except ValueError:
        raise InputError("时间格式为 2026-12-01T08:30", "a time looks like 2026-12-01T08:30", where="--at") from None


def _psam(reader: str | None, gate: "Site") -> "AbstractContextManager[Transport]":
    """The PSAM in a reader, or one that can debit virtual cards only."""
    if reader is not None:
        from juying.card.pcsc import open_card

        return open_card(reader)
    from juying.card.virtual.transport import LocalTransport
    from juying.card.virtual.tunion_psam import VirtualTransitPsam

    issuer = f"{gate.issuers[0]}FFFFFFFF"
    return LocalTransport(VirtualTransitPsam(issuer_code=issuer, terminal=gate.terminal or _TERMINAL))


def _show(passage: "Passage") -> None:
    print_rows(list(_rows(passage)))
    print_line("")
    amount = passage.verdict.evidence.get("balance_fen")
    if isinstance(amount, int):
        print_line(f"余额 / balance: {amount / 100:.2f}", "dim")
    door = Text("开门", "the gate opens") if passage.opens else Text("不开门", "the gate stays shut")
    print_line(str(door), "bold green" if passage.opens else "bold red")


def _rows(passage: "Passage") -> "Iterator[list[Cell]]":
    from juying.cli.labels import OUTCOMES

    for check in passage.verdict.checks:
        outcome, colour = OUTCOMES[check.outcome]
        yield [Cell(f"{outcome.zh} {outcome.en}", colour), Cell(check.name), Cell(str(check.reason))]
