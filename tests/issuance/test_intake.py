"""From sheets of every kind to holders and permits, and to errors that name row, column and rule."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from juying.errors import FieldError, InputError
from juying.issuance.columns import BY_KEY, COLUMNS
from juying.issuance.intake import Application, Row, read_applications
from juying.issuance.permit_kinds import Kind
from juying.model import PermitCategory, Sex
from juying.model.numbers import mrz_check_digit

TODAY = date(2026, 11, 22)
EXAMPLES = Path(__file__).parents[2] / "examples"
MRZ = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"

GOOD: Mapping[str, object] = {
    "name": "ERIKSSON ANNA MARIA",
    "nationality": "UTO",
    "sex": "2",
    "birth_date": "1974-08-12",
    "document_number": "L898902C3",
    "permit_number": "ZJ0001",
    "category": "A",
    "employer_name": "台州虚构（浙江）有限公司",
    "employer_code": "91331002MA00TE5T2C",
    "position": "工程师",
    "valid_from": "2026-01-01",
    "valid_until": "2028-12-31",
    "authority": "样本机关",
}
PERSON = ("name", "nationality", "sex", "birth_date", "document_number")


def without(*keys: str, **changed: object) -> dict[str, object]:
    return {**{key: value for key, value in GOOD.items() if key not in keys}, **changed}


def sheet(tmp_path: Path, *rows: Mapping[str, object], headings: Mapping[str, str] | None = None) -> Path:
    """A CSV with these rows under all their keys."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([(headings or {}).get(key, key) for key in keys])
    writer.writerows([row.get(key, "") for key in keys] for row in rows)
    path = tmp_path / "sheet.csv"
    path.write_text(file.getvalue(), "utf-8")
    return path


def read(tmp_path: Path, *rows: Mapping[str, object], **options: Mapping[str, str]) -> list[Row]:
    return read_applications(sheet(tmp_path, *rows, **options), today=TODAY)


def application(tmp_path: Path, row: Mapping[str, object]) -> Application:
    (only,) = read(tmp_path, row)
    assert not only.errors, [str(error) for error in only.errors]
    assert only.application is not None
    return only.application


def problems(tmp_path: Path, row: Mapping[str, object]) -> dict[str, str]:
    """Column and problem (English) of each error of one row; checks that no value is told."""
    (only,) = read(tmp_path, row)
    assert only.application is None
    for error in only.errors:
        assert type(error) is FieldError
        assert error.problem.zh
        assert error.rule.zh
        for value in map(str, row.values()):
            assert len(value) < 5 or value not in str(error)
    return {error.field: error.problem.en for error in only.errors}


def test_a_plain_row_becomes_holder_and_permit(tmp_path: Path) -> None:
    """Every column arrives in its field of the model."""
    (tmp_path / "a.jpg").touch()
    more = {
        "chinese_name": "安娜䶮",
        "card_name": "安𠮷",
        "social_security_number": "uto000000l898902c3",
        "region": "331002",
        "card_number": "X00000019",
        "issued_on": "2026/11/20",
        "phone": "10000000001",
        "email": "anna@example.com",
        "address": "虚构路 1 号",
        "address_region": "331081",
        "photo": "a.jpg",
    }
    got = application(tmp_path, {**GOOD, **more})
    holder, permit = got.holder, got.permit
    assert (holder.name, holder.nationality, holder.sex) == ("ERIKSSON ANNA MARIA", "UTO", Sex.FEMALE)
    assert (holder.birth_date, holder.document_number) == (date(1974, 8, 12), "L898902C3")
    assert (holder.chinese_name, holder.card_name, holder.registered_name) == ("安娜䶮", "安𠮷", "安𠮷")
    assert holder.issued_social_security_number == holder.social_security_number == "UTO000000L898902C3"
    assert (holder.phone, holder.email) == ("10000000001", "anna@example.com")
    assert (holder.address, holder.address_region) == ("虚构路 1 号", "331081")
    assert holder.residence_card_number is None
    assert (permit.number, permit.category, permit.position) == ("ZJ0001", PermitCategory.A, "工程师")
    assert (permit.employer.name, permit.employer.code) == ("台州虚构（浙江）有限公司", "91331002MA00TE5T2C")
    assert (permit.valid_from, permit.valid_until) == (date(2026, 1, 1), date(2028, 12, 31))
    assert (permit.authority, permit.region) == ("样本机关", "331002")
    assert (got.card_number, got.issued_on) == ("X00000019", date(2026, 11, 20))
    assert got.photo == (tmp_path / "a.jpg").resolve()


