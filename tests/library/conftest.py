"""A library system in a process of its own, for all tests; each test sets its habits."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from juying.services.library.client import LibraryClient
from juying.services.library.site import Site
from tests.library.asking import Asked, Loop
from tests.peers.running import Peer, running
from tests.peers.sip2 import INSTITUTION, LOGIN, PASSWORD

PASSWORD_ENV = "JUYING_TEST_SIP2"
QUICK = {"connect": 5.0, "timeout": 5.0, "total": 10.0, "backoff": 0.0, "attempts": 1}
IMPATIENT = {**QUICK, "timeout": 0.15}


class LibrarySystem:
    """The peer, as tests use it."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    @property
    def port(self) -> int:
        return self.peer.port

    def begin(self, *habits: str, delay: float = 0.0) -> None:
        """Forget everything and begin anew."""
        self.peer.ask({"habits": habits, "delay": delay})

    def change(self, *habits: str) -> None:
        """Other habits from the next message on, with the same memory."""
        self.peer.ask({"change": habits})

    @property
    def told(self) -> dict[str, Any]:
        return self.peer.ask({"tell": True})

    @property
    def ledger(self) -> list[list[str]]:
        """What was done, in order."""
        ledger: list[list[str]] = self.told["ledger"]
        return ledger

    @property
    def sent(self) -> list[str]:
        """The ids of the messages that arrived."""
        sent: list[str] = self.told["sent"]
        return sent


@pytest.fixture(scope="package")
def peer() -> Iterator[Peer]:
    with running("tests.peers.sip2") as started:
        yield started


@pytest.fixture
def system(peer: Peer) -> LibrarySystem:
    library = LibrarySystem(peer)
    library.begin()
    return library


@pytest.fixture
def table(system: LibrarySystem, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The table of the site in a configuration."""
    monkeypatch.setenv(PASSWORD_ENV, PASSWORD)
    return {
        "host": "127.0.0.1",
        "port": system.port,
        "tls": False,
        "title": {"zh": "样本图书馆", "en": "Sample Library"},
        "institution": INSTITUTION,
        "login": LOGIN,
        "password_env": PASSWORD_ENV,
        "keep_alive": 0,
        "resilience": QUICK,
    }


@pytest.fixture
def site(table: dict[str, Any]) -> Callable[..., Site]:
    """A site with changes; ``impatient`` for systems that do not answer."""

    def make(*, impatient: bool = False, **changes: Any) -> Site:
        resilience = {"resilience": IMPATIENT} if impatient else {}
        return Site.from_dict({**table, **resilience, **changes}, "sample")

    return make


@pytest.fixture
def client(site: Callable[..., Site]) -> Iterator[Callable[..., LibraryClient]]:
    made: list[LibraryClient] = []

    def make(**changes: Any) -> LibraryClient:
        made.append(LibraryClient(site(**changes)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(params=["threads", "loop"])
def ask(request: pytest.FixtureRequest, site: Callable[..., Site]) -> Iterator[Callable[..., Asked]]:
    """A client, of either kind, with changes to the site."""
    made: list[Asked] = []
    with asyncio.Runner() as runner:

        def make(**changes: Any) -> Asked:
            its = site(**changes)
            made.append(LibraryClient(its) if request.param == "threads" else Loop(its, runner))
            return made[-1]

        yield make
        for each in made:
            each.close()


@pytest.fixture
def unused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
