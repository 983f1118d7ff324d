"""The two logs of a transit card as one list of trips.

The purse itself writes file 18, the terminal file 1E; a tap that both know has the same time and amount in both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from juying.codec.tunion.files import Transaction
from juying.codec.tunion.trips import Tap


class TripKind(StrEnum):
    """What happened."""

    IN = "in"
    OUT = "out"
    SINGLE = "single"
    PENALTY = "penalty"
    LOAD = "load"
    UNLOAD = "unload"
    PURCHASE = "purchase"
    OTHER = "other"


_TAPS = {
    "01": TripKind.IN,
    "02": TripKind.OUT,
    "03": TripKind.IN,
    "04": TripKind.OUT,
    "05": TripKind.SINGLE,
    "06": TripKind.SINGLE,
    "07": TripKind.PENALTY,
    "08": TripKind.PENALTY,
    "09": TripKind.LOAD,
    "0A": TripKind.LOAD,
}
_TRANSACTIONS = {
    "02": TripKind.LOAD,
    "03": TripKind.UNLOAD,
    "06": TripKind.PURCHASE,
    "09": TripKind.PURCHASE,
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trip:
    """A tap or a transaction; amounts in fen, codes in hex digits, "" or None where nothing is known.

    ``type`` is the code in file 1E, ``transaction`` the one in file 18, ``sequence`` the purse's number for it. The
    time is local to the terminal, naive.
    """

    kind: TripKind
    type: str = ""
    transaction: str = ""
    sequence: int | None = None
    at: datetime | None = None
    amount_fen: int | None = None
    balance_fen: int | None = None
    industry: str = ""
    line: str = ""
    station: str = ""
    operator: str = ""
    terminal: str = ""
    city_code: str = ""
    organisation: str = ""

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "kind": str(self.kind),
            "datetime": self.at.isoformat() if self.at else None,
            "amount_fen": self.amount_fen,
            "balance_after_fen": self.balance_fen,
            "type": self.type or self.transaction,
            "transaction_type": self.transaction or None,
            "sequence": self.sequence,
            "industry": self.industry or None,
            "line": self.line or None,
            "station": self.station or None,
            "operator": self.operator or None,
            "terminal": self.terminal,
            "city_code": self.city_code or None,
            "organisation": self.organisation or None,
        }


def merge_trips(taps: Sequence[Tap], transactions: Iterable[Transaction]) -> tuple[Trip, ...]:
    """Both logs as one, newest first; what has no time comes last."""
    left = list(transactions)
    trips = []
    for tap in taps:
        same = (tap.at, tap.amount_fen)
        match = next((entry for entry in left if tap.at and (entry.at, entry.amount_fen) == same), None)
        if match is not None:
            left.remove(match)
        trips.append(_of_tap(tap, match))
    trips += map(_of_transaction, left)
    return tuple(sorted(trips, key=lambda trip: trip.at or datetime.min, reverse=True))


def _of_tap(tap: Tap, transaction: Transaction | None) -> Trip:
    return Trip(
        kind=_TAPS.get(tap.type, TripKind.OTHER),
        type=tap.type,
        transaction=transaction.type if transaction else "",
        sequence=transaction.sequence if transaction else None,
        at=tap.at,
        amount_fen=tap.amount_fen,
        balance_fen=tap.balance_fen,
        industry=tap.industry,
        line=tap.line,
        station=tap.station,
        operator=tap.operator,
        terminal=tap.terminal,
        city_code=tap.city_code,
        organisation=tap.organisation,
    )


def _of_transaction(entry: Transaction) -> Trip:
    return Trip(
        kind=_TRANSACTIONS.get(entry.type, TripKind.OTHER),
        transaction=entry.type,
        sequence=entry.sequence,
        at=entry.at,
        amount_fen=entry.amount_fen,
        terminal=entry.terminal,
    )
