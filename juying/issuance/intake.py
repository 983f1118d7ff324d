"""Applications in: the rows of a sheet become holders and permits, or reasons why not.

A file that cannot be read as a whole is an InputError. A wrong row is a value: it lists everything that is
wrong with it, so that the clerk corrects it once and the other rows are issued.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PureWindowsPath
from typing import Any

from juying.errors import DecodeError, FieldError, RecordError
from juying.issuance.cells import day_of, text_of
from juying.issuance.choices import MEANINGS
from juying.issuance.columns import BY_KEY, COLUMNS, Column, Kind
from juying.issuance.headings import match_columns, needed, place_of
from juying.issuance.permit_kinds import Kind as ApplicationKind
from juying.issuance.sheet import Limits, Table, read_table
from juying.model import Employer, Holder, Sex, WorkPermit, mrz
from juying.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What one row asks for.

    ``card_number`` (9 characters) and ``issued_on`` are None where the office is to choose. ``photo`` is the
    path of an existing file, not yet looked into. ``kind`` is None where it follows from what is known of the person.
    """

    holder: Holder
    permit: WorkPermit
    card_number: str | None = field(default=None, repr=False)
    issued_on: date | None = None
    photo: Path | None = field(default=None, repr=False)
    kind: ApplicationKind | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the file, and either an application or the errors in it.

    The number is the one that a spreadsheet shows (the heading is row 1); in JSON it is the place of the
    object in its list, from 1. ``field`` of an error is the heading as the sheet has it.
    """

    number: int
    application: Application | None
    errors: tuple[FieldError, ...] = ()


def read_applications(path: str | Path, *, today: date, limits: Limits | None = None) -> list[Row]:
    """Read a CSV, XLSX or JSON file of applications, in order; empty rows are left out.

    The columns are those of `juying.issuance.columns`. ``today`` tells which permits have run out and which
    century a passport's two-digit years belong to. Photos are looked for relative to the folder of the sheet
    and must lie inside it: sheets come from outside, and must not make the office read its other files.

    A permit number, card number, social security number or passport that an earlier row has as well is an
    error of the later row. Raises InputError when the file as a whole cannot be read: missing, too large,
    broken, empty, or with headings that are missing, unknown or doubled.
    """
    path = Path(path)
    return rows_of(read_table(path, limits or Limits()), path, today=today)


def rows_of(table: Table, path: Path, *, today: date) -> list[Row]:
    """The applications in a table that was read from ``path``; see `read_applications`."""
    columns = match_columns(table, path)
    seen: dict[tuple[str, ...], int] = {}
    rows = []
    for number, cells in table.rows:
        reader = _RowReader(table, columns, cells, path.parent, today)
        application = reader.application()
        reader.refuse_repeats(number, seen)
        errors = tuple(reader.errors.values())
        rows.append(Row(number, None if errors else application, errors))
    return rows


_PERSON = ("name", "nationality", "sex", "birth_date", "document_number")  # what a passport's MRZ tells
_UNIQUE = (("permit_number",), ("card_number",), ("social_security_number",), ("document_number", "nationality"))

# Fields of the model whose column has another key.
_HOLDER = {"issued_social_security_number": "social_security_number"}
_EMPLOYER = {"name": "employer_name", "code": "employer_code"}
_PERMIT = {"number": "permit_number"}


class _RowReader:
    """Turns the cells of one row into an application; ``errors`` holds the first error of each column."""

    def __init__(
        self, table: Table, columns: Mapping[int, Column], cells: tuple[object, ...], folder: Path, today: date
    ) -> None:
        self.errors: dict[str, FieldError] = {}
        self._headings = {column.key: table.headings[index].strip("\ufeff ") for index, column in columns.items()}
        self._folder = folder
        self._today = today
        self._values: dict[str, Any] = {}
        for index, cell in enumerate(cells):
            if index in columns:
                self._keep(columns[index], cell, table.epoch)
            elif cell is not None and str(cell).strip():
                self._refuse_stray(place_of(table, index))

    def application(self) -> Application | None:
        """The application, or None when there are errors."""
        self._use_mrz()
        self._use_residence_card()
        for column in COLUMNS:
            if needed(column, {*self._values, *self.errors}):
                self._refuse(column.key, Text("没有填写", "missing"), column.note)
        holder, permit = self._holder(), self._permit()
        photo = self._photo()
        if self.errors or holder is None or permit is None:
            return None
        return Application(
            holder=holder,
            permit=permit,
            card_number=self._values.get("card_number"),
            issued_on=self._values.get("issued_on"),
            photo=photo,
            kind=self._values.get("kind"),
        )

    def refuse_repeats(self, number: int, seen: dict[tuple[str, ...], int]) -> None:
        """Refuse what an earlier row has as well, also when that row is wrong; remember what this one has."""
        for keys in _UNIQUE:
            values = [self._values.get(key) for key in keys]
            if not all(values):
                continue
            earlier = seen.setdefault((keys[0], *map(str, values)), number)
            if earlier != number:
                self._refuse(
                    keys[0],
                    Text(f"与第 {earlier} 行相同", f"the same as in row {earlier}"),
                    Text("同一表中每人、每证、每卡只能出现一次", "a sheet has each person, permit and card once"),
                )

    def _heading(self, key: str) -> str:
        return self._headings.get(key, BY_KEY[key].heading.zh)

    def _refuse(self, key: str, problem: Text, rule: Text) -> None:
        self.errors.setdefault(key, FieldError(self._heading(key), problem, rule))

    def _refuse_stray(self, place: Text) -> None:
        self.errors[place.en] = FieldError(
            str(place).strip(),
            Text("没有标题的列中有内容", "there is content in a column without a heading"),
            Text("含逗号的 CSV 单元格须加引号", "a cell of a CSV that contains a comma needs quotes"),
        )

    def _keep(self, column: Column, cell: object, epoch: date) -> None:
        """Keep the meaning of a cell, or its error."""
        heading = self._heading(column.key)
        try:
            if column.kind is Kind.DATE:
                value: Any = day_of(cell, column, heading, epoch=epoch)
            else:
                value = text_of(cell, column, heading)
                if value and column.key in MEANINGS:
                    value = MEANINGS[column.key](value, heading)
        except FieldError as error:
            self.errors[column.key] = error
        else:
            if value:
                self._values[column.key] = value

    def _use_mrz(self) -> None:
        """Take from the passport's MRZ what the row leaves open, and compare what it gives."""
        if zone := self._zone():
            certain = {
                "name": not zone.name_truncated,
                "nationality": bool(zone.nationality),
                "document_number": not zone.is_visa,
            }
            for key in _PERSON:
                if key in self._values:
                    self._compare(key, zone, certain.get(key, True))
                elif key not in self.errors:
                    self._take(key, zone, certain.get(key, True))

    def _zone(self) -> mrz.Mrz | None:
        try:
            return mrz.parse(self._values["mrz"], today=self._today) if "mrz" in self._values else None
        except DecodeError as error:
            self._refuse("mrz", error.text, BY_KEY["mrz"].note)
        except (FieldError, RecordError) as error:
            wrong = error.errors[0] if isinstance(error, RecordError) else error
            zh = BY_KEY[wrong.field].heading.zh if wrong.field in BY_KEY else wrong.field
            problem = Text(f"{zh}：{wrong.problem.zh}", f"{wrong.field}: {wrong.problem.en}")
            self._refuse("mrz", problem, wrong.rule)
        return None

    def _take(self, key: str, zone: mrz.Mrz, certain: bool) -> None:
        if certain:
            self._values[key] = getattr(zone, key)
            self._headings[key] = self._heading("mrz")
        else:
            problem = Text("机读码不足以确定，须另行填写", "the MRZ does not settle it: fill it in")
            self._refuse(key, problem, BY_KEY[key].note)

    def _compare(self, key: str, zone: mrz.Mrz, certain: bool) -> None:
        # A name that is cut off can still be compared at its beginning.
        if (certain or key == "name") and not _agree(key, self._values[key], zone):
            self._refuse(
                key,
                Text("与护照机读码不一致", "disagrees with the passport's MRZ"),
                Text("以护照为准，核对后改正", "the passport decides: compare and correct"),
            )

    def _use_residence_card(self) -> None:
        """Let the residence card stand for the passport; with both, the number's origin is not settled."""
        card = self._values.get("residence_card_number")
        if card is None or "document_number" in self.errors:
            return
        if "document_number" not in self._values:
            self._values["document_number"] = card
            self._headings["document_number"] = self._heading("residence_card_number")
        elif self._values["document_number"] != card and "social_security_number" not in self._values:
            self._refuse(
                "social_security_number",
                Text(
                    "同时填写了护照和永久居留身份证，无法确定号码由哪一个编成",
                    "passport and residence card are both given: which of them the number was made from is open",
                ),
                BY_KEY["social_security_number"].note,
            )

    def _build(self, record: Callable[..., Any], keys: Mapping[str, str], **given: Any) -> Any:
        """Build a record of the model; what it refuses goes to the errors of the columns."""
        try:
            return record(**given)
        except (FieldError, RecordError) as error:
            for wrong in error.errors if isinstance(error, RecordError) else (error,):
                key = keys.get(wrong.field, wrong.field)
                # What has no value was refused before; the employer reports for itself.
                if key in self._values:
                    self._refuse(key, wrong.problem, wrong.rule)
            return None

    def _holder(self) -> Holder | None:
        get = self._values.get
        holder: Holder | None = self._build(
            Holder,
            _HOLDER,
            **{key: get(key) for key in _PERSON},
            chinese_name=get("chinese_name", ""),
            card_name=get("card_name", ""),
            issued_social_security_number=get("social_security_number"),
            residence_card_number=get("residence_card_number"),
            **{key: get(key, "") for key in ("phone", "email", "address", "address_region")},
        )
        if holder is None:
            return None
        if holder.birth_date > self._today:
            rule = Text("出生日期不晚于今天", "nobody is born after today")
            self._refuse("birth_date", Text("在今天之后", "after today"), rule)
        try:
            _ = holder.social_security_number
        except FieldError as error:
            self._refuse("social_security_number", error.problem, error.rule)
        return holder

    def _permit(self) -> WorkPermit | None:
        get = self._values.get
        employer = self._build(Employer, _EMPLOYER, name=get("employer_name"), code=get("employer_code"))
        permit: WorkPermit | None = self._build(
            WorkPermit,
            _PERMIT,
            number=get("permit_number"),
            category=get("category"),
            employer=employer,
            position=get("position"),
            valid_from=get("valid_from"),
            valid_until=get("valid_until"),
            authority=get("authority"),
            region=get("region", ""),
        )
        if permit is not None and permit.valid_until < self._today:
            self._refuse(
                "valid_until",
                Text("许可已过期", "the permit has run out"),
                Text("只为仍然有效的许可制卡", "cards are made for permits that are still valid"),
            )
        return permit

    def _photo(self) -> Path | None:
        """The picture file inside the sheet's folder."""
        name: str = self._values.get("photo", "").replace("\\", "/")
        if not name:
            return None
        # As a Windows path also on other systems: a drive letter is outside everywhere.
        outside = PureWindowsPath(name)
        try:
            found = (self._folder / name).resolve()
            inside = not outside.anchor and found.is_relative_to(self._folder.resolve())
            if inside and ".." not in outside.parts and found.is_file():
                return found
        except (OSError, ValueError):
            pass
        self._refuse(
            "photo",
            Text("在表格所在文件夹中找不到该文件", "there is no such file in the folder of the sheet"),
            BY_KEY["photo"].note,
        )
        return None


