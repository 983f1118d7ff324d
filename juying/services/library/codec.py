"""Bytes <-> messages.

Answers are decoded before they are split: the second byte of a GBK character can be that of ``|``. A value that cannot
be written safely is refused, because the protocol has no way to escape ``|``, and a line end begins a new message.
"""

import re
from collections.abc import Iterator
from enum import Enum
from operator import call
from typing import Any, NamedTuple

from juying.errors import DecodeError, FieldError
from juying.services.library import items, messages
from juying.services.library.layout import CODE, LAYOUTS, Layout, Message, refused, write_extra
from juying.services.library.wire import BOOK, Checking, Wire, checksum, fits
from juying.text import Text

__all__ = ["MAX_FIELDS", "MAX_MESSAGE", "Received", "Sum", "decode", "encode", "items", "messages"]

MAX_MESSAGE = 64 << 10
"""Bytes of the longest message that is looked at (our choice; a long list of loans has a few thousand)."""
MAX_FIELDS = 2000
"""Named fields of one message (our choice)."""


class Sum(Enum):
    """What the checksum of a received message says."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"


class Received(NamedTuple):
    """A message as it came; ``problems`` are what is not as the book has it."""

    message: Message
    sequence: int | None
    checksum: Sum
    problems: tuple[Text, ...]


_TRAILER = re.compile(r"(?=AY|AZ)(?:AY(?P<digit>.))?(?:AZ(?P<sum>[0-9A-Fa-f]{0,4}))?(?P<bar>\|?)\Z")
_SUM = re.compile("[0-9A-Fa-f]{1,4}")


def encode(message: Message, wire: Wire = BOOK, sequence: int | None = None) -> bytes:
    """The bytes of a message, with trailer and terminator as the site wants them.

    ``sequence`` is the digit, None for messages that have none. Raises `FieldError` for a value that the protocol or
    the character set cannot carry, or that has more than 255 characters; the value is not in the error.
    """
    layout = LAYOUTS[message.id]
    try:
        fixed = map(call, layout.fixed_writers, layout.fixed_values(message))
        named = map(call, layout.named_writers, layout.named_values(message))
        text = "".join([message.id, *fixed, *named])
    except ValueError:
        raise _unfit(layout, message) from None
    if message.extra:
        text += write_extra(message.extra)
    if wire.sums:
        text += "AZ" if sequence is None else f"AY{sequence}AZ"
    try:
        data = text.encode(wire.charset)
    except UnicodeEncodeError:
        charset = wire.charset
        raise refused(message.id, "含有字符集没有的字符", "has characters that it lacks", charset, charset) from None
    return data + checksum(data) + wire.end if wire.sums else data + wire.end


def _unfit(layout: Layout, message: Message) -> FieldError:
    """The error about the first fixed field whose value does not fit."""
    for field in layout.fixed:
        try:
            field.kind.write(getattr(message, field.name))
        except ValueError:
            break
    return refused(field.name, "长度或字符不符", "does not fit", "定长字段", "a field of fixed length")


def decode(data: bytes, wire: Wire = BOOK) -> Received:
    """The message in ``data``, with or without its terminator.

    Leniently a missing field is empty, an unreadable value what its kind has for none, and both are noted; a strict
    ``wire`` takes nothing that is not by the book, except field codes that nobody knows. Raises `DecodeError` for what
    has no meaning at all, for a checksum that the ``wire`` insists on, and for more than `MAX_MESSAGE` bytes or
    `MAX_FIELDS` fields.
    """
    if len(data) > MAX_MESSAGE:
        raise _broken(f"超过 {MAX_MESSAGE} 字节", f"more than {MAX_MESSAGE} bytes")
    problems: list[Text] = []
    data = data.rstrip(b"\r\n")
    if not data[:2].isdigit():
        data = _without_garbage(data)
        problems.append(Text("报文前有多余字节", "there are other bytes before the message"))
    try:
        text = data.decode(wire.charset)
    except UnicodeDecodeError:
        text = data.decode(wire.charset, "replace")
        problems.append(Text(f"有的字节不是 {wire.charset}", f"some bytes are no {wire.charset}"))
    layout = LAYOUTS.get(text[:2])
    if layout is None:
        raise _broken("报文标识未知", "the message has an unknown id")
    if len(text) < layout.end:
        raise _broken("定长部分不全", "the fixed part is cut off", layout)
    body, sequence, sum_ = _trailer(data, text, layout, wire, problems)
    try:
        pieces = map(body.__getitem__, layout.fixed_places)
        values = dict(zip(layout.fixed_names, map(call, layout.fixed_readers, pieces), strict=True))
    except (ValueError, KeyError):
        values = _read_fixed(layout, body, problems)
    _read_named(layout, body, values, problems)
    if wire.strict:
        problems += _deviations(layout, body)
        if problems:
            raise _broken(problems[0].zh, problems[0].en, layout)
    return Received(layout.make(values), sequence, sum_, tuple(problems))


def _without_garbage(data: bytes) -> bytes:
    """What follows the bytes that cannot begin a message."""
    return data[len(data) - len(data.lstrip(_NO_DIGITS)) :]


_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789"))


def _trailer(data: bytes, text: str, layout: Layout, wire: Wire, problems: list[Text]) -> tuple[str, int | None, Sum]:
    """The message without its trailer, the digit, and what the checksum says."""
    digit: str | None
    digits: str | None
    if text[-9:-7] == "AY" and text[-6:-4] == "AZ":
        body, digit, digits, behind = text[:-9], text[-7], text[-4:], 0
        if "0" <= digit <= "9" and wire.by_bytes and checksum(data[:-4]) == data[-4:]:
            return body, int(digit), Sum.RIGHT
    elif found := _TRAILER.search(text, layout.end):
        body, digit, digits, behind = text[: found.start()], found["digit"], found["sum"], len(found["bar"])
    else:
        body, digit, digits, behind = text, None, None, 0
    sequence = int(digit) if digit and digit in "0123456789" else None
    if digit is not None and sequence is None:
        problems.append(Text("序号不是数字", "the sequence number is no digit"))
    if digits is None:
        # A request without trailer gets an answer without.
        if wire.sums or wire.receive_checksum is Checking.STRICT:
            _note_sum(Text("没有校验和", "there is no checksum"), layout, wire, problems)
        return body, sequence, Sum.ABSENT
    end = len(digits) + behind
    if not (_SUM.fullmatch(digits) and fits(data[:-end], int(digits, 16), text[:-end], wire.checksum)):
        _note_sum(Text("校验和不对", "the checksum is wrong"), layout, wire, problems)
        return body, sequence, Sum.WRONG
    if len(digits) != 4 or digits != digits.upper():
        problems.append(Text("校验和不是四位大写十六进制数", "the checksum has not four upper-case hexadecimal digits"))
    return body, sequence, Sum.RIGHT


def _note_sum(trouble: Text, layout: Layout, wire: Wire, problems: list[Text]) -> None:
    if wire.receive_checksum is Checking.STRICT:
        raise _broken(trouble.zh, trouble.en, layout)
    if wire.receive_checksum is Checking.WARN:
        problems.append(trouble)


def _read_fixed(layout: Layout, body: str, problems: list[Text]) -> dict[str, Any]:
    """The fixed fields, one by one, because one of them cannot be read."""
    values = {}
    for name, place, kind in layout.fixed:
        try:
            values[name] = kind.read(body[place])
        except (ValueError, KeyError):
            values[name] = kind.empty
            problems.append(_unreadable(name))
    return values


def _read_named(layout: Layout, body: str, values: dict[str, Any], problems: list[Text]) -> None:
    """Take the named fields apart, in whatever order they come."""
    pieces = _split(layout, body)
    if pieces.pop():
        pieces = _split(layout, body + "|")[:-1]
        problems.append(Text("最后的字段没有结束", "the last field does not end"))
    find, single = layout.readers.get, 0
    extra: list[tuple[str, str]] = []
    lists: dict[str, list[Any]] = {}
    for piece in pieces:
        found = find(piece[:2])
        if found is None:
            extra.append((piece[:2], piece[2:]))
            continue
        name, read, repeated = found
        try:
            content = piece[2:] if read is str else read(piece[2:])
        except (ValueError, KeyError):
            content = None
            problems.append(_unreadable(name))
        if repeated:
            lists.setdefault(name, []).append(content)
        else:
            values[name] = content
            single += 1
    if len(values) != len(layout.fixed) + single:
        problems.append(Text("有的字段重复", "a field stands twice"))
    for name, contents in lists.items():
        values[name] = tuple(contents)
    if extra:
        values["extra"] = tuple(extra)
        if not all(CODE.fullmatch(code) for code, _ in extra):
            problems.append(Text("有的字段没有代码", "a field has no code"))
    for name, code, empty in layout.required:
        if values.get(name) is None:
            values[name] = empty
            problems.append(Text(f"缺少字段 {code}", f"the field {code} is missing"))


def _split(layout: Layout, body: str) -> list[str]:
    """The named fields, and what follows the last bar."""
    pieces = body[layout.end :].split("|", MAX_FIELDS)
    if len(pieces) > MAX_FIELDS:
        raise _broken(f"超过 {MAX_FIELDS} 个字段", f"more than {MAX_FIELDS} fields", layout)
    return pieces


def _deviations(layout: Layout, body: str) -> Iterator[Text]:
    """What can be read, but is not as the book has it."""
    for name, place, kind in layout.fixed:
        if not kind.form.fullmatch(body[place]):
            yield _unreadable(name)
    by_code = {field.code: field for field in layout.named}
    for piece in _split(layout, body):
        field = by_code.get(piece[:2])
        if field and not field.kind.form.fullmatch(piece[2:]):
            yield _unreadable(field.name)


def _unreadable(name: str) -> Text:
    return Text(f"{name} 的值不合规定", f"the value of {name} is not as it should be")


def _broken(zh: str, en: str, layout: Layout | None = None) -> DecodeError:
    return DecodeError(f"SIP2 报文：{zh}", f"SIP2 message: {en}", where=layout.type.id if layout else "")
