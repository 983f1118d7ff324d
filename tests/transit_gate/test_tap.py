"""Whole taps: what is taken, what is written, and who is refused."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from juying.card.channel import Channel
from juying.card.tunion import read_transit
from juying.card.tunion_psam import TransitPsam
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import TearAfterCommand, WrongStatus
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.codec.profile import load_profile
from juying.codec.tunion.trips import BUS, RAIL, Tap
from juying.crypto.purse import PurseKeys
from juying.errors import CardRemoved, InputError
from juying.services.transit.journal import State, TapJournal
from juying.services.transit.ride_checks import CHECKSUM, Action, checksum
from juying.services.transit.site import Overdraft
from juying.services.transit.tap import tap
from juying.services.verdict import Check, Decision
from tests.card.scripted import FunctionCard
from tests.transit.cards import blank
from tests.transit_gate.gates import NOON, NOW, gate
from tests.transit_gate.line import Line, logs, money

READING = 10
"""Commands until the card is read."""


def purchase_check(passage: Any) -> Check:
    return next(check for check in passage.verdict.checks if check.name == "purchase")


def seen(card: VirtualCard) -> Any:
    return read_transit(Channel(LocalTransport(card)), trips=True)


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3", "tunion"])
def test_a_bus_with_one_fare(profile: str) -> None:
    line, card = Line(), blank(profile, balance_fen=2000)
    passage = line.tap(card, gate())
    assert (passage.verdict.decision, passage.action, passage.opens) == (Decision.ELIGIBLE, Action.FLAT, True)
    assert passage.verdict.evidence["balance_fen"] == money(card) == 1800
    assert passage.receipt is not None
    assert passage.receipt.verified
    now = seen(card)
    assert [(trip.type, trip.amount_fen, trip.balance_fen) for trip in now.trips] == [("06", 200, 1800)]
    assert now.last_tap == Tap(
        type="06",
        terminal="0000413100000001",
        industry="02",
        line="0101",
        amount_fen=200,
        balance_fen=1800,
        at=NOON,
        city_code="3450",
        organisation="12113450FFFFFFFF",
    )
    line.later(1)
    assert line.tap(card, gate()).opens, "somebody else rides with the same card"
    assert money(card) == 1600
    assert [entry.state for entry in line.journal.entries()] == [State.PAID, State.PAID]


def test_a_ride_by_rail() -> None:
    line, card = Line(), blank(balance_fen=2000)
    entered = line.tap(card, gate("rail-entry"))
    assert (entered.action, entered.opens, money(card)) == (Action.ENTRY, True, 2000)
    open_trip = seen(card).open_trip
    assert open_trip is not None
    assert (open_trip.record_id, open_trip.marked_fen, open_trip.start.at) == (RAIL, 600, NOON)
    assert open_trip.serial == "0020261201120000"
    line.later(1)
    twice = line.tap(card, gate("rail-entry"))
    assert (twice.verdict.decision, twice.opens, money(card)) == (Decision.INELIGIBLE, False, 2000)
    line.later(30)
    left = line.tap(card, gate("rail-exit"))
    assert (left.action, left.opens, money(card)) == (Action.EXIT, True, 1700)
    now = seen(card)
    (ride,) = (ride for ride in now.rides if ride.record_id == RAIL)
    assert (ride.state, ride.start, ride.end.stop) == (2, open_trip.start, gate("rail-exit").stop)
    assert [(trip.type, trip.amount_fen) for trip in now.trips] == [("04", 300), ("03", 0)]
    line.later(1)
    again = line.tap(card, gate("rail-exit"))
    assert (again.verdict.decision, again.opens, money(card)) == (Decision.INELIGIBLE, False, 1700)


def test_a_ride_by_bus_with_both_taps_on_one_validator() -> None:
    line, card = Line(), blank(balance_fen=2000)
    boarded = line.tap(card, gate("bus-distance", stop="01", vehicle="JJ1234", operator="0001"))
    assert (boarded.action, money(card)) == (Action.ENTRY, 2000)
    line.later(20)
    alighted = line.tap(card, gate("bus-distance", vehicle="JJ1234", operator="0001"))
    assert (alighted.action, alighted.opens, money(card)) == (Action.EXIT, True, 1900)
    (ride,) = (ride for ride in seen(card).rides if ride.record_id == BUS)
    assert (ride.amount_fen, ride.marked_fen, ride.start.vehicle, ride.end.operator) == (100, 600, "JJ1234", "0001")
    line.later(1)
    assert line.tap(card, gate("bus-distance")).action is Action.ENTRY, "a new ride"


def test_a_ride_that_was_never_ended_costs_what_was_marked() -> None:
    line, card = Line(), blank(balance_fen=2000, kind=2)
    line.tap(card, gate("rail-entry"))
    line.later(241)
    passage = line.tap(card, gate("rail-entry"))
    assert (passage.action, passage.opens, money(card)) == (Action.PENALTY, False, 1700)
    assert "tap again" in purchase_check(passage).reason.en
    assert seen(card).last_tap.type == "08"
    assert seen(card).open_trip is None
    line.later(1)
    again = line.tap(card, gate("rail-entry"))
    assert (again.action, again.opens, money(card)) == (Action.ENTRY, True, 1700)


def test_who_stayed_too_long_pays_what_was_marked_and_gets_out() -> None:
    line, card = Line(), blank(balance_fen=2000)
    line.tap(card, gate("rail-entry"))
    line.later(300)
    passage = line.tap(card, gate("rail-exit"))
    assert (passage.action, passage.opens, money(card)) == (Action.PENALTY, True, 1400)
    assert seen(card).open_trip is None


def test_a_ride_begun_in_another_city_is_left_to_that_city() -> None:
    line, card = Line(), blank(balance_fen=2000)
    line.tap(card, gate("rail-entry", city="3310"))
    line.later(10)
    passage = line.tap(card, gate("rail-entry"))
    assert (passage.action, passage.opens, money(card)) == (Action.ENTRY, True, 2000)
    assert seen(card).open_trip.start.city_code == "3450"


def test_a_discount_and_a_free_ride() -> None:
    line, student, senior = Line(), blank(balance_fen=200, kind=2), blank(balance_fen=0, kind=3)
    assert line.tap(student, gate()).opens
    assert money(student) == 100
    assert line.tap(senior, gate()).opens
    assert (money(senior), seen(senior).last_tap.type) == (0, "06")


def test_overdraft_lets_people_out() -> None:
    line, card = Line(), blank(balance_fen=200, overdraft_limit_fen=800)
    line.tap(card, gate("rail-entry"))
    line.later(30)
    assert not line.tap(card, gate("rail-exit", overdraft=Overdraft.NEVER)).opens
    passage = line.tap(card, gate("rail-exit"))
    assert (passage.opens, money(card)) == (True, -100)
    assert passage.verdict.evidence["balance_fen"] == -100
    assert seen(card).last_tap.balance_fen == 0


def test_a_city_with_a_checksum_in_its_records() -> None:
    line, card = Line(), blank(balance_fen=2000)
    line.tap(card, gate("rail-entry", crc32=True))
    raw = bytes(card.memory.files["TUNION/001A"][0])
    assert raw[CHECKSUM] == checksum(raw)
    line.later(10)
    assert line.tap(card, gate("rail-exit", crc32=True)).action is Action.EXIT
    raw = bytes(card.memory.files["TUNION/001A"][0])
    assert raw[CHECKSUM] == checksum(raw)


@pytest.mark.parametrize(
    "issue",
    [
        {"enabled": False},
        {"balance_fen": 199},
        {"balance_fen": 0},
        {"issuer_code": "01243450FFFFFFFF"},
        {"kind": 4},
        {"card_number": "3104880499000000013"},
    ],
)
def test_who_is_refused_pays_nothing(issue: dict[str, Any]) -> None:
    line, card = Line(), blank(**{"balance_fen": 2000, **issue})
    before = logs(card), money(card)
    passage = line.tap(card, gate())
    assert (passage.verdict.decision, passage.opens, passage.receipt) == (Decision.INELIGIBLE, False, None)
    assert purchase_check(passage).code == "not-tried"
    assert (logs(card), money(card)) == before
    assert not passage.locked
    assert line.journal.entries() == ()


def test_a_black_listed_card_is_locked_where_the_site_wants_it() -> None:
    line, card = Line(), blank(balance_fen=2000, card_number="3104880499000000013")
    site = gate(lock_black_listed=True)
    passage = line.tap(card, site)
    assert (passage.opens, passage.locked) == (False, True)
    again = line.tap(card, site)
    assert (again.locked, again.verdict.checks[0].code) == (False, "6283")
    good = blank(balance_fen=2000)
    assert not line.tap(good, site).locked


def test_a_black_listed_card_that_will_not_be_locked() -> None:
    line, card = Line(), blank(balance_fen=2000, card_number="3104880499000000013")
    site = gate(lock_black_listed=True)
    passage = line.tap(card, site, fault=lambda card: WrongStatus(card, READING + 2, 0x6988))
    assert (passage.opens, passage.locked) == (False, False)


def test_a_card_without_a_purse() -> None:
    card = VirtualCard.blank(load_profile("ssc-v3"))
    passage = Line().tap(card, gate())
    assert (passage.verdict.decision, passage.opens) == (Decision.INELIGIBLE, False)
    (check,) = passage.verdict.checks
    assert (check.name, check.code) == ("application", "6A82")


def test_a_card_whose_public_data_cannot_be_read_is_not_charged() -> None:
    card = blank(balance_fen=2000)
    card.power_on()

    def answer(command: bytes) -> bytes:
        if command[:2] == b"\x00\xa4":
            card.transmit(command)
            return b"\x90\x00"
        return b"\x69\x82" if command[:3] == b"\x00\xb0\x95" else card.transmit(command)

    line = Line()
    psam = TransitPsam.open(Channel(LocalTransport(line.sam)))
    passage = tap(Channel(FunctionCard(answer)), psam, gate(), line.journal, now=NOW)
    assert (passage.verdict.decision, passage.opens, money(card)) == (Decision.UNDETERMINED, False, 2000)


@pytest.mark.parametrize(
    ("command", "sw", "decision"),
    [
        (1, 0x9401, Decision.INELIGIBLE),
        (1, 0x9403, Decision.INELIGIBLE),
        (1, 0x9402, Decision.INELIGIBLE),
        (1, 0x6985, Decision.UNDETERMINED),
        (2, 0x9407, Decision.INELIGIBLE),
        (3, 0x9302, Decision.INELIGIBLE),
    ],
)
def test_what_the_card_says_no_to(command: int, sw: int, decision: Decision) -> None:
    line, card = Line(), blank(balance_fen=2000)
    passage = line.tap(card, gate(), fault=lambda card: WrongStatus(card, READING + command, sw))
    assert (passage.verdict.decision, passage.opens, money(card)) == (decision, False, 2000)
    assert purchase_check(passage).code == f"{sw:04X}"
    assert line.journal.entries() == (), "nothing is open"


def test_an_error_at_the_last_step_leaves_it_open_until_the_card_comes_back() -> None:
    line, card = Line(), blank(balance_fen=2000)
    passage = line.tap(card, gate(), fault=lambda card: WrongStatus(card, READING + 3, 0x6F00))
    assert (passage.verdict.decision, passage.opens) == (Decision.UNDETERMINED, False)
    assert [entry.state for entry in line.journal.entries()] == [State.GREY]
    again = line.tap(card, gate())
    assert (again.opens, again.resumed, money(card)) == (True, False, 1800)
    assert [entry.state for entry in line.journal.entries()] == [State.PAID]


def test_a_psam_without_the_right_keys_takes_nothing() -> None:
    line, card = Line(), blank(balance_fen=2000)
    line.sam = VirtualTransitPsam(PurseKeys({"DPK": bytes(16)}))
    passage = line.tap(card, gate())
    assert (purchase_check(passage).code, passage.opens, money(card)) == ("9302", False, 2000)


def test_a_psam_at_its_end_is_not_the_fault_of_the_card() -> None:
    line, card = Line(), blank(balance_fen=2000)
    passage = line.tap(card, gate(), sam=lambda sam: WrongStatus(sam, 4, 0x9402))
    assert (passage.verdict.decision, purchase_check(passage).code) == (Decision.UNDETERMINED, "9402")


def test_a_card_that_wants_another_algorithm() -> None:
    card = blank(balance_fen=2000)
    card.power_on()

    def answer(command: bytes) -> bytes:
        own = card.transmit(command)
        return own[:10] + b"\x04" + own[11:] if command[1] == 0x50 else own

    line = Line()
    psam = TransitPsam.open(Channel(LocalTransport(line.sam)))
    passage = tap(Channel(FunctionCard(answer)), psam, gate(), line.journal, now=NOW)
    check = purchase_check(passage)
    assert (passage.verdict.decision, check.code) == (Decision.UNDETERMINED, "algorithm")
    assert "SM4" in check.reason.en


def test_a_card_that_cannot_prove_that_it_paid_does_not_open_the_gate() -> None:
    line, card = Line(), blank(balance_fen=2000)
    passage = line.tap(card, gate(), sam=lambda sam: WrongStatus(sam, 6, 0x9302))
    assert (passage.verdict.decision, purchase_check(passage).code) == (Decision.INELIGIBLE, "9302")
    assert (passage.opens, money(card)) == (False, 1800)
    (entry,) = line.journal.entries()
    assert (entry.state, entry.verified) == (State.PAID, False)


def test_a_psam_that_is_pulled_at_the_end_costs_nobody_a_second_fare() -> None:
    line, card = Line(), blank(balance_fen=2000)
    passage = line.tap(card, gate(), sam=lambda sam: TearAfterCommand(sam, 6))
    assert (passage.verdict.decision, purchase_check(passage).code) == (Decision.UNDETERMINED, "unconfirmed")
    (entry,) = line.journal.entries()
    assert (entry.state, len(entry.tac)) == (State.GREY, 8)
    again = line.tap(card, gate())
    assert (again.opens, again.resumed, money(card)) == (True, True, 1800)
    (entry,) = line.journal.entries()
    assert (entry.state, len(entry.tac)) == (State.PAID, 8)


def test_a_gate_needs_a_fare_policy_and_its_own_psam() -> None:
    line, card = Line(), blank(balance_fen=2000)
    with pytest.raises(InputError, match="fare policy"):
        line.tap(card, gate(fares=None))
    with pytest.raises(InputError, match="PSAM"):
        line.tap(card, gate(terminal="000000000001"))
    assert line.tap(card, gate(terminal="413100000001")).opens


def lost_answer(line: Line, card: VirtualCard, mode: str = "bus-flat", after: int = 3) -> None:
    """A tap whose last answer never arrives, though the card was debited."""
    with pytest.raises(CardRemoved):
        line.tap(card, gate(mode), fault=lambda card: TearAfterCommand(card, READING + after))


def test_an_interrupted_tap_is_taken_up_again_and_costs_once() -> None:
    line, card = Line(), blank(balance_fen=2000)
    lost_answer(line, card)
    line.later(1)
    passage = line.tap(card, gate())
    assert (passage.opens, passage.resumed, money(card)) == (True, True, 1800)
    assert passage.receipt is not None
    assert passage.receipt.recovered
    assert passage.verdict.evidence == {"city": "3450", "action": "flat", "fare_fen": 200, "balance_fen": 1800}
    assert passage.to_dict()["resumed"] is True
    line.later(1)
    assert not line.tap(card, gate()).resumed
    assert money(card) == 1600


def test_who_comes_back_another_time_pays_for_another_ride() -> None:
    line, card = Line(), blank(balance_fen=2000)
    lost_answer(line, card)
    line.later(6)
    passage = line.tap(card, gate())
    assert (passage.opens, passage.resumed, money(card)) == (True, False, 1600)
    assert [entry.state for entry in line.journal.entries()] == [State.PAID, State.PAID]


def test_an_entry_that_was_interrupted_does_not_open_the_exit() -> None:
    line, card = Line(), blank(balance_fen=2000)
    lost_answer(line, card, "rail-entry", 4)
    line.later(1)
    passage = line.tap(card, gate("rail-exit"))
    assert (passage.action, passage.resumed, money(card)) == (Action.EXIT, False, 1700)


def test_a_card_that_was_used_since_then_is_asked_for_the_rest_of_its_log() -> None:
    line, elsewhere, card = Line(), Line(), blank(balance_fen=2000)
    lost_answer(line, card)
    elsewhere.later(1)
    elsewhere.tap(card, gate())
    line.later(2)
    passage = line.tap(card, gate())
    assert (passage.opens, passage.resumed, money(card)) == (True, True, 1600)
    assert [entry.state for entry in line.journal.entries()] == [State.UNPROVEN]


def test_a_card_that_was_not_debited_and_was_used_since_then() -> None:
    line, elsewhere, card = Line(), Line(), blank(balance_fen=2000)
    with pytest.raises(CardRemoved):
        line.tap(card, gate(), fault=lambda card: _TornBefore(card, 0x54))
    elsewhere.later(1)
    elsewhere.tap(card, gate())
    line.later(2)
    passage = line.tap(card, gate())
    assert (passage.opens, passage.resumed, money(card)) == (True, False, 1600)
    assert [entry.state for entry in line.journal.entries()] == [State.PAID]


class _TornBefore(TearAfterCommand):
    """The card is pulled when a command with this instruction comes, before it is carried out."""

    def __init__(self, card: VirtualCard, instruction: int) -> None:
        super().__init__(card, -1)
        self._instruction = instruction

    def answer(self, number: int, command: bytes) -> bytes:
        if command[1] != self._instruction:
            return self.card.transmit(command)
        self.power_off()
        raise CardRemoved("卡片在通信中被拔出", "the card was pulled out during the exchange")


@pytest.mark.parametrize(("before", "state"), [(0, State.LOST), (1, None)])
def test_a_log_that_has_moved_on(before: int, state: State | None) -> None:
    """Ten purchases later the card cannot say; nine later it can, if its log still holds an earlier one."""
    line, elsewhere, card = Line(), Line(), blank(balance_fen=50_000)
    for _ in range(before):
        elsewhere.tap(card, gate())
        elsewhere.later(1)
    line.now = elsewhere.now
    with pytest.raises(CardRemoved):
        line.tap(card, gate(), fault=lambda card: _TornBefore(card, 0x54))
    for _ in range(10 - before):
        elsewhere.later(1)
        elsewhere.tap(card, gate())
    line.later(60)
    assert line.tap(card, gate()).opens
    states = [entry.state for entry in line.journal.entries()]
    assert states == ([State.PAID] if state is None else [state, State.PAID])


def test_a_proof_that_the_card_does_not_give_any_more() -> None:
    line, card = Line(), blank(balance_fen=2000)
    lost_answer(line, card)
    card.memory.files["TUNION/0002"][0][30:41] = bytes(11)
    passage = line.tap(card, gate())
    assert (passage.opens, passage.resumed, passage.receipt, money(card)) == (True, True, None, 1800)
    assert [entry.state for entry in line.journal.entries()] == [State.UNPROVEN]


def test_a_log_that_cannot_be_read_keeps_the_question_open() -> None:
    line, card = Line(), blank(balance_fen=2000)
    lost_answer(line, card)
    passage = line.tap(card, gate(), fault=lambda card: WrongStatus(card, READING + 1, 0x6F00))
    assert (passage.verdict.decision, passage.opens, money(card)) == (Decision.UNDETERMINED, False, 1800)
    assert purchase_check(passage).code == "unresolved"
    assert [entry.state for entry in line.journal.entries()] == [State.GREY]
    assert line.tap(card, gate()).resumed


def test_another_card_is_another_matter() -> None:
    line, card, other = Line(), blank(balance_fen=2000), blank(balance_fen=2000, card_number="3104880499000000002")
    lost_answer(line, card)
    assert not line.tap(other, gate()).resumed
    assert (money(card), money(other)) == (1800, 1800)
    assert line.tap(card, gate()).resumed


def test_a_journal_that_cannot_be_written_takes_nothing(tmp_path: Path) -> None:
    journal = TapJournal(tmp_path / "taps.db")
    line, card = Line(journal), blank(balance_fen=2000)
    journal._db.execute("PRAGMA query_only = 1")
    with pytest.raises(InputError, match="journal"):
        line.tap(card, gate())
    assert money(card) == 2000
    journal.close()


def test_a_journal_that_cannot_be_written_afterwards_is_made_good_by_the_next_tap() -> None:
    line, card = Line(), blank(balance_fen=2000)

    def full(*_: object) -> None:
        raise InputError("磁盘已满", "disk full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TapJournal, "settle", full)
        with pytest.raises(InputError, match="disk full"):
            line.tap(card, gate())
    assert line.tap(card, gate()).resumed
    assert money(card) == 1800


def test_a_terminal_that_was_switched_off_remembers(tmp_path: Path) -> None:
    path, card = tmp_path / "taps.db", blank(balance_fen=2000)
    with TapJournal(path) as journal:
        lost_answer(Line(journal), card)
    with TapJournal(path) as journal:
        assert path.stat().st_mode & 0o077 == 0
        line = Line(journal)
        line.later(1)
        assert line.tap(card, gate()).resumed
        (entry,) = journal.entries(State.PAID)
        document = entry.to_dict()
        assert (document["action"], document["mode"], document["amount_fen"], document["type"]) == (
            *("flat", "bus-flat"),
            *(200, "09"),
        )
        assert entry.debit.serial not in repr(entry)
        journal.remove(entry.number)
        assert journal.entries() == ()
    assert money(card) == 1800


def test_what_is_open_is_not_removed() -> None:
    line, card = Line(), blank(balance_fen=2000)
    lost_answer(line, card)
    (entry,) = line.journal.entries()
    line.journal.remove(entry.number)
    assert line.journal.entries() == (entry,)


def test_a_journal_that_is_something_else(tmp_path: Path) -> None:
    path = tmp_path / "taps.db"
    path.write_bytes(b"no data base, but long enough to be looked at " * 40)
    with pytest.raises(InputError, match="journal"):
        TapJournal(path)
    with pytest.raises(InputError, match="journal"):
        TapJournal(tmp_path / "none" / "taps.db")


def test_two_terminals_may_share_a_journal(tmp_path: Path) -> None:
    path, card = tmp_path / "taps.db", blank(balance_fen=2000)
    with TapJournal(path) as one, TapJournal(path) as other:
        lost_answer(Line(one), card)
        assert Line(other).tap(card, gate()).resumed
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM tap").fetchone() == (1,)
    assert money(card) == 1800
