"""The report on a lot: what it counts, and that each of its forms says the same and nothing else."""

import csv
import io
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from juying.errors import InputError
from juying.issuance.lot_figures import Failure, LotReport, OrderLine, Outcome
from juying.issuance.lot_report import read_lot_report
from juying.issuance.lot_report_files import csv_report, save_report, xlsx_report
from juying.issuance.lot_report_html import MOST_LINES, html_report
from juying.issuance.rate_plot import MOST_BINS, draw_rate, rate_of
from juying.ledger import orders, schema
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.states import LotState, OrderKind, OrderState, Role
from juying.ledger.verify import Head, verify_chain
from tests.issuance.lots import LOT, Clock, Desk, card_number
from tests.people import NOW

PULLED = "卡被取出 / the card was pulled out"


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    clock = Clock()
    with Ledger.open(database, region="331000", clock=clock) as ledger:
        yield Desk(ledger, clock)


@pytest.fixture
def worked(desk: Desk) -> Desk:
    """Twelve orders: 5 made at two stations, one spoiled, one half written, one suspended, the others wait."""
    desk.import_lot(12)
    desk.make(2, "窗口1", "reader A", seconds=20)
    desk.make(3, "窗口2", "reader B", seconds=40)
    failing = desk.claim("窗口1", "reader A")
    with desk.ledger.transaction(desk.actor_at("窗口1")) as tx:
        orders.fail(tx, failing, PULLED)
        orders.spoil(tx, failing, "不再应答 / it does not answer any more")
    desk.order_becomes(6, OrderState.SUSPENDED, "照片不清 / the photo is blurred")
    torn = desk.claim("窗口2", "reader B")
    with desk.ledger.transaction(desk.actor_at("窗口2")) as tx:
        orders.fail(tx, torn, PULLED)
        orders.step(tx, torn, OrderState.WRITTEN)
    return desk


def report_of(desk: Desk, **options: bool) -> LotReport:
    return read_lot_report(desk.ledger, desk.actor, LOT, **options)


def test_it_counts_what_happened(worked: Desk) -> None:
    report = report_of(worked)
    assert report.counts() == {
        (OrderKind.NEW, OrderState.SEALED): 5,
        (OrderKind.NEW, OrderState.SUSPENDED): 1,
        (OrderKind.NEW, OrderState.WRITTEN): 1,
        (OrderKind.NEW, OrderState.PLANNED): 5,
    }
    assert report.outcomes() == {
        Outcome.ISSUED: 5, Outcome.SUSPENDED: 1, Outcome.UNDER_WAY: 1, Outcome.WAITING: 5
    }  # fmt: skip
    assert report.done == 5
    assert [(box.number, box.done, box.delivered, box.missing) for box in report.boxes()] == [
        (1, 3, 0, 0), (2, 2, 0, 0), (3, 0, 0, 1),
    ]  # fmt: skip
    assert [line.row for line in report.orders] == list(range(2, 14))
    assert [line.card_number for line in report.orders] == [card_number(position) for position in range(1, 13)]


def test_it_says_who_did_how_much_where_and_how_fast(worked: Desk) -> None:
    report = report_of(worked)
    places = [
        (place.station, place.reader, place.operator, place.done, place.failures) for place in report.workplaces()
    ]
    assert places == [("窗口1", "reader A", "local", 2, 2), ("窗口2", "reader B", "local", 3, 1)]
    assert [place.median for place in report.workplaces()] == [timedelta(seconds=20), timedelta(seconds=40)]
    durations = report.durations()
    assert durations is not None
    assert (durations.median, durations.p95) == (timedelta(seconds=40), timedelta(seconds=40))


def test_it_groups_failures_by_their_words(worked: Desk) -> None:
    pulled, mute = report_of(worked).causes()
    assert (pulled.reason, pulled.failures, pulled.orders, pulled.spoiled) == (PULLED, 2, 2, 0)
    assert (mute.failures, mute.orders, mute.spoiled) == (1, 1, 1)


def test_it_says_what_is_open_and_where(worked: Desk) -> None:
    torn, blurred = report_of(worked).unfinished()
    assert (torn.position, torn.station, torn.reader, torn.error) == (7, "窗口2", "reader B", PULLED)
    assert (blurred.position, blurred.error) == (6, "照片不清 / the photo is blurred")


