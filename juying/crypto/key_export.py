"""Keys on their way to another office, each enciphered under a transport key that both offices hold.

The file is JSON. Each key is wrapped with AES-256 as RFC 3394 has it, which any HSM can undo. That protects the key,
but not the name, city and version next to it; so the whole document carries an HMAC-SHA-256 under a second key,
derived from the transport key with HKDF (RFC 5869).
"""

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from juying.crypto import strict
from juying.crypto.key_set import MAX_KEYS, KeyKind, StoredKey, check_value
from juying.errors import DecodeError, InputError, KeyUseError

MAX_FILE = 1 << 21

_FORMAT, _VERSION = "juying-wrapped-keys", 1
_DOCUMENT = {"format": str, "version": int, "transport": str, "transport_check_value": str, "keys": list, "mac": str}
_KEY = {
    "name": str,
    "kind": str,
    "city": str,
    "version": int,
    "check_value": str,
    "public_key": str,
    "wrapped": str,
}


def wrap_keys(transport: StoredKey, keys: Sequence[StoredKey]) -> bytes:
    """The file with ``keys`` under ``transport``. KeyUseError when that is no transport key, or one of them is."""
    _check_transport(transport)
    for key in keys:
        if key.kind is KeyKind.TRANSPORT:
            raise KeyUseError(
                "传输密钥不导出，请用密钥仪式分发",
                "a transport key is not exported: hand it over in a ceremony",
                where=key.title,
            )
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "transport": transport.name,
        "transport_check_value": transport.check_value.hex().upper(),
        "keys": [
            {
                "name": key.name,
                "kind": key.kind.value,
                "city": key.city,
                "version": key.version,
                "check_value": key.check_value.hex().upper(),
                "public_key": key.public_key.hex().upper(),
                "wrapped": aes_key_wrap(bytes(transport.material), bytes(key.material)).hex().upper(),
            }
            for key in keys
        ],
    }
    return strict.write({**document, "mac": _mac(transport, document).hex().upper()}) + b"\n"


def transport_name(data: bytes) -> tuple[str, bytes]:
    """Name and check value of the transport key that a file needs, as it says itself. Raises DecodeError."""
    document = _parse(data)
    return document["transport"], bytes.fromhex(document["transport_check_value"])


def unwrap_keys(transport: StoredKey, data: bytes) -> list[StoredKey]:
    """The keys of a file. DecodeError when it is none; KeyUseError when it is not for this transport key, or forged."""
    _check_transport(transport)
    document = _parse(data)
    claimed = bytes.fromhex(document.pop("mac"))
    if not hmac.compare_digest(_mac(transport, document), claimed):
        raise KeyUseError(
            "文件不是用这个传输密钥加密的，或被改动过",
            "the file is not under this transport key, or somebody changed it",
            where=transport.title,
        )
    try:
        return [_unwrap(transport, values) for values in document["keys"]]
    except (ValueError, InvalidUnwrap, InputError):
        raise _broken() from None


def _unwrap(transport: StoredKey, values: Any) -> StoredKey:
    values = strict.members(values, _KEY)
    kind = KeyKind(values["kind"])
    key = StoredKey(
        name=values["name"],
        kind=kind,
        city=values["city"],
        version=values["version"],
        created=datetime.now(UTC).replace(microsecond=0),
        check_value=bytes.fromhex(values["check_value"]),
        public_key=bytes.fromhex(values["public_key"]),
        material=bytearray(aes_key_unwrap(bytes(transport.material), bytes.fromhex(values["wrapped"]))),
    )
    if not kind.signs and check_value(kind, key.material) != key.check_value:
        raise ValueError
    return key


def _parse(data: bytes) -> dict[str, Any]:
    try:
        if len(data) > MAX_FILE:
            raise ValueError
        document = strict.members(strict.parse(data), _DOCUMENT)
        bytes.fromhex(document["mac"])
        bytes.fromhex(document["transport_check_value"])
        if (document["format"], document["version"]) != (_FORMAT, _VERSION) or len(document["keys"]) > MAX_KEYS:
            raise ValueError
    except ValueError:
        raise _broken() from None
    return document


def _broken() -> DecodeError:
    return DecodeError("不是加密的密钥文件，或已损坏", "this is no file of wrapped keys, or it is damaged")


def _mac(transport: StoredKey, document: dict[str, Any]) -> bytes:
    key = HKDF(hashes.SHA256(), 32, salt=None, info=_FORMAT.encode()).derive(bytes(transport.material))
    return hmac.digest(key, strict.write(document), sha256)


def _check_transport(key: StoredKey) -> None:
    if key.kind is not KeyKind.TRANSPORT:
        raise KeyUseError("不是传输密钥", "this is no transport key", where=key.title)
