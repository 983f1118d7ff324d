"""Mutated answers against our side of the conversation: it ends, with a result or with an error of ours.

``python -m tests.fuzz.answers --count 1000000 --seed 1`` prints how the conversations ended.

A conversation is one of those that programs have with a card: read it, write it, read its purse, change its PIN,
prove it with a PSAM. From some point on answers of the card are damaged, mostly without changing their length, so that
the conversation goes on. A card that says anything must cost no more than a bounded number of commands.
"""

import copy
import random
import sys
from collections import Counter
from collections.abc import Callable

from juying.card.access import Access
from juying.card.administration import reload_pin, unblock_pin
from juying.card.channel import Channel
from juying.card.psam import PsamKeys
from juying.card.ssc import SscCard
from juying.card.transport import Closing
from juying.card.tunion import read_transit
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.psam import VirtualPsam
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from juying.credential.trust import TrustList
from juying.errors import JuyingError
from juying.services.reading import read_card
from tests import people
from tests.fuzz.mutation import mutate_bytes
from tests.fuzz.running import Tally, main
from tests.path.samples import EVERYTHING, PHOTO, RENEWED, contents
from tests.transit.cards import blank as transit_card

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")
MAX_COMMANDS = 3_000
"""For one conversation; the longest genuine one needs a tenth."""


class Liar(Closing):
    """A transport that damages answers, from one on that is drawn."""

    def __init__(self, honest: LocalTransport, dice: random.Random) -> None:
        self._honest = honest
        self._dice = dice
        self._patience, self._share = dice.randrange(60), dice.choice((1, 3, 10))
        self._heard = [b"\x90\x00", b"\x6c\x10", b"\x61\x10", b"\x63\xc2"]
        self.name, self.atr, self.protocol = honest.name, honest.atr, honest.protocol
        self.commands = self.lies = 0

    def transmit(self, command: bytes) -> bytes:
        """The card's answer, or something like it; AssertionError when it takes too long."""
        self.commands += 1
        assert self.commands < MAX_COMMANDS, "the conversation does not end"
        answer = self._honest.transmit(command)
        self._heard = [*self._heard[-30:], answer]
        if self.commands <= self._patience or self._dice.randrange(self._share):
            return answer
        lie = self._lie(answer)
        self.lies += lie != answer
        return lie

    def _lie(self, answer: bytes) -> bytes:
        match self._dice.randrange(12):
            case 0:
                return mutate_bytes(answer, self._heard, self._dice)
            case 1:
                return answer[:-2] + self._dice.choice(self._heard)[-2:]
            case 2:
                return self._dice.choice([heard for heard in self._heard if len(heard) == len(answer)])
            case _ if len(answer) > 2:
                return self._with_other_bytes(answer)
        return answer

    def _with_other_bytes(self, answer: bytes) -> bytes:
        changed = bytearray(answer)
        for _ in range(self._dice.randint(1, 4)):
            at = self._dice.randrange(len(answer) - 2)
            changed[at] = self._dice.choice((0x00, 0xFF, 0x80, changed[at] ^ 0x01, self._dice.randrange(256)))
        return bytes(changed)

    def close(self) -> None:
        """Let go of the card."""
        self._honest.close()


def read(transport: Liar) -> None:
    card = SscCard.open(transport, access=EVERYTHING)
    reading = read_card(card, TrustList([]), now=people.NOW, photo=True, everything=True)
    reading.to_dict()
    reading.files(card.profile)


def write(transport: Liar) -> None:
    write_card(SscCard.open(transport, access=EVERYTHING), contents(RENEWED, phone="057612345678"))


def office(transport: Liar) -> None:
    card = SscCard.open(transport, access=EVERYTHING)
    unblock_pin(card)
    reload_pin(card, "246810")
    card.authenticate()


def with_psam(transport: Liar) -> None:
    keys = PsamKeys.open(transport)
    honest = LocalTransport(VirtualCard.blank(load_profile("ssc-v3")))
    SscCard.open(honest, access=Access(keys=keys)).read()


def purse(transport: Liar) -> None:
    read_transit(Channel(transport), holder=True, trips=True)


class Cards:
    """The cards of the conversations, each as it is at the beginning of one."""

    def __init__(self) -> None:
        self.purse = transit_card(balance_fen=5000)
        self.psam = VirtualPsam.demonstration(map(load_profile, PROFILES))
        self.written = []
        for name in PROFILES:
            card = VirtualCard.blank(load_profile(name))
            with LocalTransport(card) as transport:
                write_card(
                    SscCard.open(transport, access=EVERYTHING), contents(photo=PHOTO if name == "ssc-v3" else None)
                )
            self.written.append(card)

    def conversation(self, dice: random.Random) -> tuple[Callable[[Liar], None], LocalTransport]:
        """What is talked about, and with whom."""
        talk = dice.choice((read, read, write, office, with_psam, purse))
        if talk is purse:
            return talk, LocalTransport(self.purse)
        if talk is with_psam:
            return talk, LocalTransport(self.psam)
        card = dice.choice(self.written)
        return talk, LocalTransport(VirtualCard(card.profile, copy.deepcopy(card.memory)))


def fuzz(count: int, seed: int) -> Tally:
    """How conversations with ``count`` damaged answers in all ended."""
    dice = random.Random(seed)
    cards = Cards()
    tally: Counter[str] = Counter()
    lies = 0
    while lies < count:
        talk, honest = cards.conversation(dice)
        liar = Liar(honest, dice)
        try:
            talk(liar)
            outcome = "done"
        except JuyingError as error:
            outcome = type(error).__name__
        tally[f"{talk.__name__}: {outcome}"] += 1
        lies += liar.lies
    return tally


if __name__ == "__main__":
    sys.exit(main("answers", fuzz, __doc__, "every conversation ended, with a result or an error of ours"))
