"""Sheets against the ledger: what is new, duplicate, changed or wrong, and what an import makes of it."""

import gc
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from juying.credential.claims import Tier
from juying.errors import FieldError, InputError
from juying.issuance.card_numbers import CardNumbers, free_numbers
from juying.issuance.changes import apply_application
from juying.issuance.intake import Application, Row
from juying.issuance.lot_import import Imported, import_rows
from juying.issuance.lot_listing import set_aside
from juying.issuance.lots import CREDENTIAL_REVOKED, Finding, Preview, Status, preview
from juying.issuance.permit_kinds import Kind
from juying.ledger import credentials, orders, people, schema
from juying.ledger.ledger import Actor, Ledger, Transaction
from juying.ledger.states import CardState, LotState, OrderState, PermitState, Role
from juying.model import Employer
from juying.text import Text
from tests import people as invented

INSTITUTE = Employer(name="椒江样本医药研究院", code="123310020000DDD18Q")
FACTORY = Employer(name="台州虚构缝制设备有限公司", code="91331002MA00AAA100")
WRONG = FieldError("职务", Text("没有填写", "missing"), Text("须填写", "required"))


def applicant(number: int, employer: Employer = INSTITUTE, **changes: object) -> Application:
    holder = invented.holder(
        name=f"MUSTER MAX {chr(65 + number)}", nationality="DEU", document_number=f"C0FAKE{number:03}"
    )
    permit = invented.permit(number=f"ZJ2026{number:04}", employer=employer)
    return Application(**{"holder": holder, "permit": permit, **changes})


def with_permit(application: Application, **changes: object) -> Application:
    return replace(application, permit=replace(application.permit, **changes))


def with_holder(application: Application, **changes: object) -> Application:
    return replace(application, holder=replace(application.holder, **changes))


def rows(*applications: Application | None) -> list[Row]:
    return [Row(number, entry, () if entry else (WRONG,)) for number, entry in enumerate(applications, 2)]


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: invented.NOW) as opened:
        yield opened


def load(ledger: Ledger, *applications: Application | None, name: str = "morning", **more: object) -> Imported:
    return import_rows(ledger, ledger.local, rows(*applications), name, **more)


def statuses(found: Preview) -> list[Status]:
    return [finding.status for finding in found.findings]


def only(found: Preview) -> Finding:
    (finding,) = found.findings
    return finding


def problem(found: Preview) -> str:
    finding = only(found)
    assert finding.status is Status.WRONG
    return "; ".join(error.text.en for error in finding.problems)


def all_rows(ledger: Ledger, table: sa.Table) -> list[sa.Row]:
    with ledger.reading() as db:
        return list(db.execute(sa.select(table).order_by(next(iter(table.primary_key)))))


def make_card(ledger: Ledger, order: int, serial: int = 1) -> int:
    """The order is sealed with a card that nobody wrote; the card's id."""
    with ledger.transaction(ledger.local) as tx:
        claim = orders.claim(tx, f"331000{serial:018x}", "ssc-v3", order=order)
        assert claim is not None
        orders.step(tx, claim, OrderState.WRITTEN)
        orders.step(tx, claim, OrderState.VERIFIED)
        orders.seal(tx, claim)
    return claim.card


# New and the same


