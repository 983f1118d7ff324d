"""What the tests of the verifier share: verifying with the proofs that hold for every answer, and a holder."""

from datetime import datetime, timedelta
from typing import Any

from juying.credential.claims import StatusReference, Tier
from juying.credential.issue import issue
from juying.credential.presentation import present
from juying.credential.status import Status, StatusLists, sign_status_list
from juying.credential.trust import TrustList
from juying.credential.verify import CHECKS, Outcome, Verdict, Verification, verify
from tests.credential.samples import NOW, SIGNER, STATUS, TRUST, claims, signer

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PHONE = signer(1004)
"""The holder's key."""
STRANGER = signer(1005)
GENUINE = (Verdict.VALID, Verdict.VALID_STALE_STATUS)


def bound(tier: Tier = Tier.FULL, *, status: StatusReference | None = None) -> bytes:
    """A credential bound to `PHONE`."""
    return issue(claims(tier, status=status, holder_key=PHONE.public_key), SIGNER)


def shown(credential: bytes | None = None, **terminal: Any) -> bytes:
    """A presentation by `PHONE`, made now unless ``now`` says when."""
    return present(bound() if credential is None else credential, PHONE, **{"now": NOW, **terminal})


def check(source: bytes | str, trust: TrustList = TRUST, now: datetime = NOW, **terminal: Any) -> Verification:
    """Verify, and prove what holds for every answer."""
    found = verify(source, trust, now=now, **terminal)
    assert found.valid is (found.verdict is Verdict.VALID)
    assert tuple(check.name for check in found.checks) == CHECKS
    failed = [place for place, check in enumerate(found.checks) if check.outcome is Outcome.FAIL]
    assert len(failed) == (0 if found.accepted else 1)
    assert found.accepted is False or found.verdict in GENUINE
    assert not failed or all(check.outcome is Outcome.SKIPPED for check in found.checks[failed[0] + 1 :])
    assert all(check.reason.zh and check.reason.en for check in found.checks)
    assert found.verdict in GENUINE or failed
    return found


def failed_at(found: Verification) -> str:
    return next(check.name for check in found.checks if check.outcome is Outcome.FAIL)


def outcome(found: Verification, name: str) -> Outcome:
    return next(check.outcome for check in found.checks if check.name == name)


def malleated(signature: bytes) -> bytes:
    """(r, s) as (r, n - s), which anybody can do and which is as good."""
    return signature[:32] + (ORDER - int.from_bytes(signature[32:])).to_bytes(32)


def lists(status: Status = Status.VALID, *, age: timedelta = timedelta(0)) -> StatusLists:
    """The list that `STATUS` is in, signed by the issuer ``age`` ago."""
    statuses = bytearray(STATUS.index + 1)
    statuses[STATUS.index] = status
    held = StatusLists()
    held.add(sign_status_list(bytes(statuses), SIGNER, number=STATUS.list_number, issued_at=NOW - age), TRUST, now=NOW)
    return held
