"""Stand-ins for personal values: another value of the same length and the same kind.

A pseudonym is computed from the value with HMAC under a random key of this object, so that the same value gets the
same pseudonym, and nobody without the key can test a guess. Digits stay digits, letters letters, BCD stays BCD, valid
dates stay valid dates, padding and blanks (00, FF, spaces at the end) stay. Which forms are kept is our choice.
"""

import datetime as dt
import hmac
import secrets
from collections.abc import Callable

from juying.codec.fields import FieldType
from juying.model.numbers import organisation_check_character

_SSC_RID = bytes.fromhex("D156000005")
"""Bytes 3 to 7 of a card identifier (卡识别码), see the notes in the profiles."""

_SPANS = ((1900, 1999), (2000, 2019), (2020, 2049))
"""A date is replaced by one of the same span, so that a birth stays in the past and an expiry near."""

_TRIES = 16


class Pseudonyms:
    """Pseudonyms of one trace; the key lives and dies with the object."""

    def __init__(self, key: bytes | None = None) -> None:
        """Take a key of 32 bytes, for tests, or draw one."""
        self._key = key or secrets.token_bytes(32)
        self._makers: dict[str, Callable[[bytes], bytes]] = {
            FieldType.TEXT: self.text,
            FieldType.DIGITS: self.digits,
            FieldType.DATE: self.time,
            FieldType.MONTH: self.time,
            FieldType.DATETIME: self.time,
            FieldType.AMOUNT: self.number,
            FieldType.UNSIGNED: self.number,
        }

    def __repr__(self) -> str:
        """Without the key."""
        return "Pseudonyms()"

    def of(self, kind: str, field: str, value: bytes) -> bytes:
        """The pseudonym of a field's bytes; ``kind`` is a FieldType, ``field`` the name in the model or empty."""
        special = self._special(field, value)
        return special if special is not None else self._makers.get(kind, self.opaque)(value)

    def _special(self, field: str, value: bytes) -> bytes | None:
        """Fields in which not every value of the right kind is allowed."""
        core = _core(value, b"\0 \xff")
        if field == "holder.sex" and core:
            return b"9".ljust(len(value), b"\0")  # GB/T 2261.1: unspecified
        if field == "holder.nationality" and core.isalpha():
            return b"UTO".ljust(len(value), b"\0")  # the specimen country of ICAO 9303
        if field in ("card.number", "employer.organisation_code") and len(core) == 9 and core.isalnum():
            body = self.text(core[:8].upper())
            return (body + organisation_check_character(body.decode("ascii")).encode("ascii")).ljust(len(value), b"\0")
        return None

    def guess(self, value: bytes) -> bytes:
        """The pseudonym of bytes of unknown kind, by what they look like: date, text, BCD digits or anything."""
        if len(value) in (3, 4, 7) and _moment(value) is not None:
            return self.time(value)
        try:
            text = value.rstrip(b"\0 ").decode("gb18030")
        except UnicodeDecodeError:
            text = "\0"
        if text.isprintable():
            return self.text(value)
        return self.digits(value) if value.hex().rstrip("f").isdigit() else self.opaque(value)

    def text(self, value: bytes) -> bytes:
        """Digits for digits, letters for letters; a byte of a Chinese character becomes a letter as well."""
        core = _core(value, b"\0 ", b"\xff")
        classes = _classes(core)

        def draw(stream: bytes) -> bytes:
            return bytes(
                kind[byte % len(kind)] if kind else plain
                for plain, kind, byte in zip(core, classes, stream, strict=True)
            )

        return self._draw(b"text", core, draw) + value[len(core) :]

    def digits(self, value: bytes) -> bytes:
        """BCD digits for BCD digits; trailing nibbles F stay."""
        core = "" if _blank(value) else value.hex().rstrip("f")

        def draw(stream: bytes) -> bytes:
            number = "".join(str(byte % 10) for byte in stream[: len(core)])
            return bytes.fromhex(number.ljust(2 * len(value), "f"))

        return self._draw(b"digits", value, draw, 2 * len(value)) if core else value

    def time(self, value: bytes) -> bytes:
        """A valid BCD date, month (3 bytes) or date and time (7 bytes) for a valid one; else as digits."""
        moment = _moment(value)
        if moment is None:
            return self.digits(value)
        first, last = next((span for span in _SPANS if span[0] <= moment.year <= span[1]), _SPANS[-1])

        def draw(stream: bytes) -> bytes:
            year = first + int.from_bytes(stream[:2]) % (last - first + 1)
            drawn = dt.datetime(year, 1, 1) + dt.timedelta(seconds=int.from_bytes(stream[2:8]) % (365 * 86400))
            return bytes.fromhex(f"{drawn:%Y%m%d%H%M%S}")[: len(value)]

        return self._draw(b"time", value, draw, 8)

    def number(self, value: bytes) -> bytes:
        """A big-endian number of about the same size: leading zero bytes stay."""
        if _blank(value):
            return value
        core = value.lstrip(b"\0")
        return value[: len(value) - len(core)] + self._draw(
            b"number", core, lambda stream: bytes((stream[0] % 254 + 1,)) + stream[1:]
        )

    def opaque(self, value: bytes) -> bytes:
        """Any bytes for any bytes; a run of 00 or FF at the end stays, and so does the shape of a card identifier."""
        if len(value) == 16 and value[3:8] == _SSC_RID:
            return value[:8] + self.opaque(value[8:12]) + self.opaque(value[12:])
        core = _core(value, b"\0", b"\xff")
        return self._draw(b"bytes", core, bytes) + value[len(core) :]

    def placed(self, place: str, offset: int, data: bytes) -> bytes:
        """Byte for byte, by the place in a file: the same whatever the pieces in which the file is read.

        A run of at least two bytes 00 or FF at the end stays.
        """
        core = _core(data, b"\0", b"\xff")
        if len(data) - len(core) == 1 and core:
            core = data
        label = place.encode("utf-8")
        masked = bytes(
            hmac.digest(self._key, b"%s|%d|%d" % (label, offset + index, byte), "sha256")[0]
            for index, byte in enumerate(core)
        )
        return masked + data[len(core) :]

    def _draw(self, label: bytes, value: bytes, draw: Callable[[bytes], bytes], size: int | None = None) -> bytes:
        """The first pseudonym that is neither the value itself nor blank; where there is no such one, the last."""
        length = len(value) if size is None else size
        drawn = value
        for attempt in range(_TRIES if value else 0):
            drawn = draw(self._stream(b"%s|%d|%s" % (label, attempt, value), length))
            if drawn != value and not _blank(drawn):
                break
        return drawn

    def _stream(self, message: bytes, length: int) -> bytes:
        blocks = (hmac.digest(self._key, b"%d|%s" % (index, message), "sha256") for index in range(-(-length // 32)))
        return b"".join(blocks)[:length]


def _blank(value: bytes) -> bool:
    return value.count(0) == len(value) or value.count(0xFF) == len(value)


def _core(value: bytes, *paddings: bytes) -> bytes:
    """The value without its padding: the longest run at the end of bytes of one of the paddings."""
    return min((value.rstrip(padding) for padding in paddings), key=len)


_DIGITS = b"0123456789"
_SMALL = b"abcdefghijklmnopqrstuvwxyz"
_CAPITALS = _SMALL.upper()


def _classes(text: bytes) -> list[bytes]:
    """For each byte of a GB18030 text the bytes that may replace it; empty for what stays (space, punctuation)."""
    classes: list[bytes] = []
    while len(classes) < len(text):
        rest = text[len(classes) :]
        first = rest[0]
        if first >= 0x80:
            # Two bytes, or four when the second is a digit; the second may look like ASCII.
            size = 4 if rest[1:2].isdigit() else 2
            classes += [_CAPITALS] * min(size, len(rest))
        elif rest[:1].isdigit():
            classes.append(_DIGITS)
        elif rest[:1].islower():
            classes.append(_SMALL)
        elif rest[:1].isupper() or not 0x20 <= first < 0x7F:
            classes.append(_CAPITALS)
        else:
            classes.append(b"")
    return classes


def _moment(value: bytes) -> dt.datetime | None:
    """The date and time in BCD bytes: YYYYMM, YYYYMMDD or YYYYMMDDhhmmss, from 1900 on."""
    digits = value.hex()
    full = {6: digits + "01T000000", 8: digits + "T000000", 14: f"{digits[:8]}T{digits[8:]}"}.get(len(digits), "")
    try:
        moment = dt.datetime.fromisoformat(full)
    except ValueError:
        return None
    return moment if moment.year >= _SPANS[0][0] else None
