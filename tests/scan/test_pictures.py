"""Codes in files: every kind of picture, PDF pages, and files that are neither."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from juying.codec.png import grey_png
from juying.codec.qr import draw_qr, save_qr
from juying.errors import InputError
from juying.scan import pdf, pictures
from juying.scan.pictures import read_picture, texts_in
from tests.scan.frames import FOREIGN, OURS, OURS_TOO, View, frame


def saved(picture: Image.Image, kind: str, more: Sequence[Image.Image] = (), **options: object) -> bytes:
    file = BytesIO()
    series = {"save_all": True, "append_images": more} if more else {}
    picture.save(file, kind, **series, **options)
    return file.getvalue()


def test_our_own_pictures_are_read_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_qr(OURS, tmp_path / "code.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert read_picture(tmp_path / "code.png") == OURS


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_kind_of_picture_is_read(kind: str, mode: str) -> None:
    assert texts_in(saved(frame((OURS, View(turned=10))).convert(mode), kind)) == (OURS,)


def test_a_plain_picture_that_needs_a_second_look_gets_it(tmp_path: Path) -> None:
    dark = frame((OURS, View(light=0.04, turned=5)))
    rows = [dark.crop((0, row, dark.width, row + 1)).tobytes() for row in range(dark.height)]
    (tmp_path / "dark.png").write_bytes(grey_png(rows, *dark.size, bits=8))
    assert read_picture(tmp_path / "dark.png") == OURS


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "I;16", "I"])
def test_every_mode_is_read(mode: str) -> None:
    code = draw_qr(OURS).convert("L")
    if mode == "I;16":
        picture = code.convert("I").point(lambda value: value * 257).convert("I;16")
    else:
        picture = code.convert(mode)
    assert texts_in(saved(picture, "TIFF")) == (OURS,)


def test_transparent_counts_as_white() -> None:
    code = draw_qr(OURS).convert("L")
    picture = Image.new("RGBA", code.size, (0, 0, 0, 0))
    picture.putalpha(code.point([255 - value for value in range(256)]))
    assert texts_in(saved(picture, "PNG")) == (OURS,)


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_every_picture_of_a_file_is_looked_at(kind: str) -> None:
    empty, code = frame(size=(640, 480)), frame((OURS, View(at=(320, 240))), size=(640, 480))
    assert texts_in(saved(empty, kind, [empty, code])) == (OURS,)


def test_no_more_pictures_of_a_file_than_the_limit_are_looked_at() -> None:
    empty, code = Image.new("L", (400, 400)), frame((OURS, View(at=(200, 200))), size=(400, 400))
    pages = [empty] * (pictures.MAX_LAYERS - 1)
    assert texts_in(saved(empty, "TIFF", [*pages[1:], code])) == (OURS,)
    assert texts_in(saved(empty, "TIFF", [*pages, code])) == ()


def test_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InputError, match="more than 50000000 pixels"):
        texts_in(saved(Image.new("1", (8000, 8000)), "PNG"))
    with pytest.raises(InputError, match="picture"):
        texts_in(saved(Image.new("1", (14000, 14000)), "PNG"))  # over Pillow's own limit too


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_FILE", 1 << 20)
    (tmp_path / "large.png").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(InputError, match="larger than 1 MiB"):
        read_picture(tmp_path / "large.png")


@pytest.mark.parametrize("name", ["missing.png", "\0", "."])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_picture(tmp_path / name)
    assert caught.value.where


BROKEN = {
    "empty": b"",
    "text": b"hello",
    "half a PNG": saved(frame((OURS, View())), "PNG")[:5000],
    "half a JPEG": saved(frame((OURS, View())), "JPEG")[:3000],
    "a picture whose reader runs other programs": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "half a PDF": saved(frame((OURS, View())), "PDF")[:3000],
    "PDF in name only": b"%PDF-1.7\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_refused_with_its_name(what: str, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(BROKEN[what])
    with pytest.raises(InputError, match="not a readable") as caught:
        read_picture(tmp_path / "broken")
    assert caught.value.where.endswith("broken")


def test_the_page_of_a_pdf_is_read(tmp_path: Path) -> None:
    """Ours among others, with what is on other pages counted too."""
    scan = frame((OURS, View(turned=3, at=(600, 300))), (FOREIGN, View(at=(1000, 500), width=200)))
    (tmp_path / "scan.pdf").write_bytes(saved(frame(), "PDF", [scan], resolution=150))
    assert read_picture(tmp_path / "scan.pdf") == OURS
    (tmp_path / "two.pdf").write_bytes(saved(scan.copy(), "PDF", [frame((OURS_TOO, View()))], resolution=150))
    with pytest.raises(InputError, match="one at a time"):
        read_picture(tmp_path / "two.pdf")


def test_a_pdf_without_a_code_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty.pdf").write_bytes(saved(frame(), "PDF"))
    with pytest.raises(InputError, match="no QR code can be read"):
        read_picture(tmp_path / "empty.pdf")


def test_a_pdf_of_many_pages_is_refused() -> None:
    page = Image.new("L", (9, 9))
    assert texts_in(saved(page, "PDF", [page] * (pdf.MAX_PAGES - 1))) == ()
    with pytest.raises(InputError, match="21 pages, at most 20"):
        texts_in(saved(page, "PDF", [page] * pdf.MAX_PAGES))


def test_a_page_like_a_field_is_seen_less_sharply_but_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    original = pictures.read_frame
    monkeypatch.setattr(pictures, "read_frame", lambda picture: sizes.append(picture.size) or original(picture))
    poster = draw_qr(OURS).convert("L")
    assert texts_in(saved(poster, "PDF", resolution=72 / 18)) == (OURS,)
    ((width, height),) = sizes
    assert 0.9 * pdf.MAX_PAGE_PIXELS < width * height < 1.1 * pdf.MAX_PAGE_PIXELS


def test_a_pdf_that_is_left_half_read_can_be_read_again() -> None:
    """PDFium runs one at a time; whoever stops early must not keep it."""
    data = saved(frame((OURS, View())), "PDF", [frame((OURS_TOO, View()))])
    first, second = pictures.pictures_in(data), pictures.pictures_in(data)
    next(first)
    assert next(second).mode == "L"
    first.close()
    assert len(list(second)) == 1


def test_a_missing_pdf_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(InputError, match=r"juying\[scan\]"):
        texts_in(saved(frame(), "PDF"))


HEADS = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0", b"P5 3 3 255\n", b"%PDF-1.4\n"]


@settings(max_examples=200)
@given(st.sampled_from(HEADS), st.binary(max_size=300))
def test_no_bytes_raise_anything_else(head: bytes, tail: bytes) -> None:
    with suppress(InputError):
        assert isinstance(texts_in(head + tail), tuple)


@settings(max_examples=40)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "PDF", "TIFF"]), st.data())
def test_no_damage_raises_anything_else(kind: str, data: st.DataObject) -> None:
    good = bytearray(saved(frame((OURS, View(at=(200, 200))), size=(400, 400)), kind))
    for _ in range(data.draw(st.integers(1, 5))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        assert isinstance(texts_in(bytes(good)), tuple)
