"""What a terminal brings to a verification: its policy, status lists, name, challenge and memory."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.errors import DecodeError

if TYPE_CHECKING:
    from juying.credential.replay import ReplayCache
    from juying.credential.trust import TrustList
    from juying.credential.verdict import Verification

PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="本处的规定 JSON / what this site accepts, a JSON file"),
]
Lists = Annotated[
    Path | None,
    typer.Option("--lists", metavar="PATH", help="状态列表文件或目录 / status list, or a folder of them"),
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


def load_verifier(
    trust: "TrustList",
    policy: Path | None,
    lists: Path | None,
    audience: str | None,
    nonce: str | None,
    replay: "ReplayCache | None",
) -> "Callable[[str], Verification]":
    """A function that verifies the text of a code, now, as the options say."""
    from juying.cli.status_lists import load_lists
    from juying.credential.policy import DEFAULT, Policy
    from juying.credential.verify import verify

    rules = Policy.load(policy) if policy else DEFAULT
    status = load_lists(lists, trust, datetime.now(UTC)) if lists else None
    challenge = None if nonce is None else _bytes(nonce)

    def verify_now(text: str) -> "Verification":
        return verify(
            text,
            trust,
            now=datetime.now(UTC),
            policy=rules,
            status=status,
            replay=replay,
            audience=audience,
            nonce=challenge,
        )

    return verify_now


def open_replay_cache(path: Path | None) -> "ReplayCache | None":
    """The memory that the option names, if it does."""
    if path is None:
        return None
    from juying.credential.replay import SharedReplayCache

    return SharedReplayCache(path)


def _bytes(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise DecodeError("不是十六进制数", "these are no hex digits", where="--nonce") from None
