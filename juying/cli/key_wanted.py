"""Which keys `juying keys init` makes: those of cards, and that of a ledger."""

from collections.abc import Iterable

from juying.crypto.key_set import KeyKind
from juying.errors import InputError

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")
"""The generations of cards whose keys an office has."""

Wanted = tuple[str, KeyKind, str]
"""Name, kind and city of a key to be made."""


def of_cards(profiles: Iterable[str], city: str) -> list[Wanted]:
    """Every key that the profiles declare, once."""
    from juying.codec.profile import load_profile

    found: dict[Wanted, None] = {}
    for profile in map(load_profile, profiles):
        for application in profile.applications:
            for key in application.keys:
                found[f"{application.name}/{key.name}", KeyKind(profile.security.cipher), city] = None
    return list(found)


def of_ledger(city: str | None, kind: KeyKind) -> Wanted:
    """The key under which the ledger of a city has its data key."""
    from juying.ledger.vault import KEY_NAME

    if not city:
        raise InputError("--ledger 须与 --city 同用", "--ledger goes with --city", where="--ledger")
    return KEY_NAME, kind, city
