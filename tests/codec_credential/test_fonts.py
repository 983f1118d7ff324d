"""Fonts: found by name, chosen by character, and text set in them so that nothing is cut off or missing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from juying.codec import fonts
from juying.codec.fonts import VARIABLE, fit, has_glyphs, set_paragraph, typeset
from juying.errors import InputError
from tests.codec_credential.fonts import RARE, forget, machine


def test_fonts_of_the_system_are_tried_by_name_until_one_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    third = ImageFont.load_default(30)

    def find(name: str, face: int) -> object:
        tried.append((name, face))
        return third if len(tried) == 3 else None

    monkeypatch.setattr(fonts, "_open", find)
    fonts.forget_fonts()
    assert fonts._first_chinese() is third
    assert tried == list(fonts.CHINESE_FONTS[:3])
    fonts.forget_fonts()


def test_a_font_that_is_not_installed_is_passed_over() -> None:
    assert fonts._open("no-such-font.ttf", 0) is None


def test_chinese_begins_with_the_chinese_font_and_letters_with_pillow_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(monkeypatch, chinese="聚英卡A"):
        (chinese, text), (latin, rest) = typeset("聚英卡A B", 20).pieces
        assert (text, rest) == ("聚英卡A ", "B")
        assert chinese is not latin
        assert typeset("AB", 20).pieces == ((latin, "AB"),)


def test_a_rare_character_comes_from_another_font(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(monkeypatch, chinese="安娜", others=RARE):
        assert [text for _, text in typeset(f"安{RARE}娜", 20).pieces] == ["安", RARE, "娜"]
        assert has_glyphs(RARE)


def test_a_name_with_accents_is_in_one_font_throughout(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(monkeypatch, others="MÜLER"):
        assert [text for _, text in typeset("MÜLLER", 20).pieces] == ["MÜLLER"]
        ((font, _),) = typeset("MÜLLER", 20).pieces
        assert typeset("LER", 20, like="MÜLLER").pieces == ((font, "LER"),)
        assert typeset("LER", 20).pieces != ((font, "LER"),)


def test_letters_of_several_fonts_are_mixed_when_no_font_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(monkeypatch, chinese="É", others="Ệ"):
        assert [text for _, text in typeset("AÉỆ", 20).pieces] == ["A", "É", "Ệ"]


def test_a_character_in_no_font_is_an_error_that_says_what_to_install_but_not_the_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with machine(monkeypatch, chinese="安娜"):
        assert not has_glyphs(f"安娜{RARE}")
        with pytest.raises(InputError, match="character number 3") as caught:
            typeset(f"安娜{RARE}", 20)
    for advice in ("fonts-babelstone-han", "Windows", "macOS", VARIABLE):
        assert advice in str(caught.value)
    assert RARE not in str(caught.value)
    assert "娜" not in str(caught.value)


def test_the_box_of_a_missing_glyph_is_not_taken_for_a_glyph() -> None:
    """Pillow's own font has no Chinese, but draws a box for it."""
    font = ImageFont.load_default(20)
    assert isinstance(font, FreeTypeFont)
    assert fonts._has(font, "A")
    assert fonts._has(font, " ")
    assert not fonts._has(font, "聚")


def test_a_font_file_of_one_s_own_comes_before_those_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ImageFont.load_default(20)
    assert isinstance(own, FreeTypeFont)
    (tmp_path / "own.ttf").write_bytes(own.font_bytes)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own.ttf"))
    forget()
    assert next(fonts._chain(chinese=True)).path == str(tmp_path / "own.ttf")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.ttf"))
    forget()
    with pytest.raises(InputError, match=VARIABLE) as caught:
        typeset("聚", 20)
    assert caught.value.where.endswith("none.ttf")
    monkeypatch.delenv(VARIABLE)
    forget()


def test_a_pillow_without_freetype_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts._latin_font.cache_clear()
    monkeypatch.setattr(ImageFont, "load_default", lambda size: ImageFont.ImageFont())
    with pytest.raises(InputError, match="FreeType"):
        typeset("A", 20)


def test_a_line_that_is_too_wide_becomes_smaller_but_not_too_small() -> None:
    assert fit("Card", 30, 1000, smallest=14).size == 30
    smaller = fit("Card", 30, typeset("Card", 20).width, smallest=14)
    assert smaller.size <= 20
    assert smaller.width <= typeset("Card", 20).width
    assert fit("Card", 30, 1, smallest=14).size == 14


def test_a_paragraph_breaks_at_spaces_and_keeps_words_whole_by_becoming_smaller() -> None:
    width = typeset("BEISPIELHAFTER", 20).width
    paragraph = set_paragraph("ANNA BEISPIELHAFTER MARIA", 30, width, 200, smallest=10)
    assert ["".join(text for _, text in line.pieces) for line in paragraph.lines] == ["ANNA", "BEISPIELHAFTER", "MARIA"]
    assert paragraph.size <= 20
    assert paragraph.height == 3 * paragraph.leading


def test_a_word_is_broken_only_when_the_smallest_letters_do_not_help() -> None:
    width = typeset("X" * 12, 10).width
    paragraph = set_paragraph("X" * 30, 30, width, 400, smallest=10)
    pieces = ["".join(text for _, text in line.pieces) for line in paragraph.lines]
    assert "".join(pieces) == "X" * 30
    assert len(pieces) > 1


def test_chinese_breaks_anywhere_but_before_a_closing_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(monkeypatch, chinese="请核对照片，与卡。"):
        width = typeset("请核对照片", 20).width
        paragraph = set_paragraph("请核对照片，与卡。", 20, width, 200, smallest=20)
        lines = ["".join(text for _, text in line.pieces) for line in paragraph.lines]
    assert lines == ["请核对照", "片，与卡。"]


def test_a_text_too_long_for_its_place_is_an_error() -> None:
    with pytest.raises(InputError, match="too long"):
        set_paragraph("A" * 200, 30, 100, 40, smallest=15)
    assert set_paragraph("AB", 30, 1, 400, smallest=15).size == 30, "a letter wider than the place is not broken up"


@given(st.text("ABCDE ÄÖ'-.", min_size=1, max_size=100).filter(str.strip), st.integers(60, 400))
def test_no_line_is_wider_than_its_place_and_no_letter_is_lost(text: str, width: int) -> None:
    if not has_glyphs(text):
        text = text.encode("ascii", "replace").decode()
    paragraph = set_paragraph(text, 36, width, 5000, smallest=15)
    assert all(line.width <= width for line in paragraph.lines)
    shown = "".join(text for line in paragraph.lines for _, text in line.pieces)
    assert shown.replace(" ", "") == text.replace(" ", "")


def test_several_fonts_stand_on_one_baseline_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same letters look the same, whether one font has them or two."""
    pictures = []
    for own in ("聚", "聚B"):
        with machine(monkeypatch, chinese=own):
            line = typeset("聚AB", 40)
            picture = Image.new("L", (200, 60), 255)
            line.draw(ImageDraw.Draw(picture), 4, 44, 0)
            pictures.append((len(line.pieces), picture.tobytes()))
    assert [pieces for pieces, _ in pictures] == [2, 3]
    assert pictures[0][1] == pictures[1][1]


def test_what_is_written_does_not_show_in_a_repr() -> None:
    assert repr(typeset("ERIKSSON", 20)) == "Typeset(size=20, …)"
