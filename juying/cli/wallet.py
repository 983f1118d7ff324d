"""``juying wallet``: a reference holder app."""

import os
import secrets
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.options import Json
from juying.cli.output import Exit, print_json, print_text, tell
from juying.errors import DecodeError, KeyUseError
from juying.text import Text

if TYPE_CHECKING:
    from juying.wallet.store import Wallet

app = Commands("持有人的钱包（参考实现） / the holder's wallet, a reference app")

_SERVICE = "juying wallet"

REDRAW = 10.0
"""Seconds between two codes."""

Folder = Annotated[
    Path,
    typer.Option("--wallet", metavar="DIR", help="钱包目录 / folder of the wallet", envvar="JUYING_WALLET"),
]
DEFAULT = Path.home() / ".juying" / "wallet"


@app.command()
def init(
    wallet: Folder = DEFAULT,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="口令由系统密钥库保管 / the platform's key store keeps the pass phrase")
    ] = False,
) -> int:
    """新建钱包：生成密钥，用口令加密 / make a wallet: a new key, encrypted with a pass phrase."""
    from juying.wallet.store import KEY_FILE, Wallet

    if (wallet / KEY_FILE).exists():
        raise KeyUseError(
            "这里已有钱包，不会被覆盖", "there is a wallet already; it is not overwritten", where=str(wallet)
        )
    given = os.environ.get("JUYING_WALLET_PASSWORD")
    Wallet.create(wallet, _into_keyring(wallet) if keyring else given or _prompt(confirm=True))
    tell(Text(f"钱包已建于 {wallet}", f"the wallet is in {wallet}"))
    return Exit.DONE


@app.command()
def prove(
    nonce: Annotated[
        str, typer.Argument(metavar="NONCE", help="发证机关给的随机数，十六进制 / the office's nonce, hex")
    ],
    wallet: Folder = DEFAULT,
) -> int:
    """证明持有密钥，输出交给发证机关 / prove possession of the key; the output goes to the office."""
    print_text(_open(wallet).prove(_hex(nonce)).hex().upper())
    return Exit.DONE


@app.command()
def add(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="JY1: 文本、.txt 文件或图片 / text, .txt file or picture")
    ],
    wallet: Folder = DEFAULT,
) -> int:
    """把凭证放进钱包 / put a credential into the wallet."""
    from juying.cli.verifying import text_of
    from juying.credential.issue import from_text

    held = _open(wallet).add(from_text(text_of(source)))
    tell(held.claims.tier.text)
    return Exit.DONE


@app.command("list")
def list_credentials(wallet: Folder = DEFAULT, json: Json = False) -> int:
    """钱包里的凭证 / the credentials in the wallet."""
    held = [entry.claims.to_dict() for entry in _open(wallet).held]
    if json:
        print_json({"credentials": held})
    else:
        for claims in held:
            print_text(
                f"{claims['tier']:8} {claims['permit_number']}  {claims['valid_from']} – {claims['valid_until']}"
            )
    return Exit.DONE


@app.command()
def show(
    wallet: Folder = DEFAULT,
    minimal: Annotated[bool, typer.Option("--minimal", help="出示最小凭证 / the minimal credential")] = False,
    audience: Annotated[
        str | None, typer.Option("--audience", metavar="NAME", help="只向此地点出示 / for this place only")
    ] = None,
    nonce: Annotated[
        str | None, typer.Option("--nonce", metavar="HEX", help="终端给的随机数 / nonce of the terminal")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="画成图片 PNG / draw it as a picture, PNG")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="只出示一次 / once only")] = False,
    text: Annotated[bool, typer.Option("--text", help="输出文本而不是图形 / print the text")] = False,
) -> int:
    """出示二维码，每 10 秒更新，Ctrl-C 结束 / show the code, a new one every 10 s, until Ctrl-C."""
    from juying.codec.qr import save_qr
    from juying.credential.claims import Tier
    from juying.wallet.terminal import terminal_code

    opened = _open(wallet)
    challenge = None if nonce is None else _hex(nonce)
    while True:
        code = opened.show(
            Tier.MINIMAL if minimal else Tier.FULL, now=datetime.now(UTC), audience=audience, nonce=challenge
        )
        if out is not None:
            save_qr(code, out)
        if text:
            print_text(code)
        elif out is None:
            # Home and clear: the new code takes the place of the old one.
            print_text(("" if once else "\x1b[H\x1b[2J") + terminal_code(code))
        sys.stdout.flush()
        if once or _pause.wait(REDRAW):
            return Exit.DONE


_pause = threading.Event()


def _open(folder: Path) -> "Wallet":
    from juying.wallet.store import Wallet

    password = os.environ.get("JUYING_WALLET_PASSWORD") or _from_keyring(folder) or _prompt()
    return Wallet.open(folder, password)


def _prompt(*, confirm: bool = False) -> str:
    return str(typer.prompt("口令 / pass phrase", hide_input=True, confirmation_prompt=confirm, err=True))


def _from_keyring(folder: Path) -> str | None:
    """The pass phrase that the platform's key store keeps for this wallet, if it does."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(_SERVICE, str(folder.resolve()))
    except KeyringError:
        return None


def _into_keyring(folder: Path) -> str:
    """A random pass phrase, kept by the platform's key store."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise KeyUseError(
            "使用系统密钥库需要 keyring，请安装：pip install 'juying[wallet]'",
            "the platform's key store needs keyring; install it: pip install 'juying[wallet]'",
        ) from None
    password = secrets.token_urlsafe(32)
    try:
        keyring.set_password(_SERVICE, str(folder.resolve()), password)
    except KeyringError:
        raise KeyUseError(
            "系统密钥库不可用；请不带 --keyring 使用口令",
            "the platform's key store cannot be used; go without --keyring, with a pass phrase",
        ) from None
    return password


def _hex(value: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise DecodeError("随机数不是十六进制数", "the nonce is not in hex digits", where="NONCE") from None
