"""Keys in a PKCS#11 token at work; `juying.crypto.token` says how they are named there.

City keys and signing keys never leave the token, nor do city keys that it makes from a root key. It makes a card's key
by enciphering the card's factor under the city's, and that one comes out: what cards compute with it (retail MAC,
session keys) no token can. It is wiped after the operation that needed it.

3DES only: PKCS#11 has no standard mechanism for SM4 (nor SM2).
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Concatenate, ParamSpec, TypeVar

from juying.crypto.block import Cipher
from juying.crypto.diversify import both
from juying.crypto.key_set import KeyKind, KeyState
from juying.crypto.keys import CardKey, RawKeys, no_key
from juying.crypto.signing import Algorithm, VerifyKey, key_id
from juying.crypto.token import Token, refusals
from juying.errors import KeyUseError
from juying.text import Text

P = ParamSpec("P")
R = TypeVar("R")


def _once(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate["Pkcs11Keys", P], R]:
    """A method that keeps no card key after it."""

    @functools.wraps(method)
    def run(self: "Pkcs11Keys", /, *arguments: P.args, **named: P.kwargs) -> R:
        with self.token.turn:
            try:
                return method(self, *arguments, **named)
            finally:
                self.forget()

    return run


class Pkcs11Keys(RawKeys):
    """A `Keys` over the 3DES keys of a token."""

    def __init__(self, token: Token, *, state: KeyState = KeyState.CURRENT) -> None:
        """Use an open token, which the caller closes. ``state`` says which versions come first."""
        super().__init__()
        self.token = token
        self._state = state

    @property
    def title(self) -> Text:
        """The token."""
        return Text(f"令牌 {self.token.label} ", f"the token {self.token.label}")

    def previous(self) -> "Pkcs11Keys":
        """The same keys for cards from before a rotation; see `SoftwareKeys.previous`."""
        return Pkcs11Keys(self.token, state=KeyState.PREVIOUS)

    def signer(self, name: str) -> "Pkcs11Signer":
        """The signing key with this label; KeyUseError when there is none."""
        return Pkcs11Signer(self.token, name)

    def has(self, key: CardKey) -> bool:
        """Whether the key is there."""
        if key.cipher is not Cipher.TDES:
            return False
        return any(self.token.card_key(key.name, city) is not None for city in (key.city, ""))

    def check_value(self, key: CardKey) -> bytes:
        """See `Keys.check_value`."""
        return self._encrypt(key, bytes(8))[:3]

    external_answer = _once(RawKeys.external_answer)
    internal_answer = _once(RawKeys.internal_answer)
    mac = _once(RawKeys.mac)
    encipher = _once(RawKeys.encipher)
    wrap = _once(RawKeys.wrap)
    seal = _once(RawKeys.seal)
    unseal = _once(RawKeys.unseal)

    def _city_key(self, key: CardKey) -> bytearray | None:
        """It stays in the token."""
        return None

    def _derive(self, key: CardKey) -> bytearray:
        if not key.card_factor:
            raise KeyUseError(
                "该规格不分散卡密钥，而令牌不交出密钥；请用密钥库文件",
                "the profile does not diversify card keys, and a token gives no key away: use a key file",
                where=key.name,
            )
        return bytearray(self._encrypt(key, both(key.card_factor)))

    def _encrypt(self, key: CardKey, data: bytes) -> bytes:
        """Whole blocks under the city's key, in the token."""
        from pkcs11 import Mechanism

        if key.cipher is not Cipher.TDES:
            raise KeyUseError(
                "PKCS#11 没有 SM4 的标准机制，令牌中的密钥只用于 3DES 卡",
                "PKCS#11 has no standard mechanism for SM4: keys in a token are for cards with 3DES",
                where=key.name,
            )
        with self.token.turn, refusals(self.token.label), self._in_token(key) as city_key:
            enciphered: bytes = city_key.encrypt(data, mechanism=Mechanism.DES3_ECB)
        return enciphered

    @contextmanager
    def _in_token(self, key: CardKey) -> Iterator[Any]:
        """The city's key, as an object of the token: its own, else one made from the root key for this once."""
        state = KeyState.PREVIOUS if key.previous else self._state
        own = self.token.card_key(key.name, key.city, state)
        root = None if own is not None else self.token.card_key(key.name, "", state)
        if own is None and root is None:
            raise no_key(self.title, key)
        if own is not None or not key.city_factor:
            yield own if own is not None else root
            return
        made = self.token.derive(root, both(key.city_factor))
        try:
            yield made
        finally:
            made.destroy()


class Pkcs11Signer:
    """A `Signer` with a key in a token: P-256 or Ed25519."""

    __slots__ = ("_private", "_token", "algorithm", "kid", "public_key")

    def __init__(self, token: Token, label: str) -> None:
        """Find the key; the caller keeps the token open. KeyUseError when it is not there or cannot be used."""
        kind, self._private, self.public_key = token.signing_key(label)
        self._token = token
        self.algorithm = Algorithm.ES256 if kind is KeyKind.ES256 else Algorithm.ED25519
        self.kid = key_id(VerifyKey(self.public_key, self.algorithm))

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes ``r || s``. KeyUseError when the token refuses."""
        from pkcs11 import Mechanism

        with self._token.turn, refusals(self._token.label):
            signature: bytes
            if self.algorithm is Algorithm.ES256:
                signature = self._private.sign(sha256(message).digest(), mechanism=Mechanism.ECDSA)
            else:
                signature = self._private.sign(message, mechanism=Mechanism.EDDSA)
        return signature

    def __repr__(self) -> str:
        """Names the key, never shows it."""
        return f"Pkcs11Signer(kid={self.kid.hex()})"
