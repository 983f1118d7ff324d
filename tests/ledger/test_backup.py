"""A back-up holds a ledger as it was at one moment, and becomes the same ledger in any empty place, or nothing."""

import itertools
import stat
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.credential.claims import StatusReference
from juying.crypto.key_set import KeyKind, KeySet, StoredKey
from juying.crypto.software_keys import SoftwareKeys
from juying.errors import DecodeError, InputError, JuyingError, KeyUseError, LedgerUnavailable
from juying.ledger import backup, migrations, orders, schema, sealed_file
from juying.ledger import people as stored
from juying.ledger.backup import back_up, last_back_up, restore
from juying.ledger.ledger import Ledger
from juying.ledger.register import allot_in
from juying.ledger.states import LotState, OrderState
from juying.ledger.verify import head_of, verify_chain
from juying.text import Text
from tests import people
from tests.harness import PrivatePostgres
from tests.ledger.test_migrations import later

IDENTIFIER = "331000D156000005" + "00" * 3


def opened(where: str | Path, **settings: object) -> Ledger:
    return Ledger.open(where, region="331000", clock=lambda: people.NOW, **settings)


def fill(ledger: Ledger, count: int = 3) -> None:
    """A lot of persons with orders, one of which is under way."""
    with ledger.transaction(ledger.local) as tx:
        holders = [people.holder(document_number=f"P{n:07}") for n in range(count)]
        persons = stored.add_persons(tx, [(holder, b"\xff\xd8 a photo") for holder in holders])
        permits = stored.add_permits(
            tx, [(person, people.permit(number=f"ZJ2026{person:04}"), None) for person in persons]
        )
        lot = tx.db.execute(
            sa.insert(schema.lots)
            .values(name="monday", state=LotState.OPEN.value, source="sheet.csv", profile="ssc-v3", box_size=100,
                    made_at=tx.now)
            .returning(schema.lots.c.id)
        ).scalar_one()  # fmt: skip
        ids = tx.new_ids(schema.applications, count)
        tx.db.execute(
            sa.insert(schema.applications),
            [{"id": number, "kind": "first", "person_id": person, "permit_id": permit, "lot_id": lot, "row": row,
              "digest": bytes(16), "made_at": tx.now}
             for row, (number, person, permit) in enumerate(zip(ids, persons, permits, strict=True), 2)],
        )  # fmt: skip
        orders.plan_orders(
            tx,
            [orders.NewOrder(lot=lot, position=position, application=application, person=person, permit=permit,
                             card_number=f"JYX{position:06}", issued_on=date(2026, 12, 1))
             for position, (application, person, permit) in enumerate(zip(ids, persons, permits, strict=True), 1)],
        )  # fmt: skip
        allot_in(tx, [f"ZJ2026{person:04}" for person in persons])
        tx.note("lot-imported", {"orders": count}, lot=lot)
    with ledger.transaction(ledger.local) as tx:
        assert orders.claim(tx, IDENTIFIER, "ssc-v3") is not None


