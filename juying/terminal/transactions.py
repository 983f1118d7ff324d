"""Debit and its records: pPayInfo, what the card is asked, and what pOutInfo says of a transaction.

``amount|amount|YYYYMMDDhhmmss|`` is published. How records look in pOutInfo is not; ours are the fields of DF04/EF08,
each ended by ``|``, each record by ``$``.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from juying.card.debit import (
    DEBIT_FILE,
    TYPE,
    Deal,
    Proof,
    bcd_moment,
    debit_command,
    initialize_command,
    parse_offer,
    parse_proof,
    session_mac,
)
from juying.codec.spec import KeyKind, Profile
from juying.crypto.keys import Keys
from juying.crypto.purse import same
from juying.errors import DecodeError, KeyUseError, StatusError
from juying.terminal import answers
from juying.terminal.card import TerminalCard
from juying.terminal.codes import CallError, Code, refused
from juying.terminal.pins import NOT_NOW
from juying.terminal.slots import lacking
from juying.text import Text

PURCHASE_PLACE = DEBIT_FILE.partition("/")[0]
_WRONG_MAC = 0x9302


@dataclass(frozen=True, slots=True)
class Payment:
    """What pPayInfo says: two amounts in fen, whose meaning is not published, and when."""

    amounts: tuple[int, int]
    moment: datetime


def parse_payment(text: str) -> Payment:
    """Read pPayInfo. Raises `CallError` -14 for its form, -41, -42 or -23 for its values."""
    parts = text.split("|")
    if len(parts) != 4 or parts[3]:
        raise CallError(Code.PARAMETER, Text("应为“金额|金额|时间|”", "amount|amount|time| is needed"))
    return Payment((answers.parse_yuan(parts[0]), answers.parse_yuan(parts[1])), answers.parse_moment(parts[2]))


@dataclass(frozen=True, slots=True)
class Receipt:
    """A debit that was carried out."""

    deal: Deal
    proof: Proof

    def told(self, profile: Profile) -> str:
        """The new record, and the transaction code (8 hex digits)."""
        deal = self.deal
        raw = deal.sequence[2:] + TYPE + deal.terminal + deal.moment + deal.amount_bytes + bytes(4)
        return told_record(profile, raw) + f"{self.proof.tac.hex().upper()}|"


def told_record(profile: Profile, raw: bytes) -> str:
    """One record of the transaction file, without its end. Raises `CallError` -23."""
    file = profile.file(DEBIT_FILE)
    try:
        return answers.told_fields(file.records, file.decode_row(raw))
    except DecodeError:
        raise CallError(Code.DATA, Text("交易明细无法解读", "a transaction makes no sense")) from None


def read_records(card: TerminalCard) -> str:
    """Every transaction on the card, the newest first. The holder's PIN is shown."""
    file = card.profile.file(DEBIT_FILE)
    card.select(file)
    card.show_pin()
    return "".join(f"{told_record(card.profile, raw)}$" for raw in card.read_records(file))


def begin(card: TerminalCard, payment: Payment, terminal_number: str) -> Deal:
    """Verify the PIN and announce the debit. Raises `CallError` -35 while the PIN is an initial one."""
    if not terminal_number:
        raise CallError(Code.PARAMETER, Text("没有设置终端机编号", "the number of the terminal is not set up"))
    card.select(card.profile.file(DEBIT_FILE))
    card.show_pin()
    deal = Deal(payment.amounts, bytes.fromhex(terminal_number), bcd_moment(payment.moment))
    try:
        answer = card.channel.send(initialize_command(deal), step="INITIALIZE FOR DEBIT")
    except StatusError as error:
        raise CallError(Code.INITIAL_PIN) if error.sw == NOT_NOW else refused(error.sw, error.text) from None
    offer = parse_offer(answer, card.cipher)
    return replace(deal, number=offer.number, random=offer.random)


def finish(card: TerminalCard, deal: Deal, mac1: bytes) -> Receipt:
    """Carry it out."""
    command = debit_command(deal.sequence, deal.moment, mac1)
    return Receipt(deal, parse_proof(card.channel.send(command, step="DEBIT")))


def debit(card: TerminalCard, payment: Payment, terminal_number: str, keys: Keys) -> str:
    """The whole debit with keys of ours. Raises `CallError` -37634 when the card cannot prove what it did."""
    name = card.key_of(PURCHASE_PLACE, KeyKind.PURCHASE).name
    key = card.key(PURCHASE_PLACE, name)
    if not keys.has(key):
        raise lacking(keys, key)
    deal = begin(card, payment, terminal_number)
    try:
        receipt = finish(card, deal, session_mac(keys, key, deal.factor, deal.claim))
        expected = session_mac(keys, key, deal.factor, deal.amount_bytes)
    except KeyUseError:
        raise lacking(keys, key) from None
    if not same(expected, receipt.proof.mac2):
        raise refused(_WRONG_MAC, Text("卡片未能证明已完成扣款", "the card could not prove that it was debited"))
    return receipt.told(card.profile)
