"""``juying check``: a card or a code, the services of a configuration file, one answer and its exit status."""

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import save_card
from juying.card.virtual.tunion import TransitIssue
from juying.cli.app import run
from juying.cli.check import age_text
from juying.codec.profile import load_profile
from tests.cli.desk import Done, applicant, sheet
from tests.services.installed import CLOSED, install

CARD = ("--virtual", "out/JYX000010/card.vcard")
CODE = "out/JYX000010/credential.txt"
Check = Callable[..., Done]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which an applicant was issued, on a virtual card."""
    folder = tmp_path_factory.mktemp("office")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["issue", str(sheet(applicant(0, card_number="JYX000010"))), "--out", "out"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _there(office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(office)
    for name in ("JUYING_TRUST", "JUYING_ROOT", "JUYING_SITES", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    install(monkeypatch, pool="pools", bath="bath", hall="hall")


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    """``juying check`` in this process."""

    def call(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsys.readouterr()

        status = run(["check", *arguments])
        return Done(status, *capsys.readouterr())

    return call


def sites(text: str) -> tuple[str, str]:
    path = Path("sites.toml")
    path.write_text(text, "utf-8")
    return "--sites", str(path)


def pools(*does: str) -> tuple[str, str]:
    return sites("".join(f'[pool.site{number}]\ndoes = "{one}"\n' for number, one in enumerate(does)))


@pytest.mark.parametrize(("does", "status"), [("pass", 0), ("fail", 1), ("unknown", 3)])
def test_the_exit_status_is_the_verdict(ask: Check, does: str, status: int) -> None:
    assert ask("pool", *pools(does), *CARD).status == status


@pytest.mark.parametrize(
    ("does", "status"), [("pass pass", 0), ("pass unknown", 3), ("unknown fail pass", 1), ("hang pass", 3)]
)
def test_of_several_the_worst_counts(ask: Check, does: str, status: int) -> None:
    assert ask("all", *pools(*does.split()), *CARD, "--deadline", "0.5").status == status


def test_a_card_that_cannot_be_read_is_no_answer(ask: Check) -> None:
    Path("trace.jsonl").write_text('{"atr": "3B00", "protocol": "T=0"}\n', "utf-8")
    done = ask("bath", "--replay", "trace.jsonl")
    assert (done.status, done.out) == (4, "")
    assert "not a social security card" in done.err


def test_one_service_as_json(ask: Check) -> None:
    done = ask("pool.site0", *pools("fail", "pass"), *CARD, "--json")
    assert done.status == 1
    assert done.document.keys() == {
        "service", "verdict", "checks", "evidence", "as_of", "age_seconds", "proven", "permit",
    }  # fmt: skip
    assert (done.document["service"], done.document["verdict"]) == ("pool.site0", "ineligible")
    assert done.document["checks"][1] == {
        "name": "swims",
        "outcome": "fail",
        "code": "fail",
        "reason": {"zh": "会游泳", "en": "can swim"},
    }
    assert done.document["permit"] == {
        "signature": "valid",
        "verdict": "valid",
        "reason": {"zh": "有效", "en": "valid"},
    }
    assert done.document["proven"][0] == "chip_read"
    assert "MUSTER" not in done.out


@pytest.mark.parametrize("what", ["all", "pool"])
def test_several_services_as_json(ask: Check, what: str) -> None:
    document = ask(what, *pools("pass", "fail"), *CARD, "--json").document
    assert document.keys() == {"proven", "permit", "services"}
    assert [service["verdict"] for service in document["services"]] == ["eligible", "ineligible"]


def test_all_of_a_single_service_is_still_a_list(ask: Check) -> None:
    assert len(ask("all", *pools("pass"), *CARD, "--json").document["services"]) == 1


def shown(done: Done) -> list[str]:
    """The lines that were printed, without what aligns them."""
    return [" ".join(line.split()) for line in done.out.splitlines() if line]


def test_one_service_with_its_checks_and_evidence(ask: Check) -> None:
    assert shown(ask("pool", *pools("unknown"), *CARD)) == [
        "工作许可 / work permit: 有效 / valid",
        "通过 pass member 会员 / a member",
        "未知 unknown swims 会游泳 / can swim",
        "lane: 3",
        'holds: ["card_number", "card_identifier", "social_security_number", "permit_number"]',
        "无法判定 / undetermined",
    ]


def test_a_table_of_all_with_the_permit_above(ask: Check) -> None:
    assert shown(ask("all", *pools("pass", "fail"), *CARD)) == [
        "工作许可 / work permit: 有效 / valid",
        "服务 service 结论 verdict 答复 answer 理由 reason",
        "游泳馆 / swimming pool 可以使用 / eligible 刚刚 / now 会游泳 / can swim",
        "游泳馆 / swimming pool 不可使用 / not eligible 刚刚 / now 会游泳 / can swim",
    ]


@pytest.mark.parametrize("source", ["file", "text", "stdin"])
def test_a_code_instead_of_a_card(ask: Check, source: str) -> None:
    text = Path(CODE).read_text("utf-8")
    argument = {"file": CODE, "text": text.strip(), "stdin": "-"}[source]
    done = ask("bath", argument, "--json", stdin=text.encode())
    assert (done.status, done.document["proven"]) == (0, ["signature_valid"])


class Resolver(BaseHTTPRequestHandler):
    """The service that resolves the code of an e-voucher, once the digits are right."""

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = question["data"]["ecQrCode"] == VOUCHER
        answer = {"code": 0, "data": {"ecToken": "T", "userName": "安娜"}} if known else {"code": 30021}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Not in the tests."""


