"""Personal values at rest: sealed, and found again by keyed hashes.

Each ledger has a data key of 64 random bytes that stands in it sealed under the key ``LEDGER`` of the key interface
(`juying.crypto.keys`), so the file alone, or a copy of it, tells nobody's name. Half of it seals values with
AES-256-GCM, half makes the hashes (HMAC-SHA-256, 16 bytes) by which equal values find each other.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from juying.crypto.block import Cipher
from juying.crypto.keys import CardKey, Keys
from juying.errors import DecodeError, KeyUseError

KEY_NAME = "LEDGER"
"""Name of the key in a key store, of a kind for cards (sm4 or 3des) and of the office's city."""

_LENGTH = 64
_NONCE = 12
_INDEX = 16
_FACTOR = b"juying 1"


def ledger_key(region: str, cipher: Cipher) -> CardKey:
    """The key under which the data key of a ledger stands.

    It is derived as if the ledger were a card, because a token gives its keys away in no other way.
    """
    return CardKey(name=KEY_NAME, cipher=cipher, city=region, city_factor=b"", card_factor=_FACTOR)


def ledger_cipher(keys: Keys, region: str) -> Cipher:
    """The cipher of the ledger key that ``keys`` have for ``region``. Raises `KeyUseError` when they have none."""
    for cipher in (Cipher.SM4, Cipher.TDES):
        if keys.has(ledger_key(region, cipher)):
            return cipher
    raise KeyUseError(
        f"{keys.title.zh}中没有城市 {region} 的台账密钥，未作任何改动；请先造一个："
        f"juying keys generate {KEY_NAME} --kind sm4 --city {region}",
        f"{keys.title.en}: there is no ledger key for city {region}, nothing was changed; make one first: "
        f"juying keys generate {KEY_NAME} --kind sm4 --city {region}",
    )


class Vault:
    """Seals and finds personal values with the data key of one ledger. Threads may share it."""

    def __init__(self, data_key: bytes) -> None:
        """Take the data key, 64 bytes."""
        self._seal = AESGCM(data_key[:32])
        self._index = data_key[32:]

    def __repr__(self) -> str:
        """No key."""
        return "Vault()"

    @classmethod
    def make(cls, keys: Keys, region: str, name: str) -> tuple[Self, Cipher, bytes]:
        """A vault with a fresh data key, the cipher of the key over it, and the sealed data key.

        ``name`` is that of the ledger. Raises `KeyUseError` when ``keys`` have no ledger key for ``region``.
        """
        data_key = secrets.token_bytes(_LENGTH)
        cipher = ledger_cipher(keys, region)
        return cls(data_key), cipher, keys.seal(ledger_key(region, cipher), data_key, _context(name))

    @classmethod
    def open(cls, keys: Keys, region: str, name: str, cipher: Cipher, wrapped: bytes) -> Self:
        """The vault whose data key is sealed in ``wrapped``, under the current or the previous version of the key.

        Raises `KeyUseError` when ``keys`` do not open it.
        """
        return cls(_data_key(keys, region, name, cipher, wrapped))

    def seal(self, value: Mapping[str, Any] | bytes, context: str) -> bytes:
        """Seal a record or bytes; ``context`` is its place (``persons/17``), which a copy elsewhere does not have."""
        plain = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
        nonce = os.urandom(_NONCE)
        return nonce + self._seal.encrypt(nonce, plain, context.encode())

    def open_bytes(self, sealed: bytes, context: str) -> bytes:
        """What was sealed. Raises `DecodeError` when it was changed or comes from another place."""
        try:
            return self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())
        except (InvalidTag, ValueError):
            raise DecodeError(
                "台账中的密封内容被改动，请恢复备份",
                "something sealed in the ledger was changed: restore a back-up",
                where=context,
            ) from None

    def open_record(self, sealed: bytes, context: str) -> dict[str, Any]:
        """The record that was sealed. Raises `DecodeError`."""
        record: dict[str, Any] = json.loads(self.open_bytes(sealed, context))
        return record

    def key(self, kind: str, *values: str) -> bytes:
        """The hash (16 bytes) by which equal values of one ``kind`` find each other."""
        text = "\x00".join((kind, *values)).encode()
        return hmac.digest(self._index, text, hashlib.sha256)[:_INDEX]


def rewrap(keys: Keys, region: str, name: str, cipher: Cipher, wrapped: bytes) -> bytes:
    """The data key sealed under the current version of the ledger key. Raises `KeyUseError` as `Vault.open` does."""
    return keys.seal(ledger_key(region, cipher), _data_key(keys, region, name, cipher, wrapped), _context(name))


def under_current_key(keys: Keys, region: str, name: str, cipher: Cipher, wrapped: bytes) -> bool:
    """Whether the current version of the ledger key opens ``wrapped``."""
    try:
        keys.unseal(ledger_key(region, cipher), wrapped, _context(name))
    except DecodeError:
        return False
    return True


def _data_key(keys: Keys, region: str, name: str, cipher: Cipher, wrapped: bytes) -> bytes:
    key = ledger_key(region, cipher)
    for version in (key, replace(key, previous=True)):  # stations go on working between a rotation and `rewrap`
        with suppress(DecodeError):
            return keys.unseal(version, wrapped, _context(name))
    raise KeyUseError(
        f"{keys.title.zh}打不开此台账：台账密钥 {KEY_NAME} 不是建台账时的那一个；"
        "请用 --keys 或 JUYING_KEYS 指明原来的密钥",
        f"this ledger does not open with {keys.title.en}: the key {KEY_NAME} is not the one it was made with; name "
        "those keys with --keys or JUYING_KEYS",
    )


def _context(name: str) -> bytes:
    return f"juying ledger {name}".encode()
