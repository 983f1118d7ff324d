"""Sights to verdicts: once for each code that is shown."""

from collections.abc import Iterator

import pytest

from juying.codec import base45
from juying.credential.trust import TrustList
from juying.credential.verdict import Verification
from juying.credential.verify import verify
from juying.errors import InputError
from juying.scan.gate import HOLD, Result, Sight, results, typed
from tests import people
from tests.scan.frames import FOREIGN, OURS, OURS_TOO

BROKEN = InputError("坏", "broken")


class Gate:
    """A gate that knows nobody and writes down who was asked for; each sight takes ``step`` seconds."""

    def __init__(self, step: float = 0.1) -> None:
        self.asked: list[str] = []
        self.time = 0.0
        self.step = step

    def verify(self, text: str) -> Verification:
        self.asked.append(text)
        return verify(text, TrustList(), now=people.NOW)

    def clock(self) -> float:
        self.time += self.step
        return self.time

    def see(self, *sights: Sight) -> list[Result]:
        return list(results(sights, self.verify, clock=self.clock))


def camera(*texts: str) -> Sight:
    return Sight("camera 0", texts)


def test_a_code_that_stays_in_view_is_verified_once() -> None:
    gate = Gate()
    assert len(gate.see(*[camera(OURS)] * 100)) == 1
    assert gate.asked == [OURS]


def test_a_short_loss_of_sight_changes_nothing_and_a_long_one_does() -> None:
    gate = Gate(step=HOLD / 2)
    gate.see(camera(OURS), camera(), camera(OURS), camera(FOREIGN), camera(OURS))
    assert gate.asked == [OURS, FOREIGN]
    gate = Gate(step=HOLD / 2)
    gate.see(camera(OURS), camera(FOREIGN), camera(FOREIGN), camera(OURS))
    assert gate.asked == [OURS, FOREIGN, OURS]


def test_two_people_in_turns_before_the_camera_are_verified_once_each() -> None:
    gate = Gate()
    gate.see(*[camera(OURS), camera(OURS_TOO)] * 5)
    assert gate.asked == [OURS, OURS_TOO]


def test_a_problem_is_told_once_per_place() -> None:
    gate = Gate()
    both = camera(OURS, OURS_TOO)
    found = gate.see(both, both, Sight("a.png", problem=BROKEN), Sight("b.png", problem=BROKEN), both)
    assert [(one.where, one.problem.en) for one in found if one.problem] == [
        ("camera 0", "several codes of the 聚英卡 in view: show one at a time"),
        ("a.png", "broken"),
        ("b.png", "broken"),
    ]
    assert gate.asked == []


def test_nothing_in_view_is_nothing_to_say() -> None:
    assert Gate().see(camera(), camera()) == []


def test_results_come_while_sights_still_come() -> None:
    def endless() -> Iterator[Sight]:
        while True:
            yield camera(OURS)

    first = next(results(endless(), Gate().verify))
    assert first.verification is not None
    assert first.problem is None


def test_what_a_scanner_types_is_verified_line_by_line_and_again_when_it_comes_again() -> None:
    gate = Gate()
    lines = [b"]Q1" + OURS.encode() + b"\r\n", b"\r\n", OURS.lower().encode() + b"\r" + b"nonsense\n", b"\n"]
    found = list(typed(lines, gate.verify))
    assert gate.asked == [OURS, OURS]
    assert [one.where for one in found] == ["1", "2", "3"]
    assert found[2].problem is not None


@pytest.mark.parametrize("sight", [camera(OURS), camera(base45.encode(b"x"))])
def test_a_sight_does_not_show_its_texts(sight: Sight) -> None:
    assert repr(sight) == "Sight(where='camera 0', 1 texts)"