def test_a_sheet_becomes_a_lot_and_again_is_a_duplicate(ledger: Ledger) -> None:
    sheet = (applicant(0), None, applicant(1, FACTORY), applicant(2))
    before = preview(ledger, rows(*sheet))
    assert statuses(before) == [Status.NEW, Status.WRONG, Status.NEW, Status.NEW]
    assert before.counts == {Status.NEW: 3, Status.CHANGED: 0, Status.DUPLICATE: 0, Status.WRONG: 1}
    assert all_rows(ledger, schema.persons) == [], "a preview changes nothing"

    done = load(ledger, *sheet, source="sheet.csv", box_size=2)
    assert statuses(done.preview) == statuses(before)
    made = all_rows(ledger, schema.orders)
    assert [order.position for order in made] == [1, 2, 3]
    assert [finding.order for finding in done.preview.findings] == [made[0].id, None, made[2].id, made[1].id], (
        "those of one employer lie together"
    )
    assert [order.card_number for order in made] == ["JY0000010", "JY0000029", "JY0000037"]
    assert [application.row for application in all_rows(ledger, schema.applications)] == [2, 5, 4]
    (lot,) = all_rows(ledger, schema.lots)
    assert (lot.id, lot.name, lot.state, lot.source, lot.box_size) == (done.lot, "morning", "open", "sheet.csv", 2)
    kinds = [event.kind for event in all_rows(ledger, schema.events)]
    assert kinds == ["permit-first-abroad"] * 3 + ["lot-imported"]

    again = load(ledger, *sheet, source="sheet.csv", box_size=2)
    assert again.lot is None
    assert statuses(again.preview) == [Status.DUPLICATE, Status.WRONG, Status.DUPLICATE, Status.DUPLICATE]
    assert [(one.order, one.card_number) for one in again.preview.findings][2] == (made[2].id, "JY0000037")
    assert len(all_rows(ledger, schema.events)) == 4


def test_what_is_stored_is_what_the_sheet_says(ledger: Ledger) -> None:
    application = applicant(0, card_number="JYX000010", issued_on=date(2026, 12, 24))
    found = only(load(ledger, application).preview)
    with ledger.reading() as db:
        assert people.load_holder(db, ledger.vault, found.person or 0) == application.holder
        order = db.execute(sa.select(schema.orders)).one()
        assert people.load_permit(db, ledger.vault, order.permit_id) == application.permit
        assert (order.card_number, order.issued_on) == ("JYX000010", date(2026, 12, 24))
        for text in ("max muster", "C0FAKE000", "ZJ20260000", application.holder.social_security_number, "JYX000010"):
            assert people.search(db, ledger.vault, text) == [found.person], text


def test_many_rows_are_added_in_pieces(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.issuance.lot_import._AT_ONCE", 2)
    monkeypatch.setattr("juying.issuance.on_file._AT_ONCE", 2)
    five = [applicant(number) for number in range(5)]
    assert load(ledger, *five).preview.counts[Status.NEW] == 5
    assert load(ledger, *five).preview.counts[Status.DUPLICATE] == 5
    assert gc.isenabled()


def test_what_was_corrected_joins_the_lot(ledger: Ledger) -> None:
    first = load(ledger, applicant(0), None, source="sheet.csv")
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.lots).values(state=LotState.CLOSED.value, closed_at=tx.now))
    second = load(ledger, applicant(0), applicant(1), source="sheet.csv")
    assert second.lot == first.lot
    assert [order.position for order in all_rows(ledger, schema.orders)] == [1, 2]
    (lot,) = all_rows(ledger, schema.lots)
    assert (lot.state, lot.closed_at) == ("open", None)


@pytest.mark.parametrize("other", [{"source": "evening.csv"}, {"profile": "ssc-v2"}])
def test_another_lot_of_the_same_name_is_refused(other: dict[str, str], ledger: Ledger) -> None:
    load(ledger, applicant(0), source="sheet.csv")
    with pytest.raises(InputError, match="choose another name"):
        load(ledger, applicant(1), **{"source": "sheet.csv", **other})
    assert len(all_rows(ledger, schema.persons)) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"name": " "}, {"name": "x" * 101}, {"name": "a\nb"}, {"source": "x" * 201}, {"box_size": 0}, {"prefix": "jy"}],
)
def test_settings_that_make_no_lot_are_refused(wrong: dict[str, object], ledger: Ledger) -> None:
    with pytest.raises(InputError):
        load(ledger, applicant(0), **wrong)
    assert all_rows(ledger, schema.lots) == []


