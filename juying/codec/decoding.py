"""Bytes of a card file, explained: what ``juying decode`` shows."""

from datetime import date
from typing import NamedTuple

from juying.codec import tlv
from juying.codec.permit_slots import decode_slot
from juying.codec.photo_file import photo_length
from juying.codec.spec import File, FileKind, Record
from juying.errors import DecodeError


class Explained(NamedTuple):
    """One record: ``value`` is a plain JSON value; of an unreadable record the bytes, and ``problem`` says why."""

    tag: str
    name: str
    value: object
    problem: str = ""

    def __repr__(self) -> str:
        """What it is; the value may be personal."""
        return f"Explained({self.tag!r}, {self.name!r})"


def decode_file(file: File, raw: bytes) -> list[Explained]:
    """The records in ``raw``, explained.

    For a linear file ``raw`` is one or more whole records (one, if its tag has two bytes), for a cyclic one a multiple
    of its record length, for a transparent one its bytes from the beginning. Raises `DecodeError`.
    """
    if file.kind is FileKind.TRANSPARENT and not file.records:
        return [Explained("", str(file.title), _transparent(file, raw))]
    if file.kind is not FileKind.LINEAR:
        length = file.record_length
        if not raw or len(raw) % length:
            raise DecodeError(f"长度不是 {length} 的倍数", f"not a multiple of {length} bytes", where=file.address)
        rows = (file.decode_row(raw[start : start + length]) for start in range(0, len(raw), length))
        return [
            Explained(f"#{number}", str(record.title), json_value(value))
            for number, row in enumerate(rows, 1)
            for record, value in zip(file.records, row, strict=True)
        ]
    record = file.identify(raw)
    if record is not None and (record.tag or 0) > 0xFF:
        return [Explained(f"{record.tag:04X}", str(record.title), _content(record, record.decode(raw)))]
    entries = []
    for tag, value in tlv.parse(raw):
        item = file.decode_records([tlv.build([(tag, value)])])[0]
        if item.record is None:
            entries.append(Explained(f"{tag:02X}", "未知标签 / unknown tag", value.hex().upper()))
        elif item.problem is not None:
            title, problem = str(item.record.title), str(item.problem.text)
            entries.append(Explained(f"{tag:02X}", title, value.hex().upper(), problem))
        else:
            entries.append(Explained(f"{tag:02X}", str(item.record.title), _content(item.record, item.content)))
    return entries


def json_value(content: object) -> object:
    """``content`` as JSON has it: days as ISO 8601, bytes as upper-case hex digits, tuples as lists."""
    if isinstance(content, bytes):
        return content.hex().upper()
    if isinstance(content, date):
        return content.isoformat()
    if isinstance(content, tuple | list):
        return [json_value(value) for value in content]
    return content


def _content(record: Record, content: object) -> object:
    if not record.parts or not isinstance(content, tuple):
        return json_value(content)
    return {str(part.title): json_value(value) for part, value in zip(record.parts, content, strict=True)}


def _transparent(file: File, raw: bytes) -> object:
    if file.content == "photo":
        length = photo_length(raw, file.size)
        return f"JPEG, {length} bytes" if length else None
    if file.content == "permit-slot":
        slot = decode_slot(0, raw)
        if slot is None:
            return None
        return {"form": slot.form.name.lower(), "sequence": slot.sequence, "record": slot.record.hex().upper()}
    return raw.hex().upper()
