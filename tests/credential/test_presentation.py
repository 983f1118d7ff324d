"""What a holder's phone shows, from the holder's side; what the verifier makes of it is in the other tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cbor
from juying.credential.claims import Tier
from juying.credential.issue import MAX_BOUND, MAX_BYTES, issue, to_text
from juying.credential.presentation import (
    MAX_SAME_REFERENCE,
    EnrolledCredentials,
    Presentation,
    by_reference,
    check_proof,
    present,
    prove,
    reference_of,
)
from juying.crypto.signing import Algorithm, SoftwareSigner, VerifyKey
from juying.errors import DecodeError, InputError, KeyUseError
from tests.credential.samples import NOW, SIGNER, STATUS, claims
from tests.credential.verifying import PHONE, STRANGER, bound, malleated, shown

CREDENTIAL = bound(status=STATUS)
NONCE = bytes(range(16))


def test_the_bytes_are_those_of_the_description() -> None:
    presentation = present(CREDENTIAL, PHONE, now=NOW, audience="gate 7", nonce=NONCE)
    carried, payload, signature = cbor.decode(presentation)
    assert carried == CREDENTIAL
    assert cbor.decode(payload) == [int(NOW.timestamp()), "gate 7", NONCE]
    message = cbor.encode(["JYK-Presentation-1", sha256(CREDENTIAL).digest(), payload])
    assert VerifyKey(PHONE.public_key).verify(signature, message)


def test_sizes_of_the_sample_person() -> None:
    """Those of the design: what decides which QR version a gate has to read."""
    credential = bound(status=STATUS)
    assert len(present(credential, PHONE, now=NOW)) <= 322
    assert len(by_reference(credential, PHONE, now=NOW)) <= 83
    assert len(present(credential, PHONE, now=NOW, audience="gate", nonce=bytes(8))) <= 336
    sm2 = issue(claims(status=STATUS, holder_key=PHONE.public_key), SoftwareSigner.generate(Algorithm.SM2))
    assert len(present(sm2, PHONE, now=NOW)) <= 326


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2105, 12, 31)),
    st.none() | st.text(min_size=1, max_size=16).filter(str.isprintable),
    st.none() | st.binary(min_size=8, max_size=32),
    st.booleans(),
)
def test_a_presentation_is_read_as_it_was_made(
    now: datetime, audience: str | None, nonce: bytes | None, whole: bool
) -> None:
    make = present if whole else by_reference
    data = make(bound(Tier.MINIMAL), PHONE, now=now.replace(tzinfo=UTC), audience=audience, nonce=nonce)
    read = Presentation.parse(data)
    assert read.by_reference is not whole
    assert read.carried == (bound(Tier.MINIMAL) if whole else reference_of(bound(Tier.MINIMAL)))
    assert read.presented_at == now.replace(tzinfo=UTC, microsecond=0)
    assert (read.audience, read.nonce) == (audience, nonce)
    assert read.signed_by(PHONE.public_key, bound(Tier.MINIMAL))
    assert not read.signed_by(PHONE.public_key, CREDENTIAL)
    assert not read.signed_by(STRANGER.public_key, bound(Tier.MINIMAL))


@given(st.binary(max_size=100))
def test_anything_else_is_a_decode_error(data: bytes) -> None:
    for head in (b"", b"\x83", b"\x83\x48", b"\x83\x48" + bytes(8) + b"\x46\x81\x1a"):
        with pytest.raises(DecodeError):
            Presentation.parse(head + data)


@pytest.mark.parametrize("seconds", [0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1])
def test_times_of_every_length(seconds: int) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    read = Presentation.parse(shown(CREDENTIAL, now=now))
    assert read.presented_at == now
    assert read.payload == cbor.encode([seconds])
    assert read.signed_by(PHONE.public_key, CREDENTIAL)


def test_an_audience_and_nonce_as_long_as_they_may_be() -> None:
    read = Presentation.parse(by_reference(CREDENTIAL, PHONE, now=NOW, audience="门" * 21, nonce=bytes(32)))
    assert (read.audience, read.nonce) == ("门" * 21, bytes(32))
    assert read.signed_by(PHONE.public_key, CREDENTIAL)


def test_the_time_counts_whatever_the_zone() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-9)))
    assert Presentation.parse(shown(now=there)).presented_at == NOW


@pytest.mark.parametrize(
    "terminal",
    [
        {"now": NOW.replace(tzinfo=None)},
        {"now": datetime(1969, 12, 31, tzinfo=UTC)},
        {"now": datetime(2107, 1, 1, tzinfo=UTC)},
        {"audience": ""},
        {"audience": "gate\n7"},
        {"audience": "g" * 65},
        {"audience": "门" * 22},
        {"audience": "\ud800"},
        {"nonce": b""},
        {"nonce": bytes(7)},
        {"nonce": bytes(33)},
    ],
)
def test_what_cannot_be_presented_is_refused(terminal: dict[str, object]) -> None:
    with pytest.raises(InputError) as error:
        present(CREDENTIAL, PHONE, **{"now": NOW, **terminal})
    assert not isinstance(error.value, DecodeError)


def test_a_presentation_that_no_code_could_hold_is_refused() -> None:
    long = issue(replace(claims(holder_key=PHONE.public_key), name="W" * 90), SIGNER)
    assert len(long) <= MAX_BOUND
    assert len(present(long, PHONE, now=NOW)) <= MAX_BYTES
    with pytest.raises(InputError, match=str(MAX_BYTES)):
        present(long, PHONE, now=NOW, audience="gate" * 10, nonce=bytes(32))
    with pytest.raises(InputError, match=str(MAX_BOUND)):
        issue(replace(claims(holder_key=PHONE.public_key), name="W" * 100), SIGNER)
    assert len(to_text(by_reference(long, PHONE, now=NOW))) < 130


def test_only_the_holders_key_can_present() -> None:
    with pytest.raises(KeyUseError):
        present(CREDENTIAL, STRANGER, now=NOW)
    with pytest.raises(KeyUseError):
        present(issue(claims(), SIGNER), PHONE, now=NOW)
    with pytest.raises(KeyUseError, match="P-256"):
        present(CREDENTIAL, SoftwareSigner.generate(Algorithm.ED25519), now=NOW)


@pytest.mark.parametrize("credential", [b"", CREDENTIAL[:-1], cbor.encode([CREDENTIAL])])
def test_only_a_credential_can_be_presented(credential: bytes) -> None:
    with pytest.raises(DecodeError):
        present(credential, PHONE, now=NOW)


def test_enrolled_credentials_are_found_by_reference() -> None:
    enrolled = EnrolledCredentials([CREDENTIAL])
    enrolled.add(CREDENTIAL)
    reference = reference_of(CREDENTIAL)
    assert enrolled.find(reference) == (CREDENTIAL,)
    assert enrolled.find(bytes(8)) == ()
    enrolled.remove(bound(Tier.MINIMAL))
    enrolled.remove(CREDENTIAL)
    assert enrolled.find(reference) == ()


def test_enrolled_credentials_of_one_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.credential.presentation.reference_of", lambda credential: bytes(8))
    same = [bytes([number]) for number in range(MAX_SAME_REFERENCE)]
    enrolled = EnrolledCredentials(same)
    assert enrolled.find(bytes(8)) == tuple(same)
    with pytest.raises(InputError):
        enrolled.add(b"one too many")
    enrolled.remove(same[1])
    assert enrolled.find(bytes(8)) == (same[0], *same[2:])
    enrolled.add(b"now there is room")


# Proof of possession, before a credential is issued to a key


def test_a_proof_gives_the_key_that_was_proven() -> None:
    key = check_proof(prove(PHONE, NONCE), NONCE)
    assert key == PHONE.public_key
    assert claims(holder_key=key).holder_key == PHONE.public_key


def test_a_proof_for_another_nonce_proves_nothing() -> None:
    with pytest.raises(KeyUseError):
        check_proof(prove(PHONE, NONCE), bytes(16))


def test_a_proof_under_somebody_elses_key_proves_nothing() -> None:
    signature = cbor.decode(prove(PHONE, NONCE))[1]
    with pytest.raises(KeyUseError):
        check_proof(cbor.encode([STRANGER.public_key, signature]), NONCE)


def test_a_presentation_is_no_proof() -> None:
    """Neither the bytes nor the signature: a terminal's nonce never proves possession to an office."""
    presented = Presentation.parse(shown(CREDENTIAL, nonce=NONCE))
    with pytest.raises(DecodeError):
        check_proof(shown(CREDENTIAL, nonce=NONCE), NONCE)
    with pytest.raises(KeyUseError):
        check_proof(cbor.encode([PHONE.public_key, presented.signature]), NONCE)


