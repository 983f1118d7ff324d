"""Gates and cards for the tests of transit: a line in Taizhou, and cards as they come out of `read_transit`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from juying.card.tunion import TransitCard
from juying.codec.tunion.files import Management, PublicData
from juying.codec.tunion.trips import BUS, IN, RAIL, Ride, Stop, Tap
from juying.credential.claims import CHINA
from juying.services.transit.fares import FarePolicy
from juying.services.transit.gate import Ruling, rule
from juying.services.transit.lists import BlackList, WhiteList
from juying.services.transit.site import Site
from juying.services.verdict import Check

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "transit"
NOW = datetime(2026, 12, 1, 12, 0, 0, tzinfo=CHINA)
NOON = NOW.replace(tzinfo=None)
LOCAL, FOREIGN = "02113450FFFFFFFF", "01233310FFFFFFFF"
NUMBER = "3104880499000000007"
HERE, THERE = "0100000000000001", "0100000000000003"
FARES = FarePolicy.from_dict(
    {
        "flat": 200,
        "full": 600,
        "minimum": 200,
        "kinds": {"normal": "normal", "student": {"percent": 50}, "senior": "free", "test": "forbidden", "0B": "free"},
        "foreign": {"normal": "normal", "student": "normal"},
        "between": {HERE: {THERE: 300}, "01": {"02": 100}},
    }
)
WHITE = WhiteList({"01233310": {"31048804"}})
TABLE: Mapping[str, Any] = {"city": "3450", "issuers": ["02113450"], "mode": "bus-flat"}


def gate(mode: str = "bus-flat", **changes: Any) -> Site:
    """A gate with all lists; ``changes`` are members of `Site`."""
    stops = {"rail-entry": HERE, "rail-exit": THERE, "bus-distance": "02"}
    site = Site.from_dict({**TABLE, "mode": mode, "line": "0101", "stop": stops.get(mode, "01")})
    lists = {"white_list": WHITE, "black_list": BlackList.of(["3104880499000000013"]), "fares": FARES}
    return replace(site, **{**lists, **changes})


def card(**changes: Any) -> TransitCard:
    """A good local card with 20 yuan; ``changes`` are members of `TransitCard`."""
    public = PublicData(
        issuer_code=LOCAL,
        app_type=2,
        enabled_flag=1,
        serial=f"0{NUMBER}",
        valid_from=date(2020, 1, 1),
        valid_until=date(2030, 12, 31),
    )
    good = TransitCard(
        aid=b"",
        version="",
        blocked=False,
        card_number=NUMBER,
        iin=NUMBER[:8],
        issuer_code=LOCAL,
        city_code="3450",
        interoperable=True,
        kind=1,
        enabled=True,
        enabled_flag=1,
        app_type=2,
        valid_from=public.valid_from,
        valid_until=public.valid_until,
        balance_fen=2000,
        overdrawn_fen=0,
        overdraft_limit_fen=0,
        sequence=None,
        last_tap=None,
        rides=(),
        trips=(),
        public=public,
        management=Management(country="00000156", province="3300", city_code="3450", interoperable=1, kind=1),
        holder=None,
    )
    return replace(good, **changes)


def foreign(**changes: Any) -> TransitCard:
    """A good card from Hangzhou."""
    return card(**{"issuer_code": FOREIGN, "city_code": "3310", **changes})


def ride(minutes: int = 20, *, record: int = RAIL, city: str = "3450", line: str = "0101", **changes: Any) -> Ride:
    """A ride that was begun so many minutes ago and is open."""
    start = Stop(
        city_code=city,
        line=line if record == BUS else "",
        stop="01" if record == BUS else HERE,
        at=NOON - timedelta(minutes=minutes),
    )
    open_ride = Ride(record_id=record, state=IN, start=start, marked_fen=600)
    return written(replace(open_ride, **changes))


def written(record: Ride) -> Ride:
    """A ride as it is read from the card that it was written to."""
    return Ride.decode(record.encode())


def tapped(kind: str = "03", minutes: int = 20, *, industry: str = "01", city: str = "3450") -> Tap:
    """The newest record of file 1E."""
    return Tap(type=kind, industry=industry, at=NOON - timedelta(minutes=minutes), city_code=city)


def inside(minutes: int = 20, **changes: Any) -> TransitCard:
    """A card whose holder went into the station so many minutes ago."""
    return card(**{"rides": (ride(minutes),), "last_tap": tapped("03", minutes), **changes})


def ruled(seen: TransitCard, site: Site | None = None, *, now: datetime = NOW) -> Ruling:
    """What a gate (by default one with a flat fare) says."""
    return rule(seen, site or gate(), now=now)


def check_of(ruling: Ruling, name: str) -> Check:
    """One of its checks."""
    return next(check for check in ruling.verdict.checks if check.name == name)


def said(ruling: Ruling, name: str) -> tuple[str, str]:
    """Outcome and code of one of its checks."""
    check = check_of(ruling, name)
    return str(check.outcome), check.code
