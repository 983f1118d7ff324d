"""Scenarios at the counter: a permit looked at, changed, lost, replaced and ended, and the lot that it came from."""

import json

from tests.secrets.cards import issued
from tests.secrets.marks import Kind
from tests.secrets.stage import Stage, scenario

LEDGER = "office-ledger.db"


def change(stage: Stage, name: str, **columns: str) -> str:
    """A sheet with what is to be other."""
    return str(stage.given(name, json.dumps([columns], ensure_ascii=False)))


@scenario
def the_life_of_a_permit(stage: Stage) -> None:
    """Everything that the clerk does for one person, found in every way, and refused."""
    stage.setting("JUYING_LEDGER", LEDGER)
    person, _ = issued(stage)
    card, name, document = (str(person.row[key]) for key in ("card_number", "name", "document_number"))
    for given in (name, document, str(person.row["permit_number"])):
        stage.both("permit", "show", "--find", stage.given("who", given))
    stage.both("permit", "show", card)
    stage.both("permit", "show", "--person", 1)
    stage.given("who", str(person.row["address"]))
    stage.both("permit", "show", "--find", "given/who", status=2)
    with stage.at_a_terminal(name, str(person.row["phone"])):
        stage.juying("permit", "show", "--ask")
        stage.juying("permit", "show", "--ask", status=2)
    post = stage.mark(Kind.PERSON, "new position", stage.make.han(5))
    passport = stage.mark(Kind.PERSON, "new document number", f"C{stage.make.digits(8)}")
    wrong = stage.mark(Kind.PERSON, "wrong birth date", f"19{stage.make.digits(2)}-31-31")
    stage.both("permit", "pending")
    stage.both("permit", "change", card, "--sheet", change(stage, "wrong.json", birth_date=wrong), status=2)
    stage.both("permit", "change", card, "--sheet", change(stage, "post.json", position=post))
    stage.both("permit", "pending")
    stage.both("permit", "change", card, "--sheet", change(stage, "passport.json", document_number=passport))
    stage.both("permit", "show", card)
    stage.both("permit", "suspend", card)
    stage.both("permit", "pending")
    stage.both("permit", "resume", card)
    stage.both("permit", "reissue", card, "--reason", "stolen", status=2)
    stage.both("permit", "lost", card)
    stage.both("permit", "reissue", card, "--reason", "lost")
    stage.both("permit", "show", card)
    stage.both("permit", "cancel", card, "--by", "holder")
    stage.both("permit", "show", "--person", 1)
    stage.both("permit", "show", stage.make.letters(9), status=2)


@scenario
def the_orders_of_a_lot(stage: Stage) -> None:
    """Previewed, imported, listed, searched, held up: by number, and by names that stand nowhere."""
    stage.setting("JUYING_LEDGER", LEDGER)
    first, second = stage.person(), stage.person()
    stage.juying("ledger", "init", "--region", "331000")
    wrong = stage.person(birth_date="1984-31-31")
    sheet = stage.sheet(first, second, wrong)
    stage.both("lot", "preview", sheet, status=1)
    stage.juying("lot", "import", sheet, "--name", "morning", status=1)
    stage.both("lot", "import", sheet, "--name", "noon", status=1)
    stage.both("lot", "list")
    stage.both("lot", "show", "morning")
    stage.both("lot", "orders", "morning")
    stage.both("lot", "search", first.row["card_number"])
    stage.both("lot", "search", "--find", stage.given("who", str(second.row["name"])))
    stage.both("lot", "search", "--find", stage.given("who", str(second.row["phone"])), status=1)
    stage.both("lot", "search", second.row["permit_number"], status=2)
    stage.both("lot", "suspend", "morning", "--order", 1, "--reason", "photo")
    stage.both("lot", "cancel", "morning")
    stage.juying("lot", "report", "morning", "--out", "lot.csv", "--out", "lot.html", "--out", "lot.xlsx")
