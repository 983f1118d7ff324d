"""The configuration of a gate: what it may say, and every mistake by its place."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.errors import InputError
from juying.services.sites import adapters, load_sites
from juying.services.transit.site import Mode, Overdraft, Site, sites
from juying.text import Text
from tests.transit_gate.gates import EXAMPLES, ROOT, TABLE


def test_the_least_that_a_gate_needs() -> None:
    (site,) = sites(TABLE)
    assert (site.name, site.city, site.issuers, site.mode) == ("transit", "3450", ("02113450",), Mode.BUS_FLAT)
    assert (site.white_list, site.black_list, site.fares) == (None, None, None)
    assert site.organisation == "12113450FFFFFFFF", "the acceptor, whose role digit is 1"
    assert site.title == Text("公交（一票制）", "bus, flat fare")
    assert (site.overdraft, site.max_fare, site.max_balance) == (Overdraft.LEAVING, 9900, 500_000)


def test_everything_that_a_gate_may_say() -> None:
    said: dict[str, Any] = {
        "title": {"zh": "一号线", "en": "line 1"},
        "terminal": "4131000000aa",
        "line": "0100",
        "station": "0007",
        "operator": "0001",
        "stop": "0100000000000007",
        "vehicle": "JJ1234",
        "max_minutes": 180,
        "resume_minutes": 0,
        "overdraft": "never",
        "interoperable_only": True,
        "black_list_foreign": False,
        "lock_black_listed": True,
        "crc32": True,
        "max_fare": 5000,
        "max_balance": 100_000,
    }
    site = Site.from_dict({**TABLE, "mode": "rail-exit", **said})
    assert {key: getattr(site, key) for key in said} == {
        **said,
        "title": Text("一号线", "line 1"),
        "terminal": "4131000000AA",
    }


@pytest.mark.parametrize(
    ("mode", "stop"),
    [("bus-flat", "07"), ("bus-distance", "07"), ("rail-entry", "0100000000000007"), ("rail-exit", "0100000000000007")],
)
def test_the_stop_follows_from_line_and_station(mode: str, stop: str) -> None:
    assert Site.from_dict({**TABLE, "mode": mode, "line": "0100", "station": "0007"}).stop == stop
    assert set(Site.from_dict({**TABLE, "mode": mode}).stop) == {"0"}


def test_several_gates_in_one_file() -> None:
    found = sites({"bus": TABLE, "in": {**TABLE, "mode": "rail-entry", "title": "入口"}})
    assert [(site.name, str(site.title)) for site in found] == [
        ("transit.bus", "公交（一票制） / bus, flat fare"),
        ("transit.in", "入口"),
    ]
    assert sites({}) == ()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"city": "345"}, "transit.city"),
        ({"city": "9999"}, "transit.city"),
        ({"city": 3450}, "transit.city"),
        ({"issuers": "02113450"}, "transit.issuers"),
        ({"issuers": []}, "transit.issuers"),
        ({"issuers": ["0211345"]}, "transit.issuers"),
        ({"issuers": ["0211345G"]}, "transit.issuers"),
        ({"mode": "tram"}, "transit.mode"),
        ({"mode": 1}, "transit.mode"),
        ({"overdraft": "sometimes"}, "transit.overdraft"),
        ({"terminal": "41310000000"}, "transit.terminal"),
        ({"stop": "0100000000000007"}, "transit.stop"),
        ({"stop": "010"}, "transit.stop"),
        ({"stop": ""}, "transit.stop"),
        ({"vehicle": "浙J12345"}, "transit.vehicle"),
        ({"vehicle": "123456789"}, "transit.vehicle"),
        ({"vehicle": 1}, "transit.vehicle"),
        ({"max_minutes": 0}, "transit.max_minutes"),
        ({"max_minutes": True}, "transit.max_minutes"),
        ({"max_fare": 1.5}, "transit.max_fare"),
        ({"resume_minutes": -1}, "transit.resume_minutes"),
        ({"crc32": "yes"}, "transit.crc32"),
        ({"white_list": 1}, "transit.white_list"),
        ({"fares": ""}, "transit.fares"),
        ({"black_list": "none.txt"}, "none.txt"),
        ({"title": {"zh": 1, "en": "x"}}, "transit.title"),
    ],
)
def test_mistakes(change: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError) as error:
        sites({**TABLE, **change})
    assert error.value.where == where


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"city": "3450", "mode": "bus-flat"}, "transit.issuers is missing"),
        ({**TABLE, "whitelist": "x"}, "the nearest is white_list"),
        ({**TABLE, "title": {"zh": "x"}}, "transit.title.en is missing"),
        ({"bus": {**TABLE, "lines": "0101"}}, "transit.bus.lines: unknown member, the nearest is line"),
        ({"bus": TABLE, "city": "3450"}, "transit.bus: unknown member"),
    ],
)
def test_mistakes_in_names(table: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        sites(table)


KEYS = ("city", "issuers", "mode", "line", "stop", "title", "max_fare", "crc32", "vehicle", "overdraft", "x")


@given(st.dictionaries(st.sampled_from(KEYS), st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=8))))
def test_any_table_is_a_gate_or_an_input_error(table: dict[str, Any]) -> None:
    for given_table in (table, {**TABLE, **table}):
        try:
            found = sites(given_table)
        except InputError:
            continue
        assert all(site.city == "3450" for site in found)


def test_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    made = adapters(load_sites(EXAMPLES / "sites.toml"), "transit")
    assert [adapter.name for adapter in made] == ["transit.bus", "transit.station-in", "transit.station-out"]


def test_files_are_read_where_the_terminal_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("white.csv").write_text("issuer,iin\n01233310,31049901\n", "utf-8")
    (site,) = sites({**TABLE, "white_list": "white.csv"})
    assert site.white_list is not None
    assert len(site.white_list) == 1
