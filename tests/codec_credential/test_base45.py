"""Base45: the examples of RFC 9285, everything there and back, and everything else refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import base45
from juying.errors import DecodeError


@pytest.mark.parametrize(
    ("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")]
)
def test_examples_of_rfc_9285(data: bytes, text: str) -> None:
    assert base45.encode(data) == text
    assert base45.decode(text) == data


@given(st.binary(max_size=200))
def test_all_bytes_survive(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


@given(st.text(alphabet=base45.ALPHABET, max_size=60))
def test_there_is_one_text_for_each_bytes(text: str) -> None:
    try:
        data = base45.decode(text)
    except DecodeError:
        return
    assert base45.encode(data) == text


@pytest.mark.parametrize(
    "text",
    ["GGW", ":::", "::", "V5", "BB8A", "A", "bb8", "BB\n", "B\u00e98", "\ud800AB", "BB8,"],
    ids=[
        "65536, the first overflow of RFC 9285",
        "largest overflow of three",
        "largest overflow of two",
        "256 in two characters",
        "one character left over",
        "one character alone",
        "lower case",
        "line end",
        "not ASCII",
        "lone surrogate",
        "character left over outside the set",
    ],
)
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        base45.decode(text)


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(DecodeError):
        base45.decode(text)


def test_the_empty_text_is_no_bytes() -> None:
    assert base45.decode("") == b""
    assert base45.encode(b"") == ""
