"""Options that several commands share, and what they stand for."""

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.key_options import KeyStore as KeyStore
from juying.cli.key_options import open_keys
from juying.cli.output import tell
from juying.cli.passwords import at_a_terminal
from juying.cli.trusting import load_trust as load_trust
from juying.cli.trusting import root_file as root_file
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from juying.card.access import Access
    from juying.card.pin import PinSource
    from juying.card.transport import Transport
    from juying.codec.spec import Profile

Json = Annotated[bool, typer.Option("--json", help="输出一个 JSON 文档 / print one JSON document")]
Reader = Annotated[
    str | None,
    typer.Option("--reader", metavar="NAME", help="读卡器名称或其一部分 / reader name, or a part of it"),
]
Virtual = Annotated[
    Path | None,
    typer.Option("--virtual", metavar="FILE", help="虚拟卡文件 / virtual card image"),
]
Replay = Annotated[Path | None, typer.Option("--replay", metavar="TRACE", help="回放通信记录 / replay a trace")]
Record = Annotated[
    Path | None,
    typer.Option("--record", metavar="TRACE", help="记录通信（个人信息已遮盖） / record a trace, personal data masked"),
]
Trust = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        metavar="PATH",
        help="信任列表文件或信任库目录；默认 JUYING_TRUST，或 build/demo-keys 中的演示密钥 / trust list, or folder of "
        "a trust store; default: JUYING_TRUST, else the demonstration keys in build/demo-keys",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="FILE",
        help="签名信任列表的根公钥文件，默认 JUYING_ROOT / root key of a signed trust list; default: JUYING_ROOT",
    ),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="卡规格，默认由卡片说明 / card profile; the card tells by default"),
]

PinFile = Annotated[
    Path | None,
    typer.Option(
        "--pin-file",
        metavar="FILE",
        help="存有持卡人密码的文件，也可设 JUYING_PIN / file with the holder's PIN; or set JUYING_PIN",
    ),
]
AskPin = Annotated[
    bool,
    typer.Option(
        "--ask-pin",
        help="询问持卡人密码，读卡器有键盘则在其上输入 / ask for the PIN, on the reader's keypad if it has one",
    ),
]


@contextmanager
def open_access(keys: str | None, pin_file: Path | None, ask_pin: bool) -> "Iterator[Access | None]":
    """What the options (or JUYING_KEYS and JUYING_PIN) let us show to cards; None when they name nothing."""
    with open_keys(keys) as opened:
        pin = pin_source(pin_file, ask_pin)
        if opened is None and pin is None:
            yield None
            return
        from juying.card.access import Access

        yield Access(keys=opened, pin=pin)


def pin_source(pin_file: Path | None, ask_pin: bool) -> "PinSource | None":
    """Where the holder's PIN comes from: the file, a prompt or the keypad, else JUYING_PIN; None when it is not set."""
    if pin_file is not None and ask_pin:
        raise InputError("--pin-file 和 --ask-pin 只能用一个", "--pin-file and --ask-pin exclude each other")
    if pin_file is not None:
        from juying.card.pin import file_pin

        return file_pin(pin_file)
    if ask_pin:
        from juying.card.pin import typed_pin
        from juying.card.pin_pad import pad_or

        return pad_or(typed_pin(_prompt), tell)
    if "JUYING_PIN" not in os.environ:
        return None
    from juying.card.pin import environment_pin

    return environment_pin()


def _prompt() -> str:
    if not at_a_terminal():
        raise InputError(
            "无法询问个人密码：请用 --pin-file 或环境变量 JUYING_PIN",
            "there is nobody to ask for the PIN: use --pin-file or the environment variable JUYING_PIN",
        )
    digits: str = typer.prompt("持卡人密码 / PIN of the holder", hide_input=True, err=True)
    return digits


@contextmanager
def open_transport(
    reader: str | None,
    virtual: Path | None,
    replay: Path | None,
    record: Path | None = None,
    profile: "Profile | None" = None,
) -> "Iterator[Transport]":
    """The card that the options name; without any the only card in a reader."""
    if sum(option is not None for option in (reader, virtual, replay)) > 1:
        raise InputError(
            "--reader、--virtual、--replay 只能用一个", "--reader, --virtual and --replay exclude each other"
        )
    with ExitStack() as stack:
        transport: Transport
        if virtual is not None:
            from juying.card.virtual.image import load_card, save_card
            from juying.card.virtual.transport import LocalTransport

            card = load_card(virtual)
            card.on_change = lambda: save_card(card, virtual)  # a card remembers wrong PINs, whoever asks
            transport = stack.enter_context(LocalTransport(card, name=str(virtual)))
        elif replay is not None:
            from juying.card.trace import Replay as ReplayTransport
            from juying.card.trace import Trace

            trace = Trace.load(replay)
            if trace.masked:
                tell(
                    Text(
                        "记录中的个人信息已遮盖，其中的许可无法读出或验证",
                        "personal data in the trace is masked: the permit in it can be neither read nor verified",
                    )
                )
            transport = ReplayTransport(trace)
        else:
            from juying.card.pcsc import open_card

            transport = stack.enter_context(open_card(reader))
        if record is not None:
            from juying.card.trace import Recorder

            transport = stack.enter_context(Recorder(transport, profile, record))
        yield transport
