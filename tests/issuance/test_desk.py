"""What a run needs besides an office: card numbers, a lock, a report, demonstration keys, blank cards."""

import csv
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from juying.card.apdu import update_record
from juying.card.monitor import EventKind, ReaderEvent, ReaderMonitor
from juying.card.ssc import SscCard
from juying.card.transport import Transport
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.errors import CardError, InputError, KeyUseError
from juying.issuance import blanks as blanks_module
from juying.issuance import demo_keys
from juying.issuance.blanks import ReaderBlanks, VirtualBlanks
from juying.issuance.card_numbers import CardNumbers
from juying.issuance.demo_keys import demonstration_keys, throw_away_keys
from juying.issuance.lock import LOCK_FILE, locked
from juying.issuance.report import Outcome, RowResult, report_file
from juying.model.numbers import check_card_number

# Card numbers


def test_numbers_count_up_behind_the_prefix_and_carry_their_check_character() -> None:
    numbers = CardNumbers(())
    allotted = [numbers.allot() for _ in range(12)]
    assert [number[:8] for number in allotted] == [f"JY{serial:06}" for serial in range(1, 13)]
    assert [check_card_number(number) for number in allotted] == allotted


def test_numbers_that_are_taken_are_not_given_again() -> None:
    first = CardNumbers(()).allot()
    second = CardNumbers([first, "something else"]).allot()
    assert second != first
    assert second[:8] == "JY000002"


@pytest.mark.parametrize(("prefix", "count"), [("ABCDEFG", 9), ("1234567", 9), ("ABCDEF", 99)])
def test_a_prefix_is_used_up(prefix: str, count: int) -> None:
    numbers = CardNumbers((), prefix)
    assert len({numbers.allot() for _ in range(count)}) == count
    with pytest.raises(InputError, match="used up"):
        numbers.allot()


def test_no_prefix_is_a_prefix() -> None:
    assert CardNumbers((), "").allot()[:8] == "00000001"


@pytest.mark.parametrize("prefix", ["ABCDEFGH", "ABCDEFGHI", "ab", "Ä", "A B", "A\n"])
def test_a_prefix_that_makes_no_numbers(prefix: str) -> None:
    with pytest.raises(InputError, match="at most 7 characters"):
        CardNumbers((), prefix)


# Lock


def test_a_folder_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match="another run") as error, locked(tmp_path):
        pass
    assert error.value.where == str(tmp_path)
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]


def test_one_may_wait_for_the_other(tmp_path: Path) -> None:
    order = []
    inside = threading.Event()

    def first() -> None:
        with locked(tmp_path):
            inside.set()
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)
    with locked(tmp_path, wait=30):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_is_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        _ = 1 / 0
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be locked"), locked(tmp_path / "missing"):
        pass
    (tmp_path / LOCK_FILE).write_bytes(b"no database, but long enough to be looked at as if it were one" * 20)
    with pytest.raises(InputError, match="cannot be locked"), locked(tmp_path):
        pass


def test_errors_of_others_pass_through(tmp_path: Path) -> None:
    """Only taking the lock is translated, not what happens while it is held."""
    with pytest.raises(sqlite3.OperationalError), locked(tmp_path):
        raise sqlite3.OperationalError("of somebody else")


# Report


def test_a_report_is_a_csv_that_is_always_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    with report_file(path) as report:
        assert path.read_bytes() == b"row,outcome,card_number,error\r\n"
        report.add(RowResult(2, Outcome.ISSUED, "JY0000010"))
        report.add(RowResult(3, Outcome.INVALID, error='职务: "…", 缺'))
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
    assert lines == [
        ["row", "outcome", "card_number", "error"],
        ["2", "issued", "JY0000010", ""],
        ["3", "invalid", "", '职务: "…", 缺'],
    ]


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="close it if it is open in Excel"), report_file(tmp_path):
        pass


def test_a_report_on_a_full_disk() -> None:
    with pytest.raises(InputError, match="No space left"), report_file(Path("/dev/full")):
        pass


def test_every_outcome_has_words_and_two_are_good() -> None:
    assert [outcome for outcome in Outcome if outcome.good] == [Outcome.ISSUED, Outcome.UNCHANGED]
    assert len({outcome.text for outcome in Outcome}) == len(Outcome)


# Demonstration keys


