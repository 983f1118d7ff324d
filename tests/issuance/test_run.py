"""Issuing a sheet from Python: results, refusals, faults that end the run, and files that cannot be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from juying.card.access import Access
from juying.card.transport import Transport
from juying.card.virtual.card import Card, VirtualCard
from juying.card.virtual.faults import TearAfterCommand
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.errors import (
    CardError,
    FieldError,
    InputError,
    JuyingError,
    KeyUseError,
    ReaderUnavailable,
    ServiceUnavailable,
    TransportError,
)
from juying.issuance import card_folder, production
from juying.issuance.blanks import VirtualBlanks
from juying.issuance.card_folder import make_folder
from juying.issuance.changes import apply_application
from juying.issuance.intake import Application, Row
from juying.issuance.lot_listing import find_lot, set_aside
from juying.issuance.office import Office
from juying.issuance.permit_kinds import Kind
from juying.issuance.report import Outcome, RowResult
from juying.issuance.run import issue_rows
from juying.ledger import orders, schema
from juying.ledger.ledger import Ledger
from juying.ledger.states import BlankState, CardState, LotState, OrderState
from juying.model import Employer
from juying.text import Text
from tests import people
from tests.path.keyring import Ring, pin

LOT = "morning"
PROFILE = load_profile("ssc-v3")
FIRST, SECOND = "JY0000010", "JY0000029"


def rows(*applications: Application | None) -> list[Row]:
    wrong = FieldError("职务", Text("没有填写", "missing"), Text("须填写", "required"))
    return [Row(number, entry, () if entry else (wrong,)) for number, entry in enumerate(applications, 2)]


def second() -> Application:
    return people.application(
        holder=people.holder(name="MUSTER MAX", nationality="DEU", document_number="C01X00T47"),
        permit=people.permit(number="ZJ20260002"),
    )


@pytest.fixture
def office() -> Office:
    return people.office()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "office.db", region="331000", clock=lambda: people.NOW) as opened:
        yield opened


@pytest.fixture
def blanks() -> VirtualBlanks:
    return VirtualBlanks(PROFILE, "331000")


def issue(ledger: Ledger, office: Office, what: list[Row], out: Path, blanks: Any, **more: Any) -> Iterator[RowResult]:
    return issue_rows(ledger, ledger.local, office, what, out, blanks, name=LOT, profile=PROFILE, **more)


class Faulty:
    """A supply of cards that fails as told: an exception, a card, or None for a new one, one after the other."""

    def __init__(self, *faults: Exception | Card | None, attempts: int = 1, access: Access | None = None) -> None:
        self.attempts = attempts
        self.access = access
        self.left = list(faults)

    @contextmanager
    def card(self, folder: Path) -> Iterator[Transport]:
        fault = self.left.pop(0)
        if isinstance(fault, Exception):
            raise fault
        with LocalTransport(fault or VirtualCard.blank(PROFILE), name="Reader 1") as transport:
            yield transport

    def at_hand(self, folder: Path) -> None:
        return None

    def keep(self) -> None:
        return None

    def set_aside(self) -> None:
        return None


def test_results_come_one_by_one_and_stand_in_the_report(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    writes: list[tuple[int, int]] = []
    results = issue(
        ledger,
        office,
        rows(people.application(), None, second()),
        tmp_path / "out",
        blanks,
        progress=lambda *w: writes.append(w),
    )
    first = next(results)
    assert (first.row, first.outcome, first.card_number) == (2, Outcome.ISSUED, "JY0000010")
    assert [note.en for note in first.notes] == ["the nationality is the specimen country: specimen only"]
    assert (tmp_path / "out" / "report.csv").read_text("utf-8") == (
        "row,outcome,card_number,error\n2,issued,JY0000010,\n"
    ), "what happened is on the disk before the next row begins"
    assert writes[-1][0] == writes[-1][1] > 10
    wrong, third = results
    assert (wrong.row, wrong.outcome, wrong.card_number) == (3, Outcome.INVALID, "")
    assert wrong.error == "职务: 没有填写（规则：须填写） / missing (rule: required)"
    assert (third.row, third.outcome, third.card_number) == (4, Outcome.ISSUED, "JY0000029")


def test_a_folder_is_free_again_when_a_run_is_given_up(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    results = issue(ledger, office, rows(people.application(), second()), tmp_path / "out", blanks)
    next(results)
    with pytest.raises(InputError, match="another run"):
        next(issue(ledger, office, rows(second()), tmp_path / "out", blanks))
    results.close()
    assert [result.outcome for result in issue(ledger, office, rows(second()), tmp_path / "out", blanks)] == [
        Outcome.ISSUED
    ]


def test_a_key_that_may_not_sign_touches_nothing(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    expired = replace(office, clock=lambda: people.NOW + timedelta(days=400))
    with pytest.raises(KeyUseError):
        list(issue(ledger, expired, rows(people.application()), tmp_path / "out", blanks))
    assert not (tmp_path / "out").exists()


def test_a_key_whose_period_ends_during_the_run_ends_the_run(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    now = people.NOW
    results = issue(
        ledger, replace(office, clock=lambda: now), rows(people.application(), second()), tmp_path / "out", blanks
    )
    next(results)
    now += timedelta(days=400)
    with pytest.raises(KeyUseError):
        next(results)
    assert not (tmp_path / "out" / "JY0000029").exists()


@pytest.mark.parametrize("gone", [ServiceUnavailable("无服务", "no service"), ReaderUnavailable("无", "no reader")])
def test_without_reader_or_service_the_run_ends(
    gone: CardError, ledger: Ledger, office: Office, tmp_path: Path
) -> None:
    for attempts in (1, 3):
        with pytest.raises(type(gone)):
            list(issue(ledger, office, rows(people.application()), tmp_path / "out", Faulty(gone, attempts=attempts)))


def test_a_card_that_fails_is_told_and_the_next_one_tried(ledger: Ledger, office: Office, tmp_path: Path) -> None:
    told: list[CardError] = []
    fault = TransportError("接触不良", "bad contact")
    faulty = Faulty(fault, fault, None, attempts=3)
    [result] = issue(ledger, office, rows(people.application()), tmp_path / "out", faulty, failed=told.append)
    assert (result.outcome, told) == (Outcome.ISSUED, [fault, fault])


def test_nobody_need_listen_to_failures(ledger: Ledger, office: Office, tmp_path: Path) -> None:
    fault = TransportError("接触不良", "bad contact")
    [result] = issue(ledger, office, rows(people.application()), tmp_path / "out", Faulty(fault, fault, attempts=2))
    assert (result.outcome, result.error) == (Outcome.FAILED, "接触不良 / bad contact")


@pytest.mark.parametrize(
    ("keys", "needs"),
    [
        ({"SSSE/RKSSSE", "SSSE/UKSSSE", "DF01/RKPERMIT"}, "write of DF01/EF0A needs UK5"),
        ({"SSSE/RKSSSE", "SSSE/UKSSSE"}, "a sealed permit needs RKPERMIT"),
    ],
)
def test_a_missing_key_ends_the_run(keys: set[str], needs: str, ledger: Ledger, office: Office, tmp_path: Path) -> None:
    """No other card and no other row would do better."""
    blanks = Faulty(None, None, None, attempts=3, access=Access(keys=Ring(keys), pin=pin()))
    with pytest.raises(KeyUseError, match=f"{needs}; the key store has none for city 331000; nothing was changed"):
        list(issue(ledger, office, rows(people.application(), second()), tmp_path / "out", blanks))
    assert len(blanks.left) == 2


def test_a_key_that_a_card_does_not_accept_ends_the_run(ledger: Ledger, office: Office, tmp_path: Path) -> None:
    """It would cost every further card a try."""
    blanks = Faulty(None, None, attempts=3, access=Access(keys=Ring(wrong={"SSSE/UKSSSE"})))
    with pytest.raises(KeyUseError, match="issuing has stopped so that no card gets locked"):
        list(issue(ledger, office, rows(people.application(), second()), tmp_path / "out", blanks))
    assert len(blanks.left) == 1


def test_a_torn_virtual_card_keeps_what_was_written(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = lambda card, name: LocalTransport(TearAfterCommand(card, 60), name=name)  # noqa: E731
    monkeypatch.setattr("juying.issuance.blanks.LocalTransport", torn)
    [result] = issue(ledger, office, rows(people.application()), tmp_path / "out", blanks)
    assert result.outcome is Outcome.FAILED
    assert (tmp_path / "out" / result.card_number / "card.vcard").exists()
    assert not (tmp_path / "out" / result.card_number / "credential.png").exists()
    monkeypatch.undo()
    [again] = issue(ledger, office, rows(people.application()), tmp_path / "out", blanks)
    assert (again.outcome, again.card_number) == (Outcome.ISSUED, result.card_number)


def test_a_full_disk_ends_the_run(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _data: bytes, **_: object) -> None:
        raise InputError("磁盘已满", "disk full", where=str(path))

    monkeypatch.setattr(card_folder, "write_atomically", full)
    with pytest.raises(InputError, match="disk full"):
        list(issue(ledger, office, rows(people.application(), second()), tmp_path / "out", blanks))
    assert (tmp_path / "out" / "report.csv").read_text("utf-8").splitlines() == ["row,outcome,card_number,error"]


def test_what_stands_in_the_way_is_an_input_error(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / FIRST
    folder.parent.mkdir()
    folder.write_text("a file")
    with pytest.raises(InputError) as error:
        list(issue(ledger, office, rows(people.application()), tmp_path / "out", blanks))
    assert error.value.where == str(folder)
    folder.unlink()
    (folder / ".draft").mkdir(parents=True)
    with pytest.raises(InputError, match="check permissions"):
        list(issue(ledger, office, rows(people.application()), tmp_path / "out", blanks))


# How it goes on from what the ledger and the folder have


def state_of(ledger: Ledger, order: int = 1) -> str:
    with ledger.reading() as db:
        return str(db.execute(sa.select(schema.orders.c.state).where(schema.orders.c.id == order)).scalar_one())


def one(ledger: Ledger, office: Office, out: Path, blanks: Any, application: Application | None = None) -> RowResult:
    [result] = issue(ledger, office, rows(application or people.application()), out, blanks)
    return result


class Killed(BaseException):
    """The process ends here."""


def kill(*_: object, **__: object) -> None:
    raise Killed


def test_a_virtual_blank_is_saved_before_it_claims_an_order(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the process dies, no blank is lost."""
    for place in ("claim", "step"):
        with monkeypatch.context() as patch:
            patch.setattr(orders, place, kill)
            with pytest.raises(Killed):
                one(ledger, office, tmp_path / "out", blanks)
    assert state_of(ledger) == OrderState.WRITING
    assert one(ledger, office, tmp_path / "out", blanks).outcome is Outcome.ISSUED
    with ledger.reading() as db:
        assert db.execute(sa.select(schema.blanks.c.state)).scalars().all() == [BlankState.USED]


