"""Checks 1 to 9: may this card ride here at all, whatever the ride."""

from datetime import date

from juying.card.tunion import TransitCard
from juying.codec.tunion.files import DISABLED, ENABLED, PURSE_TYPE, STOPPED
from juying.codec.tunion.names import KINDS
from juying.services.transit.checking import Step, failed, passed, skipped, unknown
from juying.services.transit.lists import Listed
from juying.services.transit.site import Site
from juying.services.verdict import Check

ISSUER = 8
"""Digits of an issuer's code that count; the rest of the field is filled with F."""


def is_local(card: TransitCard, site: Site | None) -> bool | None:
    """Whether the card was issued here; None when that cannot be said."""
    issuer = card.issuer_code[:ISSUER]
    return None if site is None or len(issuer) < ISSUER else issuer in site.issuers


def check_card(card: TransitCard, site: Site | None, today: date) -> list[Check]:
    """The first nine checks; without a ``site`` those that need none. ``today`` is the day in China."""
    local = is_local(card, site)
    return [
        _application(card),
        _enabled(card),
        _type(card),
        _validity(card, today),
        _origin(card, site, local),
        _white_list(card, site, local),
        _interoperable(card, site, local),
        _kind(card, local),
        _black_list(card, site, local),
    ]


def _application(card: TransitCard) -> Check:
    if card.blocked:
        return failed(Step.APPLICATION, "6283", "交通应用已锁定（黑名单卡）", "the application is locked")
    return passed(Step.APPLICATION, "是交通联合卡", "a T-Union card")


def _enabled(card: TransitCard) -> Check:
    if card.enabled_flag is None:
        return _unread(Step.ENABLED)
    wrong = failed(Step.ENABLED, "flag-unknown", "启用标识无效", "the enabled flag makes no sense")
    return _FLAGS.get(card.enabled_flag, wrong)


_FLAGS = {
    DISABLED: failed(Step.ENABLED, "not-enabled", "未启用，请到柜台启用", "not enabled; a counter can do that"),
    ENABLED: passed(Step.ENABLED, "已启用", "enabled"),
    STOPPED: failed(Step.ENABLED, "stopped", "已停用", "stopped"),
}


def _type(card: TransitCard) -> Check:
    if card.app_type is None:
        return _unread(Step.TYPE)
    if card.app_type != PURSE_TYPE:
        return failed(Step.TYPE, "wrong-type", "应用类型不是电子钱包", "the application is no purse")
    return passed(Step.TYPE, "电子钱包", "a purse")


def _validity(card: TransitCard, today: date) -> Check:
    if card.public is None:
        return _unread(Step.VALIDITY)
    start, end = card.valid_from, card.valid_until
    if start is None or end is None or start > end:
        return failed(Step.VALIDITY, "dates-implausible", "卡内有效期无效", "the dates on the card make no sense")
    if today < start:
        return failed(Step.VALIDITY, "not-yet", f"未到启用日期 {start}", f"not valid before {start}")
    if today > end:
        return failed(
            Step.VALIDITY,
            "expired",
            f"已于 {end} 过期；有的城市充值后可延期",
            f"expired on {end}; in some cities a top-up extends it",
        )
    return passed(Step.VALIDITY, f"有效期至 {end}", f"valid until {end}")


def _origin(card: TransitCard, site: Site | None, local: bool | None) -> Check:
    if local is None:
        if site is None:
            return unknown(
                Step.ORIGIN,
                "no-site",
                "没有配置本站（[transit]），无法区分本地卡和异地卡",
                "no site is configured ([transit]): local and foreign cards cannot be told apart",
            )
        return _unread(Step.ORIGIN)
    if local:
        return passed(Step.ORIGIN, "本地卡", "a local card", "local")
    return passed(Step.ORIGIN, "异地卡", "a card from elsewhere", "foreign")


def _white_list(card: TransitCard, site: Site | None, local: bool | None) -> Check:
    if local:
        return skipped(Step.WHITE_LIST, "local", "本地卡不查白名单", "not for local cards")
    if site is None or site.white_list is None:
        return unknown(
            Step.WHITE_LIST,
            "no-list",
            "没有提供业务白名单，无法判定异地卡",
            "no white list was supplied: nothing can be said of a card from elsewhere",
        )
    if local is None:
        return _unread(Step.WHITE_LIST)
    match site.white_list.look_up(card.issuer_code[:ISSUER], card.iin):
        case Listed.NO_ISSUER:
            return failed(Step.WHITE_LIST, "2449", "发卡机构不在白名单", "the issuer is not on the white list")
        case Listed.NO_IIN:
            return failed(
                Step.WHITE_LIST,
                "5469",
                "卡 IIN 与白名单不符",
                "the white list has other IINs for the issuer",
            )
    return passed(Step.WHITE_LIST, "在白名单内", "on the white list")


def _interoperable(card: TransitCard, site: Site | None, local: bool | None) -> Check:
    if local and site is not None and not site.interoperable_only:
        return skipped(Step.INTEROPERABLE, "local", "本地卡不要求互通", "not asked of local cards")
    if card.interoperable is None:
        return _unread(Step.INTEROPERABLE)
    if not card.interoperable:
        return failed(Step.INTEROPERABLE, "not-interoperable", "非互通卡", "the card is for its own city only")
    return passed(Step.INTEROPERABLE, "互通卡", "interoperable")


def _kind(card: TransitCard, local: bool | None) -> Check:
    if local:
        return skipped(Step.KIND, "local", "本地卡种由票价规则决定", "the fare policy knows the kinds of local cards")
    if card.kind is None:
        return _unread(Step.KIND)
    if card.kind not in KINDS:
        return failed(Step.KIND, "kind-unknown", "不接受此卡种", "cards of this kind are not accepted")
    kind = KINDS[card.kind]
    return passed(Step.KIND, kind.zh, kind.en)


def _black_list(card: TransitCard, site: Site | None, local: bool | None) -> Check:
    if site is None or site.black_list is None:
        return skipped(Step.BLACK_LIST, "no-list", "没有提供黑名单", "no black list was supplied")
    if local is False and not site.black_list_foreign:
        return skipped(Step.BLACK_LIST, "foreign", "本站不对异地卡查黑名单", "not asked of foreign cards here")
    if not card.card_number:
        return _unread(Step.BLACK_LIST)
    if card.card_number in site.black_list:
        return failed(Step.BLACK_LIST, "black-listed", "黑名单卡", "the card is on the black list")
    return passed(Step.BLACK_LIST, "不在黑名单", "not on the black list")


def _unread(step: Step) -> Check:
    return unknown(step, "not-read", "卡片没有给出此项", "the card did not tell")