def test_a_malleated_proof_proves_the_same_key() -> None:
    key, signature = cbor.decode(prove(PHONE, NONCE))
    assert check_proof(cbor.encode([key, malleated(signature)]), NONCE) == PHONE.public_key


@pytest.mark.parametrize(
    "proof",
    [
        b"",
        b"\x00",
        prove(PHONE, NONCE) + b"\0",
        prove(PHONE, NONCE)[:-1],
        cbor.encode([PHONE.public_key]),
        cbor.encode({"key": PHONE.public_key}),
        cbor.encode(["", bytes(64)]),
        cbor.encode([PHONE.public_key, bytes(64), 0]),
        bytes(10_000),
    ],
)
def test_what_is_no_proof_is_a_decode_error(proof: bytes) -> None:
    with pytest.raises(DecodeError):
        check_proof(proof, NONCE)


@pytest.mark.parametrize("key", [b"", bytes(33), b"\x02" + b"\xff" * 32, bytes(65)])
def test_a_proof_with_a_key_off_the_curve_is_refused(key: bytes) -> None:
    with pytest.raises(KeyUseError):
        check_proof(cbor.encode([key, bytes(64)]), NONCE)


@pytest.mark.parametrize("nonce", [b"", bytes(15), bytes(65)])
def test_a_nonce_that_could_be_guessed_is_refused_on_both_sides(nonce: bytes) -> None:
    with pytest.raises(InputError):
        prove(PHONE, nonce)
    with pytest.raises(InputError):
        check_proof(prove(PHONE, NONCE), nonce)


def test_only_a_p256_key_can_become_a_holders() -> None:
    with pytest.raises(KeyUseError):
        prove(SoftwareSigner.generate(Algorithm.ED25519), NONCE)
