"""``--keys``: where the keys of cards come from, for every command that needs some."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.passwords import keys_pass_phrase, token_pin
from juying.errors import InputError

if TYPE_CHECKING:
    from juying.crypto.keys import Keys
    from juying.crypto.pkcs11 import Pkcs11Keys
    from juying.crypto.signing import Signer
    from juying.crypto.software_keys import SoftwareKeys
    from juying.crypto.token import Token

KEYS, MODULE = "JUYING_KEYS", "JUYING_PKCS11_MODULE"
_PREVIOUS, _TOKEN, _PSAM, _DEMO = "previous:", "pkcs11:token=", "psam:", "demo"

KeyStore = Annotated[
    str | None,
    typer.Option(
        "--keys",
        metavar="STORE",
        help="密钥：密钥库文件、pkcs11:token=名称、psam:读卡器 或 demo，默认 JUYING_KEYS / keys: a key file, "
        "pkcs11:token=NAME, psam:READER or demo; default: JUYING_KEYS",
    ),
]

SigningKey = Annotated[
    str | None,
    typer.Option(
        "--signing-key",
        metavar="NAME",
        help="密钥库中已有的签发密钥 / an issuing key in the key store",
    ),
]


@contextmanager
def open_keys(keys: str | None) -> "Iterator[Keys | None]":
    """The keys that ``--keys`` names, else the variable JUYING_KEYS; None when nobody names any.

    ``FILE``, ``pkcs11:token=NAME`` (the library is named by JUYING_PKCS11_MODULE), ``psam:READER`` (a reader's name, or
    part of it) or ``demo``. ``previous:`` before a file or a token takes the versions from before a rotation. Raises
    KeyUseError or InputError when they cannot be opened; a PSAM also raises what its reader raises.
    """
    named = keys or os.environ.get(KEYS)
    with ExitStack() as stack:
        if not named:
            yield None
        elif named == _DEMO:
            from juying.crypto.keys import DemonstrationKeys

            yield DemonstrationKeys()
        elif named.startswith(_PSAM):
            from juying.card.pcsc import open_card
            from juying.card.psam import PsamKeys

            yield PsamKeys.open(stack.enter_context(open_card(named.removeprefix(_PSAM) or None)))
        else:
            held = stack.enter_context(_file_or_token(named.removeprefix(_PREVIOUS)))
            yield held.previous() if named.startswith(_PREVIOUS) else held


@contextmanager
def signer_from(keys: str | None, name: str) -> "Iterator[Signer]":
    """The signing key ``name`` of a key file or a token that ``--keys`` names. Raises KeyUseError or InputError."""
    named = keys or os.environ.get(KEYS)
    if not named or not changeable(named):
        raise InputError(
            f"签名密钥 {name} 须在密钥库文件或令牌中，请用 --keys 指明",
            f"the signing key {name} has to be in a key file or a token: name that with --keys",
            where="--keys",
        )
    with _file_or_token(named) as held:
        yield held.signer(name)


def changeable(store: str) -> bool:
    """Whether ``store`` names a key file or a token, and not something that only uses keys for cards."""
    return store != _DEMO and not store.startswith((_PSAM, _PREVIOUS))


def token_label(store: str) -> str | None:
    """The token that ``store`` names, None when it is a file."""
    return store.removeprefix(_TOKEN) if store.startswith(_TOKEN) else None


def open_token(label: str, *, writable: bool = False) -> "Token":
    """A token, by the library that JUYING_PKCS11_MODULE names. Raises KeyUseError or InputError."""
    from juying.crypto.token import Token

    module = os.environ.get(MODULE)
    if not module:
        raise InputError(
            f"请用环境变量 {MODULE} 指明 PKCS#11 程序库",
            f"name the PKCS#11 library in the environment variable {MODULE}",
            where=label,
        )
    return Token.open(label, token_pin(label), module=module, writable=writable)


@contextmanager
def _file_or_token(named: str) -> "Iterator[SoftwareKeys | Pkcs11Keys]":
    label = token_label(named)
    if label is not None:
        from juying.crypto.pkcs11 import Pkcs11Keys

        with open_token(label) as token:
            yield Pkcs11Keys(token)
        return
    if named.startswith("pkcs11:"):
        raise InputError("令牌写作 pkcs11:token=名称", "a token is named as in pkcs11:token=NAME", where=named)
    from juying.crypto.software_keys import SoftwareKeys

    with SoftwareKeys.open(Path(named), keys_pass_phrase(named)) as keys:
        yield keys
