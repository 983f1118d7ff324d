"""Pictures of credentials: both tiers, both media, read back and verified."""

from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from juying.codec.qr import Medium, read_qr
from juying.codec.qr_pdf import Grid
from juying.credential.claims import Tier
from juying.credential.issue import issue, to_text
from juying.credential.picture import caption, save_picture, save_sheets
from juying.credential.trust import TrustList
from juying.credential.verify import verify
from juying.errors import InputError
from tests.credential.samples import HOLDER_KEY, NOW, SIGNER, STATUS, TRUST, claims, trusted


@pytest.mark.parametrize("medium", Medium)
@pytest.mark.parametrize("tier", Tier)
def test_zxing_reads_the_picture_whole_and_at_half_size(tmp_path: Path, tier: Tier, medium: Medium) -> None:
    text = to_text(issue(claims(tier, status=STATUS, holder_key=HOLDER_KEY), SIGNER))
    save_picture(text, verify(text, TRUST, now=NOW), tmp_path / "code.png", medium=medium)
    assert read_qr(tmp_path / "code.png") == text
    with Image.open(tmp_path / "code.png") as picture:
        half = picture.convert("L").resize((picture.width // 2, picture.height // 2))
    assert read_qr(half) == text


@pytest.mark.parametrize("tier", Tier)
def test_the_caption_says_what_it_is_and_until_when_and_initials_but_no_name(tier: Tier) -> None:
    lines = caption(claims(tier))
    assert len(lines) == 2
    assert lines[1] == (
        f"E.A.M. · {tier.text.zh}，有效期至 2030-05-31",
        f"E.A.M. · {tier.text.en}, valid until 2030-05-31",
    )
    assert not any("ERIKSSON" in line.en or "安娜" in line.zh for line in lines)


def test_a_demonstration_says_so() -> None:
    assert "demonstration" in caption(claims(), demonstration=True)[-1].en.lower()


def test_the_mark_of_a_demonstration_comes_from_the_trust_list(tmp_path: Path) -> None:
    credential = issue(claims(), SIGNER)
    text = to_text(credential)
    heights = []
    for demonstration in (False, True):
        trust = TrustList([trusted(demonstration=demonstration)])
        save_picture(text, verify(text, trust, now=NOW), tmp_path / "code.png")
        with Image.open(tmp_path / "code.png") as picture:
            heights.append(picture.height)
    assert heights[1] > heights[0]


def test_an_expired_credential_can_still_be_drawn_but_a_forged_one_cannot(tmp_path: Path) -> None:
    credential = issue(claims(), SIGNER)
    save_picture(to_text(credential), verify(credential, TRUST, now=NOW + timedelta(days=9999)), tmp_path / "old.png")
    with pytest.raises(InputError):
        save_picture(to_text(credential), verify(credential, TrustList(), now=NOW), tmp_path / "forged.png")
    assert [path.name for path in tmp_path.iterdir()] == ["old.png"]


@pytest.mark.parametrize("suffix", [".png", ".SVG", ".pdf"])
def test_the_file_name_decides_on_the_kind_of_picture(tmp_path: Path, suffix: str) -> None:
    text = to_text(issue(claims(), SIGNER))
    save_picture(text, verify(text, TRUST, now=NOW), tmp_path / f"code{suffix}")
    begins = {".png": b"\x89PNG", ".SVG": b"<svg ", ".pdf": b"%PDF-"}[suffix]
    assert (tmp_path / f"code{suffix}").read_bytes().startswith(begins)


def test_another_kind_of_picture_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    text = to_text(issue(claims(), SIGNER))
    with pytest.raises(InputError, match=r"\.png \.svg \.pdf"):
        save_picture(text, verify(text, TRUST, now=NOW), tmp_path / "code.jpg")
    assert not any(tmp_path.iterdir())


def test_sheets_hold_every_credential(tmp_path: Path) -> None:
    texts = [to_text(issue(claims(tier), SIGNER)) for tier in Tier]
    save_sheets([(text, verify(text, TRUST, now=NOW)) for text in texts], tmp_path / "sheet.pdf", grid=Grid(2, 2))
    document = pypdfium2.PdfDocument(tmp_path / "sheet.pdf")
    (page,) = document
    found = {code.text for code in zxingcpp.read_barcodes(page.render(scale=2).to_pil())}
    document.close()
    assert found == set(texts)


def test_sheets_are_pdf_only_and_of_genuine_credentials_only(tmp_path: Path) -> None:
    text = to_text(issue(claims(), SIGNER))
    good, forged = verify(text, TRUST, now=NOW), verify(text, TrustList(), now=NOW)
    with pytest.raises(InputError, match="PDF"):
        save_sheets([(text, good)], tmp_path / "sheet.png")
    with pytest.raises(InputError, match="does not verify"):
        save_sheets([(text, good), (text, forged)], tmp_path / "sheet.pdf")
    assert not any(tmp_path.iterdir())


def test_initials_are_those_of_every_name_part() -> None:
    assert [claims(tier).initials for tier in Tier] == ["E.A.M.", "E.A.M."]
