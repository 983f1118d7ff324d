"""Sending messages, blocking or asynchronously. A message goes out once or never; what became of it is in the result.

Nothing here raises because a gateway is slow, away or confused, and nothing is sent twice: who asks again, and when,
is decided above (`juying.services.guard` for questions, `juying.services.medical.till` for money).
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from juying.errors import InputError
from juying.services.connecting import no_connection
from juying.services.medical.channel import Channel, Message, no_answer, not_sent, unknown
from juying.services.medical.fields import Record
from juying.services.medical.outcome import UNREADABLE, Result
from juying.services.medical.site import Site
from juying.services.medical.transactions import Transaction
from juying.services.medical.wire import MAX_BODY
from juying.services.resilience import Deadline
from juying.services.threads import started
from juying.text import Text

if TYPE_CHECKING:
    import httpcore

Question = TypeVar("Question", bound=Record)
Answer = TypeVar("Answer", bound=Record)

_TOO_LONG = Text("应答过长", "the answer is too long")


class _TooLateToGo(Exception):
    """The deadline was over before the first byte of the message had left."""


class _Departure:
    """The moment at which a message leaves: from then on it may have been done, before that it certainly was not.

    The one who waits and the one who sends agree on it under a lock, so a message that was given up never leaves later.
    """

    def __init__(self, may_go: Callable[[], bool]) -> None:
        self._may_go, self._lock = may_go, threading.Lock()
        self._given_up = self.gone = False
        self._stream: httpcore.NetworkStream | None = None

    def go(self) -> None:
        """Called when the connection is there. Raises `_TooLateToGo`."""
        with self._lock:
            if self._given_up or not self._may_go():
                raise _TooLateToGo
            self.gone = True

    def give_up(self) -> bool:
        """Wait no longer, and hang up; whether the message had left."""
        with self._lock:
            self._given_up = True
            if self._stream is not None:
                with suppress(OSError):  # it has gone already
                    self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            return self.gone

    def watch(self, event: str, information: dict[str, Any]) -> None:
        """Follow the connection's own events."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._stream = information["return_value"]
        elif event == "http11.send_request_headers.started":
            self.go()

    async def awatch(self, event: str, information: dict[str, Any]) -> None:
        """As `watch`."""
        self.watch(event, information)


def tls(site: Site) -> ssl.SSLContext:
    """What a connection to the site has to prove: a certificate for its name by an authority that is trusted here.

    The authorities are those of the system, or of ``ca_file`` alone. Raises `InputError` for files that are no use.
    """
    if site.url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and is not used
    try:
        context = ssl.create_default_context(cafile=site.ca_file or None)
        if site.certificate:
            context.load_cert_chain(site.certificate, site.certificate_key)
    except OSError as error:  # also what the TLS library raises
        reason = type(error).__name__
        raise InputError(
            f"证书文件不可用（{reason}）", f"the certificate files cannot be used ({reason})", where=site.name
        ) from None
    return context


def _check_no_money(transaction: Transaction[Question, Answer]) -> None:
    if transaction.money:
        number = transaction.number
        raise InputError(
            f"{number} 涉及资金，只能经台账（Till）办理",
            f"{number} moves money, which goes through the journal (Till) only",
        )


class _Sender:
    """What both clients have."""

    def __init__(self, site: Site | Channel, *, context: ssl.SSLContext | None = None) -> None:
        self.channel = site if isinstance(site, Channel) else Channel(site)
        self.site = self.channel.site
        self._context = context or tls(self.site)

    def _deadline(self, message: Message[Question, Answer], deadline: Deadline | None) -> Deadline:
        policy = self.site.resilience
        seconds = self.site.settle_timeout if message.transaction.money else policy.timeout
        return deadline.within(seconds) if deadline else Deadline.after(seconds)

    def _timeout(self, deadline: Deadline) -> httpx.Timeout:
        left = max(deadline.left(), 0.001)
        return httpx.Timeout(left, connect=min(left, self.site.resilience.connect))

    def _ended(self, message: Message[Question, Answer], gone: bool, error: BaseException) -> Result[Answer]:
        """The outcome of a message that got no answer. The library's words are left out: they may hold the question."""
        why = no_connection(error)
        return no_answer(message, why) if gone else not_sent(message, why)


