"""Strict CBOR: only the canonical form of plain values, and one error for the rest."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cbor
from juying.errors import DecodeError

LEAVES = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text(max_size=20) | st.binary(max_size=20)
KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=10)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(VALUES.filter(lambda value: depth(value) <= cbor.MAX_DEPTH))
def test_values_survive(value: object) -> None:
    decoded = cbor.decode(cbor.encode(value))
    assert decoded == value
    assert cbor.encode(decoded) == cbor.encode(value)


@given(st.binary(max_size=60))
def test_whatever_is_accepted_is_canonical(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except DecodeError:
        return
    assert cbor.encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        "",
        "0102",
        "1801",
        "190017",
        "1a0000ffff",
        "1b00000000ffffffff",
        "3800",
        "780161",
        "5800",
        "9800",
        "b800",
        "5fff",
        "7f6161ff",
        "9f01ff",
        "bf0101ff",
        "a2 01 00 01 01",
        "a2 61 61 00 61 61 01",
        "a2 02 00 01 00",
        "a2 20 00 00 00",
        "a2 1818 00 00 00",
        "a1 f5 00",
        "a1 f6 00",
        "a1 4101 00",
        "a1 80 00",
        "a1 a0 00",
        "f97e00",
        "f93c00",
        "fa3f800000",
        "fb3ff0000000000000",
        "f7",
        "e0",
        "f8ff",
        "f800",
        "fc",
        "1c",
        "ff",
        "c0 74 323032362d30312d30315430303a30303a30305a",
        "c1 00",
        "c2 4101",
        "c2 49 010000000000000000",
        "c4 82 01 02",
        "d8 1c 80",
        "d8 1d 00",
        "d8 23 61 28",
        "d9 d9f7 00",
        "d8 63 00",
        "62 c328",
        "61",
        "5b 7fffffffffffffff",
        "7b ffffffffffffffff",
        "9b ffffffffffffffff",
        "bb ffffffffffffffff",
    ],
)
def test_anything_but_canonical_plain_values_is_refused(data: str) -> None:
    """Trailing bytes, longer heads than needed, indefinite lengths, duplicate, unsorted or odd keys, floats, simple
    values, tags of all kinds, bad UTF-8, lengths beyond the end.
    """
    with pytest.raises(DecodeError):
        cbor.decode(bytes.fromhex(data))


def test_depth_is_bounded() -> None:
    assert cbor.decode(b"\x81" * cbor.MAX_DEPTH + b"\x00")
    for opener in (b"\x81", b"\xa1\x00", b"\xc1", b"\xd8\x63"):
        with pytest.raises(DecodeError):
            cbor.decode(opener * (cbor.MAX_DEPTH + 1) + b"\x00")
        with pytest.raises(DecodeError):
            cbor.decode(opener * 50_000, limit=1_000_000)


def test_size_is_bounded() -> None:
    fits = cbor.encode(bytes(cbor.MAX_BYTES - 3))
    assert len(fits) == cbor.MAX_BYTES
    assert cbor.decode(fits)
    with pytest.raises(DecodeError, match="longer than"):
        cbor.decode(cbor.encode(bytes(cbor.MAX_BYTES - 2)))
    with pytest.raises(DecodeError, match="longer than 3 bytes"):
        cbor.decode(b"\x43abc", limit=3)


def test_tags_never_reach_the_decoders_of_cbor2() -> None:
    """cbor2 would turn this into a compiled regular expression; ours must not even look at it."""
    assert cbor2.loads(cbor2.dumps(cbor2.CBORTag(35, "(a+)+$"))).pattern == "(a+)+$"
    with pytest.raises(DecodeError):
        cbor.decode(cbor2.dumps(cbor2.CBORTag(35, "(a+)+$")))


def test_errors_do_not_echo_the_input() -> None:
    with pytest.raises(DecodeError) as caught:
        cbor.decode(b"\xa2\x66SECRET\x00\x66SECRET\x00")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
