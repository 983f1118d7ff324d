"""The verifier, attack by attack: each gets its own verdict, none an exception, and nothing but VALID is valid."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import base45, cbor, cose
from juying.credential.claims import Tier
from juying.credential.issue import MAX_TEXT, issue, to_text
from juying.credential.trust import TrustList
from juying.credential.verify import CHECKS, CLOCK_SKEW, Outcome, Verdict, Verification, verify
from juying.errors import InputError
from tests.credential.samples import (
    HOLDER_KEY,
    ISSUED,
    NOW,
    OTHER_SIGNER,
    SIGNER,
    STATUS,
    TRUST,
    FixedKid,
    claims,
    signed,
    trusted,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GOOD = issue(claims(), SIGNER)
PARTS = cose.parse(GOOD)
PROTECTED = cose.protected_header(-7, SIGNER.kid)


def check(credential: bytes | str, trust: TrustList = TRUST, now: datetime = NOW) -> Verification:
    """Verify, and prove what holds for every answer."""
    found = verify(credential, trust, now=now)
    assert found.valid is (found.verdict is Verdict.VALID)
    assert tuple(check.name for check in found.checks) == CHECKS
    failed = [check.name for check in found.checks if check.outcome is Outcome.FAIL]
    assert len(failed) == (0 if found.verdict in (Verdict.VALID, Verdict.VALID_STALE_STATUS) else 1)
    assert all(check.reason.zh and check.reason.en for check in found.checks)
    return found


def failed_at(found: Verification) -> str:
    return next(check.name for check in found.checks if check.outcome is Outcome.FAIL)


def outcome(found: Verification, name: str) -> Outcome:
    return next(check.outcome for check in found.checks if check.name == name)


@pytest.mark.parametrize("tier", Tier)
def test_text_and_record_of_the_same_credential_are_valid(tier: Tier) -> None:
    credential = issue(claims(tier), SIGNER)
    for source in (credential, to_text(credential)):
        found = check(source)
        assert found.verdict is Verdict.VALID
        assert found.claims == claims(tier)
        assert found.key == trusted()


def test_a_bearer_credential_is_valid_but_its_holder_unproven() -> None:
    found = check(GOOD)
    assert outcome(found, "holder binding") is Outcome.SKIPPED
    assert outcome(found, "status") is Outcome.SKIPPED


def test_a_static_code_does_not_prove_its_holder_even_with_a_holder_key() -> None:
    found = check(issue(claims(holder_key=HOLDER_KEY), SIGNER))
    assert found.verdict is Verdict.VALID
    assert outcome(found, "holder binding") is Outcome.SKIPPED
    assert found.checks[6].reason != check(GOOD).checks[6].reason


@pytest.mark.parametrize("holder_key", [None, HOLDER_KEY])
def test_a_status_that_nobody_can_look_up_is_not_plain_valid(holder_key: bytes | None) -> None:
    found = check(issue(claims(status=STATUS, holder_key=holder_key), SIGNER))
    assert found.verdict is Verdict.VALID_STALE_STATUS
    assert not found.valid
    assert outcome(found, "status") is Outcome.UNKNOWN


def test_expired() -> None:
    end = claims().expires_at
    assert check(GOOD, now=end - timedelta(seconds=1)).verdict is Verdict.VALID
    found = check(GOOD, now=end)
    assert found.verdict is Verdict.EXPIRED
    assert found.claims == claims()


def test_not_yet_valid() -> None:
    start = NOW + timedelta(days=3)
    credential = issue(replace(claims(), not_before=start), SIGNER)
    assert check(credential, now=start - timedelta(seconds=1)).verdict is Verdict.NOT_YET
    assert check(credential, now=start).verdict is Verdict.VALID


def test_issued_in_the_future() -> None:
    credential = issue(replace(claims(), issued_at=NOW + CLOCK_SKEW), SIGNER)
    assert check(credential).verdict is Verdict.VALID
    found = check(credential, now=NOW - timedelta(seconds=1))
    assert found.verdict is Verdict.STALE_OR_FUTURE
    assert failed_at(found) == "validity"


@pytest.mark.parametrize("outside", [timedelta(seconds=-1), timedelta(days=8, seconds=1)])
def test_key_outside_its_signing_period(outside: timedelta) -> None:
    """An expired or future issuing key: the signature is right and counts nevertheless not."""
    period = trusted(not_before=ISSUED - outside, not_after=ISSUED - outside + timedelta(days=8))
    found = check(GOOD, TrustList([period]))
    assert found.verdict is Verdict.BAD_ISSUER_SIG
    assert failed_at(found) == "signing period"
    assert found.claims is None
    assert found.key == period


def test_unknown_kid() -> None:
    found = check(issue(claims(), OTHER_SIGNER))
    assert found.verdict is Verdict.UNKNOWN_KID
    assert found.claims is None
    assert check(GOOD, TrustList()).verdict is Verdict.UNKNOWN_KID


def test_kid_collision_tries_every_key() -> None:
    kid = b"same"
    first, second = replace(trusted(OTHER_SIGNER), kid=kid), replace(trusted(SIGNER), kid=kid)
    credential = issue(claims(), FixedKid(SIGNER, kid))  # type: ignore[arg-type]
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


def test_altered_payload() -> None:
    altered = PARTS.payload.replace(b"ERIKSSON", b"ERIKSSEN")
    found = check(cose.encode(PROTECTED, altered, PARTS.signature))
    assert found.verdict is Verdict.BAD_ISSUER_SIG
    assert failed_at(found) == "signature"
    assert found.claims is None


def test_malleated_signature_is_the_same_credential() -> None:
    """Anybody can turn (r, s) into (r, n - s); it stays valid, so the credential is known by its claims only."""
    other = PARTS.signature[:32] + (ORDER - int.from_bytes(PARTS.signature[32:])).to_bytes(32)
    malleated = cose.encode(PROTECTED, PARTS.payload, other)
    assert malleated != GOOD
    assert check(malleated).verdict is Verdict.VALID
    assert check(malleated).claims == check(GOOD).claims


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64, b"\0" * 32 + b"\1" * 32], ids=["zero", "ones", "r = 0"])
def test_degenerate_signatures(signature: bytes) -> None:
    assert check(cose.encode(PROTECTED, PARTS.payload, signature)).verdict is Verdict.BAD_ISSUER_SIG


def test_minimal_tier_posing_as_full() -> None:
    minimal = cose.parse(issue(claims(Tier.MINIMAL), SIGNER))
    contents = cbor.decode(minimal.payload)
    contents[-65537][0] = Tier.FULL.value
    posing = cbor.encode(contents)
    assert check(cose.encode(PROTECTED, posing, minimal.signature)).verdict is Verdict.MALFORMED
    assert check(signed(posing)).verdict is Verdict.MALFORMED
    full = cose.encode(PROTECTED, PARTS.payload, minimal.signature)
    assert check(full).verdict is Verdict.BAD_ISSUER_SIG


def with_head(payload: bytes, count: int) -> bytes:
    """The payload with the count of its outermost map changed."""
    return bytes([0xA0 + count]) + payload[1:]


HOSTILE_PAYLOADS = {
    "trailing bytes": PARTS.payload + b"\0",
    "duplicate keys": with_head(PARTS.payload, 6) + PARTS.payload[1:18],
    "deep nesting": with_head(PARTS.payload, 6) + b"\x08" + b"\x81" * 200 + b"\0",
    "deep tags": with_head(PARTS.payload, 6) + b"\x08" + b"\xc1" * 200 + b"\0",
    "non-shortest integers": PARTS.payload.replace(b"\x06\x1a", b"\x06\x1b\0\0\0\0"),
    "non-shortest key": b"\xa5\x18\x02" + PARTS.payload[2:],
    "indefinite length": b"\xbf" + PARTS.payload[1:] + b"\xff",
    "huge numbers": cbor2.dumps({**cbor.decode(PARTS.payload), 4: 2**4000}),
    "huge time": cbor2.dumps({**cbor.decode(PARTS.payload), 4: 2**64 - 1}),
    "float time": cbor2.dumps({**cbor.decode(PARTS.payload), 4: 1e300}),
    "date as a tag": cbor2.dumps({**cbor.decode(PARTS.payload), 4: NOW}),
    "claimed length of 2^63": b"\xbb\x7f" + b"\xff" * 7 + PARTS.payload[1:],
    "reference to itself": b"\xd8\x1c\x81\xd8\x1d\x00",
    "keys in another order": cbor2.dumps(dict(reversed(cbor.decode(PARTS.payload).items()))),
    "unknown claim": cbor2.dumps({**cbor.decode(PARTS.payload), 7: b"id"}, canonical=True),
    "empty": b"",
}


@pytest.mark.parametrize("payload", HOSTILE_PAYLOADS.values(), ids=HOSTILE_PAYLOADS.keys())
def test_hostile_payload_under_a_right_signature(payload: bytes) -> None:
    """A careless or captured issuer signs it; still it is not ours."""
    found = check(signed(payload))
    assert found.verdict is Verdict.MALFORMED
    assert failed_at(found) == "format"


@pytest.mark.parametrize(
    "credential",
    [
        b"",
        b"\xd2",
        GOOD + b"\0",
        GOOD[:-1],
        GOOD[1:],
        b"\xd2" + GOOD,
        GOOD + GOOD,
        GOOD + bytes(1_000_000),
        b"\xd2\x84" + b"\x81" * 390,
        b"\xd2\x9f" + GOOD[2:] + b"\xff",
        cose.encode(b"\xa2\x01\x26\x04\x43kid", PARTS.payload, PARTS.signature),
        cose.encode(PROTECTED + b"\0", PARTS.payload, PARTS.signature),
    ],
)
def test_hostile_records(credential: bytes) -> None:
    assert check(credential).verdict is Verdict.MALFORMED


TEXT = to_text(GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT.lower(),
        TEXT.replace("JY1:", "jy1:"),
        TEXT.replace("JY1:", "JY2:"),
        TEXT.replace("JY1:", "HC1:"),
        TEXT[4:],
        " " + TEXT,
        TEXT + "\n",
        TEXT + ":::",
        TEXT + "0" * (MAX_TEXT - len(TEXT) + 1),
        "JY1:" + "0" * 10_000_000,
        "JY1:" + base45.encode(GOOD)[:-1],
        "JY1:\ud800\U0001f600",
        "JY1:\x00",
    ],
)
def test_hostile_texts(text: str) -> None:
    assert check(text).verdict is Verdict.MALFORMED


def test_mutated_tokens_never_verify_and_never_raise() -> None:
    """Five thousand seeded mutations of text and bytes: flips, cuts, insertions, swaps and splices."""
    chance = random.Random(20241201)
    sources = [issue(claims(tier, status=status), SIGNER) for tier in Tier for status in (None, STATUS)]
    for _ in range(2500):
        source = chance.choice(sources)
        record = bytearray(source)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(record))
            match chance.randrange(5):
                case 0:
                    record[place] ^= 1 << chance.randrange(8)
                case 1:
                    record[place] = chance.randrange(256)
                case 2:
                    del record[place : place + chance.randint(1, 8)]
                case 3:
                    record[place:place] = chance.randbytes(chance.randint(1, 8))
                case 4:
                    other = chance.choice(sources)
                    record[place : place + 16] = other[place : place + 16]
        if bytes(record) not in sources:
            assert check(bytes(record)).verdict not in (Verdict.VALID, Verdict.VALID_STALE_STATUS)
        text = list(to_text(source))
        place = chance.randrange(len(text))
        text[place] = chance.choice(base45.ALPHABET + "ab\n")
        if "".join(text) != to_text(source):
            assert check("".join(text)).verdict not in (Verdict.VALID, Verdict.VALID_STALE_STATUS)


def test_mutated_payloads_under_a_right_signature_never_raise() -> None:
    """The signature passes, so everything behind it meets hostile contents."""
    chance = random.Random(75)
    payloads = [claims(tier, status=STATUS, holder_key=HOLDER_KEY).encode() for tier in Tier]
    verdicts = set()
    for _ in range(1000):
        payload = bytearray(chance.choice(payloads))
        for _ in range(chance.randint(1, 2)):
            payload[chance.randrange(len(payload))] = chance.randrange(256)
        verdicts.add(check(signed(bytes(payload))).verdict)
    assert Verdict.MALFORMED in verdicts


@given(st.text(max_size=80) | st.text(alphabet=base45.ALPHABET, max_size=80).map("JY1:".__add__))
def test_no_text_raises(text: str) -> None:
    assert check(text).verdict is Verdict.MALFORMED


@given(st.binary(max_size=120))
def test_no_bytes_raise(data: bytes) -> None:
    assert check(b"\xd2\x84" + data).verdict is Verdict.MALFORMED


def test_the_present_time_needs_a_time_zone() -> None:
    with pytest.raises(InputError):
        verify(GOOD, TRUST, now=datetime(2026, 12, 1))


def test_checks_after_the_failing_one_are_skipped() -> None:
    found = check(GOOD, now=datetime(2050, 1, 1, tzinfo=UTC))
    assert [check.outcome for check in found.checks] == [Outcome.PASS] * 5 + [Outcome.FAIL] + [Outcome.SKIPPED] * 2


def test_the_dictionary_of_a_valid_credential() -> None:
    shown = check(GOOD, TrustList([trusted(demonstration=True)])).to_dict()
    assert shown["verdict"] == "valid"
    assert shown["claims"] == claims().to_dict()
    assert shown["issuer"] == {
        "zh": "测试签发机关",
        "en": "issuer of the tests",
        "kid": SIGNER.kid.hex(),
        "algorithm": "ES256",
        "region": "331000",
        "demonstration": True,
    }
    checks = shown["checks"]
    assert isinstance(checks, list)
    assert checks[0] == {"name": "format", "outcome": "pass", "reason": {"zh": "格式规范", "en": "well-formed"}}


def test_the_dictionary_of_garbage() -> None:
    shown = check("garbage").to_dict()
    assert (shown["verdict"], shown["claims"], shown["issuer"]) == ("malformed", None, None)


def test_the_verdicts_are_those_of_the_design_each_with_words() -> None:
    assert {verdict.value for verdict in Verdict} == {
        "valid",
        "valid_stale_status",
        "expired",
        "not_yet",
        "revoked",
        "suspended",
        "bad_issuer_sig",
        "bad_holder_sig",
        "stale_or_future",
        "replayed",
        "no_holder_binding",
        "unknown_kid",
        "unsupported_alg",
        "malformed",
    }
    assert len({verdict.text for verdict in Verdict}) == len(Verdict)


def test_no_repr_shows_a_person() -> None:
    assert "ERIKSSON" not in repr(check(GOOD))
