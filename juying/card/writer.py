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
from juying.card.contents import CARD_NUMBER, OWNER, CardContents, EncodedContents, PlannedPermit, PlannedRecord
from juying.card.permit_seal import BOUND_IDENTIFIER, PermitSeal
from juying.card.session import CHUNK
from juying.card.ssc import EMPTY_CONTAINER, SscCard
from juying.codec.permit_slots import Form, PermitSlot, encode_slot, live_slot, slot_writes
from juying.codec.spec import Content, File, FileKind, Profile
from juying.errors import AccessRefused, CardError, CardRefused, DecodeError, InputError, KeyUseError, ReadBackError
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
    written and keeps to the profile. ``photo`` is the beginning of the photo file. ``permit`` is the signed record in
    the live one of the ``slots``, None when there is none or when its seal does not open. ``bare`` are the slots that
    hold an open record or begin with the header of one, torn or not.
    """

    records: Mapping[tuple[str, int], tuple[int, bytes]] | None = field(default=None, repr=False)
    photo: bytes = field(default=b"", repr=False)
    slots: tuple[PermitSlot | None, ...] = (None, None)
    permit: bytes | None = field(default=None, repr=False)
    bare: tuple[int, ...] = ()

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


def plan(
    profile: Profile, contents: CardContents, state: CardState = NEVER_WRITTEN, seal: PermitSeal | None = None
) -> Plan:
    """The writes that bring a card from ``state`` to ``contents``.

    ``seal`` is the card's own; it is needed where the profile wants permits sealed. What neither the profile nor the
    card has a place for is left out, with a note. Raises `InputError` as `CardContents.encode` does, for a permit too
    long for its place and for want of a seal, and `CardRefused` for a card without a place for the holder's number or
    the card number.
    """
    return _plan(contents.encode(profile), state, seal)


def _plan(wanted: EncodedContents, state: CardState, seal: PermitSeal | None) -> Plan:
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
    middle += [*_photo_writes(wanted, state), *_permit_writes(wanted.permit, state, seal)]
    return Plan((*_by_file([*first, *middle]), *last), equal, tuple(notes))


def _by_file(writes: list[Write]) -> list[Write]:
    """``writes`` with those of one application, and in it those of one file, together.

    Applications and files come in the order of their first write; writes to one file stay in their order. So the
    first write stays the first, and the header of a permit slot stays behind all the rest of the slot.
    """
    groups: dict[str, dict[int, list[Write]]] = {}
    for write in writes:
        groups.setdefault(write.file.application, {}).setdefault(write.file.fid, []).append(write)
    return [write for files in groups.values() for group in files.values() for write in group]


def _record_write(entry: PlannedRecord, number: int) -> Write:
    record, file = entry.record, entry.file
    secret = record.personal or record.secret or file.personal or file.secret
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


def _permit_writes(wanted: PlannedPermit | None, state: CardState, seal: PermitSeal | None) -> Iterator[Write]:
    """The slot that is not live gets the permit, unless the live one holds it as it is wanted.

    A card that carried an open record and is to have a sealed one has that record wiped, once the sealed one is live.
    """
    if wanted is None:
        return
    if wanted.sealed and seal is None:
        raise InputError(
            "该规格的工作许可须密封，未给出密封密钥", "this profile wants permits sealed: the card's seal is needed"
        )
    seal = seal if wanted.sealed else None
    form, reference = (Form.SEALED, seal.reference) if seal else (Form.OPEN, 0)
    live = live_slot(state.slots)
    target = 1 - live.index if live else 0
    if live is not None and (live.form, live.key_reference, state.permit) == (form, reference, wanted.record):
        target = live.index
    else:
        sequence = live.sequence + 1 if live else 1
        content = seal.seal(wanted.record, sequence) if seal else encode_slot(wanted.record, sequence)
        for file, offset, data in slot_writes(wanted.slots[target], content):
            yield from _binary_writes(file, offset, data)
    for index in state.bare if seal else ():
        if index != target:
            blank = bytes(sum(file.size for file in wanted.slots[index]))
            for file, offset, data in slot_writes(wanted.slots[index], blank):
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
    by_file: dict[int, list[PlannedRecord]] = {}
    for entry in wanted.records:
        by_file.setdefault(id(entry.file), []).append(entry)
    records: dict[tuple[str, int], tuple[int, bytes]] = {}
    photo: bytes = b""
    container = EMPTY_CONTAINER
    photo_file = wanted.photo[0] if wanted.photo is not None else None
    first_slot = wanted.permit.slots[0][0] if wanted.permit is not None else None
    for file in card.profile.files:
        entries = by_file.get(id(file))
        if entries:
            found = card.find_records(file, [entry.record for entry in entries])
            records |= {(file.address, tag): place for tag, place in found.items()}
        elif wanted.photo is not None and file is photo_file:
            photo = _read_while_equal(card, *wanted.photo)
        elif file is first_slot:
            container = card.read_container()
    return CardState(records, photo, container.slots, _opened(card, live_slot(container.slots)), container.bare)


def _opened(card: SscCard, live: PermitSlot | None) -> bytes | None:
    """The record in the live slot; None for one that does not open, which is then written anew."""
    try:
        return card.open_permit(live) if live is not None else None
    except (AccessRefused, DecodeError, KeyUseError):
        return None


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


def write_card(
    card: SscCard,
    contents: CardContents,
    *,
    progress: Callable[[int, int], None] | None = None,
    written: Callable[[], None] | None = None,
) -> Plan:
    """Bring ``card`` to ``contents`` and return the plan that was carried out.

    ``progress`` is called with writes done and writes in all, ``written`` when all are done and before the card is
    read back. Raises `InputError` for contents that do not fit,
    `CardRefused` when the card is somebody else's and `AccessRefused` when a key for one of the writes or the seal is
    missing, all before anything is written; `StatusError` when the card refuses a write (`AccessRefused` for want of a
    key), `TransportError` when it is torn out, and `ReadBackError` when it does not hold what was written. Calling it
    again with the same contents continues where it stopped.
    """
    wanted = contents.encode(card.profile)
    state = survey(card, wanted)
    check_owner(contents, wanted, state)
    seal = _seal(card, contents) if wanted.permit is not None and wanted.permit.sealed else None
    todo = _plan(wanted, state, seal)
    card.check_writable((write.file, write.rule) for write in todo.writes)
    commands = [write.command for write in todo.writes]
    for done, (write, command) in enumerate(zip(todo.writes, commands, strict=True), 1):
        _carry_out(card, write, command)
        if progress is not None:
            progress(done, len(todo.writes))
    if written is not None:
        written()
    if todo.writes:
        left = _plan(wanted, survey(card, wanted), seal).writes
        if left:
            raise ReadBackError(
                "写入后读回的内容不一致，请重试；再次失败则将此卡作废",
                "the card does not hold what was written: try again, and scrap the card if it fails again",
                where=left[0].place,
            )
    return todo


def _seal(card: SscCard, contents: CardContents) -> PermitSeal:
    """The seal of the card, whose identifier must not change afterwards."""
    seal = card.permit_seal(untouched=True)
    identifier = contents.values.get("card.identifier")
    if isinstance(identifier, bytes) and identifier[:BOUND_IDENTIFIER] != seal.identifier:
        raise CardRefused(
            "这张卡的卡识别码不同，未作任何改动；请取出卡片并核对",
            "this card has another card identifier; nothing was changed: take it out and compare",
        )
    return seal


def _carry_out(card: SscCard, write: Write, command: apdu.Command) -> None:
    try:
        card.write(write.file, write.rule, command, secret=write.secret)
    except CardError as error:
        error.where = error.where or f"UPDATE {write.place} {write.title.zh}"
        raise
