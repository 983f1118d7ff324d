"""Debit on a virtual card: see `juying.card.debit`, which says how far this is our choice.

The card wants the holder's PIN first, and not an initial one (6985). The record is written whole or not at all.
"""

from collections.abc import Mapping
from datetime import datetime

from juying.card.debit import (
    DEBIT,
    DEBIT_FILE,
    DEBIT_LENGTH,
    INDEX,
    INITIALIZE,
    INITIALIZE_LENGTH,
    TYPE,
    Deal,
    Offer,
    build_offer,
)
from juying.card.virtual.framing import PROPRIETARY, expect_class
from juying.card.virtual.memory import Memory, Secret
from juying.card.virtual.session import AnswerError, Request, Session, usable
from juying.card.virtual.tree import Command, Dedicated, Tree
from juying.codec.rules import PIN, access_rule
from juying.codec.spec import KeyKind
from juying.crypto.block import Cipher, encrypt_ecb
from juying.crypto.mac import des_mac, mac4
from juying.crypto.purse import same, tac_key

COUNTER_END = 0xFFFE
"""Highest transaction number; FFFF would read as never written (our choice)."""
_PIN_RULE = access_rule(PIN)
_NO_AMOUNT = bytes(4)


class Till:
    """The debit commands over the transactions in a card's memory."""

    def __init__(self, memory: Memory, directory: Dedicated, cipher: Cipher) -> None:
        """Take over the transaction file of the application ``directory``."""
        self._memory = memory
        self._directory = directory
        self._cipher = cipher
        self._open: tuple[Session, Deal] | None = None

    @property
    def commands(self) -> Mapping[int, Command]:
        """Instruction byte to command."""
        return {INITIALIZE: self.initialize, DEBIT: self.debit}

    def forget(self) -> None:
        """The application was selected (again): what was going on is over."""
        self._open = None

    def initialize(self, session: Session, request: Request) -> bytes:
        """50: begin a debit."""
        self.forget()
        _check(request, INITIALIZE_LENGTH)
        session.require(_PIN_RULE)
        if bytes(self._memory.pin.value) in session.tree.initial_pins:
            raise AnswerError(0x6985)
        data = request.data
        if data[0] != INDEX:
            raise AnswerError(0x9403)
        self._key(KeyKind.PURCHASE)
        records = self._memory.files[DEBIT_FILE]
        number = int.from_bytes(records[0][:2]) + 1 if records else 1
        if number > COUNTER_END:
            raise AnswerError(0x9402)
        amounts = int.from_bytes(data[1:5]), int.from_bytes(data[5:9])
        offer = Offer(number, session.random(4))
        self._open = session, Deal(amounts, data[9:], b"", number, offer.random)
        return build_offer(offer, self._cipher)

    def debit(self, session: Session, request: Request) -> bytes:
        """54: note the transaction; the answer is TAC and MAC2."""
        pending, self._open = self._open, None
        _check(request, DEBIT_LENGTH)
        if pending is None or pending[0] is not session or PIN not in session.held:
            raise AnswerError(0x6985)
        begun, sequence, moment, mac1 = pending[1], request.data[:4], request.data[4:11], request.data[11:]
        deal = Deal(begun.amounts, begun.terminal, moment, begun.number, begun.random)
        if sequence != deal.sequence or not _is_moment(moment):
            raise AnswerError(0x6A80)
        purchase, tac = self._key(KeyKind.PURCHASE), self._key(KeyKind.TAC)
        if not self._memory.attempt(purchase, lambda: same(self._mac(purchase, deal, deal.claim), mac1)):
            raise AnswerError(0x9302)
        self._memory.append(
            DEBIT_FILE,
            sequence[2:] + TYPE + deal.terminal + moment + deal.amount_bytes + _NO_AMOUNT,
            self._directory.by_fid[0xEF08].capacity,
        )
        return self._tac(tac, deal) + self._mac(purchase, deal, deal.amount_bytes)

    def _key(self, kind: KeyKind) -> Secret:
        keys = self._directory.keys.values()
        return usable(next((key for key in keys if key.spec.kind is kind), None)).secret

    def _mac(self, key: Secret, deal: Deal, data: bytes) -> bytes:
        if self._cipher is Cipher.SM4:
            return mac4(self._cipher, key.value, data, deal.factor + bytes(8))
        return des_mac(encrypt_ecb(self._cipher, key.value, deal.factor), data)[:4]

    def _tac(self, key: Secret, deal: Deal) -> bytes:
        if self._cipher is Cipher.SM4:
            return mac4(self._cipher, key.value, deal.receipt, bytes(16))
        return des_mac(tac_key(bytes(key.value)), deal.receipt)[:4]


def _check(request: Request, length: int) -> None:
    expect_class(request, PROPRIETARY)
    if (request.p1, request.p2) != (INDEX, 0x00):
        raise AnswerError(0x6A86)
    if len(request.data) != length:
        raise AnswerError(0x6700)


def _is_moment(moment: bytes) -> bool:
    digits = moment.hex()
    try:
        datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")
    except ValueError:
        return False
    return True


def equip_debit(tree: Tree, memory: Memory) -> None:
    """Give the application with the transaction file its debit commands, on cards that have it."""
    name = DEBIT_FILE.partition("/")[0]
    directory = next((entry for entry in tree.applications if entry.name == name), None)
    if directory is None or DEBIT_FILE not in memory.files:
        return
    till = Till(memory, directory, tree.cipher)
    directory.commands = till.commands
    directory.on_select = till.forget
