"""What a library system says of a reader in one letter each: the patron status, and the lists that 63 can ask for."""

from enum import StrEnum

from juying.text import Text


class Flag(StrEnum):
    """The fourteen positions of the patron status, in their order; blank is fine, Y a problem."""

    BORROWING_DENIED = "borrowing-denied"
    RENEWAL_DENIED = "renewal-denied"
    RECALL_DENIED = "recall-denied"
    HOLD_DENIED = "hold-denied"
    CARD_LOST = "card-lost"
    TOO_MANY_CHARGED = "too-many-charged"
    TOO_MANY_OVERDUE = "too-many-overdue"
    TOO_MANY_RENEWALS = "too-many-renewals"
    TOO_MANY_CLAIMS = "too-many-claims-returned"
    TOO_MANY_LOST = "too-many-lost"
    FINES = "fines-too-high"
    FEES = "fees-too-high"
    RECALL_OVERDUE = "recall-overdue"
    TOO_MANY_BILLED = "too-many-billed"

    @property
    def text(self) -> Text:
        """The problem for people."""
        return _FLAG_TEXT[self]


FLAGS = tuple(Flag)

_FLAG_TEXT = {
    Flag.BORROWING_DENIED: Text("不允许借阅", "borrowing is denied"),
    Flag.RENEWAL_DENIED: Text("不允许续借", "renewal is denied"),
    Flag.RECALL_DENIED: Text("不允许催还", "recall is denied"),
    Flag.HOLD_DENIED: Text("不允许预约", "holds are denied"),
    Flag.CARD_LOST: Text("读者证已挂失", "the card was reported lost"),
    Flag.TOO_MANY_CHARGED: Text("借阅册数已满", "too many items are charged"),
    Flag.TOO_MANY_OVERDUE: Text("超期册数过多", "too many items are overdue"),
    Flag.TOO_MANY_RENEWALS: Text("续借次数过多", "too many renewals"),
    Flag.TOO_MANY_CLAIMS: Text("声称已还的图书过多", "too many items are claimed returned"),
    Flag.TOO_MANY_LOST: Text("丢失的图书过多", "too many items were lost"),
    Flag.FINES: Text("罚款过多", "outstanding fines are too high"),
    Flag.FEES: Text("欠费过多", "outstanding fees are too high"),
    Flag.RECALL_OVERDUE: Text("催还的图书已超期", "a recalled item is overdue"),
    Flag.TOO_MANY_BILLED: Text("待赔付的图书过多", "too many items were billed"),
}


class Summary(StrEnum):
    """The six lists of which a patron information request can ask for one, in the order of their positions."""

    HOLDS = "holds"
    OVERDUE = "overdue"
    CHARGED = "charged"
    FINES = "fines"
    RECALLS = "recalls"
    UNAVAILABLE = "unavailable"


SUMMARIES = tuple(Summary)

SUPPORTED = ("23", "11", "09", "01", "99", "97", "93", "63", "35", "37", "17", "19", "25", "15", "29", "65")
"""The requests that the sixteen positions of field BX speak of, in their order. Not every system says the truth."""
