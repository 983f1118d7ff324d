"""A service that answers a number with yes or no over TCP, in several ways at once: a port for each.

A question is a line with a number, the answer ``yes`` for an even one and ``no`` for an odd one. ``fast`` answers at
once, ``slow`` after a while, ``flaky`` hangs up on every other connection, ``failing`` on each, ``hanging`` never
answers, ``babbling`` answers with rubbish, and ``dripping`` lets single bytes fall that never make a line.
"""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from itertools import count

SLOW = 0.3
"""Seconds."""

_connections = count()


async def fast(reader: StreamReader, writer: StreamWriter) -> None:
    number = int(await reader.readline())
    writer.write(b"no\n" if number % 2 else b"yes\n")


async def slow(reader: StreamReader, writer: StreamWriter) -> None:
    await asyncio.sleep(SLOW)
    await fast(reader, writer)


async def flaky(reader: StreamReader, writer: StreamWriter) -> None:
    if next(_connections) % 2:
        await fast(reader, writer)


async def failing(reader: StreamReader, writer: StreamWriter) -> None:
    """Hang up at once."""


async def hanging(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read()  # until the other side gives up


async def babbling(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.readline()
    writer.write(b"\xff\x00maybe\n")


async def dripping(reader: StreamReader, writer: StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"y")
        await writer.drain()
        await asyncio.sleep(0.02)


MANNERS = (fast, slow, flaky, failing, hanging, babbling, dripping)


async def main() -> None:
    ports = {}
    for manner in MANNERS:
        server = await asyncio.start_server(_polite(manner), "127.0.0.1", 0, backlog=1024)
        ports[manner.__name__] = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"port": ports["fast"], "ports": ports}) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _polite(
    manner: Callable[[StreamReader, StreamWriter], Awaitable[None]],
) -> Callable[[StreamReader, StreamWriter], Awaitable[None]]:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await manner(reader, writer)
            await writer.drain()
        except OSError:
            pass  # the other side has gone
        finally:
            writer.close()

    return serve


if __name__ == "__main__":
    asyncio.run(main())
