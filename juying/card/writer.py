"""Write a card: plan, run, read back.

`plan` is a pure function of the profile, the contents and what the card holds already; it leaves out what is
equal. `write_card` surveys the card, refuses one that belongs to somebody else, runs the plan, surveys again, and
is satisfied only when a second plan is empty.

The order matters to a card that is torn out: first the holder's number, by which the card is recognised when
it comes back, then everything else, the card number last. A card without a card number is not finished. In between,
what belongs to one file is written together, and the files of one application too, because the card wants the key
of a file again whenever its application is selected anew.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from juying.card import apdu
from juying.card.contents import CARD_NUMBER, OWNER, CardContents, EncodedContents, PlannedRecord
from juying.card.session import CHUNK
from juying.card.ssc import SscCard
from juying.codec.permit_slots import PermitSlot, encode_slot, live_slot, slot_writes
from juying.codec.spec import Content, File, FileKind, Profile
from juying.errors import CardError, CardRefused, ReadBackError
from juying.text import Text


@dataclass(frozen=True, slots=True)
class Write:
    """One write to a card: a record by ``number``, or bytes of a transparent file at ``offset``.

    ``rule`` is the write rule, ``secret`` says whether the data is to be enciphered under secure messaging.
    """

    file: File = field(repr=False)
    title: Text
    data: bytes = field(repr=False)
    rule: str
    secret: bool
    number: int = 0
    offset: int = 0

    @property
    def command(self) -> apdu.Command:
        """The command that does it, once the file is selected."""
        if self.file.kind is FileKind.TRANSPARENT:
            return apdu.update_binary(self.offset, self.data)
        return apdu.update_record(self.number, self.data)

    @property
    def place(self) -> str:
        """File, and record or offset, for messages."""
        where = f"@{self.offset}" if self.file.kind is FileKind.TRANSPARENT else f"#{self.number}"
        return f"{self.file.address} {where}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The writes for one card in their order, how many records were equal already, and remarks for the clerk."""

    writes: tuple[Write, ...]
    equal: int
    notes: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class CardState:
    """What a card holds, as far as a plan needs to know.

    ``records`` maps ``(file address, tag)`` to record number and whole record; None stands for a card that was never
    written and keeps to the profile. ``photo`` is the beginning of the photo file.
    """

    records: Mapping[tuple[str, int], tuple[int, bytes]] | None = field(default=None, repr=False)
    photo: bytes = field(default=b"", repr=False)
    slots: tuple[PermitSlot | None, ...] = (None, None)

    def find(self, wanted: PlannedRecord) -> tuple[int, bytes] | None:
        """Number and present bytes of a record, None when the card has no such record."""
        if self.records is None:
            return wanted.record.number, wanted.record.blank
        return self.records.get((wanted.file.address, wanted.data[0]))

    def content(self, wanted: PlannedRecord) -> Content:
        """What the card holds in a record, None when nothing or nothing readable."""
        found = self.find(wanted)
        return wanted.file.decode_records([found[1]])[0].content if found else None


NEVER_WRITTEN = CardState()


def plan(profile: Profile, contents: CardContents, state: CardState = NEVER_WRITTEN) -> Plan:
    """The writes that bring a card from ``state`` to ``contents``.

    What neither the profile nor the card has a place for is left out, with a note. Raises `InputError` as
    `CardContents.encode` does, and `CardRefused` for a card without a place for the holder's number or the card number.
    """
    return _plan(contents.encode(profile), state)


def _plan(wanted: EncodedContents, state: CardState) -> Plan:
    notes = list(wanted.notes)
    first: list[Write] = []
    middle: list[Write] = []
    last: list[Write] = []
    equal = 0
    for entry in wanted.records:
        found = state.find(entry)
        if found is None:
            notes.append(_no_place(entry))
        elif found[1] == entry.data:
            equal += 1
        else:
            turn = first if entry.name == OWNER else last if entry.name == CARD_NUMBER else middle
            turn.append(_record_write(entry, found[0]))
    middle += [*_photo_writes(wanted, state), *_permit_writes(wanted, state)]
    return Plan((*_by_file([*first, *middle]), *last), equal, tuple(notes))


def _by_file(writes: list[Write]) -> list[Write]:
    """``writes`` with those of one application, and in it those of one file, together.

    Applications and files come in the order of their first write; writes to one file stay in their order. So the
    first write stays the first, and the header of a permit slot stays behind all the rest of the slot.
    """
    applications = {name: turn for turn, name in enumerate(dict.fromkeys(write.file.application for write in writes))}
    files = {address: turn for turn, address in enumerate(dict.fromkeys(write.file.address for write in writes))}
    return sorted(writes, key=lambda write: (applications[write.file.application], files[write.file.address]))


def _record_write(entry: PlannedRecord, number: int) -> Write:
    record, file = entry.record, entry.file
    secret = any(spec.personal or spec.secret for spec in (record, file))
    return Write(file, record.title, entry.data, record.write, secret, number=number)


