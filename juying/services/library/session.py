"""A connection that is logged in, and what is asked on it: the part that threads and event loops share.

`Session` speaks on one connection: its generators yield bytes to be sent (perhaps none) and are given the bytes that
arrive, none at the end of the connection; `TimeoutError` is thrown into them.

A plan (`question`, `transaction`) says what to ask for in which order, over as many connections as it takes: it yields
`Open` to get a session, and a request to have it asked there. Whoever runs it throws its errors into it.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from juying.errors import DecodeError, PlatformUnavailable
from juying.services.library.codec import Received
from juying.services.library.conversation import Conversation
from juying.services.library.layout import Message
from juying.services.library.messages import Login, LoginAnswer, SystemStatus, TerminalStatus
from juying.services.library.site import Question, Site
from juying.text import Text

Result = TypeVar("Result")
Steps = Generator[bytes, bytes, Result]


class Session:
    """One connection to a site; ``status`` is what it said of itself."""

    def __init__(self, site: Site) -> None:
        """A session that is not open yet."""
        self.site = site
        self.conversation = Conversation(site.wire, resend=site.resend)
        self.status: SystemStatus | None = None

    def open(self) -> Steps[None]:
        """Log in, then ask for the status. Raises `PlatformUnavailable` when the system says no, or is off line."""
        site = self.site
        if site.login:
            location = site.location or None
            answer = yield from self.ask(Login(login=site.login, password=site.password, location=location))
            if not (isinstance(answer.message, LoginAnswer) and answer.message.ok):
                raise PlatformUnavailable(
                    "图书馆系统拒绝终端登录，请检查 login 和 password_env",
                    "the library system refuses the login of the terminal; check login and password_env",
                )
        if site.status:
            yield from self.ask_status()

    def ask_status(self) -> Steps[Received]:
        """Ask for the status (99)."""
        answer = yield from self.ask(TerminalStatus())
        if isinstance(answer.message, SystemStatus):
            self.status = answer.message
            if answer.message.online is False:
                raise PlatformUnavailable("图书馆系统已脱机", "the library system is off line")
        return answer

    def ask(self, request: Message) -> Steps[Received]:
        """The answer to a request.

        Raises `TimeoutError` and `ConnectionError` when there is none, `DecodeError` when it cannot be read,
        `PlatformUnavailable` when the system does not take the request, `FieldError` when it cannot be sent.
        """
        talk = self.conversation
        out, ended = talk.ask(request), False
        while True:
            try:
                data = yield out
            except TimeoutError:
                step = talk.advance(ended=True)
                if not isinstance(step, Received):
                    if talk.noise:
                        raise DecodeError("应答不是 SIP2 报文", "the answer is no SIP2 message") from None
                    raise
                return step
            talk.feed(data)
            ended = not data
            step = talk.advance(ended=ended)
            if isinstance(step, Received):
                return step
            if ended:
                raise ConnectionResetError
            out = step or b""


class Open(StrEnum):
    """What kind of session a plan wants."""

    ANY = "any"
    TRIED = "tried"
    """One that is new, or has just answered a 99: for what must not be lost."""
    FRESH = "fresh"
    """A new one in the place of the one at hand."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The session that a plan got; ``reused`` when it is from before."""

    session: Session
    reused: bool


Plan = Generator[Open | Message, Any, Result]


def question(request: Message, opened: Opened | None = None) -> Plan[Received]:
    """Ask what may be asked again: on a new connection when the one at hand proves to be cut."""
    if opened is None:
        opened = yield Open.ANY
    answer: Received
    try:
        answer = yield request
    except TimeoutError:
        raise
    except OSError:
        if not opened.reused:
            raise
        yield Open.FRESH
        answer = yield request
    return answer


def reader_question(long: Message, short: Callable[[], Message], which: Question) -> Plan[Received]:
    """Ask about a reader with 63, or with 23 (``short``) where that is how it is done."""
    opened: Opened = yield Open.ANY
    status = opened.session.status
    known = status.supported if status else frozenset()
    if which is Question.SHORT or (which is Question.EITHER and "63" not in known and "23" in known):
        return (yield from question(short(), opened))
    try:
        return (yield from question(long, opened))
    except (DecodeError, PlatformUnavailable):
        if which is Question.LONG:
            raise
        yield Open.FRESH
        return (yield from question(short()))


