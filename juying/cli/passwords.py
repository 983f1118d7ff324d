"""Pass phrases of key files: from the environment or a prompt, never an argument."""

import os
import sys
from pathlib import Path

import typer

from juying.errors import InputError

PASSWORD = "JUYING_KEY_PASSWORD"  # noqa: S105 - the name of the variable


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


def at_a_terminal() -> bool:
    """True when somebody can be asked."""
    return sys.stdin.isatty()
