"""The trust list: whose signatures count, where, for what, and since when.

Two levels of keys: an offline root key (`juying.credential.trust_root`) signs the list of issuing keys, which are
short-lived and belong to one region each, so that one bad key costs a quarter of one city. The next edition drops it.
What stands in the list, and how, is in `juying.credential.trust_file`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from juying.codec import signed_file
from juying.credential import trust_file
from juying.credential.strict_json import read_bytes
from juying.credential.trust_file import MAX_FILE, Content, Edition
from juying.credential.trust_root import Root, signer_of
from juying.credential.trusted_key import KeyUse, TrustedKey
from juying.crypto.signing import Signer, VerifyKey
from juying.errors import InputError, KeyUseError
from juying.files import write_atomically

__all__ = ["FILE_TYPE", "MAX_FILE", "MAX_SAME_KID", "Edition", "KeyUse", "TrustList", "TrustedKey"]

MAX_SAME_KID = 4  # kids are short and may collide; a verifier tries all keys of a kid, but not any number

FILE_TYPE = "application/vnd.juying.trust-list+cbor"
"""What a signed list says that it is (our choice; not registered)."""


class TrustList:
    """Trusted keys, found by kid.

    ``edition`` says which issue of the list it is, None where nobody numbers them. ``root`` is the key whose signature
    on it was verified, None for a list without one.
    """

    __slots__ = ("_by_kid", "edition", "root")

    def __init__(
        self, keys: Iterable[TrustedKey] = (), *, edition: Edition | None = None, root: Root | None = None
    ) -> None:
        """Raises InputError when a key stands twice under its kid, or more than four keys share a kid."""
        self._by_kid: dict[bytes, tuple[TrustedKey, ...]] = {}
        self.edition = edition
        self.root = root
        for key in keys:
            same = (*self.keys(key.kid), key)
            if len(same) > MAX_SAME_KID or len({known.key for known in same}) < len(same):
                raise InputError(
                    f"kid {key.kid.hex()} 的密钥重复，或超过 {MAX_SAME_KID} 个",
                    f"kid {key.kid.hex()} has a key twice, or more than {MAX_SAME_KID} keys",
                )
            self._by_kid[key.kid] = same

    def keys(self, kid: bytes) -> tuple[TrustedKey, ...]:
        """All keys with this kid, at most four."""
        return self._by_kid.get(kid, ())

    def __iter__(self) -> Iterator[TrustedKey]:
        """Every key, those of one kid together."""
        for same in self._by_kid.values():
            yield from same

    def __len__(self) -> int:
        """The number of keys."""
        return sum(map(len, self._by_kid.values()))

    def overdue(self, now: datetime) -> timedelta:
        """For how long the next edition should have been here; zero when it is not due, or when there are none."""
        if self.edition is None:
            return timedelta(0)
        return max(now - self.edition.next_update, timedelta(0))

    @classmethod
    def load(cls, path: str | Path, roots: Iterable[Root] | None = None) -> Self:
        """Read a trust list: a JSON file, or with ``roots`` one that one of them has signed, and nothing else.

        Raises InputError that names the file, the place in it and what is wrong.
        """
        path = Path(path)
        try:
            data = read_bytes(path, limit=MAX_FILE)
            if roots is not None:
                return cls.from_signed(data, roots)
            if data.startswith(signed_file.FIRST_BYTE):
                raise InputError(
                    "信任列表有根密钥签名，请给出根公钥（--root）或先导入",
                    "the trust list is signed by a root key: name its public half (--root), or import the list",
                )
            return cls._of(trust_file.read_json(data))
        except InputError as error:
            raise InputError(*error.text, where=str(path)) from None

    @classmethod
    def from_signed(cls, data: bytes, roots: Iterable[Root]) -> Self:
        """The list in a signed file.

        The order: size, strict COSE, kid among ``roots``, algorithm, signature, and only then what it says. Raises
        InputError (DecodeError for a malformed file).
        """
        if not data.startswith(signed_file.FIRST_BYTE):
            raise InputError("信任列表没有根密钥的签名", "the trust list is not signed by a root key")
        file = signed_file.parse(data, FILE_TYPE, limit=MAX_FILE)
        root = signer_of(file, roots)
        return cls._of(trust_file.decode(file.payload), root)

    @classmethod
    def unverified(cls, data: bytes) -> Self:
        """What a signed file says, for people to look at: nobody has checked the signature. Raises InputError."""
        return cls._of(trust_file.decode(signed_file.parse(data, FILE_TYPE, limit=MAX_FILE).payload))

    @classmethod
    def _of(cls, content: Content, root: Root | None = None) -> Self:
        trust = cls(content.keys, edition=content.edition, root=root)
        if root is not None:
            trust._check_signable(root.key)
        return trust

    def save(self, path: str | Path) -> None:
        """Write the list as JSON, atomically; raises InputError when that fails."""
        write_atomically(Path(path), trust_file.write_json(Content(tuple(self), self.edition)))

    def signed(self, signer: Signer) -> bytes:
        """The list as a file signed by a root key.

        Raises InputError when it has no edition, holds the root key itself or is too large, KeyUseError when the key
        cannot sign.
        """
        root = VerifyKey(signer.public_key, signer.algorithm)
        self._check_signable(root)
        payload = trust_file.encode(Content(tuple(self), self.edition))
        data = signed_file.encode(payload, FILE_TYPE, algorithm=signer.algorithm, kid=signer.kid, sign=signer.sign)
        if len(data) > MAX_FILE:
            raise InputError(
                f"信任列表超过 {MAX_FILE >> 20} MiB", f"the trust list is larger than {MAX_FILE >> 20} MiB"
            )
        file = signed_file.parse(data, FILE_TYPE, limit=MAX_FILE)
        if not root.verify(file.signature, file.to_be_signed):  # found out here, and not at every terminal
            raise KeyUseError(
                "根密钥刚作的签名不对，请检查密钥设备", "the root key's own signature is wrong: check the key's device"
            )
        return data

    def _check_signable(self, root: VerifyKey) -> None:
        """Raise InputError for a list that no root key signs."""
        if self.edition is None:
            raise InputError("签名的信任列表须有版本（edition）", "a signed trust list needs an edition")
        if any(key.key == root for key in self):
            raise InputError(
                "根密钥不能同时是签发密钥", "the root key stands among the issuing keys: it signs nothing but lists"
            )