def _no_place(entry: PlannedRecord) -> Text:
    title = entry.record.title
    if entry.name in (OWNER, CARD_NUMBER):
        raise CardRefused(
            f"卡上没有{title.zh}的记录，未作任何改动；请换一张卡",
            f"the card has no record for the {title.en}; nothing was changed: take another card",
            where=entry.file.address,
        )
    return Text(f"卡上没有{title.zh}的记录", f"the card has no record for: {title.en}")


def _photo_writes(wanted: EncodedContents, state: CardState) -> Iterator[Write]:
    if wanted.photo is not None and not state.photo.startswith(wanted.photo[1]):
        yield from _binary_writes(wanted.photo[0], 0, wanted.photo[1])


def _permit_writes(wanted: EncodedContents, state: CardState) -> Iterator[Write]:
    if wanted.permit is None:
        return
    slots, record = wanted.permit
    live = live_slot(state.slots)
    if live is not None and live.record == record:
        return
    target = slots[1 - live.index] if live else slots[0]
    content = encode_slot(record, live.sequence + 1 if live else 1)
    for file, offset, data in slot_writes(target, content):
        yield from _binary_writes(file, offset, data)


def _binary_writes(file: File, offset: int, data: bytes) -> Iterator[Write]:
    for start in range(0, len(data), CHUNK):
        chunk = data[start : start + CHUNK]
        yield Write(file, file.title, chunk, file.write, file.personal or file.secret, offset=offset + start)


def survey(card: SscCard, wanted: EncodedContents) -> CardState:
    """Read what a plan needs to know of a card: the records that are to be written, photo and permit.

    Of a photo that differs only the beginning is read. Files come in the order of the profile, so that each
    application is selected once.
    """
    by_file: dict[str, list[PlannedRecord]] = {}
    for entry in wanted.records:
        by_file.setdefault(entry.file.address, []).append(entry)
    records: dict[tuple[str, int], tuple[int, bytes]] = {}
    photo: bytes = b""
    slots: tuple[PermitSlot | None, ...] = ()
    for file in card.profile.files:
        entries = by_file.get(file.address)
        if entries:
            found = card.find_records(file, [entry.record for entry in entries])
            records |= {(file.address, tag): place for tag, place in found.items()}
        if wanted.photo is not None and file is wanted.photo[0]:
            photo = _read_while_equal(card, *wanted.photo)
        if wanted.permit is not None and file is wanted.permit[0][0][0]:
            slots = card.read_slots()
    return CardState(records, photo, slots)


def _read_while_equal(card: SscCard, file: File, expected: bytes) -> bytes:
    data = b""
    while len(data) < len(expected) and expected.startswith(data):
        chunk = card.read_binary(file, len(data), min(CHUNK, len(expected) - len(data)))
        if not chunk:
            break
        data += chunk
    return data


def check_owner(contents: CardContents, wanted: EncodedContents, state: CardState) -> None:
    """Raise `CardRefused` when the card carries another holder's number or another card number."""
    whose = {
        OWNER: Text("这张卡属于另一位持卡人", "this card belongs to another holder"),
        CARD_NUMBER: Text("这张卡已有另一个卡号", "this card has another card number"),
    }
    for entry in wanted.records:
        if entry.name in whose and state.content(entry) not in (None, contents.values[entry.name]):
            zh, en = whose[entry.name]
            raise CardRefused(
                f"{zh}，未作任何改动；请取出卡片并核对",
                f"{en}; nothing was changed: take it out and compare",
                where=entry.file.address,
            )


def write_card(card: SscCard, contents: CardContents, *, progress: Callable[[int, int], None] | None = None) -> Plan:
    """Bring ``card`` to ``contents`` and return the plan that was carried out.

    ``progress`` is called with writes done and writes in all. Raises `InputError` for contents that do not fit, and
    `CardRefused` when the card is somebody else's, `AccessRefused` when a key for one of the writes is missing, all
    before anything is written; `StatusError` when the card refuses a write (`AccessRefused` for want of a key),
    `TransportError` when it is torn out, and `ReadBackError` when it does not hold what was written. Calling it again
    with the same contents continues where it stopped.
    """
    wanted = contents.encode(card.profile)
    state = survey(card, wanted)
    check_owner(contents, wanted, state)
    todo = _plan(wanted, state)
    card.check_writable((write.file, write.rule) for write in todo.writes)
    for done, write in enumerate(todo.writes, 1):
        _carry_out(card, write)
        if progress is not None:
            progress(done, len(todo.writes))
    if todo.writes:
        left = _plan(wanted, survey(card, wanted)).writes
        if left:
            raise ReadBackError(
                "写入后读回的内容不一致，请重试；再次失败则将此卡作废",
                "the card does not hold what was written: try again, and scrap the card if it fails again",
                where=left[0].place,
            )
    return todo


def _carry_out(card: SscCard, write: Write) -> None:
    where = f"UPDATE {write.place} {write.title.zh}"
    try:
        card.write(write.file, write.rule, write.command, where=where, secret=write.secret)
    except CardError as error:
        error.where = error.where or where
        raise
