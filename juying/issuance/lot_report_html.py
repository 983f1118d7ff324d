"""The report on a lot as one HTML page without a script: on a screen in the light or the dark, and on paper."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from juying.credential.claims import CHINA
from juying.issuance.lot_figures import LotReport, OrderLine, Outcome
from juying.issuance.rate_plot import draw_rate
from juying.ledger.states import OrderKind, OrderState
from juying.text import Text

MOST_LINES = 200
"""Orders that the page lists one by one; the other formats list all."""

_COLOURS = {
    Outcome.ISSUED: "done",
    Outcome.UNDER_WAY: "busy",
    Outcome.WAITING: "waiting",
    Outcome.FAILED: "failed",
    Outcome.SUSPENDED: "held",
    Outcome.REPLACED: "gone",
    Outcome.CANCELLED: "gone",
}
_NOTHING = "–"

_STYLE = """
:root{color-scheme:light dark;--page:#f4f1ea;--paper:#fff;--ink:#1b2a33;--soft:#5d6b74;--rule:#e3ded2;--band:#0f4a5b;
--on-band:#fff;--done:#1f7a8c;--failed:#c2452d;--busy:#d99a2b;--waiting:#b9c3c9;--held:#8266a8;--gone:#8d969c}
@media(prefers-color-scheme:dark){:root{--page:#12181c;--paper:#1b2328;--ink:#e6eaec;--soft:#9aa7af;--rule:#2e3a41;
--band:#0c3542;--done:#4fb3c6;--failed:#ea7459;--busy:#e8b355;--waiting:#55636c;--held:#ab92d1;--gone:#6c777e}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,"Noto Sans CJK SC","Source Han Sans SC",
"PingFang SC","Microsoft YaHei","WenQuanYi Micro Hei",sans-serif;font-variant-numeric:tabular-nums}
header{background:var(--band);color:var(--on-band);padding:26px 0 22px}
header .kind{opacity:.8;font-size:14px}
h1{margin:2px 0 0;font-size:28px;line-height:1.25;overflow-wrap:anywhere}
.wide{max-width:1040px;margin:0 auto;padding:0 24px}
section{background:var(--paper);border:1px solid var(--rule);border-radius:10px;padding:18px 22px 20px;margin:18px 0}
h2{font-size:17px;margin:0 0 12px}
small,.en,h2 small,th small{color:var(--soft);font-weight:400;font-size:.82em}
header .en{color:inherit;opacity:.75}
.tiles{display:grid;grid-template-columns:repeat(6,1fr);gap:12px;margin-bottom:18px}
.tile{border-left:3px solid var(--rule);padding:2px 0 2px 12px}
.tile b{display:block;font-size:27px;line-height:1.2;font-weight:650}
.tile .en{display:block;line-height:1.35}
.tile.done{border-color:var(--done)}.tile.failed{border-color:var(--failed)}.tile.busy{border-color:var(--busy)}
@media screen and (max-width:820px){.tiles{grid-template-columns:repeat(3,1fr)}}
.bar{display:flex;height:16px;border-radius:8px;overflow:hidden;background:var(--rule);gap:1px}
.bar i{display:block;min-width:3px}
i.done{background:var(--done)}i.failed{background:var(--failed)}i.busy{background:var(--busy)}
i.waiting{background:var(--waiting)}i.held{background:var(--held)}i.gone{background:var(--gone)}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;margin:10px 0 0;padding:0;list-style:none}
.key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:7px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:7px 14px 7px 0;border-bottom:1px solid var(--rule)}
th{font-weight:600;font-size:13px;line-height:1.3;border-bottom-color:var(--soft)}
th small{display:block}
td.n,th.n{text-align:right}
td code,td.n,time{white-space:nowrap}
table.few{width:auto}table.few td.n,table.few th.n{min-width:6.5em;padding-right:22px}
td.why{min-width:16em;overflow-wrap:anywhere}
tr:last-child td{border-bottom:0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:5px 22px;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
code{font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.none{color:var(--soft);margin:0}
svg.rate{display:block;width:100%;height:auto}
svg .grid{stroke:var(--rule);fill:none}svg .axis{stroke:var(--soft);fill:none}
svg .done{fill:var(--done)}svg .failed{fill:var(--failed)}
svg .mean{stroke:var(--ink);stroke-dasharray:5 4;fill:none;opacity:.65}
svg .label{fill:var(--soft);font-size:12px}
footer{color:var(--soft);font-size:13px;padding:0 0 36px}
@media print{:root{color-scheme:light;--page:#fff;--paper:#fff;--ink:#000;--soft:#555;--rule:#ccc;--band:#fff;
--on-band:#000;--done:#1f7a8c;--failed:#c2452d;--busy:#d99a2b;--waiting:#b9c3c9;--held:#8266a8;--gone:#8d969c}
@page{size:A4;margin:14mm}body{font-size:10pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
header{padding:0 0 8px;border-bottom:2px solid #000}.wide{max-width:none;padding:0}
section{border:0;padding:6px 0;margin:8px 0}h2,svg,.tiles{break-after:avoid}tr,svg,.bar{break-inside:avoid}
td{padding-top:4px;padding-bottom:4px}td.why{min-width:11em}
thead{display:table-header-group}.scroll{overflow:visible}}
"""


def html_report(report: LotReport) -> bytes:
    """The page, UTF-8. It lists `MOST_LINES` of the orders that somebody has to look at, with their card numbers."""
    title = Text(f"批次报告：{report.lot}", f"report on lot {report.lot}")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="zh-CN"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(str(title))}</title><style>{_STYLE}</style></head><body>",
        '<header><div class="wide"><div class="kind">批次报告 <span class="en">Report on a lot</span></div>'
        f"<h1>{escape(report.lot)}</h1></div></header>",
        '<main class="wide">',
        _section(Text("概况", "Overview"), [_tiles(report), *_progress(report)]),
        _section(Text("每小时张数", "Cards per hour"), [_plot(report)]),
        _section(Text("待处理", "To be looked at"), _unfinished(report)),
        _section(Text("失败原因", "Causes of failures"), _causes(report)),
        _section(Text("工位、读卡器与操作员", "Stations, readers and operators"), _workplaces(report)),
        _section(Text("卡盒", "Boxes"), _boxes(report)),
        _section(Text("各状态订单", "Orders by state"), _states(report)),
        _section(Text("出处", "Where this comes from"), [_facts(report)]),
        '</main><footer class="wide">本页含卡号'
        + ("和姓名" if report.with_names else "")
        + "，请按个人信息保管。 This page holds card numbers"
        + (" and names" if report.with_names else "")
        + ": keep it as personal data.</footer></body></html>\n",
    ]
    return "\n".join(parts).encode()


def _section(title: Text, content: Iterable[str]) -> str:
    return f"<section><h2>{title.zh} <small>{title.en}</small></h2>\n" + "\n".join(content) + "\n</section>"


def _tiles(report: LotReport) -> str:
    outcomes, durations = report.outcomes(), report.durations()
    under_way = outcomes[Outcome.UNDER_WAY]
    tiles = [
        ("", str(len(report.orders)), Text("订单", "orders")),
        ("done", str(report.done), Text("已制成", "done")),
        ("busy" if under_way else "", str(under_way), Text("制作中", "under way")),
        ("failed" if report.failures else "", str(len(report.failures)), Text("失败次数", "failures")),
        ("", f"{report.rate().per_hour:.0f}", Text("张/小时", "cards an hour")),
        ("", _took(durations.median if durations else None), Text("每张用时", "a card takes")),
    ]
    shown = "".join(f'<div class="tile {kind}"><b>{value}</b>{_both(name)}</div>' for kind, value, name in tiles)
    return f'<div class="tiles">{shown}</div>'


def _progress(report: LotReport) -> Iterator[str]:
    found = [(outcome, count) for outcome in _COLOURS if (count := report.outcomes()[outcome])]
    bar = "".join(f'<i class="{_COLOURS[outcome]}" style="flex:{count}"></i>' for outcome, count in found)
    yield f'<div class="bar">{bar}</div>'
    key = (
        f'<li><i class="{_COLOURS[outcome]}"></i>{_both(outcome.text)} <b>{count}</b>'
        f" <small>{_share(count, len(report.orders))}</small></li>"
        for outcome, count in found
    )
    yield f'<ul class="key">{"".join(key)}</ul>'


def _plot(report: LotReport) -> str:
    title = Text("每小时制成的卡", "cards done per hour")
    done, failed = Text("制成", "done"), Text("失败", "failed")
    mean, unit = Text("平均", "mean"), Text("张/小时", "cards an hour")
    drawn = draw_rate(
        report.rate(), title=str(title), done=str(done), failed=str(failed), mean=str(mean), unit=str(unit)
    )
    return drawn or _none(Text("尚无制成的卡", "no card is done yet"))


def _unfinished(report: LotReport) -> Iterator[str]:
    lines = report.unfinished()
    if not lines:
        yield _none(Text("没有", "nothing"))
        return
    names = [Text("姓名", "name")] if report.with_names else []
    head = [Text("序号", "position"), Text("盒", "box"), Text("卡号", "card number"), *names, Text("状态", "state"),
            Text("何处", "where"), Text("自", "since"), Text("说明", "remark")]  # fmt: skip
    yield from _table(head, (_line(line, names=bool(names)) for line in lines[:MOST_LINES]), numeric=(0, 1))
    if len(lines) > MOST_LINES:
        more = len(lines) - MOST_LINES
        yield _none(Text(f"另有 {more} 个订单，见 CSV 或 XLSX", f"and {more} more orders: see CSV or XLSX"))


def _line(line: OrderLine, *, names: bool) -> list[str]:
    state = line.outcome.text if line.outcome is Outcome.FAILED else line.state.text
    where = " · ".join(filter(None, (line.station, line.reader))) or _NOTHING
    since = line.begun_at if line.outcome is Outcome.UNDER_WAY else None
    name = [escape(line.name or _NOTHING)] if names else []
    return [str(line.position), str(line.box or _NOTHING), f"<code>{escape(line.card_number or _NOTHING)}</code>",
            *name, _both(state), escape(where), _time(since), escape(line.error)]  # fmt: skip


def _causes(report: LotReport) -> Iterator[str]:
    causes = report.causes()
    if not causes:
        yield _none(Text("没有失败", "no card failed"))
        return
    head = [Text("次数", "failures"), Text("订单", "orders"), Text("作废卡", "cards spoiled"), Text("首次", "first"),
            Text("末次", "last"), Text("原因", "cause")]  # fmt: skip
    rows = (
        [str(cause.failures), str(cause.orders), str(cause.spoiled), _time(cause.first), _time(cause.last),
         escape(cause.reason or _NOTHING)]
        for cause in causes
    )  # fmt: skip
    yield from _table(head, rows, numeric=(0, 1, 2))


def _workplaces(report: LotReport) -> Iterator[str]:
    places = report.workplaces()
    if not places:
        yield _none(Text("尚未制卡", "no card was made yet"))
        return
    head = [Text("工位", "station"), Text("读卡器", "reader"), Text("操作员", "operator"), Text("制成", "done"),
            Text("失败", "failures"), Text("中位用时", "median")]  # fmt: skip
    rows = (
        [escape(place.station or _NOTHING), escape(place.reader or _NOTHING), escape(place.operator or _NOTHING),
         str(place.done), str(place.failures), _took(place.median)]
        for place in places
    )  # fmt: skip
    yield from _table(head, rows, numeric=(3, 4, 5))


def _boxes(report: LotReport) -> Iterator[str]:
    boxes = report.boxes()
    if not boxes:
        yield _none(Text("还没有卡入盒", "no card is in a box yet"))
        return
    head = [Text("盒", "box"), Text("盒内", "in it"), Text("已发放", "delivered"), Text("未制成", "not done")]
    rows = ([str(box.number), str(box.done), str(box.delivered), str(box.missing)] for box in boxes)
    yield from _table(head, rows, numeric=(0, 1, 2, 3))


def _states(report: LotReport) -> Iterator[str]:
    counts = report.counts()
    kinds = [kind for kind in OrderKind if any(found is kind for found, _ in counts)]
    states = [state for state in OrderState if any(found is state for _, found in counts)]
    rows = [[_both(state.text), *(str(counts[kind, state] or _NOTHING) for kind in kinds)] for state in states]
    yield from _table([Text("状态", "state"), *(kind.text for kind in kinds)], rows, numeric=range(1, len(kinds) + 1))


def _facts(report: LotReport) -> str:
    durations = report.durations()
    facts = [
        (Text("批次状态", "state of the lot"), _both(report.state.text)),
        (Text("申请表", "sheet"), escape(report.source or _NOTHING)),
        (Text("卡规格", "card profile"), escape(report.profile)),
        (Text("建立", "made"), _time(report.made_at)),
        (Text("关闭", "closed"), _time(report.closed_at)),
        (Text("95% 的卡用时不超过", "95 % of the cards take at most"), _took(durations.p95 if durations else None)),
        (Text("报告时间", "time of the report"), _time(report.at)),
        (Text("台账", "ledger"), f"<code>{escape(report.ledger)}</code>"),
        (Text("台账最后事件", "last event of the ledger"), f"<code>{report.head}</code>"),
    ]
    return "<dl>" + "".join(f"<dt>{_both(name)}</dt><dd>{value}</dd>" for name, value in facts) + "</dl>"


def _table(head: Sequence[Text], rows: Iterable[Sequence[str]], *, numeric: Sequence[int]) -> Iterator[str]:
    """A table; its cells are HTML already, the last column that is not ``numeric`` has the longest text."""
    classes = [' class="n"' if place in numeric else "" for place in range(len(head))]
    if not classes[-1]:
        classes[-1] = ' class="why"'
    titles = zip(head, classes, strict=True)
    few = ' class="few"' if len(numeric) >= len(head) - 1 else ""  # numbers alone need no wide table
    yield f'<div class="scroll"><table{few}><thead><tr>'
    yield "".join(f"<th{kind}>{name.zh}<small>{name.en}</small></th>" for name, kind in titles)
    yield "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, classes, strict=True)) + "</tr>"
    yield "</tbody></table></div>"


def _both(text: Text) -> str:
    return f'{text.zh} <span class="en">{text.en}</span>'


def _none(text: Text) -> str:
    return f'<p class="none">{_both(text)}</p>'


def _share(count: int, of: int) -> str:
    return f"{count / of:.1%}" if count * 1000 >= of else "&lt;0.1%"


def _time(at: datetime | None) -> str:
    return _NOTHING if at is None else f"<time>{at.astimezone(CHINA):%Y-%m-%d %H:%M}</time>"


def _took(time: timedelta | None) -> str:
    """A duration: ``4.2 s``, or ``3:05`` minutes and seconds."""
    if time is None:
        return _NOTHING
    seconds = time.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
