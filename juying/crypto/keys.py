"""Keys behind an interface that authenticates, computes MACs, wraps and seals, but never returns a key.

A `CardKey` says which key is meant; a `Keys` is what holds it: a store in software, a PKCS#11 token, a PSAM. It
holds the keys of cities, and makes a card's own key by diversification when it is used.
"""

import hashlib
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from juying.crypto import authentication, block, key_load, seal
from juying.crypto.block import BlockKey, Cipher
from juying.crypto.diversify import diversify
from juying.crypto.mac import MacKey
from juying.errors import KeyUseError
from juying.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CardKey:
    """One key of one card: whose it is and how it is made, not the key.

    ``name`` is application and key of the profile, ``DF01/UK7``. ``city`` are the 6 digits of the city that issued
    the card; the factors (8 bytes, or none) diversify, in this order, down to the city and down to the card.
    ``psam_usage`` and ``psam_id`` find the key in a PSAM, ``hsm_address`` in an HSM, where the profile knows them.
    ``previous`` means the version from before a rotation, where the store has one: the main key under which new keys
    go onto a card is still the old one.
    """

    name: str
    cipher: Cipher
    city: str
    city_factor: bytes
    card_factor: bytes
    psam_usage: int | None = None
    psam_id: int | None = None
    hsm_address: bytes | None = None
    previous: bool = False


class Keys(Protocol):
    """Something that holds keys and uses them on request.

    Every method but `has` raises `KeyUseError` when the key is not there or when this cannot be done with it, and
    `InputError` for data of a wrong length. A PSAM or a token may also raise what its connection raises.
    """

    @property
    def title(self) -> Text:
        """What holds the keys, for people."""

    def has(self, key: CardKey) -> bool:
        """Whether the key is there."""

    def external_answer(self, key: CardKey, challenge: bytes, original: bytes) -> bytes:
        """Data of EXTERNAL AUTHENTICATE, 16 bytes; see `juying.crypto.authentication.external_answer`."""

    def internal_answer(self, key: CardKey, data: bytes) -> bytes:
        """What a genuine card answers to INTERNAL AUTHENTICATE with ``data`` (16 bytes); compare in constant time."""

    def mac(self, key: CardKey, initial: bytes, data: bytes) -> bytes:
        """The MAC of secure messaging, 4 bytes; see `juying.crypto.mac.mac4`."""

    def encipher(self, key: CardKey, data: bytes) -> bytes:
        """``data``, whole blocks that are padded already, enciphered block by block."""

    def wrap(self, under: CardKey, header: bytes, key: CardKey) -> bytes:
        """A card key enciphered under another of the same card; see `juying.crypto.key_load`."""

    def check_value(self, key: CardKey) -> bytes:
        """3 bytes by which people compare the city's key (not the card's)."""

    def seal(self, key: CardKey, plain: bytes, context: bytes) -> bytes:
        """``plain`` sealed under the card's key together with ``context``; see `juying.crypto.seal`."""

    def unseal(self, key: CardKey, sealed: bytes, context: bytes) -> bytes:
        """What was sealed. Raises `DecodeError` when it was not, or not so: other key, bytes or context."""


