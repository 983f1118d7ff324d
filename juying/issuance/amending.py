"""A sheet with one row that says only what is to be other than it is."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from juying.errors import InputError, RecordError
from juying.issuance.columns import column_of
from juying.issuance.intake import Application, Row, read_applications, rows_of
from juying.issuance.sheet import Limits, Table, read_table
from juying.model import Holder, WorkPermit

_SCANNED = ("name", "nationality", "sex", "birth_date", "document_number")  # what a passport's MRZ tells


def amended(
    path: Path | None,
    holder: Holder,
    permit: WorkPermit,
    *,
    today: date,
    changes: Mapping[str, object] | None = None,
) -> Application:
    """How ``holder`` and ``permit`` are to be: as the one row of the sheet at ``path`` says, and as before elsewhere.

    Columns are those of every application sheet; a cell that is empty leaves things as they are, except that a passport
    scanned anew says all that it holds. ``changes`` are further cells by column key. Raises `InputError` for a file
    that cannot be read or has several rows, `FieldError` or `RecordError` for what is wrong in it.
    """
    given = {} if path is None else _row(path)
    given |= {key: (key, value) for key, value in (changes or {}).items()}
    before = _cells(holder, permit)
    if "mrz" in given:
        before = {key: value for key, value in before.items() if key not in _SCANNED}
    cells = {key: (key, value) for key, value in before.items()} | given
    headings, values = zip(*cells.values(), strict=True)
    (row,) = rows_of(Table(headings, ((1, values),)), path or Path(), today=today)
    return _application(row)


def only_application(path: Path, *, today: date) -> Application:
    """The application of a sheet that has one. Raises as `amended` does."""
    rows = read_applications(path, today=today)
    if len(rows) != 1:
        raise _one_row(path)
    return _application(rows[0])


def _application(row: Row) -> Application:
    if row.application is None:
        raise row.errors[0] if len(row.errors) == 1 else RecordError(row.errors)
    return row.application


def _one_row(path: Path) -> InputError:
    return InputError("只办理一个人时，表中只能有一行", "for one person the sheet has one row", where=str(path))


def _row(path: Path) -> dict[str, tuple[str, object]]:
    """Heading and cell of each column that is filled, by the key of the column; of one we do not know, by heading."""
    table = read_table(path, Limits())
    if len(table.rows) != 1:
        raise _one_row(path)
    columns = [column_of(heading) for heading in table.headings]
    ((_, cells),) = table.rows
    return {
        column.key if column else heading: (heading, cell)
        for heading, column, cell in zip(table.headings, columns, cells, strict=False)
        if cell is not None and str(cell).strip()
    }


def _cells(holder: Holder, permit: WorkPermit) -> dict[str, object]:
    """A holder and a permit as cells, by column key."""
    cells: dict[str, object] = {
        "name": holder.name,
        "chinese_name": holder.chinese_name,
        "card_name": holder.card_name,
        "nationality": holder.nationality,
        "sex": holder.sex.value,
        "birth_date": holder.birth_date,
        "document_number": holder.document_number,
        "residence_card_number": holder.residence_card_number,
        "social_security_number": holder.issued_social_security_number,
        "phone": holder.phone,
        "email": holder.email,
        "address": holder.address,
        "address_region": holder.address_region,
        "permit_number": permit.number,
        "category": permit.category.value,
        "employer_name": permit.employer.name,
        "employer_code": permit.employer.code,
        "position": permit.position,
        "valid_from": permit.valid_from,
        "valid_until": permit.valid_until,
        "authority": permit.authority,
        "region": permit.region,
    }
    return {key: value for key, value in cells.items() if value}
