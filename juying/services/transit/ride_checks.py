"""Checks 10 to 12: what the card says of the ride that may still be open, and what the tap therefore is."""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from juying.card.tunion import TransitCard
from juying.codec.tunion import layout
from juying.codec.tunion.trips import IN, INITIAL, OUT, RAIL, Ride
from juying.services.transit.checking import Step, failed, passed, skipped, unknown
from juying.services.transit.site import Mode, Site
from juying.services.verdict import Check, Outcome
from juying.text import Text

CLOCKS_DIFFER = timedelta(minutes=5)
"""By so much the clocks of two terminals may differ (our choice)."""
_LENGTH = 0x7D
_LAST_TYPE = 0x0A
_ENTRIES = ("01", "03")
"""Types of file 1E that begin a ride, with electronic cash or the purse."""
_MAY_LEAVE = ("03", "09", "0A")
"""After an entry, or after a top-up within the station (ours: the sheets of gates know only 03)."""
_COVERED = slice(6, 124)
"""Bytes of a rail record that Shanghai's checksum covers."""
CHECKSUM = slice(124, 128)


class Trip(StrEnum):
    """The ride on the card, seen from this site."""

    NONE = "none"
    OPEN = "open"
    """Begun here, and in time."""
    LATE = "late"
    """Begun in this city and never ended in time: the marked amount is due (补票)."""
    ELSEWHERE = "elsewhere"
    """Begun in another city, whose business it is."""


class Action(StrEnum):
    """What a tap here does to this card."""

    ENTRY = "entry"
    EXIT = "exit"
    FLAT = "flat"
    PENALTY = "penalty"

    @property
    def text(self) -> Text:
        """For people."""
        return _ACTIONS[self]


_ACTIONS = {
    Action.ENTRY: Text("进站（上车）", "entry"),
    Action.EXIT: Text("出站（下车）", "exit"),
    Action.FLAT: Text("一票制", "flat fare"),
    Action.PENALTY: Text("补票", "penalty fare"),
}


@dataclass(frozen=True, slots=True)
class Journey:
    """The three checks, the record of file 1A as far as it counts, and what the tap is: None without a site."""

    checks: tuple[Check, Check, Check]
    ride: Ride | None
    action: Action | None


def checksum(raw: bytes) -> bytes:
    """Shanghai's CRC32 over bytes 6 to 123 of a rail record; big-endian like all else on the card (our choice)."""
    return zlib.crc32(raw[_COVERED]).to_bytes(4)


def check_journey(card: TransitCard, site: Site | None, moment: datetime) -> Journey:
    """Checks 10 to 12. ``moment`` is the time in China, naive as on cards."""
    mode = site.mode if site else None
    if site is None or mode is None or mode.record is None:
        none = ("unused", "本站不用 1A 记录", "no record of file 1A is used here")
        if site is None:
            none = ("no-site", "没有配置本站（[transit]）", "no site is configured ([transit])")
        checks = (_order(card, None, Trip.NONE, moment), skipped(Step.RECORD, *none), skipped(Step.TRIP, *none))
        return Journey(checks, None, Action.FLAT if site else None)
    record, ride = _record(card, site, mode.record)
    if record.outcome is not Outcome.PASS:
        trip, state = skipped(Step.TRIP, "record", "记录不可用", "the record is no use"), Trip.NONE
    else:
        trip, state = _trip(ride, site, moment)
    return Journey((_order(card, site, state, moment), record, trip), ride, _action(mode, state))


def _action(mode: Mode, trip: Trip) -> Action:
    if trip is Trip.LATE:
        return Action.PENALTY
    leaves = mode is Mode.RAIL_EXIT or (mode is Mode.BUS_DISTANCE and trip is Trip.OPEN)
    return Action.EXIT if leaves else Action.ENTRY


