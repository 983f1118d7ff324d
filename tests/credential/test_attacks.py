"""The attacks on a shown credential, each by its name: every one gets its own verdict, and none opens the door."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from juying.codec import cbor, cose
from juying.credential.claims import Tier
from juying.credential.issue import issue, to_text
from juying.credential.policy import Assurance, Policy, StaleStatus
from juying.credential.presentation import EnrolledCredentials, Presentation, by_reference, present, reference_of
from juying.credential.replay import MemoryReplayCache
from juying.credential.status import Status
from juying.credential.trust import TrustList
from juying.credential.trusted_key import KeyUse
from juying.credential.verify import Outcome, Verdict
from juying.crypto import sm2
from juying.crypto.signing import Algorithm, VerifyKey, key_id
from juying.model import PermitCategory
from tests.credential.samples import (
    ISSUED,
    NOW,
    OTHER_SIGNER,
    SIGNER,
    STATUS,
    FixedKid,
    claims,
    signed,
    trusted,
)
from tests.credential.verifying import (
    PHONE,
    STRANGER,
    bound,
    check,
    failed_at,
    lists,
    malleated,
    outcome,
    shown,
)

GOOD = issue(claims(), SIGNER)
PARTS = cose.parse(GOOD)
PROTECTED = cose.protected_header(-7, SIGNER.kid)
CREDENTIAL = bound()
SHOWN = shown(CREDENTIAL)
WINDOW = Policy().window
SECOND = timedelta(seconds=1)
NONCE, OTHER_NONCE = b"12345678", b"87654321"


# Copies


@pytest.mark.parametrize("late", [WINDOW + SECOND, timedelta(hours=1), timedelta(days=365)])
def test_screenshot_replayed_after_the_window(late: timedelta) -> None:
    found = check(SHOWN, now=NOW + late)
    assert found.verdict is Verdict.STALE_OR_FUTURE
    assert failed_at(found) == "freshness"
    assert found.presented_at == NOW


def test_code_prepared_for_later() -> None:
    """Shown to the camera of a friend with a clock that runs ahead."""
    assert check(SHOWN, now=NOW - WINDOW - SECOND).verdict is Verdict.STALE_OR_FUTURE


@pytest.mark.parametrize("late", [timedelta(0), SECOND, WINDOW])
def test_screenshot_replayed_within_the_window(late: timedelta) -> None:
    cache = MemoryReplayCache()
    assert check(to_text(SHOWN), replay=cache).verdict is Verdict.VALID
    found = check(to_text(SHOWN), now=NOW + late, replay=cache)
    assert found.verdict is Verdict.REPLAYED
    assert failed_at(found) == "replay"


def test_screenshot_replayed_after_the_clock_was_set_back() -> None:
    cache = MemoryReplayCache()
    assert check(SHOWN, replay=cache).accepted
    assert check(shown(now=NOW + timedelta(hours=1)), now=NOW + timedelta(hours=1), replay=cache).accepted
    assert check(SHOWN, replay=cache).verdict is Verdict.REPLAYED


def test_screenshot_at_a_gate_with_a_longer_window() -> None:
    """The cache is shared with a gate that forgets earlier, and has done so."""
    cache, short, long = MemoryReplayCache(), Policy(window=15 * SECOND), Policy(window=60 * SECOND)
    assert check(SHOWN, policy=short, replay=cache).accepted
    later = NOW + timedelta(seconds=40)
    assert check(shown(now=later), now=later, policy=short, replay=cache).accepted
    assert check(SHOWN, now=later, policy=long, replay=cache).verdict is Verdict.REPLAYED


def test_static_code_where_the_holder_has_to_be_proven() -> None:
    """A photograph of the paper, or of the code that the office sent."""
    for credential in (GOOD, CREDENTIAL):
        found = check(credential, policy=Policy(assurance=Assurance.HOLDER))
        assert found.verdict is Verdict.NO_HOLDER_BINDING
        assert failed_at(found) == "holder binding"


def test_presentation_of_a_credential_without_a_holder_key() -> None:
    """Somebody else's paper credential wrapped and signed with one's own key."""
    wrapped = cbor.encode([GOOD, *cbor.decode(SHOWN)[1:]])
    assert check(wrapped).verdict is Verdict.NO_HOLDER_BINDING


# Another place, another person


@pytest.mark.parametrize("here", ["gate 8", None])
def test_presented_at_another_audience(here: str | None) -> None:
    found = check(shown(audience="gate 7"), audience=here)
    assert found.verdict is Verdict.BAD_HOLDER_SIG
    assert failed_at(found) == "holder binding"
    assert check(shown(audience="gate 7"), audience="gate 7").verdict is Verdict.VALID


@pytest.mark.parametrize("asked", [OTHER_NONCE, None])
def test_answer_to_the_challenge_of_another_terminal(asked: bytes | None) -> None:
    found = check(shown(nonce=NONCE), nonce=asked)
    assert found.verdict is Verdict.BAD_HOLDER_SIG
    assert found.assurance is Assurance.BEARER


def test_challenge_fetched_by_one_terminal_and_answered_at_another() -> None:
    """A crooked terminal shows our nonce to its visitor; without our name under it the answer does not count as one."""
    needed = Policy(assurance=Assurance.CHALLENGED)
    found = check(shown(nonce=NONCE), audience="gate 7", nonce=NONCE, policy=needed)
    assert found.verdict is Verdict.NO_HOLDER_BINDING
    found = check(shown(nonce=NONCE, audience="gate 8"), audience="gate 7", nonce=NONCE, policy=needed)
    assert found.verdict is Verdict.BAD_HOLDER_SIG
    found = check(shown(nonce=NONCE, audience="gate 7"), audience="gate 7", nonce=NONCE, policy=needed)
    assert found.accepted
    assert found.assurance is Assurance.CHALLENGED


def test_challenge_left_unanswered() -> None:
    found = check(SHOWN, nonce=NONCE, policy=Policy(assurance=Assurance.CHALLENGED))
    assert found.verdict is Verdict.NO_HOLDER_BINDING
    assert found.assurance is Assurance.HOLDER


def test_signed_by_a_strangers_key() -> None:
    theirs = issue(claims(holder_key=STRANGER.public_key), SIGNER)
    swapped = cbor.encode([CREDENTIAL, *cbor.decode(present(theirs, STRANGER, now=NOW))[1:]])
    found = check(swapped)
    assert found.verdict is Verdict.BAD_HOLDER_SIG
    assert found.presented_at is None


def test_time_of_a_presentation_moved() -> None:
    credential, _, signature = cbor.decode(SHOWN)
    later = NOW + timedelta(hours=1)
    moved = cbor.encode([credential, cbor.encode([int(later.timestamp())]), signature])
    assert check(moved, now=later).verdict is Verdict.BAD_HOLDER_SIG


def test_presentation_moved_to_the_holders_other_credential() -> None:
    """The digest under the signature is that of the credential which was shown."""
    moved = cbor.encode([bound(Tier.MINIMAL), *cbor.decode(SHOWN)[1:]])
    assert check(moved).verdict is Verdict.BAD_HOLDER_SIG


def test_signature_of_the_holder_for_another_purpose() -> None:
    """The same bytes without the leading text, or with another, as another protocol might have them signed."""
    credential, payload, _ = cbor.decode(SHOWN)
    digest = reference_of(credential) + bytes(24)
    for message in (payload, cbor.encode([digest, payload]), cbor.encode(["JYK-Proof-1", digest, payload])):
        found = check(cbor.encode([credential, payload, PHONE.sign(message)]))
        assert found.verdict is Verdict.BAD_HOLDER_SIG


def test_holder_key_that_is_no_point_of_the_curve() -> None:
    nowhere = issue(claims(holder_key=b"\x02" + b"\xff" * 32), SIGNER)
    assert check(cbor.encode([nowhere, *cbor.decode(SHOWN)[1:]])).verdict is Verdict.BAD_HOLDER_SIG


# By reference


def test_reference_to_nothing() -> None:
    shortened = by_reference(CREDENTIAL, PHONE, now=NOW)
    for references in (None, EnrolledCredentials(), EnrolledCredentials([GOOD])):
        found = check(shortened, references=references)
        assert found.verdict is Verdict.UNKNOWN_KID
        assert failed_at(found) == "key"


class Colliding:
    """A site whose credentials share one reference."""

    def __init__(self, *credentials: bytes) -> None:
        self.credentials = credentials

    def find(self, reference: bytes) -> tuple[bytes, ...]:
        assert len(reference) == 8
        return self.credentials


def test_collision_of_references() -> None:
    """The signature is over the whole digest, so it fits one of them; what else stands there is no hindrance."""
    theirs = issue(claims(holder_key=STRANGER.public_key), SIGNER)
    shortened = by_reference(CREDENTIAL, PHONE, now=NOW)
    for same in ([CREDENTIAL, theirs], [theirs, GOOD, b"no credential", CREDENTIAL]):
        found = check(shortened, references=Colliding(*same))
        assert found.verdict is Verdict.VALID
        assert found.claims is not None
        assert found.claims.holder_key == PHONE.public_key
    assert check(shortened, references=Colliding(theirs)).verdict is Verdict.BAD_HOLDER_SIG
    assert check(shortened, references=Colliding(theirs, theirs)).verdict is Verdict.BAD_HOLDER_SIG
    assert check(shortened, references=Colliding(*[theirs] * 4, CREDENTIAL)).verdict is Verdict.BAD_HOLDER_SIG
    assert check(shortened, references=Colliding(b"no credential")).verdict is Verdict.MALFORMED


def test_screenshot_of_a_reference_is_replayed_as_well() -> None:
    """Whole or by reference: known by permit and time, so one use is one use."""
    cache, references = MemoryReplayCache(), EnrolledCredentials([CREDENTIAL])
    assert check(by_reference(CREDENTIAL, PHONE, now=NOW), references=references, replay=cache).accepted
    for copy in (by_reference(CREDENTIAL, PHONE, now=NOW), SHOWN):
        assert check(copy, references=references, replay=cache).verdict is Verdict.REPLAYED


# The issuer


def test_minimal_tier_posing_as_full() -> None:
    minimal = cose.parse(issue(claims(Tier.MINIMAL), SIGNER))
    contents = cbor.decode(minimal.payload)
    contents[-65537][0] = Tier.FULL.value
    posing = cbor.encode(contents)
    assert check(cose.encode(PROTECTED, posing, minimal.signature)).verdict is Verdict.MALFORMED
    assert check(signed(posing)).verdict is Verdict.MALFORMED
    full = cose.encode(PROTECTED, PARTS.payload, minimal.signature)
    assert check(full).verdict is Verdict.BAD_ISSUER_SIG


def test_minimal_tier_where_the_full_one_is_needed() -> None:
    """It is genuine, and says so; it does not open this door, and is not used up by trying."""
    cache = MemoryReplayCache()
    minimal = shown(bound(Tier.MINIMAL))
    found = check(minimal, policy=Policy(tiers=frozenset({Tier.FULL})), replay=cache)
    assert (found.verdict, found.accepted) == (Verdict.VALID, False)
    assert failed_at(found) == "policy"
    assert check(minimal, replay=cache).accepted


def test_class_of_permit_that_the_site_does_not_take() -> None:
    found = check(GOOD, policy=Policy(categories=frozenset({PermitCategory.B, PermitCategory.C})))
    assert (found.verdict, found.accepted) == (Verdict.VALID, False)
    assert failed_at(found) == "policy"


def test_key_id_collision() -> None:
    kid = b"same"
    first, second = replace(trusted(OTHER_SIGNER), kid=kid), replace(trusted(SIGNER), kid=kid)
    credential = issue(claims(), FixedKid(SIGNER, kid))
    for order in ([first, second], [second, first]):
        found = check(credential, TrustList(order))
        assert found.verdict is Verdict.VALID
        assert found.key == second
    assert check(credential, TrustList([first])).verdict is Verdict.BAD_ISSUER_SIG


@pytest.mark.parametrize("algorithm", [-8, -19, -35, -37, -65600, 0, 5, 2**63])
def test_algorithm_swapped_in_the_header(algorithm: int) -> None:
    """Even with a right signature under the swapped header, the key's algorithm decides."""
    found = check(signed(PARTS.payload, algorithm=algorithm))
    assert found.verdict is Verdict.UNSUPPORTED_ALG
    assert found.claims is None


