"""Pictures of credentials: both tiers, both media, read back and verified."""

from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from juying.codec.qr import Medium, read_qr
from juying.credential.claims import Tier
from juying.credential.issue import issue, to_text
from juying.credential.picture import caption, save_picture
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