def contents(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, but for what a restore adds."""
    found = {}
    with ledger.reading() as db:
        for table in schema.metadata.sorted_tables:
            found[table.name] = [tuple(row) for row in db.execute(sa.select(table).order_by(*table.primary_key))]
    for name in ("sessions", "chain"):
        del found[name]
    return found


@pytest.fixture
def places(tmp_path: Path, private_postgres: PrivatePostgres) -> Iterator[Iterator[str]]:
    """Empty places of both kinds, in turn."""
    numbers = itertools.count(1)
    return (place for n in numbers for place in (str(tmp_path / f"restored{n}.db"), private_postgres.new_database()))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A back-up of a small ledger."""
    path = tmp_path / "saved.backup"
    with opened(tmp_path / "saved.db") as ledger:
        fill(ledger)
        back_up(ledger, ledger.local, path)
    return path


def test_a_back_up_becomes_the_same_ledger_in_either_database(
    database: str, places: Iterator[str], tmp_path: Path
) -> None:
    path = tmp_path / "today.backup"
    with opened(database) as ledger:
        fill(ledger)
        before = contents(ledger)
        with ledger.reading() as db:
            head = head_of(db)
        manifest = back_up(ledger, ledger.local, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert manifest.head == head
    assert {name: table.count for name, table in manifest.tables.items() if table.count} == {
        name: len(rows) for name, rows in before.items() if rows
    } | {"chain": 1}
    for place in (next(places), next(places)):
        assert restore(path, place, clock=lambda: people.NOW) == manifest
        with opened(place, make=False) as ledger:
            after = contents(ledger)
            restored = after["events"].pop()
            assert after.pop("status_lists")[0] == before["status_lists"][0]
            assert after == {name: rows for name, rows in before.items() if name != "status_lists"}
            assert restored[2] == "restored"
            assert str(head) in str(restored)
            with ledger.reading() as db:
                assert verify_chain(db, head=head).whole
                assert stored.load_holder(db, ledger.vault, 1) == people.holder(document_number="P0000000")
                assert stored.load_photo(db, ledger.vault, 1) == b"\xff\xd8 a photo"


def test_postgresql_knows_at_once_how_much_was_restored(saved: Path, private_postgres: PrivatePostgres) -> None:
    place = private_postgres.new_database()
    restore(saved, place)
    with opened(place, make=False) as ledger, ledger.reading() as db:
        orders = db.execute(sa.select(sa.func.count()).select_from(schema.orders)).scalar()
        assert db.execute(sa.text("SELECT reltuples FROM pg_class WHERE relname = 'orders'")).scalar() == orders > 0


def test_a_restored_ledger_goes_on_working(saved: Path, places: Iterator[str]) -> None:
    for place in (next(places), next(places)):
        restore(saved, place)
        with opened(place) as ledger:
            with ledger.transaction(ledger.local) as tx:
                claim = orders.claim(tx, IDENTIFIER, "ssc-v3")
                assert claim is not None, "the card that was begun still has its order"
                assert (claim.order, claim.state) == (1, OrderState.WRITING)
                for state in (OrderState.WRITTEN, OrderState.VERIFIED):
                    orders.step(tx, claim, state)
                orders.seal(tx, claim)
                following = orders.claim(tx, "11" * 12, "ssc-v3")
                assert following is not None
                assert following.order == 2
                (person,) = stored.add_persons(tx, [(people.holder(document_number="NEW"), None)])
                assert person == 4
            with ledger.reading() as db:
                assert verify_chain(db).whole


def test_what_the_database_forbids_is_forbidden_after_a_restore(saved: Path, places: Iterator[str]) -> None:
    for place in (next(places), next(places)):
        restore(saved, place)
        with opened(place) as ledger:
            for statement in (
                sa.update(schema.events).values(kind="forged"),
                sa.delete(schema.events),
                sa.delete(schema.persons),
                sa.insert(schema.terms).values(term=bytes(16), person_id=77),
            ):
                with pytest.raises(JuyingError), ledger.transaction(ledger.local) as tx:
                    tx.db.execute(statement)


def test_places_in_status_lists_are_not_given_again(saved: Path, places: Iterator[str]) -> None:
    """What was allotted after the back-up is not known, so no list that may have been used then is used."""
    place = next(places)
    restore(saved, place)
    with opened(place) as ledger, ledger.transaction(ledger.local) as tx:
        (reference,) = allot_in(tx, ["ZJ1"])
    assert reference.list_number == 1 + backup.STATUS_LIST_GAP + 1
    assert reference != StatusReference(1, reference.index)


def test_an_empty_ledger_is_restored(database: str, places: Iterator[str], tmp_path: Path) -> None:
    with opened(database) as ledger:
        manifest = back_up(ledger, ledger.local, tmp_path / "empty.backup")
        assert manifest.head.number == 0
    place = next(places)
    restore(tmp_path / "empty.backup", place)
    with opened(place) as ledger, ledger.transaction(ledger.local) as tx:
        (reference,) = allot_in(tx, ["ZJ1"])
    assert reference.list_number == 1


def test_what_happens_meanwhile_is_in_the_back_up_as_a_whole_or_not_at_all(
    database: str, places: Iterator[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stations write before, during and after; what the back-up has is one moment with a whole chain."""
    reached, gone_on = threading.Event(), threading.Event()
    with opened(database) as ledger:
        fill(ledger)

        def write() -> None:
            assert reached.wait(60)
            for number in range(20):
                with ledger.transaction(ledger.local) as tx:
                    stored.add_persons(tx, [(people.holder(document_number=f"DURING{number}"), None)])
                    tx.note("during", {"number": number})
            gone_on.set()

        original = backup._write_table

        def slow(*arguments: object) -> object:
            done = original(*arguments)
            if arguments[1] is schema.operators:  # one of the first tables: persons and events come later
                reached.set()
                assert gone_on.wait(60)
            return done

        monkeypatch.setattr(backup, "_write_table", slow)
        writer = threading.Thread(target=write)
        writer.start()
        manifest = back_up(ledger, ledger.local, tmp_path / "during.backup")
        writer.join()
    assert manifest.tables["persons"].count == 3
    place = next(places)
    restore(tmp_path / "during.backup", place)
    with opened(place) as restored, restored.reading() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(schema.persons)).scalar() == 3
        assert verify_chain(db, head=manifest.head).whole


def test_many_rows_take_no_more_memory_than_few(database: str, tmp_path: Path) -> None:
    """Rows come and go by the hundred: more than that are never held at once."""
    with opened(database) as ledger:
        fill(ledger, 1201)
        held = []
        manifest = back_up(ledger, ledger.local, tmp_path / "many.backup")
        assert manifest.tables["persons"].count == 1201
        with (tmp_path / "many.backup").open("rb") as file:
            lines = backup._lines(file, sealed_file.read_header(file), ledger.vault, "")
            backup._walk(lines, lambda table, rows: held.append((table.title, len(rows))), "")
    assert [count for title, count in held if title == "persons"] == [500, 500, 201]


def test_the_last_back_up_is_known(database: str, tmp_path: Path) -> None:
    with opened(database) as ledger:
        with ledger.reading() as db:
            assert last_back_up(db) is None
        back_up(ledger, ledger.local, tmp_path / "a.backup")
        with ledger.reading() as db:
            assert last_back_up(db) == people.NOW


# What is refused.


def refused(kind: type[Exception], match: str | None, path: Path, place: Path, **settings: object) -> None:
    """The restore fails, and leaves nothing."""
    before = sorted(place.parent.iterdir())
    with pytest.raises(kind, match=match):
        restore(path, place, **settings)
    assert sorted(place.parent.iterdir()) == before


def test_a_changed_byte_anywhere_is_found(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    header = data.index(b"\n") + 1
    places = [*range(0, header), *range(header, header + 40), *range(header, len(data), len(data) // 60), len(data) - 1]
    damaged = tmp_path / "damaged.backup"
    for place in places:
        damaged.write_bytes(data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :])
        refused(JuyingError, None, damaged, tmp_path / "nothing.db")


def test_a_torn_back_up_is_found(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    torn = tmp_path / "torn.backup"
    header = data.index(b"\n") + 1
    for length in (0, 1, header - 1, header, header + 3, header + 4, header + 30, len(data) // 2, len(data) - 1):
        torn.write_bytes(data[:length])
        refused(DecodeError, "damaged|incomplete", torn, tmp_path / "nothing.db")
    size = int.from_bytes(data[header : header + 4], "big")
    longer = data[:header] + (size + 1).to_bytes(4, "big") + data[header + 4 :]  # than the file is
    for wrong in (data + b"\0", longer):
        torn.write_bytes(wrong)
        refused(DecodeError, "incomplete", torn, tmp_path / "nothing.db")


def test_parts_that_are_cut_off_or_swapped_are_found(tmp_path: Path) -> None:
    path, key, header = tmp_path / "lines", bytes(range(32)), b"{}"
    wanted = b"".join(b"%064x%032x\n" % (n**9, n**5) for n in range(20_000))
    with path.open("w+b") as file:
        writer = sealed_file.Writer(file, header, key)
        for start in range(0, len(wanted), 100_000):
            writer.write(wanted[start : start + 100_000])
        writer.finish()
    data = path.read_bytes()
    parts, at = [], len(header) + 1
    while at < len(data):
        size = 4 + int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at : at + size])
        at += size
    assert len(parts) > 3

    def read(*chosen: bytes) -> bytes:
        path.write_bytes(b"{}\n" + b"".join(chosen))
        with path.open("rb") as file:
            return b"".join(sealed_file.read_lines(file, sealed_file.read_header(file), key))

    assert read(*parts) == wanted
    for wrong in (parts[:-1], parts[:1], parts[1:], [parts[1], parts[0], *parts[2:]], [*parts, parts[-1]], []):
        with pytest.raises(DecodeError, match="incomplete"):
            read(*wrong)


def test_the_last_part_may_be_full(tmp_path: Path) -> None:
    """Whatever the length is, the end is found."""
    key, noise = bytes(32), bytes(range(256))
    for count in range(0, 3):
        with (tmp_path / "file").open("w+b") as file:
            writer = sealed_file.Writer(file, b"{}", key)
            writer._waiting += noise * 256 * count
            writer._compress = type("Plain", (), {"flush": lambda self: b"", "compress": lambda self, data: data})()
            writer.finish()
            file.seek(0)
            assert sealed_file.read_header(file) == b"{}"
            assert b"".join(sealed_file._parts(file, b"{}", key, "")) == noise * 256 * count


def software_keys() -> SoftwareKeys:
    key = StoredKey.generate("LEDGER", KeyKind.SM4, city="331000")
    return SoftwareKeys(KeySet([key]), Text("测试密钥", "keys of the tests"))


def test_other_keys_do_not_restore(tmp_path: Path) -> None:
    path = tmp_path / "saved.backup"
    with software_keys() as keys, software_keys() as others:
        with opened(tmp_path / "ledger.db", keys=keys) as ledger:
            fill(ledger)
            back_up(ledger, ledger.local, path)
        refused(KeyUseError, "does not open", path, tmp_path / "nothing.db", keys=others)
        refused(KeyUseError, "does not open", path, tmp_path / "nothing.db")
        restore(path, tmp_path / "restored.db", keys)
        opened(tmp_path / "restored.db", keys=keys).close()


def test_a_place_with_something_in_it_is_refused_and_left_alone(saved: Path, database: str, tmp_path: Path) -> None:
    with opened(database) as ledger:
        fill(ledger, 1)
        before = contents(ledger)
    with pytest.raises(InputError, match="empty place"):
        restore(saved, database)
    with opened(database) as ledger:
        assert contents(ledger) == before


def test_what_is_no_back_up_is_told(saved: Path, tmp_path: Path) -> None:
    refused(InputError, "cannot be read", tmp_path / "missing", tmp_path / "nothing.db")
    other = tmp_path / "other"
    for data in (b"", b"{}\n", b"[]\n", b"no JSON\n", b"x" * 5000, b'{"format": "other"}\n'):
        other.write_bytes(data)
        refused(DecodeError, "no back-up", other, tmp_path / "nothing.db")
    newer = saved.read_bytes().replace(b'"revision":"%s"' % schema.REVISION.encode(), b'"revision":"9999"', 1)
    other.write_bytes(newer)
    refused(InputError, "newer program", other, tmp_path / "nothing.db")
    other.write_bytes(saved.read_bytes().replace(b'"version":1', b'"version":2', 1))
    refused(InputError, "newer program", other, tmp_path / "nothing.db")


def test_a_back_up_is_not_overwritten(database: str, tmp_path: Path) -> None:
    path = tmp_path / "today.backup"
    path.write_bytes(b"yesterday")
    with opened(database) as ledger:
        with pytest.raises(InputError, match="not overwritten"):
            back_up(ledger, ledger.local, path)
        with pytest.raises(InputError, match="cannot be written"):
            back_up(ledger, ledger.local, tmp_path / "nowhere" / "today.backup")
    assert path.read_bytes() == b"yesterday"


def test_a_database_that_goes_away_leaves_no_file(
    private_postgres: PrivatePostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(private_postgres.new_database()) as ledger:
        original = backup._write_table

        def killed(*arguments: object) -> object:
            if arguments[1] is schema.operators:
                private_postgres.stop(kill=True)
            return original(*arguments)

        monkeypatch.setattr(backup, "_write_table", killed)
        try:
            with pytest.raises(LedgerUnavailable):
                back_up(ledger, ledger.local, tmp_path / "today.backup")
        finally:
            private_postgres.start()
    assert list(tmp_path.iterdir()) == []


def test_what_the_disk_did_not_keep_is_no_back_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read back before it gets its name."""
    original = sealed_file.Writer._part

    def losing(self: sealed_file.Writer, *, last: bool) -> None:
        original(self, last=last)
        self._file.seek(-1, 2)
        self._file.write(b"\0")

    with opened(tmp_path / "ledger.db") as ledger:
        monkeypatch.setattr(sealed_file.Writer, "_part", losing)
        with pytest.raises(DecodeError):
            back_up(ledger, ledger.local, tmp_path / "today.backup")
    assert {path.name for path in tmp_path.iterdir()} == {"ledger.db"}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM terms",
        "UPDATE chain SET number = number - 1",
        "DROP TRIGGER events_no_update; UPDATE events SET details = '{\"orders\":4}' WHERE number = 2",
        "UPDATE terms SET person_id = 77 WHERE person_id = 3",
    ],
)
def test_a_ledger_that_was_tampered_with_is_not_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """Counts, references and chain are looked at in the new place, whatever was in the file."""
    path = tmp_path / "saved.backup"
    with opened(tmp_path / "ledger.db") as ledger:
        fill(ledger)
        back_up(ledger, ledger.local, path)
    original = backup._check

    def tampered(db: sa.Connection, *arguments: object) -> None:
        for part in statement.split("; "):
            db.exec_driver_sql(part)
        original(db, *arguments)

    monkeypatch.setattr(backup, "_check", tampered)
    refused(DecodeError, "manifest", path, tmp_path / "nothing.db")


def test_a_manifest_that_is_not_true_is_found(tmp_path: Path) -> None:
    table = b'{"columns":[["id","plain"]],"table":"persons"}\n'
    manifest = backup._manifest_record(
        backup.Manifest(
            ledger="x", revision="0001", made_at=people.NOW, head=backup.Head(0, bytes(32)),
            tables={"persons": backup.TableSum(2, bytes(32))},
        )
    )  # fmt: skip
    for lines in ([table, b"[1]\n"], [table, b"[1]\n", backup._line({"manifest": manifest})]):
        with pytest.raises(DecodeError, match="manifest"):
            backup._walk(lines, lambda table, rows: None, "")


def test_a_back_up_of_an_older_revision_is_upgraded(
    saved: Path, places: Iterator[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(tmp_path, monkeypatch)
    for place in (next(places), next(places)):
        restore(saved, place)
        assert migrations.upgrade_database(place) == migrations.Upgraded("9999", "9999")
        with opened(place) as ledger, ledger.reading() as db:
            assert stored.load_holder(db, ledger.vault, 1) == people.holder(document_number="P0000000")
            assert verify_chain(db).whole
