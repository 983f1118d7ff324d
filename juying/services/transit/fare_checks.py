"""Checks 13, 14 and 16: what the tap costs, and whether the card has it."""

from dataclasses import dataclass

from juying.card.tunion import TransitCard
from juying.codec.tunion.names import KINDS
from juying.services.transit.checking import Step, failed, passed, skipped, unknown
from juying.services.transit.fares import FarePolicy, part
from juying.services.transit.ride_checks import Action, Journey
from juying.services.transit.site import MAX_BALANCE, MAX_FARE, Mode, Overdraft, Site
from juying.services.verdict import Check
from juying.text import Text


@dataclass(frozen=True, slots=True)
class Price:
    """What a tap costs, in fen; None where nobody can say.

    ``fare`` is taken now, ``needed`` has to be there, ``marked`` is what the ride costs if it is never ended. ``free``
    says that this kind of card pays nothing.
    """

    check: Check
    fare: int | None = None
    needed: int | None = None
    marked: int | None = None
    free: bool = False


def price(card: TransitCard, site: Site | None, journey: Journey, *, local: bool | None) -> Price:
    """Check 16: the fare for this kind of card."""
    if journey.action is Action.PENALTY and journey.ride is not None:
        return _penalty(journey.ride.marked_fen)
    if site is None or site.fares is None:
        return Price(skipped(Step.FARE, "no-policy", "没有提供票价规则", "no fare policy was supplied"))
    if card.kind is None or local is None:
        return Price(unknown(Step.FARE, "not-read", "卡种无法读出", "the card did not tell its kind"))
    percent = site.fares.percent(card.kind, local=local)
    if percent is None:
        return Price(failed(Step.FARE, "kind-forbidden", "此卡种不可乘坐", "cards of this kind may not ride"))
    return _fare(site, site.fares, journey, card.kind, percent)


def _penalty(marked: int | None) -> Price:
    if marked is None:
        return Price(unknown(Step.FARE, "not-marked", "补票金额无法读出", "the marked amount cannot be read"))
    text = f"补票 {yuan(marked)} 元", f"a penalty fare of {yuan(marked)} yuan"
    return Price(passed(Step.FARE, *text, "penalty"), fare=marked, needed=marked)


def _fare(site: Site, policy: FarePolicy, journey: Journey, kind: int, percent: int) -> Price:
    match journey.action:
        case Action.ENTRY:
            full = policy.full
        case Action.FLAT:
            full = policy.flat
        case _:
            full = policy.distance(journey.ride.start.stop if journey.ride else "", site.stop)
    if full is None:
        text = "票价规则中没有此行程的票价", "the fare policy has no fare for this ride"
        return Price(unknown(Step.FARE, "no-fare", *text))
    due, free = part(full, percent), not percent
    if journey.action is not Action.ENTRY:
        return Price(_said(kind, percent, f"扣 {yuan(due)} 元", f"{yuan(due)} yuan"), due, due, free=free)
    needed = due if site.mode is Mode.BUS_DISTANCE else part(policy.minimum or 0, percent)
    said = _said(kind, percent, f"至多 {yuan(due)} 元，离开时扣", f"at most {yuan(due)} yuan, when leaving")
    return Price(said, 0, 0 if free else max(needed, 1), due, free)


def _said(kind: int, percent: int, zh: str, en: str) -> Check:
    name = KINDS.get(kind, Text(f"卡种 {kind:02X}", f"kind {kind:02X}"))
    if not percent:
        return passed(Step.FARE, f"{name.zh}：免费", f"{name.en}: free", "free")
    rule = Text("全价", "the whole fare") if percent == 100 else Text(f"票价的 {percent}%", f"{percent} % of the fare")
    text = f"{name.zh}：{rule.zh}，{zh}", f"{name.en}: {rule.en}, {en}"
    return passed(Step.FARE, *text, "normal" if percent == 100 else "discount")


def check_balance(card: TransitCard, site: Site | None, journey: Journey, price: Price) -> Check:
    """Check 13: without a fare it is enough that there is something."""
    if card.balance_fen is None:
        return unknown(Step.BALANCE, "not-read", "余额无法读出", "the card did not tell its balance")
    if price.needed == 0:
        return passed(Step.BALANCE, "无须付费", "nothing is due", "nothing-due")
    money = card.balance_fen
    leaving = journey.action in (Action.EXIT, Action.PENALTY)
    if site and (site.overdraft is Overdraft.ALWAYS or (site.overdraft is Overdraft.LEAVING and leaving)):
        money += card.overdraft_limit_fen or 0
    if money <= 0:
        return failed(Step.BALANCE, "2731", "余额为零，请充值", "there is no money on the card; top it up")
    if price.needed is None:
        return passed(Step.BALANCE, "有余额（票价未知）", "there is money; the fare is not known", "positive")
    if money < price.needed:
        text = f"余额不足，须有 {yuan(price.needed)} 元", f"not enough money: {yuan(price.needed)} yuan are needed"
        return failed(Step.BALANCE, "insufficient", *text)
    return passed(Step.BALANCE, f"余额不少于 {yuan(price.needed)} 元", f"there are {yuan(price.needed)} yuan or more")


def check_plausibility(card: TransitCard, site: Site | None, journey: Journey, price: Price) -> Check:
    """Check 14: amounts that no fare and no card has."""
    most, highest = (site.max_fare, site.max_balance) if site else (MAX_FARE, MAX_BALANCE)
    least = 0 if price.free or journey.action in (Action.ENTRY, Action.PENALTY) else 1
    if card.balance_fen is not None and card.balance_fen > highest:
        text = f"余额超过 {yuan(highest)} 元", f"the balance exceeds {yuan(highest)} yuan"
        return failed(Step.PLAUSIBILITY, "balance", *text)
    if (price.fare is not None and not least <= price.fare <= most) or (price.marked or 0) > most:
        text = f"票价须为 {yuan(least)} 至 {yuan(most)} 元", f"a fare is {yuan(least)} – {yuan(most)} yuan"
        return failed(Step.PLAUSIBILITY, "fare", *text)
    if card.balance_fen is None:
        return unknown(Step.PLAUSIBILITY, "not-read", "余额无法读出", "the card did not tell its balance")
    return passed(Step.PLAUSIBILITY, "金额合理", "the amounts make sense")


def yuan(fen: int) -> str:
    """An amount as people write it: 2.00."""
    return f"{fen // 100}.{fen % 100:02}"
