"""Secure messaging: a command that carries proof of a key, and may be enciphered.

One more layer of `juying.card.channel`, as PBOC has it: every protected command follows a fresh GET CHALLENGE, and
its MAC is computed over header and data, starting from that challenge. What is read comes back in the clear; the
files that need secrecy for reading have read keys.

=====  =========================================================================
CLA    data
=====  =========================================================================
04     data, MAC (4 bytes)
84     length and data, padded with 80 00 … and enciphered; MAC (4 bytes)
=====  =========================================================================

The header counts in the MAC as it is sent, with Lc that counts the MAC. That the class byte is 04 and 84 for ISO
commands, and that one key does both, are our choices; the rest is observed.
"""

import functools

from juying.card.apdu import SHORT_DATA, Command, Response
from juying.card.channel import Exchange
from juying.card.status import OK, meaning
from juying.crypto.block import Cipher, pad
from juying.crypto.keys import CardKey, Keys
from juying.errors import CardError, InputError, ProtocolError, StatusError

GET_CHALLENGE = 0x84
MAC_LENGTH = 4

MAC_CLASS, ENCIPHERED_CLASS = 0x04, 0x84

INITIAL_LENGTH = {Cipher.TDES: 4, Cipher.SM4: 16}
"""Bytes of the challenge from which a MAC starts; that of 3DES is filled up with 00 to 8."""

NOT_TAKEN = frozenset({0x6700, 0x6D00, 0x6E00})
"""Status words with which a card says that it did not even look into the command; so does 6Cxx."""


@functools.cache
def get_challenge(length: int) -> Command:
    """GET CHALLENGE for ``length`` bytes: 4, 8 or 16."""
    return Command(0x00, GET_CHALLENGE, 0x00, 0x00, b"", length)


def protect(command: Command, keys: Keys, key: CardKey, challenge: bytes, *, encipher: bool) -> Command:
    """``command`` in the form that carries a MAC under ``key``, and with its data enciphered if so wished.

    A command that is of class 84 already keeps its class: it is one that exists in protected form only. Raises
    `InputError` for data that does not fit, `KeyUseError` as `Keys` does.
    """
    data = command.data
    if encipher:
        if len(data) > SHORT_DATA:
            raise _too_long(command)
        data = keys.encipher(key, pad(bytes((len(data),)) + data, key.cipher.block))
    length = len(data) + MAC_LENGTH
    if length > SHORT_DATA:
        raise _too_long(command)
    cla = command.cla | (ENCIPHERED_CLASS if encipher else MAC_CLASS)
    head = bytes((cla, command.ins, command.p1, command.p2, length))
    return Command(cla, command.ins, command.p1, command.p2, data + keys.mac(key, challenge, head + data), command.le)


def _too_long(command: Command) -> InputError:
    return InputError(
        f"命令 {command.header} 的数据有 {len(command.data)} 字节，加上安全报文后超出 255 字节",
        f"command {command.header} carries {len(command.data)} bytes: with secure messaging that is more than 255",
    )


class SecureMessaging:
    """The layer, for one key and the application that is selected; drop it at the next SELECT.

    ``accepted`` counts the protected commands that the card carried out. Its state moves on after a whole cycle
    only. A challenge serves one command; it serves the next one too when the card says that it did not take the
    first. After a transport fault nobody knows where the card stands: the layer is closed for good.
    """

    def __init__(self, below: Exchange, keys: Keys, key: CardKey, *, encipher: bool) -> None:
        """Protect commands with ``key`` of ``keys`` and pass them to ``below``."""
        self.accepted = 0
        self._below = below
        self._keys = keys
        self._key = key
        self._encipher = encipher
        self._challenge = b""
        self._closed = False

    def __repr__(self) -> str:
        """Which key, and how many commands."""
        return f"SecureMessaging({self._key.name}, {self.accepted} commands)"

    def __call__(self, command: Command) -> Response:
        """Send ``command`` protected; the response as it is.

        Raises `ProtocolError` on a closed layer and for a challenge of a wrong length, `StatusError` when the card
        gives no challenge, and what `protect` and the layers below raise.
        """
        if self._closed:
            raise ProtocolError(
                "安全报文会话已中断，请重新选择应用",
                "the session of secure messaging has broken off: select the application again",
            )
        try:
            challenge = self._challenge or self._fresh_challenge()
            response = self._below(protect(command, self._keys, self._key, challenge, encipher=self._encipher))
        except StatusError:
            raise
        except CardError:
            self._closed = True
            self._challenge = b""
            raise
        taken = response.sw not in NOT_TAKEN and response.sw >> 8 != 0x6C
        self._challenge = b"" if taken else challenge
        self.accepted += response.sw == OK
        return response

    def _fresh_challenge(self) -> bytes:
        length = INITIAL_LENGTH[self._key.cipher]
        response = self._below(get_challenge(length))
        if response.sw != OK:
            raise StatusError(response.sw, meaning(response.sw), where="GET CHALLENGE")
        if len(response.data) != length:
            raise ProtocolError(
                f"随机数应为 {length} 字节，卡片返回了 {len(response.data)} 字节",
                f"the card gave a challenge of {len(response.data)} bytes instead of {length}",
                where="GET CHALLENGE",
            )
        return response.data


def with_secure_messaging(below: Exchange, keys: Keys, key: CardKey, *, encipher: bool = False) -> SecureMessaging:
    """The layer over ``below``; with ``encipher`` data is enciphered as well."""
    return SecureMessaging(below, keys, key, encipher=encipher)
