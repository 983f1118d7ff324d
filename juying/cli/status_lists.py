"""``juying credential publish``, ``serve-status`` and ``import-status``: status lists on their way to the terminals."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore, SigningKey
from juying.cli.ledger_options import Ledger, acting, open_ledger
from juying.cli.options import Json, Root, Trust, load_trust
from juying.cli.output import Exit, print_json, tell
from juying.cli.renewing import Key, open_signer
from juying.cli.status_view import list_row, show_rows
from juying.cli.trusting import load_lists
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.status import StatusLists
    from juying.credential.trust import TrustList

HTTP = ("http://", "https://")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="列表目录 / folder of the lists")]


def publish(
    folder: Folder,
    ledger: Ledger = None,
    key: Key = None,
    keys: KeyStore = None,
    signing_key: SigningKey = None,
    trust: Trust = None,
    root: Root = None,
    base: Annotated[
        str, typer.Option("--base", metavar="URI", help="列表地址，其后接列表号 / address to which the number is added")
    ] = "juying:status/",
    ttl: Annotated[
        int, typer.Option("--ttl", min=1, max=31_622_400, metavar="SECONDS", help="可缓存秒数 / seconds to keep a list")
    ] = 3600,
    lifetime: Annotated[
        int,
        typer.Option(
            "--lifetime", min=1, max=31_622_400, metavar="SECONDS", help="有效秒数 / seconds that a list is good for"
        ),
    ] = 86_400,
    json: Json = False,
) -> int:
    """签名并发布台账中的状态列表 / sign the status lists of the ledger and put them into a folder."""
    from juying.credential.publish import publish as publish_lists
    from juying.ledger.operators import Action, allow
    from juying.ledger.register import LedgerRegister

    with open_signer(key, keys, signing_key, trust, root) as (signer, trusted), open_ledger(ledger, keys) as opened:
        actor = acting(opened)
        allow(actor, Action.PUBLISH)
        published = publish_lists(
            LedgerRegister(opened, actor),
            folder,
            signer,
            trusted,
            now=datetime.now(UTC),
            ttl=timedelta(seconds=ttl),
            lifetime=timedelta(seconds=lifetime),
            base=base,
        )
    rows = [
        {
            "list": one.content.number,
            "as_of": one.content.issued_at.isoformat(),
            "expires_at": one.content.expires_at.isoformat(),
            "entries": len(one.content),
            "bytes": one.size,
            "file": str(one.file),
            "text_file": str(one.text_file) if one.text_file else None,
        }
        for one in published
    ]
    if json:
        print_json({"lists": rows})
    else:
        show_rows(rows)
    return Exit.DONE


def serve_status(
    folder: Folder,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="端口，0 为任意空闲 / port, 0 for a free one")
    ] = 8080,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="监听地址 / address to listen on")
    ] = "127.0.0.1",
) -> None:
    """用 HTTP 提供状态列表，公网应另有 Web 服务器在前 / serve status lists over HTTP, not to the open internet."""
    from juying.credential.status_server import StatusServer

    if not folder.is_dir():
        raise InputError("没有这个目录", "there is no such folder", where=str(folder))
    with StatusServer(folder, host=host, port=port) as server:
        tell(f"{server.url}<列表号 number>")
        server.serve_forever()


def import_status(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="列表文件、目录或 http(s) 地址 / list, folder of lists, or address of one"
        ),
    ],
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="终端的列表目录 / the terminal's folder of lists")
    ],
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """验证并收下较新的状态列表 / take in newer status lists; exit status 3 when one did not come or is out of date."""
    from juying.credential.status import StatusLists

    trusted, now = load_trust(trust, root), datetime.now(UTC)
    lists = load_lists(into, trusted, now) if into.is_dir() else StatusLists()
    problems = []
    for source in sources:
        problems += _take_in(source, lists, trusted, now)
    lists.save(into)
    for problem in problems:
        tell(str(problem))
    status = show_lists(lists, now, problems, as_json=json)
    return Exit.UNDETERMINED if problems else status


def add_to(group: Commands) -> None:
    """Put the commands into ``juying credential``."""
    for name, command in {"publish": publish, "serve-status": serve_status, "import-status": import_status}.items():
        group.command(name)(command)


def show_lists(lists: "StatusLists", now: datetime, problems: list[InputError] | None = None, *, as_json: bool) -> int:
    """Which lists are at hand and how old they are; undetermined when there is none or one is out of date."""
    rows = [list_row(held, now) for held in lists]
    if as_json:
        told = [{"where": problem.where, **problem.text._asdict()} for problem in (*lists.problems, *(problems or ()))]
        print_json({"lists": rows, "problems": told})
    else:
        show_rows(rows)
    return Exit.DONE if rows and not any(row["expired"] for row in rows) else Exit.UNDETERMINED


def _take_in(source: str, lists: "StatusLists", trust: "TrustList", now: datetime) -> list[InputError]:
    """Add what ``source`` has; what it has not or what does not count is no reason to stop."""
    from juying.credential.status import StatusLists

    try:
        if source.startswith(HTTP):
            return _fetch(source, lists, trust)
        found = StatusLists.load(source, trust, now=now)
        problems = list(found.problems)
        for held in found:
            try:
                lists.add(held.token, trust, now=now)
            except InputError as error:
                problems.append(InputError(*error.text, where=source))
    except InputError as error:
        return [error]
    return problems


def _fetch(url: str, lists: "StatusLists", trust: "TrustList") -> list[InputError]:
    from juying.credential.status_client import StatusClient

    base, _, number = url.rpartition("/")
    if not (number.isascii() and number.isdecimal() and len(number) <= 10):
        raise InputError("地址须以列表号结尾", "the address has to end in the number of a list", where=url)
    (refresh,) = StatusClient(f"{base}/", lists, trust).refresh([int(number)])
    if refresh.reason is None:
        return []
    kept = Text("保留现有列表", "the list at hand stays") if refresh.held else Text("没有列表", "no list at hand")
    zh, en = refresh.reason
    return [InputError(f"{zh}；{kept.zh}", f"{en}; {kept.en}", where=url)]
