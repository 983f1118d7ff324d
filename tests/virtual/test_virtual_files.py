"""Every file and record of every profile can be written and read in every way that ISO 7816-4 has for it."""

from collections.abc import Callable
from typing import Any

import pytest

from juying.card.virtual.card import Lifecycle, VirtualCard
from juying.card.virtual.memory import issuer_record
from juying.codec.profile import load_profile
from juying.codec.spec import File, FileKind, Profile
from juying.errors import InputError
from tests.virtual.conftest import PROFILES, free_profile

RECORD_1 = bytes.fromhex("0110331000D15600000599110145FFFFFFFF")


def files(kind: FileKind) -> list[Any]:
    return [
        pytest.param(profile, file, id=f"{profile.name}-{file.address}")
        for profile in map(free_profile, PROFILES)
        for file in profile.files
        if file.kind is kind
    ]


@pytest.fixture
def opened(profile: Profile, file: File, terminal: Any) -> Any:
    """The terminal, in the application of ``file``."""
    terminal.enter(profile, file.application)
    return terminal


def select_file(terminal: Any, file: File) -> None:
    terminal.ok("00A4020C", file.fid.to_bytes(2, "big"))


@pytest.mark.parametrize(("profile", "file"), files(FileKind.LINEAR))
def test_linear_records_by_number_tag_and_sfi(profile: Profile, file: File, opened: Any) -> None:
    """Each record takes its own tag and length, and comes back by number, SFI and (if unique) by tag."""
    written = []
    for number, record in enumerate(file.slots, 1):
        assert record.tag is not None
        raw = bytes((record.tag, record.length)) + bytes((number,)) * record.length
        if number % 2:
            opened.ok(f"00DC{number:02X}{file.sfi << 3 | 4:02X}", raw)
        else:
            opened.ok(f"00DC{number:02X}04", raw)  # the SFI before made the file current
        written.append(raw)
    select_file(opened, file)
    tags = [record.tag for record in file.slots]
    for number, raw in enumerate(written, 1):
        assert opened.ok(f"00B2{number:02X}04", le=0) == raw
        assert opened.ok(f"00B2{number:02X}{file.sfi << 3 | 4:02X}", le=len(raw)) == raw
        if tags.count(raw[0]) == 1:
            assert opened.ok(f"00B2{raw[0]:02X}00", le=0) == raw
            assert opened.ok(f"00B2{raw[0]:02X}{file.sfi << 3:02X}", le=0) == raw
            by_tag = raw[:2] + bytes(len(raw) - 2)
            opened.ok(f"00DC{raw[0]:02X}00", by_tag)
            assert opened.ok(f"00B2{number:02X}04", le=0) == by_tag
    assert opened.sw(f"00B2{len(written) + 1:02X}04", le=0) == "6A83"


@pytest.mark.parametrize(("profile", "file"), files(FileKind.LINEAR))
def test_linear_records_keep_tag_and_length(profile: Profile, file: File, opened: Any) -> None:
    """A record refuses another tag (6A80), another length byte (6A85), a longer (6A84) or shorter (6700) one."""
    select_file(opened, file)
    for number, record in enumerate(file.slots, 1):
        before = opened.ok(f"00B2{number:02X}04", le=0)
        update = f"00DC{number:02X}04"
        assert opened.sw(update, bytes((before[0] ^ 0x80,)) + before[1:]) == "6A80"
        assert opened.sw(update, bytes((before[0], record.length ^ 1)) + before[2:]) == "6A85"
        assert opened.sw(update, before + b"\x00") == "6A84"
        assert opened.sw(update, before[:-1]) == "6700"
        assert opened.sw(update) == "6700"
        assert opened.ok(f"00B2{number:02X}04", le=0) == before
    assert opened.sw("00E20000", before) == "6A84"


