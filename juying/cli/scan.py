"""``juying scan``: a terminal that watches a camera or a folder of frames, or listens to a scanner."""

import json as json_library
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.gate import Audience, Lists, Nonce, PolicyFile, ReplayFile
from juying.cli.options import Root, Trust, load_trust
from juying.cli.output import DEMONSTRATION, Exit, print_text, tell
from juying.cli.verifying import exit_status, load_verifier, open_replay_cache
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.verdict import Verification
    from juying.scan.gate import Result

RELOAD = 300.0
"""Seconds after which policy, trust list and status lists are read anew: others may have been imported."""

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
    policy: PolicyFile = None,
    lists: Lists = None,
    audience: Audience = None,
    nonce: Nonce = None,
    replay: ReplayFile = None,
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
    from juying.credential.replay import MemoryReplayCache

    memory = MemoryReplayCache() if replay is None else open_replay_cache(replay)
    verify = _reloading(lambda: load_verifier(load_trust(trust, root), policy, lists, audience, nonce, memory))
    last = None
    for result in _results(camera, frames, wedge, once, verify):
        last = result.verification or last
        _show(result, claims=claims, as_json=json)
        if once and frames is None and result.verification is not None:
            break
    if last is None:
        tell(Text("没有验到任何码", "no code was verified"))
        return Exit.BAD_USE
    return exit_status(last)


def _results(
    camera: int | None, frames: Path | None, wedge: bool, once: bool, verify: "Callable[[str], Verification]"
) -> "Iterator[Result]":
    from juying.scan import gate, sights

    if wedge:
        return gate.typed(iter(lambda: sys.stdin.buffer.readline(_LINE), b""), verify)
    if frames is not None:
        return gate.results(sights.folder_sights(frames, wait=None if once else _pause.wait), verify)
    return gate.results(sights.camera_sights(camera or 0), verify)


def _reloading(load: "Callable[[], Callable[[str], Verification]]") -> "Callable[[str], Verification]":
    """A verifier that is loaded anew every `RELOAD` seconds.

    It is loaded at once too: what is wrong with the lists is told now and not to the first in the queue.
    """
    verify, loaded_at = load(), time.monotonic()

    def verify_now(text: str) -> "Verification":
        nonlocal verify, loaded_at
        if time.monotonic() - loaded_at >= RELOAD:
            verify, loaded_at = load(), time.monotonic()
        return verify(text)

    return verify_now


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