def test_demonstration_keys_are_made_once_and_marked(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "keys"
    signer, trust = demonstration_keys(folder, region="331000")
    [key] = trust
    assert key.demonstration
    assert key.region == "331000"
    assert key.signs_at(datetime.now(UTC))
    assert not key.signs_at(datetime.now(UTC) + timedelta(days=367))
    again, trust_again = demonstration_keys(folder, region="440300")
    assert (again.public_key, list(trust_again)) == (signer.public_key, list(trust))
    assert (folder / demo_keys.KEY_FILE).stat().st_mode & 0o077 == 0


def test_a_lost_trust_list_is_made_anew_for_the_same_key(tmp_path: Path) -> None:
    signer, _ = demonstration_keys(tmp_path, region="331000")
    (tmp_path / demo_keys.TRUST_FILE).unlink()
    again, trust = demonstration_keys(tmp_path, region="331000")
    assert again.public_key == signer.public_key
    assert [key.key.public_key for key in trust] == [signer.public_key]


def test_two_processes_make_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the second waits for its turn, the first finishes."""
    first: list[SoftwareSigner] = []
    real = demo_keys.locked

    def slow(folder: Path, *, wait: float) -> object:
        monkeypatch.setattr(demo_keys, "locked", real)
        first.append(demonstration_keys(folder, region="331000")[0])
        return real(folder, wait=wait)

    monkeypatch.setattr(demo_keys, "locked", slow)
    signer, trust = demonstration_keys(tmp_path, region="331000")
    assert signer.public_key == first[0].public_key
    assert [key.key.public_key for key in trust] == [signer.public_key]


def test_demonstration_keys_without_a_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyUseError) as error:
        demonstration_keys(tmp_path / "file" / "keys", region="331000")
    assert error.value.where.endswith("keys")


def test_keys_to_throw_away_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    signer, trust = throw_away_keys(region="331000")
    assert [key.key.public_key for key in trust] == [signer.public_key]
    assert not list(tmp_path.iterdir())
    assert isinstance(trust, TrustList)


# Blank cards


@pytest.fixture
def virtual() -> VirtualBlanks:
    return VirtualBlanks(load_profile("ssc-v2"), "440300")


def write_the_sex(transport: Transport) -> None:
    card = SscCard.open(transport)
    file = card.profile.file("SSSE/EF06")
    card.write(file, file.write, update_record(4, bytes.fromhex("0A0132")), where="test")


def test_a_virtual_card_is_new_and_then_the_same(virtual: VirtualBlanks, tmp_path: Path) -> None:
    with virtual.card(tmp_path) as transport:
        write_the_sex(transport)
    first = load_card(tmp_path / "card.vcard")
    assert bytes(first.memory.files["SSSE/EF06"][3]) == bytes.fromhex("0A0132")
    with virtual.card(tmp_path) as transport:
        assert transport.atr == first.atr


def test_a_card_that_was_not_written_is_not_saved(virtual: VirtualBlanks, tmp_path: Path) -> None:
    with virtual.card(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_an_image_that_cannot_be_read_or_written_is_a_card_fault(
    virtual: VirtualBlanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise InputError("磁盘已满", "disk full", where="card.vcard")

    monkeypatch.setattr(blanks_module, "save_card", full)
    with pytest.raises(CardError, match="disk full"), virtual.card(tmp_path) as transport:
        write_the_sex(transport)
    (tmp_path / "card.vcard").write_text("no image")
    with pytest.raises(CardError), virtual.card(tmp_path):
        pass


def test_cards_in_a_reader_come_one_after_the_other_and_the_clerk_hears_of_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What another reader does is of no concern; what stops the work is told."""
    mine, other = "Reader A", "Reader B"
    events = [
        ReaderEvent(EventKind.READER_ADDED, mine),
        ReaderEvent(EventKind.CARD_INSERTED, other),
        ReaderEvent(EventKind.SERVICE_LOST),
        ReaderEvent(EventKind.SERVICE_BACK, gap=1.5),
        ReaderEvent(EventKind.CARD_INSERTED, mine),
        ReaderEvent(EventKind.READER_REMOVED, other),
        ReaderEvent(EventKind.CARD_REMOVED, mine),
        ReaderEvent(EventKind.READER_REMOVED, mine),
        ReaderEvent(EventKind.READER_ADDED, mine),
        ReaderEvent(EventKind.CARD_INSERTED, mine),
    ]
    opened: list[str] = []

    def open_card(reader: str) -> LocalTransport:
        opened.append(reader)
        return LocalTransport(VirtualCard.blank(load_profile("ssc-v3")))

    monkeypatch.setattr(ReaderMonitor, "watch", lambda _self: iter(events))
    monkeypatch.setattr(blanks_module, "open_card", open_card)
    told: list[str] = []
    supply = ReaderBlanks(mine, lambda text: told.append(text.en))
    for number in ("JY0000010", "JY0000029"):
        with supply.card(Path(number)):
            told.append("card")
    assert opened == [mine, mine]
    assert told == [
        "insert the card for number JY0000010",
        "smart card service lost",
        "smart card service back (gone for 1.5 s)",
        "card",
        "take the card out",
        "insert the card for number JY0000029",
        "Reader A: reader unplugged",
        "card",
    ]
