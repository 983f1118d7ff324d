"""Everything that comes out of the program while something is done with it.

A `Watch` notes, from its beginning to its end: what is printed, every log record of every logger, every warning, every
error of juying that is made (also those that somebody catches), how every object of juying shows itself, the files that
are written (those that are gone in the end too) with their modes, and the arguments of every process. It also notes
each key that the crypto layer is given to work with, so that derived keys and session keys are looked for too.
"""

import contextlib
import functools
import importlib
import io
import logging
import os
import pkgutil
import stat
import sys
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import pydantic
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import algorithms

import juying
from juying.crypto.ceremony import ComponentFile
from juying.crypto.key_set import StoredKey
from juying.errors import JuyingError
from tests.secrets.marks import Kind, Mark

MOST_REPRS = 20_000
"""Of one class; what comes after has been seen often enough."""


@functools.cache
def modules() -> list[ModuleType]:
    """Every module of juying."""
    names = [info.name for info in pkgutil.walk_packages(juying.__path__, "juying.")]
    run_only = "__main__", "migrations.env"  # alembic runs the second one
    return [importlib.import_module(name) for name in names if not name.endswith(run_only)]


@functools.cache
def classes() -> list[type]:
    """Every class of juying that has objects of its own."""
    found = {
        value: None
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
    }
    return [kind for kind in found if not issubclass(kind, BaseException | Enum | pydantic.BaseModel)]


@dataclass(frozen=True)
class Outcome:
    """What one command line did."""

    arguments: tuple[str, ...]
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class FileSeen:
    """A file as it was at some moment."""

    path: Path
    mode: int
    data: bytes = field(repr=False)


class Recorder(logging.Handler):
    """Keeps what any handler could write of a record."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.args!r} {record.__dict__!r}")


class Watch:
    """A context manager; ``folders`` are those in which files are written."""

    def __init__(self, *folders: Path) -> None:
        self.folders = tuple(folder.resolve() for folder in folders)
        self.outcomes: list[Outcome] = []
        self.printed: list[str] = []
        self.logged: list[str] = []
        self.warned: list[str] = []
        self.shown: dict[str, None] = {}
        self.files: dict[tuple[Path, int, bytes], FileSeen] = {}
        self.processes: list[str] = []
        self.keys: dict[bytes, None] = {}
        self.errors: list[str] = []
        self._raised: list[BaseException] = []
        self._kept: list[object] = []
        self._counts: Counter[type] = Counter()
        self._stack = contextlib.ExitStack()
        self.out, self.err = _stream(), _stream()
        self._busy = threading.local()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(self.out))
            stack.enter_context(contextlib.redirect_stderr(self.err))
            recorder = Recorder()
            self.logged = recorder.lines
            stack.enter_context(_all_loggers(recorder))
            caught = stack.enter_context(warnings.catch_warnings(record=True))
            warnings.simplefilter("always")
            stack.callback(
                lambda: self.warned.extend(f"{entry.message!r} {entry.message} {entry.source!r}" for entry in caught)
            )
            stack.enter_context(_wrapped(JuyingError, "__init__", self._raised.append))
            for kind in classes():
                name = "__new__" if issubclass(kind, tuple) else "__init__"
                if name in vars(kind):
                    stack.enter_context(_wrapped(kind, name, self._made))
            for kind in (TripleDES, algorithms.SM4, algorithms.AES, algorithms.AES256):
                stack.enter_context(_wrapped(kind, "__init__", lambda cipher: self._key_at_work(cipher.key)))
            stack.enter_context(_wrapped(StoredKey, "__init__", lambda key: self._key_at_work(key.material)))
            stack.enter_context(_wrapped(ComponentFile, "__init__", lambda file: self._key_at_work(file.component)))
            stack.enter_context(_audited(self._audit))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stack.close()
        if error is not None:
            self._raised.append(error)
        self.errors = list(dict.fromkeys(text for raised in self._raised for text in tell(raised)))
        self._raised.clear()
        for thing in self._kept:
            self.shown[f"{type(thing).__qualname__}: {thing!r}"] = None
        self._kept.clear()
        self.snapshot()
        self._take_printed()

    # What others call --------------------------------------------------------------------------------

    def command(self, run: Callable[[], int], arguments: Iterable[str]) -> Outcome:
        """Run a command line whose output is its own."""
        self._take_printed()
        status = run()
        outcome = Outcome(tuple(arguments), status, _taken(self.out), _taken(self.err))
        self.outcomes.append(outcome)
        self.snapshot()
        return outcome

    def look_at(self, thing: object) -> None:
        """Note how an object shows itself."""
        self.shown[f"{type(thing).__qualname__}: {thing!r}"] = None

    def raised(self, error: BaseException) -> None:
        """Note an error that is not one of juying's, or that nobody else caught."""
        self._raised.append(error)

    def snapshot(self) -> None:
        """Note all files as they are now."""
        for folder in self.folders:
            for path in folder.rglob("*"):
                self._see(path)

    @property
    def key_marks(self) -> list[Mark]:
        """The keys that were at work."""
        return [Mark(Kind.KEY, "a key at work", raw=key) for key in self.keys]

    # What happens while it watches --------------------------------------------------------------------

    def _take_printed(self) -> None:
        self.printed += [text for text in (_taken(self.out), _taken(self.err)) if text]

    def _made(self, thing: object) -> None:
        """An object of juying is there: how does it show itself?"""
        kind = type(thing)
        if self._counts[kind] >= MOST_REPRS or getattr(self._busy, "now", False):
            return
        self._counts[kind] += 1
        self._busy.now = True
        try:
            self.look_at(thing)
        finally:
            self._busy.now = False
        if not is_dataclass(thing) and not isinstance(thing, tuple):
            self._kept.append(thing)  # it may know more in the end

    def _key_at_work(self, key: bytes | bytearray) -> None:
        """Note a key; of single and two-key 3DES without what is repeated, of test keys (00 01 02 …) nothing."""
        key = bytes(key)
        for length in (8, 16):
            if len(key) == 24 and key == (key[:length] * 3)[:24]:
                key = key[:length]
        if len(set(key)) > 4 and key[:8] != bytes((key[0] + step) % 256 for step in range(8)):
            self.keys[key] = None

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            if event in ("os.rename", "os.remove"):
                self._see(Path(os.fsdecode(arguments[0])))
            elif event == "subprocess.Popen":
                self.processes.append(repr(arguments[:2]))
        finally:
            self._busy.now = False

    def _see(self, path: Path) -> None:
        path = path.absolute()
        if not any(path.is_relative_to(folder) for folder in self.folders):
            return
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                data = path.read_bytes()
                mode = stat.S_IMODE(status.st_mode)
                self.files[path, mode, data] = FileSeen(path, mode, data)


