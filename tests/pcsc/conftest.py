"""What the tests of readers share."""

import pytest

from juying.card import pcsc
from tests.pcsc.scripted import ScriptedScard


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedScard:
    """A PC/SC service that exists on paper only."""
    scard = ScriptedScard()
    monkeypatch.setattr(pcsc, "_scard", lambda: scard)
    return scard
