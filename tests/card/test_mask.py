"""Masking: what is personal does not get into a trace, whatever way it is read or written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.card import apdu
from juying.card.apdu import Command
from juying.card.mask import Masker, shape
from juying.codec.profile import Profile, load_profile

AID = bytes.fromhex("F04A590001")
OTHER_AID = bytes.fromhex("F04A590002")
NAME = b"ERIKSSON"
KEY = bytes(32)

LAYOUT = """
name = "masking"
title = { zh = "掩码测试", en = "masking test" }
version = "2.00"
protocol = "T=1"
historical = "00814A59028602000000000000"
permit = "open"

[security]
cipher = "3des"
city_factor = "city-sx"
card_factor = "atr-last-8"
key_tries = 15
pin_tries = 6
pin_digits = 6
initial_pins = ["123456"]
source = "ours"

[[application]]
name = "A"
aid = "F04A590001"
fid = "DF01"
title = { zh = "应用", en = "application" }
source = "ours"

[[application.file]]
fid = "EF05"
kind = "linear"
title = { zh = "数据", en = "data" }
source = "ours"
read = "free"
write = "free"

[[application.file.records]]
number = 1
tag = "01"
type = "an"
length = 8
title = { zh = "公开", en = "public" }
vectors = [ { hex = "01084F46464943452031", value = "OFFICE 1" } ]

[[application.file.records]]
number = 2
tag = "02"
type = "an"
length = 8
personal = true
title = { zh = "姓名", en = "name" }
vectors = [ { hex = "02084552494B53534F4E", value = "ERIKSSON" } ]

[[application.file.records]]
number = 3
tag = "03"
type = "an"
length = 8
secret = true
title = { zh = "秘密", en = "secret" }
vectors = [ { hex = "03085345435245543132", value = "SECRET12" } ]

[[application.file.records]]
number = 4
tag = "40"
type = "list"
title = { zh = "列表", en = "list" }
vectors = [ { hex = "400E5703414243580419740812590178", value = ["ABC", 1974-08-12, "x"] } ]
parts = [
  { tag = "57", type = "an", length = 3, title = { zh = "代码", en = "code" } },
  { tag = "58", type = "date", personal = true, title = { zh = "日期", en = "date" } },
  { tag = "59", type = "an", length = 1, title = { zh = "标志", en = "flag" } },
]

[[application.file.records]]
number = 5
tag = "05"
type = "an"
length = 4
field = "card.version"
title = { zh = "版本", en = "version" }
vectors = [ { hex = "0504322E3030", value = "2.00" } ]

[[application.file]]
fid = "EF06"
kind = "cyclic"
count = 3
title = { zh = "记录", en = "log" }
source = "ours"
read = "free"
write = "free"
vectors = [ { hex = "4552494B53534F4E20260101", value = ["ERIKSSON", 2026-01-01] } ]
records = [
  { type = "an", length = 8, personal = true, title = { zh = "姓名", en = "name" } },
  { type = "date", title = { zh = "日期", en = "date" } },
]

[[application.file]]
fid = "EF07"
kind = "transparent"
size = 0x200
content = "photo"
personal = true
title = { zh = "照片", en = "photo" }
source = "ours"
read = "free"
write = "free"

[[application.file]]
fid = "EF08"
kind = "transparent"
size = 0x40
content = "raw"
title = { zh = "公开", en = "public" }
source = "ours"
read = "free"
write = "free"

[[application.file]]
fid = "EF09"
kind = "transparent"
size = 0x128
content = "permit-slot"
personal = true
title = { zh = "许可", en = "permit" }
source = "ours"
read = "free"
write = "free"