def test_what_may_be_left_out_is_left_out(tmp_path: Path) -> None:
    got = application(tmp_path, GOOD)
    assert (got.card_number, got.issued_on, got.photo) == (None, None, None)
    assert got.holder.issued_social_security_number is None
    assert got.permit.region == ""


def test_no_repr_shows_a_person(tmp_path: Path) -> None:
    (tmp_path / "ERIKSSON.jpg").touch()
    row = {**GOOD, "photo": "ERIKSSON.jpg", "card_number": "X00000019"}
    (only,) = read(tmp_path, row)
    for value in ("ERIKSSON", "L898902C3", "1974", "ZJ0001", "X00000019"):
        assert value not in repr(only)


@pytest.mark.parametrize("heading", [lambda column: column.heading.zh, lambda column: column.heading.en.upper()])
def test_chinese_and_english_headings(tmp_path: Path, heading: object) -> None:
    assert callable(heading)
    headings = {column.key: heading(column) for column in COLUMNS}
    (only,) = read(tmp_path, GOOD, headings=headings)
    assert only.application is not None


@pytest.mark.parametrize(
    ("key", "value", "field", "meant"),
    [
        ("sex", "男", "sex", Sex.MALE),
        ("sex", "F", "sex", Sex.FEMALE),
        ("sex", "x", "sex", Sex.UNSPECIFIED),
        ("sex", "0", "sex", Sex.UNKNOWN),
        ("sex", "２", "sex", Sex.FEMALE),
        ("nationality", "德国", "nationality", "DEU"),
        ("nationality", "276", "nationality", "DEU"),
        ("nationality", " deu ", "nationality", "DEU"),
        ("nationality", "Germany", "nationality", "DEU"),
        ("nationality", "刚果（金）", "nationality", "COD"),
        ("nationality", "刚果(金)", "nationality", "COD"),
    ],
)
def test_choices_in_their_usual_spellings(tmp_path: Path, key: str, value: str, field: str, meant: object) -> None:
    assert getattr(application(tmp_path, {**GOOD, key: value}).holder, field) == meant


@pytest.mark.parametrize("value", ["B", "b", "B类", "Ｂ", "外国专业人才", "外国专业人才（B类）"])
def test_categories_in_their_usual_spellings(tmp_path: Path, value: str) -> None:
    assert application(tmp_path, {**GOOD, "category": value}).permit.category is PermitCategory.B


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("首次", Kind.FIRST_ABROAD),
        ("首次（境内）", Kind.FIRST_IN_CHINA),
        ("90日以下", Kind.SHORT),
        ("Extension", Kind.EXTENSION),
        ("change of employer", Kind.TRANSFER),
        ("补办", Kind.REISSUE_LOST),
        ("reissue-damaged", Kind.REISSUE_DAMAGED),
        ("注销", Kind.CANCEL_EMPLOYER),
        ("", None),
    ],
)
def test_kinds_of_applications_in_their_usual_spellings(tmp_path: Path, value: str, kind: Kind | None) -> None:
    assert application(tmp_path, {**GOOD, "kind": value}).kind is kind


