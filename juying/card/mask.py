"""Masking a trace by the marks of the profile.

A `Masker` looks at every exchange with a card, follows what is selected, and replaces what the profiles mark as
``personal`` or ``secret`` by pseudonyms that keep length and structure, so that the trace still replays and decodes.
PINs, keys, cryptograms and whatever is under secure messaging are blanked. What it cannot place (an unknown
application or file, another tag, a proprietary command) it takes for personal.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from juying.card.apdu import (
    APPEND_RECORD,
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_BINARY,
    UPDATE_RECORD,
    Command,
)
from juying.card.atr import historical_place
from juying.card.mask_control import Mask, mask_control
from juying.card.pseudonym import Pseudonyms
from juying.codec import tlv
from juying.codec.record import cut
from juying.codec.spec import Application, File, FileKind, Profile, Record, Stored
from juying.errors import DecodeError

_SECRET = {0x20, 0x24, 0x2C, 0x5E, 0x82, 0x88, 0xD4}
"""VERIFY, CHANGE, UNBLOCK and RELOAD PIN, EXTERNAL and INTERNAL AUTHENTICATE, WRITE KEY: blanked in any class."""

_RECORD_COMMANDS = {READ_RECORD, UPDATE_RECORD, APPEND_RECORD}
_BINARY_COMMANDS = {READ_BINARY, UPDATE_BINARY}

_HEADERS = {"photo": 2, "permit-slot": 12}
"""Bytes at the start of a file that tell lengths and forms only: the reader needs them to go on."""

_EF = 0xEF
"""First byte of the file identifiers of elementary files (observed)."""

_PERMIT_MAGIC = b"JY"

_GET_BALANCE = (0x80, 0x5C)
"""Class and instruction: an amount of money without a name is nobody's."""

_ISSUER_FIELD = "transit.issuer_code"
"""First field of the file that a purse also returns in 9F0C."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What is selected on one logical channel, in each profile that knows it; empty when unknown."""

    applications: tuple[Application, ...] = ()
    files: tuple[File, ...] = ()


