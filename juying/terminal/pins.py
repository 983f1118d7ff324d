"""New PINs, and what may go wrong with one."""

from juying.card.pin import Ask
from juying.card.pin_pad import ANSWERS, CANCELLED, NO_ENTRY, NOT_SAME, WRONG_LENGTH
from juying.card.refusal import BLOCKED, NOT_SATISFIED
from juying.card.status import tries_left
from juying.errors import AccessRefused, InputError
from juying.terminal.codes import CallError, Code, refused
from juying.text import Text

NOT_NOW = 0x6985
"""Conditions of use not satisfied: what a card says to an initial PIN."""
_NO_ENTRY = Text("没有设置密码键盘或密码来源", "neither a PIN pad nor a source of PINs is set up")
_CODES = {
    NO_ENTRY: Code.TIMEOUT,
    CANCELLED: Code.CANCELLED,
    NOT_SAME: Code.PINS_DIFFER,
    WRONG_LENGTH: Code.PIN_LENGTH,
    BLOCKED: Code.PIN_LOCKED,
}


def asked_pin(ask: Ask | None, digits: int) -> str:
    """A new PIN. Raises `CallError` -13 when there is nobody to ask, -33 for one of another length."""
    if ask is None:
        raise CallError(Code.UNSUPPORTED, _NO_ENTRY)
    try:
        pin = ask()
    except InputError as error:
        raise pin_input(error) from None
    if len(pin) != digits or not (pin.isascii() and pin.isdigit()):
        raise CallError(Code.PIN_LENGTH)
    return pin


def pin_failure(error: AccessRefused, *, changing: bool = False) -> CallError:
    """The end of a call whose PIN the card, or the keypad, did not take."""
    left = tries_left(error.sw)
    if left is not None:
        return CallError(Code.PIN_WRONG, error.text) if left else CallError(Code.PIN_LOCKED)
    if changing and error.sw == NOT_NOW:
        return CallError(Code.TO_INITIAL_PIN)
    if error.sw == NOT_SATISFIED:
        return CallError(Code.UNSUPPORTED, _NO_ENTRY)
    return CallError(_CODES[error.sw]) if error.sw in _CODES else refused(error.sw, error.text)


def pin_input(error: InputError) -> CallError:
    """The end of a call for which no PIN could be had, or one of a wrong length."""
    if error.text == ANSWERS[WRONG_LENGTH]:
        return CallError(Code.PIN_LENGTH)
    return CallError(Code.UNSUPPORTED, error.text)
