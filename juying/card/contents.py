"""What goes onto a card, as values of model fields; the profile decides where each of them goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from juying.codec.spec import Content
from juying.model import CardIdentity, Holder, WorkPermit


@dataclass(frozen=True, slots=True)
class CardContents:
    """What one card is to hold.

    ``values`` maps model fields to values; ``photo`` is a JPEG, ``permit_record`` the signed permit (COSE_Sign1).
    What is not given is left on the card as it is.
    """

    values: Mapping[str, Content] = field(repr=False)
    photo: bytes | None = field(default=None, repr=False)
    permit_record: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        holder: Holder,
        permit: WorkPermit,
        identity: CardIdentity,
        *,
        photo: bytes | None = None,
        permit_record: bytes | None = None,
    ) -> "CardContents":
        """Gather the fields of the model; empty ones are left out.

        Raises `NumberNotSettled` when the holder's social security number was not issued and cannot be built.
        """
        values: dict[str, Content] = {
            "card.identifier": identity.identifier,
            "card.card_class": identity.card_class,
            "card.institution": identity.institution,
            "card.issued_on": identity.issued_on,
            "card.expires_on": identity.expires_on,
            "card.number": identity.number,
            "holder.social_security_number": holder.social_security_number,
            "holder.registered_name": holder.registered_name,
            "holder.sex": holder.sex.value,
            "holder.birth_date": holder.birth_date,
            "holder.nationality": holder.nationality,
            "holder.address": holder.address,
            "holder.address_region": holder.address_region,
            "holder.phone": holder.phone,
            "holder.email": holder.email,
            "employer.name": permit.employer.name,
            "employer.organisation_code": permit.employer.organisation_code,
        }
        return cls({name: value for name, value in values.items() if value}, photo, permit_record)
