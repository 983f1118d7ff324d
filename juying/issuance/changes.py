"""Applications in the life of a permit, carried out on the ledger.

One application is one transaction: permits, credentials and their entries in the status lists, cards, and the orders
that bring it to a chip change together or not at all. A chip changes only in a reader, so what it still lacks waits as
an order bound to its card, and any station does it when the card is inserted next. Until then

* after an extension or a change the old credentials stay good, on the chip too: nobody with a valid permit is told no;
* after a change of employer, a loss or the end of a permit they are revoked at once, whatever the chip still says.

The same application again, after a lost connection or from another sheet, changes nothing and says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from juying.errors import InputError
from juying.issuance.chip_orders import (
    NewCard,
    order_card,
    order_update,
    order_wipe,
    redirect,
    resume_orders,
    suspend_orders,
    with_number,
    withdraw,
)
from juying.issuance.permit_kinds import ENDING, TRANSITIONS, Fate, Kind
from juying.issuance.permit_life import Findings, Refusal, check, holder_changes, refusal, with_issued_number
from juying.issuance.standing import Standing, load_standing
from juying.issuance.working_days import WEEKENDS, WorkingDays
from juying.ledger import credentials, schema
from juying.ledger.ledger import Actor, Transaction, canonical
from juying.ledger.operators import PERMITS, Action, allow
from juying.ledger.people import (
    add_permits,
    change_person,
    find_permit,
    find_person,
    holder_record,
    load_photo,
    permit_record,
)
from juying.ledger.states import CardState, OrderKind, OrderState, PermitState, require
from juying.model import Holder, WorkPermit
from juying.text import Text

LONGEST_REASON = 200

_permits, _cards, _applications = schema.permits, schema.cards, schema.applications
_REISSUES = (Kind.REISSUE_LOST, Kind.REISSUE_DAMAGED)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an application; the numbers are ids.

    ``permit`` is the one that it is about, the new one if it brings one; ``order`` waits for a card because of it.
    ``again`` tells that it was carried out before, and that nothing was changed now.
    """

    kind: Kind
    application: int
    person: int
    permit: int
    order: int | None
    notes: tuple[Text, ...] = ()
    again: bool = False


def apply_application(
    tx: Transaction,
    kind: Kind,
    person: int,
    holder: Holder | None = None,
    permit: WorkPermit | None = None,
    *,
    photo: bytes | None = None,
    applied_on: date | None = None,
    event_on: date | None = None,
    override: str = "",
    days: WorkingDays = WEEKENDS,
    lot: int | None = None,
    row: int | None = None,
    digest: bytes | None = None,
    card: NewCard | None = None,
) -> Applied:
    """Carry out an application of somebody who is in the ledger.

    ``holder`` and ``permit`` are how they are to be, whole, ``photo`` a JPEG that fits the card; what is None stays. An
    issued social security number stays as well, unless ``holder`` has another one. ``applied_on`` is today unless
    given, ``event_on`` the day of what is applied for, and ``days`` knows the holidays. ``override`` is a supervisor's
    reason to let a missed deadline pass: it stays in the events for ever, so it names nobody.

    ``lot`` and ``row`` say which sheet it came from, and ``digest`` (16 bytes) what it is told from others by. ``card``
    says how a new card is ordered, if one is needed.

    Raises `InputError`, with nothing changed, for what the rules forbid and for operators without the role.
    """
    _allow(tx.actor, kind, override)
    now = load_standing(tx.db, tx.vault, person, lock=True)
    after = now.holder if holder is None else with_issued_number(now.holder, holder)
    changed = holder_changes(now.holder, after)
    if photo is not None and photo != load_photo(tx.db, tx.vault, person):
        changed |= {"photo"}
    case = _Case(tx, kind, now, after, changed, permit, photo, tx.now.astimezone().date())
    digest = digest or case.digest()
    if case.is_done(digest):
        return case.done_before()
    applied_on = applied_on or case.today
    findings = check(
        kind, now.permit, permit, holder=changed, born=after.birth_date, applied_on=applied_on, event_on=event_on,
        days=days,
    )  # fmt: skip
    refusals = findings.refusals or tuple(case.refusals())
    Findings(refusals).require(override)
    details = {
        "applied_on": applied_on.isoformat(),
        **({"event_on": event_on.isoformat()} if event_on else {}),
        **({"override": override} if override else {}),
    }
    card = card or NewCard()
    if case.orders_card:
        card = with_number(tx, card)
    # Nothing is refused from here on: whoever goes on with the transaction after a refusal has nothing half done in it.
    return case.carry_out(_Source(lot, row, digest), card, (*findings.notes, *case.notes()), details)


