"""SM2 signatures with SM3 (GM/T 0003.2, GB/T 32918.2) on the recommended curve (GM/T 0003.5).

The signer's distinguishing identifier is ``1234567812345678`` (GM/T 0009), unless a platform wants another one. It goes
into every signature, and programs differ in what they take when nobody says which: so it is never left to a library.

The arithmetic is done by a `Backend`. Here are only the bytes around it: the point in the public key, the digest that
is signed, and the two numbers of a signature, all checked before the backend sees them.
"""

from functools import lru_cache
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from juying.crypto.thumbprint import thumbprint
from juying.errors import KeyUseError

IDENTIFIER = b"1234567812345678"

_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_GENERATOR = bytes.fromhex(
    "32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"
    "BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0"
)
_CURVE = _A.to_bytes(32) + _B.to_bytes(32) + _GENERATOR

# The example of GM/T 0003.5, annex A.
_EXAMPLE_SECRET = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
_EXAMPLE_POINT = bytes.fromhex(
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
_EXAMPLE_MESSAGE = b"message digest"
_EXAMPLE_SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)


class Backend(Protocol):
    """Something that computes on the curve. Points are 64 bytes ``x || y``, secrets 32, signatures DER."""

    def generate(self) -> tuple[bytes, bytes]:
        """A new secret and its point."""

    def sign(self, secret: bytes, digest: bytes) -> bytes:
        """Sign a digest of 32 bytes with a fresh random nonce."""

    def verify(self, point: bytes, digest: bytes, signature: bytes) -> bool:
        """True when the signature is right. Point and signature have been checked for form and range."""


class Sm2PublicKey:
    """A point of the SM2 curve, checked once and with the part of the digest that depends on it alone."""

    __slots__ = ("_backend", "_digest", "_point")

    def __init__(self, point: bytes) -> None:
        """Take a compressed point (33 bytes, SEC 1).

        Raises KeyUseError when it is not one of the curve, or when SM2 is not available here.
        """
        self._point = decompress(point)
        self._backend = backend()
        self._digest = Digest(self._point)

    def verify(self, signature: bytes, message: bytes, identifier: bytes = IDENTIFIER) -> bool:
        """True when ``signature`` (64 bytes ``r || s``) is this key's over ``message``."""
        digest = self._digest if identifier == IDENTIFIER else Digest(self._point, identifier)
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        if len(signature) != 64 or not (0 < r < _N and 0 < s < _N) or r + s == _N:
            return False
        return self._backend.verify(self._point, digest.of(message), encode_dss_signature(r, s))

    @property
    def thumbprint(self) -> bytes:
        """SHA-256 COSE key thumbprint (RFC 9679), 32 bytes.

        The curve has no COSE number; ours is -65600, from the range for private use.
        """
        # {1: 2, -1: -65600, -2: x, -3: y}, the required members of an EC2 key in deterministic CBOR
        return thumbprint(
            b"\xa4\x01\x02\x20\x3a\x00\x01\x00\x3f\x21\x58\x20" + self._point[:32] + b"\x22\x58\x20" + self._point[32:]
        )


class Sm2PrivateKey:
    """A private key on the SM2 curve.

    Its nonces come from the random source that the backend asks the operating system for; there is no standard for
    deterministic ones.
    """

    __slots__ = ("_backend", "_digest", "point", "public_key", "secret")

    def __init__(self, secret: bytes, point: bytes) -> None:
        """Take the secret (32 bytes) and its point (64 bytes ``x || y``).

        Raises KeyUseError when the secret is out of range, the two do not belong together, or SM2 is not available.
        """
        self._backend = backend()
        self.secret = secret
        self.point = point
        self._digest = Digest(point)
        self.public_key = _compress(point)
        in_range = len(secret) == 32 and 0 < int.from_bytes(secret) < _N - 1
        if not in_range or not Sm2PublicKey(self.public_key).verify(self.sign(b""), b""):
            raise KeyUseError(
                "SM2 私钥超出范围，或与文件中的公钥不符",
                "the SM2 private key is out of range, or the public key next to it is not its own",
            )

    @classmethod
    def generate(cls) -> "Sm2PrivateKey":
        """Make a new key with the backend's random source."""
        return cls(*backend().generate())

    def sign(self, message: bytes, identifier: bytes = IDENTIFIER) -> bytes:
        """Sign; 64 bytes ``r || s``, different ones each time."""
        digest = self._digest if identifier == IDENTIFIER else Digest(self.point, identifier)
        r, s = decode_dss_signature(self._backend.sign(self.secret, digest.of(message)))
        return r.to_bytes(32) + s.to_bytes(32)


