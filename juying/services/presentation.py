"""What was shown at a terminal, card or code, in one shape for every service, with what has been proven of it.

Which number is which: people have many, and services want different ones.

======================== =============================================== =========================================
field                    number                                          where it comes from
======================== =============================================== =========================================
card_number              社会保障卡卡号, the number of the card          chip, SSSE/EF05 tag 07
card_identifier          卡识别码, 16 bytes as 32 hex digits             chip, SSSE/EF05 tag 01
social_security_number   社会保障号码, the number of the person          chip, SSSE/EF06 tag 08
permit_number            工作许可证编号, the number of the work permit   signed permit, chip or QR
voucher_token            医保电子凭证 ecToken, takes the place of a card platform that resolved a QR of its own
document_number          passport or identity number                     platform that resolved a QR of its own
======================== =============================================== =========================================

A field is empty where carrier or platform do not hold it: a QR credential names neither card nor social security
number. What a chip says in its plain files is only as good as `chip_authenticated`; what a permit says is signed.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from juying.credential.policy import Assurance
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from juying.codec.spec import Content
    from juying.credential.verdict import Verification
    from juying.services.platform import Person
    from juying.services.reading import Reading

NUMBERS = {
    "card_number": Text("社会保障卡卡号", "card number"),
    "card_identifier": Text("卡识别码", "card identifier"),
    "social_security_number": Text("社会保障号码", "social security number"),
    "permit_number": Text("工作许可证编号", "work permit number"),
    "voucher_token": Text("医保电子凭证令牌", "e-voucher token"),
    "document_number": Text("证件号码", "document number"),
}
"""The fields that identify somebody, of which a site picks the one that it knows people by."""

ASSURANCES = ("chip_read", "chip_authenticated", "signature_valid", "holder_bound")
"""The fields that say what was proven."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Presentation:
    """A card or a code at a terminal; what is not known is empty.

    ``chip_read``: a chip answered; ``chip_authenticated``: it proved that it knows its keys, so it is no copy;
    ``signature_valid``: the issuer's signature of the permit counts; ``holder_bound``: the one who shows it proved to
    be the holder, by PIN or by the key in the phone.

    ``signature`` says what was found of a permit (`juying.services.reading.Signature`), ``permit`` the verifier's
    answer, ``transit`` the transport application of the chip, if it was read.
    """

    carrier: Literal["chip", "qr"]
    chip_read: bool = False
    chip_authenticated: bool = False
    signature_valid: bool = False
    holder_bound: bool = False
    card_number: str = ""
    card_identifier: str = ""
    social_security_number: str = ""
    name: str = ""
    nationality: str = ""
    permit_number: str = ""
    voucher_token: str = ""
    document_number: str = ""
    signature: str = "absent"
    permit: "Verification | None" = None
    transit: object | None = None

    @classmethod
    def from_chip(
        cls,
        reading: "Reading",
        *,
        authenticated: bool | None = None,
        pin_verified: bool = False,
        transit: object | None = None,
    ) -> Self:
        """Take a card as read; the caller knows whether the holder proved the PIN, the reading whether the chip proved
        its keys, unless the caller knows better.
        """
        values, claims = reading.data.values, reading.permit.claims if reading.permit else None
        identifier = values.get("card.identifier")
        return cls(
            carrier="chip",
            chip_read=True,
            chip_authenticated=bool(reading.genuine if authenticated is None else authenticated),
            signature_valid=claims is not None,
            holder_bound=pin_verified,
            card_number=_text(values, "card.number"),
            card_identifier=identifier.hex().upper() if isinstance(identifier, bytes) else "",
            social_security_number=_text(values, "holder.social_security_number"),
            name=_text(values, "holder.registered_name") or (claims.name if claims else ""),
            nationality=_text(values, "holder.nationality") or (claims.nationality if claims else ""),
            permit_number=claims.permit_number if claims else "",
            signature=str(reading.signature),
            permit=reading.permit,
            transit=transit,
        )

    @classmethod
    def from_qr(cls, verification: "Verification", *, person: "Person | None" = None) -> Self:
        """Take a verified code; ``person`` is what a platform said, for a code that only a platform understands."""
        claims = verification.claims
        unsigned = "absent" if person is not None else "invalid"
        return cls(
            carrier="qr",
            signature_valid=claims is not None,
            holder_bound=verification.assurance >= Assurance.HOLDER,
            name=claims.name if claims else person.name if person else "",
            nationality=claims.nationality if claims else "",
            permit_number=claims.permit_number if claims else "",
            voucher_token=person.token if person else "",
            document_number=person.document_number if person else "",
            signature="valid" if claims is not None else unsigned,
            permit=verification,
        )

    @property
    def proven(self) -> tuple[str, ...]:
        """The names of `ASSURANCES` that hold."""
        return tuple(flag for flag in ASSURANCES if getattr(self, flag))

    def number(self, field: str) -> str:
        """The number in one of the fields of `NUMBERS`, empty if it was not shown. Raises `InputError`."""
        if field not in NUMBERS:
            known = ", ".join(NUMBERS)
            raise InputError(f"没有这种号码，可用：{known}", f"no such number; known are {known}", where=field)
        value: str = getattr(self, field)
        return value

    def __repr__(self) -> str:
        """What was proven and which fields are there, without their contents."""
        held = [field for field in (*NUMBERS, "name", "nationality", "transit") if getattr(self, field)]
        return f"Presentation({self.carrier}, proven: {', '.join(self.proven) or '-'}, holds: {', '.join(held) or '-'})"


def _text(values: "Mapping[str, Content]", field: str) -> str:
    value = values.get(field)
    return value if isinstance(value, str) else ""
