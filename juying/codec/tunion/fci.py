"""What SELECT answers: the list of applications (PPSE) and the control information of the purse, in BER-TLV.

Forms seen on cards differ: 00 between and behind the objects, a version of one or two bytes, label, priority and name
before or after the issuer's data. So nothing depends on the order, and what is not known is passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from juying.codec import tlv
from juying.errors import DecodeError

PUBLIC_LENGTH = 30
"""Bytes of the issuer's data 9F0C on cards of this application: file 15."""
_CONSTRUCTED = 0x20
_FILE_CONTROL, _PROPRIETARY, _ENTRY, _ISSUER_LIST = 0x6F, 0xA5, 0x61, 0xBF0C
_AID, _NAME, _LABEL, _PRIORITY, _PREFERRED, _VERSION, _ISSUER = 0x4F, 0x84, 0x50, 0x87, 0x9F12, 0x9F08, 0x9F0C


@dataclass(frozen=True, slots=True)
class Entry:
    """One application in the list of a card; ``priority`` 1 is the highest, 0 stands for none given."""

    aid: bytes
    label: str
    priority: int


@dataclass(frozen=True, slots=True)
class Control:
    """The control information of the purse.

    ``public`` are the 30 bytes of file 15, empty when the card does not give them here; ``version`` is 9F08, in
    upper-case hex digits as it stands on the card.
    """

    name: bytes
    label: str
    version: str
    public: bytes

    def __repr__(self) -> str:
        """Without ``public``, which holds the card number."""
        return f"Control(name={self.name.hex().upper()!r}, label={self.label!r}, version={self.version!r})"


def parse_environment(data: bytes) -> tuple[Entry, ...]:
    """The applications that the answer to SELECT of the PPSE lists, in its order. Raises `DecodeError`.

    Templates without an AID are passed over.
    """
    entries = []
    for path, template in _objects(data):
        if path[-1] == _ENTRY:
            found = _values(template)
            if aid := found.get(_AID):
                entries.append(Entry(aid, _text(found.get(_LABEL, b"")), int.from_bytes(found.get(_PRIORITY, b""))))
    return tuple(entries)


def parse_control(data: bytes) -> Control:
    """The control information in the answer to SELECT of the purse; empty where it is silent. Raises `DecodeError`."""
    found = _values(data)
    issuer = found.get(_ISSUER, b"")
    return Control(
        name=found.get(_NAME, b""),
        label=_text(found.get(_LABEL, b"") or found.get(_PREFERRED, b"")),
        version=found.get(_VERSION, b"").hex().upper(),
        public=issuer[:PUBLIC_LENGTH] if len(issuer) >= PUBLIC_LENGTH else b"",
    )


def build_control(name: bytes, public: bytes, *, version: bytes = b"\x02") -> bytes:
    """The value of the template 6F in the form that most cards have: name, and version and ``public`` under A5."""
    proprietary = _object(_VERSION, version) + _object(_ISSUER, public)
    return _object(_NAME, name) + _object(_PROPRIETARY, proprietary)


def build_environment(name: bytes, entries: tuple[Entry, ...]) -> bytes:
    """The value of the template 6F that lists ``entries``."""
    templates = b"".join(
        _object(
            _ENTRY,
            _object(_AID, entry.aid)
            + _object(_LABEL, entry.label.encode("ascii"))
            + _object(_PRIORITY, bytes((entry.priority,))),
        )
        for entry in entries
    )
    return _object(_NAME, name) + _object(_PROPRIETARY, _object(_ISSUER_LIST, templates))


def _object(tag: int, value: bytes) -> bytes:
    return tag.to_bytes(1 + (tag > 0xFF)) + bytes((len(value),)) + value


def _text(raw: bytes) -> str:
    """A label: what is printable of it."""
    return "".join(character for character in raw.decode("gbk", "replace") if character.isprintable())


def _values(data: bytes) -> dict[int, bytes]:
    """The first value of each tag, at whatever depth it stands."""
    found: dict[int, bytes] = {}
    for path, value in _objects(data):
        found.setdefault(path[-1], value)
    return found


def _objects(data: bytes) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Every object in ``data`` with the tags that lead to it, outer ones first; at most `tlv.MAX_OBJECTS`."""
    waiting: list[tuple[tuple[int, ...], bytes]] = [((), data)]
    count = 0
    while waiting:
        path, rest = waiting.pop()
        for tag, value in _level(rest):
            count += 1
            if count > tlv.MAX_OBJECTS:
                raise _malformed()
            inner = (*path, tag)
            yield inner, value
            if (tag if tag <= 0xFF else tag >> 8) & _CONSTRUCTED:
                waiting.append((inner, value))


def _level(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The objects of one level; 00 and FF between them are filling (ISO 7816-4)."""
    at, end = 0, len(data)
    while at < end:
        if data[at] in (0x00, 0xFF):
            at += 1
            continue
        tag = data[at]
        at += 1
        if tag & 0x1F == 0x1F:
            tag = tag << 8 | _byte(data, at)
            at += 1
        length = _byte(data, at)
        at += 1
        if length in (0x81, 0x82):
            size = length - 0x80
            length = int.from_bytes(data[at : at + size])
            at += size
        elif length > 0x7F:
            raise _malformed()
        if at + length > end:
            raise _malformed()
        yield tag, data[at : at + length]
        at += length


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise _malformed()
    return data[at]


def _malformed() -> DecodeError:
    return DecodeError(
        "选择应用的应答格式错误", "what the card answers to SELECT is malformed", where="SELECT A000000632010105"
    )
