"""The photo file: a length, then the picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec.photo_file import pack_photo, photo_length
from juying.errors import DecodeError, InputError


@given(st.binary(min_size=1, max_size=62))
def test_round_trip(picture: bytes) -> None:
    content = pack_photo(picture, 64)
    on_card = content + b"\xff" * (64 - len(content))
    assert on_card[2 : 2 + photo_length(on_card[:2], 64)] == picture


def test_largest_picture() -> None:
    assert len(pack_photo(bytes(62), 64)) == 64
    for size in (0, 63):
        with pytest.raises(InputError, match="62 bytes"):
            pack_photo(bytes(size), 64)


@pytest.mark.parametrize("prefix", [b"\x00\x00", b"\xff\xff", b"\xff\xff\xff"])
def test_no_picture(prefix: bytes) -> None:
    assert photo_length(prefix, 64) == 0


@pytest.mark.parametrize("prefix", [b"\x00\x3f", b"\xff\xd8", b"", b"\x00", b"\xff"])
def test_length_that_cannot_be(prefix: bytes) -> None:
    with pytest.raises(DecodeError):
        photo_length(prefix, 64)


def test_length_that_just_fits() -> None:
    assert photo_length(b"\x00\x3e\xff\xd8", 64) == 62
