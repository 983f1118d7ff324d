"""Issuing again: nothing changes that is right, nothing is doubled, and what was interrupted is finished."""

import contextlib
import csv
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from juying.card.ssc import SscCard
from juying.card.virtual.image import load_card
from juying.card.virtual.transport import LocalTransport
from juying.credential.issue import to_text
from juying.issuance import blanks, card_folder, lock
from juying.ledger import schema
from juying.ledger.ledger import Ledger
from tests.cli.conftest import Juying
from tests.cli.desk import EXAMPLES, applicant, files_below, sheet

NUMBER = "JY0000010"


def outcomes(document: dict[str, list[dict[str, str]]]) -> list[str]:
    return [row["outcome"] for row in document["rows"]]


def holders(out: Path) -> dict[str, str]:
    """Card number by holder's number, of every card below a folder; each holder may have only one."""
    found: dict[str, str] = {}
    for image in out.glob("*/card.vcard"):
        with LocalTransport(load_card(image)) as transport:
            values = SscCard.open(transport).read().values
        owner, number = values["holder.social_security_number"], values["card.number"]
        assert number == image.parent.name
        assert found.setdefault(str(owner), str(number)) == number, "two cards for one person"
    return found


def test_a_second_run_changes_no_byte(juying: Juying) -> None:
    path = sheet(applicant(0, photo="photo.png"), applicant(1, card_number="JYX000010"))
    Path("photo.png").write_bytes((EXAMPLES.parent / "photos" / "musterfrau.png").read_bytes())
    first = juying("issue", path, "--out", "out", "--json")
    assert outcomes(first.document) == ["issued", "issued"]
    before = files_below(Path("out"))
    second = juying("issue", path, "--out", "out", "--json")
    assert (second.status, outcomes(second.document)) == (0, ["unchanged", "unchanged"])
    after = files_below(Path("out"))
    assert after.pop("report.csv") != before.pop("report.csv")
    assert after == before


def test_a_row_whose_credential_was_revoked_is_not_passed_over_in_silence(juying: Juying) -> None:
    """Revoking a credential says what it leaves alone; issuing again says that it is revoked, until it is replaced."""
    path = sheet(applicant(0), applicant(1))
    juying("issue", path, "--out", "out")
    ledger = ("--ledger", "out/ledger.db")
    told = juying("credential", "revoke", f"out/{NUMBER}/minimal.txt", *ledger).err
    assert all(words in told for words in ("when the status list is published", "permit, card and orders are as they"))
    assert "permit, card" not in juying("credential", "revoke", f"out/{NUMBER}/minimal.txt", *ledger).err, "it was"
    for again in (juying("issue", path, "--out", "out", "--json"), juying("lot", "preview", path, *ledger, "--json")):
        first, second = again.document["rows"]
        assert any("its credential was revoked" in note["en"] for note in first["notes"])
        assert not any("revoked" in note["en"] for note in second["notes"])
    assert juying("permit", "reissue", NUMBER, "--reason", "damaged", *ledger).status == 0
    first, _ = juying("issue", path, "--out", "out", "--json").document["rows"]
    assert first["outcome"] == "issued"
    first, _ = juying("issue", path, "--out", "out", "--json").document["rows"]
    assert not any("revoked" in note["en"] for note in first["notes"])


def test_a_changed_row_renews_the_permit_in_the_other_slot(juying: Juying) -> None:
    juying("issue", sheet(applicant(0), applicant(1)), "--out", "out")
    before = files_below(Path("out", NUMBER))
    moved = applicant(0, employer_name="台州虚构缝制设备有限公司", employer_code="91331002MA00AAA100")
    done = juying("issue", sheet(moved, applicant(1)), "--out", "out", "--json")
    assert (done.status, outcomes(done.document)) == (0, ["issued", "unchanged"])
    assert done.document["rows"][0]["card_number"] == NUMBER
    after = files_below(Path("out", NUMBER))
    assert all(after[name] != before[name] for name in ("card.vcard", "credential.txt", "credential.png"))
    assert after["credential-paper.png"] != before["credential-paper.png"]
    assert juying("verify", f"out/{NUMBER}/credential.png", "--json").document["claims"]["employer_code"] == (
        "91331002MA00AAA100"
    )
    with LocalTransport(load_card(Path("out", NUMBER, "card.vcard"))) as transport:
        slots = SscCard.open(transport).read_slots()
    assert [slot.sequence if slot else None for slot in slots] == [1, 2]
    reading = juying("read", "--virtual", f"out/{NUMBER}/card.vcard", "--json").document
    assert (reading["permit"]["signature"], reading["permit"]["employer"]) == ("valid", "台州虚构缝制设备有限公司")


