"""What holds for every algorithm: openssl agrees both ways, key files are common property, credentials verify."""

import stat
from pathlib import Path

import pytest

from juying.codec import cose
from juying.credential.issue import issue, to_text
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import Algorithm, SoftwareSigner, VerifyKey, key_id
from juying.errors import KeyUseError
from tests.credential.samples import NOW, claims, trusted
from tests.crypto.conftest import GENERATE, OpenSsl

MESSAGE = b"the permit of an invented person"
PASSWORD = "pass phrase"

each_algorithm = pytest.mark.parametrize("algorithm", list(Algorithm), ids=lambda algorithm: algorithm.name)
each_password = pytest.mark.parametrize("password", [None, PASSWORD], ids=["open", "encrypted"])


def test_each_algorithm_goes_by_its_numbers_and_no_other() -> None:
    numbers = {a: [n for n in range(-70_000, 70_000) if a.covers(n)] for a in Algorithm}
    assert numbers == {Algorithm.ES256: [-9, -7], Algorithm.ED25519: [-19, -8], Algorithm.SM2: [-65600]}


@each_algorithm
@each_password
def test_openssl_reads_our_key_and_signs_what_we_verify(
    openssl: OpenSsl, algorithm: Algorithm, password: str | None
) -> None:
    signer = SoftwareSigner.generate(algorithm)
    signer.save(openssl.folder / "key.pem", password)
    signature = openssl.sign("key.pem", algorithm, MESSAGE, password=password or "")
    assert VerifyKey(signer.public_key, algorithm).verify(signature, MESSAGE)


@each_algorithm
@each_password
def test_we_read_the_key_of_openssl_and_sign_what_it_verifies(
    openssl: OpenSsl, algorithm: Algorithm, password: str | None
) -> None:
    openssl("genpkey", *GENERATE[algorithm], "-out", "key.pem")
    file = "key.pem"
    if password:
        file = "encrypted.pem"
        openssl("pkcs8", "-topk8", "-in", "key.pem", "-passout", f"pass:{password}", "-out", file)
    signer = SoftwareSigner.load(openssl.folder / file, password)
    assert signer.algorithm is algorithm
    signature = signer.sign(MESSAGE)
    assert len(signature) == 64
    assert openssl.verifies("key.pem", algorithm, signature, MESSAGE)
    assert not openssl.verifies("key.pem", algorithm, signature, MESSAGE + b"!")


@each_algorithm
def test_a_hundred_random_keys_sign_random_messages(openssl: OpenSsl, algorithm: Algorithm) -> None:
    """openssl verifies every tenth; among so many are short numbers, which have to keep their 32 bytes."""
    for number in range(100):
        signer = SoftwareSigner.generate(algorithm)
        key = VerifyKey(signer.public_key, algorithm)
        message = number.to_bytes(2) * number
        signature = signer.sign(message)
        assert key.verify(signature, message)
        assert not key.verify(signature, message + b"\0")
        altered = bytearray(signature)
        altered[number % 64] ^= 1 << number % 8
        assert not key.verify(bytes(altered), message)
        if number % 10 == 1:
            signer.save(openssl.folder / f"{number}.pem")
            assert openssl.verifies(f"{number}.pem", algorithm, signature, message)


