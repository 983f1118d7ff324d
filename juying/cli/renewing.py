"""``juying credential renew`` and ``challenge``."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.credentials import Source
from juying.cli.key_options import KeyStore, SigningKey, signer_from
from juying.cli.ledger_options import Ledger, acting, open_ledger
from juying.cli.options import Json, Root, Trust, load_trust
from juying.cli.output import Exit, print_json, print_text, tell
from juying.cli.passwords import key_password
from juying.cli.revocation import PENDING
from juying.cli.status_view import place
from juying.cli.verifying import text_of
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.claims import StatusReference
    from juying.credential.renew import Renewal
    from juying.credential.trust import TrustList
    from juying.crypto.signing import Signer
    from juying.ledger.renewal import Renewed

PROOF_NONCE = 16
"""Bytes of the nonce that the office draws for one proof."""

Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="密钥 PEM，须同时给出信任列表，默认演示密钥 / key, goes with a trust list; default: demonstration key",
    ),
]


def renew(
    source: Source,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="新凭证的 .txt 文件 / .txt file for the new one")],
    ledger: Ledger = None,
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
    keys: KeyStore = None,
    signing_key: SigningKey = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """重签有效的凭证并吊销旧的 / sign a good credential anew and revoke the old one; exit status 1 if it is bad."""
    from juying.credential.renew import renew as renew_credential
    from juying.ledger.approvals import allow_key
    from juying.ledger.register import LedgerRegister
    from juying.ledger.renewal import keep_renewed

    kept: list[Renewed] = []
    with open_signer(key, keys, signing_key, trust, root) as (signer, trusted), open_ledger(ledger, keys) as opened:
        actor = acting(opened)
        # One approval is good for a day at the desk.
        allow_key(opened, actor, signer.kid, {"renewals": f"{datetime.now().astimezone():%Y-%m-%d}"})

        def keep(old: "StatusReference | None", new: "StatusReference", record: bytes) -> None:
            with opened.transaction(actor) as tx:
                kept.append(keep_renewed(tx, old, new, record))

        renewal = renew_credential(
            text_of(source),
            out,
            LedgerRegister(opened, actor),
            signer,
            trusted,
            now=datetime.now(UTC),
            holder_key=_proven_key(proof, nonce),
            keep=keep,
        )
    order = kept[0].order if kept else None
    if json:
        _print(renewal, out, order)
    else:
        _tell(renewal, order)
    return Exit.DONE if renewal.done else Exit.NO


def challenge() -> int:
    """给持有人一个随机数，用于一次证明 / a nonce for the holder to prove possession of a key, good for one proof."""
    print_text(secrets.token_hex(PROOF_NONCE).upper())
    return Exit.DONE


def add_to(group: Commands) -> None:
    """Put the commands into ``juying credential``."""
    for command in (renew, challenge):
        group.command(command.__name__)(command)


@contextmanager
def open_signer(
    key: Path | None, keys: str | None, name: str | None, trust: Path | None, root: Path | None
) -> "Iterator[tuple[Signer, TrustList]]":
    """A key (a PEM file, or one named in a store) and the trust list that holds it; else those of the demonstration."""
    from juying.crypto.signing import SoftwareSigner
    from juying.issuance.demo_keys import FOLDER, KEY_FILE

    if key is not None and name is not None:
        raise InputError("--key 和 --signing-key 只能用一个", "--key and --signing-key exclude each other")
    if (key is None and name is None) != (trust is None):
        raise InputError(
            "签发密钥（--key 或 --signing-key）和 --trust 必须一起给出",
            "an issuing key (--key or --signing-key) and --trust go together",
        )
    if name is not None:
        with signer_from(keys, name) as signer:
            yield signer, load_trust(trust, root)
    else:
        file = key or FOLDER / KEY_FILE
        yield SoftwareSigner.load(file, key_password(file)), load_trust(trust, root)


def _print(renewal: "Renewal", out: Path, order: int | None) -> None:
    new = renewal.claims.status if renewal.claims else None
    print_json(
        {
            "renewed": renewal.done,
            "verdict": str(renewal.verdict),
            "out": str(out) if renewal.done else None,
            "old": place(renewal.old) if renewal.old else None,
            "new": place(new) if new else None,
            "order": order,
        }
    )


def _tell(renewal: "Renewal", order: int | None) -> None:
    if not renewal.done:
        verdict = renewal.verdict.text
        tell(Text(f"凭证不能换新：{verdict.zh}", f"the credential cannot be renewed: {verdict.en}"))
    elif renewal.old is None:
        tell(Text("旧凭证没有状态编号，不能吊销", "the old credential names no status, so it cannot be revoked"))
    elif order is not None:
        tell(
            Text(
                f"旧凭证在卡上，卡片更新（订单 {order}）前仍然有效",
                f"the old credential is on a card, and good until that is updated (order {order})",
            )
        )
    else:
        tell(PENDING)


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
