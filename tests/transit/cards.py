"""Cards and terminals for the tests of the transit application, and the published vectors."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from juying.card.channel import Channel
from juying.card.trace import Recorded, Replay, Trace
from juying.card.tunion_psam import TransitPsam
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.tunion import TransitIssue
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.codec.profile import load_profile
from juying.codec.tunion.files import PublicData
from juying.codec.tunion.trips import IN, OUT, RAIL, Ride, Stop, Tap

FILE = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))
VECTORS: Mapping[str, Mapping[str, Any]] = {vector["id"]: vector for vector in FILE["vectors"]}
CRYPTOGRAMS: Mapping[str, Mapping[str, str]] = {vector["id"]: vector for vector in FILE["crypto_vectors"]}

SELECT_PPSE = "00A404000E325041592E5359532E4444463031"
SELECT_EP = "00A4040008A000000632010105"
NOON = datetime(2026, 12, 1, 12, 0, 0)
MOMENT = "20261201120000"
TERMINAL = "413100000001"
SERIAL = bytes.fromhex("99110145")


def first(name: str) -> tuple[bytes, Any]:
    """Data of the answer and the expected values of the (only) exchange of a vector."""
    exchange = VECTORS[name]["exchanges"][0]
    return bytes.fromhex(exchange["response"])[:-2], exchange["expected"]


def replay(*names: str, more: Mapping[str, str] | None = None) -> Replay:
    """A trace of the exchanges of some vectors, and of others beside them."""
    pairs = [(entry["command"], entry["response"]) for name in names for entry in VECTORS[name]["exchanges"]]
    pairs += (more or {}).items()
    recorded = [Recorded(bytes.fromhex(command), bytes.fromhex(answer)) for command, answer in pairs]
    return Replay(Trace(bytes.fromhex("3B8001 81".replace(" ", "")), "T=1", masked=False, exchanges=tuple(recorded)))


def blank(profile: str = "tunion", random: Callable[[int], bytes] | None = None, **issue: Any) -> VirtualCard:
    """A card with the application, always of the same serial."""
    more = {} if random is None else {"random": random}
    return VirtualCard.blank(load_profile(profile), serial=SERIAL, transit=TransitIssue(**issue), **more)


class Raw:
    """A card that is spoken to in hex, with the purse selected."""

    def __init__(self, card: VirtualCard) -> None:
        self.card = card
        card.power_on()
        self.sw(SELECT_EP + "00")

    def __call__(self, command: str) -> tuple[bytes, str]:
        """Data and status word."""
        answer = self.card.transmit(bytes.fromhex(command.replace(" ", "")))
        return answer[:-2], answer[-2:].hex().upper()

    def ok(self, command: str) -> bytes:
        """The data of a command that must succeed."""
        data, sw = self(command)
        assert sw == "9000", f"{command}: {sw}"
        return data

    def sw(self, command: str) -> str:
        """The status word alone."""
        return self(command)[1]

    def amount(self, which: int) -> int:
        """GET BALANCE."""
        return int.from_bytes(self.ok(f"805C{which:02X}0204"))


def channel(card: Any) -> Channel:
    return Channel(LocalTransport(card))


def psam(card: VirtualTransitPsam | None = None) -> TransitPsam:
    return TransitPsam.open(channel(card or VirtualTransitPsam(terminal=TERMINAL)))


def public(card: VirtualCard) -> PublicData:
    return PublicData.decode(bytes(card.memory.files["TUNION/0015"][0]))


def contents(card: VirtualCard) -> dict[str, list[bytes]]:
    """What the card holds, as a copy."""
    return {address: [bytes(record) for record in records] for address, records in card.memory.files.items()}


def tap(kind: str = "03", amount: int = 0, at: datetime = NOON) -> Tap:
    return Tap(
        type=kind,
        terminal=f"0000{TERMINAL}",
        industry="01",
        line="0100",
        station="0700",
        amount_fen=amount,
        at=at,
        city_code="3450",
        organisation="12113450FFFFFFFF",
    )


def ride(state: int = IN, *, at: datetime = NOON, marked: int = 600) -> Ride:
    """A metro ride, entered or left at ``at``."""
    stop = Stop(
        city_code="3450",
        organisation="12113450FFFFFFFF",
        stop="0100000000000007",
        terminal=f"0000{TERMINAL}",
        at=at,
    )
    end = stop if state == OUT else Stop()
    return Ride(record_id=RAIL, state=state, serial="0000000000000001", start=stop, end=end, marked_fen=marked)
