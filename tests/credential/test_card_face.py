"""The printed card: sizes, what stands where, long and rare names, the specimen mark, and the code on the back."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from stat import S_IMODE

import pytest
from PIL import Image, ImageChops

from juying.codec.qr import read_qr
from juying.credential import card_face
from juying.credential.card_face import CONTACTS, PHOTO, SIZE, CardFace, draw_back, draw_front, save_faces
from juying.credential.claims import Claims, Tier
from juying.credential.issue import issue, to_text
from juying.credential.trust import TrustList
from juying.credential.verify import Verification, verify
from juying.errors import InputError
from juying.model import PermitCategory
from juying.text import Text
from tests.codec_credential.fonts import RARE, machine
from tests.credential.samples import HOLDER, ISSUED, NOW, PERMIT, SIGNER, TRUST, claims, trusted

HAN = "聚英卡外国人来华工作许可姓名国籍证编号卡有效期签发机关照片电子凭扫码离线验与请核对持拾到交还样本"
HAN += "安娜乌托邦（仅用于样本）测试高端才专业其他人员越南"
CARD_NUMBER = "JY0000015"


@pytest.fixture(autouse=True)
def fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Chinese font on every machine."""
    with machine(monkeypatch, chinese=HAN, others="–"):
        yield


def jpeg(colour: str = "blue", size: tuple[int, int] = (260, 320)) -> bytes:
    data = BytesIO()
    Image.new("RGB", size, colour).save(data, "JPEG")
    return data.getvalue()


def shown(tier: Tier = Tier.FULL, trust: TrustList = TRUST, **changes: object) -> tuple[str, Verification]:
    text = to_text(issue(replace(claims(tier), **changes), SIGNER))
    return text, verify(text, trust, now=NOW)


def face(**changes: object) -> CardFace:
    """The card of the sample person, with other claims."""
    code, verified = shown()
    drawn = CardFace.of(verified, code=code, shown=verified, card_number=CARD_NUMBER, photo=jpeg())
    return replace(drawn, claims=replace(drawn.claims, **changes))


def differing(one: Image.Image, other: Image.Image) -> tuple[int, int, int, int] | None:
    return ImageChops.difference(one, other).getbbox()


def test_both_faces_have_the_size_of_a_card_at_300_dpi() -> None:
    """85.60 x 53.98 mm (ID-1 of ISO/IEC 7810)."""
    assert (round(85.60 / 25.4 * 300), round(53.98 / 25.4 * 300)) == SIZE
    for picture in (draw_front(face()), draw_back(face())):
        assert (picture.mode, picture.size) == ("RGB", SIZE)


@pytest.mark.parametrize("tier", Tier)
def test_the_code_on_the_back_reads_whole_and_at_half_size(tier: Tier) -> None:
    _, full = shown()
    code, verified = shown(tier)
    back = draw_back(CardFace.of(full, code=code, shown=verified, card_number=CARD_NUMBER))
    assert read_qr(back) == code
    assert read_qr(back.resize((back.width // 2, back.height // 2))) == code


def test_the_place_of_the_contacts_stays_free() -> None:
    """Contacts lie between 10.25 and 19.87 mm from the left and 19.23 and 28.55 mm from the top (ISO/IEC 7816-2)."""
    millimetres = [edge / 300 * 25.4 for edge in CONTACTS]
    assert millimetres[0] < 10.25
    assert millimetres[1] < 19.23
    assert millimetres[2] > 19.87
    assert millimetres[3] > 28.55
    front = draw_front(face())
    assert len(front.crop(CONTACTS).getcolors() or ()) == 1


def test_the_photo_fills_its_place() -> None:
    inside = (PHOTO[0] + 12, PHOTO[1] + 12, PHOTO[2] - 12, PHOTO[3] - 12)
    for colour in ("blue", "green"):
        front = draw_front(replace(face(), photo=jpeg(colour)))
        (_, found), *others = front.crop(inside).getcolors() or ()
        assert not others
        assert found == Image.open(BytesIO(jpeg(colour))).convert("RGB").getpixel((5, 5))


def test_without_a_photo_its_place_is_white() -> None:
    front = draw_front(replace(face(), photo=None))
    assert front.getpixel((PHOTO[0] + 12, PHOTO[1] + 12)) == (255, 255, 255)


@pytest.mark.parametrize("data", [b"", b"no picture", jpeg()[:100]], ids=["empty", "text", "torn"])
def test_a_broken_photo_is_reported(data: bytes) -> None:
    with pytest.raises(InputError, match="photo cannot be read") as caught:
        draw_front(replace(face(), photo=data))
    assert caught.value.where == "photo"


def test_a_photo_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_face, "MAX_PIXELS", 100)
    with pytest.raises(InputError, match="more than 100 pixels"):
        draw_front(face())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "MUSTERFRAU ERIKA"),
        ("chinese_name", "安"),
        ("nationality", "VNM"),
        ("permit_number", "331002202600009"),
        ("category", PermitCategory.C),
    ],
)
def test_each_field_of_the_permit_stands_on_the_front(field: str, value: object) -> None:
    assert differing(draw_front(face()), draw_front(face(**{field: value}))) is not None


