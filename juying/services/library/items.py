"""The messages of SIP 2.00 about items: loan, return, renewal, fee, and what is known of one."""

from datetime import datetime
from decimal import Decimal

from juying.services.library.kinds import AMOUNT, MOMENT, OK, PERHAPS, YES_NO, characters, number
from juying.services.library.layout import Message, fixed, message, named


@message("11", answer="12")
class Checkout(Message):
    """11: lend an item. ``no_block``: it was lent while the system was away and cannot be refused any more."""

    renewal_policy: bool = fixed(YES_NO, 1, False)
    no_block: bool = fixed(YES_NO, 1, False)
    date: datetime | None = fixed(MOMENT, 18)
    no_block_due: datetime | None = fixed(MOMENT, 18, None)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    item: str = named("AB", required=True)
    terminal_password: str = named("AC", required=True)
    pin: str | None = named("AD")
    item_properties: str | None = named("CH", open=True)
    fee_accepted: bool | None = named("BO", YES_NO, open=True)
    cancel: bool | None = named("BI", YES_NO, open=True)


@message("12")
class CheckoutAnswer(Message):
    """12. ``due`` is text in whatever form the system likes."""

    ok: bool | None = fixed(OK, 1)
    renewal_ok: bool | None = fixed(YES_NO, 1)
    magnetic: bool | None = fixed(PERHAPS, 1)
    desensitise: bool | None = fixed(PERHAPS, 1)
    date: datetime | None = fixed(MOMENT, 18)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    item: str = named("AB", required=True)
    title: str = named("AJ", required=True)
    due: str = named("AH", required=True, open=True)
    fee_type: str | None = named("BT", open=True)
    security_inhibit: bool | None = named("CI", YES_NO, open=True)
    currency: str | None = named("BH", open=True)
    fee: Decimal | None = named("BV", AMOUNT)
    media_type: str | None = named("CK", open=True)
    item_properties: str | None = named("CH", open=True)
    transaction: str | None = named("BK", open=True)
    screen: tuple[str, ...] = named("AF", repeated=True)
    print: tuple[str, ...] = named("AG", repeated=True)


@message("09", answer="10")
class Checkin(Message):
    """09: take an item back."""

    no_block: bool = fixed(YES_NO, 1, False)
    date: datetime | None = fixed(MOMENT, 18)
    returned: datetime | None = fixed(MOMENT, 18)
    location: str = named("AP", required=True, open=True)
    institution: str = named("AO", required=True, open=True)
    item: str = named("AB", required=True)
    terminal_password: str = named("AC", required=True)
    item_properties: str | None = named("CH", open=True)
    cancel: bool | None = named("BI", YES_NO, open=True)


@message("10")
class CheckinAnswer(Message):
    """10."""

    ok: bool | None = fixed(OK, 1)
    resensitise: bool | None = fixed(PERHAPS, 1)
    magnetic: bool | None = fixed(PERHAPS, 1)
    alert: bool | None = fixed(YES_NO, 1)
    date: datetime | None = fixed(MOMENT, 18)
    institution: str = named("AO", required=True, open=True)
    item: str = named("AB", required=True)
    location: str = named("AQ", required=True, open=True)
    title: str | None = named("AJ")
    sort_bin: str | None = named("CL", open=True)
    reader: str | None = named("AA")
    media_type: str | None = named("CK", open=True)
    item_properties: str | None = named("CH", open=True)
    screen: tuple[str, ...] = named("AF", repeated=True)
    print: tuple[str, ...] = named("AG", repeated=True)


@message("29", answer="30")
class Renew(Message):
    """29: keep an item for longer."""

    third_party: bool = fixed(YES_NO, 1, False)
    no_block: bool = fixed(YES_NO, 1, False)
    date: datetime | None = fixed(MOMENT, 18)
    no_block_due: datetime | None = fixed(MOMENT, 18, None)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    pin: str | None = named("AD")
    item: str | None = named("AB")
    title: str | None = named("AJ")
    terminal_password: str | None = named("AC")
    item_properties: str | None = named("CH", open=True)
    fee_accepted: bool | None = named("BO", YES_NO, open=True)


@message("30")
class RenewAnswer(CheckoutAnswer):
    """30: as 12."""


@message("17", answer="18", repeatable=True)
class ItemInformation(Message):
    """17: what is known of an item?"""

    date: datetime | None = fixed(MOMENT, 18)
    institution: str = named("AO", required=True, open=True)
    item: str = named("AB", required=True)
    terminal_password: str | None = named("AC")


AVAILABLE, CHARGED = 3, 4
"""Two of the values of ``circulation``."""


@message("18")
class ItemInformationAnswer(Message):
    """18. ``circulation``: 1 other, 2 on order, 3 available, 4 and 5 charged, 6 in process, 7 recalled, 8 on the hold
    shelf, 9 to be shelved, 10 in transit, 11 claimed returned, 12 lost, 13 missing.
    """

    circulation: int | None = fixed(number(2), 2)
    security_marker: str = fixed(characters(2), 2)
    fee_type: str = fixed(characters(2), 2)
    date: datetime | None = fixed(MOMENT, 18)
    item: str = named("AB", required=True)
    title: str = named("AJ", required=True)
    hold_queue: str | None = named("CF", open=True)
    due: str | None = named("AH", open=True)
    recall_date: str | None = named("CJ", open=True)
    pickup_date: str | None = named("CM", open=True)
    owner: str | None = named("BG", open=True)
    currency: str | None = named("BH", open=True)
    fee: Decimal | None = named("BV", AMOUNT)
    media_type: str | None = named("CK", open=True)
    permanent_location: str | None = named("AQ", open=True)
    location: str | None = named("AP", open=True)
    item_properties: str | None = named("CH", open=True)
    screen: tuple[str, ...] = named("AF", repeated=True)
    print: tuple[str, ...] = named("AG", repeated=True)


@message("37", answer="38")
class FeePaid(Message):
    """37: a fee was paid at the terminal. ``fee_type`` 04 overdue, ``payment_type`` 00 cash."""

    date: datetime | None = fixed(MOMENT, 18)
    fee_type: str = fixed(characters(2), 2, "01")
    payment_type: str = fixed(characters(2), 2, "00")
    currency: str = fixed(characters(3), 3, "CNY")
    amount: Decimal | None = named("BV", AMOUNT, required=True)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    terminal_password: str | None = named("AC")
    pin: str | None = named("AD")
    fee: str | None = named("CG", open=True)
    transaction: str | None = named("BK", open=True)


@message("38")
class FeePaidAnswer(Message):
    """38."""

    accepted: bool | None = fixed(YES_NO, 1)
    date: datetime | None = fixed(MOMENT, 18)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    transaction: str | None = named("BK", open=True)
    screen: tuple[str, ...] = named("AF", repeated=True)
    print: tuple[str, ...] = named("AG", repeated=True)
