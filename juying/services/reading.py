"""A card as read: its plain files, and the signed permit checked by the same verifier as the QR credential."""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from juying.card.ssc import CardData, Problem, SscCard
from juying.codec.decoding import Explained, decode_file, json_value
from juying.codec.spec import Content, File, Profile
from juying.credential.claims import Claims
from juying.credential.status import StatusLists
from juying.credential.trust import TrustList
from juying.credential.verify import Verification, verify
from juying.errors import AccessRefused, DecodeError, KeyUseError
from juying.text import Text


class Signature(StrEnum):
    """What can be said of the permit on a chip."""

    VALID = "valid"
    INVALID = "invalid"
    ABSENT = "absent"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class Reading:
    """A card that was read.

    ``permit`` is the verifier's answer on the signed record, ``record`` that record as it came out of its seal; both
    are None when there is none or when the seal was not opened. ``signature`` says whether the record is genuine;
    whether the permit is in force is in ``permit.verdict``. ``problems`` holds what could not be read and what does not
    agree. ``genuine`` tells whether the chip proved that it knows its keys and so is no copy, None when we have no key
    to ask it.
    """

    data: CardData
    permit: Verification | None
    signature: Signature
    problems: tuple[Problem, ...]
    genuine: bool | None = None
    record: bytes | None = field(default=None, repr=False)

    def files(self, profile: Profile) -> dict[str, tuple[Explained, ...]]:
        """Every record that was read, explained by the card's ``profile``, by file address; personal data."""
        explained = {
            address: tuple(entry for item in items for entry in _explain(profile.file(address), item.raw))
            for address, items in self.data.items.items()
        }
        for address, rows in self.data.rows.items():
            titles = [str(record.title) for record in profile.file(address).records]
            explained[address] = tuple(
                Explained(f"#{number}", title, json_value(value))
                for number, row in enumerate(rows, 1)
                for title, value in zip(titles, row, strict=True)
            )
        return explained

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values, for the one who asked to see the card: personal data."""
        values = self.data.values
        card = {
            "profile": self.data.profile,
            "atr": self.data.atr.hex().upper(),
            "card_number": json_value(values.get("card.number")),
            "card_identifier": json_value(values.get("card.identifier")),
            **{name: json_value(values.get(f"card.{name}")) for name in ("version", "issued_on", "expires_on")},
            "institution": json_value(values.get("card.institution")),
            "genuine": self.genuine,
        }
        holder = {
            name.partition(".")[2].replace("registered_name", "name"): json_value(value)
            for name, value in values.items()
            if name.startswith("holder.") and not isinstance(value, bytes)
        }
        photo = values.get("holder.photo")
        if isinstance(photo, bytes):
            holder["photo_jpeg"] = base64.b64encode(photo).decode()
        return {
            "card": card,
            "holder": holder,
            "permit": self._permit(),
            "problems": [{"where": problem.where, **problem.text._asdict()} for problem in self.problems],
        }

    def _permit(self) -> dict[str, object]:
        permit: dict[str, object] = {"signature": str(self.signature)}
        if self.permit is not None:
            permit["verdict"] = str(self.permit.verdict)
            if self.permit.claims is not None:
                claims = self.permit.claims.to_dict()
                permit["number"] = claims.pop("permit_number")
                permit |= claims
        # The employer's name stands in a plain file only; the signed record has the code.
        permit["employer"] = json_value(self.data.values.get("employer.name"))
        return permit


def read_card(
    card: SscCard,
    trust: TrustList,
    *,
    now: datetime,
    status: StatusLists | None = None,
    photo: bool = False,
    everything: bool = False,
) -> Reading:
    """Read a card and check the permit on it against ``trust`` and ``status`` at the time ``now`` (with a time zone).

    With the city's keys the chip has to prove first that it is no copy, and a sealed permit is opened. Raises
    `CardError` when the card cannot be read at all.
    """
    genuine = card.authenticate()
    data = card.read(photo=photo, everything=everything)
    if data.permit is None:
        return Reading(data, None, Signature.ABSENT, data.problems, genuine)
    try:
        record = card.open_permit(data.permit)
    except (AccessRefused, DecodeError, KeyUseError) as error:
        problem = Problem("permit", error.text)
        return Reading(data, None, Signature.SEALED, (*data.problems, problem), genuine)
    verification = verify(record, trust, now=now, status=status)
    problems = list(data.problems)
    if not verification.valid:
        problems.append(Problem("permit", verification.verdict.text))
    if verification.claims is None:  # the verifier gives claims only when the issuer's signature counts
        return Reading(data, verification, Signature.INVALID, tuple(problems), genuine, record)
    problems += _disagreements(data, verification.claims)
    return Reading(data, verification, Signature.VALID, tuple(problems), genuine, record)


def _explain(file: File, raw: bytes) -> list[Explained]:
    """One record of a linear file; one that is no TLV object at all as its bytes."""
    try:
        return decode_file(file, raw)
    except DecodeError as error:
        return [Explained("", str(file.title), raw.hex().upper(), str(error.text))]


def _disagreements(data: CardData, claims: Claims) -> list[Problem]:
    """Where the plain files contradict the signed record: a sign that the record was copied from another card."""
    signed: dict[str, Content] = {
        "holder.birth_date": claims.birth_date,
        "holder.sex": claims.sex.value if claims.sex else None,
        "holder.nationality": claims.nationality or None,
        "employer.organisation_code": claims.employer_code[8:17] or None,
    }
    return [
        Problem(name, Text("卡内明文与签名的工作许可不一致", "the plain file contradicts the signed permit"))
        for name, value in signed.items()
        if value is not None and data.values.get(name, value) != value
    ]
