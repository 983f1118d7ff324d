"""``juying worker`` and ``juying jobs``."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from juying.cli import worker
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.errors import InputError
from juying.issuance.workflows.delivery import Mail
from juying.issuance.workflows.enrolling import Drop, Library
from juying.ledger import schema
from juying.ledger.ledger import Ledger
from juying.ledger.people import add_permits, add_persons
from tests import people
from tests.cli.conftest import Juying
from tests.cli.desk import ROOT
from tests.issuance.worker_process import GymService
from tests.issuing import add_lot


def today() -> date:
    return datetime.now(UTC).date()


@pytest.fixture
def ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger with three permits, of which one ends soon and one has run out."""
    where = str(home / "ledger.db")
    monkeypatch.setenv("JUYING_LEDGER", where)
    until = [today() + timedelta(days=left) for left in (2000, 60, -1)]
    with Ledger.open(where, region="331000") as made, made.transaction(made.local) as tx:
        persons = [people.holder(document_number=f"X{number}", email="a@example.org") for number in range(3)]
        ids = add_persons(tx, [(person, None) for person in persons])
        start = today() - timedelta(days=300)
        permits = [
            people.permit(number=f"ZJ{number}", valid_from=start, valid_until=day) for number, day in enumerate(until)
        ]
        add_permits(tx, [(person, permit, None) for person, permit in zip(ids, permits, strict=True)])
    return where


def start(juying: Juying, *arguments: str) -> str:
    done = juying("jobs", "start", *arguments)
    assert (done.status, done.err) == (0, "")
    return done.out.strip()


def test_credentials_are_signed_and_drawn_by_a_worker(juying: Juying, ledger: str) -> None:
    job = start(juying, "sign")
    assert start(juying, "sign") == job
    assert juying("jobs", "list").out.split() == [job, "等待", "/", "waiting", "0/?"]
    worked = juying("worker", "--until-idle", "--only", "sign", "--pictures", "pictures")
    assert worked.status == 0
    assert worked.out == ""
    assert f"{job}: 共 1 部分 / parts: 1" in worked.err
    assert f"{job}/00000: signed 4, drawn 4" in worked.err
    shown = juying("jobs", "show", job, "--json").document
    assert (shown["state"], shown["parts"], shown["done"]) == ("done", 1, 1)
    assert (shown["counts"], shown["problems"]) == ({"signed": 4, "drawn": 4}, [])
    assert "完成 / done" in juying("jobs", "show", job).out
    assert [each["job"] for each in juying("jobs", "list", "--json").document["jobs"]] == [job]
    pictures = list(Path("pictures").rglob("*.png"))
    assert len(pictures) == 4
    assert juying("verify", pictures[0], "--json").document["verdict"].startswith("valid")


def test_a_lot_that_is_not_there_is_told(juying: Juying, ledger: str) -> None:
    done = juying("jobs", "start", "sign", "--lot", "May")
    assert (done.status, "no lot of this name" in done.err) == (2, True)


def test_a_lot_is_signed_alone(juying: Juying, ledger: str) -> None:
    with Ledger.open(ledger) as opened:
        lot, _ = add_lot(opened, 1, name="May", valid_from=today(), valid_until=today() + timedelta(days=500))
    job = start(juying, "sign", "--lot", "May")
    assert juying("jobs", "show", job, "--json").document["scope"] == {"lot": lot}


def test_the_other_jobs(juying: Juying, ledger: str, home: Path) -> None:
    """Each is done by a worker that is given what it needs."""
    jobs = [start(juying, "enrol", "--service", "gym"), start(juying, "remind"), start(juying, "expire")]
    jobs += [start(juying, "publish"), start(juying, "sign", "--redraw")]
    worked = juying(
        "worker", "--until-idle", "--json", "--station", "desk", "--publish", "lists", "--service", "gym", "--drop",
        "drop", "--outbox", "outbox", "--mail-from", "office@example.org",
    )  # fmt: skip
    assert (worked.status, worked.err) == (0, "")
    events = [json.loads(line) for line in worked.out.splitlines()]
    assert {event["event"] for event in events} == {"started", "planned", "part", "ended"}
    counts = [juying("jobs", "show", job, "--json").document["counts"] for job in jobs]
    assert counts[0]["enrolled"] == 2
    assert counts[1:3] == [{"reminded": 1}, {"expired": 1}]
    assert counts[4] == {"signed": 4}
    assert len(list(Path("drop/gym").iterdir())) == 2
    assert len(list(Path("outbox").iterdir())) == 1
    table = juying("jobs", "list").out
    assert table.count("完成 / done") == 5


def test_what_fails_has_a_status_of_its_own_and_is_tried_again(juying: Juying, ledger: str) -> None:
    job = start(juying, "enrol", "--service", "library.nowhere")
    assert juying("worker", "--until-idle", "--service", "gym", "--drop", "drop").status == 0
    shown = juying("jobs", "show", job)
    assert shown.status == 1
    assert "not configured" in shown.out
    assert juying("jobs", "retry", job, "--json").document["state"] == "waiting"
    assert juying("jobs", "cancel", job, "--json").document["state"] == "cancelled"


def test_schedules(juying: Juying, ledger: str) -> None:
    assert juying("jobs", "schedules").out == "没有定时 / nothing is scheduled\n"
    done = juying("jobs", "schedule", "expire", "30 2 * * *")
    assert done.out.split() == ["expire", "30", "2", "*", "*", "*"]
    assert juying("jobs", "schedules", "--json").document["schedules"][0]["times"] == "30 2 * * *"
    assert juying("jobs", "schedule", "expire", "soon").status == 2
    assert juying("jobs", "unschedule", "expire", "--json").document == {"schedules": []}


