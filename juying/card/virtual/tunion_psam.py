"""The PSAM of a transit terminal in software: it makes MAC1, checks MAC2, and locks cards that are on a black list.

Files and commands as seen in several validators: 0016 in the master file with the terminal's number; in the directory
8011 (MOT.CPSAM01) 0017 with key index, issuer, receiver and dates, 8070 and 8072 for purchases, 801A and 80FA for the
MAC of a lock command. 0015 is that of PBOC. The keys are synthetic: without those of the real scheme, which nobody
outside has, no real card can be debited.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from juying.card.virtual.framing import OK, parse_t0
from juying.card.virtual.session import AnswerError, Request
from juying.codec.tunion.psam import APPLICATION, APPLICATION_FID, PsamData
from juying.crypto import purse as crypto
from juying.crypto.block import Cipher
from juying.crypto.mac import MacKey
from juying.crypto.purse import Deal, PurseKeys, demonstration_keys
from juying.errors import CardRemoved, InputError

_MASTER_FID: Final = 0x3F00
_NAMES: Final = {APPLICATION: APPLICATION_FID}
_PUBLIC, _TERMINAL, _DATA = 0x15, 0x16, 0x17
_MAXIMUM: Final = 0xFFFFFFFF
_LOCK_USAGE: Final = 0x45
"""P1 of 801A: two levels of diversification (high three bits), key for MACs."""
_MAC_INITIAL: Final = 0x05
"""P1 of 80FA: the MAC of one block of data that begins with its initial value."""


@dataclass(slots=True)
class _Session:
    """What goes on while there is power."""

    directory: int = _MASTER_FID
    file: int | None = None
    deal: tuple[bytes, Deal] | None = None
    lock_key: MacKey | None = None
    pending: bytes = b""


class VirtualTransitPsam:
    """A transit PSAM over T=0; a `juying.card.virtual.card.Card`. Commands raise only `CardRemoved`, without power.

    ``sequence`` is the terminal's sequence number, which the next purchase gets; it stays when the power goes.
    """

    def __init__(
        self,
        keys: PurseKeys | None = None,
        *,
        terminal: str = "413100000001",
        issuer_code: str = "02113450FFFFFFFF",
        sequence: int = 1,
        valid_from: date = date(2020, 1, 1),
        valid_until: date = date(2099, 12, 31),
    ) -> None:
        """Load ``keys``, by default the demonstration keys. The terminal's number has 12 hex digits."""
        try:
            number = bytes.fromhex(terminal)
        except ValueError:
            number = b""
        if len(number) != 6 or not 0 < sequence < _MAXIMUM:
            raise InputError(
                "终端机编号应为 12 位十六进制数，交易序号应为正数",
                "the number of a terminal has 12 hex digits, a sequence number is positive",
            )
        self.sequence = sequence
        self._keys = keys or demonstration_keys()
        issuer = bytes.fromhex(issuer_code)
        data = PsamData(
            key_index=1, issuer_code=issuer, receiver_code=issuer, valid_from=valid_from, valid_until=valid_until
        )
        self._files = {
            (_MASTER_FID, _PUBLIC): number.rjust(10, b"\x00") + b"\x01\x00\x00\x00",
            (_MASTER_FID, _TERMINAL): number,
            (APPLICATION_FID, _DATA): data.encode(),
        }
        self._session: _Session | None = None
        self._atr = b"\x3b\x6d\x00\x00\x00\x81JYTSAM\x00" + number[-4:]

    def __repr__(self) -> str:
        """The number of the terminal."""
        return f"VirtualTransitPsam({self._files[_MASTER_FID, _TERMINAL].hex()})"

    @property
    def atr(self) -> bytes:
        """Answer to reset; it marks the PSAM as virtual and ends like the terminal's number."""
        return self._atr

    def power_on(self) -> None:
        """Give power: the master file is selected, no purchase is open."""
        self._session = _Session()

    def power_off(self) -> None:
        """Take the power away, and with it what was open."""
        self._session = None

    def reset(self) -> None:
        """Start a new session; without power nothing happens."""
        if self._session is not None:
            self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Carry out one T=0 command; any bytes are answered. Raises `CardRemoved` without power."""
        session = self._session
        if session is None:
            raise CardRemoved("PSAM 卡没有通电：请重新插入", "the PSAM has no power: insert it again")
        try:
            request = parse_t0(command)
            run = _COMMANDS.get((request.cla, request.ins))
            if run is None:
                raise AnswerError(0x6D00 if request.cla in (0x00, 0x80) else 0x6E00)
            waiting, session.pending = session.pending, b""
            if request.ins == _GET_RESPONSE:
                session.pending = waiting
            body = run(self, session, request)
        except AnswerError as answer:
            return answer.sw.to_bytes(2)
        if request.data and body:
            session.pending = body
            return bytes((0x61, len(body)))
        return body + OK

    def _select(self, session: _Session, request: Request) -> bytes:
        """By name, or by file identifier with P1 00; no control information (our choice)."""
        if request.p1 not in (0x00, 0x04) or request.p2:
            raise AnswerError(0x6A86)
        if request.p1 == 0x00 and len(request.data) != 2:
            raise AnswerError(0x6700)
        fid = _NAMES.get(request.data) if request.p1 == 0x04 else int.from_bytes(request.data)
        if fid not in (_MASTER_FID, APPLICATION_FID):
            raise AnswerError(0x6A82)
        session.directory, session.deal, session.lock_key = fid, None, None
        return b""

    def _read_binary(self, session: _Session, request: Request) -> bytes:
        """A file of the current directory by its short identifier."""
        if request.p1 & 0xE0 != 0x80:
            raise AnswerError(0x6A86)
        content = self._files.get((session.directory, request.p1 & 0x1F))
        if content is None:
            raise AnswerError(0x6A82)
        rest = content[request.p2 :]
        if request.le is None or not rest:
            raise AnswerError(0x6B00 if request.le else 0x6700)
        if request.le > len(rest):
            raise AnswerError(0x6C00 | len(rest))
        return rest[: request.le]

    def _get_response(self, session: _Session, request: Request) -> bytes:
        if not session.pending:
            raise AnswerError(0x6985)
        if request.le != len(session.pending):
            raise AnswerError(0x6C00 | len(session.pending))
        body, session.pending = session.pending, b""
        return body

    def _initialize(self, session: _Session, request: Request) -> bytes:
        """8070: random 4, sequence 2, amount 4, type 1, moment 7, key version 1, algorithm 1, serial 8, issuer 8.

        The answer is the terminal's sequence number and MAC1.
        """
        session.deal = None
        data = request.data
        if session.directory != APPLICATION_FID:
            raise AnswerError(0x6985)
        if request.p1 or request.p2:
            raise AnswerError(0x6A86)
        if len(data) != 36:
            raise AnswerError(0x6700)
        if data[18] != crypto.KEY_VERSION:
            raise AnswerError(0x9403)
        if data[19] != crypto.ALGORITHM_3DES:
            raise AnswerError(0x6A81)
        if self.sequence == _MAXIMUM:
            raise AnswerError(0x9402)
        terminal = self._files[_MASTER_FID, _TERMINAL]
        deal = Deal(int.from_bytes(data[6:10]), data[10], terminal, data[11:18])
        key = self._keys.card_key("DPK", data[28:36], data[20:28])
        sequence = self.sequence.to_bytes(4)
        session_key = crypto.purchase_key(key, data[:4], int.from_bytes(data[4:6]), sequence)
        self.sequence += 1
        session.deal = session_key, deal
        return sequence + crypto.purchase_mac1(session_key, deal)

    def _credit(self, session: _Session, request: Request) -> bytes:
        """8072: check the card's MAC2. 9302 leaves the purchase open, for a card that answers again (our choice)."""
        if request.p1 or request.p2:
            raise AnswerError(0x6A86)
        if len(request.data) != 4:
            raise AnswerError(0x6700)
        if session.deal is None:
            raise AnswerError(0x6985)
        key, deal = session.deal
        if not crypto.same(crypto.purchase_mac2(key, deal), request.data):
            raise AnswerError(0x9302)
        session.deal = None
        return b""

    def _deliver(self, session: _Session, request: Request) -> bytes:
        """801A 45: make the maintenance key of a card ready, from serial and issuer (8 bytes each, as in 8070)."""
        session.lock_key = None
        if session.directory != APPLICATION_FID:
            raise AnswerError(0x6985)
        if request.p1 != _LOCK_USAGE or request.p2:
            raise AnswerError(0x6A88)
        if len(request.data) != 16:
            raise AnswerError(0x6700)
        key = self._keys.card_key("DAMK", request.data[8:], request.data[:8])
        session.lock_key = MacKey(Cipher.TDES, key)
        return b""

    def _cipher(self, session: _Session, request: Request) -> bytes:
        """80FA 05: the MAC, 4 bytes, over an initial value and data that is padded already."""
        if request.p1 != _MAC_INITIAL or request.p2:
            raise AnswerError(0x6A86)
        if session.lock_key is None:
            raise AnswerError(0x6985)
        if len(request.data) < 16 or len(request.data) % 8:
            raise AnswerError(0x6700)
        return session.lock_key.whole_padded(request.data[8:], request.data[:8])[:4]


_GET_RESPONSE = 0xC0
_COMMANDS: Mapping[tuple[int, int], Callable[[VirtualTransitPsam, _Session, Request], bytes]] = {
    (0x00, 0xA4): VirtualTransitPsam._select,
    (0x00, 0xB0): VirtualTransitPsam._read_binary,
    (0x00, _GET_RESPONSE): VirtualTransitPsam._get_response,
    (0x80, 0x70): VirtualTransitPsam._initialize,
    (0x80, 0x72): VirtualTransitPsam._credit,
    (0x80, 0x1A): VirtualTransitPsam._deliver,
    (0x80, 0xFA): VirtualTransitPsam._cipher,
}
