"""``juying library``: how the library systems of a configuration are, and how an unknown one speaks."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.commands import Commands
from juying.cli.options import Json
from juying.cli.output import Exit, print_json, print_text, tell
from juying.cli.passwords import at_a_terminal
from juying.cli.plain import Cell, print_line, print_rows
from juying.errors import InputError, JuyingError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from juying.services.library.selftest import Report
    from juying.services.library.site import Site

app = Commands("图书馆系统（SIP2） / library systems (SIP2)")

PASSWORD = "JUYING_LIBRARY_PASSWORD"  # noqa: S105 - the name of the variable

Sites = Annotated[
    Path | None,
    typer.Option(
        "--sites", metavar="FILE", help="服务配置文件，默认 JUYING_SITES / configuration; default: JUYING_SITES"
    ),
]


@app.command()
def status(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SITE]...", help="默认全部 / all by default", show_default=False)
    ] = None,
    sites: Sites = None,
    json: Json = False,
) -> int:
    """询问各图书馆系统的状态，有一个不可用时退出状态为 3 / how the systems are; status 3 when one cannot be used."""
    from concurrent.futures import ThreadPoolExecutor

    found = _sites(sites, names or [])
    with ThreadPoolExecutor(len(found)) as threads:
        states = list(threads.map(_state, found))
    if json:
        print_json({"libraries": states})
    else:
        print_rows(
            [
                [
                    Cell(state["name"], "bold"),
                    Cell(str(Text(**state["title"]))),
                    _verdict(state["online"]),
                    _said(state),
                ]
                for state in states
            ]
        )
    return Exit.DONE if all(state["online"] for state in states) else Exit.UNDETERMINED


def _state(site: "Site") -> dict[str, Any]:
    from juying.services.library.client import LibraryClient
    from juying.services.library.messages import SystemStatus

    state: dict[str, Any] = {"name": site.name, "title": site.title._asdict(), "online": False}
    try:
        with LibraryClient(site) as client:
            answer = client.status()
    except JuyingError as error:
        return state | {"error": error.text._asdict()}
    said = answer.message
    if isinstance(said, SystemStatus):
        state |= {
            "online": bool(said.online),
            "institution": said.institution,
            "library": said.library,
            "messages": sorted(said.supported),
        }
    return state | {"problems": [problem._asdict() for problem in answer.problems]}


def _verdict(online: bool) -> Cell:
    return Cell("在线 / on line", "green") if online else Cell("不可用 / not available", "red")


def _said(state: dict[str, Any]) -> Cell:
    if "error" in state:
        return Cell(str(Text(**state["error"])))
    return Cell(f"{state.get('institution', '')} {state.get('library') or ''}".strip())


@app.command()
def selftest(
    site: Annotated[str, typer.Argument(metavar="SITE|HOST:PORT", help="配置中的名称或地址 / name, or address")],
    sites: Sites = None,
    plain: Annotated[bool, typer.Option("--plain", help="该端口没有 TLS / there is no TLS at this port")] = False,
    login: Annotated[
        str, typer.Option("--login", metavar="USER", help=f"终端账号，口令取自 {PASSWORD} / account of the terminal")
    ] = "",
    ca_file: Annotated[str, typer.Option("--ca", metavar="FILE", help="证书机构 PEM / authorities, a PEM file")] = "",
    seconds: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=60, help="每次等待 / wait for each answer")
    ] = 3.0,
    json: Json = False,
) -> int:
    """找出一个系统的说话方式，只询问，不借还 / find out how a system speaks; it only asks, and lends nothing."""
    from juying.services.library.selftest import selftest as run

    address = re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[^:\s]+):([0-9]{1,5})", site)
    if address:
        target = _unknown(address[1].strip("[]"), int(address[2]), plain, login, ca_file, seconds)
    elif plain or login or ca_file:
        raise InputError("--plain、--login、--ca 只用于 HOST:PORT", "--plain, --login and --ca belong to HOST:PORT")
    else:
        target = _with_patience(_sites(sites, [site])[0], seconds)
    report = run(target, progress=lambda step: None if json else tell(f"… {step}"))
    if json:
        print_json(_report_dict(report, target))
    else:
        _show(report, target)
    return Exit.NO if any(finding.good is False for finding in report.findings) else Exit.DONE


def _unknown(host: str, port: int, plain: bool, login: str, ca_file: str, seconds: float) -> "Site":
    """A site of which no more is known than the address."""
    from juying.services.library.site import Site

    table: dict[str, Any] = {"host": host, "port": port, "tls": not plain}
    if ca_file:
        table["ca_file"] = ca_file
    if login:
        if PASSWORD not in os.environ and at_a_terminal():
            os.environ[PASSWORD] = typer.prompt("口令 / password", hide_input=True, err=True)
        table |= {"login": login, "password_env": PASSWORD}
    return _with_patience(Site.from_dict(table, "example"), seconds)


def _with_patience(site: "Site", seconds: float) -> "Site":
    from dataclasses import replace

    return replace(site, resilience=replace(site.resilience, timeout=seconds, connect=max(seconds, 1.0)))


def _sites(path: Path | None, names: list[str]) -> list["Site"]:
    """The libraries of the configuration with these names, or all; only their passwords have to be there."""
    from juying.services.library.site import sites
    from juying.services.sites import load_sites

    place = path or os.environ.get("JUYING_SITES")
    if not place:
        raise InputError(
            "请用 --sites 或环境变量 JUYING_SITES 指定配置文件",
            "name the configuration with --sites or in the environment variable JUYING_SITES",
        )
    table = load_sites(place).get("library", {})
    if not names:
        return list(sites(table))
    return [_named(table, name.removeprefix("library.")) for name in names]


def _named(table: "Mapping[str, Any]", name: str) -> "Site":
    """A library, or a branch (``LIBRARY.BRANCH``)."""
    from juying.services.library.site import sites

    library = name.partition(".")[0]
    found = sites({library: table[library]}) if library in table else ()
    for site in found:
        if site.name == name:
            return site
    from difflib import get_close_matches

    nearest = get_close_matches(name, [*table, *(site.name for site in found)], n=1, cutoff=0.0)
    raise InputError(
        f"没有这个图书馆{f'，最接近的是 {nearest[0]}' if nearest else ''}",
        f"there is no such library{f', the nearest is {nearest[0]}' if nearest else ''}",
        where=name,
    )


def _show(report: "Report", site: "Site") -> None:
    marks = {True: Cell("✓", "green"), False: Cell("✗", "red"), None: Cell(" ")}
    print_rows(
        [
            [
                marks[finding.good],
                Cell(finding.name.zh, "bold"),
                Cell(finding.name.en, "dim"),
                Cell(f"{finding.value}  {finding.remark or ''}".rstrip()),
            ]
            for finding in report.findings
        ]
    )
    print_line("")
    print_text(report.toml(site).rstrip())


def _report_dict(report: "Report", site: "Site") -> dict[str, Any]:
    return {
        "site": site.name,
        "host": site.host,
        "port": site.port,
        "findings": [
            {
                "name": finding.name._asdict(),
                "value": finding.value,
                "good": finding.good,
                "remark": finding.remark._asdict() if finding.remark else None,
            }
            for finding in report.findings
        ],
        "settings": report.settings,
        "toml": report.toml(site),
    }
