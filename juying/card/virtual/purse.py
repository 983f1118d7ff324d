"""The purse of the transit application on a virtual card: balances, load, purchase, compound purchase.

What a purchase changes (balance, sequence number, log, trip records) is first written aside and then made valid by one
byte, so that a card torn on the way holds all of it or nothing. Where sources disagree on a parameter both are taken:
DEBIT with P1 01 or 02, CREDIT with P2 00 or 02, UPDATE CAPP DATA CACHE with the record's number in P1 or 00. Our
choices, where they are silent: "balance" in answers and MACs is the available one (P1 00 of GET BALANCE); records of
the log and GET TRANSACTION PROVE go by the sequence number after the transaction; only key index 01 exists; whatever
is not the next step of a transaction ends it.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from juying.card.virtual import commands
from juying.card.virtual.framing import PROPRIETARY, PROPRIETARY_SECURE, SECURE, expect_class
from juying.card.virtual.memory import Lock, Memory
from juying.card.virtual.session import AnswerError, Request, Session
from juying.codec.tunion import layout
from juying.codec.tunion.files import Transaction
from juying.crypto import purse as crypto
from juying.crypto.block import Cipher
from juying.crypto.mac import mac4
from juying.crypto.purse import Deal
from juying.errors import InputError

COUNTER_END: Final = 0xFFFE
"""Highest sequence number; FFFF would read as never written (our choice)."""
_KEY_INDEX = 0x01
_RIDE_SFI, _TRIP_SFI = 0x1A, 0x1E
_PROTECTED = {0x15: layout.PUBLIC, 0x16: layout.HOLDER, 0x17: layout.MANAGEMENT}
"""Files that UPDATE BINARY with a MAC may write, by short identifier."""
_RIDE_LOCK = 5
"""Offset of the lock flag in a record of file 1A."""
_TYPES = {0x00: crypto.LOAD, 0x01: crypto.PURCHASE, 0x03: crypto.COMPOUND}
"""P1 of INITIALIZE to transaction type."""


class Change(NamedTuple):
    """One record that a command writes; ``place`` None adds the newest record of a cyclic file."""

    address: str
    place: int | None
    data: bytes

    def __repr__(self) -> str:
        """Where, and how much; the data tells where somebody has been."""
        return f"Change({self.address}, {self.place}, {len(self.data)} bytes)"


@dataclass(slots=True)
class _Open:
    """A transaction between INITIALIZE and its end."""

    deal: Deal
    sequence: int
    random: bytes
    balance: int
    rides: list[Change] = field(default_factory=list)
    trip: Change | None = None

    @property
    def complete(self) -> bool:
        """Whether DEBIT may come: a compound purchase needs its trip record."""
        return self.deal.type != crypto.COMPOUND or self.trip is not None


class Purse:
    """The purse over the files of a card's memory; `commands` are for the directory of the application."""

    def __init__(self, memory: Memory) -> None:
        """Take over the files of the application in ``memory``."""
        self._memory = memory
        self._session: Session | None = None
        self._open: _Open | None = None

    @property
    def commands(self) -> Mapping[int, Callable[[Session, Request], bytes]]:
        """Instruction byte to command."""
        return {instruction: self._command(run) for instruction, run in _COMMANDS.items()}

    def forget(self) -> None:
        """The application was selected (again): what was going on is over."""
        self._open = None

    def _command(
        self, run: "Callable[[Purse, Session, Request, _Open | None], bytes]"
    ) -> Callable[[Session, Request], bytes]:
        def command(session: Session, request: Request) -> bytes:
            if self._session is not session:  # there was a reset
                self._session = session
                self.forget()
            pending, self._open = self._open, None
            return run(self, session, request, pending)

        return command

    # What the purse holds ----------------------------------------------------------------------------

    @property
    def _state(self) -> layout.Row:
        return layout.read_row(layout.PURSE, bytes(self._memory.files[layout.PURSE][0]))

    def _number(self, name: str) -> int:
        return self._state.number(f"purse.{name}") or 0

    @property
    def _net(self) -> int:
        """Real balance less overdrawn amount; one of the two is zero."""
        return self._number("real") - self._number("overdrawn")

    @property
    def _available(self) -> int:
        return self._net + self._number("overdraft_limit")

    def _changed(self, **values: int | bytes) -> Change:
        """The state with other values in some fields; ``__`` stands for a dot in their names."""
        renamed = {f"purse.{name.replace('__', '.')}": value for name, value in values.items()}
        return Change(layout.PURSE, 0, layout.build_row(layout.PURSE, {**self._state.values, **renamed}))

    def _key(self, name: str) -> bytes:
        return bytes(self._memory.keys[f"{layout.APPLICATION}/{name}"].value)

    def _commit(self, *changes: Change) -> None:
        """Make all ``changes`` or none."""

        def change() -> None:
            for address, place, data in changes:
                records = self._memory.files[address]
                if place is None:
                    records.insert(0, bytearray(data))
                    del records[layout.file(address).count :]
                else:
                    records[place][:] = data

        self._memory.flip(change, b"".join(change.data for change in changes))

    # Transactions ------------------------------------------------------------------------------------

    def _get_balance(self, _session: Session, request: Request, _pending: _Open | None) -> bytes:
        """5C: one of five amounts, or four of them at once (P1 05; order as captured, one source)."""
        expect_class(request, PROPRIETARY)
        limit, overdraft = self._number("limit"), self._number("overdraft_limit")
        real, overdrawn = self._number("real"), self._number("overdrawn")
        amounts = (self._available, overdraft, overdrawn, real, limit)
        if request.p2 != 0x02 or request.p1 > len(amounts):
            raise AnswerError(0x6A86)
        chosen = (real, limit, overdraft, overdrawn) if request.p1 == len(amounts) else (amounts[request.p1],)
        return b"".join(amount.to_bytes(4) for amount in chosen)

    def _initialize(self, session: Session, request: Request, _pending: _Open | None) -> bytes:
        """50: begin a load (P1 00), a purchase (01) or a compound purchase (03)."""
        expect_class(request, PROPRIETARY)
        kind = _TYPES.get(request.p1)
        if kind is None or request.p2 != 0x02:
            raise AnswerError(0x6A86)
        _expect_length(request, 11)
        if request.data[0] != _KEY_INDEX:
            raise AnswerError(0x9403)
        deal = Deal(int.from_bytes(request.data[1:5]), kind, request.data[5:])
        load = kind == crypto.LOAD
        sequence, balance = self._number("online" if load else "offline"), self._available
        if sequence == COUNTER_END:
            raise AnswerError(0x9402)
        if load and self._net + deal.amount > self._number("limit"):
            raise AnswerError(0x6A80)
        if not load and deal.amount > balance:
            raise AnswerError(0x9401)
        self._open = pending = _Open(deal, sequence, session.random(4), balance)
        head = balance.to_bytes(4) + sequence.to_bytes(2)
        version = bytes((crypto.KEY_VERSION, crypto.ALGORITHM_3DES)) + pending.random
        if load:
            key = crypto.load_key(self._key("DLK"), pending.random, sequence)
            return head + version + crypto.load_mac1(key, deal, balance)
        return head + self._number("overdraft_limit").to_bytes(3) + version

    def _credit(self, _session: Session, request: Request, pending: _Open | None) -> bytes:
        """52: the load itself. The answer is the TAC."""
        expect_class(request, PROPRIETARY)
        if request.p1 or request.p2 not in (0x00, 0x02):
            raise AnswerError(0x6A86)
        _expect_length(request, 11)
        if pending is None or pending.deal.type != crypto.LOAD:
            raise AnswerError(0x6985)
        deal = _moved(pending.deal, request.data[:7])
        session = crypto.load_key(self._key("DLK"), pending.random, pending.sequence)
        mac2 = crypto.load_mac2(session, deal)
        if not crypto.same(mac2, request.data[7:]):
            raise AnswerError(0x9302)
        net, sequence = self._net + deal.amount, pending.sequence + 1
        tac = crypto.load_tac(crypto.tac_key(self._key("DTK")), deal, pending.balance + deal.amount, pending.sequence)
        state = self._changed(
            **_amounts(net),
            online=sequence,
            load__type=deal.type,
            load__sequence=sequence,
            load__proof=mac2 + tac,
        )
        self._commit(state, self._log(deal, sequence))
        return tac

    def _debit(self, _session: Session, request: Request, pending: _Open | None) -> bytes:
        """54: the purchase itself. The answer is TAC and MAC2."""
        expect_class(request, PROPRIETARY)
        if request.p1 not in (0x01, 0x02) or request.p2:
            raise AnswerError(0x6A86)
        _expect_length(request, 15)
        if pending is None or pending.deal.type == crypto.LOAD or not pending.complete:
            raise AnswerError(0x6985)
        terminal_sequence, mac1 = request.data[:4], request.data[11:]
        deal = _moved(pending.deal, request.data[4:11])
        session = crypto.purchase_key(self._key("DPK"), pending.random, pending.sequence, terminal_sequence)
        if not crypto.same(crypto.purchase_mac1(session, deal), mac1):
            raise AnswerError(0x9302)
        mac2 = crypto.purchase_mac2(session, deal)
        tac = crypto.purchase_tac(crypto.tac_key(self._key("DTK")), deal, terminal_sequence)
        sequence = pending.sequence + 1
        state = self._changed(
            **_amounts(self._net - deal.amount),
            offline=sequence,
            purchase__type=deal.type,
            purchase__sequence=sequence,
            purchase__proof=mac2 + tac,
        )
        trip = () if pending.trip is None else (pending.trip,)
        self._commit(state, self._log(deal, sequence), *pending.rides, *trip)
        return tac + mac2

    def _log(self, deal: Deal, sequence: int) -> Change:
        record = Transaction(
            sequence=sequence,
            overdraft=self._number("overdraft_limit"),
            amount_fen=deal.amount,
            type=f"{deal.type:02X}",
            terminal=deal.terminal.hex(),
            date=deal.moment[:4].hex(),
            time=deal.moment[4:].hex(),
        )
        try:
            return Change(layout.TRANSACTIONS, None, record.encode())
        except InputError:  # date or time with digits beyond 9
            raise AnswerError(0x6A80) from None

    def _update_record(self, _session: Session, request: Request, pending: _Open | None) -> bytes:
        """DC: UPDATE CAPP DATA CACHE, the records of file 1A and then the one of file 1E, which DEBIT will write.

        In any other class it is UPDATE RECORD, which no file of the application allows.
        """
        if request.cla != PROPRIETARY:
            raise AnswerError(0x6982)
        if pending is None or pending.deal.type != crypto.COMPOUND or pending.trip is not None:
            raise AnswerError(0x6985)
        if request.p2 == _TRIP_SFI << 3 and request.p1 <= 1:
            _expect_size(request.data, layout.file(layout.TRIPS).record_length)
            pending.trip = Change(layout.TRIPS, None, request.data)
        elif request.p2 == _RIDE_SFI << 3:
            pending.rides.append(self._ride(request))
        else:
            raise AnswerError(0x6A86)
        self._open = pending
        return b""

    def _ride(self, request: Request) -> Change:
        data, records = request.data, self._memory.files[layout.RIDES]
        index = next((at for at, record in enumerate(records) if record[:2] == data[:2]), None)
        if index is None or request.p1 not in (0x00, data[1]):
            raise AnswerError(0x6A83)
        _expect_size(data, len(records[index]))
        if data[2] != records[index][2]:
            raise AnswerError(0x6A80)
        if records[index][_RIDE_LOCK] == 1:
            raise AnswerError(0x9407)
        return Change(layout.RIDES, index, data)

    def _prove(self, _session: Session, request: Request, _pending: _Open | None) -> bytes:
        """5A: MAC and TAC of the last load or purchase once more, for a terminal that lost the answer."""
        expect_class(request, PROPRIETARY)
        if request.p1:
            raise AnswerError(0x6A86)
        _expect_length(request, 2)
        name = "load" if request.p2 == crypto.LOAD else "purchase"
        asked = (request.p2, int.from_bytes(request.data))
        if not request.p2 or asked != (self._number(f"{name}.type"), self._number(f"{name}.sequence")):
            raise AnswerError(0x9406)
        return bytes.fromhex(self._state.text(f"purse.{name}.proof"))

    # Protected commands ------------------------------------------------------------------------------

    def _block(self, session: Session, request: Request, _pending: _Open | None) -> bytes:
        """1E: lock the application, for now (P2 00) or for ever (01); P1 00 is 3DES, 01 would be SM4."""
        expect_class(request, PROPRIETARY_SECURE)
        if request.p1 == 0x01:
            raise AnswerError(0x6A81)
        if request.p1 or request.p2 > 1:
            raise AnswerError(0x6A86)
        self._protected(session, request)
        lock = Lock.FOR_EVER if request.p2 else Lock.BLOCKED
        self._memory.flip(lambda: self._memory.locks.update({layout.APPLICATION: lock}))
        if request.p2:
            session.enter(session.tree.root)
        return b""

    def _unblock(self, session: Session, request: Request, _pending: _Open | None) -> bytes:
        """18: lift a lock that is not for ever."""
        expect_class(request, PROPRIETARY_SECURE)
        if request.p1 == 0x01:
            raise AnswerError(0x6A81)
        if request.p1 or request.p2:
            raise AnswerError(0x6A86)
        self._protected(session, request)
        if layout.APPLICATION not in self._memory.locks:
            raise AnswerError(0x6985)
        self._memory.flip(lambda: self._memory.locks.pop(layout.APPLICATION))
        return b""

    def _update_binary(self, session: Session, request: Request, _pending: _Open | None) -> bytes:
        """D6: with a MAC on files 15, 16 and 17, named by short identifier; without one it is refused."""
        if request.cla != SECURE:
            raise AnswerError(0x6982)
        address = _PROTECTED.get(request.p1 & 0x1F)
        if request.p1 & 0xE0 != 0x80 or address is None:
            raise AnswerError(0x6A82)
        data = self._protected(session, request)
        content = bytes(self._memory.files[address][0])
        if not data or request.p2 + len(data) > len(content):
            raise AnswerError(0x6A84 if data else 0x6700)
        end = request.p2 + len(data)
        self._commit(Change(address, 0, content[: request.p2] + data + content[end:]))
        return b""

    def _protected(self, session: Session, request: Request) -> bytes:
        """The data without its MAC (maintenance key, 3DES retail MAC over header and data), which must be right."""
        if len(request.data) < 4:
            raise AnswerError(0x6987)
        challenge = session.take_challenge(4)
        data, mac = request.data[:-4], request.data[-4:]
        header = bytes((request.cla, request.ins, request.p1, request.p2, len(request.data)))
        if not hmac.compare_digest(mac4(Cipher.TDES, self._key("DAMK"), header + data, challenge), mac):
            raise AnswerError(0x6988)
        return data

    # Reading -----------------------------------------------------------------------------------------

    def _read_binary(self, session: Session, request: Request, _pending: _Open | None) -> bytes:
        expect_class(request, 0x00)
        return commands.read_binary(session, request)

    def _read_record(self, session: Session, request: Request, _pending: _Open | None) -> bytes:
        expect_class(request, 0x00)
        return commands.read_record(session, request)

    def _refuse(self, _session: Session, _request: Request, _pending: _Open | None) -> bytes:
        raise AnswerError(0x6982)


_COMMANDS: Mapping[int, Callable[[Purse, Session, Request, _Open | None], bytes]] = {
    0x18: Purse._unblock,
    0x1E: Purse._block,
    0x50: Purse._initialize,
    0x52: Purse._credit,
    0x54: Purse._debit,
    0x5A: Purse._prove,
    0x5C: Purse._get_balance,
    0xB0: Purse._read_binary,
    0xB2: Purse._read_record,
    0xD6: Purse._update_binary,
    0xDC: Purse._update_record,
    0xE2: Purse._refuse,
}


def _amounts(net: int) -> dict[str, int]:
    return {"real": max(net, 0), "overdrawn": max(-net, 0)}


def _moved(deal: Deal, moment: bytes) -> Deal:
    """The deal with the date and time that the last command brings."""
    return Deal(deal.amount, deal.type, deal.terminal, moment)


def _expect_length(request: Request, length: int) -> None:
    if len(request.data) != length:
        raise AnswerError(0x6700)


def _expect_size(data: bytes, length: int) -> None:
    if len(data) != length:
        raise AnswerError(0x6A84 if len(data) > length else 0x6700)
