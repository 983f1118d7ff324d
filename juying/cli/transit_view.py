"""The transit application of a card, for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from juying.cli.output import console, print_fields
from juying.text import Text

if TYPE_CHECKING:
    from juying.card.tunion import TransitCard
    from juying.card.tunion_trips import Trip

_KINDS = {
    "in": Text("进站", "in"),
    "out": Text("出站", "out"),
    "single": Text("单次", "single"),
    "penalty": Text("补票", "penalty"),
    "load": Text("充值", "load"),
    "unload": Text("圈提", "unload"),
    "purchase": Text("消费", "purchase"),
    "other": Text("其他", "other"),
}


def show_transit(card: "TransitCard") -> None:
    """Tables of the card and of its trips, then what could not be read."""
    from rich.markup import escape

    print_fields(Text("交通联合", "China T-Union"), _fields(card))
    if card.trips:
        print_fields(Text("行程", "trips"), map(_trip, card.trips))
    screen = console()
    for problem in card.problems:
        screen.print(f"[yellow]{escape(problem.where)}：{escape(str(problem.text))}[/]")


def _fields(card: "TransitCard") -> Iterator[tuple[Text, Text | str]]:
    from juying.codec.tunion.names import ENABLED, KINDS

    yield Text("交通卡号", "transit card number"), card.card_number
    yield Text("发卡机构", "issuer"), card.issuer_code
    yield Text("城市代码", "city"), card.city_code
    if card.interoperable is not None:
        yield Text("互联互通", "interoperable"), Text("是", "yes") if card.interoperable else Text("否", "no")
    if card.kind is not None:
        yield Text("卡种", "kind"), KINDS.get(card.kind, Text(f"{card.kind:02X}", f"{card.kind:02X}"))
    if card.enabled_flag is not None:
        flag = card.enabled_flag
        yield Text("启用", "enabled"), ENABLED.get(flag, Text(f"{flag:02X}", f"{flag:02X}"))
    yield Text("有效期", "valid"), f"{card.valid_from or '?'} – {card.valid_until or '?'}"
    if card.balance_fen is not None:
        yield Text("余额", "balance"), money(card.balance_fen)
    if card.open_trip is not None:
        yield Text("未完成的行程", "open trip"), str(card.open_trip.start.at or "?")


def _trip(trip: "Trip") -> tuple[Text, Text]:
    from juying.codec.tunion.names import INDUSTRIES, name

    when = f"{trip.at:%Y-%m-%d %H:%M}" if trip.at else "?"
    kind = _KINDS[trip.kind]
    industry = name(INDUSTRIES, trip.industry)
    amount = "?" if trip.amount_fen is None else money(trip.amount_fen)
    zh, en = f"{kind.zh} {industry.zh}".strip(), f"{kind.en} {industry.en}".strip()
    return Text(when, amount), Text(zh, en)


def money(fen: int) -> str:
    """An amount in yuan: ¥12.34."""
    return f"{'-' if fen < 0 else ''}¥{abs(fen) // 100}.{abs(fen) % 100:02}"
