"""A card as read: signature, verdict, contradictions, and every record explained."""

from dataclasses import replace
from datetime import timedelta

import pytest

from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.codec.permit_slots import Form, encode_slot
from juying.codec.profile import Profile, load_profile
from juying.credential.trust import TrustList
from juying.issuance.office import Office, issue_card, sign_permit
from juying.services.reading import Reading, Signature, read_card
from tests import people

NUMBER = "JYX000010"


@pytest.fixture
def office() -> Office:
    return people.office()


def issued(office: Office) -> VirtualCard:
    card, application = VirtualCard.blank(load_profile("ssc-v3")), people.application()
    with LocalTransport(card) as transport:
        issue_card(office, application, NUMBER, sign_permit(office, application), SscCard.open(transport))
    return card


def read(card: VirtualCard, trust: TrustList, *, days: int = 0, everything: bool = False) -> tuple[Reading, Profile]:
    with LocalTransport(card) as transport:
        session = SscCard.open(transport)
        now = people.NOW + timedelta(days=days)
        return read_card(session, trust, now=now, everything=everything), session.profile


def test_a_good_card(office: Office) -> None:
    reading, _ = read(issued(office), office.trust)
    assert (reading.signature, reading.problems) == (Signature.VALID, ())
    assert reading.permit is not None
    assert reading.permit.valid
    document = reading.to_dict()
    permit = document["permit"]
    assert isinstance(permit, dict)
    assert permit["number"] == "ZJ20260001"
    assert permit["employer"] == "椒江样本医药研究院"
    assert "permit_number" not in permit
    assert "ERIKSSON" not in repr(reading)


def test_an_old_card_is_genuine_and_expired(office: Office) -> None:
    reading, _ = read(issued(office), office.trust, days=2000)
    assert reading.signature is Signature.VALID
    assert [(problem.where, problem.text.en) for problem in reading.problems] == [("permit", "expired")]


def test_nobody_vouches_for_a_card_of_an_unknown_key(office: Office) -> None:
    reading, _ = read(issued(office), TrustList())
    assert reading.signature is Signature.INVALID
    permit = reading.to_dict()["permit"]
    assert permit == {"signature": "invalid", "verdict": "unknown_kid", "employer": "椒江样本医药研究院"}


def test_a_blank_card_and_one_that_somebody_else_sealed(office: Office) -> None:
    card = VirtualCard.blank(load_profile("ssc-v3"))
    assert read(card, office.trust)[0].signature is Signature.ABSENT
    slot = encode_slot(b"sealed bytes", 1, form=Form.SEALED, key_reference=1)
    card.memory.files["DF01/EF16"][0][: len(slot)] = slot
    reading, _ = read(card, office.trust)
    assert (reading.signature, reading.permit, reading.record) == (Signature.SEALED, None, None)
    assert [problem.where for problem in reading.problems] == ["permit"]
    assert "its key is not DF01/RKPERMIT of the public demonstration keys" in reading.problems[0].text.en


@pytest.mark.parametrize(
    ("address", "index", "value", "field"),
    [
        ("SSSE/EF06", 3, b"1", "holder.sex"),
        ("SSSE/EF06", 6, bytes.fromhex("19740813"), "holder.birth_date"),
        ("DF01/EF0A", 0, b"DEU", "holder.nationality"),
        ("DF01/EF09", 1, b"MA00AAA10", "employer.organisation_code"),
    ],
)
def test_a_plain_file_that_contradicts_the_permit_is_a_problem(
    address: str, index: int, value: bytes, field: str, office: Office
) -> None:
    card = issued(office)
    card.memory.files[address][index][2 : 2 + len(value)] = value
    reading, _ = read(card, office.trust)
    assert reading.signature is Signature.VALID
    assert [problem.where for problem in reading.problems] == [field]


def test_records_that_were_read_are_explained(office: Office) -> None:
    card = issued(office)
    cyclic = next(file for file in card.profile.files if file.kind == "cyclic" and file.vectors)
    card.memory.files[cyclic.address].insert(0, bytearray(cyclic.vectors[0].hex))
    unknown = card.memory.files["DF01/EF06"][-1]
    unknown[0] = 0xE5
    broken = card.memory.files["DF01/EF07"][0]
    broken[1] = 0xFF
    reading, profile = read(card, office.trust, everything=True)
    files = reading.files(profile)
    assert [(entry.tag, entry.value) for entry in files["SSSE/EF05"]][-1] == ("07", NUMBER)
    assert (files["DF01/EF06"][-1].tag, files["DF01/EF06"][-1].name) == ("E5", "未知标签 / unknown tag")
    assert files["DF01/EF07"][0].value == bytes(broken).hex().upper()
    assert files["DF01/EF07"][0].problem
    assert [entry.name for entry in files[cyclic.address]] == [str(record.title) for record in cyclic.records]
    assert reading.files(profile).keys() == reading.data.items.keys() | reading.data.rows.keys()


def test_the_photo_is_in_the_document_as_base64(office: Office) -> None:
    reading, _ = read(issued(office), office.trust)
    values = {**reading.data.values, "holder.photo": b"\xff\xd8\xff\xd9"}
    holder = replace(reading, data=replace(reading.data, values=values)).to_dict()["holder"]
    assert isinstance(holder, dict)
    assert holder["photo_jpeg"] == "/9j/2Q=="
