"""From a profile and a card to the keys that this card has."""

import functools

from juying.codec.spec import Profile
from juying.crypto.block import Cipher
from juying.crypto.diversify import card_factor, city_factor
from juying.crypto.keys import CardKey
from juying.errors import InputError

_VIRTUAL = b"JY"
"""Historical bytes 3 and 4 of a virtual card (ours), where real cards name vendor and system."""


def card_key(profile: Profile, application_name: str, key_name: str, *, historical: bytes, city: str) -> CardKey:
    """The key ``key_name`` of an application, for one card.

    ``historical`` are the 13 historical bytes of the card's ATR, ``city`` the 6 digits of the city that issued it
    (the head of its identifier). Raises `InputError` when the profile has no such key or cannot make its factors.
    """
    application = profile.application(application_name)
    key = next((key for key in application.keys if key.name == key_name), None)
    if key is None:
        raise InputError(
            f"卡规格 {profile.name} 的 {application_name} 中没有密钥 {key_name}",
            f"the profile {profile.name} has no key {key_name} in {application_name}",
        )
    security = profile.security
    of_city, of_card = _factors(security.city_factor, city, security.card_factor, historical)
    return CardKey(
        name=f"{application_name}/{key_name}",
        cipher=Cipher(security.cipher),
        city=city,
        city_factor=of_city,
        card_factor=of_card,
        psam_usage=key.psam_usage,
        psam_id=key.psam_id,
        hsm_address=key.hsm_address,
    )


@functools.lru_cache(maxsize=64)
def _factors(city_template: str, city: str, card_template: str, historical: bytes) -> tuple[bytes, bytes]:
    """Both factors of one card, the same for all its keys."""
    return city_factor(city_template, city), card_factor(card_template, historical)


def is_virtual(historical: bytes) -> bool:
    """Whether the historical bytes of an ATR are those of a virtual card of ours."""
    return historical[2:4] == _VIRTUAL
