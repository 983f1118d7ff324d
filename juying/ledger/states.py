"""The words of the ledger: the states that its records go through, and who may do what.

Every state machine is a table of allowed changes; `require` refuses all others, and the same names stand in the
constraints of the database.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self, TypeVar

from juying.errors import InputError
from juying.text import Text


class Word(StrEnum):
    """A word as the database has it, with what people call it: ``text``."""

    _value_: str
    text: Text

    def __new__(cls, value: str, zh: str = "", en: str = "") -> Self:
        """Take the word, and its name in both languages (which all have; a look-up gives the word alone)."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.text = Text(zh, en)
        return member


class Role(Word):
    """What an operator is there for."""

    INTAKE = "intake", "受理", "intake"
    """Imports applications, starts lots, hands cards over."""
    ISSUING = "issuing", "制卡", "issuing"
    """Runs stations."""
    SUPERVISOR = "supervisor", "主管", "supervisor"
    """Operators, keys, scrapping, revocation; the second person."""
    AUDITOR = "auditor", "审计", "auditor"
    """Sees everything, changes nothing."""


class OrderKind(Word):
    """What an order asks for at the reader."""

    NEW = "new", "制新卡", "new card"
    """A blank becomes the card of a person."""
    UPDATE = "update", "更新卡内许可", "update on the card"
    """A card that the person has gets its present contents: a permit loaded, renewed or changed."""
    WIPE = "wipe", "清除卡内许可", "permit off the card"
    """The permit is taken off a card that the person keeps."""


class OrderState(Word):
    """How far an order is."""

    PLANNED = "planned", "待制", "planned"
    WRITING = "writing", "写卡中", "writing"
    """The intent is recorded: this order, this card. From here on the card may be half written."""
    WRITTEN = "written", "已写入", "written"
    VERIFIED = "verified", "已核对", "verified"
    """The card was read back, and holds what the order asks for."""
    SEALED = "sealed", "已制成", "sealed"
    """The card is done."""
    DELIVERED = "delivered", "已发放", "delivered"
    SUSPENDED = "suspended", "已暂停", "suspended"
    """Set aside by an operator; `PLANNED` again when resumed."""
    REPLACED = "replaced", "已被替代", "replaced"
    """A later order does what this one was to do."""
    CANCELLED = "cancelled", "已取消", "cancelled"


class CardState(Word):
    """What has become of a card."""

    BEGUN = "begun", "制作中", "begun"
    """An order has it; it may be half written."""
    LIVE = "live", "正常", "live"
    SUSPENDED = "suspended", "已暂停", "suspended"
    REPLACED = "replaced", "已换发", "replaced"
    CANCELLED = "cancelled", "已注销", "cancelled"
    LOST = "lost", "已挂失", "lost"
    SPOILED = "spoiled", "废卡", "spoiled"
    """It failed while it was made, and nobody ever had it."""


class BlankState(Word):
    """What has become of a blank."""

    STOCK = "stock", "库存", "in stock"
    IN_USE = "in-use", "制作中", "in use"
    """A card is being made of it."""
    USED = "used", "已制成卡", "used"
    SPOILED = "spoiled", "废卡待销毁", "spoiled"
    """It failed and lies aside."""
    SCRAPPED = "scrapped", "已销毁", "scrapped"
    """Destroyed, in the presence of two."""


class PermitState(Word):
    """What has become of a permit (our choice: no public list of codes exists)."""

    VALID = "valid", "有效", "valid"
    SUPERSEDED = "superseded", "已被新许可替代", "superseded"
    """Another permit of the same person took its place: extension, change, new employer."""
    EXPIRED = "expired", "已到期", "expired"
    CANCELLED = "cancelled", "已注销", "cancelled"
    REVOKED = "revoked", "已撤销", "revoked"


class CredentialState(Word):
    """What has become of a credential."""

    SIGNED = "signed", "已签未启用", "signed"
    """Stored, but its card is not sealed; what it is to replace is still good."""
    LIVE = "live", "启用", "live"
    SUPERSEDED = "superseded", "已被替代", "superseded"
    REVOKED = "revoked", "已吊销", "revoked"