def _record(card: TransitCard, site: Site, wanted: int) -> tuple[Check, Ride | None]:
    ride = next((ride for ride in card.rides if ride.record_id == wanted), None)
    if ride is None:
        if any(problem.where.startswith(layout.RIDES) for problem in card.problems):
            return unknown(Step.RECORD, "not-read", "1A 记录无法读出", "the record of file 1A cannot be read"), None
        return passed(Step.RECORD, "没有行程记录", "there is no record of a ride", "none"), None
    raw = ride.raw or ride.encode()
    if layout.is_empty(raw[3:]):
        return passed(Step.RECORD, "行程记录为空", "the record is blank", "blank"), None
    if site.crc32 and wanted == RAIL and raw[CHECKSUM] != checksum(raw):
        text = "校验码不符，视为空白", "the checksum is wrong: taken for blank"
        return passed(Step.RECORD, *text, "checksum"), None
    for code, wrong, zh, en in (
        ("length", raw[2] != _LENGTH, "记录长度不符", "the record has another length"),
        ("invalid", ride.valid != 1, "记录无效", "the record does not count"),
        ("mode", ride.mode != 1, "不是复合消费记录", "the record is of another kind of purchase"),
        ("9407", ride.locked != 0, "记录已锁定", "the record is locked"),
    ):
        if wrong:
            return failed(Step.RECORD, code, zh, en), None
    return passed(Step.RECORD, "行程记录有效", "the record is good"), ride


def _trip(ride: Ride | None, site: Site, moment: datetime) -> tuple[Check, Trip]:
    if ride is None or ride.state in (INITIAL, OUT):
        return passed(Step.TRIP, "没有未完成的行程", "no trip is open", "none"), Trip.NONE
    begun = ride.start.at
    if ride.state != IN:
        return unknown(Step.TRIP, "state", "行程状态无法识别", "the state of the trip makes no sense"), Trip.NONE
    if ride.start.city_code != site.city:
        text = "在其他城市有未完成的行程，按新行程处理", "a trip is open in another city; this is a new one"
        return passed(Step.TRIP, *text, "elsewhere"), Trip.ELSEWHERE
    if begun is None or begun > moment + CLOCKS_DIFFER:
        text = "进站时间无效，请找工作人员", "the time of the entry makes no sense; ask the staff"
        return unknown(Step.TRIP, "time", *text), Trip.OPEN
    if moment - begun > timedelta(minutes=site.max_minutes):
        text = f"行程超过 {site.max_minutes} 分钟未完成，须补票", f"open for more than {site.max_minutes} minutes"
        return passed(Step.TRIP, *text, "late"), Trip.LATE
    if site.mode is Mode.BUS_DISTANCE and ride.start.line != site.line:
        text = "上次乘车未刷卡下车，须补票", "the last ride, on another line, was never ended"
        return passed(Step.TRIP, *text, "other-line"), Trip.LATE
    return passed(Step.TRIP, "行程未完成，在时限内", "a trip is open, and in time", "open"), Trip.OPEN


def _order(card: TransitCard, site: Site | None, trip: Trip, moment: datetime) -> Check:
    last = card.last_tap
    if last is None and any(problem.where.startswith(layout.TRIPS) for problem in card.problems):
        return unknown(Step.ORDER, "not-read", "1E 记录无法读出", "the records of file 1E cannot be read")
    kind = last.type if last else "00"
    if int(kind or "FF", 16) > _LAST_TYPE:
        return failed(Step.ORDER, "type-unknown", "上一笔交易类型无效", "the last trip record is of an unknown type")
    if site is not None and site.mode is Mode.RAIL_ENTRY:
        stuck = trip is Trip.NONE and last is not None and kind in _ENTRIES and _just_now(card, site, moment)
        if trip is Trip.OPEN or stuck:
            return failed(Step.ORDER, "entered-already", "请勿重复进站", "somebody went in with this card already")
    if site is not None and site.mode is Mode.RAIL_EXIT:
        if trip is Trip.ELSEWHERE:
            return failed(Step.ORDER, "entered-elsewhere", "进站记录属于其他城市", "the entry was in another city")
        if trip is Trip.NONE or kind not in _MAY_LEAVE:
            return failed(Step.ORDER, "not-entered", "没有进站记录", "there is no entry on the card")
    return passed(Step.ORDER, "进出站次序正确", "entries and exits are in order")


def _just_now(card: TransitCard, site: Site, moment: datetime) -> bool:
    """Whether the last tap was in a station of this city, and not long ago: some lines write file 1E only."""
    last = card.last_tap
    if last is None or last.at is None or (last.city_code, last.industry) != (site.city, site.mode.industry):
        return False
    return moment - last.at <= timedelta(minutes=site.max_minutes)
