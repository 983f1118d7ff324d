"""Cards for the tests that say exactly what they are told to say."""

from collections.abc import Callable, Iterable

from juying.card.transport import CardProtocol, Closing


class ScriptedCard(Closing):
    """A transport that expects given commands in order and gives the answers beside them (both in hex)."""

    name = "scripted"

    def __init__(self, *script: tuple[str, str], protocol: CardProtocol = "T=1", atr: bytes = b"\x3b\x00") -> None:
        self.script = list(script)
        self.protocol: CardProtocol = protocol
        self.atr = atr
        self.closed = 0

    def transmit(self, command: bytes) -> bytes:
        assert self.script, f"unexpected {command.hex()}"
        expected, answer = self.script.pop(0)
        assert command.hex() == expected.replace(" ", "").lower()
        return bytes.fromhex(answer)

    def close(self) -> None:
        self.closed += 1

    @property
    def done(self) -> bool:
        """Whether every expected command came."""
        return not self.script


class FunctionCard(Closing):
    """A transport that is just a function, and remembers what it was asked."""

    name = "function"

    def __init__(self, answer: Callable[[bytes], bytes], *, protocol: CardProtocol = "T=1", atr: bytes = b"") -> None:
        self.answer = answer
        self.protocol: CardProtocol = protocol
        self.atr = atr
        self.commands: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self.answer(command)


def answers(*hexes: str) -> Callable[[bytes], bytes]:
    """A function that gives these answers one after the other."""
    rest: Iterable[str] = iter(hexes)
    return lambda command: bytes.fromhex(next(iter(rest)))
