"""The place where a scenario plays: a folder, an environment, marked people and secrets, and somebody who watches."""

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from juying.cli.app import run
from juying.crypto.key_file import Cost, KeyFile
from tests.secrets import allowed
from tests.secrets.marks import Kind, Maker, Mark, Person, found, found_in_bytes
from tests.secrets.watch import Outcome, Watch


class Stage:
    """What a scenario has at hand."""

    def __init__(self, home: Path, seed: int, watch: Watch, patch: pytest.MonkeyPatch, opened: ExitStack) -> None:
        self.home = home
        self.make = Maker(seed)
        self.watch = watch
        self.patch = patch
        self.opened = opened
        self.marks: list[Mark] = []

    # Secrets -----------------------------------------------------------------------------------------

    def person(self, **changes: object) -> Person:
        """A marked applicant."""
        person = self.make.person(**changes)
        self.marks += person.marks
        return person

    def pin(self, title: str = "PIN of the holder") -> str:
        """A marked PIN."""
        return self.mark(Kind.PIN, title, self.make.pin())

    def phrase(self, title: str) -> str:
        """A marked pass phrase or password."""
        return self.mark(Kind.PHRASE, title, self.make.phrase())

    def mark(self, kind: Kind, title: str, value: str) -> str:
        """Mark any text."""
        self.marks.append(Mark(kind, title, text=value))
        return value

    def mark_bytes(self, kind: Kind, title: str, value: bytes) -> bytes:
        """Mark any bytes."""
        self.marks.append(Mark(kind, title, raw=bytes(value)))
        return value

    def mark_store(self, path: str, phrase: str) -> None:
        """Mark every key of a key store."""
        with KeyFile.open(path, phrase) as store:
            for key in store.keys:
                self.mark_bytes(Kind.KEY, f"{key.name} {key.city} in {path}", bytes(key.material))

    # Files and settings ------------------------------------------------------------------------------

    def given(self, name: str, content: str | bytes) -> Path:
        """A file that somebody gives to the program."""
        path = Path(allowed.GIVEN, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def sheet(self, *people: Person, name: str = "sheet.json") -> Path:
        """People as an application sheet."""
        return self.given(name, json.dumps([person.row for person in people], ensure_ascii=False))

    def setting(self, name: str, value: str | Path | None) -> None:
        """Set a variable of the environment, or take it away."""
        if value is None:
            self.patch.delenv(name, raising=False)
        else:
            self.patch.setenv(name, str(value))

    # Doing something ---------------------------------------------------------------------------------

    def juying(self, *arguments: object, status: int | Iterable[int] = 0, stdin: bytes = b"") -> Outcome:
        """A command line, which has to end with ``status``."""
        words = [str(argument) for argument in arguments]
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        outcome = self.watch.command(lambda: run(words), words)
        expected = {status} if isinstance(status, int) else set(status)
        assert outcome.status in expected, (words[0], outcome.status, self.clean(outcome.out + outcome.err))
        return outcome

    def both(self, *arguments: object, status: int | Iterable[int] = 0) -> None:
        """The same command line for people and for machines."""
        self.juying(*arguments, status=status)
        self.juying(*arguments, "--json", status=status)

    def fails(self, kind: type[BaseException], act: Callable[[], object]) -> None:
        """Do what has to end with an error of this kind."""
        with pytest.raises(kind) as caught:
            act()
        self.watch.raised(caught.value)

    @contextmanager
    def at_a_terminal(self, *typed: str) -> Iterator[None]:
        """Sit at a terminal and type these lines at its prompts, which are shown as they are."""
        lines = iter(typed)

        def prompt(question: str, **settings: object) -> str:
            sys.stderr.write(f"{question} [{settings.get('default', '')}]: ")
            line = next(lines)
            sys.stderr.write("\n" if settings.get("hide_input") else f"{line}\n")
            return line

        def confirm(question: str, **_: object) -> bool:
            sys.stderr.write(f"{question}\n")
            return True

        self.watch.err.terminal = True
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("typer.prompt", prompt)
            patch.setattr("typer.confirm", confirm)
            for module in ("passwords", "key_ceremony", "options", "terminal", "library"):
                patch.setattr(f"juying.cli.{module}.at_a_terminal", lambda: True)
            yield
        self.watch.err.terminal = False

    def clean(self, text: str) -> str:
        """A text for a message of the test: only if no mark is in it."""
        return "(holds a mark)" if found(self.marks, text) else text


class Leak(NamedTuple):
    """A mark where it does not belong."""

    channel: str
    where: str
    kind: Kind
    title: str


def leaks(watch: Watch, marks: Iterable[Mark]) -> list[Leak]:
    """Everything that was found in what came out."""
    marks = [*marks, *watch.key_marks]
    return list(dict.fromkeys([*_in_texts(watch, marks), *_on_screen(watch, marks), *_in_files(watch, marks)]))


def _in_texts(watch: Watch, marks: list[Mark]) -> Iterator[Leak]:
    channels = {
        "print": watch.printed,
        "log": watch.logged,
        "warning": watch.warned,
        "exception": watch.errors,
        "repr": watch.shown,
        "process": watch.processes,
    }
    for channel, texts in channels.items():
        for text in texts if found(marks, "\n".join(texts)) else ():
            last = text.strip().splitlines()[-1]
            where = _place(
                last if channel == "exception" or text.startswith("Text:") else text.partition(":")[0], marks
            )
            may = allowed.in_message(where)
            for mark in found(marks, text):
                if mark.kind not in may:
                    yield Leak(channel, where[:80], mark.kind, mark.title)


def _on_screen(watch: Watch, marks: list[Mark]) -> Iterator[Leak]:
    for outcome in watch.outcomes:
        for stream, text in (("out", outcome.out), ("err", outcome.err)):
            may = allowed.on_screen(outcome.arguments, stream)
            for mark in found(marks, text):
                if mark.kind not in may:
                    yield Leak(f"std{stream}", _place(" ".join(outcome.arguments[:2]), marks), mark.kind, mark.title)


def _place(text: str, marks: list[Mark]) -> str:
    """A place without the values that may be in it, the same in every run."""
    for mark in marks:
        if mark.text:
            text = text.replace(mark.text, f"<{mark.title}>")
    return "(the value)" if found(marks, text) else re.sub(r"0x[0-9a-f]+|[0-9]+", "#", text)


def _in_files(watch: Watch, marks: list[Mark]) -> Iterator[Leak]:
    for seen in watch.files.values():
        folder = next(folder for folder in watch.folders if seen.path.is_relative_to(folder))
        name = allowed.final_name(seen.path.relative_to(folder).as_posix())
        if name.startswith(allowed.GIVEN):
            continue
        may, place = allowed.in_file(name), _place(name, marks)
        held = found_in_bytes([mark for mark in marks if mark.kind not in may], seen.data)
        yield from (Leak("file", place, mark.kind, mark.title) for mark in held)
        if (held or may) and seen.data and seen.mode & 0o077:
            yield Leak("file mode", f"{place} {seen.mode:o}", Kind.PERSON, "readable by others")


Scenario = Callable[[Stage], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(play: Scenario) -> Scenario:
    """A function that does something on a stage; this is all it takes to have it watched."""
    SCENARIOS[play.__name__] = play
    return play


@contextmanager
def stage(home: Path, seed: int) -> Iterator[Stage]:
    """An empty folder, nothing set, somebody watching."""
    home.mkdir(parents=True, exist_ok=True)
    temporary = home / "tmp"
    temporary.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened, chdir(home):
        for name in (*filter(lambda name: name.startswith("JUYING_"), os.environ), "COLUMNS"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        patch.setattr("tempfile.tempdir", str(temporary))
        patch.setitem(KeyFile.create.__kwdefaults__, "cost", Cost(n=2, r=1))  # cheap pass phrases
        watch = Watch(home)
        with watch:
            playing = Stage(home, seed, watch, patch, opened)
            yield playing
            opened.close()


def perform(scenario: Scenario, home: Path) -> list[Leak]:
    """What leaks from a scenario. What is found is looked for again with other values: then it is no chance."""
    suspects = _once(scenario, home / "1", 1)
    again = set(_once(scenario, home / "2", 2)) if suspects else set()
    return [leak for leak in suspects if leak in again]


def _once(scenario: Scenario, home: Path, seed: int) -> list[Leak]:
    with stage(home, seed) as playing:
        scenario(playing)
    return leaks(playing.watch, playing.marks)
