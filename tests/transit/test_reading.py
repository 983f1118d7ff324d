"""Reading a transit card: cards as they come, cards that keep things back, and traces."""

from collections.abc import Callable, Mapping
from datetime import date, datetime

import pytest

from juying.card.channel import Channel
from juying.card.tunion import TransitCard, read_selected, read_transit
from juying.card.tunion_purchase import load, lock, purchase
from juying.card.tunion_trips import TripKind, merge_trips
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.codec.tunion.files import HolderData, Transaction
from juying.codec.tunion.trips import BUS, IN, OUT, RAIL, Tap
from juying.crypto.purse import demonstration_keys
from juying.errors import CardRefused, CardRemoved
from tests.card.scripted import FunctionCard
from tests.transit.cards import NOON, SELECT_EP, TERMINAL, VECTORS, blank, channel, psam, public, replay, ride, tap

VERDICT_COMMANDS = 12


class Counting(LocalTransport):
    """A card, and how many commands it got."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__(card)
        self.count = 0

    def transmit(self, command: bytes) -> bytes:
        self.count += 1
        return super().transmit(command)


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3", "tunion"])
def test_what_a_verdict_needs_takes_twelve_commands_at_most(profile: str) -> None:
    line = Counting(blank(profile, balance_fen=2000))
    card = read_transit(Channel(line))
    assert line.count <= VERDICT_COMMANDS
    assert card.balance_fen == 2000
    assert card.problems == ()


def test_a_card_as_issued() -> None:
    card = read_transit(channel(blank(balance_fen=2000, overdraft_limit_fen=800)))
    assert (card.card_number, card.iin) == ("3104880499568028485", "31048804")
    assert (card.issuer_code, card.city_code) == ("02113450FFFFFFFF", "3450")
    assert (card.interoperable, card.kind) == (True, 1)
    assert (card.enabled, card.enabled_flag, card.app_type) == (True, 1, 2)
    assert (card.valid_from, card.valid_until) == (date(2020, 1, 1), date(2099, 12, 31))
    assert (card.balance_fen, card.overdrawn_fen, card.overdraft_limit_fen) == (2000, 0, 800)
    assert (card.version, card.blocked, card.sequence) == ("02", False, None)
    assert (card.trips, card.open_trip, card.last_tap, card.holder) == ((), None, None, None)
    assert [entry.record_id for entry in card.rides] == [RAIL, BUS]
    assert "3104880499568028485" not in repr(card)


@pytest.mark.parametrize(
    ("issue", "expected"),
    [
        ({"enabled": False}, {"enabled": False, "enabled_flag": 0}),
        ({"interoperable": 0}, {"interoperable": False}),
        ({"kind": 3}, {"kind": 3}),
        ({"balance_fen": -300, "overdraft_limit_fen": 800}, {"balance_fen": -300, "overdrawn_fen": 300}),
        ({"city_code": "3310"}, {"city_code": "3310", "issuer_code": "02113450FFFFFFFF"}),
    ],
)
def test_cards_that_differ(issue: Mapping[str, int], expected: Mapping[str, object]) -> None:
    card = read_transit(channel(blank(**issue)))
    assert {name: getattr(card, name) for name in expected} == expected


def test_the_holder_is_read_on_request_only() -> None:
    holder = HolderData(name="ERIKSSON ANNA MARIA", document_number="L898902C3", document_type=5)
    line = Recording(blank(holder=holder))
    assert read_transit(Channel(line)).holder is None
    assert not any(command.startswith("00b096") for command in line.commands)
    card = read_transit(Channel(line), holder=True)
    assert card.holder is not None
    assert (card.holder.name, card.holder.document_number) == (holder.name, holder.document_number)
    assert "ERIKSSON" not in repr(card)


class Recording(LocalTransport):
    """A card, and the commands that it got, in hex."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__(card)
        self.commands: list[str] = []

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command.hex())
        return super().transmit(command)


def ridden() -> VirtualCard:
    """A card that was loaded, went in and out of a metro, and is now on a second ride."""
    card = blank(balance_fen=500)
    line, terminal, data = channel(card), psam(), public(card)
    read_transit(line)
    load(line, demonstration_keys(), 1000, public=data, terminal=bytes(6), at=NOON)
    steps = ((tap("03", 0, NOON.replace(hour=13)), IN), (tap("04", 300, NOON.replace(hour=14)), OUT))
    for entry, state in (*steps, (tap("03", 0, NOON.replace(hour=15)), IN)):
        assert entry.at is not None
        purchase(
            line,
            terminal,
            entry.amount_fen or 0,
            public=data,
            at=entry.at,
            tap=entry,
            rides=[ride(state, at=entry.at)],
        )
    return card


