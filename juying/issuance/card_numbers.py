"""Card numbers for applications that bring none.

The structure of the number beyond its check character is a matter of each region; this office counts upwards behind
a prefix (our choice). A number that any card or order ever had is given to nobody else.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

import sqlalchemy as sa

from juying.errors import InputError
from juying.ledger import schema
from juying.ledger.ledger import Transaction
from juying.ledger.people import CARD
from juying.ledger.places import hold
from juying.model.numbers import card_number

PREFIX = "JY"

_DIGITS = 8  # before the check character
_orders, _cards = schema.orders, schema.cards


class CardNumbers:
    """Gives out card numbers that nobody has."""

    def __init__(self, taken: Iterable[str], prefix: str = PREFIX) -> None:
        """Start behind the numbers in ``taken``; InputError unless ``prefix`` is 0 to 7 characters 0-9 and A-Z."""
        if not re.fullmatch(f"[0-9A-Z]{{0,{_DIGITS - 1}}}", prefix):
            raise InputError(
                f"卡号前缀最多 {_DIGITS - 1} 位，只能是数字和大写字母",
                f"the prefix of card numbers has at most {_DIGITS - 1} characters, digits and capital letters only",
            )
        self._taken = set(taken)
        self._next = self._count(prefix)

    def allot(self) -> str:
        """A new number. Raises `InputError` when the prefix is used up."""
        for number in self._next:
            if number not in self._taken:
                self._taken.add(number)
                return number
        raise InputError(
            "此前缀的卡号已用完，请换一个前缀", "the card numbers of this prefix are used up: choose another"
        )

    @staticmethod
    def _count(prefix: str) -> Iterator[str]:
        digits = _DIGITS - len(prefix)
        for serial in range(1, 10**digits):
            yield card_number(f"{prefix}{serial:0{digits}}")


def taken_numbers(db: sa.Connection, prefix: str) -> list[str]:
    """The numbers with this prefix that cards and orders have, or ever had."""
    columns = (_orders.c.card_number, _cards.c.number)
    return [
        number
        for column in columns
        for number in db.execute(sa.select(column).where(column.startswith(prefix, autoescape=True))).scalars()
    ]


def free_numbers(tx: Transaction, count: int, prefix: str = PREFIX, *, asked: Iterable[str] = ()) -> list[str]:
    """Up to ``count`` card numbers that no card has, had or will have, and that are not ``asked`` for either.

    Fewer when the prefix is used up. Nobody else gets numbers until the transaction ends. Raises `InputError` for a
    wrong prefix.
    """
    hold(tx, "card numbers")
    numbers = CardNumbers([*asked, *taken_numbers(tx.db, prefix)], prefix)
    erased = set(tx.db.execute(sa.select(_cards.c.number_key).where(_cards.c.number.is_(None))).scalars())
    found: list[str] = []
    with suppress(InputError):
        while len(found) < count:
            number = numbers.allot()
            if not erased or tx.vault.key(CARD, number) not in erased:
                found.append(number)
    return found
