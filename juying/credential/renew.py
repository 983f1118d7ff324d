"""Signing a credential anew: the same claims with a new time of issue and a new place in the status list."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from juying.credential.claims import Claims, StatusReference
from juying.credential.issue import issue, to_text
from juying.credential.policy import Policy, StaleStatus
from juying.credential.register import Register
from juying.credential.status_list import Status
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import Signer
from juying.errors import InputError, KeyUseError
from juying.files import write_atomically

# What the register says counts here, not a status list; and a permit may begin later than today.
_POLICY = Policy(stale_status=StaleStatus.WARN)
_GOOD = (Verdict.VALID, Verdict.VALID_STALE_STATUS, Verdict.NOT_YET)

Keep = Callable[[StatusReference | None, StatusReference, bytes], None]
"""Hears the place of the old credential, that of the new one, and the new record."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How it went: ``verdict`` is of the old credential, and only one that is good now has new ``claims``.

    ``old`` is the place of the old one in the status list; None when it had none.
    """

    verdict: Verdict
    claims: Claims | None = None
    old: StatusReference | None = None

    @property
    def done(self) -> bool:
        """True when there is a new credential."""
        return self.claims is not None


def renew(
    text: str,
    out: Path,
    register: Register,
    signer: Signer,
    trust: TrustList,
    *,
    now: datetime,
    holder_key: bytes | None = None,
    keep: Keep | None = None,
) -> Renewal:
    """Renew the credential ``text`` into the file ``out`` and then, when it is safely there, revoke the old one.

    ``keep`` may do something else then than to `Register.confirm` the new one.

    The new credential differs in the time of issue, the status and the signature alone. Its holder key stays, unless
    ``holder_key`` is given: another one, of which the holder has proven possession (`check_proof`). When
    this is interrupted run it again: the old credential is good until the new one is stored, and whatever an
    interrupted run left is revoked with the old one.

    Raises InputError when it is not of this register or a file cannot be written, KeyUseError when terminals that use
    ``trust`` would not accept the new signature.
    """
    before = verify(text, trust, now=now, policy=_POLICY)
    if before.claims is None or before.verdict not in _GOOD:
        return Renewal(before.verdict)
    old = before.claims.status
    if old is not None:
        status = register.status(old)
        if status is None:
            raise InputError(
                "登记簿中没有这个状态编号：凭证不是凭此登记簿签发的",
                "the register has no such status entry: the credential was not issued from this register",
            )
        if status is not Status.VALID:
            return Renewal(Verdict.SUSPENDED if status is Status.SUSPENDED else Verdict.REVOKED)
    new = register.allot(before.claims.permit_number, replaces=old)
    key = holder_key or before.claims.holder_key
    claims = replace(before.claims, issued_at=now.replace(microsecond=0), status=new, holder_key=key)
    record = issue(claims, signer)
    after = verify(record, trust, now=now, policy=_POLICY)
    if after.verdict not in _GOOD:
        raise KeyUseError(
            f"新签的凭证未通过验证（{after.verdict.text.zh}），旧凭证未变；请检查签发密钥和信任列表",
            f"the new credential does not verify ({after.verdict.text.en}), the old one is as it was: check the "
            "issuing key and the trust list",
            where=signer.kid.hex(),
        )
    write_atomically(out, to_text(record).encode("ascii") + b"\n", private=True)
    if keep is None:
        register.confirm(new)
    else:
        keep(old, new, record)
    return Renewal(before.verdict, claims, old)