def test_importing_needs_the_role(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="lacks the role"):
        import_rows(ledger, Actor(1, "x", frozenset({Role.ISSUING, Role.AUDITOR})), rows(applicant(0)), "morning")


def test_all_or_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.issuance.lot_import.plan_orders", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load(ledger, applicant(0))
    for table in (schema.persons, schema.permits, schema.applications, schema.lots, schema.events):
        assert all_rows(ledger, table) == []


def test_a_large_import_has_the_database_count_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pieces it comes in; PostgreSQL alone asks for it, and a small import is not worth it."""
    counted: list[str] = []

    def note(_db: object, _cursor: object, statement: str, *_: object) -> None:
        counted.extend([statement] if statement.startswith("ANALYZE") else [])

    monkeypatch.setattr("juying.issuance.lot_import._AT_ONCE", 2)
    monkeypatch.setattr("juying.issuance.lot_import._MANY", 5)
    sa.event.listen(ledger.engine, "before_cursor_execute", note)
    load(ledger, *(applicant(number) for number in range(4)))
    assert counted == []
    load(ledger, *(applicant(number) for number in range(4, 9)), name="noon")
    if ledger.engine.dialect.name == "sqlite":
        assert counted == []
        return
    assert len(counted) == 1
    with ledger.reading() as db:
        known = sa.text("SELECT relname, reltuples FROM pg_class WHERE relname IN ('orders', 'applications')")
        assert dict(list(db.execute(known))) == {"orders": 9, "applications": 9}


def test_no_name_or_number_shows_in_what_comes_back(ledger: Ledger) -> None:
    done = load(ledger, applicant(0, card_number="JYX000010"), None)
    again = preview(ledger, rows(with_permit(applicant(0), position="院长")))
    for secret in ("MUSTER", "C0FAKE", "ZJ2026", "JYX000010"):
        assert secret not in repr((done, again))


def test_a_duplicate_whose_credential_was_revoked_says_so(ledger: Ledger) -> None:
    """Once its card is made, and until another credential of that tier takes the place."""

    def notes() -> list[tuple[Text, ...]]:
        return [one.notes for one in preview(ledger, rows(applicant(0), applicant(1))).findings]

    def sign(tx: Transaction, person: int) -> None:
        ids = [credentials.store(tx, person=person, permit=person, tier=tier, record=b"signed") for tier in Tier]
        credentials.make_live(tx, *ids)

    load(ledger, applicant(0), applicant(1))
    with ledger.transaction(ledger.local) as tx:
        sign(tx, 1), sign(tx, 2)
        credentials.revoke(tx, 1)
    assert notes() == [(), ()], "the card that is to be made gets new ones"
    make_card(ledger, 1)
    assert notes() == [(CREDENTIAL_REVOKED,), ()]
    with ledger.transaction(ledger.local) as tx:
        sign(tx, 1)
    assert notes() == [(), ()]


# Changed


def test_a_change_updates_the_card_that_the_person_has(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    card = make_card(ledger, 1)
    changed = with_permit(applicant(0), position="院长", valid_until=date(2031, 1, 1), number="ZJ20270000")
    found = only(preview(ledger, rows(changed)))
    assert (found.status, found.kind, found.card_number) == (Status.CHANGED, Kind.CHANGE, "JY0000010")
    assert found.changed == ("permit_number", "position", "valid_until")

    done = load(ledger, changed, name="evening")
    first, update = all_rows(ledger, schema.orders)
    assert (update.kind, update.state, update.card_id, update.lot_id, update.position) == (
        "update", "planned", card, done.lot, 1,
    )  # fmt: skip
    assert only(done.preview).order == update.id
    permits = {permit.id: permit.state for permit in all_rows(ledger, schema.permits)}
    assert permits == {first.permit_id: PermitState.SUPERSEDED, update.permit_id: PermitState.VALID}
    assert statuses(load(ledger, changed, name="evening").preview) == [Status.DUPLICATE]


def test_a_change_before_the_card_is_made_replaces_the_application(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    moved = applicant(0, FACTORY)
    found = only(load(ledger, moved, name="evening").preview)
    assert (found.status, found.kind, found.changed) == (
        Status.CHANGED, Kind.TRANSFER, ("employer_code",),
    )  # fmt: skip
    (order,) = all_rows(ledger, schema.orders)
    assert (order.id, order.state, order.card_number) == (found.order, "planned", "JY0000010")
    with ledger.reading() as db:
        assert people.load_permit(db, ledger.vault, order.permit_id).employer == FACTORY


def test_an_older_sheet_takes_nothing_back(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    load(ledger, applicant(0, FACTORY), name="evening")
    found = only(load(ledger, applicant(0), name="again").preview)
    assert found.status is Status.DUPLICATE
    assert [note.en for note in found.notes] == ["a later application has changed this person since: nothing was done"]


def test_what_the_desk_has_done_already_is_a_duplicate(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    moved = applicant(0, FACTORY)
    with ledger.transaction(ledger.local) as tx:
        apply_application(tx, Kind.TRANSFER, 1, moved.holder, moved.permit)
    assert statuses(preview(ledger, rows(moved))) == [Status.DUPLICATE]


def test_the_day_of_issue_alone_changes_nothing(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    assert statuses(preview(ledger, rows(applicant(0, issued_on=date(2027, 1, 1))))) == [Status.DUPLICATE]


def test_a_new_passport_is_recognised_by_the_number_as_issued(ledger: Ledger) -> None:
    issued = applicant(0).holder.social_security_number
    load(ledger, applicant(0))
    renewed = with_holder(applicant(0), document_number="C0NEW0001", issued_social_security_number=issued)
    found = only(preview(ledger, rows(renewed)))
    assert (found.status, found.person) == (Status.CHANGED, 1)
    assert found.changed == ("document_number", "social_security_number")
    assert "belongs to another person" in problem(
        preview(ledger, rows(with_holder(applicant(0), document_number="C0NEW0001")))
    )


def test_an_issued_number_stays_where_the_sheet_has_none(ledger: Ledger) -> None:
    issued = "DEU000000C0FAKE999"
    load(ledger, with_holder(applicant(0), issued_social_security_number=issued))
    assert statuses(preview(ledger, rows(applicant(0)))) == [Status.DUPLICATE]


def test_a_photo_that_is_new_is_a_change_and_stored(ledger: Ledger, tmp_path: Path) -> None:
    load(ledger, applicant(0))
    path = tmp_path / "photo.png"
    Image.new("RGB", (260, 320), "grey").save(path)
    with_photo = applicant(0, photo=path)
    found = only(load(ledger, with_photo, name="evening").preview)
    assert (found.status, found.changed) == (Status.CHANGED, ("photo",))
    with ledger.reading() as db:
        assert (people.load_photo(db, ledger.vault, 1) or b"").startswith(b"\xff\xd8")
    assert statuses(preview(ledger, rows(replace(with_photo, issued_on=date(2027, 1, 1))))) == [Status.DUPLICATE]


def test_kinds_that_bring_no_permit(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    card = make_card(ledger, 1)
    lost = applicant(0, kind=Kind.REISSUE_LOST)
    assert "changes neither permit nor person" in problem(preview(ledger, rows(with_permit(lost, position="院长"))))
    found = only(load(ledger, replace(lost, card_number="JYX000010"), name="evening").preview)
    assert "no second one is issued" in problem(Preview((found,)))
    found = only(load(ledger, lost, name="evening").preview)
    assert (found.status, found.kind, found.card_number) == (Status.CHANGED, Kind.REISSUE_LOST, "JY0000029")
    assert {row.id: row.state for row in all_rows(ledger, schema.cards)} == {card: CardState.LOST}
    assert all_rows(ledger, schema.orders)[-1].position == 1


def test_a_cancellation_before_there_is_a_card_leaves_no_order(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    found = only(load(ledger, applicant(0, kind=Kind.CANCEL_HOLDER), name="evening").preview)
    assert (found.status, found.kind) == (Status.CHANGED, Kind.CANCEL_HOLDER)
    (order,) = all_rows(ledger, schema.orders)
    assert order.state == OrderState.CANCELLED
    again = only(preview(ledger, rows(applicant(0, kind=Kind.CANCEL_HOLDER))))
    assert [note.en for note in again.notes] == ["its order was cancelled"]


def test_somebody_whose_permit_has_ended_may_apply_anew(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    load(ledger, applicant(0, kind=Kind.CANCEL_HOLDER), name="evening")
    found = only(load(ledger, with_permit(applicant(0), number="ZJ20270000"), name="again").preview)
    assert (found.status, found.kind, found.card_number) == (Status.CHANGED, Kind.FIRST_ABROAD, "JY0000029")


# Wrong


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (with_holder(applicant(1), document_number="C0FAKE000"), "same person"),
        (with_holder(applicant(1), issued_social_security_number="DEU000000C0FAKE000"), "same person"),
        (with_permit(applicant(1), number="ZJ20260000"), "same person, permit"),
        (applicant(1, card_number="JYX000010"), "same person, permit or card as row 2"),
    ],
)
def test_a_sheet_says_everything_once(second: Application, reason: str, ledger: Ledger) -> None:
    found = preview(ledger, rows(applicant(0, card_number="JYX000010"), second))
    assert statuses(found) == [Status.NEW, Status.WRONG]
    assert reason in found.findings[1].problems[0].text.en


def test_what_belongs_to_somebody_else(ledger: Ledger) -> None:
    load(ledger, applicant(0, card_number="JYX000010"), applicant(1))
    make_card(ledger, 2)
    both = with_holder(applicant(0), issued_social_security_number="DEU000000C0FAKE001")
    assert "two different people" in problem(preview(ledger, rows(both)))
    for number in ("JYX000010", "JY0000010"):
        asked = preview(ledger, rows(applicant(2, card_number=number)))
        assert problem(asked) == "this card number was issued to another applicant"
    assert "has the card with number JY0000010" in problem(
        preview(ledger, rows(with_permit(applicant(1, card_number="JYX000029"), position="院长")))
    )
    assert "belongs to another person" in problem(preview(ledger, rows(with_permit(applicant(2), number="ZJ20260000"))))


def test_the_rules_of_a_permits_life_count(ledger: Ledger) -> None:
    load(ledger, with_permit(applicant(0), valid_until=invented.NOW.date() + timedelta(days=10)))
    assert "there is no valid permit" in problem(preview(ledger, rows(applicant(1, kind=Kind.EXTENSION))))
    late = with_permit(applicant(0), number="ZJ20270000")
    assert "a supervisor can let it pass" in problem(preview(ledger, rows(late)))
    assert statuses(load(ledger, late, name="evening").preview) == [Status.WRONG]


def test_what_the_ledger_refuses_while_it_is_changed_is_wrong_with_the_row_alone(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    make_card(ledger, 1)
    with ledger.transaction(ledger.local) as tx:
        apply_application(tx, Kind.SUSPENSION, 1)
    done = load(ledger, applicant(0, FACTORY), applicant(1), name="evening")
    assert statuses(done.preview) == [Status.WRONG, Status.NEW]
    assert "suspended" in done.preview.findings[0].problems[0].text.en


def test_a_number_that_is_not_settled_and_a_photo_that_is_gone(ledger: Ledger, tmp_path: Path) -> None:
    unsettled = with_holder(applicant(0), document_number="C0FAKE/0123456789-X")
    gone = applicant(1, photo=tmp_path / "gone.png")
    found = preview(ledger, rows(unsettled, gone))
    assert statuses(found) == [Status.WRONG, Status.WRONG]
    assert "give the social security number as issued" in found.findings[0].problems[0].text.en
    assert "cannot be read" in found.findings[1].problems[0].text.en


def test_a_photo_that_is_none_costs_its_row_only(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"no picture")
    done = load(ledger, applicant(0, photo=path), applicant(1))
    assert statuses(done.preview) == [Status.WRONG, Status.NEW]
    assert statuses(load(ledger, applicant(1, photo=path), name="evening").preview) == [Status.WRONG]
    assert all_rows(ledger, schema.orders)[0].card_number == "JY0000010"


def test_an_office_may_look_at_applications_itself_once(ledger: Ledger) -> None:
    asked: list[str] = []

    def check(application: Application) -> None:
        asked.append(application.permit.number)
        if application.permit.number.endswith("1"):
            raise InputError("不行", "not here")

    done = load(ledger, applicant(0), applicant(1), check=check)
    assert statuses(done.preview) == [Status.NEW, Status.WRONG]
    assert asked == ["ZJ20260000", "ZJ20260001"]
    load(ledger, applicant(0), check=check)
    assert len(asked) == 2, "nobody is asked about a duplicate"


# Card numbers


def test_numbers_are_never_given_twice(ledger: Ledger) -> None:
    load(ledger, applicant(0), applicant(1, card_number="JY0000029"), applicant(2), taken=["JY0000010"])
    assert [order.card_number for order in all_rows(ledger, schema.orders)] == ["JY0000037", "JY0000029", "JY0000045"]
    set_aside(ledger, ledger.local, 1, OrderState.CANCELLED)
    with ledger.transaction(ledger.local) as tx:
        assert free_numbers(tx, 1) == ["JY0000010"]
        assert free_numbers(tx, 1, asked=["JY0000010"]) == ["JY0000053"], "nor that of a cancelled order"


def test_a_number_of_somebody_who_was_erased_stays_taken(ledger: Ledger) -> None:
    load(ledger, applicant(0))
    card = make_card(ledger, 1)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.cards).where(schema.cards.c.id == card).values(number=None))
        tx.db.execute(sa.update(schema.orders).values(card_number=None))
    with ledger.transaction(ledger.local) as tx:
        assert free_numbers(tx, 1) == ["JY0000029"]
    found = preview(ledger, rows(applicant(1, card_number="JY0000010")))
    assert "issued to another applicant" in problem(found)


def test_a_prefix_that_runs_out_costs_the_last_rows_only(ledger: Ledger) -> None:
    done = load(ledger, *(applicant(number) for number in range(11)), prefix="ABCDEFG")
    assert done.preview.counts[Status.NEW] == 9
    assert [finding.row for finding in done.preview.of(Status.WRONG)] == [11, 12]
    assert "used up" in done.preview.findings[-1].problems[0].text.en
    assert len(all_rows(ledger, schema.orders)) == 9


@pytest.mark.parametrize("prefix", ["12345678", "jy", "聚"])
def test_a_prefix_that_makes_no_number(prefix: str) -> None:
    with pytest.raises(InputError, match="prefix"):
        CardNumbers((), prefix)


def import_at_once(database: str, start: int, gate: "multiprocessing.synchronize.Barrier") -> None:
    with Ledger.open(database, region="331000", clock=lambda: invented.NOW) as ledger:
        mine = [applicant(number) for number in (*range(start, start + 8), 20)]
        gate.wait(60)
        import_rows(ledger, ledger.local, rows(*mine), f"lot {start}")


def test_imports_at_once_give_no_number_twice(database: str) -> None:
    """Four processes, each with people of its own and one whom all of them have."""
    with Ledger.open(database, region="331000", clock=lambda: invented.NOW):
        pass
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(2)
    both = [context.Process(target=import_at_once, args=(database, start, gate)) for start in (0, 10)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    with Ledger.open(database, region="331000") as ledger:
        numbers = [order.card_number for order in all_rows(ledger, schema.orders)]
        assert len(numbers) == len(set(numbers)) == 17
        assert len(all_rows(ledger, schema.persons)) == 17
