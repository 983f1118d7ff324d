"""Recording what passes between us and a card, and playing it back.

A trace is JSON lines: first ``{"atr": "3B…", "protocol": "T=1", "masked": true}``, then one
``{"command": "00A4…", "response": "…9000", "ms": 3.1}`` for each exchange, in upper-case hexadecimal. It is written
while the card is talking, one whole line at a time, so that a crash loses nothing but, at worst, its own last line.
"""

import json
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, cast

from juying.card.apdu import SELECT, Command
from juying.card.mask import Masker, shape
from juying.card.transport import CardProtocol, Closing, Transport
from juying.codec.profile import load_profile, profile_names
from juying.codec.spec import Profile
from juying.errors import DecodeError, InputError

MAX_FILE = 64 * 1024 * 1024
"""Bytes of a trace file that are read (our choice)."""

MAX_EXCHANGES = 100_000
"""Exchanges of one trace (our choice); a full card takes about a hundred."""

_MAX_LINE = 300_000
"""Longer than any line with an extended command and an extended response."""

_MAX_ATR = 33
_MAX_MS = 1e9
_NO_FILE, _NO_COMMAND = bytes.fromhex("6A82"), bytes.fromhex("6D00")


class Recorder(Closing):
    """A transport that writes down what passes through another one.

    What ``profile`` marks as personal is replaced by pseudonyms, and everything that it does not know. Without a
    profile all that come with juying count, until the card states its version. With ``masked=False`` personal data
    is written as it is; PINs, keys and cryptograms never are.
    """

    def __init__(
        self,
        transport: Transport,
        profile: Profile | None,
        path: str | Path,
        *,
        masked: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Start a new file at ``path``, readable by its owner only; InputError if it exists or cannot be made."""
        profiles = [profile] if profile else [load_profile(name) for name in profile_names()]
        self.path = Path(path)
        self._transport = transport
        self._clock = clock
        self._masker = Masker(profiles, personal=masked)
        self._problem: OSError | None = None
        try:
            self._file: IO[str] = open(path, "x", encoding="ascii", newline="\n", opener=_private)  # noqa: SIM115
        except OSError as error:
            raise InputError(
                "记录文件已存在或无法创建，请换一个文件名",
                "the trace file exists already or cannot be made; choose another name",
                where=str(path),
            ) from error
        header: dict[str, Any] = {"atr": _hex(self._masker.atr(transport.atr)), "protocol": transport.protocol}
        self._write({**header, "masked": True} if masked else header)

    @property
    def atr(self) -> bytes:
        """Answer to reset of the real card."""
        return self._transport.atr

    @property
    def protocol(self) -> CardProtocol:
        """Protocol of the line."""
        return self._transport.protocol

    @property
    def name(self) -> str:
        """Name of the recorded transport."""
        return self._transport.name

    @property
    def control(self) -> Callable[[int, bytes], bytes] | None:
        """Control commands to the reader, where the recorded transport has them; they are not written down."""
        passed: Callable[[int, bytes], bytes] | None = getattr(self._transport, "control", None)
        return passed

    def transmit(self, command: bytes) -> bytes:
        """Pass a command on and write it down with its answer; one without answer is not written."""
        begin = self._clock()
        answer = self._transport.transmit(command)
        elapsed = round((self._clock() - begin) * 1000, 3)
        masked_command, masked_answer = self._masker.exchange(command, answer)
        self._write({"command": _hex(masked_command), "response": _hex(masked_answer), "ms": elapsed})
        return answer

    def close(self) -> None:
        """Close file and transport.

        Raises InputError when the trace could not be written to its end: a full disk must not disturb the card,
        so nobody heard of it before.
        """
        try:
            self._file.close()
        except OSError as error:
            self._problem = error
        finally:
            self._transport.close()
        problem, self._problem = self._problem, None
        if problem:
            raise InputError(
                "记录文件不完整：写入失败，请检查磁盘空间",
                "the trace is incomplete: it could not be written; check the space on the disk",
                where=str(self.path),
            ) from problem

    def _write(self, line: dict[str, Any]) -> None:
        if self._problem:
            return
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            self._problem = error


@dataclass(frozen=True, slots=True, repr=False)
class Recorded:
    """One exchange of a trace; ``ms`` is how long it took, in milliseconds."""

    command: bytes
    response: bytes
    ms: float = 0.0

    def __repr__(self) -> str:
        """Lengths only; the data may be personal."""
        return f"Recorded({len(self.command)} bytes, {len(self.response)} bytes, {self.ms} ms)"


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace as it stands in a file."""

    atr: bytes
    protocol: CardProtocol
    masked: bool
    exchanges: tuple[Recorded, ...]

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a trace; DecodeError with file and line for anything that is not as the format wants it.

        A last line without its end is what a crash leaves, and is passed over. Raises InputError when the file
        cannot be read.
        """
        lines = _read_lines(Path(path))
        try:
            return cls._parse(lines)
        except _BadLine as bad:
            raise DecodeError(bad.zh, bad.en, where=f"{path}:{bad.line}") from None

    @classmethod
    def _parse(cls, lines: Sequence[bytes]) -> Self:
        if not lines:
            raise _BadLine(1, "记录文件是空的", "the trace is empty")
        header = _object(lines[0], 1, {"atr", "protocol"}, {"masked"})
        atr = _bytes(header, "atr", 1, _MAX_ATR)
        if header["protocol"] not in ("T=0", "T=1"):
            raise _BadLine(1, "protocol 应为 T=0 或 T=1", "protocol must be T=0 or T=1")
        if not isinstance(header.get("masked", False), bool):
            raise _BadLine(1, "masked 应为 true 或 false", "masked must be true or false")
        exchanges = []
        for number, line in enumerate(lines[1:], 2):
            entry = _object(line, number, {"command", "response"}, {"ms"})
            ms = entry.get("ms", 0.0)
            if isinstance(ms, bool) or not isinstance(ms, int | float) or not 0 <= ms <= _MAX_MS:
                raise _BadLine(number, "ms 应为不小于零的数", "ms must be a number of zero or more")
            command = _bytes(entry, "command", number, 65544)
            exchanges.append(Recorded(command, _bytes(entry, "response", number, 65538), float(ms)))
        return cls(atr, cast(CardProtocol, header["protocol"]), header.get("masked", False), tuple(exchanges))


class _BadLine(Exception):
    """A line of a trace that breaks the format."""

    def __init__(self, line: int, zh: str, en: str) -> None:
        self.line, self.zh, self.en = line, zh, en
        super().__init__(line)


class Replay(Closing):
    """A transport that answers from a trace.

    A command is answered by an exact match: in the stretch of the trace that the last SELECT opened, else anywhere;
    the next one not yet played before those already played. Next comes a match that ignores Le, and at last 6A82
    to SELECT and 6D00 to everything else. Of commands whose data no trace holds (PINs, cryptograms) header and
    lengths count, so that any key opens a recorded card.
    """

    def __init__(self, source: Trace | str | Path) -> None:
        """Play ``source``; a path is loaded as `Trace.load` does."""
        self._trace = source if isinstance(source, Trace) else Trace.load(source)
        self.name = "replay" if isinstance(source, Trace) else str(source)
        self._played = [False] * len(self._trace.exchanges)
        self._next = 0
        self._exact: dict[bytes, list[int]] = {}
        self._without_le: dict[Command, list[int]] = {}
        self._selects: list[int] = []
        for index, exchange in enumerate(self._trace.exchanges):
            self._exact.setdefault(shape(exchange.command) or exchange.command, []).append(index)
            if (key := _without_le(exchange.command)) is not None:
                self._without_le.setdefault(key, []).append(index)
            if exchange.command[1:2] == bytes((SELECT,)):
                self._selects.append(index)

    @property
    def atr(self) -> bytes:
        """Answer to reset, as recorded."""
        return self._trace.atr

    @property
    def protocol(self) -> CardProtocol:
        """Protocol of the line, as recorded."""
        return self._trace.protocol

    def transmit(self, command: bytes) -> bytes:
        """The recorded answer."""
        places = self._exact.get(shape(command) or command)
        if places is None and (key := _without_le(command)) is not None:
            places = self._without_le.get(key)
        if places is None:
            return _NO_FILE if command[1:2] == bytes((SELECT,)) else _NO_COMMAND
        index = self._choose(places, command)
        self._played[index] = True
        self._next = index + 1
        return self._trace.exchanges[index].response

    def _choose(self, places: list[int], command: bytes) -> int:
        """The place that follows best on what was played last."""
        if command[1:2] != bytes((SELECT,)):
            after = bisect_left(self._selects, self._next)
            begin = self._selects[after - 1] if after else 0
            end = self._selects[after] if after < len(self._selects) else len(self._played)
            places = [index for index in places if begin <= index < end] or places
        fresh = [index for index in places if not self._played[index]]
        ahead = [index for index in fresh or places if index >= self._next]
        return (ahead or fresh or places[-1:])[0]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _hex(data: bytes) -> str:
    return data.hex().upper()


def _without_le(raw: bytes) -> Command | None:
    """The command without Le, in whatever form it was sent; None for bytes that are no command."""
    try:
        command = Command.parse(raw)
    except DecodeError:
        return None
    return Command(command.cla, command.ins, command.p1, command.p2, command.data)


def _read_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise InputError(
            "记录文件无法读取，请检查路径和权限",
            "the trace file cannot be read; check path and permissions",
            where=str(path),
        ) from error
    lines = content.split(b"\n")
    if len(content) > MAX_FILE or len(lines) > MAX_EXCHANGES + 2:
        raise DecodeError("记录文件过大", "the trace file is too large", where=str(path))
    last = lines.pop()
    if last and _is_whole(last):
        lines.append(last)
    return lines


def _is_whole(line: bytes) -> bool:
    """Whether a last line without its end is whole all the same (somebody edited the file)."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _object(line: bytes, number: int, required: set[str], optional: set[str]) -> dict[str, Any]:
    """The JSON object of one line, with exactly the keys that belong there."""
    if len(line) > _MAX_LINE:
        raise _BadLine(number, "这一行过长", "the line is too long")
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise _BadLine(number, "不是有效的 JSON", "not valid JSON") from None
    if not isinstance(entry, dict) or not required <= entry.keys() <= required | optional:
        names = ", ".join(sorted(required | optional))
        raise _BadLine(number, f"应为含有 {names} 的 JSON 对象", f"a JSON object with {names} is expected")
    return entry


def _bytes(entry: dict[str, Any], key: str, number: int, limit: int) -> bytes:
    value = entry[key]
    problem = _BadLine(
        number, f"{key} 应为十六进制，最多 {limit} 字节", f"{key} must be hexadecimal, {limit} bytes at most"
    )
    if not isinstance(value, str) or len(value) > 2 * limit or not (value.isalnum() or not value):
        raise problem
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise problem from None
