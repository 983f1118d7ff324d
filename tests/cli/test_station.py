"""``juying station`` and the feeder of virtual cards: a box of blanks becomes a box of cards, and strays find home."""

import io
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.feeder import Box, Feeder
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.cli import station_view
from juying.cli.app import run
from juying.cli.output import console
from juying.credential.issue import from_text, unverified_claims
from juying.issuance.demo_keys import FOLDER, KEY_FILE, TRUST_FILE, demonstration_keys
from juying.issuance.office import Office
from juying.issuance.production import Production
from juying.issuance.station import Station
from juying.issuance.station_state import Doing, Happening, Kind
from juying.issuance.station_worker import Worker
from juying.ledger.ledger import Ledger
from juying.ledger.operators import at_station
from juying.text import Text
from tests import issuing
from tests.cli.conftest import Juying
from tests.harness import Slot

LEDGER = "office.db"
FOR_EVER = date(2099, 12, 31)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def lot(home: Path) -> int:
    """A lot of three in a ledger in the working directory."""
    with Ledger.open(LEDGER, region="331000") as ledger:
        return issuing.add_lot(ledger, 3, name="monday", valid_until=FOR_EVER)[0]


@contextmanager
def fed(folder: Path, *slots: Slot) -> Iterator[None]:
    """A feeder that works meanwhile."""
    stop = threading.Event()
    thread = threading.Thread(target=Feeder(Box(folder), [slot.port for slot in slots]).run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def begin(card: VirtualCard, until: str) -> None:
    """Make a card at another desk until that is killed."""

    def observe(point: str) -> None:
        if point == until:
            raise Killed

    with Ledger.open(LEDGER) as ledger, LocalTransport(card) as transport:
        production = Production(ledger, office(), at_station(ledger, ledger.local, "old desk"), observe=observe)
        with pytest.raises(Killed):
            production.work(transport)


def office() -> Office:
    """The office that the command line has without a key."""
    signer, trust = demonstration_keys(FOLDER, region="331000")
    return Office(signer=signer, trust=trust)


def names() -> list[str]:
    return [issuing.holder(number).registered_name for number in (1, 2, 3)]


def test_a_box_of_blanks_becomes_a_lot(juying: Juying, lot: int, pcsc_reader: Slot, second_pcsc_reader: Slot) -> None:
    assert "3 blanks in box" in juying("virtual", "new", "box", "--count", 3).out
    slots = pcsc_reader, second_pcsc_reader
    with fed(Path("box"), *slots):
        readers = [part for slot in slots for part in ("--reader", slot.name)]
        done = juying("station", "--name", "desk", "--lot", "monday", *readers, "--ledger", LEDGER, "--until-done",
                      "--out", "credentials")  # fmt: skip
    assert done.status == 0, done.err
    assert "made 3, spoiled 0, refused 0, failures 0, left 0" in done.out
    assert done.err.count("done: take the card, box 1") == 3
    assert not any(name in done.out + done.err for name in names())
    for folder in Path("credentials").iterdir():
        for file in ("credential.txt", "minimal.txt"):
            claims = unverified_claims(from_text((folder / file).read_text().strip()))
            assert claims.permit_number.startswith("ZJ2026")
            assert (folder / file).stat().st_mode & 0o077 == 0
    assert len(list(Path("credentials").iterdir())) == 3


def test_json_lines_tell_no_names(juying: Juying, lot: int, pcsc_reader: Slot) -> None:
    juying("virtual", "new", "box", "--count", 3)
    with fed(Path("box"), pcsc_reader):
        done = juying("station", "--reader", pcsc_reader.name, "--ledger", LEDGER, "--until-done", "--json")
    assert done.status == 0, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert lines[0] == {"event": "open", "cards": []}
    made = [line for line in lines if line["event"] == "made"]
    assert [line["outcome"] for line in made] == ["sealed"] * 3
    assert [line["left"] for line in made] == [2, 1, 0]
    assert sorted(line["order"] for line in made) == [1, 2, 3]
    assert lines[-1] == {"event": "ended", "made": 3, "spoiled": 0, "refused": 0, "failures": 0, "left": 0}
    assert not any(name in done.out for name in names())


def test_what_is_open_is_listed_and_said_at_the_start(juying: Juying, lot: int, pcsc_reader: Slot) -> None:
    assert "no card is under way" in juying("station", "open", "--ledger", LEDGER).out
    card = issuing.blank()
    begin(card, "write 7")
    listed = juying("station", "open", "--ledger", LEDGER)
    assert listed.status == 0
    for part in (names()[0], issuing.identifier(card)[-8:].upper(), "old desk", "writing"):
        assert part in listed.out
    [entry] = juying("station", "open", "--ledger", LEDGER, "--json").document
    assert (entry["order"], entry["state"], entry["station"], entry["box"]) == (1, "writing", "old desk", 1)
    assert names()[0] not in json.dumps(entry)
    Path("box").mkdir()
    for number, image in enumerate((card, issuing.blank(), issuing.blank())):
        save_card(image, Path("box", f"{number}.vcard"))
    with fed(Path("box"), pcsc_reader):
        done = juying("station", "--reader", pcsc_reader.name, "--ledger", LEDGER, "--until-done")
    assert done.status == 0, done.err
    assert "1 cards are not done" in done.err
    assert issuing.card_number_on(load_card(Path("box", "done", "0.vcard"))) == issuing.number_of(1)


def test_a_stray_card_is_identified(juying: Juying, lot: int) -> None:
    card = issuing.blank()
    save_card(card, "stray.vcard")
    unknown = juying("station", "identify", "--virtual", "stray.vcard", "--ledger", LEDGER)
    assert unknown.status == 1
    assert "does not know" in unknown.out
    begin(card, "write 7")
    save_card(card, "stray.vcard")
    before = Path("stray.vcard").read_bytes()
    found = juying("station", "identify", "--virtual", "stray.vcard", "--ledger", LEDGER)
    assert found.status == 0
    assert "is being made (order 1" in found.out
    assert names()[0] in found.out
    document = juying("station", "identify", "--virtual", "stray.vcard", "--ledger", LEDGER, "--json").document
    assert (document["state"], document["order"], document["box"]) == ("begun", 1, 1)
    assert names()[0] not in json.dumps(document)
    assert Path("stray.vcard").read_bytes() == before


@pytest.mark.parametrize("command", ["release", "spoil"])
def test_an_order_gets_another_card(juying: Juying, lot: int, command: str) -> None:
    begin(issuing.blank(), "after claim")
    ended = juying("station", command, 1, "--ledger", LEDGER, "--name", "desk")
    assert ended.status == 0
    assert "order 1 waits for another one" in ended.out
    again = juying("station", command, 1, "--ledger", LEDGER, "--json")
    assert again.status == 2
    assert "no such order" in again.document["error"]["en"]
    begin(issuing.blank(), "after claim")
    assert juying("station", command, 1, "--ledger", LEDGER, "--json").document["order"] == 1


def test_bad_use_is_said(juying: Juying, lot: int, pcsc_reader: Slot) -> None:
    assert "no lot of this name" in juying("station", "--lot", "tuesday", "--ledger", LEDGER).err
    assert "no reader is named" in juying("station", "--reader", "nonsense", "--ledger", LEDGER).err
    assert juying("station").status == 2


def test_an_office_signs_with_its_own_key(juying: Juying, lot: int, pcsc_reader: Slot) -> None:
    office()
    with Ledger.open(LEDGER) as ledger:
        issuing.add_lot(ledger, 0, name="empty")
    own = "--key", FOLDER / KEY_FILE, "--trust", FOLDER / TRUST_FILE
    station = "station", "--reader", pcsc_reader.name, "--lot", "empty", "--ledger", LEDGER, "--until-done"
    assert juying(*station, *own).status == 0
    assert "go together" in juying(*station, *own[:2]).err


def test_credentials_that_cannot_be_kept_end_the_station(juying: Juying, lot: int, pcsc_reader: Slot) -> None:
    Path("taken").write_text("a file")
    juying("virtual", "new", "box", "--count", 1)
    with fed(Path("box"), pcsc_reader):
        done = juying("station", "--reader", pcsc_reader.name, "--ledger", LEDGER, "--out", "taken")
    assert done.status == 2
    assert "the folder cannot be used" in done.err


class Screen(io.StringIO):
    """Standard error of somebody at a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_table_with_names(
    home: Path, lot: int, pcsc_reader: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = issuing.blank()
    begin(card, "write 7")
    Path("box").mkdir()
    save_card(card, "box/0.vcard")
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "200")
    original = Station._keep_house

    def until_made(self: Station) -> None:
        original(self)
        if self.totals.made:
            raise KeyboardInterrupt

    monkeypatch.setattr(Station, "_keep_house", until_made)
    monkeypatch.setattr(sys, "stdin", Screen("\n"))
    with fed(Path("box"), pcsc_reader):
        assert run(["station", "--reader", pcsc_reader.name, "--ledger", LEDGER]) == 0
    shown = screen.getvalue()
    assert "begun and not done" in shown
    assert names()[0] in shown
    assert "take the card" in shown


def render(table: object) -> str:
    screen = console()
    with screen.capture() as capture:
        screen.print(table)
    return capture.get()


@pytest.fixture
def station(home: Path) -> Iterator[Station]:
    with Ledger.open(LEDGER, region="331000") as ledger:
        made = Station(ledger, issuing.office(), ledger.local)
        yield made
        made.halt()


def test_the_table_tells_what_every_reader_does(station: Station) -> None:
    for number, doing in enumerate(Doing):
        worker = station._workers[f"reader {number}"] = Worker(station, f"reader {number}")
        worker.view.doing = doing
    view = station._workers["reader 1"].view
    view.writes, view.total = 7, 20
    view = station._workers["reader 2"].view
    view.name, view.box, view.note, view.made = "MUSTER MAX", 4, Text("制成", "done"), 9
    station.totals.failures = 2
    station._made_at.extend((0.0, 36.0))
    shown = render(station_view.table(station, Text("台账断开", "the ledger is lost")))
    told = "7/20", "MUSTER MAX", "box 4", "stopped", "unplugged", "insert a card", "2 / failures", "100 / an hour"
    for part in (*told, "the ledger is lost", "Enter resumes"):
        assert part in shown
    assert "an hour" not in render(station_view.table(Station(station.ledger, issuing.office(), station.ledger.local)))


def test_the_live_table_remembers_what_concerns_all(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with station_view.live(station) as hear:
        hear(Happening(Kind.LEDGER_LOST, Text("台账断开", "the ledger is lost")))
        hear(Happening(Kind.INSERTED, Text("已插卡", "card inserted"), "a reader"))
    assert "the ledger is lost" in screen.getvalue()
    assert "card inserted" not in screen.getvalue()


def test_enter_resumes(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed = threading.Event()
    monkeypatch.setattr(station, "resume", resumed.set)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    station_view.resume_on_enter(station)
    assert resumed.wait(60)


def test_the_feeder_is_a_command(juying: Juying, lot: int, pcsc_reader: Slot) -> None:
    """It ends by itself when every card is done, and tells of each."""
    for number, options in enumerate(((), ("--json",))):
        box = f"box{number}"
        assert juying("virtual", "new", box, "--count", 1, "--json").document == {"folder": box, "cards": 1}
        with Ledger.open(LEDGER) as ledger:
            actor = at_station(ledger, ledger.local, "desk")
            working = Station(ledger, office(), actor, readers=[pcsc_reader.name])
            thread = threading.Thread(target=working.run, daemon=True)
            thread.start()
            done = juying("virtual", "feed", box, "--port", pcsc_reader.port, *options)
            working.stop()
            thread.join()
        assert done.status == 0
        if options:
            assert json.loads(done.out) == {"card": "00001.vcard", "port": pcsc_reader.port, "end": "done", "left": 0}
        else:
            assert "00001.vcard: done, 0 left" in done.err
    assert [path.name for path in Path("box1/done").iterdir()] == ["00001.vcard"]


def test_ctrl_c_ends_the_feeder(juying: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    juying("virtual", "new", "box", "--count", 1)

    def interrupted(self: Feeder, stop: threading.Event) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Feeder, "run", interrupted)
    assert juying("virtual", "feed", "box").status == 0


def test_blanks_are_not_overwritten(juying: Juying, home: Path) -> None:
    juying("virtual", "new", "box", "--count", 2)
    before = [path.read_bytes() for path in sorted(Path("box").iterdir())]
    again = juying("virtual", "new", "box", "--count", 2)
    assert again.status == 2
    assert [path.read_bytes() for path in sorted(Path("box").iterdir())] == before
    Path("file").write_text("")
    assert "the folder cannot be made" in juying("virtual", "new", "file", "--count", 1).err
