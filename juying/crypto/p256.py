"""ES256: ECDSA with SHA-256 on the curve P-256 (FIPS 186-5), by `cryptography`."""

from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from juying.crypto.thumbprint import thumbprint
from juying.errors import KeyUseError

_ZERO = bytes(32)
_ORDER = bytes.fromhex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551")
_VERIFY = ec.ECDSA(hashes.SHA256())


class P256PublicKey:
    """A point of P-256, checked once."""

    __slots__ = ("_key",)

    def __init__(self, point: bytes) -> None:
        """Take a compressed point (33 bytes, SEC 1); raises KeyUseError when it is not one of the curve."""
        try:
            if len(point) != 33:
                raise ValueError
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError:
            raise KeyUseError(
                "公钥不是 P-256 曲线上的压缩点（33 字节）",
                "the public key is not a compressed point (33 bytes) of the curve P-256",
            ) from None

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True when ``signature`` (64 bytes ``r || s``) is this key's over ``message``."""
        r, s = signature[:32], signature[32:]
        if len(signature) != 64 or not (_ZERO < r < _ORDER and _ZERO < s < _ORDER):
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
        return thumbprint(
            b"\xa4\x01\x02\x20\x01\x21\x58\x20" + point.x.to_bytes(32) + b"\x22\x58\x20" + point.y.to_bytes(32)
        )


class P256PrivateKey:
    """A private key on P-256."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Wrap a key of `cryptography`; raises KeyUseError for any curve but P-256."""
        if not isinstance(key.curve, ec.SECP256R1):
            raise KeyUseError("椭圆曲线须为 P-256 或 SM2", "the elliptic curve has to be P-256 or SM2")
        self._key = key
        point = key.public_key().public_numbers()
        self.public_key = (b"\3" if point.y % 2 else b"\2") + point.x.to_bytes(32)

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes ``r || s``, the same for the same message."""
        r, s = decode_dss_signature(self._key.sign(message, _signing()))
        return r.to_bytes(32) + s.to_bytes(32)


@cache
def _signing() -> ec.ECDSA:
    """Without a random nonce (RFC 6979): a bad random source cannot betray the key.

    Making it loads much of the library, which nobody needs who only verifies.
    """
    return ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


def _der(r: bytes, s: bytes) -> bytes:
    """``SEQUENCE { INTEGER r, INTEGER s }``, straight from the bytes and without big integers in between."""
    r, s = r.lstrip(b"\0"), s.lstrip(b"\0")
    if r[0] >= 0x80:
        r = b"\0" + r
    if s[0] >= 0x80:
        s = b"\0" + s
    return b"\x30%c\x02%c%b\x02%c%b" % (len(r) + len(s) + 4, len(r), r, len(s), s)
