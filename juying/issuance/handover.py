"""Handing finished cards over to employers: a signed list for each, and what became of the cards on it.

1. `make_lists` puts every sealed card of a lot that is on no list yet on one, numbered without a gap, and writes list
   and signature. Asked again it gives the same lists with the same numbers; a list whose cards or names have changed
   since gets a new edition.
2. The employer signs on paper, and `deliver` records it. Cards that were not taken may be on a later list.

Lists hold names: their files are for their owner only.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from juying.credential.trust import TrustList
from juying.crypto.signing import Signer
from juying.errors import InputError
from juying.files import write_atomically
from juying.issuance.handover_cards import Lists, changed
from juying.issuance.handover_pdf import HandoverList, draw_list
from juying.issuance.handover_signature import SUFFIX, SignedList, sign_list, signing_key, verify_list
from juying.issuance.lot_report import find_lot
from juying.ledger import people, schema
from juying.ledger.approvals import allow_key
from juying.ledger.ledger import Actor, Ledger, Transaction
from juying.ledger.operators import Action, allow
from juying.ledger.states import CardState, OrderState, require
from juying.ledger.verify import Head, head_of
from juying.model import Employer

MADE, DELIVERED = "handover-made", "handover-delivered"
"""Kinds of events; each edition of a list has a `MADE` of its own."""

_ATTEMPTS = 5  # somebody else may take the number that we want

_orders, _cards, _events, _handovers = schema.orders, schema.cards, schema.events, schema.handovers


class Making(StrEnum):
    """How a list came about."""

    NEW = "new"
    AGAIN = "again"
    """It was made before, and is the same."""
    CHANGED = "changed"
    """It was made before, but cards or names have changed since: this is a new edition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A list that was made: its number, and its files."""

    number: int
    edition: int
    making: Making
    employer: Employer = field(repr=False)
    count: int
    left_out: int
    file: Path
    signature: Path


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of the cards on a list: how many were handed over, missing, and not to be handed over at all.

    ``before`` says that this was recorded earlier.
    """

    number: int
    delivered: int
    missing: int = 0
    left_out: int = 0
    before: bool = False


def make_lists(
    ledger: Ledger,
    actor: Actor,
    lot: str,
    folder: Path,
    *,
    signer: Signer,
    trust: TrustList,
    employer: str | None = None,
) -> list[Made]:
    """Make the lists of the lot with this name, or only that of one ``employer`` (its credit code), into ``folder``.

    Raises `InputError` when there is nothing to hand over, the lot is unknown, a name cannot be printed, or nobody has
    approved that the key is used for this lot; `KeyUseError` when the key may not sign. Each list is recorded before
    its files are written: when these cannot be, ask again.
    """
    allow(actor, Action.DELIVER)
    key = signing_key(signer, trust, ledger.clock())
    with ledger.reading() as db:
        row = find_lot(db, lot)
        lists = Lists(ledger, row.id, row.name, key)
        ready = lists.ready(db, employer)
    if not ready:
        raise InputError(
            "没有可移交的卡：须已制成、未发放，且未挂失或注销",
            "there is no card to hand over: it has to be sealed, not delivered, and neither lost nor cancelled",
            where=lot,
        )
    allow_key(ledger, actor, signer.kid, {"lot": row.id})
    made = []
    for of, number in ready:
        drawn = _new(lists, actor, of) if number is None else _again(lists, actor, of, number)
        made.append(_write(*drawn, folder, signer, trust, ledger.clock()))
    return made


