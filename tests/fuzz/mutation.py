"""Small damage to bytes and texts, drawn from a seeded source so that every run can be repeated."""

import random
from collections.abc import Sequence

from juying.codec import base45

PREFIX = "JY1:"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
# Bytes that mean something in CBOR: small numbers, lengths, tags, simple values, indefinite lengths.
_TELLING = bytes.fromhex("0001171819 1a1b203b405758595f6078 7f80879f a0a1bfc0d2d8f4f5f6f7f97ffffaff")


def mutate_bytes(data: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    """``data`` with one to three small changes; ``others`` lend pieces."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(changed) + 1)
        match dice.randrange(8):
            case 0 if at < len(changed):
                changed[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(changed):
                changed[at] = dice.randrange(256)
            case 2 if at < len(changed):
                changed[at] = dice.choice(_TELLING)
            case 3:
                changed[at:at] = dice.randbytes(dice.randint(1, 4))
            case 4:
                del changed[at : at + dice.randint(1, 8)]
            case 5:
                piece = dice.choice(others)
                start = dice.randrange(len(piece))
                changed[at : at + dice.randint(0, 16)] = piece[start : start + dice.randint(1, 40)]
            case 6:
                changed[at:at] = changed[at : at + dice.randint(1, 64)]
            case _:
                changed = changed[:at]
    return bytes(changed)


def mutate_text(text: str, dice: random.Random) -> str:
    """``text`` with one small change of its characters, mostly inside the alphabet of base45."""
    at = dice.randrange(len(text))
    match dice.randrange(5):
        case 0:
            return text[:at] + dice.choice(_ALPHABET) + text[at + 1 :]
        case 1:
            return text[:at] + text[at + 1 :]
        case 2:
            return text[:at] + dice.choice(_ALPHABET) + text[at:]
        case 3:
            return text[:at] + text[at:].lower()
        case _:
            return text[:at] + chr(dice.randrange(0x110000)) + text[at + 1 :]


def as_text(data: bytes) -> str:
    """The text of a code that holds ``data``."""
    return PREFIX + base45.encode(data)
