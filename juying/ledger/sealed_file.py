"""A file of lines, compressed and enciphered, that is written and read from front to end in little memory.

::

    header        one line, in clear
    part 0, 1, …  length (4 bytes, big-endian) || AES-256-GCM of up to 64 KiB of the compressed lines

The nonce of a part is its number (11 bytes) and then 1 for the last part, 0 for all others; the header is authenticated
with each of them. So nothing can be changed, moved, left out or cut off. A key must be used for one file only.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from juying.errors import DecodeError

_PART = 1 << 16
_LONGEST_HEADER = 4096
_LENGTH, _TAG = 4, 16
_FAST = 1  # most of it is random already, and only its form gets smaller


class Writer:
    """Writes the lines behind a header; `finish` has to be called."""

    def __init__(self, file: BinaryIO, header: bytes, key: bytes) -> None:
        """Begin the file with ``header`` (without a line end); ``key`` has 32 bytes."""
        self._file = file
        self._header = header
        self._cipher = AESGCM(key)
        self._compress = zlib.compressobj(_FAST)
        self._waiting = bytearray()
        self._number = 0
        file.write(header + b"\n")

    def write(self, lines: bytes) -> None:
        """Add lines."""
        self._waiting += self._compress.compress(lines)
        while len(self._waiting) > _PART:  # what is the last part shows in the end
            self._part(last=False)

    def finish(self) -> None:
        """Write what remains."""
        self._waiting += self._compress.flush()
        while len(self._waiting) > _PART:
            self._part(last=False)
        self._part(last=True)

    def _part(self, *, last: bool) -> None:
        plain = bytes(self._waiting[:_PART])
        del self._waiting[:_PART]
        sealed = self._cipher.encrypt(_nonce(self._number, last), plain, self._header)
        self._file.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)
        self._number += 1


def read_header(file: BinaryIO) -> bytes:
    """The header of a file, without the line end; empty when there is none."""
    line = file.readline(_LONGEST_HEADER)
    return line[:-1] if line.endswith(b"\n") else b""


def read_lines(file: BinaryIO, header: bytes, key: bytes, where: str = "") -> Iterator[bytes]:
    """The lines behind the header, each with its line end; ``where`` names the file in errors.

    Raises `DecodeError` as soon as something is not as it was written, at the latest before the last line.
    """
    expand = zlib.decompressobj()
    rest = b""
    for plain in _parts(file, header, key, where):
        *lines, rest = (rest + expand.decompress(plain)).split(b"\n")
        for line in lines:
            yield line + b"\n"


def _parts(file: BinaryIO, header: bytes, key: bytes, where: str) -> Iterator[bytes]:
    cipher = AESGCM(key)
    number, length = 0, file.read(_LENGTH)
    while True:
        size = int.from_bytes(length, "big")
        sealed = file.read(size) if len(length) == _LENGTH and _TAG <= size <= _PART + _TAG else b""
        length = file.read(_LENGTH)
        last = not length
        try:
            plain = cipher.decrypt(_nonce(number, last), sealed, header)
        except (InvalidTag, ValueError):
            raise _damaged(where) from None
        if len(sealed) != size:
            raise _damaged(where)
        yield plain
        if last:
            return
        number += 1


def _damaged(where: str) -> DecodeError:
    return DecodeError(
        "文件不完整或被改动，请用另一份", "the file is incomplete or was changed: take another copy", where=where
    )


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))
