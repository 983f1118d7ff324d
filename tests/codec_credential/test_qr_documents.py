"""QR codes as SVG and PDF: well formed, read back by zxing-cpp, the same every time, and laid out on sheets."""

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator

import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from juying.codec import base45
from juying.codec.pdf import A4, MILLIMETRE
from juying.codec.qr import Medium, encode_qr, read_qr
from juying.codec.qr_pdf import Grid, Labelled, pdf_qr, pdf_sheets
from juying.codec.svg import svg_qr
from juying.errors import InputError
from juying.text import Text
from tests.codec_credential.fonts import machine

CAPTION = (Text("聚英卡", "Juying Card"), Text("有效期至 2030-05-31", "Valid until <2030-05-31> & so on"))
PAYLOAD = "JY1:" + base45.encode(bytes(range(246)))
SVG = "{http://www.w3.org/2000/svg}"
_RUN = re.compile(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z")


def payloads(count: int) -> list[str]:
    return ["JY1:" + base45.encode(bytes([number]) * 180) for number in range(count)]


def rasterised(svg: bytes) -> Image.Image:
    """The path of an SVG picture, drawn a pixel to a unit by a reader of our own."""
    root = ET.fromstring(svg)
    _, _, width, height = (int(number) for number in root.attrib["viewBox"].split())
    path = root.find(f"{SVG}path")
    assert path is not None
    left, top, module = (int(number) for number in re.findall(r"\d+", path.attrib["transform"]))
    picture = Image.new("L", (width, height), 255)
    assert _RUN.sub("", path.attrib["d"]) == ""
    for x, y, run, back in _RUN.findall(path.attrib["d"]):
        assert run == back
        corner = left + int(x) * module, top + int(y) * module
        picture.paste(0, (*corner, corner[0] + int(run) * module, corner[1] + module))
    return picture


def rendered(pdf: bytes, dpi: int = 150) -> Iterator[Image.Image]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        for page in document:
            yield page.render(scale=dpi / 72).to_pil().convert("L")
            page.close()
    finally:
        document.close()


@pytest.mark.parametrize("medium", Medium)
def test_the_path_of_an_svg_reads_back(medium: Medium) -> None:
    picture = rasterised(svg_qr(PAYLOAD, medium=medium, caption=CAPTION))
    assert read_qr(picture) == PAYLOAD
    assert read_qr(picture.resize((picture.width // 2, picture.height // 2))) == PAYLOAD


def test_the_caption_of_an_svg_is_text_in_both_languages_with_fonts_to_choose_from() -> None:
    root = ET.fromstring(svg_qr(PAYLOAD, caption=CAPTION))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts == ["聚英卡", "Juying Card", "有效期至 2030-05-31", "Valid until <2030-05-31> & so on"]
    (group,) = root.iter(f"{SVG}g")
    assert group.attrib["font-family"].endswith("sans-serif")
    assert root.findtext(f"{SVG}title") == "聚英卡 / Juying Card"


def test_an_svg_is_the_same_whatever_fonts_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = svg_qr(PAYLOAD, caption=CAPTION)
    with machine(monkeypatch):
        assert svg_qr(PAYLOAD, caption=CAPTION) == here


def test_an_svg_prints_at_the_size_of_the_picture_for_paper() -> None:
    """0.68 mm a module: 8 pixels at 300 dpi."""
    root = ET.fromstring(svg_qr(PAYLOAD, medium=Medium.PAPER))
    modules = encode_qr(PAYLOAD, medium=Medium.PAPER).side + 8
    assert root.attrib["width"] == root.attrib["height"] == f"{modules * 8 * 25.4 / 300:.2f}mm"
    assert not list(root.iter(f"{SVG}text"))


def test_no_line_of_an_svg_leaves_the_picture() -> None:
    """Even in a font as wide as our estimate, which is wider than usual ones."""
    long = Text("很长的说明文字" * 6, "A caption that does not fit below the code at all " * 3)
    root = ET.fromstring(svg_qr("A", caption=[long, Text("English", "English")]))
    width = int(root.attrib["viewBox"].split()[2])
    for element in root.iter(f"{SVG}text"):
        size = int(element.attrib["font-size"])
        assert sum(1 if char > "\u2e80" else 0.6 for char in element.text or "") * size <= width


@pytest.mark.parametrize("medium", Medium)
def test_a_pdf_page_reads_back_as_its_picture(medium: Medium) -> None:
    (page,) = rendered(pdf_qr(PAYLOAD, medium=medium, caption=CAPTION))
    assert read_qr(page) == PAYLOAD


@pytest.mark.parametrize("dpi", [72, 96, 203, 300])
def test_a_pdf_page_reads_back_at_the_resolution_of_any_screen_or_printer(dpi: int) -> None:
    (page,) = rendered(pdf_qr(PAYLOAD), dpi)
    assert read_qr(page) == PAYLOAD


def test_a_pdf_shows_the_caption_below_the_code() -> None:
    (plain,), (labelled,) = rendered(pdf_qr(PAYLOAD)), rendered(pdf_qr(PAYLOAD, caption=CAPTION))
    assert labelled.height > plain.height
    below = labelled.crop((0, plain.height, labelled.width, labelled.height))
    box = below.point(lambda value: 255 - value).getbbox()
    assert box is not None
    assert abs(box[0] - (below.width - box[2])) <= 6, "it is centred"


def test_a_pdf_has_no_date_and_is_the_same_every_time() -> None:
    first = pdf_qr(PAYLOAD, caption=CAPTION)
    assert first == pdf_qr(PAYLOAD, caption=CAPTION)
    document = pypdfium2.PdfDocument(first)
    metadata = {key: value for key, value in document.get_metadata_dict().items() if value}
    document.close()
    assert metadata == {"Title": "聚英卡 / Juying Card", "Producer": "juying"}


def test_documents_are_small() -> None:
    assert len(svg_qr(PAYLOAD, caption=CAPTION)) < 20_000
    assert len(pdf_qr(PAYLOAD, caption=CAPTION)) < 25_000


def test_a_sheet_holds_every_code_in_reading_order_each_with_its_quiet_zone() -> None:
    texts = payloads(7)
    first, second = rendered(pdf_sheets([Labelled(text, CAPTION) for text in texts], grid=Grid(2, 3)))
    places = []
    for page in (first, second):
        found = zxingcpp.read_barcodes(page)
        row = page.height // 3
        in_order = sorted(found, key=lambda code: (code.position.top_left.y // row, code.position.top_left.x))
        places += [code.text for code in in_order]
    assert places == texts
    assert [round(side / 150 * 25.4) for side in first.size] == [210, 297]


def test_cut_marks_stand_at_the_corners_of_the_cells_and_can_be_left_out() -> None:
    codes = [Labelled("A")]
    (marked,) = rendered(pdf_sheets(codes, grid=Grid(2, 2)), 72)
    (bare,) = rendered(pdf_sheets(codes, grid=Grid(2, 2), cut_marks=False), 72)
    edge = 10 * MILLIMETRE
    middle, bottom = round(A4[0] / 2), round(A4[1] - edge)
    around = (middle - 4, bottom - 4, middle + 4, bottom + 4)
    assert min(marked.crop(around).tobytes()) < 200
    assert min(bare.crop(around).tobytes()) == 255


def test_a_line_that_is_on_every_code_of_a_sheet_is_in_the_file_once() -> None:
    one, many = ([Labelled(text, CAPTION) for text in payloads(count)] for count in (1, 12))
    pictures = [pdf_sheets(codes).count(b"/Subtype/Image") for codes in (one, many)]
    assert pictures[0] == pictures[1]


def test_a_code_larger_than_its_cell_becomes_smaller() -> None:
    """Ten across are 19 mm each; all of them still read."""
    texts = payloads(10)
    (page,) = rendered(pdf_sheets([Labelled(text) for text in texts], grid=Grid(10, 1)), 600)
    assert {code.text for code in zxingcpp.read_barcodes(page)} == set(texts)


@pytest.mark.parametrize(("columns", "rows"), [(0, 1), (1, 0), (11, 1), (1, 11), (-1, 2)])
def test_a_grid_without_cells_or_with_too_many_is_refused(columns: int, rows: int) -> None:
    with pytest.raises(InputError, match="1 to 10"):
        Grid(columns, rows)


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no credential"):
        pdf_sheets([])


@pytest.mark.parametrize("fast", [True, False], ids=["zxing-cpp", "qrcode"])
@pytest.mark.parametrize("draw", [svg_qr, pdf_qr])
def test_a_text_that_is_too_long_is_refused(
    draw: Callable[[str], bytes], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setitem(sys.modules, "zxingcpp", None)
    with pytest.raises(InputError, match="too long"):
        draw("A" * 5000)


def test_what_is_to_be_printed_does_not_show_in_a_repr() -> None:
    assert repr(Labelled(PAYLOAD, CAPTION)) == "Labelled()"
