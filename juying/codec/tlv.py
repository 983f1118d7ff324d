"""The simple TLV of the social security card: one tag byte, one length byte, the value.

Source: observed in every public reader of the card (READ RECORD returns one such object per record; list
records nest further objects of the same shape). Tags 00 and FF are padding in ISO 7816-4 and never occur.
"""

from collections.abc import Iterable

from juying.errors import DecodeError

MAX_OBJECTS = 256
"""More objects than this in one value is refused; the largest real record holds 8 (our choice)."""


def parse(data: bytes) -> list[tuple[int, bytes]]:
    """Split ``data`` into ``(tag, value)`` pairs; the objects must fill it exactly.

    Raises `DecodeError` for every malformed input: padding tags, a value that runs over the end, a missing
    length byte, or more than `MAX_OBJECTS` objects.
    """
    objects = []
    position, end = 0, len(data)
    while position < end:
        if position + 2 > end:
            raise _malformed(position, "缺少长度字节", "the length byte is missing")
        tag = data[position]
        start = position + 2
        position = start + data[position + 1]
        if tag in (0x00, 0xFF):
            raise _malformed(start - 2, "标签 00 和 FF 无效", "tags 00 and FF are not valid")
        if position > end:
            raise _malformed(start - 2, "值超出数据末尾", "the value runs past the end of the data")
        objects.append((tag, data[start:position]))
        if len(objects) > MAX_OBJECTS:
            raise _malformed(position, f"多于 {MAX_OBJECTS} 个数据对象", f"more than {MAX_OBJECTS} data objects")
    return objects


def build(objects: Iterable[tuple[int, bytes]]) -> bytes:
    """Join ``(tag, value)`` pairs; tags 01 to FE, values of at most 255 bytes, else `DecodeError`."""
    out = bytearray()
    for tag, value in objects:
        if not 0x01 <= tag <= 0xFE or len(value) > 0xFF:
            raise _malformed(len(out), "标签或长度超出范围", "tag or length out of range")
        out += bytes((tag, len(value))) + value
    return bytes(out)


def _malformed(offset: int, zh: str, en: str) -> DecodeError:
    return DecodeError(f"TLV 格式错误：{zh}", f"malformed TLV: {en}", where=f"TLV @{offset}")
