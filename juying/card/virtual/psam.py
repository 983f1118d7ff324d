"""A PSAM (secure access module) in software: the card that holds a terminal's keys.

It answers as published sequences show: the environment "sx2.sh.社会保障" (DDF1) and in it the application
D15600000590 (DF01); 0015 with public data and 0016 with the number of the terminal; ``BFDE`` makes a key ready,
``80FA`` uses it, GET RESPONSE fetches the result. What the sources leave open is our choice and says so.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from juying.card.psam import APPLICATION, ENCIPHER, INITIAL, MAC, MORE, PUBLIC_FILE, TERMINAL_FILE, psam_factors
from juying.card.virtual.framing import OK, parse_t0
from juying.card.virtual.session import AnswerError, Request
from juying.codec.spec import Profile
from juying.crypto.block import BlockKey, Cipher
from juying.crypto.diversify import FACTOR_LENGTH, city_factor, diversify
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.crypto.mac import MacKey, fold
from juying.errors import CardRemoved, InputError

ENVIRONMENT: Final = "sx2.sh.社会保障".encode("gb18030")
_MASTER_FID, _ENVIRONMENT_FID, _APPLICATION_FID = 0x3F00, 0xDDF1, 0xDF01
_NAMES: Final = {ENVIRONMENT: _ENVIRONMENT_FID, APPLICATION: _APPLICATION_FID}

_MAC_TYPES: Final = frozenset({1, 3, 4, 5, 6, 8})
_ENCIPHER_TYPES: Final = frozenset({1, 4, 5, 7, 8})
"""Low five bits of a usage. Observed: 6 MAC, 7 encipher, 8 both. Our choice: 1 and 5 (maintenance) and 4 (PIN reload)
may do both, as secure messaging needs, 3 (PIN unblock) only the MAC; 0 (main) and 2 (purchase) neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PsamKey:
    """A key in a PSAM.

    ``usage`` says in its low five bits what the key is for, in its high three how many steps of diversification lead
    to the card's key. ``key`` has 16 bytes. ``above`` are the factors above the card's (city, or city and province)
    whose result ``key`` is already, so that it serves one city; with None it is a root key, which serves all.
    """

    usage: int
    key_id: int
    cipher: Cipher
    key: bytes = field(repr=False)
    above: bytes | None = None

    def for_card(self, given: bytes) -> bytes:
        """The card's key, for the factors given: card ‖ city ‖ province, as many as the usage says."""
        key = self.key
        rest = given if self.above is None else given[:FACTOR_LENGTH]
        for start in range(len(rest) - FACTOR_LENGTH, -1, -FACTOR_LENGTH):
            key = diversify(self.cipher, key, rest[start : start + FACTOR_LENGTH])
        return key


@dataclass(slots=True)
class _Slot:
    """The key that is ready, and the MAC that is being made with it."""

    usage: int
    block: BlockKey
    mac: MacKey
    state: bytes | None = None


@dataclass(slots=True)
class _Session:
    """What goes on while there is power."""

    directory: int = _MASTER_FID
    file: int | None = None
    slot: _Slot | None = None
    pending: bytes = b""


