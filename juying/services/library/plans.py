"""What a terminal wants of a library, as plans: the requests of a site, and how a lost answer is made up for.

Each function gives a plan that `juying.services.library.client` or `juying.services.library.async_client` runs.
"""

from decimal import Decimal

from juying.errors import FieldError
from juying.services.library.codec import Received
from juying.services.library.items import (
    AVAILABLE,
    Checkin,
    CheckinAnswer,
    Checkout,
    CheckoutAnswer,
    FeePaid,
    FeePaidAnswer,
    ItemInformation,
    ItemInformationAnswer,
    Renew,
)
from juying.services.library.kinds import this_second
from juying.services.library.messages import (
    EndSession,
    PatronInformation,
    PatronInformationAnswer,
    PatronStatus,
    TerminalStatus,
)
from juying.services.library.patron import Summary
from juying.services.library.session import Done, Inquiry, Plan, Transaction, question, reader_question, transaction
from juying.services.library.site import Site
from juying.text import Text

MANY = "9999"
"""The end of a list of which all is wanted."""

_LENT = (4, 5, 7)
"""Values of ``circulation`` for what somebody has: charged, charged and not to be recalled yet, recalled."""
_BACK = (AVAILABLE, 8, 9, 10)
"""Those for what the library has: available, on the hold shelf, to be shelved, in transit."""


def status() -> Plan[Received]:
    """99: how is the system?"""
    return question(TerminalStatus())


def reader(site: Site, number: str, pin: str | None = None) -> Plan[Received]:
    """May this reader borrow? 63 with blank summary, or 23."""
    check_number(number, "reader")

    def short() -> PatronStatus:
        return PatronStatus(
            language=site.language,
            date=this_second(),
            institution=site.institution,
            reader=number,
            terminal_password=site.terminal_password,
            pin=pin or "",
        )

    return reader_question(_information(site, number, pin, None), short, site.question)


def patron_information(
    site: Site, number: str, pin: str | None = None, summary: Summary | None = None
) -> Plan[Received]:
    """63, with one of the lists."""
    check_number(number, "reader")
    return question(_information(site, number, pin, summary))


def item_information(site: Site, item: str) -> Plan[Received]:
    """17: what is known of an item?"""
    check_number(item, "item")
    return question(_item(site, item))


def end_session(site: Site, number: str, pin: str | None = None) -> Plan[Received]:
    """35: the reader is done."""
    check_number(number, "reader")
    return question(
        EndSession(
            date=this_second(),
            institution=site.institution,
            reader=number,
            terminal_password=_or_empty(site.terminal_password, site),
            pin=_or_empty(pin, site),
        )
    )


def checkout(
    site: Site, number: str, item: str, pin: str | None = None, *, fee_accepted: bool | None = None
) -> Plan[Transaction]:
    """11: lend an item. If the answer is lost, the reader's loans and the item tell."""
    check_number(number, "reader")
    check_number(item, "item")
    request = Checkout(
        renewal_policy=False,  # a second loan of the same item is no renewal
        date=this_second(),
        institution=site.institution,
        reader=number,
        item=item,
        terminal_password=site.terminal_password,
        pin=_or_empty(pin, site),
        fee_accepted=fee_accepted,
    )

    def lent(_: object, told: PatronInformationAnswer) -> Done:
        if any(each == item or each.endswith(f".{item}") for each in told.charged_items):
            return Done.DONE
        # Some systems list titles, or nothing but the count: then a missing number says nothing.
        return Done.NOT_DONE if told.charged == 0 else Done.UNKNOWN

    def still_here(_: object, told: ItemInformationAnswer) -> Done:
        return Done.NOT_DONE if told.circulation in _BACK else Done.UNKNOWN

    loans = Inquiry(_information(site, number, pin, Summary.CHARGED), lent)
    return transaction(request, _ok, [loans, Inquiry(_item(site, item), still_here)])