def test_card_number_and_issuer_stand_on_the_front() -> None:
    plain = draw_front(face())
    assert differing(plain, draw_front(replace(face(), card_number="JY000007X"))) is not None
    other = draw_front(replace(face(), issuer=Text("测试", "another issuer")))
    box = differing(plain, other)
    assert box is not None
    assert box[1] > 560, "the issuer is at the bottom"


@pytest.mark.parametrize(
    "name",
    ["SCHNEEFLOCKENWANDERSTEINER MAXIMILIANE ROSALINDE BEISPIELHAFTER", "X" * 60, "A B C " * 16 + "ABCD", "O"],
)
@pytest.mark.parametrize("chinese_name", ["安娜", ""])
def test_long_names_fit_between_contacts_and_photo(name: str, chinese_name: str) -> None:
    ground = draw_front(face(name="I", chinese_name=""))
    box = differing(ground, draw_front(face(name=name, chinese_name=chinese_name)))
    assert box is not None
    left, top, right, bottom = box
    assert left >= CONTACTS[2] + 8
    assert right <= PHOTO[0]
    assert top >= PHOTO[1]
    assert bottom <= 380, "above the label of the next field"


def test_a_hundred_chinese_characters_still_fit() -> None:
    draw_front(face(chinese_name="安娜" * 20))


def test_a_country_that_is_not_in_the_table_stands_as_its_code() -> None:
    assert differing(draw_front(face()), draw_front(face(nationality="XXB"))) is not None


def test_a_rare_character_comes_from_another_font(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(monkeypatch, chinese=HAN, others=f"–{RARE}"):
        draw_front(face(chinese_name=f"安{RARE}"))


def test_a_character_that_no_font_has_is_an_error_with_the_field_and_never_a_box() -> None:
    with pytest.raises(InputError, match="fonts-babelstone-han") as caught:
        draw_front(face(chinese_name=f"安{RARE}"))
    assert caught.value.where == "chinese_name"
    assert RARE not in str(caught.value)


def test_without_a_chinese_font_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(monkeypatch), pytest.raises(InputError, match="fonts-wqy-microhei"):
        draw_front(face())


def test_the_card_of_a_demonstration_is_marked_on_both_faces() -> None:
    demonstration = TrustList([trusted(demonstration=True)])
    code, verified = shown(trust=demonstration)
    specimen = CardFace.of(verified, code=code, shown=verified, card_number=CARD_NUMBER, photo=jpeg())
    assert specimen.specimen
    for draw in (draw_front, draw_back):
        assert differing(draw(specimen), draw(replace(specimen, specimen=False))) is not None
    assert read_qr(draw_back(specimen)) == code


def test_the_same_card_is_the_same_picture(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        front, back = save_faces(face(), tmp_path / name)
        assert (front.name, back.name) == ("front.png", "back.png")
    for name in ("front.png", "back.png"):
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
        assert S_IMODE(one.stat().st_mode) == 0o600, "it is personal data"
        with Image.open(one) as picture:
            assert [round(dpi) for dpi in picture.info["dpi"]] == [300, 300]
            assert picture.size == SIZE


def test_a_face_is_made_of_genuine_credentials_of_one_permit_only() -> None:
    code, full = shown()
    minimal_code, minimal = shown(Tier.MINIMAL)
    other_code, other = shown(permit_number="ANOTHER")
    forged = verify(code, TrustList(), now=NOW)
    for who, text, what, message in (
        (forged, code, full, "does not verify"),
        (full, code, forged, "does not verify"),
        (minimal, minimal_code, minimal, "holds no name"),
        (full, other_code, other, "different permits"),
    ):
        with pytest.raises(InputError, match=message):
            CardFace.of(who, code=text, shown=what, card_number=CARD_NUMBER)


def test_a_face_shows_nothing_personal_in_its_repr() -> None:
    shown_as = repr(face())
    assert "ERIKSSON" not in shown_as
    assert CARD_NUMBER not in shown_as
    assert "JY1:" not in shown_as


def test_the_sample_permit_is_one_that_an_office_would_print() -> None:
    """The face is drawn from the claims as the office signs them."""
    signed = Claims.of(HOLDER, PERMIT, tier=Tier.FULL, issued_at=ISSUED)
    assert draw_front(replace(face(), claims=signed)).tobytes() == draw_front(face()).tobytes()
