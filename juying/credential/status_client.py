"""Fetching status lists over HTTP, in the background of a terminal.

Whatever goes wrong, the lists at hand stay, and every answer from them says how old it is: a slow, wrong or hostile
server can make a verdict old, never wrong.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum

from juying.credential.status import HeldList, StatusLists
from juying.credential.status_list import MAX_TOKEN, MEDIA_TYPE
from juying.credential.trust import TrustList
from juying.errors import InputError
from juying.text import Text

try:
    import httpx
except ImportError:
    raise InputError(
        "下载状态列表需要 httpx，请安装：pip install 'juying[services]'",
        "fetching status lists needs httpx; install it: pip install 'juying[services]'",
    ) from None

TIMEOUT = 10.0
"""Seconds for one list, from the name service to the last byte."""
RETRY = timedelta(minutes=1)
"""How long a server that failed is left alone."""
MAX_REDIRECTS = 3


class Outcome(StrEnum):
    """How an attempt ended."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Refresh:
    """One attempt: when it is KEPT, ``reason`` says why; ``held`` is the list at hand now, if there is one."""

    number: int
    outcome: Outcome
    held: HeldList | None
    reason: Text | None = None


class StatusClient:
    """Keeps the lists of one publisher fresh; for one thread or one event loop."""

    def __init__(
        self,
        base: str,
        lists: StatusLists,
        trust: TrustList,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``base`` is the address without the number of the list: ``https://status.example/lists/``.

        ``timeout`` (seconds) bounds each list as a whole. Raises InputError for another kind of address.
        """
        try:
            url = httpx.URL(base)
            good = url.scheme in ("http", "https") and bool(url.host) and base.endswith("/")
        except (httpx.InvalidURL, ValueError):
            good = False
        if not good:
            raise InputError(
                "状态列表地址须以 http:// 或 https:// 开头、以 / 结尾",
                "the address of status lists begins with http:// or https:// and ends in /",
            )
        self._base, self._lists, self._trust = base, lists, trust
        self._timeout, self._clock, self._transport = timeout, clock, transport
        self._tags: dict[int, tuple[bytes, str]] = {}  # the list that came last, and the tag that came with it
        self._next: dict[int, datetime] = {}

    def due(self, number: int) -> bool:
        """Whether it is time to ask for a list again: its time to keep is over, or a failure is a while ago."""
        return number not in self._next or self._clock() >= self._next[number]

    def refresh(self, numbers: Iterable[int]) -> tuple[Refresh, ...]:
        """Ask for lists, all at once, due or not; as `refresh_async`, for a thread without an event loop."""
        return asyncio.run(self.refresh_async(numbers))

    async def refresh_async(self, numbers: Iterable[int]) -> tuple[Refresh, ...]:
        """Ask for lists, all at once, due or not. Network and server never make it raise."""
        settings = httpx.AsyncClient(
            transport=self._transport, timeout=self._timeout, follow_redirects=True, max_redirects=MAX_REDIRECTS
        )
        async with settings as http:
            return tuple(await asyncio.gather(*(self._refresh(http, number) for number in dict.fromkeys(numbers))))

    async def _refresh(self, http: httpx.AsyncClient, number: int) -> Refresh:
        reason: Text | None = None
        try:
            async with asyncio.timeout(self._timeout):
                outcome = await self._fetch(http, number)
        except TimeoutError:
            reason = Text("服务器太慢", "the server is too slow")
        except InputError as error:
            reason = error.text
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            kind = type(error).__name__
            reason = Text(f"服务器不可用（{kind}）", f"the server cannot be used ({kind})")
        held = self._lists.held(number)
        if reason is not None:
            self._next[number] = self._clock() + RETRY
            return Refresh(number, Outcome.KEPT, held, reason)
        self._next[number] = self._clock() + (held.content.ttl if held else RETRY)
        return Refresh(number, outcome, held)

    async def _fetch(self, http: httpx.AsyncClient, number: int) -> Outcome:
        # No compression: the list is compressed already, and nothing that anybody sends is unpacked unverified.
        headers = {"Accept": MEDIA_TYPE, "Accept-Encoding": "identity", **self._conditions(number)}
        async with http.stream("GET", f"{self._base}{number}", headers=headers) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED and self._lists.held(number):
                return Outcome.UNCHANGED
            if response.status_code != httpx.codes.OK:
                code = response.status_code
                raise InputError(f"服务器回答 {code}", f"the server answered {code}")
            token = await _body(response)
        before = self._lists.held(number)
        held = self._lists.add(token, self._trust, now=self._clock(), number=number)
        if tag := response.headers.get("ETag"):
            self._tags[number] = (token, tag)
        return Outcome.UNCHANGED if held == before else Outcome.UPDATED

    def _conditions(self, number: int) -> dict[str, str]:
        """Headers that spare both sides the list that is at hand."""
        held = self._lists.held(number)
        if held is None:
            return {}
        token, tag = self._tags.get(number, (b"", ""))
        if token == held.token:
            return {"If-None-Match": tag}
        return {"If-Modified-Since": format_datetime(held.content.issued_at, usegmt=True)}


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_TOKEN:
            raise InputError(f"回答超过 {MAX_TOKEN} 字节", f"the answer is larger than {MAX_TOKEN} bytes")
    return bytes(body)