VOUCHER = "2" * 28


@pytest.fixture
def resolver() -> Iterator[str]:
    """The table of a platform that resolves e-vouchers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Resolver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield (
        f'[platform.voucher]\nurl = "http://127.0.0.1:{server.server_port}"\norganisation = "H33100200001"\n'
        'operator = "1"\noperator_name = "样本"\nerrors = { 30021 = "expired" }\n'
    )
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("source", ["text", "stdin"])
def test_the_code_of_a_platform_is_resolved_by_it(ask: Check, resolver: str, source: str) -> None:
    done = ask("bath", VOUCHER if source == "text" else "-", *sites(resolver), "--json", stdin=VOUCHER.encode() + b"\n")
    assert (done.status, done.document["proven"]) == (0, ["holder_bound"])
    assert done.document["permit"]["signature"] == "absent"
    assert done.document["evidence"]["holds"] == ["voucher_token"]
    done = ask("bath", "3" * 28, *sites(resolver), "--json")
    assert done.document["permit"]["verdict"] == "expired"


def test_a_platform_that_cannot_be_asked_leaves_it_open(ask: Check, resolver: str) -> None:
    away = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", resolver)
    done = ask("bath", VOUCHER, *sites(away))
    assert (done.status, done.out) == (3, "")


def test_other_codes_are_verified_though_there_is_a_platform(ask: Check, resolver: str) -> None:
    assert ask("bath", CODE, *sites(resolver), "--json").document["permit"]["verdict"] == "valid"


def test_a_forged_code_is_asked_about_and_shown_as_such(ask: Check) -> None:
    done = ask("bath", "JY1:FORGED")
    assert done.status == 0  # the bath lets everybody in
    told = "工作许可 / work permit: 不是有效格式的凭证 / this is not a well-formed credential"
    assert done.out.splitlines()[0] == told


def test_an_overdue_permit_is_shown_beside_an_eligible_service(ask: Check) -> None:
    Path("policy.json").write_text('{"tiers": ["full"], "assurance": "holder"}', "utf-8")
    done = ask("bath", CODE, "--policy", "policy.json")
    assert done.status == 0
    assert done.out.splitlines()[0] == "工作许可 / work permit: 没有持有人绑定 / not bound to its holder"


def test_a_card_without_a_permit_may_still_be_good(ask: Check) -> None:
    save_card(VirtualCard.blank(load_profile("ssc-v3")), "blank.vcard")
    done = ask("bath", "--virtual", "blank.vcard")
    assert done.status == 0
    assert "there is no work permit on the card" in done.out


def transit_card(profile: str = "ssc-v3", balance: int = 500) -> tuple[str, str]:
    save_card(VirtualCard.blank(load_profile(profile), transit=TransitIssue(balance_fen=balance)), "transit.vcard")
    return "--virtual", "transit.vcard"


@pytest.mark.parametrize("profile", ["ssc-v3", "tunion"])
def test_the_transit_application_of_a_card_alone_or_beside_others(
    ask: Check, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    install(monkeypatch, transit="bus")
    done = ask("transit", *transit_card(profile), "--json")
    assert (done.status, done.document["evidence"]) == (0, {"balance_fen": 500})
    assert done.document["proven"] == ["chip_read"]
    assert done.document["permit"] == {"signature": "absent", "verdict": None}


def test_only_transit_is_told_where_somebody_has_been(ask: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, transit="bus", pool="pools")
    card = transit_card()
    assert ask("pool", *pools("pass"), *card, "--json").document["evidence"]["holds"][-1] != "transit"
    services = ask("all", *sites('[transit]\n[pool.x]\ndoes="pass"\n'), *card, "--json").document["services"]
    assert [service["evidence"] for service in services] == [
        {"balance_fen": 500},
        {"lane": 3, "holds": ["card_identifier", "transit"]},
    ]


def test_a_card_without_a_transit_application(ask: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, transit="bus")
    assert ask("transit", *CARD).status == 3


def test_a_transit_card_alone_is_good_for_nothing_else(ask: Check) -> None:
    done = ask("bath", *transit_card("tunion"))
    assert (done.status, done.out) == (4, "")
    assert "not a social security card" in done.err


def test_with_keys_the_chip_has_to_prove_that_it_is_no_copy(ask: Check) -> None:
    done = ask("bath", *CARD, "--keys", "demo", "--json")
    assert done.document["proven"] == ["chip_read", "chip_authenticated", "signature_valid"]
    save_card(VirtualCard.blank(load_profile("ssc-v3"), keys=lambda key: bytes(range(16))), "copy.vcard")
    done = ask("bath", "--virtual", "copy.vcard", "--keys", "demo")
    assert (done.status, done.out) == (4, "")
    assert "perhaps a copy" in done.err


def test_a_pin_binds_the_holder(ask: Check) -> None:
    Path("pin").write_text("123456", "utf-8")
    assert "holder_bound" in ask("bath", *CARD, "--pin-file", "pin", "--json").document["proven"]
    assert "holder_bound" not in ask("bath", *CARD, "--json").document["proven"]
    Path("wrong").write_text("654321", "utf-8")
    done = ask("bath", *transit_card(), "--pin-file", "wrong")
    assert (done.status, done.out) == (4, "")
    assert "654321" not in done.err


def test_connections_are_closed_at_the_end(ask: Check) -> None:
    CLOSED.clear()
    ask("pool", *pools("pass", "fail"), CODE)
    assert CLOSED == ["pool.site0", "pool.site1"]


def test_the_layout_of_a_card_may_be_named(ask: Check) -> None:
    assert ask("bath", *CARD, "--profile", "ssc-v3").status == 0
    assert ask("bath", *CARD, "--profile", "ssc-v9").status == 2


def test_the_configuration_may_stand_in_the_environment(ask: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUYING_SITES", pools("fail")[1])
    assert ask("pool", *CARD).status == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("all", *CARD), "no service is configured; name a TOML file with --sites"),
        (("hall", *CARD), "the service hall is not configured"),
        (("hal", *CARD), "the nearest is hall"),
        (("bath", CODE, *CARD), "either a card or a code, not both"),
        (("bath", CODE, "--deadline", "0"), "--deadline has to be above 0"),
        (("bath", CODE, "--deadline", "nan"), "--deadline has to be above 0"),
        (("bath", "--sites", "missing.toml"), "the file cannot be read"),
    ],
)
def test_bad_use_is_told_before_a_card_is_touched(ask: Check, arguments: tuple[str, ...], message: str) -> None:
    done = ask(*arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


def test_a_kept_answer_shows_its_age(ask: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lake="lake")
    done = ask("lake", CODE)
    assert done.status == 0
    assert done.out.splitlines()[-1] == "可以使用 / eligible（2 小时前 / 2 h ago）"
    done = ask("all", CODE, *sites("[lake]\n"))
    *_, row, remark = shown(done)
    assert row.startswith("游泳馆 / swimming pool 可以使用 / eligible 2 小时前 / 2 h ago")
    assert remark.endswith("it cannot be reached (ConnectionRefusedError); this is the answer from before")
    assert ask("lake", CODE, "--json").document["age_seconds"] == 7200


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (0.5, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7199, "1 h ago"), (86400 * 3, "3 d ago")],
)
def test_an_age_has_the_largest_unit_that_it_fills(seconds: float, text: str) -> None:
    assert age_text(timedelta(seconds=seconds)).en == text
