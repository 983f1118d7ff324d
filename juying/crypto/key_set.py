"""Keys of an office in memory: which there are, in which version, and what may be done with them.

Key material is in `bytearray` objects, which `KeySet.close` overwrites. Python and the libraries below make copies that
nobody can reach, so this shortens the time that a key is in memory, and does not end it.
"""

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Self, TypeVar

from juying.errors import InputError, KeyUseError

if TYPE_CHECKING:
    from juying.crypto.pem import PrivateKey
    from juying.crypto.signing import SoftwareSigner

MAX_KEYS = 4096
LAST_VERSION = 0xFFFF
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_CITY = re.compile(r"(\d{6})?", re.ASCII)


class KeyKind(StrEnum):
    """What a key is for, by its algorithm."""

    TDES = "3des"
    """Of cards: two-key triple DES."""
    SM4 = "sm4"
    """Of cards."""
    TRANSPORT = "aes-256"
    """Enciphers other keys on their way from office to office (RFC 3394); it never travels itself."""
    ES256 = "ES256"
    ED25519 = "ED25519"
    SM2 = "SM2"

    @property
    def is_of_cards(self) -> bool:
        """True for keys that card keys are derived from; they belong to a city, or to all of them."""
        return self in (KeyKind.TDES, KeyKind.SM4)

    @property
    def signs(self) -> bool:
        """True for private keys that sign credentials."""
        return self in (KeyKind.ES256, KeyKind.ED25519, KeyKind.SM2)

    @property
    def length(self) -> int:
        """Bytes of key material: of a private key its secret number or seed."""
        return 16 if self.is_of_cards else 32

    @classmethod
    def named(cls, name: str, *, where: str = "") -> "KeyKind":
        """The kind called ``name``, upper or lower case; InputError names those that there are."""
        for kind in cls:
            if kind.value.lower() == name.lower():
                return kind
        known = ", ".join(cls)
        raise InputError(f"密钥种类只有 {known}", f"the kinds of keys are {known}", where=where)


