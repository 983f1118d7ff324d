"""``juying permit``: what a clerk does with the permit of one person, and what the clerk is told."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from juying.card.contents import CardContents
from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.cli import ledger_persons
from juying.issuance.changes import apply_application
from juying.issuance.demo_keys import FOLDER, demonstration_keys
from juying.issuance.office import Office
from juying.issuance.permit_kinds import Kind
from juying.issuance.production import Outcome, Production
from juying.issuance.working_days import WorkingDays
from juying.ledger import schema
from juying.ledger.ledger import Ledger
from juying.ledger.people import add_persons, permit_record
from juying.model import CardIdentity
from juying.model.numbers import card_number
from tests import issuing, people
from tests.cli.conftest import Juying
from tests.cli.desk import ROOT

TODAY = datetime.now(UTC).astimezone().date()
ENDS = TODAY + timedelta(days=60)
LONGER = ENDS + timedelta(days=365)
NUMBER = card_number("JY000001")
PERSONAL = ("ERIKSSON", "L898902C3", "ZJ20260001")


def permit(**changes: object) -> Any:
    return people.permit(**{"valid_from": TODAY - timedelta(days=300), "valid_until": ENDS, **changes})


@dataclass
class Desk:
    """A ledger in the working directory with one person, whose card is made."""

    ledger: Ledger
    person: int
    card: VirtualCard

    def insert(self, card: VirtualCard | None = None) -> Outcome:
        signer, trust = demonstration_keys(FOLDER, region="331000")
        office = Office(signer=signer, trust=trust, region="331000")
        with LocalTransport(card or self.card) as transport:
            return Production(self.ledger, office, self.ledger.local).work(transport).outcome

    def events(self) -> list[str]:
        with self.ledger.reading() as db:
            return list(db.execute(sa.select(schema.events.c.kind).order_by(schema.events.c.number)).scalars())


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("JUYING_LEDGER", "ledger.db")
    with Ledger.open("ledger.db", region="331000") as ledger:
        with ledger.transaction(ledger.local) as tx:
            (person,) = add_persons(tx, [(people.holder(), None)])
            apply_application(tx, Kind.FIRST_ABROAD, person, permit=permit())
        desk = Desk(ledger, person, issuing.blank())
        assert desk.insert() is Outcome.SEALED
        yield desk


def sheet(**cells: object) -> Path:
    path = Path("sheet.json")
    path.write_text(json.dumps([cells], ensure_ascii=False), "utf-8")
    return path


# Each command


def test_a_permit_is_extended_and_the_card_updated_when_it_comes(juying: Juying, desk: Desk) -> None:
    done = juying("permit", "extend", NUMBER, "--until", LONGER, "--json")
    assert done.status == 0, done.err
    document = done.document
    assert (document["kind"], document["again"], document["person"]) == ("extension", False, desk.person)
    assert document["order"] == {
        "id": document["order"]["id"], "kind": "update", "state": "planned", "due_on": None, "card_number": NUMBER,
    }  # fmt: skip
    (waiting,) = juying("permit", "pending", "--json").document
    assert (waiting["order"], waiting["kind"], waiting["card_number"]) == (document["order"]["id"], "update", NUMBER)
    assert desk.insert() is Outcome.SEALED
    assert juying("permit", "pending", "--json").document == []
    assert juying("permit", "extend", NUMBER, "--until", LONGER, "--json").document["again"]


def test_the_clerk_is_told_what_to_do_with_the_card(juying: Juying, desk: Desk) -> None:
    done = juying("permit", "extend", NUMBER, "--from", ENDS + timedelta(days=1), "--until", LONGER)
    assert done.status == 0, done.err
    assert "done: extension" in done.out
    assert f"card {NUMBER} is to be updated" in done.out
    assert f"can be updated from {ENDS + timedelta(days=1)} on" in done.out
    again = juying("permit", "extend", NUMBER, "--until", LONGER, "--from", ENDS + timedelta(days=1))
    assert "nothing was changed" in again.out
    shown = juying("permit", "pending")
    assert NUMBER in shown.out
    assert f"from {ENDS + timedelta(days=1)} on" in shown.out
    assert f"card {NUMBER} is to be wiped" in juying("permit", "cancel", NUMBER, "--by", "holder").out
    desk.insert()
    assert "no card is to be updated" in juying("permit", "pending").out


def test_a_change_stands_in_a_sheet_with_what_changes_only(juying: Juying, desk: Desk) -> None:
    done = juying("permit", "change", NUMBER, "--sheet", sheet(position="院长"), "--event-on", TODAY, "--json")
    assert done.status == 0, done.err
    assert done.document["kind"] == "change"
    shown = juying("permit", "show", NUMBER, "--json").document
    assert [(one["state"], one["ended_by"]) for one in shown["permits"]] == [("superseded", "change"), ("valid", "")]
    assert [one["position"] for one in shown["permits"]] == ["首席科学家", "院长"]
    assert shown["permits"][1]["number"] == shown["permits"][0]["number"]


def test_with_another_passport_a_new_card_is_ordered(juying: Juying, desk: Desk) -> None:
    done = juying("permit", "change", NUMBER, "--sheet", sheet(document_number="L11111111"), "--prefix", "TZ")
    assert done.status == 0, done.err
    assert "a new card is ordered" in done.out
    assert "card TZ" in done.out
    assert "insert a blank at any station" in done.out
    assert "L11111111" not in done.out + done.err


def test_another_employer(juying: Juying, desk: Desk) -> None:
    wanted = sheet(employer_name="玉环样本机械有限公司", employer_code="91331002MA00AAA100")
    assert juying("permit", "extend", NUMBER, "--sheet", wanted, "--until", LONGER).status == 2
    done = juying("permit", "transfer", "--person", desk.person, "--sheet", wanted, "--event-on", TODAY, "--json")
    assert done.document["kind"] == "transfer"
    statuses = {one["status"] for one in juying("permit", "show", NUMBER, "--json").document["credentials"]}
    assert statuses == {"invalid"}


def test_a_lost_card_and_its_replacement(juying: Juying, desk: Desk) -> None:
    done = juying("permit", "lost", NUMBER)
    assert done.status == 0, done.err
    assert "card reported lost" in done.out
    assert juying("permit", "lost", NUMBER, "--json").document["again"]
    ordered = juying("permit", "reissue", NUMBER, "--reason", "lost", "--json").document["order"]
    assert (ordered["kind"], ordered["card_number"]) == ("new", card_number("JY000002"))
    assert desk.insert(issuing.blank()) is Outcome.SEALED
    cards = juying("permit", "show", ordered["card_number"], "--json").document["cards"]
    assert [card["state"] for card in cards] == ["replaced", "live"]


@pytest.mark.parametrize("command", [("revoke",), ("cancel", "--by", "authority"), ("cancel", "--by", "employer")])
def test_the_end_of_a_permit(juying: Juying, desk: Desk, command: tuple[str, ...]) -> None:
    done = juying("permit", command[0], NUMBER, *command[1:], "--json")
    assert done.status == 0, done.err
    assert done.document["order"]["kind"] == "wipe"
    assert desk.insert() is Outcome.SEALED
    shown = juying("permit", "show", NUMBER, "--json").document
    assert shown["next"] == []
    assert shown["cards"][0]["permit"] is None
    assert "the last day of the permit" not in juying("permit", "show", NUMBER).out
    late = juying("permit", "extend", NUMBER, "--until", LONGER)
    assert late.status == 2
    assert "there is no valid permit" in late.err


def test_suspended_and_resumed(juying: Juying, desk: Desk) -> None:
    assert juying("permit", "suspend", NUMBER).status == 0
    assert juying("permit", "show", NUMBER, "--json").document["suspended"]
    assert "暂停" in juying("permit", "show", NUMBER).out
    refused = juying("permit", "extend", NUMBER, "--until", LONGER)
    assert refused.status == 2
    assert "resume it first" in refused.err
    assert juying("permit", "resume", NUMBER).status == 0
    assert not juying("permit", "show", NUMBER, "--json").document["suspended"]


def test_permits_end_in_the_night(juying: Juying, desk: Desk) -> None:
    assert juying("permit", "expire", "--json").document == {"expired": 0, "permits": []}
    with desk.ledger.transaction(desk.ledger.local) as tx:
        tx.db.execute(sa.update(schema.permits).values(valid_until=TODAY - timedelta(days=1)))
        number = tx.db.execute(sa.select(schema.permits.c.id)).scalar_one()
        record = permit_record(permit(valid_until=TODAY - timedelta(days=1)))
        tx.db.execute(sa.update(schema.permits).values(sealed=tx.vault.seal(record, f"permits/{number}")))
    done = juying("permit", "expire")
    assert done.status == 0, done.err
    assert "permits ended: 1" in done.out
    assert desk.insert() is Outcome.SEALED


def test_a_missed_deadline_takes_a_reason(juying: Juying, desk: Desk) -> None:
    late = ENDS - timedelta(days=5)
    refused = juying("permit", "extend", NUMBER, "--until", LONGER, "--applied-on", late)
    assert refused.status == 2
    assert "a supervisor can let it pass" in refused.err
    assert juying("permit", "extend", NUMBER, "--until", LONGER, "--applied-on", late, "--override", "疫情").status == 0


def test_holidays_come_from_the_office(juying: Juying, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("holidays.toml").write_text("[2027", "utf-8")
    monkeypatch.setenv("JUYING_HOLIDAYS", "holidays.toml")
    refused = juying("permit", "cancel", NUMBER, "--by", "employer", "--event-on", TODAY)
    assert refused.status == 2
    assert "not TOML" in refused.err
    monkeypatch.delenv("JUYING_HOLIDAYS")
    past = TODAY - timedelta(days=60)
    done = juying("permit", "cancel", NUMBER, "--by", "employer", "--event-on", past)
    assert done.status == 0
    assert "past the term of 10 working days" in done.out
    assert "holidays of" in done.out


# Showing


def test_everything_on_one_person(juying: Juying, desk: Desk) -> None:
    shown = juying("permit", "show", NUMBER.lower())
    assert shown.status == 0, shown.err
    assert juying("permit", "reissue", NUMBER, "--reason", "damaged").status == 0
    assert "new card" in juying("permit", "show", NUMBER).out
    for text in (*PERSONAL, NUMBER, "首席科学家", "live", "the last day to apply for an extension", "in 30 days"):
        assert text in shown.out
    document = juying("permit", "show", "--person", desk.person, "--json").document
    assert document["holder"]["name"] == "ERIKSSON ANNA MARIA"
    assert [one["step"] for one in document["next"]] == ["window-opens", "window-closes", "ends"]
    assert [one["days_left"] for one in document["next"]] == [-30, 30, 60]
    assert {one["status"] for one in document["credentials"]} == {"valid"}


# Who is meant


def test_a_person_is_found_by_a_name_or_number_that_is_no_argument(
    juying: Juying, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("who.txt").write_text("zj20260001\n", "utf-8")
    assert juying("permit", "show", "--find", "who.txt", "--json").document["person"] == desk.person
    found = juying("permit", "show", "--find", "-", "--json", stdin=b"Eriksson Anna\n")
    assert found.document["person"] == desk.person
    monkeypatch.setattr(ledger_persons.passwords, "at_a_terminal", lambda: True)
    asked = juying("permit", "show", "--ask", "--json", stdin=b"L898902C3\n")
    assert json.loads(asked.out[asked.out.index("{") :])["person"] == desk.person


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "one of them"),
        ((NUMBER, "--person", 1), "one of them"),
        (("JY9999999",), "no card in the ledger has this number"),
        (("--person", 99), "no such record"),
    ],
)
def test_nobody_or_two_are_meant(juying: Juying, desk: Desk, arguments: tuple[object, ...], why: str) -> None:
    done = juying("permit", "show", *arguments)
    assert done.status == 2
    assert why in done.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("extend", NUMBER), "say with --sheet"),
        (("extend", NUMBER, "--until", "soon"), "permit extend --help"),
        (("reissue", NUMBER, "--reason", "stolen"), "one of lost, damaged"),
        (("cancel", NUMBER, "--by", "me"), "one of employer, holder, authority"),
        (("change", NUMBER, "--sheet", "none.json"), "no such file"),
        (("resume", NUMBER), "not suspended"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    juying: Juying, desk: Desk, arguments: tuple[object, ...], why: str
) -> None:
    before = desk.events()
    done = juying("permit", *arguments)
    assert done.status == 2
    assert why in done.err + done.out
    assert desk.events() == before


def test_a_sheet_has_one_row_and_its_errors_are_told(juying: Juying, desk: Desk) -> None:
    Path("two.json").write_text('[{"position": "甲"}, {"position": "乙"}]', "utf-8")
    assert "one row" in juying("permit", "change", NUMBER, "--sheet", "two.json").err
    wrong = juying("permit", "change", NUMBER, "--sheet", sheet(valid_until="tomorrow", employer_code="1"))
    assert wrong.status == 2
    assert "valid_until" in wrong.err
    assert "employer_code" in wrong.err
    unknown = juying("permit", "change", NUMBER, "--sheet", sheet(colour="red"))
    assert "is not known" in unknown.err
    assert not any(text in wrong.err + unknown.err for text in PERSONAL)


def test_a_passport_scanned_anew_says_who_it_is(juying: Juying, desk: Desk) -> None:
    zone = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
    done = juying("permit", "change", NUMBER, "--sheet", sheet(mrz=zone), "--json")
    assert done.document["again"], "it is the same passport"


# Loading


def own_card(number: str = card_number("K0000042")) -> Path:
    """The card of an agency, in a file."""
    card = issuing.blank()
    identity = CardIdentity(number=number, issued_on=date(2020, 5, 4), expires_on=TODAY + timedelta(days=900))
    values = CardContents.of(people.holder(), people.permit(), identity).values
    with LocalTransport(card) as transport:
        write_card(
            SscCard.open(transport),
            CardContents({name: value for name, value in values.items() if not name.startswith("employer.")}),
        )
    path = Path("own.vcard")
    save_card(card, path)
    return path


ROW = {
    "name": "ERIKSSON ANNA MARIA", "nationality": "UTO", "sex": "2", "birth_date": "1974-08-12",
    "document_number": "L898902C3", "permit_number": "ZJ20260001", "category": "A",
    "employer_name": "椒江样本医药研究院", "employer_code": "123310020000DDD18Q", "position": "首席科学家",
    "valid_from": str(TODAY), "valid_until": str(LONGER), "authority": "台州市示范签发机关（样本）",
}  # fmt: skip


def test_a_permit_is_loaded_onto_the_card_of_an_agency(
    juying: Juying, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUYING_LEDGER", "ledger.db")
    with Ledger.open("ledger.db", region="331000") as ledger:
        path = own_card()
        done = juying("permit", "load", sheet(**ROW), "--virtual", path, "--json")
        assert done.status == 0, done.err
        assert done.document["kind"] == "first-abroad"
        assert done.document["order"]["kind"] == "update"
        assert juying("permit", "load", sheet(**ROW), "--virtual", path, "--json").document["again"]
        person = done.document["person"]
        assert juying("permit", "load", "--person", person, "--virtual", path, "--json").document["again"]
        assert Desk(ledger, person, load_card(path)).insert() is Outcome.SEALED
    assert juying("permit", "show", card_number("K0000042"), "--json").document["person"] == person


def test_a_sheet_for_loading_has_one_row_without_errors(juying: Juying, desk: Desk) -> None:
    path = own_card()
    Path("two.json").write_text(json.dumps([ROW, {**ROW, "permit_number": "X1", "document_number": "X2"}]), "utf-8")
    assert "one row" in juying("permit", "load", "two.json", "--virtual", path).err
    assert "category" in juying("permit", "load", sheet(**{**ROW, "category": "Z"}), "--virtual", path).err
    refused = juying("permit", "load", "--person", desk.person, "--virtual", path)
    assert refused.status == 2
    assert "the person has another card" in refused.err


def test_nothing_personal_is_told_when_something_is_wrong(juying: Juying, desk: Desk) -> None:
    other = sheet(**{**ROW, "name": "MUSTER MAX", "document_number": "C01X00T47", "permit_number": "ZJ20269999"})
    refused = juying("permit", "load", other, "--virtual", own_card())
    assert refused.status == 4
    assert "social security number" in refused.err
    assert not any(text in refused.err for text in (*PERSONAL, "MUSTER", "C01X00T47", "ZJ20269999"))


# The manual

MANUAL = (ROOT / "docs" / "permits.md").read_text("utf-8")


def alike(text: str) -> str:
    """``text`` without days, how far they are off, and white space."""
    text = re.sub(r"\d{4}-\d\d-\d\d|还有 \d+ 天|in \d+ days", "…", text)
    return "".join(text.split())


def test_what_the_manual_shows_is_what_comes(juying: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples", "examples")
    count = 0
    for block in re.findall(r"```console\n(.*?)```", MANUAL, re.DOTALL):
        printed = ""
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ ")) if line.startswith("$ ") else []
            match words:
                case ["juying", *arguments]:
                    done = juying(*arguments)
                    assert done.status == 0, done.err
                    printed, count = alike(done.out + done.err), count + 1
                case ["export", setting]:
                    monkeypatch.setenv(*setting.split("="))
                case ["echo", text, ">", path]:
                    Path(path).write_text(text, "utf-8")
                case _ if not line.startswith("…"):
                    assert alike(line) in printed, line
    assert count == 6
    (holidays,) = re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL)
    Path("holidays.toml").write_text(holidays, "utf-8")
    assert len(WorkingDays.load("holidays.toml").holidays) == 3
