"""QR pictures: drawn by us, read by zxing-cpp, whole and at half size."""

import string
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from juying.codec import base45, qr
from juying.codec.qr import Medium, draw_qr, encode_qr, png_qr, read_qr, save_qr
from juying.errors import InputError
from juying.text import Text
from tests.codec_credential.fonts import machine

CAPTION = (Text("聚英卡", "Juying Card"), Text("有效期至 2030-05-31", "Valid until 2030-05-31"))
PAYLOAD = "JY1:" + base45.encode(bytes(range(246)))
BLACK, WHITE = 0, 255


@pytest.fixture
def no_chinese_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with machine(monkeypatch):
        yield


@pytest.fixture
def a_chinese_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with machine(monkeypatch, chinese=string.printable + "聚英卡有效期至"):
        yield


@pytest.fixture(params=["zxing-cpp", "qrcode"])
def each_encoder(request: pytest.FixtureRequest) -> Iterator[None]:
    """With the extra ``scan`` installed, and without."""
    if request.param == "qrcode":
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "zxingcpp", None)
            yield
    else:
        yield


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
    return picture


@pytest.mark.parametrize("length", [1, 80, 180, 246, 397])
@pytest.mark.parametrize("medium", Medium)
def test_zxing_reads_every_picture_whole_and_at_half_size(tmp_path: Path, medium: Medium, length: int) -> None:
    text = "JY1:" + base45.encode(bytes(index * 7 % 256 for index in range(length)))
    save_qr(text, tmp_path / "code.png", medium=medium, caption=CAPTION)
    assert read_qr(tmp_path / "code.png") == text
    picture = opened(tmp_path / "code.png").convert("L")
    for resampling in (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS):
        assert read_qr(picture.resize((picture.width // 2, picture.height // 2), resampling)) == text


@pytest.mark.usefixtures("no_chinese_font")
def test_without_a_chinese_font_the_caption_is_english_and_has_no_boxes() -> None:
    bilingual = draw_qr(PAYLOAD, caption=CAPTION)
    english = draw_qr(PAYLOAD, caption=[Text(line.en, line.en) for line in CAPTION])
    assert bilingual.tobytes() == english.tobytes()
    assert read_qr(bilingual) == PAYLOAD


@pytest.mark.usefixtures("a_chinese_font")
def test_with_a_chinese_font_each_line_stands_in_both_languages() -> None:
    bilingual = draw_qr(PAYLOAD, caption=[Text("Zhongwen", "English")])
    english = draw_qr(PAYLOAD, caption=[Text("English", "English")])
    assert bilingual.height > english.height
    assert read_qr(bilingual) == PAYLOAD


def test_a_font_without_a_character_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(monkeypatch, chinese="聚"):
        english = draw_qr(PAYLOAD, caption=[Text("Card", "Card")])
        assert draw_qr(PAYLOAD, caption=[Text("聚英卡", "Card")]).tobytes() == english.tobytes()


@pytest.mark.parametrize("medium", Medium)
@pytest.mark.usefixtures("no_chinese_font")
def test_modules_are_crisp_and_the_quiet_zone_is_four_wide(medium: Medium) -> None:
    """Every module is a square of one pure colour, and four modules around the symbol are white."""
    picture = draw_qr(PAYLOAD, medium=medium, caption=CAPTION).convert("L")
    side = picture.width
    assert side % qr.MODULE == 0
    symbol = picture.crop((0, 0, side, side))
    centres = symbol.resize((side // qr.MODULE, side // qr.MODULE), Image.Resampling.NEAREST)
    assert centres.resize((side, side), Image.Resampling.NEAREST).tobytes() == symbol.tobytes()
    assert {colour for _, colour in symbol.getcolors() or ()} == {BLACK, WHITE}
    quiet = qr.QUIET_ZONE * qr.MODULE
    inverted = symbol.point(lambda value: WHITE - value)
    assert inverted.getbbox() == (quiet, quiet, side - quiet, side - quiet)


@pytest.mark.usefixtures("each_encoder")
def test_screens_get_fewer_modules_than_paper() -> None:
    """Level L against M: version 10 against 12 for the 246 bytes of a full credential."""
    assert {medium: encode_qr(PAYLOAD, medium=medium).version for medium in Medium} == {
        Medium.SCREEN: 10,
        Medium.PAPER: 12,
    }


@pytest.mark.parametrize("medium", Medium)
def test_the_level_of_correction_is_that_of_the_medium(medium: Medium) -> None:
    found = zxingcpp.read_barcode(draw_qr(PAYLOAD, medium=medium))
    assert found is not None
    assert found.ec_level == medium.level


@settings(max_examples=25)
@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", min_size=1, max_size=600), st.sampled_from(Medium))
def test_both_encoders_make_symbols_of_the_same_size_that_read_back(text: str, medium: Medium) -> None:
    fast, slow = encode_qr(text, medium=medium), qr._encode_slowly(text, medium)
    assert fast.version == slow.version
    for symbol in (fast, slow):
        picture = Image.new("L", (symbol.side + 8, symbol.side + 8), WHITE)
        picture.paste(Image.frombytes("L", (symbol.side, symbol.side), symbol.modules), (4, 4))
        assert read_qr(picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.NEAREST)) == text


def test_the_same_picture_is_the_same_file() -> None:
    assert png_qr(PAYLOAD, caption=CAPTION) == png_qr(PAYLOAD, caption=CAPTION)


def test_a_symbol_does_not_show_its_contents_in_its_repr() -> None:
    assert repr(encode_qr("A")) == "Symbol(side=21)"


@pytest.mark.parametrize(("medium", "dpi"), [(Medium.SCREEN, None), (Medium.PAPER, 300)])
def test_only_paper_has_a_printed_size(tmp_path: Path, medium: Medium, dpi: int | None) -> None:
    save_qr(PAYLOAD, tmp_path / "code.png", medium=medium)
    found = opened(tmp_path / "code.png").info.get("dpi")
    assert (round(found[0]) if found else None) == dpi


def test_files_are_small(tmp_path: Path) -> None:
    save_qr(PAYLOAD, tmp_path / "plain.png")
    save_qr(PAYLOAD, tmp_path / "caption.png", caption=CAPTION)
    assert (tmp_path / "plain.png").stat().st_size < 6_000
    assert (tmp_path / "caption.png").stat().st_size < 20_000


@pytest.mark.usefixtures("a_chinese_font")
def test_pictures_have_sixteen_greys_of_four_bits(tmp_path: Path) -> None:
    data = png_qr(PAYLOAD, caption=CAPTION)
    bit_depth, colour_type = data[24], data[25]
    assert (bit_depth, colour_type) == (4, 0)
    save_qr(PAYLOAD, tmp_path / "caption.png", caption=CAPTION)
    assert (tmp_path / "caption.png").read_bytes() == data
    assert {colour for _, colour in opened(tmp_path / "caption.png").getcolors() or ()} <= set(range(0, 256, 17))


@pytest.mark.usefixtures("no_chinese_font")
def test_a_long_caption_shrinks_and_then_widens_the_picture() -> None:
    plain = draw_qr(PAYLOAD)
    long = Text("", "A caption that is wider than the code " * 2)
    endless = Text("", "A caption that does not fit at all " * 6)
    assert draw_qr(PAYLOAD, caption=[long]).width == plain.width
    wide = draw_qr(PAYLOAD, caption=[endless])
    assert wide.width > plain.width
    assert read_qr(wide) == PAYLOAD


def test_the_caption_is_centred() -> None:
    picture = draw_qr(PAYLOAD, caption=[Text("Card", "Card")]).convert("L")
    text = picture.crop((0, picture.width, picture.width, picture.height)).point(lambda value: WHITE - value)
    box = text.getbbox()
    assert box is not None
    assert abs(box[0] - (picture.width - box[2])) <= 4


@pytest.mark.usefixtures("each_encoder")
def test_a_text_beyond_version_40_is_refused() -> None:
    with pytest.raises(InputError, match="too long"):
        draw_qr("A" * 5000)


def test_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        draw_qr("")


def test_a_code_on_a_transparent_ground_is_read() -> None:
    dark = draw_qr(PAYLOAD).convert("L").point(lambda value: WHITE - value)
    picture = Image.new("RGBA", dark.size, (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), mask=dark)
    assert read_qr(picture) == PAYLOAD


def test_a_picture_without_a_code_is_refused(tmp_path: Path) -> None:
    Image.new("L", (100, 100), WHITE).save(tmp_path / "white.png")
    with pytest.raises(InputError, match="no QR code") as caught:
        read_qr(tmp_path / "white.png")
    assert caught.value.where.endswith("white.png")


def test_two_codes_are_not_guessed_between() -> None:
    one, other = draw_qr("ONE"), draw_qr("OTHER")
    both = Image.new("L", (one.width + other.width, one.height), WHITE)
    both.paste(one, (0, 0))
    both.paste(other, (one.width, 0))
    with pytest.raises(InputError, match="several"):
        read_qr(both)


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"],
    ids=["empty", "text", "torn PNG", "PostScript"],
)
def test_a_file_that_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.png").write_bytes(content)
    with pytest.raises(InputError, match="not a readable picture"):
        read_qr(tmp_path / "file.png")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such picture"):
        read_qr(tmp_path / "none.png")


@pytest.mark.parametrize("side", [8_000, 10_000, 20_000], ids=["over our limit", "Pillow warns", "Pillow refuses"])
def test_a_decompression_bomb_is_refused_before_it_unpacks(tmp_path: Path, side: int) -> None:
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    with pytest.raises(InputError):
        read_qr(tmp_path / "bomb.png")


def test_without_zxing_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    with pytest.raises(InputError, match=r"pip install 'juying\[scan\]'"):
        read_qr("any.png")
