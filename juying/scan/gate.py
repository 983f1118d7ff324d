"""From what is seen to verdicts: one for each code that is shown, however long it is held into the camera."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from juying.errors import InputError
from juying.scan.frames import choose, is_ours
from juying.scan.wedge import wedge_text
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.verdict import Verification

HOLD = 3.0
"""Seconds for which a code may be out of sight and still counts as shown once (our choice)."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen at one moment: the texts of all codes, or why there can be none. ``where`` names file or camera."""

    where: str
    texts: tuple[str, ...] = ()
    problem: InputError | None = None

    def __repr__(self) -> str:
        """Without the texts, which are personal."""
        return f"Sight(where={self.where!r}, {len(self.texts)} texts)"


@dataclass(frozen=True, slots=True)
class Result:
    """What there is to say about a sight: a verification, or a problem."""

    where: str
    verification: "Verification | None" = None
    problem: Text | None = None


def results(
    sights: Iterable[Sight],
    verify: "Callable[[str], Verification]",
    *,
    recognises: Callable[[str], bool] = is_ours,
    hold: float = HOLD,
    clock: Callable[[], float] = monotonic,
) -> Iterator[Result]:
    """A result for each sight that has something new to say.

    Nothing new are an empty sight, a code that was in sight no longer than ``hold`` seconds of ``clock`` ago, and a
    problem that was there as lately at the same place. So a code is verified once, and does not count as shown before
    because it stays in view.
    """
    last_seen: dict[object, float] = {}
    for sight in sights:
        if not sight.texts and sight.problem is None:
            continue
        shown = _shown(sight, recognises)
        key = (sight.where, shown) if isinstance(shown, Text) else shown
        now = clock()
        last_seen = {known: seen for known, seen in last_seen.items() if now - seen <= hold}
        new = key not in last_seen
        last_seen[key] = now
        if new:
            yield _result(sight.where, shown, verify)


def typed(lines: Iterable[bytes], verify: "Callable[[str], Verification]") -> Iterator[Result]:
    """A result for each line that a scanner typed, except empty ones; lines may end as on any system.

    The same code again is verified again: somebody pulled the trigger.
    """
    parts = (part for line in lines for part in line.split(b"\r"))
    for number, part in enumerate(filter(bytes.strip, parts), start=1):
        yield _result(f"{number}", _typed(part), verify)


def _typed(line: bytes) -> str | Text:
    try:
        return wedge_text(line)
    except InputError as error:
        return error.text


def _shown(sight: Sight, recognises: Callable[[str], bool]) -> str | Text:
    """The code that is meant, or what is wrong."""
    if sight.problem is not None:
        return sight.problem.text
    try:
        return choose(sight.texts, recognises)
    except InputError as error:
        return error.text


def _result(where: str, shown: str | Text, verify: "Callable[[str], Verification]") -> Result:
    if isinstance(shown, Text):
        return Result(where, problem=shown)
    return Result(where, verify(shown))
