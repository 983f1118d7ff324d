"""The other end of the HSM steps: what a back end answers. For tests, and for offices without an HSM of their own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from juying.card.administration import UNBLOCK_PIN, WRITE_KEY
from juying.card.apdu import Command
from juying.card.card_keys import card_key
from juying.card.debit import session_mac
from juying.card.secure_messaging import protect
from juying.codec.profile import load_profile, profile_names
from juying.codec.security import KeyKind
from juying.crypto.block import Cipher
from juying.crypto.keys import CardKey, Keys
from juying.errors import DecodeError, InputError
from juying.terminal.basic import HIDDEN
from juying.text import Text

_CIPHERS = {f"{cipher.code:02X}": cipher for cipher in Cipher}
_CITY = re.compile("[0-9]{6}", re.ASCII)
_HEX = re.compile("(?:[0-9A-Fa-f]{2})*")
_COMMANDS = {"84D4": (WRITE_KEY, KeyKind.PIN_RELOAD), "8424": (UNBLOCK_PIN, KeyKind.PIN_UNBLOCK)}
_PIN_ID = 0x01
_BASIC_FIELDS = 11
_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True)
class CardReference:
    """From which card a text comes, as far as its keys depend on it: the city, and the historical bytes of its ATR."""

    city: str
    historical: bytes

    @classmethod
    def of_basic(cls, text: str) -> Self:
        """From the eleven fields of iReadCardBas. Raises `DecodeError`."""
        parts = _parts(text)
        if len(parts) != _BASIC_FIELDS:
            raise _malformed()
        return cls(_city(parts[0]), _bytes(parts[5]))


def answer_step(keys: Keys, text: str, card: CardReference | None = None) -> str:
    """pKey for what a step answered.

    Only the first step of iReadCardBas says which card it is about; for all others a back end has to know it
    (``card``), in the field from iReadCardBas before. Raises `DecodeError` for a text that no step gives, `InputError`
    without a card, and what ``keys`` raise.
    """
    parts = _parts(text)
    if len(parts) in (8, 9) and _CITY.fullmatch(parts[0]):
        return _basic(keys, parts)
    if card is None:
        raise InputError("不知道是哪张卡", "it is not said which card the text comes from")
    if len(parts) in (4, 5) and parts[3] in _COMMANDS:
        return _command(keys, parts, card)
    if len(parts) == 4:
        return _external(keys, _by_address(parts, card, KeyKind.EXTERNAL), parts[2], parts[3])
    if len(parts) == 8:
        return _debit(keys, parts, card)
    raise _malformed()


def _basic(keys: Keys, parts: list[str]) -> str:
    card, cipher = CardReference(parts[0], _bytes(parts[1])), _cipher(parts[2])
    factor, original = _bytes(parts[4]), _bytes(parts[5])
    proof = keys.internal_answer(_by_kind(cipher, card, KeyKind.INTERNAL), factor + original)
    proof += original[: 16 - len(proof)]  # 3DES: 32 digits all the same (inferred)
    opening = _external(keys, _read_key(cipher, card), parts[6], parts[7]) if parts[6] else "|"
    return f"{_hex(proof)}|{opening}"


def _external(keys: Keys, key: CardKey, factor: str, original: str) -> str:
    return f"{_hex(keys.external_answer(key, _bytes(factor), _bytes(original)))}|"


def _command(keys: Keys, parts: list[str], card: CardReference) -> str:
    instruction, kind = _COMMANDS[parts[3]]
    key = _by_address(parts, card, kind)
    pin = _bytes(parts[4]) if kind is KeyKind.PIN_RELOAD and len(parts) == 5 else b""
    command = protect(
        Command(0x84, instruction, 0x00, _PIN_ID, pin), keys, key, _bytes(parts[2]), encipher=instruction == WRITE_KEY
    )
    return f"{_hex(command.encode())}|"


def _debit(keys: Keys, parts: list[str], card: CardReference) -> str:
    key = _by_address(parts, card, KeyKind.PURCHASE)
    factor = _bytes(parts[2] + parts[3] * 2)
    mac = session_mac(keys, key, factor, bytes(4) + b"".join(map(_bytes, parts[4:])))
    return f"0000{parts[3]}|{parts[7]}|{_hex(mac)}|"


def _declared(cipher: Cipher, card: CardReference) -> Iterator[tuple[CardKey, KeyKind]]:
    """Every key of cards with this cipher, with what it is for; generations with the same cipher call them the same."""
    for profile in map(load_profile, profile_names()):
        if profile.security.cipher != cipher or not any(map(profile.by_field, HIDDEN)):
            continue
        for application in profile.applications:
            for key in application.keys:
                yield (
                    card_key(profile, application.name, key.name, historical=card.historical, city=card.city),
                    key.kind,
                )


def _by_kind(cipher: Cipher, card: CardReference, kind: KeyKind) -> CardKey:
    return next(key for key, declared in _declared(cipher, card) if declared is kind)


def _read_key(cipher: Cipher, card: CardReference) -> CardKey:
    return next(key for key, _ in _declared(cipher, card) if key.name == "SSSE/RKSSSE")


def _by_address(parts: list[str], card: CardReference, kind: KeyKind) -> CardKey:
    address = _bytes(parts[1])
    for key, declared in _declared(_cipher(parts[0]), card):
        if declared is kind and key.hsm_address == address[:2] and address[2:] == bytes((key.psam_id or 0,)):
            return key
    raise InputError("密钥地址未知", "no key has this address")


def _parts(text: str) -> list[str]:
    if len(text) > _MAX_TEXT:
        raise _malformed()
    return text.removesuffix("|").split("|")


def _cipher(code: str) -> Cipher:
    cipher = _CIPHERS.get(code)
    if cipher is None:
        raise _malformed()
    return cipher


def _city(text: str) -> str:
    if not _CITY.fullmatch(text):
        raise _malformed()
    return text


def _bytes(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise _malformed()
    return bytes.fromhex(text)


def _hex(data: bytes) -> str:
    return data.hex().upper()


def _malformed() -> DecodeError:
    return DecodeError(*Text("不是加密机步骤的字符串", "not a text of an HSM step"))
