"""What a client does apart from the network: a message for a question, and an outcome for an answer.

Both clients, blocking and asynchronous, stand on this, so they cannot differ in what they say or believe.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar

from juying.credential.claims import CHINA
from juying.errors import DecodeError
from juying.services.medical.envelope import Envelope, Reply
from juying.services.medical.fields import Record
from juying.services.medical.message_id import QuestionIds
from juying.services.medical.outcome import LATE, UNREACHABLE, UNREADABLE, Ending, Result
from juying.services.medical.person import Nothing, SignedIn, SignIn
from juying.services.medical.site import Site
from juying.services.medical.transactions import SIGN_IN, Transaction
from juying.services.medical.wire import amounts_as_text, parse, read_json, write_json
from juying.text import Text

Question = TypeVar("Question", bound=Record)
Answer = TypeVar("Answer", bound=Record)

DONE = ("0", "9")
REFUSED = "-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Generic[Question, Answer]):
    """A message that is ready to go, once."""

    transaction: Transaction[Question, Answer]
    question: Question = field(repr=False)
    message_id: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Channel:
    """The messages of one site, and the number by which its clerk is signed in."""

    def __init__(self, site: Site, *, clock: Callable[[], float] = time.time) -> None:
        """``clock`` gives seconds since 1970, for ``inf_time`` and message ids."""
        self.site, self.clock = site, clock
        self.question_id = QuestionIds(site.fixmedins_code, clock=clock)
        self._signed_in: tuple[date, str] = date.min, ""

    def message(
        self,
        transaction: Transaction[Question, Answer],
        question: Question,
        *,
        insured_in: str = "",
        message_id: str = "",
    ) -> Message[Question, Answer]:
        """The message for ``question``. ``insured_in`` is the 参保地 and needed wherever a person number goes in.

        Raises `InputError` when something is missing, too long, or not exact; nothing was sent then.
        """
        site, number = self.site, transaction.number
        identifier = message_id or self.question_id()
        content: dict[str, object] = {**question.write(number), **site.input.get(number, {})}
        node = site.nodes.get(number, transaction.node)
        whole: object = {node: content} if node else content
        if site.amounts_as_text:
            whole = amounts_as_text(whole)
        envelope = Envelope(
            infno=site.numbers.get(number, number),
            msgid=identifier,
            mdtrtarea_admvs=site.mdtrtarea_admvs,
            insuplc_admdvs=insured_in,
            recer_sys_code=site.recer_sys_code,
            dev_no=site.dev_no,
            dev_safe_info=site.dev_safe_info,
            infver=site.infver,
            opter_type=site.opter_type,
            opter=site.opter,
            opter_name=site.opter_name,
            inf_time=datetime.fromtimestamp(self.clock(), CHINA),
            fixmedins_code=site.fixmedins_code,
            fixmedins_name=site.fixmedins_name,
            sign_no=self.sign_no,
            input=write_json(whole) if site.input_as_text else whole,
            extra=site.envelope,
        )
        document = envelope.write(number)
        headers = {"Content-Type": "application/json; charset=utf-8", "Accept-Encoding": "identity"}
        for layer in site.layers:
            document = layer.seal(document)
            headers |= layer.headers(envelope.infno)
        return Message(
            transaction=transaction,
            question=question,
            message_id=identifier,
            url=site.url_of(number),
            headers=headers,
            body=write_json(document).encode(),
        )

    @property
    def sign_no(self) -> str:
        """The number of today's sign-in, empty before it."""
        day, number = self._signed_in
        return number if day == self._today() else ""

    @property
    def has_to_sign_in(self) -> bool:
        """Whether the site wants a sign-in, and has none for today."""
        return self.site.sign_in and not self.sign_no

    def sign_in(self) -> Message[SignIn, SignedIn]:
        """The message by which the clerk of this site signs in."""
        site = self.site
        return self.message(SIGN_IN, SignIn(opter_no=site.opter, mac=site.mac, ip=site.ip))

    def signed_in(self, result: Result[SignedIn]) -> None:
        """Take the number of a sign-in. Raises `PlatformUnavailable` when it did not succeed."""
        self._signed_in = self._today(), result.known().sign_no

    def _today(self) -> date:
        return datetime.fromtimestamp(self.clock(), CHINA).date()

    def understand(self, message: Message[Question, Answer], status: int, body: bytes) -> Result[Answer]:
        """The outcome that an HTTP answer stands for. Never raises."""
        if status != 200:
            return unknown(
                message, f"http_{status}", Text(f"网关返回 HTTP {status}", f"the gateway answered HTTP {status}")
            )
        try:
            document = read_json(body)
            for layer in reversed(self.site.layers):
                document = layer.open(document)
            return self._outcome(message, Reply.read(document))
        except DecodeError as error:
            return unknown(message, UNREADABLE, error.text)

    def _outcome(self, message: Message[Question, Answer], reply: Reply) -> Result[Answer]:
        """As `understand`; `DecodeError` for what makes no sense."""
        transaction = message.transaction
        if reply.infcode == REFUSED:
            if contains(reply.err_msg, self.site.unclear):
                reason = Text("平台称内部超时，结果未知", "the platform reports a time-out of its own")
                return unknown(message, "unclear", reason, reply.err_msg)
            return Result(
                ending=Ending.FAIL,
                message_id=message.message_id,
                code="refused",
                reason=Text(f"平台拒绝了 {transaction.number}", f"the platform refused {transaction.number}"),
                message=reply.err_msg,
            )
        if reply.infcode not in DONE:
            raise DecodeError("未知的交易状态码", "the status code is unknown")
        output = _output(reply.output, transaction)
        if not transaction.fits(message.question, output, message.message_id):
            raise DecodeError("应答不属于这笔交易", "the answer belongs to another message")
        return Result(
            ending=Ending.SUCCESS, message_id=message.message_id, output=output, message=reply.warn_msg or reply.err_msg
        )


def unknown(
    message: Message[Question, Answer], code: str, reason: Text, said: str = "", *, sent: bool = True
) -> Result[Answer]:
    """The outcome when there is no answer that counts."""
    return Result(
        ending=Ending.UNKNOWN, message_id=message.message_id, code=code, reason=reason, message=said, sent=sent
    )


def not_sent(message: Message[Question, Answer], why: Text) -> Result[Answer]:
    """The outcome when there was no connection at all."""
    reason = Text(f"连不上医保网关：{why.zh}", f"there is no connection to the insurance gateway: {why.en}")
    return unknown(message, UNREACHABLE, reason, sent=False)


def no_answer(message: Message[Question, Answer], why: Text) -> Result[Answer]:
    """The outcome when the connection broke, or nothing came in time, after the message had gone out."""
    return unknown(
        message, LATE, Text(f"医保网关没有完整应答：{why.zh}", f"the gateway gave no whole answer: {why.en}")
    )


def contains(said: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns stands in what a platform said."""
    return any(pattern.lower() in said.lower() for pattern in patterns)


def _output(output: object, transaction: Transaction[Question, Answer]) -> Answer:
    """The record in an output, which may be JSON inside a string. Raises `DecodeError`."""
    answer, node = transaction.answer, transaction.answer_node
    if answer is Nothing:
        return answer()
    if isinstance(output, str) and output.strip():
        output = parse(output)
    if output is None or output == "":
        output = {}
    if node and isinstance(output, dict) and node in output:
        output = output[node]
    if isinstance(output, list) and len(output) == 1:
        output = output[0]
    return answer.read(output, "output")
