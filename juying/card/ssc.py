"""A social security card in a reader: find out which one it is, and read it.

Files are read by record number, but understood by the tag that each record returns, because the numbers differ
between the generations of the card (observed).
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from juying.card.access import Access
from juying.card.channel import Channel
from juying.card.session import IDENTIFIER_FILE, MAX_RECORDS, CardSession, read_record_command, select_command
from juying.card.transport import Transport
from juying.codec.fields import Value
from juying.codec.permit_slots import (
    HEADER_LENGTH,
    Form,
    Header,
    PermitSlot,
    decode_header,
    decode_slot,
    live_slot,
    slot_files,
)
from juying.codec.photo_file import PREFIX_LENGTH, photo_length
from juying.codec.profile import load_profile, profile_names
from juying.codec.spec import Content, File, FileKind, Item, Profile, Record
from juying.errors import AccessRefused, CardRefused, DecodeError, StatusError
from juying.text import Text

SSSE_AID = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
"""Name of the social security system environment, on cards of every generation (observed)."""

_VERSION_RECORD, _VERSION_LENGTH = 3, 6
_NO_FILE = (0x6A82,)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something on the card that could not be read, and where."""

    where: str
    text: Text


@dataclass(frozen=True, slots=True)
class CardData:
    """What was read from a card.

    ``values`` maps model fields (``holder.birth_date``) to what the card holds, without those never written.
    ``items`` are the records of each linear file read, by file address, with those that the profile does not know;
    ``rows`` the records of each cyclic file, newest first. ``permit`` is the live slot of the permit container.
    """

    profile: str
    atr: bytes
    values: Mapping[str, Content] = field(repr=False)
    items: Mapping[str, tuple[Item, ...]] = field(repr=False)
    rows: Mapping[str, tuple[tuple[Value, ...], ...]] = field(repr=False)
    permit: PermitSlot | None
    problems: tuple[Problem, ...]


class Container(NamedTuple):
    """The permit container of a card; ``bare`` are the slots that begin with the header of an open record."""

    slots: tuple[PermitSlot | None, ...]
    bare: tuple[int, ...]


EMPTY_CONTAINER = Container((), ())


