"""What the office does to a card besides writing it: PIN, blocking, and keys.

Every one of these commands carries a MAC under a key of the card, and takes effect as a whole or not at all. So each
of these functions may be called again after the card was torn out, and finishes what was begun. Bytes and what is
published of them: docs/cards.md, "Security".
"""

from collections.abc import Callable
from dataclasses import replace

from juying.card.access import Access
from juying.card.apdu import Command
from juying.card.atr import historical_bytes
from juying.card.card_keys import card_key
from juying.card.pin import VERIFY
from juying.card.refusal import BLOCKED, NO_CITY
from juying.card.session import CardSession
from juying.card.status import meaning, tries_left
from juying.codec.security import KeyKind
from juying.codec.spec import Key
from juying.crypto.keys import CardKey, Keys
from juying.errors import AccessRefused, CardRefused, FieldError, KeyUseError, StatusError
from juying.text import Text

CARD_BLOCK, APPLICATION_UNBLOCK, APPLICATION_BLOCK, UNBLOCK_PIN, WRITE_KEY = 0x16, 0x18, 0x1E, 0x24, 0xD4
_CLASS = 0x84
_PIN_ID = 0x01
_WRONG_DATA, _WRONG_MAC, _NO_APPLICATION = 0x6A80, 0x6988, 0x6A82


def pin_tries(card: CardSession) -> int:
    """Wrong tries that the PIN has left; 0 when it is locked. Raises `StatusError` when the card does not tell."""
    card.select(card.profile.applications[0].files[0])
    sw = card.channel.transmit(Command(*VERIFY)).sw
    left = tries_left(sw)
    if left is None and sw != BLOCKED:
        raise StatusError(sw, meaning(sw), where="VERIFY PIN")
    return left or 0


def reload_pin(card: CardSession, pin: str) -> None:
    """Give the card a new PIN with a full counter, whatever became of the old one.

    ``pin`` has 6 digits, BCD on the card; it may be an initial one, with which the card does not trade until the
    holder has changed it. Raises `FieldError` for another PIN, `AccessRefused` when key or card refuse.
    """
    digits = card.profile.security.pin_digits
    if len(pin) != digits or not (pin.isascii() and pin.isdigit()):
        problem = Text(f"应为 {digits} 位数字", f"{digits} digits are needed")
        raise FieldError("PIN", problem, Text("LD/T 32 个人密码", "PIN of the social security card"))
    command = Command(_CLASS, WRITE_KEY, 0x00, _PIN_ID, bytes.fromhex(pin))
    card.office_command(_environment(card), KeyKind.PIN_RELOAD, command, step="RELOAD PIN", encipher=True)


def unblock_pin(card: CardSession) -> None:
    """Give the holder all tries back; the PIN stays. Raises `AccessRefused` when key or card refuse."""
    command = Command(_CLASS, UNBLOCK_PIN, 0x00, _PIN_ID)
    card.office_command(_environment(card), KeyKind.PIN_UNBLOCK, command, step="UNBLOCK PIN")


def block_application(card: CardSession, application: str, *, for_ever: bool = False) -> None:
    """Block one application, so that nothing of it can be used until it is unblocked.

    Raises `InputError` for an application that the profile does not have, `AccessRefused` when key or card refuse.
    """
    command = Command(_CLASS, APPLICATION_BLOCK, 0x00, int(for_ever))
    card.office_command(application, KeyKind.APP_BLOCK, command, step=f"APPLICATION BLOCK {application}")


def unblock_application(card: CardSession, application: str) -> None:
    """Make a blocked application work again. Raises as `block_application` does; 6985 when it is not blocked."""
    command = Command(_CLASS, APPLICATION_UNBLOCK, 0x00, 0x00)
    card.office_command(application, KeyKind.APP_BLOCK, command, step=f"APPLICATION UNBLOCK {application}")


