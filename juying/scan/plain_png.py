"""Plain grey PNG files, such as our own pictures are, read without Pillow: loading that takes longer than the rest."""

import struct
import zlib

from juying.errors import DecodeError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_GREY = 0
_NO_FILTER, _UP = 0, 2
_IGNORED = (b"pHYs", b"tEXt", b"tIME", b"gAMA")  # no effect on a grey picture of a code


def read_plain_png(data: bytes, *, max_pixels: int) -> memoryview:
    """The pixels of a grey PNG file (ISO/IEC 15948): rows by columns, a byte each.

    Raises DecodeError for anything but a sound file without transparency and interlacing that only uses the row
    filters "none" and "up"; another reader may still be able to read it.
    """
    chunks = _chunks(data)
    try:
        width, height, bits, colour, *others = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        packed = chunks[b"IDAT"]
    except (KeyError, struct.error):
        raise _not_plain() from None
    if colour != _GREY or bits not in (1, 2, 4, 8) or others != [0, 0, 0] or not 0 < width * height <= max_pixels:
        raise _not_plain()
    stride = 1 + (width * bits + 7) // 8
    rows = _inflated(packed, stride * height)
    unpackers = _unpackers(bits)
    same = bytes([_UP]) + bytes(stride - 1)
    pixels: list[bytes] = []
    above = same[1:]
    for start in range(0, len(rows), stride):
        filtered = rows[start : start + stride]
        if filtered != same or not pixels:
            above = _unfiltered(filtered[0], filtered[1:], above)
            pixels.append(_unpacked(above, unpackers)[:width])
        else:
            pixels.append(pixels[-1])
    return memoryview(b"".join(pixels)).cast("B", (height, width))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a file by their kind; several IDAT are one."""
    chunks: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while b"IEND" not in chunks:
        head = data[at : at + 8]
        if len(head) < 8:
            raise _not_plain()
        length, kind = struct.unpack(">I4s", head)
        body, check = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if check != struct.pack(">I", zlib.crc32(body, zlib.crc32(kind))):
            raise _not_plain()
        if kind == b"IDAT":
            body = chunks.get(kind, b"") + body
        elif kind in chunks or kind not in (b"IHDR", b"IEND", *_IGNORED):
            raise _not_plain()
        chunks[kind] = body
        at += 12 + length
    return chunks


def _inflated(packed: bytes, size: int) -> bytes:
    inflate = zlib.decompressobj()
    try:
        rows = inflate.decompress(packed, size)
        if len(rows) == size and not inflate.decompress(inflate.unconsumed_tail, 1) and inflate.eof:
            return rows
    except zlib.error:
        pass
    raise _not_plain()


def _unfiltered(how: int, row: bytes, above: bytes) -> bytes:
    if how == _NO_FILTER:
        return row
    if how != _UP:
        raise _not_plain()
    return bytes([(one + two) & 0xFF for one, two in zip(row, above, strict=True)])


def _unpackers(bits: int) -> list[bytes]:
    """Tables that give the grey of the first, second … pixel in a byte of a row."""
    most = (1 << bits) - 1
    shifts = range(8 - bits, -1, -bits)
    return [bytes([(byte >> shift & most) * 255 // most for byte in range(256)]) for shift in shifts]


def _unpacked(row: bytes, unpackers: list[bytes]) -> bytes:
    pixels = bytearray(len(row) * len(unpackers))
    for place, table in enumerate(unpackers):
        pixels[place :: len(unpackers)] = row.translate(table)
    return bytes(pixels)


def _not_plain() -> DecodeError:
    return DecodeError("不是简单的灰度 PNG 文件", "this is no plain grey PNG file")
