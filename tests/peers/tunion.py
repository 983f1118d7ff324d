"""A transit card and a terminal's PSAM in two readers of this machine, in a process of their own.

``python -m tests.peers.tunion --card-port 35963 --psam-port 35964`` puts both into the slots of vpcd that listen there,
by default those of the packaged driver, so that any PC/SC program finds them. It prints a line of JSON when they are
in; then it takes lines of JSON, and answers each: ``{"habit": null}`` takes the card out, ``{"habit": ""}`` puts it in,
``{"habit": "torn", "number": 5}`` does so with a bad habit that strikes at that command.
"""

import argparse
import json
import sys
from collections.abc import Callable

from juying.card.virtual.card import Card, VirtualCard
from juying.card.virtual.faults import Garbage, Mute, Slow, TearAfterByte, TearAfterCommand, WrongStatus
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.card.virtual.vpcd import PORT, VirtualReader
from tests.transit.cards import blank

HABITS: dict[str, Callable[[VirtualCard, int], Card]] = {
    "": lambda card, _: card,
    "torn": TearAfterCommand,
    "torn while writing": TearAfterByte,
    "mute": Mute,
    "garbage": Garbage,
    "wrong status": WrongStatus,
    "slow": lambda card, _: Slow(card, 0.02),
}
"""What the card can do wrong; most strike once, at the command (or byte) of the given number."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--card-port", type=int, default=PORT)
    parser.add_argument("--psam-port", type=int, default=PORT + 1)
    parser.add_argument("--balance", type=int, default=2000, help="fen")
    options = parser.parse_args()
    card = blank("ssc-v3", balance_fen=options.balance)
    with VirtualReader(port=options.card_port) as reader, VirtualReader(port=options.psam_port) as sam_reader:
        reader.insert(card)
        sam_reader.insert(VirtualTransitPsam())
        say({"port": options.card_port, "habits": list(HABITS)})
        for line in sys.stdin:
            order = json.loads(line)
            if order["habit"] is None:
                reader.remove()
            else:
                reader.insert(HABITS[order["habit"]](card, order.get("number", 0)))
            say({"inserted": reader.inserted})


def say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
