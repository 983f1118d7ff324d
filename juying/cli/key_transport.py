"""``juying keys init --transport demo``: the key under which new keys travel onto virtual cards."""

from collections.abc import Iterable

from juying.crypto.key_set import KeyKind, StoredKey
from juying.errors import InputError

_DEMO = "demo"


def transport_keys(named: str | None, profiles: Iterable[str], city: str | None) -> list[StoredKey]:
    """The main keys that cards of these profiles leave the factory with, once for each cipher.

    ``named`` is ``demo``, for the public ones of virtual cards, or None for no such key. Raises InputError for anything
    else, and without a ``city``.
    """
    if named is None:
        return []
    if named != _DEMO:
        raise InputError("--transport 只能是 demo", "--transport takes demo only", where="--transport")
    if not city:
        raise InputError("--transport 须与 --city 同用", "--transport goes with --city", where="--transport")
    from juying.codec import security
    from juying.codec.profile import load_profile
    from juying.crypto.block import Cipher
    from juying.crypto.keys import CardKey, DemonstrationKeys

    found: dict[tuple[str, KeyKind, str], StoredKey] = {}
    for profile in map(load_profile, profiles):
        for application in profile.applications:
            main = application.key_of(security.KeyKind.MAIN)
            if main is not None:
                cipher = Cipher(profile.security.cipher)
                name = f"{application.name}/{main.name}"
                meant = CardKey(name=name, cipher=cipher, city=city, city_factor=b"", card_factor=b"")
                material = bytearray(DemonstrationKeys().city_key(meant))
                key = StoredKey.symmetric(name, KeyKind(cipher.value), material, city=city)
                found[key.identity] = key
    return list(found.values())
