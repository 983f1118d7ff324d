"""The picture of a credential: its QR code and a caption without personal data."""

from pathlib import Path

from juying.codec.qr import Medium, save_qr
from juying.credential.verify import Verification
from juying.errors import InputError
from juying.text import Text

_TITLE = Text("聚英卡 · 外国人来华工作许可", "Juying Card · Work permit for foreigners")
_DEMONSTRATION = Text("演示凭证，没有效力", "Demonstration only, of no effect")


def caption(verification: Verification) -> tuple[Text, ...]:
    """Title, tier and last day of validity; a third line says so when the key is one for demonstration.

    Raises InputError when the issuer's signature does not count: such a thing gets no caption that calls it a permit.
    """
    claims, key = verification.claims, verification.key
    if claims is None or key is None:
        raise InputError(verification.verdict.text.zh, verification.verdict.text.en)
    until, tier = claims.valid_until.isoformat(), claims.tier.text
    contents = Text(f"{tier.zh}，有效期至 {until}", f"{tier.en.capitalize()}, valid until {until}")
    return (_TITLE, contents, _DEMONSTRATION) if key.demonstration else (_TITLE, contents)


def draw_credential(verification: Verification, text: str, path: str | Path, *, paper: bool = False) -> None:
    """Draw ``text`` as a PNG picture for a screen, or for paper; ``verification`` is that of the same credential.

    Raises InputError as `caption` does, and when the file cannot be written.
    """
    medium = Medium.PAPER if paper else Medium.SCREEN
    save_qr(text, path, medium=medium, caption=caption(verification))
