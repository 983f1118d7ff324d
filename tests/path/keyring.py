"""Keys of which some are missing or wrong, and a card that notes what it is asked."""

from juying.card.pin import PinSource, typed_pin
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.errors import KeyUseError
from juying.text import Text

VERIFY, AUTHENTICATE, CHALLENGE, INTERNAL = 0x20, 0x82, 0x84, 0x88


class Ring(DemonstrationKeys):
    """The demonstration keys with the names in ``only`` (None for all), those in ``wrong`` being other keys.

    ``used`` are the names of the keys in the order of their use.
    """

    def __init__(self, only: set[str] | None = None, *, wrong: set[str] | None = None) -> None:
        super().__init__()
        self.only = only
        self.wrong = wrong or set()

    @property
    def title(self) -> Text:
        return Text("密钥库", "the key store")

    def _city_key(self, key: CardKey) -> bytearray | None:
        if self.only is not None and key.name not in self.only:
            return None
        return bytearray(16) if key.name in self.wrong else super()._city_key(key)


class Unplugged(DemonstrationKeys):
    """A token that has every key, and is pulled out when one is used."""

    def external_answer(self, key: CardKey, challenge: bytes, original: bytes) -> bytes:
        raise KeyUseError("令牌已拔出", "the token was pulled out")

    def internal_answer(self, key: CardKey, data: bytes) -> bytes:
        raise KeyUseError("令牌已拔出", "the token was pulled out")


class Asked(Fault):
    """Notes what the card is asked and what it answers."""

    def __init__(self, card: VirtualCard | Fault) -> None:
        super().__init__(card)
        self.commands: list[bytes] = []
        self.answers: list[bytes] = []

    def answer(self, number: int, command: bytes) -> bytes:
        self.commands.append(command)
        self.answers.append(self.card.transmit(command))
        return self.answers[-1]

    def count(self, ins: int) -> int:
        return sum(command[1] == ins for command in self.commands)

    @property
    def keys(self) -> list[int]:
        """The card's numbers of the keys that were shown, in their order."""
        return [command[3] for command in self.commands if command[1] == AUTHENTICATE]


def pin(digits: str = "123456") -> PinSource:
    return typed_pin(lambda: digits)