class Killed(BaseException):
    """The process ends here, as far as the code under test is concerned."""


def kill_at(patch: pytest.MonkeyPatch, moment: int) -> Callable[[], int]:
    """Let the process die at the ``moment``-th point at which a file, a card or the ledger changes; how many."""
    points = 0

    def doomed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal points
            points += 1
            if points == moment:
                raise Killed
            return function(*arguments, **named)

        return call

    points_of = ((card_folder, "write_atomically"), (card_folder, "save_picture"), (blanks, "save_card"))
    for module, name in (*points_of, (Ledger, "transaction")):
        patch.setattr(module, name, doomed(getattr(module, name)))
    return lambda: points


def draw_fast(_text: str, _verified: object, path: Path, **_: object) -> None:
    path.write_bytes(b"picture")


def test_a_run_killed_at_any_point_is_finished_by_the_next(juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_folder, "save_picture", draw_fast)
    path = sheet(applicant(0), applicant(1))
    moment = 0
    while True:
        moment += 1
        out = f"out{moment}"
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
            points = kill_at(patch, moment)
            juying("issue", path, "--out", out)
        if points() < moment:
            break
        done = juying("issue", sheet(applicant(1), applicant(0)), "--out", out, "--json")
        assert done.status == 0, moment
        assert len(holders(Path(out))) == 2
        assert {len(files) for files in (list(folder.iterdir()) for folder in Path(out).glob("JY*"))} <= {0, 6}
        again = juying("issue", path, "--out", out, "--json")
        assert outcomes(again.document) == ["unchanged", "unchanged"], moment
    assert moment > 12, "two texts, a card, its image and three pictures for each of two applicants"


def die(*_: object, **__: object) -> None:
    raise Killed


def test_pictures_never_show_an_older_text(juying: Juying) -> None:
    """A renewal that dies before it draws leaves no picture of the old permit behind."""
    juying("issue", sheet(applicant(0)), "--out", "out")
    renewed = sheet(applicant(0, position="首席工程师"))
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(card_folder, "save_picture", die)
        juying("issue", renewed, "--out", "out")
    assert not list(Path("out").glob("*/*.png"))
    assert juying("issue", renewed, "--out", "out", "--json").document["rows"][0]["outcome"] == "issued"
    claims = juying("verify", f"out/{NUMBER}/credential.png", "--json").document["claims"]
    assert claims["position"] == "首席工程师"


def test_a_missing_picture_is_drawn_again(juying: Juying) -> None:
    path = sheet(applicant(0))
    juying("issue", path, "--out", "out")
    before = files_below(Path("out", NUMBER))
    Path("out", NUMBER, "credential.png").unlink()
    assert outcomes(juying("issue", path, "--out", "out", "--json").document) == ["issued"]
    assert files_below(Path("out", NUMBER)) == before


def test_drafts_of_a_killed_run_are_taken_away(juying: Juying) -> None:
    path = sheet(applicant(0))
    Path("out", NUMBER).mkdir(parents=True)
    Path("out", NUMBER, ".credential.txt.0a1b2c3d").write_text("half")
    done = juying("issue", path, "--out", "out", "--json")
    assert done.document["rows"][0]["card_number"] == NUMBER, "a folder with nothing in it gives its number away"
    assert not list(Path("out", NUMBER).glob(".*"))


def test_a_killed_process_leaves_nothing_that_stops_the_next(home: Path, juying: Juying) -> None:
    """A real process, killed for real while it issues the fourth of fourteen applicants."""
    arguments = ["issue", str(EXAMPLES), "--out", "out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "juying.cli", *arguments], cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        assert process.stderr is not None
        for _ in range(3):
            process.stderr.readline()
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    with Path("out/report.csv").open(encoding="utf-8") as file:
        done_before = {line["row"]: line["card_number"] for line in csv.DictReader(file)}
    assert 3 <= len(done_before) < 14
    done = juying(*arguments, "--json")
    assert done.status == 0
    numbers = {str(row["row"]): row["card_number"] for row in done.document["rows"]}
    assert numbers.items() >= done_before.items(), "who had a number keeps it"
    assert len(set(numbers.values())) == 14
    assert len(holders(Path("out"))) == 14
    assert outcomes(juying(*arguments, "--json").document) == ["unchanged"] * 14


def test_two_runs_in_one_folder_at_once(juying: Juying, home: Path) -> None:
    """The second is refused while the first is at work, touches nothing, and may run afterwards."""
    path = sheet(applicant(0))
    ready, go = threading.Event(), threading.Event()

    def first() -> None:
        with lock.locked(home / "out"):
            ready.set()
            go.wait(30)

    Path("out").mkdir()
    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert ready.wait(30)
        done = juying("issue", path, "--out", "out", "--json")
    finally:
        go.set()
        thread.join()
    assert done.status == 2
    assert done.document["error"]["where"] == "out"
    assert "another run" in done.document["error"]["en"]
    assert {Path(name).stem for name in files_below(home / "out")} == {".lock", "ledger"}
    with Ledger.open("out/ledger.db", make=False) as ledger, ledger.reading() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(schema.events)).scalar() == 0
    assert juying("issue", path, "--out", "out").status == 0


