"""``juying issue``."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.key_options import SigningKey, signer_from
from juying.cli.ledger_options import LEDGER, acting, open_ledger
from juying.cli.options import AskPin, Json, KeyStore, PinFile, load_trust, open_access
from juying.cli.output import DEMONSTRATION, Exit, console, print_json, tell
from juying.errors import InputError

if TYPE_CHECKING:
    from juying.codec.spec import Profile
    from juying.crypto.signing import Signer
    from juying.issuance.blanks import Blanks
    from juying.issuance.office import Office
    from juying.issuance.production import Progress
    from juying.issuance.report import RowResult
    from juying.ledger.ledger import Ledger as OpenLedger

DEFAULT_PROFILE = "ssc-v3"
"""The profile of the cards that are made unless another one is named."""
LEDGER_FILE = "ledger.db"
"""The ledger that a run makes in its folder, unless another one is named."""


def issue(
    applications: Annotated[
        Path, typer.Argument(metavar="APPLICATIONS", help="申请表 CSV、XLSX 或 JSON / application sheet")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="结果目录 / folder for the results")] = Path(
        "build", "issued"
    ),
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="卡规格 / card profile")] = DEFAULT_PROFILE,
    reader: Annotated[
        str | None,
        typer.Option("--reader", metavar="NAME", help="写入此读卡器中的卡，默认写虚拟卡 / real cards in this reader"),
    ] = None,
    region: Annotated[
        str, typer.Option("--region", metavar="CODE", help="发卡地行政区划 / region of the office, GB/T 2260")
    ] = "331000",
    institution: Annotated[
        str, typer.Option("--institution", metavar="DIGITS", help="初始化机构编号 24 位 / initialising institution")
    ] = "",
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TEXT", help="自编卡号的前缀 / prefix of card numbers allotted here")
    ] = "JY",
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="签发密钥 PEM，口令在 JUYING_KEY_PASSWORD 中，默认演示密钥 / issuing key, its pass phrase in "
            "JUYING_KEY_PASSWORD; default: a demonstration key",
        ),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option("--trust", metavar="PATH", help="含此密钥的信任列表或信任库 / trust list or store with the key"),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger",
            metavar="FILE|URL",
            help="台账，默认 JUYING_LEDGER，否则结果目录中的 ledger.db / the ledger; default: JUYING_LEDGER, else "
            "ledger.db in the folder for the results",
        ),
    ] = None,
    lot: Annotated[
        str | None,
        typer.Option(
            "--lot",
            metavar="NAME",
            help="批次名称，默认文件名加日期 / name of the lot; default: the file's and the date",
        ),
    ] = None,
    keys: KeyStore = None,
    signing_key: SigningKey = None,
    pin_file: PinFile = None,
    ask_pin: AskPin = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="只列出命令，不写卡 / list the commands, write nothing")
    ] = False,
    json: Json = False,
) -> int:
    """签发：申请表变成卡片和二维码凭证 / issue a sheet of applications: cards and QR credentials."""
    from juying.codec.profile import load_profile
    from juying.issuance.demo_keys import FOLDER, LISTS
    from juying.issuance.intake import read_applications
    from juying.issuance.report import Outcome
    from juying.issuance.run import issue_rows

    layout = load_profile(profile)
    rows = read_applications(applications, today=datetime.now().astimezone().date())
    with _signer(key, keys, signing_key) as signer:
        office = _office(signer, trust, region, institution, throw_away=dry_run)
        if dry_run:
            from juying.cli.dry_run import show_commands

            with _existing(ledger, keys, out) as opened:
                return show_commands(office, opened, rows, layout, prefix, as_json=json)
        with (
            _blanks(layout, region, reader, keys, pin_file, ask_pin) as blanks,
            _opened(office, ledger, keys, out) as opened,
        ):
            run = partial(
                issue_rows, opened, acting(opened), office, rows, out, blanks, profile=layout, prefix=prefix,
                name=lot or default_name(applications, profile), source=applications.name, failed=_tell_failure,
            )  # fmt: skip
            results = _issue(run, len(rows))
            lists = out / LISTS if signer is not None else FOLDER / LISTS
            if not lists.is_dir() or any(result.outcome is Outcome.ISSUED for result in results):
                _publish(opened, office, lists)
    return _show(results, out, office, as_json=json)


def _publish(ledger: "OpenLedger", office: "Office", folder: Path) -> None:
    """Sign the status lists of the ledger into ``folder``: without them no terminal can tell that a code is good.

    Those of the demonstration keys are good as long as the keys are. Other lists that stand there, of another ledger,
    make way then.
    """
    from juying.credential.publish import publish
    from juying.credential.status_list import LIFETIME
    from juying.issuance import demo_keys
    from juying.ledger.register import LedgerRegister

    register = LedgerRegister(ledger, acting(ledger))
    demonstration = folder == demo_keys.FOLDER / demo_keys.LISTS
    lifetime = demo_keys.LIFETIME if demonstration else LIFETIME
    publish_now = partial(
        publish, register, folder, office.signer, office.trust, now=office.clock(), lifetime=lifetime
    )  # fmt: skip
    try:
        publish_now()
    except InputError:
        if not demonstration:
            raise
        for path in folder.iterdir():
            path.unlink()
        publish_now()


def default_name(sheet: Path, profile: str) -> str:
    """The name of the lot that a sheet becomes, unless another one is given: for each day and kind of cards another."""
    usual = "" if profile == DEFAULT_PROFILE else f" {profile}"
    return f"{sheet.stem[:60]} {datetime.now().astimezone():%Y-%m-%d}{usual}"


@contextmanager
def _signer(key: Path | None, keys: str | None, name: str | None) -> "Iterator[Signer | None]":
    """The issuing key from a PEM file, or by name from a key file or token; None when neither is given."""
    if key is not None and name is not None:
        raise InputError("--key 和 --signing-key 只能用一个", "--key and --signing-key exclude each other")
    if name is not None:
        with signer_from(keys, name) as signer:
            yield signer
    elif key is not None:
        from juying.cli.passwords import key_password
        from juying.crypto.signing import SoftwareSigner

        yield SoftwareSigner.load(key, key_password(key))
    else:
        yield None


@contextmanager
def _opened(office: "Office", where: str | None, keys: str | None, out: Path) -> "Iterator[OpenLedger]":
    """The ledger of this run, made if there is none yet."""
    from juying.issuance.card_folder import make_folder

    office.check_key()
    make_folder(out)
    with open_ledger(where, keys, default=out / LEDGER_FILE, make=True, region=office.region) as opened:
        if opened.region != office.region:
            raise InputError(
                f"台账属于城市 {opened.region}；请加 --region {opened.region}，或另用台账",
                f"the ledger belongs to city {opened.region}: add --region {opened.region}, or use another ledger",
                where=opened.where,
            )
        yield opened


@contextmanager
def _existing(where: str | None, keys: str | None, out: Path) -> "Iterator[OpenLedger | None]":
    """The ledger of an earlier run; None when none is named and there is none in ``out``."""
    default = out / LEDGER_FILE
    if where is None and LEDGER not in os.environ and not default.exists():
        yield None
        return
    with open_ledger(where, keys, default=default) as opened:
        yield opened


def _office(
    signer: "Signer | None", trust: Path | None, region: str, institution: str, *, throw_away: bool
) -> "Office":
    from juying.issuance.demo_keys import FOLDER, demonstration_keys, throw_away_keys
    from juying.issuance.office import Office

    if (signer is None) != (trust is None):
        raise InputError(
            "签发密钥（--key 或 --signing-key）和 --trust 必须一起给出",
            "an issuing key (--key or --signing-key) and --trust go together",
        )
    if signer is not None and trust is not None:
        return Office(signer=signer, trust=load_trust(trust), region=region, institution=institution)
    made = throw_away_keys(region=region) if throw_away else demonstration_keys(FOLDER, region=region)
    return Office(signer=made[0], trust=made[1], region=region, institution=institution)


@contextmanager
def _blanks(
    profile: "Profile", region: str, reader: str | None, keys: str | None, pin_file: Path | None, ask_pin: bool
) -> "Iterator[Blanks]":
    from juying.issuance.blanks import ReaderBlanks, VirtualBlanks

    with open_access(keys, pin_file, ask_pin) as access:
        if reader is None:
            yield VirtualBlanks(profile, region, access=access)
            return
        from juying.card.pcsc import find_reader

        yield ReaderBlanks(find_reader(reader), tell, access=access)


def _issue(run: "Callable[..., Iterator[RowResult]]", total: int) -> "list[RowResult]":
    results = []
    with _progress(total) as (step, writing):
        for result in run(progress=writing):
            results.append(result)
            step(result)
    return results


def _show(results: "Sequence[RowResult]", out: Path, office: "Office", *, as_json: bool) -> int:
    from juying.issuance.run import REPORT

    good = sum(result.outcome.good for result in results)
    report = str(out / REPORT)
    if as_json:
        document = {"issued": good, "failed": len(results) - good, "out": str(out), "report": report}
        print_json({**document, "rows": [_row(result) for result in results]})
    else:
        _table(results, out, report, office)
    return Exit.DONE if good == len(results) else Exit.NO


def _tell_failure(error: Exception) -> None:
    """A card failed and another is tried."""
    tell(str(error))


def _row(result: "RowResult") -> dict[str, Any]:
    return {
        "row": result.row,
        "outcome": result.outcome.value,
        "card_number": result.card_number,
        "error": result.error,
        "notes": [note._asdict() for note in result.notes],
    }


@contextmanager
def _progress(total: int) -> "Iterator[tuple[Any, Progress | None]]":
    """A bar on a terminal, a line for each row elsewhere; both on standard error."""
    if not sys.stderr.isatty():
        count = 0

        def line(result: "RowResult") -> None:
            nonlocal count
            count += 1
            tell(f"[{count}/{total}] 行 / row {result.row}: {result.card_number or '-'} {result.outcome.text}")

        yield line, None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True)) as bar:
        rows = bar.add_task("申请 / applications", total=total)
        card = bar.add_task("写卡 / writing", total=1)
        yield (
            lambda result: bar.advance(rows),
            lambda done, all_writes: bar.update(card, completed=done, total=all_writes),
        )


def _table(results: "Sequence[RowResult]", out: Path, report: str, office: "Office") -> None:
    from rich.markup import escape
    from rich.table import Table

    from juying.issuance.report import Outcome

    screen = console()
    table = Table(title="签发结果 / issued", title_justify="left")
    table.add_column("行\nrow", justify="right")
    table.add_column("卡号\ncard number", no_wrap=True)
    table.add_column("结果\noutcome", no_wrap=True)
    table.add_column("说明\nremarks", overflow="fold")
    for result in results:
        outcome = f"[{'green' if result.outcome.good else 'red'}]{result.outcome.text}[/]"
        remarks = result.error or "\n".join(str(note) for note in result.notes)
        table.add_row(str(result.row), result.card_number, outcome, escape(remarks))
    screen.print(table)
    counts = Counter(result.outcome for result in results)
    screen.print("，".join(f"{outcome.text} {counts[outcome]}" for outcome in Outcome if counts[outcome]))
    folders = f"卡和凭证 / cards and credentials: {out / '<卡号 card number>'}"
    screen.print(f"{folders}\n报告 / report: {report}", markup=False, highlight=False, soft_wrap=True)
    if any(key.demonstration for key in office.trust):
        screen.print(f"[yellow]{DEMONSTRATION}[/]")
