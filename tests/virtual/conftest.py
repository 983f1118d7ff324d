"""A small terminal and cards for the tests of the virtual card.

Tests of structure, framing and faults use cards whose files are all free, so that they need no keys. Tests of access
rules, keys and PIN use the profiles as they are, and a `KeyHolder`.
"""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.codec.profile import load_profile
from juying.codec.spec import Profile
from tests.virtual.key_holder import SERIAL, KeyHolder, Terminal, guarded

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")


@functools.cache
def free_profile(name: str) -> Profile:
    """A profile with all files free to read and to write."""
    tables = load_profile(name).model_dump(by_alias=True, exclude_defaults=True)
    return Profile.model_validate(_freed(tables))


def _freed(table: Any) -> Any:
    if isinstance(table, list | tuple):
        return [_freed(entry) for entry in table]
    if not isinstance(table, dict):
        return table
    return {key: "free" if key in ("read", "write") else _freed(value) for key, value in table.items()}


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> Profile:
    return free_profile(request.param)


@pytest.fixture
def make() -> Callable[..., VirtualCard]:
    """A blank card with the files of a named profile, all free, and the serial of the fact sheet's vector."""

    def build(name: str = "ssc-v3", **options: Any) -> VirtualCard:
        return VirtualCard.blank(free_profile(name), serial=SERIAL, **options)

    return build


@pytest.fixture(params=PROFILES)
def holder(request: pytest.FixtureRequest) -> KeyHolder:
    """Somebody with all keys, at a blank card of each profile as it is; nothing was shown to the card yet."""
    return KeyHolder(guarded(request.param))


@pytest.fixture(params=["ssc-v2", "ssc-v3"])
def each_cipher(request: pytest.FixtureRequest) -> KeyHolder:
    """As `holder`, at a card with 3DES and T=0 and at one with SM4 and T=1."""
    return KeyHolder(guarded(request.param))


@pytest.fixture
def card(profile: Profile) -> VirtualCard:
    """A blank card of each profile, with all optional files."""
    optional = [file.address for file in profile.files if file.optional]
    return VirtualCard.blank(profile, serial=SERIAL, optional=optional)


@pytest.fixture
def terminal(card: VirtualCard) -> Terminal:
    return Terminal(card, card.profile.protocol)


@pytest.fixture
def connect() -> Callable[[VirtualCard | Fault], Terminal]:
    """A terminal for a card that the test made itself."""

    def build(card: VirtualCard | Fault) -> Terminal:
        return Terminal(card, "T=1" if card.atr[1] & 0x80 else "T=0")

    return build
