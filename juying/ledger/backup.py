"""Back-ups: a ledger in one file, as it was at one moment, while stations go on working; and a ledger made of one.

The file is the same for both databases, so a back-up is also the way from SQLite to PostgreSQL. Its form is that of
`juying.ledger.sealed_file`, under a key made of the ledger's data key. The header tells which ledger it is and holds
its data key, sealed under the ledger key, so whoever has the key store can restore it. The lines are JSON::

    {"table": "persons", "columns": [["id", "plain"], ["sealed", "bytes"], …]}
    [1, "base64…", …]                 one line for each row
    …
    {"manifest": {…}}                 head of the chain; rows and SHA-256 of each table

Left out are the sessions, so that nobody is logged in after a restore, the workers that ran, and tables that are none
of the ledger's.
"""

import hashlib
import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa

from juying.crypto.block import Cipher
from juying.crypto.keys import DemonstrationKeys, Keys
from juying.errors import DecodeError, InputError
from juying.files import create
from juying.ledger import engine as databases
from juying.ledger import migrations, schema, sealed_file
from juying.ledger.bulk import refresh_statistics
from juying.ledger.ledger import Actor, Ledger, Transaction, canonical
from juying.ledger.operators import Action, allow
from juying.ledger.places import LEAST_CAPACITY
from juying.ledger.vault import Vault
from juying.ledger.verify import Head, head_of, verify_chain

STATUS_LIST_GAP = 1000
"""So many numbers of status lists a restored ledger leaves out: lists that began after the back-up may have them."""

_FORMAT, _VERSION = "juying-ledger-backup", 1
_LEFT_OUT = ("sessions", "workers")
_ROWS = 500

Rows = list[list[Any]]


@dataclass(frozen=True, slots=True)
class TableSum:
    """How many rows of a table a back-up has, and the SHA-256 over their lines."""

    count: int
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a back-up holds: which ledger, its revision, the last event, and the tables."""

    ledger: str
    revision: str
    made_at: datetime
    head: Head
    tables: Mapping[str, TableSum]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table in the back-up: the forms of its columns say how their values stand in JSON."""

    title: str
    columns: Sequence[Sequence[str]]

    def insertable(self) -> sa.TableClause:
        types: Mapping[str, Any] = {"bytes": sa.LargeBinary, "date": sa.Date, "plain": sa.types.NullType}
        return sa.table(self.title, *(sa.column(name, types[form]()) for name, form in self.columns))

    def values(self, row: Sequence[Any]) -> dict[str, Any]:
        return {name: _decoded(value, form) for (name, form), value in zip(self.columns, row, strict=True)}


# Backing up


def back_up(ledger: Ledger, actor: Actor, path: str | Path) -> Manifest:
    """Write a back-up of the ledger into a new file that only its owner may read, and read all of it back.

    It is there as a whole or not at all. An event tells that it was made. Raises `InputError` when ``path`` exists or
    cannot be written, and `LedgerUnavailable`.
    """
    allow(actor, Action.BACKUP)
    path = Path(path)
    with _new_file(path) as file:
        with ledger.reading() as db:
            manifest = _write(db, file, ledger)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        _walk(_lines(file, sealed_file.read_header(file), ledger.vault, str(path)), lambda _, __: None, str(path))
    with ledger.transaction(actor) as tx:
        tx.note("backed-up", {"head": str(manifest.head)})
    return manifest


def last_back_up(db: sa.Connection) -> datetime | None:
    """When the last back-up was made, None when there was none."""
    events = schema.events
    query = sa.select(events.c.at).where(events.c.kind == "backed-up").order_by(events.c.number.desc()).limit(1)
    found: datetime | None = db.execute(query).scalar()
    return found


def _write(db: sa.Connection, file: BinaryIO, ledger: Ledger) -> Manifest:
    row = db.execute(sa.select(schema.ledger)).one()
    header = {
        "format": _FORMAT, "version": _VERSION, "ledger": row.name, "revision": schema.REVISION, "region": row.region,
        "cipher": row.cipher, "wrapped_key": row.wrapped_key.hex(), "salt": secrets.token_hex(16),
    }  # fmt: skip
    line = canonical(header).encode()
    writer = sealed_file.Writer(file, line, _key(ledger.vault, header["salt"]))
    tables = {
        table.name: _write_table(db, table, writer)
        for table in schema.metadata.sorted_tables
        if table.name not in _LEFT_OUT
    }
    manifest = Manifest(
        ledger=row.name, revision=schema.REVISION, made_at=ledger.clock(), head=head_of(db), tables=tables
    )
    writer.write(_line({"manifest": _manifest_record(manifest)}))
    writer.finish()
    return manifest


