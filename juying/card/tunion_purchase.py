"""Transactions of the transit purse: a purchase with the terminal's PSAM, its recovery, loading, and locking a card.

The order is that of validators in the field. A purchase may leave open whether the card was debited: the caller keeps
the `Debit` that `purchase` hands over before the last step, and asks `recover` when the card comes back. Only
simulated keys come with juying; a real card can be debited with the PSAM of its operator only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from juying.card import apdu, status
from juying.card.apdu import Command
from juying.card.channel import Channel
from juying.card.tunion_psam import TransitPsam
from juying.codec.tunion import layout
from juying.codec.tunion.files import PublicData, Transaction
from juying.codec.tunion.trips import Ride, Tap
from juying.crypto import purse as crypto
from juying.crypto.purse import Deal, PurseKeys
from juying.errors import CardError, CardRefused, ProtocolError, StatusError

INITIALIZE, CREDIT, DEBIT, PROVE, UPDATE_CAPP = 0x50, 0x52, 0x54, 0x5A, 0xDC
KEY_INDEX = 0x01
_RIDES_P2, _TRIPS_P2 = 0x1A << 3, 0x1E << 3
_NO_PROOF = 0x9406


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    """A purchase that is about to happen: what has to be stored before the card is debited (灰记录).

    ``sequence`` is the card's number before the purchase, ``terminal_sequence`` the PSAM's; ``balance_fen`` what the
    card said it had, overdraft included.
    """

    serial: str = field(repr=False)
    issuer_code: str
    type: int
    amount_fen: int
    terminal: str
    at: datetime
    sequence: int
    terminal_sequence: int
    balance_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A purchase that has happened; the operator's clearing wants ``tac`` (4 bytes).

    ``verified`` says whether the PSAM found MAC2 right, None when it could not be asked (it was pulled, or opened anew
    since). ``recovered`` says that the proof was fetched later.
    """

    debit: Debit
    tac: bytes
    mac2: bytes
    verified: bool | None
    recovered: bool = False


def purchase(
    card: Channel,
    psam: TransitPsam,
    fare_fen: int,
    *,
    public: PublicData,
    at: datetime,
    tap: Tap | None = None,
    rides: Sequence[Ride] = (),
    before_debit: Callable[[Debit], None] = lambda debit: None,
) -> Receipt:
    """Take ``fare_fen`` (0 for an entry) off the card whose purse is selected, with file 15 as ``public``.

    With ``tap`` (a record of file 1E, and ``rides`` of file 1A before it) it is a compound purchase: fare and records
    are written together. ``before_debit`` is given what has to be stored; if it raises, nothing happened. After that
    any `CardError` other than `StatusError` leaves the outcome open: see `recover`.

    Raises `StatusError` (9401: not enough money), `KeyUseError` for a card that wants another algorithm than 3DES.
    """
    kind = crypto.PURCHASE if tap is None else crypto.COMPOUND
    terminal = psam.terminal
    data = bytes((KEY_INDEX,)) + fare_fen.to_bytes(4) + terminal
    p1 = 0x01 if tap is None else 0x03
    answer = card.send(Command(0x80, INITIALIZE, p1, 0x02, data, 15), step="INITIALIZE FOR PURCHASE")
    _expect(answer, 15, "INITIALIZE FOR PURCHASE")
    balance, sequence = int.from_bytes(answer[:4]) & 0x7FFFFFFF, int.from_bytes(answer[4:6])
    version, algorithm, random = answer[9], answer[10], answer[11:]
    crypto.require_3des(algorithm)
    moment = _moment(at)
    terminal_sequence, mac1 = psam.initialize(
        random=random,
        sequence=sequence,
        deal=Deal(fare_fen, kind, terminal, moment),
        key_version=version,
        algorithm=algorithm,
        public=public,
    )
    if tap is not None:
        _cache(card, rides, tap)
    debit = Debit(
        serial=public.serial,
        issuer_code=public.issuer_code,
        type=kind,
        amount_fen=fare_fen,
        terminal=terminal.hex().upper(),
        at=at,
        sequence=sequence,
        terminal_sequence=int.from_bytes(terminal_sequence),
        balance_fen=balance,
    )
    before_debit(debit)
    answer = card.send(Command(0x80, DEBIT, 0x01, 0x00, terminal_sequence + moment + mac1, 8), step="DEBIT")
    _expect(answer, 8, "DEBIT")
    return Receipt(debit=debit, tac=answer[:4], mac2=answer[4:], verified=_verified(psam, answer[4:]))