def decompress(compressed: bytes) -> bytes:
    """A compressed point (33 bytes, SEC 1) as 64 bytes ``x || y``; raises KeyUseError when it is none of the curve."""
    sign, x = compressed[:1], int.from_bytes(compressed[1:])
    square = (x * x * x + _A * x + _B) % _P
    y = pow(square, (_P + 1) // 4, _P)  # the root, if there is one, as p = 3 mod 4
    if len(compressed) != 33 or sign not in (b"\2", b"\3") or x >= _P or y * y % _P != square:
        raise KeyUseError(
            "公钥不是 SM2 曲线上的压缩点（33 字节）",
            "the public key is not a compressed point (33 bytes) of the SM2 curve",
        )
    return compressed[1:] + (y if y % 2 == sign[0] % 2 else _P - y).to_bytes(32)


def _compress(point: bytes) -> bytes:
    """The compressed form of 64 bytes ``x || y``; raises KeyUseError when they are no point of the curve."""
    compressed = (b"\3" if point[-1] % 2 else b"\2") + point[:32]
    if decompress(compressed) != point:
        raise KeyUseError("公钥不在 SM2 曲线上", "the public key is not on the SM2 curve")
    return compressed


class Digest:
    """What SM2 signs for a message: SM3 over a digest of identifier, curve and public key, and the message."""

    __slots__ = ("_started",)

    def __init__(self, point: bytes, identifier: bytes = IDENTIFIER) -> None:
        """Take the public key, 64 bytes ``x || y``, and the identifier, of less than 8192 bytes."""
        self._started = hashes.Hash(hashes.SM3())
        whose = hashes.Hash(hashes.SM3())
        whose.update((len(identifier) * 8).to_bytes(2) + identifier + _CURVE + point)
        self._started.update(whose.finalize())

    def of(self, message: bytes) -> bytes:
        """The digest for a message, 32 bytes."""
        digest = self._started.copy()
        digest.update(message)
        return digest.finalize()


@lru_cache(maxsize=1)
def backend() -> Backend:
    """The backend, which has passed a test with published values; raises KeyUseError when there is none such."""
    from juying.crypto.sm2_gmssl import Gmssl

    try:
        found = Gmssl()
        passed = _passes(found)
    except ImportError:
        raise KeyUseError(
            "此处没有国密算法 SM2；请安装：pip install 'juying[sm]'",
            "SM2 is not available here; install it with: pip install 'juying[sm]'",
        ) from None
    except Exception:  # whatever a broken library raises, the answer is one
        passed = False
    if not passed:
        raise KeyUseError(
            "国密算法 SM2 自检未通过，不予使用；请重新安装 gmssl-pyx 和 cryptography",
            "SM2 failed its self-test and is not used; install gmssl-pyx and cryptography anew",
        )
    return found


def _passes(found: Backend) -> bool:
    """The example of the standard verifies, an altered one does not, and signatures are right and never the same."""
    published = int.from_bytes(_EXAMPLE_SIGNATURE[:32]), int.from_bytes(_EXAMPLE_SIGNATURE[32:])
    digest = Digest(_EXAMPLE_POINT).of(_EXAMPLE_MESSAGE)
    altered = Digest(_EXAMPLE_POINT).of(_EXAMPLE_MESSAGE + b"\0")
    first, second = found.sign(_EXAMPLE_SECRET, digest), found.sign(_EXAMPLE_SECRET, digest)
    return (
        found.verify(_EXAMPLE_POINT, digest, encode_dss_signature(*published))
        and not found.verify(_EXAMPLE_POINT, altered, encode_dss_signature(*published))
        and found.verify(_EXAMPLE_POINT, digest, first)
        and decode_dss_signature(first)[0] != decode_dss_signature(second)[0]  # the same nonce would give the key away
    )
