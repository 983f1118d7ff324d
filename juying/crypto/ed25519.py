"""Ed25519 (RFC 8032), by `cryptography`."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from juying.crypto.thumbprint import thumbprint
from juying.errors import KeyUseError

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P  # the curve is -x² + y² = 1 + d x² y²
_SIGN_BIT = 1 << 255


class Ed25519PublicKey:
    """A point of edwards25519, checked once."""

    __slots__ = ("_encoded", "_key")

    def __init__(self, point: bytes) -> None:
        """Take an encoded point (32 bytes, RFC 8032, 5.1.2).

        Raises KeyUseError when it is not one of the curve, not in canonical form, or one of the eight of small
        order, under which anybody can sign. The library itself takes any 32 bytes.
        """
        if len(point) != 32 or not _is_sound(int.from_bytes(point, "little") & ~_SIGN_BIT):
            raise KeyUseError(
                "公钥不是 Ed25519 曲线上可用的点（32 字节）",
                "the public key is not a usable point (32 bytes) of the curve of Ed25519",
            )
        self._encoded = point
        self._key = ed25519.Ed25519PublicKey.from_public_bytes(point)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True when ``signature`` (64 bytes ``R || S``) is this key's over ``message``."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    @property
    def thumbprint(self) -> bytes:
        """SHA-256 COSE key thumbprint (RFC 9679), 32 bytes."""
        # {1: 1, -1: 6, -2: x}, the required members of an OKP key in deterministic CBOR
        return thumbprint(b"\xa3\x01\x01\x20\x06\x21\x58\x20" + self._encoded)


class Ed25519PrivateKey:
    """A private key for Ed25519."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        """Wrap a key of `cryptography`."""
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes ``R || S``, the same for the same message."""
        return self._key.sign(message)


def _is_sound(y: int) -> bool:
    """True when ``y`` belongs to a point of the curve whose order is not 1, 2, 4 or 8."""
    square = y * y % _P
    # x = 0 for orders 1 and 2, y = 0 for order 4, y² = -x² for order 8, as doubling shows
    small = y * (square - 1) * (_D * square * square + 2 * square - 1) % _P == 0
    # x² = (y² - 1) / (d y² + 1) has to be a square, and a quotient is one when the product is
    on_curve = pow((square - 1) * (_D * square + 1), (_P - 1) // 2, _P) == 1
    return y < _P and on_curve and not small