def test_a_card_number_without_its_check_character_gets_it(tmp_path: Path) -> None:
    assert application(tmp_path, {**GOOD, "card_number": "x0000001"}).card_number == "X00000019"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("name", "安娜", "Latin"),
        ("nationality", "德意志联邦", "not known"),
        ("sex", "女士", "not a code"),
        ("birth_date", "12/8/1974", "recognisable"),
        ("birth_date", "2026-11-23", "after today"),
        ("document_number", "?!", "characters"),
        ("document_number", "3.31E+08", "scientific"),
        ("category", "外国专业人才（A类）", "not a category"),
        ("employer_code", "91331002MA00TE5T2D", "check character"),
        ("permit_number", "许可一号", "characters"),
        ("valid_from", "2026-02-30", "no such day"),
        ("valid_until", "2025-12-31", "before the first day"),
        ("region", "3310", "leading zeros"),
        ("region", "33100X", "six digits"),
        ("kind", "撤销", "no kind of application"),
        ("card_number", "X00000018", "check character"),
        ("card_number", "X000-001", "eight"),
        ("phone", "call me", "telephone"),
        ("email", "anna.example.com", "e-mail"),
        ("social_security_number", "UTO0", "not 18"),
        ("residence_card_number", "PAK310080010104", "check character"),
        ("position", "#N/A", "error mark"),
    ],
)
def test_one_wrong_cell_is_one_error_of_its_column(tmp_path: Path, key: str, value: str, problem: str) -> None:
    row = {**GOOD, "social_security_number": "UTO000000L898902C3", key: value}
    found = problems(tmp_path, row)
    assert list(found) == [key]
    assert problem in found[key]


def test_a_permit_that_has_run_out_is_refused(tmp_path: Path) -> None:
    assert application(tmp_path, {**GOOD, "valid_until": TODAY.isoformat()})
    row = {**GOOD, "valid_until": "2026-11-21"}
    assert problems(tmp_path, row) == {"valid_until": "the permit has run out"}


def test_all_errors_of_a_row_are_told_at_once(tmp_path: Path) -> None:
    """Missing, unreadable and wrong cells of person, employer and permit together."""
    row = without(
        "position",
        name="",
        birth_date="never",
        sex="?",
        employer_code="91331002MA00TE5T2D",
        permit_number="许可",
        email="nobody",
        photo="none.jpg",
    )
    (only,) = read(tmp_path, {**row, "position": ""})
    assert {error.field for error in only.errors} == {
        *("name", "birth_date", "sex", "employer_code", "permit_number", "email", "photo", "position")
    }


@pytest.mark.parametrize("column", [column for column in COLUMNS if column.required], ids=lambda column: column.key)
def test_every_required_column_is_missed(tmp_path: Path, column: object) -> None:
    """An empty cell is an error of the row, an absent column of the file."""
    key = getattr(column, "key")  # noqa: B009
    assert problems(tmp_path, {**GOOD, key: " "}) == {key: "missing"}
    with pytest.raises(InputError, match=BY_KEY[key].heading.en):
        read(tmp_path, without(key))


def test_errors_call_a_column_what_the_sheet_calls_it(tmp_path: Path) -> None:
    headings = {"employer_code": " 信用代码 "}
    (only,) = read(tmp_path, {**GOOD, "employer_code": "1"}, headings=headings)
    assert [error.field for error in only.errors] == ["信用代码"]


# --- the passport's machine-readable zone ---------------------------------------------------------


@pytest.mark.parametrize("zone", [MRZ, MRZ.replace("\n", ""), MRZ.replace("\n", " ").lower(), f"'{MRZ}\n"])
def test_the_mrz_stands_for_the_person(tmp_path: Path, zone: str) -> None:
    holder = application(tmp_path, without(*PERSON, mrz=zone)).holder
    assert (holder.name, holder.nationality, holder.sex) == ("ERIKSSON ANNA MARIA", "UTO", Sex.FEMALE)
    assert (holder.birth_date, holder.document_number) == (date(1974, 8, 12), "L898902C3")