def test_the_newer_number_of_es256_is_the_same_algorithm() -> None:
    assert check(signed(PARTS.payload, algorithm=-9)).verdict is Verdict.VALID


def test_algorithm_number_changed_after_signing() -> None:
    other = cose.encode(cose.protected_header(-9, SIGNER.kid), PARTS.payload, PARTS.signature)
    assert check(other).verdict is Verdict.BAD_ISSUER_SIG


def test_malleated_issuer_signature() -> None:
    """It is as good as the first, so a credential is known by its claims only; but not under the holder's digest."""
    other = cose.encode(PROTECTED, PARTS.payload, malleated(PARTS.signature))
    assert other != GOOD
    assert check(other).verdict is Verdict.VALID
    assert check(other).claims == check(GOOD).claims

    parts = cose.parse(CREDENTIAL)
    other = cose.encode(PROTECTED, parts.payload, malleated(parts.signature))
    assert check(cbor.encode([other, *cbor.decode(SHOWN)[1:]])).verdict is Verdict.BAD_HOLDER_SIG


def test_malleated_issuer_signature_does_not_shake_off_a_revocation() -> None:
    parts = cose.parse(bound(status=STATUS))
    other = cose.encode(PROTECTED, parts.payload, malleated(parts.signature))
    assert check(other, status=lists(Status.INVALID)).verdict is Verdict.REVOKED