class Done(StrEnum):
    """What became of a transaction."""

    DONE = "done"
    NOT_DONE = "not-done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Transaction:
    """Whether something was done, with the system's ``answer`` if it came.

    Without an answer the system was asked what happened, and ``reason`` says what followed from that. UNKNOWN has to
    be looked up by people: asking for the same again might do it twice.
    """

    outcome: Done
    answer: Message | None
    reason: Text

    @property
    def done(self) -> bool:
        """True for DONE and for no other."""
        return self.outcome is Done.DONE


class Inquiry(NamedTuple):
    """A request that asks what happened, and what follows from its answers before (if there is one) and after."""

    request: Message
    judge: Callable[[Any, Any], Done]


_SAID = Text("图书馆系统的答复", "as the library system answered")
_LATE = Text("图书馆系统的迟到答复", "as the library system answered late")
_LOOKED_UP = Text("没有收到答复，已向系统查证", "no answer came, so the system was asked what happened")
_NOBODY_KNOWS = Text(
    "没有收到答复，也无法查证：请工作人员核对，不要重复操作",
    "no answer came, and it cannot be found out: let staff look it up, do not repeat it",
)


def transaction(
    request: Message,
    ok: Callable[[Any], bool | None],
    inquiries: Sequence[Inquiry],
    before: Message | None = None,
) -> Plan[Transaction]:
    """Send what must not be sent twice, and find out what became of it when the answer is lost.

    ``ok`` says of the answer whether it was done, None for neither.
    The first of the ``inquiries`` that knows decides; ``before`` asks the same beforehand where only a difference
    tells. The system works in the order of the questions of one connection, so what it says there afterwards is
    certain, and also when it was the one to hang up. When it fell silent it may still be at work: then only "done" is
    certain.

    Raises what keeps the request from being sent.
    """
    opened: Opened = yield Open.TRIED
    earlier: Message | None = None
    if before is not None:
        try:
            earlier = (yield before).message
        except (DecodeError, PlatformUnavailable):
            earlier = None  # then there is nothing to compare with
    silent, cut = False, False
    try:
        answer: Received = yield request
    except TimeoutError:
        silent = True
    except OSError:
        cut = True
    except (DecodeError, PlatformUnavailable):
        pass  # it was answered, whatever that means
    else:
        done = ok(answer.message)
        outcome = Done.UNKNOWN if done is None else Done.DONE if done else Done.NOT_DONE
        return Transaction(outcome, answer.message, _SAID)
    if not cut:
        try:
            found = yield from _inquire(inquiries, earlier)
        except OSError:
            pass
        else:
            return _found_out(found, opened.session.conversation.late, ok)
    try:
        yield Open.FRESH
        found = yield from _inquire(inquiries, earlier)
    except (OSError, PlatformUnavailable):
        found = Done.UNKNOWN
    if silent and found is Done.NOT_DONE:
        found = Done.UNKNOWN
    return _found_out(found, None, ok)


def _inquire(inquiries: Sequence[Inquiry], earlier: Message | None) -> Plan[Done]:
    """What the system says happened; UNKNOWN when it does not understand the question."""
    for request, judge in inquiries:
        try:
            told: Received = yield request
        except (DecodeError, PlatformUnavailable):
            continue
        found = judge(earlier, told.message)
        if found is not Done.UNKNOWN:
            return found
    return Done.UNKNOWN


def _found_out(found: Done, late: Received | None, ok: Callable[[Any], bool | None]) -> Transaction:
    if late is not None and (done := ok(late.message)) is not None:
        return Transaction(Done.DONE if done else Done.NOT_DONE, late.message, _LATE)
    return Transaction(found, None, _NOBODY_KNOWS if found is Done.UNKNOWN else _LOOKED_UP)