def test_the_mrz_may_stand_beside_what_it_says(tmp_path: Path) -> None:
    assert application(tmp_path, {**GOOD, "name": "Eriksson, Anna-Maria", "mrz": MRZ}).holder.name


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "ANNA MARIA ERIKSSON"),
        ("nationality", "DEU"),
        ("sex", "1"),
        ("birth_date", "1974-08-13"),
        ("document_number", "L898902C4"),
    ],
)
def test_what_disagrees_with_the_mrz_is_an_error_of_its_column(tmp_path: Path, key: str, value: str) -> None:
    assert problems(tmp_path, {**GOOD, "mrz": MRZ, key: value}) == {key: "disagrees with the passport's MRZ"}


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        ("P<UTO", "characters"),
        (MRZ.replace("7408122", "7408112"), "birth_date: check digit"),
        (MRZ.replace("7408122", "7408112").replace("L898902C3", "L898902C4"), "document_number: check digit"),
        (MRZ.replace("F12", "F13"), "expiry_date: check digit"),
    ],
)
def test_a_wrong_mrz_is_an_error_of_its_own(tmp_path: Path, zone: str, problem: str) -> None:
    found = problems(tmp_path, without(*PERSON, mrz=zone))
    assert list(found) == ["mrz"]
    assert problem in found["mrz"]


def test_a_wrong_cell_beside_the_mrz_stays_wrong(tmp_path: Path) -> None:
    found = problems(tmp_path, {**GOOD, "sex": "女士", "mrz": MRZ})
    assert list(found) == ["sex"]


def passport(names: str, country: str = "UTO", sex: str = "F", kind: str = "P<") -> str:
    """An MRZ of an invented passport, or visa, with correct check digits."""
    number, birth, expiry, optional = "L898902C3", "740812", "340415", "<" * 14
    number, birth, expiry = (part + mrz_check_digit(part) for part in (number, birth, expiry))
    second = f"{number}{country:<<3}{birth}{sex}{expiry}{optional}"
    if kind == "P<":
        second += "<" + mrz_check_digit(f"{number}{birth}{expiry}{optional}<")
    return f"{kind}{country:<<3}{names:<<39}\n{second:<<44}"


@pytest.mark.parametrize(
    ("printed", "zone"),
    [
        ("MÜLLER JÖRG", "MUELLER<<JOERG"),
        ("MÜLLER JÖRG", "MULLER<<JORG"),
        ("Strauß Øyvind", "STRAUSS<<OEYVIND"),
        ("ŁÓDŹ ĐURO", "LODZ<<DURO"),
        ("O’EXAMPLE SEÁN", "OEXAMPLE<<SEAN"),
        ("ÞÓR ÆGIR", "THOR<<AEGIR"),
    ],
)
def test_accents_are_compared_as_passports_write_them(tmp_path: Path, printed: str, zone: str) -> None:
    assert application(tmp_path, {**GOOD, "name": printed, "mrz": passport(zone)}).holder.name == printed


def test_a_name_that_the_mrz_cuts_off_is_compared_at_its_beginning_and_must_be_given(tmp_path: Path) -> None:
    zone = passport("NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K")
    full = "NILAVADHANANANDA CHAYAPA DEJTHAMRONG KRASUANG"
    assert application(tmp_path, {**GOOD, "name": full, "mrz": zone}).holder.name == full
    assert "disagrees" in problems(tmp_path, {**GOOD, "mrz": zone})["name"]
    found = problems(tmp_path, without(*PERSON, mrz=zone))
    assert found == {BY_KEY["name"].heading.zh: "the MRZ does not settle it: fill it in"}


def test_an_unspecified_sex_in_the_mrz_agrees_with_every_sex(tmp_path: Path) -> None:
    assert application(tmp_path, {**GOOD, "mrz": passport("ERIKSSON<<ANNA<MARIA", sex="<")}).holder.sex is Sex.FEMALE


def test_a_nationality_that_is_no_country_must_be_given(tmp_path: Path) -> None:
    zone = passport("ERIKSSON<<ANNA<MARIA", country="XXA")
    assert application(tmp_path, {**GOOD, "nationality": "PAK", "mrz": zone}).holder.nationality == "PAK"
    found = problems(tmp_path, without(*PERSON, mrz=zone))
    assert list(found) == [BY_KEY["nationality"].heading.zh]


