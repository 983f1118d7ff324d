"""The verifier: what is good, what is not good now, and that nothing makes it raise."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import base45, cose
from juying.credential.claims import CHINA, Tier
from juying.credential.issue import MAX_TEXT, issue, to_text
from juying.credential.policy import DEFAULT, Assurance, Policy
from juying.credential.presentation import EnrolledCredentials, by_reference
from juying.credential.replay import MemoryReplayCache
from juying.credential.trust import TrustList
from juying.credential.verify import Outcome, Verdict, Verification, verify
from juying.errors import InputError
from tests.credential.samples import (
    HOLDER_KEY,
    NOW,
    OTHER_SIGNER,
    SIGNER,
    STATUS,
    TRUST,
    claims,
    signed,
    trusted,
)
from tests.credential.verifying import GENUINE, PHONE, bound, check, failed_at, lists, outcome, shown

GOOD = issue(claims(), SIGNER)
PARTS = cose.parse(GOOD)
PROTECTED = cose.protected_header(-7, SIGNER.kid)


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
    assert found.assurance is Assurance.BEARER
    assert found.checks[7].reason != check(GOOD).checks[7].reason


@pytest.mark.parametrize("holder_key", [None, HOLDER_KEY])
def test_a_status_that_nobody_can_look_up_is_not_plain_valid(holder_key: bytes | None) -> None:
    found = check(issue(claims(status=STATUS, holder_key=holder_key), SIGNER))
    assert found.verdict is Verdict.VALID_STALE_STATUS
    assert not found.valid
    assert outcome(found, "status") is Outcome.UNKNOWN


def test_a_good_status_is_valid_and_says_of_when() -> None:
    found = check(issue(claims(status=STATUS), SIGNER), status=lists())
    assert found.accepted
    assert outcome(found, "status") is Outcome.PASS
    assert found.status_as_of == NOW


@pytest.mark.parametrize(
    ("audience", "nonce", "assurance"),
    [
        (None, None, Assurance.HOLDER),
        ("gate 7", None, Assurance.HOLDER),
        (None, b"12345678", Assurance.CHALLENGED),
        ("gate 7", b"12345678", Assurance.CHALLENGED),
    ],
)
def test_a_presentation_proves_its_holder(audience: str | None, nonce: bytes | None, assurance: Assurance) -> None:
    presentation = shown(audience=audience, nonce=nonce)
    for source in (presentation, to_text(presentation)):
        found = check(source, audience=audience, nonce=nonce, replay=MemoryReplayCache())
        assert found.accepted
        assert (found.assurance, found.presented_at) == (assurance, NOW)
        assert all(outcome(found, name) is Outcome.PASS for name in ("holder binding", "freshness", "replay"))


def test_a_site_that_holds_the_credential_needs_its_reference_only() -> None:
    credential = bound()
    found = check(by_reference(credential, PHONE, now=NOW), references=EnrolledCredentials([GOOD, credential]))
    assert found.accepted
    assert found.assurance is Assurance.HOLDER
    assert found.claims == claims(holder_key=PHONE.public_key)


def test_without_a_replay_cache_the_answer_says_so() -> None:
    found = check(shown())
    assert found.accepted
    assert outcome(found, "replay") is Outcome.SKIPPED


def test_the_holders_clock_may_be_known_to_be_wrong() -> None:
    policy = Policy(window=timedelta(seconds=15), holder_skew=timedelta(seconds=10))
    for off in (timedelta(seconds=25), timedelta(seconds=-25)):
        assert check(shown(now=NOW + off), policy=policy).accepted
        assert check(shown(now=NOW + off * 26 / 25), policy=policy).verdict is Verdict.STALE_OR_FUTURE


def test_only_what_the_policy_passed_is_accepted() -> None:
    assert not Verification(Verdict.VALID, ()).accepted
    found = check(GOOD)
    assert found.accepted
    assert not replace(found, verdict=Verdict.REPLAYED).accepted


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
    credential = issue(replace(claims(), issued_at=NOW + DEFAULT.clock_skew), SIGNER)
    assert check(credential).verdict is Verdict.VALID
    found = check(credential, now=NOW - timedelta(seconds=1))
    assert found.verdict is Verdict.STALE_OR_FUTURE
    assert failed_at(found) == "validity"


def test_unknown_kid() -> None:
    found = check(issue(claims(), OTHER_SIGNER))
    assert found.verdict is Verdict.UNKNOWN_KID
    assert found.claims is None
    assert check(GOOD, TrustList()).verdict is Verdict.UNKNOWN_KID


def test_altered_payload() -> None:
    altered = PARTS.payload.replace(b"ERIKSSON", b"ERIKSSEN")
    found = check(cose.encode(PROTECTED, altered, PARTS.signature))
    assert found.verdict is Verdict.BAD_ISSUER_SIG
    assert failed_at(found) == "signature"
    assert found.claims is None


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64, b"\0" * 32 + b"\1" * 32], ids=["zero", "ones", "r = 0"])
def test_degenerate_signatures(signature: bytes) -> None:
    assert check(cose.encode(PROTECTED, PARTS.payload, signature)).verdict is Verdict.BAD_ISSUER_SIG


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
    sources += [shown(), shown(audience="gate 7", nonce=b"12345678"), by_reference(bound(), PHONE, now=NOW)]
    terminal = {"audience": "gate 7", "nonce": b"12345678", "references": EnrolledCredentials([bound()])}
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
            assert check(bytes(record), **terminal).verdict not in GENUINE
        text = list(to_text(source))
        place = chance.randrange(len(text))
        text[place] = chance.choice(base45.ALPHABET + "ab\n")
        if "".join(text) != to_text(source):
            assert check("".join(text), **terminal).verdict not in GENUINE


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
    for head in (b"\xd2\x84", b"\x83", b""):
        assert check(head + data).verdict is Verdict.MALFORMED


def test_the_present_time_needs_a_time_zone() -> None:
    with pytest.raises(InputError):
        verify(GOOD, TRUST, now=datetime(2026, 12, 1))


def test_checks_after_the_failing_one_are_skipped() -> None:
    found = check(GOOD, now=datetime(2050, 1, 1, tzinfo=UTC))
    assert [check.outcome for check in found.checks] == [Outcome.PASS] * 6 + [Outcome.FAIL] + [Outcome.SKIPPED] * 5


def test_the_dictionary_of_a_valid_credential() -> None:
    found = check(GOOD, TrustList([trusted(demonstration=True)])).to_dict()
    assert (found["verdict"], found["accepted"], found["assurance"]) == ("valid", True, "bearer")
    assert (found["presented_at"], found["status_as_of"]) == (None, None)
    assert found["claims"] == claims().to_dict()
    assert found["issuer"] == {
        "zh": "测试签发机关",
        "en": "issuer of the tests",
        "kid": SIGNER.kid.hex(),
        "algorithm": "ES256",
        "region": "331000",
        "demonstration": True,
    }
    checks = found["checks"]
    assert isinstance(checks, list)
    assert checks[0] == {"name": "format", "outcome": "pass", "reason": {"zh": "格式规范", "en": "well-formed"}}


def test_the_dictionary_of_a_presentation_has_its_times_in_local_time() -> None:
    found = check(shown(bound(status=STATUS)), status=lists()).to_dict()
    assert found["assurance"] == "holder"
    assert found["presented_at"] == found["status_as_of"] == NOW.astimezone(CHINA).isoformat()


def test_the_dictionary_of_garbage() -> None:
    found = check("garbage").to_dict()
    assert (found["verdict"], found["claims"], found["issuer"]) == ("malformed", None, None)


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
