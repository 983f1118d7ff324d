"""Publishing the register's lists into a folder, and renewing a credential from it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from juying.credential.claims import StatusReference
from juying.credential.issue import from_text, to_text
from juying.credential.publish import Published, publish
from juying.credential.register import Reason
from juying.credential.renew import renew
from juying.credential.status import Status, StatusLists
from juying.credential.status_list import MAX_TEXT, read_status_list
from juying.credential.trust import KeyUse, TrustList
from juying.credential.verify import Verdict, verify
from juying.errors import InputError, KeyUseError
from juying.ledger import schema
from juying.ledger.ledger import Ledger
from juying.ledger.places import LEAST_CAPACITY, Drawing
from juying.ledger.register import LedgerRegister
from tests.credential.samples import HOLDER_KEY, NOW, OTHER_SIGNER, PERMIT, SIGNER, TRUST, claims, signed, trusted

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database, region="331000", clock=lambda: NOW) as opened:
        yield opened


@pytest.fixture
def register(ledger: Ledger) -> LedgerRegister:
    return LedgerRegister(ledger, ledger.local, drawing=Drawing(capacity=LEAST_CAPACITY))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "public" / "lists"


def put_out(register: LedgerRegister, folder: Path, **settings: object) -> tuple[Published, ...]:
    arguments: dict[str, object] = {"signer": SIGNER, "trust": TRUST, "now": NOW, **settings}
    return publish(register, folder, **arguments)


def test_what_is_published_is_what_the_register_says(register: LedgerRegister, folder: Path) -> None:
    references = register.allot_many([PERMIT.number] * 100)
    register.set(references[0], Status.INVALID)
    register.set(references[99], Status.SUSPENDED)
    published = put_out(register, folder, base="https://status.example/", ttl=timedelta(minutes=5))
    assert [one.content.number for one in published] == [1, 2]
    assert sorted(file.name for file in folder.iterdir()) == ["1.cwt", "1.txt", "2.cwt", "2.txt"]
    assert [one.size for one in published] == [one.file.stat().st_size for one in published]
    assert (published[1].content.uri, published[1].content.ttl) == ("https://status.example/2", timedelta(minutes=5))
    lists = StatusLists.load(folder, TRUST, now=NOW)
    assert lists.problems == ()
    found = [lists.lookup(reference, now=NOW) for reference in references]
    assert [answer and answer.status for answer in found] == [register.status(one) for one in references]


def test_an_empty_register_has_nothing_to_publish(register: LedgerRegister, folder: Path) -> None:
    assert put_out(register, folder) == ()


def test_terminals_take_each_publication_for_newer(register: LedgerRegister, folder: Path) -> None:
    """Even three in one second."""
    reference = register.allot()
    lists = StatusLists()
    for status in (Status.VALID, Status.SUSPENDED, Status.INVALID):
        register.set(reference, status)
        (published,) = put_out(register, folder)
        lists.add(published.file.read_bytes(), TRUST, now=NOW)
        answer = lists.lookup(reference, now=NOW)
        assert answer is not None
        assert answer.status is status


def test_a_list_too_large_for_a_code_leaves_no_old_text(ledger: Ledger, folder: Path) -> None:
    register = LedgerRegister(ledger, ledger.local)
    references = register.allot_many([""] * 4000)
    (published,) = put_out(register, folder)
    assert published.text_file == folder / "1.txt"
    assert len(published.text_file.read_text()) <= MAX_TEXT
    register.set_all(references, Status.INVALID)
    (published,) = put_out(register, folder)
    assert published.text_file is None
    assert [file.name for file in folder.iterdir()] == ["1.cwt"]


def test_an_old_copy_of_the_ledger_does_not_bring_anybody_back(tmp_path: Path, folder: Path) -> None:
    file, copied = tmp_path / "ledger.db", tmp_path / "copy.db"
    with Ledger.open(file, region="331000", clock=lambda: NOW) as ledger:
        reference = LedgerRegister(ledger, ledger.local).allot()
    shutil.copy(file, copied)
    with Ledger.open(file, clock=lambda: NOW) as ledger, Ledger.open(copied, clock=lambda: NOW) as copy:
        register = LedgerRegister(ledger, ledger.local)
        register.set(reference, Status.INVALID)
        (published,) = put_out(register, folder)
        before = published.file.read_bytes()
        with pytest.raises(InputError, match="old copy"):
            put_out(LedgerRegister(copy, copy.local), folder)
    assert published.file.read_bytes() == before


def test_what_stands_in_the_folder_and_does_not_count_is_replaced(register: LedgerRegister, folder: Path) -> None:
    register.allot()
    folder.mkdir(parents=True)
    (folder / "1.cwt").write_bytes(b"noise")
    (published,) = put_out(register, folder)
    assert read_status_list(published.file.read_bytes()) == published.content


def test_a_register_that_was_killed_before_it_took_the_publication_down_goes_on(
    register: LedgerRegister, ledger: Ledger, folder: Path
) -> None:
    """The file is there, the ledger knows nothing of it: the next one is later all the same."""
    register.allot()
    (first,) = put_out(register, folder)
    with ledger.transaction(ledger.local) as tx:
        tx.db.execute(sa.update(schema.status_lists).values(published=0))
    (second,) = put_out(register, folder)
    assert second.content.issued_at == first.content.issued_at + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("signer", "trust"),
    [
        (OTHER_SIGNER, TRUST),
        (SIGNER, TrustList([trusted(use=[KeyUse.CREDENTIAL])])),
        (SIGNER, TrustList([trusted(not_after=NOW - timedelta(days=1))])),
    ],
    ids=["unknown", "not for lists", "out of its period"],
)
def test_a_list_that_no_terminal_would_take_is_not_published(
    signer: object, trust: TrustList, register: LedgerRegister, folder: Path
) -> None:
    register.allot()
    with pytest.raises(KeyUseError, match="terminals would not accept"):
        put_out(register, folder, signer=signer, trust=trust)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written(register: LedgerRegister, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        put_out(register, blocked / "below")


def test_a_publisher_killed_between_two_bytes_leaves_the_old_list(
    register: LedgerRegister, folder: Path, tmp_path: Path, database: str
) -> None:
    reference = register.allot()
    (before,) = put_out(register, folder)
    register.set(reference, Status.INVALID)
    SIGNER.save(tmp_path / "key.pem")
    TRUST.save(tmp_path / "trust.json")
    code = """
