"""Secure messaging, the card's side: commands that carry a MAC, and perhaps enciphered data.

The MAC (4 bytes) is made over the header, whose Lc counts the MAC, and the data as it is sent, from the card's last
challenge on. Every protected command needs a challenge of its own. Class 04 has plain data, class 84 of an UPDATE
enciphered data: length, data, padding. That ISO commands use these two class bytes is our choice, the rest observed.
"""

import hmac

from juying.card.virtual.session import AnswerError, Request, Session
from juying.card.virtual.tree import Command, HeldKey
from juying.codec.rules import MAC
from juying.codec.spec import KeyKind
from juying.crypto.block import Cipher, decrypt_ecb, pad
from juying.crypto.mac import mac4

MAC_LENGTH = 4
CHALLENGE_LENGTH = {Cipher.TDES: 4, Cipher.SM4: 16}
"""Bytes of the challenge from which a MAC starts (observed)."""
_LONGEST = 0xFF


def opened(session: Session, request: Request, key: HeldKey) -> bytes:
    """The data of a command whose MAC under ``key`` is right.

    `AnswerError`: 6987 without a MAC, 6984 without a challenge, 6988 for a wrong MAC, which counts as a wrong try of
    the key.
    """
    raw = request.data
    if len(raw) < MAC_LENGTH:
        raise AnswerError(0x6987)
    if len(raw) > _LONGEST:
        raise AnswerError(0x6700)
    cipher, secret = session.tree.cipher, key.secret
    challenge = session.take_challenge(CHALLENGE_LENGTH[cipher])
    data, mac = raw[:-MAC_LENGTH], raw[-MAC_LENGTH:]
    header = bytes((request.cla, request.ins, request.p1, request.p2, len(raw)))
    right = mac4(cipher, secret.value, header + data, challenge)
    if not session.memory.attempt(secret, lambda: hmac.compare_digest(right, mac)):
        raise AnswerError(0x6988)
    return data


def deciphered(session: Session, data: bytes, key: HeldKey) -> bytes:
    """What was enciphered as length, data and padding. `AnswerError` 6A80 when it was not.

    Data that fills its last block exactly may come with or without a block of padding: PBOC leaves it out.
    """
    cipher = session.tree.cipher
    if not data or len(data) % cipher.block:
        raise AnswerError(0x6A80)
    plain = decrypt_ecb(cipher, key.secret.value, data)
    end = 1 + plain[0]
    rest = plain[end:]
    if end > len(plain) or len(rest) > cipher.block or rest != pad(b"", cipher.block)[: len(rest)]:
        raise AnswerError(0x6A80)
    return plain[1:end]


def protected(run: Command) -> Command:
    """An UPDATE command with a MAC under the application's maintenance key, whose grant holds for this command."""

    def run_protected(session: Session, request: Request) -> bytes:
        key = session.key(KeyKind.MAINTENANCE)
        data = opened(session, request, key)
        if request.cla & 0x80:
            data = deciphered(session, data, key)
        grant = MAC + key.spec.name
        session.held.add(grant)
        try:
            return run(session, request._replace(data=data))
        finally:
            session.held.discard(grant)

    return run_protected
