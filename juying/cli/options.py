"""Options that several commands share, and what they stand for."""

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.output import tell
from juying.cli.trusting import load_trust as load_trust
from juying.cli.trusting import root_file as root_file
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

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
            from juying.card.virtual.image import load_card
            from juying.card.virtual.transport import LocalTransport

            transport = stack.enter_context(LocalTransport(load_card(virtual), name=str(virtual)))
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
