"""What ``juying verify`` does, without the library that reads command lines: a terminal has no time to load it."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from juying.cli.output import DEMONSTRATION, Exit, print_fields, print_json
from juying.cli.plain import Cell, print_line, print_rows
from juying.cli.trusting import known_lists, load_trust
from juying.errors import DecodeError, InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.replay import ReplayCache
    from juying.credential.trust import TrustList
    from juying.credential.verdict import Verification

MAX_INPUT = 4096
"""Bytes of a text that are read; a credential is much shorter."""


def verify_source(
    source: str,
    trust: Path | None,
    root: Path | None,
    policy: Path | None,
    lists: Path | None,
    audience: str | None,
    nonce: str | None,
    replay: Path | None,
    json: bool,
) -> int:
    """Verify what ``source`` leads to, print the answer and return the exit status."""
    memory = open_replay_cache(replay)
    verifier = load_verifier(load_trust(trust, root), policy, lists, audience, nonce, memory)
    result = verifier(text_of(source))
    if json:
        print_json(result.to_dict())
    else:
        _show(result)
    return exit_status(result)


def exit_status(result: "Verification") -> int:
    """The exit status for a verification."""
    from juying.credential.verdict import Verdict

    if result.accepted:
        return Exit.DONE
    return Exit.UNDETERMINED if result.verdict is Verdict.VALID_STALE_STATUS else Exit.NO


def load_verifier(
    trust: "TrustList",
    policy: Path | None,
    lists: Path | None,
    audience: str | None,
    nonce: str | None,
    replay: "ReplayCache | None",
) -> "Callable[[str], Verification]":
    """A function that verifies the text of a code, now, as the options say."""
    from juying.credential.policy import DEFAULT, Policy
    from juying.credential.verify import verify

    rules = Policy.load(policy) if policy else DEFAULT
    status = known_lists(lists, trust)
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


def text_of(source: str) -> str:
    """The text that the argument gives or leads to, without its line end and otherwise as it is."""
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
    from juying.cli.labels import OUTCOMES, permit_fields

    if result.claims is not None:
        print_fields(Text("工作许可", "work permit"), permit_fields(result.claims.to_dict()))
    rows = []
    for check in result.checks:
        outcome, colour = OUTCOMES[check.outcome]
        rows.append([Cell(f"{outcome.zh} {outcome.en}", colour), Cell(check.name), Cell(str(check.reason))])
    print_rows(rows)
    print_line("")
    if result.key is not None:
        print_line(f"签发机关 / issuer: {result.key.issuer}")
    if result.key is not None and result.key.demonstration:
        print_line(str(DEMONSTRATION), "yellow")
    print_line(str(result.verdict.text), "bold green" if result.valid else "bold red")
