"""3DES and SM4 against published vectors and against the openssl command; padding; keys that are wiped."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.crypto import block
from juying.crypto.block import BlockKey, Cipher
from juying.errors import DecodeError, InputError

# NIST SP 800-38B, two-key TDEA: CIPH_K(0); GB/T 32907-2016, annex A, example 1
TDES_KEY = bytes.fromhex("4CF15134A2850DD58A3D10BA80570D38")
SM4_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
PUBLISHED = [
    pytest.param(Cipher.TDES, TDES_KEY, bytes(8), "C7679B9F6B8D7D7A", id="3des"),
    pytest.param(Cipher.SM4, SM4_KEY, SM4_KEY, "681EDF34D206965E86B3E94F536E4246", id="sm4"),
]
OPENSSL = {Cipher.TDES: "des-ede", Cipher.SM4: "sm4"}
DATA = bytes(range(48))


@pytest.mark.parametrize(("cipher", "key", "plain", "expected"), PUBLISHED)
def test_published_vectors_both_ways(cipher, key, plain, expected):
    assert block.encrypt_ecb(cipher, key, plain) == bytes.fromhex(expected)
    assert block.decrypt_ecb(cipher, key, bytes.fromhex(expected)) == plain


def test_single_des_gives_the_published_vector():
    # FIPS 81, table B1
    expected = bytes.fromhex("3FA40E8A984D48156A271787AB8883F9893D51EC4B563B53")
    assert block.des(bytes.fromhex("0123456789ABCDEF"), b"Now is the time for all ") == expected


def test_single_des_chained_gives_the_published_vector():
    # FIPS 81, table C1
    key = BlockKey.single_des(bytes.fromhex("0123456789ABCDEF"))
    chained = key.encrypt_chained(b"Now is the time for all ", bytes.fromhex("1234567890ABCDEF"))
    assert chained.hex().upper() == "E5C7CDDE872BF27C43E934008C389C0F683788499A7C05F6"


@pytest.mark.parametrize("cipher", Cipher)
def test_openssl_agrees(openssl, cipher):
    key, iv = TDES_KEY, bytes(range(7, 7 + cipher.block))
    # openssl calls two-key 3DES without a mode ECB
    ecb = openssl.encipher(OPENSSL[cipher] + ("-ecb" if cipher is Cipher.SM4 else ""), key, DATA)
    assert block.encrypt_ecb(cipher, key, DATA) == ecb
    assert block.encrypt_cbc(cipher, key, DATA, iv) == openssl.encipher(OPENSSL[cipher] + "-cbc", key, DATA, iv)


def test_openssl_agrees_on_single_des(openssl):
    assert block.des(TDES_KEY[:8], DATA) == openssl.encipher("des-ecb", TDES_KEY[:8], DATA)


def test_check_value_is_the_head_of_enciphered_zeros(openssl):
    assert block.check_value(Cipher.TDES, TDES_KEY).hex().upper() == "C7679B"  # published, see above
    assert block.check_value(Cipher.SM4, SM4_KEY) == openssl.encipher("sm4-ecb", SM4_KEY, bytes(16))[:3]


def test_block_lengths_and_codes_of_the_ciphers():
    assert [(cipher.value, cipher.block, cipher.code) for cipher in Cipher] == [("3des", 8, 1), ("sm4", 16, 3)]


@pytest.mark.parametrize("cipher", Cipher)
def test_a_part_of_a_block_is_refused_and_leaves_the_key_usable(cipher):
    key = BlockKey(cipher, TDES_KEY)
    first = key.encrypt(DATA)
    for use in (key.encrypt, key.decrypt, lambda data: key.encrypt_chained(data, bytes(cipher.block))):
        with pytest.raises(InputError):
            use(bytes(cipher.block + 1))
    assert key.encrypt(DATA) == first
    assert key.decrypt(first) == DATA


@given(
    st.sampled_from(Cipher),
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 5)), min_size=1, max_size=6),
)
def test_every_chain_of_a_kept_key_starts_afresh(cipher, messages):
    key = BlockKey(cipher, TDES_KEY)
    for text, blocks in messages:
        iv, data = text[: cipher.block], text * blocks
        expected = block.encrypt_cbc(cipher, TDES_KEY, data, iv)
        assert key.encrypt_chained(data, iv) == expected
        state = iv
        for start in range(0, len(data), cipher.block):
            mixed = bytes(a ^ b for a, b in zip(state, data[start:], strict=False))
            state = block.encrypt_ecb(cipher, TDES_KEY, mixed)
            assert expected[start : start + cipher.block] == state


@pytest.mark.parametrize("length", [0, 8, 15, 17, 24])
def test_only_keys_of_16_bytes(length):
    for cipher in Cipher:
        with pytest.raises(InputError):
            BlockKey(cipher, bytes(length))


@pytest.mark.parametrize("length", [0, 7, 9, 16])
def test_single_des_takes_8_bytes_only(length):
    with pytest.raises(InputError):
        block.des(bytes(length), bytes(8))


@pytest.mark.parametrize("cipher", Cipher)
def test_an_initial_value_of_another_length_is_refused(cipher):
    with pytest.raises(InputError):
        block.encrypt_cbc(cipher, TDES_KEY, bytes(16), bytes(cipher.block - 1))


@pytest.mark.parametrize("cipher", Cipher)
def test_a_wiped_key_is_gone(cipher):
    key = BlockKey(cipher, TDES_KEY)
    enciphered, chained = key.encrypt(bytes(16)), key.encrypt_chained(bytes(16), bytes(cipher.block))
    key.wipe()
    assert key.encrypt_chained(bytes(16), bytes(cipher.block)) != chained
    assert key.encrypt(bytes(16)) == block.encrypt_ecb(cipher, bytes(16), bytes(16)) != enciphered


@pytest.mark.parametrize("cipher", Cipher)
def test_the_key_is_copied_and_never_shown(cipher):
    original = bytearray(TDES_KEY)
    key = BlockKey(cipher, original)
    before = key.encrypt(bytes(16))
    original[:] = bytes(16)
    assert key.encrypt(bytes(16)) == before
    assert repr(key) == f"BlockKey('{cipher.value}')"


@pytest.mark.parametrize("cipher", Cipher)
def test_one_key_serves_several_threads(cipher):
    key = BlockKey(cipher, TDES_KEY)
    data = DATA * 100
    expected = key.encrypt(data)
    results = []
    threads = [threading.Thread(target=lambda: results.extend(key.encrypt(data) for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 80


@given(st.binary(max_size=70), st.sampled_from([8, 16]))
def test_padding_is_whole_blocks_and_comes_off_again(data, size):
    padded = block.pad(data, size)
    assert len(padded) % size == 0
    assert 0 < len(padded) - len(data) <= size
    assert block.unpad(padded) == data


@pytest.mark.parametrize("data", ["", "00", "0000000000000000", "01", "8001", "FF"])
def test_wrong_padding_is_an_error_of_decoding(data):
    with pytest.raises(DecodeError):
        block.unpad(bytes.fromhex(data))
