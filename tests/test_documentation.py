"""What README, docs and examples show is true: it runs here."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import Workbook
from typer.main import get_command

from juying.card.virtual.image import load_card
from juying.card.virtual.vpcd import VirtualReader
from juying.cli.app import app, run
from juying.codec.profile import load_profile
from juying.issuance.columns import columns_markdown
from tests.harness import PrivatePcscd, Slot

ROOT = Path(__file__).parent.parent
PEOPLE = 50
"""In a sheet large enough to show that examples/batch.py takes more than one."""


def block(document: str, language: str, number: int = 0) -> str:
    """A fenced code block of a document."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)[number]


def script(*arguments: str) -> str:
    """Standard output of a Python process that has to succeed, in the working directory of the test."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example applications were issued, as `make issue` does."""
    folder = tmp_path_factory.mktemp("newcomer")
    shutil.copytree(ROOT / "examples", folder / "examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["issue", "examples/applications.csv", "--out", "build/issued"]) == 0
    return folder


@pytest.fixture
def at_home(issued: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(issued)
    return issued


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_ten_lines_of_the_readme_run(readme: str, at_home: Path) -> None:
    assert script("-c", block(readme, "python")).split() == ["valid", "JYX000010", "valid"]


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))
    commands = [re.findall(r"^\| `juying (\w+)", text, re.MULTILINE) for text in (english, chinese)]
    assert commands[0] == commands[1]
    assert sorted(commands[0]) == sorted(get_command(app).commands)


def test_issuing_one_card_then_reading_and_verifying_it(at_home: Path) -> None:
    assert "有效 / valid" in script("examples/issue_one_card.py")
    assert "permit signature: valid" in script("examples/read_a_card.py", "build/one-card/card.vcard")
    assert script("examples/verify_a_code.py").startswith("有效 / valid")


def test_reading_a_card_in_a_reader(at_home: Path, private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> None:
    with VirtualReader(port=pcsc_reader.port) as reader:
        reader.insert(load_card("build/issued/JYX000010/card.vcard"))
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        assert "permit signature: valid" in script("examples/read_a_card.py")


def test_a_batch_of_cards_is_made_once(at_home: Path) -> None:
    everybody = script("examples/batch.py").splitlines()
    assert everybody[0] == "新增 / new: 14, 变更 / changed: 0, 重复 / duplicate: 0, 有误 / wrong: 0"
    assert everybody[1].startswith("14 cards in build/batch, ")
    again = script("examples/batch.py").splitlines()
    assert again[0] == "新增 / new: 0, 变更 / changed: 0, 重复 / duplicate: 14, 有误 / wrong: 0"
    assert again[1].startswith("0 cards in build/batch, ")
    assert "permit signature: valid" in script("examples/read_a_card.py", "build/batch/JYX000010/card.vcard")
    for code in ("credential.txt", "minimal.png"):
        assert script("examples/verify_a_code.py", f"build/batch/JYX000010/{code}").startswith("有效 / valid\n")
    assert len(Path("examples/batch.py").read_text("utf-8").splitlines()) < 40, "as the readme says"


def test_a_code_that_was_revoked_is_not_good_to_the_example(at_home: Path) -> None:
    script("examples/batch.py", "examples/applications.csv", "build/ended")
    code, lists = "build/ended/JYX000010/credential.txt", "build/ended/lists"
    assert script("examples/verify_a_code.py", code, lists).startswith("有效 / valid\n")
    assert run(["credential", "revoke", code, "--ledger", "build/ended/ledger.db"]) == 0
    script("examples/batch.py", "examples/applications.csv", "build/ended")
    asked = [sys.executable, "examples/verify_a_code.py", code, lists]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "已吊销 / revoked")


def test_a_spreadsheet_of_invented_people_becomes_cards(at_home: Path) -> None:
    script("examples/invented_people.py", "people.csv", str(PEOPLE))
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    with Path("people.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            sheet.append(row)
    book.save("people.xlsx")
    told = script("examples/batch.py", "people.xlsx", "build/people").splitlines()
    assert told[0] == f"新增 / new: {PEOPLE}, 变更 / changed: 0, 重复 / duplicate: 0, 有误 / wrong: 0"
    assert told[1].startswith(f"{PEOPLE} cards in build/people, ")
    assert len(list(Path("build/people").glob("*/card.vcard"))) == PEOPLE
    last = max(Path("build/people").glob("*/credential-paper.png")).with_name("card.vcard")
    assert "permit signature: valid" in script("examples/read_a_card.py", str(last))


def test_watching_readers(at_home: Path, private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> None:
    assert f"{pcsc_reader.name}：读卡器已接入" in script("examples/watch_readers.py", "0.5")


def test_the_documented_columns_are_those_that_are_read() -> None:
    assert columns_markdown() in (ROOT / "docs/issuing.md").read_text("utf-8")


def test_the_documented_profile_of_a_province_holds(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(block("docs/cards.md", "toml"), "utf-8")
    profile = load_profile(path)
    assert profile.check_vectors() > 100
    record = profile.file("DF01/EF06").record(0xE5)
    assert record is not None
    assert record.title.en == "example"


def test_links_between_documents_lead_somewhere() -> None:
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)|src=\"([^\"]+)\"", document.read_text("utf-8")):
            path = document.parent / (target[0] or target[1])
            assert path.exists(), f"{document.name}: {path}"
