"""Options that several commands share, and what they stand for."""

import os
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.output import tell
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from juying.card.transport import Transport
    from juying.codec.spec import Profile
    from juying.credential.trust import TrustList

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


def load_trust(trust: Path | None, root: Path | None = None, *, required: bool = True) -> "TrustList":
    """The trust list that the options, the environment or the demonstration keys give.

    Without any: `InputError`, or an empty list when none is ``required``. `InputError` too when the list is long
    overdue; a remark when it is just overdue.
    """
    from juying.credential.trust import TrustList
    from juying.credential.trust_store import check_age, load_trusted
    from juying.issuance.demo_keys import FOLDER, TRUST_FILE

    named = trust or os.environ.get("JUYING_TRUST")
    demonstration = FOLDER / TRUST_FILE
    if not named and demonstration.exists():
        named = demonstration
        tell(
            Text(
                f"使用演示密钥 {demonstration}，结果仅供试用",
                f"checked against the demonstration keys in {demonstration}: for trials only",
            )
        )
    if named:
        trusted = load_trusted(named, root_file(root))
        if problem := check_age(trusted, datetime.now(UTC)):
            tell(problem)
        return trusted
    missing = Text(
        "没有信任列表：请用 --trust 或环境变量 JUYING_TRUST 指定",
        "there is no trust list: name one with --trust or in the environment variable JUYING_TRUST",
    )
    if required:
        raise InputError(*missing)
    tell(missing)
    return TrustList()


def root_file(root: Path | None) -> Path | None:
    """The file of the root key that the option or the environment names."""
    return root or (Path(named) if (named := os.environ.get("JUYING_ROOT")) else None)
