"""Machines with other fonts than this one."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

from juying.codec import caption, fonts

RARE = "\U00020bb7"
"""A Chinese character beyond the basic plane; what font has it differs between machines."""


class Everything(Container[str]):
    """What a font has that has all characters."""

    def __contains__(self, char: object) -> bool:
        return True


def forget() -> None:
    """What one test makes up must not reach the next."""
    fonts.forget_fonts()
    for function in (caption._line, caption._word, caption.packed_strip):
        function.cache_clear()


@contextmanager
def machine(
    monkeypatch: pytest.MonkeyPatch, *, chinese: Container[str] = "", others: Container[str] = ""
) -> Iterator[None]:
    """A machine whose Chinese font has the characters ``chinese``, and whose other font has ``others``.

    Pillow's own font stands for both, so that nothing has to be installed.
    """
    names = {"chinese.ttf": chinese, "others.ttf": others}
    opened: dict[FreeTypeFont, Container[str]] = {}

    def find(name: str, face: int) -> FreeTypeFont | None:
        if not names.get(name):
            return None
        font = ImageFont.load_default(20)
        assert isinstance(font, FreeTypeFont)
        opened[font] = names[name]
        return font

    @cache
    def has(font: FreeTypeFont, char: str) -> bool:
        return char == " " or (char in opened[font] if font in opened else char.isascii())

    forget()
    with monkeypatch.context() as patch:
        patch.setattr(fonts, "CHINESE_FONTS", (("missing.ttf", 0), ("chinese.ttf", 0)))
        patch.setattr(fonts, "OTHER_FONTS", (("others.ttf", 0),))
        patch.setattr(fonts, "_open", find)
        patch.setattr(fonts, "_has", has)
        patch.delenv(fonts.VARIABLE, raising=False)
        yield
    forget()
