"""The records that a tap writes: one of file 1E, and with a ride the one of file 1A."""

from dataclasses import replace
from datetime import datetime

from juying.codec.tunion.trips import BUS, IN, OUT, RAIL, Ride, Stop, Tap
from juying.services.transit.ride_checks import CHECKSUM, Action, checksum
from juying.services.transit.site import Site

TYPES = {Action.ENTRY: "03", Action.EXIT: "04", Action.FLAT: "06", Action.PENALTY: "08"}
"""Types of file 1E, all for the purse."""
_RESERVED = 85
"""Where the reserved bytes of a rail record begin; the checksum is at their end."""


def tap_record(site: Site, action: Action, *, terminal: bytes, fare_fen: int, left_fen: int, at: datetime) -> Tap:
    """The record of file 1E; ``terminal`` is the number of the PSAM, ``left_fen`` the balance after the fare."""
    return Tap(
        type=TYPES[action],
        terminal=_terminal(terminal),
        industry=site.mode.industry,
        line=site.line,
        station=site.station,
        operator=site.operator,
        amount_fen=fare_fen,
        balance_fen=max(left_fen, 0),
        at=at,
        city_code=site.city,
        organisation=site.organisation,
    )


def ride_record(
    site: Site, action: Action, ride: Ride | None, *, terminal: bytes, fare_fen: int, marked_fen: int, at: datetime
) -> Ride | None:
    """The record of file 1A, None where a site uses none: a new ride, or the end of ``ride``, the one on the card.

    A ride is numbered by its time (our choice: nobody says what the number is).
    """
    record = site.mode.record
    if record is None:
        return None
    here = Stop(
        city_code=site.city,
        organisation=site.organisation,
        operator=site.operator if record == BUS else "",
        line=site.line if record == BUS else "",
        stop=site.stop,
        vehicle=site.vehicle if record == BUS else "",
        terminal=_terminal(terminal),
        at=at,
    )
    if action is Action.ENTRY or ride is None:
        number = f"{at:%Y%m%d%H%M%S}".rjust(16, "0")
        written = Ride(record_id=record, state=IN, serial=number, start=here, marked_fen=marked_fen)
    else:
        written = replace(ride, state=OUT, end=here, amount_fen=fare_fen if record == BUS else None)
    return _with_checksum(written) if site.crc32 and record == RAIL else written


def _with_checksum(ride: Ride) -> Ride:
    raw = ride.encode()
    return replace(ride, reserved=(raw[_RESERVED : CHECKSUM.start] + checksum(raw)).hex())


def _terminal(number: bytes) -> str:
    """Eight bytes, as records hold it."""
    return number.hex().upper().rjust(16, "0")
