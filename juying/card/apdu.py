"""Commands to a card and its responses, as ISO 7816-3 and 7816-4 lay them out.

A command is one of four cases: nothing but the header (1), a response is expected (2), data is sent (3), or
both (4). The length fields have a short form (data up to 255 bytes, response up to 256) and an extended one
(65 535 and 65 536).
"""

from dataclasses import dataclass
from typing import Self

from juying.errors import DecodeError, InputError

SHORT_DATA = 255
SHORT_LE = 256
EXTENDED_DATA = 65535
EXTENDED_LE = 65536

SELECT = 0xA4
READ_BINARY = 0xB0
READ_RECORD = 0xB2
GET_RESPONSE = 0xC0
UPDATE_BINARY = 0xD6
UPDATE_RECORD = 0xDC
APPEND_RECORD = 0xE2


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """One command, checked when it is made: a ``Command`` that exists can be encoded.

    ``le`` is the largest number of response bytes that the caller takes: ``None`` for none at all, 256 for the
    short and 65536 for the extended maximum ("all there is"). Raises InputError for a value out of range.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    def __post_init__(self) -> None:
        """Check the ranges (one expression for the four header bytes: this runs for every command)."""
        if (self.cla | self.ins | self.p1 | self.p2) & ~0xFF:
            raise InputError(
                "命令头的每个值必须在 0 到 255 之间", "each value of a command header must be between 0 and 255"
            )
        if len(self.data) > EXTENDED_DATA:
            raise InputError(
                f"命令 {self.header} 的数据有 {len(self.data)} 字节，最多 65535 字节",
                f"command {self.header} carries {len(self.data)} bytes, the limit is 65535",
            )
        if self.le is not None and not 0 < self.le <= EXTENDED_LE:
            raise InputError(
                f"命令 {self.header} 的 Le 必须在 1 到 65536 之间（256 表示短格式的最大值）；不要响应数据时用 None",
                f"Le of command {self.header} must be between 1 and 65536 (256 is the short maximum); "
                "use None when no response data is wanted",
            )

    @property
    def header(self) -> str:
        """The four header bytes in hexadecimal; they hold nothing personal."""
        return f"{self.cla:02X}{self.ins:02X}{self.p1:02X}{self.p2:02X}"

    @property
    def case(self) -> int:
        """1 to 4, as ISO 7816-3 counts them."""
        return 1 + (self.le is not None) + 2 * bool(self.data)

    @property
    def short(self) -> bool:
        """Whether the short form can carry the command."""
        return len(self.data) <= SHORT_DATA and (self.le is None or self.le <= SHORT_LE)

    def encode(self, extended: bool = False) -> bytes:
        """The bytes on the line, in the short form or, with ``extended``, the extended one.

        Raises InputError when the short form cannot carry the command.
        """
        data, le = self.data, self.le
        if extended:
            return self._encode_extended()
        if len(data) > SHORT_DATA or (le is not None and le > SHORT_LE):
            raise InputError(
                f"命令 {self.header} 太长，短格式放不下：请用扩展长度或命令链",
                f"command {self.header} does not fit the short form: use extended length or command chaining",
            )
        if data:
            encoded = bytes((self.cla, self.ins, self.p1, self.p2, len(data))) + data
            return encoded if le is None else encoded + bytes((le & 0xFF,))
        if le is None:
            return bytes((self.cla, self.ins, self.p1, self.p2))
        return bytes((self.cla, self.ins, self.p1, self.p2, le & 0xFF))

    def _encode_extended(self) -> bytes:
        encoded = bytes((self.cla, self.ins, self.p1, self.p2))
        if self.data or self.le is not None:
            encoded += b"\0"
        if self.data:
            encoded += len(self.data).to_bytes(2) + self.data
        if self.le is not None:
            encoded += (self.le & 0xFFFF).to_bytes(2)
        return encoded

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a command in either form; raises DecodeError for every length that fits no case."""
        size = len(raw)
        if size < 4:
            raise _malformed(size)
        cla, ins, p1, p2 = raw[:4]
        if size == 4:
            return cls(cla, ins, p1, p2)
        if size == 5:
            return cls(cla, ins, p1, p2, b"", raw[4] or SHORT_LE)
        if raw[4]:
            start, le_size = 5, 1
            length = raw[4]
        elif size == 7:
            return cls(cla, ins, p1, p2, b"", int.from_bytes(raw[5:7]) or EXTENDED_LE)
        else:
            start, le_size = 7, 2
            length = int.from_bytes(raw[5:7])
        end = start + length
        if length and size == end:
            return cls(cla, ins, p1, p2, bytes(raw[start:end]))
        if length and size == end + le_size:
            return cls(cla, ins, p1, p2, bytes(raw[start:end]), int.from_bytes(raw[end:]) or 256**le_size)
        raise _malformed(size)

    def __repr__(self) -> str:
        """Header and lengths; the data may be personal and stays hidden."""
        return f"Command({self.header}, {len(self.data)} bytes, le={self.le})"


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """What a card answered: ``data`` and the status word ``sw`` (0x0000 to 0xFFFF)."""

    data: bytes
    sw: int

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Split an answer; raises DecodeError when it is too short to hold a status word."""
        if len(raw) < 2:
            raise DecodeError(
                f"卡片响应只有 {len(raw)} 字节，缺少状态字",
                f"the card's answer has {len(raw)} bytes, too few for a status word",
            )
        return cls(raw[:-2], raw[-2] << 8 | raw[-1])

    def encode(self) -> bytes:
        """Data and status word as a card sends them."""
        return self.data + self.sw.to_bytes(2)

    def __repr__(self) -> str:
        """Length and status word; the data may be personal and stays hidden."""
        return f"Response({len(self.data)} bytes, {self.sw:04X})"


def _malformed(size: int) -> DecodeError:
    return DecodeError(
        f"命令长度不符：{size} 字节不符合 ISO 7816-3 的任何一种情形",
        f"malformed command: {size} bytes fit none of the four cases of ISO 7816-3",
    )


def select_aid(aid: bytes, *, first: bool = True, fci: bool = True) -> Command:
    """SELECT an application by its name (1 to 16 bytes, or the beginning of it).

    ``first`` takes the first application of that name, otherwise the next one; with ``fci`` the card is asked
    for its file control information. Raises InputError for an impossible name.
    """
    if not 0 < len(aid) <= 16:
        raise InputError(
            f"应用标识符应为 1 到 16 字节，现有 {len(aid)} 字节",
            f"an application identifier has 1 to 16 bytes, not {len(aid)}",
        )
    p2 = (0x00 if first else 0x02) | (0x00 if fci else 0x0C)
    return Command(0x00, SELECT, 0x04, p2, aid, SHORT_LE if fci else None)


def select_fid(fid: int, *, p1: int = 0x00, fci: bool = True) -> Command:
    """SELECT a file by its identifier (0x0000 to 0xFFFF).

    ``p1`` 00 means any file, 01 a DF and 02 an EF below the current DF; social security cards answer to 00 and 02
    (observed). Without ``fci`` no answer is asked for (P2 0C), which old cards may not know.
    """
    if not 0 <= fid <= 0xFFFF:
        raise InputError("文件标识符应为 2 字节", "a file identifier has 2 bytes")
    return Command(0x00, SELECT, p1, 0x00 if fci else 0x0C, fid.to_bytes(2), SHORT_LE if fci else None)


def read_record(number: int, le: int = SHORT_LE, sfi: int = 0) -> Command:
    """READ RECORD by number (1 to 254) from the current file, or from the file with the short identifier."""
    return Command(0x00, READ_RECORD, _number(number), _sfi(sfi) << 3 | 0x04, b"", le)


def read_record_by_tag(tag: int, le: int = SHORT_LE, sfi: int = 0) -> Command:
    """READ RECORD, first record whose identifier is ``tag`` (1 to 254), P2 = 00 as social security cards want it."""
    return Command(0x00, READ_RECORD, _number(tag), _sfi(sfi) << 3, b"", le)


def update_record(number: int, tlv: bytes, sfi: int = 0) -> Command:
    """UPDATE RECORD by number (1 to 254); ``tlv`` is the whole record, tag and length included."""
    return Command(0x00, UPDATE_RECORD, _number(number), _sfi(sfi) << 3 | 0x04, tlv)


def append_record(record: bytes, sfi: int = 0) -> Command:
    """APPEND RECORD: in a cyclic file the new record becomes number 1."""
    return Command(0x00, APPEND_RECORD, 0x00, _sfi(sfi) << 3, record)


def read_binary(offset: int, le: int = SHORT_LE, sfi: int = 0) -> Command:
    """READ BINARY from ``offset`` (up to 32767; up to 255 when the file is named by ``sfi``)."""
    return Command(0x00, READ_BINARY, *_place(offset, sfi), b"", le)


def update_binary(offset: int, data: bytes, sfi: int = 0) -> Command:
    """UPDATE BINARY at ``offset`` (up to 32767; up to 255 when the file is named by ``sfi``)."""
    return Command(0x00, UPDATE_BINARY, *_place(offset, sfi), data)


def get_response(le: int = SHORT_LE, cla: int = 0x00) -> Command:
    """GET RESPONSE: fetch up to ``le`` (1 to 256) waiting bytes on the logical channel of ``cla``."""
    return Command(cla, GET_RESPONSE, 0x00, 0x00, b"", le)


def _number(number: int) -> int:
    if not 0 < number < 0xFF:
        raise InputError("记录号或标签应在 1 到 254 之间", "a record number or tag is between 1 and 254")
    return number


def _sfi(sfi: int) -> int:
    if not 0 <= sfi <= 30:
        raise InputError(
            "短文件标识符应在 1 到 30 之间（0 表示当前文件）",
            "a short file identifier is between 1 and 30 (0 is the current file)",
        )
    return sfi


def _place(offset: int, sfi: int) -> tuple[int, int]:
    """P1 and P2 of the binary commands."""
    limit = 0xFF if _sfi(sfi) else 0x7FFF
    if not 0 <= offset <= limit:
        raise InputError(f"文件偏移量应在 0 到 {limit} 之间", f"an offset is between 0 and {limit} here")
    return (0x80 | sfi, offset) if sfi else (offset >> 8, offset & 0xFF)