def recover(card: Channel, psam: TransitPsam, debit: Debit, *, public: PublicData) -> Receipt | None:
    """Find out whether a purchase of unknown outcome happened, on the card that has come back and is selected.

    The newest record of file 18 tells: it is written together with the debit. The proof is then fetched with GET
    TRANSACTION PROVE, by the number after the purchase and, for cards that count otherwise, by the one before. None
    when the card was not debited; the purchase can be made anew.

    Raises `CardRefused` when it is another card, `StatusError` when the proof is not to be had any more.
    """
    if (public.serial, public.issuer_code) != (debit.serial, debit.issuer_code):
        raise CardRefused("这不是上次交易中断的那张卡", "this is not the card whose purchase was broken off")
    file = layout.file(layout.TRANSACTIONS)
    answer = card.transmit(apdu.read_record(1, file.record_length, sfi=file.sfi))
    if answer.sw == 0x6A83:  # an empty log
        return None
    if answer.sw != status.OK:
        raise StatusError(answer.sw, status.meaning(answer.sw), where=layout.TRANSACTIONS)
    if not _is_of(Transaction.decode(answer.data), debit):
        return None
    for sequence in (debit.sequence + 1, debit.sequence):
        command = Command(0x80, PROVE, 0x00, debit.type, sequence.to_bytes(2), 8)
        answer = card.transmit(command)
        if answer.sw == status.OK:
            _expect(answer.data, 8, "GET TRANSACTION PROVE")
            mac2, tac = answer.data[:4], answer.data[4:]
            return Receipt(debit=debit, tac=tac, mac2=mac2, verified=_verified(psam, mac2), recovered=True)
        if answer.sw != _NO_PROOF:
            break
    raise StatusError(answer.sw, status.meaning(answer.sw), where="GET TRANSACTION PROVE")


def load(
    card: Channel, keys: PurseKeys, amount_fen: int, *, public: PublicData, terminal: bytes, at: datetime
) -> bytes:
    """Load ``amount_fen`` onto the card whose purse is selected; the TAC.

    ``keys`` play the issuer, who would answer online. Raises `StatusError`, `CardRefused` when the card's MAC is wrong,
    `KeyUseError` for another algorithm than 3DES.
    """
    deal = Deal(amount_fen, crypto.LOAD, terminal, _moment(at))
    data = bytes((KEY_INDEX,)) + deal.amount_bytes + terminal
    answer = card.send(Command(0x80, INITIALIZE, 0x00, 0x02, data, 16), step="INITIALIZE FOR LOAD")
    _expect(answer, 16, "INITIALIZE FOR LOAD")
    balance, sequence = int.from_bytes(answer[:4]), int.from_bytes(answer[4:6])
    crypto.require_3des(answer[7])
    key = keys.card_key("DLK", bytes.fromhex(public.issuer_code), bytes.fromhex(public.serial))
    session = crypto.load_key(key, answer[8:12], sequence)
    if not crypto.same(crypto.load_mac1(session, deal, balance), answer[12:]):
        raise CardRefused("卡片的 MAC1 不正确，没有圈存", "the card's MAC1 is wrong: nothing was loaded")
    data = deal.moment + crypto.load_mac2(session, deal)
    return card.send(Command(0x80, CREDIT, 0x00, 0x00, data, 4), step="CREDIT FOR LOAD")


def lock(card: Channel, psam: TransitPsam, *, public: PublicData, for_ever: bool = False) -> None:
    """Lock the selected application of a card on the black list. Raises `StatusError`."""
    challenge = card.send(Command(0x00, 0x84, 0x00, 0x00, b"", 4), step="GET CHALLENGE")
    command = Command(0x84, 0x1E, 0x00, int(for_ever), bytes(4))
    mac = psam.lock_mac(challenge, command.encode()[:5], public=public)
    card.send(replace(command, data=mac), step="APPLICATION BLOCK")


def _cache(card: Channel, rides: Sequence[Ride], tap: Tap) -> None:
    for ride in rides:
        record = Command(0x80, UPDATE_CAPP, ride.record_id & 0xFF, _RIDES_P2, ride.encode())
        card.send(record, step=f"UPDATE CAPP DATA CACHE {ride.record_id:04X}")
    card.send(Command(0x80, UPDATE_CAPP, 0x00, _TRIPS_P2, tap.encode()), step="UPDATE CAPP DATA CACHE 1E")


def _verified(psam: TransitPsam, mac2: bytes) -> bool | None:
    """Whether the PSAM accepts MAC2; the card is debited already, so nothing that goes wrong here may lose the TAC."""
    try:
        return psam.check(mac2)
    except CardError:
        return None


def _is_of(record: Transaction, debit: Debit) -> bool:
    said = (record.date + record.time, record.amount_fen, record.terminal, record.type)
    return said == (_moment(debit.at).hex(), debit.amount_fen, debit.terminal, f"{debit.type:02X}")


def _moment(at: datetime) -> bytes:
    return bytes.fromhex(at.strftime("%Y%m%d%H%M%S"))


def _expect(answer: bytes, length: int, step: str) -> None:
    if len(answer) != length:
        raise ProtocolError(
            f"卡片的应答应为 {length} 字节，实为 {len(answer)} 字节",
            f"the card answered with {len(answer)} bytes in place of {length}",
            where=step,
        )