def test_malleated_holder_signature_is_the_same_presentation() -> None:
    """A copy with other bytes is still a copy."""
    cache = MemoryReplayCache()
    credential, payload, signature = cbor.decode(SHOWN)
    other = cbor.encode([credential, payload, malleated(signature)])
    assert other != SHOWN
    assert check(SHOWN, replay=cache).verdict is Verdict.VALID
    assert check(other, replay=cache).verdict is Verdict.REPLAYED


@pytest.mark.parametrize("outside", [-SECOND, timedelta(days=8, seconds=1)], ids=["future key", "expired key"])
def test_expired_or_future_issuing_key(outside: timedelta) -> None:
    """The signature is right and does not count, nor is what it signed shown."""
    period = trusted(not_before=ISSUED - outside, not_after=ISSUED - outside + timedelta(days=8))
    for source in (GOOD, SHOWN):
        found = check(source, TrustList([period]))
        assert found.verdict is Verdict.BAD_ISSUER_SIG
        assert failed_at(found) == "signing period"
        assert found.claims is None
        assert found.key == period


def test_issuing_key_whose_signatures_no_longer_count() -> None:
    given_up = trusted(not_after=NOW, verify_until=NOW)
    assert check(GOOD, TrustList([given_up])).verdict is Verdict.VALID
    found = check(GOOD, TrustList([given_up]), now=NOW + SECOND)
    assert found.verdict is Verdict.BAD_ISSUER_SIG
    assert failed_at(found) == "signing period"