class SscCard(CardSession):
    """The session with one social security card.

    Use `SscCard.open`; give the profile only where the card does not tell its version. ``access`` is what can be shown
    to the card, see `Access`.
    """

    @classmethod
    def open(cls, transport: Transport, profile: Profile | None = None, access: Access | None = None) -> Self:
        """Select the card's environment and find the profile by the version that it states.

        Raises `CardRefused` when it is no social security card, or one of a version without a profile.
        """
        channel = Channel(transport)
        answer = channel.transmit(select_command(transport.protocol, 0x04, SSSE_AID))
        if answer.sw == 0x6A81:
            raise CardRefused("卡片已锁定，不能使用", "the card is blocked and cannot be used", where=transport.name)
        if answer.sw != 0x9000 and answer.sw >> 8 != 0x61:
            raise CardRefused(
                f"不是社会保障卡（选择应用返回 {answer.sw:04X}）",
                f"not a social security card (SELECT answered {answer.sw:04X})",
                where=transport.name,
            )
        if profile is not None:
            return cls(channel, profile, access)
        card = cls(channel, cls._profile_of(channel), access)
        card._file = card.profile.file(IDENTIFIER_FILE)
        card._application = card._file.application
        return card

    @staticmethod
    def _profile_of(channel: Channel) -> Profile:
        channel.send(select_command(channel.transport.protocol, 0x00, b"\xef\x05"), step="SSSE/EF05")
        record = channel.send(read_record_command(_VERSION_RECORD, _VERSION_LENGTH), step="SSSE/EF05 03")
        stated = record[2:].rstrip(b"\x00 ").decode("ascii", "replace")
        profile = _profile_for(stated.partition(".")[0]) if record[:1] == b"\x03" else None
        if profile is not None:
            return profile
        raise CardRefused(
            "没有适合这张卡规范版本的规格，请用 --profile 指定",
            "no profile suits the version that the card states; name one with --profile",
            where="SSSE/EF05 03",
        )

    def value(self, field: str) -> Content:
        """What the card holds in one model field; None when it was never written, makes no sense, or has no place.

        Raises `StatusError`.
        """
        values: dict[str, Content] = {}
        for file, record in self.profile.by_field(field):
            found = self.find_records(file, [record]) if record is not None else {}
            if record is not None and record.tag in found:
                _collect(file.decode_records([found[record.tag][1]]), values)
        return values.get(field)

    def find_records(self, file: File, records: Sequence[Record]) -> dict[int, tuple[int, bytes]]:
        """Number and whole bytes of the given ``records`` of a linear file, by tag.

        They are looked for where the profile has them. A card that keeps another record there is searched whole: one
        that it does not have is not in the result, and a file that it does not have is empty.
        """
        try:
            self.select(file)
        except StatusError as error:
            if error.sw in _NO_FILE:
                return {}
            raise
        found = {}
        for record in records:
            raw = self.read_record(file, record.number)
            if not raw or raw[0] != record.tag:
                return _by_tag(self.read_records(file))
            found[raw[0]] = (record.number, raw)
        return found

    def _readable_records(self, file: File, problems: list[Problem]) -> list[bytes]:
        """As `read_records`, without those that the card refuses: one problem for each reason.

        Access rules may differ from record to record.
        """
        self.select(file)
        declared = file.count if file.kind is FileKind.CYCLIC else len(file.slots)
        records = []
        refused: dict[tuple[int, str], Problem] = {}
        for number in range(1, MAX_RECORDS + 1):
            try:
                record = self.read_record(file, number)
            except StatusError as error:
                if number > declared:
                    break
                rule = error.rule if isinstance(error, AccessRefused) else ""
                refused.setdefault((error.sw, rule), Problem(error.where, error.text))
                continue
            if record is None:
                break
            records.append(record)
        problems += refused.values()
        return records

    def read_slots(self) -> tuple[PermitSlot | None, ...]:
        """Both slots of the permit container; empty for a profile without one. Raises `DecodeError`."""
        return self.read_container().slots

    def read_container(self) -> Container:
        """Both slots of the permit container, and which of them are bare. Raises `DecodeError`."""
        found: list[PermitSlot | None] = []
        bare = []
        for index, files in enumerate(slot_files(self.profile)):
            raw = self.read_binary(files[0], 0, HEADER_LENGTH)
            header = decode_header(raw)
            found.append(self._read_slot(index, files, raw, header) if header is not None else None)
            if header is not None and header.form == Form.OPEN:
                bare.append(index)
        return Container(tuple(found), tuple(bare))

    def _read_slot(self, index: int, files: tuple[File, File], raw: bytes, header: Header) -> PermitSlot | None:
        if header.length > sum(file.size for file in files) - HEADER_LENGTH:
            return None
        first = min(header.length, files[0].size - HEADER_LENGTH)
        raw += self.read_binary(files[0], HEADER_LENGTH, first)
        if header.length > first:
            raw += self.read_binary(files[1], 0, header.length - first)
        return decode_slot(index, raw)

    def read_photo(self, file: File) -> bytes | None:
        """The JPEG in a photo file, None if there is none.

        Raises `DecodeError` for a length that cannot be, or when the file ends before the picture does.
        """
        length = photo_length(self.read_binary(file, 0, PREFIX_LENGTH), file.size)
        if not length:
            return None
        picture = self.read_binary(file, PREFIX_LENGTH, length)
        if len(picture) < length:
            raise DecodeError("照片不完整", "the photo is cut short", where=file.address)
        return picture

    def _live_permit(self, problems: list[Problem]) -> PermitSlot | None:
        try:
            return live_slot(self.read_slots())
        except (StatusError, DecodeError) as error:
            problems.append(Problem("permit", error.text))
            return None

    def read(self, *, photo: bool = False, everything: bool = False) -> CardData:
        """Read the permit and the files that hold model fields; with ``everything`` all record files.

        The photo is read only on request: it takes longer than all the rest. What the card refuses or what cannot be
        understood is a problem in the result, not an error, because the rest is still worth having; transport faults
        are errors.
        """
        values: dict[str, Content] = {}
        items: dict[str, tuple[Item, ...]] = {}
        rows: dict[str, tuple[tuple[Value, ...], ...]] = {}
        problems: list[Problem] = []
        permit = None
        slots = slot_files(self.profile)
        for file in self.profile.files:
            mapped = any(record.field for record in file.records)
            if slots and file is slots[0][0]:  # here, because now its application is selected
                permit = self._live_permit(problems)
            try:
                if file.content == "photo" and photo:
                    values[file.field] = self.read_photo(file)
                elif file.kind is FileKind.LINEAR and (mapped or everything):
                    items[file.address] = file.decode_records(self._readable_records(file, problems))
                elif file.kind is FileKind.CYCLIC and everything:
                    rows[file.address] = _rows(file, self._readable_records(file, problems), problems)
            except (StatusError, DecodeError, CardRefused) as error:
                missing = isinstance(error, StatusError) and error.sw in _NO_FILE
                if not (missing and file.optional):
                    problems.append(Problem(file.address, error.text))
        for found in items.values():
            problems += [Problem(item.problem.where, item.problem.text) for item in found if item.problem]
            _collect(found, values)
        values = {name: value for name, value in values.items() if value is not None}
        return CardData(self.profile.name, self.channel.transport.atr, values, items, rows, permit, tuple(problems))


def _rows(file: File, records: Iterable[bytes], problems: list[Problem]) -> tuple[tuple[Value, ...], ...]:
    """The records of a cyclic file that can be understood."""
    rows = []
    for raw in records:
        try:
            rows.append(file.decode_row(raw))
        except DecodeError as error:
            problems.append(Problem(error.where, error.text))
    return tuple(rows)


@functools.lru_cache(maxsize=16)
def _profile_for(generation: str) -> Profile | None:
    """The profile with this major version; a region may state a minor one of its own, such as 2.01 (observed)."""
    profiles = map(load_profile, profile_names())
    return next((profile for profile in profiles if profile.version.partition(".")[0] == generation), None)


def _by_tag(records: Sequence[bytes]) -> dict[int, tuple[int, bytes]]:
    """Number and bytes of each record by its tag; of two with the same tag the first counts."""
    found: dict[int, tuple[int, bytes]] = {}
    for number, raw in enumerate(records, 1):
        if raw:
            found.setdefault(raw[0], (number, raw))
    return found


def _collect(items: Iterable[Item], values: dict[str, Content]) -> None:
    """Add the model fields among ``items``; a text that overflows into a second record becomes one again."""
    for item in items:
        if item.record is None or not item.record.field or item.content is None:
            continue
        name = item.record.field
        before, content = values.get(name), item.content
        if item.record.continues is not None and isinstance(before, str) and isinstance(content, str):
            content = before + content
        values[name] = content
