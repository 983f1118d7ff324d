"""What is wrong: the card, the reader, its driver, the service, or the keys?

One step after the other, from the machine to the keys; the first that fails is the one to mend. A wrong key is
tried once at most, because the card counts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from juying.card.access import Access
from juying.card.apdu import Command
from juying.card.atr import historical_bytes
from juying.card.card_keys import card_key
from juying.card.pcsc import ReaderStatus
from juying.card.pin import VERIFY
from juying.card.refusal import BLOCKED, NO_CITY
from juying.card.ssc import SscCard
from juying.card.status import tries_left
from juying.card.transport import Transport
from juying.codec.spec import FileKind
from juying.crypto.keys import CardKey
from juying.errors import CardError, InputError, ServiceUnavailable
from juying.text import Text


class Part(StrEnum):
    """What can be at fault."""

    SERVICE = "service"
    DRIVER = "driver"
    READER = "reader"
    CARD = "card"
    KEYS = "keys"

    @property
    def text(self) -> Text:
        """The part, for people."""
        return _PARTS[self]


_PARTS = {
    Part.SERVICE: Text("智能卡服务", "smart card service"),
    Part.DRIVER: Text("读卡器驱动", "reader driver"),
    Part.READER: Text("读卡器", "reader"),
    Part.CARD: Text("卡片", "card"),
    Part.KEYS: Text("密钥", "keys"),
}


class State(StrEnum):
    """How a part was found."""

    GOOD = "good"
    FAULT = "fault"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, how it was found, and what to do about it."""

    part: Part
    state: State
    text: Text


class Step(Exception):
    """Ends the examination: what was found wrong, and whose fault that is."""

    def __init__(self, part: Part, text: Text) -> None:
        """Blame ``part``."""
        self.finding = Finding(part, State.FAULT, text)
        super().__init__(part)


def examine_reader(
    readers: Callable[[], Sequence[ReaderStatus]], wanted: str | None, attached: int | None
) -> Iterator[Finding]:
    """Service, driver and reader, up to a card in it; a fault is the last.

    ``readers`` is `juying.card.pcsc.readers`, ``wanted`` a reader's name or part of it, ``attached`` the number of
    smart card readers at the machine's USB (`attached_readers`), None where that cannot be told.
    """
    try:
        found = readers()
    except ServiceUnavailable as error:
        yield Finding(Part.SERVICE, State.FAULT, error.text)
        return
    yield Finding(Part.SERVICE, State.GOOD, Text("正在运行", "running"))
    try:
        yield from _one_reader(found, wanted, attached)
    except Step as step:
        yield step.finding


def _one_reader(found: Sequence[ReaderStatus], wanted: str | None, attached: int | None) -> Iterator[Finding]:
    if not found and attached:
        raise Step(
            Part.DRIVER,
            Text(
                f"USB 上有 {attached} 个读卡器，但服务看不到：请安装驱动（Debian：apt install libccid）并重新插上",
                f"{attached} reader(s) at the USB, but the service sees none: install the driver (Debian: "
                "apt install libccid) and plug the reader in again",
            ),
        )
    if not found:
        raise Step(Part.READER, Text("没有读卡器：请插上读卡器", "there is no reader: plug one in"))
    yield Finding(Part.DRIVER, State.GOOD, Text("已识别读卡器", "readers are recognised"))
    named = [reader for reader in found if wanted is None or wanted.casefold() in reader.name.casefold()]
    if not named:
        names = ", ".join(reader.name for reader in found)
        raise Step(
            Part.READER,
            Text(f"没有名为 {wanted} 的读卡器，现有：{names}", f"no reader is called {wanted}; there are: {names}"),
        )
    reader = next((reader for reader in named if reader.card_present), named[0])
    yield Finding(Part.READER, State.GOOD, Text(reader.name, reader.name))
    if not reader.card_present:
        raise Step(Part.CARD, Text("读卡器中没有卡：请插入卡片", "no card in the reader: insert one"))
    if reader.mute:
        raise Step(
            Part.CARD,
            Text(
                "卡片没有应答：请检查方向、清洁触点；换一张卡能读则此卡已坏",
                "the card does not answer: check which way round it is and clean its contacts; if another card can be "
                "read, this one is broken",
            ),
        )
    if reader.held:
        raise Step(
            Part.CARD, Text("另一个程序正在占用卡片：请先关闭它", "another program holds the card: close it first")
        )


