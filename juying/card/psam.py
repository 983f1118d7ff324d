"""Keys in a PSAM: the secure access module of a terminal, in a card slot of its own.

A PSAM never gives a key away. It makes the key of one card ready (``BFDE``), then enciphers or makes a MAC with it
(``80FA``). That is published for external authentication with 3DES; how SM4 and a key without challenge are asked
for is our choice, the same that `juying.card.virtual.psam` makes.
"""

import threading
from typing import Final, Self

from juying.card.apdu import Command, read_binary
from juying.card.channel import Channel
from juying.card.transport import Transport
from juying.crypto import seal
from juying.crypto.authentication import ANSWER_LENGTH, ORIGINAL_LENGTH
from juying.crypto.block import Cipher, check_blocks, check_length, pad
from juying.crypto.diversify import FACTOR_LENGTH
from juying.crypto.keys import CardKey, no_key
from juying.errors import CardRefused, KeyUseError, ProtocolError, StatusError
from juying.text import Text

APPLICATION: Final = bytes.fromhex("D15600000590")
"""Name of the application with the keys."""
PUBLIC_FILE: Final = 0x0015
"""14 bytes of public data."""
TERMINAL_FILE: Final = 0x0016
"""6 bytes: the 12 digits of the terminal's number."""

ENCIPHER, MAC, MORE, INITIAL = 0x00, 0x01, 0x02, 0x04
"""P1 of 80FA: 00 and 05 are observed, the meaning of the single bits is that of PBOC modules: a long MAC begins with
07, goes on with 03 and ends with 01."""

_PIECE: Final = 0xE0
"""Bytes for one 80FA: whole blocks of either cipher, with room for an initial value."""
_CARD_KEY: Final = {Cipher.TDES: b"", Cipher.SM4: bytes(16)}
"""What stands for the challenge where the card's key itself is to be made ready (our choice)."""
_NO_ALGORITHM, _NO_KEY, _NOT_FOR_THIS = 0x6A81, (0x6A88, 0x9403), 0x6985


