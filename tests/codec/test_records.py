"""Records, rows and files: round trips for everything that the profiles declare, and nothing is lost."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from juying.codec.profile import File, FileKind, Item, Record, load_profile
from juying.errors import DecodeError, InputError
from tests.codec.samples import PROFILES, SMALL, contents, record_contents, records, write

RECORDS = [
    pytest.param(record, id=f"{profile.name} {file.address} {record.tag:02X}") for profile, file, record in records()
]
CYCLIC = [
    pytest.param(file, id=f"{profile.name} {file.address}")
    for profile in PROFILES
    for file in profile.files
    if file.kind is FileKind.CYCLIC
]
V2 = load_profile("ssc-v2")
CERTIFICATES = V2.file("DF02/EF05")


@pytest.mark.parametrize("record", RECORDS)
@settings(max_examples=15)
@given(data=st.data())
def test_record_round_trip(record: Record, data: st.DataObject) -> None:
    content = data.draw(record_contents(record))
    raw = record.encode(content)
    tag = record.tag or 0
    head = tag.to_bytes(2 if tag > 0xFF else 1) + bytes((record.length,))
    assert raw[: len(head)] == head
    assert len(raw) == len(head) + record.length
    assert record.decode(raw) == content


@pytest.mark.parametrize("file", CYCLIC)
@settings(max_examples=15)
@given(data=st.data())
def test_row_round_trip(file: File, data: st.DataObject) -> None:
    row = data.draw(st.tuples(*(contents(column.type, column.length) for column in file.records)))
    raw = file.encode_row(row)
    assert len(raw) == file.record_length
    assert file.decode_row(raw) == row


@given(st.lists(st.binary(max_size=260), max_size=6), st.sampled_from([f for p in PROFILES for f in p.files]))
def test_any_records_decode_without_error_and_keep_their_bytes(raws: list[bytes], file: File) -> None:
    """What a card returns never raises: each record has content, or a problem, or is unknown."""
    items = file.decode_records(raws)
    assert [item.raw for item in items] == raws
    assert all(item.problem is None or item.content is None for item in items)


def test_records_are_told_by_tag_and_unknown_ones_survive() -> None:
    holder = V2.file("SSSE/EF06")
    sex, name = holder.record(0x0A), holder.record(0x09)
    assert sex
    assert name
    unknown = bytes.fromhex("D1024142")
    items = holder.decode_records([sex.encode("2"), unknown, name.encode("ERIKSSON ANNA MARIA"), b"", b"\xff" * 32])
    assert [item.record for item in items] == [sex, None, name, None, None]
    assert [item.content for item in items] == ["2", None, "ERIKSSON ANNA MARIA", None, None]
    assert [item.record.encode(item.content) if item.record else item.raw for item in items] == [
        item.raw for item in items
    ]
    assert items[1].raw == unknown


def test_unreadable_record_is_a_problem_that_names_its_place_and_not_its_content() -> None:
    item = V2.file("SSSE/EF06").decode_records([bytes.fromhex("0D0419749999")])[0]
    assert item.content is None
    assert item.record is not None
    assert isinstance(item.problem, DecodeError)
    assert item.problem.where == "SSSE/EF06 0D 出生日期"
    assert "9999" not in str(item.problem)
    assert repr(item) == "Item(tag=0D)"


def test_item_hides_its_content() -> None:
    assert "ANNA" not in repr(Item(b"\x09\x04ANNA", None, "ANNA"))


@pytest.mark.parametrize("raw", ["", "0A", "0A0131", "0D0519740812", "0D041974081200", "0D04197408"])
def test_another_record_or_length_is_a_decode_error(raw: str) -> None:
    birth_date = V2.file("SSSE/EF06").record(0x0D)
    assert birth_date
    with pytest.raises(DecodeError, match=r"0D 出生日期.*tag or length"):
        birth_date.decode(bytes.fromhex(raw))


def test_list_record() -> None:
    certificate = CERTIFICATES.record(0x43)
    assert certificate
    assert certificate.repeat == 2
    assert certificate.length == 0x6C
    content = ("1234567", "3", "样本职业技能鉴定中心", dt.date(2013, 6, 30), "X1")
    raw = certificate.encode(content)
    assert raw[:4] == bytes.fromhex("436C5A07")
    assert len(raw) == 2 + 0x6C
    assert certificate.decode(raw) == content
    partly = (None, "3", None, None, None)
    assert certificate.decode(certificate.encode(partly)) == partly
    for filling in (b"\xff", b"\x00"):
        assert certificate.decode(b"\x43\x6c" + filling * 0x6C) is None
    assert certificate.encode(None) == certificate.blank == b"\x43\x6c" + b"\xff" * 0x6C


def test_list_record_with_other_structure_is_a_decode_error() -> None:
    certificate = CERTIFICATES.record(0x43)
    assert certificate
    raw = certificate.encode((None,) * 5)
    for place, value in ((2, 0x5B), (3, 0x08), (3, 0x00), (2, 0x00), (3, 0xFF)):
        with pytest.raises(DecodeError, match="43 职业资格证书"):
            certificate.decode(raw[:place] + bytes([value]) + raw[place + 1 :])
    bad_date = raw.replace(b"\x5d\x04\xff\xff\xff\xff", b"\x5d\x04\x20\x13\x13\x01")
    with pytest.raises(DecodeError, match=r"43 职业资格证书.*date"):
        certificate.decode(bad_date)


@pytest.mark.parametrize("content", [("1",), "1", ["1", "3", None, None, None], ("1", "3", None, "2013-06-30", None)])
def test_list_record_refuses_other_contents(content: object) -> None:
    certificate = CERTIFICATES.record(0x43)
    assert certificate
    with pytest.raises(InputError) as caught:
        certificate.encode(content)
    assert caught.value.where.startswith("43 职业资格证书")
    if isinstance(content, tuple) and len(content) == 5:
        assert caught.value.where.endswith("5D 发证日期")


def test_errors_in_a_row_name_the_column() -> None:
    history = V2.file("DF02/EF07")
    row = ("2020101", dt.date(2023, 1, 20), None, "样本")
    raw = history.encode_row(row)
    assert history.decode_row(raw) == row
    with pytest.raises(DecodeError, match="DF02/EF07 起始日期"):
        history.decode_row(raw[:7] + b"\x20\x23\x99\x99" + raw[11:])
    with pytest.raises(InputError, match="DF02/EF07 终止日期"):
        history.encode_row((*row[:2], "today", row[3]))
    with pytest.raises(DecodeError, match=r"DF02/EF07.*length"):
        history.decode_row(raw[1:])
    with pytest.raises(InputError, match=r"DF02/EF07.*4 values"):
        history.encode_row(row[:3])


def test_blank_files() -> None:
    """A card never written: records with their tags and FF, no rows, FF bytes; all of it reads as nothing."""
    assert V2.file("SSSE/EF08").blank == (b"\xff" * 0x1000,)
    assert V2.file("DF04/EF08").blank == ()
    blank = CERTIFICATES.blank
    assert [raw[0] for raw in blank] == [0x42, 0x41, 0x43, 0x43, 0x44, 0x44]
    assert len(CERTIFICATES.slots) == 6
    assert CERTIFICATES.slots[3].tag == 0x43
    for profile in PROFILES:
        for file in profile.files:
            if file.kind is FileKind.LINEAR:
                assert {item.content for item in file.decode_records(file.blank)} == {None}


def test_lookups() -> None:
    assert V2.file("SSSE/EF05") is V2.file("sssEef05") is V2.application("SSSE").files[0]
    assert V2.file("DF01/EF1A").sfi == 0x1A
    assert V2.application_by_aid(bytes.fromhex("D15600000503")) is V2.application("DF04")
    assert V2.application_by_aid(b"\xa0") is None
    with pytest.raises(InputError, match=r"ssc-v2.*no file SSSE/EF15 \("):
        V2.file("SSSE/EF15")
    with pytest.raises(InputError, match=r"no application DF08 \(DF0"):
        V2.application("DF08")
    names = [(file.address, record.tag if record else None) for file, record in V2.by_field("holder.registered_name")]
    assert names == [("SSSE/EF06", 0x09), ("SSSE/EF06", 0x4E)]
    assert [(file.address, record) for file, record in V2.by_field("holder.photo")] == [("SSSE/EF08", None)]
    assert V2.by_field("holder.shoe_size") == ()
    assert {"card.number", "holder.photo", "permit.record"} <= set(V2.fields())


def test_natural_lengths(tmp_path) -> None:
    """Types of one length and lists need none stated."""
    file = load_profile(write(tmp_path, SMALL)).file("SSSE/EF05")
    assert [record.length for record in file.records] == [8, 4, 9]
    assert [part.length for part in file.records[2].parts] == [1, 4]