import os, sys
from datetime import datetime
from pathlib import Path
from juying.credential.publish import publish
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.ledger.ledger import Ledger
from juying.ledger.register import LedgerRegister

os.fsync = lambda handle: os._exit(9)  # everything is written, nothing is in its place yet
here, now = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[3])
with Ledger.open(sys.argv[4], clock=lambda: now) as ledger:
    publish(
        LedgerRegister(ledger, ledger.local),
        Path(sys.argv[2]),
        SoftwareSigner.load(here / "key.pem"),
        TrustList.load(here / "trust.json"),
        now=now,
    )
"""
    arguments = [sys.executable, "-c", code, str(tmp_path), str(folder), NOW.isoformat(), database]
    assert subprocess.run(arguments, cwd=Path(__file__).parents[2], timeout=60, check=False).returncode == 9
    assert before.file.read_bytes() == (folder / "1.cwt").read_bytes()
    (after,) = put_out(register, folder)
    assert after.content.status(reference.index) is Status.INVALID
    assert StatusLists.load(folder, TRUST, now=NOW).problems == ()


# Renewing


def credential(register: LedgerRegister, **changes: object) -> tuple[StatusReference, str]:
    reference = register.allot(PERMIT.number)
    fields: dict[str, object] = {"status": reference, "holder_key": HOLDER_KEY, **changes}
    return reference, to_text(signed(claims(**fields).encode()))


def test_a_renewed_credential_says_the_same_anew(register: LedgerRegister, tmp_path: Path) -> None:
    """The new key of the quarter signs, the holder key stays, and the old place is revoked."""
    old, text = credential(register)
    trust = TrustList([trusted(), trusted(OTHER_SIGNER)])
    renewal = renew(text, tmp_path / "new.txt", register, OTHER_SIGNER, trust, now=LATER)
    assert (renewal.done, renewal.verdict, renewal.old) == (True, Verdict.VALID_STALE_STATUS, old)
    result = verify((tmp_path / "new.txt").read_text().strip(), trust, now=LATER)
    assert result.key is not None
    assert result.key.kid == OTHER_SIGNER.kid
    assert result.claims == renewal.claims
    assert result.claims is not None
    before = claims(status=result.claims.status, holder_key=HOLDER_KEY)
    assert result.claims.issued_at == LATER
    assert (result.claims.name, result.claims.holder_key) == (before.name, HOLDER_KEY)
    new = result.claims.status
    assert new is not None
    assert (register.status(old), register.status(new)) == (Status.INVALID, Status.VALID)
    assert register.history(old)[-1].reason is Reason.SUPERSEDED
    assert register.find(PERMIT.number) == (old, new)


def test_a_credential_without_status_gets_one(register: LedgerRegister, tmp_path: Path) -> None:
    text = to_text(signed(claims().encode()))
    renewal = renew(text, tmp_path / "new.txt", register, SIGNER, TRUST, now=LATER)
    assert (renewal.done, renewal.verdict, renewal.old) == (True, Verdict.VALID, None)
    assert renewal.claims is not None
    assert renewal.claims.status is not None
    assert register.status(renewal.claims.status) is Status.VALID


@pytest.mark.parametrize(
    ("status", "verdict"), [(Status.INVALID, Verdict.REVOKED), (Status.SUSPENDED, Verdict.SUSPENDED)]
)
def test_a_revoked_credential_is_not_renewed(
    status: Status, verdict: Verdict, register: LedgerRegister, tmp_path: Path
) -> None:
    reference, text = credential(register)
    register.set(reference, status)
    renewal = renew(text, tmp_path / "new.txt", register, SIGNER, TRUST, now=LATER)
    assert (renewal.done, renewal.verdict) == (False, verdict)
    assert not (tmp_path / "new.txt").exists()
    assert register.find(PERMIT.number) == (reference,)


def test_neither_is_an_expired_or_a_forged_one(register: LedgerRegister, tmp_path: Path) -> None:
    _, text = credential(register)
    years = timedelta(days=5 * 365)
    renewal = renew(text, tmp_path / "new.txt", register, SIGNER, TRUST, now=NOW + years)
    assert (renewal.done, renewal.verdict) == (False, Verdict.EXPIRED)
    forged = to_text(signed(from_text(text), signer=OTHER_SIGNER))
    renewal = renew(forged, tmp_path / "new.txt", register, SIGNER, TRUST, now=LATER)
    assert (renewal.done, renewal.claims) == (False, None)
    assert list(register.find(PERMIT.number)) == [register.find(PERMIT.number)[0]]


def test_a_credential_of_another_register_is_not_renewed(register: LedgerRegister, tmp_path: Path) -> None:
    text = to_text(signed(claims(status=StatusReference(1, 5)).encode()))
    with pytest.raises(InputError, match="not issued from this register"):
        renew(text, tmp_path / "new.txt", register, SIGNER, TRUST, now=LATER)


def test_a_renewal_that_cannot_be_kept_leaves_the_old_one_good(register: LedgerRegister, tmp_path: Path) -> None:
    """Then it is done again, and what the first attempt left is revoked too."""
    old, text = credential(register)
    with pytest.raises(InputError, match="cannot be written"):
        renew(text, tmp_path / "no folder" / "new.txt", register, SIGNER, TRUST, now=LATER)
    assert register.status(old) is Status.VALID
    renew(text, tmp_path / "new.txt", register, SIGNER, TRUST, now=LATER)
    _, lost, new = register.find(PERMIT.number)
    assert [register.status(one) for one in (old, lost, new)] == [Status.INVALID, Status.INVALID, Status.VALID]


def test_what_is_kept_elsewhere_is_confirmed_there(register: LedgerRegister, tmp_path: Path) -> None:
    old, text = credential(register)
    kept = []
    renew(text, tmp_path / "new.txt", register, SIGNER, TRUST, now=LATER, keep=lambda *told: kept.append(told))
    ((before, new, record),) = kept
    assert before == old
    assert to_text(record) == (tmp_path / "new.txt").read_text().strip()
    assert [register.status(one) for one in (old, new)] == [Status.VALID, Status.VALID]


def test_a_key_that_no_terminal_trusts_renews_nothing(register: LedgerRegister, tmp_path: Path) -> None:
    old, text = credential(register)
    with pytest.raises(KeyUseError, match="does not verify"):
        renew(text, tmp_path / "new.txt", register, OTHER_SIGNER, TRUST, now=LATER)
    assert register.status(old) is Status.VALID
    assert not (tmp_path / "new.txt").exists()
