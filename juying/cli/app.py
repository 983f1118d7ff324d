"""The root of the command line, and the translation of exceptions into messages and exit statuses."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated

import typer
from typer.main import get_command

from juying import __version__
from juying.cli import (
    approvals,
    blanks,
    card_faces,
    card_office,
    cards,
    check,
    credentials,
    doctor,
    issuing,
    jobs,
    keys,
    ledgers,
    library,
    lots,
    medical,
    operators,
    permits,
    profiles,
    readers,
    renewing,
    revocation,
    scan,
    station,
    status_lists,
    terminal,
    transit,
    trust,
    virtual,
    wallet,
    worker,
)
from juying.cli.commands import Commands
from juying.cli.output import INTERRUPTED, Exit, exit_status, fail, print_text
from juying.text import Text

PROGRAM = "juying"

app = Commands("聚英卡：签发、读取、验证 / issue, read and verify the social security card that carries a work permit")
app.command("issue")(issuing.issue)
app.command("read")(cards.read)
app.command("verify")(credentials.verify)
app.command("check")(check.check)
app.command("scan")(scan.scan)
app.command("readers")(readers.readers)
app.command("doctor")(doctor.doctor)
app.command("decode")(profiles.decode)
app.add_typer(profiles.app, name="profile")
app.add_typer(virtual.app, name="virtual")
credentials.app.command("card-face")(card_faces.card_face)
revocation.add_to(credentials.app)
renewing.add_to(credentials.app)
status_lists.add_to(credentials.app)
app.add_typer(credentials.app, name="credential")
app.add_typer(trust.app, name="trust")
app.add_typer(wallet.app, name="wallet")
app.add_typer(keys.app, name="keys")
app.add_typer(card_office.app, name="card")
app.add_typer(library.app, name="library")
app.add_typer(medical.app, name="medical")
app.add_typer(terminal.app, name="terminal")
app.add_typer(transit.app, name="transit")
operators.add_to(app)
app.add_typer(ledgers.app, name="ledger")
app.add_typer(station.app, name="station")
app.add_typer(permits.app, name="permit")
app.add_typer(approvals.app, name="approval")
app.add_typer(lots.app, name="lot")
app.add_typer(blanks.app, name="blank")
app.command("worker")(worker.worker)
app.add_typer(jobs.app, name="jobs")


def _show_version(wanted: bool) -> None:
    if wanted:
        print_text(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="显示版本 / show the version")
    ] = False,
) -> None:
    """Options before the command."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit status as `Exit` lists them."""
    as_json = "--json" in arguments
    return exit_status(lambda: _run(arguments, as_json), as_json=as_json)


_command = cache(lambda: get_command(app))
"""The tree of all commands; making it takes longer than many a command."""


def _run(arguments: Sequence[str], as_json: bool) -> int | None:
    try:
        status: int | None = _command().main(args=list(arguments), prog_name=PROGRAM, standalone_mode=False)
    except typer.TyperException as error:
        where, text = _bad_use(error)
        fail("UsageError", where, text, as_json=as_json)
        return Exit.BAD_USE
    except typer.Abort:
        return INTERRUPTED
    return status


def _bad_use(error: typer.TyperException) -> tuple[str, Text]:
    """The command that was used wrongly, and what is wrong."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else PROGRAM
    return command, Text(f"用法不对，请看 {command} --help", error.format_message().rstrip("."))
