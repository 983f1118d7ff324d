"""Taking off a card what it should not hold any more.

The permit goes when it has ended and the person keeps the card; everything personal goes when a card is set aside to
be destroyed. What is wiped is as it left the factory. Torn out in between, a card shows less than before, never an
older permit, and doing the same again finishes it.
"""

from juying.card import apdu
from juying.card.contents import CARD_NUMBER, OWNER
from juying.card.session import CHUNK
from juying.card.ssc import SscCard
from juying.codec.permit_slots import live_slot, slot_files
from juying.codec.spec import File, FileKind, Record
from juying.errors import DecodeError

_PERSONAL = ("holder.", "employer.")


def wipe_permit(card: SscCard) -> None:
    """Wipe both permit slots, the live one last, because the other may hold an older permit.

    Raises `AccessRefused` when a key is missing, before anything is written, and what `CardSession.write` raises.
    """
    slots = slot_files(card.profile)
    card.check_writable((file, file.write) for files in slots for file in files)
    try:
        live = live_slot(card.read_slots())
    except DecodeError:  # written by a later program; it goes as well
        live = None
    order = sorted(enumerate(slots), key=lambda entry: live is not None and entry[0] == live.index)
    for _, files in order:
        for file in files:
            _wipe_bytes(card, file)


def has_permit(card: SscCard) -> bool:
    """Whether anything is left in the permit slots, be it a permit or the rest of one."""
    files = [file for files in slot_files(card.profile) for file in files]
    return any(card.read_binary(file, 0, file.size) != file.blank[0] for file in files)


def wipe_card(card: SscCard) -> None:
    """Take the permit and all personal data that the office writes off a card, the numbers of card and holder last.

    Raises as `wipe_permit` does; what was wiped until then is gone.
    """
    wipe_permit(card)
    last: list[tuple[File, Record]] = []
    for file in card.profile.files:
        if file.content == "photo":
            _wipe_bytes(card, file)
        elif file.kind is FileKind.LINEAR:
            mine = [record for record in file.records if record.field.startswith((*_PERSONAL, CARD_NUMBER))]
            last += [(file, record) for record in mine if record.field in (OWNER, CARD_NUMBER)]
            _wipe_records(card, file, [record for record in mine if record.field not in (OWNER, CARD_NUMBER)])
    for file, record in last:
        _wipe_records(card, file, [record])


def _wipe_bytes(card: SscCard, file: File) -> None:
    for offset in range(0, file.size, CHUNK):
        length = min(CHUNK, file.size - offset)
        blank = file.blank[0][offset : offset + length]
        if card.read_binary(file, offset, length) != blank:
            card.write(file, file.write, apdu.update_binary(offset, blank), where=f"{file.address} @{offset}")


def _wipe_records(card: SscCard, file: File, records: list[Record]) -> None:
    by_tag = {record.tag: record for record in records}
    for tag, (number, raw) in card.find_records(file, records).items():
        record = by_tag.get(tag)
        if record is not None and raw != record.blank:
            command = apdu.update_record(number, record.blank)
            card.write(file, record.write, command, where=f"{file.address} #{number}")
