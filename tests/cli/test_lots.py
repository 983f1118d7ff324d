"""``juying lot``: from the preview of a sheet to the audit of its cards."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from juying.card.virtual.image import load_card
from juying.card.virtual.vpcd import VirtualReader
from tests.cli.conftest import Juying
from tests.cli.desk import WITH_ERRORS, Done, applicant, sheet
from tests.harness import PrivatePcscd, Slot

LEDGER = "office.db"


@pytest.fixture
def lot(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> Juying:
    """``juying lot`` on a new ledger."""
    monkeypatch.setenv("JUYING_LEDGER", LEDGER)
    assert juying("ledger", "init", "--region", "331000").status == 0
    return lambda *arguments, **more: juying("lot", *arguments, **more)


def load(lot: Juying, *applicants: dict[str, object], name: str = "morning") -> Any:
    done = lot("import", sheet(*applicants), "--name", name, "--json")
    assert done.status == 0
    return done.document


def lines(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_preview_names_rows_and_problems_and_changes_nothing(lot: Juying) -> None:
    load(lot, applicant(0))
    moved = applicant(0, employer_name="台州虚构缝制设备有限公司", employer_code="91331002MA00AAA100")
    preview = ("preview", sheet(moved, applicant(1), applicant(2, position=""), applicant(3, card_number="JY0000010")))
    done = lot(*preview, "--json")
    assert done.status == 1
    assert done.document["counts"] == {"new": 1, "changed": 1, "duplicate": 0, "wrong": 2}
    first, second, third, fourth = done.document["rows"]
    assert (first["status"], first["kind"], first["changed"], first["order"]) == (
        "changed", "transfer", ["employer_code"], 1,
    )  # fmt: skip
    assert (second["status"], second["kind"], second["problems"]) == ("new", "first-abroad", [])
    assert third["problems"][0]["where"] == "position"
    assert "another applicant" in fourth["problems"][0]["en"]
    shown = lot(*preview)
    assert shown.status == 1
    for words in ("行 / row 1: 变更 / changed 转聘 / change of employer JY0000010", "统一社会信用代码 / Employer code",
                  "没有填写", "新增 / new 1，变更 / changed 1"):  # fmt: skip
        assert words in shown.out
    assert lot("show", "morning", "--json").document["orders"] == 1


def test_a_sheet_is_imported_once(lot: Juying) -> None:
    done = lot("import", WITH_ERRORS, "--box-size", "2", "--prefix", "AB")
    assert done.status == 1
    assert "imported into the lot: applications-with-errors " in done.out
    again = lot("import", WITH_ERRORS, "--json")
    assert (again.document["lot"], again.document["counts"]["duplicate"]) == (None, 3)
    assert "the ledger was not changed" in lot("import", WITH_ERRORS).out
    (listed,) = lot("list", "--json").document
    assert (listed["source"], listed["box_size"], listed["orders"]) == ("applications-with-errors.csv", 2, 3)


def test_what_no_card_can_hold_is_wrong_before_it_is_imported(lot: Juying) -> None:
    done = lot("import", sheet(applicant(0, card_name="䶮" * 90), applicant(1)), "--name", "morning", "--json")
    assert [row["status"] for row in done.document["rows"]] == ["new", "new"], "a name may be cut"
    done = lot("preview", sheet(applicant(2, social_security_number="DEU0000C0FAKE00000")), "--json")
    assert done.document["rows"][0]["status"] == "new"


def test_lots_and_orders_are_listed(lot: Juying) -> None:
    assert "there is no lot yet" in lot("list").out
    load(lot, applicant(0), applicant(1), applicant(2))
    assert "morning" in lot("list").out
    assert lot("list", "--state", "closed", "--json").document == []
    shown = lot("show", "morning")
    assert all(words in shown.out for words in ("sheet.json", "ssc-v3", "planned"))
    assert lot("show", "noon").status == 2

    page = lot("orders", "morning", "--size", "2", "--json").document
    assert ([order["position"] for order in page["orders"]], page["after"]) == ([1, 2], 2)
    rest = lot("orders", "morning", "--size", "2", "--after", "2", "--json").document
    assert ([order["card_number"] for order in rest["orders"]], rest["after"]) == (["JY0000037"], None)
    people = lot("orders", "morning", "--size", "2")
    assert "JY0000010" in people.out
    assert "--after 2" in people.err


def test_orders_are_searched(lot: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card number is an argument; everybody on the machine can see those, so names and other numbers are none."""
    load(lot, applicant(0), applicant(1))
    assert [order["order"] for order in lot("search", "JY0000010", "--json").document] == [1]
    Path("who.txt").write_text("beispiel berta\n", "utf-8")
    assert [order["order"] for order in lot("search", "--find", "who.txt", "--json").document] == [2]
    assert "JY0000010" in lot("search", "--find", "-", stdin=b"C0FAKE000\n").out
    monkeypatch.setattr("juying.cli.passwords.at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "nobody")
    nothing = lot("search", "--ask")
    assert (nothing.status, "nothing was found" in nothing.out) == (1, True)
    for wrong in ((), ("JY0000010", "--ask"), ("MUSTER",)):
        assert lot("search", *wrong).status == 2, wrong
    assert "use --ask or --find" in lot("search", "MUSTER").err


def test_a_card_number_finds_its_order_also_when_the_card_is_made(made: Juying) -> None:
    for typed in ("JY0000029", "jy0000029"):
        (order,) = made("search", typed, "--json").document
        assert (order["order"], order["card_number"], order["state"]) == (2, "JY0000029", "sealed")


def test_orders_are_held_up_and_cancelled(lot: Juying) -> None:
    load(lot, applicant(0), applicant(1))
    done = lot("suspend", "morning", "--order", "2", "--reason", "photo", "--json")
    assert done.document == {"lot": "morning", "state": "suspended", "orders": 1}
    (order,) = lot("orders", "morning", "--state", "suspended", "--json").document["orders"]
    assert (order["order"], order["note"]) == (2, "photo")
    assert "1 order(s): planned" in lot("resume", "morning").out
    assert lot("cancel", "morning", "--json").document["orders"] == 2
    assert lot("show", "morning", "--json").document["state"] == "closed"
    assert lot("resume", "morning", "--order", "1").status == 2


@pytest.fixture
def made(lot: Juying, juying: Juying) -> Juying:
    """The cards of a lot of two are made, and one of another lot."""
    assert juying("issue", sheet(applicant(0), applicant(1)), "--out", "out", "--lot", "morning").status == 0
    assert juying("issue", sheet(applicant(2)), "--out", "out", "--lot", "evening").status == 0
    return lot


def test_an_audit_of_images(made: Juying) -> None:
    done = made("audit", "morning", "--images", "out", "--json", "--out", "audit.csv")
    *cards, last = lines(done)
    assert [card["result"] for card in cards] == ["matched", "matched", "not-in-lot"]
    assert last["counts"] == {"matched": 2, "differs": 0, "not-in-lot": 1, "unreadable": 0, "missing": 0}
    assert done.status == 1, "a card too many"
    with Path("audit.csv").open(encoding="utf-8", newline="") as file:
        assert [line["result"] for line in csv.DictReader(file)] == ["matched", "matched", "not-in-lot"]
    Path("out/JY0000037/card.vcard").rename("out/JY0000029/card.vcard")
    people = made("audit", "morning", "--images", "out")
    assert people.status == 1
    for words in ("1  JY0000010  一致 / matched", "不属于本批 / not in the lot", "2  JY0000029  未见到 / missing"):
        assert words in people.out
    assert "一致 / matched 1，不属于本批 / not in the lot 1，未见到 / missing 1" in people.out
    Path("out/JY0000029/card.vcard").unlink()
    only = lines(made("audit", "morning", "--images", "out", "--json"))
    assert [card["result"] for card in only[:-1]] == ["matched", "missing"]


def test_an_audit_of_all_cards_is_good(made: Juying) -> None:
    done = made("audit", "evening", "--images", "out/JY0000037", "--keys", "demo")
    assert done.status == 0


def test_an_audit_at_a_reader_ends_when_all_cards_were_seen(
    made: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot
) -> None:
    with VirtualReader(port=pcsc_reader.port) as reader:
        reader.insert(load_card("out/JY0000037/card.vcard"))
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        done = made("audit", "evening", "--reader", pcsc_reader.name, "--json")
    assert done.status == 0
    assert [card["result"] for card in lines(done)[:-1]] == ["matched"]
    assert "1 to go" in done.err
