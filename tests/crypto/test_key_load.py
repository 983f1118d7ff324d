"""Key blocks: the form, and that only the right key opens them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.crypto import block
from juying.crypto.block import Cipher
from juying.crypto.key_load import BLOCK_LENGTH, key_block, open_key_block
from juying.errors import DecodeError, InputError

UNDER = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
HEADER, KEY = bytes(range(8)), bytes(range(0x40, 0x50))


@pytest.mark.parametrize("cipher", Cipher)
def test_form_and_openssl_agrees(openssl, cipher):
    plain = b"\x18" + HEADER + KEY + b"\x80" + bytes(6)
    name = "des-ede" if cipher is Cipher.TDES else "sm4-ecb"
    assert key_block(cipher, UNDER, HEADER, KEY) == openssl.encipher(name, UNDER, plain)


@pytest.mark.parametrize("cipher", Cipher)
def test_comes_back_and_does_not_show_the_key(cipher):
    loaded = open_key_block(cipher, UNDER, key_block(cipher, UNDER, HEADER, KEY))
    assert loaded == (HEADER, KEY)
    assert KEY.hex() not in repr(loaded)
    assert repr(KEY) not in repr(loaded)


@pytest.mark.parametrize("cipher", Cipher)
def test_another_key_does_not_open_it(cipher):
    with pytest.raises(DecodeError):
        open_key_block(cipher, UNDER[::-1], key_block(cipher, UNDER, HEADER, KEY))


@pytest.mark.parametrize("cipher", Cipher)
@pytest.mark.parametrize(
    "plain",
    [
        b"\x17" + HEADER + KEY + b"\x80" + bytes(6),
        b"\x18" + HEADER + KEY + b"\x80" + bytes(5) + b"\x80",
        b"\x18" + HEADER + KEY + bytes(7),
        b"\x18" + HEADER + KEY[:-1] + b"\x80" + bytes(7),
        b"\x18" + HEADER + KEY + b"\x80" + bytes(14),
        b"",
    ],
    ids=["length", "padding", "no padding", "short key", "too long", "empty"],
)
def test_other_contents_are_refused(cipher, plain):
    enciphered = block.encrypt_ecb(cipher, UNDER, plain + bytes(-len(plain) % 16))
    with pytest.raises(DecodeError):
        open_key_block(cipher, UNDER, enciphered)


@given(st.sampled_from(Cipher), st.binary(max_size=48) | st.binary(min_size=BLOCK_LENGTH, max_size=BLOCK_LENGTH))
def test_any_bytes_are_refused_the_same_way(cipher, data):
    with pytest.raises(DecodeError):
        open_key_block(cipher, UNDER, data)


@pytest.mark.parametrize(("header", "key"), [(HEADER[:7], KEY), (HEADER, KEY[:8]), (HEADER, KEY + KEY)])
def test_lengths_are_checked(header, key):
    with pytest.raises(InputError):
        key_block(Cipher.SM4, UNDER, header, key)
