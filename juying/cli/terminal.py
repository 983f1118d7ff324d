"""``juying terminal``: the terminal interface (iReadCardBas …) for programs in C and .NET, or for one call."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.options import AskPin, Json, KeyStore, PinFile, ProfileName, Reader, Virtual, open_access
from juying.cli.output import Exit, print_json, print_text, tell
from juying.cli.passwords import at_a_terminal
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.card.pin import Ask
    from juying.card.transport import Transport
    from juying.terminal.interface import Terminal
    from juying.terminal.slots import Module, Slots

app = Commands("读写终端接口（接口动态库） / the terminal interface that hospital and library programs call")

_LONGEST_PIN_FILE = 64

Contactless = Annotated[
    str | None, typer.Option("--contactless", metavar="NAME", help="非接触读卡器 / reader for contactless cards")
]
Psam = Annotated[str | None, typer.Option("--psam", metavar="NAME", help="PSAM 卡槽 / the slot with the PSAM")]
NewPinFile = Annotated[
    Path | None,
    typer.Option(
        "--new-pin-file",
        metavar="FILE",
        help="存有新密码的文件，修改和重装密码时使用 / file with the new PIN, for iChangePIN and iReloadPIN",
    ),
]
TerminalNumber = Annotated[
    str,
    typer.Option(
        "--terminal-number",
        metavar="DIGITS",
        help="终端机编号 12 位，有 PSAM 卡时取自 PSAM 卡 / 12 digits; that of the PSAM if there is one",
    ),
]
DeviceNumber = Annotated[
    str, typer.Option("--device-number", metavar="DIGITS", help="终端设备号 20 位 / number of the device, 20 digits")
]
ValuesOnly = Annotated[
    bool,
    typer.Option("--values-only", help="iReadCard 只返回值（江苏） / iReadCard answers values alone, as in Jiangsu"),
]
BackEnd = Annotated[
    bool,
    typer.Option(
        "--back-end",
        help="调用方有加密机：缺密钥时返回 -2201 / callers have an HSM: answer -2201 where a key is missing",
    ),
]


@dataclass(frozen=True, slots=True)
class _Setup:
    """What the options say."""

    reader: str | None
    contactless: str | None
    virtual: Path | None
    psam: str | None
    keys: str | None
    pin_file: Path | None
    ask_pin: bool
    new_pin_file: Path | None
    terminal_number: str
    device_number: str
    profile: str | None
    values_only: bool
    back_end: bool


@app.command()
def serve(
    reader: Reader = None,
    contactless: Contactless = None,
    virtual: Virtual = None,
    psam: Psam = None,
    keys: KeyStore = None,
    pin_file: PinFile = None,
    ask_pin: AskPin = False,
    new_pin_file: NewPinFile = None,
    terminal_number: TerminalNumber = "",
    device_number: DeviceNumber = "",
    profile: ProfileName = None,
    values_only: ValuesOnly = False,
    back_end: BackEnd = False,
    endpoint: Annotated[
        Path | None,
        typer.Option(
            "--endpoint",
            metavar="FILE",
            help="端点文件，默认 JUYING_TERMINAL 或 ~/.juying/terminal / endpoint file; default: JUYING_TERMINAL, "
            "else ~/.juying/terminal",
        ),
    ] = None,
) -> int:
    """为本机的程序提供接口，Ctrl-C 结束 / serve the programs of this machine until Ctrl-C."""
    from juying.terminal.bridge import Bridge

    setup = _Setup(
        reader, contactless, virtual, psam, keys, pin_file, ask_pin, new_pin_file,
        terminal_number, device_number, profile, values_only, back_end,
    )  # fmt: skip
    with _terminal(setup) as terminal, Bridge(terminal.call, endpoint) as bridge:
        tell(
            Text(
                f"终端接口已启动，端点文件 {bridge.endpoint}；按 Ctrl-C 结束",
                f"the terminal interface is up, endpoint file {bridge.endpoint}; Ctrl-C ends it",
            )
        )
        with suppress(KeyboardInterrupt):
            bridge.serve_forever()
    return Exit.DONE


@app.command()
def call(
    function: Annotated[str, typer.Argument(metavar="FUNCTION", help="如 iReadCardBas / such as iReadCardBas")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARG]...", help="参数，不含 pOutInfo / arguments without pOutInfo", show_default=False),
    ] = None,
    reader: Reader = None,
    contactless: Contactless = None,
    virtual: Virtual = None,
    psam: Psam = None,
    keys: KeyStore = None,
    pin_file: PinFile = None,
    ask_pin: AskPin = False,
    new_pin_file: NewPinFile = None,
    terminal_number: TerminalNumber = "",
    device_number: DeviceNumber = "",
    profile: ProfileName = None,
    values_only: ValuesOnly = False,
    back_end: BackEnd = False,
    json: Json = False,
) -> int:
    """不经服务调用一次；HSM 第二、三步须用服务 / one call without a server; HSM steps 2 and 3 need one."""
    setup = _Setup(
        reader, contactless, virtual, psam, keys, pin_file, ask_pin, new_pin_file,
        terminal_number, device_number, profile, values_only, back_end,
    )  # fmt: skip
    with _terminal(setup) as terminal:
        code, text = terminal.call(function, arguments or [])
    if json:
        print_json({"function": function, "code": code, "text": text})
    elif code:
        tell(f"{code} {text}")
    else:
        print_text(text)
    return _status(code)


def _status(code: int) -> Exit:
    """The exit status for a return code."""
    from juying.terminal.codes import BAD_USE, FAULTS, LEAST_STATUS_WORD

    if code in BAD_USE:
        return Exit.BAD_USE
    if code in FAULTS or code <= -LEAST_STATUS_WORD:
        return Exit.CARD_FAULT
    return Exit.NO if code else Exit.DONE


@contextmanager
def _terminal(setup: _Setup) -> "Iterator[Terminal]":
    from juying.codec.profile import load_profile
    from juying.terminal.interface import Terminal
    from juying.terminal.slots import PsamSlot, Store

    if setup.psam is not None and setup.keys is not None:
        raise InputError("--psam 和 --keys 只能用一个", "--psam and --keys exclude each other")
    with ExitStack() as stack:
        access = stack.enter_context(open_access(setup.keys, setup.pin_file, setup.ask_pin))
        module: Module | None = Store(access.keys) if access is not None and access.keys is not None else None
        if setup.psam is not None:
            module = PsamSlot(_reader(setup.psam))
        yield stack.enter_context(
            Terminal(
                _slots(setup),
                module=module,
                pin=access.pin if access is not None else None,
                new_pin=_new_pin(setup),
                terminal_number=setup.terminal_number,
                device_number=setup.device_number,
                profile=load_profile(setup.profile) if setup.profile is not None else None,
                values_only=setup.values_only,
                back_end=setup.back_end,
            )
        )


def _slots(setup: _Setup) -> "Slots":
    from juying.terminal.slots import Slots

    if setup.virtual is None:
        contact = _reader(setup.reader) if setup.reader is not None or setup.contactless is None else None
        return Slots(contact, _reader(setup.contactless) if setup.contactless is not None else None)
    if setup.reader is not None or setup.contactless is not None:
        raise InputError("--virtual 不能与读卡器同用", "--virtual excludes readers")
    from juying.card.virtual.image import load_card
    from juying.card.virtual.transport import LocalTransport

    image = setup.virtual
    return Slots(lambda: LocalTransport(load_card(image, autosave=True), name=str(image)))


def _reader(name: str | None) -> "Callable[[], Transport]":
    def open_it() -> "Transport":
        from juying.card.pcsc import open_card

        return open_card(name)

    return open_it


def _new_pin(setup: _Setup) -> "Ask | None":
    if setup.new_pin_file is not None:
        path = setup.new_pin_file
        return lambda: _first_line(path)
    return _prompt if setup.ask_pin else None


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_PIN_FILE).decode("ascii", "replace").strip()
    except OSError:
        raise InputError("新密码文件无法读取", "the file with the new PIN cannot be read", where=str(path)) from None


def _prompt() -> str:
    """A new PIN, typed twice; nothing cancels. Raises `CallError` -31 and -34."""
    from juying.terminal.codes import CallError, Code

    if not at_a_terminal():
        raise InputError("无法询问新密码，请用 --new-pin-file", "nobody can be asked for the new PIN: --new-pin-file")
    first = _asked("新密码 / new PIN")
    if not first:
        raise CallError(Code.CANCELLED)
    if _asked("再输一次 / once more") != first:
        raise CallError(Code.PINS_DIFFER)
    return first


def _asked(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, hide_input=True, err=True))
