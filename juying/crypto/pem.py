"""Private keys as PKCS#8 PEM (RFC 5958): what `cryptography` knows by that library, SM2 by `sm2_file`."""

from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from juying.crypto import sm2_file
from juying.crypto.sm2 import Sm2PrivateKey

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | Sm2PrivateKey


def encode(key: PrivateKey, password: str | None) -> bytes:
    """The PEM file of a key, encrypted when a pass phrase is given."""
    if isinstance(key, Sm2PrivateKey):
        return sm2_file.encode(key.secret, key.point, password)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption(),
    )


def decode(pem: bytes, password: str | None) -> PrivateKey:
    """The key of a PEM file.

    Raises ValueError when there is none of these, and when the pass phrase is missing, needless or wrong; raises
    KeyUseError when the SM2 key cannot be used.
    """
    try:
        key = serialization.load_pem_private_key(pem, password.encode() if password else None)
    except UnsupportedAlgorithm:
        return Sm2PrivateKey(*sm2_file.decode(pem, password))  # the library does not know the SM2 curve
    except TypeError:  # how the library says that the pass phrase is missing or needless
        raise ValueError from None
    if not isinstance(key, PrivateKey):
        raise ValueError
    return key