class Masker:
    """Masks the exchanges of one session with a card, in their order.

    A value is masked when any of the ``profiles`` calls for it; once the card has stated its version, only those
    of this version count. With ``personal=False`` only what is secret is masked.
    """

    def __init__(self, profiles: Iterable[Profile], *, personal: bool = True, key: bytes | None = None) -> None:
        """Take the layouts that the card may have; ``key`` (32 bytes) is for tests."""
        self._profiles = tuple(profiles)
        self._personal = personal
        self._names = Pseudonyms(key)
        self._places: dict[int, _Place] = {}
        self._pending: tuple[Mask, int] = (self._unknown, 0)
        self._chained = False

    def atr(self, atr: bytes) -> bytes:
        """The ATR without the card's serial: its last four historical bytes (observed on SSC cards)."""
        return _mask_atr(atr, self._names) if self._personal else atr

    def exchange(self, raw: bytes, answer: bytes) -> tuple[bytes, bytes]:
        """Command and answer, masked; lengths, headers and status word stay."""
        try:
            command = Command.parse(raw)
        except DecodeError:
            mask: Mask = _blanked if len(raw) > 1 and _is_secret(raw[0], raw[1]) else self._unknown
            return raw[:4] + mask(raw[4:], 0), self._answer(mask, 0, answer)
        if command.ins == GET_RESPONSE:
            mask, offset = self._pending
        else:
            mask, offset = self._mask_for(command), 0
        masked = self._answer(mask, offset, answer)
        self._pending = mask, offset + len(answer[:-2])
        self._follow(command, answer)
        return self._command(command, raw, mask), masked

    def _answer(self, mask: Mask, offset: int, answer: bytes) -> bytes:
        data = answer[:-2]
        return (mask(data, offset) if data else data) + answer[-2:]

    def _command(self, command: Command, raw: bytes, mask: Mask) -> bytes:
        if not command.data or command.ins == SELECT:
            return raw
        start = 5 if raw[4] else 7
        return raw[:start] + mask(command.data, 0) + raw[start + len(command.data) :]

    # What a command is about -----------------------------------------------------------------------

    def _mask_for(self, command: Command) -> Mask:
        chained, self._chained = self._chained, command.cla < 0x80 and bool(command.cla & 0x10)
        if _is_secret(command.cla, command.ins):
            return _blanked
        if (command.cla, command.ins) == _GET_BALANCE:
            return _plain
        if command.cla & 0x80 or chained or self._chained:
            return self._opaque
        if command.ins == SELECT:
            return functools.partial(self._fci, self._issuer_data(command.data))
        if command.ins in _RECORD_COMMANDS:
            return self._records(self._target(command))
        if command.ins in _BINARY_COMMANDS:
            start = command.p2 if command.p1 & 0x80 else command.p1 << 8 | command.p2
            return self._binary(self._target(command), start)
        return self._unknown

    def _target(self, command: Command) -> tuple[File, ...]:
        """The file that a record or binary command works on: the current one, or that of the short identifier."""
        place = self._places.get(_channel(command.cla), _Place())
        sfi = _short_identifier(command)
        return _files(place, lambda file: file.sfi == sfi) if sfi else place.files

    def _follow(self, command: Command, answer: bytes) -> None:
        """Keep the selection in step. After a refusal the application stays (ISO 7816-4), the file is unknown."""
        if command.ins != SELECT and not _short_identifier(command):
            return
        channel = _channel(command.cla)
        place = self._places.get(channel, _Place())
        if answer[-2:-1] not in (b"\x90", b"\x61", b"\x62"):
            place = _Place(place.applications)
        elif command.cla & 0x80 or _is_protected(command.cla):
            place = _Place()
        elif command.ins != SELECT:
            place = _Place(place.applications, self._target(command))
        else:
            place = self._selected(command, place)
        self._places[channel] = place

    def _selected(self, command: Command, place: _Place) -> _Place:
        """Where a successful SELECT leads; forms that cards of ours do not use lead to the unknown."""
        if command.p2 & 0x03:
            return _Place()
        if command.p1 == 0x04:
            return _Place(self._applications(lambda application: application.aid == command.data))
        if command.p1 > 0x02 or len(command.data) != 2:
            return _Place()
        fid = int.from_bytes(command.data)
        applications = self._applications(lambda application: application.fid == fid)
        files = _files(place, lambda file: file.fid == fid)
        if applications or not (files or fid >> 8 == _EF):
            return _Place(applications)
        return _Place(place.applications, files)

    def _applications(self, wanted: Callable[[Application], bool]) -> tuple[Application, ...]:
        return tuple(entry for profile in self._profiles for entry in profile.applications if wanted(entry))

    def _narrow(self, version: bytes) -> None:
        """The card has stated its version: profiles of other versions do not count any more."""
        major = version[:1]
        fitting = tuple(profile for profile in self._profiles if profile.version[:1].encode() == major)
        if fitting:
            # An application of its own, such as a purse, states no version.
            fitting += tuple(profile for profile in self._profiles if not profile.by_field("card.version"))
            self._profiles = fitting
            known = {id(entry) for profile in fitting for entry in profile.applications}
            files = {id(file) for profile in fitting for file in profile.files}
            for channel, place in self._places.items():
                self._places[channel] = _Place(
                    tuple(entry for entry in place.applications if id(entry) in known),
                    tuple(file for file in place.files if id(file) in files),
                )

    # Masks -----------------------------------------------------------------------------------------

    def _unknown(self, data: bytes, offset: int) -> bytes:
        """Data of which nothing is known; a single simple TLV keeps tag and length."""
        if offset == 0 and len(data) > 2 and data[0] not in (0x00, 0xFF) and data[1] == len(data) - 2:
            return data[:2] + self._guess(data[2:])
        return self._guess(data)

    def _guess(self, data: bytes) -> bytes:
        return self._names.guess(data) if self._personal else data

    def _opaque(self, data: bytes, offset: int) -> bytes:
        return self._names.opaque(data) if self._personal else data

    def _issuer_data(self, aid: bytes) -> Mask:
        """The mask for 9F0C in the answer to SELECT: that of the file with the same bytes, if the profile has one.

        Otherwise the first two bytes stay, which name the algorithm on some cards (observed).
        """
        for application in self._applications(lambda application: application.aid == aid):
            for file in application.files:
                if file.records and file.records[0].field == _ISSUER_FIELD:
                    return functools.partial(self._fields, file)
        return lambda data, offset: data[:2] + self._names.opaque(data[2:])

    def _fci(self, issuer_data: Mask, data: bytes, offset: int) -> bytes:
        if not self._personal:
            return data
        return mask_control(data, self._names, issuer_data) if offset == 0 else self._names.opaque(data)

    def _binary(self, files: tuple[File, ...], start: int) -> Mask:
        if not files or any(file.kind is not FileKind.TRANSPARENT for file in files):
            return self._unknown

        def mask(data: bytes, offset: int) -> bytes:
            if not any(self._marked(spec) for file in files for spec in (file, *file.records)):
                return data
            at = start + offset
            if files[0].records:
                return self._fields(files[0], data, at)
            kept = _header_length(files[0], at, data)
            return data[:kept] + self._names.placed(files[0].address, at + kept, data[kept:])

        return mask

    def _fields(self, file: File, data: bytes, at: int) -> bytes:
        """Part of a file of fields, from offset ``at``; a field that is cut is masked without its type."""
        masked, marked = b"", self._marked(file)
        for record, place in zip(file.records, file.places, strict=True):
            piece = data[max(place - at, 0) : max(place + record.length - at, 0)]
            if piece and (marked or self._marked(record)):
                whole = len(piece) == record.length
                piece = self._names.of(record.type, record.field, piece) if whole else self._names.opaque(piece)
            masked += piece
        return masked + self._guess(data[len(masked) :])

    def _records(self, files: tuple[File, ...]) -> Mask:
        if not files or any(file.kind is FileKind.TRANSPARENT for file in files):
            return self._unknown
        one = self._rows if files[0].kind is FileKind.CYCLIC else self._objects

        def mask(data: bytes, offset: int) -> bytes:
            return one(files, data) if offset == 0 else self._unknown(data, offset)

        return mask

    def _objects(self, files: tuple[File, ...], data: bytes) -> bytes:
        """Records of a linear file: TLV objects one after the other, the last one perhaps cut short."""
        marked = any(self._marked(file) for file in files)
        masked = b""
        while rest := data[len(masked) :]:
            specs = [spec for file in files if (spec := file.identify(rest))]
            start = 3 if specs and (specs[0].tag or 0) > 0xFF else 2
            if len(rest) < start or not specs:
                return masked + self._unknown_objects(rest)
            value = rest[start : start + rest[start - 1]]
            if specs[0].field == "card.version":
                self._narrow(value)
            masked += rest[:start] + self._value(specs, value, marked)
        return masked

    def _unknown_objects(self, data: bytes) -> bytes:
        """From a tag on that no profile knows: TLV keeps its shape, anything else is taken as a whole."""
        try:
            objects = tlv.parse(data)
        except DecodeError:
            return self._guess(data)
        return tlv.build((tag, self._guess(value)) for tag, value in objects)

    def _rows(self, files: tuple[File, ...], data: bytes) -> bytes:
        """Records of a cyclic file, fields without tags: all of them are masked when any is marked."""
        fitting = [file for file in files if len(data) % file.record_length == 0]
        if not fitting:
            return self._guess(data)
        marked = any(self._marked(spec) for file in fitting for spec in (file, *file.records))
        masked = b""
        while len(masked) < len(data):
            for record in fitting[0].records:
                masked += self._value([record], data[len(masked) : len(masked) + record.length], marked)
        return masked

    def _value(self, specs: list[Record], value: bytes, marked: bool) -> bytes:
        """The value of a record, by the specification that suits its length; a list part by part."""
        spec = next((spec for spec in specs if spec.length == len(value)), specs[0])
        marked = marked or any(self._marked(entry) for entry in specs)
        if spec.parts:
            return self._parts(spec, value, marked)
        return self._names.of(spec.type, spec.field, value) if marked else value

    def _parts(self, spec: Record, value: bytes, marked: bool) -> bytes:
        if spec.parts[0].tag is None and len(value) == spec.length:
            return b"".join(self._value([part], piece, marked) for part, piece in cut(value, spec.parts))
        try:
            objects = tlv.parse(value)
        except DecodeError:
            return self._guess(value)
        by_tag = {part.tag: part for part in spec.parts}
        return tlv.build(
            (tag, self._value([by_tag[tag]], part, marked) if tag in by_tag else self._guess(part))
            for tag, part in objects
        )

    def _marked(self, spec: Stored) -> bool:
        return spec.secret or (self._personal and spec.personal)


