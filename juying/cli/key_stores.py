"""A key file or a token, as the commands of `juying keys` see them: the same things can be done with both."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from juying.cli.key_options import KEYS, changeable, open_token, token_label
from juying.cli.passwords import keys_pass_phrase
from juying.crypto.key_set import KeyInfo, KeyKind, StoredKey, find
from juying.errors import InputError, KeyUseError

if TYPE_CHECKING:
    from juying.crypto.key_file import KeyFile
    from juying.crypto.token import Token


class FileStore:
    """A key file."""

    def __init__(self, file: "KeyFile") -> None:
        """An open one."""
        self._keys = file.keys

    def rows(self) -> Sequence[StoredKey]:
        """All keys, by name."""
        return sorted(self._keys, key=lambda key: (key.name, key.kind, key.city, -key.version))

    def stored(self, name: str, kind: KeyKind | None, city: str | None) -> StoredKey:
        """A key with its material."""
        return self._keys.find(name, kind=kind, city=city)

    def add(self, key: StoredKey, *, new_version: bool) -> StoredKey:
        """Take a key."""
        return self._keys.add(key, new_version=new_version)

    def generate(self, name: str, kind: KeyKind, city: str) -> StoredKey:
        """Make a fresh random key."""
        return self._keys.add(StoredKey.generate(name, kind, city=city))

    def rotate(self, name: str, kind: KeyKind | None, city: str | None) -> StoredKey:
        """Make a new version of a key."""
        return self._keys.rotate(self.stored(name, kind, city))

    def drop_previous(self, name: str, kind: KeyKind | None, city: str | None) -> bool:
        """Forget the version before the current one."""
        return self._keys.drop_previous(self.stored(name, kind, city))


class TokenStore:
    """A token."""

    def __init__(self, token: "Token") -> None:
        """An open one."""
        self._token = token

    def rows(self) -> Sequence[KeyInfo]:
        """All keys, by name."""
        return sorted(self._token, key=lambda key: (key.name, key.kind, key.city, -key.version))

    def add(self, key: StoredKey, *, new_version: bool) -> KeyInfo:
        """Take a key, and wipe ours."""
        try:
            return self._token.add(key, new_version=new_version)
        finally:
            key.wipe()

    def generate(self, name: str, kind: KeyKind, city: str) -> KeyInfo:
        """Make a fresh random key."""
        return self._token.generate(name, kind, city=city)

    def rotate(self, name: str, kind: KeyKind | None, city: str | None) -> KeyInfo:
        """Make a new version of a key."""
        key = find(self._token, name, kind=kind, city=city)
        return self._token.generate(key.name, key.kind, city=key.city, new_version=True)

    def drop_previous(self, name: str, kind: KeyKind | None, city: str | None) -> bool:
        """Destroy the versions before the current one."""
        key = find(self._token, name, kind=kind, city=city)
        return self._token.drop_previous(key.name, key.kind, key.city)

    def make(self, wanted: Iterable[tuple[str, KeyKind, str]], before: Iterable[StoredKey] = ()) -> list[KeyInfo]:
        """Fresh keys for every name, kind and city that has none yet.

        The keys of ``before``, which are wiped here, become the versions before them.
        """
        held = {key.identity for key in self._token}
        for key in before:
            if key.identity not in held:
                self.add(key, new_version=False)
        return [
            self._token.generate(name, kind, city=city, new_version=True)
            for name, kind, city in wanted
            if (name, kind, city) not in held
        ]


Store: TypeAlias = FileStore | TokenStore


def store_name(keys: str | None) -> str:
    """What ``--keys`` or JUYING_KEYS names; InputError when neither does."""
    named = keys or os.environ.get(KEYS)
    if not named:
        raise InputError(
            f"请用 --keys 或环境变量 {KEYS} 指明密钥库",
            f"name the key store with --keys or in the environment variable {KEYS}",
        )
    if not changeable(named):
        raise InputError(
            "须为密钥库文件或 pkcs11:token=名称",
            "this takes a key file or pkcs11:token=NAME",
            where=named,
        )
    return named


@contextmanager
def read(keys: str | None, pass_phrase: Path | None) -> Iterator[Store]:
    """The store, to look at."""
    from juying.crypto.key_file import KeyFile

    named = store_name(keys)
    label = token_label(named)
    if label is not None:
        with open_token(label) as token:
            yield TokenStore(token)
        return
    with KeyFile.open(named, keys_pass_phrase(named, pass_phrase)) as file:
        yield FileStore(file)


@contextmanager
def edit(keys: str | None, pass_phrase: Path | None) -> Iterator[Store]:
    """The store, to change; a file is as it was when the block raises."""
    from juying.crypto.key_file import KeyFile

    named = store_name(keys)
    label = token_label(named)
    if label is not None:
        with open_token(label, writable=True) as token:
            yield TokenStore(token)
        return
    with KeyFile.edit(named, keys_pass_phrase(named, pass_phrase)) as file:
        yield FileStore(file)


def with_material(store: Store) -> FileStore:
    """A store whose keys can be taken out in some way; KeyUseError for a token."""
    if isinstance(store, TokenStore):
        raise KeyUseError(
            "令牌中的密钥取不出来，请用密钥库文件", "keys cannot be taken out of a token: this needs a key file"
        )
    return store
