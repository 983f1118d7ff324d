"""Ed25519: published vectors, and the points and signatures that a lenient library lets pass."""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cbor
from juying.crypto.signing import Algorithm, SoftwareSigner, VerifyKey
from juying.errors import KeyUseError

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493

# RFC 8032, 7.1, tests 1 to 3: secret, public key, message, signature
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
        "eeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
        "8dc027beceea1ec40a",
    ),
]


def encoded(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS, ids=["test 1", "test 2", "test 3"])
def test_vectors_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    signer = SoftwareSigner(ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)))
    assert signer.public_key.hex() == public
    assert signer.sign(bytes.fromhex(message)).hex() == signature
    assert VerifyKey(bytes.fromhex(public), Algorithm.ED25519).verify(bytes.fromhex(signature), bytes.fromhex(message))


def test_the_thumbprint_is_that_of_an_okp_key() -> None:
    public = bytes.fromhex(VECTORS[0][1])
    key = VerifyKey(public, Algorithm.ED25519)
    required = cbor.encode({1: 1, -1: 6, -2: public})
    assert required.hex().startswith("a3010120062158")
    assert key.thumbprint == sha256(required).digest()


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize(
    "y",
    [
        0,
        1,
        FIELD - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    ],
    ids=["order 4", "neutral element", "order 2", "order 8", "order 8, other y"],
)
def test_points_of_small_order_are_refused(y: int, sign: int) -> None:
    """Under such a key anybody can sign."""
    ed25519.Ed25519PublicKey.from_public_bytes(encoded(y, sign))  # the library takes it
    with pytest.raises(KeyUseError, match="Ed25519"):
        VerifyKey(encoded(y, sign), Algorithm.ED25519)


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        bytes.fromhex(VECTORS[0][1])[:-1],
        bytes.fromhex(VECTORS[0][1]) + b"\0",
        encoded(2),
        encoded(FIELD),
        encoded(FIELD + 3),
        b"\xff" * 32,
    ],
    ids=["empty", "short", "long", "not on the curve", "beyond the field", "3 in another form", "all ones"],
)
def test_invalid_points_are_refused(public_key: bytes) -> None:
    with pytest.raises(KeyUseError, match="Ed25519"):
        VerifyKey(public_key, Algorithm.ED25519)


@given(secret=st.binary(min_size=32, max_size=32))
def test_every_point_that_belongs_to_a_secret_is_taken(secret: bytes) -> None:
    signer = SoftwareSigner(ed25519.Ed25519PrivateKey.from_private_bytes(secret))
    assert VerifyKey(signer.public_key, Algorithm.ED25519).verify(signer.sign(b""), b"")


def test_a_signature_with_the_order_added_is_refused() -> None:
    """S + L fits into 32 bytes and satisfies the equation; it would be a second signature of the same message."""
    signer = SoftwareSigner.generate(Algorithm.ED25519)
    signature = signer.sign(b"message")
    malleated = signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    assert not VerifyKey(signer.public_key, Algorithm.ED25519).verify(malleated, b"message")
