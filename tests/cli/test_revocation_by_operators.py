"""Credentials of a real ledger at the command line: by employer, lot and file, with operators, and on chips."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.cli.key_stores import edit
from juying.credential.claims import Tier
from juying.credential.issue import to_text
from juying.crypto.key_set import KeyKind, StoredKey
from juying.crypto.software_keys import SoftwareKeys
from juying.issuance.demo_keys import FOLDER, demonstration_keys
from juying.issuance.office import Office
from juying.issuance.production import Outcome, Production
from juying.ledger import credentials, schema
from juying.ledger.approvals import BULK
from juying.ledger.ledger import Ledger
from juying.ledger.operators import Operators
from juying.ledger.register import LedgerRegister
from juying.ledger.sessions import Sessions
from juying.ledger.states import Role
from juying.model import Employer
from tests import issuing
from tests.cli.conftest import Juying

LEDGER = "ledger.db"
OTHER = Employer(name="另一单位", code="91350100M000100Y43")
PASSWORD = "correct horse battery staple"


@pytest.fixture
def ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger with a lot of two finished cards, and one more with another employer."""
    monkeypatch.setenv("JUYING_LEDGER", LEDGER)
    with Ledger.open(LEDGER, region="331000") as ledger:
        make_lot(ledger, 2, name="monday")
        make_lot(ledger, 1, name="tuesday", first=50, employer=OTHER)
        yield ledger


def make_lot(ledger: Ledger, count: int, **settings: object) -> list[VirtualCard]:
    issuing.add_lot(ledger, count, **settings)
    cards = [issuing.blank() for _ in range(count)]
    for card in cards:
        assert insert(ledger, card) is Outcome.SEALED
    return cards


def insert(ledger: Ledger, card: VirtualCard) -> Outcome:
    signer, trust = demonstration_keys(FOLDER, region="331000")
    office = Office(signer=signer, trust=trust, region="331000")
    with LocalTransport(card) as transport:
        return Production(ledger, office, ledger.local).work(transport).outcome


def changed(done: object) -> int:
    return done.document["changed"]


@pytest.mark.parametrize(
    ("named", "permits"),
    [
        (["--lot", "monday"], [1, 2]),
        (["--employer", OTHER.code], [50]),
        (["--permits", "numbers.txt"], [1, 50]),
        (["--lot", "monday", "--permit", issuing.permit(2).number.lower()], [1, 2]),
    ],
)
def test_credentials_are_named_in_several_ways(
    named: list[str], permits: list[int], ledger: Ledger, juying: Juying
) -> None:
    Path("numbers.txt").write_text(f"{issuing.permit(1).number}\n\n  {issuing.permit(50).number}\r\n", "ascii")
    done = juying("credential", "revoke", *named, "--json")
    assert (done.status, changed(done)) == (0, 2 * len(permits))
    assert {row["permit_number"] for row in done.document["entries"]} == {
        issuing.permit(number).number for number in permits
    }
    states = {row.permit_id: row.state for row in issuing.rows(ledger, schema.credentials)}
    assert sorted(states.values()).count("revoked") == len(permits)
    assert juying("credential", "status", *named, "--json").status == 1


def test_the_permit_of_a_place_is_told_from_the_ledger(ledger: Ledger, juying: Juying) -> None:
    row = issuing.rows(ledger, schema.credentials)[0]
    done = juying("credential", "status", "--entry", f"{row.list}:{row.place}", "--json")
    assert done.document["entries"][0]["permit_number"] == issuing.permit(1).number


@pytest.mark.parametrize(
    "named",
    [
        ["--lot", "sunday"],
        ["--employer", "nobody"],
        ["--permits", "nothing.txt"],
        ["--permits", "binary.txt"],
        ["--permits", "large.txt"],
    ],
)
def test_what_names_nobody_changes_nothing(named: list[str], ledger: Ledger, juying: Juying) -> None:
    Path("binary.txt").write_bytes(b"\xff\xfe\x00")
    Path("large.txt").write_bytes(b"ZJ20260001\n" * 100_000)
    assert juying("credential", "revoke", *named).status == 2
    assert {row.state for row in issuing.rows(ledger, schema.credentials)} == {"live"}


def test_lists_know_no_lots(ledger: Ledger, juying: Juying) -> None:
    juying("credential", "publish", "lists")
    for option in (["--lot", "monday"], ["--employer", OTHER.code], ["--permits", "x"]):
        done = juying("credential", "status", "--lists", "lists", *option)
        assert (done.status, "status lists" in done.err) == (2, True)


# Operators


