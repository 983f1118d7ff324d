"""A social security card in a reader: find out which one it is, and read it.

The profile says what the card is; an `SscCard` is the session with one card and knows what is selected. Files
are read by record number, but understood by the tag that each record returns, because the numbers differ between
the generations of the card (observed).
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from juying.card import apdu, status
from juying.card.channel import Channel
from juying.card.transport import CardProtocol, Transport
from juying.codec.fields import Value
from juying.codec.permit_slots import HEADER_LENGTH, PermitSlot, decode_header, decode_slot, live_slot, slot_files
from juying.codec.photo_file import PREFIX_LENGTH, photo_length
from juying.codec.profile import load_profile, profile_names
from juying.codec.spec import Application, Content, File, FileKind, Item, Profile, Record
from juying.errors import CardRefused, DecodeError, StatusError
from juying.text import Text

SSSE_AID = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
"""Name of the social security system environment, on cards of every generation (observed)."""

CHUNK = 0x80
"""Bytes per READ or UPDATE BINARY; personalisers in the field use 0x70 to 0x80 (observed)."""

MAX_RECORDS = 254
"""Highest record number of ISO 7816-4."""

# The same few commands read every card; they do not change, and hold nothing personal.
_read_record = functools.lru_cache(maxsize=1024)(apdu.read_record)
_read_binary = functools.lru_cache(maxsize=1024)(apdu.read_binary)

_VERSION_RECORD, _VERSION_LENGTH = 3, 6
_NO_FILE = (0x6A82,)
_END = (0x6A83,)
_END_OF_FILE = (0x6282, 0x6B00)


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


class SscCard:
    """The session with one social security card.

    Use `SscCard.open`; give the profile only where the card does not tell its version.
    """

    def __init__(self, channel: Channel, profile: Profile) -> None:
        """Take a channel to a card of this profile, nothing being selected."""
        self.channel = channel
        self.profile = profile
        self._protocol = channel.transport.protocol
        self._application = ""
        self._file: File | None = None

    @classmethod
    def open(cls, transport: Transport, profile: Profile | None = None) -> "SscCard":
        """Select the card's environment and find the profile by the version that it states.

        Raises `CardRefused` when it is no social security card, or one of a version without a profile.
        """
        channel = Channel(transport)
        answer = channel.transmit(_select(transport.protocol, 0x04, SSSE_AID))
        if answer.sw == 0x6A81:
            raise CardRefused("卡片已锁定，不能使用", "the card is blocked and cannot be used", where=transport.name)
        if answer.sw != 0x9000 and answer.sw >> 8 != 0x61:
            raise CardRefused(
                f"不是社会保障卡（选择应用返回 {answer.sw:04X}）",
                f"not a social security card (SELECT answered {answer.sw:04X})",
                where=transport.name,
            )
        if profile is None:
            profile = cls._profile_of(channel)
        return cls(channel, profile)

    @staticmethod
    def _profile_of(channel: Channel) -> Profile:
        channel.send(_select(channel.transport.protocol, 0x00, b"\xef\x05"), step="SSSE/EF05")
        record = channel.send(_read_record(_VERSION_RECORD, _VERSION_LENGTH), step="SSSE/EF05 03")
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

    def select(self, file: File) -> None:
        """Make ``file`` the current one, unless it is already."""
        if self._file is file:
            return
        if self._application != file.application:
            self._select_application(self.profile.application(file.application))
        self._file = None
        self.channel.send(_select(self._protocol, 0x00, file.fid.to_bytes(2)), step=f"SELECT {file.address}")
        self._file = file

    def _select_application(self, application: Application) -> None:
        self._application, self._file = "", None
        if application.aid is not None:
            command = _select(self._protocol, 0x04, application.aid)
        elif application.fid is not None:
            command = _select(self._protocol, 0x00, application.fid.to_bytes(2))
        else:
            raise CardRefused(
                f"规格没有给出应用 {application.name} 的标识，无法选择",
                f"the profile names neither AID nor FID of {application.name}: it cannot be selected",
            )
        self.channel.send(command, step=f"SELECT {application.name}")
        self._application = application.name

    def read_record(self, file: File, number: int) -> bytes | None:
        """Record ``number`` (1 to 254) of a linear or cyclic file, whole; None when there is none."""
        self.select(file)
        if file.kind is FileKind.CYCLIC:
            length = file.record_length
        else:
            length = 2 + file.slots[number - 1].length if number <= len(file.slots) else apdu.SHORT_LE
        answer = self.channel.transmit(_read_record(number, length))
        if answer.sw in _END:
            return None
        if answer.sw != 0x9000:
            raise StatusError(answer.sw, status.meaning(answer.sw), where=f"{file.address} #{number}")
        return answer.data

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

    def read_records(self, file: File) -> list[bytes]:
        """All records of a linear or cyclic file, those beyond the profile too."""
        records = []
        for number in range(1, MAX_RECORDS + 1):
            record = self.read_record(file, number)
            if record is None:
                break
            records.append(record)
        return records

    def _readable_records(self, file: File, problems: list[Problem]) -> list[bytes]:
        """As `read_records`, without those that the card refuses: one problem for each status word.

        Access rules may differ from record to record.
        """
        self.select(file)
        declared = file.count if file.kind is FileKind.CYCLIC else len(file.slots)
        records = []
        refused: dict[int, Problem] = {}
        for number in range(1, MAX_RECORDS + 1):
            try:
                record = self.read_record(file, number)
            except StatusError as error:
                if number > declared:
                    break
                refused.setdefault(error.sw, Problem(error.where, error.text))
                continue
            if record is None:
                break
            records.append(record)
        problems += refused.values()
        return records

    def read_binary(self, file: File, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes of a transparent file from ``offset``; fewer where the file ends."""
        self.select(file)
        data = b""
        while len(data) < length:
            at = offset + len(data)
            wanted = min(CHUNK, length - len(data))
            answer = self.channel.transmit(_read_binary(at, wanted))
            if answer.sw not in (0x9000, *_END_OF_FILE):
                raise StatusError(answer.sw, status.meaning(answer.sw), where=f"{file.address} @{at}")
            data += answer.data
            if answer.sw in _END_OF_FILE or not answer.data:
                break
        return data

    def read_slots(self) -> tuple[PermitSlot | None, ...]:
        """Both slots of the permit container; empty for a profile without one. Raises `DecodeError`."""
        return tuple(self._read_slot(index, files) for index, files in enumerate(slot_files(self.profile)))

    def _read_slot(self, index: int, files: tuple[File, File]) -> PermitSlot | None:
        raw = self.read_binary(files[0], 0, HEADER_LENGTH)
        header = decode_header(raw)
        if header is None or header.length > sum(file.size for file in files) - HEADER_LENGTH:
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
        for file in self.profile.files:
            mapped = any(record.field for record in file.records)
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
        try:
            permit = live_slot(self.read_slots())
        except (StatusError, DecodeError) as error:
            problems.append(Problem("permit", error.text))
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


@functools.lru_cache(maxsize=1024)
def _select(protocol: CardProtocol, p1: int, name: bytes) -> apdu.Command:
    """SELECT as every card knows it, P2 = 00: the file control information is asked for, though not needed.

    With T=0 it waits behind 61xx, where it is left: that saves a GET RESPONSE for each file.
    """
    return apdu.Command(0x00, apdu.SELECT, p1, 0x00, name, None if protocol == "T=0" else apdu.SHORT_LE)


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