[[application.file]]
fid = "EF0A"
kind = "cyclic"
count = 2
title = { zh = "公开记录", en = "public log" }
source = "ours"
read = "free"
write = "free"
vectors = [ { hex = "20260101", value = [2026-01-01] } ]
records = [ { type = "date", title = { zh = "日期", en = "date" } } ]
"""

PUBLIC = b"\x01\x08OFFICE 1"
PERSONAL = b"\x02\x08" + NAME
SECRET = b"\x03\x08SECRET12"


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    path = tmp_path_factory.mktemp("profile") / "masking.toml"
    path.write_text(LAYOUT, "utf-8")
    return load_profile(path)


class Session:
    """A masker and what it made of the last exchange."""

    def __init__(self, *profiles: Profile, personal: bool = True) -> None:
        self.masker = Masker(profiles, personal=personal, key=KEY)
        self.command = self.data = b""

    def say(self, command: Command | str, data: bytes = b"", sw: int = 0x9000) -> bytes:
        """Pass an exchange through the masker; the masked response data."""
        raw = bytes.fromhex(command) if isinstance(command, str) else command.encode()
        masked, answer = self.masker.exchange(raw, data + sw.to_bytes(2))
        assert answer[-2:] == sw.to_bytes(2)
        assert (len(masked), len(answer) - 2) == (len(raw), len(data))
        assert masked[:4] == raw[:4]
        self.command, self.data = masked, answer[:-2]
        return self.data

    def enter(self, fid: int = 0xEF05) -> None:
        self.say(apdu.select_aid(AID))
        self.say(apdu.select_fid(fid))


@pytest.fixture
def session(profile: Profile) -> Session:
    return Session(profile)


def is_masked(data: bytes, head: bytes = b"\x02\x08") -> bool:
    value = data[len(head) :]
    return data.startswith(head) and value != NAME and value.isalpha() and value.isupper()


# Records


@pytest.mark.parametrize("command", [apdu.read_record(2), apdu.read_record(1), apdu.read_record_by_tag(2)])
def test_a_record_is_known_by_the_tag_that_comes_back(session: Session, command: Command) -> None:
    """By number, by the number of another card generation, or by tag."""
    session.enter()
    assert session.say(command, PUBLIC) == PUBLIC
    assert is_masked(session.say(command, PERSONAL))


def test_update_and_read_give_the_same_pseudonym(session: Session) -> None:
    """So that "write, read back, compare" holds in the masked trace as well."""
    session.enter()
    session.say(apdu.update_record(2, PERSONAL))
    written = session.command[5:]
    assert is_masked(written)
    assert session.say(apdu.read_record(2), PERSONAL) == written


def test_extended_update_is_masked_too(session: Session) -> None:
    session.enter()
    session.say(apdu.update_record(2, PERSONAL).encode(extended=True).hex())
    assert is_masked(session.command[7:])


@pytest.mark.parametrize("sfi", [5, 6])
def test_short_identifier_selects(session: Session, sfi: int) -> None:
    """SFI 5 is the linear file, 6 the cyclic one; it stays selected, but not after a refusal."""
    record = PERSONAL if sfi == 5 else NAME + bytes.fromhex("20260101")
    session.say(apdu.select_aid(AID))
    first = session.say(apdu.read_record(1, sfi=sfi), record)
    assert NAME not in first
    assert session.say(apdu.read_record(1), record) == first
    session.say(apdu.read_record(1, sfi=5), sw=0x6982)
    assert session.say(apdu.read_record(1), PUBLIC) != PUBLIC


def test_answers_behind_61xx_and_6cxx(session: Session) -> None:
    """The data belongs to the command before GET RESPONSE, also when its length is corrected on the way."""
    session.enter()
    plain = session.say(apdu.read_record(2), PERSONAL)
    session.say(apdu.read_record(2), sw=0x6C0A)
    assert session.say(apdu.read_record(2, 10), PERSONAL) == plain
    session.say(apdu.read_record(2), sw=0x610A)
    session.say(apdu.get_response(5), sw=0x6C0A)
    assert session.say(apdu.get_response(10), PERSONAL) == plain
    session.say(apdu.read_record(1), sw=0x610A)
    assert session.say(apdu.get_response(10), PUBLIC) == PUBLIC


def test_record_in_two_pieces(session: Session) -> None:
    """The second piece begins anywhere in a value, so all of it is masked."""
    session.enter()
    session.say(apdu.read_record(2, 5), PERSONAL[:5], 0x6105)
    assert NAME[:3] not in session.data
    assert session.say(apdu.get_response(5), PERSONAL[5:]).isalpha()
    assert NAME[3:] not in session.data


def test_record_cut_short(session: Session) -> None:
    """A reader that asks for fewer bytes than the record has gets a part of the value: masked."""
    session.enter()
    assert NAME[:4] not in session.say(apdu.read_record(2, 6), PERSONAL[:6])
    assert session.say(apdu.read_record(2, 1), b"\x02") != b""


def test_all_records_at_once(session: Session) -> None:
    """READ RECORD "from number 1 to the last" gives objects one after the other."""
    session.enter()
    data = session.say("00B2010500", PUBLIC + PERSONAL + PUBLIC)
    assert data[:10] == data[20:] == PUBLIC
    assert is_masked(data[10:20])


def test_list_part_by_part(session: Session) -> None:
    """Only the marked part of a list changes, and stays a date."""
    record = bytes.fromhex("400E5703414243580419740812590178")
    session.enter()
    masked = session.say(apdu.read_record(4), record)
    assert masked[:9] == record[:9]
    assert masked[13:] == record[13:]
    assert masked[9:13] != record[9:13]
    assert masked[9:13].hex().isdigit()


def test_list_with_another_structure(session: Session) -> None:
    """An unknown part is masked, and so is a value that is no list."""
    session.enter()
    masked = session.say(apdu.read_record(4), b"\x40\x0f\x57\x03ABC\x77\x08" + NAME)
    assert masked.startswith(b"\x40\x0f\x57\x03ABC\x77\x08")
    assert NAME not in masked
    assert NAME not in session.say(apdu.read_record(4), b"\x40\x08" + NAME)


def test_blank_records_stay_blank(session: Session) -> None:
    session.enter()
    for record in (b"\x02\x08" + b"\xff" * 8, b"\x02\x08" + bytes(8)):
        assert session.say(apdu.read_record(2), record) == record


def test_unknown_tag(session: Session) -> None:
    """A tag that the profile does not know keeps tag and length; what is no TLV keeps nothing."""
    session.enter()
    assert is_masked(session.say(apdu.read_record(9), b"\x77\x08" + NAME), b"\x77\x08")
    assert NAME not in session.say(apdu.read_record(9), b"\x77" + NAME)


def test_cyclic_rows(session: Session) -> None:
    """Fields without tags; one or several rows, and a row of another length."""
    row = NAME + bytes.fromhex("20260101")
    session.enter(0xEF06)
    masked = session.say(apdu.read_record(1), row)
    assert NAME not in masked
    assert masked[8:].hex().isdigit()
    assert session.say("00B2010500", row * 2) == masked * 2
    session.say(apdu.append_record(row))
    assert session.command[5:] == masked
    assert NAME not in session.say(apdu.read_record(1), row + b"\x00")
    session.say(apdu.select_fid(0xEF0A))
    assert session.say(apdu.read_record(1), row[8:]) == row[8:]


# Transparent files


def test_photo_keeps_its_length_prefix(session: Session) -> None:
    """The reader needs the length to go on; the picture itself is gone, read or written, in whatever pieces."""
    photo = b"\x01\x00" + bytes(range(1, 251)) + b"\xff" * 20
    session.enter(0xEF07)
    whole = session.say(apdu.read_binary(0), photo[:256])
    assert whole[:2] == photo[:2]
    assert whole[252:] == photo[252:256]
    assert not any(photo[at : at + 4] in whole for at in range(2, 248))
    pieces = session.say(apdu.read_binary(0, 100), photo[:100]) + session.say(
        apdu.read_binary(100, 156), photo[100:256]
    )
    assert pieces == whole
    session.say(apdu.update_binary(2, photo[2:100]))
    assert session.command[5:] == whole[2:100]
    session.say(apdu.read_binary(0), sw=0x6110)
    assert session.say(apdu.get_response(16), photo[:16], 0x6110) == whole[:16]
    assert session.say(apdu.get_response(16), photo[16:32]) == whole[16:32]
    assert session.say(apdu.read_binary(100, 50, sfi=7), photo[100:150]) == whole[100:150]


def test_impossible_photo_length_is_masked(session: Session) -> None:
    session.enter(0xEF07)
    assert session.say(apdu.read_binary(0, 4), b"\x7f\xff\x11\x12")[:2] != b"\x7f\xff"


def test_permit_slot_keeps_form_and_length(session: Session) -> None:
    """Of the header all but the checksum stays; a file without header is masked from its first byte."""
    header = bytes.fromhex("4A590100000000010010000012345678")
    session.enter(0xEF09)
    masked = session.say(apdu.read_binary(0, 16), header)
    assert masked[:12] == header[:12]
    assert masked[12:] != header[12:]
    assert session.say(apdu.read_binary(0, 16), bytes(range(1, 17)))[:12] != bytes(range(1, 13))
    assert session.say(apdu.read_binary(0, 8), header[:8]) != header[:8]


def test_public_file_stays(session: Session) -> None:
    session.enter(0xEF08)
    assert session.say(apdu.read_binary(0), b"opening hours") == b"opening hours"


def test_command_that_does_not_suit_the_file(session: Session) -> None:
    """Records of a transparent file, bytes of a record file: nothing is known about such data."""
    session.enter(0xEF08)
    assert session.say(apdu.read_record(1), PUBLIC)[2:] != PUBLIC[2:]
    session.enter(0xEF05)
    assert session.say(apdu.read_binary(0), PUBLIC)[2:] != PUBLIC[2:]


# Where the card is


def place_is_known(session: Session) -> bool:
    """Whether a public record passes in plain; the personal one never does."""
    assert NAME not in session.say(apdu.read_record(2), PERSONAL)
    return session.say(apdu.read_record(1), PUBLIC) == PUBLIC


@pytest.mark.parametrize(
    ("commands", "known"),
    [
        ([], False),
        (["00A4000002EF05"], False),
        (["00A4040005F04A590001", "00A4000002EF05"], True),
        (["00A4040005F04A590001", "00A4020C02EF05"], True),
        (["00A4000002DF01", "00A4000002EF05"], True),
        (["00A4010002DF01", "00A4000002EF05"], True),
        (["00A4040005F04A590001"], False),
        (["00A4040005F04A590002", "00A4000002EF05"], False),
        (["00A4040005F04A590001", "00A4040005F04A590002", "00A4000002EF05"], False),
        (["00A4040003F04A59", "00A4000002EF05"], False),
        (["00A4040205F04A590001", "00A4000002EF05"], False),
        (["00A4040005F04A590001", "00A4000002EF77"], False),
        (["00A4040005F04A590001", "00A4000002EF77", "00A4000002EF05"], True),
        (["00A4040005F04A590001", "00A4000002DF09", "00A4000002EF05"], False),
        (["00A4040005F04A590001", "00A40000023F00", "00A4000002EF05"], False),
        (["00A4040005F04A590001", "00A40000", "00A4000002EF05"], False),
        (["00A4040005F04A590001", "00A40300", "00A4000002EF05"], False),
        (["00A4040005F04A590001", "00A4080004DF01EF05"], False),
        (["04A4040005F04A590001", "00A4000002EF05"], False),
        (["80A4040005F04A590001", "00A4000002EF05"], False),
        (["01A4040005F04A590001", "01A4000002EF05"], False),
        (["41A4040005F04A590001", "41A4000002EF05"], False),
    ],
)
def test_selection(session: Session, commands: list[str], known: bool) -> None:
    """Only a selection that leads to a known file makes its public records readable in the trace."""
    for command in commands:
        session.say(command)
    assert place_is_known(session) == known


def test_logical_channels_have_their_own_selection(session: Session) -> None:
    session.enter()
    session.say("01A4040005F04A590001")
    session.say("01A4000002EF08")
    assert session.say("01B0000000", b"public") == b"public"
    assert place_is_known(session)
    session.say("45A4040005F04A590001")
    session.say("45A4000002EF05")
    assert session.say("45B2010400", PUBLIC) == PUBLIC


@pytest.mark.parametrize("sw", [0x6A82, 0x6C10])
def test_refused_selection(session: Session, sw: int) -> None:
    """The application stays, the file is not trusted any more."""
    session.enter()
    session.say(apdu.select_fid(0xEF08), sw=sw)
    assert not place_is_known(session)
    session.say(apdu.select_fid(0xEF05), sw=0x6120)
    assert place_is_known(session)


def test_the_version_of_the_card_decides() -> None:
    """Tag 37 of DF01/EF0A is a wage on v1 and a nationality later; before the version is known both are masked."""
    session = Session(*(load_profile(name) for name in ("ssc-v1", "ssc-v2", "ssc-v3")))
    ssse = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
    session.say(apdu.select_aid(ssse))
    session.say(apdu.select_fid(0xEF05))
    version = bytes.fromhex("0304312E3030")
    assert session.say(apdu.read_record(3), version) == version
    session.say(apdu.select_fid(0xDF01))
    session.say(apdu.select_fid(0xEF0A))
    wage = session.say(apdu.read_record(1), bytes.fromhex("37040001E240"))
    assert wage[:3] == bytes.fromhex("370400")
    assert wage[3:] != bytes.fromhex("01E240")
    session.say(apdu.select_fid(0xEF16))
    assert session.say(apdu.read_binary(0, 4), b"\x01\x02\x03\x04") != b"\x01\x02\x03\x04"


def test_a_version_without_profile_changes_nothing(session: Session) -> None:
    session.enter()
    assert session.say(apdu.read_record(5), b"\x05\x049.00") == b"\x05\x049.00"
    assert place_is_known(session)


# Commands without a place


@pytest.mark.parametrize("ins", ["20", "24", "2C", "5E", "D4", "82", "88"])
@pytest.mark.parametrize("cla", ["00", "80", "84", "04"])
@pytest.mark.parametrize("personal", [True, False])
def test_secrets_are_always_blank(profile: Profile, ins: str, cla: str, personal: bool) -> None:
    """PINs, keys and cryptograms become zeros in command and answer, even when masking is off."""
    session = Session(profile, personal=personal)
    session.say(f"{cla}{ins}000003123456")
    assert session.command == bytes.fromhex(f"{cla}{ins}000003000000")
    session.say(f"{cla}{ins}00100400000001", b"\x11\x22\x33", 0x9000)
    assert session.data == bytes(3)
    session.masker.exchange(bytes.fromhex(f"{cla}{ins}0000"), b"\x61\x08")
    assert session.say(apdu.get_response(8), b"CRYPTOGR") == bytes(8)


def test_secret_in_a_malformed_command(session: Session) -> None:
    session.say("0020000008123456")
    assert session.command == bytes.fromhex("00200000") + bytes(4)


@pytest.mark.parametrize(
    "command", ["00CB3FFF", "80CA9F17", "BFDE4700", "80B20104", "04B00000", "0CB20204", "60B20204", "002A0000"]
)
def test_other_commands_are_masked_both_ways(session: Session, command: str) -> None:
    """Proprietary commands and secure messaging: the masker does not know what they carry."""
    session.enter()
    session.say(f"{command}08{NAME.hex()}00", NAME)
    assert NAME not in session.command + session.data


@pytest.mark.parametrize("command", ["04DC0104", "84DC0104", "84D60000", "0CD60000", "84160000"])
@pytest.mark.parametrize("personal", [True, False])
def test_what_is_under_secure_messaging_is_blank(profile: Profile, command: str, personal: bool) -> None:
    """Enciphered data and MACs, also of files that are free to read."""
    session = Session(profile, personal=personal)
    session.enter()
    session.say(f"{command}08{NAME.hex()}", b"ANSWER")
    assert session.command == bytes.fromhex(f"{command}08") + bytes(8)
    assert session.data == bytes(6)


@pytest.mark.parametrize(
    ("command", "looked_for"),
    [
        ("0020000003123456", "0020000003000000"),
        ("0088000010" + "11" * 16 + "08", "0088000010" + "00" * 16 + "08"),
        ("84D40183" + "24" + "AA" * 36, "84D40183" + "24" + "00" * 36),
        ("04DC01040A" + "BB" * 10, "04DC01040A" + "00" * 10),
        ("00D60000000003112233", None),
        ("002000000000031122330000", "002000000000030000000000"),
        ("0020000010112233", "0020000000000000"),
        ("00200000", "00200000"),
        ("0082000000", "0082000000"),
        ("00B2010400", None),
        ("0084000008", None),
        ("0020", None),
        ("", None),
    ],
)
def test_a_command_whose_data_no_trace_holds_is_looked_for_by_its_shape(command: str, looked_for: str | None) -> None:
    found = shape(bytes.fromhex(command))
    assert (found.hex().upper() if found is not None else None) == looked_for


@given(st.binary(max_size=300))
def test_the_shape_of_a_masked_command_is_that_of_the_command(raw: bytes) -> None:
    masked, _ = Masker([]).exchange(raw, b"\x90\x00")
    if (found := shape(raw)) is not None:
        assert shape(masked) == found
        assert len(found) == len(raw)


def test_chained_command_is_masked_in_every_block(session: Session) -> None:
    session.enter()
    for command in ("10DC0204", "00DC0204"):
        session.say(f"{command}08{NAME.hex()}")
        assert NAME not in session.command
    assert place_is_known(session)


@pytest.mark.parametrize("raw", ["", "00", "00B2", "00B2010405010203", "FFFFFFFFFFFFFF"])
def test_bytes_that_are_no_command(session: Session, raw: str) -> None:
    session.enter()
    masked, answer = session.masker.exchange(bytes.fromhex(raw), NAME + b"\x90\x00")
    assert len(masked) == len(raw) // 2
    assert NAME not in answer
    assert answer[-2:] == b"\x90\x00"


@pytest.mark.parametrize("answer", [b"", b"\x90"])
def test_answers_without_status_word_pass(session: Session, answer: bytes) -> None:
    assert session.masker.exchange(apdu.read_record(1).encode(), answer)[1] == answer


def test_get_response_out_of_the_blue(session: Session) -> None:
    assert NAME not in session.say(apdu.get_response(8), NAME)


@given(raw=st.binary(max_size=30), answer=st.binary(max_size=30))
def test_any_exchange_keeps_lengths_and_status(raw: bytes, answer: bytes) -> None:
    masker = Masker([load_profile("ssc-v2")], key=KEY)
    for _ in range(2):
        masked, shown = masker.exchange(raw, answer)
        assert (len(masked), len(shown)) == (len(raw), len(answer))
        assert shown[-2:] == answer[-2:]


def test_unmasked_recording_hides_secrets_only(profile: Profile) -> None:
    session = Session(profile, personal=False)
    session.enter()
    assert session.say(apdu.read_record(2), PERSONAL) == PERSONAL
    assert session.say(apdu.read_record(9), b"\x77\x01A") == b"\x77\x01A"
    assert b"SECRET12" not in session.say(apdu.read_record(3), SECRET)
    session.say(apdu.select_fid(0xEF07), b"\x6f\x03\xc1\x01\x55")
    assert session.data == b"\x6f\x03\xc1\x01\x55"
    assert session.say(apdu.read_binary(0), b"photo") == b"photo"
    assert session.say("80CA000000", NAME) == NAME
    assert session.say("00CA000000", NAME) == NAME
    assert session.masker.atr(bytes.fromhex("3B6404AABBCCDD")) == bytes.fromhex("3B6404AABBCCDD")


# File control information


@pytest.mark.parametrize(
    ("fci", "kept"),
    [
        ("6F0C8405F04A590001A5038801", ""),
        ("6F0C8405F04A590001A503880115", "6F0C8405F04A590001A503880115"),
        ("6F819F", ""),
        ("6F81108405F04A590001A5079F0C0486034142", "6F81108405F04A590001A5079F0C048603"),
        ("6F0A50084552494B53534F4E", "6F0A5008"),
        ("C1104552494B53534F4E4552494B53534F4E", "C110"),
        ("6F8201", ""),
        ("6F", ""),
        ("BF", ""),
        ("9F6E084552494B53534F4E", "9F6E08"),
    ],
)
def test_control_information(session: Session, fci: str, kept: str) -> None:
    """Names, identifiers and sizes stay, the algorithm in 9F0C too; every other value is masked."""
    raw = bytes.fromhex(fci)
    masked = session.say(apdu.select_aid(AID), raw)
    assert masked.startswith(bytes.fromhex(kept))
    assert (masked == raw) == (len(kept) == len(fci))
    assert NAME not in masked


def test_control_information_in_pieces(session: Session) -> None:
    """The first piece is cut inside an object, the second begins there: what is not whole is masked."""
    session.say(apdu.select_aid(AID), b"\x6f\x0a\x50\x08ERI", 0x6105)
    assert session.say(apdu.get_response(5), b"KSSON") != b"KSSON"


# ATR


@pytest.mark.parametrize(
    ("atr", "head", "tail"),
    [
        ("3B6D000000814E43238697159900BF7C7A", 13, 0),  # T=0 with TB1 and TC1: the pattern of SSC cards
        ("3B8D8001" + "00814E43238697159900BF7C7A" + "00", 13, 1),  # T=1 (contactless): TCK
        ("3B021450", 2, 0),  # two historical bytes only
        ("3BED00008101" + "00814E43238697159900BF7C7A" + "00", 15, 1),  # TD1, TD2
        ("3B9D0000" + "00814E43238697159900BF7C7A", 13, 0),
    ],
)
def test_atr_loses_its_serial(session: Session, atr: str, head: int, tail: int) -> None:
    """The last four historical bytes change; a check byte is computed anew, so that the ATR stays valid."""
    raw = bytes.fromhex(atr)
    if tail:
        raw = raw[:-1] + bytes((check(raw[1:-1]),))
    masked = session.masker.atr(raw)
    assert len(masked) == len(raw)
    assert masked[:head] == raw[:head]
    assert masked != raw
    assert bytes.fromhex("BF7C7A") not in masked
    assert not tail or check(masked[1:]) == 0


def check(data: bytes) -> int:
    """Exclusive or of all bytes."""
    total = 0
    for byte in data:
        total ^= byte
    return total


@pytest.mark.parametrize("atr", ["", "3B", "3B6D", "3BFF111111", "3B0400112233445566"])
def test_atr_that_cannot_be_read_is_masked_as_a_whole(session: Session, atr: str) -> None:
    raw = bytes.fromhex(atr)
    masked = session.masker.atr(raw)
    assert len(masked) == len(raw)
    assert masked[:2] == raw[:2]
    assert masked[2:] != raw[2:] or len(raw) <= 2


def test_atr_without_historical_bytes_stays(session: Session) -> None:
    assert session.masker.atr(b"\x3b\x00") == b"\x3b\x00"
