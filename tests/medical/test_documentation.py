"""What the page and the examples show is what happens."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from juying.services.medical.site import Site, load_sites
from tests.medical.gateway import Gateway
from tests.peers.nhsa import CARD_IDENTIFIER
from tests.peers.running import running

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/medical.md").read_text("utf-8")
EXAMPLE = (ROOT / "examples/medical-site.toml").read_text("utf-8")
BILL = ("A10000001", CARD_IDENTIFIER, "600.10")


def test_the_page_shows_the_example_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSPITAL_TIF_SECRET", "demo")
    shown = tomllib.loads(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0])
    assert shown == tomllib.loads(EXAMPLE)
    assert load_sites(shown["medical"])[0].journal == "settlements.db"


def test_the_page_names_every_member() -> None:
    for name in Site.__dataclass_fields__:
        assert name in ("name", "layers") or f"`{name}" in PAGE, name


def test_the_example_settles_a_bill_as_the_page_shows(tmp_path: Path) -> None:
    with running("tests.peers.nhsa", "--x-tif-secret", "demo") as peer:
        gateway = Gateway(peer)
        (tmp_path / "sites.toml").write_text(
            EXAMPLE.replace("https://nhsa-gateway.example", gateway.url), encoding="utf-8"
        )

        def settle() -> str:
            ran = subprocess.run(
                [
                    sys.executable,
                    ROOT / "examples/settle_a_bill.py",
                    "sites.toml",
                    "A10000001",
                    CARD_IDENTIFIER,
                    "600.10",
                ],
                cwd=tmp_path,
                env={**os.environ, "HOSPITAL_TIF_SECRET": "demo", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
            assert ran.returncode == 0, ran.stderr
            return ran.stdout

        assert settle() in PAGE
        gateway.plays("books-and-http-502", "2207", 1)
        gateway.plays("http-502", "2601", 1)
        assert settle() in PAGE
        assert len(gateway.stands) == 2  # the second is finished below
        settle()
        assert len(gateway.stands) == 2  # it was reversed, and another bill was paid