def test_key_of_the_status_lists_signs_a_credential() -> None:
    assert check(GOOD, TrustList([trusted(use=[KeyUse.STATUS])])).verdict is Verdict.UNKNOWN_KID
    assert check(GOOD, TrustList([trusted(use=[KeyUse.CREDENTIAL])])).verdict is Verdict.VALID


def test_key_signs_a_class_of_permit_that_it_may_not() -> None:
    found = check(GOOD, TrustList([trusted(categories=[PermitCategory.C])]))
    assert found.verdict is Verdict.BAD_ISSUER_SIG
    assert failed_at(found) == "entitlement"
    assert found.claims is None


def test_key_of_one_region_signs_for_another() -> None:
    """What is said to have happened with vaccination passes: one country's portal, another country's name."""
    found = check(GOOD, TrustList([trusted(region="330400")]))
    assert found.verdict is Verdict.BAD_ISSUER_SIG
    assert failed_at(found) == "entitlement"
    assert check(GOOD, TrustList([trusted(region="330000")])).verdict is Verdict.VALID


SM2_CURVE = bytes.fromhex(
    "FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC"
    "28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93"
    "32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"
    "BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0"
)


def sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


@pytest.mark.parametrize(
    ("identifier", "verdict"),
    [
        (b"1234567812345678", Verdict.VALID),
        (b"", Verdict.BAD_ISSUER_SIG),
        (b"1234567812345679", Verdict.BAD_ISSUER_SIG),
        (b"issuer@example.org", Verdict.BAD_ISSUER_SIG),
    ],
    ids=["ours", "OpenSSL below 4.0", "one digit off", "the issuer's own"],
)
def test_wrong_sm2_id(identifier: bytes, verdict: Verdict) -> None:
    """The identifier is hashed before the message (GB/T 32918.2, 5.5); another one makes another signature."""
    secret, point = sm2.backend().generate()
    key = VerifyKey(bytes([2 + point[-1] % 2]) + point[:32], Algorithm.SM2)
    protected = cose.protected_header(Algorithm.SM2, key_id(key))
    who = sm3((len(identifier) * 8).to_bytes(2) + identifier + SM2_CURVE + point)
    digest = sm3(who + cose.to_be_signed(protected, PARTS.payload))
    signature = b"".join(part.to_bytes(32) for part in decode_dss_signature(sm2.backend().sign(secret, digest)))
    issuer = replace(trusted(), kid=key_id(key), key=key)
    found = check(cose.encode(protected, PARTS.payload, signature), TrustList([issuer]))
    assert found.verdict is verdict