def test_two_processes_in_one_folder_at_once_give_no_number_twice(home: Path, juying: Juying) -> None:
    arguments = [sys.executable, "-m", "juying.cli", "issue", str(EXAMPLES), "--out", "out"]
    both = [
        subprocess.Popen(arguments, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in both]
    statuses = sorted(process.returncode for process in both)
    assert statuses in ([0, 0], [0, 2]), said
    if statuses == [0, 2]:
        assert any("another run is at work" in text for text in said)
    assert juying("issue", EXAMPLES, "--out", "out").status == 0
    assert len(holders(Path("out"))) == 14


def test_a_number_that_is_somebody_elses_is_refused_and_nothing_is_touched(juying: Juying) -> None:
    juying("issue", sheet(applicant(0)), "--out", "out")
    before = files_below(Path("out", NUMBER))
    done = juying("issue", sheet(applicant(1, card_number=NUMBER)), "--out", "out", "--json")
    assert (done.status, outcomes(done.document)) == (1, ["invalid"])
    assert "another applicant" in done.document["rows"][0]["error"]
    assert files_below(Path("out", NUMBER)) == before


def test_nobody_gets_a_second_card_by_asking_for_another_number(juying: Juying) -> None:
    juying("issue", sheet(applicant(0)), "--out", "out")
    done = juying("issue", sheet(applicant(0, card_number="JYX000010")), "--out", "out", "--json")
    assert (done.status, outcomes(done.document)) == (1, ["invalid"])
    assert NUMBER in done.document["rows"][0]["error"]
    assert not Path("out/JYX000010").exists()


def test_a_new_permit_goes_onto_the_card_that_the_holder_has(juying: Juying) -> None:
    juying("issue", sheet(applicant(0, card_number=NUMBER)), "--out", "out")
    renewed = applicant(0, card_number=NUMBER, permit_number="ZJ20279999")
    done = juying("issue", sheet(renewed), "--out", "out", "--json")
    assert (done.status, outcomes(done.document)) == (0, ["issued"])
    reading = juying("read", "--virtual", f"out/{NUMBER}/card.vcard", "--json").document
    assert reading["permit"]["number"] == "ZJ20279999"


def test_a_permit_that_became_somebody_elses_is_wrong(juying: Juying) -> None:
    """The same permit with another passport, from which another social security number would follow."""
    juying("issue", sheet(applicant(0)), "--out", "out")
    card = Path("out", NUMBER, "card.vcard").read_bytes()
    done = juying("issue", sheet(applicant(0, document_number="C0OTHER99")), "--out", "out", "--json")
    assert (done.status, outcomes(done.document)) == (1, ["invalid"])
    assert "the permit number belongs to another person" in done.document["rows"][0]["error"]
    assert Path("out", NUMBER, "card.vcard").read_bytes() == card


def test_numbers_are_kept_when_the_issuing_key_changes(juying: Juying) -> None:
    juying("issue", sheet(applicant(0)), "--out", "out")
    shutil.rmtree("build/demo-keys")
    done = juying("issue", sheet(applicant(1), applicant(0)), "--out", "out", "--json")
    numbers = [row["card_number"] for row in done.document["rows"]]
    assert (outcomes(done.document), numbers[1]) == (["issued", "unchanged"], NUMBER)
    assert len(holders(Path("out"))) == 2


@pytest.mark.parametrize("content", [b"", b"JY1:%%%", to_text(b"no credential").encode(), "聚英".encode()])
def test_a_folder_with_an_unreadable_credential_keeps_its_number(content: bytes, juying: Juying) -> None:
    Path("out", NUMBER).mkdir(parents=True)
    Path("out", NUMBER, "credential.txt").write_bytes(content)
    Path("out/notes.txt").write_text("of the office")
    done = juying("issue", sheet(applicant(0)), "--out", "out", "--json")
    assert done.document["rows"][0]["card_number"] == "JY0000029"
    assert Path("out", NUMBER, "credential.txt").read_bytes() == content
