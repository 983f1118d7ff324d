"""What differs between the three generations of the card, as the sources tell it."""

import pytest

from juying.codec.fields import FieldType
from juying.codec.profile import FileKind, load_profile, profile_names

V1, V2, V3 = (load_profile(name) for name in ("ssc-v1", "ssc-v2", "ssc-v3"))


def test_names_and_versions() -> None:
    assert profile_names() == ("ssc-v1", "ssc-v2", "ssc-v3", "tunion")
    assert [profile.version for profile in (V1, V2, V3)] == ["1.00", "2.00", "3.00"]
    for profile in (V1, V2, V3):
        record = profile.file("SSSE/EF05").record(0x03)
        assert record
        assert record.decode(record.encode(profile.version)) == profile.version


def test_tag_37_is_a_wage_first_and_the_nationality_later() -> None:
    raw = bytes.fromhex("3703555450")
    wage, nationality = V1.file("DF01/EF0A").record(0x37), V2.file("DF01/EF0A").record(0x37)
    assert wage
    assert nationality
    assert (wage.type, wage.length, wage.field) == (FieldType.AMOUNT, 4, "")
    assert (nationality.type, nationality.length, nationality.field) == (FieldType.TEXT, 3, "holder.nationality")
    assert nationality.decode(raw) == "UTP"
    item = V1.file("DF01/EF0A").decode_records([raw])[0]
    assert item.content is None
    assert item.problem is not None


def test_continued_name_shifts_the_record_numbers() -> None:
    """V1 has no tag 4E, so sex is record 3 there and record 4 later."""
    tags = [record.tag for record in V1.file("SSSE/EF06").records]
    assert tags == [0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D]
    for profile in (V2, V3):
        assert [record.tag for record in profile.file("SSSE/EF06").records] == [*tags[:2], 0x4E, *tags[2:]]
        continued = profile.file("SSSE/EF06").record(0x4E)
        assert continued
        assert continued.continues == 0x09
        assert continued.length == 20
    numbers = {
        profile.name: record.number for profile in (V1, V2) if (record := profile.file("SSSE/EF06").record(0x0A))
    }
    assert numbers == {"ssc-v1": 3, "ssc-v2": 4}


def test_files_of_each_generation() -> None:
    v1, v2, v3 = ({file.address for file in profile.files} for profile in (V1, V2, V3))
    assert v2 == v3
    assert "SSSE/EF08" in v2 - v1
    assert {f"DF01/EF{number}" for number in ("16", "17", "18", "19", "1A")} <= v2 - v1
    assert {"DF02/EF08"} <= v1 - v2
    assert {file.application for file in V2.files} == {"SSSE", "DF01", "DF02", "DF03", "DF04", "DF07"}
    assert V1.file("DF04/EF08").count == 10
    assert V2.file("DF04/EF08").count == 30


@pytest.mark.parametrize(
    ("address", "length", "count"), [("DF02/EF07", 0x55, 4), ("DF02/EF16", 0x12, 4), ("DF04/EF08", 0x1C, 30)]
)
def test_cyclic_files_have_the_lengths_of_the_sources(address: str, length: int, count: int) -> None:
    file = V2.file(address)
    assert file.kind is FileKind.CYCLIC
    assert (file.record_length, file.count) == (length, count)


@pytest.mark.parametrize(
    ("address", "tag", "length"),
    [
        ("DF01/EF15", 64, 52),
        ("DF02/EF05", 67, 108),
        ("DF02/EF05", 68, 101),
        ("DF02/EF15", 153, 16),
        ("DF03/EF06", 74, 97),
        ("DF03/EF19", 121, 39),
    ],
)
def test_list_records_have_the_lengths_of_the_sources(address: str, tag: int, length: int) -> None:
    record = V2.file(address).record(tag)
    assert record
    assert record.type is FieldType.LIST
    assert record.length == length


def test_third_generation_asks_for_the_read_key() -> None:
    """Only card number, social security number and name are read under a key; everything else is as in V2."""
    differing = {
        (one.address, before.tag)
        for one, two in zip(V2.files, V3.files, strict=True)
        for before, after in zip(one.records, two.records, strict=True)
        if before.read != after.read
    }
    assert differing == {("SSSE/EF05", 0x07), ("SSSE/EF06", 0x08), ("SSSE/EF06", 0x09), ("SSSE/EF06", 0x4E)}
    assert (V2.protocol, V3.protocol) == ("T=0", "T=1")
    for one, two in zip(V2.files, V3.files, strict=True):
        assert one.blank == two.blank
        assert (one.read, one.write) == (two.read, two.write)


def test_personal_data_is_marked() -> None:
    """Whatever connects to the holder, the employer or the permit is personal."""
    for profile in (V1, V2, V3):
        for name in profile.fields():
            if not name.startswith("card."):
                assert all((record or file).personal for file, record in profile.by_field(name)), name
