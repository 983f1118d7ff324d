"""Codes in camera frames: at any angle, in any light, and among others."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from juying.errors import InputError
from juying.scan.frames import choose, is_ours, read_frame, read_grey
from tests.scan.frames import FOREIGN, OURS, OURS_TOO, View, frame


@pytest.mark.parametrize("turned", [0, 10, 45, 90, 135, 180, 270])
def test_a_code_is_read_however_it_is_turned(turned: int) -> None:
    assert read_frame(frame((OURS, View(turned=turned)))) == (OURS,)


@pytest.mark.parametrize("tilted", [20, 40, 55])
@pytest.mark.parametrize("turned", [0, 30])
def test_a_code_is_read_from_an_angle(tilted: int, turned: int) -> None:
    assert read_frame(frame((OURS, View(tilted=tilted, turned=turned)))) == (OURS,)


@pytest.mark.parametrize(
    "view",
    [
        View(inverted=True, turned=15),
        View(inverted=True, tilted=30, light=0.3),
        View(noise=0.3),
        View(width=200, turned=7),
        View(width=280, blur=1, noise=0.1),
        View(light=0.15, noise=0.05, tilted=20),
    ],
    ids=["dark mode", "dark mode in the dark", "noise", "small", "out of focus", "everything"],
)
def test_a_code_is_read_in_bad_conditions(view: View) -> None:
    assert read_frame(frame((OURS, view))) == (OURS,)


@pytest.mark.parametrize(
    "view", [View(light=0.04, turned=5), View(noise=0.5, turned=5)], ids=["nearly no light", "nearly only noise"]
)
def test_a_second_look_finds_what_the_first_does_not(view: View) -> None:
    seen = frame((OURS, view))
    assert read_grey(seen) == ()
    assert read_frame(seen) == (OURS,)


def test_several_codes_are_all_seen_and_ours_is_meant() -> None:
    seen = read_frame(
        frame(
            (OURS, View(at=(350, 330), turned=20, inverted=True)),
            (FOREIGN, View(at=(900, 360), width=250)),
        )
    )
    assert set(seen) == {OURS, FOREIGN}
    assert choose(seen) == OURS


def test_the_same_code_twice_in_a_frame_is_one() -> None:
    seen = read_frame(frame((OURS, View(at=(350, 360))), (OURS, View(at=(900, 360), turned=90))))
    assert choose(seen) == OURS
    assert seen == (OURS,)


def test_two_of_ours_are_refused_rather_than_guessed_between() -> None:
    with pytest.raises(InputError, match="one at a time"):
        choose([OURS, FOREIGN, OURS_TOO])


def test_several_foreign_codes_are_named_so() -> None:
    with pytest.raises(InputError, match="none is one of"):
        choose([FOREIGN, FOREIGN + "?2"])


def test_a_single_foreign_code_is_left_to_the_verifier() -> None:
    assert choose([FOREIGN]) == FOREIGN


def test_a_terminal_may_recognise_other_codes() -> None:
    assert choose([FOREIGN, "12345"], str.isdigit) == "12345"


def test_codes_of_a_later_version_are_ours_too() -> None:
    assert is_ours("JY2:ABC")
    assert not any(map(is_ours, ["", "JY", "JY1", "jy1:ABC", "XJY1:ABC"]))


def test_an_empty_frame_has_none() -> None:
    assert read_frame(frame()) == ()
    with pytest.raises(InputError, match="no QR code can be read"):
        choose([])


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2)])
def test_frames_of_a_few_pixels_are_empty(size: tuple[int, int]) -> None:
    assert read_frame(Image.new("L", size)) == ()


def test_frames_in_colour_are_read() -> None:
    assert read_frame(frame((OURS, View())).convert("RGB")) == (OURS,)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    with pytest.raises(InputError, match=r"juying\[scan\]"):
        read_frame(frame())


@settings(max_examples=50)
@given(st.data())
def test_no_picture_makes_it_raise(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    pixels = data.draw(st.binary(min_size=width * height, max_size=width * height))
    assert isinstance(read_frame(Image.frombytes("L", (width, height), pixels)), tuple)
