"""The root of the command line, and the translation of exceptions into messages and exit statuses."""

from collections.abc import Sequence
from typing import Any

import typer
from typer.main import get_command

from juying.cli import cards, credentials, issuing, profiles, readers, virtual
from juying.cli.output import Exit, fail
from juying.errors import CardError, JuyingError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="聚英卡：签发、读取、验证 / issue, read and verify the social security card that carries a work permit",
)
app.command("issue")(issuing.issue)
app.command("read")(cards.read)
app.command("verify")(credentials.verify)
app.command("readers")(readers.readers)
app.command("decode")(profiles.decode)
app.add_typer(profiles.app, name="profile")
app.add_typer(virtual.app, name="virtual")
app.add_typer(credentials.app, name="credential")


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit status as `Exit` lists them."""
    command = get_command(app)
    try:
        result: Any = command.main(args=list(arguments), prog_name="juying", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return Exit.BAD_USE
    except JuyingError as error:
        fail(error, as_json="--json" in arguments)
        return Exit.CARD_FAULT if isinstance(error, CardError) else Exit.BAD_USE
    except KeyboardInterrupt:
        return 130
    return int(result or Exit.DONE)
