"""The journal: explicit moves, durable ids, little about people, and safe for several processes."""

import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from juying.errors import InputError
from juying.services.medical.journal import MOVES, OPEN, Entry, Journal, State
from juying.services.medical.message_id import QUESTIONS
from juying.services.medical.settlement import SettlementInformation
from tests.medical.gateway import INSTITUTION, order
from tests.peers.nhsa import ANNA, AREA

START = datetime(2026, 12, 1, 4, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db", clock=lambda: START) as journal:
        yield journal


def begin(journal: Journal, batch: str = "B0001", site: str = "medical.test") -> tuple[Entry, bool]:
    return journal.begin(
        site,
        order(chrg_bchno=batch),
        insured_in=AREA,
        message_id=journal.message_id(INSTITUTION),
        sent_at=START.timestamp(),
        busy_until=START.timestamp() + 60,
    )


def moved(journal: Journal, *states: State) -> Entry:
    entry, _ = begin(journal)
    for state in states:
        there = journal.move(entry, state)
        assert there is not None
        entry = there
    return entry


REACHED = {
    State.PENDING: (),
    State.UNKNOWN: (State.UNKNOWN,),
    State.PAID: (State.PAID,),
    State.REFUSED: (State.REFUSED,),
    State.REVERSED: (State.UNKNOWN, State.REVERSED),
    State.UNDOING: (State.PAID, State.UNDOING),
    State.UNDO_UNKNOWN: (State.PAID, State.UNDOING, State.UNDO_UNKNOWN),
    State.UNDONE: (State.PAID, State.UNDOING, State.UNDONE),
}


@pytest.mark.parametrize("old", State)
@pytest.mark.parametrize("new", State)
def test_only_the_moves_of_the_table_are_possible(journal: Journal, old: State, new: State) -> None:
    entry = moved(journal, *REACHED[old])
    if new in MOVES.get(old, ()):
        assert journal.move(entry, new) is not None
    else:
        with pytest.raises(InputError, match="no such move"):
            journal.move(entry, new)
        assert journal.entry(entry.number) == entry


def test_a_batch_has_one_settlement_at_a_time(journal: Journal) -> None:
    first, ours = begin(journal)
    assert ours
    again, ours = begin(journal)
    assert (again, ours) == (first, False)
    assert begin(journal, "B0002")[1]
    assert begin(journal, site="medical.other")[1]
    refused = journal.move(first, State.REFUSED)
    assert refused is not None
    second, ours = begin(journal)
    assert ours
    paid = journal.paid(second, SettlementInformation(setl_id="S1", fund_pay_sumamt=Decimal("480.08")))
    assert paid is not None
    assert begin(journal) == (paid, False)
    assert (paid.setl_id, paid.fund, paid.cash) == ("S1", Decimal("480.08"), None)


def test_an_entry_that_has_moved_meanwhile_is_not_moved_by_what_was_read_before(journal: Journal) -> None:
    entry, _ = begin(journal)
    assert journal.move(entry, State.UNKNOWN) is not None
    assert journal.move(entry, State.PAID) is None
    assert journal.entry(entry.number).state is State.UNKNOWN


@pytest.mark.parametrize("state", [State.REFUSED, State.REVERSED, State.UNDONE])
def test_a_final_entry_forgets_the_person(journal: Journal, tmp_path: Path, state: State) -> None:
    entry = moved(journal, *REACHED[state])
    assert entry.psn_no == ""
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        row = db.execute("SELECT * FROM entry").fetchone()
    assert ANNA not in map(str, row)


def test_what_is_kept_and_shown_of_a_person(journal: Journal, tmp_path: Path) -> None:
    entry, _ = begin(journal)
    assert entry.psn_no == ANNA  # needed to reverse or undo
    assert ANNA not in repr(entry)
    assert ANNA not in str(entry.to_dict())
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for personal in (b"ERIKSSON", b"A10000001", b"L898902C3"):
        assert personal not in kept
    assert stat.S_IMODE((tmp_path / "journal.db").stat().st_mode) == 0o600


def test_every_move_leaves_an_event_for_good(journal: Journal, tmp_path: Path) -> None:
    entry = moved(journal, State.UNKNOWN, State.REVERSED)
    assert [state for _, state, _ in journal.history(entry.number)] == [
        State.PENDING,
        State.UNKNOWN,
        State.REVERSED,
    ]
    db = sqlite3.connect(tmp_path / "journal.db")
    for statement in ("DELETE FROM event", "UPDATE event SET code = 'x'", "DELETE FROM entry"):
        with pytest.raises(sqlite3.IntegrityError, match="stay"):
            db.execute(statement)
    db.close()


def test_unfinished_entries_of_a_site(journal: Journal) -> None:
    for batch, states in enumerate(REACHED.values()):
        entry, _ = begin(journal, f"B{batch}")
        for state in states:
            there = journal.move(entry, state)
            assert there is not None
            entry = there
    begin(journal, site="medical.other")
    assert {entry.state for entry in journal.entries("medical.test", unfinished=True)} == set(OPEN)
    assert len(journal.entries("medical.test")) == len(REACHED)
    assert len(journal.entries()) == len(REACHED) + 1
    with pytest.raises(InputError):
        journal.entry(99)


def test_ids_are_counted_durably_for_all_processes(tmp_path: Path) -> None:
    now = [START]
    ids = []
    for _ in range(3):
        with Journal(tmp_path / "journal.db", clock=lambda: now[0]) as journal:
            ids += [journal.message_id(INSTITUTION) for _ in range(2)]
    assert [number[-4:] for number in ids] == ["5000", "5001", "5002", "5003", "5004", "5005"]
    now[0] = datetime(2026, 12, 1, 3, tzinfo=UTC)  # the clock was set back
    with Journal(tmp_path / "journal.db", clock=lambda: now[0]) as journal:
        ids.append(journal.message_id(INSTITUTION))
        other = journal.message_id("P33100200001")
        connection = sqlite3.connect(tmp_path / "journal.db")
        connection.execute("UPDATE last_id SET sequence = 9999")
        connection.commit()
        connection.close()
        ids.append(journal.message_id(INSTITUTION))  # the second is used up
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)
    assert ids[-1].endswith("1200015000")
    assert other.startswith("P33100200001")
    assert all(int(number[-4:]) >= QUESTIONS for number in ids)


