"""``juying credential revoke``, ``suspend``, ``resume``, ``renew`` and ``status``."""

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.commands import Commands
from juying.cli.credentials import Source
from juying.cli.options import Json, Root, Trust, load_trust
from juying.cli.output import Exit, print_json, print_text, tell
from juying.cli.passwords import key_password
from juying.cli.status_view import answer_row, show_rows
from juying.cli.trusting import load_lists
from juying.cli.verifying import text_of
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.claims import Claims, StatusReference
    from juying.credential.sqlite_register import SqliteRegister
    from juying.credential.status import StatusLists
    from juying.credential.trust import TrustedKey, TrustList
    from juying.crypto.signing import SoftwareSigner

REGISTER = "JUYING_REGISTER"
PENDING = Text("发布状态列表后生效", "it takes effect when the status list is published")
PROOF_NONCE = 16
"""Bytes of the nonce that the office draws for one proof."""
MAX_INPUT = 1 << 20
"""Bytes of permit numbers on standard input that are read."""

Register = Annotated[
    Path | None,
    typer.Option(
        "--register",
        metavar="FILE",
        help="状态登记簿，默认 JUYING_REGISTER / status register; default: JUYING_REGISTER",
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SOURCE]...",
        show_default=False,
        help="凭证：JY1: 文本、.txt 文件、二维码图片 / credentials: text, .txt file or picture",
    ),
]
Permits = Annotated[
    list[str] | None,
    typer.Option(
        "--permit",
        metavar="NUMBER",
        help="许可证的全部凭证；- 表示从标准输入逐行读 / all credentials of a permit; - reads numbers, one a line",
    ),
]
Entries = Annotated[
    list[str] | None,
    typer.Option("--entry", metavar="LIST:INDEX", help="状态列表号和序号 / list and index of the status"),
]
ReasonWord = Annotated[
    str,
    typer.Option(
        "--reason",
        metavar="WORD",
        help="原因 / reason: permit-ended, lost, key-compromised, issued-in-error, under-review, review-ended",
    ),
]
Lists = Annotated[
    Path | None,
    typer.Option(
        "--lists", metavar="PATH", help="终端的状态列表文件或目录 / status list, or a terminal's folder of them"
    ),
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="密钥 PEM，须同时给出信任列表，默认演示密钥 / key, goes with a trust list; default: demonstration key",
    ),
]


