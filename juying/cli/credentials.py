"""``juying verify`` and ``juying credential``."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.options import Json, Trust, load_trust
from juying.cli.output import Exit, console, print_json
from juying.errors import InputError

if TYPE_CHECKING:
    from juying.credential.verify import Verification

app = typer.Typer(no_args_is_help=True, help="电子凭证 / the electronic credential")

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="JY1: 文本、.txt 文件、二维码图片，或 - 表示标准输入 / text, .txt file, picture, or - for standard input",
    ),
]


def verify(source: Source, trust: Trust = None, json: Json = False) -> int:
    """验证二维码凭证 / verify a QR credential; exit status 0 valid, 1 not, 3 status unknown."""
    from juying.credential.verify import Verdict
    from juying.credential.verify import verify as verify_credential

    trusted = load_trust(trust)
    result = verify_credential(_text_of(source), trusted, now=datetime.now(UTC))
    if json:
        print_json(result.to_dict())
    else:
        _show(result)
    if result.verdict is Verdict.VALID_STALE_STATUS:
        return Exit.UNDETERMINED
    return Exit.DONE if result.valid else Exit.NO


@app.command()
def draw(
    source: Source,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="PNG 文件 / PNG file")],
    paper: Annotated[
        bool, typer.Option("--paper", help="用于打印：纠错级别 M / for paper: error correction level M")
    ] = False,
    trust: Trust = None,
) -> int:
    """画出凭证的二维码图片 / draw the QR picture of a credential."""
    from juying.codec.qr import Medium
    from juying.credential.picture import save_picture
    from juying.credential.verify import verify as verify_credential

    text = _text_of(source)
    verified = verify_credential(text, load_trust(trust), now=datetime.now(UTC))
    save_picture(text, verified, out, medium=Medium.PAPER if paper else Medium.SCREEN)
    return Exit.DONE


def _text_of(source: str) -> str:
    if source == "-":
        return sys.stdin.read(4096).strip("\r\n")
    if source.startswith("JY1:"):
        return source
    path = Path(source)
    if path.suffix.lower() == ".txt":
        try:
            return path.read_text("utf-8-sig").strip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise InputError("文件读不出来", "the file cannot be read", where=source) from None
    if not path.is_file():
        raise InputError(
            "既不是 JY1: 开头的文本，也不是文件", "neither a text that begins with JY1: nor a file", where=source
        )
    from juying.codec.qr import read_qr

    return read_qr(path)


def _show(result: "Verification") -> None:
    from rich.markup import escape
    from rich.table import Table

    from juying.credential.verify import Outcome

    screen = console()
    colours = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNKNOWN: "yellow", Outcome.SKIPPED: "dim"}
    screen.print(f"[bold {'green' if result.valid else 'red'}]{escape(str(result.verdict.text))}[/]")
    if result.key is not None and result.key.demonstration:
        screen.print(f"[yellow]{escape(str(result.key.issuer))}[/]")
    if result.claims is not None:
        table = Table(show_header=False)
        for name, value in result.claims.to_dict().items():
            table.add_row(name, "" if value is None else escape(str(value)))
        screen.print(table)
    for check in result.checks:
        outcome = f"[{colours[check.outcome]}]{check.outcome.value:<8}[/]"
        screen.print(f"{outcome} {check.name:<15} {escape(str(check.reason))}")
