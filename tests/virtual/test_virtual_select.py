"""SELECT: by name, by identifier, what it returns, and what it forgets."""

from collections.abc import Callable
from typing import Any

import pytest

from juying.card.virtual.card import VirtualCard
from juying.codec.profile import load_profile
from juying.codec.spec import FileKind, Profile
from juying.errors import CardRemoved

SSSE = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")


def objects(data: bytes) -> dict[int, bytes]:
    """BER-TLV of one level, tags and lengths of one byte."""
    found = {}
    while data:
        found[data[0]] = data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return found


def test_fci_of_applications(profile: Profile, terminal: Any) -> None:
    """The environment names itself and the SFI of its directory; an application only itself."""
    assert terminal.ok("00A40400", SSSE, le=0) == b"\x6f\x16\x84\x0f" + SSSE + b"\xa5\x03\x88\x01\x0b"
    for application in profile.applications[1:]:
        fid = (application.fid or 0).to_bytes(2, "big")
        control = b"\x84\x06" + application.aid if application.aid else b"\x83\x02" + fid
        fci = b"\x6f" + bytes((len(control),)) + control
        assert terminal.ok("00A40000", fid, le=0) == fci
        if application.aid:
            assert terminal.ok("00A40400", application.aid, le=0) == fci


def test_fci_of_files_says_what_they_are(profile: Profile, terminal: Any) -> None:
    """Size, descriptor (kind, longest record, number of records), FID and SFI of every file, as FCI and as FCP."""
    for file in profile.files:
        terminal.enter(profile, file.application)
        fid = file.fid.to_bytes(2, "big")
        answer = terminal.ok("00A40200", fid, le=0)
        assert (answer[0], answer[1]) == (0x6F, len(answer) - 2)
        assert terminal.ok("00A40204", fid, le=0) == b"\x62" + answer[1:]
        found = objects(answer[2:])
        size, descriptor = int.from_bytes(found[0x80], "big"), found[0x82]
        assert (found[0x83], found[0x88]) == (fid, bytes((file.sfi << 3,)))
        if file.kind is FileKind.TRANSPARENT:
            assert (size, descriptor) == (file.size, b"\x01")
        elif file.kind is FileKind.CYCLIC:
            assert descriptor == b"\x06\x01" + file.record_length.to_bytes(2, "big") + bytes((file.count,))
            assert size == file.count * file.record_length
        else:
            lengths = [record.length + 2 for record in file.slots]
            assert descriptor == b"\x05\x01" + max(lengths).to_bytes(2, "big") + bytes((len(lengths),))
            assert size == sum(lengths)


def test_directory_lists_applications(profile: Profile, terminal: Any) -> None:
    """P2 5C after SSSE reads one record 61 {4F AID, 50 label} per application that has an AID; it is read-only."""
    terminal.ok("00A4040C", SSSE)
    listed = [application for application in profile.applications[1:] if application.aid]
    for number, application in enumerate(listed, 1):
        record = terminal.ok(f"00B2{number:02X}5C", le=0)
        assert (record[0], record[1]) == (0x61, len(record) - 2)
        found = objects(record[2:])
        assert found[0x4F] == application.aid
        assert application.title.zh.startswith(found[0x50].decode("gbk"))
        assert 0 < len(found[0x50]) <= 16
        assert terminal.sw(f"00DC{number:02X}5C", record) == "6985"
    assert terminal.sw(f"00B2{len(listed) + 1:02X}5C", le=0) == "6A83"
    terminal.ok("00A4020C", b"\xef\x0b")
    assert terminal.ok("00B26100", le=0) == terminal.ok("00B20104", le=0)
    terminal.ok("00A4040C", listed[0].aid)
    assert terminal.sw("00B2015C", le=0) == "6A82"


def test_label_never_cuts_a_character(make: Callable[..., VirtualCard], connect: Any) -> None:
    """A long title ends at a whole character within 16 bytes."""
    profile = load_profile("ssc-v3")
    long = profile.applications[1].model_copy(update={"title": profile.title._replace(zh="a" + "长" * 20)})
    changed = profile.model_copy(update={"applications": (profile.applications[0], long, *profile.applications[2:])})
    terminal = connect(VirtualCard(changed, make().memory))
    terminal.ok("00A4040C", SSSE)
    assert objects(terminal.ok("00B2015C", le=0)[2:])[0x50].decode("gbk") == "a" + "长" * 7


