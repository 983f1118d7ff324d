"""The key store of an office: one file, encrypted with a pass phrase.

The first line is a header in JSON: format, version, the cost of scrypt (RFC 7914), its salt, and the nonce of the
encryption. What follows is AES-256-GCM over the keys, with the header as associated data: a description of each in JSON
on one line, then the key material of all of them in the same order, so that it is never in a string that cannot be
overwritten. The file is readable by its owner only, is replaced as a whole, and knows one writer at a time.
"""

import hashlib
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from juying.crypto import strict
from juying.crypto.key_set import KeyKind, KeySet, KeyState, StoredKey, wipe
from juying.errors import InputError, KeyUseError
from juying.files import locked, write_atomically
from juying.text import Text

MAX_FILE = 1 << 21
SHORTEST_PASS_PHRASE = 8

_FORMAT, _VERSION = "juying-keys", 1
_TAG = 16
_HEADER = {"format": str, "version": int, "n": int, "r": int, "p": int, "salt": str, "nonce": str}
_KEY = {
    "name": str,
    "kind": str,
    "city": str,
    "version": int,
    "state": str,
    "created": str,
    "check_value": str,
    "public_key": str,
}
_BUSY = Text("另一个任务正在修改密钥库，请等它结束", "another run is changing the key store: wait until it ends")


@dataclass(frozen=True, slots=True)
class Cost:
    """What scrypt costs whoever tries a pass phrase: 128 · n · r bytes of memory, p times.

    The default takes 32 MiB and about a tenth of a second, once for each opening.
    """

    n: int = 1 << 15
    r: int = 8
    p: int = 1

    @property
    def bearable(self) -> bool:
        """False for what is out of range or takes more than 256 MiB: a file must not stop the program that reads it."""
        n, r, p = self.n, self.r, self.p
        return n > 1 and n & (n - 1) == 0 and 0 < r <= 32 and 0 < p <= 16 and 128 * n * r <= 1 << 28


@dataclass(frozen=True, slots=True)
class _Lock:
    """A pass phrase turned into the key of one file."""

    cost: Cost
    salt: bytes
    key: bytearray

    @classmethod
    def of(cls, pass_phrase: str, cost: Cost, salt: bytes) -> Self:
        # the same characters can be typed as different code points
        secret = unicodedata.normalize("NFC", pass_phrase).encode(errors="surrogateescape")
        key = hashlib.scrypt(secret, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=1 << 29, dklen=32)
        return cls(cost, salt, bytearray(key))

    def header(self, nonce: bytes) -> bytes:
        cost = self.cost
        values = (_FORMAT, _VERSION, cost.n, cost.r, cost.p, self.salt.hex(), nonce.hex())
        return strict.write(dict(zip(_HEADER, values, strict=True)))

    def __repr__(self) -> str:
        return f"_Lock({self.cost})"


