"""Scenarios around the ledger: imported, issued, searched, exported, backed up, erased, and everything going wrong.

What the database, its log, a dump and a back-up hold is looked at like every other file.
"""

import shutil
import subprocess
from contextlib import closing, suppress
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from juying.credential.claims import Claims, Tier
from juying.credential.issue import issue
from juying.crypto.signing import SoftwareSigner
from juying.crypto.software_keys import SoftwareKeys
from juying.errors import DecodeError, InputError, JuyingError, KeyUseError, LedgerUnavailable
from juying.issuance.intake import Application, read_applications
from juying.ledger import backup, credentials, orders, privacy, schema
from juying.ledger import people as stored
from juying.ledger.ledger import Ledger
from juying.ledger.order_records import NewOrder
from juying.ledger.register import allot_in
from juying.ledger.states import CardState, OrderState, PermitState
from tests.harness import PrivatePostgres
from tests.secrets.cards import CITY
from tests.secrets.marks import Kind, Person, found
from tests.secrets.stage import Stage, scenario

STORE = "ledger.keys"


def key_store(stage: Stage) -> str:
    """A store with the key of a ledger, named by the environment; its pass phrase."""
    phrase = stage.phrase("pass phrase of the key store")
    stage.setting("JUYING_KEYS_PASSPHRASE", phrase)
    stage.setting("JUYING_KEYS", STORE)
    stage.juying("keys", "init")
    stage.both("keys", "generate", "LEDGER", "--kind", "sm4", "--city", CITY, status=(0, 2))
    stage.mark_store(STORE, phrase)
    return phrase


def applications(stage: Stage, *people: Person) -> list[Application]:
    """What the office reads of a sheet."""
    rows = read_applications(stage.sheet(*people), today=date(2026, 12, 1))
    return [row.application for row in rows if row.application is not None]


def import_and_issue(stage: Stage, ledger: Ledger, *people: Person) -> None:
    """Persons with permits, photos, orders, a card and a credential each; the second time every step is refused."""
    for number, application in enumerate(applications(stage, *people), 1):
        photo = stage.mark_bytes(Kind.PERSON, "photo", stage.make.random.randbytes(600))
        with ledger.transaction(ledger.local) as tx:
            (person,) = stored.add_persons(tx, [(application.holder, photo)])
            (permit,) = stored.add_permits(tx, [(person, application.permit, None)])
            ids = tx.new_ids(schema.applications, 1)
            values = {"id": ids[0], "kind": "first", "person_id": person, "permit_id": permit, "made_at": tx.now}
            tx.db.execute(sa.insert(schema.applications).values(values))
            new = NewOrder(
                application=ids[0], person=person, permit=permit, card_number=application.card_number,
                issued_on=date(2026, 12, 1),
            )  # fmt: skip
            (order,) = orders.plan_orders(tx, [new])
            tx.note("order-planned", order=order, person=person)
            (place,) = allot_in(tx, [application.permit.number])
            claims = Claims.of(application.holder, application.permit, tier=Tier.FULL, issued_at=tx.now, status=place)
            record = issue(claims, SoftwareSigner.generate())
            credential = credentials.store(
                tx, person=person, permit=permit, tier=Tier.FULL, record=record, reference=place
            )
            claim = orders.claim(tx, f"{number:024X}", "ssc-v3", order=order)
            assert claim is not None
            stage.watch.look_at(claim)
            for state in (OrderState.WRITTEN, OrderState.VERIFIED):
                orders.step(tx, claim, state)
            orders.seal(tx, claim, credential)
            credentials.make_live(tx, credential)
            stage.watch.look_at(credentials.get(tx.db, tx.vault, credential))

        def again(application: Application = application) -> None:
            with ledger.transaction(ledger.local) as tx:
                stored.add_persons(tx, [(application.holder, None)])

        def same_number(order: NewOrder = new) -> None:
            with ledger.transaction(ledger.local) as tx:
                orders.plan_orders(tx, [order])
                orders.claim(tx, "FF" * 12, "ssc-v3")

        stage.fails(InputError, again)
        stage.fails(InputError, same_number)


def search(stage: Stage, ledger: Ledger, person: Person) -> None:
    """Found and not found, by library and command."""
    with ledger.reading() as db:
        for name in ("name", "document_number", "permit_number"):
            assert stored.search(db, ledger.vault, str(person.row[name])) == [1]
        assert stored.search(db, ledger.vault, str(person.row["phone"])) == []
        stage.fails(InputError, lambda: stored.load_holder(db, ledger.vault, 99))


def nothing_in_events(stage: Stage, ledger: Ledger) -> None:
    """Not even card numbers: what is in the chain stays for ever."""
    with ledger.reading() as db:
        told = [str(tuple(row)) for row in db.execute(sa.select(schema.events))]
        told += [str(tuple(row)) for row in db.execute(sa.select(schema.approvals))]
        told += [str(row[0]) for row in db.execute(sa.select(schema.stations.c.status))]
    assert len(told) > 5
    assert not found(stage.marks, "\n".join(told))


def end(ledger: Ledger) -> None:
    """All permits and cards ended long ago."""
    with ledger.transaction(ledger.local) as tx:
        ago = tx.now - privacy.RETENTION - timedelta(days=1)
        ended = {"ended_at": ago, "ended_by": "cancellation"}
        tx.db.execute(sa.update(schema.permits).values(state=PermitState.CANCELLED.value, **ended))
        tx.db.execute(sa.update(schema.cards).values(state=CardState.CANCELLED.value, ended_at=ago))
        tx.db.execute(sa.update(schema.orders).values(state=OrderState.SEALED.value))
        tx.db.execute(sa.update(schema.persons).values(made_at=ago))