class KeyState(StrEnum):
    """Whether a key is for new cards too."""

    CURRENT = "current"
    PREVIOUS = "previous"
    """Rotated out; kept for cards that still carry it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyInfo:
    """What is known of a key, wherever it is.

    ``name`` is application and key for keys of cards (``DF01/UK7``). ``city`` is six digits, or empty for a root key
    that the keys of all cities come from, and for kinds that have no city. ``check_value`` are three bytes (a block of
    zeros, enciphered) or, of signing keys, the kid; empty where nobody tells.
    """

    name: str
    kind: KeyKind
    city: str = ""
    version: int = 1
    state: KeyState = KeyState.CURRENT
    check_value: bytes

    @property
    def identity(self) -> tuple[str, KeyKind, str]:
        """What all versions of a key share."""
        return self.name, self.kind, self.city

    @property
    def title(self) -> str:
        """Name, kind and city, for messages."""
        return " ".join(filter(None, self.identity))


AKey = TypeVar("AKey", bound=KeyInfo)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredKey(KeyInfo):
    """A key with its material, which `repr` does not show.

    ``public_key`` is that of a signing key as `VerifyKey` takes it.
    """

    created: datetime
    public_key: bytes = b""
    material: bytearray = field(repr=False)

    def __post_init__(self) -> None:
        """InputError when name, city, version or length are not what they may be, or the key is weak."""
        if not _NAME.fullmatch(self.name):
            raise InputError(
                "密钥名称只能有字母、数字和 . _ / -，至多 64 个字符",
                "a key's name has letters, digits and . _ / - only, 64 characters at most",
            )
        if not _CITY.fullmatch(self.city) or (self.city and not self.kind.is_of_cards):
            raise InputError(
                "城市代码为六位数字；传输密钥和签名密钥没有城市",
                "a city is six digits; transport and signing keys have none",
                where=self.name,
            )
        if not 0 < self.version <= LAST_VERSION:
            raise InputError(f"版本为 1 至 {LAST_VERSION}", f"versions are 1 to {LAST_VERSION}", where=self.name)
        if len(self.material) != self.kind.length:
            raise InputError(
                f"{self.kind} 密钥须为 {self.kind.length} 字节",
                f"a key of kind {self.kind} has {self.kind.length} bytes",
                where=self.name,
            )
        halves = [bytes(byte | 1 for byte in half) for half in (self.material[:8], self.material[8:])]
        if not any(self.material) or (self.kind is KeyKind.TDES and halves[0] == halves[1]):
            raise InputError(
                "密钥过弱：全为零，或左右两半相同",
                "the key is weak: all zeros, or twice the same half",
                where=self.name,
            )

    @classmethod
    def symmetric(cls, name: str, kind: KeyKind, material: bytearray, *, city: str = "", version: int = 1) -> Self:
        """A key for cards or for transport; ``material`` becomes the key's own. Raises InputError."""
        if kind.signs:
            raise InputError("签名密钥由 PEM 文件导入", "signing keys come from PEM files", where=name)
        # a wrong length is refused by the class itself
        check = check_value(kind, material) if len(material) == kind.length else b""
        return cls(
            name=name, kind=kind, city=city, version=version, created=_now(), check_value=check, material=material
        )

    @classmethod
    def signing(cls, name: str, key: "PrivateKey", *, version: int = 1) -> Self:
        """A key that signs credentials. Raises InputError, and KeyUseError when the key is of no algorithm of ours."""
        from juying.crypto.signing import SoftwareSigner

        signer = SoftwareSigner(key)
        return cls(
            name=name,
            kind=KeyKind(signer.algorithm.name),
            version=version,
            created=_now(),
            check_value=signer.kid,
            public_key=signer.public_key,
            material=_secret(key),
        )

    @classmethod
    def generate(cls, name: str, kind: KeyKind, *, city: str = "", version: int = 1) -> Self:
        """A fresh random key. Raises InputError; KeyUseError for SM2 where it is not installed."""
        if kind.signs:
            return cls.signing(name, _new_private_key(kind), version=version)
        return cls.symmetric(name, kind, bytearray(secrets.token_bytes(kind.length)), city=city, version=version)

    def signer(self) -> "SoftwareSigner":
        """The key at work; KeyUseError when it signs nothing."""
        if not self.kind.signs:
            raise KeyUseError("该密钥不用于签名", "this key is not for signing", where=self.title)
        from juying.crypto.signing import SoftwareSigner

        return SoftwareSigner(_private_key(self))

    def wipe(self) -> None:
        """Overwrite the material."""
        wipe(self.material)