def test_the_short_code_for_germany_is_understood(tmp_path: Path) -> None:
    zone = passport("MUSTERFRAU<<ERIKA", country="D")
    assert application(tmp_path, without(*PERSON, mrz=zone)).holder.nationality == "DEU"


def test_the_number_on_a_visa_is_not_the_passports(tmp_path: Path) -> None:
    visa = passport("ERIKSSON<<ANNA<MARIA", kind="V<")
    assert application(tmp_path, {**GOOD, "document_number": "OTHER123", "mrz": visa}).holder
    assert list(problems(tmp_path, without(*PERSON, mrz=visa))) == [BY_KEY["document_number"].heading.zh]


# --- permanent residents and social security numbers ----------------------------------------------


def test_a_residence_card_stands_for_the_passport(tmp_path: Path) -> None:
    row = without(
        "document_number", nationality="PAK", birth_date="1980-01-01", residence_card_number="PAK310080010103"
    )
    holder = application(tmp_path, row).holder
    assert holder.document_number == holder.residence_card_number == "PAK310080010103"
    assert holder.social_security_number == "PAK000310080010103"


def test_a_number_that_the_rule_does_not_settle_must_be_given_as_issued(tmp_path: Path) -> None:
    row = without("document_number", nationality="DEU", residence_card_number="933276199001010017")
    found = problems(tmp_path, row)
    assert list(found) == [BY_KEY["social_security_number"].heading.zh]
    assert "as issued" in found[BY_KEY["social_security_number"].heading.zh]
    row["social_security_number"] = "DEU000000C0FAKE001"
    assert application(tmp_path, row).holder.social_security_number == "DEU000000C0FAKE001"


def test_with_passport_and_residence_card_the_number_is_not_guessed(tmp_path: Path) -> None:
    row = {**GOOD, "nationality": "PAK", "residence_card_number": "PAK310080010103", "social_security_number": ""}
    found = problems(tmp_path, row)
    assert list(found) == ["social_security_number"]
    assert "is open" in found["social_security_number"]
    assert (
        application(tmp_path, {**row, "social_security_number": "PAK000310080010103"}).holder.document_number
        == "L898902C3"
    )
    assert application(tmp_path, {**row, "document_number": "PAK310080010103"}).holder


def test_an_unsettled_passport_number_with_the_issued_number_is_fine(tmp_path: Path) -> None:
    row = {**GOOD, "document_number": "FK-2024/0000000001"}
    assert "symbols" in str(problems(tmp_path, row))
    assert application(tmp_path, {**row, "social_security_number": "UTO00FK20240000001"})


# --- rows and sheets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("permit_number", {"document_number": "L1", "permit_number": " zj0001"}),
        ("document_number", {"permit_number": "ZJ0002", "nationality": "乌托邦（仅用于样本）"}),
        ("card_number", {"document_number": "L1", "permit_number": "ZJ0002", "card_number": "x0000001"}),
        (
            "social_security_number",
            {"document_number": "L1", "permit_number": "ZJ0002", "social_security_number": "U" * 18},
        ),
    ],
)
def test_what_an_earlier_row_has_is_an_error_of_the_later_one(
    tmp_path: Path, key: str, changes: dict[str, object]
) -> None:
    first = {**GOOD, "card_number": "X00000019", "social_security_number": "U" * 18, "email": ""}
    cleared = {"card_number": "", "social_security_number": ""}
    rows = read(tmp_path, first, {}, {**first, **cleared, **changes})
    assert [row.number for row in rows] == [2, 4]
    assert rows[0].application is not None
    assert [(error.field, error.problem.en) for error in rows[1].errors] == [(key, "the same as in row 2")]


