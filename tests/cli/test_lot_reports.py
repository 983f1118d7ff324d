"""``juying lot report``, ``hand-over`` and ``delivered``, from a lot in a ledger to the files on the desk."""

import csv
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook

from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.issuance.demo_keys import FOLDER, demonstration_keys
from juying.ledger import orders
from juying.ledger.ledger import Ledger
from juying.ledger.operators import Operators
from juying.ledger.states import CardState, OrderState, Role
from tests.cli.conftest import Juying
from tests.cli.desk import ROOT
from tests.issuance.lots import FACTORY, INSTITUTE, LOT, Clock, Desk, card_number
from tests.people import trusted

LISTS = Path("lists")
PULLED = "卡被取出 / the card was pulled out"


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A lot of six for two employers: four cards are made, one failed and is half written, one waits."""
    monkeypatch.setenv("JUYING_LEDGER", "ledger.db")
    clock = Clock(datetime.now(UTC))
    demonstration_keys(FOLDER, region="331000")
    with Ledger.open("ledger.db", region="331000", clock=clock) as ledger:
        desk = Desk(ledger, clock)
        desk.import_lot(6, [INSTITUTE, FACTORY])
        desk.make(4, "窗口1", "reader A", seconds=20)
        torn = desk.claim("窗口1", "reader A")
        with ledger.transaction(desk.actor_at("窗口1")) as tx:
            orders.fail(tx, torn, PULLED)
        yield desk


def test_a_report_for_people_and_programs(juying: Juying, desk: Desk) -> None:
    done = juying("lot", "report", LOT, "--out", "lot.csv", "--out", "lot.xlsx", "--out", "lot.html")
    assert done.status == 0
    for words in ("已制成", "under way", "20.0 s", PULLED):
        assert words in done.out
    assert "lot.html" in done.err
    assert [stat.S_IMODE(Path(f"lot.{form}").stat().st_mode) for form in ("csv", "xlsx", "html")] == [0o600] * 3
    with Path("lot.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["outcome"] for row in rows] == ["issued"] * 4 + ["under-way", "waiting"]
    assert rows[4]["error"] == PULLED
    assert "name" not in rows[0]
    book = load_workbook("lot.xlsx")
    assert book["订单 orders"].max_row == 7


def test_a_report_as_json(juying: Juying, desk: Desk) -> None:
    found = juying("lot", "report", LOT, "--out", "lot.csv", "--json").document
    assert (found["lot"], found["orders"], found["done"], found["failures"]) == (LOT, 6, 4, 1)
    assert found["outcomes"] == {"issued": 4, "under-way": 1, "waiting": 1}
    assert {"kind": "new", "state": "sealed", "orders": 4} in found["counts"]
    assert sum(entry["orders"] for entry in found["counts"]) == 6
    assert (found["median_seconds"], found["p95_seconds"]) == (20.0, 20.0)
    assert found["causes"] == [{"reason": PULLED, "failures": 1, "orders": 1, "spoiled": 0}]
    assert found["stations"][0]["station"] == "窗口1"
    assert found["boxes"][0] == {"box": 1, "cards": 3, "delivered": 0, "missing": 0}
    (torn,) = found["open"]
    assert (torn["position"], torn["state"], torn["card_number"]) == (5, "writing", card_number(5))
    assert "name" not in torn
    assert found["files"] == ["lot.csv"]


def test_names_have_to_be_asked_for(juying: Juying, desk: Desk) -> None:
    found = juying("lot", "report", LOT, "--names", "--json").document
    assert found["open"][0]["name"] == "MUSTER MAXE"
    assert desk.events("names-reported") == ["names-reported"]


def test_a_lot_that_has_just_begun(juying: Juying, desk: Desk) -> None:
    desk.import_lot(1, name="second", first=50)
    done = juying("lot", "report", "second")
    assert done.status == 0
    assert "失败原因" not in done.out
    assert juying("lot", "report", "second", "--json").document["median_seconds"] is None


def test_a_report_in_another_form_is_refused_before_anything_is_read(juying: Juying, desk: Desk) -> None:
    done = juying("lot", "report", LOT, "--names", "--out", "lot.csv", "--out", "lot.pdf")
    assert done.status == 2
    assert "lot.pdf" in done.err
    assert not Path("lot.csv").exists()
    assert not desk.events("names-reported")
    assert juying("lot", "report", "?").status == 2


def test_from_the_list_to_the_delivery(juying: Juying, desk: Desk) -> None:
    desk.card_becomes(4, CardState.LOST)
    done = juying("lot", "hand-over", LOT, "--out", "lists", "--json")
    first, second = done.document["lists"]
    assert first == {
        "number": 1, "edition": 1, "made": "new", "employer": {"name": INSTITUTE.name, "code": INSTITUTE.code},
        "cards": 2, "left_out": 0, "file": str(LISTS / "hand-over-1.pdf"),
        "signature": str(LISTS / "hand-over-1.pdf.sig"),
    }  # fmt: skip
    assert (second["cards"], second["left_out"]) == (1, 1)
    assert done.document["demonstration"] is True
    again = juying("lot", "hand-over", LOT, "--out", "lists")
    assert again.status == 0
    assert "同前 / as before" in again.out
    assert "清单 2：1 张已挂失" in again.err
    assert "演示密钥" in again.err
    verified = juying("lot", "hand-over", "--verify", first["file"], "--json").document
    assert (verified["number"], verified["edition"], verified["current"]) == (1, 1, True)
    taken = juying("lot", "delivered", 1, "--missing", card_number(3))
    assert taken.status == 0
    assert "未领取的卡可列入下一份清单" in taken.err
    assert desk.states() == ["delivered", "sealed", "sealed", "sealed", "writing", "planned"]
    repeated = juying("lot", "delivered", 1, "--json").document
    assert repeated == {"number": 1, "delivered": 1, "missing": 0, "left_out": 0, "before": True}
    assert "此前已记录" in juying("lot", "delivered", 1).err
    later = juying("lot", "hand-over", LOT, "--out", "lists", "--employer", INSTITUTE.code, "--json").document["lists"]
    assert [(each["number"], each["cards"]) for each in later] == [(3, 1)]


def test_checking_a_list(juying: Juying, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Path(juying("lot", "hand-over", LOT, "--out", "old", "--json").document["lists"][0]["file"])
    done = juying("lot", "hand-over", "--verify", old)
    assert done.status == 0
    assert "签名有效" in done.out
    assert "现行版本" in done.out
    desk.rename(1, "MUSTERFRAU ERIKA")
    new = juying("lot", "hand-over", LOT, "--out", "new")
    assert "新版本" in new.out
    superseded = juying("lot", "hand-over", "--verify", old)
    assert superseded.status == 1
    assert "已有更新的版本" in superseded.out
    monkeypatch.delenv("JUYING_LEDGER")
    alone = juying("lot", "hand-over", "--verify", old, "--json")
    assert alone.status == 0
    assert alone.document["current"] is None
    old.write_bytes(old.read_bytes() + b" ")
    changed = juying("lot", "hand-over", "--verify", old)
    assert changed.status == 1
    assert "另一份文件" in changed.err
    assert juying("lot", "hand-over", "--verify", old, "--json").document["error"]["where"] == str(old)


def test_a_list_of_another_ledger(juying: Juying, desk: Desk) -> None:
    file = juying("lot", "hand-over", LOT, "--out", "lists", "--json").document["lists"][0]["file"]
    with Ledger.open("other.db", region="331000"):
        pass
    done = juying("lot", "hand-over", "--verify", file, "--ledger", "other.db")
    assert done.status == 1
    assert "没有出过" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "请给出批次"),
        ((LOT, "--verify", "x.pdf"), "请给出批次"),
        (("--verify", "x.pdf"), "文件读不出来"),
        (("--verify", "x.pdf", "--ledger", "postgresql://a:b@localhost/c"), "文件读不出来"),
        ((LOT, "--employer", "91350100M000100Y43"), "没有可移交的卡"),
    ],
)
def test_bad_use(juying: Juying, desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    done = juying("lot", "hand-over", *arguments)
    assert done.status == 2
    assert words in done.err


def test_a_password_in_the_address_is_refused_here_too(juying: Juying, desk: Desk) -> None:
    file = juying("lot", "hand-over", LOT, "--out", "lists", "--json").document["lists"][0]["file"]
    done = juying("lot", "hand-over", "--verify", file, "--ledger", "postgresql://a:secret@localhost/c")
    assert done.status != 0
    assert "secret" not in done.out + done.err


def test_missing_cards_have_to_be_on_the_list(juying: Juying, desk: Desk) -> None:
    juying("lot", "hand-over", LOT, "--out", "lists")
    done = juying("lot", "delivered", 1, "--missing", card_number(2))
    assert done.status == 2
    assert card_number(2) not in done.err
    assert OrderState.DELIVERED not in desk.states()


def test_where_operators_are_registered_one_has_to_log_in(juying: Juying, desk: Desk) -> None:
    Operators(desk.ledger).add(desk.actor, "li.wei", [Role.SUPERVISOR], "correct horse battery staple")
    for command in (("report", LOT), ("hand-over", LOT), ("delivered", 1)):
        done = juying("lot", *command)
        assert done.status == 2
        assert "juying login" in done.err


def test_with_the_offices_own_key(juying: Juying, desk: Desk) -> None:
    signer, now = SoftwareSigner.generate(), datetime.now(UTC).replace(microsecond=0)
    signer.save("office.pem")
    TrustList([trusted(signer, not_before=now, not_after=now + timedelta(days=1))]).save("trust.json")
    keys = "--key", "office.pem", "--trust", "trust.json"
    made = juying("lot", "hand-over", LOT, "--out", "lists", *keys)
    assert made.status == 0
    assert "演示" not in made.err
    verified = juying("lot", "hand-over", "--verify", LISTS / "hand-over-1.pdf", "--trust", "trust.json")
    assert verified.status == 0
    assert "issuer of the tests" in verified.out
    assert "演示" not in verified.err
    assert juying("lot", "delivered", 1).err == ""


def test_the_documented_commands(juying: Juying, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/handover.md shows, in its order, and that it shows what is printed."""
    desk.import_lot(6, [INSTITUTE, FACTORY], name="2026-12-01", first=20)
    desk.make(4)
    document = (ROOT / "docs" / "handover.md").read_text("utf-8")
    commands = re.findall(r"^\$ juying (.*)$", document, re.MULTILINE)
    assert len(commands) == 4
    for command in sorted(commands, key=lambda command: "delivered" in command):
        arguments = command.replace("000000003", card_number(23)).split()
        done = juying(*arguments)
        assert done.status == 0, command
        shown = document.partition(f"$ juying {command}\n")[2].partition("```")[0]
        titles = [re.split(r"\s{2,}", line)[0] for line in done.out.splitlines()]
        assert [line for line in titles if line and not line[0].isdigit() and line not in shown] in (
            [], ["读卡器中没有卡，或卡已被取出"],
        )  # fmt: skip