class NhsaClient(_Sender):
    """The blocking client; threads may share it.

    Each message has a connection of its own: an idle one may be closed by the other side just when a message leaves,
    and one that nobody waits for any more can be hung up.
    """

    def __init__(self, site: Site | Channel, *, context: ssl.SSLContext | None = None) -> None:
        """For a site, or for a channel that clients share. Raises `InputError` for certificates that are no use."""
        super().__init__(site, context=context)
        self._signing_in = threading.Lock()

    def call(
        self,
        transaction: Transaction[Question, Answer],
        question: Question,
        *,
        insured_in: str = "",
        deadline: Deadline | None = None,
    ) -> Result[Answer]:
        """Ask. Money is not moved this way but by the till, which keeps the journal.

        ``insured_in`` is the 参保地医保区划 out of 1101, needed wherever a person number goes in. Raises `InputError`
        when the question cannot be put, and `PlatformUnavailable` when signing in, which comes first, has failed.
        """
        _check_no_money(transaction)
        self.sign_in_if_needed(deadline)
        return self.send(self.channel.message(transaction, question, insured_in=insured_in), deadline)

    def sign_in_if_needed(self, deadline: Deadline | None = None) -> None:
        """Sign the clerk in for today where the site wants that. Raises `PlatformUnavailable` when it failed."""
        if self.channel.has_to_sign_in:
            with self._signing_in:
                if self.channel.has_to_sign_in:
                    self.channel.signed_in(self.send(self.channel.sign_in(), deadline))

    def send(
        self,
        message: Message[Question, Answer],
        deadline: Deadline | None = None,
        *,
        may_go: Callable[[], bool] = lambda: True,
    ) -> Result[Answer]:
        """Send a message and wait for its outcome, until the deadline and no longer. Never send one twice.

        ``may_go`` is asked at the last moment before the first byte leaves.
        """
        until = self._deadline(message, deadline)
        departure = _Departure(lambda: not until.expired and may_go())
        # Time-outs of single reads do not bound a gateway that lets bytes drip: the one who waits has to be free to go.
        exchange = started(lambda: self._exchange(message, until, departure))
        try:
            return exchange.result(until.left())
        except TimeoutError as error:
            return self._ended(message, departure.give_up(), error)

    def _exchange(self, message: Message[Question, Answer], until: Deadline, departure: _Departure) -> Result[Answer]:
        try:
            with (
                httpx.Client(verify=self._context, trust_env=False, follow_redirects=False) as client,
                client.stream(
                    "POST",
                    message.url,
                    content=message.body,
                    headers=message.headers,
                    timeout=self._timeout(until),
                    extensions={"trace": departure.watch},
                ) as response,
            ):
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY:
                        return unknown(message, UNREADABLE, _TOO_LONG)
                return self.channel.understand(message, response.status_code, body)
        except (httpx.HTTPError, OSError, _TooLateToGo) as error:
            return self._ended(message, departure.gone, error)


class AsyncNhsaClient(_Sender):
    """As `NhsaClient`, for the event loop it is used in; a context manager that closes its connections."""

    def __init__(self, site: Site | Channel, *, context: ssl.SSLContext | None = None) -> None:
        """As `NhsaClient`."""
        super().__init__(site, context=context)
        self._http = httpx.AsyncClient(verify=self._context, trust_env=False, follow_redirects=False)
        self._signing_in = asyncio.Lock()

    async def call(
        self,
        transaction: Transaction[Question, Answer],
        question: Question,
        *,
        insured_in: str = "",
        deadline: Deadline | None = None,
    ) -> Result[Answer]:
        """As `NhsaClient.call`."""
        _check_no_money(transaction)
        await self.sign_in_if_needed(deadline)
        return await self.send(self.channel.message(transaction, question, insured_in=insured_in), deadline)

    async def sign_in_if_needed(self, deadline: Deadline | None = None) -> None:
        """As `NhsaClient.sign_in_if_needed`."""
        if self.channel.has_to_sign_in:
            async with self._signing_in:
                if self.channel.has_to_sign_in:
                    self.channel.signed_in(await self.send(self.channel.sign_in(), deadline))

    async def send(self, message: Message[Question, Answer], deadline: Deadline | None = None) -> Result[Answer]:
        """As `NhsaClient.send`."""
        until = self._deadline(message, deadline)
        departure = _Departure(lambda: not until.expired)
        try:
            async with asyncio.timeout(until.left()):
                return await self._exchange(message, until, departure)
        except (httpx.HTTPError, OSError, _TooLateToGo) as error:  # TimeoutError is an OSError
            return self._ended(message, departure.gone, error)

    async def _exchange(
        self, message: Message[Question, Answer], until: Deadline, departure: _Departure
    ) -> Result[Answer]:
        async with self._http.stream(
            "POST",
            message.url,
            content=message.body,
            headers=message.headers,
            timeout=self._timeout(until),
            extensions={"trace": departure.awatch},
        ) as response:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY:
                    return unknown(message, UNREADABLE, _TOO_LONG)
            return self.channel.understand(message, response.status_code, body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Itself; `aclose` follows."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.aclose()
