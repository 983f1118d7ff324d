"""``juying credential revoke``, ``suspend``, ``resume``, ``renew``, ``status``, and lists on their way to terminals."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import issue, to_text
from juying.credential.status import Status
from juying.credential.status_list import sign_status_list
from juying.credential.status_server import StatusServer
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.issuance.demo_keys import FOLDER, demonstration_keys
from juying.ledger.ledger import Ledger
from juying.ledger.places import Drawing
from juying.ledger.register import LedgerRegister
from tests.cli.conftest import Juying
from tests.people import holder, permit

LEDGER = Path("ledger.db")
NUMBER = "ZJ20260001"


@dataclass
class Desk:
    """A ledger with the places of two credentials of one permit, and one that belongs to nobody known."""

    signer: SoftwareSigner
    full: StatusReference
    minimal: StatusReference
    other: StatusReference

    def signed(self, status: StatusReference | None, *, number: str = NUMBER, tier: Tier = Tier.FULL) -> str:
        """The text of a credential."""
        last_day = datetime.now(UTC).date() + timedelta(days=400)
        claims = Claims.of(
            holder(), permit(number=number, valid_until=last_day), tier=tier, issued_at=datetime.now(UTC), status=status
        )
        return to_text(issue(claims, self.signer))

    @property
    def text(self) -> str:
        """The text of the full credential."""
        return self.signed(self.full)


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("JUYING_LEDGER", str(LEDGER))
    signer, _ = demonstration_keys(FOLDER, region="331000")
    with Ledger.open(LEDGER, region="331000") as ledger:
        register = LedgerRegister(ledger, ledger.local, drawing=Drawing(capacity=64, below=_in_order()))
        desk = Desk(signer, *register.allot_many([NUMBER, NUMBER, ""]))
    Path("credential.txt").write_text(desk.text + "\n", "ascii")
    return desk


def _in_order():
    """Places in order, and no decoys."""
    places = iter(range(64))
    return lambda limit: next(places) if limit == 64 else 0


def statuses(*references: StatusReference) -> list[Status | None]:
    with Ledger.open(LEDGER, make=False) as ledger:
        register = LedgerRegister(ledger, ledger.local)
        return [register.status(reference) for reference in references]


def entry(reference: StatusReference) -> str:
    return f"{reference.list_number}:{reference.index}"


# Changing


def test_a_credential_is_suspended_resumed_and_revoked(desk: Desk, juying: Juying) -> None:
    for command, status in (
        ("suspend", Status.SUSPENDED),
        ("resume", Status.VALID),
        ("revoke", Status.INVALID),
    ):
        done = juying("credential", command, "credential.txt", "--json")
        assert done.status == 0
        row = {"list": 1, "index": desk.full.index, "permit_number": NUMBER, "status": status.name.lower()}
        expected = {"status": status.name.lower(), "changed": 1, "entries": [{**row, "changed": True}]}
        assert done.document == expected
        assert statuses(desk.full, desk.minimal) == [status, Status.VALID]


def test_what_is_done_is_done(desk: Desk, juying: Juying) -> None:
    """Revoking twice is no mistake; taking it back is."""
    juying("credential", "revoke", desk.text)
    done = juying("credential", "revoke", desk.text, "--json")
    assert (done.status, done.document["changed"]) == (0, 0)
    done = juying("credential", "resume", desk.text, "--json")
    assert (done.status, done.document["error"]["kind"]) == (2, "InputError")
    assert statuses(desk.full) == [Status.INVALID]


def test_all_credentials_of_a_permit(desk: Desk, juying: Juying) -> None:
    done = juying("credential", "revoke", "--permit", NUMBER, "--reason", "permit-ended", "--json")
    assert (done.status, done.document["changed"]) == (0, 2)
    assert statuses(desk.full, desk.minimal, desk.other) == [Status.INVALID, Status.INVALID, Status.VALID]


def test_permit_numbers_on_standard_input(desk: Desk, juying: Juying) -> None:
    """So that they stand in no list of processes and in no history of a shell."""
    done = juying("credential", "suspend", "--permit", "-", "--json", stdin=f"\ufeff{NUMBER}\r\n\r\nnobody\n".encode())
    assert (done.status, done.document["changed"]) == (0, 2)
    assert "no credential of one of the permits" in done.err
    assert "nobody" not in done.err
    assert juying("credential", "suspend", "--permit", "-", stdin=b"\xff\xfe").status == 2


def test_by_place_and_each_only_once(desk: Desk, juying: Juying) -> None:
    places = ["--entry", entry(desk.full), "--entry", entry(desk.other), "--permit", NUMBER]
    done = juying("credential", "suspend", desk.text, *places, "--json")
    assert [row["index"] for row in done.document["entries"]] == [desk.full.index, desk.other.index, desk.minimal.index]


def test_people_are_told_that_the_list_must_be_published(desk: Desk, juying: Juying) -> None:
    done = juying("credential", "revoke", "--entry", entry(desk.other))
    assert done.status == 0
    assert "已吊销" in done.out
    assert "when the status list is published" in done.err
    done = juying("credential", "revoke", "--entry", entry(desk.other))
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--permit", "nobody"],
        ["--entry", "1"],
        ["--entry", "1:x"],
        ["--entry", "1:99999999999"],
        ["--entry", "1:9999999999"],
        ["--entry", "１:1"],
        ["--entry", "1:63"],
        ["--entry", "7:1"],
        ["--permit", NUMBER, "--entry", "1:63"],
        ["--permit", NUMBER, "--reason", "superseded"],
        ["--permit", NUMBER, "--reason", "boredom"],
        ["--permit", NUMBER, "--ledger", "nothing.db"],
    ],
)
def test_nothing_is_changed_by_bad_use(arguments: list[str], desk: Desk, juying: Juying) -> None:
    done = juying("credential", "revoke", *arguments, "--json")
    assert done.status == 2
    assert done.document["error"]["zh"]
    assert statuses(desk.full, desk.minimal, desk.other) == [Status.VALID] * 3
    assert not Path("nothing.db").exists()


def test_without_a_ledger(desk: Desk, juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUYING_LEDGER")
    done = juying("credential", "revoke", "--permit", NUMBER)
    assert (done.status, "JUYING_LEDGER" in done.err) == (2, True)
    assert juying("credential", "revoke", "--permit", NUMBER, "--ledger", LEDGER).status == 0


def test_a_forged_credential_revokes_nobody(desk: Desk, juying: Juying) -> None:
    """Otherwise whoever knows a place could have it revoked."""
    forged = Desk(SoftwareSigner.generate(), desk.full, desk.minimal, desk.other).text
    done = juying("credential", "revoke", forged)
    assert done.status == 2
    assert "no credential of an issuer in the trust list" in done.err
    assert forged not in done.err
    assert statuses(desk.full) == [Status.VALID]


def test_neither_does_a_genuine_one_of_another_ledger(desk: Desk, juying: Juying) -> None:
    done = juying("credential", "revoke", desk.signed(desk.full, number="ZJ20269999"))
    assert (done.status, "another permit" in done.err) == (2, True)
    assert juying("credential", "revoke", desk.signed(StatusReference(1, 63))).status == 2
    assert statuses(desk.full) == [Status.VALID]


def test_a_credential_without_a_place_cannot_be_revoked(desk: Desk, juying: Juying) -> None:
    done = juying("credential", "revoke", desk.signed(None))
    assert (done.status, "cannot be revoked" in done.err) == (2, True)


# Asking


def test_the_ledger_is_asked(desk: Desk, juying: Juying) -> None:
    done = juying("credential", "status", "--permit", NUMBER, "--json")
    assert done.status == 0
    assert [row["status"] for row in done.document["entries"]] == ["valid", "valid"]
    juying("credential", "suspend", desk.text)
    done = juying("credential", "status", desk.text, "--json")
    assert done.status == 1
    (row,) = done.document["entries"]
    assert [(event["status"], event["reason"]) for event in row["history"]] == [
        ("valid", "issued"),
        ("suspended", "under-review"),
    ]
    assert juying("credential", "status", "--entry", "1:63", "--json").document["entries"][0]["status"] is None
    assert juying("credential", "status", "--entry", "1:63").status == 3
    assert juying("credential", "status", "--permit", "nobody").status == 3


def test_people_see_the_history(desk: Desk, juying: Juying) -> None:
    juying("credential", "revoke", desk.text, "--reason", "lost")
    done = juying("credential", "status", desk.text)
    assert done.status == 1
    assert all(words in done.out for words in ("已吊销", "card or phone lost", NUMBER))


def test_a_terminals_lists_are_asked(desk: Desk, juying: Juying) -> None:
    juying("credential", "revoke", desk.text)
    juying("credential", "publish", "lists")
    places = "--entry", entry(desk.minimal), "--lists", "lists"
    done = juying("credential", "status", *places, "--json")
    assert done.status == 0
    (row,) = done.document["entries"]
    assert (row["status"], row["expired"]) == ("valid", False)
    assert 0 <= row["age_seconds"] < 3600
    assert juying("credential", "status", desk.text, *places).status == 1
    assert juying("credential", "status", "--entry", "1:64", "--lists", "lists", "--json").status == 3
    assert juying("credential", "status", "--permit", NUMBER, "--lists", "lists").status == 2


def test_a_list_that_is_out_of_date_says_only_who_was_revoked(desk: Desk, juying: Juying) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    trust = TrustList.load(FOLDER / "trust.json")
    (key,) = trust
    TrustList(
        [type(key).of(desk.signer, issuer=key.issuer, region="331000", not_before=start, not_after=key.not_after)]
    ).save("trust.json")
    old = bytes([Status.VALID, Status.INVALID, 0, 0])
    Path("1.cwt").write_bytes(sign_status_list(old, desk.signer, number=1, issued_at=start))
    options = "--lists", "1.cwt", "--trust", "trust.json", "--json"
    done = juying("credential", "status", "--entry", "1:0", *options)
    assert (done.status, done.document["entries"][0]["expired"]) == (3, True)
    assert juying("credential", "status", "--entry", "1:1", *options).status == 1
    done = juying("credential", "status", *options)
    assert (done.status, done.document["lists"][0]["expired"]) == (3, True)
    assert done.document["lists"][0]["age_seconds"] >= 3 * 86_400


# Renewing


def test_a_credential_is_renewed(desk: Desk, juying: Juying) -> None:
    done = juying("credential", "renew", "credential.txt", "--out", "new.txt", "--json")
    assert done.status == 0
    new = done.document["new"]
    assert done.document == {
        "new": new,
        "renewed": True,
        "verdict": "valid_stale_status",
        "out": "new.txt",
        "old": {"list": 1, "index": desk.full.index},
        "order": None,
    }
    assert statuses(desk.full, StatusReference(new["list"], new["index"])) == [Status.INVALID, Status.VALID]
    assert juying("credential", "status", "new.txt").status == 0
    done = juying("credential", "renew", "credential.txt", "--out", "again.txt", "--json")
    assert (done.status, done.document["verdict"], done.document["new"]) == (1, "revoked", None)
    assert not Path("again.txt").exists()


def test_people_are_told_what_became_of_the_renewal(desk: Desk, juying: Juying) -> None:
    assert "when the status list is published" in juying("credential", "renew", desk.text, "--out", "a.txt").err
    assert "cannot be renewed" in juying("credential", "renew", desk.text, "--out", "b.txt").err
    done = juying("credential", "renew", desk.signed(None), "--out", "c.txt")
    assert (done.status, "cannot be revoked" in done.err) == (0, True)


def test_another_key_signs_with_its_trust_list(desk: Desk, juying: Juying) -> None:
    for option in (["--key", "key.pem"], ["--trust", "trust.json"]):
        done = juying("credential", "renew", desk.text, "--out", "new.txt", *option)
        assert (done.status, "go together" in done.err) == (2, True)
    done = juying("credential", "renew", desk.text, "--out", "new.txt", "--key", "key.pem", "--signing-key", "x")
    assert (done.status, "exclude each other" in done.err) == (2, True)
    key, trust = FOLDER / "issuer.pem", FOLDER / "trust.json"
    assert juying("credential", "renew", desk.text, "--out", "new.txt", "--key", key, "--trust", trust).status == 0


# Publishing, and taking in


def test_lists_are_published(desk: Desk, juying: Juying) -> None:
    arguments = "credential", "publish", "lists", "--base", "https://status.example/", "--ttl", "60", "--json"
    done = juying(*arguments)
    assert done.status == 0
    (row,) = done.document["lists"]
    issued, end = (datetime.fromisoformat(row[name]) for name in ("as_of", "expires_at"))
    assert end - issued == timedelta(days=1)
    assert (row["list"], row["entries"], row["file"]) == (1, 64, str(Path("lists", "1.cwt")))
    assert row["bytes"] == Path("lists", "1.cwt").stat().st_size
    assert juying("credential", "publish", "lists").out.count("1.cwt") == 1


def test_lists_are_not_published_with_settings_of_no_use(desk: Desk, juying: Juying) -> None:
    for settings in (["--ttl", "0"], ["--ttl", "7200", "--lifetime", "3600"], ["--base", "x"], ["--lifetime", "no"]):
        assert juying("credential", "publish", "lists", *settings).status == 2
    assert list(Path().glob("lists/*")) == []


def test_lists_travel_by_folder_file_and_text(desk: Desk, juying: Juying) -> None:
    juying("credential", "publish", "stick")
    for source in ("stick", "stick/1.cwt", "stick/1.txt"):
        done = juying("credential", "import-status", source, "--into", "terminal", "--json")
        assert (done.status, done.document["problems"]) == (0, [])
        (row,) = done.document["lists"]
        assert (row["list"], row["region"], row["demonstration"], row["expired"]) == (1, "331000", True, False)
    (file,) = Path("terminal").iterdir()
    assert file.name.startswith("331000-demo-1-")
    done = juying("credential", "status", "--lists", "terminal")
    assert (done.status, "331000" in done.out) == (0, True)


def test_an_older_list_is_not_taken_in(desk: Desk, juying: Juying) -> None:
    juying("credential", "publish", "old")
    juying("credential", "revoke", desk.text)
    juying("credential", "publish", "new")
    juying("credential", "import-status", "new", "--into", "terminal")
    done = juying("credential", "import-status", "old", "--into", "terminal", "--json")
    assert done.status == 3
    assert "older" in done.document["problems"][0]["en"]
    assert "older" in done.err
    assert juying("credential", "status", desk.text, "--lists", "terminal").status == 1


def test_one_bad_source_does_not_keep_the_others_out(desk: Desk, juying: Juying) -> None:
    juying("credential", "publish", "stick")
    Path("stick", "2.cwt").write_bytes(b"noise")
    sources = "nothing.cwt", "stick", "https://status.example/", "http://127.0.0.1:1/3", "http:///3"
    done = juying("credential", "import-status", *sources, "--into", "terminal", "--json")
    assert done.status == 3
    assert [problem["where"] for problem in done.document["problems"]] == [
        "nothing.cwt",
        str(Path("stick", "2.cwt")),
        "https://status.example/",
        "http://127.0.0.1:1/3",
        "",
    ]
    assert [row["list"] for row in done.document["lists"]] == [1]


def test_a_bad_file_in_the_terminals_folder_is_told(desk: Desk, juying: Juying) -> None:
    juying("credential", "publish", "terminal")
    Path("terminal", "x.cwt").write_bytes(b"noise")
    done = juying("credential", "status", "--lists", "terminal", "--json")
    assert (done.status, len(done.document["lists"]), len(done.document["problems"])) == (0, 1, 1)
    assert "x.cwt" in done.err


@contextmanager
def serving(folder: str) -> Iterator[str]:
    with StatusServer(Path(folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


def test_lists_travel_by_http(desk: Desk, juying: Juying) -> None:
    juying("credential", "publish", "public")
    with serving("public") as url:
        for _ in range(2):
            done = juying("credential", "import-status", f"{url}1", "--into", "terminal", "--json")
            assert (done.status, done.document["problems"]) == (0, [])
        done = juying("credential", "import-status", f"{url}2", "--into", "terminal")
        assert done.status == 3
        assert "404; no list at hand" in done.err
    done = juying("credential", "import-status", f"{url}1", "--into", "terminal")
    assert (done.status, "the list at hand stays" in done.err) == (3, True)


def test_the_command_serves_until_it_is_interrupted(desk: Desk, juying: Juying) -> None:
    juying("credential", "publish", "public")
    command = [sys.executable, "-m", "juying.cli", "credential", "serve-status", "public", "--port", "0"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=_environment(), bufsize=1
    )
    assert process.stderr is not None
    try:
        url = process.stderr.readline().partition("<")[0]
        done = juying("credential", "import-status", f"{url}1", "--into", "terminal")
        assert done.status == 0
    finally:
        process.send_signal(2)
        rest = process.communicate(timeout=30)
    assert (process.returncode, rest) == (130, (None, ""))


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_nothing_to_serve(desk: Desk, juying: Juying) -> None:
    assert juying("credential", "serve-status", "nothing").status == 2
    Path("empty").mkdir()
    with serving("empty") as url:
        port = url.rstrip("/").rpartition(":")[2]
        done = juying("credential", "serve-status", "empty", "--port", port)
    assert (done.status, "cannot listen" in done.err) == (2, True)
