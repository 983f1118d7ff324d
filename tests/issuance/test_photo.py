"""Any picture becomes an upright, bare JPEG of 26 : 32 that fits the card."""

import io
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from juying.errors import FieldError
from juying.issuance import photo
from juying.issuance.photo import CAPACITY, card_photo

EXAMPLES = Path(__file__).parents[2] / "examples" / "photos"
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 30), (30, 30, 220), (220, 220, 30)
Colour = tuple[int, int, int]


def quarters(width: int = 260, height: int = 320) -> Image.Image:
    """Red and green above, blue and yellow below: tells how a picture was turned."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(YELLOW, (width // 2, height // 2, width, height))
    return picture


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(3 * width * height))


def opened(jpeg: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(jpeg))
    picture.load()
    assert picture.format == "JPEG"
    assert picture.mode == "RGB"
    return picture


def near(picture: Image.Image, place: tuple[float, float], colour: Colour, within: int = 24) -> bool:
    """Whether the picture has about this colour at a place given in parts of its size."""
    pixel = picture.getpixel((int(place[0] * picture.width), int(place[1] * picture.height)))
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= within for a, b in zip(pixel, colour, strict=True))


def shows_quarters(picture: Image.Image) -> bool:
    places = {(0.1, 0.1): RED, (0.9, 0.1): GREEN, (0.1, 0.9): BLUE, (0.9, 0.9): YELLOW}
    return all(near(picture, place, colour, 40) for place, colour in places.items())


def refused(path: Path, **options: int) -> str:
    with pytest.raises(FieldError) as caught:
        card_photo(path, **options)
    assert caught.value.field == "photo"
    assert path.name not in str(caught.value)
    return caught.value.problem.en


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tiff", "a.gif", "a.webp", "a.jp2", "a.ppm", "a.tga"])
def test_every_format_gives_the_same_picture(tmp_path: Path, name: str) -> None:
    quarters().save(tmp_path / name)
    jpeg = card_photo(tmp_path / name)
    picture = opened(jpeg)
    assert len(jpeg) <= CAPACITY == 4094
    assert shows_quarters(picture)
    assert picture.size == (260, 320)


@pytest.mark.parametrize(
    ("mode", "name"),
    [("CMYK", "a.jpg"), ("CMYK", "a.tiff"), ("P", "a.png"), ("RGBA", "a.png"), ("YCbCr", "a.jpg"), ("RGBX", "a.tiff")],
)
def test_every_colour_mode_gives_the_same_picture(tmp_path: Path, mode: str, name: str) -> None:
    quarters().convert(mode).save(tmp_path / name)
    assert shows_quarters(opened(card_photo(tmp_path / name)))


@pytest.mark.parametrize(
    ("mode", "value", "name", "grey"),
    [
        ("L", 100, "a.png", 100),
        ("1", 1, "a.png", 255),
        ("I;16", 100 * 257, "a.png", 100),
        ("I;16", 100 * 257, "a.tiff", 100),
        ("I;16B", 100 * 257, "a.tiff", 100),
        ("I", 65535, "a.tiff", 255),
        ("I", 100, "a.tiff", 100),
        ("I", 2**20, "a.tiff", 255),
        ("F", 0.5, "a.tiff", 128),
        ("F", 100.0, "a.tiff", 100),
    ],
)
def test_grey_pictures_of_any_depth_keep_their_brightness(
    tmp_path: Path, mode: str, value: float, name: str, grey: int
) -> None:
    Image.new(mode, (130, 160), value).save(tmp_path / name)
    assert near(opened(card_photo(tmp_path / name)), (0.5, 0.5), (grey, grey, grey), 3)


def test_grey_of_sixteen_bits_keeps_its_contrast(tmp_path: Path) -> None:
    half = 130 * 80
    pixels = (60000).to_bytes(2, "little") * half + (20000).to_bytes(2, "little") * half
    Image.frombytes("I;16", (130, 160), pixels).save(tmp_path / "a.png")
    jpeg = opened(card_photo(tmp_path / "a.png"))
    assert near(jpeg, (0.5, 0.1), (233, 233, 233), 4)
    assert near(jpeg, (0.5, 0.9), (78, 78, 78), 4)


def transparent(mode: str) -> Image.Image:
    """A red picture whose upper half is transparent, in different ways."""
    picture = Image.new("RGBA", (130, 160), (220, 30, 30, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 130, 80))
    if mode == "P":
        return picture.quantize(8, method=Image.Quantize.FASTOCTREE)
    return picture if mode == "RGBA" else picture.convert(mode)


@pytest.mark.parametrize(("mode", "name"), [("RGBA", "a.png"), ("RGBA", "a.webp"), ("P", "a.png"), ("LA", "a.png")])
def test_what_is_transparent_becomes_white(tmp_path: Path, mode: str, name: str) -> None:
    transparent(mode).save(tmp_path / name)
    assert near(opened(card_photo(tmp_path / name)), (0.5, 0.1), (255, 255, 255), 6)


def test_a_colour_declared_transparent_becomes_white(tmp_path: Path) -> None:
    picture = quarters()
    picture.save(tmp_path / "a.png", transparency=RED)
    assert near(opened(card_photo(tmp_path / "a.png")), (0.1, 0.1), (255, 255, 255), 6)


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tiff", "a.webp"])
def test_every_exif_orientation_is_turned_upright(tmp_path: Path, orientation: int, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    quarters().transpose(TURNS[orientation]).save(tmp_path / name, exif=exif)
    assert shows_quarters(opened(card_photo(tmp_path / name)))


def test_no_metadata_is_left(tmp_path: Path) -> None:
    """EXIF with a place, a comment, a colour profile and a resolution go in; pixels alone come out."""
    exif = Image.Exif()
    exif[0x010F] = "MAKER"
    exif.get_ifd(0x8825)[1] = "N"
    quarters().save(
        tmp_path / "a.jpg", exif=exif, comment=b"COMMENT", icc_profile=b"PROFILE", dpi=(300, 300), xmp=b"XMPDATA"
    )
    jpeg = card_photo(tmp_path / "a.jpg")
    picture = opened(jpeg)
    assert not picture.getexif()
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    for trace in (b"MAKER", b"COMMENT", b"PROFILE", b"XMPDATA", b"Exif"):
        assert trace not in jpeg


def test_text_in_a_png_is_not_taken_over(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "SECRET")
    quarters().save(tmp_path / "a.png", pnginfo=text)
    assert b"SECRET" not in card_photo(tmp_path / "a.png")


def test_a_wide_picture_loses_its_sides_and_a_high_one_more_below_than_above(tmp_path: Path) -> None:
    wide = Image.new("RGB", (600, 320), RED)
    wide.paste(GREEN, (170, 0, 430, 320))
    wide.save(tmp_path / "wide.png")
    picture = opened(card_photo(tmp_path / "wide.png"))
    assert near(picture, (0.03, 0.5), GREEN)
    assert near(picture, (0.97, 0.5), GREEN)

    high = Image.new("RGB", (260, 720), RED)
    high.paste(GREEN, (0, 100, 260, 420))
    high.save(tmp_path / "high.png")
    picture = opened(card_photo(tmp_path / "high.png"))
    assert near(picture, (0.5, 0.03), GREEN)
    assert near(picture, (0.5, 0.97), GREEN)


@pytest.mark.parametrize("size", [(104, 128), (105, 400), (260, 320), (351, 432), (3000, 2000)])
@pytest.mark.parametrize("seed", [None, 7])
def test_size_is_a_multiple_of_13_by_16_and_never_enlarged(
    tmp_path: Path, size: tuple[int, int], seed: int | None
) -> None:
    picture = quarters(*size) if seed is None else noise(*size, seed=seed)
    picture.save(tmp_path / "a.png", compress_level=1)
    jpeg = card_photo(tmp_path / "a.png", capacity=8000)
    width, height = opened(jpeg).size
    assert len(jpeg) <= 8000
    assert width * 16 == height * 13
    assert 104 <= width <= min(351, size[0])


def test_more_room_gives_more_picture(tmp_path: Path) -> None:
    """The same photo gets larger with the room, and uses most of it."""
    noise(60, 80).resize((600, 800), Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    sizes = []
    for capacity in (4094, 12_000, 60_000):
        jpeg = card_photo(tmp_path / "a.png", capacity=capacity)
        assert len(jpeg) <= capacity
        assert len(jpeg) > capacity * 0.75 or opened(jpeg).size == (351, 432)
        sizes.append(opened(jpeg).width)
    assert sizes == sorted(set(sizes))


def test_the_busiest_picture_still_fits(tmp_path: Path) -> None:
    """Noise is the worst case for a JPEG: it sinks to the smallest size and a low quality, but fits."""
    noise(104, 128).save(tmp_path / "a.png")
    jpeg = card_photo(tmp_path / "a.png")
    assert CAPACITY * 0.9 < len(jpeg) <= CAPACITY
    assert opened(jpeg).size == (104, 128)


def test_the_same_file_gives_the_same_bytes() -> None:
    path = EXAMPLES / "eriksson.jpg"
    assert card_photo(path) == card_photo(path)


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_the_example_pictures_fit(path: Path) -> None:
    jpeg = card_photo(path)
    assert len(jpeg) <= CAPACITY
    picture = opened(jpeg)
    assert picture.width >= 200
    assert picture.width < picture.height


def test_only_the_first_frame_counts(tmp_path: Path) -> None:
    Image.new("RGB", (130, 160), RED).save(
        tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (130, 160), BLUE)]
    )
    assert near(opened(card_photo(tmp_path / "a.gif")), (0.5, 0.5), RED)


def test_files_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    quarters().save(tmp_path / "whole.jpg")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:700])
    assert "cannot be read" in refused(tmp_path / "text.jpg")
    assert "cannot be read" in refused(tmp_path / "empty.jpg")
    assert "cannot be read" in refused(tmp_path / "torn.jpg")
    assert "no such picture" in refused(tmp_path / "missing.jpg")
    assert "cannot be read" in refused(tmp_path)


def test_formats_that_would_start_another_program_are_not_opened(tmp_path: Path) -> None:
    quarters().save(tmp_path / "a.eps")
    assert "cannot be read" in refused(tmp_path / "a.eps")


@pytest.mark.parametrize("size", [(103, 128), (104, 127), (1, 1), (1000, 100)])
def test_a_picture_that_is_too_small_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert "too small" in refused(tmp_path / "a.png")


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (9_000, 9_000)).save(path)
    assert "too large" in refused(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    assert "too large" in refused(path)
    monkeypatch.setattr(photo, "MAX_FILE", 10)
    assert "too large" in refused(path)


def test_a_picture_between_pillows_limits_raises_no_warning(tmp_path: Path) -> None:
    """Pillow warns from 89 megapixels on; here warnings are errors, and the refusal is ours."""
    Image.new("1", (9_500, 9_500)).save(tmp_path / "a.png")
    assert "too large" in refused(tmp_path / "a.png")


def test_a_capacity_that_nothing_fits_is_refused() -> None:
    assert "cannot be compressed" in refused(EXAMPLES / "eriksson.jpg", capacity=500)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_any_damage_gives_a_picture_or_a_field_error(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["a.jpg", "a.png", "a.gif", "a.tiff", "a.webp"]))
    buffer = io.BytesIO()
    quarters(130, 160).save(buffer, {"jpg": "JPEG"}.get(name[2:], name[2:]))
    raw = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / name).write_bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw)
    try:
        jpeg = card_photo(tmp_path / name)
    except FieldError:
        return
    assert len(jpeg) <= CAPACITY
    opened(jpeg)