def test_what_is_recorded_as_written_is_saved(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(orders, "seal", kill)
        with pytest.raises(Killed):
            one(ledger, office, tmp_path / "out", blanks)
    assert state_of(ledger) == OrderState.WRITTEN
    saved = (tmp_path / "out" / FIRST / "card.vcard").read_bytes()
    assert one(ledger, office, tmp_path / "out", blanks).outcome is Outcome.ISSUED
    assert (tmp_path / "out" / FIRST / "card.vcard").read_bytes() == saved, "it was only read back"


def test_a_card_that_another_station_is_making_is_left_to_it(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(production, "_reader", lambda transport: transport.name)
    torn = Faulty(TearAfterCommand(VirtualCard.blank(PROFILE), 60))
    assert one(ledger, office, tmp_path / "elsewhere", torn).outcome is Outcome.FAILED
    result = one(ledger, office, tmp_path / "out", blanks)
    assert result.outcome is Outcome.FAILED
    assert "being made elsewhere (Reader 1)" in result.error
    assert state_of(ledger) == OrderState.WRITING


class Worn:
    """A card that answers every command with a memory fault from a point on."""

    def __init__(self, card: VirtualCard, good: int) -> None:
        self.card, self.left = card, good

    def __getattr__(self, name: str) -> Any:
        return getattr(self.card, name)

    def transmit(self, command: bytes) -> bytes:
        self.left -= 1
        return bytes.fromhex("6581") if self.left < 0 else self.card.transmit(command)


def test_a_virtual_card_that_fails_three_times_is_set_aside(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = iter((60, 40, 40))
    with monkeypatch.context() as patch:
        worn = lambda card, name: LocalTransport(Worn(card, next(good)), name=name)  # noqa: E731
        patch.setattr("juying.issuance.blanks.LocalTransport", worn)
        results = [one(ledger, office, tmp_path / "out", blanks) for _ in range(3)]
    assert [result.outcome for result in results] == [Outcome.FAILED] * 3
    assert "spoiled" in results[-1].error
    assert not (tmp_path / "out" / FIRST / "card.vcard").exists()
    [aside] = (tmp_path / "out" / "spoiled").iterdir()
    assert aside.name.startswith(FIRST)
    assert one(ledger, office, tmp_path / "out", blanks).outcome is Outcome.ISSUED


def test_a_spoiled_card_that_cannot_be_moved_fails_its_row(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("juying.issuance.production.MOST_FAILURES", 1)
    worn = lambda card, name: LocalTransport(Worn(card, 40), name=name)  # noqa: E731
    monkeypatch.setattr("juying.issuance.blanks.LocalTransport", worn)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "spoiled").write_text("a file")
    assert "cannot be moved" in one(ledger, office, tmp_path / "out", blanks).error
    assert state_of(ledger) == OrderState.WRITING


def test_the_card_of_another_order_is_finished_and_costs_no_attempt(
    ledger: Ledger, office: Office, tmp_path: Path
) -> None:
    begun = VirtualCard.blank(PROFILE)
    assert (
        one(ledger, office, tmp_path / "out", Faulty(TearAfterCommand(begun, 60)), second()).outcome is Outcome.FAILED
    )
    told: list[JuyingError] = []
    supply = Faulty(begun, None, attempts=1)
    [result] = issue(ledger, office, rows(people.application()), tmp_path / "out", supply, failed=told.append)
    assert (result.outcome, state_of(ledger, 1), state_of(ledger, 2)) == (Outcome.ISSUED, "sealed", "sealed")
    assert "done" in str(told[0])


def test_a_suspended_order_is_told_and_made_when_it_is_resumed(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    torn = Faulty(TransportError("接触不良", "bad contact"))
    one(ledger, office, tmp_path / "out", torn)
    set_aside(ledger, ledger.local, 1, OrderState.SUSPENDED, reason="photo")
    result = one(ledger, office, tmp_path / "out", blanks)
    assert (result.outcome, result.card_number) == (Outcome.INVALID, FIRST)
    assert "the order is suspended (photo)" in result.error
    set_aside(ledger, ledger.local, 1, OrderState.PLANNED)
    assert one(ledger, office, tmp_path / "out", blanks).outcome is Outcome.ISSUED


def test_what_cannot_be_signed_any_more_suspends_the_order(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    one(ledger, office, tmp_path / "out", Faulty(TransportError("接触不良", "bad contact")))
    other = people.office()
    elsewhere = replace(other, trust=type(other.trust)([replace(key, region="440300") for key in other.trust]))
    result = one(ledger, elsewhere, tmp_path / "out", blanks)
    assert (result.outcome, state_of(ledger)) == (Outcome.INVALID, "suspended")
    assert "may not sign for this class or region" in result.error


def test_a_cancelled_order_is_not_made(ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path) -> None:
    one(ledger, office, tmp_path / "out", Faulty(TransportError("接触不良", "bad contact")))
    set_aside(ledger, ledger.local, 1, OrderState.CANCELLED)
    result = one(ledger, office, tmp_path / "out", blanks)
    assert result.outcome is Outcome.UNCHANGED
    assert "order cancelled" in [note.en for note in result.notes]


def test_a_lot_is_closed_when_nothing_waits(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    def state() -> LotState:
        with ledger.reading() as db:
            return find_lot(db, LOT).state

    sheet = rows(people.application(), second())
    list(issue(ledger, office, sheet, tmp_path / "out", Faulty(None, TransportError("接触不良", "bad contact"))))
    assert state() is LotState.OPEN
    list(issue(ledger, office, sheet, tmp_path / "out", Faulty(None)))
    assert state() is LotState.CLOSED


def test_a_virtual_card_that_is_gone_or_another_one_fails_its_row(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    one(ledger, office, tmp_path / "out", blanks)
    image = tmp_path / "out" / FIRST / "card.vcard"
    card = load_card(image)
    card.memory.files["SSSE/EF05"][6] = bytearray(bytes.fromhex("0709") + b"JY0000029")
    save_card(card, image)
    assert "not as the ledger says: card number" in one(ledger, office, tmp_path / "out", blanks).error
    save_card(VirtualCard.blank(PROFILE), image)
    assert "not as the ledger says" in one(ledger, office, tmp_path / "out", blanks).error
    image.unlink()
    result = one(ledger, office, tmp_path / "out", blanks)
    assert (result.outcome, result.card_number) == (Outcome.FAILED, FIRST)
    assert "not in its folder" in result.error


def test_a_card_that_was_made_at_a_reader_is_not_looked_for_in_the_folder(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(production, "_reader", lambda transport: transport.name)
    assert one(ledger, office, tmp_path / "out", Faulty(None)).outcome is Outcome.ISSUED
    assert one(ledger, office, tmp_path / "out", blanks).outcome is Outcome.UNCHANGED


# The life of the permit


def moved() -> Application:
    employer = Employer(name="台州虚构缝制设备有限公司", code="91331002MA00AAA100")
    return people.application(permit=people.permit(number="ZJ20260010", employer=employer))


def test_a_change_that_begins_later_waits_for_its_day(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    one(ledger, office, tmp_path / "out", blanks)
    before = (tmp_path / "out" / FIRST / "card.vcard").read_bytes()
    later = people.permit(number="ZJ20260009", position="院长", valid_from=date(2027, 1, 1))
    result = one(ledger, office, tmp_path / "out", blanks, people.application(permit=later))
    assert result.outcome is Outcome.UNCHANGED
    assert "the card is updated from 2027-01-01 on" in [note.en for note in result.notes]
    assert (tmp_path / "out" / FIRST / "card.vcard").read_bytes() == before


def test_an_update_of_a_card_that_is_not_here_fails(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    one(ledger, office, tmp_path / "out", Faulty(None))
    result = one(ledger, office, tmp_path / "out", blanks, moved())
    assert (result.outcome, state_of(ledger, 2)) == (Outcome.FAILED, "planned")
    assert "not in its folder" in result.error


def test_a_cancellation_takes_the_permit_off_card_and_folder(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    one(ledger, office, tmp_path / "out", blanks)
    ended = people.application(kind=Kind.CANCEL_EMPLOYER)
    assert one(ledger, office, tmp_path / "out", blanks, ended).outcome is Outcome.ISSUED
    assert [path.name for path in (tmp_path / "out" / FIRST).iterdir()] == ["card.vcard"]
    assert one(ledger, office, tmp_path / "out", blanks, ended).outcome is Outcome.UNCHANGED


def test_a_card_that_is_lost_is_left_alone(
    ledger: Ledger, office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    one(ledger, office, tmp_path / "out", blanks)
    with ledger.transaction(ledger.local) as tx:
        apply_application(tx, Kind.LOSS, 1)
    result = one(ledger, office, tmp_path / "out", blanks)
    assert result.outcome is Outcome.UNCHANGED
    assert f"the card is {CardState.LOST.text.en}" in [note.en for note in result.notes]


def test_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(InputError):
        make_folder(tmp_path / "file")
