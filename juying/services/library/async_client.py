"""A library system, asked from an event loop; `juying.services.library.client` is the same for threads."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from types import TracebackType
from typing import Self, TypeVar

from juying.errors import DecodeError, JuyingError, PlatformUnavailable
from juying.services.connecting import tls_context
from juying.services.library import plans
from juying.services.library.client import ALL_BUSY, CHUNK, check_authorities, explained, not_secured
from juying.services.library.codec import Received
from juying.services.library.patron import Summary
from juying.services.library.session import Open, Opened, Plan, Session, Steps, Transaction
from juying.services.library.site import Site
from juying.services.resilience import Deadline

Result = TypeVar("Result")


class AsyncLibraryClient:
    """As `juying.services.library.client.LibraryClient`, for one event loop; close it, or use ``async with``."""

    def __init__(self, site: Site, *, clock: Callable[[], float] = time.monotonic) -> None:
        """As `juying.services.library.client.LibraryClient`."""
        check_authorities(site)
        self.site = site
        self._clock = clock
        self._places = asyncio.BoundedSemaphore(site.connections)
        self._idle: deque[_Line] = deque()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False

    async def status(self, *, deadline: Deadline | None = None) -> Received:
        """How the system is (98)."""
        return await self.run(plans.status(), deadline)

    async def reader(self, number: str, pin: str | None = None, *, deadline: Deadline | None = None) -> Received:
        """What decides whether a reader may borrow (64 or 24)."""
        return await self.run(plans.reader(self.site, number, pin), deadline)

    async def patron_information(
        self, number: str, pin: str | None = None, summary: Summary | None = None, *, deadline: Deadline | None = None
    ) -> Received:
        """A reader, with one of the lists (64)."""
        return await self.run(plans.patron_information(self.site, number, pin, summary), deadline)

    async def item_information(self, item: str, *, deadline: Deadline | None = None) -> Received:
        """An item (18)."""
        return await self.run(plans.item_information(self.site, item), deadline)

    async def end_session(self, number: str, pin: str | None = None, *, deadline: Deadline | None = None) -> Received:
        """The reader is done (36)."""
        return await self.run(plans.end_session(self.site, number, pin), deadline)

    async def checkout(
        self,
        number: str,
        item: str,
        pin: str | None = None,
        *,
        fee_accepted: bool | None = None,
        deadline: Deadline | None = None,
    ) -> Transaction:
        """Lend an item."""
        return await self.run(plans.checkout(self.site, number, item, pin, fee_accepted=fee_accepted), deadline)

    async def checkin(self, item: str, *, deadline: Deadline | None = None) -> Transaction:
        """Take an item back."""
        return await self.run(plans.checkin(self.site, item), deadline)

    async def renew(
        self, number: str, item: str, pin: str | None = None, *, deadline: Deadline | None = None
    ) -> Transaction:
        """Let a reader keep an item for longer."""
        return await self.run(plans.renew(self.site, number, item, pin), deadline)

    async def pay(
        self,
        number: str,
        amount: Decimal,
        pin: str | None = None,
        *,
        fee: str | None = None,
        deadline: Deadline | None = None,
    ) -> Transaction:
        """Tell the system that a fee was paid at the terminal."""
        return await self.run(plans.pay(self.site, number, amount, pin, fee=fee), deadline)

    async def run(self, plan: Plan[Result], deadline: Deadline | None = None) -> Result:
        """Carry out a plan on a connection of the pool."""
        total = self.site.resilience.total
        whole = Deadline.after(total, self._clock) if deadline is None else deadline.within(total)
        try:
            async with asyncio.timeout(whole.left()):
                await self._places.acquire()
        except TimeoutError:
            raise explained(ALL_BUSY, self.site) from None
        try:
            return await self._run(plan, whole)
        except (OSError, DecodeError, PlatformUnavailable) as error:
            raise explained(error, self.site) from None
        finally:
            self._places.release()

    async def _run(self, plan: Plan[Result], deadline: Deadline) -> Result:
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
                        held, reused = await self._line(held, step, deadline)
                        answer = Opened(held.session, reused)
                    elif held is not None:
                        usable = False
                        answer = await held.run(held.session.ask(step), deadline)
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

    async def _line(self, held: "_Line | None", wanted: Open, deadline: Deadline) -> tuple["_Line", bool]:
        """A connection as the plan wants it, and whether it was there before."""
        if held is not None and wanted is not Open.FRESH:
            return held, held.reused
        if held is not None:
            held.close()
        elif self._idle:
            line = self._idle.pop()
            line.reused = True
            if wanted is not Open.TRIED or await line.answers(deadline):
                return line, True
            line.close()
        return await _Line.connect(self.site, deadline), False

    def _give_back(self, line: "_Line", usable: bool) -> None:
        if not usable or self._closed:
            line.close()
            return
        line.used_at = self._clock()
        self._idle.append(line)
        if self._keeper is None and self.site.keep_alive:
            self._keeper = asyncio.create_task(self._keep())

    async def keep_alive(self) -> int:
        """Send 99 on each connection that has been idle for long enough, and close those that do not answer.

        Gives the number that are alive. A task does this by itself, as long as there is a connection.
        """
        alive = 0
        for _ in range(len(self._idle)):
            with suppress(IndexError):  # in use again
                line = self._idle.popleft()
                if self._clock() - line.used_at >= self.site.keep_alive / 2:
                    deadline = Deadline.after(self.site.resilience.timeout, self._clock)
                    self._give_back(line, await line.answers(deadline))
                else:
                    self._idle.append(line)
                alive += line.open
        return alive

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self.site.keep_alive / 2)
            await self.keep_alive()

    async def aclose(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        while self._idle:
            line = self._idle.pop()
            line.close()
            with suppress(OSError):
                await line.writer.wait_closed()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self.aclose()


class _Line:
    """A connection, and what is said on it."""

    def __init__(self, site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.session = Session(site)
        self.reader, self.writer = reader, writer
        self.reused = False
        self.used_at = 0.0
        self.open = True

    @classmethod
    async def connect(cls, site: Site, deadline: Deadline) -> Self:
        """Connect and log in."""
        context, server_name = (tls_context(site.tls.ca_file), site.tls.server_name) if site.tls else (None, None)
        try:
            async with asyncio.timeout(deadline.within(site.resilience.connect).left()):
                reader, writer = await asyncio.open_connection(
                    site.host, site.port, ssl=context, server_hostname=server_name
                )
        except ssl.SSLError as error:
            raise not_secured(error) from None
        line = cls(site, reader, writer)
        try:
            await line.run(line.session.open(), deadline)
        except BaseException:
            line.close()
            raise
        return line

    async def run(self, steps: Steps[Result], deadline: Deadline) -> Result:
        """Send and receive as a session says; each answer has the time that the site is given for one."""
        timeout = self.session.site.resilience.timeout
        try:
            out = next(steps)
            while True:
                try:
                    if out:
                        limit = deadline.within(timeout)
                        self.writer.write(out)
                    async with asyncio.timeout(limit.left()):
                        data = await self.reader.read(CHUNK)
                except TimeoutError as error:
                    out = steps.throw(error)
                else:
                    out = steps.send(data)
        except StopIteration as stop:
            result: Result = stop.value
            return result

    async def answers(self, deadline: Deadline) -> bool:
        """Whether the system still answers a 99 here."""
        try:
            await self.run(self.session.ask_status(), deadline)
        except (OSError, JuyingError):
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self.open = False
        self.writer.close()
