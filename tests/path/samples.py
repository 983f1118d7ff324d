"""Cards, and what they are to hold."""

import random
from datetime import date

from juying.card.access import Access
from juying.card.contents import CardContents
from juying.card.permit_seal import PermitSeal
from juying.card.pin import typed_pin
from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.codec.spec import File, Profile
from juying.crypto.keys import DemonstrationKeys
from juying.model import CardIdentity
from tests import people

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")
FORMS = ("sealed", "open")
"""How a profile may have the permit on the chip."""
PIN = "123456"
"""What a virtual card leaves the factory with."""

EVERYTHING = Access(keys=DemonstrationKeys(), pin=typed_pin(lambda: PIN))
"""All keys and the PIN: some files cannot be read with the keys alone."""

PHOTO = b"\xff\xd8" + bytes(range(256)) * 12 + b"\xff\xd9"


RECORD, RENEWED = random.Random(1).randbytes(245), random.Random(2).randbytes(251)
"""As long as signed permits; a card does not look into them."""


def contents(
    record: bytes | None = RECORD, *, number: str = "JYX000010", photo: bytes | None = None, **holder: object
) -> CardContents:
    """What an invented applicant's card is to hold."""
    identity = CardIdentity(number=number, issued_on=date(2026, 12, 1), expires_on=date(2036, 12, 1))
    person = people.holder(**holder)
    return CardContents.of(person, people.permit(), identity, photo=photo, permit_record=record)


def blank(profile: str | Profile, **options: object) -> VirtualCard:
    """A card as it leaves the factory, always with the same serial number."""
    known = load_profile(profile) if isinstance(profile, str) else profile
    return VirtualCard.blank(known, serial=bytes.fromhex("99110145"), **options)


def memory_of(card: VirtualCard) -> dict[str, list[bytes]]:
    return {address: [bytes(entry) for entry in entries] for address, entries in card.memory.files.items()}


def pristine() -> Profile:
    """ssc-v3 read anew: a copy of a profile in use would take over what that has worked out of its fields."""
    return load_profile.__wrapped__("ssc-v3")


def with_file(changed: File) -> Profile:
    """ssc-v3 as a city may have it, with one file changed; the card has it, our side does not know."""
    profile = pristine()
    return profile.model_copy(
        update={
            "applications": tuple(
                application.model_copy(
                    update={"files": tuple(changed if changed.address == f.address else f for f in application.files)}
                )
                for application in profile.applications
            )
        }
    )


def layout(name: str, form: str) -> Profile:
    """A profile that has the permit sealed or open."""
    return load_profile.__wrapped__(name).model_copy(update={"permit": form})


def seal_of(profile: str) -> PermitSeal:
    """The seal of a blank card."""
    with LocalTransport(blank(profile)) as transport:
        return SscCard.open(transport).permit_seal()


def permit_on(card: SscCard) -> bytes | None:
    """The permit in force on a card, out of its seal."""
    live = card.read().permit
    return card.open_permit(live) if live is not None else None
