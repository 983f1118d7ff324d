"""How a site writes its messages: character set, end of message, checksum, and how strictly answers are taken.

The checksum of the book is over the bytes as sent, from the first one through the letters ``AZ``: the two's complement
of their sum in 16 bits, as four upper-case hexadecimal digits. dp2 adds UTF-16 code units instead, of the message
without its closing ``|AY4AZ`` (observed in its source and logs).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from zlib import adler32

from juying.errors import InputError


class Checking(StrEnum):
    """How seriously a rule is taken."""

    STRICT = "strict"
    """What breaks the rule is not taken."""
    WARN = "warn"
    """What breaks the rule is taken, and noted."""
    OFF = "off"
    """Nobody looks."""


class Summing(StrEnum):
    """What the library system adds up for the checksum of its answers; ours are always those of the book."""

    BYTES = "bytes"
    DP2 = "dp2"


class Terminator(StrEnum):
    """The end of a message that we send; in answers every one is taken."""

    CR = "CR"
    CRLF = "CRLF"
    LF = "LF"


_ENDS = {Terminator.CR: b"\r", Terminator.CRLF: b"\r\n", Terminator.LF: b"\n"}
_ASCII = bytes(range(0x20, 0x7F))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The habits of one site.

    ``send_checksum``: strict and warn send a trailer with digit and checksum, off sends none; with warn a site that
    refuses it (96) gets a repeatable message once more without. ``receive_checksum``: strict refuses a missing or
    wrong one. ``sequence``: strict discards each answer whose digit is not that of the
    request, warn takes it if it says that it is about the reader and the item of the request. ``echo``: strict
    discards answers about another reader or item; warn does so when the digit does not vouch for the answer either.
    ``strict``: answers have to follow the book in every detail.

    Raises `InputError` for a character set that is unknown or does not contain ASCII.
    """

    charset: str = "utf-8"
    terminator: Terminator = Terminator.CR
    send_checksum: Checking = Checking.WARN
    receive_checksum: Checking = Checking.WARN
    checksum: Summing = Summing.BYTES
    sequence: Checking = Checking.WARN
    echo: Checking = Checking.WARN
    strict: bool = False
    end: bytes = field(init=False, repr=False)
    """The bytes of ``terminator``."""
    sums: bool = field(init=False, repr=False)
    """Whether our messages have a trailer."""
    by_bytes: bool = field(init=False, repr=False)
    """Whether the checksum of answers is that of the book."""

    def __post_init__(self) -> None:
        """Check the character set."""
        object.__setattr__(self, "end", _ENDS[self.terminator])
        object.__setattr__(self, "by_bytes", self.checksum is Summing.BYTES)
        object.__setattr__(self, "sums", self.send_checksum is not Checking.OFF)
        try:
            known = _ASCII.decode().encode(self.charset) == _ASCII
        except (LookupError, ValueError):
            known = False
        if not known:
            raise InputError(
                "字符集未知或不含 ASCII，常用的有 utf-8、gbk、gb18030、cp850",
                "the character set is unknown or does not contain ASCII; usual ones: utf-8, gbk, gb18030, cp850",
                where="charset",
            )


BOOK = Wire()
"""The book, read leniently."""


def checksum(data: bytes) -> bytes:
    """The four digits that follow ``data``, which ends in ``AZ``.

    >>> checksum(b"9900802.00AY1AZ")
    b'FCA0'
    """
    return b"%04X" % (-_byte_sum(data) & 0xFFFF)


def _byte_sum(data: bytes) -> int:
    """The sum of the bytes. For a short message it stands, plus one, in the lower half of Adler-32, which is C."""
    return (adler32(data) & 0xFFFF) - 1 if len(data) <= _SHORT else sum(data)


_SHORT = 65520 // 255  # bytes whose sum is below Adler's modulus


def fits(data: bytes, value: int, text: str, summing: Summing) -> bool:
    """Whether ``value`` is the checksum of ``data``, through ``AZ``; ``text`` is the same, decoded."""
    if summing is Summing.DP2:
        body = text[: text.rindex("AY")].removesuffix("|") if "AY" in text[-5:] else text[:-2].removesuffix("|")
        units = body.encode("utf-16-le", "surrogatepass")
        total = sum(units[::2]) + (sum(units[1::2]) << 8)
    else:
        total = _byte_sum(data)
    return (total + value) & 0xFFFF == 0
