"""Keys and cryptograms of the purse of transit cards, edition with 3DES (JT/T 978, after PBOC).

A MAC is a single-DES CBC-MAC (see `juying.crypto.mac`) under a session key of 8 bytes, of which the left 4 bytes count.
Purchase and load agree with examples published in several places. The edition with SM4 is not published, and a card
that asks for it (algorithm byte other than 00) is refused.

========== =========================================================================================================
key        3DES of one block under the card's purchase or load key
========== =========================================================================================================
purchase   random of the card (4), offline sequence number (2), right half of the terminal's sequence number (2)
load       random of the card (4), online sequence number (2), 8000
TAC        left half XOR right half of the card's TAC key
========== =========================================================================================================
"""

import functools
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from juying.crypto.block import Cipher, encrypt_ecb
from juying.crypto.diversify import diversify
from juying.crypto.mac import des_mac
from juying.errors import InputError, KeyUseError

LOAD, PURCHASE, COMPOUND = 0x02, 0x06, 0x09
"""Transaction types: load of the purse, purchase, compound purchase (CAPP)."""
ALGORITHM_3DES: Final = 0x00
"""Algorithm byte of all cards seen; that of SM4 is believed to be 04."""
KEY_VERSION: Final = 0x01
"""Version of the keys on our virtual cards (our choice)."""
KEY_NAMES: Final = ("DPK", "DLK", "DTK", "DAMK")
"""Keys of a card: purchase, load, TAC, maintenance (blocking, protected updates)."""


@dataclass(frozen=True, slots=True)
class Deal:
    """What both sides sign: ``amount`` in fen, ``type``, ``terminal`` (6 bytes), ``moment`` (BCD YYYYMMDDhhmmss)."""

    amount: int
    type: int
    terminal: bytes
    moment: bytes = bytes(7)

    @property
    def amount_bytes(self) -> bytes:
        """The amount, 4 bytes, big-endian."""
        return self.amount.to_bytes(4)

    @property
    def head(self) -> bytes:
        """Amount, type and terminal."""
        return self.amount_bytes + bytes((self.type,)) + self.terminal


def card_key(master: bytes, issuer_code: bytes, serial: bytes) -> bytes:
    """A card's key (16 bytes) from the key of the scheme, in two levels.

    The factors are the issuer code (8 bytes of file 15) and the last 8 bytes of the serial. One source for the levels;
    it agrees with the order in which a PSAM takes them. Raises `InputError` for other lengths.
    """
    return diversify(Cipher.TDES, diversify(Cipher.TDES, master, issuer_code), serial[-8:])


def purchase_key(key: bytes, random: bytes, sequence: int, terminal_sequence: bytes) -> bytes:
    """The session key of a purchase (8 bytes), from the card's purchase key; ``terminal_sequence`` has 4 bytes."""
    return encrypt_ecb(Cipher.TDES, key, random + sequence.to_bytes(2) + terminal_sequence[-2:])


def load_key(key: bytes, random: bytes, sequence: int) -> bytes:
    """The session key of a load (8 bytes), from the card's load key and the online sequence number."""
    return encrypt_ecb(Cipher.TDES, key, random + sequence.to_bytes(2) + b"\x80\x00")


def tac_key(key: bytes) -> bytes:
    """The key of transaction codes (8 bytes) from the card's TAC key (16 bytes)."""
    return bytes(left ^ right for left, right in zip(key[:8], key[8:], strict=True))


def purchase_mac1(session: bytes, deal: Deal) -> bytes:
    """MAC1 of a purchase: by the terminal, for the card."""
    return _mac(session, deal.head + deal.moment)


def purchase_mac2(session: bytes, deal: Deal) -> bytes:
    """MAC2 of a purchase: by the card, for the terminal, after it was debited."""
    return _mac(session, deal.amount_bytes)


def purchase_tac(key: bytes, deal: Deal, terminal_sequence: bytes) -> bytes:
    """The transaction code of a purchase, which the operator's clearing checks; ``key`` is that of `tac_key`."""
    return _mac(key, deal.head + terminal_sequence + deal.moment)


def load_mac1(session: bytes, deal: Deal, balance: int) -> bytes:
    """MAC1 of a load: by the card, for the issuer; ``balance`` is the one before, in fen."""
    return _mac(session, balance.to_bytes(4) + deal.head)


def load_mac2(session: bytes, deal: Deal) -> bytes:
    """MAC2 of a load: by the issuer, for the card."""
    return _mac(session, deal.head + deal.moment)


def load_tac(key: bytes, deal: Deal, balance: int, sequence: int) -> bytes:
    """The transaction code of a load; ``balance`` is the one after (the rule of PBOC, no published example)."""
    return _mac(key, balance.to_bytes(4) + sequence.to_bytes(2) + deal.head + deal.moment)


def same(left: bytes, right: bytes) -> bool:
    """Whether two MACs are equal, found out in constant time."""
    return hmac.compare_digest(left, right)


def require_3des(algorithm: int) -> None:
    """Refuse every algorithm byte but that of 3DES. Raises `KeyUseError`."""
    if algorithm != ALGORITHM_3DES:
        raise KeyUseError(
            f"卡片要求算法 {algorithm:02X}（可能为国密 SM4）：其会话密钥和 MAC 没有公开资料，只支持 3DES（00）",
            f"the card asks for algorithm {algorithm:02X} (perhaps SM4): its session keys and MACs are not published, "
            "only 3DES (00) is supported",
        )


class PurseKeys:
    """Keys of a scheme by name (see `KEY_NAMES`), and the cards' keys made from them. Never shown."""

    __slots__ = ("_masters",)

    def __init__(self, masters: Mapping[str, bytes]) -> None:
        """Take keys of 16 bytes. Raises `InputError` for another length or an unknown name."""
        for name, key in masters.items():
            if name not in KEY_NAMES or len(key) != 16:
                known = ", ".join(KEY_NAMES)
                raise InputError(
                    f"钱包密钥应为 {known}，各 16 字节", f"keys of a purse are {known}, 16 bytes each", where=name
                )
        self._masters = dict(masters)

    def __repr__(self) -> str:
        """The names."""
        return f"PurseKeys({', '.join(self._masters)})"

    def card_key(self, name: str, issuer_code: bytes, serial: bytes) -> bytes:
        """The key ``name`` of the card with this issuer code and serial. Raises `KeyUseError` when it is not held."""
        master = self._masters.get(name)
        if master is None:
            raise KeyUseError(f"没有钱包密钥 {name}", f"the purse key {name} is not held", where=name)
        return card_key(master, issuer_code, serial)


@functools.cache
def demonstration_keys() -> PurseKeys:
    """Keys that anyone can compute: for virtual cards and PSAMs, of no effect on any real card."""
    seed = "juying demonstration transit key "
    return PurseKeys({name: hashlib.sha256(f"{seed}{name}".encode()).digest()[:16] for name in KEY_NAMES})


def _mac(key: bytes, data: bytes) -> bytes:
    return des_mac(key, data)[:4]
