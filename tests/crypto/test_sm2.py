"""SM2: the standard's example, the identifier, hostile signatures and points, and a library that is missing or bad."""

import os
import subprocess
import sys
from base64 import encodebytes
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import gmssl_pyx
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cbor
from juying.crypto import sm2, sm2_gmssl
from juying.crypto.signing import Algorithm, SoftwareSigner, VerifyKey
from juying.crypto.sm2 import Sm2PrivateKey
from juying.errors import KeyUseError
from tests.crypto.conftest import OpenSsl

FIELD = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123

# GM/T 0003.5, annex A
SECRET = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
X = bytes.fromhex("09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020")
Y = bytes.fromhex("CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13")
PUBLIC = b"\x03" + X
MESSAGE = b"message digest"
SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
# SubjectPublicKeyInfo { { id-ecPublicKey, sm2 }, 04 || point }
SUBJECT = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")


@pytest.fixture
def fresh_backend() -> Iterator[None]:
    """The backend is looked for, and tested, once more; and again by whoever comes later."""
    sm2.backend.cache_clear()
    yield
    sm2.backend.cache_clear()


def test_the_example_of_the_standard(openssl: OpenSsl) -> None:
    assert VerifyKey(PUBLIC, Algorithm.SM2).verify(SIGNATURE, MESSAGE)
    body = encodebytes(SUBJECT + X + Y).decode()
    (openssl.folder / "public.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n")
    (openssl.folder / "message").write_bytes(MESSAGE)
    (openssl.folder / "signature").write_bytes(
        encode_dss_signature(int.from_bytes(SIGNATURE[:32]), int.from_bytes(SIGNATURE[32:]))
    )
    verified = openssl(
        "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-digest", "sm3",
        "-pkeyopt", "distid:1234567812345678", "-in", "message", "-sigfile", "signature",
    )  # fmt: skip
    assert verified == "Signature Verified Successfully\n"


def test_a_key_of_the_standards_example_signs(openssl: OpenSsl) -> None:
    signer = SoftwareSigner(Sm2PrivateKey(SECRET, X + Y))
    assert signer.public_key == PUBLIC
    signer.save(openssl.folder / "key.pem")
    assert openssl.verifies("key.pem", Algorithm.SM2, signer.sign(MESSAGE), MESSAGE)