def test_partial_names_first_and_next(profile: Profile, terminal: Any) -> None:
    """The RID alone walks through the applications in their order, and ends with 6A82 without moving."""
    rid = bytes.fromhex("D156000005")
    names = [application.aid for application in profile.applications if application.aid and application.aid[:5] == rid]
    walked = [terminal.ok(f"00A404{p2:02X}", rid, le=0)[4:] for p2 in [0] + [2] * (len(names) - 1)]
    assert [body[: len(name)] for body, name in zip(walked, names, strict=True)] == names
    assert terminal.sw("00A40402", rid, le=0) == "6A82"
    assert terminal.sw("00A4000C", b"\xef\x05") == "9000"  # still in the last one
    assert terminal.sw("00A4040E", rid) == "6A82"
    terminal.ok("00A4040C", SSSE)
    assert terminal.ok("00A40402", rid, le=0)[4:] == walked[0]  # "next" from elsewhere begins at the first
    assert terminal.sw("00A4040C", SSSE + b"\x00") == "6A82"


def test_selection_by_identifier(profile: Profile, terminal: Any) -> None:
    """P1 00 finds files of the current directory and any directory, 01 applications from above, 02 files only."""
    assert terminal.ok("00A40000", le=0) == bytes.fromhex("6F0483023F00")
    assert terminal.ok("00A40000", b"\x3f\x00", le=0) == bytes.fromhex("6F0483023F00")
    assert terminal.sw("00A4000C", b"\xef\x05") == "6A82"
    assert terminal.sw("00A4010C", b"\x3f\x00") == "6A82"
    assert terminal.sw("00A4010C", b"\xdf\x01") == "9000"
    assert terminal.sw("00A4010C", b"\xdf\x02") == "6A82"
    assert terminal.sw("00A4000C", b"\xdf\x02") == "9000"
    assert terminal.sw("00A4000C", b"\xdf\x0f") == "6A82"
    assert terminal.sw("00A4020C", b"\xdf\x02") == "6A82"
    assert terminal.sw("00A4000C", b"\xef\x05") == "9000"
    terminal.ok("00A4040C", SSSE)
    assert terminal.sw("00A4010C", b"\xdf\x01") == "9000"


def test_environment_by_fid_if_the_profile_gives_one(make: Callable[..., VirtualCard], connect: Any) -> None:
    profile = load_profile("ssc-v3")
    named = profile.applications[0].model_copy(update={"fid": 0xDDF1})
    changed = profile.model_copy(update={"applications": (named, *profile.applications[1:])})
    terminal = connect(VirtualCard(changed, make().memory))
    assert terminal.ok("00A40000", b"\xdd\xf1", le=0)[4:19] == SSSE


def test_selecting_another_application_forgets_the_file(profile: Profile, terminal: Any) -> None:
    terminal.ok("00A4040C", SSSE)
    terminal.ok("00A4020C", b"\xef\x05")
    terminal.ok("00B20104", le=0)
    terminal.enter(profile, "DF01")
    assert terminal.sw("00B20104", le=0) == "6986"


def test_reset_loses_the_selection(profile: Profile, card: VirtualCard, terminal: Any) -> None:
    """So do power off and on; the contents stay."""
    for restart in (card.reset, card.power_on, lambda: (card.power_off(), card.power_on())):
        terminal.ok("00A4040C", SSSE)
        terminal.ok("00A4020C", b"\xef\x05")
        terminal.ok("00DC0204", b"\x02\x01A")
        restart()
        assert terminal.sw("00B20204", le=0) == "6986"
        assert terminal.sw("00A4020C", b"\xef\x05") == "6A82"
        terminal.ok("00A4040C", SSSE)
        assert terminal.ok("00B2022C", le=0) == b"\x02\x01A"


def test_failed_commands_leave_the_selection(make: Callable[..., VirtualCard], connect: Any) -> None:
    """An SFI in a command that fails does not change the current file, nor a tag search its record pointer."""
    terminal = connect(make())
    terminal.ok("00A4040C", SSSE)
    terminal.ok("00A4020C", b"\xef\x05")
    assert terminal.sw("00B2FF34", le=0) == "6A83"
    assert terminal.sw("00DC0134", b"\x00") == "6700"
    assert terminal.ok("00B20104", le=0)[0] == 0x01
    assert terminal.sw("00B20004", le=0) == "6A83"  # no current record yet
    terminal.ok("00B20300", le=0)
    assert terminal.sw("00B20302", le=0) == "6A83"
    assert terminal.ok("00B20004", le=0)[0] == 0x03
    assert terminal.ok("00B20003", le=0)[0] == 0x02  # previous of any tag


@pytest.mark.parametrize("restart", ["reset", "power_off"])
def test_a_card_without_power_stays_without(make: Callable[..., VirtualCard], restart: str) -> None:
    """A reset does not switch on."""
    card = make()
    getattr(card, restart)()
    with pytest.raises(CardRemoved, match="no power"):
        card.transmit(b"\x00\xa4\x00\x0c")