def test_a_card_that_was_set_aside_leaves_a_failed_order(desk: Desk) -> None:
    desk.import_lot(1)
    claim = desk.claim()
    with desk.ledger.transaction(desk.actor) as tx:
        orders.spoil(tx, claim, PULLED)
    (line,) = report_of(desk).orders
    assert (line.outcome, line.error, line.box) == (Outcome.FAILED, PULLED, None)


def test_it_anchors_the_ledger(worked: Desk) -> None:
    report = report_of(worked)
    with worked.ledger.reading() as db:
        found = db.execute(sa.select(schema.events.c.hash).where(schema.events.c.number == report.head.number)).scalar()
    assert report.head.hash == found
    assert str(report.head).encode() in html_report(report)
    with worked.ledger.reading() as db:
        assert verify_chain(db, head=report.head).whole


def test_names_are_there_only_when_asked_for_and_that_is_noted(worked: Desk) -> None:
    plain, named = report_of(worked), report_of(worked, names=True)
    for make in (csv_report, xlsx_report_text, html_report):
        assert b"MUSTER" not in make(plain)
        assert b"MUSTER" in make(named)
    assert worked.events("names-reported") == ["names-reported"]
    assert "MUSTER" not in repr(named)
    assert card_number(1) not in repr(named)


def xlsx_report_text(report: LotReport) -> bytes:
    book = load_workbook(io.BytesIO(xlsx_report(report)))
    return repr([row for sheet in book for row in sheet.iter_rows(values_only=True)]).encode()


def test_an_unknown_lot_and_an_operator_without_a_role(desk: Desk) -> None:
    with pytest.raises(InputError, match="no such lot"):
        report_of(desk)
    nobody = Actor(1, "nobody", frozenset())
    with pytest.raises(InputError, match="role"):
        read_lot_report(desk.ledger, nobody, LOT)


def test_every_role_may_read_it(worked: Desk) -> None:
    for role in Role:
        assert len(read_lot_report(worked.ledger, Actor(1, "somebody", frozenset({role})), LOT).orders) == 12


def test_a_lot_without_a_card_yet(desk: Desk) -> None:
    desk.import_lot(2)
    report = report_of(desk)
    assert (report.done, report.durations(), report.causes(), report.boxes(), report.workplaces()) == (
        0, None, [], [], [],
    )  # fmt: skip
    page = html_report(report).decode()
    assert "<svg" not in page
    assert "尚无制成的卡" in page
    assert b"0,0" not in csv_report(report)


# The forms of it.


def line(position: int = 1, **changes: object) -> OrderLine:
    values: dict[str, object] = {
        "order": position, "row": position + 1, "position": position, "box": 1, "kind": OrderKind.NEW,
        "state": OrderState.SEALED, "card_number": card_number(position), "failures": 0, "note": "",
        "station": "窗口1", "reader": "reader A", "operator": "li.wei", "begun_at": NOW,
        "sealed_at": NOW + timedelta(seconds=30), "delivered_at": None,
    }  # fmt: skip
    return OrderLine(**{**values, **changes})


def report(*lines: OrderLine, failures: tuple[Failure, ...] = (), **changes: object) -> LotReport:
    values: dict[str, object] = {
        "lot": LOT, "state": LotState.OPEN, "source": "十二月.xlsx", "profile": "ssc-v3", "made_at": NOW,
        "closed_at": None, "at": NOW, "ledger": "3f" * 16, "head": Head(4711, bytes(32)), "orders": lines,
        "failures": failures,
    }  # fmt: skip
    return LotReport(**{**values, **changes})


def failure(minutes: float = 0, **changes: object) -> Failure:
    values: dict[str, object] = {
        "at": NOW + timedelta(minutes=minutes), "order": 1, "position": 1, "spoiled": False, "station": "窗口1",
        "reader": "reader A", "operator": "li.wei", "reason": PULLED,
    }  # fmt: skip
    return Failure(**{**values, **changes})


DANGEROUS = '=HYPERLINK("http://example.org","x")'