class LotState(Word):
    """Whether a lot is worked on."""

    OPEN = "open", "进行中", "open"
    CLOSED = "closed", "已完成", "closed"
    """Every order is sealed, delivered, replaced or cancelled."""


State = TypeVar("State", OrderState, CardState, BlankState, PermitState, CredentialState, LotState)

OPEN_ORDERS = (OrderState.WRITING, OrderState.WRITTEN, OrderState.VERIFIED)
"""Orders with a card that may be half written."""
WAITING_ORDERS = (OrderState.PLANNED, OrderState.SUSPENDED, *OPEN_ORDERS)
"""Orders that still want a card."""
LIVE_CARDS = (CardState.LIVE, CardState.SUSPENDED)
"""A person has one such card at most."""

_ORDERS: Mapping[OrderState, tuple[OrderState, ...]] = {
    OrderState.PLANNED: (OrderState.WRITING, OrderState.SUSPENDED, OrderState.REPLACED, OrderState.CANCELLED),
    # Back to PLANNED when the card failed and another one is taken.
    OrderState.WRITING: (OrderState.WRITTEN, OrderState.PLANNED),
    OrderState.WRITTEN: (OrderState.VERIFIED, OrderState.WRITING, OrderState.PLANNED),
    OrderState.VERIFIED: (OrderState.SEALED, OrderState.WRITING, OrderState.PLANNED),
    OrderState.SEALED: (OrderState.DELIVERED,),
    OrderState.SUSPENDED: (OrderState.PLANNED, OrderState.REPLACED, OrderState.CANCELLED),
}
_CARDS: Mapping[CardState, tuple[CardState, ...]] = {
    CardState.BEGUN: (CardState.LIVE, CardState.SPOILED),
    CardState.LIVE: (CardState.SUSPENDED, CardState.REPLACED, CardState.CANCELLED, CardState.LOST),
    CardState.SUSPENDED: (CardState.LIVE, CardState.REPLACED, CardState.CANCELLED, CardState.LOST),
    CardState.LOST: (CardState.REPLACED, CardState.CANCELLED),
}
_BLANKS: Mapping[BlankState, tuple[BlankState, ...]] = {
    BlankState.STOCK: (BlankState.IN_USE, BlankState.SPOILED, BlankState.SCRAPPED),
    BlankState.IN_USE: (BlankState.USED, BlankState.SPOILED),
    BlankState.USED: (BlankState.SCRAPPED,),
    BlankState.SPOILED: (BlankState.SCRAPPED,),
}
_PERMITS: Mapping[PermitState, tuple[PermitState, ...]] = {
    PermitState.VALID: (
        PermitState.SUPERSEDED,
        PermitState.EXPIRED,
        PermitState.CANCELLED,
        PermitState.REVOKED,
    ),
}
_CREDENTIALS: Mapping[CredentialState, tuple[CredentialState, ...]] = {
    CredentialState.SIGNED: (CredentialState.LIVE, CredentialState.SUPERSEDED, CredentialState.REVOKED),
    CredentialState.LIVE: (CredentialState.SUPERSEDED, CredentialState.REVOKED),
    CredentialState.SUPERSEDED: (CredentialState.REVOKED,),
}
_LOTS: Mapping[LotState, tuple[LotState, ...]] = {
    LotState.OPEN: (LotState.CLOSED,),
    LotState.CLOSED: (LotState.OPEN,),
}
# By class, because members of different enumerations are equal when their words are.
_CHANGES: Mapping[type[StrEnum], Mapping[Any, tuple[Any, ...]]] = {
    OrderState: _ORDERS,
    CardState: _CARDS,
    BlankState: _BLANKS,
    PermitState: _PERMITS,
    CredentialState: _CREDENTIALS,
    LotState: _LOTS,
}


def may_become(before: State, after: State) -> bool:
    """Whether a record may go from one state to the other."""
    return after in _CHANGES[type(before)].get(before, ())


def require(before: State, after: State, *, where: str) -> None:
    """Raise `InputError` unless a record may go from ``before`` to ``after``; ``where`` names the record."""
    if not may_become(before, after):
        raise InputError(
            f"状态是{before.text.zh}，不能变为{after.text.zh}，未作任何改动",
            f"it is {before.text.en} and cannot become {after.text.en}; nothing was changed",
            where=where,
        )
