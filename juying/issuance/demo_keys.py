"""Demonstration keys: made on the spot, marked as such, good for trials only. No key is built in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from juying.credential.trust import TrustedKey, TrustList
from juying.crypto.signing import SoftwareSigner
from juying.errors import KeyUseError
from juying.issuance.lock import locked
from juying.text import Text

FOLDER = Path("build", "demo-keys")
"""Where the command line looks for them, below the working directory."""

KEY_FILE, TRUST_FILE, LISTS = "issuer.pem", "trust.json", "lists"
"""The key, the trust list, and the folder for status lists, below that folder."""

_ISSUER = Text("演示签发机关（无效力）", "demonstration issuer (of no effect)")
LIFETIME = timedelta(days=366)
"""How long the key may sign, and its status lists may be relied on."""
_PATIENCE = 10.0  # seconds for another process that is making the same keys


def demonstration_keys(folder: Path, *, region: str) -> tuple[SoftwareSigner, TrustList]:
    """The key and the trust list in ``folder``, made if there are none.

    The key may sign for a year from when it was made. Raises `KeyUseError` or `InputError` when they cannot be read
    or written.
    """
    key_file, trust_file = folder / KEY_FILE, folder / TRUST_FILE
    if trust_file.exists() and key_file.exists():  # the trust list is written last
        return SoftwareSigner.load(key_file), TrustList.load(trust_file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeyUseError(
            f"无法创建演示密钥目录（{error.strerror}）",
            f"the folder for the demonstration keys cannot be made ({error.strerror})",
            where=str(folder),
        ) from None
    with locked(folder, wait=_PATIENCE):
        if trust_file.exists() and key_file.exists():  # another process was faster
            return SoftwareSigner.load(key_file), TrustList.load(trust_file)
        signer = SoftwareSigner.load(key_file) if key_file.exists() else SoftwareSigner.generate()
        trust = _trust(signer, region)
        if not key_file.exists():
            signer.save(key_file)
        trust.save(trust_file)
    return signer, trust


def throw_away_keys(*, region: str) -> tuple[SoftwareSigner, TrustList]:
    """A key that is never stored, and the trust list for it: to see what would be written."""
    signer = SoftwareSigner.generate()
    return signer, _trust(signer, region)


def _trust(signer: SoftwareSigner, region: str) -> TrustList:
    start = datetime.now(UTC).replace(microsecond=0)
    key = TrustedKey.of(
        signer,
        issuer=_ISSUER,
        region=region,
        not_before=start,
        not_after=start + LIFETIME,
        demonstration=True,
    )
    return TrustList([key])
