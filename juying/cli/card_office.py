"""``juying card``: what the office does to a card besides writing it: PIN, blocking, and keys."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import open_keys
from juying.cli.options import Json, KeyStore, PinFile, ProfileName, Reader, Virtual, open_transport, pin_source
from juying.cli.output import Exit, console, print_json, print_text
from juying.cli.passwords import at_a_terminal, new_pin
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.card.access import Access
    from juying.card.ssc import SscCard
    from juying.crypto.keys import Keys

app = Commands("发卡机构对卡的操作：密码、锁定、密钥 / what the office does to a card: PIN, blocking, keys")
pin = Commands("持卡人密码 / the holder's PIN")
app.add_typer(pin, name="pin")

Name = Annotated[str, typer.Argument(metavar="NAME", help="应用名称，如 DF01 / name of an application, such as DF01")]
Yes = Annotated[bool, typer.Option("--yes", help="不再确认 / do not ask whether you are sure")]
NewPinFile = Annotated[
    Path | None,
    typer.Option(
        "--new-pin-file",
        metavar="FILE",
        help="存有新密码的文件，也可设 JUYING_NEW_PIN，否则提问 / file with the new PIN; or set JUYING_NEW_PIN; else "
        "a prompt",
    ),
]


@pin.command()
def change(
    reader: Reader = None,
    virtual: Virtual = None,
    profile: ProfileName = None,
    pin_file: PinFile = None,
    new_pin_file: NewPinFile = None,
    json: Json = False,
) -> int:
    """持卡人更改密码，读卡器有键盘则在其上输入 / the holder chooses a new PIN, on the reader's keypad if it has one."""
    from juying.card.access import Access

    old = pin_source(pin_file, ask_pin=pin_file is None and "JUYING_PIN" not in os.environ)
    with _card(reader, virtual, profile, Access(pin=old)) as card:
        card.change_pin(lambda: new_pin(new_pin_file))
    return _done("pin change", Text("密码已更改", "the PIN was changed"), json)


@pin.command()
def reload(
    reader: Reader = None,
    virtual: Virtual = None,
    profile: ProfileName = None,
    keys: KeyStore = None,
    new_pin_file: NewPinFile = None,
    json: Json = False,
) -> int:
    """重装密码：忘记密码的卡得到新密码 / give a card a new PIN whose holder has forgotten the old one."""
    from juying.card.administration import reload_pin

    with _office_card(reader, virtual, profile, keys) as card:
        reload_pin(card, new_pin(new_pin_file))
    return _done("pin reload", Text("密码已重装", "the card has a new PIN"), json)


