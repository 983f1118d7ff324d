"""Where keys to be taken in come from: wrapped files, component files, PEM files."""

from collections.abc import Sequence
from pathlib import Path

from juying.cli.key_stores import Store, with_material
from juying.cli.passwords import key_password
from juying.crypto.key_set import KeyKind, StoredKey
from juying.errors import DecodeError, InputError, KeyUseError


def from_wrapped(store: Store, path: Path, name: str | None) -> list[StoredKey]:
    """The keys of a file that `export-wrapped` made, or those called ``name``; ``store`` has the transport key.

    Raises InputError or KeyUseError.
    """
    from juying.crypto.key_export import MAX_FILE, transport_name, unwrap_keys

    data = _read(path, MAX_FILE)
    try:
        needed, check_value = transport_name(data)
        transport = with_material(store).stored(needed, KeyKind.TRANSPORT, None)
        if transport.check_value != check_value:
            raise KeyUseError(
                "传输密钥同名，校验值却不同", "the transport key has this name, but another check value", where=needed
            )
        arrived = unwrap_keys(transport, data)
    except DecodeError as error:
        raise InputError(*error.text, where=str(path)) from None
    chosen = [key for key in arrived if name in (None, key.name)]
    if not chosen:
        raise InputError("文件中没有这个密钥", "the file has no such key", where=f"{path} {name}")
    return chosen


def from_components(paths: Sequence[Path], name: str | None) -> StoredKey:
    """The key of component files; InputError when it is not complete, or not the one called ``name``."""
    from juying.crypto.ceremony import ComponentFile, join

    key = join([ComponentFile.load(path) for path in paths])
    if name not in (None, key.name):
        raise InputError(f"这些分量属于 {key.name}", f"these components are of {key.name}", where=str(name))
    return key


def from_pem(path: Path, name: str) -> StoredKey:
    """A signing key, called ``name`` from now on. Raises InputError or KeyUseError."""
    from juying.crypto import pem

    try:
        key = pem.decode(_read(path, 1 << 16), key_password(path))
    except ValueError:
        raise InputError(
            "不是 PKCS#8 PEM 私钥，或口令不对",
            "this is no PKCS#8 PEM private key, or the pass phrase is wrong",
            where=str(path),
        ) from None
    return StoredKey.signing(name, key)


def _read(path: Path, limit: int) -> bytes:
    from juying.credential.strict_json import read_bytes

    try:
        return read_bytes(path, limit=limit)
    except InputError as error:
        raise InputError(*error.text, where=str(path)) from None
