"""Root keys: kept offline, they sign trust lists and nothing else; a terminal pins their public halves."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from juying.codec import signed_file
from juying.credential import strict_json
from juying.credential.strict_json import members, string
from juying.credential.trusted_key import issuer_names
from juying.crypto.signing import Algorithm, Signer, VerifyKey, key_id
from juying.errors import InputError, KeyUseError
from juying.files import write_atomically
from juying.model.checks import check_fields
from juying.text import Text

_VERSION = 1
_MAX_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Root:
    """The public half of a root key, and whose it is.

    Its file is JSON: ``{"version": 1, "name": {"zh": …, "en": …}, "algorithm": "ES256", "public_key": "02…"}``.
    """

    key: VerifyKey
    name: Text

    def __post_init__(self) -> None:
        """Raises FieldError or RecordError for a name that is no printable line."""
        check_fields(self, name=issuer_names)

    @classmethod
    def of(cls, signer: Signer, name: Text) -> Self:
        """The public half of a signer's key."""
        return cls(VerifyKey(signer.public_key, signer.algorithm), name)

    @property
    def fingerprint(self) -> str:
        """What people compare: the SHA-256 thumbprint of the key (RFC 9679), 64 hexadecimal digits."""
        return self.key.thumbprint.hex()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a root file; raises InputError that names the file and what is wrong in it."""
        path = Path(path)
        try:
            return cls.parse(strict_json.read_bytes(path, limit=_MAX_FILE))
        except (InputError, KeyUseError) as error:
            raise InputError(*error.text, where=str(path)) from None

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The root in the bytes of its file; raises InputError, or KeyUseError for a key that is none."""
        top = members(strict_json.parse(data), ("version", "name", "algorithm", "public_key"))
        if type(top["version"]) is not int or top["version"] != _VERSION:
            raise InputError(f"version 须为 {_VERSION}", f"version has to be {_VERSION}")
        name = members(top["name"], Text._fields, "name")
        names = Text(*(string(name[language], f"name.{language}") for language in Text._fields))
        algorithm = string(top["algorithm"], "algorithm")
        if algorithm not in Algorithm.__members__:
            known = ", ".join(Algorithm.__members__)
            raise InputError(f"algorithm 须为 {known}", f"algorithm has to be one of {known}")
        try:
            public_key = bytes.fromhex(string(top["public_key"], "public_key"))
        except ValueError:
            raise InputError("public_key 须为十六进制数", "public_key has to be a hexadecimal number") from None
        return cls(VerifyKey(public_key, Algorithm[algorithm]), names)

    def save(self, path: str | Path) -> None:
        """Write the root file, atomically; raises InputError when that fails."""
        write_atomically(Path(path), strict_json.write(self.to_dict()))

    def to_dict(self) -> dict[str, object]:
        """The root as it stands in its file."""
        return {
            "version": _VERSION,
            "name": self.name._asdict(),
            "algorithm": self.key.algorithm.name,
            "public_key": self.key.public_key.hex(),
        }


def signer_of(file: signed_file.SignedFile, roots: Iterable[Root]) -> Root:
    """The root that signed ``file``: known by its kid, of the algorithm that the header states, the signature right.

    Raises InputError that says which of the three it is not.
    """
    known = [root for root in roots if key_id(root.key) == file.kid]
    if not known:
        raise InputError(
            f"信任列表由另一个根密钥 {file.kid.hex()} 签名，本机未登记该根密钥",
            f"the trust list is signed by another root key, {file.kid.hex()}, which is not pinned here",
        )
    known = [root for root in known if root.key.algorithm.covers(file.algorithm)]
    if not known:
        raise InputError(
            "信任列表所称的算法不是根密钥的算法", "the trust list states another algorithm than that of the root key"
        )
    for root in known:
        if root.key.verify(file.signature, file.to_be_signed):
            return root
    raise InputError(
        "信任列表的签名不对：内容被改动，或不是该根密钥所签",
        "the signature of the trust list is wrong: altered, or not made by this root key",
    )
