"""Issue a whole sheet of applications: a lot on the ledger, whose cards are made here one after the other.

What becomes of each card lies in a folder of its own, named after the card number (`juying.issuance.card_folder`), and
``report.csv`` says what became of each row. Running the same command again keeps what is right and finishes what is
not: the ledger knows how far each order is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from juying.card.contents import CardContents
from juying.codec.spec import Profile
from juying.credential.claims import Tier
from juying.errors import CardError, CardRefused, InputError, JuyingError, ReaderUnavailable, ServiceUnavailable
from juying.issuance.blanks import CARD_FILE, Blanks
from juying.issuance.card_folder import file_errors, keep_credentials, make_folder, remove_credentials
from juying.issuance.card_numbers import PREFIX
from juying.issuance.compare import Agreement, compare_card
from juying.issuance.intake import Application, Row
from juying.issuance.lock import locked
from juying.issuance.lot_import import BOX_SIZE, import_rows
from juying.issuance.lot_listing import close_if_done
from juying.issuance.lots import Finding, Status
from juying.issuance.office import Office, check_signable, draft
from juying.issuance.production import Outcome as Made
from juying.issuance.production import Produced, Production, Progress
from juying.issuance.report import Outcome, RowResult, report_file
from juying.ledger import credentials, schema
from juying.ledger.approvals import allow_key
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.states import LIVE_CARDS, OPEN_ORDERS, CardState, OrderKind, OrderState
from juying.model import CardIdentity
from juying.model.card import years_later
from juying.text import Text

REPORT = "report.csv"

Failed = Callable[[JuyingError], None]

_orders, _cards = schema.orders, schema.cards


def issue_rows(
    ledger: Ledger,
    actor: Actor,
    office: Office,
    rows: Sequence[Row],
    out: Path,
    blanks: Blanks,
    *,
    name: str,
    profile: Profile,
    source: str = "",
    box_size: int = BOX_SIZE,
    prefix: str = PREFIX,
    progress: Progress | None = None,
    failed: Failed | None = None,
) -> Iterator[RowResult]:
    """Import ``rows`` as a lot called ``name``, make its cards, and yield what became of each row, in their order.

    Each result stands in the report when it is yielded. ``profile`` is that of the cards, ``prefix`` begins the card
    numbers given to rows without one; ``progress`` hears of the writes to each card, and ``failed`` of a card that
    failed when another may be tried for the same order.

    A wrong row, a refused or a failing card ends that row only. Raises `KeyUseError` before anything is touched when
    the key may not sign now, `InputError` when another run is at work in ``out``, the lot is another one or a file
    cannot be written, and `ServiceUnavailable`, `ReaderUnavailable` or `LedgerUnavailable` when there is nothing left
    to work with; `KeyUseError` also when a card does not accept one of the card keys. What was done until then is kept:
    run it again.
    """
    office.check_key()
    make_folder(out)
    with locked(out):
        imported = import_rows(
            ledger, actor, rows, name, profile=profile.name, source=source, box_size=box_size, prefix=prefix,
            taken=_numbers_in(out), check=lambda application: check_fits(office, profile, application),
        )  # fmt: skip
        run = _Run(ledger, actor, office, out, blanks, progress, failed)
        with report_file(out / REPORT) as report:
            for found in imported.preview.findings:
                result = run.row(found)
                report.add(result)
                yield result
        run.close_lots()


def check_fits(office: Office, profile: Profile, application: Application) -> None:
    """Raise `InputError` for an application that ``office`` cannot sign, or that no card of ``profile`` can hold."""
    for tier in Tier:
        check_signable(office, draft(office, application, tier).claims)
    check_contents(profile, application, day=office.clock().astimezone().date())


def check_contents(profile: Profile, application: Application, *, day: date) -> None:
    """Raise `InputError` for an application that no card of ``profile`` can hold that is issued on ``day``."""
    day = application.issued_on or day
    identity = CardIdentity(number=application.card_number or _ANY_NUMBER, issued_on=day, expires_on=years_later(day))
    CardContents.of(application.holder, application.permit, identity).encode(profile)


_ANY_NUMBER = "JY0000010"


def _numbers_in(out: Path) -> list[str]:
    """What folders with something in them are called: another ledger may have given these numbers to somebody."""
    with file_errors(out):
        return [folder.name for folder in out.iterdir() if folder.is_dir() and any(map(_is_kept, folder.iterdir()))]


def _is_kept(path: Path) -> bool:
    """Whether a file is no draft of a run that was killed."""
    return not path.name.startswith(".")


@dataclass(frozen=True, slots=True)
class _Order:
    """An order as it stands; the numbers are ids. ``permit`` is that of the card where there is one."""

    id: int
    kind: OrderKind
    state: OrderState
    lot: int | None
    number: str = field(repr=False)
    permit: int | None
    card_state: CardState | None
    reader: str
    note: str
    due_on: date | None

    @classmethod
    def load(cls, db: sa.Connection, order: int) -> Self:
        """Look an order up."""
        query = (
            sa.select(_orders, _cards.c.number, _cards.c.state.label("card_state"), _cards.c.permit_id.label("on_card"))
            .select_from(_orders.outerjoin(_cards, _cards.c.id == _orders.c.card_id))
            .where(_orders.c.id == order)
        )
        row = db.execute(query).one()
        return cls(
            row.id, OrderKind(row.kind), OrderState(row.state), row.lot_id, row.number or row.card_number or "",
            row.on_card, CardState(row.card_state) if row.card_state else None, row.reader or "", row.note, row.due_on,
        )  # fmt: skip


class _Run:
    """One run of `issue_rows`."""

    def __init__(
        self,
        ledger: Ledger,
        actor: Actor,
        office: Office,
        out: Path,
        blanks: Blanks,
        progress: Progress | None,
        failed: Failed | None,
    ) -> None:
        self._ledger, self._actor, self._office = ledger, actor, office
        self._out, self._blanks = out, blanks
        self._progress, self._failed = progress, failed
        self._production = Production(ledger, office, actor, observe=self._observe)
        self._kind = OrderKind.NEW
        self._lots: set[int] = set()

    def row(self, found: Finding) -> RowResult:
        """Have the card of a row made, or see that it is right."""
        if found.status is Status.WRONG:
            error = "; ".join(str(problem) for problem in found.problems)
            number = found.application.card_number if found.application is not None else None
            return RowResult(found.row, Outcome.INVALID, number or "", error)
        result = RowResult(found.row, Outcome.UNCHANGED, found.card_number, notes=(*_remarks(found), *found.notes))
        if found.order is None:
            return result
        order = self._load(found.order)
        result = replace(result, card_number=order.number)
        match order.state:
            case OrderState.PLANNED | OrderState.WRITING | OrderState.WRITTEN | OrderState.VERIFIED:
                return self._make(order, result)
            case OrderState.SEALED | OrderState.DELIVERED:
                return self._look_after(order, result)
            case OrderState.SUSPENDED:
                return replace(result, outcome=Outcome.INVALID, error=str(_suspended(order)))
        return replace(
            result, notes=(*result.notes, Text(f"订单{order.state.text.zh}", f"order {order.state.text.en}"))
        )

    def close_lots(self) -> None:
        """Close the lots that were worked on, if nothing in them waits."""
        for lot in sorted(self._lots):
            with self._ledger.transaction(self._actor) as tx:
                close_if_done(tx, lot)

    def _load(self, order: int) -> _Order:
        with self._ledger.reading() as db:
            return _Order.load(db, order)

    def _observe(self, point: str) -> None:
        """What is recorded from here on must be true of a virtual card, even if the machine stops."""
        if point in ("before claim", "before written"):
            self._blanks.keep()
        elif point == "before spoil" and self._kind is OrderKind.NEW:
            self._blanks.set_aside()

    # Making

    def _make(self, order: _Order, result: RowResult) -> RowResult:
        if order.due_on is not None and order.due_on > self._office.clock().astimezone().date():
            later = Text(f"卡片自 {order.due_on} 起更新", f"the card is updated from {order.due_on} on")
            return replace(result, notes=(*result.notes, later))
        self._office.check_key()
        folder = self._out / order.number
        make_folder(folder)
        if self._blanks.at_hand(folder) is False:
            if order.kind is not OrderKind.NEW:
                return replace(result, outcome=Outcome.FAILED, error=str(_not_here(folder)))
            if order.state in OPEN_ORDERS:
                return replace(result, outcome=Outcome.FAILED, error=str(_elsewhere(order)))
        if order.lot is not None and order.lot not in self._lots:
            allow_key(self._ledger, self._actor, self._office.signer.kid, {"lot": order.lot})
            self._lots.add(order.lot)
        self._kind = order.kind
        made = self._try_cards(order, folder)
        if isinstance(made, Produced):
            if made.credentials is not None:
                keep_credentials(folder, made.credentials, self._office)
            else:
                remove_credentials(folder)
            return replace(result, outcome=Outcome.ISSUED, notes=(*result.notes, *made.notes))
        outcome = Outcome.INVALID if isinstance(made, InputError) else Outcome.FAILED
        return replace(result, outcome=outcome, error=str(made))

    def _try_cards(self, order: _Order, folder: Path) -> Produced | JuyingError:
        """Make the card of an order with one card after the other; why not, when the last one has failed."""
        left = self._blanks.attempts
        while True:
            try:
                with self._blanks.card(folder) as transport:
                    made = self._production.work(
                        transport, access=self._blanks.access, order=order.id, progress=self._progress
                    )
            except (ServiceUnavailable, ReaderUnavailable):
                raise
            except (CardError, InputError) as error:
                problem: JuyingError = (
                    error if isinstance(error, CardError) else CardError(*error.text, where=error.where)
                )
            else:
                if made.outcome is Made.SEALED and made.claim is not None and made.claim.order == order.id:
                    return made
                now = self._load(order.id)
                if now.state is OrderState.SUSPENDED:
                    return _suspended(now)
                problem = CardRefused(*made.text)
                left += made.outcome is Made.SEALED  # the card of another order was put in, and is done now
            left -= 1
            if not left:
                return problem
            if self._failed is not None:
                self._failed(problem)

    # What was made before

    def _look_after(self, order: _Order, result: RowResult) -> RowResult:
        """See that card and files of an order that is done are right."""
        folder = self._out / order.number
        if order.card_state not in LIVE_CARDS:
            state = order.card_state.text if order.card_state is not None else OrderState.SEALED.text
            return replace(result, notes=(*result.notes, Text(f"此卡{state.zh}", f"the card is {state.en}")))
        try:
            self._compare(order, folder)
        except CardError as error:
            return replace(result, outcome=Outcome.FAILED, error=str(error))
        with self._ledger.reading() as db:
            records = None if order.permit is None else credentials.load(db, self._ledger.vault, order.permit)
        if records is None:
            return result
        changed = keep_credentials(folder, records, self._office)
        return replace(result, outcome=Outcome.ISSUED if changed else Outcome.UNCHANGED)

    def _compare(self, order: _Order, folder: Path) -> None:
        """Raise `CardError` when a virtual card is not what the ledger says, or gone."""
        here = self._blanks.at_hand(folder)
        if here is False and not order.reader:
            raise _not_here(folder)
        if not here:
            return
        with self._blanks.card(folder) as transport:
            found = compare_card(self._ledger, transport, self._blanks.access)
        if found.agreement in (Agreement.DIFFERS, Agreement.UNKNOWN):
            titles = found.differences or (found.text,)
            zh, en = "、".join(title.zh for title in titles), ", ".join(title.en for title in titles)
            raise CardError(
                f"卡片与台账不一致：{zh}；请恢复此文件，或换发新卡",
                f"the card is not as the ledger says: {en}; restore the file, or replace the card",
                where=f"{folder.name}/{CARD_FILE}",
            )


def _remarks(found: Finding) -> tuple[Text, ...]:
    application = found.application
    return () if application is None else (*application.holder.notes, *application.permit.notes)


def _suspended(order: _Order) -> InputError:
    return InputError(
        f"订单已暂停（{order.note}）；改正后用 juying lot resume 恢复",
        f"the order is suspended ({order.note}): put it right, then juying lot resume",
        where=f"orders/{order.id}",
    )


def _elsewhere(order: _Order) -> CardError:
    return CardError(
        f"此卡正在别处制作（{order.reader or '-'}）；请在那里制完，或用 juying station release 放弃",
        f"it is being made elsewhere ({order.reader or '-'}): finish it there, or give it up (juying station release)",
        where=f"orders/{order.id}",
    )


def _not_here(folder: Path) -> CardError:
    return CardError(
        "虚拟卡文件不在目录中；请恢复此文件，或挂失后补办",
        "the virtual card is not in its folder: restore the file, or report it lost and have it replaced",
        where=f"{folder.name}/{CARD_FILE}",
    )
