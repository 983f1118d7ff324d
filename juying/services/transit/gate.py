"""The decision of a gate: the sixteen checks over a transit card that was read, without a network.

The order is that of validators in the field. An offline reader can say "eligible" only as far as its operator gave it
what it needs: of a card from another city nothing can be said without a white list, and without a site nobody knows
which city is another one. Check 15, the purchase itself, is made by `juying.services.transit.tap`.
"""

from dataclasses import dataclass
from datetime import datetime

from juying.card.tunion import TransitCard
from juying.codec.tunion.names import KINDS
from juying.codec.tunion.trips import Ride
from juying.credential.claims import CHINA
from juying.services.transit.card_checks import check_card, is_local
from juying.services.transit.checking import Step, skipped
from juying.services.transit.cities import cities
from juying.services.transit.fare_checks import check_balance, check_plausibility, price
from juying.services.transit.ride_checks import Action, check_journey
from juying.services.transit.site import Mode, Site
from juying.services.verdict import Verdict

SERVICE = "transit"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a gate says of a card, and what a tap would do.

    ``action`` is None without a site. ``fare_fen`` would be taken now, ``marked_fen`` be marked for a ride that is
    never ended; None where it is not known. ``ride`` is the record that the card has of it.
    """

    verdict: Verdict
    action: Action | None
    fare_fen: int | None
    marked_fen: int | None
    ride: Ride | None


def china_time(now: datetime) -> datetime:
    """``now`` (with a time zone) as terminals and cards write it: naive, in whole seconds."""
    return now.astimezone(CHINA).replace(tzinfo=None, microsecond=0)


def opens(action: Action | None, mode: Mode) -> bool:
    """Whether the gate opens after this: who paid a penalty to get in has to tap again."""
    return action is not None and (action is not Action.PENALTY or mode is Mode.RAIL_EXIT)


def rule(card: TransitCard, site: Site | None, *, now: datetime) -> Ruling:
    """Make all checks, at ``now`` (with a time zone); without a ``site`` those that need none."""
    moment, local = china_time(now), is_local(card, site)
    journey = check_journey(card, site, moment)
    cost = price(card, site, journey, local=local)
    checks = [
        *check_card(card, site, moment.date()),
        *journey.checks,
        check_balance(card, site, journey, cost),
        check_plausibility(card, site, journey, cost),
        skipped(Step.PURCHASE, "not-tried", "只判定，不扣款", "nothing is taken off the card"),
        cost.check,
    ]
    evidence = {
        **_evidence(card),
        "action": journey.action and str(journey.action),
        "fare_fen": cost.fare,
        "balance_fen": card.balance_fen,
    }
    verdict = Verdict.of(site.name if site else SERVICE, checks, evidence=evidence, now=now)
    return Ruling(verdict, journey.action, cost.fare, cost.marked, journey.ride)


def _evidence(card: TransitCard) -> dict[str, object]:
    """What the decision rests on, without the number of the card."""
    city = cities().get(card.city_code)
    kind = KINDS.get(card.kind) if card.kind is not None else None
    return {
        "city": card.city_code,
        "city_name": city.name._asdict() if city else None,
        "kind": kind.en if kind else card.kind,
    }