def checkin(site: Site, item: str) -> Plan[Transaction]:
    """09: take an item back. If the answer is lost, what is known of the item tells."""
    check_number(item, "item")
    now = this_second()
    request = Checkin(
        date=now,
        returned=now,
        location=site.location,
        institution=site.institution,
        item=item,
        terminal_password=site.terminal_password,
    )

    def returned(_: object, told: ItemInformationAnswer) -> Done:
        if told.circulation in _BACK:
            return Done.DONE
        return Done.NOT_DONE if told.circulation in _LENT else Done.UNKNOWN

    return transaction(request, _ok, [Inquiry(_item(site, item), returned)])


def renew(site: Site, number: str, item: str, pin: str | None = None) -> Plan[Transaction]:
    """29: keep an item for longer. Its due date is asked before; if the answer is lost, another one now tells."""
    check_number(number, "reader")
    check_number(item, "item")
    request = Renew(
        date=this_second(),
        institution=site.institution,
        reader=number,
        pin=_or_empty(pin, site),
        item=item,
        terminal_password=_or_empty(site.terminal_password, site),
    )

    def renewed(before: ItemInformationAnswer | None, after: ItemInformationAnswer) -> Done:
        if before is None or not before.due or not after.due:
            return Done.UNKNOWN
        return Done.DONE if before.due != after.due else Done.NOT_DONE

    asked = _item(site, item)
    return transaction(request, _ok, [Inquiry(asked, renewed)], before=asked)


def pay(
    site: Site,
    number: str,
    amount: Decimal,
    pin: str | None = None,
    *,
    fee: str | None = None,
) -> Plan[Transaction]:
    """37: a fee was paid. What is owed is asked before; if the answer is lost, the difference tells."""
    check_number(number, "reader")
    request = FeePaid(
        date=this_second(),
        currency=site.policy.currency,
        amount=amount,
        institution=site.institution,
        reader=number,
        terminal_password=_or_empty(site.terminal_password, site),
        pin=_or_empty(pin, site),
        fee=fee,
    )

    def paid(before: PatronInformationAnswer | None, after: PatronInformationAnswer) -> Done:
        if before is None or before.fee is None or after.fee is None:
            return Done.UNKNOWN
        less = abs(before.fee) - abs(after.fee)  # a debt is positive or negative, as the system likes
        return Done.DONE if less == amount else Done.NOT_DONE if not less else Done.UNKNOWN

    asked = _information(site, number, pin, None)
    return transaction(request, _accepted, [Inquiry(asked, paid)], before=asked)


def _ok(answer: CheckoutAnswer | CheckinAnswer) -> bool | None:
    return answer.ok


def _accepted(answer: FeePaidAnswer) -> bool | None:
    return answer.accepted


def _information(site: Site, number: str, pin: str | None, summary: Summary | None) -> PatronInformation:
    return PatronInformation(
        language=site.language,
        date=this_second(),
        summary=summary,
        institution=site.institution,
        reader=number,
        terminal_password=_or_empty(site.terminal_password, site),
        pin=_or_empty(pin, site),
        start="1" if summary else None,
        end=MANY if summary else None,
    )


def _item(site: Site, item: str) -> ItemInformation:
    return ItemInformation(
        date=this_second(),
        institution=site.institution,
        item=item,
        terminal_password=_or_empty(site.terminal_password, site),
    )


def _or_empty(value: str | None, site: Site) -> str | None:
    """An optional field without content: there, but empty, unless the site does not want it."""
    return value or ("" if site.send_empty else None)


def check_number(number: str, name: str) -> None:
    """Raise `FieldError` for a number that systems are known to garble: it has to be printable ASCII."""
    if not number or not number.isascii() or not number.isprintable() or "|" in number:
        raise FieldError(
            name,
            Text("为空或含有非 ASCII 字符", "is empty or has characters beyond ASCII"),
            Text("读者号和条码只用可打印 ASCII", "numbers of readers and items are printable ASCII"),
        )
