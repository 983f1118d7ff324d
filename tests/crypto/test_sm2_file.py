"""SM2 key files: read back what was written, read what openssl writes, and nothing else."""

from base64 import b64decode, encodebytes
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.crypto import sm2_file
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.errors import KeyUseError
from tests.crypto.conftest import OpenSsl

SECRET = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
POINT = bytes.fromhex(
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
PASSWORD = "口令 pass"


def der_of(pem: bytes) -> bytes:
    return b64decode(b"".join(pem.splitlines()[1:-1]))


def pem_of(der: bytes, kind: str = "") -> bytes:
    body = encodebytes(der).decode()
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}-----END {kind}PRIVATE KEY-----\n".encode()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sm2_file, "ITERATIONS", 2)


def test_the_file_is_the_one_that_openssl_writes(openssl: OpenSsl) -> None:
    (openssl.folder / "ours.pem").write_bytes(sm2_file.encode(SECRET, POINT, None))
    openssl("pkey", "-in", "ours.pem", "-out", "theirs.pem")
    assert (openssl.folder / "theirs.pem").read_bytes() == (openssl.folder / "ours.pem").read_bytes()


def test_openssl_decrypts_our_file(openssl: OpenSsl) -> None:
    (openssl.folder / "ours.pem").write_bytes(sm2_file.encode(SECRET, POINT, PASSWORD))
    openssl("pkey", "-in", "ours.pem", "-passin", f"pass:{PASSWORD}", "-out", "theirs.pem")
    assert (openssl.folder / "theirs.pem").read_bytes() == sm2_file.encode(SECRET, POINT, None)


@pytest.mark.parametrize("iterations", [1, 127, 128, 2048, 70_000])
def test_we_decrypt_the_file_of_openssl(openssl: OpenSsl, iterations: int) -> None:
    (openssl.folder / "key.pem").write_bytes(sm2_file.encode(SECRET, POINT, None))
    openssl(
        "pkcs8", "-topk8", "-in", "key.pem", "-out", "encrypted.pem", "-passout", f"pass:{PASSWORD}",
        "-iter", str(iterations),
    )  # fmt: skip
    assert sm2_file.decode((openssl.folder / "encrypted.pem").read_bytes(), PASSWORD) == (SECRET, POINT)


@pytest.mark.parametrize("cipher", [["-v2", "aes-128-cbc"], ["-v2prf", "hmacWithSHA512"], ["-scrypt"]])
def test_other_encryptions_are_refused(openssl: OpenSsl, cipher: list[str]) -> None:
    (openssl.folder / "key.pem").write_bytes(sm2_file.encode(SECRET, POINT, None))
    openssl("pkcs8", "-topk8", "-in", "key.pem", "-out", "encrypted.pem", "-passout", "pass:secret", *cipher)
    with pytest.raises(KeyUseError):
        SoftwareSigner.load(openssl.folder / "encrypted.pem", "secret")


def test_salt_and_vector_are_new_each_time(quick: None) -> None:
    assert sm2_file.encode(SECRET, POINT, PASSWORD) != sm2_file.encode(SECRET, POINT, PASSWORD)


def test_many_rounds_protect_a_pass_phrase() -> None:
    assert sm2_file.ITERATIONS >= 600_000


def test_a_file_from_windows_is_read() -> None:
    pem = sm2_file.encode(SECRET, POINT, None).replace(b"\n", b"\r\n")
    assert sm2_file.decode(pem, None) == (SECRET, POINT)


@pytest.mark.parametrize(
    "change",
    [
        lambda der: der[:-1],
        lambda der: der + b"\0",
        lambda der: der.replace(bytes.fromhex("2a811ccf5501822d"), bytes.fromhex("2a811ccf5501822e")),
        lambda der: der.replace(bytes.fromhex("020100"), bytes.fromhex("020101"), 1),
        lambda der: der.replace(b"\x03\x42\x00\x04", b"\x03\x42\x00\x06"),
        lambda der: b"\x30\x82\x00\x87" + der[3:],
        lambda der: b"",
    ],
    ids=["short", "long", "another curve", "another version", "another form", "long length", "nothing"],
)
def test_only_the_one_structure_is_read(change: object) -> None:
    der = change(der_of(sm2_file.encode(SECRET, POINT, None)))
    with pytest.raises(ValueError):  # noqa: PT011
        sm2_file.decode(pem_of(der), None)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"junk",
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMIG=H\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 5000 + b"\n-----END PRIVATE KEY-----\n",
        sm2_file.encode(SECRET, POINT, None).replace(b"END PRIVATE", b"END ENCRYPTED PRIVATE"),
        sm2_file.encode(SECRET, POINT, None).replace(b"PRIVATE", b"EC PRIVATE"),
        sm2_file.encode(SECRET, POINT, None) * 2,
    ],
    ids=["empty", "junk", "no body", "bad base64", "too long", "other end", "other kind", "two keys"],
)
def test_only_one_pem_block_is_read(pem: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        sm2_file.decode(pem, None)


@pytest.mark.parametrize(("written", "given"), [(None, "needless"), ("secret", None), ("secret", "wrong")])
def test_the_pass_phrase_has_to_be_right(quick: None, written: str | None, given: str | None) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        sm2_file.decode(sm2_file.encode(SECRET, POINT, written), given)


def test_rounds_without_end_are_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sm2_file, "pbkdf2_hmac", lambda *_: pytest.fail("begun"))
    for iterations in (0, 10_000_001, 2**64):
        envelope = sm2_file._envelope(bytes(16), iterations, bytes(16), bytes(16))
        with pytest.raises(ValueError):  # noqa: PT011
            sm2_file.decode(pem_of(envelope, "ENCRYPTED "), PASSWORD)


@given(data=st.data())
def test_no_altered_file_is_read(data: st.DataObject) -> None:
    """Every byte counts: a file with one changed, missing or added is refused, and only ever with ValueError."""
    envelope = bytearray(sm2_file._envelope(b"salt" * 4, 2, bytes(16), bytes(144)))
    place = data.draw(st.integers(0, len(envelope) - 1))
    kind = data.draw(st.sampled_from(["change", "drop", "add"]))
    if kind == "change":
        envelope[place] ^= data.draw(st.integers(1, 255))
    elif kind == "drop":
        del envelope[place]
    else:
        envelope.insert(place, data.draw(st.integers(0, 255)))
    with pytest.raises(ValueError):  # noqa: PT011
        sm2_file.decode(pem_of(bytes(envelope), "ENCRYPTED "), PASSWORD)


def test_an_sm2_key_next_to_another_public_key_is_refused(tmp_path: Path) -> None:
    other = SoftwareSigner.generate(Algorithm.SM2)
    other.save(tmp_path / "other.pem")
    point = der_of((tmp_path / "other.pem").read_bytes())[-64:]
    (tmp_path / "key.pem").write_bytes(sm2_file.encode(SECRET, point, None))
    with pytest.raises(KeyUseError, match="not its own") as caught:
        SoftwareSigner.load(tmp_path / "key.pem")
    assert caught.value.where == str(tmp_path / "key.pem")
