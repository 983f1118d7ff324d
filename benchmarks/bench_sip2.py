"""SIP2: messages built and read, and questions asked of a library system in another process.

Messages are held against the PyPI client Sip2, which says the same about the same reader (its log is off). Questions
are held against a bare socket loop with a finished request, and eight connections against one. The system thinks for
two milliseconds before each answer, as one with a database does; what a question costs beside one that answers at once
stands there for information.

    python benchmarks/bench_sip2.py
"""

import asyncio
import logging
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

from common import ROOT, Row, clocked, microseconds, show, timings

from juying.services.library.async_client import AsyncLibraryClient
from juying.services.library.client import LibraryClient
from juying.services.library.codec import decode, encode
from juying.services.library.kinds import this_second
from juying.services.library.messages import PatronInformation
from juying.services.library.site import Site
from juying.services.library.wire import BOOK, checksum

sys.path.insert(0, str(ROOT))
from tests.peers.running import Peer, running
from tests.peers.sip2 import INSTITUTION, LOGIN, PASSWORD

READER, PIN = "TWN371198507150011", "123456"
ANSWER = (
    f"64              01920261122    072201000000000002000100000000AO{INSTITUTION}|AA{READER}|AE安娜样本|BZ0005|CA0005"
    "|CB0010|BLY|CQY|BHCNY|BV0.00|CC50.00|AF欢迎光临|AY3AZ"
).encode()
ANSWER += checksum(ANSWER)
QUESTIONS, TOGETHER, THINKING = 200, 8, 0.002


def message_rows() -> list[Row]:
    """One message each, in microseconds."""
    from Sip2.sip2 import Sip2

    class Quiet(Sip2):
        def __del__(self) -> None:
            """Without its good-bye on standard output."""

    peer = Quiet()
    peer.log = logging.getLogger("Sip2")
    peer.log.setLevel(logging.ERROR)
    peer.institutionId, peer.patron, peer.patronpwd = INSTITUTION, READER, PIN

    def build() -> bytes:
        request = PatronInformation(
            date=this_second(), institution=INSTITUTION, reader=READER, terminal_password="", pin=PIN
        )
        return encode(request, BOOK, 3)

    def peer_builds() -> bytes:
        return peer.sip_patron_information_request("none").encode()

    def peer_reads() -> object:
        text = ANSWER.decode()
        peer._crc_verify(text)
        return peer.sip_patron_information_response(text)

    built, peer_built, read, peer_read = microseconds(build, peer_builds, lambda: decode(ANSWER), peer_reads)
    return [
        Row("build 63 with checksum", built, peer_built, "Sip2", unit="µs", target=3, sense=">="),
        Row("decode, verify and parse 64", read, peer_read, "Sip2", unit="µs", target=2, sense=">="),
    ]


def question_rows(system: Peer, thinking: float, target: float | None) -> list[Row]:
    """Questions one after the other, on one connection."""
    system.ask({"habits": [], "delay": thinking})
    kind = "a system that thinks" if thinking else "one that answers at once"
    raw = socket.create_connection(("127.0.0.1", system.port))
    request = PatronInformation(
        date=this_second(), institution=INSTITUTION, reader="R0001", terminal_password="", pin=""
    )
    data = encode(request, BOOK, 1)

    def bare() -> None:
        for _ in range(QUESTIONS):
            raw.sendall(data)
            answer = b""
            while not answer.endswith(b"\r"):
                answer += raw.recv(4096)
            assert answer.startswith(b"64")

    with LibraryClient(site(system)) as client, raw, asyncio.Runner() as runner:
        loop = runner.run(_loop_client(system))

        def ours() -> None:
            for _ in range(QUESTIONS):
                client.reader("R0001")

        async def in_loop() -> None:
            for _ in range(QUESTIONS):
                await loop.reader("R0001")

        one, floor, asynchronous = (
            timing.best / QUESTIONS * 1e3
            for timing in timings(
                lambda: clocked(ours), lambda: clocked(bare), lambda: clocked(lambda: runner.run(in_loop())), rounds=9
            )
        )
        runner.run(loop.aclose())
    return [
        Row(f"question to {kind}, threads", one, floor, "bare socket", target=target, sense=">="),
        Row(f"question to {kind}, event loop", asynchronous, floor, "bare socket", target=target, sense=">="),
    ]


async def _loop_client(system: Peer, connections: int = 1) -> AsyncLibraryClient:
    return AsyncLibraryClient(site(system, connections))


def together_rows(system: Peer) -> list[Row]:
    """Eight connections against one, with a system that thinks."""
    system.ask({"habits": [], "delay": THINKING})
    with LibraryClient(site(system, TOGETHER)) as client, asyncio.Runner() as runner:
        loop = runner.run(_loop_client(system, TOGETHER))
        threads = ThreadPoolExecutor(TOGETHER)

        def alone() -> None:
            for _ in range(QUESTIONS):
                client.reader("R0001")

        def eight() -> None:
            list(threads.map(lambda _: client.reader("R0001"), range(QUESTIONS)))

        async def tasks() -> None:
            await asyncio.gather(*(loop.reader("R0001") for _ in range(QUESTIONS)))

        one, threaded, gathered = (
            timing.best / QUESTIONS * 1e3
            for timing in timings(
                lambda: clocked(alone), lambda: clocked(eight), lambda: clocked(lambda: runner.run(tasks())), rounds=3
            )
        )
        runner.run(loop.aclose())
        threads.shutdown()
    return [
        Row(f"{TOGETHER} connections, threads", threaded, one, "one connection", target=2, sense=">="),
        Row(f"{TOGETHER} connections, event loop", gathered, one, "one connection", target=2, sense=">="),
    ]


def site(system: Peer, connections: int = 1) -> Site:
    """The peer as a site."""
    os.environ["JUYING_BENCH_SIP2"] = PASSWORD
    table = {
        "host": "127.0.0.1",
        "port": system.port,
        "tls": False,
        "institution": INSTITUTION,
        "login": LOGIN,
        "password_env": "JUYING_BENCH_SIP2",
        "connections": connections,
        "keep_alive": 0,
    }
    return Site.from_dict(table, "bench")


def main() -> None:
    with running("tests.peers.sip2") as system:
        asked = [*question_rows(system, THINKING, 0.8), *question_rows(system, 0, None)]
        show("SIP2", [*message_rows(), *asked, *together_rows(system)])


if __name__ == "__main__":
    main()
