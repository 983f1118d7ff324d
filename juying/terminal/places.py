"""From addresses to the files and records of a card, and from values to the bytes that go there."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from juying.codec.photo_file import PREFIX_LENGTH, pack_photo, photo_length
from juying.codec.rules import AccessRule, access_rule
from juying.codec.spec import File, FileKind, Profile, Record
from juying.errors import DecodeError, InputError
from juying.terminal import answers
from juying.terminal.addresses import FileAddress, Tag
from juying.terminal.codes import CallError, Code, refused
from juying.text import Text

NO_FILE, NO_RECORD = 0x6A82, 0x6A83
PHOTO = "photo"
_WHOLE = (0x00, 0x01)
"""Tags that stand for a whole transparent file."""


@dataclass(frozen=True, slots=True)
class Place:
    """One part of an address.

    In a linear file it is the ``occurrence``-th ``record`` with a tag, in a cyclic one row ``number`` (1 the newest,
    0 all of them), in a transparent one the whole file.
    """

    file: File = field(repr=False)
    record: Record | None = field(default=None, repr=False)
    occurrence: int = 1
    number: int = 0

    @property
    def rows(self) -> bool:
        """Whether it is in a cyclic file."""
        return self.file.kind is FileKind.CYCLIC

    @property
    def read_rule(self) -> AccessRule:
        """What the card asks for before it is read."""
        return access_rule((self.record or self.file).read)

    @property
    def write_access(self) -> AccessRule:
        """What the card asks for before it is written."""
        return access_rule(self.write_rule)

    @property
    def write_rule(self) -> str:
        """The same, as the profile states it."""
        return (self.record or self.file).write

    @property
    def secret(self) -> bool:
        """Whether it is nobody else's business."""
        return any(spec.personal or spec.secret for spec in (self.file, *([self.record] if self.record else [])))

    def told(self, raw: bytes) -> str:
        """What the bytes of the place say. Raises `CallError` -23 for bytes that make no sense."""
        try:
            if self.record is not None:
                return answers.told_record(self.record, self.record.decode(raw))
            if self.rows:
                return answers.told_row(self.file.records, self.file.decode_row(raw))
        except DecodeError as error:
            where = f"{self.file.address} {error.where}"
            raise CallError(
                Code.DATA, Text(f"{where} 卡上的内容无法解读", f"{where}: what is on the card makes no sense")
            ) from None
        return (_picture(raw, self.file.size) if self.file.content == PHOTO else raw).hex().upper()

    def bytes_for(self, text: str) -> bytes:
        """The bytes that ``text`` means there. Raises `CallError` -41, -42, -23."""
        try:
            if self.record is not None:
                return self.record.encode(answers.understood(self.record, text))
            if self.rows:
                return self.file.encode_row(answers.understood_row(self.file.records, text))
        except InputError as error:  # what would read back as never written
            where = f"{self.file.address} {error.where}"
            raise CallError(Code.DATA, Text(f"{where} {error.text.zh}", f"{where}: {error.text.en}")) from None
        data = answers.parse_hex(text, self.file.size)
        if self.file.content != PHOTO or not data:
            return data
        try:
            return pack_photo(data, self.file.size)
        except InputError as error:
            raise CallError(Code.LENGTH, error.text) from None


@dataclass(frozen=True, slots=True)
class Writing:
    """Bytes for a place, worked out before anything is written."""

    place: Place
    data: bytes = field(repr=False)


def told_files(addresses: Sequence[FileAddress], values: Sequence[Sequence[str]]) -> str:
    """The values in the shape of their addresses: ``SSSEEF05|v|v|$``."""
    return "".join(
        f"{address.spelling}|{''.join(f'{value}|' for value in given)}$"
        for address, given in zip(addresses, values, strict=True)
    )


def told_values(_addresses: Sequence[FileAddress], values: Sequence[Sequence[str]]) -> str:
    """The values alone, as one province has it: ``v|v|``."""
    return "".join(f"{value}|" for given in values for value in given)


Shape = Callable[[Sequence[FileAddress], Sequence[Sequence[str]]], str]
"""How the values of several files become one text."""


def resolve(profile: Profile, address: FileAddress) -> tuple[Place, ...]:
    """The places of one file.

    Raises `CallError` -27266 (6A82) for a file and -27267 (6A83) for a tag that cards of this profile do not have, and
    -14 for a tag that a transparent file cannot have, or none where one is needed.
    """
    try:
        file = profile.file(address.name)
    except InputError:
        zh, en = f"此类卡没有文件 {address.spelling}", f"cards of this kind have no file {address.spelling}"
        raise refused(NO_FILE, Text(zh, en)) from None
    if file.kind is FileKind.LINEAR:
        if not address.tags:
            raise _bad(address, "须给出数据项标签", "tags are needed")
        return tuple(_record(file, tag) for tag in address.tags)
    if not address.tags:
        return (Place(file),)
    if file.kind is FileKind.CYCLIC:
        return tuple(_row(address, file, tag) for tag in address.tags)
    if len(address.tags) > 1 or address.tags[0].code not in _WHOLE:
        raise _bad(address, "透明文件只能整个读写", "a transparent file is read and written as a whole")
    return (Place(file),)


def all_places(profile: Profile, addresses: Iterable[FileAddress]) -> tuple[tuple[Place, ...], ...]:
    """The places of several files."""
    return tuple(resolve(profile, address) for address in addresses)


def writings(places: Sequence[Sequence[Place]], values: Sequence[Sequence[str]]) -> list[Writing]:
    """What is to be written, all of it parsed and checked. Raises `CallError`."""
    return [
        Writing(place, place.bytes_for(value))
        for file_places, file_values in zip(places, values, strict=True)
        for place, value in zip(file_places, file_values, strict=True)
    ]


def _record(file: File, tag: Tag) -> Place:
    record = file.record(tag.code)
    if record is None:
        zh, en = f"{file.address} 没有数据项 {tag.spelling}", f"{file.address} has no item {tag.spelling}"
        raise refused(NO_RECORD, Text(zh, en))
    return Place(file, record, tag.occurrence)


def _row(address: FileAddress, file: File, tag: Tag) -> Place:
    number = int(tag.spelling) if tag.spelling.isdecimal() else 0
    if not 1 <= number <= file.count:
        raise _bad(address, f"记录号应在 1 至 {file.count} 之间", f"record numbers go from 1 to {file.count}")
    return Place(file, number=number)


def _picture(raw: bytes, size: int) -> bytes:
    """The picture behind its length, or the whole file where the first two bytes are no length."""
    try:
        length = photo_length(raw[:PREFIX_LENGTH], size)
    except DecodeError:
        return raw
    return raw[PREFIX_LENGTH : PREFIX_LENGTH + length]


def _bad(address: FileAddress, zh: str, en: str) -> CallError:
    return CallError(Code.PARAMETER, Text(f"{address.spelling}：{zh}", f"{address.spelling}: {en}"))
