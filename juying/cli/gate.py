"""Options for what a terminal brings to a verification: policy, status lists, name, challenge and memory."""

from pathlib import Path
from typing import Annotated

import typer

PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="本处的规定 JSON / what this site accepts, a JSON file"),
]
Lists = Annotated[
    Path | None,
    typer.Option(
        "--lists",
        metavar="PATH",
        help="状态列表文件或目录，默认 JUYING_LISTS / status list, or a folder of them; default: JUYING_LISTS",
    ),
]
Audience = Annotated[
    str | None, typer.Option("--audience", metavar="NAME", help="本终端的名称 / name of this terminal")
]
Nonce = Annotated[
    str | None,
    typer.Option("--nonce", metavar="HEX", help="本终端要求应答的随机数 / nonce that this terminal asked to be signed"),
]
ReplayFile = Annotated[
    Path | None,
    typer.Option(
        "--replay-cache",
        metavar="FILE",
        help="记住已出示的码，可供多个进程共用 / remembers what was shown, shared by processes",
    ),
]
