"""The holder's key and credentials, in a folder of the holder's own.

``holder.pem`` is the key (P-256, PKCS#8, encrypted with the pass phrase), ``credentials.txt`` one credential a line.
On a phone the key would never leave the hardware; here the encrypted file stands for it.
"""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self

from juying.credential.claims import Claims, Tier
from juying.credential.issue import from_text, to_text, unverified_claims
from juying.credential.presentation import present, prove
from juying.crypto.signing import SoftwareSigner
from juying.errors import DecodeError, InputError, KeyUseError
from juying.files import write_atomically

KEY_FILE, CREDENTIALS_FILE = "holder.pem", "credentials.txt"
MAX_CREDENTIALS = 100


class Held(NamedTuple):
    """A credential in the wallet: its bytes, and what it says (read, not verified: the issuer is the office)."""

    credential: bytes
    claims: Claims

    def __repr__(self) -> str:
        """The tier only; the rest is personal."""
        return f"Held({self.claims.tier.name})"


class Wallet:
    """One holder's key and credentials."""

    def __init__(self, folder: Path, signer: SoftwareSigner, held: tuple[Held, ...]) -> None:
        """Use `create` or `open`."""
        self.folder = folder
        self._signer = signer
        self.held = held

    @classmethod
    def create(cls, folder: Path, password: str) -> Self:
        """Make a new key below ``folder``, encrypted with ``password``.

        Raises `KeyUseError` when there is a wallet already, or no pass phrase.
        """
        if not password:
            raise KeyUseError("钱包的口令不能为空", "the pass phrase of a wallet must not be empty")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"不能创建钱包目录（{error.strerror}）",
                f"the folder of the wallet cannot be made ({error.strerror})",
                where=str(folder),
            ) from None
        signer = SoftwareSigner.generate()
        signer.save(folder / KEY_FILE, password)
        return cls(folder, signer, ())

    @classmethod
    def open(cls, folder: Path, password: str) -> Self:
        """Open a wallet. Raises `KeyUseError` for a wrong pass phrase, `DecodeError` for damaged credentials."""
        signer = SoftwareSigner.load(folder / KEY_FILE, password)
        path = folder / CREDENTIALS_FILE
        try:
            lines = path.read_text("ascii").splitlines() if path.exists() else []
            return cls(folder, signer, tuple(_held(from_text(line)) for line in lines))
        except (OSError, UnicodeDecodeError, DecodeError):
            raise DecodeError(
                "钱包中的凭证文件已损坏，请重新添加凭证",
                "the credentials in the wallet are damaged: add them again",
                where=str(path),
            ) from None

    def prove(self, nonce: bytes) -> bytes:
        """Prove possession of the key to the office that sent ``nonce``; see `juying.credential.presentation`."""
        return prove(self._signer, nonce)

    def add(self, credential: bytes) -> Held:
        """Keep a credential that is bound to this wallet's key; it takes the place of an older one of its tier.

        Raises `DecodeError` when it is none, `KeyUseError` when it is bound to another key or to none, and
        `InputError` when the wallet is full or cannot be written.
        """
        new = _held(credential)
        if new.claims.holder_key != self._signer.public_key:
            raise KeyUseError(
                "凭证未绑定本钱包的密钥；请用本钱包的证明重新申领",
                "the credential is not bound to the key of this wallet: apply again with a proof of this wallet",
            )
        others = tuple(held for held in self.held if not _same_purpose(held.claims, new.claims))
        if len(others) >= MAX_CREDENTIALS:
            raise InputError("钱包已满", "the wallet is full")
        self.held = (*others, new)
        text = "".join(to_text(held.credential) + "\n" for held in self.held)
        write_atomically(self.folder / CREDENTIALS_FILE, text.encode("ascii"), private=True)
        return new

    def choose(self, tier: Tier) -> Held:
        """The newest credential of a tier. Raises `InputError` when there is none."""
        fitting = [held for held in self.held if held.claims.tier is tier]
        if not fitting:
            raise InputError(f"钱包中没有{tier.text.zh}", f"the wallet has no {tier.text.en}")
        return max(fitting, key=lambda held: held.claims.issued_at)

    def show(self, tier: Tier, *, now: datetime, audience: str | None = None, nonce: bytes | None = None) -> str:
        """The text of the code to show now; make a new one every ten seconds.

        Raises what `present` raises, and `InputError` when there is no credential of the tier.
        """
        return to_text(present(self.choose(tier).credential, self._signer, now=now, audience=audience, nonce=nonce))


def _held(credential: bytes) -> Held:
    return Held(credential, unverified_claims(credential))


def _same_purpose(one: Claims, other: Claims) -> bool:
    return (one.permit_number, one.tier) == (other.permit_number, other.tier)
