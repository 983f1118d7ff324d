"""One application becomes one card and two credentials."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from juying.card.contents import CardContents
from juying.card.ssc import SscCard
from juying.card.writer import Plan, write_card
from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import Credentials, issue, unverified_claims
from juying.credential.register import Register, check_standing
from juying.credential.trust import TrustList
from juying.credential.verify import Outcome, Verdict, Verification, verify
from juying.crypto.signing import Signer
from juying.errors import DecodeError, InputError, KeyUseError
from juying.issuance.intake import Application
from juying.issuance.photo import card_photo
from juying.model import CardIdentity
from juying.model.card import institution_code, years_later
from juying.model.checks import check_fields, optional
from juying.model.checks import region as region_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Who issues: the signing key, what terminals trust, and what stands on every card.

    ``register`` gives credentials their place in a status list, so that they can be revoked; without one they
    cannot. ``region`` (6 digits, GB/T 2260, or empty) is the issuing place of permits that name none,
    ``institution`` the 初始化机构编号 (24 digits) or empty; ``clock`` gives the present time with a time zone.
    Raises `FieldError` or `RecordError` for another region or institution.
    """

    signer: Signer
    trust: TrustList
    register: Register | None = None
    region: str = ""
    institution: str = ""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        """Check what would otherwise be wrong on every card."""
        check_fields(self, region=optional(region_code), institution=optional(institution_code))

    def check_key(self) -> None:
        """Raise `KeyUseError` unless a terminal would accept what the key signs now."""
        keys = [key for key in self.trust.keys(self.signer.kid) if key.key.public_key == self.signer.public_key]
        if not keys:
            raise KeyUseError(
                "签发密钥不在信任列表中，未作任何改动",
                "the signing key is not in the trust list; nothing was changed",
                where=self.signer.kid.hex(),
            )
        if not any(key.signs_at(self.clock()) for key in keys):
            raise KeyUseError(
                "现在不在签发密钥的签发期内，未作任何改动；请换用当前的密钥",
                "now is outside the signing period of the key; nothing was changed: use the key of this period",
                where=self.signer.kid.hex(),
            )


@dataclass(frozen=True, slots=True)
class Draft:
    """What a credential is to say, without a place in a status list; ``kept`` is an earlier one that says it already.

    ``place`` is that of the earlier one, whether it is kept or replaced.
    """

    claims: Claims = field(repr=False)
    kept: bytes | None = field(repr=False)
    place: StatusReference | None


def draft(office: Office, application: Application, tier: Tier, earlier: bytes | None = None) -> Draft:
    """What the credential of ``application`` in one tier is to say.

    ``earlier`` is kept where it says the same and still verifies; otherwise the new one is bound to the same holder
    key. Raises `InputError` for a permit that cannot be signed, such as one that has expired, is not this key's to sign
    or is too long, or whose holder's social security number is not settled: before any card is touched.
    """
    # Raises when the number is not settled: no permit is signed for somebody whose card cannot be made.
    _ = application.holder.social_security_number
    now = office.clock()
    permit = application.permit
    if not permit.region:
        permit = replace(permit, region=office.region)
    before = _claims(earlier)
    claims = Claims.of(
        application.holder, permit, tier=tier, issued_at=now, holder_key=before.holder_key if before else None
    )
    if before is None:
        return Draft(claims, None, None)
    same = replace(claims, issued_at=before.issued_at, status=before.status)
    good = earlier is not None and verify(earlier, office.trust, now=now).verdict in _GOOD
    return Draft(claims, earlier if good and before == same else None, before.status)


_FARTHEST = StatusReference(2**31 - 1, 2**31 - 1)  # takes as many bytes as any


class _Unsigned:
    """Stands for the key where only the length of a signature matters."""

    def __init__(self, signer: Signer) -> None:
        self.algorithm, self.kid, self.public_key = signer.algorithm, signer.kid, signer.public_key

    def sign(self, message: bytes) -> bytes:
        return bytes(64)


def check_signable(office: Office, claims: Claims) -> None:
    """Raise `InputError` when no credential can be signed that says this, as `sign` would, but without the key."""
    keys = office.trust.keys(office.signer.kid)
    if not any(claims.category in key.categories and key.covers(claims.region) for key in keys):
        raise InputError(
            "此密钥不得签发这一类别或地区的许可，未作任何改动",
            "the key may not sign for this class or region of permit; nothing was changed",
        )
    issue(replace(claims, status=claims.status or _FARTHEST), _Unsigned(office.signer))


