"""Trips: the records of file 1E (one for each tap, newest first) and of file 1A (the ride that may still be open).

Terminals write both within a compound purchase. What stations, lines and operators are called differs from city to
city, so they stay as hex digits.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from juying.codec.fields import Value
from juying.codec.tunion import layout
from juying.codec.tunion.layout import Row, Trouble

RAIL, BUS = 0x2701, 0x2702
"""Identifiers of the two records of file 1A whose fields are known."""
INITIAL, IN, OUT = range(3)
"""States of a ride: nothing, entered or boarded, left or alighted."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tap:
    """A record of file 1E; codes are hex digits, see `names.TAPS` and `names.INDUSTRIES`."""

    type: str
    terminal: str = "0000000000000000"
    industry: str = "00"
    line: str = "0000"
    station: str = "0000"
    operator: str = "0000"
    rfu: str = "00"
    amount_fen: int | None = 0
    balance_fen: int | None = 0
    at: datetime | None = None
    city_code: str = "0000"
    organisation: str = "0000000000000000"
    tail: str = "000000000000"
    troubles: tuple[Trouble, ...] = ()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a record."""
        row = layout.read_row(layout.TRIPS, raw)
        return cls(
            type=row.text("trip.type"),
            terminal=row.text("trip.terminal"),
            industry=row.text("trip.industry"),
            line=row.text("trip.line"),
            station=row.text("trip.station"),
            operator=row.text("trip.operator"),
            rfu=row.text("trip.rfu"),
            amount_fen=row.number("trip.amount"),
            balance_fen=row.number("trip.balance"),
            at=row.time("trip.time"),
            city_code=row.text("trip.city"),
            organisation=row.text("trip.organisation"),
            tail=row.text("trip.tail"),
            troubles=row.troubles,
        )

    def encode(self) -> bytes:
        """The 48 bytes of the record. Raises `InputError`."""
        values: dict[str, Value] = {
            "trip.amount": self.amount_fen,
            "trip.balance": self.balance_fen,
            "trip.time": self.at,
        }
        for name in ("type", "terminal", "industry", "line", "station", "operator", "rfu", "organisation", "tail"):
            values[f"trip.{name}"] = layout.octets(getattr(self, name))
        return layout.build_row(layout.TRIPS, values | {"trip.city": layout.octets(self.city_code)})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Stop:
    """One end of a ride; rail records know no operator, line and vehicle, and have longer station codes."""

    city_code: str = ""
    organisation: str = ""
    operator: str = ""
    line: str = ""
    stop: str = ""
    vehicle: str = ""
    terminal: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ride:
    """A record of file 1A.

    ``record_id`` is 2701 for rail, 2702 for buses; of others (270A and so on) only the beginning is known. ``valid``
    is 1 in a record that counts, ``mode`` 1 for compound purchase or segments, ``locked`` 1 when the record is locked.
    ``marked_fen`` is what a ride costs that is never ended, ``length`` the length byte, ``raw`` the whole record.
    """

    record_id: int
    valid: int | None = 1
    mode: int | None = 1
    locked: int | None = 0
    serial: str = "0000000000000000"
    state: int | None = INITIAL
    start: Stop = Stop()
    end: Stop = Stop()
    marked_fen: int | None = None
    amount_fen: int | None = None
    direction: str = ""
    mileage: str = ""
    reserved: str = field(default="", repr=False)
    length: int = 0
    raw: bytes = field(default=b"", repr=False, compare=False)
    troubles: tuple[Trouble, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether somebody got in and not yet out."""
        return self.state == IN and self.valid == 1

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a record. Raises `DecodeError` for an identifier that the profile does not know."""
        record, row = layout.read_record(layout.RIDES, raw)
        return cls(
            record_id=record.tag or 0,
            valid=row.number("ride.valid"),
            mode=row.number("ride.mode"),
            locked=row.number("ride.locked"),
            serial=row.text("ride.serial"),
            state=row.number("ride.state"),
            start=_stop(row, "in"),
            end=_stop(row, "out"),
            marked_fen=row.number("ride.marked"),
            amount_fen=row.number("ride.amount"),
            direction=row.text("ride.direction"),
            mileage=row.text("ride.mileage"),
            reserved=row.text("ride.reserved"),
            length=raw[2],
            raw=raw,
            troubles=row.troubles,
        )

    def encode(self) -> bytes:
        """The whole record, with identifier and length. Raises `InputError`, also for what it has no field for."""
        values: dict[str, Value] = {
            "ride.valid": self.valid,
            "ride.mode": self.mode,
            "ride.locked": self.locked,
            "ride.serial": layout.octets(self.serial),
            "ride.state": self.state,
            "ride.marked": self.marked_fen,
            "ride.amount": self.amount_fen,
            "ride.direction": layout.octets(self.direction),
            "ride.mileage": layout.octets(self.mileage),
            "ride.reserved": layout.octets(self.reserved),
            **_stop_values(self.start, "in"),
            **_stop_values(self.end, "out"),
        }
        present = {name: value for name, value in values.items() if value is not None}
        return layout.build_record(layout.RIDES, self.record_id, present)


_STOP_FIELDS = {
    "city": "city_code",
    "organisation": "organisation",
    "operator": "operator",
    "line": "line",
    "stop": "stop",
    "terminal": "terminal",
}
"""Fields of a stop that are hex digits: name in the profile, attribute."""


def _stop(row: Row, side: str) -> Stop:
    codes = {attribute: row.text(f"ride.{side}.{name}") for name, attribute in _STOP_FIELDS.items()}
    return Stop(**codes, vehicle=row.text(f"ride.{side}.vehicle"), at=row.time(f"ride.{side}.time"))


def _stop_values(stop: Stop, side: str) -> dict[str, Value]:
    values: dict[str, Value] = {
        f"ride.{side}.{name}": layout.octets(getattr(stop, attribute)) for name, attribute in _STOP_FIELDS.items()
    }
    return values | {f"ride.{side}.vehicle": stop.vehicle or None, f"ride.{side}.time": stop.at}
