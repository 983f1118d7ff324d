"""Message ids: 30 characters, never twice."""

from itertools import islice

from juying.services.medical.message_id import QUESTIONS, QuestionIds, message_id
from tests.medical.gateway import INSTITUTION


def test_the_parts_of_an_id() -> None:
    assert message_id(INSTITUTION, 1_764_561_600, 42) == "H33100200001" + "20251201120000" + "0042"


def test_ids_of_a_second_never_meet_and_leave_the_others_to_the_journal() -> None:
    ids = QuestionIds(INSTITUTION, clock=lambda: 1_764_561_600.5, below=lambda n: n - 1)
    drawn = [ids() for _ in range(QUESTIONS + 2)]
    assert len(set(drawn)) == len(drawn)
    assert drawn[0].endswith("1200004999")
    assert drawn[1].endswith("1200000000")
    assert drawn[-1].endswith("1200010000")  # the second is used up, so the next one
    assert all(int(number[-4:]) < QUESTIONS for number in drawn)


def test_a_clock_that_goes_back_brings_no_id_back() -> None:
    times = iter([100.0, 99.0, 99.0, 101.0])
    ids = QuestionIds(INSTITUTION, clock=lambda: next(times), below=lambda n: 0)
    drawn = list(islice(iter(ids, None), 4))
    assert len(set(drawn)) == 4
    assert [number[-4:] for number in drawn] == ["0000", "0001", "0002", "0000"]
