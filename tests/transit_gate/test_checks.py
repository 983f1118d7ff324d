"""The sixteen checks of a gate, each both ways."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from juying.card.ssc import Problem
from juying.card.tunion import TransitCard
from juying.codec.tunion.trips import BUS, OUT, Ride
from juying.services.transit.checking import Step
from juying.services.transit.gate import opens, rule
from juying.services.transit.lists import BlackList
from juying.services.transit.ride_checks import CHECKSUM, Action, checksum
from juying.services.transit.site import Mode, Overdraft
from juying.services.verdict import Decision, Outcome
from juying.text import Text
from tests.transit_gate.gates import (
    FARES,
    NOON,
    NOW,
    NUMBER,
    card,
    check_of,
    foreign,
    gate,
    inside,
    ride,
    ruled,
    said,
    tapped,
    written,
)

PASS, FAIL, SKIPPED, UNKNOWN = "pass", "fail", "skipped", "unknown"


def unread(file: str) -> dict[str, Any]:
    """A card on which this file could not be read."""
    return {"problems": (Problem(f"TUNION/{file}", Text("6982", "6982")),)}


def test_a_good_local_card_may_ride() -> None:
    ruling = ruled(card())
    assert ruling.verdict.decision is Decision.ELIGIBLE
    assert [check.name for check in ruling.verdict.checks] == list(Step)
    assert (ruling.action, ruling.fare_fen, ruling.verdict.evidence) == (
        Action.FLAT,
        200,
        {
            "city": "3450",
            "city_name": {"zh": "台州市", "en": "Taizhou"},
            "kind": "normal",
            "action": "flat",
            "fare_fen": 200,
            "balance_fen": 2000,
        },
    )
    assert NUMBER not in str(ruling.verdict.to_dict())
    assert all(check.reason.zh and check.reason.en for check in ruling.verdict.checks)


def test_a_good_card_from_elsewhere_that_the_white_list_knows() -> None:
    ruling = ruled(foreign())
    assert ruling.verdict.decision is Decision.ELIGIBLE
    assert (said(ruling, "origin"), said(ruling, "white-list")) == ((PASS, "foreign"), (PASS, "ok"))


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({}, "application", (PASS, "ok")),
        ({"blocked": True}, "application", (FAIL, "6283")),
        ({}, "enabled", (PASS, "ok")),
        ({"enabled_flag": 0}, "enabled", (FAIL, "not-enabled")),
        ({"enabled_flag": 2}, "enabled", (FAIL, "stopped")),
        ({"enabled_flag": 7}, "enabled", (FAIL, "flag-unknown")),
        ({"enabled_flag": None}, "enabled", (UNKNOWN, "not-read")),
        ({}, "type", (PASS, "ok")),
        ({"app_type": 1}, "type", (FAIL, "wrong-type")),
        ({"app_type": 3}, "type", (FAIL, "wrong-type")),
        ({"app_type": None}, "type", (UNKNOWN, "not-read")),
        ({}, "validity", (PASS, "ok")),
        ({"valid_from": None}, "validity", (FAIL, "dates-implausible")),
        ({"valid_until": None}, "validity", (FAIL, "dates-implausible")),
        ({"valid_until": date(2019, 12, 31)}, "validity", (FAIL, "dates-implausible")),
        ({"valid_from": date(2026, 12, 2)}, "validity", (FAIL, "not-yet")),
        ({"valid_from": date(2026, 12, 1)}, "validity", (PASS, "ok")),
        ({"valid_until": date(2026, 12, 1)}, "validity", (PASS, "ok")),
        ({"valid_until": date(2026, 11, 30)}, "validity", (FAIL, "expired")),
        ({"public": None}, "validity", (UNKNOWN, "not-read")),
        ({}, "origin", (PASS, "local")),
        ({"issuer_code": ""}, "origin", (UNKNOWN, "not-read")),
        ({"issuer_code": ""}, "white-list", (UNKNOWN, "not-read")),
        ({"issuer_code": ""}, "fare", (UNKNOWN, "not-read")),
        ({}, "white-list", (SKIPPED, "local")),
        ({"interoperable": False}, "interoperable", (SKIPPED, "local")),
        ({"kind": 9}, "kind", (SKIPPED, "local")),
        ({}, "black-list", (PASS, "ok")),
        ({"card_number": "3104880499000000013"}, "black-list", (FAIL, "black-listed")),
        ({"card_number": ""}, "black-list", (UNKNOWN, "not-read")),
    ],
)
def test_the_card(changes: dict[str, Any], name: str, expected: tuple[str, str]) -> None:
    ruling = ruled(card(**changes))
    assert said(ruling, name) == expected
    assert (ruling.verdict.decision is Decision.INELIGIBLE) == (expected[0] == FAIL or name == "kind")
    assert (ruling.verdict.decision is Decision.UNDETERMINED) == (expected[0] == UNKNOWN)


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({"issuer_code": "01233311FFFFFFFF"}, "white-list", (FAIL, "2449")),
        ({"iin": "31048805"}, "white-list", (FAIL, "5469")),
        ({}, "interoperable", (PASS, "ok")),
        ({"interoperable": False}, "interoperable", (FAIL, "not-interoperable")),
        ({"interoperable": None}, "interoperable", (UNKNOWN, "not-read")),
        ({"kind": 5}, "kind", (PASS, "ok")),
        ({"kind": 0}, "kind", (FAIL, "kind-unknown")),
        ({"kind": 6}, "kind", (FAIL, "kind-unknown")),
        ({"kind": None}, "kind", (UNKNOWN, "not-read")),
        ({"card_number": "3104880499000000013"}, "black-list", (FAIL, "black-listed")),
    ],
)
def test_a_card_from_elsewhere(changes: dict[str, Any], name: str, expected: tuple[str, str]) -> None:
    assert said(ruled(foreign(**changes)), name) == expected


def test_without_a_white_list_nothing_is_known_of_a_card_from_elsewhere() -> None:
    site = gate(white_list=None)
    ruling = ruled(foreign(), site)
    assert said(ruling, "white-list") == (UNKNOWN, "no-list")
    assert ruling.verdict.decision is Decision.UNDETERMINED
    assert ruled(card(), site).verdict.decision is Decision.ELIGIBLE


def test_a_site_may_want_local_cards_to_be_interoperable_too() -> None:
    site = gate(interoperable_only=True)
    assert said(ruled(card(interoperable=False), site), "interoperable") == (FAIL, "not-interoperable")
    assert said(ruled(card(), site), "interoperable") == (PASS, "ok")


def test_black_lists_are_a_matter_of_the_site() -> None:
    listed = BlackList.of([NUMBER])
    assert said(ruled(foreign(), gate(black_list=listed)), "black-list") == (FAIL, "black-listed")
    lenient = gate(black_list=listed, black_list_foreign=False)
    assert said(ruled(foreign(), lenient), "black-list") == (SKIPPED, "foreign")
    assert said(ruled(card(), lenient), "black-list") == (FAIL, "black-listed")
    assert said(ruled(card(), gate(black_list=None)), "black-list") == (SKIPPED, "no-list")


@pytest.mark.parametrize(
    ("kind", "expected"), [("00", PASS), ("04", PASS), ("0A", PASS), ("0B", FAIL), ("13", FAIL), ("", FAIL)]
)
def test_the_last_trip_record_is_of_a_known_type(kind: str, expected: str) -> None:
    assert said(ruled(card(last_tap=tapped(kind))), "order")[0] == expected


def test_trip_records_that_cannot_be_read() -> None:
    assert said(ruled(card(**unread("001E"))), "order") == (UNKNOWN, "not-read")
    assert said(ruled(card(last_tap=tapped("04"), **unread("001E"))), "order") == (PASS, "ok")
    assert said(ruled(card(**unread("0018"))), "order") == (PASS, "ok")


@pytest.mark.parametrize(
    ("seen", "mode", "expected"),
    [
        (card(), "rail-entry", (PASS, "ok")),
        (card(last_tap=tapped("04")), "rail-entry", (PASS, "ok")),
        (card(last_tap=tapped("06", industry="02")), "rail-entry", (PASS, "ok")),
        (inside(), "rail-entry", (FAIL, "entered-already")),
        (inside(rides=()), "rail-entry", (FAIL, "entered-already")),
        (inside(rides=(), last_tap=tapped("01")), "rail-entry", (FAIL, "entered-already")),
        (inside(rides=(), last_tap=tapped("03", 241)), "rail-entry", (PASS, "ok")),
        (inside(rides=(), last_tap=tapped("03", city="3310")), "rail-entry", (PASS, "ok")),
        (inside(rides=(), last_tap=tapped("03", industry="02")), "rail-entry", (PASS, "ok")),
        (inside(rides=(), last_tap=replace(tapped("03"), at=None)), "rail-entry", (PASS, "ok")),
        (inside(241), "rail-entry", (PASS, "ok")),
        (inside(rides=(ride(city="3310"),), last_tap=tapped("03", city="3310")), "rail-entry", (PASS, "ok")),
        (inside(), "rail-exit", (PASS, "ok")),
        (inside(241), "rail-exit", (PASS, "ok")),
        (inside(last_tap=tapped("0A", 5)), "rail-exit", (PASS, "ok")),
        (inside(last_tap=tapped("04", 5)), "rail-exit", (FAIL, "not-entered")),
        (inside(last_tap=None), "rail-exit", (FAIL, "not-entered")),
        (card(), "rail-exit", (FAIL, "not-entered")),
        (inside(rides=()), "rail-exit", (FAIL, "not-entered")),
        (inside(rides=(ride(city="3310"),)), "rail-exit", (FAIL, "entered-elsewhere")),
    ],
)
def test_entries_and_exits_in_order(seen: TransitCard, mode: str, expected: tuple[str, str]) -> None:
    ruling = ruled(seen, gate(mode))
    assert said(ruling, "order") == expected
    assert (ruling.verdict.decision is Decision.INELIGIBLE) == (expected[0] == FAIL)


BLANK = Ride.decode(bytes.fromhex("27017D") + bytes(125))


@pytest.mark.parametrize(
    ("rides", "expected"),
    [
        ((), (PASS, "none")),
        ((BLANK,), (PASS, "blank")),
        ((Ride.decode(bytes.fromhex("27017D") + b"\xff" * 125),), (PASS, "blank")),
        ((ride(record=BUS),), (PASS, "none")),
        ((ride(),), (PASS, "ok")),
        ((replace(ride(), raw=b""),), (PASS, "ok")),
        ((ride(valid=0),), (FAIL, "invalid")),
        ((ride(mode=2),), (FAIL, "mode")),
        ((ride(locked=1),), (FAIL, "9407")),
        ((replace(ride(), raw=bytes.fromhex("270170") + ride().raw[3:]),), (FAIL, "length")),
    ],
)
def test_the_record_of_the_ride(rides: tuple[Ride, ...], expected: tuple[str, str]) -> None:
    ruling = ruled(card(rides=rides), gate("rail-entry"))
    assert said(ruling, "record") == expected
    if expected[0] == FAIL:
        assert said(ruling, "trip") == (SKIPPED, "record")


def test_a_record_that_cannot_be_read() -> None:
    ruling = ruled(card(**unread("001A 2701")), gate("rail-entry"))
    assert (said(ruling, "record"), said(ruling, "trip")) == ((UNKNOWN, "not-read"), (SKIPPED, "record"))
    assert said(ruled(card(**unread("001E")), gate("rail-entry")), "record") == (PASS, "none")


def test_where_nobody_uses_the_record_it_is_not_looked_at() -> None:
    ruling = ruled(card(rides=(ride(locked=1),)))
    assert (said(ruling, "record"), said(ruling, "trip")) == ((SKIPPED, "unused"), (SKIPPED, "unused"))


def test_a_record_whose_checksum_is_wrong_is_taken_for_blank() -> None:
    site = gate("rail-entry", crc32=True)
    wrong = ruled(inside(last_tap=None), site)
    assert said(wrong, "record") == (PASS, "checksum")
    assert (said(wrong, "trip"), wrong.action) == ((PASS, "none"), Action.ENTRY)
    raw = ride().raw
    right = Ride.decode(raw[: CHECKSUM.start] + checksum(raw))
    assert said(ruled(inside(rides=(right,)), site), "record") == (PASS, "ok")


def test_the_checksum_covers_all_but_head_and_itself() -> None:
    raw = ride().raw
    assert checksum(raw) == checksum(b"\xaa" * 6 + raw[6:124] + b"\xbb" * 4)
    assert all(checksum(raw) != checksum(raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]) for at in range(6, 124))


@pytest.mark.parametrize(
    ("open_ride", "expected", "action"),
    [
        (None, (PASS, "none"), Action.ENTRY),
        (ride(state=OUT), (PASS, "none"), Action.ENTRY),
        (ride(state=0), (PASS, "none"), Action.ENTRY),
        (ride(state=3), (UNKNOWN, "state"), Action.ENTRY),
        (ride(240), (PASS, "open"), Action.ENTRY),
        (ride(-5), (PASS, "open"), Action.ENTRY),
        (ride(-6), (UNKNOWN, "time"), Action.ENTRY),
        (ride(241), (PASS, "late"), Action.PENALTY),
        (ride(100_000), (PASS, "late"), Action.PENALTY),
        (ride(100_000, city="3310"), (PASS, "elsewhere"), Action.ENTRY),
    ],
)
def test_the_trip_that_may_be_open(open_ride: Ride | None, expected: tuple[str, str], action: Action) -> None:
    ruling = ruled(card(rides=() if open_ride is None else (open_ride,)), gate("rail-entry"))
    assert (said(ruling, "trip"), ruling.action) == (expected, action)


def test_an_open_trip_without_a_time() -> None:
    timeless = replace(ride(), start=replace(ride().start, at=None))
    assert said(ruled(card(rides=(written(timeless),)), gate("rail-entry")), "trip") == (UNKNOWN, "time")


@pytest.mark.parametrize(
    ("open_ride", "code", "action", "fare"),
    [
        (ride(record=BUS), "open", Action.EXIT, 100),
        (ride(record=BUS, line="0102"), "other-line", Action.PENALTY, 600),
        (ride(241, record=BUS), "late", Action.PENALTY, 600),
        (ride(record=BUS, city="3310"), "elsewhere", Action.ENTRY, 0),
        (ride(record=BUS, state=OUT), "none", Action.ENTRY, 0),
    ],
)
def test_a_bus_where_one_validator_is_for_both_ends(open_ride: Ride, code: str, action: Action, fare: int) -> None:
    ruling = ruled(card(rides=(open_ride,)), gate("bus-distance"))
    assert (said(ruling, "trip"), ruling.action, ruling.fare_fen) == ((PASS, code), action, fare)
    assert ruling.verdict.eligible


@pytest.mark.parametrize(
    ("mode", "balance", "expected"),
    [
        ("bus-flat", 200, (PASS, "ok")),
        ("bus-flat", 199, (FAIL, "insufficient")),
        ("bus-flat", 0, (FAIL, "2731")),
        ("bus-flat", -100, (FAIL, "2731")),
        ("bus-flat", None, (UNKNOWN, "not-read")),
        ("bus-distance", 600, (PASS, "ok")),
        ("bus-distance", 599, (FAIL, "insufficient")),
        ("rail-entry", 200, (PASS, "ok")),
        ("rail-entry", 199, (FAIL, "insufficient")),
        ("rail-entry", 0, (FAIL, "2731")),
    ],
)
def test_the_balance_when_getting_in(mode: str, balance: int | None, expected: tuple[str, str]) -> None:
    assert said(ruled(card(balance_fen=balance), gate(mode)), "balance") == expected


def test_without_a_minimum_any_money_opens_the_gate_of_a_station() -> None:
    site = gate("rail-entry", fares=replace(FARES, minimum=None))
    assert said(ruled(card(balance_fen=1), site), "balance") == (PASS, "ok")
    assert said(ruled(card(balance_fen=0), site), "balance") == (FAIL, "2731")


@pytest.mark.parametrize(
    ("rule_", "seen", "mode", "expected"),
    [
        (Overdraft.NEVER, inside(balance_fen=0, overdraft_limit_fen=800), "rail-exit", FAIL),
        (Overdraft.LEAVING, inside(balance_fen=0, overdraft_limit_fen=800), "rail-exit", PASS),
        (Overdraft.LEAVING, inside(balance_fen=0, overdraft_limit_fen=299), "rail-exit", FAIL),
        (Overdraft.LEAVING, inside(balance_fen=0, overdraft_limit_fen=None), "rail-exit", FAIL),
        (Overdraft.LEAVING, card(balance_fen=0, overdraft_limit_fen=800), "rail-entry", FAIL),
        (Overdraft.LEAVING, inside(241, balance_fen=0, overdraft_limit_fen=800), "rail-entry", PASS),
        (Overdraft.ALWAYS, card(balance_fen=0, overdraft_limit_fen=800), "rail-entry", PASS),
        (Overdraft.ALWAYS, card(balance_fen=-700, overdraft_limit_fen=800), "rail-entry", FAIL),
    ],
)
def test_the_overdraft(rule_: Overdraft, seen: TransitCard, mode: str, expected: str) -> None:
    assert said(ruled(seen, gate(mode, overdraft=rule_)), "balance")[0] == expected


@pytest.mark.parametrize("mode", list(Mode))
def test_who_rides_for_nothing_needs_nothing(mode: str) -> None:
    seen = card(kind=3, balance_fen=0)
    if mode == "rail-exit":
        seen = inside(kind=3, balance_fen=0)
    ruling = ruled(seen, gate(mode))
    assert said(ruling, "balance") == (PASS, "nothing-due")
    assert said(ruling, "fare") == (PASS, "free")
    assert said(ruling, "plausibility") == (PASS, "ok")
    assert (ruling.fare_fen, ruling.verdict.decision) == (0, Decision.ELIGIBLE)


def test_without_a_fare_policy_it_is_enough_that_there_is_money() -> None:
    site = gate(fares=None)
    ruling = ruled(card(balance_fen=1), site)
    assert (said(ruling, "balance"), said(ruling, "fare")) == ((PASS, "positive"), (SKIPPED, "no-policy"))
    assert ruling.verdict.eligible
    assert said(ruled(card(balance_fen=0), site), "balance") == (FAIL, "2731")


@pytest.mark.parametrize(
    ("seen", "changes", "expected"),
    [
        (card(balance_fen=500_000), {}, (PASS, "ok")),
        (card(balance_fen=500_001), {}, (FAIL, "balance")),
        (card(balance_fen=2000), {"max_balance": 1999}, (FAIL, "balance")),
        (card(balance_fen=None), {}, (UNKNOWN, "not-read")),
        (card(), {"max_fare": 200}, (PASS, "ok")),
        (card(), {"max_fare": 199}, (FAIL, "fare")),
        (card(), {"mode": Mode.BUS_DISTANCE, "max_fare": 599}, (FAIL, "fare")),
        (card(), {"mode": Mode.BUS_DISTANCE, "max_fare": 600}, (PASS, "ok")),
    ],
)
def test_amounts_that_make_sense(seen: TransitCard, changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert said(ruled(seen, gate(**changes)), "plausibility") == expected


def test_a_fare_of_nothing_is_a_mistake_unless_the_kind_is_free() -> None:
    site = gate(fares=replace(FARES, flat=0))
    assert said(ruled(card(), site), "plausibility") == (FAIL, "fare")
    assert said(ruled(card(kind=3), site), "plausibility") == (PASS, "ok")


@pytest.mark.parametrize(
    ("seen", "mode", "expected", "fare", "marked"),
    [
        (card(), "bus-flat", (PASS, "normal"), 200, None),
        (card(kind=2), "bus-flat", (PASS, "discount"), 100, None),
        (card(kind=11), "bus-flat", (PASS, "free"), 0, None),
        (card(kind=4), "bus-flat", (FAIL, "kind-forbidden"), None, None),
        (card(kind=5), "bus-flat", (FAIL, "kind-forbidden"), None, None),
        (card(kind=None), "bus-flat", (UNKNOWN, "not-read"), None, None),
        (foreign(kind=2), "bus-flat", (PASS, "normal"), 200, None),
        (foreign(kind=3), "bus-flat", (FAIL, "kind-forbidden"), None, None),
        (card(), "rail-entry", (PASS, "normal"), 0, 600),
        (card(kind=2), "rail-entry", (PASS, "discount"), 0, 300),
        (card(), "bus-distance", (PASS, "normal"), 0, 600),
        (inside(), "rail-exit", (PASS, "normal"), 300, None),
        (inside(kind=2), "rail-exit", (PASS, "discount"), 150, None),
        (inside(241), "rail-exit", (PASS, "penalty"), 600, None),
        (inside(rides=(ride(241, marked_fen=None),)), "rail-exit", (PASS, "penalty"), 0, None),
        (card(), "rail-exit", (UNKNOWN, "no-fare"), None, None),
    ],
)
def test_fares(seen: TransitCard, mode: str, expected: tuple[str, str], fare: int | None, marked: int | None) -> None:
    ruling = ruled(seen, gate(mode))
    assert (said(ruling, "fare"), ruling.fare_fen, ruling.marked_fen) == (expected, fare, marked)


def test_a_penalty_whose_amount_cannot_be_read() -> None:
    late = replace(ride(241), marked_fen=None)
    assert said(ruled(inside(rides=(late,)), gate("rail-exit")), "fare") == (UNKNOWN, "not-marked")


@pytest.mark.parametrize("missing", ["flat", "full"])
def test_a_fare_that_the_policy_does_not_name(missing: str) -> None:
    fares = replace(FARES, **{missing: None})
    ruling = ruled(card(), gate("bus-flat" if missing == "flat" else "rail-entry", fares=fares))
    assert said(ruling, "fare") == (UNKNOWN, "no-fare")
    assert ruling.verdict.decision is Decision.UNDETERMINED


def test_nothing_is_bought_by_looking() -> None:
    assert said(ruled(card()), "purchase") == (SKIPPED, "not-tried")


def test_without_a_site_a_card_can_be_refused_but_never_let_pass() -> None:
    good = rule(card(), None, now=NOW)
    assert good.verdict.decision is Decision.UNDETERMINED
    assert {check.name for check in good.verdict.checks if check.outcome is Outcome.UNKNOWN} == {
        "origin",
        "white-list",
    }
    assert (good.action, good.verdict.service, good.verdict.evidence["action"]) == (None, "transit", None)
    assert said(good, "origin") == (UNKNOWN, "no-site")
    assert (said(good, "record"), said(good, "trip")) == ((SKIPPED, "no-site"), (SKIPPED, "no-site"))
    for changes in ({"blocked": True}, {"interoperable": False}, {"kind": 9}, {"balance_fen": 0}):
        assert rule(card(**changes), None, now=NOW).verdict.decision is Decision.INELIGIBLE
    assert said(rule(card(balance_fen=500_001), None, now=NOW), "plausibility") == (FAIL, "balance")


def test_a_city_and_a_kind_that_nobody_knows() -> None:
    evidence = ruled(card(city_code="9999", kind=None)).verdict.evidence
    assert (evidence["city"], evidence["city_name"], evidence["kind"]) == ("9999", None, None)
    assert ruled(card(kind=11)).verdict.evidence["kind"] == 11


def test_the_day_is_that_of_china() -> None:
    last = card(valid_until=date(2026, 12, 1))
    assert said(ruled(last, now=datetime(2026, 12, 1, 15, 59, 59, tzinfo=UTC)), "validity") == (PASS, "ok")
    assert said(ruled(last, now=datetime(2026, 12, 1, 16, 0, 0, tzinfo=UTC)), "validity") == (FAIL, "expired")


def test_minutes_count_in_whole_seconds() -> None:
    exactly = card(rides=(replace(ride(), start=replace(ride().start, at=NOON - timedelta(minutes=240))),))
    assert ruled(exactly, gate("rail-entry"), now=NOW.replace(microsecond=999_999)).action is Action.ENTRY
    assert ruled(exactly, gate("rail-entry"), now=NOW + timedelta(seconds=1)).action is Action.PENALTY


@pytest.mark.parametrize(
    ("action", "mode", "expected"),
    [
        (None, Mode.BUS_FLAT, False),
        (Action.FLAT, Mode.BUS_FLAT, True),
        (Action.ENTRY, Mode.RAIL_ENTRY, True),
        (Action.PENALTY, Mode.RAIL_ENTRY, False),
        (Action.PENALTY, Mode.BUS_DISTANCE, False),
        (Action.PENALTY, Mode.RAIL_EXIT, True),
    ],
)
def test_who_paid_a_penalty_to_get_in_has_to_tap_again(action: Action | None, mode: Mode, expected: bool) -> None:
    assert opens(action, mode) is expected


def test_reasons_hold_amounts_for_people_and_no_numbers_of_cards() -> None:
    ruling = ruled(card(balance_fen=150))
    assert check_of(ruling, "balance").reason == Text(
        "余额不足，须有 2.00 元", "not enough money: 2.00 yuan are needed"
    )
    assert NUMBER not in repr(ruling)
