"""``juying scan``: a terminal that watches a camera or a folder of frames, or listens to a scanner."""

import json as json_library
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.options import Root, Trust, load_trust
from juying.cli.output import DEMONSTRATION, Exit, print_text, tell
from juying.errors import DecodeError, InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.verdict import Verification
    from juying.scan.gate import Result

RELOAD = 300.0
"""Seconds after which trust list and status lists are read anew, for those that were imported meanwhile."""

_LINE = 8192  # bytes of standard input that are looked at as one line

_pause = threading.Event()


def scan(
    camera: Annotated[
        int | None, typer.Option("--camera", min=0, metavar="N", help="摄像头编号，默认 0 / number of the camera")
    ] = None,
    frames: Annotated[
        Path | None,
        typer.Option("--frames", metavar="DIR", help="画面文件的目录，新文件随到随验 / folder of frames, watched"),
    ] = None,
    wedge: Annotated[
        bool,
        typer.Option("--wedge", help="标准输入，键盘式扫码枪的每一行 / lines that a scanner types, standard input"),
    ] = False,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="只验一次：第一个码，或目录中现有的文件 / end after the first code, or the files that are there",
        ),
    ] = False,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="验证规则 JSON 文件 / policy, a JSON file")
    ] = None,
    status: Annotated[
        Path | None,
        typer.Option("--status", metavar="PATH", help="状态列表文件或目录 / status list, or folder of them"),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            metavar="FILE",
            help="几个闸口共用的防重放缓存文件 / replay cache file that several gates share",
        ),
    ] = None,
    audience: Annotated[
        str | None, typer.Option("--audience", metavar="NAME", help="本终端的名称 / name of this terminal")
    ] = None,
    nonce: Annotated[
        str | None,
        typer.Option("--nonce", metavar="HEX", help="本终端给出的随机数 / nonce that this terminal gave out"),
    ] = None,
    claims: Annotated[bool, typer.Option("--claims", help="同时显示个人信息 / show personal data too")] = False,
    trust: Trust = None,
    root: Root = None,
    json: Annotated[
        bool, typer.Option("--json", help="每个结论输出一行 JSON / a line of JSON for each verdict")
    ] = False,
) -> int:
    """连续扫码验证，每个码一行 / verify what a camera or scanner sees, a line each; exit status by the last one."""
    if sum((camera is not None, frames is not None, wedge)) > 1:
        raise InputError("--camera、--frames、--wedge 只能用一个", "--camera, --frames and --wedge exclude each other")
    verify = _verifier(trust, root, policy, status, replay, audience, nonce)
    last = None
    for result in _results(camera, frames, wedge, once, verify):
        last = result.verification or last
        _show(result, claims=claims, as_json=json)
        if once and frames is None and result.verification is not None:
            break
    if last is None:
        tell(Text("没有验到任何码", "no code was verified"))
        return Exit.BAD_USE
    return _exit_status(last)


def _results(
    camera: int | None, frames: Path | None, wedge: bool, once: bool, verify: "Callable[[str], Verification]"
) -> "Iterator[Result]":
    from juying.scan import gate, sights

    if wedge:
        return gate.typed(iter(lambda: sys.stdin.buffer.readline(_LINE), b""), verify)
    if frames is not None:
        return gate.results(sights.folder_sights(frames, wait=None if once else _pause.wait), verify)
    return gate.results(sights.camera_sights(camera or 0), verify)


def _verifier(
    trust: Path | None,
    root: Path | None,
    policy: Path | None,
    status: Path | None,
    replay: Path | None,
    audience: str | None,
    nonce: str | None,
) -> "Callable[[str], Verification]":
    """The verification with everything that this terminal knows."""
    from juying.cli.status_lists import load_lists
    from juying.credential.policy import DEFAULT, Policy
    from juying.credential.replay import MemoryReplayCache, SharedReplayCache
    from juying.credential.verify import verify

    site: dict[str, Any] = {
        "policy": DEFAULT if policy is None else Policy.load(policy),
        "replay": MemoryReplayCache() if replay is None else SharedReplayCache(replay),
        "audience": audience,
        "nonce": None if nonce is None else _hex(nonce),
    }
    read_at = -RELOAD

    def load() -> None:
        nonlocal read_at
        if time.monotonic() - read_at >= RELOAD or "trust" not in site:
            site["trust"] = load_trust(trust, root)
            if status is not None:
                site["status"] = load_lists(status, site["trust"], datetime.now(UTC))
            read_at = time.monotonic()

    def check(text: str) -> "Verification":
        load()
        return verify(text, now=datetime.now(UTC), **site)

    load()  # what is wrong with the lists is told now and not to the first in the queue
    return check


def _hex(value: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise DecodeError("随机数不是十六进制数", "the nonce is not in hex digits", where="--nonce") from None


def _exit_status(verification: "Verification") -> int:
    from juying.credential.verdict import Verdict

    if verification.verdict is Verdict.VALID_STALE_STATUS:
        return Exit.UNDETERMINED
    return Exit.DONE if verification.accepted else Exit.NO


def _show(result: "Result", *, claims: bool, as_json: bool) -> None:
    now = datetime.now().astimezone()
    if as_json:
        line = {"at": now.isoformat(timespec="milliseconds"), "where": result.where, **_json(result, claims=claims)}
        print_text(json_library.dumps(line, ensure_ascii=False))
    else:
        print_text("  ".join([now.strftime("%H:%M:%S"), *_words(result), result.where]))
        if claims and result.verification is not None and result.verification.claims is not None:
            from juying.cli.labels import permit_fields

            for name, value in permit_fields(result.verification.claims.to_dict()):
                print_text(f"          {name}: {value}")
    sys.stdout.flush()


def _json(result: "Result", *, claims: bool) -> dict[str, object]:
    if result.verification is None:
        return {"problem": result.problem._asdict() if result.problem else None}
    document = result.verification.to_dict()
    del document["checks"]
    if not claims:
        del document["claims"]
    return {**document, "reason": _reason(result.verification)._asdict()}


def _words(result: "Result") -> list[str]:
    """The line for people: whether to open, the verdict and, where there is more to say, why."""
    verification = result.verification
    if verification is None:
        return [f"无结论 no verdict: {result.problem}"]
    words = ["接受 accepted" if verification.accepted else "拒绝 refused", str(verification.verdict.text)]
    reason = _reason(verification)
    if reason != verification.verdict.text:
        words.append(f"({reason})")
    if verification.accepted:
        words.append(f"[{verification.assurance.text}]")
    if verification.key is not None and verification.key.demonstration:
        words.append(str(DEMONSTRATION))
    return words


def _reason(verification: "Verification") -> Text:
    """Why it is not simply valid: the reason of the check that failed, else the verdict itself."""
    from juying.credential.verdict import Outcome

    return next(
        (check.reason for check in verification.checks if check.outcome in (Outcome.FAIL, Outcome.UNKNOWN)),
        verification.verdict.text,
    )