# Revocation


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=20)], ids=["fresh list", "old list"])
@pytest.mark.parametrize(
    ("status", "verdict"), [(Status.INVALID, Verdict.REVOKED), (Status.SUSPENDED, Verdict.SUSPENDED)]
)
def test_revoked_and_suspended(status: Status, verdict: Verdict, age: timedelta) -> None:
    """What a list said once is not outdated by its age, and a presentation that was refused is not used up."""
    cache = MemoryReplayCache()
    for source in (bound(status=STATUS), shown(bound(status=STATUS))):
        found = check(source, status=lists(status, age=age), replay=cache)
        assert found.verdict is verdict
        assert failed_at(found) == "status"
        assert found.status_as_of == NOW - age
    assert len(cache) == 0


@pytest.mark.parametrize(
    ("policy", "age"),
    [
        (Policy(), timedelta(hours=24)),
        (Policy(max_status_age=timedelta(days=30)), timedelta(hours=24)),
        (Policy(max_status_age=timedelta(hours=1)), timedelta(hours=1, seconds=1)),
    ],
    ids=["both", "by its own end", "by policy"],
)
def test_stale_list(policy: Policy, age: timedelta) -> None:
    credential = bound(status=STATUS)
    found = check(credential, status=lists(age=age), policy=policy)
    assert (found.verdict, found.accepted) == (Verdict.VALID_STALE_STATUS, False)
    assert outcome(found, "status") is Outcome.UNKNOWN
    assert found.status_as_of == NOW - age
    found = check(credential, status=lists(age=age), policy=replace(policy, stale_status=StaleStatus.WARN))
    assert (found.verdict, found.accepted) == (Verdict.VALID_STALE_STATUS, True)
    assert check(credential, status=lists(age=age - SECOND), policy=policy).verdict is Verdict.VALID


