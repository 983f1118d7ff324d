"""The picture of a credential: its QR code, and below it what it is, whose initials, and until when.

No picture names the holder: it lies on tables and screens, and the code says everything to those who may ask.
"""

from collections.abc import Sequence
from pathlib import Path

from juying.codec.qr import Medium, png_qr
from juying.codec.qr_pdf import Grid, Labelled, pdf_qr, pdf_sheets
from juying.codec.svg import svg_qr
from juying.credential.claims import Claims
from juying.credential.verify import Verification
from juying.errors import InputError
from juying.files import write_atomically
from juying.text import Text

WRITERS = {".png": png_qr, ".svg": svg_qr, ".pdf": pdf_qr}
"""Kinds of pictures by the end of the file name."""

_TITLE = Text("聚英卡 · 外国人来华工作许可", "Juying Card · Work permit for foreigners")
_DEMONSTRATION = Text("演示用，无效力", "Demonstration only, of no effect")


def caption(claims: Claims, *, demonstration: bool = False) -> tuple[Text, ...]:
    """Two or three lines to stand below the code: what it is, then initials, tier and last day of validity."""
    kind, until, initials = claims.tier.text, claims.valid_until.isoformat(), claims.initials
    whose = Text(f"{initials} · {kind.zh}，有效期至 {until}", f"{initials} · {kind.en}, valid until {until}")
    return (_TITLE, whose, _DEMONSTRATION) if demonstration else (_TITLE, whose)


def save_picture(text: str, verified: Verification, path: Path, *, medium: Medium = Medium.SCREEN) -> None:
    """Draw ``text``, whose verification is ``verified``, and write it as the PNG, SVG or PDF file that ``path`` names.

    Raises `InputError` for another kind of file, and for a credential that does not verify, because nothing can be
    said below its code.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        known = " ".join(WRITERS)
        raise InputError(
            f"不认识的图片格式，可用：{known}", f"not a kind of picture that is written here: {known}", where=str(path)
        )
    write_atomically(path, writer(text, medium=medium, caption=_caption(verified)), private=True)


def save_sheets(
    credentials: Sequence[tuple[str, Verification]],
    path: Path,
    *,
    medium: Medium = Medium.PAPER,
    grid: Grid | None = None,
    cut_marks: bool = True,
) -> None:
    """Draw many credentials, each with its verification, on A4 pages of one PDF file, by default 3 x 4 on each.

    Raises `InputError` when there is none, when one does not verify, or when ``path`` does not end in ``.pdf``.
    """
    if path.suffix.lower() != ".pdf":
        raise InputError(
            "多个凭证只能画成 PDF 文件", "several credentials are drawn as a PDF file only", where=str(path)
        )
    codes = [Labelled(text, _caption(verified)) for text, verified in credentials]
    write_atomically(path, pdf_sheets(codes, medium=medium, grid=grid, cut_marks=cut_marks), private=True)


def _caption(verified: Verification) -> tuple[Text, ...]:
    if verified.claims is None or verified.key is None:
        raise InputError(
            f"凭证未通过验证（{verified.verdict.text.zh}），不能画图",
            f"the credential does not verify ({verified.verdict.text.en}): no picture of it is drawn",
        )
    return caption(verified.claims, demonstration=verified.key.demonstration)
