"""Faults: where a card is torn, memory holds what was written until then; the other bad habits strike when told."""

from collections.abc import Callable
from typing import Any

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault, Garbage, Mute, Slow, TearAfterByte, TearAfterCommand, WrongStatus
from juying.card.virtual.transport import LocalTransport, protocol_of
from juying.errors import CardRemoved, CommandTimeout

SELECT = bytes.fromhex("00A4040C0F7378312E73682EC9E7BBE1B1A3D5CF")
NUMBER = bytes.fromhex("00DC072C0B0709") + b"A00000003"
NAME = bytes.fromhex("00DC023420091E") + b"ERIKSSON ANNA MARIA".ljust(30, b"\x00")
PHOTO = bytes.fromhex("00D6880005") + b"PHOTO"
DF02 = bytes.fromhex("00A4040C06D15600000501")
JOB = bytes.fromhex("00E2003812") + b"J" * 18
READS = [bytes.fromhex(command) for command in ("00B2072C0B", "00B2023420", "00B0880005")]
WRITING = [SELECT, NUMBER, NAME, PHOTO]


def start(card: VirtualCard | Fault) -> None:
    card.power_on()
    card.transmit(SELECT)


def answered(card: Fault, commands: list[bytes]) -> int:
    """How many commands are answered, all with 9000, before the card is gone."""
    for number, command in enumerate(commands):
        try:
            assert card.transmit(command) == b"\x90\x00"
        except CardRemoved:
            return number
    return len(commands)


def values(card: VirtualCard) -> list[bytes]:
    """What a reader finds after the card was put back."""
    start(card)
    return [card.transmit(command)[:-2] for command in READS]


@pytest.mark.parametrize("name", ["ssc-v2", "ssc-v3"])
def test_torn_after_every_command(make: Callable[..., VirtualCard], name: str) -> None:
    """Command n is done and its answer lost; before that all is answered, and a new insertion works."""
    done = [NUMBER[5:], NAME[5:], PHOTO[5:]]
    blank = values(make(name))
    for count in range(len(WRITING) + 1):
        card = make(name)
        torn = TearAfterCommand(card, count)
        torn.power_on()
        assert answered(torn, [*WRITING, SELECT]) == max(count - 1, 0)
        with pytest.raises(CardRemoved, match="no power"):
            torn.transmit(SELECT)
        written = max(count - 1, 0)
        assert values(card) == done[:written] + blank[written:]
        start(torn)
        assert torn.transmit(NUMBER) == b"\x90\x00"


@pytest.mark.parametrize("name", ["ssc-v2", "ssc-v3"])
def test_torn_after_every_byte(make: Callable[..., VirtualCard], name: str) -> None:
    """Memory holds exactly the bytes written before the power failed, through records and binary data."""
    full = b"".join(command[5:] for command in WRITING[1:])
    blank = b"".join(values(make(name)))
    for count in range(len(full)):
        card = make(name)
        saves: list[bytes] = []
        card.on_change = lambda card=card, saves=saves: saves.append(bytes(card.memory.files["SSSE/EF08"][0][:5]))
        torn = TearAfterByte(card, count)
        torn.power_on()
        assert answered(torn, WRITING) < len(WRITING)
        assert saves[-1:] == [bytes(card.memory.files["SSSE/EF08"][0][:5])]  # the torn state was announced
        assert b"".join(values(card)) == full[:count] + blank[count:]
        start(torn)  # the next insertion works
        for command in WRITING[1:]:
            assert torn.transmit(command) == b"\x90\x00"
        assert b"".join(values(card)) == full
    card = make(name)
    whole = TearAfterByte(card, len(full))
    start(whole)
    for command in WRITING[1:]:
        assert whole.transmit(command) == b"\x90\x00"


def test_torn_append_never_shows_a_partial_newest_record(make: Callable[..., VirtualCard], connect: Any) -> None:
    """At every byte, the records that were there keep their order; only the oldest of a full file may be damaged."""
    old = [bytes((number,)) * 18 for number in range(4)]
    for present in (1, 4):
        for count in range(19):
            card = make("ssc-v3")
            terminal = connect(card)
            terminal.ok("00A4040C", DF02[5:])
            for row in old[:present]:
                terminal.ok("00E200B0", row)
            torn = TearAfterByte(card, count)
            with pytest.raises(CardRemoved):
                torn.transmit(bytes.fromhex("00E200B012") + b"J" * 18)
            records = [bytes(record) for record in card.memory.files["DF02/EF16"]]
            kept = old[:present][::-1]
            if present == 4:
                damaged = b"J" * min(count, 18) + kept[-1][count:]
                assert records == [*kept[:-1], damaged]
            else:
                assert records == kept


def test_mute_until_reset(make: Callable[..., VirtualCard]) -> None:
    """Silence from the given command on, nothing carried out; reset or power ends it for good."""
    for recover in ("reset", "power_on"):
        card = make()
        mute = Mute(card, 2)
        mute.power_on()
        mute.reset()
        assert mute.transmit(SELECT) == b"\x90\x00"
        for _ in range(2):
            with pytest.raises(CommandTimeout):
                mute.transmit(NUMBER)
        assert card.memory.changes == 0
        getattr(mute, recover)()
        assert mute.transmit(SELECT) == b"\x90\x00"
        assert mute.transmit(NUMBER) == b"\x90\x00"


def test_garbage_and_wrong_status(make: Callable[..., VirtualCard]) -> None:
    """Garbage spoils the answer of a command that was carried out, a wrong status stands for one that was not."""
    card = make()
    fault = WrongStatus(Garbage(card, 2, b"\x01\x02\x03"), 3, 0x6581)
    fault.power_on()
    assert fault.atr == card.atr
    assert fault.transmit(SELECT) == b"\x90\x00"
    assert fault.transmit(NUMBER) == b"\x01\x02\x03"
    assert fault.transmit(NAME) == b"\x65\x81"
    assert card.memory.changes == 1
    assert fault.transmit(NAME) == b"\x90\x00"


def test_slow_waits_before_each_answer(make: Callable[..., VirtualCard]) -> None:
    waited: list[float] = []
    slow = Slow(make(), 0.5, waited.append)
    start(slow)
    slow.transmit(NUMBER)
    assert waited == [0.5, 0.5]


def test_local_transport_powers_and_closes(make: Callable[..., VirtualCard]) -> None:
    """It has the card's ATR and protocol; after close the card has no power."""
    for name, protocol in (("ssc-v2", "T=0"), ("ssc-v3", "T=1")):
        card = make(name)
        with LocalTransport(card) as transport:
            assert (transport.atr, transport.protocol, transport.name) == (card.atr, protocol, "virtual")
            assert transport.transmit(SELECT) == b"\x90\x00"
        with pytest.raises(CardRemoved):
            transport.transmit(SELECT)
        transport.close()
    assert LocalTransport(card, name="desk 1").name == "desk 1"


def test_local_transport_follows_the_fault(make: Callable[..., VirtualCard]) -> None:
    """A torn card is a removed card."""
    transport = LocalTransport(TearAfterCommand(make(), 1))
    with pytest.raises(CardRemoved):
        transport.transmit(SELECT)


def test_protocol_of_an_atr() -> None:
    """The first TD byte decides, wherever it stands; without one it is T=0."""
    assert protocol_of(bytes.fromhex("3B00")) == "T=0"
    assert protocol_of(bytes.fromhex("3B8001")) == "T=1"
    assert protocol_of(bytes.fromhex("3B8000")) == "T=0"
    assert protocol_of(bytes.fromhex("3BF011000001")) == "T=1"
