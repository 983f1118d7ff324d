"""External and internal authentication: how two sides show each other that they have the same card key.

External authentication is published: with 3DES the card's challenge makes a session key, ``3DES(K, challenge)``,
under which eight more bytes (the *original*, an earlier challenge or the terminal's own) are enciphered with single
DES; with SM4 the answer is ``SM4(K, challenge)``. Internal authentication does the same with 16 bytes that the
terminal sends, *process factor* and *original*; that the factor comes first is inferred.
"""

import hmac

from juying.crypto.block import BlockKey, Cipher, check_length, des

ANSWER_LENGTH = 16
"""Bytes of data of EXTERNAL AUTHENTICATE and of INTERNAL AUTHENTICATE, with both ciphers."""
ORIGINAL_LENGTH = 8
"""Bytes of the original in 3DES; SM4 has none."""


def challenge_length(cipher: Cipher) -> int:
    """Bytes of the challenge to ask the card for: 8 or 16, one block."""
    return cipher.block


def external_answer(cipher: Cipher, key: bytes | bytearray, challenge: bytes, original: bytes = b"") -> bytes:
    """The 16 bytes of EXTERNAL AUTHENTICATE under ``key`` (16 bytes).

    3DES: cryptogram (8), original (8). SM4: the enciphered challenge; ``original`` is not used. Raises `InputError`
    for wrong lengths.
    """
    return external_answer_with(BlockKey(cipher, key), challenge, original)


def external_answer_with(key: BlockKey, challenge: bytes, original: bytes = b"") -> bytes:
    """`external_answer` under a key that is ready for use."""
    check_length(challenge, challenge_length(key.cipher))
    if key.cipher is Cipher.SM4:
        return key.encrypt(challenge)
    check_length(original, ORIGINAL_LENGTH)
    return des(key.encrypt(challenge), original) + original


def verify_external(cipher: Cipher, key: bytes | bytearray, challenge: bytes, answer: bytes) -> bool:
    """Whether ``answer`` is that of somebody with ``key``; in constant time. False for a wrong length."""
    if len(answer) != ANSWER_LENGTH:
        return False
    return hmac.compare_digest(external_answer(cipher, key, challenge, answer[8:]), answer)


def internal_answer(cipher: Cipher, key: bytes | bytearray, data: bytes) -> bytes:
    """The card's answer to INTERNAL AUTHENTICATE with 16 bytes of ``data``, under ``key`` (16 bytes).

    3DES: 8 bytes, the original (``data[8:]``) under the session key that the process factor (``data[:8]``) makes.
    SM4: 16 bytes, ``data`` enciphered. Raises `InputError` for wrong lengths.
    """
    return internal_answer_with(BlockKey(cipher, key), data)


def internal_answer_with(key: BlockKey, data: bytes) -> bytes:
    """`internal_answer` under a key that is ready for use."""
    check_length(data, ANSWER_LENGTH)
    if key.cipher is Cipher.SM4:
        return key.encrypt(data)
    return des(key.encrypt(data[:8]), data[8:])


def verify_internal(cipher: Cipher, key: bytes | bytearray, data: bytes, answer: bytes) -> bool:
    """Whether ``answer`` is that of a card with ``key``; in constant time."""
    return hmac.compare_digest(internal_answer(cipher, key, data), answer)
