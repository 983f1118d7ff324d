"""What became of the card in the reader, and the words for it."""

from dataclasses import dataclass, field
from enum import StrEnum

from juying.credential.issue import Credentials
from juying.ledger.orders import Claim
from juying.ledger.states import OrderKind
from juying.text import Text


class Outcome(StrEnum):
    """What became of the card in the reader."""

    SEALED = "sealed"
    """It is done."""
    ALREADY = "already"
    """It was done before."""
    IDLE = "idle"
    """A good blank, but no order waits for one."""
    REFUSED = "refused"
    """Not ours to write; it is as it was."""
    SPOILED = "spoiled"
    """It is to be set aside, and its order waits for another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """What became of the card, in words: ``text`` holds nothing personal, ``name`` is for the screen of the office.

    ``credentials`` are those of the permit that the card was sealed with. ``notes`` are remarks for the clerk.
    """

    outcome: Outcome
    text: Text
    claim: Claim | None = None
    box: int = 0
    name: str = field(default="", repr=False)
    credentials: Credentials | None = field(default=None, repr=False)
    notes: tuple[Text, ...] = ()


def refused(text: Text) -> Produced:
    """A card that is not ours to write; ``text`` says why."""
    zh, en = text
    return Produced(
        outcome=Outcome.REFUSED,
        text=Text(f"{zh}；未作任何改动，请取出", f"{en}; nothing was changed: take it out"),
    )


def done(claim: Claim) -> Text:
    """What is to be done with a finished card."""
    if claim.kind is OrderKind.NEW:
        box = Text(f"，放入第 {claim.box} 盒", f", box {claim.box}") if claim.box else Text("", "")
        return Text(f"制成，请取卡{box.zh}", f"done: take the card{box.en}")
    return Text(f"{claim.kind.text.zh}完成，请取卡交还本人", f"{claim.kind.text.en}: done, give the card back")


NO_ORDER = Text("没有等待此类空白卡的订单，请取出", "no order waits for a blank like this: take it out")
SPOILED = Text("此卡作废，请放入废卡盒，另取一张。", "the card is spoiled: put it aside and take another one.")
SUSPENDED = Text("订单已暂停，请把卡交还本人。", "the order is suspended: give the card back.")
