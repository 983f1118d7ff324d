"""A transit card in a reader: the T-Union application, alone or beside others on the same chip.

Whatever a card does not tell, or tells in a form that makes no sense, is a problem in the result; the rest is still
worth having. Cards seen differ in the form of the control information, in which balances they give, and in how much
they write down; nothing here depends on one of the forms.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from juying.card import apdu, status
from juying.card.channel import Channel
from juying.card.ssc import Problem
from juying.card.tunion_trips import Trip, merge_trips
from juying.codec.tunion import layout
from juying.codec.tunion.fci import Control, parse_control, parse_environment
from juying.codec.tunion.files import ENABLED, HolderData, Management, PublicData, Transaction
from juying.codec.tunion.layout import Trouble
from juying.codec.tunion.trips import BUS, RAIL, Ride, Tap
from juying.errors import CardRefused, DecodeError
from juying.text import Text

AIDS = (layout.EP_AID, bytes.fromhex("A000000632010107"))
"""Purses that are looked for: international or both algorithms, and national algorithms only. Phones register longer
names that begin with these."""

AVAILABLE, OVERDRAFT_LIMIT, OVERDRAWN, REAL, _LIMIT, ALL = range(6)
"""P1 of GET BALANCE; ALL gives real balance, its limit, overdraft limit and overdrawn amount (one source)."""

_AMOUNT = 0x7FFFFFFF
"""The top bit of an amount is no part of it (observed)."""
_BLOCKED = (0x6283,)
_BLOCKED_FOR_EVER = (0x9303, 0x6A81)
_END = (0x6A82, 0x6A83)
_PURCHASES = ("06", "09")
_Log = TypeVar("_Log", Transaction, Tap)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitCard:
    """A transit application as read; amounts in fen, None where the card does not say.

    ``card_number`` are the 19 digits printed on cards, ``issuer_code`` 16 hex digits of which the first 8 count,
    ``city_code`` is that of file 17 or, without it, the one in the issuer's code. ``enabled`` is the flag 1, ``kind``
    see `juying.codec.tunion.names.KINDS`. ``balance_fen`` is what to show: the real balance less what is overdrawn.
    ``sequence`` is the number of the last purchase. ``rides`` are the records of file 1A that were read, ``last_tap``
    the newest record of file 1E; ``trips`` both logs as one, newest first.
    """

    aid: bytes
    version: str
    blocked: bool
    card_number: str = field(repr=False)
    iin: str
    issuer_code: str
    city_code: str
    interoperable: bool | None
    kind: int | None
    enabled: bool
    enabled_flag: int | None
    app_type: int | None
    valid_from: date | None
    valid_until: date | None
    balance_fen: int | None
    overdrawn_fen: int | None
    overdraft_limit_fen: int | None
    sequence: int | None
    last_tap: Tap | None = field(repr=False)
    rides: tuple[Ride, ...] = field(repr=False)
    trips: tuple[Trip, ...] = field(repr=False)
    public: PublicData | None = field(repr=False)
    management: Management | None
    holder: HolderData | None = field(repr=False)
    problems: tuple[Problem, ...] = ()

    @property
    def open_trip(self) -> Ride | None:
        """The ride that was begun and not ended."""
        return next((ride for ride in self.rides if ride.is_open), None)

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values, for the one who asked to see the card: where somebody was is personal data."""
        return {
            "card_number": self.card_number,
            "issuer_code": self.issuer_code,
            "city_code": self.city_code,
            "interoperable": self.interoperable,
            "kind": self.kind,
            "enabled": self.enabled,
            "blocked": self.blocked,
            "valid_from": self.valid_from.isoformat() if self.valid_from else None,
            "valid_until": self.valid_until.isoformat() if self.valid_until else None,
            "balance_fen": self.balance_fen,
            "trips": [trip.to_dict() for trip in self.trips],
            "open_trip": _open_trip(self.open_trip) if self.open_trip else None,
        }


def read_transit(channel: Channel, *, holder: bool = False, trips: bool = False) -> TransitCard:
    """Select and read the transit application of a card.

    By default what a verdict needs, in 12 commands at most: list of applications, SELECT, file 17, balances, the newest
    record of files 18 and 1E, and the rail and bus records of 1A. With ``trips`` all records of 18 and 1E, with
    ``holder`` file 16 (personal data) too. Another application is selected afterwards than before.

    Raises `CardRefused` when the card has no such application, `TransportError` when it is gone.
    """
    aid, control, blocked = select_transit(channel)
    return _Reading(channel, aid, control, blocked=blocked).read(holder=holder, trips=trips)


