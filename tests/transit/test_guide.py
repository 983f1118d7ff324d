"""What docs/transit.md shows runs here and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from juying.card.virtual.image import save_card
from tests.transit.cards import blank

GUIDE = (Path(__file__).parents[2] / "docs/transit.md").read_text("utf-8")


def test_the_purchase_in_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_card(blank("ssc-v3", balance_fen=2000), "card.vcard")
    code = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)[0]
    shown = re.findall(r"```\n(True.*?)```", GUIDE, re.DOTALL)[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue() == shown
