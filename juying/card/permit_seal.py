"""The seal over the permit on one card.

Only holders of the city's permit-read key learn more than that there is a permit. The container and what is bound by
the seal are described in `juying.codec.permit_slots`, the algorithm in `juying.crypto.seal`.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from juying.codec.permit_slots import Form, PermitSlot, encode_slot, pad_record, seal_context, unpad_record
from juying.crypto.keys import CardKey, Keys
from juying.crypto.seal import OVERHEAD
from juying.errors import DecodeError

BOUND_IDENTIFIER: Final = 12
"""Bytes of the card identifier that are bound: all but its check code, which a card gets when it is personalised."""
_CHECK: Final = b"permit key check"
"""Enciphered under the card's key it tells keys apart. It shares no block with the seed of the seal."""


@dataclass(frozen=True, slots=True)
class PermitSeal:
    """What seals the permits of one card, and opens them.

    ``key`` is the card's permit-read key in ``keys``, ``identifier`` the card identifier as far as it never changes
    (12 bytes). ``reference`` (2 bytes) stands in the header of what is sealed; see `juying.codec.permit_slots`.
    """

    keys: Keys
    key: CardKey
    identifier: bytes
    reference: int

    @classmethod
    def of(cls, keys: Keys, key: CardKey, identifier: bytes) -> Self:
        """The seal with ``key`` on the card of this ``identifier`` (16 bytes). Raises `KeyUseError`."""
        return cls(keys, key, identifier[:BOUND_IDENTIFIER], _reference(keys, key))

    def __repr__(self) -> str:
        """The key's name; the identifier leads to the person."""
        return f"PermitSeal({self.key.name!r}, reference={self.reference:#06x})"

    def seal(self, record: bytes, sequence: int) -> bytes:
        """The content of a slot that holds ``record`` sealed, different every time.

        Raises `InputError` for a record that is too long, `KeyUseError` when the key cannot be used.
        """
        plain = pad_record(record)
        context = seal_context(len(plain) + OVERHEAD, sequence, self.reference, self.identifier)
        return encode_slot(self.keys.seal(self.key, plain, context), sequence, Form.SEALED, self.reference)

    def open(self, slot: PermitSlot) -> bytes:
        """The record in a sealed slot, also one that was sealed before the key was rotated.

        Raises `DecodeError`, which says whether it was sealed with another key or does not belong there, and
        `KeyUseError` when the key cannot be used.
        """
        key = self._key_of(slot)
        context = seal_context(len(slot.record), slot.sequence, slot.key_reference, self.identifier)
        try:
            plain = self.keys.unseal(key, slot.record, context)
        except DecodeError:
            raise DecodeError(
                "密封的许可无法打开：密钥相符，但内容被改动，或来自别处",
                "the sealed permit does not open: the key is the right one, but the content was changed or comes from "
                "elsewhere",
            ) from None
        return unpad_record(plain)

    def _key_of(self, slot: PermitSlot) -> CardKey:
        """Our key, or the version before it, with which the slot was sealed."""
        if slot.key_reference == self.reference:
            return self.key
        before = replace(self.key, previous=True)
        if slot.key_reference == _reference(self.keys, before):
            return before
        title = self.keys.title
        raise DecodeError(
            f"密封的许可无法打开：所用密钥不是{title.zh}中城市 {self.key.city} 的 {self.key.name}，"
            "或许可是从另一张卡复制来的",
            f"the sealed permit does not open: its key is not {self.key.name} of {title.en} for city {self.key.city}, "
            "or the permit was copied from another card",
        )


def _reference(keys: Keys, key: CardKey) -> int:
    """Two bytes by which a holder of the card's key recognises it; never 0, which stands for no key."""
    return int.from_bytes(keys.encipher(key, _CHECK)[:2]) or 1
