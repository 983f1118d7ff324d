"""The keys of a key file at work."""

from pathlib import Path
from typing import TYPE_CHECKING, Self

from juying.crypto.diversify import diversify
from juying.crypto.key_file import KeyFile
from juying.crypto.key_set import KeyKind, KeySet, KeyState
from juying.crypto.keys import CardKey, RawKeys
from juying.errors import KeyUseError
from juying.text import Text

if TYPE_CHECKING:
    from juying.crypto.signing import SoftwareSigner


class SoftwareKeys(RawKeys):
    """A `Keys` over a `KeySet`: the key of the city itself, else made from the root key, else there is none.

    A context manager that wipes all keys at its end.
    """

    def __init__(self, keys: KeySet, title: Text, *, state: KeyState = KeyState.CURRENT) -> None:
        """Use ``keys``, which become ours. ``state`` says which versions come first; see `previous`."""
        super().__init__()
        self.keys = keys
        self._title = title
        self._state = state

    @classmethod
    def open(cls, path: str | Path, pass_phrase: str) -> Self:
        """The keys of a file. Raises KeyUseError as `KeyFile.open` does."""
        return cls(KeyFile.open(path, pass_phrase).keys, Text(f"密钥库 {path} ", f"the key store {path}"))

    @property
    def title(self) -> Text:
        """The file."""
        return self._title

    def previous(self) -> "SoftwareKeys":
        """The same keys for cards from before a rotation: the previous version where there is one.

        Nothing on a card tells which version it carries, and each wrong attempt counts on the card, so the caller
        has to know.
        """
        title = Text(f"{self._title.zh}（上一版）", f"{self._title.en} (previous versions)")
        return SoftwareKeys(self.keys, title, state=KeyState.PREVIOUS)

    def signer(self, name: str) -> "SoftwareSigner":
        """The signing key with this name, current version; KeyUseError when there is none."""
        found = [key for key in self.keys if key.name == name and key.kind.signs and key.state is KeyState.CURRENT]
        if len(found) != 1:
            raise KeyUseError(
                f"{self._title.zh}中没有唯一的签名密钥 {name}",
                f"{self._title.en} does not have one signing key called {name}",
            )
        return found[0].signer()

    def close(self) -> None:
        """Wipe all keys."""
        self.forget()
        self.keys.close()

    def __enter__(self) -> Self:
        """The keys."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe them."""
        self.close()

    def __repr__(self) -> str:
        """What holds the keys, and how many."""
        return f"SoftwareKeys({self._title.en!r}, {len(self.keys)} keys)"

    def _city_key(self, key: CardKey) -> bytearray | None:
        kind = KeyKind(key.cipher.value)
        state = KeyState.PREVIOUS if key.previous else self._state
        stored = self.keys.of_card(key.name, kind, key.city, state) or self.keys.of_card(key.name, kind, key.city)
        if stored is None:
            return None
        factor = b"" if stored.city else key.city_factor
        return bytearray(diversify(key.cipher, stored.material, factor))
