"""Holders and permits in the ledger: they come back as they were, are found by what they should be, and stand nowhere
in clear."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.errors import DecodeError, InputError
from juying.ledger import people as stored
from juying.ledger import schema
from juying.ledger.ledger import Ledger
from juying.model import Employer
from tests import people


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: people.NOW) as opened:
        yield opened


def add(ledger: Ledger, holder=None, permit=None, photo: bytes | None = None) -> tuple[int, int]:
    with ledger.transaction(ledger.local) as tx:
        (person,) = stored.add_persons(tx, [(holder or people.holder(), photo)])
        (number,) = stored.add_permits(tx, [(person, permit or people.permit(), None)])
    return person, number


def test_what_is_stored_comes_back(ledger: Ledger) -> None:
    holder, permit = people.holder(email="anna@example.org", card_name="安娜"), people.permit(region="")
    person, number = add(ledger, holder, permit, b"\xff\xd8 a picture")
    with ledger.reading() as db:
        assert stored.load_holder(db, ledger.vault, person) == holder
        assert stored.load_permit(db, ledger.vault, number) == permit
        assert stored.load_photo(db, ledger.vault, person) == b"\xff\xd8 a picture"
        assert stored.find_person(db, ledger.vault, holder) == person
        assert stored.find_permit(db, ledger.vault, " zj20260001 ") == number


def test_a_new_passport_is_still_the_same_person_when_the_number_was_issued(ledger: Ledger) -> None:
    issued = people.holder().social_security_number
    holder = people.holder(issued_social_security_number=issued)
    person, _ = add(ledger, holder)
    renewed = replace(holder, document_number="L11111111")
    with ledger.transaction(ledger.local) as tx:
        assert stored.find_person(tx.db, tx.vault, renewed) == person
        stored.change_person(tx, person, renewed, None)
        assert stored.load_holder(tx.db, tx.vault, person) == renewed
        assert stored.load_photo(tx.db, tx.vault, person) is None
        assert stored.search(tx.db, tx.vault, "L898902C3") == [person], "the old passport still finds its owner"
        assert stored.search(tx.db, tx.vault, "L11111111") == [person]


@pytest.mark.parametrize(
    "text",
    [
        "eriksson",
        "Anna ERIKSSON",
        "maria anna eriksson",
        "安娜",
        "l898902c3",
        "L898 902-C3",
        "ZJ20260001",
        "zj 2026 0001",
    ],
)
def test_a_person_is_found_by_words_and_numbers(ledger: Ledger, text: str) -> None:
    add(ledger, people.holder(name="MUSTER ANNA", document_number="C01X00T47", nationality="DEU", chinese_name=""),
        people.permit(number="ZJ20260002"))  # fmt: skip
    person, _ = add(ledger)
    with ledger.reading() as db:
        assert stored.search(db, ledger.vault, text) == [person]


@pytest.mark.parametrize("text", ["", "  ", "ERIKS", "ANNA MUSTER", "L898902C", "%", "' OR 1=1 --"])
def test_nobody_is_found_by_anything_else(ledger: Ledger, text: str) -> None:
    add(ledger)
    with ledger.reading() as db:
        assert stored.search(db, ledger.vault, text) == []


def test_accents_and_case_make_no_difference(ledger: Ledger) -> None:
    person, _ = add(ledger, people.holder(card_name="Zoë Ångström"))
    with ledger.reading() as db:
        for text in ("zoe", "ÅNGSTRÖM", "angstrom zoë"):
            assert stored.search(db, ledger.vault, text) == [person]


def test_the_number_of_results_is_bounded(ledger: Ledger) -> None:
    with ledger.transaction(ledger.local) as tx:
        ids = stored.add_persons(tx, [(people.holder(document_number=f"P{n:07}"), None) for n in range(5)])
    with ledger.reading() as db:
        assert stored.search(db, ledger.vault, "anna", most=3) == list(ids)[:3]


def test_the_same_person_twice_and_two_valid_permits_are_refused(ledger: Ledger) -> None:
    person, _ = add(ledger)
    with pytest.raises(InputError, match="constraint"), ledger.transaction(ledger.local) as tx:
        stored.add_persons(tx, [(people.holder(), None)])
    with pytest.raises(InputError, match="constraint") as error, ledger.transaction(ledger.local) as tx:
        stored.add_permits(tx, [(person, people.permit(number="ZJ20260009"), None)])
    assert "ZJ20260009" not in str(error.value)


def test_nothing_personal_stands_in_the_database_in_clear(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db", region="331000") as ledger:
        add(ledger, photo=b"ERIKSSON in a picture")
    found = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for word in ("ERIKSSON", "ANNA", "L898902C3", "ZJ20260001", "首席科学家", "椒江", "123310020000DDD18Q", "1974"):
        for encoding in ("utf-8", "gbk", "utf-16-le"):
            assert word.encode(encoding) not in found, word


def test_a_value_moved_to_another_row_does_not_open(ledger: Ledger) -> None:
    first, _ = add(ledger)
    second, _ = add(ledger, people.holder(document_number="P1"), people.permit(number="ZJ20260002"))
    table = schema.persons
    with ledger.transaction(ledger.local) as tx:
        sealed = tx.db.execute(sa.select(table.c.sealed).where(table.c.id == first)).scalar()
        tx.db.execute(sa.update(table).where(table.c.id == second).values(sealed=sealed))
        with pytest.raises(DecodeError, match="back-up"):
            stored.load_holder(tx.db, tx.vault, second)


def test_a_person_who_is_not_there_is_an_error(ledger: Ledger) -> None:
    with ledger.reading() as db:
        with pytest.raises(InputError, match="persons/7"):
            stored.load_holder(db, ledger.vault, 7)
        assert stored.load_photo(db, ledger.vault, 7) is None
        assert stored.find_person(db, ledger.vault, people.holder()) is None
        assert stored.find_permit(db, ledger.vault, "ZJ1") is None


def test_permits_are_found_by_their_employer(ledger: Ledger) -> None:
    _, permit = add(ledger)
    key = stored.employer_key(ledger.vault, people.permit().employer.code)
    other = stored.employer_key(ledger.vault, Employer(name="x", code="91350100M000100Y43").code)
    with ledger.reading() as db:
        query = sa.select(schema.permits.c.id)
        assert db.execute(query.where(schema.permits.c.employer_key == key)).scalars().all() == [permit]
        assert db.execute(query.where(schema.permits.c.employer_key == other)).scalars().all() == []