@pytest.mark.parametrize("other", ["hexdistid:", "distid:TLSv1.3+GM+Cipher+Suite", "distid:1234567812345679"])
def test_wrong_sm2_id(openssl: OpenSsl, other: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The same key and message, but another distinguishing identifier (none, as OpenSSL 3 takes by default)."""
    signer = SoftwareSigner.generate(Algorithm.SM2)
    signer.save(openssl.folder / "key.pem")
    theirs = openssl.sign("key.pem", Algorithm.SM2, MESSAGE, sm2_id=other)
    assert not VerifyKey(signer.public_key, Algorithm.SM2).verify(theirs, MESSAGE)
    assert not openssl.verifies("key.pem", Algorithm.SM2, signer.sign(MESSAGE), MESSAGE, sm2_id=other)
    assert openssl.verifies("key.pem", Algorithm.SM2, theirs, MESSAGE, sm2_id=other)
    assert capfd.readouterr() == ("", "")


R, S = int.from_bytes(SIGNATURE[:32]), int.from_bytes(SIGNATURE[32:])


@pytest.mark.parametrize(
    ("r", "s"),
    [(R, ORDER - S), (ORDER - R, S), (S, R), (R, (S + R) % ORDER), (R ^ 1, S), (R, S ^ 1), (1, 1), (ORDER - 1, 2)],
    ids=["n - s", "n - r", "swapped", "s + r", "bit of r", "bit of s", "ones", "r + s = n + 1"],
)
def test_a_malleated_signature_is_wrong_and_nothing_reaches_the_terminal(
    r: int, s: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not VerifyKey(PUBLIC, Algorithm.SM2).verify(r.to_bytes(32) + s.to_bytes(32), MESSAGE)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 1), (1, 0), (0, 0), (ORDER, 1), (1, ORDER), (R, ORDER - R), (2**256 - 1, 2**256 - 1)],
    ids=["r = 0", "s = 0", "both 0", "r = n", "s = n", "r + s = n", "all ones"],
)
def test_numbers_out_of_range_never_get_to_the_library(
    r: int, s: int, fresh_backend: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = VerifyKey(PUBLIC, Algorithm.SM2)
    monkeypatch.setattr(key._key._backend, "_verify", lambda *_: pytest.fail("called"))
    assert not key.verify(r.to_bytes(32) + s.to_bytes(32), MESSAGE)


def test_a_signature_that_leads_to_infinity_is_just_wrong() -> None:
    """Whoever has the secret can choose r and s so that s G + (r + s) P is the point at infinity."""
    s = 0x1234567890
    t = -s * pow(int.from_bytes(SECRET), -1, ORDER) % ORDER
    r = (t - s) % ORDER
    assert not VerifyKey(PUBLIC, Algorithm.SM2).verify(r.to_bytes(32) + s.to_bytes(32), MESSAGE)


@given(r=st.integers(1, ORDER - 1), s=st.integers(1, ORDER - 1), message=st.binary(max_size=100))
def test_no_numbers_at_random_verify(r: int, s: int, message: bytes) -> None:
    assert not VerifyKey(PUBLIC, Algorithm.SM2).verify(r.to_bytes(32) + s.to_bytes(32), message)


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        PUBLIC[:-1],
        PUBLIC + b"\0",
        b"\x04" + X + Y,
        b"\x04" + X,
        b"\x02" + b"\xff" * 32,
        b"\x02" + (FIELD + 1).to_bytes(32),
        b"\x02" + bytes(31) + b"\x04",
        bytes(33),
        b"\0",
    ],
    ids=[
        "empty", "short", "long", "not compressed", "wrong form", "beyond the field", "x in another form",
        "not on the curve", "zeros", "infinity",
    ],
)  # fmt: skip
def test_invalid_points_are_refused(public_key: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyUseError, match="SM2 curve"):
        VerifyKey(public_key, Algorithm.SM2)
    assert capfd.readouterr() == ("", "")


def test_both_roots_are_found() -> None:
    assert sm2.decompress(PUBLIC) == X + Y
    assert sm2.decompress(b"\x02" + X) == X + (FIELD - int.from_bytes(Y)).to_bytes(32)


def test_the_thumbprint_is_that_of_an_ec2_key_on_a_curve_for_private_use() -> None:
    required = cbor.encode({1: 2, -1: -65600, -2: X, -3: Y})
    assert VerifyKey(PUBLIC, Algorithm.SM2).thumbprint == sha256(required).digest()


@pytest.mark.parametrize(
    "secret",
    [bytes(32), (ORDER - 1).to_bytes(32), ORDER.to_bytes(32), b"\xff" * 32, b"\1" * 31, (1).to_bytes(32)],
    ids=["0", "n - 1", "n", "all ones", "short", "of another point"],
)
def test_a_secret_that_is_out_of_range_or_not_the_points_is_refused(
    secret: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyUseError, match="private key") as caught:
        Sm2PrivateKey(secret, X + Y)
    assert secret.hex() not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_point_off_the_curve_is_refused() -> None:
    with pytest.raises(KeyUseError, match="not on the SM2 curve"):
        Sm2PrivateKey(SECRET, X + Y[:-1] + b"\x15")


def test_every_signature_has_its_own_nonce() -> None:
    signer = SoftwareSigner(Sm2PrivateKey(SECRET, X + Y))
    assert len({signer.sign(MESSAGE)[:32] for _ in range(20)}) == 20


def library(**changes: object) -> SimpleNamespace:
    names = ("sm2_key_generate", "sm2_sign_sm3_digest", "sm2_verify_sm3_digest", "GmsslInnerError")
    return SimpleNamespace(**{**{name: getattr(gmssl_pyx, name) for name in names}, **changes})


def failing(*_: object) -> bytes:
    raise gmssl_pyx.GmsslInnerError


SAME = gmssl_pyx.sm2_sign_sm3_digest(SECRET, sm2.Digest(X + Y).of(MESSAGE))


@pytest.mark.parametrize(
    "changes",
    [
        {"sm2_verify_sm3_digest": lambda *_: True},
        {"sm2_verify_sm3_digest": lambda *_: False},
        {"sm2_verify_sm3_digest": lambda *_: 1},
        {"sm2_verify_sm3_digest": failing},
        {"sm2_sign_sm3_digest": lambda *_: SAME},
        {"sm2_sign_sm3_digest": failing},
        {"sm2_sign_sm3_digest": lambda *_: b"junk"},
        {"sm2_sign_sm3_digest": lambda *_: encode_dss_signature(os.getpid(), 5)},
    ],
    ids=[
        "everything verifies", "nothing verifies", "not a truth value", "verifying fails", "the same nonce twice",
        "signing fails", "no DER", "wrong signatures",
    ],
)  # fmt: skip
def test_a_library_that_fails_the_self_test_is_not_used(
    changes: dict[str, object], fresh_backend: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gmssl_pyx", library(**changes))
    for use in (lambda: VerifyKey(PUBLIC, Algorithm.SM2), lambda: SoftwareSigner.generate(Algorithm.SM2)):
        with pytest.raises(KeyUseError, match="self-test"):
            use()


def test_an_older_library_is_not_used(fresh_backend: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmssl_pyx", SimpleNamespace())
    with pytest.raises(KeyUseError, match="install gmssl-pyx"):
        VerifyKey(PUBLIC, Algorithm.SM2)


def test_without_the_extra_the_message_says_what_to_install(
    tmp_path: Path, fresh_backend: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    SoftwareSigner.generate(Algorithm.SM2).save(tmp_path / "key.pem")
    sm2.backend.cache_clear()
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    for use in (
        lambda: VerifyKey(PUBLIC, Algorithm.SM2),
        lambda: SoftwareSigner.generate(Algorithm.SM2),
        lambda: SoftwareSigner.load(tmp_path / "key.pem"),
    ):
        with pytest.raises(KeyUseError, match=r"pip install 'juying\[sm\]'"):
            use()
    assert SoftwareSigner.generate(Algorithm.ES256).algorithm is Algorithm.ES256


def test_the_library_is_imported_for_sm2_only() -> None:
    program = (
        "import sys; from juying.crypto.signing import Algorithm, SoftwareSigner;"
        "[SoftwareSigner.generate(a) for a in (Algorithm.ES256, Algorithm.ED25519)];"
        "sys.exit('gmssl_pyx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_signing_that_fails_later_is_a_key_error(fresh_backend: None, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = SoftwareSigner.generate(Algorithm.SM2)
    monkeypatch.setattr(sm2.backend(), "_sign", failing)
    with pytest.raises(KeyUseError, match="cannot sign"):
        signer.sign(MESSAGE)


def test_verifying_that_fails_later_is_no_signature(fresh_backend: None, monkeypatch: pytest.MonkeyPatch) -> None:
    key = VerifyKey(PUBLIC, Algorithm.SM2)
    monkeypatch.setattr(sm2.backend(), "_verify", failing)
    assert not key.verify(SIGNATURE, MESSAGE)


WRONG = "00" * 31 + "01" + "00" * 31 + "01"
VERIFY = f"""
import os, sys, threading
from juying.crypto.signing import Algorithm, VerifyKey
key = VerifyKey(bytes.fromhex({PUBLIC.hex()!r}), Algorithm.SM2)
wrong, right = bytes.fromhex({WRONG!r}), bytes.fromhex({SIGNATURE.hex()!r})
"""


def run(program: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", VERIFY + program], text=True, check=True, **options)


def test_trace_lines_of_the_library_do_not_reach_standard_error() -> None:
    """That it writes some is shown first, so that this test means something."""
    raw = "import gmssl_pyx as raw; raw.sm2_verify_sm3_digest(key._key._point, bytes(32), b'0\\x06\\2\\1\\1\\2\\1\\1')"
    assert "sm2_do_verify" in run(raw, capture_output=True).stderr
    after = run("assert not key.verify(wrong, b''); print('still here', file=sys.stderr)", capture_output=True)
    assert after.stderr == "still here\n"


def test_threads_verify_at_once_and_keep_standard_error() -> None:
    program = """
def work():
    for _ in range(30):
        assert not key.verify(wrong, b"") and key.verify(right, b"message digest")
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("still here", file=sys.stderr)
"""
    assert run(program, capture_output=True).stderr == "still here\n"


def test_a_program_without_standard_error_can_verify() -> None:
    program = """
os.close(2)
assert not key.verify(wrong, b"") and key.verify(right, b"message digest")
try:
    os.fstat(2)
except OSError:
    print("none")
"""
    assert run(program, stdout=subprocess.PIPE).stdout == "none\n"


def test_a_forked_child_can_verify() -> None:
    program = """
if (child := os.fork()) == 0:
    os._exit(key.verify(right, b"message digest") and not key.verify(wrong, b""))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
"""
    assert run(program, capture_output=True).stderr == ""


def test_verifying_goes_on_when_no_descriptor_is_left(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The traces are then seen: better than a gate that stands still."""

    def none_left(*_: object) -> int:
        raise OSError(24, "Too many open files")

    key = VerifyKey(PUBLIC, Algorithm.SM2)
    with monkeypatch.context() as patch:
        patch.setattr(sm2_gmssl.os, "open", none_left)
        right, wrong = key.verify(SIGNATURE, MESSAGE), key.verify(SIGNATURE, MESSAGE + b"!")
    assert right
    assert not wrong
    assert "sm2_do_verify" in capfd.readouterr().err