def tell(error: BaseException) -> Iterator[str]:
    """Everything that could be written of an exception and those behind it."""
    yield "".join(traceback.format_exception(error))
    behind: BaseException | None = error
    seen: set[int] = set()
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        attributes = {name: value for name, value in vars(behind).items() if name != "__notes__"}
        yield f"{behind!s} {behind!r} {behind.args!r} {getattr(behind, '__notes__', '')!r} {attributes!r}"
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)


class _BeingMade(threading.local):
    def __init__(self) -> None:
        self.ids: set[int] = set()


_being_made = _BeingMade()


@contextlib.contextmanager
def _wrapped(kind: type, name: str, then: Callable[[Any], object]) -> Iterator[None]:
    """Call ``then`` with each new object of ``kind``, or of a class below it that has no such method of its own."""
    static = vars(kind)[name]
    original = getattr(kind, name)

    @functools.wraps(original)
    def wrapper(self: Any, *arguments: Any, **named: Any) -> Any:
        if name == "__new__":
            made = original(self, *arguments, **named)
            then(made)
            return made
        outermost = id(self) not in _being_made.ids  # not called by the constructor of a class below
        _being_made.ids.add(id(self))
        try:
            original(self, *arguments, **named)
        finally:
            if outermost:
                _being_made.ids.discard(id(self))
        if outermost or kind is JuyingError:
            then(self)
        return None

    setattr(kind, name, staticmethod(wrapper) if name == "__new__" else wrapper)
    try:
        yield
    finally:
        setattr(kind, name, static)


@contextlib.contextmanager
def _all_loggers(handler: logging.Handler) -> Iterator[None]:
    """Everything that is logged anywhere, from DEBUG on."""
    root = logging.getLogger()
    known = [root, *(entry for entry in root.manager.loggerDict.values() if isinstance(entry, logging.Logger))]
    before = [(logger, logger.level, logger.propagate, logger.disabled) for logger in known]
    for logger in known:
        logger.setLevel(logging.NOTSET)
        logger.propagate, logger.disabled = True, False
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, level, propagate, disabled in before:
            logger.setLevel(level)
            logger.propagate, logger.disabled = propagate, disabled


class Screen(io.TextIOWrapper):
    """A stream that may be a terminal."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal


def _stream() -> Screen:
    return Screen(io.BytesIO(), "utf-8", write_through=True)


def _taken(stream: io.TextIOWrapper) -> str:
    """What was written, which is then forgotten."""
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    text = buffer.getvalue().decode()
    stream.seek(0)
    buffer.seek(0)
    buffer.truncate()
    return text


# A hook for audit events cannot be taken away again, so there is one, which calls whoever is listening.
_listening: list[Callable[[str, tuple[Any, ...]], None]] = []


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    for listener in _listening:
        listener(event, arguments)


@functools.cache
def _install() -> None:
    sys.addaudithook(_heard)


@contextlib.contextmanager
def _audited(listener: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    _install()
    _listening.append(listener)
    try:
        yield
    finally:
        _listening.remove(listener)