def test_csv_has_a_line_for_each_order() -> None:
    found = report(
        line(1), line(2, state=OrderState.SUSPENDED, note=DANGEROUS, box=None), line(3, state=OrderState.DELIVERED)
    )
    text = csv_report(found).decode()
    assert text.count("\r\n") == 4
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["row", "position", "box", "kind", "state", "card_number", "outcome", "error"]
    assert rows[0] == {
        "row": "2", "position": "1", "box": "1", "kind": "new", "state": "sealed", "card_number": "000000001",
        "outcome": "issued", "error": "",
    }  # fmt: skip
    assert (rows[1]["box"], rows[1]["outcome"], rows[1]["error"]) == ("", "suspended", f"'{DANGEROUS}")
    assert (rows[2]["state"], rows[2]["outcome"]) == ("delivered", "issued")


def test_no_cell_of_the_workbook_is_a_formula_and_zeros_stay() -> None:
    found = report(
        line(1, state=OrderState.SUSPENDED, note=DANGEROUS, name="=1+1", station="+1", reader="-1\x07"),
        failures=(failure(reason=DANGEROUS),),
        lot="=SUM(A1)",
        with_names=True,
    )
    book = load_workbook(io.BytesIO(xlsx_report(found)))
    assert book.sheetnames == ["汇总 summary", "订单 orders", "失败 failures"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert sum(cell.value == DANGEROUS for cell in cells) == 3  # the order, the failure, the cause
    orders_sheet = book["订单 orders"]
    heading, first = ([cell.value for cell in row] for row in orders_sheet.iter_rows())
    assert heading[0] == "行\nrow"
    assert first[5] == "000000001"
    assert first[-1] == "=1+1"
    assert first[10] == "-1", "a control character is no text for a workbook"


def test_the_workbook_has_times_of_china_and_counts() -> None:
    found = report(*(line(position) for position in range(1, 8)), line(8, state=OrderState.PLANNED, sealed_at=None))
    book = load_workbook(io.BytesIO(xlsx_report(found)))
    rows = {row[0]: row[1] for row in book["汇总 summary"].iter_rows(values_only=True, max_row=18)}
    assert rows["订单 / orders"] == 8
    assert rows["已制成 / done"] == 7
    assert rows["建立 / made"] == datetime(2026, 12, 1, 12)
    assert rows["每张用时（中位数） / time for a card (median)"] == timedelta(seconds=30)
    assert rows["台账最后事件 / last event of the ledger"] == f"4711:{'00' * 32}"


class Page(HTMLParser):
    """Reads a page strictly: every tag is closed, in order."""

    VOID = ("meta", "path")

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(page.decode())
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_the_page_stands_alone_and_speaks_both_languages() -> None:
    source = html_report(report(line(1), line(2, state=OrderState.WRITING), failures=(failure(),)))
    page = Page(source)
    assert "script" not in page.tags
    assert not re.search(rb"(src|href)=|url\(|@import|https?:", source)
    assert "svg" in page.tags
    for words in ("批次报告", "Report on a lot", "窗口1", "li.wei", PULLED, card_number(2), "2026-12-01 12:00"):
        assert words in page.text
    assert card_number(1) not in page.text, "what is done needs nobody to look at it"


def test_nothing_in_the_page_is_taken_for_html() -> None:
    evil = "<script>alert('&')</script>"
    found = report(
        line(1, state=OrderState.WRITING, note=evil, station=evil, reader=evil, card_number=evil, name=evil),
        line(2, station=evil, reader=evil, operator=evil),
        failures=(failure(reason=evil),),
        lot=evil,
        source=evil,
        with_names=True,
    )
    page = Page(html_report(found))
    assert "script" not in page.tags
    assert evil in page.text


def test_the_page_lists_a_bounded_number_of_orders() -> None:
    found = report(*(line(n, state=OrderState.SUSPENDED, note="x") for n in range(1, MOST_LINES + 6)))
    text = Page(html_report(found)).text
    assert text.count("已暂停") == MOST_LINES + 2  # and in the overview, and among the states
    assert "另有 5 个订单" in text


def test_a_rare_outcome_is_not_called_zero_per_cent() -> None:
    found = report(*(line(n) for n in range(2000)), line(2000, state=OrderState.CANCELLED, sealed_at=None))
    assert "<0.1%" in Page(html_report(found)).text


@pytest.mark.parametrize(
    ("seconds", "shown"), [(4.24, "4.2 s"), (59.9, "59.9 s"), (185, "3:05"), (3 * 3600 + 61, "3:01:01")]
)
def test_durations_are_easy_to_read(seconds: float, shown: str) -> None:
    assert shown in Page(html_report(report(line(sealed_at=NOW + timedelta(seconds=seconds))))).text


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".html", ".HTML"])
def test_a_file_is_for_its_owner_only(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"report{suffix}"
    save_report(report(line()), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv, \.xlsx or \.html"):
        save_report(report(line()), tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())


# Properties.

STATES = st.sampled_from(list(OrderState))
LINES = st.builds(
    lambda position, kind, state, note, box: line(position, kind=kind, state=state, note=note, box=box),
    st.integers(1, 10**6),
    st.sampled_from(list(OrderKind)),
    STATES,
    st.sampled_from(["", PULLED]),
    st.none() | st.integers(1, 9),
)


@given(st.lists(LINES, max_size=40))
def test_every_order_is_counted_once(lines: list[OrderLine]) -> None:
    found = report(*lines)
    assert sum(found.counts().values()) == sum(found.outcomes().values()) == len(lines)
    assert sum(box.done + box.delivered + box.missing for box in found.boxes()) == sum(
        line.box is not None for line in lines
    )
    assert sum(place.done for place in found.workplaces()) == found.done
    page = Page(html_report(found))
    assert page.tags.count("html") == 1
    assert len(list(csv.reader(io.StringIO(csv_report(found).decode())))) == len(lines) + 1


TIMES = st.lists(st.datetimes(datetime(2026, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)), max_size=30)


@given(TIMES, TIMES, st.sampled_from([1, 60, 3600, 86400 * 40]))
def test_every_card_is_in_one_bin(done: list[datetime], failed: list[datetime], closer: int) -> None:
    """Also when all happens within a second, an hour, or years."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    done, failed = ([start + (at - start) / closer for at in times] for times in (done, failed))
    rate = rate_of(done, failed)
    assert len(rate.bins) <= MOST_BINS
    assert sum(each.done for each in rate.bins) == len(done)
    assert sum(each.failed for each in rate.bins) == len(failed)
    starts = [each.start for each in rate.bins]
    assert [later - earlier for earlier, later in pairwise(starts)] == [rate.width] * (max(len(starts), 1) - 1)
    drawn = draw_rate(rate, title="t", done="d", failed="f", mean="m", unit="u")
    if rate.bins:
        picture = ElementTree.fromstring(drawn)
        bars = [bar for bar in picture.iter("rect") if bar.get("class") in ("done", "failed")]
        assert len(bars) == sum((each.done > 0) + (each.failed > 0) for each in rate.bins)
        assert all(float(bar.get("height", "-1")) > 0 for bar in bars)
        assert all(float(bar.get("x", "-1")) >= 0 and float(bar.get("y", "-1")) >= 0 for bar in bars)
    else:
        assert drawn == ""


def labels(rate_drawn: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(rate_drawn).iter("text")]


@pytest.mark.parametrize(
    ("apart", "count", "wanted"),
    [
        (timedelta(seconds=30), 120, ["12:00", "2026-12-01", "12:05"]),
        (timedelta(hours=3), 24, ["12-02", "00:00"]),
        (timedelta(days=20), 40, ["2027", "2028"]),
    ],
)
def test_the_axis_has_round_times(apart: timedelta, count: int, wanted: list[str]) -> None:
    drawn = draw_rate(
        rate_of([NOW + number * apart for number in range(count)]), title="", done="", failed="", mean="", unit=""
    )
    shown = labels(drawn)
    for text in wanted:
        assert text in shown
    assert len(shown) < 40


def test_breaks_do_not_count_as_slowness() -> None:
    morning = [NOW + timedelta(minutes=number) for number in range(60)]
    after_lunch = [at + timedelta(hours=3) for at in morning]
    rate = rate_of(morning + after_lunch)
    assert rate.per_hour == pytest.approx(60, rel=0.1)


MAKERS: list[Callable[[LotReport], bytes]] = [csv_report, html_report]


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_report_is_the_same_file(make: Callable[[LotReport], bytes]) -> None:
    found = report(line(), failures=(failure(),))
    assert make(found) == make(replace(found))
