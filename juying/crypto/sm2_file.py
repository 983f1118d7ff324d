"""SM2 private keys as PKCS#8 PEM (RFC 5958), the way the ``openssl`` command writes and reads them.

`cryptography` knows no SM2 keys, so the one structure is here: a private key with its public key, in the open or
encrypted by PBES2 (RFC 8018) with PBKDF2-HMAC-SHA256 and AES-256-CBC. What is read has to be exactly what would be
written for the same values.
"""

import re
import secrets
from base64 import encodebytes
from binascii import a2b_base64
from hashlib import pbkdf2_hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

ITERATIONS = 600_000  # as OWASP advises for PBKDF2-HMAC-SHA256; about a fifth of a second
_MAX_ITERATIONS = 10_000_000

_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("300c06082a864886f70d02090500")  # the sequence of identifier and NULL
_AES_256_CBC = bytes.fromhex("060960864801650304012a")

# PrivateKeyInfo { 0, { id-ecPublicKey, sm2 }, ECPrivateKey { 1, secret, [1] 04 || point } }
_BEFORE_SECRET = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
_BEFORE_POINT = bytes.fromhex("a14403420004")

_PEM = re.compile(
    rb"\s*-----BEGIN (?P<kind>(?:ENCRYPTED )?)PRIVATE KEY-----\n(?P<body>[A-Za-z0-9+/=\s]{1,4096})"
    rb"-----END (?P=kind)PRIVATE KEY-----\s*"
)


def encode(secret: bytes, point: bytes, password: str | None) -> bytes:
    """The PEM file of a secret (32 bytes) and its point (64), encrypted when a pass phrase is given."""
    der = _BEFORE_SECRET + secret + _BEFORE_POINT + point
    if not password:
        return _armour(b"", der)
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    padder = PKCS7(128).padder()
    encryptor = _cipher(password, salt, ITERATIONS, iv).encryptor()
    ciphertext = encryptor.update(padder.update(der) + padder.finalize()) + encryptor.finalize()
    return _armour(b"ENCRYPTED ", _envelope(salt, ITERATIONS, iv, ciphertext))


def decode(pem: bytes, password: str | None) -> tuple[bytes, bytes]:
    """The secret and the point of a PEM file.

    Raises ValueError for anything else than an SM2 key as described above, and when the pass phrase is missing,
    needless or wrong.
    """
    match = _PEM.fullmatch(pem.replace(b"\r\n", b"\n"))
    if match is None or bool(match["kind"]) != bool(password):
        raise ValueError
    der = a2b_base64(b"".join(match["body"].split()), strict_mode=True)
    if password:
        der = _decrypt(der, password)
    secret, point = der[len(_BEFORE_SECRET) :][:32], der[-64:]
    if der != _BEFORE_SECRET + secret + _BEFORE_POINT + point:
        raise ValueError
    return secret, point


def _decrypt(der: bytes, password: str) -> bytes:
    body, _ = _take(der, _SEQUENCE)
    scheme, rest = _take(body, _SEQUENCE)
    ciphertext, _ = _take(rest, _OCTETS)
    parameters, _ = _take(scheme[len(_PBES2) :], _SEQUENCE)
    derivation, rest = _take(parameters, _SEQUENCE)
    encryption, _ = _take(rest, _SEQUENCE)
    iv, _ = _take(encryption[len(_AES_256_CBC) :], _OCTETS)
    values, _ = _take(derivation[len(_PBKDF2) :], _SEQUENCE)
    salt, rest = _take(values, _OCTETS)
    number, _ = _take(rest, _INTEGER)
    iterations = int.from_bytes(number)
    # The values were looked for where they belong; that nothing else is there is proved by writing it again.
    if not 0 < iterations <= _MAX_ITERATIONS or _envelope(salt, iterations, iv, ciphertext) != der:
        raise ValueError
    decryptor = _cipher(password, salt, iterations, iv).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()


def _envelope(salt: bytes, iterations: int, iv: bytes, ciphertext: bytes) -> bytes:
    """EncryptedPrivateKeyInfo (RFC 5958, 3)."""
    number = iterations.to_bytes(iterations.bit_length() // 8 + 1)
    derivation = _der(_SEQUENCE, _der(_OCTETS, salt), _der(_INTEGER, number), _HMAC_SHA256)
    parameters = _der(
        _SEQUENCE,
        _der(_SEQUENCE, _PBKDF2, derivation),
        _der(_SEQUENCE, _AES_256_CBC, _der(_OCTETS, iv)),
    )
    return _der(_SEQUENCE, _der(_SEQUENCE, _PBES2, parameters), _der(_OCTETS, ciphertext))


def _cipher(password: str, salt: bytes, iterations: int, iv: bytes) -> Cipher[modes.CBC]:
    key = pbkdf2_hmac("sha256", password.encode(), salt, iterations, 32)
    return Cipher(algorithms.AES256(key), modes.CBC(iv))


def _armour(kind: bytes, der: bytes) -> bytes:
    body = b"".join(encodebytes(der[start : start + 48]) for start in range(0, len(der), 48))
    return b"-----BEGIN %bPRIVATE KEY-----\n%b-----END %bPRIVATE KEY-----\n" % (kind, body, kind)


def _der(tag: int, *parts: bytes) -> bytes:
    """A DER value of less than 65536 bytes."""
    content = b"".join(parts)
    length = len(content)
    head = b"%c" % length if length < 0x80 else b"\x81%c" % length if length <= 0xFF else b"\x82" + length.to_bytes(2)
    return b"%c%b%b" % (tag, head, content)


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the DER value that ``data`` begins with, and what follows; ValueError when it is not there."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError
    size = data[1] & 0x7F if data[1] >= 0x80 else 0
    start = 2 + size
    end = start + (int.from_bytes(data[2:start]) if size else data[1])
    return data[start:end], data[end:]
