"""``juying verify`` and ``juying credential draw``: sources, verdicts, exit statuses."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from juying.codec.qr import draw_qr, read_qr
from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import issue, to_text
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from tests import people
from tests.cli.conftest import Juying

FOLDER = Path("out/JYX000010")


def credential(
    *,
    trusted: bool = True,
    status: StatusReference | None = None,
    starts: timedelta = -timedelta(days=30),
    days: int = 60,
) -> str:
    """A credential signed now, and ``trust.json`` for it."""
    now, signer = datetime.now(UTC), SoftwareSigner.generate()
    key = people.trusted(
        signer if trusted else SoftwareSigner.generate(),
        not_before=now - timedelta(days=99),
        not_after=now + timedelta(days=1),
    )
    TrustList([key]).save("trust.json")
    start = (now + starts).date()
    permit = people.permit(valid_from=start, valid_until=start + timedelta(days=days))
    issued_at = min(now, now + starts)
    claims = Claims.of(people.holder(), permit, tier=Tier.FULL, issued_at=issued_at, status=status)
    return to_text(issue(claims, signer))


def test_the_json_document(issued: Path, juying: Juying) -> None:
    done = juying("verify", FOLDER / "credential.txt", "--json")
    assert done.status == 0
    document = done.document
    assert document.keys() >= {"verdict", "claims", "checks", "issuer"}
    assert document["verdict"] == "valid"
    assert (document["claims"]["permit_number"], document["claims"]["name"]) == ("ZJ20260000", "MUSTER MAX")
    for check in document["checks"]:
        assert check.keys() == {"name", "outcome", "reason"}
        assert check["outcome"] in {"pass", "fail", "skipped", "unknown"}
        assert check["reason"].keys() == {"zh", "en"}
    assert [check["name"] for check in document["checks"]][:2] == ["format", "key"]


def test_every_kind_of_source_gives_the_same(issued: Path, juying: Juying) -> None:
    text = (FOLDER / "credential.txt").read_text("ascii")
    claims = [
        juying("verify", *source, "--json", stdin=stdin).document["claims"]
        for source, stdin in (
            ([FOLDER / "credential.txt"], b""),
            ([FOLDER / "credential.png"], b""),
            ([FOLDER / "credential-paper.png"], b""),
            ([text.strip()], b""),
            (["-"], text.encode()),
            (["-"], b"\xef\xbb\xbf" + text.encode().replace(b"\n", b"\r\n")),
        )
    ]
    assert claims.count(claims[0]) == 6
    assert claims[0] is not None


def test_the_tables_for_people(issued: Path, juying: Juying) -> None:
    done = juying("verify", FOLDER / "minimal.png")
    assert done.status == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "许可证编号 permit number ZJ20260000" in lines
    assert any(line.startswith("通过 pass signature 签名正确") for line in lines)
    assert any(line.startswith("凭证种类 kind 最小凭证") for line in lines)
    assert lines[-1] == "有效 / valid"
    assert "valid_from" not in done.out


def test_a_credential_with_a_status_is_undetermined_without_a_status_list(juying: Juying) -> None:
    text = credential(status=StatusReference(7, 12))
    done = juying("verify", text, "--trust", "trust.json", "--json")
    assert (done.status, done.document["verdict"]) == (3, "valid_stale_status")
    shown = juying("verify", text, "--trust", "trust.json")
    assert shown.status == 3
    assert "列表 7，序号 12 / list 7, index 12" in shown.out


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"trusted": False}, "unknown_kid"),
        ({"days": 3}, "expired"),
        ({"starts": timedelta(days=3)}, "not_yet"),
    ],
)
def test_what_is_not_valid_is_no(changes: dict[str, object], verdict: str, juying: Juying) -> None:
    text = credential(**changes)
    done = juying("verify", text, "--trust", "trust.json", "--json")
    assert (done.status, done.document["verdict"]) == (1, verdict)
    assert (done.document["claims"] is None) is (verdict == "unknown_kid")
    shown = juying("verify", text, "--trust", "trust.json")
    assert shown.status == 1
    assert "未通过 fail" in shown.out


def test_a_changed_character_is_no(juying: Juying) -> None:
    text = credential()
    changed = text[:-1] + ("0" if text[-1] != "0" else "1")
    assert juying("verify", changed, "--trust", "trust.json").status == 1


@pytest.mark.parametrize("text", ["JY1:", "JY1:ÄÖÜ", "JY1:" + "A" * 700, "JY1:FGW"])
def test_garbage_behind_the_prefix_is_malformed(text: str, juying: Juying) -> None:
    credential()
    done = juying("verify", text, "--trust", "trust.json", "--json")
    assert (done.status, done.document["verdict"]) == (1, "malformed")
    assert juying("verify", "-", "--trust", "trust.json", stdin=text.encode()).status == 1


@pytest.mark.parametrize(
    "source",
    ["hello", "missing.png", "missing.txt", "jy1:abc", "JY2:" + "A" * 400, "photo.png", ".", "notes.txt", "\0"],
)
def test_a_source_that_is_none_is_bad_input(source: str, juying: Juying) -> None:
    credential()
    Path("photo.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    Path("notes.txt").write_bytes(b"\xff\xfe\x00")
    done = juying("verify", source, "--trust", "trust.json", "--json")
    assert done.status == 2
    assert done.document["error"].keys() == {"kind", "where", "zh", "en"}


def test_a_picture_without_a_code_is_bad_input(issued: Path, juying: Juying) -> None:
    done = juying("verify", "photos/eriksson.jpg", "--json")
    assert done.status == 2
    assert done.document["error"]["where"].endswith("eriksson.jpg")


def test_a_pdf_and_a_picture_with_other_codes_too(issued: Path, juying: Juying) -> None:
    with Image.open(FOLDER / "credential-paper.png") as code:
        page = Image.new("L", (2000, 1400), 255)
        page.paste(code, (50, 50))
        page.paste(draw_qr("https://example.org"), (1300, 300))
    for name in ("page.pdf", "page.png"):
        page.save(name)
        assert juying("verify", name).status == 0


def test_standard_input_that_is_no_text_is_bad_input(juying: Juying) -> None:
    credential()
    done = juying("verify", "-", "--trust", "trust.json", "--json", stdin=b"\x89PNG\xff")
    assert (done.status, done.document["error"]["en"]) == (2, "this is no text")


def test_nothing_is_verified_without_a_trust_list(juying: Juying) -> None:
    text = credential()
    done = juying("verify", text)
    assert done.status == 2
    assert "JUYING_TRUST" in done.err


def test_a_trust_list_that_cannot_be_read_is_bad_input(juying: Juying) -> None:
    Path("trust.json").write_text('{"version": 1, "keis": []}')
    done = juying("verify", "JY1:X", "--trust", "trust.json", "--json")
    assert done.status == 2
    assert done.document["error"]["where"] == "trust.json"
    assert "keys" in done.document["error"]["en"]


@pytest.mark.parametrize("paper", [False, True])
def test_a_credential_is_drawn(paper: bool, issued: Path, juying: Juying) -> None:
    text = (FOLDER / "credential.txt").read_text("ascii").strip()
    done = juying("credential", "draw", text, "--out", "code.png", *(["--paper"] if paper else []), "--json")
    assert done.status == 0
    assert done.document == {"verdict": "valid", "picture": "code.png"}
    assert read_qr("code.png") == text
    drawn = FOLDER / ("credential-paper.png" if paper else "credential.png")
    assert Path("code.png").read_bytes() == drawn.read_bytes()
    assert juying("credential", "draw", drawn, "--out", "again.png").out == ""


def test_what_does_not_verify_is_not_drawn(juying: Juying) -> None:
    text = credential(trusted=False)
    done = juying("credential", "draw", text, "--out", "code.png", "--trust", "trust.json", "--json")
    assert done.status == 2
    assert "does not verify" in done.document["error"]["en"]
    assert not Path("code.png").exists()
