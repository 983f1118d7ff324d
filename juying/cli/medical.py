"""``juying medical``: the journal of settlements."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.options import Json
from juying.cli.output import Exit, print_json, tell
from juying.cli.plain import Cell, print_rows
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from juying.services.medical.journal import Entry
    from juying.services.medical.site import Site

app = Commands("医保结算 / medical settlement")
journal = Commands("结算台账：查看、补完 / the journal of settlements")
app.add_typer(journal, name="journal")

SITES = "JUYING_SITES"
NOTHING = Text("没有未完成的结算", "nothing is unfinished")

Sites = Annotated[
    Path | None,
    typer.Option(
        "--sites",
        metavar="FILE",
        help=f"服务配置 TOML 文件，默认 {SITES} / TOML file of the services; default: {SITES}",
    ),
]
Name = Annotated[
    str | None,
    typer.Option("--site", metavar="NAME", help="机构，配置中 [medical.NAME] / one institution, as in [medical.NAME]"),
]
File = Annotated[
    Path | None,
    typer.Option("--journal", metavar="FILE", help="台账文件，默认由配置给出 / journal; default: as configured"),
]


@journal.command("list")
def list_entries(
    everything: Annotated[
        bool, typer.Option("--all", help="包括已完成的 / all entries, not only those that are unfinished")
    ] = False,
    file: File = None,
    sites: Sites = None,
    site: Name = None,
    json: Json = False,
) -> int:
    """列出台账中的结算，默认只列未完成的 / list settlements, by default those that are unfinished."""
    from juying.services.medical.journal import Journal

    entries: list[Entry] = []
    for path in [file] if file else _journal_files(sites, site):
        with Journal(path, make=False) as opened:
            entries += opened.entries(f"medical.{site}" if site else None, unfinished=not everything)
    _show(entries, as_json=json)
    return Exit.DONE


@journal.command()
def finish(sites: Sites = None, site: Name = None, json: Json = False) -> int:
    """补完中断或不明的结算 / finish what was interrupted or is in doubt; exit status 3 when something remains."""
    from juying.services.medical.client import NhsaClient
    from juying.services.medical.journal import Journal
    from juying.services.medical.till import Till

    left: list[Entry] = []
    for configured in _sites(sites, site):
        with Journal(configured.journal, make=False) as opened:
            left += Till(NhsaClient(configured), opened).finish()
    _show(left, as_json=json)
    return Exit.UNDETERMINED if left else Exit.DONE


@journal.command()
def close(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="台账中的序号 / number in the journal")],
    state: Annotated[
        str,
        typer.Option("--as", metavar="STATE", help="医保经办机构确认的结果 / reversed, paid or undone, as they say"),
    ],
    file: File = None,
    sites: Sites = None,
    site: Name = None,
    json: Json = False,
) -> int:
    """经与医保经办机构核实后，人工了结不明的结算 / close an entry in doubt by hand, as the insurance agency says."""
    from juying.services.medical.journal import Journal, State

    if state not in set(State):
        raise InputError("只能是 reversed、paid 或 undone", "it is reversed, paid or undone", where="--as")
    paths = [file] if file else _journal_files(sites, site)
    if len(paths) != 1:
        raise InputError("请用 --site 或 --journal 指明台账", "say which journal with --site or --journal")
    with Journal(paths[0], make=False) as opened:
        closed = opened.close_by_hand(number, State(state))
    _show([closed], as_json=json)
    return Exit.DONE


def _journal_files(sites: Path | None, name: str | None) -> "list[Path]":
    """The journals of the sites, each once."""
    return [Path(path) for path in dict.fromkeys(site.journal for site in _sites(sites, name))]


def _sites(sites: Path | None, name: str | None) -> "Sequence[Site]":
    """The institutions that have a journal, or the one that is named; `InputError` when there is none."""
    from juying.services.medical.site import load_sites
    from juying.services.sites import load_sites as load_file

    path = sites or os.environ.get(SITES)
    if not path:
        raise InputError(
            f"请用 --sites 或环境变量 {SITES} 指定服务配置文件",
            f"name the configuration file with --sites or in the environment variable {SITES}",
        )
    found = [site for site in load_sites(load_file(path).get("medical", {})) if name in (None, _short(site.name))]
    found = [site for site in found if site.journal]
    if not found:
        raise InputError(
            "没有这样的机构，或未配置台账（journal）",
            "there is no such institution, or it has no journal configured",
            where=name or str(path),
        )
    return found


def _short(name: str) -> str:
    return name.partition(".")[2]


def _show(entries: "Sequence[Entry]", *, as_json: bool) -> None:
    if as_json:
        print_json({"entries": [entry.to_dict() for entry in entries]})
        return
    if not entries:
        tell(NOTHING)
        return
    titles = ("#", "机构 site", "就诊 visit", "批次 batch", "金额 amount", "状态 state", "原因 code", "结算 settlement")
    rows = [[Cell(title, "bold") for title in titles]]
    for entry in entries:
        colour = "yellow" if entry.state.open or entry.undo_wanted else "green"
        values = (_short(entry.site), entry.mdtrt_id, entry.chrg_bchno, str(entry.amount))
        shown = (Cell(str(entry.state.text), colour), Cell(entry.code), Cell(entry.setl_id))
        rows.append([Cell(str(entry.number)), *(Cell(value) for value in values), *shown])
    print_rows(rows)
