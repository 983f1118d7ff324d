"""The short way to the pixels of a PNG file: the same as Pillow's, or none."""

import struct
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from juying.codec.qr import Medium, png_qr
from juying.errors import DecodeError
from juying.scan.plain_png import SIGNATURE, read_plain_png
from tests.scan.frames import OURS

LIMIT = 10_000_000


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def file(
    rows: bytes,
    width: int = 4,
    height: int = 2,
    bits: int = 8,
    *others: bytes,
    colour: int = 0,
    interlaced: int = 0,
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))
    return SIGNATURE + head + b"".join(others) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def by_pillow(data: bytes) -> tuple[tuple[int, int], bytes]:
    with Image.open(BytesIO(data)) as picture:
        return (picture.height, picture.width), picture.convert("L").tobytes()


def by_us(data: bytes) -> tuple[object, bytes]:
    pixels = read_plain_png(data, max_pixels=LIMIT)
    return pixels.shape, pixels.tobytes()


@pytest.mark.parametrize("medium", Medium)
def test_our_own_pictures_are_read_as_pillow_reads_them(medium: Medium) -> None:
    data = png_qr(OURS, medium=medium)
    assert by_us(data) == by_pillow(data)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_every_depth_is_read_as_pillow_reads_it(bits: int) -> None:
    stride = (13 * bits + 7) // 8
    rows = b"".join(bytes([2 if row % 2 else 0]) + bytes(range(row, row + stride)) for row in range(40))
    data = file(rows, 13, 40, bits)
    assert by_us(data) == by_pillow(data)


def test_data_in_several_chunks_and_remarks_between_are_read() -> None:
    packed = zlib.compress(bytes(10))
    data = file(bytes(10)).replace(chunk(b"IDAT", packed), chunk(b"IDAT", packed[:3]) + chunk(b"IDAT", packed[3:]))
    assert data.count(b"IDAT") == 2
    assert by_us(data) == by_us(file(bytes(10), 4, 2, 8, chunk(b"tEXt", b"Title\0x"))) == ((2, 4), bytes(8))


NOT_PLAIN = {
    "in colour": file(bytes(26), colour=2),
    "of sixteen bits": file(bytes(18), 4, 2, 16),
    "interlaced": file(bytes(10), interlaced=1),
    "transparent": file(bytes(10), 4, 2, 8, chunk(b"tRNS", bytes(2))),
    "with a filter of other kind": file(b"\1" + bytes(9)),
    "too short": file(bytes(9)),
    "too long": file(bytes(11)),
    "without a width": file(bytes(2), 0, 2),
    "too large": file(b"", 100_000, 100_000),
    "with a bad check": file(bytes(10)).replace(b"IEND", b"IENX"),
    "cut": file(bytes(10))[:-9],
    "without data": SIGNATURE + chunk(b"IHDR", bytes(13)) + chunk(b"IEND"),
    "without a head": SIGNATURE + chunk(b"IEND"),
    "with two heads": SIGNATURE + 2 * chunk(b"IHDR", bytes(13)),
    "with a short head": SIGNATURE + chunk(b"IHDR", b"1") + chunk(b"IDAT") + chunk(b"IEND"),
    "with data that is none": SIGNATURE + file(bytes(10))[8:33] + chunk(b"IDAT", b"no zlib") + chunk(b"IEND"),
    "of nothing": SIGNATURE,
}


@pytest.mark.parametrize("what", NOT_PLAIN)
def test_other_files_are_left_to_others(what: str) -> None:
    with pytest.raises(DecodeError):
        read_plain_png(NOT_PLAIN[what], max_pixels=LIMIT)


def test_a_bomb_is_not_inflated() -> None:
    with pytest.raises(DecodeError):
        read_plain_png(file(bytes(20_000_000), 4, 2), max_pixels=LIMIT)


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 255))
@example(b"", 50, 0)
def test_nothing_else_is_ever_raised(tail: bytes, at: int, value: int) -> None:
    good = bytearray(file(bytes(10)))
    good[at % len(good)] = value
    for data in (bytes(good), SIGNATURE + tail, bytes(good[: at % len(good)]) + tail):
        with suppress(DecodeError):
            assert read_plain_png(data, max_pixels=LIMIT).nbytes > 0
