"""Making checks: the sixteen of a gate by name, and short ways to write down their outcome."""

from enum import StrEnum

from juying.services.verdict import Check, Outcome
from juying.text import Text


class Step(StrEnum):
    """The checks of a gate, in the order in which field programs make them."""

    APPLICATION = "application"
    ENABLED = "enabled"
    TYPE = "type"
    VALIDITY = "validity"
    ORIGIN = "origin"
    WHITE_LIST = "white-list"
    INTEROPERABLE = "interoperable"
    KIND = "kind"
    BLACK_LIST = "black-list"
    ORDER = "order"
    RECORD = "record"
    TRIP = "trip"
    BALANCE = "balance"
    PLAUSIBILITY = "plausibility"
    PURCHASE = "purchase"
    FARE = "fare"


def passed(step: Step, zh: str, en: str, code: str = "ok") -> Check:
    """The check was made, and is no obstacle."""
    return Check(step, Outcome.PASS, code, Text(zh, en))


def failed(step: Step, code: str, zh: str, en: str) -> Check:
    """The check was made, and denies."""
    return Check(step, Outcome.FAIL, code, Text(zh, en))


def unknown(step: Step, code: str, zh: str, en: str) -> Check:
    """The check would have to be made and cannot be."""
    return Check(step, Outcome.UNKNOWN, code, Text(zh, en))


def skipped(step: Step, code: str, zh: str, en: str) -> Check:
    """The check has nothing to do with this card or this site."""
    return Check(step, Outcome.SKIPPED, code, Text(zh, en))