class VirtualPsam:
    """A PSAM over T=0; a `juying.card.virtual.card.Card`. Commands raise only `CardRemoved`, without power."""

    def __init__(self, keys: Iterable[PsamKey], *, terminal_number: str = "331000000001") -> None:
        """Load ``keys``; the number of the terminal has 12 digits, else `InputError`."""
        if not (len(terminal_number) == 12 and terminal_number.isascii() and terminal_number.isdecimal()):
            raise InputError("终端机编号应为 12 位数字", "the number of a terminal has 12 digits")
        terminal = bytes.fromhex(terminal_number)
        # serial number (10), version, kind of card, issuer's own (2): fields as in PBOC, values ours
        self._files = {PUBLIC_FILE: terminal.rjust(10, b"\x00") + b"\x01\x00\x00\x00", TERMINAL_FILE: terminal}
        self._keys: dict[tuple[int, int, Cipher], list[PsamKey]] = {}
        for key in keys:
            self._keys.setdefault((key.usage, key.key_id, key.cipher), []).append(key)
        self._session: _Session | None = None
        self._atr = b"\x3b\x6d\x00\x00\x00\x81JYPSAM\x00" + terminal[-4:]

    @classmethod
    def demonstration(
        cls,
        profiles: Iterable[Profile],
        *,
        cities: Collection[str] = ("331000",),
        without: Collection[str] = (),
        terminal_number: str = "331000000001",
    ) -> Self:
        """A PSAM with the demonstration keys of ``cities``: all that the profiles give a place in a PSAM.

        ``without`` leaves out keys by name: ``{"SSSE/RKSSSE"}`` makes an older PSAM, which cannot read cards of the
        third generation.
        """
        loaded = []
        for meant in _declared(profiles, cities):
            if meant.name not in without and meant.psam_usage is not None and meant.psam_id is not None:
                above = psam_factors(meant)[FACTOR_LENGTH:]
                key = DemonstrationKeys().city_key(meant)
                loaded.append(
                    PsamKey(usage=meant.psam_usage, key_id=meant.psam_id, cipher=meant.cipher, key=key, above=above)
                )
        return cls(loaded, terminal_number=terminal_number)

    def __repr__(self) -> str:
        """How many keys there are."""
        return f"VirtualPsam({sum(map(len, self._keys.values()))} keys)"

    @property
    def atr(self) -> bytes:
        """Answer to reset; it marks the PSAM as virtual and ends like the terminal's number."""
        return self._atr

    def power_on(self) -> None:
        """Give power: the master file is selected, no key is ready."""
        self._session = _Session()

    def power_off(self) -> None:
        """Take the power away, and with it the key that was ready."""
        self._session = None

    def reset(self) -> None:
        """Start a new session; without power nothing happens."""
        if self._session is not None:
            self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Carry out one T=0 command; any bytes are answered. Raises `CardRemoved` without power."""
        if self._session is None:
            raise CardRemoved("PSAM 卡没有通电：请重新插入", "the PSAM has no power: insert it again")
        try:
            request = parse_t0(command)
            return self._answer(self._session, request)
        except AnswerError as answer:
            return answer.sw.to_bytes(2)

    def _answer(self, session: _Session, request: Request) -> bytes:
        run = _COMMANDS.get((request.cla, request.ins))
        if run is None:
            raise AnswerError(0x6D00 if request.cla in _CLASSES else 0x6E00)
        waiting, session.pending = session.pending, b""
        if request.ins == _GET_RESPONSE:
            session.pending = waiting
        body = run(self, session, request)
        if request.data and body:
            session.pending = body
            return bytes((0x61, len(body)))
        return body + OK

    def _select(self, session: _Session, request: Request) -> bytes:
        """By name, or by file identifier with P1 00 or 02; no control information (our choice)."""
        by_name = request.p1 == 0x04
        if request.p1 not in (0x00, 0x02, 0x04) or request.p2:
            raise AnswerError(0x6A86)
        if not by_name and len(request.data) != 2:
            raise AnswerError(0x6700)
        fid = _NAMES.get(request.data) if by_name else int.from_bytes(request.data)
        if fid in self._files:
            session.file = fid
        elif fid in (_MASTER_FID, _ENVIRONMENT_FID, _APPLICATION_FID):
            session.directory, session.file, session.slot = fid, None, None
        else:
            raise AnswerError(0x6A82)
        return b""

    def _read_binary(self, session: _Session, request: Request) -> bytes:
        """The current file, or the one whose short identifier is in P1; the same in every directory (our choice)."""
        fid, offset = session.file, request.p1 << 8 | request.p2
        if request.p1 & 0x80:
            fid, offset = request.p1 & 0x1F, request.p2
        if request.le is None:
            raise AnswerError(0x6700)
        if fid is None:
            raise AnswerError(0x6986)
        if fid not in self._files:
            raise AnswerError(0x6A82)
        rest = self._files[fid][offset:]
        if not rest:
            raise AnswerError(0x6B00)
        if request.le > len(rest):
            raise AnswerError(0x6C00 | len(rest))
        session.file = fid
        return rest[: request.le]

    def _get_response(self, session: _Session, request: Request) -> bytes:
        if not session.pending:
            raise AnswerError(0x6985)
        if request.le != len(session.pending):
            raise AnswerError(0x6C00 | len(session.pending))
        body, session.pending = session.pending, b""
        return body

    def _deliver(self, session: _Session, request: Request) -> bytes:
        """BFDE usage, key id: factors, then a challenge.

        With 8 bytes of challenge the key made ready is the 3DES session key, as observed. Our choice: with 16 bytes it
        is the card's SM4 key, which enciphers the challenge itself; with none it is the card's 3DES key.
        """
        session.slot = None
        if session.directory != _APPLICATION_FID:
            raise AnswerError(0x6985)
        usage, key_id, size = request.p1, request.p2, (request.p1 >> 5) * FACTOR_LENGTH
        given, challenge = request.data[:size], request.data[size:]
        if len(given) != size or len(challenge) not in (0, 8, 16):
            raise AnswerError(0x6700)
        cipher = Cipher.SM4 if len(challenge) == 16 else Cipher.TDES
        key = self._find(usage, key_id, cipher, given).for_card(given)
        if len(challenge) == 8:
            key = BlockKey(cipher, key).encrypt(challenge) * 2  # with equal halves, 3DES is single DES
        session.slot = _Slot(usage, BlockKey(cipher, key), MacKey(cipher, key))
        return b""

    def _find(self, usage: int, key_id: int, cipher: Cipher, given: bytes) -> PsamKey:
        if not any(cipher is known for _, _, known in self._keys):
            raise AnswerError(0x6A81)
        for key in self._keys.get((usage, key_id, cipher), ()):
            if key.above is None or key.above == given[FACTOR_LENGTH:]:
                return key
        raise AnswerError(0x6A88)

    def _use(self, session: _Session, request: Request) -> bytes:
        """80FA: encipher whole blocks, or make a MAC of 4 bytes over data that is padded already."""
        slot, mode, data = session.slot, request.p1, request.data
        if mode not in _MODES or request.p2:
            raise AnswerError(0x6A86)
        if slot is None or slot.usage & 0x1F not in (_MAC_TYPES if mode & MAC else _ENCIPHER_TYPES):
            raise AnswerError(0x6985)
        size = slot.block.cipher.block
        if len(data) % size or len(data) < (2 if mode & INITIAL else 1) * size:
            raise AnswerError(0x6700)
        state, slot.state = slot.state, None
        if mode == ENCIPHER:
            return slot.block.encrypt(data)
        if mode & INITIAL:
            state, data = data[:size], data[size:]
        if state is None:
            raise AnswerError(0x6985)
        if mode & MORE:
            slot.state = slot.mac.state(data, state)
            return b""
        mac = slot.mac.whole_padded(data, state)
        return fold(mac) if slot.block.cipher is Cipher.SM4 else mac[:4]


_GET_RESPONSE = 0xC0
_MODES = (ENCIPHER, MAC | INITIAL, MAC | MORE | INITIAL, MAC | MORE, MAC)
_COMMANDS: Mapping[tuple[int, int], Callable[[VirtualPsam, _Session, Request], bytes]] = {
    (0x00, 0xA4): VirtualPsam._select,
    (0x00, 0xB0): VirtualPsam._read_binary,
    (0x00, _GET_RESPONSE): VirtualPsam._get_response,
    (0xBF, 0xDE): VirtualPsam._deliver,
    (0x80, 0xFA): VirtualPsam._use,
}
_CLASSES = {cla for cla, _ in _COMMANDS}


def _declared(profiles: Iterable[Profile], cities: Collection[str]) -> Iterable[CardKey]:
    """All keys of the profiles, once for each cipher and city."""
    found: dict[CardKey, None] = {}
    for profile in profiles:
        security = profile.security
        for application in profile.applications:
            for key in application.keys:
                for city in cities:
                    meant = CardKey(
                        name=f"{application.name}/{key.name}",
                        cipher=Cipher(security.cipher),
                        city=city,
                        city_factor=city_factor(security.city_factor, city),
                        card_factor=bytes(FACTOR_LENGTH),
                        psam_usage=key.psam_usage,
                        psam_id=key.psam_id,
                    )
                    found[meant] = None
    return found