@pytest.fixture
def session(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Callable[[Role], None]:
    """Registers an operator for each role and two supervisors; call it to work as one of them."""
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    operators, sessions = Operators(ledger, weak), Sessions(ledger, hasher=weak)
    operators.add(ledger.local, "supervisor", [Role.SUPERVISOR], PASSWORD)
    first = sessions.actor(sessions.login("supervisor", PASSWORD).token)
    for name, role in (("second", Role.SUPERVISOR), *((role.value, role) for role in Role if role != Role.SUPERVISOR)):
        operators.add(first, name, [role], PASSWORD)

    def work_as(name: str) -> None:
        monkeypatch.setenv("JUYING_SESSION", sessions.login(name, PASSWORD).token)

    return work_as


def test_nobody_revokes_without_logging_in(ledger: Ledger, session: object, juying: Juying, home: Path) -> None:
    for command in (["revoke"], ["status"]):
        done = juying("credential", *command, "--lot", "monday")
        assert (done.status, "log in" in done.err) == (2, True)


def test_who_may_what(ledger: Ledger, session: Callable[[str], None], juying: Juying) -> None:
    for name, revoke, publish in (("auditor", 2, 2), ("intake", 2, 2), ("issuing", 2, 0), ("supervisor", 0, 0)):
        session(name)
        assert juying("credential", "status", "--lot", "tuesday").status == 0
        assert juying("credential", "publish", "lists").status == publish
        assert juying("credential", "suspend", "--lot", "monday").status == revoke


def test_a_large_lot_is_revoked_by_two(ledger: Ledger, session: Callable[[str], None], juying: Juying) -> None:
    make_lot(ledger, BULK + 1, name="large", first=100)
    command = ("credential", "revoke", "--lot", "large", "--reason", "key-compromised", "--json")
    session("supervisor")
    done = juying(*command)
    assert (done.status, "second person" in done.document["error"]["en"]) == (2, True)
    session("second")
    (asked,) = juying("approval", "list", "--json").document["approvals"]
    assert asked["subject"]["permits"] == BULK + 1
    assert juying("approval", "give", asked["approval"]).status == 0
    session("supervisor")
    assert changed(juying(*command)) == 2 * (BULK + 1)
    events = [row for row in issuing.rows(ledger, schema.events) if row.kind == "status-changed"]
    assert len({row.operator_id for row in events}) == 1


# On chips


def full(ledger: Ledger) -> str:
    with ledger.reading() as db:
        return to_text(credentials.current(db, ledger.vault, 1)[Tier.FULL].record)


def test_what_is_on_a_chip_is_renewed_when_the_card_comes(ledger: Ledger, juying: Juying) -> None:
    old = full(ledger)
    done = juying("credential", "renew", old, "--out", "new.txt", "--json")
    assert done.status == 0
    (order,) = [row for row in issuing.rows(ledger, schema.orders) if row.kind == "update"]
    assert done.document["order"] == order.id
    assert juying("credential", "status", old).status == 0
    done = juying("credential", "renew", old, "--out", "new.txt")
    assert f"order {order.id}" in done.err


def test_renewing_needs_a_second_person_once_a_day(
    ledger: Ledger, session: Callable[[str], None], juying: Juying
) -> None:
    command = ("credential", "renew", full(ledger), "--out", "new.txt")
    session("auditor")
    assert juying(*command).status == 2
    session("issuing")
    done = juying(*command)
    assert (done.status, "second person" in done.err) == (2, True)
    session("second")
    (asked,) = juying("approval", "list", "--json").document["approvals"]
    assert f"{datetime.now().astimezone():%Y-%m-%d}" in str(asked["subject"])
    assert juying("approval", "give", asked["approval"]).status == 0
    session("issuing")
    assert juying(*command).status == 0
    assert juying(*command).status == 0


def test_one_store_has_the_key_of_the_ledger_and_the_one_that_signs_lists(
    home: Path, juying: Juying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUYING_KEYS_PASSPHRASE", PASSWORD)
    now = datetime.now(UTC)
    store = ["--keys", "k", "--signing-key", "issuer"]
    juying("keys", "init", "--keys", "k", "--city", "331000", "--signing", "ES256", "--transport", "demo")
    with edit("k", None) as keys:
        keys.add(StoredKey.generate("LEDGER", KeyKind.SM4, city="331000"), new_version=False)
    name = ["--zh", "样本签发机关", "--en", "sample issuer", "--quarter", f"{now.year}Q{(now.month + 2) // 3}"]
    juying("trust", "keygen", "city", *name, "--region", "331000", *store)
    juying("trust", "add", "trust.json", "city.json")
    with SoftwareKeys.open("k", PASSWORD) as held, Ledger.open(LEDGER, held, region="331000") as ledger:
        LedgerRegister(ledger, ledger.local).allot()
    command = "credential", "publish", "lists", "--ledger", LEDGER
    assert juying(*command, *store, "--trust", "trust.json").status == 0
    assert juying("credential", "status", "--lists", "lists", "--trust", "trust.json").status == 0
    assert juying(*command, *store).status == 2, "the trust list is missing"
    assert juying(*command).status == 2, "the demonstration keys do not open the ledger"
