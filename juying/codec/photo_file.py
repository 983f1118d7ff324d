"""The photo file of the card: two length bytes, big-endian, then the JPEG, then whatever stood there before.

The standard's format is not public; the length prefix follows the resident health card (our choice).
"""

from juying.errors import DecodeError, InputError

PREFIX_LENGTH = 2


def pack_photo(picture: bytes, size: int) -> bytes:
    """The bytes to write into a photo file of ``size`` bytes. Raises `InputError` when the picture is too large."""
    if not 0 < len(picture) <= size - PREFIX_LENGTH:
        raise InputError(
            f"照片超过卡上空间（最多 {size - PREFIX_LENGTH} 字节）",
            f"the photo is larger than its place on the card ({size - PREFIX_LENGTH} bytes)",
        )
    return len(picture).to_bytes(PREFIX_LENGTH, "big") + picture


def photo_length(prefix: bytes, size: int) -> int:
    """Length of the picture in a photo file of ``size`` bytes that starts with ``prefix``; 0 if there is none.

    Raises `DecodeError` for a length that cannot be, and for a prefix cut short.
    """
    length = int.from_bytes(prefix[:PREFIX_LENGTH], "big")
    if length in (0, 0xFFFF) and len(prefix) >= PREFIX_LENGTH:
        return 0
    if length > size - PREFIX_LENGTH or len(prefix) < PREFIX_LENGTH:
        raise DecodeError("照片文件的长度值无效", "the length in the photo file cannot be")
    return length
