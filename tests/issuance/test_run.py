"""Issuing a sheet from Python: results, refusals, faults that end the run, and files that cannot be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from juying.card.access import Access
from juying.card.transport import Transport
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import TearAfterCommand
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.errors import (
    CardError,
    FieldError,
    InputError,
    KeyUseError,
    ReaderUnavailable,
    ServiceUnavailable,
    TransportError,
)
from juying.issuance import run
from juying.issuance.blanks import VirtualBlanks
from juying.issuance.intake import Application, Row
from juying.issuance.office import Office
from juying.issuance.report import Outcome
from juying.issuance.run import issue_rows, make_folder
from juying.text import Text
from tests import people
from tests.path.keyring import Ring, pin


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
def blanks() -> VirtualBlanks:
    return VirtualBlanks(load_profile("ssc-v3"), "331000")


class Faulty:
    """A supply of cards that fails as told: one exception, or None for a good card, after the other."""

    def __init__(self, *faults: Exception | None, attempts: int = 1, access: Access | None = None) -> None:
        self.attempts = attempts
        self.access = access
        self.left = list(faults)

    @contextmanager
    def card(self, folder: Path) -> Iterator[Transport]:
        fault = self.left.pop(0)
        if fault is not None:
            raise fault
        with LocalTransport(VirtualCard.blank(load_profile("ssc-v3"))) as transport:
            yield transport


def test_results_come_one_by_one_and_stand_in_the_report(office: Office, blanks: VirtualBlanks, tmp_path: Path) -> None:
    writes: list[tuple[int, int]] = []
    results = issue_rows(
        office, rows(people.application(), None, second()), tmp_path, blanks, progress=lambda *w: writes.append(w)
    )
    first = next(results)
    assert (first.row, first.outcome, first.card_number) == (2, Outcome.ISSUED, "JY0000010")
    assert [note.en for note in first.notes] == ["the nationality is the specimen country: specimen only"]
    assert (tmp_path / "report.csv").read_text("utf-8") == ("row,outcome,card_number,error\n2,issued,JY0000010,\n"), (
        "what happened is on the disk before the next row begins"
    )
    assert writes[-1][0] == writes[-1][1] > 10
    wrong, third = results
    assert (wrong.row, wrong.outcome, wrong.card_number) == (3, Outcome.INVALID, "")
    assert wrong.error == "职务: 没有填写（规则：须填写） / missing (rule: required)"
    assert (third.row, third.outcome, third.card_number) == (4, Outcome.ISSUED, "JY0000029")


def test_a_folder_is_free_again_when_a_run_is_given_up(office: Office, blanks: VirtualBlanks, tmp_path: Path) -> None:
    results = issue_rows(office, rows(people.application(), second()), tmp_path, blanks)
    next(results)
    with pytest.raises(InputError, match="another run"):
        next(issue_rows(office, rows(second()), tmp_path, blanks))
    results.close()
    assert [result.outcome for result in issue_rows(office, rows(second()), tmp_path, blanks)] == [Outcome.ISSUED]


def test_a_key_that_may_not_sign_touches_nothing(office: Office, blanks: VirtualBlanks, tmp_path: Path) -> None:
    expired = replace(office, clock=lambda: people.NOW + timedelta(days=400))
    with pytest.raises(KeyUseError):
        list(issue_rows(expired, rows(people.application()), tmp_path / "out", blanks))
    assert not (tmp_path / "out").exists()


def test_a_key_whose_period_ends_during_the_run_ends_the_run(
    office: Office, blanks: VirtualBlanks, tmp_path: Path
) -> None:
    now = people.NOW
    results = issue_rows(replace(office, clock=lambda: now), rows(people.application(), second()), tmp_path, blanks)
    next(results)
    now += timedelta(days=400)
    with pytest.raises(KeyUseError):
        next(results)
    assert not (tmp_path / "JY0000029").exists()


@pytest.mark.parametrize("gone", [ServiceUnavailable("无服务", "no service"), ReaderUnavailable("无", "no reader")])
def test_without_reader_or_service_the_run_ends(gone: CardError, office: Office, tmp_path: Path) -> None:
    for attempts in (1, 3):
        with pytest.raises(type(gone)):
            list(issue_rows(office, rows(people.application()), tmp_path, Faulty(gone, attempts=attempts)))


def test_a_card_that_fails_is_told_and_the_next_one_tried(office: Office, tmp_path: Path) -> None:
    told: list[CardError] = []
    fault = TransportError("接触不良", "bad contact")
    faulty = Faulty(fault, fault, None, attempts=3)
    [result] = issue_rows(office, rows(people.application()), tmp_path, faulty, failed=told.append)
    assert (result.outcome, told) == (Outcome.ISSUED, [fault, fault])


def test_nobody_need_listen_to_failures(office: Office, tmp_path: Path) -> None:
    fault = TransportError("接触不良", "bad contact")
    [result] = issue_rows(office, rows(people.application()), tmp_path, Faulty(fault, fault, attempts=2))
    assert (result.outcome, result.error) == (Outcome.FAILED, "接触不良 / bad contact")


@pytest.mark.parametrize(
    ("keys", "needs"),
    [
        ({"SSSE/RKSSSE", "SSSE/UKSSSE", "DF01/RKPERMIT"}, "write of DF01/EF0A needs UK5"),
        ({"SSSE/RKSSSE", "SSSE/UKSSSE"}, "a sealed permit needs RKPERMIT"),
    ],
)
def test_a_missing_key_fails_the_row_and_no_other_card_is_asked_for(
    keys: set[str], needs: str, office: Office, tmp_path: Path
) -> None:
    blanks = Faulty(None, None, None, attempts=3, access=Access(keys=Ring(keys), pin=pin()))
    [result] = issue_rows(office, rows(people.application()), tmp_path, blanks)
    assert result.outcome is Outcome.FAILED
    assert f"{needs}; the key store has none for city 331000; nothing was changed" in result.error
    assert len(blanks.left) == 2


def test_a_key_that_a_card_does_not_accept_ends_the_run(office: Office, tmp_path: Path) -> None:
    """It would cost every further card a try."""
    blanks = Faulty(None, None, attempts=3, access=Access(keys=Ring(wrong={"SSSE/UKSSSE"})))
    with pytest.raises(KeyUseError, match="issuing has stopped so that no card gets locked"):
        list(issue_rows(office, rows(people.application(), second()), tmp_path, blanks))
    assert len(blanks.left) == 1


def test_a_torn_virtual_card_keeps_what_was_written(
    office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = lambda card, name: LocalTransport(TearAfterCommand(card, 60), name=name)  # noqa: E731
    monkeypatch.setattr("juying.issuance.blanks.LocalTransport", torn)
    [result] = issue_rows(office, rows(people.application()), tmp_path, blanks)
    assert result.outcome is Outcome.FAILED
    assert (tmp_path / result.card_number / "card.vcard").exists()
    assert not (tmp_path / result.card_number / "credential.png").exists()
    monkeypatch.undo()
    [again] = issue_rows(office, rows(people.application()), tmp_path, blanks)
    assert (again.outcome, again.card_number) == (Outcome.ISSUED, result.card_number)


def test_a_full_disk_ends_the_run(
    office: Office, blanks: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _data: bytes, **_: object) -> None:
        raise InputError("磁盘已满", "disk full", where=str(path))

    monkeypatch.setattr(run, "write_atomically", full)
    with pytest.raises(InputError, match="disk full"):
        list(issue_rows(office, rows(people.application(), second()), tmp_path, blanks))
    assert (tmp_path / "report.csv").read_text("utf-8").splitlines() == ["row,outcome,card_number,error"]


def test_what_stands_in_the_way_is_an_input_error(office: Office, blanks: VirtualBlanks, tmp_path: Path) -> None:
    (tmp_path / "JY0000010").write_text("a file")
    with pytest.raises(InputError) as error:
        list(issue_rows(office, rows(people.application()), tmp_path, blanks))
    assert error.value.where == str(tmp_path / "JY0000010")
    (tmp_path / "JY0000010").unlink()
    (tmp_path / "JY0000010" / ".draft").mkdir(parents=True)
    with pytest.raises(InputError, match="check permissions"):
        list(issue_rows(office, rows(people.application()), tmp_path, blanks))


def test_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(InputError):
        make_folder(tmp_path / "file")
