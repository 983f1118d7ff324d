"""Cards, and what they are to hold."""

from juying.card.contents import CardContents
from juying.card.virtual.card import VirtualCard
from juying.codec.profile import load_profile
from juying.codec.spec import File, Profile
from juying.issuance.office import card_contents, sign_permit
from tests import people

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")
PHOTO = b"\xff\xd8" + bytes(range(256)) * 12 + b"\xff\xd9"


def contents(
    record: bytes | None, *, number: str = "JYX000010", photo: bytes | None = None, **holder: object
) -> CardContents:
    """What an invented applicant's card is to hold."""
    application = people.application(holder=people.holder(**holder))
    office = people.office()
    credentials = sign_permit(office, application)
    whole = card_contents(office, application, number, credentials, load_profile("ssc-v3"))
    return CardContents(whole.values, photo, record)


def blank(profile: str, **options: object) -> VirtualCard:
    return VirtualCard.blank(load_profile(profile), serial=bytes.fromhex("99110145"), **options)  # type: ignore[arg-type]


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
