"""What a station shows: a table on a terminal, lines elsewhere, JSON for programs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from juying.cli.output import console, print_json_line, tell
from juying.issuance.station_state import Doing, Happening, Kind
from juying.text import Text

if TYPE_CHECKING:
    from rich.table import Table

    from juying.issuance.station import Station
    from juying.issuance.station_state import ReaderView
    from juying.issuance.stray import OpenCard

_DOING = {
    Doing.WAITING: ("请放卡 / insert a card", "dim"),
    Doing.WORKING: ("制卡中 / working", "cyan"),
    Doing.TAKE_OUT: ("请取卡 / take the card out", "bold green"),
    Doing.STOPPED: ("已停用 / stopped", "bold red"),
    Doing.GONE: ("读卡器已拔下 / unplugged", "red"),
}
_RESUME = "按回车恢复停用的读卡器，Ctrl-C 结束 / Enter resumes stopped readers, Ctrl-C ends"


def json_line(happening: Happening, station: "Station") -> None:
    """One happening for programs; nothing in it tells whose card it is."""
    made = happening.made
    document: dict[str, Any] = {"event": happening.kind.value, "reader": happening.reader}
    if made is not None:
        document |= {"outcome": made.outcome.value, "box": made.box}
        if made.claim is not None:
            document |= {"order": made.claim.order, "kind": made.claim.kind.value, "card": made.claim.card}
        document |= {"notes": [note._asdict() for note in made.notes]}
    document |= {"text": happening.text._asdict(), "made": station.totals.made, "left": station.totals.left}
    print_json_line(document)


def plain_line(happening: Happening) -> None:
    """One happening for a log; nothing in it tells whose card it is."""
    if happening.kind is not Kind.INSERTED:
        where = (
            f"{happening.reader}: " if happening.reader and not str(happening.text).startswith(happening.reader) else ""
        )
        tell(f"{where}{happening.text}")


@contextmanager
def live(station: "Station") -> Iterator[Callable[[Happening], None]]:
    """A table on standard error that follows the station; what it yields takes the happenings."""
    from rich.live import Live

    last: list[Text] = []

    def hear(happening: Happening) -> None:
        if not happening.reader:
            last[:] = [happening.text]

    with Live(
        get_renderable=lambda: table(station, last[0] if last else None),
        console=console(stderr=True), refresh_per_second=5, transient=False,
    ):  # fmt: skip
        yield hear


def table(station: "Station", remark: Text | None = None) -> "Table":
    """All readers, and how far the work is."""
    from rich.markup import escape
    from rich.table import Table

    rate = station.rate
    title = [f"制成 {station.totals.made} / made", f"剩余 {station.totals.left} / left"]
    title += [f"每小时 {rate:.0f} / an hour"] if rate is not None else []
    title += [f"失败 {station.totals.failures} / failures"] if station.totals.failures else []
    caption = "\n".join([str(remark), _RESUME] if remark is not None else [_RESUME])
    shown = Table(title="，".join(title), caption=escape(caption), title_justify="left", caption_justify="left")
    for heading in ("读卡器\nreader", "状态\nstate", "卡片\ncard", "说明\nremarks"):
        shown.add_column(heading, overflow="fold")
    for heading in ("制成\nmade", "失败\nfailures"):
        shown.add_column(heading, justify="right")
    for view in station.views:
        words, style = _DOING[view.doing]
        note = str(view.note) if any(view.note) else ""
        shown.add_row(
            escape(view.reader), f"[{style}]{words}[/]", escape(_card(view)), escape(note), str(view.made),
            str(view.failures),
        )  # fmt: skip
    return shown


def _card(view: "ReaderView") -> str:
    if view.doing is Doing.WORKING:
        return f"{view.writes}/{view.total}" if view.total else ""
    box = f"第 {view.box} 盒 / box {view.box}" if view.box else ""
    return "\n".join(filter(None, (view.name, box)))


def open_table(cards: "list[OpenCard]") -> "Table":
    """What was begun and is not done; put back into a reader it is finished."""
    from rich.markup import escape
    from rich.table import Table

    shown = Table(title="未完成的卡：放入任一读卡器即可继续 / begun and not done: put them into any reader to go on",
                  title_justify="left")  # fmt: skip
    for heading in ("订单\norder", "姓名\nname", "盒\nbox", "识别码末位\nidentifier", "状态\nstate", "起始\nsince",
                    "工位\nstation", "失败\nfailures"):  # fmt: skip
        shown.add_column(heading)
    for card in cards:
        claim = card.claim
        since = "" if card.since is None else f"{card.since.astimezone():%Y-%m-%d %H:%M}"
        shown.add_row(
            str(claim.order), escape(card.name), str(claim.box or ""), card.ending, str(claim.state.text), since,
            escape(card.station), str(claim.failures or ""),
        )  # fmt: skip
    return shown


def open_document(card: "OpenCard") -> dict[str, Any]:
    """The same for programs, without the name."""
    claim = card.claim
    return {
        "order": claim.order,
        "kind": claim.kind.value,
        "state": claim.state.value,
        "lot": claim.lot,
        "box": claim.box,
        "card": claim.card,
        "identifier_end": card.ending,
        "since": None if card.since is None else card.since.isoformat(),
        "station": card.station,
        "failures": claim.failures,
        "note": claim.note,
    }


def resume_on_enter(station: "Station") -> None:
    """Every line that is typed resumes the stopped readers; ends with the program."""
    import sys

    def listen() -> None:
        for _ in sys.stdin:
            station.resume()

    threading.Thread(target=listen, name="keyboard", daemon=True).start()
