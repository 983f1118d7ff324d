"""The numbers in docs/algorithms.md are what the code computes."""

import doctest
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs/algorithms.md"


def test_the_documented_numbers_hold():
    failed, tried = doctest.testfile(str(DOCUMENT), module_relative=False, encoding="utf-8")
    assert tried > 20
    assert not failed
