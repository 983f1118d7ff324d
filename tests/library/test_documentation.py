"""What docs/library.md shows holds."""

import contextlib
import io
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from juying.services.library.policy import BorrowingPolicy
from juying.services.library.site import _KEYS, profiles, sites
from juying.services.sites import load_sites
from tests.library.conftest import LibrarySystem
from tests.peers.sip2 import INSTITUTION, LOGIN, PASSWORD

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text("utf-8")


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0]


def test_the_configuration_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_LIBRARY_PASSWORD", PASSWORD)
    for number, text in enumerate((block("toml"), PAGE[PAGE.index("[library.example]") :].partition("```")[0])):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, "utf-8")
        assert sites(load_sites(path)["library"])


def test_every_member_is_explained() -> None:
    for name in {*_KEYS, *(member.name for member in fields(BorrowingPolicy)), *profiles()}:
        assert re.search(rf"`{name}\b|\b{name} = ", PAGE) or name in ("branches", "title"), name


def test_the_lines_for_a_terminal_run(
    system: LibrarySystem, tmp_path: Path, table: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"""[library.x]\nhost = "127.0.0.1"\nport = {system.port}\ntls = false\nlogin = "{LOGIN}"
password_env = "{table["password_env"]}"\ninstitution = "{INSTITUTION}"\n"""
    Path("sites.toml").write_text(text, "utf-8")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(block("python"), {})
    assert printed.getvalue().splitlines() == ["0", "done 图书馆系统的答复 / as the library system answered"]
    assert system.ledger == [["checkout", "R0001", "B0001"]]