def read_selected(channel: Channel) -> TransitCard | None:
    """Read whatever the purse that is selected already gives, as a trace may hold that begins after SELECT.

    None when there is nothing. Raises `TransportError`.
    """
    card = _Reading(channel, b"", None, blocked=False).read(holder=False, trips=True)
    found = card.public or card.management or card.trips or card.rides or card.balance_fen is not None
    return card if found else None


def select_transit(channel: Channel) -> tuple[bytes, Control | None, bool]:
    """Select the purse: its name, its control information as far as the card gives it, and whether it is blocked.

    The list of applications is asked first; a card without one is tried directly. Raises `CardRefused`.
    """
    for aid in _candidates(channel):
        answer = channel.transmit(apdu.Command(0x00, apdu.SELECT, 0x04, 0x00, aid, apdu.SHORT_LE))
        if answer.sw in _BLOCKED_FOR_EVER:
            raise CardRefused(
                "卡片或交通应用已被永久锁定，请联系发卡机构",
                "the card or its transit application is blocked for good; ask the issuer",
                where=channel.transport.name,
            )
        if answer.sw == status.OK or answer.sw in _BLOCKED:
            return aid, _control(answer.data), answer.sw in _BLOCKED
    raise CardRefused(
        "卡上没有交通联合应用", "there is no T-Union transit application on the card", where=channel.transport.name
    )


def _candidates(channel: Channel) -> list[bytes]:
    answer = channel.transmit(apdu.Command(0x00, apdu.SELECT, 0x04, 0x00, layout.PPSE_AID, apdu.SHORT_LE))
    try:
        listed = [entry.aid for entry in parse_environment(answer.data)] if answer.sw == status.OK else []
    except DecodeError:
        listed = []
    purses = [aid for known in AIDS for aid in listed if aid.startswith(known)]
    return list(dict.fromkeys([*purses, *AIDS]))


def _control(data: bytes) -> Control | None:
    try:
        return parse_control(data) if data else None
    except DecodeError:
        return None


def _open_trip(ride: Ride) -> dict[str, object]:
    return {
        "record": f"{ride.record_id:04X}",
        "datetime": ride.start.at.isoformat() if ride.start.at else None,
        "city_code": ride.start.city_code,
        "organisation": ride.start.organisation,
        "line": ride.start.line or None,
        "station": ride.start.stop,
        "terminal": ride.start.terminal,
        "marked_fen": ride.marked_fen,
    }