def test_trips_from_both_logs() -> None:
    card = read_transit(channel(ridden()), trips=True)
    assert [(trip.kind, trip.amount_fen, trip.type, trip.transaction) for trip in card.trips] == [
        (TripKind.IN, 0, "03", "09"),
        (TripKind.OUT, 300, "04", "09"),
        (TripKind.IN, 0, "03", "09"),
        (TripKind.LOAD, 1000, "", "02"),
    ]
    assert [trip.sequence for trip in card.trips] == [3, 2, 1, 1]
    assert card.trips[1].at == NOON.replace(hour=14)
    assert (card.trips[1].industry, card.trips[1].line, card.trips[1].terminal) == ("01", "0100", f"0000{TERMINAL}")
    assert (card.sequence, card.balance_fen) == (3, 1200)


def test_the_open_trip() -> None:
    card = read_transit(channel(ridden()))
    assert card.open_trip is not None
    assert (card.open_trip.record_id, card.open_trip.start.at) == (RAIL, NOON.replace(hour=15))
    assert card.last_tap is not None
    assert card.last_tap.type == "03"
    assert len(card.trips) == 1, "one record for the verdict"
    document = card.to_dict()
    assert document["open_trip"] == {
        "record": "2701",
        "datetime": "2026-12-01T15:00:00",
        "city_code": "3450",
        "organisation": "12113450FFFFFFFF",
        "line": None,
        "station": "0100000000000007",
        "terminal": f"0000{TERMINAL}",
        "marked_fen": 600,
    }


def test_logs_meet_in_time_and_amount_only() -> None:
    taps = [tap("04", 300), Tap(type="99"), Tap(type="04", at=NOON, amount_fen=100)]
    record = Transaction(
        sequence=7, overdraft=0, amount_fen=300, type="09", terminal=TERMINAL, date="20261201", time="120000"
    )
    other = Transaction(
        sequence=8, overdraft=0, amount_fen=300, type="77", terminal=TERMINAL, date="00000000", time="000000"
    )
    trips = merge_trips(taps, [record, other])
    assert [(trip.kind, trip.sequence) for trip in trips] == [
        (TripKind.OUT, 7),
        (TripKind.OUT, None),
        (TripKind.OTHER, None),
        (TripKind.OTHER, 8),
    ]
    assert trips[-1].to_dict()["datetime"] is None


# Cards that keep things back ---------------------------------------------------------------------------


def stubborn(card: VirtualCard, answers: Mapping[str, str], *, count: list[str] | None = None) -> Channel:
    """``card``, which answers commands with these beginnings (hex) otherwise."""
    card.power_on()

    def answer(command: bytes) -> bytes:
        if count is not None:
            count.append(command.hex().upper())
        own = card.transmit(command)
        for beginning, given in answers.items():
            if command.hex().upper().startswith(beginning):
                return bytes.fromhex(given)
        return own

    return Channel(FunctionCard(answer))


REFUSED = "6A82"


@pytest.mark.parametrize(
    ("answers", "balance", "overdrawn"),
    [
        pytest.param({}, -300, 300, id="real and overdrawn"),
        pytest.param({"805C02": "6A86"}, -300, 300, id="available and limit"),
        pytest.param({"805C03": "6A86"}, -300, 300, id="no real balance"),
        pytest.param({"805C03": "6A86", "805C02": "6A86", "805C01": "6A86"}, -300, 300, id="all in one"),
        pytest.param(dict.fromkeys(("805C01", "805C02", "805C03", "805C05"), "6A86"), 500, None, id="available only"),
        pytest.param({"805C": "6985"}, None, None, id="none"),
        pytest.param({"805C03": "80000000 9000", "805C02": "8000012C9000"}, -300, 300, id="top bit"),
        pytest.param({"805C03": "000000C89000", "805C02": "6A86"}, 200, 0, id="money, so not overdrawn"),
        pytest.param({"805C03": "00009000", "805C02": "00009000"}, -300, 300, id="answers cut short"),
    ],
)
def test_the_balance_is_found_on_every_card(
    answers: Mapping[str, str], balance: int | None, overdrawn: int | None
) -> None:
    commands: list[str] = []
    line = stubborn(blank(balance_fen=-300, overdraft_limit_fen=800), answers, count=commands)
    card = read_transit(line)
    assert (card.balance_fen, card.overdrawn_fen) == (balance, overdrawn)
    assert len(commands) <= VERDICT_COMMANDS
    doubtful = balance is None or overdrawn is None
    assert [problem.where for problem in card.problems] == (["GET BALANCE"] if doubtful else [])