def test_the_same_passport_number_of_two_countries_is_no_repeat(tmp_path: Path) -> None:
    rows = read(tmp_path, GOOD, {**GOOD, "nationality": "DEU", "permit_number": "ZJ0002"})
    assert all(row.application for row in rows)


def test_a_repeat_of_a_wrong_row_is_told_too(tmp_path: Path) -> None:
    rows = read(tmp_path, {**GOOD, "position": ""}, GOOD)
    assert [error.field for error in rows[1].errors] == ["permit_number", "document_number"]


def test_content_under_no_heading_is_an_error_of_the_row(tmp_path: Path) -> None:
    """An address with a comma and no quotes would shift everything behind it."""
    path = sheet(tmp_path, {**GOOD, "email": ""})
    path.write_text(path.read_text("utf-8").rstrip("\r\n") + ",shifted\n", "utf-8")
    (only,) = read_applications(path, today=TODAY)
    assert [error.field for error in only.errors] == ["O 列 / column O"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("permit_number,许可编号", "heading of column B is not known, the nearest is “Permit number”"),
        ("permit_number,QQQQ", "heading of column B is not known"),
        ("permit_number,Permit Number", "column B repeats “Permit number”"),
        ("ERIKSSON ANNA,UTO,2", "the first row has no headings"),
        ("permit_number,name", "columns are missing: Nationality, Sex"),
        (",".join(["permit_number", *[""] * 29, "QQQQ"]), "heading of column AE"),
    ],
)
def test_headings_that_cannot_be_used_stop_the_file(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text(f"{line}\n1,2,3\n", "utf-8")
    with pytest.raises(InputError) as caught:
        read_applications(path, today=TODAY)
    assert caught.value.where == str(path)
    assert says in caught.value.text.en
    assert "QQQQ" not in str(caught.value)
    assert "ERIKSSON" not in str(caught.value)


def test_an_unknown_key_of_json_is_called_a_key(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{**GOOD, "QQQQ": 1}]), "utf-8")
    with pytest.raises(InputError, match="the heading of key 14 is not known"):
        read_applications(path, today=TODAY)


# --- photographs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["photos/a.jpg", "photos\\a.jpg", "./photos/a.jpg"])
def test_a_photo_is_found_from_the_folder_of_the_sheet(tmp_path: Path, name: str) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    assert application(tmp_path, {**GOOD, "photo": name}).photo == (tmp_path / "photos" / "a.jpg").resolve()