class _Reading:
    """One pass over a card, and what went wrong on the way."""

    def __init__(self, channel: Channel, aid: bytes, control: Control | None, *, blocked: bool) -> None:
        self._channel = channel
        self._aid = aid
        self._control = control
        self._blocked = blocked
        self._problems: dict[tuple[str, str], Problem] = {}

    def read(self, *, holder: bool, trips: bool) -> TransitCard:
        control = self._control
        if self._blocked:
            blocked = Text("交通应用已锁定", "the transit application is blocked")
            self._note((Trouble(layout.APPLICATION, blocked),))
        public = self._public(control)
        raw = self._binary(layout.MANAGEMENT)
        management = Management.decode(raw) if raw is not None else None
        self._note(management.troubles if management else ())
        balance, overdrawn, limit = self._balances()
        transactions = self._records(layout.TRANSACTIONS, Transaction.decode, all_of_them=trips)
        taps = self._records(layout.TRIPS, Tap.decode, all_of_them=trips)
        rides = tuple(ride for record in (RAIL, BUS) if (ride := self._ride(record)) is not None)
        held = self._binary(layout.HOLDER) if holder else None
        person = HolderData.decode(held) if held is not None else None
        self._note(person.troubles if person else ())
        known = public or PublicData.decode(b"")
        return TransitCard(
            aid=self._aid,
            version=control.version if control else "",
            blocked=self._blocked,
            card_number=known.card_number,
            iin=known.iin,
            issuer_code=known.issuer_code,
            city_code=(management.city_code if management else "") or known.city_code,
            interoperable=bool(management.interoperable == 1) if management else None,
            kind=management.kind if management else None,
            enabled=known.enabled_flag == ENABLED,
            enabled_flag=known.enabled_flag,
            app_type=known.app_type,
            valid_from=known.valid_from,
            valid_until=known.valid_until,
            balance_fen=balance,
            overdrawn_fen=overdrawn,
            overdraft_limit_fen=limit,
            sequence=next((entry.sequence for entry in transactions if entry.type in _PURCHASES), None),
            last_tap=taps[0] if taps else None,
            rides=rides,
            trips=merge_trips(taps, transactions),
            public=public,
            management=management,
            holder=person,
            problems=tuple(self._problems.values()),
        )

    def _public(self, control: Control | None) -> PublicData | None:
        raw = (control.public if control else b"") or self._binary(layout.PUBLIC)
        public = PublicData.decode(raw) if raw else None
        self._note(public.troubles if public else ())
        return public

    def _binary(self, address: str) -> bytes | None:
        """A whole file, or what there is of it; None with a problem when the card refuses it."""
        file = layout.file(address)
        answer = self._channel.transmit(apdu.read_binary(0, file.size, sfi=file.sfi))
        if answer.sw in (status.OK, 0x6282):
            return answer.data
        self._refused(address, answer.sw)
        return None

    def _records(self, address: str, decode: Callable[[bytes], _Log], *, all_of_them: bool) -> list[_Log]:
        """The records of a log, newest first, without the empty ones behind the last."""
        file, found = layout.file(address), []
        for number in range(1, file.count + 1 if all_of_them else 2):
            answer = self._channel.transmit(apdu.read_record(number, file.record_length, sfi=file.sfi))
            if answer.sw in _END:
                break
            if answer.sw != status.OK:
                self._refused(address, answer.sw)  # the next one may be readable
                continue
            if layout.is_empty(answer.data):
                break
            record = decode(answer.data)
            self._note(record.troubles)
            found.append(record)
        return found

    def _ride(self, record_id: int) -> Ride | None:
        file = layout.file(layout.RIDES)
        record = file.record(record_id)
        length = 3 + record.length if record else apdu.SHORT_LE
        answer = self._channel.transmit(apdu.read_record(record_id & 0xFF, length, sfi=file.sfi))
        if answer.sw in _END or (answer.sw == status.OK and layout.is_empty(answer.data)):
            return None
        if answer.sw != status.OK:
            self._refused(layout.RIDES, answer.sw)
            return None
        try:
            ride = Ride.decode(answer.data)
        except DecodeError as error:
            self._note((Trouble(error.where, error.text),))
            return None
        self._note(ride.troubles)
        return ride

    def _balances(self) -> tuple[int | None, int | None, int | None]:
        """Balance to show, overdrawn amount and overdraft limit."""
        real, overdrawn, limit = self._amount(REAL), self._amount(OVERDRAWN), self._amount(OVERDRAFT_LIMIT)
        if real is not None and overdrawn is not None:
            return real - overdrawn, overdrawn, limit
        if real:  # a card with money on it is not overdrawn
            return real, 0, limit
        available = self._amount(AVAILABLE)
        if available is not None and limit is not None:
            balance = available - limit
            return balance, max(-balance, 0), limit
        words = self._amounts(ALL, 4)
        if words is not None:
            return words[0] - words[3], words[3], words[2]
        doubt = Text("余额可能包含透支限额", "the balance may include an overdraft limit")
        if available is None:
            doubt = Text("余额无法读出", "the balance cannot be read")
        if not self._blocked:
            self._note((Trouble("GET BALANCE", doubt),))
        return available, None, limit

    def _amount(self, which: int) -> int | None:
        amounts = self._amounts(which, 1)
        return amounts[0] if amounts else None

    def _amounts(self, which: int, count: int) -> list[int] | None:
        answer = self._channel.transmit(apdu.Command(0x80, GET_BALANCE, which, 0x02, b"", 4 * count))
        data = answer.data
        if answer.sw != status.OK or len(data) != 4 * count:
            return None
        return [int.from_bytes(data[at : at + 4]) & _AMOUNT for at in range(0, len(data), 4)]

    def _refused(self, address: str, sw: int) -> None:
        if self._blocked:
            return  # the reason is known
        meaning = status.meaning(sw)
        self._note((Trouble(address, Text(f"{sw:04X}：{meaning.zh}", f"{sw:04X}: {meaning.en}")),))

    def _note(self, troubles: Iterable[Trouble]) -> None:
        """Keep each trouble once."""
        for where, text in troubles:
            self._problems.setdefault((where, text.en), Problem(where, text))


GET_BALANCE = 0x5C
"""Instruction byte of GET BALANCE."""
