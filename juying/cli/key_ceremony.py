"""Ceremonies at the screen: people come one after the other, each sees and types one component only."""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from juying.cli.output import tell
from juying.cli.passwords import at_a_terminal
from juying.crypto.ceremony import ComponentFile, Joining, grouped, parse_component
from juying.crypto.key_set import KeyKind
from juying.errors import InputError
from juying.text import Text

_CLEAR = "\x1b[2J\x1b[3J\x1b[H"  # the screen, and what can be scrolled back to


def parse_check_value(text: str) -> bytes:
    """A check value as people type it; InputError."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InputError("校验值为十六进制数字", "a check value is made of hexadecimal digits") from None


def enter(kind: KeyKind, count: int) -> bytearray:
    """The key that people's components make; whoever mistypes one is asked again. Raises InputError without a terminal.

    Nothing that is typed is shown, and nothing is kept when somebody gives up.
    """
    with Joining(kind, count) as joining:
        if not at_a_terminal():
            raise InputError(
                "输入分量须有终端；已存成文件的分量请用 juying keys import --component",
                "entering components takes a terminal; for those in files there is juying keys import --component",
            )
        while joining.entered < count:
            number = f"{joining.entered + 1}/{count}"
            tell(Text(f"请第 {number} 位保管人输入，其他人回避", f"holder {number} enters, all others look away"))
            typed = typer.prompt(f"分量 / component {number}", hide_input=True, err=True)
            value = typer.prompt(f"分量校验值 / its check value {number}", err=True)
            try:
                joining.add(parse_component(typed), parse_check_value(value))
            except InputError as error:
                tell(str(error))
                continue
            _clear_screen()
            tell(Text(f"分量 {number} 正确", f"component {number} is right"))
        return joining.key()


def show(components: Sequence[ComponentFile]) -> None:
    """Show the components, each to its holder. InputError when they would go anywhere but to a screen."""
    if not (at_a_terminal() and sys.stderr.isatty()):
        raise InputError(
            "分量只在终端上显示；要存成文件请用 --out",
            "components are shown on a terminal only; to have them in files name a folder with --out",
        )
    for one in components:
        number = f"{one.number}/{one.of}"
        tell(Text(f"请第 {number} 位保管人上前，其他人回避", f"holder {number} comes forward, all others look away"))
        _wait(Text("按回车显示", "Enter shows it"))
        try:
            tell(f"{Text('分量', 'component')} {number}: {grouped(one.component)}")
            tell(f"{Text('分量校验值', 'its check value')}: {one.check_value.hex().upper()}")
            tell(f"{Text('密钥校验值', 'check value of the key')}: {one.key_check_value.hex().upper()}")
            _wait(Text("抄好后按回车清屏", "Enter clears the screen once it is written down"))
        finally:  # Ctrl-C too
            _clear_screen()


def save(components: Sequence[ComponentFile], folder: Path) -> None:
    """One file for each component, readable by the owner only; InputError when one exists or cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"文件夹建不了（{error.strerror}）", f"the folder cannot be made ({error.strerror})", where=str(folder)
        ) from None
    for one in components:
        one.save(folder / f"component-{one.number}-of-{one.of}.json")


def agreed(check_value: bytes) -> bool:
    """Whether everybody says that this is the check value of the key."""
    return typer.confirm(
        f"密钥校验值 {check_value.hex().upper()}，各位保管人都确认一致吗 / do all holders agree on this check value?",
        err=True,
    )


def _wait(text: Text) -> None:
    typer.prompt(str(text), default="", show_default=False, err=True)


def _clear_screen() -> None:
    if sys.stderr.isatty():
        sys.stderr.write(_CLEAR)
