"""A gym where people can be enrolled, which enrols again whoever is asked for again: it counts.

    python -m tests.peers.gym

It prints its port as a line of JSON. Over a connection come lines such as ``{"known": "a1"}`` and ``{"enrol": "a1"}``,
each answered with a line. A line of JSON on standard input sets what it does, ``{"mute": true}``, and is answered with
all that it was asked to enrol.
"""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from collections import Counter
from typing import Any


class Gym:
    def __init__(self) -> None:
        self.members: Counter[str] = Counter()
        self.mute = False  # does not tell whom it knows
        self.away = 0  # connections that it hangs up on

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            if self.away:
                self.away -= 1
                break
            writer.write(json.dumps(self.answer(json.loads(line))).encode() + b"\n")
            await writer.drain()
        writer.close()

    def answer(self, question: dict[str, str]) -> dict[str, Any]:
        match question:
            case {"known": number}:
                return {"known": "unclear" if self.mute else "yes" if number in self.members else "no"}
            case {"enrol": number}:
                self.members[number] += 1
                return {"enrolled": True}
        return {}


def say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def main() -> None:
    gym = Gym()
    server = await asyncio.start_server(gym.serve, "127.0.0.1", 0)
    say({"port": server.sockets[0].getsockname()[1]})
    async with server:
        while line := await asyncio.to_thread(sys.stdin.readline):
            for name, value in json.loads(line).items():
                setattr(gym, name, value)
            say({"members": gym.members})


if __name__ == "__main__":
    asyncio.run(main())