def shape(raw: bytes) -> bytes | None:
    """Of a command whose data never gets into a trace: the command with blanks in place of the data; else None.

    By it a trace is searched for such a command.
    """
    if len(raw) < 4 or not _is_secret(raw[0], raw[1]):
        return None
    try:
        command = Command.parse(raw)
    except DecodeError:
        return raw[:4] + bytes(len(raw) - 4)
    start = 5 if raw[4:5].strip(b"\0") else 7
    return raw[:start] + bytes(len(command.data)) + raw[start + len(command.data) :]


def _is_secret(cla: int, ins: int) -> bool:
    """Whether what goes with a command of this class and instruction is blanked."""
    return ins in _SECRET or _is_protected(cla)


def _plain(data: bytes, offset: int) -> bytes:
    return data


def _blanked(data: bytes, offset: int) -> bytes:
    return bytes(len(data))


def _channel(cla: int) -> int:
    """Number of the logical channel (ISO 7816-4)."""
    return 4 + (cla & 0x0F) if cla & 0xC0 == 0x40 else cla & 0x03


def _short_identifier(command: Command) -> int:
    """The short file identifier in a record or binary command; 0 for the current file."""
    if command.ins in _RECORD_COMMANDS:
        return command.p2 >> 3
    return command.p1 & 0x1F if command.ins in _BINARY_COMMANDS and command.p1 & 0x80 else 0


