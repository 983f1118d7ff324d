"""The register of an issuing office: which place in which status list belongs to which permit, and its status.

A place is drawn at random among the free ones and never given twice, so a reference says nothing about when or after
whom a credential was issued. Some places are decoys: they change along with real ones, so that whoever compares two
published lists cannot count revocations. The register stays in the office, and only the lists that are published from
it go out. `juying.ledger.register` is the one of a ledger.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from juying.credential.claims import StatusReference
from juying.credential.status_list import Status
from juying.errors import InputError
from juying.text import Text


class Reason(StrEnum):
    """Why a status changed."""

    ISSUED = "issued"
    SUPERSEDED = "superseded"
    PERMIT_ENDED = "permit-ended"
    LOST = "lost"
    KEY_COMPROMISED = "key-compromised"
    ISSUED_IN_ERROR = "issued-in-error"
    UNDER_REVIEW = "under-review"
    REVIEW_ENDED = "review-ended"
    UNSPECIFIED = "unspecified"

    @property
    def text(self) -> Text:
        """The words for people."""
        return _REASON_TEXT[self]


_REASON_TEXT = {
    Reason.ISSUED: Text("签发", "issued"),
    Reason.SUPERSEDED: Text("被新凭证取代", "replaced by a newer credential"),
    Reason.PERMIT_ENDED: Text("许可注销或终止工作", "permit cancelled or employment ended"),
    Reason.LOST: Text("卡或手机遗失", "card or phone lost"),
    Reason.KEY_COMPROMISED: Text("密钥泄露", "key compromised"),
    Reason.ISSUED_IN_ERROR: Text("误发", "issued in error"),
    Reason.UNDER_REVIEW: Text("复核中", "under review"),
    Reason.REVIEW_ENDED: Text("复核完毕", "review ended"),
    Reason.UNSPECIFIED: Text("未说明", "not specified"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a status."""

    at: datetime
    status: Status
    reason: Reason


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The statuses of a whole list, one byte per entry, and the time of issue that no other snapshot of it has."""

    number: int
    statuses: bytes
    issued_at: datetime


class Register(Protocol):
    """What issuance and revocation need of a ledger; every call is durable when it returns."""

    def allot(self, subject: str = "", *, replaces: StatusReference | None = None) -> StatusReference:
        """A place that no credential ever had. ``subject`` is the permit number, or empty.

        ``replaces`` is the credential that the new one is to take the place of: it stays valid until `confirm`.
        """

    def confirm(self, reference: StatusReference) -> None:
        """The credential with this reference is safely stored: revoke whatever it replaces. Harmless twice."""

    def set(self, reference: StatusReference, status: Status, reason: Reason = Reason.UNSPECIFIED) -> bool:
        """Change a status; whether it was another one. Raises InputError for an unknown place or one revoked."""

    def status(self, reference: StatusReference) -> Status | None:
        """The status, None when the place was never given to a credential."""

    def find(self, subject: str) -> tuple[StatusReference, ...]:
        """The places of all credentials of a permit, in the order of their issue."""

    def list_numbers(self) -> tuple[int, ...]:
        """The numbers of all lists."""

    def statuses(self, list_number: int) -> bytes:
        """The status of every entry of a list, decoys and all, one byte each. Raises InputError for no such list."""

    def publication(self, list_number: int, *, after: datetime | None = None) -> AbstractContextManager[Snapshot]:
        """The list as it is now, to be signed and put in its place inside of the ``with``; one process at a time.

        Its time of issue is later than that of every snapshot before, and than ``after``.
        """


def check_standing(register: Register, reference: StatusReference) -> None:
    """Raise InputError unless the credential with this reference may be kept or replaced.

    For issuing the same permit again: what was revoked or suspended stays so, however often a sheet is run.
    """
    status = register.status(reference)
    where = f"{reference.list_number}:{reference.index}"
    if status is None:
        raise InputError(
            "登记簿中没有这个状态编号：凭证不是凭此登记簿签发的",
            "the register has no such status entry: the credential was not issued from this register",
            where=where,
        )
    if status is not Status.VALID:
        raise InputError(
            f"该许可证的凭证{status.text.zh}，不再签发；误操作请恢复，或凭新许可证签发",
            f"the credential of this permit is {status.text.en} and not issued again: resume it if that was a mistake, "
            "or issue one for a new permit",
            where=where,
        )
