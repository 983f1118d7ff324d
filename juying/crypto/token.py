"""A PKCS#11 token (an HSM, a USB token, SoftHSM) and the keys in it, by `python-pkcs11`.

How keys are named in the token (our choice): a city's key for cards has the label ``331000/DF01/UK7``, a root key
``root/DF01/UK7``, a signing key a label of its own. The identifier (CKA_ID) is the version, two bytes; the highest is
current, the one below it previous. What we put there is sensitive and cannot be taken out.
"""

import ctypes
import re
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from juying.crypto.key_set import KeyInfo, KeyKind, KeyState, StoredKey
from juying.errors import InputError, KeyUseError

if TYPE_CHECKING:
    from pkcs11 import ObjectClass, Session

_P256 = bytes.fromhex("06082a8648ce3d030107")
_ED25519 = bytes.fromhex("06032b6570")
_ED25519_NAME = bytes.fromhex("130c656477617264733235353139")  # as older tokens have it
_CARD_LABEL = re.compile(r"(\d{6}|root)/(.+)", re.ASCII)
_KINDS = (KeyKind.TDES, KeyKind.ES256, KeyKind.ED25519)


class _Found(NamedTuple):
    """A key object of the token, which python-pkcs11 gives the methods that it has in this token."""

    label: str
    kind: KeyKind
    version: int
    thing: Any


