"""The words of the ledger: the states that its records go through, and who may do what.

Every state machine is a table of allowed changes; `require` refuses all others, and the same names stand in the
constraints of the database.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from juying.errors import InputError


class Role(StrEnum):
    """What an operator is there for."""

    INTAKE = "intake"
    """Imports applications, starts lots, hands cards over."""
    ISSUING = "issuing"
    """Runs stations."""
    SUPERVISOR = "supervisor"
    """Operators, keys, scrapping, revocation; the second person."""
    AUDITOR = "auditor"
    """Sees everything, changes nothing."""


class OrderKind(StrEnum):
    """What an order asks for at the reader."""

    NEW = "new"
    """A blank becomes the card of a person."""
    UPDATE = "update"
    """A card that the person has gets its present contents: a permit loaded, renewed or changed."""
    WIPE = "wipe"
    """The permit is taken off a card that the person keeps."""


class OrderState(StrEnum):
    """How far an order is."""

    PLANNED = "planned"
    WRITING = "writing"
    """The intent is recorded: this order, this card. From here on the card may be half written."""
    WRITTEN = "written"
    VERIFIED = "verified"
    """The card was read back, and holds what the order asks for."""
    SEALED = "sealed"
    """The card is done."""
    DELIVERED = "delivered"
    SUSPENDED = "suspended"
    """Set aside by an operator; `PLANNED` again when resumed."""
    REPLACED = "replaced"
    """A later order does what this one was to do."""
    CANCELLED = "cancelled"


class CardState(StrEnum):
    """What has become of a card."""

    BEGUN = "begun"
    """An order has it; it may be half written."""
    LIVE = "live"
    SUSPENDED = "suspended"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    LOST = "lost"
    SPOILED = "spoiled"
    """It failed while it was made, and nobody ever had it."""


class BlankState(StrEnum):
    """What has become of a blank."""

    STOCK = "stock"
    IN_USE = "in-use"
    """A card is being made of it."""
    USED = "used"
    SPOILED = "spoiled"
    """It failed and lies aside."""
    SCRAPPED = "scrapped"
    """Destroyed, in the presence of two."""


class PermitState(StrEnum):
    """What has become of a permit (our choice: no public list of codes exists)."""

    VALID = "valid"
    SUPERSEDED = "superseded"
    """Another permit of the same person took its place: extension, change, new employer."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REVOKED = "revoked"


class CredentialState(StrEnum):
    """What has become of a credential."""

    SIGNED = "signed"
    """Stored, but its card is not sealed; what it is to replace is still good."""
    LIVE = "live"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"


class LotState(StrEnum):
    """Whether a lot is worked on."""

    OPEN = "open"
    CLOSED = "closed"
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
            f"状态为 {before.value}，不能变为 {after.value}，未作任何改动",
            f"it is {before.value} and cannot become {after.value}; nothing was changed",
            where=where,
        )
