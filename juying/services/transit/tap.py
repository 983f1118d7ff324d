"""A whole tap: read the card, decide, take the fare with the terminal's PSAM, and never take it twice.

Entering is a compound purchase of nothing that writes what was entered and when; leaving takes the fare and closes the
ride; a flat fare writes a trip record only; a ride that was never ended costs what was marked for it. A card that is
torn on the way holds all of it or nothing: when it comes back the journal knows what was going on, and the card says
whether it happened.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from juying.card.channel import Channel
from juying.card.tunion import TransitCard, read_transit
from juying.card.tunion_psam import TransitPsam
from juying.card.tunion_purchase import Debit, Receipt, lock, purchase, recover
from juying.codec.tunion.files import PublicData
from juying.errors import CardRefused, InputError, KeyUseError, StatusError
from juying.services.transit.checking import Step, failed, passed, unknown
from juying.services.transit.fare_checks import yuan
from juying.services.transit.gate import Ruling, china_time, opens, rule
from juying.services.transit.journal import Entry, State, TapJournal
from juying.services.transit.records import ride_record, tap_record
from juying.services.transit.ride_checks import Action
from juying.services.transit.site import Site
from juying.services.verdict import Check, Verdict

_DEBIT = "DEBIT"
"""The step of a purchase that takes the money."""
_REFUSALS = {0x9401, 0x9402, 0x9403, 0x9407, 0x9408}
"""What a card answers that will not pay here: no money, counter at its end, key, record locked, grey-locked."""
_WRONG_MAC = 0x9302
_PURCHASES = ("06", "09")
_LOG = 10
"""Records of file 18."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What became of a tap.

    ``opens``: the gate may open. ``receipt`` is what the purchase left, None when there was none. ``resumed``: it is
    the end of a tap that was interrupted, and nothing was taken now. ``locked``: a card of the black list is locked.
    """

    verdict: Verdict
    action: Action | None = None
    opens: bool = False
    receipt: Receipt | None = field(default=None, repr=False)
    resumed: bool = False
    locked: bool = False

    def to_dict(self) -> dict[str, object]:
        """Everything but the receipt as plain JSON values."""
        return {**self.verdict.to_dict(), "opens": self.opens, "resumed": self.resumed, "locked": self.locked}


def tap(card: Channel, psam: TransitPsam, site: Site, journal: TapJournal, *, now: datetime) -> Passage:
    """Carry out one tap, at ``now`` (with a time zone).

    Raises `InputError` for a site without a fare policy, another PSAM than the site's, or a journal that cannot be
    written (nothing was taken then), `CardError` when card or PSAM is gone: the card has to be shown again.
    """
    if site.fares is None:
        raise InputError(
            "没有票价规则，不能扣款", "without a fare policy nothing can be charged", where=f"{site.name}.fares"
        )
    if site.terminal and psam.terminal.hex().upper() != site.terminal:
        raise InputError("PSAM 不是本终端的", "this is not the terminal's PSAM", where=f"{site.name}.terminal")
    try:
        seen = read_transit(card)
    except CardRefused as error:
        return Passage(verdict=Verdict.of(site.name, [failed(Step.APPLICATION, "6A82", *error.text)], now=now))
    return _Tap(card, psam, site, journal, seen, now).run()


class _Tap:
    """One tap, of a card that was read."""

    def __init__(
        self, card: Channel, psam: TransitPsam, site: Site, journal: TapJournal, seen: TransitCard, now: datetime
    ) -> None:
        self._card, self._psam, self._site, self._journal = card, psam, site, journal
        self._seen, self._now, self._moment = seen, now, china_time(now)

    def run(self) -> Passage:
        public = self._seen.public
        entry = self._journal.grey(public.serial, public.issuer_code) if public else None
        if public is not None and entry is not None:
            state, receipt = self._settle(entry, public)
            if state is State.GREY:
                return self._undecided(entry)
            if state in (State.PAID, State.UNPROVEN) and self._is_same_tap(entry):
                return self._resumed(entry, receipt)
        ruling = rule(self._seen, self._site, now=self._now)
        action, fare = ruling.action, ruling.fare_fen
        if public is None or action is None or fare is None or not ruling.verdict.eligible:
            return Passage(verdict=ruling.verdict, action=action, locked=self._lock(ruling, public))
        return self._buy(ruling, action, fare, public)

    # An interrupted tap ------------------------------------------------------------------------------

    def _settle(self, entry: Entry, public: PublicData) -> tuple[State | None, Receipt | None]:
        """Find out what became of a purchase, and write it down; None when it did not happen."""
        debit = entry.debit
        try:
            receipt = recover(self._card, self._psam, debit, public=public)
        except StatusError as error:
            if not error.where.startswith("GET TRANSACTION PROVE"):
                return State.GREY, None  # the log cannot be read: the question stays open
            self._journal.settle(debit, State.UNPROVEN)
            return State.UNPROVEN, None
        if receipt is not None:
            self._journal.settle(debit, State.PAID, receipt)
            return State.PAID, receipt
        state = self._from_the_log(debit)
        if state is None:
            self._journal.void(debit)
        else:
            self._journal.settle(debit, state)
        return state, None

    def _from_the_log(self, debit: Debit) -> State | None:
        """The newest record is another one: look at the others, if the card was used since.

        Cards that number their records by the transaction before them, or after, agree in this: a number beyond that of
        the purchase is a later one.
        """
        number = self._seen.sequence
        if not self._seen.trips or (number is not None and number <= debit.sequence):
            return None
        log = [trip for trip in read_transit(self._card, trips=True).trips if trip.transaction]
        wanted = (f"{debit.type:02X}", debit.at, debit.amount_fen, debit.terminal)
        if any((trip.transaction, trip.at, trip.amount_fen, trip.terminal[-12:]) == wanted for trip in log):
            return State.UNPROVEN
        earlier = any(
            trip.transaction in _PURCHASES and trip.sequence is not None and trip.sequence <= debit.sequence
            for trip in log
        )
        return None if earlier or len(log) < _LOG else State.LOST

    def _is_same_tap(self, entry: Entry) -> bool:
        """Whether somebody stands there again; who has come back another time, or elsewhere, begins a new one."""
        since = self._moment - entry.debit.at
        return entry.mode is self._site.mode and since <= timedelta(minutes=self._site.resume_minutes)

    def _resumed(self, entry: Entry, receipt: Receipt | None) -> Passage:
        text = "上次刷卡已完成，不再扣款", "the interrupted tap was completed; nothing more is taken"
        verdict = self._verdict(passed(Step.PURCHASE, *text, "resumed"), entry)
        return Passage(
            verdict=verdict,
            action=entry.action,
            opens=opens(entry.action, self._site.mode),
            receipt=receipt,
            resumed=True,
        )

    def _undecided(self, entry: Entry) -> Passage:
        text = (
            "上次扣款是否成功无法查明，请找工作人员",
            "whether the last fare was taken cannot be found out; ask the staff",
        )
        return Passage(verdict=self._verdict(unknown(Step.PURCHASE, "unresolved", *text), entry), action=entry.action)

    def _verdict(self, check: Check, entry: Entry) -> Verdict:
        evidence = {
            "city": self._seen.city_code,
            "action": str(entry.action),
            "fare_fen": entry.debit.amount_fen,
            "balance_fen": self._seen.balance_fen,
        }
        return Verdict.of(self._site.name, [check], evidence=evidence, now=self._now)

    # A new one ---------------------------------------------------------------------------------------

    def _lock(self, ruling: Ruling, public: PublicData | None) -> bool:
        """Lock a card that is on the black list, where the site wants it; a card that refuses stays as it is."""
        listed = any(check.name == Step.BLACK_LIST and check.code == "black-listed" for check in ruling.verdict.checks)
        if not (listed and public and self._site.lock_black_listed) or self._seen.blocked:
            return False
        try:
            lock(self._card, self._psam, public=public)
        except StatusError:
            return False
        return True

    def _buy(self, ruling: Ruling, action: Action, fare: int, public: PublicData) -> Passage:
        terminal, left = self._psam.terminal, (self._seen.balance_fen or 0) - fare
        ride = ride_record(
            self._site,
            action,
            ruling.ride,
            terminal=terminal,
            fare_fen=fare,
            marked_fen=ruling.marked_fen or 0,
            at=self._moment,
        )
        trip = tap_record(self._site, action, terminal=terminal, fare_fen=fare, left_fen=left, at=self._moment)
        try:
            receipt = purchase(
                self._card,
                self._psam,
                fare,
                public=public,
                at=self._moment,
                tap=trip,
                rides=[] if ride is None else [ride],
                before_debit=lambda debit: self._journal.begin(debit, action, self._site.mode),
            )
        except StatusError as error:
            return self._refused(ruling, public, error)
        except KeyUseError as error:
            return self._decided(ruling, unknown(Step.PURCHASE, "algorithm", *error.text))
        if receipt.verified is None:  # the gate stays shut, and when the card comes back this is not taken again
            self._journal.settle(receipt.debit, State.GREY, receipt)
            text = (
                "已扣款，但 PSAM 没有确认，请再次刷卡",
                "the fare was taken, but the PSAM did not confirm it; tap again",
            )
            return self._decided(ruling, unknown(Step.PURCHASE, "unconfirmed", *text), receipt)
        self._journal.settle(receipt.debit, State.PAID, receipt)
        if not receipt.verified:
            text = "已扣款，但卡片的 MAC2 不正确", "the fare was taken, but the card's MAC2 is wrong"
            return self._decided(ruling, failed(Step.PURCHASE, "9302", *text), receipt)
        zh, en = f"{action.text.zh}，扣款 {yuan(fare)} 元", f"{action.text.en}, {yuan(fare)} yuan taken"
        if not opens(action, self._site.mode):
            zh, en = f"{zh}，请再次刷卡", f"{en}; tap again"
        return self._decided(ruling, passed(Step.PURCHASE, zh, en), receipt)

    def _refused(self, ruling: Ruling, public: PublicData, error: StatusError) -> Passage:
        """Card or PSAM said no. Only after DEBIT, and for another reason than the MAC, is it open what happened."""
        at_debit, wrong_mac = error.where == _DEBIT, error.sw == _WRONG_MAC
        grey = self._journal.grey(public.serial, public.issuer_code) if at_debit and wrong_mac else None
        if grey is not None:
            self._journal.void(grey.debit)
        by_card = not error.where.startswith("PSAM") and (error.sw in _REFUSALS or wrong_mac)
        make = failed if by_card else unknown
        return self._decided(ruling, make(Step.PURCHASE, f"{error.sw:04X}", *error.text))

    def _decided(self, ruling: Ruling, purchased: Check, receipt: Receipt | None = None) -> Passage:
        """The verdict of the gate with what became of the purchase in its place."""
        asked = ruling.verdict
        checks = [purchased if check.name == Step.PURCHASE else check for check in asked.checks]
        evidence = dict(asked.evidence)
        if receipt is not None and self._seen.balance_fen is not None:
            evidence["balance_fen"] = self._seen.balance_fen - receipt.debit.amount_fen
        verdict = Verdict.of(asked.service, checks, evidence=evidence, now=self._now)
        return Passage(
            verdict=verdict,
            action=ruling.action,
            opens=verdict.eligible and opens(ruling.action, self._site.mode),
            receipt=receipt,
        )