def block_card(card: CardSession) -> None:
    """Block the whole card, for good: nobody can undo it. Raises `AccessRefused` when key or card refuse."""
    command = Command(_CLASS, CARD_BLOCK, 0x00, 0x00)
    card.office_command(_environment(card), KeyKind.CARD_BLOCK, command, step="CARD BLOCK")


def load_keys(card: CardSession, new: Keys, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Put the keys of ``new`` onto the card, in the place of those that it has; how many were written.

    The session's own keys are those on the card until now. ``new`` must hold all keys that the profile puts on a card,
    and as previous version of the main key the one on the card, because new keys travel under it. Keys of an
    application that the card does not have are left out. The main key comes last: until then the card takes the same
    keys again, so a card that was torn out is finished by doing it once more, also when it was torn right after the
    main key.

    ``progress`` is called with keys written and keys in all. Raises `CardRefused` for a card that names no city and
    `KeyUseError` when ``new`` lacks a key or has another main key as previous version, all before anything is written,
    and `AccessRefused` when the card refuses. What the card was shown before no longer counts afterwards.
    """
    if not card.city:
        raise CardRefused(*NO_CITY, where=card.channel.transport.name)
    places = [
        (application.name, key) for application in card.profile.applications for key in application.keys if key.on_card
    ]
    places.sort(key=lambda place: place[1].kind is KeyKind.MAIN)
    lacking = [f"{name}/{key.name}" for name, key in places if not new.has(_own(card, name, key))]
    if lacking:
        raise KeyUseError(
            f"{new.title.zh}中没有城市 {card.city} 的 {lacking[0]} 等 {len(lacking)} 个密钥，未作任何改动",
            f"{new.title.en} lacks {lacking[0]} and {len(lacking) - 1} more keys for city {card.city}; "
            "nothing was changed",
        )
    written, after = 0, False
    for number, (name, key) in enumerate(places, 1):
        try:
            written += _write_key(card, name, key, new, main_is_new=after)
        except AccessRefused as error:
            if error.sw != _WRONG_MAC or number > 1:
                raise
            # Perhaps the card was torn out after its main key had been replaced.
            card.present(Access(keys=new))
            after = True
            written += _write_key(card, name, key, new, main_is_new=True)
        if progress is not None:
            progress(number, len(places))
    card.present(Access(keys=new))
    return written


def _write_key(card: CardSession, application: str, key: Key, new: Keys, *, main_is_new: bool) -> bool:
    """Write one key; whether the card has its application at all."""
    main = next(entry for entry in card.profile.applications[0].keys if entry.kind is KeyKind.MAIN)
    under = replace(_own(card, _environment(card), main), previous=not main_is_new)
    security = card.profile.security
    block = new.wrap(under, key.header(security.cipher, security.key_tries), _own(card, application, key))
    is_main = key.kind is KeyKind.MAIN
    command = Command(_CLASS, WRITE_KEY, int(is_main), key.id, block)
    try:
        card.office_command(application, KeyKind.MAIN, command, step=f"WRITE KEY {application}/{key.name}")
    except StatusError as error:
        if error.sw == _WRONG_DATA:
            raise KeyUseError(
                f"卡片解不开新密钥：{new.title.zh}中 {under.name} 的上一版须是卡上现有的主密钥"
                "（虚拟卡：juying keys init --transport demo）",
                f"the card cannot decipher the new key: the previous version of {under.name} in {new.title.en} has to "
                "be the main key that the card has now (virtual cards: juying keys init --transport demo)",
                where=error.where,
            ) from None
        if error.sw != _NO_APPLICATION or application == _environment(card):
            raise
        return False
    return True


def _own(card: CardSession, application: str, key: Key) -> CardKey:
    """The card's own key in that place."""
    historical = historical_bytes(card.channel.transport.atr)
    return card_key(card.profile, application, key.name, historical=historical, city=card.city)


def _environment(card: CardSession) -> str:
    return card.profile.applications[0].name
