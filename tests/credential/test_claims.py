"""What a credential says: taken from a permit, encoded, decoded, and never more than the tier allows."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cbor
from juying.credential.claims import CHINA, Claims, StatusReference, Tier
from juying.errors import DecodeError, FieldError, RecordError
from juying.model import PermitCategory, Sex
from tests.credential import samples
from tests.credential.samples import HOLDER, HOLDER_KEY, ISSUED, PERMIT, STATUS, claims

PERSONAL = ("ERIKSSON", "安娜", "UTO", "1974", "123310020000DDD18Q", "首席科学家", "L898902C3", "331002202600001")


@pytest.mark.parametrize("holder_key", [None, HOLDER_KEY])
@pytest.mark.parametrize("status", [None, STATUS])
@pytest.mark.parametrize("tier", Tier)
def test_claims_survive(tier: Tier, status: StatusReference | None, holder_key: bytes | None) -> None:
    written = claims(tier, status=status, holder_key=holder_key)
    assert Claims.decode(written.encode()) == written


LINES = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=100)
FILLED_LINES = LINES.filter(bool)


@given(
    number=FILLED_LINES,
    name=FILLED_LINES,
    chinese_name=LINES,
    position=LINES,
    category=st.sampled_from(PermitCategory),
    region=st.just("") | st.from_regex("[0-9]{6}", fullmatch=True).filter(str.isascii),
    nationality=st.from_regex("[A-Z]{3}", fullmatch=True),
    birth_date=st.dates(date(1900, 1, 1), date(2199, 12, 31)),
    sex=st.sampled_from(Sex),
    employer_code=st.from_regex("[0-9A-HJ-NPQRTUWXY]{18}", fullmatch=True),
    status=st.none() | st.builds(StatusReference, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    start=st.integers(0, 8_000_000_000),
    length=st.integers(1, 500_000_000),
)
def test_any_claims_survive(start: int, length: int, number: str, **fields: object) -> None:
    begin = datetime.fromtimestamp(start, UTC)
    written = Claims(
        permit_number=number,
        tier=Tier.FULL,
        issued_at=begin,
        not_before=begin,
        expires_at=begin + timedelta(seconds=length),
        **fields,
    )
    assert Claims.decode(written.encode()) == written


def test_the_payload_is_the_documented_one() -> None:
    """Read with cbor2 alone: registered claims of RFC 8392 and RFC 8747, and ours by position."""
    payload = cbor2.loads(claims(status=STATUS, holder_key=HOLDER_KEY).encode())
    assert payload == {
        2: "331002202600001",
        4: int(datetime(2030, 6, 1, tzinfo=CHINA).timestamp()),
        5: int(datetime(2026, 6, 1, tzinfo=CHINA).timestamp()),
        6: int(ISSUED.timestamp()),
        8: {1: {1: 2, -1: 1, -2: HOLDER_KEY[1:], -3: HOLDER_KEY[0] == 3}},
        -65537: [
            2,
            3,
            70_001,
            "A",
            331002,
            "ERIKSSON ANNA MARIA",
            "安娜",
            "UTO",
            (date(1974, 8, 12) - date(1970, 1, 1)).days,
            2,
            b"".join(int(part, 36).to_bytes(2) for part in ("123", "310", "020", "000", "DDD", "18Q")),
            "首席科学家",
        ],
    }


def test_the_minimal_tier_shows_initials_and_nothing_else_of_the_person() -> None:
    minimal = claims(Tier.MINIMAL)
    assert minimal.name == "E.A.M."
    payload = cbor2.loads(minimal.encode())
    assert payload[-65537] == [1, None, None, "A", 331002, "E.A.M."]
    assert minimal.to_dict().keys().isdisjoint({"birth_date", "nationality", "chinese_name", "employer_code"})


def test_initials_skip_what_is_no_letter() -> None:
    of = Claims.of(replace(HOLDER, name="O'NEILL - JEAN-LUC ÉMILE"), PERMIT, tier=Tier.MINIMAL, issued_at=ISSUED)
    assert of.name == "O.J.É."


def test_validity_counts_whole_days_in_china() -> None:
    full = claims()
    assert full.not_before == datetime(2026, 5, 31, 16, tzinfo=UTC)
    assert full.expires_at == datetime(2030, 5, 31, 16, tzinfo=UTC)
    read = Claims.decode(full.encode())
    assert (read.valid_from, read.valid_until) == (PERMIT.valid_from, PERMIT.valid_until)


def test_the_time_of_issue_is_cut_to_the_second() -> None:
    late = Claims.of(HOLDER, PERMIT, tier=Tier.FULL, issued_at=ISSUED + timedelta(microseconds=999_999))
    assert late == claims()


def test_a_permit_without_region_has_none() -> None:
    none = Claims.of(HOLDER, replace(PERMIT, region=""), tier=Tier.FULL, issued_at=ISSUED)
    assert Claims.decode(none.encode()).region == ""


def test_a_region_keeps_its_leading_zero() -> None:
    assert Claims.decode(replace(claims(), region="010203").encode()).region == "010203"


def test_rare_characters_and_those_of_private_use_pass() -> None:
    rare = replace(claims(), chinese_name="\U00030edd\ue001\U000323b0")
    assert Claims.decode(rare.encode()) == rare


BROKEN = {
    "permit_number": ["", "x" * 101, "a\nb"],
    "name": ["", "x" * 101, "a\u202eb", "a\u200bb", "a\u2028b"],
    "chinese_name": ["x" * 101, "\x00"],
    "position": ["x" * 101, "\ufeff"],
    "issued_at": [datetime(2026, 12, 1), datetime(2030, 6, 1, tzinfo=CHINA), datetime(1969, 12, 31, tzinfo=UTC)],
    "not_before": [datetime(2030, 6, 1, tzinfo=CHINA), datetime(1969, 12, 31, tzinfo=UTC)],
    "region": ["33100", "33100A", "３３１００２"],
    "status": [StatusReference(-1, 0), StatusReference(0, 2**32)],
    "holder_key": [b"", b"\x04" + bytes(32), b"\x02" + bytes(31)],
    "nationality": ["", "uto", "UT", "UTOO"],
    "birth_date": [None, date(1899, 12, 31), date(2200, 1, 1)],
    "sex": [None],
    "employer_code": ["", "123310020000DDD18", "123310020000DDD18I"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BROKEN.items() for value in values])
def test_a_broken_field_is_named_and_not_shown(field: str, value: object) -> None:
    with pytest.raises(FieldError) as caught:
        replace(claims(), **{field: value})
    assert caught.value.field == field
    assert not (isinstance(value, str) and len(value) > 4 and value in str(caught.value))


def test_several_broken_fields_are_all_named() -> None:
    with pytest.raises(RecordError) as caught:
        replace(claims(), name="", nationality="", sex=None)
    assert [error.field for error in caught.value.errors] == ["name", "nationality", "sex"]


@pytest.mark.parametrize("field", ["chinese_name", "nationality", "birth_date", "sex", "employer_code", "position"])
def test_a_minimal_credential_cannot_hold_more(field: str) -> None:
    with pytest.raises(FieldError) as caught:
        replace(claims(Tier.MINIMAL), **{field: getattr(claims(), field)})
    assert caught.value.field == field


def test_an_expired_permit_gets_no_claims() -> None:
    with pytest.raises(FieldError) as caught:
        Claims.of(HOLDER, PERMIT, tier=Tier.FULL, issued_at=datetime(2030, 6, 1, tzinfo=CHINA))
    assert caught.value.field == "issued_at"


FULL = cbor.decode(claims(status=STATUS, holder_key=HOLDER_KEY).encode())
MINIMAL = cbor.decode(claims(Tier.MINIMAL).encode())
KEY = FULL[8][1]


def with_permit(position: int, value: object) -> dict[int, object]:
    permit = list(FULL[-65537])
    permit[position] = value
    return {**FULL, -65537: permit}


def with_key(**changes: object) -> dict[int, object]:
    names = {"kty": 1, "crv": -1, "x": -2, "y": -3, "extra": 3}
    return {**FULL, 8: {1: {**KEY, **{names[name]: value for name, value in changes.items()}}}}


MALFORMED = {
    "a list": [1, 2],
    "a number": 7,
    "empty": {},
    "unknown claim": {**FULL, 7: b"id"},
    "no expiry": {key: value for key, value in FULL.items() if key != 4},
    "no permit": {key: value for key, value in FULL.items() if key != -65537},
    "number as subject": {**FULL, 2: 331002},
    "list as subject": {**FULL, 2: ["331002"]},
    "text as time": {**FULL, 4: "2030"},
    "true as time": {**FULL, 5: True},
    "negative time": {**FULL, 6: -1},
    "huge time": {**FULL, 4: 2**63},
    "largest time": {**FULL, 4: 2**64 - 1},
    "end before start": {**FULL, 4: FULL[5]},
    "permit is text": {**FULL, -65537: "permit"},
    "permit is a map": {**FULL, -65537: {1: 2}},
    "permit is null": {**FULL, -65537: None},
    "permit too short": {**FULL, -65537: FULL[-65537][:-1]},
    "permit too long": {**FULL, -65537: [*FULL[-65537], 0]},
    "permit almost empty": {**FULL, -65537: [1]},
    "minimal posing as full": {**MINIMAL, -65537: [2, *MINIMAL[-65537][1:]]},
    "full posing as minimal": with_permit(0, 1),
    "tier three": with_permit(0, 3),
    "tier true": with_permit(0, True),
    "list without index": with_permit(2, None),
    "index without list": with_permit(1, None),
    "negative index": with_permit(2, -1),
    "huge index": with_permit(2, 2**32),
    "category D": with_permit(3, "D"),
    "category a list": with_permit(3, ["A"]),
    "region text": with_permit(4, "331002"),
    "region of seven digits": with_permit(4, 1_000_000),
    "negative region": with_permit(4, -33100),
    "name null": with_permit(5, None),
    "name bytes": with_permit(5, b"ERIKSSON"),
    "Chinese name null": with_permit(6, None),
    "Chinese name a list": with_permit(6, []),
    "nationality number": with_permit(7, 156),
    "birth day text": with_permit(8, "1974"),
    "birth day huge": with_permit(8, 2**63),
    "birth day before all dates": with_permit(8, -(2**62)),
    "birth day of 1800": with_permit(8, -62000),
    "sex three": with_permit(9, 3),
    "sex true": with_permit(9, True),
    "employer text": with_permit(10, "123310020000DDD18Q"),
    "employer short": with_permit(10, bytes(11)),
    "employer empty": with_permit(10, b""),
    "employer beyond base 36": with_permit(10, b"\xff" * 12),
    "employer a letter I": with_permit(10, (18).to_bytes(2) * 6),
    "employer a list": with_permit(10, [0] * 12),
    "position null": with_permit(11, None),
    "confirmation a list": {**FULL, 8: [1]},
    "confirmation null": {**FULL, 8: None},
    "confirmation of two": {**FULL, 8: {1: KEY, 2: b""}},
    "confirmation without key": {**FULL, 8: {3: b"kid"}},
    "key a list": {**FULL, 8: {1: [2, 1, 0, 0]}},
    "key null": {**FULL, 8: {1: None}},
    "key of another kind": with_key(kty=1),
    "key of another curve": with_key(crv=2),
    "curve true": with_key(crv=True),
    "key with a member more": with_key(extra=-7),
    "key too short": with_key(x=KEY[-2][1:]),
    "key text": with_key(x="x" * 32),
    "sign a number": with_key(y=1),
    "key uncompressed": with_key(y=bytes(32)),
}


@pytest.mark.parametrize("payload", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_payload_of_another_form_is_refused(payload: object) -> None:
    with pytest.raises(DecodeError) as caught:
        Claims.decode(cbor.encode(payload))
    assert not any(word in str(caught.value) for word in PERSONAL)


@given(st.binary(max_size=80))
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        Claims.decode(payload)


VALUES = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=33)


@given(position=st.integers(0, 11), value=VALUES | st.lists(VALUES, max_size=3))
def test_no_value_in_any_place_raises_anything_else(position: int, value: object) -> None:
    try:
        Claims.decode(cbor.encode(with_permit(position, value)))
    except DecodeError:
        return
    assert type(value) in (int, str, bytes, type(None))


def test_no_repr_shows_a_person() -> None:
    shown = repr(claims(holder_key=HOLDER_KEY)) + str(claims())
    assert not any(word in shown for word in PERSONAL)


def test_the_dictionary_is_plain_and_complete() -> None:
    assert claims(status=STATUS, holder_key=HOLDER_KEY).to_dict() == {
        "permit_number": "331002202600001",
        "tier": "full",
        "category": "A",
        "region": "331002",
        "valid_from": "2026-06-01",
        "valid_until": "2030-05-31",
        "issued_at": "2026-11-29T12:00:00+08:00",
        "name": "ERIKSSON ANNA MARIA",
        "holder_bound": True,
        "status": {"list": 3, "index": 70_001},
        "chinese_name": "安娜",
        "nationality": "UTO",
        "birth_date": "1974-08-12",
        "sex": "2",
        "employer_code": "123310020000DDD18Q",
        "position": "首席科学家",
    }
    assert claims(Tier.MINIMAL).to_dict()["status"] is None


def test_tiers_have_names() -> None:
    assert {tier.text.en for tier in Tier} == {"Minimal credential", "Full credential"}
    assert samples.claims(Tier.FULL).tier.text.zh == "完整凭证"