def test_clock_set_back_to_when_the_list_was_fresh() -> None:
    """A list from the future, by our clock: what it does not say yet nobody knows."""
    found = check(bound(status=STATUS), status=lists(), now=NOW - timedelta(minutes=6))
    assert found.verdict is Verdict.VALID_STALE_STATUS
    assert check(bound(status=STATUS), status=lists(), now=NOW - timedelta(minutes=5)).verdict is Verdict.VALID


def test_no_list_of_that_number() -> None:
    other = bound(status=replace(STATUS, list_number=4))
    assert check(other, status=lists()).verdict is Verdict.VALID_STALE_STATUS
    beyond = bound(status=replace(STATUS, index=STATUS.index + 99))
    assert check(beyond, status=lists()).verdict is Verdict.VALID_STALE_STATUS
    assert check(other, status=lists()).status_as_of is None


# Encoding


def with_head(payload: bytes, count: int) -> bytes:
    """The payload with the count of its outermost map changed."""
    return bytes([0xA0 + count]) + payload[1:]


CONTENTS = cbor.decode(PARTS.payload)
HOSTILE_PAYLOADS = {
    "trailing bytes": PARTS.payload + b"\0",
    "duplicate keys": with_head(PARTS.payload, 6) + PARTS.payload[1:18],
    "deep nesting": with_head(PARTS.payload, 6) + b"\x08" + b"\x81" * 200 + b"\0",
    "deep tags": with_head(PARTS.payload, 6) + b"\x08" + b"\xc1" * 200 + b"\0",
    "non-shortest integers": PARTS.payload.replace(b"\x06\x1a", b"\x06\x1b\0\0\0\0"),
    "non-shortest key": b"\xa5\x18\x02" + PARTS.payload[2:],
    "indefinite length": b"\xbf" + PARTS.payload[1:] + b"\xff",
    "huge numbers": cbor2.dumps({**CONTENTS, 4: 2**4000}),
    "huge time": cbor2.dumps({**CONTENTS, 4: 2**64 - 1}),
    "float time": cbor2.dumps({**CONTENTS, 4: 1e300}),
    "date as a tag": cbor2.dumps({**CONTENTS, 4: NOW}),
    "claimed length of 2^63": b"\xbb\x7f" + b"\xff" * 7 + PARTS.payload[1:],
    "reference to itself": b"\xd8\x1c\x81\xd8\x1d\x00",
    "keys in another order": cbor2.dumps(dict(reversed(CONTENTS.items()))),
    "unknown claim": cbor2.dumps({**CONTENTS, 7: b"id"}, canonical=True),
    "empty": b"",
}


@pytest.mark.parametrize("payload", HOSTILE_PAYLOADS.values(), ids=HOSTILE_PAYLOADS.keys())
def test_hostile_contents_under_a_right_signature(payload: bytes) -> None:
    """A careless or captured issuer signs it; still it is not ours."""
    found = check(signed(payload))
    assert found.verdict is Verdict.MALFORMED
    assert failed_at(found) == "format"


HOSTILE_RECORDS = {
    "empty": b"",
    "tag only": b"\xd2",
    "trailing bytes": GOOD + b"\0",
    "cut": GOOD[:-1],
    "untagged": GOOD[1:],
    "tagged twice": b"\xd2" + GOOD,
    "twice": GOOD + GOOD,
    "huge": GOOD + bytes(1_000_000),
    "deep nesting": b"\xd2\x84" + b"\x81" * 390,
    "indefinite length": b"\xd2\x9f" + GOOD[2:] + b"\xff",
    "short kid": cose.encode(b"\xa2\x01\x26\x04\x43kid", PARTS.payload, PARTS.signature),
    "trailing bytes in the header": cose.encode(PROTECTED + b"\0", PARTS.payload, PARTS.signature),
    "duplicate keys in the header": cose.encode(b"\xa3\x01\x26" + PROTECTED[1:], PARTS.payload, PARTS.signature),
    "header that could be shorter": cose.encode(b"\xa2\x01\x38\x06" + PROTECTED[3:], PARTS.payload, PARTS.signature),
}


