"""Keys: published vectors, the openssl command as a second opinion, and files that keep a secret."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cbor, cose
from juying.crypto import p256
from juying.crypto.signing import Algorithm, SoftwareSigner, VerifyKey, key_id
from juying.errors import KeyUseError

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def point(x: str, y: str) -> bytes:
    return bytes([2 + int(y[-1], 16) % 2]) + bytes.fromhex(x)


# RFC 8392, A.2.3 and A.3
CWT_KEY = point(
    "143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f0f",
    "60f7f1a780d8a783bfb7a2dd6b2796e8128dbbcef9d3d168db9529971a36e7b9",
)
CWT = bytes.fromhex(
    "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d706c652e636f6d02"
    "656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b"
    "7158405427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01f85951ecee743a"
    "52b9b63632c57209120e1c9e30"
)
# RFC 8152 (RFC 9052), C.2.1, signed with the key "11"
SIGN1_KEY = point(
    "bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff",
    "20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e",
)
SIGN1 = bytes.fromhex(
    "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c"
    "083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36"
)


@pytest.mark.parametrize(("public_key", "message"), [(CWT_KEY, CWT), (SIGN1_KEY, SIGN1)], ids=["RFC 8392", "RFC 9052"])
def test_published_signatures_verify(public_key: bytes, message: bytes) -> None:
    protected, _, payload, signature = cbor.decode(message[1:])
    key = VerifyKey(public_key)
    assert key.verify(signature, cose.to_be_signed(protected, payload))
    assert not key.verify(signature, cose.to_be_signed(protected, payload + b"\0"))


def test_thumbprint_of_rfc_9679() -> None:
    key = VerifyKey(
        point(
            "65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d",
            "1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c",
        )
    )
    assert key.thumbprint.hex() == "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
    assert key_id(key).hex() == "496bd8af"


def test_signing_is_deterministic_as_rfc_6979_a_2_5_has_it() -> None:
    secret = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    signer = SoftwareSigner(ec.derive_private_key(secret, ec.SECP256R1()))
    assert signer.sign(b"sample").hex() == (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )


def test_openssl_verifies_ours_and_we_verify_its(tmp_path: Path) -> None:
    signer = SoftwareSigner.generate()
    signer.save(tmp_path / "key.pem")
    message = b"the permit of an invented person"
    (tmp_path / "message").write_bytes(message)
    signature = signer.sign(message)
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    (tmp_path / "ours").write_bytes(der)

    def openssl(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, check=True).stdout

    openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem")
    verified = openssl("dgst", "-sha256", "-verify", "public.pem", "-signature", "ours", "message")
    assert verified == b"Verified OK\n"

    r, s = decode_dss_signature(openssl("dgst", "-sha256", "-sign", "key.pem", "message"))
    assert VerifyKey(signer.public_key).verify(r.to_bytes(32) + s.to_bytes(32), message)


def test_the_other_half_of_an_ecdsa_signature_is_accepted_too() -> None:
    """(r, n - s) is valid for anybody who can compute n - s: so nothing may be identified by a signature."""
    signer = SoftwareSigner.generate()
    signature = signer.sign(b"message")
    other = signature[:32] + (ORDER - int.from_bytes(signature[32:])).to_bytes(32)
    assert other != signature
    assert VerifyKey(signer.public_key).verify(other, b"message")


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 1), (1, 0), (0, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 2**256 - 1)],
    ids=["r = 0", "s = 0", "both 0", "r = n", "s = n", "all ones"],
)
def test_numbers_out_of_range_are_no_signature(r: int, s: int) -> None:
    assert not VerifyKey(CWT_KEY).verify(r.to_bytes(32) + s.to_bytes(32), b"")


@pytest.mark.parametrize("length", [0, 63, 65, 128])
def test_a_signature_has_64_bytes(length: int) -> None:
    assert not VerifyKey(CWT_KEY).verify(b"\x01" * length, b"")


@given(r=st.integers(1, ORDER - 1), s=st.integers(1, ORDER - 1), shift=st.integers(0, 255))
def test_our_der_is_the_one_of_the_library(r: int, s: int, shift: int) -> None:
    r = max(1, r >> shift)
    assert p256._der(r.to_bytes(32), s.to_bytes(32)) == encode_dss_signature(r, s)


def test_numbers_with_many_leading_zeros_still_verify() -> None:
    """One of about 256 signatures has a short number; such ones have to pass like all others."""
    signer = SoftwareSigner(ec.derive_private_key(7, ec.SECP256R1()))
    key = VerifyKey(signer.public_key)
    short = 0
    for number in range(1500):
        message = number.to_bytes(2)
        signature = signer.sign(message)
        if signature[0] == 0 or signature[32] == 0:
            short += 1
            assert key.verify(signature, message)
    assert short


def test_another_key_or_message_does_not_verify() -> None:
    signer = SoftwareSigner.generate()
    signature = signer.sign(b"message")
    assert VerifyKey(signer.public_key).verify(signature, b"message")
    assert not VerifyKey(signer.public_key).verify(signature, b"massage")
    assert not VerifyKey(SoftwareSigner.generate().public_key).verify(signature, b"message")


@pytest.mark.parametrize(
    "public_key",
    [b"", CWT_KEY[:-1], b"\x04" + CWT_KEY[1:], b"\x02" + b"\xff" * 32, b"\x02" + bytes(31) + b"\x01", bytes(33)],
    ids=["empty", "short", "wrong form", "beyond the field", "not on the curve", "infinity"],
)
def test_invalid_points_are_refused(public_key: bytes) -> None:
    with pytest.raises(KeyUseError):
        VerifyKey(public_key)


def test_keys_are_values() -> None:
    assert VerifyKey(CWT_KEY) == VerifyKey(CWT_KEY)
    assert VerifyKey(CWT_KEY) != VerifyKey(SIGN1_KEY)
    assert VerifyKey(CWT_KEY) != "key"
    assert len({VerifyKey(CWT_KEY), VerifyKey(CWT_KEY), VerifyKey(SIGN1_KEY)}) == 2


def test_es256_goes_by_two_numbers() -> None:
    assert Algorithm.ES256.covers(-7)
    assert Algorithm.ES256.covers(-9)
    assert not any(Algorithm.ES256.covers(number) for number in (-8, -19, -65600, 0, 7))


@pytest.mark.parametrize("password", [None, "pass phrase 口令"])
def test_a_saved_key_is_the_same_key_when_loaded(tmp_path: Path, password: str | None) -> None:
    signer = SoftwareSigner.generate()
    signer.save(tmp_path / "key.pem", password)
    loaded = SoftwareSigner.load(str(tmp_path / "key.pem"), password)
    assert (loaded.kid, loaded.public_key) == (signer.kid, signer.public_key)
    assert loaded.sign(b"message") == signer.sign(b"message")
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


def test_a_pass_phrase_encrypts_the_file(tmp_path: Path) -> None:
    SoftwareSigner.generate().save(tmp_path / "key.pem", "secret")
    assert b"ENCRYPTED" in (tmp_path / "key.pem").read_bytes()


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        SoftwareSigner.generate().save(tmp_path / "key.pem")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("something dear")
    with pytest.raises(KeyUseError, match="never overwritten"):
        SoftwareSigner.generate().save(path)
    assert path.read_text() == "something dear"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(_descriptor: int) -> None:
        if any(path.stat().st_size for path in tmp_path.iterdir()):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(KeyUseError, match="No space left"):
        SoftwareSigner.generate().save(tmp_path / "key.pem")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(KeyUseError):
        SoftwareSigner.generate().save(tmp_path / "none" / "key.pem")
    with pytest.raises(KeyUseError):
        SoftwareSigner.load(tmp_path / "none" / "key.pem")


@pytest.mark.parametrize(("saved", "given_password"), [("right", "wrong"), ("right", None), (None, "needless")])
def test_the_pass_phrase_has_to_be_right(tmp_path: Path, saved: str | None, given_password: str | None) -> None:
    SoftwareSigner.generate().save(tmp_path / "key.pem", saved)
    with pytest.raises(KeyUseError) as caught:
        SoftwareSigner.load(tmp_path / "key.pem", given_password)
    assert "wrong" not in str(caught.value).replace("needless or wrong", "")
    assert caught.value.where.endswith("key.pem")


def pem_of(key: ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key at all",
        pem_of(x25519.X25519PrivateKey.generate()),
        pem_of(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=["empty", "garbage", "X25519", "P-384"],
)
def test_only_keys_of_our_algorithms_are_loaded(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(KeyUseError):
        SoftwareSigner.load(tmp_path / "key.pem")


def test_no_repr_shows_a_key() -> None:
    signer = SoftwareSigner.generate()
    assert repr(signer) == f"SoftwareSigner(kid={signer.kid.hex()})"
    assert repr(VerifyKey(signer.public_key)) == f"VerifyKey(kid={signer.kid.hex()})"