_DIGRAPHS = str.maketrans({"Ä": "AE", "Ö": "OE", "Ü": "UE", "Å": "AA", "Ø": "OE", "Æ": "AE", "Œ": "OE", "Þ": "TH"})
_SINGLES = str.maketrans({"Ø": "O", "Æ": "AE", "Œ": "OE", "Þ": "TH", "Ł": "L", "Đ": "D", "Ð": "D", "ẞ": "SS"})
_TRUNCATED = 10


def _agree(key: str, given: Any, zone: mrz.Mrz) -> bool:
    """Whether what a row gives agrees with the MRZ, which knows no accents and may shorten names."""
    if key == "name":
        scanned = re.sub("[^A-Z]", "", zone.name)
        letters = unicodedata.normalize("NFC", given.replace("ß", "ss")).upper()
        spellings = {_latin(letters), _latin(letters.translate(_DIGRAPHS))}
        if zone.name_truncated:
            # ICAO 9303-3 lets the issuer cut any part of a long name, but hardly its beginning.
            return any(spelling.startswith(scanned[:_TRUNCATED]) for spelling in spellings)
        return scanned in spellings
    if key == "sex" and zone.sex is Sex.UNSPECIFIED:
        return True
    return bool(given == getattr(zone, key))


def _latin(letters: str) -> str:
    """The letters A to Z of a name in capitals, accents taken off."""
    return re.sub("[^A-Z]", "", unicodedata.normalize("NFKD", letters.translate(_SINGLES)))