def deliver(ledger: Ledger, actor: Actor, number: int, missing: Collection[str] = ()) -> Delivered:
    """Record that the cards on a list were handed over, all but those with the card numbers ``missing``.

    Missing cards, and those that were lost or cancelled meanwhile, are on no list from now on. What was recorded
    before stays. Raises `InputError` when there is no such list, or a missing card is not waiting on it.
    """
    allow(actor, Action.DELIVER)
    wanted = {card.strip().upper() for card in missing}
    with ledger.transaction(actor) as tx:
        if tx.db.execute(sa.select(_handovers.c.id).where(_handovers.c.id == number)).first() is None:
            raise InputError(
                "台账中没有这份移交清单，请核对编号", "the ledger has no such list: check its number", where=str(number)
            )
        query = (
            sa.select(_orders, _cards.c.number, _cards.c.state.label("card_state"))
            .select_from(_orders.join(_cards, _cards.c.id == _orders.c.card_id))
            .where(_orders.c.handover_id == number)
            .order_by(_orders.c.id)
            .with_for_update(of=_orders)
        )
        rows = tx.db.execute(query).all()
        waiting = [row for row in rows if row.state == OrderState.SEALED]
        if not wanted <= {row.number for row in waiting}:
            raise InputError(
                "所列未领卡中有的不在此清单上，或已记为发放，未作任何改动",
                "one of the missing cards is not on the list, or is recorded as delivered; nothing was changed",
                where=str(number),
            )
        if not waiting:
            return Delivered(number, len(rows), before=True)
        dead = [row for row in waiting if row.card_state != CardState.LIVE]
        absent = [row for row in waiting if row.number in wanted and row not in dead]
        taken = [row for row in waiting if row not in dead and row not in absent]
        for row in taken:
            require(OrderState(row.state), OrderState.DELIVERED, where=f"orders/{row.id}")
            tx.note("order-delivered", order=row.id, card=row.card_id, person=row.person_id, lot=row.lot_id,
                    handover=number)  # fmt: skip
        _update(tx, [row.id for row in taken], state=OrderState.DELIVERED.value, delivered_at=tx.now)
        _update(tx, [row.id for row in (*dead, *absent)], handover_id=None)
        found = Delivered(number, len(taken), len(absent), len(dead))
        counts = {"delivered": found.delivered, "missing": found.missing, "left_out": found.left_out}
        tx.note(DELIVERED, counts, handover=number, lot=waiting[0].lot_id)
    return found


def is_current(ledger: Ledger, signed: SignedList) -> bool:
    """Whether a signed list is the one that the ledger has under its number, and not an earlier edition.

    Raises `InputError` when the ledger never had it.
    """
    with ledger.reading() as db:
        current = db.execute(
            sa.select(_handovers.c.document_hash).where(_handovers.c.id == signed.number)
        ).scalar()  # fmt: skip
        if current == signed.sha256 and ledger.name == signed.ledger:
            return True
        made = sa.select(_events.c.details).where(_events.c.kind == MADE, _events.c.handover_id == signed.number)
        known = {json.loads(details)["sha256"] for details in db.execute(made).scalars()}
    if ledger.name != signed.ledger or signed.sha256.hex() not in known:
        raise InputError("此台账没有出过这份清单", "this ledger never made this list", where=str(signed.number))
    return False


def _new(lists: Lists, actor: Actor, employer: bytes) -> tuple[HandoverList, bytes, Making]:
    """A list of the cards that are on none."""
    ledger = lists.ledger
    attempts = 0
    while True:
        with ledger.reading() as db:
            number = 1 + (db.execute(sa.select(sa.func.max(_handovers.c.id))).scalar() or 0)
            content = lists.content(
                db, employer, None, number=number, edition=1, made_at=ledger.clock(), head=head_of(db)
            )
        pdf = draw_list(content)  # takes a while, in which others may go on writing
        attempts += 1
        try:
            with ledger.transaction(actor) as tx:
                tx.db.execute(
                    sa.insert(_handovers).values(
                        id=number,
                        employer_key=employer,
                        count=len(content.cards),
                        document_hash=hashlib.sha256(pdf).digest(),
                        made_at=content.made_at,
                    )
                )
                _take(tx, content)
                _note(tx, lists.lot, content, pdf)
            return content, pdf, Making.NEW
        except InputError:
            if attempts == _ATTEMPTS:
                raise


