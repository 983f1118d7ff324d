"""Debit from the medical account: the card notes a transaction in DF04/EF08 and proves it.

What the debit command of the social security card looks like is not published. What is published (the strings of the
HSM steps, the fields of the records, the key names DPK and DTK) fits the purchase of PBOC, so that is what virtual card
and terminal do here. It is our choice, and no real card has been tried.

========== ==================================================================================================
initialize ``80 50 01 00 0F``: key index 01, two amounts (4 + 4), terminal number (6); the card answers its
           transaction number (2), key version 01, algorithm (00 3DES, 03 SM4), random (4)
debit      ``80 54 01 00 0F``: terminal's transaction number (0000 and the card's), date and time (7), MAC1 (4);
           the card answers TAC (4) and MAC2 (4)
factor     random, transaction number, transaction number: 8 bytes
MAC1       over 00000000, both amounts, type, terminal number, date and time
MAC2       over both amounts
TAC        under DTK over both amounts, type, terminal number, transaction number (4), date and time
========== ==================================================================================================

MAC1 and MAC2 are made with DPK: with 3DES as a single-DES CBC-MAC under the session key 3DES(DPK, factor), with SM4 as
the folded CBC-MAC under DPK itself, which starts from the factor and eight 00. Amounts are big-endian fen.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from juying.card.apdu import Command
from juying.crypto.block import Cipher, pad
from juying.crypto.keys import CardKey, Keys
from juying.errors import ProtocolError

DEBIT_FILE: Final = "DF04/EF08"
"""Cyclic file of transactions, which only the debit command writes."""
INITIALIZE, DEBIT = 0x50, 0x54
CLASS, INDEX = 0x80, 0x01
TYPE: Final = b"6"
"""Kind of transaction in record and MAC, a character: purchase is 06 in PBOC (our choice)."""
INITIALIZE_LENGTH = DEBIT_LENGTH = 15
"""Bytes of data of either command."""
OFFER_LENGTH = PROOF_LENGTH = 8
"""Bytes of data of either answer."""
ALGORITHMS: Final = {Cipher.TDES: 0x00, Cipher.SM4: 0x03}
_VERSION = 0x01
_ZERO_AMOUNT = bytes(4)


@dataclass(frozen=True, slots=True)
class Deal:
    """What both sides sign: two amounts in fen (their meaning is not published), terminal (6 bytes), moment (7, BCD).

    ``number`` is the card's transaction number, ``random`` what the card drew for this transaction (4 bytes).
    """

    amounts: tuple[int, int]
    terminal: bytes
    moment: bytes
    number: int = 0
    random: bytes = bytes(4)

    @property
    def amount_bytes(self) -> bytes:
        """Both amounts, 8 bytes."""
        return b"".join(amount.to_bytes(4) for amount in self.amounts)

    @property
    def sequence(self) -> bytes:
        """The terminal's transaction number, 4 bytes: 0000 and the card's (observed in the HSM steps)."""
        return self.number.to_bytes(4)

    @property
    def factor(self) -> bytes:
        """What makes the session key, 8 bytes."""
        return self.random + self.sequence[2:] * 2

    @property
    def claim(self) -> bytes:
        """What MAC1 is made over."""
        return _ZERO_AMOUNT + self.amount_bytes + TYPE + self.terminal + self.moment

    @property
    def receipt(self) -> bytes:
        """What the TAC is made over."""
        return self.amount_bytes + TYPE + self.terminal + self.sequence + self.moment


class Offer(NamedTuple):
    """The card's answer to INITIALIZE FOR DEBIT."""

    number: int
    random: bytes


class Proof(NamedTuple):
    """The card's answer to DEBIT: a code for whoever settles, and the proof for the terminal; 4 bytes each."""

    tac: bytes
    mac2: bytes


def initialize_command(deal: Deal) -> Command:
    """The command that begins a debit."""
    return Command(CLASS, INITIALIZE, INDEX, 0x00, bytes((INDEX,)) + deal.amount_bytes + deal.terminal, OFFER_LENGTH)


def parse_offer(data: bytes, cipher: Cipher) -> Offer:
    """The card's answer to it. Raises `ProtocolError` for another length or algorithm."""
    if len(data) != OFFER_LENGTH or data[3] != ALGORITHMS[cipher]:
        raise ProtocolError("卡片对消费初始化的应答无效", "the card's answer to INITIALIZE FOR DEBIT makes no sense")
    return Offer(int.from_bytes(data[:2]), data[4:])


def build_offer(offer: Offer, cipher: Cipher) -> bytes:
    """The bytes of such an answer."""
    return offer.number.to_bytes(2) + bytes((_VERSION, ALGORITHMS[cipher])) + offer.random


def debit_command(sequence: bytes, moment: bytes, mac1: bytes) -> Command:
    """The command that carries it out."""
    return Command(CLASS, DEBIT, INDEX, 0x00, sequence + moment + mac1, PROOF_LENGTH)


def parse_proof(data: bytes) -> Proof:
    """The card's answer to it. Raises `ProtocolError` for another length."""
    if len(data) != PROOF_LENGTH:
        raise ProtocolError("卡片对消费的应答无效", "the card's answer to DEBIT makes no sense")
    return Proof(data[:4], data[4:])


def session_mac(keys: Keys, key: CardKey, factor: bytes, data: bytes) -> bytes:
    """A MAC of 4 bytes over ``data`` under the purchase key of one card and the factor of one transaction.

    With 3DES each block is one step of external authentication, so that a PSAM can do it. Raises what ``keys`` raise.
    """
    if key.cipher is Cipher.SM4:
        return keys.mac(key, factor + bytes(8), data)
    state = bytes(8)
    padded = pad(data, 8)
    for start in range(0, len(padded), 8):
        block = bytes(a ^ b for a, b in zip(state, padded[start : start + 8], strict=True))
        state = keys.external_answer(key, factor, block)[:8]
    return state[:4]


def bcd_moment(moment: datetime) -> bytes:
    """Date and time as 7 bytes BCD."""
    return bytes.fromhex(moment.strftime("%Y%m%d%H%M%S"))
