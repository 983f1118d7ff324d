"""Masking of file control information, as SELECT returns it."""

from collections.abc import Callable

from juying.card.pseudonym import Pseudonyms

Mask = Callable[[bytes, int], bytes]
"""Masks data, given its offset in the whole data of the command (more than 0 behind a GET RESPONSE)."""

_TEMPLATES = {0x6F, 0x62, 0x64, 0xA5, 0xBF, 0x61}
"""By first byte; BF0C holds the list of applications, an entry of which is 61."""
_KEPT = {0x4F, 0x80, 0x81, 0x82, 0x83, 0x84, 0x87, 0x88, 0x8A}
"""Sizes, descriptor, file identifier, name, priority, short identifiers and life cycle: nothing personal."""


def mask_control(data: bytes, names: Pseudonyms, issuer_data: Mask) -> bytes:
    """File control information in BER-TLV; what is not understood is masked as a whole, 9F0C by ``issuer_data``."""
    masked = b""
    while rest := data[len(masked) :]:
        start, end = _ber_value(rest)
        if not 0 < start <= end <= len(rest):
            return masked + names.opaque(rest)
        value = rest[start:end]
        if rest[0] in _TEMPLATES:
            value = mask_control(value, names, issuer_data)
        elif rest[:2] == b"\x9f\x0c":
            value = issuer_data(value, 0)
        elif rest[0] not in _KEPT:
            value = names.guess(value)
        masked += rest[:start] + value
    return masked


def _ber_value(data: bytes) -> tuple[int, int]:
    """Where the value of the first BER-TLV object begins and ends; (0, 0) for a length of another form."""
    start = 2 if data[0] & 0x1F == 0x1F else 1
    length = data[start] if start < len(data) else 0xFF
    if length == 0x81 and start + 1 < len(data):
        start += 1
        length = data[start]
    elif length > 0x7F:
        return 0, 0
    return start + 1, start + 1 + length