@pytest.mark.parametrize(("profile", "file"), files(FileKind.LINEAR))
def test_repeated_tags_are_walked_with_first_next_last_previous(profile: Profile, file: File, opened: Any) -> None:
    """READ RECORD by identifier finds every occurrence of a tag, forwards and backwards."""
    select_file(opened, file)
    for number, record in enumerate(file.slots, 1):
        opened.ok(f"00DC{number:02X}04", bytes((record.tag or 0, record.length)) + bytes((number,)) * record.length)
    for tag in {record.tag or 0 for record in file.slots}:
        numbers = [number for number, record in enumerate(file.slots, 1) if record.tag == tag]
        select_file(opened, file)
        forwards = [opened.ok(f"00B2{tag:02X}{mode:02X}", le=0)[2] for mode in [0] + [2] * (len(numbers) - 1)]
        assert forwards == numbers
        assert opened.sw(f"00B2{tag:02X}02", le=0) == "6A83"
        backwards = [opened.ok(f"00B2{tag:02X}{mode:02X}", le=0)[2] for mode in [1] + [3] * (len(numbers) - 1)]
        assert backwards == numbers[::-1]
        assert opened.sw(f"00B2{tag:02X}03", le=0) == "6A83"


@pytest.mark.parametrize(("profile", "file"), files(FileKind.CYCLIC))
def test_cyclic_files_keep_the_newest_records(profile: Profile, file: File, opened: Any) -> None:
    """Appending beyond the capacity drops the oldest; record 1 is always the newest."""
    select_file(opened, file)
    assert opened.sw("00B20104", le=0) == "6A83"
    rows = [bytes((number,)) * file.record_length for number in range(1, file.count + 3)]
    for number, row in enumerate(rows):
        opened.ok(("00E20000", "00DC0003", f"00E200{file.sfi << 3:02X}")[number % 3], row)
        assert opened.ok("00B20104", le=0) == row
    kept = rows[::-1][: file.count]
    for number, row in enumerate(kept, 1):
        assert opened.ok(f"00B2{number:02X}{file.sfi << 3 | 4:02X}", le=0) == row
    assert opened.sw(f"00B2{file.count + 1:02X}04", le=0) == "6A83"
    opened.ok("00DC0204", bytes(file.record_length))
    assert opened.ok("00B20204", le=0) == bytes(file.record_length)
    assert opened.ok("00B20104", le=0) == kept[0]


@pytest.mark.parametrize(("profile", "file"), files(FileKind.CYCLIC))
def test_cyclic_files_refuse_wrong_lengths_and_identifiers(profile: Profile, file: File, opened: Any) -> None:
    """Only whole records; there are no tags to search for."""
    select_file(opened, file)
    row = bytes(file.record_length)
    assert opened.sw("00E20000", row + b"\x00") == "6A84"
    assert opened.sw("00E20000", row[:-1]) == "6700"
    assert opened.sw("00E20000") == "6700"
    assert opened.sw("00DC0003", row[:-1]) == "6700"
    opened.ok("00E20000", row)
    assert opened.sw("00DC0104", row[:-1]) == "6700"
    assert opened.sw("00B25500", le=0) == "6981"
    assert opened.ok("00B20000", le=0) == row


@pytest.mark.parametrize(("profile", "file"), files(FileKind.TRANSPARENT))
def test_transparent_files_by_offset_and_sfi(profile: Profile, file: File, opened: Any) -> None:
    """A whole file is written and read in chunks; both forms of the offset reach the same bytes."""
    content = bytes(index * 7 & 0xFF for index in range(file.size))
    opened.ok(f"00D6{0x80 | file.sfi:02X}00", content[:0x70])
    for offset in range(0x70, file.size, 0x70):
        opened.ok(f"00D6{offset:04X}", content[offset : offset + 0x70])
    read = b"".join(
        opened.ok(f"00B0{offset:04X}", le=min(0x80, file.size - offset)) for offset in range(0, file.size, 0x80)
    )
    assert read == content
    assert opened.ok(f"00B0{0x80 | file.sfi:02X}10", le=0x20) == content[0x10:0x30]
    assert opened.sw(f"00B0{file.size:04X}", le=1) == "6B00"
    assert opened.sw(f"00D6{file.size:04X}", b"\x00") == "6B00"
    assert opened.sw(f"00D6{file.size - 1:04X}", b"\x00\x00") == "6A84"
    assert opened.ok(f"00B0{file.size - 1:04X}", le=1) == content[-1:]


