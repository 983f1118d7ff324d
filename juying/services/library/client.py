"""A library system, asked from threads: a few connections that stay open, logged in.

``juying.services.library.async_client`` is the same for an event loop.
"""

import socket
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

from juying.errors import DecodeError, InputError, JuyingError, PlatformUnavailable
from juying.services.connecting import no_connection, tls_context
from juying.services.library import plans
from juying.services.library.codec import Received
from juying.services.library.patron import Summary
from juying.services.library.session import Open, Opened, Plan, Session, Steps, Transaction
from juying.services.library.site import Site, Tls
from juying.services.resilience import Deadline

Result = TypeVar("Result")

CHUNK = 1 << 16


class LibraryClient:
    """Asks one site; threads may share it.

    Questions are asked once more when an idle connection proves to be cut, loans never. `PlatformUnavailable` says
    that there is no answer, and why; of a loan it says that nothing was sent. Every method takes a ``deadline``; the
    site's own time-outs hold anyway.
    """

    def __init__(self, site: Site, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Connections are made when they are needed. Raises `InputError` for authorities that are no use."""
        check_authorities(site)
        self.site = site
        self._clock = clock
        self._places: SimpleQueue[int] = SimpleQueue()
        for number in range(site.connections):
            self._places.put(number)
        self._idle: deque[_Line] = deque()
        self._closed = threading.Event()
        self._keeper: threading.Thread | None = None
        self._finalizer = weakref.finalize(self, _shut, self._idle, self._closed)

    def status(self, *, deadline: Deadline | None = None) -> Received:
        """How the system is (98)."""
        return self.run(plans.status(), deadline)

    def reader(self, number: str, pin: str | None = None, *, deadline: Deadline | None = None) -> Received:
        """What decides whether a reader may borrow (64 or 24)."""
        return self.run(plans.reader(self.site, number, pin), deadline)

    def patron_information(
        self, number: str, pin: str | None = None, summary: Summary | None = None, *, deadline: Deadline | None = None
    ) -> Received:
        """A reader, with one of the lists (64)."""
        return self.run(plans.patron_information(self.site, number, pin, summary), deadline)

    def item_information(self, item: str, *, deadline: Deadline | None = None) -> Received:
        """An item (18)."""
        return self.run(plans.item_information(self.site, item), deadline)

    def end_session(self, number: str, pin: str | None = None, *, deadline: Deadline | None = None) -> Received:
        """The reader is done (36)."""
        return self.run(plans.end_session(self.site, number, pin), deadline)

    def checkout(
        self,
        number: str,
        item: str,
        pin: str | None = None,
        *,
        fee_accepted: bool | None = None,
        deadline: Deadline | None = None,
    ) -> Transaction:
        """Lend an item."""
        return self.run(plans.checkout(self.site, number, item, pin, fee_accepted=fee_accepted), deadline)

    def checkin(self, item: str, *, deadline: Deadline | None = None) -> Transaction:
        """Take an item back."""
        return self.run(plans.checkin(self.site, item), deadline)

    def renew(self, number: str, item: str, pin: str | None = None, *, deadline: Deadline | None = None) -> Transaction:
        """Let a reader keep an item for longer."""
        return self.run(plans.renew(self.site, number, item, pin), deadline)

    def pay(
        self,
        number: str,
        amount: Decimal,
        pin: str | None = None,
        *,
        fee: str | None = None,
        deadline: Deadline | None = None,
    ) -> Transaction:
        """Tell the system that a fee was paid at the terminal."""
        return self.run(plans.pay(self.site, number, amount, pin, fee=fee), deadline)

    def run(self, plan: Plan[Result], deadline: Deadline | None = None) -> Result:
        """Carry out a plan on a connection of the pool."""
        total = self.site.resilience.total
        whole = Deadline.after(total, self._clock) if deadline is None else deadline.within(total)
        try:
            place = self._places.get(timeout=whole.left())
        except Empty:
            raise explained(ALL_BUSY, self.site) from None
        try:
            return self._run(plan, whole)
        except (OSError, DecodeError, PlatformUnavailable) as error:
            raise explained(error, self.site) from None
        finally:
            self._places.put(place)

    def _run(self, plan: Plan[Result], deadline: Deadline) -> Result:
        held: _Line | None = None
        usable = False
        try:
            step = next(plan)
            while True:
                error: Exception | None = None
                answer: Opened | Received | None = None
                try:
                    if isinstance(step, Open):
                        usable = usable and step is not Open.FRESH
                        held, reused = self._line(held, step, deadline)
                        answer = Opened(held.session, reused)
                    elif held is not None:
                        usable = False
                        answer = held.run(held.session.ask(step), deadline)
                        usable = True
                except (OSError, JuyingError) as caught:
                    error = caught
                step = plan.send(answer) if error is None else plan.throw(error)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        finally:
            if held is not None:
                self._give_back(held, usable)

    def _line(self, held: "_Line | None", wanted: Open, deadline: Deadline) -> tuple["_Line", bool]:
        """A connection as the plan wants it, and whether it was there before."""
        if held is not None and wanted is not Open.FRESH:
            return held, held.reused
        if held is not None:
            held.close()
        elif self._idle:
            with suppress(IndexError):  # another thread took it
                line = self._idle.pop()
                line.reused = True
                if wanted is not Open.TRIED or line.answers(deadline):
                    return line, True
                line.close()
        return _Line(self.site, deadline), False

    def _give_back(self, line: "_Line", usable: bool) -> None:
        if not usable or self._closed.is_set():
            line.close()
            return
        line.used_at = self._clock()
        self._idle.append(line)
        if self._keeper is None and self.site.keep_alive:
            arguments = (weakref.ref(self), self._closed, self.site.keep_alive / 2)
            self._keeper = threading.Thread(target=_keep, args=arguments, name="sip2 keep-alive", daemon=True)
            self._keeper.start()

    def keep_alive(self) -> int:
        """Send 99 on each connection that has been idle for long enough, and close those that do not answer.

        Gives the number that are alive. A thread does this by itself, as long as there is a connection.
        """
        alive = 0
        for _ in range(len(self._idle)):
            with suppress(IndexError):  # in use again
                line = self._idle.popleft()
                if self._clock() - line.used_at >= self.site.keep_alive / 2:
                    deadline = Deadline.after(self.site.resilience.timeout, self._clock)
                    self._give_back(line, line.answers(deadline))
                else:
                    self._idle.append(line)
                alive += line.open
        return alive

    def close(self) -> None:
        """Close all connections."""
        self._finalizer()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self.close()


class _Line:
    """A socket, and what is said on it."""

    def __init__(self, site: Site, deadline: Deadline) -> None:
        """Connect and log in."""
        self.session = Session(site)
        self.reused = False
        self.used_at = 0.0
        left = deadline.within(site.resilience.connect)
        raw = socket.create_connection((site.host, site.port), timeout=_seconds(left))
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.settimeout(_seconds(left))
            self._socket = secured(raw, site.tls) if site.tls else raw
            self.open = True
            self.run(self.session.open(), deadline)
        except BaseException:
            raw.close()
            if hasattr(self, "_socket"):
                self._socket.close()
            raise

    def run(self, steps: Steps[Result], deadline: Deadline) -> Result:
        """Send and receive as a session says; each answer has the time that the site is given for one."""
        timeout = self.session.site.resilience.timeout
        connection = self._socket
        try:
            out = next(steps)
            while True:
                try:
                    if out:
                        limit = deadline.within(timeout)
                    connection.settimeout(_seconds(limit))
                    if out:
                        connection.sendall(out)
                    data = connection.recv(CHUNK)
                except TimeoutError as error:
                    out = steps.throw(error)
                else:
                    out = steps.send(data)
        except StopIteration as stop:
            result: Result = stop.value
            return result

    def answers(self, deadline: Deadline) -> bool:
        """Whether the system still answers a 99 here."""
        try:
            self.run(self.session.ask_status(), deadline)
        except (OSError, JuyingError):
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self.open = False
        self._socket.close()


def check_authorities(site: Site) -> None:
    """Raise `InputError` when the file with the authorities of the site is no use."""
    if site.tls is not None:
        try:
            tls_context(site.tls.ca_file)
        except OSError as error:  # also what the TLS library raises
            reason = type(error).__name__
            raise InputError(
                f"证书机构文件不可用（{reason}）",
                f"the file of authorities cannot be used ({reason})",
                where=f"library.{site.name}.ca_file",
            ) from None


def secured(raw: socket.socket, tls: Tls) -> ssl.SSLSocket:
    """The socket, after a handshake in which the server proved who it is. Raises `PlatformUnavailable`."""
    try:
        return tls_context(tls.ca_file).wrap_socket(raw, server_hostname=tls.server_name)
    except ssl.SSLError as error:
        raise not_secured(error) from None


def not_secured(error: ssl.SSLError) -> PlatformUnavailable:
    """Why there is no TLS, so that nothing was sent."""
    zh, en = no_connection(error)
    zh, en = f"{zh}，没有发送任何内容", f"{en}, so nothing was sent"
    if not isinstance(error, ssl.SSLCertVerificationError):
        zh, en = f"{zh}；该端口若确实没有 TLS，请写 tls = false", f"{en}; if this port has none, say tls = false"
    return PlatformUnavailable(zh, en)


def _seconds(deadline: Deadline) -> float:
    left = deadline.left()
    if left <= 0:
        raise TimeoutError
    return left


ALL_BUSY = PlatformUnavailable("所有连接都在使用中", "all connections are in use")


def explained(error: Exception, site: Site) -> PlatformUnavailable:
    """What went wrong on a connection, with the name of the site, and without words of the system."""
    zh, en = error.text if isinstance(error, JuyingError) else no_connection(error)
    return PlatformUnavailable(f"{site.title.zh}：{zh}", f"{site.title.en}: {en}", where=f"library.{site.name}")


def _shut(idle: "deque[_Line]", closed: threading.Event) -> None:
    """End a client, also one that was forgotten."""
    closed.set()
    while idle:
        with suppress(IndexError):
            idle.pop().close()


def _keep(client: "weakref.ref[LibraryClient]", closed: threading.Event, pause: float) -> None:
    """Keep the idle connections of a client, as long as somebody holds it."""
    while not closed.wait(pause):
        alive = client()
        if alive is not None:  # else the end has come, and is about to be told
            alive.keep_alive()
        del alive
