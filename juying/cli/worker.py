"""``juying worker``."""

import os
import platform
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.jobs import kind_named
from juying.cli.key_options import KeyStore, SigningKey
from juying.cli.ledger_options import STATION, Ledger, Station, acting, open_ledger
from juying.cli.options import Json, Root, Trust
from juying.cli.output import Exit, print_json_line, tell
from juying.cli.renewing import Key, open_signer
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.issuance.office import Office
    from juying.issuance.workflows.delivery import Delivers
    from juying.issuance.workflows.enrolling import Enrols
    from juying.issuance.workflows.tasks import Task
    from juying.ledger.ledger import Ledger as OpenLedger

USER = "JUYING_SMTP_USER"
SITES = "JUYING_SITES"


def worker(
    ledger: Ledger = None,
    station: Station = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="KIND", help="只做此类任务，可重复 / only jobs of this kind; may be repeated"),
    ] = None,
    key: Key = None,
    keys: KeyStore = None,
    signing_key: SigningKey = None,
    trust: Trust = None,
    root: Root = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", metavar="DIR", help="签发时画二维码图片到此目录 / draw what is signed into this folder"
        ),
    ] = None,
    publish: Annotated[
        Path | None,
        typer.Option("--publish", metavar="DIR", help="发布状态列表到此目录 / publish status lists into this folder"),
    ] = None,
    sites: Annotated[
        Path | None,
        typer.Option(
            "--sites",
            metavar="FILE",
            help="服务配置 TOML 文件，默认 JUYING_SITES / TOML file of the services; default: JUYING_SITES",
        ),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            "--service", metavar="NAME", help="没有接口的服务，可重复 / a service without interface; repeatable"
        ),
    ] = None,
    drop: Annotated[
        Path | None,
        typer.Option(
            "--drop", metavar="DIR", help="给服务导入的文件放在此目录 / folder of files for services to import"
        ),
    ] = None,
    smtp: Annotated[
        str | None,
        typer.Option(
            "--smtp",
            metavar="HOST[:PORT]",
            help=f"提醒用的邮件服务器，账号在 {USER}，口令在 JUYING_SMTP_PASSWORD / mail server for reminders",
        ),
    ] = None,
    outbox: Annotated[
        Path | None,
        typer.Option(
            "--outbox", metavar="DIR", help="提醒写成邮件文件放在此目录 / reminders as mail files in this folder"
        ),
    ] = None,
    mail_from: Annotated[
        str, typer.Option("--mail-from", metavar="ADDRESS", help="提醒的发件人 / sender of reminders")
    ] = "",
    mail_to: Annotated[
        str,
        typer.Option("--mail-to", metavar="ADDRESS", help="持卡人没有邮箱时寄往 / for holders without an address"),
    ] = "",
    take_over: Annotated[
        float,
        typer.Option("--take-over", metavar="SECONDS", min=1, help="多久无心跳视为已死 / silence that means death"),
    ] = 30,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="没有任务就结束 / end when there is nothing to do")
    ] = False,
    json: Json = False,
) -> int:
    """做后台任务，可在多台机器上运行，Ctrl-C 做完当前步骤后结束 / do jobs; any number of workers may."""
    from juying.issuance.workflows.control import waiting
    from juying.issuance.workflows.tasks import Kind
    from juying.issuance.workflows.worker import Worker
    from juying.ledger.operators import Action, allow

    wanted = tuple(map(kind_named, only)) if only else tuple(Kind)
    with ExitStack() as stack:
        opened = stack.enter_context(open_ledger(ledger, keys))
        actor = acting(opened, station or os.environ.get(STATION) or platform.node())
        allow(actor, Action.JOBS)
        tasks: list[Task] = []
        if Kind.SIGN in wanted or (Kind.PUBLISH in wanted and publish is not None):
            office = stack.enter_context(_office(opened, key, keys, signing_key, trust, root))
            tasks += _with_key(office, pictures, publish)
        tasks += _without_key(_services(stack, sites, service or [], drop), _delivery(smtp, outbox), mail_from, mail_to)
        tasks = [task for task in tasks if task.kind in wanted]
        kinds = [task.kind for task in tasks]
        working = Worker(opened, actor, tasks, told=_told(as_json=json), patience=take_over)
        with _ending(working.stop):
            working.run(over=(lambda: not waiting(opened, kinds)) if until_idle else lambda: False)
    return Exit.DONE


