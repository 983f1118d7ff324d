"""The printed faces of a card: front and back as pictures for a card printer.

A design of our own, with no emblem and unlike any official card: points that gather (聚) in a spiral. The size is
ID-1 of ISO/IEC 7810, 85.60 x 53.98 mm, at 300 dpi. The place of the contacts (ISO/IEC 7816-2) stays free of print.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import cos, pi, sin, sqrt
from pathlib import Path
from typing import Self

from PIL import Image, ImageDraw, ImageOps

from juying.codec.fonts import fit, set_paragraph, typeset
from juying.codec.qr import QUIET_ZONE, Medium, encode_qr
from juying.credential.claims import Claims, Tier
from juying.credential.verify import Verification
from juying.errors import InputError
from juying.files import write_atomically
from juying.model.countries import by_alpha3
from juying.text import Text

DPI = 300
SIZE = (1011, 638)
"""Pixels of a face."""

CONTACTS = (100, 207, 254, 360)
"""Left, top, right and bottom of the place of the contacts, with a millimetre around it, in pixels."""

PHOTO = (705, 132, 963, 449)
"""Left, top, right and bottom of the photo, in pixels; its proportions are those of the photo on the chip, 26 : 32."""

_CLEARING = 116  # pixels around its middle, which is where the points gather
_CONTACTS_CENTRE = ((CONTACTS[0] + CONTACTS[2]) // 2, (CONTACTS[1] + CONTACTS[3]) // 2)

BADGE = (705, 463, 963, 541)
"""Left, top, right and bottom of the category, in pixels."""

MAX_PIXELS = 80_000_000  # of a photo that is opened

_PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # no format whose reader runs other programs
_PAPER, _PATTERN, _INK, _LABEL, _WHITE = "#FAF8F3", "#EBE4D4", "#1B2A33", "#65727B", "#FFFFFF"
_BAND, _BAND_LABEL, _ACCENT, _SPECIMEN = "#0F4A5B", "#BFD5DA", "#A8452B", "#C7412B"
_MARK_STRENGTH = 70  # of 255

_MARGIN, _RADIUS = 48, 10
_BAND_HEIGHT, _BACK_BAND = 104, 28
_PANEL_CORNER, _PANEL = (_MARGIN, 82), 500  # the white square with the code and its quiet zone
_BOLD_FROM = 30  # pixels; smaller Chinese characters would run together
_SMALLEST = 15  # pixels, of any letter: 3.6 points
_SMOOTH = 3  # shapes are drawn that many times larger and then reduced
_GOLDEN_ANGLE = pi * (3 - sqrt(5))

_TITLE = Text("聚英卡", "JUYING CARD")
_PERMIT = Text("外国人来华工作许可", "Work Permit for Foreigners")
_NAME = Text("姓名", "Name")
_NATIONALITY = Text("国籍", "Nationality")
_PERMIT_NUMBER = Text("许可证编号", "Permit No.")
_CARD_NUMBER = Text("卡号", "Card No.")
_VALIDITY = Text("有效期", "Valid")
_ISSUER = Text("签发机关", "Issued by")
_PHOTO = Text("照片", "Photo")
_CODE = Text("电子凭证", "Electronic credential")
_SCAN = Text("扫码可离线验证签名与有效期", "Scan to verify it without a network")
_COMPARE = Text("请核对照片与持卡人", "Compare the photo with the holder")
_FOUND = Text("拾到请交还签发机关", "If found, return to the issuing authority")
_SPECIMEN_TEXT = Text("样本", "SPECIMEN")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardFace:
    """What stands on the card.

    ``claims`` are those of a full credential, ``issuer`` is who signed it, ``code`` the text of the QR code on the
    back, ``photo`` a picture file such as the JPEG on the chip. A ``specimen`` is marked as one on both faces.
    """

    claims: Claims
    issuer: Text
    card_number: str
    code: str
    photo: bytes | None = None
    specimen: bool = False

    @classmethod
    def of(
        cls, full: Verification, *, code: str, shown: Verification, card_number: str, photo: bytes | None = None
    ) -> Self:
        """Take the face from verified credentials: ``full`` says who it is, ``code`` goes on the back.

        ``shown`` is the verification of ``code``. Raises `InputError` unless both verify and are of the same permit,
        and ``full`` is of the full tier.
        """
        if full.claims is None or full.key is None or shown.claims is None or shown.key is None:
            verdict = (full if full.claims is None else shown).verdict.text
            raise InputError(
                f"凭证未通过验证（{verdict.zh}），不能制作卡面",
                f"the credential does not verify ({verdict.en}): no card face is made of it",
            )
        if full.claims.tier is not Tier.FULL:
            raise InputError(
                "最小凭证没有姓名，卡面需要完整凭证",
                "a minimal credential holds no name: a card face needs the full one",
            )
        if shown.claims.permit_number != full.claims.permit_number:
            raise InputError("两个凭证不属于同一许可", "the two credentials belong to different permits")
        return cls(
            claims=full.claims,
            issuer=full.key.issuer,
            card_number=card_number,
            code=code,
            photo=photo,
            specimen=full.key.demonstration or shown.key.demonstration,
        )

    def __repr__(self) -> str:
        """Shows nothing personal."""
        return f"CardFace({self.claims!r}, specimen={self.specimen})"


def save_faces(face: CardFace, folder: Path) -> tuple[Path, Path]:
    """Write ``front.png`` and ``back.png`` into ``folder``, for their owner only: they are personal data.

    Raises `InputError` as the drawing does, and when they cannot be written.
    """
    faces = {folder / "front.png": draw_front(face), folder / "back.png": draw_back(face)}
    for path, picture in faces.items():
        png = BytesIO()
        picture.save(png, "PNG", dpi=(DPI, DPI))
        write_atomically(path, png.getvalue(), private=True)
    front, back = faces
    return front, back


def draw_front(face: CardFace) -> Image.Image:
    """The front: names, nationality, numbers, validity, category, issuing authority and photo; RGB of `SIZE`.

    Raises `InputError` that names the field when a character is in no font of this machine or a text is too long,
    and when the photo is no picture.
    """
    claims = face.claims
    picture = _ground(_front_shapes)
    pen = ImageDraw.Draw(picture)
    _heading(pen)
    _names(pen, claims)
    country = by_alpha3(claims.nationality)
    nationality = f"{country.name.zh} {country.name.en}" if country else claims.nationality
    period = f"{claims.valid_from.isoformat()} – {claims.valid_until.isoformat()}"
    left, right, upper, lower = _MARGIN, 376, 386, 470
    _field(pen, "nationality", _NATIONALITY, nationality, (left, upper))
    _field(pen, "valid_until", _VALIDITY, period, (right, upper))
    _field(pen, "permit_number", _PERMIT_NUMBER, claims.permit_number, (left, lower))
    _field(pen, "card_number", _CARD_NUMBER, face.card_number, (right, lower))
    _category(pen, claims)
    _issuer(pen, face.issuer)
    if face.photo is not None:
        picture.paste(_photo(face.photo), PHOTO[:2], _rounded((PHOTO[2] - PHOTO[0], PHOTO[3] - PHOTO[1])))
    else:
        middle = (PHOTO[0] + PHOTO[2]) / 2
        _centred(pen, _PHOTO, middle, (PHOTO[1] + PHOTO[3]) / 2)
    return _marked(picture) if face.specimen else picture


def draw_back(face: CardFace) -> Image.Image:
    """The back: the QR code, what it is for, and where to return the card; RGB of `SIZE`. Raises as `draw_front`."""
    picture = _ground(_back_shapes)
    pen = ImageDraw.Draw(picture)
    symbol = encode_qr(face.code, medium=Medium.PAPER)
    module = _PANEL // (symbol.side + 2 * QUIET_ZONE)
    code = Image.frombytes("L", (symbol.side, symbol.side), symbol.modules)
    code = code.resize((symbol.side * module, symbol.side * module), Image.Resampling.NEAREST)
    left, top = (corner + (_PANEL - code.width) // 2 for corner in _PANEL_CORNER)
    picture.paste(code, (left, top))
    left, width = _PANEL_CORNER[0] + _PANEL + 40, SIZE[0] - _MARGIN - _PANEL_CORNER[0] - _PANEL - 40
    top = _PANEL_CORNER[1] + 4
    for part in (_CODE, _SCAN, _COMPARE, _FOUND):
        size = 40 if part is _CODE else 24
        for text, ink, scale in ((part.zh, _INK, 1.0), (part.en, _LABEL, 0.78)):
            lines = set_paragraph(text, int(size * scale), width, 200, smallest=_SMALLEST)
            lines.draw(pen, left, top, ink, bold=part is _CODE and ink == _INK)
            top += lines.height + 4
        top += 18
    bottom = _PANEL_CORNER[1] + _PANEL
    if face.specimen:
        typeset(_SPECIMEN_TEXT.zh, 34).draw(pen, left, bottom - 66, _SPECIMEN, bold=True)
        typeset(_SPECIMEN_TEXT.en, 30).draw(pen, left + 86, bottom - 66, _SPECIMEN, bold=True)
    _label(pen, _CARD_NUMBER, left, bottom - 28)
    typeset(face.card_number, 22).draw(pen, left, bottom - 2, _INK)
    return picture


def _heading(pen: ImageDraw.ImageDraw) -> None:
    typeset(_TITLE.zh, 54).draw(pen, 136, 68, _WHITE, bold=True)
    left = 316.0
    for letter in _TITLE.en:  # spaced out
        letters = typeset(letter, 21)
        letters.draw(pen, left, 66, _BAND_LABEL)
        left += letters.width + 5
    for text, size, baseline, ink in ((_PERMIT.zh, 30, 54, _WHITE), (_PERMIT.en, 19, 82, _BAND_LABEL)):
        line = typeset(text, size)
        line.draw(pen, SIZE[0] - _MARGIN - line.width, baseline, ink)


def _names(pen: ImageDraw.ImageDraw, claims: Claims) -> None:
    """The Chinese name, if there is one, above the other, between the contacts and the photo."""
    left, top = CONTACTS[2] + 32, PHOTO[1]
    width, bottom = PHOTO[0] - 28 - left, 372
    _label(pen, _NAME, left, top + 16)
    top += 28
    if claims.chinese_name:
        with _naming("chinese_name"):
            lines = set_paragraph(claims.chinese_name, 52, width, 70, smallest=_SMALLEST)
        lines.draw(pen, left, top, _INK, bold=lines.size > _BOLD_FROM)
        top += lines.height + 10
    with _naming("name"):
        lines = set_paragraph(claims.name, 36, width, bottom - top, smallest=_SMALLEST)
    lines.draw(pen, left, top, _INK)


def _field(pen: ImageDraw.ImageDraw, name: str, label: Text, value: str, corner: tuple[int, int]) -> None:
    left, top = corner
    _label(pen, label, left, top + 16)
    with _naming(name):
        set_paragraph(value, 27, 296, 44, smallest=_SMALLEST).draw(pen, left, top + 25, _INK)


def _category(pen: ImageDraw.ImageDraw, claims: Claims) -> None:
    left, top, right, _ = BADGE
    letter = typeset(str(claims.category), 56)
    letter.draw(pen, left + 38 - letter.width / 2, top + 58, _WHITE, bold=True)
    name, width = claims.category.text, right - left - 92
    fit(name.zh, 26, width, smallest=_SMALLEST).draw(pen, left + 80, top + 36, _WHITE)
    fit(name.en[0].upper() + name.en[1:], 18, width, smallest=_SMALLEST).draw(pen, left + 80, top + 62, _WHITE)


def _issuer(pen: ImageDraw.ImageDraw, issuer: Text) -> None:
    _label(pen, _ISSUER, _MARGIN, 597)
    left = 232
    width = SIZE[0] - _MARGIN - left
    with _naming("issuer"):
        fit(issuer.zh, 23, width, smallest=_SMALLEST).draw(pen, left, 597, _INK)
        fit(issuer.en, 17, width, smallest=_SMALLEST).draw(pen, left, 621, _LABEL)


def _label(pen: ImageDraw.ImageDraw, label: Text, left: float, baseline: float) -> None:
    chinese = typeset(label.zh, 18)
    chinese.draw(pen, left, baseline, _LABEL)
    typeset(label.en, 16).draw(pen, left + chinese.width + 8, baseline, _LABEL)


def _centred(pen: ImageDraw.ImageDraw, text: Text, middle: float, baseline: float) -> None:
    line = typeset(f"{text.zh} {text.en}", 20)
    line.draw(pen, middle - line.width / 2, baseline, _LABEL)


@contextmanager
def _naming(field: str) -> Iterator[None]:
    """Say which field cannot be printed; never what stands in it."""
    try:
        yield
    except InputError as error:
        raise InputError(*error.text, where=field) from None


def _photo(data: bytes) -> Image.Image:
    try:
        with Image.open(BytesIO(data), formats=_PHOTO_FORMATS) as photo:
            if photo.width * photo.height <= MAX_PIXELS:
                size = (PHOTO[2] - PHOTO[0], PHOTO[3] - PHOTO[1])
                return ImageOps.fit(photo.convert("RGB"), size, Image.Resampling.LANCZOS, centering=(0.5, 0.25))
    except Exception:  # a broken picture makes the decoders raise almost anything
        raise InputError("照片无法读取", "the photo cannot be read", where="photo") from None
    raise InputError("照片太大", f"the photo has more than {MAX_PIXELS} pixels", where="photo")


def _marked(picture: Image.Image) -> Image.Image:
    """The front with the mark of a specimen across it, through which everything can still be read."""
    mark = Image.new("L", (SIZE[0] * 2, SIZE[0] * 2))
    line = typeset(f"{_SPECIMEN_TEXT.zh} {_SPECIMEN_TEXT.en}", 120)
    line.draw(ImageDraw.Draw(mark), SIZE[0] - line.width / 2, SIZE[0] + 42, _MARK_STRENGTH, bold=True)
    mark = mark.rotate(24, Image.Resampling.BICUBIC)
    left, top = SIZE[0] - SIZE[0] // 2, SIZE[0] - SIZE[1] // 2 - 30
    mark = mark.crop((left, top, left + SIZE[0], top + SIZE[1]))
    picture.paste(_SPECIMEN, mask=mark)
    return picture


def _ground(shapes: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    """What is below the text, with smooth edges."""
    large = Image.new("RGB", (SIZE[0] * _SMOOTH, SIZE[1] * _SMOOTH), _PAPER)
    shapes(ImageDraw.Draw(large))
    return large.reduce(_SMOOTH)


def _front_shapes(pen: ImageDraw.ImageDraw) -> None:
    _spiral(pen, _CONTACTS_CENTRE, 1500, 13.5, 4.0, _PATTERN, clear=_CLEARING)
    _box(pen, (0, 0, SIZE[0], _BAND_HEIGHT), _BAND)
    _spiral(pen, (84, 52), 90, 3.9, 2.3, _WHITE)
    _box(pen, PHOTO, _WHITE, radius=_RADIUS, outline=_PATTERN)
    _box(pen, BADGE, _ACCENT, radius=_RADIUS)
    _box(pen, (_MARGIN, 560, SIZE[0] - _MARGIN, 562), _PATTERN)


def _back_shapes(pen: ImageDraw.ImageDraw) -> None:
    _spiral(pen, (860, 560), 900, 13.0, 4.2, _PATTERN)
    _box(pen, (0, 0, SIZE[0], _BACK_BAND), _BAND)
    left, top = _PANEL_CORNER
    _box(pen, (left, top, left + _PANEL, top + _PANEL), _WHITE, radius=_RADIUS)


def _spiral(
    pen: ImageDraw.ImageDraw,
    centre: tuple[int, int],
    points: int,
    spread: float,
    size: float,
    ink: str,
    *,
    clear: float = 0.0,
) -> None:
    """Points that gather as the seeds of a sunflower do, smaller towards the edge, and none nearer than ``clear``."""
    for number in range(round((clear / spread) ** 2), points):
        distance, angle = spread * sqrt(number + 0.5), number * _GOLDEN_ANGLE
        x, y = centre[0] + distance * cos(angle), centre[1] + distance * sin(angle)
        radius = size * (1 - 0.75 * sqrt(number / points))
        pen.ellipse([_SMOOTH * edge for edge in (x - radius, y - radius, x + radius, y + radius)], ink)


def _box(
    pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], ink: str, *, radius: int = 0, outline: str | None = None
) -> None:
    left, top, right, bottom = (edge * _SMOOTH for edge in box)
    pen.rounded_rectangle((left, top, right - 1, bottom - 1), radius * _SMOOTH, ink, outline, width=2 * _SMOOTH)


def _rounded(size: tuple[int, int]) -> Image.Image:
    """The mask of a box with round corners."""
    large = Image.new("L", (size[0] * _SMOOTH, size[1] * _SMOOTH))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, large.width - 1, large.height - 1), _RADIUS * _SMOOTH, 0xFF)
    return large.reduce(_SMOOTH)