def _write_table(db: sa.Connection, table: sa.Table, writer: sealed_file.Writer) -> TableSum:
    forms = [_form(column) for column in table.columns]
    columns = [[column.name, form] for column, form in zip(table.columns, forms, strict=True)]
    writer.write(_line({"table": table.name, "columns": columns}))
    # Instants as they stand in the database: whole microseconds.
    values = [sa.type_coerce(c, sa.BigInteger) if isinstance(c.type, schema.Instant) else c for c in table.columns]
    query = sa.select(*values).order_by(*table.primary_key).limit(_ROWS)
    key = [list(table.columns).index(column) for column in table.primary_key]
    digest, count, part = hashlib.sha256(), 0, query
    while rows := db.execute(part).all():
        lines = b"".join(_line([_encoded(value) for value in row]) for row in rows)
        digest.update(lines)
        count += len(rows)
        writer.write(lines)
        last = tuple(rows[-1][place] for place in key)
        part = query.where(sa.tuple_(*table.primary_key) > last)
    return TableSum(count, digest.digest())


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when the block ends well."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        if path.exists():
            raise InputError("文件已存在，不会被覆盖", "the file exists and is not overwritten", where=str(path))
        create(draft, b"", private=True)
        with draft.open("r+b") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise InputError(
            f"备份写不进去（{error.strerror}），请检查目录、权限和磁盘空间",
            f"the back-up cannot be written ({error.strerror}); check the folder, its permissions and the disk",
            where=str(path),
        ) from None
    finally:
        draft.unlink(missing_ok=True)


# Restoring


def restore(
    path: str | Path,
    where: str | Path,
    keys: Keys | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Manifest:
    """Make the ledger of a back-up in an empty place: a new SQLite file, or an empty PostgreSQL database.

    It is there, checked against the manifest and with its chain verified, or nothing is. ``keys`` hold the ledger key,
    as for `Ledger.open`. An event tells that it was restored; status lists go on with numbers that no list had before.
    Raises `InputError` when the place is not empty or the file is none of ours, `DecodeError` when it is damaged,
    `KeyUseError` and `LedgerUnavailable`.
    """
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - what is below raises OSErrors of its own
    except OSError as error:
        raise InputError(
            f"备份读不出来（{error.strerror}）", f"the back-up cannot be read ({error.strerror})", where=str(path)
        ) from None
    with file:
        line = sealed_file.read_header(file)
        header = _header(line, str(path))
        name, region = header["ledger"], header["region"]
        wrapped = bytes.fromhex(header["wrapped_key"])
        vault = Vault.open(keys or DemonstrationKeys(), region, name, Cipher(header["cipher"]), wrapped)
        with _empty_place(where) as (engine, title):
            ledger = Ledger(engine, title, vault, name=name, region=region, clock=clock)
            with ledger.transaction(ledger.local) as tx:
                manifest = _load(tx, header["revision"], _lines(file, line, vault, str(path)), str(path))
    return manifest


@contextmanager
def _empty_place(where: str | Path) -> Iterator[tuple[sa.Engine, str]]:
    """An engine for ``where``, and its title; a file that was not there is taken away when the block raises."""
    url = databases.database_url(where)
    title = databases.title(url)
    fresh = databases.is_missing(url)
    engine = databases.make_engine(url, make=True)
    if engine.dialect.name == "sqlite":  # references are checked in the end
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = OFF"))
    try:
        yield engine, title
    except BaseException:
        engine.dispose()
        for suffix in ("", "-wal", "-shm") if fresh else ():
            Path(title + suffix).unlink(missing_ok=True)
        raise
    engine.dispose()


def _load(tx: Transaction, revision: str, lines: Iterable[bytes], source: str) -> Manifest:
    db = tx.db
    if db.dialect.name == "postgresql":
        db.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('juying ledger'))")
    if sa.inspect(db).get_table_names():
        raise InputError(
            "只能恢复到空的地方：这里已有表，未作任何改动",
            "a back-up is restored into an empty place, and here are tables; nothing was changed",
            where=tx.ledger.where,
        )
    migrations.upgrade(db, revision)
    manifest = _walk(lines, lambda table, rows: _insert(db, table, rows), source)
    if revision != schema.REVISION:
        migrations.upgrade(db)
    _check(db, manifest, source)
    _advance_sequences(db)
    refresh_statistics(db)
    tx.note("restored", {"head": str(manifest.head), **_skip_status_lists(db)})
    return manifest


def _insert(db: sa.Connection, table: _Table, rows: Rows) -> None:
    db.execute(sa.insert(table.insertable()), [table.values(row) for row in rows])


def _check(db: sa.Connection, manifest: Manifest, source: str) -> None:
    """Everything that the back-up had is there, refers to what is there, and its chain is whole."""
    for name, expected in manifest.tables.items():
        if db.execute(sa.select(sa.func.count()).select_from(sa.table(name))).scalar() != expected.count:
            raise _damaged(source)
    if db.dialect.name == "sqlite" and db.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        raise _damaged(source)
    chain = verify_chain(db)
    if chain.head != manifest.head or not chain.whole:
        raise _damaged(source)


