"""External and internal authentication: the formulas, and that nothing else passes."""

import pytest

from juying.crypto import authentication as auth
from juying.crypto.block import Cipher
from juying.errors import InputError

KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
ORIGINAL = bytes.fromhex("A0A1A2A3A4A5A6A7")
CHALLENGE = {Cipher.TDES: bytes.fromhex("1020304050607080"), Cipher.SM4: KEY}


def test_challenges_have_one_block():
    assert [auth.challenge_length(cipher) for cipher in Cipher] == [8, 16]


def test_external_3des_as_published_and_openssl_agrees(openssl):
    session = openssl.encipher("des-ede", KEY, CHALLENGE[Cipher.TDES])
    answer = auth.external_answer(Cipher.TDES, KEY, CHALLENGE[Cipher.TDES], ORIGINAL)
    assert answer == openssl.encipher("des-ecb", session, ORIGINAL) + ORIGINAL
    assert answer.hex().upper() == "ACC73648A4790F0AA0A1A2A3A4A5A6A7"  # ours: the formula is published, no numbers


def test_external_sm4_is_the_enciphered_challenge():
    # GB/T 32907-2016, annex A: key and block are the same there
    answer = auth.external_answer(Cipher.SM4, KEY, CHALLENGE[Cipher.SM4])
    assert answer.hex().upper() == "681EDF34D206965E86B3E94F536E4246"
    assert auth.external_answer(Cipher.SM4, KEY, CHALLENGE[Cipher.SM4], ORIGINAL) == answer


def test_internal_3des_uses_the_factor_first():
    data = CHALLENGE[Cipher.TDES] + ORIGINAL
    answer = auth.internal_answer(Cipher.TDES, KEY, data)
    assert answer == auth.external_answer(Cipher.TDES, KEY, data[:8], data[8:])[:8]


def test_internal_sm4_enciphers_the_data():
    assert auth.internal_answer(Cipher.SM4, KEY, KEY).hex().upper() == "681EDF34D206965E86B3E94F536E4246"


@pytest.mark.parametrize("cipher", Cipher)
def test_only_the_right_external_answer_passes(cipher):
    challenge = CHALLENGE[cipher]
    answer = auth.external_answer(cipher, KEY, challenge, ORIGINAL)
    assert auth.verify_external(cipher, KEY, challenge, answer)
    assert not auth.verify_external(cipher, KEY[::-1], challenge, answer)
    assert not auth.verify_external(cipher, KEY, challenge[::-1], answer)
    assert not auth.verify_external(cipher, KEY, challenge, answer[:8])
    for place in range(16):
        changed = bytearray(answer)
        changed[place] ^= 1
        assert not auth.verify_external(cipher, KEY, challenge, bytes(changed))


@pytest.mark.parametrize("cipher", Cipher)
def test_only_the_right_internal_answer_passes(cipher):
    data = bytes(range(16))
    answer = auth.internal_answer(cipher, KEY, data)
    assert len(answer) == cipher.block
    assert auth.verify_internal(cipher, KEY, data, answer)
    assert not auth.verify_internal(cipher, KEY[::-1], data, answer)
    assert not auth.verify_internal(cipher, KEY, data[::-1], answer)
    assert not auth.verify_internal(cipher, KEY, data, b"")


@pytest.mark.parametrize("cipher", Cipher)
def test_wrong_lengths_are_refused(cipher):
    with pytest.raises(InputError):
        auth.external_answer(cipher, KEY, bytes(4), ORIGINAL)
    with pytest.raises(InputError):
        auth.internal_answer(cipher, KEY, bytes(8))


def test_3des_needs_an_original():
    with pytest.raises(InputError):
        auth.external_answer(Cipher.TDES, KEY, bytes(8))
