"""Scanners that type: every quirk is either put right or refused with the remedy."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from juying.codec import base45
from juying.credential.issue import MAX_TEXT
from juying.errors import DecodeError
from juying.scan.layouts import LAYOUTS, LOST, Layout
from juying.scan.wedge import MAX_TYPED, wedge_text

EVERYTHING = "JY1:" + base45.encode(bytes(index * 37 % 256 for index in range(257)))
"""With every character of base45."""
SHORT = "JY1:" + base45.encode(b"no personal data")
SWAPPED = str.maketrans(string.ascii_letters, string.ascii_letters.swapcase())
GERMAN, FRENCH, SPANISH, ITALIAN, SWEDISH, RUSSIAN, JAPANESE = LAYOUTS


def test_the_samples_are_what_they_are_meant_to_be() -> None:
    assert set(EVERYTHING) == set(base45.ALPHABET)


def refusal(raw: str | bytes) -> str:
    """The reason; it must not show what was typed."""
    with pytest.raises(DecodeError) as caught:
        wedge_text(raw)
    if len(raw) > 20:
        assert str(raw)[:20] not in str(caught.value)
    return caught.value.text.en


def test_the_text_of_a_good_scanner_is_taken_as_it_is() -> None:
    assert wedge_text(EVERYTHING) == wedge_text(EVERYTHING.encode()) == EVERYTHING


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\t", "\t\r\n", "\x03", "\x04\n", "\0"])
def test_line_ends_tabs_and_marks_of_transmission_are_dropped(end: str) -> None:
    assert wedge_text(EVERYTHING + end) == EVERYTHING
    assert wedge_text("\x02" + EVERYTHING + end) == EVERYTHING


def test_the_mark_of_an_encoding_is_dropped() -> None:
    assert wedge_text(b"\xef\xbb\xbf" + EVERYTHING.encode()) == EVERYTHING


@given(st.binary(min_size=1, max_size=397))
@example(b"\xff\xff")
@example(b"\xff")
def test_no_code_ends_in_a_space(data: bytes) -> None:
    """So that those around it may be dropped."""
    assert base45.encode(data)[-1] in "0123456789ABCDEFGHIJKLMNOPQRSTUVW"


@pytest.mark.parametrize(("before", "after"), [("", " "), (" ", ""), (" \t ", " \t\r\n"), ("　", "　")])
def test_spaces_around_the_code_are_dropped(before: str, after: str) -> None:
    assert wedge_text(before + EVERYTHING + after) == EVERYTHING


def test_a_suffix_that_shows_is_refused() -> None:
    assert "switch its suffix off" in refusal(SHORT + "*")


@pytest.mark.parametrize("modifier", "0123456")
def test_the_aim_identifier_of_a_qr_code_is_dropped(modifier: str) -> None:
    assert wedge_text(f"]Q{modifier}{EVERYTHING}") == EVERYTHING


@pytest.mark.parametrize("identifier", ["]C1", "]d2", "]L0"])
def test_the_aim_identifier_of_another_code_is_refused(identifier: str) -> None:
    assert "no QR code" in refusal(identifier + SHORT)


@pytest.mark.parametrize("before", ["QR:", "s", "P00", "#"])
def test_another_prefix_is_refused(before: str) -> None:
    assert "switch its prefix off" in refusal(before + SHORT)


def test_caps_lock_and_a_scanner_that_sends_small_letters_are_put_right() -> None:
    assert wedge_text(EVERYTHING.translate(SWAPPED)) == EVERYTHING
    assert wedge_text("]q1" + EVERYTHING.lower() + "\r\n") == EVERYTHING


@pytest.mark.parametrize("lost", [0, 7, len(SHORT) - 1])
def test_small_and_capital_letters_mixed_are_refused(lost: int) -> None:
    letters = [index for index, character in enumerate(SHORT) if character.isupper()]
    at = min(letters, key=lambda index: abs(index - lost))
    assert "Shift key was lost" in refusal(SHORT[:at] + SHORT[at].lower() + SHORT[at + 1 :])


def test_a_scanner_whose_shift_key_never_arrives_is_refused() -> None:
    """Then a 4 may be a $ and a 5 a %."""
    without = SHORT.lower().translate(str.maketrans("$%*+:", "458=;"))
    assert "Shift key was lost" in refusal(without)
    assert "Shift key was lost" in refusal("]q1" + without)


def test_full_width_characters_of_an_input_method_are_put_right() -> None:
    wide = "".join("　" if one == " " else chr(ord(one) + 0xFEE0) for one in EVERYTHING)
    assert wedge_text(wide) == EVERYTHING
    assert wedge_text(wide.lower()) == EVERYTHING


def test_chinese_punctuation_is_put_right() -> None:
    typed = EVERYTHING.translate(str.maketrans({"$": "￥", ".": "。", "/": "、", ":": "："}))
    assert typed != EVERYTHING
    assert wedge_text(typed) == EVERYTHING


@pytest.mark.parametrize("at", [0, 3, 10])
def test_an_input_method_that_took_letters_is_refused(at: int) -> None:
    assert "input method" in refusal(SHORT[:at] + "聚英" + SHORT[at:])


@pytest.mark.parametrize("layout", [FRENCH, SPANISH, ITALIAN, RUSSIAN, JAPANESE], ids=lambda layout: layout.name.en)
def test_a_layout_that_loses_nothing_is_put_right(layout: Layout) -> None:
    assert wedge_text(typed_on(layout, EVERYTHING)) == EVERYTHING
    assert wedge_text(typed_on(layout, "]Q1" + EVERYTHING)) == EVERYTHING


@pytest.mark.parametrize("layout", [GERMAN, SWEDISH], ids=lambda layout: layout.name.en)
def test_a_layout_that_loses_characters_is_refused_when_it_did(layout: Layout) -> None:
    without_plus = EVERYTHING.replace("+", "")
    without_plus = without_plus[: 4 + (len(without_plus) - 4) // 3 * 3]
    if is_base45(without_plus):
        assert wedge_text(typed_on(layout, without_plus)) == without_plus
    typed = typed_on(layout, SHORT) + "`"
    assert f"layout is {layout.name.en}" in refusal(typed)


def is_base45(text: str) -> bool:
    try:
        base45.decode(text[4:])
    except DecodeError:
        return False
    return True


def test_what_a_german_keyboard_types_without_a_plus_is_put_right() -> None:
    code = "JY1:" + base45.encode(b"Zytglogge: 3*3-1/2.")
    assert "+" not in code
    assert wedge_text(typed_on(GERMAN, code)) == code


def test_another_layout_is_refused() -> None:
    hungarian = SHORT.translate(str.maketrans("YZ:/-0", "ZYÉ-üö"))
    assert "layout" in refusal(hungarian)


def test_a_layout_with_caps_lock_is_refused() -> None:
    assert "layout" in refusal(typed_on(GERMAN, "JY1:ABC").lower())


def test_a_layout_in_the_middle_is_refused() -> None:
    assert "layout" in refusal(SHORT + "ß")


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_lost_beginning_is_told(lost: int) -> None:
    assert "beginning is lost" in refusal(SHORT[lost:])


@pytest.mark.parametrize("change", ["lost", "doubled"])
def test_a_character_lost_or_doubled_is_told_when_it_shows(change: str) -> None:
    code = "JY1:" + base45.encode(bytes(20)) if change == "doubled" else "JY1:" + base45.encode(bytes(21))
    broken = code[:9] + code[10:] if change == "lost" else code[:9] + code[8:]
    assert len(broken) % 3 == 2  # one more than four and a multiple of three: no base45 text is that long
    assert "lost or doubled" in refusal(broken)


def test_two_codes_on_one_line_are_told() -> None:
    assert "control character" in refusal(SHORT + "\t" + SHORT)
    long = "JY1:" + "A" * (MAX_TEXT - 4)
    assert "too long" in refusal(long + long)
    assert "too long" in refusal(long + long + long)
    assert "too long" in refusal(b"A" * 4 * MAX_TYPED + b"A")


@pytest.mark.parametrize("raw", ["", "\r\n", "  ", b""])
def test_nothing_is_told_as_nothing(raw: str | bytes) -> None:
    assert "nothing" in refusal(raw)


@pytest.mark.parametrize("raw", ["1234567890", "HTTPS://EXAMPLE.ORG", "JY2:ABC"])
def test_another_code_is_told(raw: str) -> None:
    assert "no code of the 聚英卡" in refusal(raw)


def test_bytes_that_are_no_text_are_told() -> None:
    assert "no text" in refusal(b"JY1:\xff\xfe")


@given(st.binary(min_size=1, max_size=397), st.sampled_from(["", "]Q1"]), st.sampled_from(["", "\r", "\n", "\t\r\n"]))
def test_every_code_survives(data: bytes, before: str, after: str) -> None:
    code = "JY1:" + base45.encode(data)
    assert wedge_text(before + code + after) == code
    assert wedge_text((before + code).lower() + after) == code
    for layout in (FRENCH, SPANISH, ITALIAN, RUSSIAN, JAPANESE):
        assert wedge_text(typed_on(layout, before + code) + after) == code


@given(st.one_of(st.text(max_size=MAX_TYPED + 1), st.binary(max_size=99), st.text(base45.ALPHABET + "]", max_size=99)))
@example("]")
@example("]Q")
@example("]Q1")
@example("JY1:")
def test_nothing_else_is_ever_raised(raw: str | bytes) -> None:
    for given_text in (raw, "JY1:" + raw if isinstance(raw, str) else b"]Q1JY1:" + raw):
        try:
            accepted = wedge_text(given_text)
        except DecodeError:
            continue
        assert accepted.startswith("JY1:")
        assert set(accepted) <= set(base45.ALPHABET)


def typed_on(layout: Layout, text: str) -> str:
    """What a scanner made for a US keyboard types on a computer with this layout."""
    types = {sent: typed for typed, sent in layout.sent.items()}
    return "".join(types.get(character, "`") for character in text)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name.en)
def test_no_two_characters_of_a_layout_are_typed_alike(layout: Layout) -> None:
    missing = set(base45.ALPHABET + "]") - set(layout.sent.values())
    assert missing == {"German": {"+"}, "Swedish/Finnish": {"+", "]"}}.get(layout.name.en, set())
    assert len(layout.sent) == len(set(layout.sent.values()))
    assert layout.restore("\N{SNOWMAN}") == LOST


@pytest.mark.parametrize(
    ("layout", "typed"),
    [
        (GERMAN, "JZ1Ö ß.-$%("),
        (FRENCH, "JY&M ):!458"),
        (SPANISH, "JY1Ñ '.-$%("),
        (ITALIAN, "JY1ç '.-$%("),
        (SWEDISH, "JY1Ö +.-¤%("),
        (RUSSIAN, "ОН1Ж -ю.;%*"),
        (JAPANESE, "JY1+ -./$%("),
    ],
    ids=lambda value: value.name.en if isinstance(value, Layout) else None,
)
def test_the_tables_agree_with_keyboards(layout: Layout, typed: str) -> None:
    assert layout.restore(typed) == "JY1: -./$%*"


def test_no_two_layouts_begin_a_code_alike() -> None:
    assert len({typed_on(layout, "JY1:") for layout in LAYOUTS}) == len(LAYOUTS)
