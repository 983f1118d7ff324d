"""Simple TLV: what is built is parsed, and everything malformed is one kind of error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import tlv
from juying.errors import DecodeError

OBJECTS = st.lists(st.tuples(st.integers(1, 254), st.binary(max_size=255)), max_size=12)


@given(OBJECTS)
def test_round_trip(objects: list[tuple[int, bytes]]) -> None:
    assert tlv.parse(tlv.build(objects)) == objects


@given(st.binary(max_size=80))
def test_any_bytes_are_parsed_whole_or_refused(data: bytes) -> None:
    place = -1
    try:
        objects = tlv.parse(data)
    except DecodeError as error:
        place = int(error.where.removeprefix("TLV @"))
    assert 0 <= place <= len(data) if place >= 0 else tlv.build(objects) == data


MALFORMED = {
    "tag without length": "01",
    "value missing": "0102",
    "value cut short": "010241",
    "length far beyond the end": "01FF41",
    "second object without length": "01014102",
    "second object cut short": "010141020341",
    "padding 00 in front": "00010141",
    "padding FF in front": "FFFF",
    "padding 00 behind": "0101410000",
    "padding FF between": "010141FF00020142",
    "one byte too many": "01014100",
    "nothing but padding": "00000000",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed(data: str) -> None:
    """At least nine kinds of malformed input, one error type each time."""
    assert len(MALFORMED) >= 9
    with pytest.raises(DecodeError, match="malformed TLV"):
        tlv.parse(bytes.fromhex(data))


def test_number_of_objects_is_limited() -> None:
    assert len(tlv.parse(b"\x01\x00" * tlv.MAX_OBJECTS)) == tlv.MAX_OBJECTS
    with pytest.raises(DecodeError, match="more than 256"):
        tlv.parse(b"\x01\x00" * (tlv.MAX_OBJECTS + 1))


@pytest.mark.parametrize("entry", [(0, b""), (255, b""), (1, bytes(256))])
def test_build_refuses_what_the_format_cannot_hold(entry: tuple[int, bytes]) -> None:
    with pytest.raises(DecodeError):
        tlv.build([entry])