class KeySet:
    """The keys of a store. A context manager that wipes them at its end."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[StoredKey] = ()) -> None:
        """Take these keys; InputError as for `add`."""
        self._keys: list[StoredKey] = []
        for key in keys:
            self._insert(key)

    def __iter__(self) -> Iterator[StoredKey]:
        """In the order in which they came."""
        return iter(self._keys)

    def __len__(self) -> int:
        """How many, previous versions included."""
        return len(self._keys)

    def __repr__(self) -> str:
        """Says how many."""
        return f"KeySet({len(self)} keys)"

    def __enter__(self) -> Self:
        """The keys."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe them."""
        self.close()

    def close(self) -> None:
        """Overwrite all key material; the set is empty afterwards."""
        for key in self._keys:
            key.wipe()
        self._keys.clear()

    def of_card(self, name: str, kind: KeyKind, city: str, state: KeyState = KeyState.CURRENT) -> StoredKey | None:
        """The key of a city, else the root key (its ``city`` is empty) that it comes from."""
        found = {key.city: key for key in self._keys if (key.name, key.kind, key.state) == (name, kind, state)}
        return found.get(city) or found.get("")

    def find(
        self, name: str, *, kind: KeyKind | None = None, city: str | None = None, state: KeyState = KeyState.CURRENT
    ) -> StoredKey:
        """The only key with this name, and this kind and city when they are given; else KeyUseError."""
        return find(self._keys, name, kind=kind, city=city, state=state)

    def add(self, key: StoredKey, *, new_version: bool = False) -> StoredKey:
        """Add a key; the one that is now in the set, whose version may be a higher one.

        InputError when the same key is there. With ``new_version`` it then becomes the next version of that key, and
        the one before stays as previous; there is only one of these, and InputError while another is still there.
        """
        same = [held for held in self._keys if held.identity == key.identity]
        current = next((held for held in same if held.state is KeyState.CURRENT), None)
        if current is not None:
            if not new_version:
                raise InputError(
                    "密钥库中已有这个密钥；要更换请用新版本",
                    "the key is in the store; to replace it make a new version",
                    where=key.title,
                )
            if len(same) > 1:
                raise InputError(
                    "上一版密钥还在，请先用 --drop-previous 删除",
                    "the previous version is still there: drop it first, with --drop-previous",
                    where=key.title,
                )
            if secrets.compare_digest(current.material, key.material):
                raise InputError("新版本与现用密钥相同", "the new version is the same key", where=key.title)
            self._keys[self._keys.index(current)] = replace(current, state=KeyState.PREVIOUS)
            key = replace(key, version=current.version + 1)
        self._insert(key)
        return key

    def rotate(self, key: StoredKey) -> StoredKey:
        """Make a fresh random version of a key of this set. Raises InputError as `add` does."""
        return self.add(StoredKey.generate(key.name, key.kind, city=key.city), new_version=True)

    def drop_previous(self, key: StoredKey) -> bool:
        """Wipe and forget the version before ``key``; False when there is none."""
        old = [held for held in self._keys if held.identity == key.identity and held.state is KeyState.PREVIOUS]
        for held in old:
            self._keys.remove(held)
            held.wipe()
        return bool(old)

    def _insert(self, key: StoredKey) -> None:
        if len(self._keys) >= MAX_KEYS:
            raise InputError(f"密钥多于 {MAX_KEYS} 个", f"more than {MAX_KEYS} keys")
        if any((held.identity, held.state) == (key.identity, key.state) for held in self._keys):
            raise InputError("密钥重复", "a key is there twice", where=key.title)
        self._keys.append(key)


def find(
    keys: Iterable[AKey],
    name: str,
    *,
    kind: KeyKind | None = None,
    city: str | None = None,
    state: KeyState = KeyState.CURRENT,
) -> AKey:
    """The only one of ``keys`` with this name, and this kind and city when they are given; else KeyUseError."""
    found = [
        key
        for key in keys
        if key.name == name and key.state is state and kind in (None, key.kind) and city in (None, key.city)
    ]
    if len(found) == 1:
        return found[0]
    asked = " ".join(filter(None, (name, kind, city)))
    if found:
        raise KeyUseError(
            "有多个同名密钥，请指明种类和城市",
            "there are several keys of this name: say which kind and which city",
            where=asked,
        )
    raise KeyUseError("密钥库中没有这个密钥", "the key store has no such key", where=asked)


def check_value(kind: KeyKind, material: bytes | bytearray) -> bytes:
    """Three bytes that tell whether two people have the same key: the first of an enciphered block of zeros."""
    if kind is KeyKind.TRANSPORT:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES256(material), modes.ECB()).encryptor().update(bytes(16))[:3]  # noqa: S305
    from juying.crypto import block

    return block.check_value(block.Cipher(kind.value), material)


def wipe(buffer: bytearray) -> None:
    """Overwrite a buffer with zeros."""
    buffer[:] = bytes(len(buffer))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _new_private_key(kind: KeyKind) -> "PrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    from juying.crypto.sm2 import Sm2PrivateKey

    if kind is KeyKind.ES256:
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if kind is KeyKind.ED25519 else Sm2PrivateKey.generate()


def _secret(key: "PrivateKey") -> bytearray:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if isinstance(key, ec.EllipticCurvePrivateKey):
        return bytearray(key.private_numbers().private_value.to_bytes(32))
    return bytearray(key.private_bytes_raw() if isinstance(key, ed25519.Ed25519PrivateKey) else key.secret)


def _private_key(key: StoredKey) -> "PrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    from juying.crypto.sm2 import Sm2PrivateKey, decompress

    secret = bytes(key.material)
    if key.kind is KeyKind.ES256:
        return ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1())
    if key.kind is KeyKind.ED25519:
        return ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    return Sm2PrivateKey(secret, decompress(key.public_key))
