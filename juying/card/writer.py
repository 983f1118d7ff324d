"""Write a card: plan, run, read back.

`plan` is a pure function of the profile, the contents and what the card holds already; it leaves out what is
equal. `write_card` surveys the card, refuses one that belongs to somebody else, runs the plan, surveys again, and
is satisfied only when a second plan is empty.

The order matters to a card that is torn out: first the holder's number, by which the card is recognised when
it comes back, then everything else, the card number last. A card without a card number is not finished.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from juying.card import apdu
from juying.card.contents import CardContents
from juying.card.ssc import CHUNK, MAX_RECORDS, SscCard
from juying.codec.fields import FieldType, split_text
from juying.codec.permit_slots import PermitSlot, encode_slot, live_slot, slot_files, slot_writes
from juying.codec.photo_file import pack_photo
from juying.codec.spec import Content, File, FileKind, Profile, Record
from juying.errors import CardRefused, ReadBackError, StatusError
from juying.text import Text

OWNER = "holder.social_security_number"
CARD_NUMBER = "card.number"

FILE_NOT_FOUND = 0x6A82

MAY_BE_CUT = frozenset({"holder.registered_name", "holder.address", "employer.name"})
"""Texts of which the beginning is worth having; half a telephone number is not."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write to a card: a record by ``number``, or bytes of a transparent file at ``offset``."""

    file: File = field(repr=False)
    title: Text
    data: bytes = field(repr=False)
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
    written and keeps to the profile. ``binaries`` holds the beginning of transparent files.
    """

    records: Mapping[tuple[str, int], tuple[int, bytes]] | None = field(default=None, repr=False)
    binaries: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    slots: tuple[PermitSlot | None, ...] = (None, None)

    def find(self, file: File, record: Record) -> tuple[int, bytes] | None:
        """Number and present bytes of a record, None when the card has no such record."""
        if self.records is None:
            return record.number, record.blank
        return self.records.get((file.address, record.tag or 0))

    def content(self, file: File, record: Record) -> Content:
        """What the card holds in a record, None when nothing or nothing readable."""
        found = self.find(file, record)
        return file.decode_records([found[1]])[0].content if found else None


NEVER_WRITTEN = CardState()


def plan(profile: Profile, contents: CardContents, state: CardState = NEVER_WRITTEN) -> Plan:
    """The writes that bring a card from ``state`` to ``contents``.

    Fields that the profile or the card has no place for are left out. A name or address longer than its place is cut
    between two characters, any other text is left out, and a note says so: the signed permit holds the name in full.
    Raises `InputError` for other values that do not fit, and `CardRefused` for a card without a place for the
    holder's number or the card number.
    """
    notes: list[Text] = []
    equal = 0

    def record_writes(names: Iterable[str]) -> Iterator[Write]:
        nonlocal equal
        for name in names:
            for file, record, content in _placed(profile, name, contents.values[name], notes):
                found = state.find(file, record)
                if found is None:
                    notes.append(_no_place(name, file, record))
                elif found[1] == record.encode(content):
                    equal += 1
                else:
                    yield Write(file, record.title, record.encode(content), number=found[0])

    others = [name for name in contents.values if name not in (OWNER, CARD_NUMBER)]
    writes = (
        *record_writes(contents.values.keys() & {OWNER}),
        *record_writes(others),
        *_photo_writes(profile, contents, state),
        *_permit_writes(profile, contents, state, notes),
        *record_writes(contents.values.keys() & {CARD_NUMBER}),
    )
    return Plan(writes, equal, tuple(notes))


def _no_place(name: str, file: File, record: Record) -> Text:
    if name in (OWNER, CARD_NUMBER):
        raise CardRefused(
            f"卡上没有{record.title.zh}的记录，未作任何改动；请换一张卡",
            f"the card has no record for the {record.title.en}; nothing was changed: take another card",
            where=file.address,
        )
    return Text(f"卡上没有{record.title.zh}的记录", f"the card has no record for: {record.title.en}")


def _placed(profile: Profile, name: str, content: Content, notes: list[Text]) -> Iterator[tuple[File, Record, Content]]:
    """The records for one model field; text is spread over a record and its continuation."""
    places = [(file, record) for file, record in profile.by_field(name) if record is not None]
    if not isinstance(content, str) or any(record.type is not FieldType.TEXT for _, record in places):
        yield from ((file, record, content) for file, record in places)
        return
    *pieces, rest = split_text(content, *(record.length for _, record in places))
    if rest and places:
        title = places[0][1].title
        if name not in MAY_BE_CUT:
            notes.append(Text(f"{title.zh}过长，未写入卡片", f"{title.en}: too long, left out of the card"))
            return
        notes.append(
            Text(f"{title.zh}过长，卡上只存得下前一部分", f"{title.en}: too long, the card holds the beginning only")
        )
    for (file, record), piece in zip(places, pieces, strict=True):
        yield file, record, piece


def _photo_writes(profile: Profile, contents: CardContents, state: CardState) -> Iterator[Write]:
    file = next((file for file in profile.files if file.content == "photo"), None)
    if file is None or contents.photo is None:
        return
    content = pack_photo(contents.photo, file.size)
    if not state.binaries.get(file.address, b"").startswith(content):
        yield from _binary_writes(file, 0, content)


def _permit_writes(profile: Profile, contents: CardContents, state: CardState, notes: list[Text]) -> Iterator[Write]:
    if contents.permit_record is None:
        return
    places = slot_files(profile)
    if not places:
        notes.append(Text("这种卡没有存放工作许可的位置", "cards of this generation have no place for the work permit"))
        return
    live = live_slot(state.slots)
    if live is not None and live.record == contents.permit_record:
        return
    target = places[1 - live.index] if live else places[0]
    content = encode_slot(contents.permit_record, live.sequence + 1 if live else 1)
    for file, offset, data in slot_writes(target, content):
        yield from _binary_writes(file, offset, data)


def _binary_writes(file: File, offset: int, data: bytes) -> Iterator[Write]:
    for start in range(0, len(data), CHUNK):
        yield Write(file, file.title, data[start : start + CHUNK], offset=offset + start)


def survey(card: SscCard, contents: CardContents) -> CardState:
    """Read what `plan` needs to know of a card: the records that are to be written, photo and permit.

    Of a photo that differs only the beginning is read.
    """
    wanted: dict[str, list[tuple[File, Record]]] = {}
    for name in contents.values:
        for file, record in card.profile.by_field(name):
            if record is not None:
                wanted.setdefault(file.address, []).append((file, record))
    records: dict[tuple[str, int], tuple[int, bytes]] = {}
    for address, places in wanted.items():
        for tag, found in _find_records(card, places).items():
            records[address, tag] = found
    binaries = {}
    photo_file = next((file for file in card.profile.files if file.content == "photo"), None)
    if contents.photo is not None and photo_file is not None:
        binaries[photo_file.address] = _read_while_equal(card, photo_file, pack_photo(contents.photo, photo_file.size))
    slots = card.read_slots() if contents.permit_record is not None else ()
    return CardState(records, binaries, slots)


def _find_records(card: SscCard, places: list[tuple[File, Record]]) -> dict[int, tuple[int, bytes]]:
    """Number and bytes of records, by tag; looked for elsewhere when a card does not keep to the numbers.

    A file that the card does not have has no records.
    """
    try:
        card.select(places[0][0])
    except StatusError as error:
        if error.sw == FILE_NOT_FOUND:
            return {}
        raise
    found = {}
    for file, record in places:
        raw = card.read_record(file, record.number)
        if raw is None or raw[:1] != bytes([record.tag or 0]):
            numbers = range(1, MAX_RECORDS + 1)
            everything = dict(zip(numbers, card.read_records(file), strict=False))
            return {entry[0]: (number, entry) for number, entry in reversed(everything.items()) if entry}
        found[raw[0]] = (record.number, raw)
    return found


def _read_while_equal(card: SscCard, file: File, expected: bytes) -> bytes:
    data = b""
    while len(data) < len(expected) and expected.startswith(data):
        chunk = card.read_binary(file, len(data), min(CHUNK, len(expected) - len(data)))
        if not chunk:
            break
        data += chunk
    return data


def check_owner(profile: Profile, contents: CardContents, state: CardState) -> None:
    """Raise `CardRefused` when the card carries another holder's number or another card number."""
    for name, whose in (
        (OWNER, Text("这张卡属于另一位持卡人", "this card belongs to another holder")),
        (CARD_NUMBER, Text("这张卡已有另一个卡号", "this card has another card number")),
    ):
        for file, record in profile.by_field(name):
            present = state.content(file, record) if record is not None else None
            if present is not None and name in contents.values and present != contents.values[name]:
                raise CardRefused(
                    f"{whose.zh}，未作任何改动；请取出卡片并核对",
                    f"{whose.en}; nothing was changed: take it out and compare",
                    where=file.address,
                )


def write_card(card: SscCard, contents: CardContents, *, progress: Callable[[int, int], None] | None = None) -> Plan:
    """Bring ``card`` to ``contents`` and return the plan that was carried out.

    ``progress`` is called with writes done and writes in all. Raises `CardRefused` before anything is written when
    the card is somebody else's, `StatusError` when the card refuses a write, `TransportError` when it is torn out,
    and `ReadBackError` when it does not hold what was written. Calling it again with the same contents
    continues where it stopped.
    """
    state = survey(card, contents)
    check_owner(card.profile, contents, state)
    todo = plan(card.profile, contents, state)
    for done, write in enumerate(todo.writes, 1):
        card.select(write.file)
        card.channel.send(write.command, step=f"UPDATE {write.place} {write.title.zh}")
        if progress is not None:
            progress(done, len(todo.writes))
    if todo.writes:
        left = plan(card.profile, contents, survey(card, contents)).writes
        if left:
            raise ReadBackError(
                "写入后读回的内容不一致，请重试；再次失败则将此卡作废",
                "the card does not hold what was written: try again, and scrap the card if it fails again",
                where=left[0].place,
            )
    return todo