class Token:
    """An open token, the user logged in. A context manager. Threads take turns by ``turn``."""

    __slots__ = ("_session", "label", "turn")

    def __init__(self, session: "Session", label: str) -> None:
        """Made by `open`."""
        self._session = session
        self.label = label
        self.turn = threading.RLock()

    @classmethod
    def open(cls, label: str, pin: str, *, module: str | Path, writable: bool = False) -> Self:
        """Open the token with this label through the PKCS#11 library ``module``; ``writable`` to put keys into it.

        KeyUseError says what is wrong: python-pkcs11 is not installed, no such library, no such token, a wrong PIN.
        When the token is open in this process already, the PIN is not looked at again.
        """
        try:
            import pkcs11
        except ImportError:
            raise KeyUseError(
                "此处不支持 PKCS#11；请安装：pip install 'juying[hsm]'",
                "there is no PKCS#11 here; install it with: pip install 'juying[hsm]'",
            ) from None
        try:
            library = pkcs11.lib(str(module))
        except pkcs11.PKCS11Error:
            raise KeyUseError(
                "PKCS#11 程序库无法载入，请检查路径",
                "the PKCS#11 library cannot be loaded: check its path",
                where=str(module),
            ) from None
        with refusals(label):
            token = library.get_token(token_label=label)
            try:
                session = token.open(rw=writable, user_pin=pin)
            except pkcs11.UserAlreadyLoggedIn:
                session = token.open(rw=writable)
        return cls(session, label)

    def close(self) -> None:
        """Log out."""
        with refusals(self.label):
            self._session.close()

    def __enter__(self) -> Self:
        """The token."""
        return self

    def __exit__(self, *_: object) -> None:
        """Log out."""
        self.close()

    def __repr__(self) -> str:
        """The label."""
        return f"Token({self.label!r})"

    def __iter__(self) -> Iterator[KeyInfo]:
        """The keys in it that we can use, by label, the current version of each before those that it replaced."""
        from pkcs11 import ObjectClass

        rows = []
        with self.turn, refusals(self.label):
            before = None
            for found in (*self._find(ObjectClass.SECRET_KEY), *self._find(ObjectClass.PRIVATE_KEY)):
                city, name = _card_name(found.label) if found.kind.is_of_cards else ("", found.label)
                if not name:
                    continue
                same = before is not None and (before.label, before.kind) == (found.label, found.kind)
                rows.append(
                    KeyInfo(
                        name=name,
                        kind=found.kind,
                        city=city,
                        version=found.version,
                        state=KeyState.PREVIOUS if same else KeyState.CURRENT,
                        check_value=self._check_value(found),
                    )
                )
                before = found
        return iter(rows)

    def card_key(self, name: str, city: str, state: KeyState = KeyState.CURRENT) -> Any:
        """The 3DES key of a city (of root when ``city`` is empty), to encipher with; None when there is none.

        With ``state`` previous it is the version before, where there is one.
        """
        from pkcs11 import ObjectClass

        versions = self._find(ObjectClass.SECRET_KEY, _label(name, KeyKind.TDES, city))
        wanted = versions[1:] if state is KeyState.PREVIOUS and len(versions) > 1 else versions
        return wanted[0].thing if wanted else None

    def derive(self, key: Any, data: bytes) -> Any:
        """The key that is ``data`` (16 bytes) under the 3DES key ``key``: made in the token, for this session only."""
        from pkcs11 import DEFAULT, Attribute, KeyType, Mechanism, MechanismFlag

        # CK_KEY_DERIVATION_STRING_DATA, an address and a length: python-pkcs11 does not know it for 3DES
        buffer = ctypes.create_string_buffer(data, len(data))
        return key.derive_key(
            KeyType.DES2,
            len(data) * 8,
            capabilities=MechanismFlag.ENCRYPT,
            mechanism=Mechanism.DES3_ECB_ENCRYPT_DATA,
            mechanism_param=struct.pack("@PL", ctypes.addressof(buffer), len(data)),
            template={**_guarded(), Attribute.VALUE_LEN: DEFAULT},  # a token knows how long such a key is
        )

    def signing_key(self, label: str) -> tuple[KeyKind, Any, bytes]:
        """Kind, private key and point of the current version; KeyUseError when there is none, or no public key."""
        from pkcs11 import ObjectClass

        found = next(iter(self._find(ObjectClass.PRIVATE_KEY, label)), None)
        if found is None:
            raise KeyUseError(
                "令牌中没有可用的签名密钥（P-256 或 Ed25519）",
                "the token has no such signing key of a kind that we use (P-256, Ed25519)",
                where=f"{self.label} {label}",
            )
        point = self._point(found)
        if point is None:
            raise KeyUseError(
                "令牌中缺少与私钥标签、标识相同的公钥",
                "the token lacks the public key with label and identifier of the private one",
                where=f"{self.label} {label}",
            )
        return found.kind, found.thing, point

    def add(self, key: StoredKey, *, new_version: bool = False) -> KeyInfo:
        """Put a key into the token, as `KeySet.add` does into a set; ``key`` stays the caller's to wipe.

        InputError when it is there and no new version is wanted; KeyUseError for kinds that PKCS#11 does not have.
        """
        with self.turn:
            label, version = self._next(key.name, key.kind, key.city, new_version)
            with refusals(self.label):
                for attributes in _objects(key, label, version.to_bytes(2)):
                    self._session.create_object(attributes)
            return self._made(label, key.kind, version)

    def generate(self, name: str, kind: KeyKind, *, city: str = "", new_version: bool = False) -> KeyInfo:
        """Make a fresh random key in the token. Raises as `add` does."""
        from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag

        with self.turn:
            label, version = self._next(name, kind, city, new_version)
            identifier = version.to_bytes(2)
            with refusals(self.label):
                if kind is KeyKind.TDES:
                    self._session.generate_key(
                        KeyType.DES2,
                        label=label,
                        id=identifier,
                        store=True,
                        capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DERIVE,
                        template=_guarded(),
                    )
                else:
                    edwards = kind is KeyKind.ED25519
                    self._session.create_domain_parameters(
                        KeyType.EC_EDWARDS if edwards else KeyType.EC,
                        {Attribute.EC_PARAMS: _ED25519 if edwards else _P256},
                        local=True,
                    ).generate_keypair(
                        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN if edwards else Mechanism.EC_KEY_PAIR_GEN,
                        label=label,
                        id=identifier,
                        store=True,
                        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                        private_template=_guarded(),
                    )
            return self._made(label, kind, version)

    def drop_previous(self, name: str, kind: KeyKind, city: str = "") -> bool:
        """Destroy all versions of a key but the current one; False when there is none."""
        from pkcs11 import ObjectClass

        cards = (ObjectClass.SECRET_KEY,)
        classes = cards if kind.is_of_cards else (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
        with self.turn, refusals(self.label):
            old = [found for one in classes for found in self._find(one, _label(name, kind, city))[1:]]
            for found in old:
                found.thing.destroy()
        return bool(old)

    def _next(self, name: str, kind: KeyKind, city: str, new_version: bool) -> tuple[str, int]:
        """Label and version of a key to come."""
        from pkcs11 import ObjectClass

        if kind not in _KINDS:
            raise KeyUseError(
                f"PKCS#11 没有 {kind} 的标准机制，请把此类密钥放在密钥库文件或 PSAM 中",
                f"PKCS#11 has no standard mechanism for {kind}: keep such keys in a key file or a PSAM",
                where=name,
            )
        label = _label(name, kind, city)
        with refusals(self.label):
            same = self._find(ObjectClass.SECRET_KEY if kind.is_of_cards else ObjectClass.PRIVATE_KEY, label)
        if same and not new_version:
            raise InputError(
                "令牌中已有这个密钥；要更换请用新版本",
                "the key is in the token; to replace it make a new version",
                where=label,
            )
        return label, max((found.version for found in same), default=0) + 1

    def _made(self, label: str, kind: KeyKind, version: int) -> KeyInfo:
        return next(key for key in self if (_label(*key.identity), key.kind, key.version) == (label, kind, version))

    def _find(self, object_class: "ObjectClass", label: str | None = None) -> list[_Found]:
        """The keys of a class that are of a kind of ours, by label, the highest version first."""
        from pkcs11 import Attribute

        attributes: dict[Attribute, Any] = {Attribute.CLASS: object_class, Attribute.TOKEN: True}
        if label is not None:
            attributes[Attribute.LABEL] = label
        with self.turn, refusals(self.label):
            things: Iterable[Any] = self._session.get_objects(attributes)
            found = [
                _Found(thing.label or "", kind, int.from_bytes(thing.id or b""), thing)
                for thing in things
                if (kind := _kind(thing)) is not None
            ]
        return sorted(found, key=lambda one: (one.label, one.kind, -one.version))

    def _point(self, private: _Found) -> bytes | None:
        """The public key beside a private one, as `VerifyKey` takes it."""
        from pkcs11 import Attribute, ObjectClass

        public = next(
            (
                found.thing
                for found in self._find(ObjectClass.PUBLIC_KEY, private.label)
                if (found.kind, found.version) == (private.kind, private.version)
            ),
            None,
        )
        return None if public is None else _compressed(private.kind, public[Attribute.EC_POINT])

    def _check_value(self, found: _Found) -> bytes:
        from pkcs11 import Mechanism

        from juying.crypto.signing import Algorithm, VerifyKey, key_id

        if found.kind.is_of_cards:
            zeros: bytes = found.thing.encrypt(bytes(8), mechanism=Mechanism.DES3_ECB)
            return zeros[:3]
        point = self._point(found)
        return b"" if point is None else key_id(VerifyKey(point, Algorithm[found.kind.value]))


@contextmanager
def refusals(label: str) -> Iterator[None]:
    """Say what a token refuses, as KeyUseError."""
    import pkcs11

    try:
        yield
    except pkcs11.NoSuchToken:
        raise KeyUseError(
            "没有这个令牌，请检查名称和连接",
            "there is no such token: check its name, and whether it is there",
            where=label,
        ) from None
    except pkcs11.MultipleTokensReturned:
        raise KeyUseError("有多个同名令牌", "several tokens have this name", where=label) from None
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
        raise KeyUseError(
            "令牌 PIN 不对；连续输错会锁定", "wrong token PIN; too many of them lock the token", where=label
        ) from None
    except pkcs11.PinLocked:
        raise KeyUseError(
            "令牌已锁定，请管理员解锁", "the token is locked: its security officer can unlock it", where=label
        ) from None
    except pkcs11.PKCS11Error as error:
        name = type(error).__name__
        raise KeyUseError(f"令牌拒绝操作（{name}）", f"the token refuses ({name})", where=label) from None


def _label(name: str, kind: KeyKind, city: str) -> str:
    return f"{city or 'root'}/{name}" if kind.is_of_cards else name


def _card_name(label: str) -> tuple[str, str]:
    """City and name in the label of a key for cards; both empty when it is not one of ours."""
    match = _CARD_LABEL.fullmatch(label)
    if match is None:
        return "", ""
    city, name = match.groups()
    return "" if city == "root" else city, name


def _kind(thing: Any) -> KeyKind | None:
    """The kind of a key object, None when we have no use for it."""
    from pkcs11 import Attribute, KeyType

    if thing.key_type in (KeyType.DES2, KeyType.DES3):
        return KeyKind.TDES
    if thing.key_type is KeyType.EC and thing[Attribute.EC_PARAMS] == _P256:
        return KeyKind.ES256
    if thing.key_type is KeyType.EC_EDWARDS and thing[Attribute.EC_PARAMS] in (_ED25519, _ED25519_NAME):
        return KeyKind.ED25519
    return None


def _guarded() -> dict[Any, Any]:
    from pkcs11 import Attribute

    return {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}


def _objects(key: StoredKey, label: str, identifier: bytes) -> list[dict[Any, Any]]:
    """What `create_object` takes: one secret key, or a private and a public one."""
    from pkcs11 import Attribute, KeyType, ObjectClass

    common = {Attribute.TOKEN: True, Attribute.LABEL: label, Attribute.ID: identifier}
    if key.kind is KeyKind.TDES:
        secret = {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.DES2,
            Attribute.VALUE: bytes(key.material),
            Attribute.ENCRYPT: True,
            Attribute.DERIVE: True,
        }
        return [{**common, **_guarded(), **secret}]
    edwards = key.kind is KeyKind.ED25519
    common |= {
        Attribute.KEY_TYPE: KeyType.EC_EDWARDS if edwards else KeyType.EC,
        Attribute.EC_PARAMS: _ED25519 if edwards else _P256,
    }
    point = key.public_key if edwards else _uncompressed(key)
    private = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.VALUE: bytes(key.material), Attribute.SIGN: True}
    public = {
        Attribute.CLASS: ObjectClass.PUBLIC_KEY,
        Attribute.EC_POINT: b"\x04" + bytes([len(point)]) + point,
        Attribute.VERIFY: True,
    }
    return [{**common, **_guarded(), **private}, {**common, **public}]


def _compressed(kind: KeyKind, point: bytes) -> bytes:
    """A point as `VerifyKey` takes it, from one as tokens have it: 04 x y, or 32 bytes for Ed25519."""
    if point[:1] == b"\x04" and point[1:2] == bytes([len(point) - 2]):
        point = point[2:]  # in an OCTET STRING, as the standard wants it and not every token does it
    if kind is KeyKind.ED25519:
        return point
    return (b"\3" if point[-1] % 2 else b"\2") + point[1:33]


def _uncompressed(key: StoredKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec

    numbers = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.public_key).public_numbers()
    return b"\x04" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
