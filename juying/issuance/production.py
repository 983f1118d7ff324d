"""Making the card in the reader: whose order it is, what is written on it, and every step of that in the ledger.

::

    production = Production(ledger, office, actor, lot=lot)
    made = production.work(transport, access=access)

The steps, each in a transaction of its own: the card is identified, before anything is written to it and, where the
ledger knows it, before any key is shown; it claims an order (the intent); the credentials are signed and stored; the
card is written; it is read back; it is sealed. Wherever that stops, the same card in any reader goes on from there.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import sqlalchemy as sa

from juying.card.access import Access
from juying.card.pcsc import PcscTransport
from juying.card.refusal import NOT_SATISFIED
from juying.card.ssc import SscCard
from juying.card.status import tries_left
from juying.card.transport import Transport
from juying.card.wiping import has_permit, wipe_card, wipe_permit
from juying.card.writer import write_card
from juying.codec.rules import PIN
from juying.credential.claims import StatusReference, Tier
from juying.errors import (
    AccessRefused,
    CardError,
    CardRefused,
    CommandTimeout,
    InputError,
    JuyingError,
    KeyUseError,
    LedgerUnavailable,
    ReadBackError,
    StatusError,
    TransportError,
)
from juying.issuance import jobs
from juying.issuance.identify import Identified, carries_somebody, describe, identify, is_blocked, serial_in
from juying.issuance.jobs import Job, Kept
from juying.issuance.office import Office
from juying.issuance.produced import NO_ORDER, SPOILED, SUSPENDED, Outcome, Produced, done, refused
from juying.ledger import credentials, orders, schema
from juying.ledger.ledger import Actor, Ledger, Transaction
from juying.ledger.orders import Claim, Known, Wanted
from juying.ledger.people import load_holder
from juying.ledger.states import BlankState, CardState, OrderKind, OrderState, Role
from juying.text import Text

MOST_FAILURES = 3
"""A card that failed so often is spoiled."""
BLOCKED = 0x6A81
"""What a card answers that is blocked for good."""

_CITY = 4  # digits of the region that name the city

__all__ = ["MOST_FAILURES", "Outcome", "Produced", "Production", "refuse_wrong_keys"]

Progress = Callable[[int, int], None]
Result = TypeVar("Result")


class Production:
    """Makes the cards of one ledger; threads may share it.

    ``lot`` restricts it to the orders of that lot, ``listed_only`` to blanks that are in stock. ``observe`` hears the
    name of every point between two steps: ``before claim``, ``after claim``, ``write 3`` and so on. ``patience`` is
    asked when the ledger is lost, may wait, and says whether to try again; the card stays as it is meanwhile.
    Raises `InputError` when the actor may not make cards.
    """

    def __init__(
        self,
        ledger: Ledger,
        office: Office,
        actor: Actor,
        *,
        lot: int | None = None,
        listed_only: bool = False,
        observe: Callable[[str], None] = lambda point: None,
        patience: Callable[[LedgerUnavailable], bool] = lambda error: False,
    ) -> None:
        """See above."""
        actor.require(Role.ISSUING)
        self.ledger, self.office, self.actor, self.lot = ledger, office, actor, lot
        self._listed_only, self._observe, self._patience = listed_only, observe, patience

    def work(
        self,
        transport: Transport,
        *,
        access: Access | None = None,
        order: int | None = None,
        progress: Progress | None = None,
    ) -> Produced:
        """Make the card behind ``transport``, or say why not; ``order`` asks for that order and no other.

        ``progress`` is called with the writes done and those to do. Raises `CardError` when the card fails, which the
        ledger then knows: put it in again. `KeyUseError` when a key is missing, refused or out of its period: no other
        card would do better. `LedgerUnavailable` when ``patience`` ends.
        """
        try:
            found = identify(transport, access)
        except CardError as error:
            return self._unidentified(transport, error)
        self._observe("identified")
        known = self._look(lambda db: orders.known(db, found.identifier))
        refusal = self._refuse(found, known)
        if refusal is not None:
            return refusal
        self.office.check_key()
        claimed = self._do("claim", lambda tx: self._claim(tx, found, order, _reader(transport)))
        if claimed is None:
            return self._nothing_to_do(known)
        claim = claimed.claim
        if claimed.unfit is not None:
            return self._give_up(found.card, claim, claimed.unfit, suspend=True)
        try:
            return self._make(found.card, claimed, progress)
        except CardError as error:
            return self._failed(found.card, claim, error)
        except InputError as error:
            return self._give_up(found.card, claim, error, suspend=True)

    # Before anything is claimed

    def _refuse(self, found: Identified, known: Known | None) -> Produced | None:
        """Why the card cannot be worked on, None when it can; it is as it was."""
        if known is not None and known.state is not BlankState.STOCK:
            return None if known.wants_work else self._nothing_to_do(known)
        if found.identifier[:_CITY] != self.ledger.region[:_CITY]:
            return refused(Text("这是外地的卡", "this card belongs to another city"))
        wanted = self._wanted_profile
        if wanted not in (None, found.card.profile.name):
            return refused(
                Text(
                    f"此卡规格为 {found.card.profile.name}，本批要 {wanted}",
                    f"this card is {found.card.profile.name}, the lot wants {wanted}",
                )
            )
        try:
            if carries_somebody(found.card):
                return refused(Text("卡上已有持卡人，台账中没有这张卡", "it has a holder, but is not in the ledger"))
        except CardError as error:
            refuse_wrong_keys(error)
            raise
        return None

    @cached_property
    def _wanted_profile(self) -> str | None:
        """The kind of cards that the lot is for; None without a lot."""
        query = sa.select(schema.lots.c.profile).where(schema.lots.c.id == self.lot)
        return None if self.lot is None else self._look(lambda db: db.execute(query).scalar())

    def _nothing_to_do(self, known: Known | None) -> Produced:
        """What the card is that no order waits for."""
        if known is None or known.state is BlankState.STOCK:
            return Produced(outcome=Outcome.IDLE, text=NO_ORDER)
        outcome = Outcome.ALREADY if known.card_state is CardState.LIVE else Outcome.REFUSED
        return Produced(outcome=outcome, text=describe(known), box=known.box or 0, name=self._name(known.person))

    def _unidentified(self, transport: Transport, error: CardError) -> Produced:
        """A card that does not tell which it is; by its answer to reset it may be one that was begun here."""
        serial = serial_in(transport.atr)
        if not _is_the_cards(error) or serial is None:
            raise error
        claim = self._look(lambda db: orders.open_with_serial(db, *serial))
        if claim is None and isinstance(error, CardRefused):
            return refused(error.text)
        if claim is None:
            raise error
        return self._failed(None, claim, error, dead=isinstance(error, CardRefused) and is_blocked(transport))

    # Making it

    def _claim(self, tx: Transaction, found: Identified, order: int | None, reader: str) -> "_Claimed | None":
        """The intent, and places for the credentials that are to be signed."""
        prepared: dict[int, Job | None] = {}

        def prepare(wanted: Wanted) -> None:
            prepared[wanted.order] = jobs.prepare(tx.db, tx.vault, self.office, wanted, found.card.profile)

        claim = orders.claim(
            tx, found.identifier, found.card.profile.name, lot=self.lot, order=order, reader=reader,
            listed_only=self._listed_only, fits=prepare,
        )  # fmt: skip
        if claim is None:
            return None
        if claim.order not in prepared:  # begun earlier
            try:
                prepare(claim)
            except InputError as error:
                return _Claimed(claim, None, {}, error)
        job = prepared[claim.order]
        return _Claimed(claim, job, jobs.allot(tx, job) if job is not None else {})

    def _make(self, card: SscCard, claimed: "_Claimed", progress: Progress | None) -> Produced:
        """Write, read back, seal."""
        claim, job = claimed.claim, claimed.job
        kept = None if job is None else self._sign(claim, job, claimed.places)
        notes: tuple[Text, ...] = ()
        self._observe("before write")
        if job is None or kept is None:
            wipe_permit(card)
            self._written(claim)
            if has_permit(card):
                raise ReadBackError("许可未能清除，请重试", "the permit is still there: try again", where="permit")
        else:
            contents = jobs.contents(self.office, claim, job, kept.records.full)
            plan = write_card(card, contents, progress=self._heard(progress), written=lambda: self._written(claim))
            notes = plan.notes
        self._do("seal", lambda tx: _seal(tx, claim, kept))
        name = job.application.holder.registered_name if job is not None else self._name(claim.person)
        return Produced(
            outcome=Outcome.SEALED, text=done(claim), claim=claim, box=claim.box, name=name,
            credentials=kept.records if kept is not None else None, notes=notes,
        )  # fmt: skip

    def _sign(self, claim: Claim, job: Job, places: Mapping[Tier, StatusReference]) -> Kept:
        if not job.unsigned():
            return jobs.kept(job)
        signed = jobs.sign_all(self.office, claim, job, places)

        def store(tx: Transaction) -> Kept:
            orders.hold(tx, claim)  # a permit that ended meanwhile has taken its order back, and gets no credentials
            return jobs.store(tx, job, signed)

        return self._do("sign", store)

    def _written(self, claim: Claim) -> None:
        self._do("written", lambda tx: orders.step(tx, claim, OrderState.WRITTEN))

    def _heard(self, progress: Progress | None) -> Progress:
        """``progress``, and every write is a point to be observed."""

        def heard(done: int, total: int) -> None:
            if progress is not None:
                progress(done, total)
            self._observe(f"write {done}")

        return heard

    # What went wrong

    def _failed(self, card: SscCard | None, claim: Claim, error: CardError, *, dead: bool = False) -> Produced:
        """Count the failure of a card; too many, and it is spoiled. Raises ``error`` when it may be tried again."""
        refuse_wrong_keys(error)
        if not _is_the_cards(error):
            raise error
        count = self._do("fail", lambda tx: orders.fail(tx, claim, _reason(error, card)))
        dead = (
            dead
            or (card is not None and isinstance(error, CardRefused))
            or (isinstance(error, StatusError) and error.sw == BLOCKED)
        )
        if count < MOST_FAILURES and not dead:
            raise error
        return self._give_up(card, claim, error)

    def _give_up(self, card: SscCard | None, claim: Claim, error: JuyingError, *, suspend: bool = False) -> Produced:
        """Set the card aside, wiped as far as it answers; a card that a person has, or another holder's, stays."""
        wiped = False
        if card is not None and claim.kind is OrderKind.NEW and not isinstance(error, CardRefused):
            self._observe("before wipe")
            with suppress(CardError, KeyUseError):
                wipe_card(card)
                wiped = True
        reason = _reason(error, card)
        self._do("spoil", lambda tx: orders.spoil(tx, claim, reason, suspend=suspend, wiped=wiped))
        text = SPOILED if claim.kind is OrderKind.NEW else SUSPENDED
        return Produced(
            outcome=Outcome.SPOILED, text=Text(*map(" ".join, zip(text, error.text, strict=True))), claim=claim
        )

    # The ledger

    def _do(self, step: str, change: Callable[[Transaction], Result]) -> Result:
        """One step in a transaction of its own; ``change`` may be made again when its commit was not heard of."""
        self._observe(f"before {step}")
        while True:
            try:
                with self.ledger.transaction(self.actor) as tx:
                    result = change(tx)
            except LedgerUnavailable as error:
                if not self._patience(error):
                    raise
                continue
            self._observe(f"after {step}")
            return result

    def _look(self, question: Callable[[sa.Connection], Result]) -> Result:
        while True:
            try:
                with self.ledger.reading() as db:
                    return question(db)
            except LedgerUnavailable as error:
                if not self._patience(error):
                    raise

    def _name(self, person: int | None) -> str:
        """The name on the card of a person, empty for one who was erased."""
        if person is None:
            return ""
        with suppress(InputError):
            return self._look(lambda db: load_holder(db, self.ledger.vault, person)).registered_name
        return ""


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A claim, what its order needs, and places for new credentials; ``unfit`` is why the card cannot be made."""

    claim: Claim
    job: Job | None
    places: Mapping[Tier, StatusReference]
    unfit: InputError | None = None


def refuse_wrong_keys(error: CardError) -> None:
    """Raise `KeyUseError` when we lack a key, or a card did not accept it: it would cost every further card a try."""
    if not isinstance(error, AccessRefused) or error.missing == (PIN,):
        return
    if tries_left(error.sw) is not None or (error.sw == NOT_SATISFIED and error.missing):
        raise KeyUseError(
            f"{error.text.zh}；为免锁卡，已停止签发：请核对密钥库",
            f"{error.text.en}; issuing has stopped so that no card gets locked: check the key store",
            where=error.where,
        ) from error


def _reader(transport: Transport) -> str:
    """The name of a reader for the ledger; the file of a virtual card may be called after somebody."""
    return transport.name if isinstance(transport, PcscTransport) else ""


def _reason(error: JuyingError, card: SscCard | None) -> str:
    """What is wrong, for the ledger, and where on the card; the name of the reader or file says nothing of it."""
    nowhere = card is None or error.where == card.channel.transport.name
    return str(error.text) if nowhere else str(error)


def _is_the_cards(error: CardError) -> bool:
    """Whether it is the card that failed, and not a hand that pulled it, the reader or the service."""
    return isinstance(error, CommandTimeout) or not isinstance(error, TransportError)


def _seal(tx: Transaction, claim: Claim, kept: Kept | None) -> None:
    """The card was read back: it, order and credentials count from now on, and what they replace no more, or nothing.

    That the chip holds the credential is enough: signed just now or long ago, it was verified when it was taken.
    """
    orders.seal(tx, claim, None if kept is None else kept.ids[Tier.FULL])
    if kept is not None:
        credentials.make_live(tx, *kept.ids.values())