def test_the_empty_card_from_shanghai_shows_zero() -> None:
    """Available 800 fen, of which 800 are the overdraft limit."""
    line = stubborn(blank(), {"805C00": "000003209000", "805C01": "000003209000", "805C02": "6A86", "805C03": "6A86"})
    assert read_transit(line).balance_fen == 0


def test_a_card_without_file_15_in_its_answer_is_read() -> None:
    line = stubborn(blank(), {"00A4040008A0": "6F0A8408A0000006320101059000"})
    card = read_transit(line)
    assert card.card_number == "3104880499568028485"
    assert card.version == ""


@pytest.mark.parametrize("answer", ["9000", "6F059000", "6F02A59F9000"])
def test_answers_to_select_that_say_nothing(answer: str) -> None:
    assert read_transit(stubborn(blank(), {"00A4040008A0": answer})).card_number == "3104880499568028485"


@pytest.mark.parametrize("environment", ["6A82", "6F059000", "6F00 9000", "6D00"])
def test_a_card_without_a_list_is_tried_directly(environment: str) -> None:
    card = read_transit(stubborn(blank(balance_fen=100), {"00A404000E": environment}))
    assert (card.balance_fen, card.problems) == (100, ())


def test_a_bank_application_may_come_first_and_the_purse_have_a_longer_name() -> None:
    commands: list[str] = []
    listed = "6F2DA52BBF0C28610A4F08A000000333010101611A4F10A00000063201010510009156000014A1500650484F4E45319000"
    longer = "A00000063201010510009156000014A1"
    answers = {
        "00A404000E": listed,
        f"00A4040010{longer}": "6F318408A000000632010105A5259F0801029F0C1E"
        "02113450FFFFFFFF0201031048804990000000012020010120991231 0000 9000",
    }
    card = read_transit(stubborn(blank(), answers, count=commands))
    assert card.aid.hex().upper() == longer
    assert card.card_number == "3104880499000000001"
    assert commands[1] == f"00A4040010{longer}00"


def test_a_card_with_national_algorithms_only_is_read_too() -> None:
    answers = {
        "00A404000E": REFUSED,
        "00A4040008A000000632010105": REFUSED,
        "00A4040008A000000632010107": "6F0A8408A0000006320101079000",
        "00B095": "02113450FFFFFFFF0201031048804990000000012020010120991231 00009000",
    }
    card = read_transit(stubborn(blank(), answers))
    assert card.aid.hex().upper() == "A000000632010107"
    assert card.issuer_code == "02113450FFFFFFFF"


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        pytest.param({"00B097": "6982"}, "TUNION/0017", id="management data"),
        pytest.param({"00A4040008A0": "9000", "00B095": "6982"}, "TUNION/0015", id="public data"),
        pytest.param({"00B201C4": "6982"}, "TUNION/0018", id="log"),
        pytest.param({"00B201F4": "6982"}, "TUNION/001E", id="trips"),
        pytest.param({"00B201D4": "6982"}, "TUNION/001A", id="rail record"),
        pytest.param({"00B201D4": "99010200009000"}, "TUNION/001A", id="a record that nobody knows"),
    ],
)
def test_what_a_card_refuses_is_a_problem(answers: Mapping[str, str], where: str) -> None:
    card = read_transit(stubborn(blank(balance_fen=100), answers))
    assert [problem.where for problem in card.problems] == [where]
    assert card.balance_fen == 100


def test_files_that_a_card_does_not_have_are_no_problem() -> None:
    line = stubborn(blank(), {"00B201": "6A82", "00B202": "6A83"})
    card = read_transit(line)
    assert (card.rides, card.problems) == ((), ())


