"""Where the signed permit sits on the chip: a container with two slots, so that a torn renewal loses nothing.

The published structure of the card leaves five reserved transparent files in DF01 (EF16 to EF1A, 0x128 bytes each).
No public tag exists for a work permit, so the first four carry it (our choice): EF16 and EF17 are slot A, EF18 and
EF19 slot B. A slot is the two files read as one, and begins with its header:

====== ===== ==========================================================================
offset bytes content
====== ===== ==========================================================================
0      2     ``4A 59`` ("JY")
2      1     version of the container, 1
3      1     form of the record: 0 open, 1 sealed
4      4     sequence number, big-endian; the valid slot with the highest one is live
8      2     length of the record in bytes, big-endian
10     2     key reference: by which permit-read key the record is sealed; 0000 for an open one
12     4     CRC-32 (IEEE 802.3) of the bytes 0 to 11 and of the record
16     n     the record: COSE_Sign1 when open, sealed as below otherwise
====== ===== ==========================================================================

Every later version of the container keeps this header, so that a torn slot can be told from one that a later program
wrote.

The files are free to read, so the record is sealed unless the profile says otherwise. It is padded with 80 00 … to 400
bytes, so that its length tells nothing: any signed permit fits (397 bytes at most; 320 with a holder key), and with
seal and header it takes 444 of the 592 bytes of a slot. Then it is sealed under the card's permit-read key, together
with the bytes 0 to 11 of the header and the first 12 of the card identifier (all but its check code). Copied to another
card, or behind another header, it does not open.

The key reference is the beginning of a fixed text enciphered under that key. By it a reader with the key tells whether
this one or the one before a rotation is meant, and a wrong key from a changed record. To others it says nothing, not
even which city's key it is.

A new record goes into the slot that is not live, body first and header last. Until the last byte of the header is
written the checksum does not hold, and the old slot stays live. The checksum finds torn writes only; whether the
record is genuine is told by its signature.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from juying.codec.spec import File, Profile
from juying.errors import DecodeError, InputError

_HEADER = Struct(">2sBBIHHI")
_MAGIC = b"JY"
_VERSION = 1
_BOUND = 12
"""Bytes of the header before the checksum."""
HEADER_LENGTH = _HEADER.size
PADDED_LENGTH = 400
"""Bytes of a record before it is sealed."""


class Form(IntEnum):
    """How the record of a slot is stored."""

    OPEN = 0
    SEALED = 1


@dataclass(frozen=True, slots=True)
class Header:
    """The first 16 bytes of a slot, whether or not its checksum holds."""

    version: int
    form: int
    sequence: int
    length: int
    key_reference: int
    checksum: int


@dataclass(frozen=True, slots=True)
class PermitSlot:
    """A slot whose checksum holds; ``index`` is 0 for A and 1 for B."""

    index: int
    form: Form
    sequence: int
    key_reference: int
    record: bytes

    def __repr__(self) -> str:
        """Without the record, which is personal."""
        return f"PermitSlot(index={self.index}, form={self.form.name}, sequence={self.sequence})"


def slot_files(profile: Profile) -> tuple[tuple[File, File], ...]:
    """The two files of each slot; empty for a profile without a place for the permit (v1)."""
    files = [file for file in profile.files if file.content == "permit-slot"]
    return tuple((files[i], files[i + 1]) for i in range(0, len(files) - 1, 2))


def encode_slot(record: bytes, sequence: int, form: Form = Form.OPEN, key_reference: int = 0) -> bytes:
    """Header and record, ready to be written from the start of a slot.

    ``sequence`` counts from 1 to 2**32 - 1. Raises `InputError` when the record does not fit the length field.
    """
    if not 0 < len(record) <= 0xFFFF or not 0 < sequence <= 0xFFFFFFFF:
        raise InputError("许可记录长度或序号超出范围", "length or sequence number of the permit record is out of range")
    header = _HEADER.pack(_MAGIC, _VERSION, form, sequence, len(record), key_reference, 0)
    checksum = zlib.crc32(record, zlib.crc32(header[:_BOUND]))
    return header[:_BOUND] + checksum.to_bytes(4, "big") + record


def pad_record(record: bytes) -> bytes:
    """``record`` as it is sealed, `PADDED_LENGTH` bytes. Raises `InputError` when it is longer than 399."""
    if len(record) >= PADDED_LENGTH:
        raise InputError(
            f"许可记录超过 {PADDED_LENGTH - 1} 字节，无法密封",
            f"the permit record has more than {PADDED_LENGTH - 1} bytes and cannot be sealed",
        )
    return (record + b"\x80").ljust(PADDED_LENGTH, b"\x00")


def unpad_record(padded: bytes) -> bytes:
    """What `pad_record` was given. Raises `DecodeError`."""
    record, mark, rest = padded.rpartition(b"\x80")
    if len(padded) != PADDED_LENGTH or not mark or any(rest):
        raise DecodeError("密封的许可填充无效", "the padding of the sealed permit is not valid")
    return record


def seal_context(length: int, sequence: int, key_reference: int, identifier: bytes) -> bytes:
    """What a sealed record of ``length`` bytes is bound to: the header before its checksum, and the card."""
    return _HEADER.pack(_MAGIC, _VERSION, Form.SEALED, sequence, length, key_reference, 0)[:_BOUND] + identifier


def decode_header(raw: bytes) -> Header | None:
    """The header at the start of ``raw``; None if there is none. A half written one is only found by `decode_slot`."""
    if len(raw) < HEADER_LENGTH or raw[:2] != _MAGIC:
        return None
    _, version, form, sequence, length, key_reference, checksum = _HEADER.unpack_from(raw)
    return Header(version, form, sequence, length, key_reference, checksum)


def decode_slot(index: int, raw: bytes) -> PermitSlot | None:
    """The slot in ``raw`` (header, record, anything); None if it is empty, torn or cut short.

    Raises `DecodeError` for an intact slot of a version or form that we do not know: a later program wrote it, and
    reading on with the other slot could show a permit that is over.
    """
    header = decode_header(raw)
    if header is None:
        return None
    record = raw[HEADER_LENGTH : HEADER_LENGTH + header.length]
    if not record or len(record) < header.length or zlib.crc32(record, zlib.crc32(raw[:_BOUND])) != header.checksum:
        return None
    if header.version != _VERSION or header.form not in list(Form):
        raise DecodeError(
            "许可记录的容器版本未知，请升级软件",
            "the permit container has an unknown version: update the software",
        )
    return PermitSlot(index, Form(header.form), header.sequence, header.key_reference, record)


def live_slot(slots: Sequence[PermitSlot | None]) -> PermitSlot | None:
    """The slot in force: the valid one with the highest sequence number."""
    return max((slot for slot in slots if slot), key=lambda slot: slot.sequence, default=None)


def slot_writes(files: tuple[File, File], content: bytes) -> Iterator[tuple[File, int, bytes]]:
    """``(file, offset, data)`` of the writes that put ``content`` (from `encode_slot`) into a slot, header last.

    Raises `InputError` when it is larger than the slot.
    """
    first, second = files
    if len(content) > first.size + second.size:
        raise InputError(
            f"许可记录超出卡上空间（{first.size + second.size} 字节）",
            f"the permit record is larger than its place on the card ({first.size + second.size} bytes)",
        )
    if len(content) > first.size:
        yield second, 0, content[first.size :]
    yield first, HEADER_LENGTH, content[HEADER_LENGTH : first.size]
    yield first, 0, content[:HEADER_LENGTH]
