"""The messages of SIP 2.00 about terminal and reader, as types; those about items are in ``items``.

Fixed fields stand in the order of the message, then the named ones in the order in which we write them. A named field
that is None was not in the message; one that is required is always written. Fields that the table does not know are
kept in ``extra``. Times without a zone are local times of the library.

Contents that could be somebody's do not appear in ``repr``.
"""

from datetime import datetime
from decimal import Decimal

from juying.services.library.kinds import (
    AMOUNT,
    LIMIT,
    MOMENT,
    OK,
    STATUS,
    SUMMARY,
    SUPPORTED_MESSAGES,
    YES_NO,
    characters,
    number,
)
from juying.services.library.layout import Message, fixed, message, named
from juying.services.library.patron import Flag, Summary

_WORD = characters(3)
_VERSION = characters(4)


@message("93", answer="94", repeatable=True)
class Login(Message):
    """93: the terminal gives its account."""

    login_algorithm: str = fixed(characters(1), 1, "0")
    password_algorithm: str = fixed(characters(1), 1, "0")
    login: str = named("CN", required=True)
    password: str = named("CO", required=True)
    location: str | None = named("CP")


@message("94")
class LoginAnswer(Message):
    """94."""

    ok: bool | None = fixed(OK, 1)


@message("99", answer="98", repeatable=True)
class TerminalStatus(Message):
    """99: how the terminal is, and how is the system? ``status``: 0 fine, 1 out of paper, 2 shutting down."""

    status: int = fixed(number(1), 1, 0)
    print_width: int = fixed(number(3), 3, 80)
    version: str = fixed(_VERSION, 4, "2.00")


@message("98")
class SystemStatus(Message):
    """98. ``timeout`` in tenths of a second: 0 the system is not on line, 999 unknown; ``retries`` 999 unknown."""

    online: bool | None = fixed(YES_NO, 1)
    checkin_ok: bool | None = fixed(YES_NO, 1)
    checkout_ok: bool | None = fixed(YES_NO, 1)
    renewal_policy: bool | None = fixed(YES_NO, 1)
    status_update_ok: bool | None = fixed(YES_NO, 1)
    offline_ok: bool | None = fixed(YES_NO, 1)
    timeout: int | None = fixed(number(3), 3)
    retries: int | None = fixed(number(3), 3)
    time: datetime | None = fixed(MOMENT, 18)
    version: str = fixed(_VERSION, 4)
    institution: str = named("AO", required=True, open=True)
    library: str | None = named("AM", open=True)
    supported: frozenset[str] = named("BX", SUPPORTED_MESSAGES, required=True, open=True)
    location: str | None = named("AN", open=True)
    screen: tuple[str, ...] = named("AF", repeated=True)
    print: tuple[str, ...] = named("AG", repeated=True)


@message("23", answer="24", repeatable=True)
class PatronStatus(Message):
    """23: the short question about a reader."""

    language: str = fixed(_WORD, 3, "019")
    date: datetime | None = fixed(MOMENT, 18)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    terminal_password: str = named("AC", required=True)
    pin: str = named("AD", required=True)


@message("24")
class PatronStatusAnswer(Message):
    """24."""

    status: frozenset[Flag] = fixed(STATUS, 14)
    language: str = fixed(_WORD, 3)
    date: datetime | None = fixed(MOMENT, 18)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    name: str = named("AE", required=True)
    valid: bool | None = named("BL", YES_NO, open=True)
    pin_valid: bool | None = named("CQ", YES_NO, open=True)
    currency: str | None = named("BH", open=True)
    fee: Decimal | None = named("BV", AMOUNT)
    screen: tuple[str, ...] = named("AF", repeated=True)
    print: tuple[str, ...] = named("AG", repeated=True)


@message("63", answer="64", repeatable=True)
class PatronInformation(Message):
    """63: the long question about a reader; ``start`` and ``end`` (from 1, inclusive) are the part of the list asked
    for by ``summary``.
    """

    language: str = fixed(_WORD, 3, "019")
    date: datetime | None = fixed(MOMENT, 18)
    summary: Summary | None = fixed(SUMMARY, 10, None)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    terminal_password: str | None = named("AC")
    pin: str | None = named("AD")
    start: str | None = named("BP", open=True)
    end: str | None = named("BQ", open=True)


@message("64")
class PatronInformationAnswer(Message):
    """64. The limits are None where the system names none."""

    status: frozenset[Flag] = fixed(STATUS, 14)
    language: str = fixed(_WORD, 3)
    date: datetime | None = fixed(MOMENT, 18)
    holds: int | None = fixed(LIMIT, 4)
    overdue: int | None = fixed(LIMIT, 4)
    charged: int | None = fixed(LIMIT, 4)
    fines: int | None = fixed(LIMIT, 4)
    recalls: int | None = fixed(LIMIT, 4)
    unavailable: int | None = fixed(LIMIT, 4)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    name: str = named("AE", required=True)
    hold_limit: int | None = named("BZ", LIMIT, open=True)
    overdue_limit: int | None = named("CA", LIMIT, open=True)
    charged_limit: int | None = named("CB", LIMIT, open=True)
    valid: bool | None = named("BL", YES_NO, open=True)
    pin_valid: bool | None = named("CQ", YES_NO, open=True)
    currency: str | None = named("BH", open=True)
    fee: Decimal | None = named("BV", AMOUNT)
    fee_limit: Decimal | None = named("CC", AMOUNT, open=True)
    hold_items: tuple[str, ...] = named("AS", repeated=True)
    overdue_items: tuple[str, ...] = named("AT", repeated=True)
    charged_items: tuple[str, ...] = named("AU", repeated=True)
    fine_items: tuple[str, ...] = named("AV", repeated=True)
    recall_items: tuple[str, ...] = named("BU", repeated=True)
    unavailable_items: tuple[str, ...] = named("CD", repeated=True)
    address: str | None = named("BD")
    email: str | None = named("BE")
    phone: str | None = named("BF")
    screen: tuple[str, ...] = named("AF", repeated=True)
    print: tuple[str, ...] = named("AG", repeated=True)


@message("35", answer="36", repeatable=True)
class EndSession(Message):
    """35: the reader is done."""

    date: datetime | None = fixed(MOMENT, 18)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    terminal_password: str | None = named("AC")
    pin: str | None = named("AD")


@message("36")
class EndSessionAnswer(Message):
    """36."""

    ended: bool | None = fixed(YES_NO, 1)
    date: datetime | None = fixed(MOMENT, 18)
    institution: str = named("AO", required=True, open=True)
    reader: str = named("AA", required=True)
    screen: tuple[str, ...] = named("AF", repeated=True)
    print: tuple[str, ...] = named("AG", repeated=True)


@message("97")
class ResendAnswer(Message):
    """97: the terminal asks for the last answer again."""


@message("96")
class ResendRequest(Message):
    """96: the system asks for the last request again."""
