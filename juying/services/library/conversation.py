"""What is said on one connection, without the connection: bytes in, messages and bytes out.

The terminal asks and the system answers, one question at a time. Pieces are put together and apart, wherever they were
cut. A garbled answer is asked for again (97), once; a question that the system did not understand (96) is repeated,
once, if it may be. What belongs to an earlier question is thrown away.
"""

import re
from typing import NamedTuple

from juying.errors import DecodeError, PlatformUnavailable
from juying.services.library.codec import MAX_MESSAGE, Received, decode, encode
from juying.services.library.layout import Message
from juying.services.library.messages import ResendAnswer, ResendRequest
from juying.services.library.wire import Checking, Wire
from juying.text import Text

_END = re.compile(rb"[\r\n]")
_WHOLE = re.compile(rb"(?:AY[0-9])?AZ[0-9A-F]{4}\Z")


class _Question(NamedTuple):
    """A request that was sent: with which digit, as which bytes."""

    request: Message
    digit: int
    data: bytes

    def __repr__(self) -> str:
        """Its digit and length; the bytes hold reader, PIN and passwords."""
        return f"_Question({self.digit}, {len(self.data)} bytes)"


class Conversation:
    """One connection's state: the digit, the question that is open, and what arrived but was not looked at.

    ``late`` is the answer to a request that must not be repeated, if it came while another question was open.
    """

    def __init__(self, wire: Wire, *, resend: bool = True) -> None:
        """``resend``: whether the system knows 97."""
        self.wire = wire
        self.late: Received | None = None
        self._resend = resend
        self._buffer = b""
        self._digit = 9
        self._open: _Question | None = None
        self._before: _Question | None = None
        self._asked_again = self._repeated = self._bare = False
        self._noise = False

    def ask(self, request: Message) -> bytes:
        """The bytes of a question, which is open from now on. Raises `FieldError` for one that cannot be sent."""
        digit = (self._digit + 1) % 10
        data = encode(request, self.wire, digit if self.wire.sums else None)
        self._digit = digit
        if not request.repeatable:
            self._before = self.late = None
        elif self._open is not None:
            self._before = self._open
        self._open = _Question(request, digit, data)
        self._asked_again = self._repeated = self._bare = self._noise = False
        return data

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises `DecodeError` when it is too long for a message."""
        self._buffer += data
        if len(self._buffer) > MAX_MESSAGE and not _END.search(self._buffer):
            raise DecodeError(f"应答超过 {MAX_MESSAGE} 字节", f"the answer has more than {MAX_MESSAGE} bytes")

    def advance(self, *, ended: bool = False) -> Received | bytes | None:
        """The answer; or bytes to be sent before there can be one; or None when more has to arrive.

        ``ended``: nothing more will arrive, so what is there is whole: some systems forget the end of a message.
        Raises `DecodeError` for an answer that cannot be read, `PlatformUnavailable` when the system does not take the
        question.
        """
        while self._open is not None and (frame := self._frame(ended)) is not None:
            step = self._look_at(self._open, frame)
            if step is not None:
                return step
        return None

    def _frame(self, ended: bool) -> bytes | None:
        """The next message that is whole."""
        while True:
            end = _END.search(self._buffer)
            if end is None:
                whole = self._buffer
                if not whole or not (ended or _is_whole(whole)):
                    return None
                self._buffer = b""
                return whole
            frame, self._buffer = self._buffer[: end.start()], self._buffer[end.end() :]
            if frame:
                return frame

    def _look_at(self, question: _Question, frame: bytes) -> Received | bytes | None:
        """What a message means for the open question; None for one that means nothing."""
        try:
            received = decode(frame, self.wire)
        except DecodeError:
            if not any(48 <= byte <= 57 for byte in frame):  # no digit, no message: a greeting, a sentence
                self._noise = True
                return None
            return self._again()
        if isinstance(received.message, ResendRequest):
            return self._not_understood(question)
        if received.message.id != question.request.answer:
            self._keep_late(received)
            return None
        doubts = self._doubts(question, received)
        if doubts is None:
            return None
        self._open = None
        return received._replace(problems=received.problems + doubts) if doubts else received

    def _again(self) -> bytes:
        """Ask for the last answer again."""
        if self._asked_again or not self._resend:
            raise DecodeError("应答无法读取", "the answer cannot be read")
        self._asked_again = True
        return encode(ResendAnswer(), self.wire)

    def _not_understood(self, question: _Question) -> bytes:
        """Repeat a question if it may be; the last time without checksum, where the site is not sure about it."""
        if question.request.repeatable and not self._repeated:
            self._repeated = True
            return question.data
        if question.request.repeatable and self.wire.send_checksum is Checking.WARN and not self._bare:
            self._bare = True
            return encode(question.request, _without_checksum(self.wire))
        raise PlatformUnavailable("系统不接受该请求（96）", "the system does not take the question (96)")

    def _keep_late(self, received: Received) -> None:
        """Keep an answer for which nobody waits any more, but which tells what was done."""
        before = self._before
        if before and received.message.id == before.request.answer and _echoes(before.request, received.message):
            self.late = received

    def _doubts(self, question: _Question, received: Received) -> tuple[Text, ...] | None:
        """What speaks against this being the answer; None if it is not."""
        wire, digit = self.wire, received.sequence
        # An answer that was asked for again, or to a question without digit, has any digit or none.
        numbered = wire.sums and not self._asked_again and not self._bare
        right_digit = not numbered or digit == question.digit
        doubts: list[Text] = []
        if not right_digit and wire.sequence is not Checking.OFF:
            if wire.sequence is Checking.STRICT:
                return None
            doubts.append(Text("序号不是请求的序号", "the sequence number is not that of the question"))
        if wire.echo is not Checking.OFF and not _echoes(question.request, received.message, sure=not right_digit):
            if wire.echo is Checking.STRICT or not right_digit or not numbered:
                return None
            doubts.append(Text("应答的读者号或条码与请求不同", "the answer is about another number than the question"))
        return tuple(doubts)

    @property
    def noise(self) -> bool:
        """Whether something arrived that was no message at all."""
        return self._noise


def _is_whole(data: bytes) -> bool:
    """Whether a message without end ends in a checksum that fits: then nothing is missing."""
    return bool(_WHOLE.search(data)) and (sum(data[:-4]) + int(data[-4:], 16)) & 0xFFFF == 0


def _echoes(request: Message, answer: Message, *, sure: bool = False) -> bool:
    """Whether an answer is about the reader and the item of the request; ``sure``: it has to say so.

    dp2 puts ``institution.`` before both.
    """
    for name in ("reader", "item"):
        asked = getattr(request, name, None)
        if not asked or not hasattr(answer, name):
            continue
        told = getattr(answer, name) or ("" if sure else asked)
        if told != asked and not told.endswith(f".{asked}"):
            return False
    return True


def _without_checksum(wire: Wire) -> Wire:
    return Wire(charset=wire.charset, terminator=wire.terminator, send_checksum=Checking.OFF)
