"""Pass phrases and PINs: from a file, the environment or a prompt, never an argument."""

import os
import sys
from pathlib import Path

import typer

from juying.errors import InputError
from juying.text import Text

PASSWORD = "JUYING_KEY_PASSWORD"  # noqa: S105 - the name of the variable
KEYS_PASSPHRASE = "JUYING_KEYS_PASSPHRASE"  # noqa: S105
TOKEN_PIN = "JUYING_TOKEN_PIN"  # noqa: S105
NEW_PIN = "JUYING_NEW_PIN"
OPERATOR_PASSWORD = "JUYING_PASSWORD"  # noqa: S105
NEW_OPERATOR_PASSWORD = "JUYING_NEW_PASSWORD"  # noqa: S105

_LONGEST = 1024


def key_password(key: Path) -> str | None:
    """The pass phrase of an encrypted PEM file, None for one in the clear or out of reach."""
    try:
        if b"ENCRYPTED" not in key.read_bytes():
            return None
    except OSError:
        return None
    known = os.environ.get(PASSWORD)
    if known is None and not at_a_terminal():
        raise InputError(
            f"密钥文件有口令，请设环境变量 {PASSWORD}",
            f"the key file has a pass phrase: put it into the environment variable {PASSWORD}",
            where=str(key),
        )
    return known if known is not None else typer.prompt("口令 / pass phrase", hide_input=True, err=True)


def new_password() -> str:
    """A pass phrase for a new key file, asked for twice; raises InputError when there is nobody to ask."""
    known = os.environ.get(PASSWORD)
    if not known and not at_a_terminal():
        raise InputError(
            f"新密钥须有口令：请设环境变量 {PASSWORD}，或用 --no-password 明文保存",
            f"a new key needs a pass phrase: put it into the environment variable {PASSWORD}, or keep the key in the "
            "clear with --no-password",
        )
    return known or typer.prompt("新口令 / new pass phrase", hide_input=True, confirmation_prompt=True, err=True)


def keys_pass_phrase(store: str, file: Path | None = None, *, new: bool = False) -> str:
    """The pass phrase of a key store; of a ``new`` one it is asked for twice. Raises InputError."""
    return _secret(KEYS_PASSPHRASE, Text("密钥库口令", "pass phrase of the key store"), store, file, twice=new)


def token_pin(label: str) -> str:
    """The PIN of a PKCS#11 token. Raises InputError."""
    return _secret(TOKEN_PIN, Text("令牌 PIN", "PIN of the token"), label, None)


def new_pin(file: Path | None = None) -> str:
    """A new PIN for a card; at a prompt it is asked for twice. Raises InputError."""
    return _secret(NEW_PIN, Text("新密码", "new PIN"), "PIN", file, twice=True)


def operator_password(name: str) -> str:
    """The password of an operator of the ledger. Raises InputError."""
    return _secret(OPERATOR_PASSWORD, Text("操作员口令", "password of the operator"), name, None)


def new_operator_password(name: str) -> str:
    """A new password for an operator; at a prompt it is asked for twice. Raises InputError."""
    return _secret(NEW_OPERATOR_PASSWORD, Text("操作员新口令", "new password of the operator"), name, None, twice=True)


def _secret(variable: str, title: Text, where: str, file: Path | None, *, twice: bool = False) -> str:
    """From ``file``, the variable, the file that the variable with ``_FILE`` at its end names, or a prompt."""
    named = os.environ.get(variable + "_FILE")
    if file is None and variable in os.environ:
        return os.environ[variable]
    if file is not None or named:
        return _first_line(file or Path(str(named)))
    if not at_a_terminal():
        raise InputError(
            f"须有{title.zh}：请设环境变量 {variable} 或 {variable}_FILE（文件名）",
            f"the {title.en} is needed: put it into the environment variable {variable}, or the name of a file with "
            f"it into {variable}_FILE",
            where=where,
        )
    return str(typer.prompt(f"{title} ({where})", hide_input=True, confirmation_prompt=twice, err=True))


def _first_line(path: Path) -> str:
    """What a file holds, without the end of its line; InputError when that is nothing, too much, or several lines."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST + 1).decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text or len(text) > _LONGEST or "\n" in text:
        raise InputError(
            "口令文件须能读，且恰有一行 UTF-8 文字",
            "the file has to be readable and hold one line of UTF-8",
            where=str(path),
        )
    return text


def at_a_terminal() -> bool:
    """True when somebody can be asked."""
    return sys.stdin.isatty()
