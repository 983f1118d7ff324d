"""Signing and verifying behind a small interface.

A `Signer` signs and never returns its key, so a token or an HSM can take the place of `SoftwareSigner`.
Signatures travel as raw ``r || s`` (RFC 9053, 2.1); DER exists only between here and the library.
"""

from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from juying.errors import InputError, KeyUseError
from juying.files import create, write_atomically

KID_LENGTH = 4
SIGNATURE_LENGTH = 64

_ZERO = bytes(32)
_P256_ORDER = bytes.fromhex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551")
# Signatures are made without a random nonce (RFC 6979): a bad random source cannot betray the key.
_SIGN = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_VERIFY = ec.ECDSA(hashes.SHA256())
_COMPRESSED = (serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


class Algorithm(IntEnum):
    """Signature algorithms by their COSE number (RFC 9053)."""

    ES256 = -7

    def covers(self, number: int) -> bool:
        """True when a header that states ``number`` means this algorithm.

        ES256 is also known as ESP256, number -9 (RFC 9864).
        """
        return number in _NUMBERS[self]


_NUMBERS = {Algorithm.ES256: (-7, -9)}


class Signer(Protocol):
    """Something that signs with a key it keeps to itself."""

    @property
    def algorithm(self) -> Algorithm:
        """The only algorithm that this key signs with."""

    @property
    def kid(self) -> bytes:
        """Four bytes that lead a verifier to the key; see `key_id`."""

    @property
    def public_key(self) -> bytes:
        """The public key as a compressed point, 33 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes ``r || s``."""


class VerifyKey:
    """A P-256 public key, checked and loaded once, then used any number of times."""

    __slots__ = ("_key", "algorithm", "public_key")

    def __init__(self, public_key: bytes, algorithm: Algorithm = Algorithm.ES256) -> None:
        """Take a compressed point (33 bytes, SEC 1); raises KeyUseError when it is not one of the curve."""
        try:
            if len(public_key) != 33:
                raise ValueError
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        except ValueError:
            raise KeyUseError(
                "公钥不是 P-256 曲线上的压缩点（33 字节）",
                "the public key is not a compressed point (33 bytes) of the curve P-256",
            ) from None
        self.public_key = public_key
        self.algorithm = algorithm

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True when ``signature`` (64 bytes ``r || s``) is this key's over ``message``.

        ``(r, n - s)`` is as good as ``(r, s)``, as ECDSA has it: never identify anything by its signature.
        """
        r, s = signature[:32], signature[32:]
        if len(signature) != SIGNATURE_LENGTH or not (_ZERO < r < _P256_ORDER and _ZERO < s < _P256_ORDER):
            return False
        try:
            self._key.verify(_der(r, s), message, _VERIFY)
        except InvalidSignature:
            return False
        return True

    @property
    def thumbprint(self) -> bytes:
        """SHA-256 COSE key thumbprint (RFC 9679), 32 bytes."""
        point = self._key.public_numbers()
        # {1: 2, -1: 1, -2: x, -3: y}, the required members of an EC2 key in deterministic CBOR
        return sha256(
            b"\xa4\x01\x02\x20\x01\x21\x58\x20" + point.x.to_bytes(32) + b"\x22\x58\x20" + point.y.to_bytes(32)
        ).digest()

    def __eq__(self, other: object) -> bool:
        """Equal when algorithm and point are."""
        if not isinstance(other, VerifyKey):
            return NotImplemented
        return (self.algorithm, self.public_key) == (other.algorithm, other.public_key)

    def __hash__(self) -> int:
        """By algorithm and point."""
        return hash((self.algorithm, self.public_key))

    def __repr__(self) -> str:
        """The kid says which key it is."""
        return f"VerifyKey(kid={key_id(self).hex()})"


def key_id(key: VerifyKey) -> bytes:
    """The kid of a key: the first four bytes of its RFC 9679 thumbprint (our choice).

    Four bytes collide; a verifier has to try every key that has the kid.
    """
    return key.thumbprint[:KID_LENGTH]


class SoftwareSigner:
    """An ES256 key on P-256 in this process, kept in a PKCS#8 PEM file."""

    __slots__ = ("_key", "kid", "public_key")

    algorithm = Algorithm.ES256

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Wrap a P-256 private key of ``cryptography``; raises KeyUseError for any other curve."""
        if not isinstance(key.curve, ec.SECP256R1):
            raise KeyUseError("签名密钥必须是 P-256 密钥", "the signing key has to be a P-256 key")
        self._key = key
        self.public_key = key.public_key().public_bytes(*_COMPRESSED)
        self.kid = key_id(VerifyKey(self.public_key))

    @classmethod
    def generate(cls) -> Self:
        """Make a new key with the system's random source."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: str | Path, password: str | None = None) -> Self:
        """Load a key from a PEM file; raises KeyUseError when there is none that can be used."""
        path = Path(path)
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None if password is None else password.encode())
        except OSError as error:
            raise KeyUseError(
                f"密钥文件读不出来（{error.strerror}）",
                f"the key file cannot be read ({error.strerror})",
                where=str(path),
            ) from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # The library's own words are left out: they describe the inside of a secret file.
            raise KeyUseError(
                "密钥文件不是可用的 PEM 私钥，或口令缺失、多余或不对",
                "the key file is no usable PEM private key, or the pass phrase is missing, needless or wrong",
                where=str(path),
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyUseError("签名密钥必须是 P-256 密钥", "the signing key has to be a P-256 key", where=str(path))
        return cls(key)

    def save(self, path: str | Path, password: str | None = None) -> None:
        """Write the key to a new PEM file, encrypted when a pass phrase is given.

        The file is readable by its owner only, appears whole or not at all, and an existing file is never
        overwritten: KeyUseError, as for any other reason why it cannot be written.
        """
        path = Path(path)
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption(),
        )
        try:
            create(path, b"", private=True)  # takes the name: from here on it is ours to replace
        except OSError as error:
            raise KeyUseError(
                f"不能新建密钥文件（{error.strerror}）；已有的密钥不会被覆盖",
                f"the key file cannot be created ({error.strerror}); an existing key is never overwritten",
                where=str(path),
            ) from None
        try:
            write_atomically(path, pem, private=True)
        except InputError as error:
            path.unlink(missing_ok=True)
            raise KeyUseError(*error.text, where=error.where) from None

    def sign(self, message: bytes) -> bytes:
        """Sign with ES256; 64 bytes ``r || s``, the same for the same message."""
        r, s = decode_dss_signature(self._key.sign(message, _SIGN))
        return r.to_bytes(32) + s.to_bytes(32)

    def __repr__(self) -> str:
        """Names the key, never shows it."""
        return f"SoftwareSigner(kid={self.kid.hex()})"


def _der(r: bytes, s: bytes) -> bytes:
    """``SEQUENCE { INTEGER r, INTEGER s }``, straight from the bytes and without big integers in between."""
    r, s = r.lstrip(b"\0"), s.lstrip(b"\0")
    if r[0] >= 0x80:
        r = b"\0" + r
    if s[0] >= 0x80:
        s = b"\0" + s
    return b"\x30%c\x02%c%b\x02%c%b" % (len(r) + len(s) + 4, len(r), r, len(s), s)