def test_new_card_is_blank_but_for_identifier_and_version(profile: Profile, terminal: Any, card: VirtualCard) -> None:
    """Factory data is vector 1 of the observed blank card and the version; every other value byte is FF."""
    assert card.state is Lifecycle.BLANK
    for file in profile.files:
        terminal.enter(profile, file.application)
        if file.kind is not FileKind.LINEAR:
            continue
        for number, record in enumerate(file.slots, 1):
            raw = terminal.ok(f"00B2{number:02X}{file.sfi << 3 | 4:02X}", le=0)
            if file.address == "SSSE/EF05" and raw[0] == 0x01:
                assert raw == RECORD_1
            elif file.address == "SSSE/EF05" and raw[0] == 0x03:
                assert raw == b"\x03\x04" + profile.version.encode()
            else:
                assert raw == bytes((record.tag or 0, record.length)) + b"\xff" * record.length


def test_lifecycle(card: VirtualCard, terminal: Any, profile: Profile) -> None:
    """Writing the card number personalises; blocking ends everything but the ATR."""
    terminal.enter(profile, "SSSE")
    terminal.ok("00DC072C", b"\x07\x09A00000003")
    assert card.state is Lifecycle.PERSONALISED
    changes: list[str] = []
    card.on_change = lambda: changes.append(card.state)
    card.block()
    assert changes == ["blocked"]
    atr = card.atr
    card.reset()
    assert card.atr == atr
    for command in ("00A40000023F00", "00C0000000", "FFFFFFFF", "00"):
        assert card.transmit(bytes.fromhex(command)).hex() == "6a81"


def test_optional_files_exist_only_on_demand(make: Callable[..., VirtualCard], connect: Any) -> None:
    """SSSE/EF0D belongs to some regions only."""
    aid = load_profile("ssc-v2").applications[0].aid
    for optional, answer in (((), "6A82"), (("SSSE/EF0D",), "9000")):
        terminal = connect(make("ssc-v2", optional=optional))
        terminal.ok("00A4040C", aid)
        assert terminal.sw("00A4020C", b"\xef\x0d") == answer


@pytest.mark.parametrize("options", [{"region": "33100"}, {"region": "33100x"}, {"region": "３３１０００"}])
def test_region_is_checked(make: Callable[..., VirtualCard], options: dict[str, str]) -> None:
    with pytest.raises(InputError, match="region"):
        make(**options)


def test_serial_is_four_bytes_random_by_default() -> None:
    profile = load_profile("ssc-v3")
    with pytest.raises(InputError, match="serial"):
        VirtualCard.blank(profile, serial=b"123")
    first, second = VirtualCard.blank(profile), VirtualCard.blank(profile)
    assert first.atr != second.atr
    assert first.memory.files["SSSE/EF05"][0][10:14] == first.memory.historical[-4:]


def test_profile_without_an_issuer_record_is_refused() -> None:
    """A profile of another family has no card identifier to write; the message names the record."""
    with pytest.raises(InputError, match="EE"):
        issuer_record(load_profile("ssc-v3"), 0xEE)


def test_reprs_hold_no_contents(card: VirtualCard) -> None:
    """What a log shows of a card is its profile and state."""
    assert repr(card) == f"VirtualCard('{card.profile.name}', blank)"
    assert repr(card.memory).startswith("Memory(")
    assert "FF" not in repr(card.memory)
