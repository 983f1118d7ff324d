"""Personalised virtual cards, and terminals of every kind around them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from juying.card.pin import typed_pin
from juying.card.ssc import SscCard
from juying.card.transport import Transport
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.psam import VirtualPsam
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from juying.crypto.keys import DemonstrationKeys
from juying.errors import CardRemoved
from juying.terminal.hsm import CardReference, answer_step
from juying.terminal.interface import Terminal
from juying.terminal.slots import Module, PsamSlot, Slots, Store
from tests.path import samples

PROFILES = samples.PROFILES
INITIAL, PIN, OTHER = "123456", "271828", "314159"
DEVICE = "33100020261201000001"
PSAM_NUMBER, OWN_NUMBER = "331000000001", "331000000009"
IDENTIFIER = "331000D15600000599110145FFFFFFFF"
HISTORICAL = {
    "ssc-v1": "00814A59018601331099110145",
    "ssc-v2": "00814A59028602331099110145",
    "ssc-v3": "00814A59038603331099110145",
}
HOLDER = "UTO000000L898902C3"
NAME = "ERIKSSON ANNA MARIA"
NUMBER = "JYX000010"
INFO = f"{IDENTIFIER}|{NUMBER}|"


def personal(generation: str, **options: Any) -> VirtualCard:
    """An invented holder's card, with the initial PIN."""
    profile = load_profile(generation)
    optional = [file.address for file in profile.files if file.optional]
    card = samples.blank(profile, optional=optional)
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport, access=samples.EVERYTHING), samples.contents(**options))
    return card


def basic(name: str, *, terminal: str = "", device: str = "", holder: tuple[str, str, str] | None = None) -> str:
    """The eleven fields of such a card."""
    number, card_number, person = (HOLDER, NUMBER, NAME) if holder is None else holder
    version = load_profile(name).version
    fields = ["331000", number, card_number, IDENTIFIER, person, HISTORICAL[name], version]
    return "|".join([*fields, "20261201", "20361201", terminal, device, ""])


def psam(**options: Any) -> VirtualPsam:
    return VirtualPsam.demonstration(map(load_profile, options.pop("profiles", PROFILES)), **options)


def psam_slot(module: VirtualPsam | None = None) -> PsamSlot:
    held = module or psam()
    return PsamSlot(lambda: LocalTransport(held, name="PSAM"))


def demonstration() -> Store:
    return Store(DemonstrationKeys())


def empty() -> Transport:
    raise CardRemoved("无卡", "no card")


@dataclass
class Desk:
    """A card in a terminal, and who types PINs there."""

    card: VirtualCard
    module: Module | None = None
    pin: str = INITIAL
    new: str = PIN
    options: dict[str, Any] = field(default_factory=dict)
    now: float = 0.0
    terminal: Terminal = field(init=False)

    def __post_init__(self) -> None:
        settings: dict[str, Any] = {
            "pin": typed_pin(lambda: self.pin),
            "new_pin": lambda: self.new,
            "clock": lambda: self.now,
            **self.options,
        }
        slots = settings.pop("slots", Slots(contact=lambda: LocalTransport(self.card)))
        self.terminal = Terminal(slots, module=self.module, **settings)

    def __call__(self, name: str, *arguments: object) -> tuple[int, str]:
        return self.terminal.call(name, [str(argument) for argument in arguments])

    def ok(self, name: str, *arguments: object) -> str:
        """The text of a call that must succeed."""
        code, text = self(name, *arguments)
        assert code == 0, (code, text)
        return text

    def code(self, name: str, *arguments: object) -> int:
        """The return code."""
        return self(name, *arguments)[0]

    def pkey(self, text: str, keys: Any = None) -> str:
        """What the back end answers to a step."""
        reference = CardReference("331000", self.card.memory.historical)
        return answer_step(keys or DemonstrationKeys(), text, reference)


MakeDesk = Callable[..., Desk]


def new_pin(desk: Desk, pin: str = PIN) -> None:
    """Put another PIN on the card, by the office."""
    desk.card.memory.pin.value[:] = bytes.fromhex(pin)
    desk.pin = pin
