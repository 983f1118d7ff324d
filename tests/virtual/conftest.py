"""A small terminal and cards for the tests of the virtual card."""

from collections.abc import Callable

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.codec.profile import load_profile
from juying.codec.spec import Profile

SERIAL = bytes.fromhex("99110145")
PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")


class Terminal:
    """Speaks to a card as a reader does: fetches 61xx, repeats on 6Cxx; written apart from `juying.card.channel`."""

    def __init__(self, card: VirtualCard | Fault, protocol: str) -> None:
        self.card = card
        self.t0 = protocol == "T=0"
        card.power_on()

    def __call__(self, header: str, data: bytes = b"", le: int | None = None) -> tuple[bytes, int]:
        """Response data and status word; ``le`` 0 asks for all."""
        command = bytes.fromhex(header)
        if data:
            command += bytes((len(data),)) + data
        if le is not None and not (self.t0 and data):
            command += bytes((le,))
        answer = self.card.transmit(command)
        if answer[-2] == 0x6C:
            answer = self.card.transmit(command[:-1] + answer[-1:])
        collected = answer[:-2]
        while answer[-2] == 0x61:
            answer = self.card.transmit(bytes((0x00, 0xC0, 0x00, 0x00, answer[-1])))
            collected += answer[:-2]
        return collected, int.from_bytes(answer[-2:], "big")

    def ok(self, header: str, data: bytes = b"", le: int | None = None) -> bytes:
        """The data of a command that must succeed."""
        body, sw = self(header, data, le)
        assert sw == 0x9000, f"{header}: {sw:04X}"
        return body

    def sw(self, header: str, data: bytes = b"", le: int | None = None) -> str:
        """The status word, as text."""
        return f"{self(header, data, le)[1]:04X}"

    def enter(self, profile: Profile, name: str) -> None:
        """Select an application, by AID where it has one."""
        application = profile.application(name)
        if application.aid is not None:
            self.ok("00A4040C", application.aid)
        else:
            self.ok("00A4000C", (application.fid or 0).to_bytes(2, "big"))


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


@pytest.fixture
def make() -> Callable[..., VirtualCard]:
    """A blank card of a named profile, with the serial of the fact sheet's vector."""

    def build(name: str = "ssc-v3", **options: object) -> VirtualCard:
        return VirtualCard.blank(load_profile(name), serial=SERIAL, **options)

    return build


@pytest.fixture
def card(profile: Profile) -> VirtualCard:
    """A blank card of each profile, with all optional files."""
    optional = [file.address for file in profile.files if file.optional]
    return VirtualCard.blank(profile, serial=SERIAL, optional=optional)


@pytest.fixture
def terminal(card: VirtualCard) -> Terminal:
    return Terminal(card, card.profile.protocol)


@pytest.fixture
def connect() -> Callable[[VirtualCard | Fault], Terminal]:
    """A terminal for a card that the test made itself."""

    def build(card: VirtualCard | Fault) -> Terminal:
        return Terminal(card, "T=1" if card.atr[1] & 0x80 else "T=0")

    return build
