"""``juying medical journal``: what is unfinished, finishing it, and closing by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from juying.cli.medical import app
from juying.cli.output import Exit, exit_status
from juying.services.medical.client import NhsaClient
from juying.services.medical.journal import Journal
from juying.services.medical.till import Till
from tests.medical.gateway import Gateway, order
from tests.peers.nhsa import ANNA, AREA
from tests.services.installed import install

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``juying medical journal``; the status, and the JSON document or the text that it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JUYING_SITES", raising=False)
    install(monkeypatch, medical="juying.services.medical.adapter:medical_adapter")

    def call(*arguments: object) -> tuple[int, Any]:
        words = ["journal", *map(str, arguments)]
        as_json = "--json" in words
        capsys.readouterr()
        status = exit_status(
            lambda: get_command(app).main(args=words, prog_name="juying medical", standalone_mode=False),
            as_json=as_json,
        )
        out, err = capsys.readouterr()
        return status, json.loads(out) if as_json else out + err

    return call


@pytest.fixture
def sites(gateway: Gateway, tmp_path: Path) -> Path:
    """Two institutions with a journal that they share, and one without."""
    path = tmp_path / "sites.toml"
    tables = []
    for name, journal in (("north", "journal.db"), ("south", "journal.db"), ("west", "")):
        table = {**gateway.table(), "journal": journal}
        del table["resilience"]
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
        tables.append("\n".join([f"[medical.{name}]", *lines]))
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def doubtful(gateway: Gateway, batch: str = "B0001", site: str = "medical.north") -> None:
    gateway.plays("books-and-hangs-up", "2207", 1)
    gateway.plays("refuses", "2601", 1)
    with Journal("journal.db") as journal:
        client = NhsaClient(type(gateway.site()).from_dict(gateway.table(), site))
        Till(client, journal).pay(order(chrg_bchno=batch), insured_in=AREA)


def test_a_journal_without_anything_unfinished(gateway: Gateway, run: Run, sites: Path) -> None:
    with Journal("journal.db") as journal:
        Till(NhsaClient(type(gateway.site()).from_dict(gateway.table(), "medical.north")), journal).pay(
            order(), insured_in=AREA
        )
    assert run("list", "--sites", sites) == (Exit.DONE, "没有未完成的结算 / nothing is unfinished\n")
    status, text = run("list", "--all", "--sites", sites)
    assert status == Exit.DONE
    for part in ("north", "V000001", "B0001", "600.10", "已结算", "S00000"):
        assert part in text
    assert ANNA not in text


def test_listing_and_finishing(gateway: Gateway, run: Run, sites: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, batch in (("medical.north", "B1"), ("medical.south", "B2")):
        doubtful(gateway, batch, name)
    monkeypatch.setenv("JUYING_SITES", str(sites))
    status, document = run("list", "--json")
    assert status == Exit.DONE
    assert [entry["state"] for entry in document["entries"]] == ["unknown", "unknown"]
    assert document["entries"][0] | {"message_id": "", "changed": ""} == {
        "number": 1,
        "site": "medical.north",
        "state": "unknown",
        "amount": "600.10",
        "fund": None,
        "account": None,
        "cash": None,
        "mdtrt_id": "V000001",
        "chrg_bchno": "B1",
        "message_id": "",
        "setl_id": "",
        "undo_message_id": "",
        "undo_wanted": False,
        "code": "refused",
        "changed": "",
    }
    gateway.plays("refuses", "2601", 1)
    status, text = run("finish", "--site", "north")
    assert status == Exit.UNDETERMINED
    assert "结果不明" in text
    status, document = run("finish", "--json")
    assert (status, document) == (Exit.DONE, {"entries": []})
    assert gateway.stands == []


def test_finishing_in_another_folder_does_not_begin_an_empty_journal(
    run: Run, sites: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timer may run anywhere: that nothing is unfinished has to be said of the journal that is meant."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    status, text = run("finish", "--sites", sites)
    assert (status, "no such journal" in text) == (Exit.BAD_USE, True)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_closing_by_hand(gateway: Gateway, run: Run, sites: Path) -> None:
    doubtful(gateway)
    assert run("close", 1, "--as", "gone", "--sites", sites)[0] == Exit.BAD_USE
    assert run("close", 1, "--as", "paid", "--sites", sites)[0] == Exit.BAD_USE
    status, document = run("close", 1, "--as", "reversed", "--journal", "journal.db", "--json")
    assert status == Exit.DONE
    assert [(entry["state"], entry["code"]) for entry in document["entries"]] == [("reversed", "by_hand")]
    status, text = run("list", "--all", "--journal", "journal.db", "--site", "north")
    assert "已冲正" in text
    assert run("list", "--all", "--journal", "journal.db", "--site", "south")[1].startswith("没有")


def test_which_journal(gateway: Gateway, run: Run, sites: Path, tmp_path: Path) -> None:
    assert run("list")[0] == Exit.BAD_USE
    assert "JUYING_SITES" in run("list")[1]
    assert run("finish", "--sites", sites, "--site", "west")[0] == Exit.BAD_USE
    assert run("list", "--journal", "none.db")[0] == Exit.BAD_USE
    two = tmp_path / "two.toml"
    two.write_text(sites.read_text(encoding="utf-8").replace("journal.db", "other.db", 1), encoding="utf-8")
    status, text = run("close", 1, "--as", "reversed", "--sites", two)
    assert status == Exit.BAD_USE
    assert "--site" in text