def revoke(
    sources: Sources = None,
    permit: Permits = None,
    entry: Entries = None,
    reason: ReasonWord = "unspecified",
    register: Register = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """吊销，不可恢复，重新发布列表后生效 / revoke for good; takes effect when the list is published."""
    return _change("INVALID", sources, permit, entry, reason, register, trust, root, as_json=json)


def suspend(
    sources: Sources = None,
    permit: Permits = None,
    entry: Entries = None,
    reason: ReasonWord = "under-review",
    register: Register = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """暂停，可恢复 / suspend until resumed."""
    return _change("SUSPENDED", sources, permit, entry, reason, register, trust, root, as_json=json)


def resume(
    sources: Sources = None,
    permit: Permits = None,
    entry: Entries = None,
    reason: ReasonWord = "review-ended",
    register: Register = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """恢复已暂停的凭证 / resume what was suspended."""
    return _change("VALID", sources, permit, entry, reason, register, trust, root, as_json=json)


def renew(
    source: Source,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="新凭证的 .txt 文件 / .txt file for the new one")],
    register: Register = None,
    proof: Annotated[
        str | None,
        typer.Option(
            "--proof", metavar="HEX", help="持有证明，绑定新的持有人密钥 / proof of possession of a new holder key"
        ),
    ] = None,
    nonce: Annotated[
        str | None,
        typer.Option("--nonce", metavar="HEX", help="证明所应答的随机数 / the nonce that the proof answers"),
    ] = None,
    key: Key = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """重签有效的凭证并吊销旧的 / sign a good credential anew and revoke the old one; exit status 1 if it is bad."""
    from juying.credential.renew import renew as renew_credential

    signer, trusted = load_signer(key, trust, root)
    with open_register(register) as opened:
        renewal = renew_credential(
            text_of(source),
            out,
            opened,
            signer,
            trusted,
            now=datetime.now(UTC),
            holder_key=_proven_key(proof, nonce),
        )
    if json:
        new = renewal.claims.status if renewal.claims else None
        print_json(
            {
                "renewed": renewal.done,
                "verdict": str(renewal.verdict),
                "out": str(out) if renewal.done else None,
                "old": _reference(renewal.old) if renewal.old else None,
                "new": _reference(new) if new else None,
            }
        )
    elif not renewal.done:
        verdict = renewal.verdict.text
        tell(Text(f"凭证不能换新：{verdict.zh}", f"the credential cannot be renewed: {verdict.en}"))
    elif renewal.old is None:
        tell(Text("旧凭证没有状态编号，不能吊销", "the old credential names no status, so it cannot be revoked"))
    else:
        tell(PENDING)
    return Exit.DONE if renewal.done else Exit.NO


def status(
    sources: Sources = None,
    permit: Permits = None,
    entry: Entries = None,
    register: Register = None,
    lists: Lists = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """查登记簿或终端列表中的状态 / status in the register or in lists; exit status 0 good, 1 not, 3 unknown."""
    if lists is None:
        with open_register(register) as opened:
            return _status_in_register(opened, _targets(opened, sources, permit, entry, trust, root), as_json=json)
    if permit:
        raise InputError("状态列表中没有许可证编号", "there are no permit numbers in status lists", where="--permit")
    from juying.cli.status_lists import show_lists

    trusted, now = load_trust(trust, root), datetime.now(UTC)
    held = load_lists(lists, trusted, now)
    if not sources and not entry:
        return show_lists(held, now, as_json=json)
    return _status_in_lists(held, trusted, sources or (), entry or (), now, as_json=json)


def add_to(group: Commands) -> None:
    """Put the commands into ``juying credential``."""
    for command in (revoke, suspend, resume, renew, challenge, status):
        group.command(command.__name__)(command)


def challenge() -> int:
    """给持有人一个随机数，用于一次证明 / a nonce for the holder to prove possession of a key, good for one proof."""
    print_text(secrets.token_hex(PROOF_NONCE).upper())
    return Exit.DONE


def _proven_key(proof: str | None, nonce: str | None) -> bytes | None:
    """The holder's key, of which possession is proven; None without a proof."""
    from juying.credential.presentation import check_proof

    if (proof is None) != (nonce is None):
        raise InputError("--proof 和 --nonce 必须一起给出", "--proof and --nonce go together")
    if proof is None or nonce is None:
        return None
    try:
        return check_proof(bytes.fromhex(proof), bytes.fromhex(nonce))
    except ValueError:
        raise InputError("--proof 和 --nonce 应为十六进制数", "--proof and --nonce have to be hex digits") from None


@contextmanager
def open_register(path: Path | None) -> "Iterator[SqliteRegister]":
    """The register that the option or the environment names; `InputError` when there is none."""
    from juying.credential.sqlite_register import SqliteRegister

    named = path or os.environ.get(REGISTER)
    if not named:
        raise InputError(
            f"请用 --register 或环境变量 {REGISTER} 指定状态登记簿",
            f"name the status register with --register or in the environment variable {REGISTER}",
        )
    with SqliteRegister(named, make=False) as opened:
        yield opened


def load_signer(key: Path | None, trust: Path | None, root: Path | None) -> "tuple[SoftwareSigner, TrustList]":
    """A key and the trust list that holds it; without options those of the demonstration."""
    from juying.crypto.signing import SoftwareSigner
    from juying.issuance.demo_keys import FOLDER, KEY_FILE

    if (key is None) != (trust is None):
        raise InputError("--key 和 --trust 必须一起给出", "--key and --trust go together")
    file = key or FOLDER / KEY_FILE
    return SoftwareSigner.load(file, key_password(file)), load_trust(trust, root)


def _change(
    word: str,
    sources: Sequence[str] | None,
    permits: Sequence[str] | None,
    entries: Sequence[str] | None,
    reason: str,
    register: Path | None,
    trust: Path | None,
    root: Path | None,
    *,
    as_json: bool,
) -> int:
    from juying.credential.register import Reason
    from juying.credential.status import Status

    if reason not in set(Reason) - {Reason.ISSUED, Reason.SUPERSEDED}:
        raise InputError("没有这个原因，请看 --help", "there is no such reason, see --help", where="--reason")
    with open_register(register) as opened:
        targets = _targets(opened, sources, permits, entries, trust, root)
        if not targets:
            raise InputError(
                "没有指明凭证，或登记簿中没有该许可证的凭证",
                "no credential was named, or the register has none of that permit",
            )
        before = [opened.status(target) for target in targets]
        new = Status[word]
        opened.set_all(targets, new, Reason(reason))
        rows = [
            {**_row(opened, target), "changed": old is not new} for target, old in zip(targets, before, strict=True)
        ]
    changed = sum(row["changed"] for row in rows)
    if as_json:
        print_json({"status": new.name.lower(), "changed": changed, "entries": rows})
    else:
        show_rows(rows)
        if changed:
            tell(PENDING)
    return Exit.DONE


def _targets(
    register: "SqliteRegister",
    sources: Sequence[str] | None,
    permits: Sequence[str] | None,
    entries: Sequence[str] | None,
    trust: Path | None,
    root: Path | None,
) -> "list[StatusReference]":
    """The credentials that the command line names, each once."""
    targets = [_parse_entry(entry) for entry in entries or ()]
    for number in _permit_numbers(permits or ()):
        found = register.find(number)
        if not found:
            tell(Text("登记簿中没有该许可证的凭证", "the register has no credential of one of the permits"))
        targets += found
    if sources:
        trusted = load_trust(trust, root)
        for source in sources:
            claims, reference, _ = _genuine(source, trusted)
            if register.subject(reference) not in (None, "", claims.permit_number):
                raise InputError(
                    "登记簿中此编号属于另一许可证：凭证不是凭此登记簿签发的",
                    "the entry belongs to another permit: the credential was not issued from this register",
                    where=_short(source),
                )
            targets.append(reference)
    return list(dict.fromkeys(targets))


def _genuine(source: str, trust: "TrustList") -> "tuple[Claims, StatusReference, TrustedKey]":
    """Claims, status and issuer of a credential whose signature counts, whatever else is wrong with it."""
    from juying.credential.verify import verify

    result = verify(text_of(source), trust, now=datetime.now(UTC))
    if result.claims is None or result.key is None:
        raise InputError(
            f"不是信任列表中机关签发的凭证：{result.verdict.text.zh}",
            f"no credential of an issuer in the trust list: {result.verdict.text.en}",
            where=_short(source),
        )
    if result.claims.status is None:
        raise InputError(
            "凭证没有状态编号，不可吊销", "the credential names no status, it cannot be revoked", where=_short(source)
        )
    return result.claims, result.claims.status, result.key


def _short(source: str) -> str:
    """A file's name; the text of a credential is not repeated."""
    return "" if source.startswith("JY1:") else source


def _permit_numbers(given: Sequence[str]) -> Iterator[str]:
    for number in given:
        if number == "-":
            try:
                lines = sys.stdin.buffer.read(MAX_INPUT).decode("utf-8-sig").splitlines()
            except UnicodeDecodeError:
                raise InputError("不是文本", "this is no text", where="-") from None
            yield from filter(None, map(str.strip, lines))
        else:
            yield number


def _parse_entry(entry: str) -> "StatusReference":
    from juying.credential.claims import StatusReference

    number, _, index = entry.partition(":")
    if entry.isascii() and number.isdecimal() and index.isdecimal() and max(len(number), len(index)) <= 10:
        reference = StatusReference(int(number), int(index))
        if reference.in_range:
            return reference
    raise InputError("须为 列表号:序号，如 1:70001", "has to be LIST:INDEX, such as 1:70001", where="--entry")


def _reference(reference: "StatusReference") -> dict[str, int]:
    """A place as JSON values."""
    number, index = reference.list_number, reference.index
    return {"list": number, "index": index}


def _row(register: "SqliteRegister", target: "StatusReference") -> dict[str, Any]:
    """What the register knows of a credential, as JSON values; the status is None for one that it does not know."""
    known = register.status(target)
    return {
        **_reference(target),
        "permit_number": register.subject(target) or "",
        "status": known.name.lower() if known is not None else None,
    }


def _status_in_register(register: "SqliteRegister", targets: "Sequence[StatusReference]", *, as_json: bool) -> int:
    rows = []
    for target in targets:
        history = [
            {"at": event.at.isoformat(), "status": event.status.name.lower(), "reason": str(event.reason)}
            for event in register.history(target)
        ]
        rows.append({**_row(register, target), "history": history})
    if as_json:
        print_json({"entries": rows})
    else:
        show_rows(rows)
    return _exit([row["status"] for row in rows])


def _status_in_lists(
    lists: "StatusLists",
    trust: "TrustList",
    sources: Sequence[str],
    entries: Sequence[str],
    now: datetime,
    *,
    as_json: bool,
) -> int:
    wanted: list[tuple[StatusReference, TrustedKey | None]] = [(_parse_entry(entry), None) for entry in entries]
    for source in sources:
        _, reference, key = _genuine(source, trust)
        wanted.append((reference, key))
    rows = []
    for reference, issuer in wanted:
        answer = lists.lookup(reference, now=now, issuer=issuer)
        rows.append({**_reference(reference), **answer_row(answer)})
    if as_json:
        print_json({"entries": rows})
    else:
        show_rows(rows)
    return _exit([None if row["expired"] and row["status"] == "valid" else row["status"] for row in rows])


def _exit(statuses: Sequence[str | None]) -> int:
    """No when one is revoked or suspended, undetermined when there is none or one is unknown."""
    if any(status not in (None, "valid") for status in statuses):
        return Exit.NO
    return Exit.DONE if statuses and None not in statuses else Exit.UNDETERMINED
