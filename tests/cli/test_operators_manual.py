"""What docs/operators.md shows is what comes, and its table of roles is the one that decides."""

import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from juying.ledger.approvals import BULK, SECOND_PERSON, TIME_LIMIT
from juying.ledger.ledger import Ledger
from juying.ledger.operators import PERMITS, Action
from juying.ledger.passwords import LONGEST, MOST_WRONG, PAUSE, SHORTEST, Passwords
from juying.ledger.sessions import IDLE
from juying.ledger.sessions import LONGEST as LONGEST_SESSION
from juying.ledger.states import Role
from tests.cli.conftest import Juying
from tests.cli.desk import ROOT
from tests.ledger.test_operators import CHEAP

MANUAL = (ROOT / "docs" / "operators.md").read_text("utf-8")
BLANKS = "卡识别码\n33100000000111223344556A\n33100000000111223344556B\n"


def alike(text: str) -> str:
    """``text`` without times and white space."""
    return "".join(re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d[+-]\d\d:\d\d", "…", text).split())


def test_what_the_manual_shows_is_what_comes(juying: Juying, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(home))
    for variable in ("JUYING_PASSWORD", "JUYING_NEW_PASSWORD"):  # what everybody types at the prompt
        monkeypatch.setenv(variable, "correct horse battery")
    monkeypatch.setenv("JUYING_LEDGER", "office.db")
    monkeypatch.setattr(Passwords, "_hasher", CHEAP)
    Ledger.open("office.db", region="331000").close()
    Path("blanks.csv").write_text(BLANKS, "utf-8")
    count = 0
    for block in re.findall(r"```console\n(.*?)```", MANUAL, re.DOTALL):
        printed = ""
        for line in block.splitlines():
            if line.startswith("$ juying "):
                done = juying(*shlex.split(line)[2:])
                printed = alike(done.out + done.err)
                count += 1
            elif not line.startswith("…"):
                assert alike(line) in printed, line
    assert count == 13


SAID = {
    "look things up, reports": [Action.READ],
    "import applications": [Action.IMPORT],
    "plan, suspend and cancel orders": [Action.ORDERS],
    "change permits": [Action.PERMIT],
    "hand cards over": [Action.DELIVER],
    "make cards at a station": [Action.STATION],
    "take blanks into stock": [Action.STOCK],
    "start jobs, publish status lists": [Action.JOBS, Action.PUBLISH],
    "revoke credentials, set a deadline aside": [Action.REVOKE, Action.OVERRIDE],
    "manage operators, approve, export what is stored on a person": [
        Action.OPERATORS, Action.APPROVE, Action.EXPORT_PERSON,
    ],
    "audit the ledger, back it up": [Action.AUDIT, Action.BACKUP],
    "use an issuing key": [Action.KEY_USE],
    "scrap cards and blanks": [Action.SCRAP],
    "revoke in bulk, erase persons, seal the ledger's key anew": [Action.BULK_REVOKE, Action.ERASE, Action.REKEY],
}  # fmt: skip
COLUMNS = (Role.INTAKE, Role.ISSUING, Role.SUPERVISOR, Role.AUDITOR)


def test_the_table_of_roles_is_the_one_that_decides() -> None:
    rows = re.findall(r"^\| ([^|*\n]+) \|([^|\n]*)\|([^|\n]*)\|([^|\n]*)\|([^|\n]*)\|$", MANUAL, re.MULTILINE)
    said = {}
    for title, *marks in rows:
        roles = {role for role, mark in zip(COLUMNS, marks, strict=True) if "✓" in mark}
        said |= dict.fromkeys(SAID[title], roles)
    assert said == PERMITS


def test_the_second_person_is_asked_for_what_the_manual_says() -> None:
    second = MANUAL.partition("**with a second person**")[2].partition("\n\n")[0]
    listed = [action for title, actions in SAID.items() if title in second for action in actions]
    assert set(listed) == set(SECOND_PERSON)
    assert re.findall(r"^\| `([a-z-]+)` \|", MANUAL, re.MULTILINE) == [
        action.value for action in (Action.SCRAP, Action.KEY_USE, Action.BULK_REVOKE, Action.ERASE, Action.REKEY)
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        f"not used for {IDLE // timedelta(minutes=1)} minutes",
        f"{LONGEST_SESSION // timedelta(hours=1)} hours after logging in",
        f"A password has {SHORTEST} to {LONGEST} characters",
        f"one try in {PAUSE // timedelta(minutes=1)} minutes",
        f"for {TIME_LIMIT // timedelta(hours=1)} hours from asking",
        f"revoking more than {BULK} permits at once",
    ],
)
def test_the_numbers_are_those_of_the_program(sentence: str) -> None:
    assert sentence in " ".join(MANUAL.split())


def test_five_in_words() -> None:
    assert MOST_WRONG == 5
    assert "After five wrong ones in a row" in " ".join(MANUAL.split())
