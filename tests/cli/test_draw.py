"""``juying credential draw`` and ``card-face``: kinds of files, sheets, and cards to print."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import save_card
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from juying.codec.qr import read_qr
from juying.issuance.office import card_contents, sign_permit
from tests import people
from tests.cli.conftest import Juying
from tests.cli.desk import applicant, sheet
from tests.codec_credential.fonts import Everything, machine

FOLDER = Path("out/JYX000010")
CARD = FOLDER / "card.vcard"


@pytest.fixture(autouse=True)
def fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Chinese font, whatever this machine has installed."""
    with machine(monkeypatch, chinese=Everything()):
        yield


def codes(pdf: Path) -> list[set[str]]:
    """The texts on each page."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [{code.text for code in zxingcpp.read_barcodes(page.render(scale=2).to_pil())} for page in document]
    document.close()
    return pages


def text(path: Path) -> str:
    return path.read_text("ascii").strip("\r\n")


@pytest.mark.parametrize(("name", "begins"), [("a.svg", b"<svg "), ("a.pdf", b"%PDF-"), ("a.PNG", b"\x89PNG")])
def test_the_suffix_decides_on_the_kind_of_picture(name: str, begins: bytes, issued: Path, juying: Juying) -> None:
    done = juying("credential", "draw", FOLDER / "credential.txt", "--out", name, "--paper", "--json")
    assert done.status == 0
    assert done.document == {"verdict": "valid", "picture": name}
    assert Path(name).read_bytes().startswith(begins)


def test_several_credentials_go_on_a_sheet(issued: Path, juying: Juying) -> None:
    sources = [path / "minimal.txt" for path in sorted(Path("out").iterdir()) if path.is_dir()]
    done = juying("credential", "draw", *sources, "--out", "sheet.pdf", "--json")
    assert done.status == 0
    assert done.document == {"verdict": ["valid", "valid"], "picture": "sheet.pdf"}
    assert codes(Path("sheet.pdf")) == [{text(source) for source in sources}]
    assert juying("credential", "draw", *sources, "--out", "sheets.pdf", "--sheet", "1X1").status == 0
    assert [len(page) for page in codes(Path("sheets.pdf"))] == [1, 1]


@pytest.mark.parametrize("grid", ["3", "3x", "x4", "0x4", "3x11", "²x1", "-1x2", "a x b"])
def test_a_grid_that_is_none_is_bad_use(grid: str, issued: Path, juying: Juying) -> None:
    done = juying("credential", "draw", FOLDER / "minimal.txt", "--out", "sheet.pdf", f"--sheet={grid}", "--json")
    assert done.status == 2
    assert not Path("sheet.pdf").exists()


@pytest.mark.parametrize("name", ["code.jpg", "code"])
def test_another_kind_of_file_is_bad_use(name: str, issued: Path, juying: Juying) -> None:
    done = juying("credential", "draw", FOLDER / "minimal.txt", "--out", name)
    assert done.status == 2
    assert ".png .svg .pdf" in done.err


def test_a_card_face_is_made_of_what_is_on_the_card(issued: Path, juying: Juying) -> None:
    done = juying("credential", "card-face", "--virtual", CARD, "--out", "faces/one", "--json")
    assert done.status == 0
    assert done.document == {"front": "faces/one/front.png", "back": "faces/one/back.png", "specimen": True}
    assert "demonstration" in done.err
    assert read_qr("faces/one/back.png") == text(FOLDER / "credential.txt")


def test_another_credential_of_the_same_permit_can_go_on_the_back(issued: Path, juying: Juying) -> None:
    done = juying("credential", "card-face", FOLDER / "minimal.txt", "--virtual", CARD, "--out", "faces")
    assert done.status == 0
    assert done.out == "faces/front.png\nfaces/back.png\n"
    assert read_qr("faces/back.png") == text(FOLDER / "minimal.txt")
    foreign = next(path for path in sorted(Path("out").iterdir()) if path.is_dir() and path != FOLDER)
    done = juying("credential", "card-face", foreign / "minimal.txt", "--virtual", CARD, "--out", "no")
    assert done.status == 2
    assert "different permits" in done.err


def test_another_photo_can_be_named(issued: Path, juying: Juying) -> None:
    Image.new("RGB", (600, 800), "green").save("green.png")
    juying("credential", "card-face", "--virtual", CARD, "--out", "chip")
    juying("credential", "card-face", "--virtual", CARD, "--out", "green", "--photo", "green.png")
    one, other = (Path(folder, "front.png").read_bytes() for folder in ("chip", "green"))
    assert one != other


def test_a_card_without_a_photo_leaves_its_place_empty(issued: Path, juying: Juying) -> None:
    folder = next(path for path in sorted(Path("out").iterdir()) if path.is_dir() and path != FOLDER)
    done = juying("credential", "card-face", "--virtual", folder / "card.vcard", "--out", "faces")
    assert done.status == 0
    assert "no photo" in done.err


def test_a_card_that_cannot_hold_the_permit_needs_the_credential(juying: Juying) -> None:
    done = juying("issue", sheet(applicant()), "--out", "out", "--profile", "ssc-v1", "--json")
    folder = Path("out") / done.document["rows"][0]["card_number"]
    face = "credential", "card-face", "--virtual", folder / "card.vcard", "--out", "faces"
    done = juying(*face)
    assert done.status == 2
    assert "name the full credential" in done.err
    assert juying(*face, folder / "credential.txt").status == 0
    assert read_qr("faces/back.png") == text(folder / "credential.txt")


def test_a_blank_card_has_no_number_to_print(issued: Path, juying: Juying) -> None:
    save_card(VirtualCard.blank(load_profile("ssc-v1")), Path("blank.vcard"))
    done = juying("credential", "card-face", FOLDER / "credential.txt", "--virtual", "blank.vcard", "--out", "faces")
    assert done.status == 2
    assert "no card number" in done.err


def test_what_does_not_agree_on_the_card_is_told(juying: Juying) -> None:
    """A record copied from another card: the clerk hears that the plain files say otherwise."""
    office = people.office(datetime.now(UTC))
    office.trust.save("trust.json")
    credentials = sign_permit(office, people.application(holder=people.holder(nationality="DEU")))
    card = VirtualCard.blank(load_profile("ssc-v3"))
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), card_contents(office, people.application(), "JYX000010", credentials))
    save_card(card, Path("card.vcard"))
    done = juying("credential", "card-face", "--virtual", "card.vcard", "--out", "faces", "--trust", "trust.json")
    assert done.status == 0
    assert "contradicts" in done.err
