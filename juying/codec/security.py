"""Keys of a card and the rules around them, as a profile declares them: no key is in here, only what it is called."""

import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, model_validator

from juying.codec.record import HexBytes, HexNumber, Source, Spec, Words, broken


class KeyKind(StrEnum):
    """What a key of the card is for.

    An `EXTERNAL` key opens files for one who proves to have it, a `MAINTENANCE` key makes the MAC of protected
    updates. `MAIN` key, `INTERNAL` key (by which the card proves itself), PIN keys and the key that blocks the card
    belong to the card as a whole. A `SEAL` key encrypts a permit record and is not on the card at all. `PURCHASE`,
    `LOAD` and `TAC` keys are those of a purse.
    """

    EXTERNAL = "external"
    MAIN = "main"
    INTERNAL = "internal"
    MAINTENANCE = "maintenance"
    PIN_UNBLOCK = "pin-unblock"
    PIN_RELOAD = "pin-reload"
    CARD_BLOCK = "card-block"
    APP_BLOCK = "app-block"
    SEAL = "seal"
    PURCHASE = "purchase"
    LOAD = "load"
    TAC = "tac"


_TYPES = {
    KeyKind.MAIN: 0x00,
    KeyKind.MAINTENANCE: 0x07,
    KeyKind.EXTERNAL: 0x0D,
    KeyKind.INTERNAL: 0x0E,
    KeyKind.PIN_UNBLOCK: 0x10,
    KeyKind.PIN_RELOAD: 0x11,
    KeyKind.CARD_BLOCK: 0x12,
    KeyKind.APP_BLOCK: 0x13,
    KeyKind.PURCHASE: 0x3E,
    KeyKind.LOAD: 0x3F,
    KeyKind.TAC: 0x34,
}
"""Type of a key in the header that goes onto the card with it: the first four observed, the others ours."""
_ALGORITHMS = {"3des": 0x00, "sm4": 0x03}
"""Algorithm in that header: 00 observed, 03 as in the strings of the terminal interface (our choice)."""
MAXIMUM_TRIES = 15
"""Most tries that a status word 63Cx can tell."""
_Byte = Annotated[HexNumber, Field(le=0xFF)]


class Key(Spec):
    """A key of the card.

    ``id`` is P2 of EXTERNAL AUTHENTICATE and of WRITE KEY. ``psam_usage`` and ``psam_id`` say where a PSAM holds the
    city's key, ``hsm_address`` (2 bytes) where an HSM does.
    """

    name: str = Field(pattern=r"^\w+$")
    id: _Byte
    kind: KeyKind = KeyKind.EXTERNAL
    psam_usage: _Byte | None = None
    psam_id: _Byte | None = None
    hsm_address: HexBytes | None = None
    source: Source
    note: Words | None = None

    @property
    def on_card(self) -> bool:
        """Whether the card itself holds the key."""
        return self.kind is not KeyKind.SEAL

    def header(self, cipher: str, tries: int) -> bytes:
        """The 8 bytes that go onto the card before the key (seen in one maker's cards; the values are partly ours).

        Type, id, version 01, reserved 00, wrong tries allowed (1 to 15), algorithm, level 00, length of the key.
        """
        return bytes((_TYPES[self.kind], self.id, 0x01, 0x00, tries, _ALGORITHMS[cipher], 0x00, 0x10))


class Security(Spec):
    """How the keys of a card are made and used.

    ``city_factor`` and ``card_factor`` name the templates by which a city's key and a card's key are derived, see
    `juying.crypto.diversify`. ``key_tries`` and ``pin_tries`` are the wrong tries in a row that a new key or a PIN
    allows. A card leaves the factory with the first of ``initial_pins``; none of them may be chosen by the holder.
    """

    cipher: Literal["3des", "sm4"]
    city_factor: Literal["city-sx", "none"]
    card_factor: Literal["atr-last-8", "atr-t8-td", "none"]
    key_tries: StrictInt = Field(ge=1, le=MAXIMUM_TRIES)
    pin_tries: StrictInt = Field(ge=1, le=MAXIMUM_TRIES)
    pin_digits: StrictInt = Field(ge=4, le=12, multiple_of=2)
    initial_pins: tuple[str, ...] = Field(min_length=1)
    source: Source
    note: Words | None = None

    @model_validator(mode="after")
    def _check_pins(self) -> Self:
        for pin in self.initial_pins:
            if not re.fullmatch(rf"[0-9]{{{self.pin_digits}}}", pin):
                raise broken(
                    f"initial_pins 应为 {self.pin_digits} 位数字",
                    f"initial_pins have {self.pin_digits} digits each",
                    find=r"initial_pins *=",
                )
        return self
