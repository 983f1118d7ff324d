"""``juying virtual``: cards in software."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.options import Json
from juying.cli.output import Exit, print_fields, print_json, print_json_line, print_text, tell
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.card.virtual.card import VirtualCard

app = Commands("虚拟卡 / virtual cards")

Image = Annotated[Path, typer.Argument(metavar="FILE", help="虚拟卡文件 .vcard / virtual card image")]


@app.command()
def new(
    image: Image,
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="卡规格 / card profile")] = "ssc-v3",
    region: Annotated[str, typer.Option("--region", metavar="CODE", help="行政区划 / region, GB/T 2260")] = "331000",
    transit: Annotated[
        bool, typer.Option("--transit", help="卡上还有交通联合应用 / the chip carries the transit application too")
    ] = False,
    balance: Annotated[
        int,
        typer.Option("--balance", metavar="FEN", help="交通应用的余额，分 / its balance in fen"),
    ] = 0,
    disabled: Annotated[bool, typer.Option("--disabled", help="交通应用未启用 / it is not enabled")] = False,
    count: Annotated[
        int | None,
        typer.Option("--count", metavar="N", min=1, help="造 N 张，FILE 是目录 / make N of them, FILE is a folder"),
    ] = None,
    json: Json = False,
) -> int:
    """造一张空白虚拟卡，或一盒 / make a blank virtual card, or a box of them."""
    from juying.card.virtual.card import VirtualCard
    from juying.card.virtual.image import save_card
    from juying.card.virtual.tunion import TransitIssue
    from juying.codec.profile import load_profile
    from juying.codec.tunion.layout import has_transit

    layout = load_profile(profile)
    wanted = transit or has_transit(file.address for file in layout.files)
    if (balance or disabled) and not wanted:
        raise InputError(
            "--balance 和 --disabled 须与 --transit 同用", "--balance and --disabled go with --transit", where=profile
        )
    issue = TransitIssue(balance_fen=balance, enabled=not disabled) if wanted else None
    images = [image] if count is None else _box(image, count)
    for path in images:
        if path.exists():
            raise InputError("文件已存在，不会被覆盖", "the file exists and is not overwritten", where=str(path))
    for path in images:
        card = VirtualCard.blank(layout, region=region, transit=issue)
        save_card(card, path)
    if count is None:
        _show(card, as_json=json)
    elif json:
        print_json({"folder": str(image), "cards": count})
    else:
        print_text(f"{Text(f'{image} 中有 {count} 张空白卡', f'{count} blanks in {image}')}")
    return Exit.DONE


def _box(folder: Path, count: int) -> list[Path]:
    """The images of a box, in a folder that is made if need be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"目录不能新建（{error.strerror}）", f"the folder cannot be made ({error.strerror})", where=str(folder)
        ) from None
    return [folder / f"{number:05}.vcard" for number in range(1, count + 1)]


@app.command()
def show(image: Image, json: Json = False) -> int:
    """虚拟卡的规格和状态 / profile and state of a virtual card."""
    from juying.card.virtual.image import load_card

    _show(load_card(image), as_json=json)
    return Exit.DONE


@app.command()
def block(image: Image, json: Json = False) -> int:
    """锁定虚拟卡，不可恢复 / block a virtual card for good."""
    from juying.card.virtual.image import load_card, save_card

    card = load_card(image)
    card.block()
    save_card(card, image)
    _show(card, as_json=json)
    return Exit.DONE


def _show(card: "VirtualCard", *, as_json: bool) -> None:
    from juying.card.virtual.security import has_initial_pin

    pin = card.memory.pin
    initial = has_initial_pin(card.profile, pin)
    if as_json:
        print_json(
            {
                "profile": card.profile.name,
                "state": card.state.value,
                "locks": {name: lock.value for name, lock in card.locks.items()},
                "pin": {"tries": pin.tries, "initial": initial},
                "blocked_keys": list(card.blocked_keys),
                "atr": card.atr.hex().upper(),
            }
        )
        return
    first = Text("，仍为初始值", ", still the initial one") if initial else Text("", "")
    print_fields(
        card.profile.title,
        (
            (Text("状态", "state"), Text(*_STATES[card.state])),
            *((Text(f"应用 {name}", f"application {name}"), Text(*_LOCKS[lock])) for name, lock in card.locks.items()),
            (Text("PIN", "PIN"), Text(f"还可试 {pin.tries} 次{first.zh}", f"{pin.tries} tries left{first.en}")),
            *((Text(f"密钥 {name}", f"key {name}"), Text(*_STATES["blocked"])) for name in card.blocked_keys),
            (Text("复位应答", "ATR"), card.atr.hex(" ").upper()),
        ),
    )


_STATES = {
    "blank": ("空白", "blank"),
    "personalised": ("已个人化", "personalised"),
    "blocked": ("已锁定", "blocked"),
}
_LOCKS = {"blocked": _STATES["blocked"], "blocked-for-ever": ("已永久锁定", "blocked for ever")}


@app.command()
def serve(
    image: Image,
    port: Annotated[int, typer.Option("--port", help="vpcd 端口 / port of the vpcd driver", min=1, max=65535)] = 0x8C7B,
) -> int:
    """把虚拟卡插入本机的 PC/SC（需 pcscd 和 vpcd），Ctrl-C 拔卡 / put a virtual card into the machine's PC/SC."""
    from juying.card.virtual import vpcd
    from juying.card.virtual.image import load_card

    card = load_card(image, autosave=True)
    tell(Text(f"虚拟卡已插入（端口 {port}），Ctrl-C 拔卡", f"the card is in the reader (port {port}); Ctrl-C pulls it"))
    with suppress(KeyboardInterrupt):
        vpcd.serve(card, port=port, reconnect=True)
    return Exit.DONE


@app.command()
def feed(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="虚拟卡文件的目录 / folder of virtual card images")],
    port: Annotated[
        list[int] | None,
        typer.Option(
            "--port", help="vpcd 端口，可多次给出 / port of the vpcd driver, once for each reader", min=1, max=65535
        ),
    ] = None,
    json: Json = False,
) -> int:
    """发卡机：逐张插入目录中的虚拟卡，完成的移入 done / a feeder: the cards of a folder, one after another."""
    import threading

    from juying.card.virtual.feeder import Box, End, Feeder

    box = Box(folder)

    def told(image: Path, port: int, how: End) -> None:
        if json:
            print_json_line({"card": image.name, "port": port, "end": how.value, "left": len(box)})
        else:
            words = _ENDS[how.value]
            left = Text(f"还有 {len(box)} 张", f"{len(box)} left")
            tell(Text(f"{image.name}：{words.zh}，{left.zh}", f"{image.name}: {words.en}, {left.en}"))

    with suppress(KeyboardInterrupt):
        Feeder(box, port or [0x8C7B], tell=told).run(threading.Event())
    return Exit.DONE


_ENDS = {"done": Text("完成", "done"), "again": Text("未完成，稍后再插", "not done, it is put in again later")}
