"""How commands and groups of commands look: both languages in the help, and no group without a command."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from juying.cli.output import Exit


class _Bilingual:
    """A command whose ``--help`` speaks Chinese too, and whose switches show no type."""

    params: list[Any]

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for parameter in self.params:
            _tidy(parameter)

    def get_help_option(self, context: Any) -> Any:
        option = super().get_help_option(context)  # type: ignore[misc]
        option.help = "显示本说明 / show this help"
        _tidy(option)
        return option


def _tidy(parameter: Any) -> None:
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""


class Command(_Bilingual, TyperCommand):
    """One command."""


class Group(_Bilingual, TyperGroup):
    """A group of commands; alone it is bad use, and answered with its help on standard error."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Ask for a command."""
        if not args:
            with redirect_stdout(sys.stderr):
                typer.echo(ctx.get_help())
            raise typer.Exit(Exit.BAD_USE)
        return super().parse_args(ctx, args)


class Commands(typer.Typer):
    """A group of commands in the making."""

    def __init__(self, summary: str) -> None:
        """``summary`` is its help, in both languages."""
        super().__init__(cls=Group, help=summary, add_completion=False, pretty_exceptions_enable=False)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Add a function as a command."""
        return super().command(name, cls=Command, **settings)
