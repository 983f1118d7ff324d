"""The commands of the office: PIN, keys, and blocking.

All but CHANGE PIN are proved by a MAC (see `juying.card.virtual.messaging`) and take effect as a whole or not at all.

=====================  =====================================  ============================================
command                header                                 data
=====================  =====================================  ============================================
CHANGE PIN             80 5E 01 00                            old PIN, FF, new PIN
RELOAD PIN             84 D4 00 01                            enciphered length and PIN, MAC; key RPK
UNBLOCK PIN            84 24 00 01                            MAC; key PUK
WRITE KEY              84 D4 00 id, main key 84 D4 01 00      key block (32 bytes), MAC; main key
APPLICATION BLOCK      84 1E 00 00, for ever 84 1E 00 01      MAC; key of the application
APPLICATION UNBLOCK    84 18 00 00                            MAC; key of the application
CARD BLOCK             84 16 00 00                            MAC; key of the environment
=====================  =====================================  ============================================

Class, instruction and data of the first four are observed; P1 and P2 of RELOAD PIN and of the blocking commands, and
which status word answers what, are ours after PBOC.
"""

from collections.abc import Mapping

from juying.card.virtual.memory import Lock
from juying.card.virtual.messaging import deciphered, opened
from juying.card.virtual.security import compare_pin, pin_digits
from juying.card.virtual.session import AnswerError, Request, Session
from juying.card.virtual.tree import Command, HeldKey
from juying.codec.rules import KEY, PIN
from juying.codec.security import MAXIMUM_TRIES
from juying.codec.spec import KeyKind
from juying.crypto.key_load import open_key_block
from juying.errors import DecodeError

PIN_ID = 0x01
"""P2 of WRITE KEY and of UNBLOCK PIN that means the PIN."""
_SEPARATOR = b"\xff"
_TRIES = 4
"""Place of the tries allowed in the header of a key."""


def change_pin(session: Session, request: Request) -> bytes:
    """5E: the holder chooses a PIN; 6985 for one of the initial PINs, which everybody knows."""
    _expect(request, (0x01, 0x00))
    size = session.tree.security.pin_digits // 2
    if len(request.data) != 2 * size + 1:
        raise AnswerError(0x6700)
    if request.data[size : size + 1] != _SEPARATOR:
        raise AnswerError(0x6A80)
    old, new = pin_digits(session, request.data[:size]), pin_digits(session, request.data[size + 1 :])
    if new in session.tree.initial_pins:
        raise AnswerError(0x6985)
    session.held.discard(PIN)
    compare_pin(session, old)
    _set_pin(session, new)
    return b""


def reload_pin(session: Session, request: Request) -> bytes:
    """D4 with P2 01: the office sets a new PIN with a full counter; it may be an initial one."""
    key = session.key(KeyKind.PIN_RELOAD)
    pin = deciphered(session, opened(session, request, key), key)
    _set_pin(session, pin_digits(session, pin))
    return b""


def unblock_pin(session: Session, request: Request) -> bytes:
    """24: the office gives all tries back; the PIN stays."""
    _expect(request, (0x00, PIN_ID))
    _proved(session, request, KeyKind.PIN_UNBLOCK)
    session.memory.count(session.memory.pin, session.memory.pin.limit)
    return b""


def write_key(session: Session, request: Request) -> bytes:
    """D4: put a new key in the place of one of the current application, or (P1 01) in that of the main key."""
    if (request.p1, request.p2) == (0x00, PIN_ID):
        return reload_pin(session, request)
    main = session.key(KeyKind.MAIN)
    target = _target(session, request, main)
    block = opened(session, request, main)
    try:
        header, value = open_key_block(session.tree.cipher, main.secret.value, block)
    except DecodeError:
        raise AnswerError(0x6A80) from None
    limit = header[_TRIES]
    if not 1 <= limit <= MAXIMUM_TRIES or header != target.spec.header(session.tree.security.cipher, limit):
        raise AnswerError(0x6A80)
    session.memory.replace(target.secret, value, limit)
    session.held.discard(KEY + target.spec.name)
    return b""


def _target(session: Session, request: Request, main: HeldKey) -> HeldKey:
    if request.p1 > 1:
        raise AnswerError(0x6A86)
    owner = session.tree.environment if request.p1 else session.directory
    target = owner.keys.get(request.p2)
    if target is None or (target is main) != bool(request.p1):
        raise AnswerError(0x6A88)
    return target


def block_application(session: Session, request: Request) -> bytes:
    """1E: block the current application, with P2 01 for ever."""
    _expect(request, (0x00, 0x00), (0x00, 0x01))
    _proved(session, request, KeyKind.APP_BLOCK)
    lock = Lock.FOR_EVER if request.p2 else Lock.BLOCKED
    session.memory.flip(lambda: session.memory.locks.update({session.directory.name: lock}))
    session.enter(session.tree.root if request.p2 else session.directory)
    return b""


def unblock_application(session: Session, request: Request) -> bytes:
    """18: the current application works again."""
    _expect(request, (0x00, 0x00))
    if session.directory.name not in session.memory.locks:
        raise AnswerError(0x6985)
    _proved(session, request, KeyKind.APP_BLOCK)
    session.memory.flip(lambda: session.memory.locks.pop(session.directory.name))
    return b""


def block_card(session: Session, request: Request) -> bytes:
    """16: block the whole card, for good."""
    _expect(request, (0x00, 0x00))
    _proved(session, request, KeyKind.CARD_BLOCK)
    session.memory.flip(lambda: setattr(session.memory, "blocked", True))
    return b""


def _expect(request: Request, *parameters: tuple[int, int]) -> None:
    if (request.p1, request.p2) not in parameters:
        raise AnswerError(0x6A86)


def _proved(session: Session, request: Request, kind: KeyKind) -> None:
    """Go on if the command, which has no data, carries a right MAC under the key of this kind."""
    key = session.key(kind)
    if opened(session, request, key):
        raise AnswerError(0x6700)


def _set_pin(session: Session, new: bytes) -> None:
    session.memory.replace(session.memory.pin, new, session.memory.pin.limit)
    session.held.discard(PIN)


ADMINISTRATION: Mapping[tuple[int, int], Command] = {
    (0x80, 0x5E): change_pin,
    (0x84, 0x16): block_card,
    (0x84, 0x18): unblock_application,
    (0x84, 0x1E): block_application,
    (0x84, 0x24): unblock_pin,
    (0x84, 0xD4): write_key,
}
"""Class and instruction byte to command."""