def test_threads_and_connections_share_a_journal(tmp_path: Path) -> None:
    path, won, ids = tmp_path / "journal.db", [], []

    def work() -> None:
        with Journal(path) as journal:
            for batch in range(20):
                entry, ours = begin(journal, f"B{batch}")
                ids.append(entry.message_id)
                won.append(ours)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(won) == 20
    assert len(set(ids)) == 20


def test_what_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such journal"):
        Journal(tmp_path / "none.db", make=False)
    with pytest.raises(InputError, match="cannot be made"):
        Journal(tmp_path / "none" / "journal.db")
    (tmp_path / "text").write_text("text, and no database at all" * 100)
    with pytest.raises(InputError, match="cannot be used"):
        Journal(tmp_path / "text")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE x (y)")
    other.close()
    with pytest.raises(InputError, match="no journal of settlements"):
        Journal(tmp_path / "other.db")


def test_closing_what_moves_at_the_same_moment(tmp_path: Path) -> None:
    class Overtaken(Journal):
        def entry(self, number: int) -> Entry:
            there = super().entry(number)
            self.move(there, State.UNKNOWN)
            return there

    with Overtaken(tmp_path / "journal.db", clock=lambda: START) as journal:
        doubtful = moved(journal, State.UNKNOWN)
        with pytest.raises(InputError, match="just moved"):
            journal.close_by_hand(doubtful.number, State.REVERSED)


def test_closing_by_hand(journal: Journal) -> None:
    doubtful = moved(journal, State.UNKNOWN)
    with pytest.raises(InputError, match="cannot be made paid"):
        journal.close_by_hand(doubtful.number, State.PAID)
    claimed = journal.move(doubtful, State.UNKNOWN, busy_until=START.timestamp() + 10)
    assert claimed is not None
    with pytest.raises(InputError, match="cannot be made reversed"):
        journal.close_by_hand(doubtful.number, State.REVERSED)  # somebody works on it
    assert journal.move(claimed, State.UNKNOWN) is not None
    assert journal.close_by_hand(doubtful.number, State.REVERSED).code == "by_hand"
    undoing = moved(journal, State.PAID, State.UNDOING, State.UNDO_UNKNOWN)
    assert journal.close_by_hand(undoing.number, State.UNDONE).state is State.UNDONE
    with pytest.raises(InputError):
        journal.close_by_hand(undoing.number, State.PAID)