class RawKeys(ABC):
    """A `Keys` over city keys that are in memory while they are used.

    A subclass finds the city key. Keys of the cards met last are kept ready for use, which makes secure messaging
    fast; `forget` wipes them and must be called when city keys change. May be used by several threads.
    """

    _KEPT = 16
    """Card keys kept ready: those of a card or two."""

    def __init__(self) -> None:
        """Start with nothing kept."""
        self._ready: dict[CardKey, _ReadyKey] = {}
        self._lock = threading.Lock()

    @property
    @abstractmethod
    def title(self) -> Text:
        """What holds the keys, for people."""

    @abstractmethod
    def _city_key(self, key: CardKey) -> bytearray | None:
        """A copy of the city's key (16 bytes), which the caller wipes; None when there is none."""

    def has(self, key: CardKey) -> bool:
        """Whether the key is there."""
        city_key = self._city_key(key)
        _wipe(city_key)
        return city_key is not None

    def external_answer(self, key: CardKey, challenge: bytes, original: bytes) -> bytes:
        """See `Keys.external_answer`."""
        return authentication.external_answer_with(self._use(key).block, challenge, original)

    def internal_answer(self, key: CardKey, data: bytes) -> bytes:
        """See `Keys.internal_answer`."""
        return authentication.internal_answer_with(self._use(key).block, data)

    def mac(self, key: CardKey, initial: bytes, data: bytes) -> bytes:
        """See `Keys.mac`."""
        return self._use(key).mac.mac4(data, initial)

    def encipher(self, key: CardKey, data: bytes) -> bytes:
        """See `Keys.encipher`."""
        return self._use(key).block.encrypt(data)

    def wrap(self, under: CardKey, header: bytes, key: CardKey) -> bytes:
        """See `Keys.wrap`."""
        wrapping = self._use(under).block
        secret = self._derive(key)
        try:
            return key_load.key_block_with(wrapping, header, secret)
        finally:
            _wipe(secret)

    def check_value(self, key: CardKey) -> bytes:
        """See `Keys.check_value`."""
        city_key = self._require(key)
        try:
            return block.check_value(key.cipher, city_key)
        finally:
            _wipe(city_key)

    def seal(self, key: CardKey, plain: bytes, context: bytes) -> bytes:
        """See `Keys.seal`."""
        return seal.seal(key.cipher, self._use(key).block.encrypt(seal.SEED), plain, context)

    def unseal(self, key: CardKey, sealed: bytes, context: bytes) -> bytes:
        """See `Keys.unseal`."""
        return seal.unseal(key.cipher, self._use(key).block.encrypt(seal.SEED), sealed, context)

    def forget(self) -> None:
        """Wipe the card keys that are kept ready."""
        with self._lock:
            for ready in self._ready.values():
                ready.wipe()
            self._ready.clear()

    def _use(self, key: CardKey) -> "_ReadyKey":
        """The card's key, ready for use."""
        ready = self._ready.get(key)
        if ready is not None:
            return ready
        secret = self._derive(key)
        try:
            ready = _ReadyKey(key.cipher, secret)
        finally:
            _wipe(secret)
        with self._lock:
            if len(self._ready) >= self._KEPT:  # the oldest is not wiped, another thread may be using it
                del self._ready[next(iter(self._ready))]
            self._ready[key] = ready
        return ready

    def _derive(self, key: CardKey) -> bytearray:
        """The card's key itself; the caller wipes it."""
        city_key = self._require(key)
        try:
            return bytearray(diversify(key.cipher, city_key, key.card_factor))
        finally:
            _wipe(city_key)

    def _require(self, key: CardKey) -> bytearray:
        city_key = self._city_key(key)
        if city_key is None:
            raise no_key(self.title, key)
        return city_key


class DemonstrationKeys(RawKeys):
    """A `Keys` that has every key of every city, and no secret: for virtual cards and for trying things out.

    Anybody can compute these keys; they open virtual cards only, and protect nothing.
    """

    @property
    def title(self) -> Text:
        """What holds the keys, for people."""
        return Text("公开的演示密钥", "the public demonstration keys")

    def _city_key(self, key: CardKey) -> bytearray | None:
        """The first 16 bytes of SHA-256 over a sentence."""
        sentence = f"juying demonstration key {key.name} {key.cipher.value} {key.city}"
        return bytearray(hashlib.sha256(sentence.encode()).digest()[:16])

    def city_key(self, key: CardKey) -> bytes:
        """The city's key, 16 bytes: what a PSAM is loaded with. The only kind of key that may be shown."""
        return bytes(self._require(key))

    def card_key(self, key: CardKey) -> bytes:
        """The card's key, 16 bytes: what a virtual card leaves the factory with."""
        return bytes(self._derive(key))


class _ReadyKey:
    """A card's key in the two forms that are needed."""

    __slots__ = ("block", "mac")

    def __init__(self, cipher: Cipher, key: bytearray) -> None:
        self.block = BlockKey(cipher, key)
        self.mac = MacKey(cipher, key)

    def wipe(self) -> None:
        self.block.wipe()
        self.mac.wipe()


def no_key(title: Text, key: CardKey) -> KeyUseError:
    """The error of a `Keys` called ``title`` that does not have ``key``."""
    return KeyUseError(
        f"{title.zh}中没有城市 {key.city} 的密钥 {key.name}（{key.cipher.value}）",
        f"{title.en}: there is no key {key.name} ({key.cipher.value}) for city {key.city}",
    )


def _wipe(key: bytearray | None) -> None:
    if key is not None:
        key[:] = bytes(len(key))
