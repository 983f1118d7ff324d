"""Signing and verifying behind a small interface, with three algorithms.

A `Signer` signs and never returns its key, so a token or an HSM can take the place of `SoftwareSigner`.
Signatures travel as raw ``r || s`` (RFC 9053, 2.1); DER exists only between an algorithm's module and its library.
"""

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from juying.crypto.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from juying.crypto.p256 import P256PrivateKey, P256PublicKey
from juying.crypto.sm2 import Sm2PrivateKey, Sm2PublicKey
from juying.errors import InputError, KeyUseError
from juying.files import create, write_atomically

if TYPE_CHECKING:
    from juying.crypto.pem import PrivateKey

KID_LENGTH = 4
SIGNATURE_LENGTH = 64


class Algorithm(IntEnum):
    """The signature algorithms that count, each by the COSE number that we write. There are no others."""

    ES256 = -7
    ED25519 = -8
    SM2 = -65600
    """SM2 with SM3. COSE has no number for it; this one is our choice from the range for private use."""

    def covers(self, number: int) -> bool:
        """True when a header that states ``number`` means this algorithm.

        ES256 is also known as ESP256, number -9, and Ed25519 has got -19 next to -8, EdDSA (RFC 9864).
        """
        return number in _NUMBERS[self]


_NUMBERS = {Algorithm.ES256: (-7, -9), Algorithm.ED25519: (-8, -19), Algorithm.SM2: (-65600,)}


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
        """The public key as `VerifyKey` takes it: 33 bytes for ES256 and SM2, 32 for Ed25519."""

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes ``r || s``."""


class _PublicKey(Protocol):
    """What a module of an algorithm has to offer for verifying."""

    @property
    def thumbprint(self) -> bytes: ...

    def verify(self, signature: bytes, message: bytes) -> bool: ...


class VerifyKey:
    """A public key, checked and loaded once, then used any number of times."""

    __slots__ = ("_key", "algorithm", "public_key")

    def __init__(self, public_key: bytes, algorithm: Algorithm = Algorithm.ES256) -> None:
        """Take the key's compressed point: 33 bytes (SEC 1) for ES256 and SM2, 32 (RFC 8032) for Ed25519.

        Raises KeyUseError when it is not a usable point of the curve, and for SM2 when that is not installed.
        """
        self._key = _PUBLIC_KEYS[algorithm](public_key)
        self.public_key = public_key
        self.algorithm = algorithm

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True when ``signature`` (64 bytes) is this key's over ``message``.

        With ES256 ``(r, n - s)`` is as good as ``(r, s)``, as ECDSA has it: never identify anything by its signature.
        """
        return self._key.verify(signature, message)

    @property
    def thumbprint(self) -> bytes:
        """SHA-256 COSE key thumbprint (RFC 9679), 32 bytes."""
        return self._key.thumbprint

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


_PUBLIC_KEYS: dict[Algorithm, Callable[[bytes], _PublicKey]] = {
    Algorithm.ES256: P256PublicKey,
    Algorithm.ED25519: Ed25519PublicKey,
    Algorithm.SM2: Sm2PublicKey,
}


def key_id(key: VerifyKey) -> bytes:
    """The kid of a key: the first four bytes of its RFC 9679 thumbprint (our choice).

    Four bytes collide; a verifier has to try every key that has the kid.
    """
    return key.thumbprint[:KID_LENGTH]


class SoftwareSigner:
    """A key in this process, kept in a PKCS#8 PEM file."""

    __slots__ = ("_key", "_private", "algorithm", "kid", "public_key")

    def __init__(self, key: "PrivateKey") -> None:
        """Wrap a private key; raises KeyUseError when it is of no algorithm of ours."""
        self._private = key
        self._key: P256PrivateKey | Ed25519PrivateKey | Sm2PrivateKey
        if isinstance(key, ec.EllipticCurvePrivateKey):
            self._key, self.algorithm = P256PrivateKey(key), Algorithm.ES256
        elif isinstance(key, ed25519.Ed25519PrivateKey):
            self._key, self.algorithm = Ed25519PrivateKey(key), Algorithm.ED25519
        else:
            self._key, self.algorithm = key, Algorithm.SM2
        self.public_key = self._key.public_key
        self.kid = key_id(VerifyKey(self.public_key, self.algorithm))

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.ES256) -> Self:
        """Make a new key with the system's random source; raises KeyUseError for SM2 where it is not installed."""
        return cls(_GENERATORS[algorithm]())

    @classmethod
    def load(cls, path: str | Path, password: str | None = None) -> Self:
        """Load a key of any algorithm from a PEM file; raises KeyUseError when there is none that can be used."""
        from juying.crypto import pem  # key files are for issuers; terminals start without

        path = Path(path)
        try:
            return cls(pem.decode(path.read_bytes(), password))
        except OSError as error:
            raise KeyUseError(
                f"密钥文件读不出来（{error.strerror}）",
                f"the key file cannot be read ({error.strerror})",
                where=str(path),
            ) from None
        except KeyUseError as error:
            raise KeyUseError(*error.text, where=str(path)) from None
        except ValueError:
            # The library's own words are left out: they describe the inside of a secret file.
            raise KeyUseError(
                "密钥文件不是 P-256、Ed25519 或 SM2 的 PKCS#8 PEM 私钥，或口令缺失、多余或不对",
                "the key file is no PKCS#8 PEM private key for P-256, Ed25519 or SM2, or the pass phrase is missing, "
                "needless or wrong",
                where=str(path),
            ) from None

    def save(self, path: str | Path, password: str | None = None) -> None:
        """Write the key to a new PEM file, encrypted when a pass phrase is given.

        The file is readable by its owner only, appears whole or not at all, and an existing file is never
        overwritten: KeyUseError, as for any other reason why it cannot be written.
        """
        from juying.crypto import pem

        path = Path(path)
        data = pem.encode(self._private, password)
        try:
            create(path, b"", private=True)  # takes the name: from here on it is ours to replace
        except OSError as error:
            raise KeyUseError(
                f"不能新建密钥文件（{error.strerror}）；已有的密钥不会被覆盖",
                f"the key file cannot be created ({error.strerror}); an existing key is never overwritten",
                where=str(path),
            ) from None
        try:
            write_atomically(path, data, private=True)
        except InputError as error:
            path.unlink(missing_ok=True)
            raise KeyUseError(*error.text, where=error.where) from None

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes ``r || s``. The same for the same message with ES256 and Ed25519, never with SM2."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        """Names the key, never shows it."""
        return f"SoftwareSigner(kid={self.kid.hex()})"


_GENERATORS: "dict[Algorithm, Callable[[], PrivateKey]]" = {
    Algorithm.ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
    Algorithm.ED25519: ed25519.Ed25519PrivateKey.generate,
    Algorithm.SM2: Sm2PrivateKey.generate,
}