def _take(tx: Transaction, content: HandoverList) -> None:
    """Put the cards on the list, if they are as they were when it was drawn."""
    free = sa.and_(_orders.c.state == OrderState.SEALED.value, _orders.c.handover_id.is_(None))
    live = _orders.c.card_id.in_(sa.select(_cards.c.id).where(_cards.c.state == CardState.LIVE.value))
    for orders, fit in (([card.order for card in content.cards], live), (list(content.left_out), ~live)):
        if _update(tx, orders, free, fit, handover_id=content.number) != len(orders):
            raise changed()


def _again(lists: Lists, actor: Actor, employer: bytes, number: int) -> tuple[HandoverList, bytes, Making]:
    """A list that was made before."""
    ledger = lists.ledger
    with ledger.reading() as db:
        row = db.execute(sa.select(_handovers).where(_handovers.c.id == number)).one()
        last = (
            sa.select(_events.c.details)
            .where(_events.c.kind == MADE, _events.c.handover_id == number, _events.c.lot_id == lists.lot)
            .order_by(_events.c.number.desc())
            .limit(1)
        )
        before = json.loads(db.execute(last).scalar_one())
        head, edition = Head.parse(before["head"]), before["edition"]
        content = lists.content(
            db, employer, number, number=number, edition=edition, made_at=row.made_at, head=head
        )  # fmt: skip
        now = head_of(db)
    pdf = draw_list(content)
    if hashlib.sha256(pdf).digest() == row.document_hash:
        return content, pdf, Making.AGAIN
    with ledger.reading() as db:
        content = lists.content(
            db, employer, number, number=number, edition=edition + 1, made_at=ledger.clock(), head=now
        )
    pdf = draw_list(content)
    with ledger.transaction(actor) as tx:
        values = {
            "count": len(content.cards),
            "document_hash": hashlib.sha256(pdf).digest(),
            "made_at": content.made_at,
        }
        mine = sa.and_(_handovers.c.id == number, _handovers.c.document_hash == row.document_hash)
        if tx.db.execute(sa.update(_handovers).where(mine).values(values)).rowcount != 1:
            raise changed()
        _note(tx, lists.lot, content, pdf)
    return content, pdf, Making.CHANGED


def _write(
    content: HandoverList, pdf: bytes, making: Making, folder: Path, signer: Signer, trust: TrustList, now: datetime
) -> Made:
    """Write a list and its signature; a signature that is there and good is kept."""
    file = folder / f"hand-over-{content.number}.pdf"
    signature = file.with_name(file.name + SUFFIX)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"目录建不了（{error.strerror}）", f"the folder cannot be made ({error.strerror})", where=str(folder)
        ) from None
    write_atomically(file, pdf, private=True)
    if not _good(pdf, signature, content, trust, now):
        signed = sign_list(pdf, signer, ledger=content.ledger, number=content.number, edition=content.edition, now=now)
        verify_list(pdf, signed, trust, now=now)  # a broken token is found out here, and not by the employer
        write_atomically(signature, signed, private=True)
    return Made(
        number=content.number,
        edition=content.edition,
        making=making,
        employer=content.employer,
        count=len(content.cards),
        left_out=len(content.left_out),
        file=file,
        signature=signature,
    )


def _good(pdf: bytes, signature: Path, content: HandoverList, trust: TrustList, now: datetime) -> bool:
    try:
        signed = verify_list(pdf, signature.read_bytes(), trust, now=now)
    except (OSError, InputError):
        return False
    return (signed.ledger, signed.number, signed.edition) == (content.ledger, content.number, content.edition)


def _note(tx: Transaction, lot: int, content: HandoverList, pdf: bytes) -> None:
    """Note an edition of a list; the row of the list has the same hash."""
    details = {
        "edition": content.edition,
        "cards": len(content.cards),
        "head": str(content.head),
        "sha256": hashlib.sha256(pdf).hexdigest(),
    }
    tx.note(MADE, details, handover=content.number, lot=lot)


def _update(tx: Transaction, orders: list[int], *where: sa.ColumnElement[bool], **values: object) -> int:
    """Change orders; how many there were."""
    return sum(
        tx.db.execute(sa.update(_orders).where(_orders.c.id.in_(part), *where).values(values)).rowcount
        for part in people.chunks(orders)
    )