@pytest.mark.parametrize(
    "name",
    [
        "missing.jpg",
        "photos",
        "../outside.jpg",
        "photos/../../outside.jpg",
        "photos/../inside.jpg",
        "C:\\outside.jpg",
        "\\\\server\\outside.jpg",
        "{outside}",
        "link.jpg",
        "x" * 300,
    ],
)
def test_a_photo_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Also by an absolute path, a drive, a share or a link; a sheet from outside reads no other files."""
    folder = tmp_path / "sheets"
    (folder / "photos").mkdir(parents=True)
    outside = tmp_path / "outside.jpg"
    for path in (outside, folder / "inside.jpg"):
        path.touch()
    (folder / "link.jpg").symlink_to(outside)
    row = {**GOOD, "photo": name.format(outside=outside)}
    assert problems(folder, row) == {"photo": "there is no such file in the folder of the sheet"}


def test_a_photo_with_a_nul_in_its_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{**GOOD, "photo": "a\0.jpg"}]), "utf-8")
    (only,) = read_applications(path, today=TODAY)
    assert [error.field for error in only.errors] == ["photo"]


# --- the other formats, whole ---------------------------------------------------------------------


def test_a_workbook_with_the_habits_of_excel(tmp_path: Path) -> None:
    """Dates as dates, numbers as numbers, lost zeros refused."""
    book = openpyxl.Workbook()
    row = {**GOOD, "birth_date": datetime(1974, 8, 12), "valid_from": 20260101, "valid_until": 47118}
    row |= {"document_number": 12345678, "phone": 13800000000.0, "region": 331002, "sex": 2, "nationality": 276}
    book.active.append(list(row))
    book.active.append(list(row.values()))
    row |= {"permit_number": 331002202600000001, "document_number": 12345679, "region": 2, "valid_from": "2026-01-01"}
    book.active.append(list(row.values()))
    book.save(tmp_path / "a.xlsx")
    book.close()

    good, bad = read_applications(tmp_path / "a.xlsx", today=TODAY)
    assert good.application is not None, good.errors
    holder, permit = good.application.holder, good.application.permit
    assert (holder.document_number, holder.phone, holder.nationality) == ("12345678", "13800000000", "DEU")
    assert (permit.valid_from, permit.valid_until, permit.region) == (date(2026, 1, 1), date(2028, 12, 31), "331002")
    assert {error.field for error in bad.errors} == {"permit_number", "region"}
    assert all("format the column as text" in error.rule.en for error in bad.errors)


def test_json_objects_are_applications(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    items = [GOOD, {}, {**GOOD, "permit_number": "ZJ0002", "document_number": 12345678, "sex": 2, "email": None}]
    items.append({**GOOD, "permit_number": ["ZJ0003"]})
    path.write_text(json.dumps({"applications": items}, ensure_ascii=False), "utf-8")
    rows = read_applications(str(path), today=TODAY)
    assert [row.number for row in rows] == [1, 3, 4]
    assert [row.application is not None for row in rows] == [True, True, False]
    assert {error.field: error.problem.en for error in rows[2].errors} == {
        "permit_number": "this is not text",
        "document_number": "the same as in row 1",
    }


# --- the examples ---------------------------------------------------------------------------------


def test_the_example_applications_show_what_there_is() -> None:
    """All are right, valid today and in two years; with every category, rare characters and odd numbers."""
    rows = read_applications(EXAMPLES / "applications.csv", today=TODAY)
    assert not [error for row in rows for error in row.errors]
    found = [row.application for row in rows if row.application]
    assert len(found) >= 12
    assert {one.permit.category for one in found} == set(PermitCategory)
    assert all(one.permit.valid_from <= TODAY <= date(2028, 11, 22) <= one.permit.valid_until for one in found)
    assert not [note for one in found for note in one.permit.notes]
    assert 60 in {sum(char.isalpha() for char in one.holder.name) for one in found}
    for names in ([one.holder.chinese_name for one in found], [one.holder.card_name for one in found]):
        assert any(not encodable(name, "gbk") for name in names)
    residence = {one.holder.residence_card_number for one in found}
    assert {len(number) for number in residence if number} == {15, 18}
    photos = [one.photo for one in found if one.photo]
    assert len(photos) == 3
    assert found[0].holder.name == "ERIKSSON ANNA MARIA"


def encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def test_the_example_with_errors_has_three_of_them() -> None:
    rows = read_applications(EXAMPLES / "applications-with-errors.csv", today=TODAY)
    assert len(rows) == 6
    assert [[error.field for error in row.errors] for row in rows if row.errors] == [
        ["统一社会信用代码"],
        ["有效期起"],
        ["职务"],
    ]


# --- anything at all ------------------------------------------------------------------------------


CELLS = st.one_of(
    st.text(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.sampled_from(sorted(map(str, GOOD.values()))),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(st.dictionaries(st.sampled_from([column.key for column in COLUMNS]), CELLS), min_size=1, max_size=4))
def test_any_cells_give_rows_with_an_application_or_errors(tmp_path: Path, changes: list[dict[str, object]]) -> None:
    """Whatever stands in the cells: a row is right or tells why not, and tells no long value."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{**GOOD, **change} for change in changes]), "utf-8")
    rows = read_applications(path, today=TODAY)
    assert len(rows) == len(changes)
    for row, change in zip(rows, changes, strict=True):
        assert (row.application is None) == bool(row.errors)
        for error in row.errors:
            for value in change.values():
                assert not isinstance(value, str) or len(value) < 12 or value not in str(error)