def sign(office: Office, claims: Claims) -> bytes:
    """Sign claims. Raises `KeyUseError`, and `InputError` for what no terminal would accept."""
    record = issue(claims, office.signer)
    _refuse_worthless(verify(record, office.trust, now=office.clock()))
    return record


def sign_permit(office: Office, application: Application, previous: Credentials | None = None) -> Credentials:
    """Sign the permit of ``application`` in both tiers.

    Credentials of an earlier run are kept where they say the same and still verify, so that signing twice changes
    nothing; a new one is bound to the same holder key. Call `confirm` when they are stored.

    Raises `KeyUseError` when the key may not sign now, and `InputError` as `draft` does, and for a permit that was
    revoked.
    """
    office.check_key()

    def signed(tier: Tier, earlier: bytes | None) -> bytes:
        wanted = draft(office, application, tier, earlier)
        before, place = _claims(earlier), wanted.place
        again = before is not None and before.permit_number == application.permit.number
        if office.register is not None and place is not None and again:
            check_standing(office.register, place)
        if wanted.kept is not None and (office.register is None or place is not None):
            return wanted.kept
        if office.register is not None:
            place = office.register.allot(application.permit.number, replaces=place)
        elif place is not None:
            raise InputError(
                "此前的凭证有状态编号，重签须用原台账；请用 --ledger 指定",
                "the credential before has a status entry, a new one needs the same ledger: name it with --ledger",
            )
        return sign(office, replace(wanted.claims, status=place))

    return Credentials(
        full=signed(Tier.FULL, previous.full if previous else None),
        minimal=signed(Tier.MINIMAL, previous.minimal if previous else None),
    )


def _claims(record: bytes | None) -> Claims | None:
    """What an earlier credential says, whoever signed it; None for none."""
    if record is None:
        return None
    try:
        return unverified_claims(record)
    except DecodeError:
        return None


def confirm(office: Office, credentials: Credentials) -> None:
    """Tell the register that ``credentials`` are safely stored: what they replace is revoked. Harmless twice."""
    for record in (credentials.full, credentials.minimal):
        claims = _claims(record)
        if office.register is not None and claims is not None and claims.status is not None:
            office.register.confirm(claims.status)


# A permit may be issued before the day on which it begins; the register, not a status list, says what was revoked.
_GOOD = (Verdict.VALID, Verdict.VALID_STALE_STATUS, Verdict.NOT_YET)


def _refuse_worthless(found: Verification) -> None:
    """Raise `InputError` for a credential that no terminal would accept."""
    if found.verdict not in _GOOD:
        failed = (check.reason for check in found.checks if check.outcome is Outcome.FAIL)
        reason = next(failed, found.verdict.text)
        raise InputError(
            f"用此密钥签发的许可不会被接受（{reason.zh}），未作任何改动",
            f"signed with this key the permit would not be accepted ({reason.en}); nothing was changed",
        )


def portrait(application: Application) -> bytes | None:
    """The photo of ``application`` as a JPEG that fits the card, None without one. Raises `FieldError`."""
    return None if application.photo is None else card_photo(application.photo)


def issue_card(
    office: Office,
    application: Application,
    card_number: str,
    credentials: Credentials,
    card: SscCard,
    *,
    photo: bytes | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Write holder, permit and ``photo`` (from `portrait`) onto ``card``, and read it back.

    Raises `InputError` for credentials that no terminal would accept and `FieldError` for an application that no card
    can hold, both before the card is touched, and what `write_card` raises; the card may then be half written, and
    calling this again finishes it.
    """
    issued_on = card.value("card.issued_on")
    contents = card_contents(
        office,
        application,
        card_number,
        credentials,
        photo=photo,
        issued_on=issued_on if isinstance(issued_on, date) else None,
    )
    _refuse_worthless(verify(credentials.full, office.trust, now=office.clock()))
    return write_card(card, contents, progress=progress)


def card_contents(
    office: Office,
    application: Application,
    card_number: str,
    credentials: Credentials,
    *,
    photo: bytes | None = None,
    issued_on: date | None = None,
) -> CardContents:
    """What the card of ``application`` is to hold.

    The day of issue is the one asked for, else ``issued_on`` (of a card begun earlier), else today. Raises as
    `issue_card` does for the application.
    """
    day = application.issued_on or issued_on or office.clock().astimezone().date()
    identity = CardIdentity(
        number=card_number, issued_on=day, expires_on=years_later(day), institution=office.institution
    )
    return CardContents.of(
        application.holder, application.permit, identity, photo=photo, permit_record=credentials.full
    )
