"""COSE key thumbprints (RFC 9679)."""


def thumbprint(required: bytes) -> bytes:
    """The SHA-256 thumbprint, 32 bytes, of the required members of a key in deterministic CBOR."""
    from hashlib import sha256  # loading it takes longer than verifying, which needs no thumbprint

    return sha256(required).digest()
