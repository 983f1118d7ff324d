"""What docs/gate.md shows runs here and prints what it says."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from juying.card.virtual.image import save_card
from juying.cli import transit
from juying.cli.app import run
from juying.services.transit.checking import Step
from juying.services.transit.site import Site
from tests.transit.cards import blank
from tests.transit_gate.gates import EXAMPLES, ROOT

GUIDE = (ROOT / "docs/gate.md").read_text("utf-8")


def shown() -> Iterator[tuple[list[str], str]]:
    """The commands of the guide, and what they print."""
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            yield shlex.split(line), output


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES.parent)
    save_card(blank("ssc-v3", balance_fen=2000), "card.vcard")
    for words, output in shown():
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("=", 1))
            continue
        if words[1] == "virtual":  # the card is there, always with the same number
            continue
        capsys.readouterr()
        if words[1] == "transit":
            get_command(transit.app).main(args=words[2:], standalone_mode=False)
        else:
            run(words[1:])
        pattern = ".*".join(map(re.escape, re.split(r"^…\n", output, flags=re.MULTILINE)))
        if words[2] == "journal":  # the codes depend on the card's random numbers
            pattern = re.sub(r"  [0-9A-F]{8}  ", "  [0-9A-F]{8}  ", pattern.replace("\\ ", " "))
        assert re.fullmatch(pattern, capsys.readouterr().out, re.DOTALL), words


def test_configuration_and_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    assert text in (EXAMPLES / "sites.toml").read_text("utf-8")
    monkeypatch.chdir(ROOT)
    Site.from_dict(tomllib.loads(text)["transit"]["station-out"])
    for number, step in enumerate(Step, 1):
        assert f"| {number} | `{step}`" in GUIDE
    for member in Site.__dataclass_fields__:
        assert member == "name" or f"`{member}`" in GUIDE