class KeyFile:
    """An open key store. A context manager that wipes the keys at its end."""

    __slots__ = ("_lock", "keys", "path")

    def __init__(self, path: Path, keys: KeySet, lock: _Lock) -> None:
        """Made by `create`, `open` and `edit`."""
        self.path = path
        self.keys = keys
        self._lock = lock

    @classmethod
    def create(cls, path: str | Path, pass_phrase: str, keys: KeySet, *, cost: Cost = Cost()) -> Self:
        """Write ``keys`` to a new file; they become the file's own.

        InputError when the file exists, whatever it is; when the pass phrase is too short; when it cannot be written.
        """
        path = Path(path)
        if len(pass_phrase) < SHORTEST_PASS_PHRASE:
            raise InputError(
                f"口令至少 {SHORTEST_PASS_PHRASE} 个字符",
                f"a pass phrase has {SHORTEST_PASS_PHRASE} characters at least",
                where=str(path),
            )
        with _one_writer(path):
            if path.exists():
                raise InputError(
                    "文件已存在；已有的密钥不会被覆盖", "the file exists: keys are never overwritten", where=str(path)
                )
            made = cls(path, keys, _Lock.of(pass_phrase, cost, secrets.token_bytes(16)))
            made._save()
        return made

    @classmethod
    def open(cls, path: str | Path, pass_phrase: str) -> Self:
        """Open for reading. KeyUseError when it cannot be read, is no key store, is damaged, or the phrase is wrong."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError as error:
            raise KeyUseError(
                f"密钥库读不出来（{error.strerror}）",
                f"the key store cannot be read ({error.strerror})",
                where=str(path),
            ) from None
        header, lock, nonce = _header(data, pass_phrase, path)
        try:
            plain = _decrypt(bytes(lock.key), nonce, header, memoryview(data)[len(header) + 1 :])
        except InvalidTag:
            wipe(lock.key)
            raise KeyUseError(
                "口令不对，或密钥库已损坏", "wrong pass phrase or damaged key store", where=str(path)
            ) from None
        try:
            return cls(path, _keys(plain), lock)
        except (ValueError, InputError):
            # whoever wrote this knew the pass phrase: another program, or a newer version of this one
            raise KeyUseError(
                "密钥库内容无法识别，请更新本软件",
                "the contents of the key store make no sense: update this program",
                where=str(path),
            ) from None
        finally:
            wipe(plain)

    @classmethod
    @contextmanager
    def edit(cls, path: str | Path, pass_phrase: str) -> "Iterator[KeyFile]":
        """Open for changes, which are on the disk when the block ends; when it raises, the file is as it was.

        KeyUseError as for `open`; InputError when somebody else is changing it.
        """
        path = Path(path)
        with _one_writer(path), cls.open(path, pass_phrase) as file:
            yield file
            file._save()

    def close(self) -> None:
        """Wipe the keys; the file stays."""
        self.keys.close()
        wipe(self._lock.key)

    def __enter__(self) -> Self:
        """The file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe the keys."""
        self.close()

    def __repr__(self) -> str:
        """Path and number of keys."""
        return f"KeyFile({str(self.path)!r}, {len(self.keys)} keys)"

    def _save(self) -> None:
        nonce = secrets.token_bytes(12)
        header = self._lock.header(nonce)
        plain = _plain(self.keys)
        try:
            encryptor = _gcm(bytes(self._lock.key), nonce).encryptor()
            encryptor.authenticate_additional_data(header)
            sealed = encryptor.update(plain) + encryptor.finalize()
        finally:
            wipe(plain)
        write_atomically(self.path, b"%b\n%b%b" % (header, sealed, encryptor.tag), private=True)


def _one_writer(path: Path) -> AbstractContextManager[None]:
    return locked(path.with_name(f".{path.name}.lock"), busy=_BUSY, where=str(path))


def _header(data: bytes, pass_phrase: str, path: Path) -> tuple[bytes, _Lock, bytes]:
    """The header's bytes, the key of the file, and the nonce; KeyUseError when the file is none of ours."""
    header, _, _ = data[:512].partition(b"\n")
    try:
        values = strict.members(strict.parse(header), _HEADER)
        cost = Cost(values["n"], values["r"], values["p"])
        salt, nonce = bytes.fromhex(values["salt"]), bytes.fromhex(values["nonce"])
        ours = (values["format"], len(salt), len(nonce)) == (_FORMAT, 16, 12)
        if not ours or not cost.bearable or not len(header) + 1 + _TAG < len(data) <= MAX_FILE:
            raise ValueError
    except ValueError:
        raise KeyUseError(
            "不是密钥库文件，或已损坏", "this is no key store, or it is damaged", where=str(path)
        ) from None
    if values["version"] != _VERSION:
        raise KeyUseError(
            "密钥库由较新的版本写成，请更新本软件", "a newer version wrote this key store: update", where=str(path)
        )
    return header, _Lock.of(pass_phrase, cost, salt), nonce


def _gcm(key: bytes, nonce: bytes, tag: bytes | None = None) -> Cipher[modes.GCM]:
    return Cipher(algorithms.AES256(key), modes.GCM(nonce, tag))


def _decrypt(key: bytes, nonce: bytes, header: bytes, sealed: memoryview) -> bytearray:
    """The plain text in a buffer that can be wiped, which a bytes object cannot; InvalidTag."""
    body, tag = sealed[:-_TAG], bytes(sealed[-_TAG:])
    decryptor = _gcm(key, nonce, tag).decryptor()
    decryptor.authenticate_additional_data(header)
    plain = bytearray(len(body) + 15)  # the room that the library asks for
    length = decryptor.update_into(body, plain)
    try:
        decryptor.finalize()
    except InvalidTag:
        wipe(plain)
        raise
    del plain[length:]
    return plain


def _plain(keys: KeySet) -> bytearray:
    plain = bytearray(strict.write([_description(key) for key in keys]) + b"\n")
    for key in keys:
        plain += key.material
    return plain


def _description(key: StoredKey) -> dict[str, object]:
    values = (
        key.name,
        key.kind.value,
        key.city,
        key.version,
        key.state.value,
        key.created.isoformat(),
        key.check_value.hex(),
        key.public_key.hex(),
    )
    return dict(zip(_KEY, values, strict=True))


def _keys(plain: bytearray) -> KeySet:
    """The keys of a decrypted file. ValueError or InputError when they are not as they should be."""
    end = plain.index(b"\n")
    descriptions = strict.parse(bytes(plain[:end]))
    if not isinstance(descriptions, list):
        raise ValueError
    keys = []
    at = end + 1
    try:
        for description in descriptions:
            values = strict.members(description, _KEY)
            kind = KeyKind(values["kind"])
            keys.append(
                StoredKey(
                    name=values["name"],
                    kind=kind,
                    city=values["city"],
                    version=values["version"],
                    state=KeyState(values["state"]),
                    created=_moment(values["created"]),
                    check_value=bytes.fromhex(values["check_value"]),
                    public_key=bytes.fromhex(values["public_key"]),
                    material=plain[at : at + kind.length],
                )
            )
            at += kind.length
        if at != len(plain):
            raise ValueError
        return KeySet(keys)
    except BaseException:
        for key in keys:
            key.wipe()
        raise


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)
