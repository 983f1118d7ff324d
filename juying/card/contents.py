"""What goes onto a card: values of model fields, and the bytes that a profile makes of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from juying.codec.fields import FieldType, split_text, text_bytes
from juying.codec.permit_slots import slot_files
from juying.codec.photo_file import pack_photo
from juying.codec.spec import Content, File, Profile, Record
from juying.model import CardIdentity, Holder, WorkPermit
from juying.text import Text

OWNER = "holder.social_security_number"
CARD_NUMBER = "card.number"

MAY_BE_CUT = frozenset({"holder.registered_name", "holder.address", "employer.name"})
"""Texts of which the beginning is worth having; half a telephone number is not."""


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

    def encode(self, profile: Profile) -> "EncodedContents":
        """The bytes that a card of this profile is to hold.

        Fields that the profile has no place for are left out. A name or address longer than its place is cut between
        two characters, any other text is left out, and a note says so: the signed permit holds the name in full.
        Raises `InputError` for other values that do not fit, the holder's number and the card number among them.
        """
        notes: list[Text] = []
        records = tuple(
            PlannedRecord(name, file, record, record.encode(content))
            for name, value in self.values.items()
            for file, record, content in _placed(profile, name, value, notes)
        )
        photo_file = next((file for file in profile.files if file.content == "photo"), None)
        photo = None
        if self.photo is not None and photo_file is not None:
            photo = photo_file, pack_photo(self.photo, photo_file.size)
        slots = slot_files(profile)
        permit = None
        if self.permit_record is not None and slots:
            permit = PlannedPermit(slots, self.permit_record, profile.permit == "sealed")
        elif self.permit_record is not None:
            notes.append(
                Text("这种卡没有存放工作许可的位置", "cards of this generation have no place for the work permit")
            )
        return EncodedContents(records, photo, permit, tuple(notes))


@dataclass(frozen=True, slots=True)
class PlannedRecord:
    """A record, and the whole of what it is to hold; ``name`` is the model field that it comes from."""

    name: str
    file: File = field(repr=False)
    record: Record = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlannedPermit:
    """The files of both slots, the signed permit that is to be in one of them, and whether it is to be sealed."""

    slots: tuple[tuple[File, File], ...] = field(repr=False)
    record: bytes = field(repr=False)
    sealed: bool


@dataclass(frozen=True, slots=True)
class EncodedContents:
    """What one card of one profile is to hold, in bytes; worked out once and compared with the card twice.

    ``photo`` is a file and what it begins with, ``notes`` are remarks for the clerk.
    """

    records: tuple[PlannedRecord, ...]
    photo: tuple[File, bytes] | None = field(repr=False)
    permit: PlannedPermit | None
    notes: tuple[Text, ...]


def _placed(profile: Profile, name: str, value: Content, notes: list[Text]) -> Iterator[tuple[File, Record, Content]]:
    """The records for one model field; text is spread over a record and the one that continues it."""
    for places in profile.chains(name):
        first = places[0][1]
        if not isinstance(value, str) or first.type is not FieldType.TEXT or name in (OWNER, CARD_NUMBER):
            yield from ((file, record, value) for file, record in places)
            continue
        *pieces, rest = _spread(value, [record.length for _, record in places])
        if rest:
            notes.append(_too_long(name, first.title))
            if name not in MAY_BE_CUT:
                continue
        for (file, record), piece in zip(places, pieces, strict=True):
            yield file, record, piece


def _spread(text: str, lengths: list[int]) -> tuple[str, ...]:
    """One piece of ``text`` for each length, and what is left over."""
    if len(text_bytes(text)) <= lengths[0]:  # nearly always; it spares a look at every character
        return (text, *[""] * len(lengths))
    return split_text(text, *lengths)


def _too_long(name: str, title: Text) -> Text:
    if name in MAY_BE_CUT:
        return Text(f"{title.zh}过长，卡上只存得下前一部分", f"{title.en}: too long, the card holds the beginning only")
    return Text(f"{title.zh}过长，未写入卡片", f"{title.en}: too long, left out of the card")
