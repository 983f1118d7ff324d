"""Nothing secret and nothing personal comes out anywhere but where it was asked for."""

from pathlib import Path

import pytest

from tests.secrets import cards, keys, ledger, permits, services
from tests.secrets.stage import SCENARIOS, perform

__all__ = ["cards", "keys", "ledger", "permits", "services"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_leaks(name: str, tmp_path: Path) -> None:
    found = perform(SCENARIOS[name], tmp_path)
    assert not found, "\n".join(sorted(f"{leak.channel} {leak.where}: {leak.title} ({leak.kind})" for leak in found))
