"""Which problems of a reader keep from borrowing: the library's own rule, as data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Self

from juying.credential.strict_json import members
from juying.errors import InputError
from juying.services.library.patron import Flag


class Pin(StrEnum):
    """What the reader's PIN has to do with it."""

    IF_SENT = "if-sent"
    """It has to be right when one was sent."""
    REQUIRED = "required"
    """Without one nobody is eligible."""
    IGNORED = "ignored"


class Debts(StrEnum):
    """How the system writes what a reader owes."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


DENYING = frozenset(Flag) - {
    Flag.RENEWAL_DENIED,
    Flag.RECALL_DENIED,
    Flag.HOLD_DENIED,
    Flag.TOO_MANY_RENEWALS,
    Flag.TOO_MANY_CLAIMS,
}
"""The flags that deny borrowing unless a site says otherwise (observed: the rule of a large public library)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BorrowingPolicy:
    """Who may borrow.

    ``denying``: the flags that deny it. ``valid``: whether the system has to confirm the card with BL; without, a
    missing one is passed over. ``limits``: whether the counts are held against the limits that the system names.
    ``max_fee``: what a reader may owe, in ``currency``; None leaves it to the limit of the system (CC), or to its
    flags where it names none.
    """

    denying: frozenset[Flag] = DENYING
    valid: bool = True
    limits: bool = True
    max_fee: Decimal | None = None
    currency: str = "CNY"
    debts: Debts = Debts.POSITIVE
    pin: Pin = Pin.IF_SENT

    @classmethod
    def from_dict(cls, table: object, where: str = "policy") -> Self:
        """The policy out of a table of a configuration; `InputError` names the place and the nearest known name."""
        given = dict(members(table, (), where, optional=[member.name for member in fields(cls)]))
        if "denying" in given:
            given["denying"] = frozenset(_flags(given["denying"], f"{where}.denying"))
        if "max_fee" in given:
            given["max_fee"] = _amount(given["max_fee"], f"{where}.max_fee")
        for name, kind in (("debts", Debts), ("pin", Pin)):
            if name in given:
                given[name] = choice(kind, given[name], f"{where}.{name}")
        for name, type_ in (("valid", bool), ("limits", bool), ("currency", str)):
            if not isinstance(given.get(name, type_()), type_):
                raise wrong_type(f"{where}.{name}", type_)
        return cls(**given)


_TYPES: Mapping[type, tuple[str, str]] = {
    bool: ("true 或 false", "true or false"),
    int: ("整数", "a whole number"),
    float: ("数字", "a number"),
    str: ("字符串", "a string"),
}


def wrong_type(where: str, type_: type) -> InputError:
    """The error about a value of another type."""
    zh, en = _TYPES[type_]
    return InputError(f"须为{zh}", f"has to be {en}", where=where)


def choice(kind: type[StrEnum], value: object, where: str) -> Any:
    """A member of ``kind``; `InputError` lists them."""
    try:
        return kind(str(value))
    except ValueError:
        known = ", ".join(kind)
        raise InputError(f"须为其中之一：{known}", f"has to be one of {known}", where=where) from None


def _flags(value: object, where: str) -> Iterable[Flag]:
    if not isinstance(value, list):
        raise InputError("须为列表", "has to be a list", where=where)
    return [choice(Flag, each, where) for each in value]


def _amount(value: object, where: str) -> Decimal:
    """Money is written as a string or a whole number: a binary fraction is not exact."""
    try:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InvalidOperation
        amount = Decimal(value)
        if not amount.is_finite() or amount < 0:
            raise InvalidOperation
    except InvalidOperation:
        raise InputError('须为金额，如 "50.00"', 'has to be an amount such as "50.00"', where=where) from None
    return amount