def test_nothing_to_show(juying: Juying, ledger: str) -> None:
    assert juying("jobs", "list").out == "没有任务 / there are no jobs\n"
    assert juying("jobs", "workers").out == "没有工作进程在运行 / no worker runs\n"
    assert juying("jobs", "show", "sign-1").status == 2


def test_workers_are_listed_while_they_run(juying: Juying, ledger: str) -> None:
    with Ledger.open(ledger) as opened, opened.transaction(opened.local) as tx:
        tx.db.execute(schema.stations.insert().values(name="desk", made_at=tx.now))
        values = {"executor": "1-a", "station_id": 1, "kinds": "sign,expire", "began_at": tx.now, "seen_at": tx.now}
        tx.db.execute(schema.workers.insert().values(values))
    (row,) = juying("jobs", "workers", "--json").document["workers"]
    assert (row["worker"], row["station"], row["kinds"]) == ("1-a", "desk", ["sign", "expire"])
    assert "sign, expire" in juying("jobs", "workers").out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["jobs", "start", "dance"], "no such kind of job"),
        (["jobs", "start", "expire", "--lot", "May"], "for sign alone"),
        (["jobs", "start", "enrol"], "enrol needs --service"),
        (["jobs", "start", "expire", "--service", "gym"], "enrol needs --service"),
        (["worker", "--only", "dance"], "no such kind of job"),
        (["worker", "--service", "gym"], "goes with --drop"),
        (["worker", "--outbox", "x", "--smtp", "y"], "exclude each other"),
        (["worker", "--outbox", "x"], "need a sender"),
        (["worker", "--smtp", "mail:x", "--mail-from", "a@example.org"], "HOST:PORT"),
        (["worker", "--only", "remind"], "equipped for no job"),
        (["worker", "--key", "x.pem"], "go together"),
    ],
)
def test_bad_use(juying: Juying, ledger: str, arguments: list[str], why: str) -> None:
    done = juying(*arguments)
    assert (done.status, why in done.err) == (2, True), done.err


def test_a_worker_with_a_key_of_its_own(juying: Juying, ledger: str) -> None:
    signer = SoftwareSigner.generate()
    now = datetime.now(UTC)
    period = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=30)}
    signer.save(Path("issuer.pem"))
    TrustList([people.trusted(signer, **period)]).save(Path("trust.json"))
    job = start(juying, "sign")
    assert juying("worker", "--until-idle", "--key", "issuer.pem", "--trust", "trust.json").status == 0
    assert juying("jobs", "show", job, "--json").document["counts"] == {"signed": 4}
    assert not Path("build").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_worker_in_order(ledger: str, home: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "juying.cli", "worker", "--only", "expire", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    with process:
        assert json.loads(process.stdout.readline())["event"] == "started"
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, json.loads(out)["event"]) == (0, "ended")
    assert err == "做完当前步骤后结束，再按一次立即结束 / ending after the steps under way; once more to end now\n"


def test_the_second_signal_ends_it_now() -> None:
    stopped: list[bool] = []
    before = signal.getsignal(signal.SIGINT)
    with worker._ending(lambda: stopped.append(True)):
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped == [True]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({"event": "unavailable", "zh": "不通", "en": "away"}, "不通；稍后再试 / away; tried again later"),
        (
            {"event": "taken-over", "worker": "1-a", "workflows": 2},
            "工作进程 1-a 已死，接手 2 件 / worker 1-a is dead, 2 taken over from it",
        ),
        ({"event": "part", "part": "x/1", "signed": 3, "problems": 2}, "x/1: signed 3, problems 2"),
        ({"event": "ended", "worker": "1-a"}, "已结束 / ended"),
    ],
)
def test_what_happens_is_told_in_words(
    event: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    worker._told(as_json=False)(event)
    assert capsys.readouterr().err == sentence + "\n"


def test_services_are_those_of_the_sites_and_those_that_get_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = '[library.taizhou]\nhost = "127.0.0.1"\nport = 6001\ntitle = "T"\ninstitution = "x"\ntls = false\n'
    Path("sites.toml").write_text(table)
    with ExitStack() as stack:
        assert worker._services(stack, Path("sites.toml"), [], None) == {}
        monkeypatch.setenv("JUYING_SITES", "sites.toml")
        found = worker._services(stack, None, ["gym"], Path("drop"))
    assert isinstance(found["library.taizhou"], Library)
    assert found["gym"] == Drop("gym", Path("drop"))


def test_a_service_that_enrols_by_itself_is_asked_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gym, other = GymService(1), SimpleNamespace(name="other")
    monkeypatch.setattr("juying.services.sites.adapters", lambda tables, wanted: (gym, other))
    Path("sites.toml").write_text("")
    with ExitStack() as stack:
        assert worker._services(stack, Path("sites.toml"), [], None) == {"gym": gym}


def test_a_mail_server_is_named_with_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_SMTP_USER", "office")
    plain, other = worker._delivery("mail.example.org", None), worker._delivery("mail.example.org:587", None)
    assert isinstance(plain, Mail)
    assert isinstance(other, Mail)
    assert (plain.port, other.port, plain.user) == (465, 587, "office")
    with pytest.raises(InputError):
        worker._delivery(":25", None)
