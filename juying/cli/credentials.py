"""``juying verify`` and ``juying credential``."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.gate import Audience, Lists, Nonce, PolicyFile, ReplayFile, load_verifier, open_replay_cache
from juying.cli.options import Json, Root, Trust, load_trust
from juying.cli.output import DEMONSTRATION, Exit, console, print_fields, print_json
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.codec.qr_pdf import Grid
    from juying.credential.verify import Verification

app = Commands("电子凭证 / the electronic credential")

MAX_INPUT = 4096
"""Bytes of a text that are read; a credential is much shorter."""

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="JY1: 文本、.txt 文件、二维码图片或 PDF，或 - 表示标准输入 / text, .txt file, picture, PDF, or - for "
        "standard input",
    ),
]


def verify(
    source: Source,
    trust: Trust = None,
    root: Root = None,
    policy: PolicyFile = None,
    lists: Lists = None,
    audience: Audience = None,
    nonce: Nonce = None,
    replay: ReplayFile = None,
    json: Json = False,
) -> int:
    """验证二维码凭证 / verify a QR credential; exit status 0 valid and accepted here, 1 not, 3 status unknown."""
    from juying.credential.verify import Verdict

    memory = open_replay_cache(replay)
    verifier = load_verifier(load_trust(trust, root), policy, lists, audience, nonce, memory)
    result = verifier(text_of(source))
    if json:
        print_json(result.to_dict())
    else:
        _show(result)
    if result.verdict is Verdict.VALID_STALE_STATUS and not result.accepted:
        return Exit.UNDETERMINED
    return Exit.DONE if result.accepted else Exit.NO


@app.command()
def draw(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="JY1: 文本、.txt 文件、二维码图片或 -；多个排成 A4 页 / text, .txt file, picture, -; several go on A4",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="PNG、SVG 或 PDF 文件 / PNG, SVG or PDF file, by its suffix")
    ],
    paper: Annotated[
        bool, typer.Option("--paper", help="用于打印：纠错级别 M / for paper: error correction level M")
    ] = False,
    sheet: Annotated[
        str | None,
        typer.Option(
            "--sheet",
            metavar="COLUMNSxROWS",
            help="A4 页上的列数和行数，默认 3x4，供打印裁切 / codes across and down an A4 page, to print and cut; "
            "default for several: 3x4",
        ),
    ] = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """画出凭证的二维码图片 / draw the QR picture of a credential, or sheets of many."""
    from juying.codec.qr import Medium
    from juying.credential.picture import save_picture, save_sheets
    from juying.credential.verify import verify as verify_credential

    trusted, now = load_trust(trust, root), datetime.now(UTC)
    verified = [(text, verify_credential(text, trusted, now=now)) for text in map(text_of, sources)]
    if sheet is not None or len(verified) > 1:
        save_sheets(verified, out, grid=_grid(sheet))
    else:
        save_picture(*verified[0], out, medium=Medium.PAPER if paper else Medium.SCREEN)
    if json:
        verdicts = [str(verification.verdict) for _, verification in verified]
        print_json({"verdict": verdicts[0] if len(verdicts) == 1 else verdicts, "picture": str(out)})
    return Exit.DONE


def _grid(sheet: str | None) -> "Grid":
    from juying.codec.qr_pdf import Grid

    if sheet is None:
        return Grid()
    columns, cross, rows = sheet.lower().partition("x")
    if not (cross and columns.isdecimal() and rows.isdecimal()):
        raise InputError("--sheet 须形如 3x4", "--sheet has to look like 3x4")
    return Grid(int(columns), int(rows))


def text_of(source: str) -> str:
    """The text that the argument gives or leads to; a line end is no part of it, but a space may be."""
    if source == "-":
        return _decoded(sys.stdin.buffer.read(MAX_INPUT), "-")
    if source.startswith("JY1:"):
        return source
    path = Path(source)
    try:
        if path.suffix.lower() == ".txt":
            with path.open("rb") as file:
                return _decoded(file.read(MAX_INPUT), source)
        found = path.is_file()
    except OSError as error:
        raise InputError(f"文件读不出来（{error.strerror}）", f"the file cannot be read ({error.strerror})") from None
    if not found:
        raise InputError(
            "既不是 JY1: 开头的文本，也不是现有的文件", "neither a text that begins with JY1: nor a file that exists"
        )
    from juying.scan.pictures import read_picture

    return read_picture(path)


def _decoded(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError:
        raise InputError("不是文本", "this is no text", where=where) from None


def _show(result: "Verification") -> None:
    """What the credential says, each check, and last the verdict."""
    from rich.markup import escape
    from rich.table import Table

    from juying.cli.labels import OUTCOMES, permit_fields

    if result.claims is not None:
        print_fields(Text("工作许可", "work permit"), permit_fields(result.claims.to_dict()))
    checks = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        checks.add_column(overflow="fold")
    for check in result.checks:
        outcome, colour = OUTCOMES[check.outcome]
        checks.add_row(f"[{colour}]{outcome.zh} {outcome.en}[/]", check.name, escape(str(check.reason)))
    screen = console()
    screen.print(checks)
    screen.print()
    if result.key is not None:
        screen.print(f"签发机关 / issuer: {escape(str(result.key.issuer))}")
    if result.key is not None and result.key.demonstration:
        screen.print(f"[yellow]{DEMONSTRATION}[/]")
    screen.print(f"[bold {'green' if result.valid else 'red'}]{escape(str(result.verdict.text))}[/]")
