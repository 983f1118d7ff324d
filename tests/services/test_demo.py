"""The demonstration, and what the documentation shows: they run."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from juying.services.resilience import Deadline, Resilience
from juying.services.sites import adapters, load_sites, platforms, services
from juying.services.verdict import Decision, Verdict
from tests import people
from tests.services.places import PASSWORD_ENV
from tests.services.test_resilience import answered
from tests.services.test_sites import SHOWN

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/services.md").read_text("utf-8")


def block(language: str, begin: str) -> str:
    """The code block of the page that begins so."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return next(text for text in blocks if text.startswith(begin))


def test_one_card_walks_through_hospital_bus_and_library() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.peers.demo"],
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},  # nothing is folded then
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    acts = re.split(r"^== ", done.stdout, flags=re.MULTILINE)
    assert "a bill of 100.00 yuan: settled" in acts[3]
    assert "a ride for 2.00 yuan, 18.00 are left" in acts[4]
    assert "B0001 is lent" in acts[5]
    assert acts[6].count("可以使用 / eligible") == 3
    assert acts[7].count("无法判定 / undetermined") >= 2
    assert "this is the answer from before" in acts[8]


def test_the_services_of_this_package_are_installed() -> None:
    assert {"library", "medical", "transit"} <= services().keys()


def test_the_documented_configuration_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "x")
    monkeypatch.chdir(ROOT)
    path = tmp_path / "sites.toml"
    text = block("toml", "[medical.hospital]").replace('"kept.db"', repr(str(tmp_path / "kept.db")))
    path.write_text(text, "utf-8")
    tables = load_sites(path)
    assert len(platforms(tables)) == 1
    made = adapters(tables, "all")
    assert [adapter.name for adapter in made] == ["medical.hospital", "library.taizhou", "transit"]


def test_the_documented_defaults_are_those_of_the_policy() -> None:
    rows = dict(re.findall(r"^\| (`connect.*?|`attempts.*?|`back.*?|`break.*?) \| (.*?) \|", PAGE, re.MULTILINE))
    told = {
        name: float(number)
        for names, numbers in rows.items()
        for name, number in zip(re.findall(r"`(\w+)`", names), re.findall(r"[\d.]+", numbers), strict=True)
    }
    default = Resilience()
    assert told == {name: getattr(default, name) for name in told}
    assert len(told) == 8


def test_the_documented_entry_point_is_that_of_the_example() -> None:
    shown = tomllib.loads(block("toml", "[project.entry"))["project"]["entry-points"]
    project = tomllib.loads((ROOT / "examples/gym_card/pyproject.toml").read_text("utf-8"))["project"]
    assert shown == project["entry-points"]


def test_the_documented_museum_is_an_adapter() -> None:
    names: dict[str, type] = {}
    exec(block("python", "from juying.services.adapter"), names)

    class Open(names["Museum"]):
        def ask_once(self, number: str, until: Deadline) -> Verdict:
            assert until.left() > 0
            return answered()

    assert Open(Resilience()).check(SHOWN, now=people.NOW).decision is Decision.ELIGIBLE
