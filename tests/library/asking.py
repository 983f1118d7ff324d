"""One way to ask, for the client of threads and the one of event loops."""

import asyncio
from collections.abc import Callable
from typing import Any

from juying.services.library.async_client import AsyncLibraryClient
from juying.services.library.client import LibraryClient
from juying.services.library.site import Site


class Loop:
    """The asynchronous client, asked from a test that is not."""

    def __init__(self, site: Site, runner: asyncio.Runner, **options: Any) -> None:
        self._runner = runner

        async def make() -> AsyncLibraryClient:
            return AsyncLibraryClient(site, **options)

        self._client = runner.run(make())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *arguments, **options: self._runner.run(method(*arguments, **options))

    def meanwhile(self, look: Callable[[], Any]) -> Any:
        """Look at something while the event loop runs."""
        return self._runner.run(asyncio.to_thread(look))

    def close(self) -> None:
        self._runner.run(self._client.aclose())


Asked = LibraryClient | Loop
