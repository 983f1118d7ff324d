"""``juying verify`` and ``juying credential``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.gate import Audience, Lists, Nonce, PolicyFile, ReplayFile
from juying.cli.options import Json, Root, Trust, load_trust
from juying.cli.output import Exit, print_json
from juying.cli.trusting import known_lists
from juying.cli.verifying import text_of, verify_source
from juying.errors import InputError

if TYPE_CHECKING:
    from juying.codec.qr_pdf import Grid

app = Commands("电子凭证 / the electronic credential")

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
    return verify_source(source, trust, root, policy, lists, audience, nonce, replay, json)


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
    status = known_lists(None, trusted)
    verified = [(text, verify_credential(text, trusted, now=now, status=status)) for text in map(text_of, sources)]
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