@scenario
def a_ledger_in_a_file(stage: Stage) -> None:
    """The file and its write-ahead log, back-ups, exports, wrong keys, damage, and who is erased."""
    phrase = key_store(stage)
    stage.setting("JUYING_LEDGER", "office-ledger.db")
    stage.both("ledger", "init", "--region", CITY)
    first, second = stage.person(), stage.person()
    with SoftwareKeys.open(STORE, phrase) as keys, Ledger.open("office-ledger.db", keys) as ledger:
        stage.watch.look_at(ledger)
        import_and_issue(stage, ledger, first, second)
        search(stage, ledger, first)
        stage.watch.snapshot()  # with the log of what is not in the file yet
        nothing_in_events(stage, ledger)
        stage.fails(InputError, lambda: privacy.erase(ledger, ledger.local, [1], rule="asked"))
    stage.both("ledger", "info")
    stage.juying("ledger", "backup", "today.backup")
    stage.both("ledger", "backup", "today.backup", status=2)
    stage.juying("ledger", "restore", "today.backup", "--ledger", "again-ledger.db")
    stage.both("ledger", "restore", "today.backup", status=2)
    data = Path("today.backup").read_bytes()
    stage.given("torn.backup", data[:-3])
    stage.both("ledger", "restore", "given/torn.backup", "--ledger", "none-ledger.db", status=2)
    stage.fails(KeyUseError, lambda: backup.restore("today.backup", "none-ledger.db"))
    stage.fails(KeyUseError, lambda: Ledger.open("office-ledger.db"))
    exports(stage, first)
    stage.juying("keys", "rotate", "LEDGER")
    stage.mark_store(STORE, phrase)
    stage.both("ledger", "rekey")
    shutil.copy("office-ledger.db", "damaged-ledger.db")
    with SoftwareKeys.open(STORE, phrase) as keys:
        with Ledger.open("damaged-ledger.db", keys) as damaged:
            with damaged.transaction(damaged.local) as tx:
                sealed = tx.db.execute(sa.select(schema.persons.c.sealed).where(schema.persons.c.id == 1)).scalar_one()
                tx.db.execute(sa.update(schema.persons).values(sealed=sealed))
            with damaged.reading() as db:
                stage.fails(DecodeError, lambda: stored.load_holder(db, damaged.vault, 2))
            stage.fails(DecodeError, lambda: _export(damaged, 2))
        with Ledger.open("office-ledger.db", keys) as ledger:
            end(ledger)
    stage.both("ledger", "erase", "--due", "--dry-run")
    stage.both("ledger", "erase", "--due")
    stage.juying("ledger", "export-person", 1, "--out", "-")


def _export(ledger: Ledger, person: int) -> None:
    from juying.ledger.person_export import export_person

    with ledger.transaction(ledger.local) as tx:
        export_person(tx, person)


def exports(stage: Stage, person: Person) -> None:
    """To whom they belong; found by what is typed or in a file, and not found."""
    who = stage.given("who", str(person.row["document_number"]))
    stage.juying("ledger", "export-person", "--find", who, "--out", "exported.json")
    stage.juying("ledger", "export-person", 1, "--out", "exported.html")
    stage.juying("ledger", "export-person", 1, "--out", "exported.html", status=2)
    stage.juying("ledger", "export-person", 1, "--out", "-")
    stage.given("who", str(person.row["phone"]))
    stage.juying("ledger", "export-person", "--find", who, "--out", "-", status=2)
    with stage.at_a_terminal(str(person.row["address"])):
        stage.juying("ledger", "export-person", "--ask", "--out", "-", status=2)


@scenario
def a_ledger_in_postgresql(stage: Stage) -> None:
    """A dump of the database and the log of its server; the server dies in the middle."""
    phrase = key_store(stage)
    stage.patch.setattr("tempfile.tempdir", None)  # the server runs as somebody who may not look into our folder
    postgres = stage.opened.enter_context(PrivatePostgres())
    where = postgres.new_database()
    stage.setting("JUYING_LEDGER", where)
    stage.both("ledger", "init", "--region", CITY)
    person = stage.person()
    with SoftwareKeys.open(STORE, phrase) as keys, Ledger.open(where, keys) as ledger:
        import_and_issue(stage, ledger, person)
        search(stage, ledger, person)
        nothing_in_events(stage, ledger)
        dump = subprocess.run(["pg_dump", "--dbname", where], capture_output=True, check=True)
        Path("dump.sql").write_bytes(dump.stdout)
        Path("dump.sql").chmod(0o600)
        stage.juying("ledger", "backup", "today.backup")
        stage.juying("ledger", "restore", "today.backup", "--ledger", "moved-ledger.db")
        (late,) = applications(stage, stage.person())

        def lost() -> None:
            with ledger.transaction(ledger.local) as tx:
                postgres.stop(kill=True)
                stored.add_persons(tx, [(late.holder, None)])

        stage.fails(LedgerUnavailable, lost)
        stage.both("ledger", "info", status=3)
    shutil.copy(postgres._folder / "log", "postgres.log")
    Path("postgres.log").chmod(0o600)
    with suppress(JuyingError), closing(Ledger.open(where)):
        pass