@pytest.mark.parametrize("filling", ["00", "FF"])
def test_empty_records_end_a_log(filling: str) -> None:
    answers = {"00B201C4": filling * 23 + "9000", "00B201F4": filling * 48 + "9000", "00B201D4": filling * 128 + "9000"}
    card = read_transit(stubborn(blank(), answers), trips=True)
    assert (card.trips, [entry.record_id for entry in card.rides]) == ((), [BUS])


def test_fields_without_sense_are_problems_once() -> None:
    card = blank()
    card.memory.files["TUNION/0015"][0][20:24] = bytes.fromhex("20261399")
    card.memory.files["TUNION/001E"] += [bytearray(tap().encode()), bytearray(tap().encode())]
    for record in card.memory.files["TUNION/001E"]:
        record[25:32] = b"\x99" * 7
    read = read_transit(channel(card), trips=True)
    assert [problem.where for problem in read.problems] == ["TUNION/0015 应用启用日期", "TUNION/001E 交易时间"]
    assert read.valid_from is None
    assert len(read.trips) == 2


def test_a_blocked_card_tells_who_it_is_and_why_it_says_no_more() -> None:
    card = blank(balance_fen=100)
    line = channel(card)
    read_transit(line)
    lock(line, psam(), public=public(card))
    read = read_transit(line)
    assert read.blocked
    assert read.card_number == "3104880499568028485"
    assert (read.balance_fen, read.interoperable) == (None, None)
    assert [problem.text.en for problem in read.problems] == ["the transit application is blocked"]


def test_a_card_blocked_for_ever_is_refused() -> None:
    card = blank()
    line = channel(card)
    read_transit(line)
    lock(line, psam(), public=public(card), for_ever=True)
    with pytest.raises(CardRefused, match="for good"):
        read_transit(line)


def test_other_cards_are_refused() -> None:
    with pytest.raises(CardRefused, match="T-Union"):
        read_transit(Channel(FunctionCard(lambda command: b"\x6a\x82")))
    assert read_selected(Channel(FunctionCard(lambda command: b"\x6d\x00"))) is None


def test_a_card_that_is_pulled_is_no_problem_but_an_error() -> None:
    card = blank()
    line = LocalTransport(card)
    line.close()
    with pytest.raises(CardRemoved):
        read_transit(Channel(line))


# Traces ------------------------------------------------------------------------------------------------


def test_the_published_exchanges_as_one_trace() -> None:
    card = read_transit(Channel(replay(*VECTORS)), trips=True)
    expected = VECTORS["select-beijing"]["exchanges"][0]["expected"]
    assert card.card_number == expected["pan19"]
    assert card.issuer_code == expected["issuer_code"]
    assert (card.city_code, card.interoperable, card.kind) == ("5840", True, 1)
    assert (card.valid_from, card.valid_until) == (date(2019, 7, 18), date(2040, 12, 31))
    assert [(trip.at, trip.amount_fen) for trip in card.trips] == [
        (datetime(2024, 12, 29, 14, 17, 40), 500),
        (datetime(2024, 3, 10, 19, 57, 19), 160),
    ]
    assert card.balance_fen is None


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("select-beijing", lambda card: card.card_number == "3105170000000000001"),
        ("file17-shenzhen", lambda card: (card.city_code, card.kind) == ("5840", 1)),
        ("records-18", lambda card: card.trips[0].amount_fen == 160),
        ("records-1e", lambda card: card.trips[0].balance_fen == 3585),
    ],
)
def test_each_published_exchange_by_itself(name: str, check: Callable[[TransitCard], bool]) -> None:
    line = Channel(replay(name))
    try:
        card = read_transit(line, trips=True)
    except CardRefused:
        found = read_selected(line)
        assert found is not None
        card = found
    assert check(card)


def test_balances_in_a_trace() -> None:
    select = VECTORS["select-beijing"]["exchanges"][0]["response"]
    amounts = {SELECT_EP + "00": select, "805C000204": "000003209000", "805C010204": "000003209000"}
    assert read_transit(Channel(replay(more=amounts))).balance_fen == 0
    amounts = {SELECT_EP + "00": select, "805C050210": f"{1234:08X}{500000:08X}{0:08X}{0:08X}9000"}
    assert read_transit(Channel(replay(more=amounts))).balance_fen == 1234