def _advance_sequences(db: sa.Connection) -> None:
    if db.dialect.name != "postgresql":  # SQLite counts on from the highest id
        return
    for table in schema.metadata.sorted_tables:
        if (column := table.autoincrement_column) is not None:
            highest = db.execute(sa.select(sa.func.max(column))).scalar()
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            if highest is not None:
                db.execute(sa.select(sa.func.setval(sequence, highest)))


def _skip_status_lists(db: sa.Connection) -> dict[str, int]:
    """A full list in front of the next one, for a place must not be given twice; what there is to tell of it."""
    lists = schema.status_lists
    last = db.execute(sa.select(sa.func.max(lists.c.number))).scalar()
    if last is None:
        return {}
    number = last + STATUS_LIST_GAP
    db.execute(sa.insert(lists).values(number=number, capacity=LEAST_CAPACITY, allotted=LEAST_CAPACITY))
    return {"next_status_list": number + 1}


# The file


def _header(line: bytes, where: str) -> dict[str, str]:
    try:
        header: dict[str, Any] = json.loads(line)
        ours = header["format"] == _FORMAT
        if ours and (header["version"] != _VERSION or not migrations.known(header["revision"])):
            raise InputError(
                "备份由较新的程序写成，请更新程序", "a newer program made this back-up: update the program", where=where
            )
        bytes.fromhex(header["wrapped_key"] + header["salt"])
        Cipher(header["cipher"])
        if not ours or not isinstance(header["ledger"], str) or not isinstance(header["region"], str):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise DecodeError(
            "这不是台账备份，或已损坏", "this is no back-up of a ledger, or it is damaged", where=where
        ) from None
    return header


def _lines(file: BinaryIO, header: bytes, vault: Vault, where: str) -> Iterator[bytes]:
    return sealed_file.read_lines(file, header, _key(vault, json.loads(header)["salt"]), where)


def _key(vault: Vault, salt: str) -> bytes:
    """The key of one file, 32 bytes."""
    return b"".join(vault.key("back-up", salt, half) for half in ("1", "2"))


def _walk(lines: Iterable[bytes], take: Callable[[_Table, Rows], object], where: str) -> Manifest:
    """Give all rows to ``take``, some hundred at a time; the manifest, which has to be true.

    Raises `DecodeError` when the content is not as it was written; ``where`` names the file.
    """
    sums: dict[str, TableSum] = {}
    manifest: Manifest | None = None
    table, rows, digest, count = _Table("", ()), list[list[Any]](), hashlib.sha256(), 0
    for line in lines:
        entry = json.loads(line)
        whole_table = isinstance(entry, dict)
        if not whole_table:
            digest.update(line)
            count += 1
            rows.append(entry)
        if rows and (whole_table or len(rows) == _ROWS):
            take(table, rows)
            rows = []
        if whole_table:
            sums[table.title] = TableSum(count, digest.digest())
            digest, count = hashlib.sha256(), 0
            if "manifest" in entry:
                manifest = _manifest_of(entry["manifest"])
            else:
                table = _Table(entry["table"], entry["columns"])
    sums.pop("")
    if manifest is None or manifest.tables != sums:
        raise _damaged(where)
    return manifest


def _manifest_record(manifest: Manifest) -> dict[str, Any]:
    return {
        "ledger": manifest.ledger,
        "revision": manifest.revision,
        "made_at": manifest.made_at.isoformat(),
        "head": str(manifest.head),
        "tables": {name: [table.count, table.sha256.hex()] for name, table in manifest.tables.items()},
    }


def _manifest_of(record: Mapping[str, Any]) -> Manifest:
    tables = {name: TableSum(count, bytes.fromhex(digest)) for name, (count, digest) in record["tables"].items()}
    made_at, head = datetime.fromisoformat(record["made_at"]), Head.parse(record["head"])
    return Manifest(**{**record, "tables": tables, "made_at": made_at, "head": head})


def _form(column: sa.Column[Any]) -> str:
    if isinstance(column.type, sa.LargeBinary):
        return "bytes"
    return "date" if isinstance(column.type, sa.Date) else "plain"


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


def _decoded(value: Any, form: str) -> Any:
    if value is None or form == "plain":
        return value
    return b64decode(value) if form == "bytes" else date.fromisoformat(value)


def _line(value: Any) -> bytes:
    return canonical(value).encode() + b"\n"


def _damaged(where: str) -> DecodeError:
    return DecodeError(
        "备份内容与其清单不符，未恢复任何内容；请用另一份备份",
        "the back-up does not hold what its manifest says; nothing was restored: take another one",
        where=where,
    )
