"""What an order needs, read from the ledger once: the holder, the permit, and the credentials to sign or to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from juying.card.contents import CardContents
from juying.codec.spec import Profile
from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import Credentials
from juying.credential.status_list import Status
from juying.errors import InputError
from juying.issuance.intake import Application
from juying.issuance.office import Office, check_signable, draft, sign
from juying.ledger import credentials, schema
from juying.ledger.credentials import Signed, Stored
from juying.ledger.ledger import Transaction
from juying.ledger.orders import Wanted
from juying.ledger.people import load_holder, load_permit, load_photo
from juying.ledger.register import allot_in, statuses_of
from juying.ledger.states import OrderKind, PermitState
from juying.ledger.vault import Vault
from juying.model import CardIdentity

_permits, _cards = schema.permits, schema.cards
_PERMIT = sa.select(_permits.c.state, _permits.c.before_id).where(_permits.c.id == sa.bindparam("permit"))
_CHIPS = sa.select(_cards.c.credential_id).where(
    _cards.c.person_id == sa.bindparam("person"), _cards.c.credential_id.is_not(None)
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One credential of a job: one that is kept, or claims to sign in place of the one with the id ``before``."""

    tier: Tier
    claims: Claims = field(repr=False)
    kept: Stored | None
    before: int | None
    replaces: StatusReference | None


@dataclass(frozen=True, slots=True)
class Job:
    """What an order needs whose card is to hold a permit; ``permit`` is its id."""

    permit: int
    application: Application = field(repr=False)
    photo: bytes | None = field(repr=False)
    planned: tuple[Planned, ...]

    def unsigned(self) -> list[Planned]:
        """The credentials that are not signed yet."""
        return [one for one in self.planned if one.kept is None]


def prepare(db: sa.Connection, vault: Vault, office: Office, wanted: Wanted, profile: Profile) -> Job | None:
    """Read all that ``wanted`` needs; None for an order to take the permit off a card, which needs nothing.

    Raises `InputError` when its card cannot be made: the permit is over, was revoked or suspended, cannot be signed by
    this office, or something does not fit onto a card of ``profile``.
    """
    if wanted.permit is None:
        return None
    state, before = db.execute(_PERMIT, {"permit": wanted.permit}).one()
    if state != PermitState.VALID.value:
        raise InputError("许可已不再有效，不能制卡", "the permit is not valid any more: no card can be made for it")
    holder, permit = load_holder(db, vault, wanted.person), load_permit(db, vault, wanted.permit)
    application = Application(holder=holder, permit=permit)
    present = credentials.current(db, vault, wanted.permit)
    _check_standing(db, present)
    stored = _before(db, vault, before, present)
    elsewhere = _on_other_chips(db, wanted)
    planned = tuple(_plan(office, application, wanted.permit, tier, stored.get(tier), elsewhere) for tier in Tier)
    job = Job(wanted.permit, application, load_photo(db, vault, wanted.person), planned)
    contents(office, wanted, job).encode(profile)  # what does not fit is found before a card is spent on it
    return job


def _before(db: sa.Connection, vault: Vault, permit: int | None, found: Mapping[Tier, Stored]) -> Mapping[Tier, Stored]:
    """``found``, and for tiers without a credential the one of the last permit before that has one.

    One before the last may still be on the chip, and is to be replaced.
    """
    while permit is not None and len(found) < len(Tier):
        found = {**credentials.current(db, vault, permit), **found}
        permit = db.execute(sa.select(_permits.c.before_id).where(_permits.c.id == permit)).scalar()
    return found


def _on_other_chips(db: sa.Connection, wanted: Wanted) -> frozenset[int]:
    """The credentials on cards that the person has, when a new card is to take their place: it gets one of its own."""
    if wanted.kind is not OrderKind.NEW:
        return frozenset()
    return frozenset(db.execute(_CHIPS, {"person": wanted.person}).scalars())


def _check_standing(db: sa.Connection, present: Mapping[Tier, Stored]) -> None:
    places = [stored.reference for stored in present.values() if stored.reference is not None]
    if Status.SUSPENDED in statuses_of(db, places).values():
        raise InputError(
            "该许可的凭证已暂停，恢复后才能制卡",
            "the credential of this permit is suspended: its card can be made when it is resumed",
        )


def _plan(
    office: Office, application: Application, permit: int, tier: Tier, stored: Stored | None, elsewhere: frozenset[int]
) -> Planned:
    wanted = draft(office, application, tier, stored.record if stored is not None else None)
    if stored is None:
        check_signable(office, wanted.claims)
        return Planned(tier, wanted.claims, None, None, None)
    mine = stored.permit == permit and stored.id not in elsewhere
    if wanted.kept is not None and mine and stored.reference is not None:
        return Planned(tier, wanted.claims, stored, stored.before, None)
    check_signable(office, wanted.claims)
    return Planned(tier, wanted.claims, None, stored.id, stored.reference)


def allot(tx: Transaction, job: Job) -> dict[Tier, StatusReference]:
    """A place in a status list for every credential that is to be signed."""
    unsigned = job.unsigned()
    places = allot_in(
        tx, [one.claims.permit_number for one in unsigned], replaces=[one.replaces for one in unsigned]
    ) if unsigned else ()  # fmt: skip
    return {one.tier: place for one, place in zip(unsigned, places, strict=True)}


def sign_all(office: Office, wanted: Wanted, job: Job, places: Mapping[Tier, StatusReference]) -> list[Signed]:
    """Sign what is not signed yet, ready to be stored. Raises `KeyUseError`, and `InputError` as `sign` does."""
    if job.unsigned():
        office.check_key()
    return [
        Signed(
            person=wanted.person, permit=job.permit, tier=one.tier, reference=places[one.tier],
            record=sign(office, replace(one.claims, status=places[one.tier])), before=one.before,
        )
        for one in job.unsigned()
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """The credentials of a card as they stand in the ledger: their ids, and the records."""

    ids: Mapping[Tier, int]
    records: Credentials = field(repr=False)


def store(tx: Transaction, job: Job, signed: Sequence[Signed]) -> Kept:
    """Store what was signed, unless that was done already; with what was kept these are the job's credentials."""
    stored = credentials.current(tx.db, tx.vault, job.permit)
    there = {one.reference: one.id for one in stored.values()}
    missing = [one for one in signed if one.reference not in there]
    new = dict(zip((one.tier for one in missing), credentials.store_many(tx, missing), strict=True))
    return _kept(job, signed, {**{one.tier: there[one.reference] for one in signed if one not in missing}, **new})


def kept(job: Job) -> Kept:
    """The credentials of a job of which none is to be signed."""
    return _kept(job, (), {})


def _kept(job: Job, signed: Sequence[Signed], new: Mapping[Tier, int]) -> Kept:
    old = {one.tier: one.kept for one in job.planned if one.kept is not None}
    records = {tier: stored.record for tier, stored in old.items()} | {one.tier: one.record for one in signed}
    ids = {**{tier: stored.id for tier, stored in old.items()}, **new}
    return Kept(ids, Credentials(full=records[Tier.FULL], minimal=records[Tier.MINIMAL]))


def contents(office: Office, wanted: Wanted, job: Job, record: bytes | None = None) -> CardContents:
    """What the card is to hold; ``record`` is the full credential. The office's own data goes on new cards only."""
    identity = CardIdentity(
        number=wanted.card_number, issued_on=wanted.issued_on, expires_on=wanted.expires_on,
        institution=office.institution if wanted.kind is OrderKind.NEW else "",
    )  # fmt: skip
    return CardContents.of(
        job.application.holder, job.application.permit, identity, photo=job.photo, permit_record=record
    )