def expire(tx: Transaction, today: date, *, most: int = 200) -> list[Applied]:
    """End permits whose last day is past, at most so many; an empty list when there are none.

    Their credentials end by themselves. What is on a chip is wiped when the card is inserted next.
    """
    past = sa.and_(_permits.c.state == PermitState.VALID.value, _permits.c.valid_until < today)
    rows = tx.db.execute(sa.select(_permits.c.person_id).where(past).order_by(_permits.c.id).limit(most)).scalars()
    ended = [apply_application(tx, Kind.EXPIRY, person, applied_on=today) for person in rows.all()]
    return [applied for applied in ended if not applied.again]  # another process may have been faster


@dataclass(frozen=True, slots=True)
class _Source:
    """Where an application came from."""

    lot: int | None
    row: int | None
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Case:
    """One application, and how things stand; ``holder`` is how the holder is to be, ``changed`` what differs."""

    tx: Transaction
    kind: Kind
    now: Standing
    holder: Holder = field(repr=False)
    changed: frozenset[str]
    permit: WorkPermit | None
    photo: bytes | None = field(repr=False)
    today: date

    # Looking

    def digest(self) -> bytes:
        """What the same application has again, and no other."""
        content: list[object] = [self.kind.value]
        if self.permit is not None:
            content += [holder_record(self.holder), permit_record(self.permit)]
        else:
            content += [self.now.permit_id or self.now.last_permit, self.now.card.id if self.now.card else None]
        return self.tx.vault.key("application", canonical(content))

    def is_done(self, digest: bytes) -> bool:
        """Whether everything is as the application wants it, or it is the last one that was carried out."""
        now = self.now
        if digest == now.digest:
            return True
        match self.kind:
            case Kind.LOSS:
                return now.card is not None and not now.card.is_live
            case Kind.REISSUE_LOST:
                return now.new_order is not None and now.card is not None and not now.card.is_live
            case Kind.REISSUE_DAMAGED:
                return now.new_order is not None and now.live_card is not None
            case Kind.LOADING:
                return now.permit_id is not None and now.permit_id in self._on_the_way()
            case Kind.SUSPENSION:
                return now.suspended
            case Kind.EXPIRY:
                return now.permit_id is None
            case _:
                return self.permit is not None and self.permit == now.permit and not self.changed

    def _on_the_way(self) -> list[int | None]:
        """The permits that are on the card in hand, or are to be."""
        card, order = self.now.live_card, self.now.bound_order
        return [found.permit for found in (card, order) if found is not None]

    def done_before(self) -> Applied:
        """The answer when there is nothing to do."""
        now = self.now
        order = now.new_order or now.bound_order
        return Applied(
            self.kind, now.application, now.person, self._subject(), order.id if order else None, again=True,
            notes=(Text("此申请已办理过，未作改动", "this was carried out before: nothing was changed"),),
        )  # fmt: skip

    def _subject(self) -> int:
        """The permit that an application is about which brings none."""
        permit = self.now.permit_id or self.now.last_permit
        if permit is None:
            raise InputError(
                "台账中没有此人的许可", "the ledger has no permit of this person", where=f"persons/{self.now.person}"
            )
        return permit

    def refusals(self) -> Iterator[Refusal]:
        """What stands in the way in the ledger, though the rules allow it."""
        now, kind, tx = self.now, self.kind, self.tx
        if now.suspended and kind not in (Kind.RESUMPTION, Kind.LOSS, *ENDING):
            yield refusal("许可已暂停，请先恢复", "the permit is suspended: resume it first")
        if kind is Kind.RESUMPTION and not now.suspended:
            yield refusal("许可没有暂停", "the permit is not suspended")
        if kind in (Kind.LOSS, Kind.REISSUE_LOST) and now.card is None:
            yield refusal("此人还没有卡", "this person has no card yet")
        if kind is Kind.REISSUE_DAMAGED and now.live_card is None:
            yield refusal("此人没有可换的卡；遗失的请补办", "there is no card to replace: order one for the lost one")
        if kind is Kind.LOADING and now.live_card is None:
            yield refusal("台账中没有此人的卡，请先读卡登记", "the ledger has no card of this person: read it first")
        if self._reaches_chip and now.new_order is not None and now.new_order.is_open:
            yield refusal(
                "此人的卡正在制作，请先制完或作废", "a card of this person is being made: finish it or spoil it first"
            )
        if self.due_on is not None and self.needs_new_card and (now.live_card or now.new_order):
            yield refusal(
                "新许可尚未开始，起始日之前不能换卡；请先制完原卡，或到期再办",
                "the new permit begins later, and until then no card can be replaced: finish the present card, or "
                "apply on that day",
            )
        if self.changed and find_person(tx.db, tx.vault, self.holder) not in (None, now.person):
            yield refusal("证件号码或社会保障号码属于另一个人", "the document or number is that of somebody else")
        if self.permit is not None and find_permit(tx.db, tx.vault, self.permit.number) not in (None, now.permit_id):
            yield refusal("许可证编号属于另一个有效许可", "another valid permit has this number")

    def notes(self) -> Iterator[Text]:
        """What the clerk should know of the card."""
        if self.number_changed and self.now.live_card is not None:
            yield Text(
                "社会保障号码由证件号码编成，随之改变：须换新卡。如社保经办机构保留原号码，请填写该号码后重新办理",
                "the social security number was made from the document and changes with it, so a new card is ordered; "
                "if the agency keeps the number, apply again with it filled in",
            )
        if self.due_on is not None:
            yield Text(
                f"新许可 {self.due_on} 开始，卡片到那天才能更新", f"the card can be updated from {self.due_on} on"
            )

    @property
    def _reaches_chip(self) -> bool:
        """Whether a new card that is made just now would be made of what was before."""
        return TRANSITIONS[self.kind].chip in (OrderKind.NEW, OrderKind.UPDATE) and self.kind not in _REISSUES

    @property
    def orders_card(self) -> bool:
        """Whether a card is to be ordered that is not ordered yet."""
        reaches = TRANSITIONS[self.kind].chip in (OrderKind.NEW, OrderKind.UPDATE)
        return reaches and self.needs_new_card and self.now.new_order is None

    @property
    def number_changed(self) -> bool:
        """Whether the number that the card is recognised by is another one."""
        return self.holder.social_security_number != self.now.holder.social_security_number

    @property
    def needs_new_card(self) -> bool:
        """Whether the card in hand, if there is one, cannot be brought to how things are to be."""
        return self.kind in _REISSUES or self.now.live_card is None or self.number_changed

    @property
    def due_on(self) -> date | None:
        """The first day of the permit, when it is to come and the one on the chip is good until then."""
        permit, now = self.permit or self.now.permit, self.now
        if TRANSITIONS[self.kind].credentials is not Fate.REPLACED or permit is None or permit.valid_from <= self.today:
            return None
        held = now.live_card.permit if now.live_card else None
        if self.permit is None:
            good = held not in (None, now.permit_id)
        else:
            good = held is not None or (now.permit is not None and now.permit.valid_from <= self.today)
        return permit.valid_from if good else None

    # Doing

    def carry_out(self, source: _Source, card: NewCard, notes: tuple[Text, ...], details: dict[str, str]) -> Applied:
        """Everything, in the order in which rows are locked everywhere: orders, cards, the register."""
        tx, now = self.tx, self.now
        if self.changed:
            photo = self.photo or load_photo(tx.db, tx.vault, now.person)
            change_person(tx, now.person, self.holder, photo)
        permit = self._change_permits()
        application = tx.db.execute(
            sa.insert(_applications)
            .values(kind=self.kind.value, person_id=now.person, permit_id=permit, lot_id=source.lot, row=source.row,
                    digest=source.digest, made_at=tx.now)
            .returning(_applications.c.id)
        ).scalar_one()  # fmt: skip
        order = self._change_orders(application, permit, source.lot, card)
        held = self._change_card()
        self._change_credentials()
        tx.note(
            f"permit-{self.kind.value}", details, application=application, person=now.person, permit=permit,
            order=order, card=held, lot=source.lot,
        )  # fmt: skip
        return Applied(self.kind, application, now.person, permit, order, notes)

    def _change_permits(self) -> int:
        """End the permit before and add the new one; the id of the one that the application is about."""
        tx, now, ends = self.tx, self.now, TRANSITIONS[self.kind].ends
        values: dict[str, object] = {}
        if ends is not None:
            require(PermitState.VALID, ends, where=f"permits/{now.permit_id}")
            values = {"state": ends.value, "ended_at": tx.now, "ended_by": self.kind.value}
        elif self.kind in (Kind.SUSPENSION, Kind.RESUMPTION):
            values = {"suspended_at": tx.now if self.kind is Kind.SUSPENSION else None}
        if values:
            tx.db.execute(sa.update(_permits).where(_permits.c.id == now.permit_id).values(values))
        if self.permit is not None:
            return add_permits(tx, [(now.person, self.permit, now.permit_id)])[0]
        return self._subject()

    def _change_orders(self, application: int, permit: int, lot: int | None, card: NewCard) -> int | None:
        """Plan what brings the change to a chip; the order, None when no chip changes."""
        tx, now = self.tx, self.now
        match TRANSITIONS[self.kind].chip:
            case OrderKind.WIPE:
                return order_wipe(tx, now, application)
            case None:
                self._set_orders_aside()
                return None
        if self.kind is Kind.LOADING:
            if now.new_order is not None:
                withdraw(tx, now.new_order, OrderState.REPLACED)
        elif now.new_order is not None:
            return redirect(tx, now, now.new_order, application, permit)
        if self.needs_new_card or now.live_card is None:
            return order_card(tx, now, application, permit, card, lot=lot)
        return order_update(tx, now, now.live_card.id, application, permit, due_on=self.due_on)

    def _set_orders_aside(self) -> None:
        match self.kind:
            case Kind.SUSPENSION:
                suspend_orders(self.tx, self.now)
            case Kind.RESUMPTION:
                resume_orders(self.tx, self.now)
            case _ if self.now.bound_order is not None:  # for the card that is lost
                withdraw(self.tx, self.now.bound_order, OrderState.CANCELLED)

    def _change_card(self) -> int | None:
        """Bring the card in hand to its new state; its id, None without one."""
        card, after = self.now.live_card, TRANSITIONS[self.kind].card
        if card is None:
            return None
        if self.kind in ENDING:  # what was suspended was the permit; the card stays the holder's
            after = CardState.LIVE
        if after not in (None, card.state):
            require(card.state, after, where=f"cards/{card.id}")
            ended = self.tx.now if after is CardState.LOST else None
            change = sa.update(_cards).where(_cards.c.id == card.id)
            self.tx.db.execute(change.values(state=after.value, ended_at=ended))
        return card.id

    def _change_credentials(self) -> None:
        """Revoke, suspend or resume those of all permits of the person: one before the last may still be on a chip."""
        table = TRANSITIONS[self.kind]
        mine = self.tx.db.execute(sa.select(_permits.c.id).where(_permits.c.person_id == self.now.person)).scalars()
        match table.credentials:
            case Fate.REVOKED:
                credentials.revoke(self.tx, *mine, reason=table.reason)
            case Fate.SUSPENDED:
                credentials.suspend(self.tx, *mine, reason=table.reason)
            case Fate.RESUMED:
                credentials.resume(self.tx, *mine, reason=table.reason)


def _allow(actor: Actor, kind: Kind, override: str) -> None:
    if len(override) > LONGEST_REASON:
        raise InputError(f"理由最多 {LONGEST_REASON} 字", f"a reason has {LONGEST_REASON} characters at most")
    if override:
        allow(actor, Action.OVERRIDE)
    elif TRANSITIONS[kind].supervisor:
        allow(actor, Action.REVOKE)
    elif kind is Kind.EXPIRY:  # nobody's wish; a clerk may see to it as well as the nightly job
        actor.require(*(PERMITS[Action.PERMIT] | PERMITS[Action.JOBS]))
    else:
        allow(actor, Action.PERMIT)
