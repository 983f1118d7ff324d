"""Base45 (RFC 9285): bytes as text of the QR code's alphanumeric set, two bytes in three characters."""

from struct import pack, unpack

from juying.errors import DecodeError

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

_PAIR_TEXT = [low + high for high in ALPHABET for low in ALPHABET]
_PAIR_VALUE = {text: value for value, text in enumerate(_PAIR_TEXT)}
_THIRD_VALUE = {character: index * 2025 for index, character in enumerate(ALPHABET)}


def encode(data: bytes) -> str:
    """Encode any bytes; n bytes become 3n/2 characters, rounded up."""
    whole = len(data) // 2
    text = "".join(
        [_PAIR_TEXT[value % 2025] + ALPHABET[value // 2025] for value in unpack(f">{whole}H", data[: 2 * whole])]
    )
    return text + _PAIR_TEXT[data[-1]] if len(data) % 2 else text


def decode(text: str) -> bytes:
    """Decode; raises DecodeError on any character outside the set (lower case too), on a group that
    exceeds its bytes, and on a single character left over.
    """
    left = len(text) % 3
    end = len(text) - left
    try:
        values = [_PAIR_VALUE[text[at : at + 2]] + _THIRD_VALUE[text[at + 2]] for at in range(0, end, 3)]
        last = _PAIR_VALUE[text[end:]] if left else 0
    except KeyError:
        raise _malformed() from None
    if last > 0xFF or max(values, default=0) > 0xFFFF:
        raise _malformed()
    data = pack(f">{len(values)}H", *values)
    return data + bytes([last]) if left else data


def _malformed() -> DecodeError:
    return DecodeError("不是有效的 Base45 文本", "this is not Base45 text")