def _is_protected(cla: int) -> bool:
    """Whether the class announces secure messaging (ISO 7816-4)."""
    return bool(cla & 0x20) if cla & 0xC0 == 0x40 else bool(cla & 0x0C)


def _files(place: _Place, wanted: Callable[[File], bool]) -> tuple[File, ...]:
    return tuple(file for application in place.applications for file in application.files if wanted(file))


def _header_length(file: File, at: int, data: bytes) -> int:
    """How many bytes at the start of ``data`` are the header of the file's content."""
    length = _HEADERS.get(file.content, 0)
    if at or len(data) < length:
        return 0
    if file.content == "photo":
        return length if int.from_bytes(data[:length]) <= file.size - length else 0
    return length if data.startswith(_PERMIT_MAGIC) else 0


def _mask_atr(atr: bytes, names: Pseudonyms) -> bytes:
    """The serial, and TCK to match if there is one."""
    place = historical_place(atr)
    if place is None:
        return atr[:2] + names.opaque(atr[2:])
    position, end = place
    serial = atr[max(position, end - 4) : end]
    masked = atr[: end - len(serial)] + names.opaque(serial)
    if end == len(atr):
        return masked
    tck = 0
    for byte in masked[1:]:
        tck ^= byte
    return masked + bytes((tck,))
