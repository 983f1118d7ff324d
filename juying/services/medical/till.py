"""Settling and undoing, so that a crash, a time-out or a second click never pays twice and never loses what was paid.

The order of things is always the same: put down what is about to be sent, send it once, put down what came of it. An
outcome that is not known is reversed (2601), one that is known is undone (2208) when somebody asks for it. `finish`
does what a crash left undone. Blocking: on an event loop use a thread.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from juying.errors import PlatformUnavailable
from juying.services.medical.channel import contains
from juying.services.medical.client import NhsaClient
from juying.services.medical.journal import FINAL, Entry, Journal, State
from juying.services.medical.outcome import UNREACHABLE, Ending, Result
from juying.services.medical.person import Nothing
from juying.services.medical.settlement import Order, Reversal, Settled, Undoing
from juying.services.medical.transactions import REVERSE, SETTLE, UNDO

MARGIN = 5.0
"""Seconds after a time-out in which its process may put down how it ended, before another one takes over."""


class Payment(NamedTuple):
    """An entry of the journal as it stands now, and the platform's answer if it came just now.

    Paid is what has the state PAID and nothing else.
    """

    entry: Entry
    settled: Settled | None = None

    @property
    def paid(self) -> bool:
        """Whether the bill is settled."""
        return self.entry.state is State.PAID


class Till:
    """Moves the money of one site. Threads and processes may have tills on the same journal."""

    def __init__(self, client: NhsaClient, journal: Journal, *, clock: Callable[[], float] = time.time) -> None:
        """``clock`` gives seconds since 1970."""
        self.client, self.journal, self.site = client, journal, client.site
        self._clock = clock

    def pay(self, order: Order, *, insured_in: str) -> Payment:
        """Settle a bill, or say how it stands when that batch of charges was sent before.

        A bill that is paid already is not paid again; one that is in doubt is reversed first, and then sent anew. When
        the answer does not come, the settlement is reversed at once: REVERSED means that nothing was paid and ``pay``
        may be called again, UNKNOWN that it could not be reversed yet (`finish` does it later).

        Raises `InputError` for what cannot be sent, `PlatformUnavailable` when signing in failed; nothing was booked.
        """
        self.client.sign_in_if_needed()
        while True:
            message = self.client.channel.message(
                SETTLE, order, insured_in=insured_in, message_id=self.journal.message_id(self.site.fixmedins_code)
            )
            now = self._clock()
            entry, ours = self.journal.begin(
                self.site.name,
                order,
                insured_in=insured_in,
                message_id=message.message_id,
                sent_at=now,
                busy_until=self._busy(self.site.settle_timeout),
            )
            if ours:
                break
            entry = self._complete(entry)
            if entry.state not in FINAL:
                return Payment(entry)
        until = entry.busy_until - MARGIN
        result = self.client.send(message, may_go=lambda: self._clock() < until)
        entry = self._settled(entry, order, result)
        if entry.state is State.UNKNOWN:
            entry = self._reverse(entry)
        return Payment(entry, result.output if entry.state is State.PAID else None)

    def undo(self, number: int) -> Payment:
        """Undo the settlement of an entry: UNDONE when that is done, and PAID when not.

        With PAID ``undo_wanted`` says whether `finish` will try again; it will not when the platform refused. Other
        states stay, they have nothing to undo. Raises as `pay`.
        """
        self.client.sign_in_if_needed()
        entry = self._complete(self.journal.entry(number))
        return Payment(self._undo(entry) if entry.state is State.PAID else entry)

    def finish(self) -> Sequence[Entry]:
        """Finish what is not finished and nobody works on; what is still unfinished afterwards is the answer.

        Stops early when the platform cannot be reached. Call it when the program starts, and again later.
        """
        try:
            self.client.sign_in_if_needed()
            for entry in self.journal.entries(self.site.name, unfinished=True):
                if self._complete(entry).code == UNREACHABLE:
                    break
        except PlatformUnavailable:
            pass  # the entries stay as they are
        return self.journal.entries(self.site.name, unfinished=True)

    def _settled(self, entry: Entry, order: Order, result: Result[Settled]) -> Entry:
        """Put down how a 2207 ended."""
        if result.output is not None:
            moved = self.journal.paid(entry, result.output.setlinfo)
        elif result.ending is Ending.FAIL or not result.sent:
            return self.journal.move(entry, State.REFUSED, result.code) or self.journal.entry(entry.number)
        else:
            moved = self.journal.move(entry, State.UNKNOWN, result.code)
        while moved is None:
            # This process was away so long that another one has taken over, and what it reversed may have been booked
            # after that: it has to be reversed again.
            moved = self.journal.move(self.journal.entry(entry.number), State.UNKNOWN, "late", psn_no=order.psn_no)
        return moved

    def _complete(self, entry: Entry) -> Entry:
        """Lead an entry to where nothing is in doubt, unless somebody works on it."""
        if entry.busy_until > self._clock():
            return entry
        if entry.state is State.PENDING:
            entry = self._moved(entry, State.UNKNOWN, "interrupted")
        elif entry.state is State.UNDOING:
            entry = self._moved(entry, State.UNDO_UNKNOWN, "interrupted")
        if entry.state in (State.UNKNOWN, State.UNDO_UNKNOWN):
            entry = self._reverse(entry)
        if entry.state is State.PAID and entry.undo_wanted:
            entry = self._undo(entry)
        return entry

    def _reverse(self, entry: Entry) -> Entry:
        """Take back by 2601 what may have been booked: the settlement, or its undoing."""
        undoing = entry.state is State.UNDO_UNKNOWN
        original, sent_at = (
            (entry.undo_message_id, entry.undo_sent_at) if undoing else (entry.message_id, entry.sent_at)
        )
        claimed = self.journal.move(
            entry, entry.state, "reversing", busy_until=self._busy(self.site.resilience.timeout)
        )
        if claimed is None:
            return self.journal.entry(entry.number)
        number = (UNDO if undoing else SETTLE).number
        question = Reversal(psn_no=entry.psn_no, omsgid=original, oinfno=self.site.numbers.get(number, number))
        message = self.client.channel.message(
            REVERSE,
            question,
            insured_in=entry.insured_in,
            message_id=self.journal.message_id(self.site.fixmedins_code),
        )
        result = self.client.send(message)
        if not self._is_reversed(result, sent_at):
            return self._moved(claimed, claimed.state, result.code)
        return self._moved(claimed, State.PAID if undoing else State.REVERSED)

    def _is_reversed(self, result: Result[Nothing], sent_at: float) -> bool:
        """Whether an answer to 2601 means that nothing is booked, or that it will not be any more."""
        if result.ending is Ending.FAIL:
            # A message that is not there now may still arrive, if it was sent just before.
            old = self._clock() - sent_at >= self.site.absent_after
            return contains(result.message, self.site.already_reversed) or (
                old and contains(result.message, self.site.nothing_to_reverse)
            )
        return result.ending is Ending.SUCCESS

    def _undo(self, entry: Entry) -> Entry:
        """Undo by 2208 what is settled."""
        question = Undoing(setl_id=entry.setl_id, mdtrt_id=entry.mdtrt_id, psn_no=entry.psn_no)
        message = self.client.channel.message(
            UNDO,
            question,
            insured_in=entry.insured_in,
            message_id=self.journal.message_id(self.site.fixmedins_code),
        )
        undoing = self.journal.move(
            entry,
            State.UNDOING,
            undo_message_id=message.message_id,
            undo_sent_at=self._clock(),
            undo_wanted=1,
            busy_until=self._busy(self.site.settle_timeout),
        )
        if undoing is None:
            return self.journal.entry(entry.number)
        until = undoing.busy_until - MARGIN
        result = self.client.send(message, may_go=lambda: self._clock() < until)
        if result.ending is Ending.FAIL:
            return self._moved(undoing, State.PAID, result.code, undo_wanted=0)
        if not result.sent:
            return self._moved(undoing, State.PAID, result.code)
        state = State.UNDONE if result.ending is Ending.SUCCESS else State.UNDO_UNKNOWN
        moved = self.journal.move(undoing, state, result.code)
        if moved is None:
            moved = self._undone_late(undoing)
        return self._reverse(moved) if moved.state is State.UNDO_UNKNOWN else moved

    def _undone_late(self, undoing: Entry) -> Entry:
        """As the loop in `_settled`: what another process believes PAID may have been undone by us after all."""
        current = self.journal.entry(undoing.number)
        if current.state not in (State.PAID, State.UNDO_UNKNOWN):
            return current
        return self._moved(
            current,
            State.UNDO_UNKNOWN,
            "late",
            undo_message_id=undoing.undo_message_id,
            undo_sent_at=undoing.undo_sent_at,
        )

    def _moved(self, entry: Entry, state: State, code: str = "", **facts: object) -> Entry:
        """The entry after its move, or as another process has moved it."""
        return self.journal.move(entry, state, code, **facts) or self.journal.entry(entry.number)

    def _busy(self, seconds: float) -> float:
        return self._clock() + seconds + MARGIN
