"""The picture of a credential: its QR code, and below it what it is, without personal data."""

from pathlib import Path

from juying.codec.qr import Medium, save_qr
from juying.credential.claims import Claims
from juying.credential.verify import Verification
from juying.errors import InputError
from juying.text import Text

_TITLE = Text("聚英卡 · 外国人来华工作许可", "Juying Card · Work permit for foreigners")
_DEMONSTRATION = Text("演示用，无效力", "Demonstration only, of no effect")


def caption(claims: Claims, *, demonstration: bool = False) -> tuple[Text, ...]:
    """Two or three lines to stand below the code; no personal data."""
    until = claims.valid_until.isoformat()
    kind = Text(f"{claims.tier.text.zh}，有效期至 {until}", f"{claims.tier.text.en}, valid until {until}")
    return (_TITLE, kind, _DEMONSTRATION) if demonstration else (_TITLE, kind)


def save_picture(text: str, verified: Verification, path: Path, *, medium: Medium = Medium.SCREEN) -> None:
    """Draw ``text``, whose verification is ``verified``, and write it as a PNG file.

    Raises `InputError` for a credential that does not verify, because nothing can be said below its code.
    """
    if verified.claims is None or verified.key is None:
        raise InputError(
            f"凭证未通过验证（{verified.verdict.text.zh}），不能画图",
            f"the credential does not verify ({verified.verdict.text.en}): no picture of it is drawn",
        )
    lines = caption(verified.claims, demonstration=verified.key.demonstration)
    save_qr(text, path, medium=medium, caption=lines)