@pytest.mark.parametrize("credential", HOSTILE_RECORDS.values(), ids=HOSTILE_RECORDS.keys())
def test_hostile_records(credential: bytes) -> None:
    assert check(credential).verdict is Verdict.MALFORMED


MOMENT = int(NOW.timestamp())


def presented(payload: bytes) -> bytes:
    """A presentation of any payload, rightly signed by the holder."""
    plain = Presentation.parse(SHOWN)
    message = cbor.encode(["JYK-Presentation-1", sha256(plain.carried).digest(), payload])
    return cbor.encode([plain.carried, payload, PHONE.sign(message)])


HOSTILE_PRESENTATIONS = {
    "trailing bytes": SHOWN + b"\0",
    "deep nesting": b"\x83" + b"\x81" * 200,
    "indefinite length": b"\x9f" + SHOWN[1:] + b"\xff",
    "length that could be shorter": SHOWN.replace(b"\x46\x81", b"\x58\x06\x81"),
    "four members": b"\x84" + SHOWN[1:] + b"\0",
    "two members": b"\x82" + SHOWN[1:-66],
    "text for bytes": cbor.encode(["", *cbor.decode(SHOWN)[1:]]),
    "short signature": cbor.encode([*cbor.decode(SHOWN)[:2], bytes(63)]),
    "short reference": cbor.encode([bytes(7), *cbor.decode(SHOWN)[1:]]),
    "presentation in a presentation": cbor.encode([SHOWN, *cbor.decode(SHOWN)[1:]]),
    "map": b"\xa0",
    "payload: trailing bytes": presented(cbor.encode([MOMENT]) + b"\0"),
    "payload: deep nesting": presented(b"\x81" * 100 + b"\0"),
    "payload: non-shortest integer": presented(b"\x81\x1b\0\0\0\0" + MOMENT.to_bytes(4)),
    "payload: time that could be shorter": presented(b"\x81\x1a\0\0\xff\xff"),
    "payload: huge numbers": presented(cbor2.dumps([2**4000])),
    "payload: huge time": presented(cbor.encode([2**64 - 1])),
    "payload: time of 2^32": presented(cbor.encode([2**32])),
    "payload: negative time": presented(cbor.encode([-1])),
    "payload: float time": presented(cbor2.dumps([float(MOMENT)])),
    "payload: true for a time": presented(cbor.encode([True])),
    "payload: empty": presented(b""),
    "payload: no members": presented(cbor.encode([])),
    "payload: no array": presented(cbor.encode(MOMENT)),
    "payload: nonce before audience": presented(cbor.encode([MOMENT, NONCE, "gate"])),
    "payload: null for no audience": presented(cbor.encode([MOMENT, None])),
    "payload: one more": presented(cbor.encode([MOMENT, "gate", NONCE, 0])),
    "payload: empty audience": presented(cbor.encode([MOMENT, ""])),
    "payload: invisible audience": presented(cbor.encode([MOMENT, "gate\u200b7"])),
    "payload: long audience": presented(cbor.encode([MOMENT, "g" * 65])),
    "payload: long audience in Chinese": presented(cbor.encode([MOMENT, "门" * 22])),
    "payload: short nonce": presented(cbor.encode([MOMENT, bytes(7)])),
    "payload: long nonce": presented(cbor.encode([MOMENT, bytes(33)])),
}


def test_presented_makes_what_the_holder_makes() -> None:
    """So what is refused below is refused for its encoding."""
    assert presented(cbor.encode([MOMENT])) == SHOWN


@pytest.mark.parametrize("presentation", HOSTILE_PRESENTATIONS.values(), ids=HOSTILE_PRESENTATIONS.keys())
def test_hostile_presentation_under_right_signatures(presentation: bytes) -> None:
    found = check(presentation)
    assert found.verdict is Verdict.MALFORMED
    assert failed_at(found) == "format"