@each_algorithm
@pytest.mark.parametrize(
    "signature",
    [b"", bytes(64), b"\xff" * 64, b"\x01" * 63, b"\x01" * 65, b"\x30\x06\x02\x01\x01\x02\x01\x01", b"\x01" * 1000],
    ids=["empty", "zeros", "ones", "short", "long", "DER", "very long"],
)
def test_a_malformed_signature_is_just_wrong(
    algorithm: Algorithm, signature: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    key = VerifyKey(SoftwareSigner.generate(algorithm).public_key, algorithm)
    assert not key.verify(signature, MESSAGE)
    assert capfd.readouterr() == ("", "")


@each_algorithm
def test_another_algorithms_key_does_not_fit(algorithm: Algorithm) -> None:
    """An algorithm takes points of its own curve only; about half of all x are on any of the two of 33 bytes."""
    refused = 0
    for other in set(Algorithm) - {algorithm}:
        for _ in range(40):
            try:
                VerifyKey(SoftwareSigner.generate(other).public_key, algorithm)
            except KeyUseError:
                refused += 1
    assert refused >= 40


@each_algorithm
@each_password
def test_a_saved_key_is_the_same_key_when_loaded(tmp_path: Path, algorithm: Algorithm, password: str | None) -> None:
    signer = SoftwareSigner.generate(algorithm)
    path = tmp_path / "key.pem"
    signer.save(path, password)
    loaded = SoftwareSigner.load(path, password)
    assert (loaded.algorithm, loaded.kid, loaded.public_key) == (algorithm, signer.kid, signer.public_key)
    assert VerifyKey(signer.public_key, algorithm).verify(loaded.sign(MESSAGE), MESSAGE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (b"ENCRYPTED" in path.read_bytes()) is bool(password)
    with pytest.raises(KeyUseError):
        signer.save(path, password)


@each_algorithm
@pytest.mark.parametrize(("saved", "given"), [("right", "wrong"), ("right", None), ("right", ""), (None, "needless")])
def test_the_pass_phrase_has_to_be_right(
    tmp_path: Path, algorithm: Algorithm, saved: str | None, given: str | None
) -> None:
    path = tmp_path / "key.pem"
    SoftwareSigner.generate(algorithm).save(path, saved)
    with pytest.raises(KeyUseError, match="missing, needless or wrong") as caught:
        SoftwareSigner.load(path, given)
    assert caught.value.where == str(path)


@each_algorithm
def test_the_kid_begins_the_thumbprint_and_keys_are_values(algorithm: Algorithm) -> None:
    signer = SoftwareSigner.generate(algorithm)
    key = VerifyKey(signer.public_key, algorithm)
    assert signer.kid == key_id(key) == key.thumbprint[:4]
    assert key == VerifyKey(signer.public_key, algorithm)
    assert repr(key) == f"VerifyKey(kid={signer.kid.hex()})"
    assert repr(signer) == f"SoftwareSigner(kid={signer.kid.hex()})"


def trust_in(signer: SoftwareSigner) -> TrustList:
    return TrustList([trusted(signer)])


@each_algorithm
def test_a_credential_of_each_algorithm_verifies(algorithm: Algorithm) -> None:
    signer = SoftwareSigner.generate(algorithm)
    contents = claims()
    credential = issue(contents, signer)
    verification = verify(to_text(credential), trust_in(signer), now=NOW)
    assert verification.verdict is Verdict.VALID
    assert verification.claims == contents
    assert verification.key is not None
    assert verification.key.key.algorithm is algorithm
    assert cose.parse(credential).algorithm == algorithm


@each_algorithm
def test_a_credential_with_another_algorithm_in_its_header_is_not_verified(algorithm: Algorithm) -> None:
    signer = SoftwareSigner.generate(algorithm)
    payload = claims().encode()
    for other in (-37, *(set(Algorithm) - {algorithm})):
        protected = cose.protected_header(other, signer.kid)
        swapped = cose.encode(protected, payload, signer.sign(cose.to_be_signed(protected, payload)))
        assert verify(swapped, trust_in(signer), now=NOW).verdict is Verdict.UNSUPPORTED_ALG


def test_sm2_costs_four_bytes_of_header() -> None:
    size = {a: len(issue(claims(), SoftwareSigner.generate(a))) for a in Algorithm}
    assert size[Algorithm.ED25519] == size[Algorithm.ES256]
    assert size[Algorithm.SM2] == size[Algorithm.ES256] + 4


def test_the_protected_header_of_sm2() -> None:
    assert cose.protected_header(Algorithm.SM2, b"kid!").hex() == "a2013a0001003f04446b696421"
