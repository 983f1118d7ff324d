"""Every status word has a meaning for people, in both languages."""

import re

import pytest

from juying.card.status import meaning, tries_left
from juying.errors import InputError

SHEET = [
    0x9000, 0x6100, 0x6C12, 0x63C2, 0x6700, 0x6901, *range(0x6981, 0x6989), *range(0x6A80, 0x6A84), 0x6A88,
    0x9302, 0x9303, 0x9403, 0x9406, 0x6283, 0x6581, 0x6D00, 0x6E00, 0x6F00,
]  # fmt: skip


def test_every_value_has_a_meaning_in_two_languages() -> None:
    """0000 to FFFF: Chinese characters on one side, none on the other."""
    for sw in range(0x10000):
        zh, en = meaning(sw)
        assert re.search("[\u4e00-\u9fff]", zh), hex(sw)
        assert en
        assert en.isascii()


def test_status_words_of_the_cards_are_known() -> None:
    for sw in SHEET:
        assert "unknown" not in meaning(sw).en


def test_unknown_ones_say_so() -> None:
    """Outside the table the answer says "unknown", with the family where ISO 7816-4 has one."""
    assert meaning(0x1234).en == "unknown status word"
    assert meaning(0x9001).en == "unknown status word"
    assert meaning(0x64A7).en == "unknown status word (execution failed, nothing was changed; try again)"
    assert "未知状态字" in meaning(0x69FF).zh
    assert sum("unknown" not in meaning(sw).en for sw in range(0x10000)) < 700


def test_lengths_in_the_status_word_are_told() -> None:
    assert "18 bytes" in meaning(0x6112).en
    assert "256" in meaning(0x6100).en
    assert "18 is right" in meaning(0x6C12).en
    assert "256 is right" in meaning(0x6C00).en


def test_tries_left() -> None:
    """63Cx counts the tries; at none left the clerk hears whom to ask."""
    assert [tries_left(sw) for sw in (0x63C0, 0x63C3, 0x63CF, 0x6300, 0x6983, 0x9000)] == [0, 3, 15, None, None, None]
    assert "3 tries left" in meaning(0x63C3).en
    assert "1 try left" in meaning(0x63C1).en
    assert "还可以试 3 次" in meaning(0x63C3).zh
    assert "unblocked by the issuer" in meaning(0x63C0).en


@pytest.mark.parametrize("number", [-1, 0x10000])
def test_no_status_word(number: int) -> None:
    with pytest.raises(InputError):
        meaning(number)
