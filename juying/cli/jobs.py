"""``juying jobs``: starting and watching what workers do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore
from juying.cli.ledger_options import Ledger, acting, open_ledger
from juying.cli.options import Json
from juying.cli.output import Exit, print_fields, print_json, print_text
from juying.cli.plain import Cell, print_rows
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.issuance.workflows.control import Job
    from juying.issuance.workflows.tasks import Kind
    from juying.ledger.ledger import Ledger as OpenLedger

app = Commands("后台任务 / jobs that workers do")

KindName = Annotated[
    str,
    typer.Argument(
        metavar="KIND", help="sign、enrol、publish、remind 或 expire / sign, enrol, publish, remind or expire"
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="任务编号 / id of the job")]
LotName = Annotated[str | None, typer.Option("--lot", metavar="NAME", help="sign：只做此批 / sign: this lot alone")]
Redraw = Annotated[
    bool, typer.Option("--redraw", help="sign：补画缺少的图片 / sign: draw pictures that are missing here as well")
]
Service = Annotated[
    str | None, typer.Option("--service", metavar="NAME", help="enrol：服务名称 / enrol: name of the service")
]


@app.command()
def start(
    kind: KindName,
    lot: LotName = None,
    redraw: Redraw = False,
    service: Service = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """开始一个任务；相同的正在做时就是那一个 / start a job, or name the same one that is under way."""
    from juying.issuance.workflows.control import get
    from juying.issuance.workflows.control import start as start_job

    with open_ledger(ledger, keys) as opened:
        wanted = kind_named(kind)
        number = start_job(opened, acting(opened), wanted, _scope(opened, wanted, lot, redraw, service))
        job = get(opened, number)
    if json:
        print_json(_document(job))
    else:
        print_text(number)
    return Exit.DONE


@app.command("list")
def list_jobs(
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="最多几个 / at most so many")] = 20,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """列出任务和进度，新的在前 / list jobs and how far they are, the newest first."""
    from juying.issuance.workflows.control import jobs

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        found = jobs(opened, limit=most)
    if json:
        print_json({"jobs": [_document(job) for job in found]})
    elif found:
        print_rows([_cells(job) for job in found])
    else:
        print_text(str(Text("没有任务", "there are no jobs")))
    return Exit.DONE


@app.command()
def show(job: JobId, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """显示一个任务及其问题 / show a job and its problems; exit status 1 when some of it failed."""
    from juying.issuance.workflows.control import get

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        found = get(opened, job)
    return _show(found, as_json=json)


@app.command()
def cancel(job: JobId, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """取消任务：已开始的部分做完当前步骤，其余不做 / cancel a job: what is under way ends after its step."""
    from juying.issuance.workflows.control import cancel as cancel_job

    with open_ledger(ledger, keys) as opened:
        found = cancel_job(opened, acting(opened), job)
    _show(found, as_json=json)
    return Exit.DONE


@app.command()
def retry(job: JobId, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """重做失败或取消的部分 / do what failed or was cancelled again."""
    from juying.issuance.workflows.control import retry as retry_job

    with open_ledger(ledger, keys) as opened:
        found = retry_job(opened, acting(opened), job)
    _show(found, as_json=json)
    return Exit.DONE


@app.command()
def schedule(
    kind: KindName,
    times: Annotated[
        str, typer.Argument(metavar="TIMES", help="cron 的五栏，北京时间 / five fields of cron, Beijing time")
    ],
    service: Service = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """定时开始任务，每类一个定时 / start jobs at certain times; each kind has one schedule."""
    from juying.issuance.workflows import control

    with open_ledger(ledger, keys) as opened:
        wanted = kind_named(kind)
        control.schedule(opened, acting(opened), wanted, times, _scope(opened, wanted, None, False, service))
    return _list_schedules(ledger, keys, as_json=json)


@app.command()
def unschedule(kind: KindName, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """取消定时 / start no more jobs of this kind by themselves."""
    from juying.issuance.workflows import control

    with open_ledger(ledger, keys) as opened:
        control.unschedule(opened, acting(opened), kind_named(kind))
    return _list_schedules(ledger, keys, as_json=json)


@app.command()
def schedules(ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """列出定时 / list what is scheduled."""
    return _list_schedules(ledger, keys, as_json=json)


@app.command()
def workers(ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """列出正在运行的工作进程 / list the workers that run."""
    from juying.issuance.workflows.control import workers as running

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        rows = [
            {
                "worker": each.executor,
                "station": each.station,
                "kinds": [kind.value for kind in each.kinds],
                "began_at": each.began_at.isoformat(timespec="seconds"),
                "seen_at": each.seen_at.isoformat(timespec="seconds"),
            }
            for each in running(opened)
        ]
    _print_table("workers", rows, Text("没有工作进程在运行", "no worker runs"), as_json=json)
    return Exit.DONE


def kind_named(name: str) -> "Kind":
    """The kind of job with this name. Raises `InputError`."""
    from juying.issuance.workflows.tasks import Kind

    try:
        return Kind(name)
    except ValueError:
        raise InputError(
            f"没有这类任务，可用：{'、'.join(Kind)}", f"no such kind of job; known are {', '.join(Kind)}", where=name
        ) from None


def _scope(ledger: "OpenLedger", kind: "Kind", lot: str | None, redraw: bool, service: str | None) -> Mapping[str, Any]:
    from juying.issuance.workflows.signing import lot_named
    from juying.issuance.workflows.tasks import Kind

    if (lot is not None or redraw) and kind is not Kind.SIGN:
        raise InputError("--lot 和 --redraw 只用于 sign", "--lot and --redraw are for sign alone", where=kind)
    if (service is None) == (kind is Kind.ENROL):
        raise InputError(
            "enrol 须有 --service，其他任务没有", "enrol needs --service, and nothing else has it", where=kind
        )
    if service is not None:
        return {"service": service}
    scope: dict[str, Any] = {"redraw": True} if redraw else {}
    if lot is not None:
        with ledger.reading() as db:
            scope |= lot_named(db, lot)
    return scope


def _document(job: "Job") -> dict[str, Any]:
    return {
        "job": job.id,
        "kind": job.kind.value,
        "state": job.state.value,
        "scope": dict(job.scope),
        "operator": job.operator,
        "started_at": job.started_at.isoformat(timespec="seconds"),
        "ended_at": job.ended_at.isoformat(timespec="seconds") if job.ended_at else None,
        "parts": job.parts,
        "done": job.done,
        "failed": job.failed,
        "counts": dict(job.counts),
        "problems": [{"where": where, "problem": problem} for where, problem in job.problems],
    }


def _cells(job: "Job") -> list[Cell]:
    counts = ", ".join(f"{name} {count}" for name, count in job.counts.items())
    return [Cell(job.id), Cell(str(job.state.text)), Cell(_progress(job)), Cell(counts)]


def _progress(job: "Job") -> str:
    return f"{job.done}/{'?' if job.parts is None else job.parts}"


def _show(job: "Job", *, as_json: bool) -> int:
    from juying.issuance.workflows.control import State

    if as_json:
        print_json(_document(job))
    else:
        fields: list[tuple[Text, Text | str]] = [
            (Text("种类", "kind"), job.kind.text),
            (Text("状态", "state"), job.state.text),
            (Text("部分", "parts"), _progress(job)),
            *((Text("", name), str(count)) for name, count in job.counts.items()),
            *((Text("问题", "problem"), f"{where}: {problem}") for where, problem in job.problems),
        ]
        print_fields(Text("任务", f"job {job.id}"), fields)
    return Exit.NO if job.state is State.FAILED else Exit.DONE


def _list_schedules(where: str | None, keys: str | None, *, as_json: bool) -> int:
    from juying.issuance.workflows import control

    with open_ledger(where, keys) as opened:
        acting(opened)
        rows = [
            {"kind": each.kind.value, "times": each.cron, "scope": dict(each.scope), "operator": each.operator}
            for each in control.schedules(opened)
        ]
    _print_table("schedules", rows, Text("没有定时", "nothing is scheduled"), as_json=as_json)
    return Exit.DONE


def _print_table(name: str, rows: list[dict[str, Any]], none: Text, *, as_json: bool) -> None:
    if as_json:
        print_json({name: rows})
    elif rows:
        print_rows([[Cell(_cell(row[column])) for column in _SHOWN[name]] for row in rows])
    else:
        print_text(str(none))


_SHOWN = {"schedules": ("kind", "times", "scope"), "workers": ("worker", "station", "kinds", "seen_at")}
"""The columns that people see."""


def _cell(value: Any) -> str:
    return (
        value if isinstance(value, str) else ", ".join(map(str, value.values() if isinstance(value, dict) else value))
    )
