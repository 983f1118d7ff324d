"""``juying transit`` and ``juying check transit``, with the example files."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.main import get_command

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.card.virtual.vpcd import VirtualReader
from juying.cli import transit
from juying.cli.app import run
from juying.cli.output import exit_status
from juying.codec.profile import load_profile
from tests.cli.desk import Done
from tests.harness import PrivatePcscd, Slot
from tests.transit.cards import blank
from tests.transit_gate.gates import ROOT
from tests.transit_gate.line import money

Command = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example files where they say they are, and a card with 20 yuan."""
    shutil.copytree(ROOT / "examples" / "transit", tmp_path / "examples" / "transit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUYING_SITES", "examples/transit/sites.toml")
    save_card(blank("ssc-v3", balance_fen=2000), "card.vcard")
    return tmp_path


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """``juying transit …``."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        words = [str(argument) for argument in arguments]
        status = exit_status(
            lambda: get_command(transit.app).main(args=words, standalone_mode=False), as_json="--json" in words
        )
        return Done(status, *capsys.readouterr())

    return call


CARD = ("--virtual", "card.vcard", "--journal", "taps.db")


def test_cities(command: Command) -> None:
    done = command("cities", "3450")
    assert (done.status, done.err) == (0, "")
    assert done.out.split(maxsplit=4)[:4] == ["3450", "台州市", "Taizhou", "Zhejiang"]
    assert "city list of TU-Reader; table of GB/T 13497-1992" in done.out
    assert len(command("cities").out.splitlines()) == 357
    document = command("cities", "浙江", "--json")
    assert document.status == 2
    (city,) = command("cities", "台州", "--json").document["cities"]
    assert (city["code"], city["province"], len(city["sources"])) == ("3450", "Zhejiang", 2)


def test_a_ride(command: Command) -> None:
    entered = command("tap", "--site", "station-in", *CARD, "--at", "2026-12-01T08:30")
    assert (entered.status, entered.err) == (0, "")
    assert "entry, 0.00 yuan taken" in entered.out
    assert entered.out.endswith("余额 / balance: 20.00\n开门 / the gate opens\n")
    twice = command("tap", "--site", "station-in", *CARD, "--at", "2026-12-01T08:31")
    assert twice.status == 1
    assert twice.out.endswith("不开门 / the gate stays shut\n")
    left = command("tap", "--site", "station-out", *CARD, "--at", "2026-12-01T09:00", "--json").document
    assert (left["verdict"], left["opens"], left["evidence"]["balance_fen"]) == ("eligible", True, 1700)
    assert money(load_card("card.vcard")) == 1700
    listed = command("journal", "--journal", "taps.db")
    assert listed.status == 0
    assert [line.split()[1:3] for line in listed.out.splitlines()] == [
        ["2026-12-01", "08:30:00"],
        ["2026-12-01", "09:00:00"],
    ]
    taps = command("journal", "--journal", "taps.db", "--json").document["taps"]
    assert [(entry["amount_fen"], entry["state"]) for entry in taps] == [(0, "paid"), (300, "paid")]


def test_now_is_when_it_is(command: Command) -> None:
    assert command("tap", "--site", "bus", *CARD).status == 0
    assert money(load_card("card.vcard")) == 1800


def test_a_card_without_a_purse(command: Command) -> None:
    save_card(VirtualCard.blank(load_profile("ssc-v3")), "card.vcard")
    done = command("tap", "--site", "bus", *CARD)
    assert done.status == 1
    assert "there is no T-Union transit application on the card" in done.out
    assert "余额" not in done.out


def test_an_empty_journal(command: Command) -> None:
    save_card(blank(balance_fen=0), "card.vcard")
    assert command("tap", "--site", "bus", *CARD).status == 1
    listed = command("journal", "--journal", "taps.db")
    assert (listed.status, listed.out) == (0, "")
    assert "the journal is empty" in listed.err


def test_a_fare_in_doubt(command: Command) -> None:
    assert command("tap", "--site", "bus", *CARD).status == 0
    with closing(sqlite3.connect("taps.db")) as db, db:
        db.execute("UPDATE tap SET state = 'lost', tac = ''")
    listed = command("journal", "--journal", "taps.db")
    assert listed.status == 3
    assert listed.out.split()[-2:] == ["-", "lost"]


def test_bad_use(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, told in (
        (("journal", "--journal", "none.db"), "no such journal"),
        (("tap", *CARD), "bus, station-in, station-out"),
        (("tap", *CARD, "--site", "tram"), "bus, station-in, station-out"),
        (("tap", *CARD, "--site", "bus", "--at", "noon"), "2026-12-01T08:30"),
        (("cities", "Atlantis"), "no such city"),
    ):
        done = command(*arguments)
        assert (done.status, done.out) == (2, "")
        assert told in done.err
    monkeypatch.delenv("JUYING_SITES")
    assert "--sites" in command("tap", *CARD).err


def test_the_only_gate_of_a_file_needs_no_name(command: Command) -> None:
    Path("one.toml").write_text(
        '[transit]\ncity = "3450"\nissuers = ["02113450"]\nmode = "bus-flat"\nterminal = "413100000009"\n'
        'fares = "examples/transit/fares.toml"\n',
        "utf-8",
    )
    done = command("tap", *CARD, "--sites", "one.toml", "--json")
    assert done.document["service"] == "transit"
    (entry,) = command("journal", "--journal", "taps.db", "--json").document["taps"]
    assert entry["terminal"] == "413100000009"


def test_a_psam_in_a_reader(command: Command, private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> None:
    with VirtualReader(port=pcsc_reader.port) as slot:
        slot.insert(VirtualTransitPsam(terminal="413100000007"))
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        done = command("tap", "--site", "bus", *CARD, "--psam", pcsc_reader.name)
    assert done.status == 0
    (entry,) = command("journal", "--journal", "taps.db", "--json").document["taps"]
    assert entry["terminal"] == "413100000007"


def test_checking_asks_all_gates_and_takes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "transit.bus", "--virtual", "card.vcard", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["service"], document["evidence"]["fare_fen"], len(document["checks"])) == ("transit.bus", 200, 16)
    assert run(["check", "transit", "--virtual", "card.vcard"]) == 1, "nobody leaves a station without an entry"
    assert "没有进站记录" in capsys.readouterr().out
    assert money(load_card("card.vcard")) == 2000