@pin.command()
def unblock(
    reader: Reader = None,
    virtual: Virtual = None,
    profile: ProfileName = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """解锁密码，密码不变 / give the holder all tries back; the PIN stays."""
    from juying.card.administration import unblock_pin

    with _office_card(reader, virtual, profile, keys) as card:
        unblock_pin(card)
    return _done("pin unblock", Text("密码已解锁", "the PIN is unblocked"), json)


@pin.command()
def tries(reader: Reader = None, virtual: Virtual = None, profile: ProfileName = None, json: Json = False) -> int:
    """密码还可试几次 / how many tries the PIN has left."""
    from juying.card.administration import pin_tries

    with _card(reader, virtual, profile, None) as card:
        left = pin_tries(card)
    told = Text(f"还可试 {left} 次", f"tries left: {left}") if left else Text("密码已锁定", "the PIN is locked")
    return _done("pin tries", told, json, tries=left)


@app.command("block-application")
def block_application(
    name: Name,
    reader: Reader = None,
    virtual: Virtual = None,
    profile: ProfileName = None,
    keys: KeyStore = None,
    for_ever: Annotated[
        bool, typer.Option("--for-ever", help="永久锁定，不可恢复 / for good: it cannot be undone")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """锁定一个应用 / block one application."""
    from juying.card import administration

    if for_ever:
        _confirm(Text(f"永久锁定应用 {name}", f"block {name} for ever"), yes)
    with _office_card(reader, virtual, profile, keys) as card:
        administration.block_application(card, name, for_ever=for_ever)
    told = Text(f"应用 {name} 已永久锁定", f"{name} is blocked for ever")
    if not for_ever:
        told = Text(f"应用 {name} 已锁定", f"{name} is blocked")
    return _done("block-application", told, json, application=name, for_ever=for_ever)


@app.command("unblock-application")
def unblock_application(
    name: Name,
    reader: Reader = None,
    virtual: Virtual = None,
    profile: ProfileName = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """解锁一个应用 / make a blocked application work again."""
    from juying.card import administration

    with _office_card(reader, virtual, profile, keys) as card:
        administration.unblock_application(card, name)
    told = Text(f"应用 {name} 已解锁", f"{name} works again")
    return _done("unblock-application", told, json, application=name)


@app.command()
def block(
    reader: Reader = None,
    virtual: Virtual = None,
    profile: ProfileName = None,
    keys: KeyStore = None,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """锁定整张卡，不可恢复 / block the whole card, for good."""
    from juying.card.administration import block_card

    _confirm(Text("永久锁定整张卡", "block the whole card for ever"), yes)
    with _office_card(reader, virtual, profile, keys) as card:
        block_card(card)
    return _done("block", Text("卡片已锁定", "the card is blocked"), json)


@app.command("load-keys")
def load_keys(
    reader: Reader = None,
    virtual: Virtual = None,
    profile: ProfileName = None,
    keys: KeyStore = None,
    old: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STORE",
            help="卡上现有密钥所在的密钥库，虚拟卡默认 demo / store with the keys that the card has now; default for "
            "virtual cards: demo",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """给卡装入密钥库的密钥，替换现有的；中断后再做一次 / put the keys of a store onto a card, in place of its own."""
    from juying.card import administration
    from juying.card.access import Access
    from juying.card.atr import historical_bytes
    from juying.card.card_keys import is_virtual
    from juying.crypto.keys import DemonstrationKeys

    given: AbstractContextManager[Keys | None] = open_keys(old) if old else nullcontext()
    with open_keys(keys) as new, given as before:
        if new is None:
            raise InputError("请用 --keys 指明新密钥所在的密钥库", "name the store with the new keys: --keys STORE")
        with _card(reader, virtual, profile, None) as card, _progress() as progress:
            if before is None and is_virtual(historical_bytes(card.channel.transport.atr)):
                before = DemonstrationKeys()
            card.present(Access(keys=before))
            written = administration.load_keys(card, new, progress=progress)
    told = Text(f"已装入 {written} 个密钥", f"keys written: {written}")
    return _done("load-keys", told, json, keys=written)


@contextmanager
def _card(
    reader: str | None, virtual: Path | None, profile: str | None, access: "Access | None"
) -> "Iterator[SscCard]":
    """The card that the options name; a virtual one is saved at every change, before it answers."""
    from juying.card.ssc import SscCard
    from juying.codec.profile import load_profile

    layout = load_profile(profile) if profile else None
    with open_transport(reader, virtual, None, None, layout) as transport:
        yield SscCard.open(transport, layout, access)


@contextmanager
def _office_card(
    reader: str | None, virtual: Path | None, profile: str | None, keys: str | None
) -> "Iterator[SscCard]":
    """The card with the office's keys."""
    from juying.card.access import Access

    with open_keys(keys) as opened, _card(reader, virtual, profile, Access(keys=opened)) as card:
        yield card


def _confirm(act: Text, yes: bool) -> None:
    """Ask before what cannot be undone; InputError when the answer is no, or when there is nobody to ask."""
    if yes:
        return
    if not at_a_terminal():
        raise InputError(
            f"{act.zh}不可恢复：确定请加 --yes", f"to {act.en} cannot be undone: say --yes if you are sure"
        )
    if not typer.confirm(f"{act.zh}，不可恢复，确定吗 / {act.en}, which cannot be undone?", err=True):
        raise InputError("未确认，未作任何改动", "not confirmed: nothing was changed")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("密钥 / keys", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _done(act: str, told: Text, as_json: bool, **more: Any) -> int:
    if as_json:
        print_json({"done": act, **more})
    else:
        print_text(str(told))
    return Exit.DONE