def examine_card(open_card: Callable[[], Transport], access: Access) -> Iterator[Finding]:
    """The card that ``open_card`` connects to, and whether our keys fit it; a fault is the last."""
    try:
        yield from _examine(SscCard.open(open_card(), access=access), access)
    except Step as step:
        yield step.finding
    except CardError as error:
        yield Finding(Part.CARD, State.FAULT, error.text)


def _examine(card: SscCard, access: Access) -> Iterator[Finding]:
    title, city = card.profile.title, card.city
    if not city:
        raise Step(Part.CARD, NO_CITY)
    yield Finding(Part.CARD, State.GOOD, Text(f"{title.zh}，城市 {city}", f"{title.en}, city {city}"))
    yield _pin_state(card.channel.transmit(Command(*VERIFY)).sw)
    if access.keys is None:
        text = Text("没有给出密钥库（--keys）", "no key store was given (--keys)")
        yield Finding(Part.KEYS, State.UNKNOWN, text)
        return
    lacking = [key.name for key in _keys_of(card) if not access.keys.has(key)]
    if lacking:
        names = ", ".join(lacking)
        store = access.keys.title
        yield Finding(
            Part.KEYS,
            State.UNKNOWN,
            Text(f"{store.zh}中没有：{names}", f"{store.en} does not have: {names}"),
        )
    yield from _fit(card)


def _pin_state(sw: int) -> Finding:
    """The answer to a VERIFY without data, which costs no try."""
    left = tries_left(sw)
    if left:
        return Finding(Part.CARD, State.GOOD, Text(f"个人密码还可以试 {left} 次", f"tries left for the PIN: {left}"))
    if sw == BLOCKED or left == 0:
        text = Text("个人密码已锁定，请到发卡机构解锁", "the PIN is locked: have it unblocked by the issuer")
        return Finding(Part.CARD, State.UNKNOWN, text)
    text = Text("卡片不说明个人密码还可以试几次", "the card does not tell the tries left for the PIN")
    return Finding(Part.CARD, State.UNKNOWN, text)


def _fit(card: SscCard) -> Iterator[Finding]:
    """Whether the keys are those of this card: first by a proof that costs nothing, then by one read key."""
    genuine = card.authenticate()
    if genuine is False:
        raise Step(
            Part.KEYS,
            Text(
                "卡片没有通过内部认证：密钥库不是这座城市的当前版本，或卡片是伪造的",
                "the card fails internal authentication: the keys are not this city's present ones, or it is a fake",
            ),
        )
    if genuine:
        yield Finding(Part.KEYS, State.GOOD, Text("卡片通过内部认证", "the card proves itself"))
    environment = card.profile.applications[0]
    guarded = next((file for file in environment.files if file.read.startswith("key:") and not file.optional), None)
    if guarded is None:
        return
    try:
        if guarded.kind is FileKind.TRANSPARENT:
            card.read_binary(guarded, 0, 1)
        else:
            card.read_record(guarded, 1)
    except CardError as error:
        raise Step(Part.KEYS, error.text) from None
    yield Finding(Part.KEYS, State.GOOD, Text(f"{guarded.address} 可以读取", f"{guarded.address} can be read"))


def _keys_of(card: SscCard) -> Iterator[CardKey]:
    """Every key that the profile declares, for this card."""
    historical = historical_bytes(card.channel.transport.atr)
    for application in card.profile.applications:
        for key in application.keys:
            try:
                yield card_key(card.profile, application.name, key.name, historical=historical, city=card.city)
            except InputError as error:
                raise Step(Part.CARD, error.text) from None


_USB, _SMART_CARD = Path("/sys/bus/usb/devices"), "0b"


def attached_readers(devices: Path = _USB) -> int | None:
    """Smart card readers at the USB of a Linux machine (interface class 0B), None on other systems."""
    if not devices.is_dir():
        return None
    classes = (path.read_text("ascii", "replace").strip() for path in devices.glob("*/bInterfaceClass"))
    return sum(found == _SMART_CARD for found in classes)