class PsamKeys:
    """A `juying.crypto.keys.Keys` over a PSAM; may be used by several threads.

    What needs a key itself (`wrap`, `check_value`) is a `KeyUseError`. Every method also raises what the connection
    raises, `TransportError` and `ProtocolError`, and a `StatusError` for a refusal that is not about the key.
    """

    def __init__(self, channel: Channel, terminal_number: str) -> None:
        """Take a channel to a PSAM whose application is selected; see `open`."""
        self.terminal_number = terminal_number
        self._channel = channel
        self._lock = threading.Lock()

    @classmethod
    def open(cls, transport: Transport) -> Self:
        """Read the terminal's number and select the application with the keys.

        Raises `CardRefused` when this is no PSAM for social security cards, else a `CardError`.
        """
        channel = Channel(transport)
        try:
            channel.send(Command(0x00, 0xA4, 0x00, 0x00, TERMINAL_FILE.to_bytes(2)))
            number = channel.send(read_binary(0, 6))
            channel.send(Command(0x00, 0xA4, 0x04, 0x00, APPLICATION))
        except StatusError as error:
            raise CardRefused(
                f"这张卡不是社会保障 PSAM 卡（返回 {error.sw:04X}），请检查卡槽",
                f"this card is no PSAM for social security cards (it answered {error.sw:04X}); check the slot",
                where=transport.name,
            ) from None
        return cls(channel, number.hex())

    def __repr__(self) -> str:
        """The terminal's number."""
        return f"PsamKeys({self.terminal_number!r})"

    @property
    def title(self) -> Text:
        """What holds the keys, for people."""
        return Text(f"PSAM 卡 {self.terminal_number}", f"the PSAM {self.terminal_number}")

    def close(self) -> None:
        """Let go of the PSAM."""
        self._channel.close()

    def has(self, key: CardKey) -> bool:
        """Whether the PSAM makes this key ready, asked as published."""
        try:
            with self._lock:
                self._make_ready(key, bytes(key.cipher.block))
        except KeyUseError:
            return False
        return True

    def knows(self, cipher: Cipher) -> bool:
        """Whether the PSAM has the algorithm at all: older ones lack SM4."""
        with self._lock:
            answer = self._channel.transmit(Command(0xBF, 0xDE, 0x00, 0x00, bytes(cipher.block)))
        return answer.sw != _NO_ALGORITHM

    def external_answer(self, key: CardKey, challenge: bytes, original: bytes) -> bytes:
        """See `juying.crypto.keys.Keys.external_answer`."""
        check_length(challenge, key.cipher.block)
        if key.cipher is Cipher.SM4:
            return self._encipher(key, challenge, challenge)
        check_length(original, ORIGINAL_LENGTH)
        return self._encipher(key, challenge, original) + original

    def internal_answer(self, key: CardKey, data: bytes) -> bytes:
        """See `juying.crypto.keys.Keys.internal_answer`."""
        check_length(data, ANSWER_LENGTH)
        if key.cipher is Cipher.SM4:
            return self._encipher(key, data, data)
        return self._encipher(key, data[:8], data[8:])

    def mac(self, key: CardKey, initial: bytes, data: bytes) -> bytes:
        """See `juying.crypto.keys.Keys.mac`."""
        block = key.cipher.block
        state = initial.ljust(8, b"\x00") if key.cipher is Cipher.TDES else initial
        check_length(state, block)
        padded = pad(data, block)
        mode, answer = MAC | INITIAL, b""
        with self._lock:
            self._make_ready(key, _CARD_KEY[key.cipher])
            for start in range(0, len(padded), _PIECE):
                last = start + _PIECE >= len(padded)
                piece = state + padded[start : start + _PIECE]
                answer = self._use(key, mode if last else mode | MORE, piece, 4 if last else None)
                mode, state = MAC, b""
        return answer

    def encipher(self, key: CardKey, data: bytes) -> bytes:
        """See `juying.crypto.keys.Keys.encipher`."""
        check_blocks(data, key.cipher.block)
        return self._encipher(key, _CARD_KEY[key.cipher], data)

    def wrap(self, under: CardKey, header: bytes, key: CardKey) -> bytes:
        """No: a PSAM does not put one key under another. Raises `KeyUseError`."""
        raise self._cannot(key, "不能导出密钥", "does not wrap keys")

    def check_value(self, key: CardKey) -> bytes:
        """No: a PSAM uses the city's key only to make the card's. Raises `KeyUseError`."""
        raise self._cannot(key, "不能给出密钥校验值", "gives no check values")

    def seal(self, key: CardKey, plain: bytes, context: bytes) -> bytes:
        """See `juying.crypto.keys.Keys.seal`."""
        return seal.seal(key.cipher, self.encipher(key, seal.SEED), plain, context)

    def unseal(self, key: CardKey, sealed: bytes, context: bytes) -> bytes:
        """See `juying.crypto.keys.Keys.unseal`."""
        return seal.unseal(key.cipher, self.encipher(key, seal.SEED), sealed, context)

    def _encipher(self, key: CardKey, challenge: bytes, data: bytes) -> bytes:
        pieces = []
        with self._lock:
            self._make_ready(key, challenge)
            for start in range(0, len(data), _PIECE):
                piece = data[start : start + _PIECE]
                pieces.append(self._use(key, ENCIPHER, piece, len(piece)))
        return b"".join(pieces)

    def _make_ready(self, key: CardKey, challenge: bytes) -> None:
        if key.psam_usage is None or key.psam_id is None:
            raise self._cannot(
                key, "无法使用此密钥：卡规格未给出其用途和标识", "cannot use it: the profile gives no usage and id"
            )
        data = psam_factors(key) + challenge
        self._send(key, Command(0xBF, 0xDE, key.psam_usage, key.psam_id, data))

    def _use(self, key: CardKey, mode: int, data: bytes, length: int | None) -> bytes:
        """One 80FA, which answers ``length`` bytes."""
        try:
            answer = self._send(key, Command(0x80, 0xFA, mode, 0x00, data, length))
        except StatusError as error:
            if error.sw != _NOT_FOR_THIS:
                raise
            raise self._cannot(key, "不允许这样使用密钥", "does not allow this use of the key") from None
        if len(answer) != (length or 0):
            raise ProtocolError(
                f"PSAM 卡返回了 {len(answer)} 字节，应为 {length} 字节",
                f"the PSAM answered {len(answer)} bytes, not {length}",
                where=f"PSAM {key.name}",
            )
        return answer

    def _send(self, key: CardKey, command: Command) -> bytes:
        try:
            return self._channel.send(command, step=f"PSAM {key.name}")
        except StatusError as error:
            if error.sw in _NO_KEY:
                raise no_key(self.title, key) from None
            if error.sw == _NO_ALGORITHM:
                raise self._cannot(key, f"不支持算法 {key.cipher.value}", f"lacks {key.cipher.value}") from None
            raise

    def _cannot(self, key: CardKey, zh: str, en: str) -> KeyUseError:
        return KeyUseError(f"{self.title.zh} {zh}", f"{self.title.en} {en}", where=key.name)


def psam_factors(key: CardKey) -> bytes:
    """The factors that a PSAM takes for a key: the card's, the city's, the province's, as many as the usage says.

    That a third one is the province's, and that it is made like the city's from the first two digits and 0000, is our
    choice. Raises `KeyUseError` when the factors of the key do not fit the usage.
    """
    levels = (key.psam_usage or 0) >> 5
    province = f"{key.city[:2]}0000".encode() + key.city_factor[6:] if key.city_factor else b""
    factors = b"".join((key.card_factor, key.city_factor, province)[:levels])
    if levels > 3 or len(factors) != levels * FACTOR_LENGTH:
        raise KeyUseError(
            f"密钥用途要求分散 {levels} 级，卡规格的分散因子与此不符",
            f"the usage of the key asks for {levels} steps of diversification, which the profile's factors do not give",
            where=key.name,
        )
    return factors
