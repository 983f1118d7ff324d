"""The profile ``tunion``: what the sheet says of the files, and the forms that it alone uses."""

from pathlib import Path

import pytest

from juying.card.virtual.card import VirtualCard
from juying.codec.profile import load_profile
from juying.codec.spec import FileKind
from juying.codec.tunion import layout
from juying.errors import InputError, ProfileError
from tests.codec.samples import line_of, write
from tests.transit.cards import SERIAL, blank

SOURCE = Path(__file__).parents[2] / "juying/codec/profiles/tunion.toml"
TUNION = load_profile("tunion")


@pytest.mark.parametrize(
    ("address", "sfi", "kind", "size", "read", "write_rule"),
    [
        ("TUNION/0015", 0x15, FileKind.TRANSPARENT, 30, "free", "mac:DAMK"),
        ("TUNION/0016", 0x16, FileKind.TRANSPARENT, 55, "free", "mac:DAMK"),
        ("TUNION/0017", 0x17, FileKind.TRANSPARENT, 60, "free", "mac:DAMK"),
        ("TUNION/0018", 0x18, FileKind.CYCLIC, 10 * 23, "free", "debit"),
        ("TUNION/001E", 0x1E, FileKind.CYCLIC, 30 * 48, "free", "debit"),
        ("TUNION/001A", 0x1A, FileKind.LINEAR, 12 * 128 + 112 + 30, "free", "debit"),
        ("TUNION/0002", 0x02, FileKind.TRANSPARENT, 41, "never", "never"),
    ],
)
def test_files(address: str, sfi: int, kind: FileKind, size: int, read: str, write_rule: str) -> None:
    file = TUNION.file(address)
    assert (file.sfi, file.kind, file.read, file.write) == (sfi, kind, read, write_rule)
    whole = file.size or file.count * file.record_length or sum(len(record.blank) for record in file.slots)
    assert whole == size


@pytest.mark.parametrize(
    ("address", "name", "place"),
    [
        ("TUNION/0015", "enabled_flag", 9),
        ("TUNION/0015", "serial", 10),
        ("TUNION/0015", "valid_until", 24),
        ("TUNION/0016", "holder.name", 2),
        ("TUNION/0016", "holder.document_number", 22),
        ("TUNION/0017", "interoperable", 8),
        ("TUNION/0017", "kind", 10),
        ("TUNION/0018", "transaction.type", 9),
        ("TUNION/0018", "transaction.date", 16),
        ("TUNION/001E", "trip.industry", 9),
        ("TUNION/001E", "trip.amount", 17),
        ("TUNION/001E", "trip.time", 25),
        ("TUNION/001E", "trip.organisation", 34),
    ],
)
def test_places(address: str, name: str, place: int) -> None:
    file = TUNION.file(address)
    fields = {
        record.field.removeprefix("transit."): start for record, start in zip(file.records, file.places, strict=True)
    }
    assert fields[name] == place


@pytest.mark.parametrize(
    ("tag", "name", "place"),
    [
        (0x2701, "state", 14),
        (0x2701, "in.stop", 35),
        (0x2701, "in.time", 67),
        (0x2701, "marked", 81),
        (0x2702, "in.vehicle", 30),
        (0x2702, "in.time", 46),
        (0x2702, "direction", 57),
        (0x2702, "out.time", 89),
        (0x2702, "amount", 96),
        (0x2702, "mileage", 100),
    ],
)
def test_places_in_the_records_of_1a(tag: int, name: str, place: int) -> None:
    record = TUNION.file("TUNION/001A").record(tag)
    assert record is not None
    before = 3
    for part in record.parts:
        if part.field == f"transit.ride.{name}":
            break
        before += part.length
    assert before == place


def test_record_numbers_of_1a_are_in_the_identifiers() -> None:
    file = TUNION.file("TUNION/001A")
    assert [record.tag for record in file.records] == [0x2700 + number for number in range(1, 15)]
    assert file.identify(b"\x27\x02\x7d") is file.record(0x2702)
    assert file.identify(b"\x27") is None
    assert file.identify(b"") is None


def test_whatever_tells_of_a_person_is_marked() -> None:
    assert TUNION.file("TUNION/0016").personal
    assert TUNION.file("TUNION/0018").personal
    assert TUNION.file("TUNION/001E").personal
    assert [record.field for record in TUNION.file("TUNION/0015").records if record.personal] == ["transit.serial"]
    record = TUNION.file("TUNION/001A").record(0x2702)
    assert record is not None
    open_parts = {part.field.removeprefix("transit.ride.") for part in record.parts if not part.personal}
    assert open_parts == {"valid", "mode", "locked", "state", "marked", "amount", "direction", "mileage"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size = 30", "size = 31", "the sum of the lengths"),
        ('size = 30\ncontent = "fields"', 'size = 30\ncontent = "raw"', "records and vectors"),
        ('tag = "270E"', 'tag = "FF00"', "identifier of two bytes"),
        (
            '{ type = "b", length = 1, title = { zh = "交易类型标识"',
            '{ number = 1, type = "b", length = 1, title = { zh = "交易类型标识"',
            "neither tag, number",
        ),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = SOURCE.read_text("utf-8")
    assert text.count(old) == 1
    with pytest.raises(ProfileError, match=message) as error:
        load_profile(write(tmp_path, text.replace(old, new)))
    assert "own.toml:" in error.value.where
    assert line_of(text, old.partition("\n")[0]) > 1


def test_parts_have_tags_or_none_has(tmp_path: Path) -> None:
    text = SOURCE.read_text("utf-8")
    part = '{ type = "dec", title = { zh = "最大消费金额"'
    assert text.count(part) == 1
    with pytest.raises(ProfileError, match="or none has"):
        load_profile(write(tmp_path, text.replace(part, part.replace("{ type", '{ tag = "01", type', 1))))


def test_a_chip_carries_the_application_beside_its_own() -> None:
    both = layout.with_transit(load_profile("ssc-v3"))
    assert [application.name for application in both.applications][-2:] == ["PPSE", "TUNION"]
    assert both.name == "ssc-v3"
    assert both.file("SSSE/EF05").address == "SSSE/EF05"
    assert layout.with_transit(both) is both
    assert layout.with_transit(TUNION) is TUNION
    assert "TUNION" not in {application.name for application in load_profile("ssc-v3").applications}


@pytest.mark.parametrize("number", ["310488049900000000", "31048804990000000xx", "३१०४८८०४९९००००००००१"])
def test_card_numbers_that_cannot_be(number: str) -> None:
    with pytest.raises(InputError, match="19"):
        blank(card_number=number)


def test_balances_that_cannot_be() -> None:
    with pytest.raises(InputError, match="800"):
        blank(balance_fen=-801, overdraft_limit_fen=800)


def test_the_rest_of_the_chip_is_as_without() -> None:
    plain = VirtualCard.blank(load_profile("ssc-v3"), serial=SERIAL)
    card = blank("ssc-v3")
    own = {address: card.memory.files[address] for address in card.memory.files if not address.startswith("TUNION/")}
    assert own == plain.memory.files
    card.power_on()
    assert card.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))[-2:] == b"\x90\x00"
    listed = b"".join(card.transmit(bytes((0x00, 0xB2, number, 0x5C, 0x00))) for number in range(1, 8))
    assert bytes.fromhex("4F08A000000632010105") in listed
    assert b"2PAY" not in listed