@contextmanager
def _office(
    ledger: "OpenLedger", key: Path | None, keys: str | None, name: str | None, trust: Path | None, root: Path | None
) -> "Iterator[Office]":
    """The issuing key of this worker, or that of the demonstration."""
    from juying.issuance.demo_keys import FOLDER, demonstration_keys
    from juying.issuance.office import Office

    if key is None and name is None and trust is None:
        signer, trusted = demonstration_keys(FOLDER, region=ledger.region)
        yield Office(signer=signer, trust=trusted, region=ledger.region, clock=ledger.clock)
        return
    with open_signer(key, keys, name, trust, root) as (held, list_):
        yield Office(signer=held, trust=list_, region=ledger.region, clock=ledger.clock)


def _with_key(office: "Office", pictures: Path | None, publish: Path | None) -> "Iterator[Task]":
    from juying.issuance.workflows.routine import Publishing
    from juying.issuance.workflows.signing import Signing

    yield Signing(office, pictures)
    if publish is not None:
        yield Publishing(office, publish)


def _without_key(
    services: "Mapping[str, Enrols]", delivery: "Delivers | None", mail_from: str, mail_to: str
) -> "Iterator[Task]":
    from juying.issuance.workflows.enrolling import Enrolling
    from juying.issuance.workflows.reminding import Reminding
    from juying.issuance.workflows.routine import Expiring

    yield Expiring()
    if services:
        yield Enrolling(services)
    if delivery is not None:
        if not mail_from:
            raise InputError("提醒须有发件人：--mail-from", "reminders need a sender: --mail-from")
        yield Reminding(delivery, mail_from, mail_to)


def _services(stack: ExitStack, sites: Path | None, without: list[str], drop: Path | None) -> "Mapping[str, Enrols]":
    """Where people can be enrolled: services of the configuration, and those that get files."""
    from juying.issuance.workflows.enrolling import Drop, Enrols, Library
    from juying.services.adapter import Closing
    from juying.services.library.adapter import LibraryAdapter
    from juying.services.sites import ALL, adapters, load_sites

    if without and drop is None:
        raise InputError("--service 须有 --drop", "--service goes with --drop")
    found: dict[str, Enrols] = {name: Drop(name, drop) for name in without} if drop is not None else {}
    path = sites or os.environ.get(SITES)
    for adapter in adapters(load_sites(path), ALL) if path else ():
        if isinstance(adapter, Closing):
            stack.callback(adapter.close)
        if isinstance(adapter, Enrols):
            found[adapter.name] = adapter
        elif isinstance(adapter, LibraryAdapter) and drop is not None:
            found[adapter.name] = Library(adapter, drop)
    return found


def _delivery(smtp: str | None, outbox: Path | None) -> "Delivers | None":
    from juying.issuance.workflows.delivery import Mail, Outbox

    if smtp is not None and outbox is not None:
        raise InputError("--smtp 和 --outbox 只能用一个", "--smtp and --outbox exclude each other")
    if outbox is not None:
        return Outbox(outbox)
    if smtp is None:
        return None
    host, _, port = smtp.partition(":")
    if not host or (port and not port.isdecimal()):
        raise InputError("邮件服务器写作 主机:端口", "the mail server is written HOST:PORT", where=smtp)
    return Mail(host, int(port or 465), os.environ.get(USER, ""))


def _told(*, as_json: bool) -> Callable[[Mapping[str, Any]], None]:
    """What tells people, or programs, what the worker does."""
    if as_json:
        return print_json_line
    return lambda event: tell(_sentence(event))


def _sentence(event: Mapping[str, Any]) -> Text | str:
    match event:
        case {"event": "started", "kinds": kinds}:
            return Text(f"已启动：{'、'.join(kinds)}", f"started: {', '.join(kinds)}")
        case {"event": "planned", "job": job, "parts": parts}:
            return f"{job}: {Text(f'共 {parts} 部分', f'parts: {parts}')}"
        case {"event": "part", "part": part, **counts}:
            silent = {"event"} if counts["problems"] else {"event", "problems"}
            return f"{part}: " + ", ".join(f"{name} {count}" for name, count in counts.items() if name not in silent)
        case {"event": "unavailable", "zh": zh, "en": en}:
            return Text(f"{zh}；稍后再试", f"{en}; tried again later")
        case {"event": "taken-over", "worker": dead, "workflows": count}:
            return Text(f"工作进程 {dead} 已死，接手 {count} 件", f"worker {dead} is dead, {count} taken over from it")
        case _:
            return Text("已结束", "ended")


@contextmanager
def _ending(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, or a request of the system to end, ends the worker after what is under way; a second one ends it now."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def asked(*_: object) -> None:
        tell(Text("做完当前步骤后结束，再按一次立即结束", "ending after the steps under way; once more to end now"))
        for number in signals:
            signal.signal(number, before[number])
        stop()

    for number in signals:
        signal.signal(number, asked)
    try:
        yield
    finally:
        for number in signals:
            signal.signal(number, before[number])
