"""Sealing: content that only holders of a card's key can read, and that nobody can change or move (our own form).

::

    secret  = ECB(card key, "juying seal key ")          16 bytes, so that a PSAM or an HSM can make it
    key     = HKDF(secret, info = "juying seal v1")      16 bytes
    sealed  = nonce (12) || GCM ciphertext || tag (16)   the context is authenticated with it

Cards with SM4 are sealed with SM3 and SM4-GCM, cards with 3DES with SHA-256 and AES-128-GCM.
"""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import ciphers, hashes
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from juying.crypto.block import Cipher
from juying.errors import DecodeError

SEED: Final = b"juying seal key "
"""What the card key enciphers, block by block, to make the secret of `seal`: 16 bytes."""
OVERHEAD: Final = 28
"""Bytes by which the sealed form is longer."""
_NONCE, _TAG = 12, 16


def seal(cipher: Cipher, secret: bytes, plain: bytes, context: bytes) -> bytes:
    """``plain`` enciphered and authenticated together with ``context``; 28 bytes longer, different every time.

    ``secret`` is `SEED` enciphered under the card key.
    """
    nonce = secrets.token_bytes(_NONCE)
    encryptor = ciphers.Cipher(_algorithm(cipher, secret), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(context)
    return nonce + encryptor.update(plain) + encryptor.finalize() + encryptor.tag


def unseal(cipher: Cipher, secret: bytes, sealed: bytes, context: bytes) -> bytes:
    """What `seal` was given.

    Raises `DecodeError`, the same one, for another key, another context, changed bytes and anything never sealed.
    """
    if len(sealed) >= OVERHEAD:
        nonce, body, tag = sealed[:_NONCE], sealed[_NONCE:-_TAG], sealed[-_TAG:]
        decryptor = ciphers.Cipher(_algorithm(cipher, secret), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(context)
        try:
            return decryptor.update(body) + decryptor.finalize()
        except InvalidTag:
            pass
    raise DecodeError(
        "密封的内容无法打开：密钥不对、内容被改动或不属于这张卡",
        "the seal does not open: another key, changed content, or content of another card",
    )


def _algorithm(cipher: Cipher, secret: bytes) -> AES | SM4:
    """The cipher of the seal under the key that ``secret`` makes."""
    digest: hashes.HashAlgorithm = hashes.SM3() if cipher is Cipher.SM4 else hashes.SHA256()
    key = HKDF(digest, length=16, salt=None, info=b"juying seal v1").derive(secret)
    return SM4(key) if cipher is Cipher.SM4 else AES(key)
