"""``juying issue`` on virtual cards: what comes out, and what it says."""

import csv
import shutil
from pathlib import Path

import pytest
from rich.cells import cell_len

from juying.card.virtual.image import load_card
from juying.codec.qr import read_qr
from juying.model.numbers import card_number
from tests.cli.conftest import Juying
from tests.cli.desk import EXAMPLES, WITH_ERRORS, applicant, files_below, sheet

CARD_FILES = {
    "card.vcard",
    "credential.png",
    "credential-paper.png",
    "credential.txt",
    "minimal.png",
    "minimal.txt",
}


def report(folder: Path) -> list[list[str]]:
    with (folder / "report.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def examples(home: Path) -> Path:
    shutil.copytree(EXAMPLES.parent, home / "examples")
    return Path("examples/applications.csv")


def test_the_examples_become_cards_and_credentials(examples: Path, juying: Juying) -> None:
    done = juying("issue", examples, "--out", "out", "--json")
    assert done.status == 0
    document = done.document
    assert document.keys() == {"issued", "failed", "out", "report", "rows"}
    assert (document["issued"], document["failed"]) == (14, 0)
    assert (document["out"], document["report"]) == ("out", str(Path("out", "report.csv")))
    assert [row["row"] for row in document["rows"]] == list(range(2, 16))
    for row in document["rows"]:
        assert row.keys() == {"row", "outcome", "card_number", "error", "notes"}
        assert (row["outcome"], row["error"]) == ("issued", "")
        assert {path.name for path in Path("out", row["card_number"]).iterdir()} == CARD_FILES
    numbers = [row["card_number"] for row in document["rows"]]
    assert len(set(numbers)) == 14
    assert (numbers[0], numbers[6]) == ("JYX000010", "JYX000029"), "a number with and one without its check character"
    assert document["rows"][4]["notes"][0]["en"].startswith("name: too long")
    assert report(Path("out")) == [
        ["row", "outcome", "card_number", "error"],
        *([str(row["row"]), "issued", row["card_number"], ""] for row in document["rows"]),
    ]
    for number in numbers:
        text = Path("out", number, "credential.txt").read_text("ascii").strip()
        assert read_qr(Path("out", number, "credential.png")) == text
        assert read_qr(Path("out", number, "credential-paper.png")) == text
        assert juying("verify", f"out/{number}/minimal.png").status == 0
        assert load_card(Path("out", number, "card.vcard")).state == "personalised"


def test_progress_and_remarks_go_to_standard_error(juying: Juying) -> None:
    done = juying("issue", sheet(applicant(0), applicant(1)), "--out", "out", "--json")
    assert done.err.splitlines() == [
        "[1/2] 行 / row 1: JY0000010 已发卡 / issued",
        "[2/2] 行 / row 2: JY0000029 已发卡 / issued",
    ]


def test_wrong_rows_are_reported_and_the_others_issued(juying: Juying, home: Path) -> None:
    done = juying("issue", WITH_ERRORS, "--out", "out", "--json")
    assert done.status == 1
    outcomes = {row["row"]: row["outcome"] for row in done.document["rows"]}
    assert outcomes == {2: "issued", 3: "invalid", 4: "invalid", 5: "issued", 6: "invalid", 7: "issued"}
    assert (done.document["issued"], done.document["failed"]) == (3, 3)
    lines = report(Path("out"))
    assert lines[0] == ["row", "outcome", "card_number", "error"]
    errors = {line[0]: line[3] for line in lines[1:]}
    for row, field, reason in (
        ("3", "统一社会信用代码", "check character does not match"),
        ("4", "有效期起", "the calendar has no such day"),
        ("6", "职务", "missing"),
    ):
        assert errors[row].startswith(f"{field}: ")
        assert reason in errors[row]
        assert "规则" in errors[row]
    assert [errors[row] for row in ("2", "5", "7")] == ["", "", ""]
    assert len([path for path in Path("out").iterdir() if path.is_dir()]) == 3


def test_report_and_screen_hold_nothing_personal(juying: Juying) -> None:
    wrong = applicant(1, valid_until="2020-01-01", phone="10000000077", birth_date="1984-13-02")
    done = juying("issue", sheet(applicant(0), wrong), "--out", "out")
    said = done.out + done.err + Path("out/report.csv").read_text("utf-8")
    for secret in ("MUSTER", "BEISPIEL", "C0FAKE", "1984", "10000000077", "ZJ2026"):
        assert secret not in said


def test_the_table_names_rows_numbers_places_and_reasons(juying: Juying) -> None:
    done = juying("issue", sheet(applicant(0), applicant(1, position="")), "--out", "out")
    assert done.status == 1
    assert "JY0000010" in done.out
    assert "没有填写" in done.out
    assert "已发卡 / issued 1，申请有误 / invalid 1" in done.out
    assert str(Path("out", "report.csv")) in done.out
    assert "demonstration key" in done.out


def test_the_table_stays_readable_in_80_columns(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = juying("issue", sheet(applicant(0, nationality="UTO"), applicant(1, position="")), "--out", "out")
    assert all(cell_len(line) <= 80 for line in done.out.splitlines())
    assert "…" not in done.out
    assert "JY0000010" in done.out


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2"])
def test_older_generations_are_issued_too(profile: str, juying: Juying) -> None:
    done = juying("issue", sheet(applicant()), "--out", "out", "--profile", profile, "--json")
    assert done.status == 0
    notes = [note["en"] for note in done.document["rows"][0]["notes"]]
    assert any("no place for the work permit" in note for note in notes) is (profile == "ssc-v1")
    reading = juying("read", "--virtual", "out/JY0000010/card.vcard", "--json").document
    assert reading["card"]["profile"] == profile
    assert reading["permit"]["signature"] == ("absent" if profile == "ssc-v1" else "valid")


def test_numbers_carry_the_prefix_and_skip_those_asked_for(juying: Juying) -> None:
    done = juying(
        "issue", sheet(applicant(0), applicant(1, card_number="AB000001"), applicant(2)),
        "--out", "out", "--prefix", "AB", "--json",
    )  # fmt: skip
    numbers = [row["card_number"] for row in done.document["rows"]]
    assert numbers[1][:8] == "AB000001"
    assert len(set(numbers)) == 3
    assert all(number.startswith("AB") for number in numbers)


@pytest.mark.parametrize("prefix", ["LONGPREFIX", "12345678", "jy", "聚"])
def test_a_prefix_that_makes_no_number_is_refused(prefix: str, juying: Juying) -> None:
    done = juying("issue", sheet(applicant()), "--out", "out", "--prefix", prefix)
    assert done.status == 2
    assert "prefix" in done.err
    assert not Path("out/report.csv").exists()


def test_a_prefix_that_is_used_up_costs_the_row_only(juying: Juying) -> None:
    for serial in range(1, 9):
        Path("out", card_number(f"ABCDEFG{serial}")).mkdir(parents=True)
        Path("out", card_number(f"ABCDEFG{serial}"), "card.vcard").touch()
    done = juying("issue", sheet(applicant(0), applicant(1)), "--out", "out", "--prefix", "ABCDEFG", "--json")
    assert done.status == 1
    assert [row["outcome"] for row in done.document["rows"]] == ["issued", "invalid"]
    assert "used up" in done.document["rows"][1]["error"]


@pytest.mark.parametrize(
    ("option", "value", "field"), [("--region", "12", "region"), ("--institution", "123", "institution")]
)
def test_an_office_with_wrong_codes_is_refused_before_anything_is_written(
    option: str, value: str, field: str, juying: Juying
) -> None:
    done = juying("issue", sheet(applicant()), "--out", "out", option, value, "--json")
    assert done.status == 2
    assert (done.document["error"]["kind"], done.document["error"]["where"]) == ("FieldError", field)
    assert not Path("out").exists()


def test_region_and_institution_stand_on_the_card(juying: Juying) -> None:
    institution = "331000000000000000000001"
    without = {key: value for key, value in applicant().items() if key != "region"}
    done = juying("issue", sheet(without), "--out", "out", "--region", "330400", "--institution", institution)
    assert done.status == 0
    reading = juying("read", "--virtual", "out/JY0000010/card.vcard", "--json").document
    assert reading["card"]["institution"] == institution
    assert reading["card"]["card_identifier"].startswith("330400")
    assert reading["permit"]["region"] == "330400"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.csv", None, "missing.csv"),
        ("empty.csv", b"", "empty.csv"),
        ("binary.csv", b"\x00\xff\x00\xff", "binary.csv"),
        ("sheet.pdf", b"%PDF-1.7", "sheet.pdf"),
        ("half.json", b'[{"name": ', "half.json"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_bad_input(
    name: str, content: bytes | None, reason: str, juying: Juying, home: Path
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    before = files_below(home)
    done = juying("issue", name, "--out", "out", "--json")
    assert done.status == 2
    assert reason in done.document["error"]["where"]
    assert files_below(home) == before


def test_a_folder_that_cannot_be_made_is_bad_input(juying: Juying) -> None:
    Path("file").write_text("")
    done = juying("issue", sheet(applicant()), "--out", "file/out", "--json")
    assert done.status == 2
    assert done.document["error"]["where"] == str(Path("file", "out"))


def test_a_dry_run_lists_the_commands_and_writes_nothing(juying: Juying, home: Path) -> None:
    path = sheet(applicant(0), applicant(1, position=""), applicant(2, card_number="JYX000010"))
    before = files_below(home)
    done = juying("issue", path, "--out", "out", "--dry-run", "--json")
    assert done.status == 1
    assert files_below(home) == before
    assert list(home.iterdir()) == [home / path], "not even a folder"
    assert done.document["profile"] == "ssc-v3"
    first, wrong, third = done.document["rows"]
    for row in (first, wrong, third):
        assert row.keys() == {"row", "card_number", "errors", "notes", "commands"}
    assert (first["card_number"], third["card_number"]) == ("JY0000010", "JYX000010")
    assert first["commands"][0].keys() == {"place", "title", "command"}
    assert first["commands"][0]["place"] == "SSSE/EF06 #1"
    assert first["commands"][-1]["place"] == "SSSE/EF05 #7", "the card number comes last"
    assert bytes.fromhex(first["commands"][-1]["command"]) == bytes.fromhex("00DC07040B0709") + b"JY0000010"
    assert (wrong["commands"], wrong["card_number"]) == ([], "")
    assert "missing" in wrong["errors"][0]


@pytest.mark.parametrize(("profile", "form"), [("ssc-v1", None), ("ssc-v2", 1), ("ssc-v3", 1)])
def test_a_dry_run_seals_the_permit_for_a_blank_card(profile: str, form: int | None, juying: Juying) -> None:
    done = juying("issue", sheet(applicant(0)), "--dry-run", "--profile", profile, "--json")
    commands = [bytes.fromhex(one["command"]) for one in done.document["rows"][0]["commands"]]
    headers = [command for command in commands if command[1] == 0xD6 and command[5:7] == b"JY"]
    assert [header[8] for header in headers] == ([] if form is None else [form])


def test_a_dry_run_for_people(juying: Juying) -> None:
    done = juying("issue", sheet(applicant(0), applicant(1, position="")), "--dry-run")
    assert done.status == 1
    assert "SSSE/EF06 #1  社会保障号码 / social security number" in done.out
    assert "00DC07040B07094A5930303030303130" in done.out
    assert "没有填写" in done.out


def test_a_dry_run_knows_the_numbers_of_earlier_runs(juying: Juying) -> None:
    juying("issue", sheet(applicant(0)), "--out", "out")
    before = files_below(Path("out"))
    done = juying("issue", sheet(applicant(1), applicant(0)), "--out", "out", "--dry-run", "--json")
    assert [row["card_number"] for row in done.document["rows"]] == ["JY0000029", "JY0000010"]
    assert files_below(Path("out")) == before


def test_a_dry_run_shows_what_cannot_be_put_on_a_card(juying: Juying) -> None:
    """A position that is too long for a credential is found while planning, not by reading the sheet."""
    done = juying("issue", sheet(applicant(position="长" * 100, name="A" * 90)), "--dry-run", "--json")
    assert done.status == 1
    assert "at most" in done.document["rows"][0]["errors"][0]


def test_what_is_too_long_for_a_credential_costs_that_row_only(juying: Juying) -> None:
    done = juying(
        "issue", sheet(applicant(0, position="长" * 100, name="A" * 90), applicant(1)), "--out", "out", "--json"
    )
    assert done.status == 1
    assert [row["outcome"] for row in done.document["rows"]] == ["invalid", "issued"]
    assert "shorten" in done.document["rows"][0]["error"]


def test_a_photo_that_is_none_costs_that_row_only(juying: Juying) -> None:
    Path("photo.jpg").write_bytes(b"no picture")
    done = juying("issue", sheet(applicant(0, photo="photo.jpg"), applicant(1)), "--out", "out", "--json")
    assert done.status == 1
    assert [row["outcome"] for row in done.document["rows"]] == ["invalid", "issued"]
    assert not Path("out", done.document["rows"][0]["card_number"], "card.vcard").exists()


def test_a_broken_virtual_card_costs_that_row_only(juying: Juying) -> None:
    path = sheet(applicant(0), applicant(1))
    juying("issue", path, "--out", "out")
    Path("out/JY0000010/card.vcard").write_text("{}")
    done = juying("issue", path, "--out", "out", "--json")
    assert done.status == 1
    assert [row["outcome"] for row in done.document["rows"]] == ["failed", "unchanged"]
    assert "not a virtual card" in done.document["rows"][0]["error"]


def test_progress_on_a_terminal_is_a_bar(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    done = juying("issue", sheet(applicant(0), applicant(1)), "--out", "out", "--json")
    assert done.status == 0
    assert "申请 / applications" in done.err
    assert "[1/2]" not in done.err
    assert done.document["issued"] == 2


def test_a_ledger_and_a_lot_can_be_named(juying: Juying) -> None:
    path = sheet(applicant(0), applicant(1, position=""))
    assert juying("issue", path, "--out", "out", "--ledger", "office.db", "--lot", "morning").status == 1
    assert not Path("out/ledger.db").exists()
    (lot,) = juying("lot", "list", "--ledger", "office.db", "--json").document
    assert (lot["lot"], lot["source"], lot["state"], lot["orders"]) == ("morning", "sheet.json", "closed", 1)
    done = juying("issue", sheet(applicant(0), applicant(1)), "--out", "out", "--ledger", "office.db",
                  "--lot", "morning", "--json")  # fmt: skip
    assert [row["outcome"] for row in done.document["rows"]] == ["unchanged", "issued"]
    assert len(juying("lot", "orders", "morning", "--ledger", "office.db", "--json").document["orders"]) == 2


def test_a_ledger_of_another_city_is_refused(juying: Juying) -> None:
    juying("issue", sheet(applicant(0)), "--out", "out", "--region", "330400")
    done = juying("issue", sheet(applicant(1)), "--out", "out", "--json")
    assert done.status == 2
    assert "the ledger belongs to city 330400" in done.document["error"]["en"]


def test_status_lists_are_published_with_the_credentials(juying: Juying) -> None:
    """What issued a card tells terminals that it is good; a ledger of its own begins lists of its own."""
    juying("issue", sheet(applicant(0)), "--out", "out")
    first = Path("build/demo-keys/lists/1.cwt").read_bytes()
    assert juying("verify", "out/JY0000010/credential.txt").status == 0
    juying("issue", sheet(applicant(0)), "--out", "out")
    assert Path("build/demo-keys/lists/1.cwt").read_bytes() == first, "nothing was issued"
    juying("issue", sheet(applicant(1)), "--out", "other")
    assert Path("build/demo-keys/lists/1.cwt").read_bytes() != first
    assert juying("verify", "other/JY0000010/credential.txt").status == 0
    shutil.rmtree("build/demo-keys/lists")
    assert juying("verify", "other/JY0000010/credential.txt").status == 3


def test_lists_of_another_ledger_make_way(juying: Juying) -> None:
    """A list in which a credential would be good again that was revoked before is refused, but not for a trial."""
    juying("issue", sheet(applicant(0)), "--out", "out")
    permit = ("--permit", "ZJ20260000", "--reason", "lost", "--ledger", "out/ledger.db")
    assert juying("credential", "revoke", *permit).status == 0
    juying("issue", sheet(applicant(0, employer_name="台州虚构缝制设备有限公司", employer_code="91331002MA00AAA100")),
           "--out", "out")  # fmt: skip
    done = juying("issue", sheet(applicant(1)), "--out", "other")
    assert done.status == 0, done.err
    assert juying("verify", "other/JY0000010/credential.txt").status == 0
