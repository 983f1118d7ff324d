"""What a ledger costs: importing a sheet, against its bare rows; asking a large ledger, against asking a small one.

An import seals, hashes, compares with what is there and writes events. It is held against a plain ``executemany`` of
the very same rows into the same tables of another new ledger, in one transaction as well. On SQLite, and on a
PostgreSQL that flushes to the disk; `bench_station` has what the ledger takes for each card.

    python benchmarks/bench_ledger.py [ORDERS]
"""

import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from common import Row, clocked, microseconds, private_postgres, show

from juying.issuance import lot_listing
from juying.issuance.intake import Application
from juying.issuance.intake import Row as SheetRow
from juying.issuance.lot_import import import_rows
from juying.ledger import orders, schema
from juying.ledger.ledger import Ledger
from juying.ledger.states import OrderState
from juying.model import Employer, Holder, PermitCategory, Sex, WorkPermit

ORDERS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
FEW = 1000
REGION = "331000"
PROFILE = "ssc-v3"
EMPLOYERS = (
    Employer(name="椒江样本医药研究院", code="123310020000DDD18Q"),
    Employer(name="台州虚构缝制设备有限公司", code="91331002MA00AAA100"),
)
FAMILIES = 20  # so that a page of one family is full in the small ledger too
LETTERS = "ABCDEFGHIJ"

ROUNDS = {"SQLite": 2, "PostgreSQL": 1}
TARGETS = {"SQLite": 5, "PostgreSQL": None}

Place = Callable[[], str]


def name(number: int) -> str:
    """Family name and given name; nobody else has both."""
    given = "".join(LETTERS[int(digit)] for digit in f"{number:06}")
    return f"MUSTER{LETTERS[number % FAMILIES // 10]}{LETTERS[number % 10]} {given}"


def row(number: int) -> SheetRow:
    """The row of somebody invented."""
    holder = Holder(
        name=name(number), nationality="UTO", birth_date=date(1984, 1, 1), sex=Sex.MALE,
        document_number=f"C{number:08}", phone="10000000001", address=f"台州市虚构路{number}号",
        address_region="331002",
    )  # fmt: skip
    permit = WorkPermit(
        number=f"ZJ{number:08}", category=PermitCategory.B, position="工程师",
        employer=EMPLOYERS[number % len(EMPLOYERS)], valid_from=date(2026, 1, 1), valid_until=date(2035, 12, 31),
        authority="台州市示范签发机关（样本）", region="331002",
    )  # fmt: skip
    return SheetRow(number + 2, Application(holder=holder, permit=permit))


def fill(ledger: Ledger, rows: list[SheetRow]) -> None:
    """The import."""
    import_rows(ledger, ledger.local, rows, "bench", profile=PROFILE, source="bench.xlsx")


def rows_of(ledger: Ledger) -> list[tuple[str, list[Any]]]:
    """The statement and the bare rows for every table with rows in it that a new ledger does not have."""
    sqlite = ledger.engine.dialect.name == "sqlite"
    found = []
    with ledger.engine.connect() as db:
        for table in schema.metadata.sorted_tables:
            if table.name in ("ledger", "operators", "chain"):
                continue
            marks = ", ".join(["?" if sqlite else "%s"] * len(table.columns))
            order = " ORDER BY rowid" if sqlite else ""  # as they came
            rows = list(map(tuple, db.exec_driver_sql(f"SELECT * FROM {table.name}{order}")))
            if rows:
                found.append((f"INSERT INTO {table.name} VALUES ({marks})", rows))
    return found


def insert(ledger: Ledger, tables: list[tuple[str, list[Any]]]) -> None:
    """The same rows, with nothing but the driver."""
    with ledger.engine.begin() as db:
        connection: Any = db.connection
        for statement, rows in tables:
            connection.cursor().executemany(statement, rows)


def importing(title: str, place: Place, rows: list[SheetRow], rounds: int) -> tuple[Row, Ledger]:
    """Both ways in, taking turns, and the ledger that was filled last."""
    ours, bare, count, filled = [], [], 0, None
    for _ in range(rounds):
        if filled is not None:
            filled.close()
        filled = Ledger.open(place(), region=REGION)
        ours.append(clocked(partial(fill, filled, rows)))
        tables = rows_of(filled)
        count = sum(len(content) for _, content in tables)
        with Ledger.open(place(), region=REGION) as other:
            bare.append(clocked(partial(insert, other, tables)))
    assert filled is not None
    what, against = f"{title}: import of {len(rows):,} orders", f"executemany of {count:,} rows"
    return Row(what, min(ours), min(bare), against, "s", TARGETS[title]), filled


class _Back(Exception):
    """Ends a transaction that is to leave nothing."""


def questions(ledger: Ledger, count: int) -> Iterator[Callable[[], object]]:
    """What is asked of a ledger with so many orders, as `TITLES` say; the first half of them is done."""
    lot = 1
    table = schema.orders
    half = count // 2
    with ledger.transaction(ledger.local) as tx:
        done = sa.update(table).where(table.c.lot_id == lot, table.c.position <= half)
        tx.db.execute(done.values(state=OrderState.CANCELLED.value))
    blanks = itertools.count()

    def page() -> None:
        with ledger.reading() as db:
            assert len(lot_listing.page(db, lot, after=half)) == lot_listing.PAGE

    def search(text: str, found: int) -> Callable[[], None]:
        def ask() -> None:
            assert len(lot_listing.search(ledger, text)) == found

        return ask

    def claim(lot: int | None) -> Callable[[], None]:
        def ask() -> None:
            with suppress(_Back), ledger.transaction(ledger.local) as tx:
                assert orders.claim(tx, f"331000{next(blanks):018}", PROFILE, lot=lot) is not None
                raise _Back

        return ask

    yield page
    yield search(name(half), 1)
    yield search(name(half).split()[0], lot_listing.PAGE)
    yield search(f"C{half:08}", 1)
    yield claim(lot)
    yield claim(None)


TITLES = (
    "a page of the list", "search: full name", "search: family name, a full page", "search: passport number",
    "claiming the next order of a lot", "claiming the next order of any lot",
)  # fmt: skip


def looking(title: str, large: Ledger, small: Ledger) -> list[Row]:
    """The same questions to both."""
    rows = []
    for what, much, little in zip(TITLES, questions(large, ORDERS), questions(small, FEW), strict=True):
        ours, reference = microseconds(much, little, calls=20, rounds=10)
        rows.append(Row(f"{title}: {what}", ours / 1e3, reference / 1e3, f"{FEW:,} orders", target=3))
    return rows


@contextmanager
def databases() -> Iterator[Iterator[tuple[str, Place]]]:
    """Both, each with what makes places for new ledgers."""
    with tempfile.TemporaryDirectory() as folder, private_postgres() as postgres:
        numbers = itertools.count()
        yield iter(
            (("SQLite", lambda: str(Path(folder) / f"{next(numbers)}.db")), ("PostgreSQL", postgres.new_database))
        )


def main() -> None:
    """Both databases, one after the other."""
    rows = [row(number) for number in range(ORDERS)]
    table = []
    with databases() as kinds:
        for title, place in kinds:
            imported, large = importing(title, place, rows, ROUNDS[title])
            with large, Ledger.open(place(), region=REGION) as small:
                fill(small, rows[:FEW])
                table += [imported, *looking(title, large, small)]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    show(f"A ledger of {ORDERS:,} orders (load of the machine: {load})", table)


if __name__ == "__main__":
    main()
