"""The commands by which terminal, holder and card show each other who they are.

What was shown is kept in `Session.held` until another application is selected. Data of these commands is the same
with T=0 and T=1; the bytes are published, except that an empty VERIFY asks for the tries left (ISO 7816-4).
"""

import hmac
from collections.abc import Callable, Mapping

from juying.card.virtual.memory import Secret
from juying.card.virtual.session import AnswerError, Request, Session, usable
from juying.card.virtual.tree import Command
from juying.codec.rules import KEY, PIN
from juying.codec.spec import KeyKind, Profile
from juying.crypto.authentication import ANSWER_LENGTH, challenge_length, internal_answer, verify_external

CHALLENGES = (4, 8, 16)
"""Bytes that GET CHALLENGE gives: for the MAC of 3DES, for authentication with 3DES, for both with SM4."""


def get_challenge(session: Session, request: Request) -> bytes:
    """84: a random number, for the one command that follows and uses it."""
    if request.p1 or request.p2:
        raise AnswerError(0x6A86)
    if request.data or request.le not in CHALLENGES:
        raise AnswerError(0x6700)
    session.challenge = session.random(request.le)
    return session.challenge


def external_authenticate(session: Session, request: Request) -> bytes:
    """82: the terminal shows that it has the key P2; it holds that key's grant then."""
    if request.p1:
        raise AnswerError(0x6A86)
    if len(request.data) != ANSWER_LENGTH:
        raise AnswerError(0x6700)
    key = session.directory.keys.get(request.p2)
    if key is None or key.spec.kind is not KeyKind.EXTERNAL:
        raise AnswerError(0x6A88)
    grant, cipher, secret = KEY + key.spec.name, session.tree.cipher, usable(key).secret
    session.held.discard(grant)
    challenge = session.take_challenge(challenge_length(cipher))
    prove(session, secret, lambda: verify_external(cipher, secret.value, challenge, request.data))
    session.held.add(grant)
    return b""


def internal_authenticate(session: Session, request: Request) -> bytes:
    """88: the card shows that it has its internal authentication key."""
    if request.p1 or request.p2:
        raise AnswerError(0x6A86)
    if len(request.data) != ANSWER_LENGTH:
        raise AnswerError(0x6700)
    key = session.key(KeyKind.INTERNAL)
    return internal_answer(session.tree.cipher, key.secret.value, request.data)


def verify_pin(session: Session, request: Request) -> bytes:
    """20: the holder's PIN in BCD. Without data the answer tells the tries left, or 9000 when it holds already."""
    if request.p1 or request.p2:
        raise AnswerError(0x6A86)
    pin = session.memory.pin
    if not request.data:
        if PIN not in session.held:
            raise AnswerError(0x63C0 | pin.tries if pin.tries else 0x6983)
        return b""
    given = pin_digits(session, request.data)
    session.held.discard(PIN)
    compare_pin(session, given)
    session.held.add(PIN)
    return b""


def pin_digits(session: Session, given: bytes) -> bytes:
    """``given``, when it has the form of a PIN. `AnswerError` 6700 for another length, 6A80 for other nibbles."""
    if len(given) != session.tree.security.pin_digits // 2:
        raise AnswerError(0x6700)
    if not given.hex().isdigit():
        raise AnswerError(0x6A80)
    return given


def compare_pin(session: Session, given: bytes) -> None:
    """Go on if ``given`` is the PIN. `AnswerError` 63Cx with the tries left, 6983 when there were none."""
    pin = session.memory.pin
    if not pin.tries:
        raise AnswerError(0x6983)
    prove(session, pin, lambda: hmac.compare_digest(given, bytes(pin.value)))


def has_initial_pin(profile: Profile, pin: Secret) -> bool:
    """Whether the holder has not chosen a PIN yet; with an initial one the card does not trade."""
    return pin.value.hex() in profile.security.initial_pins


def prove(session: Session, secret: Secret, right: Callable[[], bool]) -> None:
    """Count an attempt on ``secret``, which has tries left. `AnswerError` 63Cx with the tries left if not ``right``."""
    if not session.memory.attempt(secret, right):
        raise AnswerError(0x63C0 | secret.tries)


SECURITY: Mapping[int, Command] = {
    0x20: verify_pin,
    0x82: external_authenticate,
    0x84: get_challenge,
    0x88: internal_authenticate,
}
"""Instruction byte to command; all of class 00."""
