"""The public interface: every name is there, imported when it is used, and known to type checkers."""

import re
from pathlib import Path

import pytest

import juying


@pytest.mark.parametrize("name", juying.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(juying, name) is not None
    assert name in dir(juying)


def test_type_checkers_know_the_same_names() -> None:
    source = Path(juying.__file__).read_text("utf-8")
    declared = set(re.findall(r"^    from juying\.\S+ import \w+ as (\w+)$", source, re.MULTILINE))
    lazy = {name for names in juying._MODULES.values() for name in names}
    assert declared == lazy


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'isue'"):
        _ = juying.isue
