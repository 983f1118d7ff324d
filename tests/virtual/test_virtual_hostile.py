"""Whatever arrives, the card answers, and what its rules protect is neither changed nor given away."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from juying.card.virtual.card import VirtualCard
from juying.codec.profile import load_profile
from tests.virtual.conftest import PROFILES, free_profile
from tests.virtual.key_holder import SERIAL, contents

FILES = (0xA4, 0xB0, 0xB2, 0xC0, 0xD6, 0xDC, 0xE2)
INSTRUCTIONS = (*FILES, 0x16, 0x18, 0x1E, 0x20, 0x24, 0x5E, 0x82, 0x84, 0x88, 0xD4)
IDENTIFIERS = ("3F00", "DF01", "DF04", "EF05", "EF06", "EF07", "EF08", "EF16", "7378312E73682EC9E7BBE1B1A3D5CF")


def header(cla: int, ins: int, p1: int, p2: int) -> bytes:
    return bytes((cla, ins, p1, p2))


small = st.sampled_from((0, 1, 2, 3, 4, 7, 0x0C, 0x2C, 0x34, 0x5C, 0x85, 0x88, 0xFF)) | st.integers(0, 255)
headers = st.builds(
    header,
    st.sampled_from((0, 0, 0, 0x10, 0x04, 0x80, 0x84)) | st.integers(0, 255),
    st.sampled_from(FILES) | st.sampled_from(INSTRUCTIONS),
    small,
    small,
)
challenges = st.sampled_from(("0084000004", "0084000008", "0084000010")).map(bytes.fromhex)
bodies = st.one_of(
    st.binary(max_size=64),
    st.sampled_from((7, 16, 36)).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    st.sampled_from(IDENTIFIERS).map(bytes.fromhex),
)
plausible = st.builds(
    lambda head, body, le: head + (bytes((len(body),)) + body if body else b"") + le,
    headers,
    bodies,
    st.binary(max_size=1),
)
extended = st.builds(
    lambda head, body, le: head + b"\x00" + len(body).to_bytes(2, "big") + body + le,
    headers,
    bodies,
    st.sampled_from((b"", b"\x00\x00", b"\x00\x05")),
)
selections = st.sampled_from(IDENTIFIERS).map(
    lambda text: bytes.fromhex(f"00A40{4 if len(text) > 4 else 0}0C{len(text) // 2:02X}{text}")
)
writes = st.builds(
    lambda number, sfi, tag, value: bytes((0, 0xDC, number, sfi << 3 | 4, len(value) + 2, tag, len(value))) + value,
    st.integers(1, 9),
    st.sampled_from((0, 5, 6)),
    st.integers(1, 0x60),
    st.binary(max_size=40),
)
commands = st.one_of(plausible, extended, selections, writes, challenges, st.binary(max_size=40))


@settings(max_examples=150)
@given(st.sampled_from(PROFILES), st.lists(commands, min_size=1, max_size=25))
def test_any_command_is_answered(name: str, script: list[bytes]) -> None:
    """At least a status word, never an exception; changes only with 9000; structure kept; all lost at reset."""
    profile = free_profile(name)
    card = VirtualCard.blank(profile, serial=SERIAL)
    card.power_on()
    for command in script:
        before = {address: [bytes(record) for record in records] for address, records in card.memory.files.items()}
        answer = card.transmit(command)
        assert len(answer) >= 2
        assert answer[-2] & 0xF0 in (0x60, 0x90)
        if answer[-2:] != b"\x90\x00":
            assert card.memory.files == before
    for file in profile.files:
        records = card.memory.files.get(file.address)
        assert (records is None) == file.optional
        for record, blank in zip(records or (), file.blank, strict=False):
            assert len(record) == len(blank)
            assert file.size or record[:2] == blank[:2]
    card.reset()
    assert card.transmit(bytes.fromhex("00B2010400")).hex() == "6986"


@settings(max_examples=250)
@given(st.sampled_from(PROFILES), st.lists(commands, min_size=1, max_size=25))
def test_without_a_key_nothing_opens(name: str, script: list[bytes]) -> None:
    """No grant is ever held, nothing but counters changes, and these only go down, one at a time, when it says so."""
    profile = load_profile(name)
    card = VirtualCard.blank(profile, serial=SERIAL, keys=lambda key: b"no demonstration"[:16])
    card.memory.pin.value[:] = bytes.fromhex("987650")
    for file in profile.files:
        for record in card.memory.files.get(file.address, ()):
            record[-1] = 0x99
    card.power_on()
    before = contents(card)
    for command in script:
        answer = card.transmit(command)
        after = contents(card)
        assert (after["files"], after["locks"], after["blocked"]) == (before["files"], {}, False)
        lost = tries(before) - tries(after)
        counted = answer[-2:] == b"\x69\x88" or (answer[-2:] > b"\x63\xbf" and answer[-2] == 0x63)
        assert lost == (1 if counted and answer[-2:] != b"\x63\xc6" else 0) or command[1:2] == b"\x20"
        before = after


def tries(state: dict[str, Any]) -> int:
    """All tries left on a card."""
    return sum(left for _, left, _ in state["keys"].values()) + state["pin"][1]


@settings(max_examples=100)
@given(commands)
def test_a_blocked_card_says_so(command: bytes) -> None:
    card = BLOCKED
    assert card.transmit(command).hex() == "6a81"


BLOCKED = VirtualCard.blank(load_profile("ssc-v3"), serial=SERIAL)
BLOCKED.block()
BLOCKED.power_on()
